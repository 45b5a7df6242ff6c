/* test_suci.c - applets/naa/suci: the implementers' test data of TS 33.501 C.4, the coding of the
 * SUCI, what is refused; and the functions of os/crypto that it stands on. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/naa/suci.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define KEY_A     "5a8d38864820197c3394b92613b20b91633cbd897119273bf8e4a6f4eec0a650"
#define PRIVATE_A "c53c22208b61860b06c62e5406a7b330c2b577aa5558981510d128247d38bd1d"
#define KEY_B     "0272da71976234ce833a6907425867b82e074d44ef907dfb4b3e21c1c2256ebcd1"
#define KEY_B_WHOLE                                                                                \
    "0472da71976234ce833a6907425867b82e074d44ef907dfb4b3e21c1c2256ebcd1"                           \
    "5a7ded52fcbb097a4ed250e036c7b9c8c7004c4eedc4f068cd7bf8d3f900e3b4"

static struct crypto *c;

static void open_crypto(void)
{
    c = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(c);
}

static void close_crypto(void)
{
    crypto_free(&c);
}

static void check_octets(const uint8_t *got, size_t got_n, const char *want)
{
    uint8_t octets[256];
    size_t n = hex(want, octets, sizeof octets);

    ck_assert_uint_eq(got_n, n);
    ck_assert_mem_eq(got, octets, n);
}

/* --- protection schemes --- */

/* TS 33.501 C.4.2.1, C.4.3.1, C.4.3.2, C.4.4.1, C.4.4.2. */
static const struct {
    enum suci_scheme scheme;
    const char *key, *ephemeral, *plain, *output;
} sets[] = {
    { SUCI_NULL, "", "", "00012080f6", "00012080f6" },
    { SUCI_PROFILE_A, KEY_A, "c80949f13ebe61af4ebdbd293ea4f942696b9e815d7e8f0096bbf6ed7de62256",
      "00012080f6",
      "b2e92f836055a255837debf850b528997ce0201cb82adfe4be1f587d07d8457d cb02352410"
      "cddd9e730ef3fa87" },
    { SUCI_PROFILE_A, KEY_A, "be9eff3e9f22a4b42a3d236e7a6c500b3f2e7e0c7449988ba800d664bf4fcd97",
      "766572796c6f6e67757365726e616d6531",
      "977d8b2fdaa7b64aa700d04227d5b440630ea4ec50f9082273a26bb678c92222"
      "8e358a1582adb15322c10e515141d2039a 12e1d7783a97f1ac" },
    { SUCI_PROFILE_B, KEY_B, "99798858a1dc6a2c68637149a4b1dbfd1fdff5addd62a2142f06699ed7602529",
      "00012080f6",
      "039aab8376597021e855679a9778ea0b67396e68c66df32c0f41e9acca2da9b9d1 46a33fc271"
      "6ac7dae96aa30a4d" },
    { SUCI_PROFILE_B, KEY_B_WHOLE,
      "90a5898bd29ffa3f261e00e980067c70a2b1b992a21f5b4fef6d4df69fe804ad",
      "766572796c6f6e67757365726e616d6531",
      "03759bb22c563d9f4a6b3c1419e543fc2f39d6823f02a9d71162b39399218b244b"
      "be22d8b9f856a52ed381cd7eaf4cf2d525 3cddc61a0a7882eb" },
};

START_TEST(published_sets_match)
{
    uint8_t key[EC_POINT_LEN], ephemeral[32], plain[32], octets[SUCI_MAX_LEN];
    struct wr w;

    struct rd k = rd_of(key, hex(sets[_i].key, key, sizeof key));
    struct rd e = rd_of(ephemeral, hex(sets[_i].ephemeral, ephemeral, sizeof ephemeral));
    struct rd p = rd_of(plain, hex(sets[_i].plain, plain, sizeof plain));
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(suci_scheme_output(c, sets[_i].scheme, k, e, p, &w), 0);
    check_octets(w.p, w.n, sets[_i].output);
}
END_TEST

START_TEST(keys_that_are_none_are_refused)
{
    static const struct {
        enum suci_scheme scheme;
        const char *key;
    } bad[] = {
        { SUCI_PROFILE_A, "" },
        { SUCI_PROFILE_A, KEY_B },
        /* Points of small order give a secret of zeros (RFC 7748 6.1). */
        { SUCI_PROFILE_A, "0000000000000000000000000000000000000000000000000000000000000000" },
        { SUCI_PROFILE_A, "0100000000000000000000000000000000000000000000000000000000000000" },
        { SUCI_PROFILE_B, "" },
        { SUCI_PROFILE_B, KEY_A },
        { SUCI_PROFILE_B, "04" KEY_A }, /* compressed, but says otherwise */
        { SUCI_PROFILE_B, "02ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" },
        /* Not the X coordinate of any point. */
        { SUCI_PROFILE_B, "020000000000000000000000000000000000000000000000000000000000000001" },
    };
    uint8_t key[EC_POINT_LEN], octets[SUCI_MAX_LEN];
    struct wr w;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rd k = rd_of(key, hex(bad[i].key, key, sizeof key));
        wr_init(&w, octets, sizeof octets);
        ck_assert_int_eq(suci_scheme_output(c, bad[i].scheme, k, rd_of(NULL, 0), rd_str("12"), &w),
                         ERR_INPUT);
        ck_assert_uint_eq(w.n, 0);
    }
}
END_TEST

/* --- SUCI --- */

static int conceal(const char *imsi, unsigned mnc_len, const char *routing, const char *info,
                   struct wr *ret)
{
    struct rd i = exact_copy(imsi), r = exact_copy(routing), f = exact_copy(info);
    const struct suci_inputs in = { .imsi = i, .mnc_len = mnc_len, .routing = r, .calc_info = f };

    int result = suci_of_imsi(c, &in, ret);
    exact_free(&i);
    exact_free(&r);
    exact_free(&f);
    return result;
}

static void check_suci(const char *imsi, unsigned mnc_len, const char *routing, const char *info,
                       const char *want)
{
    uint8_t octets[SUCI_MAX_LEN];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(conceal(imsi, mnc_len, routing, info, &w), 0);
    check_octets(w.p, w.n, want);
}

START_TEST(null_scheme_shows_the_msin)
{
    /* 001 01 0123456789 */
    check_suci("080910101032547698", 2, "F0FFFFFF", "A0020000", "0100F110F0FF00001032547698");
    /* 274 012 001002086, routing indicator 17, and what follows the list is not looked at */
    check_suci("082947100210000268", 3, "71FF0000", "A0020000FFFFFF",
               "01722410 71FF 0000 00012080F6");
}
END_TEST

START_TEST(short_imsis_are_filled)
{
    /* 14 digits: 001 01 012345678 */
    check_suci("0801101010325476F8", 2, "", "A0020000", "0100F110F0FF000010325476F8");
    /* 6 digits: 001 01 9 */
    check_suci("04011010F9FFFFFFFF", 2, "FFFFFFFF", "A0020000", "0100F110F0FF0000F9");
}
END_TEST

/* The home network's side: what MSIN is in this output of profile A? */
static void check_profile_a(const uint8_t *output, size_t n, const char *msin)
{
    uint8_t mine[X25519_LEN], secret[X25519_LEN], keys[64], mac[SHA256_LEN], plain[32];

    hex(PRIVATE_A, mine, sizeof mine);
    ck_assert_uint_gt(n, X25519_LEN + SUCI_MAC_LEN);
    const uint8_t *cipher = output + X25519_LEN;
    n -= X25519_LEN + SUCI_MAC_LEN;
    ck_assert_int_eq(x25519(c, mine, output, secret), 0);
    ck_assert_int_eq(
        kdf_x963(c, rd_of(secret, sizeof secret), rd_of(output, X25519_LEN), keys, sizeof keys), 0);
    ck_assert_int_eq(hmac_sha256(c, rd_of(keys + 32, 32), rd_of(cipher, n), mac), 0);
    ck_assert_mem_eq(mac, cipher + n, SUCI_MAC_LEN);
    ck_assert_int_eq(aes128_ctr(c, keys, keys + 16, cipher, n, plain), 0);
    check_octets(plain, n, msin);
}

START_TEST(fresh_concealments_differ_and_can_be_opened)
{
    static const char info[] = "A0020101 A125 80011B 8120" KEY_A;
    uint8_t one[SUCI_MAX_LEN], two[SUCI_MAX_LEN];
    struct wr w, v;

    wr_init(&w, one, sizeof one);
    ck_assert_int_eq(conceal("082947100210000268", 3, "F0FFFFFF", info, &w), 0);
    wr_init(&v, two, sizeof two);
    ck_assert_int_eq(conceal("082947100210000268", 3, "F0FFFFFF", info, &v), 0);
    check_octets(one, 8, "01722410 F0FF 01 1B");
    ck_assert_uint_eq(w.n, v.n);
    ck_assert_mem_ne(one + 8, two + 8, w.n - 8);
    check_profile_a(one + 8, w.n - 8, "00012080F6");
    check_profile_a(two + 8, v.n - 8, "00012080F6");
}
END_TEST

START_TEST(first_known_scheme_wins)
{
    uint8_t octets[SUCI_MAX_LEN];
    struct wr w;

    /* 0C is the operator's own; then B with the second key, then the others. */
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(conceal("080910101032547698", 2, "F0FFFFFF",
                             "A0080C01 0202 0101 0000 A14B 80011B 8120" KEY_A "80011E 8121" KEY_B,
                             &w),
                     0);
    check_octets(octets, 8, "0100F110F0FF021E");
    ck_assert_uint_eq(w.n, 8 + EC_COMPRESSED_LEN + 5 + SUCI_MAC_LEN);
}
END_TEST

START_TEST(files_that_do_not_say_how_are_refused)
{
    static const struct {
        const char *imsi, *info;
    } bad[] = {
        { "", "A0020000" },
        { "000910101032547698", "A0020000" },
        { "090910101032547698", "A0020000" }, /* longer than the file */
        { "FFFFFFFFFFFFFFFFFF", "A0020000" },
        { "080910F0FFFFFFFFFF", "A0020000" }, /* no MSIN */
        { "080910101032547698", "" },
        { "080910101032547698", "FFFFFFFF" },
        { "080910101032547698", "A000" },
        { "080910101032547698", "A0020C01" },                       /* a scheme that nobody knows */
        { "080910101032547698", "A0020101" },                       /* no keys */
        { "080910101032547698", "A0020101A100" },                   /* empty list */
        { "080910101032547698", "A0020100A125 80011B 8120" KEY_A }, /* keys count from 1 */
        { "080910101032547698", "A0020102A125 80011B 8120" KEY_A }, /* only one there */
        { "080910101032547698", "A0020201A125 80011B 8120" KEY_A }, /* B with the key of A */
        { "080910101032547698", "A0020101A125 80011B 8120" },       /* cut off */
    };
    uint8_t octets[SUCI_MAX_LEN];
    struct wr w;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wr_init(&w, octets, sizeof octets);
        ck_assert_int_eq(conceal(bad[i].imsi, 2, "F0FFFFFF", bad[i].info, &w), ERR_INPUT);
    }
}
END_TEST

/* --- as a NAI --- */

typedef int nai_fn(struct crypto *c, const struct suci_inputs *in, struct wr *ret);

/* The NAI behind the type octet, as text. */
static int name(nai_fn *fn, const char *supi, unsigned mnc_len, const char *routing,
                const char *info, char ret[SUCI_MAX_LEN])
{
    struct rd s = exact_copy(supi), r = exact_copy(routing), f = exact_copy(info);
    const struct suci_inputs in = {
        .imsi = s, .supi_nai = s, .mnc_len = mnc_len, .routing = r, .calc_info = f
    };
    struct wr w;

    memset(ret, 0, SUCI_MAX_LEN);
    wr_init(&w, (uint8_t *)ret, SUCI_MAX_LEN - 1);
    int result = fn(c, &in, &w);
    exact_free(&s);
    exact_free(&r);
    exact_free(&f);
    if (result == 0) {
        ck_assert_uint_eq((uint8_t)ret[0], 0x11);
        memmove(ret, ret + 1, w.n);
    }
    return result;
}

#define USER17 "8012 757365723137406578616D706C652E636F6D" /* user17@example.com */
#define LONG_USER                                                                                  \
    "801D 766572796C6F6E67757365726E616D6531 406578616D706C652E636F6D" /* verylongusername1@... */

/* TS 23.003 28.7.3 and 28.7.12, TS 29.503 annex C. */
START_TEST(null_scheme_as_a_nai)
{
    char text[SUCI_MAX_LEN];

    ck_assert_int_eq(name(suci_of_nsi, USER17, 2, "76F8FFFF", "A0020000", text), 0);
    ck_assert_str_eq(text, "type1.rid678.schid0.useriduser17@example.com");
    ck_assert_int_eq(
        name(suci_of_nsi, "800D 406F70657261746F722E636F6D FFFF", 2, "43650000", "A0020000", text),
        0);
    ck_assert_str_eq(text, "type1.rid3456.schid0.userid@operator.com"); /* anonymous */
    ck_assert_int_eq(name(suci_of_imsi_for_nswo, "082943519099999999", 2, "76F8", "A0020000", text),
                     0);
    ck_assert_str_eq(text,
                     "type0.rid678.schid0.userid0999999999@5gc-nswo.mnc015.mcc234.3gppnetwork.org");
    ck_assert_int_eq(name(suci_of_imsi_for_nswo, "082947100210000268", 3, "", "A0020000", text), 0);
    ck_assert_str_eq(text,
                     "type0.rid0.schid0.userid001002086@5gc-nswo.mnc012.mcc274.3gppnetwork.org");
}
END_TEST

/* Cuts "NAME" and the hex digits behind it off the front. */
static void take_hex(const char **text, const char *label, size_t digits, char *ret)
{
    ck_assert_int_eq(strncmp(*text, label, strlen(label)), 0);
    *text += strlen(label);
    ck_assert_uint_ge(strlen(*text), digits);
    strncat(ret, *text, digits);
    *text += digits;
}

static void check_concealed_a(const char *text, const char *head, size_t plain_len,
                              const char *plain, const char *tail)
{
    char digits[2 * SUCI_MAX_LEN] = "";
    uint8_t output[SUCI_MAX_LEN];

    take_hex(&text, head, 2 * (size_t)X25519_LEN, digits);
    take_hex(&text, ".cip", 2 * plain_len, digits);
    take_hex(&text, ".mac", 2 * (size_t)SUCI_MAC_LEN, digits);
    ck_assert_str_eq(text, tail);
    check_profile_a(output, hex(digits, output, sizeof output), plain);
}

START_TEST(a_concealed_nai_can_be_opened)
{
    static const char info[] = "A0020101 A125 80011B 8120" KEY_A;
    char text[SUCI_MAX_LEN];

    ck_assert_int_eq(name(suci_of_nsi, LONG_USER, 2, "F0FFFFFF", info, text), 0);
    check_concealed_a(text, "type1.rid0.schid1.hnkey27.ecckey", 17,
                      "766572796C6F6E67757365726E616D6531", "@example.com");
    ck_assert_int_eq(name(suci_of_imsi_for_nswo, "082943519099999999", 2, "76F8", info, text), 0);
    check_concealed_a(text, "type0.rid678.schid1.hnkey27.ecckey", 5, "9099999999",
                      "@5gc-nswo.mnc015.mcc234.3gppnetwork.org");
    ck_assert_int_eq(name(suci_of_nsi, USER17, 2, "76F8", "A0020201 A126 8001FA 8121" KEY_B, text),
                     0);
    ck_assert_int_eq(strncmp(text, "type1.rid678.schid2.hnkey250.ecckey0", 36), 0);
    ck_assert_uint_eq(strlen(text), 35 + 2 * 33 + 4 + 2 * 6 + 4 + 16 + strlen("@example.com"));
}
END_TEST

START_TEST(names_that_are_none_are_refused)
{
    static const char *const bad[] = {
        "",
        "FFFFFFFF",
        "8100",                                   /* a GLI: the ME's business */
        "8206 614062636465",                      /* a GCI */
        "8006 757365723137",                      /* no realm */
        "8007 75736572313740",                    /* an empty one */
        "8012 757365723137406578616D706C652E636F" /* cut off */
    };
    char text[SUCI_MAX_LEN];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(name(suci_of_nsi, bad[i], 2, "F0FF", "A0020000", text), ERR_INPUT);
    ck_assert_int_eq(name(suci_of_nsi, USER17, 2, "F0FF", "A0020101", text), ERR_INPUT);
    ck_assert_int_eq(name(suci_of_imsi_for_nswo, "080910F0", 2, "F0FF", "A0020000", text),
                     ERR_INPUT);
}
END_TEST

/* --- what it stands on --- */

START_TEST(x25519_matches_rfc_7748)
{
    uint8_t bob[32], public[32], secret[32];

    hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", bob, sizeof bob);
    ck_assert_int_eq(x25519_public(c, bob, public), 0);
    check_octets(public, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", public, 32);
    ck_assert_int_eq(x25519(c, bob, public, secret), 0);
    check_octets(secret, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}
END_TEST

START_TEST(hmac_matches_rfc_4231)
{
    uint8_t key[131], mac[SHA256_LEN];

    ck_assert_int_eq(hmac_sha256(c, rd_str("Jefe"), rd_str("what do ya want for nothing?"), mac),
                     0);
    check_octets(mac, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xAA, sizeof key);
    ck_assert_int_eq(hmac_sha256(c, rd_of(key, sizeof key),
                                 rd_str("Test Using Larger Than Block-Size Key - Hash Key First"),
                                 mac),
                     0);
    check_octets(mac, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

START_TEST(ctr_matches_sp_800_38a)
{
    uint8_t key[16], counter[16], text[64];

    hex("2b7e151628aed2a6abf7158809cf4f3c", key, sizeof key);
    hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", counter, sizeof counter);
    hex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710",
        text, sizeof text);
    ck_assert_int_eq(aes128_ctr(c, key, counter, text, sizeof text, text), 0);
    check_octets(text, 64,
                 "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff"
                 "5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee");
}
END_TEST

START_TEST(compressed_points_are_the_same_points)
{
    uint8_t octets[EC_POINT_LEN], point[EC_POINT_LEN], compressed[EC_COMPRESSED_LEN];
    struct ec_pub *k = NULL;

    hex(KEY_B_WHOLE, octets, sizeof octets);
    ec_compress(octets, compressed);
    check_octets(compressed, sizeof compressed, KEY_B);
    ck_assert_int_eq(
        ec_pub_from_compressed(c, CURVE_P256, rd_of(compressed, sizeof compressed), &k), 0);
    ec_pub_point(k, point);
    ck_assert_mem_eq(point, octets, sizeof point);
    ec_pub_free(&k);
}
END_TEST

START_TEST(private_numbers_have_bounds)
{
    uint8_t number[EC_COORD_LEN] = { 0 };
    struct ec_key *k = NULL;
    struct rd n = rd_of(number, sizeof number);

    ck_assert_int_eq(ec_key_from_number(c, CURVE_P256, n, &k), ERR_INPUT);
    hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", number, sizeof number);
    ck_assert_int_eq(ec_key_from_number(c, CURVE_P256, n, &k), ERR_INPUT);
    number[EC_COORD_LEN - 1]--;
    ck_assert_int_eq(ec_key_from_number(c, CURVE_P256, n, &k), 0);
    ec_key_free(&k);
    ck_assert_int_eq(ec_key_from_number(c, CURVE_P256, rd_of(number, 31), &k), ERR_INPUT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("suci");
    TCase *tc = tcase_create("suci");

    tcase_add_unchecked_fixture(tc, open_crypto, close_crypto);
    tcase_add_loop_test(tc, published_sets_match, 0, (int)(sizeof sets / sizeof sets[0]));
    tcase_add_test(tc, keys_that_are_none_are_refused);
    tcase_add_test(tc, null_scheme_shows_the_msin);
    tcase_add_test(tc, short_imsis_are_filled);
    tcase_add_test(tc, fresh_concealments_differ_and_can_be_opened);
    tcase_add_test(tc, first_known_scheme_wins);
    tcase_add_test(tc, files_that_do_not_say_how_are_refused);
    tcase_add_test(tc, null_scheme_as_a_nai);
    tcase_add_test(tc, a_concealed_nai_can_be_opened);
    tcase_add_test(tc, names_that_are_none_are_refused);
    tcase_add_test(tc, x25519_matches_rfc_7748);
    tcase_add_test(tc, hmac_matches_rfc_4231);
    tcase_add_test(tc, ctr_matches_sp_800_38a);
    tcase_add_test(tc, compressed_points_are_the_same_points);
    tcase_add_test(tc, private_numbers_have_bounds);
    suite_add_tcase(s, tc);
    return suite_status(s);
}
