/* play_naa.c - what the network has in common with a profile: MILENAGE, secured packets, ECIES of
 * a SUCI.  Written again from the standards, so that scripts compare with other code than the
 * card's. */
#include <stddef.h>
#include <string.h>

#include "lab/play_model.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    KEY_LEN = AES128_KEY_LEN,
    SQN_LEN = 6,
    AMF_LEN = 2,
    PACKET_MAX = 8192,
    SMS_MAX = 140,
};

/* --- MILENAGE (TS 35.206) -------------------------------------------------------------------- */

/* Arguments from K on, those that are there. */
struct milenage {
    uint8_t k[KEY_LEN], opc[KEY_LEN], rand[KEY_LEN], sqn[SQN_LEN], amf[AMF_LEN];
};

static int read_milenage(const struct play_arguments *w, size_t n, struct milenage *ret,
                         struct play_error *e)
{
    const struct {
        uint8_t *p;
        size_t n;
    } fields[] = {
        { ret->k, KEY_LEN },   { ret->opc, KEY_LEN }, { ret->rand, KEY_LEN },
        { ret->sqn, SQN_LEN }, { ret->amf, AMF_LEN },
    };

    *ret = (struct milenage){ .k = { 0 } };
    for (size_t i = 0; i < n; i++) {
        struct wr field;
        wr_init(&field, fields[i].p, fields[i].n);
        TRY(play_word_octets(w, 2 + i, fields[i].n, &field, e));
    }
    return n + 2 == w->n ? 0 : play_fail(e, w->where[n + 2], "nothing belongs here");
}

static void xor_block(uint8_t *a, const uint8_t *b)
{
    for (size_t i = 0; i < AES_BLOCK; i++)
        a[i] ^= b[i];
}

/* E(K, ROT(in XOR OPc, octets) XOR add XOR c) XOR OPc, c being a number below 256. */
static int round_of(struct player *p, const struct milenage *m, const uint8_t in[AES_BLOCK],
                    const uint8_t *add, unsigned rotation, uint8_t c, uint8_t ret[AES_BLOCK])
{
    uint8_t mixed[AES_BLOCK], turned[AES_BLOCK];

    memcpy(mixed, in, sizeof mixed);
    xor_block(mixed, m->opc);
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = mixed[(i + rotation) % sizeof mixed];
    turned[AES_BLOCK - 1] ^= c;
    if (add != NULL)
        xor_block(turned, add);
    TRY(aes128_encrypt_block(p->crypto, m->k, turned, ret));
    xor_block(ret, m->opc);
    return 0;
}

struct vector {
    uint8_t mac_a[8], mac_s[8], res[8], ak[SQN_LEN], ak_star[SQN_LEN], ck[KEY_LEN], ik[KEY_LEN];
    uint8_t autn[SQN_LEN + AMF_LEN + 8], auts[SQN_LEN + 8];
};

/* MAC-A and MAC-S over this AMF (f1, f1*). */
static int macs(struct player *p, const struct milenage *m, const uint8_t temp[AES_BLOCK],
                const uint8_t amf[AMF_LEN], struct vector *ret)
{
    uint8_t in[AES_BLOCK], out[AES_BLOCK];

    for (size_t i = 0; i < 2; i++) {
        memcpy(in + 8 * i, m->sqn, SQN_LEN);
        memcpy(in + 8 * i + SQN_LEN, amf, AMF_LEN);
    }
    TRY(round_of(p, m, in, temp, 8, 0, out));
    memcpy(ret->mac_a, out, 8);
    memcpy(ret->mac_s, out + 8, 8);
    return 0;
}

/* AUTN and AUTS (TS 33.102 6.3.2, 6.3.3): whoever wants AUTS gives no AMF, which is 0000 in it. */
static void make_tokens(const struct milenage *m, struct vector *v)
{
    for (size_t i = 0; i < SQN_LEN; i++) {
        v->autn[i] = m->sqn[i] ^ v->ak[i];
        v->auts[i] = m->sqn[i] ^ v->ak_star[i];
    }
    memcpy(v->autn + SQN_LEN, m->amf, AMF_LEN);
    memcpy(v->autn + SQN_LEN + AMF_LEN, v->mac_a, sizeof v->mac_a);
    memcpy(v->auts + SQN_LEN, v->mac_s, sizeof v->mac_s);
}

static int make_vector(struct player *p, const struct milenage *m, const uint8_t amf[AMF_LEN],
                       struct vector *ret)
{
    uint8_t temp[AES_BLOCK], in[AES_BLOCK], out[AES_BLOCK];

    memcpy(in, m->rand, sizeof in);
    xor_block(in, m->opc);
    TRY(aes128_encrypt_block(p->crypto, m->k, in, temp));
    TRY(macs(p, m, temp, amf, ret));
    TRY(round_of(p, m, temp, NULL, 0, 1, out));
    memcpy(ret->ak, out, SQN_LEN);
    memcpy(ret->res, out + 8, 8);
    TRY(round_of(p, m, temp, NULL, 4, 2, ret->ck));
    TRY(round_of(p, m, temp, NULL, 8, 4, ret->ik));
    TRY(round_of(p, m, temp, NULL, 12, 8, out));
    memcpy(ret->ak_star, out, SQN_LEN);
    make_tokens(m, ret);
    return 0;
}

static int compute_opc(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    uint8_t out[AES_BLOCK];
    struct milenage m;

    TRY(read_milenage(w, 2, &m, e));
    if (aes128_encrypt_block(p->crypto, m.k, m.opc, out) != 0)
        return play_fail(e, w->where[0], "AES fails");
    xor_block(out, m.opc);
    wr_put(ret, out, sizeof out);
    return 0;
}

#define FIELD(word, n, field)                                                                      \
    {                                                                                              \
        word, n, offsetof(struct vector, field), sizeof(((struct vector *)0)->field)               \
    }

/* milenage WHAT K OPC RAND [SQN [AMF]]; milenage opc K OP */
int play_compute_milenage(struct player *p, const struct play_arguments *w, struct wr *ret,
                          struct play_error *e)
{
    static const struct {
        const char *word;
        size_t n; /* arguments behind it */
        size_t offset, size;
    } kinds[] = { FIELD("res", 3, res),  FIELD("ck", 3, ck),       FIELD("ik", 3, ik),
                  FIELD("ak", 3, ak),    FIELD("mac-a", 5, mac_a), FIELD("autn", 5, autn),
                  FIELD("auts", 4, auts) };
    const char *what = w->n > 1 ? w->at[1] : "";
    struct milenage m;
    struct vector v;
    size_t i = 0;

    if (strcmp(what, "opc") == 0)
        return compute_opc(p, w, ret, e);
    while (i < N_ELEMS(kinds) && strcmp(kinds[i].word, what) != 0)
        i++;
    if (i == N_ELEMS(kinds))
        return play_fail(e, w->where[w->n > 1], "one of res, ck, ik, ak, mac-a, autn, auts, opc");
    TRY(read_milenage(w, kinds[i].n, &m, e));
    if (make_vector(p, &m, m.amf, &v) != 0)
        return play_fail(e, w->where[0], "AES fails");
    wr_put(ret, (const uint8_t *)&v + kinds[i].offset, kinds[i].size);
    return 0;
}

/* --- secured packets (TS 102 225 5.1) -------------------------------------------------------- */

struct packet_key {
    enum cipher_family family;
    uint8_t b[CIPHER_MAX_KEY];
    struct wr octets;
};

struct packet {
    uint8_t spi[2], indicators[2] /* KIc, KID */, tar[3], counter[5];
    struct packet_key kic, kid;
    struct wr data;
};

static int packet_word(const char *word, const char *where, struct packet *ret,
                       struct play_error *e)
{
    const struct {
        const char *name;
        uint8_t *p;
        size_t n;
    } fields[] = {
        { "spi", ret->spi, 2 }, { "kic", ret->indicators, 1 },  { "kid", ret->indicators + 1, 1 },
        { "tar", ret->tar, 3 }, { "counter", ret->counter, 5 },
    };
    struct wr field;
    const char *value;

    for (size_t i = 0; i < N_ELEMS(fields); i++) {
        if ((value = play_word_value(word, fields[i].name)) == NULL)
            continue;
        wr_init(&field, fields[i].p, fields[i].n);
        return hex_read(value, &field) && field.n == fields[i].n
                   ? 0
                   : play_fail(e, where, "%s: %zu octets in hex", fields[i].name, fields[i].n);
    }
    if ((value = play_word_value(word, "kic-key")) != NULL && hex_read(value, &ret->kic.octets))
        return 0;
    if ((value = play_word_value(word, "kid-key")) != NULL && hex_read(value, &ret->kid.octets))
        return 0;
    if (hex_read(word, &ret->data))
        return 0;
    return play_fail(e, where, "not understood of a packet: %.60s", word);
}

/* b2 b1 of KIc and KID: 01 DES, 10 AES (TS 102 225 5.1.2). */
static enum cipher_family family_of(uint8_t indicator)
{
    return (indicator & 3) == 2 ? CIPHER_AES : CIPHER_DES;
}

/* Command header up to CNTR, PCNTR, integrity, data and padding, in the clear. */
static int put_packet(struct player *p, const struct packet *k, struct wr *ret)
{
    uint8_t mac[CIPHER_MAX_BLOCK];
    bool ciphered = (k->spi[0] & 4) != 0, checked = (k->spi[0] & 3) == 2;
    size_t cc = checked ? 8 : 0, n = 6 + cc + k->data.n;
    size_t block = cipher_block(k->kic.family);
    size_t padding = ciphered ? (block - n % block) % block : 0;
    size_t length = 1 + 7 + n + padding; /* CHL, SPI to TAR */
    static const uint8_t zeros[CIPHER_MAX_BLOCK];

    const uint8_t head[] = {
        (uint8_t)(length >> 8), (uint8_t)length,  (uint8_t)(13 + cc), k->spi[0],     k->spi[1],
        k->indicators[0],       k->indicators[1], k->tar[0],          k->tar[1],     k->tar[2],
        k->counter[0],          k->counter[1],    k->counter[2],      k->counter[3], k->counter[4],
        (uint8_t)padding
    };
    const struct rd parts[] = { rd_of(head, sizeof head), wr_view(&k->data),
                                rd_of(zeros, padding) };
    wr_put(ret, head, sizeof head);
    if (checked) {
        TRY(cipher_mac(p->crypto, k->kid.family, wr_view(&k->kid.octets), parts, N_ELEMS(parts),
                       mac));
        wr_put(ret, mac, cc);
    }
    wr_put_rd(ret, wr_view(&k->data));
    wr_put(ret, zeros, padding);
    return wr_failed(ret);
}

/* scp80 spi= kic= kid= tar= counter= kic-key= kid-key= OCTETS */
int play_compute_scp80(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    enum { FROM_COUNTER = 10 };
    static const uint8_t iv[CIPHER_MAX_BLOCK];
    struct packet k = { .tar = { 0 } };
    size_t begin = ret->n;

    wr_init(&k.kic.octets, k.kic.b, sizeof k.kic.b);
    wr_init(&k.kid.octets, k.kid.b, sizeof k.kid.b);
    wr_init_heap(&k.data, PACKET_MAX);
    int r = 0;
    for (size_t i = 1; i < w->n && r == 0; i++)
        r = packet_word(w->at[i], w->where[i], &k, e);
    k.kic.family = family_of(k.indicators[0]);
    k.kid.family = family_of(k.indicators[1]);
    if (r == 0 && put_packet(p, &k, ret) != 0)
        r = play_fail(e, w->where[0], "kid-key does not fit");
    uint8_t *secret = r == 0 ? ret->p + begin + FROM_COUNTER : NULL;
    if (r == 0 && (k.spi[0] & 4) != 0 &&
        cipher_cbc(p->crypto, k.kic.family, wr_view(&k.kic.octets), true, iv, secret,
                   ret->n - begin - FROM_COUNTER, secret) != 0)
        r = play_fail(e, w->where[0], "kic-key does not fit");
    wr_done(&k.data);
    return r;
}

/* sms-pp OCTETS: SMS-PP download (TS 31.111 7.1.1), one short message with the packet. */
int play_compute_sms_pp(struct player *p, const struct play_arguments *w, struct wr *ret,
                        struct play_error *e)
{
    static const uint8_t devices[] = { 0x83, 0x81 };
    static const uint8_t udh[] = { 0x02, 0x70, 0x00 };
    /* SMS-DELIVER, UDHI, from 12345; PID 7F, DCS F6; 1 January 2026 */
    static const uint8_t deliver[] = { 0x44, 0x05, 0x81, 0x21, 0x43, 0xF5, 0x7F, 0xF6,
                                       0x62, 0x10, 0x10, 0x00, 0x00, 0x00, 0x00 };
    struct wr data;

    (void)p;
    wr_init_heap(&data, PACKET_MAX);
    int r = play_words_octets(w, 1, w->n, &data, e);
    if (r == 0 && data.n + sizeof udh > SMS_MAX)
        r = play_fail(e, w->where[1], "more than one short message holds");
    if (r == 0) {
        struct wr_mark outer = tlv_open(ret, 0xD1);
        tlv_put(ret, 0x82, rd_of(devices, sizeof devices));
        struct wr_mark tpdu = tlv_open(ret, 0x8B);
        wr_put(ret, deliver, sizeof deliver);
        wr_put_u8(ret, (uint8_t)(data.n + sizeof udh));
        wr_put(ret, udh, sizeof udh);
        wr_put_rd(ret, wr_view(&data));
        tlv_close(ret, tpdu);
        tlv_close(ret, outer);
    }
    wr_done(&data);
    return r;
}

/* --- SUCI (TS 33.501 C.3) -------------------------------------------------------------------- */

enum { SUCI_MAC = 8, SUCI_KEYS = 64 };

static int shared_secret(struct player *p, bool profile_a, const uint8_t key[EC_COORD_LEN],
                         struct rd theirs, uint8_t ret[EC_COORD_LEN])
{
    struct ec_key *mine = NULL;
    struct ec_pub *other = NULL;

    if (profile_a)
        return x25519(p->crypto, key, theirs.p, ret);
    int r = ec_key_from_number(p->crypto, CURVE_P256, rd_of(key, EC_COORD_LEN), &mine);
    if (r == 0)
        r = ec_pub_from_compressed(p->crypto, CURVE_P256, theirs, &other);
    if (r == 0)
        r = ecka(p->crypto, mine, other, ret);
    ec_pub_free(&other);
    ec_key_free(&mine);
    return r;
}

static int open_suci(struct player *p, bool profile_a, const uint8_t key[EC_COORD_LEN],
                     struct rd in, struct wr *ret)
{
    uint8_t secret[EC_COORD_LEN], keys[SUCI_KEYS], mac[SHA256_LEN];
    struct rd ephemeral, hidden;

    TRY(rd_take(&in, profile_a ? X25519_LEN : EC_COMPRESSED_LEN, &ephemeral));
    TRY(in.n > SUCI_MAC ? rd_take(&in, in.n - SUCI_MAC, &hidden) : ERR_INPUT);
    TRY(shared_secret(p, profile_a, key, ephemeral, secret));
    TRY(kdf_x963(p->crypto, rd_of(secret, sizeof secret), ephemeral, keys, sizeof keys));
    TRY(hmac_sha256(p->crypto, rd_of(keys + 32, 32), hidden, mac));
    if (!crypto_equal(mac, in.p, SUCI_MAC))
        return ERR_INPUT;
    uint8_t *plain = wr_reserve(ret, hidden.n);
    return plain == NULL ? ERR_NOMEM
                         : aes128_ctr(p->crypto, keys, keys + 16, hidden.p, hidden.n, plain);
}

/* suci-open a|b KEY OUTPUT */
int play_compute_suci(struct player *p, const struct play_arguments *w, struct wr *ret,
                      struct play_error *e)
{
    uint8_t room[EC_COORD_LEN];
    struct wr key, output;

    if (w->n < 2 || (strcmp(w->at[1], "a") != 0 && strcmp(w->at[1], "b") != 0))
        return play_fail(e, w->where[w->n > 1], "suci-open a|b KEY OUTPUT");
    wr_init(&key, room, sizeof room);
    TRY(play_word_octets(w, 2, sizeof room, &key, e));
    wr_init_heap(&output, PACKET_MAX);
    int r = play_words_octets(w, 3, w->n, &output, e);
    if (r == 0 && open_suci(p, w->at[1][0] == 'a', room, wr_view(&output), ret) != 0)
        r = play_fail(e, w->where[w->n > 3 ? 3 : w->n], "the scheme output does not open");
    wr_done(&output);
    return r;
}
