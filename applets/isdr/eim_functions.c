/* eim_functions.c - the IPA's view of the Associated eIMs: AddInitialEim and
 * GetEimConfigurationData (SGP.32 5.9.4, 5.9.18). */
#include "applets/isdr/eim.h"
#include "applets/isdr/eim_config.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/iot.h"

static int refuse_initial(const struct euicc *e, int code, const char *why)
{
    static const struct result_name v1_0_name = { EIM_ALREADY_ASSOCIATED,
                                                  "unsignedEimConfigDisallowed" };

    if (iot_at_least(e, IOT_V1_1))
        return eim_refuse(e, "AddInitialEim", code, why, "SGP.32 5.9.4");
    if (code == EIM_COMMAND_ERROR) /* came with v1.1 */
        code = UNDEFINED_ERROR;
    if (code == EIM_ALREADY_ASSOCIATED)
        return es10_refuse(e, "AddInitialEim", &v1_0_name, 1, code, why, "SGP.32 5.9.4");
    return eim_refuse(e, "AddInitialEim", code, why, "SGP.32 5.9.4");
}

/* Is there an entry of this eimId in what comes before `end` in the list? */
static bool named_before(struct rd list, const uint8_t *end, struct rd id)
{
    struct tlv entry, other;

    while (list.p < end && tlv_get(&list, &entry) == 0 && entry.whole.p < end)
        if (tlv_find(entry.value, EIM_ID, &other) && rd_equal(other.value, id))
            return true;
    return false;
}

/* Every entry, before any is stored.  *ret_n: how many there are. */
static int check_list(struct euicc *e, struct rd list, size_t *ret_n)
{
    struct rd in = list;
    const char *why = "";
    struct tlv entry, id;

    if (list.n == 0)
        return refuse_initial(e, EIM_COMMAND_ERROR, "the list is empty");
    for (*ret_n = 0; in.n > 0; ++*ret_n) {
        if (tlv_expect(&in, TAG_SEQUENCE, &entry) != 0)
            return refuse_initial(e, EIM_COMMAND_ERROR,
                                  "an entry of the list is no EimConfigurationData");
        int result = eim_config_check(e, entry.value, &why);
        if (result != 0)
            return result > 0 ? refuse_initial(e, result, why) : result;
        if (tlv_find(entry.value, EIM_ID, &id) && named_before(list, entry.whole.p, id.value))
            return refuse_initial(e, EIM_COMMAND_ERROR, "an eimId comes twice");
    }
    return 0;
}

/* May they be added?  EIM_OK, the code that refuses, or a fault. */
static int check_initial(struct euicc *e, struct rd list)
{
    size_t associated, n = 0;

    TRY(eim_count(e, &associated));
    if (associated > 0)
        return refuse_initial(e, EIM_ALREADY_ASSOCIATED, "an eIM is associated");
    TRY(check_list(e, list, &n));
    if (n > setting_number(&e->settings, SET_MAX_EIMS))
        return refuse_initial(e, EIM_INSUFFICIENT_MEMORY, "there are more of them than max_eims");
    return EIM_OK;
}

/* Adds them and answers each. */
static int add_all(struct euicc *e, struct rd list, struct wr *rsp)
{
    enum { TAG_NULL = 0x05 };
    struct tlv entry;
    uint64_t token;

    struct wr_mark m = tlv_open(rsp, TAG_CHOICE_0);
    while (list.n > 0) {
        TRY(tlv_expect(&list, TAG_SEQUENCE, &entry));
        int result = eim_add(e, entry.value, "AddInitialEim", "SGP.32 5.9.4", &token);
        if (result != EIM_OK)
            return result < 0 ? result : ERR_BUG; /* was checked */
        if (token != 0)
            tlv_put_uint(rsp, EIM_ASSOCIATION_TOKEN, token);
        else
            tlv_put(rsp, TAG_NULL, rd_of(NULL, 0));
    }
    tlv_close(rsp, m);
    return 0;
}

int es10b_add_initial_eim(struct session *s, struct rd body, struct wr *rsp)
{
    struct tlv list;

    if (!tlv_find(body, TAG_CHOICE_0, &list))
        return ERR_INPUT;
    int code = check_initial(s->euicc, list.value);
    if (code < 0)
        return code;
    struct wr_mark m = tlv_open(rsp, TAG_ADD_INITIAL_EIM);
    if (code == EIM_OK)
        TRY(add_all(s->euicc, list.value, rsp));
    else
        tlv_put_uint(rsp, TAG_CTX_1, (uint64_t)code);
    tlv_close(rsp, m);
    return 0;
}

/* searchCriteria, strictly A0 { 80 }; some write the 80 alone.  *ret_any: all are meant. */
static int read_criteria(struct rd body, bool *ret_any, struct rd *ret_id)
{
    struct tlv criteria, id;

    *ret_any = false;
    if (tlv_find(body, TAG_CHOICE_0, &criteria)) {
        if (!tlv_find(criteria.value, EIM_ID, &id))
            return ERR_INPUT;
        *ret_id = id.value;
    } else if (tlv_find(body, EIM_ID, &id)) {
        *ret_id = id.value;
    } else {
        *ret_any = true;
    }
    return 0;
}

int es10b_get_eim_configuration_data(struct session *s, struct rd body, struct wr *rsp)
{
    struct rd wanted = rd_of(NULL, 0);
    uint16_t number = NO_EIM;
    bool any, found;

    TRY(read_criteria(body, &any, &wanted));
    struct wr_mark m = tlv_open(rsp, TAG_GET_EIM_CONFIGURATION_DATA);
    struct wr_mark list = tlv_open(rsp, TAG_CHOICE_0);
    for (;;) {
        struct eim eim;
        TRY(eim_next(s->euicc, &number));
        if (number == NO_EIM)
            break;
        TRY(eim_load(s->euicc, number, &eim, &found));
        if (!found)
            continue;
        if (any || rd_equal(eim.id, wanted))
            eim_put_configuration(&eim, rsp);
        eim_done(&eim);
    }
    tlv_close(rsp, list);
    tlv_close(rsp, m);
    return 0;
}
