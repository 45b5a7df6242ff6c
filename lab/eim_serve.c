/* eim_serve.c - softeuicc-lab eim serve: ESipa over HTTPS and CoAP until it is told to end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/eim_cli.h"
#include "lab/esipa.h"
#include "lab/esipa_coap.h"
#include "lab/esipa_server.h"
#include "lab/ready.h"
#include "os/err.h"

enum {
    DEFAULT_PORT = 443,
    MAX_PORT = 65535,
    LINE_LEN = 2048,
    CA_MAX = 256 * 1024,
};

static const char *bind_address(const struct eim_options *o)
{
    return o->bind != NULL ? o->bind : "127.0.0.1";
}

/* The port of --fqdn, unless the option has another. */
static int choose_port(const char *option, const char *value, const char *fqdn,
                       unsigned long otherwise, unsigned long *ret, struct lab_error *e)
{
    const char *colon = strrchr(fqdn, ':');

    *ret = otherwise;
    if (value != NULL && value[0] != '\0')
        return number_read(value, MAX_PORT, ret) ? 0 : lab_fail(e, "%s: not %s", option, value);
    if (colon != NULL && colon[1] != ']' && strchr(colon, ']') == NULL &&
        !number_read(colon + 1, MAX_PORT, ret))
        return lab_fail(e, "the eIM's address %s has no port in numbers", fqdn);
    return 0;
}

/* What listens. */
struct listeners {
    struct https_server *https;
    struct coap_server *coap; /* NULL: not */
};

static int tell_ready(const struct eim_options *o, const struct eim *eim, const struct listeners *l,
                      struct lab_error *e)
{
    char line[LINE_LEN], coap[LINE_LEN / 3] = "";
    unsigned long fd = 0;

    if (o->ready_fd != NULL && !number_read(o->ready_fd, READY_MAX_FD, &fd))
        return lab_fail(e, "--ready-fd: not %s", o->ready_fd);
    if (l->coap != NULL)
        snprintf(coap, sizeof coap, ", coaps at %.255s:%u", bind_address(o),
                 (unsigned)coap_server_port(l->coap));
    snprintf(line, sizeof line, "eIM %s at https://%s, listening at %.255s:%u%s\n",
             eim->identity.id, eim->identity.fqdn, bind_address(o), (unsigned)https_port(l->https),
             coap);
    return ready_tell(&(struct ready){ o->ready_fd != NULL ? (int)fd : READY_NO_FD, o->ready_file },
                      line, e);
}

static int listen_https(const struct eim_options *o, struct esipa_server *server,
                        struct listeners *ret, struct lab_error *e)
{
    const struct eim *eim = server->eim;
    unsigned long port = 0;

    TRY(choose_port("--port", o->port, eim->identity.fqdn, DEFAULT_PORT, &port, e));
    struct https_config config = {
        .bind_address = bind_address(o),
        .port = (uint16_t)port,
        .certificate = wr_view(&eim->identity.tls_certificate),
        .key = wr_view(&eim->identity.tls_key),
        .tls12_only = eim->identity.curve != CURVE_P256,
        .protocol = ESIPA_PROTOCOL,
        .handler = esipa_handle,
        .ctx = server,
        .tick = esipa_tick,
    };
    return https_listen(&config, &ret->https, e);
}

static int listen_coap(const struct eim_options *o, struct esipa_server *server,
                       struct listeners *ret, struct lab_error *e)
{
    const struct eim *eim = server->eim;
    unsigned long port = 0;

    if (o->coap == NULL)
        return o->coap_path == NULL ? 0 : lab_fail(e, "--coap-path without --coap");
    TRY(choose_port("--coap", o->coap, eim->identity.fqdn, COAP_SERVER_PORT, &port, e));
    struct coap_server_config config = {
        .bind_address = bind_address(o),
        .port = (uint16_t)port,
        .path = o->coap_path != NULL ? o->coap_path : ESIPA_ASN1_PATH,
        .certificate = wr_view(&eim->identity.tls_certificate),
        .key = wr_view(&eim->identity.tls_key),
        .handler = esipa_handle_coap,
        .ctx = server,
    };
    return coap_server_listen(&config, https_events(ret->https), &ret->coap, e);
}

static int serve(const struct eim_options *o, struct eim *eim, struct lab_error *e)
{
    struct esipa_server server = { eim, stdout };
    struct listeners l = { NULL, NULL };

    int r = listen_https(o, &server, &l, e);
    if (r == 0)
        r = listen_coap(o, &server, &l, e);
    if (r == 0)
        r = tell_ready(o, eim, &l, e);
    if (r == 0 && https_run(l.https) != 0)
        r = lab_fail(e, "the event loop fails");
    coap_server_free(&l.coap);
    https_free(&l.https);
    return r;
}

int eim_cmd_serve(const struct eim_options *o, struct lab_error *e)
{
    struct eim *eim = NULL;
    struct wr ca;

    wr_init_heap(&ca, CA_MAX);
    int r = o->ca != NULL ? file_read(o->ca, &ca, e) : 0;
    struct crypto *crypto = crypto_new(rd_of(NULL, 0));
    if (r == 0 && crypto == NULL)
        r = lab_fail(e, "OpenSSL does not start");
    if (r == 0)
        r = eim_open(crypto, o->args[0], wr_view(&ca), &eim, e);
    if (r == 0) {
        eim->register_any = o->register_any;
        r = serve(o, eim, e);
    }
    eim_close(&eim);
    crypto_free(&crypto);
    wr_done(&ca);
    return r;
}
