/* registry/state/state_apply.h - changes become rows: transactions, and what is done when one
 * fails.
 *
 * A transaction is ended only where the changes say that they are one state of the store, and at
 * most once a second. What it holds is kept until then, and done again after a failure; of more
 * than 64 MB, as a whole load has, the rest is not kept: a failure then loses the copy, until a
 * load brings everything.
 *
 * Generations: such a load begins one (STATE_CHANGE_CLEAR). Which of them is lost is said by its
 * number, so that the loss of one does not hit the next, which may have begun already.
 *
 * Time is passed in: milliseconds of a clock that is never set. Threads: one; what is atomic is
 * read by others. */
#ifndef REGISTRY_STATE_STATE_APPLY_H
#define REGISTRY_STATE_STATE_APPLY_H

#include "state_copy.h"
#include "state_queue.h"

struct state_apply {
    /* Atomic. */
    uint64_t lost; /* the generation that is lost; 0 = none */
    uint64_t written_ms, bytes, failures;

    struct state_queue *queue;
    struct state_copy *copy;
    struct log log;
    struct state_list pending, applied;
    struct state_mark mark;
    uint64_t generation, commit_ms, retry_ms; /* not before these */
    unsigned failures_in_row;
    bool is_lost;         /* nothing is applied until the next generation */
    bool is_unrepeatable; /* not all that the transaction holds is kept */
    bool is_whole;        /* what was applied last is `mark` */
    bool is_due;          /* and that is not written yet */
};

#define STATE_APPLY_GENERATION 1 /* the first one: what the copy holds, if it was loaded */

/* `copy` becomes ours. All else must outlive it. */
void state_apply_init(struct state_apply *apply, struct state_queue *queue, struct state_copy *copy,
                      const struct log *log, uint64_t now_ms);

/* Do what can be done of the queue now. When there will be more to do: a time, UINT64_MAX for
 * never. is_last: there will be no other call, so at once; and nothing is begun after deadline_ms.
 * Blocks for the disk. */
uint64_t state_apply_work(struct state_apply *apply, uint64_t now_ms, bool is_last,
                          uint64_t deadline_ms);

/* Closes the copy. What is not committed is lost. */
void state_apply_clear(struct state_apply *apply);

/* CLOCK_MONOTONIC. */
uint64_t state_apply_now_ms(void);

#endif
