/* fuzz_cert.c - os/x509.h: the first octet says what the rest is, a certificate (even) or a CRL
 * (odd).  What parses answers every question, and never verifies unless it is one of ours. */
#include <stdlib.h>
#include <string.h>

#include "os/x509.h"
#include "tests/fuzz/fuzz.h"

static struct crypto *crypto;
static struct ec_pub *stranger; /* has signed nothing */

static void set_up(void)
{
    struct ec_key *key;
    uint8_t point[EC_POINT_LEN];

    if (crypto != NULL)
        return;
    crypto = crypto_new(rd_str("fuzz_cert"));
    oracle(crypto != NULL && ec_key_generate(crypto, CURVE_P256, &key) == 0, "OpenSSL starts");
    ec_key_point(key, point);
    oracle(ec_pub_from_point(crypto, CURVE_P256, rd_of(point, sizeof point), &stranger) == 0,
           "a key's point is a public key");
    ec_key_free(&key);
}

static void ask_cert(struct rd der)
{
    static const enum cert_role roles[] = { ROLE_NONE,    ROLE_CI,    ROLE_EUICC,  ROLE_EUM,
                                            ROLE_DP_AUTH, ROLE_DP_PB, ROLE_DS_AUTH };
    const char *why = NULL;
    struct cert *cert = NULL;

    if (cert_parse(crypto, der, &cert, &why) != 0) {
        oracle(cert == NULL && why != NULL, "a refusal has a reason and gives nothing");
        return;
    }
    oracle(rd_equal(cert_der(cert), der), "a certificate keeps its octets");
    oracle((cert_key(cert) == NULL) == (cert_curve(cert) == CURVE_UNKNOWN),
           "a key is there when its curve is known");
    oracle(strlen(cert_subject_serial(cert)) <= der.n &&
               strlen(cert_subject_organization(cert)) <= der.n,
           "names come out of the certificate");
    oracle(cert_serial(cert).n > 0, "a certificate has a serial number");
    oracle(cert_oid(cert).n <= der.n, "an OID comes out of the certificate");
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        oracle(cert_check(crypto, cert, roles[i], stranger, cert_aki(cert)) != NULL,
               "no certificate verifies under a key that signed none");
    (void)cert_check_eum_constraints(cert, cert);
    cert_free(&cert);
}

static void ask_crl(struct rd der)
{
    const char *why = NULL;
    struct crl *crl = NULL;
    uint64_t number;

    if (crl_parse(crypto, der, &crl, &why) != 0) {
        oracle(crl == NULL && why != NULL, "a refusal has a reason and gives nothing");
        return;
    }
    oracle(!crl_verify(crypto, crl, stranger), "no CRL verifies under a key that signed none");
    (void)crl_number(crl, &number);
    if (crl_base_number(crl, &number))
        oracle(crl_is_partial(crl), "a CRL with a base is partial");
    (void)crl_has_serial(crl, crl_aki(crl));
    (void)crl_has_serial(crl, rd_of("\1", 1));
    crl_free(&crl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    bool is_crl = fuzz_u8(&in) & 1;
    size_t n;

    set_up();
    uint8_t *der = fuzz_copy(&in, in.n, &n);
    if (is_crl)
        ask_crl(rd_of(der, n));
    else
        ask_cert(rd_of(der, n));
    free(der);
    return 0;
}
