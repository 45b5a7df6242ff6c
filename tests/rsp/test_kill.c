/* test_kill.c - a card in a file whose process is killed, again and again, at a random command of a
 * loop of downloads and changes: the file opens, its parts agree with each other, and each profile
 * is there as a whole or not at all.
 *
 * The loop tells each command it begins through a pipe, and the parent kills it at one of them, so
 * that no clock is needed.  SOFTEUICC_SEED repeats a run. */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/testlib/card_file.h"
#include "tests/testlib/suite.h"

enum {
    KILLS = 40,
    COMMANDS_MAX = 60, /* at most so many before the kill */
    SPIN_MAX = 4000,   /* so many loops into it */
    PROFILES = 3,
    MAX_FD = 64,
};

/* xorshift64 */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* --- the process that is killed --------------------------------------------------------------- */

static int told; /* the pipe */

static void tell(bool begins)
{
    if (begins && write(told, "", 1) != 1)
        _exit(EXIT_FAILURE);
}

static void try_change(struct bench *b, const char *function, unsigned digit)
{
    char request[96];

    snprintf(request, sizeof request, "%s 5A0A %s", function, server_iccid(digit));
    ck_assert_uint_eq(card_es10_hex(&b->card, request), 0x9000);
}

/* Check writes what it sees to a file that both processes have open; killed within that, the one
 * here would leave half a message in it. */
static void tell_check_nothing(int keep)
{
    int nowhere = open("/dev/null", O_RDWR);

    for (int fd = STDERR_FILENO + 1; fd < MAX_FD; fd++)
        if (fd != keep && fd != nowhere && fcntl(fd, F_GETFD) != -1)
            dup2(nowhere, fd);
}

static void work(const char *card, int pipe_in)
{
    struct bench b;

    bench_open_file(&b, card);
    told = pipe_in;
    b.card.hook = tell;
    b.card.quick = true;
    for (unsigned i = 0;; i++) {
        unsigned digit = i % PROFILES;
        struct wr upp, metadata;
        wr_init_heap(&upp, MESSAGE_MAX);
        wr_init_heap(&metadata, MESSAGE_MAX);
        server_profile(digit, &upp, &metadata);
        const struct bpp_plan plan = { .upp = wr_view(&upp), .metadata = wr_view(&metadata) };
        bench_download_as(&b, &plan, AS_LPAS_DO); /* a refusal: it is there already */
        try_change(&b, "BF310C", digit);
        bench_remove_notifications(&b);
        try_change(&b, "BF320C", digit);
        try_change(&b, "BF330C", (digit + 1) % PROFILES);
        wr_done(&upp);
        wr_done(&metadata);
    }
}

/* --- the process that kills ------------------------------------------------------------------- */

/* Reads so many octets; false when the other end is gone. */
static bool wait_for(int fd, uint64_t n)
{
    char c;

    while (n-- > 0)
        if (read(fd, &c, 1) != 1)
            return false;
    return true;
}

static void kill_once(const char *card, uint64_t *random)
{
    volatile unsigned spin = 0;
    int ends[2], status;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        tell_check_nothing(ends[1]);
        work(card, ends[1]);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    bool alive = wait_for(ends[0], 1 + draw(random) % COMMANDS_MAX);
    for (uint64_t n = draw(random) % SPIN_MAX; n > 0; n--)
        spin++;
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    close(ends[0]);
    ck_assert_msg(alive && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                  "the loop ended by itself");
}

/* Profiles, memory and notifications agree, and every profile can be enabled and disabled. */
static void assert_whole(const char *card, uint64_t all, uint64_t one, uint64_t *last)
{
    struct bench b;
    char *shown;

    bench_open_file(&b, card);
    unsigned profiles = card_profiles(&b.card);
    ck_assert_uint_le(profiles, PROFILES);
    ck_assert_uint_eq(card_free_memory(&b.card), all - profiles * one);
    shown = softeuicc_show(b.card.chip, false);
    ck_assert_ptr_nonnull(shown);
    free(shown);
    for (unsigned digit = 0; digit < PROFILES; digit++) {
        char request[96];
        struct tlv t;
        snprintf(request, sizeof request, "BF2D0C 5A0A %s", server_iccid(digit));
        ck_assert_uint_eq(card_es10_hex(&b.card, request), 0x9000);
        bool there = message_has(wr_view(&b.card.data), "BF2D/A0/E3/92", &t);
        snprintf(request, sizeof request, "BF310C 5A0A %s", server_iccid(digit));
        ck_assert_uint_eq(card_es10_hex(&b.card, request), 0x9000);
        uint8_t result = message_at(wr_view(&b.card.data), "BF31/80").value.p[0];
        ck_assert_msg(there ? result == 0 || result == 2 : result == 1, "profile %u: %u", digit,
                      result);
    }
    uint64_t now = card_last_sequence(&b.card);
    if (now != 0)
        ck_assert_uint_ge(now, *last);
    if (now != 0)
        *last = now;
    bench_close(&b);
}

/* --- the file --------------------------------------------------------------------------------- */

static struct card_file place;

static void make_place(void)
{
    card_file_make(&place);
}

/* Of a failed test too: this runs in the process that started it. */
static void remove_place(void)
{
    card_file_remove(&place);
}

START_TEST(a_killed_process_leaves_a_whole_card)
{
    const char *seed = getenv("SOFTEUICC_SEED");
    char error[SOFTEUICC_ERROR_LEN];
    struct bench b;

    uint64_t random = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("SOFTEUICC_SEED=%" PRIu64 "\n", random);
    fflush(stdout);
    random = random * 2654435761u | 1;
    ck_assert_int_eq(softeuicc_new(place.path, &(struct softeuicc_new){ .eid = NULL }, NULL, error),
                     0);

    bench_open_file(&b, place.path);
    uint64_t all = card_free_memory(&b.card), last = 0;
    bench_download(&b, 1);
    uint64_t one = all - card_free_memory(&b.card);
    bench_close(&b);
    for (int i = 0; i < KILLS; i++) {
        kill_once(place.path, &random);
        assert_whole(place.path, all, one, &last);
    }
    bench_open_file(&b, place.path);
    card_expect(&b.card, "BF3404 82020780", "BF3403800100");
    ck_assert_uint_eq(card_free_memory(&b.card), all);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("kill");

    tcase_add_unchecked_fixture(s.tests, make_place, remove_place);
    suite_add(&s, a_killed_process_leaves_a_whole_card);
    return suite_run(&s);
}
