/* applets.c - the applications of the product. */
#include "applets/applets.h"

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/isdr.h"

const struct applet *const applets[] = { &ecasd_applet, &isdr_applet };
const size_t n_applets = N_ELEMS(applets);
