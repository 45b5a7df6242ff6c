/* frame.h - the framing of the vpcd protocol: octets in, events out.
 *
 * A frame is two octets of length, most significant first, and that many octets.  One octet is a
 * command to the card's contacts, more are a command APDU.  Frames arrive in pieces and several
 * at a time.  No sockets here. */
#ifndef VPCD_FRAME_H
#define VPCD_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_HEADER_LEN = 2,
    FRAME_BODY_MAX = 0xFFFF,
};

enum frame_kind {
    FRAME_OFF,   /* 0001 00: supply voltage goes; never answered */
    FRAME_ON,    /* 0001 01: supply voltage comes; never answered */
    FRAME_RESET, /* 0001 02: warm reset; never answered */
    FRAME_ATR,   /* 0001 04: send the answer to reset, whatever the state */
    FRAME_APDU,
};

struct frame {
    enum frame_kind kind;
    const uint8_t *apdu; /* FRAME_APDU: n octets, until the next call of frames_space() */
    size_t n;
};

/* Octets received that are not used up yet. */
struct frames {
    uint8_t bytes[FRAME_HEADER_LEN + FRAME_BODY_MAX];
    size_t at, end;
};

/* Forgets everything: a new connection. */
void frames_reset(struct frames *f);

/* Where received octets go, and how many fit.  There is always room for one at least when
 * frames_next() was called until it had no more. */
uint8_t *frames_space(struct frames *f, size_t *ret_room);
void frames_received(struct frames *f, size_t n);

/* The next whole frame that means something; empty frames and unknown commands are skipped.
 * False when more octets are needed. */
bool frames_next(struct frames *f, struct frame *ret);

/* Writes the header of an answer of n octets, n at most FRAME_BODY_MAX. */
void frame_put_header(uint8_t ret[FRAME_HEADER_LEN], size_t n);

#endif
