/* ctlv.h - COMPREHENSION-TLV, the data objects of the card application toolkit (ETSI TS 101 220
 * 7.1.1, TS 102 223 9.3).
 *
 * b8 of a tag is no part of it: it says that who does not understand the object must refuse the
 * whole command.  Both forms name the same object, so a tag is written here without it. */
#ifndef OS_CTLV_H
#define OS_CTLV_H

#include "os/buf.h"

/* The objects that we know (TS 102 223 9.3). */
enum {
    CTLV_COMMAND_DETAILS = 0x01,
    CTLV_DEVICE_IDENTITIES = 0x02,
    CTLV_RESULT = 0x03,
    CTLV_DURATION = 0x04,
    CTLV_ALPHA = 0x05,
    CTLV_SMS_TPDU = 0x0B,
    CTLV_TEXT = 0x0D,
    CTLV_ITEM = 0x0F,
    CTLV_ITEM_ID = 0x10,
    CTLV_LOCATION = 0x13,
    CTLV_IMEI = 0x14,
    CTLV_EVENT_LIST = 0x19,
    CTLV_LOCATION_STATUS = 0x1B,
    CTLV_TIMER_ID = 0x24,
    CTLV_TIMER_VALUE = 0x25,
    CTLV_DATE_TIME = 0x26,
    CTLV_BEARER = 0x35,
    CTLV_CHANNEL_DATA = 0x36,
    CTLV_CHANNEL_DATA_LENGTH = 0x37,
    CTLV_CHANNEL_STATUS = 0x38,
    CTLV_BUFFER_SIZE = 0x39,
    CTLV_TRANSPORT_LEVEL = 0x3C,
    CTLV_ADDRESS = 0x3E,
    CTLV_ACCESS_TECHNOLOGY = 0x3F,
    CTLV_DNS_SERVER = 0x40,
    CTLV_NETWORK_ACCESS_NAME = 0x47,
};

struct ctlv {
    uint16_t tag;       /* without the comprehension bit; above 7F: one of three octets */
    bool comprehension; /* required */
    struct rd value;
};

/* Takes one whole object off the front.  0, or ERR_INPUT with nothing consumed. */
int ctlv_get(struct rd *in, struct ctlv *ret);

/* The first, or the n-th (from 0), object with this tag in either form.  false when there is none
 * before the end or before the first damaged one. */
bool ctlv_find(struct rd body, uint16_t tag, struct rd *ret);
bool ctlv_find_nth(struct rd body, uint16_t tag, unsigned nth, struct rd *ret);

/* The tag has one octet. */
void ctlv_put(struct wr *w, uint8_t tag, bool comprehension, struct rd value);

#endif
