/* identity.c - GET IDENTITY: the USIM conceals its own SUPI, an IMSI or a network specific
 * identifier (TS 31.102 7.5, TS 33.501 6.12.2 and annex S). */
#include "applets/naa/naa.h"
#include "applets/naa/suci.h"
#include "os/euicc.h"
#include "os/tlv.h"

enum {
    P2_SUCI = 0x01,
    P2_SUCI_FOR_NSWO = 0x02,
    TAG_SUCI = 0xA1,

    SERVICE_SUCI = 124,
    SERVICE_SUCI_BY_USIM = 125,
    SERVICE_SUPI_IS_NAI = 130,
    SERVICE_NSWO = 142,

    FID_IMSI = 0x6F07,
    FID_AD = 0x6FAD,
    FID_SUCI_CALC_INFO = 0x4F07,      /* in DF.5GS */
    FID_SUCI_CALC_INFO_USIM = 0x4F01, /* in DF.SAIP */
    FID_SUPI_NAI = 0x4F09,            /* in DF.5GS */
    FID_ROUTING_INDICATOR = 0x4F0A,   /* in DF.5GS */

    AD_MNC_LEN_AT = 3,
    MAX_SHORT = 16, /* of EF.AD and EF.Routing_Indicator only the beginning counts */
    MAX_CALC_INFO = 1024,
    MAX_SUPI_NAI = 512,
};

/* Services 124 and 125, and that of 5G NSWO where it is asked for. */
static int check_services(struct session *s, const struct apdu *a)
{
    bool privacy, by_usim, nswo;

    TRY(naa_has_service(s, SERVICE_SUCI, &privacy));
    TRY(naa_has_service(s, SERVICE_SUCI_BY_USIM, &by_usim));
    TRY(naa_has_service(s, SERVICE_NSWO, &nswo));
    if (!privacy || !by_usim)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "services 124 and 125 are not available");
    if (a->p2 == P2_SUCI_FOR_NSWO && !nswo)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "service 142 is not available");
    return 0;
}

static unsigned mnc_length(struct rd ad)
{
    return ad.n > AD_MNC_LEN_AT && (ad.p[AD_MNC_LEN_AT] & 0xF) == 3 ? 3 : 2;
}

/* The card's own file; cards without one keep it where the ME would read it. */
static int read_calc_info(struct session *s, struct wr *ret, bool *ret_found)
{
    TRY(naa_read(s, FID_DF_SAIP, FID_SUCI_CALC_INFO_USIM, ret, ret_found));
    return *ret_found ? 0 : naa_read(s, FID_DF_5GS, FID_SUCI_CALC_INFO, ret, ret_found);
}

/* In EF.SUPI_NAI where service 130 says so, else in EF.IMSI. */
static int conceal_supi(struct session *s, bool nswo, struct suci_inputs *in, struct wr *ret)
{
    uint8_t octets[MAX_SUPI_NAI];
    struct wr supi;
    bool is_nai, found;

    wr_init(&supi, octets, sizeof octets);
    TRY(naa_has_service(s, SERVICE_SUPI_IS_NAI, &is_nai));
    if (is_nai)
        TRY(naa_read(s, FID_DF_5GS, FID_SUPI_NAI, &supi, &found));
    else
        TRY(naa_read(s, 0, FID_IMSI, &supi, &found));
    if (!found)
        return ERR_INPUT;
    in->imsi = in->supi_nai = wr_view(&supi);
    if (is_nai)
        return suci_of_nsi(s->euicc->crypto, in, ret);
    return nswo ? suci_of_imsi_for_nswo(s->euicc->crypto, in, ret)
                : suci_of_imsi(s->euicc->crypto, in, ret);
}

static int conceal(struct session *s, bool nswo, struct wr *ret)
{
    uint8_t ad_octets[MAX_SHORT], routing_octets[MAX_SHORT], info_octets[MAX_CALC_INFO];
    struct wr ad, routing, info;
    bool has_info, found;

    wr_init(&ad, ad_octets, sizeof ad_octets);
    wr_init(&routing, routing_octets, sizeof routing_octets);
    wr_init(&info, info_octets, sizeof info_octets);
    TRY(naa_read(s, 0, FID_AD, &ad, &found));
    TRY(naa_read(s, FID_DF_5GS, FID_ROUTING_INDICATOR, &routing, &found));
    TRY(read_calc_info(s, &info, &has_info));
    if (!has_info)
        return ERR_INPUT;
    struct suci_inputs in = {
        .mnc_len = mnc_length(wr_view(&ad)),
        .routing = wr_view(&routing),
        .calc_info = wr_view(&info),
    };
    return conceal_supi(s, nswo, &in, ret);
}

int naa_get_identity(struct session *s, const struct apdu *a, struct wr *rsp)
{
    uint8_t octets[SUCI_MAX_LEN];
    struct wr suci;

    if (a->p1 != 0 || (a->p2 != P2_SUCI && a->p2 != P2_SUCI_FOR_NSWO))
        return uicc_refuse(s, a, SW_WRONG_P1P2, "no such identity context");
    TRY(naa_ready(s, a));
    TRY(check_services(s, a));
    wr_init(&suci, octets, sizeof octets);
    int err = conceal(s, a->p2 == P2_SUCI_FOR_NSWO, &suci);
    if (err == ERR_INPUT)
        return uicc_refuse(s, a, SW_REFERENCE_NOT_FOUND,
                           "EF.IMSI, EF.SUPI_NAI or EF.SUCI_Calc_Info is unusable");
    TRY(err);
    tlv_put(rsp, TAG_SUCI, wr_view(&suci));
    return 0;
}
