/* uicc.c - the commands that the UICC itself answers: SELECT, STATUS, MANAGE CHANNEL, TERMINAL
 * CAPABILITY and the proactive commands' transport.
 *
 * With no profile's file system there is one file, the MF (docs/INTERPRETATIONS.md). */
#include "os/uicc.h"

#include <string.h>

#include "os/euicc.h"
#include "os/tlv.h"

enum {
    SELECT_BY_FID = 0x00, /* TS 102 221 11.1.1.2, P1 */
    SELECT_BY_AID = 0x04,
    SELECT_BY_PATH_FROM_MF = 0x08,

    OCCURRENCE_MASK = 0x03, /* P2 */
    OCCURRENCE_FIRST = 0x00,
    OCCURRENCE_NEXT = 0x02,
    RETURN_MASK = 0x1C,
    RETURN_NOTHING = 0x0C,

    FID_MF = 0x3F00,

    TAG_FCP = 0x62, /* TS 102 221 11.1.1.3 */
    TAG_FILE_DESCRIPTOR = 0x82,
    TAG_FILE_ID = 0x83,
    TAG_AID = 0x84,
    TAG_PROPRIETARY = 0xA5,
    TAG_LIFE_CYCLE = 0x8A,

    TAG_TERMINAL_CAPABILITY = 0xA9, /* TS 102 221 11.1.19.2 */
};

/* FCP of the MF, for SELECT and STATUS. */
static void put_mf(struct wr *w)
{
    static const uint8_t descriptor[] = { 0x78, 0x21 }; /* DF, shareable */
    static const uint8_t fid[] = { FID_MF >> 8, FID_MF & 0xFF };

    struct wr_mark fcp = tlv_open(w, TAG_FCP);
    tlv_put(w, TAG_FILE_DESCRIPTOR, rd_of(descriptor, sizeof descriptor));
    tlv_put(w, TAG_FILE_ID, rd_of(fid, sizeof fid));
    struct wr_mark proprietary = tlv_open(w, TAG_PROPRIETARY);
    tlv_put_u8(w, 0x80, 0x71); /* UICC characteristics: clock stop, 3 V and 1.8 V */
    tlv_put_u8(w, 0x87, 0x01); /* system commands: TERMINAL CAPABILITY */
    tlv_close(w, proprietary);
    tlv_put_u8(w, TAG_LIFE_CYCLE, 0x05); /* operational, activated */
    tlv_close(w, fcp);
}

static int select_by_aid(struct session *s, const struct apdu *a, struct wr *rsp)
{
    const struct registry *r = &s->euicc->registry;
    struct rd aid = rd_of(a->data, a->lc);
    uint8_t occurrence = a->p2 & OCCURRENCE_MASK;

    if (occurrence != OCCURRENCE_FIRST && occurrence != OCCURRENCE_NEXT)
        return SW_WRONG_P1P2;
    const struct applet *found =
        registry_find(r, aid, occurrence == OCCURRENCE_NEXT ? s->selected : NULL);
    if (found == NULL) {
        trace_check(&s->euicc->trace, "SELECT: no application has this AID (TS 102 221 11.1.1)");
        return SW_FILE_NOT_FOUND;
    }
    return session_select(s, found, rsp);
}

static int select_by_id(struct session *s, const struct apdu *a, struct wr *rsp)
{
    bool is_mf = a->lc == 0 || (a->lc == 2 && (a->data[0] << 8 | a->data[1]) == FID_MF);

    if (a->lc % 2 != 0)
        return SW_WRONG_LENGTH;
    if (!is_mf) {
        trace_check(&s->euicc->trace, "SELECT: no such file (TS 102 221 11.1.1)");
        return SW_FILE_NOT_FOUND;
    }
    TRY(session_select(s, NULL, rsp));
    put_mf(rsp);
    return 0;
}

static int select_file(struct session *s, const struct apdu *a, struct wr *rsp)
{
    int result;

    if (a->p1 == SELECT_BY_AID)
        result = select_by_aid(s, a, rsp);
    else if (a->p1 == SELECT_BY_FID || a->p1 == SELECT_BY_PATH_FROM_MF)
        result = select_by_id(s, a, rsp);
    else
        result = SW_WRONG_P1P2;
    if (result == 0 && (a->p2 & RETURN_MASK) == RETURN_NOTHING)
        wr_clear(rsp);
    return result;
}

static int status(struct session *s, const struct apdu *a, struct wr *rsp)
{
    enum { RETURN_FCP = 0x00, RETURN_AID = 0x01, RETURN_NONE = 0x0C }; /* TS 102 221 11.1.2 */

    if (a->p1 > 2)
        return SW_WRONG_P1P2;
    switch (a->p2) {
    case RETURN_FCP:
        if (s->selected != NULL && s->selected->select != NULL)
            return s->selected->select(s, rsp);
        put_mf(rsp);
        return 0;
    case RETURN_AID:
        if (s->selected != NULL)
            tlv_put(rsp, TAG_AID, rd_of(s->selected->aid, s->selected->aid_len));
        return 0;
    case RETURN_NONE:
        return 0;
    default:
        return SW_WRONG_P1P2;
    }
}

static int manage_channel(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct channel_change change;
    uint16_t sw = channel_manage(&e->channels, a, s->channel, &change);

    if (sw != SW_OK)
        return sw;
    if (change.what == CHANNEL_CLOSED && change.channel != s->channel)
        euicc_close_session(e, change.channel);
    if (change.tell)
        wr_put_u8(rsp, change.channel);
    return 0;
}

static int terminal_capability(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct rd in = rd_of(a->data, a->lc);
    struct tlv t;

    (void)rsp;
    if (a->p1 != 0 || a->p2 != 0)
        return SW_WRONG_P1P2;
    if (tlv_expect(&in, TAG_TERMINAL_CAPABILITY, &t) != 0 || in.n != 0 || !tlv_all_whole(t.value) ||
        t.value.n > sizeof e->terminal_capability)
        return SW_WRONG_DATA;
    e->terminal_capability_len = (uint8_t)t.value.n;
    if (t.value.n > 0)
        memcpy(e->terminal_capability, t.value.p, t.value.n);
    return 0;
}

const struct command uicc_commands[] = {
    { false, 0xA4, 0, "SELECT", select_file, "TS 102 221 11.1.1" },
    { true, 0xF2, NO_DATA, "STATUS", status, "TS 102 221 11.1.2" },
    { false, 0x70, NO_DATA, "MANAGE CHANNEL", manage_channel, "TS 102 221 11.1.17" },
    { true, 0xAA, NEEDS_DATA, "TERMINAL CAPABILITY", terminal_capability, "TS 102 221 11.1.19" },
    { true, 0x10, NEEDS_DATA, "TERMINAL PROFILE", cat_terminal_profile, "TS 102 221 11.2.1" },
    { true, 0x12, NO_DATA | WITH_LE, "FETCH", cat_fetch, "TS 102 221 11.2.3" },
    { true, 0x14, NEEDS_DATA, "TERMINAL RESPONSE", cat_terminal_response, "TS 102 221 11.2.4" },
};

const size_t uicc_n_commands = N_ELEMS(uicc_commands);
