/* smdpp_main.c - softeuicc-lab smdpp: options, start and end of the test SM-DP+. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/es9p_server.h"
#include "lab/lab.h"
#include "lab/rsp_serve.h"
#include "os/err.h"

enum { DEFAULT_PORT = 8443, MORE_LEN = 4200 };

struct options {
    struct rsp_serve_options serve;
    const char *profiles, *confirmation_code;
    enum profile_class profile_class;
    bool has_class, no_ppk;
    struct es9p_server es9p;
};

static void usage(FILE *out)
{
    fprintf(out,
            "usage: softeuicc-lab smdpp [OPTION...]\n\n"
            "  --port N                  default 8443; 0: any free port\n"
            "  --profiles DIR            profile packages NAME.der, NAME being the matching id,\n"
            "                            and metadata NAME.metadata (default: .)\n"
            "  --class CLASS             test, provisioning or operational (default)\n"
            "  --confirmation-code CODE  ask for this code\n"
            "  --no-ppk                  protect profiles under the session keys\n"
            "%s",
            rsp_serve_usage);
}

enum { OPT_PROFILES = 1, OPT_CLASS, OPT_CONFIRMATION_CODE, OPT_NO_PPK };

static const struct option long_options[] = {
    { "profiles", required_argument, NULL, OPT_PROFILES },
    { "class", required_argument, NULL, OPT_CLASS },
    { "confirmation-code", required_argument, NULL, OPT_CONFIRMATION_CODE },
    { "no-ppk", no_argument, NULL, OPT_NO_PPK },
    RSP_SERVE_LONG_OPTIONS,
    { NULL, 0, NULL, 0 },
};

static bool read_option(int option, const char *value, void *ctx)
{
    struct options *o = ctx;

    switch (option) {
    case OPT_PROFILES:
        o->profiles = value;
        return true;
    case OPT_CLASS:
        o->has_class = true;
        return profile_class_read(value, &o->profile_class);
    case OPT_CONFIRMATION_CODE:
        o->confirmation_code = value;
        return value[0] != '\0' && strlen(value) < METADATA_CODE_LEN;
    default:
        o->no_ppk = true;
        return true;
    }
}

/* It is read at each download; that it is not there at all is better told at once. */
static int check_folder(const char *path, struct lab_error *e)
{
    DIR *folder = opendir(path);

    if (folder == NULL)
        return lab_fail(e, "--profiles: %s: %s", path, strerror(errno));
    closedir(folder);
    return 0;
}

static int serve(void *ctx, struct rsp_serve *s, struct lab_error *e)
{
    struct options *o = ctx;
    struct es9p_server *es9p = &o->es9p;
    char more[MORE_LEN];

    TRY(check_folder(o->profiles, e));
    TRY(rsp_serve_open(&o->serve, IDENTITY_SMDPP, es9p_handle, es9p, s, e));
    struct smdpp_config config = {
        .crypto = s->crypto,
        .profiles = o->profiles,
        .host = s->host,
        .address = s->address,
        .confirmation_code = o->confirmation_code,
        .profile_class = o->has_class ? &o->profile_class : NULL,
        .ppk = !o->no_ppk,
        .n_identities = s->n_identities,
    };
    memcpy(config.identities, s->identities, sizeof config.identities);
    es9p->dp = smdpp_new(&config);
    if (es9p->dp == NULL)
        return lab_fail(e, "out of memory");
    s->n_identities = 0; /* they are the SM-DP+'s now */
    snprintf(more, sizeof more, ", profiles from %s", o->profiles);
    return rsp_serve_run(&o->serve, s, "SM-DP+", more, e);
}

static void done(void *ctx)
{
    struct options *o = ctx;

    smdpp_free(&o->es9p.dp);
}

int smdpp_main(int argc, char **argv)
{
    static const struct rsp_serve_program smdpp = { long_options, usage, read_option, serve, done };
    struct options o = {
        .serve = { .port = DEFAULT_PORT, .host = "127.0.0.1", .bind = "127.0.0.1" },
        .profiles = ".",
        .es9p = { .log = stdout },
    };

    return rsp_serve_main(argc, argv, &smdpp, &o, &o.serve);
}
