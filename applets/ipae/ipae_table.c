/* ipae_table.c - what is kept of each eIM: how often it failed in a row, and which change it does
 * not know of yet.
 *
 * NVM: "ipae/eims" is four octets for each: number (2), failures, enum state_change. */
#include "applets/ipae/ipae_parts.h"

#define KEY_EIMS "ipae/eims"

enum { STORED_LEN = 4 };

struct ipae_entry *ipae_table_find(struct ipae *x, uint16_t number)
{
    for (size_t i = 0; i < x->n_entries; i++)
        if (x->entries[i].number == number)
            return &x->entries[i];
    return NULL;
}

int ipae_table_save(struct euicc *e)
{
    const struct ipae *x = ipae_of(e);
    uint8_t before[IPAE_EIMS_MAX * STORED_LEN], now[IPAE_EIMS_MAX * STORED_LEN];
    struct wr old, w;
    bool found;

    wr_init(&old, before, sizeof before);
    wr_init(&w, now, sizeof now);
    for (size_t i = 0; i < x->n_entries; i++) {
        const struct ipae_entry *entry = &x->entries[i];
        const uint8_t octets[STORED_LEN] = { (uint8_t)(entry->number >> 8), (uint8_t)entry->number,
                                             entry->failures, entry->change };
        wr_put(&w, octets, sizeof octets);
    }
    TRY(nvm_get(e->nvm, KEY_EIMS, &old, &found));
    return found && rd_equal(wr_view(&old), wr_view(&w)) ? 0
                                                         : nvm_put(e->nvm, KEY_EIMS, wr_view(&w));
}

static int load(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    uint8_t octets[IPAE_EIMS_MAX * STORED_LEN];
    struct wr w;
    bool found;

    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(e->nvm, KEY_EIMS, &w, &found));
    for (size_t i = 0; i + STORED_LEN <= w.n; i += STORED_LEN)
        x->entries[x->n_entries++] =
            (struct ipae_entry){ .number = (uint16_t)(octets[i] << 8 | octets[i + 1]),
                                 .failures = octets[i + 2],
                                 .change = octets[i + 3] };
    x->has_entries = true;
    return 0;
}

void ipae_table_forget(struct ipae *x)
{
    x->n_entries = 0;
    x->has_entries = false;
}

int ipae_table_follow(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct ipae_entry next[IPAE_EIMS_MAX];
    uint16_t number = NO_EIM;
    size_t n = 0;

    if (!x->has_entries)
        TRY(load(e));
    for (;;) {
        TRY(eim_next(e, &number));
        if (number == NO_EIM)
            break;
        if (n == IPAE_EIMS_MAX) {
            trace_note(&e->trace, "IPAe: only the first %d eIMs are asked", IPAE_EIMS_MAX);
            break;
        }
        const struct ipae_entry *known = ipae_table_find(x, number);
        next[n++] =
            known != NULL ? *known : (struct ipae_entry){ .number = number, .change = CHANGE_NONE };
    }
    for (size_t i = 0; i < n; i++)
        x->entries[i] = next[i];
    x->n_entries = n;
    return ipae_table_save(e);
}

int ipae_table_tell(struct euicc *e, enum state_change change, uint16_t but)
{
    struct ipae *x = ipae_of(e);

    for (size_t i = 0; i < x->n_entries; i++) {
        if (x->entries[i].number == but)
            continue;
        x->entries[i].change = (uint8_t)change;
        x->entries[i].wait = 0;
    }
    return ipae_table_save(e);
}
