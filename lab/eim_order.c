/* eim_order.c - words of the command line to operations (SGP.32 2.11.1.1.2, 2.11.1.1.3). */
#include <stdio.h>
#include <string.h>

#include "lab/eim_package.h"
#include "os/err.h"
#include "os/tlv.h"
#include "os/x509.h"

enum {
    TAG_SEQUENCE = 0x30,
    TAG_NULL = 0x05,
    TAG_ICCID = 0x5A,
    TAG_AID = 0x4F,
    TAG_TAG_LIST = 0x5C,
    TAG_PROFILE_CLASS = 0x95,
    TAG_PROFILE_INFO = 0xBF2D,
    TAG_ADD_INITIAL_EIM = 0xBF57,
    TAG_DEFAULT_DP = 0xBF65,
    OCTETS_MAX = 4096,
    WORD_MAX = 64,
    ACTIVATION_CODE_MAX = 255,
};

/* The words that are left. */
struct words {
    size_t n;
    char *const *at;
};

static const char *peek(const struct words *w)
{
    return w->n > 0 && strcmp(w->at[0], "+") != 0 ? w->at[0] : NULL;
}

static const char *next(struct words *w)
{
    const char *word = peek(w);

    if (word != NULL) {
        w->n--;
        w->at++;
    }
    return word;
}

static bool next_is(struct words *w, const char *word)
{
    const char *at = peek(w);

    if (at == NULL || strcmp(at, word) != 0)
        return false;
    next(w);
    return true;
}

static int need(struct words *w, const char *what, const char **ret, struct lab_error *e)
{
    *ret = next(w);
    return *ret != NULL ? 0 : lab_fail(e, "%s is missing", what);
}

static int put_iccid(struct words *w, struct wr *ret, struct lab_error *e)
{
    uint8_t iccid[ICCID_LEN];
    const char *digits;

    TRY(need(w, "an ICCID", &digits, e));
    if (!iccid_read(digits, iccid))
        return lab_fail(e, "not an ICCID: %s", digits);
    tlv_put(ret, TAG_ICCID, rd_of(iccid, sizeof iccid));
    return 0;
}

static int put_hex(struct words *w, uint32_t tag, const char *what, struct wr *ret,
                   struct lab_error *e)
{
    uint8_t room[OCTETS_MAX];
    struct wr octets;
    const char *digits;

    wr_init(&octets, room, sizeof room);
    TRY(need(w, what, &digits, e));
    if (!hex_read(digits, &octets))
        return lab_fail(e, "%s in hex: %s", what, digits);
    if (tag != 0)
        tlv_put(ret, tag, wr_view(&octets));
    else
        wr_put_rd(ret, wr_view(&octets));
    return 0;
}

static int put_text(struct words *w, uint32_t tag, const char *what, struct wr *ret,
                    struct lab_error *e)
{
    const char *text;

    TRY(need(w, what, &text, e));
    tlv_put_str(ret, tag, text);
    return 0;
}

static int put_number(struct words *w, uint32_t tag, unsigned long max, struct wr *ret,
                      struct lab_error *e)
{
    const char *text;
    unsigned long v;

    TRY(need(w, "a number", &text, e));
    if (!number_read(text, max, &v))
        return lab_fail(e, "not a number up to %lu: %s", max, text);
    tlv_put_uint(ret, tag, v);
    return 0;
}

/* --- operations ------------------------------------------------------------------------------ */

static int put_enable(struct words *w, struct wr *ret, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(ret, 0xA3);

    TRY(put_iccid(w, ret, e));
    if (next_is(w, "rollback"))
        tlv_put(ret, TAG_NULL, rd_str(""));
    tlv_close(ret, mark);
    return 0;
}

static int put_with_iccid(struct words *w, uint32_t tag, struct wr *ret, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(ret, tag);

    TRY(put_iccid(w, ret, e));
    tlv_close(ret, mark);
    return 0;
}

static int put_disable(struct words *w, struct wr *ret, struct lab_error *e)
{
    return put_with_iccid(w, 0xA4, ret, e);
}

static int put_delete(struct words *w, struct wr *ret, struct lab_error *e)
{
    return put_with_iccid(w, 0xA5, ret, e);
}

static int put_fallback(struct words *w, struct wr *ret, struct lab_error *e)
{
    return put_with_iccid(w, 0xA8, ret, e);
}

static int put_empty(struct wr *ret, uint32_t tag)
{
    tlv_put(ret, tag, rd_str(""));
    return 0;
}

static int put_no_fallback(struct words *w, struct wr *ret, struct lab_error *e)
{
    (void)w, (void)e;
    return put_empty(ret, 0xA9);
}

static int put_rat(struct words *w, struct wr *ret, struct lab_error *e)
{
    (void)w, (void)e;
    return put_empty(ret, 0xA6);
}

static int put_list_eims(struct words *w, struct wr *ret, struct lab_error *e)
{
    (void)w, (void)e;
    return put_empty(ret, 0xAB);
}

static int put_search(struct words *w, struct wr *ret, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(ret, 0xA0);

    if (next_is(w, "iccid"))
        TRY(put_iccid(w, ret, e));
    else if (next_is(w, "aid"))
        TRY(put_hex(w, TAG_AID, "an AID", ret, e));
    else if (next_is(w, "class"))
        TRY(put_number(w, TAG_PROFILE_CLASS, 255, ret, e));
    tlv_close(ret, mark);
    return 0;
}

static int put_list(struct words *w, struct wr *ret, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(ret, TAG_PROFILE_INFO);
    const char *word = peek(w);

    if (word != NULL && strcmp(word, "tags") != 0)
        TRY(put_search(w, ret, e));
    if (next_is(w, "tags"))
        TRY(put_hex(w, TAG_TAG_LIST, "tags", ret, e));
    tlv_close(ret, mark);
    return 0;
}

static int put_oid(struct words *w, struct wr *ret, struct lab_error *e)
{
    uint8_t room[OID_MAX_LEN];
    struct wr oid;
    const char *text;

    wr_init(&oid, room, sizeof room);
    TRY(need(w, "an OID", &text, e));
    if (oid_from_text(text, &oid) != 0)
        return lab_fail(e, "not an OID: %s", text);
    tlv_put(ret, 0x81, wr_view(&oid));
    return 0;
}

static int put_immediate_enable(struct words *w, struct wr *ret, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(ret, 0xA7);

    if (!next_is(w, "off"))
        put_empty(ret, 0x80);
    if (next_is(w, "oid"))
        TRY(put_oid(w, ret, e));
    if (next_is(w, "address"))
        TRY(put_text(w, 0x82, "an address", ret, e));
    tlv_close(ret, mark);
    return 0;
}

static int put_default_dp(struct words *w, struct wr *ret, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(ret, TAG_DEFAULT_DP);

    TRY(put_text(w, 0x80, "an address (\"\" for none)", ret, e));
    tlv_close(ret, mark);
    return 0;
}

/* The fields of the EimConfigurationData in a file, under another tag.  The file holds one (30) or
 * an AddInitialEimRequest around it (BF57). */
static int put_config(struct words *w, uint32_t tag, struct wr *ret, struct lab_error *e)
{
    const char *path;
    struct wr file;
    struct tlv request, entry;

    TRY(need(w, "a file with an EimConfigurationData", &path, e));
    wr_init_heap(&file, OCTETS_MAX);
    int r = file_read(path, &file, e);
    if (r == 0) {
        struct rd in = wr_view(&file);
        if (tlv_expect(&in, TAG_ADD_INITIAL_EIM, &request) == 0 &&
            tlv_expect(&request.value, 0xA0, &entry) == 0)
            in = entry.value;
        if (tlv_expect(&in, TAG_SEQUENCE, &entry) == 0)
            tlv_put(ret, tag, entry.value);
        else
            r = lab_fail(e, "%s: no EimConfigurationData", path);
    }
    wr_done(&file);
    return r;
}

static int put_add_eim(struct words *w, struct wr *ret, struct lab_error *e)
{
    return put_config(w, 0xA8, ret, e);
}

static int put_update_eim(struct words *w, struct wr *ret, struct lab_error *e)
{
    return put_config(w, 0xAA, ret, e);
}

static int put_delete_eim(struct words *w, struct wr *ret, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(ret, 0xA9);

    TRY(put_text(w, 0x80, "an eimId", ret, e));
    tlv_close(ret, mark);
    return 0;
}

static int put_raw(struct words *w, struct wr *ret, struct lab_error *e)
{
    return put_hex(w, 0, "a psmoList (A0) or an ecoList (A1)", ret, e);
}

/* --- downloads and data ---------------------------------------------------------------------- */

static int put_smds(struct words *w, struct wr *ret)
{
    const char *address = peek(w);
    struct wr_mark smds = tlv_open(ret, 0xA2);

    if (address != NULL && strcmp(address, "code") != 0 && strcmp(address, "indirect") != 0)
        tlv_put_str(ret, 0x80, next(w));
    tlv_close(ret, smds);
    return 0;
}

/* With or without "LPA:", which is not part of the code itself. */
static int put_activation_code(struct words *w, struct wr *ret, struct lab_error *e)
{
    const char *code;

    TRY(need(w, "an activation code", &code, e));
    if (strncmp(code, "LPA:", 4) == 0)
        code += 4;
    if (strncmp(code, "1$", 2) != 0 || strlen(code) > ACTIVATION_CODE_MAX)
        return lab_fail(e, "not an activation code: %s", code);
    tlv_put_str(ret, 0x80, code);
    return 0;
}

static int put_download(struct words *w, struct wr *ret, struct lab_error *e)
{
    struct wr_mark data = tlv_open(ret, 0xA0); /* a CHOICE: an explicit tag */

    if (next_is(w, "default"))
        put_empty(ret, 0x81);
    else if (next_is(w, "smds"))
        TRY(put_smds(w, ret));
    else
        TRY(put_activation_code(w, ret, e));
    tlv_close(ret, data);
    if (next_is(w, "code"))
        TRY(put_text(w, ORDER_CONFIRMATION_CODE, "a confirmation code", ret, e));
    if (next_is(w, "indirect"))
        put_empty(ret, ORDER_EIM_HANDLES);
    return 0;
}

/* "data [TAGS] [ci SKI] [notification SEQ] [result SEQ]" */
static int put_data(struct words *w, struct wr *ret, struct lab_error *e)
{
    const char *word = peek(w);

    if (word != NULL && strspn(word, "0123456789ABCDEFabcdef") == strlen(word))
        TRY(put_hex(w, TAG_TAG_LIST, "tags", ret, e));
    if (next_is(w, "ci"))
        TRY(put_hex(w, 0x04, "a key identifier", ret, e));
    for (uint32_t tag = 0xA1; tag <= 0xA2; tag++) {
        if (next_is(w, tag == 0xA1 ? "notification" : "result")) {
            struct wr_mark mark = tlv_open(ret, tag);
            TRY(put_number(w, 0x80, INT32_MAX, ret, e));
            tlv_close(ret, mark);
        }
    }
    return 0;
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct operation {
    const char *name;
    enum work_kind kind;
    uint32_t list; /* of a package; 0: the operation brings it */
    int (*put)(struct words *w, struct wr *ret, struct lab_error *e);
} operations[] = {
    { "enable", WORK_PACKAGE, EIM_PSMO_LIST, put_enable },
    { "disable", WORK_PACKAGE, EIM_PSMO_LIST, put_disable },
    { "delete", WORK_PACKAGE, EIM_PSMO_LIST, put_delete },
    { "list", WORK_PACKAGE, EIM_PSMO_LIST, put_list },
    { "rat", WORK_PACKAGE, EIM_PSMO_LIST, put_rat },
    { "immediate-enable", WORK_PACKAGE, EIM_PSMO_LIST, put_immediate_enable },
    { "fallback", WORK_PACKAGE, EIM_PSMO_LIST, put_fallback },
    { "no-fallback", WORK_PACKAGE, EIM_PSMO_LIST, put_no_fallback },
    { "default-dp", WORK_PACKAGE, EIM_PSMO_LIST, put_default_dp },
    { "add-eim", WORK_PACKAGE, EIM_ECO_LIST, put_add_eim },
    { "update-eim", WORK_PACKAGE, EIM_ECO_LIST, put_update_eim },
    { "delete-eim", WORK_PACKAGE, EIM_ECO_LIST, put_delete_eim },
    { "list-eims", WORK_PACKAGE, EIM_ECO_LIST, put_list_eims },
    { "raw", WORK_PACKAGE, 0, put_raw },
    { "download", WORK_DOWNLOAD, 0, put_download },
    { "data", WORK_DATA, 0, put_data },
};

static const struct operation *find(const char *name)
{
    for (size_t i = 0; i < N_ELEMS(operations); i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

static int take_operation(struct words *w, const struct operation **ret, struct wr *out,
                          struct lab_error *e)
{
    const char *name = next(w);
    const struct operation *op = name == NULL ? NULL : find(name);

    if (op == NULL)
        return lab_fail(e, "no operation %s", name == NULL ? "given" : name);
    TRY(op->put(w, out, e));
    if (peek(w) != NULL)
        return lab_fail(e, "%s: what is %s?", name, peek(w));
    *ret = op;
    return 0;
}

int eim_order_read(size_t n_words, char *const words[], enum work_kind *ret_kind, struct wr *ret,
                   struct lab_error *e)
{
    struct words w = { n_words, words };
    const struct operation *first = NULL, *op = NULL;
    const char *name = peek(&w);

    for (size_t i = 0; i < n_words; i++)
        if (!rd_is_utf8(rd_str(words[i])))
            return lab_fail(e, "a word is not UTF-8");
    first = name == NULL ? NULL : find(name);
    if (first == NULL)
        return lab_fail(e, "no operation %s", name == NULL ? "given" : name);
    struct wr_mark mark = { 0 };
    if (first->list != 0)
        mark = tlv_open(ret, first->list);
    for (;;) {
        TRY(take_operation(&w, &op, ret, e));
        if (op->list != first->list || op->kind != first->kind)
            return lab_fail(e, "%s and %s do not go into one package", first->name, op->name);
        if (w.n == 0)
            break;
        if (first->list == 0)
            return lab_fail(e, "%s stands alone", first->name);
        w.n--; /* the + */
        w.at++;
    }
    if (first->list != 0)
        tlv_close(ret, mark);
    *ret_kind = first->kind;
    return wr_failed(ret) == 0 ? 0 : lab_fail(e, "too long");
}
