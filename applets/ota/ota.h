/* ota.h - one secured packet from its reception to its answer (ETSI TS 102 225 5, TS 102 226). */
#ifndef APPLETS_OTA_OTA_H
#define APPLETS_OTA_OTA_H

#include "os/euicc.h"

/* How the answer may travel. */
struct ota_transport {
    struct rd before; /* user data header in front of the answer: its CC covers it */
    size_t room;      /* octets of an answer packet, without what stands before */
    struct rd sender; /* its TP-OA, for an answer by SMS-SUBMIT; n == 0: there is none */
};

/* Checks the command packet, runs what is in it, and appends the response packet, when one is
 * asked for, to ret; or queues it as SEND SHORT MESSAGE when SPI2 wants that and it can be.  0;
 * ERR_INPUT when it is no command packet; another fault.  No transaction may be open: the counter
 * is committed before the commands run. */
int ota_receive(struct euicc *e, struct rd packet, const struct ota_transport *by, struct wr *ret);

#endif
