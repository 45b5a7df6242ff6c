/* ota.c - one secured packet: target, security level, keys, deciphering, checksum, counter, script,
 * answer, in this order (ETSI TS 102 225 5, TS 102 226 5).
 *
 * The counter is committed on its own before anything runs: a script is not one transaction, and a
 * packet whose effect was lost to a power cut must not come again.  Only a packet whose checksum is
 * right, or that needs none, gets a secured answer: whoever knows no key learns nothing that was
 * made with one. */
#include "applets/ota/ota.h"

#include <stdlib.h>
#include <string.h>

#include "applets/ota/mno_sd.h"
#include "applets/ota/rfm.h"

/* What is known of the packet so far. */
struct job {
    struct euicc *e;
    struct scp80_command command;
    struct ota_target target;
    struct scp80_key kic, kid;
    uint8_t *plain; /* from malloc */
    struct scp80_plain content;
    bool trusted; /* the answer may be secured */
};

static int refuse(const struct job *j, int status, const char *why)
{
    const uint8_t *tar = j->command.tar;

    trace_check(&j->e->trace,
                "secured packet for TAR %02X%02X%02X: %s(%02X): %s (TS 102 225 5.2.1)", tar[0],
                tar[1], tar[2], scp80_status_name(status), (unsigned)status, why);
    return status;
}

/* --- the steps: an enum scp80_status each, or a fault ----------------------------------------- */

static int find_target(struct job *j)
{
    bool found;

    TRY(ota_find_target(j->e, j->command.tar, &j->target, &found));
    if (!found || (j->target.kind == TARGET_RFM && j->e->uicc.mounted != j->target.profile))
        return refuse(j, SCP80_TAR_UNKNOWN, "no application of the enabled profile has it");
    return SCP80_OK;
}

/* A security domain manages keys and content: at the least who asks has to be known. */
static int check_level(struct job *j)
{
    uint8_t level = j->target.level;

    if (j->target.kind == TARGET_SD && (level & SPI1_INTEGRITY) < SPI1_CC)
        level = (uint8_t)((level & ~SPI1_INTEGRITY) | SPI1_CC);
    if (!scp80_reaches(j->command.spi1, level))
        return refuse(j, SCP80_INSUFFICIENT_LEVEL, "SPI is below the minimum security level");
    if ((j->command.spi1 & SPI1_INTEGRITY) == SPI1_DS ||
        (j->command.spi2 & SPI2_INTEGRITY) == SPI2_DS)
        return refuse(j, SCP80_SECURITY_ERROR, "digital signatures are not supported");
    return SCP80_OK;
}

static int find_key(struct job *j, const struct sd *sd, uint8_t coding, uint8_t id,
                    struct scp80_key *ret)
{
    uint8_t version = scp80_key_version(coding);

    if (version < KVN_SCP80_FIRST)
        return refuse(j, SCP80_SECURITY_ERROR, "a key is needed and none is named");
    TRY(sd_key(j->e, sd, version, id, ret));
    if (ret->n == 0)
        return refuse(j, SCP80_SECURITY_ERROR, "there is no such key");
    if (!scp80_key_fits(coding, ret))
        return refuse(j, SCP80_SECURITY_ERROR, "the key is of another algorithm");
    return SCP80_OK;
}

static int find_keys(struct job *j)
{
    const struct scp80_command *c = &j->command;
    struct sd sd;
    bool found;

    TRY(sd_load(j->e, j->target.profile, j->target.sd, &sd, &found));
    if (!found)
        return refuse(j, SCP80_SECURITY_ERROR, "its security domain is not there");
    int status = SCP80_OK;
    if (scp80_needs_kic(c))
        status = find_key(j, &sd, c->kic, KID_ENC, &j->kic);
    if (status == SCP80_OK && scp80_needs_kid(c))
        status = find_key(j, &sd, c->kid, KID_MAC, &j->kid);
    sd_done(&sd);
    return status;
}

static int open_packet(struct job *j)
{
    j->plain = malloc(j->command.secured.n);
    if (j->plain == NULL)
        return ERR_NOMEM;
    int status = scp80_open(j->e->crypto, &j->command, &j->kic, &j->kid, j->plain, &j->content);
    if (status > 0)
        return refuse(j, status,
                      status == SCP80_CC_FAILED ? "the checksum is another one"
                                                : "it does not decipher");
    j->trusted = status == SCP80_OK;
    return status;
}

/* The keys that the sender proved to have: those that authenticate, else those that cipher. */
static uint8_t proved_version(const struct scp80_command *c)
{
    if ((c->spi1 & SPI1_INTEGRITY) == SPI1_CC)
        return scp80_key_version(c->kid);
    return (c->spi1 & SPI1_CIPHERED) ? scp80_key_version(c->kic) : 0;
}

static int count_in(struct job *j, const struct sd *sd)
{
    uint8_t version = proved_version(&j->command);
    uint64_t last;

    TRY(sd_counter(j->e, sd, version, &last));
    int status = scp80_check_counter(&j->command, last, j->content.counter);
    if (status != SCP80_OK)
        return refuse(j, status, "its counter is not the one that is due");
    TRY(sd_set_counter(j->e, sd, version, j->content.counter));
    return nvm_commit(j->e->nvm);
}

static int check_counter(struct job *j)
{
    struct sd sd;
    bool found;

    if (!scp80_counts(&j->command))
        return SCP80_OK;
    TRY(sd_load(j->e, j->target.profile, j->target.sd, &sd, &found));
    int status = found ? count_in(j, &sd) : ERR_BUG;
    sd_done(&sd);
    return status;
}

typedef int step_fn(struct job *j);

static int check(struct job *j)
{
    static step_fn *const steps[] = { find_target, check_level, find_keys, open_packet,
                                      check_counter };

    for (size_t i = 0; i < N_ELEMS(steps); i++)
        TRY(steps[i](j));
    return SCP80_OK;
}

/* --- after them ------------------------------------------------------------------------------- */

static int run(struct job *j, const struct ota_transport *by, struct wr *ret)
{
    const struct scp80_command *c = &j->command;
    size_t room = scp80_answer_room(c, &j->kic, &j->kid, by->room);

    if (j->target.kind == TARGET_RFM)
        return rfm_run(j->e, &j->target, j->content.data, room, ret);
    return mno_sd_run(j->e, &j->target, proved_version(c), j->content.data, room, ret);
}

static int answer(struct job *j, const struct ota_transport *by, int status, struct rd data,
                  struct wr *ret)
{
    const struct scp80_answer a = {
        .to = &j->command,
        .kic = &j->kic,
        .kid = &j->kid,
        .secured = j->trusted,
        .counter = j->content.counter,
        .status = status,
        .data = data,
        .before = by->before,
    };

    if (!scp80_wants_answer(&j->command, status))
        return 0;
    return scp80_put_answer(j->e->crypto, &a, ret);
}

/* --- an answer by SMS-SUBMIT (TS 102 225 5.1.1, TS 31.115 4.3) -------------------------------- */

enum { USER_DATA_MAX = 140 }; /* TS 23.040 9.2.3.16, in octets */

/* Where it cannot be, the answer goes into the report as if it had not been asked for; so does the
 * answer to a packet that proved nothing: nobody makes this card send short messages. */
static bool goes_by_submit(const struct job *j, const struct ota_transport *by)
{
    if (!(j->command.spi2 & SPI2_BY_SUBMIT))
        return false;
    if (j->trusted && by->sender.n > 0 && cat_can(&j->e->cat, CAT_SEND_SHORT_MESSAGE))
        return true;
    trace_note(&j->e->trace, "an answer by SMS-SUBMIT is asked for; it is in the report: %s",
               j->trusted ? "the terminal cannot send it now" : "the packet proves nothing");
    return false;
}

static int submit_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    (void)ctx;
    if (!r->done)
        trace_note(&e->trace, "the terminal did not send the answer's short message");
    return 0;
}

/* SMS-SUBMIT (TS 23.040 9.2.2.2) without validity period to who sent the command, eight bits, with
 * an empty alpha identifier, so that the user is not told (TS 31.111 6.4.10). */
static int submit(struct job *j, const struct ota_transport *by, struct rd packet)
{
    enum { TAG_ALPHA = 0x85, TAG_TPDU = 0x8B };
    static const uint8_t first[] = { 0x41, 0x00 };    /* SUBMIT with a header; reference */
    static const uint8_t protocol[] = { 0x00, 0xF6 }; /* TP-PID, TP-DCS */
    uint8_t octets[CAT_COMMAND_MAX];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    tlv_put(&w, TAG_ALPHA, rd_of(NULL, 0));
    struct wr_mark m = tlv_open(&w, TAG_TPDU);
    wr_put(&w, first, sizeof first);
    wr_put_rd(&w, by->sender);
    wr_put(&w, protocol, sizeof protocol);
    wr_put_u8(&w, (uint8_t)(by->before.n + packet.n));
    wr_put_rd(&w, by->before);
    wr_put_rd(&w, packet);
    tlv_close(&w, m);
    TRY(wr_failed(&w));
    return cat_queue(&j->e->cat, CAT_SEND_SHORT_MESSAGE, 0, wr_view(&w), submit_ended) ? 0
                                                                                       : ERR_NOMEM;
}

static int answer_by_submit(struct job *j, const struct ota_transport *by, int status,
                            struct rd data)
{
    uint8_t octets[USER_DATA_MAX];
    struct wr packet;

    wr_init(&packet, octets, sizeof octets);
    TRY(answer(j, by, status, data, &packet));
    return packet.n > 0 ? submit(j, by, wr_view(&packet)) : 0;
}

static int receive(struct job *j, const struct ota_transport *report, struct wr *ret)
{
    struct ota_transport by = *report;
    struct wr data;
    int status = check(j);

    if (status < 0)
        return status;
    bool by_submit = goes_by_submit(j, report);
    if (by_submit)
        by.room = USER_DATA_MAX - by.before.n;
    wr_init_heap(&data, by.room);
    int err = status == SCP80_OK ? run(j, &by, &data) : 0;
    if (err == 0 && by_submit)
        err = answer_by_submit(j, &by, status, wr_view(&data));
    else if (err == 0)
        err = answer(j, &by, status, wr_view(&data), ret);
    wr_done(&data);
    return err;
}

int ota_receive(struct euicc *e, struct rd packet, const struct ota_transport *by, struct wr *ret)
{
    struct job j = { .e = e };

    if (scp80_parse(packet, &j.command) != 0) {
        trace_check(&e->trace, "a command packet's lengths contradict each other (TS 102 225 5.1)");
        return ERR_INPUT;
    }
    int err = receive(&j, by, ret);
    if (j.plain != NULL)
        crypto_wipe(j.plain, j.command.secured.n);
    free(j.plain);
    crypto_wipe(&j, sizeof j);
    return err;
}
