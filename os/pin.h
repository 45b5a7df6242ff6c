/* pin.h - PINs of one profile (TS 102 221 9): values, attempts, and what is verified.
 *
 * A PIN is named by its key reference and its context, the node of the MF or ADF that it is local
 * to (FS_MF for global ones).  Attempts are counted down in a commit of their own before any
 * comparison, so that a power cut never gives a guess for free.
 *
 * NVM, below "isdp/XXXX/": "pin/CCCC-RR" the PIN, "pin/CCCC-RR/left" its attempts, "pin/CCCC" the
 * context whose PINs this one shares, "puk/RR" and "puk/RR/left" the PUKs. */
#ifndef OS_PIN_H
#define OS_PIN_H

#include "os/buf.h"
#include "os/nvm.h"
#include "os/trace.h"

enum {
    PIN_LEN = 8,
    PIN_MAX_VERIFIED = 32,
    PIN_TRIES_SHOWN_MAX = 15, /* 63Cx has one digit for them */
    PIN_UNIVERSAL = 0x11,     /* key reference, global (TS 102 221 9.5.1) */

    PIN_ENABLED = 1 << 0, /* attributes, TCA 8.5 */
    PIN_CHANGEABLE = 1 << 1,
    PIN_DISABLEABLE = 1 << 2,
};

struct pin {
    uint8_t reference; /* 01-08, 0A-0E, 11, 81-88, 8A-8E */
    uint16_t context;  /* node of the MF or ADF */
    uint8_t value[PIN_LEN];
    uint8_t puk; /* key reference of the PUK; 0: none */
    uint8_t attributes;
    uint8_t max;
    bool replaced; /* disabled, and the universal PIN is asked for in its place */
};

/* Global PINs that applications are opened with (TS 102 221 9.5.1). */
static inline bool pin_is_application_pin(uint8_t reference)
{
    return reference >= 0x01 && reference <= 0x08;
}

struct puk {
    uint8_t reference;
    uint8_t value[PIN_LEN];
    uint8_t max;
};

/* What is verified since the reset; shared by all channels. */
struct pin_verified {
    uint16_t context;
    uint8_t reference;
};
struct pin_status {
    struct pin_verified verified[PIN_MAX_VERIFIED];
    unsigned n;
};

/* Installing: stores a PIN or PUK within the open transaction, with `left` attempts. */
int pin_store(struct nvm *nvm, const char *prefix, const struct pin *pin, uint8_t left);
int puk_store(struct nvm *nvm, const char *prefix, const struct puk *puk, uint8_t left);

/* Installing: a context also has the PINs of another one (PE-PINCodes with a filePath). */
int pin_share(struct nvm *nvm, const char *prefix, uint16_t context, uint16_t owner);

/* The PIN of a context, its own or a shared one, whose context is the owner's.  The caller wipes
 * what it got. */
int pin_load(struct nvm *nvm, const char *prefix, uint16_t context, uint8_t reference,
             struct pin *ret, bool *ret_found);

/* Attempts left; 0: blocked. */
int pin_left(struct nvm *nvm, const char *prefix, const struct pin *pin, uint64_t *ret);
int puk_left(struct nvm *nvm, const char *prefix, uint8_t reference, uint64_t *ret,
             bool *ret_found);

bool pin_is_verified(const struct pin_status *s, uint16_t context, uint8_t reference);

/* The i-th of those verified has to be verified again; those behind it move up. */
void pin_forget(struct pin_status *s, unsigned i);

/* Does a condition on this PIN hold: it is verified, or disabled, or replaced by a universal PIN
 * that is one of both (TS 102 221 9.5.1)?  0 or a fault. */
int pin_is_satisfied(struct nvm *nvm, const char *prefix, const struct pin_status *s,
                     const struct pin *pin, bool *ret);

/* The five commands, on a PIN that was just loaded.  0, or a status word: 6700 (a value is not of 8
 * octets), 63Cx, 6983 (blocked), 6984 (VERIFY or CHANGE of a disabled or replaced PIN), 6985 (the
 * attributes or the missing PUK forbid it, or it is so already).  No transaction may be open; they
 * commit what they change, and only then does *s say verified. */
int pin_verify(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
               struct rd value);
int pin_change(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
               struct rd old_value, struct rd new_value);
int pin_disable(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
                struct rd value);
/* DISABLE PIN that makes the universal PIN take this one's place, until ENABLE or UNBLOCK.  Also
 * 6A88: there is no universal PIN, and 6985: this is no application PIN. */
int pin_replace(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
                struct rd value);
int pin_enable(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
               struct rd value);
int pin_unblock(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
                struct rd puk_value, struct rd new_value);

#endif
