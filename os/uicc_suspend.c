/* uicc_suspend.c - SUSPEND UICC (TS 102 221 11.1.22): the power may go, and the terminal comes back
 * to where it was.
 *
 * What is kept lives in memory beside the volatile state: it outlives the power, not the process.
 * It belongs to the very next command after the power comes back; any other command, before or
 * after, forgets it, and the card starts as after any reset. */
#include <string.h>

#include "os/bip.h"
#include "os/crypto.h"
#include "os/euicc.h"
#include "os/uicc.h"

enum {
    P1_SUSPEND = 0x00,
    P1_RESUME = 0x01,
    DURATIONS_LEN = 4, /* least and most, a unit and a number each */
    LAST_UNIT = 0x04,  /* seconds, minutes, hours, days, ten days */
};

/* EF.UMPC says whether a UICC can be suspended (TS 102 221 13.6). */
static int announces_suspension(struct euicc *e, bool *ret)
{
    static const uint8_t umpc[] = { 0x2F, 0x08 };
    enum { INFORMATION = 2, SUSPENSION = 0x02 };
    const struct fs *fs = &e->uicc.fs;
    uint8_t octet = 0;
    struct wr w;

    *ret = false;
    uint16_t node =
        uicc_has_files(&e->uicc) ? fs_path(fs, FS_MF, rd_of(umpc, sizeof umpc)) : FS_NONE;
    if (node == FS_NONE || fs->nodes[node].kind != FS_KIND_TRANSPARENT ||
        fs->nodes[node].size <= INFORMATION)
        return 0;
    wr_init(&w, &octet, sizeof octet);
    TRY(fs_read(fs, e->nvm, node, INFORMATION, 1, &w));
    *ret = octet & SUSPENSION;
    return 0;
}

/* Seconds of a unit and a number; false for a unit that is none. */
static bool seconds_of(const uint8_t duration[2], uint64_t *ret)
{
    static const uint32_t units[LAST_UNIT + 1] = { 1, 60, 3600, 86400, 864000 };

    if (duration[0] > LAST_UNIT)
        return false;
    *ret = (uint64_t)units[duration[0]] * duration[1];
    return true;
}

static void keep_channels(const struct euicc *e, struct suspension *kept)
{
    kept->channels = e->channels;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        const struct session *s = e->sessions[i];
        kept->stands[i].used = s != NULL;
        if (s == NULL)
            continue;
        kept->stands[i].applet =
            s->selected != NULL && !s->selected->serves_adfs ? s->selected : NULL;
        kept->stands[i].files = s->files;
    }
}

static int suspend(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct suspension *kept = &e->suspension;
    uint64_t least, most;

    if (a->lc != DURATIONS_LEN)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "two durations are four octets");
    if (!seconds_of(a->data, &least) || !seconds_of(a->data + 2, &most) || least > most)
        return uicc_refuse(s, a, SW_WRONG_DATA, "a duration is none, or the least is the longer");
    if (euicc_cat_is_busy(e))
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "a proactive command is not finished");
    if (bip_is_used(&e->cat))
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "a channel of the terminal is open");
    *kept = (struct suspension){ .profile = e->uicc.mounted,
                                 .pins = e->uicc.pins,
                                 .terminal = e->cat.terminal };
    TRY(crypto_random(e->crypto, kept->token, sizeof kept->token));
    keep_channels(e, kept);
    memcpy(kept->capability, e->terminal_capability, sizeof kept->capability);
    kept->capability_len = e->terminal_capability_len;
    kept->state = SUSPENSION_ASKED; /* not before there is a token */
    wr_put(rsp, a->data + 2, 2);    /* as long as the terminal likes */
    wr_put(rsp, kept->token, sizeof kept->token);
    return 0;
}

/* One channel stands again where it stood. */
static int go_back(struct euicc *e, uint8_t channel, const struct suspension *kept)
{
    const struct file_state *files = &kept->stands[channel].files;
    uint8_t octets[256];
    struct wr fci;

    if (e->sessions[channel] == NULL)
        e->sessions[channel] = session_new(e, channel);
    struct session *s = e->sessions[channel];
    if (s == NULL)
        return ERR_NOMEM;
    wr_init(&fci, octets, sizeof octets); /* told when it was selected, not again */
    if (kept->stands[channel].applet != NULL)
        return uicc_go_to_applet(s, kept->stands[channel].applet, &fci);
    uicc_go_home(s);
    if (files->adf != FS_NONE)
        TRY(uicc_go(s, files->adf, true));
    TRY(uicc_go(s, files->df, false));
    if (files->ef != FS_NONE)
        TRY(uicc_go(s, files->ef, false));
    s->files.record = files->record;
    return 0;
}

static int resume(struct session *s, const struct apdu *a)
{
    struct euicc *e = s->euicc;
    const struct suspension kept = e->suspension;

    e->suspension.state = SUSPENSION_NONE; /* one attempt */
    if (a->lc != sizeof kept.token)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "the token has eight octets");
    if (kept.state != SUSPENSION_POWERED || kept.profile != e->uicc.mounted)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "nothing is suspended");
    if (!crypto_equal(a->data, kept.token, sizeof kept.token))
        return uicc_refuse(s, a, SW_SECURITY_STATUS, "the token is another one");
    e->uicc.pins = kept.pins;
    e->channels = kept.channels;
    memcpy(e->terminal_capability, kept.capability, sizeof kept.capability);
    e->terminal_capability_len = kept.capability_len;
    for (uint8_t i = 0; i < CHANNEL_COUNT; i++)
        if (kept.stands[i].used)
            TRY(go_back(e, i, &kept));
    return cat_resume(e, &kept.terminal);
}

int uicc_suspend(struct session *s, const struct apdu *a, struct wr *rsp)
{
    bool announced;

    TRY(announces_suspension(s->euicc, &announced));
    if (!announced)
        return uicc_refuse(s, a, SW_INS_NOT_SUPPORTED, "EF.UMPC announces no suspension");
    if (a->p2 != 0)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P2 is not 00");
    if (a->p1 == P1_SUSPEND)
        return suspend(s, a, rsp);
    if (a->p1 == P1_RESUME)
        return resume(s, a);
    return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is neither suspend nor resume");
}

void uicc_forget_suspension(struct euicc *e, uint8_t ins)
{
    if (ins != INS_SUSPEND_UICC)
        e->suspension.state = SUSPENSION_NONE;
}

void uicc_power_returns(struct euicc *e)
{
    e->suspension.state =
        e->suspension.state == SUSPENSION_ASKED ? SUSPENSION_POWERED : SUSPENSION_NONE;
}
