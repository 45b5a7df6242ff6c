/* mno_sd.c - the security domains of the enabled profile (GlobalPlatform Card Specification 11,
 * ETSI TS 102 226 8, SGP.22 5.4).
 *
 * They tell what they are and which keys they have, take new keys, and pass an UpdateMetadata on.
 * There is nothing to load or install, so that all other content management is refused.
 * State: which domain each channel has selected, and blocks of STORE DATA. */
#include "applets/ota/mno_sd.h"

#include <stdio.h>
#include <string.h>

#include "applets/isdr/profile_store.h"
#include "applets/ota/es6.h"
#include "applets/ota/script.h"
#include "os/dispatch.h"

enum {
    P1_LAST_BLOCK = 0x80, /* GlobalPlatform 11.11.2.1 */
    REQUEST_MAX = 4096,

    TAG_FCI = 0x6F, /* GlobalPlatform 11.9.3.1 */
    TAG_DF_NAME = 0x84,
    TAG_PROPRIETARY = 0xA5,
    TAG_MAX_COMMAND = 0x9F65,

    TAG_CARD_DATA = 0x66, /* GlobalPlatform 11.3.3.1 */
    TAG_SD_MANAGEMENT = 0x73,
    TAG_KEY_INFORMATION = 0xE0,
    TAG_KEY = 0xC0,
    TAG_APPLICATIONS = 0x2F00,
    TAG_APPLICATION = 0x61,
    TAG_AID = 0x4F,

    TAG_REGISTRY_ENTRY = 0xE3, /* GlobalPlatform 11.4.3.1 */
    TAG_LIFE_CYCLE = 0x9F70,
    TAG_PRIVILEGES = 0xC5,

    REMOTE_SLOT = CHANNEL_COUNT, /* of struct mno_sd, for what comes over the air */
};

struct mno_sd {
    struct sd_name selected[CHANNEL_COUNT + 1]; /* by the last SELECT of each channel */
};

static struct sd_name *slot(const struct session *s)
{
    struct mno_sd *state = euicc_state(s->euicc, &mno_sd_applet);

    return &state->selected[s->remote ? REMOTE_SLOT : s->channel];
}

int sd_refuse(const struct session *s, const char *command, int sw, const char *why)
{
    trace_check(&s->euicc->trace, "%s: %s: %s (GlobalPlatform 11)", command, why,
                sw_text((uint16_t)sw));
    return sw;
}

/* A command in clear where all are to have a MAC ends the secure channel. */
static int check_covered(struct session *s, const char *command)
{
    struct sd_session *is = session_data(s);

    if (secure_channel_covers(&is->channel, s->commands))
        return 0;
    secure_channel_end(&is->channel);
    is->version = 0;
    return sd_refuse(s, command, SW_SECURITY_STATUS, "it came without the MAC that is agreed");
}

int sd_check_secured(struct session *s, const char *command)
{
    const struct sd_session *is = session_data(s);

    return is->version != 0
               ? check_covered(s, command)
               : sd_refuse(s, command, SW_SECURITY_STATUS, "there is no secure channel");
}

static int load(struct session *s, struct sd_name name, struct sd *ret)
{
    uint16_t enabled;
    bool found = false;

    TRY(profile_enabled(s->euicc, &enabled));
    if (name.profile != NO_PROFILE && name.profile == enabled)
        TRY(sd_load(s->euicc, name.profile, name.number, ret, &found));
    return found ? 0
                 : sd_refuse(s, "security domain", SW_CONDITIONS_OF_USE,
                             "its profile is not enabled any more");
}

int sd_selected(struct session *s, struct sd *ret)
{
    struct sd_session *is = session_data(s);

    if (is->name.profile == NO_PROFILE)
        is->name = *slot(s);
    return load(s, is->name, ret);
}

/* --- selection -------------------------------------------------------------------------------- */

static int claims_aid(struct session *s, struct rd aid, bool *ret_claimed)
{
    struct sd_name name = { .profile = NO_PROFILE };
    unsigned number = SD_MAX;

    *ret_claimed = false;
    TRY(profile_enabled(s->euicc, &name.profile));
    if (name.profile == NO_PROFILE || aid.n == 0)
        return 0;
    TRY(sd_find(s->euicc, name.profile, aid, true, &number));
    if (number == SD_MAX)
        return 0;
    name.number = (uint8_t)number;
    *slot(s) = name;
    *ret_claimed = true;
    return 0;
}

static int select_sd(struct session *s, struct wr *fci)
{
    struct tlv card_data, t;
    struct sd sd;

    TRY(load(s, *slot(s), &sd));
    struct wr_mark m = tlv_open(fci, TAG_FCI);
    tlv_put(fci, TAG_DF_NAME, sd.aid);
    struct wr_mark proprietary = tlv_open(fci, TAG_PROPRIETARY);
    if (sd_object(&sd, TAG_CARD_DATA, &card_data) &&
        tlv_find(card_data.value, TAG_SD_MANAGEMENT, &t))
        wr_put_rd(fci, t.whole);
    tlv_put_u8(fci, TAG_MAX_COMMAND, 0xFF);
    tlv_close(fci, proprietary);
    tlv_close(fci, m);
    sd_done(&sd);
    return 0;
}

static void deselect(struct session *s)
{
    struct sd_session *is = session_data(s);

    wr_done(&is->request);
    secure_channel_end(&is->channel);
}

/* --- GET DATA --------------------------------------------------------------------------------- */

/* Identifier, version, type and length of each key. */
static int put_key_information(struct session *s, const struct sd *sd, struct wr *rsp)
{
    struct sd_key_object k;
    struct wr keys;

    sd_keys_init(&keys);
    int err = sd_keys(s->euicc, sd, &keys);
    struct wr_mark m = tlv_open(rsp, TAG_KEY_INFORMATION);
    if (err == 0)
        for (struct rd in = wr_view(&keys); sd_next_key(&in, &k);) {
            const uint8_t one[] = { k.id, k.version, k.type, (uint8_t)k.value.n };
            tlv_put(rsp, TAG_KEY, rd_of(one, sizeof one));
        }
    tlv_close(rsp, m);
    sd_keys_done(&keys);
    return err;
}

/* What a registry entry tells, of whichever kind. */
typedef void entry_fn(void *ctx, struct rd aid, uint8_t life_cycle, struct rd privileges);

static int each_sd(struct euicc *e, uint16_t profile, unsigned first, entry_fn *fn, void *ctx)
{
    for (unsigned n = first; n < SD_MAX; n++) {
        struct sd sd;
        bool found;

        TRY(sd_load(e, profile, n, &sd, &found));
        if (!found)
            break;
        fn(ctx, sd.aid, sd.life_cycle, sd.privileges);
        sd_done(&sd);
    }
    return 0;
}

static void put_application(void *ctx, struct rd aid, uint8_t life_cycle, struct rd privileges)
{
    struct wr *rsp = ctx;

    (void)life_cycle;
    (void)privileges;
    struct wr_mark m = tlv_open(rsp, TAG_APPLICATION);
    tlv_put(rsp, TAG_AID, aid);
    tlv_close(rsp, m);
}

static int get_object(struct session *s, const struct sd *sd, uint32_t tag, struct wr *rsp)
{
    struct tlv t, inner;

    if (tag == TAG_KEY_INFORMATION)
        return put_key_information(s, sd, rsp);
    if (tag == TAG_APPLICATIONS && sd->number == SD_MNO)
        return each_sd(s->euicc, sd->profile, SD_MNO + 1, put_application, rsp);
    if (tag == TAG_SD_MANAGEMENT && sd_object(sd, TAG_CARD_DATA, &t) &&
        tlv_find(t.value, TAG_SD_MANAGEMENT, &inner))
        wr_put_rd(rsp, inner.whole);
    else if (sd_object(sd, tag, &t))
        wr_put_rd(rsp, t.whole);
    else
        return sd_refuse(s, "GET DATA", SW_REFERENCE_NOT_FOUND, "there is no such object");
    return 0;
}

static int get_data(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct sd sd;

    TRY(check_covered(s, "GET DATA"));
    TRY(sd_selected(s, &sd));
    int result = get_object(s, &sd, (uint32_t)(a->p1 << 8 | a->p2), rsp);
    sd_done(&sd);
    return result;
}

/* --- GET STATUS ------------------------------------------------------------------------------- */

struct listing {
    struct rd filter; /* AIDs that begin with it */
    bool old_format;
    struct wr *rsp;
};

static void put_entry(void *ctx, struct rd aid, uint8_t life_cycle, struct rd privileges)
{
    const struct listing *l = ctx;
    struct wr *rsp = l->rsp;

    if (l->filter.n > aid.n || !rd_equal(rd_of(aid.p, l->filter.n), l->filter))
        return;
    if (l->old_format) {
        wr_put_u8(rsp, (uint8_t)aid.n);
        wr_put_rd(rsp, aid);
        wr_put_u8(rsp, life_cycle);
        wr_put_u8(rsp, privileges.n > 0 ? privileges.p[0] : 0);
        return;
    }
    struct wr_mark m = tlv_open(rsp, TAG_REGISTRY_ENTRY);
    tlv_put(rsp, TAG_AID, aid);
    tlv_put_u8(rsp, TAG_LIFE_CYCLE, life_cycle);
    tlv_put(rsp, TAG_PRIVILEGES, privileges);
    tlv_close(rsp, m);
}

/* The terminal's STATUS (TS 102 221 11.1.2) has the same instruction: without data, and with a P1
 * that names no part of the registry. */
static int tell_status(struct session *s, const struct apdu *a, struct wr *rsp)
{
    enum { RETURN_FCI = 0x00, RETURN_AID = 0x01, RETURN_NOTHING = 0x0C };
    struct sd sd;

    switch (a->p2) {
    case RETURN_FCI:
        return select_sd(s, rsp);
    case RETURN_AID:
        TRY(sd_selected(s, &sd));
        tlv_put(rsp, TAG_DF_NAME, sd.aid);
        sd_done(&sd);
        return 0;
    case RETURN_NOTHING:
        return 0;
    default:
        return sd_refuse(s, "STATUS", SW_WRONG_P1P2, "P2 is reserved");
    }
}

static int get_status(struct session *s, const struct apdu *a, struct wr *rsp)
{
    enum { STATUS_P1_MAX = 0x02 };
    enum { ISSUER_SD = 0x80, APPLICATIONS = 0x40, NEXT = 0x01, TLV_FORMAT = 0x02 };
    struct listing l = { .old_format = !(a->p2 & TLV_FORMAT), .rsp = rsp };
    struct tlv t;
    struct sd sd;

    if (a->lc == 0)
        return a->p1 <= STATUS_P1_MAX
                   ? tell_status(s, a, rsp)
                   : sd_refuse(s, "GET STATUS", SW_WRONG_LENGTH, "there is nothing to search by");
    TRY(sd_check_secured(s, "GET STATUS"));
    if (!tlv_find(rd_of(a->data, a->lc), TAG_AID, &t))
        return sd_refuse(s, "GET STATUS", SW_WRONG_DATA, "there is no 4F to search by");
    l.filter = t.value;
    TRY(sd_selected(s, &sd));
    int err = 0;
    uint8_t itself = sd.number == SD_MNO ? ISSUER_SD : APPLICATIONS;
    if (a->p1 == itself && !(a->p2 & NEXT))
        put_entry(&l, sd.aid, sd.life_cycle, sd.privileges);
    else if (a->p1 == APPLICATIONS && !(a->p2 & NEXT))
        err = each_sd(s->euicc, sd.profile, SD_MNO + 1, put_entry, &l);
    sd_done(&sd);
    if (err == 0 && rsp->n == 0)
        return sd_refuse(s, "GET STATUS", SW_REFERENCE_NOT_FOUND, "nothing of this kind is here");
    return err;
}

/* --- STORE DATA and INSTALL ------------------------------------------------------------------- */

/* Appends a block.  0, or the status word that refuses it. */
static int join_block(struct session *s, const struct apdu *a)
{
    struct sd_session *is = session_data(s);

    if (is->request.max == 0)
        wr_init_heap(&is->request, REQUEST_MAX);
    if (a->p2 == 0 || is->last_command + 1 != s->commands) {
        wr_clear(&is->request);
        is->next_block = 0;
    }
    if (a->p2 != is->next_block)
        return sd_refuse(s, "STORE DATA", SW_WRONG_P1P2, "another block is due");
    wr_put(&is->request, a->data, a->lc);
    if (wr_failed(&is->request) != 0) {
        wr_done(&is->request);
        return SW_NOT_ENOUGH_MEMORY;
    }
    is->next_block++;
    is->last_command = s->commands;
    return 0;
}

static int store_object(struct session *s, struct rd in)
{
    const struct sd_session *is = session_data(s);
    struct tlv t;

    if (tlv_get(&in, &t) != 0 || in.n != 0)
        return sd_refuse(s, "STORE DATA", SW_WRONG_DATA, "its data is not one whole TLV");
    if (t.tag != TAG_UPDATE_METADATA)
        return sd_refuse(s, "STORE DATA", SW_REFERENCE_NOT_FOUND, "this object cannot be stored");
    if (is->name.number != SD_MNO)
        return sd_refuse(s, "UpdateMetadata", SW_CONDITIONS_OF_USE, "only the MNO-SD takes it");
    return es6_update_metadata(s->euicc, is->name.profile, t.value);
}

static int store_data(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct sd_session *is = session_data(s);
    struct sd sd;

    (void)rsp;
    TRY(sd_check_secured(s, "STORE DATA"));
    TRY(sd_selected(s, &sd));
    sd_done(&sd);
    TRY(join_block(s, a));
    if (!(a->p1 & P1_LAST_BLOCK))
        return 0;
    int result = store_object(s, wr_view(&is->request));
    wr_done(&is->request);
    return result;
}

/* The application of INSTALL [for personalization]: 00 00 len AID 00 00 00 (GlobalPlatform
 * 11.5.2.3.6). */
static bool personalised(struct rd in, struct rd *ret_aid)
{
    static const uint8_t nobody[] = { 0, 0 };
    struct rd begin, len;

    return rd_take(&in, sizeof nobody, &begin) == 0 &&
           rd_equal(begin, rd_of(nobody, sizeof nobody)) && rd_take(&in, 1, &len) == 0 &&
           rd_take(&in, len.p[0], ret_aid) == 0;
}

/* What STORE DATA is for then: the ISD-P of this profile, by its own AID or by the one that means
 * "mine" (SGP.02 annex H). */
static int install(struct session *s, const struct apdu *a, struct wr *rsp)
{
    enum { FOR_PERSONALIZATION = 0x20, ISDP_MINE = 0x000F };
    uint8_t own[AID_MAX_LEN], mine[AID_MAX_LEN];
    struct rd aid;
    struct sd sd;

    TRY(sd_check_secured(s, "INSTALL"));
    if (a->p1 != FOR_PERSONALIZATION)
        return sd_refuse(s, "INSTALL", SW_CONDITIONS_OF_USE, "nothing can be installed here");
    if (!personalised(rd_of(a->data, a->lc), &aid))
        return sd_refuse(s, "INSTALL", SW_WRONG_DATA, "it names no application");
    TRY(sd_selected(s, &sd));
    isdp_aid(sd.profile, own);
    isdp_aid(ISDP_MINE, mine);
    bool known = rd_equal(aid, rd_of(own, sizeof own)) || rd_equal(aid, rd_of(mine, sizeof mine)) ||
                 rd_equal(aid, sd.aid);
    sd_done(&sd);
    if (!known)
        return sd_refuse(s, "INSTALL", SW_REFERENCE_NOT_FOUND, "there is no such application");
    wr_put_u8(rsp, 0);
    return 0;
}

static int manage_content(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)a;
    (void)rsp;
    TRY(sd_check_secured(s, "content management"));
    return sd_refuse(s, "content management", SW_CONDITIONS_OF_USE,
                     "there is no content to manage");
}

/* --- over the air ----------------------------------------------------------------------------- */

static const struct script_command script_commands[] = {
    { 0xCA, true, "GET DATA" }, { 0xF2, false, "GET STATUS" }, { 0xE2, false, "STORE DATA" },
    { 0xD8, false, "PUT KEY" }, { 0xE6, false, "INSTALL" },    { 0xE4, false, "DELETE" },
    { 0xE8, false, "LOAD" },    { 0xF0, false, "SET STATUS" },
};

static uint16_t run_command(void *ctx, const struct cla *cla, const struct apdu *a)
{
    return dispatch(ctx, cla, a);
}

static int select_remote(struct session *s, const struct ota_target *target, uint8_t version)
{
    uint8_t octets[256];
    struct wr fci;

    s->remote = true;
    *slot(s) = (struct sd_name){ .profile = target->profile, .number = (uint8_t)target->sd };
    wr_init(&fci, octets, sizeof octets);
    TRY(session_select(s, &mno_sd_applet, &fci));
    struct sd_session *is = session_data(s);
    is->name = *slot(s);
    is->version = version;
    return 0;
}

int mno_sd_run(struct euicc *e, const struct ota_target *target, uint8_t version, struct rd in,
               size_t room, struct wr *ret)
{
    struct session *s = session_new(e, CHANNEL_BASIC);
    const struct script script = {
        .session = s,
        .commands = script_commands,
        .n_commands = N_ELEMS(script_commands),
        .run = run_command,
        .ctx = s,
    };

    if (s == NULL)
        return ERR_NOMEM;
    int err = select_remote(s, target, version);
    if (err == 0)
        err = script_run(&script, in, room, ret);
    session_free(&s);
    return err;
}

/* --- the applet ------------------------------------------------------------------------------- */

static const struct command mno_sd_commands[] = {
    { true, 0x50, NEEDS_DATA, "INITIALIZE UPDATE", secure_channel_initialize,
      "GlobalPlatform E.5.1, Amendment D 7.1.1" },
    { true, 0x82, NEEDS_DATA, "EXTERNAL AUTHENTICATE", secure_channel_authenticate,
      "GlobalPlatform E.5.2, Amendment D 7.1.2" },
    { true, 0xCA, WITH_LE | EITHER_CLA, "GET DATA", get_data, "GlobalPlatform 11.3" },
    { true, 0xF2, 0, "GET STATUS", get_status, "GlobalPlatform 11.4" },
    { true, 0xE2, 0, "STORE DATA", store_data, "GlobalPlatform 11.11" },
    { true, 0xD8, NEEDS_DATA, "PUT KEY", sd_put_key, "GlobalPlatform 11.8" },
    { true, 0xE6, NEEDS_DATA, "INSTALL", install, "GlobalPlatform 11.5" },
    { true, 0xE4, 0, "DELETE", manage_content, "GlobalPlatform 11.2" },
    { true, 0xE8, 0, "LOAD", manage_content, "GlobalPlatform 11.6" },
    { true, 0xF0, 0, "SET STATUS", manage_content, "GlobalPlatform 11.10" },
};

const struct applet mno_sd_applet = {
    .name = "security domain",
    .commands = mno_sd_commands,
    .n_commands = N_ELEMS(mno_sd_commands),
    .state_size = sizeof(struct mno_sd),
    .session_size = sizeof(struct sd_session),
    .select = select_sd,
    .deselect = deselect,
    .claims_aid = claims_aid,
    .unwrap = secure_channel_unwrap,
    .wrap = secure_channel_wrap,
};
