/* scp80.h - secured packets of remote management: the command packet taken apart, deciphered and
 * checked, and the response packet (ETSI TS 102 225 5, 3GPP TS 31.115 4).
 *
 * Knows octets and keys only: which application a TAR means, which key a version number means, and
 * where counters are kept is the business of ota.c. */
#ifndef APPLETS_OTA_SCP80_H
#define APPLETS_OTA_SCP80_H

#include "os/crypto.h"

enum {
    SCP80_TAR_LEN = 3,
    SCP80_COUNTER_LEN = 5,
    SCP80_HEADER_LEN = 10, /* CPL to TAR */
};

#define SCP80_COUNTER_MAX UINT64_C(0xFFFFFFFFFF)

/* Response status codes, TS 102 225 5.2.1. */
enum scp80_status {
    SCP80_OK = 0x00,
    SCP80_CC_FAILED = 0x01, /* RC, CC or DS */
    SCP80_COUNTER_LOW = 0x02,
    SCP80_COUNTER_HIGH = 0x03,
    SCP80_COUNTER_BLOCKED = 0x04,
    SCP80_CIPHERING_ERROR = 0x05,
    SCP80_SECURITY_ERROR = 0x06, /* unidentified */
    SCP80_NO_MEMORY = 0x07,
    SCP80_MORE_TIME = 0x08,
    SCP80_TAR_UNKNOWN = 0x09,
    SCP80_INSUFFICIENT_LEVEL = 0x0A,
    SCP80_RESPONSE_IN_SUBMIT = 0x0B,
    SCP80_RESPONSE_IN_USSD = 0x0C,
};

/* "CC failed"; never NULL. */
const char *scp80_status_name(int status);

/* SPI, TS 102 225 5.1.1. */
enum {
    SPI1_INTEGRITY = 0x03, /* none, RC, CC, DS */
    SPI1_CIPHERED = 0x04,
    SPI1_COUNTER = 0x18, /* none; there, unchecked; higher; one higher */

    SPI1_RC = 0x01,
    SPI1_CC = 0x02,
    SPI1_DS = 0x03,
    SPI1_COUNTER_HIGHER = 0x10,
    SPI1_COUNTER_NEXT = 0x18,

    SPI2_ANSWER = 0x03, /* never, always, when refused */
    SPI2_ANSWER_ALWAYS = 0x01,
    SPI2_ANSWER_ON_ERROR = 0x02,
    SPI2_INTEGRITY = 0x0C, /* none, RC, CC, DS */
    SPI2_RC = 0x04,
    SPI2_CC = 0x08,
    SPI2_DS = 0x0C,
    SPI2_CIPHERED = 0x10,
    SPI2_BY_SUBMIT = 0x20,
};

/* A key and what it is for; n == 0: none. */
struct scp80_key {
    enum cipher_family family;
    uint8_t b[CIPHER_MAX_KEY];
    size_t n;
    size_t mac_len; /* octets of an AES-CMAC that are sent */
};

static inline struct rd scp80_key_octets(const struct scp80_key *k)
{
    return rd_of(k->b, k->n);
}

/* A command packet taken apart; views into it. */
struct scp80_command {
    uint8_t spi1, spi2, kic, kid;
    uint8_t tar[SCP80_TAR_LEN];
    size_t cc_len;     /* octets of RC, CC or DS */
    struct rd header;  /* CPL to TAR, in clear */
    struct rd secured; /* CNTR to the end, ciphered or not */
};

/* 0, or ERR_INPUT when the lengths contradict each other. */
int scp80_parse(struct rd packet, struct scp80_command *ret);

/* Is every part of SPI1 as strong as the minimum security level asks? */
bool scp80_reaches(uint8_t spi1, uint8_t level);

/* What KIc and KID are needed for: the command or its answer. */
bool scp80_needs_kic(const struct scp80_command *c);
bool scp80_needs_kid(const struct scp80_command *c);

/* KIc or KID: the version number of the key, and whether a key is of the algorithm it names. */
static inline uint8_t scp80_key_version(uint8_t coding)
{
    return coding >> 4;
}
bool scp80_key_fits(uint8_t coding, const struct scp80_key *key);

struct scp80_plain {
    uint64_t counter;
    struct rd data; /* without padding */
};

/* Deciphers into buffer (room for c->secured.n octets) and checks RC or CC.  An enum scp80_status,
 * or a fault.  With SCP80_OK and SCP80_CC_FAILED the counter is set. */
int scp80_open(struct crypto *crypto, const struct scp80_command *c, const struct scp80_key *kic,
               const struct scp80_key *kid, uint8_t *buffer, struct scp80_plain *ret);

/* Is a counter kept for this packet, and what does it say?  last: the highest one accepted. */
bool scp80_counts(const struct scp80_command *c);
int scp80_check_counter(const struct scp80_command *c, uint64_t last, uint64_t received);

struct scp80_answer {
    const struct scp80_command *to;
    const struct scp80_key *kic, *kid;
    bool secured; /* as SPI2 asks; false: in clear, whatever it asks */
    uint64_t counter;
    int status;
    struct rd data;
    struct rd before; /* user data header in front of the packet: the CC covers it */
};

bool scp80_wants_answer(const struct scp80_command *c, int status);

/* Most octets of data for a response packet of `size` octets that is secured as SPI2 asks. */
size_t scp80_answer_room(const struct scp80_command *c, const struct scp80_key *kic,
                         const struct scp80_key *kid, size_t size);

/* Appends the response packet, RPL first. */
int scp80_put_answer(struct crypto *crypto, const struct scp80_answer *a, struct wr *ret);

#endif
