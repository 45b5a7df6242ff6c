/* card.h - the two ways from the lab to a card: a PC/SC reader, or a card file opened through
 * libsofteuicc in this process. */
#ifndef LAB_CARD_H
#define LAB_CARD_H

#include "lab/util.h"

enum { CARD_RESPONSE_MAX = 65536 + 2, CARD_ATR_MAX = 33 };

struct card;
struct softeuicc;

/* reader is a number from 0, or a part of the reader's name. */
int card_open_reader(const char *reader, struct card **ret, struct lab_error *e);
int card_open_file(const char *path, struct card **ret, struct lab_error *e);
/* A card of its own, in memory. */
struct softeuicc_new;
struct softeuicc_crypto;
int card_open_memory(const struct softeuicc_new *how, struct softeuicc_crypto *crypto,
                     struct card **ret, struct lab_error *e);
/* The same in a reader of vpcd, and through PC/SC. */
struct card_slot;
int card_open_slot(struct card_slot *slot, const char *reader, const struct softeuicc_new *how,
                   struct softeuicc_crypto *crypto, struct card **ret, struct lab_error *e);
/* A card of this process that is on; it stays the caller's. */
int card_borrow(struct softeuicc *borrowed, struct card **ret, struct lab_error *e);
void card_close(struct card **card);

/* One command APDU.  ret_data gets the response without its status word, which goes to ret_sw. */
int card_transmit(struct card *card, struct rd command, struct wr *ret_data, uint16_t *ret_sw,
                  struct lab_error *e);

/* Sees every command and its response, status word included; none: the card was mute. */
typedef void card_watch_fn(void *ctx, struct rd command, struct rd response);
void card_watch(struct card *card, card_watch_fn *watch, void *ctx);

/* What commands took so far, and how many they were. */
double card_seconds(const struct card *card);
size_t card_commands(const struct card *card);

/* Whether the last command got no response at all. */
bool card_is_mute(const struct card *card);

/* As at the contacts; ret_atr gets the answer to it.  After power off the next command powers on.
 */
enum card_reset { CARD_COLD, CARD_WARM };
int card_reset(struct card *card, enum card_reset how, struct wr *ret_atr, struct lab_error *e);
int card_power_off(struct card *card, struct lab_error *e);

/* The back door (docs/CONTROL.md), which a card in a reader does not have. */
bool card_has_control(const struct card *card);
int card_control(struct card *card, const char *line, char *reply, size_t size);

#endif
