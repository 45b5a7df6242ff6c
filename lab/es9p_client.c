/* es9p_client.c - the LPA's side of ES9+ (SGP.22 5.6, 6.5, 2.6.6). */
#include "lab/es9p_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "lab/es9p.h"
#include "os/err.h"

enum { URL_LEN = 512, HTTP_STATUS_OK = 200, HTTP_STATUS_NO_CONTENT = 204 };

struct es9p_client {
    CURL *curl;
    struct curl_slist *headers;
    char tls_error[CURL_ERROR_SIZE];
};

static int add_header(struct es9p_client *client, const char *header)
{
    struct curl_slist *list = curl_slist_append(client->headers, header);

    if (list == NULL)
        return ERR_NOMEM;
    client->headers = list;
    return 0;
}

static size_t on_data(char *p, size_t size, size_t n, void *ctx)
{
    struct wr *answer = ctx;

    wr_put(answer, p, size * n);
    return wr_failed(answer) == 0 ? size * n : 0;
}

/* Options that the client keeps; libcurl copies strings and, with COPY, the certificates. */
static CURLcode set_options(struct es9p_client *client, struct rd ca)
{
    struct curl_blob blob = { .data = (void *)(uintptr_t)ca.p,
                              .len = ca.n,
                              .flags = CURL_BLOB_COPY };
    CURL *curl = client->curl;
    CURLcode r = CURLE_OK;

    r = r ? r : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_SSL_EC_CURVES, "P-256:brainpoolP256r1:X25519:P-384");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ES9P_TIMEOUT_SECONDS);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->tls_error);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_USERAGENT, "gsma-rsp-lpad");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    return r;
}

int es9p_client_new(struct rd ca, struct es9p_client **ret, struct lab_error *e)
{
    struct es9p_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return lab_fail(e, "out of memory");
    client->curl = curl_easy_init();
    if (client->curl == NULL || add_header(client, "Content-Type: application/json") != 0 ||
        add_header(client, "X-Admin-Protocol: " ES9P_PROTOCOL) != 0 ||
        add_header(client, "Expect:") != 0 || set_options(client, ca) != CURLE_OK) {
        es9p_client_free(&client);
        return lab_fail(e, "libcurl does not start");
    }
    *ret = client;
    return 0;
}

void es9p_client_free(struct es9p_client **client)
{
    if (*client == NULL)
        return;
    curl_easy_cleanup((*client)->curl);
    curl_slist_free_all((*client)->headers);
    free(*client);
    *client = NULL;
}

/* An address comes from an activation code or from the card: a host name and perhaps a port. */
static bool address_is_plain(const char *address)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]";
    size_t n = strlen(address);

    return n > 0 && strspn(address, allowed) == n;
}

static int post(struct es9p_client *client, const char *url, const char *body, struct wr *ret,
                long *ret_status, struct lab_error *e)
{
    CURL *curl = client->curl;
    CURLcode r = CURLE_OK;

    client->tls_error[0] = '\0';
    r = r ? r : curl_easy_setopt(curl, CURLOPT_URL, url);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
    r = r ? r : curl_easy_perform(curl);
    r = r ? r : curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    if (r != CURLE_OK)
        return lab_fail(e, "%s: %s", url,
                        client->tls_error[0] != '\0' ? client->tls_error : curl_easy_strerror(r));
    return 0;
}

/* SGP.22 5.2.6.1 and 5.2.6.2. */
static const struct {
    const char *code, *name;
} subjects[] = {
    { "1.3.1", "Protocol Format" },
    { "1.3.2", "Protocol Version" },
    { "1.6", "Function" },
    { "8.1", "eUICC" },
    { "8.1.1", "EID" },
    { "8.1.2", "EUM Certificate" },
    { "8.1.3", "eUICC Certificate" },
    { "8.2", "Profile" },
    { "8.2.1", "Profile ICCID" },
    { "8.2.5", "Profile Type" },
    { "8.2.6", "Matching ID" },
    { "8.2.7", "Confirmation Code" },
    { "8.8", "SM-DP+" },
    { "8.8.1", "SM-DP+ Address" },
    { "8.8.2", "Security configuration" },
    { "8.8.3", "Specification Version Number (SVN)" },
    { "8.8.4", "SM-DP+ Certificate" },
    { "8.8.5", "Download order" },
    { "8.9", "SM-DS" },
    { "8.9.1", "SM-DS Address" },
    { "8.9.2", "Security configuration" },
    { "8.9.3", "Specification Version Number (SVN)" },
    { "8.9.4", "SM-DS Certificate" },
    { "8.9.5", "Event Record" },
    { "8.10.1", "RSP Session TransactionID" },
    { "8.11.1", "GSMA CI Public Key" },
}, reasons[] = {
    { "1.1", "Unknown" },
    { "1.2", "Not Allowed" },
    { "2.1", "Invalid" },
    { "2.2", "Mandatory Element Missing" },
    { "2.3", "Conditional Element Missing" },
    { "3.1", "Unsupported" },
    { "3.3", "Already in Use" },
    { "3.7", "Unavailable" },
    { "3.8", "Refused" },
    { "3.9", "Unknown" },
    { "3.10", "Invalid Association" },
    { "3.11", "Value has Changed" },
    { "4.2", "Execution Error" },
    { "4.3", "Stopped on Warning" },
    { "4.8", "Insufficient Memory" },
    { "4.10", "Time to Live Expired" },
    { "5.1", "Inaccessible" },
    { "6.1", "Verification Failed" },
    { "6.3", "Expired" },
    { "6.4", "Maximum number of retries exceeded" },
};

static const char *subject_name(const char *code)
{
    for (size_t i = 0; i < N_ELEMS(subjects); i++)
        if (strcmp(subjects[i].code, code) == 0)
            return subjects[i].name;
    return "unknown subject";
}

static const char *reason_name(const char *code)
{
    for (size_t i = 0; i < N_ELEMS(reasons); i++)
        if (strcmp(reasons[i].code, code) == 0)
            return reasons[i].name;
    return "unknown reason";
}

static const char *text_of(const cJSON *in, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(field) ? field->valuestring : "";
}

static int check_status(const char *function, const cJSON *answer, struct es9p_refusal *refusal,
                        struct lab_error *e)
{
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(answer, "header");
    const cJSON *execution = cJSON_GetObjectItemCaseSensitive(header, "functionExecutionStatus");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(execution, "statusCodeData");
    char message[128];

    if (strcmp(text_of(execution, "status"), "Executed-Success") == 0)
        return 0;
    if (!cJSON_IsObject(data))
        return lab_fail(e, "%s: the answer has no functionExecutionStatus", function);
    snprintf(refusal->subject, sizeof refusal->subject, "%s", text_of(data, "subjectCode"));
    snprintf(refusal->reason, sizeof refusal->reason, "%s", text_of(data, "reasonCode"));
    printable(rd_str(text_of(data, "message")), message, sizeof message);
    return lab_fail(e, "%s: refused by the server: %s %s, %s %s%s%s", function, refusal->subject,
                    subject_name(refusal->subject), refusal->reason, reason_name(refusal->reason),
                    message[0] != '\0' ? ": " : "", message);
}

static int read_answer(const char *function, long status, const struct wr *body, cJSON **ret,
                       struct es9p_refusal *refusal, struct lab_error *e)
{
    if (status == HTTP_STATUS_NO_CONTENT) {
        *ret = NULL;
        return 0;
    }
    if (status != HTTP_STATUS_OK)
        return lab_fail(e, "%s: HTTP status %ld", function, status);
    if (body->n == 0) {
        *ret = NULL;
        return 0;
    }
    cJSON *answer = cJSON_ParseWithLength((const char *)body->p, body->n);
    int r = cJSON_IsObject(answer) ? check_status(function, answer, refusal, e)
                                   : lab_fail(e, "%s: the answer is not JSON", function);
    if (r != 0) {
        cJSON_Delete(answer);
        return r;
    }
    *ret = answer;
    return 0;
}

int es9p_call(struct es9p_client *client, const char *address, const char *function,
              const cJSON *request, cJSON **ret, struct es9p_refusal *ret_refusal,
              struct lab_error *e)
{
    char url[URL_LEN];
    struct wr body;
    long status = 0;

    *ret_refusal = (struct es9p_refusal){ .subject = "" };
    if (!address_is_plain(address) || snprintf(url, sizeof url, "https://%s" ES9P_PATH "%s",
                                               address, function) >= (int)sizeof url)
        return lab_fail(e, "not an SM-DP+ address: %.100s", address);
    char *text = cJSON_PrintUnformatted(request);
    if (text == NULL)
        return lab_fail(e, "out of memory");
    wr_init_heap(&body, ES9P_ANSWER_MAX);
    int r = post(client, url, text, &body, &status, e);
    cJSON_free(text);
    if (r == 0)
        r = read_answer(function, status, &body, ret, ret_refusal, e);
    wr_done(&body);
    return r;
}

int es9p_get(const cJSON *answer, const char *field, struct wr *ret, struct lab_error *e)
{
    wr_clear(ret);
    if (!base64_read(text_of(answer, field), ret) || ret->n == 0)
        return lab_fail(e, "the answer of the server has no %s", field);
    return 0;
}
