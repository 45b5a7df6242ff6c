/* fuzz_ipa.c - what an IPA reads of an eIM and of a eUICC (SGP.32 5.14, 2.11).  The first octet of
 * the input is a function's number; 0x80 on the rest is the JSON answer of it, else the rest is
 * octets. */
#include <stdlib.h>

#include "asn1/esipa_download.h"
#include "lab/esipa_json.h"
#include "lab/ipa_compact.h"
#include "lab/ipa_json.h"
#include "lab/ipa_message.h"
#include "lab/ipa_result.h"
#include "os/err.h"
#include "tests/fuzz/fuzz.h"

enum { AS_JSON = 0x80, ROOM = 1 << 20, TEXT_LEN = 1024, MAX_RECORDS = 4 };

static const char *const functions[] = { "getEimPackage",          "provideEimPackageResult",
                                         "handleNotification",     "initiateAuthentication",
                                         "authenticateClient",     "cancelSession",
                                         "getBoundProfilePackage", "transferEimPackage" };

static void read_step(struct rd in)
{
    struct wr fields[N_FIELDS];
    struct tlv arm;

    for (size_t i = 0; i < N_FIELDS; i++)
        wr_init_heap(&fields[i], ROOM);
    for (enum download_step step = STEP_INITIATE; step <= STEP_CANCEL; step++)
        if (esipa_read_step(in, step, &arm) == 0)
            esipa_take_fields(step, arm.value, fields);
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_done(&fields[i]);
}

static void read_octets(struct rd in)
{
    const struct compact_known known = { .info2 = true };
    struct eim_record records[MAX_RECORDS], record;
    struct esipa_package package;
    struct esipa_acks acks;
    struct euicc_package request;
    struct package_result result;
    struct download_from from;
    struct data_request data;
    struct rd address;
    uint64_t number;
    char text[TEXT_LEN];
    const char *function;
    struct lab_error e;
    cJSON *json = NULL;
    struct wr w;
    size_t n;

    wr_init_heap(&w, ROOM);
    eim_record_read(in, &record);
    eim_records_read(in, records, N_ELEMS(records), &n);
    esipa_read_package(in, &package);
    esipa_read_acks(in, &acks);
    esipa_read_ack_list(in, &acks);
    esipa_read_euicc_package(in, &request);
    esipa_read_package_result(in, &result);
    package_result_text(in, text, sizeof text);
    package_result_ok(in);
    download_from_read(in, &from);
    esipa_read_data_request(in, ESIPA_V1_0, &data);
    esipa_read_data_request(in, ESIPA_V1_1, &data);
    compact_authenticate(in, &known, &w);
    compact_prepare(in, &w);
    compact_cancel(in, &w);
    compact_notification(in, &w);
    esipa_read_notification(in, &number, &address);
    esipa_read_provided(in, &number);
    read_step(in);
    if (ipa_json_request(in, &function, &json, &e) == 0) {
        wr_clear(&w);
        esipa_request_from_json(function, json, &w);
    }
    cJSON_Delete(json);
    wr_done(&w);
}

static void read_json(const char *function, struct rd text)
{
    struct lab_error e = { "" };
    struct wr w;

    wr_init_heap(&w, ROOM);
    if (ipa_json_answer(function, text, &w, &e) == 0)
        read_octets(wr_view(&w));
    wr_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    uint8_t which = fuzz_u8(&in);
    size_t n;

    uint8_t *octets = fuzz_copy(&in, in.n, &n);
    if (which & AS_JSON)
        read_json(functions[which % N_ELEMS(functions)], rd_of(octets, n));
    else
        read_octets(rd_of(octets, n));
    free(octets);
    return 0;
}
