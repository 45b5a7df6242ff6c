/* chain.c - long commands in, long answers out. */
#include "card/chain.h"

#include <stdlib.h>
#include <string.h>

#include "card/sw.h"

enum { CLA_CHAINED = 0x10 };

static void drop_in(struct chain *c)
{
    free(c->in.p);
    memset(&c->in, 0, sizeof c->in);
}

static void drop_out(struct chain *c)
{
    free(c->out.p);
    memset(&c->out, 0, sizeof c->out);
}

void chain_reset(struct chain *c)
{
    drop_in(c);
    drop_out(c);
}

static uint16_t append(struct chain *c, const struct apdu *a)
{
    if (a->lc > CHAIN_MAX_COMMAND - c->in.n)
        return SW_WRONG_LENGTH;
    uint8_t *p = realloc(c->in.p, c->in.n + a->lc + 1);
    if (p == NULL)
        return SW_TECHNICAL_PROBLEM;
    c->in.p = p;
    if (a->lc > 0)
        memcpy(p + c->in.n, a->data, a->lc);
    c->in.n += a->lc;
    return SW_OK;
}

uint16_t chain_take(struct chain *c, bool chained, struct apdu *a)
{
    uint8_t cla = (uint8_t)(a->cla & ~CLA_CHAINED);

    drop_out(c);
    if (c->in.open &&
        (c->in.cla != cla || c->in.ins != a->ins || c->in.p1 != a->p1 || c->in.p2 != a->p2)) {
        drop_in(c);
        return SW_LAST_OF_CHAIN_EXPECTED;
    }
    if (!c->in.open) {
        drop_in(c);
        if (!chained)
            return SW_OK;
    }
    uint16_t sw = append(c, a);
    if (sw != SW_OK) {
        drop_in(c);
        return sw;
    }
    c->in.cla = cla;
    c->in.ins = a->ins;
    c->in.p1 = a->p1;
    c->in.p2 = a->p2;
    c->in.open = chained;
    if (chained)
        return CHAIN_MORE;
    a->data = c->in.p;
    a->lc = c->in.n;
    return SW_OK;
}

static size_t put_sw(uint8_t *response, size_t n, unsigned sw)
{
    response[n] = (uint8_t)(sw >> 8);
    response[n + 1] = (uint8_t)sw;
    return n + 2;
}

static bool is_warning(unsigned sw)
{
    return sw >> 8 == 0x62 || sw >> 8 == 0x63;
}

/* 62F1, or 62F2 with a proactive command: another block follows, whoever brings this one. */
static bool is_more_data(unsigned sw)
{
    return (sw & 0xFFF0) == (SW_MORE_DATA & 0xFFF0);
}

static unsigned bytes_left(size_t n)
{
    return SW_BYTES_LEFT | (n > 0xFF ? 0 : (unsigned)n);
}

/* What of n octets has to wait for GET RESPONSE. */
static size_t kept_back(const struct apdu *a, size_t n)
{
    return n > a->le ? n - a->le : 0;
}

bool chain_reserve(struct chain *c, const struct apdu *a, size_t n)
{
    drop_out(c);
    if (kept_back(a, n) == 0)
        return true;
    c->out.p = malloc(kept_back(a, n));
    return c->out.p != NULL;
}

size_t chain_answer(struct chain *c, const struct apdu *a, const uint8_t *data, size_t n,
                    uint16_t sw, uint8_t *response)
{
    size_t later = kept_back(a, n), now = n - later;

    if (c->out.n > 0 || later == 0)
        drop_out(c); /* of the command before */
    if (later > 0) {
        if (c->out.p == NULL && !chain_reserve(c, a, n))
            return put_sw(response, 0, SW_TECHNICAL_PROBLEM);
        memcpy(c->out.p, data + now, later);
        c->out.n = later;
        bool told = a->le == 0 && is_warning(sw);
        c->out.sw = told && !is_more_data(sw) ? SW_OK : sw;
        if (!told)
            sw = (uint16_t)bytes_left(later);
    }
    if (now > 0)
        memcpy(response, data, now);
    return put_sw(response, now, sw);
}

size_t chain_get_response(struct chain *c, const struct apdu *a, uint8_t *response)
{
    size_t left = c->out.n - c->out.at;

    drop_in(c);
    if (a->p1 != 0 || a->p2 != 0)
        return put_sw(response, 0, SW_WRONG_P1P2);
    if (c->out.p == NULL)
        return put_sw(response, 0, SW_CONDITIONS_OF_USE);
    bool any_length = a->le == 0 || a->le == APDU_MAX_SHORT_LE || a->le == APDU_MAX_EXTENDED_LE;
    if (!any_length && a->le > left)
        return put_sw(response, 0, SW_WRONG_LE | (left & 0xFF));
    size_t most = a->le == 0 ? APDU_MAX_SHORT_LE : a->le;
    size_t now = left < most ? left : most;
    memcpy(response, c->out.p + c->out.at, now);
    c->out.at += now;
    unsigned sw = now < left ? bytes_left(left - now) : c->out.sw;
    if (now == left)
        drop_out(c);
    return put_sw(response, now, sw);
}
