/* http.h - the client's side of HTTP/1.1 as octets (RFC 9110, RFC 9112): one request written, one
 * response read as it comes, in pieces of any size.
 *
 * A peer that is not trusted cannot make the reader hold more than struct http_response and the
 * body that its writer has room for.  What is refused, although RFC 9112 lets a client be lenient:
 * lines that end with LF alone, folded lines, a second Content-Length unless it says the same, and
 * Content-Length beside Transfer-Encoding. */
#ifndef APPLETS_IPAE_HTTP_H
#define APPLETS_IPAE_HTTP_H

#include "os/buf.h"

enum {
    HTTP_HEADERS_MAX = 8192, /* status line, header and trailer sections, and those of 1xx */
    HTTP_LINE_MAX = 512,     /* kept of a line; what a longer one says must not matter */
    HTTP_CONTENT_TYPE_MAX = 64,
};

struct http_field {
    const char *name, *value;
};

/* What is NULL is left out; host and path are needed. */
struct http_request {
    const char *host; /* with ":port" unless it is the scheme's own */
    const char *path; /* "/gsma/rsp2/asn1" */
    const char *user_agent;
    const char *content_type;
    const char *admin_protocol; /* X-Admin-Protocol (SGP.22 6.2) */
    const struct http_field *more;
    size_t n_more;
    bool close; /* the connection is not needed afterwards */
    struct rd body;
};

/* Writes a POST.  0; ERR_INPUT when a name or value cannot stand in a header, so that no
 * configured address brings lines of its own; ERR_NOMEM. */
int http_put_request(struct wr *out, const struct http_request *r);

enum http_state {
    HTTP_STATUS_LINE,
    HTTP_HEADERS,
    HTTP_BODY,
    HTTP_BODY_TO_END, /* as long as the connection lasts */
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK,
    HTTP_CHUNK_END,
    HTTP_TRAILERS,
    HTTP_DONE,
    HTTP_REFUSED,
};

struct http_response {
    /* Once HTTP_DONE, some of it before: */
    enum http_state state;
    unsigned status;                              /* 200 to 599 */
    bool keep_alive;                              /* another request may follow on the connection */
    uint32_t retry_after;                         /* seconds; 0: not said, or said as a date */
    char content_type[HTTP_CONTENT_TYPE_MAX + 1]; /* without parameters, in small letters */
    const char *reason; /* HTTP_REFUSED: why, in words, with its clause; else NULL */

    /* The reader's own. */
    struct wr *body;
    size_t headers; /* octets of lines so far */
    size_t left;    /* of the body or the chunk */
    char line[HTTP_LINE_MAX + 1];
    size_t line_n;                 /* of the line so far; beyond HTTP_LINE_MAX it is not kept */
    bool cr;                       /* the last octet was CR */
    bool has_length, chunked, old; /* old: HTTP/1.0 */
    bool close_said, keep_said;
};

/* A response is awaited; its body goes behind what body holds, up to body's bound.  body stays the
 * caller's and lives as long as the response. */
void http_response_init(struct http_response *h, struct wr *body);

/* Takes what belongs to the response off the front of in, and leaves what comes after it.
 * 0: look at state.  ERR_INPUT: refused, see reason.  ERR_NOMEM: the body is longer than its
 * bound, see reason. */
int http_feed(struct http_response *h, struct rd *in);

/* The peer closed the connection (with TLS: properly, by close_notify; else anybody may have cut
 * the body).  0 when the response is whole, ERR_INPUT with a reason when it is not. */
int http_end(struct http_response *h);

#endif
