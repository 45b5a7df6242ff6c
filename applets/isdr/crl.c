/* crl.c - loaded certificate revocation lists (SGP.22 5.7.12).
 *
 * NVM: "isdr/crl/PKID" is the full CRL of a CI as received, "isdr/crl-delta/PKID" the delta CRL on
 * top of it. */
#include "applets/isdr/crl.h"

#include <stdio.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/es10.h"

enum load_crl_error { /* LoadCRLResponseError */
                      CRL_INVALID_SIGNATURE = 1,
                      CRL_INVALID_FORMAT = 2,
                      CRL_NOT_ENOUGH_MEMORY = 3,
                      CRL_VERIFICATION_KEY_NOT_FOUND = 4,
                      CRL_FRESHER_ALREADY_LOADED = 5,
                      CRL_BASE_MISSING = 6,
};

enum {
    CRL_MAX = 32768,
    REQUEST_MAX = 1 << 16, /* more than STORE DATA joins */
};

static int refuse(const struct euicc *e, int code, const char *why)
{
    static const struct result_name names[] = {
        { CRL_INVALID_SIGNATURE, "invalidSignature" },
        { CRL_INVALID_FORMAT, "invalidCRLFormat" },
        { CRL_NOT_ENOUGH_MEMORY, "notEnoughMemorySpace" },
        { CRL_VERIFICATION_KEY_NOT_FOUND, "verificationKeyNotFound" },
        { CRL_FRESHER_ALREADY_LOADED, "fresherCrlAlreadyLoaded" },
        { CRL_BASE_MISSING, "baseCrlMissing" },
    };
    return es10_refuse(e, "LoadCRL", names, N_ELEMS(names), code, why, "SGP.22 5.7.12");
}

static void key_of(const struct euicc *e, int ci, bool delta, char ret[NVM_KEY_MAX])
{
    struct rd pkid = ecasd_ci_pkid(e, ci);
    size_t at = (size_t)snprintf(ret, NVM_KEY_MAX, delta ? "isdr/crl-delta/" : "isdr/crl/");

    for (size_t i = 0; i < pkid.n; i++)
        at += (size_t)snprintf(ret + at, NVM_KEY_MAX - at, "%02x", pkid.p[i]);
}

/* The loaded CRL, parsed; *ret is NULL when there is none. */
static int load(struct euicc *e, int ci, bool delta, struct crl **ret)
{
    char key[NVM_KEY_MAX];
    const char *reason;
    struct wr w;
    bool found;

    *ret = NULL;
    key_of(e, ci, delta, key);
    wr_init_heap(&w, CRL_MAX);
    int err = nvm_get(e->nvm, key, &w, &found);
    if (err == 0)
        err = wr_failed(&w);
    if (err == 0 && found)
        err = crl_parse(e->crypto, wr_view(&w), ret, &reason);
    if (err == ERR_INPUT)
        err = FAULT(&e->trace, ERR_NVM, "%s is damaged: %s", key, reason);
    wr_done(&w);
    return err;
}

static int number_loaded(struct euicc *e, int ci, bool delta, bool *ret_any, uint64_t *ret)
{
    struct crl *crl;

    TRY(load(e, ci, delta, &crl));
    *ret_any = crl != NULL && crl_number(crl, ret);
    crl_free(&crl);
    return 0;
}

int crl_revokes(struct euicc *e, int ci, const struct cert *cert, bool *ret)
{
    *ret = false;
    for (int delta = 0; delta <= 1 && !*ret; delta++) {
        struct crl *crl;
        TRY(load(e, ci, delta, &crl));
        *ret = crl != NULL && crl_has_serial(crl, cert_serial(cert));
        crl_free(&crl);
    }
    return 0;
}

/* A delta CRL goes on top of its base, or of a later one. */
static int check_base(struct euicc *e, const struct crl *crl, int ci)
{
    uint64_t base, loaded;
    bool any;

    TRY(number_loaded(e, ci, false, &any, &loaded));
    if (!any || !crl_base_number(crl, &base) || loaded < base)
        return refuse(e, CRL_BASE_MISSING, "the delta CRL's base is not loaded");
    return 0;
}

/* May it be stored?  0, a load_crl_error or a fault. */
static int check(struct euicc *e, const struct crl *crl, int ci)
{
    const struct ec_pub *key;
    uint64_t number, loaded;
    bool any, delta = crl_is_partial(crl);

    TRY(ecasd_ci_key(e, ci, &key));
    if (!crl_verify(e->crypto, crl, key))
        return refuse(e, CRL_INVALID_SIGNATURE, "the CRL does not verify under its CI's key");
    if (!crl_number(crl, &number))
        return refuse(e, CRL_INVALID_FORMAT, "there is no cRLNumber");
    TRY(number_loaded(e, ci, delta, &any, &loaded));
    if (any && loaded > number)
        return refuse(e, CRL_FRESHER_ALREADY_LOADED, "a CRL of a higher number is loaded");
    return delta ? check_base(e, crl, ci) : 0;
}

static int check_and_store(struct euicc *e, const struct crl *crl, struct rd der)
{
    int ci = ecasd_find_ci(e, crl_aki(crl));
    char key[NVM_KEY_MAX];

    if (ci == ECASD_NO_CI)
        return refuse(e, CRL_VERIFICATION_KEY_NOT_FOUND, "its issuer is no CI of this eUICC");
    TRY(check(e, crl, ci));
    key_of(e, ci, crl_is_partial(crl), key);
    return nvm_put(e->nvm, key, der);
}

/* 0, a load_crl_error or a fault. */
static int take(struct euicc *e, struct rd der)
{
    struct crl *crl;
    const char *reason;

    if (der.n > CRL_MAX)
        return refuse(e, CRL_NOT_ENOUGH_MEMORY, "the CRL is larger than 32768 octets");
    int result = crl_parse(e->crypto, der, &crl, &reason);
    if (result == ERR_INPUT)
        return refuse(e, CRL_INVALID_FORMAT, reason);
    TRY(result);
    result = check_and_store(e, crl, der);
    crl_free(&crl);
    return result;
}

/* crl is [0] CertificateList: its contents behind A0 instead of 30, or the whole of it within A0
 * (docs/INTERPRETATIONS.md). */
static int unwrap(struct rd body, struct wr *ret)
{
    struct tlv t, inner;

    if (tlv_find(body, TAG_SEQUENCE, &t)) {
        wr_put_rd(ret, t.whole);
    } else if (tlv_find(body, TAG_CHOICE_0, &t)) {
        struct rd in = t.value;
        if (tlv_expect(&in, TAG_SEQUENCE, &inner) == 0 && in.n == 0)
            wr_put_rd(ret, inner.whole);
        else
            tlv_put(ret, TAG_SEQUENCE, t.value);
    } else {
        return ERR_INPUT;
    }
    return wr_failed(ret);
}

int es10b_load_crl(struct session *s, struct rd body, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct wr der;

    if (!setting_is(&e->settings, SET_CRL, "on")) {
        trace_check(&e->trace, "LoadCRL is not supported (setting crl; SGP.22 5.7.12)");
        return SW_REFERENCE_NOT_FOUND;
    }
    wr_init_heap(&der, REQUEST_MAX);
    int code = unwrap(body, &der);
    if (code == 0)
        code = take(e, wr_view(&der));
    wr_done(&der);
    if (code < 0)
        return code;
    struct wr_mark m = tlv_open(rsp, TAG_LOAD_CRL);
    if (code == ES10_OK)
        tlv_put(rsp, TAG_CHOICE_0, rd_of(NULL, 0)); /* no parts are missing */
    else
        tlv_put_uint(rsp, TAG_CTX_1, (uint64_t)code);
    tlv_close(rsp, m);
    return 0;
}
