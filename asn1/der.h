/* der.h - the door to what asn1c generated: BER in, values out, and DER back.
 *
 * asn1c gives structure, never octets: whoever verifies or stores something signed keeps the
 * octets it received and hands those on.  The types come from the generated headers, one a type:
 *
 *     #include <ProfileElement.h>
 *     struct ProfileElement *pe = NULL;
 *     int r = der_decode(&asn_DEF_ProfileElement, p, n, (void **)&pe);
 *     ...
 *     der_free(&asn_DEF_ProfileElement, pe);
 *
 * Decoding is lenient as SGP.22 and the profile package ask a receiver to be (spec clauses on
 * extensibility): components of unknown tag are skipped, also between known ones, and alternatives
 * of unknown tag are dropped from a list; the components of a SEQUENCE may come in any order;
 * lengths need not be minimal; TRUE is any octet but zero.  It is strict otherwise: definite
 * lengths only, strings in one piece, no component twice, and all bounds of the ASN.1 hold. */

#ifndef ASN1_DER_H
#define ASN1_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct asn_TYPE_descriptor_s;

/* The tags in our modules are at most 3 octets and lengths at most 4 (so that 32 bits hold them),
 * and no SEQUENCE may hold more components than this, unknown ones included. */
#define DER_MAX_COMPONENTS 128

/* der_is_canonical() refuses what is nested deeper.  Ours need about half of it. */
#define DER_MAX_DEPTH 32

/* What der_decode() forgave.  A profile loader answers unknown != 0 with the PEStatus
 * invalid-parameter and `unknown_at`; strict settings refuse either. */
struct der_report {
    size_t unknown;    /* data objects skipped because no component has their tag */
    size_t unknown_at; /* where the first one begins, from `p`; meaningless if unknown is 0 */
    bool reordered;    /* components did not come in the order of the ASN.1 */
};

/* Decodes the one data object of `type` that fills p[0..n-1] exactly and checks all constraints.
 * 0: *ret owns the value, to be given to der_free().  ERR_INPUT: not such an object; ERR_NOMEM;
 * *ret is untouched then. */
int der_decode(const struct asn_TYPE_descriptor_s *type, const uint8_t *p, size_t n, void **ret);

/* The same, and says in *ret_report what was forgiven (set also when the result is negative, as
 * far as the reading went). */
int der_decode_report(const struct asn_TYPE_descriptor_s *type, const uint8_t *p, size_t n,
                      void **ret, struct der_report *ret_report);

/* Writes `value` as DER to buf[0..size-1] and its length to *ret_n.  Constraints are not checked:
 * der_valid() does.  ERR_BUG when a mandatory component is missing, ERR_NOMEM when `size` is too
 * small.  (The name der_encode() is taken by asn1c's runtime.) */
int der_write(const struct asn_TYPE_descriptor_s *type, const void *value, uint8_t *buf,
              size_t size, size_t *ret_n);

/* True if `value` keeps all bounds of its type: for values built here or read from XML. */
bool der_valid(const struct asn_TYPE_descriptor_s *type, const void *value);

/* Frees a value that der_decode() made; NULL is fine. */
void der_free(const struct asn_TYPE_descriptor_s *type, void *value);

/* True if p[0..n-1] is one or more data objects, back to back and nothing else, each in DER as far
 * as tags and lengths tell: shortest tags and lengths, definite lengths, constructed exactly where
 * it must be, and the contents of universal BOOLEAN, INTEGER, BIT STRING, NULL and OBJECT
 * IDENTIFIER canonical.  What stands under other tags is unknown and passes. */
bool der_is_canonical(const uint8_t *p, size_t n);

#endif
