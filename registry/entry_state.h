/* registry/entry_state.h - change the `state` of an entry's value and not an octet more.
 *
 * The value is edited as text, not read and written anew: members that empusa does not know,
 * numbers of any size and the order of members stay as they are.
 *
 * Threads: pure. */
#ifndef REGISTRY_ENTRY_STATE_H
#define REGISTRY_ENTRY_STATE_H

#include "registry/base/status.h"

/* OK: *out is the value with "state":"draining", or without "state" where it shall be up;
 * malloc()ed and NUL-terminated, the caller's. What is left with nothing but a location becomes
 * plain text. CONFLICT: it is in that state already. BAD_INPUT: it is no entry; *why says what is
 * wrong with it. TOO_LARGE, NO_MEMORY. */
MUST_USE enum status entry_state_set(const char *value, size_t len, bool is_draining, char **out,
                                     size_t *out_len, struct detail *why);

/* Whether `found` is `value` with its state changed, and to which. False also without memory. */
bool entry_state_differs_only(const char *value, size_t len, const char *found, size_t found_len,
                              bool *is_draining);

#endif
