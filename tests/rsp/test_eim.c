/* test_eim.c - the Associated eIMs: AddInitialEim, GetEimConfigurationData and what an eIM may
 * change about them (SGP.32 2.11.1.1.1, 2.11.1.1.2, 5.9.4, 5.9.18). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/rsp/eim.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define P256 "30{ 06072A8648CE3D0201 06082A8648CE3D030107 }"
#define POINT_1                                                                                    \
    "E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"                             \
    "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45"
#define POINT_2                                                                                    \
    "F5F3CDD834A93DBB9C2C99ECA68279C4ADE727F38970731852152362E9217FAD"                             \
    "E4440C7EA9282F80BC9846AA027D02EE8BBCE7B2D3CE966EEC8608FCC56F4B0E"
#define KEY(point) "A5{A0{" P256 "03{00 04" point "}}}"
#define KEY_1      KEY(POINT_1)
#define KEY_2      KEY(POINT_2)

#define ID(octets)      "80{" octets "}"
#define EIM_1           ID("65696D31")
#define ENTRY(fields)   "30{" fields "}"
#define REQUEST(list)   "BF57{A0{" list "}}"
#define MINIMAL_OF(id)  ID(id) "830100" KEY_1
#define MINIMAL         MINIMAL_OF("65696D31")
#define ADDED           "BF57{A0{0500}}"
#define REFUSED(code)   "BF57{81{" code "}}"
#define NONE            "BF55{A000}"
#define REMOVE_ALL      "BF64{82020204}"
#define REMOVED_ALL     "BF64{800100 810100}"
#define CI_PKID_UNKNOWN "88{0102030405060708090A0B0C0D0E0F1011121314}"

/* SGP.32's first contact, as a public tool writes it. */
#define PUBLISHED                                                                                  \
    "BF578189A08186308183800465696D31810F65696D2E6578616D706C652E636F6D8201028301008401FF"         \
    "A55BA059301306072A8648CE3D020106082A8648CE3D03010703420004" POINT_1 "870207808900"

/* --- requests and answers --------------------------------------------------------------------- */

static struct rd answer_at(struct bench *b, const char *path)
{
    return message_at(wr_view(&b->card.data), path).value;
}

static bool answer_has(struct bench *b, const char *path)
{
    struct tlv t;

    return message_has(wr_view(&b->card.data), path, &t);
}

static void assert_field(struct bench *b, const char *path, const char *octets)
{
    struct wr w;

    wr_init_heap(&w, MESSAGE_MAX);
    hex_put(&w, octets);
    ck_assert_msg(rd_equal(answer_at(b, path), wr_view(&w)), "%s is not %s", path, octets);
    wr_done(&w);
}

static void get_all(struct bench *b)
{
    ck_assert_uint_eq(card_es10_hex(&b->card, "BF5500"), 0x9000);
}

/* --- AddInitialEim ---------------------------------------------------------------------------- */

START_TEST(the_published_request_gets_token_1_and_only_once)
{
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];
    struct bench b;

    bench_open(&b);
    card_expect(&b.card, PUBLISHED, "BF5705A003840101");
    card_digest(&b.card, before);
    card_expect(&b.card, PUBLISHED, "BF5703810102");
    card_assert_why(&b.card, "AddInitialEim: associatedEimAlreadyExists(2)");
    card_assert_why(&b.card, "SGP.32 5.9.4");
    ck_assert_str_eq(card_digest(&b.card, after), before);
    card_reset(&b.card);
    card_expect(&b.card, PUBLISHED, "BF5703810102");
    bench_close(&b);
}
END_TEST

/* counterValue is not told, the token is. */
START_TEST(what_was_associated_is_told)
{
    struct bench b;
    char expected[1024];

    bench_open(&b);
    card_expect(&b.card, "BF5500", NONE);
    card_expect(&b.card, PUBLISHED, "BF5705A003840101");
    get_all(&b);
    ck_assert(rd_equal(answer_at(&b, "BF55/A0/30/88"), cert_ski(b.server.ci)));
    size_t at =
        (size_t)snprintf(expected, sizeof expected,
                         "BF55{A0{30{" EIM_1
                         "81{65696D2E6578616D706C652E636F6D} 820102 840101" KEY_1 "87020780 88{");
    for (size_t i = 0; i < cert_ski(b.server.ci).n; i++)
        at += (size_t)snprintf(expected + at, sizeof expected - at, "%02X",
                               cert_ski(b.server.ci).p[i]);
    snprintf(expected + at, sizeof expected - at, "} 8900}}}");
    card_expect(&b.card, "BF5500", expected);
    card_expect(&b.card, "BF55{A0{" EIM_1 "}}", expected);
    card_expect(&b.card, "BF55{" EIM_1 "}", expected); /* the criterion without its A0 */
    card_expect(&b.card, "BF55{A0{" ID("65696D32") "}}", NONE);
    card_expect(&b.card, "BF55{A0{" ID("65696D") "}}", NONE);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF55{A0{8101 31}}"), 0x6A80);
    card_assert_why(&b.card, "GetEimConfigurationData");
    bench_close(&b);
}
END_TEST

START_TEST(defaults_are_filled_in)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card, REQUEST(ENTRY(MINIMAL)), ADDED);
    get_all(&b);
    assert_field(&b, "BF55/A0/30/82", "03");
    assert_field(&b, "BF55/A0/30/87", "0308");
    ck_assert(rd_equal(answer_at(&b, "BF55/A0/30/88"), cert_ski(b.server.ci)));
    ck_assert(!answer_has(&b, "BF55/A0/30/81"));
    ck_assert(!answer_has(&b, "BF55/A0/30/83"));
    ck_assert(!answer_has(&b, "BF55/A0/30/84"));
    ck_assert(!answer_has(&b, "BF55/A0/30/A6"));
    ck_assert(!answer_has(&b, "BF55/A0/30/89"));
    bench_close(&b);
}
END_TEST

START_TEST(several_are_answered_in_their_order)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card,
                REQUEST(ENTRY(MINIMAL_OF("63") "8401FF") ENTRY(MINIMAL_OF("61"))
                            ENTRY(MINIMAL_OF("62") "8401FF")),
                "BF57{A0{840101 0500 840102}}");
    get_all(&b);
    assert_field(&b, "BF55/A0/30#0/80", "63");
    assert_field(&b, "BF55/A0/30#1/80", "61");
    assert_field(&b, "BF55/A0/30#2/80", "62");
    assert_field(&b, "BF55/A0/30#2/84", "02");
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF55{A0{" ID("61") "}}"), 0x9000);
    assert_field(&b, "BF55/A0/30/80", "61");
    ck_assert(!answer_has(&b, "BF55/A0/30#1"));
    bench_close(&b);
}
END_TEST

/* Fields in another order and lengths that are not the shortest are taken, and told in order. */
START_TEST(order_and_forms_do_not_matter)
{
    struct bench b;

    bench_open(&b);
    card_expect(
        &b.card,
        REQUEST(ENTRY("9F55{00} 87{0540} 8402FFFF" KEY_1 "83020000 82020002 80810465696D31")),
        "BF57{A0{840101}}");
    get_all(&b);
    assert_field(&b, "BF55/A0/30/82", "02");
    assert_field(&b, "BF55/A0/30/87", "0640");
    ck_assert(!answer_has(&b, "BF55/A0/30/9F55"));
    bench_close(&b);
}
END_TEST

/* --- refusals --------------------------------------------------------------------------------- */

#define COMMAND_ERROR "07"
#define REST          "830100" KEY_1

static const struct refusal {
    const char *list, *code, *words;
} refusals[] = {
    { "", COMMAND_ERROR, "the list is empty" },
    { "80{65696D31}", COMMAND_ERROR, "no EimConfigurationData" },
    { ENTRY(MINIMAL) "05", COMMAND_ERROR, "no EimConfigurationData" },
    { ENTRY(MINIMAL) ENTRY(MINIMAL), COMMAND_ERROR, "an eimId comes twice" },
    { ENTRY(MINIMAL_OF("61")) ENTRY(MINIMAL_OF("62")) ENTRY(MINIMAL_OF("61")), COMMAND_ERROR,
      "an eimId comes twice" },
    { ENTRY(""), COMMAND_ERROR, "eimId is missing" },
    { ENTRY(REST), COMMAND_ERROR, "eimId is missing" },
    { ENTRY(EIM_1 KEY_1), COMMAND_ERROR, "counterValue is missing" },
    { ENTRY(EIM_1 "830100"), COMMAND_ERROR, "eimPublicKeyData is missing" },
    { ENTRY(MINIMAL "817F00"), COMMAND_ERROR, "no whole TLV" },
    { ENTRY("8000" REST), COMMAND_ERROR, "eimId is not 1 to 128" },
    { ENTRY(ID("C080") REST), COMMAND_ERROR, "eimId is not 1 to 128" },
    { ENTRY(MINIMAL "81{FF}"), COMMAND_ERROR, "eimFqdn" },
    { ENTRY(MINIMAL "8200"), COMMAND_ERROR, "eimIdType" },
    { ENTRY(MINIMAL "820100"), COMMAND_ERROR, "eimIdType" },
    { ENTRY(MINIMAL "820104"), COMMAND_ERROR, "eimIdType" },
    { ENTRY(EIM_1 "8300" KEY_1), COMMAND_ERROR, "counterValue is empty" },
    { ENTRY(EIM_1 "8301FF" KEY_1), "06", "counterValueOutOfRange(6)" },
    { ENTRY(EIM_1 "830400800000" KEY_1), "06", "counterValueOutOfRange(6)" },
    { ENTRY(EIM_1 "830A01000000000000000000" KEY_1), "06", "counterValueOutOfRange(6)" },
    { ENTRY(MINIMAL "8400"), COMMAND_ERROR, "associationToken is empty" },
    { ENTRY(MINIMAL "840100"), "05", "invalidAssociationToken(5)" },
    { ENTRY(MINIMAL "840101"), "05", "invalidAssociationToken(5)" },
    { ENTRY(MINIMAL "8402FEFF"), "05", "invalidAssociationToken(5)" },
    { ENTRY(EIM_1 "830100 A500"), COMMAND_ERROR, "neither a public key nor a certificate" },
    { ENTRY(EIM_1 "830100 A5{A200}"), COMMAND_ERROR, "neither a public key nor a certificate" },
    { ENTRY(EIM_1 "830100 A5{A000 A100}"), COMMAND_ERROR, "neither a public key nor" },
    { ENTRY(EIM_1 "830100 A5{A000}"), COMMAND_ERROR, "not a SubjectPublicKeyInfo" },
    { ENTRY(EIM_1 "830100 A5{A0{" P256 "03{00}}}"), COMMAND_ERROR, "no point of its curve" },
    { ENTRY(EIM_1 "830100 A5{A0{" P256 "03{0004" POINT_1 "} 0500}}"), COMMAND_ERROR,
      "not a SubjectPublicKeyInfo" },
    { ENTRY(EIM_1 "830100" KEY(POINT_1 "00")), COMMAND_ERROR, "no point of its curve" },
    { ENTRY(EIM_1 "830100 A5{A0{30{ 06092A864886F70D010101 0500} 03{0000}}}"), COMMAND_ERROR,
      "not of an elliptic curve" },
    { ENTRY(EIM_1 "830100 A5{A0{" P384_KEY "}}"), COMMAND_ERROR, "curve is not supported" },
    { ENTRY(EIM_1 "830100 A5{A100}"), COMMAND_ERROR, "not a certificate" },
    { ENTRY(EIM_1 "830100 A5{A1{3000 3000 0300}}"), COMMAND_ERROR, "not a certificate" },
    { ENTRY(MINIMAL "A600"), COMMAND_ERROR, "trustedPublicKeyDataTls" },
    { ENTRY(MINIMAL "A6{A0{3000}}"), COMMAND_ERROR, "trustedPublicKeyDataTls" },
    { ENTRY(MINIMAL "A6{A1{3000 030100}}"), COMMAND_ERROR, "trustedPublicKeyDataTls" },
    { ENTRY(MINIMAL "8700"), COMMAND_ERROR, "eimSupportedProtocol" },
    { ENTRY(MINIMAL "8702 0880"), COMMAND_ERROR, "eimSupportedProtocol" },
    { ENTRY(MINIMAL "8800"), "03", "ciPKUnknown(3)" },
    { ENTRY(MINIMAL "8801F5"), "03", "ciPKUnknown(3)" },
    { ENTRY(MINIMAL CI_PKID_UNKNOWN), "03", "ciPKUnknown(3)" },
    { ENTRY(MINIMAL "890100"), COMMAND_ERROR, "indirectProfileDownload" },
    /* what is wrong may come behind what is right */
    { ENTRY(MINIMAL "8401FF") ENTRY(MINIMAL_OF("62") "840101"), "05", "associationToken" },
};

START_TEST(each_wrong_configuration_is_refused_and_changes_nothing)
{
    const struct refusal *row = &refusals[_i];
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN], request[2048], answer[64];
    struct bench b;

    bench_open(&b);
    card_digest(&b.card, before);
    snprintf(request, sizeof request, "BF57{A0{%s}}", row->list);
    snprintf(answer, sizeof answer, "BF5703 8101 %s", row->code);
    card_expect(&b.card, request, answer);
    card_assert_why(&b.card, "AddInitialEim: ");
    card_assert_why(&b.card, row->words);
    ck_assert_str_eq(card_digest(&b.card, after), before);
    card_expect(&b.card, "BF5500", NONE);
    card_expect(&b.card, PUBLISHED, "BF5705A003840101"); /* no token was lost either */
    bench_close(&b);
}
END_TEST

START_TEST(a_request_without_a_list_is_wrong_data)
{
    struct bench b;

    bench_open(&b);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF5700"), 0x6A80);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF57{810100}"), 0x6A80);
    bench_close(&b);
}
END_TEST

/* n characters of so many octets each; the answer. */
static void add_long(struct bench *b, uint32_t tag, size_t n, const char *character,
                     const char *answer)
{
    struct wr text, request;

    wr_init_heap(&text, MESSAGE_MAX);
    wr_init_heap(&request, MESSAGE_MAX);
    while (n-- > 0)
        hex_put(&text, character);
    struct wr_mark outer = tlv_open(&request, 0xBF57);
    struct wr_mark list = tlv_open(&request, 0xA0);
    struct wr_mark entry = tlv_open(&request, 0x30);
    tlv_put(&request, tag, wr_view(&text));
    hex_put(&request, tag == 0x80 ? REST : MINIMAL);
    tlv_close(&request, entry);
    tlv_close(&request, list);
    tlv_close(&request, outer);
    wr_clear(&text);
    ck_assert_uint_eq(card_es10(&b->card, wr_view(&request)), 0x9000);
    hex_put(&text, answer);
    ck_assert_msg(rd_equal(wr_view(&b->card.data), wr_view(&text)), "%s", b->card.why);
    wr_done(&text);
    wr_done(&request);
}

START_TEST(names_have_their_longest)
{
    struct bench b;

    bench_open(&b);
    add_long(&b, 0x80, 129, "61", "BF5703 810107");
    add_long(&b, 0x80, 129, "C3A4", "BF5703 810107");
    add_long(&b, 0x81, 256, "61", "BF5703 810107");
    add_long(&b, 0x81, 255, "61", ADDED);
    card_expect(&b.card, REMOVE_ALL, REMOVED_ALL);
    add_long(&b, 0x80, 128, "C3A4", ADDED);
    bench_close(&b);
}
END_TEST

START_TEST(no_more_than_max_eims)
{
    struct bench b;

    bench_open_set(&b, "max_eims=2");
    card_expect(&b.card,
                REQUEST(ENTRY(MINIMAL_OF("61")) ENTRY(MINIMAL_OF("62")) ENTRY(MINIMAL_OF("63"))),
                REFUSED("01"));
    card_assert_why(&b.card, "insufficientMemory(1)");
    card_expect(&b.card, "BF5500", NONE);
    card_expect(&b.card, REQUEST(ENTRY(MINIMAL_OF("61")) ENTRY(MINIMAL_OF("62"))),
                "BF57{A0{0500 0500}}");
    bench_close(&b);
}
END_TEST

START_TEST(the_highest_counter_is_a_setting)
{
    struct bench b;

    bench_open_set(&b, "eim_counter_max=8388608");
    card_expect(&b.card, REQUEST(ENTRY(EIM_1 "830400800001" KEY_1)), REFUSED("06"));
    card_expect(&b.card, REQUEST(ENTRY(EIM_1 "830400800000" KEY_1)), ADDED);
    bench_close(&b);
}
END_TEST

/* --- versions --------------------------------------------------------------------------------- */

START_TEST(version_1_0_has_fewer_codes_and_fields)
{
    struct bench b;

    bench_open_set(&b, "sgp32_version=1.0.1");
    card_expect(&b.card, REQUEST(ENTRY(EIM_1 KEY_1)), REFUSED("7F"));
    card_assert_why(&b.card, "undefinedError(127)");
    card_expect(&b.card, REQUEST(ENTRY(MINIMAL "890100 AA00")), ADDED);
    card_expect(&b.card, REQUEST(ENTRY(MINIMAL)), REFUSED("02"));
    card_assert_why(&b.card, "unsignedEimConfigDisallowed(2)");
    card_expect(&b.card, "BF55{A0{" ID("62") "}}", NONE);
    get_all(&b);
    ck_assert(!answer_has(&b, "BF55/A0/30/89"));
    bench_close(&b);
}
END_TEST

START_TEST(the_vendor_extension_came_with_version_1_3)
{
    static const struct {
        const char *setting;
        bool kept;
    } rows[] = { { "sgp32_version=1.2.0", false }, { "sgp32_version=1.3.0", true } };
    struct bench b;

    bench_open_set(&b, rows[_i].setting);
    if (rows[_i].kept) {
        card_expect(&b.card, REQUEST(ENTRY(MINIMAL "AA{817F00}")), REFUSED("07"));
        card_assert_why(&b.card, "eSipaProprietaryProtocolInformation");
    }
    card_expect(&b.card, REQUEST(ENTRY(MINIMAL "AA{30{80{8837} A1{800101}}}")), ADDED);
    get_all(&b);
    ck_assert(answer_has(&b, "BF55/A0/30/AA/30/80") == rows[_i].kept);
    bench_close(&b);
}
END_TEST

START_TEST(a_consumer_euicc_has_no_eims)
{
    struct bench b;

    bench_open_set(&b, "iot=off");
    ck_assert_uint_eq(card_es10_hex(&b.card, PUBLISHED), 0x6A88);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF5500"), 0x6A88);
    bench_close(&b);
}
END_TEST

/* --- keys ------------------------------------------------------------------------------------- */

/* A request with a certificate as key and for TLS; explicit_form leaves their outer 30 in. */
static void put_certificates(struct bench *b, const char *file, bool explicit_form,
                             struct wr *request)
{
    static const uint32_t choices[] = { 0xA5, 0xA6 };
    struct tlv whole;
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    ck_assert_int_eq(pki_read(b->server.pki, file, &der), 0);
    struct rd in = wr_view(&der);
    ck_assert_int_eq(tlv_expect(&in, 0x30, &whole), 0);
    wr_clear(request);
    struct wr_mark outer = tlv_open(request, 0xBF57);
    struct wr_mark list = tlv_open(request, 0xA0);
    struct wr_mark entry = tlv_open(request, 0x30);
    hex_put(request, EIM_1 "830100 8401FF");
    for (size_t i = 0; i < N_ELEMS(choices); i++) {
        struct wr_mark choice = tlv_open(request, choices[i]);
        tlv_put(request, 0xA1, explicit_form ? whole.whole : whole.value);
        tlv_close(request, choice);
    }
    tlv_close(request, entry);
    tlv_close(request, list);
    tlv_close(request, outer);
    wr_done(&der);
}

START_TEST(both_forms_of_a_certificate_are_one)
{
    static const char *const files[] = { "EIMsign/CERT_S_EIMsign_ECDSA_NIST.der",
                                         "EIMsign/CERT_S_EIMsign_ECDSA_BRP.der" };
    struct wr first;
    struct bench b;

    bench_open(&b);
    put_certificates(&b, files[_i], false, &b.request);
    ck_assert_uint_eq(card_es10(&b.card, wr_view(&b.request)), 0x9000);
    ck_assert_msg(answer_has(&b, "BF57/A0/84"), "%s", b.card.why);
    get_all(&b);
    /* the tag replaces that of Certificate: tbsCertificate with its version comes first */
    assert_field(&b, "BF55/A0/30/A5/A1/30/A0", "020102");
    assert_field(&b, "BF55/A0/30/A6/A1/30/A0", "020102");
    first = message_copy(answer_at(&b, "BF55/A0/30/A5"));
    card_expect(&b.card, REMOVE_ALL, REMOVED_ALL);
    put_certificates(&b, files[_i], true, &b.request);
    ck_assert_uint_eq(card_es10(&b.card, wr_view(&b.request)), 0x9000);
    ck_assert_msg(answer_has(&b, "BF57/A0/84"), "%s", b.card.why);
    get_all(&b);
    ck_assert(rd_equal(answer_at(&b, "BF55/A0/30/A5"), wr_view(&first)));
    ck_assert(rd_equal(answer_at(&b, "BF55/A0/30/A6"), wr_view(&first)));
    wr_done(&first);
    bench_close(&b);
}
END_TEST

START_TEST(both_forms_of_a_public_key_are_one)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card,
                REQUEST(ENTRY(EIM_1 "830100 A5{A0{30{" P256 "03{0004" POINT_1 "}}}}"
                                    "A6{A0{30{" P256 "03{0004" POINT_1 "}}}}")),
                ADDED);
    get_all(&b);
    assert_field(&b, "BF55/A0/30/A5", "A0{" P256 "03{0004" POINT_1 "}}");
    assert_field(&b, "BF55/A0/30/A6", "A0{" P256 "03{0004" POINT_1 "}}");
    bench_close(&b);
}
END_TEST

/* The IPA may trust what the card could not verify with. */
START_TEST(the_key_for_tls_may_be_of_any_kind)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card,
                REQUEST(ENTRY(MINIMAL "A6{A0{30{06092A864886F70D010101 0500} 03{0001020304}}}")),
                ADDED);
    get_all(&b);
    assert_field(&b, "BF55/A0/30/A6/A0/03", "0001020304");
    bench_close(&b);
}
END_TEST

START_TEST(another_ci_can_sign_its_results)
{
    char request[1024];
    struct bench b;

    bench_open_as(&b, &(struct bench_options){ .curve = CURVE_BRAINPOOL_P256R1 });
    size_t at = (size_t)snprintf(request, sizeof request, "BF57{A0{30{" MINIMAL "88{");
    for (size_t i = 0; i < SKI_LEN; i++)
        at +=
            (size_t)snprintf(request + at, sizeof request - at, "%02X", cert_ski(b.server.ci).p[i]);
    snprintf(request + at, sizeof request - at, "}}}}");
    card_expect(&b.card, request, ADDED);
    get_all(&b);
    ck_assert(rd_equal(answer_at(&b, "BF55/A0/30/88"), cert_ski(b.server.ci)));
    bench_close(&b);
}
END_TEST

/* --- hostile input ---------------------------------------------------------------------------- */

/* Either the eIM is there, and can be told and removed, or nothing has changed. */
static void assert_whole_or_nothing(struct bench *b, struct rd request, const char *before)
{
    char after[CARD_DIGEST_LEN];

    uint16_t sw = card_es10(&b->card, request);
    if (sw == 0x9000 && answer_has(b, "BF57/A0")) {
        get_all(b);
        ck_assert(answer_has(b, "BF55/A0/30/A5"));
        card_expect(&b->card, REMOVE_ALL, REMOVED_ALL);
        return;
    }
    ck_assert_msg(sw == 0x9000 || sw == 0x6A80 || sw == 0x6A88, "SW %04X (%s)", sw, b->card.why);
    ck_assert_uint_gt(b->card.checks, 0);
    if (before != NULL)
        ck_assert_str_eq(card_digest(&b->card, after), before);
}

/* A copy whose n first octets are what is sent. */
static void send_cut(struct bench *b, struct rd request, size_t n, const char *before)
{
    struct wr copy = message_copy(rd_of(request.p, n));

    assert_whole_or_nothing(b, wr_view(&copy), before);
    wr_done(&copy);
}

static void request_of(struct bench *b, int which)
{
    wr_clear(&b->request);
    if (which == 0)
        hex_put(&b->request, PUBLISHED);
    else
        put_certificates(b, "EIMsign/CERT_S_EIMsign_ECDSA_NIST.der", false, &b->request);
}

START_TEST(a_truncated_request_stores_nothing)
{
    char before[CARD_DIGEST_LEN];
    struct bench b;

    bench_open(&b);
    card_digest(&b.card, before);
    request_of(&b, _i);
    for (size_t n = 1; n < b.request.n; n++)
        send_cut(&b, wr_view(&b.request), n, before);
    bench_close(&b);
}
END_TEST

/* The lengths around what is left are right. */
START_TEST(a_truncated_configuration_is_whole_or_nothing)
{
    struct wr request;
    struct bench b;

    bench_open(&b);
    request_of(&b, _i);
    wr_init_heap(&request, MESSAGE_MAX);
    struct rd fields = message_at(wr_view(&b.request), "BF57/A0/30").value;
    for (size_t n = 0; n < fields.n; n++) {
        wr_clear(&request);
        struct wr_mark outer = tlv_open(&request, 0xBF57);
        struct wr_mark list = tlv_open(&request, 0xA0);
        tlv_put(&request, 0x30, rd_of(fields.p, n));
        tlv_close(&request, list);
        tlv_close(&request, outer);
        assert_whole_or_nothing(&b, wr_view(&request), NULL);
        card_expect(&b.card, "BF5500", NONE);
    }
    wr_done(&request);
    bench_close(&b);
}
END_TEST

START_TEST(a_changed_octet_is_whole_or_nothing)
{
    static const uint8_t masks[] = { 0x01, 0x20, 0x80, 0xFF };
    char before[CARD_DIGEST_LEN];
    struct bench b;

    bench_open(&b);
    b.card.echoes = true; /* a changed field may become one that asn1c's type does not know */
    request_of(&b, _i);
    card_digest(&b.card, before);
    for (size_t at = 2; at < b.request.n; at++) {
        for (size_t m = 0; m < N_ELEMS(masks); m++) {
            struct wr copy = message_copy(wr_view(&b.request));
            copy.p[at] ^= masks[m];
            assert_whole_or_nothing(&b, wr_view(&copy), NULL);
            wr_done(&copy);
        }
        card_expect(&b.card, "BF5500", NONE);
    }
    bench_close(&b);
}
END_TEST

/* --- tokens ----------------------------------------------------------------------------------- */

START_TEST(a_token_never_comes_again)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card, PUBLISHED, "BF57{A0{840101}}");
    card_expect(&b.card, REMOVE_ALL, REMOVED_ALL);
    card_expect(&b.card, "BF5500", NONE);
    card_expect(&b.card, PUBLISHED, "BF57{A0{840102}}");
    card_expect(&b.card, REMOVE_ALL, REMOVED_ALL);
    card_reset(&b.card);
    card_expect(&b.card, REQUEST(ENTRY(MINIMAL)), ADDED); /* takes none */
    card_expect(&b.card, REMOVE_ALL, REMOVED_ALL);
    card_expect(&b.card, PUBLISHED, "BF57{A0{840103}}");
    bench_close(&b);
}
END_TEST

/* What the terminal was told is never told again, wherever power goes. */
START_TEST(a_token_never_comes_again_after_a_cut)
{
    for (unsigned writes = 0, cut = 1; cut; writes++) {
        struct bench b;
        bench_open(&b);
        card_cut_after(&b.card, writes);
        card_es10_hex(&b.card, PUBLISHED);
        cut = b.card.off;
        card_cut_after(&b.card, 1 << 20);
        card_expect(&b.card, cut ? PUBLISHED : REMOVE_ALL, cut ? "BF57{A0{840101}}" : REMOVED_ALL);
        bench_close(&b);
        ck_assert_uint_lt(writes, 20);
    }
}
END_TEST

/* --- what an eIM changes ---------------------------------------------------------------------- */

/* A card with eim1, which has a token and counter 10. */
static void open_with_eim(struct bench *b, struct test_eim *eim, const char *setting)
{
    bench_open_set(b, setting);
    test_eim_open(eim, &b->server, "eim1", EIM_KEY_1);
    test_eim_associate(eim, &b->card, true);
    eim->counter = 10;
}

static void close_with_eim(struct bench *b, struct test_eim *eim)
{
    test_eim_close(eim);
    bench_close(b);
}

START_TEST(an_update_replaces_what_it_brings)
{
    struct test_eim eim;
    struct bench b;

    open_with_eim(&b, &eim, NULL);
    test_eim_do(&eim, &b.card, "A1{AA{" EIM_1 "}}", "8A0100");
    test_eim_do(&eim, &b.card, "A1{AA{" EIM_1 "81{612E62} 820102 8900}}", "8A0100");
    get_all(&b);
    assert_field(&b, "BF55/A0/30/81", "612E62");
    assert_field(&b, "BF55/A0/30/82", "02");
    assert_field(&b, "BF55/A0/30/87", "0308");
    assert_field(&b, "BF55/A0/30/A5/A0/03", "0004" POINT_1);
    test_eim_do(&eim, &b.card, "A1{AA{" EIM_1 "87020780 840109}}", "8A0100"); /* no token */
    get_all(&b);
    assert_field(&b, "BF55/A0/30/81", "612E62");
    assert_field(&b, "BF55/A0/30/84", "01");
    assert_field(&b, "BF55/A0/30/87", "0780");
    ck_assert(answer_has(&b, "BF55/A0/30/89"));
    close_with_eim(&b, &eim);
}
END_TEST

START_TEST(an_update_with_another_key_is_the_last_one_signed_with_the_old)
{
    struct test_eim eim, after;
    struct bench b;

    open_with_eim(&b, &eim, NULL);
    test_eim_open(&after, &b.server, "eim1", EIM_KEY_2);
    after.has_token = true;
    after.token = eim.token;
    test_eim_do(&eim, &b.card, "A1{AA{" EIM_1 "830100" KEY_2 "}}", "8A0100");
    test_eim_expect(&eim, &b.card, &(struct package_plan){ .list = "A1{AB00}" }, "unsigned");
    test_eim_do(&after, &b.card, "A1{AB00}", "AB{A0{30{" EIM_1 "}}}"); /* counter 1 */
    ck_assert_uint_eq(after.counter, 1);
    test_eim_close(&after);
    close_with_eim(&b, &eim);
}
END_TEST

static const struct {
    const char *fields, *code, *words;
} updates[] = {
    { "81{61}", "07", "eimId is missing" },
    { EIM_1 "817F00", "07", "no whole TLV" },
    { ID("65696D32") "81{61}", "01", "eimNotFound(1)" },
    { EIM_1 "81{FF}", "07", "eimFqdn" },
    { EIM_1 "820104", "07", "eimIdType" },
    { EIM_1 "A500", "07", "neither a public key nor" },
    { EIM_1 "A5{A0{" P384_KEY "}}", "07", "curve is not supported" },
    { EIM_1 CI_PKID_UNKNOWN, "03", "ciPKUnknown(3)" },
    { EIM_1 "830400800000", "06", "counterValueOutOfRange(6)" },
    { EIM_1 "830105", "06", "goes back without a new public key" },
    { EIM_1 "830105" KEY_1, "06", "goes back without a new public key" },
};

/* A damaged element ends the package before updateEim sees it. */
static bool is_damaged(const char *words)
{
    return strcmp(words, "no whole TLV") == 0;
}

START_TEST(each_wrong_update_is_refused)
{
    char list[512], answer[32];
    struct test_eim eim;
    struct wr before;
    struct bench b;

    open_with_eim(&b, &eim, NULL);
    get_all(&b);
    before = message_copy(wr_view(&b.card.data));
    snprintf(list, sizeof list, "A1{AA{%s}}", updates[_i].fields);
    snprintf(answer, sizeof answer, "8A01%s", updates[_i].code);
    if (is_damaged(updates[_i].words)) {
        test_eim_send(&eim, &b.card, &(struct package_plan){ .list = list });
    } else {
        test_eim_do(&eim, &b.card, list, answer);
        card_assert_why(&b.card, "updateEim: ");
        card_assert_why(&b.card, updates[_i].words);
    }
    get_all(&b);
    ck_assert(rd_equal(wr_view(&before), wr_view(&b.card.data)));
    test_eim_do(&eim, &b.card, "A1{AB00}", "AB{A0{30{" EIM_1 "}}}"); /* nor its counter */
    wr_done(&before);
    close_with_eim(&b, &eim);
}
END_TEST

START_TEST(a_counter_may_go_up)
{
    struct test_eim eim;
    struct bench b;

    open_with_eim(&b, &eim, NULL);
    test_eim_do(&eim, &b.card, "A1{AA{" EIM_1 "830120}}", "8A0100");
    test_eim_expect(&eim, &b.card, &(struct package_plan){ .list = "A1{AB00}", .counter = 0x20 },
                    "error 4");
    test_eim_expect(&eim, &b.card, &(struct package_plan){ .list = "A1{AB00}", .counter = 0x21 },
                    "AB{A0{30{" EIM_1 "}}}");
    close_with_eim(&b, &eim);
}
END_TEST

START_TEST(eims_are_added_listed_and_deleted)
{
    struct test_eim eim;
    struct bench b;

    open_with_eim(&b, &eim, "max_eims=3");
    test_eim_do(&eim, &b.card, "A1{A8{" MINIMAL_OF("61") "820101}}", "A8{020100}");
    test_eim_do(&eim, &b.card, "A1{A8{" MINIMAL_OF("62") "820102 8401FF}}", "A8{840102}");
    test_eim_do(&eim, &b.card, "A1{A8{" MINIMAL_OF("62") "}}", "A8{020102}");
    card_assert_why(&b.card, "addEim: associatedEimAlreadyExists(2)");
    test_eim_do(&eim, &b.card, "A1{A8{" MINIMAL_OF("63") "}}", "A8{020101}");
    card_assert_why(&b.card, "insufficientMemory(1)");
    test_eim_do(&eim, &b.card, "A1{AB00}",
                "AB{A0{30{" EIM_1 "} 30{" ID("61") "820101} 30{" ID("62") "820102}}}");
    test_eim_do(&eim, &b.card, "A1{A900}", "890107");
    card_assert_why(&b.card, "deleteEim: commandError(7): eimId is missing");
    test_eim_do(&eim, &b.card, "A1{A9{" ID("63") "}}", "890101");
    card_assert_why(&b.card, "deleteEim: eimNotFound(1)");
    test_eim_do(&eim, &b.card, "A1{A9{" ID("61") "} A9{" ID("62") "}}", "890100 890100");
    card_expect(&b.card, PUBLISHED, REFUSED("02"));
    test_eim_do(&eim, &b.card, "A1{A9{" EIM_1 "}}", "890102");
    card_expect(&b.card, "BF5500", NONE);
    card_expect(&b.card, PUBLISHED, "BF57{A0{840103}}");
    close_with_eim(&b, &eim);
}
END_TEST

/* A second eIM between two, deleted: the order of association stays. */
START_TEST(the_order_of_association_stays)
{
    struct test_eim eim;
    struct bench b;

    open_with_eim(&b, &eim, NULL);
    test_eim_do(&eim, &b.card, "A1{A8{" MINIMAL_OF("62") "} A8{" MINIMAL_OF("63") "}}",
                "A8{020100} A8{020100}");
    test_eim_do(&eim, &b.card, "A1{A9{" ID("62") "} A8{" MINIMAL_OF("61") "} AB00}",
                "890100 A8{020100}"
                "AB{A0{30{" EIM_1 "} 30{" ID("63") "} 30{" ID("61") "}}}");
    close_with_eim(&b, &eim);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("eim");

    suite_add(&s, the_published_request_gets_token_1_and_only_once);
    suite_add(&s, what_was_associated_is_told);
    suite_add(&s, defaults_are_filled_in);
    suite_add(&s, several_are_answered_in_their_order);
    suite_add(&s, order_and_forms_do_not_matter);
    suite_loop(&s, each_wrong_configuration_is_refused_and_changes_nothing, N_ELEMS(refusals));
    suite_add(&s, a_request_without_a_list_is_wrong_data);
    suite_add(&s, names_have_their_longest);
    suite_add(&s, no_more_than_max_eims);
    suite_add(&s, the_highest_counter_is_a_setting);
    suite_add(&s, version_1_0_has_fewer_codes_and_fields);
    suite_loop(&s, the_vendor_extension_came_with_version_1_3, 2);
    suite_add(&s, a_consumer_euicc_has_no_eims);
    suite_loop(&s, both_forms_of_a_certificate_are_one, 2);
    suite_add(&s, both_forms_of_a_public_key_are_one);
    suite_add(&s, the_key_for_tls_may_be_of_any_kind);
    suite_add(&s, another_ci_can_sign_its_results);
    suite_loop(&s, a_truncated_request_stores_nothing, 2);
    suite_loop(&s, a_truncated_configuration_is_whole_or_nothing, 2);
    suite_loop(&s, a_changed_octet_is_whole_or_nothing, 2);
    suite_add(&s, a_token_never_comes_again);
    suite_add(&s, a_token_never_comes_again_after_a_cut);
    suite_add(&s, an_update_replaces_what_it_brings);
    suite_add(&s, an_update_with_another_key_is_the_last_one_signed_with_the_old);
    suite_loop(&s, each_wrong_update_is_refused, N_ELEMS(updates));
    suite_add(&s, a_counter_may_go_up);
    suite_add(&s, eims_are_added_listed_and_deleted);
    suite_add(&s, the_order_of_association_stays);
    return suite_run(&s);
}
