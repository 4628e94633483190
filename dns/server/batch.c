#include "batch.h"

#include "dns/transfer/xfr_query.h"
#include "zones/store/rcu.h"
#include "zones/view.h"

#include <time.h>

#define TYPE_SOA       6
#define RCODE_FORMERR  1
#define RCODE_REFUSED  5
#define EDE_PROHIBITED 18
#define EDE_NONE       UINT16_MAX

void respond_begin(struct respond *respond)
{
    if (!respond->is_online) {
        rcu_reader_online();
        respond->is_online = true;
    }
    const struct respond_env *published = rcu_read(*respond->published);
    if (published->version != respond->env_version) {
        respond->env = published->env;
        respond->env_version = published->version;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    respond->env.now_s = (uint32_t)now.tv_sec;
    respond->now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void respond_cut(struct respond *respond, unsigned i)
{
    struct query *query = &respond->queries[i];
    if (query->verdict == QUERY_QUESTION) {
        query->verdict = QUERY_ERROR;
        query->rcode = RCODE_FORMERR;
    }
}

void respond_fetch(struct respond *respond, unsigned count)
{
    answer_fetch(respond->zone, respond->queries, count);
}

static void answer_soa(struct respond *respond, const struct query *query, uint8_t *out,
                       size_t size, struct answer_result *result)
{
    struct query soa = *query;
    soa.type = TYPE_SOA;
    answer(respond->zone, &respond->env, &soa, respond->scratch, out, size, result);
    result->type = query->type;
}

/* A transfer of our zone. Nothing is written where it is to be made: *result is as answer() left
 * it. */
static void answer_transfer(struct respond *respond, const struct query *query, uint8_t *out,
                            size_t size, struct answer_result *result)
{
    const struct answer_env *env = &respond->env;
    if (!respond->allow_transfer || !acl_has(respond->allow_transfer, query->client)) {
        answer_bare(env, query, RCODE_REFUSED, false, EDE_PROHIBITED, out, size, result);
        return;
    }
    switch (transfer_query_kind(query, zone_view(respond->zone))) {
    case TRANSFER_WHOLE:
        break;
    case TRANSFER_SOA:
        answer_soa(respond, query, out, size, result);
        break;
    case TRANSFER_FORMERR:
        answer_bare(env, query, RCODE_FORMERR, false, EDE_NONE, out, size, result);
        break;
    }
}

void respond_otherwise(struct respond *respond, const struct query *query, uint8_t *out,
                       size_t size, struct answer_result *result)
{
    if (query->verdict == QUERY_DROP) {
        counters_bump(&respond->counters->dropped);
        *result = (struct answer_result){0};
    } else if (query->verdict == QUERY_DENIED) {
        counters_bump(&respond->counters->refused_acl);
        answer_bare(&respond->env, query, RCODE_REFUSED, false, EDE_PROHIBITED, out, size, result);
    } else {
        answer_transfer(respond, query, out, size, result);
    }
}

size_t respond_truncated(const struct respond *respond, unsigned i, uint8_t *out, size_t size,
                         struct answer_result *result)
{
    const struct query *query = &respond->queries[i];
    if (query->verdict != QUERY_QUESTION)
        return 0;
    answer_bare(&respond->env, query, 0, true, EDE_NONE, out, size, result);
    return result->len;
}

void respond_end(const struct respond *respond)
{
    (void)respond;
    rcu_quiescent();
}

void respond_sleep(struct respond *respond)
{
    if (respond->is_online) {
        rcu_reader_offline();
        respond->is_online = false;
    }
}
