/* watch.c - a card in memory under watch. */
#include "tests/fuzz/watch.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { INS_GET_RESPONSE = 0xC0, REPLY_LEN = 256 };

void watch_read_digest(struct watch *w, char ret[DIGEST_TEXT_LEN])
{
    oracle(softeuicc_control(w->card, "digest", ret, DIGEST_TEXT_LEN) == 0,
           "the store can be read");
}

static size_t transmit_watched(void *ctx, const uint8_t *command, size_t n, uint8_t *response)
{
    (void)response; /* is w->response */
    return watch_transmit(ctx, command, n);
}

void watch_init(struct watch *w, struct softeuicc *card)
{
    w->card = card;
    w->device = (struct device){ transmit_watched, w, w->response };
    oracle(softeuicc_reset(card) == 0, "the card starts");
    watch_read_digest(w, w->digest);
}

/* Octets of response data that a command lets the card send, read here once more and apart from
 * card/apdu.c; 0 when there is no Le or the command is no APDU. */
static size_t expected_length(const uint8_t *c, size_t n)
{
    size_t body = n - 4, lc;

    if (n < 5)
        return 0;
    if (body == 1)
        return c[4] != 0 ? c[4] : 256;
    if (c[4] != 0)
        return body == (size_t)c[4] + 2 ? (c[n - 1] != 0 ? c[n - 1] : 256) : 0;
    if (body < 3)
        return 0;
    lc = (size_t)c[5] << 8 | c[6];
    if (body != 3 && (lc == 0 || body != lc + 5))
        return 0;
    size_t le = (size_t)c[n - 2] << 8 | c[n - 1];
    return le != 0 ? le : 65536;
}

/* ISO 7816-4 5.6: these say that nothing was stored. */
static bool says_unchanged(unsigned sw)
{
    unsigned sw1 = sw >> 8;

    return sw1 == 0x62 || sw1 == 0x64 || (sw1 >= 0x66 && sw1 <= 0x6F) ||
           (sw1 >= 0x93 && sw1 != 0x9F);
}

static void check_response(struct watch *w, const uint8_t *command, size_t n, size_t got)
{
    oracle(got >= 2 && got <= SOFTEUICC_RESPONSE_MAX, "a response has a status word");
    unsigned sw = (unsigned)(w->response[got - 2] << 8 | w->response[got - 1]);
    size_t most = expected_length(command, n);
    if (most == 0 && n == 4 && command[1] == INS_GET_RESPONSE)
        most = 256; /* as a T=0 terminal means it, whose P3 is 00 */
    oracle((sw >= 0x6100 && sw <= 0x6FFF) || (sw >= 0x9000 && sw <= 0x9FFF),
           "a status word is 61xx to 6Fxx or 9xxx (ISO 7816-4 5.6)");
    oracle(got - 2 <= most, "a response is not longer than Le");
    oracle(sw != 0x6F00 && sw != 0x6581, "no command makes the card fail");
    char after[DIGEST_TEXT_LEN];
    watch_read_digest(w, after);
    oracle(!says_unchanged(sw) || w->digest[0] == '\0' || strcmp(after, w->digest) == 0,
           "a status word that says unchanged is true");
    memcpy(w->digest, after, sizeof after);
}

bool watch_is_mute(struct watch *w)
{
    char reply[REPLY_LEN];

    oracle(softeuicc_control(w->card, "status", reply, sizeof reply) == 0, "status answers");
    return strstr(reply, "power=lost") != NULL;
}

size_t watch_transmit(struct watch *w, const uint8_t *command, size_t n)
{
    if (!softeuicc_is_on(w->card) || watch_is_mute(w))
        w->digest[0] = '\0'; /* it recovers first, which may store */
    size_t got = softeuicc_transmit(w->card, command, n, w->response);
    if (got == 0) {
        oracle(watch_is_mute(w), "a card is mute only when its power was cut");
        w->digest[0] = '\0';
        return 0;
    }
    check_response(w, command, n, got);
    return got;
}

void watch_control(struct watch *w, const char *line)
{
    char reply[REPLY_LEN];

    (void)softeuicc_control(w->card, line, reply, sizeof reply);
    w->digest[0] = '\0';
}

void watch_finish(struct watch *w)
{
    static const uint8_t get_eid[] = { 0xBF, 0x3E, 0x03, 0x5C, 0x01, 0x5A };
    static const uint8_t expected[] = { 0xBF, 0x3E, 0x12, 0x5A, 0x10, 0x89, 0x04,
                                        0x90, 0x32, 0x12, 0x34, 0x51, 0x23, 0x45,
                                        0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x35 };
    char once[DIGEST_TEXT_LEN], twice[DIGEST_TEXT_LEN];
    uint8_t room[sizeof expected + 1];
    struct wr answer;

    watch_control(w, "cut-after 1000000");
    if (softeuicc_reset(w->card) != 0)
        oracle(softeuicc_reset(w->card) == 0, "the card starts");
    watch_read_digest(w, once);
    oracle(softeuicc_reset(w->card) == 0, "the card starts again");
    watch_read_digest(w, twice);
    oracle(strcmp(once, twice) == 0, "a second reset changes nothing");
    memcpy(w->digest, twice, sizeof twice);
    wr_init(&answer, room, sizeof room);
    oracle(device_open(&w->device) == 0x9000, "the ISD-R can be selected");
    oracle(device_es10(&w->device, rd_of(get_eid, sizeof get_eid), DEVICE_BLOCK_MAX, &answer) ==
                   0x9000 &&
               rd_equal(wr_view(&answer), rd_of(expected, sizeof expected)),
           "GetEID still answers with the EID");
}
