/* server.h - a model SM-DP+ (or SM-DS) that computes every message of a session and lets a test
 * change any one thing about it.
 *
 * Each message comes from a plan.  A plan of zeros is the message that a good server sends; each
 * field of it is one deviation.  What is changed before a signature is signed as changed, so that
 * a card that refuses does so for what was changed and not for the signature. */
#ifndef TESTS_RSP_SERVER_H
#define TESTS_RSP_SERVER_H

#include "certs/pki.h"
#include "lab/bpp.h"
#include "lab/rsp.h"
#include "os/x509.h"
#include "tests/rsp/message.h"

#define SERVER_ADDRESS "testsmdpplus1.example.com"

/* Certificates that a server may show. */
enum server_cert {
    CERT_OWN, /* that of its role */
    CERT_DP_AUTH,
    CERT_DP_PB,
    CERT_DP2_AUTH,
    CERT_DP2_PB,
    CERT_DS_AUTH,
    CERT_EUM,
    CERT_CI,
    CERT_DP_TLS,     /* issued for the test, as those below: of this role under the right CI */
    CERT_UNKNOWN_CI, /* DPauth or DPpb of a CI that nobody knows */
    CERT_NO_OID,     /* without registeredID */
    CERT_EXPIRED,
    N_SERVER_CERTS
};

struct server {
    struct crypto *c;
    struct pki *pki;
    enum curve curve;
    struct cert *ci;
    struct ec_key *ci_key; /* NULL: not in the PKI */

    /* The session, as far as it has come. */
    struct transaction_id transaction_id;
    uint8_t challenge[CHALLENGE_LEN];           /* the server's */
    uint8_t euicc_signature1[EC_SIGNATURE_LEN]; /* as the server received it */
    struct cert *euicc;                         /* CERT.EUICC */
    uint8_t eid[BPP_EID_LEN];
    uint8_t ot_pk_euicc[EC_POINT_LEN];
    struct ec_key *ot_sk;
    struct wr smdp_signature2; /* 5F37 whole, as sent */
};

/* pki_dir NULL: the compiled-in test PKI.  seed NULL: random, else always the same messages. */
void server_open(struct server *s, const char *pki_dir, enum curve curve, const char *seed);
void server_close(struct server *s);

/* A new transaction. */
void server_begin(struct server *s);

/* --- certificates ----------------------------------------------------------------------------- */

/* The certificate and its private key.  own: what CERT_OWN is. */
struct credential {
    struct wr der;
    struct ec_key *key;
};
struct credential server_credential(struct server *s, enum server_cert which, enum server_cert own);
void credential_done(struct credential *credential);

/* Changes a certificate's TBSCertificate ("30/..." from the outside) and signs it again under the
 * CI's key. */
void server_change_cert(struct server *s, struct wr *der, struct change change);

/* SubjectPublicKeyInfo of a P-384 key: the curve's generator (SEC 2 2.5.1). */
#define P384_KEY                                                                                   \
    "3076 3010 06072A8648CE3D0201 06052B81040022 0362 00 04"                                       \
    "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E38"     \
    "72760AB7"                                                                                     \
    "3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C"     \
    "90EA0E5F"

/* --- messages --------------------------------------------------------------------------------- */

struct authenticate_plan {
    enum server_cert role;       /* 0: CERT_DP_AUTH */
    enum server_cert cert;       /* shown instead of its own */
    enum server_cert key;        /* signed with this one's key instead */
    struct change cert_change;   /* signed again by the CI */
    struct change signed_change; /* to serverSigned1, before it is signed */
    bool reversed;               /* the fields of serverSigned1 in reverse order */
    struct change change;        /* to the whole request */
    const char *ctx_params;      /* hex; NULL: matchingId and deviceInfo */
    const char *ci_pkid;         /* hex; NULL: the CI's */
    const char *flip;            /* path of what gets a bit inverted, at flip_at */
    long flip_at;
};

/* AuthenticateServerRequest in answer to a challenge of the card. */
void server_authenticate(struct server *s, struct rd euicc_challenge,
                         const struct authenticate_plan *plan, struct wr *ret);

/* Takes the card's answer in: reads it as other code than the card's, verifies certificates and
 * signature, and asserts that it echoes the request.  The error code, 0 when there is none. */
long server_take_authenticate(struct server *s, struct rd answer);

struct prepare_plan {
    enum server_cert cert, key;
    struct change cert_change, signed_change, change;
    bool reversed;
    bool without_signature1; /* smdpSignature2 covers smdpSigned2 only */
    bool cc_required;
    const char *hash_cc;      /* hex of 32 octets, or NULL: none */
    struct rd bpp_euicc_otpk; /* n == 0: none */
    const char *flip;
    long flip_at;
};

void server_prepare(struct server *s, const struct prepare_plan *plan, struct wr *ret);
long server_take_prepare(struct server *s, struct rd answer, const struct prepare_plan *plan);

struct bpp_plan {
    struct rd upp,
        metadata; /* profile package; StoreMetadataRequest.  n == 0: server_profile() 1 */
    struct change isc_change; /* to BF23, before it is signed */
    const char *configure;    /* hex; NULL: BF2400 */
    struct change metadata_change, upp_change;
    const char *upp_tail;     /* hex behind the profile package */
    size_t upp_cut;           /* octets off its end */
    bool ppk;                 /* with ReplaceSessionKeys */
    const char *replace_keys; /* hex; plaintext of ReplaceSessionKeys instead of a right one */
    struct change change;     /* to the whole package */
    const char *flip;
    long flip_at;
};

/* BoundProfilePackage, with a new one-time key of the server. */
void server_bind(struct server *s, const struct bpp_plan *plan, struct wr *ret);

/* Reads a PendingNotification and verifies its signature, certificates and, for an installation
 * result, transactionId and smdpOid. */
void server_take_notification(struct server *s, struct rd pending, struct rsp_notification *ret);

/* CancelSessionRequest, and its answer: the error code, 0 when there is none. */
void server_cancel(struct server *s, unsigned reason, struct wr *ret);
long server_take_cancel(struct server *s, struct rd answer, unsigned reason);

/* LoadCRLRequest of a CRL, tagged as SGP.22 has it: A0 instead of its own 30. */
void server_put_load_crl(struct rd crl, struct wr *ret);

/* A profile package and its metadata, told apart by a digit from 0 to 9 in their ICCID.  Metadata:
 * operational, and a notification of each event but installation to SERVER_ADDRESS. */
void server_profile(unsigned digit, struct wr *ret_upp, struct wr *ret_metadata);

/* The same metadata for any profile package: its ICCID. */
void server_metadata(struct rd upp, struct wr *ret);

/* ICCID of such a profile as hex, nibbles as in EF.ICCID. */
const char *server_iccid(unsigned digit);

/* --- pieces ----------------------------------------------------------------------------------- */

enum slicing {
    AS_LPAS_DO,     /* SGP.22 2.5.5: a segment a piece, container headers apart */
    HEADERS_JOINED, /* a container's header with its first segment */
    HEADERS_APART,  /* all headers alone, that of BF36 too */
    PIECES_OF_1,
    PIECES_OF_255,
    IN_ONE_PIECE,
    N_SLICINGS
};

enum { PIECES_MAX = 1 << 16 };

/* Cuts a BoundProfilePackage; the pieces are views into it.  Returns how many. */
size_t server_slice(struct rd bpp, enum slicing slicing, struct rd *ret_pieces, size_t max);

#endif
