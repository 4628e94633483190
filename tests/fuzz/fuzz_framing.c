/* tests/fuzz/fuzz_framing.c - a TCP stream says the same however it is cut.
 *
 * The first octet chooses the pieces in which the rest arrives; what is left over is presented
 * again with the next piece behind it, as a connection does. */
#include "dns/wire/framing.h"
#include "zones/name/rr.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* That this message stands at `at` in the stream, whole; where it ends. */
static size_t expect_next(const uint8_t *stream, size_t len, size_t at, const uint8_t *message,
                          size_t message_len)
{
    uint8_t prefix[FRAMING_PREFIX];
    rr_put16(prefix, (uint32_t)message_len);
    if (len - at < FRAMING_PREFIX + message_len ||
        memcmp(stream + at, prefix, FRAMING_PREFIX) != 0 ||
        memcmp(stream + at + FRAMING_PREFIX, message, message_len) != 0)
        abort();
    return at + FRAMING_PREFIX + message_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const uint8_t *stream = data + 1, *message;
    size_t len = size - 1, piece = data[0] + 1u, message_len, answered = 0;

    for (size_t arrived = 0; arrived < len;) {
        arrived = len - arrived < piece ? len : arrived + piece;
        struct framing framing = {stream + answered, arrived - answered, 0};
        while (framing_next(&framing, &message, &message_len)) {
            answered = expect_next(stream, arrived, answered, message, message_len);
            if (framing.bytes + framing.at != stream + answered)
                abort();
        }
    }

    struct framing whole = {stream, len, 0};
    while (framing_next(&whole, &message, &message_len))
        ;
    if (whole.at != answered)
        abort();
    return 0;
}
