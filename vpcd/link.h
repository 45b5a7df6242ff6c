/* link.h - the connection between a card and one reader of vpcd.
 *
 * Either the card connects to the reader (vpcd's default) or it listens and the reader connects
 * (DEVICENAME host:port).  A lost connection is made again, with growing pauses.  Nothing here
 * blocks, apart from looking up the name of a host. */
#ifndef VPCD_LINK_H
#define VPCD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINK_ERROR_LEN = 256 };

enum link_state {
    LINK_OUT,        /* pulled: neither connects nor listens, until link_insert() */
    LINK_PAUSE,      /* waits until due, then tries again */
    LINK_CONNECTING, /* connect() is under way */
    LINK_LISTENING,  /* waits for the reader to connect */
    LINK_UP,
};

struct link {
    enum link_state state;
    bool reversed;
    char host[256], port[6];
    int fd;          /* the connection; -1 for none */
    int listener;    /* reversed mode, unless the card is out; otherwise -1 */
    bool refused;    /* the last attempt failed */
    const char *why; /* likewise: the system's words for it */
    int pause_ms;    /* before the next attempt */
    int64_t due;
};

/* address is HOST:PORT or [IPV6]:PORT.  reversed: listens there from now on; port 0 takes a free
 * one.  0, or -1 with a reason. */
int link_init(struct link *l, const char *address, bool reversed, char error[LINK_ERROR_LEN]);
void link_done(struct link *l);

/* HOST:PORT as text, with the port that is really used. */
void link_address(const struct link *l, char *ret, size_t size);

/* What to give to poll(): the descriptor (-1 for none) and the wait in ms (-1 for no limit). */
int link_fd(const struct link *l);
short link_events(const struct link *l);
int link_timeout(const struct link *l, int64_t now);

/* Goes on after poll(): connects, or takes the reader that connects. */
void link_step(struct link *l, short revents, int64_t now);

/* The reader has gone: tries again after a pause. */
void link_drop(struct link *l, int64_t now);

/* Takes the card out, long enough for the reader to see it, and puts it back. */
void link_eject(struct link *l, int64_t now);

/* Takes the card out until link_insert(). */
void link_pull(struct link *l, int64_t now);
void link_insert(struct link *l);

/* Nobody is there: the last attempt failed, or nobody has connected yet. */
bool link_waits(const struct link *l);
/* Why the last attempt failed; NULL when it did not. */
const char *link_why(const struct link *l);

/* The reader talks: the next pause is a short one again. */
void link_alive(struct link *l);

/* As recv() and send() on a socket that does not block: -1 and EAGAIN when nothing goes now.
 * 0 from link_receive(): the reader has gone. */
int link_receive(struct link *l, uint8_t *p, size_t room);
int link_send(struct link *l, const uint8_t *p, size_t n);

#endif
