/* otpk.c - one-time key pairs kept for a retried download.
 *
 * NVM: "isdr/otpk" is a list of E0 { 06 OID of the SM-DP+, 80 public key, 81 private key }, newest
 * first. */
#include "applets/isdr/otpk.h"

#include "applets/isdr/es10.h"

enum {
    TAG_ENTRY = 0xE0,
    MAX_ENTRIES = 4,
    LIST_MAX = 4096,
};

#define KEY_OTPK "isdr/otpk"

static int load(struct euicc *e, struct wr *list)
{
    bool found;

    wr_init_secret(list, LIST_MAX);
    int err = nvm_get(e->nvm, KEY_OTPK, list, &found);
    if (err == 0)
        err = wr_failed(list); /* half a list would be stored as all of it */
    if (err != 0)
        wr_done(list);
    return err;
}

static bool has_point(struct rd entry, struct rd point)
{
    struct tlv t;

    return tlv_find(entry, TAG_CTX_0, &t) && rd_equal(t.value, point);
}

int otpk_find(struct euicc *e, struct rd smdp_oid, enum curve curve, struct rd point,
              struct ec_key **ret)
{
    struct wr list;
    struct tlv entry, oid, key;
    struct ec_key *found = NULL;
    int err = 0;

    TRY(load(e, &list));
    for (struct rd in = wr_view(&list); found == NULL && tlv_get(&in, &entry) == 0;) {
        if (!has_point(entry.value, point) || !tlv_find(entry.value, TAG_OID, &oid) ||
            !rd_equal(oid.value, smdp_oid) || !tlv_find(entry.value, TAG_CTX_1, &key))
            continue;
        err = ec_key_read(e->crypto, key.value, &found);
        if (err != 0)
            break;
        if (ec_key_curve(found) != curve)
            ec_key_free(&found);
    }
    wr_done(&list);
    if (err == 0)
        *ret = found;
    return err;
}

/* Copies the entries but those with this public key, `most` at the most. */
static void copy_others(struct wr *to, struct rd list, struct rd point, unsigned most)
{
    struct tlv entry;

    while (most > 0 && tlv_get(&list, &entry) == 0) {
        if (has_point(entry.value, point))
            continue;
        wr_put_rd(to, entry.whole);
        most--;
    }
}

static int put_entry(struct euicc *e, struct wr *to, struct rd smdp_oid, struct rd point,
                     const struct ec_key *key)
{
    uint8_t der[256];
    struct wr w;

    wr_init(&w, der, sizeof der);
    int err = ec_key_write_der(e->crypto, key, &w);
    struct wr_mark m = tlv_open(to, TAG_ENTRY);
    tlv_put(to, TAG_OID, smdp_oid);
    tlv_put(to, TAG_CTX_0, point);
    tlv_put(to, TAG_CTX_1, wr_view(&w));
    tlv_close(to, m);
    crypto_wipe(der, sizeof der);
    return err;
}

/* Rewrites the list, with the key in front or without it. */
static int rewrite(struct euicc *e, struct rd smdp_oid, const struct ec_key *key, bool keep)
{
    uint8_t octets[EC_POINT_LEN];
    struct wr old, new;
    int err = 0;

    ec_key_point(key, octets);
    struct rd point = rd_of(octets, sizeof octets);
    TRY(load(e, &old));
    wr_init_secret(&new, LIST_MAX);
    if (keep)
        err = put_entry(e, &new, smdp_oid, point, key);
    copy_others(&new, wr_view(&old), point, keep ? MAX_ENTRIES - 1 : MAX_ENTRIES);
    if (err == 0)
        err = wr_failed(&new);
    if (err == 0 && !rd_equal(wr_view(&old), wr_view(&new)))
        err = nvm_put(e->nvm, KEY_OTPK, wr_view(&new));
    wr_done(&old);
    wr_done(&new);
    return err;
}

int otpk_keep(struct euicc *e, struct rd smdp_oid, const struct ec_key *key)
{
    if (!setting_is(&e->settings, SET_OTPK_REUSE, "on"))
        return 0;
    return rewrite(e, smdp_oid, key, true);
}

int otpk_drop(struct euicc *e, const struct ec_key *key)
{
    return rewrite(e, rd_of(NULL, 0), key, false);
}
