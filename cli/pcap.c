/* pcap.c - APDUs as a capture file. */
#include "cli/pcap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LINKTYPE_RAW = 101,
    IP_LEN = 20,
    UDP_LEN = 8,
    GSMTAP_LEN = 16,
    HEADERS_LEN = IP_LEN + UDP_LEN + GSMTAP_LEN,
    PACKET_MAX = 0xFFFF, /* an IPv4 packet's: what is longer is cut off */
    GSMTAP_PORT = 4729,
    GSMTAP_VERSION = 2,
    GSMTAP_TYPE_SIM = 4,
    PROTOCOL_UDP = 17,
};

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

int pcap_init(struct pcap *p, FILE *to)
{
    /* In the byte order of this machine, as the format wants it. */
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, accuracy, longest, linktype;
    } header = { 0xA1B2C3D4, 2, 4, 0, 0, PACKET_MAX, LINKTYPE_RAW };

    *p = (struct pcap){ .to = to, .packet = malloc(PACKET_MAX) };
    if (p->packet == NULL)
        return -1;
    fwrite(&header, sizeof header, 1, to);
    fflush(to);
    return 0;
}

static void append(struct pcap *p, const uint8_t *bytes, size_t n)
{
    size_t room = PACKET_MAX - p->n;

    memcpy(p->packet + p->n, bytes, n < room ? n : room);
    p->n += n < room ? n : room;
}

static size_t ip_checksum(const uint8_t *header)
{
    size_t sum = 0;

    for (size_t i = 0; i < IP_LEN; i += 2)
        sum += (size_t)header[i] << 8 | header[i + 1];
    while (sum > 0xFFFF)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return ~sum & 0xFFFF;
}

static void put_headers(struct pcap *p)
{
    static const uint8_t localhost[] = { 127, 0, 0, 1 };
    uint8_t *ip = p->packet, *udp = ip + IP_LEN, *gsmtap = udp + UDP_LEN;

    memset(p->packet, 0, HEADERS_LEN);
    ip[0] = 4 << 4 | IP_LEN / 4;
    put16(ip + 2, p->n);
    put16(ip + 4, p->ip_id++);
    ip[8] = 64; /* time to live */
    ip[9] = PROTOCOL_UDP;
    memcpy(ip + 12, localhost, sizeof localhost);
    memcpy(ip + 16, localhost, sizeof localhost);
    put16(ip + 10, ip_checksum(ip));

    put16(udp, GSMTAP_PORT);
    put16(udp + 2, GSMTAP_PORT);
    put16(udp + 4, p->n - IP_LEN); /* checksum 0: none */

    gsmtap[0] = GSMTAP_VERSION;
    gsmtap[1] = GSMTAP_LEN / 4;
    gsmtap[2] = GSMTAP_TYPE_SIM;
}

/* What there is of an exchange. */
static void put_packet(struct pcap *p)
{
    struct timespec now;

    put_headers(p);
    clock_gettime(CLOCK_REALTIME, &now);
    const uint32_t record[] = { (uint32_t)now.tv_sec, (uint32_t)(now.tv_nsec / 1000),
                                (uint32_t)p->n, (uint32_t)p->n };
    fwrite(record, sizeof record, 1, p->to);
    fwrite(p->packet, p->n, 1, p->to);
    fflush(p->to);
    p->n = 0;
}

void pcap_done(struct pcap *p)
{
    if (p->n > 0)
        put_packet(p);
    free(p->packet);
    *p = (struct pcap){ 0 };
}

void pcap_command(struct pcap *p, const uint8_t *bytes, size_t n)
{
    if (p->n > 0)
        put_packet(p);
    p->n = HEADERS_LEN;
    append(p, bytes, n);
}

void pcap_response(struct pcap *p, const uint8_t *bytes, size_t n)
{
    if (p->n == 0)
        return;
    append(p, bytes, n);
    put_packet(p);
}
