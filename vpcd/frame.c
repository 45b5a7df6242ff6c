/* frame.c - the framing of the vpcd protocol. */
#include "vpcd/frame.h"

#include <string.h>

void frames_reset(struct frames *f)
{
    f->at = 0;
    f->end = 0;
}

uint8_t *frames_space(struct frames *f, size_t *ret_room)
{
    memmove(f->bytes, f->bytes + f->at, f->end - f->at);
    f->end -= f->at;
    f->at = 0;
    *ret_room = sizeof f->bytes - f->end;
    return f->bytes + f->end;
}

void frames_received(struct frames *f, size_t n)
{
    f->end += n;
}

/* A frame of one octet.  False for codes that mean nothing to a card. */
static bool contact_command(uint8_t code, struct frame *ret)
{
    static const struct {
        uint8_t code;
        enum frame_kind kind;
    } codes[] = {
        { 0x00, FRAME_OFF },
        { 0x01, FRAME_ON },
        { 0x02, FRAME_RESET },
        { 0x04, FRAME_ATR },
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code != code)
            continue;
        *ret = (struct frame){ .kind = codes[i].kind };
        return true;
    }
    return false;
}

bool frames_next(struct frames *f, struct frame *ret)
{
    while (f->end - f->at >= FRAME_HEADER_LEN) {
        const uint8_t *header = f->bytes + f->at;
        const uint8_t *body = header + FRAME_HEADER_LEN;
        size_t n = (size_t)header[0] << 8 | header[1];

        if (f->end - f->at < FRAME_HEADER_LEN + n)
            return false;
        f->at += FRAME_HEADER_LEN + n;
        if (n > 1) {
            *ret = (struct frame){ .kind = FRAME_APDU, .apdu = body, .n = n };
            return true;
        }
        if (n == 1 && contact_command(body[0], ret))
            return true;
    }
    return false;
}

void frame_put_header(uint8_t ret[FRAME_HEADER_LEN], size_t n)
{
    ret[0] = (uint8_t)(n >> 8);
    ret[1] = (uint8_t)(n & 0xFF);
}
