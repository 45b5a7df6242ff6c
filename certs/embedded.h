/* embedded.h - the committed test PKI as a table; certs/embed.py writes the C file at build time.
 */
#ifndef CERTS_EMBEDDED_H
#define CERTS_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* as in pki.h */
    const unsigned char *octets;
    size_t n;
};

/* Ends with a row without a name. */
extern const struct embedded_file embedded_files[];

#endif
