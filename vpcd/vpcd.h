/* vpcd.h - a card in a reader of vpcd (vsmartcard's virtual reader for pcscd).
 *
 * vpcd_run() serves one card until the stop descriptor becomes readable: it connects or listens,
 * answers the reader, connects again when the reader goes away, and serves the control socket.
 * Stopped, the card is out; run again, it goes in again.
 * An object holds everything; several may run in several threads. */
#ifndef VPCD_VPCD_H
#define VPCD_VPCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VPCD_ERROR_LEN = 256,
    VPCD_ATR_MAX = 33,
    VPCD_RESPONSE_MAX = 65536 + 2,
};

#define VPCD_DEFAULT_READER "127.0.0.1:35963"

/* What sits in the reader.  ctx is handed to each function. */
struct vpcd_card {
    void *ctx;

    /* The answer to reset, also while powered off; returns its length. */
    size_t (*atr)(void *ctx, uint8_t ret[VPCD_ATR_MAX]);

    /* 0, or negative: the card does not start. */
    int (*power_on)(void *ctx);
    int (*reset)(void *ctx);
    void (*power_off)(void *ctx);

    /* Returns the length of the response; 0: the card lost power and stays mute.  response has
     * room for VPCD_RESPONSE_MAX octets. */
    size_t (*transmit)(void *ctx, const uint8_t *command, size_t n, uint8_t *response);

    /* A line of the control socket that is not about the reader; may be NULL. */
    int (*control)(void *ctx, const char *line, char *reply, size_t size);
};

struct vpcd_options {
    const struct vpcd_card *card;
    const char *address; /* HOST:PORT */
    bool listen;         /* the reader connects to us */
    const char *control; /* path of the control socket, or NULL */
    int stop_fd;         /* readable: vpcd_run() returns */

    /* Takes a line without newline for the user, now and then. */
    void (*say)(void *ctx, const char *line);
    void *say_ctx;
};

struct vpcd;

/* The strings are copied; card is used until vpcd_free().  0, or -1 with a reason. */
int vpcd_new(const struct vpcd_options *options, struct vpcd **ret, char error[VPCD_ERROR_LEN]);
void vpcd_free(struct vpcd **v);

/* 0: stopped on request; -1 with a reason: poll() failed. */
int vpcd_run(struct vpcd *v, char error[VPCD_ERROR_LEN]);

#endif
