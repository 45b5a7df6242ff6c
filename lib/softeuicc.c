/* softeuicc.c - the chip as a library: the public face over os/euicc.h. */
#include "lib/softeuicc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "applets/applets.h"
#include "applets/ecasd/ecasd.h"
#include "card/sw.h"
#include "certs/pki.h"
#include "lib/control.h"
#include "lib/event.h"
#include "lib/fault.h"
#include "lib/manufacture.h"
#include "lib/preset.h"
#include "lib/secrets.h"
#include "lib/show.h"
#include "os/euicc.h"

struct softeuicc {
    struct euicc euicc;
    struct softeuicc_crypto *own_crypto; /* NULL when the caller's is used */
    softeuicc_trace_fn *trace;
    void *trace_ctx;
    bool trace_secrets;
    struct secrets secrets;
    struct faults faults;
};

_Static_assert((int)SOFTEUICC_NOTE == (int)TRACE_NOTE &&
                   (int)SOFTEUICC_PROACTIVE == (int)TRACE_CAT &&
                   (int)SOFTEUICC_TLS == (int)TRACE_TLS,
               "the public events are the internal ones");
_Static_assert((int)SOFTEUICC_RESPONSE_MAX == (int)APDU_MAX_RESPONSE, "one longest response");
_Static_assert((int)SOFTEUICC_ATR_MAX == (int)ATR_MAX_LEN, "one longest ATR");

/* struct softeuicc_crypto is struct crypto under its public name. */
static struct crypto *inner(struct softeuicc_crypto *c)
{
    return (struct crypto *)(void *)c;
}

struct softeuicc_crypto *softeuicc_crypto_new(const char *seed)
{
    return (struct softeuicc_crypto *)(void *)crypto_new(seed != NULL ? rd_str(seed)
                                                                      : rd_of(NULL, 0));
}

void softeuicc_crypto_free(struct softeuicc_crypto **c)
{
    struct crypto *freed = inner(*c);

    crypto_free(&freed);
    *c = NULL;
}

/* Of some octets. */
struct part {
    size_t from, n;
};

/* With FF in place of what is secret. */
static void pass_octets(struct softeuicc *card, enum softeuicc_event event, const char *text,
                        struct rd octets, struct part secret)
{
    if (secret.n == 0 || card->trace_secrets) {
        card->trace(card->trace_ctx, event, text, octets.p, octets.n);
        return;
    }
    char line[128];
    snprintf(line, sizeof line, "%s; secrets are FF", text);
    uint8_t *copy = malloc(octets.n);
    if (copy == NULL) {
        card->trace(card->trace_ctx, event, line, NULL, 0);
        return;
    }
    memcpy(copy, octets.p, octets.n);
    memset(copy + secret.from, 0xFF, secret.n);
    card->trace(card->trace_ctx, event, line, copy, octets.n);
    free(copy);
}

static const char *name_in(const struct command *rows, size_t n, uint8_t ins)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].ins == ins)
            return rows[i].name;
    return NULL;
}

/* What a command is called by whoever would serve it; "" when nobody does. */
static const char *command_name(const struct euicc *e, struct rd command)
{
    struct cla cla;
    const char *name = NULL;

    if (command.n < 2 || cla_parse(command.p[0], &cla) != SW_OK)
        return "";
    uint8_t ins = command.p[1];
    const struct session *s = e->sessions[cla.channel];
    if (ins == INS_GET_RESPONSE)
        return "GET RESPONSE";
    if (s != NULL && s->selected != NULL)
        name = name_in(s->selected->commands, s->selected->n_commands, ins);
    if (name == NULL)
        name = name_in(uicc_commands, uicc_n_commands, ins);
    return name != NULL ? name : "";
}

static void pass_command(struct softeuicc *card, const uint8_t *bytes, size_t n)
{
    struct part secret;

    secrets_of_command(&card->secrets, &card->euicc, bytes, n, &secret.from, &secret.n);
    pass_octets(card, SOFTEUICC_COMMAND, command_name(&card->euicc, rd_of(bytes, n)),
                rd_of(bytes, n), secret);
}

static void pass_trace(void *ctx, enum trace_event event, const char *text, const uint8_t *bytes,
                       size_t n)
{
    struct softeuicc *card = ctx;

    if (event == TRACE_COMMAND)
        pass_command(card, bytes, n);
    else if (event == TRACE_RESPONSE)
        pass_octets(card, SOFTEUICC_RESPONSE, sw_text((uint16_t)(bytes[n - 2] << 8 | bytes[n - 1])),
                    rd_of(bytes, n),
                    (struct part){ 0, secrets_of_response(&card->secrets, &card->euicc, n) });
    else
        card->trace(card->trace_ctx, (enum softeuicc_event)event, text, bytes, n);
}

/* The caller's cryptography, or one of our own in *ret_own. */
static int need_crypto(const struct softeuicc_crypto *callers, struct softeuicc_crypto **ret_own,
                       char error[SOFTEUICC_ERROR_LEN])
{
    if (callers != NULL)
        return 0;
    *ret_own = softeuicc_crypto_new(NULL);
    if (*ret_own != NULL)
        return 0;
    snprintf(error, SOFTEUICC_ERROR_LEN, "OpenSSL could not be started");
    return ERR_CRYPTO;
}

/* A card without a store yet.  NULL without memory or cryptography. */
static struct softeuicc *new_card(const struct softeuicc_options *options,
                                  char error[SOFTEUICC_ERROR_LEN])
{
    struct softeuicc *card = calloc(1, sizeof *card);

    if (card == NULL) {
        snprintf(error, SOFTEUICC_ERROR_LEN, "out of memory");
        return NULL;
    }
    if (need_crypto(options->crypto, &card->own_crypto, error) != 0) {
        free(card);
        return NULL;
    }
    card->trace = options->trace;
    card->trace_ctx = options->trace_ctx;
    card->trace_secrets = options->trace_secrets;
    return card;
}

static struct trace trace_of(struct softeuicc *card)
{
    return (struct trace){ card->trace != NULL ? pass_trace : NULL, card };
}

static struct crypto *crypto_of(const struct softeuicc *card,
                                const struct softeuicc_options *options)
{
    return inner(card->own_crypto != NULL ? card->own_crypto : options->crypto);
}

static void free_card(struct softeuicc *card)
{
    softeuicc_crypto_free(&card->own_crypto);
    free(card);
}

/* Takes nvm over. */
static int finish_open(struct softeuicc *card, struct nvm *nvm,
                       const struct softeuicc_options *options, struct softeuicc **ret,
                       char error[SOFTEUICC_ERROR_LEN])
{
    int err =
        euicc_init(&card->euicc, nvm, crypto_of(card, options), trace_of(card), applets, n_applets);

    if (err != 0) {
        snprintf(error, SOFTEUICC_ERROR_LEN, "the card does not load (%s)", err_name(err));
        free_card(card);
        return err;
    }
    card->euicc.read_only = options->read_only;
    faults_init(&card->faults, &card->euicc);
    *ret = card;
    return 0;
}

int softeuicc_open(const char *path, const struct softeuicc_options *options,
                   struct softeuicc **ret, char error[SOFTEUICC_ERROR_LEN])
{
    struct softeuicc *card = new_card(options, error);

    if (card == NULL)
        return ERR_CRYPTO;
    struct trace trace = trace_of(card);
    card->euicc.trace = trace;
    struct nvm *nvm =
        nvm_open_file(path, options->read_only ? NVM_READ : NVM_SERVE, &card->euicc.trace, error);
    if (nvm == NULL) {
        free_card(card);
        return ERR_NVM;
    }
    return finish_open(card, nvm, options, ret, error);
}

int softeuicc_open_memory(const struct softeuicc_new *how, const struct softeuicc_options *options,
                          struct softeuicc **ret, char error[SOFTEUICC_ERROR_LEN])
{
    struct softeuicc *card = new_card(options, error);

    if (card == NULL)
        return ERR_CRYPTO;
    card->euicc.trace = trace_of(card);
    struct nvm *nvm = nvm_open_memory(&card->euicc.trace);
    int err = nvm == NULL ? ERR_NOMEM
                          : manufacture(&nvm, crypto_of(card, options), how, trace_of(card), error);
    if (err != 0) {
        nvm_close(&nvm);
        free_card(card);
        return err;
    }
    return finish_open(card, nvm, options, ret, error);
}

int softeuicc_new(const char *path, const struct softeuicc_new *how,
                  struct softeuicc_crypto *crypto, char error[SOFTEUICC_ERROR_LEN])
{
    static const struct trace silent = { NULL, NULL };
    struct softeuicc_crypto *own = NULL;

    TRY(need_crypto(crypto, &own, error));
    struct nvm *nvm = nvm_open_file(path, NVM_CREATE, &silent, error);
    int err = nvm == NULL
                  ? ERR_NVM
                  : manufacture(&nvm, inner(own != NULL ? own : crypto), how, silent, error);
    bool made_file = nvm != NULL;
    nvm_close(&nvm);
    if (err != 0 && made_file)
        nvm_delete_file(path); /* a half-made card is none */
    softeuicc_crypto_free(&own);
    return err;
}

bool softeuicc_eid(struct softeuicc *card, char ret[SOFTEUICC_EID_LEN + 1])
{
    if (!card->euicc.on && euicc_power_on(&card->euicc) != 0)
        return false;
    const uint8_t *eid = ecasd_eid(&card->euicc);
    for (size_t i = 0; i < EID_LEN; i++)
        snprintf(ret + 2 * i, 3, "%02X", eid[i]);
    return true;
}

void softeuicc_close(struct softeuicc **card)
{
    if (*card == NULL)
        return;
    euicc_done(&(*card)->euicc);
    faults_done(&(*card)->faults);
    free_card(*card);
    *card = NULL;
}

int softeuicc_power_on(struct softeuicc *card)
{
    return euicc_power_on(&card->euicc);
}

void softeuicc_power_off(struct softeuicc *card)
{
    euicc_power_off(&card->euicc);
}

int softeuicc_reset(struct softeuicc *card)
{
    return euicc_power_on(&card->euicc);
}

bool softeuicc_is_on(const struct softeuicc *card)
{
    return card->euicc.on;
}

size_t softeuicc_atr(const struct softeuicc *card, uint8_t ret[SOFTEUICC_ATR_MAX])
{
    return euicc_atr(&card->euicc, ret);
}

size_t softeuicc_transmit(struct softeuicc *card, const uint8_t *command, size_t n,
                          uint8_t *response)
{
    struct euicc *e = &card->euicc;

    card->faults.delay_ms = 0;
    if ((!e->on || !nvm_has_power(e->nvm)) && euicc_power_on(e) != 0) {
        euicc_power_off(e);
        return 0;
    }
    return faults_transmit(&card->faults, command, n, response);
}

unsigned softeuicc_delay(const struct softeuicc *card)
{
    return card->faults.delay_ms;
}

char *softeuicc_event_line(enum softeuicc_event event, const char *text, const uint8_t *bytes,
                           size_t n, bool json)
{
    return json ? event_json(event, text, rd_of(bytes, n))
                : event_text(event, text, rd_of(bytes, n));
}

int softeuicc_control(struct softeuicc *card, const char *line, char *reply, size_t size)
{
    return control_run(&card->faults, line, reply, size);
}

int softeuicc_fault(struct softeuicc *card, const char *line, char *reply, size_t size)
{
    return control_fault(&card->faults, line, reply, size);
}

bool softeuicc_control_at(size_t n, struct softeuicc_control_info *ret)
{
    return control_at(n, ret);
}

char *softeuicc_show(struct softeuicc *card, bool json)
{
    return show_card(&card->euicc, json);
}

bool softeuicc_setting_at(size_t n, struct softeuicc_setting_info *ret)
{
    if (n >= SETTING_COUNT)
        return false;
    *ret = (struct softeuicc_setting_info){ setting_infos[n].key, setting_infos[n].initial,
                                            setting_infos[n].meaning };
    return true;
}

bool softeuicc_preset_at(size_t n, struct softeuicc_preset_info *ret)
{
    return preset_at(n, ret);
}

int softeuicc_make_pki(const char *dir, struct softeuicc_crypto *crypto,
                       char error[SOFTEUICC_ERROR_LEN])
{
    struct softeuicc_crypto *own = NULL;

    TRY(need_crypto(crypto, &own, error));
    int err = pki_make(inner(own != NULL ? own : crypto), dir, (int64_t)time(NULL), error,
                       SOFTEUICC_ERROR_LEN);
    softeuicc_crypto_free(&own);
    return err;
}
