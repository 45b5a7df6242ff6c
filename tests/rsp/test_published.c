/* test_published.c - downloads with what others published: the SGP.26 certificates, and the GSMA's
 * test profiles (TS.48).  Both are looked for in the folder SOFTEUICC_TESTDATA; without it there is
 * nothing to do. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/util.h"
#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/testlib/suite.h"

enum {
    STATUS_SKIPPED = 77,
    PACKAGES_MAX = 32,
    PATH_LEN = 512,
};

static char pki_dir[PATH_LEN];
static char packages[PACKAGES_MAX][PATH_LEN];
static size_t n_packages;

/* Downloads, enables, disables and deletes. */
static void live(struct bench *b, const struct bpp_plan *plan)
{
    char request[64];
    size_t n = 0;

    bench_download_as(b, plan, AS_LPAS_DO);
    ck_assert_msg(b->read.success, "%ld/%ld (%s)", b->read.bpp_command_id, b->read.error_reason,
                  b->card.why);
    static const char *const functions[] = { "BF31", "BF32", "BF33" };
    for (size_t i = 0; i < N_ELEMS(functions); i++) {
        n = (size_t)snprintf(request, sizeof request, "%s0C 5A0A ", functions[i]);
        for (size_t j = 0; j < sizeof b->read.iccid; j++)
            n += (size_t)snprintf(request + n, sizeof request - n, "%02X", b->read.iccid[j]);
        char answer[16];
        snprintf(answer, sizeof answer, "%s03800100", functions[i]);
        card_expect(&b->card, request, answer);
    }
    ck_assert_uint_eq(card_profiles(&b->card), 0);
}

START_TEST(a_download_works_with_the_certificates_of_sgp26)
{
    static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct bench b;

    bench_open_as(&b, &(struct bench_options){ .curve = curves[_i], .pki_dir = pki_dir });
    live(&b, &(struct bpp_plan){ .ppk = true });
    ck_assert_int_eq(bench_authenticate(&b, &(struct authenticate_plan){ .cert = CERT_DP2_AUTH }),
                     0);
    ck_assert_int_eq(bench_prepare(&b, NULL), 1); /* CERT.DPpb is not DP2's */
    bench_close(&b);
}
END_TEST

START_TEST(a_published_profile_is_installed_and_deleted)
{
    struct wr upp, metadata;
    struct lab_error e;
    struct bench b;

    bench_open(&b);
    wr_init_heap(&upp, LAB_FILE_MAX);
    wr_init_heap(&metadata, MESSAGE_MAX);
    ck_assert_msg(file_read(packages[_i], &upp, &e) == 0, "%s", e.text);
    server_metadata(wr_view(&upp), &metadata);
    uint64_t room = card_free_memory(&b.card);
    live(&b, &(struct bpp_plan){ .upp = wr_view(&upp), .metadata = wr_view(&metadata) });
    ck_assert_uint_eq(card_free_memory(&b.card), room);
    wr_done(&upp);
    wr_done(&metadata);
    bench_close(&b);
}
END_TEST

static void find_packages(const char *testdata)
{
    char folder[PATH_LEN - 256];
    const struct dirent *entry;

    snprintf(folder, sizeof folder, "%s/ts48", testdata);
    DIR *dir = opendir(folder);
    while (dir != NULL && (entry = readdir(dir)) != NULL && n_packages < PACKAGES_MAX)
        if (strstr(entry->d_name, ".der") != NULL)
            snprintf(packages[n_packages++], PATH_LEN, "%s/%.255s", folder, entry->d_name);
    if (dir != NULL)
        closedir(dir);
}

int main(void)
{
    const char *testdata = getenv("SOFTEUICC_TESTDATA");
    struct suite s;

    if (testdata == NULL || testdata[0] == '\0') {
        puts("skipped: SOFTEUICC_TESTDATA is not set, so there are no SGP.26 certificates and no "
             "TS.48 packages");
        return STATUS_SKIPPED;
    }
    snprintf(pki_dir, sizeof pki_dir, "%s/sgp26", testdata);
    find_packages(testdata);
    s = suite_begin("published");
    suite_loop(&s, a_download_works_with_the_certificates_of_sgp26, 2);
    suite_loop(&s, a_published_profile_is_installed_and_deleted, n_packages);
    return suite_run(&s);
}
