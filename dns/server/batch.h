/* dns/server/batch.h - a worker's batch of queries on its way through answer(), whatever carried
 * them.
 *
 * For each batch: respond_begin(); respond_read() for all; respond_fetch(); respond_answer() for
 * each; respond_end(). Between those two the zone may be read. Access lists stand before any work
 * on a question; what was asked and answered is counted here.
 *
 * On the hot path: no allocation, lock, log, or system call but one reading of the (coarse) clock a
 * batch.
 *
 * Threads: a struct respond belongs to one worker, an RCU reader. */
#ifndef DNS_SERVER_BATCH_H
#define DNS_SERVER_BATCH_H

#include "acl.h"
#include "counters.h"
#include "dns/answer/answer.h"
#include "dns/wire/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESPOND_BATCH 16 /* 32 and 64 cost the same per query */

/* What the control thread publishes: immutable, freed after a grace period. */
struct respond_env {
    uint64_t version; /* never the same twice: an address may come back after a free */
    struct answer_env env;
};

struct respond {
    const struct zone *zone;
    const struct respond_env *const *published; /* read by rcu_read() */
    const struct acl *allow;                    /* NULL = any */
    const struct acl *allow_transfer;           /* NULL = nobody */
    struct counters *counters;
    struct answer_scratch *scratch;

    uint64_t env_version;  /* of the copy below; 0 = none yet */
    struct answer_env env; /* the worker's own, with the time of the batch */
    uint64_t now_us;       /* wall clock at the beginning of the batch */
    uint32_t rotation;
    bool is_online; /* as an RCU reader: threads start so */

    struct query queries[RESPOND_BATCH];
};

/* Go online if need be, refresh the environment, take the time. */
void respond_begin(struct respond *respond);

/* Read the i-th message of the batch. `bytes` and `client` are borrowed until respond_end(). */
static inline void respond_read(struct respond *respond, unsigned i, const uint8_t *bytes,
                                size_t len, enum query_transport transport,
                                const struct sockaddr *client)
{
    struct query *query = &respond->queries[i];
    query_read(query, bytes, len, transport, client, respond->rotation++);
    if (respond->allow && query->verdict != QUERY_DROP && !acl_has(respond->allow, client))
        query->verdict = QUERY_DENIED;
    if (query->verdict == QUERY_QUESTION)
        answer_prepare(respond->zone, query);
}
/* The i-th message was longer than what was read of it: FORMERR. */
void respond_cut(struct respond *respond, unsigned i);

/* Prefetch for the first `count` of the batch. */
void respond_fetch(struct respond *respond, unsigned count);

/* For respond_answer(): what is dropped or denied, and transfers. */
void respond_otherwise(struct respond *respond, const struct query *query, uint8_t *out,
                       size_t size, struct answer_result *result);

/* Write the i-th reply to `out` (see answer()); its length, or 0: nothing is to be sent. Does not
 * count it as a reply: it may yet be withheld. 0 and result->is_transfer (over TCP alone): the
 * client is to get the whole zone; see transfer_query_keep(). */
static inline size_t respond_answer(struct respond *respond, unsigned i, uint8_t *out, size_t size,
                                    struct answer_result *result)
{
    const struct query *query = &respond->queries[i];
    bool is_answered = query->verdict == QUERY_QUESTION || query->verdict == QUERY_ERROR;
    if (is_answered)
        answer(respond->zone, &respond->env, query, respond->scratch, out, size, result);
    if (!is_answered || result->is_transfer)
        respond_otherwise(respond, query, out, size, result);
    if (query->verdict != QUERY_DROP)
        counters_query(respond->counters, query->transport, result);
    return result->len;
}

/* In its place: an empty reply with TC set, so that a client with a true address comes by TCP. 0
 * where there was no question. */
size_t respond_truncated(const struct respond *respond, unsigned i, uint8_t *out, size_t size,
                         struct answer_result *result);

/* Nothing of the zone is held any more. */
void respond_end(const struct respond *respond);
/* The worker goes to wait. */
void respond_sleep(struct respond *respond);

#endif
