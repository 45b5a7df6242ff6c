/* ready.c - the line that says where a server listens. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lab/ready.h"
#include "os/err.h"

enum { PATH_LEN = 4096 };

static int tell(FILE *f, const char *line, const char *name, struct lab_error *e)
{
    if (f == NULL)
        return lab_fail(e, "%s: %s", name, strerror(errno));
    bool put = fputs(line, f) >= 0;
    return fclose(f) == 0 && put ? 0 : lab_fail(e, "%s: %s", name, strerror(errno));
}

/* Beside it first: a script that waits for the file must not find it empty. */
static int tell_file(const char *file, const char *line, struct lab_error *e)
{
    char beside[PATH_LEN];

    if (snprintf(beside, sizeof beside, "%s.new", file) >= (int)sizeof beside)
        return lab_fail(e, "--ready-file: the name is too long");
    TRY(tell(fopen(beside, "w"), line, beside, e));
    return rename(beside, file) == 0 ? 0 : lab_fail(e, "%s: %s", file, strerror(errno));
}

int ready_tell(const struct ready *who, const char *line, struct lab_error *e)
{
    if (who->fd != READY_NO_FD)
        TRY(tell(fdopen(who->fd, "w"), line, "--ready-fd", e));
    if (who->file != NULL)
        TRY(tell_file(who->file, line, e));
    /* Last, because who reads it takes the others as done. */
    return fputs(line, stdout) >= 0 && fflush(stdout) == 0
               ? 0
               : lab_fail(e, "standard output: %s", strerror(errno));
}
