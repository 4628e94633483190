#include "outage.h"

#include "registry/base/backoff.h"

#define OUTAGE_BACKOFF_MIN_MS 250
#define OUTAGE_BACKOFF_MAX_MS 1500

_Static_assert(STATUS_COUNT <= 32, "a bit for each");

/* Different faces of one outage are reported once: while members go down and come back, what they
 * answer changes from one try to the next. */
static enum status outage_kind(enum status status)
{
    bool is_away = status == STATUS_TIMED_OUT || status == STATUS_UNRESOLVED ||
                   status == STATUS_BAD_REPLY || status == STATUS_CONFLICT ||
                   status == STATUS_CANCELLED;
    return is_away ? STATUS_UNREACHABLE : status;
}

/* A full database is not among them, nor what is wrong with TLS: an operator makes room, and a
 * certificate that has run out is replaced. */
bool outage_is_permanent(enum status status)
{
    return status == STATUS_DENIED || status == STATUS_BAD_INPUT || status == STATUS_TOO_LARGE ||
           status == STATUS_TOO_MANY || status == STATUS_REFUSED;
}

bool outage_is_unknown(enum status status)
{
    return !outage_is_permanent(status) && status != STATUS_NOT_FOUND &&
           status != STATUS_CONFLICT && status != STATUS_NO_SPACE;
}

bool outage_is_new(struct outage *outage, enum status status)
{
    uint32_t kind = UINT32_C(1) << outage_kind(status);
    bool is_new = !(outage->reported & kind);
    outage->reported |= kind;
    return is_new;
}

uint64_t outage_delay_ms(struct outage *outage, uint64_t max_ms)
{
    outage->failures++;
    uint64_t delay_ms = backoff_jitter(
        backoff_pause(OUTAGE_BACKOFF_MIN_MS, OUTAGE_BACKOFF_MAX_MS, outage->failures));
    return delay_ms < max_ms ? delay_ms : max_ms;
}

bool outage_end(struct outage *outage)
{
    bool was_outage = outage->failures > 0;
    *outage = (struct outage){0, 0};
    return was_outage;
}
