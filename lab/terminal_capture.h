/* terminal_capture.h - what went over BIP, for reading later. */
#ifndef LAB_TERMINAL_CAPTURE_H
#define LAB_TERMINAL_CAPTURE_H

#include "lab/terminal.h"

struct capture;

/* A file called NAME.pcap is written as such, IP packets made up around the octets; any other as a
 * hex dump. */
int capture_open(const char *path, struct capture **ret, struct lab_error *e);
void capture_octets(struct capture *capture, const struct terminal_flow *flow, struct rd octets);
void capture_close(struct capture **capture);

#endif
