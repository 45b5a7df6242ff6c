/* eim_download.h - indirect profile download: the eIM is the LPA towards the SM-DP+ (SGP.32
 * 3.2.3.2, 5.14.1 to 5.14.3, 5.14.8; ES9+'). */
#ifndef LAB_EIM_DOWNLOAD_H
#define LAB_EIM_DOWNLOAD_H

#include "lab/eim.h"

int eim_initiate_authentication(struct eim_call *call, struct rd body, struct wr *ret);
int eim_authenticate_client(struct eim_call *call, struct rd body, struct wr *ret);
int eim_get_bound_profile_package(struct eim_call *call, struct rd body, struct wr *ret);
int eim_cancel_session(struct eim_call *call, struct rd body, struct wr *ret);

/* ES9+'.HandleNotification. */
int eim_relay_notification(struct eim *eim, const char *address, struct rd notification,
                           struct lab_error *e);

#endif
