/* install.c - a profile while it is built in memory (TCA 8).
 *
 * State: struct install (pe.h).  One element is one step: it is done wholly, or, when it is
 * refused, taken back to the progress before it, so that a warning leaves no half of a file system
 * behind and an abort leaves nothing at all. */
#include "applets/isdp/install.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/isdp/pe.h"
#include "os/crypto.h"
#include "os/err.h"

struct install *install_new(uint16_t profile, uint64_t max, const struct trace *trace)
{
    struct install *i = calloc(1, sizeof *i);

    if (i == NULL)
        return NULL;
    fs_init(&i->fs, profile);
    i->trace = trace;
    i->max = max;
    for (int n = 0; n < N_NAAS; n++)
        i->now.adf[n] = FS_NONE;
    i->now.last_adf = i->now.pin_context = FS_NONE;
    return i;
}

static void drop_kept(struct install *i, size_t from)
{
    for (size_t k = from; k < i->now.n_kept; k++) {
        crypto_wipe(i->kept[k].p, i->kept[k].n);
        free(i->kept[k].p);
    }
    i->now.n_kept = from;
}

static void drop_saved(struct install *i)
{
    for (size_t k = 0; k < i->n_saved; k++)
        free(i->saved[k].p);
    free(i->saved);
    i->saved = NULL;
    i->n_saved = 0;
}

void install_free(struct install **i)
{
    if (*i == NULL)
        return;
    drop_kept(*i, 0);
    drop_saved(*i);
    free((*i)->kept);
    if ((*i)->pins != NULL)
        crypto_wipe((*i)->pins, MAX_PINS * sizeof *(*i)->pins);
    free((*i)->pins);
    fs_done(&(*i)->fs);
    crypto_wipe(*i, sizeof **i);
    free(*i);
    *i = NULL;
}

/* --- for the families ------------------------------------------------------------------------- */

void pe_at(struct install *i, unsigned depth, uint32_t tag, size_t nth)
{
    i->steps[depth] = (struct pe_step){ tag, nth };
    i->n_steps = depth + 1;
}

/* The n-th child, of a tag if that is not 0. */
static bool child_at(struct rd body, const struct pe_step *step, struct tlv *ret)
{
    size_t left = step->nth;

    while (tlv_get(&body, ret) == 0)
        if ((step->tag == 0 || ret->tag == step->tag) && left-- == 0)
            return true;
    return false;
}

/* Where in the element the part begins that is looked at. */
static size_t offset_of(const struct install *i)
{
    struct rd in = i->whole;
    struct tlv t;

    if (tlv_get(&in, &t) != 0)
        return 0;
    for (unsigned k = 0; k < i->n_steps; k++) {
        struct tlv child;
        if (!child_at(t.value, &i->steps[k], &child))
            break;
        t = child;
    }
    return (size_t)(t.whole.p - i->whole.p);
}

static void set_outcome(struct install *i, enum pe_status status, bool must_abort,
                        uint8_t additional, const char *why)
{
    i->outcome = (struct install_outcome){
        .status = status,
        .must_abort = must_abort,
        .offset = offset_of(i),
        .additional = additional,
        .why = why,
    };
}

int pe_refuse(struct install *i, enum pe_status status, const char *why)
{
    set_outcome(i, status, false, 0, why);
    return PE_REFUSED;
}

int pe_abort(struct install *i, enum pe_status status, const char *why)
{
    set_outcome(i, status, true, 0, why);
    return PE_REFUSED;
}

void pe_warn(struct install *i, enum pe_status status, uint8_t additional, const char *why)
{
    set_outcome(i, status, false, additional, why);
}

int pe_take_room(struct install *i, uint64_t n)
{
    if (n > i->max || i->now.taken > i->max - n)
        return pe_abort(i, PE_NOT_ENOUGH_MEMORY, "the profile does not fit");
    i->now.taken += n;
    return 0;
}

/* Keeps what an EF of an earlier element holds, once an element. */
static int save_body(struct install *i, uint16_t node, const uint8_t *contents)
{
    if (node >= i->before.n_nodes)
        return 0;
    for (size_t k = 0; k < i->n_saved; k++)
        if (i->saved[k].node == node)
            return 0;
    struct saved_body *saved = realloc(i->saved, (i->n_saved + 1) * sizeof *saved);
    if (saved == NULL)
        return ERR_NOMEM;
    i->saved = saved;
    size_t n = i->fs.nodes[node].size;
    uint8_t *copy = malloc(n + 1);
    if (copy == NULL)
        return ERR_NOMEM;
    memcpy(copy, contents, n);
    i->saved[i->n_saved++] = (struct saved_body){ node, copy };
    return 0;
}

int pe_body(struct install *i, uint16_t node, uint8_t **ret)
{
    uint16_t owner = i->fs.nodes[node].body;

    TRY(fs_body(&i->fs, owner, ret));
    return save_body(i, owner, *ret);
}

int pe_keep(struct install *i, const char *key)
{
    if (i->kept == NULL)
        i->kept = calloc(MAX_KEPT, sizeof *i->kept);
    if (i->kept == NULL)
        return ERR_NOMEM;
    if (i->now.n_kept == MAX_KEPT)
        return pe_abort(i, PE_NOT_ENOUGH_MEMORY, "there are too many elements");
    TRY(pe_take_room(i, i->whole.n));
    struct kept *kept = &i->kept[i->now.n_kept];
    kept->p = malloc(i->whole.n);
    if (kept->p == NULL)
        return ERR_NOMEM;
    memcpy(kept->p, i->whole.p, i->whole.n);
    kept->n = i->whole.n;
    snprintf(kept->key, sizeof kept->key, "%s", key);
    i->now.n_kept++;
    return 0;
}

void pe_made_df(struct install *i, uint16_t node)
{
    if (i->first_df == FS_NONE)
        i->first_df = node;
}

/* --- one element ------------------------------------------------------------------------------ */

static const struct family {
    ProfileElement_PR first, last;
    int (*run)(struct install *i, const struct ProfileElement *value);
} families[] = {
    { ProfileElement_PR_header, ProfileElement_PR_header, pe_header },
    { ProfileElement_PR_genericFileManagement, ProfileElement_PR_genericFileManagement, pe_gfm },
    { ProfileElement_PR_pinCodes, ProfileElement_PR_pinCodes, pe_pins },
    { ProfileElement_PR_pukCodes, ProfileElement_PR_pukCodes, pe_puks },
    { ProfileElement_PR_akaParameter, ProfileElement_PR_akaParameter, pe_aka },
    { ProfileElement_PR_cdmaParameter, ProfileElement_PR_cdmaParameter, pe_cdma },
    { ProfileElement_PR_securityDomain, ProfileElement_PR_securityDomain, pe_security_domain },
    { ProfileElement_PR_rfm, ProfileElement_PR_rfm, pe_rfm },
    { ProfileElement_PR_application, ProfileElement_PR_application, pe_application },
    { ProfileElement_PR_nonStandard, ProfileElement_PR_nonStandard, pe_non_standard },
    { ProfileElement_PR_mf, ProfileElement_PR_opt_iot, pe_template },
};

static int run_family(struct install *i, const struct ProfileElement *value)
{
    for (size_t k = 0; k < N_ELEMS(families); k++)
        if (value->present >= families[k].first && value->present <= families[k].last)
            return families[k].run(i, value);
    return 0; /* the end says nothing that is to be done */
}

/* Back to where the element began. */
static void take_back(struct install *i)
{
    for (size_t k = i->before.n_nodes; k < i->fs.n; k++)
        free(i->fs.nodes[k].staged);
    i->fs.n = i->before.n_nodes;
    for (size_t k = 0; k < i->n_saved; k++)
        memcpy(i->fs.nodes[i->saved[k].node].staged, i->saved[k].p,
               i->fs.nodes[i->saved[k].node].size);
    drop_kept(i, i->before.n_kept);
    i->now = i->before;
}

/* Runs one step, as an element or as the end of all. */
static int run_step(struct install *i, int (*step)(struct install *, const struct ProfileElement *),
                    const struct ProfileElement *value, struct install_outcome *ret)
{
    i->n_steps = 0;
    i->outcome = (struct install_outcome){ .status = PE_OK };
    i->first_df = FS_NONE;
    i->now.n_nodes = i->fs.n;
    i->before = i->now;
    int result = step(i, value);
    if (result != 0)
        take_back(i);
    else if (i->first_df != FS_NONE)
        i->now.pin_context = i->first_df;
    drop_saved(i);
    if (result < 0)
        return result;
    *ret = i->outcome;
    return 0;
}

int install_element(struct install *i, const struct ProfileElement *value, struct rd whole,
                    struct install_outcome *ret)
{
    i->whole = whole;
    return run_step(i, run_family, value, ret);
}

static int finish(struct install *i, const struct ProfileElement *value)
{
    (void)value;
    TRY(pe_pins_finish(i));
    return pe_services_finish(i);
}

int install_finish(struct install *i, struct install_outcome *ret)
{
    i->whole = rd_of(NULL, 0);
    return run_step(i, finish, NULL, ret);
}

/* --- the result ------------------------------------------------------------------------------- */

uint64_t install_size(const struct install *i)
{
    uint64_t sum = fs_stored_size(&i->fs) + pe_pins_size(i);

    for (size_t k = 0; k < i->now.n_kept; k++)
        sum += i->kept[k].n;
    return sum;
}

int install_store(struct install *i, struct nvm *nvm)
{
    char key[NVM_KEY_MAX];

    if (i->fs.n > 0) /* a package of header and end makes no tree */
        TRY(fs_store(&i->fs, nvm));
    for (size_t k = 0; k < i->now.n_kept; k++) {
        snprintf(key, sizeof key, "%.40s%s", i->fs.prefix, i->kept[k].key);
        TRY(nvm_put(nvm, key, rd_of(i->kept[k].p, i->kept[k].n)));
    }
    return pe_pins_store(i, nvm);
}
