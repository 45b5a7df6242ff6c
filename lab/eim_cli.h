/* eim_cli.h - the subcommands of `softeuicc-lab eim`. */
#ifndef LAB_EIM_CLI_H
#define LAB_EIM_CLI_H

#include "lab/eim.h"

enum { EIM_NUMBER_MAX = 0x7FFFFFFF };

/* What the command line said: positional arguments after the subcommand, and options. */
struct eim_options {
    size_t n_args;
    char **args; /* the first is the file */
    const char *eim_id, *id_type, *fqdn, *pki, *curve, *public_key, *tls_trust, *protocol, *token,
        *counter, *indirect, *learn, *ci_pkid, *out, *version, *fault, *number, *wait, *port, *bind,
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

/* --- between their files ---------------------------------------------------------------------- */

struct open_eim {
    struct crypto *crypto;
    struct eim *eim;
};
int eim_cli_open(const struct eim_options *o, struct open_eim *ret, struct lab_error *e);
void eim_cli_close(struct open_eim *open);

/* The number of an option; without one *ret stays. */
int eim_cli_number(const char *option, const char *given, unsigned long max, unsigned long *ret,
                   struct lab_error *e);

#endif
