#include "answer.h"

#include "additional.h"
#include "message.h"
#include "ptr.h"
#include "records.h"
#include "zones/host_view.h"
#include "zones/zone.h"

#include <stdlib.h>

/* Where a question's name lies. */
enum where {
    WHERE_OUTSIDE, /* not ours; before answer_prepare(), too */
    WHERE_INSIDE,  /* in the zone */
    WHERE_SHORT,   /* below _tcp. or _udp. at the root: as if the zone's name followed */
    WHERE_VIEW,    /* in the zone, a host view; see zones/host_view.h */
    WHERE_NOWHERE  /* in the zone, and cannot exist */
};

/* RFC 8767 recommends it for stale data: soon asked again, not at once. */
#define STALE_TTL_S 30

struct answer_scratch *answer_scratch_new(void)
{
    struct answer_scratch *scratch = calloc(1, sizeof(*scratch));
    if (scratch && name_seed_init(&scratch->dedup.seed) == STATUS_OK)
        return scratch;
    free(scratch);
    return NULL;
}

void answer_scratch_free(struct answer_scratch *scratch)
{
    free(scratch);
}

/* Where a label begins: "notempusa.internal" ends in the octets of "empusa.internal", too, but not
 * in its labels. */
static inline bool answer_is_in_zone(const struct view *view, const struct query *query)
{
    size_t zone_len = view->wire.len;
    if (query->name_len < zone_len || query->label_count < view->label_count)
        return false;
    size_t at = query->name_len - zone_len;
    return query->labels[query->label_count - view->label_count] == at &&
           name_same((struct name_padded){query->folded + at, zone_len}, name_of(&view->folded));
}

/* "..._tcp." or "..._udp.": a service without its zone. */
static bool answer_is_short(const struct query *query)
{
    if (query->label_count < 2 || query->name_len < 6)
        return false;
    size_t at = query->name_len - 6u;
    const uint8_t *last = query->folded + at;
    return query->labels[query->label_count - 1] == at &&
           (memcmp(last, "\4_tcp", 6) == 0 || memcmp(last, "\4_udp", 6) == 0);
}

static inline enum where answer_locate(const struct view *view, struct query *query)
{
    if (answer_is_in_zone(view, query)) {
        size_t len = (size_t)query->name_len - view->wire.len;
        unsigned labels = query->label_count - (unsigned)view->label_count;
        query->key_len = (uint16_t)len;
        query->zone_at = (uint16_t)(QUERY_HEADER + len);
        if (labels < 2 || !host_view_is(query->folded, len, query->labels[labels - 1]))
            return WHERE_INSIDE;
        /* The copy is changed; the question, which is echoed and pointed at, stays as it came. */
        size_t key_len = host_view_to_key(query->folded, len, query->labels, labels);
        if (key_len == 0)
            return WHERE_NOWHERE;
        query->key_len = (uint16_t)key_len;
        return WHERE_VIEW;
    }
    if (!answer_is_short(query))
        return WHERE_OUTSIDE;
    query->key_len = (uint16_t)(query->name_len - 1);
    return WHERE_SHORT;
}

void answer_prepare(const struct zone *zone, struct query *query)
{
    const struct view *view = zone_view(zone);
    enum where where = answer_locate(view, query);
    query->where = (uint8_t)where;
    if (where == WHERE_OUTSIDE)
        return;
    query->hash = name_hash(&view->seed, query_key(query));
    ptr_table_prefetch(rcu_read(view->names.slots), query->hash);
}

#define CACHE_LINE 64

static inline void answer_fetch_lines(const void *at, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch((const uint8_t *)at + (size_t)i * CACHE_LINE);
}

/* An owner and its name, or its TXT data, lie on up to three lines. */
static inline void answer_fetch_owner(const struct ptr_table_slots *slots, struct query *query)
{
    uint64_t position = query->hash;
    query->candidate = ptr_table_next(slots, query->hash, &position);
    if (query->candidate)
        answer_fetch_lines(query->candidate, 3);
}

/* An SRV record copies its target's name: the next thing to wait for, once the instance is here. */
static inline void answer_fetch_target(const struct query *query)
{
    if (query->type == TYPE_SRV && query->candidate && node_kind(query->candidate) == NODE_INSTANCE)
        answer_fetch_lines(((const struct instance *)query->candidate)->target, 2);
}

void answer_fetch(const struct zone *zone, struct query *queries, unsigned count)
{
    const struct ptr_table_slots *slots = rcu_read(zone_view(zone)->names.slots);
    /* In two passes: what the second reads, the first has asked memory for. */
    for (unsigned i = 0; i < count; i++)
        if (queries[i].where != WHERE_OUTSIDE)
            answer_fetch_owner(slots, &queries[i]);
    for (unsigned i = 0; i < count; i++)
        if (queries[i].where == WHERE_INSIDE)
            answer_fetch_target(&queries[i]);
}

/* As view_find(), beginning with what answer_fetch() found: the table may have moved since. */
static inline const struct node *answer_find_node(const struct view *view,
                                                  const struct query *query)
{
    const struct node *node = query->candidate;
    if (!node || name_equal(query_key(query), node_padded(node)))
        return node;
    return view_find(view, query_key(query), query->hash);
}

static inline bool answer_find(const struct view *view, const struct query *query,
                               struct rrsets_owner *found)
{
    found->node = NULL;
    if (query->where == WHERE_NOWHERE)
        return false;
    if (query->where == WHERE_VIEW)
        return host_view_find(view, query_key(query), query->hash, &found->source);
    found->node = answer_find_node(view, query);
    return found->node != NULL;
}

static bool answer_put_apex(struct reply *reply, uint16_t type)
{
    if (type == TYPE_SOA)
        return records_soa(reply, REPLY_QUESTION, VIEW_SOA_TTL_S);
    return type == TYPE_NS && records_ns(reply);
}

static bool answer_put_set(struct reply *reply, const struct node *node, uint16_t type)
{
    if (!reply->members) /* one version for the whole reply */
        reply->members = rcu_read(((const struct service_type *)node)->members.published);
    struct instance_source source = {.sets = {reply->members}};
    if (!reply->members)
        return false;
    if (type == TYPE_PTR)
        return ptr_put(reply, node, reply->members);
    if (node->kind != NODE_TYPE)
        return false;
    if (type == TYPE_SRV)
        return records_srv(reply, &source, REPLY_QUESTION);
    return type == TYPE_TXT && records_type_txt(reply, reply->members);
}

static inline bool answer_put_instance(struct reply *reply, const struct node *node, uint16_t type)
{
    const struct instance *instance = (const struct instance *)node;
    if (type == TYPE_SRV)
        return records_instance_srv(reply, instance, REPLY_QUESTION);
    if (type != TYPE_TXT)
        return false;
    (void)records_txt(reply, instance, REPLY_QUESTION);
    return true;
}

static bool answer_put_view(struct reply *reply, const struct instance_source *view, uint16_t type)
{
    if (type == TYPE_A || type == TYPE_AAAA)
        return records_view_addresses(reply, view, type);
    return type == TYPE_SRV && records_srv(reply, view, REPLY_QUESTION);
}

static bool answer_put_addresses(struct reply *reply, const struct node *node, uint16_t type)
{
    return (type == TYPE_A || type == TYPE_AAAA) &&
           records_addresses(reply, (const struct target *)node, REPLY_QUESTION, type);
}

/* The records of one type. False when the name has none; reply->is_full when not all of them
 * fitted. */
static inline __attribute__((always_inline)) bool
answer_put_rrset(struct reply *reply, const struct rrsets_owner *found, uint16_t type)
{
    const struct node *node = found->node;
    if (!node)
        return answer_put_view(reply, &found->source, type);
    switch (node_kind(node)) {
    case NODE_INSTANCE:
        return answer_put_instance(reply, node, type);
    case NODE_ADDRESS:
    case NODE_HOST:
        return answer_put_addresses(reply, node, type);
    case NODE_LIST:
    case NODE_TYPE:
    case NODE_SUBTYPE:
        return answer_put_set(reply, node, type);
    case NODE_SWITCH:
        return type == TYPE_TXT && records_switch(reply, (const struct switch_node *)node);
    case NODE_FIXED:
        return records_fixed(reply, node, REPLY_QUESTION, type);
    case NODE_APEX:
        return answer_put_apex(reply, type);
    default:
        return false;
    }
}

/* RFC 8482: over UDP one set that fits, or a word instead; over TCP everything. */
static __attribute__((noinline)) bool answer_put_any(struct reply *reply,
                                                     const struct rrsets_owner *found)
{
    static const uint16_t types[] = {TYPE_SOA, TYPE_NS,   TYPE_SRV, TYPE_TXT,
                                     TYPE_A,   TYPE_AAAA, TYPE_PTR};
    static const uint8_t word[] = "\7RFC8482";
    bool is_udp = reply->query->transport == QUERY_UDP, is_any = false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && !(is_udp && is_any); i++) {
        /* An IPv4 address may have the octets that an IPv6 address begins with. */
        dedup_clear(&reply->scratch->dedup);
        is_any = answer_put_rrset(reply, found, types[i]) || is_any;
    }
    if (!is_udp || !reply->is_full)
        return is_any;
    reply_rollback(reply, (struct reply_mark){message_body(reply), 0});
    uint8_t *at = reply_record(reply, REPLY_QUESTION, TYPE_HINFO, reply->view->record_ttl_s, 9);
    if (at)
        memcpy(at, word, 9); /* the last octet is an empty string: no operating system */
    return true;
}

static inline void answer_put_additional(struct reply *reply, const struct rrsets_owner *found,
                                         uint16_t type)
{
    enum node_kind kind = found->node ? node_kind(found->node) : NODE_TYPE;
    reply->section = 2;
    if (type == TYPE_SRV)
        additional_srv(reply);
    else if (type == TYPE_PTR && (kind == NODE_TYPE || kind == NODE_SUBTYPE))
        additional_ptr(reply);
    else if (type == TYPE_NS && kind == NODE_APEX)
        additional_ns(reply, message_body(reply));
}

/* NXDOMAIN and NODATA (RFC 2308): the SOA record says for how long. */
static void answer_put_negative(struct reply *reply)
{
    if (reply->query->zone_at == 0)
        return; /* a short name: the SOA's owner would lie outside what was asked for */
    reply->section = 1;
    (void)records_soa(reply, (uint16_t)(0xc000u | reply->query->zone_at),
                      rrsets_negative_ttl(reply->view));
}

static bool answer_is_transfer(const struct query *query)
{
    return query->type == TYPE_AXFR || query->type == TYPE_IXFR;
}

struct refusal {
    uint16_t rcode, ede;
};

/* Why a question is not for the zone to answer; NOERROR: it is. */
/* What is not ours comes first: it is refused also while nothing is loaded, since SERVFAIL would
 * have the client try again. */
static struct refusal answer_refusal(const struct answer_env *env, const struct query *query)
{
    if (query->verdict == QUERY_ERROR)
        return (struct refusal){query->rcode,
                                query->rcode == RCODE_NOTIMP ? EDE_NOT_SUPPORTED : EDE_NONE};
    if (query->qclass != CLASS_IN && query->qclass != CLASS_ANY)
        return (struct refusal){RCODE_REFUSED, EDE_NOT_AUTHORITATIVE};
    if (query->where == WHERE_OUTSIDE)
        return (struct refusal){answer_is_transfer(query) ? RCODE_NOTAUTH : RCODE_REFUSED,
                                EDE_NOT_AUTHORITATIVE};
    /* SERVFAIL, never a denial: resolvers then ask another server, or go on with what they have. */
    if (env->state == ANSWER_NOT_READY)
        return (struct refusal){RCODE_SERVFAIL, EDE_NOT_READY};
    if (env->state == ANSWER_EXPIRED)
        return (struct refusal){RCODE_SERVFAIL, EDE_INVALID_DATA};
    /* A name in the zone, but no zone's. */
    if (answer_is_transfer(query) && query->key_len > 0)
        return (struct refusal){RCODE_NOTAUTH, EDE_NONE};
    return (struct refusal){RCODE_NOERROR, EDE_NONE};
}

/* What is not answered from the zone's records. True when that is so. Not inline: hardly any query
 * needs it, and the path of the others stays short. */
static __attribute__((noinline)) bool answer_not_from_zone(const struct answer_env *env,
                                                           const struct query *query, uint8_t *out,
                                                           size_t size,
                                                           struct answer_result *result)
{
    bool is_question = query->verdict == QUERY_QUESTION;
    if (is_question && query->tsig) {
        message_bad_key(env, query, out, size, result);
        return true;
    }
    if (is_question && query->qclass == CLASS_CH && message_chaos(env, query, out, size, result))
        return true;
    struct refusal refusal = answer_refusal(env, query);
    if (!is_question || refusal.rcode != RCODE_NOERROR) { /* a cookie alone is asked for, too */
        message_bare(env, query, refusal.rcode, false, refusal.ede, out, size, result);
        return true;
    }
    *result = (struct answer_result){.type = query->type, .is_transfer = answer_is_transfer(query)};
    return answer_is_transfer(query);
}

/* A question for records, in class IN, while etcd is there. */
static inline bool answer_is_fast(const struct answer_env *env, const struct query *query)
{
    return query->verdict == QUERY_QUESTION && query->qclass == CLASS_IN && !query->tsig &&
           query->where != WHERE_OUTSIDE && env->state == ANSWER_FRESH &&
           !answer_is_transfer(query);
}

/* A question that lies in the zone, in class IN. */
static inline uint16_t answer_inside(struct reply *reply, size_t opt_size,
                                     struct answer_result *result)
{
    const struct query *query = reply->query;
    struct rrsets_owner found;
    /* It holds for answer_fetch(), which looked up before: zones/zone.c waits for a batch that has
     * begun before it says that a zone is whole. */
    bool is_partial = view_is_partial(reply->view);
    if (!answer_find(reply->view, query, &found)) {
        if (is_partial)
            return RCODE_SERVFAIL;
        answer_put_negative(reply);
        return RCODE_NXDOMAIN;
    }
    bool is_any = query->type == TYPE_ANY ? answer_put_any(reply, &found)
                                          : answer_put_rrset(reply, &found, query->type);
    if (!is_any && is_partial)
        return RCODE_SERVFAIL;
    if (!is_any) {
        answer_put_negative(reply);
        return RCODE_NOERROR;
    }
    result->is_sampled = reply->is_partial;
    if (reply->is_full) {
        /* Not truncated over TCP: no transport takes more, so a client gets what fits, and other
         * members of the set with each query. */
        result->is_sampled = query->transport == QUERY_TCP;
        return RCODE_NOERROR;
    }
    if (query->transport == QUERY_TCP)
        message_limit_additional(reply, opt_size);
    answer_put_additional(reply, &found, query->type);
    reply->is_full = false; /* RFC 2181 9: no TC for what is not required */
    return RCODE_NOERROR;
}

void answer(const struct zone *zone, const struct answer_env *env, const struct query *query,
            struct answer_scratch *scratch, uint8_t *out, size_t size, struct answer_result *result)
{
    struct reply reply;
    if (!answer_is_fast(env, query) && answer_not_from_zone(env, query, out, size, result))
        return;
    *result = (struct answer_result){.type = query->type};
    /* Its room is kept from the beginning: it is written last, and whoever sent an OPT record gets
     * one whatever else fits (RFC 6891 6.1.1). */
    size_t opt_size = edns_size(env, query);
    message_begin(&reply, query, out, message_size(env, query, size) - opt_size);
    reply.view = zone_view(zone);
    reply.scratch = scratch;
    dedup_clear(&scratch->dedup);
    struct edns edns = {.ede = EDE_NONE, .view = reply.view};
    if (env->state == ANSWER_STALE) {
        reply.ttl_cap = STALE_TTL_S;
        edns.ede = EDE_STALE;
    }
    edns.rcode = answer_inside(&reply, opt_size, result);
    if (edns.rcode == RCODE_SERVFAIL)
        edns.ede = EDE_NOT_READY;
    result->looks = reply.looks;
    message_finish(&reply, env, &edns, edns.rcode != RCODE_SERVFAIL,
                   reply.is_full && query->transport == QUERY_UDP, result);
}
