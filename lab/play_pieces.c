/* play_pieces.c - what scripts take out of octets and put into them: parts of TLVs, replaced
 * octets, and certificates that are wrong in one place and well signed
 * (docs/SCRIPTS.md, "compute"). */
#include <string.h>

#include "lab/play_model.h"
#include "lab/play_tlv.h"
#include "os/err.h"

enum {
    TAG_SEQUENCE = 0x30,
    TAG_BIT_STRING = 0x03,
};

static int want_words(const struct play_arguments *w, size_t least, size_t most,
                      struct play_error *e)
{
    if (w->n < least + 1)
        return play_fail(e, w->where[w->n], "%s wants more than that", w->at[0]);
    return w->n <= most + 1 ? 0 : play_fail(e, w->where[most + 1], "nothing belongs here");
}

/* path OCTETS PATH: the contents of what is there. */
int play_compute_path(struct player *p, const struct play_arguments *w, struct wr *ret,
                      struct play_error *e)
{
    struct tlv found = { .tag = 0 };
    struct wr in;

    TRY(want_words(w, 2, 2, e));
    wr_init_heap(&in, PLAY_VALUE_MAX);
    int r = play_word_octets(w, 1, 0, &in, e);
    if (r == 0)
        r = play_path_find(w->at[2], wr_view(&in), &p->names, &found, e);
    e->at = r == 0 ? e->at : w->where[2];
    if (r == 0 && found.tag == 0)
        r = play_fail(e, w->where[2], "there is no such TLV");
    if (r == 0)
        wr_put_rd(ret, found.value);
    wr_done(&in);
    return r;
}

/* The first place where old stands; in.n when it does not. */
static size_t place_of(struct rd in, struct rd old)
{
    for (size_t i = 0; old.n > 0 && i + old.n <= in.n; i++)
        if (memcmp(in.p + i, old.p, old.n) == 0)
            return i;
    return in.n;
}

/* replace OCTETS OLD [NEW...]: at the first place where OLD stands. */
int play_compute_replace(struct player *p, const struct play_arguments *w, struct wr *ret,
                         struct play_error *e)
{
    struct wr in, old;

    (void)p;
    TRY(want_words(w, 2, PLAY_MAX_WORDS - 1, e));
    wr_init_heap(&in, PLAY_VALUE_MAX);
    wr_init_heap(&old, PLAY_VALUE_MAX);
    int r = play_word_octets(w, 1, 0, &in, e);
    if (r == 0)
        r = play_word_octets(w, 2, 0, &old, e);
    size_t at = place_of(wr_view(&in), wr_view(&old));
    if (r == 0 && at == in.n)
        r = play_fail(e, w->where[2], "it does not stand there");
    if (r == 0) {
        wr_put(ret, in.p, at);
        r = play_words_octets(w, 3, w->n, ret, e);
        wr_put(ret, in.p + at + old.n, in.n - at - old.n);
    }
    wr_done(&in);
    wr_done(&old);
    return r;
}

static int put_certificate(struct rd tbs, const uint8_t signature[EC_SIGNATURE_LEN], struct wr *ret)
{
    static const uint8_t ecdsa_with_sha256[] = { 0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86,
                                                 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02 };
    struct wr_mark whole = tlv_open(ret, TAG_SEQUENCE);

    wr_put_rd(ret, tbs);
    wr_put(ret, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
    struct wr_mark bits = tlv_open(ret, TAG_BIT_STRING);
    wr_put_u8(ret, 0);
    TRY(ecdsa_to_der(signature, ret));
    tlv_close(ret, bits);
    tlv_close(ret, whole);
    return wr_failed(ret);
}

/* certify KEY TBS: a TBSCertificate with the signature that makes it a certificate (RFC 5280
 * 4.1). */
int play_compute_certify(struct player *p, const struct play_arguments *w, struct wr *ret,
                         struct play_error *e)
{
    uint8_t signature[EC_SIGNATURE_LEN] = { 0 };
    struct ec_key *key = NULL;
    struct wr tbs;

    TRY(want_words(w, 2, 2, e));
    TRY(play_read_key(p, w->at[1], w->where[1], &key, e));
    wr_init_heap(&tbs, PLAY_VALUE_MAX);
    int r = play_word_octets(w, 2, 0, &tbs, e);
    struct rd part = wr_view(&tbs);
    if (r == 0 && (ecdsa_sign(p->crypto, key, &part, 1, signature) != 0 ||
                   put_certificate(part, signature, ret) != 0))
        r = play_fail(e, w->where[0], "the certificate cannot be made");
    ec_key_free(&key);
    wr_done(&tbs);
    return r;
}
