/* rules.c - profile policy rules against the rules authorisation table. */
#include "applets/isdr/rules.h"

#include "applets/isdr/es10.h"
#include "applets/isdr/profile_store.h"

enum {
    RAT_MAX = 2048,
    MCC_MNC_LEN = 3,
    WILDCARD_DIGIT = 0xE,
};

/* Digit by digit; E in the rule stands for any digit (SGP.22 2.4.13). */
static bool mcc_mnc_matches(struct rd rule, struct rd owner)
{
    if (rule.n != MCC_MNC_LEN || owner.n != MCC_MNC_LEN)
        return false;
    for (size_t i = 0; i < MCC_MNC_LEN; i++) {
        unsigned high = rule.p[i] >> 4, low = rule.p[i] & 0xF;
        if ((high != WILDCARD_DIGIT && high != owner.p[i] >> 4) ||
            (low != WILDCARD_DIGIT && low != (owner.p[i] & 0xFu)))
            return false;
    }
    return true;
}

/* Absent in the rule: must be absent; empty in the rule: anything; else equal. */
static bool gid_matches(struct rd rule, struct rd owner, uint32_t tag)
{
    struct tlv wanted, given;
    bool is_given = tlv_find(owner, tag, &given);

    if (!tlv_find(rule, tag, &wanted))
        return !is_given;
    if (wanted.value.n == 0)
        return true;
    return is_given && rd_equal(wanted.value, given.value);
}

static bool operator_matches(struct rd rule, struct rd owner)
{
    struct tlv wanted, given;

    return tlv_find(rule, TAG_CTX_0, &wanted) && tlv_find(owner, TAG_CTX_0, &given) &&
           mcc_mnc_matches(wanted.value, given.value) && gid_matches(rule, owner, TAG_CTX_1) &&
           gid_matches(rule, owner, TAG_CTX_2);
}

/* Does one rule of the table authorise this one PPR for this owner? */
static bool rule_allows(struct rd rule, uint32_t ppr, struct rd owner)
{
    struct tlv pprs, operators, one;
    uint32_t bits;

    if (!tlv_find(rule, TAG_CTX_0, &pprs) || tlv_bits(pprs.value, &bits) != 0 || !(bits & ppr) ||
        !tlv_find(rule, TAG_CHOICE_1, &operators))
        return false;
    for (struct rd in = operators.value; tlv_get(&in, &one) == 0;)
        if (operator_matches(one.value, owner))
            return true;
    return false;
}

static bool table_allows(struct rd table, uint32_t ppr, struct rd owner)
{
    struct tlv rule;

    while (tlv_get(&table, &rule) == 0)
        if (rule_allows(rule.value, ppr, owner))
            return true;
    return false;
}

const char *rules_refuse_pprs(const struct euicc *e, uint32_t pprs, struct rd owner)
{
    static const uint32_t ruled[] = { PPR1_NO_DISABLE, PPR2_NO_DELETE };
    uint8_t octets[RAT_MAX];
    struct wr table;

    wr_init(&table, octets, sizeof octets);
    if (setting_rat(&e->settings, &table) != 0)
        return "the rules authorisation table does not read";
    if (pprs & setting_pprs(&e->settings, SET_FORBIDDEN_PPR))
        return "the PPR is forbidden on this eUICC";
    for (size_t i = 0; i < N_ELEMS(ruled); i++)
        if ((pprs & ruled[i]) && !table_allows(wr_view(&table), ruled[i], owner))
            return "no rule of the RAT authorises the PPR for this profile owner";
    return NULL;
}

int es10b_get_rat(struct session *s, struct rd body, struct wr *rsp)
{
    (void)body;
    struct wr_mark m = tlv_open(rsp, TAG_GET_RAT);
    struct wr_mark table = tlv_open(rsp, TAG_CHOICE_0);
    TRY(setting_rat(&s->euicc->settings, rsp));
    tlv_close(rsp, table);
    tlv_close(rsp, m);
    return 0;
}
