/* registry/empusa_entry.h - what a program of libempusa is shown of a key and its value.
 *
 * Threads: entry_parse() is for one thread at a time, so these belong to the registry's own. What
 * they make may go to any. */
#ifndef REGISTRY_EMPUSA_ENTRY_H
#define REGISTRY_EMPUSA_ENTRY_H

#include "empusa.h"
#include "key.h"
#include "registry/base/status.h"
#include "registry/etcd/kv_types.h"

/* The entry and all that it points to, in one block: free(). */
struct empusa_entry_copy {
    struct empusa_entry entry;
    struct empusa_entry_copy *next; /* the user's */
};

/* NOT_FOUND: it is no entry, or its type or name cannot be a string. NO_MEMORY. */
MUST_USE enum status empusa_entry_read(const struct key_root *root, const struct kv *kv,
                                       struct empusa_entry_copy **out);

/* The type and the name, or the path of a switch (then type is ""), of a key: one behind the other
 * in `out`, with a NUL behind each. False: they hold a NUL, or it is another key. */
bool empusa_entry_name(const struct key_root *root, const char *key, size_t key_len,
                       char out[KV_KEY_MAX + 2], const char **type, const char **name);

#endif
