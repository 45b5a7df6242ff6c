/* access.h - may this be done with this file now?  The rules in EF.ARR, in expanded format
 * (TS 102 221 9.2, ISO 7816-4 5.4.3). */
#ifndef OS_ACCESS_H
#define OS_ACCESS_H

#include "os/fs.h"
#include "os/pin.h"
#include "os/tlv.h"

/* Access mode bits of an EF; of a DF where they differ (TS 102 221 9.2.4). */
enum access_mode {
    ACCESS_READ = 0x01,
    ACCESS_UPDATE = 0x02,
    ACCESS_DEACTIVATE = 0x08,
    ACCESS_ACTIVATE = 0x10,
    ACCESS_TERMINATE = 0x20,
    ACCESS_DELETE = 0x40,
    ACCESS_DF_DELETE_CHILD = 0x01,
    ACCESS_DF_CREATE_EF = 0x02,
    ACCESS_DF_CREATE_DF = 0x04,

    ACCESS_BY_INS = 0x100, /* + INS: INCREASE 32, RESIZE D4 */
};

/* Who asks: the PINs that are verified, or a remote party with a domain of its own. */
struct access_context {
    const struct fs *fs;
    struct nvm *nvm;
    const struct pin_status *pins;
    const char *prefix;
    bool all_but_never; /* access domain 00 (TS 102 226 8.2.1.3.2.4) */
};

/* The PIN that a key reference means in a DF: global ones are the MF's, local ones (80 and above)
 * those of the DF or the nearest above it that has one.  The caller wipes what it got. */
int access_find_pin(const struct access_context *c, uint16_t df, uint8_t reference, struct pin *ret,
                    bool *ret_found);

/* Security attributes of a node by reference: the contents of 8B (TS 102 221 11.1.1.4.7).
 * Of pairs of security environment and record those of environments 00 and 01 count.  ERR_INPUT
 * when they are none. */
int access_parse_reference(struct rd reference, struct fs_node *ret);

/* The key reference of the application PIN of the MF or an ADF, the first in its PIN status
 * template; 0 without one. */
uint8_t access_application_pin(const struct fs_node *application);

/* --- what is written in EF.ARR ----------------------------------------------------------- */

/* An access mode, and its conditions one after the other, of which any suffices. */
struct access_rule {
    struct tlv mode;
    struct rd conditions;
};

enum access_sort {
    ACCESS_ALWAYS,
    ACCESS_NEVER,
    ACCESS_PIN,
    ACCESS_BEYOND_TERMINAL, /* secure messaging, external authentication */
    ACCESS_ANY_OF,
    ACCESS_ALL_OF,
    ACCESS_NONE_OF,
    ACCESS_UNKNOWN, /* or not readable */
};

struct access_condition {
    enum access_sort sort;
    uint8_t reference; /* ACCESS_PIN: of the key */
    struct rd list;    /* the three of others: them */
};

/* Takes the next rule off a record of EF.ARR; false behind the last. */
bool access_next_rule(struct rd *record, struct access_rule *ret);
/* Bits of enum access_mode; 0 for a rule about instructions. */
uint8_t access_rule_bits(const struct access_rule *r);
/* The n-th instruction, from 0; false behind the last. */
bool access_rule_ins(const struct access_rule *r, size_t nth, uint8_t *ret);
/* Takes the next condition off a list; false behind the last. */
bool access_next_condition(struct rd *list, struct access_condition *ret);

/* Appends that record of a node's EF.ARR.  0 or a fault. */
int access_read_rules(const struct fs *fs, struct nvm *nvm, uint16_t node, uint8_t record,
                      struct wr *ret, bool *ret_found);

/* --- the question ------------------------------------------------------------------------ */

/* mode: one of the bits, or ACCESS_BY_INS + INS.  0 allowed; SW_SECURITY_STATUS; or a fault. */
int access_check(const struct access_context *c, uint16_t node, unsigned mode);

#endif
