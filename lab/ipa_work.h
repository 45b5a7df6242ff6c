/* ipa_work.h - a conversation with an eIM, and one package of it. */
#ifndef LAB_IPA_WORK_H
#define LAB_IPA_WORK_H

#include "lab/ipa_poll.h"

enum { POLL_CONTENTS_MAX = 4 * 1024 * 1024 };

struct poll {
    struct ipa *ipa;
    const struct poll_options *o;
    uint8_t eid[IPA_EID_LEN];
    struct eim_session s;
    struct wr contents, part; /* of what is provided */
    bool state_change;        /* to be told with the next GetEimPackage */
    long cause;
    unsigned bad_packages;
    size_t failures; /* of this round */
    struct lab_error first;
};

/* Something went wrong, and the work goes on. */
void poll_note(struct poll *p, const char *step, const struct lab_error *why);

/* Tells the eIM that what it sent cannot be done. */
int poll_refuse(struct poll *p, struct rd tid, enum eim_package_result_error code,
                struct lab_error *e);

/* What earlier conversations left on the card. */
int poll_deliver_results(struct poll *p, struct lab_error *e);

int poll_do_package(struct poll *p, const struct esipa_package *package, struct lab_error *e);

#endif
