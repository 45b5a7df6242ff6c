/* eim_config.h - EimConfigurationData (SGP.32 2.11.1.1.1): what may be in it, and what of it a
 * eUICC keeps.
 *
 * Fields are kept as received, in the order of the type, without counterValue and associationToken;
 * numbers and bits become DER, and a key in the explicit form loses its outer 30.  Everywhere here
 * it is the contents, without the outer tag. */
#ifndef APPLETS_ISDR_EIM_CONFIG_H
#define APPLETS_ISDR_EIM_CONFIG_H

#include "os/crypto.h"
#include "os/euicc.h"

enum { EIM_CONFIG_MAX = 1 << 17 /* octets */ };

/* 1 to 128 characters of UTF-8 (SGP.32 2.11.1.1.1)? */
bool eim_id_is_valid(struct rd id);

/* May it become an eIM, or change one?  0, an eim_result with the reason (static text) in *ret_why,
 * or a fault. */
int eim_config_check(struct euicc *e, struct rd configuration, const char **ret_why);
int eim_config_check_change(struct euicc *e, struct rd configuration, const char **ret_why);

/* The key in a CHOICE of public key and certificate, for ec_pub_free(); the path of a certificate
 * is not looked at.  ERR_INPUT with the reason when there is none on a supported curve. */
int eim_config_key(struct euicc *e, struct rd choice, struct ec_pub **ret, const char **ret_why);

/* What is kept, defaults filled in (before.n == 0), or the rest taken from what was kept before. */
void eim_config_put(const struct euicc *e, struct rd configuration, struct rd before, struct wr *w);

#endif
