/* eim_key.c - the public key of an eIM that signs for a fuzz target. */
#include "tests/fuzz/eim_key.h"

#include "os/tlv.h"

void eim_key_put(const struct ec_key *key, struct wr *ret)
{
    static const uint8_t algorithm[] = { 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                         0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
                                         0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };
    uint8_t point[EC_POINT_LEN];

    ec_key_point(key, point);
    struct wr_mark data = tlv_open(ret, 0xA5);
    struct wr_mark arm = tlv_open(ret, 0xA0);
    wr_put(ret, algorithm, sizeof algorithm);
    struct wr_mark bits = tlv_open(ret, 0x03);
    wr_put_u8(ret, 0);
    wr_put(ret, point, sizeof point);
    tlv_close(ret, bits);
    tlv_close(ret, arm);
    tlv_close(ret, data);
}
