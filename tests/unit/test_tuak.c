/* test_tuak.c - applets/naa/tuak and keccak: the test sets of TS 35.233 6, and FIPS 202. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "applets/naa/algorithm.h"
#include "applets/naa/keccak.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static void check_octets(const uint8_t *got, const char *want)
{
    uint8_t octets[64];
    size_t n = hex(want, octets, sizeof octets);

    ck_assert_mem_eq(got, octets, n);
}

/* The permutation of zeros, as the Keccak team publishes it. */
START_TEST(keccak_of_zeros)
{
    uint8_t state[KECCAK_STATE_LEN] = { 0 };

    keccak_f1600(state);
    check_octets(state, "e7dde140798f25f1 8a47c033f9ccd584 eea95aa61e2698d5 4d49806f304715bd");
    keccak_f1600(state);
    check_octets(state, "3ccb6ef94d955c2d 6db55770d02c336a 6c6bd770128d3d09 94d06955b2d9208a");
}
END_TEST

/* SHA3-256 of nothing is one application. */
START_TEST(keccak_makes_sha3)
{
    uint8_t state[KECCAK_STATE_LEN] = { 0 };

    state[0] = 0x06;
    state[135] = 0x80;
    keccak_f1600(state);
    check_octets(state, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
}
END_TEST

/* TS 35.233 6.3 to 6.8. */
static const struct {
    const char *k, *rand, *sqn, *amf, *topc;
    unsigned keccaks;
    const char *f1, *f1_star, *f2, *f3, *f4, *f5, *f5_star;
} sets[] = {
    { "abababababababababababababababab", "42424242424242424242424242424242", "111111111111",
      "ffff", "bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff", 1,
      "f9a54e6aeaa8618d", "e94b4dc6c7297df3", "657acd64", "d71a1e5c6caffe986a26f783e5c78be1",
      "be849fa2564f869aecee6f62d4337e72", "719f1e9b9054", "e7af6b3d0e38" },
    { "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0",
      "0123456789abcdef0123456789abcdef", "0123456789ab", "abcd",
      "305425427e18c503c8a4b294ea72c95d0c36c6c6b29d0c65de5974d5977f8524", 1,
      "c0b8c2d4148ec7aa5f1d78a97e4d1d58", "ef81af7290f7842c6ceafa537fa0745b", "e9d749dc4eea0035",
      "a4cb6f6529ab17f8337f27baa8234d47", "2274155ccf4199d5e2abcbf621907f90", "480a9345cc1e",
      "f84eb338848c" },
    { "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0",
      "0123456789abcdef0123456789abcdef", "0123456789ab", "abcd",
      "305425427e18c503c8a4b294ea72c95d0c36c6c6b29d0c65de5974d5977f8524", 1,
      "d97b75a1776065271b1e212bc3b1bf173f438b21e6c64a55a96c372e085e5cc5",
      "427bbf07c6e3a86c54f8c5216499f3909a6fd4a164c9fe235b1550258111b821", "07021c73e7635c7d",
      "4d59ac796834eb85d11fa148a5058c3c",
      "126d47500136fdc5ddfd14f19ebf16749ce4b6435323fbb5715a3a796a6082bd", "1d6622c4e59a",
      "f84eb338848c" },
    { "b8da837a50652d6ac7c97da14f6acc61", "6887e55425a966bd86c9661a5fa72be8", "0dea2ee2c5af",
      "df1e", "2bc16eb657a68e1f446f08f57c0efb1d493527a2e652ce281eb6ca0e4487760a", 1,
      "749214087958dd8f58bfcdf869d8ae3f", "619e865afe80e382aee13063f9dfb56d",
      "4041ce438e3e38e8aa96562eed83ac43", "3e3bc01bea0cd914c4c2c83ce2d92757",
      "666a8e6f577b1aa77b7fd53cebb8a3d6", "1f880d005119", "45e617d77fe5" },
    { "1574ca56881d05c189c82880f789c9cd4244955f4426aa2b69c29f15770e5aa5",
      "c570aac68cde651fb1e3088322498bef", "c89bb71f3a41", "297d",
      "3c6052e41532a28a47aa3cbb89f223e8f3aaa976aecd48bc3e7d6165a55eff62", 1, "d7340dad02b4cb01",
      "c6021e2e66accb15", "84d89b41db1867ffd4c7ba1d82163f4d526a20fbae5418fbb526940b1eeb905c",
      "d419676afe5ab58c1d8bee0d43523a4d2f52ef0b31a4676a0c334427a988fe65",
      "205533e505661b61d05cc0eac87818f4", "d7b3d2d4980a", "ca9655264986" },
    { "1574ca56881d05c189c82880f789c9cd4244955f4426aa2b69c29f15770e5aa5",
      "c570aac68cde651fb1e3088322498bef", "c89bb71f3a41", "297d",
      "b04a66f26c62fcd6c82de22a179ab65506ecf47f56245cd149966cfa9cec7a51", 2,
      "90d2289ed1ca1c3dbc2247bb480d431ac71d2e4a7677f6e997cfddb0cbad88b7",
      "427355dbac30e825063aba61b556e87583abac638e3ab01c4c884ad9d458dc2f",
      "d67e6e64590d22eecba7324afa4af4460c93f01b24506d6e12047d789a94c867",
      "ede57edfc57cdffe1aae75066a1b7479bbc3837438e88d37a801cccc9f972b89",
      "48ed9299126e5057402fe01f9201cf25249f9c5c0ed2afcf084755daff1d3999", "6aae8d18c448",
      "8c5f33b61f4e" },
};

START_TEST(published_sets_match)
{
    struct aka_keys k = { .keccaks = sets[_i].keccaks };
    uint8_t rand[AKA_RAND_LEN], sqn[AKA_SQN_LEN], amf[AKA_AMF_LEN], mac[32], ak[AKA_AK_LEN];
    struct aka_vector v;

    k.k_len = hex(sets[_i].k, k.k, sizeof k.k);
    hex(sets[_i].topc, k.opc, sizeof k.opc);
    k.mac_len = strlen(sets[_i].f1) / 2;
    k.res_len = strlen(sets[_i].f2) / 2;
    k.ck_len = strlen(sets[_i].f3) / 2;
    k.ik_len = strlen(sets[_i].f4) / 2;
    hex(sets[_i].rand, rand, sizeof rand);
    hex(sets[_i].sqn, sqn, sizeof sqn);
    hex(sets[_i].amf, amf, sizeof amf);
    ck_assert_int_eq(tuak.f1(NULL, &k, rand, sqn, amf, mac), 0);
    check_octets(mac, sets[_i].f1);
    ck_assert_int_eq(tuak.f1_star(NULL, &k, rand, sqn, amf, mac), 0);
    check_octets(mac, sets[_i].f1_star);
    ck_assert_int_eq(tuak.f2345(NULL, &k, rand, &v), 0);
    check_octets(v.res, sets[_i].f2);
    check_octets(v.ck, sets[_i].f3);
    check_octets(v.ik, sets[_i].f4);
    check_octets(v.ak, sets[_i].f5);
    ck_assert_int_eq(tuak.f5_star(NULL, &k, rand, ak), 0);
    check_octets(ak, sets[_i].f5_star);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tuak");
    TCase *tc = tcase_create("tuak");

    tcase_add_test(tc, keccak_of_zeros);
    tcase_add_test(tc, keccak_makes_sha3);
    tcase_add_loop_test(tc, published_sets_match, 0, (int)(sizeof sets / sizeof sets[0]));
    suite_add_tcase(s, tc);
    return suite_status(s);
}
