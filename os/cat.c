/* cat.c - the line of proactive commands, and the three APDUs that move them (TS 102 223,
 * TS 102 221 11.2). */
#include "os/cat.h"

#include <string.h>

#include "os/ctlv.h"
#include "os/euicc.h"
#include "os/tlv.h"

enum {
    TAG_PROACTIVE = 0xD0, /* TS 102 223 9.2 */

    NUMBER_MAX = 0xFE, /* TS 102 223 8.6 */

    DEVICE_CHANNEL = 0x20, /* TS 102 223 8.7; + the channel */
    DEVICE_UICC = 0x81,
    DEVICE_TERMINAL = 0x82,
    DEVICE_NETWORK = 0x83,

    INS_FETCH = 0x12,
    INS_TERMINAL_RESPONSE = 0x14,
    INS_STATUS = 0xF2,
};

/* TERMINAL PROFILE (TS 102 223 5.2): octet and bit, both from 1 as there. */
static const struct {
    uint8_t octet, bit;
} facilities[] = {
    [CAT_CAN_MENU_SELECTION] = { 1, 4 },
    [CAT_CAN_TIMER_EXPIRATION] = { 1, 6 },
    [CAT_CAN_MORE_TIME] = { 3, 4 },
    [CAT_CAN_POLL_INTERVAL] = { 3, 6 },
    [CAT_CAN_POLLING_OFF] = { 3, 7 },
    [CAT_CAN_REFRESH] = { 3, 8 },
    [CAT_CAN_SEND_SHORT_MESSAGE] = { 4, 2 },
    [CAT_CAN_SET_UP_MENU] = { 4, 6 },
    [CAT_CAN_LOCATION] = { 4, 7 },
    [CAT_CAN_MEASUREMENTS] = { 4, 8 },
    [CAT_CAN_SET_UP_EVENT_LIST] = { 5, 1 },
    [CAT_CAN_EVENT_LOCATION_STATUS] = { 5, 5 },
    [CAT_CAN_EVENT_DATA_AVAILABLE] = { 6, 3 },
    [CAT_CAN_EVENT_CHANNEL_STATUS] = { 6, 4 },
    [CAT_CAN_EVENT_ACCESS_TECHNOLOGY] = { 6, 5 },
    [CAT_CAN_TIMER] = { 8, 1 },
    [CAT_CAN_DATE_TIME] = { 8, 3 },
    [CAT_CAN_ACCESS_TECHNOLOGY] = { 9, 8 },
    [CAT_CAN_OPEN_CHANNEL] = { 12, 1 },
    [CAT_CAN_CLOSE_CHANNEL] = { 12, 2 },
    [CAT_CAN_RECEIVE_DATA] = { 12, 3 },
    [CAT_CAN_SEND_DATA] = { 12, 4 },
    [CAT_CAN_CHANNEL_STATUS] = { 12, 5 },
    [CAT_CAN_PACKET_SERVICE] = { 13, 2 },
    [CAT_CAN_TCP] = { 17, 1 },
    [CAT_CAN_UDP] = { 17, 2 },
    [CAT_CAN_E_UTRAN] = { 17, 7 },
    [CAT_CAN_IMEISV] = { 18, 7 },
    [CAT_CAN_EVENT_NETWORK_REJECTION] = { 25, 5 },
    [CAT_CAN_DNS_REQUEST] = { 33, 1 },
    [CAT_CAN_KEEP_CONNECTION] = { 33, 2 },
    [CAT_CAN_STATE_CHANGE] = { 34, 6 },
};

enum priority { FIRST, AT_CLOSE, AT_RECEIVE, AT_SEND, AT_TIMER, LAST };

enum { ANY = -1 };

/* What we use: who carries it out, and where the terminal says that it can. */
static const struct kind {
    enum cat_type type;
    const char *name;
    int qualifier;
    uint8_t device;
    enum cat_facility facility;
    enum priority priority;
} kinds[] = {
    { CAT_REFRESH, "REFRESH", ANY, DEVICE_TERMINAL, CAT_CAN_REFRESH, FIRST },
    { CAT_MORE_TIME, "MORE TIME", ANY, DEVICE_TERMINAL, CAT_CAN_MORE_TIME, LAST },
    { CAT_POLL_INTERVAL, "POLL INTERVAL", ANY, DEVICE_TERMINAL, CAT_CAN_POLL_INTERVAL, LAST },
    { CAT_POLLING_OFF, "POLLING OFF", ANY, DEVICE_TERMINAL, CAT_CAN_POLLING_OFF, LAST },
    { CAT_SET_UP_EVENT_LIST, "SET UP EVENT LIST", ANY, DEVICE_TERMINAL, CAT_CAN_SET_UP_EVENT_LIST,
      LAST },
    { CAT_SEND_SHORT_MESSAGE, "SEND SHORT MESSAGE", ANY, DEVICE_NETWORK, CAT_CAN_SEND_SHORT_MESSAGE,
      LAST },
    { CAT_SET_UP_MENU, "SET UP MENU", ANY, DEVICE_TERMINAL, CAT_CAN_SET_UP_MENU, LAST },
    { CAT_PROVIDE_LOCAL_INFORMATION, "PROVIDE LOCAL INFORMATION", 0x00, DEVICE_TERMINAL,
      CAT_CAN_LOCATION, LAST },
    { CAT_PROVIDE_LOCAL_INFORMATION, "PROVIDE LOCAL INFORMATION", 0x01, DEVICE_TERMINAL,
      CAT_CAN_LOCATION, LAST },
    { CAT_PROVIDE_LOCAL_INFORMATION, "PROVIDE LOCAL INFORMATION", 0x02, DEVICE_TERMINAL,
      CAT_CAN_MEASUREMENTS, LAST },
    { CAT_PROVIDE_LOCAL_INFORMATION, "PROVIDE LOCAL INFORMATION", 0x03, DEVICE_TERMINAL,
      CAT_CAN_DATE_TIME, LAST },
    { CAT_PROVIDE_LOCAL_INFORMATION, "PROVIDE LOCAL INFORMATION", 0x06, DEVICE_TERMINAL,
      CAT_CAN_ACCESS_TECHNOLOGY, LAST },
    { CAT_PROVIDE_LOCAL_INFORMATION, "PROVIDE LOCAL INFORMATION", 0x08, DEVICE_TERMINAL,
      CAT_CAN_IMEISV, LAST },
    { CAT_TIMER_MANAGEMENT, "TIMER MANAGEMENT", ANY, DEVICE_TERMINAL, CAT_CAN_TIMER, AT_TIMER },
    { CAT_OPEN_CHANNEL, "OPEN CHANNEL", ANY, DEVICE_TERMINAL, CAT_CAN_OPEN_CHANNEL, LAST },
    { CAT_CLOSE_CHANNEL, "CLOSE CHANNEL", ANY, DEVICE_CHANNEL, CAT_CAN_CLOSE_CHANNEL, AT_CLOSE },
    { CAT_RECEIVE_DATA, "RECEIVE DATA", ANY, DEVICE_CHANNEL, CAT_CAN_RECEIVE_DATA, AT_RECEIVE },
    { CAT_SEND_DATA, "SEND DATA", ANY, DEVICE_CHANNEL, CAT_CAN_SEND_DATA, AT_SEND },
    { CAT_GET_CHANNEL_STATUS, "GET CHANNEL STATUS", ANY, DEVICE_TERMINAL, CAT_CAN_CHANNEL_STATUS,
      LAST },
};

void cat_reset(struct cat *c)
{
    memset(c, 0, sizeof *c);
}

/* --- what the terminal can -------------------------------------------------------------------- */

bool cat_allows(const struct cat *c, enum cat_facility facility)
{
    size_t octet = facilities[facility].octet;

    return octet <= c->terminal.profile_len &&
           (c->terminal.profile[octet - 1] >> (facilities[facility].bit - 1) & 1) != 0;
}

unsigned cat_channel_count(const struct cat *c)
{
    enum { OCTET = 13, SHIFT = 5 };

    return c->terminal.profile_len >= OCTET ? c->terminal.profile[OCTET - 1] >> SHIFT : 0;
}

static const struct kind *kind_of(const struct cat_command *command)
{
    for (size_t i = 0; i < N_ELEMS(kinds); i++)
        if (kinds[i].type == command->type &&
            (kinds[i].qualifier == ANY || kinds[i].qualifier == command->qualifier))
            return &kinds[i];
    return NULL;
}

static bool is_allowed(const struct cat *c, const struct cat_command *command)
{
    const struct kind *kind = kind_of(command);

    return kind != NULL && c->terminal.has_profile && cat_allows(c, kind->facility);
}

/* --- the line --------------------------------------------------------------------------------- */

bool cat_is_busy(const struct cat *c)
{
    return c->queue != NULL || c->due != NULL;
}

bool cat_is_fetched(const struct cat *c, const struct cat_command *command)
{
    return c->due == command && c->fetched;
}

/* Its octets, and its details: number, type, qualifier. */
static int make(struct cat_command *command, uint8_t number, struct wr *w,
                uint8_t details[CAT_DETAILS_LEN])
{
    uint8_t scratch[CAT_COMMAND_MAX];
    struct wr body;

    wr_init(&body, scratch, sizeof scratch);
    if (command->put != NULL)
        command->put(command, &body);
    details[0] = number;
    details[1] = (uint8_t)command->type;
    details[2] = command->qualifier;
    const uint8_t devices[] = { DEVICE_UICC,
                                (uint8_t)(kind_of(command)->device + command->channel) };
    struct wr_mark m = tlv_open(w, TAG_PROACTIVE);
    ctlv_put(w, CTLV_COMMAND_DETAILS, true, rd_of(details, CAT_DETAILS_LEN));
    ctlv_put(w, CTLV_DEVICE_IDENTITIES, true, rd_of(devices, sizeof devices));
    wr_put_rd(w, wr_view(&body));
    tlv_close(w, m);
    TRY(wr_failed(&body));
    return wr_failed(w);
}

/* Behind those of its priority; or before, when it was the next one already. */
static void insert(struct cat *c, struct cat_command *command, bool before)
{
    enum priority priority = kind_of(command)->priority;
    struct cat_command **at = &c->queue;

    while (*at != NULL &&
           (kind_of(*at)->priority < priority || (!before && kind_of(*at)->priority == priority)))
        at = &(*at)->next;
    command->next = *at;
    *at = command;
}

bool cat_submit(struct cat *c, struct cat_command *command)
{
    uint8_t octets[CAT_COMMAND_MAX], details[CAT_DETAILS_LEN];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    if (command->queued || !is_allowed(c, command) || make(command, 1, &w, details) != 0)
        return false;
    command->queued = true;
    insert(c, command, false);
    return true;
}

bool cat_withdraw(struct cat *c, struct cat_command *command)
{
    for (struct cat_command **at = &c->queue; *at != NULL; at = &(*at)->next) {
        if (*at != command)
            continue;
        *at = command->next;
        command->queued = false;
        return true;
    }
    return false;
}

void cat_profile_changed(struct cat *c)
{
    for (size_t i = 0; i < CAT_QUEUE_MAX; i++) {
        struct cat_command *command = &c->own[i].command;
        if (!command->queued || command->type == CAT_REFRESH)
            continue;
        if (c->due == command && !c->fetched) {
            c->due = NULL;
            command->queued = false;
        } else {
            (void)cat_withdraw(c, command);
        }
    }
}

/* The first in the line becomes what 91xx announces. */
static void announce_next(struct cat *c)
{
    struct cat_command *command = c->queue;
    struct wr w;

    if (c->due != NULL || command == NULL)
        return;
    c->queue = command->next;
    c->due = command;
    c->terminal.number =
        c->terminal.number < NUMBER_MAX ? (uint8_t)(c->terminal.number + 1) : (uint8_t)1;
    wr_init(&w, c->octets, sizeof c->octets);
    (void)make(command, c->terminal.number, &w, c->details); /* fitted when it was submitted */
    c->n = w.n;
}

/* A REFRESH that was fetched, and then the terminal went back to polling. */
static bool is_forgotten(const struct cat *c)
{
    return c->due->type == CAT_REFRESH && c->others > CAT_PATIENCE;
}

uint16_t cat_ending(struct cat *c)
{
    announce_next(c);
    bool waits = c->due != NULL && (!c->fetched || is_forgotten(c));
    return (uint16_t)(waits ? SW_PROACTIVE | c->n : SW_OK);
}

/* Who waits for its end may queue the next one: it is gone before. */
static int end(struct euicc *e, struct cat_command *command, const struct cat_result *r)
{
    cat_ended_fn *ended = command->ended;

    command->queued = false;
    return ended != NULL ? ended(e, command->ctx, r) : 0;
}

static int end_due(struct euicc *e, const struct cat_result *r)
{
    struct cat_command *command = e->cat.due;

    e->cat.due = NULL;
    e->cat.fetched = false;
    e->cat.others = 0;
    return end(e, command, r);
}

/* Counts APDUs without TERMINAL RESPONSE; true: it was one too many.  With REFRESH many files may
 * be read first, and nobody knows whether it was done: it is offered again, and may still be
 * answered (TS 102 223 6.4.7). */
static bool is_lost(struct cat *c, uint8_t ins)
{
    bool refresh = c->due->type == CAT_REFRESH;

    if (ins == INS_FETCH || ins == INS_TERMINAL_RESPONSE || (refresh && ins != INS_STATUS))
        return false;
    if (c->others <= CAT_PATIENCE)
        c->others++;
    return c->others > CAT_PATIENCE && !refresh;
}

int cat_before(struct euicc *e, uint8_t ins, bool *ret_ended)
{
    static const struct cat_result lost = { .lost = true, .general = CAT_TERMINAL_BUSY };
    struct cat *c = &e->cat;

    *ret_ended = false;
    if (!c->fetched || !is_lost(c, ins))
        return 0;
    trace_note(&e->trace, "command %u of type %02X is not answered: taken as busy",
               c->terminal.number, c->due->type);
    *ret_ended = true;
    return end_due(e, &lost);
}

/* --- commands that we keep -------------------------------------------------------------------- */

static int free_slot(const struct cat *c)
{
    for (int i = 0; i < CAT_QUEUE_MAX; i++)
        if (!c->own[i].command.queued)
            return i;
    return -1;
}

bool cat_can(const struct cat *c, enum cat_type type)
{
    const struct cat_command command = { .type = type };

    return is_allowed(c, &command) && free_slot(c) >= 0;
}

static void put_argument(struct cat_command *command, struct wr *w)
{
    const struct cat *c = command->ctx;

    wr_put(w, c->own[command->argument].tlvs, c->own[command->argument].n);
}

bool cat_queue(struct cat *c, enum cat_type type, uint8_t qualifier, struct rd tlvs,
               cat_ended_fn *ended)
{
    int i = free_slot(c);

    if (i < 0 || tlvs.n > sizeof c->own[i].tlvs)
        return false;
    if (tlvs.n > 0)
        memcpy(c->own[i].tlvs, tlvs.p, tlvs.n);
    c->own[i].n = tlvs.n;
    c->own[i].command = (struct cat_command){ .type = type,
                                              .qualifier = qualifier,
                                              .argument = (uint32_t)i,
                                              .put = put_argument,
                                              .ended = ended,
                                              .ctx = c };
    return cat_submit(c, &c->own[i].command);
}

bool cat_queue_refresh(struct cat *c, enum cat_refresh how, cat_ended_fn *ended)
{
    if (how == CAT_PROFILE_STATE_CHANGE && !cat_allows(c, CAT_CAN_STATE_CHANGE))
        how = CAT_UICC_RESET;
    return cat_queue(c, CAT_REFRESH, (uint8_t)how, rd_of(NULL, 0), ended);
}

/* --- TERMINAL PROFILE ------------------------------------------------------------------------- */

/* What is not fetched is in the line once more; what the terminal cannot any more ends. */
static int check_again(struct euicc *e)
{
    static const struct cat_result beyond = { .general = CAT_BEYOND_CAPABILITY };
    struct cat *c = &e->cat;

    if (c->due != NULL && !c->fetched) {
        insert(c, c->due, true);
        c->due = NULL;
    }
    for (struct cat_command **at = &c->queue; *at != NULL;) {
        struct cat_command *command = *at;
        if (is_allowed(c, command)) {
            at = &command->next;
            continue;
        }
        cat_withdraw(c, command);
        TRY(end(e, command, &beyond));
        at = &c->queue; /* it may look different now */
    }
    return 0;
}

int cat_terminal_profile(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct cat_terminal *t = &s->euicc->cat.terminal;

    (void)rsp;
    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    t->has_profile = true;
    t->profile_len = a->lc < sizeof t->profile ? a->lc : sizeof t->profile;
    memcpy(t->profile, a->data, t->profile_len);
    TRY(check_again(s->euicc));
    return cat_tell_profile(s->euicc);
}

int cat_resume(struct euicc *e, const struct cat_terminal *terminal)
{
    e->cat.terminal = *terminal;
    return terminal->has_profile ? cat_tell_profile(e) : 0;
}

/* --- FETCH and TERMINAL RESPONSE -------------------------------------------------------------- */

/* As often as the terminal likes: it may not have got the last answer. */
int cat_fetch(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct cat *c = &s->euicc->cat;

    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    announce_next(c);
    if (c->due == NULL) {
        trace_check(&s->euicc->trace, "FETCH: no command waits (TS 102 221 11.2.3)");
        return SW_CONDITIONS_OF_USE;
    }
    if (a->le != c->n && a->le != APDU_MAX_SHORT_LE)
        return (int)(SW_WRONG_LE | c->n);
    wr_put(rsp, c->octets, c->n);
    trace_named(&s->euicc->trace, TRACE_CAT, kind_of(c->due)->name, c->octets, c->n);
    c->fetched = true;
    if (is_forgotten(c))
        c->others = 0;
    return 0;
}

static int refuse_response(struct euicc *e, const char *why)
{
    trace_check(&e->trace, "TERMINAL RESPONSE: %s: it is awaited still (TS 102 223 6.8)", why);
    return SW_WRONG_DATA;
}

/* Number and type say whose it is; not every terminal echoes the qualifier. */
int cat_terminal_response(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    const struct cat *c = &e->cat;
    struct rd body = rd_of(a->data, a->lc), details, result;

    (void)rsp;
    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    if (!c->fetched)
        return SW_CONDITIONS_OF_USE;
    if (!ctlv_find(body, CTLV_COMMAND_DETAILS, &details) || details.n != sizeof c->details)
        return refuse_response(e, "there are no command details");
    if (details.p[0] != c->details[0] || details.p[1] != c->details[1])
        return refuse_response(e, "the command details are another command's");
    if (!ctlv_find(body, CTLV_RESULT, &result) || result.n < 1)
        return refuse_response(e, "there is no result");
    const struct cat_result r = { .done = result.p[0] < CAT_RESULT_FIRST_FAILURE,
                                  .general = result.p[0],
                                  .info = rd_of(result.p + 1, result.n - 1),
                                  .tlvs = body };
    return end_due(e, &r);
}
