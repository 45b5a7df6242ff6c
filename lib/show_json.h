/* show_json.h - what the parts of show write into their tree, and read back for the text. */
#ifndef LIB_SHOW_JSON_H
#define LIB_SHOW_JSON_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "os/buf.h"

/* The first 64 octets. */
void show_add_hex(cJSON *to, const char *name, struct rd v);
void show_add_text(cJSON *to, const char *name, struct rd v);
/* Digits as printed on cards: nibbles swapped back, padding dropped. */
void show_add_iccid(cJSON *to, const char *name, struct rd iccid);

/* "" and 0 where there is none. */
const char *show_string(const cJSON *object, const char *name);
double show_number(const cJSON *object, const char *name);
bool show_is(const cJSON *object, const char *name);

#endif
