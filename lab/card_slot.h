/* card_slot.h - a reader of vpcd in which this process is the card: made cards take each other's
 * place in it, and are played through PC/SC like any other. */
#ifndef LAB_CARD_SLOT_H
#define LAB_CARD_SLOT_H

#include "lab/card.h"

struct card_slot;

/* Nothing happens yet.  address is that of the reader, HOST:PORT.  0 or negative with *e. */
int card_slot_new(const char *address, struct card_slot **ret, struct lab_error *e);
/* Takes the card out.  Cards that were opened on it are closed before. */
void card_slot_free(struct card_slot **slot);

/* --- for card.c ------------------------------------------------------------------------------ */

/* Makes a card, in place of the one before.  While that is in, PC/SC sees no change. */
int card_slot_fill(struct card_slot *slot, const struct softeuicc_new *how,
                   struct softeuicc_crypto *crypto, struct lab_error *e);
bool card_slot_is_in(const struct card_slot *slot);
/* What is out goes in; the reader finds it when it looks next. */
int card_slot_put_in(struct card_slot *slot, struct lab_error *e);
void card_slot_take_out(struct card_slot *slot);
int card_slot_control(struct card_slot *slot, const char *line, char *reply, size_t size);
/* Whether the card was mute since the last call.  PC/SC is told 6F00 instead: a reader that finds
 * its card mute takes a second to find it again. */
bool card_slot_was_mute(struct card_slot *slot);

#endif
