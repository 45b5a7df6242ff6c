/* test_scp.c - SCP02 and SCP03: exchanges that were published (pySim's test_globalplatform.py), and
 * a card in memory whose security domains a host talks to that is written here from the
 * specification, on os/crypto alone. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ota/scp02.h"
#include "lib/softeuicc.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/leak.h"
#include "tests/testlib/suite.h"

static struct crypto *crypto;

static void open_crypto(void)
{
    crypto = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(crypto);
}

static void close_crypto(void)
{
    crypto_free(&crypto);
}

/* --- published exchanges ---------------------------------------------------------------------- */

/* Keys 00 01 .., 10 11 .., as long as the row says (192: the first 8 octets come again). */
static const struct exchange {
    size_t key_len;
    uint8_t level;
    const char *host, *card, *card_cryptogram, *counter, *authenticate;
    const char *get_eid, *eid; /* a command and its answer */
    const char *cases[4];
} exchanges[] = {
    { 16,
      0x11,
      "b13e5f938fc108c4",
      "3eb51047495b249f",
      "66c484c1d2ef1948",
      "000002",
      "84821100107d5f5826a993ebc89eea24957fa0b3ce",
      "84e291000ebf3e035c015a558d036518a28297",
      "bf3e125a1089882119900000000000000000000005971be68992dbbdfa",
      { "84f220020863a63f8959827fb2", "84ca006608a0c6a4a74166f7ce",
        "84f22002124f0212345c054f9f70c52249b50272656536", "84f280020a4f00e91443f6dce6b8ed" } },
    { 16,
      0x03,
      "8e1552d0513c60f3",
      "30760cd2c47c1dd3",
      "95065fe5ead8a9d7",
      "000001",
      "8482030010fd4721a14d9b07003c451d2f8ae6bb21",
      "84e2910018ca9c00f6713d79bc8baa642bdff51c3f6a4082d3bd9ad26c",
      "bf3e125a1089882119900000000000000000000005",
      { "84f2200208c9811b11f1264cf1", "84ca006608e10ab60b30547988",
        "84f22002184e2908bdb48b2315a55482e9e936ca122d6ecfae7d17416e",
        "84f28002180dd10a6b6193e5340b9e77d32d5a179cd710ac2773aefb28" } },
    { 16,
      0x33,
      "fdf38259a1e0de44",
      "3b1aca81e821f219",
      "081cdc01c26b372d",
      "000003",
      "84823300108c36f96bcc00724a4e13ad591d7da3f0",
      "84e2910018267a85dfe4a98fca6fb0527e0dfecce4914e40401433c87f",
      "f3ba2b1013aa6224f5e1c138d71805c569e5439b47576260b75fc021b25097cb2e68f8a0144975b9",
      { "84f2200208ac6a59024bed84cc", "84ca006608409912ad8fb7aed0",
        "84f22002185f3dafc3ac14c381536a488bf44e06d056df9d74dbd21e5a",
        "84f280021865165105be3373347d0424d4400af2ac393f569ec779389e" } },
    { 24,
      0x33,
      "9b3f2eef0e8c9374",
      "f6bb305a15bae1a6",
      "8f79fb08212fbed7",
      "000002",
      "84823300109100bc22d58b45b86a26365ce39ff3cf",
      "84e29100188f7f946c84f70d17994bc6e8791251bb1bb1bf02cf8de589",
      "c05176c1b6f72aae50c32cbee63b0e95998928fd4dfb2be9f27ffde8c8476f5909b4805cc4039599",
      { "84f2200208d5d97754b6b3d2ba", "84ca006608516c82b8e30adbeb",
        "84f2200218cc247f4761e6944277a4e0d6e32e44025b1e31537e2fc668",
        "84f2800218ba22b63d509bef5d093b43e5eaed03ed23144ab2d9cb51de" } },
    { 32,
      0x33,
      "97b2055fe58599fd",
      "a8439a22cedf045f",
      "a9f1903b2834f26e",
      "000002",
      "8482330010508a0fd959d2e547c6b33154a6be2057",
      "84e29100187a5ef717eaf1e135ae92fe54429d0e465decda65f5fe5aea",
      "ea90dbfa648a67c5eb6abc57f8530b97d0cd5647c5e8732016b55203b078dd2ace7f8bc5d1c1cd99",
      { "84f2200208bcc5c17275545d93", "84ca00660804806aba9d543bb6",
        "84f2200218717222491556ec81a45f49ce48be33320024801a1c4cb0e0",
        "84f2800218561f105bccd3a1642904b251ccc1228beb80a82370a86370" } },
};

static const char *const plain_cases[] = { "", "", "4f0212345c054f9f70c5", "4f00" };

static struct scp80_key key_from(enum cipher_family family, size_t n, uint8_t first)
{
    struct scp80_key k = { .family = family, .n = n };

    for (size_t i = 0; i < n; i++)
        k.b[i] = (uint8_t)(first + i % 16);
    return k;
}

/* A command of either protocol whose plain data is expected. */
static int unwrap(void *scp, bool is_3, uint8_t level, const char *command, const char *want)
{
    uint8_t octets[64];
    struct rd in = exact_copy(command), plain = exact_copy(want);
    struct apdu a;
    size_t n;

    ck_assert_int_eq(apdu_parse(in.p, in.n, &a), 0x9000);
    memcpy(octets, a.data, a.lc);
    int result = is_3 ? scp03_unwrap(crypto, scp, level, &a, octets, &n)
                      : scp02_unwrap(crypto, scp, level, &a, octets, &n);
    if (result == 0) {
        ck_assert_uint_eq(n, plain.n);
        ck_assert_mem_eq(octets, plain.p, n);
    }
    exact_free(&in);
    exact_free(&plain);
    return result;
}

static void begin_3(const struct exchange *x, struct scp03 *ret)
{
    const struct scp80_key enc = key_from(CIPHER_AES, x->key_len, 0x00),
                           mac = key_from(CIPHER_AES, x->key_len, 0x10);
    uint8_t host[8], card[8], octets[8], want[8], aid[16], counter[3];

    hex(x->host, host, 8);
    hex(x->card, card, 8);
    hex(x->counter, counter, 3);
    hex("A0000005591010FFFFFFFF8900000100", aid, 16);
    ck_assert_int_eq(scp03_challenge(crypto, &enc, counter[2], rd_of(aid, 16), octets), 0);
    ck_assert_mem_eq(octets, card, 8);
    ck_assert_int_eq(scp03_begin(crypto, &enc, &mac, host, card, ret), 0);
    hex(x->card_cryptogram, want, 8);
    ck_assert_mem_eq(ret->card_cryptogram, want, 8);
}

START_TEST(published_scp03)
{
    const struct exchange *x = &exchanges[_i];
    char cryptogram[17] = "";
    uint8_t octets[64];
    struct scp03 s;
    struct wr rsp;

    begin_3(x, &s);
    for (size_t i = 0; i < 8; i++)
        snprintf(cryptogram + 2 * i, 3, "%02x", s.host_cryptogram[i]);
    ck_assert_int_eq(memcmp(x->authenticate + 10, cryptogram, 16), 0);
    ck_assert_int_eq(unwrap(&s, true, SCP_C_MAC, x->authenticate, cryptogram), 0);
    ck_assert_int_eq(unwrap(&s, true, x->level, x->get_eid, "BF3E035C015A"), 0);
    wr_init(&rsp, octets, sizeof octets);
    wr_put(&rsp, "\xBF\x3E\x12\x5A\x10\x89\x88\x21\x19\x90\0\0\0\0\0\0\0\0\0\0\x05", 21);
    ck_assert_int_eq(scp03_wrap(crypto, &s, x->level, 0x9000, &rsp), 0);
    struct rd want = exact_copy(x->eid);
    ck_assert(rd_equal(wr_view(&rsp), want));
    exact_free(&want);
    for (size_t i = 0; i < N_ELEMS(plain_cases); i++)
        ck_assert_int_eq(unwrap(&s, true, x->level, x->cases[i], plain_cases[i]), 0);
    ck_assert_int_eq(unwrap(&s, true, x->level, x->cases[3], ""), SW_WRONG_SM_OBJECTS);
}
END_TEST

static struct scp80_key des_key(const char *text)
{
    struct scp80_key k = { .family = CIPHER_DES, .n = 16 };

    hex(text, k.b, 16);
    return k;
}

START_TEST(published_scp02)
{
    static const char *const cases[] = { "84F220020814DB34FA4341DCA8", "84CA00660855ED7C5FF069512B",
                                         "84F22002124F0212345C054F9F70C58FC1B380C4228AF8",
                                         "84F280020A4F003B95F09317DE6A4E" };
    const struct scp80_key enc = des_key("100102030405060708090a0b0c0d0e0f"),
                           mac = des_key("101102030405060708090a0b0c0d0e0f"),
                           dek = des_key("102102030405060708090a0b0c0d0e0f");
    uint8_t host[8], card[6], want[8];
    struct scp02 s;

    hex("40A62C37FA6304F8", host, 8);
    hex("6B4524ABEE7C", card, 6);
    ck_assert_int_eq(scp02_keys(crypto, &enc, &mac, &dek, 1, &s), 0);
    ck_assert_int_eq(scp02_begin(crypto, &s, 1, host, card), 0);
    hex("F32EA3838BC148F3", want, 8);
    ck_assert_mem_eq(s.card_cryptogram, want, 8);
    hex("BA6961667737C5BC", want, 8);
    ck_assert_mem_eq(s.host_cryptogram, want, 8);
    ck_assert_int_eq(unwrap(&s, false, SCP_C_MAC, "8482010010BA6961667737C5BCEBECE14C7D6A4376",
                            "BA6961667737C5BC"),
                     0);
    for (size_t i = 0; i < N_ELEMS(cases); i++)
        ck_assert_int_eq(unwrap(&s, false, SCP_C_MAC, cases[i], plain_cases[i]), 0);
    ck_assert_int_eq(unwrap(&s, false, SCP_C_MAC, cases[3], ""), SW_WRONG_SM_OBJECTS);
}
END_TEST

/* --- a card ----------------------------------------------------------------------------------- */

#define ENC    "300102030405060708090a0b0c0d0e0f"
#define MAC    "301102030405060708090a0b0c0d0e0f"
#define DEK    "302102030405060708090a0b0c0d0e0f"
#define MNO_SD "A000000151000000"
#define SSD    "A00000015153504101"

enum { PACKAGE_MAX = 1 << 16 };

static struct softeuicc *card;
static struct softeuicc_crypto *card_crypto;
static char why[512];

/* ENC, MAC and DEK of a version. */
static void put_keys(struct wr *w, const char *version, const char *type)
{
    static const char *const values[] = { ENC, MAC, DEK }, *const usages[] = { "38", "34", "48" };

    for (uint8_t i = 0; i < 3; i++) {
        struct wr_mark object = tlv_open(w, 0x30);
        hex_put_tlv(w, 0x95, usages[i]);
        tlv_put_u8(w, 0x82, (uint8_t)(i + 1));
        hex_put_tlv(w, 0x83, version);
        struct wr_mark components = tlv_open(w, 0x30);
        struct wr_mark component = tlv_open(w, 0x30);
        hex_put_tlv(w, 0x80, type);
        hex_put_tlv(w, 0x86, values[i]);
        tlv_close(w, component);
        tlv_close(w, components);
        tlv_close(w, object);
    }
}

static void put_sd(struct wr *w, uint8_t identification, const char *aid, const char *parameters)
{
    struct wr_mark element = tlv_open(w, 0xA6);
    struct wr_mark header = tlv_open(w, 0xA0);
    tlv_put(w, 0x80, rd_of(NULL, 0));
    tlv_put(w, 0x81, rd_of((uint8_t[]){ 0x70, identification }, 2));
    tlv_close(w, header);
    struct wr_mark instance = tlv_open(w, 0xA1);
    hex_put_tlv(w, 0x4F, "A0000001515350");
    hex_put_tlv(w, 0x4F, "A000000151535041");
    hex_put_tlv(w, 0x4F, aid);
    hex_put_tlv(w, 0x82, "82DC00");
    hex_put_tlv(w, 0x83, "0F");
    hex_put_tlv(w, 0xC9, parameters);
    tlv_close(w, instance);
    struct wr_mark keys = tlv_open(w, 0xA2);
    put_keys(w, "20", "80");
    put_keys(w, "30", "88");
    tlv_close(w, keys);
    tlv_close(w, element);
}

static void make_package(struct wr *ret)
{
    uint8_t octets[4096];
    struct wr ours;
    struct tlv element;
    size_t n;

    FILE *f = fopen(OPERATIONAL_DER, "rb");
    ck_assert_ptr_nonnull(f);
    wr_init_heap(&ours, PACKAGE_MAX);
    while ((n = fread(octets, 1, sizeof octets, f)) > 0)
        wr_put(&ours, octets, n);
    fclose(f);
    for (struct rd in = wr_view(&ours); tlv_get(&in, &element) == 0;) {
        if (element.tag == 0xAA) {
            put_sd(ret, 1, MNO_SD, "81028000 81020370");
            put_sd(ret, 2, SSD, "81020300 81020215");
        }
        wr_put_rd(ret, element.whole);
    }
    wr_done(&ours);
}

static void watch(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                  size_t n)
{
    (void)ctx;
    leak_watch(text, bytes, n);
    if (event == SOFTEUICC_CHECK || event == SOFTEUICC_FAULT)
        snprintf(why, sizeof why, "%s", text);
}

/* One APDU and its whole answer; the last status word. */
static unsigned transmit(const uint8_t *apdu, size_t n, struct wr *ret)
{
    static uint8_t response[SOFTEUICC_RESPONSE_MAX];
    uint8_t next[] = { (uint8_t)(apdu[0] & 3), 0xC0, 0, 0, 0 };

    wr_clear(ret);
    for (;;) {
        struct rd copy = exact_copy_of(rd_of(apdu, n));
        size_t len = softeuicc_transmit(card, copy.p, copy.n, response);
        exact_free(&copy);
        wr_put(ret, response, len - 2);
        if (response[len - 2] != 0x61)
            return (unsigned)(response[len - 2] << 8 | response[len - 1]);
        next[4] = response[len - 1];
        apdu = next;
        n = sizeof next;
    }
}

static unsigned apdu(const char *text, struct wr *ret)
{
    uint8_t octets[300];

    return transmit(octets, hex(text, octets, sizeof octets), ret);
}

static void expect(const char *command, unsigned sw)
{
    uint8_t octets[512];
    struct wr got;

    wr_init(&got, octets, sizeof octets);
    unsigned is = apdu(command, &got);
    ck_assert_msg(is == sw, "%s: %04X (%s)", command, is, why);
}

static void select_sd(const char *aid)
{
    char command[64];

    snprintf(command, sizeof command, "00A40400%02zX%s", strlen(aid) / 2, aid);
    expect(command, 0x9000);
}

static void open_card(void)
{
    struct wr package;
    char error[SOFTEUICC_ERROR_LEN];

    leak_add_hex(ENC);
    leak_add_hex(MAC);
    leak_add_hex(DEK);
    open_crypto();
    card_crypto = softeuicc_crypto_new(NULL);
    wr_init_heap(&package, PACKAGE_MAX);
    make_package(&package);
    const struct softeuicc_bytes profile = { package.p, package.n };
    const struct softeuicc_new how = { .profiles = &profile, .n_profiles = 1 };
    const struct softeuicc_options options = { .crypto = card_crypto, .trace = watch };
    ck_assert_msg(softeuicc_open_memory(&how, &options, &card, error) == 0, "%s: %s", error, why);
    wr_done(&package);
    ck_assert_int_eq(softeuicc_power_on(card), 0);
    expect("0070000001", 0x9000);
    expect("01A4040C10 A0000005591010FFFFFFFF8900000100", 0x9000);
    expect("81E2910014 BF3111 A00C 5A0A 980010000000000010F9 810100", 0x9000);
}

static void close_card(void)
{
    softeuicc_close(&card);
    softeuicc_crypto_free(&card_crypto);
    close_crypto();
}

/* --- the host of SCP03, from Amendment D ------------------------------------------------------ */

static struct host {
    uint8_t enc[16], mac[16], rmac[16], chaining[16], level;
    uint8_t card_cryptogram[8], cryptogram[8];
    unsigned commands;
} host;

static void kdf(const char *key, const uint8_t *octets, uint8_t constant, size_t bits,
                const uint8_t context[16], uint8_t *ret)
{
    const uint8_t head[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, constant, 0, 0, (uint8_t)bits, 1 };
    const struct rd parts[] = { rd_of(head, 16), rd_of(context, 16) };
    uint8_t k[16], block[16];

    if (key != NULL)
        hex(key, k, 16);
    else
        memcpy(k, octets, 16);
    ck_assert_int_eq(aes128_cmac(crypto, k, parts, 2, block), 0);
    memcpy(ret, block, bits / 8);
}

/* INITIALIZE UPDATE; the answer's length is asserted, and the card's cryptogram. */
static void initialize(const char *command, size_t n, struct wr *ret)
{
    uint8_t context[16], octets[14];

    ck_assert_msg(apdu(command, ret) == 0x9000, "%s", why);
    ck_assert_uint_eq(ret->n, n);
    ck_assert_mem_eq(ret->p + 10, "\x30\x03", 2);
    hex(command, octets, sizeof octets); /* 5 octets of header, 8 of challenge, Le */
    memcpy(context, octets + 5, 8);
    memcpy(context + 8, ret->p + 13, 8);
    memset(&host, 0, sizeof host);
    kdf(ENC, NULL, 4, 128, context, host.enc);
    kdf(MAC, NULL, 6, 128, context, host.mac);
    kdf(MAC, NULL, 7, 128, context, host.rmac);
    leak_add(rd_of(host.enc, sizeof host.enc));
    leak_add(rd_of(host.mac, sizeof host.mac));
    leak_add(rd_of(host.rmac, sizeof host.rmac));
    kdf(NULL, host.mac, 0, 64, context, host.card_cryptogram);
    kdf(NULL, host.mac, 1, 64, context, host.cryptogram);
    ck_assert_mem_eq(ret->p + 21, host.card_cryptogram, 8);
}

static void host_vector(uint8_t first, uint8_t ret[16])
{
    const uint8_t block[16] = { [0] = first, [15] = (uint8_t)host.commands };

    ck_assert_int_eq(aes128_encrypt_block(crypto, host.enc, block, ret), 0);
}

/* A command under the host's keys to ret. */
static void wrap(const char *header, struct rd data, struct wr *ret)
{
    uint8_t octets[256] = { 0 }, iv[16], mac[16];
    size_t n = data.n;

    hex(header, octets, 4);
    if (n > 0)
        memcpy(octets + 5, data.p, n);
    host.commands++;
    if ((host.level & SCP_C_ENC) && n > 0) {
        octets[5 + n++] = 0x80;
        n += (16 - n % 16) % 16;
        host_vector(0, iv);
        ck_assert_int_eq(aes128_cbc_encrypt(crypto, host.enc, iv, octets + 5, n, octets + 5), 0);
    }
    octets[4] = (uint8_t)(n + 8);
    const struct rd parts[] = { rd_of(host.chaining, 16), rd_of(octets, 5 + n) };
    ck_assert_int_eq(aes128_cmac(crypto, host.mac, parts, 2, mac), 0);
    memcpy(host.chaining, mac, 16);
    memcpy(octets + 5 + n, mac, 8);
    wr_put(ret, octets, 5 + n + 8);
}

/* Sends it, and takes the answer's data out of R-MAC and R-ENC. */
static unsigned send(const char *header, const char *data, struct wr *ret)
{
    struct rd plain = exact_copy(data);
    uint8_t octets[256], iv[16], mac[16];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    wrap(header, plain, &w);
    exact_free(&plain);
    unsigned sw = transmit(octets, w.n, ret);
    if (!(host.level & SCP_R_MAC) || sw != 0x9000)
        return sw;
    ck_assert_uint_ge(ret->n, 8);
    ret->n -= 8;
    const struct rd parts[] = { rd_of(host.chaining, 16), wr_view(ret), rd_of("\x90\0", 2) };
    ck_assert_int_eq(aes128_cmac(crypto, host.rmac, parts, 3, mac), 0);
    ck_assert_mem_eq(ret->p + ret->n, mac, 8);
    if ((host.level & SCP_R_ENC) && ret->n > 0) {
        host_vector(0x80, iv);
        ck_assert_int_eq(aes128_cbc_decrypt(crypto, host.enc, iv, ret->p, ret->n, ret->p), 0);
        ck_assert_int_eq(scp_unpad(ret->p, &ret->n), 0);
    }
    return sw;
}

/* EXTERNAL AUTHENTICATE: the cryptogram with `wrong` added to its first octet. */
static unsigned authenticate(uint8_t level, uint8_t wrong)
{
    uint8_t octets[64], reply[64];
    char header[9];
    struct wr w, got;

    snprintf(header, sizeof header, "8482%02X00", level);
    wr_init(&w, octets, sizeof octets);
    wr_init(&got, reply, sizeof reply);
    host.level = 0;
    host.cryptogram[0] = (uint8_t)(host.cryptogram[0] + wrong);
    wrap(header, rd_of(host.cryptogram, 8), &w);
    host.level = level;
    host.commands = 0;
    unsigned sw = transmit(octets, w.n, &got);
    ck_assert_uint_eq(got.n, 0);
    return sw;
}

static void open_channel(uint8_t level)
{
    uint8_t octets[64];
    struct wr got;

    wr_init(&got, octets, sizeof octets);
    select_sd(MNO_SD);
    initialize("8050300008 0102030405060708 00", 32, &got);
    ck_assert_msg(authenticate(level, 0) == 0x9000, "%s", why);
}

static void expect_data(const char *header, const char *data, unsigned sw, const char *want)
{
    struct rd wanted = exact_copy(want);
    uint8_t octets[300];
    struct wr got;

    wr_init(&got, octets, sizeof octets);
    unsigned is = send(header, data, &got);
    ck_assert_msg(is == sw, "%s: %04X (%s)", header, is, why);
    ck_assert(rd_equal(wr_view(&got), wanted));
    exact_free(&wanted);
}

START_TEST(scp03_at_every_level)
{
    static const uint8_t levels[] = { 0x01, 0x03, 0x11, 0x13, 0x33 };
    const char *const entry = "E313 4F08 A000000151000000 9F70010F C50382DC00";

    open_channel(levels[_i]);
    expect_data("84F28002", "4F00", 0x9000, entry);
    expect_data("84CA2F00", "", 0x9000, "610B 4F09 A00000015153504101");
    expect_data("84E28000", "BF2A05 9203 4E6577", 0x9000, "");
    expect_data("84F22002", "4F00", 0x6A88, ""); /* an error has no R-MAC, and ends nothing */
    expect_data("84F28002", "4F00", 0x9000, entry);
    expect("81E2910008 BF2D05 5C03 929091", 0x9000); /* other channels do not notice */
    expect_data("84F28002", "4F00", 0x9000, entry);
}
END_TEST

/* STATUS of TS 102 221 11.1.2, which shares its instruction with GET STATUS. */
START_TEST(status_names_the_selected_domain)
{
    static const char aid[] = "A000000151000000";
    uint8_t octets[300], own[16];
    struct wr got;
    size_t n = hex(aid, own, sizeof own);

    wr_init(&got, octets, sizeof octets);
    select_sd(aid);
    ck_assert_uint_eq(apdu("80F2000100", &got), 0x9000);
    ck_assert_uint_eq(got.p[0], 0x84);
    ck_assert_uint_ge(got.p[1], n);
    ck_assert_uint_eq(got.n, 2u + got.p[1]);
    ck_assert_mem_eq(got.p + 2, own, n);
    ck_assert_uint_eq(apdu("80F2000000", &got), 0x9000);
    ck_assert_uint_eq(got.p[0], 0x6F);
    expect("80F2020C", 0x9000);
    expect("80F20002", 0x6A86);
    expect("80F28000", 0x6700);
    expect("80F28000024F00", 0x6982); /* GET STATUS wants a secure channel */
}
END_TEST

START_TEST(a_level_without_mac_is_in_clear)
{
    uint8_t octets[64];
    struct wr got;

    open_channel(0);
    expect("80F28002024F00", 0x9000);
    wr_init(&got, octets, sizeof octets);
    ck_assert_uint_eq(send("84F28002", "4F00", &got), 0x6985);
}
END_TEST

START_TEST(challenges_follow_from_the_counter)
{
    uint8_t octets[64], key[16], block[16], data[27] = { [11] = 2, [14] = 64, [15] = 1 };
    struct wr got;

    hex(ENC, key, 16);
    hex(MNO_SD, data + 19, 8);
    wr_init(&got, octets, sizeof octets);
    select_sd(MNO_SD);
    for (uint8_t i = 1; i < 4; i++) {
        const struct rd part = rd_of(data, sizeof data);
        data[18] = i;
        initialize("8050300008 0102030405060708 00", 32, &got);
        ck_assert_mem_eq(got.p + 29, data + 16, 3);
        ck_assert_int_eq(aes128_cmac(crypto, key, &part, 1, block), 0);
        ck_assert_mem_eq(got.p + 13, block, 8);
        ck_assert_int_eq(softeuicc_power_on(card), 0);
        select_sd(MNO_SD);
    }
}
END_TEST

START_TEST(or_are_random)
{
    uint8_t octets[64], again[64];
    struct wr got, other;

    wr_init(&got, octets, sizeof octets);
    wr_init(&other, again, sizeof again);
    select_sd(SSD);
    initialize("8050300008 0102030405060708 00", 29, &got);
    initialize("8050300008 0102030405060708 00", 29, &other);
    ck_assert_mem_ne(got.p + 13, other.p + 13, 8);
    ck_assert_uint_eq(authenticate(0x11, 0), 0x6A86); /* no R-MAC */
    expect("8050200008 0102030405060708 00", 0x6985); /* i=15 */
}
END_TEST

START_TEST(refusals_end_the_channel)
{
    uint8_t octets[300], again[300], reply[64];
    struct wr got, w;

    wr_init(&got, octets, sizeof octets);
    select_sd(MNO_SD);
    expect("80F28002024F00", 0x6982);
    expect("84F280020A4F000000000000000000", 0x6985);
    expect("8482010010 00000000000000000000000000000000", 0x6985);
    expect("8050310008 0102030405060708 00", 0x6A88);
    expect("8050020008 0102030405060708 00", 0x6A88);
    expect("8050300108 0102030405060708 00", 0x6A86);
    expect("8050300007 01020304050607 00", 0x6700);
    initialize("8050300008 0102030405060708 00", 32, &got);
    ck_assert_uint_eq(authenticate(0x01, 1), 0x6300);
    ck_assert_uint_eq(authenticate(0x01, 0xFF), 0x6985);
    initialize("8050300008 0102030405060708 00", 32, &got);
    expect("8082010010 00000000000000000000000000000000", 0x6982);
    initialize("8050300008 0102030405060708 00", 32, &got);
    ck_assert_uint_eq(authenticate(0x02, 0), 0x6A86);
    initialize("8050300008 0102030405060708 00", 32, &got);
    host.mac[0] ^= 1;
    ck_assert_uint_eq(authenticate(0x01, 0), 0x6988);
    open_channel(0x01);
    expect("80CA006600", 0x6982); /* in clear */
    ck_assert_uint_eq(send("84F28002", "4F00", &got), 0x6985);
    open_channel(0x03);
    struct rd data = exact_copy("4F00");
    wr_init(&w, again, sizeof again);
    wrap("84F28002", data, &w);
    exact_free(&data);
    wr_init(&got, reply, sizeof reply);
    ck_assert_uint_eq(transmit(again, w.n, &got), 0x9000);
    ck_assert_uint_eq(transmit(again, w.n, &got), 0x6988); /* once more */
    ck_assert_uint_eq(transmit(again, w.n, &got), 0x6985);
    expect("94F280020A4F000000000000000000", 0x6882); /* chained */
    expect("00A40004023F00", 0x9000);
    expect("84F280020A4F000000000000000000", 0x6882);
}
END_TEST

START_TEST(keys_are_put_under_scp03)
{
    static const uint8_t zero[16];
    uint8_t dek[16], key[16], ones[16], ciphered[16], octets[64];
    char data[128];
    struct wr w, got;

    hex(DEK, dek, 16);
    hex("A0A1A2A3A4A5A6A7A8A9AAABACADAEAF", key, 16);
    leak_add(rd_of(key, sizeof key));
    memset(ones, 1, 16);
    ck_assert_int_eq(aes128_cbc_encrypt(crypto, dek, zero, key, 16, ciphered), 0);
    ck_assert_int_eq(aes128_encrypt_block(crypto, key, ones, ones), 0);
    wr_init(&w, octets, sizeof octets);
    hex_put(&w, "31 88 11 10");
    wr_put(&w, ciphered, 16);
    wr_put_u8(&w, 3);
    wr_put(&w, ones, 3);
    for (size_t i = 0; i < w.n; i++)
        snprintf(data + 2 * i, 3, "%02X", octets[i]);
    open_channel(0x13);
    wr_init(&got, octets, sizeof octets);
    ck_assert_msg(send("84D80001", data, &got) == 0x9000, "%s", why);
    ck_assert_uint_eq(got.n, 4);
    ck_assert_mem_eq(got.p + 1, ones, 3);
    ck_assert_uint_eq(got.p[0], 0x31);
    expect("8050310008 0102030405060708 00", 0x6A88); /* a MAC key is missing */
}
END_TEST

/* --- the host of SCP02, from annex E ---------------------------------------------------------- */

static void des(const uint8_t *key, size_t n_key, const uint8_t *iv, const uint8_t *in, size_t n,
                uint8_t *ret)
{
    ck_assert_int_eq(cipher_cbc(crypto, CIPHER_DES, rd_of(key, n_key), true, iv, in, n, ret), 0);
}

/* Of n octets, padded here; mac is that of the command before, enciphered, and then this one. */
static void retail(const uint8_t key[16], uint8_t *octets, size_t n, uint8_t mac[8])
{
    uint8_t chain[256];

    octets[n++] = 0x80;
    while (n % 8 != 0)
        octets[n++] = 0;
    if (n > 8) {
        des(key, 8, mac, octets, n - 8, chain);
        memcpy(mac, chain + n - 16, 8);
    }
    des(key, 16, mac, octets + n - 8, 8, mac);
}

static void session_key(const char *text, uint8_t constant, uint8_t counter, uint8_t ret[16])
{
    static const uint8_t zero[8];
    const uint8_t data[16] = { 1, constant, 0, counter };
    uint8_t key[16];

    hex(text, key, 16);
    des(key, 16, zero, data, 16, ret);
    leak_add(rd_of(ret, 16));
}

/* INITIALIZE UPDATE and EXTERNAL AUTHENTICATE; the session keys, and the MAC of the latter. */
static void open_scp02(uint8_t counter, uint8_t level, uint8_t enc[16], uint8_t mac_key[16],
                       uint8_t mac[8])
{
    static const uint8_t zero[8];
    uint8_t reply[64], out[32], octets[64] = { 0 };
    struct wr got;

    wr_init(&got, reply, sizeof reply);
    ck_assert_uint_eq(apdu("8050200008 0102030405060708 00", &got), 0x9000);
    ck_assert_uint_eq(got.n, 28);
    ck_assert_mem_eq(got.p + 10, "\x20\x02\x00", 3);
    ck_assert_uint_eq(got.p[13], counter);
    session_key(ENC, 0x82, counter, enc);
    session_key(MAC, 0x01, counter, mac_key);
    hex("0102030405060708", octets, 8);
    memcpy(octets + 8, got.p + 12, 8);
    octets[16] = 0x80;
    des(enc, 16, zero, octets, 24, out);
    ck_assert_mem_eq(out + 16, got.p + 20, 8);
    memcpy(octets, got.p + 12, 8);
    hex("0102030405060708", octets + 8, 8);
    des(enc, 16, zero, octets, 24, out);
    memcpy(octets, "\x84\x82\x03\x00\x10", 5);
    octets[2] = level;
    memcpy(octets + 5, out + 16, 8);
    memset(mac, 0, 8);
    retail(mac_key, octets, 13, mac);
    memcpy(octets + 13, mac, 8);
    ck_assert_msg(transmit(octets, 21, &got) == 0x9000, "%s", why);
}

/* To a GET STATUS at level 03. */
static void talk_scp02(uint8_t counter)
{
    static const uint8_t zero[8], status[] = { 0x4F, 0x00, 0x80, 0, 0, 0, 0, 0 };
    uint8_t reply[64], enc[16], mac_key[16], mac[8], ivec[8], octets[64] = { 0 };
    struct wr got;

    wr_init(&got, reply, sizeof reply);
    open_scp02(counter, 0x03, enc, mac_key, mac);
    memcpy(octets, "\x84\xF2\x80\x02\x0A\x4F\x00", 7);
    des(mac_key, 8, zero, mac, 8, ivec);
    retail(mac_key, octets, 7, ivec);
    octets[4] = 16;
    des(enc, 16, zero, status, 8, octets + 5);
    memcpy(octets + 13, ivec, 8);
    ck_assert_msg(transmit(octets, 21, &got) == 0x9000, "%s", why);
    ck_assert_uint_eq(got.n, 21);
    ck_assert_uint_eq(transmit(octets, 21, &got), 0x6988);
}

START_TEST(scp02_with_mac_and_ciphering)
{
    uint8_t reply[64];
    struct wr got;

    select_sd(MNO_SD);
    talk_scp02(0);
    wr_init(&got, reply, sizeof reply);
    ck_assert_uint_eq(apdu("8050200008 0102030405060708 00", &got), 0x9000);
    expect("8482030010 00000000000000000000000000000000", 0x6300);
    talk_scp02(1); /* what failed did not count */
    ck_assert_uint_eq(apdu("8050000008 0102030405060708 00", &got), 0x9000);
    ck_assert_uint_eq(got.p[10], 0x20); /* the first one */
}
END_TEST

/* They come under the session's own key, each block for itself. */
START_TEST(keys_are_put_under_scp02)
{
    static const uint8_t zero[16];
    uint8_t reply[64], enc[16], mac_key[16], mac[8], ivec[8], dek[16], key[16], octets[64];
    struct wr got;

    wr_init(&got, reply, sizeof reply);
    select_sd(MNO_SD);
    open_scp02(0, 0x01, enc, mac_key, mac);
    session_key(DEK, 0x81, 0, dek);
    hex("A0A1A2A3A4A5A6A7A8A9AAABACADAEAF", key, 16);
    leak_add(rd_of(key, sizeof key));
    hex("84D8000120 22 80 10", octets, 8);
    des(dek, 16, zero, key, 8, octets + 8);
    des(dek, 16, zero, key + 8, 8, octets + 16);
    octets[24] = 3;
    des(key, 16, zero, zero, 8, octets + 25);
    octets[4] = 23 + 8;
    des(mac_key, 8, zero, mac, 8, ivec);
    uint8_t copy[64];
    memcpy(copy, octets, 28);
    retail(mac_key, copy, 28, ivec);
    memcpy(octets + 28, ivec, 8);
    ck_assert_msg(transmit(octets, 36, &got) == 0x9000, "%s", why);
    ck_assert_uint_eq(got.n, 4);
    ck_assert_uint_eq(got.p[0], 0x22);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scp");
    TCase *vectors = tcase_create("vectors"), *tc = tcase_create("card");

    tcase_add_checked_fixture(vectors, open_crypto, close_crypto);
    tcase_add_loop_test(vectors, published_scp03, 0, (int)N_ELEMS(exchanges));
    tcase_add_test(vectors, published_scp02);
    suite_add_tcase(suite, vectors);
    tcase_add_checked_fixture(tc, open_card, close_card);
    tcase_add_loop_test(tc, scp03_at_every_level, 0, 5);
    tcase_add_test(tc, status_names_the_selected_domain);
    tcase_add_test(tc, a_level_without_mac_is_in_clear);
    tcase_add_test(tc, challenges_follow_from_the_counter);
    tcase_add_test(tc, or_are_random);
    tcase_add_test(tc, refusals_end_the_channel);
    tcase_add_test(tc, keys_are_put_under_scp03);
    tcase_add_test(tc, keys_are_put_under_scp02);
    tcase_add_test(tc, scp02_with_mac_and_ciphering);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
