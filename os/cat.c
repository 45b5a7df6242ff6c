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

    TYPE_REFRESH = 0x01,
    REFRESH_UICC_RESET = 0x04,
    REFRESH_EUICC_PROFILE_STATE_CHANGE = 0x09,

    DEVICE_UICC = 0x81,
    DEVICE_TERMINAL = 0x82,

    /* TERMINAL PROFILE, TS 102 223 5.2: index from 0 and bit of two facilities. */
    PROFILE_REFRESH_OCTET = 2,
    PROFILE_REFRESH_BIT = 0x80,
    PROFILE_STATE_CHANGE_OCTET = 33,
    PROFILE_STATE_CHANGE_BIT = 0x20,

    RESULT_FIRST_FAILURE = 0x20, /* TS 102 223 8.12: 0x and 1x are "performed" */
};

void cat_reset(struct cat *c)
{
    memset(c, 0, sizeof *c);
}

bool cat_is_busy(const struct cat *c)
{
    return c->state != CAT_IDLE;
}

static bool terminal_can(const struct cat *c, size_t octet, uint8_t bit)
{
    return octet < c->profile_len && (c->profile[octet] & bit) != 0;
}

bool cat_queue_refresh(struct cat *c, cat_refresh_fn *ended)
{
    if (!c->has_profile || !terminal_can(c, PROFILE_REFRESH_OCTET, PROFILE_REFRESH_BIT))
        return false;

    uint8_t how = terminal_can(c, PROFILE_STATE_CHANGE_OCTET, PROFILE_STATE_CHANGE_BIT)
                      ? REFRESH_EUICC_PROFILE_STATE_CHANGE
                      : REFRESH_UICC_RESET;
    const uint8_t details[] = { ++c->number, TYPE_REFRESH, how };
    const uint8_t devices[] = { DEVICE_UICC, DEVICE_TERMINAL };
    struct wr w;

    wr_init(&w, c->command, sizeof c->command);
    struct wr_mark m = tlv_open(&w, TAG_PROACTIVE);
    tlv_put(&w, TAG_COMMAND_DETAILS, rd_of(details, sizeof details));
    tlv_put(&w, TAG_DEVICE_IDENTITIES, rd_of(devices, sizeof devices));
    tlv_close(&w, m);
    c->command_len = w.n;
    c->refresh_ended = ended;
    c->state = CAT_PENDING;
    return true;
}

uint16_t cat_ending(const struct cat *c)
{
    return (uint16_t)(c->state == CAT_PENDING ? SW_PROACTIVE | c->command_len : SW_OK);
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

    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    if (c->state != CAT_PENDING)
        return SW_CONDITIONS_OF_USE;
    if (a->le != c->command_len && a->le != APDU_MAX_SHORT_LE)
        return (int)(SW_WRONG_LE | c->command_len);
    wr_put(rsp, c->command, c->command_len);
    c->state = CAT_FETCHED;
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
    if (c->state != CAT_FETCHED)
        return SW_CONDITIONS_OF_USE;
    if (!tlv_find(body, TAG_COMMAND_DETAILS, &details) &&
        !tlv_find(body, TAG_COMMAND_DETAILS & ~CR, &details))
        return SW_WRONG_DATA;
    if (!tlv_find(body, TAG_RESULT, &result) && !tlv_find(body, TAG_RESULT & ~CR, &result))
        return SW_WRONG_DATA;
    if (details.value.n != 3 || details.value.p[0] != c->number || result.value.n < 1)
        return SW_WRONG_DATA;
    c->state = CAT_IDLE;
    return c->refresh_ended(s->euicc, result.value.p[0] < RESULT_FIRST_FAILURE);
}
