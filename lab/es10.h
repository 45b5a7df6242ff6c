/* es10.h - the LPA's side of ES10a, ES10b and ES10c: the ISD-R on a logical channel, requests in
 * STORE DATA blocks (SGP.22 5.7.2). */
#ifndef LAB_ES10_H
#define LAB_ES10_H

#include <stdbool.h>

#include "lab/card.h"

enum {
    ES10_RESPONSE_MAX = 1024 * 1024,
};

struct es10 {
    struct card *card; /* borrowed */
    uint8_t channel;   /* 1 to 19; 0: none open */
    uint16_t sw;       /* the last status word of the last request; 0: none */
    bool lost;         /* the card has not answered once: what it has done is not known */
};

/* TERMINAL CAPABILITY, MANAGE CHANNEL, SELECT of the ISD-R. */
int es10_open(struct es10 *es10, struct card *card, struct lab_error *e);
void es10_close(struct es10 *es10);

/* Sends one request and collects its response, which may be empty.  A status word other than
 * 9000 at the end is an error. */
int es10_send(struct es10 *es10, struct rd request, struct wr *ret, struct lab_error *e);

/* The same for a request whose response must be one TLV with the tag of the request. */
int es10_call(struct es10 *es10, struct rd request, struct wr *ret, struct rd *ret_value,
              struct lab_error *e);

#endif
