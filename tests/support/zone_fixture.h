/* tests/support/zone_fixture.h - a zone to tell changes to, and what it then holds, as text. */
#ifndef SUPPORT_ZONE_FIXTURE_H
#define SUPPORT_ZONE_FIXTURE_H

#include "zones/dump.h"
#include "zones/name/rr.h"
#include "zones/text.h"
#include "zones/zone.h"
#include "zones/zone_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define FIXTURE_LEASE(ttl_s) ((int64_t)(UINT64_C(0x45) << 55 | (uint64_t)(ttl_s) << 47))

struct fixture {
    struct zone *zone;
    int64_t revision;
    unsigned warnings;
    char warning[512];  /* the last */
    char hosts[512];    /* "+name " for one that is added, "-name " for one that goes */
    char text[1 << 16]; /* fixture_text() */
};

/* A zone "z"; zeros in `options` are the usual. */
void fixture_open(struct fixture *fixture, struct zone_options options);

/* Free the zone. */
void fixture_close(struct fixture *fixture);

/* As a feed would tell it, at the next revision; fails the test where the zone refuses. */
void fixture_put_leased(struct fixture *fixture, const char *key, const char *value, int64_t lease);

/* The same without a lease. */
void fixture_put(struct fixture *fixture, const char *key, const char *value);

/* Also of a key that is not there. */
void fixture_remove(struct fixture *fixture, const char *key);

/* Publish what was put and removed. */
void fixture_commit(struct fixture *fixture);

/* Of the zone. */
struct zone_counts fixture_counts(const struct fixture *fixture);

/* The node with this name below the zone ("a._http._tcp"; "" = the apex), as a reader finds it. */
const struct node *fixture_find(const struct fixture *fixture, const char *text);

/* The kind of that node; -1: there is none. */
int fixture_kind(const struct fixture *fixture, const char *text);

/* The lines of the zone file that begin with `owner` and a dot, sorted: "<owner>.z. TTL TYPE DATA". In
 * fixture->text. */
const char *fixture_text(struct fixture *fixture, const char *owner);

#endif
