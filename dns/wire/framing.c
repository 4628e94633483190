#include "framing.h"

#include "zones/name/rr.h"

bool framing_next(struct framing *framing, const uint8_t **message, size_t *message_len)
{
    const uint8_t *bytes = framing->bytes + framing->at;
    size_t left = framing->len - framing->at;

    if (left < FRAMING_PREFIX)
        return false;
    /* 0 is a length like any other: it is the parser that drops what is no message. */
    size_t len = rr_get16(bytes);
    if (left - FRAMING_PREFIX < len)
        return false;
    framing->at += FRAMING_PREFIX + len;
    *message = bytes + FRAMING_PREFIX;
    *message_len = len;
    return true;
}
