/* smds_main.c - softeuicc-lab smds: options, start and end of the test SM-DS. */
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"
#include "lab/rsp_serve.h"
#include "lab/smds_server.h"
#include "os/err.h"

enum { DEFAULT_PORT = 8444 };

struct options {
    struct rsp_serve_options serve;
    const char *events[SMDS_MAX_EVENTS];
    size_t n_events;
    struct smds_server server;
};

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: softeuicc-lab smds [OPTION...]\n\n"
        "  --port N                  default 8444; 0: any free port\n"
        "  --event EID=ADDRESS,ID    an event record: for this eUICC something is at the\n"
        "                            SM-DP+ at ADDRESS, with ID as its matching id; repeatable\n"
        "%s"
        "More events are registered and deleted over ES12, without authentication.\n",
        rsp_serve_usage);
}

enum { OPT_EVENT = 1 };

static const struct option long_options[] = {
    { "event", required_argument, NULL, OPT_EVENT },
    RSP_SERVE_LONG_OPTIONS,
    { NULL, 0, NULL, 0 },
};

static bool read_option(int option, const char *value, void *ctx)
{
    struct options *o = ctx;

    (void)option; /* there is one */
    if (o->n_events == SMDS_MAX_EVENTS)
        return false;
    o->events[o->n_events++] = value;
    return true;
}

/* EID=ADDRESS,ID; an address has no comma. */
static int register_option(struct smds *ds, const char *text, struct lab_error *e)
{
    char eid[SMDS_EID_TEXT_LEN], address[RSP_TEXT_MAX];
    const char *equals = strchr(text, '='), *comma = strchr(text, ',');

    if (equals == NULL || comma == NULL || comma < equals ||
        !copy_rd(rd_of(text, (size_t)(equals - text)), eid, sizeof eid) ||
        !copy_rd(rd_of(equals + 1, (size_t)(comma - equals - 1)), address, sizeof address))
        return lab_fail(e, "--event EID=ADDRESS,ID: %.200s", text);
    struct es9p_status status = smds_register_event(ds, eid, comma + 1, address);
    return status.subject == NULL ? 0 : lab_fail(e, "--event %.200s: %s", text, status.message);
}

static int serve(void *ctx, struct rsp_serve *s, struct lab_error *e)
{
    struct options *o = ctx;
    struct smds_server *server = &o->server;

    TRY(rsp_serve_open(&o->serve, IDENTITY_SMDS, smds_handle, server, s, e));
    struct mutual mutual = {
        .crypto = s->crypto,
        .host = s->host,
        .address = s->address,
        .n_identities = s->n_identities,
    };
    memcpy(mutual.identities, s->identities, sizeof mutual.identities);
    server->ds = smds_new(&mutual);
    if (server->ds == NULL)
        return lab_fail(e, "out of memory");
    s->n_identities = 0; /* they are the SM-DS's now */
    for (size_t i = 0; i < o->n_events; i++)
        TRY(register_option(server->ds, o->events[i], e));
    return rsp_serve_run(&o->serve, s, "SM-DS", "", e);
}

static void done(void *ctx)
{
    struct options *o = ctx;

    smds_free(&o->server.ds);
}

int smds_main(int argc, char **argv)
{
    static const struct rsp_serve_program smds = { long_options, usage, read_option, serve, done };
    struct options o = {
        .serve = { .port = DEFAULT_PORT, .host = "127.0.0.1", .bind = "127.0.0.1" },
        .server = { .log = stdout },
    };

    return rsp_serve_main(argc, argv, &smds, &o, &o.serve);
}
