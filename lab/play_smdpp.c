/* play_smdpp.c - the model SM-DP+: downloads, and bound profile packages of all kinds
 * (docs/SCRIPTS.md, "Downloads"). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certs/pki.h"
#include "lab/identity.h"
#include "lab/ipa_download.h"
#include "lab/metadata.h"
#include "lab/play_model.h"
#include "lab/smdpp.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    MESSAGE_MAX = 1024 * 1024,
    PATH_LEN = 4096,
    LINES_LEN = 8192,
    PLAY_MAX_SEGMENTS = 4096,
    TAG_FIRST_87 = 0xA0,
    TAG_SECOND_87 = 0xA2,
    TAG_CONFIGURE_ISDP = 0xBF24,
};

const char play_dp_address[] = "testsmdpplus1.example.com";

/* --- segments (SGP.22 2.5.5) -------------------------------------------------------------------
 */

struct segments {
    struct rd at[PLAY_MAX_SEGMENTS];
    size_t n;
};

static void add_segment(struct segments *s, const uint8_t *from, const uint8_t *to)
{
    if (s->n < PLAY_MAX_SEGMENTS && to > from)
        s->at[s->n++] = rd_of(from, (size_t)(to - from));
}

/* Tag and length of a sequence by themselves, then each of its TLVs. */
static void add_sequence(struct segments *s, const struct tlv *sequence)
{
    struct rd in = sequence->value;
    struct tlv t;

    add_segment(s, sequence->whole.p, sequence->value.p);
    while (in.n > 0 && tlv_get(&in, &t) == 0)
        add_segment(s, t.whole.p, t.whole.p + t.whole.n);
    add_segment(s, in.p, in.p + in.n);
}

/* Of a package that may be damaged: what is no TLV is a segment as it is.  NULL without memory. */
static struct segments *split(struct rd package)
{
    struct segments *s = calloc(1, sizeof *s);
    struct rd in = package;
    struct tlv t;
    uint32_t tag;
    size_t n;

    if (s == NULL)
        return NULL;
    if (tlv_header(&in, &tag, &n) == 0 && tlv_get(&in, &t) == 0)
        add_segment(s, package.p, t.whole.p + t.whole.n);
    else
        in = package;
    while (in.n > 0 && tlv_get(&in, &t) == 0) {
        if (t.tag == TAG_FIRST_87 || t.tag == TAG_SECOND_87)
            add_segment(s, t.whole.p, t.whole.p + t.whole.n);
        else
            add_sequence(s, &t);
    }
    add_segment(s, in.p, in.p + in.n);
    return s;
}

/* Inverts the last bit of the n-th segment; false when there is none. */
static bool alter_segment(struct wr *package, unsigned long n)
{
    struct segments *s = split(wr_view(package));
    bool there = s != NULL && n < s->n;

    if (there)
        package->p[(size_t)(s->at[n].p - package->p) + s->at[n].n - 1] ^= 0x01;
    free(s);
    return there;
}

/* What the words before the octets of load say. */
struct load_words {
    unsigned long from, to, altered;
    bool alters;
};

/* "alter=N" or "segments=FROM-TO" */
static int load_word(const char *word, const char *where, struct load_words *ret,
                     struct play_error *e)
{
    const char *value = play_word_value(word, "alter"), *dash;
    char from[16];

    if (value != NULL) {
        ret->alters = true;
        return number_read(value, PLAY_MAX_SEGMENTS, &ret->altered)
                   ? 0
                   : play_fail(e, where, "alter=N, a segment from 0");
    }
    value = play_word_value(word, "segments");
    dash = value == NULL ? NULL : strchr(value, '-');
    return dash != NULL && copy_rd(rd_of(value, (size_t)(dash - value)), from, sizeof from) &&
                   number_read(from, PLAY_MAX_SEGMENTS, &ret->from) &&
                   number_read(dash + 1, PLAY_MAX_SEGMENTS, &ret->to)
               ? 0
               : play_fail(e, where, "alter=N or segments=FROM-TO");
}

/* Words with = come first; *text is where the octets begin then. */
static int read_load_words(const char **text, struct load_words *ret, struct play_error *e)
{
    char word[64];

    *ret = (struct load_words){ .to = PLAY_MAX_SEGMENTS };
    while (true) {
        size_t n = strcspn(*text, " \t");
        if (n >= sizeof word || memchr(*text, '=', n) == NULL)
            return 0;
        copy_rd(rd_of(*text, n), word, sizeof word);
        TRY(load_word(word, *text, ret, e));
        *text += n + strspn(*text + n, " \t");
    }
}

static int load(struct player *p, const struct load_words *words, struct wr *package,
                const char *where, struct play_error *e)
{
    if (words->alters && !alter_segment(package, words->altered))
        return play_fail(e, where, "there is no segment %lu", words->altered);
    struct segments *s = split(wr_view(package));
    int r = s == NULL ? play_fail(e, where, "out of memory") : 0;

    for (size_t i = words->from; r == 0 && i < s->n && i <= words->to; i++) {
        r = play_es10_ok(p, s->at[i], e);
        if (p->last.n > 0)
            break;
    }
    free(s);
    return r;
}

int play_run_load(struct player *p, const struct play_step *s, struct play_error *e)
{
    static const struct play_octets_style rich = { .plain = false };
    const char *text = s->arguments[0];
    struct load_words words;
    struct wr package;

    TRY(read_load_words(&text, &words, e));
    wr_init_heap(&package, PLAY_VALUE_MAX);
    int r = play_octets_read(text, rich, &p->names, &package, NULL, e);
    wr_clear(&p->last);
    if (r == 0)
        r = load(p, &words, &package, text, e);
    wr_done(&package);
    return r == 0 && s->wanted != NULL ? play_compare_last(p, s, e)
                                       : play_mute_is_wanted(p, s, r, e);
}

/* --- packages ----------------------------------------------------------------------------------
 */

static int read_profile(struct player *p, const char *name, const char *suffix, const char *where,
                        struct wr *ret, struct play_error *e)
{
    char path[PATH_LEN];

    if (p->options->profiles == NULL)
        return play_fail(e, where, "%.100s wants --profiles FOLDER", name);
    if (snprintf(path, sizeof path, "%s/%s%s", p->options->profiles, name, suffix) >= PATH_LEN)
        return play_fail(e, where, "too long a name");
    e->at = where;
    return file_read(path, ret, &e->e);
}

/* profile NAME */
int play_compute_profile(struct player *p, const struct play_arguments *w, struct wr *ret,
                         struct play_error *e)
{
    if (w->n != 2)
        return play_fail(e, w->where[w->n], "profile NAME");
    return read_profile(p, w->at[1], ".der", w->where[1], ret, e);
}

/* NAME.metadata beside it, if there is one, and lines "KEY=VALUE" of the script. */
static int apply_lines(struct player *p, const char *name, const char *lines, const char *where,
                       struct metadata *m, struct play_error *e)
{
    char path[PATH_LEN];
    struct wr text;

    snprintf(path, sizeof path, "%.2000s/%.1000s.metadata", p->options->profiles, name);
    wr_init_heap(&text, LAB_FILE_MAX);
    int r = access(path, R_OK) == 0 ? read_profile(p, name, ".metadata", where, &text, e) : 0;
    wr_put_u8(&text, '\n');
    wr_put_rd(&text, rd_str(lines));
    wr_put_u8(&text, '\0');
    e->at = where;
    if (r == 0)
        r = wr_failed(&text) != 0
                ? play_fail(e, where, "too much")
                : metadata_apply((const char *)text.p, p->options->profiles, m, &e->e);
    wr_done(&text);
    return r;
}

static int put_metadata(struct player *p, const char *name, const char *lines, const char *where,
                        struct wr *ret, struct play_error *e)
{
    struct metadata m;
    struct wr upp;

    wr_init_heap(&upp, LAB_FILE_MAX);
    int r = read_profile(p, name, ".der", where, &upp, e);
    if (r == 0)
        r = metadata_from_upp(wr_view(&upp), play_dp_address, &m, &e->e);
    if (r == 0)
        r = apply_lines(p, name, lines, where, &m, e);
    if (r == 0)
        metadata_write(&m, ret);
    wr_done(&upp);
    return r;
}

/* metadata NAME [KEY=VALUE...] */
int play_compute_metadata(struct player *p, const struct play_arguments *w, struct wr *ret,
                          struct play_error *e)
{
    char lines[LINES_LEN] = "";
    size_t n = 0;

    if (w->n < 2)
        return play_fail(e, w->where[w->n], "metadata NAME [KEY=VALUE...]");
    for (size_t i = 2; i < w->n; i++) {
        size_t length = strlen(w->at[i]);
        if (n + length + 2 > sizeof lines)
            return play_fail(e, w->where[i], "too long");
        for (size_t j = 0; j < length; j++)
            lines[n++] =
                (char)(w->at[i][j] == '_' && memchr(w->at[i], '=', j) != NULL ? ' ' : w->at[i][j]);
        lines[n++] = '\n';
        lines[n] = '\0';
    }
    return put_metadata(p, w->at[1], lines, w->where[1], ret, e);
}

/* What a package is bound with. */
struct binding_words {
    enum curve curve;
    const char *key_file;
    bool ppk;
    uint8_t transaction_octets[TRANSACTION_ID_MAX], otpk_octets[EC_POINT_LEN];
    uint8_t host_octets[BPP_MAX_HOST_ID];
    struct wr transaction, otpk, host, metadata, upp, configure, replace_keys;
};

static void init_binding(struct binding_words *b)
{
    *b = (struct binding_words){ .curve = CURVE_P256 };
    wr_init(&b->transaction, b->transaction_octets, sizeof b->transaction_octets);
    wr_init(&b->otpk, b->otpk_octets, sizeof b->otpk_octets);
    wr_init(&b->host, b->host_octets, sizeof b->host_octets);
    wr_init_heap(&b->metadata, MESSAGE_MAX);
    wr_init_heap(&b->upp, LAB_FILE_MAX);
    wr_init_heap(&b->configure, MESSAGE_MAX);
    wr_init_heap(&b->replace_keys, MESSAGE_MAX);
}

static void free_binding(struct binding_words *b)
{
    wr_done(&b->metadata);
    wr_done(&b->upp);
    wr_done(&b->configure);
    wr_done(&b->replace_keys);
}

static int binding_word(const char *word, const char *where, struct binding_words *b,
                        struct play_error *e)
{
    const struct {
        const char *name;
        struct wr *value;
    } fields[] = {
        { "transaction", &b->transaction },   { "otpk", &b->otpk }, { "host", &b->host },
        { "metadata", &b->metadata },         { "upp", &b->upp },   { "configure", &b->configure },
        { "replace-keys", &b->replace_keys },
    };
    const char *value;

    for (size_t i = 0; i < N_ELEMS(fields); i++)
        if ((value = play_word_value(word, fields[i].name)) != NULL)
            return hex_read(value, fields[i].value)
                       ? 0
                       : play_fail(e, where, "%s: octets in hex, not too many", fields[i].name);
    if (strcmp(word, "ppk") == 0)
        b->ppk = true;
    else if ((value = play_word_value(word, "key")) != NULL)
        b->key_file = value;
    else if ((value = play_word_value(word, "curve")) != NULL)
        return play_read_curve(value, where, &b->curve, e);
    else
        return play_fail(e, where, "not understood of a package: %.60s", word);
    return 0;
}

/* What the words leave out. */
static int complete_binding(struct player *p, const char *name, const char *where,
                            struct binding_words *b, struct play_error *e)
{
    static const uint8_t oid[] = { 0x88, 0x37, 0x0A }; /* 2.999.10 */
    static const uint8_t host[] = { 's', 'c', 'r', 'i', 'p', 't' };

    if (b->otpk.n != EC_POINT_LEN || b->transaction.n == 0)
        return play_fail(e, where, "bind NAME transaction={id} otpk={otpk}");
    if (b->key_file == NULL)
        b->key_file = b->curve == CURVE_P256 ? "DPpb/SK_S_SM_DPpb_ECDSA_NIST.pem"
                                             : "DPpb/SK_S_SM_DPpb_ECDSA_BRP.pem";
    if (b->host.n == 0)
        wr_put(&b->host, host, sizeof host);
    if (b->configure.n == 0) {
        struct wr_mark outer = tlv_open(&b->configure, TAG_CONFIGURE_ISDP);
        struct wr_mark data = tlv_open(&b->configure, 0xB8);
        tlv_put(&b->configure, 0x80, rd_of(oid, sizeof oid));
        tlv_close(&b->configure, data);
        tlv_close(&b->configure, outer);
    }
    if (b->upp.n == 0)
        TRY(read_profile(p, name, ".der", where, &b->upp, e));
    return b->metadata.n > 0 ? 0 : put_metadata(p, name, "", where, &b->metadata, e);
}

static int bind(struct player *p, const struct binding_words *b, const char *where, struct wr *ret,
                struct play_error *e)
{
    uint8_t eid[BPP_EID_LEN], ppk[BSP_KEYS_LEN];
    struct ec_key *sk_dppb = NULL, *ot_sk = NULL;

    TRY(play_read_eid(p, eid, e));
    TRY(play_read_key(p, b->key_file, where, &sk_dppb, e));
    struct bpp_content content = { .configure_isdp = wr_view(&b->configure),
                                   .metadata = wr_view(&b->metadata),
                                   .upp = wr_view(&b->upp),
                                   .ppk = b->ppk ? ppk : NULL,
                                   .replace_keys = wr_view(&b->replace_keys) };
    int r = ec_key_generate(p->crypto, b->curve, &ot_sk);
    if (r == 0)
        r = crypto_random(p->crypto, ppk, sizeof ppk);
    struct bpp_session session = { .transaction_id = wr_view(&b->transaction),
                                   .host_id = wr_view(&b->host),
                                   .eid = rd_of(eid, sizeof eid),
                                   .ot_sk_dp = ot_sk,
                                   .ot_pk_euicc = wr_view(&b->otpk),
                                   .sk_dppb = sk_dppb };
    if (r == 0)
        r = bpp_bind(p->crypto, &session, &content, ret);
    ec_key_free(&ot_sk);
    ec_key_free(&sk_dppb);
    return r == 0 ? 0 : play_fail(e, where, "the package cannot be bound");
}

/* bind NAME OPTION... */
int play_compute_bind(struct player *p, const struct play_arguments *w, struct wr *ret,
                      struct play_error *e)
{
    struct binding_words b;
    int r = 0;

    if (w->n < 2)
        return play_fail(e, w->where[w->n], "bind NAME OPTION...");
    init_binding(&b);
    for (size_t i = 2; i < w->n && r == 0; i++)
        r = binding_word(w->at[i], w->where[i], &b, e);
    if (r == 0)
        r = complete_binding(p, w->at[1], w->where[1], &b, e);
    if (r == 0)
        r = bind(p, &b, w->where[1], ret, e);
    free_binding(&b);
    return r;
}

/* --- whole downloads -----------------------------------------------------------------------------
 */

int play_need_smdpp(struct player *p, const char *where, struct play_error *e)
{
    static const enum curve curves[MUTUAL_MAX_IDENTITIES] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct smdpp_config config = { .crypto = p->crypto,
                                   .profiles = p->options->profiles,
                                   .host = play_dp_address,
                                   .address = play_dp_address,
                                   .ppk = true };

    if (p->dp != NULL)
        return 0;
    if (p->options->profiles == NULL)
        return play_fail(e, where, "a download wants --profiles FOLDER");
    for (size_t i = 0; i < N_ELEMS(curves); i++)
        if (identity_load(p->crypto, p->pki, IDENTITY_SMDPP, curves[i],
                          &config.identities[config.n_identities], &e->e) == 0)
            config.n_identities++;
    if (config.n_identities == 0)
        return ERR_INPUT;
    p->dp = smdpp_new(&config);
    if (p->dp != NULL)
        return 0;
    for (size_t i = 0; i < config.n_identities; i++)
        identity_done(&config.identities[i]);
    return play_fail(e, where, "out of memory");
}

/* Phases after which a download can be cancelled. */
enum phase { PHASE_NONE, PHASE_AUTHENTICATE, PHASE_PREPARE };

/* What is changed on the way to the eUICC. */
struct field_changes {
    enum download_field altered; /* N_FIELDS: none */
    const char *set[N_FIELDS];   /* hex; NULL: as it is */
    bool has_segment;
    unsigned long segment;
};

static bool changes_anything(const struct field_changes *c)
{
    bool any = c->altered != N_FIELDS || c->has_segment;

    for (size_t i = 0; i < N_FIELDS; i++)
        any = any || c->set[i] != NULL;
    return any;
}

struct model_download {
    struct player *p;
    const struct field_changes *changes;
    enum phase cancel;
    struct wr *cancel_answer;
};

static int say_status(struct es9p_status status, const char *function, struct lab_error *e)
{
    return status.subject == NULL
               ? 0
               : lab_fail(e, "the model SM-DP+: %s: %s", function, status.message);
}

static int put_field(struct download *d, enum download_field field, const struct wr *value,
                     struct lab_error *e)
{
    const struct model_download *m = d->ctx;
    const struct field_changes *c = m->changes;
    struct wr *w = &d->fields[field];

    wr_clear(w);
    if (c->set[field] == NULL)
        wr_put_rd(w, wr_view(value));
    else if (!hex_read(c->set[field], w))
        return lab_fail(e, "what is set is not hex, or too long");
    if (c->altered == field && w->n > 0)
        w->p[w->n - 1] ^= 0x01;
    if (field != FIELD_PACKAGE || !c->has_segment)
        return 0;
    return alter_segment(w, c->segment) ? 0 : lab_fail(e, "there is no such segment");
}

struct field_value {
    enum download_field field;
    const struct wr *value;
};

static int put_fields(struct download *d, const struct field_value *values, size_t n,
                      struct lab_error *e)
{
    for (size_t i = 0; i < n; i++)
        TRY(put_field(d, values[i].field, values[i].value, e));
    return 0;
}

static int model_initiate(struct download *d, struct rd challenge, struct lab_error *e)
{
    const struct model_download *m = d->ctx;
    struct mutual_initiation answer;
    struct mutual_session *session;

    wr_init_heap(&answer.server_signed1, MESSAGE_MAX);
    wr_init_heap(&answer.server_signature1, MESSAGE_MAX);
    wr_init_heap(&answer.ci_pk_id, MESSAGE_MAX);
    wr_init_heap(&answer.server_certificate, MESSAGE_MAX);
    int r = say_status(mutual_initiate(smdpp_mutual(m->p->dp), challenge, wr_view(&d->info1),
                                       play_dp_address, &answer, &session),
                       "InitiateAuthentication", e);
    const struct field_value values[] = {
        { FIELD_SIGNED1, &answer.server_signed1 },
        { FIELD_SIGNATURE1, &answer.server_signature1 },
        { FIELD_CI, &answer.ci_pk_id },
        { FIELD_CERTIFICATE, &answer.server_certificate },
    };
    if (r == 0)
        r = put_fields(d, values, N_ELEMS(values), e);
    wr_done(&answer.server_signed1);
    wr_done(&answer.server_signature1);
    wr_done(&answer.ci_pk_id);
    wr_done(&answer.server_certificate);
    return r;
}

static struct rd id_of(const struct download *d)
{
    return rd_of(d->id.b, d->id.n);
}

static int model_authenticate(struct download *d, struct rd response, struct lab_error *e)
{
    const struct model_download *m = d->ctx;
    struct smdpp_event event = { .verified = NULL };
    struct smdpp_authenticate answer;

    play_learn_euicc(m->p, response);
    wr_init_heap(&answer.profile_metadata, MESSAGE_MAX);
    wr_init_heap(&answer.smdp_signed2, MESSAGE_MAX);
    wr_init_heap(&answer.smdp_signature2, MESSAGE_MAX);
    wr_init_heap(&answer.smdp_certificate, MESSAGE_MAX);
    int r = say_status(smdpp_authenticate_client(m->p->dp, id_of(d), response, &answer, &event),
                       "AuthenticateClient", e);
    const struct field_value values[] = {
        { FIELD_METADATA, &answer.profile_metadata },
        { FIELD_SIGNED2, &answer.smdp_signed2 },
        { FIELD_SIGNATURE2, &answer.smdp_signature2 },
        { FIELD_CERTIFICATE2, &answer.smdp_certificate },
    };
    d->server_has_session = r == 0;
    if (r == 0)
        r = put_fields(d, values, N_ELEMS(values), e);
    if (r == 0 && m->cancel == PHASE_AUTHENTICATE)
        r = lab_fail(e, "cancelled");
    wr_done(&answer.profile_metadata);
    wr_done(&answer.smdp_signed2);
    wr_done(&answer.smdp_signature2);
    wr_done(&answer.smdp_certificate);
    return r;
}

static int model_get_bpp(struct download *d, struct rd response, struct lab_error *e)
{
    const struct model_download *m = d->ctx;
    struct smdpp_event event = { .verified = NULL };
    struct wr package;

    if (m->cancel == PHASE_PREPARE)
        return lab_fail(e, "cancelled");
    wr_init_heap(&package, LAB_FILE_MAX);
    int r =
        say_status(smdpp_get_bound_profile_package(m->p->dp, id_of(d), response, &package, &event),
                   "GetBoundProfilePackage", e);
    if (r == 0)
        r = put_field(d, FIELD_PACKAGE, &package, e);
    wr_done(&package);
    return r;
}

static void model_cancel(struct download *d, struct rd response)
{
    const struct model_download *m = d->ctx;
    struct smdpp_event event = { .verified = NULL };

    if (smdpp_cancel_session(m->p->dp, id_of(d), response, &event).subject == NULL)
        wr_put_rd(m->cancel_answer, response);
}

static const struct download_server model = { model_initiate, model_authenticate, model_get_bpp,
                                              model_cancel };

/* What the words after the matching id say. */
struct download_words {
    struct field_changes changes;
    enum phase cancel;
    const char *code;
};

static bool read_field(const char *name, size_t n, enum download_field *ret)
{
    static const struct {
        const char *name;
        enum download_field field;
    } fields[] = {
        { "serverSigned1", FIELD_SIGNED1 },        { "serverSignature1", FIELD_SIGNATURE1 },
        { "euiccCiPKIdToBeUsed", FIELD_CI },       { "serverCertificate", FIELD_CERTIFICATE },
        { "smdpSigned2", FIELD_SIGNED2 },          { "smdpSignature2", FIELD_SIGNATURE2 },
        { "smdpCertificate", FIELD_CERTIFICATE2 }, { "boundProfilePackage", FIELD_PACKAGE },
    };

    for (size_t i = 0; i < N_ELEMS(fields); i++) {
        if (strlen(fields[i].name) == n && memcmp(fields[i].name, name, n) == 0) {
            *ret = fields[i].field;
            return true;
        }
    }
    return false;
}

/* "FIELD=HEX" */
static int set_word(const char *value, const char *where, struct field_changes *ret,
                    struct play_error *e)
{
    size_t n = strcspn(value, "=");
    enum download_field field;

    if (value[n] != '=' || !read_field(value, n, &field))
        return play_fail(e, where, "set=FIELD={NAME}");
    ret->set[field] = value + n + 1;
    return 0;
}

static int download_word(const char *word, const char *where, struct download_words *ret,
                         struct play_error *e)
{
    const char *value;

    if ((value = play_word_value(word, "alter")) != NULL) {
        if (read_field(value, strlen(value), &ret->changes.altered))
            return 0;
    } else if ((value = play_word_value(word, "set")) != NULL) {
        return set_word(value, where, &ret->changes, e);
    } else if ((value = play_word_value(word, "segment")) != NULL) {
        ret->changes.has_segment = true;
        if (number_read(value, PLAY_MAX_SEGMENTS, &ret->changes.segment))
            return 0;
    } else if ((value = play_word_value(word, "cancel")) != NULL) {
        ret->cancel = strcmp(value, "authenticate") == 0 ? PHASE_AUTHENTICATE
                      : strcmp(value, "prepare") == 0    ? PHASE_PREPARE
                                                         : PHASE_NONE;
        if (ret->cancel != PHASE_NONE)
            return 0;
    } else if ((value = play_word_value(word, "code")) != NULL) {
        ret->code = value;
        return 0;
    }
    return play_fail(e, where,
                     "alter=FIELD, set=FIELD={NAME}, segment=N, cancel=authenticate|prepare, "
                     "code=TEXT; not %.100s",
                     word);
}

/* Whether the eUICC signed the result as the SM-DP+ wants it. */
static int check_result(struct player *p, struct play_error *e)
{
    struct smdpp_event event = { .verified = NULL };

    TRY(say_status(smdpp_handle_notification(p->dp, wr_view(&p->last), &event),
                   "HandleNotification", &e->e));
    return event.verified == NULL ? 0 : play_differs(p, "the result: %s", event.verified);
}

static int judge_download(struct player *p, const struct download_words *w, int r,
                          const struct download_outcome *outcome, const struct wr *cancelled,
                          struct play_error *e)
{
    const struct wr *answer = outcome->has_result      ? &outcome->installation_result
                              : outcome->refusal.n > 0 ? &outcome->refusal
                                                       : cancelled;

    wr_clear(&p->last);
    wr_put_rd(&p->last, wr_view(answer));
    if (p->mute)
        return play_differs(p, "the card is mute");
    if (w->cancel != PHASE_NONE)
        return cancelled->n > 0 ? 0
                                : play_differs(p, "the session was not cancelled: %s", e->e.text);
    if (outcome->has_result)
        TRY(check_result(p, e));
    if (changes_anything(&w->changes))
        return answer->n > 0 ? 0 : play_differs(p, "%s", e->e.text);
    return r == 0 ? 0 : play_differs(p, "%s", e->e.text);
}

/* Without it the server would refuse, which is no fault of the card's. */
static int have_profile(struct player *p, const char *name, const char *where, struct play_error *e)
{
    struct wr upp;

    wr_init_heap(&upp, LAB_FILE_MAX);
    int r = read_profile(p, name, ".der", where, &upp, e);
    wr_done(&upp);
    return r;
}

static int download(struct player *p, const struct play_arguments *w, struct play_error *e)
{
    struct download_words words = { .changes = { .altered = N_FIELDS } };
    const char *where = w->where[0];
    struct activation_code ac = { .code_required = false };
    const struct download_wanted wanted = { .ac = &ac };
    struct download_outcome outcome;
    struct wr cancelled;
    bool unused;

    for (size_t i = 1; i < w->n; i++)
        TRY(download_word(w->at[i], w->where[i], &words, e));
    if (!copy_text(w->at[0], ac.matching_id, sizeof ac.matching_id))
        return play_fail(e, where, "too long a matching id");
    copy_text(play_dp_address, ac.address, sizeof ac.address);
    TRY(play_need_smdpp(p, where, e));
    TRY(have_profile(p, w->at[0], where, e));
    TRY(play_open_isdr(p, e));
    struct ipa ipa = {
        .crypto = p->crypto, .es10 = p->es10, .quiet = true, .confirmation_code = words.code
    };
    struct model_download m = {
        .p = p, .changes = &words.changes, .cancel = words.cancel, .cancel_answer = &cancelled
    };
    wr_init_heap(&ipa.answer, MESSAGE_MAX);
    wr_init_heap(&cancelled, MESSAGE_MAX);
    download_outcome_init(&outcome);
    p->was_mute = false;
    int r = download_run(&ipa, &model, &m, &wanted, &outcome, &unused, &e->e);
    p->mute = p->was_mute; /* CancelSession may have gone to the card after that */
    if (p->mute)
        p->es10.channel = 0;
    p->sw = 0x9000;
    r = judge_download(p, &words, r, &outcome, &cancelled, e);
    download_outcome_done(&outcome);
    wr_done(&cancelled);
    wr_done(&ipa.answer);
    return r;
}

int play_run_download(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct play_arguments *w = play_arguments_read(s->arguments[0], &p->names, e);

    if (w == NULL)
        return ERR_INPUT;
    int r = download(p, w, e);
    play_arguments_free(w);
    return r == 0 && s->wanted != NULL ? play_compare_last(p, s, e)
                                       : play_mute_is_wanted(p, s, r, e);
}
