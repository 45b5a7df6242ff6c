/* tls_sessions.c - which sessions can be resumed, and how long. */
#include "lab/tls_sessions.h"

#include <openssl/ssl.h>

enum { LIFE_SECONDS = 7 * 24 * 60 * 60 };

void tls_sessions_keep(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_num_tickets(ssl, 1); /* a client keeps one */
    SSL_CTX_set_timeout(SSL_get_SSL_CTX(ssl), LIFE_SECONDS);
}

int tls_sessions_keep_coap(void *ssl, struct coap_dtls_pki_t *unused)
{
    (void)unused;
    tls_sessions_keep(ssl);
    return 1;
}

void tls_sessions_end(SSL *ssl)
{
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}
