/* cat.h - the card application toolkit (TS 102 223): proactive commands, events, timers, the menu,
 * shared by all applets of the card that want something of the terminal.
 *
 * A command is an object of its owner's (struct cat_command).  cat_submit() puts it into the line;
 * when its turn has come its octets are made, 91xx announces it, and its owner is told how it
 * ended.  One command is with the terminal at a time.  Callbacks run within the APDU that caused
 * them and only put more into the line: the status word is computed last.
 *
 * Nothing is offered to a terminal that did not announce the facility in TERMINAL PROFILE: a plain
 * LPA never sees 91xx (TS 102 221 14.6.1).  A reset forgets everything; owners register anew in
 * their applet's start().  What they register lives in their applet's state block. */
#ifndef OS_CAT_H
#define OS_CAT_H

#include "os/applet.h"

enum {
    CAT_PROFILE_MAX = 64,  /* octets of a TERMINAL PROFILE that are kept */
    CAT_COMMAND_MAX = 255, /* what 91xx can announce */
    CAT_DETAILS_LEN = 3,   /* number, type, qualifier */
    CAT_QUEUE_MAX = 4,     /* of cat_queue() */
    CAT_OWNER_MAX = 6,
    CAT_TIMER_MAX = 8,   /* TS 102 223 6.6.21 */
    CAT_CHANNEL_MAX = 7, /* TS 102 223 6.4.27.1 */
    CAT_PATIENCE = 30,   /* other APDUs until a TERMINAL RESPONSE is taken as lost */
};

/* --- what the terminal can -------------------------------------------------------------------- */

/* Facilities of TERMINAL PROFILE (TS 102 223 5.2). */
enum cat_facility {
    CAT_CAN_MENU_SELECTION,
    CAT_CAN_TIMER_EXPIRATION,
    CAT_CAN_MORE_TIME,
    CAT_CAN_POLL_INTERVAL,
    CAT_CAN_POLLING_OFF,
    CAT_CAN_REFRESH,
    CAT_CAN_SEND_SHORT_MESSAGE,
    CAT_CAN_SET_UP_MENU,
    CAT_CAN_LOCATION, /* and IMEI */
    CAT_CAN_MEASUREMENTS,
    CAT_CAN_SET_UP_EVENT_LIST,
    CAT_CAN_EVENT_LOCATION_STATUS,
    CAT_CAN_EVENT_DATA_AVAILABLE,
    CAT_CAN_EVENT_CHANNEL_STATUS,
    CAT_CAN_EVENT_ACCESS_TECHNOLOGY,
    CAT_CAN_EVENT_NETWORK_REJECTION,
    CAT_CAN_TIMER,
    CAT_CAN_DATE_TIME,
    CAT_CAN_ACCESS_TECHNOLOGY,
    CAT_CAN_IMEISV,
    CAT_CAN_OPEN_CHANNEL,
    CAT_CAN_CLOSE_CHANNEL,
    CAT_CAN_RECEIVE_DATA,
    CAT_CAN_SEND_DATA,
    CAT_CAN_CHANNEL_STATUS,
    CAT_CAN_PACKET_SERVICE,
    CAT_CAN_TCP,
    CAT_CAN_UDP,
    CAT_CAN_E_UTRAN,
    CAT_CAN_DNS_REQUEST,
    CAT_CAN_KEEP_CONNECTION,
    CAT_CAN_STATE_CHANGE, /* REFRESH: eUICC Profile State Change */
};

/* --- commands --------------------------------------------------------------------------------- */

/* Types of command that we use (TS 102 223 9.4). */
enum cat_type {
    CAT_REFRESH = 0x01,
    CAT_MORE_TIME = 0x02,
    CAT_POLL_INTERVAL = 0x03,
    CAT_POLLING_OFF = 0x04,
    CAT_SET_UP_EVENT_LIST = 0x05,
    CAT_SEND_SHORT_MESSAGE = 0x13,
    CAT_SET_UP_MENU = 0x25,
    CAT_PROVIDE_LOCAL_INFORMATION = 0x26,
    CAT_TIMER_MANAGEMENT = 0x27,
    CAT_OPEN_CHANNEL = 0x40,
    CAT_CLOSE_CHANNEL = 0x41,
    CAT_RECEIVE_DATA = 0x42,
    CAT_SEND_DATA = 0x43,
    CAT_GET_CHANNEL_STATUS = 0x44,
};

/* Qualifiers of REFRESH (TS 102 223 8.6). */
enum cat_refresh {
    CAT_UICC_RESET = 0x04,
    CAT_PROFILE_STATE_CHANGE = 0x09,
};

/* General results (TS 102 223 8.12): 0x and 1x are "performed". */
enum cat_general {
    CAT_RESULT_FIRST_FAILURE = 0x20,
    CAT_TERMINAL_BUSY = 0x20,
    CAT_NETWORK_BUSY = 0x21,
    CAT_BEYOND_CAPABILITY = 0x30,
    CAT_BIP_ERROR = 0x3A,
};

/* How a command ended. */
struct cat_result {
    bool done;       /* performed, perhaps not quite as it was asked for */
    bool lost;       /* nobody answered: general is CAT_TERMINAL_BUSY, performed or not */
    uint8_t general; /* enum cat_general and others */
    struct rd info;  /* what stands behind it in the result */
    struct rd tlvs;  /* all objects of the TERMINAL RESPONSE; live until the callback returns */
};

/* 0, or a fault, which the terminal sees as the status word of its TERMINAL RESPONSE. */
typedef int cat_ended_fn(struct euicc *e, void *ctx, const struct cat_result *r);

struct cat_command;

/* Writes what follows command details and devices; may set the qualifier.  It may be asked several
 * times; what it said last is what the terminal gets. */
typedef void cat_put_fn(struct cat_command *command, struct wr *w);

/* A command of somebody's, in memory of its owner's that lives until a reset.  Zeroed, it rests. */
struct cat_command {
    enum cat_type type;
    uint8_t qualifier;
    uint8_t channel;     /* that it is for; 0: the device that its type says */
    uint32_t argument;   /* for put() */
    cat_put_fn *put;     /* NULL: nothing follows */
    cat_ended_fn *ended; /* NULL: nobody waits */
    void *ctx;           /* for put() and ended() */

    bool queued; /* in the line or with the terminal; the engine's, as is what follows */
    struct cat_command *next;
};

/* --- owners ----------------------------------------------------------------------------------- */

/* Events (TS 102 223 8.25). */
enum cat_event {
    CAT_EVENT_LOCATION_STATUS = 0x03,
    CAT_EVENT_DATA_AVAILABLE = 0x09,
    CAT_EVENT_CHANNEL_STATUS = 0x0A,
    CAT_EVENT_ACCESS_TECHNOLOGY = 0x0B,
    CAT_EVENT_NETWORK_REJECTION = 0x12,
};

static inline uint32_t cat_event_bit(enum cat_event event)
{
    return UINT32_C(1) << event;
}

/* Who is told of what the terminal says on its own: a constant table.  All but the name are
 * optional.  The functions return 0 or a fault; event() may also return SW_TOOLKIT_BUSY when it
 * really cannot take the event now: the terminal repeats it, to every owner. */
struct cat_owner {
    const char *name;
    const char *item; /* of the menu */
    /* TERMINAL PROFILE came, or a suspended terminal came back.  Events and menu look after
     * themselves. */
    int (*profile)(struct euicc *e);
    int (*event)(struct euicc *e, enum cat_event event, struct rd tlvs);
    int (*status)(struct euicc *e);   /* STATUS came: the terminal polls (TS 102 221 14.5.2) */
    int (*selected)(struct euicc *e); /* its item */
};

/* --- timers ----------------------------------------------------------------------------------- */

/* expired: its time is over.  Otherwise the terminal would not start it. */
typedef int cat_timer_fn(struct euicc *e, void *ctx, bool expired);

/* Zeroed, it rests. */
struct cat_timer {
    cat_timer_fn *told;
    void *ctx;
    uint8_t id; /* of the terminal's timer; 0: at rest */
    uint32_t seconds;
    bool wanted;          /* to run, rather than to stop */
    bool running;         /* as far as we know */
    bool expired_early;   /* before the TERMINAL RESPONSE that says that it runs */
    unsigned asked, sent; /* changes of mind, and the one that the terminal knows */
    struct cat_command command;
};

/* --- the engine ------------------------------------------------------------------------------- */

/* What is known of the terminal; outlives a suspension. */
struct cat_terminal {
    bool has_profile;
    uint8_t profile[CAT_PROFILE_MAX];
    size_t profile_len;
    uint8_t number; /* of the last proactive command */
};

struct bip;

struct cat {
    struct cat_terminal terminal;
    bool comprehension; /* sets the bit in objects of BIP and timers too: some modems mind */

    struct cat_command *queue; /* by priority, then by age */
    struct cat_command *due;   /* announced, or with the terminal */
    uint8_t octets[CAT_COMMAND_MAX], details[CAT_DETAILS_LEN];
    size_t n;
    bool fetched;    /* until TERMINAL RESPONSE */
    unsigned others; /* APDUs since then */

    struct {
        struct cat_command command;
        uint8_t tlvs[CAT_COMMAND_MAX];
        size_t n;
    } own[CAT_QUEUE_MAX]; /* of cat_queue() */

    struct {
        const struct cat_owner *owner;
        uint32_t events;
    } owners[CAT_OWNER_MAX];
    size_t n_owners;
    struct cat_command event_list, menu;
    uint32_t events_sent, events_told; /* in the command that is made; what the terminal took */
    unsigned event_tries;

    struct cat_timer *timers[CAT_TIMER_MAX]; /* by id - 1 */
    struct bip *channels[CAT_CHANNEL_MAX];   /* os/bip.c */
};

/* After a reset. */
void cat_reset(struct cat *c);

/* Did the terminal announce it? */
bool cat_allows(const struct cat *c, enum cat_facility facility);

/* How many channels the terminal has (TS 102 223 5.2, 13th octet). */
unsigned cat_channel_count(const struct cat *c);

/* Another profile's files are the card's: what the old one's applications still wanted from the
 * terminal is dropped, but for REFRESH, which is about the change, and what was fetched already. */
void cat_profile_changed(struct cat *c);

/* A proactive session is going on: ES10c functions that need REFRESH answer catBusy; they ask
 * euicc_cat_is_busy(). */
bool cat_is_busy(const struct cat *c);

/* Into the line.  false, and nothing happens, when the terminal cannot, when the command is in it
 * already, or when it is too long. */
bool cat_submit(struct cat *c, struct cat_command *command);

/* Out of the line, without a word to its owner.  false when it is announced already. */
bool cat_withdraw(struct cat *c, struct cat_command *command);

/* The terminal fetched it and has not answered. */
bool cat_is_fetched(const struct cat *c, const struct cat_command *command);

/* For those who keep no command of their own: did the terminal announce it, and is there room for
 * one more?  cat_queue() keeps these octets as what follows details and devices; ended()'s ctx
 * means nothing.  false, and nothing is queued, when cat_can() says no or it is too long. */
bool cat_can(const struct cat *c, enum cat_type type);
bool cat_queue(struct cat *c, enum cat_type type, uint8_t qualifier, struct rd tlvs,
               cat_ended_fn *ended);

/* Queues REFRESH; CAT_PROFILE_STATE_CHANGE only where the terminal knows it, else CAT_UICC_RESET
 * (TS 102 223 6.4.7, SGP.22 3.2.1).  When it returns false the change is complete already. */
bool cat_queue_refresh(struct cat *c, enum cat_refresh how, cat_ended_fn *ended);

/* 9000, or 91xx when a proactive command waits.  What is announced stays the next one. */
uint16_t cat_ending(struct cat *c);

/* Before each command of the terminal; *ret_ended: it was one too many without TERMINAL RESPONSE,
 * and somebody was told.  0 or a fault. */
int cat_before(struct euicc *e, uint8_t ins, bool *ret_ended);

/* A suspension is over. */
int cat_resume(struct euicc *e, const struct cat_terminal *terminal);

/* --- cat_events.c --- */

/* Twice is once.  false: there are too many. */
bool cat_register(struct cat *c, const struct cat_owner *owner);

/* The events that a registered owner wants from now on; 0: none.  SET UP EVENT LIST follows when
 * the union of all owners' changed. */
void cat_want_events(struct cat *c, const struct cat_owner *owner, uint32_t events);

/* An owner with an item registered after TERMINAL PROFILE: the menu is set up anew. */
void cat_follow_menu(struct cat *c);

/* ENVELOPE: event download, timer expiration and menu selection; otherwise, or when nobody wants
 * it, ENVELOPE_NOT_MINE. */
int cat_envelope(struct session *s, struct rd data, struct wr *rsp);

/* A TERMINAL PROFILE came. */
int cat_tell_profile(struct euicc *e);
/* A STATUS. */
int cat_tell_status(struct euicc *e);

/* --- cat_timer.c --- */

enum { CAT_TIMER_SECONDS_MAX = 24 * 60 * 60 };

/* Starts it, or again.  false, and it is as before, when the terminal has no timers, all are taken,
 * or it is longer than a day. */
bool cat_timer_start(struct cat *c, struct cat_timer *t, uint32_t seconds, cat_timer_fn *told,
                     void *ctx);
/* told() is not called any more. */
void cat_timer_stop(struct cat *c, struct cat_timer *t);
int cat_timer_envelope(struct euicc *e, struct rd tlvs);

/* Rows for the UICC's command table. */
command_fn cat_terminal_profile, cat_fetch, cat_terminal_response;

#endif
