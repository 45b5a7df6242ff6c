/* terminal_ctlv.h - COMPREHENSION-TLV as a terminal reads and writes it (ETSI TS 101 220 7.1.1,
 * TS 102 223 9.3).
 *
 * The terminal's own, beside the card's os/ctlv.h: where one of them is wrong, the two disagree. */
#ifndef LAB_TERMINAL_CTLV_H
#define LAB_TERMINAL_CTLV_H

#include "lab/util.h"

enum {
    OBJECT_DETAILS = 0x01,
    OBJECT_DEVICES = 0x02,
    OBJECT_RESULT = 0x03,
    OBJECT_DURATION = 0x04,
    OBJECT_ALPHA = 0x05,
    OBJECT_SMSC = 0x06,
    OBJECT_SMS_TPDU = 0x0B,
    OBJECT_TEXT = 0x0D,
    OBJECT_ITEM = 0x0F,
    OBJECT_ITEM_ID = 0x10,
    OBJECT_FILE_LIST = 0x12,
    OBJECT_LOCATION = 0x13,
    OBJECT_IMEI = 0x14,
    OBJECT_MEASUREMENTS = 0x16,
    OBJECT_EVENT_LIST = 0x19,
    OBJECT_LOCATION_STATUS = 0x1B,
    OBJECT_TIMER_ID = 0x24,
    OBJECT_TIMER_VALUE = 0x25,
    OBJECT_DATE = 0x26,
    OBJECT_LANGUAGE = 0x2D,
    OBJECT_SUPPORTED_RATS = 0x34,
    OBJECT_BEARER = 0x35,
    OBJECT_CHANNEL_DATA = 0x36,
    OBJECT_CHANNEL_DATA_LENGTH = 0x37,
    OBJECT_CHANNEL_STATUS = 0x38,
    OBJECT_BUFFER_SIZE = 0x39,
    OBJECT_TRANSPORT = 0x3C,
    OBJECT_ADDRESS = 0x3E, /* other address */
    OBJECT_ACCESS_TECHNOLOGY = 0x3F,
    OBJECT_DNS_SERVER = 0x40,
    OBJECT_NETWORK_ACCESS_NAME = 0x47,
    OBJECT_IMEISV = 0x62,
    OBJECT_BATTERY = 0x63,
    OBJECT_SEARCH_MODE = 0x65,

    OBJECT_REQUIRED = 0x80, /* the comprehension bit, for object_put() */
};

struct object {
    unsigned tag; /* without the comprehension bit */
    bool required;
    struct rd value;
};

/* Takes one object off the front; false, and nothing is taken, when it is damaged. */
bool object_take(struct rd *in, struct object *ret);

/* The first object with this tag; takes everything before it off in as well, so that a second call
 * finds the next one.  false when there is none. */
bool object_find(struct rd *in, unsigned tag, struct rd *ret);

/* Whether the octets are nothing but whole objects. */
bool object_all_whole(struct rd in);

/* Do we know what such an object is (TS 102 223 9.3)? */
bool object_is_known(unsigned tag);

/* tag is OBJECT_..., with OBJECT_REQUIRED or without. */
void object_put(struct wr *w, unsigned tag, struct rd value);
void object_put_u8(struct wr *w, unsigned tag, unsigned value);
void object_put_two(struct wr *w, unsigned tag, unsigned first, unsigned second);

/* A length as COMPREHENSION-TLV and the templates D0 to DF write it. */
bool object_take_length(struct rd *in, size_t *ret);
void object_put_length(struct wr *w, size_t n);

#endif
