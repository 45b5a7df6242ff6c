/* ipa_poll.h - the IPAd: asks eIMs for work until there is none (SGP.32 3.1.1.1). */
#ifndef LAB_IPA_POLL_H
#define LAB_IPA_POLL_H

#include "lab/ipa_eim.h"

enum poll_mode { POLL_UNTIL_EMPTY, POLL_ONCE, POLL_INTERVAL };

struct poll_options {
    const char *eim_id; /* NULL: every eIM with retrieveHttps */
    const char *url;    /* host[:port] to connect to; NULL: eimFqdn */
    struct rd ca;       /* PEM, for eIMs without trustedPublicKeyDataTls */
    enum esipa_binding binding;
    enum esipa_version version;
    enum poll_mode mode;
    unsigned long interval, count; /* seconds; rounds, 0: for ever */
    uint32_t features;
    bool state_change;
    long cause;
    bool has_rplmn;
    uint8_t rplmn[IPA_RPLMN_LEN];
    bool no_provide, immediate_enable;
    unsigned long rollback_after; /* failed attempts; 0: as the default */
};

/* 0 when all went well and nothing is available any more. */
int ipa_poll(struct ipa *ipa, const struct poll_options *options, struct lab_error *e);

#endif
