/* registry/stream.h - take a reply of etcd apart while it arrives.
 *
 * A page of a range is {"header":{..},"kvs":[{..},{..}],"more":true}, a line of a watch
 * {"result":{"header":{..},"events":[{..},{..}]}}: 8 to 44 MB are common. The splitter hands over
 * each element of that one array as soon as it is complete and keeps the rest, the value without
 * its elements; so cJSON parses one key-value at a time, and memory is bounded by the largest one,
 * whatever the page.
 *
 * It finds only where things begin and end, and that one comma stands between two elements. Whether
 * they are JSON is for cJSON to say.
 *
 * Threads: a stream belongs to one thread. */
#ifndef REGISTRY_STREAM_H
#define REGISTRY_STREAM_H

#include "buffer.h"
#include "status.h"

#include <stdbool.h>

#define STREAM_ELEMENT_MAX                                                                         \
    (4U << 20) /* etcd's largest request, 1.5 MiB, in base64 and to spare                          \
                */
#define STREAM_REST_MAX  (64U << 10)
#define STREAM_DEPTH_MAX 64

/* Callbacks that return other than OK end the stream; stream_feed() returns that status. */
struct stream_events {
    /* The array begins; `text` is what the value had before it, unfinished. May be NULL. */
    enum status (*begin)(void *arg, const char *text, size_t len);
    /* An element of the array, an object. Borrowed, not NUL-terminated. */
    enum status (*element)(void *arg, const char *text, size_t len);
    /* A whole top-level value, its array emptied. Borrowed, NUL-terminated. */
    enum status (*rest)(void *arg, const char *text, size_t len);
};

struct stream {
    const char *parent, *array;
    const struct stream_events *events;
    void *arg;
    struct buffer element, rest;
    unsigned depth;         /* open brackets of the rest */
    unsigned element_depth; /* open brackets of the element */
    bool in_array, in_string, is_escaped;
    bool has_element, has_comma; /* of the array: one, and behind the last one */
    bool in_parent;              /* the object at depth 2 is the value of `parent` */
    size_t name_start, name_len; /* in `rest`: the last string at depth 1 or 2 */
    bool is_name;                /* a ':' followed it */
};

/* The array is the member `array` of the top-level value, or, unless `parent` is NULL, of its
 * member `parent`. array NULL: it is a top-level value itself, and an object that is one counts as
 * an element, too. All pointers must outlive the stream. */
void stream_init(struct stream *stream, const char *parent, const char *array,
                 const struct stream_events *events, void *arg);
void stream_clear(struct stream *stream);

/* The next octets, cut anywhere. BAD_REPLY: not JSON objects. TOO_LARGE: an element or the rest is
 * over its limit. NO_MEMORY. Else what a callback returned. */
MUST_USE enum status stream_feed(struct stream *stream, const char *text, size_t len);

/* Whether the stream stands between two values: a reply that ends elsewhere is cut off. */
bool stream_is_between(const struct stream *stream);

/* Be ready for a new reply. */
void stream_reset(struct stream *stream);

#endif
