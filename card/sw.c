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
        { SW_END_OF_FILE, 0xFFFF, "end of file, or nothing found" },
        { SW_DEACTIVATED, 0xFFFF, "the selected file is deactivated" },
        { SW_TERMINATED, 0xFFFF, "the selected file is terminated" },
        { SW_MORE_DATA, 0xFFFF, "more data available" },
        { SW_MORE_DATA + 1, 0xFFFF, "more data available, proactive command pending" },
        { SW_MORE_DATA_EXPECTED, 0xFFFF, "more data expected" },
        { SW_MORE_DATA_EXPECTED + 1, 0xFFFF, "more data expected, proactive command pending" },
        { SW_TRIES_LEFT, 0xFFF0, "wrong, or not yet verified; attempts in the last digit" },
        { SW_MEMORY_FAILURE, 0xFFFF, "memory problem" },
        { SW_WRONG_LENGTH, 0xFFFF, "wrong length" },
        { SW_NO_CHANNEL, 0xFFFF, "logical channel not supported or not open" },
        { SW_NO_SECURE_MESSAGING, 0xFFFF, "secure messaging not supported" },
        { SW_LAST_OF_CHAIN_EXPECTED, 0xFFFF, "last command of the chain expected" },
        { SW_WRONG_FILE_STRUCTURE, 0xFFFF, "command incompatible with the file's structure" },
        { SW_SECURITY_STATUS, 0xFFFF, "security status not satisfied" },
        { SW_BLOCKED, 0xFFFF, "blocked" },
        { SW_INVALIDATED, 0xFFFF, "referenced data invalidated" },
        { SW_CONDITIONS_OF_USE, 0xFFFF, "conditions of use not satisfied" },
        { SW_NO_EF_SELECTED, 0xFFFF, "no EF selected" },
        { SW_WRONG_SM_OBJECTS, 0xFFFF, "secure messaging data objects incorrect" },
        { SW_WRONG_DATA, 0xFFFF, "incorrect parameters in the data field" },
        { SW_FUNCTION_NOT_SUPPORTED, 0xFFFF, "function not supported" },
        { SW_FILE_NOT_FOUND, 0xFFFF, "file or application not found" },
        { SW_RECORD_NOT_FOUND, 0xFFFF, "record not found" },
        { SW_NOT_ENOUGH_MEMORY, 0xFFFF, "not enough memory space" },
        { SW_WRONG_P1P2, 0xFFFF, "incorrect P1 or P2" },
        { SW_REFERENCE_NOT_FOUND, 0xFFFF, "referenced data not found" },
        { SW_FILE_EXISTS, 0xFFFF, "the file exists already" },
        { SW_WRONG_OFFSET, 0xFFFF, "P1 or P2 beyond the file" },
        { SW_WRONG_LE, 0xFF00, "wrong Le, the right one in the second octet" },
        { SW_INS_NOT_SUPPORTED, 0xFFFF, "instruction not supported" },
        { SW_CLA_NOT_SUPPORTED, 0xFFFF, "class not supported" },
        { SW_TECHNICAL_PROBLEM, 0xFFFF, "technical problem" },
        { SW_TOOLKIT_BUSY, 0xFFFF, "application toolkit busy" },
        { SW_MAX_VALUE_REACHED, 0xFFFF, "INCREASE beyond the highest value" },
        { SW_WRONG_MAC, 0xFFFF, "authentication error, incorrect MAC" },
        { SW_NO_SECURITY_CONTEXT, 0xFFFF, "security context not supported" },
        { SW_KEY_NOT_FRESH, 0xFFFF, "key freshness failure" },
        { SW_NO_KEY_MEMORY, 0xFFFF, "no memory for keys of an authentication" },
        { SW_NO_MUK_MEMORY, 0xFFFF, "no memory in EF.MUK" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if ((sw & texts[i].mask) == texts[i].sw)
            return texts[i].text;
    return "unknown status word";
}
