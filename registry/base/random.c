#include "random.h"

#include <errno.h>
#include <sys/random.h>

enum status random_fill(void *out, size_t len)
{
    char *at = out;
    /* A signal may cut a request of more than 256 octets short (getrandom(2)). */
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return STATUS_SYSTEM;
        at += got;
        len -= (size_t)got;
    }
    return STATUS_OK;
}

uint32_t random_below(uint32_t limit)
{
    uint32_t number;
    /* Early at boot random_fill() would wait; a retry must not wait for that. */
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
        return 0;
    /* Uneven by less than limit / 2^32, too little to matter for spreading. */
    return number % limit;
}
