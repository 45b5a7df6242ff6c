/* bench.c - a card and a server at one table. */
#include "tests/rsp/bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"

static void begin(struct bench *b)
{
    memset(b, 0, sizeof *b);
    wr_init_heap(&b->request, MESSAGE_MAX);
    wr_init_heap(&b->bpp, MESSAGE_MAX);
    wr_init_heap(&b->result, MESSAGE_MAX);
}

void bench_open_file(struct bench *b, const char *path)
{
    begin(b);
    card_open_file(&b->card, path);
    server_open(&b->server, NULL, CURVE_P256, NULL);
}

void bench_open_as(struct bench *b, const struct bench_options *options)
{
    const struct softeuicc_new how = { .pki_dir = options->pki_dir,
                                       .settings = options->settings,
                                       .n_settings = options->n_settings,
                                       .profiles = options->profiles,
                                       .n_profiles = options->n_profiles,
                                       .profile_words = options->profile_words };

    begin(b);
    card_open_as(&b->card, &how, options->seed);
    server_open(&b->server, options->pki_dir,
                options->curve != CURVE_UNKNOWN ? options->curve : CURVE_P256, options->seed);
}

void bench_open(struct bench *b)
{
    bench_open_as(b, &(struct bench_options){ .curve = CURVE_P256 });
}

void bench_open_set(struct bench *b, const char *setting)
{
    char key[64];
    const char *equals = setting != NULL ? strchr(setting, '=') : NULL;

    if (equals == NULL) {
        bench_open(b);
        return;
    }
    snprintf(key, sizeof key, "%.*s", (int)(equals - setting), setting);
    const struct softeuicc_setting one = { key, equals + 1 };
    bench_open_as(b, &(struct bench_options){ .settings = &one, .n_settings = 1 });
}

void bench_close(struct bench *b)
{
    card_close(&b->card);
    server_close(&b->server);
    wr_done(&b->request);
    wr_done(&b->bpp);
    wr_done(&b->result);
}

/* --- the steps -------------------------------------------------------------------------------- */

struct rd bench_challenge(struct bench *b)
{
    server_begin(&b->server);
    ck_assert_uint_eq(card_es10_hex(&b->card, "BF2E00"), 0x9000);
    struct rd challenge = message_at(wr_view(&b->card.data), "BF2E/80").value;
    ck_assert_uint_eq(challenge.n, CHALLENGE_LEN);
    return challenge;
}

/* EUICCInfo2 as euiccSigned1 has it: in SGP.32 v1.0.1 it ends where SGP.22's does. */
static struct wr signed_info2(struct bench *b)
{
    static const uint8_t v1_0_1[] = { 1, 0, 1 };
    struct tlv version;

    ck_assert_uint_eq(card_es10_hex(&b->card, "BF2200"), 0x9000);
    struct wr info = message_copy(wr_view(&b->card.data));
    if (message_has(wr_view(&info), "BF22/B4/A0/04", &version) &&
        rd_equal(version.value, rd_of(v1_0_1, sizeof v1_0_1))) {
        message_change(&info, (struct change){ "BF22/90", "" });
        message_change(&info, (struct change){ "BF22/B4", "" });
    }
    return info;
}

/* What euiccSigned1 echoes, and that its EUICCInfo2 is that of GetEUICCInfo2. */
static void check_signed1(struct bench *b)
{
    struct wr answer = message_copy(wr_view(&b->card.data));
    struct rd signed1 = message_at(wr_view(&answer), "BF38/A0/30").value;
    struct rd request = wr_view(&b->request);

    ck_assert(rd_equal(message_at(signed1, "80").value, message_at(request, "BF38/30/80").value));
    ck_assert(rd_equal(message_at(signed1, "83").value, message_at(request, "BF38/30/83").value));
    ck_assert(rd_equal(message_at(signed1, "84").value, message_at(request, "BF38/30/84").value));
    ck_assert(rd_equal(message_at(signed1, "A0").whole, message_at(request, "BF38/A0").whole));
    struct wr info = signed_info2(b);
    ck_assert(rd_equal(message_at(signed1, "BF22").whole, wr_view(&info)));
    wr_done(&info);
    wr_done(&answer);
}

long bench_authenticate(struct bench *b, const struct authenticate_plan *plan)
{
    static const struct authenticate_plan nominal = { .ctx_params = NULL };

    struct rd challenge = bench_challenge(b);
    server_authenticate(&b->server, challenge, plan != NULL ? plan : &nominal, &b->request);
    card_es10(&b->card, wr_view(&b->request));
    ck_assert_msg(b->card.sw == 0x9000, "AuthenticateServer: SW %04X (%s)", b->card.sw,
                  b->card.why);
    long error = server_take_authenticate(&b->server, wr_view(&b->card.data));
    if (error == 0)
        check_signed1(b);
    else
        ck_assert(rd_equal(message_at(wr_view(&b->card.data), "BF38/A1/80").value,
                           message_at(wr_view(&b->request), "BF38/30/80").value));
    return error;
}

long bench_prepare(struct bench *b, const struct prepare_plan *plan)
{
    static const struct prepare_plan nominal = { .cc_required = false };

    if (plan == NULL)
        plan = &nominal;
    server_prepare(&b->server, plan, &b->request);
    card_es10(&b->card, wr_view(&b->request));
    ck_assert_msg(b->card.sw == 0x9000, "PrepareDownload: SW %04X (%s)", b->card.sw, b->card.why);
    return server_take_prepare(&b->server, wr_view(&b->card.data), plan);
}

void bench_reach_prepared(struct bench *b)
{
    long error = bench_authenticate(b, NULL);

    ck_assert_msg(error == 0, "AuthenticateServer: %ld (%s)", error, b->card.why);
    error = bench_prepare(b, NULL);
    ck_assert_msg(error == 0, "PrepareDownload: %ld (%s)", error, b->card.why);
}

size_t bench_slice(struct bench *b, struct rd ret[LPA_PIECES_MAX])
{
    return server_slice(wr_view(&b->bpp), AS_LPAS_DO, ret, LPA_PIECES_MAX);
}

bool bench_load(struct bench *b, enum slicing slicing)
{
    struct rd *pieces = malloc(PIECES_MAX * sizeof *pieces);

    ck_assert_ptr_nonnull(pieces);
    size_t n = server_slice(wr_view(&b->bpp), slicing, pieces, PIECES_MAX);
    wr_clear(&b->result);
    for (size_t i = 0; i < n && b->result.n == 0; i++) {
        if (card_es10(&b->card, pieces[i]) != 0x9000)
            break;
        wr_put_rd(&b->result, wr_view(&b->card.data));
    }
    free(pieces);
    if (b->result.n == 0)
        return false;
    server_take_notification(&b->server, wr_view(&b->result), &b->read);
    ck_assert(b->read.is_installation_result);
    return true;
}

void bench_download_as(struct bench *b, const struct bpp_plan *plan, enum slicing slicing)
{
    bench_reach_prepared(b);
    server_bind(&b->server, plan, &b->bpp);
    ck_assert_msg(bench_load(b, slicing), "no result came: SW %04X (%s)", b->card.sw, b->card.why);
}

void bench_download(struct bench *b, unsigned digit)
{
    bench_download_with(b, digit, NULL);
}

void bench_download_with(struct bench *b, unsigned digit, const char *fields)
{
    char with[256] = "+";
    struct wr upp, metadata;

    wr_init_heap(&upp, MESSAGE_MAX);
    wr_init_heap(&metadata, MESSAGE_MAX);
    server_profile(digit, &upp, &metadata);
    struct bpp_plan plan = { .upp = wr_view(&upp), .metadata = wr_view(&metadata) };
    if (fields != NULL) {
        ck_assert_uint_lt(strlen(fields), sizeof with - 1);
        strcat(with, fields);
        plan.metadata_change = (struct change){ "BF25/92", with };
    }
    bench_download_as(b, &plan, AS_LPAS_DO);
    ck_assert_msg(b->read.success, "the download failed: %ld/%ld (%s)", b->read.bpp_command_id,
                  b->read.error_reason, b->card.why);
    wr_done(&upp);
    wr_done(&metadata);
}

void bench_assert_profiles(struct bench *b, const char *states)
{
    char got[64] = "";
    size_t n = 0;
    struct tlv one;

    ck_assert_uint_eq(card_es10_hex(&b->card, "BF2D065C04 5A 9F70 95"), 0x9000);
    for (struct rd in = message_at(wr_view(&b->card.data), "BF2D/A0").value;
         tlv_get(&in, &one) == 0 && n + 2 < sizeof got;) {
        got[n++] = (char)('0' + (message_at(one.value, "5A").value.p[8] >> 4));
        got[n++] = message_at(one.value, "9F70").value.p[0] != 0 ? '+' : '-';
    }
    ck_assert_str_eq(got, states);
}

/* --- proactive commands ----------------------------------------------------------------------- */

void bench_terminal_profile(struct bench *b)
{
    static const uint8_t profile[] = { 0x80, 0x10, 0x00, 0x00, 0x04, 0xFF, 0xFF, 0xFF, 0xFF };

    ck_assert_uint_eq(card_apdu(&b->card, profile, sizeof profile), 0x9000);
}

void bench_refresh(struct bench *b, uint8_t result)
{
    uint8_t fetch[] = { 0x80, 0x12, 0x00, 0x00, (uint8_t)b->card.sw };

    ck_assert_uint_eq(b->card.sw >> 8, 0x91);
    ck_assert_uint_eq(card_apdu(&b->card, fetch, sizeof fetch), 0x9000);
    struct rd details = message_at(wr_view(&b->card.data), "D0/81").value;
    ck_assert_uint_eq(details.n, 3);
    ck_assert_uint_eq(details.p[1], 0x01);
    const uint8_t response[] = { 0x80, 0x14,         0x00, 0x00,         0x0C,  0x81,
                                 0x03, details.p[0], 0x01, details.p[2], 0x82,  0x02,
                                 0x82, 0x81,         0x83, 0x01,         result };
    ck_assert_uint_eq(card_apdu(&b->card, response, sizeof response), 0x9000);
}

/* --- notifications ---------------------------------------------------------------------------- */

static void put_request(struct wr *w, uint32_t tag, uint32_t inner, uint64_t sequence)
{
    wr_clear(w);
    struct wr_mark m = tlv_open(w, tag);
    if (inner != 0) {
        struct wr_mark choice = tlv_open(w, inner);
        tlv_put_uint(w, 0x80, sequence);
        tlv_close(w, choice);
    } else {
        tlv_put_uint(w, 0x80, sequence);
    }
    tlv_close(w, m);
}

static void remove_notification(struct bench *b, uint64_t sequence)
{
    put_request(&b->request, 0xBF30, 0, sequence);
    ck_assert_uint_eq(card_es10(&b->card, wr_view(&b->request)), 0x9000);
    ck_assert(rd_equal(wr_view(&b->card.data), rd_of("\xBF\x30\x03\x80\x01\x00", 6)));
}

void bench_remove_notifications(struct bench *b)
{
    struct tlv first;
    uint64_t sequence;

    for (;;) {
        ck_assert_uint_eq(card_es10_hex(&b->card, "BF2800"), 0x9000);
        if (!message_has(wr_view(&b->card.data), "BF28/A0/BF2F/80", &first))
            return;
        ck_assert_int_eq(tlv_uint(first.value, &sequence), 0);
        remove_notification(b, sequence);
    }
}

void bench_assert_result_kept(struct bench *b)
{
    uint64_t sequence = (uint64_t)b->read.seq_number;

    for (int i = 0; i < 3; i++) {
        if (i == 1)
            card_reset(&b->card);
        if (i == 2)
            remove_notification(b, sequence);
        put_request(&b->request, 0xBF2B, 0xA0, sequence);
        ck_assert_uint_eq(card_es10(&b->card, wr_view(&b->request)), 0x9000);
        ck_assert(rd_equal(message_at(wr_view(&b->card.data), "BF2B/A0").value,
                           i < 2 ? wr_view(&b->result) : rd_of(NULL, 0)));
    }
}
