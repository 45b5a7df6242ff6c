/* pcsc.c - the little of PC/SC that doctor needs, loaded at run time. */
#include "cli/pcsc.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of the PC/SC interface as pcsc-lite has them. */
enum {
    SCOPE_SYSTEM = 2,
    SHARE_SHARED = 2,
    PROTOCOL_T0 = 1,
    PROTOCOL_T1 = 2,
    LEAVE_CARD = 0,
};

struct io_request {
    unsigned long protocol, length;
};

struct pcsc_api {
    void *library;
    long (*establish)(unsigned long, const void *, const void *, long *);
    long (*release)(long);
    long (*list)(long, const char *, char *, unsigned long *);
    long (*connect)(long, const char *, unsigned long, unsigned long, long *, unsigned long *);
    long (*disconnect)(long, unsigned long);
    long (*begin)(long);
    long (*end)(long, unsigned long);
    long (*transmit)(long, const struct io_request *, const uint8_t *, unsigned long,
                     struct io_request *, uint8_t *, unsigned long *);
    const char *(*error)(long);
};

/* ISO C does not convert an object pointer to a function pointer; POSIX gives them one shape. */
static bool find(void *library, const char *name, void *ret_function, size_t size)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, size);
    return symbol != NULL;
}

static bool find_all(struct pcsc_api *a)
{
    void *l = a->library;

    return find(l, "SCardEstablishContext", &a->establish, sizeof a->establish) &&
           find(l, "SCardReleaseContext", &a->release, sizeof a->release) &&
           find(l, "SCardListReaders", &a->list, sizeof a->list) &&
           find(l, "SCardConnect", &a->connect, sizeof a->connect) &&
           find(l, "SCardDisconnect", &a->disconnect, sizeof a->disconnect) &&
           find(l, "SCardBeginTransaction", &a->begin, sizeof a->begin) &&
           find(l, "SCardEndTransaction", &a->end, sizeof a->end) &&
           find(l, "SCardTransmit", &a->transmit, sizeof a->transmit) &&
           find(l, "pcsc_stringify_error", &a->error, sizeof a->error);
}

bool pcsc_load(struct pcsc *p)
{
    *p = (struct pcsc){ .api = calloc(1, sizeof *p->api) };
    if (p->api == NULL)
        return false;
    p->api->library = dlopen("libpcsclite.so.1", RTLD_NOW | RTLD_LOCAL);
    if (p->api->library != NULL && find_all(p->api))
        return true;
    pcsc_done(p);
    return false;
}

uint32_t pcsc_establish(struct pcsc *p)
{
    long r = p->api->establish(SCOPE_SYSTEM, NULL, NULL, &p->context);

    p->has_context = r == PCSC_OK;
    return (uint32_t)r;
}

uint32_t pcsc_list_readers(struct pcsc *p, char ret[PCSC_READERS_MAX])
{
    unsigned long n = PCSC_READERS_MAX;

    return (uint32_t)p->api->list(p->context, NULL, ret, &n);
}

uint32_t pcsc_connect(struct pcsc *p, const char *reader)
{
    long r = p->api->connect(p->context, reader, SHARE_SHARED, PROTOCOL_T0 | PROTOCOL_T1, &p->card,
                             &p->protocol);

    p->has_card = r == PCSC_OK;
    return (uint32_t)r;
}

uint32_t pcsc_begin(struct pcsc *p)
{
    return (uint32_t)p->api->begin(p->card);
}

uint32_t pcsc_transmit(struct pcsc *p, const uint8_t *command, size_t n, uint8_t *response,
                       size_t size, size_t *ret_n)
{
    const struct io_request request = { p->protocol, sizeof request };
    unsigned long got = size;
    long r = p->api->transmit(p->card, &request, command, n, NULL, response, &got);

    *ret_n = r == PCSC_OK ? got : 0;
    return (uint32_t)r;
}

const char *pcsc_error(const struct pcsc *p, uint32_t code)
{
    return p->api->error((long)code);
}

void pcsc_done(struct pcsc *p)
{
    if (p->has_card) {
        p->api->end(p->card, LEAVE_CARD);
        p->api->disconnect(p->card, LEAVE_CARD);
    }
    if (p->has_context)
        p->api->release(p->context);
    if (p->api != NULL && p->api->library != NULL)
        dlclose(p->api->library);
    free(p->api);
    *p = (struct pcsc){ 0 };
}
