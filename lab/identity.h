/* identity.h - who the SM-DP+ is: its certificates and keys under one CI, from a PKI in the
 * layout of SGP.26 v1 (certs/pki.h), and the TLS certificate issued when it starts. */
#ifndef LAB_IDENTITY_H
#define LAB_IDENTITY_H

#include "lab/util.h"
#include "os/x509.h"

struct pki;

/* dir NULL: the test PKI that is compiled in.  Closed with pki_close(). */
int identity_open_pki(const char *dir, struct pki **ret, struct lab_error *e);

struct dp_identity {
    enum curve curve;
    struct cert *ci;
    struct ec_key *ci_key; /* NULL when the PKI does not hold it: then no TLS certificate */
    struct cert *auth, *pb;
    struct ec_key *auth_key, *pb_key;
};

int identity_load(struct crypto *c, const struct pki *pki, enum curve curve,
                  struct dp_identity *ret, struct lab_error *e);
void identity_done(struct dp_identity *identity);

/* A new key and a certificate for host (a DNS name or an IP address) under the CI, valid from a
 * day ago for a year; both as DER. */
int identity_issue_tls(struct crypto *c, const struct dp_identity *identity, const char *host,
                       struct wr *ret_cert, struct wr *ret_key, struct lab_error *e);

/* The CI certificate of this curve as DER. */
int identity_read_ci(const struct pki *pki, enum curve curve, struct wr *ret, struct lab_error *e);

#endif
