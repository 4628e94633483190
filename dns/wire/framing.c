#include "framing.h"

bool framing_next(struct framing *framing, const uint8_t **message, size_t *message_len)
{
    const uint8_t *bytes = framing->bytes + framing->at;
    size_t left = framing->len - framing->at;

    if (left < FRAMING_PREFIX)
        return false;
    size_t len = (size_t)bytes[0] << 8 | bytes[1];
    if (left - FRAMING_PREFIX < len)
        return false;
    framing->at += FRAMING_PREFIX + len;
    *message = bytes + FRAMING_PREFIX;
    *message_len = len;
    return true;
}

void framing_prefix(uint8_t out[FRAMING_PREFIX], size_t message_len)
{
    out[0] = (uint8_t)(message_len >> 8);
    out[1] = (uint8_t)message_len;
}
