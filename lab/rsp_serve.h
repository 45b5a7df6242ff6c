/* rsp_serve.h - a test SM-DP+ or SM-DS as a program: the options that they share, their
 * certificates, HTTPS, the line that says where it listens. */
#ifndef LAB_RSP_SERVE_H
#define LAB_RSP_SERVE_H

#include <getopt.h>
#include <stdio.h>

#include "lab/https.h"
#include "lab/mutual.h"

enum { RSP_SERVE_HOST_LEN = 256, RSP_SERVE_OPTION = 256 };

struct rsp_serve_options {
    unsigned long port;
    const char *host, *bind, *pki, *ready_file;
    enum curve curve; /* CURVE_UNKNOWN: whatever the PKI has */
    bool has_ready_fd, help;
    unsigned long ready_fd;
};

/* Rows of struct option, for those of the program to follow; their numbers are below
 * RSP_SERVE_OPTION. */
#define RSP_SERVE_LONG_OPTIONS                                                                     \
    { "port", required_argument, NULL, RSP_SERVE_OPTION },                                         \
        { "host", required_argument, NULL, RSP_SERVE_OPTION + 1 },                                 \
        { "bind", required_argument, NULL, RSP_SERVE_OPTION + 2 },                                 \
        { "pki", required_argument, NULL, RSP_SERVE_OPTION + 3 },                                  \
        { "curve", required_argument, NULL, RSP_SERVE_OPTION + 4 },                                \
        { "ready-file", required_argument, NULL, RSP_SERVE_OPTION + 5 },                           \
        { "ready-fd", required_argument, NULL, RSP_SERVE_OPTION + 6 },                             \
    {                                                                                              \
        "help", no_argument, NULL, RSP_SERVE_OPTION + 7                                            \
    }
extern const char rsp_serve_usage[];

struct rsp_serve {
    struct crypto *crypto;
    struct rsp_identity identities[MUTUAL_MAX_IDENTITIES];
    size_t n_identities; /* 0 from the moment that they are the server's */
    struct https_server *https;
    struct wr certificate, key;
    char host[RSP_SERVE_HOST_LEN], address[RSP_SERVE_HOST_LEN]; /* without and with the port */
};

/* Certificates, and the port; the handler is not called before rsp_serve_run(). */
int rsp_serve_open(const struct rsp_serve_options *o, enum identity_kind kind,
                   https_handler *handler, void *ctx, struct rsp_serve *ret, struct lab_error *e);
/* Tells that it is there, with more behind the address, and serves. */
int rsp_serve_run(const struct rsp_serve_options *o, const struct rsp_serve *s, const char *name,
                  const char *more, struct lab_error *e);

struct rsp_serve_program {
    const struct option *options;
    void (*usage)(FILE *out);
    /* One of its own options; false when its value is wrong. */
    bool (*read)(int option, const char *value, void *ctx);
    /* rsp_serve_open(), what is its own, rsp_serve_run(). */
    int (*serve)(void *ctx, struct rsp_serve *s, struct lab_error *e);
    /* Frees what serve() made, also after a failure. */
    void (*done)(void *ctx);
};
/* The whole of it: the exit status.  ctx is the program's, o within it. */
int rsp_serve_main(int argc, char **argv, const struct rsp_serve_program *program, void *ctx,
                   struct rsp_serve_options *o);

#endif
