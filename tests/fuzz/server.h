/* server.h - an SM-DP+ in four calls, for fuzz targets and benchmarks: what a card is sent during
 * a download (SGP.22 3.1.2, 3.1.3), made with the lab's code and the test PKI that is compiled in.
 * It believes the card: what the card answers is not verified. */
#ifndef TESTS_FUZZ_SERVER_H
#define TESTS_FUZZ_SERVER_H

#include "lab/bpp.h"
#include "lab/identity.h"
#include "lab/rsp.h"

#define SERVER_ADDRESS "testsmdpplus1.example.com"

struct server {
    struct crypto *crypto; /* borrowed */
    struct rsp_identity identity;
    uint8_t transaction_id[16], challenge[16], host_id[16], eid[BPP_EID_LEN];
    uint8_t euicc_signature1[EC_SIGNATURE_LEN], ot_pk_euicc[EC_POINT_LEN];
    struct ec_key *ot_sk;
};

/* For cards of the EID that is made without a wish. */
int server_init(struct server *s, struct crypto *crypto, enum curve curve);
void server_done(struct server *s);

/* AuthenticateServerRequest for the answer of GetEUICCChallenge. */
int server_authenticate(struct server *s, struct rd challenge_answer, struct wr *ret);

/* PrepareDownloadRequest for the answer of AuthenticateServer. */
int server_prepare(struct server *s, struct rd authenticate_answer, struct wr *ret);

/* Takes the card's one-time key from the answer of PrepareDownload and makes one of its own. */
int server_agree(struct server *s, struct rd prepare_answer);

/* After server_agree(): the session, for lab/bpp.h. */
struct bpp_session server_session(const struct server *s);

/* ConfigureISDPRequest with the server's OID; what a package begins with. */
void server_put_configure_isdp(const struct server *s, struct wr *ret);

#endif
