/* es9p_json.c - the messages of ES9+ as JSON. */
#include "applets/ipae/es9p_json.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "os/err.h"
#include "os/hex.h"

enum { VALUES_MAX = 1000 };

/* --- base64 (RFC 4648 4) ---------------------------------------------------------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(struct wr *w, struct rd v)
{
    for (; v.n > 0; v = v.n > 3 ? rd_of(v.p + 3, v.n - 3) : rd_of(NULL, 0)) {
        uint32_t group = (uint32_t)v.p[0] << 16;
        if (v.n > 1)
            group |= (uint32_t)v.p[1] << 8;
        if (v.n > 2)
            group |= v.p[2];
        const char text[] = { alphabet[group >> 18], alphabet[group >> 12 & 0x3F],
                              v.n > 1 ? alphabet[group >> 6 & 0x3F] : '=',
                              v.n > 2 ? alphabet[group & 0x3F] : '=' };
        wr_put(w, text, sizeof text);
    }
}

/* Up to the padding; line breaks, which some servers write, are passed over. */
static bool read_base64(const char *text, struct wr *ret)
{
    uint32_t group = 0;
    unsigned bits = 0;

    for (; *text != '\0' && *text != '='; text++) {
        if (*text == '\r' || *text == '\n')
            continue;
        const char *at = strchr(alphabet, *text);
        if (at == NULL)
            return false;
        group = (group << 6 | (uint32_t)(at - alphabet)) & 0xFFFFFF;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        wr_put_u8(ret, (uint8_t)(group >> bits));
    }
    return strspn(text, "=\r\n") == strlen(text) && bits < 6 && wr_failed(ret) == 0;
}

/* --- hex -------------------------------------------------------------------------------------- */

static void put_hex(struct wr *w, struct rd v)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < v.n; i++) {
        wr_put_u8(w, (uint8_t)digits[v.p[i] >> 4]);
        wr_put_u8(w, (uint8_t)digits[v.p[i] & 0x0F]);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

void es9p_put(struct wr *w, const struct es9p_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        wr_put_rd(w, rd_str(i == 0 ? "{\"" : "\",\""));
        wr_put_rd(w, rd_str(fields[i].name));
        wr_put_rd(w, rd_str("\":\""));
        if (fields[i].as == ES9P_BASE64)
            put_base64(w, fields[i].value);
        else if (fields[i].as == ES9P_HEX)
            put_hex(w, fields[i].value);
        else
            wr_put_rd(w, fields[i].value);
    }
    wr_put_rd(w, rd_str("\"}"));
}

static const char *text_of(const cJSON *in, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(field) ? field->valuestring : "";
}

/* cJSON takes some sixty octets for each value, which may be two octets in the text.  Base64 has
 * none of these characters. */
static bool is_modest(struct rd body)
{
    size_t n = 0;

    for (size_t i = 0; i < body.n; i++)
        n += body.p[i] == ',' || body.p[i] == '[' || body.p[i] == '{';
    return n <= VALUES_MAX;
}

bool es9p_read(struct rd body, struct es9p_answer *ret)
{
    cJSON *json = is_modest(body) ? cJSON_ParseWithLength((const char *)body.p, body.n) : NULL;
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(json, "header");
    const cJSON *execution = cJSON_GetObjectItemCaseSensitive(header, "functionExecutionStatus");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(execution, "statusCodeData");

    *ret = (struct es9p_answer){ .json = json,
                                 .subject = text_of(data, "subjectCode"),
                                 .reason = text_of(data, "reasonCode") };
    return strcmp(text_of(execution, "status"), "Executed-Success") == 0;
}

bool es9p_get(const struct es9p_answer *a, const char *name, struct wr *ret)
{
    size_t before = ret->n;

    return read_base64(text_of(a->json, name), ret) && ret->n > before;
}

bool es9p_get_hex(const struct es9p_answer *a, const char *name, struct wr *ret)
{
    const char *text = text_of(a->json, name);

    if (text[0] == '\0')
        return false;
    for (; text[0] != '\0'; text += 2) {
        int octet = hex_octet(text);
        if (octet < 0)
            return false;
        wr_put_u8(ret, (uint8_t)octet);
    }
    return wr_failed(ret) == 0;
}

int es9p_event_count(const struct es9p_answer *a)
{
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(a->json, "eventEntries");

    return cJSON_IsArray(entries) ? cJSON_GetArraySize(entries) : -1;
}

bool es9p_get_event(const struct es9p_answer *a, int i, size_t max, const char **ret_id,
                    const char **ret_address)
{
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(a->json, "eventEntries");
    const cJSON *entry = cJSON_GetArrayItem(entries, i);

    *ret_id = text_of(entry, "eventId");
    *ret_address = text_of(entry, "rspServerAddress");
    return (*ret_id)[0] != '\0' && strlen(*ret_id) <= max && (*ret_address)[0] != '\0' &&
           strlen(*ret_address) <= max;
}

void es9p_done(struct es9p_answer *a)
{
    cJSON_Delete(a->json);
    a->json = NULL;
}
