/* suci.c - from IMSI and the home network's keys to a SUCI. */
#include "applets/naa/suci.h"

#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    TYPE_IMSI_SUCI = 0x01, /* TS 24.501 9.11.3.4: SUPI format IMSI, type of identity SUCI */

    TAG_SCHEMES = 0xA0, /* EF.SUCI_Calc_Info, TS 31.102 4.4.11.8 */
    TAG_KEYS = 0xA1,
    TAG_KEY_ID = 0x80,
    TAG_KEY = 0x81,

    MCC_DIGITS = 3,
    MAX_DIGITS = 15,
    NO_DIGIT = 0xF,

    /* TS 33.501 C.3.4: encryption key, initial counter block, MAC key */
    ICB_AT = AES128_KEY_LEN,
    MAC_KEY_AT = ICB_AT + AES_BLOCK,
    KEYS_LEN = MAC_KEY_AT + SHA256_LEN,
};

/* --- protection schemes --- */

/* Our ephemeral public key and the secret shared with the home network. */
struct agreement {
    uint8_t public[EC_COMPRESSED_LEN];
    size_t public_len;
    uint8_t secret[EC_COORD_LEN];
};

static int agree_a(struct crypto *c, struct rd key, struct rd ephemeral, struct agreement *ret)
{
    uint8_t private[X25519_LEN];
    int err = 0;

    if (key.n != X25519_LEN)
        return ERR_INPUT;
    if (ephemeral.n == sizeof private)
        memcpy(private, ephemeral.p, sizeof private);
    else
        err = crypto_random(c, private, sizeof private);
    if (err == 0)
        err = x25519_public(c, private, ret->public);
    if (err == 0)
        err = x25519(c, private, key.p, ret->secret);
    ret->public_len = X25519_LEN;
    crypto_wipe(private, sizeof private);
    return err;
}

static int agree_b(struct crypto *c, struct rd key, struct rd ephemeral, struct agreement *ret)
{
    uint8_t point[EC_POINT_LEN];
    struct ec_pub *theirs = NULL;
    struct ec_key *mine = NULL;

    int err = key.n == EC_COMPRESSED_LEN ? ec_pub_from_compressed(c, CURVE_P256, key, &theirs)
                                         : ec_pub_from_point(c, CURVE_P256, key, &theirs);
    if (err == 0)
        err = ephemeral.n > 0 ? ec_key_from_number(c, CURVE_P256, ephemeral, &mine)
                              : ec_key_generate(c, CURVE_P256, &mine);
    if (err == 0) {
        ec_key_point(mine, point);
        ec_compress(point, ret->public);
        ret->public_len = EC_COMPRESSED_LEN;
        err = ecka(c, mine, theirs, ret->secret);
    }
    ec_key_free(&mine);
    ec_pub_free(&theirs);
    return err;
}

/* TS 33.501 C.3.2: public key, ciphertext, MAC. */
static int seal(struct crypto *c, const struct agreement *agreement, struct rd plain,
                struct wr *ret)
{
    uint8_t keys[KEYS_LEN], cipher[SUCI_MAX_PLAIN], mac[SHA256_LEN];
    struct rd public = rd_of(agreement->public, agreement->public_len);

    if (plain.n > sizeof cipher)
        return ERR_INPUT;
    int err =
        kdf_x963(c, rd_of(agreement->secret, sizeof agreement->secret), public, keys, sizeof keys);
    if (err == 0)
        err = aes128_ctr(c, keys, keys + ICB_AT, plain.p, plain.n, cipher);
    if (err == 0)
        err = hmac_sha256(c, rd_of(keys + MAC_KEY_AT, SHA256_LEN), rd_of(cipher, plain.n), mac);
    crypto_wipe(keys, sizeof keys);
    TRY(err);
    wr_put_rd(ret, public);
    wr_put(ret, cipher, plain.n);
    wr_put(ret, mac, SUCI_MAC_LEN);
    return wr_failed(ret);
}

int suci_scheme_output(struct crypto *c, enum suci_scheme scheme, struct rd key,
                       struct rd ephemeral, struct rd plain, struct wr *ret)
{
    struct agreement agreement;
    int err = ERR_INPUT;

    if (scheme == SUCI_NULL) {
        wr_put_rd(ret, plain);
        return wr_failed(ret);
    }
    if (scheme == SUCI_PROFILE_A)
        err = agree_a(c, key, ephemeral, &agreement);
    else if (scheme == SUCI_PROFILE_B)
        err = agree_b(c, key, ephemeral, &agreement);
    if (err == 0)
        err = seal(c, &agreement, plain, ret);
    crypto_wipe(&agreement, sizeof agreement);
    return err;
}

/* --- EF.SUCI_Calc_Info --- */

struct choice {
    enum suci_scheme scheme;
    uint8_t key_id;
    struct rd key;
};

/* The scheme of highest priority that we know; its key must be there. */
static int choose(struct rd calc_info, struct choice *ret)
{
    struct tlv schemes, keys, id, key;

    if (!tlv_find(calc_info, TAG_SCHEMES, &schemes))
        return ERR_INPUT;
    for (size_t i = 0; i + 1 < schemes.value.n; i += 2) {
        uint8_t scheme = schemes.value.p[i], index = schemes.value.p[i + 1];

        if (scheme > SUCI_PROFILE_B)
            continue;
        *ret = (struct choice){ .scheme = (enum suci_scheme)scheme };
        if (scheme == SUCI_NULL)
            return 0;
        if (index == 0 || !tlv_find(calc_info, TAG_KEYS, &keys) ||
            !tlv_find_nth(keys.value, TAG_KEY_ID, index - 1U, &id) ||
            !tlv_find_nth(keys.value, TAG_KEY, index - 1U, &key) || id.value.n != 1)
            return ERR_INPUT;
        ret->key_id = id.value.p[0];
        ret->key = key.value;
        return 0;
    }
    return ERR_INPUT;
}

/* --- the identifier --- */

/* EF.IMSI: length, then parity and digits, low halves first; F fills. */
static int take_digits(struct rd imsi, uint8_t digits[MAX_DIGITS], size_t *ret_n)
{
    size_t n = 0;

    if (imsi.n == 0 || imsi.p[0] == 0 || imsi.p[0] >= imsi.n)
        return ERR_INPUT;
    for (size_t i = 1; i < 2 * (size_t)imsi.p[0] && n < MAX_DIGITS; i++) {
        uint8_t digit = imsi.p[1 + i / 2] >> (i % 2 != 0 ? 4 : 0) & 0xF;

        if (digit > 9)
            break;
        digits[n++] = digit;
    }
    *ret_n = n;
    return 0;
}

static void put_halves(struct wr *w, uint8_t low, uint8_t high)
{
    wr_put_u8(w, (uint8_t)(high << 4 | low));
}

static void put_bcd(struct wr *w, const uint8_t *digits, size_t n)
{
    for (size_t i = 0; i < n; i += 2)
        put_halves(w, digits[i], i + 1 < n ? digits[i + 1] : NO_DIGIT);
}

static void put_plmn(struct wr *w, const uint8_t *digits, unsigned mnc_len)
{
    const uint8_t *mnc = digits + MCC_DIGITS;

    put_halves(w, digits[0], digits[1]);
    put_halves(w, digits[2], mnc_len == 3 ? mnc[2] : NO_DIGIT);
    put_halves(w, mnc[0], mnc[1]);
}

/* Without a routing indicator it is the digit 0 (TS 24.501 9.11.3.4). */
static void put_routing(struct wr *w, struct rd routing)
{
    static const uint8_t zero[] = { 0xF0, 0xFF };

    if (routing.n < 2 || (routing.p[0] & 0xF) == NO_DIGIT)
        wr_put(w, zero, sizeof zero);
    else
        wr_put(w, routing.p, 2);
}

int suci_of_imsi(struct crypto *c, const struct suci_inputs *in, struct wr *ret)
{
    uint8_t digits[MAX_DIGITS], octets[(MAX_DIGITS + 1) / 2];
    size_t n, plmn = MCC_DIGITS + in->mnc_len;
    struct choice choice;
    struct wr msin;

    TRY(take_digits(in->imsi, digits, &n));
    if (n <= plmn)
        return ERR_INPUT;
    TRY(choose(in->calc_info, &choice));
    wr_init(&msin, octets, sizeof octets);
    put_bcd(&msin, digits + plmn, n - plmn);
    wr_put_u8(ret, TYPE_IMSI_SUCI);
    put_plmn(ret, digits, in->mnc_len);
    put_routing(ret, in->routing);
    wr_put_u8(ret, (uint8_t)choice.scheme);
    wr_put_u8(ret, choice.key_id);
    return suci_scheme_output(c, choice.scheme, choice.key, rd_of(NULL, 0), wr_view(&msin), ret);
}
