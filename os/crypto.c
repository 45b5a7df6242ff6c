/* crypto.c - the card's cryptography over OpenSSL 3 (SGP.22 2.6).
 *
 * Algorithms are fetched once, because OpenSSL looks them up by name at every implicit fetch, and
 * contexts are used again.  The key schedule of the last AES key stays in such a context until the
 * next key or crypto_free() overwrites it.  Keys in DER and PEM are read and written here and not
 * with OpenSSL's decoders, which cost some 100 us a key and 100 kB at the first.
 *
 * State: struct crypto.  OpenSSL's queue of errors is left empty. */
#include "os/crypto.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "os/crypto_openssl.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    N_CURVES = 3, /* enum curve, CURVE_UNKNOWN among them */
    /* What one operation may draw in seeded mode.  Rejection sampling takes 32 octets a try. */
    SEEDED_BLOCK = 2048,
    /* SEQUENCE of two INTEGERs of at most 33 octets. */
    MAX_SIGNATURE_DER = 2 + 2 * (2 + 1 + EC_COORD_LEN),
    MAX_KEY_DER = 256,
    MAX_KEY_PEM = 1024,
    TAG_OID = 0x06,
    TAG_INTEGER = 0x02,
    TAG_BIT_STRING = 0x03,
    TAG_OCTET_STRING = 0x04,
    TAG_SEQUENCE = 0x30,
    TAG_EC_PARAMETERS = 0xA0, /* RFC 5915 3 */
    TAG_EC_PUBLIC_KEY = 0xA1,
};

struct crypto {
    OSSL_LIB_CTX *lib; /* NULL: OpenSSL's default */
    EVP_MD *sha256;
    EVP_MD *sha1;
    EVP_CIPHER *cbc;
    EVP_MAC *cmac;
    EVP_MD_CTX *md_ctx;
    EVP_CIPHER_CTX *cbc_ctx;
    EVP_MAC_CTX *cmac_ctx;
    EVP_PKEY_CTX *keygen[N_CURVES]; /* made when first needed */
    EVP_PKEY *parameters[N_CURVES]; /* likewise: a key without a key, to copy the curve from */
    bool fails;                     /* crypto_fail_random() */
    bool seeded;
    uint8_t seed[SHA256_LEN];
    uint64_t seeded_blocks; /* handed out so far */
    struct crypto_guest guest;
};

struct ec_key {
    EVP_PKEY *pkey;
    enum curve curve;
    uint8_t point[EC_POINT_LEN];
};

struct ec_pub {
    EVP_PKEY *pkey;
    enum curve curve;
    uint8_t point[EC_POINT_LEN];
};

static const uint8_t oid_ec_public_key[] = { 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01 };
static const uint8_t oid_p256[] = { 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };
static const uint8_t oid_bp256[] = { 0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07 };

static const struct curve_info {
    const char *name;  /* for people */
    const char *group; /* for OpenSSL */
    int nid;
    struct rd oid; /* contents */
} curves[N_CURVES] = {
    [CURVE_UNKNOWN] = { "unknown", NULL, NID_undef, { NULL, 0 } },
    [CURVE_P256] = { "P-256", "prime256v1", NID_X9_62_prime256v1, { oid_p256, sizeof oid_p256 } },
    [CURVE_BRAINPOOL_P256R1] = { "brainpoolP256r1",
                                 "brainpoolP256r1",
                                 NID_brainpoolP256r1,
                                 { oid_bp256, sizeof oid_bp256 } },
};

static bool known(enum curve curve)
{
    return curve == CURVE_P256 || curve == CURVE_BRAINPOOL_P256R1;
}

const char *curve_name(enum curve curve)
{
    return curves[known(curve) ? curve : CURVE_UNKNOWN].name;
}

enum curve curve_of_oid(struct rd oid)
{
    if (rd_equal(oid, curves[CURVE_P256].oid))
        return CURVE_P256;
    if (rd_equal(oid, curves[CURVE_BRAINPOOL_P256R1].oid))
        return CURVE_BRAINPOOL_P256R1;
    return CURVE_UNKNOWN;
}

/* OpenSSL's errors are kept a thread, where a later TLS call would find them. */
static int failed(int err)
{
    ERR_clear_error();
    return err;
}

/* --- set-up --------------------------------------------------------------------------------- */

/* A library context whose generators repeat what they are given, see crypto_before_random(). */
static bool open_seeded(struct crypto *c, struct rd seed)
{
    if (!EVP_Digest(seed.p, seed.n, c->seed, NULL, EVP_sha256(), NULL))
        return false;
    c->seeded = true;
    c->lib = OSSL_LIB_CTX_new();
    return c->lib != NULL && RAND_set_DRBG_type(c->lib, "TEST-RAND", NULL, NULL, NULL) == 1;
}

static bool fetch_all(struct crypto *c)
{
    const OSSL_PARAM cipher[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, (char[]){ "AES-128-CBC" }, 0),
        OSSL_PARAM_construct_end(),
    };

    c->sha256 = EVP_MD_fetch(c->lib, "SHA256", NULL);
    c->sha1 = EVP_MD_fetch(c->lib, "SHA1", NULL);
    c->cbc = EVP_CIPHER_fetch(c->lib, "AES-128-CBC", NULL);
    c->cmac = EVP_MAC_fetch(c->lib, "CMAC", NULL);
    c->md_ctx = EVP_MD_CTX_new();
    c->cbc_ctx = EVP_CIPHER_CTX_new();
    c->cmac_ctx = c->cmac != NULL ? EVP_MAC_CTX_new(c->cmac) : NULL;
    return c->sha256 != NULL && c->sha1 != NULL && c->cbc != NULL && c->md_ctx != NULL &&
           c->cbc_ctx != NULL && c->cmac_ctx != NULL &&
           EVP_EncryptInit_ex2(c->cbc_ctx, c->cbc, NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(c->cbc_ctx, 0) == 1 &&
           EVP_MAC_CTX_set_params(c->cmac_ctx, cipher) == 1;
}

struct crypto *crypto_new(struct rd seed)
{
    struct crypto *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    if ((seed.n > 0 && !open_seeded(c, seed)) || !fetch_all(c)) {
        crypto_free(&c);
        return NULL;
    }
    return c;
}

void crypto_free(struct crypto **c)
{
    struct crypto *old = *c;

    if (old == NULL)
        return;
    if (old->guest.release != NULL)
        old->guest.release(old->guest.p);
    for (size_t i = 0; i < N_CURVES; i++) {
        EVP_PKEY_CTX_free(old->keygen[i]);
        EVP_PKEY_free(old->parameters[i]);
    }
    EVP_MAC_CTX_free(old->cmac_ctx);
    EVP_CIPHER_CTX_free(old->cbc_ctx);
    EVP_MD_CTX_free(old->md_ctx);
    EVP_MAC_free(old->cmac);
    EVP_CIPHER_free(old->cbc);
    EVP_MD_free(old->sha1);
    EVP_MD_free(old->sha256);
    OSSL_LIB_CTX_free(old->lib); /* does nothing for the default */
    crypto_wipe(old, sizeof *old);
    free(old);
    *c = NULL;
    ERR_clear_error();
}

OSSL_LIB_CTX *crypto_libctx(const struct crypto *c)
{
    return c->lib;
}

struct crypto_guest *crypto_guest(struct crypto *c)
{
    return &c->guest;
}

/* --- randomness ----------------------------------------------------------------------------- */

/* The next block of the seeded stream: SHA-256 of seed, label, block number and place in it. */
static int seeded_block(struct crypto *c, uint8_t label, uint8_t ret[SEEDED_BLOCK])
{
    for (size_t at = 0; at < SEEDED_BLOCK; at += SHA256_LEN) {
        uint8_t place[1 + 8 + 2] = { label };

        for (size_t i = 0; i < 8; i++)
            place[1 + i] = (uint8_t)(c->seeded_blocks >> (56 - 8 * i));
        place[9] = (uint8_t)(at >> 8);
        place[10] = (uint8_t)at;
        const struct rd parts[] = { rd_of(c->seed, sizeof c->seed), rd_of(place, sizeof place) };
        TRY(crypto_sha256(c, parts, N_ELEMS(parts), ret + at));
    }
    return 0;
}

static int refill(struct crypto *c, EVP_RAND_CTX *generator, uint8_t label)
{
    uint8_t block[SEEDED_BLOCK];

    TRY(seeded_block(c, label, block));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY, block, sizeof block),
        OSSL_PARAM_construct_end(),
    };
    int done = generator != NULL && EVP_RAND_CTX_set_params(generator, params) == 1;
    crypto_wipe(block, sizeof block);
    return done ? 0 : failed(ERR_CRYPTO);
}

void crypto_fail_random(struct crypto *c, bool fail)
{
    c->fails = fail;
}

int crypto_before_random(struct crypto *c)
{
    if (c->fails)
        return ERR_CRYPTO;
    if (!c->seeded)
        return 0;
    c->seeded_blocks++;
    TRY(refill(c, RAND_get0_public(c->lib), 'u'));
    return refill(c, RAND_get0_private(c->lib), 'r');
}

int crypto_random(struct crypto *c, uint8_t *ret, size_t n)
{
    while (n > 0) {
        size_t now = n < SEEDED_BLOCK ? n : SEEDED_BLOCK;

        TRY(crypto_before_random(c));
        if (RAND_bytes_ex(c->lib, ret, now, 0) != 1)
            return failed(ERR_CRYPTO);
        ret += now;
        n -= now;
    }
    return 0;
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

/* --- hashes --------------------------------------------------------------------------------- */

static int digest(struct crypto *c, const EVP_MD *md, const struct rd *parts, size_t n_parts,
                  uint8_t *ret)
{
    int ok = EVP_DigestInit_ex2(c->md_ctx, md, NULL);

    for (size_t i = 0; ok == 1 && i < n_parts; i++)
        if (parts[i].n > 0)
            ok = EVP_DigestUpdate(c->md_ctx, parts[i].p, parts[i].n);
    if (ok == 1)
        ok = EVP_DigestFinal_ex(c->md_ctx, ret, NULL);
    return ok == 1 ? 0 : failed(ERR_CRYPTO);
}

int crypto_sha256(struct crypto *c, const struct rd *parts, size_t n_parts, uint8_t ret[SHA256_LEN])
{
    return digest(c, c->sha256, parts, n_parts, ret);
}

int crypto_sha1(struct crypto *c, const struct rd *parts, size_t n_parts, uint8_t ret[SHA1_LEN])
{
    return digest(c, c->sha1, parts, n_parts, ret);
}

int hmac_sha256(struct crypto *c, struct rd key, struct rd data, uint8_t ret[SHA256_LEN])
{
    size_t n = 0;

    if (EVP_Q_mac(c->lib, "HMAC", NULL, "SHA256", NULL, key.p, key.n, data.p, data.n, ret,
                  SHA256_LEN, &n) == NULL ||
        n != SHA256_LEN)
        return failed(ERR_CRYPTO);
    return 0;
}

int kdf_x963(struct crypto *c, struct rd secret, struct rd shared_info, uint8_t *ret, size_t n)
{
    uint8_t block[SHA256_LEN];
    int err = 0;

    for (uint32_t counter = 1; err == 0 && n > 0; counter++) {
        const uint8_t number[] = { (uint8_t)(counter >> 24), (uint8_t)(counter >> 16),
                                   (uint8_t)(counter >> 8), (uint8_t)counter };
        const struct rd parts[] = { secret, rd_of(number, sizeof number), shared_info };
        size_t now = n < sizeof block ? n : sizeof block;

        err = crypto_sha256(c, parts, N_ELEMS(parts), block);
        if (err == 0)
            memcpy(ret, block, now);
        ret += now;
        n -= now;
    }
    crypto_wipe(block, sizeof block);
    return err;
}

/* --- keys ----------------------------------------------------------------------------------- */

/* Takes pkey over, also on failure. */
static int key_of_pkey(EVP_PKEY *pkey, enum curve curve, struct ec_key **ret)
{
    struct ec_key *k = calloc(1, sizeof *k);
    size_t n = 0;

    if (k == NULL) {
        EVP_PKEY_free(pkey);
        return ERR_NOMEM;
    }
    k->pkey = pkey;
    k->curve = curve;
    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, k->point,
                                        sizeof k->point, &n) != 1 ||
        n != sizeof k->point) {
        ec_key_free(&k);
        return failed(ERR_CRYPTO);
    }
    *ret = k;
    return 0;
}

static EVP_PKEY_CTX *keygen_ctx(struct crypto *c, enum curve curve)
{
    if (c->keygen[curve] != NULL)
        return c->keygen[curve];
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(c->lib, "EC", NULL);
    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_group_name(ctx, curves[curve].group) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    return c->keygen[curve] = ctx;
}

int ec_key_generate(struct crypto *c, enum curve curve, struct ec_key **ret)
{
    EVP_PKEY *pkey = NULL;

    if (!known(curve))
        return ERR_BUG;
    TRY(crypto_before_random(c));
    EVP_PKEY_CTX *ctx = keygen_ctx(c, curve);
    if (ctx == NULL || EVP_PKEY_generate(ctx, &pkey) != 1)
        return failed(ERR_CRYPTO);
    return key_of_pkey(pkey, curve, ret);
}

/* The point that belongs to a private number, which must be in 1 to n-1. */
static int point_of_scalar(struct crypto *c, enum curve curve, struct rd scalar,
                           uint8_t ret[EC_POINT_LEN])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(c->lib, NULL, curves[curve].nid);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    BIGNUM *d = BN_bin2bn(scalar.p, (int)scalar.n, NULL);
    int result = ERR_CRYPTO;

    if (point == NULL || d == NULL)
        goto done;
    result = ERR_INPUT;
    if (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(group)) >= 0)
        goto done;
    result = ERR_CRYPTO;
    BN_set_flags(d, BN_FLG_CONSTTIME);
    if (EC_POINT_mul(group, point, d, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret, EC_POINT_LEN, NULL) ==
            EC_POINT_LEN)
        result = 0;
done:
    BN_clear_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return result != 0 ? failed(result) : 0;
}

/* OpenSSL takes numbers in the machine's order of octets. */
static void to_native(struct rd big_endian, uint8_t ret[EC_COORD_LEN])
{
    const union {
        uint16_t word;
        uint8_t octet[2];
    } order = { .word = 1 };
    bool little = order.octet[0] == 1;

    for (size_t i = 0; i < EC_COORD_LEN; i++)
        ret[little ? EC_COORD_LEN - 1 - i : i] = big_endian.p[i];
}

static EVP_PKEY *pkey_of_scalar(struct crypto *c, enum curve curve, struct rd scalar,
                                uint8_t point[EC_POINT_LEN])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(c->lib, "EC", NULL);
    EVP_PKEY *pkey = NULL;
    uint8_t native[EC_COORD_LEN];
    char group[32];

    to_native(scalar, native);
    strcpy(group, curves[curve].group);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof native),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, EC_POINT_LEN),
        OSSL_PARAM_construct_end(),
    };
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    crypto_wipe(native, sizeof native);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

int ec_key_from_number(struct crypto *c, enum curve curve, struct rd number, struct ec_key **ret)
{
    uint8_t point[EC_POINT_LEN];

    if (!known(curve) || number.n != EC_COORD_LEN)
        return ERR_INPUT;
    TRY(crypto_before_random(c)); /* OpenSSL blinds the multiplication */
    TRY(point_of_scalar(c, curve, number, point));
    EVP_PKEY *pkey = pkey_of_scalar(c, curve, number, point);
    if (pkey == NULL)
        return failed(ERR_CRYPTO);
    return key_of_pkey(pkey, curve, ret);
}

/* Whether in is the BIT STRING of this point. */
static bool is_point_bits(struct rd in, const uint8_t point[EC_POINT_LEN])
{
    struct tlv bits;

    return tlv_expect(&in, TAG_BIT_STRING, &bits) == 0 && bits.value.n == 1 + EC_POINT_LEN &&
           memcmp(bits.value.p + 1, point, EC_POINT_LEN) == 0;
}

/* RFC 5915 3.  The curve may be known from around it (PKCS#8); the public key may be absent but
 * must be the right one. */
static int read_sec1(struct crypto *c, struct rd der, enum curve curve, struct ec_key **ret)
{
    struct tlv whole, version, scalar, t, oid;

    TRY(tlv_expect(&der, TAG_SEQUENCE, &whole));
    TRY(tlv_expect(&whole.value, TAG_INTEGER, &version));
    TRY(tlv_expect(&whole.value, TAG_OCTET_STRING, &scalar));
    if (der.n != 0 || !rd_equal(version.value, rd_of("\1", 1)) || scalar.value.n != EC_COORD_LEN)
        return ERR_INPUT;
    if (tlv_find(whole.value, TAG_EC_PARAMETERS, &t)) {
        TRY(tlv_expect(&t.value, TAG_OID, &oid));
        if (curve != CURVE_UNKNOWN && curve != curve_of_oid(oid.value))
            return ERR_INPUT;
        curve = curve_of_oid(oid.value);
    }
    if (!known(curve))
        return ERR_INPUT;
    struct ec_key *k = NULL;
    TRY(ec_key_from_number(c, curve, scalar.value, &k));
    if (tlv_find(whole.value, TAG_EC_PUBLIC_KEY, &t) && !is_point_bits(t.value, k->point)) {
        ec_key_free(&k);
        return ERR_INPUT;
    }
    *ret = k;
    return 0;
}

/* RFC 5208 5 around RFC 5915 3. */
static int read_pkcs8(struct crypto *c, struct rd der, struct ec_key **ret)
{
    struct tlv whole, version, algorithm, kind, oid, key;

    TRY(tlv_expect(&der, TAG_SEQUENCE, &whole));
    TRY(tlv_expect(&whole.value, TAG_INTEGER, &version));
    TRY(tlv_expect(&whole.value, TAG_SEQUENCE, &algorithm));
    TRY(tlv_expect(&whole.value, TAG_OCTET_STRING, &key));
    TRY(tlv_expect(&algorithm.value, TAG_OID, &kind));
    TRY(tlv_expect(&algorithm.value, TAG_OID, &oid));
    if (der.n != 0 || !rd_equal(kind.value, rd_of(oid_ec_public_key, sizeof oid_ec_public_key)) ||
        curve_of_oid(oid.value) == CURVE_UNKNOWN)
        return ERR_INPUT;
    return read_sec1(c, key.value, curve_of_oid(oid.value), ret);
}

static int read_der(struct crypto *c, struct rd der, struct ec_key **ret)
{
    struct rd at = der;
    struct tlv whole, version, next;

    TRY(tlv_expect(&at, TAG_SEQUENCE, &whole));
    TRY(tlv_expect(&whole.value, TAG_INTEGER, &version));
    TRY(tlv_get(&whole.value, &next));
    return next.tag == TAG_SEQUENCE ? read_pkcs8(c, der, ret)
                                    : read_sec1(c, der, CURVE_UNKNOWN, ret);
}

/* The first private key of a PEM text, which may have EC PARAMETERS before it. */
static int read_pem(struct crypto *c, struct rd pem, struct ec_key **ret)
{
    BIO *bio = pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    int result = ERR_INPUT;
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long n = 0;

    if (bio == NULL)
        return failed(ERR_NOMEM);
    while (result != 0 && PEM_read_bio(bio, &name, &header, &der, &n) == 1) {
        size_t len = (size_t)n;

        /* A header means that it is encrypted. */
        if (header[0] == '\0' &&
            (strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0 || strcmp(name, PEM_STRING_PKCS8INF) == 0))
            result = read_der(c, rd_of(der, len), ret);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, len);
    }
    BIO_free(bio);
    return result != 0 ? failed(result) : failed(0);
}

int ec_key_read(struct crypto *c, struct rd pem_or_der, struct ec_key **ret)
{
    if (pem_or_der.n > 0 && pem_or_der.p[0] == TAG_SEQUENCE)
        return read_der(c, pem_or_der, ret);
    return read_pem(c, pem_or_der, ret);
}

static int private_number(const struct ec_key *k, uint8_t ret[EC_COORD_LEN])
{
    BIGNUM *d = NULL;

    int ok = EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1 &&
             BN_bn2binpad(d, ret, EC_COORD_LEN) == EC_COORD_LEN;
    BN_clear_free(d);
    return ok ? 0 : failed(ERR_CRYPTO);
}

static void put_point_bits(struct wr *w, const uint8_t point[EC_POINT_LEN])
{
    tlv_put_header(w, TAG_BIT_STRING, 1 + EC_POINT_LEN);
    wr_put_u8(w, 0); /* unused bits */
    wr_put(w, point, EC_POINT_LEN);
}

int ec_key_write_der(struct crypto *c, const struct ec_key *k, struct wr *ret)
{
    uint8_t number[EC_COORD_LEN];

    (void)c;
    TRY(private_number(k, number));
    struct wr_mark whole = tlv_open(ret, TAG_SEQUENCE);
    tlv_put_u8(ret, TAG_INTEGER, 1);
    tlv_put(ret, TAG_OCTET_STRING, rd_of(number, sizeof number));
    struct wr_mark parameters = tlv_open(ret, TAG_EC_PARAMETERS);
    tlv_put(ret, TAG_OID, curves[k->curve].oid);
    tlv_close(ret, parameters);
    struct wr_mark public = tlv_open(ret, TAG_EC_PUBLIC_KEY);
    put_point_bits(ret, k->point);
    tlv_close(ret, public);
    tlv_close(ret, whole);
    crypto_wipe(number, sizeof number);
    return wr_failed(ret);
}

int pem_write(const char *label, struct rd der, struct wr *ret)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    int result = ERR_CRYPTO;

    if (bio != NULL && PEM_write_bio(bio, label, "", der.p, (long)der.n) > 0) {
        long n = BIO_get_mem_data(bio, &text);
        wr_put(ret, text, (size_t)n);
        result = wr_failed(ret);
    }
    BIO_free(bio);
    return result != 0 ? failed(result) : 0;
}

int ec_key_write_pem(struct crypto *c, const struct ec_key *k, struct wr *ret)
{
    uint8_t octets[MAX_KEY_DER];
    struct wr der;

    wr_init(&der, octets, sizeof octets);
    int result = ec_key_write_der(c, k, &der);
    if (result == 0)
        result = pem_write(PEM_STRING_ECPRIVATEKEY, wr_view(&der), ret);
    crypto_wipe(octets, sizeof octets);
    return result;
}

enum curve ec_key_curve(const struct ec_key *k)
{
    return k->curve;
}

void ec_key_point(const struct ec_key *k, uint8_t ret[EC_POINT_LEN])
{
    memcpy(ret, k->point, EC_POINT_LEN);
}

void ec_key_free(struct ec_key **k)
{
    if (*k == NULL)
        return;
    EVP_PKEY_free((*k)->pkey);
    free(*k);
    *k = NULL;
}

/* Copying a curve costs a third of looking it up by name. */
static EVP_PKEY *parameters_of(struct crypto *c, enum curve curve)
{
    EVP_PKEY *pkey = NULL;

    if (c->parameters[curve] != NULL)
        return c->parameters[curve];
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(c->lib, "EC", NULL);
    if (ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_group_name(ctx, curves[curve].group) == 1 &&
        EVP_PKEY_paramgen(ctx, &pkey) == 1)
        c->parameters[curve] = pkey;
    EVP_PKEY_CTX_free(ctx);
    return c->parameters[curve];
}

int ec_pub_from_point(struct crypto *c, enum curve curve, struct rd point, struct ec_pub **ret)
{
    /* Anything but an uncompressed point is refused here, so that OpenSSL sees no compressed or
     * hybrid one; what is off the curve it refuses itself. */
    if (!known(curve) || point.n != EC_POINT_LEN || point.p[0] != POINT_CONVERSION_UNCOMPRESSED)
        return ERR_INPUT;
    EVP_PKEY *parameters = parameters_of(c, curve);
    struct ec_pub *k = calloc(1, sizeof *k);
    if (k == NULL)
        return ERR_NOMEM;
    k->curve = curve;
    memcpy(k->point, point.p, EC_POINT_LEN);
    k->pkey = EVP_PKEY_new();
    int result = ERR_CRYPTO;
    if (parameters != NULL && k->pkey != NULL && EVP_PKEY_copy_parameters(k->pkey, parameters) == 1)
        result = EVP_PKEY_set1_encoded_public_key(k->pkey, point.p, point.n) == 1 ? 0 : ERR_INPUT;
    if (result != 0) {
        ec_pub_free(&k);
        return failed(result);
    }
    *ret = k;
    return 0;
}

int ec_pub_from_compressed(struct crypto *c, enum curve curve, struct rd point, struct ec_pub **ret)
{
    uint8_t whole[EC_POINT_LEN];

    if (!known(curve) || point.n != EC_COMPRESSED_LEN || (point.p[0] & 0xFE) != 0x02)
        return ERR_INPUT;
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(c->lib, NULL, curves[curve].nid);
    EC_POINT *p = group != NULL ? EC_POINT_new(group) : NULL;
    int result = ERR_CRYPTO;
    if (p != NULL && EC_POINT_oct2point(group, p, point.p, point.n, NULL) != 1)
        result = ERR_INPUT;
    else if (p != NULL && EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, whole,
                                             sizeof whole, NULL) == sizeof whole)
        result = 0;
    EC_POINT_free(p);
    EC_GROUP_free(group);
    return result != 0 ? failed(result)
                       : ec_pub_from_point(c, curve, rd_of(whole, sizeof whole), ret);
}

void ec_compress(const uint8_t point[EC_POINT_LEN], uint8_t ret[EC_COMPRESSED_LEN])
{
    ret[0] = (uint8_t)(0x02 | (point[EC_POINT_LEN - 1] & 1));
    memcpy(ret + 1, point + 1, EC_COORD_LEN);
}

int ec_pub_write_der(const struct ec_pub *k, struct wr *ret)
{
    struct wr_mark whole = tlv_open(ret, TAG_SEQUENCE);
    struct wr_mark algorithm = tlv_open(ret, TAG_SEQUENCE);
    tlv_put(ret, TAG_OID, rd_of(oid_ec_public_key, sizeof oid_ec_public_key));
    tlv_put(ret, TAG_OID, curves[k->curve].oid);
    tlv_close(ret, algorithm);
    put_point_bits(ret, k->point);
    tlv_close(ret, whole);
    return wr_failed(ret);
}

int ec_pub_write_pem(const struct ec_pub *k, struct wr *ret)
{
    uint8_t octets[MAX_KEY_DER];
    struct wr der;

    wr_init(&der, octets, sizeof octets);
    TRY(ec_pub_write_der(k, &der));
    return pem_write(PEM_STRING_PUBLIC, wr_view(&der), ret);
}

enum curve ec_pub_curve(const struct ec_pub *k)
{
    return k->curve;
}

void ec_pub_point(const struct ec_pub *k, uint8_t ret[EC_POINT_LEN])
{
    memcpy(ret, k->point, EC_POINT_LEN);
}

void ec_pub_free(struct ec_pub **k)
{
    if (*k == NULL)
        return;
    EVP_PKEY_free((*k)->pkey);
    free(*k);
    *k = NULL;
}

/* --- signatures and key agreement ----------------------------------------------------------- */

/* One INTEGER of an ECDSA-Sig-Value, left-padded. */
static int take_coordinate(struct rd *in, uint8_t ret[EC_COORD_LEN])
{
    struct tlv t;

    TRY(tlv_expect(in, TAG_INTEGER, &t));
    while (t.value.n > EC_COORD_LEN && t.value.p[0] == 0)
        t.value = rd_of(t.value.p + 1, t.value.n - 1);
    if (t.value.n == 0 || t.value.n > EC_COORD_LEN)
        return ERR_INPUT;
    memset(ret, 0, EC_COORD_LEN - t.value.n);
    memcpy(ret + EC_COORD_LEN - t.value.n, t.value.p, t.value.n);
    return 0;
}

static void put_coordinate(struct wr *w, const uint8_t coordinate[EC_COORD_LEN])
{
    struct rd v = rd_of(coordinate, EC_COORD_LEN);

    while (v.n > 1 && v.p[0] == 0)
        v = rd_of(v.p + 1, v.n - 1);
    bool sign_octet = v.p[0] & 0x80; /* would read as negative */
    tlv_put_header(w, TAG_INTEGER, v.n + sign_octet);
    if (sign_octet)
        wr_put_u8(w, 0);
    wr_put_rd(w, v);
}

int ecdsa_to_der(const uint8_t signature[EC_SIGNATURE_LEN], struct wr *ret)
{
    struct wr_mark whole = tlv_open(ret, TAG_SEQUENCE);

    put_coordinate(ret, signature);
    put_coordinate(ret, signature + EC_COORD_LEN);
    tlv_close(ret, whole);
    return wr_failed(ret);
}

/* Strict: what would not be written like this is refused. */
int ecdsa_from_der(struct rd der, uint8_t ret[EC_SIGNATURE_LEN])
{
    uint8_t signature[EC_SIGNATURE_LEN], octets[MAX_SIGNATURE_DER];
    struct rd at = der;
    struct tlv whole;
    struct wr again;

    TRY(tlv_expect(&at, TAG_SEQUENCE, &whole));
    TRY(take_coordinate(&whole.value, signature));
    TRY(take_coordinate(&whole.value, signature + EC_COORD_LEN));
    wr_init(&again, octets, sizeof octets);
    TRY(ecdsa_to_der(signature, &again));
    if (!rd_equal(der, wr_view(&again)))
        return ERR_INPUT;
    memcpy(ret, signature, sizeof signature);
    return 0;
}

int ecdsa_sign(struct crypto *c, const struct ec_key *k, const struct rd *parts, size_t n_parts,
               uint8_t ret[EC_SIGNATURE_LEN])
{
    uint8_t hash[SHA256_LEN], der[MAX_SIGNATURE_DER];
    size_t n = sizeof der;

    TRY(crypto_sha256(c, parts, n_parts, hash));
    TRY(crypto_before_random(c));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(c->lib, k->pkey, NULL);
    int ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
             EVP_PKEY_sign(ctx, der, &n, hash, sizeof hash) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok || ecdsa_from_der(rd_of(der, n), ret) != 0)
        return failed(ERR_CRYPTO);
    return 0;
}

bool ecdsa_verify(struct crypto *c, const struct ec_pub *k, const struct rd *parts, size_t n_parts,
                  struct rd signature)
{
    uint8_t hash[SHA256_LEN], octets[MAX_SIGNATURE_DER];
    struct wr der;

    wr_init(&der, octets, sizeof octets);
    if (signature.n != EC_SIGNATURE_LEN || ecdsa_to_der(signature.p, &der) != 0 ||
        crypto_sha256(c, parts, n_parts, hash) != 0)
        return false;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(c->lib, k->pkey, NULL);
    bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
              EVP_PKEY_verify(ctx, der.p, der.n, hash, sizeof hash) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        ERR_clear_error();
    return ok;
}

int ecka(struct crypto *c, const struct ec_key *mine, const struct ec_pub *theirs,
         uint8_t ret[EC_COORD_LEN])
{
    size_t n = EC_COORD_LEN;

    if (mine->curve != theirs->curve)
        return ERR_INPUT;
    TRY(crypto_before_random(c)); /* OpenSSL blinds the multiplication */
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(c->lib, mine->pkey, NULL);
    /* The point was checked when it came in, and both curves have cofactor 1. */
    int ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
             EVP_PKEY_derive_set_peer_ex(ctx, theirs->pkey, 0) == 1 &&
             EVP_PKEY_derive(ctx, ret, &n) == 1 && n == EC_COORD_LEN;
    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : failed(ERR_CRYPTO);
}

static EVP_PKEY *x25519_key(struct crypto *c, const uint8_t mine[X25519_LEN])
{
    return EVP_PKEY_new_raw_private_key_ex(c->lib, "X25519", NULL, mine, X25519_LEN);
}

int x25519_public(struct crypto *c, const uint8_t mine[X25519_LEN], uint8_t ret[X25519_LEN])
{
    EVP_PKEY *key = x25519_key(c, mine);
    size_t n = X25519_LEN;

    int ok = key != NULL && EVP_PKEY_get_raw_public_key(key, ret, &n) == 1 && n == X25519_LEN;
    EVP_PKEY_free(key);
    return ok ? 0 : failed(ERR_CRYPTO);
}

int x25519(struct crypto *c, const uint8_t mine[X25519_LEN], const uint8_t theirs[X25519_LEN],
           uint8_t ret[X25519_LEN])
{
    EVP_PKEY *key = x25519_key(c, mine);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(c->lib, "X25519", NULL, theirs, X25519_LEN);
    EVP_PKEY_CTX *ctx = key != NULL ? EVP_PKEY_CTX_new_from_pkey(c->lib, key, NULL) : NULL;
    size_t n = X25519_LEN;
    int result = ERR_CRYPTO;

    /* Once everything is set up, the only refusal left is a secret of zeros (RFC 7748 6.1). */
    if (ctx != NULL && peer != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
        EVP_PKEY_derive_set_peer(ctx, peer) == 1)
        result = EVP_PKEY_derive(ctx, ret, &n) == 1 && n == X25519_LEN ? 0 : ERR_INPUT;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
    return result != 0 ? failed(result) : 0;
}

/* --- AES-128 -------------------------------------------------------------------------------- */

static int cbc(struct crypto *c, int encrypt, const uint8_t key[AES128_KEY_LEN],
               const uint8_t iv[AES_BLOCK], const uint8_t *in, size_t n, uint8_t *ret)
{
    int done = 0;

    if (n % AES_BLOCK != 0 || n > INT_MAX)
        return ERR_INPUT;
    if (EVP_CipherInit_ex2(c->cbc_ctx, NULL, key, iv, encrypt, NULL) != 1 ||
        EVP_CipherUpdate(c->cbc_ctx, ret, &done, in, (int)n) != 1 || (size_t)done != n)
        return failed(ERR_CRYPTO);
    return 0;
}

int aes128_cbc_encrypt(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
                       const uint8_t iv[AES_BLOCK], const uint8_t *in, size_t n, uint8_t *ret)
{
    return cbc(c, 1, key, iv, in, n, ret);
}

int aes128_cbc_decrypt(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
                       const uint8_t iv[AES_BLOCK], const uint8_t *in, size_t n, uint8_t *ret)
{
    return cbc(c, 0, key, iv, in, n, ret);
}

int aes128_encrypt_block(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
                         const uint8_t in[AES_BLOCK], uint8_t ret[AES_BLOCK])
{
    static const uint8_t zero[AES_BLOCK];

    return cbc(c, 1, key, zero, in, AES_BLOCK, ret);
}

int aes128_ctr(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
               const uint8_t counter[AES_BLOCK], const uint8_t *in, size_t n, uint8_t *ret)
{
    uint8_t block[AES_BLOCK], stream[AES_BLOCK];
    int err = 0;

    memcpy(block, counter, sizeof block);
    while (err == 0 && n > 0) {
        size_t now = n < sizeof stream ? n : sizeof stream;

        err = aes128_encrypt_block(c, key, block, stream);
        for (size_t i = 0; err == 0 && i < now; i++)
            ret[i] = in[i] ^ stream[i];
        for (size_t i = sizeof block; i-- > 0 && ++block[i] == 0;)
            ;
        in += now;
        ret += now;
        n -= now;
    }
    crypto_wipe(stream, sizeof stream);
    return err;
}

int aes128_cmac(struct crypto *c, const uint8_t key[AES128_KEY_LEN], const struct rd *parts,
                size_t n_parts, uint8_t ret[AES_BLOCK])
{
    size_t n = 0;
    int ok = EVP_MAC_init(c->cmac_ctx, key, AES128_KEY_LEN, NULL);

    for (size_t i = 0; ok == 1 && i < n_parts; i++)
        if (parts[i].n > 0)
            ok = EVP_MAC_update(c->cmac_ctx, parts[i].p, parts[i].n);
    if (ok == 1)
        ok = EVP_MAC_final(c->cmac_ctx, ret, &n, AES_BLOCK);
    return ok == 1 && n == AES_BLOCK ? 0 : failed(ERR_CRYPTO);
}

/* --- block ciphers with keys of any length ---------------------------------------------------- */

/* Used a few times in the life of a card: fetched when needed. */
static const struct cipher_name {
    enum cipher_family family;
    size_t key_len;
    char cbc[16]; /* OSSL_PARAM wants it writable */
} cipher_names[] = {
    { CIPHER_DES, 8, "DES-EDE3-CBC" },  { CIPHER_DES, 16, "DES-EDE3-CBC" },
    { CIPHER_DES, 24, "DES-EDE3-CBC" }, { CIPHER_AES, 16, "AES-128-CBC" },
    { CIPHER_AES, 24, "AES-192-CBC" },  { CIPHER_AES, 32, "AES-256-CBC" },
};

static const struct cipher_name *cipher_named(enum cipher_family family, size_t key_len)
{
    for (size_t i = 0; i < sizeof cipher_names / sizeof cipher_names[0]; i++)
        if (cipher_names[i].family == family && cipher_names[i].key_len == key_len)
            return &cipher_names[i];
    return NULL;
}

size_t cipher_block(enum cipher_family family)
{
    return family == CIPHER_DES ? DES_BLOCK : AES_BLOCK;
}

bool cipher_key_fits(enum cipher_family family, size_t n)
{
    return cipher_named(family, n) != NULL;
}

/* The key as its cipher takes it: DES keys become K1 || K2 || K3. */
static void expand_key(enum cipher_family family, struct rd key, uint8_t ret[CIPHER_MAX_KEY])
{
    enum { TRIPLE = 24 };

    memcpy(ret, key.p, key.n);
    for (size_t n = key.n; family == CIPHER_DES && n < TRIPLE; n++)
        ret[n] = ret[n - key.n];
}

static EVP_CIPHER_CTX *cipher_open(struct crypto *c, enum cipher_family family, struct rd key,
                                   bool encrypt, const uint8_t *iv)
{
    uint8_t whole[CIPHER_MAX_KEY];
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(c->lib, cipher_named(family, key.n)->cbc, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    expand_key(family, key, whole);
    if (cipher == NULL || ctx == NULL ||
        EVP_CipherInit_ex2(ctx, cipher, whole, iv, encrypt, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    crypto_wipe(whole, sizeof whole);
    EVP_CIPHER_free(cipher); /* the context holds on to it */
    return ctx;
}

int cipher_cbc(struct crypto *c, enum cipher_family family, struct rd key, bool encrypt,
               const uint8_t *iv, const uint8_t *in, size_t n, uint8_t *ret)
{
    int done = 0;

    if (!cipher_key_fits(family, key.n) || n % cipher_block(family) != 0 || n > INT_MAX)
        return ERR_INPUT;
    EVP_CIPHER_CTX *ctx = cipher_open(c, family, key, encrypt, iv);
    int ok = ctx != NULL && EVP_CipherUpdate(ctx, ret, &done, in, (int)n) == 1 && (size_t)done == n;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : failed(ERR_CRYPTO);
}

static int cbc_mac_des(struct crypto *c, struct rd key, const struct rd *parts, size_t n_parts,
                       uint8_t *ret)
{
    static const uint8_t zero[DES_BLOCK];
    uint8_t block[DES_BLOCK] = { 0 }, mac[DES_BLOCK] = { 0 };
    size_t at = 0;
    int done = 0, ok = 1;
    EVP_CIPHER_CTX *ctx = cipher_open(c, CIPHER_DES, key, true, zero);

    if (ctx == NULL)
        return failed(ERR_CRYPTO);
    for (size_t i = 0; i < n_parts; i++)
        for (size_t j = 0; ok == 1 && j < parts[i].n; j++) {
            block[at++] = parts[i].p[j];
            if (at < DES_BLOCK)
                continue;
            ok = EVP_CipherUpdate(ctx, mac, &done, block, DES_BLOCK);
            memset(block, 0, sizeof block);
            at = 0;
        }
    if (ok == 1 && at > 0)
        ok = EVP_CipherUpdate(ctx, mac, &done, block, DES_BLOCK);
    EVP_CIPHER_CTX_free(ctx);
    if (ok != 1)
        return failed(ERR_CRYPTO);
    memcpy(ret, mac, sizeof mac);
    return 0;
}

static int cmac_aes(struct crypto *c, struct rd key, const struct rd *parts, size_t n_parts,
                    uint8_t *ret)
{
    struct cipher_name name = *cipher_named(CIPHER_AES, key.n);
    const OSSL_PARAM cipher[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name.cbc, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(c->cmac);
    size_t n = 0;
    int ok = ctx != NULL ? EVP_MAC_init(ctx, key.p, key.n, cipher) : 0;

    for (size_t i = 0; ok == 1 && i < n_parts; i++)
        if (parts[i].n > 0)
            ok = EVP_MAC_update(ctx, parts[i].p, parts[i].n);
    if (ok == 1)
        ok = EVP_MAC_final(ctx, ret, &n, AES_BLOCK);
    EVP_MAC_CTX_free(ctx);
    return ok == 1 && n == AES_BLOCK ? 0 : failed(ERR_CRYPTO);
}

int cipher_mac(struct crypto *c, enum cipher_family family, struct rd key, const struct rd *parts,
               size_t n_parts, uint8_t *ret)
{
    if (!cipher_key_fits(family, key.n))
        return ERR_INPUT;
    return family == CIPHER_DES ? cbc_mac_des(c, key, parts, n_parts, ret)
                                : cmac_aes(c, key, parts, n_parts, ret);
}
