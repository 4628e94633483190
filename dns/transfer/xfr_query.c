#include "xfr_query.h"

#include "dns/answer/message.h"

static_assert(EDNS_MAX <= AXFR_OPT_MAX, "an OPT record fits");

#define RR_FIXED     10 /* type, class, TTL, length */
#define SOA_FIXED    20
#define LABEL_OR_END 63

/* query_read() has walked over these names and lengths: they lie within the message. */
static const uint8_t *xfr_query_behind_name(const uint8_t *at)
{
    while (*at != 0 && *at <= LABEL_OR_END)
        at += 1u + *at;
    return at + (*at == 0 ? 1 : 2);
}

/* RFC 1995 3: the authority section holds the SOA record that the client has. */
static bool xfr_query_client_serial(const struct query *query, uint32_t *serial)
{
    const uint8_t *at = query->bytes + QUERY_HEADER + query->question_len;
    unsigned before = rr_get16(query->bytes + 6);
    for (unsigned i = 0; i < before + rr_get16(query->bytes + 8); i++) {
        at = xfr_query_behind_name(at);
        size_t len = rr_get16(at + 8);
        const uint8_t *end = at + RR_FIXED + len;
        if (i >= before && rr_get16(at) == TYPE_SOA && len >= SOA_FIXED + 2) {
            *serial = rr_get32(end - SOA_FIXED); /* whatever its names: the numbers come last */
            return true;
        }
        at = end;
    }
    return false;
}

enum transfer_kind xfr_query_kind(const struct query *query, const struct view *view)
{
    uint32_t theirs;
    bool is_udp = query->transport == QUERY_UDP;
    if (query->type == TYPE_AXFR)
        return is_udp ? TRANSFER_FORMERR : TRANSFER_WHOLE;
    if (!xfr_query_client_serial(query, &theirs))
        return TRANSFER_FORMERR;
    /* RFC 1982: ours is later. */
    bool has_news = !is_udp && (int32_t)(rcu_read(view->serial) - theirs) > 0;
    return has_news ? TRANSFER_WHOLE : TRANSFER_SOA;
}

/* The whole reply without records, so that the transfer, which may begin later and in another
 * process, needs neither the query nor the environment. */
void xfr_query_keep(const struct answer_env *env, const struct query *query,
                    struct axfr_request *out)
{
    struct answer_result result;
    uint16_t ede = env->state == ANSWER_STALE ? EDE_STALE : EDE_NONE;
    message_bare(env, query, RCODE_NOERROR, false, ede, out->head, sizeof(out->head), &result);
    out->type = query->type;
    out->question_len = query->question_len;
    out->head_len = (uint16_t)result.len;
}
