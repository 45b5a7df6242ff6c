/* test_ota.c - applets/ota through APDUs: short messages to a card in memory, whose enabled
 * profile is our operational one (OPERATIONAL_DER, from the build) with security domains and remote
 * file management added; our bootstrap profile (BOOTSTRAP_DER) with commands that an independent
 * tool built; and those of TS.48 where SOFTEUICC_TESTDATA has them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/softeuicc.h"
#include "os/crypto.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/leak.h"
#include "tests/testlib/suite.h"

#define KIC "200102030405060708090a0b0c0d0e0f"
#define KID "201102030405060708090a0b0c0d0e0f"
#define KIK "202102030405060708090a0b0c0d0e0f"

#define USIM "A0000000871002FF49FF0189"

enum {
    PACKAGE_MAX = 1 << 16,
    CC_AND_CIPHER = 0x06,
    COUNTED = 0x16, /* and the counter must be higher */
    POR = 0x19,     /* always, with CC, ciphered */
    POR_CLEAR = 0x01,
    RFM_UICC = 0xB00120,
    RFM_USIM = 0xB00140,
    RFM_PINS = 0xB00150,
    RFM_NOTHING = 0xB00160,
    RFM_STRICT = 0xB00170,
    RAM = 0xB20100,
    RAM_COMPACT = 0x000000,
};

static struct softeuicc *card;
static struct softeuicc_crypto *card_crypto;
static struct crypto *crypto;
static uint8_t kic[16], kid[16];
static unsigned checks;
static char why[1024];

/* --- the profile ------------------------------------------------------------------------------ */

static void put_header(struct wr *w, uint8_t identification)
{
    struct wr_mark m = tlv_open(w, 0xA0);
    tlv_put(w, 0x80, rd_of(NULL, 0));
    tlv_put(w, 0x81, rd_of((uint8_t[]){ 0x70, identification }, 2));
    tlv_close(w, m);
}

static void put_key(struct wr *w, const char *usage, const char *id, const char *value)
{
    struct wr_mark object = tlv_open(w, 0x30);
    hex_put_tlv(w, 0x95, usage);
    hex_put_tlv(w, 0x82, id);
    hex_put_tlv(w, 0x83, "02");
    struct wr_mark components = tlv_open(w, 0x30);
    struct wr_mark component = tlv_open(w, 0x30);
    hex_put_tlv(w, 0x80, "88");
    hex_put_tlv(w, 0x86, value);
    tlv_close(w, component);
    tlv_close(w, components);
    tlv_close(w, object);
}

/* A security domain with keys of version 02; reachable by TARs if toolkit parameters say so. */
static void put_sd(struct wr *w, uint8_t identification, const char *aid, const char *toolkit,
                   const char *kic_text)
{
    struct wr_mark element = tlv_open(w, 0xA6);
    put_header(w, identification);
    struct wr_mark instance = tlv_open(w, 0xA1);
    hex_put_tlv(w, 0x4F, "A0000001515350");
    hex_put_tlv(w, 0x4F, "A000000151535041");
    hex_put_tlv(w, 0x4F, aid);
    hex_put_tlv(w, 0x82, "82DC00");
    hex_put_tlv(w, 0x83, "0F");
    hex_put_tlv(w, 0xC9, "81028000 8201F0 8301F0 8701F0");
    struct wr_mark parameters = tlv_open(w, 0xEA);
    hex_put_tlv(w, 0x80, toolkit);
    tlv_close(w, parameters);
    tlv_close(w, instance);
    struct wr_mark keys = tlv_open(w, 0xA2);
    put_key(w, "18", "01", kic_text);
    put_key(w, "14", "02", KID);
    put_key(w, "48", "03", KIK);
    tlv_close(w, keys);
    struct wr_mark objects = tlv_open(w, 0xA3);
    hex_put_tlv(w, 0x04, "0070 0D 660B 7309 06072A864886FC6B01");
    tlv_close(w, objects);
    tlv_close(w, element);
}

static void put_rfm(struct wr *w, uint8_t identification, uint32_t tar, const char *level,
                    const char *uicc, const char *adf)
{
    const uint8_t octets[] = { (uint8_t)(tar >> 16), (uint8_t)(tar >> 8), (uint8_t)tar };

    struct wr_mark element = tlv_open(w, 0xA7);
    put_header(w, identification);
    tlv_put(w, 0x4F, rd_of((uint8_t[]){ 0xA0, 0, 0, 5, 0x59, 0x10, 0x10, 0, identification }, 9));
    struct wr_mark tars = tlv_open(w, 0xA0);
    tlv_put(w, 0x04, rd_of(octets, sizeof octets));
    tlv_close(w, tars);
    hex_put_tlv(w, 0x81, level);
    hex_put_tlv(w, 0x04, uicc);
    hex_put_tlv(w, 0x04, uicc);
    if (adf != NULL) {
        struct wr_mark access = tlv_open(w, 0x30);
        hex_put_tlv(w, 0x80, USIM);
        hex_put_tlv(w, 0x81, adf);
        hex_put_tlv(w, 0x82, adf);
        tlv_close(w, access);
    }
    tlv_close(w, element);
}

static void read_file(const char *path, struct wr *ret)
{
    FILE *f = fopen(path, "rb");
    uint8_t octets[4096];
    size_t n;

    ck_assert_msg(f != NULL, "%s", path);
    while ((n = fread(octets, 1, sizeof octets, f)) > 0)
        wr_put(ret, octets, n);
    fclose(f);
}

/* Our profile, with what a remote party needs before its PE-End. */
static void make_package(struct wr *ret)
{
    struct wr ours;
    struct tlv element;

    wr_init_heap(&ours, PACKAGE_MAX);
    read_file(OPERATIONAL_DER, &ours);
    for (struct rd in = wr_view(&ours); tlv_get(&in, &element) == 0;) {
        if (element.tag == 0xAA) {
            put_sd(ret, 1, "A000000151000000", "01 00 00 00 00 02 0102 06 B20100 000000 00", KIC);
            put_sd(ret, 2, "A00000015153504101", "01 00 00 00 00 00 03 B20200 00", KIK);
            put_rfm(ret, 3, RFM_UICC, "02", "00", NULL);
            put_rfm(ret, 4, RFM_USIM, "02", "00", "00");
            put_rfm(ret, 5, RFM_PINS, "02", "FF", "02000100");
            put_rfm(ret, 6, RFM_NOTHING, "02", "FF", "02000000");
            put_rfm(ret, 7, RFM_STRICT, "16", "00", NULL);
        }
        wr_put_rd(ret, element.whole);
    }
    wr_done(&ours);
}

/* --- the card --------------------------------------------------------------------------------- */

static void watch(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                  size_t n)
{
    (void)ctx;
    leak_watch(text, bytes, n);
    if (event == SOFTEUICC_CHECK || event == SOFTEUICC_FAULT) {
        checks++;
        snprintf(why, sizeof why, "%s", text);
    }
}

/* One APDU; its whole answer goes to ret.  The last status word. */
static unsigned transmit(const uint8_t *apdu, size_t n, struct wr *ret)
{
    static uint8_t response[SOFTEUICC_RESPONSE_MAX];
    uint8_t next[] = { (uint8_t)(apdu[0] & 3), 0xC0, 0, 0, 0 };

    wr_clear(ret);
    checks = 0;
    for (;;) {
        struct rd copy = exact_copy_of(rd_of(apdu, n));
        size_t len = softeuicc_transmit(card, copy.p, copy.n, response);
        exact_free(&copy);
        if (len == 0)
            return 0;
        wr_put(ret, response, len - 2);
        if (response[len - 2] != 0x61)
            return (unsigned)(response[len - 2] << 8 | response[len - 1]);
        next[4] = response[len - 1];
        apdu = next;
        n = sizeof next;
    }
}

static unsigned apdu(const char *text, struct wr *ret)
{
    uint8_t octets[300];

    return transmit(octets, hex(text, octets, sizeof octets), ret);
}

static void abort_with(const char *command, struct rd answer)
{
    char text[600] = "";

    for (size_t i = 0; i < answer.n && 2 * i + 3 < sizeof text; i++)
        snprintf(text + 2 * i, 3, "%02X", answer.p[i]);
    ck_abort_msg("%s: %s (%s)", command, text, why);
}

static void expect(const char *command, unsigned sw, const char *answer)
{
    struct rd want = exact_copy(answer);
    struct wr got;

    wr_init_heap(&got, 4096);
    ck_assert_uint_eq(apdu(command, &got), sw);
    if (!rd_equal(wr_view(&got), want))
        abort_with(command, wr_view(&got));
    wr_done(&got);
    exact_free(&want);
}

static void enable(const char *iccid)
{
    char command[128];

    expect("0070000001", 0x9000, "01");
    expect("01A4040C10 A0000005591010FFFFFFFF8900000100", 0x9000, "");
    snprintf(command, sizeof command, "81E2910014 BF3111 A00C 5A0A %s 810100", iccid);
    expect(command, 0x9000, "BF31038001 00");
}

static void open_with(struct rd package, const char *iccid)
{
    const struct softeuicc_bytes profile = { package.p, package.n };
    const struct softeuicc_new how = { .profiles = &profile, .n_profiles = 1 };
    const struct softeuicc_options options = { .crypto = card_crypto, .trace = watch };
    char error[SOFTEUICC_ERROR_LEN];

    ck_assert_msg(softeuicc_open_memory(&how, &options, &card, error) == 0, "%s: %s", error, why);
    ck_assert_int_eq(softeuicc_power_on(card), 0);
    enable(iccid);
}

static void open_card(void)
{
    struct wr package;

    leak_add_hex(KIC);
    leak_add_hex(KID);
    leak_add_hex(KIK);
    leak_add_hex("465B5CE8B199B49FAA5F0A2EE238A6BC"); /* K and OPc of our profile */
    leak_add_hex("CD63CB71954A9F4E48A5994E37A02BAF");

    crypto = crypto_new(rd_of(NULL, 0));
    card_crypto = softeuicc_crypto_new(NULL);
    ck_assert(crypto != NULL && card_crypto != NULL);
    hex(KIC, kic, sizeof kic);
    hex(KID, kid, sizeof kid);
    wr_init_heap(&package, PACKAGE_MAX);
    make_package(&package);
    open_with(wr_view(&package), "980010000000000010F9");
    wr_done(&package);
}

static void close_card(void)
{
    softeuicc_close(&card);
    softeuicc_crypto_free(&card_crypto);
    crypto_free(&crypto);
}

/* --- the sender ------------------------------------------------------------------------------- */

struct shot {
    uint32_t tar;
    uint8_t spi1, spi2;
    uint64_t counter;
    uint8_t version; /* of the keys; 0: 2 */
};

/* AES keys, as all that the profile has. */
static void put_packet(const struct shot *shot, struct rd script, struct wr *ret)
{
    static const uint8_t zero[16];
    uint8_t octets[2048] = { 0 }, mac[16],
            key = (uint8_t)((shot->version ? shot->version : 2) << 4 | 2);
    size_t cc_len = (shot->spi1 & 3) == 2 ? 8 : 0, n = 6 + cc_len + script.n;
    size_t padding = (shot->spi1 & 4) ? (16 - n % 16) % 16 : 0;
    const uint8_t header[] = { (uint8_t)((8 + n + padding) >> 8),
                               (uint8_t)(8 + n + padding),
                               (uint8_t)(13 + cc_len),
                               shot->spi1,
                               shot->spi2,
                               key,
                               key,
                               (uint8_t)(shot->tar >> 16),
                               (uint8_t)(shot->tar >> 8),
                               (uint8_t)shot->tar };
    uint8_t *body = octets + sizeof header;

    memcpy(octets, header, sizeof header);
    for (size_t i = 0; i < 5; i++)
        body[i] = (uint8_t)(shot->counter >> 8 * (4 - i));
    body[5] = (uint8_t)padding;
    memcpy(body + 6 + cc_len, script.p, script.n);
    const struct rd parts[] = { rd_of(octets, sizeof header + 6),
                                rd_of(body + 6 + cc_len, script.n + padding) };
    ck_assert_int_eq(cipher_mac(crypto, CIPHER_AES, rd_of(kid, 16), parts, 2, mac), 0);
    memcpy(body + 6, mac, cc_len);
    if (shot->spi1 & 4)
        ck_assert_int_eq(
            cipher_cbc(crypto, CIPHER_AES, rd_of(kic, 16), true, zero, body, n + padding, body), 0);
    wr_put(ret, octets, sizeof header + n + padding);
}

/* One short message of this user data. */
static unsigned envelope(struct rd user_data, struct wr *ret)
{
    uint8_t octets[300];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    hex_put(&w, "80C20000 00");
    struct wr_mark download = tlv_open(&w, 0xD1);
    hex_put(&w, "8202 8381 0603 812143");
    struct wr_mark tpdu = tlv_open(&w, 0x8B);
    hex_put(&w, "40 08 81 21436587 7F F6 22705200000000");
    wr_put_u8(&w, (uint8_t)user_data.n);
    wr_put_rd(&w, user_data);
    tlv_close(&w, tpdu);
    tlv_close(&w, download);
    ck_assert_int_eq(wr_failed(&w), 0);
    octets[4] = (uint8_t)(w.n - 5);
    return transmit(octets, w.n, ret);
}

static unsigned send_packet(struct rd packet, struct wr *ret)
{
    uint8_t octets[140];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    hex_put(&w, "027000");
    wr_put_rd(&w, packet);
    ck_assert_int_eq(wr_failed(&w), 0);
    return envelope(wr_view(&w), ret);
}

/* Opens a response packet as SPI2 says it is secured; status, and data in ret. */
static int open_answer(const struct shot *shot, struct rd in, bool secured, struct wr *ret)
{
    static const uint8_t zero[16];
    uint8_t octets[256], mac[16], *body = octets + 9;
    size_t cc_len = secured && (shot->spi2 & 8) ? 8 : 0;

    ck_assert_uint_ge(in.n, 9 + 7 + cc_len);
    ck_assert_uint_le(in.n, sizeof octets);
    memcpy(octets, in.p, in.n);
    ck_assert_mem_eq(octets, "\x02\x71\x00", 3);
    ck_assert_uint_eq((size_t)(octets[3] << 8 | octets[4]), in.n - 5);
    ck_assert_uint_eq(octets[5], 10 + cc_len);
    if (secured && (shot->spi2 & 0x10))
        ck_assert_int_eq(
            cipher_cbc(crypto, CIPHER_AES, rd_of(kic, 16), false, zero, body, in.n - 9, body), 0);
    const struct rd parts[] = { rd_of(octets, 16), rd_of(body + 7 + cc_len, in.n - 16 - cc_len) };
    ck_assert_int_eq(cipher_mac(crypto, CIPHER_AES, rd_of(kid, 16), parts, 2, mac), 0);
    ck_assert_mem_eq(mac, body + 7, cc_len);
    wr_clear(ret);
    wr_put(ret, body + 7 + cc_len, in.n - 16 - cc_len - body[5]);
    return body[6];
}

/* Sends a script; asserts the status, and the data of the answer as hex. */
static void shoot(const struct shot *shot, const char *script, int status, const char *data)
{
    struct rd in = exact_copy(script), want = exact_copy(data);
    struct wr packet, got, answer;

    wr_init_heap(&packet, 4096);
    wr_init_heap(&got, 4096);
    wr_init_heap(&answer, 4096);
    put_packet(shot, in, &packet);
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    bool secured = status == 0 || (status >= 2 && status <= 4);
    ck_assert_msg(got.n > 0, "%s", why);
    int told = open_answer(shot, wr_view(&got), secured, &answer);
    ck_assert_msg(told == status, "status %d: %s", told, why);
    ck_assert(status == 0 || checks > 0);
    if (!rd_equal(wr_view(&answer), want))
        abort_with(script, wr_view(&answer));
    wr_done(&packet);
    wr_done(&got);
    wr_done(&answer);
    exact_free(&in);
    exact_free(&want);
}

/* --- remote file management ------------------------------------------------------------------- */

START_TEST(rfm_reads_the_iccid)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&shot, "00A40000022FE2 00B000000A", 0, "02 9000 980010000000000010F9");
    shoot(&shot, "00A40000022FE2 00B00000FF", 0, "02 6282 980010000000000010F9");
}
END_TEST

START_TEST(select_answers_behind_get_response)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&shot, "00A40004022FE2", 0, "01 6118");
    shoot(&shot, "00A40004022FE2 00C0000018", 0,
          "02 9000 6216 82024121 83022FE2 8A0105 8B032F060B 8002000A 8800");
}
END_TEST

START_TEST(a_script_ends_at_its_first_error)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&shot, "00A40000022FFF 00A40000022FE2", 0, "01 6A82");
    shoot(&shot, "00A4000C022FE2 00880000 00", 0, "02 6D00"); /* not for files */
    shoot(&shot, "0070000000", 0, "01 6D00");
    shoot(&shot, "00A4040C0C" USIM, 0, "01 6A86");
    shoot(&shot, "01A4000C022FE2", 0, "01 6E00");
    shoot(&shot, "00A4000C022F", 0, "01 6700");
    shoot(&shot, "", 0, "");
}
END_TEST

START_TEST(full_access_does_not_undo_never)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&shot, "00A4000C022FE2 00D6000001 98", 0, "02 6982");
}
END_TEST

START_TEST(the_adf_is_current_from_the_beginning)
{
    const struct shot shot = { RFM_USIM, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&shot, "00A4000C026F07 00B0000009", 0, "02 9000 080910100000000010");
    shoot(&shot, "00A4000C026F07 00D6000009 080910100000000020 00B0000009", 0,
          "03 9000 080910100000000020");
    shoot(&shot, "00A4080C04 7FFF6F07 00B0000009", 0, "02 9000 080910100000000020");
    /* the terminal sees it, too */
    expect("00A4040C0C" USIM, 0x9000, "");
    expect("00A4000C026F07", 0x9000, "");
    expect("00B0000009", 0x9000, "080910100000000020");
    expect("00D6000001 08", 0x6982, "");
}
END_TEST

START_TEST(listed_pins_count_as_verified)
{
    const struct shot adm1 = { RFM_PINS, CC_AND_CIPHER, POR, 0, 0 };
    const struct shot nobody = { RFM_NOTHING, CC_AND_CIPHER, POR, 0, 0 };
    const struct shot uicc = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&adm1, "00A4000C026F07 00D6000009 080910100000000030", 0, "02 9000");
    shoot(&nobody, "00A4000C026F07 00D6000009 080910100000000040", 0, "02 6982");
    shoot(&adm1, "00A4080C022FE2 00B000000A", 0, "02 6982");     /* no access below the MF */
    shoot(&uicc, "00A4080C047FD06F07 00B0000009", 0, "02 6982"); /* nor to this ADF */
}
END_TEST

START_TEST(what_the_terminal_verified_is_not_lent)
{
    const struct shot nobody = { RFM_NOTHING, CC_AND_CIPHER, POR, 0, 0 };

    expect("0020000A08 3535353535353535", 0x9000, "");
    shoot(&nobody, "00A4000C026F07 00D6000009 080910100000000040", 0, "02 6982");
    expect("00A4040C0C" USIM, 0x9000, "");
    expect("00A4000C026F07", 0x9000, "");
    expect("00D6000009 080910100000000050", 0x9000, ""); /* and is still there */
}
END_TEST

START_TEST(expanded_format)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&shot, "AA 10 2207 00A4000C022FE2 2205 00B000000A", 0,
          "AB 15 800102 2302 9000 230C 980010000000000010F9 9000");
    shoot(&shot, "AE80 2207 00A4000C022FE2 2205 00B000000A 0000", 0,
          "AF80 2302 9000 230C 980010000000000010F9 9000 0000");
    shoot(&shot, "AA 12 2207 00A4000C022FFF 2207 00A4000C022FE2", 0, "AB 07 800101 2302 6A82");
    shoot(&shot, "AA 03 2101 00", 0, "AB 06 800100 900101");
    shoot(&shot, "AA 03 2201 00", 0, "AB 06 800100 900102");
    shoot(&shot, "AA 05 2207 00", 0, "AB 03 800100");
}
END_TEST

START_TEST(data_that_does_not_fit_the_report_is_left_out)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR_CLEAR, 0, 0 };
    struct rd script = exact_copy("00A4000C022F06 00B2010421 00B2010421");
    struct wr packet, got;

    exact_free(&script);
    script = exact_copy("AA 81 8D 2207 00A4000C022F06 2205 00B2010421 2205 00B2020421"
                        "2205 00B2030421 2205 00B2040421 2205 00B2050421 2205 00B2060421");
    wr_init_heap(&packet, 4096);
    wr_init_heap(&got, 4096);
    uint8_t fixed[64];
    memcpy(fixed, script.p, script.n);
    fixed[2] = (uint8_t)(script.n - 3);
    put_packet(&shot, rd_of(fixed, script.n), &packet);
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    ck_assert_uint_le(got.n, 159);
    ck_assert_uint_ge(got.n, 140);
    ck_assert_mem_eq(got.p + got.n - 2, "\x62\xF1", 2);
    wr_done(&packet);
    wr_done(&got);
    exact_free(&script);
}
END_TEST

/* --- security --------------------------------------------------------------------------------- */

START_TEST(refusals_have_their_status)
{
    static const struct {
        struct shot shot;
        int status;
    } rows[] = {
        { { 0xB00121, CC_AND_CIPHER, POR, 0, 0 }, 0x09 },
        { { RFM_UICC, 0x00, POR, 0, 0 }, 0x0A },
        { { RFM_UICC, 0x04, POR, 0, 0 }, 0x0A },
        { { RFM_STRICT, CC_AND_CIPHER, POR, 0, 0 }, 0x0A },
        { { RFM_STRICT, 0x12, POR, 1, 0 }, 0x0A },
        { { RFM_UICC, 0x07, POR, 0, 0 }, 0x06 }, /* digital signature */
        { { RFM_UICC, CC_AND_CIPHER, 0x1D, 0, 0 }, 0x06 },
        { { RFM_UICC, CC_AND_CIPHER, POR, 0, 5 }, 0x06 }, /* there is no version 5 */
        { { RAM, 0x01, POR, 0, 0 }, 0x0A },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        shoot(&rows[i].shot, "00A4000C022FE2", rows[i].status, "");
}
END_TEST

START_TEST(wrong_keys_are_found_out)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };
    const struct shot clear = { RFM_UICC, 0x02, POR_CLEAR, 0, 0 };

    kid[0] ^= 1;
    shoot(&clear, "00A4000C022FE2", 0x01, "");
    kid[0] ^= 1;
    kic[0] ^= 1;
    shoot(&shot, "00A4000C022FE2", 0x01, "");
}
END_TEST

START_TEST(a_counter_counts)
{
    struct shot shot = { RFM_STRICT, COUNTED, POR, 5, 0 };

    shoot(&shot, "00A4000C022FE2", 0, "01 9000");
    shoot(&shot, "00A4000C022FE2", 2, ""); /* the same again */
    shot.counter = 4;
    shoot(&shot, "00A4000C022FE2", 2, "");
    ck_assert_int_eq(softeuicc_reset(card), 0);
    shot.counter = 5;
    shoot(&shot, "00A4000C022FE2", 2, "");
    shot.spi1 = 0x1E; /* one higher */
    shot.counter = 7;
    shoot(&shot, "00A4000C022FE2", 3, "");
    shot.counter = 6;
    shoot(&shot, "00A4000C022FFF", 0, "01 6A82"); /* used up by a script that fails */
    shoot(&shot, "00A4000C022FE2", 2, "");
    shot.counter = UINT64_C(0xFFFFFFFFFF);
    shot.spi1 = COUNTED;
    shoot(&shot, "00A4000C022FE2", 0, "01 9000");
    shoot(&shot, "00A4000C022FE2", 4, "");
}
END_TEST

START_TEST(answers_only_when_asked)
{
    struct rd script = exact_copy("00A4000C022FE2");
    struct shot shot = { RFM_UICC, CC_AND_CIPHER, 0x00, 0, 0 };
    struct wr packet, got;

    wr_init_heap(&packet, 4096);
    wr_init_heap(&got, 4096);
    put_packet(&shot, script, &packet);
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    ck_assert_uint_eq(got.n, 0);
    wr_clear(&packet);
    shot.spi2 = 0x02; /* only when refused */
    put_packet(&shot, script, &packet);
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    ck_assert_uint_eq(got.n, 0);
    packet.p[packet.n - 1] ^= 1;
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    ck_assert_uint_gt(got.n, 0);
    wr_clear(&packet);
    shot.spi2 = 0x00;
    put_packet(&shot, script, &packet);
    packet.p[packet.n - 1] ^= 1;
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    ck_assert_uint_eq(got.n, 0);
    ck_assert_uint_gt(checks, 0);
    wr_done(&packet);
    wr_done(&got);
    exact_free(&script);
}
END_TEST

START_TEST(an_answer_may_go_by_sms_submit)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR | 0x20, 0, 0 };
    struct rd script = exact_copy("00A40000022FE2 00B000000A");
    struct wr packet, got, answer;

    wr_init_heap(&packet, 4096);
    wr_init_heap(&got, 4096);
    wr_init_heap(&answer, 4096);
    shoot(&shot, "00A40000022FE2 00B000000A", 0, "02 9000 980010000000000010F9"); /* nobody can */
    expect("80100000 04 00000002", 0x9000, "");
    put_packet(&shot, script, &packet);
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got) >> 8, 0x91);
    ck_assert_uint_eq(got.n, 0);
    ck_assert_uint_eq(apdu("8012000000", &got), 0x9000);
    struct rd head = exact_copy("D041 8103011300 82028183 8500 8B34 41 00 0881 21436587 00 F6 29");
    ck_assert_uint_gt(got.n, head.n);
    if (memcmp(got.p, head.p, head.n) != 0)
        abort_with("FETCH", wr_view(&got));
    struct rd user_data = rd_of(got.p + head.n, got.n - head.n);
    ck_assert_int_eq(open_answer(&shot, user_data, true, &answer), 0);
    struct rd want = exact_copy("02 9000 980010000000000010F9");
    if (!rd_equal(wr_view(&answer), want))
        abort_with("SMS-SUBMIT", wr_view(&answer));
    expect("80140000 0C 8103011300 82028281 830100", 0x9000, "");
    packet.p[packet.n - 1] ^= 1; /* it proves nothing: no short message */
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    ck_assert_int_eq(open_answer(&shot, wr_view(&got), false, &answer), 1);
    exact_free(&script);
    exact_free(&head);
    exact_free(&want);
    wr_done(&packet);
    wr_done(&got);
    wr_done(&answer);
}
END_TEST

/* Power is lost at every write in turn: then either the packet never came, or its counter is used
 * up. */
START_TEST(no_power_cut_lets_a_packet_in_twice)
{
    const char *const script = "00A4000C026F07 00D6000009 080910100000000060";
    char line[32], reply[64];
    bool cut = true;

    for (unsigned writes = 0; cut; writes++) {
        struct shot shot = { RFM_USIM, COUNTED, POR, 100 + writes, 0 };
        struct rd in = exact_copy(script);
        struct wr packet, got;

        wr_init_heap(&packet, 4096);
        wr_init_heap(&got, 4096);
        put_packet(&shot, in, &packet);
        snprintf(line, sizeof line, "cut-after %u", writes);
        ck_assert_int_eq(softeuicc_control(card, line, reply, sizeof reply), 0);
        cut = send_packet(wr_view(&packet), &got) == 0;
        ck_assert_int_eq(softeuicc_power_on(card), 0);
        unsigned sw = send_packet(wr_view(&packet), &got);
        ck_assert_uint_eq(sw, 0x9000);
        struct wr answer;
        wr_init_heap(&answer, 4096);
        int status = open_answer(&shot, wr_view(&got), true, &answer);
        ck_assert(status == 0 || status == 2);
        ck_assert(cut || status == 2);
        wr_done(&answer);
        wr_done(&packet);
        wr_done(&got);
        exact_free(&in);
    }
}
END_TEST

START_TEST(damaged_envelopes_are_refused)
{
    struct wr got;

    wr_init_heap(&got, 4096);
    ck_assert_uint_eq(apdu("80C2000005 D1038B0100", &got), 0x6A80);
    ck_assert_uint_eq(apdu("80C2000004 D1048B01", &got), 0x6A80);
    ck_assert_uint_eq(apdu("80C2000006 D104 82028381", &got), 0x6A80);
    ck_assert_uint_gt(checks, 0);
    ck_assert_uint_eq(send_packet(rd_of("\0\x10\x0D", 3), &got), 0x6A80);
    wr_done(&got);
}
END_TEST

/* --- messages in parts ------------------------------------------------------------------------ */

static unsigned send_part(struct rd packet, uint8_t reference, uint8_t total, uint8_t number,
                          struct wr *ret)
{
    enum { PART = 100 };
    const uint8_t first[] = { 7, 0x00, 3, reference, total, number, 0x70, 0 };
    const uint8_t later[] = { 5, 0x00, 3, reference, total, number };
    size_t from = (size_t)(number - 1) * PART, n = packet.n - from < PART ? packet.n - from : PART;
    uint8_t octets[140];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    if (number == 1)
        wr_put(&w, first, sizeof first);
    else
        wr_put(&w, later, sizeof later);
    wr_put(&w, packet.p + from, n);
    return envelope(wr_view(&w), ret);
}

START_TEST(parts_come_in_any_order)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };
    uint8_t script[300];
    struct wr packet, got, answer, w;

    wr_init(&w, script, sizeof script);
    for (int i = 0; i < 30; i++)
        hex_put(&w, "00A4000C022FE2");
    hex_put(&w, "00B000000A");
    wr_init_heap(&packet, 4096);
    wr_init_heap(&got, 4096);
    wr_init_heap(&answer, 4096);
    put_packet(&shot, wr_view(&w), &packet);
    struct rd p = wr_view(&packet);
    ck_assert_uint_eq(p.n, 250);
    ck_assert_uint_eq(send_part(p, 7, 3, 3, &got), 0x9000);
    ck_assert_uint_eq(send_part(p, 8, 3, 1, &got), 0x9000); /* another message begins */
    ck_assert_uint_eq(send_part(p, 8, 3, 3, &got), 0x9000);
    ck_assert_uint_eq(send_part(p, 8, 3, 3, &got), 0x9000); /* twice does no harm */
    ck_assert_uint_eq(got.n, 0);
    ck_assert_uint_eq(send_part(p, 8, 3, 2, &got), 0x9000);
    ck_assert_int_eq(open_answer(&shot, wr_view(&got), true, &answer), 0);
    ck_assert_mem_eq(answer.p, "\x1F\x90\x00\x98\x00\x10", 6);
    ck_assert_uint_eq(send_part(p, 9, 200, 1, &got), 0x6A84);
    wr_done(&packet);
    wr_done(&got);
    wr_done(&answer);
}
END_TEST

/* --- the security domain ---------------------------------------------------------------------- */

static const struct shot ram = { RAM, CC_AND_CIPHER, POR, 0, 0 };

START_TEST(get_data_tells_keys_and_card_data)
{
    const struct shot compact = { RAM_COMPACT, CC_AND_CIPHER, POR, 0, 0 };

    shoot(&compact, "80CA00E000", 0, "01 9000 E012 C00401028810 C00402028810 C00403028810");
    shoot(&compact, "80CA006600", 0, "01 9000 660B 7309 06072A864886FC6B01");
    shoot(&compact, "80CA007300", 0, "01 9000 7309 06072A864886FC6B01");
    shoot(&compact, "80CA2F0000", 0, "01 9000 610B 4F09 A00000015153504101");
    shoot(&compact, "80CA004200", 0, "01 6A88");
    shoot(&ram, "AA07 2205 80CA006600", 0, "AB14 800101 230F 660B 7309 06072A864886FC6B01 9000"
          /* lengths by the codec */);
}
END_TEST

START_TEST(get_status_lists_what_there_is)
{
    shoot(&ram, "80F28002024F00 00C0000000", 0,
          "02 9000 E313 4F08 A000000151000000 9F70010F C50382DC00");
    shoot(&ram, "80F24002024F00 00C0000000", 0,
          "02 9000 E314 4F09 A00000015153504101 9F70010F C50382DC00");
    shoot(&ram, "80F22002024F00", 0, "01 6A88");
    shoot(&ram, "80F24002044F02A001", 0, "01 6A88");
    shoot(&ram, "80F28000024F00 00C0000000", 0, "02 9000 08 A000000151000000 0F 82");
}
END_TEST

START_TEST(content_management_is_refused)
{
    shoot(&ram, "80E60C0001 00", 0, "01 6985");
    shoot(&ram, "80E4000001 00", 0, "01 6985");
    shoot(&ram, "80E8000001 00", 0, "01 6985");
    shoot(&ram, "80F0800000", 0, "01 6985");
    shoot(&ram, "00A4000C023F00", 0, "01 6D00");
}
END_TEST

START_TEST(the_operator_updates_its_metadata)
{
    shoot(&ram, "80E2800008 BF2A05 9203 4E6577", 0, "01 9000");
    expect("81E2910008 BF2D05 5C03 929091", 0x9000, "BF2D0B A009 E307 9100 9203 4E6577");
    /* for its ISD-P, as servers announce it, and in two blocks */
    shoot(&ram,
          "80E6200016 0000 10 A0000005591010FFFFFFFF8900000F00 000000"
          "80E2000004 BF2A0591"
          "80E2800104 03 4F7065",
          0, "03 9000");
    expect("81E2910008 BF2D05 5C03 929091", 0x9000, "BF2D0E A00C E30A 9103 4F7065 9203 4E6577");
    shoot(&ram, "80E2800008 BF2A05 9203 FFFFFF", 0, "01 6A80"); /* no UTF-8 */
    shoot(&ram, "80E2800007 BF2A04 99020640", 0, "01 6A80");    /* rules without an owner */
    shoot(&ram, "80E2800004 BF2A0192", 0, "01 6A80");
    shoot(&ram, "80E2800103 BF2A00", 0, "01 6A86");
    shoot(&ram, "80E2800003 BF2B00", 0, "01 6A88");
    shoot(&ram, "80E6200016 0000 10 A0000005591010FFFFFFFF8900001F00 000000", 0, "01 6A88");
    expect("81E2910008 BF2D05 5C03 929091", 0x9000, "BF2D0E A00C E30A 9103 4F7065 9203 4E6577");
}
END_TEST

START_TEST(only_the_mno_sd_updates_metadata)
{
    const struct shot ssd = { 0xB20200, CC_AND_CIPHER, POR, 0, 0 };

    hex(KIK, kic, sizeof kic); /* its own */
    shoot(&ssd, "80E2800008 BF2A05 9203 4E6577", 0, "01 6985");
    shoot(&ssd, "80F24002024F00 00C0000000", 0,
          "02 9000 E314 4F09 A00000015153504101 9F70010F C50382DC00");
}
END_TEST

/* A key under KIK as PUT KEY carries it, with its check value. */
static void put_new_key(struct wr *w, const uint8_t key[16], bool right)
{
    static const uint8_t zero[16];
    uint8_t kik[16], ciphered[16], ones[16];

    hex(KIK, kik, sizeof kik);
    memset(ones, 1, sizeof ones);
    ck_assert_int_eq(cipher_cbc(crypto, CIPHER_AES, rd_of(kik, 16), true, zero, key, 16, ciphered),
                     0);
    ck_assert_int_eq(cipher_cbc(crypto, CIPHER_AES, rd_of(key, 16), true, zero, ones, 16, ones), 0);
    hex_put(w, "88 11 10");
    wr_put(w, ciphered, sizeof ciphered);
    wr_put_u8(w, 3);
    wr_put(w, ones, 2);
    wr_put_u8(w, right ? ones[2] : (uint8_t)~ones[2]);
}

/* PUT KEY of new keys, random ones; asserts the status word.  They are the sender's keys then. */
static void put_keys(const char *p1p2, const char *version, bool right, const char *sw)
{
    uint8_t octets[128], new_kic[16], new_kid[16];
    char want[64];
    struct wr w, answer, packet, got;

    ck_assert_int_eq(crypto_random(crypto, new_kic, 16), 0);
    ck_assert_int_eq(crypto_random(crypto, new_kid, 16), 0);
    leak_add(rd_of(new_kic, 16));
    leak_add(rd_of(new_kid, 16));
    wr_init(&w, octets, sizeof octets);
    hex_put(&w, "80D8");
    hex_put(&w, p1p2);
    wr_put_u8(&w, 0);
    hex_put(&w, version);
    put_new_key(&w, new_kic, true);
    put_new_key(&w, new_kid, right);
    octets[4] = (uint8_t)(w.n - 5);
    snprintf(want, sizeof want, "01%s", sw);
    wr_init_heap(&answer, 4096);
    wr_init_heap(&packet, 4096);
    wr_init_heap(&got, 4096);
    put_packet(&ram, wr_view(&w), &packet);
    ck_assert_uint_eq(send_packet(wr_view(&packet), &got), 0x9000);
    ck_assert_int_eq(open_answer(&ram, wr_view(&got), true, &answer), 0);
    struct rd expected = exact_copy(want);
    ck_assert_msg(answer.n >= 3 && memcmp(answer.p, expected.p, 3) == 0, "%02X%02X: %s",
                  answer.p[1], answer.p[2], why);
    if (strncmp(sw, "61", 2) == 0) {
        memcpy(kic, new_kic, 16);
        memcpy(kid, new_kid, 16);
    }
    exact_free(&expected);
    wr_done(&answer);
    wr_done(&packet);
    wr_done(&got);
}

START_TEST(new_keys_take_the_place_of_old_ones)
{
    struct shot shot = ram;

    put_keys("0081", "03", false, "6A80"); /* a wrong check value */
    put_keys("0081", "02", true, "6985");  /* is there */
    put_keys("0581", "06", true, "6A88");  /* is not there */
    put_keys("0281", "02", true, "6107");
    shoot(&shot, "80CA006600", 0, "01 9000 660B 7309 06072A864886FC6B01");
    hex(KIC, kic, sizeof kic);
    hex(KID, kid, sizeof kid);
    shoot(&shot, "80CA006600", 1, "");
}
END_TEST

START_TEST(new_keys_may_have_a_new_version)
{
    struct shot shot = ram;

    shot.version = 3;
    put_keys("0281", "03", true, "6107");
    shoot(&shot, "80CA00E000", 0, "01 9000 E012 C00403028810 C00401038810 C00402038810");
    shoot(&ram, "80CA006600", 6, ""); /* version 2 has its KIK left, and no KIc */
}
END_TEST

/* --- packages and commands of others ---------------------------------------------------------- */

/* Another card, with this package; false if it is one of the test data and there are none. */
static bool reopen_with(const char *name, const char *iccid)
{
    const char *dir = getenv("SOFTEUICC_TESTDATA");
    char path[512];
    struct wr package;

    if (name[0] != '/' && dir == NULL)
        return false;
    if (name[0] == '/')
        snprintf(path, sizeof path, "%s", name);
    else
        snprintf(path, sizeof path, "%s/ts48/%s", dir, name);
    softeuicc_close(&card);
    wr_init_heap(&package, PACKAGE_MAX);
    read_file(path, &package);
    open_with(wr_view(&package), iccid);
    wr_done(&package);
    return true;
}

START_TEST(a_ts_48_profile_is_read_remotely)
{
    const struct shot shot = { RFM_UICC, CC_AND_CIPHER, POR, 0, 0 };

    if (!reopen_with("TS48v5_SAIP2.3_BERTLV_SUCI.der", "98001032547698103214"))
        return;
    hex("000102030405060708090a0b0c0d0e0f", kic, sizeof kic);
    hex("000102030405060708090a0b0c0d0e0f", kid, sizeof kid);
    shoot(&shot, "00A40000022FE2 00B000000A", 0, "02 9000 98001032547698103214");
}
END_TEST

/* SMS-PP downloads built with pySim at a437d11 (ota.py, sms.py, cat.py), and the proofs of receipt
 * that this card gave: pySim verified the checksum of each, deciphered it and found what "data"
 * says.  SPI 1619: checksum, ciphering, a higher counter, which is 1; the proof is ciphered, with
 * checksum.  KIc and KID 22: AES, key version 02. */
static const struct {
    const char *package, *iccid, *kic, *kid;
    const char *envelope, *packet, *answer, *data;
} recorded[] = {
    /* the USIM's 6F7B: UPDATE BINARY of three octets, READ BINARY */
    { BOOTSTRAP_DER, "980010000000000031F4", "000102030405060708090a0b0c0d0e0f",
      "2b7e151628aed2a6abf7158809cf4f3c",
      "80c200005b d159 82028381 8603811234 8b4e 400881214365877ff622705200000000 3d 027000",
      "0038 15 1619 22 22 b00121 144a905feb06cc967e24b45bc087fd1f111e67c07d62e463e74fefced816ec87"
      "736706e8408cbc23b001d65b5e1cdab7",
      "027100 0024 12 b00121 bcc7ebc28fd7114503b1f85bc14e197699ab4c9ef570b8ac2181c3a7b2166d06",
      "03 9000 12f345ffffffffffffffffff" },
    /* the USIM's 6F07 */
    { BOOTSTRAP_DER, "980010000000000031F4", "000102030405060708090a0b0c0d0e0f",
      "2b7e151628aed2a6abf7158809cf4f3c",
      "80c200004b d149 82028381 8603811234 8b3e 400881214365877ff622705200000000 2d 027000",
      "0028 15 1619 22 22 b00121 b303c2a3a4230aea3de8391cfdf815148bcc2e856b88c9493d1cfcd8d18e17d2",
      "027100 0024 12 b00121 10d267b46ee3e5728baf7d21b47cdc5620bcc8b8c4a23bca7ce9ff3eb5a1423d",
      "02 9000 080910100000000031" },
    /* 2FE2 */
    { "TS48v4_SAIP2.1A_NoBERTLV.der", "98001032547698103214", "000102030405060708090a0b0c0d0e0f",
      "000102030405060708090a0b0c0d0e0f",
      "80c200004b d149 82028381 8603811234 8b3e 400881214365877ff622705200000000 2d 027000",
      "0028 15 1619 22 22 b00120 1f51bde501a56c6688be00c7341b5b6ac4873c846ade0fda9e3e7f6703215df7",
      "027100 0024 12 b00120 16b176ef3690f97f455f7f6ede9dca3a2247089fcf4dd0a8cccf4cfb68e5662f",
      "02 9000 98001032547698103214" },
    /* the USIM's 6F07 */
    { "TS48v5_SAIP2.3_BERTLV_SUCI.der", "98001032547698103214", "000102030405060708090a0b0c0d0e0f",
      "000102030405060708090a0b0c0d0e0f",
      "80c200004b d149 82028381 8603811234 8b3e 400881214365877ff622705200000000 2d 027000",
      "0028 15 1619 22 22 b00140 2fa7a26e42624307a0869fb9715c2292249f57da55cf47350d393708285001f4",
      "027100 0024 12 b00140 1084f0706c593712269abc45233207ee3476fe2acb577d7b7d021245548faad0",
      "02 9000 080910101032540636" },
};

/* The card that the command is for; the command with its envelope in octets, where the packet
 * begins in it, and how long all of it is. */
static bool recorded_setup(int i, uint8_t octets[300], size_t *ret_packet, size_t *ret_n)
{
    if (!reopen_with(recorded[i].package, recorded[i].iccid)) {
        printf("skipped: %s: SOFTEUICC_TESTDATA is not set\n", recorded[i].package);
        return false;
    }
    hex(recorded[i].kic, kic, sizeof kic);
    hex(recorded[i].kid, kid, sizeof kid);
    *ret_packet = hex(recorded[i].envelope, octets, 300);
    *ret_n = *ret_packet + hex(recorded[i].packet, octets + *ret_packet, 300 - *ret_packet);
    return true;
}

START_TEST(recorded_commands_get_the_recorded_answers)
{
    struct rd want = exact_copy(recorded[_i].answer), data = exact_copy(recorded[_i].data);
    const struct shot shot = { .spi2 = POR };
    uint8_t command[300];
    size_t packet, n;
    struct wr got, opened;

    wr_init_heap(&got, 4096);
    wr_init_heap(&opened, 4096);
    if (recorded_setup(_i, command, &packet, &n)) {
        ck_assert_uint_eq(transmit(command, n, &got), 0x9000);
        if (!rd_equal(wr_view(&got), want))
            abort_with(recorded[_i].package, wr_view(&got));
        ck_assert_int_eq(open_answer(&shot, want, true, &opened), 0);
        ck_assert(rd_equal(wr_view(&opened), data));
        /* a second time, its counter is not higher */
        ck_assert_uint_eq(transmit(command, n, &got), 0x9000);
        ck_assert_int_eq(open_answer(&shot, wr_view(&got), true, &opened), 2);
        ck_assert_uint_eq(opened.n, 0);
    }
    wr_done(&opened);
    wr_done(&got);
    exact_free(&data);
    exact_free(&want);
}
END_TEST

/* What the lowest bit of each octet of a packet makes of it. */
static void check_damaged(size_t at, unsigned sw, struct rd answer)
{
    enum { CHL = 2, SPI1, SPI2, KIC_OCTET, KID_OCTET, TAR, CIPHERED = 10 };
    static const int statuses[CIPHERED] = {
        [CHL] = 0x01, [SPI1] = 0x06,    [KIC_OCTET] = 0x06, [KID_OCTET] = 0x06,
        [TAR] = 0x09, [TAR + 1] = 0x09, [TAR + 2] = 0x09,
    };
    int status = at < CIPHERED ? statuses[at] : 0x01;

    if (at < CHL) { /* the length contradicts that of the short message */
        ck_assert_uint_eq(sw, 0x6A80);
        ck_assert_uint_eq(answer.n, 0);
    } else if (at == SPI2) { /* no proof is asked for any more */
        ck_assert_uint_eq(sw, 0x9000);
        ck_assert_uint_eq(answer.n, 0);
    } else { /* in clear, its counter being whatever was deciphered */
        ck_assert_uint_eq(sw, 0x9000);
        ck_assert_uint_eq(answer.n, 16);
        ck_assert_mem_eq(answer.p, "\x02\x71\x00\x00\x0B\x0A", 6);
        ck_assert_int_eq(answer.p[15], status);
    }
    ck_assert_uint_gt(checks, 0);
}

START_TEST(no_changed_octet_of_a_recorded_command_gets_through)
{
    struct rd want = exact_copy(recorded[0].answer);
    uint8_t command[300];
    size_t packet, n;
    struct wr got;

    wr_init_heap(&got, 4096);
    ck_assert(recorded_setup(0, command, &packet, &n));
    for (size_t i = packet; i < n; i++) {
        command[i] ^= 1;
        unsigned sw = transmit(command, n, &got);
        check_damaged(i - packet, sw, wr_view(&got));
        command[i] ^= 1;
    }
    expect("00A4040C0C" USIM, 0x9000, "");
    expect("00A4000C026F7B", 0x9000, "");
    expect("00B000000C", 0x9000, "FFFFFFFFFFFFFFFFFFFFFFFF"); /* nothing was written */
    ck_assert_uint_eq(transmit(command, n, &got), 0x9000);    /* and no counter used up */
    ck_assert(rd_equal(wr_view(&got), want));
    expect("00B000000C", 0x9000, "12F345FFFFFFFFFFFFFFFFFF");
    wr_done(&got);
    exact_free(&want);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ota");
    TCase *tc = tcase_create("ota");

    tcase_add_checked_fixture(tc, open_card, close_card);
    tcase_add_test(tc, rfm_reads_the_iccid);
    tcase_add_test(tc, select_answers_behind_get_response);
    tcase_add_test(tc, a_script_ends_at_its_first_error);
    tcase_add_test(tc, full_access_does_not_undo_never);
    tcase_add_test(tc, the_adf_is_current_from_the_beginning);
    tcase_add_test(tc, listed_pins_count_as_verified);
    tcase_add_test(tc, what_the_terminal_verified_is_not_lent);
    tcase_add_test(tc, expanded_format);
    tcase_add_test(tc, data_that_does_not_fit_the_report_is_left_out);
    tcase_add_test(tc, refusals_have_their_status);
    tcase_add_test(tc, wrong_keys_are_found_out);
    tcase_add_test(tc, a_counter_counts);
    tcase_add_test(tc, answers_only_when_asked);
    tcase_add_test(tc, an_answer_may_go_by_sms_submit);
    tcase_add_test(tc, no_power_cut_lets_a_packet_in_twice);
    tcase_add_test(tc, damaged_envelopes_are_refused);
    tcase_add_test(tc, parts_come_in_any_order);
    tcase_add_test(tc, get_data_tells_keys_and_card_data);
    tcase_add_test(tc, get_status_lists_what_there_is);
    tcase_add_test(tc, content_management_is_refused);
    tcase_add_test(tc, the_operator_updates_its_metadata);
    tcase_add_test(tc, only_the_mno_sd_updates_metadata);
    tcase_add_test(tc, new_keys_take_the_place_of_old_ones);
    tcase_add_test(tc, new_keys_may_have_a_new_version);
    tcase_add_test(tc, a_ts_48_profile_is_read_remotely);
    tcase_add_loop_test(tc, recorded_commands_get_the_recorded_answers, 0, (int)N_ELEMS(recorded));
    tcase_add_test(tc, no_changed_octet_of_a_recorded_command_gets_through);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
