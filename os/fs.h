/* fs.h - the file tree of one profile: MF, DFs, ADFs and EFs (TS 102 221 8, TS 102 222).
 *
 * The tree (struct fs) is small and held in memory; contents stay in the storage and are read when
 * asked for.  NVM, below the profile's prefix "isdp/XXXX/": "tree" holds all nodes, "body/NNNN" the
 * contents of the EF with that node number (docs/STATE.md).
 *
 * A profile is installed by building a tree in memory with fs_add() and fs_body(), and storing it
 * at once with fs_store().  Nothing here checks access rules: os/access.h does.
 *
 * What changes the tree changes it in memory and in the open transaction alike: when that is not
 * committed, the tree is loaded again.  Pointers to nodes live until the next fs_add(). */
#ifndef OS_FS_H
#define OS_FS_H

#include "os/buf.h"
#include "os/nvm.h"

enum {
    FS_MAX_NODES = 1024,
    FS_MAX_DEPTH = 8,
    FS_MAX_EF = 65535, /* octets of one EF's contents */
    FS_MAX_RECORD = 255,
    FS_MAX_RECORDS = 254, /* of one EF (TS 102 221 8.2.2.2) */
    FS_MAX_PINS = 16,     /* key references of a DF's PIN status template */
    FS_AID_MAX = 16,
    FS_NONE = 0xFFFF, /* no node */
    FS_MF = 0,        /* the MF is node 0 */

    FID_MF = 0x3F00,
    FID_CURRENT_ADF = 0x7FFF,
};

enum fs_kind {
    FS_KIND_MF,
    FS_KIND_DF,
    FS_KIND_ADF,
    FS_KIND_TRANSPARENT,
    FS_KIND_LINEAR,
    FS_KIND_CYCLIC,
    FS_KIND_BER_TLV
};

/* Life cycle status, TS 102 221 11.1.1.4.9. */
enum fs_life_cycle {
    FS_LCS_CREATION = 0x01,
    FS_LCS_INITIALISATION = 0x03,
    FS_LCS_ACTIVATED = 0x05,
    FS_LCS_DEACTIVATED = 0x04,
    FS_LCS_TERMINATED = 0x0C
};

enum {
    FS_SPECIAL_HIGH_UPDATE = 0x80, /* special file information, C0 within A5 */
    FS_SPECIAL_USABLE_WHEN_DEACTIVATED = 0x40,
};

struct fs_node {
    uint16_t fid;
    uint16_t parent; /* FS_NONE for the MF; ADFs lie below the MF */
    uint16_t body;   /* node whose contents these are: itself, or a link's target */
    enum fs_kind kind;
    uint8_t life_cycle;
    bool shareable;
    uint8_t special;
    uint8_t sfi;             /* 1 to 30; 0: none */
    uint8_t record_len;      /* LINEAR, CYCLIC */
    uint32_t size;           /* octets of contents; BER-TLV: reserved, FF behind the last TLV */
    uint32_t max_size;       /* BER-TLV: 0 for unlimited within the card */
    uint16_t arr_fid;        /* security attributes by reference: EF.ARR ... */
    uint8_t arr_record;      /* ... and its record; 0: none, nothing is allowed */
    uint8_t arr_record_se00; /* in security environment 00 in its place; 0: the same one */
    uint8_t aid[FS_AID_MAX], aid_len;  /* ADF */
    uint8_t pins[FS_MAX_PINS], n_pins; /* MF, DF, ADF: key references */
    bool deleted;                      /* the number is free again */
    uint8_t *staged;                   /* contents before fs_store(); size octets, from malloc */
    bool stored;                       /* contents are in the storage */
};

struct fs {
    struct fs_node *nodes;
    size_t n;
    char prefix[NVM_KEY_MAX]; /* "isdp/0010/" */
};

/* What contents are filled with (TS 102 222 6.3.2.2): a pattern that begins again and again, or
 * whose last octet is repeated to the end; n == 0: FF. */
struct fs_fill {
    struct rd pattern;
    bool repeat;
};
void fs_fill(uint8_t *p, size_t n, const struct fs_fill *fill);

void fs_init(struct fs *fs, uint16_t profile);
void fs_done(struct fs *fs);

/* The stored tree of a profile, in place of what fs holds; an empty one (n == 0) when it has none.
 * ERR_NVM, and empty, when it is damaged. */
int fs_load(struct fs *fs, struct nvm *nvm);
/* Stores the tree and the contents of every EF added, FF where nobody asked for them, within the
 * open transaction. */
int fs_store(struct fs *fs, struct nvm *nvm);
/* Stores the tree alone, after members of nodes changed. */
int fs_store_tree(const struct fs *fs, struct nvm *nvm);

/* Octets that the tree and the contents of all files take in the storage; those of one file. */
uint64_t fs_stored_size(const struct fs *fs);
uint64_t fs_node_size(const struct fs_node *n);

/* --- building and changing --------------------------------------------------------------- */

/* Adds a copy of node (its body is set to itself); the first one is the MF.  FS_NONE in *ret_node
 * and ERR_INPUT when the parent is no DF or has a child of this FID, an ADF is not below the MF, a
 * member is out of its bounds or the depth (FS_MAX_DEPTH nodes with the MF) is exceeded; ERR_SPACE
 * when the tree is full; ERR_NOMEM. */
int fs_add(struct fs *fs, const struct fs_node *node, uint16_t *ret_node);
/* Makes an EF that was just added share the contents of another: kind, size and record length
 * become the target's. */
int fs_link(struct fs *fs, uint16_t node, uint16_t target);
/* Contents to be stored; size octets from malloc, filled with FF when first asked for. */
int fs_body(struct fs *fs, uint16_t node, uint8_t **ret);
/* Deletes a node and, for a DF, everything below and the PINs and keys that are local to it;
 * bodies go with their last user.  Stores the tree.  ERR_INPUT for the MF. */
int fs_delete(struct fs *fs, struct nvm *nvm, uint16_t node);
/* New size; new octets are filled, per record where there are records.  Links follow.  Stores the
 * tree.  ERR_INPUT when records would not be whole, ERR_SPACE beyond FS_MAX_EF. */
int fs_resize(struct fs *fs, struct nvm *nvm, uint16_t node, uint32_t size,
              const struct fs_fill *fill);

/* --- finding ------------------------------------------------------------------------------ */

static inline bool fs_is_df(const struct fs_node *n)
{
    return n->kind <= FS_KIND_ADF;
}
uint16_t fs_child(const struct fs *fs, uint16_t df, uint16_t fid);
uint16_t fs_sfi(const struct fs *fs, uint16_t df, uint8_t sfi);
/* The ADF whose AID begins with aid, behind node `after` in order (FS_NONE: the first). */
uint16_t fs_adf(const struct fs *fs, struct rd aid, uint16_t after);
/* The ADF or MF that a node belongs to. */
uint16_t fs_application(const struct fs *fs, uint16_t node);
/* Node at a path of FIDs, two octets each, from `from`. */
uint16_t fs_path(const struct fs *fs, uint16_t from, struct rd path);
unsigned fs_records(const struct fs_node *n);
/* Are so many octets whole records of this length, and not too many?  0: it has no records. */
bool fs_holds_records(uint8_t record_len, uint32_t size);

/* --- contents ----------------------------------------------------------------------------- */

/* On EFs only; ERR_BUG for any other node.  Those that write do so in the open transaction. */

/* Appends n octets from offset; ERR_INPUT beyond the end. */
int fs_read(const struct fs *fs, struct nvm *nvm, uint16_t node, uint32_t offset, uint32_t n,
            struct wr *ret);
int fs_write(const struct fs *fs, struct nvm *nvm, uint16_t node, uint32_t offset, struct rd data);
/* Record r from 1; of a cyclic EF, 1 is the newest.  ERR_INPUT when there is none, or data is not
 * as long as a record. */
int fs_read_record(const struct fs *fs, struct nvm *nvm, uint16_t node, unsigned r, struct wr *ret);
int fs_write_record(const struct fs *fs, struct nvm *nvm, uint16_t node, unsigned r,
                    struct rd data);
/* CYCLIC: the oldest record becomes this one, which is now record 1. */
int fs_push_record(const struct fs *fs, struct nvm *nvm, uint16_t node, struct rd data);

#endif
