/* test_bpp.c - LoadBoundProfilePackage and the ES8+ functions in it (SGP.22 2.5, 5.5): what is
 * installed, and each reason to be refused.
 *
 * After each refusal the card has its old profiles and its old memory, keeps the signed result
 * until it is removed, and installs the right package. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <EUICCResponse.h>

#include "asn1/der.h"
#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { /* BppCommandId */
       INITIALISE = 0,
       CONFIGURE = 1,
       STORE_METADATA = 2,
       REPLACE_KEYS = 4,
       LOAD_ELEMENTS = 5,
};

enum { /* ErrorReason */
       INCORRECT_INPUT = 1,
       INVALID_SIGNATURE = 2,
       INVALID_TRANSACTION_ID = 3,
       UNSUPPORTED_CRT = 4,
       UNSUPPORTED_OPERATION = 5,
       UNSUPPORTED_CLASS = 6,
       STRUCTURE_ERROR = 7,
       SECURITY_ERROR = 8,
       ICCID_EXISTS = 9,
       INSUFFICIENT_MEMORY = 10,
       INTERRUPTION = 11,
       PE_ERROR = 12,
       DATA_MISMATCH = 13,
       PPR_NOT_ALLOWED = 15,
};

enum { /* PEStatus, TCA 8.11 */
       PE_NOT_SUPPORTED = 1,
       PE_INVALID_FORMAT = 5,
       PE_INVALID_PARAMETER = 6,
       PE_NO_RUNTIME = 7,
       PE_NO_LIBRARY = 8,
       PE_NO_TEMPLATE = 9,
       PE_NO_FEATURE = 10,
       PE_WRONG_VERSION = 31,
       NO_STATUS = -1,
};

/* OID of the SM-DP+, 2.999.10, as dpProprietaryData has it. */
#define DP_OID "8003 88370A"

#define X16 "00000000000000000000000000000000"
#define X32 X16 X16
#define X64 X32 X32

/* A field behind the profile's name. */
#define WITH(hex)                                                                                  \
    {                                                                                              \
        "BF25/92", "+" hex                                                                         \
    }

/* Rules and the owner that they need, 001-01. */
#define PPR1       "990206 40"
#define PPR2       "990205 20"
#define PPR1_2     "990205 60"
#define OWNER      "B705 8003 00F110"
#define OWNER_GIDS "B70B 8003 00F110 8101 AA 8201 BB"

/* --- what is installed ------------------------------------------------------------------------ */

struct row {
    const char *what;
    const char *setting; /* of the card, KEY=VALUE, or NULL */
    struct bpp_plan plan;
    long command, reason; /* of a refusal */
    long status;          /* of the first PEStatus in simaResponse; 0: none is asked for */
    long identification;  /* of the element */
};

/* simaResponse's first status and identification are these. */
static void assert_status(const struct bench *b, const struct row *row)
{
    void *value = NULL;

    ck_assert_int_eq(
        der_decode(&asn_DEF_EUICCResponse, b->read.sima_response, b->read.n_sima_response, &value),
        0);
    const EUICCResponse_t *response = value;
    ck_assert_int_ge(response->peStatus.list.count, 1);
    const PEStatus_t *first = response->peStatus.list.array[0];
    ck_assert_msg(first->status == row->status, "%s: PEStatus %ld (%s)", row->what, first->status,
                  b->card.why);
    if (row->identification != 0) {
        ck_assert_ptr_nonnull(first->identification);
        ck_assert_int_eq(*first->identification, row->identification);
    }
    ck_assert_int_eq(response->profileInstallationAborted != NULL, !b->read.success);
    der_free(&asn_DEF_EUICCResponse, value);
}

static const struct row installed[] = {
    { .what = "the nominal package" },
    { .what = "keys replaced", .plan.ppk = true },
    { .what = "dpProprietaryData", .plan.configure = "BF2407 B805 " DP_OID },
    { .what = "dpProprietaryData of 128 octets",
      .plan.configure = "BF248180 B87E " DP_OID "8177" X64 X32 X16 "00000000000000" },
    { .what = "ConfigureISDP with a field that nobody knows", .plan.configure = "BF2403 8F0100" },
    { .what = "a field of the metadata that nobody knows",
      .plan.metadata_change = WITH("9F7F0101") },
    { .what = "an icon", .plan.metadata_change = WITH("930101 94820400 *1024") },
    { .what = "a name of 64 octets", .plan.metadata_change = { "BF25/92", "9240" X64 } },
    { .what = "a provider of 32 octets", .plan.metadata_change = { "BF25/91", "9120" X32 } },
    { .what = "empty names", .plan.metadata_change = { "BF25/92", "9200" } },
    { .what = "a provisioning profile", .plan.metadata_change = WITH("950101") },
    { .what = "a test profile", .plan.metadata_change = WITH("950100") },
    { .what = "an operational profile that says so", .plan.metadata_change = WITH("950102") },
    { .what = "no notifications", .plan.metadata_change = { "BF25/B6", "" } },
    { .what = "data that is not stored",
      .plan.metadata_change =
          WITH("BF220B 3009 8003883701 A102 0500 BF230B 3009 8003883702 A102 0500") },
    { .what = "Android's access rules", .plan.metadata_change = WITH("BF7603 E20100") },
    { .what = "PPR1", .plan.metadata_change = WITH(OWNER PPR1) },
    { .what = "PPR1 and PPR2", .plan.metadata_change = WITH(OWNER_GIDS PPR1_2) },
    { .what = "pprUpdateControl, which no rule needs to allow",
      .setting = "rat=",
      .plan.metadata_change = WITH(OWNER "99020780") },
    { .what = "an optional element that nobody knows, with a warning",
      .plan.upp_change = { "A3", "+ BF3005 A003 810155" },
      .status = PE_NOT_SUPPORTED,
      .identification = 0x55 },
    { .what = "an optional application, with a warning",
      .plan.upp_change = { "A3", "+ A805 A003 810155" },
      .status = PE_NO_RUNTIME,
      .identification = 0x55 },
};

/* An installed profile, and the result that says so. */
static void assert_installed(struct bench *b, const struct row *row)
{
    ck_assert_msg(b->read.success, "%s: %ld/%ld (%s)", row->what, b->read.bpp_command_id,
                  b->read.error_reason, b->card.why);
    ck_assert_uint_eq(b->read.n_aid, 16);
    ck_assert(b->read.has_iccid);
    if (row->status != 0)
        assert_status(b, row);
    else
        ck_assert(rd_equal(rd_of(b->read.sima_response, b->read.n_sima_response),
                           rd_of("\x30\x07\xA0\x05\x30\x03\x80\x01\x00", 9)));
    ck_assert_uint_eq(card_profiles(&b->card), 1);
    struct rd info = message_at(wr_view(&b->card.data), "BF2D/A0/E3").value;
    ck_assert(rd_equal(message_at(info, "4F").value, rd_of(b->read.aid, b->read.n_aid)));
    ck_assert(rd_equal(message_at(info, "5A").value, rd_of(b->read.iccid, sizeof b->read.iccid)));
    ck_assert(rd_equal(message_at(info, "9F70").value, rd_of("", 1))); /* disabled */
    bench_assert_result_kept(b);
}

START_TEST(a_good_package_is_installed)
{
    const struct row *row = &installed[_i];
    struct bench b;

    bench_open_set(&b, row->setting);
    uint64_t room = card_free_memory(&b.card);
    bench_download_as(&b, &row->plan, AS_LPAS_DO);
    assert_installed(&b, row);
    ck_assert_uint_lt(card_free_memory(&b.card), room);
    /* What a deleted profile took comes back. */
    if (row->plan.metadata_change.with == NULL ||
        strstr(row->plan.metadata_change.with, PPR1_2) == NULL) {
        card_expect(&b.card, "BF330C 5A0A 980010000000000010F9", "BF3303800100");
        ck_assert_uint_eq(card_free_memory(&b.card), room);
    }
    bench_close(&b);
}
END_TEST

START_TEST(a_package_is_installed_however_it_is_cut)
{
    static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    const struct row row = { .what = "a cut package" };
    struct bench b;

    bench_open_as(&b, &(struct bench_options){ .curve = curves[_i / N_SLICINGS % 2] });
    const struct bpp_plan plan = { .ppk = _i / N_SLICINGS / 2 != 0 };
    bench_download_as(&b, &plan, (enum slicing)(_i % N_SLICINGS));
    assert_installed(&b, &row);
    bench_close(&b);
}
END_TEST

START_TEST(blocks_may_be_small)
{
    static const size_t blocks[] = { 1, 6, 63, 120, 254 };
    const struct row row = { .what = "small blocks" };
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = true }, &b.bpp);
    b.card.block = blocks[_i] > 4 ? blocks[_i] : 5; /* at most 256 blocks a segment */
    ck_assert(bench_load(&b, AS_LPAS_DO));
    assert_installed(&b, &row);
    bench_close(&b);
}
END_TEST

START_TEST(metadata_is_told_as_it_was_stored)
{
    static const char fields[] = "930101 9402 0102 950100" OWNER "990205 60"
                                 "BF220B 3009 8003883701 A102 0500 BF230B 3009 8003883702 A1020500";
    struct bench b;

    bench_open(&b);
    char with[sizeof fields + 1] = "+";
    strcat(with, fields);
    const struct bpp_plan plan = { .configure = "BF2407 B805 " DP_OID,
                                   .metadata_change = { "BF25/92", with } };
    bench_download_as(&b, &plan, AS_LPAS_DO);
    ck_assert(b.read.success);
    card_expect(
        &b.card, "BF2D16 5C14 5A 9F70 90 91 92 93 94 95 B7 B8 99 BF22 BF23 BF76 5F50",
        "BF2D65 A063 E361 5A0A980010000000000010F9 9F700100 9109 5350204E616D652031"
        "921A 4F7065726174696F6E616C2050726F66696C65204E616D652031 930101 94020102 950100" OWNER
        "B805" DP_OID "99020560 BF220B 3009 8003883701 A1020500");
    bench_close(&b);
}
END_TEST

/* --- what is refused -------------------------------------------------------------------------- */

static const struct row refused[] = {
    /* InitialiseSecureChannel */
    { .what = "remoteOpId 2",
      .plan.isc_change = { "BF23/82", "820102" },
      .command = INITIALISE,
      .reason = UNSUPPORTED_OPERATION },
    { .what = "another transactionId",
      .plan.isc_change = { "BF23/80", "8010" X16 },
      .command = INITIALISE,
      .reason = INVALID_TRANSACTION_ID },
    { .what = "another key type",
      .plan.isc_change = { "BF23/A6/80", "800189" },
      .command = INITIALISE,
      .reason = UNSUPPORTED_CRT },
    { .what = "another key length",
      .plan.isc_change = { "BF23/A6/81", "810120" },
      .command = INITIALISE,
      .reason = UNSUPPORTED_CRT },
    { .what = "an empty hostId",
      .plan.isc_change = { "BF23/A6/84", "8400" },
      .command = INITIALISE,
      .reason = UNSUPPORTED_CRT },
    { .what = "a hostId of 17 octets",
      .plan.isc_change = { "BF23/A6/84", "8411" X16 "00" },
      .command = INITIALISE,
      .reason = UNSUPPORTED_CRT },
    { .what = "a bit in smdpSign",
      .plan.flip = "BF36/BF23/5F37",
      .command = INITIALISE,
      .reason = INVALID_SIGNATURE },
    { .what = "a bit in the last octet of smdpSign",
      .plan.flip = "BF36/BF23/5F37",
      .plan.flip_at = -1,
      .command = INITIALISE,
      .reason = INVALID_SIGNATURE },
    { .what = "a bit in the signed transactionId",
      .plan.flip = "BF36/BF23/80",
      .command = INITIALISE,
      .reason = INVALID_SIGNATURE },
    { .what = "a bit in the signed hostId",
      .plan.flip = "BF36/BF23/A6/84",
      .command = INITIALISE,
      .reason = INVALID_SIGNATURE },
    { .what = "a bit in the signed smdpOtpk",
      .plan.flip = "BF36/BF23/5F49",
      .plan.flip_at = -1,
      .command = INITIALISE,
      .reason = INVALID_SIGNATURE },
    { .what = "smdpOtpk that is no point",
      .plan.isc_change = { "BF23/5F49", "5F4941 04" X64 },
      .command = INITIALISE,
      .reason = INCORRECT_INPUT },
    { .what = "smdpOtpk that is compressed",
      .plan.isc_change = { "BF23/5F49", "5F4921 02" X32 },
      .command = INITIALISE,
      .reason = INCORRECT_INPUT },
    { .what = "smdpOtpk at infinity",
      .plan.isc_change = { "BF23/5F49", "5F4901 00" },
      .command = INITIALISE,
      .reason = INCORRECT_INPUT },
    { .what = "no remoteOpId",
      .plan.isc_change = { "BF23/82", "" },
      .command = INITIALISE,
      .reason = INCORRECT_INPUT },
    { .what = "no controlRefTemplate",
      .plan.isc_change = { "BF23/A6", "" },
      .command = INITIALISE,
      .reason = INCORRECT_INPUT },
    { .what = "no smdpSign",
      .plan.change = { "BF36/BF23/5F37", "" },
      .command = INITIALISE,
      .reason = INCORRECT_INPUT },
    { .what = "something else instead of InitialiseSecureChannel",
      .plan.change = { "BF36/BF23", "BF2400" },
      .command = INITIALISE,
      .reason = STRUCTURE_ERROR },
    /* ConfigureISDP */
    { .what = "something else instead of ConfigureISDP",
      .plan.configure = "BF2500",
      .command = CONFIGURE,
      .reason = STRUCTURE_ERROR },
    { .what = "ConfigureISDP with something behind it",
      .plan.configure = "BF2400 0500",
      .command = CONFIGURE,
      .reason = STRUCTURE_ERROR },
    { .what = "a broken ConfigureISDP",
      .plan.configure = "BF2403 8005 00",
      .command = CONFIGURE,
      .reason = INCORRECT_INPUT },
    { .what = "dpProprietaryData of 129 octets",
      .plan.configure = "BF248181 B87F " DP_OID "8178" X64 X32 X16 "0000000000000000",
      .command = CONFIGURE,
      .reason = INCORRECT_INPUT },
    { .what = "another server's dpOid",
      .plan.configure = "BF2407 B805 8003 88370C",
      .command = CONFIGURE,
      .reason = INCORRECT_INPUT },
    { .what = "dpProprietaryData without dpOid",
      .plan.configure = "BF2405 B803 8101 00",
      .command = CONFIGURE,
      .reason = INCORRECT_INPUT },
    { .what = "a bit in ConfigureISDP's data",
      .plan.flip = "BF36/A0/87",
      .command = CONFIGURE,
      .reason = SECURITY_ERROR },
    { .what = "a bit in ConfigureISDP's MAC",
      .plan.flip = "BF36/A0/87",
      .plan.flip_at = -1,
      .command = CONFIGURE,
      .reason = SECURITY_ERROR },
    { .what = "a segment too short for its MAC",
      .plan.change = { "BF36/A0/87", "8704 00000000" },
      .command = CONFIGURE,
      .reason = STRUCTURE_ERROR },
    { .what = "a segment of 1101 octets",
      .plan.change = { "BF36/A0/87", "8782044D *1101" },
      .command = CONFIGURE,
      .reason = STRUCTURE_ERROR },
    { .what = "a segment of another kind",
      .plan.change = { "BF36/A0/87", "8808 0000000000000000" },
      .command = CONFIGURE,
      .reason = STRUCTURE_ERROR },
    { .what = "no ConfigureISDP",
      .plan.change = { "BF36/A0", "" },
      .command = CONFIGURE,
      .reason = STRUCTURE_ERROR },
    { .what = "an empty container",
      .plan.change = { "BF36/A0", "A000" },
      .command = CONFIGURE,
      .reason = STRUCTURE_ERROR },
    /* StoreMetadata */
    { .what = "something else instead of StoreMetadata",
      .plan.metadata_change = { "BF25", "BF2A00" },
      .command = STORE_METADATA,
      .reason = STRUCTURE_ERROR },
    { .what = "no ICCID",
      .plan.metadata_change = { "BF25/5A", "" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "an ICCID of 9 octets",
      .plan.metadata_change = { "BF25/5A", "5A09 980010000000000010" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "no serviceProviderName",
      .plan.metadata_change = { "BF25/91", "" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "no profileName",
      .plan.metadata_change = { "BF25/92", "" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "a provider of 33 octets",
      .plan.metadata_change = { "BF25/91", "9121" X32 "00" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "a name of 65 octets",
      .plan.metadata_change = { "BF25/92", "9241" X64 "00" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "a name that is no UTF-8",
      .plan.metadata_change = { "BF25/92", "9202C328" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "an icon without its type",
      .plan.metadata_change = WITH("940100"),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "an icon of 1025 octets",
      .plan.metadata_change = WITH("930101 94820401 *1025"),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "an icon of no known type",
      .plan.metadata_change = WITH("930102 940100"),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "a class that there is not",
      .plan.metadata_change = WITH("950103"),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "ecallIndication that is no BOOLEAN",
      .plan.metadata_change = WITH("9F7B02FFFF"),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "fallbackAllowed that is no BOOLEAN",
      .plan.metadata_change = WITH("9F6700"),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "rules that are no BIT STRING",
      .plan.metadata_change = WITH(OWNER "9900"),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "rules without an owner",
      .plan.metadata_change = WITH(PPR1),
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "broken notificationConfigurationInfo",
      .plan.metadata_change = { "BF25/B6", "B603 800100" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "notificationConfigurationInfo without an address",
      .plan.metadata_change = { "BF25/B6", "B606 3004 80020780" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "metadata with a broken field",
      .plan.metadata_change = { "BF25/B6", "+ 9F7F05 01" },
      .command = STORE_METADATA,
      .reason = INCORRECT_INPUT },
    { .what = "a test profile where there are none",
      .setting = "test_profiles=off",
      .plan.metadata_change = WITH("950100"),
      .command = STORE_METADATA,
      .reason = UNSUPPORTED_CLASS },
    { .what = "a bit in the metadata",
      .plan.flip = "BF36/A1/88",
      .plan.flip_at = 20,
      .command = STORE_METADATA,
      .reason = SECURITY_ERROR },
    { .what = "a bit in the metadata's MAC",
      .plan.flip = "BF36/A1/88",
      .plan.flip_at = -1,
      .command = STORE_METADATA,
      .reason = SECURITY_ERROR },
    { .what = "no StoreMetadata",
      .plan.change = { "BF36/A1", "" },
      .command = STORE_METADATA,
      .reason = STRUCTURE_ERROR },
    { .what = "StoreMetadata in a segment of another kind",
      .plan.change = { "BF36/A1/88", "8608 0000000000000000" },
      .command = STORE_METADATA,
      .reason = STRUCTURE_ERROR },
    /* profile policy rules */
    { .what = "PPR1 with an empty table",
      .setting = "rat=",
      .plan.metadata_change = WITH(OWNER PPR1),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "PPR2 where only PPR1 is authorised",
      .setting = "rat=ppr1:EEEEEE/*/*",
      .plan.metadata_change = WITH(OWNER PPR2),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "both rules where only PPR1 is authorised",
      .setting = "rat=ppr1:EEEEEE/*/*",
      .plan.metadata_change = WITH(OWNER PPR1_2),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "another operator's rule",
      .setting = "rat=ppr1+ppr2:00F120/*/*",
      .plan.metadata_change = WITH(OWNER PPR1),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "a GID where the rule has none",
      .setting = "rat=ppr1+ppr2:EEEEEE",
      .plan.metadata_change = WITH(OWNER_GIDS PPR1),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "no GID where the rule has one",
      .setting = "rat=ppr1+ppr2:EEEEEE/AA/*",
      .plan.metadata_change = WITH(OWNER PPR1),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "another GID2 than the rule's",
      .setting = "rat=ppr1+ppr2:EEEEEE/AA/BC",
      .plan.metadata_change = WITH(OWNER_GIDS PPR1),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "a rule that is forbidden whatever the table says",
      .setting = "forbidden_ppr=ppr1",
      .plan.metadata_change = WITH(OWNER PPR1),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    { .what = "one of two rules that is forbidden",
      .setting = "forbidden_ppr=ppr2",
      .plan.metadata_change = WITH(OWNER PPR1_2),
      .command = STORE_METADATA,
      .reason = PPR_NOT_ALLOWED },
    /* ReplaceSessionKeys */
    { .what = "something else instead of ReplaceSessionKeys",
      .plan.replace_keys = "BF2400",
      .command = REPLACE_KEYS,
      .reason = STRUCTURE_ERROR },
    { .what = "a PPK-ENC of 15 octets",
      .plan.replace_keys = "BF2635 8010" X16 "810F 000000000000000000000000000000 8210" X16,
      .command = REPLACE_KEYS,
      .reason = INCORRECT_INPUT },
    { .what = "a MAC chaining value of 17 octets",
      .plan.replace_keys = "BF2637 8011" X16 "00 8110" X16 "8210" X16,
      .command = REPLACE_KEYS,
      .reason = INCORRECT_INPUT },
    { .what = "no PPK-MAC",
      .plan.replace_keys = "BF2624 8010" X16 "8110" X16,
      .command = REPLACE_KEYS,
      .reason = INCORRECT_INPUT },
    { .what = "a bit in ReplaceSessionKeys",
      .plan.ppk = true,
      .plan.flip = "BF36/A2/87",
      .command = REPLACE_KEYS,
      .reason = SECURITY_ERROR },
    { .what = "keys that are not the announced ones",
      .plan.replace_keys = "BF2636 8010" X16 "8110" X16 "8210" X16,
      .command = LOAD_ELEMENTS,
      .reason = SECURITY_ERROR },
    { .what = "ReplaceSessionKeys left out",
      .plan.ppk = true,
      .plan.change = { "BF36/A2", "" },
      .command = LOAD_ELEMENTS,
      .reason = SECURITY_ERROR },
    /* packages that are over too early */
    { .what = "nothing behind StoreMetadata",
      .plan.change = { "BF36/A3", "" },
      .command = LOAD_ELEMENTS,
      .reason = STRUCTURE_ERROR },
    { .what = "nothing behind ReplaceSessionKeys",
      .plan.ppk = true,
      .plan.change = { "BF36/A3", "" },
      .command = LOAD_ELEMENTS,
      .reason = STRUCTURE_ERROR },
    /* LoadProfileElements: protection */
    { .what = "a bit in the first segment",
      .plan.flip = "BF36/A3/86",
      .command = LOAD_ELEMENTS,
      .reason = SECURITY_ERROR },
    { .what = "a bit in the first segment's MAC",
      .plan.flip = "BF36/A3/86",
      .plan.flip_at = -1,
      .command = LOAD_ELEMENTS,
      .reason = SECURITY_ERROR },
    { .what = "a bit in the last segment's MAC",
      .plan.flip = "BF36/A3/86#1",
      .plan.flip_at = -1,
      .command = LOAD_ELEMENTS,
      .reason = SECURITY_ERROR },
    { .what = "segments in the wrong order",
      .plan.change = { "BF36/A3", NULL }, /* reversed by the test */
      .command = LOAD_ELEMENTS,
      .reason = SECURITY_ERROR },
    { .what = "the first segment left out",
      .plan.change = { "BF36/A3/86#0", "" },
      .command = LOAD_ELEMENTS,
      .reason = SECURITY_ERROR },
    { .what = "the last segment left out",
      .plan.change = { "BF36/A3/86#1", "" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "an empty sequence of segments",
      .plan.change = { "BF36/A3", "A300" },
      .command = LOAD_ELEMENTS,
      .reason = STRUCTURE_ERROR },
    { .what = "a segment of another kind",
      .plan.change = { "BF36/A3/86#0", "8708 0000000000000000" },
      .command = LOAD_ELEMENTS,
      .reason = STRUCTURE_ERROR },
    { .what = "something behind the segments",
      .plan.change = { "BF36/A3", "+ 0500" },
      .command = LOAD_ELEMENTS,
      .reason = STRUCTURE_ERROR },
    /* LoadProfileElements: the profile */
    { .what = "another ICCID than the metadata's",
      .plan.upp_change = { "A0/83", "830A 8900010000000000029F" },
      .command = LOAD_ELEMENTS,
      .reason = DATA_MISMATCH },
    { .what = "an element that nobody knows and that must be there",
      .plan.upp_change = { "A3", "+ BF3007 A005 8000 810155" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_NOT_SUPPORTED,
      .identification = 0x55 },
    { .what = "an application that must be there",
      .plan.upp_change = { "A3", "+ A807 A005 8000 810155" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_NO_RUNTIME,
      .identification = 0x55 },
    { .what = "a package of version 1",
      .plan.upp_change = { "A0/80", "800101" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_WRONG_VERSION },
    { .what = "a package of version 4",
      .plan.upp_change = { "A0/80", "800104" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_WRONG_VERSION },
    { .what = "a package of version 3 on a card of version 2",
      .setting = "profile_version=2.3.1",
      .plan.upp_change = { "A0/80", "800103" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_WRONG_VERSION },
    { .what = "Java Card as a mandatory service",
      .plan.upp_change = { "A0/A5", "A506 8100 8400 8B00" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_NO_RUNTIME },
    { .what = "a mandatory file template that nobody knows",
      .plan.upp_change = { "A0/A6", "A608 0606 67810F01027F" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_NO_TEMPLATE },
    { .what = "a mandatory library",
      .plan.upp_change = { "A0/A6", "+ A80E 300C 8006 A00000000901 8102 0100" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_NO_LIBRARY },
    { .what = "no header",
      .plan.upp_change = { "A0", "" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "a header without its version",
      .plan.upp_change = { "A0/80", "" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "no MF before the USIM",
      .plan.upp_change = { "B0", "" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "PUK codes twice",
      .plan.upp_change = { "A2", "A307 A005 8000 810155" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "an identification that is used already",
      .plan.upp_change = { "A3/A0/81", "810101" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT,
      .identification = 1 },
    { .what = "an element without an identification",
      .plan.upp_change = { "A3/A0/81", "" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "an element that is not what its ASN.1 says",
      .plan.upp_change = { "A3/A1", "A103 800100" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT,
      .identification = 2 },
    { .what = "a field that nobody knows in an element that must be there",
      .plan.upp_change = { "A3/A1", "+ 9F7F00" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_PARAMETER,
      .identification = 2 },
    { .what = "an element that is cut short",
      .plan.upp_cut = 3,
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "no end",
      .plan.upp_change = { "AA", "" },
      .command = LOAD_ELEMENTS,
      .reason = PE_ERROR,
      .status = PE_INVALID_FORMAT },
    { .what = "an element behind the end",
      .plan.upp_tail = "A207 A005 8000 810155",
      .command = LOAD_ELEMENTS,
      .reason = STRUCTURE_ERROR },
    { .what = "an octet behind the end",
      .plan.upp_tail = "00",
      .command = LOAD_ELEMENTS,
      .reason = STRUCTURE_ERROR },
    { .what = "an element that is longer than the memory",
      .plan.upp_change = { "A3", "A3847FFFFFFF" },
      .command = LOAD_ELEMENTS,
      .reason = INSUFFICIENT_MEMORY },
    { .what = "a profile that is longer than the memory",
      .setting = "nvm_total=8192",
      .plan.upp_change = { "A3", "+ BF3082232F A005 8000 810155 *9000" },
      .command = LOAD_ELEMENTS,
      .reason = INSUFFICIENT_MEMORY },
};

/* A refusal, with everything that must hold after it. */
static void assert_refused(struct bench *b, const struct row *row, unsigned profiles, uint64_t room)
{
    ck_assert_msg(!b->read.success, "%s is installed", row->what);
    ck_assert_msg(b->read.bpp_command_id == row->command && b->read.error_reason == row->reason,
                  "%s: %ld/%ld (%s)", row->what, b->read.bpp_command_id, b->read.error_reason,
                  b->card.why);
    ck_assert_msg(b->card.checks > 0, "%s left no line in the trace", row->what);
    if (row->status != 0)
        assert_status(b, row);
    else
        ck_assert_uint_eq(b->read.n_sima_response, 0);
    ck_assert_uint_eq(card_es10_hex(&b->card, "8608 0000000000000000"), 0x6A88); /* it is over */
    ck_assert_uint_eq(card_profiles(&b->card), profiles);
    ck_assert_uint_eq(card_free_memory(&b->card), room);
    bench_assert_result_kept(b);
}

START_TEST(a_bad_package_is_refused_for_its_reason)
{
    const struct row *row = &refused[_i];
    struct bpp_plan plan = row->plan;
    struct bench b;

    bool reversed = plan.change.path != NULL && plan.change.with == NULL;
    if (reversed)
        plan.change = (struct change){ NULL, NULL };
    bench_open_set(&b, row->setting);
    uint64_t room = card_free_memory(&b.card);
    bench_reach_prepared(&b);
    server_bind(&b.server, &plan, &b.bpp);
    if (reversed)
        message_reverse(&b.bpp, row->plan.change.path);
    ck_assert_msg(bench_load(&b, AS_LPAS_DO), "%s: no result, SW %04X (%s)", row->what, b.card.sw,
                  b.card.why);
    assert_refused(&b, row, 0, room);
    long sequence = b.read.seq_number;
    bench_download(&b, 1);
    ck_assert_int_gt(b.read.seq_number, sequence);
    bench_close(&b);
}
END_TEST

START_TEST(a_package_of_nothing_but_its_opening_is_refused)
{
    static const char *const containers[] = { "BF36/A0", "BF36/A1", "BF36/A3" };
    const struct row row = { .what = "a package without containers",
                             .command = CONFIGURE,
                             .reason = STRUCTURE_ERROR };
    struct bench b;

    bench_open(&b);
    uint64_t room = card_free_memory(&b.card);
    bench_reach_prepared(&b);
    server_bind(&b.server, &row.plan, &b.bpp);
    for (size_t i = 0; i < N_ELEMS(containers); i++)
        message_replace(&b.bpp, containers[i], rd_of(NULL, 0));
    ck_assert(bench_load(&b, AS_LPAS_DO));
    assert_refused(&b, &row, 0, room);
    bench_close(&b);
}
END_TEST

START_TEST(an_iccid_that_is_there_already_is_refused)
{
    const struct row row = { .what = "a second profile of one ICCID",
                             .command = STORE_METADATA,
                             .reason = ICCID_EXISTS };
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    uint64_t room = card_free_memory(&b.card);
    bench_download_as(&b, &row.plan, AS_LPAS_DO);
    assert_refused(&b, &row, 1, room);
    bench_download(&b, 2);
    ck_assert_uint_eq(card_profiles(&b.card), 2);
    bench_close(&b);
}
END_TEST

START_TEST(a_second_emergency_profile_is_refused)
{
    const struct row row = { .what = "a second Emergency Profile",
                             .plan.metadata_change = WITH("9F7B01FF"),
                             .command = STORE_METADATA,
                             .reason = INCORRECT_INPUT };
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 2, "9F7B01FF");
    uint64_t room = card_free_memory(&b.card);
    bench_download_as(&b, &row.plan, AS_LPAS_DO);
    assert_refused(&b, &row, 1, room);
    bench_download_with(&b, 1, "9F7B0100");
    bench_close(&b);
}
END_TEST

START_TEST(a_profile_beyond_the_configured_number_is_refused)
{
    const struct row row = { .what = "one profile too many",
                             .command = CONFIGURE,
                             .reason = INSUFFICIENT_MEMORY };
    uint32_t bits;
    struct bench b;

    bench_open_set(&b, "max_profiles=1");
    bench_download(&b, 2);
    uint64_t room = card_free_memory(&b.card);
    ck_assert_int_eq(tlv_bits(message_at(wr_view(&b.card.data), "BF22/88").value, &bits), 0);
    ck_assert_uint_eq(bits & 1, 0); /* additionalProfile */
    bench_download_as(&b, &row.plan, AS_LPAS_DO);
    assert_refused(&b, &row, 1, room);
    card_expect(&b.card, "BF330C 5A0A 980010000000000020F9", "BF3303800100");
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(memory_fills_up_and_is_given_back)
{
    const struct row row = { .what = "a profile that does not fit any more",
                             .command = LOAD_ELEMENTS,
                             .reason = INSUFFICIENT_MEMORY };
    struct bench b;

    bench_open_set(&b, "nvm_total=16384");
    uint64_t all = card_free_memory(&b.card);
    bench_download(&b, 2);
    bench_download(&b, 3);
    uint64_t room = card_free_memory(&b.card);
    bench_download(&b, 4);
    uint64_t less = card_free_memory(&b.card);
    ck_assert_uint_lt(less, room);
    bench_download_as(&b, &row.plan, AS_LPAS_DO);
    ck_assert(!b.read.success);
    ck_assert_int_eq(b.read.error_reason, INSUFFICIENT_MEMORY);
    ck_assert_uint_eq(card_free_memory(&b.card), less);
    ck_assert_uint_eq(card_profiles(&b.card), 3);
    card_expect(&b.card, "BF330C 5A0A 980010000000000040F9", "BF3303800100");
    ck_assert_uint_eq(card_free_memory(&b.card), room);
    card_expect(&b.card, "BF3404 82020780", "BF3403800100");
    ck_assert_uint_eq(card_free_memory(&b.card), all);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(full_memory_on_demand_refuses_a_download)
{
    const struct row row = { .what = "a profile", .command = LOAD_ELEMENTS };
    char reply[64];
    struct bench b;

    bench_open_set(&b, NULL);
    card_control(&b.card, "full-memory on", reply, sizeof reply);
    ck_assert_uint_eq(card_free_memory(&b.card), 0);
    bench_download_as(&b, &row.plan, AS_LPAS_DO);
    ck_assert(!b.read.success);
    ck_assert_int_eq(b.read.error_reason, INSUFFICIENT_MEMORY);
    ck_assert_uint_eq(card_profiles(&b.card), 0);
    card_control(&b.card, "clear", reply, sizeof reply);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

/* --- profile policy rules that are allowed ---------------------------------------------------- */

static const struct {
    const char *rat, *fields;
} allowed_rules[] = {
    { "rat=ppr1:EEEEEE/*/*", OWNER PPR1 },
    { "rat=ppr2:EEEEEE/*/*", OWNER PPR2 },
    { "rat=ppr1:EEEEEE/*/*;ppr2:EEEEEE/*/*", OWNER PPR1_2 },
    { "rat=ppr1+ppr2:00F110", OWNER PPR1_2 },
    { "rat=ppr1+ppr2:00F120,00F110", OWNER PPR1 },
    { "rat=ppr1+ppr2:0EEEE0/*/*", OWNER PPR1 },
    { "rat=ppr1+ppr2:EEEEEE/*/*", OWNER_GIDS PPR1 },
    { "rat=ppr1+ppr2:EEEEEE/AA/BB", OWNER_GIDS PPR1 },
    { "rat=ppr1+ppr2:EEEEEE/AA/*", OWNER_GIDS PPR1_2 },
    { "rat=ppr1:00F120/*/*;ppr1:00F110/*/*:consent", OWNER PPR1 },
};

START_TEST(rules_that_the_table_authorises_are_installed)
{
    char with[128] = "+";
    struct bench b;

    bench_open_set(&b, allowed_rules[_i].rat);
    strcat(with, allowed_rules[_i].fields);
    const struct row row = { .what = allowed_rules[_i].rat,
                             .plan.metadata_change = { "BF25/92", with } };
    bench_download_as(&b, &row.plan, AS_LPAS_DO);
    assert_installed(&b, &row);
    bench_close(&b);
}
END_TEST

/* --- order of pieces -------------------------------------------------------------------------- */

START_TEST(a_package_without_a_session_is_nothing)
{
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    card_reset(&b.card);
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];
    card_digest(&b.card, before);
    ck_assert(!bench_load(&b, AS_LPAS_DO));
    ck_assert_uint_ge(b.card.sw, 0x6A80);
    ck_assert_str_eq(card_digest(&b.card, after), before);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    ck_assert(!bench_load(&b, AS_LPAS_DO)); /* AuthenticateServer is not enough */
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(a_second_opening_ends_the_installation)
{
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    struct rd pieces[LPA_PIECES_MAX];
    bench_slice(&b, pieces);
    ck_assert_uint_eq(card_es10(&b.card, pieces[0]), 0x9000);
    ck_assert(bench_load(&b, AS_LPAS_DO));
    ck_assert(!b.read.success);
    ck_assert_int_eq(b.read.bpp_command_id, INITIALISE);
    ck_assert_int_eq(b.read.error_reason, INCORRECT_INPUT);
    ck_assert_uint_eq(card_profiles(&b.card), 0);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(data_behind_the_package_in_the_same_piece_is_a_structure_error)
{
    const struct row row = { .what = "data behind the package",
                             .command = LOAD_ELEMENTS,
                             .reason = STRUCTURE_ERROR };
    struct bench b;

    bench_open(&b);
    uint64_t room = card_free_memory(&b.card);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    hex_put(&b.bpp, "8600");
    ck_assert(bench_load(&b, IN_ONE_PIECE));
    assert_refused(&b, &row, 0, room);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(a_package_shorter_than_its_containers_is_a_structure_error)
{
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    struct rd pieces[LPA_PIECES_MAX];
    bench_slice(&b, pieces);
    b.bpp.p[4]--; /* BF36 82 xx XX */
    size_t i = 0;
    while (card_es10(&b.card, pieces[i]) == 0x9000 && b.card.data.n == 0)
        i++;
    server_take_notification(&b.server, wr_view(&b.card.data), &b.read);
    ck_assert_int_eq(b.read.error_reason, STRUCTURE_ERROR);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(a_segment_sent_twice_is_a_security_error)
{
    /* an element that makes three segments of it, so that the second may be as long as the first */
    static const struct bpp_plan plan = {
        .upp_change = { "A3", "+ BF308205E0 A003 810155 *1499" },
    };
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    server_bind(&b.server, &plan, &b.bpp);
    struct rd pieces[LPA_PIECES_MAX];
    size_t n = bench_slice(&b, pieces);
    for (size_t i = 0; i < n - 2; i++)
        ck_assert_uint_eq(card_es10(&b.card, pieces[i]), 0x9000);
    card_es10(&b.card, pieces[n - 3]);
    server_take_notification(&b.server, wr_view(&b.card.data), &b.read);
    ck_assert(!b.read.success);
    ck_assert_int_eq(b.read.bpp_command_id, LOAD_ELEMENTS);
    ck_assert_int_eq(b.read.error_reason, SECURITY_ERROR);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(other_functions_between_the_pieces_do_not_disturb)
{
    static const char *const others[] = { "BF2000", "BF2200", "BF2D00",       "BF2800",
                                          "BF2B00", "BF3C00", "BF3E035C015A", "BF4300" };
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = true }, &b.bpp);
    struct rd pieces[LPA_PIECES_MAX];
    size_t n = bench_slice(&b, pieces);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(card_es10_hex(&b.card, others[i % N_ELEMS(others)]), 0x9000);
        ck_assert_uint_gt(b.card.data.n, 0);
        ck_assert_uint_eq(card_es10(&b.card, pieces[i]), 0x9000);
    }
    server_take_notification(&b.server, wr_view(&b.card.data), &b.read);
    ck_assert_msg(b.read.success, "%ld/%ld (%s)", b.read.bpp_command_id, b.read.error_reason,
                  b.card.why);
    bench_close(&b);
}
END_TEST

/* --- interruptions ---------------------------------------------------------------------------- */

enum interruption { BY_CHALLENGE, BY_CANCEL, BY_RESET, BY_POWER, N_INTERRUPTIONS };

static void interrupt(struct bench *b, enum interruption how)
{
    char reply[64];

    switch (how) {
    case BY_CHALLENGE:
        ck_assert_uint_eq(card_es10_hex(&b->card, "BF2E00"), 0x9000);
        break;
    case BY_CANCEL:
        server_cancel(&b->server, 5, &b->request);
        ck_assert_uint_eq(card_es10(&b->card, wr_view(&b->request)), 0x9000);
        ck_assert_int_eq(server_take_cancel(&b->server, wr_view(&b->card.data), 5), 0);
        break;
    case BY_RESET:
        card_reset(&b->card);
        break;
    default:
        card_control(&b->card, "power-off", reply, sizeof reply);
        card_reset(&b->card);
    }
}

/* The one pending notification is a result of this reason. */
static void assert_interrupted(struct bench *b, uint64_t room)
{
    ck_assert_uint_eq(card_pending(&b->card), 1);
    ck_assert_uint_eq(card_es10_hex(&b->card, "BF2B00"), 0x9000);
    wr_clear(&b->result);
    wr_put_rd(&b->result, message_at(wr_view(&b->card.data), "BF2B/A0/BF37").whole);
    server_take_notification(&b->server, wr_view(&b->result), &b->read);
    ck_assert(!b->read.success);
    ck_assert_int_eq(b->read.error_reason, INTERRUPTION);
    ck_assert_uint_eq(card_profiles(&b->card), 0);
    ck_assert_uint_eq(card_free_memory(&b->card), room);
    bench_assert_result_kept(b);
}

START_TEST(an_interrupted_installation_leaves_a_result_and_nothing_else)
{
    enum interruption how = (enum interruption)_i;
    struct bench b;

    bench_open(&b);
    uint64_t room = card_free_memory(&b.card);
    for (size_t after = 1;; after++) {
        struct rd pieces[LPA_PIECES_MAX];
        bench_reach_prepared(&b);
        server_bind(&b.server, &(struct bpp_plan){ .ppk = true }, &b.bpp);
        size_t n = bench_slice(&b, pieces);
        if (after == n)
            break;
        for (size_t i = 0; i < after; i++)
            ck_assert_uint_eq(card_es10(&b.card, pieces[i]), 0x9000);
        interrupt(&b, how);
        assert_interrupted(&b, room);
        struct rd rest = pieces[after];
        struct tlv t;
        ck_assert_uint_eq(card_es10(&b.card, pieces[after]),
                          tlv_get(&rest, &t) == 0 ? 0x6A88 : 0x6A80);
    }
    ck_assert(bench_load(&b, AS_LPAS_DO));
    ck_assert(b.read.success);
    bench_close(&b);
}
END_TEST

/* Even when what came last is not a whole unit (SGP.22 3.1.3). */
START_TEST(half_a_unit_does_not_swallow_the_end_of_the_session)
{
    enum interruption how = (enum interruption)_i;
    struct bench b;

    bench_open(&b);
    uint64_t room = card_free_memory(&b.card);
    struct rd pieces[LPA_PIECES_MAX];
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = true }, &b.bpp);
    bench_slice(&b, pieces);
    ck_assert_uint_eq(card_es10(&b.card, pieces[0]), 0x9000);
    ck_assert_uint_eq(card_es10(&b.card, rd_of(pieces[1].p, pieces[1].n / 2)), 0x9000);
    interrupt(&b, how);
    assert_interrupted(&b, room);
    bench_close(&b);
}
END_TEST

START_TEST(a_key_is_kept_when_the_installation_is_interrupted)
{
    uint8_t first[EC_POINT_LEN];
    struct rd pieces[LPA_PIECES_MAX];
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    memcpy(first, b.server.ot_pk_euicc, sizeof first);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    bench_slice(&b, pieces);
    ck_assert_uint_eq(card_es10(&b.card, pieces[0]), 0x9000);
    card_reset(&b.card);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    const struct prepare_plan plan = { .bpp_euicc_otpk = rd_of(first, sizeof first) };
    ck_assert_int_eq(bench_prepare(&b, &plan), 0);
    ck_assert_mem_eq(b.server.ot_pk_euicc, first, sizeof first);
    bench_close(&b);
}
END_TEST

START_TEST(an_opening_that_is_not_complete_leaves_nothing)
{
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    ck_assert_uint_eq(card_es10(&b.card, rd_of(b.bpp.p, 40)), 0x9000);
    card_reset(&b.card);
    ck_assert_uint_eq(card_pending(&b.card), 0);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("bpp");

    suite_loop(&s, a_good_package_is_installed, N_ELEMS(installed));
    suite_loop(&s, a_package_is_installed_however_it_is_cut, (size_t)4 * N_SLICINGS);
    suite_loop(&s, blocks_may_be_small, 5);
    suite_add(&s, metadata_is_told_as_it_was_stored);
    suite_loop(&s, a_bad_package_is_refused_for_its_reason, N_ELEMS(refused));
    suite_add(&s, a_package_of_nothing_but_its_opening_is_refused);
    suite_add(&s, an_iccid_that_is_there_already_is_refused);
    suite_add(&s, a_profile_beyond_the_configured_number_is_refused);
    suite_add(&s, a_second_emergency_profile_is_refused);
    suite_add(&s, full_memory_on_demand_refuses_a_download);
    suite_add(&s, memory_fills_up_and_is_given_back);
    suite_loop(&s, rules_that_the_table_authorises_are_installed, N_ELEMS(allowed_rules));
    suite_add(&s, a_package_without_a_session_is_nothing);
    suite_add(&s, a_second_opening_ends_the_installation);
    suite_add(&s, data_behind_the_package_in_the_same_piece_is_a_structure_error);
    suite_add(&s, a_package_shorter_than_its_containers_is_a_structure_error);
    suite_add(&s, a_segment_sent_twice_is_a_security_error);
    suite_add(&s, other_functions_between_the_pieces_do_not_disturb);
    suite_loop(&s, an_interrupted_installation_leaves_a_result_and_nothing_else, N_INTERRUPTIONS);
    suite_loop(&s, half_a_unit_does_not_swallow_the_end_of_the_session, N_INTERRUPTIONS);
    suite_add(&s, a_key_is_kept_when_the_installation_is_interrupted);
    suite_add(&s, an_opening_that_is_not_complete_leaves_nothing);
    return suite_run(&s);
}
