/* eim_compact.h - the eIM puts back what an IPA left out of the eUICC's answers
 * (minimizeEsipaBytes, SGP.32 5.14): the octets that the eUICC signed, from what the eIM knows.
 *
 * ERR_INPUT: not a compact form, or something that is needed for it is not known. */
#ifndef LAB_EIM_COMPACT_H
#define LAB_EIM_COMPACT_H

#include "lab/eim.h"
#include "os/tlv.h"

/* What the eIM keeps of a download. */
struct eim_download {
    struct transaction_id transaction_id;
    char eid[EIM_EID_TEXT_LEN];
    int64_t work;
    char address[EIM_TEXT_LEN];
    struct wr server_signed1; /* whole */
    struct wr smdp_oid;       /* contents */
};
/* found: then eim_download_done() belongs to it. */
int eim_download_get(struct db *db, struct rd transaction_id, struct eim_download *ret,
                     bool *ret_found);
void eim_download_done(struct eim_download *d);

int eim_expand_authenticate(struct eim_call *call, const struct eim_download *d, struct rd compact,
                            struct wr *ret);
int eim_expand_prepare(const struct eim_download *d, struct rd compact, struct wr *ret);
/* compact: the contents of arm A2. */
int eim_expand_cancel(const struct eim_download *d, struct rd compact, struct wr *ret);
/* compact: A0 or A1. */
int eim_expand_notification(struct eim_call *call, const struct tlv *compact, struct wr *ret);

#endif
