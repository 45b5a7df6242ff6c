/* show.h - what a card holds, for people and for programs. */
#ifndef LIB_SHOW_H
#define LIB_SHOW_H

#include <stdbool.h>

struct euicc;

/* Text or JSON from malloc; NULL when the card does not read. */
char *show_card(struct euicc *e, bool json);

#endif
