/* fuzz_ipae.c - the IPAe of a whole card, between a terminal and servers that say whatever they
 * like (SGP.32 3.1.1.1, TS 102 223).  The input is an octet of options and then steps:
 *
 *   'T' general length objects   a proactive command is fetched and gets this TERMINAL RESPONSE
 *   'G' n                        n + 1 commands get the response that they should
 *   'X' outcome status retry(2) length(2) octets   what a server will say, enum link_outcome
 *   'P' length(2) octets         an eIM package with these PSMOs, signed, is what it will say
 *   'L' status                   a location status
 *   'Z' n                        the n-th timer that runs expires
 *   'E' length octets            ENVELOPE
 *   'A' length octets            a command APDU
 *   'S'                          STATUS
 *   'R'                          a reset, and TERMINAL PROFILE
 *   'W' n                        the power will be cut after n more writes
 *
 * Any other octet stands for one of these.  Servers that have nothing to say say that all is well
 * and that there is no package.  Options: bit 0 the servers are behind BIP and TLS, where only the
 * terminal can lie; bit 1 SGP.32 1.0.1; bit 2 downloads are direct, and behind BIP the eIM has a
 * name to resolve; bit 3 CoAP.
 *
 * At the end terminal and servers do what they should, and the eIM must be asked again and have all
 * results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/link.h"
#include "os/crypto.h"
#include "os/ctlv.h"
#include "os/tlv.h"
#include "tests/fuzz/eim_key.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/profile.h"
#include "tests/fuzz/watch.h"
#include "tests/rsp/ipae_fake.h"

enum {
    REAL_LINK = 1 << 0,
    V1_0 = 1 << 1,
    DIRECT = 1 << 2,
    COAPS = 1 << 3,
    KINDS = 1 << 4,
    MAX_STEPS = 64,
    MAX_ANSWERS = 8,
    MAX_COMMANDS = 400, /* that a good terminal serves in a row */
    MAX_ROUNDS = 100,
    ASKED = 2, /* what it refused it gets in the next conversation */
    POLLS_OF_A_DAY = 24 * 60 * 2,
    TIMERS = 9,
    PROFILE_MAX = 1 << 16,
    CONFIGURATION_MAX = 256,
    APDU_MAX = 5 + 255,
    TAG_GET_EIM_PACKAGE = 0xBF4F,
    TAG_PROVIDE_RESULT = 0xBF50,
    TAG_EUICC_PACKAGE = 0xBF51,
    TAG_NOTIFICATION = 0xBF3D,
    TAG_SIGNATURE = 0x5F37,
    LOCAL_INFORMATION = 0x26,
    TIMER_MANAGEMENT = 0x27,
    OPEN_CHANNEL = 0x40,
    CHANNEL_STATUS = 0x44,
};

/* Cards are used again while what they store stays as it was after their first conversation. */
static struct kept {
    struct softeuicc *card;
    char digest[DIGEST_TEXT_LEN];
} kept[KINDS];

static struct watch watch;
static struct crypto *crypto;
static struct ec_key *eim_key;

/* Of one input. */
static struct scene {
    unsigned kind;
    unsigned sw;  /* of the last APDU; 0: mute */
    bool was_raw; /* an APDU of the input's may have changed what nobody here knows */
    bool timers[TIMERS];
    struct {
        int outcome;
        unsigned status;
        uint32_t retry_after;
        struct wr body;
    } answers[MAX_ANSWERS];
    size_t n_answers, next_answer;
    unsigned asked, counter;
} s;

/* --- APDUs ------------------------------------------------------------------------------------ */

static void transmit(struct rd command)
{
    uint8_t *exact = malloc(command.n > 0 ? command.n : 1);

    oracle(exact != NULL, "there is memory");
    if (command.n > 0)
        memcpy(exact, command.p, command.n);
    size_t n = watch_transmit(&watch, exact, command.n);
    s.sw = n < 2 ? 0 : (unsigned)(watch.response[n - 2] << 8 | watch.response[n - 1]);
    free(exact);
}

static void say(uint8_t ins, struct rd data)
{
    uint8_t room[APDU_MAX];
    struct wr w;

    wr_init(&w, room, sizeof room);
    wr_put(&w, (const uint8_t[]){ 0x80, ins, 0, 0, (uint8_t)data.n }, data.n > 0 ? 5 : 4);
    wr_put_rd(&w, data);
    transmit(wr_view(&w));
}

/* --- servers ---------------------------------------------------------------------------------- */

/* The number of a result that is in a message, as the contents of an INTEGER. */
static bool find_sequence(struct rd message, struct rd *ret)
{
    struct tlv outer, result, inner, arm, data, number;

    if (tlv_get(&message, &outer) != 0)
        return false;
    bool found =
        tlv_find(outer.value, TAG_EUICC_PACKAGE, &result) ||
        (tlv_find(outer.value, 0x30, &inner) && tlv_find(inner.value, TAG_EUICC_PACKAGE, &result));
    if (!found || !tlv_find(result.value, 0xA0, &arm) || !tlv_find(arm.value, 0x30, &data) ||
        !tlv_find(data.value, 0x83, &number))
        return false;
    *ret = number.value;
    return true;
}

/* What a server says that means well and has nothing. */
static void be_good(const struct fake_exchange *x, struct fake_reply *reply)
{
    struct rd in = x->body, sequence;
    struct tlv message;

    if (strstr(x->path, "/es9plus/") != NULL) {
        reply->status = strstr(x->path, "handleNotification") != NULL ? 204 : 500;
        reply->outcome = reply->status == 204 ? LINK_OK : LINK_RETRY_LATER;
        return;
    }
    oracle(tlv_get(&in, &message) == 0 && in.n == 0, "a message to an eIM is one TLV");
    if (message.tag == TAG_NOTIFICATION)
        return;
    struct wr_mark outer = tlv_open(&reply->body, message.tag);
    if (message.tag == TAG_GET_EIM_PACKAGE) {
        s.asked++;
        tlv_put_u8(&reply->body, 0x02, 1);
    } else if (message.tag != TAG_PROVIDE_RESULT) {
        tlv_put_u8(&reply->body, message.tag == 0xBF3B ? 0x82 : 0x81, 127);
    } else if (find_sequence(x->body, &sequence)) {
        struct wr_mark acks = tlv_open(&reply->body, 0xBF53);
        tlv_put(&reply->body, 0x80, sequence);
        tlv_close(&reply->body, acks);
    } else {
        tlv_put(&reply->body, 0x30, rd_of(NULL, 0));
    }
    tlv_close(&reply->body, outer);
}

static void serve(const struct fake_exchange *x, struct fake_reply *reply)
{
    if (s.next_answer == s.n_answers) {
        be_good(x, reply);
        return;
    }
    reply->outcome = s.answers[s.next_answer].outcome;
    reply->status = s.answers[s.next_answer].status;
    reply->retry_after = s.answers[s.next_answer].retry_after;
    wr_put_rd(&reply->body, wr_view(&s.answers[s.next_answer].body));
    s.next_answer++;
}

static struct wr *add_answer(int outcome, unsigned status, uint32_t retry_after)
{
    if (s.n_answers == MAX_ANSWERS)
        return NULL;
    s.answers[s.n_answers].outcome = outcome;
    s.answers[s.n_answers].status = status;
    s.answers[s.n_answers].retry_after = retry_after;
    wr_init_heap(&s.answers[s.n_answers].body, 1 << 17);
    return &s.answers[s.n_answers++].body;
}

static void forget_answers(void)
{
    for (size_t i = 0; i < s.n_answers; i++)
        wr_done(&s.answers[i].body);
    s.n_answers = s.next_answer = 0;
}

static void add_package(struct rd psmos)
{
    static const uint8_t eid[] = { 0x89, 0x04, 0x90, 0x32, 0x12, 0x34, 0x51, 0x23,
                                   0x45, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x35 };
    static const uint8_t no_token[] = { 0x84, 0x01, 0x00 };
    uint8_t signature[EC_SIGNATURE_LEN];
    struct wr *w = add_answer(LINK_OK, 200, 0);

    if (w == NULL)
        return;
    struct wr_mark answer = tlv_open(w, TAG_GET_EIM_PACKAGE);
    struct wr_mark package = tlv_open(w, TAG_EUICC_PACKAGE);
    size_t at = w->n;
    struct wr_mark data = tlv_open(w, 0x30);
    tlv_put_str(w, 0x80, "eim1");
    tlv_put(w, 0x5A, rd_of(eid, sizeof eid));
    tlv_put_uint(w, 0x81, ++s.counter);
    tlv_put(w, 0xA0, psmos);
    tlv_close(w, data);
    const struct rd parts[] = { rd_of(w->p + at, w->n - at), rd_of(no_token, sizeof no_token) };
    oracle(ecdsa_sign(crypto, eim_key, parts, N_ELEMS(parts), signature) == 0, "the eIM can sign");
    tlv_put(w, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_close(w, package);
    tlv_close(w, answer);
}

/* --- the terminal ----------------------------------------------------------------------------- */

static void power_on(void)
{
    static const uint8_t profile[] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };

    watch_control(&watch, "reset");
    memset(s.timers, 0, sizeof s.timers);
    if (!(s.kind & REAL_LINK))
        fake_link_install(watch.card, serve);
    say(0x10, rd_of(profile, sizeof profile));
}

/* A command as it was fetched. */
struct fetched {
    uint8_t octets[256];
    struct rd details, body;
};

/* What waits, or waits for its answer since. */
static bool fetch(struct fetched *ret)
{
    const uint8_t apdu[] = { 0x80, 0x12, 0, 0, (uint8_t)(s.sw >> 8 == 0x91 ? s.sw : 0) };
    struct tlv outer;

    transmit(rd_of(apdu, sizeof apdu));
    if (s.sw != 0x9000)
        return false;
    size_t n = 0;
    while (n < sizeof ret->octets && n < 2u + watch.response[1])
        n++;
    if (watch.response[1] == 0x81)
        n = 3u + watch.response[2] < sizeof ret->octets ? 3u + watch.response[2] : 256;
    memcpy(ret->octets, watch.response, n);
    struct rd in = rd_of(ret->octets, n);
    oracle(tlv_get(&in, &outer) == 0 && outer.tag == 0xD0, "what is fetched is a command");
    ret->body = outer.value;
    oracle(ctlv_find(outer.value, CTLV_COMMAND_DETAILS, &ret->details) && ret->details.n == 3,
           "it has details");
    return true;
}

static void respond(const struct fetched *c, uint8_t general, struct rd objects)
{
    uint8_t room[APDU_MAX];
    struct rd id, value;
    struct wr w;

    if (c->details.p[1] == TIMER_MANAGEMENT && general < 0x20 &&
        ctlv_find(c->body, CTLV_TIMER_ID, &id) && id.n == 1 && id.p[0] < TIMERS)
        s.timers[id.p[0]] = ctlv_find(c->body, CTLV_TIMER_VALUE, &value);
    wr_init(&w, room, 255);
    ctlv_put(&w, CTLV_COMMAND_DETAILS, true, c->details);
    ctlv_put(&w, CTLV_DEVICE_IDENTITIES, true, rd_of((const uint8_t[]){ 0x82, 0x81 }, 2));
    ctlv_put(&w, CTLV_RESULT, true, rd_of(&general, 1));
    wr_put_rd(&w, objects);
    say(0x14, wr_view(&w));
}

/* As a terminal without a network behind its channels would: false when nothing waits. */
static bool serve_well(void)
{
    static const uint8_t imei[] = { 0x94, 8, 0x4A, 0x09, 0x51, 0x24, 0x30, 0x32, 0x57, 0x81 };
    static const uint8_t location[] = {
        0x93, 9, 0, 0xF1, 0x10, 0x12, 0x34, 0x01, 0xA2, 0xB3, 0xCF
    };
    struct fetched c;

    if (!fetch(&c))
        return false;
    uint8_t type = c.details.p[1], what = c.details.p[2];
    bool on_channel = type >= OPEN_CHANNEL && type <= CHANNEL_STATUS;
    struct rd objects = { NULL, 0 };
    if (type == LOCAL_INFORMATION && what == 0)
        objects = rd_of(location, sizeof location);
    if (type == LOCAL_INFORMATION && what == 1)
        objects = rd_of(imei, sizeof imei);
    if (type == OPEN_CHANNEL)
        s.asked++; /* for what, is behind TLS */
    respond(&c, on_channel ? 0x3A : 0x00, objects);
    return s.sw != 0;
}

static void run(void)
{
    unsigned n = 0;

    while (s.sw >> 8 == 0x91 && serve_well())
        oracle(++n < MAX_COMMANDS, "commands to the terminal come to an end");
    if (s.sw == 0)
        power_on();
}

static void tell_location(uint8_t status)
{
    const uint8_t envelope[] = { 0xD6, 10, 0x99, 1, 3, 0x82, 2, 0x82, 0x81, 0x9B, 1, status };

    say(0xC2, rd_of(envelope, sizeof envelope));
}

static void expire(unsigned n)
{
    uint8_t running[TIMERS], count = 0;

    for (uint8_t i = 1; i < TIMERS; i++)
        if (s.timers[i])
            running[count++] = i;
    if (count == 0)
        return;
    uint8_t id = running[n % count];
    const uint8_t envelope[] = { 0xD7, 12, 0x82, 2, 0x82, 0x81, 0xA4, 1, id, 0xA5, 3, 0, 0, 0 };
    s.timers[id] = false;
    say(0xC2, rd_of(envelope, sizeof envelope));
}

static void ask_status(void)
{
    transmit(rd_of((const uint8_t[]){ 0x80, 0xF2, 0x00, 0x0C }, 4));
}

/* Until the card wants something, or for a day. */
static void poll(void)
{
    static const uint8_t status[] = { 0x80, 0xF2, 0x00, 0x0C };

    watch.digest[0] = '\0'; /* for so many nobody looks at what is stored */
    for (unsigned i = 0; i < POLLS_OF_A_DAY && s.sw == 0x9000; i++) {
        size_t n = softeuicc_transmit(watch.card, status, sizeof status, watch.response);
        s.sw = n < 2 ? 0 : (unsigned)(watch.response[n - 2] << 8 | watch.response[n - 1]);
    }
}

static bool has_timer(void)
{
    bool runs = false;

    for (size_t i = 1; i < TIMERS; i++)
        runs = runs || s.timers[i];
    return runs;
}

/* --- the card --------------------------------------------------------------------------------- */

static void start(void)
{
    static const uint8_t number[EC_COORD_LEN] = {
        0x77, 0x7A, 0x97, 0xAE, 0x1E, 0x4F, 0x16, 0x38, 0x97, 0xA4, 0x7E,
        0xC1, 0x38, 0x98, 0x1D, 0x74, 0x77, 0x7F, 0x9C, 0xCC, 0x43, 0x92,
        0x54, 0x33, 0x11, 0xC9, 0x06, 0x70, 0xB1, 0xC3, 0x6D, 0xFD,
    };

    crypto = crypto_new(rd_str("fuzz_ipae"));
    oracle(crypto != NULL &&
               ec_key_from_number(crypto, CURVE_P256, rd_of(number, sizeof number), &eim_key) == 0,
           "the eIM has a key");
}

static void put_configuration(unsigned kind, struct wr *w)
{
    const uint8_t protocol[] = { 6, kind & COAPS ? 0x40 : 0x80 };
    bool by_address = (kind & REAL_LINK) && !(kind & DIRECT);

    struct wr_mark m = tlv_open(w, 0x30);
    tlv_put_str(w, 0x80, "eim1");
    tlv_put_str(w, 0x81, by_address ? "192.0.2.10" : "eim.example");
    tlv_put_uint(w, 0x83, 0);
    eim_key_put(eim_key, w);
    tlv_put(w, 0x87, rd_of(protocol, sizeof protocol));
    if (!(kind & DIRECT))
        tlv_put(w, 0x89, rd_of(NULL, 0));
    tlv_close(w, m);
}

static struct softeuicc *new_card(unsigned kind)
{
    static struct softeuicc_crypto *card_crypto;
    static const char *const words[] = { "enabled,fallback-allowed", "fallback" };
    static uint8_t second[PROFILE_MAX];
    const struct softeuicc_setting settings[] = {
        { "curves", "nist" },
        { "ipae", "on" },
        { "ipae_delay", "0" },
        { "max_profiles", "3" },
        { "ipae_buffer", "65536" },
        { "ipae_dns", "192.0.2.53" },
        { "sgp32_version", kind & V1_0 ? "1.0.1" : "1.2.0" },
    };
    uint8_t room[CONFIGURATION_MAX];
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;
    struct tlv header, iccid;
    struct wr configuration;

    if (card_crypto == NULL)
        card_crypto = softeuicc_crypto_new("fuzz_ipae");
    memcpy(second, profile_operational, profile_operational_len);
    struct rd in = rd_of(second, profile_operational_len);
    oracle(tlv_get(&in, &header) == 0 && tlv_find(header.value, 0x83, &iccid),
           "the profile has a header");
    second[iccid.value.p + 8 - second] = 2;
    const struct softeuicc_bytes profiles[] = { { profile_operational, profile_operational_len },
                                                { second, profile_operational_len } };
    wr_init(&configuration, room, sizeof room);
    put_configuration(kind, &configuration);
    const struct softeuicc_bytes eim = { configuration.p, configuration.n };
    const struct softeuicc_new how = { .settings = settings,
                                       .n_settings = N_ELEMS(settings),
                                       .profiles = profiles,
                                       .n_profiles = kind & V1_0 ? 1 : 2,
                                       .profile_words = words,
                                       .eims = &eim,
                                       .n_eims = 1 };
    const struct softeuicc_options options = { .crypto = card_crypto };
    oracle(softeuicc_open_memory(&how, &options, &card, error) == 0, error);
    return card;
}

static void begin(struct kept *k, unsigned kind)
{
    bool is_new = k->card == NULL;

    if (crypto == NULL)
        start();
    s = (struct scene){ .kind = kind };
    if (is_new)
        k->card = new_card(kind);
    watch_init(&watch, k->card);
    power_on();
    if (is_new) {
        run();
        memcpy(k->digest, watch.digest, sizeof k->digest);
        power_on();
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool ask_isdr(struct rd request, struct wr *answer)
{
    wr_clear(answer);
    if (device_es10(&watch.device, request, DEVICE_BLOCK_MAX, answer) == 0x9000)
        return true;
    wr_clear(answer);
    uint16_t sw = device_open(&watch.device);
    wr_clear(answer);
    return sw == 0x9000 && device_es10(&watch.device, request, DEVICE_BLOCK_MAX, answer) == 0x9000;
}

static bool has_eim(void)
{
    static const uint8_t request[] = { 0xBF, 0x55, 0x00 };
    struct tlv response, list;
    struct wr answer;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    bool ok = ask_isdr(rd_of(request, sizeof request), &answer);
    struct rd in = wr_view(&answer);
    bool has = ok && tlv_get(&in, &response) == 0 && tlv_find(response.value, 0xA0, &list) &&
               list.value.n > 0;
    wr_done(&answer);
    return has;
}

static void check_no_result(void)
{
    static const uint8_t request[] = { 0xBF, 0x2B, 0x04, 0xA0, 0x02, 0x82, 0x00 };
    struct tlv response, list;
    struct wr answer;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    if (ask_isdr(rd_of(request, sizeof request), &answer)) {
        struct rd in = wr_view(&answer);
        oracle(tlv_get(&in, &response) == 0 && tlv_find(response.value, 0xA2, &list) &&
                   list.value.n == 0,
               "the eIM has all results");
    }
    wr_done(&answer);
}

/* Everybody does what they should from now on. */
static void recover(void)
{
    watch_control(&watch, "cut-after 1000000");
    forget_answers();
    s.asked = 0;
    if (s.was_raw || watch_is_mute(&watch))
        power_on();
    else
        serve_well(); /* it may wait for an answer */
    run();
    for (unsigned i = 0; i < MAX_ROUNDS && s.asked < ASKED; i++) {
        tell_location(0);
        run();
        if (has_timer())
            ask_status();
        else
            poll();
        run();
        expire(i);
        run();
    }
    oracle(s.asked >= ASKED || !has_eim(), "the eIM is asked again");
    if (!(s.kind & (REAL_LINK | V1_0)) && !s.was_raw)
        check_no_result();
}

static void end(struct kept *k)
{
    recover();
    forget_answers();
    watch_finish(&watch);
    if (strcmp(watch.digest, k->digest) != 0)
        softeuicc_close(&k->card);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void step(struct rd *in)
{
    static const char kinds[] = { 'T', 'G', 'X', 'P', 'L', 'Z', 'E', 'A', 'S', 'R', 'W' };
    uint8_t what = fuzz_u8(in), general = 0, status = 0;
    uint16_t retry_after = 0;
    struct fetched c;
    char line[32];
    size_t n = 0;

    if (memchr(kinds, what, sizeof kinds) == NULL)
        what = (uint8_t)kinds[what % sizeof kinds];
    if (strchr("TGXLZW", what) != NULL)
        general = fuzz_u8(in);
    if (what == 'X') {
        status = fuzz_u8(in);
        retry_after = fuzz_u16(in);
    }
    if (strchr("XP", what) != NULL)
        n = fuzz_u16(in);
    else if (strchr("TEA", what) != NULL)
        n = fuzz_u8(in);
    uint8_t *octets = fuzz_copy(in, n, &n);
    struct rd data = rd_of(octets, n);
    struct wr *answer;
    switch (what) {
    case 'T':
        if (s.sw >> 8 == 0x91 && fetch(&c))
            respond(&c, general, rd_of(data.p, data.n < 200 ? data.n : 200));
        break;
    case 'G':
        for (unsigned i = 0; i <= general % 32u && s.sw >> 8 == 0x91 && serve_well(); i++)
            continue;
        break;
    case 'X':
        answer = add_answer(general % (LINK_REFUSED + 1), status, retry_after);
        if (answer != NULL)
            wr_put_rd(answer, data);
        break;
    case 'P':
        add_package(data);
        break;
    case 'L':
        tell_location(general);
        break;
    case 'Z':
        expire(general);
        break;
    case 'E':
        say(0xC2, rd_of(data.p, data.n < 255 ? data.n : 255));
        break;
    case 'A':
        s.was_raw = true;
        transmit(data);
        break;
    case 'S':
        ask_status();
        break;
    case 'R':
        power_on();
        break;
    default:
        snprintf(line, sizeof line, "cut-after %u", general);
        watch_control(&watch, line);
        break;
    }
    free(octets);
    if (s.sw == 0)
        power_on();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    unsigned kind = fuzz_u8(&in) % KINDS;

    begin(&kept[kind], kind);
    for (unsigned i = 0; i < MAX_STEPS && in.n > 0; i++)
        step(&in);
    end(&kept[kind]);
    return 0;
}
