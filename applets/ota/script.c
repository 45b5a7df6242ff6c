/* script.c - remote commands in compact and expanded format (ETSI TS 102 226 5.2).
 *
 *     compact    { CLA INS P1 P2 P3 [data] }                    answered by  count SW [last data]
 *     expanded   AA len { 22 len C-APDU }   answered by  AB len { 80 01 count { 23 len R-APDU } }
 *                AE 80 { 22 len C-APDU } 0000                   AF 80 { 23 len R-APDU } 0000
 *
 * The first octet tells which: no command class of the compact format is AA or AE. */
#include "applets/ota/script.h"

#include <string.h>

#include "os/euicc.h"
#include "os/tlv.h"

enum {
    TAG_COMMANDS = 0xAA, /* TS 101 220 table 7.18 */
    TAG_COMMANDS_INDEFINITE = 0xAE,
    TAG_RESPONSES = 0xAB,
    TAG_RESPONSES_INDEFINITE = 0xAF,
    TAG_C_APDU = 0x22,
    TAG_R_APDU = 0x23,
    TAG_COUNT = 0x80,
    TAG_BAD_FORMAT = 0x90,
    INDEFINITE = 0x80,
    BAD_UNKNOWN_TAG = 0x01,
    BAD_LENGTH = 0x02,

    HEADER_LEN = 5, /* of a compact command */
    RESPONSE_MAX = APDU_MAX_SHORT_LE + 2,
    COUNT_MAX = 255,
    TEMPLATE_OVERHEAD = 3 + 3 + 3, /* of AB and 80, and of 90 at the end */
    R_APDU_OVERHEAD = 3,
};

/* One command's answer, status word last. */
struct answer {
    uint8_t octets[RESPONSE_MAX];
    size_t n;
};

static uint16_t sw_of(const struct answer *a)
{
    return (uint16_t)(a->octets[a->n - 2] << 8 | a->octets[a->n - 1]);
}

static void set_sw(struct answer *a, size_t data_len, uint16_t sw)
{
    a->octets[data_len] = (uint8_t)(sw >> 8);
    a->octets[data_len + 1] = (uint8_t)sw;
    a->n = data_len + 2;
}

static bool goes_on(uint16_t sw)
{
    switch (sw >> 8) {
    case 0x61:
    case 0x63:
    case 0x90:
    case 0x91:
    case 0x92:
        return true;
    case 0x62:
        return sw != SW_MORE_DATA;
    default:
        return false;
    }
}

static const struct script_command *find(const struct script *s, uint8_t ins)
{
    for (size_t i = 0; i < s->n_commands; i++)
        if (s->commands[i].ins == ins)
            return &s->commands[i];
    return NULL;
}

/* 0, or the status word that refuses the command before it is run. */
static uint16_t check(const struct script *s, const struct apdu *a, struct cla *ret_cla)
{
    const struct trace *trace = &s->session->euicc->trace;
    uint16_t sw = cla_parse(a->cla, ret_cla);

    if (sw == SW_OK && (ret_cla->channel != 0 || ret_cla->secured || ret_cla->chained))
        sw = SW_CLA_NOT_SUPPORTED;
    if (sw == SW_OK && a->ins != INS_GET_RESPONSE && find(s, a->ins) == NULL)
        sw = SW_INS_NOT_SUPPORTED;
    if (sw == SW_OK)
        return 0;
    trace_check(trace, "%02X %02X in a remote script: %s (TS 102 226 6)", a->cla, a->ins,
                sw_text(sw));
    return sw;
}

static void run_one(const struct script *s, struct apdu *a, struct answer *ret)
{
    struct euicc *e = s->session->euicc;
    struct cla cla;
    uint16_t sw = check(s, a, &cla);

    if (sw != 0) {
        set_sw(ret, 0, sw);
        return;
    }
    if (a->ins == INS_GET_RESPONSE) {
        ret->n = chain_get_response(&s->session->chain, a, ret->octets);
        return;
    }
    trace_note(&e->trace, "remote %s", find(s, a->ins)->name);
    sw = chain_take(&s->session->chain, false, a);
    if (sw != SW_OK) {
        set_sw(ret, 0, sw);
        return;
    }
    sw = s->run(s->ctx, &cla, a);
    ret->n = chain_answer(&s->session->chain, a, e->answer.p, e->answer.n, sw, ret->octets);
}

/* Leaves out data beyond room octets. */
static void shorten(struct answer *a, size_t room)
{
    if (a->n - 2 > room)
        set_sw(a, room, SW_MORE_DATA);
}

/* --- compact format --------------------------------------------------------------------------- */

/* Whether P3 is Lc or Le tells the instruction. */
static int take_compact(const struct script *s, struct rd *in, struct apdu *ret)
{
    struct rd header, data = { NULL, 0 };

    TRY(rd_take(in, HEADER_LEN, &header));
    const uint8_t *h = header.p;
    const struct script_command *c = find(s, h[1]);
    bool outgoing = h[1] == INS_GET_RESPONSE || (c != NULL && c->outgoing);
    if (!outgoing)
        TRY(rd_take(in, h[4], &data));
    *ret = (struct apdu){
        .cla = h[0],
        .ins = h[1],
        .p1 = h[2],
        .p2 = h[3],
        .data = data.p,
        .lc = data.n,
        .le = !outgoing   ? 0
              : h[4] == 0 ? APDU_MAX_SHORT_LE
                          : h[4],
    };
    return 0;
}

static int run_compact(const struct script *s, struct rd in, size_t room, struct wr *ret)
{
    enum { COUNT_AND_SW = 3 };
    struct answer last;
    uint8_t count = 0;
    struct apdu a;

    set_sw(&last, 0, SW_OK);
    while (in.n > 0 && count < COUNT_MAX && goes_on(sw_of(&last))) {
        count++;
        if (take_compact(s, &in, &a) == 0) {
            run_one(s, &a, &last);
            continue;
        }
        trace_check(&s->session->euicc->trace,
                    "the remote script ends within a command (TS 102 226 "
                    "5.2.1)");
        set_sw(&last, 0, SW_WRONG_LENGTH);
    }
    shorten(&last, room > COUNT_AND_SW ? room - COUNT_AND_SW : 0);
    wr_put_u8(ret, count);
    wr_put(ret, last.octets + last.n - 2, 2);
    wr_put(ret, last.octets, last.n - 2);
    crypto_wipe(&last, sizeof last);
    return wr_failed(ret);
}

/* --- expanded format -------------------------------------------------------------------------- */

/* 0, or what is wrong with the format. */
static int take_expanded(struct rd *in, struct apdu *ret)
{
    struct tlv t;

    if (tlv_get(in, &t) != 0)
        return BAD_LENGTH;
    if (t.tag != TAG_C_APDU)
        return BAD_UNKNOWN_TAG;
    if (apdu_parse(t.value.p, t.value.n, ret) != SW_OK || ret->extended)
        return BAD_LENGTH;
    return 0;
}

/* The commands of a template.  Their R-APDUs go to ret; returns how many ran. */
static uint8_t run_expanded(const struct script *s, struct rd in, size_t room, struct wr *ret,
                            int *ret_bad)
{
    struct answer answer;
    uint8_t count = 0;
    struct apdu a;

    set_sw(&answer, 0, SW_OK);
    *ret_bad = 0;
    while (in.n > 0 && count < COUNT_MAX && goes_on(sw_of(&answer))) {
        size_t least = ret->n + R_APDU_OVERHEAD + 2;

        if (least > room) {
            trace_check(&s->session->euicc->trace,
                        "the answers of a remote script do not fit (TS 102 226 5.2.2)");
            break;
        }
        *ret_bad = take_expanded(&in, &a);
        if (*ret_bad != 0) {
            trace_check(&s->session->euicc->trace, "no command in a remote script (TS 102 226 "
                                                   "5.2.1.2)");
            break;
        }
        run_one(s, &a, &answer);
        shorten(&answer, room - least);
        tlv_put(ret, TAG_R_APDU, rd_of(answer.octets, answer.n));
        count++;
    }
    crypto_wipe(&answer, sizeof answer);
    return count;
}

static int answer_definite(const struct script *s, struct rd in, size_t room, struct wr *ret)
{
    struct wr responses;
    int bad;

    wr_init_heap(&responses, room);
    uint8_t count = run_expanded(s, in, room - TEMPLATE_OVERHEAD, &responses, &bad);
    struct wr_mark m = tlv_open(ret, TAG_RESPONSES);
    tlv_put_u8(ret, TAG_COUNT, count);
    wr_put_rd(ret, wr_view(&responses));
    if (bad != 0)
        tlv_put_u8(ret, TAG_BAD_FORMAT, (uint8_t)bad);
    tlv_close(ret, m);
    int err = wr_failed(&responses);
    wr_done(&responses);
    return err != 0 ? err : wr_failed(ret);
}

static int answer_indefinite(const struct script *s, struct rd in, size_t room, struct wr *ret)
{
    static const uint8_t start[] = { TAG_RESPONSES_INDEFINITE, INDEFINITE }, end[] = { 0, 0 };
    struct wr responses;
    int bad;

    wr_init_heap(&responses, room);
    (void)run_expanded(s, in, room - TEMPLATE_OVERHEAD, &responses, &bad);
    wr_put(ret, start, sizeof start);
    wr_put_rd(ret, wr_view(&responses));
    if (bad != 0)
        tlv_put_u8(ret, TAG_BAD_FORMAT, (uint8_t)bad);
    wr_put(ret, end, sizeof end);
    int err = wr_failed(&responses);
    wr_done(&responses);
    return err != 0 ? err : wr_failed(ret);
}

/* AE 80 ... 00 00: what stands between. */
static bool is_indefinite(struct rd in, struct rd *ret_body)
{
    enum { START = 2, END = 2 };

    if (in.n < START + END || in.p[0] != TAG_COMMANDS_INDEFINITE || in.p[1] != INDEFINITE ||
        in.p[in.n - 2] != 0 || in.p[in.n - 1] != 0)
        return false;
    *ret_body = rd_of(in.p + START, in.n - START - END);
    return true;
}

int script_run(const struct script *s, struct rd in, size_t room, struct wr *ret)
{
    struct rd body;
    struct tlv t;

    if (in.n == 0 || room <= TEMPLATE_OVERHEAD + R_APDU_OVERHEAD + 2)
        return 0;
    if (is_indefinite(in, &body))
        return answer_indefinite(s, body, room, ret);
    if (in.p[0] != TAG_COMMANDS && in.p[0] != TAG_COMMANDS_INDEFINITE)
        return run_compact(s, in, room, ret);
    if (tlv_expect(&in, TAG_COMMANDS, &t) != 0 || in.n != 0) {
        trace_check(&s->session->euicc->trace,
                    "the command scripting template is broken (TS 102 226 5.2.1.2)");
        t.value = rd_of(NULL, 0);
    }
    return answer_definite(s, t.value, room, ret);
}
