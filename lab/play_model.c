/* play_model.c - the other side, as scripts have it: model eIMs, a model SM-DP+ in this process,
 * and signatures of the eUICC. */
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/eim_package.h"
#include "lab/eim_result.h"
#include "lab/identity.h"
#include "lab/ipa_download.h"
#include "lab/play.h"
#include "lab/play_tlv.h"
#include "lab/smdpp.h"
#include "os/err.h"

enum {
    MAX_WORDS = 64,
    LINE_LEN = 16384,
    MESSAGE_MAX = 1024 * 1024,
    RANDOM_MAX = 4096,
    TAG_SEQUENCE = 0x30,
    TAG_SIGNATURE = 0x5F37,
};

static const char dp_address[] = "testsmdpplus1.example.com";

/* --- words ----------------------------------------------------------------------------------- */

/* The words of an argument, in a copy; {name} alone is what it holds, in hex. */
struct words {
    char line[LINE_LEN];
    char *at[MAX_WORDS];
    char *owned[MAX_WORDS]; /* NULL, or what replaced the word */
    size_t n;
};

static void free_words(struct words *w)
{
    for (size_t i = 0; w != NULL && i < w->n; i++)
        free(w->owned[i]);
    free(w);
}

static int replace_word(struct player *p, struct words *w, size_t i, const char *where,
                        struct play_error *e)
{
    char name[PLAY_NAME_MAX];
    size_t n = strlen(w->at[i]);
    struct rd value;

    if (w->at[i][0] != '{' || w->at[i][n - 1] != '}' || n - 2 >= sizeof name)
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)(n - 2), w->at[i] + 1);
    if (!play_names_get(&p->names, name, &value))
        return play_fail(e, where, "there is no %s yet", name);
    w->owned[i] = malloc(2 * value.n + 1);
    if (w->owned[i] == NULL)
        return play_fail(e, where, "out of memory");
    w->at[i] = hex_text(value, w->owned[i], 2 * value.n + 1);
    return 0;
}

static int read_words(struct player *p, const char *text, struct words **ret, struct play_error *e)
{
    struct words *w = calloc(1, sizeof *w);

    if (w == NULL || !copy_text(text, w->line, sizeof w->line)) {
        free(w);
        return play_fail(e, text, "too long");
    }
    for (char *rest = w->line; rest != NULL;) {
        char *word = strsep(&rest, " \t");
        if (*word == '\0')
            continue;
        if (w->n == MAX_WORDS) {
            free_words(w);
            return play_fail(e, text, "more than %d words", MAX_WORDS);
        }
        w->at[w->n++] = word;
    }
    for (size_t i = 0; i < w->n; i++) {
        int r = replace_word(p, w, i, text + (w->at[i] - w->line), e);
        if (r != 0) {
            free_words(w);
            return r;
        }
    }
    *ret = w;
    return 0;
}

/* "KEY=" at the beginning of the word: what follows it; else NULL. */
static const char *value_of(const char *word, const char *key)
{
    size_t n = strlen(key);

    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

/* --- model eIMs ------------------------------------------------------------------------------ */

static struct play_eim *find_eim(struct player *p, const char *name)
{
    for (size_t i = 0; i < p->n_eims; i++)
        if (strcmp(p->eims[i].identity.id, name) == 0)
            return &p->eims[i];
    return NULL;
}

static int need_eim(struct player *p, const struct words *w, size_t i, const char *where,
                    struct play_eim **ret, struct play_error *e)
{
    if (i >= w->n)
        return play_fail(e, where, "the name of an eIM is missing");
    *ret = find_eim(p, w->at[i]);
    return *ret != NULL ? 0 : play_fail(e, where, "there is no eIM %.100s yet", w->at[i]);
}

static bool read_id_type(const char *word, enum eim_id_type *ret)
{
    static const char *const names[] = { "oid", "fqdn", "proprietary" };

    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(names[i], word) == 0) {
            *ret = (enum eim_id_type)(EIM_ID_OID + i);
            return true;
        }
    }
    return false;
}

/* counter=N, token, indirect, fqdn=HOST, type=WORD, curve=nist|brp, key=HEX */
static int eim_word(struct player *p, struct play_eim *eim, const char *word, const char *where,
                    struct play_error *e)
{
    struct eim_identity *id = &eim->identity;
    const char *value;
    unsigned long v;

    if (strcmp(word, "token") == 0)
        id->token = true;
    else if (strcmp(word, "indirect") == 0)
        id->indirect = true;
    else if ((value = value_of(word, "counter")) != NULL && number_read(value, UINT32_MAX, &v))
        id->counter = v;
    else if ((value = value_of(word, "fqdn")) != NULL &&
             copy_text(value, id->fqdn, sizeof id->fqdn))
        return 0;
    else if ((value = value_of(word, "type")) != NULL && read_id_type(value, &id->id_type))
        return 0;
    else if ((value = value_of(word, "curve")) != NULL &&
             (strcmp(value, "nist") == 0 || strcmp(value, "brp") == 0))
        id->curve = value[0] == 'n' ? CURVE_P256 : CURVE_BRAINPOOL_P256R1;
    else if ((value = value_of(word, "key")) != NULL) {
        uint8_t room[EC_COORD_LEN];
        struct wr number;
        wr_init(&number, room, sizeof room);
        if (!hex_read(value, &number) ||
            ec_key_from_number(p->crypto, id->curve, wr_view(&number), &id->key) != 0)
            return play_fail(e, where, "key=%d octets in hex", EC_COORD_LEN);
    } else
        return play_fail(e, where, "not understood of an eIM: %.100s", word);
    return 0;
}

static void init_eim(struct play_eim *eim)
{
    *eim = (struct play_eim){ .identity = { .id_type = EIM_ID_PROPRIETARY,
                                            .curve = CURVE_P256,
                                            .tls_trust = TLS_TRUST_NONE } };
    snprintf(eim->identity.fqdn, sizeof eim->identity.fqdn, "eim.example.com");
    wr_init_heap(&eim->identity.ci_pkid, SKI_LEN);
    wr_init_heap(&eim->identity.certificate, LINE_LEN);
    wr_init_heap(&eim->identity.tls_key, LINE_LEN);
    wr_init_heap(&eim->identity.tls_certificate, LINE_LEN);
    wr_init_heap(&eim->identity.tls_ci, LINE_LEN);
}

static int make_eim(struct player *p, const struct words *w, const char *where,
                    struct play_error *e)
{
    if (p->n_eims == PLAY_MAX_EIMS || w->n == 0 || find_eim(p, w->at[0]) != NULL)
        return play_fail(e, where, "up to %d eIMs, each with a name of its own", PLAY_MAX_EIMS);
    struct play_eim *eim = &p->eims[p->n_eims++];
    init_eim(eim);
    if (!copy_text(w->at[0], eim->identity.id, sizeof eim->identity.id))
        return play_fail(e, where, "an eimId has at most %d octets", EIM_ID_MAX);
    for (size_t i = 1; i < w->n; i++)
        TRY(eim_word(p, eim, w->at[i], where, e));
    eim->counter = eim->identity.counter;
    if (eim->identity.key == NULL &&
        ec_key_generate(p->crypto, eim->identity.curve, &eim->identity.key) != 0)
        return play_fail(e, where, "no key for the eIM");
    return 0;
}

int play_run_eim(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct words *w;

    TRY(read_words(p, s->arguments[0], &w, e));
    int r = make_eim(p, w, s->arguments[0], e);
    free_words(w);
    return r;
}

static void forget_eim(struct play_eim *eim)
{
    eim_identity_done(&eim->identity);
}

void play_forget_models(struct player *p)
{
    for (size_t i = 0; i < p->n_eims; i++)
        forget_eim(&p->eims[i]);
    p->n_eims = 0;
    for (size_t i = 0; i < p->n_chains; i++)
        cert_free(&p->chains[i]);
    p->n_chains = 0;
}

/* AddInitialEimRequest for the eIMs that are named. */
static int put_request(struct player *p, const struct words *w, size_t from, const char *where,
                       struct wr *ret, struct play_error *e)
{
    struct wr_mark outer = tlv_open(ret, 0xBF57), list = tlv_open(ret, 0xA0);
    struct play_eim *eim;

    for (size_t i = from; i < w->n || i == from; i++) {
        TRY(need_eim(p, w, i, where, &eim, e));
        struct wr_mark entry = tlv_open(ret, TAG_SEQUENCE);
        if (eim_config_fields(p->crypto, &eim->identity, ret) != 0)
            return play_fail(e, where, "the eIM's configuration cannot be written");
        tlv_close(ret, entry);
    }
    tlv_close(ret, list);
    tlv_close(ret, outer);
    return 0;
}

/* The tokens that the eUICC gave, in the order of the request. */
static int take_tokens(struct player *p, const struct words *w, struct play_error *e)
{
    struct tlv answer, list, one;
    struct rd in = wr_view(&p->last);

    if (tlv_expect(&in, 0xBF57, &answer) != 0 || tlv_expect(&answer.value, 0xA0, &list) != 0)
        return play_differs(p, "the eUICC does not associate the eIM");
    for (size_t i = 0; i < w->n && tlv_get(&list.value, &one) == 0; i++) {
        struct play_eim *eim = find_eim(p, w->at[i]);
        if (eim != NULL && one.tag == 0x84 && tlv_uint(one.value, &eim->token) != 0)
            return play_fail(e, e->at, "the association token is no number");
    }
    return 0;
}

int play_run_associate(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr request;
    struct words *w;

    TRY(read_words(p, s->arguments[0], &w, e));
    wr_init_heap(&request, MESSAGE_MAX);
    int r = put_request(p, w, 0, s->arguments[0], &request, e);
    if (r == 0)
        r = play_es10_ok(p, wr_view(&request), e);
    if (r == 0)
        r = take_tokens(p, w, e);
    wr_done(&request);
    free_words(w);
    return r;
}

/* The EID, asked of the card. */
static int read_eid(struct player *p, uint8_t ret[EIM_EID_LEN], struct play_error *e)
{
    static const uint8_t get_eid[] = { 0xBF, 0x3E, 0x03, 0x5C, 0x01, 0x5A };
    struct tlv t;

    TRY(play_es10_ok(p, rd_of(get_eid, sizeof get_eid), e));
    TRY(play_path_find("BF3E/5A", wr_view(&p->last), &t, e));
    if (t.tag == 0 || t.value.n != EIM_EID_LEN)
        return play_differs(p, "GetEID gives no EID");
    memcpy(ret, t.value.p, EIM_EID_LEN);
    return 0;
}

/* EIM [transaction=HEX] [fault=FAULT] OPERATION...: a signed package with the next counter. */
static int put_package(struct player *p, const struct words *w, size_t from, const char *where,
                       struct wr *ret, struct play_error *e)
{
    char id[EIM_ID_MAX + 1];
    uint8_t transaction[TRANSACTION_ID_MAX];
    struct wr operations, transaction_id;
    enum work_kind kind;
    const char *fault = NULL, *value;
    struct play_eim *eim;

    TRY(need_eim(p, w, from, where, &eim, e));
    struct eim_package package = { .eim_id = eim->identity.id,
                                   .counter = eim->counter + 1,
                                   .token = eim->token };
    wr_init(&transaction_id, transaction, sizeof transaction);
    for (from++; from < w->n; from++) {
        if ((value = value_of(w->at[from], "fault")) != NULL)
            fault = value;
        else if ((value = value_of(w->at[from], "transaction")) == NULL)
            break;
        else if (!hex_read(value, &transaction_id))
            return play_fail(e, where, "transaction=1 to 16 octets in hex");
    }
    package.transaction_id = wr_view(&transaction_id);
    TRY(read_eid(p, package.eid, e));
    wr_init_heap(&operations, MESSAGE_MAX);
    int r = eim_order_read(w->n - from, w->at + from, &kind, &operations, &e->e);
    e->at = where;
    if (r == 0 && kind != WORK_PACKAGE)
        r = play_fail(e, where, "these are no operations of a package");
    package.operations = wr_view(&operations);
    if (r == 0 && fault != NULL && !eim_fault_apply(fault, &package, id))
        r = play_fail(e, where, "fault=signature,eid,counter=N,token=N,eim-id=ID, not %.100s",
                      fault);
    if (r == 0 && eim_package_write(p->crypto, eim->identity.key, &package, ret) != 0)
        r = play_fail(e, where, "the package cannot be written");
    if (r == 0 && package.counter == eim->counter + 1)
        eim->counter++;
    wr_done(&operations);
    return r;
}

int play_run_package(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr request;
    struct words *w;

    TRY(read_words(p, s->arguments[0], &w, e));
    wr_init_heap(&request, MESSAGE_MAX);
    int r = put_package(p, w, 0, s->arguments[0], &request, e);
    if (r == 0)
        r = play_es10_ok(p, wr_view(&request), e);
    wr_done(&request);
    free_words(w);
    if (r != 0 || s->wanted == NULL)
        return r;
    return play_compare_last(p, s, e);
}

/* --- compute --------------------------------------------------------------------------------- */

typedef int compute_fn(struct player *p, const struct words *w, const char *where, struct wr *ret,
                       struct play_error *e);

static int compute_package(struct player *p, const struct words *w, const char *where,
                           struct wr *ret, struct play_error *e)
{
    return put_package(p, w, 1, where, ret, e);
}

static int compute_add_initial_eim(struct player *p, const struct words *w, const char *where,
                                   struct wr *ret, struct play_error *e)
{
    return put_request(p, w, 1, where, ret, e);
}

static int compute_eim_fields(struct player *p, const struct words *w, const char *where,
                              struct wr *ret, struct play_error *e)
{
    struct play_eim *eim;

    TRY(need_eim(p, w, 1, where, &eim, e));
    return eim_config_fields(p->crypto, &eim->identity, ret) == 0
               ? 0
               : play_fail(e, where, "the eIM's configuration cannot be written");
}

/* All words behind the first, hex, one after the other. */
static int hex_words(const struct words *w, size_t from, const char *where, struct wr *ret,
                     struct play_error *e)
{
    for (size_t i = from; i < w->n; i++)
        if (!hex_read(w->at[i], ret))
            return play_fail(e, where, "not octets in hex, or too many: %.60s", w->at[i]);
    return 0;
}

static int compute_sha256(struct player *p, const struct words *w, const char *where,
                          struct wr *ret, struct play_error *e)
{
    uint8_t hash[SHA256_LEN] = { 0 };
    struct wr data;

    wr_init_heap(&data, MESSAGE_MAX);
    int r = hex_words(w, 1, where, &data, e);
    struct rd part = wr_view(&data);
    if (r == 0 && crypto_sha256(p->crypto, &part, 1, hash) != 0)
        r = play_fail(e, where, "SHA-256 fails");
    wr_put(ret, hash, r == 0 ? sizeof hash : 0);
    wr_done(&data);
    return r;
}

/* sign KEY-FILE OCTETS...: r || s, with a key of the PKI, such as
 * DPauth/SK_S_SM_DPauth_ECDSA_NIST.pem */
static int compute_sign(struct player *p, const struct words *w, const char *where, struct wr *ret,
                        struct play_error *e)
{
    uint8_t signature[EC_SIGNATURE_LEN] = { 0 };
    struct ec_key *key = NULL;
    struct wr pem, data;

    if (w->n < 2)
        return play_fail(e, where, "sign KEY OCTETS");
    wr_init_heap(&pem, PKI_MAX_FILE);
    wr_init_heap(&data, MESSAGE_MAX);
    int r = hex_words(w, 2, where, &data, e);
    struct rd part = wr_view(&data);
    if (r == 0 && (pki_read(p->pki, w->at[1], &pem) != 0 ||
                   ec_key_read(p->crypto, wr_view(&pem), &key) != 0 ||
                   ecdsa_sign(p->crypto, key, &part, 1, signature) != 0))
        r = play_fail(e, where, "cannot sign with %.200s", w->at[1]);
    wr_put(ret, signature, r == 0 ? sizeof signature : 0);
    ec_key_free(&key);
    if (pem.n > 0)
        crypto_wipe(pem.p, pem.n);
    wr_done(&pem);
    wr_done(&data);
    return r;
}

static int compute_pki(struct player *p, const struct words *w, const char *where, struct wr *ret,
                       struct play_error *e)
{
    if (w->n != 2 || pki_read(p->pki, w->at[1], ret) != 0)
        return play_fail(e, where, "the PKI: %.200s",
                         w->n == 2 ? pki_reason(p->pki) : "which file?");
    return 0;
}

static int compute_ci(struct player *p, const struct words *w, const char *where, struct wr *ret,
                      struct play_error *e)
{
    size_t i = w->n == 2 && strcmp(w->at[1], "brp") == 0;

    if (p->ci[i] == NULL)
        return play_fail(e, where, "the PKI has no such CI");
    wr_put_rd(ret, cert_ski(p->ci[i]));
    return 0;
}

static int compute_random(struct player *p, const struct words *w, const char *where,
                          struct wr *ret, struct play_error *e)
{
    unsigned long n;

    if (w->n != 2 || !number_read(w->at[1], RANDOM_MAX, &n))
        return play_fail(e, where, "random N, up to %d", RANDOM_MAX);
    uint8_t *room = wr_reserve(ret, n > 0 ? n : 1);
    if (room == NULL || (n > 0 && crypto_random(p->crypto, room, n) != 0))
        return play_fail(e, where, "no random octets");
    ret->n -= n == 0;
    return 0;
}

static const struct {
    const char *word;
    compute_fn *compute;
} computed[] = {
    { "package", compute_package },
    { "add-initial-eim", compute_add_initial_eim },
    { "eim-fields", compute_eim_fields },
    { "sha256", compute_sha256 },
    { "sign", compute_sign },
    { "pki", compute_pki },
    { "ci", compute_ci },
    { "random", compute_random },
};

static int compute(struct player *p, const struct words *w, const char *where, struct wr *ret,
                   struct play_error *e)
{
    for (size_t i = 0; w->n > 0 && i < N_ELEMS(computed); i++)
        if (strcmp(computed[i].word, w->at[0]) == 0)
            return computed[i].compute(p, w, where, ret, e);
    return play_fail(e, where,
                     "one of package, add-initial-eim, eim-fields, sha256, sign, pki, ci, "
                     "random");
}

int play_run_compute(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct words *w;
    struct wr value;

    TRY(read_words(p, s->arguments[1], &w, e));
    wr_init_heap(&value, MESSAGE_MAX);
    int r = compute(p, w, s->arguments[1], &value, e);
    if (r == 0 && !play_names_put(&p->names, s->arguments[0], wr_view(&value)))
        r = play_fail(e, s->at, "more than %d variables, or out of memory", PLAY_MAX_NAMES);
    wr_done(&value);
    free_words(w);
    return r;
}

/* --- the model SM-DP+ ------------------------------------------------------------------------ */

static int need_smdpp(struct player *p, const char *where, struct play_error *e)
{
    static const enum curve curves[SMDPP_MAX_IDENTITIES] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct smdpp_config config = { .crypto = p->crypto,
                                   .profiles = p->options->profiles,
                                   .host = dp_address,
                                   .address = dp_address,
                                   .ppk = true };

    if (p->dp != NULL)
        return 0;
    if (p->options->profiles == NULL)
        return play_fail(e, where, "a download wants --profiles FOLDER");
    for (size_t i = 0; i < N_ELEMS(curves); i++)
        if (identity_load(p->crypto, p->pki, curves[i], &config.identities[config.n_identities],
                          &e->e) == 0)
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

struct model_download {
    struct player *p;
    enum download_field altered; /* N_FIELDS: none */
    enum phase cancel;
    struct wr *cancel_answer;
};

static int say_status(struct es9p_status status, const char *function, struct lab_error *e)
{
    return status.subject == NULL
               ? 0
               : lab_fail(e, "the model SM-DP+: %s: %s", function, status.message);
}

static void put_field(struct download *d, enum download_field field, const struct wr *value)
{
    const struct model_download *m = d->ctx;
    struct wr *w = &d->fields[field];

    wr_clear(w);
    wr_put_rd(w, wr_view(value));
    if (m->altered == field && w->n > 0)
        w->p[w->n - 1] ^= 0x01;
}

static int model_initiate(struct download *d, struct rd challenge, struct lab_error *e)
{
    const struct model_download *m = d->ctx;
    struct smdpp_event event = { .verified = NULL };
    struct smdpp_initiate answer;

    wr_init_heap(&answer.server_signed1, MESSAGE_MAX);
    wr_init_heap(&answer.server_signature1, MESSAGE_MAX);
    wr_init_heap(&answer.ci_pk_id, MESSAGE_MAX);
    wr_init_heap(&answer.server_certificate, MESSAGE_MAX);
    int r = say_status(smdpp_initiate_authentication(m->p->dp, challenge, wr_view(&d->info1),
                                                     dp_address, &answer, &event),
                       "InitiateAuthentication", e);
    if (r == 0) {
        put_field(d, FIELD_SIGNED1, &answer.server_signed1);
        put_field(d, FIELD_SIGNATURE1, &answer.server_signature1);
        put_field(d, FIELD_CI, &answer.ci_pk_id);
        put_field(d, FIELD_CERTIFICATE, &answer.server_certificate);
    }
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

    wr_init_heap(&answer.profile_metadata, MESSAGE_MAX);
    wr_init_heap(&answer.smdp_signed2, MESSAGE_MAX);
    wr_init_heap(&answer.smdp_signature2, MESSAGE_MAX);
    wr_init_heap(&answer.smdp_certificate, MESSAGE_MAX);
    int r = say_status(smdpp_authenticate_client(m->p->dp, id_of(d), response, &answer, &event),
                       "AuthenticateClient", e);
    if (r == 0) {
        put_field(d, FIELD_METADATA, &answer.profile_metadata);
        put_field(d, FIELD_SIGNED2, &answer.smdp_signed2);
        put_field(d, FIELD_SIGNATURE2, &answer.smdp_signature2);
        put_field(d, FIELD_CERTIFICATE2, &answer.smdp_certificate);
        d->server_has_session = true;
        if (m->cancel == PHASE_AUTHENTICATE)
            r = lab_fail(e, "cancelled");
    }
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
        put_field(d, FIELD_PACKAGE, &package);
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
    enum download_field altered;
    enum phase cancel;
    const char *code;
};

static int download_word(const char *word, const char *where, struct download_words *ret,
                         struct play_error *e)
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
    const char *value;

    if ((value = value_of(word, "alter")) != NULL) {
        for (size_t i = 0; i < N_ELEMS(fields); i++)
            if (strcmp(fields[i].name, value) == 0)
                ret->altered = fields[i].field;
        if (ret->altered != N_FIELDS)
            return 0;
    } else if ((value = value_of(word, "cancel")) != NULL) {
        ret->cancel = strcmp(value, "authenticate") == 0 ? PHASE_AUTHENTICATE
                      : strcmp(value, "prepare") == 0    ? PHASE_PREPARE
                                                         : PHASE_NONE;
        if (ret->cancel != PHASE_NONE)
            return 0;
    } else if ((value = value_of(word, "code")) != NULL) {
        ret->code = value;
        return 0;
    }
    return play_fail(e, where, "alter=FIELD, cancel=authenticate|prepare, code=TEXT; not %.100s",
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
    if (w->altered != N_FIELDS)
        return r != 0 && answer->n > 0
                   ? 0
                   : play_differs(p, r == 0 ? "the eUICC took what was altered" : "%s", e->e.text);
    return r == 0 ? 0 : play_differs(p, "%s", e->e.text);
}

static int download(struct player *p, const struct words *w, const char *where,
                    struct play_error *e)
{
    struct download_words words = { .altered = N_FIELDS };
    struct activation_code ac = { .code_required = false };
    struct download_outcome outcome;
    struct wr cancelled;

    for (size_t i = 1; i < w->n; i++)
        TRY(download_word(w->at[i], where, &words, e));
    if (!copy_text(w->at[0], ac.matching_id, sizeof ac.matching_id))
        return play_fail(e, where, "too long a matching id");
    copy_text(dp_address, ac.address, sizeof ac.address);
    TRY(need_smdpp(p, where, e));
    TRY(play_open_isdr(p, e));
    struct ipa ipa = {
        .crypto = p->crypto, .es10 = p->es10, .quiet = true, .confirmation_code = words.code
    };
    struct model_download m = {
        .p = p, .altered = words.altered, .cancel = words.cancel, .cancel_answer = &cancelled
    };
    wr_init_heap(&ipa.answer, MESSAGE_MAX);
    wr_init_heap(&cancelled, MESSAGE_MAX);
    download_outcome_init(&outcome);
    int r = download_run(&ipa, &model, &m, &ac, &outcome, &e->e);
    p->mute = ipa.es10.lost && card_is_mute(p->card);
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
    struct words *w;

    TRY(read_words(p, s->arguments[0], &w, e));
    int r = download(p, w, s->arguments[0], e);
    free_words(w);
    if (r != 0 && p->mute && s->wanted != NULL && strcmp(s->wanted, "mute") == 0)
        return 0;
    if (r != 0 || s->wanted == NULL)
        return r;
    return play_compare_last(p, s, e);
}

/* --- signatures ------------------------------------------------------------------------------ */

/* A chain that an answer brings, or GetCerts gives: verified, and its CERT.EUICC kept. */
static int keep_chain(struct player *p, struct rd eum, struct rd euicc)
{
    struct cert *ci[2], *cert = NULL;
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMS(p->ci); i++)
        if (p->ci[i] != NULL)
            ci[n++] = p->ci[i];
    const char *why = eim_check_chain(p->crypto, ci, n, eum, euicc, "", &cert);
    if (why != NULL)
        return play_differs(p, "the certificates: %s", why);
    for (size_t i = 0; i < p->n_chains; i++) {
        if (rd_equal(cert_der(p->chains[i]), cert_der(cert))) {
            cert_free(&cert);
            return 0;
        }
    }
    if (p->n_chains == PLAY_MAX_CHAINS)
        cert_free(&p->chains[--p->n_chains]);
    p->chains[p->n_chains++] = cert;
    return 0;
}

/* A5 and A6 of GetCerts' answer. */
static int keep_get_certs(struct player *p, struct rd ok)
{
    struct wr eum, euicc;
    struct tlv a5, a6;

    if (!tlv_find(ok, 0xA5, &a5) || !tlv_find(ok, 0xA6, &a6))
        return play_differs(p, "GetCerts gives no certificates");
    wr_init_heap(&eum, MESSAGE_MAX);
    wr_init_heap(&euicc, MESSAGE_MAX);
    int r = eim_take_certificate(a5.value, &eum) != 0 || eim_take_certificate(a6.value, &euicc) != 0
                ? play_differs(p, "GetCerts gives no certificates")
                : keep_chain(p, wr_view(&eum), wr_view(&euicc));
    wr_done(&eum);
    wr_done(&euicc);
    return r;
}

/* Asks the card for its certificates on both curves; p->last stays. */
static int ask_certs(struct player *p, struct play_error *e)
{
    struct wr kept = p->last;
    uint16_t sw = p->sw;
    int r = 0;

    wr_init_heap(&p->last, REPORT_OCTETS_MAX);
    for (size_t i = 0; i < N_ELEMS(p->ci) && r == 0; i++) {
        uint8_t room[64];
        struct wr request;
        struct tlv ok;
        if (p->ci[i] == NULL)
            continue;
        wr_init(&request, room, sizeof room);
        struct wr_mark mark = tlv_open(&request, 0xBF56);
        tlv_put(&request, 0x80, cert_ski(p->ci[i]));
        tlv_close(&request, mark);
        r = play_es10(p, wr_view(&request), e);
        if (r == 0)
            r = play_path_find("BF56/A0", wr_view(&p->last), &ok, e);
        if (r == 0 && ok.tag != 0)
            r = keep_get_certs(p, ok.value);
    }
    wr_done(&p->last);
    p->last = kept;
    p->sw = sw;
    return r;
}

static bool verifies(struct player *p, const struct rd *parts, size_t n, struct rd signature)
{
    for (size_t i = 0; i < p->n_chains; i++)
        if (ecdsa_verify(p->crypto, cert_key(p->chains[i]), parts, n, signature))
            return true;
    return false;
}

static int verify_parts(struct player *p, const struct rd *parts, size_t n, struct rd signature,
                        struct play_error *e)
{
    if (p->n_chains == 0)
        TRY(ask_certs(p, e));
    return verifies(p, parts, n, signature)
               ? 0
               : play_differs(p, p->n_chains == 0 ? "no certificate of the eUICC is known"
                                                  : "the signature does not verify");
}

/* Body, 5F37, and perhaps CERT.EUICC and CERT.EUM behind it. */
static int verify_signed(struct player *p, struct rd in, struct play_error *e)
{
    struct tlv body, signature, euicc, eum;

    if (tlv_get(&in, &body) != 0 || tlv_expect(&in, TAG_SIGNATURE, &signature) != 0)
        return play_differs(p, "there is no signature where one belongs");
    if (tlv_expect(&in, TAG_SEQUENCE, &euicc) == 0 && tlv_expect(&in, TAG_SEQUENCE, &eum) == 0)
        TRY(keep_chain(p, eum.whole, euicc.whole));
    return verify_parts(p, &body.whole, 1, signature.value, e);
}

/* Each of BF2B's notifications: BF37, or 30 with certificates. */
static int verify_notifications(struct player *p, struct rd list, struct play_error *e)
{
    struct tlv t;
    size_t n = 0;

    for (; list.n > 0 && tlv_get(&list, &t) == 0; n++)
        TRY(t.tag == 0xBF51 ? 0 : verify_signed(p, t.value, e));
    return n > 0 ? 0 : play_differs(p, "there is nothing to verify");
}

static int verify_package_result(struct player *p, struct rd whole, const struct play_eim *eim,
                                 struct play_error *e)
{
    struct eim_result result;

    if (eim_result_read(whole, &result) != 0)
        return play_differs(p, "not an EuiccPackageResult");
    if (result.arm == RESULT_UNSIGNED)
        return play_differs(p, "the result is not signed");
    if (p->n_chains == 0)
        TRY(ask_certs(p, e));
    for (size_t i = 0; i < p->n_chains; i++) {
        struct eim_signature_context context = { .key = cert_key(p->chains[i]),
                                                 .token = eim == NULL ? 0 : eim->token,
                                                 .only_token = true };
        if (eim_result_verify(p->crypto, &result, &context) != NULL)
            return 0;
    }
    return play_differs(p, "the signature does not verify");
}

static int verify_package_results(struct player *p, struct rd list, struct play_error *e)
{
    struct tlv t;

    while (list.n > 0 && tlv_get(&list, &t) == 0) {
        struct eim_result result;
        bool known = eim_result_read(t.whole, &result) == 0;
        TRY(verify_package_result(p, t.whole, known ? find_eim(p, result.eim_id) : NULL, e));
    }
    return 0;
}

static int verify(struct player *p, struct rd in, struct play_error *e)
{
    struct tlv outer, arm = { .tag = 0 };
    struct eim_result result;
    struct rd inside;

    if (tlv_get(&in, &outer) != 0)
        return play_differs(p, "there is nothing to verify");
    inside = outer.value;
    tlv_get(&inside, &arm);
    switch (outer.tag) {
    case 0xBF37: /* ProfileInstallationResult */
        return verify_signed(p, outer.value, e);
    case 0xBF38: /* AuthenticateServer */
    case 0xBF41: /* CancelSession */
        return verify_signed(p, arm.value, e);
    case 0xBF2B: /* RetrieveNotificationsList */
        return arm.tag == 0xA2 ? verify_package_results(p, arm.value, e)
                               : verify_notifications(p, arm.value, e);
    case 0xBF51: /* EuiccPackageResult */
        return verify_package_result(
            p, outer.whole,
            eim_result_read(outer.whole, &result) == 0 ? find_eim(p, result.eim_id) : NULL, e);
    case 0xBF56: /* GetCerts */
        return keep_get_certs(p, arm.value);
    default:
        return play_differs(p, "%X holds no signature that could be verified", (unsigned)outer.tag);
    }
}

/* verify: the last answer; verify {name}: what the variable holds. */
int play_run_verify(struct player *p, const struct play_step *s, struct play_error *e)
{
    static const struct play_octets_style rich = { .plain = false };
    struct wr octets;

    wr_init_heap(&octets, PLAY_VALUE_MAX);
    int r = s->arguments[0][0] == '\0'
                ? (wr_put_rd(&octets, wr_view(&p->last)), 0)
                : play_octets_read(s->arguments[0], rich, &p->names, &octets, NULL, e);
    if (r == 0)
        r = verify(p, wr_view(&octets), e);
    wr_done(&octets);
    return r;
}
