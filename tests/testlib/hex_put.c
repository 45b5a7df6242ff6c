/* hex_put.c - octets of a test, written as text, into a writer. */
#include <stdlib.h>
#include <string.h>

#include "os/tlv.h"
#include "tests/testlib/hex.h"

void hex_put(struct wr *w, const char *text)
{
    size_t most = strlen(text) * 2 + 3; /* {} becomes a length of up to three octets */
    uint8_t *octets = malloc(most);

    if (octets == NULL)
        abort();
    wr_put(w, octets, hex(text, octets, most));
    free(octets);
}

void hex_put_tlv(struct wr *w, uint32_t tag, const char *text)
{
    struct wr_mark m = tlv_open(w, tag);
    hex_put(w, text);
    tlv_close(w, m);
}
