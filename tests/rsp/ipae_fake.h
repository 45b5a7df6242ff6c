/* ipae_fake.h - a card whose IPAe has servers in the test instead of a network.
 *
 * An exchange is one MORE TIME: the terminal's response to it brings the answer, so that the story
 * goes on APDU by APDU as with a real channel; closing is one more. */
#ifndef TESTS_RSP_IPAE_FAKE_H
#define TESTS_RSP_IPAE_FAKE_H

#include "lib/softeuicc.h"
#include "os/buf.h"

struct fake_exchange {
    const char *host, *path, *admin_protocol;
    bool coaps;
    bool once;
    int trust; /* enum tls_trust_kind */
    struct rd pinned;
    struct rd body;
    struct rd parameters; /* of the network */
};

struct fake_reply {
    int outcome; /* enum link_outcome */
    unsigned status;
    uint32_t retry_after;
    struct wr body;
};

typedef void fake_server_fn(const struct fake_exchange *x, struct fake_reply *ret);

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* After each power-on, before TERMINAL PROFILE. */
void fake_link_install(struct softeuicc *card, fake_server_fn *server);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
