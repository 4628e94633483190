#include "shortage.h"

#include "registry/etcd/follow.h"
#include "zones/zone.h"

/* A change that found no memory is lost, and the watch does not bring it again: only a load does.
 * That reads the whole tree, and where memory is short it rarely is there a second later, so the
 * pause grows. */
#define PAUSE_MS     1000
#define PAUSE_MAX_MS 60000

static void shortage_on_timer(uv_timer_t *timer)
{
    struct shortage *shortage = timer->data;
    /* A load for another reason may have brought everything meanwhile. */
    if (*shortage->follow && zone_is_partial(*shortage->zone))
        follow_load_again(*shortage->follow, "not all of it could be kept");
}

void shortage_init(struct shortage *shortage, uv_loop_t *loop, struct zone *const *zone,
                   struct follow *const *follow, const struct log *log)
{
    *shortage = (struct shortage){.zone = zone, .follow = follow, .log = log};
    uv_timer_init(loop, &shortage->timer);
    shortage->timer.data = shortage;
}

void shortage_begin(struct shortage *shortage, enum status status)
{
    if (uv_is_active((uv_handle_t *)&shortage->timer)) /* the load that is due tells this, too */
        return;
    if (shortage->pause_ms == 0)
        log_printf(shortage->log, LOG_LEVEL_ERROR,
                   "not all of the registry is served, questions for what is not known fail: %s "
                   "(trying again)",
                   status_text(status));
    /* The timer has run out when its load begins: what finds no memory in that comes here again,
     * and the pause doubles. */
    uint64_t pause_ms = 2 * shortage->pause_ms;
    pause_ms = pause_ms > PAUSE_MS ? pause_ms : PAUSE_MS;
    shortage->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    uv_timer_start(&shortage->timer, shortage_on_timer, shortage->pause_ms, 0);
}

bool shortage_end(struct shortage *shortage)
{
    if (shortage->pause_ms == 0)
        return false;
    shortage->pause_ms = 0;
    uv_timer_stop(&shortage->timer);
    log_printf(shortage->log, LOG_LEVEL_INFO, "all of the registry is served again");
    return true;
}

void shortage_close(struct shortage *shortage)
{
    uv_close((uv_handle_t *)&shortage->timer, NULL);
}
