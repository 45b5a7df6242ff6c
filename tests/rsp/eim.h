/* eim.h - a model eIM: it signs eUICC Packages, any one thing about them changed, and reads what
 * the card answers (SGP.32 2.11.1.1, 2.11.2.1). */
#ifndef TESTS_RSP_EIM_H
#define TESTS_RSP_EIM_H

#include "tests/rsp/card.h"
#include "tests/rsp/message.h"
#include "tests/rsp/server.h"

#define EIM_KEY_1 "777A97AE1E4F163897A47EC138981D74777F9CCC4392543311C90670B1C36DFD"
#define EIM_KEY_2 "7125483728279B9A85FD8C415621A1F310AD2CCBE455BF9401A33E11C46E0799"

/* Its public points, and the eimPublicKeyData that holds one. */
#define EIM_POINT_1                                                                                \
    "04E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"                           \
    "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45"
#define EIM_POINT_2                                                                                \
    "04F5F3CDD834A93DBB9C2C99ECA68279C4ADE727F38970731852152362E9217FAD"                           \
    "E4440C7EA9282F80BC9846AA027D02EE8BBCE7B2D3CE966EEC8608FCC56F4B0E"
#define EIM_PUBLIC_KEY(point)                                                                      \
    "A5{ A0{ 30{ 06072A8648CE3D0201 06082A8648CE3D030107 } 03{ 00" point "} } }"

/* ICCID of profile `digit` (server_iccid()) as a field. */
#define ICCID_OF(digit) " 5A{ 9800100000000000" #digit "0F9 }"

struct test_eim {
    struct crypto *c; /* the server's */
    const char *id;
    struct ec_key *key;
    struct wr certificate; /* DER, which it is configured with; n == 0: with its key */
    struct ec_pub *euicc;  /* of CERT.EUICC */
    bool has_token;
    uint64_t token;
    uint64_t counter; /* of its last package */
    struct wr package;
};

/* One of two keys, both on P-256; the server knows the PKI of the card. */
void test_eim_open(struct test_eim *t, const struct server *s, const char *id, const char *key);
/* With the PKI's key and certificate of eIMs. */
void test_eim_open_pki(struct test_eim *t, const struct server *s, const char *id, enum curve curve,
                       bool by_certificate);
void test_eim_close(struct test_eim *t);

/* The fields of its EimConfigurationData, with counterValue 0; more (hex) behind them. */
void test_eim_put_configuration(const struct test_eim *t, const char *more, struct wr *ret);

/* AddInitialEim, with or without an association token. */
void test_eim_associate(struct test_eim *t, struct card *card, bool with_token);

/* A plan of zeros is the next package that a good eIM sends, but for its list. */
struct package_plan {
    const char *list;           /* hex: A0 {...} or A1 {...} */
    uint64_t counter;           /* 0: one more than last time */
    const char *eid;            /* hex; NULL: the card's */
    const char *transaction_id; /* hex; NULL: 11223344; "": none */
    struct change signed_change;
    struct change change;
    const char *flip;  /* path of what gets a bit inverted */
    const char *token; /* hex of what is signed behind it; NULL: the right one */
};

/* The request, into t->package. */
void test_eim_sign(struct test_eim *t, const struct package_plan *plan);

struct package_answer {
    enum { ANSWER_RESULT, ANSWER_ERROR, ANSWER_UNSIGNED } arm;
    long code;         /* of an error; 0: none */
    uint64_t sequence; /* of a result */
    bool has_token;    /* unsigned: it was told */
    struct rd results; /* elements of a result; views into the answer */
};

/* Reads an EuiccPackageResult (BF51) and asserts that its signature verifies and that it echoes
 * what t->package says. */
struct package_answer test_eim_take(const struct test_eim *t, struct rd answer);

/* Signs and sends, and reads what comes with 9000 or 91xx. */
struct package_answer test_eim_send(struct test_eim *t, struct card *card,
                                    const struct package_plan *plan);

/* The same, and asserts the answer: elements of a result in hex, "error N", "unsigned" or
 * "unsigned N".  A refusal must have left a line in the trace. */
struct package_answer test_eim_expect(struct test_eim *t, struct card *card,
                                      const struct package_plan *plan, const char *answer);
struct package_answer test_eim_do(struct test_eim *t, struct card *card, const char *list,
                                  const char *answer);

#endif
