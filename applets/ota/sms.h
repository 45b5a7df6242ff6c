/* sms.h - short messages for the card: SMS-PP download (3GPP TS 31.111 7.1.1, TS 31.115 4,
 * TS 23.040 9.2). */
#ifndef APPLETS_OTA_SMS_H
#define APPLETS_OTA_SMS_H

#include "os/applet.h"

/* Takes ENVELOPE (SMS-PP download). */
extern const struct applet sms_applet;

enum {
    SMS_USER_DATA_MAX = 140,
    SMS_ADDRESS_MAX = 12, /* with its length and type */
    SMS_PARTS_MAX = 16,   /* of one concatenated message */
};

/* An SMS-DELIVER for the card, taken apart; views into the TPDU. */
struct sms {
    struct rd sender;
    bool for_card;                     /* protocol identifier and coding say so */
    bool command;                      /* its header announces a command packet */
    unsigned reference, total, number; /* of a concatenated message; else total is 1, number 1 */
    struct rd text;                    /* user data behind the header */
};

/* 0, or ERR_INPUT when it is no SMS-DELIVER. */
int sms_parse(struct rd tpdu, struct sms *ret);

#endif
