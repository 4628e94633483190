/* registry/kept_value.h - what an entry that is kept should be: a value that may be exchanged while
 * it is being written, and whose state others may change.
 *
 * Values are counted: the answer to a write says that the one which was sent is there, not the one
 * that was given meanwhile. And the one before is remembered until the next is written, since till
 * then it is what the registry may hold, or may hold with another state.
 *
 * Threads: the caller's memory. */
#ifndef REGISTRY_KEPT_VALUE_H
#define REGISTRY_KEPT_VALUE_H

#include "registry/etcd/kv_types.h"

struct kept_value {
    char *text; /* owned, as is previous; NUL-terminated */
    size_t len;
    char *previous; /* NULL: it is not there any more */
    size_t previous_len;
    unsigned number, sent, written; /* of this one, and of those that were so last */
};

/* A copy. OK: *out is to be given to kept_value_clear(). NO_MEMORY. */
MUST_USE enum status kept_value_init(struct kept_value *out, const char *text, size_t len);
void kept_value_clear(struct kept_value *value);

/* Exchange it. The state that it has is kept. BAD_INPUT: that is no entry; *why (may be NULL) says
 * what is wrong with it. TOO_LARGE, NO_MEMORY. */
MUST_USE enum status kept_value_set(struct kept_value *value, const char *text, size_t len,
                                    struct detail *why);
/* Change its state. OK also where it has that already; others as kept_value_set(). */
MUST_USE enum status kept_value_set_draining(struct kept_value *value, bool is_draining,
                                             struct detail *why);

/* It is being written. */
void kept_value_send(struct kept_value *value);
/* The one with this number is there. True: it was another before. */
bool kept_value_confirm(struct kept_value *value, unsigned number);
/* Whether it is still to be written. */
bool kept_value_is_news(const struct kept_value *value);

/* Whether what was found is this value, or the one before (line ends behind it do not count). */
bool kept_value_is(const struct kept_value *value, const struct kv *found);
bool kept_value_was(const struct kept_value *value, const struct kv *found);

/* Where what was found is this value or the one before with another state, take the state over. If
 * it is this one, that is then what is there. False: it is something else, or without memory. */
bool kept_value_adopt(struct kept_value *value, const struct kv *found, bool *is_draining);

#endif
