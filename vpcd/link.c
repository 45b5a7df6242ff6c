/* link.c - the connection between a card and one reader of vpcd.
 *
 * The reader sends a frame's length and body in two segments.  The second waits for the
 * acknowledgement of the first, which Linux delays by 40 ms unless TCP_QUICKACK is set again
 * before each recv(). */
#include "vpcd/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PAUSE_FIRST_MS = 50,
    PAUSE_LONGEST_MS = 1000,
    OUT_MS = 1000, /* a reader looks a few times a second: back sooner, and it saw nothing */
    BACKLOG = 1,
    CONNECT_RETRIES = 1, /* a host that does not answer at all is given up after three seconds */
};

/* Splits "host:port" or "[host]:port". */
static int parse_address(struct link *l, const char *address, char error[LINK_ERROR_LEN])
{
    const char *host = address;
    const char *colon = strrchr(address, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - host);

    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    }
    char *end = NULL;
    unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);
    if (n == 0 || n >= sizeof l->host || end == colon + 1 || *end != '\0' || port > 65535 ||
        (port == 0 && !l->reversed)) {
        snprintf(error, LINK_ERROR_LEN, "'%.80s' is not HOST:PORT", address);
        return -1;
    }
    memcpy(l->host, host, n);
    l->host[n] = '\0';
    snprintf(l->port, sizeof l->port, "%u", (unsigned)port);
    return 0;
}

static int lookup(const struct link *l, struct addrinfo **ret)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV | (l->reversed ? AI_PASSIVE : 0) };

    return getaddrinfo(l->host, l->port, &hints, ret);
}

/* With port 0 the system has chosen one: remember which. */
static void learn_port(struct link *l)
{
    struct sockaddr_storage at;
    socklen_t n = sizeof at;

    if (getsockname(l->listener, (struct sockaddr *)&at, &n) == 0)
        getnameinfo((struct sockaddr *)&at, n, NULL, 0, l->port, sizeof l->port, NI_NUMERICSERV);
}

static int start_listening(struct link *l, char error[LINK_ERROR_LEN])
{
    struct addrinfo *at = NULL;
    const int on = 1;

    int r = lookup(l, &at);
    if (r != 0) {
        snprintf(error, LINK_ERROR_LEN, "%.100s: %s", l->host, gai_strerror(r));
        return -1;
    }
    l->listener = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->listener < 0 || setsockopt(l->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(l->listener, at->ai_addr, at->ai_addrlen) != 0 || listen(l->listener, BACKLOG) != 0) {
        snprintf(error, LINK_ERROR_LEN, "cannot listen at %.100s:%s: %s", l->host, l->port,
                 strerror(errno));
        r = -1;
    }
    freeaddrinfo(at);
    if (r != 0) {
        if (l->listener >= 0)
            close(l->listener);
        l->listener = -1;
        return -1;
    }
    learn_port(l);
    l->state = LINK_LISTENING;
    return 0;
}

int link_init(struct link *l, const char *address, bool reversed, char error[LINK_ERROR_LEN])
{
    *l = (struct link){ .state = LINK_PAUSE,
                        .reversed = reversed,
                        .fd = -1,
                        .listener = -1,
                        .pause_ms = PAUSE_FIRST_MS };

    if (parse_address(l, address, error) != 0)
        return -1;
    return reversed ? start_listening(l, error) : 0;
}

static void hang_up(struct link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static void close_listener(struct link *l)
{
    if (l->listener >= 0)
        close(l->listener);
    l->listener = -1;
}

void link_done(struct link *l)
{
    hang_up(l);
    close_listener(l);
}

void link_address(const struct link *l, char *ret, size_t size)
{
    bool brackets = strchr(l->host, ':') != NULL;

    snprintf(ret, size, brackets ? "[%s]:%s" : "%s:%s", l->host, l->port);
}

int link_fd(const struct link *l)
{
    return l->state == LINK_LISTENING ? l->listener : l->fd;
}

short link_events(const struct link *l)
{
    return l->state == LINK_CONNECTING ? POLLOUT : POLLIN;
}

int link_timeout(const struct link *l, int64_t now)
{
    if (l->state != LINK_PAUSE)
        return -1;
    return l->due <= now ? 0 : (int)(l->due - now);
}

static void pause_link(struct link *l, int64_t due)
{
    l->state = LINK_PAUSE;
    l->due = due;
}

void link_drop(struct link *l, int64_t now)
{
    hang_up(l);
    pause_link(l, now + l->pause_ms);
    l->pause_ms = l->pause_ms * 2 > PAUSE_LONGEST_MS ? PAUSE_LONGEST_MS : l->pause_ms * 2;
}

void link_eject(struct link *l, int64_t now)
{
    hang_up(l);
    close_listener(l);
    pause_link(l, now + OUT_MS);
}

void link_pull(struct link *l, int64_t now)
{
    link_eject(l, now);
    l->state = LINK_OUT;
}

void link_insert(struct link *l)
{
    l->pause_ms = PAUSE_FIRST_MS;
    pause_link(l, l->due);
}

bool link_waits(const struct link *l)
{
    return l->state == LINK_LISTENING || (l->state == LINK_PAUSE && l->refused);
}

void link_alive(struct link *l)
{
    l->pause_ms = PAUSE_FIRST_MS;
}

const char *link_why(const struct link *l)
{
    return l->why;
}

static void refused(struct link *l, int64_t now, const char *why)
{
    l->refused = true;
    l->why = why;
    link_drop(l, now);
}

static void set_up(struct link *l)
{
    const int on = 1;

    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    l->refused = false;
    l->why = NULL;
    l->state = LINK_UP;
}

static void start_connecting(struct link *l, int64_t now)
{
    struct addrinfo *to = NULL;
    const int retries = CONNECT_RETRIES;

    int r = lookup(l, &to);
    if (r != 0) {
        refused(l, now, gai_strerror(r));
        return;
    }
    l->fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 || setsockopt(l->fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof retries) != 0)
        refused(l, now, strerror(errno));
    else if (connect(l->fd, to->ai_addr, to->ai_addrlen) == 0)
        set_up(l);
    else if (errno == EINPROGRESS)
        l->state = LINK_CONNECTING;
    else
        refused(l, now, strerror(errno));
    freeaddrinfo(to);
}

static void finish_connecting(struct link *l, int64_t now)
{
    int failure = 0;
    socklen_t n = sizeof failure;

    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &failure, &n) != 0)
        failure = errno;
    if (failure == 0)
        set_up(l);
    else
        refused(l, now, strerror(failure));
}

static void attempt(struct link *l, int64_t now)
{
    char error[LINK_ERROR_LEN];

    if (!l->reversed)
        start_connecting(l, now);
    else if (l->listener >= 0)
        l->state = LINK_LISTENING;
    else if (start_listening(l, error) != 0)
        refused(l, now, strerror(errno));
}

void link_step(struct link *l, short revents, int64_t now)
{
    if (l->state == LINK_PAUSE && l->due <= now) {
        attempt(l, now);
    } else if (l->state == LINK_CONNECTING && revents != 0) {
        finish_connecting(l, now);
    } else if (l->state == LINK_LISTENING && revents != 0) {
        l->fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (l->fd >= 0)
            set_up(l);
    }
}

int link_receive(struct link *l, uint8_t *p, size_t room)
{
    const int on = 1;

    setsockopt(l->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    return (int)recv(l->fd, p, room, 0);
}

int link_send(struct link *l, const uint8_t *p, size_t n)
{
    return (int)send(l->fd, p, n, MSG_NOSIGNAL);
}
