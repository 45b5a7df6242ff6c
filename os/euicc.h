/* euicc.h - the card: everything that one chip is, and the path of an APDU through it.
 *
 *   1 apdu_parse         6700        card/apdu.c
 *   2 cla_parse, channel 6E00, 6881  card/apdu.c, card/channel.c
 *   3 chain_take         6883        card/chain.c
 *   4 dispatch           6882, 6D00  os/dispatch.c: unwraps, finds the row, checks what it needs
 *   5 row->run                       os/uicc.c or applets/
 *   6 commit or abort    6581        os/dispatch.c
 *   7 chain_answer       61xx        card/chain.c
 *   8 cat_ending         91xx        os/cat.c */
#ifndef OS_EUICC_H
#define OS_EUICC_H

#include "card/atr.h"
#include "card/channel.h"
#include "os/cat.h"
#include "os/crypto.h"
#include "os/nvm.h"
#include "os/registry.h"
#include "os/session.h"
#include "os/settings.h"
#include "os/trace.h"
#include "os/uicc.h"

enum {
    /* Octets of an answer: all notifications of a full card. */
    EUICC_MAX_ANSWER = 1 << 20,
};

/* What outlives the power between suspend and resume (os/uicc_suspend.c). */
struct suspension {
    enum { SUSPENSION_NONE, SUSPENSION_ASKED, SUSPENSION_POWERED } state;
    uint8_t token[8];
    uint16_t profile; /* that was mounted */
    struct pin_status pins;
    struct cat_terminal terminal;
    uint8_t capability[128], capability_len;
    struct channels channels;
    struct {
        bool used;
        const struct applet *applet; /* one without files, or NULL */
        struct file_state files;
    } stands[CHANNEL_COUNT];
};

/* What somebody outside wants to be so (lib/fault.h): it outlives resets, and is never stored. */
struct forced {
    bool full_memory;
    bool cat_busy;
    int64_t clock; /* seconds that the card's time is ahead */
};

struct euicc {
    struct trace trace;
    struct crypto *crypto; /* shared, not owned */
    struct nvm *nvm;       /* owned */
    struct settings settings;
    struct registry registry;
    bool on;
    bool read_only; /* looked at beside whoever serves it: nothing is stored */

    struct forced forced;
    struct suspension suspension;

    /* What follows goes with a reset. */
    struct channels channels;
    struct session *sessions[CHANNEL_COUNT]; /* of the open channels that were used */
    struct cat cat;
    struct uicc uicc;
    uint8_t terminal_capability[128]; /* contents of A9 (TS 102 221 11.1.19.2) */
    uint8_t terminal_capability_len;
    struct wr answer; /* of the command that runs */
};

/* Takes nvm over, also on failure; the card is off.  0 or negative. */
int euicc_init(struct euicc *e, struct nvm *nvm, struct crypto *crypto, struct trace trace,
               const struct applet *const *applets, size_t n_applets);
void euicc_done(struct euicc *e);

/* A cold or a warm reset: volatile state goes, applets start.  0 or negative. */
int euicc_power_on(struct euicc *e);
void euicc_power_off(struct euicc *e);

/* The answer to reset; also while off.  Returns its length. */
size_t euicc_atr(const struct euicc *e, uint8_t ret[ATR_MAX_LEN]);

/* One command (n octets), one response of up to APDU_MAX_RESPONSE octets.  Returns its length;
 * 0 when the storage lost power: a card without power is mute. */
size_t euicc_transmit(struct euicc *e, const uint8_t *command, size_t n, uint8_t *response);

/* An applet's state block. */
static inline void *euicc_state(const struct euicc *e, const struct applet *applet)
{
    return registry_state(&e->registry, applet);
}

/* A proactive session is going on, or is said to be; the latter alone. */
bool euicc_cat_is_busy(const struct euicc *e);
bool euicc_cat_is_made_busy(const struct euicc *e);

/* Seconds since 1970, as the host has it, with the jump of struct forced. */
int64_t euicc_time(const struct euicc *e);
/* The same of a time that the terminal told; 0, unknown, stays 0. */
int64_t euicc_time_told(const struct euicc *e, int64_t told);

/* Closes a channel and what belongs to it. */
void euicc_close_session(struct euicc *e, uint8_t channel);

#endif
