/* euicc.c - the card, and the path of an APDU through it. */
#include "os/euicc.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "os/dispatch.h"

int euicc_init(struct euicc *e, struct nvm *nvm, struct crypto *crypto, struct trace trace,
               const struct applet *const *applets, size_t n_applets)
{
    *e = (struct euicc){ .trace = trace, .crypto = crypto, .nvm = nvm };
    wr_init_heap(&e->answer, EUICC_MAX_ANSWER);
    int err = settings_load(&e->settings, nvm);
    if (err == 0)
        err = registry_init(&e->registry, applets, n_applets);
    if (err != 0)
        euicc_done(e);
    return err;
}

void euicc_done(struct euicc *e)
{
    euicc_power_off(e);
    registry_done(&e->registry);
    settings_done(&e->settings);
    wr_done(&e->answer);
    nvm_close(&e->nvm);
}

bool euicc_cat_is_made_busy(const struct euicc *e)
{
    if (e->forced.cat_busy)
        trace_rule(&e->trace, "cat-busy on: a proactive session is said to go on");
    return e->forced.cat_busy;
}

bool euicc_cat_is_busy(const struct euicc *e)
{
    return euicc_cat_is_made_busy(e) || cat_is_busy(&e->cat);
}

int64_t euicc_time(const struct euicc *e)
{
    return (int64_t)time(NULL) + e->forced.clock;
}

int64_t euicc_time_told(const struct euicc *e, int64_t told)
{
    enum { LONG_AGO = 1 };
    int64_t seconds = told + e->forced.clock;

    if (told == 0 || e->forced.clock == 0)
        return told;
    if (seconds < LONG_AGO)
        seconds = LONG_AGO;
    trace_rule(&e->trace, "clock %" PRId64 ": the terminal says %" PRId64 ", taken as %" PRId64,
               e->forced.clock, told, seconds);
    return seconds;
}

void euicc_close_session(struct euicc *e, uint8_t channel)
{
    session_free(&e->sessions[channel]);
}

void euicc_power_off(struct euicc *e)
{
    if (!e->on)
        return;
    for (uint8_t i = 0; i < CHANNEL_COUNT; i++)
        euicc_close_session(e, i);
    for (size_t i = 0; i < e->registry.n; i++) {
        const struct applet *a = e->registry.applets[i];
        if (a->stop != NULL)
            a->stop(e);
        if (a->state_size > 0)
            memset(e->registry.states[i], 0, a->state_size);
    }
    uicc_unmount(e);
    nvm_abort(e->nvm);
    wr_done(&e->answer);
    e->on = false;
    trace_note(&e->trace, "power off");
}

int euicc_power_on(struct euicc *e)
{
    euicc_power_off(e);
    if (!nvm_has_power(e->nvm))
        nvm_restore_power(e->nvm);
    uicc_unmount(e);
    uicc_power_returns(e);
    channels_reset(&e->channels);
    cat_reset(&e->cat);
    e->terminal_capability_len = 0;
    e->on = true;
    trace_note(&e->trace, "power on");
    for (size_t i = 0; i < e->registry.n; i++)
        if (e->registry.applets[i]->start != NULL)
            TRY(e->registry.applets[i]->start(e));
    TRY(nvm_commit(e->nvm));
    uicc_settle(e, true); /* whoever knows which profile is enabled has said so */
    return nvm_has_power(e->nvm) ? 0 : ERR_NVM;
}

size_t euicc_atr(const struct euicc *e, uint8_t ret[ATR_MAX_LEN])
{
    /* ISO 7816-4 12.1.1, compact TLVs: card service data, card capabilities, and as pre-issuing
     * data "SOFTEU" to recognise it by. */
    static const struct atr_capabilities ours = {
        .ta1 = 0x96,
        .classes = 0x07,
        .clock_stop = true,
        .euicc = true,
        .historical = { 0x80, 0x31, 0xE0, 0x73, 0xFE, 0x21, 0x9F, 0x66, 'S', 'O', 'F', 'T', 'E',
                        'U' },
        .historical_len = 14,
    };
    size_t n = setting_hex(&e->settings, SET_ATR, ret, ATR_MAX_LEN);

    return n > 0 ? n : atr_build(&ours, ret);
}

static size_t answer_sw(uint8_t *response, uint16_t sw)
{
    response[0] = (uint8_t)(sw >> 8);
    response[1] = (uint8_t)sw;
    return 2;
}

/* The session of an open channel; made at its first use. */
static struct session *session_of(struct euicc *e, uint8_t channel)
{
    if (e->sessions[channel] == NULL)
        e->sessions[channel] = session_new(e, channel);
    return e->sessions[channel];
}

/* Secure messaging is between a terminal and an applet that knows it.  It covers whole commands. */
static bool takes_secured(const struct euicc *e, const struct cla *cla)
{
    const struct session *s = e->sessions[cla->channel];

    return !cla->chained && s != NULL && s->selected != NULL && s->selected->unwrap != NULL;
}

/* A proactive command that nobody will answer any more ends, apart from the command that comes. */
static uint16_t tell_lost(struct euicc *e, uint8_t ins)
{
    bool ended;
    int result = cat_before(e, ins, &ended);

    return ended ? dispatch_aside(e, result) : (uint16_t)SW_OK;
}

static size_t run(struct euicc *e, struct apdu *a, uint8_t *response)
{
    struct cla cla;
    uint16_t sw = cla_parse(a->cla, &cla);

    wr_clear(&e->answer);
    if (sw == SW_OK && cla.secured && !takes_secured(e, &cla))
        sw = SW_NO_SECURE_MESSAGING;
    if (sw == SW_OK && !channel_is_open(&e->channels, cla.channel))
        sw = SW_NO_CHANNEL;
    if (sw != SW_OK) {
        trace_check(&e->trace, "CLA %02X: %s (TS 102 221 10.1.1)", a->cla, sw_text(sw));
        return answer_sw(response, sw);
    }
    struct session *s = session_of(e, cla.channel);
    if (s == NULL)
        return answer_sw(response, SW_TECHNICAL_PROBLEM);
    if (a->ins == INS_GET_RESPONSE)
        return chain_get_response(&s->chain, a, response);
    sw = tell_lost(e, a->ins);
    if (sw != SW_OK)
        return answer_sw(response, sw);
    sw = chain_take(&s->chain, cla.chained, a);
    if (sw == CHAIN_MORE)
        return answer_sw(response, SW_OK);
    if (sw == SW_OK)
        sw = dispatch(s, &cla, a);
    size_t n = chain_answer(&s->chain, a, e->answer.p, e->answer.n, sw, response);
    if (!channel_is_open(&e->channels, cla.channel)) /* it closed itself */
        euicc_close_session(e, cla.channel);
    return n;
}

/* A normal ending tells that a proactive command waits (TS 102 221 10.2.1.1); so does one between
 * the blocks of a data object, 62F2 for 62F1 and 63F2 for 63F1. */
static void tell_proactive(struct euicc *e, uint8_t *response, size_t n)
{
    uint16_t sw = (uint16_t)(response[n - 2] << 8 | response[n - 1]);

    if (sw != SW_OK && sw != SW_MORE_DATA && sw != SW_MORE_DATA_EXPECTED)
        return;
    uint16_t ending = cat_ending(&e->cat);
    if (ending != SW_OK)
        answer_sw(response + n - 2, sw == SW_OK ? ending : sw + 1u);
}

size_t euicc_transmit(struct euicc *e, const uint8_t *command, size_t n, uint8_t *response)
{
    struct apdu a;
    size_t len;

    trace_bytes(&e->trace, TRACE_COMMAND, command, n);
    uint16_t sw = apdu_parse(command, n, &a);
    if (sw == SW_OK) {
        len = run(e, &a, response);
    } else {
        trace_check(&e->trace, "%zu octets are no command APDU (ISO 7816-3 12.1)", n);
        len = answer_sw(response, sw);
    }
    if (!nvm_has_power(e->nvm))
        return 0;
    tell_proactive(e, response, len);
    trace_bytes(&e->trace, TRACE_RESPONSE, response, len);
    return len;
}
