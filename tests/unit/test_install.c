/* test_install.c - applets/isdp: from a profile package to files, PINs and kept elements; what is
 * refused, what is warned of, and what hostile packages come to.
 *
 * Packages are written as text: a tag in hex, then ":" and octets, or "{", data objects, "}".
 * OPERATIONAL_DER, from the build, is our own package; with SOFTEUICC_TESTDATA set, all of its
 * folder ts48/ are installed, too. */
#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "applets/isdp/install.h"
#include "applets/isdr/profile_store.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define USIM_AID "A0000000871002FF49FF0189"
#define ISIM_AID "A0000000871004FF49FF0189"
#define CODE     "3131313131313131"

#define HEADER   "A0{80:02 81:03 83:89000123456789012341 A5{} A6{}} "
#define END      "AA{A0{80: 81:7F}} "
#define ARR_SIZE "A1{82:4221001B 80:1B}"

/* MF with its files, PIN1 and ADM1, PUK 1. */
#define MF                                                                                         \
    "B0{A0{80: 81:01} 81:67810F010201 A2{A1{C6:010A}} A4{83:98001032547698103214}"                 \
    "   A5{A1{82:42210016 80:16}} A6{" ARR_SIZE "}} "
#define PUK_1 "A3{A0{80: 81:02} A1{30{80:01 81:" CODE "}}} "
#define PINS  "A2{A0{80: 81:03} A1{A0{30{80:01 81:" CODE " 82:01 83:06} 30{80:0A 81:" CODE "}}}} "

/* An USIM with all that its element must have, and PIN2. */
#define USIM_FILES                                                                                 \
    "A2{A1{83:7FD0 84:" USIM_AID " C6:01810A}} A3{83:080910101032547698} A4{" ARR_SIZE "}"         \
    " A8{83:FFFF} AD{} AE{} B2{} B6{}"
#define USIM  "B3{A0{80: 81:04} 81:67810F010204 " USIM_FILES "} "
#define PIN_2 "A2{A0{80: 81:05} A1{A0{30{80:0081 81:" CODE "}}}} "

#define BASE HEADER MF PUK_1 PINS USIM PIN_2
#define AKA                                                                                        \
    "A4{A0{80: 81:06} A1{A1{80:01 81:00 82:000102030405060708090A0B0C0D0E0F"                       \
    " 83:000102030405060708090A0B0C0D0E0F}}} "

/* An IoT minimal profile; more stands between EF.UMPC and EF.IMSI. */
#define IOT_HEADER "A0{80:03 81:03 83:89000123456789012341 A5{} A6{} A9{80:1002FF49FF0189}} "
#define IOT(more)                                                                                  \
    "BF20{A0{80: 81:08} 81:67810F010211 " more " A9{83:080910101032547698} B2{83:0001}} "
#define OPT_IOT "BF21{A0{80: 81:09} 81:67810F010212 A6{83:00} A9{}} "

#define OK "3007A0053003800100"

enum { PROFILE = 0x0010, ROOM = 1 << 20, RESPONSE_MAX = 1024 };

static const struct trace no_trace;

/* --- packages --------------------------------------------------------------------------------- */

static const char *put_objects(struct wr *w, const char *text);

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " ");
}

/* One data object; returns what stands behind it. */
static const char *put_object(struct wr *w, const char *text)
{
    size_t n = strspn(text, "0123456789ABCDEF");
    uint32_t tag = (uint32_t)strtoul(text, NULL, 16);
    struct wr_mark mark = tlv_open(w, tag);

    text += n;
    if (*text == '{') {
        text = skip_blanks(put_objects(w, text + 1));
        ck_assert_msg(*text == '}', "no } but %.20s", text);
        text++;
    } else {
        char digits[4096];
        uint8_t octets[2048];
        ck_assert_msg(*text == ':', "no : but %.20s", text);
        n = strspn(++text, "0123456789ABCDEF");
        ck_assert_uint_lt(n, sizeof digits);
        snprintf(digits, sizeof digits, "%.*s", (int)n, text);
        wr_put(w, octets, hex(digits, octets, sizeof octets));
        text += n;
    }
    tlv_close(w, mark);
    return text;
}

static const char *put_objects(struct wr *w, const char *text)
{
    while (*(text = skip_blanks(text)) != '\0' && *text != '}')
        text = put_object(w, text);
    return text;
}

/* --- installing ------------------------------------------------------------------------------- */

/* One installation, from its package to what is stored. */
struct made {
    struct install *install;
    struct nvm *nvm;
    struct fs fs; /* loaded from nvm when all went well */
    int result;
    struct wr response, package;
};

static void iccid_of(struct rd package, uint8_t ret[10])
{
    struct tlv header, iccid;

    memset(ret, 0x11, 10);
    if (tlv_get(&package, &header) != 0 || !tlv_find(header.value, 0x83, &iccid))
        return;
    for (size_t i = 0; i < 10; i++)
        ret[i] = (uint8_t)(iccid.value.p[i] << 4 | iccid.value.p[i] >> 4);
}

static void interpret(struct made *m, bool record, uint64_t room)
{
    uint8_t iccid[10];

    m->install = install_new(PROFILE, room, &no_trace);
    iccid_of(wr_view(&m->package), iccid);
    const struct upp_options options = {
        .max = NVM_VALUE_MAX,
        .max_major = 3,
        .iccid = rd_of(iccid, sizeof iccid),
        .record_applications = record,
        .install = m->install,
    };
    struct upp *upp = upp_new(&options, &no_trace);
    m->result = upp_take(upp, wr_view(&m->package));
    if (m->result == UPP_OK)
        m->result = upp_finish(upp);
    wr_init_heap(&m->response, RESPONSE_MAX);
    upp_response(upp, &m->response);
    ck_assert_int_eq(wr_failed(&m->response), 0);
    upp_free(&upp);
}

/* Stores it, in a store of its own. */
static void store(struct made *m)
{
    m->nvm = nvm_open_memory(&no_trace);
    fs_init(&m->fs, PROFILE);
    if (m->result != UPP_OK)
        return;
    uint64_t size = install_size(m->install);
    ck_assert_int_eq(install_store(m->install, m->nvm), 0);
    ck_assert_int_eq(nvm_commit(m->nvm), 0);
    ck_assert_int_eq(fs_load(&m->fs, m->nvm), 0);
    ck_assert_uint_ge(size, fs_stored_size(&m->fs));
}

static struct made install_octets(struct rd package, bool record)
{
    struct made m = { 0 };

    wr_init_heap(&m.package, NVM_VALUE_MAX);
    wr_put_rd(&m.package, package);
    interpret(&m, record, ROOM);
    store(&m);
    return m;
}

static struct made install_with(const char *text, bool record, uint64_t room)
{
    struct made m = { 0 };

    wr_init_heap(&m.package, NVM_VALUE_MAX);
    ck_assert_str_eq(put_objects(&m.package, text), "");
    interpret(&m, record, room);
    store(&m);
    return m;
}

static struct made install(const char *text)
{
    return install_with(text, false, ROOM);
}

static void made_done(struct made *m)
{
    fs_done(&m->fs);
    install_free(&m->install);
    nvm_close(&m->nvm);
    wr_done(&m->response);
    wr_done(&m->package);
}

static void check_hex(struct rd is, const char *should, const char *what)
{
    char text[2 * RESPONSE_MAX + 1] = "";

    ck_assert_uint_le(is.n, RESPONSE_MAX);
    for (size_t i = 0; i < is.n; i++)
        snprintf(text + 2 * i, 3, "%02X", is.p[i]);
    ck_assert_msg(strcmp(text, should) == 0, "%s: %s", what, text);
}

static struct made install_good(const char *text)
{
    struct made m = install(text);

    check_hex(wr_view(&m.response), OK, text);
    ck_assert_int_eq(m.result, UPP_OK);
    return m;
}

/* --- looking at what is there ----------------------------------------------------------------- */

static uint16_t node_at(const struct made *m, const char *path)
{
    uint8_t octets[16];

    return fs_path(&m->fs, FS_MF, rd_of(octets, hex(path, octets, sizeof octets)));
}

static const struct fs_node *file_at(const struct made *m, const char *path)
{
    uint16_t node = node_at(m, path);

    ck_assert_msg(node != FS_NONE, "there is no %s", path);
    return &m->fs.nodes[node];
}

/* All of an EF, or as much of it as is expected. */
static void check_contents(const struct made *m, const char *path, const char *expected)
{
    uint8_t octets[RESPONSE_MAX];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(
        fs_read(&m->fs, m->nvm, node_at(m, path), 0, (uint32_t)strlen(expected) / 2, &w), 0);
    check_hex(wr_view(&w), expected, path);
}

static bool is_kept(const struct made *m, const char *key)
{
    char name[NVM_KEY_MAX];
    struct wr nothing;
    bool found;

    snprintf(name, sizeof name, "isdp/%04x/%s", PROFILE, key);
    wr_init_heap(&nothing, NVM_VALUE_MAX);
    ck_assert_int_eq(nvm_get(m->nvm, name, &nothing, &found), 0);
    wr_done(&nothing);
    return found;
}

/* Tries left of a PIN, -1 when it is not there. */
static int pin_tries(const struct made *m, const char *path, uint8_t reference)
{
    struct pin pin;
    uint64_t left;
    bool found;

    ck_assert_int_eq(pin_load(m->nvm, m->fs.prefix, node_at(m, path), reference, &pin, &found), 0);
    if (!found)
        return -1;
    ck_assert_int_eq(pin_left(m->nvm, m->fs.prefix, &pin, &left), 0);
    return (int)left;
}

/* --- what is good ----------------------------------------------------------------------------- */

START_TEST(a_small_profile_has_its_files)
{
    struct made m = install_good(BASE AKA END);

    ck_assert_uint_eq(m.fs.n, 30);
    check_contents(&m, "2FE2", "98001032547698103214");
    check_contents(&m, "7FD06F07", "080910101032547698");
    check_contents(&m, "7FD06FAD", "00000002");
    check_contents(&m, "7FD06F08", "07FFFF");
    check_contents(&m, "7FD06FE3", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000001");
    ck_assert_uint_eq(file_at(&m, "7FD06F07")->sfi, 0x07);
    ck_assert_uint_eq(file_at(&m, "7FD06F07")->arr_fid, 0x6F06);
    ck_assert_uint_eq(file_at(&m, "7FD06F07")->arr_record, 2);
    ck_assert_uint_eq(file_at(&m, "7FD0")->arr_fid, 0x2F06);
    ck_assert_uint_eq(file_at(&m, "2F00")->arr_fid, 0x2F06);
    ck_assert_uint_eq(file_at(&m, "7FD06F7E")->special, FS_SPECIAL_HIGH_UPDATE);
    ck_assert_uint_eq(file_at(&m, "7FD06F07")->life_cycle, FS_LCS_ACTIVATED);
    ck_assert(file_at(&m, "7FD06F07")->shareable);
    ck_assert_uint_eq(fs_records(file_at(&m, "7FD06F3C")), 10);
    made_done(&m);
}
END_TEST

START_TEST(pins_are_where_they_belong)
{
    struct made m = install_good(BASE END);
    uint64_t left;
    bool found;

    ck_assert_int_eq(pin_tries(&m, "", 0x01), 3);
    ck_assert_int_eq(pin_tries(&m, "", 0x0A), 3);
    ck_assert_int_eq(pin_tries(&m, "", 0x81), -1);
    ck_assert_int_eq(pin_tries(&m, "7FD0", 0x81), 3);
    ck_assert_int_eq(puk_left(m.nvm, m.fs.prefix, 1, &left, &found), 0);
    ck_assert(found);
    ck_assert_uint_eq(left, 10);
    made_done(&m);
}
END_TEST

START_TEST(files_may_be_left_out_but_not_those_of_the_mf)
{
    /* A9: ef-fdn; A3: ef-pl. */
    struct made m = install_good(
        HEADER "B0{A0{80: 81:01} 81:67810F010201 A2{A1{C6:010A}} A3{80:} A4{} A5{A1{82:42210016"
               " 80:16}} A6{" ARR_SIZE "}}" PINS "B3{A0{80: 81:04} 81:67810F010204 " USIM_FILES
               " A9{80:}} " PIN_2 END);

    ck_assert_uint_ne(node_at(&m, "2F05"), FS_NONE);
    ck_assert_uint_eq(node_at(&m, "7FD06F3B"), FS_NONE);
    made_done(&m);
}
END_TEST

START_TEST(an_fcp_stands_over_the_template)
{
    /* AA: ef-sms with 2 records, other access rules, no SFI; B6: ef-ecc as it is, deactivated. */
    struct made m =
        install_good(HEADER MF PINS "B3{A0{80: 81:04} 81:67810F010204 A2{A1{83:7FD0 84:" USIM_AID
                                    " C6:01810A}} A3{} A4{" ARR_SIZE
                                    "} A8{} AA{A1{82:022100B0 8B:2F0603 80:000160}} AD{} "
                                    "AE{A1{8B:07 88:98}} B2{} B6{A1{8A:04 88:}}} " PIN_2 END);

    ck_assert_uint_eq(fs_records(file_at(&m, "7FD06F3C")), 2);
    ck_assert_uint_eq(file_at(&m, "7FD06F3C")->arr_fid, 0x2F06);
    ck_assert_uint_eq(file_at(&m, "7FD06F3C")->arr_record, 3);
    ck_assert(!file_at(&m, "7FD06F3C")->shareable);
    check_contents(&m, "7FD06F3C", "00FFFF");
    ck_assert_uint_eq(file_at(&m, "7FD06F56")->sfi, 0x13);
    ck_assert_uint_eq(file_at(&m, "7FD06F56")->arr_fid, 0x6F06);
    ck_assert_uint_eq(file_at(&m, "7FD06F56")->arr_record, 7);
    ck_assert_uint_eq(file_at(&m, "7FD06FB7")->sfi, 0);
    ck_assert_uint_eq(file_at(&m, "7FD06FB7")->life_cycle, FS_LCS_DEACTIVATED);
    made_done(&m);
}
END_TEST

/* A DF.TELECOM with what is in it. */
#define TELECOM(files) "B2{A0{80: 81:10} 81:67810F010203 A2{A1{C6:01810A}} " files "} "
#define PIN_OF_DF      "A2{A0{80: 81:11} A1{A0{30{80:0081 81:" CODE " 84:42}}}} "

START_TEST(there_may_be_several_instances_of_a_file)
{
    /* AF: df-phonebook, B8: ef-adn; the first at the template's FID. */
    struct made m = install_good(HEADER MF PINS TELECOM(
        "AF{A1{C6:01810A}} B8{A1{82:4221000A 80:14 88:08} 83:1122 A1{82:4221000A 83:4F59 80:0A}"
        " 82:05 83:33}") PIN_OF_DF END);

    check_contents(&m, "7F105F3A4F58", "1122FFFF");
    ck_assert_uint_eq(file_at(&m, "7F105F3A4F58")->sfi, 1);
    ck_assert_uint_eq(fs_records(file_at(&m, "7F105F3A4F58")), 2);
    ck_assert_uint_eq(fs_records(file_at(&m, "7F105F3A4F59")), 1);
    check_contents(&m, "7F105F3A4F59", "FFFFFFFFFF33FFFFFFFF");
    made_done(&m);
}
END_TEST

/* Generic file management in a package. */
#define GFM(id, commands) "A1{A0{80: 81:" id "} A1{30{" commands "}}} "
#define TR(fid, size)     "62{82:4121 83:" fid " 8B:2F0601 80:" size "}"

START_TEST(patterns_fill_files_and_records)
{
    struct made m =
        install_good(BASE GFM("20", "62{82:42210004 83:6F01 8B:2F0601 80:08 A5{C1:010203}} "
                                    "62{82:42210004 83:6F02 8B:2F0601 80:08 A5{C2:010203}} "
                                    "62{82:4121 83:6F03 8B:2F0601 80:05 A5{C2:0102}} 81:AA "
                                    "62{82:4121 83:6F04 8B:2F0601 80:02 A5{C1:01020304}} " TR(
                                        "6F05", "0003") "02:01 81:BB") END);

    check_contents(&m, "6F01", "0102030301020303");
    check_contents(&m, "6F02", "0102030101020301");
    check_contents(&m, "6F03", "AA02010201");
    check_contents(&m, "6F04", "0102");
    check_contents(&m, "6F05", "FFBBFF");
    made_done(&m);
}
END_TEST

START_TEST(a_file_can_have_rules_for_two_security_environments)
{
    struct made m = install_good(
        BASE GFM("20", "62{82:4121 83:6F01 8B:2F0600030102 80:02} " TR("6F02", "02")) END);

    ck_assert_uint_eq(file_at(&m, "6F01")->arr_fid, 0x2F06);
    ck_assert_uint_eq(file_at(&m, "6F01")->arr_record, 2);
    ck_assert_uint_eq(file_at(&m, "6F01")->arr_record_se00, 3);
    ck_assert_uint_eq(file_at(&m, "6F02")->arr_record_se00, 0);
    made_done(&m);
}
END_TEST

START_TEST(generic_file_management_selects_creates_and_fills)
{
    struct made m = install_good(BASE GFM(
        "20",
        "80:7FD0 62{82:7821 83:5F40 8B:6F060E C6:01810A} " TR(
            "4F41",
            "02") "80:7FD06F07 02:01 81:99 80: " TR("2F11",
                                                    "01") "80:7FD05F40 " TR("4F42",
                                                                            "01") "62{82:7921 "
                                                                                  "83:4F43 "
                                                                                  "8B:2F0601 "
                                                                                  "80:10} "
                                                                                  "81:800101 "
                                                                                  "81:810202FF")
                                     END);

    ck_assert_uint_ne(node_at(&m, "7FD05F404F41"), FS_NONE);
    ck_assert_uint_eq(file_at(&m, "7FD05F404F41")->sfi, 1);
    ck_assert_uint_ne(node_at(&m, "2F11"), FS_NONE);
    ck_assert_uint_eq(file_at(&m, "2F11")->sfi, 0x11);
    ck_assert_uint_ne(node_at(&m, "7FD05F404F42"), FS_NONE);
    check_contents(&m, "7FD06F07", "089910101032547698");
    check_contents(&m, "7FD05F404F43", "800101810202FFFFFFFFFFFFFFFFFFFF");
    made_done(&m);
}
END_TEST

START_TEST(a_ber_tlv_ef_may_have_nothing_reserved)
{
    struct made m =
        install_good(BASE GFM("20", "62{82:7921 83:2F11 8B:2F0601 80:00 A5{86:0100}}") END);

    ck_assert_uint_ne(node_at(&m, "2F11"), FS_NONE);
    ck_assert_uint_eq(file_at(&m, "2F11")->size, 0);
    ck_assert_uint_eq(file_at(&m, "2F11")->max_size, 0x100);
    made_done(&m);
}
END_TEST

START_TEST(generic_file_management_may_make_the_mf_and_an_adf)
{
    struct made m = install_good(HEADER GFM(
        "20", "62{82:7821 83:3F00 8B:2F060E C6:01} " TR(
                  "2FE2",
                  "0A") "81:98001032547698103214") "A2{A0{80: 81:03} A1{A0{30{80:01 81:" CODE
                                                   "}}}} " GFM("21",
                                                               "80: 62{82:7821 83:7FD0 84:" USIM_AID
                                                               " 8B:2F060E C6:0181} " TR(
                                                                   "6F07", "09")) PIN_2 AKA END);

    check_contents(&m, "2FE2", "98001032547698103214");
    ck_assert_uint_eq(file_at(&m, "7FD0")->kind, FS_KIND_ADF);
    ck_assert_uint_ne(node_at(&m, "7FD06F07"), FS_NONE);
    ck_assert_int_eq(pin_tries(&m, "7FD0", 0x81), 3);
    char key[16];
    snprintf(key, sizeof key, "aka/%04x", node_at(&m, "7FD0"));
    ck_assert(is_kept(&m, key));
    made_done(&m);
}
END_TEST

/* A link: size and structure are the target's. */
#define LINK(fid, path) "62{82:4121 83:" fid " 8B:2F0601 C7:" path "}"

START_TEST(links_share_contents)
{
    struct made m = install_good(
        BASE GFM("20", LINK("6F3C", "7FD06F3C") LINK("6F3D", "6F3C") "80:6F3D 81:77") END);
    struct rd changed = rd_of("\x55", 1);

    ck_assert_uint_eq(file_at(&m, "6F3D")->body, node_at(&m, "7FD06F3C"));
    ck_assert_uint_eq(file_at(&m, "6F3D")->kind, FS_KIND_LINEAR);
    ck_assert_uint_eq(file_at(&m, "6F3D")->arr_fid, 0x2F06);
    check_contents(&m, "7FD06F3C", "77FF");
    ck_assert_int_eq(fs_write(&m.fs, m.nvm, node_at(&m, "6F3C"), 0, changed), 0);
    check_contents(&m, "6F3D", "55FF");
    made_done(&m);
}
END_TEST

START_TEST(a_df_link_shows_the_files_of_its_target)
{
    struct made m = install_good(BASE GFM(
        "20", "80:7FD0 62{82:7821 83:5F40 8B:6F060E} " TR(
                  "4F41", "01") "81:AB "
                                "62{82:7821 83:5F41 8B:6F060E} 80:7FD05F405F41 " TR(
                                    "4F01", "01") "80: "
                                                  "62{82:7821 83:7F40 8B:2F060E C7:7FD05F40}") END);

    ck_assert_uint_eq(file_at(&m, "7F40")->n_pins, 2); /* as where it stands */
    check_contents(&m, "7F404F41", "AB");
    ck_assert_uint_eq(file_at(&m, "7F404F41")->body, node_at(&m, "7FD05F404F41"));
    ck_assert_uint_ne(node_at(&m, "7F405F414F01"), FS_NONE);
    made_done(&m);
}
END_TEST

START_TEST(the_context_of_pins_is_the_first_df_of_the_element_before)
{
    /* B5: df-mmss stands behind DF.TELECOM and is not the context; neither is a GFM that only
     * selects. */
    struct made m = install_good(HEADER MF PINS TELECOM("AF{A1{C6:01810A}}")
                                     GFM("20", "80:7F105F3A") PIN_OF_DF END);

    ck_assert_int_eq(pin_tries(&m, "7F10", 0x81), 2);
    ck_assert_int_eq(pin_tries(&m, "7F105F3A", 0x81), -1);
    made_done(&m);
}
END_TEST

START_TEST(pins_can_be_shared)
{
    struct made m = install_good(BASE TELECOM("") "A2{A0{80: 81:12} A1{81:7FD0}} " END);

    ck_assert_int_eq(pin_tries(&m, "7F10", 0x81), 3);
    made_done(&m);
}
END_TEST

#define ISIM                                                                                       \
    "B5{A0{80: 81:30} 81:67810F010208 A2{A1{83:7FB0 84:" ISIM_AID " C6:010A}}"                     \
    " A3{A1{80:10}} A4{A1{82:42210010 80:10}} A5{A1{80:10}} A6{83:FF} A8{" ARR_SIZE "}} "

START_TEST(services_that_the_platform_lacks_are_cleared)
{
    /* A8: ef-ust, from octet 9 on services 65 to 72, of which 69 is MBMS. */
    struct made m = install_good(
        HEADER MF PINS "B3{A0{80: 81:04} 81:67810F010204 A2{A1{83:7FD0 84:" USIM_AID
                       " C6:01810A}} A3{} A4{" ARR_SIZE
                       "} A8{83:FFFFFFFFFFFFFFFFFFFF} AD{} AE{} B2{} B6{}} " PIN_2 ISIM END);
    uint32_t capability = upp_uicc_capability();

    check_contents(&m, "7FD06F38",
                   capability & 1u << 10 ? "FFFFFFFFFFFFFFFFEFFF" : "FFFFFFFFFFFFFFFFE7F7");
    check_contents(&m, "7FB06F07", capability & 1u << 11 ? "FF" : "F5");
    made_done(&m);
}
END_TEST

/* A security domain. */
#define SD(id, aid, more, keys)                                                                    \
    "A6{A0{80: 81:" id "} A1{4F:A0000001515350 4F:A000000151535041 4F:" aid more                   \
    " 82:82DC00 83:0F C9:81028000} " keys "} "
#define KEY(kid, kvn, type, data) "30{95:18 82:" kid " 83:" kvn " 30{30{80:" type " 86:" data "}}} "
#define AES                       "000102030405060708090A0B0C0D0E0F"
#define MNO_SD                    SD("40", "A000000151000000", "", "A2{" KEY("01", "02", "88", AES) "}")
#define RFM(more)                 "A7{A0{80: 81:41} 4F:A00000055910100001 " more " 81:02 04:00 04:00} "

START_TEST(elements_are_kept_as_they_came)
{
    struct made m = install_good(
        BASE AKA MNO_SD SD("43", "A000000151000001", " 4F:A000000151000000", "") RFM("") END);
    uint8_t octets[512];
    struct wr w;
    bool found;

    ck_assert(is_kept(&m, "sd/00") && is_kept(&m, "sd/01") && !is_kept(&m, "sd/02"));
    ck_assert(is_kept(&m, "rfm/00"));
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(nvm_get(m.nvm, "isdp/0010/aka/0006", &w, &found), 0);
    ck_assert(found);
    check_hex(wr_view(&w),
              "A435A0058000810106A12CA12A8001018101008210000102030405060708090A0B0C0D0E0F"
              "8310000102030405060708090A0B0C0D0E0F",
              "akaParameter");
    made_done(&m);
}
END_TEST

/* --- refusals and warnings -------------------------------------------------------------------- */

/* An element behind the base; status, and the tag that the offset leads to.  The identification is
 * 0x20 (32) where nothing else is said. */
static const struct refusal {
    const char *name, *element;
    unsigned status;
    uint8_t tag;     /* at the offset */
    bool must_abort; /* also when it is not mandated */
    uint8_t additional;
} refusals[] = {
    { "a template that nobody knows", "B4{A0{%s81:20} 81:67810F010299}", 9, 0x81, false, 0 },
    { "a template of another element", "B4{A0{%s81:20} 81:67810F010207}", 3, 0x81, false, 0 },
    { "an ADF without AID",
      "B5{A0{%s81:20} 81:67810F010208 A2{A1{83:7FB0}} A3{} A4{} A5{} A6{} A8{}}", 3, 0xA1, false,
      0 },
    { "an ADF of an AID that is there",
      "B5{A0{%s81:20} 81:67810F010208 A2{A1{83:7FB0 84:" USIM_AID "}} A3{} A4{} A5{} A6{} A8{}}", 3,
      0xA1, true, 0 },
    { "a size that is not given",
      "B5{A0{%s81:20} 81:67810F010208 A2{A1{83:7FB0 84:" ISIM_AID "}} A3{} A4{} A5{} A6{} A8{}}", 3,
      0xA3, false, 0 },
    { "files without their ADF", "B6{A0{%s81:20} 81:67810F010209 A2{A1{80:20}}}", 3, 0xA2, true,
      0 },
    { "a file without its DF", "B2{A0{%s81:20} 81:67810F010203 A2{80:} A5{A1{80:20}}}", 3, 0xA5,
      true, 0 },
    { "contents of a DF", "B2{A0{%s81:20} 81:67810F010203 A2{83:00}}", 3, 0x83, false, 0 },
    { "an EF described as a DF", "B4{A0{%s81:20} 81:67810F010205 A2{A1{82:7821}}}", 3, 0xA1, false,
      0 },
    { "a DF described as an EF", "B2{A0{%s81:20} 81:67810F010203 A2{A1{82:4121}}}", 3, 0xA1, false,
      0 },
    { "a FID that is there", "A1{A0{%s81:20} A1{30{62{82:4121 83:2F05 8B:2F0601 80:02}}}}", 3, 0x62,
      true, 0 },
    { "a FID that is reserved", "A1{A0{%s81:20} A1{30{62{82:4121 83:7FFF 8B:2F0601 80:02}}}}", 3,
      0x62, false, 0 },
    { "a second MF", "A1{A0{%s81:20} A1{30{62{82:7821 83:3F00 8B:2F0601}}}}", 3, 0x62, false, 0 },
    { "no FID", "A1{A0{%s81:20} A1{30{62{82:4121 8B:2F0601 80:02}}}}", 3, 0x62, false, 0 },
    { "no security attributes", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 80:02}}}}", 3, 0x62, false,
      0 },
    { "no size", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F0601}}}}", 3, 0x62, false, 0 },
    { "no such descriptor", "A1{A0{%s81:20} A1{30{62{82:4021 83:6F01 8B:2F0601 80:02}}}}", 3, 0x62,
      false, 0 },
    { "no such life cycle", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8A:02 8B:2F0601 80:02}}}}", 3,
      0x62, false, 0 },
    { "security attributes of two octets",
      "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F06 80:02}}}}", 3, 0x62, false, 0 },
    { "security attributes of half a pair",
      "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F06010200 80:02}}}}", 3, 0x62, false, 0 },
    { "no such SFI", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F0601 80:02 88:F8}}}}", 3, 0x62,
      false, 0 },
    { "two patterns", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F0601 80:02 A5{C1:00 C2:00}}}}}",
      3, 0x62, false, 0 },
    { "a pattern for BER-TLV",
      "A1{A0{%s81:20} A1{30{62{82:7921 83:6F01 8B:2F0601 80:02 A5{C1:00}}}}}", 3, 0x62, false, 0 },
    { "records of no length", "A1{A0{%s81:20} A1{30{62{82:42210000 83:6F01 8B:2F0601 80:02}}}}", 3,
      0x62, false, 0 },
    { "records of 256 octets", "A1{A0{%s81:20} A1{30{62{82:42210100 83:6F01 8B:2F0601 80:0100}}}}",
      3, 0x62, false, 0 },
    { "half a record", "A1{A0{%s81:20} A1{30{62{82:42210004 83:6F01 8B:2F0601 80:06}}}}", 3, 0x62,
      false, 0 },
    { "255 records", "A1{A0{%s81:20} A1{30{62{82:42210001 83:6F01 8B:2F0601 80:00FF}}}}", 3, 0x62,
      false, 0 },
    { "an EF of 65536 octets", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F0601 80:010000}}}}", 4,
      0x62, false, 0 },
    { "a size of many octets",
      "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F0601 80:FFFFFFFFFFFFFFFFFF}}}}", 4, 0x62, false,
      0 },
    { "a name for an EF",
      "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 84:A000000001 8B:2F0601 80:02}}}}", 3, 0x62, false,
      0 },
    { "a path that is not there", "A1{A0{%s81:20} A1{30{80:7FFE}}}", 3, 0x80, false, 0 },
    { "a path of an odd length", "A1{A0{%s81:20} A1{30{80:7FD06F}}}", 3, 0x80, false, 0 },
    { "contents without a file", "A1{A0{%s81:20} A1{30{81:00}}}", 3, 0x81, false, 0 },
    { "an offset without a file", "A1{A0{%s81:20} A1{30{02:01}}}", 3, 0x02, false, 0 },
    { "contents beyond the end", "A1{A0{%s81:20} A1{30{80:2F05 81:00 81:0000}}}", 3, 0x81, false,
      0 },
    { "an offset beyond the end", "A1{A0{%s81:20} A1{30{80:2F05 02:03}}}", 3, 0x02, false, 0 },
    { "broken BER-TLV", "A1{A0{%s81:20} A1{30{62{82:7921 83:6F01 8B:2F0601 80:10} 81:8005}}}", 3,
      0x81, false, 0 },
    { "an offset in BER-TLV", "A1{A0{%s81:20} A1{30{62{82:7921 83:6F01 8B:2F0601 80:10} 02:01}}}",
      3, 0x02, false, 0 },
    { "a link to nothing", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F0601 C7:6F02}}}}", 3, 0x62,
      false, 0 },
    { "a link to itself", "A1{A0{%s81:20} A1{30{62{82:4121 83:6F01 8B:2F0601 C7:6F01}}}}", 3, 0x62,
      false, 0 },
    { "a link to an ADF", "A1{A0{%s81:20} A1{30{62{82:7821 83:7F01 8B:2F0601 C7:7FD0}}}}", 3, 0x62,
      false, 0 },
    { "a PIN that cannot be there", "A2{A0{%s81:20} A1{A0{30{80:02 81:" CODE "}}}}", 3, 0x30, false,
      0 },
    { "a PIN that is there", "A2{A0{%s81:20} A1{A0{30{80:0081 81:" CODE "}}}}", 3, 0x30, false, 0 },
    { "more attempts left than there are", "A2{A0{%s81:20} A1{A0{30{80:0082 81:" CODE " 84:34}}}}",
      3, 0x30, false, 0 },
    { "PINs shared with nothing", "A2{A0{%s81:20} A1{81:7FFE}}", 3, 0xA1, false, 0 },
    { "PINs shared with itself", "A2{A0{%s81:20} A1{81:7FD0}}", 3, 0xA1, false, 0 },
    { "an algorithm that nobody knows", "A4{A0{%s81:20} A1{A1{80:04 81:00 82:" AES " 83:" AES "}}}",
      10, 0xA1, false, 0 },
    { "a key that is too short", "A4{A0{%s81:20} A1{A1{80:01 81:00 82:00 83:" AES "}}}", 3, 0xA1,
      false, 0 },
    { "parameters of an NAA that is not there", "A4{A0{%s81:20} A1{A0{80:06 81:" ISIM_AID "}}}", 3,
      0xA1, false, 0 },
    { "two keys of one name",
      "A6{A0{%s81:20} A1{4F:A000000001 4F:A000000001 4F:A000000001 82:80 C9:} A2{" KEY(
          "01", "02", "88", AES) KEY("01", "02", "88", AES) "}}",
      3, 0x30, true, 0 },
    { "a key type that nobody knows",
      "A6{A0{%s81:20} A1{4F:A000000001 4F:A000000001 4F:A000000001 82:80 C9:} A2{" KEY(
          "01", "02", "EE", AES) "}}",
      10, 0x30, true, 0 },
    { "an AES key of 15 octets",
      "A6{A0{%s81:20} A1{4F:A000000001 4F:A000000001 4F:A000000001 82:80 C9:} A2{" KEY(
          "01", "02", "88", "000102030405060708090A0B0C0D0E") "}}",
      3, 0x30, true, 0 },
    { "a security domain above that is not there",
      "A6{A0{%s81:20} A1{4F:A000000001 4F:A000000001 4F:A000000001 4F:A000000002 82:80 C9:}}", 6,
      0xA1, true, 0 },
    { "CAT_TP",
      "A6{A0{%s81:20} A1{4F:A000000001 4F:A000000001 4F:A000000001 82:80 C9:}"
      " A5{80:10 81:10}}",
      10, 0xA5, true, 0 },
    { "remote file management without security domain",
      "A7{A0{%s81:20} 4F:A000000003 81:02 04:00 04:00}", 3, 0xA7, false, 0 },
    { "an application", "A8{A0{%s81:20}}", 7, 0xA8, false, 0 },
    { "something of nobody we know", "A9{A0{%s81:20} 81:2A03 82:00}", 1, 0xA9, false, 0 },
    { "a file of MBMS", "B4{A0{%s81:20} 81:67810F010205 BF39{A1{82:42210010 80:10}}}", 10, 0xBF,
      false, 2 },
    { "an element of the future", "BE{A0{%s81:20} 81:67810F01020F A2{A1{C6:01}} A9{}}", 6, 0xA9,
      false, 0 },
};

/* The element of identification 0x20, and where it begins. */
static struct rd element_of(const struct made *m)
{
    struct rd in = wr_view(&m->package);
    struct tlv t, header, id;

    while (tlv_get(&in, &t) == 0)
        if (tlv_find(t.value, 0xA0, &header) && tlv_find(header.value, 0x81, &id) &&
            id.value.n == 1 && id.value.p[0] == 0x20)
            return t.whole;
    ck_abort_msg("the element is not there");
}

/* 30 .. A0 .. 30 .. { 80 status, 81 identification, 82 additional, 83 offset } */
static void check_response(const struct made *m, const struct refusal *r, bool aborted)
{
    char expected[128], status[64];
    struct tlv response, list, one, offset;
    struct rd in = wr_view(&m->response);
    uint64_t at = 0;

    ck_assert(tlv_get(&in, &response) == 0 && tlv_find(response.value, 0xA0, &list) &&
              tlv_find(list.value, 0x30, &one));
    bool has_offset = tlv_find(one.value, 0x83, &offset);
    if (has_offset)
        ck_assert_int_eq(tlv_uint(offset.value, &at), 0);
    struct rd element = element_of(m);
    ck_assert_uint_lt(at, element.n);
    ck_assert_msg(element.p[at] == r->tag, "%s: offset leads to %02X", r->name, element.p[at]);
    ck_assert_msg(has_offset == (aborted || at > 0), "%s: offset", r->name);
    int n = snprintf(status, sizeof status, "8001%02X810120", r->status);
    if (r->additional != 0)
        n += snprintf(status + n, sizeof status - (size_t)n, "8201%02X", r->additional);
    if (has_offset && at < 0x80)
        n += snprintf(status + n, sizeof status - (size_t)n, "8301%02X", (unsigned)at);
    else if (has_offset)
        n += snprintf(status + n, sizeof status - (size_t)n, "8302%04X", (unsigned)at);
    snprintf(expected, sizeof expected, "30%02XA0%02X30%02X%s%s", n / 2 + (aborted ? 6 : 9),
             n / 2 + (aborted ? 2 : 7), n / 2, status, aborted ? "8100" : "3003800100");
    check_hex(wr_view(&m->response), expected, r->name);
}

static struct made install_refused(const struct refusal *r, bool mandated)
{
    char element[1024], package[4096];
    const char *percent = strstr(r->element, "%s");

    snprintf(element, sizeof element, "%.*s%s%s", (int)(percent - r->element), r->element,
             mandated ? "80: " : "", percent + 2);
    snprintf(package, sizeof package, "%s%s%s", BASE, element, END);
    return install(package);
}

START_TEST(a_mandated_element_that_cannot_be_ends_the_installation)
{
    const struct refusal *r = &refusals[_i];
    struct made m = install_refused(r, true);

    ck_assert_int_eq(m.result, r->status == PE_NOT_ENOUGH_MEMORY ? UPP_NO_SPACE : UPP_PE_ERROR);
    check_response(&m, r, true);
    made_done(&m);
}
END_TEST

START_TEST(another_one_is_a_warning_and_leaves_nothing)
{
    const struct refusal *r = &refusals[_i];
    struct made plain = install_good(BASE END), m = install_refused(r, false);

    check_response(&m, r, r->must_abort);
    if (r->must_abort) {
        ck_assert_int_ne(m.result, UPP_OK);
    } else {
        bool keeps = r->status == 7 || r->status == 1; /* what cannot run is kept, not used */
        bool is_done = r->status == 6;                 /* but for the field that is unknown */
        ck_assert_int_eq(m.result, UPP_OK);
        if (!is_done)
            ck_assert_uint_eq(m.fs.n, plain.fs.n);
        if (!keeps && !is_done)
            ck_assert_uint_eq(install_size(m.install), install_size(plain.install));
    }
    made_done(&m);
    made_done(&plain);
}
END_TEST

START_TEST(what_a_refused_element_changed_is_as_before)
{
    struct made m = install(
        BASE
        "A1{A0{81:20} A1{30{80:2FE2 81:11 80:7FD06F07 81:22 80:2FE2 02:05 81:33 80:7FFE}}}" END);

    ck_assert_int_eq(m.result, UPP_OK);
    check_contents(&m, "2FE2", "98001032547698103214");
    check_contents(&m, "7FD06F07", "080910101032547698");
    made_done(&m);
}
END_TEST

/* Whole packages, and what the response to each is. */
static const struct {
    const char *name, *package, *response;
    bool record;
    int result;
} packages[] = {
    { "a PIN status template that names no PIN1", HEADER MF END,
      "300FA00B300980010B81017F8301008100", false, UPP_PE_ERROR },
    { "one that names no PIN2", HEADER MF PINS USIM END, "300FA00B300980010B81017F8301008100",
      false, UPP_PE_ERROR },
    { "PINs without an MF", HEADER PINS END, "300FA00B30098001058101038301098100", false,
      UPP_PE_ERROR },
    { "parameters without an NAA", HEADER MF PINS AKA END, "300FA00B30098001038101068301098100",
      false, UPP_PE_ERROR },
    { "major version 4", "A0{80:04 81:03 83:89000123456789012341 A5{} A6{}} ",
      "300CA008300680011F8301028100", false, UPP_PE_ERROR },
    { "contactless", "A0{80:02 81:03 83:89000123456789012341 A5{80:} A6{}} ",
      "300CA008300680010A8301168100", false, UPP_PE_ERROR },
    { "Java Card", "A0{80:02 81:03 83:89000123456789012341 A5{8B:} A6{}} ",
      "300CA00830068001078301168100", false, UPP_PE_ERROR },
    { "Multos, even if applications are recorded",
      "A0{80:02 81:03 83:89000123456789012341 A5{8C:} A6{}} ", "300CA00830068001078301168100", true,
      UPP_PE_ERROR },
    { "a service that nobody knows, 30",
      "A0{80:02 81:03 83:89000123456789012341 A5{84: 9E:} A6{}} ", "300CA008300680010A8301188100",
      false, UPP_PE_ERROR },
    { "one beyond the tags of an octet", "A0{80:02 81:03 83:89000123456789012341 A5{9F1F:} A6{}} ",
      "300CA008300680010A8301168100", false, UPP_PE_ERROR },
    { "a field of the header that nobody knows",
      "A0{80:02 81:09 83:89000123456789012341 A5{} A6{} AA{80:01}} ",
      "300CA00830068001068301188100", false, UPP_PE_ERROR },
    { "a template that nobody knows",
      "A0{80:02 81:03 83:89000123456789012341 A5{} A6{06:67810F0102634B}} ",
      "300CA00830068001098301188100", false, UPP_PE_ERROR },
    { "a library",
      "A0{80:02 81:03 83:89000123456789012341 A5{} A6{} A8{30{80:A000000001 81:0100}}} ",
      "300CA00830068001088301188100", false, UPP_PE_ERROR },
    { "an MF in an IoT minimal profile", IOT_HEADER MF, "300FA00B30098001058101018301008100", false,
      UPP_PE_ERROR },
    { "an MF after PE-IoT", IOT_HEADER IOT("") MF, "300FA00B30098001058101018301008100", false,
      UPP_PE_ERROR },
    { "files before PE-IoT", IOT_HEADER "A1{A0{80: 81:02} A1{}} ",
      "300FA00B30098001058101028301008100", false, UPP_PE_ERROR },
    { "PE-OPT-IoT before PE-IoT", IOT_HEADER OPT_IOT, "300FA00B30098001058101098301008100", false,
      UPP_PE_ERROR },
    { "PE-IoT in another profile", HEADER IOT(""), "300FA00B30098001058101088301008100", false,
      UPP_PE_ERROR },
    { "PE-OPT-IoT in another profile", BASE OPT_IOT, "300FA00B30098001058101098301008100", false,
      UPP_PE_ERROR },
    { "PE-IoT twice", IOT_HEADER IOT("") IOT(""), "300FA00B30098001058101088301008100", false,
      UPP_PE_ERROR },
    { "PE-IoT with another AID than the header's",
      IOT_HEADER IOT("A8{A1{84:A0000000871002FF49FF018A}}"), "300FA00B30098001038101088301008100",
      false, UPP_PE_ERROR },
    { "PE-IoT by the template of the MF",
      IOT_HEADER "BF20{A0{80: 81:08} 81:67810F010201 A9{} B2{}} ",
      "300FA00B300980010381010883010A8100", false, UPP_PE_ERROR },
    { "PE-MF by the template of PE-IoT",
      HEADER "B0{A0{80: 81:01} 81:67810F010211 A2{} A4{} A5{} A6{}} ",
      "300FA00B30098001038101018301098100", false, UPP_PE_ERROR },
    { "an IoT minimal profile whose AID is no USIM's",
      "A0{80:03 81:03 83:89000123456789012341 A5{} A6{} A9{80:10040000000000}} " IOT(""),
      "300FA00B30098001038101088301008100", false, UPP_PE_ERROR },
    { "Java Card and an application, recorded",
      "A0{80:02 81:03 83:89000123456789012341 A5{8B:} A6{}} " MF PINS "A8{A0{80: 81:20}} " END,
      "3017A015300680010783011630068001078101203003800100", true, UPP_OK },
};

START_TEST(packages_get_their_response)
{
    struct made m = install_with(packages[_i].package, packages[_i].record, ROOM);

    check_hex(wr_view(&m.response), packages[_i].response, packages[_i].name);
    ck_assert_int_eq(m.result, packages[_i].result);
    made_done(&m);
}
END_TEST

START_TEST(a_package_may_have_no_files)
{
    struct made m = install_good(HEADER END);

    ck_assert_uint_eq(m.fs.n, 0);
    made_done(&m);
}
END_TEST

START_TEST(recorded_applications_are_kept)
{
    struct made m = install_with(BASE "A8{A0{80: 81:20}} A8{A0{80: 81:21}} " END, true, ROOM);

    ck_assert_int_eq(m.result, UPP_OK);
    ck_assert(is_kept(&m, "app/00") && is_kept(&m, "app/01"));
    made_done(&m);
}
END_TEST

/* --- hostile packages ------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The base, then a GFM of many commands, made by a function of their number. */
static struct made install_many(unsigned n, const char *(*command)(unsigned), uint64_t room)
{
    struct made m = { 0 };
    double before = seconds();

    wr_init_heap(&m.package, NVM_VALUE_MAX);
    put_objects(&m.package, BASE);
    struct wr_mark pe = tlv_open(&m.package, 0xA1);
    put_objects(&m.package, "A0{81:20}");
    struct wr_mark list = tlv_open(&m.package, 0xA1), commands = tlv_open(&m.package, 0x30);
    for (unsigned i = 0; i < n; i++)
        put_objects(&m.package, command(i));
    tlv_close(&m.package, commands);
    tlv_close(&m.package, list);
    tlv_close(&m.package, pe);
    put_objects(&m.package, END);
    ck_assert_int_eq(wr_failed(&m.package), 0);
    interpret(&m, false, room);
    store(&m);
    ck_assert_msg(seconds() - before < 10, "%.1f s", seconds() - before);
    return m;
}

static const char *one_more_file(unsigned i)
{
    static char text[64];

    snprintf(text, sizeof text, "80: 62{82:4121 83:%04X 8B:2F0601 80:01}", 0x4000 + i);
    return text;
}

START_TEST(thousands_of_files_do_not_fit)
{
    struct made m = install_many(5000, one_more_file, ROOM);

    ck_assert_int_eq(m.result, UPP_NO_SPACE);
    ck_assert_uint_eq(m.response.p[8], PE_NOT_ENOUGH_MEMORY);
    made_done(&m);
}
END_TEST

static const char *one_more_large_file(unsigned i)
{
    static char text[64];

    snprintf(text, sizeof text, "62{82:4121 83:%04X 8B:2F0601 80:FFFF}", 0x4000 + i);
    return text;
}

START_TEST(large_files_fit_as_long_as_there_is_room)
{
    struct made good = install_many(15, one_more_large_file, ROOM);
    ck_assert_int_eq(good.result, UPP_OK);
    ck_assert_uint_le(install_size(good.install), ROOM);
    made_done(&good);
    struct made m = install_many(16, one_more_large_file, ROOM);
    ck_assert_int_eq(m.result, UPP_NO_SPACE);
    made_done(&m);
    struct made small = install_with(BASE END, false, 1000);
    ck_assert_int_eq(small.result, UPP_NO_SPACE);
    made_done(&small);
}
END_TEST

static const char *one_level_deeper(unsigned i)
{
    static char text[64];

    snprintf(text, sizeof text, "62{82:7821 83:%04X 8B:2F0601}", 0x5000 + i);
    return text;
}

START_TEST(dfs_nest_only_so_deep)
{
    struct made good = install_many(FS_MAX_DEPTH - 1, one_level_deeper, ROOM);
    ck_assert_int_eq(good.result, UPP_OK);
    made_done(&good);
    struct made m = install_many(FS_MAX_DEPTH, one_level_deeper, ROOM);
    ck_assert_int_eq(m.result, UPP_PE_ERROR);
    made_done(&m);
}
END_TEST

/* DF number i holds a link to every DF before it, so that each doubles what there is. */
static const char *one_more_doubling(unsigned i)
{
    static char text[128];

    if (i == 0)
        return "62{82:7821 83:5000 8B:2F0601} 62{82:7821 83:5001 8B:2F0601} 80:";
    snprintf(text, sizeof text,
             "62{82:7821 83:%04X 8B:2F0601 C7:5000} 80:5000"
             " 62{82:7821 83:%04X 8B:2F0601 C7:%04X} 80:",
             0x5000 + i, 0x6000 + i, 0x5000 + i);
    return text;
}

START_TEST(links_do_not_explode)
{
    struct made m = install_many(60, one_more_doubling, ROOM);

    ck_assert_int_ne(m.result, UPP_OK);
    made_done(&m);
    struct made up = install(BASE GFM(
        "20", "80: 62{82:7821 83:5000 8B:2F0601} 62{82:7821 83:5001 8B:2F0601 C7:5000}") END);
    ck_assert_int_eq(up.result, UPP_PE_ERROR);
    made_done(&up);
}
END_TEST

static const char *one_more_fill(unsigned i)
{
    return i % 2 == 0 ? "80:2FE2 81:98" : "80:7FD06F07 81:08";
}

START_TEST(contents_may_come_in_any_number_of_pieces)
{
    struct made m = install_many(20000, one_more_fill, ROOM);

    ck_assert_int_eq(m.result, UPP_OK);
    check_contents(&m, "2FE2", "98001032547698103214");
    made_done(&m);
}
END_TEST

START_TEST(a_package_cut_anywhere_is_refused)
{
    struct made whole = install_good(BASE AKA MNO_SD RFM("") END);
    struct rd package = wr_view(&whole.package);

    for (size_t n = 0; n < package.n; n += 1 + n / 40) {
        struct made m = install_octets(rd_of(package.p, n), false);
        ck_assert_int_ne(m.result, UPP_OK);
        made_done(&m);
    }
    made_done(&whole);
}
END_TEST

/* A package in which one octet is another still gets a response, and what it makes can be used. */
START_TEST(a_package_with_a_wrong_octet_does_no_harm)
{
    struct made whole =
        install_good(BASE AKA MNO_SD RFM("") GFM("20", LINK("6F3C", "7FD06F3C")) END);

    for (size_t at = 0; at < whole.package.n; at++) {
        uint8_t was = whole.package.p[at];
        for (unsigned bit = 0; bit < 8; bit += 3) {
            whole.package.p[at] = (uint8_t)(was ^ 1u << bit);
            struct made m = install_octets(wr_view(&whole.package), false);
            ck_assert_int_ge(m.result, UPP_OK);
            made_done(&m);
        }
        whole.package.p[at] = was;
    }
    made_done(&whole);
}
END_TEST

/* --- whole profiles --------------------------------------------------------------------------- */

static struct made install_file(const char *path, bool record)
{
    static uint8_t octets[1 << 16];
    FILE *f = fopen(path, "rb");

    ck_assert_msg(f != NULL, "%s", path);
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    return install_octets(rd_of(octets, n), record);
}

START_TEST(our_own_profile_installs)
{
    struct made m = install_file(OPERATIONAL_DER, false);

    check_hex(wr_view(&m.response), OK, "operational");
    ck_assert_uint_eq(m.fs.n, 30);
    check_contents(&m, "2FE2", "980010000000000010F9");
    check_contents(&m, "2F00", "61144F0CA0000000871002FF49FF018950045553494D");
    check_contents(&m, "7FD06F07", "080910100000000010");
    check_contents(&m, "7FD06F38", "020A040001000000000010000000");
    check_contents(&m, "7FD06FAD", "00000002");
    ck_assert_int_eq(pin_tries(&m, "7FD0", 0x81), 3);
    ck_assert(is_kept(&m, "aka/0006"));
    made_done(&m);
}
END_TEST

/* Installs one of TS.48's. */
static void check_ts48(const char *path)
{
    bool v1 = strstr(path, "TS48v1") != NULL || strstr(path, "TS48V1") != NULL;
    struct made m = install_file(path, v1);

    check_hex(wr_view(&m.response), v1 ? "300FA00D300680010783013E3003800100" : OK, path);
    ck_assert_int_eq(m.result, UPP_OK);
    ck_assert_uint_gt(m.fs.n, 180);
    check_contents(&m, "7FD06FAD", "80000002");
    ck_assert_uint_eq(file_at(&m, "2FE2")->size, 10);
    ck_assert_uint_eq(file_at(&m, "7FD06F07")->size, 9);
    ck_assert_uint_eq(file_at(&m, "7FD06F38")->sfi, 0x04);
    ck_assert_uint_eq(file_at(&m, "7FC06F3B")->body, node_at(&m, "7FD06F3B"));
    ck_assert_int_eq(pin_tries(&m, "7F10", 0x81), 3);
    ck_assert_int_eq(pin_tries(&m, "7FB0", 0x81), 3);
    ck_assert(is_kept(&m, "sd/00") && is_kept(&m, "rfm/03"));
    if (strstr(path, "v5") != NULL && strstr(path, "BERTLV_SUCI") != NULL) {
        ck_assert_uint_eq(m.fs.n, 257);
        check_contents(&m, "2FE2", "98001032547698103214");
        check_contents(&m, "7FD06F07", "080910101032540636");
        check_contents(&m, "7FD06F38", "9EFFBF1DFF3E0083410310010400407E39");
        check_contents(&m, "7FD05FC04F07", "A0020000FF");
    }
    made_done(&m);
}

START_TEST(the_test_profiles_of_ts_48_install)
{
    const char *root = getenv("SOFTEUICC_TESTDATA");
    char folder[512], path[1024];
    unsigned n = 0;

    if (root == NULL) {
        printf("skipped: TS.48: SOFTEUICC_TESTDATA is not set\n");
        return;
    }
    snprintf(folder, sizeof folder, "%s/ts48", root);
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s", folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".der") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_ts48(path);
        n++;
    }
    closedir(dir);
    ck_assert_uint_gt(n, 0);
}
END_TEST

/* --- in the card ------------------------------------------------------------------------------ */

static uint64_t free_memory(struct euicc *e)
{
    uint64_t room;

    ck_assert_int_eq(profile_free_memory(e, &room), 0);
    return room;
}

START_TEST(a_removed_profile_leaves_nothing)
{
    struct euicc e = { 0 };
    struct made m = { 0 };
    uint8_t metadata[12] = { 0x5A, 10, 0x98, 0x00, 0x10, 0x32, 0x54, 0x76, 0x98, 0x10, 0x32, 0x14 };
    struct profile_new new = { .metadata = rd_of(metadata, sizeof metadata) };
    char key[NVM_KEY_MAX] = "";
    struct profile p;
    bool found;

    wr_init_heap(&m.package, NVM_VALUE_MAX);
    put_objects(&m.package, BASE AKA MNO_SD RFM("") END);
    interpret(&m, false, ROOM);
    e.nvm = nvm_open_memory(&no_trace);
    uint64_t before = free_memory(&e), size = install_size(m.install);
    new.install = m.install;
    ck_assert_int_eq(profile_add(&e, PROFILE, &new), 0);
    ck_assert_int_eq(nvm_commit(e.nvm), 0);
    ck_assert_int_eq(profile_load(&e, PROFILE, &p, &found), 0);
    ck_assert_uint_eq(free_memory(&e), before - p.size);
    ck_assert_uint_eq(p.size, sizeof metadata + size);
    ck_assert_int_eq(profile_remove(&e, &p), 0);
    ck_assert_int_eq(nvm_commit(e.nvm), 0);
    ck_assert_uint_eq(free_memory(&e), before);
    ck_assert_int_eq(nvm_next(e.nvm, "isdp/", key, &found), 0);
    ck_assert(!found);
    profile_done(&p);
    nvm_close(&e.nvm);
    made_done(&m);
}
END_TEST

START_TEST(an_iot_minimal_profile_is_made_from_its_header)
{
    struct made m = install_good(IOT_HEADER IOT("") OPT_IOT AKA END);
    const struct fs_node *adf = file_at(&m, "7FD0");

    check_hex(rd_of(adf->aid, adf->aid_len), USIM_AID, "AID");
    check_hex(rd_of(adf->pins, adf->n_pins), "010A", "PINs of the ADF");
    check_hex(rd_of(m.fs.nodes[FS_MF].pins, m.fs.nodes[FS_MF].n_pins), "010A", "PINs of the MF");
    check_contents(&m, "2FE2", "98001032547698103214");
    check_contents(&m, "2F00", "61144F0C" USIM_AID "50045553494DFFFFFFFFFFFFFFFF");
    check_contents(&m, "2F06",
                   "8001019000800102A406830101950108800158A40683010A950108FFFFFFFFFFFF"
                   "800101A406830101950108");
    check_contents(&m, "7FD06F06", "8001019000800102");
    check_contents(&m, "7FD06F07", "080910101032547698");
    check_contents(&m, "7FD06F46", "00FF");
    ck_assert_int_eq(pin_tries(&m, "", 0x01), 3);
    ck_assert_int_eq(pin_tries(&m, "", 0x0A), 0);
    made_done(&m);
}
END_TEST

START_TEST(what_an_iot_minimal_profile_brings_stands_over_the_defaults)
{
    struct made m = install_good(IOT_HEADER PUK_1 IOT(
        "A4{83:9899} A5{83:61} A8{A1{83:7FF1 C6:0A}}") "A2{A0{80: 81:05} A1{A0{30{80:0A 81:" CODE
                                                       "} 30{80:0081 81:" CODE "}}}} " END);
    struct pin pin;
    bool found;

    check_contents(&m, "2FE2", "9899FFFF");
    check_contents(&m, "2F00", "61FFFF");
    check_hex(rd_of(file_at(&m, "7FF1")->pins, file_at(&m, "7FF1")->n_pins), "0A", "PINs");
    ck_assert_int_eq(pin_tries(&m, "", 0x0A), 3);
    ck_assert_int_eq(pin_tries(&m, "7FF1", 0x81), 3);
    ck_assert_int_eq(pin_load(m.nvm, m.fs.prefix, FS_MF, 0x01, &pin, &found), 0);
    ck_assert(found);
    ck_assert_uint_eq(pin.puk, 0x01);
    ck_assert_uint_eq(pin.attributes & PIN_ENABLED, 0);
    made_done(&m);
}
END_TEST

static TCase *good_case(void)
{
    TCase *t = tcase_create("good");

    tcase_add_test(t, an_iot_minimal_profile_is_made_from_its_header);
    tcase_add_test(t, what_an_iot_minimal_profile_brings_stands_over_the_defaults);
    tcase_add_test(t, a_small_profile_has_its_files);
    tcase_add_test(t, pins_are_where_they_belong);
    tcase_add_test(t, files_may_be_left_out_but_not_those_of_the_mf);
    tcase_add_test(t, an_fcp_stands_over_the_template);
    tcase_add_test(t, there_may_be_several_instances_of_a_file);
    tcase_add_test(t, patterns_fill_files_and_records);
    tcase_add_test(t, a_file_can_have_rules_for_two_security_environments);
    tcase_add_test(t, generic_file_management_selects_creates_and_fills);
    tcase_add_test(t, a_ber_tlv_ef_may_have_nothing_reserved);
    tcase_add_test(t, generic_file_management_may_make_the_mf_and_an_adf);
    tcase_add_test(t, links_share_contents);
    tcase_add_test(t, a_df_link_shows_the_files_of_its_target);
    tcase_add_test(t, the_context_of_pins_is_the_first_df_of_the_element_before);
    tcase_add_test(t, pins_can_be_shared);
    tcase_add_test(t, services_that_the_platform_lacks_are_cleared);
    tcase_add_test(t, elements_are_kept_as_they_came);
    return t;
}

static TCase *refusal_case(void)
{
    TCase *t = tcase_create("refusals");

    tcase_add_loop_test(t, a_mandated_element_that_cannot_be_ends_the_installation, 0,
                        (int)N_ELEMS(refusals));
    tcase_add_loop_test(t, another_one_is_a_warning_and_leaves_nothing, 0, (int)N_ELEMS(refusals));
    tcase_add_test(t, what_a_refused_element_changed_is_as_before);
    tcase_add_loop_test(t, packages_get_their_response, 0, (int)N_ELEMS(packages));
    tcase_add_test(t, a_package_may_have_no_files);
    tcase_add_test(t, recorded_applications_are_kept);
    return t;
}

static TCase *hostile_case(void)
{
    TCase *t = tcase_create("hostile");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, thousands_of_files_do_not_fit);
    tcase_add_test(t, large_files_fit_as_long_as_there_is_room);
    tcase_add_test(t, dfs_nest_only_so_deep);
    tcase_add_test(t, links_do_not_explode);
    tcase_add_test(t, contents_may_come_in_any_number_of_pieces);
    tcase_add_test(t, a_package_cut_anywhere_is_refused);
    tcase_add_test(t, a_package_with_a_wrong_octet_does_no_harm);
    return t;
}

static TCase *whole_case(void)
{
    TCase *t = tcase_create("whole");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, our_own_profile_installs);
    tcase_add_test(t, the_test_profiles_of_ts_48_install);
    tcase_add_test(t, a_removed_profile_leaves_nothing);
    return t;
}

int main(void)
{
    Suite *suite = suite_create("install");

    suite_add_tcase(suite, good_case());
    suite_add_tcase(suite, refusal_case());
    suite_add_tcase(suite, hostile_case());
    suite_add_tcase(suite, whole_case());

    return suite_status(suite);
}
