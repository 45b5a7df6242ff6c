/* replay.c - runs a fuzz target on the files of a corpus, without a fuzzer.
 *
 * usage: fuzz_TARGET DIRECTORY-OR-FILE...
 *
 * Files go in the order of their names.  The name of each is printed before it runs, so that the
 * last one is the culprit when the program ends in the middle. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static bool run_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");

    if (f == NULL || fstat(fileno(f), &st) != 0) {
        perror(path);
        return false;
    }
    printf("%s\n", path);
    fflush(stdout);
    size_t n = (size_t)st.st_size;
    uint8_t *octets = malloc(n); /* exactly, for the sanitizers */
    bool whole = octets != NULL && fread(octets, 1, n, f) == n;
    fclose(f);
    if (whole || n == 0)
        LLVMFuzzerTestOneInput(octets, n);
    free(octets);
    return whole || n == 0;
}

static int is_visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* How many inputs ran; 0 when anything could not be read. */
static size_t run_directory(const char *path)
{
    struct dirent **entries;
    char name[4096 + 256];
    bool good = true;

    int n = scandir(path, &entries, is_visible, alphasort);
    if (n < 0) {
        perror(path);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        good = good && run_file(name);
        free(entries[i]);
    }
    free(entries);
    return good ? (size_t)n : 0;
}

int main(int argc, char **argv)
{
    size_t total = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool is_directory = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        size_t n = is_directory ? run_directory(argv[i]) : run_file(argv[i]);
        if (n == 0) {
            fprintf(stderr, "%s: nothing was run\n", argv[i]);
            return EXIT_FAILURE;
        }
        total += n;
    }
    printf("%zu inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
