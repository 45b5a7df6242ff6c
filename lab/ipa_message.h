/* ipa_message.h - what an IPA says to an eIM and what it hears, written and read (SGP.32 2.11,
 * 5.14, 6.3).
 *
 * Everything read comes from the eIM or from the card and may be anything: what does not parse is
 * ERR_INPUT, and views point into what was given. */
#ifndef LAB_IPA_MESSAGE_H
#define LAB_IPA_MESSAGE_H

#include "lab/esipa.h"
#include "lab/util.h"
#include "os/x509.h"

enum {
    IPA_EID_LEN = 16,
    IPA_TEXT_MAX = 256,
    IPA_EIM_ID_MAX = 4 * 128 + 1, /* 128 characters of UTF-8 (SGP.32 2.11.1.1.1), and the end */
    IPA_MAX_EIMS = 32,
    IPA_MAX_ACKS = 256,
    IPA_RPLMN_LEN = 3,
    IPA_TID_MAX = 16,
};

/* SGP.32 v1.0.1 differs from what came later in the shape of some messages. */
enum esipa_version { ESIPA_V1_0, ESIPA_V1_1 };

/* --- EimConfigurationData (SGP.32 2.11.1.1.1) ------------------------------------------------- */

enum eim_protocol {
    EIM_RETRIEVE_HTTPS = 1 << 0,
    EIM_RETRIEVE_COAPS = 1 << 1,
    EIM_INJECT_HTTPS = 1 << 2,
    EIM_INJECT_COAPS = 1 << 3,
    EIM_PROPRIETARY = 1 << 4,
};

enum eim_key_form { EIM_KEY_NONE, EIM_KEY_SPKI, EIM_KEY_CERTIFICATE };

/* A key as the structure has it: the contents of a SubjectPublicKeyInfo or of a Certificate. */
struct eim_key {
    enum eim_key_form form;
    struct rd value;
};

struct eim_record {
    char id[IPA_EIM_ID_MAX];
    char fqdn[IPA_TEXT_MAX]; /* "": none */
    long id_type;            /* 1 oid, 2 fqdn, 3 proprietary */
    bool has_counter, has_token;
    uint64_t counter, token;
    struct eim_key package_key, tls_key;
    uint32_t protocols; /* enum eim_protocol */
    struct rd ci;       /* euiccCiPKId; empty: none */
    bool indirect;      /* indirectProfileDownload */
};

/* The contents of one EimConfigurationData. */
int eim_record_read(struct rd body, struct eim_record *ret);

/* The contents of a GetEimConfigurationData response. */
int eim_records_read(struct rd response, struct eim_record *ret, size_t max, size_t *ret_n);

/* The key as a SEQUENCE of its own again. */
void eim_key_write(const struct eim_key *key, struct wr *ret);

/* --- GetEimPackage (5.14.5) ------------------------------------------------------------------- */

struct package_question {
    const uint8_t *eid;
    bool state_change;
    long cause;           /* stateChangeCause; negative: none */
    const uint8_t *rplmn; /* NULL: none */
};
void esipa_put_get_package(struct wr *w, enum esipa_version version,
                           const struct package_question *q);

/* What the eIM has for us: a package with its tag, or an eimPackageError with tag 02. */
enum { TAG_EIM_PACKAGE_ERROR = 0x02 };
enum { NO_EIM_PACKAGE_AVAILABLE = 1 };

struct eim_package {
    uint32_t tag;
    struct rd value, whole;
    uint64_t error;
};
int esipa_read_package(struct rd answer, struct eim_package *ret);

/* --- ProvideEimPackageResult (5.14.6) --------------------------------------------------------- */

/* The result goes between the two: BF51, BF52, BF54 or one of the functions below. */
struct wr_mark esipa_open_result(struct wr *w, enum esipa_version version, const uint8_t *eid);

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

/* What the eIM took responsibility for.  An empty answer acknowledges nothing. */
struct esipa_acks {
    uint64_t seq_numbers[IPA_MAX_ACKS];
    size_t n;
    bool given;     /* EimAcknowledgements are there */
    uint64_t error; /* 0: none */
};
int esipa_read_acks(struct rd answer, struct esipa_acks *ret);

/* The contents of an EimAcknowledgements, BF53. */
int esipa_read_ack_list(struct rd list, struct esipa_acks *ret);

/* --- eUICC packages (2.11.1.1, 2.11.2.1) ------------------------------------------------------ */

/* Only what the IPA has to know; the eUICC looks at the rest. */
struct euicc_package {
    struct rd tid;
    bool has_psmo;
    bool asks_rollback; /* an enable with rollbackFlag */
};
int euicc_package_read(struct rd body, struct euicc_package *ret);

enum package_result_kind { RESULT_OK, RESULT_ERROR_SIGNED, RESULT_ERROR_UNSIGNED };

struct package_result {
    enum package_result_kind kind;
    char eim_id[IPA_EIM_ID_MAX];
    uint64_t counter, seq_number, error; /* error: RESULT_ERROR_SIGNED, and unsigned from v1.3 */
    struct rd results;                   /* RESULT_OK: the contents of euiccResult */
    bool enabled;                        /* an enable went well */
};

/* A whole EuiccPackageResult, BF51. */
int package_result_read(struct rd whole, struct package_result *ret);

/* --- profile download trigger (2.11.1.3, 2.11.2.3) -------------------------------------------- */

enum download_source { FROM_ANYWHERE, FROM_ACTIVATION_CODE, FROM_DEFAULT_DP, FROM_SMDS };

struct download_trigger {
    enum download_source source;
    char text[IPA_TEXT_MAX]; /* the activation code, or the address of the SM-DS or "" */
    struct rd tid;
};
int download_trigger_read(struct rd body, struct download_trigger *ret);

enum trigger_reason { TRIGGER_ECALL_ACTIVE = 104, TRIGGER_UNDEFINED_ERROR = 127 };

/* ProfileDownloadTriggerResult: with a whole ProfileInstallationResult, or with the reason and
 * what the eUICC or the server said, if anything. */
void trigger_put_result(struct wr *w, struct rd tid, struct rd installation_result);
void trigger_put_error(struct wr *w, enum esipa_version version, struct rd tid,
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
int data_request_read(struct rd body, enum esipa_version version, struct data_request *ret);

enum ipa_data_error {
    DATA_INCORRECT_TAG_LIST = 1,
    DATA_CI_NOT_FOUND = 5,
    DATA_ECALL_ACTIVE = 104,
    DATA_UNDEFINED_ERROR = 127,
};
void data_put_error(struct wr *w, enum esipa_version version, struct rd tid,
                    enum ipa_data_error code);

enum ipa_feature {
    FEATURE_DIRECT = 1 << 0,       /* directRspServerCommunication */
    FEATURE_INDIRECT = 1 << 1,     /* indirectRspServerCommunication */
    FEATURE_EIM_DOWNLOAD = 1 << 2, /* eimDownloadDataHandling */
    FEATURE_EIM_CTX = 1 << 3,      /* eimCtxParams1Generation */
    FEATURE_EIM_METADATA = 1 << 4, /* eimProfileMetadataVerification */
    FEATURE_COMPACT = 1 << 5,      /* minimizeEsipaBytes */
};
void data_put_capabilities(struct wr *w, uint32_t features, uint32_t protocols);

/* "direct,indirect,eim-download,eim-ctx,eim-metadata,compact" */
bool features_read(const char *text, uint32_t *ret);

/* "26201" or "262001" as TS 24.008 10.5.1.13 writes it. */
bool plmn_read(const char *text, uint8_t ret[IPA_RPLMN_LEN]);

#endif
