/* cli/commands/service_options.h - which service, and what is registered of it: read from the options.
 *
 * Threads: pure. */
#ifndef CLI_COMMANDS_SERVICE_OPTIONS_H
#define CLI_COMMANDS_SERVICE_OPTIONS_H

#include "cli/args/option.h"

#include "registry/registration.h"

/* BAD_INPUT: *why names the option and the value. */
MUST_USE enum status service_options_key(const struct options *options, const struct key_root *root,
                                         struct kv_key *out, struct detail *why);

/* OK: *out is to be given to registration_clear(). BAD_INPUT: as above. NO_MEMORY. */
MUST_USE enum status service_options_read(const struct options *options,
                                          const struct key_root *root, struct registration *out,
                                          struct detail *why);

#endif
