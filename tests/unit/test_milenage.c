/* test_milenage.c - applets/naa/milenage: the test sets of TS 35.207 and TS 35.208, and parameters
 * that no published set has. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "applets/naa/algorithm.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

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

static void check_octets(const uint8_t *got, const char *want)
{
    uint8_t octets[64];
    size_t n = hex(want, octets, sizeof octets);

    ck_assert_mem_eq(got, octets, n);
}

/* TS 35.207 4.3 to 6.3, TS 35.208 4.3. */
static const struct {
    const char *k, *rand, *sqn, *amf, *op, *opc, *f1, *f1_star, *f2, *f5, *f3, *f4, *f5_star;
} sets[] = {
    { "465b5ce8b199b49faa5f0a2ee238a6bc", "23553cbe9637a89d218ae64dae47bf35", "ff9bb4d0b607",
      "b9b9", "cdc202d5123e20f62b6d676ac72cb318", "cd63cb71954a9f4e48a5994e37a02baf",
      "4a9ffac354dfafb3", "01cfaf9ec4e871e9", "a54211d5e3ba50bf", "aa689c648370",
      "b40ba9a3c58b2a05bbf0d987b21bf8cb", "f769bcd751044604127672711c6d3441", "451e8beca43b" },
    { "0396eb317b6d1c36f19c1c84cd6ffd16", "c00d603103dcee52c4478119494202e8", "fd8eef40df7d",
      "af17", "ff53bade17df5d4e793073ce9d7579fa", "53c15671c60a4b731c55b4a441c0bde2",
      "5df5b31807e258b0", "a8c016e51ef4a343", "d3a628ed988620f0", "c47783995f72",
      "58c433ff7a7082acd424220f2b67c556", "21a8c1f929702adb3e738488b9f5c5da", "30f1197061c1" },
    { "fec86ba6eb707ed08905757b1bb44b8f", "9f7c8d021accf4db213ccff0c7f71a6a", "9d0277595ffc",
      "725c", "dbc59adcb6f9a0ef735477b7fadf8374", "1006020f0a478bf6b699f15c062e42b3",
      "9cabc3e99baf7281", "95814ba2b3044324", "8011c48c0c214ed2", "33484dc2136b",
      "5dbdbb2954e8f3cde665b046179a5098", "59a92d3b476a0443487055cf88b2307b", "deacdd848cc6" },
    { "9e5944aea94b81165c82fbf9f32db751", "ce83dbc54ac0274a157c17f80d017bd6", "0b604a81eca8",
      "9e09", "223014c5806694c007ca1eeef57f004f", "a64a507ae1a2a98bb88eb4210135dc87",
      "74a58220cba84c49", "ac2cc74a96871837", "f365cd683cd92e96", "f0b9c08ad02e",
      "e203edb3971574f5a94b0d61b816345d", "0c4524adeac041c4dd830d20854fc46b", "6085a86c6f63" },
    { "4ab1deb05ca6ceb051fc98e77d026a84", "74b0cd6031a1c8339b2b6ce2b8c4a186", "e880a1b580b6",
      "9f07", "2d16c5cd1fdf6b22383584e3bef2a8d8", "dcf07cbd51855290b92a07a9891e523e",
      "49e785dd12626ef2", "9e85790336bb3fa2", "5860fc1bce351e7e", "31e11a609118",
      "7657766b373d1c2138f307e3de9242f9", "1c42e960d89b8fa99f2744e0708ccb53", "fe2555e54aa9" },
    { "6c38a116ac280c454f59332ee35c8c4f", "ee6466bc96202c5a557abbeff8babf63", "414b98222181",
      "4464", "1ba00a1a7c6700ac8c3ff3e96ad08725", "3803ef5363b947c6aaa225e58fae3934",
      "078adfb488241a57", "80246b8d0186bcf1", "16c8233f05a0ac28", "45b0f69ab06c",
      "3f8c7587fe8e4b233af676aede30ba3b", "a7466cc1e6b2a1337d49d3b66e95d7b4", "1f53cd2b1113" },
};

static struct aka_keys keys(const char *k, const char *opc)
{
    static const uint8_t rotations[] = { 64, 0, 32, 64, 96 }, last[] = { 0, 1, 2, 4, 8 };
    struct aka_keys keys = { .k_len = 16, .mac_len = 8, .res_len = 8, .ck_len = 16, .ik_len = 16 };

    hex(k, keys.k, sizeof keys.k);
    hex(opc, keys.opc, sizeof keys.opc);
    for (size_t i = 0; i < MILENAGE_ROUNDS; i++) {
        keys.rotations[i] = rotations[i];
        keys.constants[i][AES_BLOCK - 1] = last[i];
    }
    return keys;
}

START_TEST(published_sets_match)
{
    struct aka_keys k = keys(sets[_i].k, sets[_i].opc);
    uint8_t rand[AKA_RAND_LEN], sqn[AKA_SQN_LEN], amf[AKA_AMF_LEN], mac[8], ak[AKA_AK_LEN];
    struct aka_vector v;

    hex(sets[_i].rand, rand, sizeof rand);
    hex(sets[_i].sqn, sqn, sizeof sqn);
    hex(sets[_i].amf, amf, sizeof amf);
    ck_assert_int_eq(milenage.f1(c, &k, rand, sqn, amf, mac), 0);
    check_octets(mac, sets[_i].f1);
    ck_assert_int_eq(milenage.f1_star(c, &k, rand, sqn, amf, mac), 0);
    check_octets(mac, sets[_i].f1_star);
    ck_assert_int_eq(milenage.f2345(c, &k, rand, &v), 0);
    check_octets(v.res, sets[_i].f2);
    check_octets(v.ck, sets[_i].f3);
    check_octets(v.ik, sets[_i].f4);
    check_octets(v.ak, sets[_i].f5);
    ck_assert_int_eq(milenage.f5_star(c, &k, rand, ak), 0);
    check_octets(ak, sets[_i].f5_star);
}
END_TEST

START_TEST(opc_of_the_sets_is_e_of_op)
{
    uint8_t k[16], op[16], opc[16];

    hex(sets[_i].k, k, sizeof k);
    hex(sets[_i].op, op, sizeof op);
    ck_assert_int_eq(aes128_encrypt_block(c, k, op, opc), 0);
    for (size_t i = 0; i < sizeof opc; i++)
        opc[i] ^= op[i];
    check_octets(opc, sets[_i].opc);
}
END_TEST

/* OUT of TS 35.206 4.1, one bit after the other. */
static void plain_out(const struct aka_keys *k, const uint8_t *rand, unsigned round,
                      uint8_t out[16])
{
    uint8_t x[16], temp[16], turned[16] = { 0 };

    for (size_t i = 0; i < 16; i++)
        x[i] = rand[i] ^ k->opc[i];
    ck_assert_int_eq(aes128_encrypt_block(c, k->k, x, temp), 0);
    for (unsigned bit = 0; bit < 128; bit++) {
        unsigned from = (bit + k->rotations[round - 1]) % 128;
        unsigned value = (temp[from / 8] ^ k->opc[from / 8]) >> (7 - from % 8) & 1;
        turned[bit / 8] = (uint8_t)(turned[bit / 8] | value << (7 - bit % 8));
    }
    for (size_t i = 0; i < 16; i++)
        turned[i] ^= k->constants[round - 1][i];
    ck_assert_int_eq(aes128_encrypt_block(c, k->k, turned, out), 0);
    for (size_t i = 0; i < 16; i++)
        out[i] ^= k->opc[i];
}

START_TEST(other_rotations_and_constants_count)
{
    struct aka_keys k = keys(sets[0].k, sets[0].opc);
    uint8_t rand[AKA_RAND_LEN], out[16], ak[AKA_AK_LEN];
    struct aka_vector v;

    hex(sets[0].rand, rand, sizeof rand);
    for (unsigned r = 0; r < 256; r++) {
        memset(k.rotations, (int)r, sizeof k.rotations);
        memset(k.constants, (int)(r ^ 0x5A), sizeof k.constants);
        k.constants[2][0] ^= 1;
        ck_assert_int_eq(milenage.f2345(c, &k, rand, &v), 0);
        plain_out(&k, rand, 2, out);
        ck_assert_mem_eq(v.ak, out, AKA_AK_LEN);
        ck_assert_mem_eq(v.res, out + 8, 8);
        plain_out(&k, rand, 3, out);
        ck_assert_mem_eq(v.ck, out, 16);
        plain_out(&k, rand, 4, out);
        ck_assert_mem_eq(v.ik, out, 16);
        ck_assert_int_eq(milenage.f5_star(c, &k, rand, ak), 0);
        plain_out(&k, rand, 5, out);
        ck_assert_mem_eq(ak, out, AKA_AK_LEN);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("milenage");
    TCase *tc = tcase_create("milenage");

    tcase_add_unchecked_fixture(tc, open_crypto, close_crypto);
    tcase_add_loop_test(tc, published_sets_match, 0, (int)(sizeof sets / sizeof sets[0]));
    tcase_add_loop_test(tc, opc_of_the_sets_is_e_of_op, 0, (int)(sizeof sets / sizeof sets[0]));
    tcase_add_test(tc, other_rotations_and_constants_count);
    suite_add_tcase(s, tc);
    return suite_status(s);
}
