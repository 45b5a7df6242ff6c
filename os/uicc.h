/* uicc.h - the commands that the UICC itself answers, whatever is selected (TS 102 221). */
#ifndef OS_UICC_H
#define OS_UICC_H

#include "os/access.h"
#include "os/applet.h"
#include "os/fs.h"
#include "os/pin.h"

/* The UICC that the enabled profile makes: its tree and what is verified. */
struct uicc {
    struct fs fs; /* n == 0: no profile, or one without files */
    struct pin_status pins;
    uint16_t mounted; /* XXXX of the profile; 0: none */
    uint16_t wanted;  /* after this command, if it is committed */
    uint32_t mount;   /* counts: a session that stood in an earlier tree is at the MF again */
    bool changed;     /* the tree in memory is ahead of the storage, until the commit */
};

/* --- suspension ------------------------------------------------------------------------ */

enum { INS_SUSPEND_UICC = 0x76 };

/* Before a command: one that is not about suspension ends it. */
void uicc_forget_suspension(struct euicc *e, uint8_t ins);
/* At power-on: a suspension that was asked for right before may be resumed. */
void uicc_power_returns(struct euicc *e);

/* --- mounting -------------------------------------------------------------------------- */

/* Makes another profile's files the card's, at the end of the command that runs: sessions lose
 * what they had selected of the old one, PIN states go (SGP.22 3.2.1). */
void uicc_want(struct euicc *e, uint16_t profile);
/* Does it, when something else is wanted than mounted.  0, or a fault with nothing mounted. */
int uicc_mount(struct euicc *e);
void uicc_unmount(struct euicc *e);
/* The dispatcher's word that a command is over, and whether its changes reached the storage. */
void uicc_settle(struct euicc *e, bool committed);

/* --- sessions -------------------------------------------------------------------------- */

/* Before a command: a session that stood in a tree which is mounted no more goes to the MF. */
void uicc_follow(struct session *s);
/* Moves to a node: its application, its DF and, for an EF, the EF become current.  anew: the
 * application begins again even if it is the current one.  0, or what its applet says. */
int uicc_go(struct session *s, uint16_t node, bool anew);
/* No application any more, at the MF. */
void uicc_go_home(struct session *s);
/* Selects an application that has no files, such as the ISD-R; NULL: none. */
int uicc_go_to_applet(struct session *s, const struct applet *applet, struct wr *fci);
/* A file that is not shareable is current on one channel at a time (TS 102 221 8.7): is it on
 * another one? */
bool uicc_is_taken(const struct session *s, uint16_t node);
/* A new session goes where another one stands, without its EF.  0, what its applet says, or
 * SW_CONDITIONS_OF_USE where one channel only can be. */
int uicc_go_along(struct session *s, const struct session *with);

/* --- for the handlers ------------------------------------------------------------------ */

static inline bool uicc_has_files(const struct uicc *u)
{
    return u->fs.n > 0;
}
bool uicc_is_deactivated(const struct fs_node *n);
bool uicc_is_terminated(const struct fs_node *n);
/* 0, or SW_CONDITIONS_OF_USE for a file that is terminated or lies in something that is
 * (TS 102 222 6.7 to 6.9). */
int uicc_check_end(const struct session *s, const struct apdu *a, uint16_t node);

/* Traces why a command, the selected applet's or the UICC's, is refused; returns sw. */
int uicc_refuse(const struct session *s, const struct apdu *a, int sw, const char *why);

/* Who this session is to access rules. */
struct access_context uicc_access(const struct session *s);
/* May this session do that with that node?  0, SW_SECURITY_STATUS or a fault. */
int uicc_may(struct session *s, uint16_t node, unsigned mode);

/* The EF that a command is for, if the command may run: it exists, is of the right kind, grants
 * access, and its life cycle allows it.  0, a status word or a fault. */
struct uicc_wanted {
    uint8_t sfi;    /* 0: the current EF */
    unsigned kinds; /* bit k: enum fs_kind k */
    unsigned mode;  /* enum access_mode */
};
int uicc_target(struct session *s, const struct apdu *a, const struct uicc_wanted *w,
                uint16_t *ret);

/* Would the data objects of a BER-TLV EF be whole in one of this size?  0, SW_NOT_ENOUGH_MEMORY or
 * a fault. */
int uicc_check_objects(struct session *s, const struct apdu *a, uint16_t ef, uint32_t size);

/* What P1 and data of SELECT and of commands that take its addresses name. */
int uicc_find_file(const struct session *s, const struct apdu *a, uint16_t *ret);

/* The FCP template of a node (TS 102 221 11.1.1.3); without a profile the node is the MF. */
int uicc_put_fcp(struct session *s, uint16_t node, struct wr *ret);
/* The FCP template of CREATE FILE (TS 102 222 6.3): 0, or ERR_INPUT.  *ret_fill points into
 * fcp: what the contents are filled with. */
int uicc_parse_fcp(struct rd fcp, struct fs_node *ret, struct fs_fill *ret_fill);
/* That of RESIZE FILE (TS 102 222 6.10). */
int uicc_parse_resize(struct rd fcp, uint16_t *ret_fid, uint32_t *ret_size,
                      struct fs_fill *ret_fill);

/* Octets that may still be given to files. */
int uicc_free_room(struct euicc *e, uint64_t *ret);
/* After the tree changed, which took so many octets before: accounts for the difference. */
int uicc_account(struct euicc *e, uint64_t before);

/* Handlers of the table, by file: uicc_select.c, uicc_data.c, uicc_ber_tlv.c, uicc_admin.c,
 * uicc_pin.c, uicc.c. */
command_fn uicc_select, uicc_status, uicc_read_binary, uicc_update_binary, uicc_read_record,
    uicc_update_record, uicc_search_record, uicc_increase, uicc_retrieve_data, uicc_set_data,
    uicc_create_file, uicc_delete_file, uicc_resize_file, uicc_activate_file, uicc_deactivate_file,
    uicc_terminate_ef, uicc_terminate_df, uicc_terminate_card_usage, uicc_verify, uicc_change_pin,
    uicc_disable_pin, uicc_enable_pin, uicc_unblock_pin, uicc_get_challenge, uicc_suspend,
    uicc_envelope;

extern const struct command uicc_commands[];
extern const size_t uicc_n_commands;

#endif
