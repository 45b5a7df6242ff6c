/* test_fs.c - os/fs: building, finding, changing and storing a tree, and what a damaged one does.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/fs.h"
#include "tests/testlib/card_file.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static const struct trace no_trace;

enum back_end { MEMORY, FILE_, N_BACK_ENDS };

/* The card that most tests have: nodes in the order that they are added in. */
enum { MF, DIR, TELECOM, ADN, USIM, IMSI, LOCI, SMS, LINK, ISIM, N_NODES };

static struct nvm *nvm;
static struct fs fs;
static struct card_file place;
static char error[NVM_ERROR_MAX];
static const char tree_object[] = "isdp/0010/tree";

static const struct fs_node nodes[N_NODES] = {
    [MF] = { .fid = FID_MF,
             .kind = FS_KIND_MF,
             .pins = { 0x01, 0x0A },
             .n_pins = 2,
             .arr_fid = 0x2F06,
             .arr_record = 1,
             .arr_record_se00 = 2,
             .life_cycle = FS_LCS_ACTIVATED },
    [DIR] = { .fid = 0x2F00,
              .parent = MF,
              .kind = FS_KIND_LINEAR,
              .record_len = 8,
              .size = 24,
              .sfi = 30,
              .shareable = true },
    [TELECOM] = { .fid = 0x7F10, .parent = MF, .kind = FS_KIND_DF },
    [ADN] = { .fid = 0x6F3A,
              .parent = TELECOM,
              .kind = FS_KIND_LINEAR,
              .record_len = 5,
              .size = 15,
              .sfi = 1 },
    [USIM] = { .fid = 0x7FD0,
               .parent = MF,
               .kind = FS_KIND_ADF,
               .aid = { 0xA0, 0, 0, 0, 0x87, 0x10, 0x02, 0xFF },
               .aid_len = 8 },
    [IMSI] = { .fid = 0x6F07,
               .parent = USIM,
               .kind = FS_KIND_TRANSPARENT,
               .size = 9,
               .sfi = 7,
               .special = FS_SPECIAL_HIGH_UPDATE },
    [LOCI] = { .fid = 0x6F7E, .parent = USIM, .kind = FS_KIND_BER_TLV, .size = 4, .max_size = 900 },
    [SMS] = { .fid = 0x6F39,
              .parent = USIM,
              .kind = FS_KIND_CYCLIC,
              .record_len = 3,
              .size = 9,
              .life_cycle = FS_LCS_DEACTIVATED },
    [LINK] = { .fid = 0x6F3B, .parent = USIM, .kind = FS_KIND_TRANSPARENT, .size = 1, .sfi = 2 },
    [ISIM] = { .fid = 0x7FB0,
               .parent = MF,
               .kind = FS_KIND_ADF,
               .aid = { 0xA0, 0, 0, 0, 0x87, 0x10, 0x04 },
               .aid_len = 7 },
};

static void build(void)
{
    uint16_t node;

    for (uint16_t i = 0; i < N_NODES; i++) {
        ck_assert_int_eq(fs_add(&fs, &nodes[i], &node), 0);
        ck_assert_uint_eq(node, i);
    }
    ck_assert_int_eq(fs_link(&fs, LINK, ADN), 0);
}

static void fill(uint16_t node, const char *text)
{
    uint8_t *p;

    ck_assert_int_eq(fs_body(&fs, node, &p), 0);
    memcpy(p, text, strlen(text));
}

static void store(void)
{
    build();
    fill(DIR, "record 1record 2");
    fill(IMSI, "123456789");
    fill(ADN, "onetwo..three..");
    fill(SMS, "newmidold");
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
}

static void set_up(void)
{
    nvm = nvm_open_memory(&no_trace);
    ck_assert_ptr_nonnull(nvm);
    fs_init(&fs, 0x10);
}

static void tear_down(void)
{
    fs_done(&fs);
    nvm_close(&nvm);
}

static void start_again(void)
{
    tear_down();
    set_up();
    store();
}

static void reload(void)
{
    ck_assert_int_eq(nvm_commit(nvm), 0);
    ck_assert_int_eq(fs_load(&fs, nvm), 0);
}

static void use_file(void)
{
    nvm_close(&nvm);
    card_file_make(&place);
    nvm = nvm_open_file(place.path, NVM_CREATE, &no_trace, error);
    ck_assert_msg(nvm != NULL, "%s", error);
}

static void remove_file(void)
{
    nvm_close(&nvm);
    card_file_remove(&place);
}

static void check_contents(uint16_t node, const char *want)
{
    char text[200] = "";
    struct wr w;

    wr_init(&w, text, sizeof text - 1);
    ck_assert_int_eq(fs_read(&fs, nvm, node, 0, fs.nodes[node].size, &w), 0);
    ck_assert_int_eq(wr_failed(&w), 0);
    for (size_t i = 0; i < w.n; i++)
        if ((uint8_t)text[i] == 0xFF)
            text[i] = '#';
    ck_assert_str_eq(text, want);
}

static bool has_object(const char *key)
{
    uint8_t octets[1000];
    struct wr w;
    bool found = false;

    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(nvm_get(nvm, key, &w, &found), 0);
    return found;
}

static int resize(uint16_t node, uint32_t size, struct rd pattern)
{
    const struct fs_fill fill = { .pattern = pattern };

    return fs_resize(&fs, nvm, node, size, &fill);
}

/* --- building and finding --- */

START_TEST(a_stored_tree_loads_as_it_was)
{
    store();
    fs_done(&fs);
    fs_init(&fs, 0x10);
    ck_assert_int_eq(fs_load(&fs, nvm), 0);
    ck_assert_uint_eq(fs.n, N_NODES);
    for (uint16_t i = 0; i < N_NODES; i++) {
        const struct fs_node *n = &fs.nodes[i];
        ck_assert_uint_eq(n->fid, nodes[i].fid);
        ck_assert_uint_eq(n->parent, i == MF ? (uint16_t)FS_NONE : nodes[i].parent);
        ck_assert_uint_eq(n->body, i == LINK ? ADN : i);
        ck_assert_uint_eq(n->life_cycle, nodes[i].life_cycle);
        ck_assert_int_eq(n->shareable, nodes[i].shareable);
        ck_assert_uint_eq(n->special, nodes[i].special);
        ck_assert_uint_eq(n->sfi, nodes[i].sfi);
        ck_assert_uint_eq(n->arr_fid, nodes[i].arr_fid);
        ck_assert_uint_eq(n->arr_record, nodes[i].arr_record);
        ck_assert_uint_eq(n->arr_record_se00, nodes[i].arr_record_se00);
        ck_assert_uint_eq(n->aid_len, nodes[i].aid_len);
        ck_assert_mem_eq(n->aid, nodes[i].aid, FS_AID_MAX);
        ck_assert_uint_eq(n->n_pins, nodes[i].n_pins);
        ck_assert_mem_eq(n->pins, nodes[i].pins, FS_MAX_PINS);
        const struct fs_node *want = &nodes[i == LINK ? ADN : i];
        ck_assert_int_eq(n->kind, want->kind);
        ck_assert_uint_eq(n->size, want->size);
        ck_assert_uint_eq(n->max_size, want->max_size);
        ck_assert_uint_eq(n->record_len, want->record_len);
        ck_assert(!n->deleted && n->staged == NULL);
    }
    check_contents(DIR, "record 1record 2########");
    check_contents(LOCI, "####"); /* nobody asked for it */
}
END_TEST

START_TEST(a_profile_without_files_has_an_empty_tree)
{
    ck_assert_int_eq(fs_load(&fs, nvm), 0);
    ck_assert_uint_eq(fs.n, 0);
    ck_assert_uint_eq(fs_child(&fs, FS_MF, FID_MF), FS_NONE);
    ck_assert_uint_eq(fs_application(&fs, FS_MF), FS_NONE);
    ck_assert_uint_eq(fs_path(&fs, FS_MF, rd_of(NULL, 0)), FS_NONE);
}
END_TEST

START_TEST(what_it_will_take_is_known_before)
{
    build();
    uint64_t want = fs_stored_size(&fs);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    uint64_t sum = 0;
    char key[NVM_KEY_MAX] = "";
    bool found;
    for (;;) {
        uint8_t octets[2000];
        struct wr w;
        ck_assert_int_eq(nvm_next(nvm, "isdp/0010/", key, &found), 0);
        if (!found)
            break;
        wr_init(&w, octets, sizeof octets);
        ck_assert_int_eq(nvm_get(nvm, key, &w, &found), 0);
        sum += w.n;
    }
    ck_assert_uint_eq(want, sum);
}
END_TEST

START_TEST(what_it_takes_changes_with_its_files)
{
    store();
    uint64_t before = fs_stored_size(&fs);
    ck_assert_uint_eq(fs_node_size(&fs.nodes[MF]), 24 + 1 + 2); /* row, second record, PINs */
    ck_assert_uint_eq(fs_node_size(&fs.nodes[IMSI]), 24 + 9);
    ck_assert_int_eq(resize(IMSI, 14, rd_of(NULL, 0)), 0);
    ck_assert_uint_eq(fs_stored_size(&fs), before + 5);
    ck_assert_int_eq(fs_delete(&fs, nvm, IMSI), 0);
    ck_assert_uint_eq(fs_stored_size(&fs), before - 24 - 9);
    ck_assert_int_eq(fs_delete(&fs, nvm, ADN), 0); /* a link still uses what it held */
    ck_assert_uint_eq(fs_stored_size(&fs), before - 24 - 9 - 24);
    ck_assert_int_eq(fs_delete(&fs, nvm, LINK), 0);
    ck_assert_uint_eq(fs_stored_size(&fs), before - 24 - 9 - 24 - 24 - 15);
    reload();
    ck_assert_uint_eq(fs_stored_size(&fs), before - 24 - 9 - 24 - 24 - 15);
}
END_TEST

START_TEST(nodes_that_do_not_fit_are_refused)
{
    static const struct fs_node bad[] = {
        { .fid = FID_MF, .kind = FS_KIND_MF },                         /* a second one */
        { .fid = 0x2F00, .kind = FS_KIND_TRANSPARENT },                /* the FID is there */
        { .fid = 0x6F00, .parent = DIR, .kind = FS_KIND_TRANSPARENT }, /* below an EF */
        { .fid = 0x6F00, .parent = N_NODES, .kind = FS_KIND_DF },      /* below nothing */
        { .fid = 0x6F00, .parent = FS_NONE, .kind = FS_KIND_DF },      /* below nothing */
        { .fid = 0x7F00, .parent = TELECOM, .kind = FS_KIND_ADF },     /* ADF not below MF */
        { .fid = 0x6F00, .kind = FS_KIND_LINEAR, .size = 5 },          /* records of 0 */
        { .fid = 0x6F00, .kind = FS_KIND_TRANSPARENT, .size = FS_MAX_EF + 1 },
        { .fid = 0x6F00, .kind = FS_KIND_TRANSPARENT, .sfi = 31 },
        { .fid = 0x6F00, .kind = (enum fs_kind)7 },
        { .fid = 0x7F00, .kind = FS_KIND_ADF, .aid_len = FS_AID_MAX + 1 },
        { .fid = 0x7F00, .kind = FS_KIND_DF, .n_pins = FS_MAX_PINS + 1 },
    };
    uint16_t node;

    ck_assert_int_eq(fs_add(&fs, &nodes[TELECOM], &node), ERR_INPUT); /* the MF comes first */
    build();
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        node = 0;
        ck_assert_msg(fs_add(&fs, &bad[i], &node) == ERR_INPUT, "%zu", i);
        ck_assert_uint_eq(node, FS_NONE);
    }
    ck_assert_uint_eq(fs.n, N_NODES);
}
END_TEST

START_TEST(a_tree_has_a_greatest_depth_and_loads_with_it)
{
    struct fs_node df = { .fid = 0x5F00, .kind = FS_KIND_DF };
    uint16_t node = FS_MF;

    ck_assert_int_eq(fs_add(&fs, &nodes[MF], &node), 0);
    for (int i = 1; i < FS_MAX_DEPTH; i++) {
        df.parent = node;
        ck_assert_int_eq(fs_add(&fs, &df, &node), 0);
    }
    df.parent = node;
    ck_assert_int_eq(fs_add(&fs, &df, &node), ERR_INPUT);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    reload();
    ck_assert_uint_eq(fs.n, FS_MAX_DEPTH);
}
END_TEST

START_TEST(a_full_tree_takes_no_more_and_loads)
{
    struct fs_node df = { .kind = FS_KIND_DF, .aid_len = FS_AID_MAX, .n_pins = FS_MAX_PINS };
    uint16_t node;

    ck_assert_int_eq(fs_add(&fs, &nodes[MF], &node), 0);
    for (unsigned i = 1; i < FS_MAX_NODES; i++) {
        df.fid = (uint16_t)i;
        ck_assert_int_eq(fs_add(&fs, &df, &node), 0);
    }
    df.fid = 0x6F00;
    ck_assert_int_eq(fs_add(&fs, &df, &node), ERR_SPACE);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    reload();
    ck_assert_uint_eq(fs.n, FS_MAX_NODES);
    ck_assert_int_eq(fs_delete(&fs, nvm, 500), 0);
    ck_assert_int_eq(fs_add(&fs, &df, &node), 0);
    ck_assert_uint_eq(node, 500);
}
END_TEST

START_TEST(files_are_found_by_fid_sfi_and_path)
{
    uint8_t two[4], odd[3];

    build();
    ck_assert_uint_eq(fs_child(&fs, MF, 0x7F10), TELECOM);
    ck_assert_uint_eq(fs_child(&fs, MF, 0x6F07), FS_NONE);
    ck_assert_uint_eq(fs_child(&fs, USIM, 0x6F07), IMSI);
    ck_assert_uint_eq(fs_child(&fs, IMSI, 0x6F07), FS_NONE);
    ck_assert_uint_eq(fs_child(&fs, FS_NONE, FID_MF), FS_NONE);
    ck_assert_uint_eq(fs_sfi(&fs, USIM, 7), IMSI);
    ck_assert_uint_eq(fs_sfi(&fs, USIM, 1), FS_NONE);
    ck_assert_uint_eq(fs_sfi(&fs, USIM, 0), FS_NONE);
    ck_assert_uint_eq(fs_sfi(&fs, FS_NONE, 7), FS_NONE);
    hex("7FD06F07", two, sizeof two);
    ck_assert_uint_eq(fs_path(&fs, MF, rd_of(two, 4)), IMSI);
    ck_assert_uint_eq(fs_path(&fs, MF, rd_of(two, 2)), USIM);
    ck_assert_uint_eq(fs_path(&fs, MF, rd_of(two, 0)), MF);
    ck_assert_uint_eq(fs_path(&fs, TELECOM, rd_of(two, 4)), FS_NONE);
    hex("7FD06F", odd, sizeof odd);
    ck_assert_uint_eq(fs_path(&fs, MF, rd_of(odd, 3)), FS_NONE);
    ck_assert_uint_eq(fs_path(&fs, N_NODES, rd_of(NULL, 0)), FS_NONE);
}
END_TEST

START_TEST(applications_are_found_by_the_beginning_of_their_aid)
{
    uint8_t aid[9];

    build();
    hex("A0000000871002FF00", aid, sizeof aid);
    ck_assert_uint_eq(fs_adf(&fs, rd_of(aid, 6), FS_NONE), USIM);
    ck_assert_uint_eq(fs_adf(&fs, rd_of(aid, 6), USIM), ISIM);
    ck_assert_uint_eq(fs_adf(&fs, rd_of(aid, 6), ISIM), FS_NONE);
    ck_assert_uint_eq(fs_adf(&fs, rd_of(aid, 8), FS_NONE), USIM);
    ck_assert_uint_eq(fs_adf(&fs, rd_of(aid, 8), USIM), FS_NONE);
    ck_assert_uint_eq(fs_adf(&fs, rd_of(aid, 9), FS_NONE), FS_NONE);
    ck_assert_uint_eq(fs_application(&fs, IMSI), USIM);
    ck_assert_uint_eq(fs_application(&fs, USIM), USIM);
    ck_assert_uint_eq(fs_application(&fs, ADN), MF);
    ck_assert_uint_eq(fs_application(&fs, MF), MF);
    ck_assert_uint_eq(fs_application(&fs, N_NODES), FS_NONE);
}
END_TEST

START_TEST(records_are_counted_where_there_are_any)
{
    ck_assert_uint_eq(fs_records(&nodes[DIR]), 3);
    ck_assert_uint_eq(fs_records(&nodes[SMS]), 3);
    ck_assert_uint_eq(fs_records(&nodes[IMSI]), 0);
    ck_assert_uint_eq(fs_records(&nodes[USIM]), 0);
}
END_TEST

/* --- contents --- */

static void check_reading(void)
{
    char text[10] = "";
    struct wr w;

    wr_init(&w, text, sizeof text - 1);
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 2, 3, &w), 0);
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 8, 1, &w), 0);
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 9, 0, &w), 0);
    ck_assert_str_eq(text, "3459");
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 9, 1, &w), ERR_INPUT);
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 10, 0, &w), ERR_INPUT);
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 0, 10, &w), ERR_INPUT);
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 0xFFFFFFFF, 2, &w), ERR_INPUT);
    ck_assert_int_eq(fs_read(&fs, nvm, USIM, 0, 0, &w), ERR_BUG);
    ck_assert_int_eq(fs_read(&fs, nvm, N_NODES, 0, 0, &w), ERR_BUG);
    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_int_eq(fs_read(&fs, nvm, IMSI, 0, 9, &w), 0); /* too much for the writer */
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
}

static void check_writing(void)
{
    ck_assert_int_eq(fs_write(&fs, nvm, IMSI, 7, rd_str("xy")), 0);
    ck_assert_int_eq(fs_write(&fs, nvm, IMSI, 0, rd_str("z")), 0);
    check_contents(IMSI, "z234567xy");
    ck_assert_int_eq(fs_write(&fs, nvm, IMSI, 0, rd_str("abcdefghi")), 0);
    ck_assert_int_eq(fs_write(&fs, nvm, IMSI, 9, rd_str("")), 0);
    ck_assert_int_eq(fs_write(&fs, nvm, IMSI, 9, rd_str("1")), ERR_INPUT);
    ck_assert_int_eq(fs_write(&fs, nvm, IMSI, 1, rd_str("abcdefghi")), ERR_INPUT);
    ck_assert_int_eq(fs_write(&fs, nvm, MF, 0, rd_str("")), ERR_BUG);
    check_contents(IMSI, "abcdefghi");
    reload();
    check_contents(IMSI, "abcdefghi");
}

static void check_records(void)
{
    char text[20] = "";
    struct wr w;

    wr_init(&w, text, sizeof text - 1);
    ck_assert_int_eq(fs_write_record(&fs, nvm, ADN, 3, rd_str("THREE")), 0);
    ck_assert_int_eq(fs_write_record(&fs, nvm, ADN, 1, rd_str("ONE..")), 0);
    ck_assert_int_eq(fs_write_record(&fs, nvm, ADN, 4, rd_str("FOUR.")), ERR_INPUT);
    ck_assert_int_eq(fs_write_record(&fs, nvm, ADN, 0, rd_str("ZERO.")), ERR_INPUT);
    ck_assert_int_eq(fs_write_record(&fs, nvm, ADN, 1, rd_str("ONE")), ERR_INPUT);
    ck_assert_int_eq(fs_write_record(&fs, nvm, ADN, 3, rd_str("THREE.")), ERR_INPUT);
    ck_assert_int_eq(fs_write_record(&fs, nvm, IMSI, 1, rd_str("1")), ERR_INPUT);
    ck_assert_int_eq(fs_read_record(&fs, nvm, ADN, 3, &w), 0);
    ck_assert_int_eq(fs_read_record(&fs, nvm, ADN, 1, &w), 0);
    ck_assert_int_eq(fs_read_record(&fs, nvm, ADN, 4, &w), ERR_INPUT);
    ck_assert_int_eq(fs_read_record(&fs, nvm, ADN, 0, &w), ERR_INPUT);
    ck_assert_int_eq(fs_read_record(&fs, nvm, IMSI, 1, &w), ERR_INPUT);
    ck_assert_int_eq(fs_read_record(&fs, nvm, TELECOM, 1, &w), ERR_BUG);
    ck_assert_str_eq(text, "THREEONE..");
}

static void check_pushing(void)
{
    ck_assert_int_eq(fs_push_record(&fs, nvm, SMS, rd_str("one")), 0);
    check_contents(SMS, "onenewmid");
    ck_assert_int_eq(fs_push_record(&fs, nvm, SMS, rd_str("two")), 0);
    ck_assert_int_eq(fs_push_record(&fs, nvm, SMS, rd_str("thr")), 0);
    ck_assert_int_eq(fs_push_record(&fs, nvm, SMS, rd_str("fou")), 0);
    check_contents(SMS, "fouthrtwo");
    ck_assert_int_eq(fs_push_record(&fs, nvm, SMS, rd_str("fo")), ERR_INPUT);
    ck_assert_int_eq(fs_push_record(&fs, nvm, ADN, rd_str("12345")), ERR_INPUT);
    ck_assert_int_eq(fs_push_record(&fs, nvm, MF, rd_str("")), ERR_BUG);
    reload();
    check_contents(SMS, "fouthrtwo");
}

START_TEST(contents_are_read_and_written_within_their_bounds)
{
    if (_i == FILE_)
        use_file();
    store();
    check_reading();
    check_writing();
    check_records();
    check_pushing();
    if (_i == FILE_)
        remove_file();
}
END_TEST

START_TEST(a_cyclic_file_of_one_record_keeps_the_last_and_one_of_none_refuses)
{
    struct fs_node n = { .fid = 0x6F01, .kind = FS_KIND_CYCLIC, .record_len = 4, .size = 4 };
    uint16_t one, none;

    build();
    ck_assert_int_eq(fs_add(&fs, &n, &one), 0);
    n.fid++;
    n.size = 3;
    ck_assert_int_eq(fs_add(&fs, &n, &none), 0);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    ck_assert_int_eq(fs_push_record(&fs, nvm, one, rd_str("last")), 0);
    check_contents(one, "last");
    ck_assert_int_eq(fs_push_record(&fs, nvm, none, rd_str("last")), ERR_INPUT);
}
END_TEST

START_TEST(the_largest_file_is_read_and_written_to_its_end)
{
    struct fs_node n = { .fid = 0x6F01, .kind = FS_KIND_TRANSPARENT, .size = FS_MAX_EF };
    uint16_t node;
    char octet[2] = "";
    struct wr w;

    build();
    ck_assert_int_eq(fs_add(&fs, &n, &node), 0);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    ck_assert_int_eq(fs_write(&fs, nvm, node, FS_MAX_EF - 1, rd_str("x")), 0);
    wr_init(&w, octet, 1);
    ck_assert_int_eq(fs_read(&fs, nvm, node, FS_MAX_EF - 1, 1, &w), 0);
    ck_assert_str_eq(octet, "x");
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    struct fs_node n = { .fid = 0x6F01, .kind = FS_KIND_TRANSPARENT };
    uint16_t node;
    struct wr w;

    build();
    ck_assert_int_eq(fs_add(&fs, &n, &node), 0);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    wr_init(&w, NULL, 0);
    ck_assert_int_eq(fs_read(&fs, nvm, node, 0, 0, &w), 0);
    ck_assert_int_eq(fs_write(&fs, nvm, node, 0, rd_of(NULL, 0)), 0);
    ck_assert_int_eq(resize(node, 2, rd_of(NULL, 0)), 0);
    check_contents(node, "##");
}
END_TEST

START_TEST(contents_that_are_gone_or_short_are_a_fault)
{
    uint8_t octets[20];
    struct wr w;

    store();
    wr_init(&w, octets, sizeof octets);
    if (_i == 0)
        ck_assert_int_eq(nvm_del(nvm, "isdp/0010/body/0007"), 0);
    else
        ck_assert_int_eq(nvm_put(nvm, "isdp/0010/body/0007", rd_str("12345678")), 0);
    ck_assert_int_eq(fs_read(&fs, nvm, SMS, 0, 9, &w), ERR_NVM);
    ck_assert_int_eq(fs_write(&fs, nvm, SMS, 0, rd_str("x")), ERR_NVM);
    ck_assert_int_eq(fs_push_record(&fs, nvm, SMS, rd_str("xxx")), ERR_NVM);
    ck_assert_int_eq(resize(SMS, 12, rd_of(NULL, 0)), ERR_NVM);
    ck_assert_uint_eq(fs.nodes[SMS].size, 9);
}
END_TEST

START_TEST(a_power_cut_in_pushing_leaves_the_old_or_the_new_records)
{
    for (uint64_t n = 0; n < 4; n++) {
        start_again();
        nvm_cut_after(nvm, n);
        int err = fs_push_record(&fs, nvm, SMS, rd_str("now"));
        if (err == 0)
            err = nvm_commit(nvm);
        nvm_restore_power(nvm);
        ck_assert_int_eq(fs_load(&fs, nvm), 0);
        check_contents(SMS, err == 0 ? "nownewmid" : "newmidold");
    }
}
END_TEST

/* --- changing --- */

START_TEST(a_link_has_the_contents_of_its_target)
{
    store();
    check_contents(LINK, "onetwo..three..");
    ck_assert_int_eq(fs_write_record(&fs, nvm, LINK, 2, rd_str("22222")), 0);
    check_contents(ADN, "onetw22222ree..");
    ck_assert_int_eq(resize(LINK, 20, rd_str("-")), 0);
    check_contents(ADN, "onetw22222ree..-----");
    check_contents(LINK, "onetw22222ree..-----");
    reload();
    ck_assert_uint_eq(fs_records(&fs.nodes[LINK]), 4);
    ck_assert(!has_object("isdp/0010/body/0008"));
}
END_TEST

START_TEST(links_are_made_of_new_files_only)
{
    struct fs_node n = { .fid = 0x6F01, .kind = FS_KIND_TRANSPARENT, .size = 1 };
    uint16_t node;
    uint8_t *p, *same;

    store();
    ck_assert_int_eq(fs_link(&fs, IMSI, ADN), ERR_BUG); /* has contents already */
    ck_assert_int_eq(fs_add(&fs, &n, &node), 0);
    ck_assert_int_eq(fs_link(&fs, node, node), ERR_BUG);
    ck_assert_int_eq(fs_link(&fs, node, USIM), ERR_BUG);
    ck_assert_int_eq(fs_link(&fs, USIM, node), ERR_BUG);
    ck_assert_int_eq(fs_body(&fs, node, &p), 0);
    ck_assert_int_eq(fs_body(&fs, node, &same), 0);
    ck_assert_ptr_eq(p, same);
    ck_assert_int_eq(fs_link(&fs, node, LINK), 0); /* to a link: to what that one links to */
    ck_assert_uint_eq(fs.nodes[node].body, ADN);
    ck_assert_int_eq(fs_link(&fs, node, IMSI), ERR_BUG);
    ck_assert_int_eq(fs_body(&fs, node, &p), ERR_BUG); /* they are in the storage */
    ck_assert_int_eq(fs_body(&fs, USIM, &p), ERR_BUG);
}
END_TEST

START_TEST(contents_stay_until_their_last_user_goes)
{
    uint16_t node;
    struct fs_node n = { .fid = 0x6F01, .parent = TELECOM, .kind = FS_KIND_TRANSPARENT, .size = 1 };

    store();
    ck_assert_int_eq(fs_delete(&fs, nvm, ADN), 0);
    ck_assert_uint_eq(fs_child(&fs, TELECOM, 0x6F3A), FS_NONE);
    check_contents(LINK, "onetwo..three..");
    ck_assert_int_eq(fs_add(&fs, &n, &node), 0); /* does not get the number that is still used */
    ck_assert_uint_ne(node, ADN);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    reload();
    check_contents(LINK, "onetwo..three..");
    ck_assert_int_eq(resize(LINK, 5, rd_of(NULL, 0)), 0);
    reload();
    check_contents(LINK, "onetw");
    ck_assert_int_eq(fs_delete(&fs, nvm, LINK), 0);
    ck_assert(!has_object("isdp/0010/body/0003"));
    reload();
    n.fid++;
    ck_assert_int_eq(fs_add(&fs, &n, &node), 0);
    ck_assert_uint_eq(node, ADN);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    check_contents(node, "#");
}
END_TEST

START_TEST(a_link_that_goes_leaves_its_target)
{
    store();
    ck_assert_int_eq(fs_delete(&fs, nvm, LINK), 0);
    reload();
    check_contents(ADN, "onetwo..three..");
}
END_TEST

START_TEST(the_target_of_a_link_may_go_before_anything_is_stored)
{
    build();
    fill(ADN, "onetwo..three..");
    ck_assert_int_eq(fs_delete(&fs, nvm, ADN), 0);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    reload();
    check_contents(LINK, "onetwo..three..");
}
END_TEST

START_TEST(deleting_a_df_takes_everything_below_and_what_is_local_to_it)
{
    static const char *const local[] = { "isdp/0010/pin/0004-81", "isdp/0010/pin/0004-81/left",
                                         "isdp/0010/pin/0004", "isdp/0010/aka/0004",
                                         "isdp/0010/cdma/0004" };
    struct fs_node df = { .fid = 0x5F00, .parent = USIM, .kind = FS_KIND_DF };
    struct fs_node ef = { .fid = 0x4F01, .kind = FS_KIND_TRANSPARENT, .size = 1 };
    uint16_t below, far;
    struct wr w;

    store();
    ck_assert_int_eq(fs_add(&fs, &df, &below), 0);
    ef.parent = below;
    ck_assert_int_eq(fs_add(&fs, &ef, &far), 0);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    for (size_t i = 0; i < N_ELEMS(local); i++)
        ck_assert_int_eq(nvm_put(nvm, local[i], rd_str("x")), 0);
    ck_assert_int_eq(nvm_put(nvm, "isdp/0010/pin/0009-81", rd_str("x")), 0);
    ck_assert_int_eq(fs_delete(&fs, nvm, USIM), 0);
    reload();
    wr_init(&w, NULL, 0);
    ck_assert_int_eq(fs_read(&fs, nvm, far, 0, 0, &w), ERR_BUG);
    ck_assert_int_eq(fs_delete(&fs, nvm, far), ERR_BUG);
    ck_assert_uint_eq(fs_adf(&fs, rd_of("\xA0", 1), FS_NONE), ISIM);
    for (size_t i = 0; i < N_ELEMS(local); i++)
        ck_assert_msg(!has_object(local[i]), "%s", local[i]);
    ck_assert(has_object("isdp/0010/pin/0009-81"));
    ck_assert(!has_object("isdp/0010/body/0005"));
    ck_assert(!has_object("isdp/0010/body/000b"));
    ck_assert(has_object("isdp/0010/body/0003"));
}
END_TEST

START_TEST(the_mf_stays)
{
    store();
    ck_assert_int_eq(fs_delete(&fs, nvm, MF), ERR_INPUT);
    ck_assert_int_eq(fs_delete(&fs, nvm, N_NODES), ERR_BUG);
}
END_TEST

START_TEST(a_parent_always_comes_before_its_children)
{
    struct fs_node df = { .fid = 0x5F00, .parent = MF, .kind = FS_KIND_DF };
    struct fs_node ef = { .fid = 0x4F01, .kind = FS_KIND_TRANSPARENT };
    uint16_t low;

    store();
    ck_assert_int_eq(fs_add(&fs, &df, &ef.parent), 0);
    ck_assert_int_eq(fs_delete(&fs, nvm, IMSI), 0); /* free, but below the new DF */
    ck_assert_int_eq(fs_add(&fs, &ef, &low), 0);
    ck_assert_uint_gt(low, ef.parent);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    reload();
    ck_assert_uint_eq(fs_child(&fs, ef.parent, 0x4F01), low);
}
END_TEST

START_TEST(a_file_grows_with_its_pattern_and_shrinks_from_its_end)
{
    store();
    ck_assert_int_eq(resize(IMSI, 14, rd_str("ab")), 0);
    check_contents(IMSI, "123456789abbbb");
    ck_assert_int_eq(resize(IMSI, 15, rd_str("xyz")), 0);
    check_contents(IMSI, "123456789abbbbx");
    ck_assert_int_eq(resize(IMSI, 3, rd_of(NULL, 0)), 0);
    ck_assert_int_eq(resize(IMSI, 5, rd_of(NULL, 0)), 0);
    ck_assert_int_eq(resize(IMSI, 5, rd_str("x")), 0);
    check_contents(IMSI, "123##");
    ck_assert_int_eq(resize(ADN, 25, rd_str("pq")), 0);
    check_contents(ADN, "onetwo..three..pqqqqpqqqq");
    ck_assert_int_eq(resize(ADN, 24, rd_of(NULL, 0)), ERR_INPUT);
    ck_assert_int_eq(resize(IMSI, FS_MAX_EF + 1, rd_of(NULL, 0)), ERR_SPACE);
    ck_assert_int_eq(resize(USIM, 5, rd_of(NULL, 0)), ERR_BUG);
    reload();
    check_contents(IMSI, "123##");
    ck_assert_int_eq(resize(IMSI, FS_MAX_EF, rd_str("x")), 0);
    ck_assert_int_eq(resize(IMSI, 0, rd_of(NULL, 0)), 0);
    check_contents(IMSI, "");
}
END_TEST

/* Whatever changes the tree: after a cut, all of it or nothing. */
static int change(int which)
{
    struct fs_node n = { .fid = 0x6F01, .parent = MF, .kind = FS_KIND_TRANSPARENT, .size = 3 };
    uint16_t node;

    switch (which) {
    case 0:
        return fs_delete(&fs, nvm, USIM);
    case 1:
        return resize(ADN, 20, rd_str("x"));
    default:
        TRY(fs_add(&fs, &n, &node));
        return fs_store(&fs, nvm);
    }
}

static bool is_changed(int which)
{
    switch (which) {
    case 0:
        ck_assert(has_object("isdp/0010/body/0005") == (fs_child(&fs, MF, 0x7FD0) != FS_NONE));
        return fs_child(&fs, MF, 0x7FD0) == FS_NONE;
    case 1:
        check_contents(ADN, fs.nodes[ADN].size == 20 ? "onetwo..three..xxxxx" : "onetwo..three..");
        return fs.nodes[ADN].size == 20;
    default:
        ck_assert(has_object("isdp/0010/body/000a") == (fs_child(&fs, MF, 0x6F01) != FS_NONE));
        return fs_child(&fs, MF, 0x6F01) != FS_NONE;
    }
}

START_TEST(a_power_cut_leaves_the_tree_before_or_after_a_change)
{
    bool done = false;

    for (uint64_t n = 0; !done; n++) {
        ck_assert_uint_lt(n, 100);
        start_again();
        nvm_cut_after(nvm, n);
        int err = change(_i);
        if (err == 0)
            err = nvm_commit(nvm);
        nvm_restore_power(nvm);
        ck_assert(err == 0 || err == ERR_NVM);
        ck_assert_int_eq(fs_load(&fs, nvm), 0);
        ck_assert(is_changed(_i) == (err == 0));
        done = err == 0;
    }
}
END_TEST

/* --- damaged trees --- */

/* Rows as they are stored: flags, FID, parent, body, life cycle, special, SFI, record length, size,
 * maximum size, EF.ARR and record, AID, PINs. */
#define MF_ROW "00 3F00 FFFF 0000 05 00 00 00 00000000 00000000 2F06 01 00 00 "
#define DF_ROW "01 7F10 0000 0001 05 00 00 00 00000000 00000000 2F06 01 00 00 "
#define EF_END "05 00 00 00 00000003 00000000 2F06 01 00 00 "

static int load_hex(const char *text)
{
    struct rd tree = exact_copy(text);

    ck_assert_int_eq(nvm_put(nvm, tree_object, tree), 0);
    exact_free(&tree);
    return fs_load(&fs, nvm);
}

START_TEST(the_rows_mean_what_is_documented)
{
    ck_assert_int_eq(
        load_hex("01 0004" MF_ROW DF_ROW "83 6F01 0001 0002 04 80 1E 00 00000003 00000000"
                 "6F06 02 00 00"
                 "02 7FFF 0000 0003 05 00 00 00 00000000 00000000 2F06 01 02 A000 01 81"),
        0);
    ck_assert_uint_eq(fs.n, 4);
    ck_assert_int_eq(fs.nodes[2].kind, FS_KIND_TRANSPARENT);
    ck_assert(fs.nodes[2].shareable && fs.nodes[2].stored);
    ck_assert_uint_eq(fs.nodes[2].life_cycle, 4);
    ck_assert_uint_eq(fs.nodes[2].special, FS_SPECIAL_HIGH_UPDATE);
    ck_assert_uint_eq(fs.nodes[2].sfi, 30);
    ck_assert_uint_eq(fs.nodes[2].arr_fid, 0x6F06);
    ck_assert_uint_eq(fs.nodes[3].aid_len, 2);
    ck_assert_uint_eq(fs.nodes[3].pins[0], 0x81);
}
END_TEST

static const char *const damaged[] = {
    "",
    "01",
    "01 0001",
    "01 0000",
    "01 0401" MF_ROW,                            /* more than FS_MAX_NODES */
    "02 0001" MF_ROW,                            /* another version */
    "01 0001" MF_ROW "00",                       /* something behind */
    "01 0002" MF_ROW,                            /* a row too few */
    "01 0001" DF_ROW,                            /* no MF */
    "01 0002" MF_ROW MF_ROW,                     /* two */
    "01 0001 40 3F00 FFFF 0000" EF_END,          /* the MF deleted */
    "01 0001 00 3F00 0000 0000" EF_END,          /* the MF its own parent */
    "01 0002" MF_ROW "01 7F10 0001 0001" EF_END, /* its own parent */
    "01 0003" MF_ROW "01 7F10 0002 0001" EF_END "01 7F11 0001 0002" EF_END, /* in a circle */
    "01 0002" MF_ROW "01 7F10 FFFF 0001" EF_END,                            /* no parent */
    "01 0002" MF_ROW "01 7F10 0400 0001" EF_END,                            /* far away */
    "01 0003" MF_ROW "03 6F01 0000 0001" EF_END "03 6F02 0001 0002" EF_END, /* below an EF */
    "01 0003" MF_ROW "41 7F10 FFFF 0001" EF_END "03 6F02 0001 0002" EF_END, /* below a deleted */
    "01 0002" MF_ROW "43 6F01 0000 0001" EF_END,                            /* deleted in place */
    "01 0003" MF_ROW DF_ROW "02 7FD0 0001 0002" EF_END,                     /* ADF below a DF */
    "01 0002" MF_ROW "03 6F01 0000 0002" EF_END,                            /* body beyond */
    "01 0002" MF_ROW "03 6F01 0000 FFFF" EF_END,
    "01 0002" MF_ROW "03 6F01 0000 0000" EF_END,                            /* body of the MF */
    "01 0003" MF_ROW "03 6F01 0000 0002" EF_END "03 6F02 0000 0001" EF_END, /* of each other */
    "01 0003" MF_ROW DF_ROW "01 7F11 0000 0001" EF_END,                     /* a DF as a link */
    "01 0003" MF_ROW "03 6F01 0000 0001" EF_END "43 6F02 FFFF 0001" EF_END, /* a deleted link */
    "01 0002" MF_ROW "07 6F01 0000 0001" EF_END,                            /* no such kind */
    "01 0002" MF_ROW "04 6F01 0000 0001" EF_END,                            /* records of 0 */
    "01 0002" MF_ROW "03 6F01 0000 0001 05 00 1F 00 00000003 00000000 2F06 01 00 00",
    "01 0002" MF_ROW "03 6F01 0000 0001 05 00 00 00 00010000 00000000 2F06 01 00 00",
    "01 0002" MF_ROW "03 6F01 0000 0001 05 00 00 00 00000003 00000000 2F06 01"
    "11 0102030405060708090A0B0C0D0E0F1011 00",
    "01 0002" MF_ROW "03 6F01 0000 0001 05 00 00 00 00000003 00000000 2F06 01 00"
    "11 0102030405060708090A0B0C0D0E0F1011",
    "01 0002" MF_ROW "03 6F01 0000 0001 05 00 00 00 00000003 00000000 2F06 01 02 A0",
    "01 0002" MF_ROW "03 6F01 0000 0001 05 00 00 00 00000003 00000000 2F06 01 00 02 01",
};

START_TEST(a_damaged_tree_is_a_fault_and_leaves_none)
{
    ck_assert_int_eq(load_hex(damaged[_i]), ERR_NVM);
    ck_assert_uint_eq(fs.n, 0);
    ck_assert_ptr_null(fs.nodes);
}
END_TEST

START_TEST(a_tree_that_is_too_deep_is_a_fault)
{
    struct fs_node df = { .fid = 0x5F00, .kind = FS_KIND_DF };
    uint16_t node, low = FS_MF;

    ck_assert_int_eq(fs_add(&fs, &nodes[MF], &node), 0);
    for (int i = 1; i <= FS_MAX_DEPTH; i++) {
        df.parent = FS_MF;
        df.fid++;
        ck_assert_int_eq(fs_add(&fs, &df, &node), 0);
        fs.nodes[node].parent = low;
        low = node;
    }
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    ck_assert_int_eq(fs_load(&fs, nvm), ERR_NVM);
}
END_TEST

/* Whatever octet of a tree is another: a fault, or a tree that can be walked. */
START_TEST(no_octet_of_a_tree_is_trusted)
{
    uint8_t octets[600], text[300];
    static const uint8_t others[] = { 0x00, 0x01, 0x07, 0x40, 0x7F, 0x80, 0xFF };
    struct wr w, out;
    bool found;

    store();
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(nvm_get(nvm, tree_object, &w, &found), 0);
    for (size_t i = 0; i < w.n * N_ELEMS(others); i++) {
        size_t at = i / N_ELEMS(others);
        uint8_t was = octets[at];
        octets[at] = others[i % N_ELEMS(others)];
        struct rd tree = exact_copy_of(rd_of(octets, w.n));
        octets[at] = was;
        ck_assert_int_eq(nvm_put(nvm, tree_object, tree), 0);
        exact_free(&tree);
        ck_assert(fs_load(&fs, nvm) == 0 || fs.n == 0);
        for (uint16_t n = 0; n < fs.n; n++) {
            uint16_t application = fs_application(&fs, n);
            ck_assert(application < fs.n || application == FS_NONE);
            wr_init(&out, text, sizeof text);
            (void)fs_read_record(&fs, nvm, n, 1, &out);
            (void)fs_read(&fs, nvm, n, 0, fs.nodes[n].size, &out);
            (void)fs_push_record(&fs, nvm, n, rd_str("abc"));
            (void)fs_write(&fs, nvm, n, 2, rd_str("a"));
        }
        if (fs.n > 1)
            (void)fs_delete(&fs, nvm, 1);
        nvm_abort(nvm);
    }
}
END_TEST

static TCase *building_tests(void)
{
    TCase *tcase = tcase_create("building and finding");

    tcase_add_test(tcase, a_stored_tree_loads_as_it_was);
    tcase_add_test(tcase, a_profile_without_files_has_an_empty_tree);
    tcase_add_test(tcase, what_it_will_take_is_known_before);
    tcase_add_test(tcase, what_it_takes_changes_with_its_files);
    tcase_add_test(tcase, nodes_that_do_not_fit_are_refused);
    tcase_add_test(tcase, a_tree_has_a_greatest_depth_and_loads_with_it);
    tcase_add_test(tcase, a_full_tree_takes_no_more_and_loads);
    tcase_add_test(tcase, files_are_found_by_fid_sfi_and_path);
    tcase_add_test(tcase, applications_are_found_by_the_beginning_of_their_aid);
    tcase_add_test(tcase, records_are_counted_where_there_are_any);
    return tcase;
}

static TCase *contents_tests(void)
{
    TCase *tcase = tcase_create("contents");

    tcase_add_loop_test(tcase, contents_are_read_and_written_within_their_bounds, 0, N_BACK_ENDS);
    tcase_add_test(tcase, a_cyclic_file_of_one_record_keeps_the_last_and_one_of_none_refuses);
    tcase_add_test(tcase, the_largest_file_is_read_and_written_to_its_end);
    tcase_add_test(tcase, an_empty_file_is_a_file);
    tcase_add_loop_test(tcase, contents_that_are_gone_or_short_are_a_fault, 0, 2);
    tcase_add_test(tcase, a_power_cut_in_pushing_leaves_the_old_or_the_new_records);
    return tcase;
}

static TCase *changing_tests(void)
{
    TCase *tcase = tcase_create("changing");

    tcase_add_test(tcase, a_link_has_the_contents_of_its_target);
    tcase_add_test(tcase, links_are_made_of_new_files_only);
    tcase_add_test(tcase, contents_stay_until_their_last_user_goes);
    tcase_add_test(tcase, a_link_that_goes_leaves_its_target);
    tcase_add_test(tcase, the_target_of_a_link_may_go_before_anything_is_stored);
    tcase_add_test(tcase, deleting_a_df_takes_everything_below_and_what_is_local_to_it);
    tcase_add_test(tcase, the_mf_stays);
    tcase_add_test(tcase, a_parent_always_comes_before_its_children);
    tcase_add_test(tcase, a_file_grows_with_its_pattern_and_shrinks_from_its_end);
    tcase_add_loop_test(tcase, a_power_cut_leaves_the_tree_before_or_after_a_change, 0, 3);
    return tcase;
}

static TCase *damage_tests(void)
{
    TCase *tcase = tcase_create("damage");

    tcase_add_test(tcase, the_rows_mean_what_is_documented);
    tcase_add_loop_test(tcase, a_damaged_tree_is_a_fault_and_leaves_none, 0, (int)N_ELEMS(damaged));
    tcase_add_test(tcase, a_tree_that_is_too_deep_is_a_fault);
    tcase_add_test(tcase, no_octet_of_a_tree_is_trusted);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("fs");
    TCase *(*const groups[])(void) = { building_tests, contents_tests, changing_tests,
                                       damage_tests };

    for (size_t i = 0; i < N_ELEMS(groups); i++) {
        TCase *tcase = groups[i]();
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 60);
        suite_add_tcase(suite, tcase);
    }
    return suite_status(suite);
}
