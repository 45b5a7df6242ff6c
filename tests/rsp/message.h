/* message.h - octets of a test's message, found and changed by path.
 *
 * A path is tags in hex from the outside in, "BF38/30#1/80"; #n is the n-th of that tag, from 0.
 * It descends into anything whose contents are TLVs, so an extension's OCTET STRING too.  A path
 * that leads nowhere ends the test. */
#ifndef TESTS_RSP_MESSAGE_H
#define TESTS_RSP_MESSAGE_H

#include "os/tlv.h"

enum { MESSAGE_MAX = 1 << 17 };

/* A change to a message as text.  with is what replaces the TLV at path, in hex: "" takes it out,
 * a + in front keeps it and puts the rest behind it; *N at the end is N zero octets.
 * path NULL changes nothing. */
struct change {
    const char *path, *with;
};

bool message_has(struct rd message, const char *path, struct tlv *ret);
struct tlv message_at(struct rd message, const char *path);

/* The lengths around it follow. */
void message_replace(struct wr *message, const char *path, struct rd with);
void message_change(struct wr *message, struct change change);

/* The TLVs within it in reverse order. */
void message_reverse(struct wr *message, const char *path);

/* Inverts one bit (mask) of the TLV's contents; at counts from the front, or from the end when it
 * is negative. */
void message_flip(struct wr *message, const char *path, long at, uint8_t mask);

/* A copy in memory of its own, to be given to wr_done(). */
struct wr message_copy(struct rd octets);
void message_set(struct wr *message, struct rd octets);

#endif
