/* play_compute.c - "compute": values that scripts send or compare with (docs/SCRIPTS.md). */
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/play_model.h"
#include "lab/play_tlv.h"
#include "os/err.h"

enum {
    MESSAGE_MAX = 1024 * 1024,
    RANDOM_MAX = 4096,
    MAX_NESTING = 32,
};

int play_read_curve(const char *word, const char *where, enum curve *ret, struct play_error *e)
{
    bool nist = strcmp(word, "nist") == 0;

    if (!nist && strcmp(word, "brp") != 0)
        return play_fail(e, where, "nist or brp");
    *ret = nist ? CURVE_P256 : CURVE_BRAINPOOL_P256R1;
    return 0;
}

int play_read_key(struct player *p, const char *file, const char *where, struct ec_key **ret,
                  struct play_error *e)
{
    struct wr pem;

    *ret = NULL;
    wr_init_heap(&pem, PKI_MAX_FILE);
    int r = pki_read(p->pki, file, &pem) != 0 || ec_key_read(p->crypto, wr_view(&pem), ret) != 0
                ? play_fail(e, where, "no private key in the PKI: %.200s", file)
                : 0;
    if (pem.n > 0)
        crypto_wipe(pem.p, pem.n);
    wr_done(&pem);
    return r;
}

/* The words from there on, hex, one after the other; freed with wr_done(). */
static int octets_of(const struct play_arguments *w, size_t from, size_t to, struct wr *ret,
                     struct play_error *e)
{
    wr_init_heap(ret, MESSAGE_MAX);
    int r = play_words_octets(w, from, to, ret, e);
    if (r != 0)
        wr_done(ret);
    return r;
}

static int count_is(const struct play_arguments *w, size_t n, const char *how, struct play_error *e)
{
    return w->n == n ? 0 : play_fail(e, w->where[w->n < n ? w->n : n], "%s", how);
}

/* --- the other side's --------------------------------------------------------------------------
 */

static int compute_package(struct player *p, const struct play_arguments *w, struct wr *ret,
                           struct play_error *e)
{
    return play_put_package(p, w, 1, ret, e);
}

static int compute_add_initial_eim(struct player *p, const struct play_arguments *w, struct wr *ret,
                                   struct play_error *e)
{
    return play_put_add_initial_eim(p, w, 1, ret, e);
}

static int compute_eim_fields(struct player *p, const struct play_arguments *w, struct wr *ret,
                              struct play_error *e)
{
    struct play_eim *eim;

    TRY(play_need_eim(p, w, 1, &eim, e));
    return eim_config_fields(p->crypto, &eim->identity, ret) == 0
               ? 0
               : play_fail(e, w->where[1], "the eIM's configuration cannot be written");
}

/* sign KEY OCTETS...: r || s, with a key of the PKI */
static int compute_sign(struct player *p, const struct play_arguments *w, struct wr *ret,
                        struct play_error *e)
{
    uint8_t signature[EC_SIGNATURE_LEN] = { 0 };
    struct ec_key *key;
    struct wr data;

    if (w->n < 2)
        return play_fail(e, w->where[w->n], "sign KEY OCTETS...");
    TRY(play_read_key(p, w->at[1], w->where[1], &key, e));
    int r = octets_of(w, 2, w->n, &data, e);
    if (r == 0) {
        struct rd part = wr_view(&data);
        if (ecdsa_sign(p->crypto, key, &part, 1, signature) != 0)
            r = play_fail(e, w->where[0], "the signature fails");
        wr_put(ret, signature, r == 0 ? sizeof signature : 0);
        wr_done(&data);
    }
    ec_key_free(&key);
    return r;
}

static int compute_pki(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    TRY(count_is(w, 2, "pki FILE", e));
    return pki_read(p->pki, w->at[1], ret) == 0
               ? 0
               : play_fail(e, w->where[1], "the PKI: %.200s", pki_reason(p->pki));
}

static int compute_ci(struct player *p, const struct play_arguments *w, struct wr *ret,
                      struct play_error *e)
{
    enum curve curve = CURVE_P256;

    TRY(count_is(w, 2, "ci nist|brp", e));
    TRY(play_read_curve(w->at[1], w->where[1], &curve, e));
    const struct cert *ci = p->ci[curve == CURVE_P256 ? 0 : 1];
    if (ci == NULL)
        return play_fail(e, w->where[1], "the PKI has no such CI");
    wr_put_rd(ret, cert_ski(ci));
    return 0;
}

/* --- octets ------------------------------------------------------------------------------------
 */

static int compute_join(struct player *p, const struct play_arguments *w, struct wr *ret,
                        struct play_error *e)
{
    (void)p;
    return play_words_octets(w, 1, w->n, ret, e);
}

/* part OCTETS FROM N */
static int compute_part(struct player *p, const struct play_arguments *w, struct wr *ret,
                        struct play_error *e)
{
    unsigned long from, n;
    struct wr whole;

    (void)p;
    TRY(count_is(w, 4, "part OCTETS FROM N", e));
    TRY(play_word_number(w, 2, MESSAGE_MAX, &from, e));
    TRY(play_word_number(w, 3, MESSAGE_MAX, &n, e));
    TRY(octets_of(w, 1, 2, &whole, e));
    int r =
        from + n > whole.n ? play_fail(e, w->where[2], "there are only %zu octets", whole.n) : 0;
    if (r == 0 && n > 0)
        wr_put(ret, whole.p + from, n);
    wr_done(&whole);
    return r;
}

static int compute_xor(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    struct wr a, b;

    (void)p;
    TRY(count_is(w, 3, "xor OCTETS OCTETS", e));
    TRY(octets_of(w, 1, 2, &a, e));
    int r = octets_of(w, 2, 3, &b, e);
    if (r == 0 && a.n != b.n)
        r = play_fail(e, w->where[2], "%zu octets, not %zu", a.n, b.n);
    for (size_t i = 0; r == 0 && i < a.n; i++)
        wr_put_u8(ret, a.p[i] ^ b.p[i]);
    wr_done(&b); /* empty when it could not be read */
    wr_done(&a);
    return r;
}

static int compute_random(struct player *p, const struct play_arguments *w, struct wr *ret,
                          struct play_error *e)
{
    unsigned long n;

    TRY(count_is(w, 2, "random N", e));
    TRY(play_word_number(w, 1, RANDOM_MAX, &n, e));
    uint8_t *room = n > 0 ? wr_reserve(ret, n) : NULL;
    return n == 0 || (room != NULL && crypto_random(p->crypto, room, n) == 0)
               ? 0
               : play_fail(e, w->where[0], "no random octets");
}

static int compute_sha256(struct player *p, const struct play_arguments *w, struct wr *ret,
                          struct play_error *e)
{
    uint8_t hash[SHA256_LEN];
    struct wr data;

    TRY(octets_of(w, 1, w->n, &data, e));
    struct rd part = wr_view(&data);
    int r = crypto_sha256(p->crypto, &part, 1, hash) == 0
                ? 0
                : play_fail(e, w->where[0], "SHA-256 fails");
    wr_put(ret, hash, r == 0 ? sizeof hash : 0);
    wr_done(&data);
    return r;
}

/* --- ciphers -----------------------------------------------------------------------------------
 */

static int compute_aes(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    uint8_t key[AES128_KEY_LEN], in[AES_BLOCK], out[AES_BLOCK];
    struct wr octets;

    TRY(count_is(w, 3, "aes KEY OCTETS", e));
    wr_init(&octets, key, sizeof key);
    TRY(play_word_octets(w, 1, sizeof key, &octets, e));
    wr_init(&octets, in, sizeof in);
    TRY(play_word_octets(w, 2, sizeof in, &octets, e));
    if (aes128_encrypt_block(p->crypto, key, in, out) != 0)
        return play_fail(e, w->where[0], "AES fails");
    wr_put(ret, out, sizeof out);
    return 0;
}

/* "aes|des KEY OCTETS", the key in a writer of the caller's. */
static int read_cipher(const struct play_arguments *w, enum cipher_family *ret_family,
                       struct wr *ret_key, struct play_error *e)
{
    TRY(count_is(w, 4, "aes|des KEY OCTETS", e));
    if (strcmp(w->at[1], "aes") != 0 && strcmp(w->at[1], "des") != 0)
        return play_fail(e, w->where[1], "aes or des");
    *ret_family = w->at[1][0] == 'a' ? CIPHER_AES : CIPHER_DES;
    TRY(play_word_octets(w, 2, 0, ret_key, e));
    return cipher_key_fits(*ret_family, ret_key->n) ? 0 : play_fail(e, w->where[2], "no such key");
}

static int compute_cbc(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    static const uint8_t iv[CIPHER_MAX_BLOCK];
    enum cipher_family family = CIPHER_AES;
    uint8_t room[CIPHER_MAX_KEY];
    struct wr key, data;

    wr_init(&key, room, sizeof room);
    TRY(read_cipher(w, &family, &key, e));
    TRY(octets_of(w, 3, 4, &data, e));
    uint8_t *out = data.n > 0 ? wr_reserve(ret, data.n) : NULL;
    int r = out != NULL &&
                    cipher_cbc(p->crypto, family, wr_view(&key), true, iv, data.p, data.n, out) == 0
                ? 0
                : play_fail(e, w->where[3], "whole blocks, one at least");
    wr_done(&data);
    return r;
}

static int compute_mac(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    enum cipher_family family = CIPHER_AES;
    uint8_t room[CIPHER_MAX_KEY], mac[CIPHER_MAX_BLOCK];
    struct wr key, data;

    wr_init(&key, room, sizeof room);
    TRY(read_cipher(w, &family, &key, e));
    TRY(octets_of(w, 3, 4, &data, e));
    struct rd part = wr_view(&data);
    int r = cipher_mac(p->crypto, family, wr_view(&key), &part, 1, mac) == 0
                ? 0
                : play_fail(e, w->where[0], "the MAC fails");
    wr_put(ret, mac, r == 0 ? cipher_block(family) : 0);
    wr_done(&data);
    return r;
}

/* --- TLVs changed in their place -----------------------------------------------------------------
 */

enum change { CHANGE_EDIT, CHANGE_ALTER, CHANGE_DROP };

struct edit {
    const struct tlv *target; /* a view into what is copied */
    enum change change;
    struct rd contents; /* CHANGE_EDIT */
};

static void put_target(const struct edit *edit, struct wr *ret)
{
    if (edit->change == CHANGE_DROP)
        return;
    bool alter = edit->change == CHANGE_ALTER;
    tlv_put(ret, edit->target->tag, alter ? edit->target->value : edit->contents);
    if (alter && edit->target->value.n > 0 && wr_failed(ret) == 0)
        ret->p[ret->n - 1] ^= 0x01;
}

/* Copies the TLVs, and the lengths around the target anew. */
static void copy_edited(const struct edit *edit, struct rd in, unsigned depth, struct wr *ret)
{
    const uint8_t *target = edit->target->whole.p;
    struct tlv t;

    while (in.n > 0 && tlv_get(&in, &t) == 0) {
        if (t.whole.p == target && t.tag == edit->target->tag) {
            put_target(edit, ret);
        } else if (depth < MAX_NESTING && target >= t.value.p && target < t.value.p + t.value.n) {
            struct wr_mark mark = tlv_open(ret, t.tag);
            copy_edited(edit, t.value, depth + 1, ret);
            tlv_close(ret, mark);
        } else {
            wr_put_rd(ret, t.whole);
        }
    }
    wr_put_rd(ret, in); /* what is no TLV */
}

static int compute_change(struct player *p, const struct play_arguments *w, enum change change,
                          struct wr *ret, struct play_error *e)
{
    size_t n = change == CHANGE_EDIT ? 4 : 3;
    struct wr whole, contents;
    struct tlv target;

    TRY(count_is(w, n, change == CHANGE_EDIT ? "OCTETS PATH HEX" : "OCTETS PATH", e));
    TRY(octets_of(w, 1, 2, &whole, e));
    wr_init_heap(&contents, MESSAGE_MAX);
    int r = play_path_find(w->at[2], wr_view(&whole), &p->names, &target, e);
    if (r != 0)
        e->at = w->where[2];
    if (r == 0 && target.tag == 0)
        r = play_fail(e, w->where[2], "there is no such TLV");
    if (r == 0)
        r = play_words_octets(w, 3, w->n, &contents, e);
    const struct edit edit = { &target, change, wr_view(&contents) };
    if (r == 0)
        copy_edited(&edit, wr_view(&whole), 0, ret);
    wr_done(&contents);
    wr_done(&whole);
    return r;
}

static int compute_edit(struct player *p, const struct play_arguments *w, struct wr *ret,
                        struct play_error *e)
{
    return compute_change(p, w, CHANGE_EDIT, ret, e);
}

static int compute_alter(struct player *p, const struct play_arguments *w, struct wr *ret,
                         struct play_error *e)
{
    return compute_change(p, w, CHANGE_ALTER, ret, e);
}

static int compute_drop(struct player *p, const struct play_arguments *w, struct wr *ret,
                        struct play_error *e)
{
    return compute_change(p, w, CHANGE_DROP, ret, e);
}

/* --- the statement -------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    play_compute_fn *compute;
} computed[] = {
    { "package", compute_package },
    { "add-initial-eim", compute_add_initial_eim },
    { "eim-fields", compute_eim_fields },
    { "sign", compute_sign },
    { "pki", compute_pki },
    { "ci", compute_ci },
    { "issue", play_compute_issue },
    { "crl", play_compute_crl },
    { "metadata", play_compute_metadata },
    { "bind", play_compute_bind },
    { "edit", compute_edit },
    { "alter", compute_alter },
    { "drop", compute_drop },
    { "replace", play_compute_replace },
    { "path", play_compute_path },
    { "profile", play_compute_profile },
    { "certify", play_compute_certify },
    { "join", compute_join },
    { "part", compute_part },
    { "xor", compute_xor },
    { "sha256", compute_sha256 },
    { "random", compute_random },
    { "aes", compute_aes },
    { "cbc", compute_cbc },
    { "mac", compute_mac },
    { "milenage", play_compute_milenage },
    { "scp80", play_compute_scp80 },
    { "sms-pp", play_compute_sms_pp },
    { "suci-open", play_compute_suci },
};

static int compute(struct player *p, const struct play_arguments *w, struct wr *ret,
                   struct play_error *e)
{
    for (size_t i = 0; w->n > 0 && i < N_ELEMS(computed); i++)
        if (strcmp(computed[i].word, w->at[0]) == 0)
            return computed[i].compute(p, w, ret, e);
    return play_fail(e, w->where[0], "nothing that can be computed: %.40s",
                     w->n > 0 ? w->at[0] : "");
}

int play_run_compute(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr value;

    struct play_arguments *w = play_arguments_read(s->arguments[1], &p->names, e);
    if (w == NULL)
        return ERR_INPUT;
    wr_init_heap(&value, MESSAGE_MAX);
    int r = compute(p, w, &value, e);
    if (r == 0 &&
        (wr_failed(&value) != 0 || !play_names_put(&p->names, s->arguments[0], wr_view(&value))))
        r = play_fail(e, s->at, "too much, or more than %d variables", PLAY_MAX_NAMES);
    wr_done(&value);
    play_arguments_free(w);
    return r;
}
