/* smdpp_main.c - softeuicc-lab smdpp: options, start and end of the test SM-DP+. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/es9p.h"
#include "lab/es9p_server.h"
#include "lab/lab.h"
#include "lab/ready.h"
#include "os/err.h"

enum {
    DEFAULT_PORT = 8443,
    HTTPS_PORT = 443,
    MAX_PORT = 65535,
    TLS_MAX = 8192,
    HOST_LEN = 256,
    LINE_LEN = 8192,
};

struct options {
    unsigned long port;
    const char *host, *bind, *pki, *profiles, *confirmation_code, *ready_file;
    enum curve curve; /* CURVE_UNKNOWN: whatever the PKI has */
    enum profile_class profile_class;
    bool has_class, no_ppk, has_ready_fd, help;
    unsigned long ready_fd;
};

static void usage(FILE *out)
{
    fprintf(out,
            "usage: softeuicc-lab smdpp [OPTION...]\n\n"
            "  --port N                  default 8443; 0: any free port\n"
            "  --host NAME               the address that LPAs use (default 127.0.0.1)\n"
            "  --bind ADDRESS            where to listen (default 127.0.0.1)\n"
            "  --pki DIR                 layout of SGP.26 v1 (default: the test PKI)\n"
            "  --profiles DIR            profile packages NAME.der, NAME being the matching id,\n"
            "                            and metadata NAME.metadata (default: .)\n"
            "  --curve nist|brp          one curve only (default: both, TLS on nist)\n"
            "  --class CLASS             test, provisioning or operational (default)\n"
            "  --confirmation-code CODE  ask for this code\n"
            "  --no-ppk                  protect profiles under the session keys\n"
            "  --ready-file FILE         write the line that says where it listens there too\n"
            "  --ready-fd N              and to this open file descriptor\n"
            "  --help\n\n"
            "Standard output: one line that says where it listens, then a JSON object a line for\n"
            "each call.  It ends on SIGINT and SIGTERM with exit status 0.\n");
}

enum {
    OPT_PORT = 1,
    OPT_HOST,
    OPT_BIND,
    OPT_PKI,
    OPT_PROFILES,
    OPT_CURVE,
    OPT_CLASS,
    OPT_CONFIRMATION_CODE,
    OPT_NO_PPK,
    OPT_READY_FILE,
    OPT_READY_FD,
    OPT_HELP,
};

static const struct option long_options[] = {
    { "port", required_argument, NULL, OPT_PORT },
    { "host", required_argument, NULL, OPT_HOST },
    { "bind", required_argument, NULL, OPT_BIND },
    { "pki", required_argument, NULL, OPT_PKI },
    { "profiles", required_argument, NULL, OPT_PROFILES },
    { "curve", required_argument, NULL, OPT_CURVE },
    { "class", required_argument, NULL, OPT_CLASS },
    { "confirmation-code", required_argument, NULL, OPT_CONFIRMATION_CODE },
    { "no-ppk", no_argument, NULL, OPT_NO_PPK },
    { "ready-file", required_argument, NULL, OPT_READY_FILE },
    { "ready-fd", required_argument, NULL, OPT_READY_FD },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

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

/* One option; false when its value is wrong. */
static bool read_option(int option, const char *value, struct options *o)
{
    switch (option) {
    case OPT_PORT:
        return number_read(value, MAX_PORT, &o->port);
    case OPT_HOST:
        o->host = value;
        return value[0] != '\0' && strlen(value) < HOST_LEN - 8;
    case OPT_BIND:
        o->bind = value;
        return true;
    case OPT_PKI:
        o->pki = value;
        return true;
    case OPT_PROFILES:
        o->profiles = value;
        return true;
    case OPT_CURVE:
        return read_curve(value, &o->curve);
    case OPT_CLASS:
        o->has_class = true;
        return profile_class_read(value, &o->profile_class);
    case OPT_CONFIRMATION_CODE:
        o->confirmation_code = value;
        return value[0] != '\0' && strlen(value) < METADATA_CODE_LEN;
    case OPT_NO_PPK:
        o->no_ppk = true;
        return true;
    case OPT_READY_FILE:
        o->ready_file = value;
        return true;
    case OPT_READY_FD:
        o->has_ready_fd = true;
        return number_read(value, READY_MAX_FD, &o->ready_fd);
    case OPT_HELP:
        o->help = true;
        return true;
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *o)
{
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (option == '?')
            return false;
        if (!read_option(option, optarg, o)) {
            fprintf(stderr, "softeuicc-lab smdpp: --%s: bad value %s\n", long_options[index].name,
                    optarg);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "softeuicc-lab smdpp: no argument expected: %s; see --help\n",
                argv[optind]);
        return false;
    }
    return true;
}

/* What belongs to the running server. */
struct running {
    struct smdpp_config config;
    struct es9p_server es9p;
    struct https_server *https;
    struct wr tls_cert, tls_key;
    char host[HOST_LEN], address[HOST_LEN]; /* without and with the port */
};

static int load_identities(const struct options *o, struct running *r, struct lab_error *e)
{
    static const enum curve curves[SMDPP_MAX_IDENTITIES] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct pki *pki = NULL;
    struct lab_error first = { "no certificates" };

    TRY(identity_open_pki(o->pki, &pki, e));
    for (size_t i = 0; i < N_ELEMS(curves); i++) {
        struct lab_error why;
        if (o->curve != CURVE_UNKNOWN && o->curve != curves[i])
            continue;
        if (identity_load(r->config.crypto, pki, curves[i],
                          &r->config.identities[r->config.n_identities], &why) == 0)
            r->config.n_identities++;
        else if (r->config.n_identities == 0)
            first = why;
    }
    pki_close(&pki);
    return r->config.n_identities > 0 ? 0 : lab_fail(e, "%s", first.text);
}

/* The SM-DP+ address: with the port unless that is 443.  --host may bring a port of its own, for
 * servers behind a forwarded port. */
static void make_address(const struct options *o, struct running *r)
{
    size_t n = strcspn(o->host, ":");

    snprintf(r->host, sizeof r->host, "%.*s", (int)n, o->host);
    if (o->host[n] == ':' || https_port(r->https) == HTTPS_PORT)
        snprintf(r->address, sizeof r->address, "%s", o->host);
    else
        snprintf(r->address, sizeof r->address, "%s:%u", o->host, (unsigned)https_port(r->https));
}

static int listen_https(const struct options *o, struct running *r, struct lab_error *e)
{
    const struct dp_identity *identity = &r->config.identities[0];
    char host[HOST_LEN];

    snprintf(host, sizeof host, "%.*s", (int)strcspn(o->host, ":"), o->host);
    TRY(identity_issue_tls(r->config.crypto, identity, host, &r->tls_cert, &r->tls_key, e));
    struct https_config config = {
        .bind_address = o->bind,
        .port = (uint16_t)o->port,
        .certificate = wr_view(&r->tls_cert),
        .key = wr_view(&r->tls_key),
        .tls12_only = identity->curve != CURVE_P256,
        .protocol = ES9P_PROTOCOL,
        .handler = es9p_handle,
        .ctx = &r->es9p,
    };
    return https_listen(&config, &r->https, e);
}

static int tell_ready(const struct options *o, const struct running *r, struct lab_error *e)
{
    char line[LINE_LEN];

    snprintf(line, sizeof line,
             "SM-DP+ at https://%s, listening at %.255s:%u, profiles from %.4096s\n", r->address,
             o->bind, (unsigned)https_port(r->https), o->profiles);
    return ready_tell(
        &(struct ready){ o->has_ready_fd ? (int)o->ready_fd : READY_NO_FD, o->ready_file }, line,
        e);
}

static int serve(const struct options *o, struct running *r, struct lab_error *e)
{
    TRY(load_identities(o, r, e));
    TRY(listen_https(o, r, e));
    make_address(o, r);
    r->config.profiles = o->profiles;
    r->config.host = r->host;
    r->config.address = r->address;
    r->config.confirmation_code = o->confirmation_code;
    r->config.profile_class = o->has_class ? &o->profile_class : NULL;
    r->config.ppk = !o->no_ppk;
    r->es9p.dp = smdpp_new(&r->config);
    if (r->es9p.dp == NULL)
        return lab_fail(e, "out of memory");
    r->config.n_identities = 0; /* they are the SM-DP+'s now */
    r->es9p.log = stdout;
    TRY(tell_ready(o, r, e));
    return https_run(r->https) == 0 ? 0 : lab_fail(e, "the event loop fails");
}

int smdpp_main(int argc, char **argv)
{
    struct options o = {
        .port = DEFAULT_PORT, .host = "127.0.0.1", .bind = "127.0.0.1", .profiles = "."
    };
    struct running r = { .https = NULL };
    struct lab_error e = { "" };

    if (!read_options(argc, argv, &o))
        return STATUS_USAGE;
    if (o.help) {
        usage(stdout);
        return STATUS_DONE;
    }
    signal(SIGPIPE, SIG_IGN);
    wr_init_heap(&r.tls_cert, TLS_MAX);
    wr_init_heap(&r.tls_key, TLS_MAX);
    r.config.crypto = crypto_new(rd_of(NULL, 0));
    int result =
        r.config.crypto == NULL ? lab_fail(&e, "OpenSSL does not start") : serve(&o, &r, &e);
    if (result != 0)
        fprintf(stderr, "softeuicc-lab smdpp: %s\n", e.text);
    https_free(&r.https);
    smdpp_free(&r.es9p.dp);
    for (size_t i = 0; i < r.config.n_identities; i++)
        identity_done(&r.config.identities[i]);
    wr_done(&r.tls_cert);
    wr_done(&r.tls_key);
    crypto_free(&r.config.crypto);
    return result == 0 ? STATUS_DONE : STATUS_FAILED;
}
