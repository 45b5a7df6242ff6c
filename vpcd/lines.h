/* lines.h - text lines of bounded length from a descriptor that is read without blocking. */
#ifndef VPCD_LINES_H
#define VPCD_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct lines {
    char *bytes;
    size_t size; /* longest line and its newline */
    size_t at, end;
};

/* 0, or -1 when memory is short. */
int lines_init(struct lines *l, size_t size);
void lines_done(struct lines *l);

/* One read().  1: octets came, or none are there yet; 0: end of file; -1: failed, see errno. */
int lines_read(struct lines *l, int fd);

/* The next whole line without its end ("\n" or "\r\n"), or NULL; lives until lines_read(). */
char *lines_next(struct lines *l);

/* At the end of the file: what stands behind the last newline, or NULL. */
char *lines_rest(struct lines *l);

/* The line that is being read is longer than there is room for. */
bool lines_too_long(const struct lines *l);

#endif
