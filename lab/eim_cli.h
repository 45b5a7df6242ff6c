/* eim_cli.h - the subcommands of `softeuicc-lab eim`. */
#ifndef LAB_EIM_CLI_H
#define LAB_EIM_CLI_H

#include "lab/util.h"

/* What the command line said: positional arguments after the subcommand, and options. */
struct eim_options {
    size_t n_args;
    char **args; /* the first is the file */
    const char *eim_id, *id_type, *fqdn, *pki, *curve, *public_key, *tls_trust, *token, *counter,
        *indirect, *learn, *ci_pkid, *out, *version, *fault, *number, *wait, *port, *bind,
        *ready_file, *ready_fd, *ca, *coap, /* NULL: no CoAP; "": at the port of --fqdn */
        *coap_path;
    bool request, json, register_any, help;
};

/* Each returns 0, or negative with *e. */
int eim_cmd_new(const struct eim_options *o, struct lab_error *e);
int eim_cmd_config(const struct eim_options *o, struct lab_error *e);
int eim_cmd_device(const struct eim_options *o, struct lab_error *e);
int eim_cmd_queue(const struct eim_options *o, struct lab_error *e);
int eim_cmd_show(const struct eim_options *o, struct lab_error *e);
int eim_cmd_results(const struct eim_options *o, struct lab_error *e);
int eim_cmd_handover(const struct eim_options *o, struct lab_error *e);
int eim_cmd_serve(const struct eim_options *o, struct lab_error *e);

#endif
