/* keccak.c - Keccak-f[1600]: 24 rounds of theta, rho, pi, chi, iota on 5 x 5 lanes of 64 bits
 * (FIPS 202 3.2).  Lane (x, y) is lanes[5 * y + x]. */
#include "applets/naa/keccak.h"

#include "os/crypto.h"
#include "os/err.h"

enum { LANES = 25, ROUNDS = 24, LANE_LEN = 8 };

static const uint64_t round_constants[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
    0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* How far rho turns each lane (FIPS 202 3.2.2 table 2, modulo 64). */
static const unsigned offsets[LANES] = {
    0,  1,  62, 28, 27, /* y = 0, x = 0 to 4 */
    36, 44, 6,  55, 20, /* y = 1 */
    3,  10, 43, 25, 39, /* y = 2 */
    41, 45, 15, 21, 8,  /* y = 3 */
    18, 2,  61, 56, 14, /* y = 4 */
};

static uint64_t turn(uint64_t lane, unsigned bits)
{
    return bits == 0 ? lane : lane << bits | lane >> (64 - bits);
}

static void theta(uint64_t a[LANES])
{
    uint64_t column[5];

    for (unsigned x = 0; x < 5; x++)
        column[x] = a[x] ^ a[5 + x] ^ a[10 + x] ^ a[15 + x] ^ a[20 + x];
    for (unsigned i = 0; i < LANES; i++)
        a[i] ^= column[(i + 4) % 5] ^ turn(column[(i + 1) % 5], 1);
}

static void rho_and_pi(const uint64_t a[LANES], uint64_t ret[LANES])
{
    for (unsigned y = 0; y < 5; y++)
        for (unsigned x = 0; x < 5; x++)
            ret[5 * ((2 * x + 3 * y) % 5) + y] = turn(a[5 * y + x], offsets[5 * y + x]);
}

static void chi(const uint64_t a[LANES], uint64_t ret[LANES])
{
    for (unsigned y = 0; y < LANES; y += 5)
        for (unsigned x = 0; x < 5; x++)
            ret[y + x] = a[y + x] ^ (~a[y + (x + 1) % 5] & a[y + (x + 2) % 5]);
}

void keccak_f1600(uint8_t state[KECCAK_STATE_LEN])
{
    uint64_t a[LANES] = { 0 }, b[LANES];

    for (unsigned i = 0; i < KECCAK_STATE_LEN; i++)
        a[i / LANE_LEN] |= (uint64_t)state[i] << (8 * (i % LANE_LEN));
    for (unsigned round = 0; round < ROUNDS; round++) {
        theta(a);
        rho_and_pi(a, b);
        chi(b, a);
        a[0] ^= round_constants[round];
    }
    for (unsigned i = 0; i < KECCAK_STATE_LEN; i++)
        state[i] = (uint8_t)(a[i / LANE_LEN] >> (8 * (i % LANE_LEN)));
    crypto_wipe(a, sizeof a);
    crypto_wipe(b, sizeof b);
}
