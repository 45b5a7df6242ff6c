/* bench_start.c - from the start of a process to the card's answer to reset.
 *
 * usage: bench_start SOFTEUICC */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/softeuicc.h"
#include "tests/bench/child.h"
#include "tests/bench/report.h"

enum { ROUNDS = 40 };

static double start_once(const char *program, const char *card)
{
    char atr[256];
    struct child c;

    double start = wall_us();
    child_start(&c, program, card);
    child_ask(&c, "reset\n", atr, sizeof atr);
    double time = wall_us() - start;
    insist(strncmp(atr, "3B", 2) == 0, "reset is answered by the ATR");
    child_end(&c);
    return time;
}

/* The same with a program that does nothing: what a process costs here. */
static double start_nothing(void)
{
    char nothing[8];
    double start = wall_us();

    FILE *f = popen("echo", "r");
    insist(f != NULL && fgets(nothing, sizeof nothing, f) != NULL, "a shell");
    double time = wall_us() - start;
    pclose(f);
    return time;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/bench-start-XXXXXX", card[64], error[SOFTEUICC_ERROR_LEN] = "";
    const struct softeuicc_new how = { .eid = NULL };
    double times[ROUNDS], shells[ROUNDS];

    insist(argc == 2 && mkdtemp(folder) != NULL, "usage: bench_start SOFTEUICC");
    snprintf(card, sizeof card, "%s/card", folder);
    insist(softeuicc_new(card, &how, NULL, error) == 0, error);
    for (size_t i = 0; i < ROUNDS; i++) {
        times[i] = start_once(argv[1], card);
        shells[i] = start_nothing();
    }
    unlink(card);
    insist(rmdir(folder) == 0, "a folder that is empty again");
    double middle = median(times, ROUNDS), of_shell = median(shells, ROUNDS);
    report("start to ATR",
           "median %.1f ms, least %.1f ms; a shell that echoes %.1f ms, ratio %.1f "
           "[aim 10 ms]",
           middle / 1e3, times[0] / 1e3, of_shell / 1e3, middle / of_shell);
    return EXIT_SUCCESS;
}
