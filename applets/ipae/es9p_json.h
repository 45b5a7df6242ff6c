/* es9p_json.h - the messages of ES9+ as JSON (SGP.22 6.5). */
#ifndef APPLETS_IPAE_ES9P_JSON_H
#define APPLETS_IPAE_ES9P_JSON_H

#include "os/buf.h"

struct es9p_field {
    const char *name;
    enum { ES9P_BASE64, ES9P_HEX, ES9P_PLAIN } as; /* ES9P_PLAIN: nothing that JSON escapes */
    struct rd value;
};

/* Writes an object of these fields. */
void es9p_put(struct wr *w, const struct es9p_field *fields, size_t n);

struct es9p_answer {
    void *json;          /* cJSON */
    const char *subject; /* of a refusal, "" else; live as long as json */
    const char *reason;
};

/* false: it is no answer, or a refusal; es9p_done() all the same. */
bool es9p_read(struct rd body, struct es9p_answer *ret);
/* A field that is base64, or hex; appends its octets.  false when it is none. */
bool es9p_get(const struct es9p_answer *a, const char *name, struct wr *ret);
bool es9p_get_hex(const struct es9p_answer *a, const char *name, struct wr *ret);
/* eventEntries of ES11 (SGP.22 5.8.2): how many, negative when there is no such list; one of them,
 * false when it is malformed or its texts have more than max octets. */
int es9p_event_count(const struct es9p_answer *a);
bool es9p_get_event(const struct es9p_answer *a, int i, size_t max, const char **ret_id,
                    const char **ret_address);
void es9p_done(struct es9p_answer *a);

#endif
