#include "outage.h"

#include <sys/random.h>

#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 1500

/* Different faces of one outage are said once. */
static enum status kind_of(enum status status)
{
    bool is_away = status == STATUS_TIMED_OUT || status == STATUS_UNRESOLVED ||
                   status == STATUS_BAD_REPLY || status == STATUS_CONFLICT ||
                   status == STATUS_CANCELLED;
    return is_away ? STATUS_UNREACHABLE : status;
}

bool trouble_is_hopeless(enum status status)
{
    return status == STATUS_DENIED || status == STATUS_BAD_INPUT || status == STATUS_TOO_LARGE ||
           status == STATUS_TOO_MANY || status == STATUS_REFUSED;
}

bool trouble_is_new(struct trouble *trouble, enum status status)
{
    bool is_new = trouble->said != kind_of(status);
    trouble->said = kind_of(status);
    return is_new;
}

uint64_t trouble_delay_ms(struct trouble *trouble)
{
    uint32_t random = 0;
    trouble->backoff_ms = trouble->backoff_ms == 0 ? BACKOFF_MIN_MS : trouble->backoff_ms * 2;
    if (trouble->backoff_ms > BACKOFF_MAX_MS)
        trouble->backoff_ms = BACKOFF_MAX_MS;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = 0;
    return trouble->backoff_ms / 2 + random % (trouble->backoff_ms / 2 + 1);
}

bool trouble_end(struct trouble *trouble)
{
    bool was_trouble = trouble->backoff_ms > 0;
    *trouble = (struct trouble){0, STATUS_OK};
    return was_trouble;
}
