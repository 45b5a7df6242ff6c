/* show_iot.h - what SGP.32 adds to a card: its eIMs, package results, and the ways back from one
 * profile to another. */
#ifndef LIB_SHOW_IOT_H
#define LIB_SHOW_IOT_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "os/euicc.h"

/* Adds "iot"; nothing with iot=off.  0 or a fault. */
int show_iot_add(cJSON *to, struct euicc *e);

/* Prints it as text. */
void show_iot_print(FILE *out, const cJSON *root);

#endif
