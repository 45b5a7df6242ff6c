/* card.c - the ways from the lab to a card: PC/SC, or a card in this process. */
#include "lab/card.h"

#include <stdlib.h>
#include <string.h>

#include <winscard.h>

#include "lib/softeuicc.h"
#include "os/err.h"

enum { SW_LEN = 2, READER_NAMES_MAX = 16384 };

struct way {
    /* 0 and *ret_n octets in response, or negative. */
    int (*transmit)(struct card *card, struct rd command, size_t *ret_n, struct lab_error *e);
    int (*reset)(struct card *card, struct lab_error *e);
    void (*close)(struct card *card);
};

struct card {
    const struct way *way;
    struct softeuicc *file;
    SCARDCONTEXT context;
    SCARDHANDLE handle;
    DWORD protocol;
    uint8_t response[CARD_RESPONSE_MAX];
};

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

static int file_reset(struct card *card, struct lab_error *e)
{
    return softeuicc_reset(card->file) == 0 ? 0 : lab_fail(e, "the card does not start");
}

static void file_close(struct card *card)
{
    softeuicc_close(&card->file);
}

int card_open_file(const char *path, struct card **ret, struct lab_error *e)
{
    static const struct way own = { file_transmit, file_reset, file_close };
    struct softeuicc_options options = { .crypto = NULL };
    char why[SOFTEUICC_ERROR_LEN] = "";
    struct card *card = card_new(&own, e);

    if (card == NULL)
        return ERR_INPUT;
    if (softeuicc_open(path, &options, &card->file, why) != 0) {
        free(card);
        return lab_fail(e, "%s", why);
    }
    if (softeuicc_power_on(card->file) != 0) {
        card_close(&card);
        return lab_fail(e, "%s: the card does not start", path);
    }
    *ret = card;
    return 0;
}

static void leave(struct card *card)
{
    card->file = NULL;
}

int card_borrow(struct softeuicc *borrowed, struct card **ret, struct lab_error *e)
{
    static const struct way of_another = { file_transmit, file_reset, leave };
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

static int pcsc_transmit(struct card *card, struct rd command, size_t *ret_n, struct lab_error *e)
{
    const SCARD_IO_REQUEST *pci = card->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    DWORD n = sizeof card->response;

    LONG r = SCardTransmit(card->handle, pci, command.p, command.n, NULL, card->response, &n);
    if (r != SCARD_S_SUCCESS)
        return pcsc_fail(e, "SCardTransmit", r);
    *ret_n = n;
    return 0;
}

static int pcsc_reset(struct card *card, struct lab_error *e)
{
    SCardEndTransaction(card->handle, SCARD_LEAVE_CARD);
    LONG r = SCardReconnect(card->handle, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                            SCARD_RESET_CARD, &card->protocol);
    if (r == SCARD_S_SUCCESS)
        r = SCardBeginTransaction(card->handle);
    return r == SCARD_S_SUCCESS ? 0 : pcsc_fail(e, "reset", r);
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
    r = SCardConnect(card->context, name, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                     &card->handle, &card->protocol);
    if (r != SCARD_S_SUCCESS) {
        card->protocol = SCARD_PROTOCOL_UNDEFINED;
        return pcsc_fail(e, name, r);
    }
    r = SCardBeginTransaction(card->handle);
    return r == SCARD_S_SUCCESS ? 0 : pcsc_fail(e, name, r);
}

int card_open_reader(const char *reader, struct card **ret, struct lab_error *e)
{
    static const struct way pcsc = { pcsc_transmit, pcsc_reset, pcsc_close };
    struct card *card = card_new(&pcsc, e);

    if (card == NULL)
        return ERR_INPUT;
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

void card_close(struct card **card)
{
    if (*card == NULL)
        return;
    (*card)->way->close(*card);
    free(*card);
    *card = NULL;
}

int card_reset(struct card *card, struct lab_error *e)
{
    return card->way->reset(card, e);
}

int card_transmit(struct card *card, struct rd command, struct wr *ret_data, uint16_t *ret_sw,
                  struct lab_error *e)
{
    size_t n = 0;

    TRY(card->way->transmit(card, command, &n, e));
    if (n < SW_LEN)
        return lab_fail(e, "the card's response has no status word");
    wr_put(ret_data, card->response, n - SW_LEN);
    *ret_sw = (uint16_t)(card->response[n - 2] << 8 | card->response[n - 1]);
    return wr_failed(ret_data) == 0 ? 0 : lab_fail(e, "the card's response is too long");
}
