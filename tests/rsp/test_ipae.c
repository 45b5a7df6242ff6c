/* test_ipae.c - the IPAe: whole stories between a scripted terminal, the card, and an eIM with an
 * SM-DP+ behind it (SGP.32 3.1.1.1, 3.2.3, 3.3.1, 3.8). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/link.h"
#include "lab/util.h"
#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/rsp/eim.h"
#include "tests/rsp/ipae_fake.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define LIST     "A0{ BF2D00 }"
#define GRANT_2  "A0{ A3{" ICCID_OF(2) "0500 } }"
#define ENABLE_2 "A0{ A3{" ICCID_OF(2) "} }"
#define ENABLE_3 "A0{ A3{" ICCID_OF(3) "} }"
#define AC       "1$" SERVER_ADDRESS "$MATCH"
#define IMEI_1   "4A09512430325781"
#define IMEI_2   "4A09512430325791"

enum {
    QUEUE_MAX = 8,
    REFRESH = 0x01,
    MORE_TIME = 0x02,
    POLL_INTERVAL = 0x03,
    SET_UP_EVENT_LIST = 0x05,
    SET_UP_MENU = 0x25,
    PROVIDE_LOCAL_INFORMATION = 0x26,
    TIMER_MANAGEMENT = 0x27,
    EVENTS_MAX = 20000,
    CHAOS_SEEDS = 60,
};

/* What the eIM has for the card. */
struct job {
    enum { JOB_PACKAGE, JOB_DATA, JOB_TRIGGER, JOB_RAW } kind;
    const char *text; /* list; tag list; activation code or NULL; hex */
    struct wr octets; /* as it was sent: the same again until its result came */
    bool done;
};

struct model_eim {
    struct test_eim eim;
    const char *host;
    struct job jobs[QUEUE_MAX];
    size_t n_jobs;
    unsigned asked, results, notifications; /* messages */
    bool coaps;
    bool connected; /* through a profile with connectivityParameters */
    bool v1_0;      /* acknowledges nothing, and hands on ES9+'s octets with tag and length */
    int change;     /* stateChangeCause of the last question; -1: none */
    int changed;    /* the last one that was not -1 */
    int outcome;    /* of the next exchanges */
    unsigned status;
    uint32_t retry_after;
    unsigned fail_from, fail_n, exchanges; /* exchange fail_from and fail_n - 1 after it fail */
    const char *garble;                    /* hex in place of the answer of exchange garble_at */
    unsigned garble_at;
    struct wr last;   /* the last result */
    uint64_t highest; /* sequence number of an EuiccPackageResult */
    bool garbled;     /* the last answer was none */
};

static struct desk {
    struct bench b;
    struct model_eim eims[2];
    size_t n_eims;
    struct wr message; /* of the SM-DP+ */
    unsigned sm_dp;    /* messages to it over ES9+ */
    bool sm_dp_down;
    bool sm_dp_babbles; /* more values than anybody needs */

    /* The terminal. */
    const char *profile;
    const char *imei, *capability;
    bool reset_at_refresh, no_service;
    uint32_t timers[9];                         /* seconds, by number */
    unsigned refreshes, fetched, apdus, cut_at; /* cut_at: a reset instead of this APDU; 0: never */
    bool was_cut;
    unsigned writes; /* until power is cut, once; 0: never */
    bool went_mute;  /* power was cut */
    bool no_timers;  /* that it would start */
    uint32_t interval;
    uint64_t heard; /* of all APDUs, both ways */
    uint64_t chaos; /* what goes wrong, from a seed; 0: nothing */
    bool rough;     /* something does, or did */
} d;

static const char full_profile[] =
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";

/* --- chaos ------------------------------------------------------------------------------------ */

/* A number below n (xorshift64). */
static unsigned choose(unsigned n)
{
    d.chaos ^= d.chaos << 13;
    d.chaos ^= d.chaos >> 7;
    d.chaos ^= d.chaos << 17;
    return (unsigned)(d.chaos >> 33) % n;
}

/* Once in n times. */
static bool goes_wrong(unsigned n)
{
    return d.chaos != 0 && choose(n) == 0;
}

/* --- the SM-DP+ behind the eIM ---------------------------------------------------------------- */

static void put_at(struct wr *w, struct rd message, const char *path)
{
    wr_put_rd(w, message_at(message, path).whole);
}

/* With v1.0 within a field of the same tag. */
static void put_plain(struct wr *w, struct rd message, const char *path)
{
    struct tlv t = message_at(message, path);

    if (d.eims[0].v1_0)
        tlv_put(w, t.tag, t.whole);
    else
        wr_put_rd(w, t.whole);
}

static void initiate(struct rd body, struct wr *ret)
{
    static const struct authenticate_plan plan = { .ctx_params = NULL };
    struct wr request;

    server_begin(&d.b.server);
    wr_init_heap(&request, MESSAGE_MAX);
    server_authenticate(&d.b.server, message_at(body, "BF39/81").value, &plan, &request);
    struct wr_mark m = tlv_open(ret, 0xBF39);
    struct wr_mark ok = tlv_open(ret, 0xA0);
    put_at(ret, wr_view(&request), "BF38/30");
    put_plain(ret, wr_view(&request), "BF38/5F37");
    put_plain(ret, wr_view(&request), "BF38/04");
    put_at(ret, wr_view(&request), "BF38/30#1");
    tlv_close(ret, ok);
    tlv_close(ret, m);
    wr_done(&request);
}

static void authenticate(struct rd body, struct wr *ret)
{
    static const struct prepare_plan plan = { .cc_required = false };
    struct wr request;

    ck_assert_int_eq(server_take_authenticate(&d.b.server, message_at(body, "BF3B/BF38").whole), 0);
    wr_init_heap(&request, MESSAGE_MAX);
    server_prepare(&d.b.server, &plan, &request);
    struct wr_mark m = tlv_open(ret, 0xBF3B);
    struct wr_mark ok = tlv_open(ret, 0xA0);
    put_at(ret, wr_view(&request), "BF21/30");
    put_plain(ret, wr_view(&request), "BF21/5F37");
    put_at(ret, wr_view(&request), "BF21/30#1");
    tlv_close(ret, ok);
    tlv_close(ret, m);
    wr_done(&request);
}

#define CONNECTIVITY "3501 03 4703 026161"

/* Profile 2. */
static void bind(struct wr *ret)
{
    const char *connected = d.eims[0].v1_0 ? "+87 {" CONNECTIVITY "}" : NULL;
    struct wr upp, metadata;

    wr_init_heap(&upp, MESSAGE_MAX);
    wr_init_heap(&metadata, MESSAGE_MAX);
    server_profile(2, &upp, &metadata);
    const struct bpp_plan plan = { .upp = wr_view(&upp),
                                   .metadata = wr_view(&metadata),
                                   .upp_change = { connected != NULL ? "A0/A6" : NULL,
                                                   connected } };
    server_bind(&d.b.server, &plan, ret);
    wr_done(&upp);
    wr_done(&metadata);
}

static void get_package(struct rd body, struct wr *ret)
{
    static const struct prepare_plan plan = { .cc_required = false };
    struct wr bpp;

    ck_assert_int_eq(server_take_prepare(&d.b.server, message_at(body, "BF3A/BF21").whole, &plan),
                     0);
    wr_init_heap(&bpp, MESSAGE_MAX);
    bind(&bpp);
    struct wr_mark m = tlv_open(ret, 0xBF3A);
    tlv_put(ret, 0xA0, wr_view(&bpp));
    tlv_close(ret, m);
    wr_done(&bpp);
}

/* --- the SM-DP+ itself ------------------------------------------------------------------------ */

/* The field of a flat JSON object, base64. */
static struct wr json_octets(struct rd body, const char *name)
{
    char key[64], *text = strndup((const char *)body.p, body.n), *at, *end;
    struct wr w;

    snprintf(key, sizeof key, "\"%s\":\"", name);
    at = strstr(text, key);
    ck_assert_msg(at != NULL, "no %s in %s", name, text);
    at += strlen(key);
    end = strchr(at, '"');
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    wr_init_heap(&w, MESSAGE_MAX);
    ck_assert(base64_read(at, &w));
    free(text);
    return w;
}

static void put_text(struct wr *w, const char *text)
{
    wr_put_rd(w, rd_str(text));
}

static void put_json(struct wr *w, const char *name, struct rd octets)
{
    char *text = base64_text(octets);

    put_text(w, ",\"");
    put_text(w, name);
    put_text(w, "\":\"");
    put_text(w, text);
    put_text(w, "\"");
    free(text);
}

static void sm_dp(const struct fake_exchange *x, struct fake_reply *reply)
{
    static const struct authenticate_plan authenticate_plan = { .ctx_params = NULL };
    static const struct prepare_plan prepare_plan = { .cc_required = false };
    const char *function = strrchr(x->path, '/') + 1;
    struct wr in, out, *w = &reply->body;
    struct rsp_notification n;

    d.sm_dp++;
    ck_assert_str_eq(x->host, SERVER_ADDRESS);
    ck_assert_int_eq(x->trust, TLS_TRUST_CI);
    if (d.sm_dp_down) {
        reply->outcome = LINK_RETRY_LATER;
        reply->status = 0;
        return;
    }
    wr_init_heap(&out, MESSAGE_MAX);
    put_text(w, "{\"header\":{\"functionExecutionStatus\":{\"status\":\"Executed-Success\"}}");
    if (d.sm_dp_babbles)
        put_text(w, ",\"more\":[0");
    for (int i = 0; i < 1500 && d.sm_dp_babbles; i++)
        put_text(w, ",0");
    put_text(w, d.sm_dp_babbles ? "]" : "");
    if (strcmp(function, "initiateAuthentication") == 0) {
        char id[2 * TRANSACTION_ID_MAX + 1];
        in = json_octets(x->body, "euiccChallenge");
        server_begin(&d.b.server);
        server_authenticate(&d.b.server, wr_view(&in), &authenticate_plan, &out);
        put_text(w, ",\"transactionId\":\"");
        put_text(w, hex_text(message_at(wr_view(&out), "BF38/30/80").value, id, sizeof id));
        put_text(w, "\"");
        put_json(w, "serverSigned1", message_at(wr_view(&out), "BF38/30").whole);
        put_json(w, "serverSignature1", message_at(wr_view(&out), "BF38/5F37").whole);
        put_json(w, "euiccCiPKIdToBeUsed", message_at(wr_view(&out), "BF38/04").whole);
        put_json(w, "serverCertificate", message_at(wr_view(&out), "BF38/30#1").whole);
    } else if (strcmp(function, "authenticateClient") == 0) {
        in = json_octets(x->body, "authenticateServerResponse");
        ck_assert_int_eq(server_take_authenticate(&d.b.server, wr_view(&in)), 0);
        server_prepare(&d.b.server, &prepare_plan, &out);
        put_json(w, "smdpSigned2", message_at(wr_view(&out), "BF21/30").whole);
        put_json(w, "smdpSignature2", message_at(wr_view(&out), "BF21/5F37").whole);
        put_json(w, "smdpCertificate", message_at(wr_view(&out), "BF21/30#1").whole);
    } else if (strcmp(function, "getBoundProfilePackage") == 0) {
        in = json_octets(x->body, "prepareDownloadResponse");
        ck_assert_int_eq(server_take_prepare(&d.b.server, wr_view(&in), &prepare_plan), 0);
        bind(&out);
        put_json(w, "boundProfilePackage", wr_view(&out));
    } else {
        ck_assert_str_eq(function, "handleNotification");
        in = json_octets(x->body, "pendingNotification");
        server_take_notification(&d.b.server, wr_view(&in), &n);
        reply->status = 204;
    }
    put_text(w, "}");
    if (reply->status == 204)
        wr_clear(w);
    wr_done(&in);
    wr_done(&out);
}

/* --- the eIM ---------------------------------------------------------------------------------- */

static struct job *next_job(struct model_eim *m)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        if (!m->jobs[i].done)
            return &m->jobs[i];
    return NULL;
}

static void make_job(struct model_eim *m, struct job *job)
{
    struct wr *w = &job->octets;

    if (w->n > 0)
        return;
    wr_init_heap(w, MESSAGE_MAX);
    if (job->kind == JOB_PACKAGE) {
        test_eim_sign(&m->eim, &(struct package_plan){ .list = job->text });
        wr_put_rd(w, wr_view(&m->eim.package));
    } else if (job->kind == JOB_DATA) {
        struct wr_mark outer = tlv_open(w, 0xBF52);
        struct wr_mark list = tlv_open(w, 0x5C);
        hex_put(w, job->text);
        tlv_close(w, list);
        tlv_close(w, outer);
    } else if (job->kind == JOB_TRIGGER) {
        struct wr_mark outer = tlv_open(w, 0xBF54);
        struct wr_mark data = tlv_open(w, 0xA0);
        tlv_put_str(w, 0x80, job->text);
        tlv_close(w, data);
        tlv_put(w, 0x82, rd_str("tid7"));
        tlv_close(w, outer);
    } else {
        hex_put(w, job->text);
    }
}

static void get_eim_package(struct model_eim *m, struct rd body, struct wr *ret)
{
    struct job *job = next_job(m);
    struct tlv t;

    m->asked++;
    m->change = -1;
    if (message_has(body, "BF4F/80", &t))
        m->changed = m->change = message_at(body, "BF4F/81").value.p[0];
    ck_assert_uint_eq(message_at(body, "BF4F/5A").value.n, 16);
    struct wr_mark outer = tlv_open(ret, 0xBF4F);
    if (job == NULL) {
        tlv_put_u8(ret, 0x02, 1);
    } else {
        make_job(m, job);
        wr_put_rd(ret, wr_view(&job->octets));
    }
    tlv_close(ret, outer);
}

static void ack(struct wr *ret, struct rd sequence)
{
    tlv_put(ret, 0x80, sequence);
}

/* Another one is that of a rollback: about a package of before. */
static bool is_about(struct rd result, const struct job *job)
{
    struct tlv sent, got;

    return message_has(wr_view(&job->octets), "BF51/30/81", &sent) &&
           message_has(result, "BF51/A0/30/81", &got) && rd_equal(sent.whole, got.whole);
}

static void take_result(struct model_eim *m, struct rd result, struct wr *acks)
{
    struct job *job = next_job(m);
    struct tlv t;

    if (!message_has(result, "BF51/A0/30/83", &t)) {
        ck_assert_msg(job != NULL && job->kind == JOB_PACKAGE, "an error that nobody waits for");
        job->done = true;
        return;
    }
    ack(acks, t.value);
    uint64_t sequence;
    ck_assert_int_eq(tlv_uint(t.value, &sequence), 0);
    if (sequence <= m->highest)
        return; /* once more: it was not told that we have it */
    m->highest = sequence;
    wr_clear(&m->last);
    wr_put_rd(&m->last, result);
    if (job == NULL || job->kind != JOB_PACKAGE || !is_about(result, job))
        return;
    message_set(&m->eim.package, wr_view(&job->octets));
    test_eim_take(&m->eim, result); /* its signature, and what it echoes */
    job->done = true;
}

static void provide(struct model_eim *m, struct rd body, struct wr *ret)
{
    struct job *job = next_job(m);
    struct wr acks;
    struct tlv t;

    m->results++;
    wr_init_heap(&acks, MESSAGE_MAX);
    if (message_has(body, "BF50/BF51", &t)) {
        take_result(m, t.whole, &acks);
    } else if (message_has(body, "BF50/30/BF51", &t)) {
        take_result(m, t.whole, &acks);
    } else if (job != NULL && !m->garbled) { /* BF52, BF54, an error */
        wr_clear(&m->last);
        wr_put_rd(&m->last, body);
        job->done = true;
    }
    struct wr_mark outer = tlv_open(ret, 0xBF50);
    if (acks.n > 0 && !m->v1_0)
        tlv_put(ret, 0xBF53, wr_view(&acks));
    else if (!m->v1_0)
        tlv_put(ret, 0x30, rd_of(NULL, 0));
    tlv_close(ret, outer);
    wr_done(&acks);
}

static void take_notification(struct model_eim *m, struct rd body)
{
    struct rsp_notification n;
    struct job *job = next_job(m);
    struct tlv t;

    m->notifications++;
    if (d.rough) { /* it may be about a session of before */
        if (job != NULL && job->kind == JOB_TRIGGER && message_has(body, "BF3D/A0/BF37", &t))
            job->done = true;
        return;
    }
    server_take_notification(&d.b.server, message_at(body, "BF3D/A0").value, &n);
    if (n.is_installation_result && job != NULL && job->kind == JOB_TRIGGER)
        job->done = true;
}

static void answer(struct model_eim *m, struct rd body, struct wr *ret)
{
    struct rd in = body;
    struct tlv t;

    ck_assert(tlv_get(&in, &t) == 0 && in.n == 0);
    switch (t.tag) {
    case 0xBF4F:
        get_eim_package(m, body, ret);
        break;
    case 0xBF50:
        provide(m, body, ret);
        break;
    case 0xBF3D:
        take_notification(m, body);
        break;
    case 0xBF39:
        initiate(body, ret);
        break;
    case 0xBF3B:
        authenticate(body, ret);
        break;
    case 0xBF3A:
        get_package(body, ret);
        break;
    case 0xBF41:
        hex_put(ret, "BF41{ A000 }");
        break;
    default:
        ck_abort_msg("the IPAe says %X", t.tag);
    }
}

/* AuthenticateClient and GetBoundProfilePackage, over ES9+ and over ESipa. */
static bool may_be_seen_once(const struct fake_exchange *x)
{
    struct tlv t;

    return strstr(x->path, "/authenticateClient") != NULL ||
           strstr(x->path, "/getBoundProfilePackage") != NULL || message_has(x->body, "BF3B", &t) ||
           message_has(x->body, "BF3A", &t);
}

static void serve(const struct fake_exchange *x, struct fake_reply *reply)
{
    struct model_eim *m = NULL;

    ck_assert(x->once == may_be_seen_once(x));
    if (strstr(x->path, "/es9plus/") != NULL) {
        sm_dp(x, reply);
        return;
    }
    for (size_t i = 0; i < d.n_eims; i++)
        if (strcmp(d.eims[i].host, x->host) == 0)
            m = &d.eims[i];
    ck_assert_msg(m != NULL, "who is %s?", x->host);
    ck_assert_str_eq(x->path, "/gsma/rsp2/asn1");
    ck_assert_str_eq(x->admin_protocol, m->v1_0 ? "gsma/rsp/v2.1.0" : "gsma/rsp/v2.4.0");
    m->exchanges++;
    m->coaps = x->coaps;
    m->connected = x->parameters.n > 0;
    bool fails = m->exchanges >= m->fail_from && m->exchanges < m->fail_from + m->fail_n;
    if (m->outcome != LINK_OK || fails) {
        reply->outcome = fails ? LINK_RETRY_LATER : m->outcome;
        reply->status = m->status;
        reply->retry_after = m->retry_after;
        return;
    }
    if (goes_wrong(6)) {
        reply->outcome = 1 + (int)choose(LINK_REFUSED);
        reply->status = choose(2) ? 503 : 0;
        reply->retry_after = choose(2) ? 4000 : 0;
        return;
    }
    answer(m, x->body, &reply->body);
    m->garbled = goes_wrong(8) && reply->body.n > 0;
    if (m->garbled)
        reply->body.n = choose((unsigned)reply->body.n);
    if (m->garble != NULL && m->exchanges == m->garble_at) {
        wr_clear(&reply->body);
        hex_put(&reply->body, m->garble);
    }
}

/* --- the terminal ----------------------------------------------------------------------------- */

static void run(void);

static void hear(struct rd octets)
{
    for (size_t i = 0; i < octets.n; i++)
        d.heard = (d.heard ^ octets.p[i]) * UINT64_C(0x100000001B3); /* FNV-1a */
}

static uint16_t send_apdu(const char *text)
{
    uint8_t octets[300];
    size_t n = hex(text, octets, sizeof octets);
    uint16_t sw = card_apdu(&d.b.card, octets, n);

    hear(rd_of(octets, n));
    hear(wr_view(&d.b.card.data));
    hear(rd_of((const uint8_t[]){ (uint8_t)(sw >> 8), (uint8_t)sw }, 2));
    d.went_mute = d.went_mute || sw == CARD_MUTE;
    return sw;
}

/* A reset instead of the APDU? */
static bool is_cut(void)
{
    d.apdus++;
    if (goes_wrong(60))
        return true;
    if (goes_wrong(20))
        card_cut_after(&d.b.card, choose(6));
    if (d.cut_at == 0 || d.apdus != d.cut_at)
        return false;
    d.was_cut = true;
    return true;
}

static void power_up(void)
{
    char text[200];

    card_reset(&d.b.card);
    fake_link_install(d.b.card.chip, serve);
    if (d.writes > 0)
        card_cut_after(&d.b.card, d.writes - 1);
    d.writes = 0;
    memset(d.timers, 0, sizeof d.timers);
    d.interval = 0;
    if (d.capability != NULL)
        send_apdu(d.capability);
    snprintf(text, sizeof text, "80100000%02zX%s", strlen(d.profile) / 2, d.profile);
    if (send_apdu(text) == CARD_MUTE)
        power_up();
    else
        run();
}

/* What a terminal says that cannot, will not, or makes no sense. */
static void respond_badly(char *ret, size_t size)
{
    static const char *const results[] = { "830120", "83022001",   "830121",    "830130",
                                           "830132", "83023A01",   "83023A07",  "8300",
                                           "",       "8301009301", "83010094FF" };

    snprintf(ret, size, "%s", results[choose(N_ELEMS(results))]);
}

static uint32_t digits(const uint8_t *v)
{
    return (v[0] & 15u) * 10 + (v[0] >> 4);
}

/* The timer that a TIMER MANAGEMENT means; it runs then, or does not. */
static uint8_t manage_timer(struct rd command)
{
    struct tlv t;

    ck_assert(tlv_find(command, 0x24, &t) || tlv_find(command, 0xA4, &t));
    uint8_t id = t.value.p[0];
    ck_assert_uint_lt(id, N_ELEMS(d.timers));
    d.timers[id] = 0;
    if (tlv_find(command, 0x25, &t) || tlv_find(command, 0xA5, &t))
        d.timers[id] =
            digits(t.value.p) * 3600 + digits(t.value.p + 1) * 60 + digits(t.value.p + 2);
    return id;
}

/* What stands behind the result of a command. */
static void respond(uint8_t type, struct rd details, struct rd command, char *ret, size_t size)
{
    bool badly = goes_wrong(10);
    const uint8_t *v;
    uint8_t id = 0;

    snprintf(ret, size, "830100");
    if (type == POLL_INTERVAL) {
        v = message_at(command, "84").value.p;
        d.interval = v[0] == 0 ? v[1] * 60 : v[1];
        snprintf(ret, size, "830100 8402%02X%02X", v[0], v[1]);
    }
    if (type == PROVIDE_LOCAL_INFORMATION && details.p[2] == 0x01)
        snprintf(ret, size, "830100 9408%s", d.imei);
    if (type == PROVIDE_LOCAL_INFORMATION && details.p[2] == 0x00)
        snprintf(ret, size, "%s", d.no_service ? "83022004" : "830100 930900F110123401A2B3CF");
    if (type == TIMER_MANAGEMENT) {
        id = manage_timer(command);
        snprintf(ret, size, d.no_timers ? "830120" : "830100 A401%02X", id);
    }
    if (badly)
        respond_badly(ret, size);
    if (strncmp(ret, "830100", 6) != 0)
        d.timers[id] = 0;
}

/* One proactive command; false: the card was reset. */
static bool serve_command(void)
{
    char more[128], text[300];
    uint8_t octets[200];
    size_t n;

    snprintf(text, sizeof text, "80120000%02X", d.b.card.sw & 0xFF);
    if (is_cut())
        return false;
    if (send_apdu(text) == CARD_MUTE)
        return false;
    ck_assert_uint_eq(d.b.card.sw, 0x9000);
    d.fetched++;
    ck_assert_uint_lt(d.fetched, EVENTS_MAX);
    struct wr command = message_copy(wr_view(&d.b.card.data));
    struct rd details = message_at(wr_view(&command), "D0/81").value;
    uint8_t type = details.p[1];
    respond(type, details, message_at(wr_view(&command), "D0").value, more, sizeof more);
    if (type == REFRESH)
        d.refreshes++;
    if (type == REFRESH && (details.p[2] == 0x04 || d.reset_at_refresh)) {
        wr_done(&command);
        d.was_cut = true;
        return false;
    }
    n = hex(more, octets, sizeof octets);
    snprintf(text, sizeof text, "80140000%02zX 8103%02X%02X%02X 82028281 ", 9 + n, details.p[0],
             details.p[1], details.p[2]);
    strncat(text, more, sizeof text - strlen(text) - 1);
    wr_done(&command);
    if (is_cut())
        return false;
    if (goes_wrong(30) && type != REFRESH) { /* it is lost */
        for (int i = 0; i < 40 && d.b.card.sw != CARD_MUTE; i++)
            send_apdu("80F2000C");
        return d.b.card.sw != CARD_MUTE;
    }
    if (send_apdu(text) == CARD_MUTE)
        return false;
    if (d.chaos != 0)
        return true;
    ck_assert_msg(d.b.card.sw == 0x9000 || d.b.card.sw >> 8 == 0x91, "TERMINAL RESPONSE: %04X (%s)",
                  d.b.card.sw, d.b.card.why);
    return true;
}

/* Until the card is silent. */
static void run(void)
{
    while (d.b.card.sw >> 8 == 0x91)
        if (!serve_command()) {
            power_up();
            return;
        }
}

static void tell(const char *envelope)
{
    if (is_cut()) {
        power_up();
        return;
    }
    if (send_apdu(envelope) == CARD_MUTE)
        power_up();
    else
        run();
}

static void location(unsigned status)
{
    char text[100];

    if (status == 0)
        snprintf(text, sizeof text,
                 "80C2000017 D615 990103 82028281 9B0100 930900F110123401A2B3CF");
    else
        snprintf(text, sizeof text, "80C200000C D60A 990103 82028281 9B01%02X", status);
    tell(text);
}

/* The shortest timer; its seconds, 0 when none runs. */
static uint32_t expire(void)
{
    char text[100];
    size_t which = 0;

    for (size_t i = 1; i < N_ELEMS(d.timers); i++)
        if (d.timers[i] != 0 && (which == 0 || d.timers[i] < d.timers[which]))
            which = i;
    if (which == 0)
        return 0;
    uint32_t seconds = d.timers[which];
    for (size_t i = 1; i < N_ELEMS(d.timers); i++)
        if (d.timers[i] != 0)
            d.timers[i] = d.timers[i] > seconds ? d.timers[i] - seconds : 1;
    d.timers[which] = 0;
    snprintf(text, sizeof text, "80C200000E D70C 82028281 A401%02zX A503000000", which);
    tell(text);
    return seconds;
}

/* --- the desk --------------------------------------------------------------------------------- */

static void associate(const char *more)
{
    struct tlv token;
    struct wr request;

    wr_init_heap(&request, MESSAGE_MAX);
    struct wr_mark outer = tlv_open(&request, 0xBF57);
    struct wr_mark list = tlv_open(&request, 0xA0);
    for (size_t i = 0; i < d.n_eims; i++) {
        struct wr_mark one = tlv_open(&request, 0x30);
        test_eim_put_configuration(&d.eims[i].eim, "", &request);
        tlv_put_str(&request, 0x81, d.eims[i].host);
        hex_put(&request, more);
        tlv_close(&request, one);
    }
    tlv_close(&request, list);
    tlv_close(&request, outer);
    ck_assert_uint_eq(card_es10(&d.b.card, wr_view(&request)), 0x9000);
    ck_assert_msg(message_has(wr_view(&d.b.card.data), "BF57/A0", &token), "%s", d.b.card.why);
    wr_done(&request);
}

/* Retrieval over HTTPS and CoAPS; notifications and downloads through it. */
#define INDIRECT "870206C0 8900"
#define DIRECT   "870206C0"

static void open_desk_seeded(size_t n_eims, const char *more,
                             const struct softeuicc_setting *settings, size_t n_settings,
                             const char *seed)
{
    static const char *const hosts[] = { "eim1.example", "eim2.example" };
    static const char *const ids[] = { "eim1", "eim2" };
    static const char *const keys[] = { EIM_KEY_1, EIM_KEY_2 };

    memset(&d, 0, sizeof d);
    d.profile = full_profile;
    d.imei = IMEI_1;
    d.reset_at_refresh = true;
    bench_open_as(&d.b, &(struct bench_options){
                            .settings = settings, .n_settings = n_settings, .seed = seed });
    d.b.card.quick = true;
    bench_download_with(&d.b, 1, "9F6701FF");
    bench_download_with(&d.b, 3, "9F6701FF");
    bench_remove_notifications(&d.b);
    card_expect(&d.b.card, "BF31{ A0{" ICCID_OF(1) "} 810100 }", "BF31{ 800100 }");
    bench_remove_notifications(&d.b);
    d.n_eims = n_eims;
    for (size_t i = 0; i < n_eims; i++) {
        struct model_eim *m = &d.eims[i];
        m->host = hosts[i];
        m->status = 200;
        wr_init_heap(&m->last, MESSAGE_MAX);
        test_eim_open(&m->eim, &d.b.server, ids[i], keys[i]);
    }
    associate(more);
}

static void open_desk(size_t n_eims, const char *more, const struct softeuicc_setting *settings,
                      size_t n_settings)
{
    open_desk_seeded(n_eims, more, settings, n_settings, NULL);
}

static const struct softeuicc_setting at_work[] = {
    { "ipae", "on" }, { "ipae_delay", "0" }, { "ipae_poll", "1000" }, { "ipae_fallback", "5000" }
};

static void open_at_work(size_t n_eims, const char *more)
{
    open_desk(n_eims, more, at_work, N_ELEMS(at_work));
}

static void close_desk(void)
{
    for (size_t i = 0; i < d.n_eims; i++) {
        for (size_t k = 0; k < d.eims[i].n_jobs; k++)
            wr_done(&d.eims[i].jobs[k].octets);
        wr_done(&d.eims[i].last);
        test_eim_close(&d.eims[i].eim);
    }
    bench_close(&d.b);
}

static void add(struct model_eim *m, int kind, const char *text)
{
    m->jobs[m->n_jobs].kind = (unsigned)kind;
    m->jobs[m->n_jobs++].text = text;
}

static bool all_done(const struct model_eim *m)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        if (!m->jobs[i].done)
            return false;
    return true;
}

/* --- stories ---------------------------------------------------------------------------------- */

START_TEST(the_whole_story)
{
    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_PACKAGE, LIST);
    add(m, JOB_DATA, "81BF20BF228384A5A6A8A9A0A2");
    add(m, JOB_TRIGGER, AC);
    add(m, JOB_PACKAGE, GRANT_2);
    d.reset_at_refresh = _i == 0;
    power_up();
    ck_assert_uint_eq(d.refreshes, 1);
    if (_i == 1) {
        ck_assert(!all_done(m));
        location(2);
        location(0);
    }
    ck_assert_msg(all_done(m), "%s", d.b.card.why);
    ck_assert_uint_eq(m->asked, 5);
    ck_assert_uint_eq(card_pending(&d.b.card), 0);
    card_expect(&d.b.card, "BF2B{ A0{ 8200 } }", "BF2B{ A200 }");
    bench_assert_profiles(&d.b, "1-3-2+");
    card_expect(&d.b.card, "BF58{ 800100 }", "BF58{ 020101 }"); /* the way back is gone */
    ck_assert_uint_eq(expire(), 1000);
    close_desk();
}
END_TEST

START_TEST(data_decode)
{
    struct tlv t;

    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_DATA, "81BF20BF228384A5A6A8A9A0A2");
    power_up();
    ck_assert(all_done(m));
    struct rd body = wr_view(&m->last);
    ck_assert_uint_eq(message_at(body, "BF50/BF52/A0/BF22/90").value.p[0], 1); /* ipaMode */
    ck_assert(rd_equal(message_at(body, "BF50/BF52/A0/A9/82").value,
                       rd_of("\x94\x10\x45\x02\x23\x53\x17\x8F", 0)) ||
              message_has(body, "BF50/BF52/A0/A9/82", &t));
    ck_assert(message_has(body, "BF50/BF52/A0/A6", &t));
    ck_assert(message_has(body, "BF50/BF52/A0/A5", &t));
    ck_assert(message_has(body, "BF50/BF52/A0/A2", &t));
    close_desk();
}
END_TEST

/* The result cannot be delivered: three attempts, then back, and that is told. */
START_TEST(what_cannot_be_delivered_is_rolled_back)
{
    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_TRIGGER, AC);
    add(m, JOB_PACKAGE, GRANT_2);
    d.reset_at_refresh = false;
    power_up();
    ck_assert_uint_eq(d.refreshes, 1);
    bench_assert_profiles(&d.b, "1-3-2+");
    m->outcome = LINK_RETRY_LATER;
    m->status = 0;
    if (_i == 1)
        m->outcome = LINK_NO_SERVICE;
    location(0);
    for (int i = 0; i < 6 && d.refreshes == 1; i++)
        expire();
    ck_assert_uint_eq(d.refreshes, 2);
    bench_assert_profiles(&d.b, "1+3-2-");
    m->outcome = LINK_OK;
    m->status = 200;
    location(0);
    struct tlv t;
    ck_assert_msg(message_has(wr_view(&m->last), "BF51/A0/30/30/8C", &t), "%s", d.b.card.why);
    close_desk();
}
END_TEST

START_TEST(without_service_it_falls_back_and_returns)
{
    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_PACKAGE, "A0{ A8{" ICCID_OF(3) "} }"); /* setFallbackAttribute */
    d.reset_at_refresh = false;
    power_up();
    ck_assert(all_done(m));
    location(2);
    m->outcome = LINK_NO_SERVICE;
    m->status = 0;
    uint32_t total = 0;
    for (int i = 0; i < 30 && d.refreshes == 0; i++)
        total += expire();
    ck_assert_uint_eq(d.refreshes, 1);
    ck_assert_uint_eq(total, 5000);
    bench_assert_profiles(&d.b, "1-3+");
    m->outcome = LINK_OK;
    m->status = 200;
    m->change = -1;
    location(0);
    ck_assert_int_eq(m->change, 1);
    for (int i = 0; i < 30 && d.refreshes == 1; i++)
        expire();
    ck_assert_uint_eq(d.refreshes, 2);
    bench_assert_profiles(&d.b, "1+3-");
    location(0);
    ck_assert_int_eq(m->change, 1);
    close_desk();
}
END_TEST

static void assert_state(const char *words)
{
    char reply[128];

    card_control(&d.b.card, "ipae", reply, sizeof reply);
    ck_assert_str_eq(reply, words);
}

START_TEST(back_off_grows)
{
    static const struct {
        uint32_t least, most;
    } steps[] = { { 48, 72 },    { 96, 144 },   { 240, 360 },
                  { 720, 1080 }, { 800, 1200 }, { 1000, 1000 } };

    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    m->outcome = LINK_RETRY_LATER;
    m->status = 0;
    power_up();
    for (size_t i = 0; i < N_ELEMS(steps); i++) {
        uint32_t seconds = expire();
        ck_assert_msg(seconds >= steps[i].least && seconds <= steps[i].most, "step %zu: %u", i,
                      seconds);
    }
    assert_state("sleeps for 1000 s");
    m->retry_after = 5000;
    m->status = 503;
    expire();
    assert_state("sleeps for 5000 s");
    ck_assert_uint_eq(expire(), 5000);
    m->retry_after = UINT32_MAX; /* a week */
    expire();
    unsigned before = m->exchanges;
    for (int i = 0; i < 6; i++)
        ck_assert_uint_eq(expire(), 86400);
    ck_assert_uint_eq(m->exchanges, before);
    m->retry_after = 0;
    ck_assert_uint_eq(expire(), 86400);
    ck_assert_uint_eq(m->exchanges, before + 1);
    m->outcome = LINK_UNTRUSTED;
    m->retry_after = 0;
    expire();
    ck_assert_uint_eq(expire(), 86400);
    m->outcome = LINK_REFUSED;
    expire();
    ck_assert_uint_eq(expire(), 1000);
    m->outcome = LINK_OK;
    m->status = 200;
    expire();
    ck_assert_uint_eq(expire(), 1000);
    close_desk();
}
END_TEST

START_TEST(every_eim_has_its_own_time)
{
    open_at_work(2, INDIRECT);
    add(&d.eims[1], JOB_PACKAGE, LIST);
    d.eims[0].outcome = LINK_RETRY_LATER;
    d.eims[0].status = 0;
    power_up();
    ck_assert(all_done(&d.eims[1]));
    ck_assert_uint_eq(d.eims[1].asked, 2);
    d.eims[0].outcome = LINK_OK;
    d.eims[0].status = 200;
    ck_assert_uint_le(expire(), 72);
    ck_assert_uint_eq(d.eims[0].asked, 1);
    ck_assert_uint_eq(d.eims[1].asked, 2);
    expire();
    ck_assert_uint_eq(d.eims[1].asked, 3);
    /* One switches: the other one is told. */
    add(&d.eims[0], JOB_PACKAGE, ENABLE_3);
    for (int i = 0; i < 5 && d.refreshes == 0; i++)
        expire();
    ck_assert_uint_eq(d.refreshes, 1);
    ck_assert(all_done(&d.eims[0]));
    ck_assert_int_eq(d.eims[1].change, 0);
    close_desk();
}
END_TEST

START_TEST(an_eim_acknowledges_no_result_of_another)
{
    struct model_eim *m = &d.eims[0];

    open_at_work(2, INDIRECT);
    add(m, JOB_PACKAGE, LIST);
    m->fail_from = 2; /* its result, and once more */
    m->fail_n = 2;
    m->status = 500;
    add(&d.eims[1], JOB_RAW, "BF53{ 800100 800101 800102 800103 800104 800105 800106 800107 }");
    power_up();
    ck_assert_uint_eq(m->results, 0);
    ck_assert_uint_gt(d.eims[1].asked, 1);
    m->jobs[0].done = d.eims[1].jobs[0].done = true;
    for (int i = 0; i < 5 && m->results == 0; i++)
        expire();
    ck_assert_uint_gt(m->results, 0);
    card_expect(&d.b.card, "BF2B{ A0{ 8200 } }", "BF2B{ A200 }");
    close_desk();
}
END_TEST

START_TEST(direct_download)
{
    struct tlv t;

    open_at_work(1, DIRECT);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_TRIGGER, AC);
    d.sm_dp_down = _i == 1;
    d.sm_dp_babbles = _i == 2;
    power_up();
    ck_assert(all_done(m));
    if (_i > 0) {
        ck_assert_uint_eq(message_at(wr_view(&m->last), "BF50/BF54/30/80").value.p[0], 127);
        bench_assert_profiles(&d.b, "1+3-");
    } else {
        ck_assert_uint_eq(d.sm_dp, 4);
        ck_assert(message_has(wr_view(&m->last), "BF50/BF54/BF37", &t));
        ck_assert_uint_eq(card_pending(&d.b.card), 0);
        bench_assert_profiles(&d.b, "1+3-2-");
        add(m, JOB_PACKAGE, ENABLE_2);
        for (int i = 0; i < 5 && d.refreshes == 0; i++)
            expire();
        expire();
        ck_assert(all_done(m));
        ck_assert_uint_eq(card_pending(&d.b.card), 0); /* they went to the SM-DP+ */
        ck_assert_uint_eq(d.sm_dp, 6);
    }
    close_desk();
}
END_TEST

START_TEST(others_are_left_alone)
{
    static const struct {
        const char *ipae, *capability, *profile;
    } rows[] = {
        { "on", "80AA000005 A903840101", full_profile }, /* an IPAd */
        { "on", "80AA000005 A903830107", full_profile }, /* an LPAd */
        { "on", NULL, "FFFFFFFFFFFFFFFFFFFFFF" },        /* no BIP */
        { "off", NULL, full_profile },
        { "inactive", NULL, full_profile },
    };
    const struct softeuicc_setting settings[] = { { "ipae", rows[_i].ipae },
                                                  { "ipae_delay", "0" } };

    open_desk(1, INDIRECT, settings, 2);
    d.capability = rows[_i].capability;
    d.profile = rows[_i].profile;
    power_up();
    ck_assert_uint_eq(d.fetched, 0);
    ck_assert_uint_eq(d.b.card.sw, 0x9000);
    card_es10_hex(&d.b.card, "BF2200");
    bool active = _i == 2;
    ck_assert_uint_eq(message_at(wr_view(&d.b.card.data), "BF22/90").value.p[0], active);
    card_es10_hex(&d.b.card, "BF42{ 80020780 }");
    bool supported = strcmp(rows[_i].ipae, "off") != 0;
    ck_assert_uint_eq(message_at(wr_view(&d.b.card.data), "BF42/80").value.p[0], !supported);
    run();
    ck_assert(supported && !active ? d.fetched > 0 : d.fetched == 0);
    ck_assert_uint_eq(d.eims[0].asked, d.fetched > 0);
    close_desk();
}
END_TEST

START_TEST(a_new_device_is_told)
{
    open_at_work(1, INDIRECT);
    power_up();
    ck_assert_int_eq(d.eims[0].change, -1);
    d.imei = IMEI_2;
    power_up();
    ck_assert_int_eq(d.eims[0].change, 6);
    power_up();
    ck_assert_int_eq(d.eims[0].change, -1);
    close_desk();
}
END_TEST

START_TEST(it_waits_for_service_at_power_on)
{
    open_at_work(1, INDIRECT);
    d.no_service = true;
    assert_state("off");
    power_up();
    ck_assert_uint_eq(d.eims[0].asked, 0);
    assert_state("waits for service");
    location(1);
    ck_assert_uint_eq(d.eims[0].asked, 0);
    location(0);
    ck_assert_uint_eq(d.eims[0].asked, 1);
    location(0); /* nothing new */
    ck_assert_uint_eq(d.eims[0].asked, 1);
    tell("80C2000009 D307 82020181 900102"); /* the menu; its first item is another applet's */
    tell("80C2000009 D307 82020181 900103");
    tell("80C2000009 D307 82020181 900104");
    ck_assert_uint_eq(d.eims[0].asked, 2);
    card_es10_hex(&d.b.card, "BF42{ 80020780 }");
    run();
    ck_assert_uint_eq(d.eims[0].asked, 3);
    close_desk();
}
END_TEST

START_TEST(an_exchange_that_breaks_off_is_done_again)
{
    for (unsigned at = 1; at < 12; at++) {
        open_at_work(1, INDIRECT);
        struct model_eim *m = &d.eims[0];
        add(m, JOB_PACKAGE, LIST);
        add(m, JOB_TRIGGER, AC);
        add(m, JOB_PACKAGE, GRANT_2);
        m->fail_from = at;
        m->fail_n = 1;
        power_up();
        expire();
        ck_assert_msg(all_done(m), "at %u", at);
        bench_assert_profiles(&d.b, "1-3-2+");
        ck_assert_uint_eq(card_pending(&d.b.card), 0);
        close_desk();
    }
}
END_TEST

START_TEST(a_profile_is_enabled_at_once)
{
    open_at_work(1, _i == 0 ? INDIRECT : DIRECT);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_PACKAGE,
        "A0{ A7{ 8000 82{ 74657374736D6470706C7573312E6578616D706C652E636F6D } } }"); /* SERVER_ADDRESS
                                                                                       */
    add(m, JOB_TRIGGER, AC);
    d.reset_at_refresh = false;
    power_up();
    ck_assert(all_done(m));
    bench_assert_profiles(&d.b, "1-3-2+");
    ck_assert_uint_eq(d.refreshes, 1);
    location(0);
    ck_assert_int_eq(m->change, 5);
    close_desk();
}
END_TEST

/* A fault on demand: the card that talks itself takes itself for busy, and the eIM hears of it. */
START_TEST(a_busy_cat_refuses_the_eim)
{
    static const char *const commands[] = { "cat-busy on", "clear" };
    char reply[100];
    struct tlv result;

    open_at_work(1, INDIRECT);
    for (size_t i = 0; i < N_ELEMS(commands); i++) {
        ck_assert_int_eq(softeuicc_control(d.b.card.chip, commands[i], reply, sizeof reply), 0);
        add(&d.eims[0], JOB_PACKAGE, ENABLE_3);
        power_up();
        ck_assert(all_done(&d.eims[0]));
        ck_assert(message_has(wr_view(&d.eims[0].last), "BF51/A0/30/30/83", &result));
        ck_assert_uint_eq(result.value.p[0], i == 0 ? 5 : 0);
        bench_assert_profiles(&d.b, i == 0 ? "1+3-" : "1-3+");
    }
    close_desk();
}
END_TEST

/* The device enables the Emergency Profile; nothing is done meanwhile, and it is told. */
START_TEST(an_emergency_is_told)
{
    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    bench_download_with(&d.b, 2, "9F7B01FF");
    bench_remove_notifications(&d.b);
    card_expect(&d.b.card, "BF5B{ 800100 }", "BF5B{ 800100 }");
    add(m, JOB_TRIGGER, AC);
    add(m, JOB_DATA, "81");
    power_up();
    ck_assert(all_done(m));
    ck_assert_int_eq(m->changed, 2);
    ck_assert_uint_eq(message_at(wr_view(&m->last), "BF50/BF52/A1/02").value.p[0], 104);
    card_expect(&d.b.card, "BF5C{ 800100 }", "BF5C{ 800100 }");
    m->changed = -1;
    power_up();
    ck_assert_int_eq(m->changed, 2);
    card_es10_hex(&d.b.card, "BF64{ 82020680 }"); /* operational profiles */
    m->changed = -1;
    power_up();
    ck_assert_int_eq(m->changed, 4);
    close_desk();
}
END_TEST

START_TEST(an_eim_is_asked_as_both_can)
{
    static const struct {
        const char *protocols, *setting;
        bool asked, coaps;
    } rows[] = { { "87020640", "both", true, true },
                 { "870206C0", "coaps", true, true },
                 { "870206C0", "https", true, false },
                 { "87020780", "coaps", false, false },
                 { "", "both", false, false } };
    const struct softeuicc_setting settings[] = { { "ipae", "on" },
                                                  { "ipae_delay", "0" },
                                                  { "ipae_protocol", rows[_i].setting } };

    open_desk(1, rows[_i].protocols, settings, 3);
    power_up();
    ck_assert_uint_eq(d.eims[0].asked, rows[_i].asked);
    ck_assert(d.eims[0].coaps == rows[_i].coaps);
    close_desk();
}
END_TEST

/* While it talks, whoever is outside may only look. */
START_TEST(outside_may_look_while_it_talks)
{
    open_at_work(1, INDIRECT);
    d.b.card.quick = true;
    card_reset(&d.b.card);
    fake_link_install(d.b.card.chip, serve);
    char text[200];
    snprintf(text, sizeof text, "80100000%02zX%s", strlen(d.profile) / 2, d.profile);
    send_apdu(text);
    while (d.b.card.sw >> 8 == 0x91 && d.timers[1] + d.timers[2] + d.timers[3] == 0 &&
           d.eims[0].exchanges == 0)
        ck_assert(serve_command());
    ck_assert_uint_eq(card_es10_hex(&d.b.card, "BF2E00"), 0x6985);
    ck_assert_uint_eq(card_es10_hex(&d.b.card, "BF2000") >> 8, 0x91);
    close_desk();
}
END_TEST

/* Whatever the eIM answers, at whatever moment, the card goes on, and says it once more later. */
START_TEST(malformed_answers)
{
    static const char *const answers[] = {
        "",
        "00",
        "BF4F00",
        "BF4F{ 02020101 0201 }",
        "BF4F{ BF5100 }",
        "BF4F{ BF5200 }",
        "BF4F{ BF5300 }",
        "BF4F{ BF54{ 8100 } }",
        "BF4F{ BF99{ 00 } }",
        "BF50{ BF53{ 8000 } }",
        "BF50{ 020102 }",
        "BF4F{ 020102 }",
        "BF39{ 81017F }",
        "BF39{ A000 }",
        "BF3B{ 82017F }",
        "BF3A{ 81017F }",
        "BF3A{ A0{ BF3600 } }",
        "3000",
    };

    for (unsigned at = 1; at < 12; at++) {
        open_at_work(1, INDIRECT);
        struct model_eim *m = &d.eims[0];
        add(m, JOB_PACKAGE, LIST);
        add(m, JOB_DATA, "81BF20");
        add(m, JOB_TRIGGER, AC);
        m->garble = answers[_i];
        m->garble_at = at;
        power_up();
        for (int i = 0; i < 10; i++)
            expire();
        ck_assert_msg(next_job(m) == NULL || next_job(m)->kind == JOB_TRIGGER || m->exchanges > at,
                      "%s at %u", answers[_i], at);
        ck_assert_uint_eq(d.b.card.sw, 0x9000);
        ck_assert_uint_ge(m->asked, 5);
        close_desk();
    }
}
END_TEST

/* A reset instead of any APDU: the end is reached all the same. */
START_TEST(resets_at_every_moment)
{
    unsigned total = 0;

    for (unsigned at = 0; at == 0 || at <= total; at += at == 0 ? (unsigned)_i + 1 : 4) {
        open_at_work(1, INDIRECT);
        struct model_eim *m = &d.eims[0];
        add(m, JOB_PACKAGE, LIST);
        add(m, JOB_TRIGGER, AC);
        add(m, JOB_PACKAGE, GRANT_2);
        d.cut_at = at;
        d.reset_at_refresh = _i % 2 == 0;
        power_up();
        for (int i = 0; i < 6 && !(all_done(m) && card_pending(&d.b.card) == 0); i++) {
            if (_i % 2 != 0)
                location(0);
            expire();
        }
        ck_assert_msg(all_done(m), "cut at %u of %u: %s", at, total, d.b.card.why);
        bench_assert_profiles(&d.b, "1-3-2+");
        card_expect(&d.b.card, "BF2B{ A0{ 8200 } }", "BF2B{ A200 }");
        if (at == 0)
            total = d.apdus;
        close_desk();
    }
}
END_TEST

/* Power goes with any write. */
START_TEST(power_cuts_at_every_write)
{
    bool cut = true;

    for (unsigned at = (unsigned)_i; cut; at += 4) {
        open_at_work(1, INDIRECT);
        struct model_eim *m = &d.eims[0];
        add(m, JOB_PACKAGE, LIST);
        add(m, JOB_TRIGGER, AC);
        add(m, JOB_PACKAGE, GRANT_2);
        d.reset_at_refresh = at % 8 < 4;
        d.writes = at + 1;
        power_up();
        for (int i = 0; i < 6 && !(all_done(m) && card_pending(&d.b.card) == 0); i++) {
            location(0);
            expire();
        }
        ck_assert_msg(all_done(m), "cut at write %u: %s", at, d.b.card.why);
        bench_assert_profiles(&d.b, "1-3-2+");
        card_expect(&d.b.card, "BF2B{ A0{ 8200 } }", "BF2B{ A200 }");
        cut = d.went_mute;
        ck_assert_msg(cut || at >= 20, "the story has only %u writes", at);
        close_desk();
    }
}
END_TEST

/* One seed: the same octets both ways, and the same storage. */
START_TEST(the_same_seed_gives_the_same_octets)
{
    static const char *const seeds[] = { "one", "one", "two" };
    char digests[N_ELEMS(seeds)][CARD_DIGEST_LEN];
    uint64_t heard[N_ELEMS(seeds)];

    for (size_t i = 0; i < N_ELEMS(seeds); i++) {
        open_desk_seeded(1, _i == 0 ? INDIRECT : DIRECT, at_work, N_ELEMS(at_work), seeds[i]);
        struct model_eim *m = &d.eims[0];
        add(m, JOB_PACKAGE, LIST);
        add(m, JOB_DATA, "81BF20BF228384A5A6A8A9A0A2");
        add(m, JOB_TRIGGER, AC);
        add(m, JOB_PACKAGE, GRANT_2);
        power_up();
        m->outcome = LINK_RETRY_LATER; /* its jitter too */
        for (int k = 0; k < 4; k++)
            expire();
        ck_assert(all_done(m));
        card_digest(&d.b.card, digests[i]);
        heard[i] = d.heard;
        close_desk();
    }
    ck_assert_uint_eq(heard[0], heard[1]);
    ck_assert_str_eq(digests[0], digests[1]);
    ck_assert_uint_ne(heard[0], heard[2]);
}
END_TEST

/* Whatever servers and terminal do, in whatever order: when they are themselves again, everything
 * comes to its end without a reset, and no result and no notification is lost. */
START_TEST(chaos_has_an_end)
{
    char seed[16];

    snprintf(seed, sizeof seed, "chaos %d", _i);
    open_desk_seeded(2, INDIRECT, at_work, N_ELEMS(at_work), seed);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_PACKAGE, LIST);
    add(m, JOB_TRIGGER, AC);
    add(m, JOB_PACKAGE, GRANT_2);
    add(m, JOB_PACKAGE, LIST);
    add(&d.eims[1], JOB_PACKAGE, ENABLE_3);
    d.rough = true;
    d.chaos = ((uint64_t)_i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    power_up();
    for (int i = 0; i < 12; i++) {
        d.reset_at_refresh = choose(2) == 0;
        d.no_service = choose(3) == 0;
        if (choose(2) == 0)
            location(choose(3));
        if (choose(4) == 0)
            tell("80C2000008 D606 990103 9B02FF");
        expire();
    }
    d.chaos = 0;
    d.no_service = false;
    card_cut_after(&d.b.card, 1000000);
    for (int i = 0; i < 300 && !(all_done(m) && all_done(&d.eims[1])); i++) {
        location(0);
        expire();
        tell("80F2000C"); /* its clock where a timer was refused */
    }
    ck_assert_msg(all_done(m) && all_done(&d.eims[1]), "%s", d.b.card.why);
    for (int i = 0; i < 4; i++) {
        location(0);
        expire();
        tell("80F2000C"); /* its clock where a timer was refused */
    }
    ck_assert_uint_eq(card_pending(&d.b.card), 0);
    card_expect(&d.b.card, "BF2B{ A0{ 8200 } }", "BF2B{ A200 }");
    unsigned asked = m->asked;
    for (int i = 0; i < 300 && m->asked == asked; i++) {
        expire();
        tell("80F2000C");
    }
    ck_assert_uint_gt(m->asked, asked);
    close_desk();
}
END_TEST

/* Without timers, by what the terminal profile says or by what the terminal does, STATUS is time.
 */
START_TEST(a_terminal_without_timers_is_polled)
{
    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    if (_i == 0)
        d.profile = "DFFFFFFFFFFFFFFCFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";
    d.no_timers = true;
    m->outcome = LINK_RETRY_LATER;
    m->status = 0;
    power_up();
    ck_assert_uint_eq(m->exchanges, 1);
    ck_assert(d.interval >= 48 && d.interval <= 72);
    tell("80F2000C");
    ck_assert_uint_eq(m->exchanges, 2);
    m->outcome = LINK_OK;
    m->status = 200;
    ck_assert(d.interval >= 96 && d.interval <= 144);
    tell("80F2000C");
    ck_assert_uint_eq(m->asked, 1);
    ck_assert_uint_eq(d.interval, 17 * 60); /* 1000 seconds are too many for seconds */
    tell("80F2000C");
    ck_assert_uint_eq(m->asked, 2);
    close_desk();
}
END_TEST

/* A location status that is none, while it asks the terminal and after. */
START_TEST(an_event_that_is_none_ends_nothing)
{
    static const char *const events[] = { "80C2000008 D606 990103 820100", "80C2000005 D603 990103",
                                          "80C2000008 D606 990103 9B0107" };

    open_at_work(1, INDIRECT);
    card_reset(&d.b.card);
    fake_link_install(d.b.card.chip, serve);
    char text[200];
    snprintf(text, sizeof text, "80100000%02zX%s", strlen(d.profile) / 2, d.profile);
    send_apdu(text);
    ck_assert_uint_eq(send_apdu(events[_i]), 0x6A80);
    send_apdu("80F2000C");
    run();
    ck_assert_uint_eq(d.eims[0].asked, 1);
    ck_assert_uint_eq(send_apdu(events[_i]), 0x6A80);
    ck_assert_uint_eq(expire(), 1000);
    ck_assert_uint_eq(d.eims[0].asked, 2);
    close_desk();
}
END_TEST

/* An SM-DP+ that is down gets its notifications later, and not only when an eIM is asked. */
START_TEST(notifications_are_told_again)
{
    open_at_work(1, DIRECT);
    bench_download(&d.b, 2);
    d.sm_dp_down = true;
    power_up();
    ck_assert_uint_eq(d.eims[0].asked, 1);
    unsigned messages = d.sm_dp;
    ck_assert_uint_gt(messages, 0);
    uint32_t seconds = expire();
    ck_assert(seconds >= 48 && seconds <= 72);
    ck_assert_uint_gt(d.sm_dp, messages);
    ck_assert_uint_eq(d.eims[0].asked, 1);
    d.sm_dp_down = false;
    seconds = expire();
    ck_assert(seconds >= 96 && seconds <= 144);
    ck_assert_uint_eq(card_pending(&d.b.card), 0);
    close_desk();
}
END_TEST

/* An eIM of v1.0.1: no eimSupportedProtocol, no acknowledgements, downloads through it; what ES9+
 * has in JSON may come with tag and length.  The IPAe knows its bearer as in later versions. */
START_TEST(an_eim_of_version_1_0)
{
    static const struct softeuicc_setting settings[] = { { "ipae", "on" },
                                                         { "ipae_delay", "0" },
                                                         { "ipae_poll", "1000" },
                                                         { "sgp32_version", "1.0.1" } };
    struct tlv t;

    open_desk(1, "", settings, N_ELEMS(settings));
    struct model_eim *m = &d.eims[0];
    m->v1_0 = true;
    add(m, JOB_DATA, "BF20BF228384A5A688A9");
    power_up();
    ck_assert(all_done(m) && !m->connected);
    ck_assert(message_has(wr_view(&m->last), "BF50/BF52/A0/A8", &t));
    add(m, JOB_PACKAGE, LIST);
    add(m, JOB_TRIGGER, AC);
    add(m, JOB_PACKAGE, GRANT_2);
    ck_assert_uint_eq(expire(), 1000);
    ck_assert_msg(all_done(m), "%s", d.b.card.why);
    ck_assert(m->connected);
    ck_assert_uint_eq(m->results, 3); /* none of them twice */
    ck_assert_uint_gt(m->notifications, 0);
    ck_assert_uint_eq(d.sm_dp, 0);
    ck_assert_uint_eq(card_pending(&d.b.card), 0);
    card_expect(&d.b.card, "BF2B{ A0{ 8200 } }", "BF2B{ A200 }");
    bench_assert_profiles(&d.b, "1-3-2+");
    close_desk();
}
END_TEST

/* A result that the eIM fails at stays, and is told with each conversation; packages come. */
START_TEST(a_result_that_is_not_taken_keeps_no_package_away)
{
    open_at_work(1, INDIRECT);
    struct model_eim *m = &d.eims[0];
    add(m, JOB_PACKAGE, LIST);
    m->fail_from = 2; /* its result, and once more */
    m->fail_n = 2;
    m->status = 500;
    power_up();
    ck_assert_uint_eq(m->asked, 1);
    ck_assert_uint_eq(m->results, 0);
    m->jobs[0].done = true;
    add(m, JOB_PACKAGE, ENABLE_3);
    uint32_t seconds = expire();
    ck_assert(seconds >= 48 && seconds <= 72);
    ck_assert_uint_gt(m->asked, 1);
    ck_assert(all_done(m));
    ck_assert_uint_eq(card_pending(&d.b.card), 0);
    card_expect(&d.b.card, "BF2B{ A0{ 8200 } }", "BF2B{ A200 }");
    bench_assert_profiles(&d.b, "1-3+");
    close_desk();
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("ipae");

    suite_loop(&s, the_whole_story, 2);
    suite_add(&s, data_decode);
    suite_loop(&s, what_cannot_be_delivered_is_rolled_back, 2);
    suite_add(&s, without_service_it_falls_back_and_returns);
    suite_add(&s, back_off_grows);
    suite_add(&s, every_eim_has_its_own_time);
    suite_add(&s, an_eim_acknowledges_no_result_of_another);
    suite_loop(&s, direct_download, 3);
    suite_loop(&s, others_are_left_alone, 5);
    suite_add(&s, a_new_device_is_told);
    suite_add(&s, it_waits_for_service_at_power_on);
    suite_add(&s, an_exchange_that_breaks_off_is_done_again);
    suite_loop(&s, a_profile_is_enabled_at_once, 2);
    suite_add(&s, a_busy_cat_refuses_the_eim);
    suite_add(&s, an_emergency_is_told);
    suite_loop(&s, an_eim_is_asked_as_both_can, 5);
    suite_add(&s, outside_may_look_while_it_talks);
    suite_loop(&s, malformed_answers, 18);
    suite_loop(&s, resets_at_every_moment, 4);
    suite_loop(&s, power_cuts_at_every_write, 4);
    suite_loop(&s, the_same_seed_gives_the_same_octets, 2);
    suite_loop(&s, chaos_has_an_end, CHAOS_SEEDS);
    suite_loop(&s, a_terminal_without_timers_is_polled, 2);
    suite_loop(&s, an_event_that_is_none_ends_nothing, 3);
    suite_add(&s, notifications_are_told_again);
    suite_add(&s, an_eim_of_version_1_0);
    suite_add(&s, a_result_that_is_not_taken_keeps_no_package_away);
    return suite_run(&s);
}
