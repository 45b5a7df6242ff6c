/* test_access.c - os/access: which EF.ARR, which rule, and whether its condition holds. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "card/sw.h"
#include "os/access.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static const struct trace no_trace;

/* MF { 2F06, 2F00, TELECOM { 6F06, 6F3A }, USIM { 6F06, 6F07, 5GS { 4F01 } } } */
enum { MF, MF_ARR, DIR, TELECOM, TELECOM_ARR, ADN, USIM, USIM_ARR, IMSI, DF_5GS, SUCI, N_NODES };
enum { RECORD_LEN = 64, RECORDS = 3, PIN_1 = 0x01, UNIVERSAL = 0x11, PIN_2 = 0x81, ADM = 0x0A };

#define ALW  "90 00 "
#define NEV  "97 00 "
#define PIN1 "A4 06 83 01 01 95 01 08 "
#define PIN2 "A4 06 83 01 81 95 01 08 "
#define ADM1 "A4 06 83 01 0A 95 01 08 "
#define UNIV "A4 06 83 01 11 95 01 08 "

static struct nvm *nvm;
static struct fs fs;
static struct pin_status status;
static struct access_context context;

static const struct fs_node nodes[N_NODES] = {
    [MF] = { .fid = FID_MF, .kind = FS_KIND_MF, .arr_fid = 0x2F06, .arr_record = 1 },
    [MF_ARR] = { .fid = 0x2F06, .kind = FS_KIND_LINEAR, .arr_fid = 0x2F06, .arr_record = 1 },
    [DIR] = { .fid = 0x2F00, .kind = FS_KIND_TRANSPARENT, .arr_fid = 0x2F06, .arr_record = 1 },
    [TELECOM] = { .fid = 0x7F10, .kind = FS_KIND_DF, .arr_fid = 0x2F06, .arr_record = 1 },
    [TELECOM_ARR] = { .fid = 0x6F06, .parent = TELECOM, .kind = FS_KIND_LINEAR },
    [ADN] = { .fid = 0x6F3A,
              .parent = TELECOM,
              .kind = FS_KIND_TRANSPARENT,
              .arr_fid = 0x6F06,
              .arr_record = 1 },
    [USIM] = { .fid = 0x7FD0, .kind = FS_KIND_ADF, .arr_fid = 0x2F06, .arr_record = 2 },
    [USIM_ARR] = { .fid = 0x6F06, .parent = USIM, .kind = FS_KIND_LINEAR },
    [IMSI] = { .fid = 0x6F07,
               .parent = USIM,
               .kind = FS_KIND_TRANSPARENT,
               .arr_fid = 0x6F06,
               .arr_record = 1 },
    [DF_5GS] = { .fid = 0x5FC0,
                 .parent = USIM,
                 .kind = FS_KIND_DF,
                 .arr_fid = 0x6F06,
                 .arr_record = 3 },
    [SUCI] = { .fid = 0x4F01,
               .parent = DF_5GS,
               .kind = FS_KIND_TRANSPARENT,
               .arr_fid = 0x6F06,
               .arr_record = 2 },
};

static void set_up(void)
{
    uint16_t node;

    memset(&status, 0, sizeof status);
    nvm = nvm_open_memory(&no_trace);
    fs_init(&fs, 0x10);
    for (size_t i = 0; i < N_NODES; i++) {
        struct fs_node n = nodes[i];
        if (n.kind == FS_KIND_LINEAR) {
            n.record_len = RECORD_LEN;
            n.size = RECORD_LEN * RECORDS;
        }
        ck_assert_int_eq(fs_add(&fs, &n, &node), 0);
    }
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    context =
        (struct access_context){ .fs = &fs, .nvm = nvm, .pins = &status, .prefix = fs.prefix };
}

static void tear_down(void)
{
    fs_done(&fs);
    nvm_close(&nvm);
}

/* Writes a rule, padded with FF. */
static void rule(uint16_t arr, unsigned record, const char *text)
{
    uint8_t octets[RECORD_LEN];

    memset(octets, 0xFF, sizeof octets);
    hex(text, octets, sizeof octets);
    ck_assert_int_eq(fs_write_record(&fs, nvm, arr, record, rd_of(octets, sizeof octets)), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
}

static void make_pin(uint16_t node, uint8_t reference, uint8_t attributes)
{
    struct pin pin = { .reference = reference,
                       .context = node,
                       .value = "12345678",
                       .attributes = attributes,
                       .max = 3 };

    ck_assert_int_eq(pin_store(nvm, fs.prefix, &pin, 3), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
}

static void verify(uint16_t node, uint8_t reference)
{
    status.verified[status.n].context = node;
    status.verified[status.n].reference = reference;
    status.n++;
}

static bool may(uint16_t node, unsigned mode)
{
    int result = access_check(&context, node, mode);

    ck_assert(result == 0 || result == SW_SECURITY_STATUS);
    return result == 0;
}

/* Is EF.IMSI readable under this rule? */
static bool readable(const char *text)
{
    rule(USIM_ARR, 1, text);
    return may(IMSI, ACCESS_READ);
}

/* --- which record --- */

START_TEST(files_have_the_rules_of_the_nearest_arr_up_to_their_adf)
{
    rule(MF_ARR, 1, "80 01 01" ALW);
    rule(MF_ARR, 2, "80 01 02" ALW);
    rule(TELECOM_ARR, 1, "80 01 08" ALW);
    rule(USIM_ARR, 1, "80 01 10" ALW);
    rule(USIM_ARR, 2, "80 01 20" ALW);
    rule(USIM_ARR, 3, "80 01 40" ALW);
    ck_assert(may(MF, ACCESS_DF_DELETE_CHILD) && !may(MF, ACCESS_DF_CREATE_EF));
    ck_assert(may(DIR, ACCESS_READ) && !may(DIR, ACCESS_UPDATE));
    ck_assert(may(MF_ARR, ACCESS_READ));
    ck_assert(may(TELECOM, ACCESS_DF_DELETE_CHILD) && !may(TELECOM, ACCESS_DEACTIVATE));
    ck_assert(may(ADN, ACCESS_DEACTIVATE) && !may(ADN, ACCESS_READ));
    ck_assert(may(USIM, ACCESS_DF_CREATE_EF) && !may(USIM, ACCESS_DF_DELETE_CHILD));
    ck_assert(may(IMSI, ACCESS_ACTIVATE) && !may(IMSI, ACCESS_TERMINATE));
    ck_assert(may(SUCI, ACCESS_TERMINATE) && !may(SUCI, ACCESS_ACTIVATE));
    ck_assert(may(DF_5GS, ACCESS_DELETE) && !may(DF_5GS, ACCESS_TERMINATE));
}
END_TEST

START_TEST(the_search_ends_at_the_adf)
{
    struct fs_node n = { .fid = 0x6F06, .kind = FS_KIND_LINEAR, .record_len = 8, .size = 8 };
    uint16_t arr;

    ck_assert_int_eq(fs_delete(&fs, nvm, USIM_ARR), 0);
    ck_assert_int_eq(fs_add(&fs, &n, &arr), 0); /* 6F06 below the MF is for others */
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    ck_assert_int_eq(fs_write(&fs, nvm, arr, 0, rd_of("\x80\x01\x7F\x90\x00", 5)), 0);
    ck_assert(!may(IMSI, ACCESS_READ));
    ck_assert(!may(SUCI, ACCESS_READ));
    fs.nodes[USIM].arr_fid = 0x6F06;
    fs.nodes[USIM].arr_record = 1;
    ck_assert(may(USIM, ACCESS_DELETE));
    ck_assert_int_eq(fs_delete(&fs, nvm, TELECOM_ARR), 0);
    ck_assert(may(ADN, ACCESS_READ)); /* DF.TELECOM belongs to no ADF */
}
END_TEST

START_TEST(without_a_rule_nothing_is_allowed)
{
    rule(USIM_ARR, 1, "80 01 7F" ALW);
    ck_assert(may(IMSI, ACCESS_READ));
    fs.nodes[IMSI].arr_record = 0;
    ck_assert(!may(IMSI, ACCESS_READ));
    fs.nodes[IMSI].arr_record = RECORDS + 1;
    ck_assert(!may(IMSI, ACCESS_READ));
    fs.nodes[IMSI].arr_record = 0xFF;
    ck_assert(!may(IMSI, ACCESS_READ));
    fs.nodes[IMSI].arr_record = 2; /* all FF */
    ck_assert(!may(IMSI, ACCESS_READ));
    fs.nodes[IMSI].arr_record = 1;
    fs.nodes[IMSI].arr_fid = 0x6F07; /* no EF with records */
    ck_assert(!may(IMSI, ACCESS_READ));
    fs.nodes[IMSI].arr_fid = 0x2F06;
    ck_assert_int_eq(fs_delete(&fs, nvm, MF_ARR), 0);
    ck_assert(!may(IMSI, ACCESS_READ));
}
END_TEST

/* --- security environments ---------------------------------------------------------------- */

static int refer(const char *text, struct fs_node *ret)
{
    struct rd reference = exact_copy(text);
    int result = access_parse_reference(reference, ret);

    exact_free(&reference);
    return result;
}

START_TEST(references_name_a_record_for_each_environment)
{
    static const struct {
        const char *text;
        uint16_t fid;
        uint8_t record, se00;
    } good[] = {
        { "2F06 03", 0x2F06, 3, 0 },
        { "6F06 0104", 0x6F06, 4, 0 },
        { "6F06 0104 0005", 0x6F06, 4, 5 },
        { "6F06 0005 0104", 0x6F06, 4, 5 },
        { "6F06 0005", 0x6F06, 0, 5 },
        { "6F06 0207 0104 FF08", 0x6F06, 4, 0 }, /* others are not in force, ever */
        { "6F06 0104 0105", 0x6F06, 4, 0 },      /* the first */
    };
    static const char *const bad[] = { "", "2F", "2F06", "2F06 0104 00", "2F06 0104 0005 01" };
    struct fs_node n = { .arr_fid = 0x1234, .arr_record_se00 = 9 };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(refer(bad[i], &n), ERR_INPUT);
    ck_assert_uint_eq(n.arr_fid, 0x1234);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(refer(good[i].text, &n), 0);
        ck_assert_uint_eq(n.arr_fid, good[i].fid);
        ck_assert_uint_eq(n.arr_record, good[i].record);
        ck_assert_uint_eq(n.arr_record_se00, good[i].se00);
    }
}
END_TEST

START_TEST(environment_00_is_in_force_while_the_applications_pin_is_disabled)
{
    fs.nodes[USIM].pins[0] = ADM;
    fs.nodes[USIM].pins[1] = PIN_1;
    fs.nodes[USIM].n_pins = 2;
    ck_assert_uint_eq(access_application_pin(&fs.nodes[USIM]), PIN_1);
    ck_assert_uint_eq(access_application_pin(&fs.nodes[MF]), 0);
    rule(USIM_ARR, 1, "80 01 01" ALW);
    rule(USIM_ARR, 2, "80 01 02" ALW);
    fs.nodes[IMSI].arr_record_se00 = 2;
    ck_assert(may(IMSI, ACCESS_READ) && !may(IMSI, ACCESS_UPDATE)); /* no such PIN */
    make_pin(MF, PIN_1, PIN_ENABLED);
    ck_assert(may(IMSI, ACCESS_READ) && !may(IMSI, ACCESS_UPDATE));
    make_pin(MF, PIN_1, 0);
    ck_assert(!may(IMSI, ACCESS_READ) && may(IMSI, ACCESS_UPDATE));
    fs.nodes[IMSI].arr_record_se00 = 0; /* one record for both */
    ck_assert(may(IMSI, ACCESS_READ) && !may(IMSI, ACCESS_UPDATE));
    fs.nodes[IMSI].arr_record_se00 = 2;
    fs.nodes[IMSI].arr_record = 0; /* none for 01 */
    ck_assert(may(IMSI, ACCESS_UPDATE));
    make_pin(MF, PIN_1, PIN_ENABLED);
    ck_assert(!may(IMSI, ACCESS_READ) && !may(IMSI, ACCESS_UPDATE));
}
END_TEST

START_TEST(a_replaced_pin_keeps_environment_01)
{
    struct pin pin = { .reference = PIN_1, .attributes = PIN_ENABLED, .max = 3, .replaced = true };

    fs.nodes[USIM].pins[0] = PIN_1;
    fs.nodes[USIM].n_pins = 1;
    rule(USIM_ARR, 1, "80 01 01" ALW);
    rule(USIM_ARR, 2, "80 01 02" ALW);
    fs.nodes[IMSI].arr_record_se00 = 2;
    ck_assert_int_eq(pin_store(nvm, fs.prefix, &pin, 3), 0);
    ck_assert(may(IMSI, ACCESS_READ) && !may(IMSI, ACCESS_UPDATE));
}
END_TEST

/* --- the reader --------------------------------------------------------------------------- */

START_TEST(a_record_is_walked_rule_by_rule)
{
    struct rd whole = exact_copy("9000 80 01 85 9000 97 00 85 04 0032 80D4 A0 0A" PIN1
                                 "9E 01 9C 01 01 FFFF 80 01 01");
    struct rd record = whole;
    struct access_condition c;
    struct access_rule r;
    uint8_t ins;

    ck_assert(access_next_rule(&record, &r)); /* what stands before it is nobody's */
    ck_assert_uint_eq(access_rule_bits(&r), 0x05);
    ck_assert(!access_rule_ins(&r, 0, &ins));
    ck_assert(access_next_condition(&r.conditions, &c) && c.sort == ACCESS_ALWAYS);
    ck_assert(access_next_condition(&r.conditions, &c) && c.sort == ACCESS_NEVER);
    ck_assert(!access_next_condition(&r.conditions, &c));

    ck_assert(access_next_rule(&record, &r)); /* 85: INS and P2 */
    ck_assert_uint_eq(access_rule_bits(&r), 0);
    ck_assert(access_rule_ins(&r, 0, &ins) && ins == 0x00);
    ck_assert(access_rule_ins(&r, 1, &ins) && ins == 0x80);
    ck_assert(!access_rule_ins(&r, 2, &ins));
    ck_assert(access_next_condition(&r.conditions, &c) && c.sort == ACCESS_ANY_OF);
    struct rd any = c.list;
    ck_assert(access_next_condition(&any, &c) && c.sort == ACCESS_PIN && c.reference == PIN_1);
    ck_assert(access_next_condition(&any, &c) && c.sort == ACCESS_UNKNOWN); /* cut off */
    ck_assert(!access_next_condition(&any, &c));

    ck_assert(access_next_rule(&record, &r)); /* proprietary, and no condition */
    ck_assert(access_rule_bits(&r) == 0 && !access_rule_ins(&r, 0, &ins));
    ck_assert_uint_eq(r.conditions.n, 0);
    ck_assert(!access_next_rule(&record, &r)); /* padding */
    exact_free(&whole);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_a_bug_and_an_unreadable_rule_a_fault)
{
    ck_assert_int_eq(access_check(&context, N_NODES, ACCESS_READ), ERR_BUG);
    ck_assert_int_eq(access_check(&context, FS_NONE, ACCESS_READ), ERR_BUG);
    ck_assert_int_eq(nvm_del(nvm, "isdp/0010/body/0007"), 0);
    ck_assert_int_eq(access_check(&context, IMSI, ACCESS_READ), ERR_NVM);
    rule(MF_ARR, 1, "80 01 01" PIN1);
    ck_assert_int_eq(nvm_put(nvm, "isdp/0010/pin/0000-01", rd_str("damaged")), 0);
    ck_assert_int_eq(access_check(&context, DIR, ACCESS_READ), ERR_NVM);
    ck_assert_int_eq(fs_delete(&fs, nvm, ADN), 0);
    ck_assert_int_eq(access_check(&context, ADN, ACCESS_READ), ERR_BUG);
}
END_TEST

/* --- which rule --- */

START_TEST(the_first_rule_for_the_access_decides)
{
    rule(USIM_ARR, 1, "80 01 01" ALW "80 01 03" NEV "80 01 02" ALW);
    ck_assert(may(IMSI, ACCESS_READ));
    ck_assert(!may(IMSI, ACCESS_UPDATE));
    ck_assert(!may(IMSI, ACCESS_DELETE));
    rule(USIM_ARR, 1, "80 01 03" NEV "80 01 01" ALW);
    ck_assert(!may(IMSI, ACCESS_READ));
    rule(USIM_ARR, 1, "80 01 01 80 01 01" ALW); /* the first one has no condition */
    ck_assert(!may(IMSI, ACCESS_READ));
}
END_TEST

START_TEST(several_conditions_of_a_rule_are_alternatives)
{
    make_pin(MF, PIN_1, PIN_ENABLED);
    ck_assert(readable("80 01 01" PIN1 ALW));
    ck_assert(readable("80 01 01" NEV ALW));
    ck_assert(!readable("80 01 01" NEV PIN1));
}
END_TEST

START_TEST(each_bit_of_an_access_mode_is_one_access)
{
    static const unsigned modes[] = { ACCESS_READ,       ACCESS_UPDATE,   ACCESS_DF_CREATE_DF,
                                      ACCESS_DEACTIVATE, ACCESS_ACTIVATE, ACCESS_TERMINATE,
                                      ACCESS_DELETE };

    for (size_t i = 0; i < N_ELEMS(modes); i++) {
        uint8_t octets[5] = { 0x80, 0x01, (uint8_t)modes[i], 0x90, 0x00 };
        rule(USIM_ARR, 1, "");
        ck_assert_int_eq(fs_write(&fs, nvm, USIM_ARR, 0, rd_of(octets, sizeof octets)), 0);
        for (size_t k = 0; k < N_ELEMS(modes); k++)
            ck_assert_int_eq(may(IMSI, modes[k]), i == k);
        octets[2] |= 0x80; /* b7 to b4 are proprietary then */
        ck_assert_int_eq(fs_write(&fs, nvm, USIM_ARR, 0, rd_of(octets, sizeof octets)), 0);
        ck_assert_int_eq(may(IMSI, modes[i]), modes[i] < 8);
    }
}
END_TEST

START_TEST(commands_have_rules_by_their_instruction)
{
    rule(USIM_ARR, 1, "80 01 7F" ALW "84 01 32" ALW "84 02 D4 D6" ALW);
    ck_assert(may(IMSI, ACCESS_BY_INS + 0x32));
    ck_assert(may(IMSI, ACCESS_BY_INS + 0xD4));
    ck_assert(may(IMSI, ACCESS_BY_INS + 0xD6));
    ck_assert(!may(IMSI, ACCESS_BY_INS + 0x01));
    rule(USIM_ARR, 1, "84 01 01" ALW);
    ck_assert(!may(IMSI, ACCESS_READ));
    rule(USIM_ARR, 1, "8C 04 80 32 32 D4" ALW); /* class and instruction, two of each */
    ck_assert(may(IMSI, ACCESS_BY_INS + 0x32));
    ck_assert(may(IMSI, ACCESS_BY_INS + 0xD4));
    ck_assert(!may(IMSI, ACCESS_BY_INS + 0x80));
    rule(USIM_ARR, 1, "87 04 32 D4 00 D4" ALW); /* instruction, P1, P2; half of another */
    ck_assert(may(IMSI, ACCESS_BY_INS + 0x32));
    ck_assert(!may(IMSI, ACCESS_BY_INS + 0xD4));
    rule(USIM_ARR, 1, "88 01 32 84 00 82 01 32" ALW); /* none of them names an instruction */
    ck_assert(!may(IMSI, ACCESS_BY_INS + 0x32));
    rule(USIM_ARR, 1, "9C 01 32" ALW "84 01 32" ALW);
    ck_assert(may(IMSI, ACCESS_BY_INS + 0x32));
}
END_TEST

/* --- whether it holds --- */

START_TEST(a_pin_must_be_verified_or_disabled)
{
    ck_assert(!readable("80 01 01" PIN1)); /* there is none */
    verify(MF, PIN_1);
    ck_assert(!readable("80 01 01" PIN1));
    make_pin(MF, PIN_1, PIN_ENABLED);
    ck_assert(readable("80 01 01" PIN1));
    status.n = 0;
    ck_assert(!readable("80 01 01" PIN1));
    make_pin(MF, PIN_1, PIN_CHANGEABLE | PIN_DISABLEABLE);
    ck_assert(readable("80 01 01" PIN1));
}
END_TEST

START_TEST(the_universal_pin_is_a_global_one)
{
    make_pin(MF, UNIVERSAL, PIN_ENABLED);
    ck_assert(!readable("80 01 01" UNIV));
    verify(MF, UNIVERSAL);
    ck_assert(readable("80 01 01" UNIV));
}
END_TEST

START_TEST(the_universal_pin_takes_a_replaced_ones_place)
{
    struct pin pin;
    bool found = false;

    make_pin(MF, PIN_1, PIN_ENABLED | PIN_DISABLEABLE);
    make_pin(MF, UNIVERSAL, PIN_ENABLED);
    verify(MF, UNIVERSAL);
    ck_assert(!readable("80 01 01" PIN1));
    ck_assert_int_eq(access_find_pin(&context, USIM, PIN_1, &pin, &found), 0);
    ck_assert(found && (pin.attributes & PIN_ENABLED));
    ck_assert_int_eq(pin_replace(nvm, fs.prefix, &status, &pin, rd_str("12345678")), 0);
    ck_assert(readable("80 01 01" PIN1));
    status.n = 0;
    ck_assert(!readable("80 01 01" PIN1));
    verify(MF, PIN_1); /* counts no more */
    ck_assert(!readable("80 01 01" PIN1));
    ck_assert_int_eq(access_find_pin(&context, USIM, PIN_1, &pin, &found), 0);
    ck_assert(found && pin.replaced && !(pin.attributes & PIN_ENABLED));
}
END_TEST

START_TEST(a_global_pin_is_the_mfs_whatever_the_df)
{
    make_pin(MF, PIN_1, PIN_ENABLED);
    make_pin(USIM, PIN_1, 0); /* no such thing; must not open anything */
    ck_assert(!readable("80 01 01" PIN1));
}
END_TEST

START_TEST(a_local_pin_is_the_nearest_one)
{
    rule(USIM_ARR, 1, "80 01 01" PIN2);
    rule(USIM_ARR, 2, "80 01 01" PIN2);
    rule(TELECOM_ARR, 1, "80 01 01" PIN2);
    make_pin(USIM, PIN_2, PIN_ENABLED);
    make_pin(TELECOM, PIN_2, PIN_ENABLED);
    verify(USIM, PIN_2);
    ck_assert(may(IMSI, ACCESS_READ));
    ck_assert(may(SUCI, ACCESS_READ));
    ck_assert(!may(ADN, ACCESS_READ));
    make_pin(DF_5GS, PIN_2, PIN_ENABLED);
    ck_assert(!may(SUCI, ACCESS_READ));
    verify(DF_5GS, PIN_2);
    ck_assert(may(SUCI, ACCESS_READ));
    make_pin(TELECOM, PIN_2, 0);
    ck_assert(may(ADN, ACCESS_READ));
}
END_TEST

START_TEST(a_df_counts_its_own_pins)
{
    rule(MF_ARR, 2, "80 01 02" PIN2);
    make_pin(USIM, PIN_2, PIN_ENABLED);
    ck_assert(!may(USIM, ACCESS_DF_CREATE_EF));
    verify(USIM, PIN_2);
    ck_assert(may(USIM, ACCESS_DF_CREATE_EF));
}
END_TEST

START_TEST(conditions_combine)
{
    make_pin(MF, PIN_1, PIN_ENABLED);
    make_pin(MF, ADM, PIN_ENABLED);
    verify(MF, PIN_1);
    ck_assert(readable("80 01 01 A0 10" PIN1 ADM1));
    ck_assert(readable("80 01 01 A0 10" ADM1 PIN1));
    ck_assert(!readable("80 01 01 A7 10" PIN1 ADM1));
    ck_assert(!readable("80 01 01 A7 10" ADM1 PIN1));
    ck_assert(!readable("80 01 01 AF 08" PIN1));
    ck_assert(readable("80 01 01 AF 08" ADM1));
    ck_assert(!readable("80 01 01 AF 10" ADM1 PIN1));
    ck_assert(readable("80 01 01 AF 02" NEV));
    ck_assert(readable("80 01 01 A7 12 AF 08" ADM1 PIN1));
    ck_assert(readable("80 01 01 A0 14" ADM1 "A7 0A" PIN1 ALW));
    verify(MF, ADM);
    ck_assert(readable("80 01 01 A7 10" PIN1 ADM1));
}
END_TEST

START_TEST(condition_bytes_hold_at_their_ends_only)
{
    ck_assert(readable("80 01 01 9E 01 00"));
    ck_assert(!readable("80 01 01 9E 01 FF"));
    ck_assert(!readable("80 01 01 9E 01 11"));
    ck_assert(!readable("80 01 01 9E 00"));
    ck_assert(!readable("80 01 01 9E 02 00 00"));
}
END_TEST

START_TEST(what_cannot_be_told_never_allows)
{
    static const char *const rules[] = {
        "80 01 01 B4 00",       /* secure messaging */
        "80 01 01 AF 02 B4 00", /* nor its negation */
        "80 01 01 AF 04 B4 00" NEV,
        "80 01 01 A7 04 B8 00" ALW,
        "80 01 01 A0 04 B6 00" NEV,
        "80 01 01 A0 00", /* empty templates */
        "80 01 01 A7 00",
        "80 01 01 AF 00",
        "80 01 01 5A 00", /* no condition */
        "80 01 01 AF 02 5A 00",
        "80 01 01 A4 00", /* no key reference */
        "80 01 01 A4 02 83 00",
        "80 01 01 A4 04 83 02 01 01",
        "80 01 01 A4 06 83 01 01 95 01 80", /* external authentication */
        "80 01 01 A4 05 83 01 01 95 00",
        "80 01 01 AF 08" ADM1,        /* no such PIN, negated */
        "80 01 01 AF 05 A4 03 83 01", /* cut off in a template */
        "80 01 01 A7 03" ALW "90",
        "80 01 01 A0 01 90",
        "80 01 01 A0 08 A0 06 A0 04 A0 02" ALW, /* too deep */
        "80 01 01 AF 08 AF 06 AF 04 AF 02" NEV,
        "80 01 01 A0 50" ALW, /* runs past the record */
        "80 01",
        "80",
        "80 02 01 00" ALW,
        "80 00" ALW,
        "90 00 80 01 02" ALW,
        "00 80 01 01" ALW,
        "FF 80 01 01" ALW,
        "9F FF FF FF FF",
        "80 84 FF FF FF FF" ALW,
        "",
    };

    make_pin(MF, PIN_1, 0);
    for (size_t i = 0; i < N_ELEMS(rules); i++)
        ck_assert_msg(!readable(rules[i]), "%s", rules[i]);
    ck_assert(readable("80 01 01 A0 06 A0 04 A0 02" ALW)); /* as deep as may be */
    ck_assert(readable("80 01 01 A4 03 83 01 01"));        /* usage left out */
    ck_assert(readable("80 01 01" ALW "A0 50"));           /* damage behind what decided */
}
END_TEST

START_TEST(full_access_holds_everywhere_but_at_never)
{
    context.all_but_never = true;
    ck_assert(readable("80 01 01" PIN1));
    ck_assert(readable("80 01 01" ALW));
    ck_assert(readable("80 01 01 B4 00"));
    ck_assert(readable("80 01 01 9E 01 11"));
    ck_assert(readable("80 01 01 AF 08" PIN1));
    ck_assert(readable("80 01 01 A7 10" PIN1 ADM1));
    ck_assert(!readable("80 01 01" NEV));
    ck_assert(!readable("80 01 01 9E 01 FF"));
    ck_assert(!readable("80 01 01 A7 0A" PIN1 NEV));
    ck_assert(!readable("80 01 02" PIN1));
    ck_assert(!readable("80 01 01 5A 00"));
}
END_TEST

/* Any octets may be in a record: it is allowed or not, and nothing is read beyond. */
START_TEST(records_of_anything_do_no_harm)
{
    static const uint8_t seeds[] = { 0x80, 0x01, 0x84, 0x90, 0xA0, 0xA4, 0xA7, 0xAF,
                                     0x83, 0x95, 0x08, 0x02, 0x04, 0x9E, 0xFE, 0x82 };
    uint32_t x = 1;

    make_pin(MF, PIN_1, PIN_ENABLED);
    for (int i = 0; i < 20000; i++) {
        uint8_t octets[RECORD_LEN];
        for (size_t k = 0; k < sizeof octets; k++) {
            x = x * 1664525u + 1013904223u;
            octets[k] = seeds[x >> 28];
        }
        octets[0] = 0x80;
        octets[1] = octets[2] = 0x01;
        ck_assert_int_eq(fs_write_record(&fs, nvm, USIM_ARR, 1, rd_of(octets, sizeof octets)), 0);
        ck_assert_int_eq(nvm_commit(nvm), 0);
        (void)may(IMSI, ACCESS_READ);
        (void)may(IMSI, ACCESS_BY_INS + 0x32);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *tcase = tcase_create("access");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, files_have_the_rules_of_the_nearest_arr_up_to_their_adf);
    tcase_add_test(tcase, the_search_ends_at_the_adf);
    tcase_add_test(tcase, without_a_rule_nothing_is_allowed);
    tcase_add_test(tcase, a_file_that_is_not_there_is_a_bug_and_an_unreadable_rule_a_fault);
    tcase_add_test(tcase, the_first_rule_for_the_access_decides);
    tcase_add_test(tcase, several_conditions_of_a_rule_are_alternatives);
    tcase_add_test(tcase, each_bit_of_an_access_mode_is_one_access);
    tcase_add_test(tcase, commands_have_rules_by_their_instruction);
    tcase_add_test(tcase, a_pin_must_be_verified_or_disabled);
    tcase_add_test(tcase, the_universal_pin_is_a_global_one);
    tcase_add_test(tcase, the_universal_pin_takes_a_replaced_ones_place);
    tcase_add_test(tcase, a_global_pin_is_the_mfs_whatever_the_df);
    tcase_add_test(tcase, a_local_pin_is_the_nearest_one);
    tcase_add_test(tcase, a_df_counts_its_own_pins);
    tcase_add_test(tcase, conditions_combine);
    tcase_add_test(tcase, condition_bytes_hold_at_their_ends_only);
    tcase_add_test(tcase, references_name_a_record_for_each_environment);
    tcase_add_test(tcase, environment_00_is_in_force_while_the_applications_pin_is_disabled);
    tcase_add_test(tcase, a_replaced_pin_keeps_environment_01);
    tcase_add_test(tcase, a_record_is_walked_rule_by_rule);
    tcase_add_test(tcase, what_cannot_be_told_never_allows);
    tcase_add_test(tcase, full_access_holds_everywhere_but_at_never);
    tcase_add_test(tcase, records_of_anything_do_no_harm);
    suite_add_tcase(suite, tcase);

    return suite_status(suite);
}
