#include "state_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS_PER_S  1000
#define NS_PER_MS 1000000

void state_queue_init(struct state_queue *queue, uint64_t octets_max)
{
    *queue = (struct state_queue){.octets_max = octets_max};
    sem_init(&queue->wake, 0, 0);
}

void state_queue_clear(struct state_queue *queue)
{
    struct state_list rest;
    state_list_init(&rest);
    state_queue_take(queue, &rest);
    state_queue_free_list(queue, &rest);
    sem_destroy(&queue->wake);
}

uint64_t state_queue_octets(const struct state_queue *queue)
{
    return __atomic_load_n(&queue->octets, __ATOMIC_RELAXED);
}

/* Once until the thread has seen it: to post is a system call when it sleeps. */
void state_queue_signal(struct state_queue *queue)
{
    if (!__atomic_exchange_n(&queue->is_signaled, true, __ATOMIC_ACQ_REL))
        sem_post(&queue->wake);
}

enum status state_queue_push(struct state_queue *queue, const void *octets, size_t len)
{
    if (state_queue_octets(queue) + len > queue->octets_max)
        return STATUS_TOO_LARGE;
    struct state_block *block = malloc(sizeof(*block) + len);
    if (!block)
        return STATUS_NO_MEMORY;
    block->len = len;
    memcpy(block->octets, octets, len);
    __atomic_add_fetch(&queue->octets, len, __ATOMIC_RELAXED);
    block->next = __atomic_load_n(&queue->top, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&queue->top, &block->next, block, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    state_queue_signal(queue);
    return STATUS_OK;
}

void state_queue_wait(struct state_queue *queue, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / MS_PER_S),
                             .tv_nsec = (long)(until_ms % MS_PER_S) * NS_PER_MS};
    int result;
    do
        result = until_ms == UINT64_MAX ? sem_wait(&queue->wake)
                                        : sem_clockwait(&queue->wake, CLOCK_MONOTONIC, &until);
    while (result != 0 && errno == EINTR);
    /* Before anything is taken: what comes after it is signalled anew. */
    if (result == 0)
        __atomic_store_n(&queue->is_signaled, false, __ATOMIC_RELEASE);
}

/* The last one lies on top. */
void state_queue_take(struct state_queue *queue, struct state_list *to)
{
    struct state_block *block = __atomic_exchange_n(&queue->top, NULL, __ATOMIC_ACQUIRE);
    struct state_block *first = NULL;
    while (block) {
        struct state_block *next = block->next;
        block->next = first;
        first = block;
        block = next;
    }
    while (first) {
        struct state_block *next = first->next;
        state_list_append(to, first);
        first = next;
    }
}

void state_list_init(struct state_list *list)
{
    list->first = NULL;
    list->end = &list->first;
    list->octets = 0;
}

void state_list_append(struct state_list *list, struct state_block *block)
{
    block->next = NULL;
    *list->end = block;
    list->end = &block->next;
    list->octets += block->len;
}

struct state_block *state_list_take(struct state_list *list)
{
    struct state_block *block = list->first;
    list->first = block->next;
    list->octets -= block->len;
    if (!list->first)
        list->end = &list->first;
    return block;
}

void state_list_prepend(struct state_list *to, struct state_list *from)
{
    if (!from->first)
        return;
    *from->end = to->first;
    if (!to->first)
        to->end = from->end;
    to->first = from->first;
    to->octets += from->octets;
    state_list_init(from);
}

void state_queue_free(struct state_queue *queue, struct state_block *block)
{
    __atomic_sub_fetch(&queue->octets, block->len, __ATOMIC_RELAXED);
    free(block);
}

void state_queue_free_list(struct state_queue *queue, struct state_list *list)
{
    while (list->first)
        state_queue_free(queue, state_list_take(list));
}
