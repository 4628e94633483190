#include "message.h"

#include "dns/wire/tsig.h"

void message_limit_additional(struct reply *reply, size_t opt_size)
{
    const struct query *query = reply->query;
    size_t limit = (query->has_edns ? query->udp_size : ANSWER_MAX) - opt_size;
    if (reply->limit - reply->start > (ptrdiff_t)limit)
        reply->limit = reply->start + limit;
    if (reply->limit < reply->at) /* what is required may be longer */
        reply->limit = reply->at;
}

/* It always fits: the header, the longest question and the largest OPT record (EDNS_MAX) take less
 * than the 512 octets that any client accepts. */
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

/* Without an NSID nobody is to tell this server from others: then these are names like any in that
 * class, and refused. */
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
        rr_put16(at - 8, CLASS_CH); /* reply_record() knows class IN alone */
        at[0] = (uint8_t)env->nsid_len;
        memcpy(at + 1, env->nsid, env->nsid_len);
    }
    message_finish(&reply, env, &edns, true, !at, result);
    return true;
}

void message_bad_key(const struct answer_env *env, const struct query *query, uint8_t *out,
                     size_t size, struct answer_result *result)
{
    struct tsig tsig;
    if (!tsig_read(query, &tsig)) {
        message_bare(env, query, RCODE_FORMERR, false, EDE_NONE, out, size, result);
        return;
    }
    message_bare(env, query, RCODE_NOTAUTH, false, EDE_NONE, out, size, result);
    if (result->len + tsig_len(&tsig) > message_size(env, query, size)) {
        message_bare(env, query, RCODE_NOTAUTH, true, EDE_NONE, out, size, result);
        return;
    }
    /* Behind the OPT record: RFC 8945 5.1 wants it last. */
    tsig_write(&tsig, RCODE_BADKEY, out + result->len);
    result->len += tsig_len(&tsig);
    rr_put16(out + 10, rr_get16(out + 10) + 1u);
}
