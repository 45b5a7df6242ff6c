/* rsp.h - reading what an eUICC signed.
 *
 * Values come from asn1c's decoder, so that the lab reads the card's messages with other code
 * than the card writes them with; what is signed stays as received and is given as views into the
 * message.  A message whose parts do not come in the standard's order is refused. */
#ifndef LAB_RSP_H
#define LAB_RSP_H

#include <stdbool.h>

#include "os/crypto.h"
#include "os/x509.h"

enum {
    TRANSACTION_ID_MAX = 16,
    CHALLENGE_LEN = 16,
    RSP_TEXT_MAX = 256,
    RSP_AID_MAX = 16,
    RSP_SIMA_MAX = 512,
    RSP_MAX_CI = 8,
};

struct transaction_id {
    uint8_t b[TRANSACTION_ID_MAX];
    size_t n;
};

/* EUICCInfo1 (SGP.22 5.7.8).  More than RSP_MAX_CI identifiers of a list are passed over. */
struct rsp_info1 {
    uint8_t svn[3];
    uint8_t verification[RSP_MAX_CI][SKI_LEN], signing[RSP_MAX_CI][SKI_LEN];
    size_t n_verification, n_signing;
};
int rsp_read_info1(struct rd der, struct rsp_info1 *ret);

/* AuthenticateServerResponse (SGP.22 5.7.13). */
struct rsp_authenticate {
    struct transaction_id transaction_id;
    long error; /* 0: authenticateResponseOk, and what follows is set */
    char server_address[RSP_TEXT_MAX];
    uint8_t server_challenge[CHALLENGE_LEN];
    char matching_id[RSP_TEXT_MAX]; /* "": none */
    struct rd signed1, signature1;  /* whole TLV; contents */
    struct rd euicc_cert, eum_cert;
};
int rsp_read_authenticate(struct rd der, struct rsp_authenticate *ret);

/* PrepareDownloadResponse (SGP.22 5.7.5). */
struct rsp_prepare {
    struct transaction_id transaction_id;
    long error;
    uint8_t ot_pk[EC_POINT_LEN];
    bool has_hash_cc;
    uint8_t hash_cc[SHA256_LEN];
    struct rd signed2, signature2;
};
int rsp_read_prepare(struct rd der, struct rsp_prepare *ret);

/* CancelSessionResponse (SGP.22 5.7.14). */
struct rsp_cancel {
    long error;
    struct transaction_id transaction_id;
    uint8_t smdp_oid[OID_MAX_LEN];
    size_t n_smdp_oid;
    long reason;
    struct rd signed_part, signature;
};
int rsp_read_cancel(struct rd der, struct rsp_cancel *ret);

/* PendingNotification (SGP.22 5.7.10). */
struct rsp_notification {
    bool is_installation_result; /* else OtherSignedNotification */
    long seq_number;
    uint32_t events;
    char address[RSP_TEXT_MAX];
    bool has_iccid;
    uint8_t iccid[10];
    struct rd signed_part, signature;
    struct rd euicc_cert, eum_cert;       /* OtherSignedNotification */
    struct transaction_id transaction_id; /* ProfileInstallationResult, from here on */
    uint8_t smdp_oid[OID_MAX_LEN];
    size_t n_smdp_oid;
    bool success;
    uint8_t aid[RSP_AID_MAX];
    size_t n_aid;
    long bpp_command_id, error_reason;
    uint8_t sima_response[RSP_SIMA_MAX];
    size_t n_sima_response;
};
int rsp_read_notification(struct rd der, struct rsp_notification *ret);

#endif
