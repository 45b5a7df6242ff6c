/* play_words.h - arguments that are words: options KEY=VALUE, names, octets in hex.  {name} in a
 * word is what the variable holds, in hex. */
#ifndef LAB_PLAY_WORDS_H
#define LAB_PLAY_WORDS_H

#include "lab/play_octets.h"

enum { PLAY_MAX_WORDS = 128 };

struct play_arguments {
    char *at[PLAY_MAX_WORDS];              /* ours */
    const char *where[PLAY_MAX_WORDS + 1]; /* into the script; where[n] is its end */
    size_t n;
};

/* NULL with *e; freed by play_arguments_free(). */
struct play_arguments *play_arguments_read(const char *text, const struct play_names *names,
                                           struct play_error *e);
void play_arguments_free(struct play_arguments *w);

/* "KEY=" at the beginning of a word: what follows it; else NULL. */
const char *play_word_value(const char *word, const char *key);

/* Words that are octets, one behind the other. */
int play_words_octets(const struct play_arguments *w, size_t from, size_t to, struct wr *ret,
                      struct play_error *e);
/* One word of exactly n octets; n 0: any number. */
int play_word_octets(const struct play_arguments *w, size_t i, size_t n, struct wr *ret,
                     struct play_error *e);
int play_word_number(const struct play_arguments *w, size_t i, unsigned long max,
                     unsigned long *ret, struct play_error *e);

#endif
