/* eim_key.h - the public key of an eIM that signs for a fuzz target. */
#ifndef TESTS_FUZZ_EIM_KEY_H
#define TESTS_FUZZ_EIM_KEY_H

#include "os/buf.h"
#include "os/crypto.h"

/* eimPublicKeyData of EimConfigurationData (SGP.32 2.11.1.1.1); the key is on P-256. */
void eim_key_put(const struct ec_key *key, struct wr *ret);

#endif
