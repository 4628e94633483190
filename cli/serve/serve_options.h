/* cli/serve/serve_options.h - what `serve` is told, as its libraries want to be told it.
 *
 * Threads: pure but for the machine's name and addresses. */
#ifndef CLI_SERVE_SERVE_OPTIONS_H
#define CLI_SERVE_SERVE_OPTIONS_H

#include "cli/args/option.h"
#include "privileges.h"

#include "dns/server/server.h"
#include "registry/key.h"
#include "zones/zone.h"

struct serve_options {
    struct server_listen listen[SERVER_LISTEN_MAX];
    struct zone_address ns[ZONE_NS_MAX], hosts[ZONE_HOSTS_MAX];
    struct zone_options zone;     /* without log and callbacks */
    struct server_options server; /* without zone, log and what makes transfers */
    struct answer_env env;        /* without secrets; not ready */
    struct zone_fault fault;      /* what zone_new() finds wrong */
    uint64_t stale_limit_ms, guard_hold_ms;
    unsigned guard_share; /* percent; 0 = no guard */
    bool resolves_hosts;
};

/* `listen`: the option that says where to listen. OK: *out points into itself and into `options`;
 * it is to be given to serve_options_clear(). BAD_INPUT: *why names option and value. NO_MEMORY. */
MUST_USE enum status serve_options_read(const struct options *options, enum option_id listen,
                                        struct serve_options *out, struct detail *why);
/* The same with the tree's root and the user to become (name NULL: none). Also NOT_FOUND. */
MUST_USE enum status serve_options_take(const struct options *options, enum option_id listen,
                                        struct key_root *root, struct privileges *user,
                                        struct serve_options *out, struct detail *why);
void serve_options_clear(struct serve_options *options);

/* zone_new() said BAD_INPUT of what was read from `options`: name the option that is at fault, and
 * its value. */
enum status serve_options_fault(const struct options *options, const struct serve_options *read,
                                struct detail *why);

#endif
