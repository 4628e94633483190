#include "batch.h"

#include "dns/answer/message.h"
#include "dns/transfer/xfr_query.h"

#include <time.h>

void batch_begin(struct batch *batch)
{
    if (!batch->is_online) {
        rcu_reader_online();
        batch->is_online = true;
    }
    const struct batch_env *published = rcu_read(*batch->published);
    /* Copied when it is another, because the time is written to it. */
    if (published->version != batch->env_version) {
        batch->env = published->env;
        batch->env_version = published->version;
    }
    struct timespec now;
    /* As of the last tick, some milliseconds old: no cookie and no rate limit sees the difference, and
     * it is read from memory, without a system call. */
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    batch->env.now_s = (uint32_t)now.tv_sec;
    batch->now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* What was read of it may look whole. What is an error or denied already stays that. */
void batch_cut(struct batch *batch, unsigned i)
{
    struct query *query = &batch->queries[i];
    if (query->verdict == QUERY_QUESTION) {
        query->verdict = QUERY_ERROR;
        query->rcode = RCODE_FORMERR;
    }
}

/* By answer(), so that state, EDNS and TTL are as for any SOA record. */
static void batch_answer_soa(struct batch *batch, const struct query *query, uint8_t *out,
                             size_t size, struct answer_result *result)
{
    struct query soa = *query;
    soa.type = TYPE_SOA;
    answer(batch->zone, &batch->env, &soa, batch->scratch, out, size, result);
    result->type = query->type; /* counted as what was asked */
}

/* A transfer of our zone. Nothing is written where it is to be made: *result is as answer() left
 * it. */
static void batch_answer_transfer(struct batch *batch, const struct query *query, uint8_t *out,
                                  size_t size, struct answer_result *result)
{
    const struct answer_env *env = &batch->env;
    if (!batch->allow_transfer || !acl_has(batch->allow_transfer, query->client)) {
        message_bare(env, query, RCODE_REFUSED, false, EDE_PROHIBITED, out, size, result);
        return;
    }
    switch (xfr_query_kind(query, zone_view(batch->zone))) {
    case TRANSFER_WHOLE:
        break;
    case TRANSFER_SOA:
        batch_answer_soa(batch, query, out, size, result);
        break;
    case TRANSFER_FORMERR:
        message_bare(env, query, RCODE_FORMERR, false, EDE_NONE, out, size, result);
        break;
    }
}

void batch_not_from_zone(struct batch *batch, const struct query *query, uint8_t *out, size_t size,
                         struct answer_result *result)
{
    if (query->verdict == QUERY_DROP) {
        counters_bump(&batch->counters->dropped);
        *result = (struct answer_result){0};
    } else if (query->verdict == QUERY_DENIED) {
        counters_bump(&batch->counters->refused_acl);
        message_bare(&batch->env, query, RCODE_REFUSED, false, EDE_PROHIBITED, out, size, result);
    } else {
        batch_answer_transfer(batch, query, out, size, result);
    }
}

size_t batch_truncated(const struct batch *batch, unsigned i, uint8_t *out, size_t size,
                       struct answer_result *result)
{
    const struct query *query = &batch->queries[i];
    if (query->verdict != QUERY_QUESTION)
        return 0;
    message_bare(&batch->env, query, 0, true, EDE_NONE, out, size, result);
    return result->len;
}

void batch_end(const struct batch *batch)
{
    (void)batch;
    rcu_quiescent();
}

void batch_sleep(struct batch *batch)
{
    if (batch->is_online) {
        rcu_reader_offline();
        batch->is_online = false;
    }
}
