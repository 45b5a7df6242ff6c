/* crypto.h - the card's cryptography over OpenSSL (SGP.22 2.6).
 *
 * Everything goes through a struct crypto, which holds an OpenSSL library context and the
 * algorithms fetched from it; one is shared by all cards of a process, by one thread at a time.
 * Only os/crypto.c and os/tls*.c include OpenSSL's headers.
 *
 * Results: 0, or a negative fault (os/err.h).  A signature or MAC that does not verify is not a
 * fault: those functions return bool. */
#ifndef OS_CRYPTO_H
#define OS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/buf.h"

enum {
    SHA256_LEN = 32,
    SHA1_LEN = 20,
    AES_BLOCK = 16,
    AES128_KEY_LEN = 16,
    EC_COORD_LEN = 32,
    EC_POINT_LEN = 1 + 2 * EC_COORD_LEN,  /* uncompressed, 04 first */
    EC_COMPRESSED_LEN = 1 + EC_COORD_LEN, /* 02 or 03 first */
    EC_SIGNATURE_LEN = 2 * EC_COORD_LEN,  /* r || s (SGP.22 2.6.7.2) */
    X25519_LEN = 32,
    CRYPTO_MAX_PARTS = 8,
};

enum curve {
    CURVE_UNKNOWN,
    CURVE_P256,            /* NIST P-256, 1.2.840.10045.3.1.7 */
    CURVE_BRAINPOOL_P256R1 /* 1.3.36.3.3.2.8.1.1.7 */
};

/* "P-256", "brainpoolP256r1", "unknown" */
const char *curve_name(enum curve curve);

/* By the contents of the OBJECT IDENTIFIER. */
enum curve curve_of_oid(struct rd oid);

struct crypto;
struct ec_key; /* a private key with its public part */
struct ec_pub; /* a public key */

/* The system's randomness.  With a seed (seed.n > 0), OpenSSL's TEST-RAND instead: the same calls
 * in the same order then give the same keys, challenges and signatures; for tests only.
 * Returns NULL when OpenSSL refuses. */
struct crypto *crypto_new(struct rd seed);

/* Keys and certificates are freed before. */
void crypto_free(struct crypto **c);

int crypto_random(struct crypto *c, uint8_t *ret, size_t n);

/* For tests, as nvm_cut_after() is: from now on whatever needs random octets fails with ERR_CRYPTO,
 * or no longer does. */
void crypto_fail_random(struct crypto *c, bool fail);

/* Constant time. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* Overwrites n octets in a way that the compiler keeps. */
void crypto_wipe(void *p, size_t n);

/* SHA-256 of the parts one after the other. */
int crypto_sha256(struct crypto *c, const struct rd *parts, size_t n_parts,
                  uint8_t ret[SHA256_LEN]);

/* SHA-1, where a specification names it: key identifiers (RFC 5280 4.2.1.2 method 1), the MAC of
 * GBA_U (TS 33.220 5.3.2). */
int crypto_sha1(struct crypto *c, const struct rd *parts, size_t n_parts, uint8_t ret[SHA1_LEN]);

/* HMAC-SHA-256 (RFC 2104). */
int hmac_sha256(struct crypto *c, struct rd key, struct rd data, uint8_t ret[SHA256_LEN]);

/* --- elliptic curves ------------------------------------------------------------------------ */

/* A new key pair on this curve. */
int ec_key_generate(struct crypto *c, enum curve curve, struct ec_key **ret);

/* The key pair of a private number, EC_COORD_LEN octets; ERR_INPUT unless it is in 1 to n-1. */
int ec_key_from_number(struct crypto *c, enum curve curve, struct rd number, struct ec_key **ret);

/* From PEM (SEC1 or PKCS#8) or from the DER of either.  ERR_INPUT when it is none, on a curve that
 * is not in enum curve, or when a public key beside it is not its own. */
int ec_key_read(struct crypto *c, struct rd pem_or_der, struct ec_key **ret);

/* SEC1 ECPrivateKey with the named curve and the public key, as DER / as PEM. */
int ec_key_write_der(struct crypto *c, const struct ec_key *k, struct wr *ret);
int ec_key_write_pem(struct crypto *c, const struct ec_key *k, struct wr *ret);

/* PEM of anything: label is what stands after BEGIN, such as "CERTIFICATE". */
int pem_write(const char *label, struct rd der, struct wr *ret);

enum curve ec_key_curve(const struct ec_key *k);
void ec_key_point(const struct ec_key *k, uint8_t ret[EC_POINT_LEN]);
void ec_key_free(struct ec_key **k);

/* From an uncompressed point.  ERR_INPUT unless it is 65 octets, on the curve and not infinity. */
int ec_pub_from_point(struct crypto *c, enum curve curve, struct rd point, struct ec_pub **ret);

/* From a compressed one (SEC 1 2.3.4), likewise. */
int ec_pub_from_compressed(struct crypto *c, enum curve curve, struct rd point,
                           struct ec_pub **ret);

/* The short form of an uncompressed point (SEC 1 2.3.3). */
void ec_compress(const uint8_t point[EC_POINT_LEN], uint8_t ret[EC_COMPRESSED_LEN]);

/* SubjectPublicKeyInfo with the named curve (RFC 5480). */
int ec_pub_write_der(const struct ec_pub *k, struct wr *ret);
int ec_pub_write_pem(const struct ec_pub *k, struct wr *ret);
enum curve ec_pub_curve(const struct ec_pub *k);
void ec_pub_point(const struct ec_pub *k, uint8_t ret[EC_POINT_LEN]);
void ec_pub_free(struct ec_pub **k);

/* ECDSA with SHA-256 over the parts one after the other; r || s. */
int ecdsa_sign(struct crypto *c, const struct ec_key *k, const struct rd *parts, size_t n_parts,
               uint8_t ret[EC_SIGNATURE_LEN]);
bool ecdsa_verify(struct crypto *c, const struct ec_pub *k, const struct rd *parts, size_t n_parts,
                  struct rd signature);

/* r || s to and from the ECDSA-Sig-Value of certificates and TLS (RFC 3279 2.2.3), strictly DER. */
int ecdsa_to_der(const uint8_t signature[EC_SIGNATURE_LEN], struct wr *ret);
int ecdsa_from_der(struct rd der, uint8_t ret[EC_SIGNATURE_LEN]);

/* ECKA: the X coordinate of the shared point (SGP.22 2.6.7.3); ERR_INPUT on different curves. */
int ecka(struct crypto *c, const struct ec_key *mine, const struct ec_pub *theirs,
         uint8_t ret[EC_COORD_LEN]);

/* X25519 (RFC 7748 5): the public key of a private one, and the shared secret; ERR_INPUT for a
 * public key of small order. */
int x25519_public(struct crypto *c, const uint8_t mine[X25519_LEN], uint8_t ret[X25519_LEN]);
int x25519(struct crypto *c, const uint8_t mine[X25519_LEN], const uint8_t theirs[X25519_LEN],
           uint8_t ret[X25519_LEN]);

/* BSI TR-03111 X9.63 key derivation with SHA-256: n octets from secret and shared info. */
int kdf_x963(struct crypto *c, struct rd secret, struct rd shared_info, uint8_t *ret, size_t n);

/* --- AES-128 -------------------------------------------------------------------------------- */

/* One block, ECB. */
int aes128_encrypt_block(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
                         const uint8_t in[AES_BLOCK], uint8_t ret[AES_BLOCK]);

/* CBC without padding; n is a multiple of 16 (else ERR_INPUT); in and ret may be the same. */
int aes128_cbc_encrypt(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
                       const uint8_t iv[AES_BLOCK], const uint8_t *in, size_t n, uint8_t *ret);
int aes128_cbc_decrypt(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
                       const uint8_t iv[AES_BLOCK], const uint8_t *in, size_t n, uint8_t *ret);

/* Counter mode from this counter block on (NIST SP 800-38A 6.5); in and ret may be the same. */
int aes128_ctr(struct crypto *c, const uint8_t key[AES128_KEY_LEN],
               const uint8_t counter[AES_BLOCK], const uint8_t *in, size_t n, uint8_t *ret);

/* AES-CMAC over the parts one after the other (NIST SP 800-38B). */
int aes128_cmac(struct crypto *c, const uint8_t key[AES128_KEY_LEN], const struct rd *parts,
                size_t n_parts, uint8_t ret[AES_BLOCK]);

/* --- block ciphers with keys of any length ---------------------------------------------------- */

/* DES in its triple form, whatever the length of the key: 8 octets are single DES (K1 = K2 = K3),
 * 16 two keys, 24 three.  AES keys are 16, 24 or 32 octets. */
enum cipher_family { CIPHER_DES, CIPHER_AES };

enum {
    DES_BLOCK = 8,
    CIPHER_MAX_BLOCK = AES_BLOCK,
    CIPHER_MAX_KEY = 32,
};

size_t cipher_block(enum cipher_family family);
bool cipher_key_fits(enum cipher_family family, size_t n);

/* CBC without padding, iv one block; n is a multiple of the block (else ERR_INPUT, as for a key
 * that does not fit); in and ret may be the same. */
int cipher_cbc(struct crypto *c, enum cipher_family family, struct rd key, bool encrypt,
               const uint8_t *iv, const uint8_t *in, size_t n, uint8_t *ret);

/* One block of MAC over the parts one after the other: AES-CMAC; for DES the CBC-MAC with zeros
 * behind (ISO/IEC 9797-1 algorithm 1, padding method 1). */
int cipher_mac(struct crypto *c, enum cipher_family family, struct rd key, const struct rd *parts,
               size_t n_parts, uint8_t *ret);

#endif
