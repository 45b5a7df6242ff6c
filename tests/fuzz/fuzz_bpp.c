/* fuzz_bpp.c - a bound profile package into a whole card.  The session before it is a good one, and
 * what the input gives in plain is protected under the session's keys, so that the search reaches
 * what lies behind signature, MAC and encryption.  The input is steps that make the package:
 *
 *   '1' '2' '3' '4' length(2) octets
 *             plaintext of a container: ConfigureISDP (A0), StoreMetadata (A1),
 *             ReplaceSessionKeys (A2; the keys in it are used from there on), profile elements (A3)
 *   'K' n(2)  following containers: at most n octets of plaintext a segment
 *   'X' at(2) mask   an octet of the finished package is changed
 *   'T' n     the length in BF36 is n - 128 too long
 *   'I' bits  InitialiseSecureChannel: 1 another transactionId, 2 signed with another key,
 *             4 no host id, 8 another one-time key of the eUICC
 *
 * and steps that say how it is sent:
 *
 *   'B' n     STORE DATA blocks of n octets
 *   'P' n(2)  pieces of n octets each, not one segment each
 *   'Q' n what   before piece n: 0 reset, 1 power cut after what / 8 writes, 2 GetEUICCChallenge,
 *             3 GetProfilesInfo, 4 CancelSession, 5 the piece does not come, 6 it comes twice
 *
 * and afterwards:
 *
 *   'E' length(2) octets
 *             the profile that was installed is enabled, and these commands come, each behind an
 *             octet with its length
 *
 * Any other octet stands for one of these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/tlv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/server.h"
#include "tests/fuzz/watch.h"

enum {
    PACKAGE_MAX = 1 << 18,
    MAX_CHANGES = 16,
    MAX_EVENTS = 8,
    TAG_BPP = 0xBF36,
    TAG_PROFILES_INFO = 0xBF2D,
    TAG_PROFILE_INFO = 0xE3,
    TAG_ICCID = 0x5A,
    TAG_ENABLE_PROFILE = 0xBF31,
    COMMANDS_MAX = 1 << 14,
    MAX_COMMANDS = 64,
};

struct plan {
    struct server server;
    struct bsp bsp;
    struct wr protected_part;
    size_t plain_max; /* octets of plaintext a segment */
    struct {
        uint16_t at;
        uint8_t mask;
    } changes[MAX_CHANGES];
    size_t n_changes;
    int longer;
    uint8_t isc;
    size_t block, piece; /* piece 0: a segment each */
    struct {
        uint8_t at, what;
    } events[MAX_EVENTS];
    size_t n_events;
    bool enables;
    struct wr commands; /* then */
};

static struct watch watch;
static struct crypto *crypto;
static struct rsp_identity *identity; /* loaded once */

/* --- the session --- */

static struct softeuicc *new_card(void)
{
    static struct softeuicc_crypto *card_crypto;
    static const struct softeuicc_setting settings[] = { { "curves", "nist" },
                                                         { "nvm_total", "65536" } };
    const struct softeuicc_new how = { .settings = settings, .n_settings = 2 };
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;

    if (card_crypto == NULL)
        card_crypto = softeuicc_crypto_new("fuzz_bpp");
    const struct softeuicc_options options = { .crypto = card_crypto };
    oracle(softeuicc_open_memory(&how, &options, &card, error) == 0, "a card can be made");
    return card;
}

static void set_up(struct server *s)
{
    static struct server first;

    if (crypto == NULL) {
        crypto = crypto_new(rd_str("fuzz_bpp"));
        oracle(crypto != NULL && server_init(&first, crypto, CURVE_P256) == 0, "the server starts");
        identity = &first.identity;
    }
    *s = first;
}

static void ask(struct wr *request, struct wr *answer)
{
    wr_clear(answer);
    oracle(wr_failed(request) == 0 &&
               device_es10(&watch.device, wr_view(request), DEVICE_BLOCK_MAX, answer) == 0x9000,
           "the card answers a good session");
    wr_clear(request);
}

/* Up to PrepareDownload; gives the eUICC's certificate. */
static void begin_session(struct server *s, struct cert **ret_euicc)
{
    struct rsp_authenticate authenticated;
    struct wr request, answer;
    const char *why;

    wr_init_heap(&request, PACKAGE_MAX);
    wr_init_heap(&answer, PACKAGE_MAX);
    oracle(device_open(&watch.device) == 0x9000, "the ISD-R can be selected");
    tlv_put_header(&request, 0xBF2E, 0);
    ask(&request, &answer);
    oracle(server_authenticate(s, wr_view(&answer), &request) == 0, "a challenge came");
    ask(&request, &answer);
    oracle(server_prepare(s, wr_view(&answer), &request) == 0, "the server is authenticated");
    oracle(rsp_read_authenticate(wr_view(&answer), &authenticated) == 0 &&
               cert_parse(crypto, authenticated.euicc_cert, ret_euicc, &why) == 0,
           "the eUICC shows its certificate");
    ask(&request, &answer);
    oracle(server_agree(s, wr_view(&answer)) == 0, "the download is prepared");
    wr_done(&request);
    wr_done(&answer);
}

/* --- the package --- */

/* From here on both sides use these keys; a request that is none changes nothing. */
static void replace_keys(struct plan *p, struct rd plain)
{
    uint8_t keys[BSP_KEYS_LEN];
    struct tlv request, key;

    if (tlv_get(&plain, &request) != 0)
        return;
    for (unsigned i = 0; i < 3; i++) {
        if (!tlv_find(request.value, 0x80u + i, &key) || key.value.n != AES128_KEY_LEN)
            return;
        memcpy(keys + i * AES128_KEY_LEN, key.value.p, AES128_KEY_LEN);
    }
    bsp_init(&p->bsp, keys);
}

static void add_container(struct plan *p, unsigned which, struct rd *in)
{
    static const struct {
        uint8_t container, segment;
    } kinds[] = { { 0xA0, TAG_BSP_COMMAND },
                  { 0xA1, TAG_BSP_METADATA },
                  { 0xA2, TAG_BSP_COMMAND },
                  { 0xA3, TAG_BSP_PROFILE } };
    size_t n;
    uint8_t *octets = fuzz_copy(in, fuzz_u16(in), &n);
    struct rd plain = rd_of(octets, n), part;

    struct wr_mark container = tlv_open(&p->protected_part, kinds[which].container);
    do {
        oracle(rd_take(&plain, plain.n < p->plain_max ? plain.n : p->plain_max, &part) == 0 &&
                   bsp_protect(crypto, &p->bsp, kinds[which].segment, part, &p->protected_part) ==
                       0,
               "plaintext can be protected");
    } while (plain.n > 0);
    tlv_close(&p->protected_part, container);
    if (which == 2)
        replace_keys(p, rd_of(octets, n));
    free(octets);
}

static void add_commands(struct plan *p, struct rd *in)
{
    size_t n;
    uint8_t *octets = fuzz_copy(in, fuzz_u16(in), &n);

    p->enables = true;
    if (n <= COMMANDS_MAX - p->commands.n)
        wr_put(&p->commands, octets, n);
    free(octets);
}

static void read_step(struct plan *p, struct rd *in)
{
    static const char steps[] = { '4', '2', '1', '3', 'K', 'X', 'T', 'I', 'B', 'P', 'Q', 'E' };
    uint8_t what = fuzz_u8(in);

    if (memchr(steps, what, sizeof steps) == NULL)
        what = (uint8_t)steps[what % sizeof steps];
    switch (what) {
    case 'K':
        p->plain_max = 1u + fuzz_u16(in);
        break;
    case 'X':
        if (p->n_changes < MAX_CHANGES) {
            p->changes[p->n_changes].at = fuzz_u16(in);
            p->changes[p->n_changes++].mask = fuzz_u8(in);
        }
        break;
    case 'T':
        p->longer = fuzz_u8(in) - 128;
        break;
    case 'I':
        p->isc = fuzz_u8(in);
        break;
    case 'B':
        p->block = 1u + fuzz_u8(in) % DEVICE_BLOCK_MAX;
        break;
    case 'P':
        p->piece = fuzz_u16(in);
        break;
    case 'Q':
        if (p->n_events < MAX_EVENTS) {
            p->events[p->n_events].at = fuzz_u8(in);
            p->events[p->n_events++].what = fuzz_u8(in);
        }
        break;
    case 'E':
        add_commands(p, in);
        break;
    default:
        if (p->protected_part.n < PACKAGE_MAX / 2)
            add_container(p, what - '1', in);
        break;
    }
}

static void make_package(struct plan *p, struct wr *ret)
{
    struct bpp_session session = server_session(&p->server);
    uint8_t other[EC_POINT_LEN], room[512];
    struct wr initialise;

    memcpy(other, p->server.ot_pk_euicc, sizeof other);
    other[sizeof other - 1] ^= 1;
    if (p->isc & 1)
        session.transaction_id.n--;
    if (p->isc & 2)
        session.sk_dppb = identity->auth_key;
    if (p->isc & 4)
        session.host_id.n = 0;
    if (p->isc & 8)
        session.ot_pk_euicc = rd_of(other, sizeof other);
    wr_init(&initialise, room, sizeof room);
    oracle(bpp_initialise(crypto, &session, &initialise) == 0, "the package can be opened");
    int length = (int)(initialise.n + p->protected_part.n) + p->longer;
    tlv_put_header(ret, TAG_BPP, length > 0 ? (size_t)length : 0);
    wr_put_rd(ret, wr_view(&initialise));
    wr_put_rd(ret, wr_view(&p->protected_part));
    for (size_t i = 0; i < p->n_changes; i++)
        if (p->changes[i].at < ret->n)
            ret->p[p->changes[i].at] ^= p->changes[i].mask;
}

/* --- on its way --- */

static void send_small(const uint8_t *request, size_t n, struct wr *answer)
{
    wr_clear(answer);
    device_es10(&watch.device, rd_of(request, n), DEVICE_BLOCK_MAX, answer);
}

/* What is to happen before this piece.  How often the piece comes. */
static unsigned happen(const struct plan *p, size_t piece, struct wr *answer)
{
    static const uint8_t challenge[] = { 0xBF, 0x2E, 0x00 }, profiles[] = { 0xBF, 0x2D, 0x00 };
    uint8_t cancel[24] = { 0xBF, 0x41, 0x15, 0x80, 0x10 };
    unsigned times = 1;
    char line[32];

    memcpy(cancel + 5, p->server.transaction_id, sizeof p->server.transaction_id);
    memcpy(cancel + 21, (const uint8_t[]){ 0x81, 0x01, 0x03 }, 3);
    for (size_t i = 0; i < p->n_events; i++) {
        if (p->events[i].at != piece)
            continue;
        switch (p->events[i].what % 8) {
        case 0:
            watch_control(&watch, "reset");
            break;
        case 1:
            snprintf(line, sizeof line, "cut-after %u", p->events[i].what / 8u);
            watch_control(&watch, line);
            break;
        case 2:
            send_small(challenge, sizeof challenge, answer);
            break;
        case 3:
            send_small(profiles, sizeof profiles, answer);
            break;
        case 4:
            send_small(cancel, sizeof cancel, answer);
            break;
        default:
            times = p->events[i].what % 8 == 5 ? 0 : 2;
            break;
        }
    }
    return times;
}

/* The next piece off the front of the package: a segment as SGP.22 2.5.5 has them, or so many
 * octets. */
static struct rd next_piece(const struct plan *p, struct rd *in)
{
    struct rd at = *in, piece;
    struct tlv t;
    uint32_t tag;
    size_t len, n = p->piece;

    if (n == 0 && tlv_header(&at, &tag, &len) == 0 && tag == TAG_BPP) {
        n = tlv_get(&at, &t) == 0 ? in->n - at.n : in->n;
    } else if (n == 0 && tag >= 0xA0 && tag <= 0xA3) {
        n = in->n - at.n;
    } else if (n == 0) {
        at = *in;
        n = tlv_get(&at, &t) == 0 ? t.whole.n : in->n;
    }
    oracle(rd_take(in, n < in->n ? n : in->n, &piece) == 0, "a piece is there");
    return piece;
}

/* A ProfileInstallationResult decodes, and its signature is the card's. */
static bool check_result(const struct cert *euicc, struct rd answer)
{
    struct rsp_notification result;

    oracle(rsp_read_notification(answer, &result) == 0 && result.is_installation_result,
           "an answer to a segment is a ProfileInstallationResult");
    oracle(ecdsa_verify(crypto, cert_key(euicc), &result.signed_part, 1, result.signature),
           "a result is signed by the card");
    return result.success;
}

/* True when the card says that a profile was installed. */
static bool send_package(const struct plan *p, const struct cert *euicc, struct rd in)
{
    struct wr answer;
    bool installed = false;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    for (size_t i = 0; in.n > 0; i++) {
        struct rd piece = next_piece(p, &in);
        for (unsigned times = happen(p, i, &answer); times > 0; times--) {
            wr_clear(&answer);
            uint16_t sw = device_es10(&watch.device, piece, p->block, &answer);
            if (sw == 0x9000 && answer.n > 2 && answer.p[0] == 0xBF && answer.p[1] == 0x37)
                installed = check_result(euicc, wr_view(&answer)) || installed;
        }
    }
    wr_done(&answer);
    return installed;
}

static size_t count_profiles(void)
{
    static const uint8_t request[] = { 0xBF, 0x2D, 0x00 };
    struct tlv info, ok, profile;
    struct wr answer;
    size_t n = 0;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    send_small(request, sizeof request, &answer);
    struct rd in = wr_view(&answer);
    oracle(tlv_expect(&in, TAG_PROFILES_INFO, &info) == 0 &&
               tlv_expect(&info.value, 0xA0, &ok) == 0,
           "GetProfilesInfo answers");
    while (tlv_expect(&ok.value, TAG_PROFILE_INFO, &profile) == 0)
        n++;
    wr_done(&answer);
    return n;
}

/* --- the profile at work --- */

/* The ICCID of the only profile. */
static bool find_iccid(struct wr *answer, struct rd *ret)
{
    static const uint8_t request[] = { 0xBF, 0x2D, 0x00 };
    struct tlv info, ok, profile, iccid;

    send_small(request, sizeof request, answer);
    struct rd in = wr_view(answer);
    if (tlv_expect(&in, TAG_PROFILES_INFO, &info) != 0 || tlv_expect(&info.value, 0xA0, &ok) != 0 ||
        tlv_expect(&ok.value, TAG_PROFILE_INFO, &profile) != 0 ||
        !tlv_find(profile.value, TAG_ICCID, &iccid))
        return false;
    *ret = iccid.value;
    return true;
}

static void enable(struct wr *answer)
{
    uint8_t room[64];
    struct wr request;
    struct rd iccid;

    if (!find_iccid(answer, &iccid))
        return;
    wr_init(&request, room, sizeof room);
    struct wr_mark m = tlv_open(&request, TAG_ENABLE_PROFILE);
    struct wr_mark which = tlv_open(&request, 0xA0);
    tlv_put(&request, TAG_ICCID, iccid);
    tlv_close(&request, which);
    tlv_put_u8(&request, 0x81, 0);
    tlv_close(&request, m);
    send_small(request.p, request.n, answer);
}

static void use_profile(const struct plan *p)
{
    struct rd in = wr_view(&p->commands);
    struct wr answer;
    size_t n;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    enable(&answer);
    for (unsigned i = 0; i < MAX_COMMANDS && in.n > 0; i++) {
        uint8_t *command = fuzz_copy(&in, fuzz_u8(&in), &n);
        watch_transmit(&watch, command, n);
        free(command);
    }
    wr_done(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan p = { .plain_max = 1000, .block = DEVICE_BLOCK_MAX };
    struct rd in = rd_of(data, size);
    struct cert *euicc = NULL;
    struct wr package;

    struct softeuicc *card = new_card();
    watch_init(&watch, card);
    set_up(&p.server);
    begin_session(&p.server, &euicc);
    struct bpp_session session = server_session(&p.server);
    oracle(bsp_derive(crypto, session.ot_sk_dp, session.ot_pk_euicc, session.host_id, session.eid,
                      &p.bsp) == 0,
           "the keys can be agreed on");
    wr_init_heap(&p.protected_part, PACKAGE_MAX);
    wr_init_heap(&p.commands, COMMANDS_MAX);
    wr_init_heap(&package, PACKAGE_MAX + 1024);
    while (in.n > 0)
        read_step(&p, &in);
    make_package(&p, &package);
    bool installed = send_package(&p, euicc, wr_view(&package));
    if (installed && p.enables)
        use_profile(&p);
    watch_finish(&watch);
    if (p.n_events == 0 && !p.enables)
        oracle(count_profiles() == (installed ? 1u : 0u),
               "a profile is there when the card says so");
    cert_free(&euicc);
    wr_done(&p.protected_part);
    wr_done(&p.commands);
    wr_done(&package);
    bsp_done(&p.bsp);
    ec_key_free(&p.server.ot_sk);
    softeuicc_close(&card);
    return 0;
}
