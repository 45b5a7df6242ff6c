/* test_terminal.c - the terminal against a scripted card and real sockets: octets as TS 102 223
 * has them, every fault, time that the test moves. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "lab/terminal.h"
#include "lab/terminal_capture.h"
#include "lab/terminal_ctlv.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum {
    TEXT = 1024,
    LINES = 64,
    PATIENCE_MS = 10000,
};

/* A card that asks what the test tells it to, and remembers what it was told. */
struct bench {
    struct event_base *base;
    struct terminal *t;
    struct terminal_config config;
    struct address_map map;
    struct terminal_clock clock;

    uint8_t command[300]; /* due, or fetched */
    size_t n_command;
    bool fetched, always;
    unsigned busy; /* this many envelopes are answered with 9300 */
    uint16_t envelope_sw;
    bool capable;
    char response[TEXT];         /* the last TERMINAL RESPONSE */
    char envelopes[LINES][TEXT]; /* all that came */
    size_t n_envelopes, n_responses, n_resets, n_status, n_apdus, n_notes;
    char apdus[LINES][TEXT];
    unsigned rests;
    uint64_t carried[2];
};

static uint16_t ending(const struct bench *b)
{
    return (uint16_t)(b->n_command > 0 && !b->fetched ? 0x9100 | (b->n_command & 0xFF) : 0x9000);
}

static uint16_t take_envelope(struct bench *b, const char *text)
{
    snprintf(b->envelopes[b->n_envelopes++ % LINES], TEXT, "%s", text);
    if (b->busy > 0) {
        b->busy--;
        return 0x9300;
    }
    return b->envelope_sw != 0 ? b->envelope_sw : ending(b);
}

static int scripted_transmit(void *ctx, struct rd command, struct wr *ret, uint16_t *ret_sw,
                             struct lab_error *e)
{
    struct bench *b = ctx;
    char text[TEXT];

    (void)e;
    hex_text(command, text, sizeof text);
    snprintf(b->apdus[b->n_apdus++ % LINES], TEXT, "%s", text);
    *ret_sw = 0x9000;
    switch (command.p[1]) {
    case 0xA4: {
        uint8_t fcp[] = { 0x62, 0x05, 0xA5, 0x03, 0x87, 0x01, b->capable ? 0x01 : 0x00 };
        wr_put(ret, fcp, sizeof fcp);
        break;
    }
    case 0xF2:
        b->n_status++;
        *ret_sw = ending(b);
        break;
    case 0x10:
        *ret_sw = ending(b);
        break;
    case 0x12:
        if (b->n_command == 0) {
            *ret_sw = 0x6985;
            break;
        }
        wr_put(ret, b->command, b->n_command);
        b->fetched = true;
        break;
    case 0x14:
        snprintf(b->response, sizeof b->response, "%s", text);
        b->n_responses++;
        b->fetched = false;
        if (!b->always)
            b->n_command = 0;
        *ret_sw = ending(b);
        break;
    case 0xC2:
        *ret_sw = take_envelope(b, text);
        break;
    default:
        break;
    }
    return 0;
}

static int scripted_reset(void *ctx, struct lab_error *e)
{
    struct bench *b = ctx;

    (void)e;
    b->n_resets++;
    b->n_command = 0;
    b->fetched = false;
    return 0;
}

static void on_note(void *ctx, const struct terminal_note *note)
{
    struct bench *b = ctx;

    ck_assert_ptr_nonnull(note->text);
    b->n_notes++;
}

static void on_octets(void *ctx, const struct terminal_flow *flow, struct rd octets)
{
    struct bench *b = ctx;

    b->carried[flow->sent ? 0 : 1] += octets.n;
}

static void on_rest(void *ctx)
{
    ((struct bench *)ctx)->rests++;
}

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);

    ck_assert_ptr_nonnull(b);
    terminal_config_init(&b->config);
    b->base = event_base_new();
    b->clock.ms = 1000;
    b->config.base = b->base;
    b->config.clock = &b->clock;
    b->config.map = &b->map;
    b->config.card = (struct terminal_card){ scripted_transmit, scripted_reset, b };
    b->config.note = on_note;
    b->config.octets = on_octets;
    b->config.rest = on_rest;
    b->config.ctx = b;
    b->config.device.poll_s = 0;
    return b;
}

static void start(struct bench *b)
{
    struct lab_error e;

    ck_assert_int_eq(terminal_new(&b->config, &b->t, &e), 0);
    terminal_start(b->t);
    event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static struct bench *started(void)
{
    struct bench *b = bench_new();

    start(b);
    return b;
}

static void bench_free(struct bench *b)
{
    terminal_free(&b->t);
    event_base_free(b->base);
    free(b);
}

static void add_fault(struct bench *b, const char *rule)
{
    struct lab_error e = { "" };

    ck_assert_msg(faults_add(&b->config.faults, rule, &e) == 0, "%s", e.text);
}

static void pump(struct bench *b)
{
    event_base_loop(b->base, EVLOOP_NONBLOCK);
    terminal_tick(b->t);
    event_base_loop(b->base, EVLOOP_NONBLOCK);
}

static void advance(struct bench *b, uint64_t ms)
{
    b->clock.ms += ms;
    pump(b);
}

/* Until the number is reached: sockets take a moment, even here. */
static void wait_for(struct bench *b, const size_t *number, size_t value)
{
    for (unsigned ms = 0; *number < value; ms++) {
        ck_assert_msg(ms < PATIENCE_MS, "it does not come to %zu: %zu", value, *number);
        pump(b);
        poll(NULL, 0, 1);
    }
}

static void give(struct bench *b, struct rd command)
{
    memcpy(b->command, command.p, command.n);
    b->n_command = command.n;
    b->fetched = false;
    terminal_poll(b->t);
}

static void give_hex(struct bench *b, const char *command)
{
    uint8_t octets[300];

    give(b, rd_of(octets, hex(command, octets, sizeof octets)));
}

/* Has the terminal carry out a command; TERMINAL RESPONSE, in hex. */
static const char *ask(struct bench *b, const char *command)
{
    size_t n = b->n_responses;

    give_hex(b, command);
    wait_for(b, &b->n_responses, n + 1);
    return b->response;
}

static void check_hex(const char *is, const char *should)
{
    uint8_t octets[TEXT];
    char text[TEXT];

    hex_text(rd_of(octets, hex(should, octets, sizeof octets)), text, sizeof text);
    ck_assert_str_eq(is, text);
}

#define ck_hex(is, should) check_hex(is, should)

/* The envelope that came last. */
static const char *last_envelope(const struct bench *b)
{
    return b->n_envelopes == 0 ? "" : b->envelopes[(b->n_envelopes - 1) % LINES];
}

/* --- peers ------------------------------------------------------------------------------------ */

static int local_socket(int type, uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    if (type == SOCK_STREAM)
        ck_assert_int_eq(listen(fd, 8), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void map(struct bench *b, const char *from, uint16_t port)
{
    char rule[TEXT];
    struct lab_error e = { "" };

    snprintf(rule, sizeof rule, "%s=127.0.0.1:%u", from, (unsigned)port);
    ck_assert_msg(address_map_add(&b->map, rule, &e) == 0, "%s", e.text);
}

static int accept_one(int listener)
{
    struct pollfd p = { listener, POLLIN, 0 };

    ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void expect_octets(int fd, const void *octets, size_t n)
{
    uint8_t is[2048];
    size_t have = 0;

    while (have < n) {
        struct pollfd p = { fd, POLLIN, 0 };
        ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
        ssize_t r = recv(fd, is + have, sizeof is - have, 0);
        ck_assert_int_gt(r, 0);
        have += (size_t)r;
    }
    ck_assert_uint_eq(have, n);
    ck_assert_int_eq(memcmp(is, octets, n), 0);
}

static bool is_silent(int fd)
{
    struct pollfd p = { fd, POLLIN, 0 };

    return poll(&p, 1, 50) == 0;
}

static const char events[] = "D00F 810301 0500 8202 8182 9904 03090A0B";
static const char open_tcp[] =
    "D01C 8103 024001 8202 8182 350103 39020578 3C030201BB 3E0521C000020A";
static const char open_udp[] =
    "D01C 8103 024001 8202 8182 350103 39020578 3C03010035 3E0521C0000235";
static const char opened[] = "8014000017 8103024001 82028281 830100 38028100 350103 39020578";

/* A TCP channel that is up: the peer's end. */
static int open_stream(struct bench *b, const char *command)
{
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port);

    map(b, "192.0.2.10:443", port);
    ask(b, command);
    int fd = accept_one(listener);
    close(listener);
    return fd;
}

/* A UDP channel: the peer's end, which has its address after the first datagram. */
static int open_datagrams(struct bench *b)
{
    uint16_t port;
    int fd = local_socket(SOCK_DGRAM, &port);

    map(b, "192.0.2.53:53", port);
    ask(b, open_udp);
    return fd;
}

static size_t receive_from(int fd, uint8_t *octets, size_t size)
{
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    struct pollfd p = { fd, POLLIN, 0 };

    ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
    ssize_t r = recvfrom(fd, octets, size, 0, (struct sockaddr *)&from, &n);
    ck_assert_int_ge(r, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&from, n), 0);
    return (size_t)r;
}

/* --- power-up --------------------------------------------------------------------------------- */

START_TEST(power_up_is_reset_select_status_profile)
{
    struct bench *b = started();

    ck_assert_uint_eq(b->n_resets, 1);
    ck_assert_uint_eq(b->n_apdus, 3);
    ck_hex(b->apdus[0], "00A40004023F00");
    ck_hex(b->apdus[1], "80F2000C");
    ck_hex(b->apdus[2], "8010000022 3B01E8E2111C00078400001FE26000004340000000000000500000000000"
                        "00000320");
    ck_assert(terminal_is_idle(b->t));
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_IDLE);
    ck_assert_uint_eq(b->rests, 1);
    bench_free(b);
}
END_TEST

START_TEST(capability_is_told_where_the_card_knows_it)
{
    for (unsigned capable = 0; capable < 2; capable++) {
        struct bench *b = bench_new();
        b->capable = capable != 0;
        b->config.device.ipad = true;
        start(b);
        ck_assert_uint_eq(b->n_apdus, 3 + capable);
        if (capable)
            ck_hex(b->apdus[2], "80AA000005 A903840101");
        bench_free(b);
    }
}
END_TEST

START_TEST(attaching_takes_its_time_and_is_told)
{
    struct bench *b = bench_new();

    b->config.device.attach_ms = 500;
    start(b);
    ck_assert(!terminal_is_idle(b->t));
    ask(b, events);
    ck_hex(ask(b, "D009 8103112600 82028182"), "801400000D 8103112600 82028281 83022004");
    advance(b, 499);
    ck_assert_uint_eq(b->n_envelopes, 0);
    advance(b, 1);
    ck_hex(last_envelope(b), "80C2000017 D615 990103 82028281 9B0100 930900F110123401A2B3CF");
    ck_assert(terminal_is_idle(b->t));
    bench_free(b);
}
END_TEST

/* --- commands, octet for octet ---------------------------------------------------------------- */

static const struct {
    const char *command, *response;
} worked[] = {
    { "D00F 8103010500 82028182 990403090A0B", "801400000C 8103010500 82028281 830100" },
    { "D011 81030B2700 82028182 A40101 A503001003",
      "801400000F 81030B2700 82028281 830100 A40101" },
    { "D00C 81030C2702 82028182 A40101",
      "8014000014 81030C2702 82028281 830100 A40101 A503001003" },
    { "D00C 81030C2701 82028182 A40102", "801400000F 81030C2701 82028281 830124 A40102" },
    { "D009 81030E0400 82028182", "801400000C 81030E0400 82028281 830100" },
    { "D009 81030F0200 82028182", "801400000C 81030F0200 82028281 830100" },
    { "D009 8103102601 82028182", "8014000016 8103102601 82028281 830100 94084A09512430325781" },
    { "D009 8103112600 82028182", "8014000017 8103112600 82028281 830100 930900F110123401A2B3CF" },
    { "D009 8103122603 82028182", "8014000015 8103122603 82028281 830100 A60762110202927240" },
    { "D009 8103142606 82028182", "801400000F 8103142606 82028281 830100 3F0108" },
    { "D009 8103094400 82028182", "8014000010 8103094400 82028281 830100 38020000" },
    { "D012 8103170101 82028182 9207013F007FFF6F07", "801400000C 8103170101 82028281 830100" },
    { "D00E 8103182180 82028182 8D03044869", "801400000C 8103182180 82028281 830130" },
    { "D019 8103191300 82028183 8B0E01000481214300F60548656C6C6F",
      "801400000C 8103191300 82028281 830100" },
    { "D00C 8103084200 82028121 B701ED", "801400000D 8103084200 82028281 83023A03" },
    { "D009 81030A4100 82028121", "801400000D 81030A4100 82028281 83023A03" },
    /* refusals */
    { "D009 8103012000 82028182", "801400000C 8103012000 82028281 830130" },
    { "D009 810301 7700 82028182", "801400000C 8103017700 82028281 830131" },
    { "D009 8103010500 82028182", "801400000C 8103010500 82028281 830136" },
    { "D00C 8103010200 82028182 EA0101", "801400000C 8103010200 82028281 830132" },
    { "D00C 8103010200 82028182 6A0101", "801400000C 8103010200 82028281 830101" },
    { "D005 8103010200", "801400000C 8103010200 82028281 830136" },
    { "D004 82028182", "801400000C 8103000000 82028281 830136" },
    { "D0FF", "801400000C 8103000000 82028281 830132" },
    { "D011 81030B2700 82028182 A40109 A503001003", "801400000C 81030B2700 82028281 830132" },
    { "D011 81030B2700 82028182 A40101 A5030010FF", "801400000C 81030B2700 82028281 830132" },
    { "D00C 81030B2700 82028182 A40101", "801400000C 81030B2700 82028281 830136" },
    { "D009 8103110107 82028182", "801400000C 8103110107 82028281 830100" },
    { "D009 8103110140 82028182", "801400000C 8103110140 82028281 830132" },
    { "D009 8103110101 82028182", "801400000C 8103110101 82028281 830136" },
    { "D009 810311267F 82028182", "801400000C 810311267F 82028281 830130" },
};

START_TEST(commands_are_answered_octet_for_octet)
{
    struct bench *b = bench_new();

    b->config.device.date = 1795202967; /* 2026-11-20 19:29:27 UTC */
    b->config.device.quarters = 4;
    start(b);
    for (size_t i = 0; i < N_ELEMS(worked); i++)
        ck_hex(ask(b, worked[i].command), worked[i].response);
    bench_free(b);
}
END_TEST

START_TEST(poll_interval_is_granted_within_bounds_and_kept)
{
    struct bench *b = bench_new();

    b->config.device.poll_max_s = 30;
    start(b);
    ck_hex(ask(b, "D00D 81030D0300 82028182 8402013C"),
           "8014000010 81030D0300 82028281 830100 8402011E");
    size_t n = b->n_status;
    advance(b, 29999);
    ck_assert_uint_eq(b->n_status, n);
    advance(b, 1);
    ck_assert_uint_eq(b->n_status, n + 1);
    advance(b, 30000);
    ck_assert_uint_eq(b->n_status, n + 2);
    ask(b, "D009 81030E0400 82028182");
    n = b->n_status;
    advance(b, 3600000);
    ck_assert_uint_eq(b->n_status, n);
    bench_free(b);
}
END_TEST

START_TEST(timers_run_on_the_clock)
{
    struct bench *b = started();

    ask(b, "D011 81030B2700 82028182 A40101 A503001003");
    ck_assert_uint_eq(terminal_next_ms(b->t), b->clock.ms + 90000);
    advance(b, 43000);
    ck_hex(ask(b, "D00C 81030C2701 82028182 A40101"),
           "8014000014 81030C2701 82028281 830100 A40101 A503000074");
    advance(b, 100000);
    ck_assert_uint_eq(b->n_envelopes, 0);

    ask(b, "D011 81030B2700 82028182 A40101 A503001003");
    advance(b, 89999);
    ck_assert_uint_eq(b->n_envelopes, 0);
    b->busy = 5; /* a timer is told until the card takes it */
    advance(b, 1);
    for (unsigned i = 0; i < 5; i++)
        advance(b, 1000);
    ck_assert_uint_eq(b->n_envelopes, 6);
    ck_hex(last_envelope(b), "80C200000E D70C 82028281 A40101 A503001003");
    advance(b, 100000);
    ck_assert_uint_eq(b->n_envelopes, 6);
    bench_free(b);
}
END_TEST

START_TEST(all_timers_at_once_are_told_one_by_one)
{
    struct bench *b = started();

    for (unsigned i = 1; i <= 8; i++) {
        char command[TEXT];
        snprintf(command, sizeof command, "D011 81030B2700 82028182 A401%02X A503000010", i);
        ask(b, command);
    }
    advance(b, 1000);
    ck_assert_uint_eq(b->n_envelopes, 8);
    bench_free(b);
}
END_TEST

START_TEST(location_is_told_if_the_card_wants_it)
{
    struct bench *b = started();

    terminal_set_service(b->t, SERVICE_NONE);
    pump(b);
    ck_assert_uint_eq(b->n_envelopes, 0);
    ask(b, events);
    terminal_set_service(b->t, SERVICE_NORMAL);
    pump(b);
    ck_assert_uint_eq(b->n_envelopes, 1);
    ck_hex(last_envelope(b), "80C2000017 D615 990103 82028281 9B0100 930900F110123401A2B3CF");
    terminal_set_service(b->t, SERVICE_NONE);
    pump(b);
    ck_hex(last_envelope(b), "80C200000C D60A 990103 82028281 9B0102");
    ck_hex(ask(b, "D009 8103112600 82028182"), "801400000D 8103112600 82028281 83022004");
    ck_hex(ask(b, open_tcp), "8014000014 8103024001 82028281 83022004 350103 39020578");
    terminal_set_service(b->t, SERVICE_LIMITED);
    pump(b);
    ck_hex(ask(b, "D009 8103112600 82028182"),
           "8014000017 8103112600 82028281 830106 930900F110123401A2B3CF");
    terminal_set_technology(b->t, TECHNOLOGY_GSM);
    pump(b);
    ck_hex(last_envelope(b), "80C200000C D60A 99010B 82028281 BF0100");
    bench_free(b);
}
END_TEST

START_TEST(an_event_is_dropped_when_the_card_stays_busy)
{
    struct bench *b = started();

    ask(b, events);
    b->busy = 100;
    terminal_set_service(b->t, SERVICE_NONE);
    pump(b);
    for (unsigned i = 0; i < 10; i++)
        advance(b, 1000);
    ck_assert_uint_eq(b->n_envelopes, 3);
    ck_assert(terminal_is_idle(b->t));
    bench_free(b);
}
END_TEST

START_TEST(an_operator_chooses_from_the_menu_and_sends_messages)
{
    static const uint8_t tpdu[] = { 0x40, 0x01, 0x91 };
    struct bench *b = started();

    terminal_choose_menu(b->t, 7);
    pump(b);
    ck_hex(last_envelope(b), "80C2000009 D307 82020181 900107");
    ck_assert(terminal_receive_sms(b->t, rd_of(tpdu, sizeof tpdu)));
    ck_assert(!terminal_receive_sms(b->t, rd_of(tpdu, 0)));
    pump(b);
    ck_hex(last_envelope(b), "80C2000011 D10F 82028381 060491214365 8B03400191");
    ck_hex(ask(b, "D01A 8103012500 82028182 8503455553 8F05014765742E 8F03024142"),
           "801400000C 8103012500 82028281 830100");
    bench_free(b);
}
END_TEST

/* --- REFRESH ---------------------------------------------------------------------------------- */

START_TEST(refresh_resets_with_or_without_an_answer)
{
    struct bench *b = started();

    ck_hex(ask(b, "D009 8103160109 82028182"), "801400000C 8103160109 82028281 830100");
    pump(b);
    ck_assert_uint_eq(b->n_resets, 2);
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_IDLE);

    size_t n = b->n_responses;
    give_hex(b, "D009 8103150104 82028182");
    wait_for(b, &b->n_resets, 3);
    ck_assert_uint_eq(b->n_responses, n);
    ck_assert_uint_eq(terminal_refreshes(b->t), 2);

    size_t apdus = b->n_apdus;
    ask(b, "D009 8103150103 82028182");
    pump(b);
    ck_assert_uint_eq(b->n_resets, 3);
    ck_assert_uint_eq(b->n_apdus, apdus + 5); /* STATUS, FETCH, TERMINAL RESPONSE; SELECT, STATUS */
    bench_free(b);
}
END_TEST

START_TEST(profile_state_change_needs_its_bit)
{
    struct bench *b = bench_new();

    b->config.device.profile[33] = 0;
    start(b);
    ck_hex(ask(b, "D009 8103160109 82028182"), "801400000C 8103160109 82028281 830130");
    bench_free(b);
}
END_TEST

START_TEST(a_reset_forgets_timers_events_and_channels)
{
    struct bench *b = started();

    ask(b, events);
    ask(b, "D011 81030B2700 82028182 A40101 A503001003");
    int peer = open_stream(b, open_tcp);
    ck_assert_uint_eq(terminal_open_channels(b->t), 1);
    terminal_reset(b->t);
    pump(b);
    ck_assert_uint_eq(terminal_open_channels(b->t), 0);
    advance(b, 100000);
    ck_assert_uint_eq(b->n_envelopes, 0);
    terminal_power_off(b->t);
    pump(b);
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_OFF);
    ck_hex(b->apdus[(b->n_apdus - 1) % LINES], "80F2020C");
    terminal_reset(b->t);
    pump(b);
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_IDLE);
    close(peer);
    bench_free(b);
}
END_TEST

/* --- channels --------------------------------------------------------------------------------- */

START_TEST(a_tcp_channel_from_open_to_close)
{
    struct bench *b = bench_new();

    add_fault(b, "plain-receive");
    start(b);
    ask(b, events);
    int peer = open_stream(b, open_tcp);
    ck_hex(b->response, opened);
    ck_hex(ask(b, "D009 8103094400 82028182"), "8014000010 8103094400 82028281 830100 38028100");
    ck_hex(ask(b, "D010 8103064300 82028121 B6051603010200"),
           "801400000F 8103064300 82028281 830100 3701FF");
    ck_assert(is_silent(peer));
    ck_hex(ask(b, "D010 8103074301 82028121 B60568656C6C6F"),
           "801400000F 8103074301 82028281 830100 3701FF");
    expect_octets(peer, "\x16\x03\x01\x02\x00hello", 10);

    ck_assert_int_eq(write(peer, "\x16\x03\x03\x00\x04\x0E\x00\x00\x00", 9), 9);
    wait_for(b, &b->n_envelopes, 1);
    ck_hex(last_envelope(b), "80C2000010 D60E 990109 82028281 B8028100 B70109");
    ck_hex(ask(b, "D00C 8103084200 82028121 B701ED"),
           "801400001A 8103084200 82028281 830100 3609160303 00040E000000 370100");

    close(peer);
    wait_for(b, &b->n_envelopes, 2);
    ck_hex(last_envelope(b), "80C200000D D60B 99010A 82028281 B8020105");
    ck_hex(ask(b, "D00C 8103084200 82028121 B701ED"), "801400000D 8103084200 82028281 83023A02");
    ck_hex(ask(b, "D010 8103074301 82028121 B60568656C6C6F"),
           "801400000D 8103074301 82028281 83023A02");
    ck_hex(ask(b, "D009 8103094400 82028182"), "8014000010 8103094400 82028281 830100 38020105");
    ck_hex(ask(b, "D009 81030A4100 82028121"), "801400000C 81030A4100 82028281 830100");
    ck_hex(ask(b, "D009 81030A4100 82028121"), "801400000D 81030A4100 82028281 83023A03");
    ck_assert_uint_eq(b->carried[0], 10);
    ck_assert_uint_eq(b->carried[1], 9);
    bench_free(b);
}
END_TEST

START_TEST(a_link_is_dropped_only_when_everything_was_fetched)
{
    uint8_t data[300];
    struct bench *b = started();

    memset(data, 0x5A, sizeof data);
    ask(b, events);
    int peer = open_stream(b, open_tcp);
    ck_assert_int_eq(write(peer, data, sizeof data), sizeof data);
    close(peer);
    wait_for(b, &b->n_envelopes, 1);
    ck_hex(last_envelope(b), "80C2000010 D60E 990109 82028281 B8028100 B701FF");
    const char *response = ask(b, "D00C 8103084200 82028121 B701ED");
    ck_assert_int_eq(strncmp(response, "80140000FF", 10), 0);
    ck_assert_str_eq(response + strlen(response) - 6, "37013F");
    ck_assert_uint_eq(b->n_envelopes, 1);
    response = ask(b, "D00C 8103084200 82028121 B701ED"); /* more than there is */
    ck_assert_int_eq(strncmp(response, "8014000050810308420082028281830102363F", 38), 0);
    wait_for(b, &b->n_envelopes, 2);
    ck_hex(last_envelope(b), "80C200000D D60B 99010A 82028281 B8020105");
    bench_free(b);
}
END_TEST

START_TEST(data_that_stays_is_told_again)
{
    struct bench *b = started();

    ask(b, events);
    int peer = open_stream(b, open_tcp);
    ck_assert_int_eq(write(peer, "abc", 3), 3);
    wait_for(b, &b->n_envelopes, 1);
    ck_assert_int_eq(write(peer, "def", 3), 3); /* no news: the buffer was not empty */
    poll(NULL, 0, 20);
    pump(b);
    ck_assert_uint_eq(b->n_envelopes, 1);
    advance(b, 1999);
    ck_assert_uint_eq(b->n_envelopes, 1);
    advance(b, 1);
    ck_assert_uint_eq(b->n_envelopes, 2);
    ck_hex(last_envelope(b), "80C2000010 D60E 990109 82028281 B8028100 B70106");
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(a_buffer_bounds_what_is_received)
{
    uint8_t data[1000] = { 0 };
    struct bench *b = bench_new();
    size_t got = 0;

    add_fault(b, "small-buffer=100");
    start(b);
    ask(b, events);
    int peer = open_stream(b, open_tcp);
    ck_hex(b->response, "8014000017 8103024001 82028281 830107 38028100 350103 39020064");
    ck_assert_int_eq(write(peer, data, sizeof data), sizeof data);
    while (got < sizeof data) {
        wait_for(b, &b->n_envelopes, got / 100 + 1);
        const char *response = ask(b, "D00C 8103084200 82028121 B70164");
        ck_assert_str_eq(response + strlen(response) - 6, "370100");
        got += 100;
    }
    ck_assert_int_eq(strncmp(ask(b, "D010 8103074300 82028121 B60568656C6C6F"),
                             "801400000F81030743008202828183010037015F", 40),
                     0);
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(a_buffer_fills_again_while_it_is_emptied)
{
    uint8_t data[1000] = { 0 };
    struct bench *b = bench_new();

    add_fault(b, "small-buffer=100");
    start(b);
    ask(b, events);
    int peer = open_stream(b, open_tcp);
    ck_assert_int_eq(write(peer, data, sizeof data), sizeof data);
    wait_for(b, &b->n_envelopes, 1);
    for (size_t got = 50; got <= sizeof data; got += 50) {
        size_t n = b->n_responses;
        give_hex(b, "D00C 8103084200 82028121 B70132");
        terminal_tick(b->t); /* no event loop in between */
        ck_assert_uint_eq(b->n_responses, n + 1);
        ck_assert_str_eq(b->response + strlen(b->response) - 6,
                         got < sizeof data ? "370132" : "370100");
    }
    ck_assert_uint_eq(b->n_envelopes, 1);
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(a_transmit_buffer_does_not_overflow)
{
    struct bench *b = bench_new();

    add_fault(b, "small-buffer=8");
    start(b);
    int peer = open_stream(b, open_tcp);
    ask(b, "D010 8103064300 82028121 B6056162636465");
    ck_hex(ask(b, "D010 8103074301 82028121 B6056162636465"),
           "801400000D 8103074301 82028281 83023A04");
    ask(b, "D00E 8103074301 82028121 B603666768");
    expect_octets(peer, "abcdefgh", 8);
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(seven_channels_and_no_eighth)
{
    struct bench *b = started();
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port), peers[7];
    char text[TEXT];

    map(b, "192.0.2.10:*", port);
    ask(b, events);
    for (unsigned i = 0; i < 7; i++) {
        snprintf(text, sizeof text,
                 "8014000017 8103024001 82028281 830100 3802%02X00 350103 39020578", 0x81 + i);
        ck_hex(ask(b, open_tcp), text);
        peers[i] = accept_one(listener);
    }
    ck_hex(ask(b, open_tcp), "8014000014 8103024001 82028281 83023A01 350103 39020578");
    for (unsigned i = 0; i < 7; i++)
        ck_assert_int_eq(write(peers[i], "data", 4), 4);
    wait_for(b, &b->n_envelopes, 7);
    unsigned seen = 0;
    for (unsigned i = 0; i < 7; i++)
        seen |= 1u << (b->envelopes[i][33] - '0'); /* B802 8x00 */
    ck_assert_uint_eq(seen, 0xFE);
    ck_assert_uint_eq(terminal_open_channels(b->t), 7);
    ask(b, "D009 81030A4100 82028123");
    ck_assert_str_eq(ask(b, open_tcp), "80140000178103024001820282818301003802830035010339020578");
    for (unsigned i = 0; i < 7; i++)
        close(peers[i]);
    close(listener);
    bench_free(b);
}
END_TEST

START_TEST(a_terminal_with_fewer_channels_says_so)
{
    struct bench *b = bench_new();
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port);

    map(b, "*:443", port);
    terminal_device_channels(&b->config.device, 1);
    start(b);
    ck_assert_ptr_nonnull(strstr(b->apdus[2], "1F22600000"));
    ck_hex(ask(b, open_tcp), opened);
    ck_hex(ask(b, open_tcp), "8014000014 8103024001 82028281 83023A01 350103 39020578");
    close(listener);
    bench_free(b);
}
END_TEST

START_TEST(a_peer_that_is_not_there_cannot_be_reached)
{
    struct bench *b = started();
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port);

    close(listener);
    map(b, "192.0.2.10:443", port);
    ck_hex(ask(b, open_tcp), "8014000014 8103024001 82028281 83023A07 350103 39020578");
    ck_assert_uint_eq(terminal_open_channels(b->t), 0);
    bench_free(b);
}
END_TEST

START_TEST(connecting_takes_no_longer_than_it_may)
{
    struct bench *b = started();
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port), full[64];
    size_t n = 0;

    /* a listener whose queue is full answers nobody */
    listen(listener, 0);
    at.sin_port = htons(port);
    for (; n < N_ELEMS(full); n++) {
        full[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(full[n], (const struct sockaddr *)&at, sizeof at);
    }
    map(b, "192.0.2.10:443", port);
    give_hex(b, open_tcp);
    pump(b);
    poll(NULL, 0, 20);
    pump(b);
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_EXEC);
    advance(b, 29999);
    ck_assert_uint_eq(b->n_responses, 0);
    advance(b, 1);
    ck_assert_uint_eq(b->n_responses, 1);
    ck_hex(b->response, "8014000014 8103024001 82028281 83023A07 350103 39020578");

    /* and no service on the way is no service */
    give_hex(b, open_tcp);
    pump(b);
    terminal_set_service(b->t, SERVICE_NONE);
    wait_for(b, &b->n_responses, 2);
    ck_hex(b->response, "8014000014 8103024001 82028281 83022004 350103 39020578");
    while (n > 0)
        close(full[--n]);
    close(listener);
    bench_free(b);
}
END_TEST

START_TEST(in_the_background_the_answer_comes_first)
{
    struct bench *b = started();
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port);

    map(b, "192.0.2.10:443", port);
    ask(b, events);
    ck_hex(ask(b, "D01C 8103024004 82028182 350103 39020578 3C030201BB 3E0521C000020A"),
           "8014000017 8103024004 82028281 830100 38020100 350103 39020578");
    wait_for(b, &b->n_envelopes, 1);
    ck_hex(last_envelope(b), "80C200000D D60B 99010A 82028281 B8028100");
    close(listener);
    bench_free(b);
}
END_TEST

START_TEST(on_demand_the_first_octets_make_the_link)
{
    struct bench *b = started();
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port);

    map(b, "192.0.2.10:443", port);
    ck_hex(ask(b, "D01C 8103024000 82028182 350103 39020578 3C030201BB 3E0521C000020A"),
           "8014000017 8103024000 82028281 830100 38020100 350103 39020578");
    ck_assert(is_silent(listener));
    ck_hex(ask(b, "D010 8103074301 82028121 B60568656C6C6F"),
           "801400000F 8103074301 82028281 830100 3701FF");
    int peer = accept_one(listener);
    expect_octets(peer, "hello", 5);
    close(peer);
    close(listener);
    bench_free(b);
}
END_TEST

START_TEST(datagrams_are_built_whole_and_received_one_by_one)
{
    uint8_t octets[64];
    struct bench *b = started();

    ask(b, events);
    int peer = open_datagrams(b);
    ck_hex(b->response, opened);
    ask(b, "D00D 8103064300 82028121 B6026162");
    ask(b, "D00D 8103064300 82028121 B6026364");
    ask(b, "D00D 8103064301 82028121 B6026566");
    ck_assert_uint_eq(receive_from(peer, octets, sizeof octets), 6);
    ck_assert_int_eq(memcmp(octets, "abcdef", 6), 0);

    ck_assert_int_eq(send(peer, "first", 5, 0), 5);
    ck_assert_int_eq(send(peer, "second", 6, 0), 6);
    wait_for(b, &b->n_envelopes, 1);
    ck_hex(last_envelope(b), "80C2000010 D60E 990109 82028281 B8028100 B70105");
    poll(NULL, 0, 20);
    ck_hex(ask(b, "D00C 8103084200 82028121 B70105"),
           "8014000016 8103084200 82028281 830100 36056669727374 370100");
    wait_for(b, &b->n_envelopes, 2);
    ck_hex(last_envelope(b), "80C2000010 D60E 990109 82028281 B8028100 B70106");
    ck_hex(ask(b, "D00C 8103084200 82028121 B70104"),
           "8014000015 8103084200 82028281 830100 36047365636F 370102");
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(without_boundaries_datagrams_run_together)
{
    uint8_t octets[64];
    struct bench *b = bench_new();

    add_fault(b, "cut-datagram");
    start(b);
    ask(b, events);
    int peer = open_datagrams(b);
    ask(b, "D00D 8103064301 82028121 B6026566");
    receive_from(peer, octets, sizeof octets);
    ck_assert_int_eq(send(peer, "ab", 2, 0), 2);
    ck_assert_int_eq(send(peer, "cd", 2, 0), 2);
    wait_for(b, &b->n_envelopes, 1);
    poll(NULL, 0, 20);
    pump(b);
    ck_hex(ask(b, "D00C 8103084200 82028121 B70104"),
           "8014000015 8103084200 82028281 830100 360461626364 370100");
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(addresses_and_name_servers_are_given_on_request)
{
    struct bench *b = bench_new();
    struct lab_error e;

    ck_assert_int_eq(address_read("192.0.2.53:53", false, &b->config.device.dns[0], &e), 0);
    b->config.device.n_dns = 1;
    start(b);
    int peer = open_datagrams(b);
    ask(b, "D009 81030A4100 82028121");
    ck_hex(ask(b, "D030 8103044009 82028182 3507020304 03041F02 39020578 470C03696F7407"
                  "6578616D706C65 3C03010035 3E0521C0000235"),
           "8014000024 8103044009 82028281 830100 38028100 350702030403041F02 39020578"
           "400521C0000235");
    ck_hex(ask(b, "D03E 8103034001 82028182 350702030403041F02 39020578 470C03696F74076578616D"
                  "706C65 3E00 0D05F475736572 0D03F47077 3C03010035 3E0521C0000235"),
           "8014000024 8103034001 82028281 830100 38028200 350702030403041F02 39020578"
           "3E05210A2D0002");
    close(peer);
    bench_free(b);
}
END_TEST

static const struct {
    const char *command, *response;
} refused_opens[] = {
    /* no destination, no buffer, no transport level, no bearer */
    { "D015 8103024001 82028182 350103 39020578 3C030201BB",
      "8014000013 8103024001 82028281 830136 350103 39020578" },
    { "D018 8103024001 82028182 350103 3C030201BB 3E0521C000020A",
      "801400000C 8103024001 82028281 830136" },
    { "D017 8103024001 82028182 350103 39020578 3E0521C000020A",
      "801400000C 8103024001 82028281 830130" },
    { "D012 8103014000 82028182 39020578 3C03031633",
      "8014000011 8103014000 82028281 83023A06 39020578" },
    /* buffer of nothing, TCP server, an unknown bearer, an address of three octets */
    { "D01C 8103024001 82028182 350103 39020000 3C030201BB 3E0521C000020A",
      "8014000014 8103024001 82028281 83023A04 350103 39020000" },
    { "D01C 8103024001 82028182 350103 39020578 3C030301BB 3E0521C000020A",
      "8014000014 8103024001 82028281 83023A06 350103 39020578" },
    { "D01C 8103024001 82028182 350106 39020578 3C030201BB 3E0521C000020A",
      "8014000013 8103024001 82028281 830130 350106 39020578" },
    { "D01B 8103024001 82028182 350103 39020578 3C030201BB 3E0421C00002",
      "8014000013 8103024001 82028281 830132 350103 39020578" },
    /* a name that nobody mapped */
    { "D01C 8103024001 82028182 350103 39020578 3C030201BB 3E05F06569 6D2E",
      "8014000014 8103024001 82028281 83023A07 350103 39020578" },
};

START_TEST(open_channel_that_cannot_be_is_refused)
{
    struct bench *b = started();

    for (size_t i = 0; i < N_ELEMS(refused_opens); i++)
        ck_hex(ask(b, refused_opens[i].command), refused_opens[i].response);
    ck_assert_uint_eq(terminal_open_channels(b->t), 0);
    bench_free(b);
}
END_TEST

START_TEST(names_are_resolved_by_the_map)
{
    struct bench *b = started();
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port);

    map(b, "eim.test:443", port);
    ck_hex(ask(b, "D020 8103024001 82028182 350103 39020578 3C030201BB 3E09F065696D2E74657374"),
           opened);
    close(listener);
    bench_free(b);
}
END_TEST

START_TEST(channels_are_lost_with_the_network)
{
    struct bench *b = started();

    ask(b, events);
    int peer = open_stream(b, open_tcp);
    terminal_set_service(b->t, SERVICE_NONE);
    wait_for(b, &b->n_envelopes, 2);
    ck_hex(b->envelopes[0], "80C200000D D60B 99010A 82028281 B8020105");
    ck_hex(b->envelopes[1], "80C200000C D60A 990103 82028281 9B0102");
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(octets_are_counted_by_phase_and_channel)
{
    const struct terminal_count *c;
    uint64_t sent, received;
    struct bench *b = started();

    terminal_phase(b->t, "opening");
    int peer = open_stream(b, open_tcp);
    terminal_phase(b->t, "talking");
    ask(b, "D010 8103074301 82028121 B60568656C6C6F");
    terminal_phase(b->t, "opening");
    ck_assert_uint_eq(terminal_counts(b->t, &c), 3);
    ck_assert_str_eq(c[1].phase, "opening");
    ck_assert_uint_eq(c[1].links, 1);
    ck_assert_uint_eq(c[1].sent, 0);
    ck_assert_uint_eq(c[2].sent, 5);
    ck_assert_uint_eq(c[2].commands, 1);
    ck_assert_uint_eq(c[2].apdus, 3);
    terminal_channel_counts(b->t, 1, &sent, &received);
    ck_assert_uint_eq(sent, 5);
    ck_assert_uint_eq(received, 0);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "phase %u", i);
        terminal_phase(b->t, name);
    }
    ck_assert_uint_eq(terminal_counts(b->t, &c), TERMINAL_PHASES);
    close(peer);
    bench_free(b);
}
END_TEST

/* --- faults ----------------------------------------------------------------------------------- */

START_TEST(fault_rules_are_read_strictly)
{
    static const char *const good[] = {
        "no-service",     "no-service@3",      "refuse-open=3A:01",
        "refuse-open=30", "drop-datagram=1,2", "cut-datagram",
        "close-after=1",  "close-after=1:2",   "lose-response=1",
        "late=0",         "nonsense=2",        "reset-at=9",
        "small-buffer=1", "slow=100",          "seed=0",
        "busy=4",         "plain-receive",
    };
    static const char *const bad[] = {
        "",
        "no-service=3",
        "no-service@0",
        "refuse-open",
        "refuse-open=3A:1",
        "late",
        "drop-datagram=",
        "drop-datagram=0",
        "slow=0",
        "cut-datagram=1",
        "reset-at",
        "close-after=1x",
        "close-after=1:0",
        "close-after=1:",
        "service",
        "seed=",
        "small-buffer=70000",
        "lose-response=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    };
    struct terminal_faults f;
    struct lab_error e;

    for (size_t i = 0; i < N_ELEMS(good); i++) {
        faults_init(&f);
        ck_assert_msg(faults_add(&f, good[i], &e) == 0, "%s", good[i]);
    }
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        faults_init(&f);
        ck_assert_msg(faults_add(&f, bad[i], &e) != 0, "%s", bad[i]);
    }
}
END_TEST

START_TEST(fault_no_service)
{
    struct bench *b = bench_new();

    add_fault(b, "no-service");
    start(b);
    ck_hex(ask(b, open_tcp), "8014000014 8103024001 82028281 83022004 350103 39020578");
    bench_free(b);

    b = bench_new();
    add_fault(b, "no-service@2");
    start(b);
    ck_assert_int_eq(strncmp(ask(b, "D009 8103112600 82028182"), "8014000017", 10), 0);
    ck_hex(ask(b, "D009 8103112600 82028182"), "801400000D 8103112600 82028281 83022004");
    terminal_set_service(b->t, SERVICE_NORMAL);
    ck_assert_int_eq(strncmp(ask(b, "D009 8103112600 82028182"), "8014000017", 10), 0);
    bench_free(b);
}
END_TEST

START_TEST(fault_refuse_open)
{
    struct bench *b = bench_new();

    add_fault(b, "refuse-open=3A:05");
    start(b);
    ck_hex(ask(b, open_tcp), "8014000014 8103024001 82028281 83023A05 350103 39020578");
    bench_free(b);
}
END_TEST

START_TEST(fault_busy_and_lost_responses)
{
    struct bench *b = bench_new();

    add_fault(b, "busy=1");
    add_fault(b, "lose-response=2");
    start(b);
    ck_hex(ask(b, "D009 81030F0200 82028182"), "801400000D 81030F0200 82028281 83022000");
    give_hex(b, "D009 81030F0200 82028182");
    pump(b);
    ck_assert_uint_eq(b->n_responses, 1);
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_IDLE);
    ck_hex(ask(b, "D009 81030F0200 82028182"), "801400000C 81030F0200 82028281 830100");
    bench_free(b);
}
END_TEST

START_TEST(fault_late)
{
    struct bench *b = bench_new();

    add_fault(b, "late=700");
    start(b);
    give_hex(b, "D009 81030F0200 82028182");
    pump(b);
    ck_assert_uint_eq(b->n_responses, 0);
    ck_assert_uint_eq(terminal_next_ms(b->t), b->clock.ms + 700);
    advance(b, 699);
    ck_assert_uint_eq(b->n_responses, 0);
    advance(b, 1);
    ck_assert_uint_eq(b->n_responses, 1);
    bench_free(b);
}
END_TEST

START_TEST(fault_nonsense)
{
    for (unsigned seed = 0; seed < 20; seed++) {
        struct bench *b = bench_new();
        for (unsigned i = 0; i < seed; i++)
            faults_random(&b->config.faults, 2);
        add_fault(b, "nonsense=1");
        start(b);
        ck_assert_str_ne(ask(b, "D009 81030F0200 82028182"), "801400000C81030F020082028281830100");
        ck_hex(ask(b, "D009 81030F0200 82028182"), "801400000C 81030F0200 82028281 830100");
        bench_free(b);
    }
}
END_TEST

START_TEST(fault_reset_at)
{
    struct bench *b = bench_new();

    add_fault(b, "reset-at=2");
    start(b);
    ask(b, "D009 81030F0200 82028182");
    give_hex(b, "D009 81030F0200 82028182");
    pump(b);
    ck_assert_uint_eq(b->n_resets, 2);
    ck_assert_uint_eq(b->n_responses, 1);
    bench_free(b);
}
END_TEST

START_TEST(fault_drop_datagram)
{
    uint8_t octets[64];
    struct bench *b = bench_new();

    add_fault(b, "drop-datagram=1,3");
    start(b);
    ask(b, events);
    int peer = open_datagrams(b);
    ck_hex(ask(b, "D00D 8103064301 82028121 B6026162"),
           "801400000F 8103064301 82028281 830100 3701FF");
    ck_assert(is_silent(peer));
    ask(b, "D00D 8103064301 82028121 B6026364");
    ck_assert_uint_eq(receive_from(peer, octets, sizeof octets), 2);
    ck_assert_int_eq(send(peer, "lost", 4, 0), 4);
    ck_assert_int_eq(send(peer, "there", 5, 0), 5);
    wait_for(b, &b->n_envelopes, 1);
    ck_hex(last_envelope(b), "80C2000010 D60E 990109 82028281 B8028100 B70105");
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(fault_close_after)
{
    struct bench *b = bench_new();

    add_fault(b, "close-after=8");
    start(b);
    ask(b, events);
    int peer = open_stream(b, open_tcp);
    ask(b, "D010 8103074301 82028121 B60568656C6C6F");
    ck_assert_uint_eq(b->n_envelopes, 0);
    ck_hex(ask(b, "D010 8103074301 82028121 B60568656C6C6F"),
           "801400000F 8103074301 82028281 830100 3701FF");
    wait_for(b, &b->n_envelopes, 1);
    ck_hex(last_envelope(b), "80C200000D D60B 99010A 82028281 B8020105");
    close(peer);
    bench_free(b);
}
END_TEST

START_TEST(fault_close_after_so_often)
{
    struct terminal_faults f;
    struct lab_error e;

    faults_init(&f);
    ck_assert_int_eq(faults_add(&f, _i == 0 ? "close-after=5" : "close-after=5:2", &e), 0);
    ck_assert(!faults_close(&f, 4));
    for (int i = 0; i < 2; i++)
        ck_assert(faults_close(&f, 5));
    ck_assert(faults_close(&f, 9) == (_i == 0));
}
END_TEST

START_TEST(fault_slow)
{
    uint8_t data[50] = { 0 };
    struct bench *b = bench_new();

    add_fault(b, "slow=10");
    start(b);
    ask(b, events);
    int peer = open_stream(b, open_tcp);
    give_hex(b, "D010 8103074301 82028121 B60568656C6C6F");
    pump(b);
    size_t n = b->n_responses;
    advance(b, 499);
    ck_assert_uint_eq(b->n_responses, n);
    advance(b, 1);
    ck_assert_uint_eq(b->n_responses, n + 1);
    ck_assert_int_eq(write(peer, data, sizeof data), sizeof data);
    wait_for(b, &b->n_envelopes, 1);
    ask(b, "D00C 8103084200 82028121 B70132");
    ck_assert_int_eq(write(peer, "more", 4), 4);
    poll(NULL, 0, 20);
    advance(b, 4000);
    ck_assert_uint_eq(b->n_envelopes, 1);
    advance(b, 1000);
    wait_for(b, &b->n_envelopes, 2);
    close(peer);
    bench_free(b);
}
END_TEST

/* One run of commands under a seed; what the card saw. */
static void run_with_seed(const char *rule, char *ret, size_t size)
{
    struct bench *b = bench_new();
    size_t n = 0;

    add_fault(b, rule);
    start(b);
    for (unsigned i = 0; i < 300; i++) {
        give_hex(b, "D009 8103142606 82028182");
        pump(b);
        advance(b, 1000);
        int put = snprintf(ret + n, size - n, "%zu,%zu,%s;", b->n_resets, b->n_responses,
                           b->response + strlen(b->response) - 4);
        n += put > 0 && (size_t)put < size - n ? (size_t)put : 0;
    }
    bench_free(b);
}

START_TEST(the_same_seed_makes_the_same_faults)
{
    enum { SIZE = 16384 };
    char *one = calloc(1, SIZE), *two = calloc(1, SIZE), *other = calloc(1, SIZE);

    run_with_seed("seed=7", one, SIZE);
    run_with_seed("seed=7", two, SIZE);
    run_with_seed("seed=8", other, SIZE);
    ck_assert_str_eq(one, two);
    ck_assert_str_ne(one, other);
    free(one);
    free(two);
    free(other);
}
END_TEST

/* --- hostile cards ---------------------------------------------------------------------------- */

static const char *const samples[] = {
    open_tcp,
    "D03E 8103034001 82028182 350702030403041F02 39020578 470C03696F74076578616D706C65 3E00"
    "0D05F475736572 0D03F47077 3C030201BB 3E0521C000020A",
    "D010 8103074301 82028121 B60568656C6C6F",
    "D00C 8103084200 82028121 B701ED",
    "D011 81030B2700 82028182 A40101 A503001003",
    "D00D 81030D0300 82028182 8402013C",
    "D01B 8103012500 82028182 8503455553 8F05014765742E 8F0402414243",
    "D012 8103170101 82028182 9207013F007FFF6F07",
    events,
};

static void play_octets(struct bench *b, struct rd octets)
{
    struct rd copy = exact_copy_of(octets);

    give(b, copy);
    exact_free(&copy);
    pump(b);
    b->n_command = 0;
    if (terminal_state(b->t) == TERMINAL_EXEC) {
        terminal_reset(b->t);
        pump(b);
    }
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_IDLE);
}

START_TEST(commands_that_are_cut_or_damaged_do_no_harm)
{
    struct bench *b = started();
    uint16_t port;
    int listener = local_socket(SOCK_STREAM, &port);

    map(b, "*:*", port);
    for (size_t i = 0; i < N_ELEMS(samples); i++) {
        uint8_t octets[300], cut[300];
        size_t n = hex(samples[i], octets, sizeof octets);
        for (size_t len = 1; len < n; len++) {
            play_octets(b, rd_of(octets, len));
            memcpy(cut, octets, len); /* and with a template that is right */
            cut[1] = (uint8_t)(len - 2);
            if (len >= 2)
                play_octets(b, rd_of(cut, len));
        }
        for (size_t at = 0; at < n; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                memcpy(cut, octets, n);
                cut[at] ^= (uint8_t)(1u << bit);
                play_octets(b, rd_of(cut, n));
            }
        }
        int fd;
        fcntl(listener, F_SETFL, O_NONBLOCK);
        while ((fd = accept(listener, NULL, NULL)) >= 0)
            close(fd);
        terminal_reset(b->t);
        pump(b);
    }
    close(listener);
    bench_free(b);
}
END_TEST

START_TEST(random_faults_do_no_harm)
{
    static const char *const story[] = {
        events,
        open_tcp,
        "D010 8103074301 82028121 B60568656C6C6F",
        "D00C 8103084200 82028121 B701ED",
        open_udp,
        "D00D 8103064301 82028122 B6026162",
        "D00C 8103084200 82028122 B701ED",
        "D009 81030A4100 82028121",
        "D009 81030A4100 82028122",
    };
    uint16_t port, udp_port;
    int listener = local_socket(SOCK_STREAM, &port), udp = local_socket(SOCK_DGRAM, &udp_port);

    fcntl(listener, F_SETFL, O_NONBLOCK);
    for (unsigned seed = 0; seed < 60; seed++) {
        struct bench *b = bench_new();
        char rule[32];
        snprintf(rule, sizeof rule, "seed=%u", seed);
        add_fault(b, rule);
        map(b, "*:443", port);
        map(b, "*:53", udp_port);
        start(b);
        for (size_t i = 0; i < 20 * N_ELEMS(story); i++) {
            give_hex(b, story[i % N_ELEMS(story)]);
            pump(b);
            int fd = accept(listener, NULL, NULL);
            if (fd >= 0) {
                ck_assert_int_eq(write(fd, "hello", 5), 5);
                close(fd);
            }
            advance(b, 100);
            b->n_command = 0;
        }
        terminal_reset(b->t);
        pump(b);
        ck_assert_int_eq(terminal_state(b->t), TERMINAL_IDLE);
        bench_free(b);
    }
    close(listener);
    close(udp);
}
END_TEST

START_TEST(a_card_that_never_stops_does_not_hold_the_loop)
{
    struct bench *b = started();

    b->always = true;
    give_hex(b, "D009 81030F0200 82028182");
    for (unsigned i = 0; i < 10; i++)
        event_base_loop(b->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    ck_assert_uint_gt(b->n_responses, 50);
    ck_assert_uint_lt(b->n_responses, 2000);
    ck_assert(!terminal_is_idle(b->t));
    bench_free(b);
}
END_TEST

static int dead_transmit(void *ctx, struct rd command, struct wr *ret, uint16_t *ret_sw,
                         struct lab_error *e)
{
    (void)ctx;
    (void)command;
    (void)ret;
    (void)ret_sw;
    return lab_fail(e, "it is gone");
}

START_TEST(a_card_that_is_gone_is_reported)
{
    struct bench *b = bench_new();

    b->config.card.transmit = dead_transmit;
    start(b);
    ck_assert_str_eq(terminal_error(b->t), "it is gone");
    ck_assert_int_eq(terminal_state(b->t), TERMINAL_OFF);
    ck_assert_uint_eq(b->rests, 1);
    terminal_poll(b->t);
    pump(b);
    bench_free(b);
}
END_TEST

START_TEST(many_terminals_share_a_loop)
{
    enum { MANY = 500 };
    struct bench **b = calloc(MANY, sizeof(struct bench *));
    uint16_t port;
    int peer = local_socket(SOCK_DGRAM, &port);

    ck_assert_ptr_nonnull(b);
    for (size_t i = 0; i < MANY; i++) {
        b[i] = bench_new();
        event_base_free(b[i]->base);
        b[i]->base = b[i]->config.base = i == 0 ? event_base_new() : b[0]->base;
        map(b[i], "*:*", port);
        start(b[i]);
        give_hex(b[i], open_udp);
    }
    for (size_t i = 0; i < MANY; i++)
        wait_for(b[i], &b[i]->n_responses, 1);
    for (size_t i = 0; i < MANY; i++)
        ck_hex(b[i]->response, opened);
    struct event_base *base = b[0]->base;
    for (size_t i = 0; i < MANY; i++) {
        terminal_free(&b[i]->t);
        free(b[i]);
    }
    event_base_free(base);
    close(peer);
    free(b);
}
END_TEST

START_TEST(others_in_the_device_may_use_the_card)
{
    static const uint8_t status[] = { 0x80, 0xF2, 0x00, 0x0C };
    struct bench *b = started();
    uint8_t room[16];
    struct lab_error e;
    uint16_t sw;
    struct wr w;

    wr_init(&w, room, sizeof room);
    memcpy(b->command, "\xD0\x09\x81\x03\x0F\x02\x00\x82\x02\x81\x82", 11);
    b->n_command = 11;
    ck_assert_int_eq(terminal_transmit(b->t, rd_of(status, sizeof status), &w, &sw, &e), 0);
    ck_assert_uint_eq(sw, 0x910B);
    ck_assert_uint_eq(b->n_responses, 0);
    pump(b);
    ck_assert_uint_eq(b->n_responses, 1);
    terminal_power_off(b->t);
    pump(b);
    ck_assert_int_ne(terminal_transmit(b->t, rd_of(status, sizeof status), &w, &sw, &e), 0);
    bench_free(b);
}
END_TEST

/* --- codec, addresses, capture ---------------------------------------------------------------- */

START_TEST(objects_are_read_back_as_written)
{
    static const size_t lengths[] = { 0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x1234 };
    uint8_t *octets = calloc(1, 0x2000), *room = calloc(1, 0x2000);

    for (size_t i = 0; i < N_ELEMS(lengths); i++) {
        struct wr w;
        struct object o;
        wr_init(&w, room, 0x2000);
        object_put(&w, OBJECT_CHANNEL_DATA | OBJECT_REQUIRED, rd_of(octets, lengths[i]));
        struct rd copy = exact_copy_of(wr_view(&w)), at = copy;
        ck_assert(object_take(&at, &o));
        ck_assert_uint_eq(o.tag, OBJECT_CHANNEL_DATA);
        ck_assert(o.required);
        ck_assert_uint_eq(o.value.n, lengths[i]);
        ck_assert_uint_eq(at.n, 0);
        for (size_t n = 0; n < copy.n; n++) {
            at = rd_of(copy.p, n);
            ck_assert(!object_take(&at, &o));
            ck_assert_uint_eq(at.n, n);
        }
        exact_free(&copy);
    }
    free(octets);
    free(room);
}
END_TEST

START_TEST(long_tags_and_tags_that_are_none)
{
    static const char *const bad[] = { "",     "00",   "80",     "FF00",         "7F",
                                       "7F01", "3601", "368000", "3684000000 00" };
    struct object o;

    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct rd copy = exact_copy(bad[i]), at = copy;
        ck_assert_msg(!object_take(&at, &o), "%s", bad[i]);
        exact_free(&copy);
    }
    struct rd copy = exact_copy("7F8123 0155"), at = copy;
    ck_assert(object_take(&at, &o));
    ck_assert_uint_eq(o.tag, 0x123);
    ck_assert(o.required);
    exact_free(&copy);
}
END_TEST

START_TEST(addresses_are_read_strictly)
{
    static const char *const good[] = { "192.0.2.10:443", "[2001:db8::10]:5684" };
    static const char *const bad[] = { "",          "192.0.2.10",    "192.0.2:1", "2001:db8::10:1",
                                       "1.2.3.4:0", "1.2.3.4:65536", "*:1",       "name:1",
                                       "[::1:1",    "1.2.3.4:" };
    static const char *const bad_rules[] = { "",     "1.2.3.4:1",     "1.2.3.4:1=*:2",
                                             "a:1=", "1.2.3.4:1=b:1", "=1.2.3.4:1" };
    char text[ADDRESS_TEXT_LEN];
    struct address_map m = { .n = 0 };
    struct address a;
    struct lab_error e;

    for (size_t i = 0; i < N_ELEMS(good); i++) {
        ck_assert_int_eq(address_read(good[i], false, &a, &e), 0);
        ck_assert_str_eq(address_text(&a, text), good[i]);
    }
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        ck_assert_msg(address_read(bad[i], false, &a, &e) != 0, "%s", bad[i]);
    for (size_t i = 0; i < N_ELEMS(bad_rules); i++)
        ck_assert_msg(address_map_add(&m, bad_rules[i], &e) != 0, "%s", bad_rules[i]);
    ck_assert_int_eq(address_map_add(&m, "[2001:db8::10]:*=127.0.0.1:99", &e), 0);
    ck_assert_int_eq(address_read("[2001:db8::10]:5684", false, &a, &e), 0);
    a = address_map_find(&m, &a);
    ck_assert_str_eq(address_text(&a, text), "127.0.0.1:99");
}
END_TEST

START_TEST(networks_are_read_as_digits)
{
    uint8_t plmn[3];

    ck_assert(terminal_plmn_read("00101", plmn));
    ck_assert_int_eq(memcmp(plmn, "\x00\xF1\x10", 3), 0);
    ck_assert(terminal_plmn_read("310410", plmn));
    ck_assert_int_eq(memcmp(plmn, "\x13\x00\x14", 3), 0);
    ck_assert(!terminal_plmn_read("0010", plmn));
    ck_assert(!terminal_plmn_read("0010a", plmn));
}
END_TEST

START_TEST(captures_are_packets_or_a_dump)
{
    char path[] = "/tmp/seu-capture-XXXXXX.pcap";
    uint8_t octets[256];
    struct lab_error e;
    struct capture *capture = NULL;
    struct address local, remote;
    const struct terminal_flow flow = {
        .channel = 1, .sent = true, .local = &local, .remote = &remote
    };

    ck_assert_int_eq(address_read("10.45.0.2:1", false, &local, &e), 0);
    ck_assert_int_eq(address_read("192.0.2.10:443", false, &remote, &e), 0);
    close(mkstemps(path, 5));
    ck_assert_int_eq(capture_open(path, &capture, &e), 0);
    capture_octets(capture, &flow, rd_str("hello"));
    capture_close(&capture);
    FILE *f = fopen(path, "rb");
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    unlink(path);
    ck_assert_uint_eq(n, 24 + 16 + 20 + 20 + 5);
    ck_assert_uint_eq(octets[40], 0x45);
    ck_assert_int_eq(memcmp(octets + n - 5, "hello", 5), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("terminal");
    TCase *t = tcase_create("terminal");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, power_up_is_reset_select_status_profile);
    tcase_add_test(t, capability_is_told_where_the_card_knows_it);
    tcase_add_test(t, attaching_takes_its_time_and_is_told);
    tcase_add_test(t, commands_are_answered_octet_for_octet);
    tcase_add_test(t, poll_interval_is_granted_within_bounds_and_kept);
    tcase_add_test(t, timers_run_on_the_clock);
    tcase_add_test(t, all_timers_at_once_are_told_one_by_one);
    tcase_add_test(t, location_is_told_if_the_card_wants_it);
    tcase_add_test(t, an_event_is_dropped_when_the_card_stays_busy);
    tcase_add_test(t, an_operator_chooses_from_the_menu_and_sends_messages);
    tcase_add_test(t, refresh_resets_with_or_without_an_answer);
    tcase_add_test(t, profile_state_change_needs_its_bit);
    tcase_add_test(t, a_reset_forgets_timers_events_and_channels);
    tcase_add_test(t, a_tcp_channel_from_open_to_close);
    tcase_add_test(t, a_link_is_dropped_only_when_everything_was_fetched);
    tcase_add_test(t, data_that_stays_is_told_again);
    tcase_add_test(t, a_buffer_bounds_what_is_received);
    tcase_add_test(t, a_buffer_fills_again_while_it_is_emptied);
    tcase_add_test(t, a_transmit_buffer_does_not_overflow);
    tcase_add_test(t, seven_channels_and_no_eighth);
    tcase_add_test(t, a_terminal_with_fewer_channels_says_so);
    tcase_add_test(t, a_peer_that_is_not_there_cannot_be_reached);
    tcase_add_test(t, connecting_takes_no_longer_than_it_may);
    tcase_add_test(t, in_the_background_the_answer_comes_first);
    tcase_add_test(t, on_demand_the_first_octets_make_the_link);
    tcase_add_test(t, datagrams_are_built_whole_and_received_one_by_one);
    tcase_add_test(t, without_boundaries_datagrams_run_together);
    tcase_add_test(t, addresses_and_name_servers_are_given_on_request);
    tcase_add_test(t, open_channel_that_cannot_be_is_refused);
    tcase_add_test(t, names_are_resolved_by_the_map);
    tcase_add_test(t, channels_are_lost_with_the_network);
    tcase_add_test(t, octets_are_counted_by_phase_and_channel);
    tcase_add_test(t, fault_rules_are_read_strictly);
    tcase_add_test(t, fault_no_service);
    tcase_add_test(t, fault_refuse_open);
    tcase_add_test(t, fault_busy_and_lost_responses);
    tcase_add_test(t, fault_late);
    tcase_add_test(t, fault_nonsense);
    tcase_add_test(t, fault_reset_at);
    tcase_add_test(t, fault_drop_datagram);
    tcase_add_test(t, fault_close_after);
    tcase_add_loop_test(t, fault_close_after_so_often, 0, 2);
    tcase_add_test(t, fault_slow);
    tcase_add_test(t, the_same_seed_makes_the_same_faults);
    tcase_add_test(t, commands_that_are_cut_or_damaged_do_no_harm);
    tcase_add_test(t, random_faults_do_no_harm);
    tcase_add_test(t, a_card_that_never_stops_does_not_hold_the_loop);
    tcase_add_test(t, a_card_that_is_gone_is_reported);
    tcase_add_test(t, many_terminals_share_a_loop);
    tcase_add_test(t, others_in_the_device_may_use_the_card);
    tcase_add_test(t, objects_are_read_back_as_written);
    tcase_add_test(t, long_tags_and_tags_that_are_none);
    tcase_add_test(t, addresses_are_read_strictly);
    tcase_add_test(t, networks_are_read_as_digits);
    tcase_add_test(t, captures_are_packets_or_a_dump);
    suite_add_tcase(s, t);
    return suite_status(s);
}
