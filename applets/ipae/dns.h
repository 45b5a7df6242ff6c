/* dns.h - one question of a stub resolver, and what of its answer may be believed (RFC 1035).
 *
 * Nothing here is a reason to trust an address: who is there shows in TLS. */
#ifndef APPLETS_IPAE_DNS_H
#define APPLETS_IPAE_DNS_H

#include "os/buf.h"

enum {
    DNS_NAME_MAX = 255, /* on the wire, RFC 1035 2.3.4 */
    DNS_QUERY_MAX = 12 + DNS_NAME_MAX + 4,
    DNS_ADDRESSES_MAX = 4,
    DNS_TTL_MAX = 3600, /* seconds that an answer is good for, whatever it says */
    DNS_ALIASES_MAX = 8,
};

enum dns_type { /* RFC 1035 3.2.2, RFC 3596 2.1 */
                DNS_A = 1,
                DNS_AAAA = 28,
};

/* Writes the message that asks for the addresses of a host name, a dot at its end or not.  id is
 * random.  0; ERR_INPUT when this is no host name; ERR_NOMEM. */
int dns_put_query(struct wr *out, struct rd name, enum dns_type type, uint16_t id);

enum dns_result {
    DNS_FOUND,
    DNS_NOT_OURS,   /* not the answer to this query: wait on */
    DNS_NO_NAME,    /* there is no such name */
    DNS_NO_ADDRESS, /* there is, but without an address of this type */
    DNS_TRUNCATED,  /* it did not fit: ask by TCP, or give up */
    DNS_FAILED,     /* the server could not or would not */
    DNS_BROKEN,     /* the answer does not parse, or its aliases lead nowhere */
};

struct dns_answer {
    size_t n;           /* addresses, in the order of the answer */
    size_t address_len; /* 4 or 16 */
    uint8_t address[DNS_ADDRESSES_MAX][16];
    uint32_t ttl; /* the least on the way, at most DNS_TTL_MAX */
};

/* Reads a message that came from where query (as dns_put_query() wrote it) went.  *ret is set with
 * DNS_FOUND only. */
enum dns_result dns_read(struct rd query, struct rd message, struct dns_answer *ret);

/* The result in words. */
const char *dns_result_name(enum dns_result result);

#endif
