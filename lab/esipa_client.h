/* esipa_client.h - the IPA's side of ESipa: HTTPS with libcurl (SGP.32 6.1, 6.3, 6.4).
 *
 * Messages are the TLVs of the ASN.1 binding; with the JSON binding they are translated here. */
#ifndef LAB_ESIPA_CLIENT_H
#define LAB_ESIPA_CLIENT_H

#include "lab/esipa.h"
#include "lab/ipa_message.h"
#include "os/crypto.h"

enum { ESIPA_ANSWER_MAX = 32 * 1024 * 1024, ESIPA_TIMEOUT_SECONDS = 60 };

enum esipa_binding { ESIPA_ASN1, ESIPA_JSON };

/* Where the eIM is and how it is recognised.  With a key of the eIM, that key; with a certificate,
 * its owner or whom it issued one; else the CAs in ca (PEM), and those of the system. */
struct esipa_peer {
    const char *fqdn;    /* host[:port]; the name that TLS is checked for; "": that of connect */
    const char *connect; /* host[:port] to connect to instead; NULL: fqdn */
    enum esipa_binding binding;
    enum esipa_version version;
    struct eim_key key;
    struct rd ca;
};

struct esipa_client;

int esipa_client_new(struct crypto *crypto, const struct esipa_peer *peer,
                     struct esipa_client **ret, struct lab_error *e);
void esipa_client_free(struct esipa_client **client);

/* Sends a message; ret gets the answer, which may be empty.  Negative with *e when there is none.
 */
int esipa_call(struct esipa_client *client, struct rd request, struct wr *ret, struct lab_error *e);

#endif
