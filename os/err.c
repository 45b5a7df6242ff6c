/* err.c - names of faults. */
#include "os/err.h"

const char *err_name(int err)
{
    static const char *const names[] = {
        [-ERR_INPUT] = "ERR_INPUT", [-ERR_NVM] = "ERR_NVM", [-ERR_CRYPTO] = "ERR_CRYPTO",
        [-ERR_NOMEM] = "ERR_NOMEM", [-ERR_BUG] = "ERR_BUG", [-ERR_SPACE] = "ERR_SPACE",
    };

    if (err >= 0 || -err >= (int)N_ELEMS(names))
        return "ERR_?";
    return names[-err];
}
