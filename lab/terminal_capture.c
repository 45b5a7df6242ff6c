/* terminal_capture.c - what went over BIP, as a pcap file or a hex dump. */
#include "lab/terminal_capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/err.h"

enum {
    LINK_RAW = 101, /* the packet begins with its IP header */
    SNAPLEN = 65535,
    SEGMENT_MAX = 32768,
    LOCAL_PORT = 49152, /* + channel */
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    TCP_HEADER = 20,
    UDP_HEADER = 8,
    TCP_PSH_ACK = 0x18,
    HOPS = 64,
    LINE = 16,
};

struct capture {
    FILE *f;
    bool pcap;
    uint32_t sequence[TERMINAL_CHANNELS][2]; /* octets sent and received so far */
};

static void put16(struct wr *w, unsigned v)
{
    wr_put_u8(w, (uint8_t)(v >> 8));
    wr_put_u8(w, (uint8_t)v);
}

static void put32(struct wr *w, uint32_t v)
{
    put16(w, v >> 16);
    put16(w, v & 0xFFFF);
}

static uint16_t checksum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put_ip(struct wr *w, const struct terminal_flow *flow, size_t n)
{
    const struct address *from = flow->sent ? flow->local : flow->remote;
    const struct address *to = flow->sent ? flow->remote : flow->local;
    uint8_t protocol = flow->udp ? PROTOCOL_UDP : PROTOCOL_TCP;

    if (flow->remote->type == ADDRESS_IPV6) {
        put32(w, 0x60000000);
        put16(w, (unsigned)n);
        wr_put_u8(w, protocol);
        wr_put_u8(w, HOPS);
        wr_put(w, from->octets, 16);
        wr_put(w, to->octets, 16);
        return;
    }
    size_t start = w->n;
    put16(w, 0x4500);
    put16(w, (unsigned)(20 + n));
    put32(w, 0);
    wr_put_u8(w, HOPS);
    wr_put_u8(w, protocol);
    put16(w, 0);
    wr_put(w, from->octets, 4); /* 0.0.0.0 for a name */
    wr_put(w, to->octets, 4);
    if (wr_failed(w) != 0)
        return;
    uint16_t sum = checksum(w->p + start, 20);
    w->p[start + 10] = (uint8_t)(sum >> 8);
    w->p[start + 11] = (uint8_t)sum;
}

/* Transport checksums are left out: nobody transmits this. */
static void put_transport(struct capture *capture, struct wr *w, const struct terminal_flow *flow,
                          size_t n)
{
    uint32_t *sequence = capture->sequence[(flow->channel - 1) % TERMINAL_CHANNELS];
    unsigned local = LOCAL_PORT + flow->channel, remote = flow->remote->port;

    put16(w, flow->sent ? local : remote);
    put16(w, flow->sent ? remote : local);
    if (flow->udp) {
        put16(w, (unsigned)(UDP_HEADER + n));
        put16(w, 0);
        return;
    }
    put32(w, 1 + sequence[flow->sent ? 0 : 1]);
    put32(w, 1 + sequence[flow->sent ? 1 : 0]);
    put16(w, 0x5000 | TCP_PSH_ACK);
    put16(w, SNAPLEN);
    put32(w, 0);
    sequence[flow->sent ? 0 : 1] += (uint32_t)n;
}

static void write_packet(struct capture *capture, const struct terminal_flow *flow,
                         struct rd octets)
{
    uint8_t room[64];
    struct timespec now;
    struct wr w;

    wr_init(&w, room, sizeof room);
    put_ip(&w, flow, octets.n + (flow->udp ? UDP_HEADER : TCP_HEADER));
    put_transport(capture, &w, flow, octets.n);
    clock_gettime(CLOCK_REALTIME, &now);
    uint32_t n = (uint32_t)(w.n + octets.n);
    const uint32_t record[] = { (uint32_t)now.tv_sec, (uint32_t)(now.tv_nsec / 1000), n, n };
    fwrite(record, 1, sizeof record, capture->f);
    fwrite(w.p, 1, w.n, capture->f);
    fwrite(octets.p, 1, octets.n, capture->f);
}

static void write_dump(struct capture *capture, const struct terminal_flow *flow, struct rd octets)
{
    char at[ADDRESS_TEXT_LEN];

    fprintf(capture->f, "channel %u %s %s %s, %zu octets\n", flow->channel,
            flow->udp ? "UDP" : "TCP", flow->sent ? "to" : "from", address_text(flow->remote, at),
            octets.n);
    for (size_t i = 0; i < octets.n; i += LINE) {
        fprintf(capture->f, "  %04zX ", i);
        for (size_t j = i; j < i + LINE; j++) {
            if (j < octets.n)
                fprintf(capture->f, " %02X", octets.p[j]);
            else
                fputs("   ", capture->f);
        }
        fputs("  ", capture->f);
        for (size_t j = i; j < i + LINE && j < octets.n; j++)
            fputc(octets.p[j] >= 0x20 && octets.p[j] < 0x7F ? octets.p[j] : '.', capture->f);
        fputc('\n', capture->f);
    }
}

int capture_open(const char *path, struct capture **ret, struct lab_error *e)
{
    const uint32_t header[] = { 0xA1B2C3D4, 4u << 16 | 2, 0, 0, SNAPLEN, LINK_RAW };
    const char *dot = strrchr(path, '.');
    struct capture *capture = calloc(1, sizeof *capture);

    if (capture == NULL)
        return lab_fail(e, "out of memory");
    capture->f = fopen(path, "wb");
    if (capture->f == NULL) {
        free(capture);
        return lab_fail(e, "%s: %s", path, strerror(errno));
    }
    capture->pcap = dot != NULL && strcmp(dot, ".pcap") == 0;
    if (capture->pcap) /* in this machine's order; readers know by the first octets */
        fwrite(header, 1, sizeof header, capture->f);
    *ret = capture;
    return 0;
}

void capture_octets(struct capture *capture, const struct terminal_flow *flow, struct rd octets)
{
    while (octets.n > 0) {
        struct rd part = rd_of(octets.p, octets.n < SEGMENT_MAX ? octets.n : SEGMENT_MAX);
        if (capture->pcap)
            write_packet(capture, flow, part);
        else
            write_dump(capture, flow, part);
        octets = rd_of(octets.p + part.n, octets.n - part.n);
    }
    fflush(capture->f);
}

void capture_close(struct capture **capture)
{
    if (*capture == NULL)
        return;
    fclose((*capture)->f);
    free(*capture);
    *capture = NULL;
}
