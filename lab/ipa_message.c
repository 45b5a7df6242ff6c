/* ipa_message.c - what an IPAd knows of an eIM (SGP.32 2.11). */
#include "lab/ipa_message.h"

#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum { TAG_SEQUENCE = 0x30, DEFAULT_ID_TYPE = 3 };

/* An optional field; absent: empty. */
static struct rd field(struct rd body, uint32_t tag)
{
    struct tlv t;

    return tlv_find(body, tag, &t) ? t.value : rd_of(NULL, 0);
}

static int optional_uint(struct rd body, uint32_t tag, bool *ret_has, uint64_t *ret)
{
    struct tlv t;

    *ret_has = tlv_find(body, tag, &t);
    return *ret_has ? tlv_uint(t.value, ret) : 0;
}

/* --- EimConfigurationData --------------------------------------------------------------------- */

/* CHOICE { A0 SubjectPublicKeyInfo, A1 Certificate }, whose tags replace that of the SEQUENCE;
 * some write the SEQUENCE inside all the same. */
static int read_key(struct rd body, uint32_t tag, struct eim_key *ret)
{
    struct tlv outer, choice, only;
    struct rd in;

    *ret = (struct eim_key){ .form = EIM_KEY_NONE };
    if (!tlv_find(body, tag, &outer))
        return 0;
    TRY(tlv_get(&outer.value, &choice));
    if (choice.tag != 0xA0 && choice.tag != 0xA1)
        return 0; /* an extension: as if there were none */
    ret->form = choice.tag == 0xA0 ? EIM_KEY_SPKI : EIM_KEY_CERTIFICATE;
    in = choice.value;
    if (tlv_expect(&in, TAG_SEQUENCE, &only) == 0 && in.n == 0)
        choice.value = only.value;
    ret->value = choice.value;
    return tlv_all_whole(choice.value) ? 0 : ERR_INPUT;
}

int eim_record_read(struct rd body, struct eim_record *ret)
{
    struct eim_record c = { .id_type = DEFAULT_ID_TYPE, .protocols = EIM_PROPRIETARY };
    struct tlv t;
    uint64_t type;

    if (!tlv_all_whole(body) || !tlv_find(body, 0x80, &t) || t.value.n == 0 ||
        !copy_rd(t.value, c.id, sizeof c.id))
        return ERR_INPUT;
    if (tlv_find(body, 0x81, &t) && !copy_rd(t.value, c.fqdn, sizeof c.fqdn))
        return ERR_INPUT;
    if (tlv_find(body, 0x82, &t)) {
        TRY(tlv_uint(t.value, &type));
        c.id_type = type <= 127 ? (long)type : -1;
    }
    TRY(optional_uint(body, 0x83, &c.has_counter, &c.counter));
    if (tlv_find(body, 0x84, &t) && !rd_equal(t.value, rd_of("\xFF", 1))) /* -1: assign one */
        TRY(optional_uint(body, 0x84, &c.has_token, &c.token));
    TRY(read_key(body, 0xA5, &c.package_key));
    TRY(read_key(body, 0xA6, &c.tls_key));
    if (tlv_find(body, 0x87, &t))
        TRY(tlv_bits(t.value, &c.protocols));
    c.ci = field(body, 0x88);
    c.indirect = tlv_find(body, 0x89, &t);
    *ret = c;
    return 0;
}

int eim_records_read(struct rd response, struct eim_record *ret, size_t max, size_t *ret_n)
{
    struct tlv list, entry;
    size_t n = 0;

    while (response.n > 0) { /* one list; some cards give a list to each entry */
        TRY(tlv_get(&response, &list));
        while (list.tag == 0xA0 && list.value.n > 0) {
            TRY(tlv_get(&list.value, &entry));
            if (entry.tag != TAG_SEQUENCE)
                continue;
            if (n == max)
                return ERR_INPUT;
            TRY(eim_record_read(entry.value, &ret[n++]));
        }
    }
    *ret_n = n;
    return 0;
}

void eim_key_write(const struct eim_key *key, struct wr *ret)
{
    tlv_put(ret, TAG_SEQUENCE, key->value);
}

/* --- profile download trigger ----------------------------------------------------------------- */

int download_from_read(struct rd trigger, struct download_from *ret)
{
    struct download_trigger t;

    TRY(esipa_read_trigger(trigger, &t));
    ret->source = t.source;
    ret->tid = t.tid;
    return copy_rd(t.text, ret->text, sizeof ret->text) ? 0 : ERR_INPUT;
}

/* --- settings --------------------------------------------------------------------------------- */

bool features_read(const char *text, uint32_t *ret)
{
    static const char *const names[] = { "direct",  "indirect",     "eim-download",
                                         "eim-ctx", "eim-metadata", "compact" };
    uint32_t features = 0;

    for (;;) {
        size_t n = strcspn(text, ",");
        size_t i = 0;
        while (i < N_ELEMS(names) && !rd_equal(rd_str(names[i]), rd_of(text, n)))
            i++;
        if (i == N_ELEMS(names))
            return false;
        features |= UINT32_C(1) << i;
        if (text[n] == '\0')
            break;
        text += n + 1;
    }
    *ret = features;
    return true;
}

bool plmn_read(const char *text, uint8_t ret[IPA_RPLMN_LEN])
{
    size_t n = strlen(text);
    uint8_t d[6];

    if ((n != 5 && n != 6) || strspn(text, "0123456789") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        d[i] = (uint8_t)(text[i] - '0');
    ret[0] = (uint8_t)(d[1] << 4 | d[0]);
    ret[1] = (uint8_t)((n == 6 ? d[5] : 0xF) << 4 | d[2]);
    ret[2] = (uint8_t)(d[4] << 4 | d[3]);
    return true;
}
