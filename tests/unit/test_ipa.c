/* test_ipa.c - what an IPA writes and reads, octet for octet (SGP.32 2.11, 5.14, 6.3, 6.4). */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <AuthenticateClientRequestEsipa.h>
#include <GetEimPackageRequest.h>
#include <HandleNotificationEsipa.h>
#include <IpaEuiccDataResponse.h>
#include <ProfileDownloadTriggerResult.h>
#include <ProvideEimPackageResult.h>

#include "asn1/der.h"
#include "asn1/esipa_download.h"
#include "lab/ipa_compact.h"
#include "lab/ipa_json.h"
#include "lab/ipa_message.h"
#include "lab/ipa_result.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { ROOM = 16 * 1024 };

#define SPKI                                                                                       \
    "301306072A8648CE3D020106082A8648CE3D030107034200"                                             \
    "04E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583F86E67CCB52EB18BE188EEFB"   \
    "8A8394F32B609E2E7B35F0BBAD8855CC40A02D45"
#define EID    "89049032123451234512345678901235"
#define RESULT "BF515EA05C3017800465696D3181010182041122334483010530038301005F3740" SIGNATURE
#define SIGNATURE                                                                                  \
    "CD63B6F7D87A3B2D2F745B0768E6CB1B31B749B1C73137FB6915A6A5BE35B11A"                             \
    "0021C05E97A51180E739FB7E8A92673CEA909EAF5B738364C1D26A306D3CA361"
#define RECORD                                                                                     \
    "800465696D31810F65696D2E6578616D706C652E636F6D82010283010084"                                 \
    "01FFA55BA059" SPKI "870207808900"
#define PACKAGE                                                                                    \
    "BF51783033800465696D315A1089049032123451234512345678901235810101820411223344A010A30E5A0A98"   \
    "1032547698103214F505005F37405188F599E524E20F927B889EC7FE4B4F4341A0F406A9CA89F7222C084927E1"   \
    "F1D4DEFBA5B2D9FC8BF9548A753AF2F2394E9F476AE7BD30472A12239EAE721489"
#define NOTIFICATION_METADATA "BF2F1F800107810207800C0A64702E6578616D706C655A0A981032547698103214F5"
#define REPLAYED              "BF51(A1(30(800465696D31 810101 820411223344 020104)))"
#define AID                   "4F10A0000005591010FFFFFFFF8900001000"
#define INSTALLATION                                                                               \
    "BF37(BF27(80020102 " NOTIFICATION_METADATA " 0603883701 A2(A0(" AID " 04093007A0053003800100" \
    ")))5F3740" SIGNATURE ")"
#define AUTHENTICATED                                                                              \
    "BF38(A0(30(80020102 BF22(84(810101)) A0(8000)) 5F3740" SIGNATURE " 30(3000) 30(3001AA)))"

static uint8_t octets[ROOM], written[ROOM];
static struct wr w;

static void setup(void)
{
    wr_init(&w, written, sizeof written);
}

/* Hex digits, and TAG(contents) where a length is to be filled in.  Returns where it stopped. */
static const char *put(const char *text, struct wr *out)
{
    char word[2048];
    uint8_t bytes[1024];

    while (*text != '\0' && *text != ')') {
        size_t n = strcspn(text, " ()");
        ck_assert_uint_lt(n, sizeof word);
        memcpy(word, text, n);
        word[n] = '\0';
        text += n;
        if (*text == '(') {
            struct wr_mark mark = tlv_open(out, (uint32_t)strtoul(word, NULL, 16));
            text = put(text + 1, out);
            ck_assert_int_eq(*text, ')');
            text++;
            tlv_close(out, mark);
        } else {
            wr_put(out, bytes, hex(word, bytes, sizeof bytes));
        }
        text += strspn(text, " ");
    }
    return text;
}

static struct rd of_into(const char *text, uint8_t *room, size_t size)
{
    struct wr out;

    wr_init(&out, room, size);
    ck_assert_int_eq(*put(text, &out), '\0');
    ck_assert_int_eq(wr_failed(&out), 0);
    return wr_view(&out);
}

static struct rd of(const char *text)
{
    return of_into(text, octets, sizeof octets);
}

/* What was written, against such a text. */
static void expect(const char *text)
{
    uint8_t wanted[ROOM];
    struct rd octets_wanted = of_into(text, wanted, sizeof wanted);

    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_uint_eq(w.n, octets_wanted.n);
    ck_assert_mem_eq(w.p, octets_wanted.p, w.n);
}

/* What was written decodes as this type. */
static void expect_type(const struct asn_TYPE_descriptor_s *type)
{
    void *value = NULL;

    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_int_eq(der_decode(type, w.p, w.n, &value), 0);
    der_free(type, value);
}

/* --- EimConfigurationData --------------------------------------------------------------------- */

START_TEST(reads_an_eim_record)
{
    struct eim_record c;

    ck_assert_int_eq(eim_record_read(of(RECORD), &c), 0);
    ck_assert_str_eq(c.id, "eim1");
    ck_assert_str_eq(c.fqdn, "eim.example.com");
    ck_assert_int_eq(c.id_type, 2);
    ck_assert(c.has_counter && c.counter == 0);
    ck_assert(!c.has_token); /* -1 asks for one */
    ck_assert_int_eq(c.package_key.form, EIM_KEY_SPKI);
    ck_assert_int_eq(c.tls_key.form, EIM_KEY_NONE);
    ck_assert_uint_eq(c.protocols, EIM_RETRIEVE_HTTPS);
    ck_assert(c.indirect);
    eim_key_write(&c.package_key, &w);
    expect("3059" SPKI);
}
END_TEST

START_TEST(reads_a_record_with_nothing_but_an_id)
{
    struct eim_record c;

    ck_assert_int_eq(eim_record_read(of("800161 840102"), &c), 0);
    ck_assert_str_eq(c.id, "a");
    ck_assert_str_eq(c.fqdn, "");
    ck_assert_int_eq(c.id_type, 3);
    ck_assert_uint_eq(c.protocols, EIM_PROPRIETARY);
    ck_assert(c.has_token && c.token == 2 && !c.indirect && c.ci.n == 0);
    ck_assert_int_eq(eim_record_read(of("8101 61"), &c), ERR_INPUT);
    ck_assert_int_eq(eim_record_read(of("8000"), &c), ERR_INPUT);
    ck_assert_int_eq(eim_record_read(of("800161 8409010203040506070809"), &c), ERR_INPUT);
}
END_TEST

/* An eimId of `octets` octets, four for a character, as a field. */
static void put_long_id(size_t n, struct wr *out)
{
    static const uint8_t character[] = { 0xF0, 0x9F, 0x98, 0x80 };
    struct wr_mark mark = tlv_open(out, 0x80);

    for (size_t i = 0; i < n / sizeof character; i++)
        wr_put(out, character, sizeof character);
    wr_put(out, "abc", n % sizeof character);
    tlv_close(out, mark);
}

/* 128 characters of four octets each. */
START_TEST(reads_an_eim_id_of_512_octets)
{
    struct eim_record c;
    struct package_result result;

    put_long_id(512, &w);
    ck_assert_int_eq(eim_record_read(wr_view(&w), &c), 0);
    ck_assert_uint_eq(strlen(c.id), 512);
    ck_assert_mem_eq(c.id + 508, "\xF0\x9F\x98\x80", 4);
    wr_clear(&w);
    put_long_id(513, &w);
    ck_assert_int_eq(eim_record_read(wr_view(&w), &c), ERR_INPUT);
    for (size_t n = 512; n <= 513; n++) {
        wr_clear(&w);
        struct wr_mark whole = tlv_open(&w, 0xBF51), arm = tlv_open(&w, 0xA2);
        put_long_id(n, &w);
        tlv_close(&w, arm);
        tlv_close(&w, whole);
        ck_assert_int_eq(esipa_read_package_result(wr_view(&w), &result), n == 512 ? 0 : ERR_INPUT);
    }
    ck_assert_uint_eq(result.eim_id.n, 512);
}
END_TEST

START_TEST(reads_a_key_that_kept_its_sequence)
{
    struct eim_record c;

    ck_assert_int_eq(eim_record_read(of("800161 A607A105 3003020107"), &c), 0);
    ck_assert_int_eq(c.tls_key.form, EIM_KEY_CERTIFICATE);
    eim_key_write(&c.tls_key, &w);
    expect("3003020107");
}
END_TEST

START_TEST(reads_lists_of_records)
{
    struct eim_record c[2];
    size_t n = 9;

    ck_assert_int_eq(eim_records_read(of(""), c, 2, &n), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(eim_records_read(of("A000"), c, 2, &n), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(eim_records_read(of("A00A 3003800161 3003800162"), c, 2, &n), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(c[1].id, "b");
    ck_assert_int_eq(eim_records_read(of("A005 3003800161 A005 3003800162"), c, 2, &n), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(eim_records_read(of("A00F 3003800161 3003800162 3003800163"), c, 2, &n),
                     ERR_INPUT);
}
END_TEST

/* --- GetEimPackage ---------------------------------------------------------------------------- */

START_TEST(asks_for_a_package)
{
    uint8_t eid[16], plmn[IPA_RPLMN_LEN];

    hex(EID, eid, sizeof eid);
    struct package_question q = { .eid = rd_of(eid, sizeof eid), .cause = -1 };
    esipa_put_get_package(&w, ESIPA_V1_1, &q);
    expect("BF4F125A10" EID);
    wr_clear(&w);
    ck_assert(plmn_read("26201", plmn));
    q.state_change = true;
    q.cause = CHANGE_FALLBACK;
    q.rplmn = rd_of(plmn, sizeof plmn);
    esipa_put_get_package(&w, ESIPA_V1_1, &q);
    expect("BF4F1C5A10" EID "8000810101820362F210");
    expect_type(&asn_DEF_GetEimPackageRequest);
    wr_clear(&w);
    esipa_put_get_package(&w, ESIPA_V1_0, &q);
    expect("BF4F195A10" EID "8000810362F210");
}
END_TEST

START_TEST(reads_plmns)
{
    uint8_t plmn[IPA_RPLMN_LEN];

    ck_assert(plmn_read("310410", plmn));
    ck_assert_mem_eq(plmn, "\x13\x00\x14", 3);
    ck_assert(!plmn_read("2620", plmn));
    ck_assert(!plmn_read("2620100", plmn));
    ck_assert(!plmn_read("2620a", plmn));
}
END_TEST

START_TEST(reads_what_the_eim_has)
{
    struct esipa_package p;

    ck_assert_int_eq(esipa_read_package(of("BF4F03020101"), &p), 0);
    ck_assert(p.tag == EIM_PACKAGE_ERROR && p.error == NO_EIM_PACKAGE_AVAILABLE);
    ck_assert_int_eq(esipa_read_package(of("BF4F04BF7701AA"), &p), 0);
    ck_assert_uint_eq(p.tag, 0xBF77);
    ck_assert_int_eq(esipa_read_package(of("BF4F00"), &p), ERR_INPUT);
    ck_assert_int_eq(esipa_read_package(of("BF4F04020101AA"), &p), ERR_INPUT);
    ck_assert_int_eq(esipa_read_package(of("BF5003020101"), &p), ERR_INPUT);
    ck_assert_int_eq(esipa_read_package(of(""), &p), ERR_INPUT);
    ck_assert_int_eq(esipa_read_package(of("BF4F03020101 00"), &p), ERR_INPUT);
}
END_TEST

START_TEST(reads_triggers)
{
    struct download_from d;
    struct esipa_package p;

    ck_assert_int_eq(
        esipa_read_package(of("BF4F1BBF5418A0128010312464702E6578616D706C652441424382020102"), &p),
        0);
    ck_assert_uint_eq(p.tag, PROFILE_DOWNLOAD_TRIGGER);
    ck_assert_int_eq(download_from_read(p.value, &d), 0);
    ck_assert_int_eq(d.source, FROM_ACTIVATION_CODE);
    ck_assert_str_eq(d.text, "1$dp.example$ABC");
    ck_assert(rd_equal(d.tid, rd_of("\x01\x02", 2)));
    ck_assert_int_eq(download_from_read(of(""), &d), 0);
    ck_assert_int_eq(d.source, FROM_ANYWHERE);
    ck_assert_int_eq(download_from_read(of("A0028100"), &d), 0);
    ck_assert_int_eq(d.source, FROM_DEFAULT_DP);
    ck_assert_int_eq(download_from_read(of("A005A203800161"), &d), 0);
    ck_assert(d.source == FROM_SMDS && strcmp(d.text, "a") == 0);
    ck_assert_int_eq(download_from_read(of("A002A200"), &d), 0);
    ck_assert(d.source == FROM_SMDS && d.text[0] == '\0');
    ck_assert_int_eq(download_from_read(of("A0028500"), &d), ERR_INPUT);
    ck_assert_int_eq(download_from_read(of("8200"), &d), ERR_INPUT);
    ck_assert_int_eq(download_from_read(of("8211000102030405060708090A0B0C0D0E0F10"), &d),
                     ERR_INPUT);
    ck_assert_int_eq(download_from_read(of("A003800100"), &d), ERR_INPUT); /* a zero octet */
}
END_TEST

/* --- results ---------------------------------------------------------------------------------- */

static void provide(enum esipa_version version, const char *notifications)
{
    uint8_t eid[16], room[256];
    struct rd beside = of_into(notifications, room, sizeof room);

    hex(EID, eid, sizeof eid);
    wr_clear(&w);
    struct wr_mark mark = esipa_open_result(&w, version, rd_of(eid, sizeof eid));
    esipa_put_package_result(&w, version, of(RESULT), beside);
    tlv_close(&w, mark);
}

START_TEST(provides_results)
{
    provide(ESIPA_V1_1, "");
    expect("BF50735A10" EID RESULT);
    expect_type(&asn_DEF_ProvideEimPackageResult);
    provide(ESIPA_V1_0, "");
    expect("BF5061" RESULT);
    provide(ESIPA_V1_1, "A103800105");
    expect("BF50(5A10" EID " 30(" RESULT " A0(A103800105)))");
    provide(ESIPA_V1_0, "A103800105");
    expect("BF50(30(" RESULT " BF2B(A0(A103800105))))");
}
END_TEST

START_TEST(provides_errors)
{
    uint8_t eid[16];

    hex(EID, eid, sizeof eid);
    struct wr_mark mark = esipa_open_result(&w, ESIPA_V1_1, rd_of(eid, sizeof eid));
    esipa_put_package_error(&w, ESIPA_V1_1, of("0102"), INVALID_PACKAGE_FORMAT);
    tlv_close(&w, mark);
    expect("BF501B5A10" EID "A00780020102020101");
    wr_clear(&w);
    esipa_put_package_error(&w, ESIPA_V1_1, of(""), UNKNOWN_PACKAGE);
    expect("A003020102");
    wr_clear(&w);
    esipa_put_package_error(&w, ESIPA_V1_0, of("0102"), UNKNOWN_PACKAGE);
    expect("020102");
    wr_clear(&w);
    esipa_put_trigger_error(&w, ESIPA_V1_1, of("0102"), TRIGGER_UNDEFINED_ERROR, rd_of(NULL, 0));
    expect("BF540982020102300380017F");
    expect_type(&asn_DEF_ProfileDownloadTriggerResult);
    wr_clear(&w);
    esipa_put_trigger_error(&w, ESIPA_V1_1, rd_of(NULL, 0), TRIGGER_ECALL_ACTIVE, of("810102"));
    expect("BF54(30(800168 0403810102))");
    wr_clear(&w);
    esipa_put_data_error(&w, ESIPA_V1_1, of("0102"), DATA_INCORRECT_TAG_LIST);
    expect("BF5209A10780020102020101");
    expect_type(&asn_DEF_IpaEuiccDataResponse);
    wr_clear(&w);
    esipa_put_data_error(&w, ESIPA_V1_0, of("0102"), DATA_CI_NOT_FOUND);
    expect("BF5203810105");
}
END_TEST

START_TEST(reads_acknowledgements)
{
    struct esipa_acks a;
    uint64_t number;

    ck_assert_int_eq(esipa_read_acks(of("BF50(BF53(800105 8100 80020102))"), &a), 0);
    ck_assert(a.given && a.n == 2 && a.error == 0);
    ck_assert(esipa_next_ack(&a.list, &number) && number == 5);
    ck_assert(esipa_next_ack(&a.list, &number) && number == 0x102);
    ck_assert(!esipa_next_ack(&a.list, &number));
    ck_assert_int_eq(esipa_read_acks(of("BF50023000"), &a), 0);
    ck_assert(!a.given && a.n == 0 && a.error == 0);
    ck_assert_int_eq(esipa_read_acks(of("BF5000"), &a), 0);
    ck_assert_int_eq(esipa_read_acks(of(""), &a), 0);
    ck_assert(a.n == 0 && a.error == 0);
    ck_assert_int_eq(esipa_read_acks(of("BF5003020102"), &a), 0);
    ck_assert_uint_eq(a.error, 2);
    ck_assert_int_eq(esipa_read_acks(of("BF4F03020101"), &a), ERR_INPUT);
    ck_assert_int_eq(esipa_read_acks(of("BF5006BF53038001"), &a), ERR_INPUT);
}
END_TEST

/* --- eUICC packages --------------------------------------------------------------------------- */

START_TEST(reads_a_package)
{
    struct euicc_package p;
    struct tlv t;

    struct rd in = of(PACKAGE);
    ck_assert_int_eq(tlv_expect(&in, EUICC_PACKAGE, &t), 0);
    ck_assert_int_eq(esipa_read_euicc_package(t.value, &p), 0);
    ck_assert(p.has_psmo && p.asks_rollback && p.switches);
    ck_assert(rd_equal(p.tid, rd_of("\x11\x22\x33\x44", 4)));
    ck_assert_int_eq(esipa_read_euicc_package(of("3003A101AA 5F3700"), &p), 0);
    ck_assert(!p.has_psmo && !p.asks_rollback && !p.switches && p.tid.n == 0);
    ck_assert_int_eq(esipa_read_euicc_package(of("3000"), &p), ERR_INPUT); /* no signature */
    ck_assert_int_eq(esipa_read_euicc_package(of("3003A001A3 5F3700"), &p), ERR_INPUT);
}
END_TEST

static const char *result_text(const char *text)
{
    static char line[256];

    return package_result_text(of(text), line, sizeof line);
}

START_TEST(reads_results)
{
    struct package_result r;

    ck_assert_int_eq(esipa_read_package_result(of(RESULT), &r), 0);
    ck_assert(r.kind == RESULT_OK && r.seq_number == 5 && r.counter == 1 && r.enabled);
    ck_assert(rd_equal(r.eim_id, rd_str("eim1")));
    ck_assert_int_eq(esipa_read_package_result(of("BF5111A20F800465696D31820411223344840101"), &r),
                     0);
    ck_assert_int_eq(r.kind, RESULT_ERROR_UNSIGNED);
    ck_assert_int_eq(esipa_read_package_result(of(REPLAYED), &r), 0);
    ck_assert(r.kind == RESULT_ERROR_SIGNED && r.error == 4 && r.counter == 1);
    /* a good one has a number */
    ck_assert_int_eq(esipa_read_package_result(of("BF51(A0(30(800465696D31 3000)))"), &r),
                     ERR_INPUT);
    ck_assert_int_eq(esipa_read_package_result(of("BF5103A30100"), &r), ERR_INPUT);
}
END_TEST

START_TEST(says_results_in_words)
{
    ck_assert_str_eq(result_text(RESULT), "enable ok(0)");
    ck_assert(package_result_ok(of(RESULT)));
    ck_assert_str_eq(result_text(REPLAYED), "refused: replayError(4)");
    ck_assert_str_eq(result_text("BF51(A2(800465696D31))"),
                     "refused, unsigned: the eIM is unknown, or the signature is wrong");
    ck_assert_str_eq(result_text("BF51(A0(30(800161 830105 30(840100 850102 A803840102 A803020107 "
                                 "890102 BF2D0381010B 990101))))"),
                     "disable ok(0), delete profileNotInDisabledState(2), addEim ok(0), "
                     "addEim commandError(7), deleteEim lastEimDeleted(2), "
                     "listProfileInfo profileChangeOngoing(11), 99");
    ck_assert(package_result_ok(of("BF51(A0(30(800161 830105 30(890102 840100))))")));
    ck_assert(!package_result_ok(of("BF51(A0(30(800161 830105 30(850102))))")));
    ck_assert(!package_result_ok(of(REPLAYED)));
    ck_assert_str_eq(result_text("00"), "not an EuiccPackageResult");
}
END_TEST

/* --- IpaEuiccData ----------------------------------------------------------------------------- */

START_TEST(reads_data_requests)
{
    struct data_request d;
    struct esipa_package p;

    ck_assert_int_eq(
        esipa_read_package(of("BF4F16BF52135C0D81BF20BF228384A5A6A8A9A0A283020102"), &p), 0);
    ck_assert_int_eq(esipa_read_data_request(p.value, ESIPA_V1_1, &d), 0);
    ck_assert_uint_eq(d.wanted, 0x7FF);
    ck_assert(!d.bad_tag && d.tid.n == 2 && d.ci.n == 0);
    ck_assert_int_eq(esipa_read_data_request(of("5C02A0A2A103800105A203800106"), ESIPA_V1_1, &d),
                     0);
    ck_assert_uint_eq(d.wanted, DATA_NOTIFICATIONS | DATA_PACKAGE_RESULTS);
    ck_assert(rd_equal(d.notification_criteria, rd_of("\x80\x01\x05", 3)));
    ck_assert(rd_equal(d.result_criteria, rd_of("\x80\x01\x06", 3)));
    ck_assert_int_eq(esipa_read_data_request(of("5C02815A"), ESIPA_V1_1, &d), 0);
    ck_assert(d.bad_tag);
    ck_assert_int_eq(esipa_read_data_request(of("5C02BF2D"), ESIPA_V1_1, &d), 0);
    ck_assert(d.bad_tag);
    ck_assert_int_eq(esipa_read_data_request(of("5C01BF"), ESIPA_V1_1, &d), 0);
    ck_assert(d.bad_tag);
    ck_assert_int_eq(esipa_read_data_request(of("5C0480BF2B88 0402ABCD"), ESIPA_V1_0, &d), 0);
    ck_assert(!d.bad_tag && d.ci.n == 2);
    ck_assert_uint_eq(d.wanted, DATA_NOTIFICATIONS | DATA_PACKAGE_RESULTS | DATA_DEFAULT_DP |
                                    DATA_CAPABILITIES);
    ck_assert_int_eq(esipa_read_data_request(of("83020102"), ESIPA_V1_1, &d), ERR_INPUT);
}
END_TEST

START_TEST(tells_its_capabilities)
{
    uint32_t features;

    esipa_put_capabilities(&w, FEATURE_DIRECT, EIM_RETRIEVE_HTTPS);
    expect("A8088002078081020780");
    ck_assert(features_read("direct", &features));
    ck_assert_uint_eq(features, FEATURE_DIRECT);
    ck_assert(features_read("indirect,compact,eim-ctx", &features));
    ck_assert_uint_eq(features, FEATURE_INDIRECT | FEATURE_COMPACT | FEATURE_EIM_CTX);
    ck_assert(!features_read("", &features));
    ck_assert(!features_read("direct,", &features));
    ck_assert(!features_read("directly", &features));
}
END_TEST

/* --- compact forms ---------------------------------------------------------------------------- */

static void handle(const char *notification)
{
    wr_clear(&w);
    struct wr_mark mark = tlv_open(&w, ESIPA_HANDLE_NOTIFICATION);
    struct wr_mark pending = tlv_open(&w, 0xA0);
    ck_assert_int_eq(compact_notification(of(notification), &w), 0);
    tlv_close(&w, pending);
    tlv_close(&w, mark);
    expect_type(&asn_DEF_HandleNotificationEsipa);
}

START_TEST(shortens_notifications)
{
    handle("30(" NOTIFICATION_METADATA "5F3740" SIGNATURE "3000 3000)");
    expect("BF3D(A0(A1(" NOTIFICATION_METADATA "5F3740" SIGNATURE ")))");
    /* an installation: the address, the OID and most of the AID go, and what a success says */
    handle("BF37(BF27(80020102 " NOTIFICATION_METADATA " 0603883701 A2(A0(" AID " 04(300530"
           "03800100))))5F3740" SIGNATURE ")");
    expect("BF3D(A0(A0(A0(80020102 020107 A2(A0(4F020010 04(30053003800100)))) 5F3740" SIGNATURE
           ")))");
    handle(INSTALLATION);
    expect("BF3D(A0(A0(A0(80020102 020107 A2(A0(4F020010))) 5F3740" SIGNATURE ")))");
    ck_assert_int_eq(compact_notification(of("BF5100"), &w), ERR_INPUT);
    ck_assert_int_eq(compact_notification(of("3000"), &w), ERR_INPUT);
}
END_TEST

START_TEST(shortens_answers)
{
    static const char known_nothing[] =
        "BF38(A2(30(80020102 BF22(84(810101)) A0(8000)) 5F3740" SIGNATURE " A1(3000) A2(3001AA)))";
    struct compact_known known = { .info2 = false };

    ck_assert_int_eq(
        compact_cancel(of("BF41(A0(30(80020102 06028837 820103) 5F3740" SIGNATURE "))"), &w), 0);
    expect("A2(30(800103) 5F3740" SIGNATURE ")");
    wr_clear(&w);
    ck_assert_int_eq(compact_cancel(of("BF4103810105"), &w), ERR_INPUT);
    ck_assert_int_eq(
        compact_prepare(of("BF21(A0(30(80020102 5F4902AABB 0402CCDD) 5F3740" SIGNATURE "))"), &w),
        0);
    expect("BF21(A2(30(5F4902AABB 0402CCDD) 5F3740" SIGNATURE "))");
    wr_clear(&w);
    ck_assert_int_eq(compact_authenticate(of(AUTHENTICATED), &known, &w), 0);
    expect(known_nothing);
    wr_clear(&w);
    known = (struct compact_known){ .info2 = true };
    ck_assert_int_eq(compact_authenticate(of(AUTHENTICATED), &known, &w), 0);
    expect("BF38(A2(A0(84(810101) A2(A0(8000))) 5F3740" SIGNATURE " A1(3000) A2(3001AA)))");
    wr_clear(&w);
    known = (struct compact_known){ .info2 = true, .certificates = true, .ctx_params = true };
    ck_assert_int_eq(compact_authenticate(of(AUTHENTICATED), &known, &w), 0);
    expect("BF38(A2(A0(84(810101)) 5F3740" SIGNATURE "))");
    wr_clear(&w);
    ck_assert_int_eq(compact_authenticate(of("BF38(A1(80020102 020102))"), &known, &w), ERR_INPUT);
    ck_assert_uint_eq(w.n, 0);
}
END_TEST

/* --- JSON ------------------------------------------------------------------------------------- */

static const char *json_of(const char *message)
{
    static char text[1024];
    const char *function = NULL;
    struct lab_error e;
    cJSON *json = NULL;

    ck_assert_int_eq(ipa_json_request(of(message), &function, &json, &e), 0);
    char *printed = cJSON_PrintUnformatted(json);
    snprintf(text, sizeof text, "%s %s", function, printed);
    cJSON_free(printed);
    cJSON_Delete(json);
    return text;
}

START_TEST(says_it_in_json)
{
    struct lab_error e;
    const char *function;
    cJSON *json;

    ck_assert_str_eq(json_of("BF4F125A10" EID), "getEimPackage {\"eidValue\":\"" EID "\"}");
    ck_assert_str_eq(json_of("BF501B5A10" EID "A00780020102020101"),
                     "provideEimPackageResult {\"eidValue\":\"" EID
                     "\",\"eimPackageResult\":\"oAeAAgECAgEB\"}");
    ck_assert_str_eq(json_of("BF410980020102A103810105"),
                     "cancelSession {\"transactionId\":\"0102\","
                     "\"cancelSessionResponse\":\"v0EDgQEF\"}");
    ck_assert_str_eq(json_of("BF3D05A003BF3700"),
                     "handleNotification {\"pendingNotification\":\"vzcA\"}");
    ck_assert_int_eq(ipa_json_request(of("BF4E00"), &function, &json, &e), ERR_INPUT);
    ck_assert_int_eq(ipa_json_request(of("BF4F028500"), &function, &json, &e), ERR_INPUT);
}
END_TEST

#define GOOD "{\"header\":{\"functionExecutionStatus\":{\"status\":\"Executed-Success\"}}"

static int answer(const char *function, const char *text)
{
    struct lab_error e;

    wr_clear(&w);
    return ipa_json_answer(function, rd_str(text), &w, &e);
}

START_TEST(understands_json)
{
    ck_assert_int_eq(answer("getEimPackage", GOOD ",\"eimPackageError\":1}"), 0);
    expect("BF4F03020101");
    ck_assert_int_eq(answer("getEimPackage", GOOD ",\"profileDownloadTriggerRequest\":\"v1QA\"}"),
                     0);
    expect("BF4F03BF5400");
    ck_assert_int_eq(answer("getEimPackage", GOOD ",\"ipaEuiccDataRequest\":\"v1QA\"}"), ERR_INPUT);
    ck_assert_int_eq(answer("getEimPackage", GOOD ",\"eimPackageError\":-1}"), ERR_INPUT);
    ck_assert_int_eq(answer("getEimPackage", GOOD ",\"eimPackageError\":\"1\"}"), ERR_INPUT);
    ck_assert_int_eq(answer("provideEimPackageResult", GOOD "}"), 0);
    expect("BF50023000");
    ck_assert_int_eq(
        answer("provideEimPackageResult", GOOD ",\"eimAcknowledgements\":\"v1MDgAEF\"}"), 0);
    expect("BF5006BF5303800105");
    ck_assert_int_eq(answer("handleNotification", GOOD "}"), 0);
    ck_assert_uint_eq(w.n, 0);
    ck_assert_int_eq(answer("getBoundProfilePackage",
                            "{\"header\":{\"functionExecutionStatus\":{\"status\":\"Failed\","
                            "\"statusCodeData\":{\"subjectCode\":\"8.2.7\",\"reasonCode\":"
                            "\"3.8\"}}}}"),
                     0);
    expect("BF3A03810103");
    ck_assert_int_eq(answer("getEimPackage", "{}"), ERR_INPUT);
    ck_assert_int_eq(answer("getEimPackage", "[]"), ERR_INPUT);
    ck_assert_int_eq(answer("getEimPackage", ""), ERR_INPUT);
    ck_assert_int_eq(answer("nothing", GOOD "}"), ERR_INPUT);
}
END_TEST

/* --- downloads through an eIM ----------------------------------------------------------------- */

START_TEST(writes_the_steps_of_a_download)
{
    static const uint8_t challenge[] = { 1, 2 }, info1[] = { 0xBF, 0x20, 0x00 }, tid[] = { 7 };
    struct esipa_initiation i = { .challenge = rd_of(challenge, sizeof challenge),
                                  .address = "dp",
                                  .info1 = rd_of(info1, sizeof info1),
                                  .tid = rd_of(tid, sizeof tid) };

    esipa_put_initiation(&w, ESIPA_V1_1, &i);
    expect("BF39(81020102 83026470 BF2000 820107)");
    wr_clear(&w);
    esipa_put_initiation(&w, ESIPA_V1_0, &i);
    expect("BF39(81020102 83026470 BF2000)");
    wr_clear(&w);
    i.address = "";
    i.info1 = i.tid = rd_of(NULL, 0);
    esipa_put_initiation(&w, ESIPA_V1_1, &i);
    expect("BF39(81020102)");
    wr_clear(&w);
    struct wr_mark mark = esipa_open_step(&w, STEP_GET_PACKAGE, rd_of(tid, sizeof tid));
    tlv_close(&w, mark);
    expect("BF3A(800107)");
    wr_clear(&w);
    ctx_params1_put(&w, "id", "490154203237518");
    expect("A0(80026964 A1(800494104502 A1(8003050000 8103080000 85030E0000 8B03020500)"
           " 8208941045022373158F))");
    wr_clear(&w);
    device_info_put(&w, NULL);
    expect("800453926011 A1(8003050000 8103080000 85030E0000 8B03020500)");
}
END_TEST

static void init_fields(struct wr fields[N_FIELDS])
{
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_init_heap(&fields[i], ROOM);
}

static void done_fields(struct wr fields[N_FIELDS])
{
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_done(&fields[i]);
}

/* What was taken, against hex digits. */
static void expect_field(const struct wr *field, const char *text)
{
    uint8_t wanted[256];

    ck_assert(rd_equal(wr_view(field), of_into(text, wanted, sizeof wanted)));
}

START_TEST(takes_the_fields_of_a_download)
{
    struct wr fields[N_FIELDS];
    struct tlv arm;

    init_fields(fields);
    ck_assert_int_eq(esipa_read_step(of("BF39(A0(800107 300101 5F3701AA 0401BB 300102"
                                        " A2(A0(0401CC))))"),
                                     STEP_INITIATE, &arm),
                     0);
    ck_assert(!esipa_is_error(STEP_INITIATE, &arm));
    ck_assert(esipa_take_fields(STEP_INITIATE, arm.value, fields));
    expect_field(&fields[FIELD_SIGNED1], "300101");
    expect_field(&fields[FIELD_SIGNATURE1], "5F3701AA");
    expect_field(&fields[FIELD_CI], "0401BB");
    expect_field(&fields[FIELD_CERTIFICATE], "300102");
    expect_field(&fields[FIELD_CTX_PARAMS], "A0(0401CC)");
    /* a signature within a tag and a length of its own */
    const char *twice = "300101 5F37(5F37(" SIGNATURE ")) 0401BB";
    ck_assert(!esipa_take_fields(STEP_INITIATE, of(twice), fields)); /* no certificate */
    expect_field(&fields[FIELD_SIGNATURE1], "5F3740" SIGNATURE);
    ck_assert(
        esipa_take_fields(STEP_AUTHENTICATE, of("BF2500 300101 5F3701AA 300102 0401DD"), fields));
    expect_field(&fields[FIELD_METADATA], "BF2500");
    expect_field(&fields[FIELD_SIGNED2], "300101");
    expect_field(&fields[FIELD_CERTIFICATE2], "300102");
    expect_field(&fields[FIELD_HASH_CC], "0401DD");
    ck_assert(esipa_take_fields(STEP_GET_PACKAGE, of("800107 BF3600"), fields));
    expect_field(&fields[FIELD_PACKAGE], "BF3600");
    ck_assert(!esipa_take_fields(STEP_GET_PACKAGE, of("800107"), fields));
    ck_assert_uint_eq(fields[FIELD_PACKAGE].n, 0);
    done_fields(fields);
}
END_TEST

START_TEST(knows_the_refusals_of_a_download)
{
    struct tlv arm;

    ck_assert_int_eq(esipa_read_step(of("BF3B(820102)"), STEP_AUTHENTICATE, &arm), 0);
    ck_assert(esipa_is_error(STEP_AUTHENTICATE, &arm));
    ck_assert(!esipa_is_error(STEP_GET_PACKAGE, &arm));
    ck_assert(esipa_asks_code(STEP_GET_PACKAGE, 2) && esipa_asks_code(STEP_GET_PACKAGE, 3));
    ck_assert(!esipa_asks_code(STEP_GET_PACKAGE, 4) && !esipa_asks_code(STEP_AUTHENTICATE, 2));
    ck_assert_int_eq(esipa_read_step(of("BF3B(820102)"), STEP_INITIATE, &arm), ERR_INPUT);
    ck_assert_int_eq(esipa_read_step(of("BF3B(820102 A000)"), STEP_AUTHENTICATE, &arm), ERR_INPUT);
    ck_assert_int_eq(esipa_read_step(of("BF3B00 00"), STEP_AUTHENTICATE, &arm), ERR_INPUT);
}
END_TEST

/* --- notifications ---------------------------------------------------------------------------- */

START_TEST(reads_notifications)
{
    uint64_t number;
    struct rd address;

    ck_assert_int_eq(esipa_read_notification(of(INSTALLATION), &number, &address), 0);
    ck_assert(number == 7 && rd_equal(address, rd_str("dp.example")));
    ck_assert_int_eq(
        esipa_read_notification(of("30(" NOTIFICATION_METADATA ")"), &number, &address), 0);
    ck_assert_int_eq(
        esipa_read_notification(of("A1(" NOTIFICATION_METADATA ")"), &number, &address), 0);
    ck_assert_int_eq(
        esipa_read_notification(of("BF37(" NOTIFICATION_METADATA ")"), &number, &address),
        ERR_INPUT);
    ck_assert_int_eq(esipa_read_notification(of("30(BF2F(800107))"), &number, &address), ERR_INPUT);
}
END_TEST

START_TEST(reads_what_it_provided)
{
    uint64_t number = 0;

    ck_assert_int_eq(esipa_read_provided(of("BF50(" RESULT ")"), &number), 0);
    ck_assert_uint_eq(number, 5);
    ck_assert_int_eq(esipa_read_provided(of("BF50(30(" RESULT " A000))"), &number), 0);
    ck_assert_int_eq(esipa_read_provided(of("BF50(" REPLAYED ")"), &number), ERR_INPUT);
    ck_assert_int_eq(esipa_read_provided(of("BF50(BF52(A000))"), &number), ERR_INPUT);
}
END_TEST

/* --- anything at all -------------------------------------------------------------------------- */

static void read_all(struct rd in)
{
    struct compact_known known = { .info2 = true };
    struct download_from from;
    struct package_result result;
    struct euicc_package package;
    struct eim_record records[4];
    struct esipa_package eim_package;
    struct data_request request;
    struct esipa_acks acks;
    struct wr fields[N_FIELDS];
    struct rd address;
    uint64_t number;
    struct tlv arm;
    char text[64];
    size_t n;

    wr_clear(&w);
    eim_record_read(in, &records[0]);
    eim_records_read(in, records, 4, &n);
    esipa_read_package(in, &eim_package);
    esipa_read_acks(in, &acks);
    esipa_read_ack_list(in, &acks);
    esipa_read_euicc_package(in, &package);
    esipa_read_package_result(in, &result);
    package_result_text(in, text, sizeof text);
    package_result_ok(in);
    download_from_read(in, &from);
    esipa_read_data_request(in, ESIPA_V1_1, &request);
    compact_authenticate(in, &known, &w);
    compact_prepare(in, &w);
    compact_cancel(in, &w);
    compact_notification(in, &w);
    esipa_read_notification(in, &number, &address);
    esipa_read_provided(in, &number);
    init_fields(fields);
    for (enum download_step step = STEP_INITIATE; step <= STEP_CANCEL; step++)
        if (esipa_read_step(in, step, &arm) == 0)
            esipa_take_fields(step, arm.value, fields);
    done_fields(fields);
}

/* Cut anywhere, and with any octet wrong, in memory that ends where they end. */
START_TEST(survives_damage)
{
    static const char *const messages[] = {
        RECORD,
        PACKAGE,
        RESULT,
        "BF4F1BBF5418A0128010312464702E6578616D706C652441424382020102",
        "BF52125C02A0A2A103800105A20380010683020102",
        "BF5006BF5303800105",
        INSTALLATION,
        AUTHENTICATED,
        "BF39(A0(800107 300101 5F3701AA 0401BB 300102 A2(A0(0401CC))))",
        "BF50(30(" RESULT " A000))",
    };

    for (size_t i = 0; i < N_ELEMS(messages); i++) {
        struct rd whole = of(messages[i]);
        for (size_t n = 0; n <= whole.n; n++) {
            struct rd copy = exact_copy_of(rd_of(whole.p, n));
            read_all(copy);
            exact_free(&copy);
        }
        for (size_t at = 0; at < whole.n; at++) {
            uint8_t was = octets[at];
            for (unsigned bit = 0; bit < 8; bit++) {
                octets[at] = (uint8_t)(was ^ 1u << bit);
                struct rd copy = exact_copy_of(whole);
                read_all(copy);
                exact_free(&copy);
            }
            octets[at] = was;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ipa");
    TCase *tc = tcase_create("ipa");
    const TTest *tests[] = {
        reads_an_eim_record,
        reads_a_record_with_nothing_but_an_id,
        reads_an_eim_id_of_512_octets,
        reads_a_key_that_kept_its_sequence,
        reads_lists_of_records,
        asks_for_a_package,
        reads_plmns,
        reads_what_the_eim_has,
        reads_triggers,
        provides_results,
        provides_errors,
        reads_acknowledgements,
        reads_a_package,
        reads_results,
        writes_the_steps_of_a_download,
        takes_the_fields_of_a_download,
        knows_the_refusals_of_a_download,
        reads_notifications,
        reads_what_it_provided,
        says_results_in_words,
        reads_data_requests,
        tells_its_capabilities,
        shortens_notifications,
        shortens_answers,
        says_it_in_json,
        understands_json,
        survives_damage,
    };

    tcase_add_checked_fixture(tc, setup, NULL);
    for (size_t i = 0; i < N_ELEMS(tests); i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
