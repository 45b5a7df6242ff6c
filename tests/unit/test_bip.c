/* test_bip.c - os/bip, os/cat_events, os/cat_timer, os/cat_info: what an applet does with a
 * terminal (TS 102 223).  Octets of commands are those of the examples that public decoders agree
 * on. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/bip.h"
#include "os/cat_info.h"
#include "os/euicc.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* --- the card's side: two owners, two channels ------------------------------------------------ */

enum { CHANNELS = 3, EVENTS_KEPT = 16 };

static struct side {
    struct bip channels[CHANNELS];
    struct cat_timer timers[CAT_TIMER_MAX + 1];
    struct cat_command questions[2];
    int opened[CHANNELS], sent[CHANNELS], closed[CHANNELS]; /* how often */
    enum bip_outcome outcome[CHANNELS], why[CHANNELS];
    uint8_t received[CHANNELS][2048];
    size_t n_received[CHANNELS];
    uint8_t remaining;
    bool close_when_opened;
    uint8_t events[2][EVENTS_KEPT];
    size_t n_events[2];
    int event_result, profiles, selections;
    int timers_expired, timers_failed;
    struct cat_result ended;
    uint8_t tlvs[256];
    int n_ended;
} * side;

static size_t number_of(const void *ctx)
{
    return (size_t)((const struct bip *)ctx - side->channels);
}

static int opened(struct euicc *e, void *ctx, enum bip_outcome outcome)
{
    (void)e;
    side->opened[number_of(ctx)]++;
    side->outcome[number_of(ctx)] = outcome;
    if (side->close_when_opened)
        bip_close(ctx, false);
    return 0;
}

static int sent(struct euicc *e, void *ctx)
{
    (void)e;
    side->sent[number_of(ctx)]++;
    return 0;
}

static int received(struct euicc *e, void *ctx, struct rd octets, uint8_t remaining)
{
    size_t i = number_of(ctx);

    (void)e;
    ck_assert_uint_gt(octets.n, 0);
    ck_assert_uint_le(side->n_received[i] + octets.n, sizeof side->received[i]);
    memcpy(side->received[i] + side->n_received[i], octets.p, octets.n);
    side->n_received[i] += octets.n;
    side->remaining = remaining;
    return 0;
}

static int closed(struct euicc *e, void *ctx, enum bip_outcome why)
{
    (void)e;
    side->closed[number_of(ctx)]++;
    side->why[number_of(ctx)] = why;
    return 0;
}

static const struct bip_user user = {
    .opened = opened, .sent = sent, .received = received, .closed = closed
};

static int keep_event(size_t owner, enum cat_event event)
{
    ck_assert_uint_lt(side->n_events[owner], EVENTS_KEPT);
    side->events[owner][side->n_events[owner]++] = (uint8_t)event;
    return side->event_result;
}

static int first_event(struct euicc *e, enum cat_event event, struct rd tlvs)
{
    (void)e;
    (void)tlvs;
    return keep_event(0, event);
}

static int second_event(struct euicc *e, enum cat_event event, struct rd tlvs)
{
    (void)e;
    (void)tlvs;
    return keep_event(1, event);
}

static int first_profile(struct euicc *e)
{
    (void)e;
    side->profiles++;
    return 0;
}

static int first_selected(struct euicc *e)
{
    (void)e;
    side->selections++;
    return 0;
}

static const struct cat_owner first = { .name = "first",
                                        .profile = first_profile,
                                        .event = first_event },
                              second = { .name = "second", .event = second_event },
                              with_item = { .name = "item",
                                            .item = "Get eIM package",
                                            .selected = first_selected };

static int timer_told(struct euicc *e, void *ctx, bool expired)
{
    (void)e;
    (void)ctx;
    if (expired)
        side->timers_expired++;
    else
        side->timers_failed++;
    return 0;
}

static int question_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    (void)e;
    (void)ctx;
    side->n_ended++;
    side->ended = *r;
    ck_assert_uint_le(r->tlvs.n, sizeof side->tlvs);
    if (r->tlvs.n > 0)
        memcpy(side->tlvs, r->tlvs.p, r->tlvs.n);
    side->ended.tlvs = rd_of(side->tlvs, r->tlvs.n);
    return 0;
}

static const struct applet applet;

static int start(struct euicc *e)
{
    side = euicc_state(e, &applet);
    return 0;
}

static const struct applet applet = {
    .name = "user",
    .aid = { 1, 2, 3, 4, 5 },
    .aid_len = 5,
    .state_size = sizeof(struct side),
    .start = start,
};
static const struct applet *const all[] = { &applet };

/* --- the terminal's side ---------------------------------------------------------------------- */

static const struct trace no_trace;
static struct euicc e;
static uint8_t *response;

static void set_up(void)
{
    response = malloc(APDU_MAX_RESPONSE);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(euicc_init(&e, nvm_open_memory(&no_trace), NULL, no_trace, all, 1), 0);
    ck_assert_int_eq(euicc_power_on(&e), 0);
}

static void tear_down(void)
{
    euicc_done(&e);
    free(response);
}

/* The status word; data go to *ret. */
static unsigned transmit(struct rd octets, struct rd *ret)
{
    struct rd exact = exact_copy_of(octets);
    size_t n = euicc_transmit(&e, exact.p, exact.n, response);

    exact_free(&exact);
    ck_assert_uint_ge(n, 2);
    *ret = rd_of(response, n - 2);
    return (unsigned)(response[n - 2] << 8 | response[n - 1]);
}

static unsigned ask(const char *command)
{
    uint8_t octets[300];
    struct rd data;

    return transmit(rd_of(octets, hex(command, octets, sizeof octets)), &data);
}

static unsigned poll_it(void)
{
    return ask("80F2000C");
}

static void nothing_waits(void)
{
    ck_assert_uint_eq(poll_it(), SW_OK);
}

/* The next command is this; xx stands for its number. */
static uint8_t details[3];
static struct rd fetched;

static void fetch(const char *want)
{
    uint8_t wanted[300], command[] = { 0x80, 0x12, 0, 0, 0 };
    unsigned sw = poll_it();

    ck_assert_msg(sw >> 8 == 0x91, "%04X: nothing waits, instead of %s", sw, want);
    command[4] = (uint8_t)sw;
    ck_assert_uint_eq(transmit(rd_of(command, sizeof command), &fetched), SW_OK);
    size_t at = fetched.p[1] == 0x81 ? 5 : 4;
    memcpy(details, fetched.p + at, sizeof details);
    if (want == NULL)
        return;
    size_t n = hex(want, wanted, sizeof wanted);
    wanted[at] = details[0];
    char got[600];
    for (size_t i = 0; i < fetched.n; i++)
        snprintf(got + 2 * i, 3, "%02X", fetched.p[i]);
    ck_assert_msg(n == fetched.n && memcmp(wanted, fetched.p, n) == 0, "%s instead of %s", got,
                  want);
}

static struct rd terminal_response(const char *result_and_more)
{
    static uint8_t octets[300];
    size_t n = hex("80140000 00 8103000000 82028281", octets, sizeof octets);

    memcpy(octets + 7, details, sizeof details);
    n += hex(result_and_more, octets + n, sizeof octets - n);
    octets[4] = (uint8_t)(n - 5);
    return rd_of(octets, n);
}

/* 9000 or 91xx. */
static void respond(const char *result_and_more)
{
    struct rd data;
    unsigned sw = transmit(terminal_response(result_and_more), &data);

    ck_assert_msg(sw == SW_OK || sw >> 8 == 0x91, "%s: %04X", result_and_more, sw);
}

/* Octets 5, 6, 8, 9, 12, 13, 17, 18, 25, 33, 34 of TERMINAL PROFILE matter. */
static void profile(const char *octets)
{
    uint8_t command[100] = { 0x80, 0x10, 0, 0 };
    struct rd data;
    size_t n = hex(octets, command + 5, sizeof command - 5);

    command[4] = (uint8_t)n;
    unsigned sw = transmit(rd_of(command, 5 + n), &data);
    ck_assert(sw == SW_OK || sw >> 8 == 0x91);
}

#define CAN_ALL "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"

static void add_channel(size_t i)
{
    ck_assert(bip_init(&e, &side->channels[i], &user, &side->channels[i]));
}

#define EVENT_LIST_BIP "D00D 8103 000500 82028182 9902090A"

/* The terminal can everything and tells of channels. */
static void begin(void)
{
    for (size_t i = 0; i < CHANNELS; i++)
        add_channel(i);
    profile(CAN_ALL);
    fetch(EVENT_LIST_BIP);
    respond("830100");
    nothing_waits();
}

static const struct bip_parameters to_example = { .protocol = BIP_TCP,
                                                  .address = { { 192, 0, 2, 10 }, 4 },
                                                  .port = 443 };

#define OPEN_TCP "D01C 8103 004001 82028182 350103 39020578 3C030201BB 3E0521C000020A"
#define CLOSE_1  "D009 8103 004100 82028121"

/* Channel 0 is open, as number 1. */
static void open_it(void)
{
    begin();
    ck_assert(bip_open(&side->channels[0], &to_example));
    fetch(OPEN_TCP);
    respond("830100 38028100 350103 39020578");
    ck_assert_int_eq(side->opened[0], 1);
    ck_assert_int_eq(side->outcome[0], BIP_OK);
    ck_assert_uint_eq(side->channels[0].buffer_size, 1400);
    nothing_waits();
}

static void data_available(uint8_t n)
{
    char command[80];

    snprintf(command, sizeof command, "80C2000010 D60E 990109 82028281 B8028100 B701%02X", n);
    unsigned sw = ask(command);
    ck_assert(sw == SW_OK || sw >> 8 == 0x91);
}

static void link_dropped(void)
{
    unsigned sw = ask("80C200000D D60B 99010A 82028281 B8020105");

    ck_assert(sw == SW_OK || sw >> 8 == 0x91);
}

static void is_closed(enum bip_outcome why)
{
    ck_assert_int_eq(side->closed[0], 1);
    ck_assert_int_eq(side->why[0], why);
    ck_assert_int_eq(side->channels[0].state, BIP_REST);
    nothing_waits();
}

/* --- OPEN CHANNEL ----------------------------------------------------------------------------- */

START_TEST(open_channel_says_what_is_asked_for)
{
    const struct {
        struct bip_parameters p;
        const char *command;
    } rows[] = {
        { to_example, OPEN_TCP },
        { { .protocol = BIP_TCP,
            .address = { { 192, 0, 2, 10 }, 4 },
            .port = 443,
            .packet_service = true,
            .local_address = true,
            .name = "iot.example",
            .login = "user",
            .password = "pw" },
          "D03E 8103 034001 82028182 35070203040304 1F02 39020578 470C03696F74076578616D706C65 "
          "3E00 "
          "0D05F475736572 0D03F47077 3C030201BB 3E0521C000020A" },
        { { .protocol = BIP_UDP,
            .address = { { 192, 0, 2, 53 }, 4 },
            .port = 53,
            .packet_service = true,
            .dns = true,
            .name = "iot.example" },
          "D030 8103 044009 82028182 35070203040304 1F02 39020578 470C03696F74076578616D706C65 "
          "3C03010035 3E0521C0000235" },
        { { .protocol = BIP_UDP,
            .address = { { 0x20, 0x01, 0x0D, 0xB8, [15] = 0x10 }, 16 },
            .port = 5684,
            .buffer_size = 1500,
            .dns = true }, /* not with the default bearer */
          "D028 8103 054001 82028182 350103 390205DC 3C03011634 "
          "3E115720010DB8000000000000000000000010" },
        { { .protocol = BIP_TCP,
            .address = { { 192, 0, 2, 10 }, 4 },
            .port = 443,
            .background = true },
          "D01C 8103 024004 82028182 350103 39020578 3C030201BB 3E0521C000020A" },
    };

    begin();
    ck_assert(bip_open(&side->channels[0], &rows[_i].p));
    ck_assert(!bip_open(&side->channels[0], &rows[_i].p));
    fetch(rows[_i].command);
}
END_TEST

START_TEST(open_channel_tells_what_was_granted)
{
    struct bip_parameters p = to_example;
    struct bip *b = &side->channels[0];

    p.packet_service = p.dns = p.local_address = true;
    begin();
    ck_assert(bip_open(b, &p));
    fetch(NULL);
    respond("830107 38028300 350103 39020100 3E0521 0A000001 400521C0000235 4003210102 "
            "401157 20010DB8000000000000000000000035");
    ck_assert_int_eq(side->outcome[0], BIP_OK);
    ck_assert_uint_eq(b->buffer_size, 256);
    ck_assert_uint_eq(b->local.n, 4);
    ck_assert_uint_eq(b->local.octets[0], 10);
    ck_assert_uint_eq(b->n_dns, 2); /* the one between is none */
    ck_assert_uint_eq(b->dns[0].octets[3], 0x35);
    ck_assert_uint_eq(b->dns[1].n, 16);
}
END_TEST

START_TEST(a_link_in_the_background_comes_later)
{
    struct bip_parameters p = to_example;

    p.background = true;
    begin();
    ck_assert(bip_open(&side->channels[0], &p));
    fetch(NULL);
    respond("830100 38020100 350103 39020578");
    ck_assert_int_eq(side->opened[0], 0);
    ck_assert(!bip_send(&side->channels[0], rd_str("x")));
    if (_i == 0) {
        ck_assert_uint_eq(ask("80C200000D D60B 99010A 82028281 B8028100"), SW_OK);
        ck_assert_int_eq(side->outcome[0], BIP_OK);
    } else {
        link_dropped();
        fetch(CLOSE_1);
        respond("830100");
        ck_assert_int_eq(side->outcome[0], BIP_RETRY_LATER);
        ck_assert_int_eq(side->closed[0], 0);
    }
    ck_assert_int_eq(side->opened[0], 1);
}
END_TEST

/* Each general result (TS 102 223 8.12), and what it is at opening. */
static const struct {
    const char *result;
    enum bip_outcome outcome;
} results[] = {
    { "830100", BIP_OK },
    { "830101", BIP_OK },
    { "830102", BIP_OK },
    { "830103", BIP_OK },
    { "830104", BIP_OK },
    { "830105", BIP_OK },
    { "830106", BIP_OK },
    { "830107", BIP_OK },
    { "830108", BIP_OK },
    { "830109", BIP_OK },
    { "830110", BIP_REFUSED },
    { "830111", BIP_REFUSED },
    { "830112", BIP_REFUSED },
    { "830113", BIP_REFUSED },
    { "830114", BIP_REFUSED },
    { "830120", BIP_RETRY_LATER },
    { "83022000", BIP_RETRY_LATER },
    { "83022001", BIP_RETRY_LATER },
    { "83022002", BIP_RETRY_LATER },
    { "83022004", BIP_NO_SERVICE },
    { "83022005", BIP_RETRY_LATER },
    { "83022006", BIP_RETRY_LATER },
    { "8302200A", BIP_RETRY_LATER },
    { "830221A2", BIP_RETRY_LATER },
    { "830122", BIP_REFUSED },
    { "830123", BIP_RETRY_LATER },
    { "830124", BIP_RETRY_LATER },
    { "83022500", BIP_RETRY_LATER },
    { "83022600", BIP_RETRY_LATER },
    { "83022700", BIP_RETRY_LATER },
    { "830130", BIP_TRY_VARIANT },
    { "830131", BIP_TRY_VARIANT },
    { "830132", BIP_TRY_VARIANT },
    { "830133", BIP_TRY_VARIANT },
    { "83023400", BIP_TRY_VARIANT },
    { "83023500", BIP_TRY_VARIANT },
    { "830136", BIP_TRY_VARIANT },
    { "83023700", BIP_TRY_VARIANT },
    { "83023800", BIP_TRY_VARIANT },
    { "83023900", BIP_REFUSED },
    { "83023A00", BIP_RETRY_LATER },
    { "83023A01", BIP_RETRY_LATER },
    { "83023A02", BIP_CLOSED },
    { "83023A03", BIP_CLOSED },
    { "83023A04", BIP_TRY_VARIANT },
    { "83023A05", BIP_REFUSED },
    { "83023A06", BIP_REFUSED },
    { "83023A07", BIP_RETRY_LATER },
    { "83023A08", BIP_RETRY_LATER },
    { "83023A09", BIP_REFUSED },
    { "83023A10", BIP_REFUSED },
    { "83023A11", BIP_REFUSED },
    { "83023A12", BIP_REFUSED },
    { "83023B00", BIP_RETRY_LATER },
    { "83023C00", BIP_RETRY_LATER },
    { "83013D", BIP_RETRY_LATER },
    { "830140", BIP_REFUSED },
    { "8301FF", BIP_REFUSED },
};

START_TEST(each_general_result_when_it_opens)
{
    enum bip_outcome want = results[_i].outcome;
    char octets[80];

    begin();
    ck_assert(bip_open(&side->channels[0], &to_example));
    fetch(OPEN_TCP);
    snprintf(octets, sizeof octets, "%s 38028100 350103 39020578", results[_i].result);
    respond(octets);
    for (int i = 0; want == BIP_TRY_VARIANT && side->opened[0] == 0; i++) {
        ck_assert_int_lt(i, 8);
        fetch(NULL);
        respond(octets);
    }
    ck_assert_int_eq(side->opened[0], 1);
    ck_assert_int_eq(side->outcome[0], want == BIP_TRY_VARIANT ? BIP_REFUSED
                                       : want == BIP_CLOSED    ? BIP_RETRY_LATER
                                                               : want);
    ck_assert_int_eq(side->channels[0].state, want == BIP_OK ? BIP_OPEN : BIP_REST);
    nothing_waits();
}
END_TEST

START_TEST(each_general_result_when_it_sends_or_receives)
{
    enum bip_outcome want = results[_i].outcome;
    bool gone = strcmp(results[_i].result, "83023A03") == 0;

    for (int receive = 0; receive < 2; receive++) {
        if (receive)
            ck_assert_int_eq(euicc_power_on(&e), 0);
        open_it();
        if (receive)
            data_available(5);
        else
            ck_assert(bip_send(&side->channels[0], rd_str("hello")));
        fetch(receive ? "D00C 8103 004200 82028121 370105"
                      : "D010 8103 004301 82028121 360568656C6C6F");
        respond(results[_i].result);
        for (int i = 1; want == BIP_RETRY_LATER && i < BIP_TRIES; i++) {
            fetch(receive ? "D00C 8103 004200 82028121 370105"
                          : "D010 8103 004301 82028121 360568656C6C6F");
            respond(results[_i].result);
        }
        if (want == BIP_OK) {
            ck_assert_int_eq(side->sent[0], !receive);
            nothing_waits();
            continue;
        }
        if (!gone) {
            ck_assert_int_eq(side->closed[0], 0);
            fetch(CLOSE_1);
            respond("830100");
        }
        is_closed(want == BIP_TRY_VARIANT ? BIP_REFUSED : want);
    }
}
END_TEST

START_TEST(each_general_result_when_it_closes)
{
    enum bip_outcome want = results[_i].outcome;

    open_it();
    ck_assert(bip_close(&side->channels[0], false));
    fetch(CLOSE_1);
    respond(results[_i].result);
    for (int i = 1; (want == BIP_RETRY_LATER || want == BIP_NO_SERVICE) && i < BIP_TRIES; i++) {
        fetch(CLOSE_1);
        respond(results[_i].result);
    }
    is_closed(BIP_OK);
}
END_TEST

START_TEST(less_and_less_is_asked_for)
{
    struct bip_parameters p = { .protocol = BIP_UDP,
                                .address = { { 192, 0, 2, 53 }, 4 },
                                .port = 53,
                                .packet_service = true,
                                .dns = true,
                                .name = "iot.example" };
    static const char *const commands[] = {
        "D030 8103 004009 82028182 B507020304 03041F02 B9020578 C70C03696F74076578616D706C65 "
        "BC03010035 BE0521C0000235",
        "D030 8103 004001 82028182 B507020304 03041F02 B9020578 C70C03696F74076578616D706C65 "
        "BC03010035 BE0521C0000235",
        "D022 8103 004001 82028182 B507020304 03041F02 B9020578 BC03010035 BE0521C0000235",
        "D01C 8103 004001 82028182 B50103 B9020578 BC03010035 BE0521C0000235",
        "D01C 8103 004001 82028182 B50103 B90202BC BC03010035 BE0521C0000235",
        "D01C 8103 004001 82028182 350103 390202BC 3C03010035 3E0521C0000235",
    };

    begin();
    e.cat.comprehension = true;
    ck_assert(bip_open(&side->channels[0], &p));
    for (size_t i = 0; i < N_ELEMS(commands); i++) {
        ck_assert_int_eq(side->opened[0], 0);
        fetch(commands[i]);
        respond(i % 2 == 0 ? "830132 350103 39020578" : "830136");
    }
    ck_assert_int_eq(side->outcome[0], BIP_REFUSED);
    ck_assert_uint_eq(side->channels[0].general, 0x36);
    nothing_waits();
}
END_TEST

START_TEST(a_smaller_buffer_is_asked_for)
{
    static const unsigned sizes[] = { 1400, 700, 350, 175 };

    begin();
    ck_assert(bip_open(&side->channels[0], &to_example));
    for (size_t i = 0; i < N_ELEMS(sizes); i++) {
        fetch(NULL);
        ck_assert_uint_eq((unsigned)(fetched.p[16] << 8 | fetched.p[17]), sizes[i]);
        respond("83023A04 350103 39020578");
    }
    ck_assert_int_eq(side->outcome[0], BIP_REFUSED);
}
END_TEST

START_TEST(a_terminal_without_the_facilities_is_not_asked)
{
    /* all but one: SET UP EVENT LIST, the events, OPEN, CLOSE, RECEIVE, SEND, channels, TCP */
    static const struct {
        size_t octet;
        uint8_t bits;
    } rows[] = { { 5, 0x01 },  { 6, 0x04 },  { 6, 0x08 },  { 12, 0x01 }, { 12, 0x02 },
                 { 12, 0x04 }, { 12, 0x08 }, { 13, 0xE0 }, { 17, 0x01 } };
    uint8_t command[5 + 36] = { 0x80, 0x10, 0, 0, 36 };
    struct rd data;

    for (size_t i = 0; i < CHANNELS; i++)
        add_channel(i);
    ck_assert(!bip_open(&side->channels[0], &to_example)); /* no TERMINAL PROFILE yet */
    memset(command + 5, 0xFF, 36);
    command[4 + rows[_i].octet] &= (uint8_t)~rows[_i].bits;
    transmit(rd_of(command, sizeof command), &data);
    if (_i > 0) {
        fetch(NULL);
        respond("830100");
    }
    ck_assert(!bip_can(&e.cat, BIP_TCP));
    ck_assert(!bip_open(&side->channels[0], &to_example));
    nothing_waits();
}
END_TEST

START_TEST(a_plain_lpa_sees_nothing)
{
    add_channel(0);
    cat_register(&e.cat, &first);
    cat_register(&e.cat, &with_item);
    cat_want_events(&e.cat, &first, cat_event_bit(CAT_EVENT_LOCATION_STATUS));
    nothing_waits();
    profile("FF 10 80"); /* REFRESH alone */
    nothing_waits();
    ck_assert(!cat_timer_start(&e.cat, &side->timers[0], 10, timer_told, NULL));
    ck_assert(!bip_open(&side->channels[0], &to_example));
    side->questions[0] =
        (struct cat_command){ .type = CAT_PROVIDE_LOCAL_INFORMATION, .qualifier = CAT_INFO_IMEI };
    ck_assert(!cat_submit(&e.cat, &side->questions[0]));
    ck_assert(!cat_poll_interval(&e.cat, &side->questions[0], 30));
    nothing_waits();
}
END_TEST

START_TEST(wrong_parameters_are_refused)
{
    struct bip_parameters p = to_example;

    begin();
    p.address.n = 5;
    ck_assert(!bip_open(&side->channels[0], &p));
    p = to_example;
    p.protocol = 3;
    ck_assert(!bip_open(&side->channels[0], &p));
    p = to_example;
    strcpy(p.name, "a..b");
    ck_assert(!bip_open(&side->channels[0], &p));
    memset(p.name, 'a', BIP_NAME_MAX);
    p.name[BIP_NAME_MAX] = '\0';
    ck_assert(!bip_open(&side->channels[0], &p));
    p.name[30] = '.';
    ck_assert(bip_open(&side->channels[0], &p));
}
END_TEST

START_TEST(a_channel_without_a_number_or_with_one_in_use_is_none)
{
    static const char *const rows[] = { "830100", "830100 3800", "830100 38028000",
                                        "830100 38028100" };

    open_it();
    ck_assert(bip_open(&side->channels[1], &to_example));
    fetch(OPEN_TCP);
    respond(rows[_i]);
    ck_assert_int_eq(side->outcome[1], BIP_REFUSED);
    ck_assert_int_eq(side->channels[0].state, BIP_OPEN);
    nothing_waits();
}
END_TEST

START_TEST(no_more_channels_than_the_terminal_has)
{
    for (size_t i = 0; i < CHANNELS; i++)
        add_channel(i);
    profile("FFFFFFFFFFFFFFFFFFFFFFFF 5F FFFFFFFFFFFFFFFFFFFF"); /* two */
    fetch(EVENT_LIST_BIP);
    respond("830100");
    ck_assert(bip_open(&side->channels[0], &to_example));
    ck_assert(bip_open(&side->channels[1], &to_example));
    ck_assert(!bip_open(&side->channels[2], &to_example));
}
END_TEST

/* --- SEND DATA -------------------------------------------------------------------------------- */

START_TEST(send_data_is_stored_and_flushed_at_its_end)
{
    static uint8_t octets[600];
    static const size_t slices[] = { 240, 240, 120 }, lengths[] = { 255, 255, 134 };

    e.cat.comprehension = true;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)i;
    begin();
    struct bip_parameters p = to_example;
    p.protocol = BIP_UDP;
    ck_assert(bip_open(&side->channels[0], &p));
    fetch(NULL);
    respond("830100 38028100 350103 39020578");
    ck_assert(!bip_send(&side->channels[0], rd_of(octets, 0)));
    ck_assert(
        !bip_send(&side->channels[0], rd_of(octets, 1401))); /* a datagram beyond the buffer */
    ck_assert(bip_send(&side->channels[0], rd_of(octets, sizeof octets)));
    ck_assert(!bip_send(&side->channels[0], rd_of(octets, 1)));
    for (size_t i = 0, at = 0; i < N_ELEMS(slices); at += slices[i++]) {
        ck_assert_int_eq(side->sent[0], 0);
        fetch(NULL);
        ck_assert_uint_eq(details[1], CAT_SEND_DATA);
        ck_assert_uint_eq(details[2], i == 2);
        ck_assert_uint_eq(fetched.n, lengths[i]);
        ck_assert_mem_eq(fetched.p + fetched.n - slices[i], octets + at, slices[i]);
        respond("830100 3701FF");
    }
    ck_assert_int_eq(side->sent[0], 1);
    nothing_waits();
    ck_assert(bip_send(&side->channels[0], rd_str("hello")));
    fetch("D010 8103 004301 82028121 B60568656C6C6F");
}
END_TEST

START_TEST(a_stream_is_flushed_when_the_buffer_is_full)
{
    static uint8_t octets[700];
    static const struct {
        size_t n;
        unsigned flush;
    } slices[] = { { 240, 0 }, { 60, 1 }, { 240, 0 }, { 60, 1 }, { 100, 1 } };

    begin();
    ck_assert(bip_open(&side->channels[0], &to_example));
    fetch(NULL);
    respond("830107 38028100 350103 3902012C"); /* 300 */
    ck_assert(bip_send(&side->channels[0], rd_of(octets, sizeof octets)));
    for (size_t i = 0; i < N_ELEMS(slices); i++) {
        fetch(NULL);
        ck_assert_uint_eq(details[2], slices[i].flush);
        ck_assert_uint_eq(fetched.n, slices[i].n + (slices[i].n > 127 ? 15 : 13));
        respond("830100 3701FF");
    }
    ck_assert_int_eq(side->sent[0], 1);
}
END_TEST

START_TEST(free_room_that_the_terminal_tells_of_is_kept_to)
{
    static uint8_t octets[300];

    open_it();
    ck_assert(bip_send(&side->channels[0], rd_of(octets, sizeof octets)));
    fetch(NULL);
    ck_assert_uint_eq(details[2], 0);
    respond("830100 37010A");
    fetch("D015 8103 004301 82028121 360A00000000000000000000");
    respond("830100 370100");
    fetch(NULL);
    ck_assert_uint_eq(fetched.n, 50 + 13);
}
END_TEST

/* --- RECEIVE DATA ----------------------------------------------------------------------------- */

START_TEST(data_are_received_until_none_remain)
{
    char octets[700] = "830100 3681ED";

    e.cat.comprehension = true;
    begin();
    ck_assert(bip_open(&side->channels[0], &to_example));
    fetch(NULL);
    respond("830100 38028100 350103 39020578");
    for (size_t i = 0; i < 237; i++)
        strcat(octets, "5A");
    strcat(octets, "3701FF");
    data_available(0xFF);
    fetch("D00C 8103 004200 82028121 B701ED");
    ck_assert_uint_eq(terminal_response(octets).n, 5 + 255); /* it just fits */
    respond(octets);
    ck_assert_uint_eq(side->n_received[0], 237);
    ck_assert_uint_eq(side->remaining, 0xFF);
    fetch("D00C 8103 004200 82028121 B701ED");
    respond("830100 3602AABB 370109");
    fetch("D00C 8103 004200 82028121 B70109");
    respond("830102 3609 160303 00040E000000 370100"); /* it had less than was asked for */
    ck_assert_uint_eq(side->n_received[0], 237 + 2 + 9);
    ck_assert_uint_eq(side->remaining, 0);
    nothing_waits();
}
END_TEST

START_TEST(an_event_that_comes_in_between_is_not_lost)
{
    open_it();
    data_available(2);
    fetch("D00C 8103 004200 82028121 370102");
    data_available(3);
    respond("830100 3602AABB 370100");
    fetch("D00C 8103 004200 82028121 370103");
    respond("830100 3603CCDDEE 370100");
    nothing_waits();
    ck_assert_mem_eq(side->received[0], "\xAA\xBB\xCC\xDD\xEE", 5);
    ck_assert(bip_send(&side->channels[0], rd_str("hello")));
    fetch("D010 8103 004301 82028121 360568656C6C6F");
    data_available(1);
    nothing_waits(); /* one at a time */
    respond("830100 3701FF");
    fetch("D00C 8103 004200 82028121 370101");
    respond("830100 3601AA");
    nothing_waits();
}
END_TEST

START_TEST(a_terminal_that_promises_and_gives_nothing_is_not_asked_for_ever)
{
    open_it();
    for (int round = 0; round < 2; round++) {
        data_available(9);
        for (int i = 0; i < BIP_TRIES; i++) {
            fetch(NULL);
            respond("830102 3600 370109");
        }
        nothing_waits();
    }
    ck_assert_int_eq(side->channels[0].state, BIP_OPEN);
}
END_TEST

START_TEST(receiving_comes_before_sending_and_closing_before_both)
{
    begin();
    for (size_t i = 0; i < CHANNELS; i++) {
        char octets[60];
        ck_assert(bip_open(&side->channels[i], &to_example));
        fetch(NULL);
        snprintf(octets, sizeof octets, "830100 38028%zu00 350103 39020578", i + 1);
        respond(octets);
    }
    ck_assert(cat_timer_start(&e.cat, &side->timers[0], 90, timer_told, NULL));
    ck_assert(bip_send(&side->channels[1], rd_str("x")));
    ck_assert(bip_close(&side->channels[2], false));
    data_available(1); /* announces CLOSE; RECEIVE is behind it */
    fetch("D009 8103 004100 82028123");
    respond("830100");
    fetch("D00C 8103 004200 82028121 370101");
    respond("830100 3601AA 370100");
    fetch("D00C 8103 004301 82028122 360178");
    respond("830100 3701FF");
    fetch("D011 8103 002700 82028182 240101 2503001003");
    respond("830100 240101");
    nothing_waits();
}
END_TEST

/* --- closing ---------------------------------------------------------------------------------- */

START_TEST(a_link_that_drops_is_drained_and_closed)
{
    open_it();
    data_available(0xFF);
    fetch(NULL);
    link_dropped();
    respond("830100 3602AABB 370101");
    ck_assert(!bip_send(&side->channels[0], rd_str("x")));
    fetch("D00C 8103 004200 82028121 370101");
    respond("830100 3601CC 370100");
    ck_assert_uint_eq(side->n_received[0], 3);
    fetch(CLOSE_1);
    respond("83023A02");
    is_closed(BIP_CLOSED);
}
END_TEST

START_TEST(a_link_that_drops_ends_what_is_sent)
{
    open_it();
    ck_assert(bip_send(&side->channels[0], rd_str("x")));
    if (_i == 0) {
        link_dropped();
    } else {
        fetch(NULL);
        link_dropped();
        respond("83023A02");
    }
    fetch(CLOSE_1);
    respond("830100");
    is_closed(BIP_CLOSED);
    ck_assert_int_eq(side->sent[0], 0);
}
END_TEST

START_TEST(close_keeps_the_connection_where_the_terminal_can)
{
    open_it();
    ck_assert(bip_close(&side->channels[0], true));
    fetch("D009 8103 004101 82028121");
    respond("830132");
    fetch(CLOSE_1);
    respond("830100");
    is_closed(BIP_OK);
    ck_assert(!bip_close(&side->channels[0], true));
    ck_assert(bip_open(&side->channels[0], &to_example));
}
END_TEST

/* 0: queued, 1: announced, 2: fetched and it opens, 3: fetched and it does not. */
START_TEST(closed_while_it_opens)
{
    struct bip *b = &side->channels[0];

    begin();
    ck_assert(bip_open(b, &to_example));
    if (_i == 1)
        poll_it();
    if (_i >= 2)
        fetch(OPEN_TCP);
    ck_assert_int_eq(bip_close(b, false), _i != 0);
    if (_i == 1)
        fetch(OPEN_TCP);
    if (_i == 1 || _i == 2) {
        respond("830100 38028100 350103 39020578");
        fetch(CLOSE_1);
        respond("830100");
    } else if (_i == 3) {
        respond("83022004");
    }
    if (_i != 0)
        is_closed(BIP_OK);
    ck_assert_int_eq(b->state, BIP_REST);
    ck_assert_int_eq(side->opened[0], 0);
    nothing_waits();
}
END_TEST

START_TEST(closed_by_the_callback_that_says_it_is_open)
{
    begin();
    side->close_when_opened = true;
    ck_assert(bip_open(&side->channels[0], &to_example));
    fetch(OPEN_TCP);
    respond("830100 38028100 350103 39020578");
    fetch(CLOSE_1);
    respond("830100");
    is_closed(BIP_OK);
}
END_TEST

START_TEST(closed_while_something_is_on_its_way)
{
    static const char *const rows[] = { "830100 3602AABB 3701FF", "83022000", "83023A03",
                                        "830132" };

    open_it();
    data_available(2);
    fetch(NULL);
    ck_assert(bip_close(&side->channels[0], false));
    respond(rows[_i]);
    if (_i != 2) {
        fetch(CLOSE_1);
        respond("830100");
    }
    is_closed(BIP_OK);
    ck_assert_uint_eq(side->n_received[0], 0);
}
END_TEST

START_TEST(the_terminal_is_asked_whether_it_is_open)
{
    static const char *const rows[] = { "830100 38028100", "830100 38020105", "830100 38020000",
                                        "830130" };

    open_it();
    ck_assert(bip_check(&side->channels[0]));
    fetch("D009 8103 004400 82028182");
    respond(rows[_i]);
    if (_i == 1) {
        fetch(CLOSE_1);
        respond("830100");
    }
    if (_i == 1 || _i == 2)
        is_closed(BIP_CLOSED);
    else
        ck_assert_int_eq(side->channels[0].state, BIP_OPEN);
    nothing_waits();
}
END_TEST

/* --- what is lost ----------------------------------------------------------------------------- */

static void be_silent(void)
{
    for (int i = 0; i < CAT_PATIENCE; i++)
        nothing_waits();
    ck_assert_uint_eq(poll_it() >> 8, 0x91);
}

START_TEST(a_lost_terminal_response_to_open_leaves_no_channel_behind)
{
    open_it();
    ck_assert(bip_open(&side->channels[1], &to_example));
    fetch(OPEN_TCP);
    be_silent();
    fetch("D009 8103 004400 82028182");
    respond(_i == 0 ? "830100 38028100 38028200" : "830100 38028100");
    if (_i == 0) {
        fetch("D009 8103 004100 82028122");
        respond("830100");
    }
    nothing_waits();
    ck_assert_int_eq(side->opened[1], 1);
    ck_assert_int_eq(side->outcome[1], BIP_RETRY_LATER);
    ck_assert_int_eq(side->channels[0].state, BIP_OPEN);
}
END_TEST

START_TEST(a_lost_terminal_response_ends_the_stream)
{
    open_it();
    if (_i == 0)
        ck_assert(bip_send(&side->channels[0], rd_str("x")));
    else
        data_available(2);
    fetch(NULL);
    be_silent();
    fetch(CLOSE_1);
    respond("830100");
    is_closed(BIP_RETRY_LATER);
}
END_TEST

START_TEST(a_repeated_fetch_gets_the_same)
{
    uint8_t before[300];
    struct rd again;

    open_it();
    ck_assert(bip_send(&side->channels[0], rd_str("hello")));
    fetch(NULL);
    size_t n = fetched.n;
    memcpy(before, fetched.p, n);
    data_available(4);
    for (int i = 0; i < 2 * CAT_PATIENCE; i++) {
        ck_assert_uint_eq(transmit(rd_of("\x80\x12\0\0\0", 5), &again), SW_OK);
        ck_assert(rd_equal(again, rd_of(before, n)));
    }
    respond("830100 3701FF");
    ck_assert_int_eq(side->sent[0], 1);
}
END_TEST

START_TEST(a_reset_in_any_state_forgets_it)
{
    struct bip *b = &side->channels[0];

    if (_i <= 2)
        begin();
    else
        open_it();
    if (_i <= 2)
        ck_assert(bip_open(b, &to_example));
    if (_i == 3)
        ck_assert(bip_send(b, rd_str("x")));
    if (_i == 4)
        data_available(7);
    if (_i == 5)
        ck_assert(bip_close(b, false));
    if (_i == 6)
        ck_assert(cat_timer_start(&e.cat, &side->timers[0], 10, timer_told, NULL));
    if (_i == 1)
        poll_it();
    if (_i >= 2)
        fetch(NULL);
    ck_assert_int_eq(euicc_power_on(&e), 0);
    nothing_waits();
    ck_assert_uint_eq(ask("8012000000"), SW_CONDITIONS_OF_USE);
    open_it();
}
END_TEST

/* --- hostile answers -------------------------------------------------------------------------- */

static const char *const long_response =
    "830107 38028100 35070203040304 1F02 39020578 3E05210A000001 400521C0000235 "
    "3603AABBCC 370109";

/* To a command of each kind. */
static void come_to(int which)
{
    ck_assert_int_eq(euicc_power_on(&e), 0);
    if (which == 0)
        begin();
    else
        open_it();
    if (which == 0)
        ck_assert(bip_open(&side->channels[0], &to_example));
    if (which == 1)
        ck_assert(bip_send(&side->channels[0], rd_str("hello")));
    if (which == 2)
        data_available(3);
    if (which == 3)
        ck_assert(bip_close(&side->channels[0], false));
    if (which == 4)
        ck_assert(bip_check(&side->channels[0]));
    if (which == 5)
        ck_assert(cat_timer_start(&e.cat, &side->timers[0], 10, timer_told, NULL));
    fetch(NULL);
}

/* Whatever it was, the card goes on: it asks for finitely much more. */
static void survives(void)
{
    for (int i = 0; i < 20; i++) {
        uint8_t command[] = { 0x80, 0x12, 0, 0, 0 };
        struct rd data;
        unsigned sw = poll_it();
        if (sw >> 8 != 0x91 && !e.cat.fetched)
            return;
        ck_assert_uint_eq(transmit(rd_of(command, sizeof command), &fetched), SW_OK);
        memcpy(details, fetched.p + (fetched.p[1] == 0x81 ? 5 : 4), sizeof details);
        ck_assert_uint_ne(transmit(terminal_response("83023A03"), &data) >> 8, 0x6F);
    }
    ck_abort_msg("it asks for ever");
}

START_TEST(terminal_responses_cut_short_at_every_length)
{
    for (size_t n = 0;; n++) {
        come_to(_i);
        uint8_t octets[300];
        struct rd data, whole = terminal_response(long_response);
        memcpy(octets, whole.p, whole.n);
        if (n > whole.n - 5)
            break;
        octets[4] = (uint8_t)n;
        unsigned sw = transmit(rd_of(octets, n == 0 ? 4 : 5 + n), &data);
        ck_assert_msg(sw == 0x6700 || sw == 0x6A80 || sw == 0x9000 || sw >> 8 == 0x91, "%04X", sw);
        survives();
    }
}
END_TEST

START_TEST(terminal_responses_with_every_octet_flipped)
{
    static const uint8_t masks[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF };

    for (size_t at = 5;; at++) {
        size_t n = terminal_response(long_response).n;
        if (at == n)
            break;
        for (size_t m = 0; m < N_ELEMS(masks); m++) {
            come_to(_i);
            uint8_t octets[300];
            struct rd data;
            memcpy(octets, terminal_response(long_response).p, n);
            octets[at] ^= masks[m];
            unsigned sw = transmit(rd_of(octets, n), &data);
            ck_assert_msg(sw == 0x6A80 || sw == 0x9000 || sw >> 8 == 0x91, "%04X", sw);
            survives();
        }
    }
}
END_TEST

START_TEST(events_cut_short_or_of_other_channels)
{
    static const struct {
        const char *command;
        unsigned sw;
    } rows[] = {
        { "80C2000002 D600", 0x6A80 },
        { "80C2000009 D607 990109 82028281", 0x6A80 },
        { "80C200000B D609 990109 82028281 B800", 0x6A80 },
        { "80C200000C D60A 99020909 82028281 B800", 0x6A80 },
        { "80C2000009 D607 990120 82028281", 0x6A80 },
        { "80C2000009 D607 9901FF 82028281", 0x6A80 },
        { "80C2000010 D60E 990109 82028281 B8028000 B701ED", 0x9000 },
        { "80C2000010 D60E 990109 82028281 B8028700 B701ED", 0x9000 },
        { "80C2000009 D607 990104 82028281", 0x6985 },
        { "80C2000001 D6", 0x6985 },
        { "80C2000004 D6FF9900", 0x6985 },
        { "80C2000009 D707 82028281 240101", 0x9000 },
        { "80C2000009 D707 82028281 240100", 0x9000 },
        { "80C2000009 D707 82028281 240109", 0x9000 },
        { "80C2000006 D704 82028281", 0x6A80 },
        { "80C2000009 D307 82020181 900101", 0x6985 },
    };

    open_it();
    ck_assert_uint_eq(ask(rows[_i].command), rows[_i].sw);
    nothing_waits();
}
END_TEST

/* --- events ----------------------------------------------------------------------------------- */

START_TEST(the_wishes_of_all_owners_are_one_list)
{
    const uint32_t location = cat_event_bit(CAT_EVENT_LOCATION_STATUS),
                   technology = cat_event_bit(CAT_EVENT_ACCESS_TECHNOLOGY);

    add_channel(0);
    ck_assert(cat_register(&e.cat, &first) && cat_register(&e.cat, &second) &&
              cat_register(&e.cat, &first));
    cat_want_events(&e.cat, &first, location);
    cat_want_events(&e.cat, &second, location | technology);
    profile(CAN_ALL);
    ck_assert_int_eq(side->profiles, 1);
    fetch("D00F 8103 000500 82028182 9904 03090A0B");
    respond("830100");
    nothing_waits();
    cat_want_events(&e.cat, &first, 0); /* the second wants it still */
    nothing_waits();
    ck_assert_uint_eq(ask("80C2000017 D615 990103 82028281 9B0100 930900F110123401A2B3CF"), SW_OK);
    ck_assert_uint_eq(side->n_events[0], 0);
    ck_assert_uint_eq(side->n_events[1], 1);
    cat_want_events(&e.cat, &first, location);
    ck_assert_uint_eq(ask("80C200000C D60A 990103 82028281 9B0102"), SW_OK);
    ck_assert_uint_eq(side->n_events[0], 1);
    ck_assert_uint_eq(side->n_events[1], 2);
    cat_want_events(&e.cat, &second, 0);
    fetch("D00E 8103 000500 82028182 9903 03090A");
    cat_want_events(&e.cat, &first, 0); /* while the terminal has the last one */
    respond("830100");
    fetch(EVENT_LIST_BIP);
    cat_want_events(&e.cat, &second, technology);
    cat_want_events(&e.cat, &second, 0); /* and back again */
    respond("830100");
    nothing_waits();
    profile(CAN_ALL); /* whatever the terminal knew */
    fetch(EVENT_LIST_BIP);
}
END_TEST

START_TEST(no_list_at_all_is_empty)
{
    cat_register(&e.cat, &first);
    profile(CAN_ALL);
    nothing_waits();
    cat_want_events(&e.cat, &first, cat_event_bit(CAT_EVENT_NETWORK_REJECTION));
    cat_want_events(&e.cat, &first, 0);
    nothing_waits();
    cat_want_events(&e.cat, &first, cat_event_bit(CAT_EVENT_NETWORK_REJECTION));
    fetch("D00C 8103 000500 82028182 9901 12");
    respond("830100");
    cat_want_events(&e.cat, &first, 0);
    fetch("D00B 8103 000500 82028182 9900");
    respond("830100");
    nothing_waits();
}
END_TEST

START_TEST(only_events_that_the_terminal_knows_are_asked_for)
{
    cat_register(&e.cat, &first);
    cat_want_events(&e.cat, &first, UINT32_MAX);
    profile("0000000001 04"); /* SET UP EVENT LIST, data available */
    fetch("D00C 8103 000500 82028182 9901 09");
}
END_TEST

START_TEST(a_refused_event_list_is_repeated_while_the_terminal_is_busy)
{
    cat_register(&e.cat, &first);
    cat_want_events(&e.cat, &first, cat_event_bit(CAT_EVENT_LOCATION_STATUS));
    profile(CAN_ALL);
    for (int i = 0; i < 3; i++) {
        fetch("D00C 8103 000500 82028182 9901 03");
        respond("83022001");
    }
    nothing_waits();
    profile(CAN_ALL);
    fetch("D00C 8103 000500 82028182 9901 03");
    respond("830132");
    nothing_waits();
    cat_want_events(&e.cat, &first, cat_event_bit(CAT_EVENT_ACCESS_TECHNOLOGY));
    fetch("D00C 8103 000500 82028182 9901 0B");
}
END_TEST

START_TEST(an_owner_that_cannot_take_an_event_says_so)
{
    cat_register(&e.cat, &first);
    cat_want_events(&e.cat, &first, cat_event_bit(CAT_EVENT_LOCATION_STATUS));
    profile(CAN_ALL);
    fetch(NULL);
    ck_assert_uint_eq(ask("80C200000C D60A 990103 82028281 9B0102"), SW_OK); /* busy is no reason */
    side->event_result = SW_TOOLKIT_BUSY;
    ck_assert_uint_eq(ask("80C200000C D60A 990103 82028281 9B0102"), 0x9300);
    side->event_result = ERR_NVM;
    ck_assert_uint_eq(ask("80C200000C D60A 990103 82028281 9B0102"), 0x6581);
}
END_TEST

START_TEST(owners_are_bounded)
{
    static const struct cat_owner more[CAT_OWNER_MAX + 1];

    for (size_t i = 0; i < CAT_OWNER_MAX; i++)
        ck_assert(cat_register(&e.cat, &more[i]));
    ck_assert(!cat_register(&e.cat, &more[CAT_OWNER_MAX]));
    ck_assert(!bip_init(&e, &side->channels[0], &user, NULL));
}
END_TEST

START_TEST(the_menu_has_every_owners_item)
{
    cat_register(&e.cat, &first);
    cat_register(&e.cat, &with_item);
    profile(CAN_ALL);
    fetch("D022 8103 002500 82028182 8505 6555494343 8F10 02 47657420 65494D20 7061636B616765");
    respond("830100");
    ck_assert_uint_eq(ask("80C2000009 D307 82020181 900102"), SW_OK);
    ck_assert_int_eq(side->selections, 1);
    ck_assert_uint_eq(ask("80C2000009 D307 82020181 900101"), 0x6985);
    ck_assert_uint_eq(ask("80C2000009 D307 82020181 900103"), 0x6985);
    ck_assert_uint_eq(ask("80C2000009 D307 82020181 900100"), 0x6985);
    ck_assert_uint_eq(ask("80C2000006 D304 82020181"), 0x6A80);
    ck_assert_int_eq(side->selections, 1);
}
END_TEST

/* --- timers ----------------------------------------------------------------------------------- */

static bool start_timer(size_t i, uint32_t seconds)
{
    return cat_timer_start(&e.cat, &side->timers[i], seconds, timer_told, NULL);
}

static void expire(unsigned id)
{
    char command[80];

    snprintf(command, sizeof command, "80C200000E D70C 82028281 A401%02X A503001003", id);
    unsigned sw = ask(command);
    ck_assert(sw == SW_OK || sw >> 8 == 0x91);
}

static void timer_runs(size_t i, uint32_t seconds)
{
    ck_assert(start_timer(i, seconds));
    fetch(NULL);
    respond("830100 A40101");
}

START_TEST(timers_start_stop_and_expire)
{
    e.cat.comprehension = true;
    profile(CAN_ALL);
    ck_assert(start_timer(0, 90));
    fetch("D011 8103 002700 82028182 A40101 A503001003");
    respond("830100 A40101");
    nothing_waits();
    expire(1);
    ck_assert_int_eq(side->timers_expired, 1);
    expire(1); /* nobody waits */
    ck_assert_int_eq(side->timers_expired, 1);
    ck_assert(start_timer(0, 24 * 60 * 60));
    fetch("D011 8103 002700 82028182 A40101 A503420000");
    respond("830100 A40101");
    ck_assert(start_timer(0, 12 * 3600 + 34 * 60 + 56)); /* again */
    fetch("D011 8103 002700 82028182 A40101 A503214365");
    respond("830100 A40101");
    cat_timer_stop(&e.cat, &side->timers[0]);
    cat_timer_stop(&e.cat, &side->timers[0]);
    fetch("D00C 8103 002701 82028182 A40101");
    respond(_i == 0 ? "830100 A40101 A503000074" : "830124 A40101"); /* not running says it too */
    nothing_waits();
    ck_assert_uint_eq(side->timers[0].id, 0);
    ck_assert(!start_timer(0, 0));
    ck_assert(!start_timer(0, 24 * 60 * 60 + 1));
    ck_assert_int_eq(side->timers_failed, 0);
    ck_assert_int_eq(side->timers_expired, 1);
}
END_TEST

START_TEST(eight_timers_are_shared)
{
    profile(CAN_ALL);
    for (size_t i = 0; i < CAT_TIMER_MAX; i++)
        timer_runs(i, 10);
    ck_assert(!start_timer(CAT_TIMER_MAX, 10));
    expire(3);
    ck_assert(start_timer(CAT_TIMER_MAX, 10));
    fetch("D011 8103 002700 82028182 240103 2503000001");
    expire(8);
    ck_assert_uint_eq(side->timers[7].id, 0);
    ck_assert_uint_ne(side->timers[6].id, 0);
}
END_TEST

START_TEST(a_timer_that_does_not_start_is_told)
{
    profile(CAN_ALL);
    ck_assert(start_timer(0, 10));
    fetch(NULL);
    respond(_i == 0 ? "83022000" : "830124");
    ck_assert_int_eq(side->timers_failed, 1);
    ck_assert_uint_eq(side->timers[0].id, 0);
    ck_assert(start_timer(1, 10));
    ck_assert_uint_eq(side->timers[1].id, 1);
}
END_TEST

START_TEST(a_change_of_mind_before_the_terminal_knows)
{
    struct cat_timer *t = &side->timers[0];

    profile(CAN_ALL);
    ck_assert(start_timer(0, 10));
    cat_timer_stop(&e.cat, t);
    nothing_waits();
    ck_assert_uint_eq(t->id, 0);
    ck_assert(start_timer(0, 10));
    ck_assert(start_timer(0, 20));
    fetch("D011 8103 002700 82028182 240101 2503000002");
    ck_assert(start_timer(0, 30));
    respond("830100 240101");
    fetch("D011 8103 002700 82028182 240101 2503000003");
    cat_timer_stop(&e.cat, t);
    respond("830100 240101");
    fetch("D00C 8103 002701 82028182 240101");
    ck_assert(start_timer(0, 40));
    respond("830100 240101 2503000000");
    fetch("D011 8103 002700 82028182 240101 2503000004");
    respond("830100 240101");
    ck_assert(t->running);
    nothing_waits();
}
END_TEST

/* Of several that are to be stopped, one a start. */
START_TEST(a_start_takes_over_a_timer_that_is_to_be_stopped)
{
    profile(CAN_ALL);
    timer_runs(0, 10);
    timer_runs(1, 10);
    cat_timer_stop(&e.cat, &side->timers[0]);
    cat_timer_stop(&e.cat, &side->timers[1]);
    ck_assert(start_timer(2, 20));
    ck_assert_uint_eq(side->timers[0].id, 0);
    ck_assert_uint_eq(side->timers[2].id, 1);
    fetch("D00C 8103 002701 82028182 240102");
    if (_i == 0) {
        respond("830100 240102 2503000000");
        fetch("D011 8103 002700 82028182 240101 2503000002");
        respond("830100 240101");
        nothing_waits();
        expire(1);
        ck_assert_int_eq(side->timers_expired, 1);
    } else if (_i == 1) { /* the run of before crosses with it */
        expire(1);
        respond("830100 240102");
        fetch("D011 8103 002700 82028182 240101 2503000002");
        respond("830100 240101");
        ck_assert_int_eq(side->timers_expired, 0);
        ck_assert(side->timers[2].running);
    } else { /* not wanted either */
        cat_timer_stop(&e.cat, &side->timers[2]);
        respond("830100 240102");
        fetch("D00C 8103 002701 82028182 240101");
        respond("830100 240101");
        ck_assert_uint_eq(side->timers[2].id, 0);
        nothing_waits();
    }
    ck_assert_int_eq(side->timers_failed, 0);
}
END_TEST

/* What the terminal has been told already is stopped by itself. */
START_TEST(a_stop_on_its_way_is_not_taken_over)
{
    profile(CAN_ALL);
    timer_runs(0, 10);
    cat_timer_stop(&e.cat, &side->timers[0]);
    fetch("D00C 8103 002701 82028182 240101");
    ck_assert(start_timer(1, 20));
    ck_assert_uint_eq(side->timers[1].id, 2);
    respond("830100 240101");
    fetch("D011 8103 002700 82028182 240102 2503000002");
    respond("830100 240102");
    nothing_waits();
}
END_TEST

START_TEST(expirations_that_cross_with_commands)
{
    struct cat_timer *t = &side->timers[0];

    profile(CAN_ALL);
    timer_runs(0, 10);
    cat_timer_stop(&e.cat, t); /* queued: nothing is left to stop */
    expire(1);
    ck_assert_int_eq(side->timers_expired, 0);
    ck_assert_uint_eq(t->id, 0);
    nothing_waits();
    timer_runs(0, 10);
    cat_timer_stop(&e.cat, t);
    fetch(NULL);
    expire(1);
    respond("830124 240101");
    ck_assert_int_eq(side->timers_expired, 0);
    ck_assert_uint_eq(t->id, 0);
    ck_assert(start_timer(0, 1)); /* over before the terminal says that it runs */
    fetch(NULL);
    expire(1);
    ck_assert_int_eq(side->timers_expired, 0);
    respond("830100 240101");
    ck_assert_int_eq(side->timers_expired, 1);
    ck_assert_uint_eq(t->id, 0);
    timer_runs(0, 10);
    ck_assert(start_timer(0, 20)); /* the run of before is void */
    expire(1);
    ck_assert_int_eq(side->timers_expired, 1);
    fetch(NULL);
    respond("830100 240101");
    ck_assert(t->running);
    expire(1);
    ck_assert_int_eq(side->timers_expired, 2);
}
END_TEST

START_TEST(a_lost_answer_to_a_timer_is_a_failure)
{
    profile(CAN_ALL);
    ck_assert(start_timer(0, 10));
    fetch(NULL);
    for (int i = 0; i <= CAT_PATIENCE; i++)
        nothing_waits();
    ck_assert_int_eq(side->timers_failed, 1);
}
END_TEST

/* --- questions -------------------------------------------------------------------------------- */

static void question(enum cat_info which, const char *command, const char *answer)
{
    side->questions[0] = (struct cat_command){ .type = CAT_PROVIDE_LOCAL_INFORMATION,
                                               .qualifier = (uint8_t)which,
                                               .ended = question_ended };
    ck_assert(cat_submit(&e.cat, &side->questions[0]));
    ck_assert(!cat_submit(&e.cat, &side->questions[0]));
    fetch(command);
    respond(answer);
    ck_assert_int_eq(side->n_ended, 1);
    side->n_ended = 0;
}

START_TEST(local_information)
{
    struct cat_location location;
    char imei[CAT_IMEI_DIGITS + 1];
    uint8_t technology;
    int64_t seconds;

    profile(CAN_ALL);
    question(CAT_INFO_IMEI, "D009 8103 002601 82028182", "830100 94084A09512430325781");
    ck_assert(side->ended.done && cat_get_imei(side->ended.tlvs, imei));
    ck_assert_str_eq(imei, "490154203237518");
    question(CAT_INFO_LOCATION, "D009 8103 002600 82028182", "830100 930900F110123401A2B3CF");
    ck_assert(cat_get_location(side->ended.tlvs, &location));
    ck_assert_uint_eq(location.area, 0x1234);
    ck_assert_uint_eq(location.cell, 0x01A2B3CF);
    ck_assert_mem_eq(location.plmn, "\x00\xF1\x10", 3);
    question(CAT_INFO_DATE_TIME, "D009 8103 002603 82028182", "830100 A60762110202927240");
    ck_assert(cat_get_date_time(side->ended.tlvs, &seconds));
    ck_assert_int_eq(seconds, 1795202967); /* 2026-11-20 19:29:27 UTC */
    question(CAT_INFO_ACCESS_TECHNOLOGY, "D009 8103 002606 82028182", "830100 3F0108");
    ck_assert(cat_get_access_technology(side->ended.tlvs, &technology));
    ck_assert_uint_eq(technology, 8);
    question(CAT_INFO_LOCATION, "D009 8103 002600 82028182", "83022004");
    ck_assert(!side->ended.done);
    ck_assert_uint_eq(side->ended.general, CAT_TERMINAL_BUSY);
    ck_assert(!cat_get_location(side->ended.tlvs, &location));
}
END_TEST

START_TEST(dates_and_times)
{
    static const struct {
        const char *octets;
        bool right;
        int64_t seconds;
    } rows[] = {
        { "A607 00101000000000", true, 946684800 },         /* 2000-01-01 */
        { "A607 00209232959500", true, 951868799 },         /* 2000-02-29 23:59:59 */
        { "A607 00301000000000", true, 951868800 },         /* 2000-03-01 */
        { "A607 42209200000000", true, 1709164800 },        /* 2024-02-29 */
        { "A607 62110202927248", true, 1795202967 + 7200 }, /* an hour west */
        { "A607 621102029272FF", true, 1795202967 + 3600 }, /* zone unknown */
        { "A607 62310202927240", false, 0 },                /* month 13 */
        { "A607 62002000000000", false, 0 },
        { "A607 62110042000000", false, 0 }, /* hour 24 */
        { "A607 6A110202927240", false, 0 },
        { "A606 621102029272", false, 0 },
        { "A600", false, 0 },
        { "3F0108", false, 0 },
    };
    struct rd octets = exact_copy(rows[_i].octets);
    int64_t seconds = -1;

    ck_assert_int_eq(cat_get_date_time(octets, &seconds), rows[_i].right);
    if (rows[_i].right)
        ck_assert_int_eq(seconds, rows[_i].seconds);
    exact_free(&octets);
}
END_TEST

START_TEST(answers_that_are_none)
{
    static const char *const rows[] = {
        "94074A095124303257",
        "94084B09512430325781",
        "94084A09512430325F81",
        "9400",
        "930800F110123401A2B3",
        "9300",
        "9B0103",
        "9B00",
        "84020300",
        "84020100",
        "84010A",
        "3F00",
        "BF",
        "",
    };
    struct rd octets = exact_copy(rows[_i]);
    struct cat_location location;
    char imei[CAT_IMEI_DIGITS + 1];
    enum cat_service service;
    uint8_t technology;
    uint32_t seconds;

    ck_assert(!cat_get_imei(octets, imei));
    ck_assert(!cat_get_location(octets, &location));
    ck_assert(!cat_get_location_status(octets, &service));
    ck_assert(!cat_get_interval(octets, &seconds));
    ck_assert(!cat_get_access_technology(octets, &technology));
    exact_free(&octets);
}
END_TEST

START_TEST(polling)
{
    struct cat_command *q = &side->questions[0];
    uint32_t seconds;

    profile(CAN_ALL);
    *q = (struct cat_command){ .ended = question_ended };
    ck_assert(!cat_poll_interval(&e.cat, q, 0));
    ck_assert(!cat_poll_interval(&e.cat, q, CAT_POLL_SECONDS_MAX + 1));
    ck_assert(cat_poll_interval(&e.cat, q, 60));
    ck_assert(!cat_poll_interval(&e.cat, q, 60));
    fetch("D00D 8103 000300 82028182 8402013C");
    respond("830100 8402011E");
    ck_assert(cat_get_interval(side->ended.tlvs, &seconds));
    ck_assert_uint_eq(seconds, 30);
    ck_assert(cat_poll_interval(&e.cat, q, 301));
    fetch("D00D 8103 000300 82028182 84020006");
    respond("830100 84020006");
    ck_assert(cat_get_interval(side->ended.tlvs, &seconds));
    ck_assert_uint_eq(seconds, 360);
    *q = (struct cat_command){ .type = CAT_POLLING_OFF };
    ck_assert(cat_submit(&e.cat, q));
    fetch("D009 8103 000400 82028182");
    respond("830100");
    *q = (struct cat_command){ .type = CAT_MORE_TIME };
    ck_assert(cat_submit(&e.cat, q));
    fetch("D009 8103 000200 82028182");
    respond("830100");
    nothing_waits();
}
END_TEST

START_TEST(what_a_new_profile_forbids_ends)
{
    profile(CAN_ALL);
    for (size_t i = 0; i < 2; i++) {
        side->questions[i] = (struct cat_command){ .type = CAT_PROVIDE_LOCAL_INFORMATION,
                                                   .qualifier = CAT_INFO_IMEI,
                                                   .ended = question_ended };
        ck_assert(cat_submit(&e.cat, &side->questions[i]));
    }
    poll_it(); /* announced */
    profile("000080");
    ck_assert_int_eq(side->n_ended, 2);
    ck_assert_uint_eq(side->ended.general, CAT_BEYOND_CAPABILITY);
    nothing_waits();
}
END_TEST

START_TEST(refresh_comes_first)
{
    open_it();
    side->questions[0] = (struct cat_command){ .type = CAT_MORE_TIME };
    ck_assert(cat_submit(&e.cat, &side->questions[0]));
    ck_assert(bip_close(&side->channels[0], false));
    ck_assert(cat_queue_refresh(&e.cat, CAT_PROFILE_STATE_CHANGE, NULL));
    fetch("D009 8103 000109 82028182");
    for (int i = 0; i < CAT_PATIENCE; i++)
        nothing_waits(); /* the terminal may do much before it answers */
    respond("830100");
    fetch(CLOSE_1);
    respond("830100");
    fetch("D009 8103 000200 82028182");
}
END_TEST

int main(void)
{
    enum { RESULTS = N_ELEMS(results) };
    Suite *suite = suite_create("bip");
    TCase *cases = tcase_create("bip");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, open_channel_says_what_is_asked_for, 0, 5);
    tcase_add_test(cases, open_channel_tells_what_was_granted);
    tcase_add_loop_test(cases, a_link_in_the_background_comes_later, 0, 2);
    tcase_add_loop_test(cases, each_general_result_when_it_opens, 0, RESULTS);
    tcase_add_loop_test(cases, each_general_result_when_it_sends_or_receives, 0, RESULTS);
    tcase_add_loop_test(cases, each_general_result_when_it_closes, 0, RESULTS);
    tcase_add_test(cases, less_and_less_is_asked_for);
    tcase_add_test(cases, a_smaller_buffer_is_asked_for);
    tcase_add_loop_test(cases, a_terminal_without_the_facilities_is_not_asked, 0, 9);
    tcase_add_test(cases, a_plain_lpa_sees_nothing);
    tcase_add_test(cases, wrong_parameters_are_refused);
    tcase_add_loop_test(cases, a_channel_without_a_number_or_with_one_in_use_is_none, 0, 4);
    tcase_add_test(cases, no_more_channels_than_the_terminal_has);
    tcase_add_test(cases, send_data_is_stored_and_flushed_at_its_end);
    tcase_add_test(cases, a_stream_is_flushed_when_the_buffer_is_full);
    tcase_add_test(cases, free_room_that_the_terminal_tells_of_is_kept_to);
    tcase_add_test(cases, data_are_received_until_none_remain);
    tcase_add_test(cases, an_event_that_comes_in_between_is_not_lost);
    tcase_add_test(cases, a_terminal_that_promises_and_gives_nothing_is_not_asked_for_ever);
    tcase_add_test(cases, receiving_comes_before_sending_and_closing_before_both);
    tcase_add_test(cases, a_link_that_drops_is_drained_and_closed);
    tcase_add_loop_test(cases, a_link_that_drops_ends_what_is_sent, 0, 2);
    tcase_add_test(cases, close_keeps_the_connection_where_the_terminal_can);
    tcase_add_loop_test(cases, closed_while_it_opens, 0, 4);
    tcase_add_test(cases, closed_by_the_callback_that_says_it_is_open);
    tcase_add_loop_test(cases, closed_while_something_is_on_its_way, 0, 4);
    tcase_add_loop_test(cases, the_terminal_is_asked_whether_it_is_open, 0, 4);
    tcase_add_loop_test(cases, a_lost_terminal_response_to_open_leaves_no_channel_behind, 0, 2);
    tcase_add_loop_test(cases, a_lost_terminal_response_ends_the_stream, 0, 2);
    tcase_add_test(cases, a_repeated_fetch_gets_the_same);
    tcase_add_loop_test(cases, a_reset_in_any_state_forgets_it, 0, 7);
    tcase_add_loop_test(cases, terminal_responses_cut_short_at_every_length, 0, 6);
    tcase_add_loop_test(cases, terminal_responses_with_every_octet_flipped, 0, 6);
    tcase_add_loop_test(cases, events_cut_short_or_of_other_channels, 0, 16);
    tcase_add_test(cases, the_wishes_of_all_owners_are_one_list);
    tcase_add_test(cases, no_list_at_all_is_empty);
    tcase_add_test(cases, only_events_that_the_terminal_knows_are_asked_for);
    tcase_add_test(cases, a_refused_event_list_is_repeated_while_the_terminal_is_busy);
    tcase_add_test(cases, an_owner_that_cannot_take_an_event_says_so);
    tcase_add_test(cases, owners_are_bounded);
    tcase_add_test(cases, the_menu_has_every_owners_item);
    tcase_add_loop_test(cases, timers_start_stop_and_expire, 0, 2);
    tcase_add_test(cases, eight_timers_are_shared);
    tcase_add_loop_test(cases, a_timer_that_does_not_start_is_told, 0, 2);
    tcase_add_test(cases, a_change_of_mind_before_the_terminal_knows);
    tcase_add_loop_test(cases, a_start_takes_over_a_timer_that_is_to_be_stopped, 0, 3);
    tcase_add_test(cases, a_stop_on_its_way_is_not_taken_over);
    tcase_add_test(cases, expirations_that_cross_with_commands);
    tcase_add_test(cases, a_lost_answer_to_a_timer_is_a_failure);
    tcase_add_test(cases, local_information);
    tcase_add_loop_test(cases, dates_and_times, 0, 13);
    tcase_add_loop_test(cases, answers_that_are_none, 0, 14);
    tcase_add_test(cases, polling);
    tcase_add_test(cases, what_a_new_profile_forbids_ends);
    tcase_add_test(cases, refresh_comes_first);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
