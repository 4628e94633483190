/* cli/commands/registration.h - which service, and what is registered of it: read from the options.
 *
 * Threads: pure. */
#ifndef CLI_COMMANDS_REGISTRATION_H
#define CLI_COMMANDS_REGISTRATION_H

#include "cli/args/option.h"

#include "registry/base/status.h"
#include "registry/key.h"

#include <stddef.h>
#include <stdint.h>

/* A service's name and key. The strings belong to the options. */
struct registration_id {
    const char *type, *name;
    struct kv_key key;
};

struct registration {
    struct registration_id id;
    char *value; /* owned */
    size_t value_len;
    uint64_t ttl_s;      /* 0 = none */
    uint64_t refresh_s;  /* 0 = once */
    bool is_unspecified; /* its address is 0.0.0.0 or [::] */
};

/* BAD_INPUT: *why names the option and the value. */
MUST_USE enum status registration_identify(const struct options *options,
                                           const struct key_root *root, struct registration_id *out,
                                           struct detail *why);

/* OK: *out is to be given to registration_clear(). BAD_INPUT: as above. NO_MEMORY. */
MUST_USE enum status registration_read(const struct options *options, const struct key_root *root,
                                       struct registration *out, struct detail *why);
void registration_clear(struct registration *registration);

#endif
