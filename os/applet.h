/* applet.h - what an application is to the operating system, and the table rows that describe its
 * commands. */
#ifndef OS_APPLET_H
#define OS_APPLET_H

#include "card/apdu.h"
#include "card/sw.h"
#include "os/buf.h"
#include "os/err.h"

struct euicc;
struct session;

/* What a command APDU must look like before its handler sees it. */
enum {
    NEEDS_DATA = 1 << 0, /* Lc present, else 6700 */
    NO_DATA = 1 << 1,    /* Lc absent, else 6700 */
    WITH_LE = 1 << 2,    /* always answers data: without Le 6Cxx, and nothing parked */
    EITHER_CLA = 1 << 3, /* interindustry and proprietary class alike */
};

/* A handler returns 0 (9000), a status word chosen on purpose, or a fault.  It writes its answer
 * to rsp; what it stored is committed by the dispatcher when the status word says so. */
typedef int command_fn(struct session *s, const struct apdu *a, struct wr *rsp);

struct command {
    bool proprietary; /* class 8x rather than 0x */
    uint8_t ins;
    unsigned needs;
    const char *name;
    command_fn *run;
    const char *spec;
};

enum { AID_MAX_LEN = 16 };

enum { ENVELOPE_NOT_MINE = -100 };

enum { WRAP_MAX = 32 };

struct applet {
    const char *name;
    uint8_t aid[AID_MAX_LEN];
    uint8_t aid_len;
    bool serves_adfs; /* aid is how the AIDs of the ADFs begin that this applet serves */
    const struct command *commands;
    size_t n_commands;
    size_t state_size;   /* one block a power cycle, zeroed, for euicc_state() */
    size_t session_size; /* one block a selection on a channel, zeroed, for session_data() */

    /* All optional. */
    int (*start)(struct euicc *e); /* at power-on and reset; what it stores is committed */
    void (*stop)(struct euicc *e); /* releases what the state block points to */
    /* Before the old selection ends: 0, or a status word that refuses. */
    int (*select)(struct session *s, struct wr *fci);
    void (*deselect)(struct session *s);    /* releases what the session block points to */
    void (*not_committed)(struct euicc *e); /* its last command did not reach the storage */
    /* SELECT: is this, which no applet and no ADF begins with, the AID of an application of the
     * enabled profile that it serves?  select() follows. */
    int (*claims_aid)(struct session *s, struct rd aid, bool *ret_claimed);
    /* Secure messaging.  unwrap: a command of a secured class, without which such classes are
     * refused; takes a's data out of it, into memory that lives until the command ended.  0, a
     * status word that refuses, or a fault.  wrap: the answer to such a command, when it is not an
     * error; appends WRAP_MAX octets at most.  0 or a fault. */
    int (*unwrap)(struct session *s, struct apdu *a);
    int (*wrap)(struct session *s, uint16_t sw, struct wr *rsp);
    /* The storage that profiles share, of which one applet keeps account: octets that are free, and
     * that the files of the mounted profile are so many more or, below 0, fewer.  What it stores
     * is committed with them.  0, ERR_SPACE or another fault. */
    int (*free_room)(struct euicc *e, uint64_t *ret);
    int (*take_room)(struct euicc *e, int64_t octets);
    /* ENVELOPE: ENVELOPE_NOT_MINE when it is for somebody else. */
    int (*envelope)(struct session *s, struct rd data, struct wr *rsp);
};

#endif
