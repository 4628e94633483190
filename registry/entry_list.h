/* registry/entry_list.h - services and switches as JSON: what a list prints, and is read back.
 *
 *   {"service": "/foo/service/web/shop", "location": "10.1.2.3:8080", "ttl": 25, "weight": 5}
 *   {"switch": "/foo/switch/features/x", "value": "yes", "ttl": null}
 *
 * Read back are services alone. "service" is the key below the tree root, or TYPE/NAME. "ttl" is
 * whole seconds, null or not there: none. The others are those of entry.h, but here nothing is
 * ignored: a wrong or unknown member is an error, and so is a service that is given twice.
 *
 * A list is taken apart as it arrives, so that memory is bounded however long it is, but for 11 to
 * 21 octets for each service, which remember that it came.
 *
 * Threads: as entry_parse(). */
#ifndef REGISTRY_ENTRY_LIST_H
#define REGISTRY_ENTRY_LIST_H

#include "key.h"
#include "registry/base/hash_set.h"
#include "registry/etcd/json_split.h"

struct scan_row;

/* Append a key as an object: a service's, or a switch's. A service's value that is no entry is
 * shown as it is. out->status: NO_MEMORY, TOO_LARGE. */
void entry_list_write(struct buffer *out, const struct scan_row *row, bool is_service);

struct entry_list_item {
    struct kv_key key;
    char *value; /* as etcd gets it */
    size_t value_len;
    uint64_t ttl_s;      /* 0 = none */
    bool is_unspecified; /* its address is 0.0.0.0 or [::] */
};

/* The next service, the number-th of the list; *item is borrowed. Not OK: the reading ends with
 * that status. */
typedef enum status entry_list_each(void *arg, const struct entry_list_item *item, uint64_t number);

/* A list of services that is being read: arrays of objects, or objects alone. */
struct entry_list {
    const struct key_root *root;
    entry_list_each *each;
    void *arg;
    struct json_split stream;
    struct hash_set known; /* keys that came, as hashes */
    uint8_t seed[16];      /* of them: the names may have been chosen by strangers */
    uint64_t count;
    bool has_value; /* an object or an array has come */
    struct detail why;
};

/* `seed` is random. *list must stay where it is; `root` must outlive it. */
void entry_list_init(struct entry_list *list, const struct key_root *root, const uint8_t seed[16],
                     entry_list_each *each, void *arg);
void entry_list_clear(struct entry_list *list);

/* The next octets, cut anywhere. After any other status than OK it must not be called again.
 * BAD_INPUT, BAD_REPLY: *why says which service is wrong as far as that is known, and what is
 * wrong: `entry 3: "t/n": member "weight": ...`. NO_MEMORY. Else what `each` returned. */
MUST_USE enum status entry_list_feed(struct entry_list *list, const char *text, size_t len,
                                     struct detail *why);

/* The list has ended. BAD_REPLY: it was cut off, or empty. */
MUST_USE enum status entry_list_finish(const struct entry_list *list, struct detail *why);

#endif
