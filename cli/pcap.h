/* pcap.h - APDUs as a capture file: GSMTAP over UDP over IPv4, as Wireshark reads it.
 *
 * One packet is one exchange, command and response, or a command that got none.  Protocol
 * background: pcap's classic format with LINKTYPE_RAW (101), UDP port 4729, GSMTAP version 2 with
 * type 4 (SIM). */
#ifndef CLI_PCAP_H
#define CLI_PCAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pcap {
    FILE *to;
    uint8_t *packet; /* headers, command, response */
    size_t n;        /* octets of the packet so far; 0: no command yet */
    uint16_t ip_id;
};

/* Writes the file's header; the FILE stays the caller's.  0, or -1 when memory is short. */
int pcap_init(struct pcap *p, FILE *to);
void pcap_done(struct pcap *p);

void pcap_command(struct pcap *p, const uint8_t *bytes, size_t n);
void pcap_response(struct pcap *p, const uint8_t *bytes, size_t n);

#endif
