/* bench_memory.c - private memory (RssAnon) of an idle card process, and of each further card in
 * one process.
 *
 * usage: bench_memory SOFTEUICC */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/softeuicc.h"
#include "tests/bench/child.h"
#include "tests/bench/report.h"
#include "tests/testlib/hex.h"

enum { CARDS = 200, PATH_LEN = 64 };

static char folder[] = "/tmp/bench-memory-XXXXXX";
static uint8_t response[SOFTEUICC_RESPONSE_MAX];

static void card_path(size_t i, char ret[PATH_LEN])
{
    snprintf(ret, PATH_LEN, "%s/%zu", folder, i);
}

/* What an LPA asks for first, so that what is made at first use is there. */
static const char *const talk[] = { "0070000001", "01A4040010A0000005591010FFFFFFFF8900000100",
                                    "81E2910006BF3E035C015A", "81E2910003BF2200",
                                    "81E2910003BF2D00" };

static void measure_process(const char *program)
{
    char card[PATH_LEN], line[1024], answer[4096];
    struct child c;

    card_path(0, card);
    child_start(&c, program, card);
    child_ask(&c, "reset\n", answer, sizeof answer);
    long after_reset = rss_anon_kb(c.pid);
    for (size_t i = 0; i < sizeof talk / sizeof talk[0]; i++) {
        snprintf(line, sizeof line, "%s\n", talk[i]);
        child_ask(&c, line, answer, sizeof answer);
    }
    long after_talk = rss_anon_kb(c.pid);
    child_end(&c);
    report("memory of an idle card process",
           "%ld kB after reset, %ld kB after a talk [aim 4096 kB]", after_reset, after_talk);
}

static void talk_to(struct softeuicc *card)
{
    uint8_t command[64];

    insist(softeuicc_power_on(card) == 0, "the card starts");
    for (size_t i = 0; i < sizeof talk / sizeof talk[0]; i++) {
        size_t n = hex(talk[i], command, sizeof command);
        insist(softeuicc_transmit(card, command, n, response) >= 2, "the card answers");
    }
}

typedef int open_fn(size_t i, const struct softeuicc_options *options, struct softeuicc **ret,
                    char *error);

static int open_in_memory(size_t i, const struct softeuicc_options *options, struct softeuicc **ret,
                          char *error)
{
    const struct softeuicc_new how = { .eid = NULL };

    (void)i;
    return softeuicc_open_memory(&how, options, ret, error);
}

static int open_file(size_t i, const struct softeuicc_options *options, struct softeuicc **ret,
                     char *error)
{
    char path[PATH_LEN];

    card_path(i, path);
    return softeuicc_open(path, options, ret, error);
}

/* From the second card to the last; the first pays for OpenSSL and SQLite. */
static void count_cards(const char *what, open_fn *open)
{
    const struct softeuicc_options options = { .crypto = softeuicc_crypto_new(NULL) };
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *cards[CARDS];
    long first = 0;

    for (size_t i = 0; i < CARDS; i++) {
        insist(open(i, &options, &cards[i], error) == 0, error);
        talk_to(cards[i]);
        if (i == 0)
            first = rss_anon_kb(getpid());
    }
    report(what, "%.1f kB a card, %d cards, the process with one %ld kB [aim 64 kB]",
           (double)(rss_anon_kb(getpid()) - first) / (CARDS - 1), CARDS, first);
    for (size_t i = 0; i < CARDS; i++)
        softeuicc_close(&cards[i]);
}

/* In a process of its own: what another measurement has freed would be used again. */
static void measure_cards(const char *what, open_fn *open)
{
    int status;

    pid_t pid = fork();
    if (pid == 0) {
        count_cards(what, open);
        _exit(EXIT_SUCCESS);
    }
    insist(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "a process of its own");
}

static void make_files(void)
{
    struct softeuicc_crypto *crypto = softeuicc_crypto_new(NULL);
    const struct softeuicc_new how = { .eid = NULL };
    char path[PATH_LEN], error[SOFTEUICC_ERROR_LEN] = "";

    for (size_t i = 0; i < CARDS; i++) {
        card_path(i, path);
        insist(softeuicc_new(path, &how, crypto, error) == 0, error);
    }
    softeuicc_crypto_free(&crypto);
}

int main(int argc, char **argv)
{
    char path[PATH_LEN];
    int status;

    insist(argc == 2 && mkdtemp(folder) != NULL, "usage: bench_memory SOFTEUICC");
    pid_t pid = fork(); /* this process stays as small as it began */
    if (pid == 0) {
        make_files();
        _exit(EXIT_SUCCESS);
    }
    insist(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "cards in files");
    measure_process(argv[1]);
    measure_cards("memory of a further card, in memory", open_in_memory);
    measure_cards("memory of a further card, in files", open_file);
    for (size_t i = 0; i < CARDS; i++) {
        card_path(i, path);
        unlink(path);
    }
    insist(rmdir(folder) == 0, "a folder that is empty again");
    return EXIT_SUCCESS;
}
