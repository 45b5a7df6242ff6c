/* fuzz_vpcd.c - vpcd/frame.h: a stream that comes in pieces of any size gives the frames that the
 * stream as a whole holds.  The first octet makes the sizes. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vpcd/frame.h"

/* The next frame of the whole stream that means something, by the words of vpcd/frame.h. */
static bool next_expected(struct rd *in, struct frame *ret)
{
    while (in->n >= FRAME_HEADER_LEN) {
        size_t n = (size_t)in->p[0] << 8 | in->p[1];
        const uint8_t *body = in->p + FRAME_HEADER_LEN;
        if (in->n - FRAME_HEADER_LEN < n)
            return false;
        *in = rd_of(body + n, in->n - FRAME_HEADER_LEN - n);
        *ret = (struct frame){ .kind = FRAME_APDU, .apdu = body, .n = n };
        if (n > 1)
            return true;
        if (n == 0)
            continue;
        *ret = (struct frame){ .kind = body[0] == 0   ? FRAME_OFF
                                       : body[0] == 1 ? FRAME_ON
                                       : body[0] == 2 ? FRAME_RESET
                                                      : FRAME_ATR };
        if (body[0] <= 2 || body[0] == 4)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    uint32_t pieces = fuzz_u8(&in) + 1u;
    struct rd stream = in;
    struct frames *f = malloc(sizeof *f);
    struct frame got, expected;
    struct rd piece;

    oracle(f != NULL, "there is memory");
    frames_reset(f);
    while (in.n > 0) {
        size_t room;
        uint8_t *space = frames_space(f, &room);
        oracle(room > 0, "there is room when no whole frame is left");
        pieces = pieces * 1103515245u + 12345u;
        size_t n = 1 + (pieces >> 16) % (pieces & 1 ? 7 : 4000);
        n = n < room ? n : room;
        oracle(rd_take(&in, n < in.n ? n : in.n, &piece) == 0, "a piece is there");
        memcpy(space, piece.p, piece.n);
        frames_received(f, piece.n);
        while (frames_next(f, &got)) {
            oracle(next_expected(&stream, &expected), "there is no frame too much");
            oracle(got.kind == expected.kind && got.n == expected.n &&
                       (got.n == 0 || memcmp(got.apdu, expected.apdu, got.n) == 0),
                   "the frame is the one that was sent");
        }
    }
    oracle(!next_expected(&stream, &expected), "there is no frame too few");
    free(f);
    return 0;
}
