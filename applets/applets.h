/* applets.h - the applications of the product. */
#ifndef APPLETS_APPLETS_H
#define APPLETS_APPLETS_H

#include "os/applet.h"

/* In the order in which they start. */
extern const struct applet *const applets[];
extern const size_t n_applets;

#endif
