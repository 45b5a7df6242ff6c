/* es10a.c - addresses for discovery (SGP.22 5.7.3, 5.7.4, SGP.32 5.9.25). */
#include "applets/isdr/addresses.h"
#include "applets/isdr/es10.h"
#include "os/euicc.h"

#define KEY_DEFAULT_DP "isdr/default-dp"

int addresses_get_default_dp(struct euicc *e, struct wr *ret)
{
    bool found;

    TRY(nvm_get(e->nvm, KEY_DEFAULT_DP, ret, &found));
    if (!found)
        wr_put_rd(ret, rd_str(setting_text(&e->settings, SET_DEFAULT_DP)));
    return wr_failed(ret);
}

int es10a_get_euicc_configured_addresses(struct session *s, struct rd body, struct wr *rsp)
{
    uint8_t octets[ADDRESS_MAX];
    struct wr address;

    (void)body;
    wr_init(&address, octets, sizeof octets);
    TRY(addresses_get_default_dp(s->euicc, &address));
    struct wr_mark m = tlv_open(rsp, TAG_EUICC_CONFIGURED_ADDRESSES);
    if (address.n > 0)
        tlv_put(rsp, TAG_CTX_0, wr_view(&address));
    tlv_put_str(rsp, TAG_CTX_1, setting_text(&s->euicc->settings, SET_ROOT_DS));
    tlv_close(rsp, m);
    return 0;
}

int addresses_set_default_dp(struct euicc *e, struct rd fields, const char *clause)
{
    static const struct result_name names[] = { { UNDEFINED_ERROR, "undefinedError" } };
    struct tlv address;

    if (!tlv_find(fields, TAG_CTX_0, &address))
        return ERR_INPUT;
    if (address.value.n > ADDRESS_MAX || !rd_is_utf8(address.value))
        return es10_refuse(e, "SetDefaultDpAddress", names, N_ELEMS(names), UNDEFINED_ERROR,
                           "the address is too long or not UTF-8", clause);
    return nvm_put(e->nvm, KEY_DEFAULT_DP, address.value);
}

int es10a_set_default_dp_address(struct session *s, struct rd body, struct wr *rsp)
{
    int code = addresses_set_default_dp(s->euicc, body, "SGP.22 5.7.4");

    if (code < 0)
        return code;
    es10_put_result(rsp, TAG_SET_DEFAULT_DP_ADDRESS, TAG_CTX_0, code);
    return 0;
}

int es10b_set_default_dp_address(struct session *s, struct rd body, struct wr *rsp)
{
    int code = addresses_set_default_dp(s->euicc, body, "SGP.32 5.9.25");

    if (code < 0)
        return code;
    es10_put_result(rsp, TAG_IOT_SET_DEFAULT_DP_ADDRESS, TAG_CTX_0, code);
    return 0;
}

int addresses_reset(struct euicc *e)
{
    return nvm_del(e->nvm, KEY_DEFAULT_DP);
}

int addresses_changed(struct euicc *e, bool *ret)
{
    uint8_t octets[ADDRESS_MAX];
    struct wr address;

    wr_init(&address, octets, sizeof octets);
    TRY(addresses_get_default_dp(e, &address));
    *ret = !rd_equal(wr_view(&address), rd_str(setting_text(&e->settings, SET_DEFAULT_DP)));
    return 0;
}
