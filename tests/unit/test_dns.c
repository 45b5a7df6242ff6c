/* test_dns.c - applets/ipae/dns: questions written, answers believed or not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/dns.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* The question for eim.example.test; its name is at 12, "example.test" at 16, "test" at 24. */
#define NAME                           "03 65696D 07 6578616D706C65 04 74657374 00"
#define ASKED                          NAME " 0001 0001"
#define HEAD(flags, records)           "1234 " flags " 0001 " records " 0000 0000 "
#define ANSWER(records)                HEAD("8180", records) ASKED " "
#define A(owner, ttl, address)         owner " 0001 0001 " ttl " 0004 " address " "
#define CNAME(owner, ttl, len, target) owner " 0005 0001 " ttl " " len " " target " "
#define TTL_60                         "0000003C"

static struct dns_answer answer;

static void query(enum dns_type type, struct wr *out)
{
    ck_assert_int_eq(dns_put_query(out, rd_str("eim.example.test"), type, 0x1234), 0);
}

static enum dns_result read_octets(struct rd message)
{
    uint8_t room[DNS_QUERY_MAX];
    struct wr out;
    struct rd copy = exact_copy_of(message);

    wr_init(&out, room, sizeof room);
    query(DNS_A, &out);
    memset(&answer, 0xA5, sizeof answer);
    enum dns_result result = dns_read(wr_view(&out), copy, &answer);
    exact_free(&copy);
    return result;
}

static enum dns_result read_answer(const char *text)
{
    struct rd message = exact_copy(text);
    enum dns_result result = read_octets(message);

    exact_free(&message);
    return result;
}

START_TEST(the_worked_query)
{
    struct rd expected = exact_copy("1234 0100 0001 0000 0000 0000" ASKED);
    uint8_t room[DNS_QUERY_MAX];
    struct wr out;

    wr_init(&out, room, sizeof room);
    query(DNS_A, &out);
    ck_assert(rd_equal(wr_view(&out), expected));
    wr_init(&out, room, sizeof room);
    ck_assert_int_eq(dns_put_query(&out, rd_str("eim.example.test."), DNS_A, 0x1234), 0);
    ck_assert(rd_equal(wr_view(&out), expected));
    for (size_t n = 0; n < expected.n; n++) {
        wr_init(&out, room, n);
        ck_assert_int_eq(dns_put_query(&out, rd_str("eim.example.test"), DNS_A, 1), ERR_NOMEM);
    }
    exact_free(&expected);
}
END_TEST

START_TEST(names_that_are_none)
{
    static const char *const rows[] = {
        "",     ".",
        "..",   ".a",
        "a..",  "a..b",
        "a b",  "a\n",
        "a/b",  "a:80",
        "\x80", "[2001::1]",
        "*.a",  "0123456789012345678901234567890123456789012345678901234567890123.a",
    };
    char name[300];
    uint8_t room[DNS_QUERY_MAX];
    struct wr out;

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        wr_init(&out, room, sizeof room);
        ck_assert_msg(dns_put_query(&out, rd_str(rows[i]), DNS_A, 1) == ERR_INPUT, "%s", rows[i]);
    }
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 == 0 ? 'a' : '.';
    wr_init(&out, room, sizeof room);
    ck_assert_int_eq(dns_put_query(&out, rd_of(name, 253), DNS_A, 1), 0);
    ck_assert_uint_eq(out.n, DNS_QUERY_MAX);
    wr_init(&out, room, sizeof room);
    ck_assert_int_eq(dns_put_query(&out, rd_of(name, 254), DNS_A, 1), 0);
    wr_init(&out, room, sizeof room);
    ck_assert_int_ne(dns_put_query(&out, rd_of(name, 255), DNS_A, 1), 0);
}
END_TEST

START_TEST(addresses_are_found)
{
    ck_assert_int_eq(read_answer(ANSWER("0001") A("C00C", TTL_60, "C0000201")), DNS_FOUND);
    ck_assert_uint_eq(answer.n, 1);
    ck_assert_uint_eq(answer.address_len, 4);
    ck_assert_mem_eq(answer.address[0], "\xC0\x00\x02\x01", 4);
    ck_assert_uint_eq(answer.ttl, 60);
    /* Not compressed, in capitals, more than fit, the least TTL; what follows is not looked at. */
    ck_assert_int_eq(
        read_answer(
            ANSWER("0005") A("03 45494D 07 4558414D504C45 04 54455354 00", "00000064", "C0000201")
                A("C00C", "00000032", "C0000202") A("03 65696D C010", TTL_60, "C0000203")
                    A("C00C", TTL_60, "C0000204") A("C00C", TTL_60, "C0000205") "FFFFFF"),
        DNS_FOUND);
    ck_assert_uint_eq(answer.n, DNS_ADDRESSES_MAX);
    ck_assert_mem_eq(answer.address[3], "\xC0\x00\x02\x04", 4);
    ck_assert_uint_eq(answer.ttl, 50);
}
END_TEST

START_TEST(addresses_of_version_6_are_found)
{
    struct rd message = exact_copy(HEAD("8180", "0002") NAME " 001C 0001 " A(
        "C00C", TTL_60,
        "C0000201") "C00C 001C 0001 00000001 0010 20010DB8000000000000000000000001");
    uint8_t room[DNS_QUERY_MAX];
    struct wr out;

    wr_init(&out, room, sizeof room);
    query(DNS_AAAA, &out);
    ck_assert_int_eq(dns_read(wr_view(&out), message, &answer), DNS_FOUND);
    ck_assert_uint_eq(answer.n, 1);
    ck_assert_uint_eq(answer.address_len, 16);
    ck_assert_uint_eq(answer.address[0][15], 1);
    exact_free(&message);
}
END_TEST

START_TEST(a_ttl_is_an_hour_at_most)
{
    static const struct {
        const char *text;
        uint32_t ttl;
    } rows[] = {
        { ANSWER("0001") A("C00C", "00000E10", "C0000201"), 3600 },
        { ANSWER("0001") A("C00C", "00000E11", "C0000201"), 3600 },
        { ANSWER("0001") A("C00C", "7FFFFFFF", "C0000201"), 3600 },
        { ANSWER("0001") A("C00C", "80000000", "C0000201"), 0 }, /* RFC 2181 8 */
        { ANSWER("0001") A("C00C", "00000000", "C0000201"), 0 },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        ck_assert_int_eq(read_answer(rows[i].text), DNS_FOUND);
        ck_assert_uint_eq(answer.ttl, rows[i].ttl);
    }
}
END_TEST

START_TEST(aliases_are_followed_within_the_answer)
{
    /* eim -> a.example.test -> b.example.test, the address first */
    ck_assert_int_eq(read_answer(ANSWER("0003") A("01 62 C010", TTL_60, "C0000207")
                                     CNAME("01 61 C010", "0000000A", "0004", "01 62 C010")
                                         CNAME("C00C", "00000014", "0004", "01 61 C010")),
                     DNS_FOUND);
    ck_assert_uint_eq(answer.n, 1);
    ck_assert_uint_eq(answer.ttl, 10);
    /* leads out of the answer */
    ck_assert_int_eq(read_answer(ANSWER("0001") CNAME("C00C", TTL_60, "0004", "01 61 C010")),
                     DNS_NO_ADDRESS);
    /* round and round */
    ck_assert_int_eq(read_answer(ANSWER("0001") CNAME("C00C", TTL_60, "0002", "C00C")), DNS_BROKEN);
    ck_assert_int_eq(read_answer(ANSWER("0002") CNAME("C00C", TTL_60, "0004", "01 61 C010")
                                     CNAME("01 61 C010", TTL_60, "0002", "C00C")),
                     DNS_BROKEN);
}
END_TEST

/* n aliases, then an address. */
static enum dns_result chain(unsigned n)
{
    uint8_t octets[1024];
    struct wr out;
    size_t before = 12;

    wr_init(&out, octets, sizeof octets);
    size_t head = hex(HEAD("8180", "0000") ASKED, octets, sizeof octets);
    octets[7] = (uint8_t)(n + 1);
    out.n = head;
    for (unsigned i = 0; i <= n; i++) {
        uint8_t record[32];
        size_t len = i < n ? hex("C000 0005 0001 0000003C 0004 0161 C010", record, sizeof record)
                           : hex("C000 0001 0001 0000003C 0004 C0000201", record, sizeof record);
        record[1] = (uint8_t)before;
        if (i < n) {
            record[13] = (uint8_t)('a' + i);
            before = out.n + 12;
        }
        record[0] = (uint8_t)(0xC0 | record[0]);
        wr_put(&out, record, len);
    }
    ck_assert_uint_lt(before, 256);
    return read_octets(wr_view(&out));
}

START_TEST(there_are_not_endless_aliases)
{
    ck_assert_int_eq(chain(0), DNS_FOUND);
    ck_assert_int_eq(chain(1), DNS_FOUND);
    ck_assert_int_eq(chain(DNS_ALIASES_MAX), DNS_FOUND);
    ck_assert_int_eq(chain(DNS_ALIASES_MAX + 1), DNS_BROKEN);
}
END_TEST

START_TEST(answers_of_others_are_not_ours)
{
    static const char *const rows[] = {
        "",
        "1235 8180 0001 0001 0000 0000 " ASKED " " A("C00C", TTL_60, "C0000201"),
        "1234 0180 0001 0001 0000 0000 " ASKED " " A("C00C", TTL_60, "C0000201"),
        "1234 9180 0001 0001 0000 0000 " ASKED " " A("C00C", TTL_60, "C0000201"),
        "1234 8180 0000 0001 0000 0000 " ASKED " " A("C00C", TTL_60, "C0000201"),
        "1234 8180 0002 0001 0000 0000 " ASKED " " A("C00C", TTL_60, "C0000201"),
        HEAD("8180", "0001") "03 65696E 07 6578616D706C65 04 74657374 00 0001 0001 " A(
            "C00C", TTL_60, "C0000201"),
        HEAD("8180", "0001") NAME " 001C 0001 " A("C00C", TTL_60, "C0000201"),
        HEAD("8180", "0001") NAME " 0001 0003 " A("C00C", TTL_60, "C0000201"),
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        ck_assert_msg(read_answer(rows[i]) == DNS_NOT_OURS, "%zu", i);
}
END_TEST

START_TEST(a_refusal_is_told_apart)
{
    ck_assert_int_eq(read_answer(HEAD("8183", "0000") ASKED), DNS_NO_NAME);
    ck_assert_int_eq(read_answer(HEAD("8182", "0000") ASKED), DNS_FAILED);
    ck_assert_int_eq(read_answer(HEAD("8185", "0000") ASKED), DNS_FAILED);
    ck_assert_int_eq(read_answer(HEAD("8380", "0001") ASKED), DNS_TRUNCATED);
    ck_assert_int_eq(read_answer(ANSWER("0000")), DNS_NO_ADDRESS);
    /* of another name, another class, another type */
    ck_assert_int_eq(read_answer(ANSWER("0001") A("C010", TTL_60, "C0000201")), DNS_NO_ADDRESS);
    ck_assert_int_eq(read_answer(ANSWER("0001") "C00C 0001 0003 0000003C 0004 C0000201"),
                     DNS_NO_ADDRESS);
    ck_assert_int_eq(read_answer(ANSWER("0001") "C00C 0010 0001 0000003C 0002 0161"),
                     DNS_NO_ADDRESS);
    for (int i = DNS_FOUND; i <= DNS_BROKEN; i++)
        ck_assert_uint_gt(strlen(dns_result_name((enum dns_result)i)), 1);
}
END_TEST

START_TEST(broken_records_are_refused)
{
    static const char *const rows[] = {
        ANSWER("0001"),                                           /* a record is missing */
        ANSWER("0002") A("C00C", TTL_60, "C0000201"),             /* another one is */
        ANSWER("0001") "C00C 0001 0001 0000003C 0003 C00002",     /* three octets of address */
        ANSWER("0001") "C00C 0001 0001 0000003C 0005 C000020100", /* five */
        ANSWER("0001") "C00C 0001 0001 0000003C FFFF C0000201",   /* beyond the end */
        ANSWER("0001") A("C022", TTL_60, "C0000201"),             /* points to itself */
        ANSWER("0001") A("C024", TTL_60, "C0000201"),             /* forwards */
        ANSWER("0001") A("C000", TTL_60, "C0000201"),             /* into the header */
        ANSWER("0001") A("0161 C022", TTL_60, "C0000201"),        /* to its own beginning */
        ANSWER("0001") A("FFFF", TTL_60, "C0000201"),             /* beyond the end */
        ANSWER("0001") A("40 61", TTL_60, "C0000201"),            /* labels of other kinds */
        ANSWER("0001") A("80 61", TTL_60, "C0000201"),
        ANSWER("0001") A("C0", "", ""),
        ANSWER("0001") CNAME("C00C", TTL_60, "0003", "01 61 C010"), /* a name beyond its record */
        ANSWER("0001") CNAME("C00C", TTL_60, "0005", "01 61 C010 00"),
        ANSWER("0001") CNAME("C00C", TTL_60, "0000", ""),
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        ck_assert_msg(read_answer(rows[i]) == DNS_BROKEN, "%zu", i);
}
END_TEST

/* Names that pointers make longer than 255 octets. */
START_TEST(names_are_bounded)
{
    uint8_t octets[600];
    size_t n = hex(ANSWER("0001"), octets, sizeof octets);
    struct wr out;

    wr_init(&out, octets, sizeof octets);
    out.n = n;
    for (unsigned i = 0; i < 5; i++) {
        wr_put_u8(&out, 63);
        memset(wr_reserve(&out, 63), 'a', 63);
    }
    wr_put(&out, "\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4", 15);
    ck_assert_int_eq(read_octets(wr_view(&out)), DNS_BROKEN);
}
END_TEST

#define LONG_ANSWER                                                                                \
    ANSWER("0003")                                                                                 \
    A("01 62 C010", TTL_60, "C0000207")                                                            \
    CNAME("01 61 C010", TTL_60, "0004", "01 62 C010") CNAME("C00C", TTL_60, "0004", "01 61 C010")

START_TEST(what_is_cut_finds_nothing)
{
    struct rd whole = exact_copy(LONG_ANSWER);

    for (size_t n = 0; n < whole.n; n++)
        ck_assert_int_ne(read_octets(rd_of(whole.p, n)), DNS_FOUND);
    ck_assert_int_eq(read_octets(whole), DNS_FOUND);
    exact_free(&whole);
}
END_TEST

START_TEST(a_changed_octet_does_no_harm)
{
    uint8_t octets[256];
    size_t n = hex(LONG_ANSWER, octets, sizeof octets);

    for (size_t bit = 0; bit < 8 * n; bit++) {
        octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (read_octets(rd_of(octets, n)) == DNS_FOUND) {
            ck_assert_uint_ge(answer.n, 1);
            ck_assert_uint_le(answer.n, DNS_ADDRESSES_MAX);
            ck_assert_uint_le(answer.ttl, DNS_TTL_MAX);
        }
        octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dns");
    TCase *tc = tcase_create("dns");

    tcase_add_test(tc, the_worked_query);
    tcase_add_test(tc, names_that_are_none);
    tcase_add_test(tc, addresses_are_found);
    tcase_add_test(tc, addresses_of_version_6_are_found);
    tcase_add_test(tc, a_ttl_is_an_hour_at_most);
    tcase_add_test(tc, aliases_are_followed_within_the_answer);
    tcase_add_test(tc, there_are_not_endless_aliases);
    tcase_add_test(tc, answers_of_others_are_not_ours);
    tcase_add_test(tc, a_refusal_is_told_apart);
    tcase_add_test(tc, broken_records_are_refused);
    tcase_add_test(tc, names_are_bounded);
    tcase_add_test(tc, what_is_cut_finds_nothing);
    tcase_add_test(tc, a_changed_octet_does_no_harm);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
