/* ipa_eim.c - a conversation with one eIM: exchanges, results and their acknowledgements,
 * notifications (SGP.32 3.3.1, 3.7, 5.14.6, 5.14.7). */
#include "lab/ipa_eim.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lab/codes.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TELL_MAX = 1024,
    CARD_LIST_MAX = 1024 * 1024,
    RETRY_SECONDS = 1,

    TAG_RETRIEVE_NOTIFICATIONS = 0xBF2B,
    TAG_LIST_ERROR = 0x81,
};

void eim_tell(const struct eim_session *s, const char *step, const char *fmt, ...)
{
    char text[TELL_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (s->ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "eim", s->config->id);
        cJSON_AddStringToObject(out, "step", step);
        cJSON_AddStringToObject(out, "what", text);
        ipa_print_json(out);
    } else {
        printf("%s: %s: %s\n", s->config->id, step, text);
    }
    fflush(stdout);
}

int eim_exchange(struct eim_session *s, struct rd *ret, struct lab_error *e)
{
    if (wr_failed(&s->request) != 0)
        return lab_fail(e, "the message to the eIM is too long");
    TRY(esipa_call(s->client, wr_view(&s->request), &s->answer, e));
    *ret = wr_view(&s->answer);
    return 0;
}

bool eim_is_indirect(const struct eim_session *s)
{
    return (s->features & FEATURE_INDIRECT) != 0 &&
           (s->config->indirect || s->version == ESIPA_V1_0 || !(s->features & FEATURE_DIRECT));
}

/* --- results and acknowledgements ------------------------------------------------------------- */

void eim_remove_acknowledged(struct eim_session *s, const struct esipa_acks *acks)
{
    struct rd list = acks->list;
    struct lab_error e;
    uint64_t number;

    while (esipa_next_ack(&list, &number)) {
        unsigned long long seq = number;
        if (ipa_notification_sent(s->ipa, seq, &e) == 0)
            eim_tell(s, "acknowledged", "%llu removed from the card", seq);
        else /* some eIMs acknowledge numbers of their own */
            eim_tell(s, "acknowledged", "%llu: %s", seq, e.text);
    }
}

/* An eIM of v1.0 need not acknowledge: its answer says that it has the result (SGP.32 3.3.1). */
static void remove_provided(struct eim_session *s)
{
    struct lab_error e;
    uint64_t seq;

    if (esipa_read_provided(wr_view(&s->request), &seq) == 0 &&
        ipa_notification_sent(s->ipa, seq, &e) == 0)
        eim_tell(s, "delivered", "%llu removed from the card", (unsigned long long)seq);
}

static int provide_once(struct eim_session *s, struct esipa_acks *ret_acks, struct lab_error *e)
{
    struct rd answer;

    if (s->silent)
        return lab_fail(e, "ProvideEimPackageResult: not delivered, as --no-provide says");
    TRY(eim_exchange(s, &answer, e));
    s->reached = true;
    if (esipa_read_acks(answer, ret_acks) != 0)
        return lab_fail(e, "ProvideEimPackageResult: the answer of the eIM is malformed");
    return 0;
}

int eim_provide(struct eim_session *s, struct rd contents, unsigned attempts, struct lab_error *e)
{
    struct esipa_acks acks;
    int r = ERR_INPUT;

    s->reached = false;
    wr_clear(&s->request);
    struct wr_mark mark = esipa_open_result(&s->request, s->version, rd_of(s->eid, IPA_EID_LEN));
    wr_put_rd(&s->request, contents);
    tlv_close(&s->request, mark);
    for (unsigned i = 0; i < attempts && r != 0 && !s->reached; i++) {
        if (i > 0 && !s->silent)
            sleep(RETRY_SECONDS);
        r = provide_once(s, &acks, e);
        if (r != 0)
            eim_tell(s, "provideEimPackageResult", "attempt %u of %u: %s", i + 1, attempts,
                     e->text);
    }
    TRY(r);
    if (acks.error != 0)
        return lab_fail(e, "ProvideEimPackageResult: %s(%llu)",
                        code_name(CODES_PROVIDE_RESULT, (long)acks.error),
                        (unsigned long long)acks.error);
    eim_tell(s, "provideEimPackageResult", "delivered, %zu acknowledged", acks.n);
    eim_remove_acknowledged(s, &acks);
    if (!acks.given && s->version == ESIPA_V1_0)
        remove_provided(s);
    return 0;
}

/* --- what the card holds ---------------------------------------------------------------------- */

/* RetrieveNotificationsList (5.9.11): one arm of the answer. */
static int retrieve(struct ipa *ipa, bool results, struct rd *ret, struct lab_error *e)
{
    uint8_t room[16];
    struct wr request;
    struct rd answer;
    struct tlv part;
    uint64_t code;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_RETRIEVE_NOTIFICATIONS);
    if (results) {
        struct wr_mark criteria = tlv_open(&request, 0xA0);
        tlv_put(&request, 0x82, rd_of(NULL, 0));
        tlv_close(&request, criteria);
    }
    tlv_close(&request, mark);
    TRY(ipa_call(ipa, &request, &answer, e));
    if (tlv_find(answer, TAG_LIST_ERROR, &part) && tlv_uint(part.value, &code) == 0)
        return lab_fail(e, "RetrieveNotificationsList: %s(%llu)",
                        code_name(CODES_NOTIFICATIONS, (long)code), (unsigned long long)code);
    *ret = rd_of(NULL, 0);
    if (tlv_find(answer, results ? 0xA2 : 0xA0, &part))
        *ret = part.value;
    else if (tlv_find(answer, 0xA3, &part) && /* SGP.32 v1.0.1: both lists */
             tlv_find(part.value, results ? 0xA1 : 0xA0, &part))
        *ret = part.value;
    return tlv_all_whole(*ret) ? 0 : lab_fail(e, "RetrieveNotificationsList: a damaged list");
}

int eim_read_package_results(struct eim_session *s, struct wr *ret, struct lab_error *e)
{
    struct rd list;

    TRY(retrieve(s->ipa, true, &list, e));
    wr_clear(ret);
    wr_put_rd(ret, list);
    return wr_failed(ret) == 0 ? 0 : lab_fail(e, "the card holds too many results");
}

int eim_read_notifications(struct eim_session *s, struct wr *ret, struct lab_error *e)
{
    struct rd list;
    struct tlv t;

    TRY(retrieve(s->ipa, false, &list, e));
    wr_clear(ret);
    while (list.n > 0 && tlv_get(&list, &t) == 0)
        if (!(s->features & FEATURE_COMPACT) || compact_notification(t.whole, ret) != 0)
            wr_put_rd(ret, t.whole);
    return wr_failed(ret) == 0 ? 0 : lab_fail(e, "the card holds too many notifications");
}

/* --- HandleNotification ----------------------------------------------------------------------- */

/* The sequence number of a PendingNotification, compact or not. */
static int read_seq_number(struct rd whole, uint64_t *ret)
{
    struct rd in = whole, unused;
    struct tlv t, seq;

    if (tlv_expect(&in, 0xA0, &t) != 0)
        return esipa_read_notification(whole, ret, &unused);
    return tlv_find(t.value, 0xA0, &t) && tlv_find(t.value, 0x02, &seq) /* compact */
               ? tlv_uint(seq.value, ret)
               : ERR_INPUT;
}

int eim_handle_notification(struct eim_session *s, struct rd whole, struct lab_error *e)
{
    struct rd answer;
    uint64_t seq;

    if (read_seq_number(whole, &seq) != 0)
        return lab_fail(e, "the card gives a damaged notification");
    if (s->silent)
        return lab_fail(e, "HandleNotification: not delivered, as --no-provide says");
    wr_clear(&s->request);
    struct wr_mark mark = tlv_open(&s->request, ESIPA_HANDLE_NOTIFICATION);
    struct wr_mark pending = tlv_open(&s->request, 0xA0);
    if (!(s->features & FEATURE_COMPACT) || compact_notification(whole, &s->request) != 0)
        wr_put_rd(&s->request, whole);
    tlv_close(&s->request, pending);
    tlv_close(&s->request, mark);
    TRY(eim_exchange(s, &answer, e));
    TRY(ipa_notification_sent(s->ipa, seq, e));
    eim_tell(s, "handleNotification", "%llu delivered", (unsigned long long)seq);
    return 0;
}

/* --- delivery --------------------------------------------------------------------------------- */

static int deliver_to_eim(struct eim_session *s, struct lab_error *e)
{
    struct rd in = rd_of(NULL, 0);
    struct wr list;
    struct tlv t;

    wr_init_heap(&list, CARD_LIST_MAX);
    int r = retrieve(s->ipa, false, &in, e);
    wr_put_rd(&list, in);
    if (r == 0 && wr_failed(&list) != 0)
        r = lab_fail(e, "the card holds too many notifications");
    in = wr_view(&list);
    while (r == 0 && in.n > 0 && tlv_get(&in, &t) == 0)
        r = eim_handle_notification(s, t.whole, e);
    wr_done(&list);
    return r;
}

int eim_deliver_notifications(struct eim_session *s, struct lab_error *e)
{
    if (s->silent || s->ipa->no_notifications)
        return 0;
    return eim_is_indirect(s) ? deliver_to_eim(s, e) : ipa_notifications_process(s->ipa, 0, e);
}
