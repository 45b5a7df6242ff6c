/* identity.h - who an SM-DP+ or an SM-DS is: its certificates and keys under one CI, from a PKI in
 * the layout of SGP.26 v1 (certs/pki.h), and the TLS certificate issued when it starts. */
#ifndef LAB_IDENTITY_H
#define LAB_IDENTITY_H

#include "lab/util.h"
#include "os/x509.h"

struct pki;

/* dir NULL: the test PKI that is compiled in.  Closed with pki_close(). */
int identity_open_pki(const char *dir, struct pki **ret, struct lab_error *e);

enum identity_kind { IDENTITY_SMDPP, IDENTITY_SMDS };

/* Of an SM-DS, auth is CERT.DSauth, and pb and pb_key are NULL. */
struct rsp_identity {
    enum curve curve;
    struct cert *ci;
    struct ec_key *ci_key; /* NULL when the PKI does not hold it: then no TLS certificate */
    struct cert *auth, *pb;
    struct ec_key *auth_key, *pb_key;
};

int identity_load(struct crypto *c, const struct pki *pki, enum identity_kind kind,
                  enum curve curve, struct rsp_identity *ret, struct lab_error *e);
void identity_done(struct rsp_identity *identity);

/* A new key and a certificate for host (a DNS name or an IP address) under the CI, ROLE_DP_TLS or
 * ROLE_DS_TLS, valid from a day ago for a year; both as DER. */
int identity_issue_tls(struct crypto *c, const struct rsp_identity *identity, enum cert_role role,
                       const char *host, struct wr *ret_cert, struct wr *ret_key,
                       struct lab_error *e);

/* The CI certificate of this curve as DER. */
int identity_read_ci(const struct pki *pki, enum curve curve, struct wr *ret, struct lab_error *e);

#endif
