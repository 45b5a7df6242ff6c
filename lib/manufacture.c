/* manufacture.c - making a card. */
#include "lib/manufacture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "applets/applets.h"
#include "applets/ecasd/ecasd.h"
#include "applets/isdr/eim.h"
#include "applets/isdr/preload.h"
#include "certs/pki.h"
#include "lib/preset.h"
#include "os/euicc.h"
#include "os/x509.h"

enum {
    FILE_BUFFER = 2 * PKI_MAX_FILE,
    EID_BODY_DIGITS = 30, /* the last two are check digits (SGP.02 2.2.2) */
};

static const char default_eid[] = "89049032123451234512345678901235";
static const char eum_iin[] = "89049032";

/* --- the EID ---------------------------------------------------------------------------------- */

static unsigned mod97(const char *digits, size_t n)
{
    unsigned rest = 0;

    for (size_t i = 0; i < n; i++)
        rest = (rest * 10 + (unsigned)(digits[i] - '0')) % 97;
    return rest;
}

/* In place of the last two digits (SGP.02 2.2.2). */
static void put_check_digits(char eid[EID_DIGITS + 1])
{
    memcpy(eid + EID_BODY_DIGITS, "00", 3);
    unsigned check = 98 - mod97(eid, EID_DIGITS);
    eid[EID_BODY_DIGITS] = (char)('0' + check / 10);
    eid[EID_BODY_DIGITS + 1] = (char)('0' + check % 10);
}

static int random_eid(struct crypto *c, char ret[EID_DIGITS + 1])
{
    uint8_t random[EID_BODY_DIGITS];

    TRY(crypto_random(c, random, sizeof random));
    for (size_t i = 0; i < EID_BODY_DIGITS; i++)
        ret[i] = (char)('0' + random[i] % 10);
    memcpy(ret, eum_iin, sizeof eum_iin - 1);
    put_check_digits(ret);
    return 0;
}

static bool eid_is_digits(const char *eid)
{
    return strlen(eid) == EID_DIGITS && strspn(eid, "0123456789") == EID_DIGITS;
}

static int choose_eid(struct crypto *c, const char *wanted, char ret[EID_DIGITS + 1],
                      char error[SOFTEUICC_ERROR_LEN])
{
    if (wanted != NULL && strcmp(wanted, "random") == 0)
        return random_eid(c, ret);
    if (wanted == NULL)
        wanted = default_eid;
    if (!eid_is_digits(wanted)) {
        snprintf(error, SOFTEUICC_ERROR_LEN,
                 "%.40s is no EID: it needs 32 digits, the last two of them check digits", wanted);
        return ERR_INPUT;
    }
    memcpy(ret, wanted, EID_DIGITS + 1);
    if (mod97(wanted, EID_DIGITS) == 1)
        return 0;
    put_check_digits(ret);
    snprintf(error, SOFTEUICC_ERROR_LEN,
             "%s is no EID: its last two digits check the others and would be %s", wanted,
             ret + EID_BODY_DIGITS);
    return ERR_INPUT;
}

static void pack_eid(const char *digits, uint8_t ret[EID_LEN])
{
    for (size_t i = 0; i < EID_LEN; i++)
        ret[i] = (uint8_t)((digits[2 * i] - '0') << 4 | (digits[2 * i + 1] - '0'));
}

/* --- keys and certificates --- */

/* What one curve's part of a PKI gives, and what is made of it. */
struct identity {
    struct wr ci_cert, eum_cert, euicc_cert, euicc_key;
    struct cert *ci, *eum, *euicc;
    uint8_t ci_point[EC_POINT_LEN];
};

static void identity_init(struct identity *id)
{
    *id = (struct identity){ 0 };
    wr_init_heap(&id->ci_cert, FILE_BUFFER);
    wr_init_heap(&id->eum_cert, FILE_BUFFER);
    wr_init_heap(&id->euicc_cert, FILE_BUFFER);
    wr_init_secret(&id->euicc_key, FILE_BUFFER);
}

static void identity_done(struct identity *id)
{
    cert_free(&id->ci);
    cert_free(&id->eum);
    cert_free(&id->euicc);
    wr_done(&id->ci_cert);
    wr_done(&id->eum_cert);
    wr_done(&id->euicc_cert);
    wr_done(&id->euicc_key);
}

static int read_file(const struct pki *pki, const char *format, const char *curve, struct wr *ret,
                     char error[SOFTEUICC_ERROR_LEN])
{
    char name[128];

    snprintf(name, sizeof name, format, curve);
    if (pki_read(pki, name, ret) == 0)
        return 0;
    snprintf(error, SOFTEUICC_ERROR_LEN, "%s", pki_reason(pki));
    return ERR_INPUT;
}

static int read_cert(struct crypto *c, const struct pki *pki, const char *format, const char *curve,
                     struct wr *der, struct cert **ret, char error[SOFTEUICC_ERROR_LEN])
{
    const char *reason;

    TRY(read_file(pki, format, curve, der, error));
    if (cert_parse(c, wr_view(der), ret, &reason) == 0)
        return 0;
    snprintf(error, SOFTEUICC_ERROR_LEN, "the %s certificate of the PKI: %s", curve, reason);
    return ERR_INPUT;
}

/* Keeps the key as DER, whatever it came as. */
static int keep_key(struct crypto *c, struct rd pem_or_der, struct wr *ret)
{
    struct ec_key *key;

    TRY(ec_key_read(c, pem_or_der, &key));
    wr_clear(ret);
    int err = ec_key_write_der(c, key, ret);
    ec_key_free(&key);
    return err != 0 ? err : wr_failed(ret);
}

/* The eUICC certificate for another EID than the PKI has, under its EUM's key. */
static int issue_euicc(struct crypto *c, const struct pki *pki, const char *curve,
                       struct identity *id, const char *eid, char error[SOFTEUICC_ERROR_LEN])
{
    struct ec_key *eum_key = NULL, *key = NULL;
    struct ec_pub *pub = NULL;
    uint8_t point[EC_POINT_LEN];
    struct wr pem;

    wr_init_secret(&pem, FILE_BUFFER);
    int err = read_file(pki, "EUM/SK_EUM_ECDSA_%s.pem", curve, &pem, error);
    if (err == 0)
        err = ec_key_read(c, wr_view(&pem), &eum_key);
    if (err == 0)
        err = ec_key_generate(c, cert_curve(id->eum), &key);
    if (err == 0) {
        ec_key_point(key, point);
        err = ec_pub_from_point(c, cert_curve(id->eum), rd_of(point, sizeof point), &pub);
    }
    if (err == 0) {
        const struct cert_request request = {
            .role = ROLE_EUICC,
            .key = pub,
            .issuer_key = eum_key,
            .issuer = id->eum,
            .country = "ES",
            .organization = cert_subject_organization(id->eum),
            .common_name = "Test eUICC",
            .subject_serial = eid,
            .not_before = 1577836800,  /* 2020-01-01 */
            .not_after = 253402300799, /* 9999-12-31: the card lives longer than its dates */
            .serial = 0x0200000000000000 + mod97(eid, EID_DIGITS),
        };
        wr_clear(&id->euicc_cert);
        wr_clear(&id->euicc_key);
        err = cert_issue(c, &request, &id->euicc_cert);
    }
    if (err == 0)
        err = ec_key_write_der(c, key, &id->euicc_key);
    ec_pub_free(&pub);
    ec_key_free(&key);
    ec_key_free(&eum_key);
    wr_done(&pem);
    return err;
}

/* The chain that the card will present, checked as a server would. */
static const char *check_chain(struct crypto *c, const struct identity *id, const char *eid)
{
    const char *why = cert_check(c, id->ci, ROLE_CI, cert_key(id->ci), cert_ski(id->ci));

    if (why == NULL)
        why = cert_check(c, id->eum, ROLE_EUM, cert_key(id->ci), cert_ski(id->ci));
    if (why == NULL)
        why = cert_check(c, id->euicc, ROLE_EUICC, cert_key(id->eum), cert_ski(id->eum));
    if (why == NULL)
        why = cert_check_eum_constraints(id->eum, id->euicc);
    if (why == NULL && strcmp(cert_subject_serial(id->euicc), eid) != 0)
        why = "the eUICC certificate is for another EID";
    return why;
}

static int load_identity(struct crypto *c, const struct pki *pki, const char *curve,
                         const char *eid, struct identity *id, char error[SOFTEUICC_ERROR_LEN])
{
    const char *reason;

    TRY(read_cert(c, pki, "CertificateIssuer/CERT_CI_ECDSA_%s.der", curve, &id->ci_cert, &id->ci,
                  error));
    TRY(read_cert(c, pki, "EUM/CERT_EUM_ECDSA_%s.der", curve, &id->eum_cert, &id->eum, error));
    TRY(read_cert(c, pki, "eUICC/CERT_EUICC_ECDSA_%s.der", curve, &id->euicc_cert, &id->euicc,
                  error));
    if (strcmp(cert_subject_serial(id->euicc), eid) == 0) {
        struct wr pem;
        wr_init_secret(&pem, FILE_BUFFER);
        int err = read_file(pki, "eUICC/SK_EUICC_ECDSA_%s.pem", curve, &pem, error);
        if (err == 0)
            err = keep_key(c, wr_view(&pem), &id->euicc_key);
        wr_done(&pem);
        TRY(err);
    } else {
        TRY(issue_euicc(c, pki, curve, id, eid, error));
        cert_free(&id->euicc);
        TRY(cert_parse(c, wr_view(&id->euicc_cert), &id->euicc, &reason));
    }
    const char *why = check_chain(c, id, eid);
    if (why != NULL) {
        snprintf(error, SOFTEUICC_ERROR_LEN, "the %s chain of the PKI: %s", curve, why);
        return ERR_INPUT;
    }
    ec_pub_point(cert_key(id->ci), id->ci_point);
    return 0;
}

static struct ecasd_ci_data ci_data(const struct identity *id)
{
    return (struct ecasd_ci_data){
        .curve = cert_curve(id->ci),
        .ski = cert_ski(id->ci),
        .ci_point = rd_of(id->ci_point, sizeof id->ci_point),
        .euicc_key = wr_view(&id->euicc_key),
        .cert_euicc = wr_view(&id->euicc_cert),
        .cert_eum = wr_view(&id->eum_cert),
    };
}

/* Loads both curves, or the one that the setting names, and personalises the ECASD. */
static int personalise(struct nvm *nvm, struct crypto *c, const struct pki *pki, const char *curves,
                       const char *eid, char error[SOFTEUICC_ERROR_LEN])
{
    static const struct {
        const char *setting, *file;
    } parts[] = { { "nist", "NIST" }, { "brp", "BRP" } };
    struct identity ids[N_ELEMS(parts)];
    struct ecasd_ci_data cis[N_ELEMS(parts)];
    uint8_t packed[EID_LEN];
    size_t n = 0;
    int err = 0;

    for (size_t i = 0; i < N_ELEMS(parts) && err == 0; i++) {
        if (strcmp(curves, "both") != 0 && strcmp(curves, parts[i].setting) != 0)
            continue;
        identity_init(&ids[n]);
        err = load_identity(c, pki, parts[i].file, eid, &ids[n], error);
        if (err == 0)
            cis[n] = ci_data(&ids[n]);
        n++;
    }
    pack_eid(eid, packed);
    if (err == 0)
        err = ecasd_personalise(nvm, packed, cis, n);
    while (n > 0)
        identity_done(&ids[--n]);
    return err;
}

/* --- settings, profiles and eIMs --- */

static int store_settings(struct nvm *nvm, const struct softeuicc_new *how,
                          char error[SOFTEUICC_ERROR_LEN])
{
    for (size_t i = 0; i < how->n_settings; i++) {
        const struct softeuicc_setting *s = &how->settings[i];
        enum setting which = setting_find(s->key);
        if (which == SETTING_COUNT) {
            snprintf(error, SOFTEUICC_ERROR_LEN,
                     "there is no setting %.64s; see softeuicc new --help", s->key);
            return ERR_INPUT;
        }
        const char *why = setting_check(which, s->value);
        if (why != NULL) {
            snprintf(error, SOFTEUICC_ERROR_LEN, "%s=%.64s: %s", s->key, s->value, why);
            return ERR_INPUT;
        }
        TRY(setting_store(nvm, which, s->value));
    }
    return 0;
}

static const char *curves_of(const struct softeuicc_new *how)
{
    const char *curves = setting_infos[SET_CURVES].initial;

    for (size_t i = 0; i < how->n_settings; i++)
        if (setting_find(how->settings[i].key) == SET_CURVES)
            curves = how->settings[i].value;
    return curves;
}

static int refuse_item(const char *what, size_t i, const char *why, char error[SOFTEUICC_ERROR_LEN])
{
    snprintf(error, SOFTEUICC_ERROR_LEN, "%s %zu: %s", what, i + 1, why);
    return ERR_INPUT;
}

static int put_in_profiles(struct euicc *e, const struct softeuicc_new *how,
                           char error[SOFTEUICC_ERROR_LEN])
{
    for (size_t i = 0; i < how->n_profiles; i++) {
        const char *words = how->profile_words != NULL ? how->profile_words[i] : NULL;
        const char *why = isdr_preload(e, rd_of(how->profiles[i].p, how->profiles[i].n), words);
        if (why != NULL)
            return refuse_item("profile", i, why, error);
    }
    return 0;
}

static int put_in_eims(struct euicc *e, const struct softeuicc_new *how,
                       char error[SOFTEUICC_ERROR_LEN])
{
    for (size_t i = 0; i < how->n_eims; i++) {
        const char *why = eim_preload(e, rd_of(how->eims[i].p, how->eims[i].n));
        if (why != NULL)
            return refuse_item("eIM", i, why, error);
    }
    return 0;
}

/* Through a card that is on: profiles and eIMs go in as they would later. */
static int put_in_all(struct nvm **nvm, struct crypto *c, const struct softeuicc_new *how,
                      struct trace trace, char error[SOFTEUICC_ERROR_LEN])
{
    struct euicc e;
    int err = euicc_init(&e, *nvm, c, trace, applets, n_applets);

    if (err != 0) {
        *nvm = NULL; /* taken over, and gone */
        return err;
    }
    err = euicc_power_on(&e);
    if (err == 0)
        err = put_in_profiles(&e, how, error);
    if (err == 0)
        err = put_in_eims(&e, how, error);
    euicc_power_off(&e);
    e.nvm = NULL; /* stays the caller's */
    euicc_done(&e);
    return err;
}

/* EID, keys and certificates. */
static int give_identity(struct nvm *nvm, struct crypto *c, const struct softeuicc_new *how,
                         char error[SOFTEUICC_ERROR_LEN])
{
    char eid[EID_DIGITS + 1];
    struct pki *pki;

    TRY(choose_eid(c, how->eid, eid, error));
    if (pki_open(how->pki_dir, &pki) != 0) {
        snprintf(error, SOFTEUICC_ERROR_LEN, "%.160s: %s", how->pki_dir, strerror(errno));
        return ERR_INPUT;
    }
    int err = personalise(nvm, c, pki, curves_of(how), eid, error);
    pki_close(&pki);
    return err;
}

/* The same from a seed, of which nothing else draws. */
static int give_seeded_identity(struct nvm *nvm, const struct softeuicc_new *how,
                                char error[SOFTEUICC_ERROR_LEN])
{
    struct crypto *seeded = crypto_new(rd_str(how->seed));
    int err = seeded != NULL ? give_identity(nvm, seeded, how, error) : ERR_CRYPTO;

    crypto_free(&seeded);
    return err;
}

/* Without a preset. */
static int make(struct nvm **nvm, struct crypto *c, const struct softeuicc_new *how,
                struct trace trace, char error[SOFTEUICC_ERROR_LEN])
{
    int err = store_settings(*nvm, how, error);
    if (err == 0)
        err = how->seed != NULL ? give_seeded_identity(*nvm, how, error)
                                : give_identity(*nvm, c, how, error);
    if (err == 0)
        err = nvm_commit(*nvm);
    if (err == 0)
        err = put_in_all(nvm, c, how, trace, error);
    return err;
}

int manufacture(struct nvm **nvm, struct crypto *c, const struct softeuicc_new *how,
                struct trace trace, char error[SOFTEUICC_ERROR_LEN])
{
    struct preset_order order;

    snprintf(error, SOFTEUICC_ERROR_LEN, "making the card failed"); /* unless said better below */
    int err = preset_write_out(how, c, &order, error);
    if (err == 0)
        err = make(nvm, c, &order.how, trace, error);
    preset_done(&order);
    return err;
}
