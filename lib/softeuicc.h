/* softeuicc.h - the chip as a library; lib/example.c is a program that uses it.
 *
 * A card is an object: a thousand fit into one process.  The library has no globals, no threads
 * and no signal handlers, and prints nothing; what it has to say goes to the sink that the caller
 * gives.  A card, with its struct softeuicc_crypto, is used by one thread at a time.
 *
 * Functions that return int give 0 or a negative number with one readable line, without a newline,
 * in the caller's error buffer. */
#ifndef SOFTEUICC_H
#define SOFTEUICC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* all of this header, and nothing else, is exported */
#endif

enum {
    SOFTEUICC_ERROR_LEN = 256,
    SOFTEUICC_ATR_MAX = 33,
    SOFTEUICC_EID_LEN = 32,             /* digits */
    SOFTEUICC_RESPONSE_MAX = 65536 + 2, /* longest response APDU */
};

#define SOFTEUICC_VERSION "0.1.0"

struct softeuicc;

/* What the trace tells; see docs/TRACE.md. */
enum softeuicc_event {
    SOFTEUICC_COMMAND,
    SOFTEUICC_RESPONSE,
    SOFTEUICC_CHECK,
    SOFTEUICC_FAULT,
    SOFTEUICC_NOTE,
    SOFTEUICC_RULE,      /* a fault of --fault or the back door: set, or at work */
    SOFTEUICC_COMMIT,    /* the storage has taken what was written */
    SOFTEUICC_REQUEST,   /* an ES10 function: its name, and its request as a TLV */
    SOFTEUICC_ANSWER,    /* the same, and its answer */
    SOFTEUICC_PROACTIVE, /* a proactive command: its name and octets, as they are fetched */
    SOFTEUICC_TLS,       /* a connection that ends in the card; never its keys or plain text */
};

/* text is a line without newline, for a command its name, for a response what its status word
 * says; bytes is the APDU, TLV or NULL.  Secrets, such as PINs, are FF (trace_secrets). */
typedef void softeuicc_trace_fn(void *ctx, enum softeuicc_event event, const char *text,
                                const uint8_t *bytes, size_t n);

/* An event as one line without newline, text or a JSON object, malloc'd; NULL without memory. */
char *softeuicc_event_line(enum softeuicc_event event, const char *text, const uint8_t *bytes,
                           size_t n, bool json);

/* Cryptography that cards share, all of them used by one thread at a time: a process whose threads
 * have cards of their own has one for each thread.  It is freed after its cards.  seed NULL: the
 * system's randomness; otherwise everything random is derived from it (tests only).  NULL when
 * OpenSSL refuses. */
struct softeuicc_crypto;
struct softeuicc_crypto *softeuicc_crypto_new(const char *seed);
void softeuicc_crypto_free(struct softeuicc_crypto **c);

/* A KEY=VALUE of docs/SETTINGS.md. */
struct softeuicc_setting {
    const char *key;
    const char *value;
};

struct softeuicc_bytes {
    const uint8_t *p;
    size_t n;
};

/* How a card is made. */
struct softeuicc_new {
    /* A name of softeuicc_preset_at(), or NULL; what follows adds to it.  Behind the name and a
     * comma may stand words as in profile_words, for the preset's first profile. */
    const char *preset;
    const char *eid;     /* 32 digits; NULL: 89049032123451234512345678901235; "random" */
    const char *seed;    /* keys and a random EID are derived from it (tests only); or NULL */
    const char *pki_dir; /* layout of SGP.26 v1; NULL: the test PKI that is compiled in */
    const struct softeuicc_setting *settings;
    size_t n_settings;
    const struct softeuicc_bytes *profiles; /* profile packages (UPP, DER), installed disabled */
    size_t n_profiles;
    /* Of each profile, words separated by commas: class=test|provisioning|operational,
     * fallback-allowed, fallback, ecall, enabled, iccid=, provider=, name=, nickname=, notify=,
     * owner=, ppr=, icon=, aid= (applets/isdr/preload.h); NULL, or a NULL among them: none. */
    const char *const *profile_words;
    const struct softeuicc_bytes *eims; /* EimConfigurationData or AddInitialEimRequest, DER */
    size_t n_eims;
};

/* Makes a card in a new file (mode 0600) and closes it.  An existing file is left alone: an error.
 * crypto may be NULL. */
int softeuicc_new(const char *path, const struct softeuicc_new *how,
                  struct softeuicc_crypto *crypto, char error[SOFTEUICC_ERROR_LEN]);

/* How a card is opened. */
struct softeuicc_options {
    struct softeuicc_crypto *crypto; /* NULL: one of its own */
    softeuicc_trace_fn *trace;       /* NULL: no trace */
    void *trace_ctx;
    bool trace_secrets; /* PINs and the like, too */
    bool read_only;     /* for softeuicc_show(): takes no lock, writes nothing, serves no APDU */
};

/* Opens the card in a file and takes its lock.  The card is powered off. */
int softeuicc_open(const char *path, const struct softeuicc_options *options,
                   struct softeuicc **ret, char error[SOFTEUICC_ERROR_LEN]);

/* Makes and opens a card that lives in memory only. */
int softeuicc_open_memory(const struct softeuicc_new *how, const struct softeuicc_options *options,
                          struct softeuicc **ret, char error[SOFTEUICC_ERROR_LEN]);

/* The EID as 32 digits.  false when the card does not read. */
bool softeuicc_eid(struct softeuicc *card, char ret[SOFTEUICC_EID_LEN + 1]);

/* Powers the card off, gives up the lock, frees everything; *card becomes NULL. */
void softeuicc_close(struct softeuicc **card);

/* Power on (a cold reset if it was on) and off; warm reset.  All volatile state goes. */
int softeuicc_power_on(struct softeuicc *card);
void softeuicc_power_off(struct softeuicc *card);
int softeuicc_reset(struct softeuicc *card);
bool softeuicc_is_on(const struct softeuicc *card);

/* The answer to reset; also while powered off.  Returns its length. */
size_t softeuicc_atr(const struct softeuicc *card, uint8_t ret[SOFTEUICC_ATR_MAX]);

/* One command APDU (n octets), one response APDU with its status word.  response has room for
 * SOFTEUICC_RESPONSE_MAX octets.  Returns the length of the response, at least 2; 0 when the card
 * is mute, because its storage lost power on the way or a fault wants it.  A card that is off, or
 * that lost power before, is powered on first. */
size_t softeuicc_transmit(struct softeuicc *card, const uint8_t *command, size_t n,
                          uint8_t *response);

/* How many milliseconds the answer to the last command shall be held back, which is the caller's
 * to do; 0 unless a fault wants it. */
unsigned softeuicc_delay(const struct softeuicc *card);

/* The back door: one line of docs/CONTROL.md, such as "cut-after 3" or "status".  The answer, one
 * line without newline, or the error goes to reply.  0, or negative when the line was refused. */
int softeuicc_control(struct softeuicc *card, const char *line, char *reply, size_t size);

/* The same for the lines that set a fault, and for no others. */
int softeuicc_fault(struct softeuicc *card, const char *line, char *reply, size_t size);

/* The n-th of all these lines, from 0: its first word, the others, what it does, what is answered.
 * false behind the last. */
struct softeuicc_control_info {
    const char *name, *arguments, *meaning, *answer;
    bool is_fault;
};
bool softeuicc_control_at(size_t n, struct softeuicc_control_info *ret);

/* What the card holds, as readable text or as JSON (malloc'd, to be freed by the caller). */
char *softeuicc_show(struct softeuicc *card, bool json);

/* The n-th of all settings, from 0: key, default and one line of meaning.  false behind the
 * last. */
struct softeuicc_setting_info {
    const char *key, *initial, *meaning;
};
bool softeuicc_setting_at(size_t n, struct softeuicc_setting_info *ret);

/* The n-th of all presets, from 0: its name and one line of meaning.  false behind the last. */
struct softeuicc_preset_info {
    const char *name, *meaning;
};
bool softeuicc_preset_at(size_t n, struct softeuicc_preset_info *ret);

/* Makes a test PKI in the layout of SGP.26 v1 in a directory that is new or empty. */
int softeuicc_make_pki(const char *dir, struct softeuicc_crypto *crypto,
                       char error[SOFTEUICC_ERROR_LEN]);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
