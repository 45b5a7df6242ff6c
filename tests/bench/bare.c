/* bare.c - the cryptography of a download, bare.
 *
 * Algorithms are fetched and contexts made before, as a program does that cares for time. */
#include "tests/bench/bare.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tests/bench/report.h"

struct bare {
    EVP_MD *sha256;
    EVP_CIPHER *cbc;
    EVP_MAC *cmac;
    EVP_MD_CTX *md_ctx;
    EVP_CIPHER_CTX *cbc_ctx;
    EVP_MAC_CTX *cmac_ctx;
    EVP_PKEY_CTX *keygen;
    EVP_PKEY *euicc; /* some key in place of the card's */
    EVP_PKEY *eim;   /* NULL: no package was verified yet */
};

static const char *group_of(enum curve curve)
{
    return curve == CURVE_P256 ? "prime256v1" : "brainpoolP256r1";
}

struct bare *bare_new(enum curve curve)
{
    OSSL_PARAM cipher[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, (char[]){ "AES-128-CBC" }, 0),
        OSSL_PARAM_construct_end(),
    };
    struct bare *b = calloc(1, sizeof *b);

    insist(b != NULL, "no memory");
    b->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    b->cbc = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    b->cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    b->md_ctx = EVP_MD_CTX_new();
    b->cbc_ctx = EVP_CIPHER_CTX_new();
    b->cmac_ctx = EVP_MAC_CTX_new(b->cmac);
    b->keygen = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    insist(EVP_MAC_CTX_set_params(b->cmac_ctx, cipher) == 1 &&
               EVP_CipherInit_ex2(b->cbc_ctx, b->cbc, NULL, NULL, 0, NULL) == 1 &&
               EVP_CIPHER_CTX_set_padding(b->cbc_ctx, 0) == 1 &&
               EVP_PKEY_keygen_init(b->keygen) == 1 &&
               EVP_PKEY_CTX_set_group_name(b->keygen, group_of(curve)) == 1 &&
               EVP_PKEY_generate(b->keygen, &b->euicc) == 1,
           "OpenSSL starts");
    return b;
}

void bare_free(struct bare **b)
{
    EVP_PKEY_free((*b)->eim);
    EVP_PKEY_free((*b)->euicc);
    EVP_PKEY_CTX_free((*b)->keygen);
    EVP_MAC_CTX_free((*b)->cmac_ctx);
    EVP_CIPHER_CTX_free((*b)->cbc_ctx);
    EVP_MD_CTX_free((*b)->md_ctx);
    EVP_MAC_free((*b)->cmac);
    EVP_CIPHER_free((*b)->cbc);
    EVP_MD_free((*b)->sha256);
    free(*b);
    *b = NULL;
}

static void hash(struct bare *b, const struct rd *parts, size_t n_parts, uint8_t ret[SHA256_LEN])
{
    EVP_DigestInit_ex2(b->md_ctx, b->sha256, NULL);
    for (size_t i = 0; i < n_parts; i++)
        EVP_DigestUpdate(b->md_ctx, parts[i].p, parts[i].n);
    EVP_DigestFinal_ex(b->md_ctx, ret, NULL);
}

static void sign(struct bare *b, const struct rd *parts, size_t n_parts)
{
    uint8_t digest[SHA256_LEN], signature[80];
    size_t n = sizeof signature;

    hash(b, parts, n_parts, digest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, b->euicc, NULL);
    insist(EVP_PKEY_sign_init(ctx) == 1 &&
               EVP_PKEY_sign(ctx, signature, &n, digest, sizeof digest) == 1,
           "a signature is made");
    EVP_PKEY_CTX_free(ctx);
}

/* signature in DER */
static void verify(struct bare *b, EVP_PKEY *key, const struct rd *parts, size_t n_parts,
                   struct rd signature)
{
    uint8_t digest[SHA256_LEN];

    hash(b, parts, n_parts, digest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    insist(EVP_PKEY_verify_init(ctx) == 1 &&
               EVP_PKEY_verify(ctx, signature.p, signature.n, digest, sizeof digest) == 1,
           "a signature verifies");
    EVP_PKEY_CTX_free(ctx);
}

/* r || s */
static void verify_raw(struct bare *b, EVP_PKEY *key, const struct rd *parts, size_t n_parts,
                       struct rd signature)
{
    uint8_t room[80];
    struct wr der;

    wr_init(&der, room, sizeof room);
    insist(signature.n == EC_SIGNATURE_LEN && ecdsa_to_der(signature.p, &der) == 0, "r and s");
    verify(b, key, parts, n_parts, wr_view(&der));
}

static EVP_PKEY *key_of_point(enum curve curve, struct rd point)
{
    uint8_t copy[EC_POINT_LEN];
    char group[32];
    EVP_PKEY *key = NULL;

    insist(point.n == sizeof copy, "a point");
    memcpy(copy, point.p, sizeof copy);
    strcpy(group, group_of(curve));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    insist(EVP_PKEY_fromdata_init(ctx) == 1 &&
               EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1,
           "a point is a key");
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* A certificate: parsed, and verified under the CI. */
static X509 *take_certificate(struct bare *b, EVP_PKEY *ci, struct rd der)
{
    const unsigned char *p = der.p;
    struct tlv whole, tbs, algorithm, bits;

    X509 *cert = d2i_X509(NULL, &p, (long)der.n);
    insist(cert != NULL && X509_get0_pubkey(cert) != NULL, "a certificate is parsed");
    insist(tlv_get(&der, &whole) == 0 && tlv_get(&whole.value, &tbs) == 0 &&
               tlv_get(&whole.value, &algorithm) == 0 && tlv_get(&whole.value, &bits) == 0,
           "a certificate has three parts");
    verify(b, ci, &tbs.whole, 1, rd_of(bits.value.p + 1, bits.value.n - 1));
    return cert;
}

/* The fields of a request that is one TLV. */
static struct tlv field(const struct wr *message, uint32_t tag, unsigned nth)
{
    struct rd in = wr_view(message);
    struct tlv request, found = { 0 };

    insist(tlv_get(&in, &request) == 0 && tlv_find_nth(request.value, tag, nth, &found),
           "a message has its fields");
    return found;
}

/* What the card signed in an answer: the first SEQUENCE within A0. */
static struct tlv signed_part(const struct wr *answer)
{
    struct tlv ok = field(answer, 0xA0, 0), part;

    insist(tlv_get(&ok.value, &part) == 0, "an answer is signed");
    return part;
}

static void authenticate(struct bare *b, const struct download *d, EVP_PKEY *ci)
{
    struct tlv signed1 = field(&d->authenticate, 0x30, 0),
               mine = signed_part(&d->authenticate_answer);

    X509 *auth = take_certificate(b, ci, field(&d->authenticate, 0x30, 1).whole);
    verify_raw(b, X509_get0_pubkey(auth), &signed1.whole, 1,
               field(&d->authenticate, 0x5F37, 0).value);
    sign(b, &mine.whole, 1);
    X509_free(auth);
}

/* Gives the certificate that signs the package, and the card's one-time key. */
static X509 *prepare(struct bare *b, const struct download *d, EVP_PKEY *ci, EVP_PKEY **ret_otsk)
{
    struct tlv ok = field(&d->authenticate_answer, 0xA0, 0), signature1;
    struct tlv signature2 = field(&d->prepare, 0x5F37, 0);

    insist(tlv_find(ok.value, 0x5F37, &signature1), "euiccSignature1");
    X509 *pb = take_certificate(b, ci, field(&d->prepare, 0x30, 1).whole);
    const struct rd theirs[] = { field(&d->prepare, 0x30, 0).whole, signature1.whole };
    verify_raw(b, X509_get0_pubkey(pb), theirs, 2, signature2.value);
    *ret_otsk = NULL;
    insist(EVP_PKEY_generate(b->keygen, ret_otsk) == 1, "a key is made");
    const struct rd mine[] = { signed_part(&d->prepare_answer).whole, signature2.whole };
    sign(b, mine, 2);
    return pb;
}

/* InitialiseSecureChannel; keys are derived from a secret of this run, as long as the real ones. */
static void open_channel(struct bare *b, const struct download *d, X509 *pb, EVP_PKEY *otsk,
                         uint8_t keys[2 * SHA256_LEN])
{
    struct rd head = d->pieces[0];
    struct tlv isc, otpk, signature, card_otpk;
    uint8_t secret[EC_COORD_LEN], counter[4] = { 0, 0, 0, 1 }, info[40] = { 0x88, 0x10 };
    size_t n = sizeof secret;
    uint32_t tag;
    size_t len;

    insist(tlv_header(&head, &tag, &len) == 0 && tlv_get(&head, &isc) == 0 &&
               tlv_find(isc.value, 0x5F49, &otpk) && tlv_find(isc.value, 0x5F37, &signature) &&
               tlv_find(signed_part(&d->prepare_answer).value, 0x5F49, &card_otpk),
           "the package is opened");
    const struct rd parts[] = { rd_of(isc.value.p, isc.value.n - signature.whole.n),
                                card_otpk.whole };
    verify_raw(b, X509_get0_pubkey(pb), parts, 2, signature.value);

    EVP_PKEY *theirs = key_of_point(d->curve, otpk.value);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, otsk, NULL);
    insist(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1 &&
               EVP_PKEY_derive(ctx, secret, &n) == 1,
           "a secret is agreed on");
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    for (size_t i = 0; i < 2; i++, counter[3]++) {
        const struct rd kdf[] = { rd_of(secret, n), rd_of(counter, 4), rd_of(info, sizeof info) };
        hash(b, kdf, 3, keys + i * SHA256_LEN);
    }
}

static void decrypt(struct bare *b, const uint8_t *key, const uint8_t *iv, int encrypt,
                    struct rd in, uint8_t *out)
{
    int done = 0;

    insist(EVP_CipherInit_ex2(b->cbc_ctx, NULL, key, iv, encrypt, NULL) == 1 &&
               EVP_CipherUpdate(b->cbc_ctx, out, &done, in.p, (int)in.n) == 1,
           "AES");
}

static void open_segment(struct bare *b, const uint8_t *keys, struct rd segment)
{
    uint8_t zero[AES_BLOCK] = { 0 }, iv[AES_BLOCK], mac[AES_BLOCK], plain[2048];
    size_t n = 0, covered = segment.n - 8;
    struct tlv t;

    insist(EVP_MAC_init(b->cmac_ctx, keys, AES128_KEY_LEN, NULL) == 1 &&
               EVP_MAC_update(b->cmac_ctx, zero, sizeof zero) == 1 &&
               EVP_MAC_update(b->cmac_ctx, segment.p, covered) == 1 &&
               EVP_MAC_final(b->cmac_ctx, mac, &n, sizeof mac) == 1,
           "a MAC is made");
    insist(tlv_get(&segment, &t) == 0 && t.value.n <= sizeof plain, "a segment is a TLV");
    if (t.tag == 0x88)
        return;
    decrypt(b, keys + AES128_KEY_LEN, zero, 1, rd_of(zero, sizeof zero), iv);
    decrypt(b, keys + AES128_KEY_LEN, iv, 0, rd_of(t.value.p, t.value.n - 8), plain);
}

/* All pieces but the first: containers with one segment, headers of containers, segments. */
static void open_segments(struct bare *b, const struct download *d, const uint8_t *keys)
{
    for (size_t i = 1; i < d->n_pieces; i++) {
        struct rd piece = d->pieces[i];
        uint32_t tag;
        size_t len;
        if (piece.p[0] >= 0xA0 && tlv_header(&piece, &tag, &len) == 0 && piece.n == 0)
            continue;
        open_segment(b, keys, piece);
    }
}

void bare_run(struct bare *b, const struct download *d)
{
    uint8_t keys[2 * SHA256_LEN];
    EVP_PKEY *ci = key_of_point(d->curve, rd_of(d->ci_point, sizeof d->ci_point)), *otsk;
    struct rd result = wr_view(&d->result);

    authenticate(b, d, ci);
    X509 *pb = prepare(b, d, ci, &otsk);
    open_channel(b, d, pb, otsk, keys);
    open_segments(b, d, keys);
    for (unsigned i = 0; i <= d->notifications; i++)
        sign(b, &result, 1);
    X509_free(pb);
    EVP_PKEY_free(otsk);
    EVP_PKEY_free(ci);
}

void bare_package(struct bare *b, const struct package_cost *p)
{
    if (b->eim == NULL)
        b->eim = key_of_point(CURVE_P256, rd_of(p->eim_point, EC_POINT_LEN));
    verify_raw(b, b->eim, p->parts, p->n_parts, p->signature);
    sign(b, &p->result, 1);
}
