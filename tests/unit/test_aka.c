/* test_aka.c - applets/naa/aka: PE-AKAParameter, sequence numbers, synchronisation, what is stored
 * and when.  The network's side is made here from the algorithm's own functions, which
 * test_milenage and test_tuak hold against published sets. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/naa/aka.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* TS 35.208 4.3. */
#define K        "465b5ce8b199b49faa5f0a2ee238a6bc"
#define OPC      "cd63cb71954a9f4e48a5994e37a02baf"
#define RAND     "23553cbe9637a89d218ae64dae47bf35"
#define MILENAGE "8001 01 8101 00" /* in hex, to be followed by key and OPc */
#define WITH_K   "8210" K "8310" OPC

#define HEADER   "A005 8000 8101 06"
#define USIM_AID "A0000000871002FF49FF0189"

static struct crypto *c;
static struct nvm *nvm;
static struct fs fs;
static uint16_t usim, isim;

static uint16_t add_adf(const char *aid)
{
    struct fs_node n = { .kind = FS_KIND_ADF, .parent = FS_MF, .life_cycle = FS_LCS_ACTIVATED };
    uint16_t node;

    n.fid = (uint16_t)(0x7FD0 + fs.n);
    n.aid_len = (uint8_t)hex(aid, n.aid, sizeof n.aid);
    ck_assert_int_eq(fs_add(&fs, &n, &node), 0);
    return node;
}

static void set_up(void)
{
    static const struct trace quiet;
    struct fs_node mf = {
        .kind = FS_KIND_MF, .fid = FID_MF, .parent = FS_NONE, .life_cycle = FS_LCS_ACTIVATED
    };
    uint16_t node;

    c = crypto_new(rd_of(NULL, 0));
    nvm = nvm_open_memory(&quiet);
    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_nonnull(nvm);
    fs_init(&fs, 0x0010);
    ck_assert_int_eq(fs_add(&fs, &mf, &node), 0);
    usim = add_adf(USIM_AID);
    isim = add_adf("A0000000871004FF49FF0189");
}

static void tear_down(void)
{
    fs_done(&fs);
    nvm_close(&nvm);
    crypto_free(&c);
}

/* --- elements --- */

/* A4 { header, A1 { A1 { algorithm } }, rest } */
static struct wr element(const char *algorithm, const char *rest)
{
    struct wr w;

    wr_init_heap(&w, 4096);
    struct wr_mark whole = tlv_open(&w, 0xA4);
    hex_put(&w, HEADER);
    struct wr_mark choice = tlv_open(&w, 0xA1);
    struct wr_mark algo = tlv_open(&w, 0xA1);
    hex_put(&w, algorithm);
    tlv_close(&w, algo);
    tlv_close(&w, choice);
    hex_put(&w, rest);
    tlv_close(&w, whole);
    ck_assert_int_eq(wr_failed(&w), 0);
    return w;
}

static void install(uint16_t node, struct wr w)
{
    char key[NVM_KEY_MAX];

    snprintf(key, sizeof key, "isdp/0010/aka/%04x", node);
    ck_assert_int_eq(nvm_put(nvm, key, wr_view(&w)), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    wr_done(&w);
}

static struct aka opened(uint16_t node)
{
    struct aka a;
    bool found;

    ck_assert_int_eq(aka_open(c, nvm, &fs, node, &a, &found), 0);
    ck_assert(found);
    return a;
}

static struct aka milenage_with(const char *rest)
{
    install(usim, element(MILENAGE WITH_K, rest));
    return opened(usim);
}

/* --- the network --- */

static uint64_t sqn_of(uint64_t seq, unsigned ind)
{
    return seq << 5 | ind;
}

static void put_sqn(uint64_t sqn, uint8_t ret[AKA_SQN_LEN])
{
    for (size_t i = 0; i < AKA_SQN_LEN; i++)
        ret[i] = (uint8_t)(sqn >> (8 * (AKA_SQN_LEN - 1 - i)));
}

struct challenge {
    uint8_t rand[AKA_RAND_LEN], autn[AKA_MAX_AUTN_LEN];
    struct aka_vector want;
};

static struct challenge challenge(const struct aka *a, uint64_t sqn, const char *amf)
{
    const struct aka_parameters *p = &a->parameters;
    struct challenge ch;
    uint8_t octets[AKA_SQN_LEN];

    memset(&ch, 0, sizeof ch);
    hex(RAND, ch.rand, sizeof ch.rand);
    put_sqn(sqn, octets);
    hex(amf, ch.autn + AKA_SQN_LEN, AKA_AMF_LEN);
    ck_assert_int_eq(p->algorithm->f2345(c, &p->keys, ch.rand, &ch.want), 0);
    ck_assert_int_eq(p->algorithm->f1(c, &p->keys, ch.rand, octets, ch.autn + AKA_SQN_LEN,
                                      ch.autn + AKA_SQN_LEN + AKA_AMF_LEN),
                     0);
    for (size_t i = 0; i < AKA_SQN_LEN; i++)
        ch.autn[i] = octets[i] ^ ch.want.ak[i];
    return ch;
}

static enum aka_outcome run(struct aka *a, uint64_t sqn, struct aka_answer *ret)
{
    struct challenge ch = challenge(a, sqn, "8000");

    ck_assert_int_eq(aka_authenticate(a, ch.rand, ch.autn, false, ret), 0);
    if (ret->outcome == AKA_DONE)
        ck_assert_mem_eq(&ret->vector, &ch.want, sizeof ch.want);
    return ret->outcome;
}

static void check_accepted(struct aka *a, uint64_t seq, unsigned ind)
{
    struct aka_answer answer;

    ck_assert_int_eq(run(a, sqn_of(seq, ind), &answer), AKA_DONE);
}

/* Refused, and AUTS tells this sequence number (TS 33.102 6.3.5). */
static void check_refused(struct aka *a, uint64_t seq, unsigned ind, uint64_t told_seq,
                          unsigned told_ind)
{
    static const uint8_t amf[AKA_AMF_LEN];
    const struct aka_parameters *p = &a->parameters;
    uint8_t rand[AKA_RAND_LEN], ak[AKA_AK_LEN], sqn[AKA_SQN_LEN], want[AKA_SQN_LEN];
    uint8_t mac[AKA_MAX_LEN];
    struct aka_answer answer;

    ck_assert_int_eq(run(a, sqn_of(seq, ind), &answer), AKA_SYNCHRONISE);
    hex(RAND, rand, sizeof rand);
    ck_assert_uint_eq(answer.auts_len, AKA_SQN_LEN + p->keys.mac_len);
    ck_assert_int_eq(p->algorithm->f5_star(c, &p->keys, rand, ak), 0);
    for (size_t i = 0; i < AKA_SQN_LEN; i++)
        sqn[i] = answer.auts[i] ^ ak[i];
    put_sqn(sqn_of(told_seq, told_ind), want);
    ck_assert_mem_eq(sqn, want, sizeof want);
    ck_assert_int_eq(p->algorithm->f1_star(c, &p->keys, rand, sqn, amf, mac), 0);
    ck_assert_mem_eq(answer.auts + AKA_SQN_LEN, mac, p->keys.mac_len);
}

/* --- sequence numbers --- */

START_TEST(published_challenge_is_answered)
{
    /* K, OP and the answers of a test of pySim; OPc is E(OP) xor OP. */
    uint8_t k[16], op[16], opc[16], rand[16], autn[16], kc[AKA_KC_LEN], want[16];
    struct wr w;
    struct aka_answer answer;

    hex("56c3a6da347ae7e43c69d37576725d81", k, sizeof k);
    hex("e0012b514f84eca9bfd6182bee345e2c", op, sizeof op);
    ck_assert_int_eq(aes128_encrypt_block(c, k, op, opc), 0);
    wr_init_heap(&w, 4096);
    struct wr_mark whole = tlv_open(&w, 0xA4);
    hex_put(&w, HEADER);
    struct wr_mark choice = tlv_open(&w, 0xA1);
    struct wr_mark algo = tlv_open(&w, 0xA1);
    hex_put(&w, MILENAGE "8210");
    wr_put(&w, k, sizeof k);
    hex_put(&w, "8310");
    for (size_t i = 0; i < sizeof opc; i++)
        wr_put_u8(&w, opc[i] ^ op[i]);
    tlv_close(&w, algo);
    tlv_close(&w, choice);
    tlv_close(&w, whole);
    install(usim, w);
    struct aka a = opened(usim);

    hex("e85b2b7fe58f0e6239b32543d3e3259a", rand, sizeof rand);
    hex("7928ea47ae090000ca8ab1f93c7cb03a", autn, sizeof autn);
    ck_assert_int_eq(aka_authenticate(&a, rand, autn, false, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_DONE);
    hex("13484811d553ab35", want, sizeof want);
    ck_assert_mem_eq(answer.vector.res, want, 8);
    hex("0f93c4807f4ff57c6cd348fea590c06d", want, sizeof want);
    ck_assert_mem_eq(answer.vector.ck, want, 16);
    hex("608e7bff4856c73e363e795b165a4158", want, sizeof want);
    ck_assert_mem_eq(answer.vector.ik, want, 16);
    aka_kc(&a, &answer.vector, kc);
    hex("35f08eda84d3b377", want, sizeof want);
    ck_assert_mem_eq(kc, want, sizeof kc);
    ck_assert_uint_eq(a.seq[0], 1); /* SQN 20 */
    aka_close(&a);
}
END_TEST

START_TEST(each_number_is_accepted_once)
{
    struct aka a = milenage_with("");

    check_refused(&a, 0, 0, 0, 0);
    check_accepted(&a, 1, 0);
    check_refused(&a, 1, 0, 1, 0);
    check_accepted(&a, 2, 0);
    check_refused(&a, 1, 0, 2, 0);
    aka_close(&a);
}
END_TEST

START_TEST(every_ind_has_its_own_row)
{
    struct aka a = milenage_with("");

    check_accepted(&a, 100, 7);
    for (unsigned ind = 0; ind < AKA_INDS; ind++)
        if (ind != 7)
            check_accepted(&a, 50, ind);
    check_refused(&a, 100, 7, 100, 7);
    check_refused(&a, 50, 31, 100, 7);
    check_accepted(&a, 51, 31);
    aka_close(&a);
}
END_TEST

START_TEST(stored_numbers_survive_and_uncommitted_ones_do_not)
{
    struct aka a = milenage_with("");

    check_accepted(&a, 5, 3);
    ck_assert(nvm_is_dirty(nvm));
    ck_assert_int_eq(nvm_commit(nvm), 0);
    aka_close(&a);
    a = opened(usim);
    check_refused(&a, 5, 3, 5, 3);
    check_accepted(&a, 6, 3);
    nvm_abort(nvm);
    aka_close(&a);
    a = opened(usim);
    check_accepted(&a, 6, 3);
    aka_close(&a);
}
END_TEST

START_TEST(a_jump_beyond_delta_is_refused)
{
    struct aka a = milenage_with("830600000000000A"); /* sqnDelta 10 */

    check_accepted(&a, 10, 0);
    check_refused(&a, 21, 1, 10, 0);
    check_accepted(&a, 20, 1);
    check_refused(&a, 31, 0, 20, 1);
    aka_close(&a);
}
END_TEST

START_TEST(the_default_delta_is_2_to_the_28)
{
    struct aka a = milenage_with("");

    check_refused(&a, 0x10000001, 0, 0, 0);
    check_accepted(&a, 0x10000000, 0);
    aka_close(&a);
}
END_TEST

START_TEST(without_the_option_any_jump_is_fine)
{
    struct aka a = milenage_with("820100 83060000000000 0A");

    check_accepted(&a, 0x7FFFFFFFFFF, 31);
    check_refused(&a, 0x7FFFFFFFFFF, 31, 0x7FFFFFFFFFF, 31);
    check_accepted(&a, 1, 0); /* nor is anything too old */
    aka_close(&a);
}
END_TEST

START_TEST(what_is_older_than_the_limit_is_refused)
{
    struct aka a = milenage_with("820106 8406 000000000005"); /* both limits, age 5 */

    check_accepted(&a, 100, 0);
    check_refused(&a, 94, 1, 100, 0);
    check_accepted(&a, 95, 1);
    aka_close(&a);
}
END_TEST

START_TEST(initial_numbers_come_from_the_element)
{
    char rest[32 * 16 + 16] = "A5820100";

    for (unsigned i = 0; i < AKA_INDS; i++)
        snprintf(rest + strlen(rest), sizeof rest - strlen(rest), "0406%012X", 0x100 + i);
    struct aka a = milenage_with(rest);
    check_refused(&a, 0x104, 4, 0x11F, 31);
    check_accepted(&a, 0x105, 4);
    aka_close(&a);
}
END_TEST

START_TEST(the_mac_is_checked_first)
{
    struct aka a = milenage_with("");
    struct aka_answer answer;

    check_accepted(&a, 9, 9);
    for (unsigned bit = 0; bit < 8 * 16; bit++) {
        struct challenge ch = challenge(&a, sqn_of(bit % 2 == 0 ? 9 : 10, 9), "8000");
        static const struct aka_vector nothing;

        ch.autn[bit / 8] = (uint8_t)(ch.autn[bit / 8] ^ 1 << bit % 8);
        ck_assert_int_eq(aka_authenticate(&a, ch.rand, ch.autn, false, &answer), 0);
        ck_assert_int_eq(answer.outcome, AKA_WRONG_MAC);
        ck_assert_mem_eq(&answer.vector, &nothing, sizeof nothing);
    }
    check_accepted(&a, 10, 9);
    aka_close(&a);
}
END_TEST

/* --- other parameters --- */

START_TEST(auth_counter_max_limits_attempts)
{
    install(usim, element(MILENAGE WITH_K "8603000002", ""));
    bool any;

    for (int i = 0; i < 4; i++) {
        struct aka a = opened(usim);
        ck_assert_int_eq(aka_count(&a, &any), 0);
        ck_assert_int_eq(any, i < 2);
        nvm_abort(nvm); /* what the attempt came to does not matter */
        aka_close(&a);
    }
}
END_TEST

START_TEST(mapped_applications_share_numbers)
{
    uint8_t octets[64];
    bool found;

    install(usim, element(MILENAGE WITH_K, ""));
    struct wr w;
    wr_init_heap(&w, 64);
    wr_put(&w, octets, hex("A41A" HEADER "A111 A00F 800106 810A A0000000871002FF49FF", octets, 64));
    ck_assert_uint_eq(w.p[1] + 2U, w.n);
    install(isim, w);
    struct aka a = opened(isim);
    ck_assert_uint_eq(a.node, usim);
    check_accepted(&a, 3, 1);
    aka_close(&a);
    a = opened(usim);
    check_refused(&a, 3, 1, 3, 1);
    aka_close(&a);

    /* A source that is not there, and one that names itself. */
    wr_init_heap(&w, 64);
    wr_put(&w, octets, hex("A417" HEADER "A10E A00C 800106 8107 A0000000871009", octets, 64));
    install(isim, w);
    ck_assert_int_eq(aka_open(c, nvm, &fs, isim, &a, &found), 0);
    ck_assert(!found);
    wr_init_heap(&w, 64);
    wr_put(&w, octets, hex("A417" HEADER "A10E A00C 800106 8107 A0000000871004", octets, 64));
    install(isim, w);
    ck_assert_int_eq(aka_open(c, nvm, &fs, isim, &a, &found), 0);
    ck_assert(!found);
}
END_TEST

START_TEST(an_application_may_have_none)
{
    struct aka a;
    bool found = true;

    ck_assert_int_eq(aka_open(c, nvm, &fs, isim, &a, &found), 0);
    ck_assert(!found);
}
END_TEST

START_TEST(parameters_that_fit_no_algorithm_are_refused)
{
    static const struct {
        const char *algorithm, *rest;
    } bad[] = {
        { "8001 01 8101 00 8208 0011223344556677 8310" OPC, "" },
        { "8001 01 8101 00 8210" K "8300", "" },
        { "8001 00 8101 00" WITH_K, "" },
        { "8001 04 8101 00" WITH_K, "" },
        { "8001 02 8101 00" WITH_K, "" },                          /* TUAK has TOPc */
        { "8001 02 8101 04 8210" K "8320" OPC OPC, "" },           /* RES of nothing */
        { "8001 02 8101 18 8210" K "8320" OPC OPC, "" },           /* MAC of nothing */
        { "8001 02 8101 00 8210" K "8320" OPC OPC "8701 00", "" }, /* no Keccak at all */
        { "8001 03 8101 03" WITH_K, "" },
        { MILENAGE WITH_K, "83080000000000000001" },
        { MILENAGE WITH_K, "A508 0406 000000000000" }, /* one IND only */
        { MILENAGE WITH_K "8404 40002040", "" },
    };
    struct aka_parameters p;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wr w = element(bad[i].algorithm, bad[i].rest);
        ck_assert_int_eq(aka_parse(wr_view(&w), &p), ERR_INPUT);
        wr_done(&w);
    }
    ck_assert_int_eq(aka_parse(rd_of("\xA2\x00", 2), &p), ERR_INPUT);
    ck_assert_int_eq(aka_parse(rd_of("", 0), &p), ERR_INPUT);
}
END_TEST

START_TEST(rotations_and_constants_are_taken)
{
    char algorithm[512] = MILENAGE WITH_K "8405 0102030405 8550";
    struct aka_parameters p;

    for (int i = 0; i < 80; i++)
        snprintf(algorithm + strlen(algorithm), 3, "%02X", (unsigned)i);
    struct wr w = element(algorithm, "");
    ck_assert_int_eq(aka_parse(wr_view(&w), &p), 0);
    wr_done(&w);
    for (uint8_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(p.keys.rotations[i], i + 1U);
        ck_assert_uint_eq(p.keys.constants[i][0], 16U * i);
        ck_assert_uint_eq(p.keys.constants[i][15], 16U * i + 15);
    }
}
END_TEST

START_TEST(tuak_has_longer_values)
{
    /* RES 128, MAC 128, CK and IK 256 */
    install(usim, element("8001 02 8101 4A 8220" K K "8320" OPC OPC "8701 02", ""));
    struct aka a = opened(usim);
    struct aka_answer answer;

    ck_assert_ptr_eq(a.parameters.algorithm, &tuak);
    ck_assert_uint_eq(a.parameters.keys.res_len, 16);
    ck_assert_uint_eq(a.parameters.keys.mac_len, 16);
    ck_assert_uint_eq(a.parameters.keys.ck_len, 32);
    ck_assert_uint_eq(aka_autn_len(&a), 24);
    check_accepted(&a, 1, 0);
    check_refused(&a, 1, 0, 1, 0);
    struct challenge ch = challenge(&a, sqn_of(2, 0), "8000");
    ch.autn[23] ^= 1;
    ck_assert_int_eq(aka_authenticate(&a, ch.rand, ch.autn, false, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_WRONG_MAC);
    aka_close(&a);
}
END_TEST

START_TEST(gba_masks_the_mac)
{
    struct aka a = milenage_with("");
    struct challenge ch = challenge(&a, sqn_of(1, 0), "8000");
    struct rd ik = rd_of(ch.want.ik, 16);
    uint8_t hash[SHA1_LEN];
    struct aka_answer answer;

    ck_assert_int_eq(aka_authenticate(&a, ch.rand, ch.autn, true, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_WRONG_MAC);
    ck_assert_int_eq(crypto_sha1(c, &ik, 1, hash), 0);
    for (size_t i = 0; i < 8; i++)
        ch.autn[8 + i] ^= hash[i];
    ck_assert_int_eq(aka_authenticate(&a, ch.rand, ch.autn, false, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_WRONG_MAC);
    ck_assert_int_eq(aka_authenticate(&a, ch.rand, ch.autn, true, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_DONE);
    aka_close(&a);
}
END_TEST

/* --- the test algorithm, and GSM --- */

START_TEST(test_algorithm_by_hand)
{
    /* K xor RAND is 00 11 22 .. FF. */
    install(usim, element("8001 03 8101 02 8210 000102030405060708090A0B0C0D0E0F 8300", ""));
    struct aka a = opened(usim);
    uint8_t rand[16], autn[16], want[16];
    struct aka_answer answer;

    hex("0010203040506070 8090A0B0C0D0E0F0", rand, sizeof rand);
    /* SQN 000000000020 xor AK 334455667788, AMF 8000, MAC 0011..77 xor (SQN || AMF) */
    hex("3344556677A8 8000 001122334475 E677", autn, sizeof autn);
    ck_assert_int_eq(aka_authenticate(&a, rand, autn, false, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_DONE);
    hex("00112233445566778899AABBCCDDEEFF", want, sizeof want);
    ck_assert_mem_eq(answer.vector.res, want, 16);
    hex("112233445566778899AABBCCDDEEFF00", want, sizeof want);
    ck_assert_mem_eq(answer.vector.ck, want, 16);
    hex("2233445566778899AABBCCDDEEFF0011", want, sizeof want);
    ck_assert_mem_eq(answer.vector.ik, want, 16);

    /* The same again: there are no sequence numbers. */
    ck_assert_int_eq(aka_authenticate(&a, rand, autn, false, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_DONE);

    /* AMF FFFF asks for synchronisation. */
    hex("3344556677A8 FFFF 001122334475 9988", autn, sizeof autn);
    ck_assert_int_eq(aka_authenticate(&a, rand, autn, false, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_SYNCHRONISE);
    hex("3344556677A8 001122334475 6677", want, sizeof want);
    ck_assert_uint_eq(answer.auts_len, 14);
    ck_assert_mem_eq(answer.auts, want, 14);
    autn[15] ^= 1;
    ck_assert_int_eq(aka_authenticate(&a, rand, autn, false, &answer), 0);
    ck_assert_int_eq(answer.outcome, AKA_WRONG_MAC);
    ck_assert(!nvm_is_dirty(nvm));
    aka_close(&a);
}
END_TEST

START_TEST(gsm_of_milenage_matches_ts_55_205)
{
    struct aka a = milenage_with("");
    uint8_t rand[AKA_RAND_LEN], sres[AKA_SRES_LEN], kc[AKA_KC_LEN], want[AKA_KC_LEN];

    hex(RAND, rand, sizeof rand);
    ck_assert_int_eq(aka_gsm(&a, rand, sres, kc), 0);
    hex("46f8416a", want, sizeof want);
    ck_assert_mem_eq(sres, want, sizeof sres);
    hex("eae4be823af9a08b", want, sizeof want);
    ck_assert_mem_eq(kc, want, sizeof kc);
    ck_assert(!nvm_is_dirty(nvm));
    aka_close(&a);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, published_challenge_is_answered);
    tcase_add_test(tc, each_number_is_accepted_once);
    tcase_add_test(tc, every_ind_has_its_own_row);
    tcase_add_test(tc, stored_numbers_survive_and_uncommitted_ones_do_not);
    tcase_add_test(tc, a_jump_beyond_delta_is_refused);
    tcase_add_test(tc, the_default_delta_is_2_to_the_28);
    tcase_add_test(tc, without_the_option_any_jump_is_fine);
    tcase_add_test(tc, what_is_older_than_the_limit_is_refused);
    tcase_add_test(tc, initial_numbers_come_from_the_element);
    tcase_add_test(tc, the_mac_is_checked_first);
    tcase_add_test(tc, auth_counter_max_limits_attempts);
    tcase_add_test(tc, mapped_applications_share_numbers);
    tcase_add_test(tc, an_application_may_have_none);
    tcase_add_test(tc, parameters_that_fit_no_algorithm_are_refused);
    tcase_add_test(tc, rotations_and_constants_are_taken);
    tcase_add_test(tc, tuak_has_longer_values);
    tcase_add_test(tc, gba_masks_the_mac);
    tcase_add_test(tc, test_algorithm_by_hand);
    tcase_add_test(tc, gsm_of_milenage_matches_ts_55_205);
}

int main(void)
{
    Suite *s = suite_create("aka");
    TCase *tc = tcase_create("aka");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    add_tests(tc);
    suite_add_tcase(s, tc);
    return suite_status(s);
}
