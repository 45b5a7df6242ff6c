/* err.h - the faults of the operating system, and how they travel.
 *
 * Functions that can fail return int.  0 is success.  A negative code is a fault: it is passed up
 * untouched, and os/dispatch.c is the one place that turns it into a status word.  A positive
 * value is a status word that a command handler chose on purpose (card/sw.h). */
#ifndef OS_ERR_H
#define OS_ERR_H

enum err {
    ERR_INPUT = -1,  /* the terminal's bytes do not parse, or break a bound       -> 6A80 */
    ERR_NVM = -2,    /* the storage failed, or its power was cut                  -> 6581 */
    ERR_CRYPTO = -3, /* the cryptographic library failed (not: did not verify)    -> 6F00 */
    ERR_NOMEM = -4,  /* out of working memory, or an answer beyond its bound      -> 6F00 */
    ERR_BUG = -5,    /* something that cannot be                                  -> 6F00 */
    ERR_SPACE = -6,  /* the card's configured memory is full                      -> 6A84 */
};

/* A name for traces, "ERR_INPUT"; "ERR_?" for a code that is not in the table. */
const char *err_name(int err);

/* Evaluates once and leaves the function with whatever is not 0. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        int try_result = (expr);                                                                   \
        if (try_result != 0)                                                                       \
            return try_result;                                                                     \
    } while (0)

#define N_ELEMS(array) (sizeof(array) / sizeof(array)[0])

#endif
