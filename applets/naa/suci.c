/* suci.c - from IMSI or network specific identifier and the home network's keys to a SUCI. */
#include "applets/naa/suci.h"

#include <stdio.h>
#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    TYPE_IMSI_SUCI = 0x01, /* TS 24.501 9.11.3.4: SUPI format IMSI, type of identity SUCI */
    TYPE_NAI_SUCI = 0x11,  /* likewise, network specific identifier */

    SUPI_TYPE_IMSI = 0, /* in a NAI, TS 23.003 2.2B */
    SUPI_TYPE_NSI = 1,
    TAG_NSI = 0x80, /* EF.SUPI_NAI, TS 31.102 4.4.11.10 */

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

/* An IMSI taken apart. */
struct imsi {
    uint8_t digits[MAX_DIGITS];
    uint8_t octets[(MAX_DIGITS + 1) / 2]; /* of the MSIN, in BCD */
    size_t n, plmn;
    struct rd msin;
};

static int take_imsi(const struct suci_inputs *in, struct imsi *ret)
{
    struct wr w;

    TRY(take_digits(in->imsi, ret->digits, &ret->n));
    ret->plmn = MCC_DIGITS + in->mnc_len;
    if (ret->n <= ret->plmn)
        return ERR_INPUT;
    wr_init(&w, ret->octets, sizeof ret->octets);
    put_bcd(&w, ret->digits + ret->plmn, ret->n - ret->plmn);
    ret->msin = wr_view(&w);
    return 0;
}

int suci_of_imsi(struct crypto *c, const struct suci_inputs *in, struct wr *ret)
{
    struct choice choice;
    struct imsi imsi;

    TRY(take_imsi(in, &imsi));
    TRY(choose(in->calc_info, &choice));
    wr_put_u8(ret, TYPE_IMSI_SUCI);
    put_plmn(ret, imsi.digits, in->mnc_len);
    put_routing(ret, in->routing);
    wr_put_u8(ret, (uint8_t)choice.scheme);
    wr_put_u8(ret, choice.key_id);
    return suci_scheme_output(c, choice.scheme, choice.key, rd_of(NULL, 0), imsi.msin, ret);
}

/* --- as a NAI --- */

/* What is concealed: the octets that a scheme is applied to, and how the null scheme shows them. */
struct user {
    unsigned supi_type;
    struct rd plain, shown, realm;
};

static void put_text(struct wr *w, const char *text)
{
    wr_put_rd(w, rd_str(text));
}

static void put_number(struct wr *w, const char *name, unsigned number)
{
    char text[32];

    snprintf(text, sizeof text, "%s%u", name, number);
    put_text(w, text);
}

static void put_hex(struct wr *w, const char *name, struct rd octets)
{
    put_text(w, name);
    for (size_t i = 0; i < octets.n; i++) {
        wr_put_u8(w, (uint8_t) "0123456789abcdef"[octets.p[i] >> 4]);
        wr_put_u8(w, (uint8_t) "0123456789abcdef"[octets.p[i] & 0xF]);
    }
}

/* One to four digits. */
static void put_routing_digits(struct wr *w, struct rd routing)
{
    uint8_t octets[2] = { 0 };
    struct wr coded;

    wr_init(&coded, octets, sizeof octets);
    put_routing(&coded, routing);
    for (size_t i = 0; i < 4; i++) {
        uint8_t digit = octets[i / 2] >> (i % 2 != 0 ? 4 : 0) & 0xF;
        if (digit > 9)
            return;
        wr_put_u8(w, (uint8_t)('0' + digit));
    }
}

/* The output of an ECIES scheme, in its parts. */
static int put_concealed(struct crypto *c, const struct choice *choice, struct rd plain,
                         struct wr *ret)
{
    uint8_t octets[SUCI_MAX_OUTPUT];
    struct rd public, cipher, rest;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    TRY(suci_scheme_output(c, choice->scheme, choice->key, rd_of(NULL, 0), plain, &w));
    rest = wr_view(&w);
    TRY(rd_take(&rest, choice->scheme == SUCI_PROFILE_A ? X25519_LEN : EC_COMPRESSED_LEN, &public));
    TRY(rd_take(&rest, plain.n, &cipher));
    put_number(ret, ".hnkey", choice->key_id);
    put_hex(ret, ".ecckey", public);
    put_hex(ret, ".cip", cipher);
    put_hex(ret, ".mac", rest);
    return 0;
}

static int put_nai(struct crypto *c, const struct suci_inputs *in, const struct user *user,
                   struct wr *ret)
{
    struct choice choice;

    TRY(choose(in->calc_info, &choice));
    wr_put_u8(ret, TYPE_NAI_SUCI);
    put_number(ret, "type", user->supi_type);
    put_text(ret, ".rid");
    put_routing_digits(ret, in->routing);
    put_number(ret, ".schid", choice.scheme);
    if (choice.scheme == SUCI_NULL) {
        put_text(ret, ".userid");
        wr_put_rd(ret, user->shown);
    } else {
        TRY(put_concealed(c, &choice, user->plain, ret));
    }
    put_text(ret, "@");
    wr_put_rd(ret, user->realm);
    return wr_failed(ret);
}

int suci_of_imsi_for_nswo(struct crypto *c, const struct suci_inputs *in, struct wr *ret)
{
    char shown[MAX_DIGITS], realm[64];
    struct imsi imsi;

    TRY(take_imsi(in, &imsi));
    const uint8_t *mcc = imsi.digits, *mnc = mcc + MCC_DIGITS;
    bool short_mnc = in->mnc_len < 3; /* filled to three digits (TS 23.003 28.2) */
    snprintf(realm, sizeof realm, "5gc-nswo.mnc%u%u%u.mcc%u%u%u.3gppnetwork.org",
             short_mnc ? 0u : mnc[0], mnc[short_mnc ? 0 : 1], mnc[short_mnc ? 1 : 2], mcc[0],
             mcc[1], mcc[2]);
    for (size_t i = imsi.plmn; i < imsi.n; i++)
        shown[i - imsi.plmn] = (char)('0' + imsi.digits[i]);
    const struct user user = {
        .supi_type = SUPI_TYPE_IMSI,
        .plain = imsi.msin,
        .shown = rd_of((const uint8_t *)shown, imsi.n - imsi.plmn),
        .realm = rd_str(realm),
    };
    return put_nai(c, in, &user, ret);
}

/* username@realm, of which only the first part is concealed (TS 33.501 C.3.2). */
int suci_of_nsi(struct crypto *c, const struct suci_inputs *in, struct wr *ret)
{
    struct tlv nsi;

    if (!tlv_find(in->supi_nai, TAG_NSI, &nsi) || nsi.value.n > SUCI_MAX_PLAIN)
        return ERR_INPUT;
    size_t at = nsi.value.n;
    while (at > 0 && nsi.value.p[at - 1] != '@')
        at--;
    if (at == 0 || at == nsi.value.n)
        return ERR_INPUT;
    struct rd name = rd_of(nsi.value.p, at - 1);
    const struct user user = {
        .supi_type = SUPI_TYPE_NSI,
        .plain = name,
        .shown = name,
        .realm = rd_of(nsi.value.p + at, nsi.value.n - at),
    };
    return put_nai(c, in, &user, ret);
}
