/* demo_smdp.c - the SM-DP+ of the demo, in a thread: the eIM waits for its answers. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "certs/pki.h"
#include "lab/demo.h"
#include "lab/es9p.h"
#include "lab/es9p_server.h"
#include "os/err.h"

enum { TLS_MAX = 8192 };

static const char host[] = "127.0.0.1";

struct demo_smdp {
    struct smdpp_config config;
    struct es9p_server es9p;
    struct https_server *https;
    struct event *end;
    int wire[2]; /* an octet ends the thread */
    pthread_t thread;
    bool runs;
    struct wr certificate, key;
    char address[DEMO_ADDRESS_LEN];
    struct demo_record *record; /* its lock is that of notified, too */
    unsigned notified[DEMO_EVENTS];
};

static void count_notification(struct demo_smdp *s, const cJSON *line)
{
    static const char *const names[DEMO_EVENTS] = { "install", "enable", "disable", "delete" };
    const char *operation = demo_log_text(line, "operation");

    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(line, "verified")))
        return;
    pthread_mutex_lock(&s->record->lock);
    for (size_t i = 0; i < DEMO_EVENTS; i++)
        if (strcmp(names[i], operation) == 0)
            s->notified[i]++;
    pthread_mutex_unlock(&s->record->lock);
}

static void on_es9p(void *ctx, const struct https_request *request, struct https_reply *ret)
{
    struct demo_smdp *s = ctx;
    struct demo_log log;

    size_t asked = demo_record_add(s->record, DEMO_EIM, DEMO_SMDP, request->body.n, "ES9+");
    s->es9p.log = demo_log_open(&log);
    es9p_handle(&s->es9p, request, ret);
    cJSON *line = demo_log_close(&log);
    const char *operation = demo_log_text(line, "operation");
    const char *message = demo_log_text(line, "message");
    demo_record_change(s->record, asked, "%s%s%s", demo_log_text(line, "function"),
                       operation[0] != '\0' ? ": " : "", operation);
    demo_record_add(s->record, DEMO_SMDP, DEMO_EIM,
                    ret->body == NULL ? 0
                    : ret->n > 0      ? ret->n
                                      : strlen(ret->body),
                    "%s", message[0] != '\0' ? message : "done");
    count_notification(s, line);
    cJSON_Delete(line);
}

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
    struct demo_smdp *s = ctx;

    (void)fd;
    (void)what;
    event_base_loopbreak(https_events(s->https));
}

static void *run(void *ctx)
{
    struct demo_smdp *s = ctx;

    https_run(s->https);
    return NULL;
}

static int listen_https(struct demo_smdp *s, struct lab_error *e)
{
    const struct rsp_identity *identity = &s->config.identities[0];

    TRY(identity_issue_tls(s->config.crypto, identity, ROLE_DP_TLS, host, &s->certificate, &s->key,
                           e));
    const struct https_config config = {
        .bind_address = host,
        .certificate = wr_view(&s->certificate),
        .key = wr_view(&s->key),
        .protocol = ES9P_PROTOCOL,
        .handler = on_es9p,
        .ctx = s,
    };
    TRY(https_listen(&config, &s->https, e));
    snprintf(s->address, sizeof s->address, "%s:%u", host, (unsigned)https_port(s->https));
    return 0;
}

static int start_server(struct demo_smdp *s, const char *folder, struct lab_error *e)
{
    struct pki *pki = NULL;

    s->config.crypto = crypto_new(rd_of(NULL, 0));
    if (s->config.crypto == NULL)
        return lab_fail(e, "OpenSSL does not start");
    TRY(identity_open_pki(NULL, &pki, e));
    int r = identity_load(s->config.crypto, pki, IDENTITY_SMDPP, CURVE_P256,
                          &s->config.identities[0], e);
    pki_close(&pki);
    if (r != 0)
        return r;
    s->config.n_identities = 1;
    TRY(listen_https(s, e));
    s->config.profiles = folder;
    s->config.host = host;
    s->config.address = s->address;
    s->config.ppk = true;
    s->es9p.dp = smdpp_new(&s->config);
    if (s->es9p.dp == NULL)
        return lab_fail(e, "out of memory");
    s->config.n_identities = 0; /* they are the SM-DP+'s now */
    return 0;
}

static int start_thread(struct demo_smdp *s, struct lab_error *e)
{
    if (pipe(s->wire) != 0)
        return lab_fail(e, "no pipe");
    s->end = event_new(https_events(s->https), s->wire[0], EV_READ, on_end, s);
    if (s->end == NULL || event_add(s->end, NULL) != 0)
        return lab_fail(e, "no event loop");
    s->runs = pthread_create(&s->thread, NULL, run, s) == 0;
    return s->runs ? 0 : lab_fail(e, "no thread");
}

int demo_smdp_start(const char *folder, struct demo_record *record, struct demo_smdp **ret,
                    struct lab_error *e)
{
    struct demo_smdp *s = calloc(1, sizeof *s);

    if (s == NULL)
        return lab_fail(e, "out of memory");
    s->record = record;
    s->wire[0] = s->wire[1] = -1;
    wr_init_heap(&s->certificate, TLS_MAX);
    wr_init_heap(&s->key, TLS_MAX);
    int r = start_server(s, folder, e);
    if (r == 0)
        r = start_thread(s, e);
    if (r != 0)
        demo_smdp_stop(&s);
    *ret = s;
    return r;
}

void demo_smdp_stop(struct demo_smdp **smdp)
{
    struct demo_smdp *s = *smdp;

    if (s == NULL)
        return;
    if (s->runs && write(s->wire[1], "", 1) == 1)
        pthread_join(s->thread, NULL);
    if (s->end != NULL)
        event_free(s->end);
    https_free(&s->https);
    for (size_t i = 0; i < 2; i++)
        if (s->wire[i] >= 0)
            close(s->wire[i]);
    smdpp_free(&s->es9p.dp);
    for (size_t i = 0; i < s->config.n_identities; i++)
        identity_done(&s->config.identities[i]);
    wr_done(&s->certificate);
    wr_done(&s->key);
    crypto_free(&s->config.crypto);
    free(s);
    *smdp = NULL;
}

const char *demo_smdp_address(const struct demo_smdp *smdp)
{
    return smdp->address;
}

unsigned demo_smdp_notified(struct demo_smdp *smdp, enum demo_event event)
{
    pthread_mutex_lock(&smdp->record->lock);
    unsigned n = smdp->notified[event];
    pthread_mutex_unlock(&smdp->record->lock);
    return n;
}
