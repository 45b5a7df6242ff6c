/* desk.h - the bench of a download with an eIM at it. */
#ifndef TESTS_RSP_DESK_H
#define TESTS_RSP_DESK_H

#include "tests/rsp/bench.h"
#include "tests/rsp/eim.h"

struct desk {
    struct bench b;
    struct test_eim eim;
};

/* A card with one setting, KEY=VALUE or NULL, and the eIM "eim1" associated with a token. */
void desk_open(struct desk *d, const char *setting);
/* The second half of it. */
void desk_associate(struct desk *d);
void desk_close(struct desk *d);

#endif
