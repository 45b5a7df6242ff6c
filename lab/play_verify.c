/* play_verify.c - signatures of the eUICC, checked up to the CI. */
#include <stdlib.h>
#include <string.h>

#include "lab/eim_result.h"
#include "lab/play_model.h"
#include "lab/play_tlv.h"
#include "os/err.h"

enum {
    MESSAGE_MAX = 1024 * 1024,
    TAG_SEQUENCE = 0x30,
    TAG_SIGNATURE = 0x5F37,
};

/* Verifies a chain and keeps its CERT.EUICC.  NULL when all is well, else the reason. */
static const char *add_chain(struct player *p, struct rd eum, struct rd euicc)
{
    struct cert *ci[2], *cert = NULL;
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMS(p->ci); i++)
        if (p->ci[i] != NULL)
            ci[n++] = p->ci[i];
    const char *why = eim_check_chain(p->crypto, ci, n, eum, euicc, "", &cert);
    if (why != NULL)
        return why;
    for (size_t i = 0; i < p->n_chains; i++) {
        if (rd_equal(cert_der(p->chains[i]), cert_der(cert))) {
            cert_free(&cert);
            return NULL;
        }
    }
    if (p->n_chains == PLAY_MAX_CHAINS)
        cert_free(&p->chains[--p->n_chains]);
    p->chains[p->n_chains++] = cert;
    return NULL;
}

/* A chain that an answer brings, or GetCerts gives. */
static int keep_chain(struct player *p, struct rd eum, struct rd euicc)
{
    const char *why = add_chain(p, eum, euicc);

    return why == NULL ? 0 : play_differs(p, "the certificates: %s", why);
}

void play_learn_euicc(struct player *p, struct rd answer)
{
    struct tlv response, ok, signed1, signature, euicc, eum;

    if (tlv_expect(&answer, 0xBF38, &response) == 0 &&
        tlv_expect(&response.value, 0xA0, &ok) == 0 && tlv_get(&ok.value, &signed1) == 0 &&
        tlv_expect(&ok.value, TAG_SIGNATURE, &signature) == 0 &&
        tlv_expect(&ok.value, TAG_SEQUENCE, &euicc) == 0 &&
        tlv_expect(&ok.value, TAG_SEQUENCE, &eum) == 0)
        add_chain(p, eum.whole, euicc.whole);
}

/* A5 and A6 of GetCerts' answer. */
static int keep_get_certs(struct player *p, struct rd ok)
{
    struct wr eum, euicc;
    struct tlv a5, a6;

    if (!tlv_find(ok, 0xA5, &a5) || !tlv_find(ok, 0xA6, &a6))
        return play_differs(p, "GetCerts gives no certificates");
    wr_init_heap(&eum, MESSAGE_MAX);
    wr_init_heap(&euicc, MESSAGE_MAX);
    int r = eim_take_certificate(a5.value, &eum) != 0 || eim_take_certificate(a6.value, &euicc) != 0
                ? play_differs(p, "GetCerts gives no certificates")
                : keep_chain(p, wr_view(&eum), wr_view(&euicc));
    wr_done(&eum);
    wr_done(&euicc);
    return r;
}

/* Asks the card for its certificates on both curves, once a case. */
static int ask_certs(struct player *p, struct play_error *e)
{
    struct wr answer;
    int r = 0;

    if (p->asked_certs)
        return 0;
    p->asked_certs = true;
    wr_init_heap(&answer, MESSAGE_MAX);
    for (size_t i = 0; i < N_ELEMS(p->ci) && r == 0; i++) {
        uint8_t room[64];
        struct wr request;
        struct tlv ok;
        if (p->ci[i] == NULL)
            continue;
        wr_init(&request, room, sizeof room);
        struct wr_mark mark = tlv_open(&request, 0xBF56);
        tlv_put(&request, 0x80, cert_ski(p->ci[i]));
        tlv_close(&request, mark);
        wr_clear(&answer);
        r = play_ask(p, wr_view(&request), &answer, e);
        if (r == 0)
            r = play_path_find("BF56/A0", wr_view(&answer), &p->names, &ok, e);
        if (r == 0 && ok.tag != 0)
            r = keep_get_certs(p, ok.value);
    }
    wr_done(&answer);
    return r;
}

static bool verifies(struct player *p, const struct rd *parts, size_t n, struct rd signature)
{
    for (size_t i = 0; i < p->n_chains; i++)
        if (ecdsa_verify(p->crypto, cert_key(p->chains[i]), parts, n, signature))
            return true;
    return false;
}

static int verify_parts(struct player *p, const struct rd *parts, size_t n, struct rd signature,
                        struct play_error *e)
{
    if (verifies(p, parts, n, signature))
        return 0;
    TRY(ask_certs(p, e));
    return verifies(p, parts, n, signature)
               ? 0
               : play_differs(p, p->n_chains == 0 ? "no certificate of the eUICC is known"
                                                  : "the signature does not verify");
}

/* Body, 5F37, and perhaps CERT.EUICC and CERT.EUM behind it. */
static int verify_signed(struct player *p, struct rd in, struct play_error *e)
{
    struct tlv body, signature, euicc, eum;

    if (tlv_get(&in, &body) != 0 || tlv_expect(&in, TAG_SIGNATURE, &signature) != 0)
        return play_differs(p, "there is no signature where one belongs");
    if (tlv_expect(&in, TAG_SEQUENCE, &euicc) == 0 && tlv_expect(&in, TAG_SEQUENCE, &eum) == 0)
        TRY(keep_chain(p, eum.whole, euicc.whole));
    return verify_parts(p, &body.whole, 1, signature.value, e);
}

/* Each of BF2B's notifications: BF37, or 30 with certificates. */
static int verify_notifications(struct player *p, struct rd list, struct play_error *e)
{
    struct tlv t;
    size_t n = 0;

    for (; list.n > 0 && tlv_get(&list, &t) == 0; n++)
        TRY(t.tag == 0xBF51 ? 0 : verify_signed(p, t.value, e));
    return n > 0 ? 0 : play_differs(p, "there is nothing to verify");
}

static bool package_result_verifies(struct player *p, const struct eim_result *result,
                                    const struct play_eim *eim)
{
    for (size_t i = 0; i < p->n_chains; i++) {
        struct eim_signature_context context = { .key = cert_key(p->chains[i]),
                                                 .token = eim == NULL ? 0 : eim->token,
                                                 .only_token = true };
        if (eim_result_verify(p->crypto, result, &context) != NULL)
            return true;
    }
    return false;
}

static int verify_package_result(struct player *p, struct rd whole, const struct play_eim *eim,
                                 struct play_error *e)
{
    struct eim_result result;

    if (eim_result_read(whole, &result) != 0)
        return play_differs(p, "not an EuiccPackageResult");
    if (result.arm == RESULT_UNSIGNED)
        return play_differs(p, "the result is not signed");
    if (package_result_verifies(p, &result, eim))
        return 0;
    TRY(ask_certs(p, e));
    return package_result_verifies(p, &result, eim)
               ? 0
               : play_differs(p, "the signature does not verify");
}

static int verify_package_results(struct player *p, struct rd list, struct play_error *e)
{
    struct tlv t;

    while (list.n > 0 && tlv_get(&list, &t) == 0) {
        struct eim_result result;
        bool known = eim_result_read(t.whole, &result) == 0;
        TRY(verify_package_result(p, t.whole, known ? play_find_eim(p, result.eim_id) : NULL, e));
    }
    return 0;
}

static int verify(struct player *p, struct rd in, struct play_error *e)
{
    struct tlv outer, arm = { .tag = 0 };
    struct eim_result result;
    struct rd inside;

    if (tlv_get(&in, &outer) != 0)
        return play_differs(p, "there is nothing to verify");
    inside = outer.value;
    tlv_get(&inside, &arm);
    switch (outer.tag) {
    case 0xBF37: /* ProfileInstallationResult */
        return verify_signed(p, outer.value, e);
    case 0xBF38: /* AuthenticateServer */
    case 0xBF41: /* CancelSession */
        return verify_signed(p, arm.value, e);
    case 0xBF2B: /* RetrieveNotificationsList */
        return arm.tag == 0xA2 ? verify_package_results(p, arm.value, e)
                               : verify_notifications(p, arm.value, e);
    case 0xBF51: /* EuiccPackageResult */
        return verify_package_result(
            p, outer.whole,
            eim_result_read(outer.whole, &result) == 0 ? play_find_eim(p, result.eim_id) : NULL, e);
    case 0xBF56: /* GetCerts */
        return keep_get_certs(p, arm.value);
    default:
        return play_differs(p, "%X holds no signature that could be verified", (unsigned)outer.tag);
    }
}

static int read_octets(struct player *p, const char *text, struct wr *ret, struct play_error *e)
{
    static const struct play_octets_style rich = { .plain = false };

    wr_init_heap(ret, PLAY_VALUE_MAX);
    int r = play_octets_read(text, rich, &p->names, ret, NULL, e);
    if (r != 0)
        wr_done(ret);
    return r;
}

/* verify: the last answer; verify {name}: what the variable holds. */
int play_run_verify(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct wr octets;

    if (s->arguments[0][0] == '\0')
        return verify(p, wr_view(&p->last), e);
    TRY(read_octets(p, s->arguments[0], &octets, e));
    int r = verify(p, wr_view(&octets), e);
    wr_done(&octets);
    return r;
}

/* euiccSignature2 stands over euiccSigned2 and smdpSignature2 (SGP.22 5.7.5). */
int play_run_verify_prepare(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct tlv response, ok, signed2, signature;
    struct rd in = wr_view(&p->last);
    struct wr smdp, whole;

    if (tlv_expect(&in, 0xBF21, &response) != 0 || tlv_expect(&response.value, 0xA0, &ok) != 0 ||
        tlv_get(&ok.value, &signed2) != 0 || tlv_expect(&ok.value, TAG_SIGNATURE, &signature) != 0)
        return play_differs(p, "the last answer is no PrepareDownloadResponse with a signature");
    TRY(read_octets(p, s->arguments[0], &smdp, e));
    wr_init_heap(&whole, MESSAGE_MAX);
    tlv_put(&whole, TAG_SIGNATURE, wr_view(&smdp));
    struct rd parts[] = { signed2.whole, wr_view(&whole) };
    int r = verify_parts(p, parts, N_ELEMS(parts), signature.value, e);
    wr_done(&whole);
    wr_done(&smdp);
    return r;
}
