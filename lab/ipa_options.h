/* ipa_options.h - what one call of softeuicc-lab ipa is told, and reading it. */
#ifndef LAB_IPA_OPTIONS_H
#define LAB_IPA_OPTIONS_H

#include <stdio.h>

#include "lab/ipa_iot.h"
#include "lab/ipa_poll.h"

enum { OPTIONS_CA_MAX = 1024 * 1024 };

/* All that one call of the program is told. */
struct invocation {
    struct ipa ipa;
    const char *reader, *card, *pki;
    struct wr ca; /* PEM */
    bool download, until_empty, once, help;
    struct poll_options poll;
    struct iot_options iot;
};

/* STATUS_DONE to go on, otherwise the exit status; optind is where the command begins. */
int options_read(int argc, char **argv, struct invocation *v);

/* A line or more for each. */
void options_print(FILE *out);

/* The CIs of the PKI in a folder, or of the one compiled in; one curve may be missing. */
int options_add_ca_pki(const char *dir, struct wr *ret, struct lab_error *e);

#endif
