/* terminal.h - a modem in software: it powers a card, sends TERMINAL PROFILE, fetches proactive
 * commands and carries them out, BIP channels on sockets of this machine (TS 102 223).
 *
 * An object without globals: thousands live in one process, on one event loop of their owner.
 * Everything happens in callbacks of that loop, in terminal_start() and in terminal_tick(). */
#ifndef LAB_TERMINAL_H
#define LAB_TERMINAL_H

#include "lab/card.h"
#include "lab/terminal_address.h"
#include "lab/terminal_fault.h"

struct event_base;
struct terminal;

enum {
    TERMINAL_IMEI_LEN = 15,
    TERMINAL_PROFILE_MAX = 64,
    TERMINAL_CHANNELS = 7,
    TERMINAL_DNS_MAX = 2,
    TERMINAL_PHASES = 16,
    TERMINAL_PHASE_LEN = 32,
    TERMINAL_SMS_MAX = 175, /* an SMS-DELIVER TPDU */
};

/* --- the card --------------------------------------------------------------------------------- */

struct terminal_card {
    /* Response data go to ret, which has room for CARD_RESPONSE_MAX; 0 or negative with *e. */
    int (*transmit)(void *ctx, struct rd command, struct wr *ret, uint16_t *ret_sw,
                    struct lab_error *e);
    int (*reset)(void *ctx, struct lab_error *e);
    void *ctx;
};

/* A card of lab/card.h, which stays the caller's. */
struct terminal_card terminal_card_of(struct card *card);

/* --- time ------------------------------------------------------------------------------------- */

/* A manual clock moves when its owner writes ms and calls terminal_tick(); tests need not sleep. */
struct terminal_clock {
    uint64_t ms;
};

/* --- the device ------------------------------------------------------------------------------- */

enum terminal_service { /* TS 102 223 8.27 */
                        SERVICE_NORMAL = 0,
                        SERVICE_LIMITED = 1,
                        SERVICE_NONE = 2,
};

enum terminal_technology { /* TS 102 223 8.62 */
                           TECHNOLOGY_GSM = 0x00,
                           TECHNOLOGY_UTRAN = 0x03,
                           TECHNOLOGY_EUTRAN = 0x08,
                           TECHNOLOGY_NR = 0x0A,
};

struct terminal_device {
    char imei[TERMINAL_IMEI_LEN + 1];
    uint8_t profile[TERMINAL_PROFILE_MAX]; /* TERMINAL PROFILE; see terminal_device_channels() */
    size_t n_profile;
    uint16_t buffer; /* the most that OPEN CHANNEL is granted */
    bool ipad;       /* TERMINAL CAPABILITY says that the device has an IPAd */

    uint8_t plmn[3];
    uint32_t area; /* LAC or TAC */
    uint64_t cell;
    enum terminal_technology technology;
    enum terminal_service service; /* what it finds when it attaches */
    unsigned attach_ms;            /* from TERMINAL PROFILE until it does; 0: it is attached */
    unsigned connect_ms;           /* the longest that OPEN CHANNEL and SEND DATA take */

    unsigned poll_s;     /* STATUS without POLL INTERVAL; 0: none */
    unsigned poll_max_s; /* the most that POLL INTERVAL is granted; 0: as asked */

    bool no_date;
    int64_t date; /* seconds since 1970 at terminal_new(); 0: the machine's clock */
    int quarters; /* of an hour from UTC */

    struct address dns[TERMINAL_DNS_MAX];
    size_t n_dns;
    struct address local_v4, local_v6; /* what the network is said to have given */
};

/* IMEI 490154203237518, 001/01, E-UTRAN, seven channels, buffers of 1500 octets. */
void terminal_device_init(struct terminal_device *d);

/* Writes 0 to 7 channels into the terminal profile. */
void terminal_device_channels(struct terminal_device *d, unsigned n);

/* "26201" or "310410". */
bool terminal_plmn_read(const char *digits, uint8_t ret[3]);

/* --- what it tells ---------------------------------------------------------------------------- */

enum terminal_state {
    TERMINAL_OFF,
    TERMINAL_INIT,
    TERMINAL_IDLE,
    TERMINAL_FETCH,
    TERMINAL_EXEC,
    TERMINAL_ENVELOPE,
    TERMINAL_REFRESH,
};

enum terminal_note_kind {
    NOTE_COMMAND,  /* a proactive command, octets as fetched */
    NOTE_RESPONSE, /* octets of TERMINAL RESPONSE, and its status word */
    NOTE_ENVELOPE, /* octets, status word */
    NOTE_NETWORK,  /* sockets, service */
    NOTE_CARD,     /* reset, profile, STATUS, status words that should not be */
    NOTE_FAULT,    /* a fault of the list took place */
    NOTE_APDU,     /* every command APDU, with its status word; text is its response in hex */
};

struct terminal_note {
    enum terminal_note_kind kind;
    uint64_t ms;                     /* since terminal_new() */
    const char *name;                /* "OPEN CHANNEL", "data available"; may be NULL */
    uint8_t number, type, qualifier; /* NOTE_COMMAND, NOTE_RESPONSE */
    uint8_t result;                  /* NOTE_RESPONSE */
    int info;                        /* behind it, or -1 */
    unsigned channel;                /* 0: none */
    uint16_t sw;
    struct rd octets;
    const char *text; /* in words; never NULL */
};

/* It may not call functions of the terminal that change it. */
typedef void terminal_note_fn(void *ctx, const struct terminal_note *note);

struct terminal_flow {
    unsigned channel;
    bool udp, sent;                       /* sent by the card */
    const struct address *local, *remote; /* as the card knows them */
};

/* Octets that went over a channel. */
typedef void terminal_octets_fn(void *ctx, const struct terminal_flow *flow, struct rd octets);

/* It came to rest, or the card failed; the same restriction. */
typedef void terminal_rest_fn(void *ctx);

/* --- the terminal ----------------------------------------------------------------------------- */

struct terminal_config {
    struct event_base *base;
    const struct terminal_clock *clock; /* NULL: real time */
    struct terminal_card card;
    struct terminal_device device;
    struct terminal_faults faults;
    const struct address_map *map; /* borrowed; may be NULL */
    terminal_note_fn *note;        /* these three may be NULL */
    terminal_octets_fn *octets;
    terminal_rest_fn *rest;
    void *ctx;
};

/* A configuration with nothing but a device. */
void terminal_config_init(struct terminal_config *config);

int terminal_new(const struct terminal_config *config, struct terminal **ret, struct lab_error *e);
void terminal_free(struct terminal **t);

/* Powers the card on: reset and TERMINAL PROFILE happen at once, the rest as the loop runs. */
void terminal_start(struct terminal *t);

/* Does what is due.  For owners of a manual clock; the event loop does it by itself otherwise. */
void terminal_tick(struct terminal *t);

/* When something is due next; UINT64_MAX: nothing without a socket or the owner. */
uint64_t terminal_next_ms(const struct terminal *t);

enum terminal_state terminal_state(const struct terminal *t);
bool terminal_is_idle(const struct terminal *t); /* T2, and no event waits */
unsigned terminal_open_channels(const struct terminal *t);
const char *terminal_error(const struct terminal *t); /* why the card failed; NULL: it did not */

/* What an operator or the network can do. */
void terminal_set_service(struct terminal *t, enum terminal_service service);
void terminal_set_technology(struct terminal *t, enum terminal_technology technology);
void terminal_set_plmn(struct terminal *t, const uint8_t plmn[3]);
void terminal_choose_menu(struct terminal *t, uint8_t item);
bool terminal_receive_sms(struct terminal *t, struct rd tpdu); /* SMS-PP download */
void terminal_poll(struct terminal *t);                        /* STATUS now */

/* Puts real time forward to the card's next timer, or to the next STATUS if none runs; false where
 * there is neither, the terminal is not at rest, or a channel is open. */
bool terminal_skip(struct terminal *t);

/* An APDU of somebody else in the device, such as its IPA.  What 91xx behind it announces is
 * fetched as the loop goes on.  Response data go to ret; 0, or negative with *e where the card is
 * off, in the middle of a proactive command, or gone. */
int terminal_transmit(struct terminal *t, struct rd command, struct wr *ret, uint16_t *ret_sw,
                      struct lab_error *e);

void terminal_reset(struct terminal *t);
void terminal_power_off(struct terminal *t);

/* --- counting --------------------------------------------------------------------------------- */

struct terminal_count {
    char phase[TERMINAL_PHASE_LEN];
    uint64_t sent, received; /* payload over BIP, by the card's view */
    uint64_t datagrams_sent, datagrams_received;
    uint64_t links;              /* TCP connections and UDP flows */
    uint64_t apdus, apdu_octets; /* pairs; both directions */
    uint64_t commands, envelopes;
};

/* What follows is counted under this name; a name that was used goes on.  Without one: "". */
void terminal_phase(struct terminal *t, const char *name);

/* The phases so far, at least one. */
size_t terminal_counts(const struct terminal *t, const struct terminal_count **ret);

/* Octets over a channel (1 to 7) since terminal_new(). */
void terminal_channel_counts(const struct terminal *t, unsigned channel, uint64_t *ret_sent,
                             uint64_t *ret_received);
uint64_t terminal_resets(const struct terminal *t);
uint64_t terminal_refreshes(const struct terminal *t);
uint64_t terminal_commands(const struct terminal *t);

#endif
