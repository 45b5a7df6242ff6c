/* test_play.c - lab/play_octets, lab/play_tlv, lab/play_script, lab/play_words: what scripts say,
 * and where they are wrong. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lab/play_script.h"
#include "lab/play_tlv.h"
#include "lab/play_words.h"
#include "lab/report.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static struct play_names names;
static struct play_error error;

static void set_up(void)
{
    static const uint8_t value[] = { 0x01, 0x02 }, number[] = { 0x7F };

    names.n = 0;
    ck_assert(play_names_put(&names, "v", rd_of(value, sizeof value)));
    ck_assert(play_names_put(&names, "id", rd_of((const uint8_t[]){ 0x98, 0xF2 }, 2)));
    ck_assert(play_names_put(&names, "seq", rd_of(number, sizeof number)));
}

static void tear_down(void)
{
    play_names_clear(&names);
}

/* --- octets ---------------------------------------------------------------------------------- */

static const struct {
    const char *text, *want;
} sent[] = {
    { "", "" },
    { "80E2 91 00", "80E29100" },
    { "abCD 'text' {v}", "ABCD746578740102" },
    { "BF31(A0(5A({v})) 81(00))", "BF3109A0045A020102810100" },
    { "5C()", "5C00" },
    { "{seq+1}", "0080" },
    { "{iccid:8900010000000000019}", "980010000000000010F9" },
    { "02 ({v})", NULL }, /* a tag stands directly before its parenthesis */
};

START_TEST(octets_are_read)
{
    struct play_octets_style style = { .plain = false };
    struct wr w;

    wr_init_heap(&w, 4096);
    int r = play_octets_read(sent[_i].text, style, &names, &w, NULL, &error);
    if (sent[_i].want == NULL) {
        ck_assert_int_eq(r, ERR_INPUT);
    } else {
        struct rd want = exact_copy(sent[_i].want);
        ck_assert_msg(r == 0, "%s", error.e.text);
        ck_assert(rd_equal(want, wr_view(&w)));
        exact_free(&want);
    }
    wr_done(&w);
}
END_TEST

static const struct {
    const char *text;
    size_t column; /* from 0 */
} not_sent[] = {
    { "80E", 2 },        { "80 G1", 3 },      { "'text", 0 },        { "5A(01", 0 },
    { "01)", 2 },        { "{none}", 0 },     { "80 {!v}", 3 },      { "{v:3}", 0 },
    { "XX", 0 },         { "...", 0 },        { "BF2E00(9000)", 0 }, { "1F(01)", 0 },
    { "7F8080(01)", 0 }, { "{v", 0 },         { "BF31000005()", 0 }, { "{v+x}", 0 },
    { "00(01)", 0 },     { "{iccid:12}", 0 },
};

START_TEST(what_is_no_octets_is_told_with_its_place)
{
    struct play_octets_style style = { .plain = false };
    struct wr w;

    wr_init_heap(&w, 4096);
    ck_assert_int_eq(play_octets_read(not_sent[_i].text, style, &names, &w, NULL, &error),
                     ERR_INPUT);
    ck_assert_uint_eq((size_t)(error.at - not_sent[_i].text), not_sent[_i].column);
    wr_done(&w);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    struct play_octets_style style = { .plain = false };
    char text[4096] = "";
    struct wr w;

    for (int i = 0; i < PLAY_MAX_NESTING + 1; i++)
        strcat(text, "30(");
    for (int i = 0; i < PLAY_MAX_NESTING + 1; i++)
        strcat(text, ")");
    wr_init_heap(&w, 65536);
    ck_assert_int_eq(play_octets_read(text, style, NULL, &w, NULL, &error), ERR_INPUT);
    wr_done(&w);
}
END_TEST

/* --- what is wanted -------------------------------------------------------------------------- */

static const struct {
    const char *wanted, *answer; /* NULL: mute */
    bool fits;
    size_t first;
} wanted[] = {
    { "9000", "9000", true, 0 },
    { "9000", "9001", false, 1 },
    { "9000", "900000", false, 2 },
    { "9000", "90", false, 1 },
    { "9XX0", "9AB0", true, 0 },
    { "...", "", true, 0 },
    { "... 9000", "9000", true, 0 },
    { "... 9000", "01029000", true, 0 },
    { "01 ... 9000", "019000", true, 0 },
    { "01 ... 01", "01", false, 1 },
    { "01 ... 02 ... 9000", "010301029000", true, 0 },
    { "01 ...", "0102", true, 0 },
    { "*", "ABCD", true, 0 },
    { "mute", NULL, true, 0 },
    { "mute", "9000", false, 0 },
    { "*", NULL, false, 0 },
    { "9001 | 9000", "9000", true, 0 },
    { "{v} 9000", "01029000", true, 0 },
    { "{!v} 9000", "01029000", false, 0 },
    { "00 {!v} 9000", "0001029000", false, 1 },
    { "{!v} 9000", "01039000", true, 0 },
    { "'ab'", "6162", true, 0 },
    { "BF2E(80({v}) 81()) 9000", "BF2E068002010281009000", true, 0 },
    { "BF2E(80(XX02) 81()) 9000", "BF2E0680020102810000", false, 9 },
    { "... 80(01) ... 81({a:1})", "FF80010100810107", true, 0 },
    { "30(80({!v}) 00)", "3005800201020000", false, 4 },
    { "{iccid:8900010000000000019}", "980010000000000010F9", true, 0 },
};

START_TEST(answers_are_compared)
{
    struct rd octets = exact_copy(wanted[_i].answer != NULL ? wanted[_i].answer : "");
    struct play_answer answer = { octets, wanted[_i].answer == NULL };
    struct play_match match;

    ck_assert_int_eq(play_match(wanted[_i].wanted, &answer, &names, &match, &error), 0);
    ck_assert(match.fits == wanted[_i].fits);
    if (!match.fits)
        ck_assert_uint_eq(match.first, wanted[_i].first);
    exact_free(&octets);
}
END_TEST

static const struct {
    const char *text;
    size_t column; /* from 0 */
} not_wanted[] = {
    { "30(80(...) 00)", 3 }, { "30(80(01)", 0 }, { "30(01 | 02)", 0 }, { "30(0)", 4 },
    { "3X(01)", 0 },         { "0 30(01)", 2 },  { "1F(01)", 0 },      { "01)", 2 },
};

START_TEST(what_cannot_be_wanted_is_told_with_its_place)
{
    ck_assert_int_eq(play_wanted_check(not_wanted[_i].text, &error), ERR_INPUT);
    ck_assert_uint_eq((size_t)(error.at - not_wanted[_i].text), not_wanted[_i].column);
}
END_TEST

START_TEST(captures_move_with_the_lengths_before_them)
{
    struct rd octets = exact_copy("30 07 80 02 AABB 81 01 CC"), value;
    struct play_answer answer = { octets, false };
    struct play_match match;

    ck_assert_int_eq(play_match("30(80({two:2}) 81({one:1}))", &answer, &names, &match, &error), 0);
    ck_assert(match.fits);
    ck_assert(play_names_get(&names, "two", &value) && value.n == 2 && value.p[0] == 0xAA);
    ck_assert(play_names_get(&names, "one", &value) && value.n == 1 && value.p[0] == 0xCC);
    exact_free(&octets);
}
END_TEST

START_TEST(captures_stand_where_they_were_found)
{
    struct rd octets = exact_copy("BF2E 0304 05 AA BB CC 9000"), value;
    struct play_answer answer = { octets, false };
    struct play_match match;

    ck_assert_int_eq(
        play_match("BF2E ... 05 {one:1} {rest:2} 9000", &answer, &names, &match, &error), 0);
    ck_assert(match.fits);
    ck_assert(play_names_get(&names, "one", &value) && value.n == 1 && value.p[0] == 0xAA);
    ck_assert(play_names_get(&names, "rest", &value) && value.n == 2 && value.p[1] == 0xCC);
    exact_free(&octets);
}
END_TEST

START_TEST(much_to_compare_comes_to_an_end)
{
    static uint8_t octets[PLAY_VALUE_MAX / 8];
    size_t n = PLAY_VALUE_MAX / 32;
    char *text = malloc(2 * n + 16);
    struct play_answer answer = { rd_of(octets, sizeof octets), false };
    struct play_match match;

    memcpy(text, "...", 3);
    memset(text + 3, '0', 2 * n);
    strcpy(text + 3 + 2 * n, "01...");
    ck_assert_int_eq(play_match(text, &answer, &names, &match, &error), 0);
    ck_assert(!match.fits);
    free(text);
}
END_TEST

START_TEST(status_words_are_compared)
{
    ck_assert_int_eq(play_status_check("9000, 61XX", &error), 0);
    ck_assert(play_status_fits("9000, 61XX", 0x6112));
    ck_assert(play_status_fits("9000,61XX", 0x9000));
    ck_assert(!play_status_fits("9000, 61XX", 0x6A82));
    ck_assert_int_eq(play_status_check("900", &error), ERR_INPUT);
    ck_assert_int_eq(play_status_check("9000 6A82", &error), ERR_INPUT);
    ck_assert_int_eq(play_status_check("", &error), ERR_INPUT);
}
END_TEST

/* --- paths ----------------------------------------------------------------------------------- */

static const char profiles[] = "BF2D 1E A01C E30C 5A0298F1 9F7001 00 9002AABB"
                               "E30C 5A0298F2 9F7001 01 9002CCDD";

static const struct {
    const char *predicate;
    bool holds;
} predicates[] = {
    { "BF2D/A0/E3 count 2", true },
    { "BF2D/A0/E3/5A == 98F2", true },
    { "BF2D/A0/E3[0]/5A == 98F2", false },
    { "BF2D/A0/E3[1]/5A == 98F2", true },
    { "BF2D/A0/E3(5A=98F2)/9F70 == 01", true },
    { "BF2D/A0/E3(5A=98F1)/9F70 is disabled", true },
    { "BF2D/A0/E3(5A=98F2)/9F70 is disabled", false },
    { "BF2D/A0/E3(5A={id})/9F70 is enabled", true },
    { "BF2D/A0/E3(5A={v}) exists", false },
    { "BF2D/A0/E3(5A=98F3) exists", false },
    { "BF2D/A0/E3(5A=98F3) absent", true },
    { "BF2D/A0/*/5A every 98FX", true },
    { "BF2D/A0/E3/5A every 98F1", false },
    { "BF2D/A0/E3/5A != 98F3", true },
    { "BF2D/A0/E3/5A != 98F1", false },
    { "BF2D/A0/E3[1]/9F70 < 2", true },
    { "BF2D/A0/E3[1]/9F70 > 1", false },
    { "BF2E exists", false },
};

START_TEST(predicates_hold_or_not)
{
    struct rd in = exact_copy(profiles);
    struct play_verdict verdict;

    ck_assert_int_eq(play_predicate(predicates[_i].predicate, in, &names, &verdict, &error), 0);
    ck_assert_msg(verdict.holds == predicates[_i].holds, "%s", predicates[_i].predicate);
    exact_free(&in);
}
END_TEST

static const char *const no_predicates[] = {
    "",
    "BF2D",
    "BF2D is",
    "BF2D/",
    "B exists",
    "BF2D exists now",
    "5A[ count 1",
    "5A count x",
    "E3(5A exists",
    "E3(5A=1) exists",
    "E3(5A={) exists",
    "E3(5A={}) exists",
    "E3(5A={v)} exists",
    "5A ~ 01",
    "1/2/3/4 exists",
    "00 exists",
    "BF31/80 is invalidSignature", /* of another function */
    "BF31/80 is unknown",
    "BF2E/80 is ok",
};

START_TEST(what_is_no_predicate_is_refused)
{
    ck_assert_int_eq(play_predicate_check(no_predicates[_i], &error), ERR_INPUT);
}
END_TEST

START_TEST(codes_in_package_results_have_names)
{
    static const uint32_t enable[] = { 0xBF51, 0xA0, 0x30, 0x30, 0x83 };
    static const uint32_t failed[] = { 0xBF51, 0xA1, 0x30, 0x02 };

    ck_assert_str_eq(play_code_name(enable, N_ELEMS(enable), 1), "iccidOrAidNotFound");
    ck_assert_str_eq(play_code_name(failed, N_ELEMS(failed), 4), "replayError");
}
END_TEST

/* --- scripts --------------------------------------------------------------------------------- */

static int read(const char *text, struct play_script *ret, struct lab_error *e)
{
    return play_script_read_text("t.sct", rd_str(text), ret, e);
}

static const struct {
    const char *text, *begins; /* of the message */
} wrong[] = {
    { "CMD 00A40\n", "t.sct:1:9: half an octet" },
    { "RST\n  CMD 00A4 (90)\n", "t.sct:2:15: a status word" },
    { "RST\nCMD 00A4 [00 (9000)\n", "t.sct:2:10: no ]" },
    { "# one\n\nfetchit 3\n", "t.sct:3:1: no such statement" },
    { "defer 3\n", "t.sct:1:1: no such statement" },
    { "expect BF2D/A0 equals 3\n", "t.sct:1:16: one of exists" },
    { "es10 BF2E00 (9000\n", "t.sct:1:13: no )" },
    { "< 9000\n", "t.sct:1:1: an answer to nothing" },
    { "es10 BF2E00\nmark\n< BF2E\n", "t.sct:3:1: an answer to nothing" },
    { "repeat 3\nreset\n", "t.sct:1:1: no end" },
    { "end\n", "t.sct:1:1: an end of nothing" },
    { "let 1 = 00\n", "t.sct:1:5: a variable" },
    { "skip it\n", "t.sct:1:6: because" },
    { "provenance X\n", "t.sct:1:12: S (a source)" },
    { "CMD 00A4 \\\n 040\n", "t.sct:2:4: half" },
    { "include nowhere.sct\n", "t.sct:1:9: nowhere.sct: No such file" },
    { "cut-after many\n", "t.sct:1:11: a number" },
    { "", "t.sct:1:1: a case without a statement" },
    { "REM nothing\nexit\n", "t.sct:1:1: a case without" },
    { "reset\ncase A\nreset\ncase B\nref SGP.22\n", "t.sct:4:6: a case without" },
    { "case A\nreset\ncase AB\nreset\ncase A again\nreset\n", "t.sct:5:6: there is a case A" },
    { "\xEF\xBB\xBF"
      "fetchit\n",
      "t.sct:1:1: no such statement: fetchit" },
};

START_TEST(mistakes_are_told_with_line_and_column)
{
    struct play_script script;
    struct lab_error e;

    ck_assert_int_eq(read(wrong[_i].text, &script, &e), ERR_INPUT);
    ck_assert_msg(strncmp(e.text, wrong[_i].begins, strlen(wrong[_i].begins)) == 0, "%s, not %s",
                  e.text, wrong[_i].begins);
}
END_TEST

START_TEST(annex_b_is_read_as_it_is)
{
    static const char text[] = "REM [selection] of 3F00, it's a remark\n"
                               "RST\n"
                               "INI FF FF FF\n    7F 9D\n"
                               "CMD A0 A4 00 00 02\n    3F 00\n    (9F XX, 6A82)\n"
                               "CMD A0 C0 00 00 02 [00 XX\n  01 02] (9000)\n"
                               "SWI\n9FXX:\nCMD A0 F2 00 00 16 (9000)\n6AXX:\nCMD 00A4\nRST\n"
                               "OFF\n";
    static const enum play_verb verbs[] = {
        PLAY_NOTE,      PLAY_RESET, PLAY_TERMINAL_PROFILE, PLAY_APDU, PLAY_APDU, PLAY_SWITCH,
        PLAY_APDU,      PLAY_END,   PLAY_SWITCH,           PLAY_APDU, PLAY_END,  PLAY_RESET,
        PLAY_POWER_OFF,
    };
    struct play_script script;
    struct lab_error e;

    ck_assert_msg(read(text, &script, &e) == 0, "%s", e.text);
    ck_assert_uint_eq(script.n, 1);
    const struct play_steps *steps = &script.cases[0].steps;
    ck_assert_uint_eq(steps->n, N_ELEMS(verbs));
    for (size_t i = 0; i < steps->n; i++)
        ck_assert_int_eq(steps->at[i].verb, verbs[i]);
    ck_assert_str_eq(steps->at[3].arguments[2], "9F XX, 6A82");
    ck_assert_uint_eq(steps->at[5].block, 7);
    play_script_free(&script);
}
END_TEST

START_TEST(cases_carry_what_is_said_of_them)
{
    static const char text[] = "needs O_E_NIST\nprovenance D by us\nsection one\n"
                               "case A-1 the first\nprovenance S x\nreset\n"
                               "section two\ncase A-2\nneeds !O_E_MEP\nskip because of it\n";
    struct play_script script;
    struct lab_error e;

    ck_assert_msg(read(text, &script, &e) == 0, "%s", e.text);
    ck_assert_uint_eq(script.n, 2);
    ck_assert_str_eq(script.cases[0].id, "A-1");
    ck_assert_str_eq(script.cases[0].title, "the first");
    ck_assert_str_eq(script.cases[0].section, "one");
    ck_assert_str_eq(script.cases[0].provenance, "S x");
    ck_assert_str_eq(script.cases[1].section, "two");
    ck_assert_str_eq(script.cases[1].provenance, "D by us");
    ck_assert_str_eq(script.cases[1].skip, "of it");
    ck_assert_uint_eq(script.cases[1].needs.n, 1);
    play_script_free(&script);
}
END_TEST

START_TEST(parts_of_either_follow_each_other)
{
    static const char text[] = "either\nreset\nor\nrepeat 2\nreset\nend\nor\nfetch\nend\n";
    static const size_t blocks[][2] = { { 0, 2 }, { 2, 6 }, { 3, 5 }, { 6, 8 } };
    struct play_script script;
    struct lab_error e;

    ck_assert_msg(read(text, &script, &e) == 0, "%s", e.text);
    const struct play_steps *steps = &script.cases[0].steps;
    ck_assert_uint_eq(steps->n, 9);
    for (size_t i = 0; i < N_ELEMS(blocks); i++)
        ck_assert_uint_eq(steps->at[blocks[i][0]].block, blocks[i][1]);
    ck_assert_int_eq(steps->at[8].verb, PLAY_END);
    play_script_free(&script);
}
END_TEST

START_TEST(words_hold_what_variables_do)
{
    static const char text[] = "  a=x  {v}{seq+1} k={v} ";
    struct wr octets;

    struct play_arguments *w = play_arguments_read(text, &names, &error);
    ck_assert_ptr_nonnull(w);
    ck_assert_uint_eq(w->n, 3);
    ck_assert_str_eq(play_word_value(w->at[0], "a"), "x");
    ck_assert_ptr_null(play_word_value(w->at[0], "k"));
    ck_assert_str_eq(w->at[1], "01020080");
    ck_assert_str_eq(play_word_value(w->at[2], "k"), "0102");
    ck_assert_ptr_eq(w->where[1], text + 7);
    wr_init_heap(&octets, 64);
    ck_assert_int_eq(play_words_octets(w, 1, 2, &octets, &error), 0);
    ck_assert_uint_eq(octets.n, 4);
    ck_assert_int_eq(play_word_octets(w, 1, 3, &octets, &error), ERR_INPUT);
    ck_assert_int_eq(play_word_octets(w, 3, 0, &octets, &error), ERR_INPUT);
    ck_assert_int_eq(play_word_octets(w, 0, 0, &octets, &error), ERR_INPUT);
    wr_done(&octets);
    play_arguments_free(w);
    ck_assert_ptr_null(play_arguments_read("{none}", &names, &error));
}
END_TEST

START_TEST(words_are_bounded)
{
    char text[4 * PLAY_MAX_WORDS] = "";

    for (size_t i = 0; i < PLAY_MAX_WORDS; i++)
        strcat(text, "a ");
    ck_assert_ptr_null(play_arguments_read(text, &names, &error));
}
END_TEST

static void count_code(void *ctx, enum code_list list, uint64_t code)
{
    size_t *found = ctx;

    found[list] += 1 + code;
}

START_TEST(codes_are_found_wherever_they_stand)
{
    struct rd in = exact_copy("BF2B 24 A0 22"
                              "BF37 0D BF27 0A A2 08 A1 06 800105 810108"
                              "BF51 0F A0 0D 30 0B 30 03 830103 30 04 02 02 0003");
    size_t found[CODES_ESIPA_CANCEL + 1] = { 0 };

    play_codes_in(in, count_code, found);
    ck_assert_uint_eq(found[CODES_BPP_COMMAND], 1 + 5);
    ck_assert_uint_eq(found[CODES_ERROR_REASON], 1 + 8);
    ck_assert_uint_eq(found[CODES_ENABLE], 1 + 3);
    exact_free(&in);
}
END_TEST

/* Each prefix of a script is read or refused, and nothing else. */
START_TEST(any_prefix_of_a_script_does_no_harm)
{
    static const char text[] = "# new: --set a=b\nsection s\ncase C t\nrepeat 2\nSWI 9000:\n"
                               "CMD 00A4 [01 XX] (9000)\nend\nes10 BF2D(5C(5A)) (9000)\n"
                               "< BF2D {a:2} ... | mute\nend\nlet x = {a} 'b'\n"
                               "expect BF2D/A0/E3(5A=98)/9F70[1] == XX\ntake y A0/5A\n"
                               "either\nexpect {x} 5A exists\nor\nfetch\nend\n"
                               "respond 20 01 / B5(0100)\nload alter=1 {x}\nterminal seconds=1\n"
                               "serve status=500 BF4F00\nwait 5\ncut-each\nverify-prepare {x}\n"
                               "exit\nnobody reads this\n";
    struct play_script script;
    struct lab_error e;

    for (size_t n = 0; n < sizeof text; n++) {
        struct rd prefix = exact_copy_of(rd_of(text, n));
        if (play_script_read_text("t", prefix, &script, &e) == 0)
            play_script_free(&script);
        exact_free(&prefix);
    }
}
END_TEST

START_TEST(tlvs_are_decoded_for_reports)
{
    struct report_lines *lines = malloc(sizeof *lines);
    struct rd in = exact_copy("BF2D 05 A003 5A01AA 0C0141 9000");

    report_decode_octets(in, lines);
    ck_assert_uint_eq(lines->n, 5);
    ck_assert_str_eq(lines->at[0].text, "BF2D ProfileInfoList [5]");
    ck_assert_uint_eq(lines->at[2].depth, 2);
    ck_assert_uint_eq(lines->at[2].from, 5);
    ck_assert_str_eq(lines->at[3].text, "0C [1] 41");
    ck_assert_str_eq(lines->at[4].text, "status word 9000");
    exact_free(&in);
    report_decode_octets(rd_str("none"), lines); /* what the back door answers */
    ck_assert_str_eq(lines->at[0].text, "6E6F6E65  \"none\"");
    free(lines);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("play");
    TCase *cases = tcase_create("play");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, octets_are_read, 0, N_ELEMS(sent));
    tcase_add_loop_test(cases, what_is_no_octets_is_told_with_its_place, 0, N_ELEMS(not_sent));
    tcase_add_test(cases, nesting_is_bounded);
    tcase_add_loop_test(cases, answers_are_compared, 0, N_ELEMS(wanted));
    tcase_add_loop_test(cases, what_cannot_be_wanted_is_told_with_its_place, 0,
                        N_ELEMS(not_wanted));
    tcase_add_test(cases, captures_stand_where_they_were_found);
    tcase_add_test(cases, captures_move_with_the_lengths_before_them);
    tcase_add_test(cases, much_to_compare_comes_to_an_end);
    tcase_add_test(cases, status_words_are_compared);
    tcase_add_loop_test(cases, predicates_hold_or_not, 0, N_ELEMS(predicates));
    tcase_add_loop_test(cases, what_is_no_predicate_is_refused, 0, N_ELEMS(no_predicates));
    tcase_add_test(cases, codes_in_package_results_have_names);
    tcase_add_loop_test(cases, mistakes_are_told_with_line_and_column, 0, N_ELEMS(wrong));
    tcase_add_test(cases, annex_b_is_read_as_it_is);
    tcase_add_test(cases, cases_carry_what_is_said_of_them);
    tcase_add_test(cases, parts_of_either_follow_each_other);
    tcase_add_test(cases, words_hold_what_variables_do);
    tcase_add_test(cases, words_are_bounded);
    tcase_add_test(cases, codes_are_found_wherever_they_stand);
    tcase_add_test(cases, any_prefix_of_a_script_does_no_harm);
    tcase_add_test(cases, tlvs_are_decoded_for_reports);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
