/* trace.h - one stream of events that tells what the card did and why.
 *
 * The sink is the user's (lib/softeuicc.h); without one nothing is formatted.  Every refusal names
 * the check and its clause, as in
 *   AuthenticateServer: invalidSignature(2): serverSignature1 does not verify (SGP.22 5.7.13)
 * Keys are never passed to it; what secrets the octets of APDUs hold, such as PINs, the library
 * blots out before they reach the user (lib/secrets.h). */
#ifndef OS_TRACE_H
#define OS_TRACE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum trace_event {
    TRACE_COMMAND,  /* bytes: a command APDU as received */
    TRACE_RESPONSE, /* bytes: the response APDU */
    TRACE_CHECK,    /* a check that failed, and its clause */
    TRACE_FAULT,    /* a fault, where it arose */
    TRACE_NOTE,     /* anything else worth a line: power, profile states */
    TRACE_RULE,     /* a fault that was asked for (lib/fault.h): set, or at work */
    TRACE_COMMIT,   /* what was written has become permanent */
    TRACE_REQUEST,  /* text: an ES10 function; bytes: its whole request */
    TRACE_ANSWER,   /* the same, and its whole answer */
    TRACE_CAT,      /* text: a proactive command; bytes: as it is fetched */
    TRACE_TLS,      /* a connection that ends in the card: version, suite, peer; alert and why */
};

typedef void trace_fn(void *ctx, enum trace_event event, const char *text, const uint8_t *bytes,
                      size_t n);

struct trace {
    trace_fn *fn; /* NULL: nobody listens */
    void *ctx;
};

#if defined(__GNUC__)
#define TRACE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define TRACE_PRINTF(fmt, args)
#endif

void trace_bytes(const struct trace *t, enum trace_event event, const uint8_t *bytes, size_t n);
/* The octets of something that has a name. */
void trace_named(const struct trace *t, enum trace_event event, const char *name,
                 const uint8_t *bytes, size_t n);
void trace_check(const struct trace *t, const char *fmt, ...) TRACE_PRINTF(2, 3);
void trace_note(const struct trace *t, const char *fmt, ...) TRACE_PRINTF(2, 3);
void trace_rule(const struct trace *t, const char *fmt, ...) TRACE_PRINTF(2, 3);
void trace_commit(const struct trace *t, const char *fmt, ...) TRACE_PRINTF(2, 3);
void trace_tls(const struct trace *t, const char *fmt, ...) TRACE_PRINTF(2, 3);

/* Says where a fault arose and returns err, so that the origin reads
 *   return FAULT(trace, ERR_NVM, "sqlite: %s", reason); */
int trace_fault(const struct trace *t, int err, const char *file, int line, const char *fmt, ...)
    TRACE_PRINTF(5, 6);
#define FAULT(trace, err, ...) trace_fault((trace), (err), __FILE__, __LINE__, __VA_ARGS__)

#endif
