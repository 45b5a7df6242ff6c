/* card.c - the ways from the lab to a card: PC/SC, or a card in this process. */
#include "lab/card_slot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <winscard.h>

#include "lib/softeuicc.h"
#include "os/err.h"

enum {
    SW_LEN = 2,
    READER_NAMES_MAX = 16384,
    INSERTION_S = 20, /* pcscd looks for cards now and then */
    INSERTIONS_MAX = 3,
};

struct way {
    /* 0 and *ret_n octets in response, or negative. */
    int (*transmit)(struct card *card, struct rd command, size_t *ret_n, struct lab_error *e);
    int (*reset)(struct card *card, enum card_reset how, struct wr *ret_atr, struct lab_error *e);
    int (*power_off)(struct card *card, struct lab_error *e);
    void (*close)(struct card *card);
};

struct card {
    const struct way *way;
    struct softeuicc *file;
    struct card_slot *slot; /* where the card of a reader is, if it is ours */
    SCARDCONTEXT context;
    SCARDHANDLE handle;
    DWORD protocol;
    bool off, mute;
    card_watch_fn *watch; /* NULL: nobody */
    void *watch_ctx;
    double seconds;
    size_t commands;
    uint8_t response[CARD_RESPONSE_MAX];
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* NULL without memory. */
static struct card *card_new(const struct way *way, struct lab_error *e)
{
    struct card *card = calloc(1, sizeof *card);

    if (card == NULL)
        lab_fail(e, "out of memory");
    else
        card->way = way;
    return card;
}

/* --- a card file ------------------------------------------------------------------------------ */

static int file_transmit(struct card *card, struct rd command, size_t *ret_n, struct lab_error *e)
{
    (void)e;
    *ret_n = softeuicc_transmit(card->file, command.p, command.n, card->response);
    return 0;
}

static int file_reset(struct card *card, enum card_reset how, struct wr *ret_atr,
                      struct lab_error *e)
{
    uint8_t atr[SOFTEUICC_ATR_MAX];

    if ((how == CARD_WARM ? softeuicc_reset(card->file) : softeuicc_power_on(card->file)) != 0)
        return lab_fail(e, "the card does not start");
    wr_put(ret_atr, atr, softeuicc_atr(card->file, atr));
    return 0;
}

static int file_power_off(struct card *card, struct lab_error *e)
{
    (void)e;
    softeuicc_power_off(card->file);
    return 0;
}

static void file_close(struct card *card)
{
    softeuicc_close(&card->file);
}

static const struct way own = { file_transmit, file_reset, file_power_off, file_close };

static int start_file_card(struct card *card, const char *what, struct card **ret,
                           struct lab_error *e)
{
    if (softeuicc_power_on(card->file) != 0) {
        card_close(&card);
        return lab_fail(e, "%s: the card does not start", what);
    }
    *ret = card;
    return 0;
}

int card_open_file(const char *path, struct card **ret, struct lab_error *e)
{
    struct softeuicc_options options = { .crypto = NULL };
    char why[SOFTEUICC_ERROR_LEN] = "";
    struct card *card = card_new(&own, e);

    if (card == NULL)
        return ERR_INPUT;
    if (softeuicc_open(path, &options, &card->file, why) != 0) {
        free(card);
        return lab_fail(e, "%s", why);
    }
    return start_file_card(card, path, ret, e);
}

int card_open_memory(const struct softeuicc_new *how, struct softeuicc_crypto *crypto,
                     struct card **ret, struct lab_error *e)
{
    struct softeuicc_options options = { .crypto = crypto };
    char why[SOFTEUICC_ERROR_LEN] = "";
    struct card *card = card_new(&own, e);

    if (card == NULL)
        return ERR_INPUT;
    if (softeuicc_open_memory(how, &options, &card->file, why) != 0) {
        free(card);
        return lab_fail(e, "%s", why);
    }
    return start_file_card(card, "the new card", ret, e);
}

static void leave(struct card *card)
{
    card->file = NULL;
}

int card_borrow(struct softeuicc *borrowed, struct card **ret, struct lab_error *e)
{
    static const struct way of_another = { file_transmit, file_reset, file_power_off, leave };
    struct card *card = card_new(&of_another, e);

    if (card == NULL)
        return ERR_INPUT;
    card->file = borrowed;
    *ret = card;
    return 0;
}

/* --- PC/SC ------------------------------------------------------------------------------------ */

static int pcsc_fail(struct lab_error *e, const char *what, LONG why)
{
    return lab_fail(e, "%s: %s", what, pcsc_stringify_error(why));
}

static int pcsc_power(struct card *card, DWORD how, struct lab_error *e)
{
    LONG r = SCardReconnect(card->handle, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                            how, &card->protocol);

    return r == SCARD_S_SUCCESS ? 0 : pcsc_fail(e, "SCardReconnect", r);
}

static int pcsc_transmit(struct card *card, struct rd command, size_t *ret_n, struct lab_error *e)
{
    const SCARD_IO_REQUEST *pci = card->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    DWORD n = sizeof card->response;

    if (card->off)
        TRY(pcsc_power(card, SCARD_UNPOWER_CARD, e));
    card->off = false;
    LONG r = SCardTransmit(card->handle, pci, command.p, command.n, NULL, card->response, &n);
    if (r != SCARD_S_SUCCESS)
        return pcsc_fail(e, "SCardTransmit", r);
    *ret_n = card->slot != NULL && card_slot_was_mute(card->slot) ? 0 : n;
    return 0;
}

/* Within a transaction no other client's reset comes between, but ours would be refused. */
static int pcsc_reset(struct card *card, enum card_reset how, struct wr *ret_atr,
                      struct lab_error *e)
{
    uint8_t atr[MAX_ATR_SIZE];
    DWORD n = sizeof atr;

    SCardEndTransaction(card->handle, SCARD_LEAVE_CARD);
    TRY(pcsc_power(card, how == CARD_WARM ? SCARD_RESET_CARD : SCARD_UNPOWER_CARD, e));
    LONG r = SCardBeginTransaction(card->handle);
    if (r == SCARD_S_SUCCESS)
        r = SCardStatus(card->handle, NULL, NULL, NULL, NULL, atr, &n);
    if (r != SCARD_S_SUCCESS)
        return pcsc_fail(e, "reset", r);
    wr_put(ret_atr, atr, n);
    return 0;
}

/* PC/SC has no connection to a card without power: the next command powers it off and on. */
static int pcsc_power_off(struct card *card, struct lab_error *e)
{
    (void)e;
    card->off = true;
    return 0;
}

static void pcsc_close(struct card *card)
{
    if (card->protocol != SCARD_PROTOCOL_UNDEFINED) {
        SCardEndTransaction(card->handle, SCARD_LEAVE_CARD);
        SCardDisconnect(card->handle, SCARD_LEAVE_CARD);
    }
    SCardReleaseContext(card->context);
}

/* The n-th name of a list (names follow each other, an empty one ends it), or the first one that
 * contains the text. */
static const char *choose_reader(const char *names, const char *wanted)
{
    unsigned long number, i = 0;
    bool by_number = number_read(wanted, 999, &number);

    for (; *names != '\0'; names += strlen(names) + 1, i++)
        if (by_number ? i == number : strstr(names, wanted) != NULL)
            return names;
    return NULL;
}

/* Until the reader is as wanted, SCARD_STATE_PRESENT or SCARD_STATE_EMPTY; ret_state may tell more.
 */
static int pcsc_wait(struct card *card, const char *name, DWORD wanted, DWORD *ret_state,
                     struct lab_error *e)
{
    SCARD_READERSTATE state = { .szReader = name, .dwCurrentState = SCARD_STATE_UNAWARE };
    double end = now() + INSERTION_S;
    LONG r;

    do {
        double left = end - now();
        r = SCardGetStatusChange(card->context, left < 0 ? 0 : (DWORD)(1000 * left), &state, 1);
        state.dwCurrentState = state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
    } while (r == SCARD_S_SUCCESS && (state.dwEventState & wanted) == 0);
    if (r == SCARD_E_TIMEOUT)
        return lab_fail(e, "%s: %s after %d s", name,
                        wanted == SCARD_STATE_EMPTY ? "another card is in it still"
                                                    : "the card is not found",
                        INSERTION_S);
    *ret_state = state.dwEventState;
    return r == SCARD_S_SUCCESS ? 0 : pcsc_fail(e, name, r);
}

/* Our card, as one that starts.  What PC/SC says may be about a card that is on its way out, and
 * after a start that failed it tries no more; an empty reader puts an end to both. */
static int pcsc_insert(struct card *card, const char *name, struct lab_error *e)
{
    DWORD state = SCARD_STATE_MUTE;

    if (card_slot_is_in(card->slot))
        TRY(pcsc_wait(card, name, SCARD_STATE_PRESENT, &state, e));
    for (int i = 0; i < INSERTIONS_MAX && (state & SCARD_STATE_MUTE) != 0; i++) {
        card_slot_take_out(card->slot);
        TRY(pcsc_wait(card, name, SCARD_STATE_EMPTY, &state, e));
        TRY(card_slot_put_in(card->slot, e));
        TRY(pcsc_wait(card, name, SCARD_STATE_PRESENT, &state, e));
    }
    return (state & SCARD_STATE_MUTE) == 0 ? 0 : lab_fail(e, "%s: the card does not start", name);
}

static int pcsc_connect(struct card *card, const char *reader, struct lab_error *e)
{
    char names[READER_NAMES_MAX];
    DWORD n = sizeof names;

    LONG r = SCardListReaders(card->context, NULL, names, &n);
    if (r != SCARD_S_SUCCESS)
        return pcsc_fail(e, "no reader", r);
    const char *name = choose_reader(names, reader);
    if (name == NULL)
        return lab_fail(e, "no reader called %s; the first is called %s", reader, names);
    if (card->slot != NULL)
        TRY(pcsc_insert(card, name, e));
    r = SCardConnect(card->context, name, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                     &card->handle, &card->protocol);
    if (r != SCARD_S_SUCCESS) {
        card->protocol = SCARD_PROTOCOL_UNDEFINED;
        return pcsc_fail(e, name, r);
    }
    r = SCardBeginTransaction(card->handle);
    return r == SCARD_S_SUCCESS ? 0 : pcsc_fail(e, name, r);
}

/* slot NULL: the card is somebody else's. */
static int open_pcsc(struct card_slot *slot, const char *reader, struct card **ret,
                     struct lab_error *e)
{
    static const struct way pcsc = { pcsc_transmit, pcsc_reset, pcsc_power_off, pcsc_close };
    struct card *card = card_new(&pcsc, e);

    if (card == NULL)
        return ERR_INPUT;
    card->slot = slot;
    card->protocol = SCARD_PROTOCOL_UNDEFINED;
    LONG r = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &card->context);
    if (r != SCARD_S_SUCCESS) {
        free(card);
        return pcsc_fail(e, "PC/SC", r);
    }
    if (pcsc_connect(card, reader, e) != 0) {
        card_close(&card);
        return ERR_INPUT;
    }
    *ret = card;
    return 0;
}

int card_open_reader(const char *reader, struct card **ret, struct lab_error *e)
{
    return open_pcsc(NULL, reader, ret, e);
}

int card_open_slot(struct card_slot *slot, const char *reader, const struct softeuicc_new *how,
                   struct softeuicc_crypto *crypto, struct card **ret, struct lab_error *e)
{
    TRY(card_slot_fill(slot, how, crypto, e));
    return open_pcsc(slot, reader, ret, e);
}

void card_close(struct card **card)
{
    if (*card == NULL)
        return;
    (*card)->way->close(*card);
    free(*card);
    *card = NULL;
}

void card_watch(struct card *card, card_watch_fn *watch, void *ctx)
{
    card->watch = watch;
    card->watch_ctx = ctx;
}

double card_seconds(const struct card *card)
{
    return card->seconds;
}

size_t card_commands(const struct card *card)
{
    return card->commands;
}

int card_transmit(struct card *card, struct rd command, struct wr *ret_data, uint16_t *ret_sw,
                  struct lab_error *e)
{
    size_t n = 0;

    card->mute = false;
    double begin = now();
    int r = card->way->transmit(card, command, &n, e);
    card->seconds += now() - begin;
    card->commands++;
    if (card->watch != NULL)
        card->watch(card->watch_ctx, command, rd_of(card->response, r == 0 ? n : 0));
    TRY(r);
    card->mute = n == 0;
    if (n == 0)
        return lab_fail(e, "the card is mute");
    if (n < SW_LEN)
        return lab_fail(e, "the card's response has no status word");
    wr_put(ret_data, card->response, n - SW_LEN);
    *ret_sw = (uint16_t)(card->response[n - 2] << 8 | card->response[n - 1]);
    return wr_failed(ret_data) == 0 ? 0 : lab_fail(e, "the card's response is too long");
}

bool card_is_mute(const struct card *card)
{
    return card->mute;
}

int card_reset(struct card *card, enum card_reset how, struct wr *ret_atr, struct lab_error *e)
{
    card->off = false;
    return card->way->reset(card, how, ret_atr, e);
}

int card_power_off(struct card *card, struct lab_error *e)
{
    return card->way->power_off(card, e);
}

bool card_has_control(const struct card *card)
{
    return card->file != NULL || card->slot != NULL;
}

int card_control(struct card *card, const char *line, char *reply, size_t size)
{
    return card->slot != NULL ? card_slot_control(card->slot, line, reply, size)
                              : softeuicc_control(card->file, line, reply, size);
}
