#include "outage.h"

#include "registry/base/random.h"

#define OUTAGE_BACKOFF_MIN_MS 250
#define OUTAGE_BACKOFF_MAX_MS 1500

/* Different faces of one outage are reported once. */
static enum status outage_kind(enum status status)
{
    bool is_away = status == STATUS_TIMED_OUT || status == STATUS_UNRESOLVED ||
                   status == STATUS_BAD_REPLY || status == STATUS_CONFLICT ||
                   status == STATUS_CANCELLED;
    return is_away ? STATUS_UNREACHABLE : status;
}

bool outage_is_permanent(enum status status)
{
    return status == STATUS_DENIED || status == STATUS_BAD_INPUT || status == STATUS_TOO_LARGE ||
           status == STATUS_TOO_MANY || status == STATUS_REFUSED;
}

bool outage_is_new(struct outage *outage, enum status status)
{
    bool is_new = outage->reported != outage_kind(status);
    outage->reported = outage_kind(status);
    return is_new;
}

uint64_t outage_delay_ms(struct outage *outage)
{
    uint32_t random = 0;
    outage->backoff_ms = outage->backoff_ms == 0 ? OUTAGE_BACKOFF_MIN_MS : outage->backoff_ms * 2;
    if (outage->backoff_ms > OUTAGE_BACKOFF_MAX_MS)
        outage->backoff_ms = OUTAGE_BACKOFF_MAX_MS;
    if (random_fill(&random, sizeof(random)) != STATUS_OK)
        random = 0; /* without jitter rather than not at all */
    return outage->backoff_ms / 2 + random % (outage->backoff_ms / 2 + 1);
}

bool outage_end(struct outage *outage)
{
    bool was_trouble = outage->backoff_ms > 0;
    *outage = (struct outage){0, STATUS_OK};
    return was_trouble;
}
