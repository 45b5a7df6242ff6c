/* bare.h - the cryptography of a download on the card's side, and nothing else, done with OpenSSL:
 * the measure for everything else that the card does. */
#ifndef TESTS_BENCH_BARE_H
#define TESTS_BENCH_BARE_H

#include "os/crypto.h"
#include "os/tlv.h"

enum { BARE_PIECES_MAX = 512 };

/* The messages of one download, as the card got and gave them. */
struct download {
    struct wr authenticate, authenticate_answer; /* AuthenticateServer */
    struct wr prepare, prepare_answer;           /* PrepareDownload */
    struct wr package;                           /* BoundProfilePackage */
    struct rd pieces[BARE_PIECES_MAX];           /* of it, as SGP.22 2.5.5 cuts it */
    size_t n_pieces;
    struct wr result;       /* ProfileInstallationResult */
    unsigned notifications; /* signed beside the result */
    enum curve curve;
    uint8_t ci_point[EC_POINT_LEN];
};

struct bare;

struct bare *bare_new(enum curve curve);
void bare_free(struct bare **b);

/* Certificates are parsed, signatures of the messages verified, the card's made anew, keys agreed
 * on, and all segments MACed and decrypted.  Ends the program when anything fails. */
void bare_run(struct bare *b, const struct download *d);

/* The least that an eUICC Package costs: eimSignature verified over its parts, and a result
 * signed.  The eIM's key is read once and is the same each time. */
struct package_cost {
    const uint8_t *eim_point;
    const struct rd *parts;
    size_t n_parts;
    struct rd signature, result;
};
void bare_package(struct bare *b, const struct package_cost *p);

#endif
