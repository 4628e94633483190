/* registry/state/state_queue.h - changes handed over to the writer's thread.
 *
 * A stack without a lock, which the thread takes as a whole and turns round: the control thread
 * waits for nobody, also where the other one, which runs at a lower priority, was just interrupted.
 *
 * Threads: one hands over, one takes; the lists are the latter's. */
#ifndef REGISTRY_STATE_STATE_QUEUE_H
#define REGISTRY_STATE_STATE_QUEUE_H

#include "registry/base/status.h"

#include <semaphore.h>

/* Changes (state_changes.h) that were handed over at once. */
struct state_block {
    struct state_block *next;
    size_t len;
    uint8_t octets[];
};

struct state_list {
    struct state_block *first, **end;
    uint64_t octets;
};

struct state_queue {
    struct state_block *top;
    uint64_t octets; /* handed over, and not yet freed */
    uint64_t octets_max;
    bool is_signaled;
    sem_t wake;
};

void state_queue_init(struct state_queue *queue, uint64_t octets_max);
/* Frees what nobody took. */
void state_queue_clear(struct state_queue *queue);

/* A copy of the octets. TOO_LARGE: they would be more than octets_max. NO_MEMORY. */
MUST_USE enum status state_queue_push(struct state_queue *queue, const void *octets, size_t len);
/* Let the thread look, also at what is not in the queue. */
void state_queue_signal(struct state_queue *queue);

uint64_t state_queue_octets(const struct state_queue *queue);

/* Until something is signalled, or a time of CLOCK_MONOTONIC; UINT64_MAX: without end. */
void state_queue_wait(struct state_queue *queue, uint64_t until_ms);
/* All that is there, in its order, to the end of a list. */
void state_queue_take(struct state_queue *queue, struct state_list *to);

void state_list_init(struct state_list *list);
void state_list_append(struct state_list *list, struct state_block *block);
/* The first one; there is one. */
struct state_block *state_list_take(struct state_list *list);
/* All of `from` in front of `to`. */
void state_list_prepend(struct state_list *to, struct state_list *from);

void state_queue_free(struct state_queue *queue, struct state_block *block);
void state_queue_free_list(struct state_queue *queue, struct state_list *list);

#endif
