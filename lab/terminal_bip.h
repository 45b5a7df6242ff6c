/* terminal_bip.h - the bearer independent protocol of the terminal: channels on sockets (TS 102 223
 * 6.4.27 to 6.4.31). */
#ifndef LAB_TERMINAL_BIP_H
#define LAB_TERMINAL_BIP_H

#include "lab/terminal.h"

enum { BIP_DATAGRAMS_MAX = 32 };

struct event;

enum channel_state {
    CHANNEL_FREE,
    CHANNEL_ON_DEMAND, /* the link comes with the first SEND DATA */
    CHANNEL_CONNECTING,
    CHANNEL_UP,
    CHANNEL_DROPPED,
};

struct channel {
    struct terminal *terminal;
    unsigned id; /* 1 to 7 */
    enum channel_state state;
    bool udp, reconnect, in_background;
    int fd;
    struct event *in, *out;
    struct address asked, real;
    uint16_t buffer;
    struct wr tx;   /* stored, or being written */
    size_t tx_sent; /* of it */
    bool sending;
    uint8_t *rx; /* as many octets as buffer */
    size_t n_rx;
    size_t datagrams[BIP_DATAGRAMS_MAX]; /* what is left of each in rx */
    size_t n_datagrams;
    bool link_lost;   /* but what was received before may be fetched */
    bool gated;       /* reads nothing: the buffer is full, or the link is slow */
    size_t n_refusal; /* octets that go into an answer without a channel, too */
    bool data_due, status_due;
    uint64_t renotify_at, slow_until, deadline; /* UINT64_MAX: none */
    uint64_t carried;                           /* octets since it was opened, both ways */
};

/* Commands: see terminal_core.h. */
struct command;
int bip_open(struct terminal *t, const struct command *c);
int bip_close(struct terminal *t, const struct command *c);
int bip_receive(struct terminal *t, const struct command *c);
int bip_send(struct terminal *t, const struct command *c);
int bip_status(struct terminal *t, const struct command *c);

void bip_init(struct terminal *t);
void bip_reset(struct terminal *t); /* every channel goes, nobody is told */
void bip_lost(struct terminal *t);  /* the network went */
void bip_tick(struct terminal *t);  /* deadlines */
uint64_t bip_deadline(const struct terminal *t);

/* The next channel that has something to tell, from 1; 0: none. */
unsigned bip_status_due(const struct terminal *t);
unsigned bip_data_due(const struct terminal *t);
uint8_t bip_waiting(const struct channel *c); /* as Channel data length says it */
void bip_told_data(struct channel *c);
struct rd bip_channel_status(const struct channel *c, uint8_t ret[2]);

#endif
