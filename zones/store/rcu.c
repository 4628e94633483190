#include "rcu.h"

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif
#ifndef RCU_TSAN
#define RCU_TSAN 0
#endif

#if RCU_TSAN
#include <sanitizer/tsan_interface.h>
/* liburcu's own ordering is invisible to ThreadSanitizer: what readers did before a quiescent state
 * happens before what is done after the grace period. */
static char tsan_order;
#define RCU_READERS_DONE() __tsan_release(&tsan_order)
#define RCU_GRACE_OVER()   __tsan_acquire(&tsan_order)
#else
#define RCU_READERS_DONE() ((void)0)
#define RCU_GRACE_OVER()   ((void)0)
#endif

void rcu_reader_start(void)
{
    urcu_qsbr_register_thread();
}

void rcu_reader_stop(void)
{
    RCU_READERS_DONE();
    urcu_qsbr_unregister_thread();
}

void rcu_reader_offline(void)
{
    RCU_READERS_DONE();
    urcu_qsbr_thread_offline();
}

void rcu_reader_online(void)
{
    urcu_qsbr_thread_online();
}

void rcu_quiescent(void)
{
    RCU_READERS_DONE();
    urcu_qsbr_quiescent_state();
}

/* Retired memory is noted in blocks; a commit's blocks go to call_rcu() together. After their grace
 * period they are returned to the writer, which frees them with its next commit. Freed on liburcu's
 * thread, memory that the writer allocated would have both threads contend for malloc()'s lock,
 * which costs more than the rest of a change. Only a chain of blocks so long that freeing it would
 * hold up the writer is freed on liburcu's thread all the same.
 *
 * They are returned by a lock-free stack, so that neither thread ever waits for the other. The
 * hazard of such stacks (ABA: an element popped and pushed again between a load and the exchange
 * makes the top look unchanged) needs a thread that pops single elements; the writer takes the
 * whole stack with one exchange. The push releases and the exchange acquires, so that the writer
 * sees the blocks as they were filled. */
#define BLOCK_MAX  60 /* glibc keeps blocks of up to 1 kB at hand */
#define BLOCKS_MAX 64 /* of a commit, to come back */
/* Kept for when there is no memory for another: without a block what is retired is lost, as nobody
 * can tell then when it may be freed. */
#define BLOCKS_KEPT 64

struct block {
    struct rcu_head head;
    struct block *next;
    uint32_t blocks; /* from this one on */
    uint32_t count;
    void *memory[BLOCK_MAX];
};

/* The writer's, and there is one writer thread in a process. */
static __thread struct block *collecting;
static __thread struct block *kept;
static __thread unsigned kept_count;
static struct block *returned; /* a stack: liburcu's thread pushes, the writer takes all */

static void rcu_free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        for (size_t i = 0; i < block->count; i++)
            free(block->memory[i]);
        free(block);
        block = next;
    }
}

static void rcu_return_blocks(struct block *first)
{
    struct block *last = first;
    while (last->next)
        last = last->next;
    last->next = __atomic_load_n(&returned, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&returned, &last->next, first, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
}

static void rcu_grace_over(struct rcu_head *head)
{
    RCU_GRACE_OVER();
    struct block *block = (struct block *)(void *)((char *)head - offsetof(struct block, head));
    if (block->blocks > BLOCKS_MAX)
        rcu_free_blocks(block);
    else
        rcu_return_blocks(block);
}

static void rcu_free_returned(void)
{
    if (__atomic_load_n(&returned, __ATOMIC_RELAXED))
        rcu_free_blocks(__atomic_exchange_n(&returned, NULL, __ATOMIC_ACQUIRE));
}

static struct block *rcu_take_kept(void)
{
    struct block *block = kept;
    if (!block)
        return NULL;
    kept = block->next;
    kept_count--;
    return block;
}

/* One with each commit: rarely needed, so not to be waited for. */
static void rcu_keep_one(void)
{
    struct block *block = kept_count < BLOCKS_KEPT ? malloc(sizeof(*block)) : NULL;
    if (!block)
        return;
    block->next = kept;
    kept = block;
    kept_count++;
}

void rcu_retire(void *memory)
{
    if (!memory)
        return;
    if (!collecting || collecting->count == BLOCK_MAX) {
        struct block *block = malloc(sizeof(*block));
        if (!block)
            block = rcu_take_kept();
        if (!block)
            return; /* lost: it may still be published, so that no grace period could free it now */
        block->next = collecting;
        block->blocks = collecting ? collecting->blocks + 1 : 1;
        block->count = 0;
        collecting = block;
    }
    collecting->memory[collecting->count++] = memory;
}

void rcu_collect(void)
{
    rcu_free_returned();
    rcu_keep_one();
    if (!collecting)
        return;
    struct block *block = collecting;
    collecting = NULL;
    /* call_rcu reads under RCU itself, so its caller must be a registered thread; it is not left
     * registered, since a writer that sleeps in its loop would hold up every grace period. */
    urcu_qsbr_register_thread();
    urcu_qsbr_call_rcu(&block->head, rcu_grace_over);
    urcu_qsbr_unregister_thread();
}

void rcu_wait(void)
{
    urcu_qsbr_synchronize_rcu();
    RCU_GRACE_OVER();
}

struct barrier {
    struct rcu_head head;
    sem_t is_reached;
};

static void rcu_reach(struct rcu_head *head)
{
    struct barrier *barrier =
        (struct barrier *)(void *)((char *)head - offsetof(struct barrier, head));
    (void)sem_post(&barrier->is_reached);
}

/* Callbacks run in order. (liburcu's own barrier frees on its thread what it allocated here, in an
 * order that ThreadSanitizer cannot see.) */
void rcu_barrier_all(void)
{
    struct barrier barrier;
    rcu_collect();
    (void)sem_init(&barrier.is_reached, 0, 0); /* fails for a count that is too large alone */
    urcu_qsbr_register_thread();
    urcu_qsbr_call_rcu(&barrier.head, rcu_reach);
    urcu_qsbr_unregister_thread();
    while (sem_wait(&barrier.is_reached) != 0)
        ;
    (void)sem_destroy(&barrier.is_reached);
    RCU_GRACE_OVER();
    rcu_free_returned();
    for (struct block *block; (block = rcu_take_kept());)
        free(block);
}
