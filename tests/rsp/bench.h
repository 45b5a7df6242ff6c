/* bench.h - a card and a server at one table, and the steps of a download between them. */
#ifndef TESTS_RSP_BENCH_H
#define TESTS_RSP_BENCH_H

#include "tests/rsp/card.h"
#include "tests/rsp/server.h"

struct bench {
    struct card card;
    struct server server;
    struct wr request, bpp;
    struct wr result; /* the ProfileInstallationResult that ended the last load; n == 0: none did */
    struct rsp_notification read; /* the same, read and verified */
};

struct bench_options {
    enum curve curve;    /* 0: P-256 */
    const char *pki_dir; /* of card and server */
    const char *seed;    /* NULL: random; else the same calls give the same octets */
    const struct softeuicc_setting *settings;
    size_t n_settings;
    const struct softeuicc_bytes *profiles;
    size_t n_profiles;
    const char *const *profile_words; /* as in struct softeuicc_new */
};

void bench_open(struct bench *b);
void bench_open_as(struct bench *b, const struct bench_options *options);
/* One setting as KEY=VALUE, or NULL. */
void bench_open_set(struct bench *b, const char *setting);
/* A card in a file. */
void bench_open_file(struct bench *b, const char *path);
void bench_close(struct bench *b);

/* GetEUICCChallenge, in a new transaction: 16 octets, living until the next command. */
struct rd bench_challenge(struct bench *b);

/* The steps; each asserts 9000 and everything that a good answer must keep, and returns the error
 * code of the answer, 0 when there is none.  plan NULL: the nominal one. */
long bench_authenticate(struct bench *b, const struct authenticate_plan *plan);
long bench_prepare(struct bench *b, const struct prepare_plan *plan);

/* Sends what b->bpp holds, until an answer has data.  false when the card went mute or no result
 * came; else b->result and b->read are set. */
bool bench_load(struct bench *b, enum slicing slicing);

/* All of it, nominally but for this plan; the last step asserts that there is a result. */
void bench_download_as(struct bench *b, const struct bpp_plan *plan, enum slicing slicing);
/* Profile `digit` (server_profile()), which must succeed; with more fields (hex) in its metadata.
 */
void bench_download(struct bench *b, unsigned digit);
void bench_download_with(struct bench *b, unsigned digit, const char *fields);

/* The pieces of b->bpp as LPAs send them. */
enum { LPA_PIECES_MAX = 64 };
size_t bench_slice(struct bench *b, struct rd ret[LPA_PIECES_MAX]);

/* Up to and including PrepareDownload, nominally. */
void bench_reach_prepared(struct bench *b);

/* Asserts which profiles there are and which one is enabled: "1-2+" for two of them, the second one
 * enabled. */
void bench_assert_profiles(struct bench *b, const char *states);

/* TERMINAL PROFILE of a terminal that takes every command. */
void bench_terminal_profile(struct bench *b);
/* FETCH of the REFRESH that waits, and the terminal's result: 00 done, 20 busy. */
void bench_refresh(struct bench *b, uint8_t result);

/* All pending notifications are removed from the card, the oldest first. */
void bench_remove_notifications(struct bench *b);

/* The card gives back the result under its number, octet for octet, until it is removed. */
void bench_assert_result_kept(struct bench *b);

#endif
