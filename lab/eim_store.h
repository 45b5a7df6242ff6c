/* eim_store.h - what the eIM keeps: itself, devices, work, results, notifications, downloads.
 *
 * Everything is in one SQLite file.  A counter is taken and the package that carries it is kept in
 * one transaction, before the package leaves, so that a crash never uses a counter twice. */
#ifndef LAB_EIM_STORE_H
#define LAB_EIM_STORE_H

#include "asn1/esipa.h"
#include "lab/eim_db.h"
#include "lab/rsp.h"

enum {
    EIM_TEXT_LEN = 256,
    EIM_EID_LEN = 16,
    EIM_EID_TEXT_LEN = 33,
    EIM_BLOB_MAX = 1024 * 1024,
    EIM_WORD_LEN = 16,
};

/* The version of SGP.32 that a peer speaks; v1.1, v1.2 and v1.3 differ in additions only. */
enum sgp32_version { SGP32_UNKNOWN = 0, SGP32_V1_0 = 10, SGP32_V1_2 = 12, SGP32_V1_3 = 13 };

/* "1.0.1", "1.2", "1.3", "auto" */
const char *sgp32_version_name(enum sgp32_version version);
bool sgp32_version_read(const char *name, enum sgp32_version *ret);

/* The EID as 32 digits to octets; false when it is none. */
bool eim_eid_read(const char *digits, uint8_t ret[EIM_EID_LEN]);

enum token_state { TOKEN_UNKNOWN, TOKEN_NONE, TOKEN_KNOWN };

struct eim_device {
    char eid[EIM_EID_TEXT_LEN];
    enum token_state token_state;
    uint64_t token;              /* association token */
    uint64_t counter;            /* the last one used */
    enum sgp32_version version;  /* as set; SGP32_UNKNOWN: as the device shows */
    enum sgp32_version observed; /* as the device's IPA showed */
    enum sgp32_version euicc;    /* iotVersion of its eUICC */
    int64_t last_seen;           /* seconds since 1970; 0: never */
    uint64_t last_seq;           /* of its results */
    uint32_t features;           /* IpaCapabilities.ipaFeatures */
    bool has_certificate;
    char default_smdp[EIM_TEXT_LEN];
    char gone_to[EIM_ID_MAX + 1]; /* the eIM that it was handed to */
};

enum work_kind { WORK_PACKAGE = 1, WORK_DOWNLOAD, WORK_DATA };
enum work_state { WORK_QUEUED = 1, WORK_OUT, WORK_DONE, WORK_FAILED };
enum work_purpose { FOR_USER, FOR_LEARNING, FOR_HANDOVER, FOR_RESULTS };

const char *work_kind_name(enum work_kind kind);
const char *work_state_name(enum work_state state);

struct eim_work {
    int64_t number;
    char eid[EIM_EID_TEXT_LEN];
    enum work_kind kind;
    enum work_state state;
    enum work_purpose purpose;
    struct transaction_id transaction_id; /* n == 0: not handed out yet */
    uint64_t counter, token;
    unsigned handed; /* how many times it was handed out */
};

/* Octets and texts of records, by the column's name. */
#define DEVICE_EUICC_CERT  "euicc_cert"
#define DEVICE_EUM_CERT    "eum_cert"
#define DEVICE_INFO1       "info1"
#define DEVICE_INFO2       "info2"
#define DEVICE_DEVICE_INFO "device_info"
#define WORK_ORDER         "work_order" /* operations, or what to download or to ask for */
#define WORK_MESSAGE       "message"    /* as handed out */
#define WORK_TEXT          "text"
#define WORK_FAULT         "fault"
#define WORK_WHY           "why"

int store_create(const char *path, struct db **ret, struct lab_error *e);
int store_open(const char *path, struct db **ret, struct lab_error *e);

/* Settings of the eIM itself. */
int store_put(struct db *db, const char *key, struct rd value);
int store_get(struct db *db, const char *key, struct wr *ret); /* ERR_INPUT: absent */

/* --- devices --- */

/* Registers, or changes what is registered: token, counter and version of *d. */
int store_put_device(struct db *db, const struct eim_device *d);
/* ret_found tells whether it is known. */
int store_get_device(struct db *db, const char *eid, struct eim_device *ret, bool *ret_found);
/* Everything of *d but the octets. */
int store_update_device(struct db *db, const struct eim_device *d);
int store_put_blob(struct db *db, const char *eid, const char *column, struct rd value);
/* Appends; nothing when there is none. */
int store_get_blob(struct db *db, const char *eid, const char *column, struct wr *ret);

/* --- work --- */

struct eim_order {
    enum work_kind kind;
    enum work_purpose purpose;
    struct rd order;
    const char *text, *fault;
};
int store_add_work(struct db *db, const char *eid, const struct eim_order *order,
                   int64_t *ret_number);
int store_get_work(struct db *db, int64_t number, struct eim_work *ret, bool *ret_found);
/* The next to hand out: what is out already comes first, then the rest in the order of queueing;
 * what is for learning comes before all. */
int store_next_work(struct db *db, const char *eid, struct eim_work *ret, bool *ret_found);
/* Work that is out: by the transaction id, or by the counter of a package (SGP.32 3.10). */
int store_find_work(struct db *db, struct rd transaction_id, struct eim_work *ret, bool *ret_found);
int store_find_package(struct db *db, const char *eid, uint64_t counter, struct eim_work *ret,
                       bool *ret_found);
/* The only work of this kind that is out, of this device or ("") of all. */
int store_find_only(struct db *db, const char *eid, enum work_kind kind, struct eim_work *ret,
                    bool *ret_found);
int store_update_work(struct db *db, const struct eim_work *w);
int store_finish_work(struct db *db, int64_t number, enum work_state state, const char *why);
int store_put_work_blob(struct db *db, int64_t number, const char *column, struct rd value);
int store_get_work_blob(struct db *db, int64_t number, const char *column, struct wr *ret);
int store_count_work(struct db *db, const char *eid, enum work_purpose purpose, bool open_only,
                     int64_t *ret);

/* --- results and notifications --- */

struct eim_record {
    const char *eid;
    int64_t work; /* 0: none */
    const char *kind;
    struct rd received;
    const char *json;
    int verified; /* 1 yes, 0 no, -1 not to be told yet */
};
/* ret_known: the same octets were received before; they are not added again. */
int store_add_result(struct db *db, const struct eim_record *r, bool *ret_known);
/* pending: still to be delivered to its SM-DP+. */
int store_add_notification(struct db *db, const struct eim_record *r, uint64_t seq,
                           const char *address, bool *ret_known);

#endif
