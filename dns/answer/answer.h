/* dns/answer/answer.h - zone + environment + query -> reply, as a pure function.
 *
 * A worker calls, for a batch: query_read() and answer_prepare() for each, answer_fetch() for all,
 * then answer() for each: the memory that one query needs arrives while the others are looked at.
 * Tests, fuzzers and benchmarks call the same functions. Nothing here allocates, locks, logs, reads
 * a clock or makes a system call.
 *
 * Threads: any number of readers that are online (zones/store/rcu.h); one scratch to a thread. */
#ifndef DNS_ANSWER_ANSWER_H
#define DNS_ANSWER_ANSWER_H

#include "answer_types.h"
#include "dns/wire/query.h"

struct zone;

/* A thread's working memory for removing duplicates. */
struct answer_scratch;
struct answer_scratch *answer_scratch_new(void); /* NULL without memory or random numbers */
void answer_scratch_free(struct answer_scratch *scratch);

/* Whether the name lies in the zone, its hash, and a prefetch of its slot. */
void answer_prepare(const struct zone *zone, struct query *query);
/* Find the owners behind the slots of a batch, and prefetch them and what they refer to. Queries
 * that were not prepared are passed over. */
void answer_fetch(const struct zone *zone, struct query *queries, unsigned count);

/* Write the reply to `out`: `size` octets, at least 512, ANSWER_MAX for TCP; and ANSWER_SLACK more
 * that mean nothing. `out` must not overlap the query, which has been prepared and fetched. */
void answer(const struct zone *zone, const struct answer_env *env, const struct query *query,
            struct answer_scratch *scratch, uint8_t *out, size_t size,
            struct answer_result *result);

#endif
