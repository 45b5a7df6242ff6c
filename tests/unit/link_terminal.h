/* link_terminal.h - a terminal in the test's process: it fetches, answers, tells events, and
 * connects BIP channels to peers.  Its time is virtual: timers expire when nothing else happens. */
#ifndef TESTS_UNIT_LINK_TERMINAL_H
#define TESTS_UNIT_LINK_TERMINAL_H

#include "os/euicc.h"
#include "tests/unit/link_peers.h"

enum {
    TERMINAL_PEERS = 4,
    TERMINAL_CHANNELS = 3, /* 1 and 2 */
    TERMINAL_TIMERS = 9,   /* 1 to 8 */
};

struct terminal {
    /* Set by the test. */
    struct peer *peers[TERMINAL_PEERS];
    uint16_t buffer_size; /* that it gives at most; 0: what is asked for */
    const char *date;     /* date-time-TZ in hex; NULL: it does not know */
    bool tells_dns;       /* with OPEN CHANNEL: that of peers[0] */
    struct {
        uint8_t type, general, additional;
        unsigned skip, times;
    } fault; /* of commands of this type, after skip good ones */
    struct {
        uint8_t type;
        unsigned skip, times;
    } lost;              /* their TERMINAL RESPONSEs */
    unsigned stop_after; /* APDUs; 0: never */

    /* What happened. */
    unsigned apdus, commands[256], expirations;
    unsigned now;               /* seconds */
    uint8_t digest[SHA256_LEN]; /* of all APDUs */
    size_t up, down;            /* channel data */
    uint8_t qualifier;          /* of the last OPEN CHANNEL */
    uint8_t open[255];          /* what followed */
    size_t open_n;

    /* Its own. */
    struct euicc *e;
    struct crypto *c;
    uint8_t *response;
    size_t n;
    unsigned sw;
    struct {
        struct peer *peer;
        uint8_t *tx;
        size_t tx_n, rx_at;
        bool notified, told_closed;
    } channels[TERMINAL_CHANNELS];
    struct {
        bool running;
        unsigned due, seconds;
    } timers[TERMINAL_TIMERS];
};

/* c: for the digest. */
void terminal_init(struct terminal *t, struct euicc *e, struct crypto *c);
void terminal_done(struct terminal *t);
/* The card was reset: sends TERMINAL PROFILE. */
void terminal_start(struct terminal *t, const char *profile);
/* Until *stop, until nothing happens any more, or until it has sent too many APDUs (false). */
bool terminal_run(struct terminal *t, const unsigned *stop, unsigned want);
void terminal_send(struct terminal *t, const char *apdu);

#endif
