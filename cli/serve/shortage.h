/* cli/serve/shortage.h - when memory did not suffice for all of the registry: load it again, until
 * it does.
 *
 * The zone itself sees to it that nothing is said not to exist meanwhile (zones/zone.h).
 *
 * Threads: belongs to the control thread. */
#ifndef CLI_SERVE_SHORTAGE_H
#define CLI_SERVE_SHORTAGE_H

#include "registry/base/log.h"

#include <uv.h>

struct follow;
struct zone;

struct shortage {
    uv_timer_t timer;
    struct zone *const *zone;
    struct follow *const *follow;
    const struct log *log;
    uint64_t pause_ms; /* until the next load; 0 = there is no shortage */
};

/* All must outlive it. */
void shortage_init(struct shortage *shortage, uv_loop_t *loop, struct zone *const *zone,
                   struct follow *const *follow, const struct log *log);

/* Something could not be told: say so once, and load after a pause of 1 s, doubled up to 60 s. */
void shortage_begin(struct shortage *shortage, enum status status);

/* A load has told all. False: there was no shortage. */
bool shortage_end(struct shortage *shortage);

void shortage_close(struct shortage *shortage);

#endif
