/* ipae_mode.c - whether the IPAe is the IPA at work (SGP.32 3.8, 5.9.2).
 *
 *   setting ipae      TERMINAL CAPABILITY            IpaeActivation
 *   on                none, or without LPAd, IPAd    at work
 *   on                with one of them               not, until then: at work
 *   inactive          any                            not, until then: at work
 *
 * The way back is a reset. */
#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/isdr.h"

/* Did the terminal declare an assistant of its own (TS 102 221 11.1.19.2.4)? */
static bool terminal_has_assistant(const struct euicc *e)
{
    enum { TAG_LPA_SUPPORT = 0x83, LPAD = 0x07, TAG_IPA_SUPPORT = 0x84, IPAD = 0x01 };
    struct rd declared = rd_of(e->terminal_capability, e->terminal_capability_len);
    struct tlv t;

    if (tlv_find(declared, TAG_LPA_SUPPORT, &t) && t.value.n > 0 && (t.value.p[0] & LPAD))
        return true;
    return tlv_find(declared, TAG_IPA_SUPPORT, &t) && t.value.n > 0 && (t.value.p[0] & IPAD);
}

bool ipae_is_active(const struct euicc *e)
{
    const struct ipae *x = ipae_of(e);

    if (x == NULL)
        return false;
    return x->activated || (setting_is(&e->settings, SET_IPAE, "on") && !terminal_has_assistant(e));
}

bool ipae_may_use(const struct euicc *e, enum link_how how)
{
    bool https = how == LINK_HTTPS;

    return !setting_is(&e->settings, SET_IPAE_PROTOCOL, https ? "coaps" : "https") &&
           bip_can(&e->cat, https ? BIP_TCP : BIP_UDP);
}

uint32_t ipae_protocols(const struct euicc *e)
{
    enum { RETRIEVE_HTTPS = 1 << 0, RETRIEVE_COAPS = 1 << 1 };
    uint32_t bits = 0;

    if (ipae_may_use(e, LINK_HTTPS))
        bits |= RETRIEVE_HTTPS;
    if (ipae_may_use(e, LINK_COAPS))
        bits |= RETRIEVE_COAPS;
    return bits;
}

bool ipae_terminal_suffices(const struct euicc *e)
{
    const struct cat *c = &e->cat;
    bool timers = cat_allows(c, CAT_CAN_TIMER) && cat_allows(c, CAT_CAN_TIMER_EXPIRATION);

    return ipae_protocols(e) != 0 && cat_allows(c, CAT_CAN_REFRESH) &&
           (timers || cat_allows(c, CAT_CAN_POLL_INTERVAL)) &&
           cat_allows(c, CAT_CAN_SET_UP_EVENT_LIST);
}

/* --- what the ISD-R asks ---------------------------------------------------------------------- */

static bool is_busy(const struct euicc *e)
{
    return ipae_of(e)->phase == IPAE_TALKING;
}

static int activate(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    bool was_active = ipae_is_active(e);

    trace_note(&e->trace, "the IPAe is activated (SGP.32 3.8.4)");
    x->activated = true;
    if (was_active && x->phase != IPAE_OFF)
        return ipae_settle(e, ipae_policy_trigger(e, "IpaeActivation"));
    return e->cat.terminal.has_profile ? ipae_settle(e, ipae_boot(e)) : 0;
}

static int memory_was_reset(struct euicc *e)
{
    TRY(ipae_table_follow(e));
    return ipae_table_tell(e, CHANGE_RESET, NO_EIM);
}

void ipae_introduce(struct euicc *e)
{
    static const struct isdr_assistant assistant = { ipae_is_active, is_busy, activate,
                                                     memory_was_reset };

    isdr_state(e)->assistant = &assistant;
}
