/* control.h - the control socket: lines of text over a UNIX stream socket.
 *
 * Each line is answered by one line, "ok ..." or "error ...".  Several clients may be there at
 * once; one that sends an endless line or does not read its answers is cut off. */
#ifndef VPCD_CONTROL_H
#define VPCD_CONTROL_H

#include <poll.h>
#include <stddef.h>

#include "vpcd/lines.h"

enum {
    CONTROL_CLIENTS_MAX = 8,
    CONTROL_LINE_MAX = 4096,
    CONTROL_FDS_MAX = 1 + CONTROL_CLIENTS_MAX,
    CONTROL_ERROR_LEN = 256,
};

/* Does what the line says; the text of the answer goes to reply.  0, or negative: refused. */
typedef int control_fn(void *ctx, const char *line, char *reply, size_t size);

struct control_client {
    int fd; /* -1: free */
    struct lines lines;
};

struct control {
    char path[108]; /* as in sockaddr_un; "" before it is ours */
    int listener;   /* -1: there is no control socket */
    struct control_client clients[CONTROL_CLIENTS_MAX];
    control_fn *run;
    void *ctx;
};

/* Listens at path; NULL: no control socket.  The socket of a program that has died is replaced.
 * 0, or -1 with a reason. */
int control_init(struct control *c, const char *path, control_fn *run, void *ctx,
                 char error[CONTROL_ERROR_LEN]);

/* Closes everything and removes the socket's name. */
void control_done(struct control *c);

/* What to give to poll(): the number of descriptors written. */
size_t control_poll(const struct control *c, struct pollfd ret[CONTROL_FDS_MAX]);

/* Goes on after poll() with the same n descriptors. */
void control_step(struct control *c, const struct pollfd *fds, size_t n);

#endif
