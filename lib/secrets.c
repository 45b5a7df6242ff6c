/* secrets.c - what does not go into a trace. */
#include "lib/secrets.h"

#include "card/apdu.h"

enum {
    INS_VERIFY = 0x20,
    INS_CHANGE_PIN = 0x24,
    INS_DISABLE_PIN = 0x26,
    INS_ENABLE_PIN = 0x28,
    INS_UNBLOCK_PIN = 0x2C,
    INS_AUTHENTICATE = 0x88,
    INS_SEARCH_RECORD = 0xA2,
    INS_READ_BINARY = 0xB0,
    INS_READ_RECORD = 0xB2,
    INS_UPDATE_BINARY = 0xD6,
    INS_PUT_KEY = 0xD8,
    INS_UPDATE_RECORD = 0xDC,
    SFI_IN_P1 = 0x80, /* of commands to transparent EFs; the others have it in P2 */
    SFI_SHIFT = 3,
    SW_LEN = 2,
    DF_GSM_ACCESS = 0x5F3B,
    DF_GSM = 0x7F20,
    DF_5GS = 0x5FC0,
};

/* EFs that hold keys, and the DF that they are in where their FID alone does not say it. */
static const struct {
    uint16_t fid, df;
    uint8_t sfi;
} key_files[] = {
    { 0x6F08, 0, 0x08 },             /* EF.Keys, TS 31.102 4.2.3 */
    { 0x6F09, 0, 0x09 },             /* EF.KeysPS, 4.2.4 */
    { 0x6FE4, 0, 0x18 },             /* EF.EPSNSC, 4.2.92 */
    { 0x4F20, DF_GSM_ACCESS, 0x01 }, /* EF.Kc, 4.4.3.1 */
    { 0x4F52, DF_GSM_ACCESS, 0x02 }, /* EF.KcGPRS, 4.4.3.2 */
    { 0x6F20, DF_GSM, 0 },           /* EF.Kc, TS 51.011 10.3.3 */
    { 0x6F52, DF_GSM, 0 },           /* EF.KcGPRS, 10.3.31 */
    { 0x4F03, DF_5GS, 0x03 },        /* EF.5GS3GPPNSC, TS 31.102 4.4.11.4 */
    { 0x4F04, DF_5GS, 0x04 },        /* EF.5GSN3GPPNSC, 4.4.11.5 */
    { 0x4F05, DF_5GS, 0x05 },        /* EF.5GAUTHKEYS, 4.4.11.6 */
};

/* PINs, PUKs and keys: all of their data. */
static bool brings_secrets(uint8_t ins)
{
    return ins == INS_VERIFY || ins == INS_CHANGE_PIN || ins == INS_DISABLE_PIN ||
           ins == INS_ENABLE_PIN || ins == INS_UNBLOCK_PIN || ins == INS_PUT_KEY;
}

static bool reads(uint8_t ins)
{
    return ins == INS_READ_BINARY || ins == INS_READ_RECORD;
}

static bool updates(uint8_t ins)
{
    return ins == INS_UPDATE_BINARY || ins == INS_UPDATE_RECORD;
}

static bool is_key_file(const struct fs *fs, const struct fs_node *ef)
{
    for (size_t i = 0; i < N_ELEMS(key_files); i++)
        if (ef->fid == key_files[i].fid &&
            (key_files[i].df == 0 || fs->nodes[ef->parent].fid == key_files[i].df))
            return true;
    return false;
}

static bool stands_at_keys(const struct euicc *e, uint8_t channel)
{
    const struct session *s = e->sessions[channel];
    const struct fs *fs = &e->uicc.fs;

    return s != NULL && s->files.mount == e->uicc.mount && s->files.ef < fs->n &&
           is_key_file(fs, &fs->nodes[s->files.ef]);
}

/* Rather too much than too little: whatever the SFI names here. */
static bool writes_keys(const struct euicc *e, uint8_t channel, const struct apdu *a)
{
    unsigned sfi = 0;

    if (!updates(a->ins) && a->ins != INS_SEARCH_RECORD)
        return false;
    if (a->ins != INS_UPDATE_BINARY)
        sfi = a->p2 >> SFI_SHIFT;
    else if (a->p1 & SFI_IN_P1)
        sfi = a->p1 & ~(unsigned)SFI_IN_P1;
    if (sfi == 0)
        return stands_at_keys(e, channel);
    for (size_t i = 0; i < N_ELEMS(key_files); i++)
        if (key_files[i].sfi == sfi)
            return true;
    return false;
}

/* What GET RESPONSE would give on the channel of the command that runs. */
static struct rd waiting(const struct secrets *s, const struct euicc *e)
{
    const struct session *on = s->channel < CHANNEL_COUNT ? e->sessions[s->channel] : NULL;

    if (on == NULL || on->chain.out.p == NULL)
        return rd_of(NULL, 0);
    return rd_of(on->chain.out.p + on->chain.out.at, on->chain.out.n - on->chain.out.at);
}

static void of_data(const struct euicc *e, uint8_t channel, const struct apdu *a,
                    const uint8_t *command, size_t *ret_from, size_t *ret_n)
{
    if (a->lc == 0 || !(brings_secrets(a->ins) || writes_keys(e, channel, a)))
        return;
    *ret_from = (size_t)(a->data - command);
    *ret_n = a->lc;
}

/* It will be refused, and holds a PIN or a key all the same. */
static void of_malformed(const uint8_t *command, size_t n, size_t *ret_from, size_t *ret_n)
{
    if (n <= APDU_HEADER_LEN || !(brings_secrets(command[1]) || updates(command[1])))
        return;
    *ret_from = APDU_HEADER_LEN;
    *ret_n = n - APDU_HEADER_LEN;
}

void secrets_of_command(struct secrets *s, const struct euicc *e, const uint8_t *command, size_t n,
                        size_t *ret_from, size_t *ret_n)
{
    struct apdu a;
    struct cla cla;

    *ret_from = *ret_n = 0;
    s->answer = false;
    s->ins = 0;
    s->channel = CHANNEL_COUNT;
    if (n > 0 && cla_parse(command[0], &cla) == SW_OK)
        s->channel = cla.channel;
    s->waited = waiting(s, e);
    if (s->channel == CHANNEL_COUNT || apdu_parse(command, n, &a) != SW_OK) {
        of_malformed(command, n, ret_from, ret_n);
        return;
    }
    s->ins = a.ins;
    s->answer =
        a.ins == INS_GET_RESPONSE ? s->rest[s->channel] : (a.ins & 0xFE) == INS_AUTHENTICATE;
    of_data(e, s->channel, &a, command, ret_from, ret_n);
}

size_t secrets_of_response(struct secrets *s, const struct euicc *e, size_t n)
{
    if (s->channel == CHANNEL_COUNT)
        return 0;
    if (reads(s->ins) && stands_at_keys(e, s->channel))
        s->answer = true;
    /* What waited before may wait still: the card refused the command, or never saw it. */
    struct rd waits = waiting(s, e);
    bool is_old = waits.p == s->waited.p && waits.n == s->waited.n;
    bool was_secret = s->ins != INS_GET_RESPONSE && is_old && s->rest[s->channel];
    s->rest[s->channel] = waits.n > 0 && (s->answer || was_secret);
    return s->answer && n > SW_LEN ? n - SW_LEN : 0;
}
