/* ecasd.h - the eUICC Controlling Authority Security Domain (SGP.22 2.4.2): the EID, the eUICC's
 * keys and certificates, and the CI keys that it trusts.  Private keys do not leave it: others ask
 * it to sign. */
#ifndef APPLETS_ECASD_H
#define APPLETS_ECASD_H

#include "os/crypto.h"
#include "os/euicc.h"
#include "os/x509.h"

enum {
    EID_LEN = 16,
    ECASD_MAX_CI = 8,
    ECASD_NO_CI = -1,
};

extern const struct applet ecasd_applet;

/* What the EUM puts in for one CI. */
struct ecasd_ci_data {
    enum curve curve;
    struct rd ski;        /* of the CI's key, SKI_LEN octets: its CI PKID */
    struct rd ci_point;   /* PK.CI.ECDSA */
    struct rd euicc_key;  /* SK.EUICC.ECDSA as DER */
    struct rd cert_euicc; /* CERT.EUICC.ECDSA */
    struct rd cert_eum;   /* CERT.EUM.ECDSA */
};

/* Personalisation, before the card's first power-on. */
int ecasd_personalise(struct nvm *nvm, const uint8_t eid[EID_LEN], const struct ecasd_ci_data *cis,
                      size_t n_cis);

const uint8_t *ecasd_eid(const struct euicc *e);

/* CIs are numbered from 0, in order of preference. */
int ecasd_ci_count(const struct euicc *e);
struct rd ecasd_ci_pkid(const struct euicc *e, int ci);
enum curve ecasd_ci_curve(const struct euicc *e, int ci);

/* By the CI PKID, which may be cut to its first octets as long as one CI is meant
 * (SGP.22 5.7.13).  ECASD_NO_CI when there is none. */
int ecasd_find_ci(const struct euicc *e, struct rd pkid);

struct rd ecasd_cert_euicc(const struct euicc *e, int ci);
struct rd ecasd_cert_eum(const struct euicc *e, int ci);

/* PK.CI.ECDSA; lives as long as the card is on. */
int ecasd_ci_key(struct euicc *e, int ci, const struct ec_pub **ret);

/* GET DATA, which the ISD-R answers too: the EID under tag 5A. */
command_fn ecasd_get_data;

/* A signature by SK.EUICC.ECDSA of this CI over the parts. */
int ecasd_sign(struct euicc *e, int ci, const struct rd *parts, size_t n_parts,
               uint8_t ret[EC_SIGNATURE_LEN]);

#endif
