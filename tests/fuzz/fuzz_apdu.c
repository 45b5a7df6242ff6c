/* fuzz_apdu.c - a whole card in memory.  The input is an octet of options and then steps:
 *
 *   'A' length(2) octets   one command APDU
 *   'E' length(2) octets   an ES10 request in STORE DATA blocks to the ISD-R on channel 1
 *   'R'                    a warm reset
 *   'O'                    power off
 *   'C' n                  the power will be cut after n more writes
 *
 * Any other octet stands for one of these.  Option bit 0: a profile is on the card; bit 1: the card
 * takes canonical DER only; bit 2: the profile is enabled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/profile.h"
#include "tests/fuzz/watch.h"

enum { WITH_PROFILE = 1 << 0, STRICT = 1 << 1, ENABLED = 1 << 2, KINDS = 8, MAX_STEPS = 64 };

/* Cards are used again while what they store stays as it was made. */
static struct kept {
    struct softeuicc *card;
    char digest[DIGEST_TEXT_LEN];
} kept[KINDS];
static struct watch watch;

static struct softeuicc *new_card(unsigned kind)
{
    static struct softeuicc_crypto *crypto;
    static const struct softeuicc_setting settings[] = { { "curves", "nist" },
                                                         { "max_profiles", "3" },
                                                         { "max_notifications", "4" },
                                                         { "strict_der", "on" } };
    const struct softeuicc_bytes profile = { profile_operational, profile_operational_len };
    const struct softeuicc_new how = { .settings = settings,
                                       .n_settings = kind & STRICT ? 4 : 3,
                                       .profiles = &profile,
                                       .n_profiles = kind & WITH_PROFILE ? 1 : 0 };
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;

    if (crypto == NULL)
        crypto = softeuicc_crypto_new("fuzz_apdu");
    const struct softeuicc_options options = { .crypto = crypto };
    oracle(softeuicc_open_memory(&how, &options, &card, error) == 0, "a card can be made");
    return card;
}

static void enable(void)
{
    static const uint8_t request[] = { 0xBF, 0x31, 0x11, 0xA0, 0x0C, 0x5A, 0x0A, 0x98, 0x00, 0x10,
                                       0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0xF9, 0x81, 0x01, 0x00 };
    static const uint8_t expected[] = { 0xBF, 0x31, 0x03, 0x80, 0x01, 0x00 };
    uint8_t room[sizeof expected + 1];
    struct wr answer;

    wr_init(&answer, room, sizeof room);
    oracle(device_open(&watch.device) == 0x9000 &&
               device_es10(&watch.device, rd_of(request, sizeof request), DEVICE_BLOCK_MAX,
                           &answer) == 0x9000 &&
               rd_equal(wr_view(&answer), rd_of(expected, sizeof expected)),
           "the profile can be enabled");
}

/* A card of this kind as it was made. */
static void begin(struct kept *k, unsigned kind)
{
    bool is_new = k->card == NULL;

    if (is_new)
        k->card = new_card(kind);
    watch_init(&watch, k->card);
    if (is_new && (kind & ENABLED) && (kind & WITH_PROFILE)) {
        enable();
        watch_init(&watch, k->card);
    }
    if (is_new)
        memcpy(k->digest, watch.digest, sizeof k->digest);
}

static void end(struct kept *k)
{
    watch_finish(&watch);
    if (strcmp(watch.digest, k->digest) != 0)
        softeuicc_close(&k->card);
}

/* Octets with a length of 16 bits before them, in memory of their size. */
static uint8_t *take_octets(struct rd *in, size_t *ret_n)
{
    return fuzz_copy(in, fuzz_u16(in), ret_n);
}

static void es10(struct rd *in)
{
    struct wr answer;
    size_t n;

    uint8_t *request = take_octets(in, &n);
    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    if (device_es10(&watch.device, rd_of(request, n), DEVICE_BLOCK_MAX, &answer) == 0x6881 &&
        device_open(&watch.device) == 0x9000) /* channel 1 was not open yet */
        device_es10(&watch.device, rd_of(request, n), DEVICE_BLOCK_MAX, &answer);
    wr_done(&answer);
    free(request);
}

static void apdu(struct rd *in)
{
    size_t n;

    uint8_t *command = take_octets(in, &n);
    watch_transmit(&watch, command, n);
    free(command);
}

static void step(struct rd *in)
{
    static const char others[] = { 'A', 'E', 'A', 'E', 'R', 'O', 'A', 'C' };
    uint8_t what = fuzz_u8(in);
    char line[32];

    if (memchr(others, what, sizeof others) == NULL)
        what = (uint8_t)others[what % sizeof others];
    switch (what) {
    case 'A':
        apdu(in);
        break;
    case 'E':
        es10(in);
        break;
    case 'R':
        watch_control(&watch, "reset");
        break;
    case 'O':
        watch_control(&watch, "power-off");
        break;
    default:
        snprintf(line, sizeof line, "cut-after %u", fuzz_u8(in));
        watch_control(&watch, line);
        break;
    }
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
