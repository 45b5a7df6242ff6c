/* card_file.c - a card's file in a folder of its own. */
#include "tests/testlib/card_file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void card_file_make(struct card_file *f)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(f->folder, sizeof f->folder, "%s/softeuicc-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/card", f->folder);
}

void card_file_remove(const struct card_file *f)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char name[320];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", f->path, ends[i]);
        unlink(name);
    }
    rmdir(f->folder);
}
