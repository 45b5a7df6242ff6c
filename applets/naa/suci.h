/* suci.h - the subscription concealed identifier: protection schemes of TS 33.501 C.3, coded as in
 * TS 24.501 9.11.3.4, or within it as a network access identifier (TS 23.003 28.7.3). */
#ifndef APPLETS_NAA_SUCI_H
#define APPLETS_NAA_SUCI_H

#include "os/crypto.h"

enum suci_scheme { SUCI_NULL = 0, SUCI_PROFILE_A = 1, SUCI_PROFILE_B = 2 };

enum {
    SUCI_MAC_LEN = 8,
    SUCI_MAX_PLAIN = 253, /* a whole NAI (RFC 7542 2.2) */
    SUCI_MAX_OUTPUT = EC_COMPRESSED_LEN + SUCI_MAX_PLAIN + SUCI_MAC_LEN,
    SUCI_MAX_LEN = 64 + 2 * SUCI_MAX_OUTPUT + SUCI_MAX_PLAIN, /* of a NAI, in hex digits */
};

/* Contents of the files (TS 31.102 4.2.2, 4.4.11.8, 4.4.11.10, 4.4.11.11); routing.n == 0: no such
 * file. */
struct suci_inputs {
    struct rd imsi;
    unsigned mnc_len; /* 2 or 3 */
    struct rd supi_nai;
    struct rd routing;
    struct rd calc_info;
};

/* The SUCI without its TLV.  ERR_INPUT: the files do not say how. */
int suci_of_imsi(struct crypto *c, const struct suci_inputs *in, struct wr *ret);

/* The same as a NAI: of the IMSI for 5G NSWO (TS 23.003 28.7.12), and of the network specific
 * identifier in EF.SUPI_NAI. */
int suci_of_imsi_for_nswo(struct crypto *c, const struct suci_inputs *in, struct wr *ret);
int suci_of_nsi(struct crypto *c, const struct suci_inputs *in, struct wr *ret);

/* The scheme output.  key: the home network's, for A 32 octets, for B a compressed or uncompressed
 * point.  ephemeral: our private key, for test vectors; n == 0: a fresh one.  ERR_INPUT: the key
 * is none. */
int suci_scheme_output(struct crypto *c, enum suci_scheme scheme, struct rd key,
                       struct rd ephemeral, struct rd plain, struct wr *ret);

#endif
