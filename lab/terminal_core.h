/* terminal_core.h - the inside of a terminal, for its own files. */
#ifndef LAB_TERMINAL_CORE_H
#define LAB_TERMINAL_CORE_H

#include "lab/terminal.h"
#include "lab/terminal_bip.h"
#include "lab/terminal_ctlv.h"

enum {
    TIMERS = 8,
    COMMAND_MAX = 256,
    RESPONSE_DATA_MAX = 255,
    NOTE_LEN = 600,
    MENU_NONE = -1,

    DEVICE_KEYPAD = 0x01,
    DEVICE_DISPLAY = 0x02,
    DEVICE_CHANNEL = 0x20, /* + 1 to 7 */
    DEVICE_UICC = 0x81,
    DEVICE_TERMINAL = 0x82,
    DEVICE_NETWORK = 0x83,

    EVENT_LOCATION_STATUS = 0x03,
    EVENT_DATA_AVAILABLE = 0x09,
    EVENT_CHANNEL_STATUS = 0x0A,
    EVENT_ACCESS_TECHNOLOGY = 0x0B,
    EVENT_LAST = 0x1F,

    /* General results, TS 102 223 8.12. */
    RESULT_OK = 0x00,
    RESULT_PARTIAL = 0x01,
    RESULT_MISSING_INFORMATION = 0x02,
    RESULT_LIMITED_SERVICE = 0x06,
    RESULT_MODIFIED = 0x07,
    RESULT_BUSY = 0x20,
    RESULT_TIMER_STATE = 0x24,
    RESULT_BEYOND_CAPABILITIES = 0x30,
    RESULT_TYPE_UNKNOWN = 0x31,
    RESULT_NOT_UNDERSTOOD = 0x32,
    RESULT_VALUES_MISSING = 0x36,
    RESULT_BIP = 0x3A,

    BUSY_NO_CAUSE = 0x00,
    BUSY_NO_SERVICE = 0x04,

    BIP_NO_CAUSE = 0x00,
    BIP_NO_CHANNEL = 0x01,
    BIP_CHANNEL_CLOSED = 0x02,
    BIP_CHANNEL_INVALID = 0x03,
    BIP_BUFFER_SIZE = 0x04,
    BIP_TRANSPORT = 0x06,
    BIP_UNREACHABLE = 0x07,
};

#define NEVER UINT64_MAX

/* A proactive command taken apart. */
struct command {
    uint8_t number, type, qualifier;
    uint8_t destination;
    struct rd body; /* all objects */
    const char *name;
};

/* What a command's function returns. */
enum {
    ANSWERED, /* the answer is in t->answer */
    LATER,    /* it will be: answer_done() */
    NO_ANSWER /* the card is reset instead */
};

struct answer {
    uint8_t result;
    int info; /* -1: none */
    struct wr objects;
    uint8_t room[RESPONSE_DATA_MAX];
    bool ready;
    uint64_t at; /* not before */
};

enum after_response {
    AFTER_NOTHING,
    AFTER_RESET,
    AFTER_READ_AGAIN,
};

struct terminal {
    struct terminal_config config;
    struct event *timer;
    uint64_t born, skipped;
    enum terminal_state state;
    bool running; /* in terminal_tick() */
    bool rested;  /* the owner was told */
    bool failed;
    struct lab_error error;
    struct wr response; /* of the last APDU */

    bool profile_sent;
    size_t announced;                /* octets of the command that 91xx announced; 0: none */
    uint8_t octets[COMMAND_MAX + 4]; /* as fetched */
    size_t n_octets;
    struct command command;
    bool partial; /* an object was passed over */
    char about[NOTE_LEN];
    struct answer answer;
    enum after_response after;

    uint32_t events;         /* bit n: the card wants event n */
    uint64_t timers[TIMERS]; /* deadlines */
    uint8_t timer_values[TIMERS][3];
    uint8_t expired; /* bit n: timer n + 1 */
    uint64_t poll_ms, poll_at;
    uint64_t quiet_until; /* after 9300 */
    unsigned busy_tries;
    uint64_t attach_at;
    enum terminal_service service; /* now */
    bool location_due, technology_due, poll_due, reset_due, off_due;
    int menu_item;
    uint8_t sms[TERMINAL_SMS_MAX];
    size_t n_sms;

    struct channel channels[TERMINAL_CHANNELS];
    unsigned next_channel;   /* round robin */
    struct channel *waiting; /* for the answer to the present command */

    unsigned long n_responses, n_datagrams;
    uint64_t n_commands, n_resets, n_refreshes;
    struct terminal_count counts[TERMINAL_PHASES];
    size_t n_counts, phase;
    uint64_t channel_sent[TERMINAL_CHANNELS], channel_received[TERMINAL_CHANNELS];
};

/* terminal.c */
uint64_t terminal_now(const struct terminal *t);
void terminal_wake(struct terminal *t);
bool terminal_wants(const struct terminal *t, unsigned event);
bool terminal_facility(const struct terminal *t, unsigned octet, unsigned bit);
void terminal_note(struct terminal *t, enum terminal_note_kind kind, unsigned channel,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void terminal_tell(const struct terminal *t, struct terminal_note *note);
struct terminal_count *terminal_counting(struct terminal *t);

/* The answer to the present command; each returns ANSWERED. */
int answer(struct terminal *t, uint8_t result);
int answer_info(struct terminal *t, uint8_t result, uint8_t info);
int answer_bip(struct terminal *t, uint8_t info);
/* For commands that said LATER. */
void answer_done(struct terminal *t);

/* Says in words what the present command did. */
void terminal_about(struct terminal *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* terminal_device.c */
void device_put_location(const struct terminal_device *d, struct wr *w);
void device_put_imei(const struct terminal_device *d, struct wr *w);
void device_put_imeisv(const struct terminal_device *d, struct wr *w);
void device_put_date(const struct terminal_device *d, uint64_t age_ms, struct wr *w);
unsigned device_channels(const struct terminal_device *d);

/* terminal_commands.c */
void command_run(struct terminal *t, struct rd octets);
void commands_reset(struct terminal *t);

#endif
