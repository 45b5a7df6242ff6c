/* tls_trust.h - whether the server is who the caller trusts (SGP.22 4.5.2.1, SGP.32 2.6.3).  Shared
 * by os/tls.c and os/tls_trust.c. */
#ifndef OS_TLS_TRUST_H
#define OS_TLS_TRUST_H

#include "os/tls.h"

struct x509_st;           /* X509 */
struct x509_store_ctx_st; /* X509_STORE_CTX */

struct trust {
    struct crypto *crypto;
    enum tls_trust_kind kind;
    struct wr spki;         /* TLS_TRUST_SPKI */
    struct x509_st *pinned; /* TLS_TRUST_CERTIFICATE */
    struct tls_ci cis[TLS_MAX_CI];
    uint8_t skis[TLS_MAX_CI][SKI_LEN];
    size_t n_cis;
    unsigned roles;
    char server_name[TLS_MAX_NAME + 1];
    bool is_address;
    int64_t now; /* 0: unknown */
};

/* The certificate that was pinned last, parsed: OpenSSL takes as long to parse one as to verify a
 * signature.  All zero is empty. */
struct trust_cache {
    struct wr der;
    struct x509_st *certificate;
};

void trust_cache_done(struct trust_cache *cache);

/* A copy of what the options say.  0; ERR_INPUT when it makes no sense; ERR_NOMEM, ERR_CRYPTO.
 * trust_done() is due in any case. */
int trust_init(struct trust *t, struct crypto *c, const struct tls_options *options,
               struct trust_cache *cache);
void trust_done(struct trust *t);

/* SHA-256 of it all but the time: a session is resumed under the trust that it was made under. */
int trust_digest(const struct trust *t, bool datagram, uint8_t ret[SHA256_LEN]);

/* The server's chain, as OpenSSL's verify callback gets it.  NULL when it is trusted; otherwise the
 * reason (static text), with OpenSSL's code for it, from which the alert follows, in the context.
 */
const char *trust_check(const struct trust *t, struct x509_store_ctx_st *ctx);

#endif
