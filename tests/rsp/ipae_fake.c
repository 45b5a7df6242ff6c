/* ipae_fake.c - a card whose IPAe has servers in the test. */
#include "tests/rsp/ipae_fake.h"

#include "applets/ipae/ipae.h"

enum { REPLY_MAX = 1 << 20 };

static struct {
    fake_server_fn *server;
    struct cat_command exchange, closing;
    struct link_request q;
    bool asked, open;
    link_rested_fn *rested;
    void *ctx;
} fake;

/* struct softeuicc begins with it. */
static struct euicc *inner(struct softeuicc *card)
{
    return (struct euicc *)(void *)card;
}

static int exchange_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    const struct link_request q = fake.q;
    struct fake_reply reply = { .status = 200 };

    (void)ctx;
    if (!fake.asked)
        return 0;
    fake.asked = false;
    wr_init_heap(&reply.body, REPLY_MAX);
    const struct fake_exchange x = { .host = q.server->host,
                                     .path = q.server->path,
                                     .admin_protocol = q.server->admin_protocol,
                                     .coaps = q.server->how == LINK_COAPS,
                                     .once = q.once,
                                     .trust = (int)q.server->trust.kind,
                                     .pinned = q.server->trust.pinned,
                                     .body = q.body,
                                     .parameters = q.network->parameters };
    if (r->done)
        fake.server(&x, &reply);
    else
        reply.outcome = LINK_RETRY_LATER;
    if (reply.outcome != LINK_OK) {
        fake.open = false;
        wr_clear(&reply.body);
    }
    const struct link_answer a = {
        .outcome = (enum link_outcome)reply.outcome,
        .reason = "as the test says",
        .status = reply.status,
        .retry_after = reply.retry_after,
        .content_type = "",
        .body = wr_view(&reply.body),
    };
    int err = q.done(e, q.ctx, &a);
    wr_done(&reply.body);
    return err;
}

static int closing_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    link_rested_fn *rested = fake.rested;

    (void)ctx;
    (void)r;
    fake.rested = NULL;
    return rested != NULL ? rested(e, fake.ctx) : 0;
}

static enum link_outcome request(struct euicc *e, struct link *l, const struct link_request *q)
{
    (void)l;
    if (fake.asked || fake.exchange.queued)
        return LINK_REFUSED;
    fake.exchange = (struct cat_command){ .type = CAT_MORE_TIME, .ended = exchange_ended };
    if (!cat_submit(&e->cat, &fake.exchange))
        return LINK_RETRY_LATER;
    fake.q = *q;
    fake.asked = fake.open = true;
    return LINK_OK;
}

static bool close_it(struct euicc *e, struct link *l, link_rested_fn *rested, void *ctx)
{
    (void)l;
    fake.asked = false;
    fake.rested = rested;
    fake.ctx = ctx;
    if (!fake.open || fake.closing.queued)
        return fake.open;
    fake.open = false;
    cat_withdraw(&e->cat, &fake.exchange);
    fake.closing = (struct cat_command){ .type = CAT_MORE_TIME, .ended = closing_ended };
    return cat_submit(&e->cat, &fake.closing);
}

void fake_link_install(struct softeuicc *card, fake_server_fn *server)
{
    static const struct ipae_link_ops ops = { request, close_it };

    fake.server = server;
    fake.exchange.queued = fake.closing.queued = false;
    fake.asked = fake.open = false;
    fake.rested = NULL;
    ipae_use_link(inner(card), &ops);
}
