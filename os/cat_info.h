/* cat_info.h - commands that only ask, and what the terminal answers: POLL INTERVAL, POLLING OFF
 * and PROVIDE LOCAL INFORMATION (TS 102 223 6.4.6, 6.4.14, 6.4.15).
 *
 * A question is a struct cat_command of its owner's:
 *   *q = (struct cat_command){ .type = CAT_PROVIDE_LOCAL_INFORMATION, .qualifier = CAT_INFO_IMEI,
 *                              .ended = got_imei, .ctx = x };
 *   if (cat_submit(c, q)) ... */
#ifndef OS_CAT_INFO_H
#define OS_CAT_INFO_H

#include "os/cat.h"

/* Qualifiers of PROVIDE LOCAL INFORMATION (TS 102 223 8.6). */
enum cat_info {
    CAT_INFO_LOCATION = 0x00,
    CAT_INFO_IMEI = 0x01,
    CAT_INFO_DATE_TIME = 0x03,
    CAT_INFO_ACCESS_TECHNOLOGY = 0x06,
};

enum { CAT_POLL_SECONDS_MAX = 255 * 60 };

/* Makes a POLL INTERVAL of it, of minutes when seconds are too many; ended and ctx are as they
 * were.  false as cat_submit(). */
bool cat_poll_interval(struct cat *c, struct cat_command *command, uint32_t seconds);

/* From the objects of a TERMINAL RESPONSE or an event: false when it is not there or not one. */

/* The interval that the terminal grants, in seconds. */
bool cat_get_interval(struct rd tlvs, uint32_t *ret);

struct cat_location {
    uint8_t plmn[3];
    uint32_t area;         /* LAC or TAC */
    uint64_t cell;         /* what follows it, as a number */
    uint8_t octets[11], n; /* as received */
};
bool cat_get_location(struct rd tlvs, struct cat_location *ret);

/* TS 102 223 8.27: normal service, limited service, no service. */
enum cat_service { CAT_SERVICE_NORMAL, CAT_SERVICE_LIMITED, CAT_SERVICE_NONE };
bool cat_get_location_status(struct rd tlvs, enum cat_service *ret);

enum { CAT_IMEI_DIGITS = 15 };
/* Its digits, and a zero. */
bool cat_get_imei(struct rd tlvs, char ret[CAT_IMEI_DIGITS + 1]);

/* Seconds since 1970 UTC; a terminal that does not know its time zone is taken to be in UTC. */
bool cat_get_date_time(struct rd tlvs, int64_t *ret);

/* TS 102 223 8.61: 00 GSM, 03 UTRAN, 08 E-UTRAN, 0A NG-RAN and others. */
bool cat_get_access_technology(struct rd tlvs, uint8_t *ret);

#endif
