/* registry/etcd/watch.h - one watch stream on one member.
 *
 * The stream is split as it arrives: each event is reported before its line is complete, and the
 * line's end says that no event up to there is missing. The watch may be resumed behind the last
 * event of a complete line, not at the revision in the line's header: while a watch catches up that
 * is the store's, ahead of events that are still to come.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_WATCH_H
#define REGISTRY_ETCD_WATCH_H

#include "gateway_reply.h"

struct etcd;
struct member;
struct watch;

struct watch_events {
    /* The member has accepted the watch. */
    void (*created)(void *arg, const struct gateway_reply_header *header);
    void (*put)(void *arg, const struct kv *kv);
    void (*remove)(void *arg, const char *key, size_t key_len, int64_t revision);
    /* A line has ended: all events up to `revision` have been reported. */
    void (*on_batch_end)(void *arg, int64_t revision);
    /* The stream is lost; the watch is freed. COMPACTED: the start revision is gone. */
    void (*on_closed)(void *arg, enum status status, const struct detail *why);
};

/* Follow the keys of *range from its revision on, on this member; what else a range has does not
 * count. Callbacks come from the loop and may call watch_stop(). The range's key and end and
 * `events` must outlive the watch. NULL: no memory, or the client is closing; nothing will be
 * called. */
struct watch *watch_start(struct etcd *etcd, struct member *member, const struct kv_range *range,
                          const struct watch_events *events, void *arg);

/* From the next event on, report by these callbacks. */
void watch_hand_over(struct watch *watch, const struct watch_events *events);

/* Nothing is called any more. Not after `on_closed`. */
void watch_stop(struct watch *watch);

/* Whether events of an unfinished line have been reported. */
bool watch_in_batch(const struct watch *watch);

/* uv_now() of when the stream last went on: an event, a line, or 16 KiB of a long one; 0 = not yet. */
uint64_t watch_last_seen_ms(const struct watch *watch);

#endif
