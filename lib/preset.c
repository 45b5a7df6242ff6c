/* preset.c - cards as the test specifications and tools expect them. */
#include "lib/preset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "os/err.h"
#include "os/tlv.h"
#include "os/x509.h"

enum { SETTINGS_MAX = 10, PROFILES_MAX = 3, EIM_MAX = 512 };

/* Constants of SGP.23 Annex A and what SGP.33 adds. */
#define DP_ADDRESS1 "testsmdpplus1.example.com"
#define DS_ADDRESS  "testrootsmds.example.com"
#define EIM_ID1     "testeim1"
#define EIM_FQDN1   "eim.example.com"

#define OP1                                                                                        \
    "iccid=8929901012345678905,provider=SP Name 1,name=Operational Profile Name 1,"                \
    "notify=" DP_ADDRESS1 ",owner=00F110"
#define OP2                                                                                        \
    "iccid=8929901012345678913,provider=SP Name 2,name=Operational Profile Name 2,"                \
    "notify=" DP_ADDRESS1 ",owner=00F110"
#define OP3                                                                                        \
    "iccid=8929901012345678921,provider=SP Name 3,name=Operational Profile Name 3,"                \
    "notify=" DP_ADDRESS1 ",owner=00F110"

#define ADDRESSES                                                                                  \
    { "default_dp", DP_ADDRESS1 },                                                                 \
    {                                                                                              \
        "root_ds", DS_ADDRESS                                                                      \
    }
#define CONSUMER                                                                                   \
    ADDRESSES,                                                                                     \
    {                                                                                              \
        "iot", "off"                                                                               \
    }

/* What looks like the card of pySim's own card tests, a test eUICC of sysmocom's. */
#define PYSIM_ATR "3B9F96803F87828031E073FE211F574543753130136502"

static const struct preset {
    const char *name, *meaning;
    struct softeuicc_setting settings[SETTINGS_MAX + 1]; /* up to one without a key */
    struct {
        const char *package, *words;
    } profiles[PROFILES_MAX + 1]; /* up to one without a package */
    bool has_eim;
} presets[] = {
    { "sgp23",
      "SGP.23 G.2: test addresses, PROFILE_OPERATIONAL1 disabled",
      { CONSUMER },
      { { "operational.der", OP1 } },
      false },
    { "sgp23-empty", "the same without a profile", { CONSUMER }, { { NULL, NULL } }, false },
    { "sgp23-enabled",
      "PROFILE_OPERATIONAL1 enabled",
      { CONSUMER },
      { { "operational.der", OP1 ",enabled" } },
      false },
    { "sgp23-two",
      "PROFILE_OPERATIONAL1 enabled, 2 disabled",
      { CONSUMER },
      { { "operational.der", OP1 ",enabled" }, { "operational.der", OP2 } },
      false },
    { "sgp23-three",
      "PROFILE_OPERATIONAL1 enabled, 2 and 3 disabled",
      { CONSUMER },
      { { "operational.der", OP1 ",enabled" },
        { "operational.der", OP2 },
        { "operational.der", OP3 } },
      false },
    { "sgp23-ppr1",
      "PROFILE_OPERATIONAL1 with PPR1 enabled, 2 disabled",
      { CONSUMER },
      { { "operational.der", OP1 ",ppr=1,enabled" }, { "operational.der", OP2 } },
      false },
    { "sgp23-ppr2",
      "PROFILE_OPERATIONAL1 with PPR2 disabled, 2 enabled",
      { CONSUMER },
      { { "operational.der", OP1 ",ppr=2" }, { "operational.der", OP2 ",enabled" } },
      false },
    { "sgp23-test",
      "PROFILE_OPERATIONAL1 enabled, a test profile disabled",
      { CONSUMER },
      { { "operational.der", OP1 ",enabled" }, { "tuak.der", "class=test,notify=" DP_ADDRESS1 } },
      false },
    { "sgp23-no-rat",
      "as sgp23, with an empty rules authorisation table",
      { CONSUMER, { "rat", "" } },
      { { "operational.der", OP1 } },
      false },
    { "sgp23-no-memory",
      "as sgp23, without room for a second profile",
      { CONSUMER, { "max_profiles", "1" } },
      { { "operational.der", OP1 } },
      false },
    { "sgp33",
      "SGP.33: no eIM, PROFILE_OPERATIONAL1 disabled",
      { ADDRESSES },
      { { "operational.der", OP1 } },
      false },
    { "sgp33-eim",
      "the same, " EIM_ID1 " associated with counter 0",
      { ADDRESSES },
      { { "operational.der", OP1 } },
      true },
    { "sgp33-enabled",
      EIM_ID1 ", PROFILE_OPERATIONAL1 enabled, 2 disabled",
      { ADDRESSES },
      { { "operational.der", OP1 ",enabled" }, { "operational.der", OP2 } },
      true },
    { "sgp33-fallback",
      "the same, 2 holds the fallback attribute",
      { ADDRESSES },
      { { "operational.der", OP1 ",enabled" }, { "operational.der", OP2 ",fallback" } },
      true },
    { "sgp33-emergency",
      EIM_ID1 ", PROFILE_OPERATIONAL1 enabled, an Emergency Profile",
      { ADDRESSES },
      { { "operational.der", OP1 ",enabled" }, { "operational.der", OP2 ",ecall" } },
      true },
    { "sgp33-ipae",
      EIM_ID1 ", PROFILE_OPERATIONAL1 enabled, 2 disabled, the IPAe at work",
      { ADDRESSES, { "ipae", "on" } },
      { { "operational.der", OP1 ",enabled" }, { "operational.der", OP2 } },
      true },
    { "pysim",
      "what pySim's own card tests take for their eUICC, with another EID",
      { { "atr", PYSIM_ATR },
        { "iot", "off" },
        { "curves", "nist" },
        { "rsp_version", "2.3.0" },
        { "profile_version", "2.3.1" },
        { "pp_version", "1.0.0" },
        { "firmware_version", "35.6.35" },
        { "sas_number", "SYSMOCOM-TEST-1" },
        { "forbidden_ppr", "ppr1" } },
      { { "operational.der", "iccid=89000123456789012341,provider=SP Name 1,"
                             "name=Operational Profile Name 1,nickname=this-is-a-testprofile,"
                             "class=test,notify=" DP_ADDRESS1 ",enabled" },
        { "operational.der", "iccid=8949449999999990031,provider=OsmocomSPN,"
                             "name=TS48V1-B-UNIQUE,aid=0012,notify=" DP_ADDRESS1 } },
      false },
};

bool preset_at(size_t n, struct softeuicc_preset_info *ret)
{
    if (n >= N_ELEMS(presets))
        return false;
    *ret = (struct softeuicc_preset_info){ presets[n].name, presets[n].meaning };
    return true;
}

/* NAME, or NAME and words behind a comma. */
static const struct preset *find(const char *order)
{
    struct rd name = rd_of(order, strcspn(order, ","));

    for (size_t i = 0; i < N_ELEMS(presets); i++)
        if (rd_equal(rd_str(presets[i].name), name))
            return &presets[i];
    return NULL;
}

static struct softeuicc_bytes package_of(const char *name)
{
    for (const struct embedded_file *f = embedded_profiles; f->name != NULL; f++)
        if (strcmp(f->name, name) == 0)
            return (struct softeuicc_bytes){ f->octets, f->n };
    return (struct softeuicc_bytes){ NULL, 0 };
}

/* --- the eIM ---------------------------------------------------------------------------------- */

/* The SubjectPublicKeyInfo's contents of a P-256 key (RFC 5480 2). */
static void put_public_key(const uint8_t point[EC_POINT_LEN], struct wr *ret)
{
    static const uint8_t algorithm[] = { 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                         0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
                                         0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };

    wr_put(ret, algorithm, sizeof algorithm);
    struct wr_mark bits = tlv_open(ret, 0x03);
    wr_put_u8(ret, 0);
    wr_put(ret, point, EC_POINT_LEN);
    tlv_close(ret, bits);
}

/* EimConfigurationData of the eIM whose certificate the PKI has. */
static void put_eim(const uint8_t point[EC_POINT_LEN], struct wr *ret)
{
    enum { EIM_ID_PROPRIETARY = 3 }; /* "testeim1" is neither an OID nor an FQDN */
    struct wr_mark eim = tlv_open(ret, 0x30);

    tlv_put(ret, 0x80, rd_str(EIM_ID1));
    tlv_put(ret, 0x81, rd_str(EIM_FQDN1));
    tlv_put_u8(ret, 0x82, EIM_ID_PROPRIETARY);
    tlv_put_uint(ret, 0x83, 0);
    struct wr_mark key_data = tlv_open(ret, 0xA5), key = tlv_open(ret, 0xA0);
    put_public_key(point, ret);
    tlv_close(ret, key);
    tlv_close(ret, key_data);
    tlv_put_bits(ret, 0x87, 1 << 0); /* eimRetrieveHttps */
    tlv_close(ret, eim);
}

static int read_eim_certificate(const char *pki_dir, struct wr *ret)
{
    struct pki *pki;

    if (pki_open(pki_dir, &pki) != 0)
        return ERR_INPUT;
    int err = pki_read(pki, "EIMsign/CERT_S_EIMsign_ECDSA_NIST.der", ret);
    pki_close(&pki);
    return err;
}

/* From the PKI of the card, or the built-in one where that has no eIM. */
static int make_eim(struct crypto *c, const char *pki_dir, struct wr *ret,
                    char error[SOFTEUICC_ERROR_LEN])
{
    uint8_t point[EC_POINT_LEN];
    struct cert *cert = NULL;
    const char *reason = "it cannot be read";
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    int err = read_eim_certificate(pki_dir, &der);
    if (err != 0 && pki_dir != NULL) {
        wr_clear(&der);
        err = read_eim_certificate(NULL, &der);
    }
    if (err == 0)
        err = cert_parse(c, wr_view(&der), &cert, &reason);
    if (err == 0) {
        ec_pub_point(cert_key(cert), point);
        put_eim(point, ret);
        err = wr_failed(ret);
    } else {
        snprintf(error, SOFTEUICC_ERROR_LEN, "the certificate of the eIM: %s", reason);
    }
    cert_free(&cert);
    wr_done(&der);
    return err;
}

/* --- writing out ------------------------------------------------------------------------------ */

static int allocate(const struct softeuicc_new *how, struct preset_order *o)
{
    o->settings = calloc(SETTINGS_MAX + how->n_settings, sizeof *o->settings);
    o->profiles = calloc(PROFILES_MAX + how->n_profiles, sizeof *o->profiles);
    o->words = calloc(PROFILES_MAX + how->n_profiles, sizeof *o->words);
    o->eims = calloc(1 + how->n_eims, sizeof *o->eims);
    return o->settings != NULL && o->profiles != NULL && o->words != NULL && o->eims != NULL
               ? 0
               : ERR_NOMEM;
}

static void take_settings(const struct preset *p, const struct softeuicc_new *how,
                          struct preset_order *o)
{
    size_t n = 0;

    for (size_t i = 0; p->settings[i].key != NULL; i++)
        o->settings[n++] = p->settings[i];
    for (size_t i = 0; i < how->n_settings; i++)
        o->settings[n++] = how->settings[i];
    o->how.settings = o->settings;
    o->how.n_settings = n;
}

/* The order's words go behind those of the preset's first profile: the last of a kind counts. */
static int add_words(const struct preset *p, struct preset_order *o,
                     char error[SOFTEUICC_ERROR_LEN])
{
    const char *more = strchr(o->how.preset, ',');

    if (more == NULL)
        return 0;
    if (p->profiles[0].package == NULL) {
        snprintf(error, SOFTEUICC_ERROR_LEN, "preset %s has no profile for words", p->name);
        return ERR_INPUT;
    }
    size_t n = strlen(o->words[0]), m = strlen(more) + 1;
    o->first_words = malloc(n + m);
    if (o->first_words == NULL)
        return ERR_NOMEM;
    memcpy(o->first_words, o->words[0], n);
    memcpy(o->first_words + n, more, m);
    o->words[0] = o->first_words;
    return 0;
}

static int take_profiles(const struct preset *p, const struct softeuicc_new *how,
                         struct preset_order *o, char error[SOFTEUICC_ERROR_LEN])
{
    size_t n = 0;

    for (size_t i = 0; p->profiles[i].package != NULL; i++) {
        o->words[n] = p->profiles[i].words;
        o->profiles[n++] = package_of(p->profiles[i].package);
    }
    TRY(add_words(p, o, error));
    for (size_t i = 0; i < how->n_profiles; i++) {
        o->words[n] = how->profile_words != NULL ? how->profile_words[i] : NULL;
        o->profiles[n++] = how->profiles[i];
    }
    o->how.profiles = o->profiles;
    o->how.profile_words = o->words;
    o->how.n_profiles = n;
    return 0;
}

static int take_eims(const struct preset *p, const struct softeuicc_new *how, struct crypto *c,
                     struct preset_order *o, char error[SOFTEUICC_ERROR_LEN])
{
    size_t n = 0;

    if (p->has_eim) {
        TRY(make_eim(c, how->pki_dir, &o->eim, error));
        o->eims[n++] = (struct softeuicc_bytes){ o->eim.p, o->eim.n };
    }
    for (size_t i = 0; i < how->n_eims; i++)
        o->eims[n++] = how->eims[i];
    o->how.eims = o->eims;
    o->how.n_eims = n;
    return 0;
}

int preset_write_out(const struct softeuicc_new *how, struct crypto *c, struct preset_order *ret,
                     char error[SOFTEUICC_ERROR_LEN])
{
    *ret = (struct preset_order){ .how = *how };
    wr_init_heap(&ret->eim, EIM_MAX);
    if (how->preset == NULL)
        return 0;
    const struct preset *p = find(how->preset);
    if (p == NULL) {
        snprintf(error, SOFTEUICC_ERROR_LEN, "there is no preset %.64s; see softeuicc new --help",
                 how->preset);
        return ERR_INPUT;
    }
    TRY(allocate(how, ret));
    take_settings(p, how, ret);
    TRY(take_profiles(p, how, ret, error));
    return take_eims(p, how, c, ret, error);
}

void preset_done(struct preset_order *o)
{
    free(o->settings);
    free(o->profiles);
    free(o->words);
    free(o->first_words);
    free(o->eims);
    wr_done(&o->eim);
}
