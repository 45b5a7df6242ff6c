/* tlv.h - BER-TLV on struct rd and struct wr; the only length arithmetic in the tree.
 *
 * A tag is written as the number that its octets make: 0x5A, 0x9F70, 0xBF2D; three octets at most.
 * Reading takes definite lengths of up to four octets, minimal or not; indefinite lengths are
 * refused.  Writing makes minimal DER. */
#ifndef OS_TLV_H
#define OS_TLV_H

#include "os/buf.h"

struct tlv {
    uint32_t tag;
    struct rd value; /* contents */
    struct rd whole; /* tag, length and contents as received */
};

/* Takes a tag alone off the front, of those that a tag list (5C) has one after the other.
 * 0, or ERR_INPUT with nothing consumed. */
int tlv_tag(struct rd *in, uint32_t *ret);

/* Takes a tag and a length off the front; the value may be incomplete.
 * 0, or ERR_INPUT with nothing consumed. */
int tlv_header(struct rd *in, uint32_t *ret_tag, size_t *ret_len);

/* Takes one whole TLV off the front.  0, or ERR_INPUT with nothing consumed. */
int tlv_get(struct rd *in, struct tlv *ret);

/* Takes one whole TLV that must carry this tag.  0, or ERR_INPUT with nothing consumed. */
int tlv_expect(struct rd *in, uint32_t tag, struct tlv *ret);

/* First TLV with this tag among the children in body; others are passed over, as extensibility
 * demands.  false when there is none before the end or before the first damaged one. */
bool tlv_find(struct rd body, uint32_t tag, struct tlv *ret);

/* The n-th (from 0) TLV with this tag among the children in body. */
bool tlv_find_nth(struct rd body, uint32_t tag, unsigned nth, struct tlv *ret);

/* Whether body is nothing but whole TLVs. */
bool tlv_all_whole(struct rd body);

/* INTEGER contents as a number: 1 to 8 octets, not negative.  0 or ERR_INPUT. */
int tlv_uint(struct rd value, uint64_t *ret);

/* Octets that tag and length of a value of n octets take. */
size_t tlv_header_len(uint32_t tag, size_t n);

/* Open TLV: tlv_open writes the tag, tlv_close fills in the minimal length. */
struct wr_mark {
    size_t body;
};
struct wr_mark tlv_open(struct wr *w, uint32_t tag);
void tlv_close(struct wr *w, struct wr_mark mark);

/* A tag alone, as in a tag list. */
void tlv_put_tag(struct wr *w, uint32_t tag);

/* Tag and length only, for a value of n octets that follows. */
void tlv_put_header(struct wr *w, uint32_t tag, size_t n);

void tlv_put(struct wr *w, uint32_t tag, struct rd value);
void tlv_put_str(struct wr *w, uint32_t tag, const char *s);
void tlv_put_u8(struct wr *w, uint32_t tag, uint8_t octet);

/* Minimal INTEGER contents. */
void tlv_put_uint(struct wr *w, uint32_t tag, uint64_t v);

/* BIT STRING contents of a named bit list: bit i of the standard is 1 << i; trailing zero bits
 * are left out as DER demands. */
void tlv_put_bits(struct wr *w, uint32_t tag, uint32_t bits);

/* Named bits of a BIT STRING's contents, the first 32; more are ignored.  0 or ERR_INPUT. */
int tlv_bits(struct rd value, uint32_t *ret);

#endif
