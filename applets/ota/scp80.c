/* scp80.c - secured packets of remote management (ETSI TS 102 225 5).
 *
 *     CPL(2) CHL(1) SPI(2) KIc(1) KID(1) TAR(3) | CNTR(5) PCNTR(1) RC/CC(0 to 8) data padding
 *     RPL(2) RHL(1) TAR(3)                      | CNTR(5) PCNTR(1) status(1) RC/CC data padding
 *
 * What stands behind | is ciphered in one piece.  RC and CC cover everything but themselves.
 * Digital signatures are not there. */
#include "applets/ota/scp80.h"

#include <string.h>

#include "os/err.h"

enum {
    CPL_LEN = 2,
    CHL_BARE = 13,         /* SPI to PCNTR */
    RHL_BARE = 10,         /* TAR to status */
    ANSWER_HEADER_LEN = 6, /* RPL to TAR */
    ANSWER_STATUS_LEN = 7, /* CNTR, PCNTR, status */
    COMMAND_COUNTERS = SCP80_COUNTER_LEN + 1,

    CODING_MASK = 0x0F, /* of KIc and KID, TS 102 225 5.1.2 and 5.1.3 */
    CODING_IMPLICIT = 0x00,
    CODING_RC_32 = 0x05,

    CRC16_LEN = 2,
    CRC32_LEN = 4,
    DES_MAC_LEN = 8,
    ANSWER_PACKET_MAX = 1024,
};

static const struct {
    uint8_t coding;
    enum cipher_family family;
    size_t key_len; /* 0: any that the cipher has */
} algorithms[] = {
    { 0x01, CIPHER_DES, 8 },  /* DES-CBC; as KID its CBC-MAC */
    { 0x05, CIPHER_DES, 16 }, /* triple DES with two keys */
    { 0x09, CIPHER_DES, 24 }, /* with three */
    { 0x02, CIPHER_AES, 0 },  /* AES-CBC; as KID AES-CMAC */
};

const char *scp80_status_name(int status)
{
    static const char *const names[] = {
        [SCP80_OK] = "PoR OK",
        [SCP80_CC_FAILED] = "RC/CC/DS failed",
        [SCP80_COUNTER_LOW] = "CNTR low",
        [SCP80_COUNTER_HIGH] = "CNTR high",
        [SCP80_COUNTER_BLOCKED] = "CNTR blocked",
        [SCP80_CIPHERING_ERROR] = "ciphering error",
        [SCP80_SECURITY_ERROR] = "unidentified security error",
        [SCP80_NO_MEMORY] = "insufficient memory",
        [SCP80_MORE_TIME] = "more time",
        [SCP80_TAR_UNKNOWN] = "TAR unknown",
        [SCP80_INSUFFICIENT_LEVEL] = "insufficient security level",
        [SCP80_RESPONSE_IN_SUBMIT] = "response in SMS-SUBMIT",
        [SCP80_RESPONSE_IN_USSD] = "response in USSD",
    };

    return status >= 0 && (size_t)status < N_ELEMS(names) ? names[status] : "reserved";
}

int scp80_parse(struct rd packet, struct scp80_command *ret)
{
    const uint8_t *p = packet.p;

    if (packet.n < CPL_LEN + 1 + CHL_BARE || packet.n != CPL_LEN + (size_t)(p[0] << 8 | p[1]))
        return ERR_INPUT;
    size_t header_len = p[CPL_LEN];
    if (header_len < CHL_BARE || CPL_LEN + 1 + header_len > packet.n)
        return ERR_INPUT;
    *ret = (struct scp80_command){
        .spi1 = p[3],
        .spi2 = p[4],
        .kic = p[5],
        .kid = p[6],
        .tar = { p[7], p[8], p[9] },
        .cc_len = header_len - CHL_BARE,
        .header = rd_of(p, SCP80_HEADER_LEN),
        .secured = rd_of(p + SCP80_HEADER_LEN, packet.n - SCP80_HEADER_LEN),
    };
    return 0;
}

bool scp80_reaches(uint8_t spi1, uint8_t level)
{
    static const uint8_t groups[] = { SPI1_INTEGRITY, SPI1_CIPHERED, SPI1_COUNTER };

    for (size_t i = 0; i < N_ELEMS(groups); i++)
        if ((spi1 & groups[i]) < (level & groups[i]))
            return false;
    return true;
}

static bool answers(const struct scp80_command *c)
{
    return (c->spi2 & SPI2_ANSWER) != 0;
}

bool scp80_needs_kic(const struct scp80_command *c)
{
    return (c->spi1 & SPI1_CIPHERED) || (answers(c) && (c->spi2 & SPI2_CIPHERED));
}

bool scp80_needs_kid(const struct scp80_command *c)
{
    return (c->spi1 & SPI1_INTEGRITY) == SPI1_CC ||
           (answers(c) && (c->spi2 & SPI2_INTEGRITY) == SPI2_CC);
}

bool scp80_key_fits(uint8_t coding, const struct scp80_key *key)
{
    coding &= CODING_MASK;
    if (!cipher_key_fits(key->family, key->n))
        return false;
    if (coding == CODING_IMPLICIT) /* known to both: what the key is */
        return true;
    for (size_t i = 0; i < N_ELEMS(algorithms); i++)
        if (algorithms[i].coding == coding)
            return algorithms[i].family == key->family &&
                   (algorithms[i].key_len == 0 || algorithms[i].key_len == key->n);
    return false;
}

/* --- redundancy and cryptographic checksums --------------------------------------------------- */

/* ISO/IEC 13239, bits reflected: the remainder of 16 or 32 bits of the parts (TS 102 225 5.1.3). */
static uint32_t crc(const struct rd *parts, size_t n_parts, uint32_t polynomial, uint32_t ones)
{
    uint32_t remainder = ones;

    for (size_t i = 0; i < n_parts; i++)
        for (size_t j = 0; j < parts[i].n; j++) {
            remainder ^= parts[i].p[j];
            for (int bit = 0; bit < 8; bit++)
                remainder = (remainder & 1) ? remainder >> 1 ^ polynomial : remainder >> 1;
        }
    return remainder ^ ones;
}

static size_t put_crc(uint8_t coding, const struct rd *parts, size_t n_parts, uint8_t *ret)
{
    bool is_32 = (coding & CODING_MASK) == CODING_RC_32;
    uint32_t v =
        is_32 ? crc(parts, n_parts, 0xEDB88320, 0xFFFFFFFF) : crc(parts, n_parts, 0x8408, 0xFFFF);
    size_t n = is_32 ? CRC32_LEN : CRC16_LEN;

    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    return n;
}

static size_t mac_len(const struct scp80_key *kid)
{
    return kid->family == CIPHER_DES ? DES_MAC_LEN : kid->mac_len;
}

/* Octets of the checksum that one of SPI1 and SPI2, as SPI1 codes it, asks for. */
static size_t checksum_len(unsigned integrity, uint8_t coding, const struct scp80_key *kid)
{
    switch (integrity) {
    case SPI1_RC:
        return (coding & CODING_MASK) == CODING_RC_32 ? CRC32_LEN : CRC16_LEN;
    case SPI1_CC:
        return mac_len(kid);
    default:
        return 0;
    }
}

/* The checksum over the parts; ret has room for a block. */
static int checksum(struct crypto *crypto, unsigned integrity, uint8_t coding,
                    const struct scp80_key *kid, const struct rd *parts, size_t n_parts,
                    uint8_t ret[CIPHER_MAX_BLOCK])
{
    if (integrity == SPI1_RC)
        put_crc(coding, parts, n_parts, ret);
    else if (integrity == SPI1_CC)
        return cipher_mac(crypto, kid->family, scp80_key_octets(kid), parts, n_parts, ret);
    return 0;
}

/* --- command packets -------------------------------------------------------------------------- */

static uint64_t read_counter(const uint8_t *p)
{
    uint64_t v = 0;

    for (size_t i = 0; i < SCP80_COUNTER_LEN; i++)
        v = v << 8 | p[i];
    return v;
}

/* true: RC or CC is right, or none is asked for and none there. */
static int check_integrity(struct crypto *crypto, const struct scp80_command *c,
                           const struct scp80_key *kid, const uint8_t *plain, bool *ret)
{
    unsigned integrity = c->spi1 & SPI1_INTEGRITY;
    const uint8_t *sent = plain + COMMAND_COUNTERS;
    const struct rd parts[] = {
        c->header,
        rd_of(plain, COMMAND_COUNTERS),
        rd_of(sent + c->cc_len, c->secured.n - COMMAND_COUNTERS - c->cc_len),
    };
    uint8_t wanted[CIPHER_MAX_BLOCK];

    *ret = false;
    if (integrity == SPI1_DS || c->cc_len != checksum_len(integrity, c->kid, kid))
        return 0;
    TRY(checksum(crypto, integrity, c->kid, kid, parts, N_ELEMS(parts), wanted));
    *ret = crypto_equal(sent, wanted, c->cc_len);
    crypto_wipe(wanted, sizeof wanted);
    return 0;
}

int scp80_open(struct crypto *crypto, const struct scp80_command *c, const struct scp80_key *kic,
               const struct scp80_key *kid, uint8_t *buffer, struct scp80_plain *ret)
{
    static const uint8_t zero[CIPHER_MAX_BLOCK];
    size_t n = c->secured.n;
    bool good;

    if (c->spi1 & SPI1_CIPHERED) {
        if (n % cipher_block(kic->family) != 0)
            return SCP80_CIPHERING_ERROR;
        int err = cipher_cbc(crypto, kic->family, scp80_key_octets(kic), false, zero, c->secured.p,
                             n, buffer);
        if (err != 0)
            return err;
    } else {
        memcpy(buffer, c->secured.p, n);
    }
    ret->counter = read_counter(buffer);
    int err = check_integrity(crypto, c, kid, buffer, &good);
    if (err != 0)
        return err;
    if (!good)
        return SCP80_CC_FAILED;
    size_t padding = buffer[SCP80_COUNTER_LEN];
    size_t before = COMMAND_COUNTERS + c->cc_len;
    if (padding > n - before)
        return SCP80_CIPHERING_ERROR;
    ret->data = rd_of(buffer + before, n - before - padding);
    return SCP80_OK;
}

bool scp80_counts(const struct scp80_command *c)
{
    return (c->spi1 & SPI1_COUNTER) >= SPI1_COUNTER_HIGHER;
}

int scp80_check_counter(const struct scp80_command *c, uint64_t last, uint64_t received)
{
    if (!scp80_counts(c))
        return SCP80_OK;
    if (last >= SCP80_COUNTER_MAX)
        return SCP80_COUNTER_BLOCKED;
    if (received <= last)
        return SCP80_COUNTER_LOW;
    if ((c->spi1 & SPI1_COUNTER) == SPI1_COUNTER_NEXT && received != last + 1)
        return SCP80_COUNTER_HIGH;
    return SCP80_OK;
}

/* --- response packets ------------------------------------------------------------------------- */

bool scp80_wants_answer(const struct scp80_command *c, int status)
{
    switch (c->spi2 & SPI2_ANSWER) {
    case SPI2_ANSWER_ALWAYS:
        return true;
    case SPI2_ANSWER_ON_ERROR:
        return status != SCP80_OK;
    default:
        return false;
    }
}

/* SPI2's integrity as SPI1 codes it. */
static unsigned answer_integrity(const struct scp80_command *c)
{
    return (c->spi2 & SPI2_INTEGRITY) >> 2;
}

size_t scp80_answer_room(const struct scp80_command *c, const struct scp80_key *kic,
                         const struct scp80_key *kid, size_t size)
{
    size_t cc_len = checksum_len(answer_integrity(c), c->kid, kid);

    if (size < ANSWER_HEADER_LEN)
        return 0;
    size -= ANSWER_HEADER_LEN;
    if (c->spi2 & SPI2_CIPHERED)
        size -= size % cipher_block(kic->family);
    return size < ANSWER_STATUS_LEN + cc_len ? 0 : size - ANSWER_STATUS_LEN - cc_len;
}

/* CNTR, PCNTR, status. */
static void put_status(const struct scp80_answer *a, size_t padding, uint8_t *ret)
{
    for (size_t i = 0; i < SCP80_COUNTER_LEN; i++)
        ret[i] = (uint8_t)(a->counter >> 8 * (SCP80_COUNTER_LEN - 1 - i));
    ret[SCP80_COUNTER_LEN] = (uint8_t)padding;
    ret[SCP80_COUNTER_LEN + 1] = (uint8_t)a->status;
}

int scp80_put_answer(struct crypto *crypto, const struct scp80_answer *a, struct wr *ret)
{
    static const uint8_t zero[CIPHER_MAX_BLOCK];
    const struct scp80_command *c = a->to;
    bool ciphered = a->secured && (c->spi2 & SPI2_CIPHERED);
    unsigned integrity = a->secured ? answer_integrity(c) : 0;
    size_t cc_len = checksum_len(integrity, c->kid, a->kid);
    size_t n = ANSWER_STATUS_LEN + cc_len + a->data.n;
    size_t block = ciphered ? cipher_block(a->kic->family) : 1;
    size_t padding = (block - n % block) % block;
    size_t body_len = n + padding, whole = 1 + SCP80_TAR_LEN + body_len;
    uint8_t packet[ANSWER_PACKET_MAX] = { 0 }, cc[CIPHER_MAX_BLOCK];

    if (ANSWER_HEADER_LEN + body_len > sizeof packet)
        return ERR_NOMEM;
    uint8_t *body = packet + ANSWER_HEADER_LEN, *data = body + ANSWER_STATUS_LEN + cc_len;
    packet[0] = (uint8_t)(whole >> 8);
    packet[1] = (uint8_t)whole;
    packet[2] = (uint8_t)(RHL_BARE + cc_len);
    memcpy(packet + 3, c->tar, SCP80_TAR_LEN);
    put_status(a, padding, body);
    if (a->data.n > 0)
        memcpy(data, a->data.p, a->data.n);
    const struct rd parts[] = {
        a->before,
        rd_of(packet, ANSWER_HEADER_LEN + ANSWER_STATUS_LEN),
        rd_of(data, a->data.n + padding),
    };
    int err = checksum(crypto, integrity, c->kid, a->kid, parts, N_ELEMS(parts), cc);
    memcpy(body + ANSWER_STATUS_LEN, cc, cc_len);
    if (err == 0 && ciphered)
        err = cipher_cbc(crypto, a->kic->family, scp80_key_octets(a->kic), true, zero, body,
                         body_len, body);
    if (err == 0)
        wr_put(ret, packet, ANSWER_HEADER_LEN + body_len);
    crypto_wipe(packet, sizeof packet);
    return err != 0 ? err : wr_failed(ret);
}
