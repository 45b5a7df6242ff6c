/* profile_store.h - the profiles: their metadata, which one is enabled, and how much room is left.
 *
 * NVM (docs/STATE.md): "profile/XXXX" is a profile's record and "isdp/XXXX/..." what is in
 * it, where XXXX is the part of its AID that differs; "isdr/iccid/..." finds it by ICCID.
 * "isdr/enabled" is the one enabled profile, so that two cannot be. */
#ifndef APPLETS_ISDR_PROFILE_STORE_H
#define APPLETS_ISDR_PROFILE_STORE_H

#include "applets/isdp/install.h"
#include "os/euicc.h"

enum {
    ICCID_LEN = 10,
    NICKNAME_MAX = 64,
    ISDP_FIRST = 0x0010, /* SGP.22 2.4.2: ISD-P AIDs from 0010 on */
    ISDP_LAST = 0xFFFF,
    NO_PROFILE = 0,
};

enum profile_class { CLASS_TEST = 0, CLASS_PROVISIONING = 1, CLASS_OPERATIONAL = 2 };

enum {
    PPR_UPDATE_CONTROL = 1 << 0, /* PprIds, SGP.22 2.8.1 */
    PPR1_NO_DISABLE = 1 << 1,
    PPR2_NO_DELETE = 1 << 2,
};

/* One profile, loaded; the views point into object. */
struct profile {
    struct wr object;
    uint16_t index;     /* XXXX of its AID */
    struct rd metadata; /* contents of StoreMetadataRequest as received */
    struct rd iccid;
    struct rd nickname;       /* n == 0: none */
    struct rd dp_proprietary; /* B8 whole as received; n == 0: none */
    struct rd ci_pkid;        /* CI of its download: whose certificate signs its notifications */
    uint64_t size;            /* octets it takes */
    uint64_t profile_class;
    uint32_t pprs;
    bool preloaded;        /* by the EUM */
    bool is_emergency;     /* ecallIndication (SGP.32 5.9.22) */
    bool fallback_allowed; /* may hold the fallback attribute (SGP.32 3.4.6) */
};

/* A new one, to be added. */
struct profile_new {
    struct rd metadata, dp_proprietary, ci_pkid;
    struct install *install; /* finished; made for the index that it is added with */
    bool preloaded;
};

/* Which profile is enabled, and everything that brings another one back. */
struct profile_switch {
    uint16_t enabled;
    uint16_t resumes;    /* when the enabled test profile ends (SGP.22 3.2.1) */
    uint16_t returns;    /* by ReturnFromFallback; NO_PROFILE: there was no fallback */
    uint16_t rolls_back; /* by ProfileRollback; NO_PROFILE: not granted */
    uint64_t grant;      /* rolls_back: seqNumber of the package result that grants it */
    bool emergency;      /* the Emergency Profile is enabled */
    uint16_t after_emergency;
};

/* A switch that waits for its REFRESH, to be taken back if the terminal refuses. */
struct switch_undo {
    bool pending;
    struct profile_switch before;
    uint64_t first_notification, last_notification; /* made by the switch */
};

void isdp_aid(uint16_t index, uint8_t ret[AID_MAX_LEN]);

int profile_load(struct euicc *e, uint16_t index, struct profile *ret, bool *ret_found);
/* One that must be there: ERR_BUG when it is not. */
int profile_get(struct euicc *e, uint16_t index, struct profile *ret);
void profile_done(struct profile *p);

/* Is it a test profile?  NO_PROFILE is none. */
int profile_is_test(struct euicc *e, uint16_t index, bool *ret);

/* By ICCID (10 octets) or ISD-P AID; *ret_index is NO_PROFILE when there is none. */
int profile_find_iccid(struct euicc *e, struct rd iccid, uint16_t *ret_index);
int profile_find_aid(struct euicc *e, struct rd aid, uint16_t *ret_index);

/* The Emergency Profile (SGP.32 5.9.22), NO_PROFILE when there is none. */
int profile_find_emergency(struct euicc *e, uint16_t *ret_index);

/* Walks all profiles in order of AID: *index is NO_PROFILE to begin with and again at the end. */
int profile_next(struct euicc *e, uint16_t *index);

/* Octets that are free. */
int profile_free_room(struct euicc *e, uint64_t *ret);
/* The same for one more profile: 0 when none fits for another reason. */
int profile_free_memory(struct euicc *e, uint64_t *ret);

/* The mounted profile's files take so many octets more, or fewer.  ERR_SPACE. */
int profile_take_room(struct euicc *e, int64_t octets);

/* The AID that the next profile gets, or ERR_SPACE. */
int profile_next_index(struct euicc *e, uint16_t *ret);

/* A reader of profile packages as this card's settings want it, for upp_free(). */
struct upp *profile_upp(struct euicc *e, struct install *install, uint64_t max, struct rd iccid);

/* ERR_SPACE when it does not fit. */
int profile_add(struct euicc *e, uint16_t index, const struct profile_new *p);
int profile_remove(struct euicc *e, const struct profile *p);
int profile_set_nickname(struct euicc *e, const struct profile *p, struct rd nickname);
/* Contents of a StoreMetadataRequest in place of the old; ERR_SPACE when they do not fit. */
int profile_update_metadata(struct euicc *e, const struct profile *p, struct rd metadata);

int profile_enabled(struct euicc *e, uint16_t *ret_index);
/* The enabled profile's files become the card's. */
int profile_want_enabled(struct euicc *e);
int profile_get_switch(struct euicc *e, struct profile_switch *ret);
int profile_set_switch(struct euicc *e, const struct profile_switch *s);

#endif
