/* ipa_iot.h - the ES10b functions that SGP.32 adds, one by one (SGP.32 5.9). */
#ifndef LAB_IPA_IOT_H
#define LAB_IPA_IOT_H

#include "lab/ipa.h"

/* What the options say beside ipa->refresh. */
struct iot_options {
    bool off;            /* of configure-immediate-enable */
    const char *oid;     /* likewise; NULL: none */
    const char *address; /* likewise; NULL: none */
};

/* The commands; each prints its result and fails when its code is not ok. */
int iot_eims(struct ipa *ipa, struct lab_error *e);
int iot_add_initial_eim(struct ipa *ipa, const char *path, struct lab_error *e);
int iot_certs(struct ipa *ipa, struct lab_error *e);
int iot_rollback(struct ipa *ipa, struct lab_error *e);
int iot_immediate_enable(struct ipa *ipa, struct lab_error *e);
int iot_configure_immediate_enable(struct ipa *ipa, const struct iot_options *o,
                                   struct lab_error *e);
int iot_execute_fallback(struct ipa *ipa, struct lab_error *e);
int iot_return_from_fallback(struct ipa *ipa, struct lab_error *e);
int iot_emergency(struct ipa *ipa, bool on, struct lab_error *e);
int iot_connectivity(struct ipa *ipa, struct lab_error *e);
int iot_memory_reset(struct ipa *ipa, const char *options, struct lab_error *e);
int iot_default_dp(struct ipa *ipa, const char *address, struct lab_error *e);
int iot_package_results(struct ipa *ipa, struct lab_error *e);
int iot_load_package(struct ipa *ipa, const char *path, struct lab_error *e);
int iot_activate_ipae(struct ipa *ipa, struct lab_error *e);

/* ImmediateEnable (5.9.15) and its code. */
int iot_call_immediate_enable(struct ipa *ipa, uint64_t *ret_code, struct lab_error *e);

/* ProfileRollback (5.9.16): the code, and the new result (whole BF51) if there is one. */
int iot_call_rollback(struct ipa *ipa, uint64_t *ret_code, struct rd *ret_result,
                      struct lab_error *e);

/* --- between their files ---------------------------------------------------------------------- */

void iot_add_hex(cJSON *out, const char *name, struct rd v);
/* An INTEGER of a response. */
int iot_read_code(struct rd answer, uint32_t tag, const char *function, uint64_t *ret,
                  struct lab_error *e);
int iot_refused(enum code_list list, uint64_t code, const char *function, struct lab_error *e);
void iot_tell_package_result(const struct ipa *ipa, const char *function, struct rd result);

#endif
