#include "message.h"

#define OPTIONAL_MAX 8192 /* HAProxy's largest buffer */

size_t message_size(const struct answer_env *env, const struct query *query, size_t size)
{
    if (query->transport == QUERY_TCP)
        return size;
    size_t limit = query->udp_size < env->max_udp_size ? query->udp_size : env->max_udp_size;
    if (!query->has_edns)
        limit = 512;
    return limit < size ? limit : size;
}

void message_limit_extra(struct reply *reply, size_t opt_size)
{
    const struct query *query = reply->query;
    size_t limit =
        query->has_edns && query->udp_size < OPTIONAL_MAX ? query->udp_size : OPTIONAL_MAX;
    limit -= opt_size;
    if (query->transport == QUERY_TCP && reply->limit - reply->start > (ptrdiff_t)limit)
        reply->limit = reply->start + limit;
    if (reply->limit < reply->at)
        reply->limit = reply->at;
}

static void put_header(struct reply *reply, uint16_t rcode, bool is_authoritative,
                       bool is_truncated)
{
    const uint8_t *query = reply->query->bytes;
    uint8_t *at = reply->start;
    at[0] = query[0];
    at[1] = query[1];
    /* QR, the opcode, AA, TC, RD as it was asked; RA, Z, AD and CD are zero. */
    at[2] =
        (uint8_t)(0x80 | (query[2] & 0x79) | (is_authoritative ? 4 : 0) | (is_truncated ? 2 : 0));
    at[3] = rcode & 15;
    reply_put16(at + 4, reply->query->has_question);
    reply_put16(at + 6, reply->counts[0]);
    reply_put16(at + 8, reply->counts[1]);
    reply_put16(at + 10, reply->counts[2]);
}

/* Place for the header, and the question. */
void message_begin(struct reply *reply, const struct query *query, uint8_t *out, size_t size)
{
    reply->start = out;
    reply->at = out + REPLY_HEADER;
    reply->limit = out + size;
    reply->query = query;
    reply->members = NULL;
    reply->ttl_cap = UINT32_MAX;
    reply->zone_at = 0;
    reply->counts[0] = reply->counts[1] = reply->counts[2] = 0;
    reply->section = 0;
    reply->is_partial = false;
    reply->is_full = false;
    reply->target_count = 0;
    if (!query->has_question)
        return;
    memcpy(reply->at, query->bytes + REPLY_HEADER, query->question_len);
    reply->at += query->question_len;
}

void message_finish(struct reply *reply, const struct answer_env *env, const struct edns *edns,
                    bool is_authoritative, bool is_truncated, struct answer_result *result)
{
    size_t opt = edns_write(env, reply->query, edns, reply->at, result);
    reply->at += opt;
    reply->counts[2] = (uint16_t)(reply->counts[2] + (opt > 0));
    put_header(reply, edns->rcode, is_authoritative, is_truncated);
    result->len = (size_t)(reply->at - reply->start);
    result->rcode = edns->rcode;
    result->is_truncated = is_truncated;
}

void message_bare(const struct answer_env *env, const struct query *query, uint16_t rcode,
                  bool is_truncated, uint16_t ede, uint8_t *out, size_t size,
                  struct answer_result *result)
{
    struct reply reply;
    struct edns edns = {.rcode = rcode, .ede = ede};
    *result = (struct answer_result){.type = query->has_question ? query->type : 0};
    message_begin(&reply, query, out, size);
    message_finish(&reply, env, &edns, false, is_truncated, result);
}

bool message_chaos(const struct answer_env *env, const struct query *query, uint8_t *out,
                   size_t size, struct answer_result *result)
{
    static const uint8_t id[] = "\2id\6server", hostname[] = "\10hostname\4bind";
    bool is_ours =
        (query->name_len == sizeof(id) && !memcmp(query->folded, id, sizeof(id))) ||
        (query->name_len == sizeof(hostname) && !memcmp(query->folded, hostname, sizeof(hostname)));
    if (!is_ours || env->nsid_len == 0 || (query->type != TYPE_TXT && query->type != TYPE_ANY))
        return false;
    struct reply reply;
    struct edns edns = {.ede = EDE_NONE};
    *result = (struct answer_result){.type = query->type};
    message_begin(&reply, query, out, message_size(env, query, size) - edns_size(env, query));
    uint8_t *at = reply_record(&reply, REPLY_QUESTION, TYPE_TXT, 0, 1u + env->nsid_len);
    if (at) {
        reply_put16(at - 8, CLASS_CH);
        at[0] = (uint8_t)env->nsid_len;
        memcpy(at + 1, env->nsid, env->nsid_len);
    }
    message_finish(&reply, env, &edns, true, !at, result);
    return true;
}
