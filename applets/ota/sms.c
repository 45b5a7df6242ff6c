/* sms.c - SMS-PP download: a short message for the card, its parts, and the delivery report
 * (3GPP TS 31.111 7.1.1, TS 31.115 4, TS 23.040 9.2).
 *
 * State: the parts of one concatenated message; another one takes its place. */
#include "applets/ota/sms.h"

#include <stdlib.h>
#include <string.h>

#include "applets/ota/ota.h"
#include "os/tlv.h"

enum {
    TAG_SMS_PP_DOWNLOAD = 0xD1, /* TS 31.111 7.1.1.2 */
    TAG_TPDU = 0x8B,
    CR = 0x80, /* comprehension required, in simple TLV tags */

    TYPE_MASK = 0x03, /* TS 23.040 9.2.3.1: SMS-DELIVER is 0 */
    HAS_HEADER = 0x40,
    TIME_STAMP_LEN = 7,
    ADDRESS_DIGITS_MAX = 20,
    PID_DOWNLOAD = 0x7F, /* TS 23.040 9.2.3.9: (U)SIM data download */

    IEI_CONCATENATED = 0x00, /* TS 23.040 9.2.3.24 */
    IEI_CONCATENATED_16 = 0x08,
    IEI_COMMAND_PACKET = 0x70, /* TS 31.115 4 */
    IEI_RESPONSE_PACKET = 0x71,

    REPORT_MAX = 159, /* user data of an SMS-DELIVER-REPORT, TS 23.040 9.2.2.1a */
};

static const uint8_t report_header[] = { 2, IEI_RESPONSE_PACKET, 0 };

struct part {
    size_t n; /* 0: not here yet */
    uint8_t octets[SMS_USER_DATA_MAX];
};

struct sms_state {
    uint8_t sender[SMS_ADDRESS_MAX];
    size_t sender_len;
    unsigned reference, total;
    bool command;
    struct part *parts; /* total of them, from malloc; NULL: nothing is awaited */
};

/* --- one message ------------------------------------------------------------------------------ */

/* Data coding schemes of eight bits, class 2 (TS 23.038 4). */
static bool is_for_card(uint8_t pid, uint8_t dcs)
{
    return pid == PID_DOWNLOAD && (dcs == 0xF6 || dcs == 0x16);
}

/* A number or sequence that cannot be makes the element count for nothing (TS 23.040 9.2.3.24.1).
 */
static void take_concatenation(unsigned reference, unsigned total, unsigned number, struct sms *ret)
{
    if (number == 0 || number > total)
        return;
    ret->reference = reference;
    ret->total = total;
    ret->number = number;
}

static int parse_header(struct rd header, struct sms *ret)
{
    while (header.n > 0) {
        struct rd id_len, v;

        TRY(rd_take(&header, 2, &id_len));
        TRY(rd_take(&header, id_len.p[1], &v));
        switch (id_len.p[0]) {
        case IEI_CONCATENATED:
            if (v.n == 3)
                take_concatenation(v.p[0], v.p[1], v.p[2], ret);
            break;
        case IEI_CONCATENATED_16:
            if (v.n == 4)
                take_concatenation((unsigned)(v.p[0] << 8 | v.p[1]), v.p[2], v.p[3], ret);
            break;
        case IEI_COMMAND_PACKET:
            ret->command = true;
            break;
        default:
            break;
        }
    }
    return 0;
}

static int parse_user_data(struct rd data, bool has_header, struct sms *ret)
{
    struct rd len, header;

    ret->text = data;
    if (!has_header)
        return 0;
    TRY(rd_take(&data, 1, &len));
    TRY(rd_take(&data, len.p[0], &header));
    ret->text = data;
    return parse_header(header, ret);
}

int sms_parse(struct rd tpdu, struct sms *ret)
{
    struct sms m = { .total = 1, .number = 1 };
    struct rd first, address, protocol, skipped, len;

    TRY(rd_take(&tpdu, 1, &first));
    if ((first.p[0] & TYPE_MASK) != 0 || tpdu.n == 0 || tpdu.p[0] > ADDRESS_DIGITS_MAX)
        return ERR_INPUT;
    TRY(rd_take(&tpdu, 2 + (size_t)(tpdu.p[0] + 1) / 2, &address));
    TRY(rd_take(&tpdu, 2, &protocol));
    TRY(rd_take(&tpdu, TIME_STAMP_LEN, &skipped));
    TRY(rd_take(&tpdu, 1, &len));
    m.sender = address;
    m.for_card = is_for_card(protocol.p[0], protocol.p[1]);
    if (!m.for_card) { /* a length in septets, maybe: it is not looked at */
        *ret = m;
        return 0;
    }
    if (len.p[0] != tpdu.n || tpdu.n > SMS_USER_DATA_MAX)
        return ERR_INPUT;
    TRY(parse_user_data(tpdu, first.p[0] & HAS_HEADER, &m));
    *ret = m;
    return 0;
}

/* --- its parts -------------------------------------------------------------------------------- */

static void forget(struct sms_state *state)
{
    if (state->parts != NULL)
        crypto_wipe(state->parts, state->total * sizeof *state->parts);
    free(state->parts);
    memset(state, 0, sizeof *state);
}

static bool is_awaited(const struct sms_state *state, const struct sms *m)
{
    return state->parts != NULL && state->reference == m->reference && state->total == m->total &&
           rd_equal(rd_of(state->sender, state->sender_len), m->sender);
}

static int await(struct sms_state *state, const struct sms *m)
{
    forget(state);
    state->parts = calloc(m->total, sizeof *state->parts);
    if (state->parts == NULL)
        return ERR_NOMEM;
    memcpy(state->sender, m->sender.p, m->sender.n);
    state->sender_len = m->sender.n;
    state->reference = m->reference;
    state->total = m->total;
    return 0;
}

/* Puts a part in its place; all together go to ret once the last one is here. */
static int join(struct sms_state *state, const struct sms *m, struct wr *ret, bool *ret_command)
{
    if (!is_awaited(state, m))
        TRY(await(state, m));
    struct part *p = &state->parts[m->number - 1];
    p->n = m->text.n;
    if (p->n > 0)
        memcpy(p->octets, m->text.p, m->text.n);
    state->command = state->command || (m->number == 1 && m->command);
    for (unsigned i = 0; i < state->total; i++)
        if (state->parts[i].n == 0)
            return 0;
    for (unsigned i = 0; i < state->total; i++)
        wr_put(ret, state->parts[i].octets, state->parts[i].n);
    *ret_command = state->command;
    forget(state);
    return wr_failed(ret);
}

/* --- ENVELOPE --------------------------------------------------------------------------------- */

/* Runs a command packet.  What ran before in the answer's place is no answer of ours. */
static int run(struct euicc *e, struct rd packet, struct rd sender, struct wr *rsp)
{
    const struct ota_transport report = {
        .before = rd_of(report_header, sizeof report_header),
        .room = REPORT_MAX - sizeof report_header,
        .sender = sender,
    };
    uint8_t octets[REPORT_MAX];
    struct wr answer;

    wr_init(&answer, octets, sizeof octets);
    int err = ota_receive(e, packet, &report, &answer);
    wr_clear(rsp);
    if (err == 0 && answer.n > 0) {
        wr_put(rsp, report_header, sizeof report_header);
        wr_put_rd(rsp, wr_view(&answer));
    }
    return err;
}

static int take_message(struct session *s, const struct sms *m, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    uint8_t octets[SMS_PARTS_MAX * SMS_USER_DATA_MAX];
    struct wr whole;
    bool command = false;

    if (!m->for_card) {
        trace_note(&e->trace, "a short message that is not for the card (TS 31.111 7.1.1)");
        return 0;
    }
    if (m->total > SMS_PARTS_MAX) {
        trace_check(&e->trace, "a short message in %u parts is too long (TS 23.040 9.2.3.24.1)",
                    m->total);
        return SW_NOT_ENOUGH_MEMORY;
    }
    wr_init(&whole, octets, sizeof octets);
    if (m->total > 1) {
        TRY(join(euicc_state(e, &sms_applet), m, &whole, &command));
    } else {
        wr_put_rd(&whole, m->text);
        command = m->command;
    }
    int result = command ? run(e, wr_view(&whole), m->sender, rsp) : 0;
    if (!command && whole.n > 0)
        trace_note(&e->trace, "a short message without a command packet (TS 31.115 4)");
    crypto_wipe(octets, sizeof octets);
    return result;
}

static int envelope(struct session *s, struct rd data, struct wr *rsp)
{
    struct tlv download, tpdu;
    struct sms m;

    if (data.n == 0 || data.p[0] != TAG_SMS_PP_DOWNLOAD)
        return ENVELOPE_NOT_MINE;
    if (tlv_expect(&data, TAG_SMS_PP_DOWNLOAD, &download) != 0 || data.n != 0 ||
        (!tlv_find(download.value, TAG_TPDU, &tpdu) &&
         !tlv_find(download.value, TAG_TPDU & ~CR, &tpdu)) ||
        sms_parse(tpdu.value, &m) != 0) {
        trace_check(&s->euicc->trace, "SMS-PP download without an SMS-DELIVER (TS 31.111 7.1.1.2)");
        return ERR_INPUT;
    }
    return take_message(s, &m, rsp);
}

static void stop(struct euicc *e)
{
    forget(euicc_state(e, &sms_applet));
}

const struct applet sms_applet = {
    .name = "SMS-PP",
    .state_size = sizeof(struct sms_state),
    .stop = stop,
    .envelope = envelope,
};
