/* sw.c - status words in words. */
#include "card/sw.h"

#include <stddef.h>

const char *sw_text(uint16_t sw)
{
    static const struct {
        uint16_t sw, mask;
        const char *text;
    } texts[] = {
        { SW_OK, 0xFFFF, "normal ending" },
        { SW_PROACTIVE, 0xFF00, "normal ending, proactive command pending" },
        { SW_BYTES_LEFT, 0xFF00, "octets wait for GET RESPONSE" },
        { SW_MEMORY_FAILURE, 0xFFFF, "memory problem" },
        { SW_WRONG_LENGTH, 0xFFFF, "wrong length" },
        { SW_NO_CHANNEL, 0xFFFF, "logical channel not supported or not open" },
        { SW_NO_SECURE_MESSAGING, 0xFFFF, "secure messaging not supported" },
        { SW_LAST_OF_CHAIN_EXPECTED, 0xFFFF, "last command of the chain expected" },
        { SW_SECURITY_STATUS, 0xFFFF, "security status not satisfied" },
        { SW_CONDITIONS_OF_USE, 0xFFFF, "conditions of use not satisfied" },
        { SW_WRONG_DATA, 0xFFFF, "incorrect parameters in the data field" },
        { SW_FUNCTION_NOT_SUPPORTED, 0xFFFF, "function not supported" },
        { SW_FILE_NOT_FOUND, 0xFFFF, "file or application not found" },
        { SW_NOT_ENOUGH_MEMORY, 0xFFFF, "not enough memory space" },
        { SW_WRONG_P1P2, 0xFFFF, "incorrect P1 or P2" },
        { SW_REFERENCE_NOT_FOUND, 0xFFFF, "referenced data not found" },
        { SW_WRONG_LE, 0xFF00, "wrong Le, the right one in the second octet" },
        { SW_INS_NOT_SUPPORTED, 0xFFFF, "instruction not supported" },
        { SW_CLA_NOT_SUPPORTED, 0xFFFF, "class not supported" },
        { SW_TECHNICAL_PROBLEM, 0xFFFF, "technical problem" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if ((sw & texts[i].mask) == texts[i].sw)
            return texts[i].text;
    return "unknown status word";
}
