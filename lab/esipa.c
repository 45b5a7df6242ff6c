/* esipa.c - what both ends of ESipa agree on. */
#include "lab/esipa.h"

#include <string.h>

#include "os/err.h"

/* What the SM-DP+ says (SGP.22 5.6) in the codes of ESipa. */
static const struct {
    enum esipa_tag function;
    const char *subject, *reason;
    long code;
} refusals[] = {
    { ESIPA_INITIATE_AUTHENTICATION, "8.8.1", "3.8", 1 },
    { ESIPA_INITIATE_AUTHENTICATION, "8.8.3", "3.1", 2 },
    { ESIPA_INITIATE_AUTHENTICATION, "8.8.2", "3.1", 3 },
    { ESIPA_INITIATE_AUTHENTICATION, "8.8.4", "3.7", 3 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.1.2", "6.1", 1 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.1.2", "6.3", 2 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.1.3", "6.1", 3 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.1.3", "6.3", 4 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.1", "6.1", 5 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.1", "4.8", 11 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.2.6", "3.8", 6 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.1.1", "3.8", 7 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.2.5", "4.3", 8 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.11.1", "3.9", 9 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.10.1", "3.9", 10 },
    { ESIPA_AUTHENTICATE_CLIENT, "8.8.5", "4.10", 18 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "8.1", "6.1", 1 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "8.2.7", "2.2", 2 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "8.2.7", "3.8", 3 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "8.2.7", "6.4", 4 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "8.2", "3.7", 5 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "8.8.5", "4.10", 6 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "8.10.1", "3.9", 95 },
    { ESIPA_CANCEL_SESSION, "8.10.1", "3.9", 1 },
    { ESIPA_CANCEL_SESSION, "8.1", "6.1", 2 },
};

bool esipa_refusal_code(uint32_t function, const char *subject, const char *reason, long *ret)
{
    for (size_t i = 0; i < N_ELEMS(refusals); i++) {
        if (refusals[i].function == function && strcmp(refusals[i].subject, subject) == 0 &&
            strcmp(refusals[i].reason, reason) == 0) {
            *ret = refusals[i].code;
            return true;
        }
    }
    return false;
}

bool esipa_refusal_words(uint32_t function, long code, const char **ret_subject,
                         const char **ret_reason)
{
    for (size_t i = 0; i < N_ELEMS(refusals); i++) {
        if (refusals[i].function == function && refusals[i].code == code) {
            *ret_subject = refusals[i].subject;
            *ret_reason = refusals[i].reason;
            return true;
        }
    }
    return false;
}
