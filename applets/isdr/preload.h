/* preload.h - profiles that the EUM puts in at manufacture. */
#ifndef APPLETS_ISDR_PRELOAD_H
#define APPLETS_ISDR_PRELOAD_H

#include "os/euicc.h"

/* Installs a profile package, without a session and without notifications; its metadata is made
 * from its header and from words, separated by commas (NULL: none):
 *
 *   class=test|provisioning|operational   profileClass (operational)
 *   fallback-allowed                      it may hold the fallback attribute (SGP.32 3.4.6)
 *   fallback                              it holds it
 *   ecall                                 it is the Emergency Profile (SGP.32 5.9.22)
 *   enabled                               it is enabled
 *   iccid=DIGITS                          its ICCID, instead of the package's own
 *   provider=TEXT, name=TEXT              serviceProviderName (none), profileName (profileType)
 *   nickname=TEXT                         its nickname
 *   notify=ADDRESS                        notificationConfigurationInfo: all events to there
 *   owner=HEX                             profileOwner's mccMnc, six digits as in TS 24.008
 *   ppr=1|2|1+2                           profilePolicyRules; they want an owner
 *   icon=HEX                              icon, PNG or JPEG
 *   aid=XXXX                              its ISD-P's AID, these digits of it
 *
 * The card must be on.  NULL when it is committed, else why not. */
const char *isdr_preload(struct euicc *e, struct rd package, const char *words);

#endif
