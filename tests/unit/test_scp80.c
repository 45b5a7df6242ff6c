/* test_scp80.c - applets/ota/scp80: secured packets against published vectors, every refusal with
 * its status, counters, padding, and packets with any one bit wrong. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ota/scp80.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { PACKET_MAX = 512 };

static struct crypto *crypto;
static struct scp80_key aes_kic, aes_kid;

static struct scp80_key key_of(enum cipher_family family, const char *octets)
{
    struct scp80_key k = { .family = family, .mac_len = 8 };

    k.n = hex(octets, k.b, sizeof k.b);
    return k;
}

static void open_crypto(void)
{
    crypto = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(crypto);
    aes_kic = key_of(CIPHER_AES, "000102030405060708090a0b0c0d0e0f");
    aes_kid = key_of(CIPHER_AES, "101112131415161718191a1b1c1d1e1f");
}

static void close_crypto(void)
{
    crypto_free(&crypto);
}

/* clang-format off */
#define SJA5_AES CIPHER_AES, "200102030405060708090a0b0c0d0e0f", "201102030405060708090a0b0c0d0e0f"
#define SJA5_DES CIPHER_DES, "300102030405060708090a0b0c0d0e0f", "301102030405060708090a0b0c0d0e0f"
#define SJA2_DES CIPHER_DES, "C21DD66ACAC13CB3BC8B331B24AFB57B", "12110C78E678C25408233076AA033615"
/* clang-format on */

/* Published with pySim (tests/unittests/test_ota.py), from real cards. */
static const struct {
    const char *packet, *plain;
    enum cipher_family family;
    const char *kic, *kid;
} commands[] = {
    { "00281506192222b00011e87cceebb2d93083011ce294f93fc4d8de80da1abae8c37ca3e72ec4432e5058",
      "00a40004023f00", SJA5_AES },
    { "00201506193535b00011ae733256918d050b87c94fbfe12e4dc402f262c41cf67f2f", "00a40004023f00",
      SJA5_DES },
    { "00201506093535b00011c49ac91ab8159ba5b83a54fb6385e0a5e31694f8b215fafc", "00a40004023f00",
      SJA5_DES },
    { "00201506013535b000113190be334900f52b025f3f7eddfe868e96ebf310023b7769", "00a40004023f00",
      SJA5_DES },
    { "00180d04193535b00000e3ec80a849b554421276af3883927c20", "00a40000023f00", SJA2_DES },
    { "001d1502193535b00000000000000000072ea17bdb72060e00a40000023f00", "00a40000023f00",
      SJA2_DES },
    { "00150d00193535b0000000000000000000a40000023f00", "00a40000023f00", SJA2_DES },
};

static const struct {
    uint8_t spi2, key;
    const char *packet, *data;
    enum cipher_family family;
    const char *kic, *kid;
} answers[] = {
    { 0x19, 0x22, "002412b00011ebc6b497e2cad7aedf36ace0e3a29b38853f0fe9ccde81913be5702b73abce1f",
      "016132", SJA5_AES },
    { 0x19, 0x35, "001c12b000118bb989492c632529326a2f4681feb37c825bc9021c9f6d0b", "016132",
      SJA5_DES },
    { 0x09, 0x35, "001612b0001100000000000000b5bcd6353a421fae016132", "016132", SJA5_DES },
    { 0x01, 0x35, "000e0ab0001100000000000000016132", "016132", SJA5_DES },
    { 0x19, 0x35, "001c12b000119660ebdb81be189b5e4389e9e7ab2bc0954f963ad869ed7c", "01612f",
      SJA2_DES },
    { 0x09, 0x35, "001612b000110000000000000055f47118381175fb01612f", "01612f", SJA2_DES },
    { 0x01, 0x35, "000e0ab000110000000000000001612f", "01612f", SJA2_DES },
};

START_TEST(published_commands_open)
{
    struct rd packet = exact_copy(commands[_i].packet), want = exact_copy(commands[_i].plain);
    struct scp80_key kic = key_of(commands[_i].family, commands[_i].kic);
    struct scp80_key kid = key_of(commands[_i].family, commands[_i].kid);
    struct scp80_command c;
    struct scp80_plain plain;
    uint8_t buffer[PACKET_MAX];

    ck_assert_int_eq(scp80_parse(packet, &c), 0);
    ck_assert(scp80_key_fits(c.kic, &kic));
    ck_assert(scp80_key_fits(c.kid, &kid));
    int status = scp80_open(crypto, &c, &kic, &kid, buffer, &plain);
    ck_assert_int_eq(status, SCP80_OK);
    ck_assert_uint_eq(plain.counter, 0);
    ck_assert(rd_equal(plain.data, want));
    exact_free(&want);
    exact_free(&packet);
}
END_TEST

START_TEST(published_answers_come_out_octet_for_octet)
{
    static const uint8_t udh[] = { 0x02, 0x71, 0x00 };
    struct scp80_key kic = key_of(answers[_i].family, answers[_i].kic);
    struct scp80_key kid = key_of(answers[_i].family, answers[_i].kid);
    const struct scp80_command c = { .spi1 = 0x06,
                                     .spi2 = answers[_i].spi2,
                                     .kic = answers[_i].key,
                                     .kid = answers[_i].key,
                                     .tar = { 0xB0, 0x00, 0x11 } };
    struct rd want = exact_copy(answers[_i].packet);
    uint8_t data[16], out[PACKET_MAX];
    struct wr w;

    wr_init(&w, out, sizeof out);
    const struct scp80_answer a = {
        .to = &c,
        .kic = &kic,
        .kid = &kid,
        .secured = true,
        .data = rd_of(data, hex(answers[_i].data, data, sizeof data)),
        .before = rd_of(udh, sizeof udh),
    };
    ck_assert_int_eq(scp80_put_answer(crypto, &a, &w), 0);
    ck_assert(rd_equal(wr_view(&w), want));
    exact_free(&want);
}
END_TEST

/* A command of the test's making, under the AES keys, to TAR B00001. */
struct made {
    uint8_t octets[PACKET_MAX];
    size_t n;
    struct scp80_command command;
};

static void make(struct made *m, uint8_t spi1, uint64_t counter, struct rd data)
{
    static const uint8_t zero[16];
    size_t cc_len = (spi1 & SPI1_INTEGRITY) == SPI1_CC ? 8 : 0;
    size_t n = 6 + cc_len + data.n;
    size_t padding = (spi1 & SPI1_CIPHERED) ? (16 - n % 16) % 16 : 0;
    const uint8_t header[] = {
        0,   (uint8_t)(8 + n + padding), (uint8_t)(13 + cc_len), spi1, 0x01, 0x12, 0x12, 0xB0, 0x00,
        0x01
    };
    uint8_t *body = m->octets + sizeof header, mac[16];

    memset(m->octets, 0, sizeof m->octets);
    memcpy(m->octets, header, sizeof header);
    for (size_t i = 0; i < 5; i++)
        body[i] = (uint8_t)(counter >> 8 * (4 - i));
    body[5] = (uint8_t)padding;
    memcpy(body + 6 + cc_len, data.p, data.n);
    m->n = sizeof header + n + padding;
    const struct rd parts[] = { rd_of(m->octets, sizeof header + 6),
                                rd_of(body + 6 + cc_len, data.n + padding) };
    ck_assert_int_eq(cipher_mac(crypto, CIPHER_AES, scp80_key_octets(&aes_kid), parts, 2, mac), 0);
    memcpy(body + 6, mac, cc_len);
    if (spi1 & SPI1_CIPHERED)
        ck_assert_int_eq(cipher_cbc(crypto, CIPHER_AES, scp80_key_octets(&aes_kic), true, zero,
                                    body, n + padding, body),
                         0);
    ck_assert_int_eq(scp80_parse(rd_of(m->octets, m->n), &m->command), 0);
}

static int open_made(const struct made *m)
{
    struct scp80_plain plain;
    uint8_t buffer[PACKET_MAX];

    return scp80_open(crypto, &m->command, &aes_kic, &aes_kid, buffer, &plain);
}

START_TEST(every_length_of_data_comes_back)
{
    uint8_t data[100], buffer[PACKET_MAX];
    static const uint8_t levels[] = { 0x00, 0x02, 0x04, 0x06, 0x16 };
    struct scp80_plain plain;
    struct made m;

    memset(data, 0xA5, sizeof data);
    for (size_t level = 0; level < N_ELEMS(levels); level++)
        for (size_t n = 0; n < sizeof data; n++) {
            make(&m, levels[level], 0x0102030405, rd_of(data, n));
            ck_assert_int_eq(scp80_open(crypto, &m.command, &aes_kic, &aes_kid, buffer, &plain),
                             SCP80_OK);
            ck_assert_uint_eq(plain.counter, 0x0102030405);
            ck_assert(rd_equal(plain.data, rd_of(data, n)));
        }
}
END_TEST

START_TEST(any_wrong_bit_is_found)
{
    struct made m;

    for (size_t bit = 0;; bit++) {
        make(&m, 0x06, 7, rd_of("\x00\xA4\x00\x04\x02\x3F", 7));
        if (bit == m.n * 8)
            break;
        m.octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (scp80_parse(rd_of(m.octets, m.n), &m.command) != 0)
            continue;
        ck_assert_int_ne(open_made(&m), SCP80_OK);
    }
}
END_TEST

START_TEST(lengths_that_contradict_are_no_packet)
{
    struct scp80_command c;
    struct made m;

    make(&m, 0x02, 0, rd_of("\0", 1));
    for (size_t n = 0; n < m.n; n++) {
        struct rd cut = exact_copy_of(rd_of(m.octets, n));
        ck_assert_int_eq(scp80_parse(cut, &c), ERR_INPUT);
        exact_free(&cut);
    }
    ck_assert_int_eq(scp80_parse(rd_of(m.octets, m.n + 1), &c), ERR_INPUT);
    m.octets[2] = 12; /* CHL */
    ck_assert_int_eq(scp80_parse(rd_of(m.octets, m.n), &c), ERR_INPUT);
    m.octets[2] = (uint8_t)(m.n - 2);
    ck_assert_int_eq(scp80_parse(rd_of(m.octets, m.n), &c), ERR_INPUT);
    m.octets[2] = (uint8_t)(m.n - 3); /* all of it is checksum */
    ck_assert_int_eq(scp80_parse(rd_of(m.octets, m.n), &c), 0);
    ck_assert_int_eq(open_made(&(struct made){ .command = c }), SCP80_CC_FAILED);
}
END_TEST

START_TEST(ciphering_errors)
{
    struct made m;

    make(&m, 0x04, 0, rd_of("\0", 1));
    m.command.secured.n--;
    ck_assert_int_eq(open_made(&m), SCP80_CIPHERING_ERROR);
    make(&m, 0x02, 0, rd_of("\0", 1));
    m.octets[15] = 2; /* more padding than data, and the CC is right for it */
    const struct rd parts[] = { rd_of(m.octets, 16), rd_of(m.octets + 24, 1) };
    uint8_t mac[16];
    ck_assert_int_eq(cipher_mac(crypto, CIPHER_AES, scp80_key_octets(&aes_kid), parts, 2, mac), 0);
    memcpy(m.octets + 16, mac, 8);
    ck_assert_int_eq(open_made(&m), SCP80_CIPHERING_ERROR);
}
END_TEST

START_TEST(a_checksum_of_another_length_fails)
{
    struct made m;

    make(&m, 0x02, 0, rd_of("\0", 1));
    aes_kid.mac_len = 4;
    ck_assert_int_eq(open_made(&m), SCP80_CC_FAILED);
    make(&m, 0x00, 0, rd_of("\0\0\0\0", 4));
    m.octets[2] = 17; /* four octets of CC that nobody asked for */
    ck_assert_int_eq(scp80_parse(rd_of(m.octets, m.n), &m.command), 0);
    ck_assert_int_eq(open_made(&m), SCP80_CC_FAILED);
    m.octets[3] = 0x03; /* a digital signature */
    ck_assert_int_eq(scp80_parse(rd_of(m.octets, m.n), &m.command), 0);
    ck_assert_int_eq(open_made(&m), SCP80_CC_FAILED);
}
END_TEST

/* CRC-16/X-25 and CRC-32 as Python made them. */
START_TEST(redundancy_checks)
{
    static const char *const packets[] = {
        "0015 0F 0100 0001 B00001 0000000000 00 34E6 0102030405",
        "0017 11 0100 0005 B00001 0000000000 00 6ADAF2D5 0102030405",
    };
    const struct scp80_key none = { .n = 0 };
    struct rd packet = exact_copy(packets[_i]);
    struct scp80_command c;
    struct scp80_plain plain;
    uint8_t buffer[PACKET_MAX], octets[PACKET_MAX];

    ck_assert_int_eq(scp80_parse(packet, &c), 0);
    ck_assert(!scp80_needs_kid(&c));
    ck_assert_int_eq(scp80_open(crypto, &c, &none, &none, buffer, &plain), SCP80_OK);
    ck_assert(rd_equal(plain.data, rd_of("\1\2\3\4\5", 5)));
    memcpy(octets, packet.p, packet.n);
    octets[packet.n - 1] ^= 1;
    ck_assert_int_eq(scp80_parse(rd_of(octets, packet.n), &c), 0);
    ck_assert_int_eq(scp80_open(crypto, &c, &none, &none, buffer, &plain), SCP80_CC_FAILED);
    exact_free(&packet);
}
END_TEST

START_TEST(counters)
{
    static const struct {
        uint8_t spi1;
        uint64_t last, received;
        int status;
    } rows[] = {
        { 0x00, 5, 0, SCP80_OK },
        { 0x08, 5, 5, SCP80_OK }, /* there, but not looked at */
        { 0x10, 5, 6, SCP80_OK },
        { 0x10, 5, 600, SCP80_OK },
        { 0x10, 5, 5, SCP80_COUNTER_LOW },
        { 0x10, 5, 4, SCP80_COUNTER_LOW },
        { 0x10, 0, 0, SCP80_COUNTER_LOW },
        { 0x18, 5, 6, SCP80_OK },
        { 0x18, 5, 7, SCP80_COUNTER_HIGH },
        { 0x18, 5, 5, SCP80_COUNTER_LOW },
        { 0x10, SCP80_COUNTER_MAX - 1, SCP80_COUNTER_MAX, SCP80_OK },
        { 0x10, SCP80_COUNTER_MAX, SCP80_COUNTER_MAX, SCP80_COUNTER_BLOCKED },
        { 0x18, SCP80_COUNTER_MAX, 0, SCP80_COUNTER_BLOCKED },
        { 0x08, SCP80_COUNTER_MAX, 0, SCP80_OK },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        const struct scp80_command c = { .spi1 = rows[i].spi1 };
        ck_assert_int_eq(scp80_check_counter(&c, rows[i].last, rows[i].received), rows[i].status);
    }
}
END_TEST

START_TEST(each_group_of_the_minimum_level_counts)
{
    static const struct {
        uint8_t spi1, level;
        bool reaches;
    } rows[] = {
        { 0x00, 0x00, true }, { 0x02, 0x02, true },  { 0x01, 0x02, false }, { 0x04, 0x02, false },
        { 0x06, 0x02, true }, { 0x02, 0x06, false }, { 0x16, 0x12, true },  { 0x0E, 0x12, false },
        { 0x1E, 0x16, true }, { 0x12, 0x1A, false }, { 0x02, 0x04, false },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        ck_assert_int_eq(scp80_reaches(rows[i].spi1, rows[i].level), rows[i].reaches);
}
END_TEST

START_TEST(keys_are_of_the_algorithm_that_is_named)
{
    const struct scp80_key des8 = { CIPHER_DES, { 0 }, 8, 8 }, des16 = { CIPHER_DES, { 0 }, 16, 8 },
                           des24 = { CIPHER_DES, { 0 }, 24, 8 },
                           aes32 = { CIPHER_AES, { 0 }, 32, 8 }, none = { CIPHER_AES, { 0 }, 0, 8 };

    ck_assert(scp80_key_fits(0x11, &des8) && !scp80_key_fits(0x15, &des8));
    ck_assert(scp80_key_fits(0x15, &des16) && !scp80_key_fits(0x12, &des16));
    ck_assert(scp80_key_fits(0x19, &des24) && !scp80_key_fits(0x15, &des24));
    ck_assert(scp80_key_fits(0x12, &aes32) && !scp80_key_fits(0x15, &aes32));
    ck_assert(scp80_key_fits(0x10, &des16) && scp80_key_fits(0x10, &aes32)); /* implicit */
    ck_assert(!scp80_key_fits(0x10, &none) && !scp80_key_fits(0x1D, &des8)); /* DES-ECB */
}
END_TEST

START_TEST(an_answer_is_sent_as_asked)
{
    const struct scp80_command never = { .spi2 = 0x00 }, always = { .spi2 = 0x01 },
                               refused = { .spi2 = 0x02 };

    ck_assert(!scp80_wants_answer(&never, SCP80_OK) && !scp80_wants_answer(&never, 1));
    ck_assert(scp80_wants_answer(&always, SCP80_OK) && scp80_wants_answer(&always, 1));
    ck_assert(!scp80_wants_answer(&refused, SCP80_OK) && scp80_wants_answer(&refused, 1));
}
END_TEST

/* Whatever is asked, data of as many octets as there is room for makes a packet that fits. */
START_TEST(answers_fill_their_room)
{
    static const uint8_t spi2s[] = { 0x01, 0x05, 0x09, 0x11, 0x19 };
    static const uint8_t zeros[256];
    uint8_t out[PACKET_MAX];

    for (size_t i = 0; i < N_ELEMS(spi2s); i++)
        for (size_t size = 40; size < 160; size++) {
            const struct scp80_command c = { .spi2 = spi2s[i], .kic = 0x12, .kid = 0x12 };
            size_t room = scp80_answer_room(&c, &aes_kic, &aes_kid, size);
            struct scp80_answer a = { .to = &c,
                                      .kic = &aes_kic,
                                      .kid = &aes_kid,
                                      .secured = true,
                                      .data = rd_of(zeros, room) };
            struct wr w;

            wr_init(&w, out, size);
            ck_assert_int_eq(scp80_put_answer(crypto, &a, &w), 0);
            a.data.n++;
            wr_init(&w, out, size);
            ck_assert_int_eq(scp80_put_answer(crypto, &a, &w), ERR_NOMEM);
        }
}
END_TEST

START_TEST(a_refusal_is_not_secured)
{
    static const uint8_t want[] = { 0, 14 - 3, 10, 0xB0, 0, 1, 0, 0, 0, 0, 9, 0, 0x01 };
    const struct scp80_command c = {
        .spi2 = 0x19, .kic = 0x12, .kid = 0x12, .tar = { 0xB0, 0x00, 0x01 }
    };
    const struct scp80_answer a = {
        .to = &c, .kic = &aes_kic, .kid = &aes_kid, .counter = 9, .status = SCP80_CC_FAILED
    };
    uint8_t out[PACKET_MAX];
    struct wr w;

    wr_init(&w, out, sizeof out);
    ck_assert_int_eq(scp80_put_answer(crypto, &a, &w), 0);
    ck_assert(rd_equal(wr_view(&w), rd_of(want, sizeof want)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scp80");
    TCase *tc = tcase_create("scp80");

    tcase_add_checked_fixture(tc, open_crypto, close_crypto);
    tcase_add_loop_test(tc, published_commands_open, 0, (int)N_ELEMS(commands));
    tcase_add_loop_test(tc, published_answers_come_out_octet_for_octet, 0, (int)N_ELEMS(answers));
    tcase_add_test(tc, every_length_of_data_comes_back);
    tcase_add_test(tc, any_wrong_bit_is_found);
    tcase_add_test(tc, lengths_that_contradict_are_no_packet);
    tcase_add_test(tc, ciphering_errors);
    tcase_add_test(tc, a_checksum_of_another_length_fails);
    tcase_add_loop_test(tc, redundancy_checks, 0, 2);
    tcase_add_test(tc, counters);
    tcase_add_test(tc, each_group_of_the_minimum_level_counts);
    tcase_add_test(tc, keys_are_of_the_algorithm_that_is_named);
    tcase_add_test(tc, an_answer_is_sent_as_asked);
    tcase_add_test(tc, answers_fill_their_room);
    tcase_add_test(tc, a_refusal_is_not_secured);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
