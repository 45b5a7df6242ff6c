/* eim_config.c - EimConfigurationData (SGP.32 2.11.1.1.1): what may be in it, and what of it a
 * eUICC keeps. */
#include "applets/isdr/eim_config.h"

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/eim.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/iot.h"
#include "asn1/der.h"
#include "asn1/esipa.h"
#include "os/x509.h"

enum {
    FQDN_MAX = 255,        /* octets, RFC 1035 2.3.4 */
    DER_BIT_STRING = 0x03, /* of a SubjectPublicKeyInfo and of a Certificate */
};

/* --- keys ------------------------------------------------------------------------------------- */

/* What stands in a CHOICE of a public key (A0) and a certificate (A1): a SubjectPublicKeyInfo or a
 * Certificate, without its outer 30.  Some senders leave that in (docs/INTERPRETATIONS.md): then it
 * is all that there is. */
static bool take_key(struct rd choice, uint32_t *ret_tag, struct rd *ret)
{
    struct tlv arm, whole;

    if (tlv_get(&choice, &arm) != 0 || choice.n != 0 ||
        (arm.tag != TAG_CHOICE_0 && arm.tag != TAG_CHOICE_1))
        return false;
    struct rd in = arm.value;
    bool explicit_form = tlv_expect(&in, TAG_SEQUENCE, &whole) == 0 && in.n == 0;
    *ret_tag = arm.tag;
    *ret = explicit_form ? whole.value : arm.value;
    return true;
}

static void put_key(struct wr *w, uint32_t tag, struct rd choice)
{
    struct rd contents;
    uint32_t arm;

    if (!take_key(choice, &arm, &contents))
        return; /* was checked */
    struct wr_mark m = tlv_open(w, tag);
    tlv_put(w, arm, contents);
    tlv_close(w, m);
}

/* The key of a certificate whose path nobody checks: whoever associates the eIM vouches for it. */
static int certificate_key(struct euicc *e, struct rd der, struct ec_pub **ret,
                           const char **ret_why)
{
    uint8_t point[EC_POINT_LEN];
    struct cert *cert;

    TRY(cert_parse(e->crypto, der, &cert, ret_why));
    int err = ERR_INPUT;
    if (cert_key(cert) != NULL) {
        ec_pub_point(cert_key(cert), point);
        err = ec_pub_from_point(e->crypto, cert_curve(cert), rd_of(point, sizeof point), ret);
    } else {
        *ret_why = "the key's curve is not supported";
    }
    cert_free(&cert);
    return err;
}

int eim_config_key(struct euicc *e, struct rd choice, struct ec_pub **ret, const char **ret_why)
{
    struct rd contents;
    struct wr der;
    uint32_t arm;

    *ret_why = "eimPublicKeyData is neither a public key nor a certificate";
    if (!take_key(choice, &arm, &contents))
        return ERR_INPUT;
    wr_init_heap(&der, EIM_CONFIG_MAX);
    tlv_put(&der, TAG_SEQUENCE, contents);
    int err = wr_failed(&der);
    if (err == 0)
        err = arm == TAG_CHOICE_0 ? ec_pub_parse(e->crypto, wr_view(&der), ret, ret_why)
                                  : certificate_key(e, wr_view(&der), ret, ret_why);
    wr_done(&der);
    return err;
}

/* --- the fields ------------------------------------------------------------------------------- */

/* 0, or an eim_result with the reason, or a fault. */
typedef int check_fn(struct euicc *e, struct rd value, const char **ret_why);

static int wrong(int code, const char *why, const char **ret_why)
{
    *ret_why = why;
    return code;
}

static size_t characters(struct rd utf8)
{
    size_t n = 0;

    for (size_t i = 0; i < utf8.n; i++)
        n += (utf8.p[i] & 0xC0) != 0x80;
    return n;
}

bool eim_id_is_valid(struct rd id)
{
    return id.n > 0 && rd_is_utf8(id) && characters(id) <= EIM_ID_CHARACTERS;
}

static int check_id(struct euicc *e, struct rd value, const char **ret_why)
{
    (void)e;
    if (!eim_id_is_valid(value))
        return wrong(EIM_COMMAND_ERROR, "eimId is not 1 to 128 characters of UTF-8", ret_why);
    return 0;
}

static int check_fqdn(struct euicc *e, struct rd value, const char **ret_why)
{
    (void)e;
    if (!rd_is_utf8(value) || value.n > FQDN_MAX)
        return wrong(EIM_COMMAND_ERROR, "eimFqdn is too long or not UTF-8", ret_why);
    return 0;
}

static int check_id_type(struct euicc *e, struct rd value, const char **ret_why)
{
    uint64_t type;

    (void)e;
    if (tlv_uint(value, &type) != 0 || type < EIM_ID_TYPE_OID || type > EIM_ID_TYPE_PROPRIETARY)
        return wrong(EIM_COMMAND_ERROR, "eimIdType is none of 1, 2 and 3", ret_why);
    return 0;
}

static int check_counter(struct euicc *e, struct rd value, const char **ret_why)
{
    uint64_t counter;

    if (value.n == 0)
        return wrong(EIM_COMMAND_ERROR, "counterValue is empty", ret_why);
    if (tlv_uint(value, &counter) != 0 ||
        counter > setting_number(&e->settings, SET_EIM_COUNTER_MAX))
        return wrong(EIM_COUNTER_OUT_OF_RANGE,
                     "counterValue is negative or beyond setting eim_counter_max", ret_why);
    return 0;
}

/* -1 asks for one; the eUICC alone gives them out. */
static int check_token(struct euicc *e, struct rd value, const char **ret_why)
{
    (void)e;
    if (value.n == 0)
        return wrong(EIM_COMMAND_ERROR, "associationToken is empty", ret_why);
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != 0xFF)
            return wrong(EIM_INVALID_TOKEN, "associationToken is not -1", ret_why);
    return 0;
}

static int check_public_key(struct euicc *e, struct rd value, const char **ret_why)
{
    struct ec_pub *key = NULL;

    int err = eim_config_key(e, value, &key, ret_why);
    ec_pub_free(&key);
    return err == ERR_INPUT ? EIM_COMMAND_ERROR : err;
}

/* For the IPA, which may trust keys that this card knows nothing of: only its form counts. */
static int check_tls_key(struct euicc *e, struct rd value, const char **ret_why)
{
    struct rd in;
    struct tlv t;
    uint32_t arm;

    (void)e;
    bool good = take_key(value, &arm, &in) && der_is_canonical(in.p, in.n) &&
                tlv_expect(&in, TAG_SEQUENCE, &t) == 0;
    if (good && arm == TAG_CHOICE_1)
        good = tlv_expect(&in, TAG_SEQUENCE, &t) == 0;
    if (!good || tlv_expect(&in, DER_BIT_STRING, &t) != 0 || in.n != 0)
        return wrong(EIM_COMMAND_ERROR,
                     "trustedPublicKeyDataTls is neither a public key nor a certificate", ret_why);
    return 0;
}

static int check_protocol(struct euicc *e, struct rd value, const char **ret_why)
{
    uint32_t bits;

    (void)e;
    if (tlv_bits(value, &bits) != 0)
        return wrong(EIM_COMMAND_ERROR, "eimSupportedProtocol is no BIT STRING", ret_why);
    return 0;
}

static int check_ci(struct euicc *e, struct rd value, const char **ret_why)
{
    if (value.n != SKI_LEN || ecasd_find_ci(e, value) == ECASD_NO_CI)
        return wrong(EIM_CI_PK_UNKNOWN, "the eUICC has no certificate under euiccCiPKId", ret_why);
    return 0;
}

static int check_indirect(struct euicc *e, struct rd value, const char **ret_why)
{
    (void)e;
    if (value.n != 0)
        return wrong(EIM_COMMAND_ERROR, "indirectProfileDownload is not NULL", ret_why);
    return 0;
}

/* VendorSpecificExtension: OIDs, each with what its owner puts beside it. */
static int check_proprietary(struct euicc *e, struct rd value, const char **ret_why)
{
    struct tlv one, t;

    (void)e;
    while (value.n > 0)
        if (tlv_expect(&value, TAG_SEQUENCE, &one) != 0 ||
            !der_is_canonical(one.whole.p, one.whole.n) || !tlv_find(one.value, TAG_CTX_0, &t) ||
            !tlv_find(one.value, TAG_CHOICE_1, &t))
            return wrong(EIM_COMMAND_ERROR,
                         "eSipaProprietaryProtocolInformation is no VendorSpecificExtension",
                         ret_why);
    return 0;
}

/* SGP.32 2.11.1.1.1, in the order of the type.  A field of a later version than the card's is
 * passed over like any unknown one. */
static const struct field {
    uint32_t tag;
    check_fn *check;
    const char *missing; /* why a new eIM cannot be without it; NULL: it can */
    enum iot_version since;
    bool kept; /* in the record */
} fields[] = {
    { EIM_ID, check_id, "eimId is missing", IOT_V1_0, true },
    { EIM_FQDN, check_fqdn, NULL, IOT_V1_0, true },
    { EIM_ID_TYPE, check_id_type, NULL, IOT_V1_0, true },
    { EIM_COUNTER_VALUE, check_counter, "counterValue is missing", IOT_V1_0, false },
    { EIM_ASSOCIATION_TOKEN, check_token, NULL, IOT_V1_0, false },
    { EIM_PUBLIC_KEY_DATA, check_public_key, "eimPublicKeyData is missing", IOT_V1_0, true },
    { EIM_TRUSTED_PUBLIC_KEY_DATA_TLS, check_tls_key, NULL, IOT_V1_0, true },
    { EIM_SUPPORTED_PROTOCOL, check_protocol, NULL, IOT_V1_0, true },
    { EIM_EUICC_CI_PKID, check_ci, NULL, IOT_V1_0, true },
    { EIM_INDIRECT_PROFILE_DOWNLOAD, check_indirect, NULL, IOT_V1_1, true },
    { EIM_PROPRIETARY_PROTOCOL, check_proprietary, NULL, IOT_V1_3, true },
};

static bool has_field(const struct euicc *e, struct rd configuration, const struct field *f,
                      struct tlv *ret)
{
    return iot_at_least(e, f->since) && tlv_find(configuration, f->tag, ret);
}

/* The fields that are there; in a change the token means nothing. */
static int check_fields(struct euicc *e, struct rd configuration, bool is_change,
                        const char **ret_why)
{
    struct tlv t;

    for (size_t i = 0; i < N_ELEMS(fields); i++)
        if (has_field(e, configuration, &fields[i], &t) &&
            !(is_change && fields[i].tag == EIM_ASSOCIATION_TOKEN))
            TRY(fields[i].check(e, t.value, ret_why));
    return 0;
}

int eim_config_check(struct euicc *e, struct rd configuration, const char **ret_why)
{
    struct tlv t;

    if (!tlv_all_whole(configuration))
        return wrong(EIM_COMMAND_ERROR, "a field of EimConfigurationData is no whole TLV", ret_why);
    for (size_t i = 0; i < N_ELEMS(fields); i++)
        if (fields[i].missing != NULL && !tlv_find(configuration, fields[i].tag, &t))
            return wrong(EIM_COMMAND_ERROR, fields[i].missing, ret_why);
    return check_fields(e, configuration, false, ret_why);
}

int eim_config_check_change(struct euicc *e, struct rd configuration, const char **ret_why)
{
    struct tlv t;

    if (!tlv_all_whole(configuration))
        return wrong(EIM_COMMAND_ERROR, "a field of EimConfigurationData is no whole TLV", ret_why);
    if (!tlv_find(configuration, EIM_ID, &t))
        return wrong(EIM_COMMAND_ERROR, "eimId is missing", ret_why);
    return check_fields(e, configuration, true, ret_why);
}

/* --- what is kept of them --------------------------------------------------------------------- */

/* What a new eIM gets where its configuration says nothing (SGP.32 2.11.1.1.1); v1.0 names no
 * default of eimSupportedProtocol. */
static void put_default(const struct euicc *e, uint32_t tag, struct wr *w)
{
    if (tag == EIM_ID_TYPE)
        tlv_put_uint(w, tag, EIM_ID_TYPE_PROPRIETARY);
    else if (tag == EIM_SUPPORTED_PROTOCOL && iot_at_least(e, IOT_V1_1))
        tlv_put_bits(w, tag, EIM_PROPRIETARY);
    else if (tag == EIM_EUICC_CI_PKID)
        tlv_put(w, tag, ecasd_ci_pkid(e, 0));
}

/* As received, but for what more than one encoding stands for. */
static void put_given(const struct tlv *t, struct wr *w)
{
    uint64_t type;
    uint32_t bits;

    if (t->tag == EIM_PUBLIC_KEY_DATA || t->tag == EIM_TRUSTED_PUBLIC_KEY_DATA_TLS)
        put_key(w, t->tag, t->value);
    else if (t->tag == EIM_ID_TYPE && tlv_uint(t->value, &type) == 0)
        tlv_put_uint(w, t->tag, type);
    else if (t->tag == EIM_SUPPORTED_PROTOCOL && tlv_bits(t->value, &bits) == 0)
        tlv_put_bits(w, t->tag, bits);
    else
        tlv_put(w, t->tag, t->value);
}

static void put_field(const struct euicc *e, const struct field *f, struct rd configuration,
                      struct rd before, struct wr *w)
{
    struct tlv t;

    if (has_field(e, configuration, f, &t))
        put_given(&t, w);
    else if (before.n == 0)
        put_default(e, f->tag, w);
    else if (tlv_find(before, f->tag, &t))
        wr_put_rd(w, t.whole);
}

void eim_config_put(const struct euicc *e, struct rd configuration, struct rd before, struct wr *w)
{
    for (size_t i = 0; i < N_ELEMS(fields); i++)
        if (fields[i].kept)
            put_field(e, &fields[i], configuration, before, w);
}
