/* test_bpp.c - binding a profile package: a published session, octet for octet, and the edges of
 * its segments (SGP.22 2.5, 2.6.4, 5.5). */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lab/bpp.h"
#include "lab/metadata.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { ROOM = 64 * 1024 };

static const char eid[] = "89049032123451234512345678901235";
static const char host_id[] = "euicc-rsp";

/* SEC1 ECPrivateKey of the server's one-time key, on P-256. */
static const char ot_sk_dp[] =
    "3077 020101 0420 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
    "a00a 06082a8648ce3d030107 a144 034200"
    "04515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f"
    "4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354";
static const char ot_pk_euicc[] =
    "04a61b5852fedeecd5373d769af0edbc94502276d9c6ff1da3a156fecf31c66299"
    "54aea62862e227aebaf745c4e1d5f1bcbba6136400d9f0a63434225fee2590ae";

static const char metadata[] =
    "bf252f5a0a98001032547698103214910965756963632d727370921665756963632d727370207465737420"
    "70726f66696c65";

struct bench {
    struct crypto *c;
    struct ec_key *ot_sk, *sk_dppb;
    uint8_t eid[BPP_EID_LEN], ot_pk[EC_POINT_LEN];
    struct bsp bsp;
    uint8_t room[ROOM];
    struct wr out;
};

static void set_up(struct bench *b)
{
    uint8_t key[256];

    memset(b, 0, sizeof *b);
    b->c = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(b->c);
    size_t n = hex(ot_sk_dp, key, sizeof key);
    ck_assert_int_eq(ec_key_read(b->c, rd_of(key, n), &b->ot_sk), 0);
    ck_assert_int_eq(ec_key_generate(b->c, CURVE_P256, &b->sk_dppb), 0);
    hex(eid, b->eid, sizeof b->eid);
    hex(ot_pk_euicc, b->ot_pk, sizeof b->ot_pk);
    ck_assert_int_eq(bsp_derive(b->c, b->ot_sk, rd_of(b->ot_pk, sizeof b->ot_pk), rd_str(host_id),
                                rd_of(b->eid, sizeof b->eid), &b->bsp),
                     0);
    wr_init(&b->out, b->room, sizeof b->room);
}

static void tear_down(struct bench *b)
{
    ec_key_free(&b->ot_sk);
    ec_key_free(&b->sk_dppb);
    crypto_free(&b->c);
}

static void assert_octets(struct rd got, const char *expected)
{
    uint8_t octets[4096];
    size_t n = hex(expected, octets, sizeof octets);

    ck_assert_uint_eq(got.n, n);
    ck_assert_mem_eq(got.p, octets, n);
}

START_TEST(session_keys_are_those_of_the_published_session)
{
    struct bench b;

    set_up(&b);
    assert_octets(rd_of(b.bsp.mcv, sizeof b.bsp.mcv), "9a8d4dc5d8c2ba3fccbb7f69036fd09f");
    assert_octets(rd_of(b.bsp.s_enc, sizeof b.bsp.s_enc), "1f745c2897a86858e94823c218a2db4a");
    assert_octets(rd_of(b.bsp.s_mac, sizeof b.bsp.s_mac), "1c073583341b81244c40aae342de5434");
    ck_assert_uint_eq(b.bsp.counter, 1);
    tear_down(&b);
}
END_TEST

START_TEST(protected_sequences_are_those_of_the_published_session)
{
    uint8_t configure[8], store[128];
    struct bench b;

    set_up(&b);
    struct bpp_content content = {
        .configure_isdp = rd_of(configure, hex("BF2400", configure, sizeof configure)),
        .metadata = rd_of(store, hex(metadata, store, sizeof store)),
        .upp = rd_str("the-uicc-profile-fixture"),
    };
    ck_assert_int_eq(bpp_protect(b.c, &b.bsp, &content, &b.out), 0);
    assert_octets(wr_view(&b.out),
                  "a01a 8718 bc43d09ef085954b55e4acdbb87b6649813b5db57a02d5c9"
                  "a13c 883a bf252f5a0a98001032547698103214910965756963632d727370921665756963632d"
                  "72737020746573742070726f66696c65 828551c5821b722d"
                  "a32a 8628 b139c6739477952566feae3cc59b87f5de1378b9c4dcabfcc45c50e961acf8a581df"
                  "5bcdbaf531d4");
    tear_down(&b);
}
END_TEST

/* Takes one TLV off, checks its MAC and counter as the eUICC does, and returns its plaintext. */
static struct rd unprotect(struct bench *b, struct bsp *bsp, struct rd *in, uint32_t tag,
                           uint8_t *plain)
{
    uint8_t block[AES_BLOCK] = { 0 }, icv[AES_BLOCK], mac[AES_BLOCK];
    struct tlv t;

    ck_assert_int_eq(tlv_expect(in, tag, &t), 0);
    ck_assert_uint_le(t.whole.n, BSP_MAX_SEGMENT);
    ck_assert_uint_ge(t.value.n, BSP_MAC_LEN);
    size_t n = t.value.n - BSP_MAC_LEN;
    struct rd parts[] = { rd_of(bsp->mcv, sizeof bsp->mcv),
                          rd_of(t.whole.p, t.whole.n - BSP_MAC_LEN) };
    ck_assert_int_eq(aes128_cmac(b->c, bsp->s_mac, parts, 2, mac), 0);
    ck_assert_mem_eq(mac, t.value.p + n, BSP_MAC_LEN);
    memcpy(bsp->mcv, mac, sizeof mac);
    block[AES_BLOCK - 1] = (uint8_t)bsp->counter++;
    if (tag == TAG_BSP_METADATA)
        return rd_of(t.value.p, n);
    ck_assert_int_eq(aes128_encrypt_block(b->c, bsp->s_enc, block, icv), 0);
    ck_assert_int_eq(aes128_cbc_decrypt(b->c, bsp->s_enc, icv, t.value.p, n, plain), 0);
    while (n > 0 && plain[n - 1] == 0)
        n--;
    ck_assert_uint_gt(n, 0);
    ck_assert_uint_eq(plain[n - 1], 0x80);
    return rd_of(plain, n - 1);
}

START_TEST(segments_hold_what_went_in_and_keep_their_bound)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 1006, 1007, 1008, 1009, 2014, 2015, 10000 };
    static const uint32_t tags[] = { TAG_BSP_COMMAND, TAG_BSP_METADATA, TAG_BSP_PROFILE };
    static uint8_t data[10000], joined[10000 + BSP_MAX_SEGMENT], plain[BSP_MAX_SEGMENT];
    struct bench b;

    set_up(&b);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < N_ELEMS(sizes); i++) {
        struct bsp theirs = b.bsp, mine = b.bsp;
        uint8_t tag = (uint8_t)tags[i % N_ELEMS(tags)];
        struct wr got;

        wr_clear(&b.out);
        wr_init(&got, joined, sizeof joined);
        ck_assert_int_eq(bsp_protect(b.c, &mine, tag, rd_of(data, sizes[i]), &b.out), 0);
        struct rd in = wr_view(&b.out);
        while (in.n > 0)
            wr_put_rd(&got, unprotect(&b, &theirs, &in, tag, plain));
        ck_assert_uint_eq(got.n, sizes[i]);
        if (sizes[i] > 0)
            ck_assert_mem_eq(joined, data, sizes[i]);
        ck_assert_mem_eq(&mine, &theirs, sizeof mine);
    }
    tear_down(&b);
}
END_TEST

START_TEST(profile_protection_keys_replace_session_keys_and_restart_the_counter)
{
    uint8_t configure[8], store[128], ppk[BSP_KEYS_LEN], plain[BSP_MAX_SEGMENT];
    struct bench b;
    struct tlv sequence;

    set_up(&b);
    for (size_t i = 0; i < sizeof ppk; i++)
        ppk[i] = (uint8_t)i;
    struct bsp theirs = b.bsp;
    struct bpp_content content = {
        .configure_isdp = rd_of(configure, hex("BF2400", configure, sizeof configure)),
        .metadata = rd_of(store, hex(metadata, store, sizeof store)),
        .upp = rd_str("profile"),
        .ppk = ppk,
    };
    ck_assert_int_eq(bpp_protect(b.c, &b.bsp, &content, &b.out), 0);

    struct rd in = wr_view(&b.out);
    ck_assert_int_eq(tlv_expect(&in, 0xA0, &sequence), 0);
    assert_octets(unprotect(&b, &theirs, &sequence.value, TAG_BSP_COMMAND, plain), "BF2400");
    ck_assert_int_eq(tlv_expect(&in, 0xA1, &sequence), 0);
    assert_octets(unprotect(&b, &theirs, &sequence.value, TAG_BSP_METADATA, plain), metadata);
    ck_assert_int_eq(tlv_expect(&in, 0xA2, &sequence), 0);
    assert_octets(unprotect(&b, &theirs, &sequence.value, TAG_BSP_COMMAND, plain),
                  "bf26 36 8010 000102030405060708090a0b0c0d0e0f"
                  "8110 101112131415161718191a1b1c1d1e1f 8210 202122232425262728292a2b2c2d2e2f");
    bsp_init(&theirs, ppk);
    ck_assert_int_eq(tlv_expect(&in, 0xA3, &sequence), 0);
    struct rd upp = unprotect(&b, &theirs, &sequence.value, TAG_BSP_PROFILE, plain);
    ck_assert(rd_equal(upp, rd_str("profile")));
    ck_assert_uint_eq(in.n, 0);
    tear_down(&b);
}
END_TEST

START_TEST(initialise_secure_channel_is_signed_with_both_one_time_keys)
{
    static const uint8_t id[] = { 1, 2, 3, 4 };
    uint8_t point[EC_POINT_LEN], room[512];
    struct ec_pub *pub = NULL;
    struct tlv request, sign;
    struct bench b;
    struct wr w;

    set_up(&b);
    struct bpp_session session = {
        .transaction_id = rd_of(id, sizeof id),
        .host_id = rd_str(host_id),
        .eid = rd_of(b.eid, sizeof b.eid),
        .ot_sk_dp = b.ot_sk,
        .ot_pk_euicc = rd_of(b.ot_pk, sizeof b.ot_pk),
        .sk_dppb = b.sk_dppb,
    };
    ck_assert_int_eq(bpp_initialise(b.c, &session, &b.out), 0);
    struct rd in = wr_view(&b.out);
    ck_assert_int_eq(tlv_expect(&in, 0xBF23, &request), 0);
    ck_assert(tlv_find(request.value, 0x5F37, &sign));
    wr_init(&w, room, sizeof room);
    wr_put(&w, request.value.p, request.value.n - sign.whole.n);
    tlv_put(&w, 0x5F49, rd_of(b.ot_pk, sizeof b.ot_pk));
    assert_octets(rd_of(room, 32),
                  "820101 800401020304 a611 800188 810110 8409 65756963632d727370 5f4941 04");
    ec_key_point(b.sk_dppb, point);
    ck_assert_int_eq(ec_pub_from_point(b.c, CURVE_P256, rd_of(point, sizeof point), &pub), 0);
    struct rd part = wr_view(&w);
    ck_assert(ecdsa_verify(b.c, pub, &part, 1, sign.value));
    ec_pub_free(&pub);
    tear_down(&b);
}
END_TEST

START_TEST(a_package_is_its_two_parts_under_one_header)
{
    static const uint8_t id[] = { 1 };
    uint8_t configure[8], store[128];
    struct tlv whole, part;
    struct bench b;

    set_up(&b);
    struct bpp_session session = {
        .transaction_id = rd_of(id, sizeof id),
        .host_id = rd_str(host_id),
        .eid = rd_of(b.eid, sizeof b.eid),
        .ot_sk_dp = b.ot_sk,
        .ot_pk_euicc = rd_of(b.ot_pk, sizeof b.ot_pk),
        .sk_dppb = b.sk_dppb,
    };
    struct bpp_content content = {
        .configure_isdp = rd_of(configure, hex("BF2400", configure, sizeof configure)),
        .metadata = rd_of(store, hex(metadata, store, sizeof store)),
        .upp = rd_str("the-uicc-profile-fixture"),
    };
    ck_assert_int_eq(bpp_bind(b.c, &session, &content, &b.out), 0);
    struct rd in = wr_view(&b.out);
    ck_assert_int_eq(tlv_expect(&in, 0xBF36, &whole), 0);
    ck_assert_uint_eq(in.n, 0);
    static const uint32_t order[] = { 0xBF23, 0xA0, 0xA1, 0xA3 };
    for (size_t i = 0; i < N_ELEMS(order); i++)
        ck_assert_int_eq(tlv_expect(&whole.value, order[i], &part), 0);
    ck_assert_uint_eq(whole.value.n, 0);
    tear_down(&b);
}
END_TEST

START_TEST(a_point_that_is_not_on_the_curve_is_refused)
{
    struct bench b;
    struct bsp bsp;

    set_up(&b);
    b.ot_pk[EC_POINT_LEN - 1] ^= 1;
    ck_assert_int_eq(bsp_derive(b.c, b.ot_sk, rd_of(b.ot_pk, sizeof b.ot_pk), rd_str(host_id),
                                rd_of(b.eid, sizeof b.eid), &bsp),
                     ERR_INPUT);
    tear_down(&b);
}
END_TEST

START_TEST(metadata_comes_from_the_profile_header)
{
    static const char header[] = "a01a 800102 810103 820474657374 830a89000123456789012341 a500";
    uint8_t octets[64], room[512];
    struct metadata m;
    struct lab_error e;
    struct wr w;

    size_t n = hex(header, octets, sizeof octets);
    octets[1] = (uint8_t)(n - 2);
    ck_assert_int_eq(metadata_from_upp(rd_of(octets, n), "dp", &m, &e), 0);
    ck_assert_int_eq(metadata_apply("# a comment\nserviceProviderName=P\nppr=ppr1\n"
                                    "owner=262-01\nnotification=enable,delete@dp.test\n",
                                    ".", &m, &e),
                     0);
    wr_init(&w, room, sizeof room);
    metadata_write(&m, &w);
    assert_octets(wr_view(&w), "bf2531 5a0a98001032547698103214 910150 920474657374"
                               "b60f 300d 80020450 810764702e74657374 b705 800362f210 99020640");
    ck_assert_int_ne(metadata_apply("profileClass=none\n", ".", &m, &e), 0);
    ck_assert_int_ne(metadata_apply("what=1\n", ".", &m, &e), 0);
    ck_assert_int_ne(metadata_apply("no equals sign\n", ".", &m, &e), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bpp");
    TCase *t = tcase_create("bpp");

    tcase_add_test(t, session_keys_are_those_of_the_published_session);
    tcase_add_test(t, protected_sequences_are_those_of_the_published_session);
    tcase_add_test(t, segments_hold_what_went_in_and_keep_their_bound);
    tcase_add_test(t, profile_protection_keys_replace_session_keys_and_restart_the_counter);
    tcase_add_test(t, initialise_secure_channel_is_signed_with_both_one_time_keys);
    tcase_add_test(t, a_package_is_its_two_parts_under_one_header);
    tcase_add_test(t, a_point_that_is_not_on_the_curve_is_refused);
    tcase_add_test(t, metadata_comes_from_the_profile_header);
    suite_add_tcase(s, t);
    return suite_status(s);
}
