/* test_nvm.c - os/nvm: one body for both back ends, then what only a file can go through. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/err.h"
#include "os/nvm.h"
#include "tests/testlib/card_file.h"
#include "tests/testlib/suite.h"

static const struct trace no_trace;

static struct card_file place;
static char error[NVM_ERROR_MAX];
static struct nvm *nvm;

enum back_end { MEMORY, FILE_, N_BACK_ENDS };
static enum back_end back_end;

static void open_file(enum nvm_open_mode mode)
{
    nvm = nvm_open_file(place.path, mode, &no_trace, error);
    ck_assert_msg(nvm != NULL, "%s", error);
}

static void set_up(void)
{
    card_file_make(&place);
}

static void open_back_end(int which)
{
    back_end = (enum back_end)which;
    if (back_end == FILE_)
        open_file(NVM_CREATE);
    else
        nvm = nvm_open_memory(&no_trace);
    ck_assert_ptr_nonnull(nvm);
}

static void tear_down(void)
{
    nvm_close(&nvm);
    ck_assert_ptr_null(nvm);
    card_file_remove(&place);
}

/* A file goes through closing and opening; memory stays what it is. */
static void survive(void)
{
    if (back_end == MEMORY)
        return;
    nvm_close(&nvm);
    open_file(NVM_SERVE);
}

/* --- small words for what follows ------------------------------------------------------------- */

static void put(const char *key, const char *value)
{
    ck_assert_int_eq(nvm_put(nvm, key, rd_str(value)), 0);
}

static void check_value(const char *key, const char *want)
{
    char value[100] = "";
    struct wr w;
    bool found;

    wr_init(&w, value, sizeof value - 1);
    ck_assert_int_eq(nvm_get(nvm, key, &w, &found), 0);
    ck_assert_msg(found == (want != NULL), "%s", key);
    if (want != NULL)
        ck_assert_str_eq(value, want);
}

static void check_keys(const char *prefix, const char *want)
{
    char key[NVM_KEY_MAX] = "", keys[500] = "";
    bool found;

    for (;;) {
        ck_assert_int_eq(nvm_next(nvm, prefix, key, &found), 0);
        if (!found)
            break;
        strncat(keys, key, sizeof keys - strlen(keys) - 2);
        strcat(keys, " ");
    }
    ck_assert_str_eq(keys, want);
}

/* --- both back ends --------------------------------------------------------------------------- */

static void _test_what_is_put_is_found_and_what_is_deleted_is_not(void)
{
    check_value("a", NULL);
    put("a", "one");
    check_value("a", "one"); /* seen within its transaction */
    put("a", "three");
    put("b", "");
    check_value("a", "three");
    check_value("b", "");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    survive();
    check_value("a", "three");
    check_value("b", "");
    ck_assert_int_eq(nvm_del(nvm, "a"), 0);
    ck_assert_int_eq(nvm_del(nvm, "never was"), 0);
    check_value("a", NULL);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    survive();
    check_value("a", NULL);
    check_keys("", "b ");
}

static void _test_a_part_of_a_value_ends_where_the_value_does(void)
{
    static const struct {
        size_t offset, n;
        const char *want;
    } parts[] = { { 0, 4, "1234" },    { 0, 3, "123" },       { 1, 2, "23" }, { 3, 1, "4" },
                  { 0, 0, "" },        { 3, 2, "4" },         { 4, 1, "" },   { 5, 1, "" },
                  { SIZE_MAX, 1, "" }, { 1, SIZE_MAX, "234" } };
    bool found;

    put("a", "1234");
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        char text[10] = "";
        struct wr w;
        wr_init(&w, text, sizeof text - 1);
        ck_assert_int_eq(nvm_get_part(nvm, "a", parts[i].offset, parts[i].n, &w, &found), 0);
        ck_assert(found);
        ck_assert_str_eq(text, parts[i].want);
        ck_assert_int_eq(nvm_get_part(nvm, "b", parts[i].offset, parts[i].n, &w, &found), 0);
        ck_assert(!found);
    }
}

static void _test_getting_appends_and_the_writer_knows_when_it_was_too_much(void)
{
    char text[10] = "";
    struct wr w;
    bool found;

    put("a", "123");
    wr_init(&w, text, sizeof text - 1);
    wr_put(&w, "0", 1);
    ck_assert_int_eq(nvm_get(nvm, "a", &w, &found), 0);
    ck_assert_str_eq(text, "0123");
    wr_init(&w, text, 2); /* too small: the writer knows */
    ck_assert_int_eq(nvm_get(nvm, "a", &w, &found), 0);
    ck_assert(found);
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
}

static void _test_any_octets_are_a_value(void)
{
    uint8_t *octets = malloc(100000);
    struct wr w;
    bool found;

    for (size_t i = 0; i < 100000; i++)
        octets[i] = (uint8_t)(i ^ i >> 8);
    ck_assert_int_eq(nvm_put(nvm, "a", rd_of(octets, 100000)), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    survive();
    wr_init_heap(&w, NVM_VALUE_MAX);
    ck_assert_int_eq(nvm_get(nvm, "a", &w, &found), 0);
    ck_assert(found);
    ck_assert_uint_eq(w.n, 100000);
    ck_assert_mem_eq(w.p, octets, 100000);
    wr_done(&w);
    free(octets);
}

static void _test_aborting_brings_everything_back(void)
{
    put("kept", "old");
    put("gone", "old");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    put("kept", "new");
    put("kept", "newer");
    put("fresh", "new");
    ck_assert_int_eq(nvm_del(nvm, "gone"), 0);
    put("gone", "back");
    ck_assert_int_eq(nvm_del(nvm, "gone"), 0);
    ck_assert_int_eq(nvm_del(nvm, "fresh"), 0);
    put("fresh", "again");
    ck_assert(nvm_is_dirty(nvm));
    nvm_abort(nvm);
    ck_assert(!nvm_is_dirty(nvm));
    check_value("kept", "old");
    check_value("gone", "old");
    check_value("fresh", NULL);
    check_keys("", "gone kept ");
    nvm_abort(nvm); /* nothing to abort */
    survive();
    check_value("kept", "old");
}

static void _test_closing_aborts_what_is_open(void)
{
    put("a", "old");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    put("a", "new");
    survive();
    check_value("a", back_end == FILE_ ? "old" : "new");
}

static void _test_reading_opens_no_transaction_and_writing_does(void)
{
    uint64_t commits = nvm_commits(nvm), writes = nvm_writes(nvm);
    bool found;
    char key[NVM_KEY_MAX] = "";
    uint64_t number;

    check_value("a", NULL); /* reading opens no transaction */
    ck_assert_int_eq(nvm_next(nvm, "", key, &found), 0);
    ck_assert_int_eq(nvm_get_uint(nvm, "n", 7, &number), 0);
    ck_assert(!nvm_is_dirty(nvm));
    ck_assert_int_eq(nvm_commit(nvm), 0); /* of nothing */
    ck_assert_uint_eq(nvm_commits(nvm), commits);
    ck_assert_uint_eq(nvm_writes(nvm), writes);
    put("a", "1");
    ck_assert(nvm_is_dirty(nvm));
    ck_assert_uint_eq(nvm_writes(nvm), writes + 1);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    ck_assert(!nvm_is_dirty(nvm));
    ck_assert_uint_eq(nvm_commits(nvm), commits + 1);
    ck_assert_uint_eq(nvm_writes(nvm), writes + 2);
}

static void _test_keys_come_in_order_and_by_prefix(void)
{
    static const char *const keys[] = { "b/2", "a",    "b/10", "b/1",  "c",
                                        "b",   "b/1/", "B/1",  "bb/1", "b." };

    for (size_t i = 0; i < N_ELEMS(keys); i++)
        put(keys[i], "x");
    check_keys("", "B/1 a b b. b/1 b/1/ b/10 b/2 bb/1 c ");
    check_keys("b/", "b/1 b/1/ b/10 b/2 ");
    check_keys("b/1", "b/1/ b/10 "); /* what lies behind the prefix */
    check_keys("c/", "");
    check_keys("0", "");
    check_keys("zzz", "");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    survive();
    check_keys("b/", "b/1 b/1/ b/10 b/2 ");
}

static void _test_keys_may_be_deleted_on_the_walk(void)
{
    char key[NVM_KEY_MAX] = "";
    bool found;

    for (int i = 0; i < 30; i++) {
        char one[NVM_KEY_MAX];
        snprintf(one, sizeof one, "n/%08x", i);
        put(one, "x");
    }
    int n = 0;
    for (;;) {
        ck_assert_int_eq(nvm_next(nvm, "n/", key, &found), 0);
        if (!found)
            break;
        ck_assert_int_eq(nvm_del(nvm, key), 0);
        n++;
    }
    ck_assert_int_eq(n, 30);
    check_keys("n/", "");
}

static void _test_the_end_of_a_walk_leaves_its_key(void)
{
    char key[NVM_KEY_MAX] = "";
    bool found;

    put("a/1", "x");
    put("b/1", "x");
    ck_assert_int_eq(nvm_next(nvm, "a/", key, &found), 0);
    ck_assert(found);
    ck_assert_int_eq(nvm_next(nvm, "a/", key, &found), 0);
    ck_assert(!found);
    ck_assert_str_eq(key, "a/1");
}

static void _test_deleting_all_takes_the_prefix_and_nothing_else(void)
{
    static const char *const keys[] = { "a/0", "b", "b/", "b/0", "b/1/x", "b/2", "b0", "c/0" };

    for (size_t i = 0; i < N_ELEMS(keys); i++)
        put(keys[i], "x");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    ck_assert_int_eq(nvm_del_all(nvm, "b/"), 0);
    check_value("b/0", NULL);
    check_value("b/1/x", NULL);
    check_value("b/2", NULL);
    check_value("b", "x");
    check_value("b0", "x");
    check_value("a/0", "x");
    check_value("c/0", "x");
    nvm_abort(nvm);
    check_value("b/1/x", "x");
    ck_assert_int_eq(nvm_del_all(nvm, "nothing/"), 0);
    ck_assert(!nvm_is_dirty(nvm));
    ck_assert_int_eq(nvm_del_all(nvm, "b/"), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    survive();
    check_value("b/2", NULL);
    check_value("b0", "x");
}

static void _test_numbers_read_back_and_others_are_refused(void)
{
    static const uint64_t numbers[] = { 0,         1,      0x7F,       0x80,
                                        0xFF,      0x8000, 0xFFFFFFFF, 0x8000000000000000,
                                        UINT64_MAX };
    uint64_t got = 99;

    ck_assert_int_eq(nvm_get_uint(nvm, "n", 42, &got), 0);
    ck_assert_uint_eq(got, 42);
    for (size_t i = 0; i < N_ELEMS(numbers); i++) {
        ck_assert_int_eq(nvm_put_uint(nvm, "n", numbers[i]), 0);
        ck_assert_int_eq(nvm_get_uint(nvm, "n", 42, &got), 0);
        ck_assert(got == numbers[i]);
    }
    got = 99;
    put("n", "");
    ck_assert_int_eq(nvm_get_uint(nvm, "n", 42, &got), ERR_NVM);
    put("n", "\xFF");
    ck_assert_int_eq(nvm_get_uint(nvm, "n", 42, &got), ERR_NVM);
    put("n", "0123456789");
    ck_assert_int_eq(nvm_get_uint(nvm, "n", 42, &got), ERR_NVM);
    ck_assert_uint_eq(got, 99);
}

static void _test_counting_down_is_committed_at_once(void)
{
    uint64_t left = 99;

    ck_assert_int_eq(nvm_count_down(nvm, "tries", &left), 0); /* absent: nothing left */
    ck_assert_uint_eq(left, 0);
    ck_assert_int_eq(nvm_put_uint(nvm, "tries", 3), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    for (uint64_t i = 3; i-- > 0;) {
        uint64_t commits = nvm_commits(nvm);
        ck_assert_int_eq(nvm_count_down(nvm, "tries", &left), 0);
        ck_assert_uint_eq(left, i);
        ck_assert_uint_eq(nvm_commits(nvm), commits + 1);
        ck_assert(!nvm_is_dirty(nvm));
        nvm_abort(nvm); /* as a refused command does: too late */
        survive();
    }
    ck_assert_int_eq(nvm_count_down(nvm, "tries", &left), 0);
    ck_assert_uint_eq(left, 0);
}

static void _test_keys_and_values_have_bounds(void)
{
    char key[NVM_KEY_MAX + 1];
    uint8_t *octets = calloc(1, NVM_VALUE_MAX + 1);

    memset(key, 'k', sizeof key);
    key[NVM_KEY_MAX - 1] = '\0';
    ck_assert_int_eq(nvm_put(nvm, key, rd_of(octets, NVM_VALUE_MAX)), 0);
    check_keys("k", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk ");
    nvm_abort(nvm);
    ck_assert_int_eq(nvm_put(nvm, "a", rd_of(octets, NVM_VALUE_MAX + 1)), ERR_BUG);
    key[NVM_KEY_MAX - 1] = 'k';
    key[NVM_KEY_MAX] = '\0';
    ck_assert_int_eq(nvm_put(nvm, key, rd_of(octets, 1)), ERR_BUG);
    ck_assert(!nvm_is_dirty(nvm));
    free(octets);
}

/* Old state: a=1, b=1.  New state: a=2, b gone, c=2.  Four writes with the commit. */
static int change(void)
{
    TRY(nvm_put(nvm, "a", rd_str("2")));
    TRY(nvm_del(nvm, "b"));
    TRY(nvm_put(nvm, "c", rd_str("2")));
    return nvm_commit(nvm);
}

static void _test_a_power_cut_leaves_all_or_nothing(void)
{
    enum { WRITES = 4 };

    for (uint64_t n = 0; n <= WRITES; n++) {
        ck_assert_int_eq(nvm_del(nvm, "c"), 0);
        put("a", "1");
        put("b", "1");
        ck_assert_int_eq(nvm_commit(nvm), 0);

        nvm_cut_after(nvm, n);
        ck_assert_int_eq(change(), n < WRITES ? ERR_NVM : 0);
        ck_assert(nvm_has_power(nvm) == (n == WRITES));
        if (n < WRITES) {
            char key[NVM_KEY_MAX] = "";
            struct wr w;
            uint64_t number;
            bool found;
            wr_init(&w, NULL, 0);
            ck_assert_int_eq(nvm_get(nvm, "a", &w, &found), ERR_NVM);
            ck_assert_int_eq(nvm_next(nvm, "", key, &found), ERR_NVM);
            ck_assert_int_eq(nvm_put(nvm, "a", rd_str("3")), ERR_NVM);
            ck_assert_int_eq(nvm_del(nvm, "a"), ERR_NVM);
            ck_assert_int_eq(nvm_del_all(nvm, ""), ERR_NVM);
            ck_assert_int_eq(nvm_get_uint(nvm, "a", 1, &number), ERR_NVM);
            ck_assert_int_eq(nvm_count_down(nvm, "a", &number), ERR_NVM);
            ck_assert_int_eq(nvm_commit(nvm), ERR_NVM);
            ck_assert(!nvm_is_dirty(nvm));
        }
        nvm_restore_power(nvm);
        ck_assert(nvm_has_power(nvm));
        survive();
        check_value("a", n < WRITES ? "1" : "2");
        check_value("b", n < WRITES ? "1" : NULL);
        check_value("c", n < WRITES ? NULL : "2");
        put("a", "4"); /* and it serves on */
        ck_assert_int_eq(nvm_commit(nvm), 0);
        check_value("a", "4");
    }
}

static void _test_a_power_cut_in_counting_down_leaves_all_or_nothing(void)
{
    uint64_t left;

    for (uint64_t n = 0; n < 3; n++) {
        ck_assert_int_eq(nvm_put_uint(nvm, "tries", 3), 0);
        ck_assert_int_eq(nvm_commit(nvm), 0);
        nvm_cut_after(nvm, n);
        left = 99;
        ck_assert_int_eq(nvm_count_down(nvm, "tries", &left), n < 2 ? ERR_NVM : 0);
        ck_assert_uint_eq(left, n < 2 ? 99 : 2);
        nvm_restore_power(nvm);
        survive();
        ck_assert_int_eq(nvm_get_uint(nvm, "tries", 0, &left), 0);
        ck_assert_uint_eq(left, n < 2 ? 3 : 2);
    }
}

static void _test_a_cut_that_is_not_reached_does_nothing(void)
{
    nvm_cut_after(nvm, 100);
    put("a", "1");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    ck_assert(nvm_has_power(nvm));
    nvm_restore_power(nvm); /* forgets it */
    for (int i = 0; i < 200; i++)
        put("a", "2");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    check_value("a", "2");
}

#define BOTH(name)                                                                                 \
    START_TEST(name)                                                                               \
    {                                                                                              \
        open_back_end(_i);                                                                         \
        _test_##name();                                                                            \
    }                                                                                              \
    END_TEST

BOTH(what_is_put_is_found_and_what_is_deleted_is_not)
BOTH(a_part_of_a_value_ends_where_the_value_does)
BOTH(getting_appends_and_the_writer_knows_when_it_was_too_much)
BOTH(any_octets_are_a_value)
BOTH(aborting_brings_everything_back)
BOTH(closing_aborts_what_is_open)
BOTH(reading_opens_no_transaction_and_writing_does)
BOTH(keys_come_in_order_and_by_prefix)
BOTH(keys_may_be_deleted_on_the_walk)
BOTH(the_end_of_a_walk_leaves_its_key)
BOTH(deleting_all_takes_the_prefix_and_nothing_else)
BOTH(numbers_read_back_and_others_are_refused)
BOTH(counting_down_is_committed_at_once)
BOTH(keys_and_values_have_bounds)
BOTH(a_power_cut_leaves_all_or_nothing)
BOTH(a_power_cut_in_counting_down_leaves_all_or_nothing)
BOTH(a_cut_that_is_not_reached_does_nothing)

START_TEST(counting_down_within_a_transaction_is_a_bug_and_stops_the_program)
{
    uint64_t left;

    open_back_end(MEMORY);
    put("a", "1");
    nvm_count_down(nvm, "tries", &left);
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

static uint8_t *read_file(const char *name, size_t *ret_n)
{
    FILE *f = fopen(name, "rb");
    uint8_t *octets = malloc(1 << 20);

    ck_assert(f != NULL && octets != NULL);
    *ret_n = fread(octets, 1, 1 << 20, f);
    fclose(f);
    return octets;
}

static void write_file(const char *name, const void *octets, size_t n)
{
    FILE *f = fopen(name, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(octets, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static bool exists_beside(const char *end)
{
    char name[300];

    snprintf(name, sizeof name, "%s%s", place.path, end);
    return access(name, F_OK) == 0;
}

static void check_alone(void)
{
    ck_assert(!exists_beside("-wal"));
    ck_assert(!exists_beside("-shm"));
    ck_assert(!exists_beside("-journal"));
}

/* Opening fails with this line, and the file is as it was. */
static void check_refused(enum nvm_open_mode mode, const char *why)
{
    size_t before_n, after_n;
    uint8_t *before = read_file(place.path, &before_n);
    char want[400];

    error[0] = '\0';
    ck_assert_ptr_null(nvm_open_file(place.path, mode, &no_trace, error));
    snprintf(want, sizeof want, "%s %s", place.path, why);
    ck_assert_msg(strncmp(error, want, strlen(want)) == 0, "'%s' instead of '%s'", error, want);
    ck_assert_ptr_null(strchr(error, '\n'));
    uint8_t *after = read_file(place.path, &after_n);
    ck_assert_uint_eq(after_n, before_n);
    if (before_n > 0)
        ck_assert_mem_eq(after, before, before_n);
    free(before);
    free(after);
}

static void make_card(void)
{
    open_file(NVM_CREATE);
    for (int i = 0; i < 200; i++) { /* some pages */
        char key[NVM_KEY_MAX];
        snprintf(key, sizeof key, "key/%d", i);
        put(key, "a value that takes some room in the file, so that it has more than one page");
    }
    ck_assert_int_eq(nvm_commit(nvm), 0);
    nvm_close(&nvm);
}

START_TEST(a_card_is_one_file_that_only_its_owner_reads)
{
    struct stat st;
    mode_t mask = umask(0);

    make_card();
    umask(mask);
    ck_assert_int_eq(stat(place.path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    check_alone();
    open_file(NVM_SERVE);
    put("a", "1");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    nvm_close(&nvm);
    check_alone();
}
END_TEST

START_TEST(creating_refuses_an_existing_file)
{
    write_file(place.path, "precious", 8);
    check_refused(NVM_CREATE, "exists; it is left as it is");
    ck_assert_int_eq(unlink(place.path), 0);
    make_card();
    check_refused(NVM_CREATE, "exists; it is left as it is");
}
END_TEST

START_TEST(a_missing_file_is_not_made)
{
    ck_assert_ptr_null(nvm_open_file(place.path, _i == 0 ? NVM_SERVE : NVM_READ, &no_trace, error));
    ck_assert_ptr_nonnull(strstr(error, place.path));
    ck_assert_ptr_nonnull(strstr(error, strerror(ENOENT)));
    ck_assert_int_ne(access(place.path, F_OK), 0);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_told)
{
    snprintf(place.path, sizeof place.path, "%s/none/card", place.folder);
    ck_assert_ptr_null(nvm_open_file(place.path, NVM_CREATE, &no_trace, error));
    ck_assert_ptr_nonnull(strstr(error, strerror(ENOENT)));
    snprintf(place.path, sizeof place.path, "%s/card", place.folder);
}
END_TEST

START_TEST(a_foreign_file_is_left_alone)
{
    enum nvm_open_mode mode = _i == 0 ? NVM_SERVE : NVM_READ;
    static const char long_text[] =
        "This is a letter to a friend, of more than a hundred octets, and nothing that any program "
        "should take for a card, whatever the name of the file that it is in may say.";
    uint8_t header[4096] = "SQLite format 3";

    write_file(place.path, "", 0);
    check_refused(mode, "is not a softeuicc card");
    write_file(place.path, "short", 5);
    check_refused(mode, "is not a softeuicc card");
    write_file(place.path, long_text, sizeof long_text);
    check_refused(mode, "is not a softeuicc card");
    write_file(place.path, header, 50);
    check_refused(mode, "is not a softeuicc card");
    write_file(place.path, header, sizeof header); /* another program's database */
    check_refused(mode, "is not a softeuicc card");
    check_alone();
}
END_TEST

/* Overwrites n octets of the file. */
static void patch(long at, const void *octets, size_t n)
{
    FILE *f = fopen(place.path, "r+b");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(octets, 1, n, f), n);
    fclose(f);
}

START_TEST(another_layout_is_left_alone)
{
    enum nvm_open_mode mode = _i == 0 ? NVM_SERVE : NVM_READ;

    make_card();
    patch(60, "\0\0\0\2", 4); /* user_version, SQLite file format 1.3 */
    check_refused(mode, "has layout version 2; this program knows version 1");
    patch(60, "\0\0\0\0", 4);
    check_refused(mode, "has layout version 0; this program knows version 1");
    patch(60, "\0\0\0\1", 4);
    patch(68, "\0\0\0\1", 4); /* application_id */
    check_refused(mode, "is not a softeuicc card");
    check_alone();
}
END_TEST

START_TEST(a_damaged_file_is_told_and_left_alone)
{
    enum nvm_open_mode mode = _i % 2 == 0 ? NVM_SERVE : NVM_READ;
    uint8_t junk[4096];
    size_t n;

    make_card();
    uint8_t *octets = read_file(place.path, &n);
    ck_assert_uint_gt(n, 3 * sizeof junk);
    memset(junk, 0xA5, sizeof junk);
    switch (_i / 2) {
    case 0: /* a page */
        patch(2 * 4096, junk, sizeof junk);
        break;
    case 1: /* the end is missing */
        write_file(place.path, octets, n - 4096);
        break;
    case 2: /* the schema */
        patch(100, junk, 400);
        break;
    case 3: /* nothing but the header */
        write_file(place.path, octets, 100);
        break;
    default: /* page size of the header */
        patch(16, "\xFF\xFF", 2);
        break;
    }
    free(octets);
    check_refused(mode, "is damaged: ");
    if (mode == NVM_SERVE)
        check_alone();
}
END_TEST

/* What the walk over all keys says after the last octet of key/10 became this one. */
static int walk_with_a_key_octet(char octet)
{
    char key[NVM_KEY_MAX] = "";
    bool found = true;
    size_t n;
    int err = 0;

    make_card();
    uint8_t *octets = read_file(place.path, &n);
    const uint8_t *at = memmem(octets, n, "key/10a value", 13);
    ck_assert_ptr_nonnull(at);
    patch(at - octets + 5, &octet, 1);
    free(octets);
    open_file(NVM_SERVE);
    for (int i = 0; i < 500 && err == 0 && found; i++)
        err = nvm_next(nvm, "", key, &found);
    nvm_close(&nvm);
    ck_assert_int_eq(unlink(place.path), 0);
    return found ? err : 0;
}

START_TEST(a_walk_over_damaged_keys_ends)
{
    ck_assert_int_eq(walk_with_a_key_octet('0'), 0);
    ck_assert_int_eq(walk_with_a_key_octet('\0'), ERR_NVM);
}
END_TEST

START_TEST(a_card_that_cannot_be_made_leaves_nothing)
{
    struct rlimit before, small;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t size = 0; size < 3 * 4096; size += 4096) { /* as a disk that is full by then */
        small.rlim_cur = size;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        nvm = nvm_open_file(place.path, NVM_CREATE, &no_trace, error);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_ptr_null(nvm);
        ck_assert_msg(strstr(error, "damaged") == NULL, "%s", error);
        ck_assert_int_ne(access(place.path, F_OK), 0);
        check_alone();
    }
    make_card();
}
END_TEST

START_TEST(a_folder_that_is_closed_to_us_is_told)
{
    const uid_t nobody = 65534, us = geteuid();

    make_card();
    ck_assert_int_eq(chmod(place.folder, 0555), 0);
    if (us == 0) /* who may write everywhere */
        ck_assert_int_eq(chown(place.path, nobody, (gid_t)-1) + seteuid(nobody), 0);
    ck_assert_ptr_null(nvm_open_file(place.path, NVM_SERVE, &no_trace, error));
    ck_assert_ptr_nonnull(strstr(error, "its folder must be writable"));
    open_file(NVM_READ);
    nvm_close(&nvm);
    ck_assert_int_eq(seteuid(us), 0);
    ck_assert_int_eq(chmod(place.folder, 0700), 0);
}
END_TEST

START_TEST(a_name_means_a_file_whatever_it_is)
{
    static const char *const names[] = { ":memory:", "file:card?mode=memory", "a card", "-card" };
    char before[sizeof place.folder];

    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(place.folder), 0);
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        snprintf(place.path, sizeof place.path, "%s", names[i]);
        make_card();
        open_file(NVM_SERVE);
        check_value("key/199", "a value that takes some room in the file, so that it has more than "
                               "one page");
        nvm_close(&nvm);
        open_file(NVM_READ);
        nvm_close(&nvm);
        ck_assert_int_eq(unlink(place.path), 0);
    }
    snprintf(place.path, sizeof place.path, "%s/card", place.folder);
    ck_assert_int_eq(chdir(before), 0);
}
END_TEST

START_TEST(a_long_name_does_not_hide_the_reason)
{
    char name[1000];

    memset(name, '/', sizeof name - 1);
    snprintf(name + sizeof name - sizeof place.path, sizeof place.path, "%s", place.path);
    ck_assert_ptr_null(nvm_open_file(name, NVM_SERVE, &no_trace, error));
    ck_assert_ptr_nonnull(strstr(error, strerror(ENOENT)));
    memset(name, 'x', sizeof name - 1);
    ck_assert_ptr_null(nvm_open_file(name, NVM_CREATE, &no_trace, error));
    ck_assert_ptr_nonnull(strstr(error, strerror(ENAMETOOLONG)));
}
END_TEST

START_TEST(one_serves_and_the_next_is_told_who)
{
    char want[100];

    make_card();
    open_file(NVM_SERVE);
    snprintf(want, sizeof want, "is served by pid %ld; end that, or use its reader",
             (long)getpid());
    check_refused(NVM_SERVE, want);
    put("a", "1"); /* the first one is not disturbed */
    ck_assert_int_eq(nvm_commit(nvm), 0);
    check_refused(NVM_SERVE, want);
    nvm_close(&nvm);
    open_file(NVM_SERVE);
    check_value("a", "1");
}
END_TEST

START_TEST(a_reader_beside_sees_what_is_committed_and_writes_nothing)
{
    make_card();
    open_file(NVM_SERVE);
    put("a", "committed");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    put("a", "not committed");

    struct nvm *server = nvm;
    open_file(NVM_READ);
    check_value("a", "committed");
    ck_assert_int_eq(nvm_put(nvm, "a", rd_str("x")), ERR_NVM);
    nvm_abort(nvm);
    nvm_close(&nvm);
    nvm = server;
    check_value("a", "not committed");
    ck_assert_int_eq(nvm_commit(nvm), 0);
    nvm_close(&nvm);
    check_alone();
    open_file(NVM_SERVE);
    check_value("a", "not committed"); /* by then it was */
}
END_TEST

START_TEST(reading_a_card_at_rest_leaves_one_file)
{
    size_t before_n, after_n;

    make_card();
    uint8_t *before = read_file(place.path, &before_n);
    open_file(NVM_READ);
    check_value("key/0",
                "a value that takes some room in the file, so that it has more than one page");
    nvm_close(&nvm);
    uint8_t *after = read_file(place.path, &after_n);
    ck_assert_uint_eq(after_n, before_n);
    ck_assert_mem_eq(after, before, before_n);
    free(before);
    free(after);
    check_alone();
}
END_TEST

/* --- a back end that fails -------------------------------------------------------------------- */

static struct {
    int begin, commit, aborts;
    bool open;
} failing;

static int f_get(void *be, const char *key, size_t offset, size_t n, struct wr *ret,
                 bool *ret_found)
{
    (void)be, (void)key, (void)offset, (void)n, (void)ret;
    *ret_found = false;
    return 0;
}

static int f_put(void *be, const char *key, struct rd value)
{
    (void)be, (void)key, (void)value;
    return 0;
}

static int f_del(void *be, const char *key)
{
    (void)be, (void)key;
    return 0;
}

static int f_next(void *be, const char *after, char ret[NVM_KEY_MAX], bool *ret_found)
{
    (void)be, (void)after, (void)ret;
    *ret_found = false;
    return 0;
}

static int f_begin(void *be)
{
    (void)be;
    if (failing.open)
        return ERR_BUG; /* a transaction within a transaction */
    failing.open = failing.begin == 0;
    return failing.begin;
}

static int f_commit(void *be)
{
    (void)be;
    if (failing.commit == 0)
        failing.open = false;
    return failing.commit;
}

static int f_abort(void *be)
{
    (void)be;
    failing.open = false;
    failing.aborts++;
    return 0;
}

static void f_close(void *be)
{
    (void)be;
}

static const struct nvm_backend failing_ops = { f_get,   f_put,    f_del,   f_next,
                                                f_begin, f_commit, f_abort, f_close };

START_TEST(a_begin_that_fails_opens_nothing)
{
    memset(&failing, 0, sizeof failing);
    nvm = nvm_new(&failing_ops, NULL, &no_trace);
    failing.begin = ERR_NVM;
    ck_assert_int_eq(nvm_put(nvm, "a", rd_str("1")), ERR_NVM);
    ck_assert(!nvm_is_dirty(nvm));
    failing.begin = 0;
    ck_assert_int_eq(nvm_put(nvm, "a", rd_str("1")), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    nvm_close(&nvm);
}
END_TEST

START_TEST(a_commit_that_fails_leaves_no_transaction_open)
{
    memset(&failing, 0, sizeof failing);
    nvm = nvm_new(&failing_ops, NULL, &no_trace);
    ck_assert_int_eq(nvm_put(nvm, "a", rd_str("1")), 0);
    failing.commit = ERR_NVM;
    ck_assert_int_eq(nvm_commit(nvm), ERR_NVM);
    nvm_abort(nvm); /* as the dispatcher does */
    ck_assert(!failing.open);
    ck_assert_int_eq(failing.aborts, 1);
    ck_assert_uint_eq(nvm_commits(nvm), 0);
    failing.commit = 0;
    ck_assert_int_eq(nvm_put(nvm, "a", rd_str("1")), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    nvm_close(&nvm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nvm");
    TCase *both = tcase_create("both back ends"), *faults = tcase_create("faults"),
          *files = tcase_create("files");

    tcase_add_checked_fixture(both, set_up, tear_down);
    tcase_set_timeout(both, 60);
    tcase_add_loop_test(both, what_is_put_is_found_and_what_is_deleted_is_not, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, a_part_of_a_value_ends_where_the_value_does, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, getting_appends_and_the_writer_knows_when_it_was_too_much, 0,
                        N_BACK_ENDS);
    tcase_add_loop_test(both, any_octets_are_a_value, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, aborting_brings_everything_back, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, closing_aborts_what_is_open, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, reading_opens_no_transaction_and_writing_does, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, keys_come_in_order_and_by_prefix, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, keys_may_be_deleted_on_the_walk, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, the_end_of_a_walk_leaves_its_key, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, deleting_all_takes_the_prefix_and_nothing_else, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, numbers_read_back_and_others_are_refused, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, counting_down_is_committed_at_once, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, keys_and_values_have_bounds, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, a_power_cut_leaves_all_or_nothing, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, a_power_cut_in_counting_down_leaves_all_or_nothing, 0, N_BACK_ENDS);
    tcase_add_loop_test(both, a_cut_that_is_not_reached_does_nothing, 0, N_BACK_ENDS);
    suite_add_tcase(suite, both);

    tcase_add_test_raise_signal(
        faults, counting_down_within_a_transaction_is_a_bug_and_stops_the_program, SIGABRT);
    tcase_add_test(faults, a_begin_that_fails_opens_nothing);
    tcase_add_test(faults, a_commit_that_fails_leaves_no_transaction_open);
    suite_add_tcase(suite, faults);

    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, a_card_is_one_file_that_only_its_owner_reads);
    tcase_add_test(files, creating_refuses_an_existing_file);
    tcase_add_loop_test(files, a_missing_file_is_not_made, 0, 2);
    tcase_add_test(files, a_folder_that_is_not_there_is_told);
    tcase_add_loop_test(files, a_foreign_file_is_left_alone, 0, 2);
    tcase_add_loop_test(files, another_layout_is_left_alone, 0, 2);
    tcase_add_loop_test(files, a_damaged_file_is_told_and_left_alone, 0, 10);
    tcase_add_test(files, a_walk_over_damaged_keys_ends);
    tcase_add_test(files, a_card_that_cannot_be_made_leaves_nothing);
    tcase_add_test(files, a_folder_that_is_closed_to_us_is_told);
    tcase_add_test(files, a_name_means_a_file_whatever_it_is);
    tcase_add_test(files, a_long_name_does_not_hide_the_reason);
    tcase_add_test(files, one_serves_and_the_next_is_told_who);
    tcase_add_test(files, a_reader_beside_sees_what_is_committed_and_writes_nothing);
    tcase_add_test(files, reading_a_card_at_rest_leaves_one_file);
    suite_add_tcase(suite, files);

    return suite_status(suite);
}
