/* metadata.c - StoreMetadataRequest as a table of fields. */
#include "applets/isdr/metadata.h"

#include "applets/isdr/es10.h"
#include "applets/isdr/profile_store.h"
#include "applets/isdr/rules.h"

enum { MAX_EVENTS = 0x0F /* install, enable, disable, delete */ };

enum field_kind { OCTETS, UTF8, BITS, NUMBER };

/* SGP.22 5.5.3, StoreMetadataRequest: bounds in octets. */
static const struct field {
    uint32_t tag;
    bool mandatory;
    enum field_kind kind;
    size_t low, high;
    const char *wrong;
} fields[] = {
    { TAG_ICCID, true, OCTETS, ICCID_LEN, ICCID_LEN, "iccid is missing or not 10 octets" },
    { TAG_SERVICE_PROVIDER_NAME, true, UTF8, 0, SERVICE_PROVIDER_NAME_MAX,
      "serviceProviderName is missing, over 32 octets or not UTF-8" },
    { TAG_PROFILE_NAME, true, UTF8, 0, PROFILE_NAME_MAX,
      "profileName is missing, over 64 octets or not UTF-8" },
    { TAG_ICON_TYPE, false, NUMBER, ICON_JPG, ICON_PNG, "iconType is neither jpg nor png" },
    { TAG_ICON, false, OCTETS, 0, ICON_MAX, "icon is over 1024 octets" },
    { TAG_PROFILE_CLASS, false, NUMBER, CLASS_TEST, CLASS_OPERATIONAL, "profileClass is unknown" },
    { TAG_PPRS, false, BITS, 0, 0, "profilePolicyRules is no BIT STRING" },
    { TAG_ECALL_INDICATION, false, OCTETS, 1, 1, "ecallIndication is no BOOLEAN" },
    { TAG_FALLBACK_ALLOWED, false, OCTETS, 1, 1, "fallbackAllowed is no BOOLEAN" },
};

static bool field_is_good(const struct field *f, struct rd value)
{
    uint64_t number;
    uint32_t bits;

    switch (f->kind) {
    case NUMBER:
        return tlv_uint(value, &number) == 0 && number >= f->low && number <= f->high;
    case BITS:
        return tlv_bits(value, &bits) == 0;
    case UTF8:
        return value.n >= f->low && value.n <= f->high && rd_is_utf8(value);
    case OCTETS:
        return value.n >= f->low && value.n <= f->high;
    }
    return false;
}

/* SEQUENCE OF { profileManagementOperation, notificationAddress } */
static bool notifications_are_good(struct rd body)
{
    struct tlv entry, events, address;
    uint32_t bits;

    while (body.n > 0) {
        if (tlv_expect(&body, TAG_SEQUENCE, &entry) != 0 || !tlv_all_whole(entry.value) ||
            !tlv_find(entry.value, TAG_CTX_0, &events) || tlv_bits(events.value, &bits) != 0 ||
            !tlv_find(entry.value, TAG_CTX_1, &address) ||
            address.value.n > NOTIFICATION_ADDRESS_MAX || !rd_is_utf8(address.value) ||
            bits > MAX_EVENTS)
            return false;
    }
    return true;
}

const char *metadata_parse(struct rd body, struct metadata *ret)
{
    struct metadata m = { .profile_class = CLASS_OPERATIONAL };
    struct tlv t;

    if (!tlv_all_whole(body))
        return "its fields are broken";
    for (size_t i = 0; i < N_ELEMS(fields); i++) {
        bool given = tlv_find(body, fields[i].tag, &t);
        if (given ? !field_is_good(&fields[i], t.value) : fields[i].mandatory)
            return fields[i].wrong;
    }
    if (tlv_find(body, TAG_ICON, &t) && !tlv_find(body, TAG_ICON_TYPE, &t))
        return "icon without iconType";
    if (tlv_find(body, TAG_NOTIFICATION_CONFIGURATION, &t) && !notifications_are_good(t.value))
        return "notificationConfigurationInfo is broken";
    if (tlv_find(body, TAG_PROFILE_OWNER, &t)) {
        if (!tlv_all_whole(t.value))
            return "profileOwner is broken";
        m.owner = t.value;
    }
    if (tlv_find(body, TAG_PROFILE_CLASS, &t) && tlv_uint(t.value, &m.profile_class) != 0)
        return "profileClass is unknown";
    if (tlv_find(body, TAG_PPRS, &t) && tlv_bits(t.value, &m.pprs) != 0)
        return "profilePolicyRules is no BIT STRING";
    if (m.pprs != 0 && m.owner.n == 0)
        return "profilePolicyRules without profileOwner";
    if (tlv_find(body, TAG_ICCID, &t))
        m.iccid = t.value;
    if (tlv_find(body, TAG_ECALL_INDICATION, &t))
        m.is_emergency = t.value.p[0] != 0;
    *ret = m;
    return NULL;
}

bool metadata_class_supported(const struct euicc *e, const struct metadata *m)
{
    return m->profile_class != CLASS_TEST || setting_is(&e->settings, SET_TEST_PROFILES, "on");
}

const char *metadata_refuse_pprs(const struct euicc *e, const struct metadata *m)
{
    return rules_refuse_pprs(e, m->pprs, m->owner);
}

void metadata_keep(struct rd body, struct wr *ret)
{
    struct tlv t;

    while (tlv_get(&body, &t) == 0)
        if (t.tag != TAG_DATA_NOT_STORED)
            wr_put_rd(ret, t.whole);
}
