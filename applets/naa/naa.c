/* naa.c - USIM and ISIM: what they share, and AUTHENTICATE (TS 31.102 7.1, TS 31.103 7.1).
 *
 * They have no state of their own: parameters are loaded for each command and wiped after it, and
 * sequence numbers are stored before the answer leaves. */
#include "applets/naa/naa.h"

#include <string.h>

#include "os/euicc.h"
#include "os/tlv.h"

enum {
    FID_UST = 0x6F38,
    FID_IST = 0x6F07, /* in an ISIM */
    MAX_SERVICE_TABLE = 64,

    SERVICE_GSM_ACCESS = 27,
    SERVICE_GSM_CONTEXT = 38,
    SERVICE_GBA = 68,
    SERVICE_ISIM_GBA = 2,

    TAG_AUTHENTICATED = 0xDB,
    TAG_SYNCHRONISE = 0xDC,
};

/* --- files --- */

uint16_t naa_ef(struct session *s, uint16_t df, uint16_t fid)
{
    const struct fs *fs = &s->euicc->uicc.fs;
    const uint8_t octets[] = { (uint8_t)(df >> 8), (uint8_t)df, (uint8_t)(fid >> 8), (uint8_t)fid };

    return fs_path(fs, s->files.adf, df != 0 ? rd_of(octets, 4) : rd_of(octets + 2, 2));
}

int naa_read(struct session *s, uint16_t df, uint16_t fid, struct wr *ret, bool *ret_found)
{
    const struct fs *fs = &s->euicc->uicc.fs;
    uint16_t node = naa_ef(s, df, fid);

    *ret_found = false;
    if (node == FS_NONE)
        return 0;
    const struct fs_node *body = &fs->nodes[fs->nodes[node].body];
    if (body->kind != FS_KIND_TRANSPARENT)
        return 0;
    uint32_t n = body->size < ret->max - ret->n ? body->size : (uint32_t)(ret->max - ret->n);
    *ret_found = true;
    return fs_read(fs, s->euicc->nvm, node, 0, n, ret);
}

int naa_has_service(struct session *s, unsigned service, bool *ret)
{
    uint8_t octets[MAX_SERVICE_TABLE];
    struct wr table;
    bool found;

    wr_init(&table, octets, sizeof octets);
    TRY(naa_read(s, 0, s->selected == &isim_applet ? FID_IST : FID_UST, &table, &found));
    unsigned at = (service - 1) / 8, bit = (service - 1) % 8;
    *ret = found && at < table.n && (octets[at] >> bit & 1);
    return 0;
}

/* --- conditions --- */

/* The application's PIN is the first application PIN that the ADF lists; without one nothing is
 * asked for. */
static int pin_satisfied(struct session *s, bool *ret)
{
    const struct uicc *u = &s->euicc->uicc;
    uint8_t reference = access_application_pin(&u->fs.nodes[s->files.adf]);
    struct pin pin;
    bool found;

    *ret = reference == 0;
    if (reference == 0)
        return 0;
    TRY(pin_load(s->euicc->nvm, u->fs.prefix, FS_MF, reference, &pin, &found));
    if (!found)
        return 0;
    int err = pin_is_satisfied(s->euicc->nvm, u->fs.prefix, &u->pins, &pin, ret);
    crypto_wipe(&pin, sizeof pin);
    return err;
}

int naa_ready(struct session *s, const struct apdu *a)
{
    const struct file_state *f = &s->files;
    bool satisfied;

    if (f->adf == FS_NONE || fs_application(&s->euicc->uicc.fs, f->df) != f->adf)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "the application's ADF is not current");
    TRY(uicc_check_end(s, a, f->df));
    if (s->remote)
        return 0;
    TRY(pin_satisfied(s, &satisfied));
    return satisfied
               ? 0
               : uicc_refuse(s, a, SW_SECURITY_STATUS, "the application's PIN is not verified");
}

/* --- AUTHENTICATE --- */

int naa_take(struct rd *in, struct rd *ret)
{
    struct rd rest = *in;
    struct rd n;

    TRY(rd_take(&rest, 1, &n));
    TRY(rd_take(&rest, n.p[0], ret));
    *in = rest;
    return 0;
}

void naa_put(struct wr *w, const uint8_t *p, size_t n)
{
    wr_put_u8(w, (uint8_t)n);
    wr_put(w, p, n);
}

int naa_open(struct session *s, const struct apdu *a, struct aka *ret)
{
    struct euicc *e = s->euicc;
    bool found;

    int err = aka_open(e->crypto, e->nvm, &e->uicc.fs, s->files.adf, ret, &found);
    if (err == ERR_INPUT || (err == 0 && !found))
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "no usable PE-AKAParameter");
    return err;
}

/* One of authCounterMax. */
static int spend(struct session *s, const struct apdu *a, struct aka *aka)
{
    bool any;

    TRY(aka_count(aka, &any));
    return any ? 0 : uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "authCounterMax is reached");
}

int naa_challenge(struct session *s, const struct apdu *a, struct aka *aka, struct rd in, bool gba,
                  struct aka_answer *ret, struct wr *rsp)
{
    struct rd rand, autn;

    if (naa_take(&in, &rand) != 0 || naa_take(&in, &autn) != 0 || in.n != 0 ||
        rand.n != AKA_RAND_LEN || autn.n != aka_autn_len(aka))
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "RAND or AUTN has another length");
    TRY(spend(s, a, aka));
    TRY(aka_authenticate(aka, rand.p, autn.p, gba, ret));
    switch (ret->outcome) {
    case AKA_WRONG_MAC:
        return uicc_refuse(s, a, SW_WRONG_MAC, "AUTN does not verify (TS 33.102 6.3.3)");
    case AKA_SYNCHRONISE:
        trace_note(&s->euicc->trace, "AUTHENTICATE: the sequence number is not in range");
        wr_put_u8(rsp, TAG_SYNCHRONISE);
        naa_put(rsp, ret->auts, ret->auts_len);
        return 0;
    case AKA_DONE:
        return 0;
    }
    return ERR_BUG;
}

static int answer_3g(struct session *s, const struct apdu *a, struct aka *aka, struct wr *rsp)
{
    const struct aka_keys *k = &aka->parameters.keys;
    struct aka_answer answer;
    uint8_t kc[AKA_KC_LEN];
    bool with_kc = false;

    if (s->selected == &usim_applet)
        TRY(naa_has_service(s, SERVICE_GSM_ACCESS, &with_kc));
    TRY(naa_challenge(s, a, aka, rd_of(a->data, a->lc), false, &answer, rsp));
    if (answer.outcome != AKA_DONE)
        return 0;
    wr_put_u8(rsp, TAG_AUTHENTICATED);
    naa_put(rsp, answer.vector.res, k->res_len);
    naa_put(rsp, answer.vector.ck, k->ck_len);
    naa_put(rsp, answer.vector.ik, k->ik_len);
    if (with_kc) {
        aka_kc(aka, &answer.vector, kc);
        naa_put(rsp, kc, sizeof kc);
        crypto_wipe(kc, sizeof kc);
    }
    crypto_wipe(&answer, sizeof answer);
    return 0;
}

static int answer_gsm(struct session *s, const struct apdu *a, struct aka *aka, struct wr *rsp)
{
    struct rd in = rd_of(a->data, a->lc), rand;
    uint8_t sres[AKA_SRES_LEN], kc[AKA_KC_LEN];

    if (naa_take(&in, &rand) != 0 || in.n != 0 || rand.n != AKA_RAND_LEN)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "RAND has another length");
    TRY(spend(s, a, aka));
    TRY(aka_gsm(aka, rand.p, sres, kc));
    naa_put(rsp, sres, sizeof sres);
    naa_put(rsp, kc, sizeof kc);
    crypto_wipe(kc, sizeof kc);
    return 0;
}

static int authenticate_3g(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct aka aka;

    int result = naa_open(s, a, &aka);
    if (result == 0)
        result = answer_3g(s, a, &aka, rsp);
    aka_close(&aka);
    return result;
}

static int authenticate_gsm(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct aka aka;

    int result = naa_open(s, a, &aka);
    if (result == 0)
        result = answer_gsm(s, a, &aka, rsp);
    aka_close(&aka);
    return result;
}

/* What P2 may ask for. */
static const struct context {
    const struct applet *applet;
    uint8_t p2;
    uint8_t service; /* that must be available; 0: none */
    command_fn *run; /* NULL: not supported */
    const char *name;
} contexts[] = {
    { &usim_applet, 0x80, SERVICE_GSM_CONTEXT, authenticate_gsm, "GSM" },
    { &usim_applet, 0x81, 0, authenticate_3g, "3G" },
    { &usim_applet, 0x82, 0, NULL, "VGCS/VBS" },
    { &usim_applet, 0x84, SERVICE_GBA, naa_authenticate_gba, "GBA" },
    { &usim_applet, 0x85, 0, NULL, "MBMS" },
    { &usim_applet, 0x86, 0, NULL, "local key establishment" },
    { &isim_applet, 0x81, 0, authenticate_3g, "IMS AKA" },
    { &isim_applet, 0x82, 0, NULL, "HTTP digest" },
    { &isim_applet, 0x84, SERVICE_ISIM_GBA, naa_authenticate_gba, "GBA" },
    { &isim_applet, 0x86, 0, NULL, "local key establishment" },
};

static const struct context *find_context(const struct session *s, const struct apdu *a)
{
    for (size_t i = 0; i < N_ELEMS(contexts); i++)
        if (contexts[i].applet == s->selected && contexts[i].p2 == a->p2 && a->p1 == 0)
            return &contexts[i];
    return NULL;
}

static int authenticate(struct session *s, const struct apdu *a, struct wr *rsp)
{
    const struct context *context = find_context(s, a);
    bool available = true;

    if (context == NULL)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "no such context");
    TRY(naa_ready(s, a));
    if (context->service != 0)
        TRY(naa_has_service(s, context->service, &available));
    if (context->run == NULL || !available)
        return uicc_refuse(s, a, SW_NO_SECURITY_CONTEXT, context->name);
    return context->run(s, a, rsp);
}

static const struct command usim_commands[] = {
    { false, 0x88, NEEDS_DATA, "AUTHENTICATE", authenticate, "TS 31.102 7.1" },
    { true, 0x78, NO_DATA | WITH_LE, "GET IDENTITY", naa_get_identity, "TS 31.102 7.5" },
};

static const struct command isim_commands[] = {
    { false, 0x88, NEEDS_DATA, "AUTHENTICATE", authenticate, "TS 31.103 7.1" },
};

const struct applet usim_applet = {
    .name = "USIM",
    .aid = { 0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02 },
    .aid_len = 7,
    .serves_adfs = true,
    .commands = usim_commands,
    .n_commands = N_ELEMS(usim_commands),
};

const struct applet isim_applet = {
    .name = "ISIM",
    .aid = { 0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04 },
    .aid_len = 7,
    .serves_adfs = true,
    .commands = isim_commands,
    .n_commands = N_ELEMS(isim_commands),
};
