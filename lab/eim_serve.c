/* eim_serve.c - softeuicc-lab eim serve: ESipa over HTTPS until it is told to end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/eim_cli.h"
#include "lab/esipa.h"
#include "lab/esipa_server.h"
#include "lab/ready.h"
#include "os/err.h"

enum {
    DEFAULT_PORT = 443,
    MAX_PORT = 65535,
    LINE_LEN = 2048,
    CA_MAX = 256 * 1024,
};

/* The port of --fqdn, unless --port says another. */
static int choose_port(const struct eim_options *o, const char *fqdn, unsigned long *ret,
                       struct lab_error *e)
{
    const char *colon = strrchr(fqdn, ':');

    *ret = DEFAULT_PORT;
    if (o->port != NULL)
        return number_read(o->port, MAX_PORT, ret) ? 0 : lab_fail(e, "--port: not %s", o->port);
    if (colon != NULL && colon[1] != ']' && strchr(colon, ']') == NULL &&
        !number_read(colon + 1, MAX_PORT, ret))
        return lab_fail(e, "the eIM's address %s has no port in numbers", fqdn);
    return 0;
}

static int tell_ready(const struct eim_options *o, const struct eim *eim, unsigned port,
                      struct lab_error *e)
{
    char line[LINE_LEN];
    unsigned long fd = 0;

    if (o->ready_fd != NULL && !number_read(o->ready_fd, READY_MAX_FD, &fd))
        return lab_fail(e, "--ready-fd: not %s", o->ready_fd);
    snprintf(line, sizeof line, "eIM %s at https://%s, listening at %.255s:%u\n", eim->identity.id,
             eim->identity.fqdn, o->bind != NULL ? o->bind : "127.0.0.1", port);
    return ready_tell(&(struct ready){ o->ready_fd != NULL ? (int)fd : READY_NO_FD, o->ready_file },
                      line, e);
}

static int serve(const struct eim_options *o, struct eim *eim, struct lab_error *e)
{
    struct esipa_server server = { eim, stdout };
    struct https_server *https = NULL;
    unsigned long port = 0;

    TRY(choose_port(o, eim->identity.fqdn, &port, e));
    struct https_config config = {
        .bind_address = o->bind != NULL ? o->bind : "127.0.0.1",
        .port = (uint16_t)port,
        .certificate = wr_view(&eim->identity.tls_certificate),
        .key = wr_view(&eim->identity.tls_key),
        .tls12_only = eim->identity.curve != CURVE_P256,
        .protocol = ESIPA_PROTOCOL,
        .handler = esipa_handle,
        .ctx = &server,
        .tick = esipa_tick,
    };
    TRY(https_listen(&config, &https, e));
    int r = tell_ready(o, eim, https_port(https), e);
    if (r == 0 && https_run(https) != 0)
        r = lab_fail(e, "the event loop fails");
    https_free(&https);
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
