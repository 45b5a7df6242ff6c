/* ipa_notify.c - pending notifications (SGP.22 3.5, 5.6.4, 5.7.9 to 5.7.11). */
#include <stdio.h>
#include <stdlib.h>

#include "lab/ipa.h"
#include "lab/rsp.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    MAX_LISTED = 256,

    TAG_LIST_NOTIFICATION = 0xBF28,
    TAG_RETRIEVE_NOTIFICATIONS = 0xBF2B,
    TAG_NOTIFICATION_SENT = 0xBF30,
    TAG_NOTIFICATION_METADATA = 0xBF2F,
    TAG_LIST_OK = 0xA0,
    TAG_LIST_ERROR = 0x81,
    TAG_ICCID = 0x5A,
    TAG_UTF8_STRING = 0x0C,
};

struct listed {
    uint64_t seq_number;
    uint32_t events;
    char address[RSP_TEXT_MAX];
    char iccid[ICCID_TEXT_LEN]; /* "": none */
};

static int read_listed(struct rd body, struct listed *ret)
{
    struct tlv seq, events, address, iccid;
    struct listed l = { .iccid = "" };

    if (!tlv_find(body, 0x80, &seq) || !tlv_find(body, 0x81, &events) ||
        !tlv_find(body, TAG_UTF8_STRING, &address) ||
        !copy_rd(address.value, l.address, sizeof l.address))
        return ERR_INPUT;
    TRY(tlv_uint(seq.value, &l.seq_number));
    TRY(tlv_bits(events.value, &l.events));
    if (tlv_find(body, TAG_ICCID, &iccid))
        iccid_text(iccid.value, l.iccid);
    *ret = l;
    return 0;
}

/* ListNotification (5.7.9). */
static int list(struct ipa *ipa, struct listed *ret, size_t *ret_n, struct lab_error *e)
{
    uint8_t room[8];
    struct wr request;
    struct rd answer;
    struct tlv ok, entry;
    size_t n = 0;

    wr_init(&request, room, sizeof room);
    tlv_put_header(&request, TAG_LIST_NOTIFICATION, 0);
    TRY(ipa_call(ipa, &request, &answer, e));
    if (!tlv_find(answer, TAG_LIST_OK, &ok))
        return lab_fail(e, "ListNotification: the eUICC answers with an error");
    for (; ok.value.n > 0 && n < MAX_LISTED; n++)
        if (tlv_expect(&ok.value, TAG_NOTIFICATION_METADATA, &entry) != 0 ||
            read_listed(entry.value, &ret[n]) != 0)
            return lab_fail(e, "ListNotification: not a NotificationMetadata in the list");
    *ret_n = n;
    return 0;
}

static cJSON *listed_json(const struct listed *l)
{
    cJSON *out = cJSON_CreateObject();

    cJSON_AddNumberToObject(out, "seqNumber", (double)l->seq_number);
    cJSON_AddStringToObject(out, "operation", event_name(l->events));
    if (l->iccid[0] != '\0')
        cJSON_AddStringToObject(out, "iccid", l->iccid);
    cJSON_AddStringToObject(out, "notificationAddress", l->address);
    return out;
}

int ipa_notifications_list(struct ipa *ipa, struct lab_error *e)
{
    struct listed *l = calloc(MAX_LISTED, sizeof *l);
    size_t n = 0;

    int r = l == NULL ? lab_fail(e, "out of memory") : list(ipa, l, &n, e);
    if (r == 0 && ipa->json) {
        cJSON *out = cJSON_CreateArray();
        for (size_t i = 0; i < n; i++)
            cJSON_AddItemToArray(out, listed_json(&l[i]));
        ipa_print_json(out);
    } else if (r == 0) {
        for (size_t i = 0; i < n; i++)
            printf("%llu %s %s %s\n", (unsigned long long)l[i].seq_number, event_name(l[i].events),
                   l[i].iccid[0] != '\0' ? l[i].iccid : "-", l[i].address);
    }
    free(l);
    return r;
}

/* RetrieveNotificationsList (5.7.10): the one PendingNotification with this number. */
static int retrieve(struct ipa *ipa, uint64_t seq_number, struct rd *ret, struct lab_error *e)
{
    uint8_t room[32];
    struct wr request;
    struct rd answer;
    struct tlv part;
    uint64_t code = 0;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_RETRIEVE_NOTIFICATIONS);
    struct wr_mark criteria = tlv_open(&request, 0xA0);
    tlv_put_uint(&request, 0x80, seq_number);
    tlv_close(&request, criteria);
    tlv_close(&request, mark);
    TRY(ipa_call(ipa, &request, &answer, e));
    if (tlv_find(answer, TAG_LIST_ERROR, &part) && tlv_uint(part.value, &code) == 0)
        return lab_fail(e, "RetrieveNotificationsList: %s(%llu)",
                        code_name(CODES_NOTIFICATIONS, (long)code), (unsigned long long)code);
    if (!tlv_find(answer, TAG_LIST_OK, &part) || part.value.n == 0)
        return lab_fail(e, "RetrieveNotificationsList: no notification %llu",
                        (unsigned long long)seq_number);
    *ret = part.value;
    return 0;
}

/* HandleNotification at the address that the notification names (5.6.4). */
static int send_one(struct ipa *ipa, const struct listed *l, struct lab_error *e)
{
    struct es9p_refusal refusal;
    struct rd pending;
    cJSON *answer = NULL;

    TRY(retrieve(ipa, l->seq_number, &pending, e));
    char *text = base64_text(pending);
    cJSON *request = cJSON_CreateObject();
    if (text != NULL)
        cJSON_AddStringToObject(request, "pendingNotification", text);
    free(text);
    int r = es9p_call(ipa->server, l->address, "handleNotification", request, &answer, &refusal, e);
    cJSON_Delete(request);
    cJSON_Delete(answer);
    return r;
}

int ipa_notification_sent(struct ipa *ipa, uint64_t seq_number, struct lab_error *e)
{
    uint8_t room[32];
    struct wr request;
    struct rd answer;
    struct tlv status;
    uint64_t code;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_NOTIFICATION_SENT);
    tlv_put_uint(&request, 0x80, seq_number);
    tlv_close(&request, mark);
    TRY(ipa_call(ipa, &request, &answer, e));
    if (!tlv_find(answer, 0x80, &status) || tlv_uint(status.value, &code) != 0)
        return lab_fail(e, "NotificationSent: no result in the response");
    if (code != 0)
        return lab_fail(e, "NotificationSent: %s(%llu)",
                        code_name(CODES_NOTIFICATION_SENT, (long)code), (unsigned long long)code);
    return 0;
}

static int process_one(struct ipa *ipa, const struct listed *l, struct lab_error *e)
{
    TRY(send_one(ipa, l, e));
    TRY(ipa_notification_sent(ipa, l->seq_number, e));
    if (ipa->json)
        ipa_print_json(listed_json(l));
    else
        printf("notification %llu %s sent to %s\n", (unsigned long long)l->seq_number,
               event_name(l->events), l->address);
    return 0;
}

int ipa_notifications_process(struct ipa *ipa, uint64_t from, struct lab_error *e)
{
    struct listed *l = calloc(MAX_LISTED, sizeof *l);
    struct lab_error first;
    size_t n = 0, failed = 0;

    int r = l == NULL ? lab_fail(e, "out of memory") : list(ipa, l, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct lab_error why;
        if (l[i].seq_number >= from && process_one(ipa, &l[i], &why) != 0 && failed++ == 0)
            first = why; /* one server out of reach does not keep the others from their news */
    }
    free(l);
    if (failed > 0)
        return lab_fail(e, "%zu notification(s) not sent, first: %.400s", failed, first.text);
    return r;
}

int ipa_notifications_remove(struct ipa *ipa, uint64_t seq_number, struct lab_error *e)
{
    TRY(ipa_notification_sent(ipa, seq_number, e));
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddNumberToObject(out, "removed", (double)seq_number);
        ipa_print_json(out);
    } else {
        printf("notification %llu removed\n", (unsigned long long)seq_number);
    }
    return 0;
}
