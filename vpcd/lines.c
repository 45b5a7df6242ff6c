/* lines.c - text lines of bounded length. */
#include "vpcd/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int lines_init(struct lines *l, size_t size)
{
    *l = (struct lines){ .bytes = malloc(size + 1), .size = size };
    return l->bytes == NULL ? -1 : 0;
}

void lines_done(struct lines *l)
{
    free(l->bytes);
    *l = (struct lines){ 0 };
}

int lines_read(struct lines *l, int fd)
{
    memmove(l->bytes, l->bytes + l->at, l->end - l->at);
    l->end -= l->at;
    l->at = 0;
    if (l->end == l->size) {
        errno = EMSGSIZE;
        return -1;
    }

    ssize_t n = read(fd, l->bytes + l->end, l->size - l->end);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -1;
    l->end += (size_t)n;
    return n == 0 ? 0 : 1;
}

/* The line from at to stop, which is followed by an octet that may be overwritten.  A zero in it
 * would end it early, as another line than was sent: it becomes an octet that no line wants. */
static char *cut(struct lines *l, size_t stop)
{
    char *line = l->bytes + l->at;
    size_t n = stop - l->at;

    if (n > 0 && line[n - 1] == '\r')
        n--;
    for (char *zero; (zero = memchr(line, '\0', n)) != NULL;)
        *zero = '\1';
    line[n] = '\0';
    return line;
}

char *lines_next(struct lines *l)
{
    const char *newline = memchr(l->bytes + l->at, '\n', l->end - l->at);
    if (newline == NULL)
        return NULL;

    size_t stop = (size_t)(newline - l->bytes);
    char *line = cut(l, stop);
    l->at = stop + 1;
    return line;
}

char *lines_rest(struct lines *l)
{
    if (l->at == l->end)
        return NULL;
    char *line = cut(l, l->end);
    l->at = l->end;
    return line;
}

bool lines_too_long(const struct lines *l)
{
    return l->end - l->at == l->size && memchr(l->bytes + l->at, '\n', l->size) == NULL;
}
