/* dispatch.c - from a command to its row, and from a result to a status word and the storage. */
#include "os/dispatch.h"

#include "os/euicc.h"
#include "os/uicc.h"

uint16_t dispatch_fault_sw(int err)
{
    switch (err) {
    case ERR_INPUT:
        return SW_WRONG_DATA;
    case ERR_NVM:
        return SW_MEMORY_FAILURE;
    case ERR_SPACE:
        return SW_NOT_ENOUGH_MEMORY;
    default:
        return SW_TECHNICAL_PROBLEM;
    }
}

/* In one table: the row, or a better status word in *sw when only the class is wrong. */
static const struct command *find_in(const struct command *rows, size_t n, const struct cla *cla,
                                     uint8_t ins, uint16_t *sw)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].ins != ins)
            continue;
        if (rows[i].proprietary == cla->proprietary || (rows[i].needs & EITHER_CLA))
            return &rows[i];
        *sw = SW_CLA_NOT_SUPPORTED;
    }
    return NULL;
}

/* The selected applet's rows first, then the UICC's own. */
static const struct command *find(const struct session *s, const struct cla *cla, uint8_t ins,
                                  uint16_t *sw)
{
    const struct command *row = NULL;

    *sw = SW_INS_NOT_SUPPORTED;
    if (s->selected != NULL)
        row = find_in(s->selected->commands, s->selected->n_commands, cla, ins, sw);
    return row != NULL ? row : find_in(uicc_commands, uicc_n_commands, cla, ins, sw);
}

static uint16_t check_needs(const struct command *row, const struct apdu *a)
{
    if ((row->needs & NEEDS_DATA) && a->lc == 0)
        return SW_WRONG_LENGTH;
    if ((row->needs & NO_DATA) && a->lc != 0)
        return SW_WRONG_LENGTH;
    return SW_OK;
}

/* ISO 7816-4 5.6: normal endings and 63xx say changed, all others unchanged. */
static bool says_changed(uint16_t sw)
{
    uint8_t sw1 = (uint8_t)(sw >> 8);

    return sw1 == 0x90 || sw1 == 0x91 || sw1 == 0x61 || sw1 == 0x63;
}

/* Warnings bring data, errors do not. */
static bool may_bring_data(uint16_t sw)
{
    return says_changed(sw) || sw >> 8 == 0x62;
}

/* Ends the transaction as the status word says.  Returns the status word to answer. */
static uint16_t settle(struct euicc *e, uint16_t sw)
{
    bool was_dirty = nvm_is_dirty(e->nvm);
    int err = 0;

    if (says_changed(sw))
        err = nvm_commit(e->nvm);
    if (!says_changed(sw) || err != 0)
        nvm_abort(e->nvm);
    if (was_dirty && (!says_changed(sw) || err != 0))
        for (size_t i = 0; i < e->registry.n; i++)
            if (e->registry.applets[i]->not_committed != NULL)
                e->registry.applets[i]->not_committed(e);
    uicc_settle(e, says_changed(sw) && err == 0);
    return err != 0 ? dispatch_fault_sw(err) : sw;
}

uint16_t dispatch_aside(struct euicc *e, int result)
{
    return settle(e, result < 0 ? dispatch_fault_sw(result) : (uint16_t)SW_OK);
}

/* 0, or the status word that refuses a command.  The selection may have ended since its class was
 * looked at. */
static uint16_t unwrap(struct session *s, struct apdu *a)
{
    if (s->selected == NULL || s->selected->unwrap == NULL)
        return SW_NO_SECURE_MESSAGING;
    int result = s->selected->unwrap(s, a);
    return result < 0 ? dispatch_fault_sw(result) : (uint16_t)result;
}

/* The answer is as secure as its command was: by the applet that is selected now, which knows
 * whether it was the one. */
static uint16_t wrap(struct session *s, uint16_t sw, struct wr *rsp)
{
    if (s->selected == NULL || s->selected->wrap == NULL)
        return sw;
    int err = s->selected->wrap(s, sw, rsp);
    return err != 0 ? dispatch_fault_sw(err) : sw;
}

uint16_t dispatch(struct session *s, const struct cla *cla, const struct apdu *command)
{
    struct euicc *e = s->euicc;
    struct apdu plain = *command, *a = &plain;
    uint16_t sw;

    uicc_forget_suspension(e, command->ins);
    uicc_follow(s);
    wr_clear(&e->answer);
    s->commands++;
    sw = cla->secured ? unwrap(s, a) : 0;
    if (sw != 0)
        return sw;
    const struct command *row = find(s, cla, a->ins, &sw);
    if (row == NULL) {
        trace_check(&e->trace, "INS %02X on channel %u: %s, %s selected", a->ins, s->channel,
                    sw_text(sw), s->selected != NULL ? s->selected->name : "MF");
        return sw;
    }
    sw = check_needs(row, a);
    if (sw != SW_OK) {
        trace_check(&e->trace, "%s: Lc is %zu (%s)", row->name, a->lc, row->spec);
        return sw;
    }
    int result = row->run(s, a, &e->answer);
    if (result == 0)
        result = wr_failed(&e->answer);
    if (result == 0 && !chain_reserve(&s->chain, a, e->answer.n + (cla->secured ? WRAP_MAX : 0)))
        result = ERR_NOMEM;
    if (result < 0 && result != ERR_INPUT) /* what is wrong with input is told where it is known */
        trace_check(&e->trace, "%s: %s (%s)", row->name, err_name(result), row->spec);
    sw = result < 0 ? dispatch_fault_sw(result) : result > 0 ? (uint16_t)result : (uint16_t)SW_OK;
    sw = settle(e, sw);
    if (cla->secured && may_bring_data(sw))
        sw = wrap(s, sw, &e->answer);
    if (!may_bring_data(sw))
        wr_clear(&e->answer);
    if (sw == SW_OK && !cla->secured && (row->needs & WITH_LE) && a->le == 0 && e->answer.n > 0) {
        sw = (uint16_t)(SW_WRONG_LE | (e->answer.n & 0xFF));
        wr_clear(&e->answer);
    }
    return sw;
}
