/* tls_sessions.h - the sessions that the lab's TLS and DTLS servers let clients resume.
 *
 * The server keeps them and they have short names: a ticket has the whole session in it and costs a
 * card 350 octets more a time, in DTLS, which has it in both ClientHellos, rather 400.  They live
 * as long as RFC 8446 4.6.1 lets them, so that a device which asks once a day resumes its last one.
 */
#ifndef LAB_TLS_SESSIONS_H
#define LAB_TLS_SESSIONS_H

struct ssl_st;
struct coap_dtls_pki_t;

/* Before the handshake. */
void tls_sessions_keep(struct ssl_st *ssl);

/* The same, as libcoap's callback. */
int tls_sessions_keep_coap(void *ssl, struct coap_dtls_pki_t *unused);

/* Before it is freed: that the server said no close_notify is no reason to forget the session. */
void tls_sessions_end(struct ssl_st *ssl);

#endif
