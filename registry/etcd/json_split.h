/* registry/etcd/json_split.h - take a reply of etcd apart while it arrives.
 *
 * A page of a range is {"header":{..},"kvs":[{..},{..}],"more":true}, a line of a watch
 * {"result":{"header":{..},"events":[{..},{..}]}}: 8 to 44 MB are common. The splitter hands
 * over each element of that one array as soon as it is complete and keeps the *outer* text, the
 * value without its elements; so cJSON parses one key-value at a time, and memory is bounded by
 * the largest one, whatever the page. Of a string that is too long the beginning is handed over.
 *
 * It finds only where values begin and end, and checks that one comma stands between two elements.
 * Whether they are valid JSON is left to cJSON.
 *
 * Threads: a stream belongs to one thread. */
#ifndef REGISTRY_ETCD_JSON_SPLIT_H
#define REGISTRY_ETCD_JSON_SPLIT_H

#include "registry/base/buffer.h"

/* Of a string of an element no more octets are handed over: in base64 etcd's largest request, 1.5
 * MiB, and to spare. Whoever raises --max-request-bytes can have longer keys and values, which must
 * not stop all others; gateway_reply_kv() sees that they were cut. */
#define JSON_SPLIT_STRING_MAX   (3U << 20)
#define JSON_SPLIT_ELEMENT_MAX  (16U << 20) /* four such strings, and to spare */
#define JSON_SPLIT_ELEMENT_KEPT (1U << 20)  /* octets of memory between two elements */
#define JSON_SPLIT_OUTER_MAX    (64U << 10)
#define JSON_SPLIT_DEPTH_MAX    64
#define JSON_SPLIT_GAP_MAX      (64U << 20) /* octets between two elements' ends, kept or not */

/* Callbacks that return other than OK end the stream; json_split_feed() returns that status. */
struct json_split_events {
    /* The array begins; `text` is what the value had before it, unfinished. May be NULL. */
    enum status (*begin)(void *arg, const char *text, size_t len);
    /* An element of the array, an object. Borrowed, not NUL-terminated. */
    enum status (*element)(void *arg, const char *text, size_t len);
    /* A whole top-level value, its array emptied. Borrowed, NUL-terminated. */
    enum status (*outer)(void *arg, const char *text, size_t len);
};

struct json_split {
    const char *parent, *array;
    const struct json_split_events *events;
    void *arg;
    struct buffer element, outer;
    unsigned depth;         /* open brackets of the outer text */
    unsigned element_depth; /* open brackets of the element */
    bool in_array, in_string, is_escaped;
    size_t string_len;           /* octets of the element's string so far */
    bool is_cut;                 /* there were more than are handed over */
    bool has_element, has_comma; /* of the array: one, and behind the last one */
    bool in_parent;              /* the object at depth 2 is the value of `parent` */
    size_t name_start, name_len; /* in `outer`: the last string at depth 1 or 2 */
    size_t gap;                  /* octets since an element or a value was last complete */
    bool is_name;                /* a ':' followed it */
};

/* The array is the member `array` of the top-level value, or, unless `parent` is NULL, of its
 * member `parent`. array NULL: it is a top-level value itself, and an object that is one counts as
 * an element, too. All pointers must outlive the stream. */
void json_split_init(struct json_split *split, const char *parent, const char *array,
                     const struct json_split_events *events, void *arg);
void json_split_clear(struct json_split *split);

/* The next octets, cut anywhere. BAD_REPLY: not JSON objects, or an element, the outer text or what
 * lies between two elements is over its limit. NO_MEMORY. Else what a callback returned. */
MUST_USE enum status json_split_feed(struct json_split *split, const char *text, size_t len);

/* Whether the stream stands between two values: a reply that ends elsewhere is cut off. */
bool json_split_at_boundary(const struct json_split *split);

/* Be ready for a new reply. */
void json_split_reset(struct json_split *split);

#endif
