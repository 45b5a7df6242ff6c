/* eim_relay.h - what the functions of an indirect download share: how ESipa refuses, and how ES9+'
 * is asked. */
#ifndef LAB_EIM_RELAY_H
#define LAB_EIM_RELAY_H

#include "lab/eim.h"

enum {
    EIM_PART_MAX = 16 * 1024 * 1024, /* of an answer of the SM-DP+ */
    EIM_UNDEFINED_ERROR = 127,       /* of all four functions */
};

/* Answers the ESipa function with this error; work, unless it is 0, has failed with it. */
int eim_refuse_download(struct eim_call *call, uint32_t function, long code, int64_t work,
                        struct wr *ret);

/* Its code for a transaction that is not known. */
long eim_invalid_transaction(uint32_t function);

/* ES9+'.  Takes the request.  *ret_code is 0, or the code with which ESipa refuses. */
cJSON *eim_ask_smdp(struct eim_call *call, uint32_t function, const char *name, const char *address,
                    cJSON *request, long *ret_code);

void eim_put_base64(cJSON *out, const char *name, struct rd v);

/* A base64 field of the answer goes behind what is written; false when it is missing. */
bool eim_put_part(const cJSON *answer, const char *name, struct wr *ret);

#endif
