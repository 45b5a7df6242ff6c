/* esipa_client.c - the IPA's side of ESipa (SGP.32 2.6.3, 6.1, 6.3). */
#include "lab/esipa_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "lab/ipa_json.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    URL_LEN = 640,
    CONNECT_LEN = 320,
    PIN_LEN = 128,
    TRUST_MAX = 1024 * 1024,
    HTTP_STATUS_OK = 200,
    HTTP_STATUS_NO_CONTENT = 204,
};

struct esipa_client {
    CURL *curl;
    struct curl_slist *headers, *connect_to;
    enum esipa_binding binding;
    char host[IPA_TEXT_MAX];
    char tls_error[CURL_ERROR_SIZE];
};

static int add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL)
        return ERR_NOMEM;
    *list = longer;
    return 0;
}

static size_t on_data(char *p, size_t size, size_t n, void *ctx)
{
    struct wr *answer = ctx;

    wr_put(answer, p, size * n);
    return wr_failed(answer) == 0 ? size * n : 0;
}

/* A host name or address and perhaps a port, as the card or the command line gives it. */
static bool address_is_plain(const char *address)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]";
    size_t n = strlen(address);

    return n > 0 && strspn(address, allowed) == n;
}

/* --- whom to trust ---------------------------------------------------------------------------- */

/* The key of the eIM itself: nothing of its certificate but key and name counts. */
static int pin_key(struct esipa_client *client, struct crypto *crypto, const struct eim_key *key,
                   struct lab_error *e)
{
    uint8_t hash[SHA256_LEN] = { 0 };
    char pin[PIN_LEN];
    struct wr spki;

    wr_init_heap(&spki, TRUST_MAX);
    eim_key_write(key, &spki);
    struct rd der = wr_view(&spki);
    bool good = wr_failed(&spki) == 0 && crypto_sha256(crypto, &der, 1, hash) == 0;
    wr_done(&spki);
    char *text = good ? base64_text(rd_of(hash, sizeof hash)) : NULL;
    if (text == NULL)
        return lab_fail(e, "out of memory");
    snprintf(pin, sizeof pin, "sha256//%s", text);
    free(text);
    CURLcode r = curl_easy_setopt(client->curl, CURLOPT_PINNEDPUBLICKEY, pin);
    r = r ? r : curl_easy_setopt(client->curl, CURLOPT_SSL_VERIFYPEER, 0L);
    return r == CURLE_OK ? 0 : lab_fail(e, "libcurl does not pin the eIM's key");
}

/* These and no others (libcurl lets a certificate that is not self-signed be an anchor). */
static CURLcode trust_pem(struct esipa_client *client, struct rd pem)
{
    struct curl_blob blob = { .data = (void *)(uintptr_t)pem.p,
                              .len = pem.n,
                              .flags = CURL_BLOB_COPY };

    return curl_easy_setopt(client->curl, CURLOPT_CAINFO_BLOB, &blob);
}

static int trust_certificate(struct esipa_client *client, const struct eim_key *key,
                             struct lab_error *e)
{
    struct wr der, pem;

    wr_init_heap(&der, TRUST_MAX);
    wr_init_heap(&pem, 2 * TRUST_MAX);
    eim_key_write(key, &der);
    int r = wr_failed(&der) == 0 ? pem_write("CERTIFICATE", wr_view(&der), &pem) : ERR_NOMEM;
    bool good = r == 0 && curl_easy_setopt(client->curl, CURLOPT_CAPATH, NULL) == CURLE_OK &&
                trust_pem(client, wr_view(&pem)) == CURLE_OK;
    wr_done(&der);
    wr_done(&pem);
    return good ? 0 : lab_fail(e, "libcurl does not take the eIM's certificate");
}

static int set_trust(struct esipa_client *client, struct crypto *crypto,
                     const struct esipa_peer *peer, struct lab_error *e)
{
    switch (peer->key.form) {
    case EIM_KEY_SPKI:
        return pin_key(client, crypto, &peer->key, e);
    case EIM_KEY_CERTIFICATE:
        return trust_certificate(client, &peer->key, e);
    case EIM_KEY_NONE:
        break;
    }
    if (peer->ca.n > 0 && trust_pem(client, peer->ca) != CURLE_OK)
        return lab_fail(e, "libcurl does not take the CI certificates");
    return 0;
}

/* --- the connection --------------------------------------------------------------------------- */

/* The URL names whom TLS is checked for; another address to connect to goes beside it. */
static int set_address(struct esipa_client *client, const struct esipa_peer *peer,
                       struct lab_error *e)
{
    const char *host = peer->fqdn[0] != '\0' ? peer->fqdn : peer->connect;
    char line[CONNECT_LEN];

    if (host == NULL)
        return lab_fail(e, "the eIM has no eimFqdn: --url says where it is");
    if (!address_is_plain(host) || !copy_text(host, client->host, sizeof client->host))
        return lab_fail(e, "not the address of an eIM: %.100s", host);
    if (peer->connect == NULL || host == peer->connect)
        return 0;
    const char *port = strrchr(peer->connect, ':');
    bool has_port = port != NULL && strchr(port, ']') == NULL;
    if (!address_is_plain(peer->connect) || snprintf(line, sizeof line, "::%s%s", peer->connect,
                                                     has_port ? "" : ":443") >= (int)sizeof line)
        return lab_fail(e, "not the address of an eIM: %.100s", peer->connect);
    if (add_line(&client->connect_to, line) != 0 ||
        curl_easy_setopt(client->curl, CURLOPT_CONNECT_TO, client->connect_to) != CURLE_OK)
        return lab_fail(e, "out of memory");
    return 0;
}

static CURLcode set_options(struct esipa_client *client)
{
    CURL *curl = client->curl;
    CURLcode r = CURLE_OK;

    r = r ? r : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_SSL_EC_CURVES, "P-256:brainpoolP256r1:X25519:P-384");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ESIPA_TIMEOUT_SECONDS);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->tls_error);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_USERAGENT, "gsma-rsp-ipad");
    r = r ? r : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    return r;
}

static int set_up(struct esipa_client *client, struct crypto *crypto, const struct esipa_peer *peer,
                  struct lab_error *e)
{
    const char *type = peer->binding == ESIPA_JSON ? "Content-Type: " ESIPA_JSON_TYPE
                                                     ";charset=UTF-8"
                                                   : "Content-Type: " ESIPA_ASN1_TYPE;
    const char *protocol = peer->version == ESIPA_V1_0 ? "X-Admin-Protocol: " ESIPA_PROTOCOL_V1_0
                                                       : "X-Admin-Protocol: " ESIPA_PROTOCOL;

    if (client->curl == NULL || add_line(&client->headers, type) != 0 ||
        add_line(&client->headers, protocol) != 0 || add_line(&client->headers, "Expect:") != 0 ||
        set_options(client) != CURLE_OK)
        return lab_fail(e, "libcurl does not start");
    TRY(set_address(client, peer, e));
    return set_trust(client, crypto, peer, e);
}

int esipa_client_new(struct crypto *crypto, const struct esipa_peer *peer,
                     struct esipa_client **ret, struct lab_error *e)
{
    struct esipa_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return lab_fail(e, "out of memory");
    client->curl = curl_easy_init();
    client->binding = peer->binding;
    int r = set_up(client, crypto, peer, e);
    if (r != 0) {
        esipa_client_free(&client);
        return r;
    }
    *ret = client;
    return 0;
}

void esipa_client_free(struct esipa_client **client)
{
    if (*client == NULL)
        return;
    curl_easy_cleanup((*client)->curl);
    curl_slist_free_all((*client)->headers);
    curl_slist_free_all((*client)->connect_to);
    free(*client);
    *client = NULL;
}

static int post(struct esipa_client *client, const char *path, struct rd body, struct wr *ret,
                struct lab_error *e)
{
    CURL *curl = client->curl;
    char url[URL_LEN];
    CURLcode r = CURLE_OK;
    long status = 0;

    if (snprintf(url, sizeof url, "https://%s%s", client->host, path) >= (int)sizeof url)
        return lab_fail(e, "not the address of an eIM: %.100s", client->host);
    client->tls_error[0] = '\0';
    wr_clear(ret);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_URL, url);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body.p);
    r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
    r = r ? r : curl_easy_perform(curl);
    r = r ? r : curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (r != CURLE_OK)
        return lab_fail(e, "%s: %s", url,
                        client->tls_error[0] != '\0' ? client->tls_error : curl_easy_strerror(r));
    if (status == HTTP_STATUS_NO_CONTENT)
        wr_clear(ret);
    else if (status != HTTP_STATUS_OK)
        return lab_fail(e, "%s: HTTP status %ld", url, status);
    return 0;
}

static int call_json(struct esipa_client *client, struct rd request, struct wr *ret,
                     struct lab_error *e)
{
    const char *function;
    char path[URL_LEN];
    cJSON *json = NULL;
    struct wr body;

    TRY(ipa_json_request(request, &function, &json, e));
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text == NULL)
        return lab_fail(e, "out of memory");
    snprintf(path, sizeof path, ESIPA_JSON_PATH "%s", function);
    wr_init_heap(&body, ESIPA_ANSWER_MAX);
    int r = post(client, path, rd_str(text), &body, e);
    cJSON_free(text);
    wr_clear(ret);
    if (r == 0 && body.n > 0)
        r = ipa_json_answer(function, wr_view(&body), ret, e);
    wr_done(&body);
    return r;
}

int esipa_call(struct esipa_client *client, struct rd request, struct wr *ret, struct lab_error *e)
{
    if (client->binding == ESIPA_JSON)
        return call_json(client, request, ret, e);
    return post(client, ESIPA_ASN1_PATH, request, ret, e);
}
