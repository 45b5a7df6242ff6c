/* session.h - the volatile state of one logical channel. */
#ifndef OS_SESSION_H
#define OS_SESSION_H

#include "card/chain.h"
#include "os/applet.h"
#include "os/fs.h"

/* Where a channel stands in the file tree (TS 102 221 8.4).  Node numbers, FS_NONE for none. */
struct file_state {
    uint16_t adf;    /* current application: an ADF, or FS_NONE */
    uint16_t df;     /* current DF: MF, DF or ADF */
    uint16_t ef;     /* current EF */
    uint16_t record; /* record pointer, from 1; 0: undefined */
    uint32_t mount;  /* of struct uicc: the nodes are those of this one */
};

/* A data object of a BER-TLV EF that moves in blocks (TS 102 221 11.3). */
struct transfer {
    enum { TRANSFER_NONE, TRANSFER_OUT, TRANSFER_IN } way;
    uint16_t ef;
    struct wr object; /* going out: all of it; coming in: what came so far */
    size_t done;      /* octets that went out */
};

struct session {
    struct euicc *euicc;
    uint8_t channel;
    struct chain chain;
    unsigned long commands;        /* dispatched on this channel so far */
    const struct applet *selected; /* NULL: the UICC itself, without a server for its ADF */
    void *data;                    /* selected->session_size octets */
    struct file_state files;
    struct transfer transfer;
    bool remote; /* a remote party with full access: every condition holds but NEVER */
};

/* NULL without memory. */
struct session *session_new(struct euicc *e, uint8_t channel);
void session_free(struct session **s);

/* Makes applet (NULL: the MF) the selected one; the FCI, if any, goes to fci.  On refusal or
 * fault the old selection stays. */
int session_select(struct session *s, const struct applet *applet, struct wr *fci);

/* Forgets a data object that did not arrive as a whole. */
void session_end_transfer(struct session *s);

/* The selected applet's block. */
static inline void *session_data(const struct session *s)
{
    return s->data;
}

#endif
