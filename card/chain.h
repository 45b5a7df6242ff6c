/* chain.h - long commands in, long answers out: command chaining (ISO 7816-4 5.3.3), 61xx with GET
 * RESPONSE, and 6Cxx (ISO 7816-3 12.2).  The only place that knows how T=0 splits things.
 *
 * One struct chain belongs to one logical channel.  The rule for answers, which serves T=0 and
 * T=1 alike because a reader does not tell which one it speaks:
 *   - a command without Le gets its data behind 61xx;
 *   - a command with Le gets up to Le octets at once, then 61xx for the rest or 9000;
 *   - a warning, 62xx or 63xx, is said at once to a command without Le, and its data comes with
 *     GET RESPONSE's own status, 9000 (TS 102 221 7.3.1.1), or with 62F1 when more follows;
 *   - GET RESPONSE with a named Le above what waits gets 6Cxx and may ask again. */
#ifndef CARD_CHAIN_H
#define CARD_CHAIN_H

#include "card/apdu.h"

enum {
    INS_GET_RESPONSE = 0xC0,
    CHAIN_MAX_COMMAND = 65535, /* octets of a joined command */
};

struct chain {
    struct {
        uint8_t *p; /* joined so far, from malloc */
        size_t n;
        uint8_t cla, ins, p1, p2;
        bool open; /* the last command is still to come */
    } in;
    struct {
        uint8_t *p; /* waits for GET RESPONSE, from malloc; NULL: nothing waits */
        size_t n, at;
        uint16_t sw; /* with its last octet */
    } out;
};

/* Forgets everything, as a reset or closing the channel does. */
void chain_reset(struct chain *c);

/* Takes one command.  SW_OK: *a is complete and may be executed; its data may point into c and
 * live until chain_reset() or the next chain_take().  CHAIN_MORE: answer 9000, more is to come.
 * Anything else is the status word to answer: 6883 when a command of another kind breaks a chain,
 * 6700 beyond CHAIN_MAX_COMMAND, 6F00 without memory.  In each case the chain is over.
 * GET RESPONSE is not for it: chain_get_response() ends a chain as any other command does. */
enum { CHAIN_MORE = 1 };
uint16_t chain_take(struct chain *c, bool chained, struct apdu *a);

/* Takes the memory that chain_answer() needs for an answer of n octets, so that it cannot fail
 * after what the command did is committed.  What waited before is dropped.  false: no memory. */
bool chain_reserve(struct chain *c, const struct apdu *a, size_t n);

/* Puts n octets and a status word into response, keeping back what does not fit Le.  data stays
 * the caller's.  Returns the length of the response. */
size_t chain_answer(struct chain *c, const struct apdu *a, const uint8_t *data, size_t n,
                    uint16_t sw, uint8_t *response);

/* GET RESPONSE: 6985 when nothing waits. */
size_t chain_get_response(struct chain *c, const struct apdu *a, uint8_t *response);

#endif
