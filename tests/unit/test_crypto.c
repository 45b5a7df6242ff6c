/* test_crypto.c - os/crypto: published vectors, refusals, and that a seed repeats itself. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/crypto.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static const enum curve both[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };

static struct crypto *c;

static void open_crypto(void)
{
    c = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(c);
}

static void close_crypto(void)
{
    crypto_free(&c);
    ck_assert_ptr_null(c);
}

static void check_octets(const uint8_t *got, const char *want)
{
    uint8_t octets[256];
    size_t n = hex(want, octets, sizeof octets);

    ck_assert_mem_eq(got, octets, n);
}

/* SEC1 DER of a private number without its public key. */
static struct ec_key *key_of_number(enum curve curve, const char *number)
{
    static const char *const oids[] = { [CURVE_P256] = "A00A 06082A8648CE3D030107",
                                        [CURVE_BRAINPOOL_P256R1] = "A00B 06092B2403030208010107" };
    uint8_t der[128];
    size_t n = hex(curve == CURVE_P256 ? "3031 020101 0420" : "3032 020101 0420", der, sizeof der);
    struct ec_key *k = NULL;

    n += hex(number, der + n, sizeof der - n);
    n += hex(oids[curve], der + n, sizeof der - n);
    ck_assert_int_eq(ec_key_read(c, rd_of(der, n), &k), 0);
    return k;
}

static struct ec_pub *pub_of_key(const struct ec_key *k)
{
    uint8_t point[EC_POINT_LEN];
    struct ec_pub *pub = NULL;

    ec_key_point(k, point);
    ck_assert_int_eq(ec_pub_from_point(c, ec_key_curve(k), rd_of(point, sizeof point), &pub), 0);
    return pub;
}

START_TEST(sha256_matches_fips_180)
{
    const struct rd parts[] = { rd_str("a"), rd_str(""), rd_str("bc") };
    uint8_t hash[SHA256_LEN];

    ck_assert_int_eq(crypto_sha256(c, parts, 3, hash), 0);
    check_octets(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert_int_eq(crypto_sha256(c, NULL, 0, hash), 0);
    check_octets(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(sha1_matches_fips_180)
{
    const struct rd abc = rd_str("abc");
    uint8_t hash[SHA1_LEN];

    ck_assert_int_eq(crypto_sha1(c, &abc, 1, hash), 0);
    check_octets(hash, "a9993e364706816aba3e25717850c26c9cd0d89d");
}
END_TEST

/* RFC 4493 4: one key, messages of 0, 16, 40 and 64 octets. */
START_TEST(cmac_matches_rfc_4493)
{
    static const struct {
        size_t n;
        const char *mac;
    } examples[] = {
        { 0, "bb1d6929e95937287fa37d129b756746" },
        { 16, "070a16b46b4d4144f79bdd9dd04a287c" },
        { 40, "dfa66747de9ae63030ca32611497c827" },
        { 64, "51f0bebf7e3b9d92fc49741779363cfe" },
    };
    uint8_t key[AES128_KEY_LEN], message[64], mac[AES_BLOCK];

    hex("2b7e151628aed2a6abf7158809cf4f3c", key, sizeof key);
    hex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710",
        message, sizeof message);
    for (size_t i = 0; i < N_ELEMS(examples); i++) {
        size_t first = examples[i].n / 3;
        const struct rd parts[] = { rd_of(message, first),
                                    rd_of(message + first, examples[i].n - first) };
        ck_assert_int_eq(aes128_cmac(c, key, parts, 2, mac), 0);
        check_octets(mac, examples[i].mac);
    }
}
END_TEST

/* NIST SP 800-38A F.2.1, F.1.1. */
START_TEST(aes_matches_sp_800_38a)
{
    uint8_t key[AES128_KEY_LEN], iv[AES_BLOCK], text[64], cipher[64];

    hex("2b7e151628aed2a6abf7158809cf4f3c", key, sizeof key);
    hex("000102030405060708090a0b0c0d0e0f", iv, sizeof iv);
    hex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710",
        text, sizeof text);
    ck_assert_int_eq(aes128_cbc_encrypt(c, key, iv, text, sizeof text, cipher), 0);
    check_octets(cipher, "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2"
                         "73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7");
    ck_assert_int_eq(aes128_cbc_decrypt(c, key, iv, cipher, sizeof cipher, cipher), 0);
    ck_assert_mem_eq(cipher, text, sizeof text);
    ck_assert_int_eq(aes128_encrypt_block(c, key, text, cipher), 0);
    check_octets(cipher, "3ad77bb40d7a3660a89ecaf32466ef97");
    ck_assert_int_eq(aes128_cbc_encrypt(c, key, iv, text, 0, cipher), 0);
    ck_assert_int_eq(aes128_cbc_encrypt(c, key, iv, text, 17, cipher), ERR_INPUT);
    ck_assert_int_eq(aes128_cbc_decrypt(c, key, iv, text, 15, cipher), ERR_INPUT);
}
END_TEST

/* NIST CAVP "ansx963_2001.rsp", SHA-256, 192-bit Z, first case of each length of shared info. */
START_TEST(kdf_matches_nist_cavp)
{
    uint8_t z[24], info[16], out[128];

    hex("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", z, sizeof z);
    ck_assert_int_eq(kdf_x963(c, rd_of(z, sizeof z), rd_of(NULL, 0), out, 16), 0);
    check_octets(out, "443024c3dae66b95e6f5670601558f71");
    hex("22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d", z, sizeof z);
    hex("75eef81aa3041e33b80971203d2c0c52", info, sizeof info);
    ck_assert_int_eq(kdf_x963(c, rd_of(z, sizeof z), rd_of(info, sizeof info), out, 128), 0);
    check_octets(out, "c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e"
                      "52a13d9c7c6fc878c50c5ea0bc7b00e0da2447cfd874f6cf92f30d0097111485"
                      "500c90c3af8b487872d04685d14c8d1dc8d7fa08beb0ce0ababc11f0bd496269"
                      "142d43525a78e5bc79a17f59676a5706dc54d54d4d1f0bd7e386128ec26afc21");
}
END_TEST

/* A session of an SM-DP+ with a fixed one-time key, recorded by others (SGP.22 2.6.4.2, G.2). */
START_TEST(session_keys_match_a_recorded_download)
{
    static const char point[] =
        "04a61b5852fedeecd5373d769af0edbc94502276d9c6ff1da3a156fecf31c6629954"
        "aea62862e227aebaf745c4e1d5f1bcbba6136400d9f0a63434225fee2590ae";
    uint8_t octets[EC_POINT_LEN], z[EC_COORD_LEN], info[64], keys[48];
    struct ec_pub *pub = NULL;
    struct ec_key *k = key_of_number(
        CURVE_P256, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");

    ec_key_point(k, octets);
    check_octets(octets, "04515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f"
                         "4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354");
    hex(point, octets, sizeof octets);
    ck_assert_int_eq(ec_pub_from_point(c, CURVE_P256, rd_of(octets, sizeof octets), &pub), 0);
    ck_assert_int_eq(ecka(c, k, pub, z), 0);
    check_octets(z, "79696dc34351dfc7758b07baf66643f01d7d8f5ab976c51d5f2c42ab71f5a6c3");
    size_t n =
        hex("88 10 09 65756963632d727370 10 89049032123451234512345678901235", info, sizeof info);
    ck_assert_int_eq(kdf_x963(c, rd_of(z, sizeof z), rd_of(info, n), keys, sizeof keys), 0);
    check_octets(keys, "9a8d4dc5d8c2ba3fccbb7f69036fd09f 1f745c2897a86858e94823c218a2db4a"
                       "1c073583341b81244c40aae342de5434");
    ec_pub_free(&pub);
    ec_key_free(&k);
}
END_TEST

/* The first protected command of the same session: its MAC, its IV and its plain text. */
START_TEST(protected_command_matches_a_recorded_download)
{
    uint8_t mcv[16], enc[16], mac_key[16], header[2], body[16], mac[16], counter[16] = { 0 };

    hex("9a8d4dc5d8c2ba3fccbb7f69036fd09f", mcv, sizeof mcv);
    hex("1f745c2897a86858e94823c218a2db4a", enc, sizeof enc);
    hex("1c073583341b81244c40aae342de5434", mac_key, sizeof mac_key);
    hex("8718", header, sizeof header);
    hex("bc43d09ef085954b55e4acdbb87b6649", body, sizeof body);
    const struct rd parts[] = { rd_of(mcv, 16), rd_of(header, 2), rd_of(body, 16) };
    ck_assert_int_eq(aes128_cmac(c, mac_key, parts, 3, mac), 0);
    check_octets(mac, "813b5db57a02d5c9");
    counter[15] = 1;
    ck_assert_int_eq(aes128_encrypt_block(c, enc, counter, counter), 0);
    check_octets(counter, "c564deba98b956b087efe577ff5b96d6");
    ck_assert_int_eq(aes128_cbc_decrypt(c, enc, counter, body, sizeof body, body), 0);
    check_octets(body, "bf2400 80 000000000000000000000000");
}
END_TEST

/* RFC 6979 A.2.5, P-256 with SHA-256, message "sample". */
START_TEST(verifies_a_published_signature)
{
    uint8_t signature[EC_SIGNATURE_LEN];
    const struct rd message = rd_str("sample");
    struct ec_key *k = key_of_number(
        CURVE_P256, "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
    struct ec_pub *pub = pub_of_key(k);

    hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        signature, sizeof signature);
    ck_assert(ecdsa_verify(c, pub, &message, 1, rd_of(signature, sizeof signature)));
    ec_pub_free(&pub);
    ec_key_free(&k);
}
END_TEST

START_TEST(refuses_whatever_was_tampered_with)
{
    const struct rd parts[] = { rd_str("what was "), rd_str("signed") };
    const struct rd whole = rd_str("what was signed"), other = rd_str("what was sighed");
    uint8_t signature[EC_SIGNATURE_LEN];
    struct ec_key *k = NULL, *stranger = NULL;

    ck_assert_int_eq(ec_key_generate(c, both[_i], &k), 0);
    ck_assert_int_eq(ec_key_generate(c, both[_i], &stranger), 0);
    struct ec_pub *pub = pub_of_key(k), *stranger_pub = pub_of_key(stranger);
    ck_assert_int_eq(ecdsa_sign(c, k, parts, 2, signature), 0);
    const struct rd sig = rd_of(signature, sizeof signature);
    ck_assert(ecdsa_verify(c, pub, parts, 2, sig));
    ck_assert(ecdsa_verify(c, pub, &whole, 1, sig));
    ck_assert(!ecdsa_verify(c, pub, &other, 1, sig));
    ck_assert(!ecdsa_verify(c, stranger_pub, &whole, 1, sig));
    ck_assert(!ecdsa_verify(c, pub, &whole, 1, rd_of(signature, sizeof signature - 1)));
    for (size_t i = 0; i < sizeof signature; i += 7) {
        signature[i] ^= 0x10;
        ck_assert(!ecdsa_verify(c, pub, &whole, 1, sig));
        signature[i] ^= 0x10;
    }
    memset(signature, 0, sizeof signature);
    ck_assert(!ecdsa_verify(c, pub, &whole, 1, sig));
    memset(signature, 0xFF, sizeof signature);
    ck_assert(!ecdsa_verify(c, pub, &whole, 1, sig));
    ec_pub_free(&pub);
    ec_pub_free(&stranger_pub);
    ec_key_free(&k);
    ec_key_free(&stranger);
}
END_TEST

START_TEST(both_sides_agree_on_a_secret)
{
    struct ec_key *a = NULL, *b = NULL, *elsewhere = NULL;
    uint8_t za[EC_COORD_LEN], zb[EC_COORD_LEN];

    ck_assert_int_eq(ec_key_generate(c, both[_i], &a), 0);
    ck_assert_int_eq(ec_key_generate(c, both[_i], &b), 0);
    ck_assert_int_eq(ec_key_generate(c, both[1 - _i], &elsewhere), 0);
    struct ec_pub *pa = pub_of_key(a), *pb = pub_of_key(b);
    ck_assert_int_eq(ecka(c, a, pb, za), 0);
    ck_assert_int_eq(ecka(c, b, pa, zb), 0);
    ck_assert(crypto_equal(za, zb, sizeof za));
    ck_assert_int_eq(ecka(c, elsewhere, pa, za), ERR_INPUT);
    ec_pub_free(&pa);
    ec_pub_free(&pb);
    ec_key_free(&a);
    ec_key_free(&b);
    ec_key_free(&elsewhere);
}
END_TEST

START_TEST(refuses_points_that_are_none)
{
    uint8_t point[EC_POINT_LEN + 1] = { 0 };
    struct ec_key *k = NULL;
    struct ec_pub *pub = NULL;

    ck_assert_int_eq(ec_key_generate(c, both[_i], &k), 0);
    ec_key_point(k, point);
    const struct rd good = rd_of(point, EC_POINT_LEN);
    ck_assert_int_eq(ec_pub_from_point(c, both[1 - _i], good, &pub), ERR_INPUT);
    ck_assert_int_eq(ec_pub_from_point(c, CURVE_UNKNOWN, good, &pub), ERR_INPUT);
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], rd_of(point, EC_POINT_LEN + 1), &pub),
                     ERR_INPUT);
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], rd_of(point, EC_POINT_LEN - 1), &pub),
                     ERR_INPUT);
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], rd_of(point, 0), &pub), ERR_INPUT);
    point[0] = 0x06 | (point[EC_POINT_LEN - 1] & 1); /* hybrid */
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], good, &pub), ERR_INPUT);
    point[0] = 0x02; /* compressed */
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], rd_of(point, 33), &pub), ERR_INPUT);
    point[0] = 0x04;
    point[EC_POINT_LEN - 1] ^= 1;
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], good, &pub), ERR_INPUT);
    memset(point + 1, 0, EC_POINT_LEN - 1);
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], good, &pub), ERR_INPUT);
    memset(point + 1, 0xFF, EC_POINT_LEN - 1); /* coordinates beyond the field */
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], good, &pub), ERR_INPUT);
    memset(point, 0, sizeof point); /* infinity */
    ck_assert_int_eq(ec_pub_from_point(c, both[_i], rd_of(point, 1), &pub), ERR_INPUT);
    ck_assert_ptr_null(pub);
    ec_key_free(&k);
}
END_TEST

START_TEST(keys_survive_der_and_pem)
{
    uint8_t octets[1024], point[EC_POINT_LEN], again_point[EC_POINT_LEN];
    struct ec_key *k = NULL, *again = NULL;
    struct wr w;

    ck_assert_int_eq(ec_key_generate(c, both[_i], &k), 0);
    ec_key_point(k, point);
    for (int pem = 0; pem < 2; pem++) {
        wr_init(&w, octets, sizeof octets);
        ck_assert_int_eq(pem ? ec_key_write_pem(c, k, &w) : ec_key_write_der(c, k, &w), 0);
        struct rd exact = exact_copy_of(wr_view(&w));
        ck_assert_int_eq(ec_key_read(c, exact, &again), 0);
        ck_assert_int_eq(ec_key_curve(again), both[_i]);
        ec_key_point(again, again_point);
        ck_assert_mem_eq(point, again_point, sizeof point);
        ec_key_free(&again);
        for (size_t n = 0; n < exact.n && !pem; n++) { /* every truncation is refused */
            struct rd less = exact_copy_of(rd_of(exact.p, n));
            ck_assert_int_eq(ec_key_read(c, less, &again), ERR_INPUT);
            exact_free(&less);
        }
        exact_free(&exact);
    }
    wr_init(&w, octets, 100);
    ck_assert_int_eq(ec_key_write_pem(c, k, &w), ERR_NOMEM);
    ec_key_free(&k);
}
END_TEST

/* Made with openssl genpkey and openssl ec for this test. */
START_TEST(reads_pkcs8_and_parameters_before_the_key)
{
    static const char pkcs8[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAQIDBAUGBwgJCgsM\n"
                                "DQ4PEBESExQVFhcYGRobHB0eHyChRANCAARRXD1uueOWuQTT/sp/VP3NDMHpl783\n"
                                "XcpRWtCmw7QDX0U2vjpQ8xj7+aVHWQKiIVAr7w1X4IxTsswKVvF9n5NU\n"
                                "-----END PRIVATE KEY-----\n";
    static const char sec1[] = "-----BEGIN EC PARAMETERS-----\n"
                               "BggqhkjOPQMBBw==\n"
                               "-----END EC PARAMETERS-----\n"
                               "-----BEGIN EC PRIVATE KEY-----\n"
                               "MDECAQEEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8goAoGCCqGSM49\n"
                               "AwEH\n"
                               "-----END EC PRIVATE KEY-----\n";
    const char *const texts[] = { pkcs8, sec1 };

    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        struct ec_key *k = NULL;
        uint8_t point[EC_POINT_LEN];
        ck_assert_int_eq(ec_key_read(c, rd_str(texts[i]), &k), 0);
        ec_key_point(k, point);
        check_octets(point, "04515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f");
        ec_key_free(&k);
    }
}
END_TEST

START_TEST(refuses_keys_that_are_none)
{
    static const char *const bad[] = {
        "",
        "30 00",
        /* zero, the group's order, another curve (secp256k1), a foreign public key */
        "3031 020101 0420 0000000000000000000000000000000000000000000000000000000000000000"
        "A00A06082A8648CE3D030107",
        "3031 020101 0420 FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
        "A00A06082A8648CE3D030107",
        "302E 020101 0420 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
        "A007 06052B8104000A",
        "3077 020101 0420 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
        "A00A06082A8648CE3D030107 A144034200"
        "04a61b5852fedeecd5373d769af0edbc94502276d9c6ff1da3a156fecf31c66299"
        "54aea62862e227aebaf745c4e1d5f1bcbba6136400d9f0a63434225fee2590ae",
    };
    struct ec_key *k = NULL;

    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct rd der = exact_copy(bad[i]);
        ck_assert_int_eq(ec_key_read(c, der, &k), ERR_INPUT);
        exact_free(&der);
    }
    ck_assert_int_eq(ec_key_read(c, rd_str("no key at all"), &k), ERR_INPUT);
    ck_assert_ptr_null(k);
}
END_TEST

START_TEST(signatures_survive_der)
{
    uint8_t signature[EC_SIGNATURE_LEN] = { 0 }, again[EC_SIGNATURE_LEN], octets[80];
    struct wr w;

    for (unsigned first = 0; first < 256; first += 51) {
        signature[0] = (uint8_t)first;
        signature[EC_SIGNATURE_LEN - 1] = (uint8_t)first;
        wr_init(&w, octets, sizeof octets);
        ck_assert_int_eq(ecdsa_to_der(signature, &w), 0);
        ck_assert_int_eq(ecdsa_from_der(wr_view(&w), again), 0);
        ck_assert_mem_eq(signature, again, sizeof again);
        ck_assert_int_eq(ecdsa_from_der(rd_of(w.p, w.n - 1), again), ERR_INPUT);
    }
}
END_TEST

/* Everything that draws random octets, in a row. */
static void draw(struct crypto *seeded, uint8_t ret[512])
{
    const struct rd message = rd_str("message");

    memset(ret, 0, 512);
    for (size_t i = 0; i < N_ELEMS(both); i++) {
        struct ec_key *k = NULL;
        ck_assert_int_eq(crypto_random(seeded, ret, 16), 0);
        ck_assert_int_eq(ec_key_generate(seeded, both[i], &k), 0);
        ec_key_point(k, ret + 16);
        ck_assert_int_eq(ecdsa_sign(seeded, k, &message, 1, ret + 96), 0);
        ck_assert_int_eq(ecdsa_sign(seeded, k, &message, 1, ret + 160), 0);
        ck_assert_mem_ne(ret + 96, ret + 160, EC_SIGNATURE_LEN);
        ec_key_free(&k);
        ret += 256;
    }
}

START_TEST(a_seed_repeats_itself_and_no_other)
{
    uint8_t first[512], second[512], other[512], unseeded[512];
    struct crypto *a = crypto_new(rd_str("1")), *b = crypto_new(rd_str("1")),
                  *d = crypto_new(rd_str("2"));

    draw(a, first);
    draw(b, second);
    draw(d, other);
    draw(c, unseeded);
    ck_assert_mem_eq(first, second, sizeof first);
    for (size_t at = 0; at < sizeof first; at += 256) {
        ck_assert_mem_ne(first + at, other + at, 16);
        ck_assert_mem_ne(first + at, unseeded + at, 16);
        ck_assert_mem_ne(first + at + 16, other + at + 16, EC_POINT_LEN);
        ck_assert_mem_ne(first + at + 96, other + at + 96, EC_SIGNATURE_LEN);
    }
    draw(a, second); /* the stream goes on, it does not start again */
    ck_assert_mem_ne(first, second, 16);
    crypto_free(&a);
    crypto_free(&b);
    crypto_free(&d);
}
END_TEST

START_TEST(seeded_randomness_does_not_run_dry)
{
    struct crypto *seeded = crypto_new(rd_str("long"));
    uint8_t *octets = calloc(1, 100000);

    ck_assert_ptr_nonnull(octets);
    ck_assert_int_eq(crypto_random(seeded, octets, 100000), 0);
    ck_assert_mem_ne(octets, octets + 2048, 2048);
    for (int i = 0; i < 200; i++) {
        struct ec_key *k = NULL;
        ck_assert_int_eq(ec_key_generate(seeded, CURVE_BRAINPOOL_P256R1, &k), 0);
        ec_key_free(&k);
    }
    free(octets);
    crypto_free(&seeded);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto");
    TCase *cases = tcase_create("crypto");

    tcase_add_checked_fixture(cases, open_crypto, close_crypto);
    tcase_add_test(cases, sha256_matches_fips_180);
    tcase_add_test(cases, sha1_matches_fips_180);
    tcase_add_test(cases, cmac_matches_rfc_4493);
    tcase_add_test(cases, aes_matches_sp_800_38a);
    tcase_add_test(cases, kdf_matches_nist_cavp);
    tcase_add_test(cases, session_keys_match_a_recorded_download);
    tcase_add_test(cases, protected_command_matches_a_recorded_download);
    tcase_add_test(cases, verifies_a_published_signature);
    tcase_add_loop_test(cases, refuses_whatever_was_tampered_with, 0, N_ELEMS(both));
    tcase_add_loop_test(cases, both_sides_agree_on_a_secret, 0, N_ELEMS(both));
    tcase_add_loop_test(cases, refuses_points_that_are_none, 0, N_ELEMS(both));
    tcase_add_loop_test(cases, keys_survive_der_and_pem, 0, N_ELEMS(both));
    tcase_add_test(cases, reads_pkcs8_and_parameters_before_the_key);
    tcase_add_test(cases, refuses_keys_that_are_none);
    tcase_add_test(cases, signatures_survive_der);
    tcase_add_test(cases, a_seed_repeats_itself_and_no_other);
    tcase_add_test(cases, seeded_randomness_does_not_run_dry);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
