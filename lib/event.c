/* event.c - an event of the trace as a line of text or of JSON (docs/TRACE.md). */
#include "lib/event.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    DEPTH_MAX = 10,   /* of the TLV trees that are told */
    NODES_MAX = 400,  /* of one tree */
    VALUE_MAX = 256,  /* octets of a value */
    TREE_CHARS = 900, /* of one line of text */
    LINE_MAX = 4096,
};

static const struct kind {
    const char *mark, *name;
} kinds[] = {
    [SOFTEUICC_COMMAND] = { ">", "command" }, [SOFTEUICC_RESPONSE] = { "<", "response" },
    [SOFTEUICC_CHECK] = { "!", "check" },     [SOFTEUICC_FAULT] = { "!!", "fault" },
    [SOFTEUICC_NOTE] = { "#", "note" },       [SOFTEUICC_RULE] = { "%", "rule" },
    [SOFTEUICC_COMMIT] = { "*", "commit" },   [SOFTEUICC_REQUEST] = { "=", "request" },
    [SOFTEUICC_ANSWER] = { "=", "answer" },   [SOFTEUICC_PROACTIVE] = { "~", "proactive" },
    [SOFTEUICC_TLS] = { "@", "tls" },
};

static void put_hex(struct wr *w, struct rd v)
{
    char two[3];

    for (size_t i = 0; i < v.n; i++) {
        snprintf(two, sizeof two, "%02X", v.p[i]);
        wr_put(w, two, 2);
    }
}

static void put_str(struct wr *w, const char *s)
{
    wr_put(w, s, strlen(s));
}

/* What is said may hold text of others: it does not make lines of its own. */
static void put_said(struct wr *w, const char *s)
{
    for (; *s != '\0'; s++)
        wr_put_u8(w, (uint8_t)*s < 0x20 || *s == 0x7F ? '?' : (uint8_t)*s);
}

/* What w holds as a string; w is done. */
static char *string_of(struct wr *w)
{
    wr_put_u8(w, 0);
    char *text = wr_failed(w) == 0 ? strdup((const char *)w->p) : NULL;
    wr_done(w);
    return text;
}

/* --- the TLV tree ----------------------------------------------------------------------------- */

static bool is_constructed(const struct tlv *t)
{
    return t->whole.n > 0 && (t->whole.p[0] & 0x20) != 0 && tlv_all_whole(t->value);
}

struct place {
    uint32_t function, parent;
    unsigned depth;
    size_t *left; /* nodes that may still be told */
};

static uint32_t function_of(const struct place *at, uint32_t tag)
{
    return at->function != 0 ? at->function : tag;
}

static void tree_text(struct wr *w, struct rd in, struct place at)
{
    struct tlv t;
    char number[16];

    for (bool first = true; in.n > 0 && tlv_get(&in, &t) == 0; first = false) {
        if (*at.left == 0 || w->n > TREE_CHARS) {
            put_str(w, first ? "..." : " ...");
            return;
        }
        --*at.left;
        const char *name = tag_name(at.function, at.parent, t.tag);
        snprintf(number, sizeof number, "%X", t.tag);
        put_str(w, first ? "" : " ");
        put_str(w, name != NULL ? name : number);
        struct place below = { function_of(&at, t.tag), t.tag, at.depth + 1, at.left };
        if (is_constructed(&t) && at.depth < DEPTH_MAX) {
            put_str(w, "{");
            tree_text(w, t.value, below);
            put_str(w, "}");
        } else {
            put_str(w, "=");
            put_hex(w, rd_of(t.value.p, t.value.n < 64 ? t.value.n : 64));
            put_str(w, t.value.n > 64 ? "..." : "");
        }
    }
}

static void add_hex(cJSON *to, const char *field, struct rd v)
{
    struct wr w;

    wr_init_heap(&w, 4 * SOFTEUICC_RESPONSE_MAX);
    put_hex(&w, v);
    char *text = string_of(&w);
    cJSON_AddStringToObject(to, field, text != NULL ? text : "");
    free(text);
}

static void add_value(cJSON *node, struct rd v)
{
    add_hex(node, "value", rd_of(v.p, v.n < VALUE_MAX ? v.n : VALUE_MAX));
    if (v.n > VALUE_MAX)
        cJSON_AddNumberToObject(node, "length", (double)v.n);
}

static void tree_json(cJSON *to, struct rd in, struct place at)
{
    struct tlv t;
    char number[16];

    while (in.n > 0 && tlv_get(&in, &t) == 0) {
        cJSON *node = cJSON_CreateObject();
        cJSON_AddItemToArray(to, node);
        if (*at.left == 0) {
            cJSON_AddBoolToObject(node, "more", true);
            return;
        }
        --*at.left;
        const char *name = tag_name(at.function, at.parent, t.tag);
        snprintf(number, sizeof number, "%X", t.tag);
        cJSON_AddStringToObject(node, "tag", number);
        if (name != NULL)
            cJSON_AddStringToObject(node, "name", name);
        struct place below = { function_of(&at, t.tag), t.tag, at.depth + 1, at.left };
        if (is_constructed(&t) && at.depth < DEPTH_MAX)
            tree_json(cJSON_AddArrayToObject(node, "in"), t.value, below);
        else
            add_value(node, t.value);
    }
}

/* --- lines ------------------------------------------------------------------------------------ */

static bool is_apdu(enum softeuicc_event event)
{
    return event == SOFTEUICC_COMMAND || event == SOFTEUICC_RESPONSE;
}

static bool is_es10(enum softeuicc_event event)
{
    return event == SOFTEUICC_REQUEST || event == SOFTEUICC_ANSWER;
}

char *event_text(enum softeuicc_event event, const char *text, struct rd bytes)
{
    size_t left = NODES_MAX;
    struct wr w;

    wr_init_heap(&w, 4 * SOFTEUICC_RESPONSE_MAX);
    put_str(&w, kinds[event].mark);
    put_str(&w, " ");
    if (is_apdu(event)) {
        put_hex(&w, bytes);
        put_str(&w, text[0] != '\0' ? " (" : "");
        put_said(&w, text);
        put_str(&w, text[0] != '\0' ? ")" : "");
    } else if (is_es10(event)) {
        put_said(&w, text);
        put_str(&w, event == SOFTEUICC_REQUEST ? " request: " : " answer: ");
        tree_text(&w, bytes, (struct place){ .left = &left });
    } else {
        if (event == SOFTEUICC_COMMIT)
            put_str(&w, "commit: ");
        put_said(&w, text);
        put_str(&w, bytes.n > 0 ? " " : "");
        put_hex(&w, bytes);
    }
    return string_of(&w);
}

/* What is said may hold text of others; JSON is UTF-8. */
static void add_text(cJSON *to, const char *field, const char *text, size_t n)
{
    char line[LINE_MAX];

    if (n >= sizeof line)
        n = sizeof line - 1;
    memcpy(line, text, n);
    line[n] = '\0';
    if (!rd_is_utf8(rd_of(line, n)))
        for (size_t i = 0; i < n; i++)
            line[i] = (line[i] & 0x80) != 0 ? '?' : line[i];
    cJSON_AddStringToObject(to, field, line);
}

/* "NAME: what (CLAUSE)"; NAME and CLAUSE may be missing. */
static void add_sentence(cJSON *to, enum softeuicc_event event, const char *text)
{
    size_t n = strlen(text);
    const char *colon = strstr(text, ": ");
    const char *open = n > 0 && text[n - 1] == ')' ? strrchr(text, '(') : NULL;

    if ((event == SOFTEUICC_CHECK || event == SOFTEUICC_TLS) && colon != NULL)
        add_text(to, "name", text, (size_t)(colon - text));
    if ((event == SOFTEUICC_CHECK || event == SOFTEUICC_NOTE) && open != NULL &&
        strpbrk(open, "0123456789") != NULL)
        add_text(to, "clause", open + 1, (size_t)(text + n - 1 - (open + 1)));
    add_text(to, "text", text, n);
}

static void add_status(cJSON *to, const char *text, struct rd bytes)
{
    if (bytes.n >= 2)
        add_hex(to, "sw", rd_of(bytes.p + bytes.n - 2, 2));
    add_text(to, "text", text, strlen(text));
}

char *event_json(enum softeuicc_event event, const char *text, struct rd bytes)
{
    size_t left = NODES_MAX;
    cJSON *line = cJSON_CreateObject();

    cJSON_AddStringToObject(line, "event", kinds[event].name);
    if (event == SOFTEUICC_RESPONSE)
        add_status(line, text, bytes);
    else if (event == SOFTEUICC_COMMAND || event == SOFTEUICC_PROACTIVE || is_es10(event))
        add_text(line, "name", text, strlen(text));
    else
        add_sentence(line, event, text);
    if (bytes.n > 0 && !is_es10(event))
        add_hex(line, "bytes", bytes);
    if (is_es10(event) || event == SOFTEUICC_PROACTIVE)
        tree_json(cJSON_AddArrayToObject(line, "decoded"), bytes, (struct place){ .left = &left });
    char *printed = cJSON_PrintUnformatted(line);
    cJSON_Delete(line);
    return printed;
}
