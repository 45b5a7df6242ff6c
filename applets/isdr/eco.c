/* eco.c - the eIM Configuration Operations of a eUICC Package (SGP.32 2.11.1.1.2, 5.13).
 *
 * Whoever has signed the package may change any eIM, itself too: its result is signed with what it
 * was when the package came. */
#include "applets/isdr/es10.h"
#include "applets/isdr/euicc_package.h"

enum {
    TAG_ADD_EIM = 0xA8, /* Eco, and its results */
    TAG_DELETE_EIM = 0xA9,
    TAG_UPDATE_EIM = 0xAA,
    TAG_LIST_EIM = 0xAB,

    TAG_DELETE_EIM_RESULT = 0x89,
    TAG_UPDATE_EIM_RESULT = 0x8A,
};

static int eco_add_eim(struct package *p, struct rd body, struct wr *result)
{
    uint64_t token = 0;
    int code = eim_add(p->e, body, "eCO addEim", "SGP.32 2.11.1.1.2", &token);

    if (code < 0)
        return code;
    struct wr_mark m = tlv_open(result, TAG_ADD_EIM);
    if (code == EIM_OK && token != 0)
        tlv_put_uint(result, TAG_CTX_4, token);
    else
        tlv_put_uint(result, TAG_INTEGER, (uint64_t)code);
    tlv_close(result, m);
    return code;
}

/* lastEimDeleted is a success: the operations behind it follow. */
static int eco_delete_eim(struct package *p, struct rd body, struct wr *result)
{
    struct rd id = rd_of(NULL, 0);
    struct tlv t;

    if (tlv_find(body, TAG_CTX_0, &t))
        id = t.value;
    int code = eim_delete(p->e, id, "eCO deleteEim", "SGP.32 2.11.1.1.2");
    if (code < 0)
        return code;
    package_put_code(result, TAG_DELETE_EIM_RESULT, code);
    return code == EIM_LAST_DELETED ? 0 : code;
}

static int eco_update_eim(struct package *p, struct rd body, struct wr *result)
{
    int code = eim_update(p->e, body, "eCO updateEim", "SGP.32 2.11.1.1.2");

    return code < 0 ? code : package_put_code(result, TAG_UPDATE_EIM_RESULT, code);
}

static int eco_list_eim(struct package *p, struct rd body, struct wr *result)
{
    (void)body;
    struct wr_mark m = tlv_open(result, TAG_LIST_EIM);
    TRY(eim_put_list(p->e, result));
    tlv_close(result, m);
    return 0;
}

const struct package_operation eco_operations[] = {
    { TAG_ADD_EIM, "eCO addEim", eco_add_eim, "SGP.32 2.11.1.1.2", IOT_V1_0 },
    { TAG_DELETE_EIM, "eCO deleteEim", eco_delete_eim, "SGP.32 2.11.1.1.2", IOT_V1_0 },
    { TAG_UPDATE_EIM, "eCO updateEim", eco_update_eim, "SGP.32 2.11.1.1.2", IOT_V1_0 },
    { TAG_LIST_EIM, "eCO listEim", eco_list_eim, "SGP.32 2.11.1.1.2", IOT_V1_0 },
};
const size_t eco_n_operations = N_ELEMS(eco_operations);
