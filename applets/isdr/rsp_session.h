/* rsp_session.h - the RSP session between the eUICC and one server (SGP.22 3.1.2, 3.1.3): what it
 * knows, and which call is legal when.
 *
 * It belongs to the ISD-R, not to a logical channel: LPAs open a channel for each step. */
#ifndef APPLETS_ISDR_RSP_SESSION_H
#define APPLETS_ISDR_RSP_SESSION_H

#include "os/crypto.h"
#include "os/x509.h"

enum rsp_state {
    RSP_IDLE,
    RSP_CHALLENGED,    /* a challenge is out */
    RSP_AUTHENTICATED, /* the server proved itself */
    RSP_PREPARED,      /* the one-time key is out */
    RSP_INSTALLING,    /* a BoundProfilePackage is coming in */
};

enum rsp_call {
    RSP_AUTHENTICATE_SERVER,
    RSP_PREPARE_DOWNLOAD,
    RSP_LOAD_BPP,
    RSP_CANCEL_SESSION,
};

enum {
    CHALLENGE_LEN = 16,
    TRANSACTION_ID_MAX = 16,
    SERVER_ADDRESS_MAX = 255,
};

struct bpp;

struct rsp_session {
    enum rsp_state state;
    uint8_t challenge[CHALLENGE_LEN];
    uint8_t transaction_id[TRANSACTION_ID_MAX];
    uint8_t transaction_id_len;
    char server_address[SERVER_ADDRESS_MAX + 1];
    uint8_t server_oid[OID_MAX_LEN]; /* SAN registeredID of CERT.DPauth or CERT.DSauth */
    uint8_t server_oid_len;
    bool is_dp;       /* an SM-DP+, not an SM-DS */
    int ci;           /* number of the CI in the ECASD */
    enum curve curve; /* of the server's keys */
    uint8_t euicc_signature1[EC_SIGNATURE_LEN];
    struct ec_key *otsk;  /* otSK.EUICC.ECKA */
    struct ec_pub *dp_pb; /* key of CERT.DPpb */
    struct bpp *bpp;      /* what of the BoundProfilePackage has come in */
};

/* Is this call legal now? */
bool rsp_allows(const struct rsp_session *s, enum rsp_call call);

struct rd rsp_transaction_id(const struct rsp_session *s);
struct rd rsp_server_oid(const struct rsp_session *s);

/* Ends it: everything is released and wiped. */
void rsp_end(struct rsp_session *s);

#endif
