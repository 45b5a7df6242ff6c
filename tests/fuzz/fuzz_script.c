/* fuzz_script.c - the first octet halves the input into a conformance script and an APDU that a
 * report tells of: how many 256ths of the rest are script.
 *
 * A script that is read can be told of, statement by statement, by the place that it is from. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lab/play_script.h"
#include "lab/report.h"
#include "tests/fuzz/fuzz.h"

static void tell_of(const struct play_source *source, const char *at)
{
    char place[PLAY_PLACE_LEN];

    play_place(source, at, place);
    oracle(strncmp(place, "fuzz:", 5) == 0, "a place names its file");
    oracle(play_source_line(source, at) > 0, "lines are counted from 1");
    free(play_source_text(source, at));
}

static void read_script(struct rd text)
{
    struct play_script script;
    struct lab_error e = { "" };

    if (play_script_read_text("fuzz", text, &script, &e) != 0) {
        oracle(strncmp(e.text, "fuzz:", 5) == 0, "a refusal says where");
        return;
    }
    for (size_t i = 0; i < script.n; i++) {
        const struct play_case *c = &script.cases[i];
        tell_of(c->source, c->at);
        for (size_t k = 0; k < c->steps.n; k++)
            tell_of(c->steps.at[k].source, c->steps.at[k].at);
    }
    play_script_free(&script);
}

static void tell_of_octets(struct rd octets)
{
    struct report_lines *lines = malloc(sizeof *lines);

    if (lines == NULL)
        return;
    report_decode_octets(octets, lines);
    for (size_t i = 0; i < lines->n; i++)
        oracle(lines->at[i].from <= octets.n, "what is decoded is within the octets");
    free(lines);
}

/* Would open files of this machine. */
static bool includes(struct rd text)
{
    static const char word[] = "include";

    for (size_t i = 0; i + sizeof word - 1 <= text.n; i++)
        if (strncasecmp((const char *)text.p + i, word, sizeof word - 1) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    size_t part = fuzz_u8(&in), n;

    uint8_t *text = fuzz_copy(&in, in.n * part / 255, &n);
    if (!includes(rd_of(text, n)))
        read_script(rd_of(text, n));
    free(text);
    uint8_t *octets = fuzz_copy(&in, in.n, &n);
    tell_of_octets(rd_of(octets, n));
    free(octets);
    return 0;
}
