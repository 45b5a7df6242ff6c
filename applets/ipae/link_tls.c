/* link_tls.c - between the channel and TLS, and between TLS and the protocol above it. */
#include <string.h>

#include <openssl/opensslv.h>

#include "applets/ipae/link_steps.h"
