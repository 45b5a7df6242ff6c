/* http.c - the client's side of HTTP/1.1 as octets (RFC 9110, RFC 9112).
 *
 * The reader goes octet by octet through lines, and by pieces through bodies.  A line is kept up to
 * HTTP_LINE_MAX; only five header fields matter here, and none of these needs more. */
#include "applets/ipae/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "os/err.h"
#include "os/hex.h"

/* --- request ---------------------------------------------------------------------------------- */

/* RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(const char *s)
{
    const char *at = s;

    while (is_token_char(*at))
        at++;
    return at != s && *at == '\0';
}

/* Printable ASCII, and blanks if they may be. */
static bool is_printable(const char *s, bool blanks)
{
    for (; *s != '\0'; s++)
        if (*s < (blanks ? ' ' : '!') || *s > '~')
            return false;
    return true;
}

static void put(struct wr *out, const char *s)
{
    wr_put_rd(out, rd_str(s));
}

static int put_field(struct wr *out, const char *name, const char *value)
{
    if (value == NULL)
        return 0;
    if (!is_token(name) || !is_printable(value, true))
        return ERR_INPUT;
    put(out, name);
    put(out, ": ");
    put(out, value);
    put(out, "\r\n");
    return 0;
}

int http_put_request(struct wr *out, const struct http_request *r)
{
    char length[24];

    if (r->host == NULL || r->host[0] == '\0' || !is_printable(r->host, false) || r->path == NULL ||
        r->path[0] != '/' || !is_printable(r->path, false))
        return ERR_INPUT;
    put(out, "POST ");
    put(out, r->path);
    put(out, " HTTP/1.1\r\n");
    TRY(put_field(out, "Host", r->host));
    TRY(put_field(out, "User-Agent", r->user_agent));
    TRY(put_field(out, "Content-Type", r->content_type));
    TRY(put_field(out, "X-Admin-Protocol", r->admin_protocol));
    snprintf(length, sizeof length, "%zu", r->body.n);
    TRY(put_field(out, "Content-Length", length));
    TRY(put_field(out, "Connection", r->close ? "close" : NULL));
    for (size_t i = 0; i < r->n_more; i++)
        TRY(put_field(out, r->more[i].name, r->more[i].value));
    put(out, "\r\n");
    wr_put_rd(out, r->body);
    return wr_failed(out);
}

/* --- refusing --------------------------------------------------------------------------------- */

static int refuse(struct http_response *h, const char *reason)
{
    h->state = HTTP_REFUSED;
    h->reason = reason;
    return ERR_INPUT;
}

static int refuse_size(struct http_response *h)
{
    h->state = HTTP_REFUSED;
    h->reason = "the body is longer than there is room for";
    return ERR_NOMEM;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void next_line(struct http_response *h, enum http_state state)
{
    h->state = state;
    h->line_n = 0;
    h->cr = false;
}

/* One octet of a line; *ret_whole once its CR LF is here (RFC 9112 2.2).  Octets beyond ASCII may
 * be in a value (obs-text), controls other than HTAB may not (RFC 9110 5.5). */
static int take_line_octet(struct http_response *h, uint8_t c, bool *ret_whole)
{
    *ret_whole = false;
    if (++h->headers > HTTP_HEADERS_MAX)
        return refuse(h, "the lines of the response are too long together");
    if (h->cr && c != '\n')
        return refuse(h, "CR without LF (RFC 9112 2.2)");
    if (h->cr) {
        h->line[h->line_n < HTTP_LINE_MAX ? h->line_n : HTTP_LINE_MAX] = '\0';
        *ret_whole = true;
        return 0;
    }
    if (c == '\r') {
        h->cr = true;
        return 0;
    }
    if (c == '\n')
        return refuse(h, "LF without CR (RFC 9112 2.2)");
    if ((c < ' ' && c != '\t') || c == 0x7F)
        return refuse(h, "a control character in a line (RFC 9110 5.5)");
    if (h->line_n < HTTP_LINE_MAX)
        h->line[h->line_n] = (char)c;
    h->line_n++;
    return 0;
}

static bool line_was_cut(const struct http_response *h)
{
    return h->line_n > HTTP_LINE_MAX;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK" (RFC 9112 4); some peers leave the last blank out with an empty phrase. */
static int take_status_line(struct http_response *h)
{
    const char *s = h->line;

    if (strncmp(s, "HTTP/1.", 7) != 0 || !is_digit(s[7]) || s[8] != ' ')
        return refuse(h, "not a status line of HTTP/1.1 (RFC 9112 4)");
    if (!is_digit(s[9]) || !is_digit(s[10]) || !is_digit(s[11]) || (s[12] != ' ' && s[12] != '\0'))
        return refuse(h, "not a status code (RFC 9112 4)");
    h->old = s[7] == '0';
    h->status = (unsigned)(100 * (s[9] - '0') + 10 * (s[10] - '0') + (s[11] - '0'));
    if (h->status < 100 || h->status > 599)
        return refuse(h, "a status code of no class (RFC 9110 15)");
    if (h->status == 101)
        return refuse(h, "another protocol, which nobody asked for (RFC 9110 15.2.2)");
    next_line(h, HTTP_HEADERS);
    return 0;
}

/* --- header fields ---------------------------------------------------------------------------- */

/* 1*DIGIT and nothing else; false also when it does not fit. */
static bool read_number(const char *s, size_t *ret)
{
    size_t n = 0;

    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        size_t digit = (size_t)(*s - '0');
        if (!is_digit(*s) || n > (SIZE_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

/* RFC 9112 6.3: one number, or the same one again. */
static int take_content_length(struct http_response *h, const char *value)
{
    size_t n;

    if (!read_number(value, &n))
        return refuse(h, "Content-Length is no number (RFC 9110 8.6)");
    if (h->has_length && h->left != n)
        return refuse(h, "two different Content-Lengths (RFC 9112 6.3)");
    h->has_length = true;
    h->left = n;
    return 0;
}

static int take_transfer_encoding(struct http_response *h, const char *value)
{
    if (strcasecmp(value, "chunked") != 0 || h->chunked)
        return refuse(h, "a transfer coding other than chunked (RFC 9112 7)");
    if (h->old)
        return refuse(h, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)");
    h->chunked = true;
    return 0;
}

/* A list of options (RFC 9110 7.6.1). */
static int take_connection(struct http_response *h, const char *value)
{
    for (const char *at = value; *at != '\0';) {
        at += strspn(at, ", \t");
        size_t n = strcspn(at, ", \t");
        h->close_said = h->close_said || (n == 5 && strncasecmp(at, "close", n) == 0);
        h->keep_said = h->keep_said || (n == 10 && strncasecmp(at, "keep-alive", n) == 0);
        at += n;
    }
    return 0;
}

/* Seconds; a date means nothing to who has no clock (RFC 9110 10.2.3). */
static int take_retry_after(struct http_response *h, const char *value)
{
    size_t seconds;

    if (read_number(value, &seconds))
        h->retry_after = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
    return 0;
}

static int take_content_type(struct http_response *h, const char *value)
{
    size_t n = strcspn(value, "; \t");

    if (n > HTTP_CONTENT_TYPE_MAX)
        return refuse(h, "Content-Type is too long");
    for (size_t i = 0; i < n; i++) {
        char c = value[i];
        h->content_type[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    h->content_type[n] = '\0';
    return 0;
}

/* Their order is that of nothing; what else may come is passed over. */
static const struct field_row {
    const char *name;
    int (*take)(struct http_response *h, const char *value);
} field_rows[] = {
    { "Content-Length", take_content_length }, { "Transfer-Encoding", take_transfer_encoding },
    { "Connection", take_connection },         { "Retry-After", take_retry_after },
    { "Content-Type", take_content_type },
};

static const struct field_row *find_field(const char *name, size_t n)
{
    for (size_t i = 0; i < N_ELEMS(field_rows); i++)
        if (strlen(field_rows[i].name) == n && strncasecmp(field_rows[i].name, name, n) == 0)
            return &field_rows[i];
    return NULL;
}

/* The length of the field's name in front of its colon, 0 when this is no field (RFC 9112 5). */
static size_t name_length(const char *line)
{
    size_t n = 0;

    while (is_token_char(line[n]))
        n++;
    return line[n] == ':' ? n : 0;
}

static int take_field(struct http_response *h)
{
    if (h->line[0] == ' ' || h->line[0] == '\t')
        return refuse(h, "a folded line (RFC 9112 5.2)");
    size_t n = name_length(h->line);
    if (n == 0)
        return refuse(h, "not a header field (RFC 9112 5)");
    const struct field_row *row = h->state == HTTP_HEADERS ? find_field(h->line, n) : NULL;
    if (row != NULL) { /* fields of a trailer section say nothing about framing (RFC 9110 6.5.1) */
        if (line_was_cut(h))
            return refuse(h, "a header field that matters is too long");
        char *value = h->line + n + 1;
        value += strspn(value, " \t");
        size_t len = strlen(value);
        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
            len--;
        value[len] = '\0';
        TRY(row->take(h, value));
    }
    next_line(h, h->state);
    return 0;
}

/* --- bodies ----------------------------------------------------------------------------------- */

/* An interim response is over, the one that counts is still to come (RFC 9110 15.2).  What lines
 * may take together stays as it is: there is no end of them without a bound. */
static void forget_interim(struct http_response *h)
{
    struct wr *body = h->body;
    size_t headers = h->headers;

    http_response_init(h, body);
    h->headers = headers;
}

static bool fits(const struct http_response *h, size_t n)
{
    return n <= h->body->max - h->body->n;
}

/* The header section is over: how long is the body?  (RFC 9112 6.3) */
static int begin_body(struct http_response *h)
{
    if (h->has_length && h->chunked)
        return refuse(h, "Content-Length beside Transfer-Encoding (RFC 9112 6.3)");
    if (h->status < 200) {
        forget_interim(h);
        return 0;
    }
    h->keep_alive = !h->close_said && (!h->old || h->keep_said);
    if (h->status == 204 || h->status == 304) {
        h->state = HTTP_DONE;
    } else if (h->chunked) {
        next_line(h, HTTP_CHUNK_SIZE);
    } else if (!h->has_length) {
        h->keep_alive = false;
        h->state = HTTP_BODY_TO_END;
    } else if (!fits(h, h->left)) {
        return refuse_size(h);
    } else {
        h->state = h->left == 0 ? HTTP_DONE : HTTP_BODY;
    }
    return 0;
}

/* 1*HEXDIG and perhaps extensions, which are passed over (RFC 9112 7.1). */
static int take_chunk_size(struct http_response *h)
{
    const char *s = h->line;
    size_t n = 0;

    if (line_was_cut(h))
        return refuse(h, "the extensions of a chunk are too long (RFC 9112 7.1.1)");
    if (hex_digit(*s) < 0)
        return refuse(h, "a chunk without a size (RFC 9112 7.1)");
    for (; hex_digit(*s) >= 0; s++) {
        if (n > SIZE_MAX >> 4)
            return refuse(h, "the size of a chunk is too large (RFC 9112 7.1)");
        n = n << 4 | (size_t)hex_digit(*s);
    }
    s += strspn(s, " \t");
    if (*s != '\0' && *s != ';')
        return refuse(h, "a chunk whose size is no number (RFC 9112 7.1)");
    if (!fits(h, n))
        return refuse_size(h);
    h->headers -= h->line_n + 2; /* a chunk is bounded by its body, of which it has one octet */
    h->left = n;
    next_line(h, n == 0 ? HTTP_TRAILERS : HTTP_CHUNK);
    return 0;
}

static int take_chunk_end(struct http_response *h)
{
    if (h->line_n != 0)
        return refuse(h, "a chunk is longer than its size (RFC 9112 7.1)");
    h->headers -= 2;
    next_line(h, HTTP_CHUNK_SIZE);
    return 0;
}

static int take_line(struct http_response *h)
{
    switch (h->state) {
    case HTTP_STATUS_LINE:
        return take_status_line(h);
    case HTTP_HEADERS:
        return h->line_n == 0 ? begin_body(h) : take_field(h);
    case HTTP_CHUNK_SIZE:
        return take_chunk_size(h);
    case HTTP_CHUNK_END:
        return take_chunk_end(h);
    case HTTP_TRAILERS:
        if (h->line_n != 0)
            return take_field(h);
        h->state = HTTP_DONE;
        return 0;
    default:
        return ERR_BUG;
    }
}

static int take_body(struct http_response *h, struct rd *in)
{
    bool to_end = h->state == HTTP_BODY_TO_END;
    struct rd piece;

    TRY(rd_take(in, to_end || in->n < h->left ? in->n : h->left, &piece));
    wr_put_rd(h->body, piece);
    if (wr_failed(h->body) != 0)
        return refuse_size(h);
    if (to_end)
        return 0;
    h->left -= piece.n;
    if (h->left == 0 && h->state == HTTP_CHUNK)
        next_line(h, HTTP_CHUNK_END);
    else if (h->left == 0)
        h->state = HTTP_DONE;
    return 0;
}

/* --- response --------------------------------------------------------------------------------- */

void http_response_init(struct http_response *h, struct wr *body)
{
    *h = (struct http_response){ .state = HTTP_STATUS_LINE, .body = body };
}

int http_feed(struct http_response *h, struct rd *in)
{
    struct rd octet;
    bool whole;

    while (h->state != HTTP_REFUSED && h->state != HTTP_DONE && in->n > 0) {
        if (h->state == HTTP_BODY || h->state == HTTP_BODY_TO_END || h->state == HTTP_CHUNK) {
            TRY(take_body(h, in));
            continue;
        }
        TRY(rd_take(in, 1, &octet));
        TRY(take_line_octet(h, octet.p[0], &whole));
        if (whole)
            TRY(take_line(h));
    }
    return h->state == HTTP_REFUSED ? ERR_INPUT : 0;
}

int http_end(struct http_response *h)
{
    if (h->state == HTTP_BODY_TO_END)
        h->state = HTTP_DONE;
    if (h->state == HTTP_REFUSED)
        return ERR_INPUT;
    return h->state == HTTP_DONE ? 0 : refuse(h, "the connection ended within the response");
}
