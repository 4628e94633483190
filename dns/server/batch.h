/* dns/server/batch.h - a worker's batch of queries on its way through answer(), whatever carried
 * them.
 *
 * For each batch: batch_begin(); batch_read() for all; answer_fetch(); batch_answer() for
 * each; batch_end(). Between those two the zone may be read. Access lists stand before any work
 * on a question; what was asked and answered is counted here.
 *
 * On the hot path: no allocation, lock, log, or system call but one reading of the (coarse) clock a
 * batch.
 *
 * Threads: a struct batch belongs to one worker, an RCU reader. */
#ifndef DNS_SERVER_BATCH_H
#define DNS_SERVER_BATCH_H

#include "acl.h"
#include "counters.h"
#include "dns/answer/answer.h"

#define BATCH_SIZE 16 /* 32 and 64 cost the same per query */

/* What the control thread publishes: immutable, freed after a grace period. */
struct batch_env {
    uint64_t version; /* never the same twice: an address may come back after a free */
    struct answer_env env;
};

struct batch {
    const struct zone *zone;
    const struct batch_env *const *published; /* read by rcu_read() */
    const struct acl *allow;                  /* NULL = any */
    const struct acl *allow_transfer;         /* NULL = nobody */
    struct counters *counters;
    struct answer_scratch *scratch;

    uint64_t env_version;  /* of the copy below; 0 = none yet */
    struct answer_env env; /* the worker's own, with the time of the batch */
    uint64_t now_us;       /* wall clock at the beginning of the batch */
    uint32_t rotation;
    bool is_online; /* as an RCU reader: threads start so */

    struct query queries[BATCH_SIZE];
};

/* Go online if need be, refresh the environment, take the time. */
void batch_begin(struct batch *batch);

/* Read the i-th message of the batch. `bytes` and `client` are borrowed until batch_end(). */
static inline void batch_read(struct batch *batch, unsigned i, const uint8_t *bytes, size_t len,
                              enum query_transport transport, const struct sockaddr *client)
{
    struct query *query = &batch->queries[i];
    query_read(query, bytes, len, transport, client, batch->rotation++);
    if (batch->allow && query->verdict != QUERY_DROP && !acl_has(batch->allow, client))
        query->verdict = QUERY_DENIED;
    if (query->verdict == QUERY_QUESTION)
        answer_prepare(batch->zone, query);
}
/* The i-th message was longer than what was read of it: FORMERR. */
void batch_cut(struct batch *batch, unsigned i);

/* For batch_answer(): what is dropped or denied, and transfers. */
void batch_not_from_zone(struct batch *batch, const struct query *query, uint8_t *out, size_t size,
                         struct answer_result *result);

/* Write the i-th reply to `out` (see answer()); its length, or 0: nothing is to be sent. Does not
 * count it as a reply: the rate limit may yet drop it. 0 and result->is_transfer (over TCP alone): the
 * client is to get the whole zone; see xfr_query_keep(). */
static inline size_t batch_answer(struct batch *batch, unsigned i, uint8_t *out, size_t size,
                                  struct answer_result *result)
{
    const struct query *query = &batch->queries[i];
    bool is_answered = query->verdict == QUERY_QUESTION || query->verdict == QUERY_ERROR;
    if (is_answered)
        answer(batch->zone, &batch->env, query, batch->scratch, out, size, result);
    if (!is_answered || result->is_transfer)
        batch_not_from_zone(batch, query, out, size, result);
    if (query->verdict != QUERY_DROP)
        counters_query(batch->counters, query->transport, result);
    return result->len;
}

/* In its place: an empty reply with TC set, so that a client with a true address comes by TCP. 0
 * where there was no question. */
size_t batch_truncated(const struct batch *batch, unsigned i, uint8_t *out, size_t size,
                       struct answer_result *result);

/* Nothing of the zone is held any more. */
void batch_end(const struct batch *batch);
/* The worker goes to wait. */
void batch_sleep(struct batch *batch);

#endif
