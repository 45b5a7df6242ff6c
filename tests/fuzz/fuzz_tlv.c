/* fuzz_tlv.c - os/tlv.h on any octets: what is read lies within the input, nothing is consumed on
 * failure, and what is written again reads the same. */
#include <stdlib.h>
#include <string.h>

#include "os/tlv.h"
#include "tests/fuzz/fuzz.h"

enum { DEEPEST = 20 };

static void write_again(const struct tlv *t)
{
    struct wr once, twice, short_of_one;
    struct tlv back;

    wr_init_heap(&once, t->whole.n);
    wr_init_heap(&twice, t->whole.n);
    tlv_put(&once, t->tag, t->value);
    struct wr_mark m = tlv_open(&twice, t->tag);
    wr_put_rd(&twice, t->value);
    tlv_close(&twice, m);
    oracle(wr_failed(&once) == 0, "DER is not longer than what was read");
    oracle(rd_equal(wr_view(&once), wr_view(&twice)), "tlv_put() and tlv_close() agree");
    oracle(once.n == tlv_header_len(t->tag, t->value.n) + t->value.n, "tlv_header_len() is right");
    struct rd in = wr_view(&once);
    oracle(tlv_expect(&in, t->tag, &back) == 0 && in.n == 0 && rd_equal(back.value, t->value),
           "what was written reads the same");
    wr_init_heap(&short_of_one, once.n - 1);
    tlv_put(&short_of_one, t->tag, t->value);
    oracle(wr_failed(&short_of_one) != 0, "a writer that is too small says so");
    wr_done(&once);
    wr_done(&twice);
    wr_done(&short_of_one);
}

static void read_numbers(struct rd value)
{
    uint8_t room[16];
    uint64_t number;
    struct wr w;
    struct tlv t;
    uint32_t bits;

    if (tlv_uint(value, &number) == 0) {
        wr_init(&w, room, sizeof room);
        tlv_put_uint(&w, 0x02, number);
        struct rd in = wr_view(&w);
        uint64_t again;
        oracle(tlv_expect(&in, 0x02, &t) == 0 && tlv_uint(t.value, &again) == 0 && again == number,
               "an INTEGER written reads the same");
    }
    if (tlv_bits(value, &bits) == 0) {
        wr_init(&w, room, sizeof room);
        tlv_put_bits(&w, 0x03, bits);
        struct rd in = wr_view(&w);
        uint32_t again;
        oracle(tlv_expect(&in, 0x03, &t) == 0 && tlv_bits(t.value, &again) == 0 && again == bits,
               "a BIT STRING written reads the same");
    }
}

static void read_all(struct rd in, unsigned depth)
{
    struct rd body = in;
    struct tlv t = { 0 }, found;
    unsigned n = 0;

    for (;;) {
        struct rd before = in;
        if (tlv_get(&in, &t) != 0) {
            oracle(in.p == before.p && in.n == before.n, "nothing is consumed on failure");
            break;
        }
        n++;
        oracle(t.whole.p == before.p && t.whole.n <= before.n && in.p == before.p + t.whole.n &&
                   in.n == before.n - t.whole.n,
               "exactly the TLV is consumed");
        oracle(t.value.n < t.whole.n && t.value.p + t.value.n == t.whole.p + t.whole.n,
               "the value ends where its TLV ends");
        oracle(tlv_find(body, t.tag, &found) && found.whole.p <= t.whole.p,
               "what is there is found");
        write_again(&t);
        read_numbers(t.value);
        if (depth < DEEPEST)
            read_all(t.value, depth + 1);
    }
    oracle(tlv_all_whole(body) == (in.n == 0), "tlv_all_whole() agrees with tlv_get()");
    oracle(!tlv_find_nth(body, t.tag, n + 1, &found), "there are not more than there are");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size), at = in;
    uint32_t tag;
    size_t len;

    if (tlv_header(&at, &tag, &len) != 0)
        oracle(at.p == in.p && at.n == in.n, "nothing is consumed on failure");
    else
        oracle(at.n < in.n, "a header is consumed");
    (void)rd_is_utf8(in);
    read_all(in, 0);
    return 0;
}
