/* example.c - a program that uses the library: makes a card in memory and asks it for its EID.
 *
 *   cc example.c $(pkg-config --cflags --libs softeuicc) -o example
 *
 * With an argument it tells what the card does. */
#include <softeuicc.h>
#include <stdio.h>
#include <stdlib.h>

static void print_event(void *ctx, enum softeuicc_event event, const char *text,
                        const uint8_t *bytes, size_t n)
{
    char *line = softeuicc_event_line(event, text, bytes, n, false);

    (void)ctx;
    if (line != NULL)
        fprintf(stderr, "%s\n", line);
    free(line);
}

static int exchange(struct softeuicc *card, const uint8_t *command, size_t n)
{
    uint8_t *response = malloc(SOFTEUICC_RESPONSE_MAX);
    size_t got = response == NULL ? 0 : softeuicc_transmit(card, command, n, response);

    for (size_t i = 0; i < got; i++)
        printf("%02X", (unsigned)response[i]);
    printf("\n");
    free(response);
    return got > 0 ? 0 : -1; /* 0 octets: the card is mute */
}

int main(int argc, char **argv)
{
    static const uint8_t select_isdr[] = { 0x00, 0xA4, 0x04, 0x00, 0x10, 0xA0, 0x00, 0x00,
                                           0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF,
                                           0x89, 0x00, 0x00, 0x01, 0x00, 0x00 };
    static const uint8_t get_eid[] = { 0x80, 0xE2, 0x91, 0x00, 0x06, 0xBF,
                                       0x3E, 0x03, 0x5C, 0x01, 0x5A, 0x00 };
    const struct softeuicc_new how = { .preset = "sgp23-two", .seed = "example" };
    const struct softeuicc_options options = { .trace = argc > 1 ? print_event : NULL };
    struct softeuicc *card;
    char error[SOFTEUICC_ERROR_LEN];

    (void)argv;
    if (softeuicc_open_memory(&how, &options, &card, error) != 0) {
        fprintf(stderr, "%s\n", error);
        return EXIT_FAILURE;
    }
    int r = exchange(card, select_isdr, sizeof select_isdr);
    if (r == 0)
        r = exchange(card, get_eid, sizeof get_eid);
    softeuicc_close(&card);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
