/* rsp_serve.c - what the programs of SM-DP+ and SM-DS share. */
#include "lab/rsp_serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/lab.h"
#include "lab/ready.h"
#include "os/err.h"

enum {
    HTTPS_PORT = 443,
    MAX_PORT = 65535,
    TLS_MAX = 8192,
    LINE_LEN = 8192,
};

const char rsp_serve_usage[] =
    "  --host NAME               the address that LPAs use (default 127.0.0.1)\n"
    "  --bind ADDRESS            where to listen (default 127.0.0.1)\n"
    "  --pki DIR                 layout of SGP.26 v1 (default: the test PKI)\n"
    "  --curve nist|brp          one curve only (default: both, TLS on nist)\n"
    "  --ready-file FILE         write the line that says where it listens there too\n"
    "  --ready-fd N              and to this open file descriptor\n"
    "  --help\n\n"
    "Standard output: one line that says where it listens, then a JSON object a line for\n"
    "each call.  It ends on SIGINT and SIGTERM with exit status 0.\n";

/* --- options --------------------------------------------------------------------------------- */

static bool read_curve(const char *name, enum curve *ret)
{
    if (strcmp(name, "nist") == 0)
        *ret = CURVE_P256;
    else if (strcmp(name, "brp") == 0)
        *ret = CURVE_BRAINPOOL_P256R1;
    else
        return false;
    return true;
}

/* One option, by its place in RSP_SERVE_LONG_OPTIONS; false when its value is wrong. */
static bool read_option(int option, const char *value, struct rsp_serve_options *o)
{
    switch (option - RSP_SERVE_OPTION) {
    case 0:
        return number_read(value, MAX_PORT, &o->port);
    case 1:
        o->host = value;
        return value[0] != '\0' && strlen(value) < RSP_SERVE_HOST_LEN - 8;
    case 2:
        o->bind = value;
        return true;
    case 3:
        o->pki = value;
        return true;
    case 4:
        return read_curve(value, &o->curve);
    case 5:
        o->ready_file = value;
        return true;
    case 6:
        o->has_ready_fd = true;
        return number_read(value, READY_MAX_FD, &o->ready_fd);
    default:
        o->help = true;
        return true;
    }
}

static bool read_options(int argc, char **argv, const struct rsp_serve_program *program, void *ctx,
                         struct rsp_serve_options *o)
{
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "", program->options, &index)) != -1) {
        if (option == '?')
            return false;
        if (!(option < RSP_SERVE_OPTION ? program->read(option, optarg, ctx)
                                        : read_option(option, optarg, o))) {
            fprintf(stderr, "softeuicc-lab %s: --%s: bad value %s\n", argv[0],
                    program->options[index].name, optarg);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "softeuicc-lab %s: no argument expected: %s; see --help\n", argv[0],
                argv[optind]);
        return false;
    }
    return true;
}

/* --- the server ------------------------------------------------------------------------------ */

static int load_identities(const struct rsp_serve_options *o, enum identity_kind kind,
                           struct rsp_serve *s, struct lab_error *e)
{
    static const enum curve curves[MUTUAL_MAX_IDENTITIES] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct pki *pki = NULL;
    struct lab_error first = { "no certificates" };

    TRY(identity_open_pki(o->pki, &pki, e));
    for (size_t i = 0; i < N_ELEMS(curves); i++) {
        struct lab_error why;
        if (o->curve != CURVE_UNKNOWN && o->curve != curves[i])
            continue;
        if (identity_load(s->crypto, pki, kind, curves[i], &s->identities[s->n_identities], &why) ==
            0)
            s->n_identities++;
        else if (s->n_identities == 0)
            first = why;
    }
    pki_close(&pki);
    return s->n_identities > 0 ? 0 : lab_fail(e, "%s", first.text);
}

/* The address: with the port unless that is 443.  --host may bring a port of its own, for servers
 * behind a forwarded port. */
static void make_address(const struct rsp_serve_options *o, struct rsp_serve *s)
{
    if (o->host[strlen(s->host)] == ':' || https_port(s->https) == HTTPS_PORT)
        snprintf(s->address, sizeof s->address, "%s", o->host);
    else
        snprintf(s->address, sizeof s->address, "%s:%u", o->host, (unsigned)https_port(s->https));
}

int rsp_serve_open(const struct rsp_serve_options *o, enum identity_kind kind,
                   https_handler *handler, void *ctx, struct rsp_serve *ret, struct lab_error *e)
{
    const struct rsp_identity *identity = &ret->identities[0];

    signal(SIGPIPE, SIG_IGN);
    wr_init_heap(&ret->certificate, TLS_MAX);
    wr_init_heap(&ret->key, TLS_MAX);
    ret->crypto = crypto_new(rd_of(NULL, 0));
    if (ret->crypto == NULL)
        return lab_fail(e, "OpenSSL does not start");
    TRY(load_identities(o, kind, ret, e));
    snprintf(ret->host, sizeof ret->host, "%.*s", (int)strcspn(o->host, ":"), o->host);
    TRY(identity_issue_tls(ret->crypto, identity, kind == IDENTITY_SMDS ? ROLE_DS_TLS : ROLE_DP_TLS,
                           ret->host, &ret->certificate, &ret->key, e));
    const struct https_config config = {
        .bind_address = o->bind,
        .port = (uint16_t)o->port,
        .certificate = wr_view(&ret->certificate),
        .key = wr_view(&ret->key),
        .tls12_only = identity->curve != CURVE_P256,
        .protocol = ES9P_PROTOCOL,
        .handler = handler,
        .ctx = ctx,
    };
    TRY(https_listen(&config, &ret->https, e));
    make_address(o, ret);
    return 0;
}

int rsp_serve_run(const struct rsp_serve_options *o, const struct rsp_serve *s, const char *name,
                  const char *more, struct lab_error *e)
{
    const struct ready ready = { o->has_ready_fd ? (int)o->ready_fd : READY_NO_FD, o->ready_file };
    char line[LINE_LEN];

    snprintf(line, sizeof line, "%s at https://%s, listening at %.255s:%u%.4096s\n", name,
             s->address, o->bind, (unsigned)https_port(s->https), more);
    TRY(ready_tell(&ready, line, e));
    return https_run(s->https) == 0 ? 0 : lab_fail(e, "the event loop fails");
}

static void close_all(struct rsp_serve *s)
{
    https_free(&s->https);
    for (size_t i = 0; i < s->n_identities; i++)
        identity_done(&s->identities[i]);
    wr_done(&s->certificate);
    wr_done(&s->key);
    crypto_free(&s->crypto);
}

int rsp_serve_main(int argc, char **argv, const struct rsp_serve_program *program, void *ctx,
                   struct rsp_serve_options *o)
{
    struct rsp_serve s = { .https = NULL };
    struct lab_error e = { "" };

    if (!read_options(argc, argv, program, ctx, o))
        return STATUS_USAGE;
    if (o->help) {
        program->usage(stdout);
        return STATUS_DONE;
    }
    int result = program->serve(ctx, &s, &e);
    if (result != 0)
        fprintf(stderr, "softeuicc-lab %s: %s\n", argv[0], e.text);
    program->done(ctx);
    close_all(&s);
    return result == 0 ? STATUS_DONE : STATUS_FAILED;
}
