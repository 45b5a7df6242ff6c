/* play_tlv.c - paths into TLVs (docs/SCRIPTS.md, "Paths"). */
#include "lab/play_tlv.h"

#include <stdio.h>
#include <string.h>

#include "lab/codes.h"
#include "os/err.h"
#include "os/hex.h"

enum {
    MAX_FOUND = 256,
    SHOWN_OCTETS = 48,
    FILTER_MAX = 64,
    ANY_INDEX = -1,
};

/* --- paths ----------------------------------------------------------------------------------- */

/* E3, E3[1], E3(5A=98...), E3(5A={name}), or * for any tag. */
struct step {
    uint32_t tag;  /* 0: any */
    long index;    /* among those with this tag */
    uint32_t with; /* a child that it must have; 0: none */
    uint8_t value[FILTER_MAX];
    size_t n_value;
    char name[PLAY_NAME_MAX]; /* of the variable that value is; "": none */
};

struct path {
    struct step steps[PLAY_MAX_STEPS];
    size_t n;
};

static int read_tag(const char **at, uint32_t *ret, struct play_error *e)
{
    const char *begin = *at;
    size_t n = 0;

    for (*ret = 0; n < 8 && hex_digit(begin[n]) >= 0; n++)
        *ret = *ret << 4 | (uint32_t)hex_digit(begin[n]);
    if (n == 0 || n % 2 != 0 || n > 6 || *ret == 0)
        return play_fail(e, begin, "a tag of one to three octets");
    *at = begin + n;
    return 0;
}

static int read_index(const char **at, struct step *step, struct play_error *e)
{
    const char *begin = (*at)++;
    char digits[8] = "";
    size_t n = strspn(*at, "0123456789");
    unsigned long v;

    if (n < sizeof digits)
        memcpy(digits, *at, n);
    if (!number_read(digits, 65535, &v) || (*at)[n] != ']')
        return play_fail(e, begin, "[N] with a number from 0");
    step->index = (long)v;
    *at += n + 1;
    return 0;
}

static int read_filter(const char **at, struct step *step, struct play_error *e)
{
    const char *begin = (*at)++;

    TRY(read_tag(at, &step->with, e));
    if (**at != '=')
        return play_fail(e, *at, "(TAG=OCTETS)");
    if ((*at)[1] == '{') {
        size_t n = strcspn(*at + 2, "})");
        if ((*at)[2 + n] != '}' || n == 0 || !copy_rd(rd_of(*at + 2, n), step->name, PLAY_NAME_MAX))
            return play_fail(e, begin, "(TAG={NAME})");
        *at += 2 + n;
    }
    for ((*at)++; hex_digit(**at) >= 0 && hex_digit((*at)[1]) >= 0; *at += 2) {
        if (step->n_value == FILTER_MAX)
            return play_fail(e, begin, "more than %d octets", FILTER_MAX);
        step->value[step->n_value++] = (uint8_t)(hex_digit(**at) << 4 | hex_digit((*at)[1]));
    }
    if (*(*at)++ != ')')
        return play_fail(e, begin, "(TAG=OCTETS) with a )");
    return 0;
}

static int read_step(const char **at, struct step *step, struct play_error *e)
{
    *step = (struct step){ .index = ANY_INDEX };
    if (**at == '*')
        (*at)++;
    else
        TRY(read_tag(at, &step->tag, e));
    if (**at == '(')
        TRY(read_filter(at, step, e));
    if (**at == '[')
        TRY(read_index(at, step, e));
    return 0;
}

static int read_path(const char **at, struct path *ret, struct play_error *e)
{
    ret->n = 0;
    while (true) {
        if (ret->n == PLAY_MAX_STEPS)
            return play_fail(e, *at, "more than %d tags in a path", PLAY_MAX_STEPS);
        TRY(read_step(at, &ret->steps[ret->n++], e));
        if (**at != '/')
            break;
        (*at)++;
    }
    if (**at != '\0' && **at != ' ' && **at != '\t')
        return play_fail(e, *at, "not understood in a path: %.20s", *at);
    return 0;
}

/* What variables in filters hold; names NULL: only whether the path is well written. */
static int resolve(struct path *path, const struct play_names *names, const char *where,
                   struct play_error *e)
{
    struct rd value;

    for (size_t i = 0; names != NULL && i < path->n; i++) {
        struct step *step = &path->steps[i];
        if (step->name[0] == '\0')
            continue;
        if (!play_names_get(names, step->name, &value))
            return play_fail(e, where, "there is no %s yet", step->name);
        if (value.n > FILTER_MAX)
            return play_fail(e, where, "more than %d octets in %s", FILTER_MAX, step->name);
        step->n_value = value.n;
        if (value.n > 0)
            memcpy(step->value, value.p, value.n);
    }
    return 0;
}

/* All that a path names, the first MAX_FOUND of them kept. */
struct found {
    struct tlv at[MAX_FOUND];
    uint32_t tags[PLAY_MAX_STEPS]; /* of the first, from the outside */
    size_t n;
};

static bool passes(const struct step *step, const struct tlv *t)
{
    struct tlv child;

    if (step->tag != 0 && step->tag != t->tag)
        return false;
    return step->with == 0 || (tlv_find(t->value, step->with, &child) &&
                               rd_equal(child.value, rd_of(step->value, step->n_value)));
}

static void walk(const struct path *path, size_t depth, struct rd body, uint32_t *tags,
                 struct found *ret)
{
    const struct step *step = &path->steps[depth];
    struct tlv t;
    long n = 0;

    while (body.n > 0 && tlv_get(&body, &t) == 0) {
        if (!passes(step, &t) || (step->index != ANY_INDEX && step->index != n++))
            continue;
        tags[depth] = t.tag;
        if (depth + 1 < path->n) {
            walk(path, depth + 1, t.value, tags, ret);
            continue;
        }
        if (ret->n == 0)
            memcpy(ret->tags, tags, sizeof ret->tags);
        if (ret->n < MAX_FOUND)
            ret->at[ret->n] = t;
        ret->n++;
    }
}

static void find_all(const struct path *path, struct rd in, struct found *ret)
{
    uint32_t tags[PLAY_MAX_STEPS] = { 0 };

    ret->n = 0;
    walk(path, 0, in, tags, ret);
}

int play_path_find(const char *path, struct rd in, const struct play_names *names, struct tlv *ret,
                   struct play_error *e)
{
    const char *at = path;
    struct found found;
    struct path p;

    TRY(read_path(&at, &p, e));
    TRY(resolve(&p, names, path, e));
    find_all(&p, in, &found);
    *ret = found.n > 0 ? found.at[0] : (struct tlv){ .tag = 0 };
    return 0;
}

/* --- predicates ------------------------------------------------------------------------------ */

/* A predicate taken apart, and what it is about. */
struct question {
    const struct path *path;
    const struct found *found; /* NULL: only whether it is well written */
    const char *argument;
    struct play_names *names;
};

static size_t kept(const struct found *found)
{
    return found->n < MAX_FOUND ? found->n : MAX_FOUND;
}

static int fits(const struct question *q, struct rd value, bool *ret, struct play_error *e)
{
    struct play_answer answer = { .octets = value };
    struct play_match match;

    TRY(play_match(q->argument, &answer, q->names, &match, e));
    *ret = match.fits;
    return 0;
}

static void say(struct play_verdict *v, const struct found *found, const char *text)
{
    char hex[2 * SHOWN_OCTETS + 1];
    struct rd first = found->n > 0 ? found->at[0].value : rd_of(NULL, 0);

    if (found->n == 0) {
        lab_fail(&v->why, "there is no such TLV");
        return;
    }
    hex_text(first, hex, sizeof hex);
    lab_fail(&v->why, "%s: %s%s%s", text, hex, 2 * first.n >= sizeof hex ? "..." : "",
             found->n > 1 ? " (and others)" : "");
}

static int ask_exists(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    (void)e;
    v->holds = q->found->n > 0;
    say(v, q->found, "");
    return 0;
}

static int ask_absent(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    (void)e;
    v->holds = q->found->n == 0;
    say(v, q->found, "it is there");
    return 0;
}

static int ask_equal(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    for (size_t i = 0; i < kept(q->found) && !v->holds; i++)
        TRY(fits(q, q->found->at[i].value, &v->holds, e));
    say(v, q->found, "it is");
    return 0;
}

static int ask_other(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    bool same = false;

    for (size_t i = 0; i < kept(q->found) && !same; i++)
        TRY(fits(q, q->found->at[i].value, &same, e));
    v->holds = !same && q->found->n > 0;
    say(v, q->found, "it is");
    return 0;
}

static int ask_every(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    v->holds = q->found->n > 0 && q->found->n <= MAX_FOUND;
    for (size_t i = 0; i < kept(q->found) && v->holds; i++)
        TRY(fits(q, q->found->at[i].value, &v->holds, e));
    say(v, q->found, "one is different; the first is");
    return 0;
}

static int read_number(const struct question *q, unsigned long *ret, struct play_error *e)
{
    return number_read(q->argument, UINT32_MAX, ret)
               ? 0
               : play_fail(e, q->argument, "a number is missing");
}

static int ask_count(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    unsigned long wanted;

    TRY(read_number(q, &wanted, e));
    v->holds = q->found->n == wanted;
    lab_fail(&v->why, "there are %zu", q->found->n);
    return 0;
}

static int compare(const struct question *q, int sign, struct play_verdict *v, struct play_error *e)
{
    unsigned long wanted;
    uint64_t is;

    TRY(read_number(q, &wanted, e));
    v->holds = q->found->n > 0 && tlv_uint(q->found->at[0].value, &is) == 0 &&
               (sign < 0 ? is < wanted : is > wanted);
    say(v, q->found, "it is");
    return 0;
}

static int ask_less(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    return compare(q, -1, v, e);
}

static int ask_more(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    return compare(q, 1, v, e);
}

static int ask_is(const struct question *q, struct play_verdict *v, struct play_error *e)
{
    const char *name = NULL;
    uint64_t code;

    (void)e;
    if (q->found->n > 0 && tlv_uint(q->found->at[0].value, &code) == 0)
        name = play_code_name(q->found->tags, q->path->n, code);
    v->holds = name != NULL && strcmp(name, q->argument) == 0;
    if (name != NULL)
        lab_fail(&v->why, "it is %s(%llu)", name, (unsigned long long)code);
    else
        say(v, q->found, "it is no result code that has a name");
    return 0;
}

static int no_argument(const char *argument, struct play_error *e)
{
    return *argument == '\0' ? 0 : play_fail(e, argument, "nothing belongs here");
}

static int a_number(const char *argument, struct play_error *e)
{
    unsigned long v;

    return number_read(argument, UINT32_MAX, &v) ? 0 : play_fail(e, argument, "not a number");
}

static int a_name(const char *argument, struct play_error *e)
{
    return *argument != '\0' && strchr(argument, ' ') == NULL
               ? 0
               : play_fail(e, argument, "one name of a result code");
}

static bool code_list_of(const uint32_t *tags, size_t n, enum code_list *ret);

static const struct asking {
    const char *word;
    int (*check)(const char *argument, struct play_error *e);
    int (*ask)(const struct question *q, struct play_verdict *v, struct play_error *e);
} askings[] = {
    { "exists", no_argument, ask_exists },
    { "absent", no_argument, ask_absent },
    { "==", play_wanted_check, ask_equal },
    { "!=", play_wanted_check, ask_other },
    { "every", play_wanted_check, ask_every },
    { "count", a_number, ask_count },
    { "<", a_number, ask_less },
    { ">", a_number, ask_more },
    { "is", a_name, ask_is },
};

/* Whether the list of codes that the path leads to has this one; with * in it, that is open. */
static int check_code(const struct path *path, const char *name, struct play_error *e)
{
    uint32_t tags[PLAY_MAX_STEPS];
    enum code_list list;

    for (size_t i = 0; i < path->n; i++) {
        tags[i] = path->steps[i].tag;
        if (tags[i] == 0)
            return 0;
    }
    if (!code_list_of(tags, path->n, &list))
        return play_fail(e, name, "this path leads to no result code");
    return code_is_in(list, name) ? 0 : play_fail(e, name, "no result code there is %.60s", name);
}

static int read_predicate(const char *at, struct path *path, const struct asking **ret,
                          const char **ret_argument, struct play_error *e)
{
    TRY(read_path(&at, path, e));
    at += strspn(at, " \t");
    size_t n = strcspn(at, " \t");
    for (size_t i = 0; i < N_ELEMS(askings); i++) {
        if (strlen(askings[i].word) != n || memcmp(askings[i].word, at, n) != 0)
            continue;
        *ret = &askings[i];
        *ret_argument = at + n + strspn(at + n, " \t");
        TRY(askings[i].check(*ret_argument, e));
        return askings[i].ask == ask_is ? check_code(path, *ret_argument, e) : 0;
    }
    return play_fail(e, at, "one of exists, absent, ==, !=, every, count, <, >, is");
}

int play_predicate_check(const char *predicate, struct play_error *e)
{
    const struct asking *asking;
    const char *argument;
    struct path path;

    return read_predicate(predicate, &path, &asking, &argument, e);
}

int play_predicate(const char *predicate, struct rd in, struct play_names *names,
                   struct play_verdict *ret, struct play_error *e)
{
    const struct asking *asking = NULL;
    struct found found;
    struct path path;
    struct question q = { .path = &path, .found = &found, .names = names };

    *ret = (struct play_verdict){ .holds = false };
    TRY(read_predicate(predicate, &path, &asking, &q.argument, e));
    TRY(resolve(&path, names, predicate, e));
    find_all(&path, in, &found);
    return asking->ask(&q, ret, e);
}

/* --- names ----------------------------------------------------------------------------------- */

static const struct {
    uint32_t tag;
    const char *name;
} tag_names[] = {
    { 0x4F, "AID" },
    { 0x5A, "ICCID or EID" },
    { 0x5C, "tagList" },
    { 0x62, "FCP" },
    { 0x6F, "FCI" },
    { 0x84, "AID or fileName" },
    { 0x90, "profileNickname" },
    { 0x91, "serviceProviderName" },
    { 0x92, "profileName" },
    { 0x93, "iconType" },
    { 0x94, "icon" },
    { 0x95, "profileClass" },
    { 0xE0, "ISDRProprietaryApplicationTemplate" },
    { 0xE1, "ISDRProprietaryApplicationTemplateIoT" },
    { 0xE3, "ProfileInfo" },
    { 0x5F37, "signature" },
    { 0x5F49, "one-time public key" },
    { 0x9F26, "fallbackAttribute" },
    { 0x9F67, "fallbackAllowed" },
    { 0x9F70, "profileState" },
    { 0x9F7B, "ecallIndication" },
    { 0xBF20, "EUICCInfo1" },
    { 0xBF21, "PrepareDownload" },
    { 0xBF22, "EUICCInfo2" },
    { 0xBF23, "InitialiseSecureChannel" },
    { 0xBF25, "StoreMetadata" },
    { 0xBF27, "ProfileInstallationResultData" },
    { 0xBF28, "ListNotification" },
    { 0xBF29, "SetNickname" },
    { 0xBF2B, "RetrieveNotificationsList" },
    { 0xBF2D, "ProfileInfoList" },
    { 0xBF2E, "GetEuiccChallenge" },
    { 0xBF2F, "NotificationMetadata" },
    { 0xBF30, "NotificationSent" },
    { 0xBF31, "EnableProfile" },
    { 0xBF32, "DisableProfile" },
    { 0xBF33, "DeleteProfile" },
    { 0xBF34, "EuiccMemoryReset" },
    { 0xBF35, "LoadCRL" },
    { 0xBF36, "BoundProfilePackage" },
    { 0xBF37, "ProfileInstallationResult" },
    { 0xBF38, "AuthenticateServer" },
    { 0xBF3C, "EuiccConfiguredData" },
    { 0xBF3E, "GetEuiccData" },
    { 0xBF3F, "SetDefaultDpAddress" },
    { 0xBF41, "CancelSession" },
    { 0xBF42, "IpaeActivation" },
    { 0xBF43, "GetRat" },
    { 0xBF51, "EuiccPackage" },
    { 0xBF52, "IpaEuiccData" },
    { 0xBF55, "GetEimConfigurationData" },
    { 0xBF56, "GetCerts" },
    { 0xBF57, "AddInitialEim" },
    { 0xBF58, "ProfileRollback" },
    { 0xBF59, "ConfigureImmediateProfileEnabling" },
    { 0xBF5A, "ImmediateEnable" },
    { 0xBF5B, "EnableEmergencyProfile" },
    { 0xBF5C, "DisableEmergencyProfile" },
    { 0xBF5D, "ExecuteFallbackMechanism" },
    { 0xBF5E, "ReturnFromFallback" },
    { 0xBF5F, "GetConnectivityParameters" },
    { 0xBF64, "EuiccMemoryReset (IoT)" },
    { 0xBF65, "SetDefaultDpAddress (IoT)" },
};

const char *play_tag_name(uint32_t tag)
{
    for (size_t i = 0; i < N_ELEMS(tag_names); i++)
        if (tag_names[i].tag == tag)
            return tag_names[i].name;
    return NULL;
}

/* Codes by the outermost tag and the innermost one. */
static const struct {
    uint32_t outer, inner;
    enum code_list list;
} codes[] = {
    { 0xBF21, 0x02, CODES_PREPARE_DOWNLOAD },
    { 0xBF28, 0x81, CODES_NOTIFICATIONS },
    { 0xBF29, 0x80, CODES_NICKNAME },
    { 0xBF2B, 0x81, CODES_NOTIFICATIONS },
    { 0xBF2D, 0x81, CODES_PROFILE_LIST },
    { 0xBF2D, 0x95, CODES_PROFILE_CLASS },
    { 0xBF2D, 0x9F70, CODES_PROFILE_STATE },
    { 0xBF30, 0x80, CODES_NOTIFICATION_SENT },
    { 0xBF31, 0x80, CODES_ENABLE },
    { 0xBF32, 0x80, CODES_DISABLE },
    { 0xBF33, 0x80, CODES_DELETE },
    { 0xBF34, 0x80, CODES_RESET },
    { 0xBF37, 0x80, CODES_BPP_COMMAND },
    { 0xBF37, 0x81, CODES_ERROR_REASON },
    { 0xBF38, 0x02, CODES_AUTHENTICATE_SERVER },
    { 0xBF3F, 0x80, CODES_DEFAULT_DP },
    { 0xBF41, 0x81, CODES_CANCEL_SESSION },
    { 0xBF42, 0x80, CODES_IPAE_ACTIVATION },
    { 0xBF56, 0x81, CODES_GET_CERTS },
    { 0xBF57, 0x81, CODES_ADD_EIM },
    { 0xBF58, 0x02, CODES_PROFILE_ROLLBACK },
    { 0xBF59, 0x80, CODES_CONFIGURE_IMMEDIATE_ES10B },
    { 0xBF5A, 0x80, CODES_IMMEDIATE_ENABLE },
    { 0xBF5B, 0x80, CODES_ENABLE_EMERGENCY },
    { 0xBF5C, 0x80, CODES_DISABLE_EMERGENCY },
    { 0xBF5D, 0x80, CODES_EXECUTE_FALLBACK },
    { 0xBF5E, 0x80, CODES_RETURN_FROM_FALLBACK },
    { 0xBF5F, 0x81, CODES_CONNECTIVITY },
    { 0xBF64, 0x80, CODES_IOT_RESET },
    { 0xBF64, 0x81, CODES_IOT_RESET_EIM },
    { 0xBF64, 0x82, CODES_IOT_RESET_IMMEDIATE },
    { 0xBF65, 0x80, CODES_DEFAULT_DP },
};

bool play_tag_is_constructed(uint32_t tag)
{
    while (tag > 0xFF)
        tag >>= 8;
    return (tag & 0x20) != 0;
}

/* BF51/A0/30/30/83 and the like, and BF51/A1/30/02. */
static bool package_code_list(const uint32_t *tags, size_t n, enum code_list *ret)
{
    bool failed = n == 4 && tags[1] == 0xA1 && tags[3] == 0x02;

    if (!failed && (n < 5 || tags[1] != 0xA0))
        return false;
    *ret = failed ? CODES_EUICC_PACKAGE : CODES_TERMINATED;
    if (failed || tags[4] == 0x02)
        return true;
    const struct package_element *element = package_element_of(tags[4]);
    if (element == NULL || (n == 5 ? element->code_tag != 0 : element->code_tag != tags[n - 1]))
        return false;
    *ret = element->codes;
    return true;
}

/* Results within RetrieveNotificationsList are told by their own tag. */
static void unwrap(const uint32_t **tags, size_t *n)
{
    for (size_t i = 1; i + 1 < *n; i++) {
        if ((*tags)[i] == 0xBF37 || (*tags)[i] == 0xBF51) {
            *tags += i;
            *n -= i;
            return;
        }
    }
}

static bool code_list_of(const uint32_t *tags, size_t n, enum code_list *ret)
{
    if (n < 2)
        return false;
    unwrap(&tags, &n);
    if (tags[0] == 0xBF51)
        return package_code_list(tags, n, ret);
    for (size_t i = 0; i < N_ELEMS(codes); i++) {
        if (codes[i].outer == tags[0] && codes[i].inner == tags[n - 1]) {
            *ret = codes[i].list;
            return true;
        }
    }
    return false;
}

const char *play_code_name(const uint32_t *tags, size_t n_tags, uint64_t code)
{
    enum code_list list;

    return code <= UINT8_MAX && code_list_of(tags, n_tags, &list) ? code_name(list, (long)code)
                                                                  : NULL;
}

/* Where the walk through an answer is. */
struct code_walk {
    uint32_t tags[PLAY_MAX_STEPS];
    play_code_fn *found;
    void *ctx;
};

static void find_codes(struct code_walk *w, struct rd body, size_t depth)
{
    enum code_list list;
    struct tlv t;
    uint64_t v;

    while (depth < PLAY_MAX_STEPS && body.n > 0 && tlv_get(&body, &t) == 0) {
        w->tags[depth] = t.tag;
        if (play_tag_is_constructed(t.tag))
            find_codes(w, t.value, depth + 1);
        else if (tlv_uint(t.value, &v) == 0 && v <= UINT8_MAX &&
                 code_list_of(w->tags, depth + 1, &list))
            w->found(w->ctx, list, v);
    }
}

void play_codes_in(struct rd answer, play_code_fn *found, void *ctx)
{
    struct code_walk w = { .found = found, .ctx = ctx };

    find_codes(&w, answer, 0);
}
