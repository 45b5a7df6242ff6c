/* uicc.c - the table of the commands that the UICC itself answers, and those of them that are not
 * about files: channels, the terminal's capabilities, random numbers, ENVELOPE (TS 102 221).
 *
 * Handlers of file commands are in uicc_select.c, uicc_data.c, uicc_ber_tlv.c and uicc_admin.c, of
 * PIN commands in uicc_pin.c, of proactive commands' transport in cat.c. */
#include "os/uicc.h"

#include <string.h>

#include "os/euicc.h"
#include "os/tlv.h"

enum { TAG_TERMINAL_CAPABILITY = 0xA9 }; /* TS 102 221 11.1.19.2 */

/* A channel that is opened from another one than the basic channel stands where that one stands
 * (TS 102 221 11.1.17).  Where it cannot, it stands at the MF. */
static void open_along(const struct session *s, uint8_t channel)
{
    struct session *opened = session_new(s->euicc, channel);

    s->euicc->sessions[channel] = opened;
    if (opened != NULL && uicc_go_along(opened, s) != 0)
        uicc_go_home(opened);
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
    if (change.what == CHANNEL_OPENED && s->channel != CHANNEL_BASIC)
        open_along(s, change.channel);
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

int uicc_get_challenge(struct session *s, const struct apdu *a, struct wr *rsp)
{
    enum { USUAL_LEN = 8 };
    size_t n = a->le != 0 ? a->le : USUAL_LEN;

    if (a->p1 != 0 || a->p2 != 0)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 or P2 is not 00");
    uint8_t *p = wr_reserve(rsp, n);
    return p == NULL ? ERR_NOMEM : crypto_random(s->euicc->crypto, p, n);
}

int uicc_envelope(struct session *s, const struct apdu *a, struct wr *rsp)
{
    const struct registry *r = &s->euicc->registry;

    if (a->p1 != 0 || a->p2 != 0)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 or P2 is not 00");
    for (size_t i = 0; i < r->n; i++) {
        if (r->applets[i]->envelope == NULL)
            continue;
        int result = r->applets[i]->envelope(s, rd_of(a->data, a->lc), rsp);
        if (result != ENVELOPE_NOT_MINE)
            return result;
    }
    int result = cat_envelope(s, rd_of(a->data, a->lc), rsp);
    if (result != ENVELOPE_NOT_MINE)
        return result;
    return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "no application takes it");
}

const struct command uicc_commands[] = {
    { false, 0xA4, 0, "SELECT", uicc_select, "TS 102 221 11.1.1" },
    { true, 0xF2, NO_DATA, "STATUS", uicc_status, "TS 102 221 11.1.2" },
    { false, 0xB0, NO_DATA | WITH_LE, "READ BINARY", uicc_read_binary, "TS 102 221 11.1.3" },
    { false, 0xD6, NEEDS_DATA, "UPDATE BINARY", uicc_update_binary, "TS 102 221 11.1.4" },
    { false, 0xB2, NO_DATA | WITH_LE, "READ RECORD", uicc_read_record, "TS 102 221 11.1.5" },
    { false, 0xDC, NEEDS_DATA, "UPDATE RECORD", uicc_update_record, "TS 102 221 11.1.6" },
    { false, 0xA2, NEEDS_DATA, "SEARCH RECORD", uicc_search_record, "TS 102 221 11.1.7" },
    { true, 0x32, NEEDS_DATA, "INCREASE", uicc_increase, "TS 102 221 11.1.8" },
    { false, 0x20, 0, "VERIFY PIN", uicc_verify, "TS 102 221 11.1.9" },
    { false, 0x24, NEEDS_DATA, "CHANGE PIN", uicc_change_pin, "TS 102 221 11.1.10" },
    { false, 0x26, NEEDS_DATA, "DISABLE PIN", uicc_disable_pin, "TS 102 221 11.1.11" },
    { false, 0x28, NEEDS_DATA, "ENABLE PIN", uicc_enable_pin, "TS 102 221 11.1.12" },
    { false, 0x2C, 0, "UNBLOCK PIN", uicc_unblock_pin, "TS 102 221 11.1.13" },
    { false, 0x04, 0, "DEACTIVATE FILE", uicc_deactivate_file, "TS 102 221 11.1.14" },
    { false, 0x44, 0, "ACTIVATE FILE", uicc_activate_file, "TS 102 221 11.1.15" },
    { false, 0x70, NO_DATA, "MANAGE CHANNEL", manage_channel, "TS 102 221 11.1.17" },
    { false, 0x84, NO_DATA | WITH_LE, "GET CHALLENGE", uicc_get_challenge, "TS 102 221 11.1.18" },
    { true, 0xAA, NEEDS_DATA, "TERMINAL CAPABILITY", terminal_capability, "TS 102 221 11.1.19" },
    { true, INS_SUSPEND_UICC, 0, "SUSPEND UICC", uicc_suspend, "TS 102 221 11.1.22" },
    { true, 0x10, NEEDS_DATA, "TERMINAL PROFILE", cat_terminal_profile, "TS 102 221 11.2.1" },
    { true, 0xC2, NEEDS_DATA, "ENVELOPE", uicc_envelope, "TS 102 221 11.2.2" },
    { true, 0x12, NO_DATA | WITH_LE, "FETCH", cat_fetch, "TS 102 221 11.2.3" },
    { true, 0x14, NEEDS_DATA, "TERMINAL RESPONSE", cat_terminal_response, "TS 102 221 11.2.4" },
    { true, 0xCB, 0, "RETRIEVE DATA", uicc_retrieve_data, "TS 102 221 11.3.1" },
    { true, 0xDB, NEEDS_DATA, "SET DATA", uicc_set_data, "TS 102 221 11.3.2" },
    { false, 0xE0, NEEDS_DATA, "CREATE FILE", uicc_create_file, "TS 102 222 6.3" },
    { false, 0xE4, NEEDS_DATA, "DELETE FILE", uicc_delete_file, "TS 102 222 6.4" },
    { false, 0xE6, 0, "TERMINATE DF", uicc_terminate_df, "TS 102 222 6.7" },
    { false, 0xE8, 0, "TERMINATE EF", uicc_terminate_ef, "TS 102 222 6.8" },
    { false, 0xFE, NO_DATA, "TERMINATE CARD USAGE", uicc_terminate_card_usage, "TS 102 222 6.9" },
    { true, 0xD4, NEEDS_DATA, "RESIZE FILE", uicc_resize_file, "TS 102 222 6.10" },
};

const size_t uicc_n_commands = N_ELEMS(uicc_commands);
