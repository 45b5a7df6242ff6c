/* play_run.c - playing the statements of a script on a card. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certs/pki.h"
#include "lab/card_slot.h"
#include "lab/identity.h"
#include "lab/play.h"
#include "lab/play_tlv.h"
#include "lab/smdpp.h"
#include "lib/softeuicc.h"
#include "os/err.h"

enum {
    BLOCK = 255,
    MAX_BLOCKS = 256,
    FIRST_FAR_CHANNEL = 4,
    CLASS_UICC = 0x80,
    CLASS_SIM = 0xA0, /* TS 51.011 9.1 */
    SW_CLASS = 0x6E00,
    P1_LAST_BLOCK = 0x91,
    P1_MORE_BLOCKS = 0x11,
    MAX_FETCHES = 64,
    MAX_STEPS_PLAYED = 2000000,
    MAX_GET_RESPONSES = 4096,
    MAX_LISTED = 512,
    MAX_ROUNDS = 4096,
    NESTING = 8,
    SECONDS_OF_A_CASE = 600,
};

static const struct play_octets_style plain = { .plain = true };
static const struct play_octets_style rich = { .plain = false };
static const struct play_octets_style before_status = { .stop_at_status = true };

int play_differs(struct player *p, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(p->step->why, sizeof p->step->why, fmt, args);
    va_end(args);
    return PLAY_DIFFERS;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- APDUs ----------------------------------------------------------------------------------- */

static void put_log(struct wr *log, const char *mark, struct rd v)
{
    static const char digits[] = "0123456789ABCDEF";

    if (log->n + 2 * v.n + 16 > REPORT_LOG_MAX)
        return; /* too long to be kept */
    wr_put_rd(log, rd_str(mark));
    for (size_t i = 0; i < v.n; i++) {
        wr_put_u8(log, (uint8_t)digits[v.p[i] >> 4]);
        wr_put_u8(log, (uint8_t)digits[v.p[i] & 0xF]);
    }
    wr_put_u8(log, '\n');
}

/* What was said goes into the step. */
static void watch(void *ctx, struct rd command, struct rd response)
{
    struct player *p = ctx;

    p->was_mute = p->was_mute || response.n == 0;
    if (p->step == NULL)
        return;
    put_log(&p->step->log, "> ", command);
    put_log(&p->step->log, "< ", response);
}

int play_transmit(struct player *p, struct rd command, struct wr *ret, struct play_error *e)
{
    int r = card_transmit(p->card, command, ret, &p->sw, &e->e);

    p->mute = card_is_mute(p->card);
    if (!p->mute)
        return r;
    p->es10.channel = 0;
    return play_differs(p, "the card is mute");
}

/* The same, with GET RESPONSE for what 61xx announces. */
static int exchange(struct player *p, struct rd command, uint8_t get_response_class, struct wr *ret,
                    struct play_error *e)
{
    TRY(play_transmit(p, command, ret, e));
    for (unsigned i = 0; p->sw >> 8 == 0x61 && i < MAX_GET_RESPONSES; i++) {
        uint8_t get_response[] = { get_response_class, 0xC0, 0x00, 0x00, (uint8_t)p->sw };
        TRY(play_transmit(p, rd_of(get_response, sizeof get_response), ret, e));
    }
    return 0;
}

static uint8_t class_byte(const struct player *p, uint8_t cla)
{
    if (p->es10.channel < FIRST_FAR_CHANNEL)
        return (uint8_t)(cla | p->es10.channel);
    return (uint8_t)(cla | 0x40 | (p->es10.channel - FIRST_FAR_CHANNEL));
}

int play_open_isdr(struct player *p, struct play_error *e)
{
    if (p->es10.channel != 0)
        return 0;
    int r = es10_open(&p->es10, p->card, &e->e);
    p->mute = card_is_mute(p->card);
    if (p->mute)
        return play_differs(p, "the card is mute");
    return r != 0 && !p->es10.lost ? play_differs(p, "%s", e->e.text) : r;
}

static bool is_good(uint16_t sw)
{
    return sw == 0x9000 || sw >> 8 == 0x91;
}

int play_es10(struct player *p, struct rd request, struct play_error *e)
{
    uint8_t apdu[5 + BLOCK];

    wr_clear(&p->last);
    if (request.n > (size_t)BLOCK * MAX_BLOCKS)
        return lab_fail(&e->e, "the request is longer than %d blocks", MAX_BLOCKS);
    TRY(play_open_isdr(p, e));
    for (unsigned block = 0; block == 0 || request.n > 0; block++) {
        struct rd part;
        TRY(rd_take(&request, request.n < BLOCK ? request.n : BLOCK, &part));
        apdu[0] = class_byte(p, 0x80);
        apdu[1] = 0xE2;
        apdu[2] = request.n == 0 ? P1_LAST_BLOCK : P1_MORE_BLOCKS;
        apdu[3] = (uint8_t)block;
        apdu[4] = (uint8_t)part.n;
        if (part.n > 0)
            memcpy(apdu + 5, part.p, part.n);
        TRY(exchange(p, rd_of(apdu, 5 + part.n), class_byte(p, 0x00), &p->last, e));
        if (!is_good(p->sw))
            return 0;
    }
    play_learn_euicc(p, wr_view(&p->last));
    return 0;
}

int play_es10_ok(struct player *p, struct rd request, struct play_error *e)
{
    TRY(play_es10(p, request, e));
    return is_good(p->sw) ? 0 : play_differs(p, "the status word is %04X", p->sw);
}

int play_ask(struct player *p, struct rd request, struct wr *ret, struct play_error *e)
{
    struct wr kept = p->last;
    uint16_t sw = p->sw;

    wr_init_heap(&p->last, REPORT_OCTETS_MAX);
    int r = play_es10(p, request, e);
    if (r == 0 && is_good(p->sw))
        wr_put_rd(ret, wr_view(&p->last));
    wr_done(&p->last);
    p->last = kept;
    p->sw = sw;
    return r;
}

/* --- answers --------------------------------------------------------------------------------- */

static int compare(struct player *p, const struct play_step *s, struct rd octets, bool mute,
                   struct play_error *e)
{
    struct play_answer answer = { octets, mute };
    struct play_match match;

    wr_clear(&p->step->received);
    wr_put_rd(&p->step->received, octets);
    TRY(play_match(s->wanted, &answer, &p->names, &match, e));
    if (match.fits)
        return 0;
    p->step->wanted = strdup(s->wanted);
    if (mute)
        return play_differs(p, "the card is mute");
    p->step->has_first = true;
    p->step->first = match.first;
    play_wanted_symbols(s->wanted, &p->names, &p->step->symbols);
    return play_differs(p, "the answer differs from what is wanted");
}

int play_compare_last(struct player *p, const struct play_step *s, struct play_error *e)
{
    return compare(p, s, wr_view(&p->last), false, e);
}

/* data and status word, as one */
static int compare_answer(struct player *p, const struct play_step *s, struct rd data,
                          struct play_error *e)
{
    struct wr whole;

    wr_init_heap(&whole, REPORT_OCTETS_MAX);
    wr_put_rd(&whole, data);
    wr_put_u8(&whole, (uint8_t)(p->sw >> 8));
    wr_put_u8(&whole, (uint8_t)p->sw);
    int r = compare(p, s, wr_view(&whole), false, e);
    wr_done(&whole);
    return r;
}

/* --- octets ---------------------------------------------------------------------------------- */

static int octets(struct player *p, const char *text, struct play_octets_style style,
                  struct wr *ret, struct play_error *e)
{
    wr_init_heap(ret, PLAY_VALUE_MAX);
    int r = play_octets_read(text, style, &p->names, ret, NULL, e);
    if (r != 0)
        wr_done(ret);
    return r;
}

/* --- statements ------------------------------------------------------------------------------ */

static int run_reset(struct player *p, const struct play_step *s, struct play_error *e)
{
    wr_clear(&p->last);
    p->es10.channel = 0;
    p->mute = false;
    TRY(card_reset(p->card, CARD_COLD, &p->last, &e->e));
    return s->wanted == NULL ? 0 : compare(p, s, wr_view(&p->last), false, e);
}

static int run_power_off(struct player *p, const struct play_step *s, struct play_error *e)
{
    (void)s;
    p->es10.channel = 0;
    return card_power_off(p->card, &e->e);
}

/* FETCH what the last status word announces. */
static int fetch(struct player *p, struct play_error *e)
{
    uint8_t command[] = { p->cat_class, 0x12, 0x00, 0x00, (uint8_t)p->sw };
    struct tlv proactive, details;

    if (p->sw >> 8 != 0x91)
        return play_differs(p, "no proactive command waits: the last status word was %04X", p->sw);
    wr_clear(&p->last);
    TRY(play_transmit(p, rd_of(command, sizeof command), &p->last, e));
    struct rd in = wr_view(&p->last);
    if (tlv_expect(&in, 0xD0, &proactive) != 0 ||
        (!tlv_find(proactive.value, 0x81, &details) &&
         !tlv_find(proactive.value, 0x01, &details)) ||
        details.value.n != sizeof p->proactive)
        return play_differs(p, "what FETCH gives is no proactive command");
    memcpy(p->proactive, details.value.p, sizeof p->proactive);
    return 0;
}

/* TERMINAL RESPONSE to what was fetched last: result with its information, and further TLVs. */
static int respond(struct player *p, struct rd result, struct rd tlvs, struct play_error *e)
{
    static const uint8_t devices[] = { 0x82, 0x81 };
    uint8_t apdu[5 + BLOCK] = { p->cat_class, 0x14, 0x00, 0x00 };
    struct wr w, nothing;
    uint8_t room[BLOCK];

    wr_init(&w, apdu + 5, BLOCK);
    tlv_put(&w, 0x81, rd_of(p->proactive, sizeof p->proactive));
    tlv_put(&w, 0x82, rd_of(devices, sizeof devices));
    tlv_put(&w, 0x83, result);
    wr_put_rd(&w, tlvs);
    if (wr_failed(&w) != 0)
        return play_fail(e, e->at, "a TERMINAL RESPONSE has at most %d octets", BLOCK);
    apdu[4] = (uint8_t)w.n;
    wr_init(&nothing, room, sizeof room);
    TRY(play_transmit(p, rd_of(apdu, 5 + w.n), &nothing, e));
    if (p->proactive[1] == 0x01)
        p->es10.channel = 0; /* REFRESH: the ISD-R is selected anew */
    return 0;
}

/* FETCH and TERMINAL RESPONSE until no proactive command waits (TS 51.013 B.2). */
static int answer_proactive(struct player *p, struct play_error *e)
{
    static const uint8_t performed[] = { 0x00 };
    for (unsigned i = 0; p->sw >> 8 == 0x91 && i < MAX_FETCHES; i++) {
        TRY(fetch(p, e));
        TRY(respond(p, rd_of(performed, sizeof performed), rd_of(NULL, 0), e));
    }
    return 0;
}

static int run_fetch(struct player *p, const struct play_step *s, struct play_error *e)
{
    TRY(fetch(p, e));
    return s->wanted == NULL ? 0 : compare(p, s, wr_view(&p->last), false, e);
}

static int run_respond(struct player *p, const struct play_step *s, struct play_error *e)
{
    static const uint8_t none[sizeof p->proactive];
    struct wr result, tlvs;

    if (memcmp(p->proactive, none, sizeof none) == 0)
        return play_fail(e, s->at, "nothing was fetched yet");
    TRY(octets(p, s->arguments[0], rich, &result, e));
    if (result.n == 0)
        wr_put_u8(&result, 0x00);
    int r = octets(p, s->arguments[1], rich, &tlvs, e);
    if (r == 0) {
        e->at = s->at;
        r = respond(p, wr_view(&result), wr_view(&tlvs), e);
        wr_done(&tlvs);
    }
    wr_done(&result);
    wr_clear(&p->last);
    return r == 0 && s->wanted != NULL ? compare_answer(p, s, wr_view(&p->last), e) : r;
}

static int run_terminal_profile(struct player *p, const struct play_step *s, struct play_error *e)
{
    uint8_t apdu[5 + BLOCK] = { CLASS_UICC, 0x10, 0x00, 0x00 };
    struct wr profile;

    TRY(octets(p, s->arguments[0], plain, &profile, e));
    bool fits = profile.n <= BLOCK;
    apdu[4] = (uint8_t)profile.n;
    if (fits && profile.n > 0)
        memcpy(apdu + 5, profile.p, profile.n);
    size_t n = 5 + profile.n;
    wr_done(&profile);
    if (!fits)
        return play_fail(e, s->arguments[0], "a terminal profile has at most 255 octets");
    wr_clear(&p->last);
    TRY(play_transmit(p, rd_of(apdu, n), &p->last, e));
    if (p->sw == SW_CLASS) { /* TS 51.013 is about SIMs */
        apdu[0] = CLASS_SIM;
        TRY(play_transmit(p, rd_of(apdu, n), &p->last, e));
    }
    p->cat_class = apdu[0];
    if (!is_good(p->sw))
        return play_differs(p, "TERMINAL PROFILE: the status word is %04X", p->sw);
    return answer_proactive(p, e);
}

static int run_refresh(struct player *p, const struct play_step *s, struct play_error *e)
{
    (void)s;
    if (p->sw >> 8 != 0x91)
        return play_differs(p, "no proactive command waits: the last status word was %04X", p->sw);
    return answer_proactive(p, e);
}

/* "[DATA] (STATUS)".  Data that a reader leaves behind 61xx, or 9Fxx of a SIM, are fetched when
 * they are wanted. */
static int check_command(struct player *p, const struct play_step *s, struct play_error *e)
{
    const char *status = s->arguments[2];

    if (s->arguments[1] != NULL) {
        struct play_step wanted = *s;
        wanted.wanted = s->arguments[1];
        TRY(compare(p, &wanted, wr_view(&p->last), false, e));
    }
    if (status != NULL && !play_status_fits(status, p->sw)) {
        free(p->step->wanted);
        p->step->wanted = strdup(status);
        return play_differs(p, "the status word is %04X, not %s", p->sw, status);
    }
    return s->wanted == NULL ? 0 : compare_answer(p, s, wr_view(&p->last), e);
}

int play_mute_is_wanted(struct player *p, const struct play_step *s, int r, struct play_error *e)
{
    if (r != PLAY_DIFFERS || !p->mute || s->wanted == NULL)
        return r;
    return compare(p, s, rd_of(NULL, 0), true, e);
}

static int run_apdu(struct player *p, const struct play_step *s, struct play_error *e)
{
    const char *status = s->arguments[2];
    struct wr command;

    TRY(octets(p, s->arguments[0], rich, &command, e));
    wr_clear(&p->last);
    int r = play_transmit(p, wr_view(&command), &p->last, e);
    bool waits = r == 0 && s->arguments[1] != NULL && p->last.n == 0 &&
                 (p->sw >> 8 == 0x61 || p->sw >> 8 == 0x9F) &&
                 (status == NULL || !play_status_fits(status, p->sw));
    if (waits) {
        uint8_t get_response[] = { command.p[0], 0xC0, 0x00, 0x00, (uint8_t)p->sw };
        r = exchange(p, rd_of(get_response, sizeof get_response), command.p[0], &p->last, e);
    }
    wr_done(&command);
    return r == 0 ? check_command(p, s, e) : play_mute_is_wanted(p, s, r, e);
}

static int run_send(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr command;

    TRY(octets(p, s->arguments[0], rich, &command, e));
    wr_clear(&p->last);
    int r = play_transmit(p, wr_view(&command), &p->last, e);
    wr_done(&command);
    if (r != 0)
        return play_mute_is_wanted(p, s, r, e);
    return s->wanted == NULL ? 0 : compare_answer(p, s, wr_view(&p->last), e);
}

static int run_es10(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr request;

    TRY(octets(p, s->arguments[0], before_status, &request, e));
    int r = play_es10(p, wr_view(&request), e);
    wr_done(&request);
    if (r != 0)
        return play_mute_is_wanted(p, s, r, e);
    if (s->arguments[1] != NULL ? !play_status_fits(s->arguments[1], p->sw) : !is_good(p->sw))
        return play_differs(p, "the status word is %04X, not %s", p->sw,
                            s->arguments[1] != NULL ? s->arguments[1] : "9000 or 91XX");
    return s->wanted == NULL ? 0 : compare(p, s, wr_view(&p->last), false, e);
}

static int run_select_isdr(struct player *p, const struct play_step *s, struct play_error *e)
{
    (void)s;
    es10_close(&p->es10);
    return play_open_isdr(p, e);
}

static int run_expect(struct player *p, const struct play_step *s, struct play_error *e)
{
    const char *name = s->arguments[1];
    struct rd about = wr_view(&p->last);
    struct play_verdict verdict;

    if (name != NULL && !play_names_get(&p->names, name, &about))
        return play_fail(e, name, "there is no %s yet", name);
    TRY(play_predicate(s->arguments[0], about, &p->names, &verdict, e));
    if (verdict.holds)
        return 0;
    wr_clear(&p->step->received);
    wr_put_rd(&p->step->received, about);
    p->step->wanted = strdup(s->arguments[0]);
    return play_differs(p, "%s", verdict.why.text);
}

static int keep(struct player *p, const char *name, struct rd value, struct play_error *e)
{
    return play_names_put(&p->names, name, value)
               ? 0
               : play_fail(e, name, "more than %d variables, or out of memory", PLAY_MAX_NAMES);
}

static int run_let(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr value;

    TRY(octets(p, s->arguments[1], rich, &value, e));
    int r = keep(p, s->arguments[0], wr_view(&value), e);
    wr_done(&value);
    return r;
}

static int run_take(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct tlv t;

    TRY(play_path_find(s->arguments[1], wr_view(&p->last), &p->names, &t, e));
    if (t.tag == 0) {
        wr_put_rd(&p->step->received, wr_view(&p->last));
        p->step->wanted = strdup(s->arguments[1]);
        return play_differs(p, "there is no such TLV");
    }
    return keep(p, s->arguments[0], t.value, e);
}

static int run_note(struct player *p, const struct play_step *s, struct play_error *e)
{
    (void)p, (void)s, (void)e;
    return 0;
}

static int run_stop(struct player *p, const struct play_step *s, struct play_error *e)
{
    (void)p, (void)s, (void)e;
    return PLAY_STOPS;
}

/* Things that the card lists: the request for the list, where each one's name is in the answer, and
 * the function that removes it by that name. */
struct listed {
    uint8_t list[7];
    uint8_t list_n;
    const char *path;
    uint16_t remove, name;
};

static const struct listed profiles = {
    { 0xBF, 0x2D, 0x03, 0x5C, 0x01, 0x5A }, 6, "BF2D/A0/E3/5A", 0xBF33, 0x5A
};
static const struct listed notifications = {
    { 0xBF, 0x28, 0x00 }, 3, "BF28/A0/BF2F/80", 0xBF30, 0x80
};
static const struct listed package_results = {
    { 0xBF, 0x2B, 0x04, 0xA0, 0x02, 0x82, 0x00 }, 7, "BF2B/A2/BF51/A0/30/83", 0xBF30, 0x80
};

static int remove_all(struct player *p, const struct listed *what, struct play_error *e)
{
    struct tlv t;

    for (unsigned i = 0; i < MAX_LISTED; i++) {
        uint8_t room[32];
        struct wr request;
        TRY(play_es10_ok(p, rd_of(what->list, what->list_n), e));
        TRY(play_path_find(what->path, wr_view(&p->last), &p->names, &t, e));
        if (t.tag == 0)
            return 0;
        wr_init(&request, room, sizeof room);
        struct wr_mark mark = tlv_open(&request, what->remove);
        tlv_put(&request, what->name, t.value);
        tlv_close(&request, mark);
        TRY(play_es10_ok(p, wr_view(&request), e));
    }
    return play_differs(p, "%s has more than can be removed", what->path);
}

/* The common initial state by APDUs: no profiles, no eIMs, no notifications and results of
 * packages (SGP.23 G.2.6).  The reset of SGP.22 leaves provisioning profiles. */
static int run_clean(struct player *p, const struct play_step *s, struct play_error *e)
{
    static const uint8_t iot_reset[] = { 0xBF, 0x64, 0x04, 0x82, 0x02, 0x01, 0xFE };
    static const uint8_t reset[] = { 0xBF, 0x34, 0x04, 0x82, 0x02, 0x05, 0xE0 };

    (void)s;
    TRY(play_es10(p, rd_of(iot_reset, sizeof iot_reset), e));
    bool iot = is_good(p->sw);
    if (!iot)
        TRY(play_es10_ok(p, rd_of(reset, sizeof reset), e));
    if (p->sw >> 8 == 0x91)
        TRY(answer_proactive(p, e));
    TRY(remove_all(p, iot ? &package_results : &profiles, e));
    return remove_all(p, &notifications, e);
}

/* --- the back door --------------------------------------------------------------------------- */

static int control(struct player *p, const char *line, char *reply, struct play_error *e)
{
    if (!card_has_control(p->card)) {
        play_differs(p, "a card in a reader has no back door");
        return PLAY_SKIPS;
    }
    if (card_control(p->card, line, reply, PLAY_CONTROL_LEN) != 0)
        return play_fail(e, line, "%s", reply);
    return 0;
}

static int run_control(struct player *p, const struct play_step *s, struct play_error *e)
{
    char reply[PLAY_CONTROL_LEN] = "";

    TRY(control(p, s->arguments[0], reply, e));
    if (strncmp(s->arguments[0], "reset", 5) == 0 || strncmp(s->arguments[0], "power-off", 9) == 0)
        p->es10.channel = 0;
    wr_clear(&p->last);
    wr_put_rd(&p->last, rd_str(reply));
    return s->wanted == NULL ? 0 : compare(p, s, wr_view(&p->last), false, e);
}

static int run_cut_after(struct player *p, const struct play_step *s, struct play_error *e)
{
    char line[64], reply[PLAY_CONTROL_LEN] = "";

    snprintf(line, sizeof line, "cut-after %lu", s->count);
    int r = control(p, line, reply, e);
    if (r == ERR_INPUT)
        e->at = s->at;
    return r;
}

/* In each round one write more gets through; run_step() sees what comes of it. */
static int run_cut_each(struct player *p, const struct play_step *s, struct play_error *e)
{
    char line[64], reply[PLAY_CONTROL_LEN] = "";

    if (p->cuts_each)
        return play_fail(e, s->at, "one cut-each is enough for a case");
    snprintf(line, sizeof line, "cut-after %zu", p->round);
    int r = control(p, line, reply, e);
    if (r == ERR_INPUT)
        e->at = s->at;
    p->cuts_each = p->cut_armed = r == 0;
    return r;
}

/* Behind the statement that was to lose its power. */
static int after_cut(struct player *p, int r, struct play_error *e)
{
    char reply[PLAY_CONTROL_LEN] = "";

    p->cut_armed = false;
    if (r != PLAY_DIFFERS || !p->mute) {
        if (p->round == 0 && r == 0)
            return play_differs(p, "nothing was written that could be cut off");
        TRY(control(p, "clear", reply, e));
        return r;
    }
    p->cut_hit = true;
    p->step->why[0] = '\0';
    p->es10.channel = 0;
    p->mute = false;
    wr_clear(&p->last);
    return card_reset(p->card, CARD_COLD, &p->last, &e->e);
}

static int run_mark(struct player *p, const struct play_step *s, struct play_error *e)
{
    (void)s;
    return control(p, "digest", p->digest, e);
}

static int changed(struct player *p, const struct play_step *s, bool wanted, struct play_error *e)
{
    char now[PLAY_CONTROL_LEN] = "";

    if (p->digest[0] == '\0')
        return play_fail(e, s->at, "there was no mark before");
    TRY(control(p, "digest", now, e));
    if ((strcmp(now, p->digest) != 0) == wanted)
        return 0;
    return play_differs(p, "what the card holds is %s since the mark",
                        wanted ? "the same as" : "different");
}

static int run_changed(struct player *p, const struct play_step *s, struct play_error *e)
{
    return changed(p, s, true, e);
}

static int run_unchanged(struct player *p, const struct play_step *s, struct play_error *e)
{
    return changed(p, s, false, e);
}

/* --- a case ---------------------------------------------------------------------------------- */

static play_runner *const runners[PLAY_N_VERBS] = {
    [PLAY_RESET] = run_reset,
    [PLAY_POWER_OFF] = run_power_off,
    [PLAY_TERMINAL_PROFILE] = run_terminal_profile,
    [PLAY_APDU] = run_apdu,
    [PLAY_SEND] = run_send,
    [PLAY_ES10] = run_es10,
    [PLAY_SELECT_ISDR] = run_select_isdr,
    [PLAY_EXPECT] = run_expect,
    [PLAY_FETCH] = run_fetch,
    [PLAY_RESPOND] = run_respond,
    [PLAY_LOAD] = play_run_load,
    [PLAY_LET] = run_let,
    [PLAY_TAKE] = run_take,
    [PLAY_VERIFY] = play_run_verify,
    [PLAY_VERIFY_PREPARE] = play_run_verify_prepare,
    [PLAY_EIM] = play_run_eim,
    [PLAY_ASSOCIATE] = play_run_associate,
    [PLAY_PACKAGE] = play_run_package,
    [PLAY_COMPUTE] = play_run_compute,
    [PLAY_DOWNLOAD] = play_run_download,
    [PLAY_TERMINAL] = play_run_terminal,
    [PLAY_WAIT] = play_run_wait,
    [PLAY_SERVE] = play_run_serve,
    [PLAY_REFRESH] = run_refresh,
    [PLAY_CLEAN] = run_clean,
    [PLAY_CONTROL] = run_control,
    [PLAY_CUT_AFTER] = run_cut_after,
    [PLAY_CUT_EACH] = run_cut_each,
    [PLAY_MARK] = run_mark,
    [PLAY_CHANGED] = run_changed,
    [PLAY_UNCHANGED] = run_unchanged,
    [PLAY_NOTE] = run_note,
    [PLAY_STOP] = run_stop,
};

static enum report_status status_of(int r)
{
    return r == 0              ? REPORT_PASSED
           : r == PLAY_DIFFERS ? REPORT_FAILED
           : r == PLAY_SKIPS   ? REPORT_SKIPPED
           : r == PLAY_STOPS   ? REPORT_PASSED
                               : REPORT_ERROR;
}

static void observe(void *ctx, enum code_list list, uint64_t code)
{
    struct player *p = ctx;

    report_observe(p->record, list, code);
}

/* Whether p->last is the answer to this statement, and may hold result codes. */
static bool has_answer(enum play_verb verb)
{
    return verb == PLAY_APDU || verb == PLAY_SEND || verb == PLAY_ES10 || verb == PLAY_PACKAGE ||
           verb == PLAY_DOWNLOAD || verb == PLAY_LOAD || verb == PLAY_ASSOCIATE ||
           verb == PLAY_CLEAN || verb == PLAY_TERMINAL || verb == PLAY_WAIT;
}

static int run_step(struct player *p, const struct play_step *s, struct lab_error *e)
{
    char where[PLAY_PLACE_LEN];
    struct play_error error = { .at = s->at };
    double begin = seconds();

    p->step = report_add_step(p->record);
    if (p->step == NULL)
        return lab_fail(e, "out of memory");
    p->step->text = play_source_text(s->source, s->at);
    p->step->place = strdup(play_place(s->source, s->at, where));
    bool armed = p->cut_armed && s->verb != PLAY_NOTE;
    int r = runners[s->verb](p, s, &error);
    if (has_answer(s->verb))
        play_codes_in(wr_view(&p->last), observe, p);
    if (armed)
        r = after_cut(p, r, &error);
    p->step->seconds = seconds() - begin;
    p->step->status = status_of(r);
    if (r == PLAY_DIFFERS && p->step->received.n == 0)
        wr_put_rd(&p->step->received, wr_view(&p->last));
    if (r < 0) {
        snprintf(p->step->why, sizeof p->step->why, "%s: %.200s",
                 play_place(s->source, error.at, where), error.e.text);
        lab_fail(e, "%s", p->step->why);
    }
    p->step = NULL;
    return r;
}

/* Blocks that are open. */
struct loops {
    struct {
        size_t begin;
        unsigned long left;
    } at[NESTING];
    size_t n;
    struct {
        size_t next; /* the part that is tried next, or the end */
        size_t loops;
    } either[NESTING];
    size_t n_either;
};

static size_t end_of(const struct play_steps *steps, size_t i)
{
    while (steps->at[i].verb != PLAY_END)
        i = steps->at[i].block;
    return i;
}

/* A part of "either" begins. */
static void begin_part(const struct play_steps *steps, struct loops *loops, size_t i)
{
    if (loops->n_either == NESTING)
        return;
    loops->either[loops->n_either].next = steps->at[i].block;
    loops->either[loops->n_either++].loops = loops->n;
}

/* A statement differs: the index of the next part's first statement, if there is one. */
static bool try_next_part(const struct play_steps *steps, struct loops *loops, size_t *ret)
{
    while (loops->n_either > 0) {
        size_t next = loops->either[loops->n_either - 1].next;
        loops->n = loops->either[--loops->n_either].loops;
        if (steps->at[next].verb == PLAY_OR) {
            begin_part(steps, loops, next);
            *ret = next + 1;
            return true;
        }
    }
    return false;
}

static void end_repeat(const struct play_step *s, struct loops *loops, size_t *ret)
{
    if (loops->at[loops->n - 1].left == 0) {
        loops->n--;
    } else {
        loops->at[loops->n - 1].left--;
        *ret = s->block + 1;
    }
}

static void begin_repeat(const struct play_step *s, struct loops *loops, size_t *ret)
{
    if (s->count == 0 || loops->n == NESTING) {
        *ret = s->block + 1;
    } else {
        loops->at[loops->n].begin = *ret - 1;
        loops->at[loops->n++].left = s->count - 1;
    }
}

/* From the index of one statement to that of the next. */
static void go_on(const struct player *p, const struct play_steps *steps, struct loops *loops,
                  size_t *ret)
{
    size_t i = *ret;
    const struct play_step *s = &steps->at[i];

    *ret = i + 1;
    if (s->verb == PLAY_SWITCH && !play_status_fits(s->arguments[0], p->sw)) {
        *ret = s->block + 1;
    } else if (s->verb == PLAY_REPEAT) {
        begin_repeat(s, loops, ret);
    } else if (s->verb == PLAY_EITHER) {
        begin_part(steps, loops, i);
    } else if (s->verb == PLAY_OR) { /* the part before it holds */
        *ret = end_of(steps, i);
    } else if (s->verb == PLAY_END && steps->at[s->block].verb == PLAY_REPEAT && loops->n > 0) {
        end_repeat(s, loops, ret);
    } else if (s->verb == PLAY_END && loops->n_either > 0 &&
               (steps->at[s->block].verb == PLAY_EITHER || steps->at[s->block].verb == PLAY_OR)) {
        loops->n_either--;
    }
}

static int run_steps(struct player *p, const struct play_steps *steps, struct lab_error *e)
{
    struct loops loops = { .n = 0 };
    double begin = seconds();
    size_t i = 0;

    while (i < steps->n) {
        const struct play_step *s = &steps->at[i];
        if (++p->record->n_played > MAX_STEPS_PLAYED || seconds() - begin > SECONDS_OF_A_CASE)
            return lab_fail(e, "the case plays more than %d statements, or %d seconds",
                            MAX_STEPS_PLAYED, SECONDS_OF_A_CASE);
        int r = runners[s->verb] == NULL ? 0 : run_step(p, s, e);
        if (r == PLAY_DIFFERS && try_next_part(steps, &loops, &i))
            continue;
        TRY(r);
        go_on(p, steps, &loops, &i);
    }
    return 0;
}

static void forget(struct player *p)
{
    play_forget_ipae(p);
    play_forget_models(p);
    play_names_clear(&p->names);
    wr_clear(&p->last);
    p->sw = 0;
    p->mute = false;
    p->digest[0] = '\0';
    p->step = NULL;
}

/* What the APDUs of the case took. */
static void take_card_time(struct player *p)
{
    if (p->card == NULL)
        return;
    double now = card_seconds(p->card);
    size_t commands = card_commands(p->card);
    p->record->card_seconds += now - p->card_seconds;
    p->record->n_apdus += commands - p->card_commands;
    p->card_seconds = p->shared != NULL ? now : 0;
    p->card_commands = p->shared != NULL ? commands : 0;
}

/* A card of its own, or the shared one after a reset. */
static int begin_card(struct player *p, const struct play_script *script, const struct play_case *c,
                      struct lab_error *e)
{
    p->es10 = (struct es10){ .card = p->card };
    p->cat_class = CLASS_UICC;
    memset(p->proactive, 0, sizeof p->proactive);
    if (p->shared == NULL) {
        TRY(play_make_card(p, script, c, e));
        p->es10.card = p->card;
    }
    card_watch(p->card, watch, p);
    wr_clear(&p->last);
    return card_reset(p->card, CARD_COLD, &p->last, e);
}

static int run_round(struct player *p, const struct play_script *script, const struct play_case *c,
                     struct lab_error *e)
{
    int r = begin_card(p, script, c, e);

    if (r == 0)
        r = run_steps(p, &script->common.steps, e);
    if (r == 0)
        r = run_steps(p, &c->steps, e);
    if (p->card != NULL && !p->mute)
        es10_close(&p->es10);
    return r;
}

/* Once; with cut-each until nothing is cut off, only the last round's steps being kept. */
static int run_case(struct player *p, const struct play_script *script, const struct play_case *c,
                    struct lab_error *e)
{
    int r;

    p->round = 0;
    do {
        p->cut_hit = p->cuts_each = p->cut_armed = false;
        r = run_round(p, script, c, e);
        bool again = r == 0 && p->cut_hit;
        p->record->rounds = p->round + 1;
        take_card_time(p);
        play_forget_ipae(p);
        if (p->shared == NULL)
            card_close(&p->card);
        if (!again)
            break;
        forget(p);
        report_forget_steps(p->record);
    } while (++p->round < MAX_ROUNDS);
    return p->round < MAX_ROUNDS ? r : lab_fail(e, "cut-each: more than %d rounds", MAX_ROUNDS);
}

/* Why a case is not played; "" when it is. */
static void why_not(const struct player *p, const struct play_script *script,
                    const struct play_case *c, char ret[REPORT_WHY_LEN])
{
    const char *missing = play_missing_option(p->options, &script->common.needs);

    ret[0] = '\0';
    if (missing == NULL)
        missing = play_missing_option(p->options, &c->needs);
    if (c->skip != NULL)
        snprintf(ret, REPORT_WHY_LEN, "%s", c->skip);
    else if (missing != NULL)
        snprintf(ret, REPORT_WHY_LEN, "not applicable: %s%s", missing[0] == '!' ? "not with " : "",
                 missing + (missing[0] == '!'));
    else if (p->shared != NULL && (c->own_card || script->common.own_card))
        snprintf(ret, REPORT_WHY_LEN, "needs a card that is made for it");
}

static void take_why(struct report_case *record, int r, const struct lab_error *e)
{
    const struct report_step *last =
        record->n_steps > 0 ? &record->steps[record->n_steps - 1] : NULL;

    size_t n = 0;

    if (r != 0 && record->rounds > 1)
        n = (size_t)snprintf(record->why, sizeof record->why,
                             "with a cut after %zu writes: ", record->rounds - 1);
    if (r < 0)
        snprintf(record->why + n, sizeof record->why - n, "%s", e->text);
    else if (r != 0 && last != NULL)
        snprintf(record->why + n, sizeof record->why - n, "%s", last->why);
}

/* A failure that the case says may be. */
static void make_todo(struct report_case *record, const char *why)
{
    char failure[REPORT_WHY_LEN];

    copy_text(record->why, failure, sizeof failure);
    snprintf(record->why, sizeof record->why, "%.200s: %.300s", why, failure);
    record->status = REPORT_TODO;
}

static char *join_words(const struct play_words *a, const struct play_words *b)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (f == NULL)
        return NULL;
    for (size_t i = 0; i < a->n; i++)
        fprintf(f, "%s ", a->at[i]);
    for (size_t i = 0; i < b->n; i++)
        fprintf(f, "%s ", b->at[i]);
    fclose(f);
    if (text != NULL && n > 0)
        text[n - 1] = '\0';
    return text;
}

static char *copy(const char *text)
{
    return strdup(text != NULL ? text : "");
}

static bool describe(struct report_case *record, const struct play_script *script,
                     const struct play_case *c)
{
    record->id = copy(c->id);
    record->title = copy(c->title);
    record->section = copy(c->section);
    record->provenance = copy(c->provenance);
    record->ref = copy(c->ref);
    record->needs = join_words(&script->common.needs, &c->needs);
    record->file = copy(play_source_path(c->source));
    record->line = play_source_line(c->source, c->at);
    return record->id != NULL && record->title != NULL && record->section != NULL &&
           record->provenance != NULL && record->ref != NULL && record->needs != NULL &&
           record->file != NULL;
}

static int play_case(struct player *p, const struct play_script *script, const struct play_case *c,
                     struct report *report, struct lab_error *e)
{
    struct report_case *record = report_add_case(report);
    struct lab_error why = { "" };
    double begin = seconds();

    if (record == NULL || !describe(record, script, c)) {
        report->n -= record != NULL;
        return lab_fail(e, "out of memory");
    }
    why_not(p, script, c, record->why);
    if (record->why[0] != '\0') {
        record->status = REPORT_SKIPPED;
    } else {
        p->record = record;
        int r = run_case(p, script, c, &why);
        record->status = status_of(r);
        take_why(record, r, &why);
        if (record->status == REPORT_FAILED && c->todo != NULL)
            make_todo(record, c->todo);
        else if (record->status == REPORT_PASSED && c->todo != NULL)
            snprintf(record->why, sizeof record->why, "passes, though it is todo: %s", c->todo);
    }
    record->seconds = seconds() - begin;
    report_clean(record);
    report_count(report, record);
    forget(p);
    return 0;
}

static bool is_chosen(const struct player *p, const struct play_case *c)
{
    const struct play_options *o = p->options;

    return (o->only_case == NULL || strcmp(o->only_case, c->id) == 0) &&
           (o->only_section == NULL ||
            (c->section != NULL &&
             strncmp(o->only_section, c->section, strlen(o->only_section)) == 0));
}

int player_play(struct player *p, const struct play_script *script, struct report *report,
                struct lab_error *e)
{
    for (size_t i = 0; i < script->n; i++)
        if (is_chosen(p, &script->cases[i]))
            TRY(play_case(p, script, &script->cases[i], report, e));
    return 0;
}

/* --- the player ------------------------------------------------------------------------------ */

static void read_ci(struct player *p, enum curve curve, struct cert **ret)
{
    struct lab_error none;
    const char *why;
    struct wr der;

    wr_init_heap(&der, LAB_FILE_MAX);
    if (identity_read_ci(p->pki, curve, &der, &none) == 0 &&
        cert_parse(p->crypto, wr_view(&der), ret, &why) != 0)
        *ret = NULL;
    wr_done(&der);
}

int player_init(struct player *p, const struct play_options *options, struct lab_error *e)
{
    *p = (struct player){ .options = options };
    wr_init_heap(&p->last, REPORT_OCTETS_MAX);
    p->names.last = &p->last;
    p->crypto = crypto_new(rd_of(NULL, 0));
    p->card_crypto = softeuicc_crypto_new(NULL);
    if (p->crypto == NULL || p->card_crypto == NULL)
        return lab_fail(e, "OpenSSL does not start");
    TRY(identity_open_pki(options->pki, &p->pki, e));
    read_ci(p, CURVE_P256, &p->ci[0]);
    read_ci(p, CURVE_BRAINPOOL_P256R1, &p->ci[1]);
    if (options->vpcd != NULL)
        return card_slot_new(options->vpcd, &p->slot, e);
    p->shared = options->card != NULL ? options->card : options->reader;
    if (options->card != NULL)
        return card_open_file(options->card, &p->card, e);
    return options->reader == NULL ? 0 : card_open_reader(options->reader, &p->card, e);
}

void player_done(struct player *p)
{
    forget(p);
    card_close(&p->card);
    card_slot_free(&p->slot);
    smdpp_free(&p->dp);
    cert_free(&p->ci[0]);
    cert_free(&p->ci[1]);
    pki_close(&p->pki);
    wr_done(&p->last);
    softeuicc_crypto_free(&p->card_crypto);
    crypto_free(&p->crypto);
}
