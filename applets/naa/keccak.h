/* keccak.h - the permutation Keccak-f[1600] (FIPS 202 3.3, TS 35.231 6). */
#ifndef APPLETS_NAA_KECCAK_H
#define APPLETS_NAA_KECCAK_H

#include <stdint.h>

enum { KECCAK_STATE_LEN = 200 };

/* The state as octets in the order of FIPS 202 B.1: bit 0 is the lowest of the first octet. */
void keccak_f1600(uint8_t state[KECCAK_STATE_LEN]);

#endif
