/* pe_gfm.c - PE-GenericFileManagement: a script of selections, creations and contents (TCA 8.3.5).
 *
 * State while it runs: the current DF, and the EF that is being filled.  How the script is cut
 * into FileManagement has no meaning. */
#include "applets/isdp/pe.h"
#include "os/err.h"

enum { TAG_COMMANDS = 0xA1 };

struct script {
    uint16_t df; /* FS_NONE before the MF is there */
    struct pe_fill fill;
};

/* Absolute, from the MF, which may be named. */
static int select_path(struct install *i, struct script *s, struct rd path)
{
    if (path.n >= 2 && path.p[0] == FID_MF >> 8 && path.p[1] == (FID_MF & 0xFF))
        path = rd_of(path.p + 2, path.n - 2);
    uint16_t node = fs_path(&i->fs, FS_MF, path);
    if (node == FS_NONE)
        return pe_refuse(i, PE_BAD_VALUES, "there is no file of this path");
    bool is_df = fs_is_df(&i->fs.nodes[node]);
    s->df = is_df ? node : i->fs.nodes[node].parent;
    s->fill = (struct pe_fill){ .node = is_df ? FS_NONE : node };
    return 0;
}

static int create(struct install *i, struct script *s, const Fcp_t *fcp)
{
    struct pe_file f;
    uint16_t node;

    pe_file_init(&f, NULL, s->df);
    TRY(pe_file_fcp(i, &f, fcp));
    TRY(pe_file_create(i, &f, &node));
    bool is_df = fs_is_df(&i->fs.nodes[node]);
    if (is_df)
        s->df = node;
    s->fill = (struct pe_fill){ .node = is_df ? FS_NONE : node };
    return 0;
}

static int run(struct install *i, struct script *s, const FileManagementItem_t *item)
{
    switch (item->present) {
    case FileManagementItem_PR_filePath:
        return select_path(i, s, pe_octets(&item->choice.filePath));
    case FileManagementItem_PR_createFCP:
        return create(i, s, &item->choice.createFCP);
    case FileManagementItem_PR_fillFileOffset:
        return pe_fill_skip(i, &s->fill, item->choice.fillFileOffset);
    case FileManagementItem_PR_fillFileContent:
        return pe_fill_put(i, &s->fill, pe_octets(&item->choice.fillFileContent));
    case FileManagementItem_PR_NOTHING:
        break;
    }
    return 0;
}

int pe_gfm(struct install *i, const struct ProfileElement *value)
{
    const PE_GenericFileManagement_t *pe = &value->choice.genericFileManagement;
    struct script s = { .df = i->fs.n > 0 ? FS_MF : FS_NONE, .fill = { .node = FS_NONE } };

    pe_at(i, 0, TAG_COMMANDS, 0);
    for (int k = 0; k < pe->fileManagementCMD.list.count; k++) {
        const FileManagement_t *commands = pe->fileManagementCMD.list.array[k];
        pe_at(i, 1, 0, (size_t)k);
        for (int m = 0; m < commands->list.count; m++) {
            pe_at(i, 2, 0, (size_t)m);
            TRY(run(i, &s, commands->list.array[m]));
        }
    }
    return 0;
}
