/* card_slot.c - the card's side of vpcd, in a thread of its own (vpcd/vpcd.h).
 *
 * The lock is held whenever the card or its cryptography is at work; vpcd's thread never waits for
 * the player, and the player never waits for PC/SC with the lock held. */
#include "lab/card_slot.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/softeuicc.h"
#include "os/err.h"
#include "vpcd/vpcd.h"

struct card_slot {
    pthread_mutex_t lock;
    struct softeuicc *card; /* NULL: none yet, and no thread */
    bool mute;
    struct vpcd *vpcd;
    struct vpcd_card callbacks;
    pthread_t thread;
    bool running;
    int stop[2]; /* a pipe */
};

/* --- what vpcd asks -------------------------------------------------------------------------- */

static size_t slot_atr(void *ctx, uint8_t ret[VPCD_ATR_MAX])
{
    struct card_slot *s = ctx;

    pthread_mutex_lock(&s->lock);
    size_t n = softeuicc_atr(s->card, ret);
    pthread_mutex_unlock(&s->lock);
    return n;
}

static int slot_power_on(void *ctx)
{
    struct card_slot *s = ctx;

    pthread_mutex_lock(&s->lock);
    int r = softeuicc_power_on(s->card);
    pthread_mutex_unlock(&s->lock);
    return r;
}

static int slot_reset(void *ctx)
{
    struct card_slot *s = ctx;

    pthread_mutex_lock(&s->lock);
    int r = softeuicc_reset(s->card);
    pthread_mutex_unlock(&s->lock);
    return r;
}

static void slot_power_off(void *ctx)
{
    struct card_slot *s = ctx;

    pthread_mutex_lock(&s->lock);
    softeuicc_power_off(s->card);
    pthread_mutex_unlock(&s->lock);
}

static size_t slot_transmit(void *ctx, const uint8_t *command, size_t n, uint8_t *response)
{
    static const uint8_t nothing[] = { 0x6F, 0x00 };
    struct card_slot *s = ctx;

    pthread_mutex_lock(&s->lock);
    size_t length = softeuicc_transmit(s->card, command, n, response);
    if (length == 0) {
        s->mute = true;
        memcpy(response, nothing, sizeof nothing);
        length = sizeof nothing;
    }
    pthread_mutex_unlock(&s->lock);
    return length;
}

/* PC/SC says what matters to the player. */
static void say_nothing(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

static void *serve(void *ctx)
{
    struct card_slot *s = ctx;
    char error[VPCD_ERROR_LEN];

    vpcd_run(s->vpcd, error); /* when it fails, the reader is empty, which PC/SC tells */
    return NULL;
}

/* --- the slot -------------------------------------------------------------------------------- */

int card_slot_new(const char *address, struct card_slot **ret, struct lab_error *e)
{
    struct card_slot *s = calloc(1, sizeof *s);
    char error[VPCD_ERROR_LEN] = "out of memory";

    if (s == NULL || pipe(s->stop) != 0) {
        free(s);
        return lab_fail(e, "%s", error);
    }
    pthread_mutex_init(&s->lock, NULL);
    s->callbacks = (struct vpcd_card){ .ctx = s,
                                       .atr = slot_atr,
                                       .power_on = slot_power_on,
                                       .reset = slot_reset,
                                       .power_off = slot_power_off,
                                       .transmit = slot_transmit };
    struct vpcd_options options = {
        .card = &s->callbacks, .address = address, .stop_fd = s->stop[0], .say = say_nothing
    };
    if (vpcd_new(&options, &s->vpcd, error) != 0) {
        card_slot_free(&s);
        return lab_fail(e, "%s", error);
    }
    *ret = s;
    return 0;
}

void card_slot_free(struct card_slot **slot)
{
    struct card_slot *s = *slot;

    if (s == NULL)
        return;
    card_slot_take_out(s);
    close(s->stop[0]);
    close(s->stop[1]);
    vpcd_free(&s->vpcd);
    softeuicc_close(&s->card);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *slot = NULL;
}

int card_slot_fill(struct card_slot *s, const struct softeuicc_new *how,
                   struct softeuicc_crypto *crypto, struct lab_error *e)
{
    struct softeuicc_options options = { .crypto = crypto };
    char why[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;

    pthread_mutex_lock(&s->lock);
    int r = softeuicc_open_memory(how, &options, &card, why);
    if (r == 0) {
        softeuicc_close(&s->card);
        s->card = card;
        s->mute = false;
    }
    pthread_mutex_unlock(&s->lock);
    return r == 0 ? 0 : lab_fail(e, "%s", why);
}

bool card_slot_is_in(const struct card_slot *s)
{
    return s->running;
}

int card_slot_put_in(struct card_slot *s, struct lab_error *e)
{
    s->running = pthread_create(&s->thread, NULL, serve, s) == 0;
    return s->running ? 0 : lab_fail(e, "no thread for the card");
}

void card_slot_take_out(struct card_slot *s)
{
    char stop = 0;

    if (!s->running)
        return;
    if (write(s->stop[1], &stop, 1) != 1)
        abort(); /* an empty pipe takes one octet */
    pthread_join(s->thread, NULL);
    s->running = read(s->stop[0], &stop, 1) != 1;
}

int card_slot_control(struct card_slot *s, const char *line, char *reply, size_t size)
{
    pthread_mutex_lock(&s->lock);
    int r = softeuicc_control(s->card, line, reply, size);
    pthread_mutex_unlock(&s->lock);
    return r;
}

bool card_slot_was_mute(struct card_slot *s)
{
    pthread_mutex_lock(&s->lock);
    bool was = s->mute;
    s->mute = false;
    pthread_mutex_unlock(&s->lock);
    return was;
}
