/* play_eim.c - model eIMs, as scripts have them (docs/SCRIPTS.md, "eIMs"). */
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/bpp.h"
#include "lab/eim_package.h"
#include "lab/play_model.h"
#include "lab/play_tlv.h"
#include "os/err.h"

enum { MESSAGE_MAX = 1024 * 1024, TAG_SEQUENCE = 0x30 };

struct play_eim *play_find_eim(struct player *p, const char *name)
{
    for (size_t i = 0; i < p->n_eims; i++)
        if (strcmp(p->eims[i].identity.id, name) == 0)
            return &p->eims[i];
    return NULL;
}

int play_need_eim(struct player *p, const struct play_arguments *w, size_t i, struct play_eim **ret,
                  struct play_error *e)
{
    if (i >= w->n)
        return play_fail(e, w->where[w->n], "the name of an eIM is missing");
    *ret = play_find_eim(p, w->at[i]);
    return *ret != NULL ? 0 : play_fail(e, w->where[i], "there is no eIM %.100s yet", w->at[i]);
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

static bool read_protocol(const char *word, enum eim_protocol *ret)
{
    static const char *const names[] = { "https", "coaps", "both" };

    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(names[i], word) == 0) {
            *ret = (enum eim_protocol)(EIM_PROTOCOL_HTTPS + i);
            return true;
        }
    }
    return false;
}

/* key=HEX, the private number, or key=FILE of the PKI. */
static int eim_key(struct player *p, struct eim_identity *id, const char *value, const char *where,
                   struct play_error *e)
{
    uint8_t room[EC_COORD_LEN];
    struct wr number;

    if (strchr(value, '/') != NULL) {
        ec_key_free(&id->key);
        return play_read_key(p, value, where, &id->key, e);
    }
    wr_init(&number, room, sizeof room);
    if (!hex_read(value, &number) ||
        ec_key_from_number(p->crypto, id->curve, wr_view(&number), &id->key) != 0)
        return play_fail(e, where, "key=%d octets in hex, or a file of the PKI", EC_COORD_LEN);
    return 0;
}

/* Which key the card trusts: that of the CI, of the certificate, or the certificate itself. */
static int eim_trust(struct eim_identity *id, const char *value, const char *where,
                     struct play_error *e)
{
    static const char *const names[] = { "ca", "spki", "certificate" };

    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(names[i], value) == 0) {
            id->tls_trust = (enum eim_tls_trust)(TLS_TRUST_CA + i);
            return 0;
        }
    }
    return play_fail(e, where, "tls=ca, spki or certificate");
}

/* counter=N, token, indirect, fqdn=HOST, type=WORD, protocol=WORD, curve=nist|brp, key=KEY,
 * tls=TRUST */
static int eim_word(struct player *p, struct eim_identity *id, const char *word, const char *where,
                    struct play_error *e)
{
    const char *value;
    unsigned long v;

    if (strcmp(word, "token") == 0)
        id->token = true;
    else if (strcmp(word, "indirect") == 0)
        id->indirect = true;
    else if ((value = play_word_value(word, "counter")) != NULL &&
             number_read(value, UINT32_MAX, &v))
        id->counter = v;
    else if ((value = play_word_value(word, "fqdn")) != NULL &&
             copy_text(value, id->fqdn, sizeof id->fqdn))
        return 0;
    else if ((value = play_word_value(word, "type")) != NULL && read_id_type(value, &id->id_type))
        return 0;
    else if ((value = play_word_value(word, "protocol")) != NULL &&
             read_protocol(value, &id->protocol))
        return 0;
    else if ((value = play_word_value(word, "curve")) != NULL)
        return play_read_curve(value, where, &id->curve, e);
    else if (strcmp(word, "tls") == 0)
        id->tls_trust = TLS_TRUST_CA;
    else if ((value = play_word_value(word, "tls")) != NULL)
        return eim_trust(id, value, where, e);
    else if ((value = play_word_value(word, "key")) != NULL)
        return eim_key(p, id, value, where, e);
    else
        return play_fail(e, where, "not understood of an eIM: %.100s", word);
    return 0;
}

/* HEX,KEY: another TLS certificate, and its key in DER or a file of the PKI. */
static int eim_certificate(struct player *p, struct eim_identity *id, const char *value,
                           const char *where, struct play_error *e)
{
    const char *comma = strchr(value, ',');
    struct ec_key *key = NULL;
    char *hex = comma == NULL ? NULL : strndup(value, (size_t)(comma - value));

    wr_clear(&id->tls_certificate);
    wr_clear(&id->tls_key);
    int r = hex != NULL && hex_read(hex, &id->tls_certificate)
                ? 0
                : play_fail(e, where, "tls-certificate={NAME},KEY");
    if (r == 0 && strchr(comma, '/') == NULL)
        r = hex_read(comma + 1, &id->tls_key) ? 0 : play_fail(e, where, "no key in hex");
    else if (r == 0)
        r = play_read_key(p, comma + 1, where, &key, e);
    if (key != NULL && ec_key_write_der(p->crypto, key, &id->tls_key) != 0)
        r = play_fail(e, where, "no key for TLS");
    ec_key_free(&key);
    free(hex);
    return r;
}

static void init_eim(struct play_eim *eim)
{
    *eim = (struct play_eim){ .identity = { .id_type = EIM_ID_PROPRIETARY,
                                            .curve = CURVE_P256,
                                            .tls_trust = TLS_TRUST_NONE } };
    snprintf(eim->identity.fqdn, sizeof eim->identity.fqdn, "eim.example.com");
    wr_init_heap(&eim->identity.ci_pkid, SKI_LEN);
    wr_init_heap(&eim->identity.certificate, PKI_MAX_FILE);
    wr_init_heap(&eim->identity.tls_key, PKI_MAX_FILE);
    wr_init_heap(&eim->identity.tls_certificate, PKI_MAX_FILE);
    wr_init_heap(&eim->identity.tls_ci, PKI_MAX_FILE);
}

static int make_eim(struct player *p, const struct play_arguments *w, const char *where,
                    struct play_error *e)
{
    if (p->n_eims == PLAY_MAX_EIMS || w->n == 0 || play_find_eim(p, w->at[0]) != NULL)
        return play_fail(e, where, "up to %d eIMs, each with a name of its own", PLAY_MAX_EIMS);
    struct play_eim *eim = &p->eims[p->n_eims++];
    init_eim(eim);
    if (!copy_text(w->at[0], eim->identity.id, sizeof eim->identity.id))
        return play_fail(e, where, "an eimId has at most %d octets", EIM_ID_MAX);
    const char *host = NULL;
    size_t certificate = 0;
    for (size_t i = 1; i < w->n; i++) {
        const char *value;
        if ((value = play_word_value(w->at[i], "tls-host")) != NULL)
            host = value;
        else if ((value = play_word_value(w->at[i], "tls-certificate")) != NULL)
            certificate = i;
        else if ((value = play_word_value(w->at[i], "tls-suites")) != NULL &&
                 copy_text(value, eim->tls_suites, sizeof eim->tls_suites))
            continue;
        else
            TRY(eim_word(p, &eim->identity, w->at[i], w->where[i], e));
    }
    if (eim->identity.tls_trust != TLS_TRUST_NONE)
        TRY(play_make_tls(p, &eim->identity, host != NULL ? host : eim->identity.fqdn, where, e));
    if (certificate > 0)
        TRY(eim_certificate(p, &eim->identity,
                            play_word_value(w->at[certificate], "tls-certificate"),
                            w->where[certificate], e));
    eim->counter = eim->identity.counter;
    if (eim->identity.key != NULL)
        eim->identity.curve = ec_key_curve(eim->identity.key);
    if (eim->identity.key == NULL &&
        ec_key_generate(p->crypto, eim->identity.curve, &eim->identity.key) != 0)
        return play_fail(e, where, "no key for the eIM");
    return 0;
}

int play_run_eim(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct play_arguments *w = play_arguments_read(s->arguments[0], &p->names, e);

    if (w == NULL)
        return ERR_INPUT;
    int r = make_eim(p, w, s->arguments[0], e);
    play_arguments_free(w);
    return r;
}

void play_forget_models(struct player *p)
{
    for (size_t i = 0; i < p->n_eims; i++)
        eim_identity_done(&p->eims[i].identity);
    p->n_eims = 0;
    for (size_t i = 0; i < p->n_chains; i++)
        cert_free(&p->chains[i]);
    p->n_chains = 0;
    p->asked_certs = false;
}

int play_put_add_initial_eim(struct player *p, const struct play_arguments *w, size_t from,
                             struct wr *ret, struct play_error *e)
{
    struct wr_mark outer = tlv_open(ret, 0xBF57), list = tlv_open(ret, 0xA0);
    struct play_eim *eim = NULL;

    for (size_t i = from; i < w->n || i == from; i++) {
        TRY(play_need_eim(p, w, i, &eim, e));
        struct wr_mark entry = tlv_open(ret, TAG_SEQUENCE);
        if (eim_config_fields(p->crypto, &eim->identity, ret) != 0)
            return play_fail(e, w->where[i], "the eIM's configuration cannot be written");
        tlv_close(ret, entry);
    }
    tlv_close(ret, list);
    tlv_close(ret, outer);
    return 0;
}

/* The tokens that the eUICC gave, in the order of the request. */
static int take_tokens(struct player *p, const struct play_arguments *w, struct play_error *e)
{
    struct tlv answer, list, one;
    struct rd in = wr_view(&p->last);

    if (tlv_expect(&in, 0xBF57, &answer) != 0 || tlv_expect(&answer.value, 0xA0, &list) != 0)
        return play_differs(p, "the eUICC does not associate the eIM");
    for (size_t i = 0; i < w->n && tlv_get(&list.value, &one) == 0; i++) {
        struct play_eim *eim = play_find_eim(p, w->at[i]);
        if (eim != NULL && one.tag == 0x84 && tlv_uint(one.value, &eim->token) != 0)
            return play_fail(e, e->at, "the association token is no number");
    }
    return 0;
}

int play_run_associate(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr request;

    struct play_arguments *w = play_arguments_read(s->arguments[0], &p->names, e);
    if (w == NULL)
        return ERR_INPUT;
    wr_init_heap(&request, MESSAGE_MAX);
    int r = play_put_add_initial_eim(p, w, 0, &request, e);
    if (r == 0)
        r = play_es10_ok(p, wr_view(&request), e);
    if (r == 0)
        r = take_tokens(p, w, e);
    wr_done(&request);
    play_arguments_free(w);
    return r;
}

int play_read_eid(struct player *p, uint8_t ret[BPP_EID_LEN], struct play_error *e)
{
    static const uint8_t get_eid[] = { 0xBF, 0x3E, 0x03, 0x5C, 0x01, 0x5A };
    struct wr answer;
    struct tlv t;

    wr_init_heap(&answer, MESSAGE_MAX);
    int r = play_ask(p, rd_of(get_eid, sizeof get_eid), &answer, e);
    if (r == 0)
        r = play_path_find("BF3E/5A", wr_view(&answer), &p->names, &t, e);
    if (r == 0 && (t.tag == 0 || t.value.n != BPP_EID_LEN))
        r = play_differs(p, "GetEID gives no EID");
    if (r == 0)
        memcpy(ret, t.value.p, BPP_EID_LEN);
    wr_done(&answer);
    return r;
}

/* What stands before the operations of a package. */
struct package_words {
    size_t first;      /* of the operations */
    const char *fault; /* NULL: none */
    const char *operations;
    uint8_t transaction[TRANSACTION_ID_MAX];
    struct wr transaction_id;
};

static int read_package_words(const struct play_arguments *w, size_t from,
                              struct package_words *ret, struct play_error *e)
{
    const char *value;

    *ret = (struct package_words){ .fault = NULL };
    wr_init(&ret->transaction_id, ret->transaction, sizeof ret->transaction);
    for (; from < w->n; from++) {
        if ((value = play_word_value(w->at[from], "fault")) != NULL)
            ret->fault = value;
        else if ((value = play_word_value(w->at[from], "operations")) != NULL)
            ret->operations = value;
        else if ((value = play_word_value(w->at[from], "transaction")) == NULL)
            break;
        else if (!hex_read(value, &ret->transaction_id))
            return play_fail(e, w->where[from], "transaction=1 to 16 octets in hex");
    }
    ret->first = from;
    return 0;
}

/* psmoList or ecoList, from words or as it is. */
static int put_operations(const struct play_arguments *w, const struct package_words *words,
                          struct wr *ret, struct play_error *e)
{
    enum work_kind kind;
    size_t first = words->first;

    if (words->operations != NULL && first == w->n)
        return hex_read(words->operations, ret)
                   ? 0
                   : play_fail(e, w->where[first - 1], "operations=octets in hex");
    e->at = w->where[first];
    TRY(eim_order_read(w->n - first, w->at + first, &kind, ret, &e->e));
    return kind == WORK_PACKAGE
               ? 0
               : play_fail(e, w->where[first], "these are no operations of a package");
}

int play_put_package(struct player *p, const struct play_arguments *w, size_t from, struct wr *ret,
                     struct play_error *e)
{
    struct package_words words;
    char id[EIM_ID_MAX + 1];
    struct wr operations;
    struct play_eim *eim;

    TRY(play_need_eim(p, w, from, &eim, e));
    TRY(read_package_words(w, from + 1, &words, e));
    struct eim_package package = { .eim_id = eim->identity.id,
                                   .counter = eim->counter + 1,
                                   .token = eim->token,
                                   .transaction_id = wr_view(&words.transaction_id) };
    TRY(play_read_eid(p, package.eid, e));
    wr_init_heap(&operations, MESSAGE_MAX);
    int r = put_operations(w, &words, &operations, e);
    package.operations = wr_view(&operations);
    if (r == 0 && words.fault != NULL && !eim_fault_apply(words.fault, &package, id))
        r = play_fail(e, w->where[from + 1],
                      "fault=signature,eid,counter=N,token=N,eim-id=ID, not %.100s", words.fault);
    if (r == 0 && eim_package_write(p->crypto, eim->identity.key, &package, ret) != 0)
        r = play_fail(e, w->where[from], "the package cannot be written");
    if (r == 0 && package.counter == eim->counter + 1)
        eim->counter++;
    wr_done(&operations);
    return r;
}

int play_run_package(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr request;

    struct play_arguments *w = play_arguments_read(s->arguments[0], &p->names, e);
    if (w == NULL)
        return ERR_INPUT;
    wr_init_heap(&request, MESSAGE_MAX);
    int r = play_put_package(p, w, 0, &request, e);
    if (r == 0)
        r = play_es10_ok(p, wr_view(&request), e);
    wr_done(&request);
    play_arguments_free(w);
    return r == 0 && s->wanted != NULL ? play_compare_last(p, s, e)
                                       : play_mute_is_wanted(p, s, r, e);
}
