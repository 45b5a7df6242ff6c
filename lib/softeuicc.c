/* softeuicc.c - the chip as a library: the public face over os/euicc.h. */
#include "lib/softeuicc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "applets/applets.h"
#include "applets/ecasd/ecasd.h"
#include "certs/pki.h"
#include "lib/control.h"
#include "lib/manufacture.h"
#include "lib/show.h"
#include "os/euicc.h"

struct softeuicc {
    struct euicc euicc;
    struct softeuicc_crypto *own_crypto; /* NULL when the caller's is used */
    softeuicc_trace_fn *trace;
    void *trace_ctx;
};

_Static_assert((int)SOFTEUICC_NOTE == (int)TRACE_NOTE, "the public events are the internal ones");
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

static void pass_trace(void *ctx, enum trace_event event, const char *text, const uint8_t *bytes,
                       size_t n)
{
    const struct softeuicc *card = ctx;

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
        unlink(path); /* a half-made card is none */
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

    if ((!e->on || !nvm_has_power(e->nvm)) && euicc_power_on(e) != 0) {
        euicc_power_off(e);
        return 0;
    }
    return euicc_transmit(e, command, n, response);
}

int softeuicc_control(struct softeuicc *card, const char *line, char *reply, size_t size)
{
    return control_run(&card->euicc, line, reply, size);
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
