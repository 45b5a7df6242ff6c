/* trace_text.c - the trace as lines of text. */
#include "cli/trace_text.h"

#include "card/sw.h"
#include "cli/hex.h"

static void response(FILE *to, const uint8_t *bytes, size_t n)
{
    fputs("< ", to);
    hex_print(to, bytes, n);
    if (n >= 2)
        fprintf(to, " (%s)\n", sw_text((uint16_t)(bytes[n - 2] << 8 | bytes[n - 1])));
    else
        fputs(" (no status word)\n", to);
}

void trace_text(FILE *to, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                size_t n)
{
    switch (event) {
    case SOFTEUICC_COMMAND:
        fputs("> ", to);
        hex_print(to, bytes, n);
        fputc('\n', to);
        break;
    case SOFTEUICC_RESPONSE:
        response(to, bytes, n);
        break;
    case SOFTEUICC_CHECK:
        fprintf(to, "! %s\n", text);
        break;
    case SOFTEUICC_FAULT:
        fprintf(to, "!! %s\n", text);
        break;
    case SOFTEUICC_NOTE:
        fprintf(to, "# %s\n", text);
        break;
    }
    fflush(to);
}
