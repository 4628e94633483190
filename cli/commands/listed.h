/* cli/commands/listed.h - one element of what `service list --format json` prints, read back.
 *
 *   {"service": "/foo/service/web/shop", "location": "10.1.2.3:8080", "ttl": 25, "weight": 5}
 *
 * "service" is the key below the tree root, or TYPE/NAME. "ttl" is whole seconds, null or not
 * there: none. The others are those of registry/entry.h, but here nothing is ignored: a wrong or
 * unknown member is an error.
 *
 * Threads: as entry_parse(). */
#ifndef CLI_COMMANDS_LISTED_H
#define CLI_COMMANDS_LISTED_H

#include "registry/base/status.h"
#include "registry/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listed {
    struct kv_key key;
    char *value; /* as etcd gets it; owned */
    size_t value_len;
    uint64_t ttl_s;      /* 0 = none */
    bool is_unspecified; /* its address is 0.0.0.0 or [::] */
};

/* text: a whole object. OK: *out is to be given to listed_clear(). BAD_INPUT: *why names the
 * service as far as it is known, and the member. NO_MEMORY. */
MUST_USE enum status listed_read(const char *text, size_t len, const struct key_root *root,
                                 struct listed *out, struct detail *why);
void listed_clear(struct listed *listed);

#endif
