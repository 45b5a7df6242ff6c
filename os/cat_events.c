/* cat_events.c - what the terminal says on its own: events, menu selections, TERMINAL PROFILE; and
 * the two commands with which all owners together say what they want of it. */
#include "os/cat.h"

#include "os/ctlv.h"
#include "os/euicc.h"
#include "os/tlv.h"

enum {
    TAG_MENU_SELECTION = 0xD3, /* TS 102 223 9.2 */
    TAG_EVENT_DOWNLOAD = 0xD6,
    TAG_TIMER_EXPIRATION = 0xD7,

    EVENT_TRIES = 3, /* while the terminal is busy */
    EVENT_LIMIT = 32,
};

/* Which of them the terminal can tell of (TS 102 223 5.2). */
static const struct {
    enum cat_event event;
    enum cat_facility facility;
} events[] = {
    { CAT_EVENT_LOCATION_STATUS, CAT_CAN_EVENT_LOCATION_STATUS },
    { CAT_EVENT_DATA_AVAILABLE, CAT_CAN_EVENT_DATA_AVAILABLE },
    { CAT_EVENT_CHANNEL_STATUS, CAT_CAN_EVENT_CHANNEL_STATUS },
    { CAT_EVENT_ACCESS_TECHNOLOGY, CAT_CAN_EVENT_ACCESS_TECHNOLOGY },
    { CAT_EVENT_NETWORK_REJECTION, CAT_CAN_EVENT_NETWORK_REJECTION },
};

/* --- events ----------------------------------------------------------------------------------- */

static uint32_t events_wanted(const struct cat *c)
{
    uint32_t wanted = 0, known = 0;

    for (size_t i = 0; i < c->n_owners; i++)
        wanted |= c->owners[i].events;
    for (size_t i = 0; i < N_ELEMS(events); i++)
        if (cat_allows(c, events[i].facility))
            known |= cat_event_bit(events[i].event);
    return wanted & known;
}

static void put_event_list(struct cat_command *command, struct wr *w)
{
    struct cat *c = command->ctx;
    uint8_t list[EVENT_LIMIT];
    size_t n = 0;

    c->events_sent = events_wanted(c);
    for (uint8_t event = 0; event < EVENT_LIMIT; event++)
        if (c->events_sent >> event & 1)
            list[n++] = event;
    ctlv_put(w, CTLV_EVENT_LIST, true, rd_of(list, n));
}

static cat_ended_fn event_list_ended;

/* The list that the terminal has becomes that which is wanted. */
static void follow_events(struct cat *c)
{
    if (c->event_list.queued) {
        if (events_wanted(c) == c->events_told)
            cat_withdraw(c, &c->event_list);
        return; /* it is made when its turn has come, or looked at again when it ended */
    }
    if (events_wanted(c) == c->events_told)
        return;
    c->event_list = (struct cat_command){
        .type = CAT_SET_UP_EVENT_LIST, .put = put_event_list, .ended = event_list_ended, .ctx = c
    };
    cat_submit(c, &c->event_list);
}

/* What the terminal refuses for good is not said again until something else is wanted. */
static int event_list_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    struct cat *c = ctx;
    bool again = !r->done && r->general < CAT_BEYOND_CAPABILITY && ++c->event_tries < EVENT_TRIES;

    if (!r->done)
        trace_note(&e->trace, "the terminal's general result for the event list is %02X",
                   r->general);
    if (!again) {
        c->events_told = c->events_sent;
        c->event_tries = 0;
    }
    follow_events(c);
    return 0;
}

bool cat_register(struct cat *c, const struct cat_owner *owner)
{
    for (size_t i = 0; i < c->n_owners; i++)
        if (c->owners[i].owner == owner)
            return true;
    if (c->n_owners == CAT_OWNER_MAX)
        return false;
    c->owners[c->n_owners].owner = owner;
    c->owners[c->n_owners++].events = 0;
    return true;
}

void cat_want_events(struct cat *c, const struct cat_owner *owner, uint32_t wanted)
{
    for (size_t i = 0; i < c->n_owners; i++)
        if (c->owners[i].owner == owner)
            c->owners[i].events = wanted;
    follow_events(c);
}

/* Each owner that wants it; the first fault is what is told. */
static int download(struct euicc *e, struct rd tlvs)
{
    const struct cat *c = &e->cat;
    struct rd list;
    bool taken = false;
    int result = 0;

    if (c->n_owners == 0)
        return ENVELOPE_NOT_MINE;
    if (!ctlv_find(tlvs, CTLV_EVENT_LIST, &list) || list.n != 1 || list.p[0] >= EVENT_LIMIT)
        return ERR_INPUT;
    for (size_t i = 0; i < c->n_owners; i++) {
        const struct cat_owner *owner = c->owners[i].owner;
        if (!(c->owners[i].events >> list.p[0] & 1) || owner->event == NULL)
            continue;
        int told = owner->event(e, list.p[0], tlvs);
        result = result != 0 ? result : told;
        taken = true;
    }
    return taken ? result : ENVELOPE_NOT_MINE;
}

/* --- the menu --------------------------------------------------------------------------------- */

static bool has_items(const struct cat *c)
{
    for (size_t i = 0; i < c->n_owners; i++)
        if (c->owners[i].owner->item != NULL)
            return true;
    return false;
}

/* An item's identifier is its owner's place, from 1. */
static void put_menu(struct cat_command *command, struct wr *w)
{
    const struct cat *c = command->ctx;

    ctlv_put(w, CTLV_ALPHA, true, rd_str("eUICC"));
    for (size_t i = 0; i < c->n_owners; i++) {
        if (c->owners[i].owner->item == NULL)
            continue;
        struct wr_mark m = tlv_open(w, CTLV_ITEM | 0x80);
        wr_put_u8(w, (uint8_t)(i + 1));
        wr_put_rd(w, rd_str(c->owners[i].owner->item));
        tlv_close(w, m);
    }
}

static int select_item(struct euicc *e, struct rd tlvs)
{
    const struct cat *c = &e->cat;
    struct rd id;

    if (!has_items(c))
        return ENVELOPE_NOT_MINE;
    if (!ctlv_find(tlvs, CTLV_ITEM_ID, &id) || id.n != 1)
        return ERR_INPUT;
    if (id.p[0] < 1 || id.p[0] > c->n_owners || c->owners[id.p[0] - 1].owner->item == NULL ||
        c->owners[id.p[0] - 1].owner->selected == NULL)
        return ENVELOPE_NOT_MINE;
    return c->owners[id.p[0] - 1].owner->selected(e);
}

void cat_follow_menu(struct cat *c)
{
    if (!has_items(c) || c->menu.queued || !cat_allows(c, CAT_CAN_MENU_SELECTION))
        return;
    c->menu = (struct cat_command){ .type = CAT_SET_UP_MENU, .put = put_menu, .ctx = c };
    cat_submit(c, &c->menu);
}

/* --- TERMINAL PROFILE and ENVELOPE ------------------------------------------------------------ */

/* What the owners say in answer comes behind the event list: no event is missed. */
int cat_tell_profile(struct euicc *e)
{
    struct cat *c = &e->cat;

    c->events_told = 0;
    follow_events(c);
    cat_follow_menu(c);
    for (size_t i = 0; i < c->n_owners; i++)
        if (c->owners[i].owner->profile != NULL)
            TRY(c->owners[i].owner->profile(e));
    return 0;
}

int cat_tell_status(struct euicc *e)
{
    struct cat *c = &e->cat;

    for (size_t i = 0; i < c->n_owners; i++)
        if (c->owners[i].owner->status != NULL)
            TRY(c->owners[i].owner->status(e));
    return 0;
}

int cat_envelope(struct session *s, struct rd data, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct tlv t;
    int result;

    (void)rsp;
    if (tlv_get(&data, &t) != 0)
        return ENVELOPE_NOT_MINE;
    switch (t.tag) {
    case TAG_MENU_SELECTION:
        result = select_item(e, t.value);
        break;
    case TAG_EVENT_DOWNLOAD:
        result = download(e, t.value);
        break;
    case TAG_TIMER_EXPIRATION:
        result = cat_timer_envelope(e, t.value);
        break;
    default:
        return ENVELOPE_NOT_MINE;
    }
    if (result == ERR_INPUT)
        trace_check(&e->trace, "ENVELOPE %02X: an object is missing (TS 102 223 7)",
                    (unsigned)t.tag);
    return result;
}
