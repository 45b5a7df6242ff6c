/* pcsc.h - the little of PC/SC that doctor needs.
 *
 * The chip does not depend on PC/SC, so the library is loaded when it is asked for.  Types and
 * numbers are those of pcsc-lite's interface. */
#ifndef CLI_PCSC_H
#define CLI_PCSC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PCSC_OK = 0,
    PCSC_READERS_MAX = 1024,
    PCSC_ATR_MAX = 33,
};

/* Codes of pcsc-lite, in the 32 bits that matter. */
#define PCSC_NO_SERVICE         0x8010001DU
#define PCSC_NO_READERS         0x8010002EU
#define PCSC_NO_CARD            0x8010000CU
#define PCSC_SHARING_VIOLATION  0x8010000BU
#define PCSC_SECURITY_VIOLATION 0x8010006AU

struct pcsc_api;

struct pcsc {
    struct pcsc_api *api; /* NULL: the library is not installed */
    long context, card;
    unsigned long protocol;
    bool has_context, has_card;
};

/* Loads the library.  False when there is none. */
bool pcsc_load(struct pcsc *p);

/* These return PCSC_OK or one of the codes above, or another. */
uint32_t pcsc_establish(struct pcsc *p);
uint32_t pcsc_list_readers(struct pcsc *p, char ret[PCSC_READERS_MAX]); /* "name\0name\0\0" */
uint32_t pcsc_connect(struct pcsc *p, const char *reader);
uint32_t pcsc_transmit(struct pcsc *p, const uint8_t *command, size_t n, uint8_t *response,
                       size_t size, size_t *ret_n);
const char *pcsc_error(const struct pcsc *p, uint32_t code);

/* Keeps other users of the card out until pcsc_done(). */
uint32_t pcsc_begin(struct pcsc *p);

void pcsc_done(struct pcsc *p);

#endif
