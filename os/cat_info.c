/* cat_info.c - commands that only ask. */
#include "os/cat_info.h"

#include <string.h>

#include "os/ctlv.h"

enum {
    MINUTES = 0x00, /* TS 102 223 8.8 */
    SECONDS = 0x01,
    TENTHS = 0x02,
};

/* --- polling ---------------------------------------------------------------------------------- */

static void put_interval(struct cat_command *command, struct wr *w)
{
    uint32_t seconds = command->argument;
    uint8_t duration[] = { SECONDS, (uint8_t)seconds };

    if (seconds > UINT8_MAX) {
        duration[0] = MINUTES;
        duration[1] = (uint8_t)((seconds + 59) / 60);
    }
    ctlv_put(w, CTLV_DURATION, true, rd_of(duration, sizeof duration));
}

bool cat_poll_interval(struct cat *c, struct cat_command *command, uint32_t seconds)
{
    if (command->queued || seconds == 0 || seconds > CAT_POLL_SECONDS_MAX)
        return false;
    command->type = CAT_POLL_INTERVAL;
    command->argument = seconds;
    command->put = put_interval;
    return cat_submit(c, command);
}

bool cat_get_interval(struct rd tlvs, uint32_t *ret)
{
    struct rd v;

    if (!ctlv_find(tlvs, CTLV_DURATION, &v) || v.n != 2 || v.p[0] > TENTHS || v.p[1] == 0)
        return false;
    *ret = v.p[0] == MINUTES ? v.p[1] * 60u : v.p[0] == SECONDS ? v.p[1] : (v.p[1] + 9u) / 10;
    return true;
}

/* --- location --------------------------------------------------------------------------------- */

static uint64_t number(struct rd v)
{
    uint64_t n = 0;

    for (size_t i = 0; i < v.n; i++)
        n = n << 8 | v.p[i];
    return n;
}

/* PLMN, area and cell: 3+2+2 and 3+2+4 octets, in NG-RAN 3+3+5 (TS 102 223 8.19). */
bool cat_get_location(struct rd tlvs, struct cat_location *ret)
{
    enum { PLMN_LEN = 3, SHORT = 7, LONG = 9, NG_RAN = 11 };
    struct cat_location location = { .n = 0 };
    struct rd v;

    if (!ctlv_find(tlvs, CTLV_LOCATION, &v) || (v.n != SHORT && v.n != LONG && v.n != NG_RAN))
        return false;
    size_t area = v.n == NG_RAN ? 3 : 2;
    memcpy(location.octets, v.p, v.n);
    location.n = (uint8_t)v.n;
    memcpy(location.plmn, v.p, PLMN_LEN);
    location.area = (uint32_t)number(rd_of(v.p + PLMN_LEN, area));
    location.cell = number(rd_of(v.p + PLMN_LEN + area, v.n - PLMN_LEN - area));
    *ret = location;
    return true;
}

bool cat_get_location_status(struct rd tlvs, enum cat_service *ret)
{
    struct rd v;

    if (!ctlv_find(tlvs, CTLV_LOCATION_STATUS, &v) || v.n != 1 || v.p[0] > CAT_SERVICE_NONE)
        return false;
    *ret = v.p[0];
    return true;
}

/* --- the terminal ----------------------------------------------------------------------------- */

/* Digits from the low half of the first octet on, behind the one that says "IMEI" (TS 24.008
 * 10.5.1.4). */
bool cat_get_imei(struct rd tlvs, char ret[CAT_IMEI_DIGITS + 1])
{
    enum { IMEI_LEN = 8, IS_IMEI = 0x0A };
    char digits[CAT_IMEI_DIGITS + 1] = { 0 };
    struct rd v;

    if (!ctlv_find(tlvs, CTLV_IMEI, &v) || v.n != IMEI_LEN || (v.p[0] & 0x0F) != IS_IMEI)
        return false;
    for (size_t i = 0; i < CAT_IMEI_DIGITS; i++) {
        unsigned half = i % 2 == 0 ? v.p[i / 2] >> 4 : v.p[i / 2 + 1] & 0x0Fu;
        if (half > 9)
            return false;
        digits[i] = (char)('0' + half);
    }
    memcpy(ret, digits, sizeof digits);
    return true;
}

bool cat_get_access_technology(struct rd tlvs, uint8_t *ret)
{
    struct rd v;

    if (!ctlv_find(tlvs, CTLV_ACCESS_TECHNOLOGY, &v) || v.n < 1)
        return false;
    *ret = v.p[0];
    return true;
}

/* --- date and time (TS 102 223 8.39, TS 23.040 9.2.3.11)
 * ------------------------------------------- */

static bool swapped(uint8_t octet, unsigned low, unsigned high, unsigned *ret)
{
    unsigned tens = octet & 0x0F, ones = octet >> 4, n = tens * 10 + ones;

    if (tens > 9 || ones > 9 || n < low || n > high)
        return false;
    *ret = n;
    return true;
}

/* Days from 1970 to a day of this century. */
static int64_t days(unsigned year, unsigned month, unsigned day)
{
    static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    enum { UNTIL_2000 = 10957 };
    int64_t n = UNTIL_2000 + year * 365 + (year + 3) / 4 + before[month - 1] + day - 1;

    return n + (year % 4 == 0 && month > 2);
}

/* Quarters of an hour east of Greenwich; the sign is in the tens. */
static bool zone(uint8_t octet, int *ret)
{
    enum { UNKNOWN = 0xFF, WEST = 0x08, MOST = 79 };
    unsigned n;

    *ret = 0;
    if (octet == UNKNOWN)
        return true;
    if (!swapped((uint8_t)(octet & ~WEST), 0, MOST, &n))
        return false;
    *ret = octet & WEST ? -(int)n : (int)n;
    return true;
}

bool cat_get_date_time(struct rd tlvs, int64_t *ret)
{
    enum { DATE_TIME_LEN = 7, QUARTER = 15 * 60 };
    unsigned year, month, day, hour, minute, second;
    struct rd v;
    int quarters;

    if (!ctlv_find(tlvs, CTLV_DATE_TIME, &v) || v.n != DATE_TIME_LEN)
        return false;
    if (!swapped(v.p[0], 0, 99, &year) || !swapped(v.p[1], 1, 12, &month) ||
        !swapped(v.p[2], 1, 31, &day) || !swapped(v.p[3], 0, 23, &hour) ||
        !swapped(v.p[4], 0, 59, &minute) || !swapped(v.p[5], 0, 60, &second) ||
        !zone(v.p[6], &quarters))
        return false;
    *ret = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second -
           (int64_t)quarters * QUARTER;
    return true;
}
