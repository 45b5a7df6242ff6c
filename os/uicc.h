/* uicc.h - the commands that the UICC itself answers, whatever is selected (TS 102 221). */
#ifndef OS_UICC_H
#define OS_UICC_H

#include "os/applet.h"

extern const struct command uicc_commands[];
extern const size_t uicc_n_commands;

#endif
