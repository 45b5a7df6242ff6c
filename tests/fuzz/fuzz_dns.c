/* fuzz_dns.c - applets/ipae/dns.h: answers to questions, and questions for any name.
 *
 * First octet: bit 0 asks for AAAA; bit 1: header and question of the answer are made to fit, the
 * input is two octets of flags and of the number of records, then records; bit 2: a name instead.
 */
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/dns.h"
#include "os/err.h"
#include "tests/fuzz/fuzz.h"

static void ask(struct rd name)
{
    uint8_t room[DNS_QUERY_MAX];
    struct dns_answer answer;
    struct wr out;

    wr_init(&out, room, sizeof room);
    if (dns_put_query(&out, name, DNS_A, 1) != 0)
        return;
    oracle(out.n <= DNS_QUERY_MAX && out.n >= 12 + 1 + 4, "a question has its length");
    oracle(dns_read(wr_view(&out), wr_view(&out), &answer) == DNS_NOT_OURS,
           "a question is no answer");
    room[2] |= 0x80;
    oracle(dns_read(wr_view(&out), wr_view(&out), &answer) == DNS_NO_ADDRESS,
           "the question that was written is read");
}

static void put_u16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)(v & 0xFF);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    uint8_t how = fuzz_u8(&in), room[DNS_QUERY_MAX];
    struct dns_answer answer = { 0 };
    struct wr query, made;

    if ((how & 4) != 0) {
        ask(in);
        return 0;
    }
    wr_init(&query, room, sizeof room);
    oracle(dns_put_query(&query, rd_str("eim.example.test"), (how & 1) != 0 ? DNS_AAAA : DNS_A,
                         0x1234) == 0,
           "there is a question");
    wr_init_heap(&made, size + DNS_QUERY_MAX);
    if ((how & 2) != 0) {
        wr_put_rd(&made, wr_view(&query));
        put_u16(made.p + 2, fuzz_u16(&in) | 0x8000);
        put_u16(made.p + 6, fuzz_u16(&in));
    }
    wr_put_rd(&made, in);
    size_t n;
    struct rd all = wr_view(&made);
    uint8_t *copy = fuzz_copy(&all, all.n, &n);
    enum dns_result result = dns_read(wr_view(&query), rd_of(copy, n), &answer);
    oracle((how & 2) == 0 || result != DNS_NOT_OURS || (made.p[2] & 0x78) != 0,
           "an answer to our question is ours");
    if (result == DNS_FOUND)
        oracle(answer.n >= 1 && answer.n <= DNS_ADDRESSES_MAX && answer.ttl <= DNS_TTL_MAX &&
                   answer.address_len == ((how & 1) != 0 ? 16 : 4),
               "an answer keeps its bounds");
    else
        oracle(answer.n == 0, "no answer leaves no address");
    free(copy);
    wr_done(&made);
    return 0;
}
