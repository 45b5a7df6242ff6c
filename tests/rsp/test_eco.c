/* test_eco.c - eIM Configuration Operations: every code of their results, and the card going from
 * one eIM to another (SGP.32 2.11.1.1.2, 3.5).  Codes that cannot come are in
 * docs/INTERPRETATIONS.md. */
#include <stdio.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/rsp/eim.h"
#include "tests/testlib/suite.h"

#define V1_0 "sgp32_version=1.0.1"

/* "eim1", "eim2" */
#define ID_1  "80{ 65696D31 }"
#define ID_2  "80{ 65696D32 }"
#define KEY_2 EIM_PUBLIC_KEY(EIM_POINT_2)

#define ADD(fields)    "A8{" ID_2 fields "}"
#define DELETE(id)     "A9{" id "}"
#define UPDATE(fields) "AA{" ID_1 fields "}"
#define LIST           "AB00"

/* eIM 1 is associated, with token 1; it sends these, one package. */
static const struct row {
    const char *what, *setting, *list, *answer;
} rows[] = {
    { "add", NULL, ADD("830105" KEY_2), "A8{ 020100 }" },
    { "add with a token", NULL, ADD("830105 8401FF" KEY_2), "A8{ 840102 }" },
    { "add: max_eims", "max_eims=1", ADD("830105" KEY_2), "A8{ 020101 }" },
    { "add twice", NULL, ADD("830105" KEY_2) ADD("830105" KEY_2), "A8{ 020100 } A8{ 020102 }" },
    { "add twice, v1.0", V1_0, ADD("830105" KEY_2) ADD("830105" KEY_2),
      "A8{ 020100 } A8{ 020107 }" },
    { "add: no such CI", NULL, ADD("830105" KEY_2 "8814 0000000000000000000000000000000000000000"),
      "A8{ 020103 }" },
    { "add: token", NULL, ADD("830105 840105" KEY_2), "A8{ 020105 }" },
    { "add: counter", NULL, ADD("830400800000" KEY_2), "A8{ 020106 }" },
    { "add: no key", NULL, ADD("830105"), "A8{ 020107 }" },
    { "add: no counter", NULL, ADD(KEY_2), "A8{ 020107 }" },
    { "add: no eimId", NULL, "A8{ 830105" KEY_2 "}", "A8{ 020107 }" },

    { "delete", NULL, ADD("830105" KEY_2) DELETE(ID_2), "A8{ 020100 } 890100" },
    { "delete: none such", NULL, DELETE(ID_2), "890101" },
    { "delete the last one", NULL, DELETE(ID_1) LIST, "890102 AB{ A000 }" },
    { "delete: no eimId", NULL, "A900", "890107" },

    { "update", NULL, UPDATE("8303000100 8102 6162"), "8A0100" },
    { "update nothing", NULL, UPDATE(""), "8A0100" },
    { "update: none such", NULL, "AA{" ID_2 "}", "8A0101" },
    { "update: no such CI", NULL, UPDATE("8814 0000000000000000000000000000000000000000"),
      "8A0103" },
    { "update: counter back", NULL, UPDATE("830100"), "8A0106" },
    { "update: counter too high", NULL, UPDATE("830400800000"), "8A0106" },
    { "update: counter back, new key", NULL, UPDATE("830100" KEY_2), "8A0100" },
    { "update: no eimId", NULL, "AA{ 830105 }", "8A0107" },

    { "list", NULL, LIST, "AB{ A0{ 30{" ID_1 "} } }" },
    { "list two", NULL, ADD("820102 830105" KEY_2) LIST,
      "A8{ 020100 } AB{ A0{ 30{" ID_1 "} 30{" ID_2 "820102 } } }" },
    { "list two, v1.0", V1_0, ADD("820102 830105" KEY_2) LIST,
      "A8{ 020100 } AB{ A0{ 30{" ID_1 "} 30{" ID_2 "840102 } } }" },

    { "nothing", NULL, "", "" },
    { "unknown", NULL, LIST "AC00" LIST, "AB{ A0{ 30{" ID_1 "} } } 020102" },
    { "a PSMO", NULL, "A600", "020102" },
    { "the first failure is the last", NULL, DELETE(ID_2) LIST, "890101" },
};

struct desk {
    struct bench b;
    struct test_eim one, two;
};

static void open_desk(struct desk *d, const char *setting)
{
    bench_open_set(&d->b, setting);
    test_eim_open(&d->one, &d->b.server, "eim1", EIM_KEY_1);
    test_eim_open(&d->two, &d->b.server, "eim2", EIM_KEY_2);
    test_eim_associate(&d->one, &d->b.card, true);
}

static void close_desk(struct desk *d)
{
    test_eim_close(&d->one);
    test_eim_close(&d->two);
    bench_close(&d->b);
}

static void do_ecos(struct desk *d, struct test_eim *eim, const char *list, const char *answer)
{
    char whole[2048];

    snprintf(whole, sizeof whole, "A1{ %s }", list);
    test_eim_do(eim, &d->b.card, whole, answer);
}

START_TEST(each_operation_answers)
{
    const struct row *row = &rows[_i];
    struct desk d;

    open_desk(&d, row->setting);
    d.b.card.echoes = row->setting != NULL; /* EimIdInfo of v1.0 is not the type's */
    do_ecos(&d, &d.one, row->list, row->answer);
    close_desk(&d);
}
END_TEST

/* --- who may ---------------------------------------------------------------------------------- */

START_TEST(the_card_goes_from_one_eim_to_another)
{
    struct desk d;

    open_desk(&d, NULL);
    do_ecos(&d, &d.one, ADD("830100 8401FF" KEY_2), "A8{ 840102 }");
    d.two.has_token = true;
    d.two.token = 2;
    do_ecos(&d, &d.two, DELETE(ID_1) LIST, "890100 AB{ A0{ 30{" ID_2 "} } }");
    do_ecos(&d, &d.one, LIST, "unsigned");
    card_reset(&d.b.card);
    do_ecos(&d, &d.one, LIST, "unsigned");
    do_ecos(&d, &d.two, LIST, "AB{ A0{ 30{" ID_2 "} } }");
    card_expect(&d.b.card, "BF5702 A000", "BF5703810102");
    close_desk(&d);
}
END_TEST

START_TEST(an_eim_that_deletes_itself_gets_its_result)
{
    struct desk d;

    open_desk(&d, NULL);
    do_ecos(&d, &d.one, DELETE(ID_1), "890102"); /* its signature is checked with the token */
    ck_assert_uint_eq(card_es10_hex(&d.b.card, "BF2B04 A0028200"), 0x9000);
    struct wr kept = message_copy(message_at(wr_view(&d.b.card.data), "BF2B/A2/BF51").whole);
    test_eim_take(&d.one, wr_view(&kept));
    wr_done(&kept);
    do_ecos(&d, &d.one, LIST, "unsigned");
    close_desk(&d);
}
END_TEST

START_TEST(an_eim_that_comes_back_has_another_token)
{
    struct desk d;

    open_desk(&d, NULL);
    test_eim_sign(&d.one, &(struct package_plan){ .list = "A1{" LIST "}" });
    struct wr old = message_copy(wr_view(&d.one.package));
    do_ecos(&d, &d.one, DELETE(ID_1), "890102");
    test_eim_associate(&d.one, &d.b.card, true);
    ck_assert_uint_eq(d.one.token, 2);
    ck_assert_uint_eq(card_es10(&d.b.card, wr_view(&old)), 0x9000);
    wr_clear(&d.one.package);
    wr_put_rd(&d.one.package, wr_view(&old));
    struct package_answer a = test_eim_take(&d.one, wr_view(&d.b.card.data));
    ck_assert(a.arm == ANSWER_UNSIGNED && a.has_token);
    d.one.counter = 0;
    do_ecos(&d, &d.one, LIST, "AB{ A0{ 30{" ID_1 "} } }");
    wr_done(&old);
    close_desk(&d);
}
END_TEST

START_TEST(an_eim_changes_its_own_key_and_counter)
{
    struct desk d;

    open_desk(&d, NULL);
    do_ecos(&d, &d.one, UPDATE("830100" KEY_2), "8A0100");
    do_ecos(&d, &d.one, LIST, "unsigned");
    test_eim_close(&d.two);
    test_eim_open(&d.two, &d.b.server, "eim1", EIM_KEY_2);
    d.two.has_token = true;
    d.two.token = d.one.token;
    do_ecos(&d, &d.two, LIST, "AB{ A0{ 30{" ID_1 "} } }"); /* counter 1 */
    do_ecos(&d, &d.two, UPDATE("830120"), "8A0100");
    do_ecos(&d, &d.two, LIST, "error 4");
    d.two.counter = 0x20;
    do_ecos(&d, &d.two, LIST, "AB{ A0{ 30{" ID_1 "} } }");
    close_desk(&d);
}
END_TEST

START_TEST(two_eims_count_for_themselves)
{
    struct desk d;

    open_desk(&d, NULL);
    do_ecos(&d, &d.one, ADD("830105" KEY_2), "A8{ 020100 }");
    d.two.counter = 4;
    do_ecos(&d, &d.two, DELETE("80{ 6E6F }"), "error 4"); /* 5 is where it begins */
    for (unsigned i = 0; i < 4; i++) {
        do_ecos(&d, &d.one, DELETE("80{ 6E6F }"), "890101");
        do_ecos(&d, &d.two, DELETE("80{ 6E6F }"), "890101");
        d.two.counter--;
        do_ecos(&d, &d.two, DELETE("80{ 6E6F }"), "error 4");
        d.two.counter += i;
    }
    close_desk(&d);
}
END_TEST

START_TEST(one_eims_package_is_not_the_others)
{
    struct desk d;

    open_desk(&d, NULL);
    do_ecos(&d, &d.one, ADD("830100 8401FF" KEY_2), "A8{ 840102 }");
    const struct package_plan stolen = { .list = "A1{" LIST "}",
                                         .signed_change = { "30/80", ID_2 } };
    d.one.token = 2; /* which is no secret */
    test_eim_expect(&d.one, &d.b.card, &stolen, "unsigned");
    close_desk(&d);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("eco");

    suite_loop(&s, each_operation_answers, N_ELEMS(rows));
    suite_add(&s, the_card_goes_from_one_eim_to_another);
    suite_add(&s, an_eim_that_deletes_itself_gets_its_result);
    suite_add(&s, an_eim_that_comes_back_has_another_token);
    suite_add(&s, an_eim_changes_its_own_key_and_counter);
    suite_add(&s, two_eims_count_for_themselves);
    suite_add(&s, one_eims_package_is_not_the_others);
    return suite_run(&s);
}
