/* coap_server.c - CoAP over DTLS on libcoap and OpenSSL (RFC 7252, 7959, 9175; SGP.32 6.2).
 *
 * libcoap has the sockets, DTLS, sessions and messages.  Blocks are put together and cut here:
 * libcoap 4.3.1 knows no bound of a body, forgets an upload with its last block and then takes that
 * block, sent again because the answer was lost, for a request of its own.
 *
 * A session has one exchange at a time.  The last answer stays until the next request, for its
 * further blocks and for requests that are sent again (RFC 7252 4.5). */
#include "lab/coap_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coap3/coap.h>
#include <event2/event.h>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/tls_sessions.h"
#include "os/err.h"

enum {
    TAG_LEN = 8, /* of Request-Tag, RFC 9175 3.2.1 */
    TOKEN_LEN = 8,
    BLOCK_OPTION_LEN = 3,
    UINT_OPTION_LEN = 4,
    N_SEEN = 8,
    SZX_MAX = 6, /* 1024 octets; they fit libcoap's datagrams */
    SZX_RESERVED = 7,
    NAME_LEN = 64,

    CODE_CONTINUE = COAP_SERVER_CODE(2, 31),
    CODE_BAD_REQUEST = COAP_SERVER_CODE(4, 0),
    CODE_INCOMPLETE = COAP_SERVER_CODE(4, 8),
    CODE_TOO_LARGE = COAP_SERVER_CODE(4, 13),
    CODE_INTERNAL = COAP_SERVER_CODE(5, 0),
    CLASS_SUCCESS = 2,
};

/* Block1 or Block2 (RFC 7959 2.2). */
struct block {
    bool there;
    uint32_t num;
    bool more;
    unsigned szx;
};

/* What of a request matters here; views into the datagram. */
struct request {
    struct block block1, block2;
    struct rd tag; /* Request-Tag; p is NULL: none */
    uint32_t size1;
    struct rd payload;
};

/* One message of an answer.  The payload is the session's answer, or text of the program. */
struct response {
    uint8_t code;
    struct block block1, block2;
    uint32_t etag, max_age, size1, size2; /* 0: not said */
    struct rd payload;
};

struct session {
    struct coap_server *server;
    coap_session_t *transport;
    struct session *next;
    char name[NAME_LEN];

    /* Messages that were taken, the last one at index n_seen - 1, modulo N_SEEN. */
    struct {
        coap_mid_t id;
        uint8_t token[TOKEN_LEN];
        size_t token_len;
    } seen[N_SEEN];
    size_t n_seen;
    struct response last;

    bool uploading, tagged;
    uint8_t tag[TAG_LEN];
    size_t tag_len;
    struct wr upload;

    bool answered;
    uint8_t code;
    uint32_t etag, max_age;
    char word[COAP_SERVER_WORD_LEN];
    struct wr answer;
};

struct coap_server {
    struct coap_server_config config;
    uint16_t port;
    uint32_t n_answers;
    coap_context_t *coap;
    struct event *readable;
    struct session *sessions;
};

static size_t block_size(unsigned szx)
{
    return (size_t)16 << szx;
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct session *new_session(struct coap_server *server, coap_session_t *transport)
{
    struct session *s = calloc(1, sizeof *s);
    uint8_t address[NAME_LEN - sizeof "coaps "] = "";

    if (s == NULL)
        return NULL;
    coap_print_addr(coap_session_get_addr_remote(transport), address, sizeof address);
    snprintf(s->name, sizeof s->name, "coaps %s", (const char *)address);
    s->server = server;
    s->transport = transport;
    wr_init_heap(&s->upload, COAP_SERVER_MAX_BODY);
    wr_init_heap(&s->answer, COAP_SERVER_MAX_ANSWER);
    s->next = server->sessions;
    server->sessions = s;
    coap_session_set_app_data(transport, s);
    return s;
}

static void free_session(struct session *s)
{
    wr_done(&s->upload);
    wr_done(&s->answer);
    free(s);
}

static void drop_session(struct coap_server *server, coap_session_t *transport)
{
    struct session **at = &server->sessions;

    while (*at != NULL && (*at)->transport != transport)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    struct session *gone = *at;
    *at = gone->next;
    coap_session_set_app_data(transport, NULL);
    free_session(gone);
}

static int on_event(coap_session_t *transport, const coap_event_t event)
{
    if (event == COAP_EVENT_SERVER_SESSION_DEL)
        drop_session(coap_get_app_data(coap_session_get_context(transport)), transport);
    return 0;
}

/* --- requests --------------------------------------------------------------------------------- */

static bool find_option(const coap_pdu_t *pdu, coap_option_num_t number, struct rd *ret)
{
    coap_opt_iterator_t at;
    coap_opt_t *option = coap_check_option(pdu, number, &at);

    if (option == NULL)
        return false;
    *ret = rd_of(coap_opt_value(option), coap_opt_length(option));
    return true;
}

static bool read_block(const coap_pdu_t *pdu, coap_option_num_t number, struct block *ret)
{
    enum { SZX = 7, MORE = 8, NUM_SHIFT = 4 };
    struct rd value;

    *ret = (struct block){ .there = false };
    if (!find_option(pdu, number, &value))
        return true;
    if (value.n > BLOCK_OPTION_LEN)
        return false;
    unsigned v = coap_decode_var_bytes(value.p, value.n);
    *ret = (struct block){ true, v >> NUM_SHIFT, (v & MORE) != 0, v & SZX };
    return ret->szx != SZX_RESERVED;
}

static bool read_request(const coap_pdu_t *pdu, struct request *ret)
{
    struct rd size1;

    *ret = (struct request){ .size1 = 0 };
    if (!read_block(pdu, COAP_OPTION_BLOCK1, &ret->block1) ||
        !read_block(pdu, COAP_OPTION_BLOCK2, &ret->block2))
        return false;
    if (find_option(pdu, COAP_OPTION_SIZE1, &size1) && size1.n <= UINT_OPTION_LEN)
        ret->size1 = coap_decode_var_bytes(size1.p, size1.n);
    if (find_option(pdu, COAP_OPTION_RTAG, &ret->tag) && ret->tag.n > TAG_LEN)
        return false;
    coap_get_data(pdu, &ret->payload.n, &ret->payload.p);
    return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void refuse(struct response *ret, uint8_t code, const char *word)
{
    *ret = (struct response){ .code = code, .payload = rd_str(word) };
}

/* The block of the answer from there on, or all of it when one block is enough and nobody asked
 * for blocks. */
static void give_answer(const struct session *s, const struct block *wanted, struct response *ret)
{
    unsigned szx = wanted->there && wanted->szx < SZX_MAX ? wanted->szx : SZX_MAX;
    size_t size = block_size(szx), from = wanted->num * size;

    *ret = (struct response){ .code = s->code, .max_age = s->max_age };
    if (s->code >> 5 != CLASS_SUCCESS) {
        ret->payload = rd_str(s->word);
        return;
    }
    if (from > 0 && from >= s->answer.n) {
        refuse(ret, CODE_BAD_REQUEST, "there is no such block");
        return;
    }
    if (s->answer.n > 0)
        ret->payload = rd_of(s->answer.p + from, s->answer.n - from);
    if (s->answer.n <= size && !wanted->there)
        return;
    if (from == 0)
        ret->size2 = (uint32_t)s->answer.n;
    ret->etag = s->etag;
    ret->block2 = (struct block){ true, wanted->num, ret->payload.n > size, szx };
    if (ret->block2.more)
        ret->payload.n = size;
}

/* All of the request is here. */
static void serve(struct session *s, struct rd body, const struct block *wanted,
                  struct response *ret)
{
    struct coap_server *server = s->server;
    const struct coap_server_request request = { s->name, body };
    struct coap_server_reply reply = { .code = CODE_INTERNAL, .body = &s->answer };

    wr_done(&s->answer);
    server->config.handler(server->config.ctx, &request, &reply);
    if (reply.code >> 5 == CLASS_SUCCESS && wr_failed(&s->answer) != 0)
        reply = (struct coap_server_reply){ .code = CODE_INTERNAL, .word = "no memory" };
    s->code = reply.code;
    s->max_age = reply.max_age;
    s->etag = ++server->n_answers;
    snprintf(s->word, sizeof s->word, "%s", reply.word != NULL ? reply.word : "");
    s->answered = true;
    give_answer(s, wanted, ret);
}

static void end_upload(struct session *s)
{
    s->uploading = false;
    wr_done(&s->upload);
}

static void begin_upload(struct session *s, const struct request *r)
{
    end_upload(s);
    s->uploading = true;
    s->tagged = r->tag.p != NULL;
    s->tag_len = r->tag.n;
    if (r->tag.n > 0)
        memcpy(s->tag, r->tag.p, r->tag.n);
}

/* Blocks are of one body when their Request-Tags are the same, or absent (RFC 9175 3.3). */
static bool is_of_upload(const struct session *s, const struct request *r)
{
    return s->uploading && s->tagged == (r->tag.p != NULL) &&
           rd_equal(r->tag, rd_of(s->tag, s->tag_len));
}

/* Octets beyond the end; those of a first block may be announced (RFC 7959 4). */
static bool is_too_large(const struct request *r, size_t from)
{
    return from + r->payload.n > COAP_SERVER_MAX_BODY || r->size1 > COAP_SERVER_MAX_BODY;
}

static void take_block(struct session *s, const struct request *r, struct response *ret)
{
    size_t size = block_size(r->block1.szx), from = r->block1.num * size;

    if (r->block1.more ? r->payload.n != size : r->payload.n > size) {
        refuse(ret, CODE_BAD_REQUEST, "a block that is not as long as it says");
        return;
    }
    if (is_too_large(r, from)) {
        end_upload(s);
        refuse(ret, CODE_TOO_LARGE, "the body is too large");
        ret->size1 = COAP_SERVER_MAX_BODY;
        return;
    }
    if (from == 0)
        begin_upload(s, r);
    if (!is_of_upload(s, r) || from != s->upload.n) {
        refuse(ret, CODE_INCOMPLETE, "blocks before this one are missing");
        return;
    }
    wr_put_rd(&s->upload, r->payload);
    if (wr_failed(&s->upload) != 0) {
        end_upload(s);
        refuse(ret, CODE_INTERNAL, "no memory");
        return;
    }
    if (r->block1.more) {
        *ret = (struct response){ .code = CODE_CONTINUE };
    } else {
        serve(s, wr_view(&s->upload), &r->block2, ret);
        end_upload(s);
    }
    ret->block1 = r->block1;
}

/* A further block of the answer. */
static void take_fetch(const struct session *s, const struct request *r, struct response *ret)
{
    if (s->answered)
        give_answer(s, &r->block2, ret);
    else
        refuse(ret, CODE_INCOMPLETE, "there is no answer of which this is a block");
}

static void take_request(struct session *s, const coap_pdu_t *pdu, struct response *ret)
{
    struct request r;

    if (!read_request(pdu, &r)) {
        refuse(ret, CODE_BAD_REQUEST, "Block1, Block2 or Request-Tag that cannot be");
    } else if (r.block1.there) {
        take_block(s, &r, ret);
    } else if (r.block2.there && r.block2.num > 0) {
        take_fetch(s, &r, ret);
    } else {
        end_upload(s);
        serve(s, r.payload, &r.block2, ret);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

static void put_uint(coap_pdu_t *pdu, coap_option_num_t number, uint32_t v)
{
    uint8_t octets[UINT_OPTION_LEN];

    coap_add_option(pdu, number, coap_encode_var_safe(octets, sizeof octets, v), octets);
}

static void put_block(coap_pdu_t *pdu, coap_option_num_t number, const struct block *block)
{
    if (block->there)
        put_uint(pdu, number, block->num << 4 | (block->more ? 8U : 0) | block->szx);
}

/* Options in the order of their numbers. */
static void write_response(const struct response *r, coap_pdu_t *pdu)
{
    coap_pdu_set_code(pdu, (coap_pdu_code_t)r->code);
    if (r->etag != 0)
        put_uint(pdu, COAP_OPTION_ETAG, r->etag);
    if (r->max_age != 0)
        put_uint(pdu, COAP_OPTION_MAXAGE, r->max_age);
    put_block(pdu, COAP_OPTION_BLOCK2, &r->block2);
    put_block(pdu, COAP_OPTION_BLOCK1, &r->block1);
    if (r->size2 != 0)
        put_uint(pdu, COAP_OPTION_SIZE2, r->size2);
    if (r->size1 != 0)
        put_uint(pdu, COAP_OPTION_SIZE1, r->size1);
    if (r->payload.n > 0)
        coap_add_data(pdu, r->payload.n, r->payload.p);
}

/* How many messages ago it was taken: 0 is the last one; N_SEEN: never. */
static size_t find_seen(const struct session *s, const coap_pdu_t *pdu)
{
    coap_bin_const_t token = coap_pdu_get_token(pdu);

    for (size_t ago = 0; ago < N_SEEN && ago < s->n_seen; ago++) {
        size_t i = (s->n_seen - 1 - ago) % N_SEEN;
        if (s->seen[i].id == coap_pdu_get_mid(pdu) &&
            rd_equal(rd_of(token.s, token.length), rd_of(s->seen[i].token, s->seen[i].token_len)))
            return ago;
    }
    return N_SEEN;
}

static void note_seen(struct session *s, const coap_pdu_t *pdu)
{
    coap_bin_const_t token = coap_pdu_get_token(pdu);
    size_t i = s->n_seen++ % N_SEEN;

    s->seen[i].id = coap_pdu_get_mid(pdu);
    s->seen[i].token_len = token.length < TOKEN_LEN ? token.length : TOKEN_LEN;
    memcpy(s->seen[i].token, token.s, s->seen[i].token_len);
}

/* The last message, sent again, gets the same answer; one before it was answered and given up by
 * its sender: an acknowledgement is enough (an empty response makes libcoap say that). */
static void on_post(coap_resource_t *resource, coap_session_t *transport, const coap_pdu_t *pdu,
                    const coap_string_t *query, coap_pdu_t *response)
{
    struct coap_server *server = coap_get_app_data(coap_session_get_context(transport));
    struct session *s = coap_session_get_app_data(transport);

    (void)resource;
    (void)query;
    if (s == NULL)
        s = new_session(server, transport);
    if (s == NULL) {
        coap_pdu_set_code(response, (coap_pdu_code_t)CODE_INTERNAL);
        return;
    }
    size_t ago = find_seen(s, pdu);
    if (ago == N_SEEN) {
        note_seen(s, pdu);
        take_request(s, pdu, &s->last);
    }
    if (ago == 0 || ago == N_SEEN)
        write_response(&s->last, response);
}

/* --- the server ------------------------------------------------------------------------------- */

/* libcoap's own timers are in its descriptor too; they are set whenever something was done. */
static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct coap_server *server = ctx;
    coap_tick_t now;

    (void)fd;
    (void)what;
    coap_io_process(server->coap, COAP_IO_NO_WAIT);
    coap_ticks(&now);
    coap_io_prepare_epoll(server->coap, now);
}

static void no_log(coap_log_t level, const char *message)
{
    (void)level;
    (void)message;
}

/* With libcoap two servers can listen at one port; so the port is taken once without it.  That also
 * finds a free one. */
static int try_port(struct addrinfo *at, uint16_t *ret)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound;
    socklen_t n = sizeof bound;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);

    if (fd < 0)
        return ERR_INPUT;
    int r = bind(fd, at->ai_addr, at->ai_addrlen) == 0 && getsockname(fd, &bound.any, &n) == 0
                ? 0
                : ERR_INPUT;
    int why = errno;
    close(fd);
    errno = why;
    if (r == 0)
        *ret = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
    return r;
}

static void set_address(const struct addrinfo *from, uint16_t port, coap_address_t *ret)
{
    coap_address_init(ret);
    ret->size = from->ai_addrlen;
    memcpy(&ret->addr, from->ai_addr, from->ai_addrlen);
    if (ret->addr.sa.sa_family == AF_INET6)
        ret->addr.sin6.sin6_port = htons(port);
    else
        ret->addr.sin.sin_port = htons(port);
}

static int set_up_endpoint(struct coap_server *server, struct lab_error *e)
{
    const struct coap_server_config *config = &server->config;
    const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM };
    struct addrinfo *found = NULL;
    coap_address_t address;
    char port[sizeof "65535"];

    snprintf(port, sizeof port, "%u", (unsigned)config->port);
    int why = getaddrinfo(config->bind_address, port, &hints, &found);
    if (why != 0)
        return lab_fail(e, "%s: %s", config->bind_address, gai_strerror(why));
    int r = try_port(found, &server->port);
    if (r == 0) {
        set_address(found, server->port, &address);
        if (coap_new_endpoint(server->coap, &address, COAP_PROTO_DTLS) == NULL)
            r = ERR_INPUT;
    }
    if (r != 0)
        lab_fail(e, "cannot listen on %s UDP port %u: %s", config->bind_address,
                 (unsigned)config->port, strerror(errno));
    freeaddrinfo(found);
    return r;
}

/* Server authentication only (SGP.32 6.2). */
static int set_up_dtls(struct coap_server *server, struct lab_error *e)
{
    const struct coap_server_config *config = &server->config;
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .additional_tls_setup_call_back = tls_sessions_keep_coap,
        .pki_key = {
            .key_type = COAP_PKI_KEY_ASN1,
            .key.asn1 = {
                .public_cert = config->certificate.p,
                .public_cert_len = config->certificate.n,
                .private_key = config->key.p,
                .private_key_len = config->key.n,
                .private_key_type = COAP_ASN1_PKEY_EC,
            },
        },
    };

    if (coap_context_set_pki(server->coap, &pki) != 1)
        return lab_fail(e, "DTLS: libcoap does not take the certificate and its key");
    return 0;
}

static int set_up_resource(struct coap_server *server, struct lab_error *e)
{
    const char *path = server->config.path;

    if (*path == '/')
        path++;
    coap_resource_t *resource = coap_resource_init(coap_make_str_const(path), 0);
    if (resource == NULL)
        return lab_fail(e, "out of memory");
    coap_register_request_handler(resource, COAP_REQUEST_POST, on_post);
    coap_add_resource(server->coap, resource);
    return 0;
}

static int set_up_events(struct coap_server *server, struct event_base *events, struct lab_error *e)
{
    int fd = coap_context_get_coap_fd(server->coap);
    coap_tick_t now;

    server->readable =
        fd < 0 ? NULL : event_new(events, fd, EV_READ | EV_PERSIST, on_readable, server);
    if (server->readable == NULL || event_add(server->readable, NULL) != 0)
        return lab_fail(e, "CoAP is not in the event loop");
    coap_ticks(&now);
    coap_io_prepare_epoll(server->coap, now);
    return 0;
}

static int set_up(struct coap_server *server, struct event_base *events, struct lab_error *e)
{
    coap_startup();
    coap_set_log_handler(no_log);
    server->coap = coap_new_context(NULL);
    if (server->coap == NULL)
        return lab_fail(e, "libcoap does not start");
    coap_set_app_data(server->coap, server);
    coap_context_set_block_mode(server->coap, 0);
    coap_context_set_max_idle_sessions(server->coap, COAP_SERVER_MAX_SESSIONS);
    coap_context_set_session_timeout(server->coap, COAP_SERVER_SESSION_SECONDS);
    coap_register_event_handler(server->coap, on_event);
    TRY(set_up_dtls(server, e));
    TRY(set_up_resource(server, e));
    TRY(set_up_endpoint(server, e));
    return set_up_events(server, events, e);
}

int coap_server_listen(const struct coap_server_config *config, struct event_base *events,
                       struct coap_server **ret, struct lab_error *e)
{
    struct coap_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return lab_fail(e, "out of memory");
    server->config = *config;
    int r = set_up(server, events, e);
    if (r != 0) {
        coap_server_free(&server);
        return r;
    }
    *ret = server;
    return 0;
}

uint16_t coap_server_port(const struct coap_server *server)
{
    return server->port;
}

/* libcoap frees its sessions without a word. */
void coap_server_free(struct coap_server **server)
{
    struct coap_server *s = *server;

    if (s == NULL)
        return;
    if (s->readable != NULL)
        event_free(s->readable);
    if (s->coap != NULL)
        coap_free_context(s->coap);
    coap_cleanup();
    while (s->sessions != NULL) {
        struct session *gone = s->sessions;
        s->sessions = gone->next;
        free_session(gone);
    }
    free(s);
    *server = NULL;
}
