/* secure_channel.c - a secure channel with a security domain.
 *
 * Key versions 20 to 2F are for SCP02, 30 to 3F for SCP03 (GlobalPlatform UICC Configuration), with
 * the options that the domain's installation parameters name.  Any failure ends the channel; there
 * is no counter of failures, as the challenges change with each attempt.
 *
 * State: in the session block of the channel's selection; the sequence counter of each key version
 * is kept as that of SCP80 is. */
#include "applets/ota/secure_channel.h"

#include <stdlib.h>
#include <string.h>

#include "applets/ota/mno_sd.h"

enum {
    PROTOCOL_2 = 2,
    PROTOCOL_3 = 3,
    KVN_SCP02_FIRST = 0x20,
    KVN_SCP03_FIRST = 0x30,
    KVN_SCP03_LAST = 0x3F,

    SCP02_OPTION = 0x55,
    SCP03_OPTION = 0x70,
    SCP03_PSEUDO_RANDOM = 0x10,
    SCP03_R_MAC = 0x20,
    SCP03_R_ENC = 0x40, /* with R-MAC only */

    SCP02_COUNTER_MAX = 0xFFFF,
    SCP03_COUNTER_MAX = 0xFFFFFF,
    DIVERSIFICATION_LEN = 10,
    INS_EXTERNAL_AUTHENTICATE = 0x82,

    SW_NOT_AUTHENTICATED = 0x6300, /* GlobalPlatform E.5.2.7: the host cryptogram is wrong */
};

static int refuse(const struct session *s, const char *command, int sw, const char *why)
{
    trace_check(&s->euicc->trace, "%s: %s: %s (GlobalPlatform 10, annex E, Amendment D)", command,
                why, sw_text((uint16_t)sw));
    return sw;
}

static struct secure_channel *channel_of(const struct session *s)
{
    struct sd_session *is = session_data(s);

    return &is->channel;
}

void secure_channel_end(struct secure_channel *c)
{
    if (c->plain != NULL)
        crypto_wipe(c->plain, c->plain_size);
    free(c->plain);
    crypto_wipe(c, sizeof *c);
    memset(c, 0, sizeof *c);
}

/* What the channel proved goes with it. */
static void end(struct session *s)
{
    struct sd_session *is = session_data(s);

    secure_channel_end(&is->channel);
    is->version = 0;
}

bool secure_channel_covers(const struct secure_channel *c, unsigned long command)
{
    return c->state != CHANNEL_SECURE || !(c->level & SCP_C_MAC) || c->secured_command == command;
}

/* --- INITIALIZE UPDATE ------------------------------------------------------------------------ */

/* What INITIALIZE UPDATE works with; static keys, so that it is wiped. */
struct opening {
    struct session *s;
    struct sd sd;
    const uint8_t *host;
    struct scp80_key enc, mac, dek;
    struct secure_channel *channel;
};

static bool is_ours(uint8_t version)
{
    return version >= KVN_SCP02_FIRST && version <= KVN_SCP03_LAST;
}

/* 0 names the first that there is. */
static int choose_version(struct opening *o, uint8_t asked, uint8_t *ret)
{
    struct sd_key_object k;
    struct wr keys;

    *ret = is_ours(asked) ? asked : 0;
    if (asked != 0)
        return 0;
    sd_keys_init(&keys);
    int err = sd_keys(o->s->euicc, &o->sd, &keys);
    for (struct rd in = wr_view(&keys); err == 0 && *ret == 0 && sd_next_key(&in, &k);)
        if (is_ours(k.version))
            *ret = k.version;
    sd_keys_done(&keys);
    return err;
}

static int load_keys(struct opening *o, uint8_t version)
{
    struct euicc *e = o->s->euicc;

    TRY(sd_key(e, &o->sd, version, KID_ENC, &o->enc));
    TRY(sd_key(e, &o->sd, version, KID_MAC, &o->mac));
    TRY(sd_key(e, &o->sd, version, KID_DEK, &o->dek));
    if (version == 0 || o->enc.n == 0 || o->mac.n == 0)
        return refuse(o->s, "INITIALIZE UPDATE", SW_REFERENCE_NOT_FOUND,
                      "there are no keys of this version for a secure channel");
    return 0;
}

static bool option_is_supported(uint8_t protocol, uint8_t option)
{
    if (protocol == PROTOCOL_2)
        return option == SCP02_OPTION;
    return (option & ~(SCP03_PSEUDO_RANDOM | SCP03_R_MAC | SCP03_R_ENC)) == 0 &&
           (!(option & SCP03_R_ENC) || (option & SCP03_R_MAC));
}

/* The counter goes up before it is used, so that no challenge comes twice. */
static int challenge_3(struct opening *o, uint32_t *ret_counter, uint8_t ret[SCP_CHALLENGE_LEN])
{
    struct euicc *e = o->s->euicc;
    uint64_t counter;

    if (!(o->channel->option & SCP03_PSEUDO_RANDOM))
        return crypto_random(e->crypto, ret, SCP_CHALLENGE_LEN);
    TRY(sd_counter(e, &o->sd, o->channel->version, &counter));
    if (counter >= SCP03_COUNTER_MAX)
        return refuse(o->s, "INITIALIZE UPDATE", SW_CONDITIONS_OF_USE,
                      "the sequence counter is at its end");
    TRY(sd_set_counter(e, &o->sd, o->channel->version, ++counter));
    *ret_counter = (uint32_t)counter;
    return scp03_challenge(e->crypto, &o->enc, *ret_counter, o->sd.aid, ret);
}

static int open_3(struct opening *o, struct wr *rsp)
{
    struct secure_channel *c = o->channel;
    uint8_t challenge[SCP_CHALLENGE_LEN];
    uint32_t counter = 0;

    TRY(challenge_3(o, &counter, challenge));
    int err = scp03_begin(o->s->euicc->crypto, &o->enc, &o->mac, o->host, challenge, &c->scp03);
    if (err == ERR_INPUT)
        return refuse(o->s, "INITIALIZE UPDATE", SW_CONDITIONS_OF_USE,
                      "the keys are not AES keys of one length");
    TRY(err);
    wr_put_u8(rsp, c->option);
    wr_put(rsp, challenge, sizeof challenge);
    wr_put(rsp, c->scp03.card_cryptogram, SCP_CRYPTOGRAM_LEN);
    if (c->option & SCP03_PSEUDO_RANDOM)
        for (int i = SCP03_COUNTER_LEN - 1; i >= 0; i--)
            wr_put_u8(rsp, (uint8_t)(counter >> 8 * i));
    return 0;
}

/* Its counter goes up when the host's first MAC is right (E.1.2). */
static int open_2(struct opening *o, struct wr *rsp)
{
    struct crypto *crypto = o->s->euicc->crypto;
    struct secure_channel *c = o->channel;
    uint8_t challenge[SCP02_CHALLENGE_LEN];
    uint64_t counter;

    TRY(sd_counter(o->s->euicc, &o->sd, c->version, &counter));
    if (counter >= SCP02_COUNTER_MAX)
        return refuse(o->s, "INITIALIZE UPDATE", SW_CONDITIONS_OF_USE,
                      "the sequence counter is at its end");
    c->counter = (uint16_t)counter;
    int err = scp02_keys(crypto, &o->enc, &o->mac, &o->dek, c->counter, &c->scp02);
    if (err == ERR_INPUT)
        return refuse(o->s, "INITIALIZE UPDATE", SW_CONDITIONS_OF_USE,
                      "the keys are not triple DES keys of 16 octets");
    TRY(err);
    TRY(scp02_challenge(crypto, &c->scp02, o->sd.aid, challenge));
    TRY(scp02_begin(crypto, &c->scp02, c->counter, o->host, challenge));
    wr_put_u8(rsp, (uint8_t)(counter >> 8));
    wr_put_u8(rsp, (uint8_t)counter);
    wr_put(rsp, challenge, sizeof challenge);
    wr_put(rsp, c->scp02.card_cryptogram, SCP_CRYPTOGRAM_LEN);
    return 0;
}

static int open_channel(struct opening *o, uint8_t asked, struct wr *rsp)
{
    static const uint8_t diversification[DIVERSIFICATION_LEN];
    struct secure_channel *c = o->channel;

    TRY(choose_version(o, asked, &c->version));
    TRY(load_keys(o, c->version));
    c->protocol = c->version < KVN_SCP03_FIRST ? PROTOCOL_2 : PROTOCOL_3;
    c->option =
        sd_scp_option(&o->sd, c->protocol, c->protocol == PROTOCOL_2 ? SCP02_OPTION : SCP03_OPTION);
    if (!option_is_supported(c->protocol, c->option))
        return refuse(o->s, "INITIALIZE UPDATE", SW_CONDITIONS_OF_USE,
                      "the domain's option of the protocol is not supported");
    wr_put(rsp, diversification, sizeof diversification);
    wr_put_u8(rsp, c->version);
    wr_put_u8(rsp, c->protocol);
    TRY(c->protocol == PROTOCOL_2 ? open_2(o, rsp) : open_3(o, rsp));
    c->state = CHANNEL_STARTED;
    return 0;
}

int secure_channel_initialize(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct opening o = { .s = s, .host = a->data, .channel = channel_of(s) };

    end(s);
    if (a->p2 != 0)
        return refuse(s, "INITIALIZE UPDATE", SW_WRONG_P1P2, "P2 is not 00");
    if (a->lc != SCP_CHALLENGE_LEN)
        return refuse(s, "INITIALIZE UPDATE", SW_WRONG_LENGTH, "no challenge of eight octets");
    TRY(sd_selected(s, &o.sd));
    int result = open_channel(&o, a->p1, rsp);
    sd_done(&o.sd);
    crypto_wipe(&o, sizeof o);
    if (result != 0)
        end(s);
    return result;
}

/* --- under a MAC ------------------------------------------------------------------------------ */

/* Opens a's data in place of a copy; its data then points there. */
static int unwrap(struct session *s, uint8_t level, struct apdu *a)
{
    struct secure_channel *c = channel_of(s);
    struct crypto *crypto = s->euicc->crypto;
    size_t n = 0;

    if (a->lc > c->plain_size) {
        free(c->plain);
        c->plain = malloc(a->lc);
        c->plain_size = c->plain != NULL ? a->lc : 0;
        if (c->plain == NULL)
            return ERR_NOMEM;
    }
    if (a->lc > 0)
        memcpy(c->plain, a->data, a->lc);
    TRY(c->protocol == PROTOCOL_2 ? scp02_unwrap(crypto, &c->scp02, level, a, c->plain, &n)
                                  : scp03_unwrap(crypto, &c->scp03, level, a, c->plain, &n));
    a->data = c->plain;
    a->lc = n;
    return 0;
}

int secure_channel_unwrap(struct session *s, struct apdu *a)
{
    struct secure_channel *c = channel_of(s);

    if (c->state == CHANNEL_STARTED && a->ins == INS_EXTERNAL_AUTHENTICATE) {
        c->secured_command = s->commands; /* the handler opens it: the cryptogram comes first */
        return 0;
    }
    if (c->state != CHANNEL_SECURE || !(c->level & SCP_C_MAC))
        return refuse(s, "secure messaging", SW_CONDITIONS_OF_USE, "there is no channel for it");
    int result = unwrap(s, c->level, a);
    if (result == 0)
        c->secured_command = s->commands;
    else
        end(s);
    return result == SW_WRONG_SM_OBJECTS
               ? refuse(s, "secure messaging", result, "the MAC or the padding is wrong")
               : result;
}

int secure_channel_wrap(struct session *s, uint16_t sw, struct wr *rsp)
{
    const struct secure_channel *c = channel_of(s);

    if (c->state != CHANNEL_SECURE || c->protocol != PROTOCOL_3 ||
        c->secured_command != s->commands)
        return 0;
    return scp03_wrap(s->euicc->crypto, &c->scp03, c->level, sw, rsp);
}

/* --- EXTERNAL AUTHENTICATE -------------------------------------------------------------------- */

static bool level_is_supported(const struct secure_channel *c, uint8_t level)
{
    bool r_mac = c->protocol == PROTOCOL_3 && (c->option & SCP03_R_MAC);
    bool r_enc = r_mac && (c->option & SCP03_R_ENC);

    switch (level) {
    case 0:
    case SCP_C_MAC:
    case SCP_C_MAC | SCP_C_ENC:
        return true;
    case SCP_C_MAC | SCP_R_MAC:
    case SCP_C_MAC | SCP_C_ENC | SCP_R_MAC:
        return r_mac;
    case SCP_C_MAC | SCP_C_ENC | SCP_R_MAC | SCP_R_ENC:
        return r_enc;
    default:
        return false;
    }
}

static int count_2(struct session *s)
{
    struct secure_channel *c = channel_of(s);
    struct sd sd;

    TRY(sd_selected(s, &sd));
    int err = sd_set_counter(s->euicc, &sd, c->version, (uint64_t)c->counter + 1);
    sd_done(&sd);
    return err;
}

static int authenticate(struct session *s, const struct apdu *command)
{
    static const char name[] = "EXTERNAL AUTHENTICATE";
    struct secure_channel *c = channel_of(s);
    const uint8_t *expected =
        c->protocol == PROTOCOL_2 ? c->scp02.host_cryptogram : c->scp03.host_cryptogram;
    struct apdu a = *command;

    if (c->state != CHANNEL_STARTED)
        return refuse(s, name, SW_CONDITIONS_OF_USE, "no INITIALIZE UPDATE came before it");
    if (c->secured_command != s->commands)
        return refuse(s, name, SW_SECURITY_STATUS, "it is not under secure messaging");
    if (a.p2 != 0 || !level_is_supported(c, a.p1))
        return refuse(s, name, SW_WRONG_P1P2, "this security level is not supported");
    if (a.lc != SCP_CRYPTOGRAM_LEN + SCP_MAC_LEN)
        return refuse(s, name, SW_WRONG_LENGTH, "no cryptogram and MAC");
    if (!crypto_equal(a.data, expected, SCP_CRYPTOGRAM_LEN))
        return refuse(s, name, SW_NOT_AUTHENTICATED, "the host cryptogram is wrong");
    int result = unwrap(s, SCP_C_MAC, &a);
    if (result == SW_WRONG_SM_OBJECTS)
        return refuse(s, name, result, "the MAC is wrong");
    TRY(result);
    return c->protocol == PROTOCOL_2 ? count_2(s) : 0;
}

int secure_channel_authenticate(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct sd_session *is = session_data(s);

    (void)rsp;
    int result = authenticate(s, a);
    if (result != 0) {
        end(s);
        return result;
    }
    is->channel.secured_command = 0; /* its own answer has no MAC */
    is->channel.level = a->p1;
    is->channel.state = CHANNEL_SECURE;
    is->version = is->channel.version;
    trace_note(&s->euicc->trace, "a secure channel with key version %02X, level %02X", is->version,
               a->p1);
    return 0;
}
