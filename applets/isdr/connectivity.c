/* connectivity.c - GetConnectivityParameters (SGP.32 5.9.24): how the enabled profile's operator
 * wants its bearer opened, from the header of its profile package (TCA 8.2). */
#include <stdio.h>

#include "applets/isdr/isdr.h"
#include "applets/isdr/profile_state.h"

enum {
    TAG_CONNECTIVITY_PARAMETERS = 0x87, /* ProfileHeader */
    TAG_SMS_PARAMETERS = 0xA0,          /* within it, SGP.02 4.1.3.4 */
    TAG_CAT_TP_PARAMETERS = 0xA1,
    TAG_HTTPS_PARAMETERS = 0xA2,

    HEADER_MAX = 1 << 16,

    PARAMETERS_NOT_AVAILABLE = 1,
};

/* Those for HTTPS where the three kinds of SGP.02 are told apart; else all that there is. */
static struct rd http_params(struct rd parameters)
{
    struct tlv t, https;
    struct rd in = parameters;

    if (!tlv_all_whole(parameters) || tlv_get(&in, &t) != 0)
        return parameters;
    if (t.tag != TAG_SMS_PARAMETERS && t.tag != TAG_CAT_TP_PARAMETERS &&
        t.tag != TAG_HTTPS_PARAMETERS)
        return parameters;
    return tlv_find(parameters, TAG_HTTPS_PARAMETERS, &https) ? https.value : rd_of(NULL, 0);
}

/* The enabled profile's header, if it was kept, into a writer of the caller. */
static int read_header(struct euicc *e, struct wr *ret)
{
    uint16_t enabled;
    char key[NVM_KEY_MAX];
    bool found;

    TRY(profile_enabled(e, &enabled));
    if (enabled == NO_PROFILE)
        return 0;
    snprintf(key, sizeof key, "isdp/%04x/header", enabled);
    TRY(nvm_get(e->nvm, key, ret, &found));
    return wr_failed(ret);
}

static struct rd find_http_params(struct rd header)
{
    struct tlv whole, parameters;

    if (tlv_get(&header, &whole) != 0 ||
        !tlv_find(whole.value, TAG_CONNECTIVITY_PARAMETERS, &parameters))
        return rd_of(NULL, 0);
    return http_params(parameters.value);
}

int isdr_connectivity_parameters(struct euicc *e, struct wr *ret)
{
    struct wr header;

    wr_init_heap(&header, HEADER_MAX);
    int err = read_header(e, &header);
    if (err == 0)
        wr_put_rd(ret, find_http_params(wr_view(&header)));
    wr_done(&header);
    return err != 0 ? err : wr_failed(ret);
}

int es10b_get_connectivity_parameters(struct session *s, struct rd body, struct wr *rsp)
{
    static const struct result_name names[] = {
        { PARAMETERS_NOT_AVAILABLE, "parametersNotAvailable" },
    };
    struct euicc *e = s->euicc;
    struct wr params;

    (void)body;
    wr_init_heap(&params, HEADER_MAX);
    int err = isdr_connectivity_parameters(e, &params);
    if (err != 0) {
        wr_done(&params);
        return err;
    }
    struct wr_mark m = tlv_open(rsp, TAG_GET_CONNECTIVITY_PARAMETERS);
    if (params.n > 0) {
        struct wr_mark ok = tlv_open(rsp, TAG_CHOICE_0);
        tlv_put(rsp, TAG_CTX_1, wr_view(&params));
        tlv_close(rsp, ok);
    } else {
        int code = es10_refuse(
            e, "GetConnectivityParameters", names, N_ELEMS(names), PARAMETERS_NOT_AVAILABLE,
            "the enabled profile has none, or no profile is enabled", "SGP.32 5.9.24");
        tlv_put_uint(rsp, TAG_CTX_1, (uint64_t)code);
    }
    tlv_close(rsp, m);
    wr_done(&params);
    return 0;
}
