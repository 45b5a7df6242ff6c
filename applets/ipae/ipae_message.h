/* ipae_message.h - what an IPA and an eIM say to each other, as octets (SGP.32 2.11, 5.14, 6.3).
 *
 * Everything read comes from an eIM and may be anything: what does not parse is ERR_INPUT, and
 * views point into what was given. */
#ifndef APPLETS_IPAE_MESSAGE_H
#define APPLETS_IPAE_MESSAGE_H

#include "os/tlv.h"

#define ESIPA_PATH "/gsma/rsp2/asn1"
#define ESIPA_TYPE "application/x-gsma-rsp-asn1"

/* EsipaMessageFromIpaToEim and EsipaMessageFromEimToIpa (SGP.32 6.3). */
enum esipa_tag {
    ESIPA_INITIATE_AUTHENTICATION = 0xBF39,
    ESIPA_GET_BOUND_PROFILE_PACKAGE = 0xBF3A,
    ESIPA_AUTHENTICATE_CLIENT = 0xBF3B,
    ESIPA_HANDLE_NOTIFICATION = 0xBF3D,
    ESIPA_CANCEL_SESSION = 0xBF41,
    ESIPA_GET_EIM_PACKAGE = 0xBF4F,
    ESIPA_PROVIDE_EIM_PACKAGE_RESULT = 0xBF50,
};

/* What an eIM package is, and what comes back (SGP.32 2.11.1, 2.11.2). */
enum eim_package_tag {
    PACKAGE_ERROR = 0x02, /* there is none: eimPackageError */
    PACKAGE_EUICC = 0xBF51,
    PACKAGE_DATA_REQUEST = 0xBF52,
    PACKAGE_ACKNOWLEDGEMENTS = 0xBF53,
    PACKAGE_DOWNLOAD_TRIGGER = 0xBF54,
};

enum { NO_EIM_PACKAGE_AVAILABLE = 1 };

/* stateChangeCause (SGP.32 5.14.5). */
enum state_change {
    CHANGE_BY_OTHER_EIM = 0,
    CHANGE_FALLBACK = 1,
    CHANGE_EMERGENCY = 2,
    CHANGE_RESET = 4,
    CHANGE_IMMEDIATE_ENABLE = 5,
    CHANGE_DEVICE = 6,
    CHANGE_NONE = 0xFF,
};

/* Version 1.0 of SGP.32 writes some messages in another way. */
struct esipa_dialect {
    bool v1_0;
    struct rd eid;
};

/* --- GetEimPackage (5.14.5) ------------------------------------------------------------------- */

/* plmn: as TS 24.008 10.5.1.13 writes it, or empty. */
void esipa_put_get_package(struct wr *w, const struct esipa_dialect *d, enum state_change change,
                           struct rd plmn);

struct eim_package {
    uint32_t tag; /* enum eim_package_tag, or something unknown */
    struct rd value, whole;
    uint64_t error; /* PACKAGE_ERROR */
};
int esipa_read_package(struct rd answer, struct eim_package *ret);

/* --- ProvideEimPackageResult (5.14.6) --------------------------------------------------------- */

/* The result goes between this and tlv_close(): BF52, BF54, or one of the functions below. */
struct wr_mark esipa_open_result(struct wr *w, const struct esipa_dialect *d);

/* An EuiccPackageResult (whole) and the notifications beside it (PendingNotifications one after
 * the other; none: the result alone). */
void esipa_put_package_result(struct wr *w, const struct esipa_dialect *d, struct rd result,
                              struct rd notifications);

enum eim_package_result_error { INVALID_PACKAGE_FORMAT = 1, UNKNOWN_PACKAGE = 2 };
void esipa_put_package_error(struct wr *w, const struct esipa_dialect *d, struct rd tid,
                             enum eim_package_result_error code);

/* The sequence numbers that the eIM took responsibility for, for esipa_next_ack(); an answer
 * without EimAcknowledgements acknowledges nothing: NULL. */
int esipa_read_acks(struct rd answer, struct rd *ret_list, uint64_t *ret_error);
/* The contents of EimAcknowledgements (BF53). */
int esipa_check_acks(struct rd list);
bool esipa_next_ack(struct rd *list, uint64_t *ret);

/* --- what a package says ---------------------------------------------------------------------- */

/* Only what an IPA has to know of a eUICC Package; the eUICC looks at the rest. */
struct euicc_package_info {
    struct rd tid;
    bool has_psmo;
    bool switches; /* enables or disables */
};
int esipa_read_euicc_package(struct rd body, struct euicc_package_info *ret);

/* A stored EuiccPackageResult (BF51, whole): whose, and its number. */
int esipa_read_result(struct rd whole, struct rd *ret_eim_id, uint64_t *ret_sequence);
/* The number of the result in a ProvideEimPackageResult. */
int esipa_read_provided(struct rd request, uint64_t *ret_sequence);

/* ProfileDownloadTriggerRequest (2.11.1.3). */
struct download_trigger {
    enum { FROM_ANYWHERE, FROM_ACTIVATION_CODE, FROM_DEFAULT_DP, FROM_SMDS } source;
    struct rd text; /* the activation code, or the address of the SM-DS */
    struct rd tid;
};
int esipa_read_trigger(struct rd body, struct download_trigger *ret);

enum trigger_reason { TRIGGER_ECALL_ACTIVE = 104, TRIGGER_UNDEFINED_ERROR = 127 };

/* ProfileDownloadTriggerResult (2.11.2.3): with a whole ProfileInstallationResult, or with a reason
 * and what the eUICC or the server said, if anything. */
void esipa_put_trigger_result(struct wr *w, struct rd tid, struct rd installation_result);
void esipa_put_trigger_error(struct wr *w, const struct esipa_dialect *d, struct rd tid,
                             enum trigger_reason reason, struct rd response);

/* --- notifications ---------------------------------------------------------------------------- */

/* A PendingNotification: its number, and the address that it is for. */
int pending_notification_read(struct rd whole, uint64_t *ret_sequence, struct rd *ret_address);

#endif
