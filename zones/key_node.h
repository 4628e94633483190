/* zones/key_node.h - the registry's keys: each is a node, found by its key.
 *
 * Most keys are not stored: "/service/http/web" follows from the name web._http.
 *
 * Threads: the control thread. */
#ifndef ZONES_KEY_NODE_H
#define ZONES_KEY_NODE_H

#include "zone_state.h"

/* What a key is to be, and what it was: NULL, nothing. */
struct change {
    const char *key, *value;
    size_t key_len, value_len;
    uint64_t content; /* key_node.content */
    uint32_t ttl_s;
    struct key_node *old;
};

/* A key that cannot be served, and why. */
struct skipped {
    struct key_node key_node;
    uint8_t key[];
};

#define KEY_NODE_KEPT 4096 /* octets of a key that is kept whole */
#define KEY_NODE_MAX  (16 + KEY_NODE_KEPT)
#define KEY_NODE_SIZE (KEY_NODE_MAX + NAME_PAD)

struct key_node *key_node_find(const struct zone *zone, const char *key, size_t len, uint64_t hash);
/* The key of a node; `buffer` is used when it is derived from the name. */
struct name_padded key_node_key(const struct key_node *key_node, uint8_t buffer[KEY_NODE_SIZE]);
/* In the order of their keys. */
int key_node_compare(const struct key_node *a, const struct key_node *b);
/* As ptr_table_hash_of, `arg` a zone. */
uint64_t key_node_hash(const void *arg, const void *item);
uint64_t key_node_hash_key(const struct zone *zone, const char *key, size_t len);
/* Of a key that is not served. NULL without memory. */
struct key_node *key_node_new_skipped(const struct change *change, enum skip skip);

#endif
