/* profile.h - our own profile package, profiles/operational.xer as DER. */
#ifndef TESTS_FUZZ_PROFILE_H
#define TESTS_FUZZ_PROFILE_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t profile_operational[];
extern const size_t profile_operational_len;

#endif
