/* show_files.h - what is in a profile: files, PINs, network access applications. */
#ifndef LIB_SHOW_FILES_H
#define LIB_SHOW_FILES_H

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>

#include "os/euicc.h"

/* Adds "files", "pins", "puks" and "naas" to a profile's object.  0 or a fault. */
int show_files_add(cJSON *profile, struct euicc *e, uint16_t index);

/* Prints them as text, every line indented. */
void show_files_print(FILE *out, const cJSON *profile);

#endif
