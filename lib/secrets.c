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
    INS_READ_BINARY = 0xB0,
    INS_UPDATE_BINARY = 0xD6,
    SFI_IN_P1 = 0x80,
    SW_LEN = 2,
};

/* Transparent EFs that hold keys: TS 31.102 4.2.3, 4.2.4, 4.4.3.2, 4.4.11.4. */
static const struct {
    uint16_t fid;
    uint8_t sfi;
} key_files[] = { { 0x6F08, 0x08 }, { 0x6F09, 0x09 }, { 0x4F20, 0x01 }, { 0x4F05, 0x05 } };

static bool is_pin_command(uint8_t ins)
{
    return ins == INS_VERIFY || ins == INS_CHANGE_PIN || ins == INS_DISABLE_PIN ||
           ins == INS_ENABLE_PIN || ins == INS_UNBLOCK_PIN;
}

static bool stands_at_keys(const struct euicc *e, uint8_t channel)
{
    const struct session *s = e->sessions[channel];

    if (s == NULL || s->files.mount != e->uicc.mount || s->files.ef >= e->uicc.fs.n)
        return false;
    for (size_t i = 0; i < N_ELEMS(key_files); i++)
        if (e->uicc.fs.nodes[s->files.ef].fid == key_files[i].fid)
            return true;
    return false;
}

/* Rather too much than too little: whatever the SFI names here. */
static bool writes_keys(const struct euicc *e, uint8_t channel, const struct apdu *a)
{
    if (a->ins != INS_UPDATE_BINARY)
        return false;
    if (!(a->p1 & SFI_IN_P1))
        return stands_at_keys(e, channel);
    for (size_t i = 0; i < N_ELEMS(key_files); i++)
        if ((a->p1 & ~(unsigned)SFI_IN_P1) == key_files[i].sfi)
            return true;
    return false;
}

void secrets_of_command(struct secrets *s, const struct euicc *e, const uint8_t *command, size_t n,
                        size_t *ret_from, size_t *ret_n)
{
    struct apdu a;
    struct cla cla;

    *ret_from = *ret_n = 0;
    s->answer = false;
    s->ins = 0;
    if (apdu_parse(command, n, &a) != SW_OK || cla_parse(a.cla, &cla) != SW_OK)
        return;
    s->channel = cla.channel;
    s->ins = a.ins;
    if (a.ins == INS_GET_RESPONSE)
        s->answer = s->rest[cla.channel];
    else
        s->answer = a.ins == INS_AUTHENTICATE;
    if (a.lc > 0 && (is_pin_command(a.ins) || writes_keys(e, cla.channel, &a))) {
        *ret_from = (size_t)(a.data - command);
        *ret_n = a.lc;
    }
}

size_t secrets_of_response(struct secrets *s, const struct euicc *e, size_t n)
{
    if (s->ins == INS_READ_BINARY && stands_at_keys(e, s->channel))
        s->answer = true;
    s->rest[s->channel] = s->answer;
    return s->answer && n > SW_LEN ? n - SW_LEN : 0;
}
