/* ipae_notify.c - pending notifications go to the SM-DP+s that they name (SGP.22 3.5, 5.6.4;
 * SGP.32 3.7), unless an eIM is their messenger.
 *
 * One server out of reach keeps only its own from being delivered, and no eIM from being asked. */
#include <string.h>

#include "applets/ipae/ipae_download.h"
#include "applets/isdr/es10.h"

static int next(struct euicc *e);

/* Does one of the eIMs take notifications? */
static int has_messenger(struct euicc *e, bool *ret)
{
    const struct ipae *x = ipae_of(e);
    struct eim eim;
    struct tlv t;
    bool found;

    *ret = false;
    for (size_t i = 0; i < x->n_entries && !*ret; i++) {
        TRY(eim_load(e, x->entries[i].number, &eim, &found));
        if (!found)
            continue;
        *ret = tlv_find(eim.configuration, EIM_INDIRECT_PROFILE_DOWNLOAD, &t);
        eim_done(&eim);
    }
    return 0;
}

static int sent(struct euicc *e, const struct link_answer *a)
{
    struct ipae *x = ipae_of(e);

    if (a->outcome == LINK_OK)
        TRY(ipae_es10_remove(e, x->notify.done));
    else
        memcpy(x->notify.failed, x->notify.host, sizeof x->notify.failed);
    return next(e);
}

/* The oldest one that was not tried. */
static int next(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct rd list, address;
    uint64_t sequence;
    struct tlv one;

    TRY(ipae_es10_list(e, TAG_CHOICE_0, &list));
    while (list.n > 0 && tlv_get(&list, &one) == 0) {
        if (esipa_read_notification(one.whole, &sequence, &address) != 0 ||
            sequence <= x->notify.done)
            continue;
        x->notify.done = sequence;
        if (!es9p_put_notification(e, address, one.whole, x->notify.host, &x->notify.server) ||
            strcmp(x->notify.host, x->notify.failed) == 0)
            continue;
        return ipae_exchange(e, &x->notify.server, sent);
    }
    return ipae_close(e, ipae_policy_notified);
}

int ipae_notify_begin(struct euicc *e, bool *ret_nothing)
{
    struct ipae *x = ipae_of(e);
    bool messenger;
    struct rd list;

    TRY(has_messenger(e, &messenger));
    TRY(ipae_es10_list(e, TAG_CHOICE_0, &list));
    *ret_nothing = messenger || list.n == 0 || !ipae_may_use(e, LINK_HTTPS);
    if (*ret_nothing)
        return 0;
    TRY(ipae_read_network(e));
    x->notify.done = 0;
    x->notify.failed[0] = '\0';
    x->phase = IPAE_TALKING;
    ipae_clock_stop(e, &x->sleep);
    trace_note(&e->trace, "IPAe: notifications go to their SM-DP+s");
    return next(e);
}
