/* terminal_device.c - what the device is, and how it says so (TS 102 223 8.19, 8.20, 8.39, 8.74).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/terminal_core.h"
#include "os/err.h"

enum {
    CHANNELS_OCTET = 13, /* of TERMINAL PROFILE; its three high bits */
    CHANNELS_SHIFT = 5,
    IMEI_FIRST = 0x0A, /* an odd number of digits */
    NEGATIVE = 0x08,   /* time zone */
    SECONDS_A_QUARTER = 900,

};

void terminal_device_init(struct terminal_device *d)
{
    /* no display, no keypad; timers, events, BIP with TCP and UDP, DNS server addresses, REFRESH
     * for eUICC profile state change */
    static const uint8_t profile[] = {
        0x3B, 0x01, 0xE8, 0xE2, 0x11, 0x1C, 0x00, 0x07, 0x84, 0x00, 0x00, 0x1F,
        0xE2, 0x60, 0x00, 0x00, 0x43, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x50, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x20,
    };

    *d = (struct terminal_device){
        .imei = "490154203237518",
        .n_profile = sizeof profile,
        .buffer = 1500,
        .plmn = { 0x00, 0xF1, 0x10 },
        .area = 0x1234,
        .cell = 0x01A2B3C,
        .technology = TECHNOLOGY_EUTRAN,
        .service = SERVICE_NORMAL,
        .connect_ms = 30000,
        .poll_s = 30,
        .local_v4 = { .type = ADDRESS_IPV4, .octets = { 10, 45, 0, 2 } },
        .local_v6 = { .type = ADDRESS_IPV6,
                      .octets = { 0x20, 0x01, 0x0D, 0xB8, 0, 0x45, [15] = 2 } },
    };
    memcpy(d->profile, profile, sizeof profile);
}

void terminal_device_channels(struct terminal_device *d, unsigned n)
{
    if (d->n_profile < CHANNELS_OCTET)
        return;
    uint8_t *octet = &d->profile[CHANNELS_OCTET - 1];
    *octet = (uint8_t)((*octet & 0x1F) | (n & 7) << CHANNELS_SHIFT);
}

unsigned device_channels(const struct terminal_device *d)
{
    return d->n_profile < CHANNELS_OCTET ? 0 : d->profile[CHANNELS_OCTET - 1] >> CHANNELS_SHIFT;
}

bool terminal_plmn_read(const char *digits, uint8_t ret[3])
{
    size_t n = strlen(digits);
    unsigned d[6] = { 0, 0, 0, 0, 0, 0xF };

    if ((n != 5 && n != 6) || strspn(digits, "0123456789") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        d[i] = (unsigned)(digits[i] - '0');
    ret[0] = (uint8_t)(d[1] << 4 | d[0]);
    ret[1] = (uint8_t)(d[5] << 4 | d[2]);
    ret[2] = (uint8_t)(d[4] << 4 | d[3]);
    return true;
}

void device_put_location(const struct terminal_device *d, struct wr *w)
{
    unsigned area_octets = d->technology == TECHNOLOGY_NR ? 3 : 2;
    unsigned cell_octets = d->technology == TECHNOLOGY_NR       ? 5
                           : d->technology == TECHNOLOGY_EUTRAN ? 4
                                                                : 2;
    uint64_t cell = cell_octets > 2 ? d->cell << 4 | 0xF : d->cell;
    uint8_t room[16];
    struct wr value;

    wr_init(&value, room, sizeof room);
    wr_put(&value, d->plmn, sizeof d->plmn);
    for (unsigned i = area_octets; i-- > 0;)
        wr_put_u8(&value, (uint8_t)(d->area >> 8 * i));
    for (unsigned i = cell_octets; i-- > 0;)
        wr_put_u8(&value, (uint8_t)(cell >> 8 * i));
    object_put(w, OBJECT_LOCATION | OBJECT_REQUIRED, wr_view(&value));
}

static unsigned digit_at(const struct terminal_device *d, size_t i)
{
    return i < strlen(d->imei) ? (unsigned)(d->imei[i] - '0') : 0;
}

void device_put_imei(const struct terminal_device *d, struct wr *w)
{
    uint8_t octets[8];

    octets[0] = (uint8_t)(digit_at(d, 0) << 4 | IMEI_FIRST);
    for (size_t i = 1; i < sizeof octets; i++)
        octets[i] = (uint8_t)(digit_at(d, 2 * i) << 4 | digit_at(d, 2 * i - 1));
    object_put(w, OBJECT_IMEI | OBJECT_REQUIRED, rd_of(octets, sizeof octets));
}

/* The IMEI without its check digit, and software version 01. */
void device_put_imeisv(const struct terminal_device *d, struct wr *w)
{
    uint8_t octets[9];

    octets[0] = (uint8_t)(digit_at(d, 0) << 4 | 0x03);
    for (size_t i = 1; i < 7; i++)
        octets[i] = (uint8_t)(digit_at(d, 2 * i) << 4 | digit_at(d, 2 * i - 1));
    octets[7] = (uint8_t)(0 << 4 | digit_at(d, 13));
    octets[8] = 0xF1;
    object_put(w, OBJECT_IMEISV | OBJECT_REQUIRED, rd_of(octets, sizeof octets));
}

static uint8_t swapped(int n)
{
    return (uint8_t)(n % 10 << 4 | n / 10 % 10);
}

void device_put_date(const struct terminal_device *d, uint64_t age_ms, struct wr *w)
{
    time_t now = d->date == 0 ? time(NULL) : (time_t)(d->date + (int64_t)(age_ms / 1000));
    struct tm tm;

    now += d->quarters * SECONDS_A_QUARTER;
    gmtime_r(&now, &tm);
    uint8_t zone = swapped(abs(d->quarters));
    const uint8_t octets[] = {
        swapped(tm.tm_year % 100),
        swapped(tm.tm_mon + 1),
        swapped(tm.tm_mday),
        swapped(tm.tm_hour),
        swapped(tm.tm_min),
        swapped(tm.tm_sec),
        d->quarters < 0 ? zone | NEGATIVE : zone,
    };
    object_put(w, OBJECT_DATE | OBJECT_REQUIRED, rd_of(octets, sizeof octets));
}
