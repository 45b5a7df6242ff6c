/* test_uicc.c - the UICC's own commands on a tree made by hand: SELECT and STATUS, contents of
 * files, administration, PINs, and which profile's files are the card's (TS 102 221, TS 102 222).
 *
 * A step is a command and the whole response that it must get; "." in it stands for any digit, "*"
 * for any number of them. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/dispatch.h"
#include "os/euicc.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum {
    PROFILE = 0x0010,
    OTHER_PROFILE = 0x0011,
    MAX_COMMAND = 600,
    RECORD = 64,     /* of EF.ARR */
    RULES_DF = 1,    /* everything for ADM1 */
    RULES_EF = 2,    /* READ always, UPDATE and INCREASE with PIN1, the rest with ADM1 */
    RULES_FIXED = 3, /* READ always, nothing else ever */
    RULES_ECC = 8,
    RULES_PIN2 = 9,  /* READ and UPDATE with the local PIN */
    RULES_IMSI = 10, /* READ with PIN1, the rest with ADM1 */
};

#define ADM1      " A406 83010A 950108"
#define PIN1      " A406 830101 950108"
#define PIN2      " A406 830181 950108"
#define USIM      "A0000000871002FF49FF0589"
#define ISIM      "A0000000871004FF49FF0589"
#define OPEN_ADM1 "0020000A083535353535353535"
#define VALUE_1   "30303030FFFFFFFF"
#define VALUE_2   "39393939FFFFFFFF"

static struct euicc card;
static struct crypto *crypto;
static uint8_t *response;
static char said[2 * APDU_MAX_RESPONSE + 1];

/* --- applets of the card ------------------------------------------------------------------ */

static int starts; /* selections of the server */

static int begin_server(struct session *s, struct wr *fci)
{
    (void)s;
    wr_put_u8(fci, 0xEE); /* no FCI of an ADF's server is ever answered */
    starts++;
    return 0;
}

static int serve(struct session *s, const struct apdu *a, struct wr *rsp)
{
    uint8_t *counter = session_data(s);

    (void)a;
    wr_put_u8(rsp, ++*counter);
    return 0;
}

static int take_envelope(struct session *s, struct rd data, struct wr *rsp)
{
    (void)s;
    if (data.p[0] != 0xD1)
        return ENVELOPE_NOT_MINE;
    wr_put_u8(rsp, 0x27);
    return 0;
}

/* 80 E2 P1 P2: profile P1P2 is wanted; with data, but the command fails. */
static int want(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)rsp;
    uicc_want(s->euicc, (uint16_t)(a->p1 << 8 | a->p2));
    return a->lc != 0 ? SW_CONDITIONS_OF_USE : 0;
}

static int answer_fci(struct session *s, struct wr *fci)
{
    (void)s;
    wr_put(fci, "\x6F\x00", 2);
    return 0;
}

static const struct command server_commands[] = { { false, 0x88, 0, "SERVE", serve, "-" } };
static const struct command manager_commands[] = { { true, 0xE2, 0, "WANT", want, "-" } };

static const struct applet keeper = { .name = "keeper",
                                      .aid = { 0xA0, 0x00, 0x00, 0x05, 0x59, 0x02 },
                                      .aid_len = 6 };
static const struct applet manager = { .name = "manager",
                                       .aid = { 0xA0, 0x00, 0x00, 0x05, 0x59, 0x01 },
                                       .aid_len = 6,
                                       .commands = manager_commands,
                                       .n_commands = 1,
                                       .select = answer_fci,
                                       .envelope = take_envelope };
static const struct applet server = { .name = "server",
                                      .aid = { 0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02 },
                                      .aid_len = 7,
                                      .serves_adfs = true,
                                      .commands = server_commands,
                                      .n_commands = 1,
                                      .session_size = 1,
                                      .select = begin_server };
static const struct applet *const applets[] = { &keeper, &manager, &server };

/* --- the tree ----------------------------------------------------------------------------- */

static uint16_t add(struct fs *fs, uint16_t parent, enum fs_kind kind, uint16_t fid,
                    uint16_t arr_fid, uint8_t arr_record)
{
    const struct fs_node n = { .fid = fid,
                               .parent = parent,
                               .kind = kind,
                               .life_cycle = FS_LCS_ACTIVATED,
                               .shareable = true,
                               .arr_fid = arr_fid,
                               .arr_record = arr_record };
    struct fs_node sized = n;
    uint16_t node;

    if (kind == FS_KIND_LINEAR || kind == FS_KIND_CYCLIC)
        sized.record_len = 1;
    ck_assert_int_eq(fs_add(fs, &sized, &node), 0);
    return node;
}

static void size(struct fs *fs, uint16_t node, uint8_t sfi, uint8_t record_len, uint32_t octets)
{
    fs->nodes[node].sfi = sfi;
    fs->nodes[node].record_len = record_len;
    fs->nodes[node].size = octets;
}

static void contents(struct fs *fs, uint16_t node, uint32_t offset, const char *text)
{
    uint8_t *p;

    ck_assert_int_eq(fs_body(fs, node, &p), 0);
    hex(text, p + offset, fs->nodes[node].size - offset);
}

static void pins(struct fs *fs, uint16_t node, const char *references)
{
    struct fs_node *n = &fs->nodes[node];

    n->n_pins = (uint8_t)hex(references, n->pins, FS_MAX_PINS);
}

static void adf(struct fs *fs, uint16_t node, const char *aid)
{
    struct fs_node *n = &fs->nodes[node];

    n->aid_len = (uint8_t)hex(aid, n->aid, FS_AID_MAX);
    pins(fs, node, "01810A0B");
}

static void add_rules(struct fs *fs, uint16_t df, uint16_t fid)
{
    static const struct {
        unsigned record;
        const char *rules;
    } records[] = {
        { RULES_DF, "80017F" ADM1 },
        { RULES_EF, "8001019000 800102" PIN1 "800178" ADM1 "840132" PIN1 "8401D4" ADM1 },
        { RULES_FIXED, "8001019000 80015A9700" },
        { RULES_ECC, "8001019000 80015A" ADM1 },
        { RULES_PIN2, "800103" PIN2 },
        { RULES_IMSI, "800101" PIN1 "80015A" ADM1 },
    };
    uint16_t arr = add(fs, df, FS_KIND_LINEAR, fid, 0x2F06, RULES_FIXED);

    size(fs, arr, 6, RECORD, 10 * RECORD);
    for (size_t i = 0; i < N_ELEMS(records); i++)
        contents(fs, arr, (records[i].record - 1) * RECORD, records[i].rules);
}

static void add_mf(struct fs *fs)
{
    uint16_t mf = add(fs, FS_NONE, FS_KIND_MF, FID_MF, 0x2F06, RULES_DF);

    pins(fs, mf, "010A0B");
    add_rules(fs, mf, 0x2F06);
    uint16_t iccid = add(fs, mf, FS_KIND_TRANSPARENT, 0x2FE2, 0x2F06, RULES_FIXED);
    size(fs, iccid, 0, 0, 10);
    fs->nodes[iccid].special = FS_SPECIAL_USABLE_WHEN_DEACTIVATED;
    contents(fs, iccid, 0, "98001032547698103214");
    uint16_t dir = add(fs, mf, FS_KIND_LINEAR, 0x2F00, 0x2F06, RULES_FIXED);
    size(fs, dir, 0x1E, 4, 8);
}

static void add_telecom(struct fs *fs)
{
    uint16_t df = add(fs, FS_MF, FS_KIND_DF, 0x7F10, 0x2F06, RULES_DF);
    uint16_t inner = add(fs, df, FS_KIND_DF, 0x5F3A, 0x2F06, RULES_DF);
    uint16_t adn = add(fs, df, FS_KIND_LINEAR, 0x6F3A, 0x2F06, RULES_EF);
    uint16_t own = add(fs, df, FS_KIND_TRANSPARENT, 0x6F4A, 0x2F06, RULES_PIN2);

    size(fs, own, 0, 0, 2);
    size(fs, adn, 1, 4, 16);
    contents(fs, adn, 0, "A1A2A3A4 B1A3A4A5 C1C2A3A4 D1D2D3D4");
    size(fs, add(fs, inner, FS_KIND_TRANSPARENT, 0x4F30, 0x2F06, RULES_EF), 0, 0, 3);
    pins(fs, df, "0181");
}

static void add_usim(struct fs *fs)
{
    uint16_t usim = add(fs, FS_MF, FS_KIND_ADF, 0x7FD0, 0x2F06, RULES_DF);

    adf(fs, usim, USIM);
    add_rules(fs, usim, 0x6F06);
    uint16_t imsi = add(fs, usim, FS_KIND_TRANSPARENT, 0x6F07, 0x6F06, RULES_IMSI);
    size(fs, imsi, 7, 0, 9);
    contents(fs, imsi, 0, "080910101032547698");
    uint16_t ecc = add(fs, usim, FS_KIND_LINEAR, 0x6FB7, 0x6F06, RULES_ECC);
    size(fs, ecc, 1, 14, 28);
    uint16_t acm = add(fs, usim, FS_KIND_CYCLIC, 0x6F39, 0x6F06, RULES_EF);
    size(fs, acm, 2, 3, 9);
    contents(fs, acm, 0, "000003 000002 000001");
    uint16_t gsm = add(fs, usim, FS_KIND_DF, 0x5F3B, 0x2F06, RULES_DF);
    size(fs, add(fs, gsm, FS_KIND_TRANSPARENT, 0x4F20, 0x6F06, RULES_EF), 1, 0, 300);
    uint16_t objects = add(fs, usim, FS_KIND_BER_TLV, 0x6FCE, 0x6F06, RULES_EF);
    size(fs, objects, 3, 0, 16);
    fs->nodes[objects].max_size = 1000;
    contents(fs, objects, 0, "810155 8203112233");
    uint16_t alone = add(fs, usim, FS_KIND_TRANSPARENT, 0x6F78, 0x6F06, RULES_EF);
    size(fs, alone, 0, 0, 2);
    fs->nodes[alone].shareable = false;
}

static void add_pin(const struct fs *fs, uint16_t context, uint8_t reference, const char *value,
                    uint8_t attributes, uint8_t puk)
{
    struct pin pin = {
        .reference = reference, .context = context, .puk = puk, .attributes = attributes, .max = 3
    };

    hex(value, pin.value, PIN_LEN);
    ck_assert_int_eq(pin_store(card.nvm, fs->prefix, &pin, 3), 0);
}

static void add_pins(const struct fs *fs)
{
    struct puk puk = { .reference = 1, .max = 10 };
    uint16_t telecom = fs_child(fs, FS_MF, 0x7F10), usim = fs_child(fs, FS_MF, 0x7FD0);

    add_pin(fs, FS_MF, 0x01, VALUE_1, PIN_CHANGEABLE | PIN_DISABLEABLE, 0x01);
    add_pin(fs, FS_MF, 0x0A, "3535353535353535", PIN_ENABLED | PIN_CHANGEABLE, 0);
    add_pin(fs, FS_MF, 0x0B, "3636363636363636", PIN_ENABLED | PIN_CHANGEABLE, 0);
    add_pin(fs, telecom, 0x81, VALUE_2, PIN_ENABLED | PIN_CHANGEABLE, 0);
    add_pin(fs, usim, 0x81, "38383838FFFFFFFF", PIN_ENABLED | PIN_CHANGEABLE, 0);
    memset(puk.value, '1', sizeof puk.value);
    ck_assert_int_eq(puk_store(card.nvm, fs->prefix, &puk, 10), 0);
}

static void store_profile(void)
{
    struct fs fs;

    fs_init(&fs, PROFILE);
    add_mf(&fs);
    add_telecom(&fs);
    add_usim(&fs);
    adf(&fs, add(&fs, FS_MF, FS_KIND_ADF, 0x7FB0, 0x2F06, RULES_DF), ISIM);
    add_pins(&fs);
    ck_assert_int_eq(fs_store(&fs, card.nvm), 0);
    fs_done(&fs);
}

static void store_other_profile(void)
{
    struct fs fs;

    fs_init(&fs, OTHER_PROFILE);
    add_mf(&fs);
    ck_assert_int_eq(fs_store(&fs, card.nvm), 0);
    fs_done(&fs);
}

/* --- a card for each test ----------------------------------------------------------------- */

static void mount(uint16_t profile)
{
    uicc_want(&card, profile);
    ck_assert_int_eq(uicc_mount(&card), 0);
}

static void begin(void)
{
    static const struct trace none;

    if (crypto == NULL)
        crypto = crypto_new(rd_str("test_uicc"));
    response = malloc(APDU_MAX_RESPONSE);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(
        euicc_init(&card, nvm_open_memory(&none), crypto, none, applets, N_ELEMS(applets)), 0);
    store_profile();
    store_other_profile();
    ck_assert_int_eq(nvm_commit(card.nvm), 0);
    ck_assert_int_eq(euicc_power_on(&card), 0);
    mount(PROFILE);
    starts = 0;
}

static void end(void)
{
    euicc_done(&card);
    free(response);
}

static void reset(void)
{
    ck_assert_int_eq(euicc_power_on(&card), 0);
    mount(PROFILE);
}

/* --- steps -------------------------------------------------------------------------------- */

/* One command; the response goes to said.  What is refused leaves the storage as it was. */
static void send(const char *command)
{
    struct rd c = exact_copy(command);
    uint64_t commits = nvm_commits(card.nvm);
    size_t n = euicc_transmit(&card, c.p, c.n, response);

    exact_free(&c);
    for (size_t i = 0; i < n; i++)
        snprintf(said + 2 * i, 3, "%02X", response[i]);
    said[2 * n] = '\0';
    if (n < 2)
        return;
    uint8_t sw1 = response[n - 2];
    if (sw1 != 0x90 && sw1 != 0x91 && sw1 != 0x61 && sw1 != 0x63)
        ck_assert_msg(commits == nvm_commits(card.nvm), "%s: %s, but stored", command, said);
    ck_assert(!nvm_is_dirty(card.nvm));
}

static bool is_like(const char *text, const char *wanted)
{
    while (isspace((unsigned char)*wanted))
        wanted++;
    if (*wanted == '*')
        return is_like(text, wanted + 1) || (*text != '\0' && is_like(text + 1, wanted));
    if (*text == '\0' || *wanted == '\0')
        return *text == *wanted;
    return (*wanted == '.' || *wanted == *text) && is_like(text + 1, wanted + 1);
}

static void expect_at(int line, const char *command, const char *wanted)
{
    send(command);
    ck_assert_msg(is_like(said, wanted), "line %d: %s: %s, not %s", line, command, said, wanted);
}
#define expect(command, wanted) expect_at(__LINE__, command, wanted)

/* A command with an FCP template of these contents. */
static const char *with_fcp(const char *header, const char *contents)
{
    static char command[2 * MAX_COMMAND];
    uint8_t octets[MAX_COMMAND];
    size_t n = hex(contents, octets, sizeof octets);

    snprintf(command, sizeof command, "%s%02zX62%02zX%s", header, n + 2, n, contents);
    return command;
}
#define create(contents, wanted) expect(with_fcp("00E00000", contents), wanted)
#define resize(contents, wanted) expect(with_fcp("80D40000", contents), wanted)

static void select_usim(void)
{
    expect("00A4040C0C" USIM, "9000");
}

static void select_telecom(void)
{
    expect("00A4080C027F10", "9000");
}

/* --- what is selected --------------------------------------------------------------------- */

START_TEST(tells_an_fcp_octet_by_octet)
{
    expect("00A40004023F0000", "622C 82027821 83023F00 A50C 800171 8304........ 870101 8A0105"
                               "8B032F0601 C60C 900160 830101 83010A 83010B 9000");
    expect("00A404040C" USIM "00",
           "623D 82027821 83027FD0 840C" USIM "A50C 800171 8304........ 870101 8A0105 8B032F0601"
           "C60F 900170 830101 830181 83010A 83010B 9000");
    expect("00A40004026F0700", "6217 82024121 83026F07 8A0105 8B036F060A 80020009 880138 9000");
    expect("00A40004026FB700", "621A 82054221000E02 83026FB7 8A0105 8B036F0608 8002001C 880108"
                               "9000");
    expect("00A40004026F3900", "621A 82054621000303 83026F39 8A0105 8B036F0602 80020009 880110"
                               "9000");
    expect("00A40004026FCE00", "6224 82027921 83026FCE A50B 85020010 860203E8 840101 8A0105"
                               "8B036F0602 80020010 880118 9000");
    expect("00A40004026F7800", "6216 82020121 83026F78 8A0105 8B036F0602 80020002 8800 9000");
    expect("00A40804022FE200", "621B 82024121 83022FE2 A503C00140 8A0105 8B032F0603 8002000A 8800"
                               "9000");
    expect("00A40804027F1000", "6223 82027821 83027F10 A506 8304........ 8A0105 8B032F0601 C609"
                               "900140 830101 830181 9000");
}
END_TEST

START_TEST(tells_an_fcp_without_le_behind_61xx_and_none_when_not_asked)
{
    expect("00A4000C022FE2", "9000");
    expect("00A40004022FE2", "611D");
    expect("00C000001D", "621B82024121*9000");
    expect("00A40000022FE200", "621B82024121*9000");
}
END_TEST

START_TEST(says_that_nothing_is_allowed_when_there_is_no_rule)
{
    expect(OPEN_ADM1, "9000");
    card.uicc.fs.nodes[fs_child(&card.uicc.fs, FS_MF, 0x2F00)].arr_record = 0;
    expect("00A40004022F0000", "6218 82054221000402 83022F00 8A0105 8C0100 80020008 8801F0 9000");
    expect("00B2010404", "6982");
}
END_TEST

START_TEST(searches_by_fid_in_the_order_of_the_specification)
{
    select_telecom();
    expect("00A4000C026F3A", "9000"); /* a child; from now on a sibling of the current EF */
    expect("00A4000C025F3A", "9000"); /* a child DF */
    expect("00A4000C027F10", "9000"); /* the parent */
    expect("00A4000C025F3A", "9000");
    expect("00A4000C025F3A", "9000"); /* itself */
    expect("00A4000C026F3A", "6A82"); /* an EF of the parent is not in reach */
    expect("00A4000C023F00", "9000");
    select_telecom();
    expect("00A4000C027FD0", "9000"); /* beside it: an application */
    expect("80F200010E", "840C" USIM "9000");
    expect("00A4000C025F3B", "9000");
    expect("00A4000C026F07", "6A82");
    expect("00A4000C027FFF", "9000"); /* the current application */
    expect("00A4000C026F07", "9000");
    expect("00A4000C", "9000"); /* the MF */
    expect("00B0000001", "6986");
}
END_TEST

START_TEST(selects_child_parent_and_paths)
{
    expect("00A4010C027F10", "9000");
    expect("00A4010C026F3A", "6A82"); /* no DF */
    expect("00A4010C025F3A", "9000");
    expect("00A4030C", "9000");
    expect("00A4000C026F3A", "9000");
    expect("00A40304", "61..");
    expect("00A4030C", "6A82"); /* the MF has no parent */
    expect("00A4080C067F105F3A4F30", "9000");
    expect("00A4080C083F007F105F3A4F30", "9000");
    expect("00A4080C047F104F30", "6A82");
    expect("00A4080C047FFF6F07", "6A82"); /* no application yet */
    select_usim();
    expect("00A4080C047F106F3A", "9000");
    expect("00A4080C047FFF6F07", "9000");
    expect("00A4090C045F3B4F20", "9000");
    expect("00A4090C025F3B", "6A82"); /* it is in it */
    expect("00A4090C", "6700");
    expect("00A4080C037F1000", "6700");
    expect("00A4000C037F1000", "6700");
    expect("00A4020C027F10", "6A86");
    expect("00A4000D027F10", "6A86");
    expect("00A40010027F10", "6A86");
    expect("00A40084027F10", "6A86");
    expect("00A40040027F10", "6A86");
}
END_TEST

START_TEST(a_failed_select_changes_nothing)
{
    select_usim();
    expect("00A4000C026F07", "9000");
    expect("00A4000C026F08", "6A82");
    expect("00A4040C05A000000099", "6A82");
    expect("00A4080C047F106F99", "6A82");
    expect("00B0000001", "089000");
    expect("80F200010E", "840C" USIM "9000");
}
END_TEST

START_TEST(finds_applications_by_partial_aid_first_last_next_previous)
{
    expect("00A4040C07A0000000871002", "9000");
    expect("80F200010E", "840C" USIM "9000");
    expect("00A4040C05A000000087", "9000"); /* first */
    expect("80F200010E", "840C" USIM "9000");
    expect("00A4040E05A000000087", "9000"); /* next */
    expect("80F200010E", "840C" ISIM "9000");
    expect("00A4040E05A000000087", "6A82");
    expect("00A4040F05A000000087", "9000"); /* previous */
    expect("80F200010E", "840C" USIM "9000");
    expect("00A4040F05A000000087", "6A82");
    expect("00A4040D05A000000087", "9000"); /* last */
    expect("80F200010E", "840C" ISIM "9000");
    expect("00A4040C0D" USIM "00", "6A82");
    expect("00A4040C", "6A82");
}
END_TEST

START_TEST(walks_over_all_applications)
{
    static const char *const aids[] = { USIM, ISIM, "A00000055901", "A00000055902" };

    for (size_t i = 0; i < N_ELEMS(aids); i++) {
        char wanted[64];
        expect(i == 0 ? "00A4040C01A0" : "00A4040E01A0", "9000");
        snprintf(wanted, sizeof wanted, "84%02zX%s9000", strlen(aids[i]) / 2, aids[i]);
        expect("80F2000100", wanted);
    }
    expect("00A4040E01A0", "6A82");
    for (size_t i = N_ELEMS(aids) - 1; i > 0; i--)
        expect("00A4040F01A0", "9000");
    expect("00A4040F01A0", "6A82");
    expect("80F200010E", "840C" USIM "9000");
}
END_TEST

START_TEST(an_adf_has_its_server_and_no_server_is_found_by_its_aid)
{
    expect("0088000000", "6D00");
    expect("00A404040C" USIM "00", "623D82027821*9000"); /* not what the server wrote */
    ck_assert_int_eq(starts, 1);
    expect("0088000000", "019000");
    expect("00A4000C026F07", "9000"); /* the application goes on */
    expect("00A4000C023F00", "9000");
    expect("0088000000", "029000");
    ck_assert_int_eq(starts, 1);
    select_usim(); /* and begins again */
    expect("0088000000", "019000");
    expect("00A4040C0C" ISIM, "9000"); /* nobody serves this one */
    expect("0088000000", "6D00");
    expect("00A4000C027FD0", "9000");
    expect("0088000000", "019000");
    ck_assert_int_eq(starts, 3);
    mount(OTHER_PROFILE);
    expect("00A4040C07A0000000871002", "6A82");
    expect("0088000000", "6D00");
}
END_TEST

START_TEST(ends_an_application_session)
{
    expect("00A4044C07A0000000871002", "6A82"); /* there is none */
    select_usim();
    expect("00A4044C07A0000000871004", "6A82");
    expect("00A4044407A0000000871002", "9000");
    expect("80F20001", "9000");
    expect("0088000000", "6D00");
    expect("00A4000C027FFF", "6A82");
}
END_TEST

/* TS 102 221 9.4: the PIN of the application and those that are local to it. */
START_TEST(the_pins_of_an_application_end_with_its_session)
{
    expect(OPEN_ADM1, "9000");
    expect("0028000108" VALUE_1, "9000");
    select_telecom();
    expect("0020008108" VALUE_2, "9000");
    select_usim();
    expect("002000810838383838FFFFFFFF", "9000");
    expect("00B0870009", "0809101010325476989000");
    expect("00A4044C07A0000000871002", "9000");
    select_usim();
    expect("00B0870009", "6982");
    expect("0120000A", "6881");
    create("82024121 83026F50 8A0105 8B036F0609 80020001 8800",
           "9000");               /* ADM1 is verified still */
    expect("00B0000001", "6982"); /* its own PIN is not */
    expect("00A4080C047F106F4A", "9000");
    expect("00B0000001", "FF9000"); /* that of a DF outside is */
}
END_TEST

START_TEST(pins_stay_verified_while_another_channel_has_the_application)
{
    expect("0028000108" VALUE_1, "9000");
    expect("0070000001", "019000");
    expect("0070000001", "029000");
    select_usim();
    expect("002000810838383838FFFFFFFF", "9000");
    expect("01A4040C0C" USIM, "9000");
    expect("02A4040C0C" ISIM, "9000"); /* has PIN1 as well, and another local one */
    expect("01A4044C07A0000000871002", "9000");
    expect("00B0870009", "0809101010325476989000");
    ck_assert_uint_eq(card.uicc.pins.n, 2);
    expect("00A4044C07A0000000871002", "9000");
    ck_assert_uint_eq(card.uicc.pins.n, 1); /* PIN1, for the ISIM */
    select_usim();
    expect("00B0870009", "0809101010325476989000");
    expect("0070800200", "9000"); /* closing ends no verification, nor does another application */
    expect("00A4040C06A00000055901", "9000");
    select_usim();
    expect("00B0870009", "0809101010325476989000");
    expect("00A4044C07A0000000871002", "9000");
    ck_assert_uint_eq(card.uicc.pins.n, 0);
}
END_TEST

START_TEST(an_applet_without_files_has_no_current_ef)
{
    select_usim();
    expect("00A4000C026F07", "9000");
    expect("00A4040406A0000005590100", "6F009000");
    expect("80F2000000", "6F009000");
    expect("80F2000100", "8406A000000559019000");
    expect("00B0000001", "6986");
    expect("00B2010C00", "6A82");
    expect("00E40000022FE2", "6A82");
    expect("00A4000C026F99", "6A82"); /* and stays selected when a SELECT fails */
    expect("80E2001000", "9000");
    expect("00A4000C022FE2", "9000"); /* files are below the MF */
    expect("80E2001000", "6D00");
}
END_TEST

START_TEST(status_tells_the_current_df)
{
    select_telecom();
    expect("00A4000C026F3A", "9000");
    expect("80F2000000", "62238202782183027F10*9000");
    expect("80F2010C", "9000");
    expect("80F2020C", "9000");
    expect("80F2030C", "6A86");
    expect("80F2000200", "6A86");
    expect("80F20001", "9000");
    expect("00F2000000", "6E00");
}
END_TEST

START_TEST(deactivated_files_say_so_and_can_be_used_only_if_marked)
{
    expect(OPEN_ADM1, "9000");
    select_telecom();
    expect("00040000026F3A", "9000");
    expect("00A40004026F3A00",
           "621A82054221000404 83026F3A 8A0104 8B032F0602 80020010 880108 6283");
    expect("00A4000C026F3A", "6283");
    expect("00A40004026F3A", "6283"); /* TS 102 221 7.3.1.1.4 */
    expect("00C0000083", "6C1C");
    expect("00C000001C", "621A*9000"); /* the status of GET RESPONSE is its own */
    expect("00C0000000", "6985");
    expect("00B2010404", "6984");
    expect("00DC01040411223344", "6984");
    expect("00440000", "9000"); /* the current one */
    expect("00B2010404", "A1A2A3A49000");
    expect("00A40804022FE200", "621B*9000");
    expect("00040000022FE2", "6982");
    card.uicc.fs.nodes[fs_child(&card.uicc.fs, FS_MF, 0x2FE2)].life_cycle = 0x04;
    expect("00A4000C022FE2", "6283");
    expect("00B0000001", "989000");
}
END_TEST

START_TEST(terminated_files_end_for_ever)
{
    select_telecom();
    expect("00E80000026F3A", "6982");
    expect(OPEN_ADM1, "9000");
    expect("00E60000026F3A", "6981");
    expect("00E80000025F3A", "6981");
    expect("00E80000026F3A", "9000");
    expect("00A4000C026F3A", "6285");
    expect("00B2010404", "6985");
    expect("00440000026F3A", "6985");
    resize("83026F3A 80020008", "6985");
    expect("00A4000C025F3A", "9000");
    expect("00A4000C024F30", "9000");
    expect("00A4030C", "9000");
    expect("00E60000025F3A", "9000");
    reset();
    expect("00A4080C067F105F3A4F30", "9000"); /* itself it is not terminated */
    expect("00B0000001", "6985");
    expect("00A4080C047F105F3A", "6285");
    expect(OPEN_ADM1, "9000");
    create("82024121 83024F31 8A0105 8B032F0602 80020001 8800", "6985"); /* nothing more in it */
    resize("83024F30 80020001", "6985");
    expect("00040000024F30", "6985");
    expect("00E40000024F30", "9000");
}
END_TEST

START_TEST(terminate_card_usage_ends_the_profile_only)
{
    expect("00FE0000", "6982");
    expect(OPEN_ADM1, "9000");
    expect("00FE0100", "6A86");
    expect("00FE0000", "9000");
    expect("00A4000C023F00", "6285");
    expect("00A4000C022FE2", "9000");
    expect("00B0000001", "6985");
    expect("00A4040C06A00000055901", "9000");
}
END_TEST

START_TEST(a_file_that_is_not_shareable_is_current_on_one_channel)
{
    select_usim();
    expect("00A4000C026F78", "9000");
    expect("00A4000C026F78", "9000");
    expect("0070000001", "019000");
    expect("01A4040C0C" USIM, "9000");
    expect("01A4000C026F78", "6985");
    card.uicc.fs.nodes[card.sessions[0]->files.ef].sfi = 0x1A;
    expect("01B09A0001", "6985"); /* nor by its SFI */
    expect("00B09A0001", "FF9000");
    expect("00A4000C026F07", "9000");
    expect("01A4000C026F78", "9000");
}
END_TEST

/* --- channels ----------------------------------------------------------------------------- */

START_TEST(each_channel_stands_where_it_went)
{
    expect("0070000001", "019000");
    select_usim();
    expect("00A4000C026F07", "9000");
    expect("01A4080C047F106F3A", "9000");
    expect("00B0000001", "089000");
    expect("01B2000204", "A1A2A3A49000");
    expect("01B2000204", "B1A3A4A59000");
    expect("01A4000C027FFF", "6A82");
    expect("01B0000001", "6981");
    expect("00B2000204", "6981");
}
END_TEST

START_TEST(a_channel_opened_from_another_stands_beside_it)
{
    expect("0070000001", "019000");
    expect("01A4040C0C" USIM, "9000");
    expect("01A4000C025F3B", "9000");
    expect("01A4000C024F20", "9000");
    expect("0170000001", "029000");
    expect("0288000000", "019000"); /* its own session with the server */
    expect("02A4000C024F20", "9000");
    expect("02A4000C027FFF", "9000");
    expect("0070000001", "039000"); /* from the basic channel: at the MF */
    expect("03A4000C024F20", "6A82");
    expect("0170000400", "9000"); /* a named one, too */
    expect("40A4000C024F20", "9000");
}
END_TEST

START_TEST(a_channel_opened_where_one_only_can_be_stands_at_the_mf)
{
    card.uicc.fs.nodes[fs_child(&card.uicc.fs, FS_MF, 0x7F10)].shareable = false;
    expect("0070000001", "019000");
    expect("01A4080C027F10", "9000");
    expect("0170000001", "029000");
    expect("82F2000000", "62*83023F00*9000");
    expect("02A4000C027F10", "6985");
}
END_TEST

START_TEST(a_verified_pin_holds_on_all_channels_until_the_reset)
{
    expect("0070000001", "019000");
    expect("00B2010C00", "6A82");
    expect("0128000108" VALUE_1, "9000"); /* PIN1 is enabled and verified */
    select_usim();
    expect("00B0870009", "0809101010325476989000");
    reset();
    select_usim();
    expect("00B0870009", "6982");
    expect("0020000108" VALUE_1, "9000");
    expect("00B0870009", "0809101010325476989000");
}
END_TEST

/* --- contents of transparent EFs ---------------------------------------------------------- */

START_TEST(reads_a_transparent_ef)
{
    expect("00A4000C022FE2", "9000");
    expect("00B000000A", "980010325476981032149000");
    expect("00B0000000", "980010325476981032149000");
    expect("00B0000903", "146282"); /* less than Le */
    expect("00B0000900", "149000");
    expect("00B0000A01", "6B00");
    expect("00B07FFF01", "6B00");
    expect("00B00000", "6C0A");
    expect("00B00000000000", "980010325476981032149000");
    expect("00A4000C022F00", "9000");
    expect("00B0000001", "6981");
}
END_TEST

START_TEST(names_an_ef_by_its_sfi)
{
    expect("00B0870001", "6A82"); /* not in the MF */
    select_usim();
    expect("00B0800001", "6A86");
    expect("00B0A70001", "6A86");
    expect("00B0810001", "6981");
    expect("00B0870801", "989000");
    expect("00B0000801", "989000"); /* it is current now */
    expect("00B0000901", "6B00");
}
END_TEST

START_TEST(writes_a_transparent_ef)
{
    select_usim();
    expect("00A4090C045F3B4F20", "9000");
    expect("00D60000021122", "9000");
    expect("00D6012A02AABB", "9000");
    expect("00D6012B02AABB", "6700");
    expect("00D6012C01AA", "6B00");
    expect("00D60000", "6700");
    expect("00B0000003", "1122FF9000");
    expect("00B0012A00", "AABB9000");
    reset();
    select_usim();
    expect("00A4000C025F3B", "9000");
    expect("00B0810002", "11229000");
}
END_TEST

START_TEST(asks_the_rules_before_anything_else)
{
    expect("00A4000C022FE2", "9000");
    expect("00D60000FF", "6700");
    expect("00D600000100", "6982");
    expect(OPEN_ADM1, "9000");
    expect("00D600000100", "6982"); /* NEVER, even so */
    select_usim();
    expect("00D6870001FF", "9000");
    expect("00B0870001", "FF9000"); /* READ with PIN1, which is disabled */
    expect("0028000108" VALUE_1, "9000");
    reset();
    select_usim();
    expect("00B0870001", "6982");
    select_telecom();
    expect("00A4000C026F4A", "9000");
    expect("00B0000001", "6982"); /* the local PIN of this DF */
    expect("0020008108" VALUE_2, "9000");
    expect("00B0000001", "FF9000");
}
END_TEST

START_TEST(a_remote_session_may_do_all_but_what_is_never)
{
    static const uint8_t select[] = { 0x00, 0xA4, 0x08, 0x0C, 0x04, 0x7F, 0xD0, 0x6F, 0x07 };
    static const uint8_t write[] = { 0x00, 0xD6, 0x00, 0x00, 0x01, 0x09 };
    static const uint8_t select_iccid[] = { 0x00, 0xA4, 0x08, 0x0C, 0x02, 0x2F, 0xE2 };
    struct session *s = session_new(&card, 0xFF);
    const struct cla cla = { 0 };
    struct apdu a;

    s->remote = true;
    ck_assert_uint_eq(apdu_parse(select, sizeof select, &a), SW_OK);
    ck_assert_uint_eq(dispatch(s, &cla, &a), SW_OK);
    ck_assert_uint_eq(apdu_parse(write, sizeof write, &a), SW_OK);
    ck_assert_uint_eq(dispatch(s, &cla, &a), SW_OK);
    ck_assert_uint_eq(apdu_parse(select_iccid, sizeof select_iccid, &a), SW_OK);
    ck_assert_uint_eq(dispatch(s, &cla, &a), SW_OK);
    ck_assert_uint_eq(apdu_parse(write, sizeof write, &a), SW_OK);
    ck_assert_uint_eq(dispatch(s, &cla, &a), SW_SECURITY_STATUS);
    session_free(&s);
    select_usim();
    expect("00B0870001", "099000");
}
END_TEST

/* --- records ------------------------------------------------------------------------------ */

static void select_adn(void)
{
    expect("00A4080C047F106F3A", "9000");
}

START_TEST(reads_records_absolute_next_previous_current)
{
    select_adn();
    expect("00B2000404", "6A83"); /* the pointer is undefined */
    expect("00B2010404", "A1A2A3A49000");
    expect("00B2000404", "6A83"); /* and absolute reading leaves it so */
    expect("00B2040400", "D1D2D3D49000");
    expect("00B2050404", "6A83");
    expect("00B2FF0404", "6A83");
    expect("00B2000204", "A1A2A3A49000");
    expect("00B2000404", "A1A2A3A49000");
    expect("00B2000304", "6A83");
    expect("00B2000204", "B1A3A4A59000");
    expect("00B2000304", "A1A2A3A49000");
    select_adn();
    expect("00B2000304", "D1D2D3D49000"); /* undefined: the last one */
    expect("00B2000204", "6A83");
    expect("00B2000404", "D1D2D3D49000");
    expect("00B2010204", "6A86");
    expect("00B2010004", "6A86");
    expect("00B2010504", "6A86");
    expect("00B2010403", "6C04");
    expect("00B2010405", "6C04");
    expect("00B20104", "6C04");
}
END_TEST

START_TEST(names_a_record_file_by_its_sfi)
{
    select_telecom();
    expect("00B2020C04", "B1A3A4A59000");
    expect("00B2000204", "A1A2A3A49000");
    expect("00B2000A04", "A1A2A3A49000"); /* the pointer begins anew */
    expect("00B201FC04", "6A86");
    expect("00B201F404", "6A82");
    expect("00B2050C04", "6A83");
}
END_TEST

START_TEST(writes_records)
{
    select_adn();
    expect("00DC010403112233", "6700");
    expect("00DC0104051122334455", "6700");
    expect("00DC05040411223344", "6A83");
    expect("00DC02040411223344", "9000");
    expect("00B2020404", "112233449000");
    expect("00DC00020421222324", "9000"); /* next: the first */
    expect("00DC00020431323334", "9000");
    expect("00B2000404", "313233349000");
    expect("00DC00040441424344", "9000"); /* current */
    expect("00DC00030451525354", "9000"); /* previous */
    expect("00DC00030451525354", "6A83");
    expect("00B2010404", "515253549000");
    expect("00B2020404", "414243449000");
    expect("00B2040404", "D1D2D3D49000");
    expect("00DC01020411223344", "6A86");
}
END_TEST

START_TEST(a_cyclic_ef_begins_with_the_newest_record_and_goes_around)
{
    select_usim();
    expect("00A4000C026F39", "9000");
    expect("00B2000403", "0000039000"); /* selected: the pointer is at the newest */
    expect("00B2000203", "0000029000");
    expect("00B2000203", "0000019000");
    expect("00B2000203", "0000039000");
    expect("00B2000303", "0000019000");
    expect("00DC010403000004", "6981");
    expect("00DC000203000004", "6981");
    expect("00DC000303000004", "9000");
    expect("00B2000403", "0000049000");
    expect("00B2010403", "0000049000");
    expect("00B2030403", "0000029000");
}
END_TEST

START_TEST(searches_records)
{
    select_adn();
    expect("00A2010402A3A400", "0102039000");
    expect("00B2000404", "A1A2A3A49000"); /* the pointer is at the first hit */
    expect("00A2020402A3A400", "02039000");
    expect("00A2030502A3A400", "0302019000");
    expect("00A2020502A3A4", "6102");
    expect("00A2010401EE00", "6282");
    expect("00A2010402A3A4", "6103");
    expect("00A2010405112233445500", "6700");
    expect("00A2050401A3", "6A83");
    expect("00A2010301A3", "6A86");
    expect("00A2010701A3", "6A86");
    expect("00A20104", "6700");
    select_telecom();
    expect("00A2010C02A3A400", "0102039000"); /* by SFI */
}
END_TEST

START_TEST(searches_records_from_an_offset_or_behind_a_value)
{
    select_adn();
    expect("00A20106040402A3A400", "01039000"); /* from octet 2 */
    expect("00A20106030CA4A500", "029000");     /* behind the first A4 */
    expect("00A20106030CA4A400", "6282");
    expect("00A20006030600A300", "039000"); /* from the record behind the current one */
    expect("00A20006030700A300", "02019000");
    expect("00A20106030600A3", "6A86");
    expect("00A20106030300A3", "6A80");
    expect("00A20106031400A3", "6A80");
    expect("00A20106020400", "6700");
    select_usim();
    expect("00A2031402000200", "029000");
    expect("00A20314010300", "019000"); /* around the end of a cyclic one */
}
END_TEST

START_TEST(increases_the_newest_record)
{
    expect("8032000003000001", "6986");
    select_usim();
    expect("00A4000C026F39", "9000");
    expect("8032000003000001", "6106");
    expect("00C0000006", "0000040000019000");
    expect("80320000010500", "000009059000");
    expect("8032000003FFFFF700", "9850");
    expect("8032000003FFFFF600", "FFFFFFFFFFF69000");
    expect("80320000040000000100", "6700");
    expect("8032000103000001", "6A86");
    expect("8032010003000001", "6A86");
    expect("80320000", "6700");
    expect("00B2010403", "FFFFFF9000");
    expect("00B2020403", "0000099000");
    expect("80328700010100", "6981");
    expect("80328200010100", "9850");
    expect("0028000108" VALUE_1, "9000");
    reset();
    select_usim();
    expect("80328200010100", "6982");
}
END_TEST

/* --- BER-TLV --- */

static void select_objects(void)
{
    select_usim();
    expect("00A4000C026FCE", "9000");
}

START_TEST(retrieves_data_objects)
{
    select_objects();
    expect("80CB0080018100", "8101559000");
    expect("80CB00800182", "6105");
    expect("80CB0080015C00", "5C0281829000");
    expect("80CB0080018300", "6A88");
    expect("80CB0080027F7000", "6A88");
    expect("80CB008002818200", "6A80");
    expect("80CB0080017F00", "6A80");
    expect("80CB0080", "6A80");
    expect("80CB000000", "6985");
    expect("80CB0180018100", "6A86");
    expect("80CB00A0018100", "6A86");
    expect("00A4000C026F07", "9000");
    expect("80CB0080018100", "6981");
    expect("80CB0083018100", "8101559000"); /* by SFI */
}
END_TEST

START_TEST(sets_data_objects)
{
    select_objects();
    expect("80DB00800481020102", "9000");
    expect("80CB0080018100", "810201029000");
    expect("80DB0080028200", "9000"); /* empty: deleted */
    expect("80CB0080018200", "6A88");
    expect("80CB0080015C00", "5C01819000");
    expect("80DB0080047F700133", "9000");
    expect("80CB0080027F7000", "7F7001339000");
    expect("80CB0080015C00", "5C03817F709000");
    expect("80DB00800581020102FF", "6A80");
    expect("80DB0080025C00", "6A80");
    expect("80DB00000181", "6985");
    expect("80DB0080", "6700");
    expect("0028000108" VALUE_1, "9000");
    reset();
    select_objects();
    expect("80CB0080027F7000", "7F7001339000");
    expect("80DB00800481020102", "6982");
}
END_TEST

START_TEST(a_tag_alone_takes_its_object_away)
{
    select_objects();
    expect("80DB0080047F700133", "9000");
    expect("80DB00800181", "9000");
    expect("80DB0080027F70", "9000");
    expect("80CB0080015C00", "5C01829000");
    expect("80DB0080015C", "6A80");
    expect("80DB00000182", "6985"); /* in a first block only */
}
END_TEST

START_TEST(what_cannot_begin_a_data_object_is_refused)
{
    select_objects();
    expect("80DB008003FF0155", "6A80"); /* FF is where the objects end */
    expect("80DB00800881858484848484 84", "6A80");
    expect("80DB000001AA", "6985");
    expect("80DB008007818584848484 84", "63F1"); /* it cannot be told yet */
    expect("80DB00000184", "6A80");
    expect("80CB0080015C00", "5C0281829000");
}
END_TEST

/* n octets of an object of 404, from `from`, as the data of a command. */
static const char *block_of_object(const char *header, size_t from, size_t n)
{
    static char command[2 * MAX_COMMAND];
    static const uint8_t head[] = { 0x84, 0x82, 0x01, 0x90 };
    size_t at = (size_t)snprintf(command, sizeof command, "%s%02zX", header, n);

    for (size_t i = from; i < from + n; i++)
        at += (size_t)snprintf(command + at, sizeof command - at, "%02X",
                               i < sizeof head ? head[i] : (unsigned)(i & 0xFF));
    return command;
}

START_TEST(a_long_object_comes_in_blocks_and_is_stored_when_it_is_whole)
{
    select_objects();
    expect(block_of_object("80DB0080", 0, 255), "63F1");
    expect("80CB0080018400", "6A88"); /* asking for it ends what came so far */
    expect("80DB000001AA", "6985");
    expect(block_of_object("80DB0080", 0, 255), "63F1");
    expect("00A4000C026FCE", "9000"); /* so does a SELECT */
    expect("80DB000001AA", "6985");
    expect(block_of_object("80DB0080", 0, 255), "63F1");
    expect(block_of_object("80DB0000", 255, 149), "9000");
    expect("80CB0080015C00", "5C038182849000");
    expect("00A40004026FCE00", "6224*A50B8502019C860203E8*8002019C*9000"); /* it grew */
    expect("80DB00800484821388", "63F1");
    expect("80DB008006848302000000", "6A84");
    expect("80DB00800484820400", "63F1"); /* beyond the maximum */
    for (int i = 0; i < 4; i++)
        expect(block_of_object("80DB0000", 4, 250), "63F1");
    expect(block_of_object("80DB0000", 4, 24), "6A84");
    expect("80CB0080018100", "8101559000");
}
END_TEST

START_TEST(an_object_does_not_end_in_a_file_that_cannot_be_used_any_more)
{
    expect(OPEN_ADM1, "9000");
    expect("0070000001", "019000");
    expect("01A4040C0C" USIM, "9000");
    select_objects();
    expect(block_of_object("80DB0080", 0, 255), "63F1");
    expect("01040000026FCE", "9000");
    expect(block_of_object("80DB0000", 255, 149), "6984");
    expect("01440000026FCE", "9000");
    expect(block_of_object("80DB0000", 255, 149), "9000");
    expect(block_of_object("80DB0080", 0, 255), "63F1");
    expect("01E80000026FCE", "9000");
    expect(block_of_object("80DB0000", 255, 149), "6985");
}
END_TEST

START_TEST(a_long_object_goes_out_in_blocks)
{
    select_objects();
    expect(block_of_object("80DB0080", 0, 255), "63F1");
    expect(block_of_object("80DB0000", 255, 149), "9000");
    expect("80CB0080018400", "848201900405*EF62F1");
    expect("80CB000000", "F0F1*939000");
    expect("80CB000000", "6985");
    expect("80CB0080018480", "84820190*7F62F1");
    expect("80CB000000", "80*6F62F1"); /* 240 octets again */
    expect("80CB000010", "707172*7F62F1");
    /* Without Le as T=0 terminals see it: the warning, then GET RESPONSE with what it seems to say.
     */
    expect("80CB00800184", "62F1");
    expect("00C00000F1", "6CF0");
    expect("00C00000F0", "84820190*EF62F1");
    expect("80CB0000", "61A4");
    expect("00C00000A4", "F0F1*939000");
}
END_TEST

START_TEST(a_proactive_command_is_told_between_blocks)
{
    expect("8010000003000080", "9000");
    select_objects();
    expect(block_of_object("80DB0080", 0, 255), "63F1");
    ck_assert(cat_queue_refresh(&card.cat, CAT_PROFILE_STATE_CHANGE, NULL));
    expect(block_of_object("80DB0000", 255, 148), "63F2");
    expect(block_of_object("80DB0000", 403, 1), "91..");
    expect("80CB0080018400", "84820190*62F2");
}
END_TEST

/* --- administration ----------------------------------------------------------------------- */

START_TEST(creates_files_of_each_kind)
{
    select_telecom();
    create("82024121 83026F50 8A0105 8B032F0602 80020005 880148 A503C10141", "6982");
    expect(OPEN_ADM1, "9000");
    create("82024121 83026F50 8A0105 8B032F0602 80020005 880148 A505C103414243", "9000");
    expect("00B0000005", "41424343439000"); /* it is current; the last octet goes on */
    create("820442210003 83026F51 8A0105 8B032F0602 80020009 8800 A504C2020102", "9000");
    expect("00B2030403", "0102019000"); /* in each record anew */
    create("820446210002 83026F52 8A0105 8B032F0602 80020003 8800", "6A80");
    create("820446210002 83026F52 8A0105 8B032F0602 80020004 8800", "9000");
    create("82027921 83026F53 8A0105 8B032F0602 80020010 8800", "9000");
    expect("80DB00800381 01AA", "9000");
    create("82027821 83025F60 8A0105 8B032F0601 C603830181", "9000");
    expect("80F2000000", "62*83025F60*C6*830181 9000");
    create("82024121 83024F01 8A0105 8B032F0602 80020001", "9000");
    expect("00A40004024F0100", "62*880108 9000"); /* SFI from the FID */
    reset();
    expect("00A4080C067F105F604F01", "9000");
    expect("00A4080C047F106F50", "9000");
    expect("00B0000005", "41424343439000");
}
END_TEST

/* TS 102 221 11.1.1.4.7: a record of EF.ARR for each security environment. */
START_TEST(a_file_can_have_other_rules_while_the_pin_is_disabled)
{
    expect(OPEN_ADM1, "9000");
    create("82024121 83022F50 8A0105 8B07 2F06 00 02 01 0A FF 80020001 8800", "6A80");
    create("82024121 83022F50 8A0105 8B02 2F06 80020001 8800", "6A80");
    create("82024121 83022F50 8A0105 8B06 2F06 01 0A 00 02 80020001 8800", "9000");
    expect("00A40004022F5000", "62*8B06 2F06 0002 010A 8002* 9000");
    create("82024121 83022F51 8A0105 8B04 2F06 01 02 80020001 8800", "9000");
    expect("00A40004022F5100", "62*8B03 2F06 02 8002* 9000"); /* the same, shorter */
    create("82024121 83022F52 8A0105 8B04 2F06 00 02 80020001 8800", "9000");
    reset();
    expect("00A40004022F5200", "62*8B04 2F06 0002 8002* 9000");
    expect("00B0000001", "FF9000"); /* PIN1 is disabled: READ always */
    expect("0028000108" VALUE_1, "9000");
    expect("00B0000001", "6982"); /* nothing is said of enabled */
    reset();
    expect("00A4000C022F50", "9000");
    expect("00B0000001", "6982"); /* now it is READ with PIN1 */
    expect("0020000108" VALUE_1, "9000");
    expect("00B0000001", "FF9000");
}
END_TEST

START_TEST(creates_an_adf_below_the_mf_only)
{
    static const char fcp[] = "82027821 83027FC0 8406A00000034301 8A0105 "
                              "8B032F0601 C603830101";

    expect(OPEN_ADM1, "9000");
    select_telecom();
    create(fcp, "6A80");
    expect("00A4000C023F00", "9000");
    create(fcp, "9000");
    expect("80F2000100", "8406A000000343019000");
    expect("00A4000C023F00", "9000");
    create("82027821 83027FC1 8406A00000034301 8A0105 8B032F0601 C603830101", "6A89");
}
END_TEST

START_TEST(refuses_files_that_cannot_be)
{
    static const char *const wrong[] = {
        "82024121 8A0105 8B032F0602 80020001",              /* no FID */
        "82024121 83023F00 8A0105 8B032F0602 80020001",     /* the MF's */
        "82024121 83027FFF 8A0105 8B032F0602 80020001",     /* reserved */
        "82024121 83020000 8A0105 8B032F0602 80020001",     /* likewise */
        "82024121 8303006F60 8A0105 8B032F0602 80020001",   /* no FID */
        "82024121 83026F60 8A0108 8B032F0602 80020001",     /* no life cycle */
        "82024121 83026F60 8A0102 8B032F0602 80020001",     /* nor this */
        "82024821 83026F60 8A0105 8B032F0602 80020001",     /* internal EF */
        "8202C121 83026F60 8A0105 8B032F0602 80020001",     /* reserved */
        "83026F60 8B032F0602 80020001 00",                  /* no descriptor */
        "82024121 83026F60 80020001",                       /* no rules */
        "82024121 83026F60 8B032F0602",                     /* no size */
        "82024121 83026F60 8A0105 8B032F0602 80020000",     /* empty */
        "82024121 83026F60 8A010C 8B032F0602 80020001",     /* terminated */
        "820442210003 83026F60 8A0105 8B032F0602 80020004", /* half a record */
        "820442210000 83026F60 8A0105 8B032F0602 80020004", /* no record */
        "820442210001 83026F60 8A0105 8B032F0602 800200FF", /* 255 of them */
        "82024121 83026F60 8A0105 8B032F0602 80020001 8801FF",
        "82024121 83026F60 8A0105 8B032F0602 80020001 880108", /* SFI of EF.ADN */
        "82024121 83026F60 8A0105 8B032F0602 800200",          /* cut */
    };

    expect(OPEN_ADM1, "9000");
    select_telecom();
    for (size_t i = 0; i < N_ELEMS(wrong); i++)
        create(wrong[i], "6A80");
    create("82024121 83026F3A 8A0105 8B032F0602 80020001", "6A89");
    create("82027821 83027F10 8A0105 8B032F0601", "6A89"); /* the DF itself */
    create("82024121 83026F60 8A0105 8B032F0602 80040001 0000", "6A84");
    expect(with_fcp("00E00100", "82024121 83026F60 8A0105 8B032F0602 80020001"), "6A86");
    expect("00A4000C026F60", "6A82");
    mount(OTHER_PROFILE);
    create("82024121 83026F60 8A0105 8B032F0602 80020001", "6982");
    mount(0);
    create("82024121 83026F60 8A0105 8B032F0602 80020001", "6A82");
}
END_TEST

START_TEST(dfs_lie_in_each_other_up_to_a_bound)
{
    char fcp[64];
    int depth = 0;

    expect(OPEN_ADM1, "9000");
    do {
        depth++;
        snprintf(fcp, sizeof fcp, "82027821 83025F%02X 8A0105 8B032F0601", 0x70u + (unsigned)depth);
        send(with_fcp("00E00000", fcp));
    } while (strcmp(said, "9000") == 0);
    ck_assert_str_eq(said, "6A80");
    ck_assert_int_eq(depth, FS_MAX_DEPTH);
    ck_assert(!card.uicc.changed);
    expect("80F2000000", "62*83025F77*9000"); /* still in the last one */
}
END_TEST

START_TEST(deletes_files_and_whoever_stands_in_them_leaves)
{
    expect("0070000001", "019000");
    expect("01A4080C067F105F3A4F30", "9000");
    select_telecom();
    expect("00E40000025F3A", "6982");
    expect(OPEN_ADM1, "9000");
    expect("00E40000026F99", "6A82");
    expect("00E40000033F0000", "6700");
    expect("00E40001025F3A", "6A86");
    expect("00E40000025F3A", "9000");
    expect("00A4000C025F3A", "6A82");
    expect("01B0000001", "6986");
    expect("80F2000000", "62*83027F10*9000");
    expect("81F2000000", "62*83027F10*9000");
    expect("01A4000C026F3A", "9000");
    expect("00E40000026F3A", "9000");
    expect("01B2010404", "6986");
    expect("00E40000027F10", "9000"); /* the current DF itself */
    expect("80F2000000", "62*83023F00*9000");
    expect("00E40000023F00", "6985");
    expect("00E40000022FE2", "9000"); /* not by its own rule, but by the parent's */
    reset();
    expect("00A4000C027F10", "6A82");
}
END_TEST

START_TEST(deleting_an_application_ends_it_everywhere)
{
    expect("0070000001", "019000");
    expect("01A4040C0C" USIM, "9000");
    expect("0188000000", "019000");
    expect("01A4000C023F00", "9000");
    expect(OPEN_ADM1, "9000");
    expect("00E40000027FD0", "9000");
    expect("0188000000", "6D00");
    expect("01A4000C027FFF", "6A82");
    expect("00A4040C07A0000000871002", "6A82");
    create("82027821 83027FD0 840CA0000000871002FF49FF0589 8A0105 8B032F0601 "
           "C603830181",
           "9000");
    expect("00A4040C07A0000000871002", "9000");
    expect("002000810838383838FFFFFFFF", "6A88"); /* its PIN went, too */
}
END_TEST

START_TEST(resizes_files)
{
    select_telecom();
    resize("83026F3A 80020018", "6982");
    expect(OPEN_ADM1, "9000");
    resize("83026F3A 80020018 A503C10100", "9000");
    expect("00B2060C04", "000000009000");
    expect("00B2010C04", "A1A2A3A49000");
    resize("83026F3A 80020008", "9000");
    expect("00B2030C04", "6A83");
    resize("83026F3A 80020009", "6A80");
    resize("83026F3A 80020000", "6A80");
    resize("83026F3A", "6A80");
    resize("83026F99 80020008", "6A82");
    resize("83025F3A 80020008", "6981");
    resize("83026F3A 8003010000", "6A84");
    expect("80D401000A 6208 83026F3A 80020008", "6A86");
    resize("83026F3A 800203F8 A503C2015A", "9000"); /* 254 records */
    expect("00A40004026F3A00", "621A 8205422100 04FE*9000");
    resize("83026F3A 800203FC", "6A80");
    resize("83026F3A 80020008", "9000");
    resize("83026F3A 80020010 A504C2021234", "9000");
    expect("00B2040404", "123412349000");
    resize("83026F3A 80020008", "9000");
    reset();
    select_telecom();
    expect("00A40004026F3A00", "621A 82054221000402*9000");
}
END_TEST

START_TEST(data_objects_outlive_a_resize)
{
    expect(OPEN_ADM1, "9000");
    select_usim();
    resize("83026FCE 80020007", "6A84");
    resize("83026FCE 800203E9", "6A84"); /* above its maximum */
    resize("83026FCE 80020008", "9000");
    resize("83026FCE 80020020", "9000");
    expect("00A4000C026FCE", "9000");
    expect("80CB0080018200", "82031122339000");
    expect("80CB0080015C00", "5C0281829000");
    expect("80DB00800181", "9000");
    expect("80DB00800182", "9000");
    select_usim();
    resize("83026FCE 80020000", "9000"); /* nothing is reserved */
    expect("00A4000C026FCE", "9000");
    expect("80DB00800381 01AA", "9000");
    expect("80CB0080018100", "8101AA9000");
}
END_TEST

START_TEST(what_is_not_committed_leaves_the_tree_as_it_was)
{
    static const char fcp[] = "82024121 83026F50 8A0105 8B032F0602 80020005";
    bool done = false;

    for (uint64_t n = 0; !done; n++) {
        reset();
        select_telecom();
        expect(OPEN_ADM1, "9000");
        nvm_cut_after(card.nvm, n);
        send(with_fcp("00E00000", fcp));
        done = said[0] != '\0';
        ck_assert_msg(n < 20, "it is never stored");
        reset();
        expect("00A4080C047F106F50", done ? "9000" : "6A82");
        expect("00A4080C047F106F3A", "9000");
    }
}
END_TEST

START_TEST(a_session_in_a_file_that_was_not_stored_goes_to_the_mf)
{
    const struct fs_node n = { .fid = 0x5F70, .parent = FS_MF, .kind = FS_KIND_DF };
    uint16_t node;

    expect("00A4000C027F10", "9000");
    ck_assert_int_eq(fs_add(&card.uicc.fs, &n, &node), 0);
    ck_assert_int_eq(uicc_go(card.sessions[0], node, false), 0);
    card.uicc.changed = true;
    uicc_settle(&card, false);
    expect("80F2000000", "62*83023F00*9000");
    expect("00A4000C025F70", "6A82");
}
END_TEST

/* --- PINs --------------------------------------------------------------------------------- */

START_TEST(verifies_pins_of_the_current_context)
{
    expect("0020000A", "63C3");
    expect("0020000A083535353535353536", "63C2");
    expect("0020000A", "63C2");
    expect(OPEN_ADM1, "9000");
    expect("0020000A", "63C3");
    expect("0020000A0135", "6700");
    expect("0020010A083535353535353535", "6A86");
    expect("0020000C083535353535353535", "6A88");
    expect("00200081083535353535353535", "6A88"); /* the MF has no local one */
    select_telecom();
    expect("0020008108" VALUE_2, "9000");
    expect("00A4000C025F3A", "9000");
    expect("0020008108" VALUE_2, "9000"); /* the one above */
    select_usim();
    expect("0020008108" VALUE_2, "63C2");
    expect("002000810838383838FFFFFFFF", "9000");
    expect("0020000108" VALUE_1, "6984"); /* disabled */
    mount(0);
    expect("0020000A", "6A88");
    expect("0020000108" VALUE_1, "6A88");
}
END_TEST

START_TEST(blocks_and_unblocks_a_pin)
{
    expect("0028000108" VALUE_1, "9000");
    expect("0020000108" VALUE_2, "63C2");
    expect("0020000108" VALUE_2, "63C1");
    expect("0020000108" VALUE_2, "63C0");
    expect("0020000108" VALUE_1, "6983");
    expect("00200001", "6983");
    expect("002C0001", "63CA");
    expect("002C0001103131313131313130" VALUE_2, "63C9");
    expect("002C00010831313131313131", "6700");
    expect("002C0001103131313131313131" VALUE_2, "9000");
    expect("002C0001", "63CA");
    expect("00200001", "63C3");
    expect("0020000108" VALUE_2, "9000");
    expect("002C000A", "6985"); /* it has no PUK */
    expect("002C000C", "6A88");
}
END_TEST

START_TEST(changes_disables_and_enables_a_pin)
{
    expect("0024000110" VALUE_1 VALUE_2, "6984");
    expect("0026000108" VALUE_1, "6985"); /* it is so already */
    expect("0028000108" VALUE_2, "63C2");
    expect("0028000108" VALUE_1, "9000");
    expect("0028000108" VALUE_1, "6985");
    expect("0024000110" VALUE_2 VALUE_1, "63C2");
    expect("0024000110" VALUE_1 VALUE_2, "9000");
    expect("0024000108" VALUE_1, "6700");
    expect("00240001", "6700");
    expect("80F2000000", "62*C60C9001E0*9000"); /* its state is in the FCP */
    expect("0026910108" VALUE_2, "6A88");       /* there is no universal PIN */
    expect("0026810108" VALUE_2, "6A81");       /* and no other one takes its place */
    expect("0026010108" VALUE_2, "6A86");
    expect("0026000108" VALUE_2, "9000");
    expect("80F2000000", "62*C60C900160*9000");
    expect("0026000A083535353535353535", "6985"); /* not this one */
}
END_TEST

START_TEST(the_universal_pin_replaces_another_one)
{
    add_pin(&card.uicc.fs, FS_MF, PIN_UNIVERSAL, VALUE_2, PIN_ENABLED | PIN_CHANGEABLE, 0);
    ck_assert_int_eq(nvm_commit(card.nvm), 0);
    expect("0028000108" VALUE_1, "9000");
    expect("0026910208" VALUE_1, "6A88");
    expect("002691010430303030", "6700");
    expect("0026910A083535353535353535", "6985");
    expect("0026910108" VALUE_2, "63C2");
    expect("0026910108" VALUE_1, "9000");
    expect("80F2000000", /* the FCP calls it disabled, and names what is asked for in its place */
           "62*C612 900170 830101 83010A 83010B 950108 830111 9000");
    expect("0020000108" VALUE_1, "6984");
    select_usim();
    expect("00A4000C026F07", "9000");
    expect("00B0000001", "6982"); /* READ with PIN1 */
    expect("0020001108" VALUE_2, "9000");
    expect("00B0000001", "*9000");
    reset();
    select_usim();
    expect("00A4000C026F07", "9000");
    expect("00B0000001", "6982");
    expect("0028000108" VALUE_1, "9000"); /* ends it */
    expect("00B0000001", "*9000");
    pins(&card.uicc.fs, FS_MF, "110A01"); /* where it is listed it says whether it is asked for */
    expect("00A40004023F00", "61..");
    expect("00A40004023F0000", "62*C60F 9001E0 950100 830111 83010A 830101 9000");
    expect("0026910108" VALUE_1, "9000");
    expect("00A40004023F0000", "62*C60F 9001C0 950108 830111 83010A 830101 9000");
    expect("0028000108" VALUE_1, "9000");
    reset();
    expect("0020001108" VALUE_2, "9000");
    select_usim();
    expect("00A4000C026F07", "9000");
    expect("00B0000001", "6982");
}
END_TEST

/* --- others ------------------------------------------------------------------------------- */

START_TEST(gives_random_octets)
{
    expect("0084000008", "................9000");
    expect("0084000000", "*9000");
    ck_assert_uint_eq(strlen(said), 2 * 258);
    expect("00840000", "6C08");
    expect("0084010008", "6A86");
}
END_TEST

START_TEST(an_envelope_goes_to_whoever_takes_it)
{
    expect("80C2000002D10000", "279000");
    expect("80C2000002D600", "6985");
    expect("80C20000", "6700");
    expect("80C2000102D100", "6A86");
}
END_TEST

/* EF.UMPC whose third octet says that suspension is supported. */
static void announce_suspension(void)
{
    expect(OPEN_ADM1, "9000");
    create("82024121 83022F08 8A0105 8B032F0602 80020005 A503C10102", "9000");
}

/* The answer's token, as hex behind the resuming header. */
static const char *resuming(void)
{
    static char command[40];
    size_t at = (size_t)snprintf(command, sizeof command, "8076010008");

    for (size_t i = 0; i < 8; i++)
        at += (size_t)snprintf(command + at, sizeof command - at, "%02X", response[2 + i]);
    return command;
}

static void suspend_for_ten_minutes(void)
{
    uint8_t command[16];
    size_t n = hex("8076000004 0001 010A 00", command, sizeof command);

    ck_assert_uint_eq(euicc_transmit(&card, command, n, response), 2 + 8 + 2);
    ck_assert_int_eq(memcmp(response, "\x01\x0A", 2), 0);
    ck_assert_int_eq(memcmp(response + 10, "\x90\x00", 2), 0);
}

START_TEST(suspension_needs_its_announcement_and_good_durations)
{
    expect("8076000004000A0100", "6D00");
    announce_suspension();
    expect("8076000004 0101 000A", "6A80"); /* the least is the longer */
    expect("8076000004 0501 050A", "6A80");
    expect("8076000002 0501", "6700");
    expect("8076020004 0001 010A", "6A86");
    expect("8076000104 0001 010A", "6A86");
    expect("8076010008 0000000000000000", "6985"); /* nothing is suspended */
}
END_TEST

START_TEST(a_suspended_uicc_goes_on_where_it_was)
{
    announce_suspension();
    select_usim();
    expect("00A4000C026F07", "9000");
    suspend_for_ten_minutes();
    const char *command = resuming();
    reset();
    expect(command, "9000");
    expect("80F2000C", "9000");
    ck_assert_uint_ne(card.sessions[0]->files.adf, FS_NONE);
    ck_assert_uint_ne(card.sessions[0]->files.ef, FS_NONE);
    ck_assert(pin_is_verified(&card.uicc.pins, FS_MF, 0x0A));
}
END_TEST

START_TEST(without_a_token_nothing_is_suspended)
{
    announce_suspension();
    crypto_fail_random(crypto, true);
    expect("8076000004 0001 010A 00", "6F00");
    crypto_fail_random(crypto, false);
    ck_assert_int_eq(card.suspension.state, SUSPENSION_NONE);
    reset();
    expect("8076010008 0000000000000000", "6985"); /* nor with what there was in its place */
}
END_TEST

START_TEST(a_suspension_is_forgotten_by_anything_else)
{
    const int n_ways = 3;

    announce_suspension();
    for (int way = 0; way < n_ways; way++) {
        suspend_for_ten_minutes();
        char command[40];
        snprintf(command, sizeof command, "%s", resuming());
        if (way == 0) /* a command while the power is still on */
            expect("80F2000C", "9000");
        reset();
        if (way == 1) /* a command before it is resumed */
            expect("80F2000C", "9000");
        if (way == 2) { /* another token */
            command[11] ^= 1;
            expect(command, "6982");
            command[11] ^= 1;
        }
        expect(command, "6985");
        ck_assert(!pin_is_verified(&card.uicc.pins, FS_MF, 0x0A));
        expect(OPEN_ADM1, "9000");
    }
}
END_TEST

/* --- whose files -------------------------------------------------------------------------- */

START_TEST(without_a_profile_there_is_an_mf_and_nothing_in_it)
{
    mount(0);
    expect("00A40004023F0000", "6213 82027821 83023F00 A506 800171 870101 8A0105 9000");
    expect("00A4000C022F00", "6A82");
    expect("00A4080C022F00", "6A82");
    expect("00A4010C027F10", "6A82");
    expect("00A4030C", "6A82");
    expect("00A4000C027FFF", "6A82");
    expect("00A4040C07A0000000871002", "6A82");
    expect("80F2000000", "6213*9000");
    expect("80F20001", "9000");
    expect("00B0000001", "6986");
    expect("00B0870001", "6A82");
    expect("00B2010404", "6986");
    expect("00DC01040411223344", "6986");
    expect("80CB00800181", "6986");
    expect("8032000003000001", "6986");
    expect("00E40000022FE2", "6A82");
    resize("83026F3A 80020008", "6A82");
    expect("00440000022FE2", "6A82");
    expect("00FE0000", "6A82");
    expect("8076000004000A0100", "6D00");
    expect("00A4040C06A00000055901", "9000");
    expect("80F2000000", "6F009000");
}
END_TEST

START_TEST(another_profile_begins_at_the_mf_without_verified_pins)
{
    expect(OPEN_ADM1, "9000");
    expect("0070000001", "019000");
    expect("0070000001", "029000");
    expect("01A4040C06A00000055901", "9000");
    expect("02A4040C0C" USIM, "9000");
    expect("02A4000C026F07", "9000");
    select_telecom();
    expect("81E2001100", "9000"); /* at the end of this command */
    ck_assert_uint_eq(card.uicc.mounted, OTHER_PROFILE);
    ck_assert_uint_eq(card.uicc.pins.n, 0);
    expect("81E2001100", "9000"); /* whoever did it stays selected */
    expect("80F2000000", "62*83023F00*9000");
    expect("02B0000001", "6986");
    expect("0288000000", "6D00");
    expect("02A4000C022FE2", "9000");
    expect("01A4000C027F10", "6A82");
}
END_TEST

START_TEST(another_profile_sends_nothing_that_the_last_one_queued)
{
    expect("8010000004 00008002", "9000");
    ck_assert(cat_queue(&card.cat, CAT_SEND_SHORT_MESSAGE, 0, rd_str("\x8B\x01\xAA"), NULL));
    expect("00A4040C06A00000055901", "910E");
    expect("80E2001100", "9000"); /* another profile is wanted: no 91xx any more */
    expect("8012000000", "6985");
}
END_TEST

START_TEST(a_command_that_fails_changes_no_profile)
{
    select_telecom();
    expect("0070000001", "019000");
    expect("01A4040C06A00000055901", "9000");
    expect("81E200110100", "6985");
    ck_assert_uint_eq(card.uicc.mounted, PROFILE);
    ck_assert_uint_eq(card.uicc.wanted, PROFILE);
    expect("00A4000C026F3A", "9000");
}
END_TEST

START_TEST(a_profile_without_files_or_with_damaged_ones_is_none)
{
    expect("0070000001", "019000");
    expect("01A4040C06A00000055901", "9000");
    expect("81E2002200", "9000");
    expect("80F2000000", "6213*9000");
    ck_assert_int_eq(nvm_put(card.nvm, "isdp/0023/tree", rd_str("no tree")), 0);
    ck_assert_int_eq(nvm_commit(card.nvm), 0);
    expect("81E2002300", "9000"); /* what was stored is stored */
    ck_assert_uint_eq(card.uicc.mounted, 0);
    expect("80F2000000", "6213*9000");
}
END_TEST

START_TEST(a_reset_forgets_everything)
{
    expect(OPEN_ADM1, "9000");
    select_usim();
    ck_assert_int_eq(euicc_power_on(&card), 0);
    ck_assert_uint_eq(card.uicc.mounted, 0); /* nobody said which one is enabled */
    expect("80F2000000", "6213*9000");
    reset();
    expect("00A4000C027FFF", "6A82");
    ck_assert_uint_eq(card.uicc.pins.n, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uicc");
    TCase *cases = tcase_create("uicc");

    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, tells_an_fcp_octet_by_octet);
    tcase_add_test(cases, tells_an_fcp_without_le_behind_61xx_and_none_when_not_asked);
    tcase_add_test(cases, says_that_nothing_is_allowed_when_there_is_no_rule);
    tcase_add_test(cases, searches_by_fid_in_the_order_of_the_specification);
    tcase_add_test(cases, selects_child_parent_and_paths);
    tcase_add_test(cases, a_failed_select_changes_nothing);
    tcase_add_test(cases, finds_applications_by_partial_aid_first_last_next_previous);
    tcase_add_test(cases, walks_over_all_applications);
    tcase_add_test(cases, an_adf_has_its_server_and_no_server_is_found_by_its_aid);
    tcase_add_test(cases, ends_an_application_session);
    tcase_add_test(cases, the_pins_of_an_application_end_with_its_session);
    tcase_add_test(cases, pins_stay_verified_while_another_channel_has_the_application);
    tcase_add_test(cases, an_applet_without_files_has_no_current_ef);
    tcase_add_test(cases, status_tells_the_current_df);
    tcase_add_test(cases, deactivated_files_say_so_and_can_be_used_only_if_marked);
    tcase_add_test(cases, terminated_files_end_for_ever);
    tcase_add_test(cases, terminate_card_usage_ends_the_profile_only);
    tcase_add_test(cases, a_file_that_is_not_shareable_is_current_on_one_channel);
    tcase_add_test(cases, each_channel_stands_where_it_went);
    tcase_add_test(cases, a_channel_opened_from_another_stands_beside_it);
    tcase_add_test(cases, a_channel_opened_where_one_only_can_be_stands_at_the_mf);
    tcase_add_test(cases, a_verified_pin_holds_on_all_channels_until_the_reset);
    tcase_add_test(cases, reads_a_transparent_ef);
    tcase_add_test(cases, names_an_ef_by_its_sfi);
    tcase_add_test(cases, writes_a_transparent_ef);
    tcase_add_test(cases, asks_the_rules_before_anything_else);
    tcase_add_test(cases, a_remote_session_may_do_all_but_what_is_never);
    tcase_add_test(cases, reads_records_absolute_next_previous_current);
    tcase_add_test(cases, names_a_record_file_by_its_sfi);
    tcase_add_test(cases, writes_records);
    tcase_add_test(cases, a_cyclic_ef_begins_with_the_newest_record_and_goes_around);
    tcase_add_test(cases, searches_records);
    tcase_add_test(cases, searches_records_from_an_offset_or_behind_a_value);
    tcase_add_test(cases, increases_the_newest_record);
    tcase_add_test(cases, retrieves_data_objects);
    tcase_add_test(cases, sets_data_objects);
    tcase_add_test(cases, a_tag_alone_takes_its_object_away);
    tcase_add_test(cases, what_cannot_begin_a_data_object_is_refused);
    tcase_add_test(cases, a_long_object_comes_in_blocks_and_is_stored_when_it_is_whole);
    tcase_add_test(cases, an_object_does_not_end_in_a_file_that_cannot_be_used_any_more);
    tcase_add_test(cases, a_long_object_goes_out_in_blocks);
    tcase_add_test(cases, a_proactive_command_is_told_between_blocks);
    tcase_add_test(cases, creates_files_of_each_kind);
    tcase_add_test(cases, a_file_can_have_other_rules_while_the_pin_is_disabled);
    tcase_add_test(cases, creates_an_adf_below_the_mf_only);
    tcase_add_test(cases, refuses_files_that_cannot_be);
    tcase_add_test(cases, dfs_lie_in_each_other_up_to_a_bound);
    tcase_add_test(cases, deletes_files_and_whoever_stands_in_them_leaves);
    tcase_add_test(cases, deleting_an_application_ends_it_everywhere);
    tcase_add_test(cases, resizes_files);
    tcase_add_test(cases, data_objects_outlive_a_resize);
    tcase_add_test(cases, what_is_not_committed_leaves_the_tree_as_it_was);
    tcase_add_test(cases, a_session_in_a_file_that_was_not_stored_goes_to_the_mf);
    tcase_add_test(cases, verifies_pins_of_the_current_context);
    tcase_add_test(cases, blocks_and_unblocks_a_pin);
    tcase_add_test(cases, changes_disables_and_enables_a_pin);
    tcase_add_test(cases, the_universal_pin_replaces_another_one);
    tcase_add_test(cases, gives_random_octets);
    tcase_add_test(cases, an_envelope_goes_to_whoever_takes_it);
    tcase_add_test(cases, suspension_needs_its_announcement_and_good_durations);
    tcase_add_test(cases, a_suspended_uicc_goes_on_where_it_was);
    tcase_add_test(cases, without_a_token_nothing_is_suspended);
    tcase_add_test(cases, a_suspension_is_forgotten_by_anything_else);
    tcase_add_test(cases, without_a_profile_there_is_an_mf_and_nothing_in_it);
    tcase_add_test(cases, another_profile_begins_at_the_mf_without_verified_pins);
    tcase_add_test(cases, another_profile_sends_nothing_that_the_last_one_queued);
    tcase_add_test(cases, a_command_that_fails_changes_no_profile);
    tcase_add_test(cases, a_profile_without_files_or_with_damaged_ones_is_none);
    tcase_add_test(cases, a_reset_forgets_everything);
    suite_add_tcase(suite, cases);
    int status = suite_status(suite);
    crypto_free(&crypto);
    return status;
}
