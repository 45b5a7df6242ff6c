/* crypto_openssl.h - what os/tls.c needs of os/crypto.c beside os/crypto.h: OpenSSL's own objects.
 *
 * The types are OpenSSL's, named here by their struct tags so that no OpenSSL header is needed. */
#ifndef OS_CRYPTO_OPENSSL_H
#define OS_CRYPTO_OPENSSL_H

#include "os/crypto.h"

struct ossl_lib_ctx_st; /* OSSL_LIB_CTX */

/* NULL is OpenSSL's default context, and no failure. */
struct ossl_lib_ctx_st *crypto_libctx(const struct crypto *c);

/* To be called before any call into OpenSSL that draws random octets: with a seed it hands the
 * next octets of the seeded stream to OpenSSL, enough for one step of a TLS handshake; without a
 * seed it does nothing.  0 or ERR_CRYPTO. */
int crypto_before_random(struct crypto *c);

/* What another module keeps as long as the crypto lives, os/tls.c its contexts: p is its own, NULL
 * at first; crypto_free() calls release, if there is one, while the library context is there. */
struct crypto_guest {
    void *p;
    void (*release)(void *p);
};
struct crypto_guest *crypto_guest(struct crypto *c);

#endif
