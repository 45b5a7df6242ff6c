/* message.c - octets of a test's message, found and changed by path. */
#include "tests/rsp/message.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/testlib/hex.h"

struct step {
    uint32_t tag;
    unsigned nth;
    const char *rest; /* NULL: the last one */
};

static struct step first_step(const char *path)
{
    char *end;
    struct step s = { .tag = (uint32_t)strtoul(path, &end, 16) };

    if (*end == '#')
        s.nth = (unsigned)strtoul(end + 1, &end, 10);
    ck_assert_msg(*end == '/' || *end == '\0', "not a path: %s", path);
    s.rest = *end == '/' ? end + 1 : NULL;
    return s;
}

bool message_has(struct rd message, const char *path, struct tlv *ret)
{
    struct step s = first_step(path);

    if (!tlv_find_nth(message, s.tag, s.nth, ret))
        return false;
    return s.rest == NULL || message_has(ret->value, s.rest, ret);
}

struct tlv message_at(struct rd message, const char *path)
{
    struct tlv t;

    ck_assert_msg(message_has(message, path, &t), "the message has no %s", path);
    return t;
}

static void rebuild(struct rd in, const char *path, struct rd with, struct wr *out)
{
    struct step s = first_step(path);
    struct tlv t;

    while (tlv_get(&in, &t) == 0) {
        if (t.tag != s.tag || s.nth-- != 0) {
            wr_put_rd(out, t.whole);
        } else if (s.rest == NULL) {
            wr_put_rd(out, with);
        } else {
            struct wr_mark m = tlv_open(out, t.tag);
            rebuild(t.value, s.rest, with, out);
            tlv_close(out, m);
        }
    }
    wr_put_rd(out, in); /* what is no TLV stays */
}

void message_replace(struct wr *message, const char *path, struct rd with)
{
    struct wr out;

    message_at(wr_view(message), path);
    wr_init_heap(&out, MESSAGE_MAX);
    rebuild(wr_view(message), path, with, &out);
    ck_assert_int_eq(wr_failed(&out), 0);
    wr_done(message);
    *message = out;
}

/* Hex, then the zeros that a * asks for. */
static void put_text(struct wr *w, const char *text)
{
    const char *star = strchr(text, '*');

    if (star == NULL) {
        hex_put(w, text);
        return;
    }
    char *front = strndup(text, (size_t)(star - text));
    ck_assert_ptr_nonnull(front);
    hex_put(w, front);
    free(front);
    size_t n = strtoul(star + 1, NULL, 10);
    uint8_t *zeros = wr_reserve(w, n);
    ck_assert_ptr_nonnull(zeros);
    memset(zeros, 0, n);
}

void message_change(struct wr *message, struct change change)
{
    struct wr with;

    if (change.path == NULL)
        return;
    wr_init_heap(&with, MESSAGE_MAX);
    const char *text = change.with;
    if (text[0] == '+') {
        wr_put_rd(&with, message_at(wr_view(message), change.path).whole);
        text++;
    }
    put_text(&with, text);
    message_replace(message, change.path, wr_view(&with));
    wr_done(&with);
}

void message_reverse(struct wr *message, const char *path)
{
    struct tlv outer = message_at(wr_view(message), path), child;
    struct wr body, whole;

    wr_init_heap(&body, MESSAGE_MAX);
    for (struct rd in = outer.value; tlv_get(&in, &child) == 0;) {
        struct wr rest = message_copy(wr_view(&body));
        wr_clear(&body);
        wr_put_rd(&body, child.whole);
        wr_put_rd(&body, wr_view(&rest));
        wr_done(&rest);
    }
    wr_init_heap(&whole, MESSAGE_MAX);
    tlv_put(&whole, outer.tag, wr_view(&body));
    message_replace(message, path, wr_view(&whole));
    wr_done(&whole);
    wr_done(&body);
}

void message_flip(struct wr *message, const char *path, long at, uint8_t mask)
{
    struct rd value = message_at(wr_view(message), path).value;
    long i = at < 0 ? (long)value.n + at : at;

    ck_assert_msg(i >= 0 && i < (long)value.n, "%s has no octet %ld", path, at);
    message->p[value.p - message->p + i] ^= mask;
}

void message_set(struct wr *message, struct rd octets)
{
    struct wr copy = message_copy(octets); /* octets may be of the message itself */

    wr_done(message);
    *message = copy;
}

struct wr message_copy(struct rd octets)
{
    struct wr w;

    wr_init_heap(&w, MESSAGE_MAX);
    wr_put_rd(&w, octets);
    ck_assert_int_eq(wr_failed(&w), 0);
    return w;
}
