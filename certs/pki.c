/* pki.c - reading a PKI, from a directory or from the table that is compiled in.
 *
 * State: struct pki, a path and the last reason. */
#include "certs/pki.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "certs/embedded.h"
#include "os/err.h"

enum { MAX_REASON = 512 };

struct pki {
    char *dir;    /* NULL: compiled in */
    char *reason; /* of MAX_REASON octets; apart, because reading leaves the rest alone */
};

int pki_open(const char *dir, struct pki **ret)
{
    struct stat st;

    if (dir != NULL && stat(dir, &st) != 0)
        return ERR_INPUT;
    if (dir != NULL && !S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return ERR_INPUT;
    }
    struct pki *pki = calloc(1, sizeof *pki);
    if (pki == NULL)
        return ERR_NOMEM;
    pki->reason = calloc(1, MAX_REASON);
    pki->dir = dir != NULL ? strdup(dir) : NULL;
    if (pki->reason == NULL || (dir != NULL && pki->dir == NULL)) {
        pki_close(&pki);
        return ERR_NOMEM;
    }
    *ret = pki;
    return 0;
}

void pki_close(struct pki **pki)
{
    if (*pki == NULL)
        return;
    free((*pki)->dir);
    free((*pki)->reason);
    free(*pki);
    *pki = NULL;
}

const char *pki_reason(const struct pki *pki)
{
    return pki->reason;
}

static const struct embedded_file *embedded(const char *name)
{
    for (const struct embedded_file *f = embedded_files; f->name != NULL; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static FILE *open_file(const struct pki *pki, const char *name)
{
    size_t n = strlen(pki->dir) + strlen(name) + sizeof "/";
    char *path = malloc(n);

    if (path == NULL)
        return NULL;
    snprintf(path, n, "%s/%s", pki->dir, name);
    FILE *f = fopen(path, "rb");
    free(path);
    return f;
}

static int read_file(const struct pki *pki, const char *name, struct wr *ret)
{
    uint8_t octets[1024];
    size_t total = 0, n;

    FILE *f = open_file(pki, name);
    if (f == NULL) {
        snprintf(pki->reason, MAX_REASON, "%s/%s: %s", pki->dir, name, strerror(errno));
        return ERR_INPUT;
    }
    while ((n = fread(octets, 1, sizeof octets, f)) > 0 && (total += n) <= PKI_MAX_FILE)
        wr_put(ret, octets, n);
    bool damaged = ferror(f);
    if (damaged)
        snprintf(pki->reason, MAX_REASON, "%s/%s: %s", pki->dir, name, strerror(errno));
    else if (total > PKI_MAX_FILE)
        snprintf(pki->reason, MAX_REASON, "%s/%s: more than %d octets", pki->dir, name,
                 PKI_MAX_FILE);
    fclose(f);
    crypto_wipe(octets, sizeof octets);
    return damaged || total > PKI_MAX_FILE ? ERR_INPUT : wr_failed(ret);
}

int pki_read(const struct pki *pki, const char *name, struct wr *ret)
{
    const size_t before = ret->n;
    const bool failed_before = ret->failed;
    int result;

    if (pki->dir != NULL) {
        result = read_file(pki, name, ret);
    } else {
        const struct embedded_file *f = embedded(name);
        if (f == NULL) {
            snprintf(pki->reason, MAX_REASON, "%s: not in the built-in test PKI", name);
            return ERR_INPUT;
        }
        wr_put(ret, f->octets, f->n);
        result = wr_failed(ret);
    }
    if (result == ERR_NOMEM)
        snprintf(pki->reason, MAX_REASON, "%s: no room to read it", name);
    if (result != 0)
        ret->n = before;
    if (result == ERR_INPUT)
        ret->failed = failed_before;
    return result;
}
