/* bip.h - Bearer Independent Protocol: a channel to the network through the terminal (TS 102 223
 * 6.4.27 to 6.4.31).
 *
 * A channel is an object of its owner's that bip_init() makes known, in the applet's state block.
 *
 *   rest --bip_open()--> opening --opened(BIP_OK)--> open --bip_close(), or it breaks--> rest
 *                           `--opened(anything else)--> rest              `--closed()--^
 *
 * It answers to every general result itself: it asks again where the terminal was busy, asks for
 * less where it asked for too much, fetches what arrived, and frees what the terminal allocated.
 * Its owner learns whether it opened, what came, that what it sent is out, and why it closed. */
#ifndef OS_BIP_H
#define OS_BIP_H

#include "os/cat.h"

enum {
    BIP_SLICE_MAX = 240,   /* in SEND DATA: 255 octets with what is around it */
    BIP_RECEIVE_MAX = 237, /* in the TERMINAL RESPONSE to RECEIVE DATA: Lc is 255 */
    BIP_BUFFER_MIN = 128,  /* less is not asked for */
    BIP_NAME_MAX = 64,     /* characters of a network access name */
    BIP_CREDENTIAL_MAX = 32,
    BIP_DNS_MAX = 4,
    BIP_TRIES = 3, /* of a command while the terminal is busy */
};

/* How a channel stands, or why it does not. */
enum bip_outcome {
    BIP_OK,
    BIP_RETRY_LATER, /* busy or unreachable */
    BIP_NO_SERVICE,  /* wait for a network */
    BIP_TRY_VARIANT, /* of bip_classify() only: to be asked for in another way */
    BIP_CLOSED,      /* by the other side, or the link is gone */
    BIP_REFUSED,     /* do not try again like that */
};

/* What a general result of OPEN CHANNEL, SEND DATA, RECEIVE DATA or CLOSE CHANNEL means (TS 102 223
 * 8.12). */
enum bip_outcome bip_classify(const struct cat_result *r);

struct bip_address {
    uint8_t octets[16];
    uint8_t n; /* 4, 16; 0: none */
};

enum bip_protocol { BIP_UDP = 0x01, BIP_TCP = 0x02 }; /* TS 102 223 8.59 */

struct bip_parameters {
    enum bip_protocol protocol;
    struct bip_address address;
    uint16_t port;
    uint16_t buffer_size;        /* 0: 1400 */
    bool packet_service;         /* where the terminal has it, rather than its default bearer */
    bool dns;                    /* ask for DNS servers; with packet service only */
    bool local_address;          /* ask for our address */
    bool background;             /* the command ends before the link is there */
    char name[BIP_NAME_MAX + 1]; /* of the network to access, "iot.example"; "": the terminal's */
    char login[BIP_CREDENTIAL_MAX + 1], password[BIP_CREDENTIAL_MAX + 1]; /* "": none */
};

/* Return 0 or a fault.  They may call any function of this file; closed() and a failed opened()
 * find the channel at rest. */
struct bip_user {
    int (*opened)(struct euicc *e, void *ctx, enum bip_outcome outcome);
    int (*sent)(struct euicc *e, void *ctx); /* all of it is with the terminal */
    /* 1 to 237 octets, or more of a terminal that gives more; they live until it returns.
     * remaining: those that wait in the terminal, FF for more than 254; 0 ends a datagram that was
     * alone. */
    int (*received)(struct euicc *e, void *ctx, struct rd octets, uint8_t remaining);
    /* BIP_OK after bip_close(). */
    int (*closed)(struct euicc *e, void *ctx, enum bip_outcome why);
};

struct bip {
    /* For its owner to read. */
    uint16_t buffer_size; /* granted */
    struct bip_address local, dns[BIP_DNS_MAX];
    size_t n_dns;
    uint8_t general, additional; /* the last general result that was a failure, and what followed */

    /* bip.c's own. */
    const struct bip_user *user;
    void *ctx;
    struct cat *cat;
    enum { BIP_REST, BIP_OPENING, BIP_LINKING, BIP_OPEN, BIP_FINDING, BIP_CLOSING } state;
    struct bip_parameters p;
    unsigned variant; /* the next to try */
    uint8_t id;       /* 1 to 7 while the terminal has it */
    bool comprehension, told_open, asks_status;
    struct cat_command command;
    unsigned tries;

    struct rd sending;
    size_t slice;     /* octets in the SEND DATA that is made */
    size_t stored;    /* octets in the terminal that are not flushed */
    uint8_t tx_free;  /* octets, FF for more than 254 */
    uint8_t waiting;  /* octets that wait in the terminal, FF for more than 254 */
    uint8_t latched;  /* of an event during RECEIVE DATA */
    unsigned empties; /* RECEIVE DATA without any, in a row */
    bool dropped;     /* the link is, but something may wait */

    enum bip_outcome why;
    bool asked_to_close, keep;
};

/* A channel at rest, known to the card until a reset.  false when there are too many. */
bool bip_init(struct euicc *e, struct bip *b, const struct bip_user *user, void *ctx);

/* Can the terminal do what a channel needs? */
bool bip_can(const struct cat *c, enum bip_protocol protocol);

/* Asks for a channel; opened() follows.  false, and nothing happens, when the channel is not at
 * rest, the terminal cannot, it has no more, or the parameters are wrong. */
bool bip_open(struct bip *b, const struct bip_parameters *p);

/* One write (TCP) or one datagram (UDP).  The octets stay the caller's and must live until sent()
 * or closed().  false when the channel is not open or still sends, or there is nothing, or it is a
 * datagram beyond the buffer size. */
bool bip_send(struct bip *b, struct rd octets);

/* Frees it; nothing more is received.  keep: the connection to the network, for the next channel of
 * the same name.  true: closed() follows; false: it is at rest, nothing follows. */
bool bip_close(struct bip *b, bool keep);

/* Asks the terminal whether it is still open; closed() follows when it is not. */
bool bip_check(struct bip *b);

/* Does any channel exist? */
bool bip_is_used(const struct cat *c);

#endif
