/* applets.c - the applications of the product. */
#include "applets/applets.h"

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/ipae.h"
#include "applets/isdr/isdr.h"
#include "applets/naa/naa.h"
#include "applets/ota/mno_sd.h"
#include "applets/ota/sms.h"

const struct applet *const applets[] = { &sms_applet,  &mno_sd_applet, &ecasd_applet, &isdr_applet,
                                         &ipae_applet, &usim_applet,   &isim_applet };
const size_t n_applets = N_ELEMS(applets);
