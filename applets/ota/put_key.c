/* put_key.c - PUT KEY: new keys for a security domain (GlobalPlatform 11.8, Amendment D 7.2,
 * ETSI TS 102 226 8.2.1.5).
 *
 * The keys come enciphered under the data encryption key of the version that secures the session,
 * and each with a check value.  All of a command's keys are stored, or none. */
#include <string.h>

#include "applets/ota/mno_sd.h"

enum {
    P1_MORE = 0x80,
    P2_SEVERAL = 0x80,
    VERSION_MAX = 0x7F,
    MAX_KEYS = 4,
    CHECK_LEN = 3,
};

/* One key of the command. */
struct new_key {
    struct sd_key_object object;
    uint8_t b[CIPHER_MAX_KEY];
    uint8_t check[CHECK_LEN];
};

struct put_key {
    uint8_t old_version, version;
    struct new_key keys[MAX_KEYS];
    size_t n;
};

static int refuse(const struct session *s, int sw, const char *why)
{
    return sd_refuse(s, "PUT KEY", sw, why);
}

/* --- reading the command ---------------------------------------------------------------------- */

static int take_field(struct rd *in, struct rd *ret)
{
    struct rd len;

    TRY(rd_take(in, 1, &len));
    return rd_take(in, len.p[0], ret);
}

/* DES keys by ECB, AES keys by CBC from zero, each with the algorithm of the DEK. */
static int decipher(struct crypto *c, const struct scp80_key *dek, struct rd in, uint8_t *ret)
{
    static const uint8_t zero[CIPHER_MAX_BLOCK];
    size_t at_once = dek->family == CIPHER_DES ? DES_BLOCK : in.n;

    if (in.n > CIPHER_MAX_KEY || in.n % cipher_block(dek->family) != 0)
        return ERR_INPUT;
    for (size_t i = 0; i < in.n; i += at_once)
        TRY(cipher_cbc(c, dek->family, scp80_key_octets(dek), false, zero, in.p + i, at_once,
                       ret + i));
    return 0;
}

/* The beginning of what a known block enciphers to: zeros with DES, ones with AES. */
static int check_value(struct crypto *c, enum cipher_family family, struct rd key,
                       uint8_t ret[CHECK_LEN])
{
    static const uint8_t zero[CIPHER_MAX_BLOCK];
    uint8_t block[CIPHER_MAX_BLOCK];

    memset(block, family == CIPHER_DES ? 0x00 : 0x01, sizeof block);
    TRY(cipher_cbc(c, family, key, true, zero, block, cipher_block(family), block));
    memcpy(ret, block, CHECK_LEN);
    return 0;
}

/* type, length, key, length, check value; an AES key has its own length in front of it. */
static int take_key(struct crypto *c, const struct scp80_key *dek, struct rd *in,
                    struct new_key *ret)
{
    struct rd type, data, check, len;

    TRY(rd_take(in, 1, &type));
    TRY(take_field(in, &data));
    TRY(take_field(in, &check));
    bool is_aes = type.p[0] == KEY_TYPE_AES;
    size_t n = data.n;
    if (type.p[0] != KEY_TYPE_DES && !is_aes)
        return ERR_INPUT;
    if (is_aes) {
        TRY(rd_take(&data, 1, &len));
        n = len.p[0];
    }
    enum cipher_family family = is_aes ? CIPHER_AES : CIPHER_DES;
    if (!cipher_key_fits(family, n) || n > data.n || check.n != CHECK_LEN)
        return ERR_INPUT;
    TRY(decipher(c, dek, data, ret->b));
    ret->object.type = type.p[0];
    ret->object.value = rd_of(ret->b, n);
    ret->object.mac_len = DES_BLOCK;
    TRY(check_value(c, family, ret->object.value, ret->check));
    return crypto_equal(ret->check, check.p, CHECK_LEN) ? 0 : ERR_INPUT;
}

static int parse(struct session *s, const struct apdu *a, const struct scp80_key *dek,
                 struct put_key *ret)
{
    struct rd in = rd_of(a->data, a->lc), version;
    uint8_t id = a->p2 & 0x7F;

    TRY(rd_take(&in, 1, &version));
    ret->old_version = a->p1;
    ret->version = version.p[0];
    while (in.n > 0 && ret->n < MAX_KEYS) {
        struct new_key *k = &ret->keys[ret->n];
        TRY(take_key(s->euicc->crypto, dek, &in, k));
        k->object.id = (uint8_t)(id + ret->n++);
        k->object.version = ret->version;
    }
    bool several = a->p2 & P2_SEVERAL;
    return in.n == 0 && ret->n > 0 && several == (ret->n > 1) && ret->version > 0 &&
                   ret->version <= VERSION_MAX && id > 0
               ? 0
               : ERR_INPUT;
}

/* --- storing ---------------------------------------------------------------------------------- */

static bool replaces(const struct put_key *p, uint8_t id)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->keys[i].object.id == id)
            return true;
    return false;
}

/* What a version holds beside the keys that the command replaces; how many it has at all. */
static unsigned copy_rest(struct rd all, uint8_t version, const struct put_key *p, struct wr *ret)
{
    struct sd_key_object k;
    unsigned n = 0;

    while (sd_next_key(&all, &k)) {
        if (k.version != version)
            continue;
        n++;
        if (!replaces(p, k.id))
            sd_put_key_object(&k, ret);
    }
    return n;
}

/* A replay counter begins again with the key that authenticates. */
static int store(struct session *s, const struct sd *sd, const struct put_key *p, struct rd all,
                 struct wr *objects)
{
    struct euicc *e = s->euicc;
    bool same = p->old_version == p->version;

    if (!same && copy_rest(all, p->version, p, objects) > 0)
        return refuse(s, SW_CONDITIONS_OF_USE, "the new version is there already");
    unsigned n = p->old_version != 0 ? copy_rest(all, p->old_version, p, objects) : 0;
    if (p->old_version != 0 && n == 0)
        return refuse(s, SW_REFERENCE_NOT_FOUND, "there are no keys of the version to replace");
    if (p->old_version != 0 && !same) {
        TRY(wr_failed(objects));
        TRY(sd_put_keys(e, sd, p->old_version, wr_view(objects)));
        wr_clear(objects);
    }
    for (size_t i = 0; i < p->n; i++)
        sd_put_key_object(&p->keys[i].object, objects);
    TRY(wr_failed(objects));
    TRY(sd_put_keys(e, sd, p->version, wr_view(objects)));
    return replaces(p, KID_MAC) ? sd_reset_counter(e, sd, p->version) : 0;
}

static int store_all(struct session *s, const struct sd *sd, const struct put_key *p)
{
    struct wr all, objects;

    sd_keys_init(&all);
    sd_keys_init(&objects);
    int result = sd_keys(s->euicc, sd, &all);
    if (result == 0)
        result = store(s, sd, p, wr_view(&all), &objects);
    sd_keys_done(&all);
    sd_keys_done(&objects);
    return result;
}

static int put_keys(struct session *s, const struct sd *sd, const struct apdu *a, struct wr *rsp)
{
    const struct sd_session *is = session_data(s);
    struct put_key p = { .n = 0 };
    struct scp80_key dek;

    TRY(sd_key(s->euicc, sd, is->version, KID_DEK, &dek));
    if (dek.n > 0 && is->channel.state == CHANNEL_SECURE && is->channel.protocol == 2)
        memcpy(dek.b, is->channel.scp02.dek, sizeof is->channel.scp02.dek); /* E.4.7 */
    if (dek.n == 0)
        return refuse(s, SW_CONDITIONS_OF_USE, "there is no key to decipher keys with");
    int result = parse(s, a, &dek, &p);
    if (result == ERR_INPUT)
        result = refuse(s, SW_WRONG_DATA, "a key is broken, or its check value wrong");
    if (result == 0)
        result = store_all(s, sd, &p);
    wr_put_u8(rsp, p.version);
    for (size_t i = 0; result == 0 && i < p.n; i++)
        wr_put(rsp, p.keys[i].check, CHECK_LEN);
    crypto_wipe(&dek, sizeof dek);
    crypto_wipe(&p, sizeof p);
    return result;
}

int sd_put_key(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct sd sd;

    TRY(sd_check_secured(s, "PUT KEY"));
    if (a->p1 & P1_MORE)
        return refuse(s, SW_WRONG_P1P2, "keys come in one command");
    TRY(sd_selected(s, &sd));
    int result = put_keys(s, &sd, a, rsp);
    sd_done(&sd);
    return result;
}
