/* ipa.c - the device's side of RSP on the command line: options, and local profile management
 * (SGP.22 3.2, 5.7.8, 5.7.15 to 5.7.21). */
#include "lab/ipa.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/identity.h"
#include "lab/lab.h"
#include "lib/softeuicc.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    REQUEST_MAX = 512,
    AID_MAX_LEN = 16,
    CA_MAX = 1024 * 1024,

    TAG_EUICC_INFO2 = 0xBF22,
    TAG_SET_NICKNAME = 0xBF29,
    TAG_PROFILES_INFO = 0xBF2D,
    TAG_ENABLE = 0xBF31,
    TAG_DISABLE = 0xBF32,
    TAG_DELETE = 0xBF33,
    TAG_MEMORY_RESET = 0xBF34,
    TAG_CONFIGURED_ADDRESSES = 0xBF3C,
    TAG_EUICC_DATA = 0xBF3E,
    TAG_PROFILE_INFO = 0xE3,
    TAG_ICCID = 0x5A,
    TAG_EID = 0x5A,
    TAG_AID = 0x4F,
    TAG_TAG_LIST = 0x5C,
    TAG_PROFILE_STATE = 0x9F70,
    TAG_NICKNAME = 0x90,
    TAG_PROVIDER = 0x91,
    TAG_NAME = 0x92,
    TAG_CLASS = 0x95,
    TAG_FREE_NVM = 0x82,

    RESET_ALL = 0x7, /* resetOptions: operational and test profiles, default SM-DP+ address */
};

int ipa_call(struct ipa *ipa, const struct wr *request, struct rd *ret, struct lab_error *e)
{
    if (wr_failed(request) != 0)
        return lab_fail(e, "the request is too long");
    return es10_call(&ipa->es10, wr_view(request), &ipa->answer, ret, e);
}

void ipa_print_json(cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);

    if (text != NULL)
        printf("%s\n", text);
    cJSON_free(text);
    cJSON_Delete(value);
}

/* A request without contents. */
static int get(struct ipa *ipa, uint32_t tag, struct rd *ret, struct lab_error *e)
{
    uint8_t room[8];
    struct wr request;

    wr_init(&request, room, sizeof room);
    tlv_put_header(&request, tag, 0);
    return ipa_call(ipa, &request, ret, e);
}

/* --- info ------------------------------------------------------------------------------------- */

static void add_text(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    char text[512];
    struct tlv t;

    if (tlv_find(in, tag, &t))
        cJSON_AddStringToObject(out, name, printable(t.value, text, sizeof text));
}

static void add_hex(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    char text[512];
    struct tlv t;

    if (tlv_find(in, tag, &t))
        cJSON_AddStringToObject(out, name, hex_text(t.value, text, sizeof text));
}

static void add_version(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    char text[16];
    struct tlv t;

    if (!tlv_find(in, tag, &t) || t.value.n != 3)
        return;
    snprintf(text, sizeof text, "%u.%u.%u", t.value.p[0], t.value.p[1], t.value.p[2]);
    cJSON_AddStringToObject(out, name, text);
}

static void add_list(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    cJSON *list = cJSON_AddArrayToObject(out, name);
    char text[2 * SKI_LEN + 1];
    struct tlv all, one;

    if (!tlv_find(in, tag, &all))
        return;
    while (all.value.n > 0 && tlv_get(&all.value, &one) == 0)
        cJSON_AddItemToArray(list, cJSON_CreateString(hex_text(one.value, text, sizeof text)));
}

static void add_info2(cJSON *out, struct rd info)
{
    struct tlv resource, free_nvm;
    uint64_t octets;

    add_version(out, "svn", info, 0x82);
    add_version(out, "profileVersion", info, 0x81);
    add_version(out, "euiccFirmwareVer", info, 0x83);
    add_version(out, "ts102241Version", info, 0x86);
    add_version(out, "globalplatformVersion", info, 0x87);
    if (tlv_find(info, 0x84, &resource) && tlv_find(resource.value, TAG_FREE_NVM, &free_nvm)) {
        octets = 0;
        for (size_t i = 0; i < free_nvm.value.n && i < 8; i++)
            octets = octets << 8 | free_nvm.value.p[i];
        cJSON_AddNumberToObject(out, "freeNonVolatileMemory", (double)octets);
    }
    add_hex(out, "uiccCapability", info, 0x85);
    add_hex(out, "rspCapability", info, 0x88);
    add_version(out, "ppVersion", info, 0x04);
    add_text(out, "sasAcreditationNumber", info, 0x0C);
    add_list(out, "euiccCiPKIdListForVerification", info, 0xA9);
    add_list(out, "euiccCiPKIdListForSigning", info, 0xAA);
}

/* NAME VALUE lines; the values of a list one after the other. */
static void print_lines(const cJSON *object)
{
    for (const cJSON *field = object->child; field != NULL; field = field->next) {
        printf("%s", field->string);
        if (cJSON_IsString(field))
            printf(" %s", field->valuestring);
        if (cJSON_IsNumber(field))
            printf(" %.0f", field->valuedouble);
        for (const cJSON *item = field->child; item != NULL; item = item->next)
            printf(" %s", item->valuestring);
        printf("\n");
    }
}

static int read_info(struct ipa *ipa, cJSON *out, struct lab_error *e)
{
    static const uint8_t only_eid[] = { TAG_EID };
    uint8_t room[16];
    struct wr request;
    struct rd value;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_EUICC_DATA);
    tlv_put(&request, TAG_TAG_LIST, rd_of(only_eid, sizeof only_eid));
    tlv_close(&request, mark);
    TRY(ipa_call(ipa, &request, &value, e));
    add_hex(out, "eid", value, TAG_EID);
    TRY(get(ipa, TAG_CONFIGURED_ADDRESSES, &value, e));
    add_text(out, "defaultDpAddress", value, 0x80);
    add_text(out, "rootDsAddress", value, 0x81);
    TRY(get(ipa, TAG_EUICC_INFO2, &value, e));
    add_info2(out, value);
    return 0;
}

static int cmd_info(struct ipa *ipa, char **args, struct lab_error *e)
{
    cJSON *out = cJSON_CreateObject();

    (void)args;
    int r = read_info(ipa, out, e);
    if (r == 0 && ipa->json) {
        ipa_print_json(out);
        return 0;
    }
    if (r == 0)
        print_lines(out);
    cJSON_Delete(out);
    return r;
}

/* --- list ------------------------------------------------------------------------------------- */

static void add_code(cJSON *out, const char *name, struct rd in, uint32_t tag, enum code_list list)
{
    struct tlv t;
    uint64_t v;

    if (tlv_find(in, tag, &t) && tlv_uint(t.value, &v) == 0)
        cJSON_AddStringToObject(out, name, code_name(list, (long)v));
}

static cJSON *profile_json(struct rd in)
{
    cJSON *out = cJSON_CreateObject();
    char text[ICCID_TEXT_LEN];
    struct tlv t;

    if (tlv_find(in, TAG_ICCID, &t))
        cJSON_AddStringToObject(out, "iccid", iccid_text(t.value, text));
    add_code(out, "profileState", in, TAG_PROFILE_STATE, CODES_PROFILE_STATE);
    add_code(out, "profileClass", in, TAG_CLASS, CODES_PROFILE_CLASS);
    add_hex(out, "isdpAid", in, TAG_AID);
    add_text(out, "serviceProviderName", in, TAG_PROVIDER);
    add_text(out, "profileName", in, TAG_NAME);
    add_text(out, "profileNickname", in, TAG_NICKNAME);
    return out;
}

static const char *text_of(const cJSON *in, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(field) ? field->valuestring : "-";
}

static void print_profiles(const cJSON *list)
{
    for (const cJSON *p = list->child; p != NULL; p = p->next) {
        printf("%s %s %s %s \"%s\" \"%s\"", text_of(p, "iccid"), text_of(p, "profileState"),
               text_of(p, "profileClass"), text_of(p, "isdpAid"), text_of(p, "serviceProviderName"),
               text_of(p, "profileName"));
        if (cJSON_HasObjectItem(p, "profileNickname"))
            printf(" \"%s\"", text_of(p, "profileNickname"));
        printf("\n");
    }
}

static int cmd_list(struct ipa *ipa, char **args, struct lab_error *e)
{
    struct rd value;
    struct tlv part, profile;
    uint64_t code = 0;

    (void)args;
    TRY(get(ipa, TAG_PROFILES_INFO, &value, e));
    if (tlv_find(value, 0x81, &part) && tlv_uint(part.value, &code) == 0)
        return lab_fail(e, "GetProfilesInfo: %s(%llu)", code_name(CODES_PROFILE_LIST, (long)code),
                        (unsigned long long)code);
    if (!tlv_find(value, 0xA0, &part))
        return lab_fail(e, "GetProfilesInfo: no list in the response");
    cJSON *out = cJSON_CreateArray();
    while (part.value.n > 0 && tlv_expect(&part.value, TAG_PROFILE_INFO, &profile) == 0)
        cJSON_AddItemToArray(out, profile_json(profile.value));
    if (part.value.n > 0) {
        cJSON_Delete(out);
        return lab_fail(e, "GetProfilesInfo: not a ProfileInfo in the list");
    }
    if (ipa->json) {
        ipa_print_json(out);
        return 0;
    }
    print_profiles(out);
    cJSON_Delete(out);
    return 0;
}

/* --- commands with a result code -------------------------------------------------------------- */

/* ICCID digits, or an ISD-P AID in hex: 32 digits. */
static int put_id(struct wr *w, const char *id, struct lab_error *e)
{
    uint8_t iccid[ICCID_LEN], room[AID_MAX_LEN];
    struct wr aid;

    wr_init(&aid, room, sizeof room);
    if (iccid_read(id, iccid)) {
        tlv_put(w, TAG_ICCID, rd_of(iccid, sizeof iccid));
        return 0;
    }
    if (!hex_read(id, &aid) || aid.n != AID_MAX_LEN)
        return lab_fail(e, "%.100s is neither an ICCID nor an ISD-P AID", id);
    tlv_put(w, TAG_AID, wr_view(&aid));
    return 0;
}

static int run_result(struct ipa *ipa, const struct wr *request, enum code_list list,
                      const char *function, struct lab_error *e)
{
    struct rd value;
    struct tlv result;
    uint64_t code;

    TRY(ipa_call(ipa, request, &value, e));
    if (!tlv_find(value, 0x80, &result) || tlv_uint(result.value, &code) != 0)
        return lab_fail(e, "%s: no result in the response", function);
    if (code != 0)
        return lab_fail(e, "%s: %s(%llu)", function, code_name(list, (long)code),
                        (unsigned long long)code);
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "result", code_name(list, 0));
        ipa_print_json(out);
    } else {
        printf("%s: ok\n", function);
    }
    return 0;
}

static int switch_profile(struct ipa *ipa, uint32_t tag, const char *id, enum code_list list,
                          const char *function, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX];
    struct wr request;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, tag);
    struct wr_mark identifier = tlv_open(&request, 0xA0);
    TRY(put_id(&request, id, e));
    tlv_close(&request, identifier);
    tlv_put_u8(&request, 0x81, 0xFF); /* refreshFlag */
    tlv_close(&request, mark);
    return run_result(ipa, &request, list, function, e);
}

static int cmd_enable(struct ipa *ipa, char **args, struct lab_error *e)
{
    return switch_profile(ipa, TAG_ENABLE, args[0], CODES_ENABLE, "EnableProfile", e);
}

static int cmd_disable(struct ipa *ipa, char **args, struct lab_error *e)
{
    return switch_profile(ipa, TAG_DISABLE, args[0], CODES_DISABLE, "DisableProfile", e);
}

static int cmd_delete(struct ipa *ipa, char **args, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX];
    struct wr request;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_DELETE);
    TRY(put_id(&request, args[0], e));
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_DELETE, "DeleteProfile", e);
}

static int cmd_nickname(struct ipa *ipa, char **args, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX], iccid[ICCID_LEN];
    struct wr request;

    if (!iccid_read(args[0], iccid))
        return lab_fail(e, "%.100s is not an ICCID", args[0]);
    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_SET_NICKNAME);
    tlv_put(&request, TAG_ICCID, rd_of(iccid, sizeof iccid));
    tlv_put_str(&request, TAG_NICKNAME, args[1]);
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_NICKNAME, "SetNickname", e);
}

static int cmd_reset(struct ipa *ipa, char **args, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX];
    struct wr request;

    (void)args;
    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_MEMORY_RESET);
    tlv_put_bits(&request, 0x82, RESET_ALL);
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_RESET, "eUICCMemoryReset", e);
}

static int cmd_download(struct ipa *ipa, char **args, struct lab_error *e)
{
    return ipa_download(ipa, args[0], e);
}

static int cmd_notifications_list(struct ipa *ipa, char **args, struct lab_error *e)
{
    (void)args;
    return ipa_notifications_list(ipa, e);
}

static int cmd_notifications_process(struct ipa *ipa, char **args, struct lab_error *e)
{
    (void)args;
    return ipa_notifications_process(ipa, 0, e);
}

static int cmd_notifications_remove(struct ipa *ipa, char **args, struct lab_error *e)
{
    unsigned long seq_number;

    if (!number_read(args[0], 0x7FFFFFFF, &seq_number))
        return lab_fail(e, "%.100s is not a sequence number", args[0]);
    return ipa_notifications_remove(ipa, seq_number, e);
}

static const struct command {
    const char *name, *sub;
    int n_args;
    int (*run)(struct ipa *ipa, char **args, struct lab_error *e);
    const char *usage;
} commands[] = {
    { "info", NULL, 0, cmd_info, "info" },
    { "list", NULL, 0, cmd_list, "list" },
    { "download", NULL, 1, cmd_download, "download ACTIVATION_CODE" },
    { "enable", NULL, 1, cmd_enable, "enable ID" },
    { "disable", NULL, 1, cmd_disable, "disable ID" },
    { "delete", NULL, 1, cmd_delete, "delete ID" },
    { "nickname", NULL, 2, cmd_nickname, "nickname ICCID TEXT" },
    { "notifications", "list", 0, cmd_notifications_list, "notifications list" },
    { "notifications", "process", 0, cmd_notifications_process, "notifications process" },
    { "notifications", "remove", 1, cmd_notifications_remove, "notifications remove SEQ" },
    { "reset", NULL, 0, cmd_reset, "reset" },
};

static const struct command *find_command(int argc, char **argv, char ***ret_args)
{
    for (size_t i = 0; i < N_ELEMS(commands); i++) {
        const struct command *c = &commands[i];
        int words = c->sub == NULL ? 1 : 2;
        if (argc == words + c->n_args && strcmp(argv[0], c->name) == 0 &&
            (c->sub == NULL || strcmp(argv[1], c->sub) == 0)) {
            *ret_args = argv + words;
            return c;
        }
    }
    return NULL;
}

/* --- the command line ------------------------------------------------------------------------- */

struct options {
    const char *reader, *card, *pki;
    struct wr ca; /* PEM */
};

static void usage(FILE *out)
{
    fprintf(out, "usage: softeuicc-lab ipa (--reader NAME|NUMBER | --card FILE) [OPTION...] "
                 "COMMAND\n\n");
    for (size_t i = 0; i < N_ELEMS(commands); i++)
        fprintf(out, "  %s\n", commands[i].usage);
    fprintf(out, "\n"
                 "  --reader NAME|NUMBER      a PC/SC reader: a part of its name, or its number\n"
                 "  --card FILE               a card file, opened in this process\n"
                 "  --ca FILE                 a CI certificate (PEM or DER) that TLS trusts;\n"
                 "                            repeatable (default: the CIs of the test PKI)\n"
                 "  --pki DIR                 take the CI certificates from a PKI\n"
                 "  --json                    print JSON\n"
                 "  --confirmation-code CODE  for download\n"
                 "  --imei DIGITS             for download\n"
                 "  --no-notifications        for download: leave the notifications on the card\n"
                 "  --help\n\n"
                 "ID is an ICCID or the AID of an ISD-P.\n");
}

static int add_pem(struct rd der, struct wr *ret, struct lab_error *e)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    static const char end[] = "-----END CERTIFICATE-----\n";
    enum { LINE = 64 };

    char *text = base64_text(der);
    if (text == NULL)
        return lab_fail(e, "out of memory");
    wr_put(ret, begin, sizeof begin - 1);
    for (size_t at = 0, n = strlen(text); at < n; at += LINE) {
        wr_put(ret, text + at, n - at < LINE ? n - at : LINE);
        wr_put_u8(ret, '\n');
    }
    wr_put(ret, end, sizeof end - 1);
    free(text);
    return wr_failed(ret) == 0 ? 0 : lab_fail(e, "too many CI certificates");
}

static int add_ca_file(const char *path, struct wr *ret, struct lab_error *e)
{
    static const char pem[] = "-----BEGIN";
    struct wr file;

    wr_init_heap(&file, CA_MAX);
    int r = file_read(path, &file, e);
    if (r == 0 && memmem(file.p, file.n, pem, sizeof pem - 1) == NULL) {
        r = add_pem(wr_view(&file), ret, e);
    } else if (r == 0) {
        wr_put_rd(ret, wr_view(&file));
        wr_put_u8(ret, '\n');
    }
    wr_done(&file);
    return r;
}

/* The CIs of the PKI in a folder, or of the one compiled in; one curve may be missing. */
static int add_ca_pki(const char *dir, struct wr *ret, struct lab_error *e)
{
    static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct pki *pki = NULL;
    struct lab_error why;

    TRY(identity_open_pki(dir, &pki, e));
    for (size_t i = 0; i < N_ELEMS(curves); i++) {
        struct wr der;
        wr_init_heap(&der, CA_MAX);
        if (identity_read_ci(pki, curves[i], &der, &why) == 0)
            add_pem(wr_view(&der), ret, &why);
        wr_done(&der);
    }
    pki_close(&pki);
    return ret->n > 0 ? 0 : lab_fail(e, "%s", why.text);
}

enum {
    OPT_READER = 1,
    OPT_CARD,
    OPT_CA,
    OPT_PKI,
    OPT_JSON,
    OPT_CONFIRMATION_CODE,
    OPT_IMEI,
    OPT_NO_NOTIFICATIONS,
    OPT_HELP,
};

static const struct option long_options[] = {
    { "reader", required_argument, NULL, OPT_READER },
    { "card", required_argument, NULL, OPT_CARD },
    { "ca", required_argument, NULL, OPT_CA },
    { "pki", required_argument, NULL, OPT_PKI },
    { "json", no_argument, NULL, OPT_JSON },
    { "confirmation-code", required_argument, NULL, OPT_CONFIRMATION_CODE },
    { "imei", required_argument, NULL, OPT_IMEI },
    { "no-notifications", no_argument, NULL, OPT_NO_NOTIFICATIONS },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

/* STATUS_DONE to go on; otherwise the exit status, and *ret_help if help was asked for. */
static int read_options(int argc, char **argv, struct options *o, struct ipa *ipa, bool *ret_help)
{
    struct lab_error e;
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case OPT_READER:
            o->reader = optarg;
            break;
        case OPT_CARD:
            o->card = optarg;
            break;
        case OPT_CA:
            if (add_ca_file(optarg, &o->ca, &e) != 0) {
                fprintf(stderr, "softeuicc-lab ipa: %s\n", e.text);
                return STATUS_FAILED;
            }
            break;
        case OPT_PKI:
            o->pki = optarg;
            break;
        case OPT_JSON:
            ipa->json = true;
            break;
        case OPT_CONFIRMATION_CODE:
            ipa->confirmation_code = optarg;
            break;
        case OPT_IMEI:
            ipa->imei = optarg;
            break;
        case OPT_NO_NOTIFICATIONS:
            ipa->no_notifications = true;
            break;
        case OPT_HELP:
            *ret_help = true;
            return STATUS_DONE;
        default:
            return STATUS_USAGE;
        }
    }
    return STATUS_DONE;
}

/* Opens everything, runs the command, closes everything. */
static int run(struct ipa *ipa, struct options *o, const struct command *command, char **args,
               struct lab_error *e)
{
    struct card *card = NULL;

    if (o->ca.n == 0)
        TRY(add_ca_pki(o->pki, &o->ca, e));
    TRY(es9p_client_new(wr_view(&o->ca), &ipa->server, e));
    TRY(o->card != NULL ? card_open_file(o->card, &card, e)
                        : card_open_reader(o->reader, &card, e));
    int r = es10_open(&ipa->es10, card, e);
    if (r == 0) {
        r = command->run(ipa, args, e);
        es10_close(&ipa->es10);
    }
    card_close(&card);
    return r;
}

int ipa_main(int argc, char **argv)
{
    struct options o = { .reader = NULL };
    struct ipa ipa = { .json = false };
    struct lab_error e = { "" };
    bool help = false;
    char **args = NULL;

    signal(SIGPIPE, SIG_IGN);
    wr_init_heap(&o.ca, CA_MAX);
    int status = read_options(argc, argv, &o, &ipa, &help);
    if (help)
        usage(stdout);
    const struct command *command = find_command(argc - optind, argv + optind, &args);
    if (status == STATUS_DONE && !help &&
        (command == NULL || (o.reader == NULL) == (o.card == NULL))) {
        fprintf(stderr, "softeuicc-lab ipa: %s; see --help\n",
                command == NULL ? "no such command" : "give either --reader or --card");
        status = STATUS_USAGE;
    }
    if (status == STATUS_DONE && !help) {
        wr_init_heap(&ipa.answer, ES10_RESPONSE_MAX);
        ipa.crypto = crypto_new(rd_of(NULL, 0));
        int r = ipa.crypto == NULL ? lab_fail(&e, "OpenSSL does not start")
                                   : run(&ipa, &o, command, args, &e);
        if (r != 0) {
            fflush(stdout);
            fprintf(stderr, "softeuicc-lab ipa: %s\n", e.text);
            status = STATUS_FAILED;
        }
        es9p_client_free(&ipa.server);
        crypto_free(&ipa.crypto);
        wr_done(&ipa.answer);
    }
    wr_done(&o.ca);
    return status;
}
