/* package_result.c - EuiccPackageResults (SGP.32 2.11.2.1): signing, keeping, giving and removing
 * them. */
#include "applets/isdr/package_result.h"

#include <inttypes.h>
#include <stdio.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/notification.h"

enum { RESULT_MAX = 1 << 17 /* octets of one; setting package_result_max is below */ };

#define KEY_PREFIX "isdr/package-result/"

static void key_of(uint64_t sequence, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, KEY_PREFIX "%08" PRIx64, sequence);
}

int package_result_sequence(struct euicc *e, uint64_t *ret)
{
    return notification_next(e, ret);
}

/* BF51 { arm { dataSigned, 5F37 } }; signed is dataSigned and the object that holds the token
 * (SGP.32 2.11.2.1). */
static int put_signed(struct euicc *e, const struct eim *eim, uint32_t arm, struct rd data_signed,
                      struct wr *w)
{
    uint8_t octets[EIM_TOKEN_OBJECT_MAX], signature[EC_SIGNATURE_LEN];
    struct wr token;

    wr_init(&token, octets, sizeof octets);
    eim_put_token(eim, &token);
    TRY(wr_failed(&token));
    const struct rd parts[] = { data_signed, wr_view(&token) };
    TRY(ecasd_sign(e, eim->ci, parts, N_ELEMS(parts), signature));
    struct wr_mark result = tlv_open(w, TAG_EUICC_PACKAGE);
    struct wr_mark choice = tlv_open(w, arm);
    wr_put_rd(w, data_signed);
    tlv_put(w, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_close(w, choice);
    tlv_close(w, result);
    return wr_failed(w);
}

int package_error_put(struct euicc *e, const struct eim *eim, struct rd data_signed, struct wr *rsp)
{
    return put_signed(e, eim, TAG_CHOICE_1, data_signed, rsp);
}

int package_result_add(struct euicc *e, const struct eim *eim, uint64_t sequence,
                       struct rd data_signed, struct wr *rsp)
{
    char key[NVM_KEY_MAX];
    struct wr w;

    wr_init_heap(&w, RESULT_MAX);
    int err = put_signed(e, eim, TAG_CHOICE_0, data_signed, &w);
    key_of(sequence, key);
    if (err == 0)
        err = nvm_put(e->nvm, key, wr_view(&w));
    if (err == 0)
        wr_put_rd(rsp, wr_view(&w));
    wr_done(&w);
    return err != 0 ? err : wr_failed(rsp);
}

int package_result_has_room(struct euicc *e, bool *ret)
{
    uint64_t kept = 0, most = setting_number(&e->settings, SET_MAX_PACKAGE_RESULTS);
    char key[NVM_KEY_MAX] = "";
    bool found;

    for (;;) {
        TRY(nvm_next(e->nvm, KEY_PREFIX, key, &found));
        if (!found)
            break;
        kept++;
    }
    *ret = kept < most;
    return 0;
}

int package_result_get(struct euicc *e, uint64_t sequence, struct wr *rsp, bool *ret_found)
{
    char key[NVM_KEY_MAX];

    key_of(sequence, key);
    return nvm_get(e->nvm, key, rsp, ret_found);
}

int package_result_put_all(struct euicc *e, struct wr *rsp)
{
    char key[NVM_KEY_MAX] = "";
    bool found;

    for (;;) {
        TRY(nvm_next(e->nvm, KEY_PREFIX, key, &found));
        if (!found)
            return 0;
        TRY(nvm_get(e->nvm, key, rsp, &found));
    }
}

int package_result_remove(struct euicc *e, uint64_t sequence, bool *ret_existed)
{
    char key[NVM_KEY_MAX];

    key_of(sequence, key);
    TRY(nvm_has(e->nvm, key, ret_existed));
    return *ret_existed ? nvm_del(e->nvm, key) : 0;
}
