/* control.c - the back door, a table of verbs (docs/CONTROL.md). */
#include "lib/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "applets/ipae/ipae.h"
#include "os/euicc.h"

typedef int verb_fn(struct faults *f, const char *argument, char *reply, size_t size);

static int status(struct faults *f, const char *argument, char *reply, size_t size)
{
    struct euicc *e = f->e;

    (void)argument;
    snprintf(reply, size, "%s writes=%" PRIu64 " commits=%" PRIu64 " power=%s time=%" PRId64,
             e->on ? "on" : "off", nvm_writes(e->nvm), nvm_commits(e->nvm),
             nvm_has_power(e->nvm) ? "yes" : "lost", euicc_time(e));
    return 0;
}

static int reset(struct faults *f, const char *argument, char *reply, size_t size)
{
    struct euicc *e = f->e;

    (void)argument;
    int err = euicc_power_on(e);
    snprintf(reply, size, "%s", err == 0 ? "reset" : "the card does not start");
    return err;
}

static int power_off(struct faults *f, const char *argument, char *reply, size_t size)
{
    struct euicc *e = f->e;

    (void)argument;
    euicc_power_off(e);
    snprintf(reply, size, "off");
    return 0;
}

/* One number for everything that is stored, so that a test can tell "unchanged" from "changed". */
static int digest(struct faults *f, const char *argument, char *reply, size_t size)
{
    struct euicc *e = f->e;
    uint8_t hash[SHA256_LEN] = { 0 };
    char key[NVM_KEY_MAX] = "";
    struct wr value;
    bool found;
    int err;

    wr_init_heap(&value, NVM_VALUE_MAX);
    while ((err = nvm_next(e->nvm, argument, key, &found)) == 0 && found) {
        wr_clear(&value);
        err = nvm_get(e->nvm, key, &value, &found);
        const struct rd parts[] = { rd_of(hash, sizeof hash), rd_of(key, strlen(key) + 1),
                                    wr_view(&value) };
        if (err == 0)
            err = crypto_sha256(e->crypto, parts, N_ELEMS(parts), hash);
        if (err != 0)
            break;
    }
    wr_done(&value);
    for (size_t i = 0; i < sizeof hash && 2 * i + 2 < size; i++)
        snprintf(reply + 2 * i, 3, "%02x", hash[i]);
    return err;
}

static int ipae(struct faults *f, const char *argument, char *reply, size_t size)
{
    (void)argument;
    if (f->e->on)
        ipae_describe(f->e, reply, size);
    else
        snprintf(reply, size, "off");
    return 0;
}

static int list(struct faults *f, const char *argument, char *reply, size_t size)
{
    (void)argument;
    faults_list(f, reply, size);
    return 0;
}

static int clear(struct faults *f, const char *argument, char *reply, size_t size)
{
    (void)argument;
    faults_clear(f);
    snprintf(reply, size, "cleared");
    return 0;
}

static const struct verb {
    const char *name, *arguments, *meaning, *answer;
    verb_fn *run; /* NULL: a fault */
    enum fault_kind fault;
} verbs[] = {
    { "status", "", "is it on, how much did it write since it was opened, has it power",
      "`on writes=12 commits=3 power=yes time=1795264000`", status, 0 },
    { "reset", "", "warm reset", "`reset`", reset, 0 },
    { "power-off", "", "powers off; the next APDU powers on", "`off`", power_off, 0 },
    { "digest", "[PREFIX]", "one number for all stored objects whose key begins with PREFIX",
      "64 hex digits", digest, 0 },
    { "ipae", "", "what the IPAe does or waits for",
      "`none` without one, `off`, `asks the terminal`, `talks to HOST`, `notifies HOST`, "
      "`waits for service`, `sleeps for N s`, `waits for an eIM`",
      ipae, 0 },
    { "faults", "", "lists the faults that are set", "`sw 80E2 6A80; cat-busy on`", list, 0 },
    { "clear", "", "takes all faults back", "`cleared`", clear, 0 },
    { "cut-after", "N", "N more writes succeed, then the power is gone", "`armed`", NULL,
      FAULT_CUT_AFTER },
    { "cut-at", "STEP [COUNT]", "the power goes at this step, the COUNT-th time", "`armed`", NULL,
      FAULT_CUT_AT },
    { "sw", "MATCH SW [COUNT]", "answers SW; the card does not see the command", "`armed`", NULL,
      FAULT_SW },
    { "delay", "MATCH MS [COUNT]", "answers so many milliseconds later", "`armed`", NULL,
      FAULT_DELAY },
    { "mute", "MATCH [COUNT]", "no answer; the card does not see the command", "`armed`", NULL,
      FAULT_MUTE },
    { "corrupt", "MATCH OFFSET [COUNT]", "inverts this octet of the answer; -1 is the last one",
      "`armed`", NULL, FAULT_CORRUPT },
    { "full-memory", "on|off", "no octet is free for profiles and files", "`armed`", NULL,
      FAULT_FULL_MEMORY },
    { "cat-busy", "on|off", "a proactive session is said to go on", "`armed`", NULL,
      FAULT_CAT_BUSY },
    { "clock", "SECONDS", "the card's clock jumps, back if below 0", "`armed`", NULL, FAULT_CLOCK },
};

static int run_verb(const struct verb *v, struct faults *f, const char *argument, char *reply,
                    size_t size)
{
    if (v->run != NULL)
        return v->run(f, argument, reply, size);
    int err = faults_set(f, v->fault, argument, reply, size);
    if (err == ERR_INPUT)
        snprintf(reply, size, "it is written: %s %s", v->name, v->arguments);
    else if (err != 0)
        snprintf(reply, size, "there are too many faults");
    return err;
}

static const struct verb *find(const char *line)
{
    size_t n = strcspn(line, " ");

    for (size_t i = 0; i < N_ELEMS(verbs); i++)
        if (strlen(verbs[i].name) == n && memcmp(verbs[i].name, line, n) == 0)
            return &verbs[i];
    return NULL;
}

int control_run(struct faults *f, const char *line, char *reply, size_t size)
{
    const struct verb *v = find(line);
    size_t n = strcspn(line, " ");

    reply[0] = '\0';
    if (v != NULL)
        return run_verb(v, f, line + n + strspn(line + n, " "), reply, size);
    snprintf(reply, size, "there is no such line; see docs/CONTROL.md");
    return ERR_INPUT;
}

int control_fault(struct faults *f, const char *line, char *reply, size_t size)
{
    const struct verb *v = find(line);

    if (v != NULL && v->run == NULL)
        return control_run(f, line, reply, size);
    snprintf(reply, size, "that is no fault");
    return ERR_INPUT;
}

bool control_at(size_t n, struct softeuicc_control_info *ret)
{
    if (n >= N_ELEMS(verbs))
        return false;
    *ret = (struct softeuicc_control_info){ verbs[n].name, verbs[n].arguments, verbs[n].meaning,
                                            verbs[n].answer, verbs[n].run == NULL };
    return true;
}
