/* link_responders.c - what test_link's peers answer: HTTP, CoAP with blocks, DNS. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/unit/link_peers.h"

static struct rd answer_of(const struct peer *p)
{
    size_t i = p->served < PEER_ANSWERS ? p->served : PEER_ANSWERS - 1;

    while (i > 0 && p->answers[i].p == NULL)
        i--;
    return p->answers[i];
}

/* --- HTTP ------------------------------------------------------------------------------------- */

/* 0 until there is a whole request. */
static size_t request_length(const struct peer *p, size_t *ret_head)
{
    const char *text = (const char *)p->in;
    const char *end = memmem(text, p->in_n, "\r\n\r\n", 4);
    const char *length = memmem(text, p->in_n, "Content-Length: ", 16);

    if (end == NULL)
        return 0;
    ck_assert_ptr_nonnull(length);
    *ret_head = (size_t)(end - text) + 4;
    size_t whole = *ret_head + (size_t)strtoul(length + 16, NULL, 10);
    return whole <= p->in_n ? whole : 0;
}

void peer_http(struct peer *p, struct rd plain)
{
    size_t head = 0, n;

    ck_assert_uint_le(p->in_n + plain.n, sizeof p->in);
    memcpy(p->in + p->in_n, plain.p, plain.n);
    p->in_n += plain.n;
    if (p->close_early && p->served_here > 0) {
        peer_end(p);
        return;
    }
    if ((n = request_length(p, &head)) == 0)
        return;
    snprintf(p->head, sizeof p->head, "%.*s", (int)head, (const char *)p->in);
    p->request_n = n - head;
    memcpy(p->request, p->in + head, p->request_n);
    p->in_n = 0;
    struct rd answer = answer_of(p);
    if (answer.n > 0)
        peer_say(p, answer);
    p->served++;
    p->served_here++;
    if (p->close_after != 0 && p->served_here >= p->close_after)
        peer_end(p);
}

/* --- CoAP ------------------------------------------------------------------------------------- */

static void coap_say(struct peer *p, struct wr *out)
{
    ck_assert_int_eq(wr_failed(out), 0);
    peer_say(p, wr_view(out));
}

static void coap_block(struct peer *p, const struct coap_message *m, struct rd answer)
{
    unsigned szx = m->has_block2 && m->block2.szx < p->szx ? m->block2.szx : p->szx;
    size_t size = coap_block_size(szx), at = m->has_block2 ? m->block2.num * size : 0;
    unsigned last = 0;
    uint8_t room[2048];
    struct wr out;

    ck_assert_uint_le(at, answer.n);
    size_t n = answer.n - at < size ? answer.n - at : size;
    wr_init(&out, room, sizeof room);
    coap_put_header(&out, COAP_ACK, p->code != 0 ? (uint8_t)p->code : COAP_CHANGED, m->id,
                    m->token);
    if (answer.n > size)
        coap_put_block(&out, &last, COAP_BLOCK2,
                       (struct coap_block){ (uint32_t)(at / size), at + n < answer.n, szx });
    coap_put_payload(&out, rd_of(answer.p + at, n));
    coap_say(p, &out);
    if (at + n == answer.n)
        p->served++;
}

void peer_coap(struct peer *p, struct rd plain)
{
    struct coap_message m;
    bool rejectable;
    unsigned last = 0;
    uint8_t room[64];
    struct wr out;

    ck_assert_int_eq(coap_parse(plain, &m, &rejectable), 0);
    if (m.type == COAP_ACK || m.code == COAP_EMPTY)
        return;
    if (!m.has_block2 || m.block2.num == 0) {
        if (!m.has_block1 || m.block1.num == 0)
            p->request_n = 0;
        size_t at = m.has_block1 ? m.block1.num * coap_block_size(m.block1.szx) : 0;
        ck_assert_uint_le(at + m.payload.n, sizeof p->request);
        memcpy(p->request + at, m.payload.p, m.payload.n);
        p->request_n = at + m.payload.n;
    }
    if (!m.has_block1 || !m.block1.more) {
        coap_block(p, &m, answer_of(p));
        return;
    }
    wr_init(&out, room, sizeof room);
    coap_put_header(&out, COAP_ACK, COAP_CONTINUE, m.id, m.token);
    coap_put_block(&out, &last, COAP_BLOCK1, m.block1);
    coap_say(p, &out);
}

/* --- DNS -------------------------------------------------------------------------------------- */

void peer_dns(struct peer *p, struct rd query)
{
    static const uint8_t record[] = { 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
    static const uint8_t record6[] = { 0xC0, 12,   0, 28, 0, 1, 0, 0, 0, 60, 0, 16, 0x20, 1,
                                       0x0D, 0xB8, 0, 0,  0, 0, 0, 0, 0, 0,  0, 0,  0,    1 };
    uint8_t room[512];
    struct wr out;

    p->queries++;
    if (p->queries <= p->silent)
        return;
    wr_init(&out, room, sizeof room);
    wr_put_rd(&out, query);
    for (unsigned i = 0; i < p->n_resolved; i++) {
        wr_put(&out, record, sizeof record);
        wr_put(&out, p->resolved[i], 4);
    }
    bool answers6 = p->ipv6 && query.p[query.n - 3] == 28;
    if (answers6)
        wr_put(&out, record6, sizeof record6);
    ck_assert_int_eq(wr_failed(&out), 0);
    if (p->wrong_id)
        room[0] ^= 0xFF;
    room[2] |= 0x80;
    room[3] = p->no_name ? 0x83 : 0x80;
    room[7] = (uint8_t)(p->n_resolved + answers6);
    peer_say_raw(p, wr_view(&out));
}
