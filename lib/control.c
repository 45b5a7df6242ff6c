/* control.c - the back door, a table of verbs (docs/CONTROL.md). */
#include "lib/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/ipae.h"
#include "os/euicc.h"

typedef int verb_fn(struct euicc *e, const char *argument, char *reply, size_t size);

static int status(struct euicc *e, const char *argument, char *reply, size_t size)
{
    (void)argument;
    snprintf(reply, size, "%s writes=%" PRIu64 " commits=%" PRIu64 " power=%s",
             e->on ? "on" : "off", nvm_writes(e->nvm), nvm_commits(e->nvm),
             nvm_has_power(e->nvm) ? "yes" : "lost");
    return 0;
}

static int reset(struct euicc *e, const char *argument, char *reply, size_t size)
{
    (void)argument;
    int err = euicc_power_on(e);
    snprintf(reply, size, "%s", err == 0 ? "reset" : "the card does not start");
    return err;
}

static int power_off(struct euicc *e, const char *argument, char *reply, size_t size)
{
    (void)argument;
    euicc_power_off(e);
    snprintf(reply, size, "off");
    return 0;
}

static int cut_after(struct euicc *e, const char *argument, char *reply, size_t size)
{
    char *end;
    unsigned long long n = strtoull(argument, &end, 10);

    if (argument[0] < '0' || argument[0] > '9' || *end != '\0') {
        snprintf(reply, size, "cut-after needs the number of writes that still succeed");
        return ERR_INPUT;
    }
    nvm_cut_after(e->nvm, n);
    trace_note(&e->trace, "fault: power will be cut after %llu more writes", n);
    snprintf(reply, size, "armed");
    return 0;
}

/* One number for everything that is stored, so that a test can tell "unchanged" from "changed". */
static int digest(struct euicc *e, const char *argument, char *reply, size_t size)
{
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

static int ipae(struct euicc *e, const char *argument, char *reply, size_t size)
{
    (void)argument;
    if (e->on)
        ipae_describe(e, reply, size);
    else
        snprintf(reply, size, "off");
    return 0;
}

int control_run(struct euicc *e, const char *line, char *reply, size_t size)
{
    static const struct {
        const char *name;
        verb_fn *run;
    } verbs[] = {
        { "status", status },       { "reset", reset },   { "power-off", power_off },
        { "cut-after", cut_after }, { "digest", digest }, { "ipae", ipae },
    };
    size_t n = strcspn(line, " ");
    const char *argument = line + n + strspn(line + n, " ");

    for (size_t i = 0; i < N_ELEMS(verbs); i++)
        if (strlen(verbs[i].name) == n && memcmp(verbs[i].name, line, n) == 0)
            return verbs[i].run(e, argument, reply, size);
    snprintf(reply, size, "there is no such line; see docs/CONTROL.md");
    return ERR_INPUT;
}
