/* bip.c - Bearer Independent Protocol: channels. */
#include "os/bip.h"

#include <string.h>

#include "os/ctlv.h"
#include "os/euicc.h"

enum {
    USUAL_BUFFER = 1400,

    /* Qualifiers (TS 102 223 8.6). */
    IMMEDIATELY = 0x01, /* OPEN CHANNEL: the link is there when it ends */
    BACKGROUND = 0x04,
    DNS_REQUEST = 0x08,
    FLUSH = 0x01, /* SEND DATA */
    KEEP = 0x01,  /* CLOSE CHANNEL */

    MANY = 0xFF, /* octets: more than can be said (TS 102 223 8.54) */

    IPV4 = 0x21, /* TS 102 223 8.58 */
    IPV6 = 0x57,

    STATUS_ID = 0x07, /* first octet of the channel status (TS 102 223 8.56) */
    STATUS_LINK = 0x80,
};

static const struct {
    int general, additional; /* -1: any */
    enum bip_outcome outcome;
} outcomes[] = {
    { 0x20, 0x04, BIP_NO_SERVICE },  { 0x20, -1, BIP_RETRY_LATER }, { 0x21, -1, BIP_RETRY_LATER },
    { 0x22, -1, BIP_REFUSED },       { 0x23, -1, BIP_RETRY_LATER }, { 0x24, -1, BIP_RETRY_LATER },
    { 0x25, -1, BIP_RETRY_LATER },   { 0x26, -1, BIP_RETRY_LATER }, { 0x27, -1, BIP_RETRY_LATER },
    { 0x30, -1, BIP_TRY_VARIANT },   { 0x31, -1, BIP_TRY_VARIANT }, { 0x32, -1, BIP_TRY_VARIANT },
    { 0x33, -1, BIP_TRY_VARIANT },   { 0x34, -1, BIP_TRY_VARIANT }, { 0x35, -1, BIP_TRY_VARIANT },
    { 0x36, -1, BIP_TRY_VARIANT },   { 0x37, -1, BIP_TRY_VARIANT }, { 0x38, -1, BIP_TRY_VARIANT },
    { 0x3A, 0x01, BIP_RETRY_LATER },                                /* no channel available */
    { 0x3A, 0x02, BIP_CLOSED },      { 0x3A, 0x03, BIP_CLOSED },    /* no such channel */
    { 0x3A, 0x04, BIP_TRY_VARIANT },                                /* buffer size */
    { 0x3A, 0x05, BIP_REFUSED },                                    /* security */
    { 0x3A, 0x06, BIP_REFUSED },                                    /* transport level */
    { 0x3A, 0x07, BIP_RETRY_LATER },                                /* not reachable */
    { 0x3A, 0x08, BIP_RETRY_LATER },                                /* service error */
    { 0x3A, 0x09, BIP_REFUSED },                                    /* service unknown */
    { 0x3A, 0x10, BIP_REFUSED },                                    /* port not available */
    { 0x3A, 0x11, BIP_REFUSED },                                    /* launch parameters */
    { 0x3A, 0x12, BIP_REFUSED },                                    /* launch failed */
    { 0x3A, -1, BIP_RETRY_LATER },   { 0x3B, -1, BIP_RETRY_LATER }, /* not with this access
                                                                       technology */
    { 0x3C, -1, BIP_RETRY_LATER },   { 0x3D, -1, BIP_RETRY_LATER },
};

enum bip_outcome bip_classify(const struct cat_result *r)
{
    enum { LAST_OF_TERMINAL = 0x0F };
    int additional = r->info.n > 0 ? r->info.p[0] : 0;

    if (r->general <= LAST_OF_TERMINAL)
        return BIP_OK;
    for (size_t i = 0; i < N_ELEMS(outcomes); i++)
        if (outcomes[i].general == r->general &&
            (outcomes[i].additional < 0 || outcomes[i].additional == additional))
            return outcomes[i].outcome;
    return BIP_REFUSED; /* by the user, or by what nobody knows */
}

/* --- the objects of the commands -------------------------------------------------------------- */

static void put_u16(struct wr *w, uint8_t tag, bool comprehension, uint16_t n)
{
    const uint8_t octets[] = { (uint8_t)(n >> 8), (uint8_t)n };

    ctlv_put(w, tag, comprehension, rd_of(octets, sizeof octets));
}

static void put_bearer(const struct bip *b, struct wr *w)
{
    static const uint8_t packet_service[] = { 0x02, 0x03, 0x04, 0x03, 0x04, 0x1F, 0x02 };
    static const uint8_t network_default[] = { 0x03 };

    ctlv_put(w, CTLV_BEARER, b->comprehension,
             b->p.packet_service ? rd_of(packet_service, sizeof packet_service)
                                 : rd_of(network_default, sizeof network_default));
}

/* Each label with its length before it (TS 23.003 9.1); false: that is no name. */
static bool put_labels(struct wr *w, const char *name)
{
    enum { LABEL_MAX = 63 };

    for (;;) {
        size_t n = strcspn(name, ".");
        if (n == 0 || n > LABEL_MAX)
            return false;
        wr_put_u8(w, (uint8_t)n);
        wr_put(w, name, n);
        if (name[n] == '\0')
            return true;
        name += n + 1;
    }
}

static void put_name(const struct bip *b, struct wr *w)
{
    uint8_t octets[BIP_NAME_MAX + 1];
    struct wr labels;

    if (b->p.name[0] == '\0')
        return;
    wr_init(&labels, octets, sizeof octets);
    (void)put_labels(&labels, b->p.name); /* bip_open() looked at it */
    ctlv_put(w, CTLV_NETWORK_ACCESS_NAME, b->comprehension, wr_view(&labels));
}

static void put_text(const struct bip *b, struct wr *w, const char *text)
{
    enum { EIGHT_BITS = 0xF4 }; /* data coding scheme (TS 23.038 4) */
    uint8_t octets[1 + BIP_CREDENTIAL_MAX];
    struct wr v;

    wr_init(&v, octets, sizeof octets);
    wr_put_u8(&v, EIGHT_BITS);
    wr_put_rd(&v, rd_str(text));
    ctlv_put(w, CTLV_TEXT, b->comprehension, wr_view(&v));
}

static void put_address(const struct bip *b, struct wr *w)
{
    uint8_t octets[1 + sizeof b->p.address.octets];
    struct wr v;

    wr_init(&v, octets, sizeof octets);
    wr_put_u8(&v, b->p.address.n == 4 ? IPV4 : IPV6);
    wr_put(&v, b->p.address.octets, b->p.address.n);
    ctlv_put(w, CTLV_ADDRESS, b->comprehension, wr_view(&v));
}

/* The order is that of TS 102 223 6.6.27.3: an address before the transport level is ours. */
static void put_open(struct cat_command *command, struct wr *w)
{
    const struct bip *b = command->ctx;
    const uint8_t transport[] = { (uint8_t)b->p.protocol, (uint8_t)(b->p.port >> 8),
                                  (uint8_t)b->p.port };

    command->qualifier =
        (uint8_t)((b->p.background ? BACKGROUND : IMMEDIATELY) | (b->p.dns ? DNS_REQUEST : 0));
    put_bearer(b, w);
    put_u16(w, CTLV_BUFFER_SIZE, b->comprehension, b->p.buffer_size);
    put_name(b, w);
    if (b->p.local_address)
        ctlv_put(w, CTLV_ADDRESS, b->comprehension, rd_of(NULL, 0));
    if (b->p.login[0] != '\0' || b->p.password[0] != '\0') {
        put_text(b, w, b->p.login);
        put_text(b, w, b->p.password);
    }
    ctlv_put(w, CTLV_TRANSPORT_LEVEL, b->comprehension, rd_of(transport, sizeof transport));
    put_address(b, w);
}

/* As much as goes into one command and into the terminal's buffer.  A datagram is flushed with its
 * last octet and never before; a stream also when the buffer is full. */
static void put_slice(struct cat_command *command, struct wr *w)
{
    struct bip *b = command->ctx;
    size_t room = b->buffer_size - b->stored;

    if (b->p.protocol == BIP_TCP && b->stored > 0 && b->tx_free > 0 && b->tx_free < MANY &&
        b->tx_free < room)
        room = b->tx_free;
    b->slice = b->sending.n < BIP_SLICE_MAX ? b->sending.n : BIP_SLICE_MAX;
    if (b->slice > room)
        b->slice = room;
    command->qualifier = b->slice == b->sending.n || b->slice == room ? FLUSH : 0;
    ctlv_put(w, CTLV_CHANNEL_DATA, b->comprehension, rd_of(b->sending.p, b->slice));
}

static void put_wanted(struct cat_command *command, struct wr *w)
{
    const struct bip *b = command->ctx;
    uint8_t wanted = b->waiting < BIP_RECEIVE_MAX ? b->waiting : BIP_RECEIVE_MAX;

    ctlv_put(w, CTLV_CHANNEL_DATA_LENGTH, b->comprehension, rd_of(&wanted, 1));
}

static void put_close(struct cat_command *command, struct wr *w)
{
    const struct bip *b = command->ctx;

    (void)w;
    command->qualifier = b->keep ? KEEP : 0;
}

/* --- what comes next -------------------------------------------------------------------------- */

static cat_ended_fn ended;

static bool submit(struct bip *b, enum cat_type type, cat_put_fn *put)
{
    bool to_terminal = type == CAT_OPEN_CHANNEL || type == CAT_GET_CHANNEL_STATUS;

    b->command = (struct cat_command){
        .type = type, .channel = to_terminal ? 0 : b->id, .put = put, .ended = ended, .ctx = b
    };
    return cat_submit(b->cat, &b->command);
}

/* What arrived is fetched before the link's end is told, and that before anything is sent. */
static bool next_of_open(struct bip *b)
{
    if (b->waiting > 0)
        return submit(b, CAT_RECEIVE_DATA, put_wanted);
    if (b->dropped) {
        b->state = BIP_CLOSING;
        return submit(b, CAT_CLOSE_CHANNEL, put_close);
    }
    if (b->asks_status)
        return submit(b, CAT_GET_CHANNEL_STATUS, NULL);
    return b->sending.n == 0 || submit(b, CAT_SEND_DATA, put_slice);
}

/* Puts the next command into the line, if there is one.  false: the terminal cannot any more. */
static bool next(struct bip *b)
{
    if (b->command.queued)
        return true;
    switch (b->state) {
    case BIP_OPENING:
        return submit(b, CAT_OPEN_CHANNEL, put_open);
    case BIP_OPEN:
        return next_of_open(b);
    case BIP_FINDING:
        return submit(b, CAT_GET_CHANNEL_STATUS, NULL);
    case BIP_CLOSING:
        return submit(b, CAT_CLOSE_CHANNEL, put_close);
    default:
        return true;
    }
}

static void rest(struct bip *b)
{
    b->state = BIP_REST;
    b->id = 0;
    b->sending = rd_of(NULL, 0);
}

static int finish(struct euicc *e, struct bip *b, enum bip_outcome why)
{
    rest(b);
    if (b->asked_to_close)
        return b->user->closed(e, b->ctx, BIP_OK);
    return b->told_open ? b->user->closed(e, b->ctx, why) : b->user->opened(e, b->ctx, why);
}

static int go_on(struct euicc *e, struct bip *b)
{
    return next(b) ? 0 : finish(e, b, BIP_REFUSED);
}

/* The terminal still has the channel. */
static int give_up(struct euicc *e, struct bip *b, enum bip_outcome why)
{
    b->state = BIP_CLOSING;
    b->why = why;
    b->tries = 0;
    b->sending = rd_of(NULL, 0);
    return go_on(e, b);
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool halve_buffer(struct bip *b)
{
    if (b->p.buffer_size / 2 < BIP_BUFFER_MIN)
        return false;
    b->p.buffer_size /= 2;
    return true;
}

/* Takes one thing off what was asked for; false: there is no more. */
static bool vary_one(struct bip *b, unsigned variant)
{
    bool had;

    switch (variant) {
    case 0:
        had = b->p.dns;
        b->p.dns = false;
        return had;
    case 1:
        had = b->p.name[0] != '\0' || b->p.login[0] != '\0' || b->p.password[0] != '\0';
        b->p.name[0] = b->p.login[0] = b->p.password[0] = '\0';
        return had;
    case 2:
        had = b->p.packet_service;
        b->p.packet_service = b->p.dns = false;
        return had;
    case 3:
        return halve_buffer(b);
    case 4:
        had = b->p.local_address;
        b->p.local_address = false;
        return had;
    default:
        had = b->comprehension;
        b->comprehension = false;
        return had;
    }
}

static bool vary(struct bip *b, const struct cat_result *r)
{
    enum { VARIANTS = 6 };

    if (r->general == CAT_BIP_ERROR)
        return halve_buffer(b);
    while (b->variant < VARIANTS)
        if (vary_one(b, b->variant++))
            return true;
    return false;
}

static struct bip *find(const struct cat *c, unsigned id)
{
    for (size_t i = 0; i < N_ELEMS(c->channels); i++)
        if (id != 0 && c->channels[i] != NULL && c->channels[i]->id == id)
            return c->channels[i];
    return NULL;
}

static bool take_address(struct rd v, struct bip_address *ret)
{
    if (!(v.n == 5 && v.p[0] == IPV4) && !(v.n == 17 && v.p[0] == IPV6))
        return false;
    ret->n = (uint8_t)(v.n - 1);
    memcpy(ret->octets, v.p + 1, ret->n);
    return true;
}

/* The channel as the terminal gives it; false: it gives none. */
static bool take_channel(struct bip *b, struct rd tlvs, bool *ret_link)
{
    struct rd v;

    if (!ctlv_find(tlvs, CTLV_CHANNEL_STATUS, &v) || v.n < 1)
        return false;
    uint8_t id = v.p[0] & STATUS_ID;
    if (id == 0 || find(b->cat, id) != NULL)
        return false;
    b->id = id;
    *ret_link = (v.p[0] & STATUS_LINK) != 0;
    b->buffer_size = b->p.buffer_size;
    if (ctlv_find(tlvs, CTLV_BUFFER_SIZE, &v) && v.n == 2 && (v.p[0] | v.p[1]) != 0)
        b->buffer_size = (uint16_t)(v.p[0] << 8 | v.p[1]);
    if (ctlv_find(tlvs, CTLV_ADDRESS, &v))
        (void)take_address(v, &b->local);
    for (unsigned i = 0; b->n_dns < BIP_DNS_MAX && ctlv_find_nth(tlvs, CTLV_DNS_SERVER, i, &v); i++)
        b->n_dns += take_address(v, &b->dns[b->n_dns]);
    return true;
}

static int link_is_there(struct euicc *e, struct bip *b)
{
    b->state = BIP_OPEN;
    b->told_open = true;
    int err = b->user->opened(e, b->ctx, BIP_OK);
    int more = go_on(e, b);
    return err != 0 ? err : more;
}

static int open_ended(struct euicc *e, struct bip *b, const struct cat_result *r)
{
    enum bip_outcome outcome = bip_classify(r);
    bool link;

    if (r->lost && cat_allows(&e->cat, CAT_CAN_CHANNEL_STATUS)) {
        b->state = BIP_FINDING; /* perhaps it has one, and nobody knows its number */
        return go_on(e, b);
    }
    if (outcome == BIP_TRY_VARIANT)
        return !b->asked_to_close && vary(b, r) ? go_on(e, b) : finish(e, b, BIP_REFUSED);
    if (outcome != BIP_OK)
        return finish(e, b, outcome == BIP_CLOSED ? BIP_RETRY_LATER : outcome);
    if (!take_channel(b, r->tlvs, &link)) {
        trace_check(&e->trace, "OPEN CHANNEL: the terminal names no channel, or one that is open "
                               "(TS 102 223 6.8.18)");
        return finish(e, b, BIP_REFUSED);
    }
    if (b->asked_to_close)
        return give_up(e, b, BIP_OK);
    if (b->p.background && !link) {
        b->state = BIP_LINKING;
        return 0;
    }
    return link_is_there(e, b);
}

/* A channel of the terminal's that no object has is the one whose number was lost. */
static int find_ended(struct euicc *e, struct bip *b, const struct cat_result *r)
{
    struct rd v;

    for (unsigned i = 0; ctlv_find_nth(r->tlvs, CTLV_CHANNEL_STATUS, i, &v); i++) {
        uint8_t id = v.n > 0 ? v.p[0] & STATUS_ID : 0;
        if (id == 0 || find(&e->cat, id) != NULL)
            continue;
        b->id = id;
        return give_up(e, b, BIP_RETRY_LATER);
    }
    return finish(e, b, BIP_RETRY_LATER);
}

/* --- while it is open ------------------------------------------------------------------------- */

static bool is_no_channel(const struct cat_result *r)
{
    enum { ID_INVALID = 0x03 };

    return r->general == CAT_BIP_ERROR && r->info.n > 0 && r->info.p[0] == ID_INVALID;
}

/* SEND DATA or RECEIVE DATA failed: the same once more, or the end of the channel. */
static int trouble(struct euicc *e, struct bip *b, const struct cat_result *r)
{
    enum bip_outcome outcome = bip_classify(r);

    if (is_no_channel(r))
        return finish(e, b, BIP_CLOSED);
    if (outcome == BIP_RETRY_LATER && !r->lost && ++b->tries < BIP_TRIES)
        return go_on(e, b); /* lost: nobody knows where the stream stands */
    if (outcome == BIP_TRY_VARIANT && b->comprehension) {
        b->comprehension = false;
        return go_on(e, b);
    }
    return give_up(e, b, outcome == BIP_TRY_VARIANT ? BIP_REFUSED : outcome);
}

static int send_ended(struct euicc *e, struct bip *b, const struct cat_result *r)
{
    struct rd v, out;
    int err = 0;

    if (bip_classify(r) != BIP_OK)
        return trouble(e, b, r);
    b->tries = 0;
    b->stored = b->command.qualifier & FLUSH ? 0 : b->stored + b->slice;
    b->tx_free = ctlv_find(r->tlvs, CTLV_CHANNEL_DATA_LENGTH, &v) && v.n == 1 ? v.p[0] : MANY;
    (void)rd_take(&b->sending, b->slice, &out);
    if (b->sending.n == 0)
        err = b->user->sent(e, b->ctx);
    int more = go_on(e, b);
    return err != 0 ? err : more;
}

static int receive_ended(struct euicc *e, struct bip *b, const struct cat_result *r)
{
    struct rd octets, v;
    uint8_t remaining = 0;
    int err = 0;

    if (bip_classify(r) != BIP_OK)
        return trouble(e, b, r);
    b->tries = 0;
    if (!ctlv_find(r->tlvs, CTLV_CHANNEL_DATA, &octets))
        octets = rd_of(NULL, 0);
    if (ctlv_find(r->tlvs, CTLV_CHANNEL_DATA_LENGTH, &v) && v.n == 1)
        remaining = v.p[0];
    b->waiting = remaining > 0 ? remaining : b->latched;
    b->latched = 0;
    b->empties = octets.n > 0 ? 0 : b->empties + 1;
    if (b->empties >= BIP_TRIES)
        b->waiting = 0; /* until the next event */
    if (octets.n > 0)
        err = b->user->received(e, b->ctx, octets, remaining);
    int more = go_on(e, b);
    return err != 0 ? err : more;
}

static int check_ended(struct euicc *e, struct bip *b, const struct cat_result *r)
{
    struct rd v;

    b->asks_status = false;
    if (bip_classify(r) != BIP_OK)
        return go_on(e, b);
    for (unsigned i = 0; ctlv_find_nth(r->tlvs, CTLV_CHANNEL_STATUS, i, &v); i++) {
        if (v.n < 1 || (v.p[0] & STATUS_ID) != b->id)
            continue;
        if (!(v.p[0] & STATUS_LINK)) {
            b->dropped = true;
            b->why = BIP_CLOSED;
        }
        return go_on(e, b);
    }
    return finish(e, b, BIP_CLOSED);
}

static int close_ended(struct euicc *e, struct bip *b, const struct cat_result *r)
{
    enum bip_outcome outcome = bip_classify(r);

    if ((outcome == BIP_RETRY_LATER || outcome == BIP_NO_SERVICE) && ++b->tries < BIP_TRIES)
        return go_on(e, b);
    if (outcome == BIP_TRY_VARIANT && b->keep) {
        b->keep = false;
        return go_on(e, b);
    }
    return finish(e, b, b->why);
}

static int ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    struct bip *b = ctx;

    if (bip_classify(r) != BIP_OK) {
        b->general = r->general;
        b->additional = r->info.n > 0 ? r->info.p[0] : 0;
        trace_note(&e->trace, "channel %u: general result %02X %02X for a command %02X", b->id,
                   b->general, b->additional, b->command.type);
    }
    if (b->state == BIP_OPENING)
        return open_ended(e, b, r);
    if (b->state == BIP_FINDING)
        return find_ended(e, b, r);
    if (b->command.type == CAT_CLOSE_CHANNEL)
        return close_ended(e, b, r);
    if (b->state == BIP_CLOSING) /* its owner closed it while something was on its way */
        return is_no_channel(r) ? finish(e, b, b->why) : go_on(e, b);
    if (b->command.type == CAT_SEND_DATA)
        return send_ended(e, b, r);
    if (b->command.type == CAT_RECEIVE_DATA)
        return receive_ended(e, b, r);
    return check_ended(e, b, r);
}

/* --- events ----------------------------------------------------------------------------------- */

static int data_available(struct euicc *e, struct bip *b, struct rd tlvs)
{
    struct rd v;
    uint8_t n =
        ctlv_find(tlvs, CTLV_CHANNEL_DATA_LENGTH, &v) && v.n == 1 && v.p[0] > 0 ? v.p[0] : MANY;

    b->empties = 0;
    if (b->command.type == CAT_RECEIVE_DATA && cat_is_fetched(b->cat, &b->command))
        b->latched = n; /* on top of what that one brings */
    else
        b->waiting = n;
    return go_on(e, b);
}

static int channel_status(struct euicc *e, struct bip *b, bool link)
{
    if (b->state == BIP_LINKING)
        return link ? link_is_there(e, b) : give_up(e, b, BIP_RETRY_LATER);
    if (b->state != BIP_OPEN || link)
        return 0;
    b->dropped = true;
    b->why = BIP_CLOSED;
    b->sending = rd_of(NULL, 0);
    if (b->command.type == CAT_SEND_DATA)
        cat_withdraw(b->cat, &b->command);
    return go_on(e, b);
}

static int event(struct euicc *e, enum cat_event which, struct rd tlvs)
{
    struct rd v;

    if (!ctlv_find(tlvs, CTLV_CHANNEL_STATUS, &v) || v.n < 1)
        return ERR_INPUT;
    struct bip *b = find(&e->cat, v.p[0] & STATUS_ID);
    if (b == NULL) {
        trace_note(&e->trace, "an event of channel %u, which is not open", v.p[0] & STATUS_ID);
        return 0;
    }
    if (which == CAT_EVENT_DATA_AVAILABLE)
        return data_available(e, b, tlvs);
    return channel_status(e, b, (v.p[0] & STATUS_LINK) != 0);
}

static const struct cat_owner channels = { .name = "BIP", .event = event };

/* --- for owners ------------------------------------------------------------------------------- */

bool bip_init(struct euicc *e, struct bip *b, const struct bip_user *user, void *ctx)
{
    struct cat *c = &e->cat;

    for (size_t i = 0; i < N_ELEMS(c->channels); i++) {
        if (c->channels[i] != NULL)
            continue;
        if (!cat_register(c, &channels))
            return false;
        c->channels[i] = b;
        *b = (struct bip){ .user = user, .ctx = ctx, .cat = c };
        cat_want_events(c, &channels,
                        cat_event_bit(CAT_EVENT_DATA_AVAILABLE) |
                            cat_event_bit(CAT_EVENT_CHANNEL_STATUS));
        return true;
    }
    return false;
}

bool bip_can(const struct cat *c, enum bip_protocol protocol)
{
    static const enum cat_facility needed[] = {
        CAT_CAN_SET_UP_EVENT_LIST, CAT_CAN_EVENT_DATA_AVAILABLE, CAT_CAN_EVENT_CHANNEL_STATUS,
        CAT_CAN_OPEN_CHANNEL,      CAT_CAN_CLOSE_CHANNEL,        CAT_CAN_RECEIVE_DATA,
        CAT_CAN_SEND_DATA,
    };

    for (size_t i = 0; i < N_ELEMS(needed); i++)
        if (!cat_allows(c, needed[i]))
            return false;
    return c->terminal.has_profile && cat_channel_count(c) > 0 &&
           cat_allows(c, protocol == BIP_TCP ? CAT_CAN_TCP : CAT_CAN_UDP);
}

static unsigned count_used(const struct cat *c)
{
    unsigned n = 0;

    for (size_t i = 0; i < N_ELEMS(c->channels); i++)
        n += c->channels[i] != NULL && c->channels[i]->state != BIP_REST;
    return n;
}

bool bip_is_used(const struct cat *c)
{
    return count_used(c) > 0;
}

static bool is_right(const struct bip_parameters *p)
{
    uint8_t octets[BIP_NAME_MAX + 1];
    struct wr labels;

    wr_init(&labels, octets, sizeof octets);
    return (p->protocol == BIP_UDP || p->protocol == BIP_TCP) &&
           (p->address.n == 4 || p->address.n == 16) &&
           (p->name[0] == '\0' || (put_labels(&labels, p->name) && wr_failed(&labels) == 0));
}

bool bip_open(struct bip *b, const struct bip_parameters *p)
{
    const struct cat *c = b->cat;

    if (b->state != BIP_REST || b->command.queued || !is_right(p) || !bip_can(c, p->protocol) ||
        count_used(c) >= cat_channel_count(c))
        return false;
    *b = (struct bip){ .user = b->user, .ctx = b->ctx, .cat = b->cat, .p = *p };
    b->comprehension = c->comprehension;
    if (b->p.buffer_size == 0)
        b->p.buffer_size = USUAL_BUFFER;
    if (!cat_allows(c, CAT_CAN_PACKET_SERVICE) && !cat_allows(c, CAT_CAN_E_UTRAN))
        b->p.packet_service = false;
    if (!b->p.packet_service || !cat_allows(c, CAT_CAN_DNS_REQUEST))
        b->p.dns = false;
    b->state = BIP_OPENING;
    if (next(b))
        return true;
    rest(b);
    return false;
}

bool bip_send(struct bip *b, struct rd octets)
{
    if (b->state != BIP_OPEN || b->dropped || b->sending.n > 0 || octets.n == 0 ||
        (b->p.protocol == BIP_UDP && octets.n > b->buffer_size))
        return false;
    b->sending = octets;
    b->stored = 0;
    if (next(b))
        return true;
    b->sending = rd_of(NULL, 0);
    return false;
}

bool bip_close(struct bip *b, bool keep)
{
    if (b->state == BIP_REST)
        return false;
    b->asked_to_close = true;
    b->keep = keep && cat_allows(b->cat, CAT_CAN_KEEP_CONNECTION);
    if (b->state == BIP_FINDING || (b->state == BIP_OPENING && !cat_withdraw(b->cat, &b->command)))
        return true;
    if (b->state == BIP_OPENING) {
        rest(b);
        return false;
    }
    cat_withdraw(b->cat, &b->command);
    b->state = BIP_CLOSING;
    b->sending = rd_of(NULL, 0);
    if (next(b))
        return true;
    rest(b);
    return false;
}

bool bip_check(struct bip *b)
{
    if (b->state != BIP_OPEN || !cat_allows(b->cat, CAT_CAN_CHANNEL_STATUS))
        return false;
    b->asks_status = true;
    b->asks_status = next(b);
    return b->asks_status;
}
