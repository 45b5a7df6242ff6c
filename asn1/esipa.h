/* esipa.h - what an IPA and an eIM say to each other, as octets (SGP.32 2.11, 5.14, 6.1, 6.3); the
 * IPA in the card and that of the lab write and read it with the same functions.
 *
 * Everything read may be anything: what does not parse is ERR_INPUT, and views point into what was
 * given. */
#ifndef ASN1_ESIPA_H
#define ASN1_ESIPA_H

#include "os/tlv.h"

#define ESIPA_PROTOCOL_PREFIX "gsma/rsp/v"
#define ESIPA_PROTOCOL        ESIPA_PROTOCOL_PREFIX "2.4.0"
#define ESIPA_PROTOCOL_V1_0   ESIPA_PROTOCOL_PREFIX "2.1.0"
#define ESIPA_ASN1_PATH       "/gsma/rsp2/asn1"
#define ESIPA_ASN1_TYPE       "application/x-gsma-rsp-asn1"

/* EsipaMessageFromIpaToEim and EsipaMessageFromEimToIpa (SGP.32 6.3): the outer tags. */
enum esipa_tag {
    ESIPA_INITIATE_AUTHENTICATION = 0xBF39,
    ESIPA_GET_BOUND_PROFILE_PACKAGE = 0xBF3A,
    ESIPA_AUTHENTICATE_CLIENT = 0xBF3B,
    ESIPA_HANDLE_NOTIFICATION = 0xBF3D,
    ESIPA_CANCEL_SESSION = 0xBF41,
    ESIPA_TRANSFER_EIM_PACKAGE = 0xBF4E,
    ESIPA_GET_EIM_PACKAGE = 0xBF4F,
    ESIPA_PROVIDE_EIM_PACKAGE_RESULT = 0xBF50,
};

/* What an eIM package is, and what comes back (SGP.32 2.11.1, 2.11.2). */
enum eim_package_tag {
    EIM_PACKAGE_ERROR = 0x02, /* there is none */
    EUICC_PACKAGE = 0xBF51,
    IPA_EUICC_DATA = 0xBF52,
    EIM_ACKNOWLEDGEMENTS = 0xBF53,
    PROFILE_DOWNLOAD_TRIGGER = 0xBF54,
};

/* SGP.32 v1.0.1 differs from what came later in the shape of some messages. */
enum esipa_version { ESIPA_V1_0, ESIPA_V1_1 };

/* eimId, UTF-8 (SGP.32 2.11.1.1.1). */
enum { EIM_ID_CHARACTERS = 128, EIM_ID_MAX = 4 * EIM_ID_CHARACTERS };

/* --- GetEimPackage (5.14.5) ------------------------------------------------------------------- */

enum state_change { /* stateChangeCause */
                    CHANGE_BY_OTHER_EIM = 0,
                    CHANGE_FALLBACK = 1,
                    CHANGE_EMERGENCY = 2,
                    CHANGE_RESET = 4,
                    CHANGE_IMMEDIATE_ENABLE = 5,
                    CHANGE_DEVICE = 6,
                    CHANGE_NONE = 0xFF, /* nothing changed */
};

struct package_question {
    struct rd eid;
    bool state_change;
    long cause;      /* enum state_change; negative: not told */
    struct rd rplmn; /* as TS 24.008 10.5.1.13 writes it; empty: none */
};
void esipa_put_get_package(struct wr *w, enum esipa_version version,
                           const struct package_question *q);

enum { NO_EIM_PACKAGE_AVAILABLE = 1 };

struct esipa_package {
    uint32_t tag; /* enum eim_package_tag, or something unknown */
    struct rd value, whole;
    uint64_t error; /* EIM_PACKAGE_ERROR */
};
int esipa_read_package(struct rd answer, struct esipa_package *ret);

/* --- ProvideEimPackageResult (5.14.6) --------------------------------------------------------- */

/* The result goes between this and tlv_close(): BF51, BF52, BF54 or one of the functions below. */
struct wr_mark esipa_open_result(struct wr *w, enum esipa_version version, struct rd eid);

/* An EuiccPackageResult (whole) and the notifications beside it (PendingNotifications one after the
 * other; none: the result alone). */
void esipa_put_package_result(struct wr *w, enum esipa_version version, struct rd result,
                              struct rd notifications);

enum eim_package_result_error {
    INVALID_PACKAGE_FORMAT = 1,
    UNKNOWN_PACKAGE = 2,
    PACKAGE_UNDEFINED_ERROR = 127,
};
void esipa_put_package_error(struct wr *w, enum esipa_version version, struct rd tid,
                             enum eim_package_result_error code);

/* The sequence numbers that the eIM took responsibility for.  An empty answer acknowledges nothing;
 * esipa_read_ack_list() takes the contents of EimAcknowledgements (BF53). */
struct esipa_acks {
    struct rd list; /* for esipa_next_ack() */
    size_t n;
    bool given;     /* EimAcknowledgements are there */
    uint64_t error; /* 0: none */
};
int esipa_read_acks(struct rd answer, struct esipa_acks *ret);
int esipa_read_ack_list(struct rd list, struct esipa_acks *ret);
bool esipa_next_ack(struct rd *list, uint64_t *ret);

/* --- eUICC packages (2.11.1.1, 2.11.2.1) ------------------------------------------------------ */

/* Only what an IPA has to know; the eUICC looks at the rest. */
struct euicc_package {
    struct rd tid;
    bool has_psmo;
    bool switches;      /* enables or disables */
    bool asks_rollback; /* an enable with rollbackFlag */
};
int esipa_read_euicc_package(struct rd body, struct euicc_package *ret);

enum package_result_kind { RESULT_OK, RESULT_ERROR_SIGNED, RESULT_ERROR_UNSIGNED };

struct package_result {
    enum package_result_kind kind;
    struct rd eim_id;
    uint64_t counter, seq_number, error; /* error: RESULT_ERROR_SIGNED, and unsigned from v1.3 */
    struct rd results;                   /* RESULT_OK: the contents of euiccResult */
    bool enabled;                        /* an enable went well */
};

/* A whole EuiccPackageResult, BF51. */
int esipa_read_package_result(struct rd whole, struct package_result *ret);

/* The number of the result that a ProvideEimPackageResult brings; ERR_INPUT when there is none. */
int esipa_read_provided(struct rd request, uint64_t *ret_seq_number);

/* --- profile download trigger (2.11.1.3, 2.11.2.3) -------------------------------------------- */

enum download_source { FROM_ANYWHERE, FROM_ACTIVATION_CODE, FROM_DEFAULT_DP, FROM_SMDS };

struct download_trigger {
    enum download_source source;
    struct rd text; /* the activation code, or the address of the SM-DS, if there is one */
    struct rd tid;
};
int esipa_read_trigger(struct rd body, struct download_trigger *ret);

enum trigger_reason { TRIGGER_ECALL_ACTIVE = 104, TRIGGER_UNDEFINED_ERROR = 127 };

/* ProfileDownloadTriggerResult: with a whole ProfileInstallationResult, or with the reason and
 * what the eUICC or the server said, if anything. */
void esipa_put_trigger_result(struct wr *w, struct rd tid, struct rd installation_result);
void esipa_put_trigger_error(struct wr *w, enum esipa_version version, struct rd tid,
                             enum trigger_reason reason, struct rd response);

/* --- IpaEuiccData (2.11.1.2, 2.11.2.2) -------------------------------------------------------- */

enum ipa_data {
    DATA_NOTIFICATIONS = 1 << 0,
    DATA_DEFAULT_DP = 1 << 1,
    DATA_PACKAGE_RESULTS = 1 << 2,
    DATA_INFO1 = 1 << 3,
    DATA_INFO2 = 1 << 4,
    DATA_ROOT_DS = 1 << 5,
    DATA_TOKEN = 1 << 6,
    DATA_EUM_CERTIFICATE = 1 << 7,
    DATA_EUICC_CERTIFICATE = 1 << 8,
    DATA_CAPABILITIES = 1 << 9,
    DATA_DEVICE_INFO = 1 << 10,
};

struct data_request {
    uint32_t wanted; /* enum ipa_data */
    bool bad_tag;    /* the list names something that does not exist */
    struct rd ci;    /* the beginning of a key identifier; empty: none */
    struct rd notification_criteria, result_criteria; /* empty: none */
    struct rd tid;
};
int esipa_read_data_request(struct rd body, enum esipa_version version, struct data_request *ret);

enum ipa_data_error {
    DATA_INCORRECT_TAG_LIST = 1,
    DATA_CI_NOT_FOUND = 5,
    DATA_ECALL_ACTIVE = 104,
    DATA_UNDEFINED_ERROR = 127,
};
void esipa_put_data_error(struct wr *w, enum esipa_version version, struct rd tid,
                          enum ipa_data_error code);

enum ipa_feature {
    FEATURE_DIRECT = 1 << 0,       /* directRspServerCommunication */
    FEATURE_INDIRECT = 1 << 1,     /* indirectRspServerCommunication */
    FEATURE_EIM_DOWNLOAD = 1 << 2, /* eimDownloadDataHandling */
    FEATURE_EIM_CTX = 1 << 3,      /* eimCtxParams1Generation */
    FEATURE_EIM_METADATA = 1 << 4, /* eimProfileMetadataVerification */
    FEATURE_COMPACT = 1 << 5,      /* minimizeEsipaBytes */
};
enum eim_supported_protocol {
    EIM_RETRIEVE_HTTPS = 1 << 0,
    EIM_RETRIEVE_COAPS = 1 << 1,
    EIM_INJECT_HTTPS = 1 << 2,
    EIM_INJECT_COAPS = 1 << 3,
    EIM_PROPRIETARY = 1 << 4,
};
void esipa_put_capabilities(struct wr *w, uint32_t features, uint32_t protocols);

/* --- notifications (5.14.7) ------------------------------------------------------------------- */

/* A whole PendingNotification, also otherSignedNotification in its compact form: its number, and
 * the address that it is for. */
int esipa_read_notification(struct rd whole, uint64_t *ret_seq_number, struct rd *ret_address);

#endif
