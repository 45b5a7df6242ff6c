/* eim.h - the eIM without its transport: an ESipa message in, the answer out (SGP.32 5.14).
 *
 * Each message is one transaction of the store, committed before the answer leaves.  Messages that
 * are delivered twice change nothing the second time and get the same answer. */
#ifndef LAB_EIM_H
#define LAB_EIM_H

#include <stdio.h>

#include <cjson/cJSON.h>

#include "lab/eim_config.h"
#include "lab/eim_result.h"
#include "lab/eim_store.h"
#include "lab/es9p_client.h"

enum {
    EIM_MAX_PEERS = 256,
    EIM_PEER_LEN = 64,
    EIM_ANSWER_MAX = 16 * 1024 * 1024,
    EIM_MAX_ACKS = 128,
    EIM_MAX_HANDED = 3, /* deliveries of a package without a result */
};

struct eim {
    struct crypto *crypto;
    struct db *db;
    struct eim_identity identity;
    struct es9p_client *smdp; /* towards SM-DP+s (ES9+'); NULL: downloads are refused */
    bool register_any;        /* devices that nobody registered are taken in at their first poll */
    uint64_t uses;
    struct {
        char peer[EIM_PEER_LEN], eid[EIM_EID_TEXT_LEN];
        uint64_t used;
    } peers[EIM_MAX_PEERS]; /* who is behind a connection: some messages carry no EID */
};

/* Opens the file.  smdp_ca: PEM under which SM-DP+s are trusted; n == 0: the eIM's own CIs. */
int eim_open(struct crypto *c, const char *path, struct rd smdp_ca, struct eim **ret,
             struct lab_error *e);
void eim_close(struct eim **eim);

/* One message of an IPA (EsipaMessageFromIpaToEim).  peer names the connection or is "".  The
 * answer goes to ret; it stays empty where ESipa has none.  log, an object, gets what happened.
 * ERR_INPUT: not an ESipa message; other negatives: the eIM failed. */
int eim_handle(struct eim *eim, struct rd message, const char *peer, cJSON *log, struct wr *ret);

/* What is due without a message: notifications to SM-DP+s, steps of a handover.  A JSON line for
 * each thing done goes to log, if not NULL. */
void eim_tick(struct eim *eim, FILE *log);

/* --- between the files of the eIM ------------------------------------------------------------- */

/* A message on its way. */
struct eim_call {
    struct eim *eim;
    const char *peer;
    cJSON *log;
    struct eim_device device;
    bool has_device;
    enum sgp32_version shown; /* the version that this message shows, if any */
    uint64_t acks[EIM_MAX_ACKS];
    size_t n_acks;
};

enum eim_who { EIM_FOUND = 0, EIM_EID_NOT_FOUND = 2, EIM_INVALID_EID = 3, EIM_MISSING_EID = 4 };

/* The device of an eidValue (n == 0: none), of a transaction or of the connection. */
int eim_find_device(struct eim_call *call, struct rd eid, struct rd transaction_id,
                    enum eim_who *ret);
int eim_use_device(struct eim_call *call, const char *eid, bool *ret_found);
/* How to talk to the device of this call. */
enum sgp32_version eim_version(const struct eim_call *call);
void eim_note_peer(struct eim_call *call);
void eim_ack(struct eim_call *call, uint64_t seq);

int eim_new_transaction_id(struct eim *eim, struct transaction_id *ret);

/* eim.c: GetEimPackage (5.14.5) */
int eim_get_package(struct eim_call *call, struct rd body, struct wr *ret);
/* eim_provide.c: ProvideEimPackageResult (5.14.6), HandleNotification (5.14.7) */
int eim_provide_result(struct eim_call *call, struct rd body, struct wr *ret);
int eim_receive_notification(struct eim_call *call, struct rd body, struct wr *ret);
int eim_take_result(struct eim_call *call, struct rd der, cJSON *out);
/* eim_data.c: IpaEuiccDataResponse (2.11.2.2) */
int eim_take_data(struct eim_call *call, struct rd der, cJSON *out);
/* eim_notify.c */
int eim_take_notification(struct eim_call *call, struct rd der, bool relay, cJSON *out);
int eim_take_notifications(struct eim_call *call, struct rd list, cJSON *out);
/* With the device's certificate, now known, what could not be verified before. */
int eim_verify_again(struct eim_call *call);
/* eim_handover.c */
int eim_handover_start(struct eim *eim, const char *eid, const char *other_path,
                       int64_t *ret_number, struct lab_error *e);
int eim_handover_result(struct eim_call *call, const struct eim_work *work,
                        const struct eim_result *result, bool verified);
void eim_handover_tick(struct eim *eim, FILE *log);

#endif
