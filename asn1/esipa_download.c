/* esipa_download.c - a profile download through an eIM, written and read. */
#include "asn1/esipa_download.h"

#include "os/err.h"
#include "os/x509.h"

enum {
    TAG_OCTET_STRING = 0x04,
    TAG_SEQUENCE = 0x30,
    TAG_SIGNATURE = 0x5F37,
    TAG_METADATA = 0xBF25,
    TAG_BOUND_PROFILE_PACKAGE = 0xBF36,

    CODE_MISSING = 2, /* getBoundProfilePackageErrorEsipa: confirmationCodeMissing, ...Refused */
    CODE_REFUSED = 3,
};

static const struct {
    enum esipa_tag tag;
    uint32_t error; /* its arm */
    const char *name;
} steps[] = {
    [STEP_INITIATE] = { ESIPA_INITIATE_AUTHENTICATION, 0x81, "InitiateAuthentication" },
    [STEP_AUTHENTICATE] = { ESIPA_AUTHENTICATE_CLIENT, 0x82, "AuthenticateClient" },
    [STEP_GET_PACKAGE] = { ESIPA_GET_BOUND_PROFILE_PACKAGE, 0x81, "GetBoundProfilePackage" },
    [STEP_CANCEL] = { ESIPA_CANCEL_SESSION, 0x81, "CancelSession" },
};

const char *esipa_step_name(enum download_step step)
{
    return steps[step].name;
}

/* --- what the IPA says ------------------------------------------------------------------------ */

void esipa_put_initiation(struct wr *w, enum esipa_version version,
                          const struct esipa_initiation *i)
{
    struct wr_mark m = tlv_open(w, ESIPA_INITIATE_AUTHENTICATION);

    tlv_put(w, 0x81, i->challenge);
    if (i->address[0] != '\0')
        tlv_put_str(w, 0x83, i->address);
    wr_put_rd(w, i->info1);
    if (i->tid.n > 0 && version != ESIPA_V1_0)
        tlv_put(w, 0x82, i->tid);
    tlv_close(w, m);
}

struct wr_mark esipa_open_step(struct wr *w, enum download_step step, struct rd id)
{
    struct wr_mark m = tlv_open(w, steps[step].tag);

    tlv_put(w, 0x80, id);
    return m;
}

/* --- what the eIM answers --------------------------------------------------------------------- */

int esipa_read_step(struct rd answer, enum download_step step, struct tlv *ret_arm)
{
    struct tlv outer;

    TRY(tlv_expect(&answer, steps[step].tag, &outer));
    TRY(tlv_get(&outer.value, ret_arm));
    return answer.n == 0 && outer.value.n == 0 ? 0 : ERR_INPUT;
}

bool esipa_is_error(enum download_step step, const struct tlv *arm)
{
    return arm->tag == steps[step].error;
}

bool esipa_asks_code(enum download_step step, uint64_t error)
{
    return step == STEP_GET_PACKAGE && (error == CODE_MISSING || error == CODE_REFUSED);
}

/* Copies the nth child with this tag to a field; nothing where there is none. */
static bool take(struct rd body, uint32_t tag, unsigned nth, struct wr *ret)
{
    struct tlv t;

    wr_clear(ret);
    if (!tlv_find_nth(body, tag, nth, &t))
        return false;
    wr_put_rd(ret, t.whole);
    return wr_failed(ret) == 0;
}

/* The first one.  An eIM may hand on what ES9+ has in JSON as it is, with a tag and a length of its
 * own: longer than the longest such field. */
static bool take_plain(struct rd body, uint32_t tag, size_t longest, struct wr *ret)
{
    struct tlv t, within;

    if (!tlv_find(body, tag, &t))
        return false;
    struct rd in = t.value;
    bool twice = in.n > longest && tlv_expect(&in, tag, &within) == 0 && in.n == 0;
    return take(twice ? t.value : body, tag, 0, ret);
}

static bool take_initiation(struct rd body, struct wr fields[N_FIELDS])
{
    struct tlv t;

    if (tlv_find(body, 0xA2, &t))
        take(t.value, 0xA0, 0, &fields[FIELD_CTX_PARAMS]);
    return take(body, TAG_SEQUENCE, 0, &fields[FIELD_SIGNED1]) &&
           take_plain(body, TAG_SIGNATURE, EC_SIGNATURE_LEN, &fields[FIELD_SIGNATURE1]) &&
           take_plain(body, TAG_OCTET_STRING, SKI_LEN, &fields[FIELD_CI]) &&
           take(body, TAG_SEQUENCE, 1, &fields[FIELD_CERTIFICATE]);
}

static bool take_authentication(struct rd body, struct wr fields[N_FIELDS])
{
    take(body, TAG_METADATA, 0, &fields[FIELD_METADATA]);
    take(body, TAG_OCTET_STRING, 0, &fields[FIELD_HASH_CC]);
    return take(body, TAG_SEQUENCE, 0, &fields[FIELD_SIGNED2]) &&
           take_plain(body, TAG_SIGNATURE, EC_SIGNATURE_LEN, &fields[FIELD_SIGNATURE2]) &&
           take(body, TAG_SEQUENCE, 1, &fields[FIELD_CERTIFICATE2]);
}

bool esipa_take_fields(enum download_step step, struct rd body, struct wr fields[N_FIELDS])
{
    switch (step) {
    case STEP_INITIATE:
        return take_initiation(body, fields);
    case STEP_AUTHENTICATE:
        return take_authentication(body, fields);
    case STEP_GET_PACKAGE:
        return take(body, TAG_BOUND_PROFILE_PACKAGE, 0, &fields[FIELD_PACKAGE]);
    default:
        return true;
    }
}

/* --- of the device ---------------------------------------------------------------------------- */

/* TBCD as SGP.22 5.7.13 has it: the check digit sits alone in the high half of the last octet. */
static void write_imei(const char *digits, uint8_t ret[8])
{
    for (size_t i = 0; i < 7; i++)
        ret[i] = (uint8_t)((digits[2 * i + 1] - '0') << 4 | (digits[2 * i] - '0'));
    ret[7] = (uint8_t)((digits[14] - '0') << 4 | 0x0F);
}

void device_info_put(struct wr *w, const char *imei)
{
    static const uint8_t releases[][3] = { { 5, 0, 0 }, { 8, 0, 0 }, { 14, 0, 0 }, { 2, 5, 0 } };
    const bool told = imei != NULL && imei[0] != '\0';
    uint8_t octets[8];

    write_imei(told ? imei : "352906110000002", octets);
    tlv_put(w, 0x80, rd_of(octets, 4)); /* tac */
    struct wr_mark capabilities = tlv_open(w, 0xA1);
    tlv_put(w, 0x80, rd_of(releases[0], 3)); /* gsmSupportedRelease */
    tlv_put(w, 0x81, rd_of(releases[1], 3)); /* utranSupportedRelease */
    tlv_put(w, 0x85, rd_of(releases[2], 3)); /* eutranEpcSupportedRelease */
    tlv_put(w, 0x8B, rd_of(releases[3], 3)); /* lpaSvn */
    tlv_close(w, capabilities);
    if (told)
        tlv_put(w, 0x82, rd_of(octets, sizeof octets));
}

void ctx_params1_put(struct wr *w, const char *matching_id, const char *imei)
{
    struct wr_mark ctx = tlv_open(w, 0xA0);

    tlv_put_str(w, 0x80, matching_id);
    struct wr_mark device = tlv_open(w, 0xA1);
    device_info_put(w, imei);
    tlv_close(w, device);
    tlv_close(w, ctx);
}
