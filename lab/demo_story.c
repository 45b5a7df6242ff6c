/* demo_story.c - the steps of the story, and what has to be true after each.
 *
 * A step ends when card and terminal rest and its condition holds; until then their clock is put
 * forward from timer to timer, as far as the step may take. */
#include <stdlib.h>
#include <string.h>

#include "lab/demo.h"
#include "lab/eim_package.h"
#include "os/err.h"

enum {
    HERE_MS = 60000, /* the longest that a step may take */
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    WORDS_MAX = 4,
    ORDER_MAX = 1024,
};

struct story {
    struct demo_bench *bench;
    int64_t work;   /* number of what was queued last */
    int64_t before; /* records of the eIM when the step began */
};

/* --- the eIM's store -------------------------------------------------------------------------- */

/* A number that the eIM's store gives for this device; -1: it fails. */
static int64_t ask(const struct story *s, const char *sql, int64_t number)
{
    struct db_rows *rows = db_query(s->bench->eim->db, sql, "ti", s->bench->eid, number);
    int64_t n = db_next(rows) ? db_int(rows, 0) : -1;

    return db_rows_done(&rows) == 0 ? n : -1;
}

static int queue(struct story *s, const char *text, struct lab_error *e)
{
    char copy[DEMO_TEXT_LEN], *words[WORDS_MAX], *rest = copy;
    enum work_kind kind = WORK_PACKAGE;
    uint8_t room[ORDER_MAX];
    size_t n = 0;
    struct wr order;

    wr_init(&order, room, sizeof room);
    copy_text(text, copy, sizeof copy);
    while (rest != NULL && n < WORDS_MAX)
        words[n++] = strsep(&rest, " ");
    TRY(eim_order_read(n, words, &kind, &order, e));
    const struct eim_order work = { kind, FOR_USER, wr_view(&order), text, "" };
    if (store_add_work(s->bench->eim->db, s->bench->eid, &work, &s->work) != 0)
        return lab_fail(e, "%s", db_reason(s->bench->eim->db));
    demo_record_add(&s->bench->record, DEMO_EIM, DEMO_EIM, 0, "queued: %.*s",
                    (int)strcspn(text, " "), text);
    return 0;
}

/* Each of these gives 0, or negative with what is missing. */

static int check_work(const struct story *s, struct lab_error *e)
{
    struct eim_work w;
    bool found = false;

    if (store_get_work(s->bench->eim->db, s->work, &w, &found) != 0 || !found)
        return lab_fail(e, "the eIM's work is gone");
    return w.state == WORK_DONE ? 0 : lab_fail(e, "the eIM's work is %s", work_state_name(w.state));
}

static int check_enabled(const cJSON *card, const char *iccid, struct lab_error *e)
{
    const char *enabled = demo_enabled(card);

    return strcmp(enabled, iccid) == 0 ? 0
                                       : lab_fail(e, "the card has profile %s enabled",
                                                  enabled[0] != '\0' ? enabled : "none");
}

static int check_notified(const struct story *s, enum demo_event event, unsigned least,
                          struct lab_error *e)
{
    unsigned n = demo_smdp_notified(s->bench->smdp, event);

    return n >= least ? 0 : lab_fail(e, "the SM-DP+ has %u of %u notifications", n, least);
}

/* Neither the card nor the eIM holds anything back. */
static int check_empty(const struct story *s, const cJSON *card, struct lab_error *e)
{
    const cJSON *iot = cJSON_GetObjectItemCaseSensitive(card, "iot");
    const cJSON *pending = cJSON_GetObjectItemCaseSensitive(card, "notifications_pending");

    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(iot, "package_results")) != 0)
        return lab_fail(e, "a package result in the card is not acknowledged");
    if (!cJSON_IsNumber(pending) || pending->valuedouble != 0)
        return lab_fail(e, "a notification in the card is not acknowledged");
    if (ask(s, "SELECT count(*) FROM notification WHERE eid = ? AND pending <> ?", 0) != 0)
        return lab_fail(e, "the eIM has a notification that is not delivered");
    return 0;
}

static const char count_changes[] = "SELECT count(*) FROM result WHERE eid = ? AND id > ? AND"
                                    " kind = 'stateChange' AND json LIKE '%\"fallback\"%'";

static int check_told(const struct story *s, struct lab_error *e)
{
    return ask(s, count_changes, s->before) > 0
               ? 0
               : lab_fail(e, "the eIM does not know of the change");
}

/* --- steps ------------------------------------------------------------------------------------ */

static bool was_said(const struct story *s, enum demo_party from, const char *text)
{
    const struct demo_record *r = &s->bench->record;

    for (size_t i = 0; i < r->n; i++)
        if (r->messages[i].step == r->step && r->messages[i].from == from &&
            strcmp(r->messages[i].text, text) == 0)
            return true;
    return false;
}

static int power_on(struct story *s, struct lab_error *e)
{
    (void)e;
    terminal_start(s->bench->run.terminal);
    return 0;
}

static int is_attached(const struct story *s, const cJSON *card, struct lab_error *e)
{
    if (!was_said(s, DEMO_TERMINAL, "normal service"))
        return lab_fail(e, "there is no service");
    if (!was_said(s, DEMO_CARD, "PROVIDE LOCAL INFORMATION"))
        return lab_fail(e, "the card's IPA does not stir");
    return check_enabled(card, DEMO_BOOTSTRAP, e);
}

static int is_known(const struct story *s, const cJSON *card, struct lab_error *e)
{
    struct eim_device d;
    bool found = false;

    (void)card;
    if (store_get_device(s->bench->eim->db, s->bench->eid, &d, &found) != 0 || !found)
        return lab_fail(e, "the eIM has not heard of the card");
    if (!d.has_certificate || d.token_state != TOKEN_KNOWN)
        return lab_fail(e, "the eIM has not learned certificate and association token");
    return 0;
}

static int queue_download(struct story *s, struct lab_error *e)
{
    char text[DEMO_TEXT_LEN];

    snprintf(text, sizeof text, "download 1$%s$operational indirect",
             demo_smdp_address(s->bench->smdp));
    return queue(s, text, e);
}

static int is_downloaded(const struct story *s, const cJSON *card, struct lab_error *e)
{
    const cJSON *one;
    bool there = false;

    TRY(check_work(s, e));
    cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(card, "profiles"))
    {
        there = there || strcmp(demo_log_text(one, "iccid"), s->bench->operational) == 0;
    }
    if (!there)
        return lab_fail(e, "the profile is not on the card");
    TRY(check_enabled(card, DEMO_BOOTSTRAP, e));
    TRY(check_notified(s, DEMO_INSTALL, 1, e));
    return check_empty(s, card, e);
}

static int queue_enable(struct story *s, struct lab_error *e)
{
    char text[DEMO_TEXT_LEN];

    snprintf(text, sizeof text, "enable %s rollback", s->bench->operational);
    return queue(s, text, e);
}

static int is_enabled(const struct story *s, const cJSON *card, struct lab_error *e)
{
    TRY(check_work(s, e));
    if (ask(s, "SELECT count(*) FROM result WHERE eid = ? AND work = ? AND verified = 1",
            s->work) != 1)
        return lab_fail(e, "the eIM has no verified result");
    TRY(check_enabled(card, s->bench->operational, e));
    TRY(check_notified(s, DEMO_ENABLE, 1, e));
    return check_empty(s, card, e);
}

static int lose_network(struct story *s, struct lab_error *e)
{
    (void)e;
    demo_bench_reach(s->bench, false);
    return 0;
}

static int has_fallen_back(const struct story *s, const cJSON *card, struct lab_error *e)
{
    const cJSON *iot = cJSON_GetObjectItemCaseSensitive(card, "iot");

    TRY(check_enabled(card, DEMO_BOOTSTRAP, e));
    if (strcmp(demo_log_text(iot, "return_from_fallback"), s->bench->operational) != 0)
        return lab_fail(e, "the card does not know the way back");
    TRY(check_told(s, e));
    return check_empty(s, card, e);
}

static int find_network(struct story *s, struct lab_error *e)
{
    (void)e;
    demo_bench_reach(s->bench, true);
    return 0;
}

static int is_back(const struct story *s, const cJSON *card, struct lab_error *e)
{
    TRY(check_enabled(card, s->bench->operational, e));
    TRY(check_told(s, e));
    return check_empty(s, card, e);
}

static int is_quiet(const struct story *s, const cJSON *card, struct lab_error *e)
{
    if (!was_said(s, DEMO_EIM, "noEimPackageAvailable"))
        return lab_fail(e, "the eIM was not asked");
    if (ask(s, "SELECT count(*) FROM work WHERE eid = ? AND state <> ?", WORK_DONE) != 0)
        return lab_fail(e, "the eIM has work that is not done");
    TRY(check_enabled(card, s->bench->operational, e));
    return check_empty(s, card, e);
}

static const struct step {
    const char *name, *title, *tale;
    int (*begin)(struct story *s, struct lab_error *e);
    int (*check)(const struct story *s, const cJSON *card, struct lab_error *e);
    uint64_t most_ms; /* of the device's clock */
} steps[] = {
    { "power-on", "A factory-new card is powered on",
      "   It holds a bootstrap profile, enabled and with the fallback attribute, and the\n"
      "   configuration of one eIM.  The device has no IPA: the one in the card asks what device\n"
      "   it is in and waits for service.",
      power_on, is_attached, MINUTE_MS },
    { "first poll", "It finds its eIM",
      "   The IPA looks the eIM's name up and asks for work.  The eIM does not know the card yet\n"
      "   and asks for its certificates and its association token.  TLS or DTLS ends in the card:\n"
      "   the terminal sees channels and octets.",
      NULL, is_known, HOUR_MS },
    { "download", "It is given an operational profile",
      "   The eIM has a download queued.  At the next poll the card authenticates the SM-DP+\n"
      "   through the eIM, is authenticated by it, and installs the profile.",
      queue_download, is_downloaded, 30 * HOUR_MS },
    { "enable", "The profile is enabled",
      "   A signed package enables it and grants a rollback.  REFRESH, a new network; what came\n"
      "   of it is told there and acknowledged, and the SM-DP+ gets its notification.",
      queue_enable, is_enabled, 30 * HOUR_MS },
    { "fallback", "The network is lost",
      "   For two hours.  The card falls back to the bootstrap profile by itself, and tells the\n"
      "   eIM why.",
      lose_network, has_fallen_back, 30 * HOUR_MS },
    { "return", "The network is back",
      "   The card returns to the operational profile, by itself too, and tells the eIM.",
      find_network, is_back, 30 * HOUR_MS },
    { "quiet", "There is nothing to do", "   One more poll: this is what an ordinary day costs.",
      NULL, is_quiet, 30 * HOUR_MS },
};

/* --- telling it ------------------------------------------------------------------------------- */

/* 0 when the step's condition holds, else negative with the reason. */
static int run_step(struct story *s, const struct step *step, struct lab_error *e)
{
    struct demo_bench *b = s->bench;
    uint64_t here = here_ms(), clock = b->run.clock.ms;
    bool rests;

    s->before = ask(s, "SELECT coalesce(max(id), 0) FROM result WHERE eid = ? OR ?", 1);
    if (step->begin != NULL)
        TRY(step->begin(s, e));
    for (;;) {
        TRY(demo_bench_turn(b, &rests, e));
        if (here_ms() - here > HERE_MS)
            return lab_fail(e, "nothing comes of it within %d s", HERE_MS / 1000);
        if (!rests)
            continue;
        eim_tick(b->eim, NULL);
        cJSON *card = demo_bench_show(b);
        int r = card == NULL ? lab_fail(e, "the card does not show") : step->check(s, card, e);
        cJSON_Delete(card);
        if (r == 0)
            return 0;
        if (terminal_next_ms(b->run.terminal) - clock > step->most_ms || !demo_bench_skip(b))
            return r;
    }
}

/* The difference that the step made. */
static void take_counts(const struct demo_bench *b, struct demo_taken *ret)
{
    const struct terminal_count *c;

    for (size_t n = terminal_counts(b->run.terminal, &c); n > 0; n--)
        if (strcmp(c[n - 1].phase, ret->name) == 0)
            ret->air = c[n - 1];
}

static void tell_step(struct story *s, size_t i, struct demo_taken *ret)
{
    struct demo_bench *b = s->bench;
    uint64_t here = here_ms(), clock = b->run.clock.ms, bip = b->bip;
    struct lab_error e = { "" };

    *ret = (struct demo_taken){ .name = steps[i].name,
                                .title = steps[i].title,
                                .tale = steps[i].tale };
    b->record.step = i;
    b->said[0] = '\0';
    terminal_phase(b->run.terminal, steps[i].name);
    ret->holds = run_step(s, &steps[i], &e) == 0;
    if (!ret->holds)
        snprintf(ret->why, sizeof ret->why, "%.240s%s%.240s", e.text,
                 b->said[0] != '\0' ? "; the card said last: " : "", b->said);
    take_counts(b, ret);
    ret->bip = b->bip - bip;
    ret->clock_ms = b->run.clock.ms - clock;
    ret->here_ms = here_ms() - here;
}

bool demo_story(struct demo_bench *b, FILE *out, struct demo_taken ret[DEMO_STEPS_MAX],
                size_t *ret_n)
{
    struct story s = { .bench = b };

    for (*ret_n = 0; *ret_n < N_ELEMS(steps); (*ret_n)++) {
        tell_step(&s, *ret_n, &ret[*ret_n]);
        if (out != NULL)
            demo_tell_step(out, &b->record, *ret_n, &ret[*ret_n]);
        if (!ret[*ret_n].holds) {
            (*ret_n)++;
            return false;
        }
    }
    return true;
}
