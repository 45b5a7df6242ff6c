/* fuzz_eim.c - the lab's eIM without its transport (SGP.32 5.14).  The input is an octet of options
 * and then steps:
 *
 *   'M' length(2) octets   a message
 *   'S' length(2) octets   a package result; these are its signed fields, and the eUICC
 *                          signs them
 *   'J' n length(2) text   the JSON of the n-th function
 *   'Q' length(2) text     words of an order, separated by blanks, which is queued
 *
 * Any other octet stands for one of these.  Options: bits 0 and 1 the version of the device; bit 2
 * it has an association token; bit 3 unknown devices are taken in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <EsipaMessageFromEimToIpa.h>

#include "asn1/der.h"
#include "certs/pki.h"
#include "lab/eim.h"
#include "lab/eim_package.h"
#include "lab/esipa.h"
#include "lab/esipa_json.h"
#include "os/err.h"
#include "os/tlv.h"
#include "os/x509.h"
#include "tests/fuzz/fuzz.h"

enum {
    VERSION_BITS = 3,
    V1_0 = 1, /* of them; 0: as the device shows */
    WITH_TOKEN = 1 << 2,
    TAKES_ANY = 1 << 3,
    TOKEN = 5,
    MAX_STEPS = 16,
    MAX_WORDS = 24,
    ROOM = 1 << 20,
    NEVER = -1000, /* no error of ours: takes back what an input did */
};

static const char eid_text[] = "89049032123451234512345678901235";

static struct crypto *crypto;
static struct eim *eim;
static struct ec_key *euicc_key;

/* --- the eIM ---------------------------------------------------------------------------------- */

static void read_file(const struct pki *pki, const char *name, struct wr *ret)
{
    wr_clear(ret);
    oracle(pki_read(pki, name, ret) == 0, name);
}

/* Its file lives as long as this process has it open. */
static void open_eim(void)
{
    struct eim_choices choices = { .fqdn = "127.0.0.1:8444",
                                   .id_type = EIM_ID_PROPRIETARY,
                                   .curve = CURVE_P256,
                                   .token = true,
                                   .indirect = true };
    struct lab_error e = { "" };
    struct db *db = NULL;
    char path[64], name[80];

    crypto = crypto_new(rd_str("fuzz_eim"));
    snprintf(path, sizeof path, "/tmp/fuzz_eim-%ld", (long)getpid());
    unlink(path);
    oracle(crypto != NULL && store_create(path, &db, &e) == 0 &&
               eim_identity_create(crypto, &choices, db, &e) == 0,
           e.text);
    db_close(&db);
    oracle(eim_open(crypto, path, rd_of(NULL, 0), &eim, &e) == 0, e.text);
    es9p_client_free(&eim->smdp); /* nobody to talk to */
    unlink(path);
    snprintf(name, sizeof name, "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
}

static void put_device(unsigned options)
{
    static const enum sgp32_version versions[] = { SGP32_UNKNOWN, SGP32_V1_0, SGP32_V1_2,
                                                   SGP32_V1_3 };
    struct eim_device d = { .token_state = options & WITH_TOKEN ? TOKEN_KNOWN : TOKEN_NONE,
                            .token = options & WITH_TOKEN ? TOKEN : 0,
                            .version = versions[options & VERSION_BITS] };
    static struct wr certificates[2]; /* read once */
    static const char *const columns[] = { DEVICE_EUICC_CERT, DEVICE_EUM_CERT };
    struct pki *pki = NULL;

    if (certificates[0].p == NULL) {
        struct wr key;
        oracle(pki_open(NULL, &pki) == 0, "the PKI opens");
        for (unsigned i = 0; i < 2; i++)
            wr_init_heap(&certificates[i], PKI_MAX_FILE);
        wr_init_heap(&key, PKI_MAX_FILE);
        read_file(pki, "eUICC/CERT_EUICC_ECDSA_NIST.der", &certificates[0]);
        read_file(pki, "EUM/CERT_EUM_ECDSA_NIST.der", &certificates[1]);
        read_file(pki, "eUICC/SK_EUICC_ECDSA_NIST.pem", &key);
        oracle(ec_key_read(crypto, wr_view(&key), &euicc_key) == 0, "the eUICC has a key");
        wr_done(&key);
        pki_close(&pki);
    }
    memcpy(d.eid, eid_text, sizeof d.eid);
    oracle(store_put_device(eim->db, &d) == 0, "a device can be registered");
    for (unsigned i = 0; i < 2; i++)
        oracle(store_put_blob(eim->db, d.eid, columns[i], wr_view(&certificates[i])) == 0,
               "its certificates are kept");
}

/* --- messages to it --------------------------------------------------------------------------- */

static const char *const functions[] = { "getEimPackage",          "provideEimPackageResult",
                                         "handleNotification",     "initiateAuthentication",
                                         "authenticateClient",     "cancelSession",
                                         "getBoundProfilePackage", "transferEimPackage" };

/* It is an ESipa message, and can be told as JSON.  Our module knows the messages from v1.1 on; an
 * empty answer to a result is one of v1.0, for a message that has its form. */
static void check_answer(struct rd answer, bool is_v1_0)
{
    static const uint8_t empty[] = { 0xBF, 0x50, 0x00 };
    void *value = NULL;

    oracle(is_v1_0 || rd_equal(answer, rd_of(empty, sizeof empty)) ||
               der_decode(&asn_DEF_EsipaMessageFromEimToIpa, answer.p, answer.n, &value) == 0,
           "the eIM's answer decodes");
    der_free(&asn_DEF_EsipaMessageFromEimToIpa, value);
    cJSON *json = esipa_answer_to_json(answer);
    oracle(json != NULL, "the eIM's answer can be told as JSON");
    cJSON_Delete(json);
}

static int handle(struct rd message, struct wr *answer)
{
    cJSON *log = cJSON_CreateObject();

    wr_clear(answer);
    int r = eim_handle(eim, message, "", log, answer);
    oracle(r == 0 || r == ERR_INPUT, "the eIM does not fail");
    cJSON_Delete(log);
    return r;
}

static void tell_eim(struct rd message, unsigned options)
{
    bool is_v1_0 = (options & VERSION_BITS) <= V1_0; /* or looks like it */

    struct wr answer, again;

    wr_init_heap(&answer, EIM_ANSWER_MAX);
    wr_init_heap(&again, EIM_ANSWER_MAX);
    if (handle(message, &answer) == 0 && answer.n > 0) {
        check_answer(wr_view(&answer), is_v1_0);
        if (message.p[1] == (ESIPA_PROVIDE_EIM_PACKAGE_RESULT & 0xFF) &&
            handle(message, &again) == 0)
            oracle(rd_equal(wr_view(&answer), wr_view(&again)),
                   "what is delivered twice gets the same answer");
    }
    wr_done(&answer);
    wr_done(&again);
}

static void tell_result(struct rd fields, unsigned options)
{
    uint8_t eid[EIM_EID_LEN], signature[EC_SIGNATURE_LEN], room[16];
    struct wr data, token, message;

    oracle(eim_eid_read(eid_text, eid), "the EID is one");
    wr_init_heap(&data, ROOM);
    struct wr_mark m = tlv_open(&data, 0x30);
    wr_put_rd(&data, fields);
    tlv_close(&data, m);
    wr_init(&token, room, sizeof room);
    const struct rd parts[] = {
        wr_view(&data),
        (eim_put_token(&token, options & WITH_TOKEN ? TOKEN : 0), wr_view(&token)),
    };
    oracle(ecdsa_sign(crypto, euicc_key, parts, 2, signature) == 0, "the eUICC can sign");
    wr_init_heap(&message, ROOM);
    m = tlv_open(&message, ESIPA_PROVIDE_EIM_PACKAGE_RESULT);
    tlv_put(&message, 0x5A, rd_of(eid, sizeof eid));
    struct wr_mark result = tlv_open(&message, EUICC_PACKAGE);
    struct wr_mark arm = tlv_open(&message, 0xA0);
    wr_put_rd(&message, wr_view(&data));
    tlv_put(&message, 0x5F37, rd_of(signature, sizeof signature));
    tlv_close(&message, arm);
    tlv_close(&message, result);
    tlv_close(&message, m);
    tell_eim(wr_view(&message), options);
    wr_done(&data);
    wr_done(&message);
}

static void tell_json(const char *function, struct rd text, unsigned options)
{
    cJSON *in = cJSON_ParseWithLength((const char *)text.p, text.n);
    struct wr message;

    wr_init_heap(&message, ROOM);
    if (in != NULL && esipa_request_from_json(function, in, &message) == 0)
        tell_eim(wr_view(&message), options);
    wr_done(&message);
    cJSON_Delete(in);
}

static void queue(struct rd text)
{
    static char rat[] = "rat";
    char *copy = malloc(text.n + 1), *words[MAX_WORDS];
    struct lab_error e = { "" };
    enum work_kind kind;
    size_t n_words = 0;
    struct wr order;
    int64_t number;

    oracle(copy != NULL, "there is memory");
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    for (char *word = strtok(copy, " "); word != NULL && n_words < MAX_WORDS;
         word = strtok(NULL, " "))
        words[n_words++] = strcmp(word, "raw") != 0 ? word : rat; /* it would take anything */
    wr_init_heap(&order, ROOM);
    if (eim_order_read(n_words, words, &kind, &order, &e) == 0) {
        struct eim_order o = { kind, FOR_USER, wr_view(&order), "order", "" };
        oracle(store_add_work(eim->db, eid_text, &o, &number) == 0, "work can be queued");
    } else {
        oracle(e.text[0] != '\0', "a refusal has a reason");
    }
    wr_done(&order);
    free(copy);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void step(struct rd *in, unsigned options)
{
    static const char kinds[] = { 'M', 'S', 'J', 'Q' };
    uint8_t what = fuzz_u8(in);
    const char *function = NULL;
    size_t n;

    if (memchr(kinds, what, sizeof kinds) == NULL)
        what = (uint8_t)kinds[what % sizeof kinds];
    if (what == 'J')
        function = functions[fuzz_u8(in) % N_ELEMS(functions)];
    uint8_t *octets = fuzz_copy(in, fuzz_u16(in), &n);
    struct rd part = rd_of(octets, n);
    switch (what) {
    case 'M':
        tell_eim(part, options);
        break;
    case 'S':
        tell_result(part, options);
        break;
    case 'J':
        tell_json(function, part, options);
        break;
    default:
        queue(part);
        break;
    }
    free(octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    unsigned options = fuzz_u8(&in);

    if (eim == NULL)
        open_eim();
    eim->register_any = options & TAKES_ANY;
    oracle(db_begin(eim->db) == 0, "the store can be written");
    put_device(options);
    for (unsigned i = 0; i < MAX_STEPS && in.n > 0; i++)
        step(&in, options);
    oracle(db_end(eim->db, NEVER) == NEVER, "what an input did is taken back");
    return 0;
}
