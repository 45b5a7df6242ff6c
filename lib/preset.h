/* preset.h - cards as the test specifications and tools expect them: a table of names, each with
 * its settings, profiles and eIMs. */
#ifndef LIB_PRESET_H
#define LIB_PRESET_H

#include "certs/embedded.h"
#include "lib/softeuicc.h"
#include "os/crypto.h"

/* Our own profile packages, compiled in; ends with a row without a name. */
extern const struct embedded_file embedded_profiles[];

/* An order with its preset written out. */
struct preset_order {
    struct softeuicc_new how; /* without a preset; points into what follows and into the order */
    struct softeuicc_setting *settings;
    struct softeuicc_bytes *profiles;
    const char **words;
    char *first_words; /* behind words[0], where the order has words for it; else NULL */
    struct softeuicc_bytes *eims;
    struct wr eim; /* what eims' first points to, where the preset has one */
};

/* The preset's part comes first, so that the order's own settings win and its profiles and eIMs are
 * added.  0; ERR_INPUT with a line in error; another fault.  preset_done() frees in any case. */
int preset_write_out(const struct softeuicc_new *how, struct crypto *c, struct preset_order *ret,
                     char error[SOFTEUICC_ERROR_LEN]);
void preset_done(struct preset_order *o);

/* The n-th, from 0: its name and one line of meaning; false behind the last. */
bool preset_at(size_t n, struct softeuicc_preset_info *ret);

#endif
