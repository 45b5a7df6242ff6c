/* secrets.h - what of the octets of APDUs does not go into a trace: PINs, PUKs and the keys of
 * PUT KEY, the answers of AUTHENTICATE, the contents of the EFs that hold keys. */
#ifndef LIB_SECRETS_H
#define LIB_SECRETS_H

#include "os/euicc.h"

struct secrets {
    bool answer;              /* of the command that runs */
    bool rest[CHANNEL_COUNT]; /* what GET RESPONSE would give */
    uint8_t channel, ins;     /* of the command that runs; CHANNEL_COUNT: its class is none */
    struct rd waited;         /* for GET RESPONSE, before it ran; to compare, not to read */
};

/* A command: *ret_from and *ret_n say which of its octets are secret, 0 for none. */
void secrets_of_command(struct secrets *s, const struct euicc *e, const uint8_t *command, size_t n,
                        size_t *ret_from, size_t *ret_n);

/* The response to it: how many of its octets are secret, from the first. */
size_t secrets_of_response(struct secrets *s, const struct euicc *e, size_t n);

#endif
