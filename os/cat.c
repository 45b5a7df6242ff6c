/* cat.c - proactive commands. */
#include "os/cat.h"

#include <string.h>

#include "os/euicc.h"
#include "os/tlv.h"

enum {
    TAG_PROACTIVE = 0xD0, /* TS 102 223 9.2 */
    TAG_COMMAND_DETAILS = 0x81,
    TAG_DEVICE_IDENTITIES = 0x82,
    TAG_RESULT = 0x83,
    CR = 0x80, /* comprehension required, in simple TLV tags */

    NUMBER_MAX = 0xFE, /* TS 102 223 8.6 */

    DEVICE_UICC = 0x81,
    DEVICE_TERMINAL = 0x82,
    DEVICE_NETWORK = 0x83,

    RESULT_FIRST_FAILURE = 0x20, /* TS 102 223 8.12: 0x and 1x are "performed" */
};

/* A facility of TERMINAL PROFILE (TS 102 223 5.2): index from 0, and bit. */
struct facility {
    size_t octet;
    uint8_t bit;
};

static const struct facility profile_state_change = { 33, 0x20 };

/* What we use: who carries it out, and where the terminal says that it can. */
static const struct kind {
    enum cat_type type;
    const char *name;
    uint8_t device;
    struct facility facility;
} kinds[] = {
    { CAT_REFRESH, "REFRESH", DEVICE_TERMINAL, { 2, 0x80 } },
    { CAT_SEND_SHORT_MESSAGE, "SEND SHORT MESSAGE", DEVICE_NETWORK, { 3, 0x02 } },
};

void cat_reset(struct cat *c)
{
    memset(c, 0, sizeof *c);
}

void cat_profile_changed(struct cat *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->n_queue; i++) {
        bool is_fetched = i == 0 && c->fetched;
        if (is_fetched || c->queue[i].type == CAT_REFRESH)
            c->queue[kept++] = c->queue[i];
    }
    c->n_queue = kept;
}

bool cat_is_busy(const struct cat *c)
{
    return c->n_queue > 0;
}

static bool terminal_can(const struct cat *c, const struct facility *f)
{
    return f->octet < c->profile_len && (c->profile[f->octet] & f->bit) != 0;
}

static const struct kind *kind_of(enum cat_type type)
{
    for (size_t i = 0; i < N_ELEMS(kinds); i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

bool cat_can(const struct cat *c, enum cat_type type)
{
    const struct kind *kind = kind_of(type);

    return kind != NULL && c->has_profile && terminal_can(c, &kind->facility) &&
           c->n_queue < CAT_QUEUE_MAX;
}

bool cat_queue(struct cat *c, enum cat_type type, uint8_t qualifier, struct rd tlvs,
               cat_ended_fn *ended)
{
    if (!cat_can(c, type))
        return false;

    struct cat_command *command = &c->queue[c->n_queue];
    uint8_t number = c->number < NUMBER_MAX ? (uint8_t)(c->number + 1) : 1;
    const uint8_t details[] = { number, (uint8_t)type, qualifier };
    const uint8_t devices[] = { DEVICE_UICC, kind_of(type)->device };
    struct wr w;

    wr_init(&w, command->octets, sizeof command->octets);
    struct wr_mark m = tlv_open(&w, TAG_PROACTIVE);
    tlv_put(&w, TAG_COMMAND_DETAILS, rd_of(details, sizeof details));
    tlv_put(&w, TAG_DEVICE_IDENTITIES, rd_of(devices, sizeof devices));
    wr_put_rd(&w, tlvs);
    tlv_close(&w, m);
    if (wr_failed(&w) != 0)
        return false;
    command->n = w.n;
    command->type = (uint8_t)type;
    command->number = c->number = number;
    command->ended = ended;
    c->n_queue++;
    return true;
}

bool cat_queue_refresh(struct cat *c, enum cat_refresh how, cat_ended_fn *ended)
{
    if (how == CAT_PROFILE_STATE_CHANGE && !terminal_can(c, &profile_state_change))
        how = CAT_UICC_RESET;
    return cat_queue(c, CAT_REFRESH, (uint8_t)how, rd_of(NULL, 0), ended);
}

/* Who waits for its end may queue the next one: it is gone before. */
static cat_ended_fn *take_first(struct cat *c)
{
    cat_ended_fn *ended = c->queue[0].ended;

    c->n_queue--;
    memmove(c->queue, c->queue + 1, c->n_queue * sizeof c->queue[0]);
    c->fetched = false;
    return ended;
}

uint16_t cat_ending(const struct cat *c)
{
    return (uint16_t)(c->n_queue > 0 && !c->fetched ? SW_PROACTIVE | c->queue[0].n : SW_OK);
}

int cat_terminal_profile(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct cat *c = &s->euicc->cat;

    (void)rsp;
    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    c->has_profile = true;
    c->profile_len = a->lc < sizeof c->profile ? a->lc : sizeof c->profile;
    memcpy(c->profile, a->data, c->profile_len);
    return 0;
}

int cat_fetch(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct cat *c = &s->euicc->cat;
    const struct cat_command *first = &c->queue[0];

    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    if (c->n_queue == 0 || c->fetched)
        return SW_CONDITIONS_OF_USE;
    if (a->le != first->n && a->le != APDU_MAX_SHORT_LE)
        return (int)(SW_WRONG_LE | first->n);
    wr_put(rsp, first->octets, first->n);
    trace_named(&s->euicc->trace, TRACE_CAT, kind_of((enum cat_type)first->type)->name,
                first->octets, first->n);
    c->fetched = true;
    return 0;
}

int cat_terminal_response(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct cat *c = &s->euicc->cat;
    struct rd body = rd_of(a->data, a->lc);
    struct tlv details, result;

    (void)rsp;
    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    if (!c->fetched)
        return SW_CONDITIONS_OF_USE;
    if (!tlv_find(body, TAG_COMMAND_DETAILS, &details) &&
        !tlv_find(body, TAG_COMMAND_DETAILS & ~CR, &details))
        return SW_WRONG_DATA;
    if (!tlv_find(body, TAG_RESULT, &result) && !tlv_find(body, TAG_RESULT & ~CR, &result))
        return SW_WRONG_DATA;
    if (details.value.n != 3 || details.value.p[0] != c->queue[0].number ||
        details.value.p[1] != c->queue[0].type || result.value.n < 1)
        return SW_WRONG_DATA;
    cat_ended_fn *ended = take_first(c);
    return ended != NULL ? ended(s->euicc, result.value.p[0] < RESULT_FIRST_FAILURE) : 0;
}
