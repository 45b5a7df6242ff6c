/* test_eim.c - the eIM without its transport: signatures as published vectors have them, polls and
 * results message by message, what is refused and with which code, and that nothing is lost or
 * counted twice (SGP.32 2.11, 3.3.1, 5.14). */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certs/pki.h"
#include "lab/eim.h"
#include "lab/eim_compact.h"
#include "lab/eim_package.h"
#include "lab/esipa_json.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { ROOM = 64 * 1024, PATH_LEN = 64 };

static const char eid[] = "89049032123451234512345678901235";

/* Keys and messages made for these tests, with the signatures of RFC 6979. */
static const char eim_private[] =
    "777A97AE1E4F163897A47EC138981D74777F9CCC4392543311C90670B1C36DFD";
static const char eim_public[] =
    "04E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"
    "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45";
static const char euicc_public[] =
    "04F5F3CDD834A93DBB9C2C99ECA68279C4ADE727F38970731852152362E9217FAD"
    "E4440C7EA9282F80BC9846AA027D02EE8BBCE7B2D3CE966EEC8608FCC56F4B0E";
#define PACKAGE_SIGNED                                                                             \
    "3033800465696D315A1089049032123451234512345678901235810101820411223344"                       \
    "A010A30E5A0A981032547698103214F50500"
#define PACKAGE_SIGNATURE                                                                          \
    "5F37405188F599E524E20F927B889EC7FE4B4F4341A0F406A9CA89F7222C084927E1F1"                       \
    "D4DEFBA5B2D9FC8BF9548A753AF2F2394E9F476AE7BD30472A12239EAE721489"
#define RESULT_SIGNED "3017800465696D318101018204112233448301053003830100"
static const char package[] = "BF5178" PACKAGE_SIGNED PACKAGE_SIGNATURE;
static const char result_ok[] =
    "BF515EA05C" RESULT_SIGNED "5F3740CD63B6F7D87A3B2D2F745B0768E6CB1B31B749B1C73137FB6915A6A5BE35B"
    "11A0021C05E97A51180E739FB7E8A92673CEA909EAF5B738364C1D26A306D3CA361";
static const char result_v1_0[] =
    "BF515EA05C" RESULT_SIGNED "5F3740A5A9B37B97FAFB4282D55AB4E4AF9F1AE298F369F1A6A97EF6D906EE6CEA9"
    "C48CAED4906E330F29FBB50A69D919CF70CA1EADB021C4B08CDF2E121FD350ADA6A";
static const char result_error[] =
    "BF5159A1573012800465696D318101018204112233440201045F37406A7E4A749DB03FFDE76457C38D323F615A78CA"
    "F"
    "4AAA0E61EBEDE487E41AED2CD9A6252B65DA64D879616BE23B7FFEC6962C6E1D37A82BC0678F84E353FF73030";

struct bench {
    struct crypto *c;
    char path[PATH_LEN];
    struct eim *eim;
    cJSON *log;
    struct wr answer;
    uint8_t octets[ROOM];
};

static void set_up_with(struct bench *b, bool learn)
{
    struct lab_error e = { "" };
    struct db *db = NULL;
    struct eim_choices choices = { .fqdn = "127.0.0.1:8444",
                                   .id_type = EIM_ID_PROPRIETARY,
                                   .curve = CURVE_P256,
                                   .tls_trust = TLS_TRUST_CA,
                                   .token = true,
                                   .indirect = true,
                                   .learn = learn };

    memset(b, 0, sizeof *b);
    b->c = crypto_new(rd_of(NULL, 0));
    snprintf(b->path, sizeof b->path, "/tmp/softeuicc-eim-%ld", (long)getpid());
    unlink(b->path);
    ck_assert_msg(store_create(b->path, &db, &e) == 0, "%s", e.text);
    ck_assert_msg(eim_identity_create(b->c, &choices, db, &e) == 0, "%s", e.text);
    db_close(&db);
    ck_assert_msg(eim_open(b->c, b->path, rd_of(NULL, 0), &b->eim, &e) == 0, "%s", e.text);
    wr_init_heap(&b->answer, EIM_ANSWER_MAX);
}

static void set_up(struct bench *b)
{
    set_up_with(b, false);
}

static void tear_down(struct bench *b)
{
    char name[PATH_LEN + 8];

    cJSON_Delete(b->log);
    wr_done(&b->answer);
    eim_close(&b->eim);
    crypto_free(&b->c);
    unlink(b->path);
    snprintf(name, sizeof name, "%s-wal", b->path);
    unlink(name);
    snprintf(name, sizeof name, "%s-shm", b->path);
    unlink(name);
}

static int say_as(struct bench *b, const char *message, const char *from)
{
    struct rd in = exact_copy(message);

    cJSON_Delete(b->log);
    b->log = cJSON_CreateObject();
    wr_clear(&b->answer);
    int r = eim_handle(b->eim, in, from, b->log, &b->answer);
    exact_free(&in);
    return r;
}

static int say(struct bench *b, const char *message)
{
    return say_as(b, message, "");
}

static void check_answer(struct bench *b, const char *expected)
{
    size_t n = hex(expected, b->octets, sizeof b->octets);

    ck_assert_uint_eq(b->answer.n, n);
    ck_assert_mem_eq(b->answer.p, b->octets, n);
}

static void add_device(struct bench *b, uint64_t token)
{
    struct eim_device d = { .token_state = TOKEN_KNOWN, .token = token };

    strcpy(d.eid, eid);
    ck_assert_int_eq(store_put_device(b->eim->db, &d), 0);
}

static int64_t queue(struct bench *b, const char *a, const char *a1, const char *fault)
{
    char *words[2] = { (char *)(uintptr_t)a, (char *)(uintptr_t)a1 };
    struct lab_error e = { "" };
    struct wr order;
    enum work_kind kind;
    int64_t number = 0;

    wr_init_heap(&order, ROOM);
    ck_assert_msg(eim_order_read(a1 == NULL ? 1 : 2, words, &kind, &order, &e) == 0, "%s", e.text);
    struct eim_order o = { kind, FOR_USER, wr_view(&order), a, fault };
    ck_assert_int_eq(store_add_work(b->eim->db, eid, &o, &number), 0);
    wr_done(&order);
    return number;
}

static enum work_state state_of(struct bench *b, int64_t number)
{
    struct eim_work w;
    bool found;

    ck_assert_int_eq(store_get_work(b->eim->db, number, &w, &found), 0);
    ck_assert(found);
    return w.state;
}

static const char poll_message[] = "BF4F{5A1089049032123451234512345678901235}";
#define NO_PACKAGE "BF4F03020101"

/* --- signatures ------------------------------------------------------------------------------- */

START_TEST(package_has_the_published_octets)
{
    struct crypto *c = crypto_new(rd_of(NULL, 0));
    uint8_t number[32], tid[4], operations[64], expected[256], point[EC_POINT_LEN], token[8];
    struct ec_key *key = NULL;
    struct ec_pub *pub = NULL;
    struct wr out, t;

    wr_init_heap(&out, ROOM);
    hex(eim_private, number, sizeof number);
    hex(eim_public, point, sizeof point);
    ck_assert_int_eq(ec_key_from_number(c, CURVE_P256, rd_of(number, 32), &key), 0);
    ck_assert_int_eq(ec_pub_from_point(c, CURVE_P256, rd_of(point, sizeof point), &pub), 0);
    struct eim_package p = { .eim_id = "eim1", .counter = 1, .token = 1 };
    hex(eid, p.eid, sizeof p.eid);
    p.transaction_id = rd_of(tid, hex("11223344", tid, sizeof tid));
    p.operations = rd_of(operations, hex("A010A30E5A0A981032547698103214F50500", operations, 64));
    ck_assert_int_eq(eim_package_write(c, key, &p, &out), 0);
    size_t n = hex(package, expected, sizeof expected);
    ck_assert_uint_eq(out.n, n);
    ck_assert_mem_eq(out.p, expected, n - EC_SIGNATURE_LEN); /* the signature is random */
    wr_init(&t, token, sizeof token);
    ck_assert_int_eq(eim_put_token(&t, 1), 0);
    struct rd parts[] = { rd_of(out.p + 3, 0x35), wr_view(&t) };
    ck_assert(ecdsa_verify(c, pub, parts, 2, rd_of(out.p + n - 64, 64)));
    ck_assert(ecdsa_verify(c, pub, parts, 2, rd_of(expected + n - 64, 64)));
    ec_pub_free(&pub);
    ec_key_free(&key);
    wr_done(&out);
    crypto_free(&c);
}
END_TEST

static const char *verify(const char *text, uint64_t token, bool only_token)
{
    struct crypto *c = crypto_new(rd_of(NULL, 0));
    uint8_t point[EC_POINT_LEN];
    struct ec_pub *pub = NULL;
    struct eim_result result;
    struct rd der = exact_copy(text), request = exact_copy(package);

    hex(euicc_public, point, sizeof point);
    ck_assert_int_eq(ec_pub_from_point(c, CURVE_P256, rd_of(point, sizeof point), &pub), 0);
    ck_assert_int_eq(eim_result_read(der, &result), 0);
    struct eim_signature_context context = { pub, token, request, only_token };
    const char *how = eim_result_verify(c, &result, &context);
    ec_pub_free(&pub);
    exact_free(&der);
    exact_free(&request);
    crypto_free(&c);
    return how;
}

START_TEST(results_verify_as_published)
{
    ck_assert_str_eq(verify(result_ok, 1, true), "associationToken");
    ck_assert_str_eq(verify(result_error, 1, true), "associationToken");
    ck_assert_ptr_null(verify(result_ok, 2, true));
    ck_assert_ptr_null(verify(result_ok, 0, false));
    ck_assert_str_eq(verify(result_v1_0, 1, false), "eimSignature");
    ck_assert_ptr_null(verify(result_v1_0, 1, true));
}
END_TEST

START_TEST(results_are_taken_apart)
{
    static const char *const bad[] = { "BF5100", "BF5102A000", "BF5104A0023000", "BF5103A30100",
                                       "BF5205A003800101" };
    struct eim_result r;
    struct rd der = exact_copy(result_ok);

    ck_assert_int_eq(eim_result_read(der, &r), 0);
    ck_assert_uint_eq(r.counter, 1);
    ck_assert_uint_eq(r.seq, 5);
    ck_assert(eim_result_ok(&r, NULL));
    exact_free(&der);
    der = exact_copy(result_error);
    ck_assert_int_eq(eim_result_read(der, &r), 0);
    ck_assert_int_eq(r.error, 4);
    ck_assert(!eim_result_ok(&r, NULL));
    exact_free(&der);
    der = exact_copy("BF5111A20F800465696D31820411223344840101");
    ck_assert_int_eq(eim_result_read(der, &r), 0);
    ck_assert_int_eq(r.arm, RESULT_UNSIGNED);
    ck_assert_uint_eq(r.token, 1);
    exact_free(&der);
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        der = exact_copy(bad[i]);
        ck_assert_int_lt(eim_result_read(der, &r), 0);
        exact_free(&der);
    }
}
END_TEST

/* 128 characters of four octets each. */
START_TEST(results_name_an_eim_of_512_octets)
{
    struct eim_result r;
    struct wr w;

    wr_init_heap(&w, ROOM);
    for (size_t n = 512; n <= 516; n += 4) {
        wr_clear(&w);
        struct wr_mark whole = tlv_open(&w, 0xBF51), arm = tlv_open(&w, 0xA2);
        struct wr_mark id = tlv_open(&w, 0x80);
        for (size_t i = 0; i < n; i += 4)
            wr_put(&w, "\xF0\x9F\x98\x80", 4);
        tlv_close(&w, id);
        tlv_close(&w, arm);
        tlv_close(&w, whole);
        ck_assert_int_eq(eim_result_read(wr_view(&w), &r), n == 512 ? 0 : ERR_INPUT);
    }
    ck_assert_uint_eq(strlen(r.eim_id), 512);
    wr_done(&w);
}
END_TEST

/* --- polls ------------------------------------------------------------------------------------ */

START_TEST(poll_is_refused_with_the_code_of_the_fault)
{
    struct bench b;

    set_up(&b);
    ck_assert_int_eq(say(&b, poll_message), 0);
    check_answer(&b, "BF4F03020102"); /* eidNotFound */
    ck_assert_int_eq(say(&b, "BF4F{5A0F890490321234512345123456789012}"), 0);
    check_answer(&b, "BF4F03020103"); /* invalidEid */
    ck_assert_int_eq(say(&b, "BF4F{5A108904903212345123451234567890123A}"), 0);
    check_answer(&b, "BF4F03020103");
    ck_assert_int_eq(say(&b, "BF4F00"), 0);
    check_answer(&b, "BF4F03020104"); /* missingEid */
    add_device(&b, 1);
    ck_assert_int_eq(say(&b, poll_message), 0);
    check_answer(&b, NO_PACKAGE);
    tear_down(&b);
}
END_TEST

START_TEST(what_is_no_message_is_bad_input)
{
    static const char *const bad[] = { "",           "BF4F",   "BF4F0100", "BF4F00 00", "BF990100",
                                       "BF4F025A01", "BF5000", "BF3D00",   "3000",      "BF3900" };
    struct bench b;

    set_up(&b);
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        ck_assert_msg(say(&b, bad[i]) == ERR_INPUT, "%s", bad[i]);
    tear_down(&b);
}
END_TEST

START_TEST(work_is_handed_out_again_until_it_is_answered)
{
    struct bench b;
    uint8_t first[256];

    set_up(&b);
    add_device(&b, 1);
    int64_t number = queue(&b, "enable", "89012345670123456789", "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    size_t n = b.answer.n;
    ck_assert_uint_lt(n, sizeof first);
    memcpy(first, b.answer.p, n);
    for (int i = 1; i < EIM_MAX_HANDED; i++) {
        ck_assert_int_eq(say(&b, poll_message), 0);
        ck_assert_uint_eq(b.answer.n, n);
        ck_assert_mem_eq(b.answer.p, first, n);
    }
    ck_assert_int_eq(say(&b, poll_message), 0);
    check_answer(&b, NO_PACKAGE);
    ck_assert_int_eq(state_of(&b, number), WORK_FAILED);
    tear_down(&b);
}
END_TEST

START_TEST(counter_rises_with_each_package_and_survives_a_restart)
{
    struct bench b;
    struct eim_device d;
    struct lab_error e;
    bool found;

    set_up(&b);
    add_device(&b, 1);
    int64_t one = queue(&b, "list", NULL, "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    eim_close(&b.eim); /* as after a crash: nothing was said */
    ck_assert_int_eq(eim_open(b.c, b.path, rd_of(NULL, 0), &b.eim, &e), 0);
    ck_assert_int_eq(store_get_device(b.eim->db, eid, &d, &found), 0);
    ck_assert_uint_eq(d.counter, 1);
    ck_assert_int_eq(store_finish_work(b.eim->db, one, WORK_DONE, ""), 0);
    queue(&b, "rat", NULL, "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    ck_assert_int_eq(store_get_device(b.eim->db, eid, &d, &found), 0);
    ck_assert_uint_eq(d.counter, 2);
    tear_down(&b);
}
END_TEST

START_TEST(state_change_tells_the_version)
{
    struct bench b;
    struct eim_device d;
    bool found;

    set_up(&b);
    add_device(&b, 1);
    ck_assert_int_eq(say(&b, "BF4F{5A10890490321234512345123456789012358000 810362F210}"), 0);
    ck_assert_int_eq(store_get_device(b.eim->db, eid, &d, &found), 0);
    ck_assert_int_eq(d.observed, SGP32_V1_0);
    ck_assert_int_eq(say(&b, "BF4F{5A10890490321234512345123456789012358000 810101 820362F210}"),
                     0);
    ck_assert_int_eq(store_get_device(b.eim->db, eid, &d, &found), 0);
    ck_assert_int_eq(d.observed, SGP32_V1_2);
    tear_down(&b);
}
END_TEST

START_TEST(a_new_device_is_asked_for_its_certificate_and_token_first)
{
    struct bench b;
    struct eim_device d = { .token_state = TOKEN_UNKNOWN };
    struct tlv outer, request, tags;

    set_up_with(&b, true);
    strcpy(d.eid, eid);
    ck_assert_int_eq(store_put_device(b.eim->db, &d), 0);
    queue(&b, "list", NULL, "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    struct rd in = wr_view(&b.answer);
    ck_assert_int_eq(tlv_expect(&in, 0xBF4F, &outer), 0);
    ck_assert_int_eq(tlv_expect(&outer.value, 0xBF52, &request), 0);
    ck_assert(tlv_find(request.value, 0x5C, &tags));
    ck_assert(memchr(tags.value.p, 0x84, tags.value.n) != NULL);
    ck_assert(memchr(tags.value.p, 0xA6, tags.value.n) != NULL);
    tear_down(&b);
}
END_TEST

/* --- results ---------------------------------------------------------------------------------- */

/* The work that is out gets the counter, token and transaction id of the published messages. */
static void dress_work(struct bench *b, int64_t number)
{
    struct eim_work w;
    struct rd request = exact_copy("BF5178" PACKAGE_SIGNED PACKAGE_SIGNATURE);
    bool found;

    ck_assert_int_eq(store_get_work(b->eim->db, number, &w, &found), 0);
    w.transaction_id.n = hex("11223344", w.transaction_id.b, sizeof w.transaction_id.b);
    w.counter = 1;
    w.token = 1;
    ck_assert_int_eq(store_update_work(b->eim->db, &w), 0);
    ck_assert_int_eq(store_put_work_blob(b->eim->db, number, WORK_MESSAGE, request), 0);
    exact_free(&request);
}

START_TEST(result_without_a_certificate_is_kept_but_not_acknowledged)
{
    struct bench b;
    char message[1024];

    set_up(&b);
    add_device(&b, 1);
    int64_t number = queue(&b, "list", NULL, "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    dress_work(&b, number);
    snprintf(message, sizeof message, "BF50{5A10%s%s}", eid, result_ok);
    ck_assert_int_eq(say(&b, message), 0);
    check_answer(&b, "BF50023000");
    ck_assert_int_eq(state_of(&b, number), WORK_FAILED);
    tear_down(&b);
}
END_TEST

/* A package in another eIM's name (a fault for tests) comes back unsigned and in that name: the
 * transaction tells whose it was. */
START_TEST(unsigned_answer_in_another_name_ends_the_work_of_its_transaction)
{
    static const char *const not_ours[] = {
        "BF51{A2{80{67686F7374}}}",              /* without a transaction */
        "BF51{A2{80{67686F7374} 820411223355}}", /* of another one */
        "BF51{A1{30{80{67686F7374} 810101 820411223344 020104} 5F370100}}", /* said to be signed */
    };
    struct bench b;
    char message[256], why[EIM_TEXT_LEN] = "";
    struct wr text;

    set_up(&b);
    add_device(&b, 1);
    int64_t number = queue(&b, "list", NULL, "eim-id=ghost");
    ck_assert_int_eq(say(&b, poll_message), 0);
    dress_work(&b, number);
    for (size_t i = 0; i < N_ELEMS(not_ours); i++) {
        snprintf(message, sizeof message, "BF50{5A10%s %s}", eid, not_ours[i]);
        ck_assert_int_eq(say(&b, message), 0);
        ck_assert_int_eq(state_of(&b, number), WORK_OUT);
    }
    snprintf(message, sizeof message, "BF50{5A10%s BF51{A2{80{67686F7374} 820411223344}}}", eid);
    ck_assert_int_eq(say(&b, message), 0);
    check_answer(&b, "BF50023000");
    ck_assert_int_eq(state_of(&b, number), WORK_FAILED);
    wr_init(&text, why, sizeof why - 1);
    ck_assert_int_eq(store_get_work_blob(b.eim->db, number, WORK_WHY, &text), 0);
    ck_assert_str_eq(why, "the eUICC did not accept the package");
    ck_assert_int_eq(say(&b, poll_message), 0);
    check_answer(&b, NO_PACKAGE);
    tear_down(&b);
}
END_TEST

static uint64_t counter_of(struct bench *b, int64_t number)
{
    struct eim_work w;
    bool found;

    ck_assert_int_eq(store_get_work(b->eim->db, number, &w, &found), 0);
    ck_assert(found);
    return w.counter;
}

/* Of what was signed, and verified; refusals use no counter up. */
START_TEST(replay_has_the_counter_of_the_last_accepted_package)
{
    static const struct {
        const char *received;
        int verified;
    } results[] = {
        { result_ok, 1 },    /* counter 1 */
        { result_error, 1 }, /* refused */
        { "BF51{A2{80{65696D31} 820411223344}}", 0 },
    };
    struct bench b;
    bool known;

    set_up(&b);
    add_device(&b, 1);
    int64_t number = queue(&b, "list", NULL, "replay");
    ck_assert_int_eq(say(&b, poll_message), 0);
    ck_assert_uint_eq(counter_of(&b, number), 0); /* with which the eIM was associated */
    ck_assert_int_eq(store_finish_work(b.eim->db, number, WORK_FAILED, ""), 0);
    for (size_t i = 0; i < N_ELEMS(results); i++) {
        struct rd der = exact_copy(results[i].received);
        struct eim_record r = { eid, 0, "package", der, "{}", results[i].verified };
        ck_assert_int_eq(store_add_result(b.eim->db, &r, &known), 0);
        exact_free(&der);
    }
    number = queue(&b, "list", NULL, "replay");
    ck_assert_int_eq(say(&b, poll_message), 0);
    ck_assert_uint_eq(counter_of(&b, number), 1);
    ck_assert_int_eq(store_finish_work(b.eim->db, number, WORK_FAILED, ""), 0);
    number = queue(&b, "list", NULL, "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    ck_assert_uint_eq(counter_of(&b, number), 3);
    tear_down(&b);
}
END_TEST

/* EuiccPackageResult of an empty euiccResult, signed as the test PKI's eUICC does. */
static void put_result(struct bench *b, unsigned number, struct wr *ret)
{
    uint8_t signature[EC_SIGNATURE_LEN], token[] = { 0x84, 0x01, 0x01 };
    struct ec_key *key = NULL;
    struct pki *pki = NULL;
    struct wr pem, body;

    wr_init_heap(&pem, PKI_MAX_FILE);
    wr_init_heap(&body, ROOM);
    ck_assert_int_eq(pki_open(NULL, &pki), 0);
    ck_assert_int_eq(pki_read(pki, "eUICC/SK_EUICC_ECDSA_NIST.pem", &pem), 0);
    ck_assert_int_eq(ec_key_read(b->c, wr_view(&pem), &key), 0);
    struct wr_mark data = tlv_open(&body, 0x30);
    tlv_put_str(&body, 0x80, "eim1");
    tlv_put_uint(&body, 0x81, number);
    tlv_put_uint(&body, 0x83, number);
    tlv_put_str(&body, 0x30, "");
    tlv_close(&body, data);
    struct rd parts[] = { wr_view(&body), rd_of(token, sizeof token) };
    ck_assert_int_eq(ecdsa_sign(b->c, key, parts, N_ELEMS(parts), signature), 0);
    struct wr_mark outer = tlv_open(ret, 0xBF51), arm = tlv_open(ret, 0xA0);
    wr_put_rd(ret, wr_view(&body));
    tlv_put(ret, 0x5F37, rd_of(signature, sizeof signature));
    tlv_close(ret, arm);
    tlv_close(ret, outer);
    ec_key_free(&key);
    pki_close(&pki);
    wr_done(&pem);
    wr_done(&body);
}

static const char peer[] = "127.0.0.1:50000"; /* v1.0.1 has no EID in what it provides */

/* ProvideEimPackageResult with result `number` inside of these tags (0 ends them). */
static void provide(struct bench *b, unsigned number, const uint32_t tags[])
{
    struct wr_mark marks[8];
    struct wr message;
    size_t n = 0;

    wr_init_heap(&message, ROOM);
    struct wr_mark outer = tlv_open(&message, 0xBF50);
    for (; tags[n] != 0; n++)
        marks[n] = tlv_open(&message, tags[n]);
    put_result(b, number, &message);
    while (n-- > 0)
        tlv_close(&message, marks[n]);
    tlv_close(&message, outer);
    ck_assert_int_eq(wr_failed(&message), 0);
    cJSON_Delete(b->log);
    b->log = cJSON_CreateObject();
    wr_clear(&b->answer);
    ck_assert_int_eq(eim_handle(b->eim, wr_view(&message), peer, b->log, &b->answer), 0);
    wr_done(&message);
}

/* An IPA of v1.0.1 reads acknowledgements in the answers to package results alone. */
START_TEST(v1_0_is_told_again_what_was_acknowledged_to_its_data)
{
    static const uint32_t alone[] = { 0 }, data_v1_0[] = { 0xBF52, 0x30, 0xBF2B, 0xA2, 0 },
                          data[] = { 0xBF52, 0xA0, 0xA2, 0 };
    bool is_v1_0 = _i == 0;
    struct eim_device d = { .token_state = TOKEN_KNOWN,
                            .token = 1,
                            .version = is_v1_0 ? SGP32_V1_0 : SGP32_V1_2 };
    struct pki *pki = NULL;
    struct bench b;
    struct wr der;

    set_up(&b);
    strcpy(d.eid, eid);
    ck_assert_int_eq(store_put_device(b.eim->db, &d), 0);
    wr_init_heap(&der, PKI_MAX_FILE);
    ck_assert_int_eq(pki_open(NULL, &pki), 0);
    ck_assert_int_eq(pki_read(pki, "eUICC/CERT_EUICC_ECDSA_NIST.der", &der), 0);
    ck_assert_int_eq(store_put_blob(b.eim->db, eid, DEVICE_EUICC_CERT, wr_view(&der)), 0);
    ck_assert_int_eq(say_as(&b, poll_message, peer), 0);
    provide(&b, 5, is_v1_0 ? data_v1_0 : data);
    check_answer(&b, "BF50{BF53{800105}}");
    provide(&b, 6, is_v1_0 ? data_v1_0 : data);
    check_answer(&b, "BF50{BF53{800106}}");
    provide(&b, 7, alone);
    check_answer(&b, is_v1_0 ? "BF50{BF53{800107 800105 800106}}" : "BF50{BF53{800107}}");
    provide(&b, 8, alone);
    check_answer(&b, "BF50{BF53{800108}}");
    wr_done(&der);
    pki_close(&pki);
    tear_down(&b);
}
END_TEST

START_TEST(results_of_strangers_are_refused)
{
    struct bench b;
    char message[1024];

    set_up(&b);
    snprintf(message, sizeof message, "BF50{5A10%s%s}", eid, result_ok);
    ck_assert_int_eq(say(&b, message), 0);
    check_answer(&b, "BF5003020102"); /* eidNotFound */
    snprintf(message, sizeof message, "BF50{5A03112233%s}", result_ok);
    ck_assert_int_eq(say(&b, message), 0);
    check_answer(&b, "BF5003020103"); /* invalidEid */
    snprintf(message, sizeof message, "BF50{%s}", result_ok);
    ck_assert_int_eq(say(&b, message), 0);
    check_answer(&b, "BF5003020104"); /* missingEid */
    tear_down(&b);
}
END_TEST

START_TEST(refusal_of_the_ipa_ends_the_work)
{
    struct bench b;
    char message[256];

    set_up(&b);
    add_device(&b, 1);
    int64_t number = queue(&b, "list", NULL, "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    dress_work(&b, number);
    snprintf(message, sizeof message, "BF50{5A10%s A0{800411223344 020101}}", eid);
    ck_assert_int_eq(say(&b, message), 0);
    check_answer(&b, "BF50023000");
    ck_assert_int_eq(state_of(&b, number), WORK_FAILED);
    tear_down(&b);
}
END_TEST

START_TEST(v1_0_gets_its_own_empty_answer)
{
    struct bench b;
    struct eim_device d = { .token_state = TOKEN_KNOWN, .token = 1, .version = SGP32_V1_0 };
    char message[1024];

    set_up(&b);
    strcpy(d.eid, eid);
    ck_assert_int_eq(store_put_device(b.eim->db, &d), 0);
    queue(&b, "list", NULL, "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    snprintf(message, sizeof message, "BF50{5A10%s 020101}", eid);
    ck_assert_int_eq(say(&b, message), 0);
    check_answer(&b, "BF5000");
    tear_down(&b);
}
END_TEST

START_TEST(download_sessions_that_nobody_began_are_refused)
{
    struct bench b;

    set_up(&b);
    add_device(&b, 1);
    ck_assert_int_eq(say(&b, "BF39{8110000102030405060708090A0B0C0D0E0F 820177}"), 0);
    check_answer(&b, "BF3903810134"); /* invalidEimTransactionId */
    ck_assert_int_eq(say(&b, "BF39{8110000102030405060708090A0B0C0D0E0F}"), 0);
    check_answer(&b, "BF3903810101"); /* invalidDpAddress */
    ck_assert_int_eq(say(&b, "BF3B{800101 BF38{A100}}"), 0);
    check_answer(&b, "BF3B0382010A"); /* invalidTransactionId */
    ck_assert_int_eq(say(&b, "BF3A{800101 BF21{A100}}"), 0);
    check_answer(&b, "BF3A0381015F");
    ck_assert_int_eq(say(&b, "BF41{800101 A1{810105}}"), 0);
    check_answer(&b, "BF4103810101");
    tear_down(&b);
}
END_TEST

START_TEST(another_address_than_the_triggers_is_refused)
{
    struct bench b;

    set_up(&b);
    add_device(&b, 1);
    int64_t number = queue(&b, "download", "LPA:1$dp.example$ABC", "");
    ck_assert_int_eq(say(&b, poll_message), 0);
    ck_assert_int_eq(say(&b, "BF39{8110000102030405060708090A0B0C0D0E0F 8305{6F74686572}}"),
                     ERR_INPUT);
    ck_assert_int_eq(say(&b, "BF39{8110000102030405060708090A0B0C0D0E0F 83{6F74686572}}"), 0);
    check_answer(&b, "BF3903810132"); /* smdpAddressMismatch */
    ck_assert_int_eq(state_of(&b, number), WORK_FAILED);
    tear_down(&b);
}
END_TEST

/* --- words and JSON --------------------------------------------------------------------------- */

START_TEST(words_become_operations)
{
    static const struct {
        const char *words[8];
        size_t n;
        const char *expected; /* NULL: refused */
    } cases[] = {
        { { "enable", "89012345670123456745", "rollback" },
          3,
          "A010A30E5A0A98103254761032547654 0500" },
        { { "disable", "89012345670123456745", "+", "list" },
          4,
          "A0{A4{5A0A98103254761032547654}BF2D00}" },
        { { "rat" }, 1, "A0{A600}" },
        { { "no-fallback" }, 1, "A0{A900}" },
        { { "immediate-enable", "address", "dp.example" },
          3,
          "A0{A7{8000 82{64702E6578616D706C65}}}" },
        { { "default-dp", "dp.example" }, 2, "A0{BF65{80{64702E6578616D706C65}}}" },
        { { "list", "class", "2", "tags", "5A" }, 5, "A0{BF2D{A0{950102}5C015A}}" },
        { { "delete-eim", "eim1" }, 2, "A108A906800465696D31" },
        { { "list-eims" }, 1, "A102AB00" },
        { { "raw", "A0023000" }, 2, "A0023000" },
        { { "download", "default" }, 2, "A0{8100}" },
        { { "data" }, 1, "" },
        { { "data", "A0A2", "notification", "5", "result", "6" },
          6,
          "5C02A0A2A103800105A203800106" },
        { { "enable" }, 1, NULL },
        { { "enable", "12" }, 2, NULL },
        { { "list", "+", "list-eims" }, 3, NULL },
        { { "data", "+", "data" }, 3, NULL },
        { { "list", "+" }, 2, NULL },
        { { "download", "dp.example" }, 2, NULL },
        { { "sleep" }, 1, NULL },
        { { "default-dp", "dp\xF7" }, 2, NULL },
    };

    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        char *words[8];
        uint8_t expected[256];
        struct lab_error e;
        struct wr out;
        enum work_kind kind;
        for (size_t j = 0; j < cases[i].n; j++)
            words[j] = (char *)(uintptr_t)cases[i].words[j];
        wr_init_heap(&out, ROOM);
        int r = eim_order_read(cases[i].n, words, &kind, &out, &e);
        ck_assert_msg((r == 0) == (cases[i].expected != NULL), "case %zu", i);
        if (r == 0) {
            size_t n = hex(cases[i].expected, expected, sizeof expected);
            ck_assert_msg(out.n == n && (n == 0 || memcmp(out.p, expected, n) == 0), "case %zu", i);
        }
        wr_done(&out);
    }
}
END_TEST

START_TEST(json_binding_says_the_same)
{
    struct wr out;
    uint8_t expected[64];
    cJSON *in = cJSON_Parse("{\"eidValue\":\"89049032123451234512345678901235\","
                            "\"notifyStateChange\":true,\"stateChangeCause\":1}");

    wr_init_heap(&out, ROOM);
    ck_assert_int_eq(esipa_request_from_json("getEimPackage", in, &out), 0);
    size_t n = hex("BF4F{5A10890490321234512345123456789012358000810101}", expected, 64);
    ck_assert_uint_eq(out.n, n);
    ck_assert_mem_eq(out.p, expected, n);
    ck_assert_int_eq(esipa_request_from_json("getEimPackages", in, &out), ERR_INPUT);
    cJSON_Delete(in);
    n = hex(NO_PACKAGE, expected, sizeof expected);
    in = esipa_answer_to_json(rd_of(expected, n));
    const cJSON *code = cJSON_GetObjectItem(in, "eimPackageError");
    ck_assert(cJSON_IsNumber(code) && code->valueint == 1);
    cJSON_Delete(in);
    wr_done(&out);
}
END_TEST

START_TEST(results_are_asked_for_in_the_words_of_the_version)
{
    struct bench b;

    set_up(&b);
    ck_assert_int_eq(eim_results_order(SGP32_V1_2, &b.answer), 0);
    check_answer(&b, "5C01A2");
    wr_clear(&b.answer);
    ck_assert_int_eq(eim_results_order(SGP32_V1_0, &b.answer), 0);
    check_answer(&b, "5C02BF2B A1{8200}");
    tear_down(&b);
}
END_TEST

/* --- compact forms ---------------------------------------------------------------------------- */

static void keep(struct bench *b, const char *column, const char *octets)
{
    struct rd value = exact_copy(octets);

    ck_assert_int_eq(store_put_blob(b->eim->db, eid, column, value), 0);
    exact_free(&value);
}

#define CERTIFICATES "3003020101 3003020102"
#define SESSION      "8001AA 83026470 8402BEEF"
static const struct {
    enum sgp32_version euicc;
    const char *signed1;
} signed_parts[] = {
    { SGP32_V1_0, "30{" SESSION "BF22{8103020301 8402FFFF 0403000001 AF{0403020301}} A0{800161}}" },
    { SGP32_V1_2, "30{" SESSION "BF22{8103020301 8402FFFF 0403000001 AF{0403020301} 900100"
                  "B4{A0{0403010000}}} A0{800161}}" },
};

/* The eUICC of v1.0.1 signed no ipaMode and no iotSpecificInfo. */
START_TEST(what_the_euicc_signed_is_put_together_again)
{
    struct eim_call call = { .device.euicc = signed_parts[_i].euicc };
    struct eim_download d = { .work = 0 };
    struct rd server = exact_copy("30{" SESSION "}");
    struct rd compact = exact_copy("BF38{A2{A0{8402FFFF A2{A0{800161}}} 5F3702ABCD}}");
    char expected[512];
    struct bench b;

    set_up(&b);
    add_device(&b, 1);
    keep(&b, DEVICE_INFO2,
         "BF22{8103020301 84021111 0403000001 AF{0403020301} 900100"
         "B4{A0{0403010000}}}");
    keep(&b, DEVICE_EUICC_CERT, "3003020101");
    keep(&b, DEVICE_EUM_CERT, "3003020102");
    call.eim = b.eim;
    strcpy(call.device.eid, eid);
    wr_init_heap(&d.server_signed1, ROOM);
    wr_put_rd(&d.server_signed1, server);
    ck_assert_int_eq(eim_expand_authenticate(&call, &d, compact, &b.answer), 0);
    snprintf(expected, sizeof expected, "BF38{A0{%s 5F3702ABCD " CERTIFICATES "}}",
             signed_parts[_i].signed1);
    check_answer(&b, expected);
    wr_done(&d.server_signed1);
    exact_free(&server);
    exact_free(&compact);
    tear_down(&b);
}
END_TEST

START_TEST(configuration_has_the_fields_that_an_euicc_takes)
{
    struct bench b;
    struct tlv outer, list, entry, t;
    struct wr der;

    set_up(&b);
    wr_init_heap(&der, ROOM);
    ck_assert_int_eq(eim_config_write(b.c, &b.eim->identity, true, &der), 0);
    struct rd in = wr_view(&der);
    ck_assert_int_eq(tlv_expect(&in, 0xBF57, &outer), 0);
    ck_assert_int_eq(tlv_expect(&outer.value, 0xA0, &list), 0);
    ck_assert_int_eq(tlv_expect(&list.value, 0x30, &entry), 0);
    ck_assert(tlv_find(entry.value, 0x80, &t) && rd_equal(t.value, rd_str("eim1")));
    ck_assert(tlv_find(entry.value, 0x84, &t) && t.value.n == 1 && t.value.p[0] == 0xFF);
    ck_assert(tlv_find(entry.value, 0xA5, &t) && t.value.n == 0x5B - 0);
    ck_assert(tlv_find(entry.value, 0xA6, &t) && t.value.p[0] == 0xA1);
    wr_done(&der);
    tear_down(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("eim");
    TCase *t = tcase_create("eim");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, package_has_the_published_octets);
    tcase_add_test(t, results_verify_as_published);
    tcase_add_test(t, results_are_taken_apart);
    tcase_add_test(t, results_name_an_eim_of_512_octets);
    tcase_add_test(t, poll_is_refused_with_the_code_of_the_fault);
    tcase_add_test(t, what_is_no_message_is_bad_input);
    tcase_add_test(t, work_is_handed_out_again_until_it_is_answered);
    tcase_add_test(t, counter_rises_with_each_package_and_survives_a_restart);
    tcase_add_test(t, state_change_tells_the_version);
    tcase_add_test(t, a_new_device_is_asked_for_its_certificate_and_token_first);
    tcase_add_test(t, result_without_a_certificate_is_kept_but_not_acknowledged);
    tcase_add_test(t, unsigned_answer_in_another_name_ends_the_work_of_its_transaction);
    tcase_add_test(t, replay_has_the_counter_of_the_last_accepted_package);
    tcase_add_loop_test(t, v1_0_is_told_again_what_was_acknowledged_to_its_data, 0, 2);
    tcase_add_test(t, results_of_strangers_are_refused);
    tcase_add_test(t, refusal_of_the_ipa_ends_the_work);
    tcase_add_test(t, v1_0_gets_its_own_empty_answer);
    tcase_add_test(t, download_sessions_that_nobody_began_are_refused);
    tcase_add_test(t, another_address_than_the_triggers_is_refused);
    tcase_add_test(t, words_become_operations);
    tcase_add_test(t, json_binding_says_the_same);
    tcase_add_test(t, results_are_asked_for_in_the_words_of_the_version);
    tcase_add_loop_test(t, what_the_euicc_signed_is_put_together_again, 0, N_ELEMS(signed_parts));
    tcase_add_test(t, configuration_has_the_fields_that_an_euicc_takes);
    suite_add_tcase(s, t);
    return suite_status(s);
}
