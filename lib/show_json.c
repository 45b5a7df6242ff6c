/* show_json.c - what the parts of show write into their tree, and read back for the text. */
#include "lib/show_json.h"

#include "applets/isdr/profile_store.h"

enum { TEXT_MAX = 1024 };

void show_add_hex(cJSON *to, const char *name, struct rd v)
{
    char text[2 * 64 + 1] = "";

    for (size_t i = 0; i < v.n && i < 64; i++)
        snprintf(text + 2 * i, 3, "%02X", v.p[i]);
    cJSON_AddStringToObject(to, name, text);
}

void show_add_text(cJSON *to, const char *name, struct rd v)
{
    char text[TEXT_MAX];

    snprintf(text, sizeof text, "%.*s", (int)v.n, v.n > 0 ? (const char *)v.p : "");
    cJSON_AddStringToObject(to, name, text);
}

void show_add_iccid(cJSON *to, const char *name, struct rd iccid)
{
    char digits[2 * ICCID_LEN + 1];
    size_t n = 0;

    for (size_t i = 0; i < iccid.n && i < ICCID_LEN; i++) {
        digits[n++] = "0123456789ABCDEF"[iccid.p[i] & 0xF];
        digits[n++] = "0123456789ABCDEF"[iccid.p[i] >> 4];
    }
    while (n > 0 && digits[n - 1] == 'F')
        n--;
    digits[n] = '\0';
    cJSON_AddStringToObject(to, name, digits);
}

const char *show_string(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

double show_number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

bool show_is(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItem(object, name));
}
