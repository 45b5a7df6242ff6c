/* vpcd.c - a card in a reader of vpcd: the loop.
 *
 * Frames from the reader become calls of the card.  Power and reset are never answered; the ATR
 * is asked for at any time, because the reader polls with it whether a card is there.  A closed
 * connection is a card that was taken out, so a mute card closes it.
 *
 * The kernel accepts a connection although the reader may have another card and never look at it;
 * "connected" is therefore said at the first frame. */
#include "vpcd/vpcd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vpcd/control.h"
#include "vpcd/frame.h"
#include "vpcd/link.h"

enum {
    SILENCE_MS = 5000, /* a reader polls its slot several times a second */
    SAY_MAX = 512,
};

/* What the user was told last about the connection. */
enum told { TOLD_NOTHING, TOLD_WAITING, TOLD_SILENT, TOLD_CONNECTED };

struct vpcd {
    struct vpcd_card card;
    struct link link;
    struct control control;
    int stop_fd;
    void (*say)(void *ctx, const char *line);
    void *say_ctx;
    enum told told;
    int64_t silent_since; /* since when the link is up without a frame; -1: it is not */

    struct frames in;
    uint8_t out[FRAME_HEADER_LEN + VPCD_RESPONSE_MAX];
    size_t out_at, out_end; /* what of out is still to be sent */
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) static void say(struct vpcd *v, const char *fmt, ...)
{
    char line[SAY_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    v->say(v->say_ctx, line);
}

/* One line for each change that matters to the user. */
static void tell(struct vpcd *v, enum told what)
{
    char at[LINK_ERROR_LEN + 16];

    if (v->told == what)
        return;
    v->told = what;
    link_address(&v->link, at, sizeof at);
    if (what == TOLD_CONNECTED)
        say(v, "card is in the reader at %s", at);
    else if (what == TOLD_SILENT)
        say(v, "the reader at %s does not look at this card: is another card in it?", at);
    else if (v->link.reversed)
        say(v, "waiting at %s for a reader to connect", at);
    else
        say(v, "waiting for a reader at %s (%s); is pcscd running with vpcd?", at,
            link_why(&v->link));
}

static void forget_connection(struct vpcd *v)
{
    frames_reset(&v->in);
    v->out_at = v->out_end = 0;
    v->silent_since = -1;
    v->card.power_off(v->card.ctx);
}

static void drop(struct vpcd *v)
{
    forget_connection(v);
    link_drop(&v->link, now_ms());
}

static void eject(struct vpcd *v)
{
    forget_connection(v);
    link_eject(&v->link, now_ms());
}

static void flush(struct vpcd *v)
{
    int n = link_send(&v->link, v->out + v->out_at, v->out_end - v->out_at);

    if (n >= 0)
        v->out_at += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        drop(v);
}

/* The answer of n octets stands in out behind the room for its header. */
static void answer(struct vpcd *v, size_t n)
{
    static const uint8_t too_long_for_a_frame[] = { 0x6F, 0x00 };

    if (n > FRAME_BODY_MAX) {
        n = sizeof too_long_for_a_frame;
        memcpy(v->out + FRAME_HEADER_LEN, too_long_for_a_frame, n);
    }
    frame_put_header(v->out, n);
    v->out_at = 0;
    v->out_end = FRAME_HEADER_LEN + n;
    flush(v);
}

static void transmit(struct vpcd *v, const struct frame *f)
{
    size_t n = v->card.transmit(v->card.ctx, f->apdu, f->n, v->out + FRAME_HEADER_LEN);

    if (n != 0) {
        link_alive(&v->link);
        answer(v, n);
        return;
    }
    say(v, "the card lost power in the middle of a command: it goes out and comes back");
    eject(v);
}

static void started(struct vpcd *v, int result)
{
    if (result >= 0)
        return;
    say(v, "the card does not start: error %d", result);
    eject(v);
}

static void serve_frame(struct vpcd *v, const struct frame *f)
{
    switch (f->kind) {
    case FRAME_OFF:
        v->card.power_off(v->card.ctx);
        break;
    case FRAME_ON:
        started(v, v->card.power_on(v->card.ctx));
        break;
    case FRAME_RESET:
        started(v, v->card.reset(v->card.ctx));
        break;
    case FRAME_ATR:
        answer(v, v->card.atr(v->card.ctx, v->out + FRAME_HEADER_LEN));
        break;
    case FRAME_APDU:
        transmit(v, f);
        break;
    }
}

/* Serves what has come, as long as the answers get away. */
static void serve_frames(struct vpcd *v)
{
    struct frame f;

    while (v->link.state == LINK_UP && v->out_at == v->out_end && frames_next(&v->in, &f)) {
        v->silent_since = -1;
        tell(v, TOLD_CONNECTED);
        serve_frame(v, &f);
    }
}

static void receive(struct vpcd *v)
{
    size_t room;
    uint8_t *space = frames_space(&v->in, &room);
    int n = link_receive(&v->link, space, room);

    if (n > 0)
        frames_received(&v->in, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        drop(v);
}

static void step_link(struct vpcd *v, short revents)
{
    if (v->link.state != LINK_UP) {
        link_step(&v->link, revents, now_ms());
        if (v->link.state == LINK_UP)
            v->silent_since = now_ms();
        return;
    }
    if (v->out_at < v->out_end) {
        if (revents != 0)
            flush(v);
    } else if (revents != 0) {
        receive(v);
    }
    serve_frames(v);
    if (v->silent_since >= 0 && now_ms() - v->silent_since >= SILENCE_MS)
        tell(v, TOLD_SILENT);
}

static int take_out(struct vpcd *v, char *reply, size_t size)
{
    if (v->link.state == LINK_OUT) {
        snprintf(reply, size, "the card is out already");
        return -1;
    }
    forget_connection(v);
    link_pull(&v->link, now_ms());
    v->told = TOLD_NOTHING;
    snprintf(reply, size, "the card is out");
    return 0;
}

static int put_in(struct vpcd *v, char *reply, size_t size)
{
    if (v->link.state != LINK_OUT) {
        snprintf(reply, size, "the card is in already");
        return -1;
    }
    link_insert(&v->link);
    snprintf(reply, size, "the card goes in");
    return 0;
}

static int run_line(void *ctx, const char *line, char *reply, size_t size)
{
    struct vpcd *v = ctx;

    if (strcmp(line, "pull") == 0)
        return take_out(v, reply, size);
    if (strcmp(line, "insert") == 0)
        return put_in(v, reply, size);
    if (v->card.control != NULL)
        return v->card.control(v->card.ctx, line, reply, size);
    snprintf(reply, size, "unknown command");
    return -1;
}

int vpcd_new(const struct vpcd_options *options, struct vpcd **ret, char error[VPCD_ERROR_LEN])
{
    struct vpcd *v = calloc(1, sizeof *v);
    if (v == NULL) {
        snprintf(error, VPCD_ERROR_LEN, "out of memory");
        return -1;
    }
    v->card = *options->card;
    v->stop_fd = options->stop_fd;
    v->say = options->say;
    v->say_ctx = options->say_ctx;
    v->silent_since = -1;
    frames_reset(&v->in);
    if (link_init(&v->link, options->address, options->listen, error) != 0) {
        free(v);
        return -1;
    }
    if (control_init(&v->control, options->control, run_line, v, error) != 0) {
        link_done(&v->link);
        free(v);
        return -1;
    }
    *ret = v;
    return 0;
}

void vpcd_free(struct vpcd **v)
{
    if (*v == NULL)
        return;
    control_done(&(*v)->control);
    link_done(&(*v)->link);
    free(*v);
    *v = NULL;
}

/* How long poll() may wait, in ms; -1 for ever. */
static int wait_ms(const struct vpcd *v)
{
    int64_t now = now_ms();

    if (v->silent_since < 0 || v->told == TOLD_SILENT)
        return link_timeout(&v->link, now);
    int64_t left = v->silent_since + SILENCE_MS - now;
    return left < 0 ? 0 : (int)left;
}

int vpcd_run(struct vpcd *v, char error[VPCD_ERROR_LEN])
{
    enum { STOP, LINK, CONTROL };
    struct pollfd fds[CONTROL + CONTROL_FDS_MAX];

    for (;;) {
        if (link_waits(&v->link))
            tell(v, TOLD_WAITING);
        short want = v->out_at < v->out_end ? POLLOUT : link_events(&v->link);
        fds[STOP] = (struct pollfd){ .fd = v->stop_fd, .events = POLLIN };
        fds[LINK] = (struct pollfd){ .fd = link_fd(&v->link), .events = want };
        size_t n = control_poll(&v->control, fds + CONTROL);

        if (poll(fds, CONTROL + n, wait_ms(v)) < 0) {
            if (errno == EINTR)
                continue;
            snprintf(error, VPCD_ERROR_LEN, "poll: %s", strerror(errno));
            return -1;
        }
        if (fds[STOP].revents != 0) {
            drop(v);
            return 0;
        }
        step_link(v, fds[LINK].revents);
        control_step(&v->control, fds + CONTROL, n);
    }
}
