/* trace.c - the event stream. */
#include "os/trace.h"

#include <stdio.h>

#include "os/err.h"

enum { LINE_MAX_CHARS = 512 };

static void say(const struct trace *t, enum trace_event event, const char *fmt, va_list ap)
{
    char line[LINE_MAX_CHARS];

    vsnprintf(line, sizeof line, fmt, ap);
    t->fn(t->ctx, event, line, NULL, 0);
}

void trace_bytes(const struct trace *t, enum trace_event event, const uint8_t *bytes, size_t n)
{
    trace_named(t, event, "", bytes, n);
}

void trace_named(const struct trace *t, enum trace_event event, const char *name,
                 const uint8_t *bytes, size_t n)
{
    if (t->fn != NULL)
        t->fn(t->ctx, event, name, bytes, n);
}

void trace_check(const struct trace *t, const char *fmt, ...)
{
    if (t->fn == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    say(t, TRACE_CHECK, fmt, ap);
    va_end(ap);
}

void trace_note(const struct trace *t, const char *fmt, ...)
{
    if (t->fn == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    say(t, TRACE_NOTE, fmt, ap);
    va_end(ap);
}

void trace_rule(const struct trace *t, const char *fmt, ...)
{
    if (t->fn == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    say(t, TRACE_RULE, fmt, ap);
    va_end(ap);
}

void trace_commit(const struct trace *t, const char *fmt, ...)
{
    if (t == NULL || t->fn == NULL) /* a storage may be traced by nobody */
        return;
    va_list ap;
    va_start(ap, fmt);
    say(t, TRACE_COMMIT, fmt, ap);
    va_end(ap);
}

void trace_tls(const struct trace *t, const char *fmt, ...)
{
    if (t->fn == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    say(t, TRACE_TLS, fmt, ap);
    va_end(ap);
}

int trace_fault(const struct trace *t, int err, const char *file, int line, const char *fmt, ...)
{
    if (t == NULL || t->fn == NULL)
        return err;
    char what[LINE_MAX_CHARS], said[2 * LINE_MAX_CHARS];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    snprintf(said, sizeof said, "%s at %s:%d: %s", err_name(err), file, line, what);
    t->fn(t->ctx, TRACE_FAULT, said, NULL, 0);
    return err;
}
