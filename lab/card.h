/* card.h - the two ways from the lab to a card: a PC/SC reader, or a card file opened through
 * libsofteuicc in this process. */
#ifndef LAB_CARD_H
#define LAB_CARD_H

#include "lab/util.h"

enum { CARD_RESPONSE_MAX = 65536 + 2 };

struct card;
struct softeuicc;

/* reader is a number from 0, or a part of the reader's name. */
int card_open_reader(const char *reader, struct card **ret, struct lab_error *e);
int card_open_file(const char *path, struct card **ret, struct lab_error *e);
/* A card of this process that is on; it stays the caller's. */
int card_borrow(struct softeuicc *borrowed, struct card **ret, struct lab_error *e);
void card_close(struct card **card);

/* A warm reset, as at the contacts. */
int card_reset(struct card *card, struct lab_error *e);

/* One command APDU.  ret_data gets the response without its status word, which goes to ret_sw. */
int card_transmit(struct card *card, struct rd command, struct wr *ret_data, uint16_t *ret_sw,
                  struct lab_error *e);

#endif
