/* card_file.h - a card's file in a folder of its own, for one test. */
#ifndef TESTS_TESTLIB_CARD_FILE_H
#define TESTS_TESTLIB_CARD_FILE_H

struct card_file {
    char folder[256];
    char path[300]; /* of a file that is not there yet */
};

/* Makes the folder, or ends the test. */
void card_file_make(struct card_file *f);
/* Removes it, with the file and what SQLite leaves beside one. */
void card_file_remove(const struct card_file *f);

#endif
