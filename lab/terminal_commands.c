/* terminal_commands.c - the proactive commands, a row each (TS 102 223 6.4, 6.6). */
#include <stdio.h>
#include <string.h>

#include "lab/terminal_core.h"
#include "os/err.h"

enum {
    TAG_PROACTIVE = 0xD0,

    REFRESH_FILES = 0x01,
    REFRESH_RESET = 0x04,
    REFRESH_SESSION_RESET = 0x06,
    REFRESH_STEERING = 0x07,
    REFRESH_STEERING_WLAN = 0x08,
    REFRESH_PROFILE_STATE = 0x09,
    REFRESH_APPLICATION = 0x0A,

    UNIT_MINUTES = 0,
    UNIT_SECONDS = 1,
    UNIT_TENTHS = 2,

    TIMER_MODE = 0x03,
    TIMER_START = 0,
    TIMER_STOP = 1,
    TIMER_GET = 2,

    PLI_LOCATION = 0x00,
    PLI_IMEI = 0x01,
    PLI_MEASUREMENTS = 0x02,
    PLI_DATE = 0x03,
    PLI_LANGUAGE = 0x04,
    PLI_TECHNOLOGY = 0x06,
    PLI_IMEISV = 0x08,
    PLI_SEARCH_MODE = 0x09,
    PLI_BATTERY = 0x0A,
    PLI_SUPPORTED_RATS = 0x1A,

    BATTERY_FULL = 0x04,
    MEASUREMENTS_LEN = 16,
};

/* --- REFRESH ---------------------------------------------------------------------------------- */

static int refresh(struct terminal *t, const struct command *c)
{
    struct rd body = c->body, files;

    switch (c->qualifier) {
    case REFRESH_RESET:
        t->n_refreshes++;
        terminal_note(t, NOTE_CARD, 0, "REFRESH: UICC reset");
        return NO_ANSWER;
    case REFRESH_PROFILE_STATE:
        if (!terminal_facility(t, 34, 6))
            return answer(t, RESULT_BEYOND_CAPABILITIES);
        t->after = AFTER_RESET;
        terminal_about(t, "eUICC profile state change");
        break;
    case REFRESH_STEERING:
    case REFRESH_STEERING_WLAN:
    case REFRESH_APPLICATION:
        break;
    case REFRESH_FILES:
        if (!object_find(&body, OBJECT_FILE_LIST, &files))
            return answer(t, RESULT_VALUES_MISSING);
        t->after = AFTER_READ_AGAIN;
        break;
    default:
        if (c->qualifier > REFRESH_SESSION_RESET)
            return answer(t, RESULT_NOT_UNDERSTOOD);
        t->after = AFTER_READ_AGAIN;
    }
    t->n_refreshes++;
    return answer(t, RESULT_OK);
}

/* --- polling, events -------------------------------------------------------------------------- */

static int more_time(struct terminal *t, const struct command *c)
{
    (void)c;
    return answer(t, RESULT_OK);
}

static int poll_interval(struct terminal *t, const struct command *c)
{
    static const unsigned units_ms[] = { 60000, 1000, 100 };
    unsigned max_s = t->config.device.poll_max_s;
    struct rd body = c->body, duration;

    if (!object_find(&body, OBJECT_DURATION, &duration))
        return answer(t, RESULT_VALUES_MISSING);
    if (duration.n != 2 || duration.p[0] > UNIT_TENTHS || duration.p[1] == 0)
        return answer(t, RESULT_NOT_UNDERSTOOD);
    uint8_t unit = duration.p[0], count = duration.p[1];
    t->poll_ms = (uint64_t)units_ms[unit] * count;
    if (max_s > 0 && t->poll_ms > max_s * 1000u) {
        t->poll_ms = max_s * 1000u;
        unit = max_s > 255 ? UNIT_MINUTES : UNIT_SECONDS;
        count = (uint8_t)(max_s > 255 ? max_s / 60 : max_s);
    }
    t->poll_at = terminal_now(t) + t->poll_ms;
    object_put_two(&t->answer.objects, OBJECT_DURATION | OBJECT_REQUIRED, unit, count);
    terminal_about(t, "STATUS every %llu ms", (unsigned long long)t->poll_ms);
    return answer(t, RESULT_OK);
}

static int polling_off(struct terminal *t, const struct command *c)
{
    (void)c;
    t->poll_ms = 0;
    t->poll_at = NEVER;
    return answer(t, RESULT_OK);
}

static int set_up_event_list(struct terminal *t, const struct command *c)
{
    struct rd body = c->body, list;
    uint32_t events = 0;

    if (!object_find(&body, OBJECT_EVENT_LIST, &list))
        return answer(t, RESULT_VALUES_MISSING);
    for (size_t i = 0; i < list.n; i++) {
        if (list.p[i] > EVENT_LAST)
            return answer(t, RESULT_BEYOND_CAPABILITIES);
        events |= 1u << list.p[i];
    }
    t->events = events;
    return answer(t, RESULT_OK);
}

/* --- timers ----------------------------------------------------------------------------------- */

static bool read_bcd(uint8_t octet, unsigned max, unsigned *ret)
{
    unsigned tens = octet & 0xFu, units = octet >> 4;

    *ret = 10 * tens + units;
    return tens < 10 && units < 10 && *ret <= max;
}

static bool read_timer_value(struct rd v, uint64_t *ret_ms)
{
    unsigned hours, minutes, seconds;

    if (v.n != 3 || !read_bcd(v.p[0], 24, &hours) || !read_bcd(v.p[1], 59, &minutes) ||
        !read_bcd(v.p[2], 59, &seconds))
        return false;
    *ret_ms = ((hours * 60ull + minutes) * 60 + seconds) * 1000;
    return *ret_ms <= 24ull * 3600 * 1000;
}

static uint8_t bcd(uint64_t n)
{
    return (uint8_t)(n % 10 << 4 | n / 10 % 10);
}

static void put_timer_value(struct wr *w, uint64_t left_ms)
{
    uint64_t s = (left_ms + 999) / 1000;
    const uint8_t octets[] = { bcd(s / 3600), bcd(s / 60 % 60), bcd(s % 60) };

    object_put(w, OBJECT_TIMER_VALUE | OBJECT_REQUIRED, rd_of(octets, sizeof octets));
}

static int timer_management(struct terminal *t, const struct command *c)
{
    struct rd body = c->body, id, value;
    unsigned mode = c->qualifier & TIMER_MODE;
    uint64_t now = terminal_now(t), ms;

    if (!object_find(&body, OBJECT_TIMER_ID, &id))
        return answer(t, RESULT_VALUES_MISSING);
    if (id.n != 1 || id.p[0] < 1 || id.p[0] > TIMERS || mode > TIMER_GET)
        return answer(t, RESULT_NOT_UNDERSTOOD);
    unsigned n = id.p[0] - 1u;
    if (mode == TIMER_START) {
        body = c->body;
        if (!object_find(&body, OBJECT_TIMER_VALUE, &value))
            return answer(t, RESULT_VALUES_MISSING);
        if (!read_timer_value(value, &ms))
            return answer(t, RESULT_NOT_UNDERSTOOD);
        t->timers[n] = now + ms;
        t->expired &= (uint8_t) ~(1u << n);
        memcpy(t->timer_values[n], value.p, 3);
        object_put_u8(&t->answer.objects, OBJECT_TIMER_ID | OBJECT_REQUIRED, n + 1);
        terminal_about(t, "timer %u: %llu s", n + 1, (unsigned long long)(ms / 1000));
        return answer(t, RESULT_OK);
    }
    object_put_u8(&t->answer.objects, OBJECT_TIMER_ID | OBJECT_REQUIRED, n + 1);
    if (t->timers[n] == NEVER)
        return answer(t, RESULT_TIMER_STATE);
    put_timer_value(&t->answer.objects, t->timers[n] > now ? t->timers[n] - now : 0);
    if (mode == TIMER_STOP)
        t->timers[n] = NEVER;
    return answer(t, RESULT_OK);
}

/* --- PROVIDE LOCAL INFORMATION ---------------------------------------------------------------- */

static int tell_location(struct terminal *t)
{
    if (t->service == SERVICE_NONE)
        return answer_info(t, RESULT_BUSY, BUSY_NO_SERVICE);
    device_put_location(&t->config.device, &t->answer.objects);
    return answer(t, t->service == SERVICE_NORMAL ? RESULT_OK : RESULT_LIMITED_SERVICE);
}

static int tell_measurements(struct terminal *t)
{
    static const uint8_t nothing[MEASUREMENTS_LEN];

    if (!terminal_facility(t, 4, 8))
        return answer(t, RESULT_BEYOND_CAPABILITIES);
    if (t->service == SERVICE_NONE)
        return answer_info(t, RESULT_BUSY, BUSY_NO_SERVICE);
    object_put(&t->answer.objects, OBJECT_MEASUREMENTS | OBJECT_REQUIRED,
               rd_of(nothing, sizeof nothing));
    return answer(t, RESULT_OK);
}

static int tell_date(struct terminal *t)
{
    if (t->config.device.no_date || !terminal_facility(t, 8, 3))
        return answer(t, RESULT_BEYOND_CAPABILITIES);
    device_put_date(&t->config.device, terminal_now(t) - t->born, &t->answer.objects);
    return answer(t, RESULT_OK);
}

static int provide_local_information(struct terminal *t, const struct command *c)
{
    const struct terminal_device *device = &t->config.device;
    struct wr *w = &t->answer.objects;

    switch (c->qualifier) {
    case PLI_LOCATION:
        return tell_location(t);
    case PLI_IMEI:
        device_put_imei(device, w);
        break;
    case PLI_MEASUREMENTS:
        return tell_measurements(t);
    case PLI_DATE:
        return tell_date(t);
    case PLI_LANGUAGE:
        object_put(w, OBJECT_LANGUAGE | OBJECT_REQUIRED, rd_str("en"));
        break;
    case PLI_TECHNOLOGY:
        object_put_u8(w, OBJECT_ACCESS_TECHNOLOGY, device->technology);
        break;
    case PLI_IMEISV:
        device_put_imeisv(device, w);
        break;
    case PLI_SEARCH_MODE:
        object_put_u8(w, OBJECT_SEARCH_MODE | OBJECT_REQUIRED, 0);
        break;
    case PLI_BATTERY:
        object_put_u8(w, OBJECT_BATTERY | OBJECT_REQUIRED, BATTERY_FULL);
        break;
    case PLI_SUPPORTED_RATS:
        object_put_u8(w, OBJECT_SUPPORTED_RATS | OBJECT_REQUIRED, device->technology);
        break;
    default:
        return answer(t, RESULT_BEYOND_CAPABILITIES);
    }
    return answer(t, RESULT_OK);
}

/* --- what people see -------------------------------------------------------------------------- */

static void about_text(struct terminal *t, struct rd text)
{
    char line[NOTE_LEN];

    terminal_about(t, "%s", printable(text, line, sizeof line));
}

static int display_text(struct terminal *t, const struct command *c)
{
    struct rd body = c->body, text;

    if (!object_find(&body, OBJECT_TEXT, &text))
        return answer(t, RESULT_VALUES_MISSING);
    if (text.n > 0) /* behind the coding scheme */
        about_text(t, rd_of(text.p + 1, text.n - 1));
    return answer(t, RESULT_OK);
}

static int set_up_menu(struct terminal *t, const struct command *c)
{
    struct rd body = c->body, item;
    char line[NOTE_LEN] = "", text[64];
    size_t n = 0;

    if (!object_find(&body, OBJECT_ITEM, &item))
        return answer(t, RESULT_VALUES_MISSING);
    do {
        if (item.n < 1)
            continue; /* an empty item takes the menu away */
        printable(rd_of(item.p + 1, item.n - 1), text, sizeof text);
        int put =
            snprintf(line + n, sizeof line - n, "%s%u %s", n == 0 ? "" : ", ", item.p[0], text);
        n += (size_t)put < sizeof line - n ? (size_t)put : 0;
    } while (object_find(&body, OBJECT_ITEM, &item));
    line[n] = '\0';
    terminal_about(t, "%s", line);
    return answer(t, RESULT_OK);
}

static int send_short_message(struct terminal *t, const struct command *c)
{
    struct rd body = c->body, tpdu;
    char text[NOTE_LEN / 2];

    if (!object_find(&body, OBJECT_SMS_TPDU, &tpdu))
        return answer(t, RESULT_VALUES_MISSING);
    if (t->service != SERVICE_NORMAL)
        return answer_info(t, RESULT_BUSY, BUSY_NO_SERVICE);
    terminal_about(t, "%s", hex_text(tpdu, text, sizeof text));
    return answer(t, RESULT_OK);
}

/* --- the table -------------------------------------------------------------------------------- */

/* octet and bit, both from 1, of TERMINAL PROFILE; a row without a function is a type that we know
 * and cannot do. */
static const struct row {
    uint8_t type;
    const char *name;
    uint8_t octet, bit;
    int (*run)(struct terminal *t, const struct command *c);
} rows[] = {
    { 0x01, "REFRESH", 3, 8, refresh },
    { 0x02, "MORE TIME", 3, 4, more_time },
    { 0x03, "POLL INTERVAL", 3, 6, poll_interval },
    { 0x04, "POLLING OFF", 3, 7, polling_off },
    { 0x05, "SET UP EVENT LIST", 5, 1, set_up_event_list },
    { 0x10, "SET UP CALL", 4, 4, NULL },
    { 0x11, "SEND SS", 4, 3, NULL },
    { 0x12, "SEND USSD", 4, 4, NULL },
    { 0x13, "SEND SHORT MESSAGE", 4, 2, send_short_message },
    { 0x14, "SEND DTMF", 9, 5, NULL },
    { 0x15, "LAUNCH BROWSER", 9, 7, NULL },
    { 0x16, "GEOGRAPHICAL LOCATION REQUEST", 22, 5, NULL },
    { 0x20, "PLAY TONE", 3, 5, NULL },
    { 0x21, "DISPLAY TEXT", 3, 1, display_text },
    { 0x22, "GET INKEY", 3, 2, NULL },
    { 0x23, "GET INPUT", 3, 3, NULL },
    { 0x24, "SELECT ITEM", 4, 1, NULL },
    { 0x25, "SET UP MENU", 4, 6, set_up_menu },
    { 0x26, "PROVIDE LOCAL INFORMATION", 4, 7, provide_local_information },
    { 0x27, "TIMER MANAGEMENT", 8, 1, timer_management },
    { 0x28, "SET UP IDLE MODE TEXT", 8, 4, NULL },
    { 0x30, "PERFORM CARD APDU", 7, 3, NULL },
    { 0x31, "POWER ON CARD", 7, 1, NULL },
    { 0x32, "POWER OFF CARD", 7, 2, NULL },
    { 0x33, "GET READER STATUS", 7, 4, NULL },
    { 0x34, "RUN AT COMMAND", 8, 7, NULL },
    { 0x35, "LANGUAGE NOTIFICATION", 9, 6, NULL },
    { 0x40, "OPEN CHANNEL", 12, 1, bip_open },
    { 0x41, "CLOSE CHANNEL", 12, 2, bip_close },
    { 0x42, "RECEIVE DATA", 12, 3, bip_receive },
    { 0x43, "SEND DATA", 12, 4, bip_send },
    { 0x44, "GET CHANNEL STATUS", 12, 5, bip_status },
};

bool terminal_facility(const struct terminal *t, unsigned octet, unsigned bit)
{
    const struct terminal_device *d = &t->config.device;

    return octet <= d->n_profile && (d->profile[octet - 1] >> (bit - 1) & 1) != 0;
}

static const struct row *row_of(uint8_t type)
{
    for (size_t i = 0; i < N_ELEMS(rows); i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

/* The objects of a whole and undamaged D0, or false. */
static bool open_template(struct rd octets, struct rd *ret)
{
    size_t n;

    if (octets.n < 2 || octets.p[0] != TAG_PROACTIVE)
        return false;
    octets = rd_of(octets.p + 1, octets.n - 1);
    if (!object_take_length(&octets, &n) || n != octets.n || !object_all_whole(octets))
        return false;
    *ret = octets;
    return true;
}

/* An object that we do not know: where it is required the command is refused (TS 102 223 6.10). */
static bool objects_are_understood(struct terminal *t, struct rd body)
{
    struct object o;

    while (object_take(&body, &o)) {
        if (object_is_known(o.tag))
            continue;
        if (o.required)
            return false;
        t->partial = true;
    }
    return true;
}

/* Command details and device identities; 0, or the general result. */
static uint8_t take_head(struct terminal *t, struct rd body)
{
    struct command *c = &t->command;
    struct rd details, devices, at = body;

    if (!object_find(&at, OBJECT_DETAILS, &details))
        return RESULT_VALUES_MISSING;
    if (details.n != 3)
        return RESULT_NOT_UNDERSTOOD;
    c->number = details.p[0];
    c->type = details.p[1];
    c->qualifier = details.p[2];
    c->body = body;
    at = body;
    if (!object_find(&at, OBJECT_DEVICES, &devices))
        return RESULT_VALUES_MISSING;
    if (devices.n != 2)
        return RESULT_NOT_UNDERSTOOD;
    c->destination = devices.p[1];
    return 0;
}

static void tell_command(const struct terminal *t)
{
    const struct command *c = &t->command;
    struct terminal_note note = { .kind = NOTE_COMMAND,
                                  .name = c->name,
                                  .number = c->number,
                                  .type = c->type,
                                  .qualifier = c->qualifier,
                                  .info = -1,
                                  .octets = rd_of(t->octets, t->n_octets),
                                  .text = "" };

    if (c->destination > DEVICE_CHANNEL && c->destination <= DEVICE_CHANNEL + TERMINAL_CHANNELS)
        note.channel = c->destination - DEVICE_CHANNEL;
    terminal_tell(t, &note);
}

static int run(struct terminal *t)
{
    struct terminal_faults *faults = &t->config.faults;
    const struct row *row;
    struct rd body;

    if (!open_template(rd_of(t->octets, t->n_octets), &body)) {
        tell_command(t);
        return answer(t, RESULT_NOT_UNDERSTOOD);
    }
    uint8_t bad = take_head(t, body);
    row = row_of(t->command.type);
    if (row != NULL)
        t->command.name = row->name;
    tell_command(t);
    if (bad != 0)
        return answer(t, bad);
    if (row == NULL)
        return answer(t, RESULT_TYPE_UNKNOWN);
    if (row->run == NULL || !terminal_facility(t, row->octet, row->bit))
        return answer(t, RESULT_BEYOND_CAPABILITIES);
    if (!objects_are_understood(t, body))
        return answer(t, RESULT_NOT_UNDERSTOOD);
    if (faults_hit(faults, &faults->busy_command, t->n_commands, 100)) {
        terminal_note(t, NOTE_FAULT, 0, "busy");
        return answer_info(t, RESULT_BUSY, BUSY_NO_CAUSE);
    }
    return row->run(t, &t->command);
}

void command_run(struct terminal *t, struct rd octets)
{
    t->n_octets = octets.n < sizeof t->octets ? octets.n : sizeof t->octets;
    if (t->n_octets > 0)
        memcpy(t->octets, octets.p, t->n_octets);
    t->command = (struct command){ .name = "proactive command" };
    t->partial = false;
    t->after = AFTER_NOTHING;
    t->about[0] = '\0';
    t->answer.ready = false;
    wr_clear(&t->answer.objects);
    switch (run(t)) {
    case ANSWERED:
        answer_done(t);
        break;
    case NO_ANSWER:
        t->reset_due = true;
        break;
    default:
        break;
    }
}

void commands_reset(struct terminal *t)
{
    t->events = 0;
    t->expired = 0;
    for (size_t n = 0; n < TIMERS; n++)
        t->timers[n] = NEVER;
    t->poll_ms = t->config.device.poll_s * 1000ull;
    t->poll_at = NEVER;
    t->answer.ready = false;
    t->answer.at = 0;
    t->waiting = NULL;
}
