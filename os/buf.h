/* buf.h - bounded buffers.
 *
 * struct rd is a borrowed view that is consumed from the front; it never owns and cannot run past
 * its end.  struct wr is a bounded writer: what does not fit is not written and is remembered, so
 * that one wr_failed() at the end replaces a check at each step. */
#ifndef OS_BUF_H
#define OS_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd {
    const uint8_t *p;
    size_t n;
};

static inline struct rd rd_of(const void *p, size_t n)
{
    return (struct rd){ (const uint8_t *)p, n };
}

/* View of a string without its terminating zero. */
struct rd rd_str(const char *s);

/* Same length and same bytes.  Not for secrets: see crypto_equal(). */
bool rd_equal(struct rd a, struct rd b);

/* Well-formed UTF-8 (RFC 3629). */
bool rd_is_utf8(struct rd s);

/* Takes n bytes off the front.  0, or ERR_INPUT with nothing consumed. */
int rd_take(struct rd *in, size_t n, struct rd *ret);

struct wr {
    uint8_t *p;
    size_t n;    /* bytes written */
    size_t size; /* bytes that p has room for now */
    size_t max;  /* bound that p may grow to; equal to size for a buffer of the caller */
    bool heap;   /* p is ours: grows up to max, freed by wr_done() */
    bool secret; /* heap: no octet stays behind in memory that is left */
    bool failed; /* something did not fit, or memory ran out */
};

/* Writes into the caller's memory, size bytes at most. */
void wr_init(struct wr *w, void *p, size_t size);

/* Writes into memory of its own that grows as needed, max bytes at most. */
void wr_init_heap(struct wr *w, size_t max);

/* The same for keys and the like: what wr_clear() forgets is overwritten, and so is memory before
 * it is given back, when the writer outgrows it or ends. */
void wr_init_secret(struct wr *w, size_t max);

/* Frees the memory of a heap writer; leaves an empty writer with the same bound. */
void wr_done(struct wr *w);

/* Forgets what was written; the memory stays. */
void wr_clear(struct wr *w);

void wr_put(struct wr *w, const void *p, size_t n);
void wr_put_rd(struct wr *w, struct rd v);
void wr_put_u8(struct wr *w, uint8_t v);

/* Makes room for n bytes (at least one) at the end and returns where they go, or NULL (and fails
 * the writer).
 * The pointer lives until the next call on w. */
uint8_t *wr_reserve(struct wr *w, size_t n);

/* What was written so far; lives until the next call on w. */
static inline struct rd wr_view(const struct wr *w)
{
    return (struct rd){ w->p, w->n };
}

/* 0, or ERR_NOMEM when anything did not fit. */
int wr_failed(const struct wr *w);

#endif
