/* metadata.c - the metadata of a profile (SGP.22 5.5.3, 2.4a.1.1). */
#include "lab/metadata.h"

#include <stdio.h>
#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    MAX_LINE = 1024,
    NO_DIGIT = 0xF,

    TAG_PROFILE_HEADER = 0xA0, /* ProfileElement.header of the profile package */
    TAG_PROFILE_TYPE = 0x82,
    TAG_HEADER_ICCID = 0x83,

    TAG_STORE_METADATA = 0xBF25,
    TAG_ICCID = 0x5A,
    TAG_SERVICE_PROVIDER_NAME = 0x91,
    TAG_PROFILE_NAME = 0x92,
    TAG_ICON_TYPE = 0x93,
    TAG_ICON = 0x94,
    TAG_PROFILE_CLASS = 0x95,
    TAG_NOTIFICATION_CONFIGURATION = 0xB6,
    TAG_PROFILE_OWNER = 0xB7,
    TAG_PROFILE_POLICY_RULES = 0x99,
    TAG_FALLBACK_ALLOWED = 0x9F67, /* SGP.32 */
    TAG_ECALL_INDICATION = 0x9F7B,
    BOOLEAN_TRUE = 0xFF,
    TAG_SEQUENCE = 0x30,
};

static const char default_provider[] = "softeuicc test";

/* Longest beginning of v that fits and does not cut a UTF-8 character. */
static void copy_utf8(struct rd v, char *ret, size_t size)
{
    size_t n = v.n < size ? v.n : size - 1;

    while (n > 0 && n < v.n && (v.p[n] & 0xC0) == 0x80)
        n--;
    printable(rd_of(v.p, n), ret, size);
}

int metadata_from_upp(struct rd upp, const char *address, struct metadata *ret, struct lab_error *e)
{
    struct tlv header, iccid, type;
    struct metadata m = { .profile_class = CLASS_OPERATIONAL };

    if (tlv_expect(&upp, TAG_PROFILE_HEADER, &header) != 0 ||
        !tlv_find(header.value, TAG_HEADER_ICCID, &iccid) || iccid.value.n != ICCID_LEN)
        return lab_fail(e, "not a profile package: no ProfileHeader with an ICCID");
    for (size_t i = 0; i < ICCID_LEN; i++)
        m.iccid[i] = (uint8_t)(iccid.value.p[i] << 4 | iccid.value.p[i] >> 4);

    copy_text(default_provider, m.service_provider_name, sizeof m.service_provider_name);
    if (tlv_find(header.value, TAG_PROFILE_TYPE, &type))
        copy_utf8(type.value, m.profile_name, sizeof m.profile_name);
    for (uint32_t event = EVENT_INSTALL; event <= EVENT_DELETE; event <<= 1) {
        m.notifications[m.n_notifications].events = event;
        if (!copy_text(address, m.notifications[m.n_notifications++].address, METADATA_ADDRESS_LEN))
            return lab_fail(e, "notification address is too long");
    }
    *ret = m;
    return 0;
}

bool profile_class_read(const char *name, enum profile_class *ret)
{
    static const char *const names[] = { "test", "provisioning", "operational" };

    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum profile_class)i;
            return true;
        }
    }
    return false;
}

/* A comma-separated list of names as bits; the i-th name is 1 << i. */
static bool read_bits(const char *list, const char *const *names, size_t n_names, uint32_t *ret)
{
    uint32_t bits = 0;

    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        size_t i = 0;
        while (i < n_names && (strlen(names[i]) != n || strncmp(names[i], list, n) != 0))
            i++;
        if (i == n_names)
            return false;
        bits |= UINT32_C(1) << i;
        list += n;
        list += *list == ',';
    }
    *ret = bits;
    return true;
}

typedef bool set_fn(struct metadata *m, const char *value, const char *dir);

static bool set_provider(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return copy_text(value, m->service_provider_name, sizeof m->service_provider_name);
}

static bool set_name(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return copy_text(value, m->profile_name, sizeof m->profile_name);
}

static bool set_class(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return profile_class_read(value, &m->profile_class);
}

static bool set_ppr(struct metadata *m, const char *value, const char *dir)
{
    static const char *const names[] = { "pprUpdateControl", "ppr1", "ppr2" };

    (void)dir;
    return read_bits(value, names, N_ELEMS(names), &m->ppr);
}

/* EVENT[,EVENT...]@ADDRESS; "none" takes the entries so far away. */
static bool set_notification(struct metadata *m, const char *value, const char *dir)
{
    static const char *const names[] = { "install", "enable", "disable", "delete" };
    char events[64];
    const char *at = strchr(value, '@');

    (void)dir;
    if (strcmp(value, "none") == 0) {
        m->n_notifications = 0;
        return true;
    }
    if (at == NULL || m->n_notifications == METADATA_MAX_NOTIFICATIONS ||
        !copy_rd(rd_of(value, (size_t)(at - value)), events, sizeof events))
        return false;
    size_t i = m->n_notifications;
    if (!read_bits(events, names, N_ELEMS(names), &m->notifications[i].events) ||
        m->notifications[i].events == 0 ||
        !copy_text(at + 1, m->notifications[i].address, METADATA_ADDRESS_LEN))
        return false;
    m->n_notifications++;
    return true;
}

/* MCC-MNC as in 262-01, packed as TS 24.008 10.5.1.3 does. */
static bool set_owner(struct metadata *m, const char *value, const char *dir)
{
    unsigned d[6];
    size_t n = strlen(value);

    (void)dir;
    if ((n != 6 && n != 7) || value[3] != '-')
        return false;
    d[5] = NO_DIGIT;
    for (size_t i = 0, at = 0; i < n; i++) {
        if (i == 3)
            continue;
        if (value[i] < '0' || value[i] > '9')
            return false;
        d[at++] = (unsigned)(value[i] - '0');
    }
    m->mcc_mnc[0] = (uint8_t)(d[1] << 4 | d[0]);
    m->mcc_mnc[1] = (uint8_t)(d[5] << 4 | d[2]);
    m->mcc_mnc[2] = (uint8_t)(d[4] << 4 | d[3]);
    m->has_owner = true;
    return true;
}

static bool read_gid(const char *value, uint8_t *ret, size_t *ret_n)
{
    struct wr w;

    wr_init(&w, ret, METADATA_GID_MAX);
    if (!hex_read(value, &w))
        return false;
    *ret_n = w.n;
    return true;
}

static bool set_gid1(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return read_gid(value, m->gid1, &m->n_gid1);
}

static bool set_gid2(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return read_gid(value, m->gid2, &m->n_gid2);
}

static bool set_icon(struct metadata *m, const char *value, const char *dir)
{
    static const uint8_t png[] = { 0x89, 'P', 'N', 'G' }, jpg[] = { 0xFF, 0xD8, 0xFF };
    char path[4096];
    struct lab_error e;
    struct wr w;

    if (snprintf(path, sizeof path, "%s/%s", dir, value) >= (int)sizeof path)
        return false;
    wr_init(&w, m->icon, sizeof m->icon);
    if (file_read(path, &w, &e) != 0)
        return false;
    if (w.n > sizeof png && memcmp(m->icon, png, sizeof png) == 0)
        m->icon_type = 1;
    else if (w.n > sizeof jpg && memcmp(m->icon, jpg, sizeof jpg) == 0)
        m->icon_type = 0;
    else
        return false;
    m->n_icon = w.n;
    return true;
}

static bool set_confirmation_code(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return copy_text(value, m->confirmation_code, sizeof m->confirmation_code);
}

static bool read_yes_no(const char *value, bool *ret)
{
    *ret = strcmp(value, "yes") == 0;
    return *ret || strcmp(value, "no") == 0;
}

static bool set_fallback_allowed(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return read_yes_no(value, &m->fallback_allowed);
}

static bool set_ecall(struct metadata *m, const char *value, const char *dir)
{
    (void)dir;
    return read_yes_no(value, &m->ecall);
}

static const struct {
    const char *key;
    set_fn *set;
} keys[] = {
    { "serviceProviderName", set_provider },
    { "profileName", set_name },
    { "profileClass", set_class },
    { "ppr", set_ppr },
    { "notification", set_notification },
    { "owner", set_owner },
    { "gid1", set_gid1 },
    { "gid2", set_gid2 },
    { "icon", set_icon },
    { "confirmationCode", set_confirmation_code },
    { "fallback-allowed", set_fallback_allowed },
    { "ecall", set_ecall },
};

static int apply_line(char *line, const char *dir, struct metadata *m, struct lab_error *e)
{
    char *value = strchr(line, '=');

    if (line[0] == '\0' || line[0] == '#')
        return 0;
    if (value == NULL)
        return lab_fail(e, "not KEY=VALUE: %s", line);
    *value++ = '\0';
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        if (strcmp(line, keys[i].key) != 0)
            continue;
        return keys[i].set(m, value, dir) ? 0 : lab_fail(e, "%s: bad value %s", line, value);
    }
    return lab_fail(e, "unknown key %s", line);
}

int metadata_apply(const char *text, const char *dir, struct metadata *m, struct lab_error *e)
{
    char line[MAX_LINE];
    bool own_notifications = false;

    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        if (!copy_rd(rd_of(text, n), line, sizeof line))
            return lab_fail(e, "line too long");
        text += n;
        text += *text == '\n';
        if (n > 0 && line[n - 1] == '\r')
            line[n - 1] = '\0';
        if (!own_notifications && strncmp(line, "notification=", 13) == 0) {
            own_notifications = true; /* the first line replaces what is there by default */
            m->n_notifications = 0;
        }
        TRY(apply_line(line, dir, m, e));
    }
    return 0;
}

static void write_notifications(const struct metadata *m, struct wr *w)
{
    if (m->n_notifications == 0)
        return;
    struct wr_mark list = tlv_open(w, TAG_NOTIFICATION_CONFIGURATION);
    for (size_t i = 0; i < m->n_notifications; i++) {
        struct wr_mark one = tlv_open(w, TAG_SEQUENCE);
        tlv_put_bits(w, 0x80, m->notifications[i].events);
        tlv_put_str(w, 0x81, m->notifications[i].address);
        tlv_close(w, one);
    }
    tlv_close(w, list);
}

static void write_owner(const struct metadata *m, struct wr *w)
{
    if (!m->has_owner)
        return;
    struct wr_mark owner = tlv_open(w, TAG_PROFILE_OWNER);
    tlv_put(w, 0x80, rd_of(m->mcc_mnc, sizeof m->mcc_mnc));
    if (m->n_gid1 > 0)
        tlv_put(w, 0x81, rd_of(m->gid1, m->n_gid1));
    if (m->n_gid2 > 0)
        tlv_put(w, 0x82, rd_of(m->gid2, m->n_gid2));
    tlv_close(w, owner);
}

void metadata_write(const struct metadata *m, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, TAG_STORE_METADATA);

    tlv_put(ret, TAG_ICCID, rd_of(m->iccid, sizeof m->iccid));
    tlv_put_str(ret, TAG_SERVICE_PROVIDER_NAME, m->service_provider_name);
    tlv_put_str(ret, TAG_PROFILE_NAME, m->profile_name);
    if (m->n_icon > 0) {
        tlv_put_u8(ret, TAG_ICON_TYPE, m->icon_type);
        tlv_put(ret, TAG_ICON, rd_of(m->icon, m->n_icon));
    }
    if (m->profile_class != CLASS_OPERATIONAL) /* the DEFAULT, left out in DER */
        tlv_put_uint(ret, TAG_PROFILE_CLASS, (uint64_t)m->profile_class);
    write_notifications(m, ret);
    write_owner(m, ret);
    if (m->ppr != 0)
        tlv_put_bits(ret, TAG_PROFILE_POLICY_RULES, m->ppr);
    if (m->ecall)
        tlv_put_u8(ret, TAG_ECALL_INDICATION, BOOLEAN_TRUE);
    if (m->fallback_allowed)
        tlv_put_u8(ret, TAG_FALLBACK_ALLOWED, BOOLEAN_TRUE);
    tlv_close(ret, mark);
}
