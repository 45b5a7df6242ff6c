/* session.h - a card in use by run or apdu: opened, traced, and stopped by signals. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdio.h>

#include "cli/options.h"
#include "cli/pcap.h"
#include "lib/softeuicc.h"

struct session {
    struct softeuicc *card;
    struct softeuicc_crypto *crypto;
    FILE *trace; /* NULL: none */
    bool trace_json;
    FILE *pcap_file; /* NULL: none */
    struct pcap pcap;
    int stop_fd; /* readable after SIGINT, SIGTERM or SIGHUP, which no longer end the program */
};

/* Opens the card that args names, with --fault, --trace, --pcap and --seed.  An exit status;
 * whatever it is, session_close() frees, and returns it, or EXIT_FAILED when a trace or capture
 * file did not take all of it. */
int session_open(struct session *s, const struct arguments *args);
int session_close(struct session *s, const struct arguments *args, int status);

/* softeuicc_transmit(); returns when the answer is due. */
size_t session_transmit(struct session *s, const uint8_t *command, size_t n, uint8_t *response);

/* For --help: what --fault and the control socket take. */
void session_help_faults(FILE *to);
void session_help_control(FILE *to);

#endif
