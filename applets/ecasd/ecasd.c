/* ecasd.c - the eUICC Controlling Authority Security Domain (SGP.22 2.4.2).
 *
 * What the EUM put in is loaded at power-on; keys are parsed when they are first used. */
#include "applets/ecasd/ecasd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/tlv.h"

enum {
    TAG_EID = 0x5A,

    /* One NVM object a CI, "ecasd/ci/N" (docs/STATE.md). */
    TAG_CI_CURVE = 0x80,
    TAG_CI_SKI = 0x81,
    TAG_CI_POINT = 0x82,
    TAG_CI_EUICC_KEY = 0x83,
    TAG_CI_CERT_EUICC = 0x84,
    TAG_CI_CERT_EUM = 0x85,
    CI_OBJECT_MAX = 16384,
};

struct ci {
    struct wr object; /* octets that data points into */
    struct ecasd_ci_data data;
    struct ec_pub *ci_key; /* parsed when first used */
    struct ec_key *euicc_key;
};

struct ecasd {
    uint8_t eid[EID_LEN];
    int n_cis;
    struct ci cis[ECASD_MAX_CI];
};

static struct ecasd *state(const struct euicc *e)
{
    return euicc_state(e, &ecasd_applet);
}

static void ci_key_name(int ci, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "ecasd/ci/%d", ci);
}

/* --- personalisation -------------------------------------------------------------------------- */

int ecasd_personalise(struct nvm *nvm, const uint8_t eid[EID_LEN], const struct ecasd_ci_data *cis,
                      size_t n_cis)
{
    if (n_cis == 0 || n_cis > ECASD_MAX_CI)
        return ERR_INPUT;
    TRY(nvm_put(nvm, "ecasd/eid", rd_of(eid, EID_LEN)));
    for (size_t i = 0; i < n_cis; i++) {
        const struct ecasd_ci_data *d = &cis[i];
        char key[NVM_KEY_MAX];
        struct wr w;

        wr_init_secret(&w, CI_OBJECT_MAX);
        tlv_put_u8(&w, TAG_CI_CURVE, (uint8_t)d->curve);
        tlv_put(&w, TAG_CI_SKI, d->ski);
        tlv_put(&w, TAG_CI_POINT, d->ci_point);
        tlv_put(&w, TAG_CI_EUICC_KEY, d->euicc_key);
        tlv_put(&w, TAG_CI_CERT_EUICC, d->cert_euicc);
        tlv_put(&w, TAG_CI_CERT_EUM, d->cert_eum);
        ci_key_name((int)i, key);
        int err = wr_failed(&w);
        if (err == 0)
            err = nvm_put(nvm, key, wr_view(&w));
        wr_done(&w);
        TRY(err);
    }
    return 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

static int parse_ci(struct ci *ci)
{
    struct rd in = wr_view(&ci->object);
    struct tlv curve, ski, point, key, euicc, eum;

    if (!tlv_find(in, TAG_CI_CURVE, &curve) || !tlv_find(in, TAG_CI_SKI, &ski) ||
        !tlv_find(in, TAG_CI_POINT, &point) || !tlv_find(in, TAG_CI_EUICC_KEY, &key) ||
        !tlv_find(in, TAG_CI_CERT_EUICC, &euicc) || !tlv_find(in, TAG_CI_CERT_EUM, &eum) ||
        curve.value.n != 1 || ski.value.n != SKI_LEN)
        return ERR_NVM;
    ci->data = (struct ecasd_ci_data){
        .curve = (enum curve)curve.value.p[0],
        .ski = ski.value,
        .ci_point = point.value,
        .euicc_key = key.value,
        .cert_euicc = euicc.value,
        .cert_eum = eum.value,
    };
    return 0;
}

static int start(struct euicc *e)
{
    struct ecasd *s = state(e);
    struct wr eid;
    bool found;

    wr_init(&eid, s->eid, sizeof s->eid);
    TRY(nvm_get(e->nvm, "ecasd/eid", &eid, &found));
    if (!found || eid.n != EID_LEN)
        return FAULT(&e->trace, ERR_NVM, "the card has no EID");
    for (int i = 0; i < ECASD_MAX_CI; i++) {
        struct ci *ci = &s->cis[i];
        char key[NVM_KEY_MAX];

        ci_key_name(i, key);
        wr_init_secret(&ci->object, CI_OBJECT_MAX);
        TRY(nvm_get(e->nvm, key, &ci->object, &found));
        if (!found)
            return 0;
        s->n_cis++;
        if (wr_failed(&ci->object) != 0 || parse_ci(ci) != 0)
            return FAULT(&e->trace, ERR_NVM, "%s is damaged", key);
    }
    return 0;
}

static void stop(struct euicc *e)
{
    struct ecasd *s = state(e);

    for (int i = 0; i < ECASD_MAX_CI; i++) {
        struct ci *ci = &s->cis[i];
        wr_done(&ci->object);
        ec_pub_free(&ci->ci_key);
        ec_key_free(&ci->euicc_key);
    }
}

/* --- services to the ISD-R -------------------------------------------------------------------- */

const uint8_t *ecasd_eid(const struct euicc *e)
{
    return state(e)->eid;
}

int ecasd_ci_count(const struct euicc *e)
{
    return state(e)->n_cis;
}

struct rd ecasd_ci_pkid(const struct euicc *e, int ci)
{
    return state(e)->cis[ci].data.ski;
}

enum curve ecasd_ci_curve(const struct euicc *e, int ci)
{
    return state(e)->cis[ci].data.curve;
}

int ecasd_find_ci(const struct euicc *e, struct rd pkid)
{
    const struct ecasd *s = state(e);
    int found = ECASD_NO_CI;

    if (pkid.n == 0 || pkid.n > SKI_LEN)
        return ECASD_NO_CI;
    for (int i = 0; i < s->n_cis; i++) {
        if (memcmp(s->cis[i].data.ski.p, pkid.p, pkid.n) != 0)
            continue;
        if (found != ECASD_NO_CI)
            return ECASD_NO_CI;
        found = i;
    }
    return found;
}

struct rd ecasd_cert_euicc(const struct euicc *e, int ci)
{
    return state(e)->cis[ci].data.cert_euicc;
}

struct rd ecasd_cert_eum(const struct euicc *e, int ci)
{
    return state(e)->cis[ci].data.cert_eum;
}

int ecasd_ci_key(struct euicc *e, int ci, const struct ec_pub **ret)
{
    struct ci *c = &state(e)->cis[ci];

    if (c->ci_key == NULL)
        TRY(ec_pub_from_point(e->crypto, c->data.curve, c->data.ci_point, &c->ci_key));
    *ret = c->ci_key;
    return 0;
}

int ecasd_sign(struct euicc *e, int ci, const struct rd *parts, size_t n_parts,
               uint8_t ret[EC_SIGNATURE_LEN])
{
    struct ci *c = &state(e)->cis[ci];

    if (c->euicc_key == NULL)
        TRY(ec_key_read(e->crypto, c->data.euicc_key, &c->euicc_key));
    return ecdsa_sign(e->crypto, c->euicc_key, parts, n_parts, ret);
}

/* --- commands --- */

static int select_ecasd(struct session *s, struct wr *fci)
{
    (void)s;
    struct wr_mark m = tlv_open(fci, 0x6F);
    tlv_put(fci, 0x84, rd_of(ecasd_applet.aid, ecasd_applet.aid_len));
    struct wr_mark proprietary = tlv_open(fci, 0xA5);
    tlv_close(fci, proprietary);
    tlv_close(fci, m);
    return 0;
}

int ecasd_get_data(struct session *s, const struct apdu *a, struct wr *rsp)
{
    if ((a->p1 << 8 | a->p2) != TAG_EID) {
        trace_check(&s->euicc->trace, "GET DATA: no object %02X%02X (GlobalPlatform 11.3)", a->p1,
                    a->p2);
        return SW_REFERENCE_NOT_FOUND;
    }
    tlv_put(rsp, TAG_EID, rd_of(ecasd_eid(s->euicc), EID_LEN));
    return 0;
}

static const struct command ecasd_commands[] = {
    { true, 0xCA, WITH_LE | EITHER_CLA, "GET DATA", ecasd_get_data, "GlobalPlatform 11.3" },
};

const struct applet ecasd_applet = {
    .name = "ECASD",
    .aid = { 0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x00, 0x00,
             0x02, 0x00 },
    .aid_len = 16,
    .commands = ecasd_commands,
    .n_commands = N_ELEMS(ecasd_commands),
    .state_size = sizeof(struct ecasd),
    .start = start,
    .stop = stop,
    .select = select_ecasd,
};
