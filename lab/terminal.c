/* terminal.c - the engine of the terminal: power-up, the FETCH loop, events, and what is due when
 * (TS 102 221 14.6, TS 102 223 6.3, 7.5).
 *
 * One step() is one thing done; nothing in it waits.  terminal_tick() makes steps until there is
 * nothing to do, or until it is somebody else's turn. */
#include "lab/terminal_core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    STEPS = 64, /* a turn: a card that announces one command after the other has to share */

    RESPONSES_MAX = 300, /* GET RESPONSE behind one command */
    QUIET_MS = 1000,     /* after 9300 */
    BUSY_TRIES = 3,
    APDU_MAX = 5 + RESPONSE_DATA_MAX,

    SW_OK = 0x9000,
    SW_BUSY = 0x9300,

    TAG_FCP = 0x62,
    TAG_PROPRIETARY = 0xA5,
    TAG_SYSTEM_COMMANDS = 0x87,
    TERMINAL_CAPABILITY = 0x01,

    TEMPLATE_SMS_PP = 0xD1,
    TEMPLATE_MENU = 0xD3,
    TEMPLATE_EVENT = 0xD6,
    TEMPLATE_TIMER = 0xD7,

    STATUS_NO_INDICATION = 0x00,
    STATUS_INITIALISED = 0x01,
    STATUS_ENDING = 0x02,
};

/* --- time, notes, counts ---------------------------------------------------------------------- */

static uint64_t machine_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t terminal_now(const struct terminal *t)
{
    return t->config.clock != NULL ? t->config.clock->ms : machine_ms() + t->skipped;
}

void terminal_tell(const struct terminal *t, struct terminal_note *note)
{
    if (t->config.note == NULL)
        return;
    note->ms = terminal_now(t) - t->born;
    t->config.note(t->config.ctx, note);
}

void terminal_note(struct terminal *t, enum terminal_note_kind kind, unsigned channel,
                   const char *fmt, ...)
{
    char text[NOTE_LEN];
    struct terminal_note note = { .kind = kind, .channel = channel, .info = -1, .text = text };
    va_list args;

    if (t->config.note == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    terminal_tell(t, &note);
}

void terminal_about(struct terminal *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(t->about, sizeof t->about, fmt, args);
    va_end(args);
}

struct terminal_count *terminal_counting(struct terminal *t)
{
    return &t->counts[t->phase];
}

/* --- APDUs ------------------------------------------------------------------------------------ */

static void card_failed(struct terminal *t)
{
    t->failed = true;
    t->state = TERMINAL_OFF;
    bip_reset(t);
    terminal_note(t, NOTE_CARD, 0, "the card fails: %s", t->error.text);
}

/* One pair. */
static int pair(struct terminal *t, struct rd command, uint16_t *ret_sw)
{
    size_t before = t->response.n;
    struct terminal_count *count = terminal_counting(t);

    if (t->failed)
        return ERR_INPUT;
    int r = t->config.card.transmit(t->config.card.ctx, command, &t->response, ret_sw, &t->error);
    if (r == 0 && wr_failed(&t->response) != 0)
        r = lab_fail(&t->error, "the response is too long");
    if (r != 0) {
        card_failed(t);
        return r;
    }
    count->apdus++;
    count->apdu_octets += command.n + t->response.n - before + 2;
    if (t->config.note != NULL) {
        char text[NOTE_LEN] = "";
        struct terminal_note note = {
            .kind = NOTE_APDU, .info = -1, .sw = *ret_sw, .octets = command, .text = text
        };
        if (t->response.n > before)
            hex_text(rd_of(t->response.p + before, t->response.n - before), text, sizeof text);
        terminal_tell(t, &note);
    }
    return 0;
}

/* The class byte of an interindustry command on the same logical channel (ISO 7816-4 5.4.1). */
static uint8_t channel_of(uint8_t cla)
{
    return (cla & 0x40) != 0 ? 0x40 | (cla & 0x0F) : cla & 0x03;
}

/* A command with what belongs to it in T=0: GET RESPONSE, and a second try with the right Le. */
static int exchange(struct terminal *t, struct rd command, uint16_t *ret_sw)
{
    uint8_t again[APDU_MAX + 1];

    wr_clear(&t->response);
    TRY(pair(t, command, ret_sw));
    if (*ret_sw >> 8 == 0x6C && command.n <= sizeof again && command.n >= 5) {
        memcpy(again, command.p, command.n);
        again[command.n - 1] = (uint8_t)*ret_sw;
        TRY(pair(t, rd_of(again, command.n), ret_sw));
    }
    for (unsigned i = 0; *ret_sw >> 8 == 0x61 && i < RESPONSES_MAX; i++) {
        const uint8_t get_response[] = { channel_of(command.p[0]), 0xC0, 0x00, 0x00,
                                         (uint8_t)*ret_sw };
        TRY(pair(t, rd_of(get_response, sizeof get_response), ret_sw));
    }
    return 0;
}

/* What a good status word announces, once the terminal may be asked. */
static void take_sw(struct terminal *t, uint16_t sw)
{
    if (!t->profile_sent)
        return;
    if (sw >> 8 == 0x91)
        t->announced = (uint8_t)sw == 0 ? COMMAND_MAX : (uint8_t)sw;
    else if (sw == SW_OK)
        t->announced = 0;
}

static bool is_good(uint16_t sw)
{
    return sw == SW_OK || sw >> 8 == 0x91;
}

/* --- power-up --------------------------------------------------------------------------------- */

static int send_status(struct terminal *t, uint8_t p1)
{
    const uint8_t status[] = { 0x80, 0xF2, p1, 0x0C };
    uint16_t sw;

    TRY(exchange(t, rd_of(status, sizeof status), &sw));
    if (!is_good(sw))
        terminal_note(t, NOTE_CARD, 0, "STATUS: %04X", sw);
    take_sw(t, sw);
    return 0;
}

/* Does the FCP of the MF announce TERMINAL CAPABILITY (TS 102 221 11.1.1.4.6.3)? */
static bool knows_capability(struct rd response)
{
    struct tlv fcp, proprietary, commands;

    return tlv_find(response, TAG_FCP, &fcp) &&
           tlv_find(fcp.value, TAG_PROPRIETARY, &proprietary) &&
           tlv_find(proprietary.value, TAG_SYSTEM_COMMANDS, &commands) && commands.value.n > 0 &&
           (commands.value.p[0] & TERMINAL_CAPABILITY) != 0;
}

static int select_mf(struct terminal *t)
{
    static const uint8_t select[] = { 0x00, 0xA4, 0x00, 0x04, 0x02, 0x3F, 0x00 };
    uint16_t sw;

    TRY(exchange(t, rd_of(select, sizeof select), &sw));
    if (!is_good(sw))
        terminal_note(t, NOTE_CARD, 0, "SELECT of the MF: %04X", sw);
    return 0;
}

static int send_capability(struct terminal *t, bool known)
{
    /* SGP.32 3.8.4: an IoT Device with an IPA of its own */
    static const uint8_t capability[] = {
        0x80, 0xAA, 0x00, 0x00, 0x05, 0xA9, 0x03, 0x84, 0x01, 0x01
    };
    uint16_t sw;

    if (!t->config.device.ipad)
        return 0;
    if (!known) {
        terminal_note(t, NOTE_CARD, 0, "the card does not announce TERMINAL CAPABILITY");
        return 0;
    }
    TRY(exchange(t, rd_of(capability, sizeof capability), &sw));
    terminal_note(t, NOTE_CARD, 0, "TERMINAL CAPABILITY, IPAd: %04X", sw);
    return 0;
}

static int send_profile(struct terminal *t)
{
    uint8_t apdu[5 + TERMINAL_PROFILE_MAX] = { 0x80, 0x10, 0x00, 0x00 };
    const struct terminal_device *device = &t->config.device;
    uint16_t sw;

    apdu[4] = (uint8_t)device->n_profile;
    memcpy(apdu + 5, device->profile, device->n_profile);
    TRY(exchange(t, rd_of(apdu, 5 + device->n_profile), &sw));
    terminal_note(t, NOTE_CARD, 0, "TERMINAL PROFILE: %04X", sw);
    t->profile_sent = is_good(sw);
    take_sw(t, sw);
    return 0;
}

static void initialise(struct terminal *t)
{
    if (select_mf(t) != 0)
        return;
    bool capability = knows_capability(wr_view(&t->response));
    if (send_status(t, STATUS_NO_INDICATION) != 0 || send_capability(t, capability) != 0 ||
        send_profile(t) != 0)
        return;
    t->state = TERMINAL_IDLE;
    t->poll_at = t->poll_ms == 0 ? NEVER : terminal_now(t) + t->poll_ms;
    if (t->config.device.service == SERVICE_NONE)
        return;
    if (t->config.device.attach_ms > 0)
        t->attach_at = terminal_now(t) + t->config.device.attach_ms;
    else
        t->service = t->config.device.service;
}

/* What a reset wipes (TS 102 221 6.5, TS 102 223 6.4.7). */
static void forget(struct terminal *t)
{
    bip_reset(t);
    commands_reset(t);
    t->profile_sent = false;
    t->announced = 0;
    t->after = AFTER_NOTHING;
    t->service = SERVICE_NONE;
    t->attach_at = NEVER;
    t->quiet_until = 0;
    t->busy_tries = 0;
    t->location_due = t->technology_due = t->poll_due = t->reset_due = false;
    t->menu_item = MENU_NONE;
    t->n_sms = 0;
    t->rested = false;
}

static void reset_card(struct terminal *t)
{
    forget(t);
    t->n_resets++;
    terminal_note(t, NOTE_CARD, 0, "reset");
    t->state = TERMINAL_INIT;
    if (t->config.card.reset(t->config.card.ctx, &t->error) != 0)
        card_failed(t);
}

/* --- proactive commands ----------------------------------------------------------------------- */

static void fetch(struct terminal *t)
{
    const uint8_t apdu[] = { 0x80, 0x12, 0x00, 0x00, (uint8_t)t->announced };
    struct terminal_faults *faults = &t->config.faults;
    uint16_t sw;

    t->announced = 0;
    if (exchange(t, rd_of(apdu, sizeof apdu), &sw) != 0)
        return;
    if (!is_good(sw)) {
        terminal_note(t, NOTE_CARD, 0, "FETCH: %04X", sw);
        t->state = TERMINAL_IDLE;
        return;
    }
    t->n_commands++;
    terminal_counting(t)->commands++;
    if (faults_hit(faults, &faults->reset_at, t->n_commands, 400)) {
        terminal_note(t, NOTE_FAULT, 0, "reset behind proactive command %llu",
                      (unsigned long long)t->n_commands);
        t->reset_due = true;
        t->state = TERMINAL_IDLE;
        return;
    }
    if (faults->no_service_at > 0 && t->n_commands == faults->no_service_at) {
        terminal_note(t, NOTE_FAULT, 0, "no service");
        terminal_set_service(t, SERVICE_NONE);
    }
    t->state = TERMINAL_EXEC;
    t->answer.at = 0;
    command_run(t, wr_view(&t->response));
}

int answer(struct terminal *t, uint8_t result)
{
    t->answer.result = result;
    t->answer.info = -1;
    return ANSWERED;
}

int answer_info(struct terminal *t, uint8_t result, uint8_t info)
{
    t->answer.result = result;
    t->answer.info = info;
    return ANSWERED;
}

int answer_bip(struct terminal *t, uint8_t info)
{
    return answer_info(t, RESULT_BIP, info);
}

void answer_done(struct terminal *t)
{
    uint64_t late = terminal_now(t) + t->config.faults.late_ms;

    t->waiting = NULL;
    t->answer.ready = true;
    if (t->partial && t->answer.result == RESULT_OK)
        t->answer.result = RESULT_PARTIAL;
    if (t->answer.at < late)
        t->answer.at = late;
}

/* A response that says nothing, or something else. */
static void make_nonsense(struct terminal *t, struct wr *w)
{
    struct terminal_faults *f = &t->config.faults;
    size_t n = w->n - 5;

    switch (faults_random(f, 4)) {
    case 0: /* another command's number */
        w->p[5 + 2] = (uint8_t)(w->p[5 + 2] + 1 + faults_random(f, 200));
        break;
    case 1: /* the end is missing */
        n = faults_random(f, (uint32_t)n);
        break;
    case 2: /* a length that runs beyond the end */
        w->p[5 + 1] = 0x7F;
        break;
    default:
        for (size_t i = 0; i < n; i++)
            w->p[5 + i] = (uint8_t)faults_random(f, 256);
    }
    w->n = 5 + n;
}

static void build_response(const struct terminal *t, struct wr *w)
{
    static const uint8_t devices[] = { DEVICE_TERMINAL, DEVICE_UICC };
    static const uint8_t header[] = { 0x80, 0x14, 0x00, 0x00, 0x00 };
    const uint8_t details[] = { t->command.number, t->command.type, t->command.qualifier };
    const uint8_t result[] = { t->answer.result, (uint8_t)t->answer.info };

    wr_put(w, header, sizeof header);
    object_put(w, OBJECT_DETAILS | OBJECT_REQUIRED, rd_of(details, sizeof details));
    object_put(w, OBJECT_DEVICES | OBJECT_REQUIRED, rd_of(devices, sizeof devices));
    object_put(w, OBJECT_RESULT | OBJECT_REQUIRED, rd_of(result, t->answer.info < 0 ? 1 : 2));
    wr_put_rd(w, wr_view(&t->answer.objects));
}

static void tell_response(struct terminal *t, struct rd apdu, uint16_t sw, const char *text)
{
    struct terminal_note note = { .kind = NOTE_RESPONSE,
                                  .name = t->command.name,
                                  .number = t->command.number,
                                  .type = t->command.type,
                                  .qualifier = t->command.qualifier,
                                  .result = t->answer.result,
                                  .info = t->answer.info,
                                  .sw = sw,
                                  .octets = apdu,
                                  .text = text };

    if (t->command.destination > DEVICE_CHANNEL &&
        t->command.destination <= DEVICE_CHANNEL + TERMINAL_CHANNELS)
        note.channel = t->command.destination - DEVICE_CHANNEL;
    terminal_tell(t, &note);
}

static int send_response(struct terminal *t)
{
    uint8_t room[APDU_MAX];
    struct terminal_faults *faults = &t->config.faults;
    const char *text = t->about;
    uint16_t sw;
    struct wr w;

    wr_init(&w, room, sizeof room);
    build_response(t, &w);
    if (wr_failed(&w) != 0) {
        t->answer.objects.n = 0;
        answer(t, RESULT_BEYOND_CAPABILITIES);
        wr_clear(&w);
        build_response(t, &w);
    }
    t->n_responses++;
    if (faults_hit(faults, &faults->nonsense, t->n_responses, 100)) {
        make_nonsense(t, &w);
        text = "nonsense";
        terminal_note(t, NOTE_FAULT, 0, "nonsense in TERMINAL RESPONSE %lu", t->n_responses);
    }
    room[4] = (uint8_t)(w.n - 5);
    if (faults_hit(faults, &faults->lose_response, t->n_responses, 100)) {
        terminal_note(t, NOTE_FAULT, 0, "TERMINAL RESPONSE %lu is lost", t->n_responses);
        return 0;
    }
    TRY(exchange(t, wr_view(&w), &sw));
    tell_response(t, wr_view(&w), sw, text);
    take_sw(t, sw);
    return 0;
}

static void respond(struct terminal *t)
{
    t->answer.ready = false;
    if (send_response(t) != 0)
        return;
    t->state = TERMINAL_IDLE;
    switch (t->after) {
    case AFTER_NOTHING:
        break;
    case AFTER_RESET:
        t->state = TERMINAL_REFRESH;
        t->reset_due = true;
        break;
    case AFTER_READ_AGAIN:
        t->state = TERMINAL_REFRESH;
        break;
    }
}

static void read_again(struct terminal *t)
{
    t->after = AFTER_NOTHING;
    if (select_mf(t) == 0 && send_status(t, STATUS_INITIALISED) == 0)
        t->state = TERMINAL_IDLE;
}

/* --- envelopes -------------------------------------------------------------------------------- */

enum sent {
    SENT,
    SENT_BUSY, /* keep the event, try again */
    SENT_LOST, /* refused, or refused too often */
};

static enum sent envelope(struct terminal *t, const char *name, uint8_t template, struct rd body,
                          unsigned channel)
{
    uint8_t room[APDU_MAX];
    struct wr w;
    uint16_t sw;

    wr_init(&w, room, sizeof room);
    wr_put(&w, (const uint8_t[]){ 0x80, 0xC2, 0x00, 0x00, 0x00, template }, 6);
    object_put_length(&w, body.n);
    wr_put_rd(&w, body);
    if (wr_failed(&w) != 0)
        return SENT_LOST;
    room[4] = (uint8_t)(w.n - 5);
    t->state = TERMINAL_ENVELOPE;
    terminal_counting(t)->envelopes++;
    if (exchange(t, wr_view(&w), &sw) != 0)
        return SENT_LOST;
    struct terminal_note note = { .kind = NOTE_ENVELOPE,
                                  .name = name,
                                  .info = -1,
                                  .channel = channel,
                                  .sw = sw,
                                  .octets = wr_view(&w),
                                  .text = "" };
    terminal_tell(t, &note);
    t->state = TERMINAL_IDLE;
    take_sw(t, sw);
    if (sw == SW_BUSY) {
        t->quiet_until = terminal_now(t) + QUIET_MS;
        return ++t->busy_tries < BUSY_TRIES ? SENT_BUSY : SENT_LOST;
    }
    t->busy_tries = 0;
    return is_good(sw) || sw >> 8 == 0x62 || sw >> 8 == 0x63 ? SENT : SENT_LOST;
}

struct body {
    uint8_t room[RESPONSE_DATA_MAX];
    struct wr w;
};

static void body_init(struct body *b, uint8_t source)
{
    wr_init(&b->w, b->room, sizeof b->room);
    object_put_two(&b->w, OBJECT_DEVICES | OBJECT_REQUIRED, source, DEVICE_UICC);
}

static void event_init(struct body *b, uint8_t event)
{
    wr_init(&b->w, b->room, sizeof b->room);
    object_put_u8(&b->w, OBJECT_EVENT_LIST | OBJECT_REQUIRED, event);
    object_put_two(&b->w, OBJECT_DEVICES | OBJECT_REQUIRED, DEVICE_TERMINAL, DEVICE_UICC);
}

bool terminal_wants(const struct terminal *t, unsigned event)
{
    return event <= EVENT_LAST && (t->events >> event & 1) != 0;
}

static bool tell_timer(struct terminal *t)
{
    unsigned n = 0;
    struct body b;

    if (t->expired == 0)
        return false;
    while ((t->expired >> n & 1) == 0)
        n++;
    body_init(&b, DEVICE_TERMINAL);
    object_put_u8(&b.w, OBJECT_TIMER_ID | OBJECT_REQUIRED, n + 1);
    object_put(&b.w, OBJECT_TIMER_VALUE | OBJECT_REQUIRED,
               rd_of(t->timer_values[n], sizeof t->timer_values[n]));
    if (envelope(t, "timer expiration", TEMPLATE_TIMER, wr_view(&b.w), 0) != SENT &&
        t->quiet_until > terminal_now(t))
        return true; /* busy: a timer is told until the card takes it */
    t->expired &= (uint8_t) ~(1u << n);
    return true;
}

static bool tell_channel_status(struct terminal *t)
{
    unsigned id = bip_status_due(t);
    uint8_t status[2];
    struct body b;

    if (id == 0 || !terminal_wants(t, EVENT_CHANNEL_STATUS))
        return false;
    struct channel *c = &t->channels[id - 1];
    event_init(&b, EVENT_CHANNEL_STATUS);
    object_put(&b.w, OBJECT_CHANNEL_STATUS | OBJECT_REQUIRED, bip_channel_status(c, status));
    if (envelope(t, "channel status", TEMPLATE_EVENT, wr_view(&b.w), c->id) != SENT_BUSY)
        c->status_due = false;
    return true;
}

static bool tell_data(struct terminal *t)
{
    unsigned id = bip_data_due(t);
    uint8_t status[2];
    struct body b;

    if (id == 0 || !terminal_wants(t, EVENT_DATA_AVAILABLE))
        return false;
    struct channel *c = &t->channels[id - 1];
    event_init(&b, EVENT_DATA_AVAILABLE);
    object_put(&b.w, OBJECT_CHANNEL_STATUS | OBJECT_REQUIRED, bip_channel_status(c, status));
    object_put_u8(&b.w, OBJECT_CHANNEL_DATA_LENGTH | OBJECT_REQUIRED, bip_waiting(c));
    if (envelope(t, "data available", TEMPLATE_EVENT, wr_view(&b.w), c->id) != SENT_BUSY)
        bip_told_data(c);
    return true;
}

static bool tell_location(struct terminal *t)
{
    struct body b;

    if (!t->location_due)
        return false;
    if (!terminal_wants(t, EVENT_LOCATION_STATUS)) {
        t->location_due = false;
        return false;
    }
    event_init(&b, EVENT_LOCATION_STATUS);
    object_put_u8(&b.w, OBJECT_LOCATION_STATUS | OBJECT_REQUIRED, t->service);
    if (t->service == SERVICE_NORMAL)
        device_put_location(&t->config.device, &b.w);
    if (envelope(t, "location status", TEMPLATE_EVENT, wr_view(&b.w), 0) != SENT_BUSY)
        t->location_due = false;
    return true;
}

static bool tell_technology(struct terminal *t)
{
    struct body b;

    if (!t->technology_due)
        return false;
    if (!terminal_wants(t, EVENT_ACCESS_TECHNOLOGY)) {
        t->technology_due = false;
        return false;
    }
    event_init(&b, EVENT_ACCESS_TECHNOLOGY);
    object_put_u8(&b.w, OBJECT_ACCESS_TECHNOLOGY | OBJECT_REQUIRED, t->config.device.technology);
    if (envelope(t, "access technology change", TEMPLATE_EVENT, wr_view(&b.w), 0) != SENT_BUSY)
        t->technology_due = false;
    return true;
}

static bool tell_menu(struct terminal *t)
{
    struct body b;

    if (t->menu_item == MENU_NONE)
        return false;
    body_init(&b, DEVICE_KEYPAD);
    object_put_u8(&b.w, OBJECT_ITEM_ID | OBJECT_REQUIRED, (unsigned)t->menu_item);
    if (envelope(t, "menu selection", TEMPLATE_MENU, wr_view(&b.w), 0) != SENT_BUSY)
        t->menu_item = MENU_NONE;
    return true;
}

static bool tell_sms(struct terminal *t)
{
    static const uint8_t centre[] = { 0x91, 0x21, 0x43, 0x65 };
    struct body b;

    if (t->n_sms == 0)
        return false;
    body_init(&b, DEVICE_NETWORK);
    object_put(&b.w, OBJECT_SMSC, rd_of(centre, sizeof centre));
    object_put(&b.w, OBJECT_SMS_TPDU | OBJECT_REQUIRED, rd_of(t->sms, t->n_sms));
    if (envelope(t, "SMS-PP download", TEMPLATE_SMS_PP, wr_view(&b.w), 0) != SENT_BUSY)
        t->n_sms = 0;
    return true;
}

/* In order of service. */
static bool (*const tellers[])(struct terminal *t) = {
    tell_timer, tell_channel_status, tell_data, tell_location, tell_technology, tell_sms, tell_menu,
};

static bool event_waits(const struct terminal *t)
{
    return t->expired != 0 || t->menu_item != MENU_NONE || t->n_sms > 0 ||
           (t->location_due && terminal_wants(t, EVENT_LOCATION_STATUS)) ||
           (t->technology_due && terminal_wants(t, EVENT_ACCESS_TECHNOLOGY)) ||
           (terminal_wants(t, EVENT_CHANNEL_STATUS) && bip_status_due(t) != 0) ||
           (terminal_wants(t, EVENT_DATA_AVAILABLE) && bip_data_due(t) != 0);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void expire_timers(struct terminal *t, uint64_t now)
{
    for (unsigned n = 0; n < TIMERS; n++) {
        if (t->timers[n] > now)
            continue;
        t->timers[n] = NEVER;
        t->expired |= (uint8_t)(1u << n);
    }
}

static bool poll_card(struct terminal *t, uint64_t now)
{
    if (!t->poll_due && t->poll_at > now)
        return false;
    t->poll_due = false;
    t->poll_at = t->poll_ms == 0 ? NEVER : now + t->poll_ms;
    terminal_note(t, NOTE_CARD, 0, "STATUS");
    send_status(t, STATUS_NO_INDICATION);
    return true;
}

static bool step_idle(struct terminal *t, uint64_t now)
{
    if (t->attach_at <= now) {
        t->attach_at = NEVER;
        terminal_set_service(t, t->config.device.service);
    }
    expire_timers(t, now);
    if (t->announced > 0) {
        t->state = TERMINAL_FETCH;
        return true;
    }
    for (size_t i = 0; i < N_ELEMS(tellers) && t->quiet_until <= now; i++)
        if (tellers[i](t))
            return true;
    return poll_card(t, now);
}

static void power_off(struct terminal *t)
{
    t->off_due = false;
    if (t->state != TERMINAL_OFF && t->state != TERMINAL_INIT)
        send_status(t, STATUS_ENDING);
    forget(t);
    t->state = TERMINAL_OFF;
    terminal_note(t, NOTE_CARD, 0, "power off");
}

/* Does one thing; false: there is nothing to do now. */
static bool step(struct terminal *t)
{
    uint64_t now = terminal_now(t);

    if (t->failed)
        return false;
    if (t->off_due) {
        power_off(t);
        return true;
    }
    if (t->reset_due) {
        reset_card(t);
        return true;
    }
    switch (t->state) {
    case TERMINAL_OFF:
    case TERMINAL_ENVELOPE:
        return false;
    case TERMINAL_INIT:
        initialise(t);
        return true;
    case TERMINAL_IDLE:
        bip_tick(t);
        return step_idle(t, now);
    case TERMINAL_FETCH:
        fetch(t);
        return true;
    case TERMINAL_EXEC:
        bip_tick(t);
        if (!t->answer.ready || t->answer.at > now)
            return false;
        respond(t);
        return true;
    case TERMINAL_REFRESH:
        read_again(t);
        return true;
    }
    return false;
}

static void sooner(uint64_t *at, uint64_t other)
{
    if (other < *at)
        *at = other;
}

uint64_t terminal_next_ms(const struct terminal *t)
{
    uint64_t at = NEVER;

    if (t->failed || t->state == TERMINAL_OFF)
        return NEVER;
    at = bip_deadline(t);
    if (t->state == TERMINAL_EXEC) {
        if (t->answer.ready)
            sooner(&at, t->answer.at);
        return at;
    }
    for (unsigned n = 0; n < TIMERS; n++)
        sooner(&at, t->timers[n]);
    sooner(&at, t->poll_at);
    sooner(&at, t->attach_at);
    if (t->quiet_until > terminal_now(t))
        sooner(&at, t->quiet_until);
    return at;
}

/* The event loop calls again when something is due. */
static void arm(struct terminal *t, bool more)
{
    struct timeval in = { 0, 0 };

    if (t->config.clock != NULL && !more) {
        event_del(t->timer);
        return;
    }
    if (!more) {
        uint64_t at = terminal_next_ms(t), now = terminal_now(t);
        if (at == NEVER) {
            event_del(t->timer);
            return;
        }
        uint64_t ms = at > now ? at - now : 0;
        in.tv_sec = (time_t)(ms / 1000);
        in.tv_usec = (suseconds_t)(ms % 1000 * 1000);
    }
    event_add(t->timer, &in);
}

void terminal_tick(struct terminal *t)
{
    bool more = true;

    if (t->running)
        return;
    t->running = true;
    for (unsigned i = 0; i < STEPS && more; i++)
        more = step(t);
    t->running = false;
    arm(t, more);
    bool rests = terminal_is_idle(t) || t->failed || t->state == TERMINAL_OFF;
    if (!rests)
        t->rested = false;
    if (more || !rests || t->rested)
        return;
    t->rested = true;
    if (t->config.rest != NULL)
        t->config.rest(t->config.ctx);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    terminal_tick(ctx);
}

void terminal_wake(struct terminal *t)
{
    t->rested = false;
    if (!t->running)
        event_active(t->timer, EV_TIMEOUT, 0);
}

static int card_transmit_for(void *ctx, struct rd command, struct wr *ret, uint16_t *ret_sw,
                             struct lab_error *e)
{
    return card_transmit(ctx, command, ret, ret_sw, e);
}

static int card_reset_for(void *ctx, struct lab_error *e)
{
    uint8_t atr[CARD_ATR_MAX];
    struct wr w;

    wr_init(&w, atr, sizeof atr);
    return card_reset(ctx, CARD_WARM, &w, e);
}

struct terminal_card terminal_card_of(struct card *card)
{
    return (struct terminal_card){ card_transmit_for, card_reset_for, card };
}

/* --- its owner -------------------------------------------------------------------------------- */

void terminal_config_init(struct terminal_config *config)
{
    *config = (struct terminal_config){ .base = NULL };
    terminal_device_init(&config->device);
    faults_init(&config->faults);
}

int terminal_new(const struct terminal_config *config, struct terminal **ret, struct lab_error *e)
{
    struct terminal *t = calloc(1, sizeof *t);

    if (t == NULL)
        return lab_fail(e, "out of memory");
    t->config = *config;
    t->timer = evtimer_new(config->base, on_timer, t);
    if (t->timer == NULL) {
        free(t);
        return lab_fail(e, "no event loop");
    }
    wr_init_heap(&t->response, CARD_RESPONSE_MAX);
    wr_init(&t->answer.objects, t->answer.room, sizeof t->answer.room);
    t->born = terminal_now(t);
    t->n_counts = 1;
    bip_init(t);
    forget(t);
    if (config->faults.no_service_at == 1)
        t->config.device.service = SERVICE_NONE;
    *ret = t;
    return 0;
}

void terminal_free(struct terminal **terminal)
{
    struct terminal *t = *terminal;

    if (t == NULL)
        return;
    bip_reset(t);
    event_free(t->timer);
    wr_done(&t->response);
    free(t);
    *terminal = NULL;
}

void terminal_start(struct terminal *t)
{
    if (t->failed)
        return;
    t->reset_due = true;
    terminal_tick(t);
}

enum terminal_state terminal_state(const struct terminal *t)
{
    return t->state;
}

bool terminal_is_idle(const struct terminal *t)
{
    return t->state == TERMINAL_IDLE && t->announced == 0 && !t->reset_due && !t->off_due &&
           !t->poll_due && t->attach_at == NEVER && !event_waits(t);
}

unsigned terminal_open_channels(const struct terminal *t)
{
    unsigned n = 0;

    for (size_t i = 0; i < TERMINAL_CHANNELS; i++)
        if (t->channels[i].state != CHANNEL_FREE)
            n++;
    return n;
}

bool terminal_skip(struct terminal *t)
{
    uint64_t at = NEVER, now = terminal_now(t);

    if (t->config.clock != NULL || !terminal_is_idle(t) || terminal_open_channels(t) > 0)
        return false;
    for (unsigned n = 0; n < TIMERS; n++)
        sooner(&at, t->timers[n]);
    if (at == NEVER)
        at = t->poll_at;
    if (at == NEVER)
        return false;
    if (at > now)
        t->skipped += at - now;
    terminal_note(t, NOTE_CARD, 0, "the clock is put forward by %llu s",
                  (unsigned long long)(at > now ? (at - now + 500) / 1000 : 0));
    terminal_wake(t);
    return true;
}

const char *terminal_error(const struct terminal *t)
{
    return t->failed ? t->error.text : NULL;
}

void terminal_set_service(struct terminal *t, enum terminal_service service)
{
    static const char *const names[] = { "normal service", "limited service", "no service" };

    t->config.device.service = service;
    if (t->state == TERMINAL_OFF || t->state == TERMINAL_INIT)
        return;
    t->attach_at = NEVER;
    if (t->service == service)
        return;
    t->service = service;
    t->location_due = true;
    terminal_note(t, NOTE_NETWORK, 0, "%s", names[service]);
    if (service != SERVICE_NORMAL)
        bip_lost(t);
    terminal_wake(t);
}

void terminal_set_technology(struct terminal *t, enum terminal_technology technology)
{
    t->technology_due = t->technology_due || t->config.device.technology != technology;
    t->config.device.technology = technology;
    terminal_wake(t);
}

void terminal_set_plmn(struct terminal *t, const uint8_t plmn[3])
{
    t->location_due = t->location_due || memcmp(t->config.device.plmn, plmn, 3) != 0;
    memcpy(t->config.device.plmn, plmn, 3);
    terminal_wake(t);
}

void terminal_choose_menu(struct terminal *t, uint8_t item)
{
    t->menu_item = item;
    terminal_wake(t);
}

bool terminal_receive_sms(struct terminal *t, struct rd tpdu)
{
    if (tpdu.n == 0 || tpdu.n > sizeof t->sms)
        return false;
    memcpy(t->sms, tpdu.p, tpdu.n);
    t->n_sms = tpdu.n;
    terminal_wake(t);
    return true;
}

void terminal_poll(struct terminal *t)
{
    t->poll_due = true;
    terminal_wake(t);
}

int terminal_transmit(struct terminal *t, struct rd command, struct wr *ret, uint16_t *ret_sw,
                      struct lab_error *e)
{
    uint16_t sw;

    if (t->state != TERMINAL_IDLE || t->running)
        return lab_fail(e, "the terminal is not idle");
    if (exchange(t, command, &sw) != 0) {
        *e = t->error;
        return ERR_INPUT;
    }
    take_sw(t, sw);
    wr_put_rd(ret, wr_view(&t->response));
    *ret_sw = sw;
    terminal_wake(t);
    return wr_failed(ret) == 0 ? 0 : lab_fail(e, "the response is too long");
}

void terminal_reset(struct terminal *t)
{
    t->reset_due = true;
    terminal_wake(t);
}

void terminal_power_off(struct terminal *t)
{
    t->off_due = true;
    terminal_wake(t);
}

/* --- counting --------------------------------------------------------------------------------- */

void terminal_phase(struct terminal *t, const char *name)
{
    char phase[TERMINAL_PHASE_LEN];

    snprintf(phase, sizeof phase, "%s", name);
    for (size_t i = 0; i < t->n_counts; i++) {
        if (strcmp(t->counts[i].phase, phase) == 0) {
            t->phase = i;
            return;
        }
    }
    if (t->n_counts == TERMINAL_PHASES)
        return; /* goes on under the last name */
    t->phase = t->n_counts++;
    memcpy(t->counts[t->phase].phase, phase, sizeof phase);
}

size_t terminal_counts(const struct terminal *t, const struct terminal_count **ret)
{
    *ret = t->counts;
    return t->n_counts;
}

void terminal_channel_counts(const struct terminal *t, unsigned channel, uint64_t *ret_sent,
                             uint64_t *ret_received)
{
    *ret_sent = *ret_received = 0;
    if (channel < 1 || channel > TERMINAL_CHANNELS)
        return;
    *ret_sent = t->channel_sent[channel - 1];
    *ret_received = t->channel_received[channel - 1];
}

uint64_t terminal_resets(const struct terminal *t)
{
    return t->n_resets;
}

uint64_t terminal_refreshes(const struct terminal *t)
{
    return t->n_refreshes;
}

uint64_t terminal_commands(const struct terminal *t)
{
    return t->n_commands;
}
