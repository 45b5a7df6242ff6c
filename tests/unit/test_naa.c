/* test_naa.c - applets/naa through APDUs: a card in memory whose profile is a tree made here, with
 * an USIM and an ISIM that have every service; and our operational profile, installed and enabled.
 * OPERATIONAL_DER, from the build, is its package. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/naa/naa.h"
#include "lib/softeuicc.h"
#include "os/err.h"
#include "os/euicc.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* TS 35.208 4.3. */
#define K           "465b5ce8b199b49faa5f0a2ee238a6bc"
#define OPC         "cd63cb71954a9f4e48a5994e37a02baf"
#define RAND        "23553cbe9637a89d218ae64dae47bf35"
#define RES         "a54211d5e3ba50bf"
#define CK          "b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define IK          "f769bcd751044604127672711c6d3441"
#define KC          "eae4be823af9a08b"
#define MILENAGE_PE "A435 A005 8000 8101 06 A12C A12A 800101 8101 00 8210" K "8310" OPC

#define USIM        "A0000000871002FF49FF0189"
#define ISIM        "A0000000871004FF49FF0189"
#define SELECT_USIM "00A4040C0C" USIM
#define SELECT_ISIM "00A4040C0C" ISIM
#define VERIFY_PIN  "0020000108 3132333435363738"

#define NAF_ID "6E61662E6578616D706C65 0100000001" /* naf.example */
#define IMPI   "75736572406578616D706C65"          /* user@example */

enum { PROFILE = 0x0010 };

static struct euicc e;
static struct crypto *c;
static uint16_t usim, isim;

/* --- the card --- */

static uint16_t add(struct fs *fs, uint16_t parent, uint16_t fid, enum fs_kind kind,
                    const char *hexed)
{
    struct fs_node n = { .fid = fid,
                         .parent = parent,
                         .kind = kind,
                         .shareable = true,
                         .life_cycle = FS_LCS_ACTIVATED };
    uint8_t octets[256], *body;
    uint16_t node;

    size_t len = hex(hexed, octets, sizeof octets);
    if (kind == FS_KIND_ADF) {
        memcpy(n.aid, octets, len);
        n.aid_len = (uint8_t)len;
        n.pins[0] = 0x01;
        n.pins[1] = 0x81;
        n.n_pins = 2;
    } else {
        n.size = (uint32_t)len;
        n.record_len = kind == FS_KIND_LINEAR ? (uint8_t)(len / 2) : 0;
    }
    ck_assert_int_eq(fs_add(fs, &n, &node), 0);
    if (kind >= FS_KIND_TRANSPARENT) {
        ck_assert_int_eq(fs_body(fs, node, &body), 0);
        memcpy(body, octets, len);
    }
    return node;
}

/* Two records of a length. */
static const char *records(size_t n)
{
    static char text[2 * 2 * 64 + 1];

    memset(text, 'F', 4 * n);
    text[4 * n] = '\0';
    return text;
}

static void add_usim(struct fs *fs)
{
    usim = add(fs, FS_MF, 0x7FD0, FS_KIND_ADF, USIM);
    add(fs, usim, 0x6F38, FS_KIND_TRANSPARENT, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF0020");
    add(fs, usim, 0x6F07, FS_KIND_TRANSPARENT, "080910101032547698");
    add(fs, usim, 0x6FAD, FS_KIND_TRANSPARENT, "00000002");
    add(fs, usim, 0x6FD6, FS_KIND_TRANSPARENT, records(16));
    add(fs, usim, 0x6FDA, FS_KIND_LINEAR, records(32));
    uint16_t df = add(fs, usim, FID_DF_5GS, FS_KIND_DF, "");
    add(fs, df, 0x4F0A, FS_KIND_TRANSPARENT, "F0FFFFFF");
    add(fs, df, 0x4F07, FS_KIND_TRANSPARENT, "A0020C00");
    add(fs, df, 0x4F09, FS_KIND_TRANSPARENT, "8012 757365723137406578616D706C652E636F6D FFFF");
    df = add(fs, usim, FID_DF_SAIP, FS_KIND_DF, "");
    add(fs, df, 0x4F01, FS_KIND_TRANSPARENT, "A0020000FFFFFFFF");
}

static void add_isim(struct fs *fs)
{
    isim = add(fs, FS_MF, 0x7FD1, FS_KIND_ADF, ISIM);
    add(fs, isim, 0x6F07, FS_KIND_TRANSPARENT, "02");
    add(fs, isim, 0x6F02, FS_KIND_TRANSPARENT, "800C" IMPI);
}

static void put_element(struct nvm *nvm, uint16_t adf, const char *text)
{
    uint8_t octets[256];
    char key[NVM_KEY_MAX];

    snprintf(key, sizeof key, "isdp/%04x/aka/%04x", PROFILE, adf);
    ck_assert_int_eq(nvm_put(nvm, key, rd_of(octets, hex(text, octets, sizeof octets))), 0);
}

/* PIN1 is asked for. */
static void fill(struct nvm *nvm)
{
    const struct pin pin = {
        .reference = 1,
        .context = FS_MF,
        .value = "12345678",
        .attributes = PIN_ENABLED | PIN_DISABLEABLE,
        .max = 3,
    };
    const struct pin universal = { .reference = 0x11,
                                   .context = FS_MF,
                                   .value = "87654321",
                                   .attributes = PIN_ENABLED,
                                   .max = 3 };
    struct fs fs;

    fs_init(&fs, PROFILE);
    add(&fs, FS_NONE, FID_MF, FS_KIND_MF, "");
    add_usim(&fs);
    add_isim(&fs);
    ck_assert_int_eq(fs_store(&fs, nvm), 0);
    put_element(nvm, usim, MILENAGE_PE);
    put_element(nvm, isim, "A41C A005 8000 8101 06 A113 A011 800106 810C A0000000871002FF49FF0189");
    ck_assert_int_eq(pin_store(nvm, fs.prefix, &pin, pin.max), 0);
    ck_assert_int_eq(pin_store(nvm, fs.prefix, &universal, universal.max), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    fs_done(&fs);
}

static int enable(struct euicc *card)
{
    uicc_want(card, PROFILE);
    return 0;
}

static const struct applet enabler = { .name = "enabler", .start = enable };
static const struct applet *const applets[] = { &enabler, &usim_applet, &isim_applet };

static void set_up(void)
{
    static const struct trace quiet;
    struct nvm *nvm = nvm_open_memory(&quiet);

    c = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_nonnull(nvm);
    fill(nvm);
    ck_assert_int_eq(euicc_init(&e, nvm, c, quiet, applets, N_ELEMS(applets)), 0);
    ck_assert_int_eq(euicc_power_on(&e), 0);
}

static void tear_down(void)
{
    euicc_done(&e);
    crypto_free(&c);
}

/* Sends a command; n octets of response with its status word. */
static size_t send(const char *command, uint8_t *response)
{
    struct rd in = exact_copy(command);

    size_t n = euicc_transmit(&e, in.p, in.n, response);
    exact_free(&in);
    ck_assert_uint_ge(n, 2);
    return n;
}

/* command, and the response that must come. */
static void check(const char *command, const char *want)
{
    static uint8_t response[APDU_MAX_RESPONSE];
    uint8_t octets[512];
    char got[2 * 512 + 1] = "", wanted[2 * 512 + 1] = "";

    size_t n = send(command, response), m = hex(want, octets, sizeof octets);
    for (size_t i = 0; i < n && i < 512; i++)
        snprintf(got + 2 * i, 3, "%02X", response[i]);
    for (size_t i = 0; i < m; i++)
        snprintf(wanted + 2 * i, 3, "%02X", octets[i]);
    ck_assert_str_eq(got, wanted);
}

/* The AUTN of this network for RAND, in hex; mask: of the MAC. */
static const char *autn(uint64_t seq, unsigned ind, const uint8_t *mask)
{
    static char text[33];
    struct aka_keys k = { .k_len = 16, .rotations = { 64, 0, 32, 64, 96 } };
    static const uint8_t last[] = { 0, 1, 2, 4, 8 };
    uint8_t rand[16], octets[16], sqn[6];
    struct aka_vector v;
    uint64_t whole = seq << 5 | ind;

    hex(K, k.k, sizeof k.k);
    hex(OPC, k.opc, sizeof k.opc);
    for (size_t i = 0; i < MILENAGE_ROUNDS; i++)
        k.constants[i][15] = last[i];
    hex(RAND, rand, sizeof rand);
    for (size_t i = 0; i < 6; i++)
        sqn[i] = (uint8_t)(whole >> (40 - 8 * i));
    ck_assert_int_eq(milenage.f2345(c, &k, rand, &v), 0);
    octets[6] = 0x80;
    octets[7] = 0;
    ck_assert_int_eq(milenage.f1(c, &k, rand, sqn, octets + 6, octets + 8), 0);
    for (size_t i = 0; i < 6; i++)
        octets[i] = sqn[i] ^ v.ak[i];
    for (size_t i = 0; i < 8 && mask != NULL; i++)
        octets[8 + i] ^= mask[i];
    for (size_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02X", octets[i]);
    return text;
}

static void check_with(const char *format, const char *text, const char *want)
{
    char command[512];

    snprintf(command, sizeof command, format, text);
    check(command, want);
}

/* --- AUTHENTICATE --- */

#define CHALLENGE "0088008122 10" RAND "10%s 00"
#define ANSWER    "DB 08" RES "10" CK "10" IK

static void log_in(const char *select)
{
    check(select, "9000");
    check(VERIFY_PIN, "9000");
}

START_TEST(a_challenge_is_answered)
{
    log_in(SELECT_USIM);
    check_with(CHALLENGE, autn(1, 0, NULL), ANSWER "08" KC "9000"); /* service 27 */
    check_with(CHALLENGE, autn(2, 0, NULL), ANSWER "08" KC "9000");
}
END_TEST

START_TEST(an_isim_answers_without_kc_and_shares_numbers)
{
    log_in(SELECT_ISIM);
    check_with(CHALLENGE, autn(1, 0, NULL), ANSWER "9000");
    check(SELECT_USIM, "9000");
    uint8_t response[APDU_MAX_RESPONSE];
    char command[256];
    snprintf(command, sizeof command, CHALLENGE, autn(1, 0, NULL));
    ck_assert_uint_eq(send(command, response), 2 + 14 + 2);
    ck_assert_uint_eq(response[0], 0xDC);
    ck_assert_uint_eq(response[1], 14);
}
END_TEST

START_TEST(a_replay_is_refused_after_a_power_cycle)
{
    uint8_t response[APDU_MAX_RESPONSE];
    char command[256];

    log_in(SELECT_USIM);
    check_with(CHALLENGE, autn(1, 4, NULL), ANSWER "08" KC "9000");
    ck_assert_int_eq(euicc_power_on(&e), 0);
    log_in(SELECT_USIM);
    snprintf(command, sizeof command, CHALLENGE, autn(1, 4, NULL));
    ck_assert_uint_eq(send(command, response), 18);
    ck_assert_uint_eq(response[0], 0xDC);
}
END_TEST

START_TEST(a_wrong_mac_changes_nothing)
{
    static const uint8_t mask[8] = { 0, 0, 0, 0, 0, 0, 0, 1 };

    log_in(SELECT_USIM);
    uint64_t writes = nvm_writes(e.nvm);
    check_with(CHALLENGE, autn(1, 0, mask), "9862");
    ck_assert_uint_eq(nvm_writes(e.nvm), writes);
    check_with(CHALLENGE, autn(1, 0, NULL), ANSWER "08" KC "9000");
}
END_TEST

START_TEST(the_pin_is_asked_for)
{
    check(SELECT_USIM, "9000");
    check_with(CHALLENGE, autn(1, 0, NULL), "6982");
    check("8078000100", "6982");
    check(VERIFY_PIN, "9000");
    check_with(CHALLENGE, autn(1, 0, NULL), ANSWER "08" KC "9000");
}
END_TEST

/* DISABLE PIN with P1 91: the universal PIN takes the PIN's place (TS 102 221 9.5.1). */
START_TEST(the_universal_pin_can_take_its_place)
{
    check(SELECT_USIM, "9000");
    check("0026910108 3132333435363738", "9000");
    check_with(CHALLENGE, autn(1, 0, NULL), "6982");
    check(VERIFY_PIN, "6984");
    check("0020001108 3837363534333231", "9000");
    check_with(CHALLENGE, autn(1, 0, NULL), ANSWER "08" KC "9000");
}
END_TEST

START_TEST(the_adf_must_be_current)
{
    log_in(SELECT_USIM);
    check("00A4000C023F00", "9000");
    check_with(CHALLENGE, autn(1, 0, NULL), "6985");
    check("00A4080C047FFF5FC0", "9000");
    check_with(CHALLENGE, autn(1, 0, NULL), ANSWER "08" KC "9000");
}
END_TEST

/* TS 102 222 6.7: nothing of it can be used any more. */
START_TEST(a_terminated_application_authenticates_nobody)
{
    log_in(SELECT_USIM);
    e.uicc.fs.nodes[usim].life_cycle = FS_LCS_TERMINATED;
    check_with(CHALLENGE, autn(1, 0, NULL), "6985");
    check("8078000100", "6985");
    e.uicc.fs.nodes[usim].life_cycle = FS_LCS_ACTIVATED;
    e.uicc.fs.nodes[FS_MF].life_cycle = FS_LCS_TERMINATED; /* TERMINATE CARD USAGE */
    check_with(CHALLENGE, autn(1, 0, NULL), "6985");
}
END_TEST

START_TEST(without_an_application_there_is_no_authenticate)
{
    check_with(CHALLENGE, autn(1, 0, NULL), "6D00");
}
END_TEST

START_TEST(contexts_that_are_none)
{
    log_in(SELECT_USIM);
    check("0088000111 10" RAND "00", "6A86");
    check("0088018111 10" RAND "00", "6A86");
    check("0088008311 10" RAND "00", "6A86");
    check("008800C111 10" RAND "00", "6A86");
    check("0088008211 10" RAND "00", "9864");
    check("0088008511 10" RAND "00", "9864");
    check("0088008611 10" RAND "00", "9864");
    check("0088008711 10" RAND "00", "6A86");
    check("0089008111 10" RAND "00", "6D00"); /* odd: by chained blocks */
    check(SELECT_ISIM, "9000");
    check("0088008011 10" RAND "00", "6A86"); /* GSM and MBMS are the USIM's */
    check("0088008511 10" RAND "00", "6A86");
    check("0088008211 10" RAND "00", "9864");
    check("0088008611 10" RAND "00", "9864");
}
END_TEST

START_TEST(lengths_that_are_wrong)
{
    log_in(SELECT_USIM);
    check("00880081", "6700");
    check("0088008111 10" RAND "00", "6700");
    check("0088008110" RAND "00", "6700");
    check("0088008121 10" RAND "0F 000102030405060708090A0B0C0D0E 00", "6700");
    check("0088008123 10" RAND "10 000102030405060708090A0B0C0D0E0F 0000", "6700");
    check("0088008022 10" RAND "10 000102030405060708090A0B0C0D0E0F 00", "6700");
}
END_TEST

START_TEST(gsm_context)
{
    log_in(SELECT_USIM);
    check("0088008011 10" RAND "00", "04 46F8416A 08" KC "9000");
}
END_TEST

/* --- services --- */

static void write_ust(const char *text)
{
    static const uint8_t path[] = { 0x6F, 0x38 };
    const struct fs *fs = &e.uicc.fs;
    uint8_t octets[18] = { 0 };

    hex(text, octets, sizeof octets);
    ck_assert_int_eq(
        fs_write(fs, e.nvm, fs_path(fs, usim, rd_of(path, 2)), 0, rd_of(octets, sizeof octets)), 0);
    ck_assert_int_eq(nvm_commit(e.nvm), 0);
}

START_TEST(services_that_are_not_available)
{
    log_in(SELECT_USIM);
    write_ust("0000000000000000000000000000000000");
    check_with(CHALLENGE, autn(1, 0, NULL), ANSWER "9000"); /* no Kc */
    check("0088008011 10" RAND "00", "9864");
    check("0088008411 10" RAND "00", "9864");
    check("8078000100", "6985");
    write_ust("0000000000000000000000000000000800"); /* 124 alone */
    check("8078000100", "6985");
    check("8078000200", "6985");
    write_ust("0000000000000000000000000000000000 20"); /* 142 alone */
    check("8078000200", "6985");
    write_ust("0000000000000000000000000000001800");
    check("8078000100", "A10D 0100F110F0FF00001032547698 9000");
    check("8078000200", "6985"); /* without 142 */
}
END_TEST

/* --- GET IDENTITY --- */

static void rewrite(const char *path, const char *text)
{
    const struct fs *fs = &e.uicc.fs;
    uint8_t octets[256], fids[8];

    struct rd at = rd_of(fids, hex(path, fids, sizeof fids));
    struct rd contents = rd_of(octets, hex(text, octets, sizeof octets));
    ck_assert_int_eq(fs_write(fs, e.nvm, fs_path(fs, usim, at), 0, contents), 0);
    ck_assert_int_eq(nvm_commit(e.nvm), 0);
}

START_TEST(get_identity_conceals_the_imsi)
{
    log_in(SELECT_USIM);
    check("8078000100", "A10D 0100F110F0FF00001032547698 9000");
    rewrite("6FAD", "00000003");
    check("8078000100", "A10D 010001 10F0FF0000 21436587F9 9000");
    check("8078000000", "6A86");
    check("8078000300", "6A86");
    check("8078008100", "6A86");
    check("8078010100", "6A86");
    check("80780001", "6C0F");
    check("0078000100", "6E00");
    rewrite("5FD04F01", "A0020101"); /* profile A without a key */
    check("8078000100", "6A88");
    check(SELECT_ISIM, "9000");
    check("8078000100", "6D00");
}
END_TEST

/* As text: type0.rid0.schid0.userid0123456789@5gc-nswo.mnc001.mcc001.3gppnetwork.org */
#define NSWO_NAI                                                                                   \
    "74797065302E726964302E7363686964302E75736572696430313233343536373839"                         \
    "403567632D6E73776F2E6D6E633030312E6D63633030312E336770706E6574776F726B2E6F7267"

START_TEST(get_identity_for_nswo_is_a_nai)
{
    log_in(SELECT_USIM);
    check("8078000200", "A14A 11" NSWO_NAI "9000");
    rewrite("5FD04F01", "A0020101"); /* profile A without a key */
    check("8078000200", "6A88");
}
END_TEST

START_TEST(get_identity_conceals_a_nai)
{
    /* type1.rid0.schid0.useriduser17@example.com */
    static const char suci[] = "A12B 11 74797065312E726964302E7363686964302E75736572696475736572"
                               "3137406578616D706C652E636F6D 9000";

    log_in(SELECT_USIM);
    write_ust("0000000000000000000000000000001802 20"); /* 130: the SUPI is an NAI */
    check("8078000100", suci);
    check("8078000200", suci);
    rewrite("5FC04F09", "81");
    check("8078000100", "6A88"); /* a GLI, which the ME conceals */
    rewrite("5FC04F09", "FFFF");
    check("8078000100", "6A88");
}
END_TEST

/* --- GBA --- */

#define BOOTSTRAP "0088008423 DD 10" RAND "10%s 00"
#define DERIVE    "008800841F DE 10" NAF_ID "0C" IMPI "00"

/* KDF of TS 33.220 B.3. */
static void ks_naf(char text[65])
{
    uint8_t ks[32], in[128], out[SHA256_LEN];

    size_t n = hex("01 6762612D6D65 0006" RAND "0010" IMPI "000C" NAF_ID "0010", in, sizeof in);
    hex(CK IK, ks, sizeof ks);
    ck_assert_int_eq(hmac_sha256(c, rd_of(ks, 32), rd_of(in, n), out), 0);
    for (size_t i = 0; i < sizeof out; i++)
        snprintf(text + 2 * i, 3, "%02X", out[i]);
}

static void gba_mask(uint8_t ret[SHA1_LEN])
{
    uint8_t ik[16];
    const struct rd part = rd_of(ik, hex(IK, ik, sizeof ik));

    ck_assert_int_eq(crypto_sha1(c, &part, 1, ret), 0);
}

START_TEST(gba_bootstraps_and_derives)
{
    uint8_t mask[SHA1_LEN];
    char key[65], want[128];

    gba_mask(mask);
    ks_naf(key);
    snprintf(want, sizeof want, "DB20%s9000", key);
    log_in(SELECT_USIM);
    check(DERIVE, "6985"); /* not bootstrapped */
    check_with(BOOTSTRAP, autn(1, 0, NULL), "9862");
    check_with(BOOTSTRAP, autn(1, 0, mask), "DB 08" RES "9000");
    check(DERIVE, want);
    check(DERIVE, want);
    ck_assert_int_eq(euicc_power_on(&e), 0);
    log_in(SELECT_USIM);
    check(DERIVE, want);
}
END_TEST

START_TEST(a_deleted_application_leaves_no_keys)
{
    static const char *const kinds[] = { "aka", "sqn", "gba" };
    char key[NVM_KEY_MAX];
    uint8_t mask[SHA1_LEN];
    bool found;

    gba_mask(mask);
    log_in(SELECT_USIM);
    check_with(BOOTSTRAP, autn(1, 0, mask), "DB 08" RES "9000");
    for (int deleted = 0; deleted < 2; deleted++) {
        for (size_t i = 0; i < N_ELEMS(kinds); i++) {
            snprintf(key, sizeof key, "isdp/%04x/%s/%04x", PROFILE, kinds[i], usim);
            ck_assert_int_eq(nvm_has(e.nvm, key, &found), 0);
            ck_assert_msg(found == (deleted == 0), "%s", key);
        }
        if (deleted == 0)
            ck_assert_int_eq(fs_delete(&e.uicc.fs, e.nvm, usim), 0);
    }
}
END_TEST

START_TEST(gba_keeps_its_files)
{
    static const uint8_t bp[] = { 0x6F, 0xD6 }, nl[] = { 0x6F, 0xDA };
    const struct fs *fs = &e.uicc.fs;
    uint8_t mask[SHA1_LEN], octets[64], want[64];
    struct wr w;

    gba_mask(mask);
    log_in(SELECT_USIM);
    check_with(BOOTSTRAP, autn(1, 0, mask), "DB 08" RES "9000");
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(fs_read(fs, e.nvm, fs_path(fs, usim, rd_of(bp, 2)), 0, 20, &w), 0);
    hex("10" RAND "0000 FF", want, sizeof want);
    ck_assert_mem_eq(octets, want, 20);

    rewrite("6FD6", "10" RAND "03 414243"); /* the ME's B-TID */
    uint8_t response[APDU_MAX_RESPONSE];
    ck_assert_uint_eq(send(DERIVE, response), 36);
    ck_assert_uint_eq(send(DERIVE, response), 36);
    for (unsigned r = 1; r <= 2; r++) { /* the same NAF has one record */
        wr_init(&w, octets, sizeof octets);
        ck_assert_int_eq(fs_read_record(fs, e.nvm, fs_path(fs, usim, rd_of(nl, 2)), r, &w), 0);
        memset(want, 0xFF, sizeof want);
        if (r == 1)
            hex("8010" NAF_ID "8103414243", want, sizeof want);
        ck_assert_mem_eq(octets, want, 32);
    }
}
END_TEST

START_TEST(gba_of_an_isim_knows_its_impi)
{
    uint8_t mask[SHA1_LEN];
    char key[65], want[128];

    gba_mask(mask);
    ks_naf(key);
    snprintf(want, sizeof want, "DB20%s9000", key);
    log_in(SELECT_ISIM);
    check_with(BOOTSTRAP, autn(1, 0, mask), "DB 08" RES "9000");
    check("0088008412 DE 10" NAF_ID "00", want);
    check(DERIVE, "6700");
}
END_TEST

START_TEST(gba_requests_that_are_none)
{
    log_in(SELECT_USIM);
    check("0088008411 10" RAND "00", "9864");
    check("0088008401 DD 00", "6700");
    check("0088008401 DE 00", "6700");
    check("0088008412 DE 11" NAF_ID "00", "6700");
    check("0088008412 DE 10" NAF_ID "00", "6700");
}
END_TEST

/* --- power --- */

/* A network that saw no answer sends the same again or goes on; either the number was stored or
 * nothing was. */
START_TEST(no_power_cut_answers_twice)
{
    uint8_t response[APDU_MAX_RESPONSE];
    char command[256];

    snprintf(command, sizeof command, CHALLENGE, autn(1, 0, NULL));
    for (uint64_t n = 0;; n++) {
        log_in(SELECT_USIM);
        nvm_cut_after(e.nvm, n);
        struct rd in = exact_copy(command);
        size_t len = euicc_transmit(&e, in.p, in.n, response);
        exact_free(&in);
        bool answered = len > 2 && response[0] == 0xDB;
        nvm_restore_power(e.nvm);
        ck_assert_int_eq(euicc_power_on(&e), 0);
        if (answered)
            break;
        ck_assert_uint_lt(n, 10);
    }
    log_in(SELECT_USIM);
    ck_assert_uint_eq(send(command, response), 18);
    ck_assert_uint_eq(response[0], 0xDC);
}
END_TEST

/* --- a profile package --- */

static void read_package(struct wr *ret)
{
    FILE *f = fopen(OPERATIONAL_DER, "rb");
    uint8_t octets[4096];

    ck_assert_ptr_nonnull(f);
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    ck_assert_uint_lt(n, sizeof octets);
    wr_put(ret, octets, n);
}

static void check_card(struct softeuicc *card, const char *command, const char *want)
{
    static uint8_t response[SOFTEUICC_RESPONSE_MAX];
    uint8_t octets[512];
    struct rd in = exact_copy(command);

    size_t n = softeuicc_transmit(card, in.p, in.n, response);
    exact_free(&in);
    ck_assert_uint_eq(n, hex(want, octets, sizeof octets));
    ck_assert_mem_eq(response, octets, n);
}

START_TEST(the_operational_profile_authenticates)
{
    char error[SOFTEUICC_ERROR_LEN], command[256];
    struct softeuicc *card = NULL;
    struct wr package;

    wr_init_heap(&package, 4096);
    read_package(&package);
    const struct softeuicc_bytes profile = { package.p, package.n };
    const struct softeuicc_new how = { .profiles = &profile, .n_profiles = 1 };
    const struct softeuicc_options options = { .crypto = NULL };
    ck_assert_msg(softeuicc_open_memory(&how, &options, &card, error) == 0, "%s", error);
    wr_done(&package);
    ck_assert_int_eq(softeuicc_power_on(card), 0);

    check_card(card, SELECT_USIM, "6A82"); /* not enabled */
    check_card(card, "00A4040C10 A0000005591010FFFFFFFF8900000100", "9000");
    check_card(card, "80E2910014 BF3111 A00C 5A0A 980010000000000010F9 810100 00",
               "BF3103 800100 9000");
    check_card(card, SELECT_USIM, "9000");
    snprintf(command, sizeof command, CHALLENGE, autn(1, 0, NULL));
    check_card(card, command, ANSWER "9000");
    check_card(card, "0088008011 10" RAND "00", "9864");
    check_card(card, "8078000100", "6985");
    softeuicc_close(&card);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_challenge_is_answered);
    tcase_add_test(tc, an_isim_answers_without_kc_and_shares_numbers);
    tcase_add_test(tc, a_replay_is_refused_after_a_power_cycle);
    tcase_add_test(tc, a_wrong_mac_changes_nothing);
    tcase_add_test(tc, the_pin_is_asked_for);
    tcase_add_test(tc, the_universal_pin_can_take_its_place);
    tcase_add_test(tc, the_adf_must_be_current);
    tcase_add_test(tc, a_terminated_application_authenticates_nobody);
    tcase_add_test(tc, without_an_application_there_is_no_authenticate);
    tcase_add_test(tc, contexts_that_are_none);
    tcase_add_test(tc, lengths_that_are_wrong);
    tcase_add_test(tc, gsm_context);
    tcase_add_test(tc, services_that_are_not_available);
    tcase_add_test(tc, get_identity_conceals_the_imsi);
    tcase_add_test(tc, get_identity_for_nswo_is_a_nai);
    tcase_add_test(tc, get_identity_conceals_a_nai);
    tcase_add_test(tc, gba_bootstraps_and_derives);
    tcase_add_test(tc, a_deleted_application_leaves_no_keys);
    tcase_add_test(tc, gba_keeps_its_files);
    tcase_add_test(tc, gba_of_an_isim_knows_its_impi);
    tcase_add_test(tc, gba_requests_that_are_none);
    tcase_add_test(tc, no_power_cut_answers_twice);
    tcase_add_test(tc, the_operational_profile_authenticates);
}

int main(void)
{
    Suite *s = suite_create("naa");
    TCase *tc = tcase_create("naa");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    add_tests(tc);
    suite_add_tcase(s, tc);
    return suite_status(s);
}
