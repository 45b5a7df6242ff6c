/* aka.h - authentication and key agreement of one network access application (TS 33.102 6.3, annex
 * C.2), with the parameters of its PE-AKAParameter (TCA eUICC Profile Package 8.6).
 *
 * NVM below the profile's prefix, NNNN the number of the ADF's node: "aka/NNNN" the element as
 * received; "sqn/NNNN" SEQ of every IND, 32 times 6 octets, absent: as the element says;
 * "auths/NNNN" authentications left, absent: none yet or unlimited.  An application with a
 * mappingParameter uses those of the application that it names. */
#ifndef APPLETS_NAA_AKA_H
#define APPLETS_NAA_AKA_H

#include "applets/naa/algorithm.h"
#include "os/fs.h"

enum {
    AKA_INDS = 32, /* IND is 5 bits */
    AKA_MAX_AUTN_LEN = AKA_SQN_LEN + AKA_AMF_LEN + AKA_MAX_LEN,
    AKA_MAX_AUTS_LEN = AKA_SQN_LEN + AKA_MAX_LEN,
    AKA_KC_LEN = 8,
    AKA_SRES_LEN = 4,
};

/* One PE-AKAParameter. */
struct aka_parameters {
    uint8_t source[FS_AID_MAX]; /* mappingSource; everything else is there then */
    size_t source_len;          /* 0: not mapped */

    const struct aka_algorithm *algorithm;
    struct aka_keys keys;
    bool limits_delta, limits_age;
    uint64_t delta, age; /* in steps of SEQ */
    bool counts;
    uint32_t max_auths;
    uint64_t init[AKA_INDS]; /* SEQ */
};

/* The element, with its tag.  ERR_INPUT: not one that this card can authenticate with; wipe *ret
 * in any case. */
int aka_parse(struct rd element, struct aka_parameters *ret);

/* An application whose parameters are loaded. */
struct aka {
    struct crypto *crypto;
    struct nvm *nvm;
    const struct fs *fs;
    uint16_t node; /* whose sequence numbers they are */
    struct aka_parameters parameters;
    uint64_t seq[AKA_INDS];
};

/* *ret_found: whether the ADF has parameters.  To be closed in any case. */
int aka_open(struct crypto *crypto, struct nvm *nvm, const struct fs *fs, uint16_t adf,
             struct aka *ret, bool *ret_found);
/* Wipes what was secret. */
void aka_close(struct aka *a);

/* Takes one from authCounterMax, in a commit of its own before anything is computed.
 * *ret_any: whether there was one. */
int aka_count(struct aka *a, bool *ret_any);

enum aka_outcome { AKA_DONE, AKA_WRONG_MAC, AKA_SYNCHRONISE };

struct aka_answer {
    enum aka_outcome outcome;
    struct aka_vector vector;       /* AKA_DONE */
    uint8_t auts[AKA_MAX_AUTS_LEN]; /* AKA_SYNCHRONISE */
    size_t auts_len;
};

/* Octets of AUTN that the algorithm wants. */
size_t aka_autn_len(const struct aka *a);

/* 3G: checks AUTN (aka_autn_len() octets), MAC before sequence number, and stores SEQ in the open
 * transaction.  gba: the MAC is that of GBA_U (TS 33.220 5.3.2). */
int aka_authenticate(struct aka *a, const uint8_t rand[AKA_RAND_LEN], const uint8_t *autn, bool gba,
                     struct aka_answer *ret);

/* GSM, by the conversion functions c2 and c3 (TS 33.102 6.8.1.2). */
int aka_gsm(struct aka *a, const uint8_t rand[AKA_RAND_LEN], uint8_t ret_sres[AKA_SRES_LEN],
            uint8_t ret_kc[AKA_KC_LEN]);
void aka_kc(const struct aka *a, const struct aka_vector *v, uint8_t ret[AKA_KC_LEN]);

#endif
