/* uicc_pin.c - VERIFY, CHANGE, DISABLE, ENABLE and UNBLOCK PIN (TS 102 221 11.1.9 to 11.1.13).
 *
 * What becomes of values and attempts is os/pin.c's; here are the commands' forms. */
#include "os/euicc.h"
#include "os/uicc.h"

typedef int pin_one_fn(struct nvm *nvm, const char *prefix, struct pin_status *s,
                       const struct pin *pin, struct rd value);
typedef int pin_two_fn(struct nvm *nvm, const char *prefix, struct pin_status *s,
                       const struct pin *pin, struct rd first, struct rd second);

/* DISABLE PIN: the universal PIN takes the place of P2's (TS 102 221 11.1.11). */
enum { INS_DISABLE_PIN = 0x26, REPLACE_BY_UNIVERSAL = 0x80 | PIN_UNIVERSAL };

static int refuse_p1(struct session *s, const struct apdu *a)
{
    return a->p1 & 0x80
               ? uicc_refuse(s, a, SW_FUNCTION_NOT_SUPPORTED, "P1 names no PIN that replaces one")
               : uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is not 00");
}

/* The PIN that P2 names in the current DF; the caller wipes it. */
static int find(struct session *s, const struct apdu *a, struct pin *ret)
{
    const struct access_context c = uicc_access(s);
    bool found;

    if (a->p1 != 0 && !(a->ins == INS_DISABLE_PIN && a->p1 == REPLACE_BY_UNIVERSAL))
        return refuse_p1(s, a);
    TRY(access_find_pin(&c, s->files.df, a->p2, ret, &found));
    return found ? 0 : uicc_refuse(s, a, SW_REFERENCE_NOT_FOUND, "there is no such PIN");
}

static int tell(const struct session *s, const struct apdu *a, int result)
{
    return result > 0 ? uicc_refuse(s, a, result, "the PIN says") : result;
}

/* Without a value the attempts are asked for (TS 102 221 11.1.9.1, 11.1.13.1). */
static int tell_tries(const struct session *s, const struct apdu *a, uint64_t left)
{
    if (left == 0)
        return uicc_refuse(s, a, SW_BLOCKED, "asked for the attempts left");
    left = left < PIN_TRIES_SHOWN_MAX ? left : PIN_TRIES_SHOWN_MAX;
    return uicc_refuse(s, a, SW_TRIES_LEFT | (int)left, "asked for the attempts left");
}

static int with_one(struct session *s, const struct apdu *a, pin_one_fn *fn)
{
    struct uicc *u = &s->euicc->uicc;
    struct pin pin;

    TRY(find(s, a, &pin));
    int result = a->lc == PIN_LEN
                     ? fn(s->euicc->nvm, u->fs.prefix, &u->pins, &pin, rd_of(a->data, PIN_LEN))
                     : SW_WRONG_LENGTH;
    crypto_wipe(&pin, sizeof pin);
    return tell(s, a, result);
}

static int with_two(struct session *s, const struct apdu *a, pin_two_fn *fn)
{
    struct uicc *u = &s->euicc->uicc;
    struct pin pin;

    TRY(find(s, a, &pin));
    int result = a->lc == 2 * PIN_LEN
                     ? fn(s->euicc->nvm, u->fs.prefix, &u->pins, &pin, rd_of(a->data, PIN_LEN),
                          rd_of(a->data + PIN_LEN, PIN_LEN))
                     : SW_WRONG_LENGTH;
    crypto_wipe(&pin, sizeof pin);
    return tell(s, a, result);
}

int uicc_verify(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct pin pin;
    uint64_t left;

    (void)rsp;
    if (a->lc != 0)
        return with_one(s, a, pin_verify);
    TRY(find(s, a, &pin));
    int err = pin_left(s->euicc->nvm, s->euicc->uicc.fs.prefix, &pin, &left);
    crypto_wipe(&pin, sizeof pin);
    return err != 0 ? err : tell_tries(s, a, left);
}

int uicc_change_pin(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)rsp;
    return with_two(s, a, pin_change);
}

int uicc_disable_pin(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)rsp;
    return with_one(s, a, a->p1 == REPLACE_BY_UNIVERSAL ? pin_replace : pin_disable);
}

int uicc_enable_pin(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)rsp;
    return with_one(s, a, pin_enable);
}

int uicc_unblock_pin(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct pin pin;
    uint64_t left;
    bool found;

    (void)rsp;
    if (a->lc != 0)
        return with_two(s, a, pin_unblock);
    TRY(find(s, a, &pin));
    uint8_t puk = pin.puk;
    crypto_wipe(&pin, sizeof pin);
    TRY(puk_left(s->euicc->nvm, s->euicc->uicc.fs.prefix, puk, &left, &found));
    if (puk == 0 || !found)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "this PIN has no PUK");
    return tell_tries(s, a, left);
}
