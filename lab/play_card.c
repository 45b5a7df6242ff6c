/* play_card.c - the cards that scripts ask for: "new" with the options of softeuicc new, and which
 * cases apply to a card. */
#include <stdlib.h>
#include <string.h>

#include "lab/play.h"
#include "lib/softeuicc.h"
#include "os/err.h"

enum {
    MAX_SETTINGS = 64,
    MAX_FILES = 32,
    PATH_LEN = 4096,
    NAME_LEN = 64,
};

/* --- applicability --------------------------------------------------------------------------- */

/* What a card of softeuicc can as it is made without options. */
static const char *const known_options[] = {
    "O_E_NIST",          "O_E_BRP",      "O_E_IOT",   "O_E_REUSE_OTPK", "O_E_CRL",
    "O_E_TEST_PROFILES", "O_E_FALLBACK", "O_E_ECALL", "O_E_EIM_RESET",  "O_E_IMMEDIATE_ENABLE",
    "O_VAR_O",
};

static bool has_option(const struct play_options *o, const char *name)
{
    bool has = false;

    for (size_t i = 0; i < N_ELEMS(known_options); i++)
        has = has || strcmp(known_options[i], name) == 0;
    for (size_t i = 0; i < o->n_options; i++) {
        bool without = o->options[i][0] == '!';
        if (strcmp(o->options[i] + without, name) == 0)
            has = !without;
    }
    return has;
}

const char *play_missing_option(const struct play_options *options, const struct play_words *needs)
{
    for (size_t i = 0; i < needs->n; i++) {
        bool without = needs->at[i][0] == '!';
        if (has_option(options, needs->at[i] + without) == without)
            return needs->at[i];
    }
    return NULL;
}

/* --- cards ----------------------------------------------------------------------------------- */

/* What softeuicc_open_memory() borrows. */
struct order {
    struct softeuicc_new how;
    struct softeuicc_setting settings[MAX_SETTINGS];
    char keys[MAX_SETTINGS][NAME_LEN];
    struct softeuicc_bytes profiles[MAX_FILES], eims[MAX_FILES];
    const char *words[MAX_FILES];
    struct wr files[2 * MAX_FILES];
    size_t n_files;
};

static int take_setting(struct order *o, const char *text, struct lab_error *e)
{
    const char *equals = strchr(text, '=');
    size_t i = o->how.n_settings;

    if (equals == NULL || i == MAX_SETTINGS || (size_t)(equals - text) >= NAME_LEN)
        return lab_fail(e, "new: --set KEY=VALUE, not %.100s", text);
    memcpy(o->keys[i], text, (size_t)(equals - text));
    o->settings[i] = (struct softeuicc_setting){ o->keys[i], equals + 1 };
    o->how.n_settings++;
    return 0;
}

static int read_file(struct order *o, const char *path, struct softeuicc_bytes *ret,
                     struct lab_error *e)
{
    struct wr *file = &o->files[o->n_files++];

    wr_init_heap(file, LAB_FILE_MAX);
    TRY(file_read(path, file, e));
    *ret = (struct softeuicc_bytes){ file->p, file->n };
    return 0;
}

/* The package with another ICCID, in its header and in EF.ICCID. */
static void replace(struct wr *package, const uint8_t *old, const uint8_t *new)
{
    for (size_t i = 0; i + ICCID_LEN <= package->n; i++)
        if (memcmp(package->p + i, old, ICCID_LEN) == 0)
            memcpy(package->p + i, new, ICCID_LEN);
}

static void swap(const uint8_t in[ICCID_LEN], uint8_t ret[ICCID_LEN])
{
    for (size_t i = 0; i < ICCID_LEN; i++)
        ret[i] = (uint8_t)(in[i] << 4 | in[i] >> 4);
}

/* Twenty digits as in the package's header. */
static int change_iccid(struct wr *package, const char *digits, struct lab_error *e)
{
    uint8_t old[ICCID_LEN], new[ICCID_LEN], old_swapped[ICCID_LEN], new_swapped[ICCID_LEN];
    struct wr octets;

    wr_init(&octets, new, sizeof new);
    if (!hex_read(digits, &octets) || octets.n != ICCID_LEN)
        return lab_fail(e, "new: {NAME:ICCID} has 20 digits, not %.40s", digits);
    for (size_t i = 0; i + 12 < package->n && i < 64; i++) {
        if (package->p[i] != 0x83 || package->p[i + 1] != ICCID_LEN || package->p[i + 2] != 0x89)
            continue;
        memcpy(old, package->p + i + 2, ICCID_LEN);
        swap(old, old_swapped);
        swap(new, new_swapped);
        replace(package, old, new);
        replace(package, old_swapped, new_swapped);
        return 0;
    }
    return lab_fail(e, "new: no ICCID in the package's header");
}

static int take_profile(struct player *p, struct order *o, const char *text, struct lab_error *e)
{
    char path[PATH_LEN], name[PATH_LEN];
    const char *end = text[0] == '{' ? strchr(text, '}') : NULL;
    const char *comma = strchr(end != NULL ? end : text, ',');
    size_t n = comma != NULL ? (size_t)(comma - text) : strlen(text), i = o->how.n_profiles;
    char *iccid = NULL;

    if (i == MAX_FILES || n >= sizeof name)
        return lab_fail(e, "new: more than %d profiles", MAX_FILES);
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    if (end != NULL) {
        if (p->options->profiles == NULL)
            return lab_fail(e, "new: %s wants --profiles FOLDER", name);
        name[n - 1] = '\0';
        iccid = strchr(name, ':');
        if (iccid != NULL)
            *iccid++ = '\0';
        snprintf(path, sizeof path, "%.2000s/%.1000s.der", p->options->profiles, name + 1);
    } else {
        snprintf(path, sizeof path, "%s", name);
    }
    TRY(read_file(o, path, &o->profiles[i], e));
    if (iccid != NULL)
        TRY(change_iccid(&o->files[o->n_files - 1], iccid, e));
    o->words[i] = comma != NULL ? comma + 1 : NULL;
    o->how.n_profiles++;
    return 0;
}

static int take_option(struct player *p, struct order *o, const char *option, const char *value,
                       struct lab_error *e)
{
    if (strcmp(option, "--set") == 0)
        return take_setting(o, value, e);
    if (strcmp(option, "--profile") == 0)
        return take_profile(p, o, value, e);
    if (strcmp(option, "--eim") == 0) {
        if (o->how.n_eims == MAX_FILES)
            return lab_fail(e, "new: more than %d eIMs", MAX_FILES);
        return read_file(o, value, &o->eims[o->how.n_eims++], e);
    }
    if (strcmp(option, "--eid") == 0)
        o->how.eid = value;
    else if (strcmp(option, "--preset") == 0)
        o->how.preset = value;
    else if (strcmp(option, "--pki") == 0)
        o->how.pki_dir = value;
    else
        return lab_fail(e, "new: no option %.100s", option);
    return 0;
}

/* *e with the place of a word before it. */
static int fail_at(const struct play_script *script, const char *word, struct lab_error *e)
{
    struct lab_error why = *e;
    char where[PLAY_PLACE_LEN];

    return lab_fail(e, "%s: %.300s", play_script_place(script, word, where), why.text);
}

static int take_options(struct player *p, struct order *o, const struct play_script *script,
                        const struct play_words *words, struct lab_error *e)
{
    for (size_t i = 0; i < words->n; i += 2) {
        int r = i + 1 < words->n ? take_option(p, o, words->at[i], words->at[i + 1], e)
                                 : lab_fail(e, "new: %.100s wants a value", words->at[i]);
        if (r != 0)
            return fail_at(script, words->at[i], e);
    }
    return 0;
}

/* A card as it was ordered; what is wrong with the order stands in the last "new". */
static int open_card(struct player *p, const struct order *o, const struct play_script *script,
                     const struct play_case *c, struct lab_error *e)
{
    const struct play_words *words = c->options.n > 0 ? &c->options : &script->common.options;
    int r = p->slot == NULL
                ? card_open_memory(&o->how, p->card_crypto, &p->card, e)
                : card_open_slot(p->slot, p->options->reader, &o->how, p->card_crypto, &p->card, e);

    return r != 0 && words->n > 0 ? fail_at(script, words->at[0], e) : r;
}

int play_make_card(struct player *p, const struct play_script *script, const struct play_case *c,
                   struct lab_error *e)
{
    struct order *o = calloc(1, sizeof *o);

    if (o == NULL)
        return lab_fail(e, "out of memory");
    o->how = (struct softeuicc_new){ .pki_dir = p->options->pki,
                                     .settings = o->settings,
                                     .profiles = o->profiles,
                                     .profile_words = o->words,
                                     .eims = o->eims };
    int r = take_options(p, o, script, &script->common.options, e);
    if (r == 0)
        r = take_options(p, o, script, &c->options, e);
    if (r == 0)
        r = open_card(p, o, script, c, e);
    for (size_t i = 0; i < o->n_files; i++)
        wr_done(&o->files[i]);
    free(o);
    return r;
}
