/* pin.c - PINs of one profile: what is stored, and the five commands (TS 102 221 9.5, 11.1.9 to
 * 11.1.13).
 *
 * A PIN is one object (docs/STATE.md), its attempts are another, which is counted down and
 * committed before the value is looked at; whatever a command changes is one commit afterwards,
 * together with the attempts it gives back.  A cut in between costs an attempt, never gives one. */
#include "os/pin.h"

#include <stdio.h>
#include <string.h>

#include "card/sw.h"
#include "os/crypto.h"
#include "os/err.h"
#include "os/fs.h"
#include "os/tlv.h"

enum {
    TAG_VALUE = 0x80,
    TAG_PUK = 0x81,
    TAG_ATTRIBUTES = 0x82,
    TAG_MAX = 0x83,
    TAG_REPLACED = 0x84, /* only there with a PIN that is */

    OBJECT_MAX = 32,
};

/* --- objects ---------------------------------------------------------------------------------- */

static void pin_key(const char *prefix, uint16_t context, uint8_t reference, const char *end,
                    char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "%.32spin/%04x-%02x%.8s", prefix, context, reference, end);
}

static void puk_key(const char *prefix, uint8_t reference, const char *end, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "%.32spuk/%02x%.8s", prefix, reference, end);
}

/* Stores what the writer holds, and leaves nothing of it behind. */
static int put_object(struct nvm *nvm, const char *key, struct wr *object)
{
    int err = wr_failed(object);

    if (err == 0)
        err = nvm_put(nvm, key, wr_view(object));
    crypto_wipe(object->p, object->size);
    return err;
}

static int put_pin(struct nvm *nvm, const char *prefix, const struct pin *pin)
{
    uint8_t octets[OBJECT_MAX];
    char key[NVM_KEY_MAX];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    tlv_put(&w, TAG_VALUE, rd_of(pin->value, PIN_LEN));
    tlv_put_u8(&w, TAG_PUK, pin->puk);
    tlv_put_u8(&w, TAG_ATTRIBUTES, pin->attributes);
    tlv_put_u8(&w, TAG_MAX, pin->max);
    if (pin->replaced)
        tlv_put_u8(&w, TAG_REPLACED, PIN_UNIVERSAL);
    pin_key(prefix, pin->context, pin->reference, "", key);
    return put_object(nvm, key, &w);
}

static int put_pin_left(struct nvm *nvm, const char *prefix, const struct pin *pin, uint8_t left)
{
    char key[NVM_KEY_MAX];

    pin_key(prefix, pin->context, pin->reference, "/left", key);
    return nvm_put_uint(nvm, key, left);
}

static int put_puk_left(struct nvm *nvm, const char *prefix, uint8_t reference, uint8_t left)
{
    char key[NVM_KEY_MAX];

    puk_key(prefix, reference, "/left", key);
    return nvm_put_uint(nvm, key, left);
}

int pin_store(struct nvm *nvm, const char *prefix, const struct pin *pin, uint8_t left)
{
    TRY(put_pin(nvm, prefix, pin));
    return put_pin_left(nvm, prefix, pin, left);
}

int puk_store(struct nvm *nvm, const char *prefix, const struct puk *puk, uint8_t left)
{
    uint8_t octets[OBJECT_MAX];
    char key[NVM_KEY_MAX];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    tlv_put(&w, TAG_VALUE, rd_of(puk->value, PIN_LEN));
    tlv_put_u8(&w, TAG_MAX, puk->max);
    puk_key(prefix, puk->reference, "", key);
    TRY(put_object(nvm, key, &w));
    return put_puk_left(nvm, prefix, puk->reference, left);
}

static bool take_octet(struct rd object, uint32_t tag, uint8_t *ret)
{
    struct tlv t;

    if (!tlv_find(object, tag, &t) || t.value.n != 1)
        return false;
    *ret = t.value.p[0];
    return true;
}

static bool take_value(struct rd object, uint8_t ret[PIN_LEN])
{
    struct tlv t;

    if (!tlv_find(object, TAG_VALUE, &t) || t.value.n != PIN_LEN)
        return false;
    memcpy(ret, t.value.p, PIN_LEN);
    return true;
}

/* Only a PIN that was replaced has the object; another reference in it is damage. */
static bool take_replaced(struct rd object, bool *ret)
{
    struct tlv t;

    *ret = tlv_find(object, TAG_REPLACED, &t);
    return !*ret || (t.value.n == 1 && t.value.p[0] == PIN_UNIVERSAL);
}

static int load_own(struct nvm *nvm, const char *prefix, uint16_t context, uint8_t reference,
                    struct pin *ret, bool *ret_found)
{
    uint8_t octets[OBJECT_MAX];
    char key[NVM_KEY_MAX];
    struct wr w;
    struct pin pin = { .reference = reference, .context = context };
    bool found = false;

    pin_key(prefix, context, reference, "", key);
    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(nvm, key, &w, &found));
    struct rd object = wr_view(&w);
    bool whole = found && wr_failed(&w) == 0 && take_value(object, pin.value) &&
                 take_octet(object, TAG_PUK, &pin.puk) &&
                 take_octet(object, TAG_ATTRIBUTES, &pin.attributes) &&
                 take_octet(object, TAG_MAX, &pin.max) && take_replaced(object, &pin.replaced);
    crypto_wipe(octets, w.n);
    if (whole)
        *ret = pin;
    crypto_wipe(pin.value, PIN_LEN);
    if (found && !whole)
        return FAULT(nvm_trace(nvm), ERR_NVM, "%s is damaged", key);
    *ret_found = found;
    return 0;
}

static void share_key(const char *prefix, uint16_t context, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "%.32spin/%04x", prefix, context);
}

int pin_share(struct nvm *nvm, const char *prefix, uint16_t context, uint16_t owner)
{
    char key[NVM_KEY_MAX];

    share_key(prefix, context, key);
    return nvm_put_uint(nvm, key, owner);
}

int pin_load(struct nvm *nvm, const char *prefix, uint16_t context, uint8_t reference,
             struct pin *ret, bool *ret_found)
{
    char key[NVM_KEY_MAX];
    uint64_t owner;
    bool found = false;

    TRY(load_own(nvm, prefix, context, reference, ret, &found));
    if (!found) {
        share_key(prefix, context, key);
        TRY(nvm_get_uint(nvm, key, context, &owner));
        if (owner != context && owner <= UINT16_MAX)
            TRY(load_own(nvm, prefix, (uint16_t)owner, reference, ret, &found));
    }
    *ret_found = found;
    return 0;
}

static int puk_load(struct nvm *nvm, const char *prefix, uint8_t reference, struct puk *ret,
                    bool *ret_found)
{
    uint8_t octets[OBJECT_MAX];
    char key[NVM_KEY_MAX];
    struct wr w;
    bool found = false;

    puk_key(prefix, reference, "", key);
    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(nvm, key, &w, &found));
    struct rd object = wr_view(&w);
    bool whole = found && wr_failed(&w) == 0 && take_value(object, ret->value) &&
                 take_octet(object, TAG_MAX, &ret->max);
    crypto_wipe(octets, w.n);
    if (found && !whole)
        return FAULT(nvm_trace(nvm), ERR_NVM, "%s is damaged", key);
    ret->reference = reference;
    *ret_found = found;
    return 0;
}

int pin_left(struct nvm *nvm, const char *prefix, const struct pin *pin, uint64_t *ret)
{
    char key[NVM_KEY_MAX];

    pin_key(prefix, pin->context, pin->reference, "/left", key);
    return nvm_get_uint(nvm, key, 0, ret);
}

int puk_left(struct nvm *nvm, const char *prefix, uint8_t reference, uint64_t *ret, bool *ret_found)
{
    struct puk puk;
    char key[NVM_KEY_MAX];
    bool found = false;

    TRY(puk_load(nvm, prefix, reference, &puk, &found));
    crypto_wipe(&puk, sizeof puk);
    puk_key(prefix, reference, "/left", key);
    TRY(nvm_get_uint(nvm, key, 0, ret));
    *ret_found = found;
    return 0;
}

/* --- what is verified ------------------------------------------------------------------------- */

static unsigned find_verified(const struct pin_status *s, uint16_t context, uint8_t reference)
{
    unsigned i = 0;

    while (i < s->n && (s->verified[i].context != context || s->verified[i].reference != reference))
        i++;
    return i;
}

bool pin_is_verified(const struct pin_status *s, uint16_t context, uint8_t reference)
{
    return find_verified(s, context, reference) < s->n;
}

void pin_forget(struct pin_status *s, unsigned i)
{
    s->n--;
    memmove(&s->verified[i], &s->verified[i + 1], (s->n - i) * sizeof s->verified[0]);
}

static void set_unverified(struct pin_status *s, const struct pin *pin)
{
    unsigned i = find_verified(s, pin->context, pin->reference);

    if (i < s->n)
        pin_forget(s, i);
}

/* When there is no room, the oldest has to be verified again. */
static void set_verified(struct pin_status *s, const struct pin *pin)
{
    set_unverified(s, pin);
    if (s->n == PIN_MAX_VERIFIED)
        pin_forget(s, 0);
    s->verified[s->n].context = pin->context;
    s->verified[s->n].reference = pin->reference;
    s->n++;
}

/* --- the commands ----------------------------------------------------------------------------- */

/* One guess at a value: its attempts in key are counted down, and what remains is stored, before
 * anything is compared.  0 when it was right: the caller gives the attempts back. */
static int guess(struct nvm *nvm, const char *key, const uint8_t want[PIN_LEN], struct rd value)
{
    uint64_t left;

    if (value.n != PIN_LEN)
        return SW_WRONG_LENGTH;
    TRY(nvm_get_uint(nvm, key, 0, &left));
    if (left == 0)
        return SW_BLOCKED;
    TRY(nvm_count_down(nvm, key, &left));
    if (crypto_equal(value.p, want, PIN_LEN))
        return 0;
    return SW_TRIES_LEFT | (int)(left < PIN_TRIES_SHOWN_MAX ? left : PIN_TRIES_SHOWN_MAX);
}

static int guess_pin(struct nvm *nvm, const char *prefix, struct pin_status *s,
                     const struct pin *pin, struct rd value)
{
    char key[NVM_KEY_MAX];

    pin_key(prefix, pin->context, pin->reference, "/left", key);
    int result = guess(nvm, key, pin->value, value);
    if (result > 0 && (result & 0xFFF0) == SW_TRIES_LEFT)
        set_unverified(s, pin);
    return result;
}

/* The end of a command that was given the right value: the PIN as it is now and all its attempts,
 * in one commit. */
static int settle(struct nvm *nvm, const char *prefix, const struct pin *pin)
{
    TRY(put_pin(nvm, prefix, pin));
    TRY(put_pin_left(nvm, prefix, pin, pin->max));
    return nvm_commit(nvm);
}

/* The same for a PIN that changes: with a new value, when there is one, and new attributes.  It is
 * replaced no more: no PIN that stays so comes here. */
static int settle_as(struct nvm *nvm, const char *prefix, const struct pin *pin,
                     struct rd new_value, uint8_t attributes)
{
    struct pin changed = *pin;

    changed.attributes = attributes;
    changed.replaced = false;
    if (new_value.n == PIN_LEN)
        memcpy(changed.value, new_value.p, PIN_LEN);
    int err = settle(nvm, prefix, &changed);
    crypto_wipe(&changed, sizeof changed);
    return err;
}

static bool is_enabled(const struct pin *pin)
{
    return (pin->attributes & PIN_ENABLED) && !pin->replaced;
}

static int load_universal(struct nvm *nvm, const char *prefix, struct pin *ret, bool *ret_found)
{
    return load_own(nvm, prefix, FS_MF, PIN_UNIVERSAL, ret, ret_found);
}

/* Of one PIN, whatever it is replaced by. */
static bool holds_itself(const struct pin_status *s, const struct pin *pin)
{
    return !(pin->attributes & PIN_ENABLED) || pin_is_verified(s, pin->context, pin->reference);
}

int pin_is_satisfied(struct nvm *nvm, const char *prefix, const struct pin_status *s,
                     const struct pin *pin, bool *ret)
{
    struct pin universal;
    bool found;

    *ret = !pin->replaced && holds_itself(s, pin);
    if (!pin->replaced)
        return 0;
    TRY(load_universal(nvm, prefix, &universal, &found));
    if (!found)
        return 0;
    *ret = holds_itself(s, &universal);
    crypto_wipe(&universal, sizeof universal);
    return 0;
}

int pin_verify(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
               struct rd value)
{
    if (!is_enabled(pin))
        return SW_INVALIDATED;
    TRY(guess_pin(nvm, prefix, s, pin, value));
    TRY(put_pin_left(nvm, prefix, pin, pin->max));
    TRY(nvm_commit(nvm));
    set_verified(s, pin);
    return 0;
}

int pin_change(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
               struct rd old_value, struct rd new_value)
{
    if (!is_enabled(pin))
        return SW_INVALIDATED;
    if (!(pin->attributes & PIN_CHANGEABLE))
        return SW_CONDITIONS_OF_USE;
    if (new_value.n != PIN_LEN)
        return SW_WRONG_LENGTH;
    TRY(guess_pin(nvm, prefix, s, pin, old_value));
    TRY(settle_as(nvm, prefix, pin, new_value, pin->attributes));
    set_verified(s, pin);
    return 0;
}

int pin_disable(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
                struct rd value)
{
    if (!is_enabled(pin) || !(pin->attributes & PIN_DISABLEABLE))
        return SW_CONDITIONS_OF_USE;
    TRY(guess_pin(nvm, prefix, s, pin, value));
    TRY(settle_as(nvm, prefix, pin, rd_of(NULL, 0), pin->attributes & ~PIN_ENABLED & 0xFF));
    set_unverified(s, pin);
    return 0;
}

/* The stored attributes stay: whoever looks at them alone sees an enabled PIN that nobody verifies,
 * which is closed rather than open. */
static int settle_replaced(struct nvm *nvm, const char *prefix, const struct pin *pin)
{
    struct pin replaced = *pin;

    replaced.replaced = true;
    int err = settle(nvm, prefix, &replaced);
    crypto_wipe(&replaced, sizeof replaced);
    return err;
}

int pin_replace(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
                struct rd value)
{
    struct pin universal;
    bool found;

    TRY(load_universal(nvm, prefix, &universal, &found));
    if (!found)
        return SW_REFERENCE_NOT_FOUND;
    crypto_wipe(&universal, sizeof universal);
    if (!pin_is_application_pin(pin->reference) || !is_enabled(pin) ||
        !(pin->attributes & PIN_DISABLEABLE))
        return SW_CONDITIONS_OF_USE;
    TRY(guess_pin(nvm, prefix, s, pin, value));
    TRY(settle_replaced(nvm, prefix, pin));
    set_unverified(s, pin);
    return 0;
}

int pin_enable(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
               struct rd value)
{
    if (is_enabled(pin))
        return SW_CONDITIONS_OF_USE;
    TRY(guess_pin(nvm, prefix, s, pin, value));
    TRY(settle_as(nvm, prefix, pin, rd_of(NULL, 0), pin->attributes | PIN_ENABLED));
    set_verified(s, pin);
    return 0;
}

/* The PUK's attempts go back in the same commit as the PIN's. */
static int settle_unblocked(struct nvm *nvm, const char *prefix, const struct pin *pin,
                            const struct puk *puk, struct rd new_value)
{
    TRY(put_puk_left(nvm, prefix, puk->reference, puk->max));
    return settle_as(nvm, prefix, pin, new_value, pin->attributes | PIN_ENABLED);
}

int pin_unblock(struct nvm *nvm, const char *prefix, struct pin_status *s, const struct pin *pin,
                struct rd puk_value, struct rd new_value)
{
    struct puk puk;
    char key[NVM_KEY_MAX];
    bool found = false;

    if (new_value.n != PIN_LEN)
        return SW_WRONG_LENGTH;
    if (pin->puk == 0)
        return SW_CONDITIONS_OF_USE;
    TRY(puk_load(nvm, prefix, pin->puk, &puk, &found));
    puk_key(prefix, pin->puk, "/left", key);
    int result = found ? guess(nvm, key, puk.value, puk_value) : SW_CONDITIONS_OF_USE;
    if (result == 0)
        result = settle_unblocked(nvm, prefix, pin, &puk, new_value);
    crypto_wipe(&puk, sizeof puk);
    if (result == 0)
        set_verified(s, pin);
    return result;
}
