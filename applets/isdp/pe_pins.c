/* pe_pins.c - PE-PINCodes and PE-PUKCodes (TCA 8.5), and whether every PIN is there in the end.
 *
 * PINs belong to the context of the element: the first DF or ADF that the nearest element before
 * it created (TCA 8.1.3).  In the MF's context there are global PINs only, elsewhere local ones;
 * an IoT minimal profile never has the MF's context, and so brings both in that of its USIM. */
#include <stdlib.h>
#include <string.h>

#include "applets/isdp/pe.h"
#include "os/err.h"

enum {
    TAG_CODES = 0xA1,
    TAG_PIN_LIST = 0xA0,

    LOCAL = 0x80, /* bit of a key reference */
    DEFAULT_ATTRIBUTES = 7,
    DEFAULT_PIN_ATTEMPTS = 0x33,
    DEFAULT_PUK_ATTEMPTS = 0xAA,
    PIN_OCTETS = 24, /* of a PIN or PUK in the storage, about */
};

/* 1 to 5 are ADM1 to ADM5 behind 0A, 6 to 10 behind 8A: global, whatever bit 8 says. */
static bool is_global(long reference)
{
    return (reference >= 0x01 && reference <= 0x08) || (reference >= 0x0A && reference <= 0x0E) ||
           (reference >= 0x8A && reference <= 0x8E);
}

static bool is_local(long reference)
{
    return reference >= 0x81 && reference <= 0x88;
}

static bool is_puk(long reference)
{
    return (reference & ~LOCAL) >= 1 && (reference & ~LOCAL) <= 8 && reference <= 0x88;
}

/* Maximum in the high half, what is left in the low one. */
static bool read_attempts(const long *octet, uint8_t initial, uint8_t *ret_max, uint8_t *ret_left)
{
    uint8_t both = octet != NULL ? (uint8_t)*octet : initial;

    *ret_max = both >> 4;
    *ret_left = both & 0x0F;
    return *ret_max > 0 && *ret_left <= *ret_max;
}

static const struct installed_pin *find_pin(const struct install *i, uint16_t context,
                                            uint8_t reference)
{
    for (size_t k = 0; k < i->now.n_pins; k++)
        if (i->pins[k].pin.context == context && i->pins[k].pin.reference == reference)
            return &i->pins[k];
    return NULL;
}

static int keep_pin(struct install *i, const struct installed_pin *p)
{
    if (i->pins == NULL)
        i->pins = calloc(MAX_PINS, sizeof *i->pins);
    if (i->pins == NULL)
        return ERR_NOMEM;
    if (i->now.n_pins == MAX_PINS)
        return pe_abort(i, PE_NOT_ENOUGH_MEMORY, "there are too many PINs");
    TRY(pe_take_room(i, PIN_OCTETS));
    i->pins[i->now.n_pins++] = *p;
    return 0;
}

static int add_pin(struct install *i, uint16_t context, const PINConfiguration_t *c)
{
    if (i->iot.aid_len > 0 && context == i->now.adf[NAA_USIM] && is_global(c->keyReference))
        context = FS_MF;
    struct installed_pin p = { .pin = { .reference = (uint8_t)c->keyReference,
                                        .context = context } };

    if (context == FS_MF ? !is_global(c->keyReference) : !is_local(c->keyReference))
        return pe_refuse(i, PE_BAD_VALUES, "there is no such PIN in this context");
    if (find_pin(i, context, p.pin.reference) != NULL)
        return pe_refuse(i, PE_BAD_VALUES, "the PIN is defined twice");
    if (!read_attempts(c->maxNumOfAttemps_retryNumLeft, DEFAULT_PIN_ATTEMPTS, &p.pin.max, &p.left))
        return pe_refuse(i, PE_BAD_VALUES, "the attempts cannot be");
    if (c->unblockingPINReference != NULL) {
        if (!is_puk(*c->unblockingPINReference))
            return pe_refuse(i, PE_BAD_VALUES, "there is no such PUK");
        p.pin.puk = (uint8_t)*c->unblockingPINReference;
    }
    p.pin.attributes = c->pinAttributes != NULL ? (uint8_t)*c->pinAttributes : DEFAULT_ATTRIBUTES;
    memcpy(p.pin.value, c->pinValue.buf, PIN_LEN);
    return keep_pin(i, &p);
}

/* This context has the PINs of another one. */
static int share_pins(struct install *i, uint16_t context, struct rd path)
{
    uint16_t of = fs_path(&i->fs, FS_MF, path);

    if (of == FS_NONE || !fs_is_df(&i->fs.nodes[of]) || of == context)
        return pe_refuse(i, PE_BAD_VALUES, "there is no such DF to share PINs with");
    for (size_t k = 0; k < i->now.n_shares; k++)
        if (i->shares[k].context == of)
            of = i->shares[k].of; /* which has none of its own either */
    if (of == context)
        return pe_refuse(i, PE_BAD_VALUES, "PINs are shared in a circle");
    if (i->now.n_shares == MAX_SHARES)
        return pe_abort(i, PE_NOT_ENOUGH_MEMORY, "too many DFs share PINs");
    i->shares[i->now.n_shares++] = (struct pin_share){ context, of };
    return 0;
}

int pe_pins(struct install *i, const struct ProfileElement *value)
{
    const PE_PINCodes_t *pe = &value->choice.pinCodes;
    uint16_t context = i->now.pin_context;

    pe_at(i, 0, TAG_CODES, 0);
    if (context == FS_NONE)
        return pe_abort(i, PE_INVALID_REQUEST_FORMAT, "no DF is there that the PINs belong to");
    if (pe->pinCodes.present == PE_PINCodes__pinCodes_PR_filePath)
        return share_pins(i, context, pe_octets(&pe->pinCodes.choice.filePath));
    pe_at(i, 1, TAG_PIN_LIST, 0);
    for (int k = 0; k < pe->pinCodes.choice.pinconfig.list.count; k++) {
        pe_at(i, 2, 0, (size_t)k);
        TRY(add_pin(i, context, pe->pinCodes.choice.pinconfig.list.array[k]));
    }
    return 0;
}

static int add_puk(struct install *i, const PUKConfiguration_t *c)
{
    struct installed_puk p = { .puk = { .reference = (uint8_t)c->keyReference } };

    if (!is_puk(c->keyReference))
        return pe_refuse(i, PE_BAD_VALUES, "there is no such PUK");
    for (size_t k = 0; k < i->now.n_puks; k++)
        if (i->puks[k].puk.reference == p.puk.reference)
            return pe_refuse(i, PE_BAD_VALUES, "the PUK is defined twice");
    if (!read_attempts(c->maxNumOfAttemps_retryNumLeft, DEFAULT_PUK_ATTEMPTS, &p.puk.max, &p.left))
        return pe_refuse(i, PE_BAD_VALUES, "the attempts cannot be");
    memcpy(p.puk.value, c->pukValue.buf, PIN_LEN);
    TRY(pe_take_room(i, PIN_OCTETS));
    i->puks[i->now.n_puks++] = p; /* as many as there are references */
    return 0;
}

int pe_puks(struct install *i, const struct ProfileElement *value)
{
    const PE_PUKCodes_t *pe = &value->choice.pukCodes;

    pe_at(i, 0, TAG_CODES, 0);
    for (int k = 0; k < pe->pukCodes.list.count; k++) {
        pe_at(i, 1, 0, (size_t)k);
        TRY(add_puk(i, pe->pukCodes.list.array[k]));
    }
    return 0;
}

/* --- at the end ------------------------------------------------------------------------------- */

/* The DF whose PINs this DF has beside its own. */
static uint16_t shared_context(const struct install *i, uint16_t df)
{
    for (size_t k = 0; k < i->now.n_shares; k++)
        if (i->shares[k].context == df)
            return i->shares[k].of;
    return df;
}

/* Is the PIN there that this DF's PIN status template means? */
static bool has_pin(const struct install *i, uint16_t df, uint8_t reference)
{
    if (is_global(reference))
        return find_pin(i, FS_MF, reference) != NULL;
    for (; df != FS_NONE; df = i->fs.nodes[df].parent)
        if (find_pin(i, df, reference) != NULL ||
            find_pin(i, shared_context(i, df), reference) != NULL)
            return true;
    return false;
}

static bool has_puk(const struct install *i, uint8_t reference)
{
    for (size_t k = 0; k < i->now.n_puks; k++)
        if (i->puks[k].puk.reference == reference)
            return true;
    return false;
}

/* PINs that an IoT minimal profile has without bringing them.  Their values are not published:
 * PIN1 asks nobody, and nobody can be ADM1. */
static int add_iot_pins(struct install *i)
{
    static const struct installed_pin defaults[] = {
        { .pin = { .reference = 0x01,
                   .max = 3,
                   .attributes = DEFAULT_ATTRIBUTES ^ PIN_ENABLED,
                   .value = { 0x30, 0x30, 0x30, 0x30, 0xFF, 0xFF, 0xFF, 0xFF } },
          .left = 3 },
        { .pin = { .reference = 0x0A,
                   .max = 3,
                   .attributes = PIN_ENABLED,
                   .value = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF } },
          .left = 0 },
    };

    for (size_t k = 0; k < N_ELEMS(defaults); k++) {
        struct installed_pin p = defaults[k];
        p.pin.context = FS_MF;
        if (p.pin.reference == 0x01 && has_puk(i, 0x01))
            p.pin.puk = 0x01;
        if (find_pin(i, FS_MF, p.pin.reference) == NULL)
            TRY(keep_pin(i, &p));
    }
    return 0;
}

int pe_pins_finish(struct install *i)
{
    if (i->iot.aid_len > 0 && i->fs.n > 0)
        TRY(add_iot_pins(i));
    for (size_t k = 0; k < i->fs.n; k++) {
        const struct fs_node *n = &i->fs.nodes[k];
        for (size_t m = 0; fs_is_df(n) && m < n->n_pins; m++)
            if (!has_pin(i, (uint16_t)k, n->pins[m]))
                return pe_abort(i, PE_PIN_CODE_MISSING, "a PIN status template names no PIN");
    }
    return 0;
}

uint64_t pe_pins_size(const struct install *i)
{
    return (i->now.n_pins + i->now.n_puks) * PIN_OCTETS;
}

int pe_pins_store(const struct install *i, struct nvm *nvm)
{
    for (size_t k = 0; k < i->now.n_pins; k++)
        TRY(pin_store(nvm, i->fs.prefix, &i->pins[k].pin, i->pins[k].left));
    for (size_t k = 0; k < i->now.n_puks; k++)
        TRY(puk_store(nvm, i->fs.prefix, &i->puks[k].puk, i->puks[k].left));
    for (size_t k = 0; k < i->now.n_shares; k++)
        TRY(pin_share(nvm, i->fs.prefix, i->shares[k].context, i->shares[k].of));
    return 0;
}
