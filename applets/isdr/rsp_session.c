/* rsp_session.c - the RSP session as a table. */
#include "applets/isdr/rsp_session.h"

#include "applets/isdr/bpp.h"

/* SGP.22 3.1.2 and 3.1.3: rows are calls, columns the states in which they are legal.
 * GetEUICCChallenge is legal always and starts anew. */
static const bool legal[][RSP_INSTALLING + 1] = {
    [RSP_AUTHENTICATE_SERVER] = { [RSP_CHALLENGED] = true },
    [RSP_PREPARE_DOWNLOAD] = { [RSP_AUTHENTICATED] = true, [RSP_PREPARED] = true },
    [RSP_LOAD_BPP] = { [RSP_PREPARED] = true, [RSP_INSTALLING] = true },
    [RSP_CANCEL_SESSION] = { [RSP_AUTHENTICATED] = true,
                             [RSP_PREPARED] = true,
                             [RSP_INSTALLING] = true },
};

bool rsp_allows(const struct rsp_session *s, enum rsp_call call)
{
    return legal[call][s->state];
}

struct rd rsp_transaction_id(const struct rsp_session *s)
{
    return rd_of(s->transaction_id, s->transaction_id_len);
}

struct rd rsp_server_oid(const struct rsp_session *s)
{
    return rd_of(s->server_oid, s->server_oid_len);
}

void rsp_end(struct rsp_session *s)
{
    ec_key_free(&s->otsk);
    ec_pub_free(&s->dp_pb);
    bpp_free(&s->bpp);
    crypto_wipe(s, sizeof *s);
}
