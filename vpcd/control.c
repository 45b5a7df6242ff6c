/* control.c - the control socket: lines of text over a UNIX stream socket. */
#include "vpcd/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Nobody answers at a socket that is left over from a program that has died. */
static bool is_left_over(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return refused;
}

static int bind_at(int fd, const struct sockaddr_un *at)
{
    /* Only the user may speak to the card: the name takes its mode from the descriptor. */
    if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) != 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -1;
    struct stat st;
    if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode) || !is_left_over(at)) {
        errno = EADDRINUSE;
        return -1;
    }
    unlink(at->sun_path);
    return bind(fd, (const struct sockaddr *)at, sizeof *at);
}

int control_init(struct control *c, const char *path, control_fn *run, void *ctx,
                 char error[CONTROL_ERROR_LEN])
{
    *c = (struct control){ .listener = -1, .run = run, .ctx = ctx };
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        c->clients[i].fd = -1;
    if (path == NULL)
        return 0;

    struct sockaddr_un at = { .sun_family = AF_UNIX };
    if (path[0] == '\0' || strlen(path) >= sizeof at.sun_path) {
        snprintf(error, CONTROL_ERROR_LEN, "control socket: the path is empty or longer than %zu",
                 sizeof at.sun_path - 1);
        return -1;
    }
    memcpy(at.sun_path, path, strlen(path) + 1);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind_at(c->listener, &at) != 0 || listen(c->listener, CONTROL_CLIENTS_MAX) != 0) {
        snprintf(error, CONTROL_ERROR_LEN, "control socket %s: %s", path, strerror(errno));
        control_done(c);
        return -1;
    }
    memcpy(c->path, path, strlen(path) + 1);
    return 0;
}

static void drop_client(struct control_client *client)
{
    if (client->fd < 0)
        return;
    close(client->fd);
    client->fd = -1;
    lines_done(&client->lines);
}

void control_done(struct control *c)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        drop_client(&c->clients[i]);
    if (c->listener >= 0)
        close(c->listener);
    c->listener = -1;
    if (c->path[0] != '\0')
        unlink(c->path);
    c->path[0] = '\0';
}

static struct control_client *client_by_fd(struct control *c, int fd)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (c->clients[i].fd == fd)
            return &c->clients[i];
    return NULL;
}

size_t control_poll(const struct control *c, struct pollfd ret[CONTROL_FDS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (c->clients[i].fd >= 0)
            ret[n++] = (struct pollfd){ .fd = c->clients[i].fd, .events = POLLIN };
    if (c->listener >= 0 && n < CONTROL_CLIENTS_MAX)
        ret[n++] = (struct pollfd){ .fd = c->listener, .events = POLLIN };
    return n;
}

static void take_client(struct control *c)
{
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct control_client *client = client_by_fd(c, -1);
    if (client == NULL || lines_init(&client->lines, CONTROL_LINE_MAX) != 0) {
        close(fd);
        return;
    }
    client->fd = fd;
}

static bool answer(struct control_client *client, bool ok, const char *text)
{
    char line[CONTROL_LINE_MAX + 16];
    const char *word = ok ? "ok" : "error";
    int n = snprintf(line, sizeof line, text[0] == '\0' ? "%s%s\n" : "%s %s\n", word, text);

    return send(client->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}

static void serve_client(struct control *c, struct control_client *client)
{
    int r = lines_read(&client->lines, client->fd);
    bool alive = r > 0;
    char *line;

    while ((line = lines_next(&client->lines)) != NULL ||
           (r == 0 && (line = lines_rest(&client->lines)) != NULL)) {
        char reply[CONTROL_LINE_MAX] = "";
        bool ok = c->run(c->ctx, line, reply, sizeof reply) == 0;
        alive = answer(client, ok, reply) && alive;
    }
    if (lines_too_long(&client->lines)) {
        answer(client, false, "the line is too long");
        alive = false;
    }
    if (!alive)
        drop_client(client);
}

void control_step(struct control *c, const struct pollfd *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].revents == 0)
            continue;
        struct control_client *client = client_by_fd(c, fds[i].fd);
        if (client != NULL)
            serve_client(c, client);
        else if (fds[i].fd == c->listener)
            take_client(c);
    }
}
