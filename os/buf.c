/* buf.c - bounded buffers. */
#include "os/buf.h"

#include <stdlib.h>
#include <string.h>

#include "os/err.h"

enum { FIRST_GROWTH = 256 };

struct rd rd_str(const char *s)
{
    return rd_of(s, strlen(s));
}

bool rd_equal(struct rd a, struct rd b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool rd_is_utf8(struct rd s)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 }; /* by continuation octets */

    for (size_t i = 0; i < s.n;) {
        uint8_t first = s.p[i++];
        unsigned more = first < 0x80 ? 0 : first >> 5 == 6 ? 1 : first >> 4 == 14 ? 2 : 3;
        if (more == 3 && first >> 3 != 30)
            return false;
        uint32_t point = more == 0 ? first : first & (0x3Fu >> more);
        for (unsigned k = 0; k < more; k++, i++) {
            if (i == s.n || s.p[i] >> 6 != 2)
                return false;
            point = point << 6 | (s.p[i] & 0x3F);
        }
        if (point < least[more] || point > 0x10FFFF || point >> 11 == 0x1B) /* surrogates */
            return false;
    }
    return true;
}

int rd_take(struct rd *in, size_t n, struct rd *ret)
{
    if (n > in->n)
        return ERR_INPUT;
    *ret = rd_of(in->p, n);
    if (n > 0)
        in->p += n;
    in->n -= n;
    return 0;
}

void wr_init(struct wr *w, void *p, size_t size)
{
    *w = (struct wr){ .p = p, .size = size, .max = size };
}

void wr_init_heap(struct wr *w, size_t max)
{
    *w = (struct wr){ .max = max, .heap = true };
}

void wr_init_secret(struct wr *w, size_t max)
{
    *w = (struct wr){ .max = max, .heap = true, .secret = true };
}

static void wipe(struct wr *w)
{
    if (w->secret && w->p != NULL)
        explicit_bzero(w->p, w->size);
}

void wr_done(struct wr *w)
{
    if (w->heap) {
        wipe(w);
        free(w->p);
        *w = (struct wr){ .max = w->max, .heap = true, .secret = w->secret };
    }
}

void wr_clear(struct wr *w)
{
    wipe(w);
    w->n = 0;
    w->failed = false;
}

/* realloc(), which may leave a copy behind where it moves from, is not for secrets. */
static uint8_t *enlarge(struct wr *w, size_t size)
{
    if (!w->secret)
        return realloc(w->p, size);
    uint8_t *p = malloc(size);
    if (p != NULL && w->p != NULL) {
        memcpy(p, w->p, w->n);
        wipe(w);
        free(w->p);
    }
    return p;
}

static bool grow(struct wr *w, size_t need)
{
    size_t size = w->size > 0 ? w->size : FIRST_GROWTH;
    while (size < need)
        size *= 2;
    if (size > w->max)
        size = w->max;
    uint8_t *p = enlarge(w, size);
    if (p == NULL)
        return false;
    w->p = p;
    w->size = size;
    return true;
}

uint8_t *wr_reserve(struct wr *w, size_t n)
{
    if (w->failed || n > w->max - w->n) {
        w->failed = true;
        return NULL;
    }
    if (n > w->size - w->n && (!w->heap || !grow(w, w->n + n))) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->p + w->n;
    w->n += n;
    return at;
}

void wr_put(struct wr *w, const void *p, size_t n)
{
    if (n == 0)
        return;
    uint8_t *at = wr_reserve(w, n);
    if (at != NULL)
        memcpy(at, p, n);
}

void wr_put_rd(struct wr *w, struct rd v)
{
    wr_put(w, v.p, v.n);
}

void wr_put_u8(struct wr *w, uint8_t v)
{
    wr_put(w, &v, 1);
}

int wr_failed(const struct wr *w)
{
    return w->failed ? ERR_NOMEM : 0;
}
