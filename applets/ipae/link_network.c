/* link_network.c - what a link is told about the network and the server, and the tickets that
 * servers gave. */
#include <stdio.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/link_steps.h"
#include "os/ctlv.h"

/* --- the network ------------------------------------------------------------------------------ */

/* Labels as a name with dots; "" when they are none (TS 23.003 9.1). */
static void read_labels(struct rd labels, char ret[BIP_NAME_MAX + 1])
{
    size_t n = 0;
    struct rd length, label;

    while (labels.n > 0) {
        if (rd_take(&labels, 1, &length) != 0 || length.p[0] == 0 ||
            rd_take(&labels, length.p[0], &label) != 0 || n + label.n + 1 > BIP_NAME_MAX ||
            memchr(label.p, 0, label.n) != NULL || memchr(label.p, '.', label.n) != NULL) {
            ret[0] = '\0';
            return;
        }
        if (n > 0)
            ret[n++] = '.';
        memcpy(ret + n, label.p, label.n);
        n += label.n;
        ret[n] = '\0';
    }
}

/* Behind the data coding scheme; of 8 bits, whichever it says. */
static bool read_text(struct rd text, char ret[BIP_CREDENTIAL_MAX + 1])
{
    struct rd scheme;

    if (text.n == 0)
        return true;
    (void)rd_take(&text, 1, &scheme);
    if (text.n > BIP_CREDENTIAL_MAX || memchr(text.p, 0, text.n) != NULL)
        return false;
    memcpy(ret, text.p, text.n);
    ret[text.n] = '\0';
    return true;
}

static bool is_packet_service(struct rd bearer)
{
    enum { GPRS = 0x02, EXTENDED = 0x09, E_UTRAN = 0x0B, NG_RAN = 0x0C }; /* TS 31.124 8.52 */

    return bearer.n > 0 && (bearer.p[0] == GPRS || bearer.p[0] == EXTENDED ||
                            bearer.p[0] == E_UTRAN || bearer.p[0] == NG_RAN);
}

void link_read_network(struct euicc *e, struct link *l)
{
    struct bip_parameters *p = &l->parameters;
    struct rd in = l->network.parameters, v;

    *p = (struct bip_parameters){ .buffer_size = l->network.buffer_size };
    if (ctlv_find(in, CTLV_BEARER, &v))
        p->packet_service = is_packet_service(v);
    if (ctlv_find(in, CTLV_NETWORK_ACCESS_NAME, &v))
        read_labels(v, p->name);
    bool good = !ctlv_find_nth(in, CTLV_TEXT, 0, &v) || read_text(v, p->login);
    good = (!ctlv_find_nth(in, CTLV_TEXT, 1, &v) || read_text(v, p->password)) && good;
    if (!good)
        trace_check(&e->trace, "connectivity parameters: login or password cannot be used "
                               "(TS 102 223 8.15)");
}

/* --- the server ------------------------------------------------------------------------------- */

/* The CIs that the card trusts (SGP.22 2.6.6). */
static int trust_cis(struct euicc *e, struct link *l)
{
    int n = ecasd_ci_count(e);

    for (int i = 0; i < n && i < TLS_MAX_CI; i++) {
        l->cis[i].ski = ecasd_ci_pkid(e, i);
        TRY(ecasd_ci_key(e, i, &l->cis[i].key));
    }
    l->server.trust.cis = l->cis;
    l->server.trust.n_cis = n < TLS_MAX_CI ? (size_t)n : TLS_MAX_CI;
    return 0;
}

static int digest_trust(struct euicc *e, const struct tls_trust *t, uint8_t ret[SHA256_LEN])
{
    uint8_t skis[TLS_MAX_CI * SKI_LEN];
    const uint8_t kind = (uint8_t)t->kind;
    struct wr w;

    wr_init(&w, skis, sizeof skis);
    for (size_t i = 0; i < t->n_cis; i++)
        wr_put_rd(&w, t->cis[i].ski);
    TRY(wr_failed(&w) != 0 ? ERR_INPUT : 0);
    const struct rd parts[] = { rd_of(&kind, 1), rd_of(&t->roles, sizeof t->roles), wr_view(&w),
                                t->pinned };
    return crypto_sha256(e->crypto, parts, N_ELEMS(parts), ret);
}

int link_read_peer(struct euicc *e, struct link *l, struct link_peer *ret)
{
    struct tls_trust *trust = &l->server.trust;

    *ret = (struct link_peer){ .how = l->server.how,
                               .port = l->server.port != 0 ? l->server.port : l->protocol->port };
    snprintf(ret->host, sizeof ret->host, "%s", l->server.host);
    if (trust->kind == TLS_TRUST_CI && trust->n_cis == 0)
        TRY(trust_cis(e, l));
    return digest_trust(e, trust, ret->trust);
}

bool link_same_peer(const struct link_peer *a, const struct link_peer *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->how == b->how &&
           memcmp(a->trust, b->trust, sizeof a->trust) == 0;
}

/* --- tickets ---------------------------------------------------------------------------------- */

static int find_ticket(const struct link *l)
{
    for (int i = 0; l->network.tickets && i < LINK_TICKETS; i++)
        if (link_same_peer(&l->tickets[i].peer, &l->peer))
            return i;
    return -1;
}

struct rd link_ticket(const struct link *l)
{
    int i = find_ticket(l);

    return i >= 0 ? wr_view(&l->tickets[i].octets) : rd_of(NULL, 0);
}

static void forget_ticket(struct wr *octets)
{
    if (octets->p != NULL)
        crypto_wipe(octets->p, octets->size);
    wr_done(octets);
}

static void put_ticket(struct link *l, int i)
{
    size_t at = i >= 0 ? (size_t)i : l->next_ticket;
    struct wr *octets = &l->tickets[at].octets;

    forget_ticket(octets);
    l->tickets[at].peer = l->peer;
    l->tickets[at].broke_off = false;
    if (tls_session(l->tls, octets) != 0 || octets->n > LINK_TICKET_MAX)
        forget_ticket(octets);
    if (at == l->next_ticket)
        l->next_ticket = (at + 1) % LINK_TICKETS;
}

/* A server that refuses a ticket does not see it again; when the channel ended, which may have been
 * the network, it sees it once more. */
static void doubt_ticket(struct link *l, int i)
{
    if (l->tickets[i].broke_off || tls_alert(l->tls) != TLS_NO_ALERT)
        forget_ticket(&l->tickets[i].octets);
    l->tickets[i].broke_off = true;
}

void link_keep_ticket(struct link *l)
{
    enum tls_state state = tls_state(l->tls);
    int i = find_ticket(l);

    if (state == TLS_FAILED && l->stage == LINK_SHAKING_HANDS && i >= 0)
        doubt_ticket(l, i);
    else if (l->network.tickets && state != TLS_HANDSHAKING && state != TLS_FAILED)
        put_ticket(l, i);
}
