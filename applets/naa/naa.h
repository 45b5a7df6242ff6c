/* naa.h - the network access applications: USIM (TS 31.102) and ISIM (TS 31.103). */
#ifndef APPLETS_NAA_NAA_H
#define APPLETS_NAA_NAA_H

#include "applets/naa/aka.h"
#include "os/applet.h"

extern const struct applet usim_applet;
extern const struct applet isim_applet;

/* Files that more than one command looks at.  FIDs; below the ADF unless a DF is named. */
enum {
    FID_DF_5GS = 0x5FC0,
    FID_DF_SAIP = 0x5FD0,
};

/* Whether the application may work: its ADF or a DF below is current, and its PIN is satisfied.
 * 0, SW_CONDITIONS_OF_USE, SW_SECURITY_STATUS or a fault. */
int naa_ready(struct session *s, const struct apdu *a);

/* The whole of a transparent EF of the application, whatever its access rules; df 0: in the ADF
 * itself.  *ret_found: there is one. */
int naa_read(struct session *s, uint16_t df, uint16_t fid, struct wr *ret, bool *ret_found);
/* The node of an EF in the ADF, FS_NONE for none. */
uint16_t naa_ef(struct session *s, uint16_t df, uint16_t fid);

/* Whether a service is available in EF.UST or EF.IST (TS 31.102 4.2.8, TS 31.103 4.2.7). */
int naa_has_service(struct session *s, unsigned service, bool *ret);

/* AUTHENTICATE in the GBA context (gba.c) and GET IDENTITY (identity.c). */
command_fn naa_authenticate_gba, naa_get_identity;

/* Loads the parameters of the application; aka_close() in any case.  0, SW_CONDITIONS_OF_USE or a
 * fault. */
int naa_open(struct session *s, const struct apdu *a, struct aka *ret);

/* AKA with RAND and AUTN, each behind its length.  0 with the answer, of which only AKA_SYNCHRONISE
 * was written, or a status word, or a fault. */
int naa_challenge(struct session *s, const struct apdu *a, struct aka *aka, struct rd in, bool gba,
                  struct aka_answer *ret, struct wr *rsp);

/* One octet of length, and as many octets.  ERR_INPUT with nothing consumed. */
int naa_take(struct rd *in, struct rd *ret);
void naa_put(struct wr *w, const uint8_t *p, size_t n);

#endif
