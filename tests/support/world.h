/* tests/support/world.h - a zone made from rows, its oracle, and questions to both.
 *
 * Every answer goes through the strict reader and, when it is a plain one, through the oracle; what
 * it holds can be had as text, a line for each record, sorted. */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include "ask.h"
#include "oracle.h"
#include "verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORLD_KEYS_MAX 1024

struct world_row {
    const char *key, *value;
    uint32_t lease_ttl_s;
};

/* A large object: keep it in static memory. */
struct world {
    struct zone_options options;
    struct ask ask;
    struct oracle oracle;
    struct oracle_key keys[WORLD_KEYS_MAX];
    int64_t revision;
    char text[1 << 16];
};

/* Commit what was put and removed, to the zone and to the oracle. */
void world_refresh(struct world *world);

/* A key and its value, text, in zone and oracle; lease_ttl_s 0: without a lease. */
void world_put(struct world *world, const char *key, const char *value, uint32_t lease_ttl_s);

/* Also where there is no such key. */
void world_remove(struct world *world, const char *key);

/* A zone with these rows, committed, and answers as a fresh server gives them. *options as the caller has
 * filled it; zeros are the usual. */
void world_open(struct world *world, struct zone_options options, const struct world_row *rows,
                size_t count);

/* Free the zone and what the oracle knows. */
void world_close(struct world *world);

/* Ask, and let the oracle judge: a wrong reply fails the test. */
void world_send(struct world *world, const struct ask_query *query, enum query_transport transport);

/* The same with a question in class IN, without OPT. */
void world_ask(struct world *world, const char *name, uint16_t type,
               enum query_transport transport);

/* How many records of a section the last reply has, without OPT. */
size_t world_count(const struct world *world, unsigned section);

/* The records of a section of the last reply as sorted lines "[OWNER ]TTL TYPE DATA\n"; owners outside the
 * answer. In world->text. */
const char *world_text(struct world *world, unsigned section);

#endif
