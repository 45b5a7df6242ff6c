/* play_tlv.h - paths into TLVs and what may be said of them, "BF2D/A0/E3[1]/9F70 == 01"
 * (docs/SCRIPTS.md, "Paths"); and names of tags. */
#ifndef LAB_PLAY_TLV_H
#define LAB_PLAY_TLV_H

#include "lab/codes.h"
#include "lab/play_octets.h"
#include "os/tlv.h"

enum { PLAY_MAX_STEPS = 16 };

/* The first TLV that a path names.  ret->tag is 0 when there is none.  names NULL: variables in
 * filters hold nothing. */
int play_path_find(const char *path, struct rd in, const struct play_names *names, struct tlv *ret,
                   struct play_error *e);

/* Whether a predicate holds; when it does not, ret->e tells why. */
struct play_verdict {
    bool holds;
    struct lab_error why;
};
int play_predicate(const char *predicate, struct rd in, struct play_names *names,
                   struct play_verdict *ret, struct play_error *e);
int play_predicate_check(const char *predicate, struct play_error *e);

/* "ProfileInfoListRequest/Response"; NULL when the tag has no name of its own. */
const char *play_tag_name(uint32_t tag);
bool play_tag_is_constructed(uint32_t tag);

/* Each result code in an answer that some list names. */
typedef void play_code_fn(void *ctx, enum code_list list, uint64_t code);
void play_codes_in(struct rd answer, play_code_fn *found, void *ctx);

/* What a result code behind these tags is called, "ok"; NULL when it is none that is known. */
const char *play_code_name(const uint32_t *tags, size_t n_tags, uint64_t code);

#endif
