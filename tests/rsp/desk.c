/* desk.c - the bench of a download with an eIM at it. */
#include "tests/rsp/desk.h"

void desk_associate(struct desk *d)
{
    test_eim_open(&d->eim, &d->b.server, "eim1", EIM_KEY_1);
    test_eim_associate(&d->eim, &d->b.card, true);
}

void desk_open(struct desk *d, const char *setting)
{
    bench_open_set(&d->b, setting);
    desk_associate(d);
}

void desk_close(struct desk *d)
{
    test_eim_close(&d->eim);
    bench_close(&d->b);
}
