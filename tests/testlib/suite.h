/* suite.h - the main() of a test program in three lines. */
#ifndef TESTS_TESTLIB_SUITE_H
#define TESTS_TESTLIB_SUITE_H

#include <check.h>
#include <stdlib.h>

struct suite {
    Suite *suite;
    TCase *tests;
};

static inline struct suite suite_begin(const char *name)
{
    struct suite s = { suite_create(name), tcase_create(name) };

    tcase_set_timeout(s.tests, 120);
    suite_add_tcase(s.suite, s.tests);
    return s;
}

/* Once, or once for each row of a table, which is _i in the test. */
static inline void suite_add(const struct suite *s, const TTest *test)
{
    tcase_add_test(s->tests, test);
}

static inline void suite_loop(const struct suite *s, const TTest *test, size_t rows)
{
    tcase_add_loop_test(s->tests, test, 0, (int)rows);
}

/* The exit status of main(). */
static inline int suite_status(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int suite_run(const struct suite *s)
{
    return suite_status(s->suite);
}

#endif
