/* pki.h - where the card's keys and certificates come from: a directory in the layout of the
 * SGP.26 v1 package, or the test PKI that is compiled in; and making such a directory.
 *
 * Files are named by their paths in that layout, X being NIST (P-256) or BRP (brainpoolP256r1):
 *   CertificateIssuer/{CERT,SK}_CI_ECDSA_X    EUM/{CERT,PK,SK}_EUM_ECDSA_X
 *   eUICC/{CERT,PK,SK}_EUICC_ECDSA_X          DPauth/{CERT,PK,SK}_S_SM_DPauth_ECDSA_X
 *   DPpb/{CERT,PK,SK}_S_SM_DPpb_ECDSA_X       DSauth/{CERT,PK,SK}_S_SM_DSauth_ECDSA_X
 *   EIMsign/{CERT,PK,SK}_S_EIMsign_ECDSA_X    DPtls/{CERT,PK,SK}_S_SM_DP_TLS_X
 * and DP2auth, DP2pb beside DPauth, DPpb for a second SM-DP+.  Certificates end in .der (the CI's
 * in .pem too), keys in .pem. */
#ifndef CERTS_PKI_H
#define CERTS_PKI_H

#include "os/buf.h"
#include "os/crypto.h"

enum { PKI_MAX_FILE = 64 * 1024 };

struct pki;

/* dir NULL: the compiled-in test PKI.  0; ERR_INPUT when dir is no directory (errno says why);
 * ERR_NOMEM. */
int pki_open(const char *dir, struct pki **ret);
void pki_close(struct pki **pki);

/* Appends the octets of one file, PKI_MAX_FILE at most, to ret.  0; ERR_INPUT when it is absent,
 * cannot be read or is too long; ERR_NOMEM when ret cannot take it. */
int pki_read(const struct pki *pki, const char *name, struct wr *ret);

/* One line for people about the last pki_read() that failed: which file, and why. */
const char *pki_reason(const struct pki *pki);

/* Makes a complete test PKI, on both curves and valid from now (seconds since 1970), in dir, which
 * is made or must be empty.  On failure a line for people is in error.  0 or negative. */
int pki_make(struct crypto *c, const char *dir, int64_t now, char *error, size_t error_size);

#endif
