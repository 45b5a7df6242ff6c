/* fleet_devices.c - who the cards of a fleet are, as an eIM has to know it. */
#include "lab/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "lab/es10.h"
#include "os/crypto.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_SEQUENCE = 0x30,
    TAG_GET_CERTS = 0xBF56, /* SGP.32 5.9.10 */
    TAG_CERTS = 0xA0,
    TAG_EUM_CERTIFICATE = 0xA5,
    TAG_EUICC_CERTIFICATE = 0xA6,
    CERTIFICATES_MAX = 64 * 1024,
};

/* A certificate under an implicit tag, as one again, in PEM. */
static int add_pem(cJSON *to, const char *name, struct rd certificates, uint32_t tag)
{
    struct wr der, pem;
    struct tlv t;
    int r = ERR_INPUT;

    wr_init_heap(&der, CERTIFICATES_MAX);
    wr_init_heap(&pem, CERTIFICATES_MAX);
    if (tlv_find(certificates, tag, &t)) {
        tlv_put(&der, TAG_SEQUENCE, t.value);
        r = pem_write("CERTIFICATE", wr_view(&der), &pem);
        wr_put_u8(&pem, 0);
    }
    if (r == 0 && wr_failed(&der) == 0 && wr_failed(&pem) == 0)
        cJSON_AddStringToObject(to, name, (const char *)pem.p);
    else
        r = ERR_INPUT;
    wr_done(&der);
    wr_done(&pem);
    return r;
}

static int add_certificates(cJSON *to, struct es10 *es10, struct lab_error *e)
{
    static const uint8_t request[] = { TAG_GET_CERTS >> 8, TAG_GET_CERTS & 0xFF, 0 };
    struct rd value;
    struct tlv certs;
    struct wr answer;

    wr_init_heap(&answer, CERTIFICATES_MAX);
    int r = es10_call(es10, rd_of(request, sizeof request), &answer, &value, e);
    if (r == 0 && (!tlv_find(value, TAG_CERTS, &certs) ||
                   add_pem(to, "eumCertificate", certs.value, TAG_EUM_CERTIFICATE) != 0 ||
                   add_pem(to, "euiccCertificate", certs.value, TAG_EUICC_CERTIFICATE) != 0))
        r = lab_fail(e, "GetCerts: a certificate is missing in the response");
    wr_done(&answer);
    return r;
}

/* Its eIMs, with the counter and the token that packages have to carry. */
static int add_eims(cJSON *to, struct softeuicc *card, struct lab_error *e)
{
    char *text = softeuicc_show(card, true);
    cJSON *shown = text != NULL ? cJSON_Parse(text) : NULL;
    cJSON *list = cJSON_AddArrayToObject(to, "eims");
    const cJSON *eim, *field;

    free(text);
    if (shown == NULL)
        return lab_fail(e, "the card does not show");
    cJSON_ArrayForEach(eim, cJSON_GetObjectItemCaseSensitive(
                                cJSON_GetObjectItemCaseSensitive(shown, "iot"), "eims"))
    {
        cJSON *one = cJSON_CreateObject();
        if ((field = cJSON_GetObjectItemCaseSensitive(eim, "id")) != NULL)
            cJSON_AddStringToObject(one, "eimId", cJSON_GetStringValue(field));
        if ((field = cJSON_GetObjectItemCaseSensitive(eim, "counter")) != NULL)
            cJSON_AddNumberToObject(one, "counterValue", cJSON_GetNumberValue(field));
        if ((field = cJSON_GetObjectItemCaseSensitive(eim, "token")) != NULL)
            cJSON_AddNumberToObject(one, "associationToken", cJSON_GetNumberValue(field));
        cJSON_AddItemToArray(list, one);
    }
    cJSON_Delete(shown);
    return 0;
}

static int add_device(cJSON *list, struct fleet_card *c, struct lab_error *e)
{
    cJSON *one = cJSON_CreateObject();
    struct es10 es10 = { .card = NULL };
    struct card *card = NULL;

    cJSON_AddItemToArray(list, one);
    cJSON_AddStringToObject(one, "eid", c->eid);
    if (softeuicc_power_on(c->card) != 0)
        return lab_fail(e, "card %zu does not start", c->number);
    TRY(card_borrow(c->card, &card, e));
    int r = es10_open(&es10, card, e);
    if (r == 0) {
        r = add_certificates(one, &es10, e);
        es10_close(&es10);
    }
    card_close(&card);
    if (r == 0)
        r = add_eims(one, c->card, e);
    softeuicc_power_off(c->card);
    return r;
}

int fleet_devices(struct fleet *f, cJSON **ret, struct lab_error *e)
{
    cJSON *all = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(all, "devices");
    int r = 0;

    for (size_t i = 0; i < f->n && r == 0; i++)
        r = add_device(list, &f->cards[i], e);
    if (r != 0) {
        cJSON_Delete(all);
        return r;
    }
    *ret = all;
    return 0;
}
