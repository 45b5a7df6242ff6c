/* show_files.c - what is in a profile: files with their access rules in words, PINs, network access
 * applications.  Values of PINs and keys are not shown. */
#include "lib/show_files.h"

#include <string.h>

#include "os/access.h"
#include "os/crypto.h"
#include "os/err.h"
#include "os/fs.h"
#include "os/pin.h"
#include "os/tlv.h"

enum {
    RULES_MAX = 512,
    MAX_NESTING = 4,
    PATH_MAX_LEN = 64,
};

/* One profile while it is shown. */
struct shown {
    struct euicc *e;
    struct fs fs;
};

/* --- words ------------------------------------------------------------------------------------ */

static const char *const kinds[] = {
    "MF", "DF", "ADF", "transparent", "linear", "cyclic", "BER-TLV"
};

static const char *life_cycle_word(uint8_t life_cycle)
{
    switch (life_cycle) {
    case FS_LCS_CREATION:
        return "creation";
    case FS_LCS_INITIALISATION:
        return "initialisation";
    case FS_LCS_ACTIVATED:
        return "activated";
    case FS_LCS_DEACTIVATED:
        return "deactivated";
    case FS_LCS_TERMINATED:
        return "terminated";
    default:
        return "?";
    }
}

static void put_text(struct wr *w, const char *text)
{
    wr_put_rd(w, rd_str(text));
}

/* 0A to 0E are ADM1 to ADM5, 8A to 8E ADM6 to ADM10. */
static void put_reference(struct wr *w, uint8_t reference)
{
    char text[8];
    unsigned low = reference & 0x7F;

    if (low >= 0x0A && low <= 0x0E)
        snprintf(text, sizeof text, "ADM%u", low - 9 + (reference & 0x80 ? 5u : 0u));
    else
        snprintf(text, sizeof text, "PIN%02X", reference);
    put_text(w, text);
}

/* --- access rules in words -------------------------------------------------------------------- */

static const struct {
    uint8_t bit;
    const char *of_ef, *of_df;
} access_modes[] = {
    { 0x01, "read", "delete child" },  { 0x02, "update", "create EF" },
    { 0x04, NULL, "create DF" },       { 0x08, "deactivate", "deactivate" },
    { 0x10, "activate", "activate" },  { 0x20, "terminate", "terminate" },
    { 0x40, "delete", "delete self" },
};

static void put_instruction(struct wr *w, uint8_t ins)
{
    static const struct {
        uint8_t ins;
        const char *name;
    } instructions[] = { { 0x32, "increase" }, { 0xD4, "resize" } };
    char text[16];

    snprintf(text, sizeof text, "INS %02X", ins);
    for (size_t i = 0; i < N_ELEMS(instructions); i++)
        if (instructions[i].ins == ins)
            snprintf(text, sizeof text, "%s", instructions[i].name);
    put_text(w, text);
}

static void put_bits(struct wr *w, uint8_t bits, bool is_df)
{
    const char *comma = "";

    for (size_t i = 0; i < N_ELEMS(access_modes); i++) {
        const char *name = is_df ? access_modes[i].of_df : access_modes[i].of_ef;
        if (name == NULL || (bits & access_modes[i].bit) == 0)
            continue;
        put_text(w, comma);
        put_text(w, name);
        comma = ", ";
    }
}

static void put_mode(struct wr *w, const struct access_rule *rule, bool is_df)
{
    uint8_t bits = access_rule_bits(rule), ins = 0;
    size_t n = 0;

    put_bits(w, bits, is_df);
    for (; access_rule_ins(rule, n, &ins); n++) {
        put_text(w, n > 0 ? ", " : "");
        put_instruction(w, ins);
    }
    if (bits == 0 && n == 0)
        put_text(w, "?");
}

static void put_conditions(struct wr *w, struct rd list, const char *between, unsigned nesting);

static void put_condition(struct wr *w, const struct access_condition *c, unsigned nesting)
{
    static const char *const between[] = {
        [ACCESS_ANY_OF] = " or ", [ACCESS_ALL_OF] = " and ", [ACCESS_NONE_OF] = " nor "
    };

    switch (c->sort) {
    case ACCESS_ALWAYS:
        put_text(w, "always");
        break;
    case ACCESS_NEVER:
        put_text(w, "never");
        break;
    case ACCESS_PIN:
        put_reference(w, c->reference);
        break;
    case ACCESS_ANY_OF:
    case ACCESS_ALL_OF:
    case ACCESS_NONE_OF:
        put_text(w, "(");
        if (nesting < MAX_NESTING)
            put_conditions(w, c->list, between[c->sort], nesting + 1);
        else
            put_text(w, "...");
        put_text(w, ")");
        break;
    case ACCESS_BEYOND_TERMINAL:
    case ACCESS_UNKNOWN:
        put_text(w, "?");
        break;
    }
}

/* " nor " stands before the first one, too. */
static void put_conditions(struct wr *w, struct rd list, const char *between, unsigned nesting)
{
    bool nor = strcmp(between, " nor ") == 0;
    struct access_condition c;

    for (size_t i = 0; access_next_condition(&list, &c); i++) {
        if (i > 0 || nor)
            put_text(w, between);
        put_condition(w, &c, nesting);
    }
}

/* A record of EF.ARR. */
static void put_rules(struct wr *w, struct rd record, bool is_df)
{
    const char *semicolon = "";
    struct access_rule rule;

    while (access_next_rule(&record, &rule)) {
        put_text(w, semicolon);
        put_mode(w, &rule, is_df);
        put_text(w, " ");
        put_conditions(w, rule.conditions, " or ", 0);
        semicolon = "; ";
    }
}

/* --- the tree --------------------------------------------------------------------------------- */

/* A record of EF.ARR that a file refers to: which, and its rules in words. */
static int add_rules(cJSON *to, const struct shown *s, uint16_t node, uint8_t which,
                     const char *arr, const char *rules)
{
    const struct fs_node *n = &s->fs.nodes[node];
    uint8_t record[FS_MAX_RECORD];
    char text[RULES_MAX + 1];
    struct wr in, out;
    bool found;

    if (which == 0)
        return 0;
    snprintf(text, sizeof text, "%04X/%02X", n->arr_fid, which);
    cJSON_AddStringToObject(to, arr, text);
    wr_init(&in, record, sizeof record);
    wr_init(&out, text, RULES_MAX);
    TRY(access_read_rules(&s->fs, s->e->nvm, node, which, &in, &found));
    if (!found)
        return 0;
    put_rules(&out, wr_view(&in), fs_is_df(n));
    text[out.n] = '\0';
    cJSON_AddStringToObject(to, rules, text);
    return 0;
}

/* "7FD0/6F3B"; the MF is "3F00". */
static void path_of(const struct fs *fs, uint16_t node, char ret[PATH_MAX_LEN])
{
    uint16_t way[FS_MAX_DEPTH];
    size_t n = 0, at = 0;

    do
        way[n++] = node;
    while ((node = fs->nodes[node].parent) != FS_NONE && node != FS_MF);
    while (n-- > 0)
        at += (size_t)snprintf(ret + at, PATH_MAX_LEN - at, "%s%04X", at > 0 ? "/" : "",
                               fs->nodes[way[n]].fid);
}

static void add_hex(cJSON *to, const char *name, const uint8_t *p, size_t n)
{
    char text[2 * 32 + 1] = "";

    for (size_t i = 0; i < n && i < 32; i++)
        snprintf(text + 2 * i, 3, "%02X", p[i]);
    cJSON_AddStringToObject(to, name, text);
}

static void add_ef(cJSON *to, const struct shown *s, uint16_t node)
{
    const struct fs_node *n = &s->fs.nodes[node];
    char path[PATH_MAX_LEN];

    cJSON_AddNumberToObject(to, "size", n->size);
    if (fs_records(n) > 0) {
        cJSON_AddNumberToObject(to, "records", fs_records(n));
        cJSON_AddNumberToObject(to, "record_length", n->record_len);
    }
    if (n->sfi != 0)
        cJSON_AddNumberToObject(to, "sfi", n->sfi);
    if (n->body != node && !s->fs.nodes[n->body].deleted) {
        path_of(&s->fs, n->body, path);
        cJSON_AddStringToObject(to, "link_to", path);
    }
}

static cJSON *node_object(const struct shown *s, uint16_t node, int *err)
{
    const struct fs_node *n = &s->fs.nodes[node];
    cJSON *one = cJSON_CreateObject();
    char fid[5];

    snprintf(fid, sizeof fid, "%04X", n->fid);
    cJSON_AddStringToObject(one, "fid", fid);
    cJSON_AddStringToObject(one, "kind", kinds[n->kind]);
    if (n->kind == FS_KIND_ADF)
        add_hex(one, "aid", n->aid, n->aid_len);
    if (!fs_is_df(n))
        add_ef(one, s, node);
    cJSON_AddStringToObject(one, "life_cycle", life_cycle_word(n->life_cycle));
    if (*err == 0)
        *err = add_rules(one, s, node, n->arr_record, "arr", "rules");
    if (*err == 0)
        *err = add_rules(one, s, node, n->arr_record_se00, "arr_se00", "rules_se00");
    if (fs_is_df(n))
        cJSON_AddArrayToObject(one, "files");
    return one;
}

/* A parent has the lower number, so that its object is there when the child's is made. */
static int add_tree(cJSON *to, const struct shown *s)
{
    cJSON *lists[FS_MAX_NODES] = { NULL };
    int err = 0;

    for (size_t k = 0; k < s->fs.n && err == 0; k++) {
        const struct fs_node *n = &s->fs.nodes[k];
        if (n->deleted)
            continue;
        cJSON *one = node_object(s, (uint16_t)k, &err);
        lists[k] = cJSON_GetObjectItem(one, "files");
        if (k == FS_MF)
            cJSON_AddItemToObject(to, "files", one);
        else
            cJSON_AddItemToArray(lists[n->parent], one);
    }
    return err;
}

/* --- PINs and applications -------------------------------------------------------------------- */

/* Under which key a profile's objects of one kind begin. */
static void prefix_of(const struct shown *s, const char *what, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "%.40s%s", s->fs.prefix, what);
}

static int add_pin(cJSON *list, const struct shown *s, uint16_t context, uint8_t reference)
{
    char path[PATH_MAX_LEN], name[8];
    struct pin pin;
    struct wr w;
    uint64_t left;
    bool found;

    TRY(pin_load(s->e->nvm, s->fs.prefix, context, reference, &pin, &found));
    if (!found || context >= s->fs.n)
        return 0;
    bool enabled = (pin.attributes & PIN_ENABLED) && !pin.replaced;
    uint8_t max = pin.max, puk = pin.puk;
    int err = pin_left(s->e->nvm, s->fs.prefix, &pin, &left);
    crypto_wipe(&pin, sizeof pin);
    TRY(err);
    cJSON *one = cJSON_CreateObject();
    wr_init(&w, name, sizeof name - 1);
    put_reference(&w, reference);
    name[w.n] = '\0';
    cJSON_AddStringToObject(one, "pin", name);
    path_of(&s->fs, context, path);
    cJSON_AddStringToObject(one, "of", path);
    cJSON_AddBoolToObject(one, "enabled", enabled);
    cJSON_AddNumberToObject(one, "tries_left", (double)left);
    cJSON_AddNumberToObject(one, "tries", max);
    if (puk != 0)
        cJSON_AddNumberToObject(one, "puk", puk);
    cJSON_AddItemToArray(list, one);
    return 0;
}

static int add_pins(cJSON *to, const struct shown *s)
{
    cJSON *list = cJSON_AddArrayToObject(to, "pins");
    char prefix[NVM_KEY_MAX], key[NVM_KEY_MAX] = "", more;
    unsigned context, reference;
    bool found;

    for (prefix_of(s, "pin/", prefix);;) {
        TRY(nvm_next(s->e->nvm, prefix, key, &found));
        if (!found)
            return 0;
        if (sscanf(key + strlen(prefix), "%4x-%2x%c", &context, &reference, &more) == 2)
            TRY(add_pin(list, s, (uint16_t)context, (uint8_t)reference));
    }
}

static int add_puks(cJSON *to, const struct shown *s)
{
    cJSON *list = cJSON_AddArrayToObject(to, "puks");
    char prefix[NVM_KEY_MAX], key[NVM_KEY_MAX] = "", more;
    unsigned reference;
    uint64_t left;
    bool found;

    for (prefix_of(s, "puk/", prefix);;) {
        TRY(nvm_next(s->e->nvm, prefix, key, &found));
        if (!found)
            return 0;
        if (sscanf(key + strlen(prefix), "%2x%c", &reference, &more) != 1)
            continue;
        TRY(puk_left(s->e->nvm, s->fs.prefix, (uint8_t)reference, &left, &found));
        cJSON *one = cJSON_CreateObject();
        cJSON_AddNumberToObject(one, "puk", reference);
        cJSON_AddNumberToObject(one, "tries_left", (double)left);
        cJSON_AddItemToArray(list, one);
    }
}

/* What a PE-AKAParameter says of its algorithm. */
static const char *algorithm_of(struct rd element)
{
    static const char *const names[] = { "?", "Milenage", "TUAK", "test algorithm" };
    enum { TAG_CONFIGURATION = 0xA1, TAG_MAPPING = 0xA0, TAG_PARAMETER = 0xA1, TAG_ID = 0x80 };
    struct tlv whole, configuration, parameter, id;
    uint64_t number;

    if (tlv_get(&element, &whole) != 0 || !tlv_find(whole.value, TAG_CONFIGURATION, &configuration))
        return "?";
    if (tlv_find(configuration.value, TAG_MAPPING, &parameter))
        return "shared with another NAA";
    if (!tlv_find(configuration.value, TAG_PARAMETER, &parameter) ||
        !tlv_find(parameter.value, TAG_ID, &id) || tlv_uint(id.value, &number) != 0 ||
        number >= N_ELEMS(names))
        return "?";
    return names[number];
}

static int add_naas(cJSON *to, const struct shown *s)
{
    cJSON *list = cJSON_AddArrayToObject(to, "naas");
    char what[16], key[NVM_KEY_MAX];
    struct wr element;
    bool found;

    for (size_t k = 0; k < s->fs.n; k++) {
        const struct fs_node *n = &s->fs.nodes[k];
        if (n->kind != FS_KIND_ADF || n->deleted)
            continue;
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(list, one);
        add_hex(one, "aid", n->aid, n->aid_len);
        snprintf(what, sizeof what, "aka/%04x", (unsigned)k);
        prefix_of(s, what, key);
        wr_init_secret(&element, NVM_VALUE_MAX);
        int err = nvm_get(s->e->nvm, key, &element, &found);
        if (err == 0 && found)
            cJSON_AddStringToObject(one, "algorithm", algorithm_of(wr_view(&element)));
        wr_done(&element);
        TRY(err);
    }
    return 0;
}

int show_files_add(cJSON *profile, struct euicc *e, uint16_t index)
{
    struct shown s = { .e = e };

    fs_init(&s.fs, index);
    int err = fs_load(&s.fs, e->nvm);
    if (err == 0)
        err = add_naas(profile, &s);
    if (err == 0)
        err = add_pins(profile, &s);
    if (err == 0)
        err = add_puks(profile, &s);
    if (err == 0)
        err = add_tree(profile, &s);
    fs_done(&s.fs);
    return err;
}

/* --- the text --------------------------------------------------------------------------------- */

static const char *string_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

static int number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);

    return cJSON_IsNumber(item) ? item->valueint : 0;
}

static void print_size(const cJSON *file, char *ret, size_t size)
{
    int records = number_of(file, "records");

    if (records > 0)
        snprintf(ret, size, "%dx%d", records, number_of(file, "record_length"));
    else if (cJSON_GetObjectItem(file, "size") != NULL)
        snprintf(ret, size, "%d", number_of(file, "size"));
    else
        *ret = '\0';
}

static void print_file(FILE *out, const cJSON *file, int level)
{
    const cJSON *child;
    char size[32], sfi[8] = "";

    print_size(file, size, sizeof size);
    if (number_of(file, "sfi") != 0)
        snprintf(sfi, sizeof sfi, "SFI %02X", (unsigned)number_of(file, "sfi"));
    fprintf(out, "    %*s%s%*s %-11s %7s %-6s", 2 * level, "", string_of(file, "fid"),
            level < 5 ? 2 * (5 - level) : 0, "", string_of(file, "kind"), size, sfi);
    if (strcmp(string_of(file, "life_cycle"), "activated") != 0)
        fprintf(out, " %s", string_of(file, "life_cycle"));
    if (string_of(file, "arr")[0] != '\0')
        fprintf(out, " %s: %s", string_of(file, "arr"), string_of(file, "rules"));
    if (string_of(file, "arr_se00")[0] != '\0')
        fprintf(out, " SE00 %s: %s", string_of(file, "arr_se00"), string_of(file, "rules_se00"));
    if (string_of(file, "link_to")[0] != '\0')
        fprintf(out, " -> %s", string_of(file, "link_to"));
    fputc('\n', out);
    cJSON_ArrayForEach(child, cJSON_GetObjectItem(file, "files")) print_file(out, child, level + 1);
}

void show_files_print(FILE *out, const cJSON *profile)
{
    const cJSON *one, *mf = cJSON_GetObjectItem(profile, "files");

    cJSON_ArrayForEach(one, cJSON_GetObjectItem(profile, "naas"))
        fprintf(out, "    NAA %s %s\n", string_of(one, "aid"), string_of(one, "algorithm"));
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(profile, "pins"))
    {
        fprintf(out, "    %s of %s %s, %d of %d tries left", string_of(one, "pin"),
                string_of(one, "of"),
                cJSON_IsTrue(cJSON_GetObjectItem(one, "enabled")) ? "enabled" : "disabled",
                number_of(one, "tries_left"), number_of(one, "tries"));
        if (number_of(one, "puk") != 0)
            fprintf(out, ", PUK%02X", (unsigned)number_of(one, "puk"));
        fputc('\n', out);
    }
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(profile, "puks"))
        fprintf(out, "    PUK%02X %d tries left\n", (unsigned)number_of(one, "puk"),
                number_of(one, "tries_left"));
    if (mf != NULL)
        print_file(out, mf, 0);
}
