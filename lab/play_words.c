/* play_words.c - arguments that are words (docs/SCRIPTS.md). */
#include "lab/play_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"

/* {name}, {name+N}, {iccid:DIGITS} as hex. */
static int put_braces(FILE *f, const char *begin, size_t n, const struct play_names *names,
                      const char *where, struct play_error *e)
{
    static const struct play_octets_style rich = { .plain = false };
    char *text = strndup(begin, n);
    struct wr octets;

    wr_init_heap(&octets, PLAY_VALUE_MAX);
    int r = text == NULL ? play_fail(e, where, "out of memory")
                         : play_octets_read(text, rich, names, &octets, NULL, e);
    if (r != 0)
        e->at = where; /* text is gone soon */
    for (size_t i = 0; r == 0 && i < octets.n; i++)
        fprintf(f, "%02X", octets.p[i]);
    wr_done(&octets);
    free(text);
    return r;
}

/* The n characters of a word, malloc'd. */
static int read_word(const char *begin, size_t n, const struct play_names *names, char **ret,
                     struct play_error *e)
{
    size_t size;
    FILE *f = open_memstream(ret, &size);
    int r = 0;

    if (f == NULL)
        return play_fail(e, begin, "out of memory");
    for (size_t i = 0; r == 0 && i < n; i++) {
        const char *end = begin[i] == '{' ? memchr(begin + i, '}', n - i) : NULL;
        if (end == NULL) {
            fputc(begin[i], f);
            continue;
        }
        size_t length = (size_t)(end - begin) + 1 - i;
        r = put_braces(f, begin + i, length, names, begin + i, e);
        i += length - 1;
    }
    if (fclose(f) != 0 && r == 0)
        r = play_fail(e, begin, "out of memory");
    return r;
}

struct play_arguments *play_arguments_read(const char *text, const struct play_names *names,
                                           struct play_error *e)
{
    struct play_arguments *w = calloc(1, sizeof *w);
    const char *at = text;

    if (w == NULL) {
        play_fail(e, text, "out of memory");
        return NULL;
    }
    for (at += strspn(at, " \t"); *at != '\0'; at += strspn(at, " \t")) {
        size_t n = strcspn(at, " \t");
        w->where[w->n] = at;
        int r = w->n + 1 == PLAY_MAX_WORDS
                    ? play_fail(e, at, "more than %d words", PLAY_MAX_WORDS - 1)
                    : read_word(at, n, names, &w->at[w->n], e);
        if (r != 0) {
            w->n++;
            play_arguments_free(w);
            return NULL;
        }
        w->n++;
        at += n;
    }
    w->where[w->n] = at;
    return w;
}

void play_arguments_free(struct play_arguments *w)
{
    for (size_t i = 0; w != NULL && i < w->n; i++)
        free(w->at[i]);
    free(w);
}

const char *play_word_value(const char *word, const char *key)
{
    size_t n = strlen(key);

    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

int play_words_octets(const struct play_arguments *w, size_t from, size_t to, struct wr *ret,
                      struct play_error *e)
{
    for (size_t i = from; i < to; i++)
        TRY(play_word_octets(w, i, 0, ret, e));
    return 0;
}

int play_word_octets(const struct play_arguments *w, size_t i, size_t n, struct wr *ret,
                     struct play_error *e)
{
    size_t before = ret->n;

    if (i >= w->n)
        return play_fail(e, w->where[w->n], "octets are missing");
    if (!hex_read(w->at[i], ret))
        return play_fail(e, w->where[i], "not octets in hex, or too many: %.60s", w->at[i]);
    if (n != 0 && ret->n - before != n)
        return play_fail(e, w->where[i], "%zu octets, not %zu", n, ret->n - before);
    return 0;
}

int play_word_number(const struct play_arguments *w, size_t i, unsigned long max,
                     unsigned long *ret, struct play_error *e)
{
    if (i < w->n && number_read(w->at[i], max, ret))
        return 0;
    return play_fail(e, w->where[i < w->n ? i : w->n], "a number up to %lu", max);
}
