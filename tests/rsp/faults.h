/* faults.h - a card whose n-th allocation fails.
 *
 * The library is built once more with its allocations redirected here; only the card's are, not
 * those of the test, of OpenSSL or of the C library. */
#ifndef TESTS_RSP_FAULTS_H
#define TESTS_RSP_FAULTS_H

#include <stdbool.h>

#pragma GCC visibility push(default)

/* From now on, while faults are on, the n-th allocation (from 0) fails, once. */
void faults_arm(unsigned long n);

/* Did it? */
bool faults_hit(void);

/* A struct card's hook: faults are on while the card runs. */
void faults_hook(bool begins);

#pragma GCC visibility pop

#endif
