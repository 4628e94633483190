/* dns/answer/message.h - the frame of a reply: its sizes, header, question and end.
 *
 * Threads: pure, but for the scratch, one to a thread. */
#ifndef DNS_ANSWER_MESSAGE_H
#define DNS_ANSWER_MESSAGE_H

#include "edns.h"

/* Octets that this reply may have: what the client takes and we send over UDP, `size` over TCP. */
static inline size_t message_size(const struct answer_env *env, const struct query *query,
                                  size_t size)
{
    if (query->transport == QUERY_TCP)
        return size;
    size_t limit = query->udp_size < env->max_udp_size ? query->udp_size : env->max_udp_size;
    if (!query->has_edns)
        limit = 512;
    return limit < size ? limit : size;
}

/* Leave room for the header and copy the question. `size`: without the OPT record. */
static inline void message_begin(struct reply *reply, const struct query *query, uint8_t *out,
                                 size_t size)
{
    reply->start = out;
    reply->at = out + QUERY_HEADER;
    reply->limit = out + size;
    reply->query = query;
    reply->members = NULL;
    reply->ttl_cap = UINT32_MAX;
    reply->counts[0] = reply->counts[1] = reply->counts[2] = 0;
    reply->section = 0;
    reply->is_partial = false;
    reply->is_full = false;
    reply->ref_count = 0;
    reply->looks = 0;
    if (!query->has_question)
        return;
    memcpy(reply->at, query->bytes + QUERY_HEADER, query->question_len);
    reply->at += query->question_len;
}

/* Where the first record stands. */
static inline uint8_t *message_body(const struct reply *reply)
{
    return reply->start + QUERY_HEADER +
           (reply->query->has_question ? reply->query->question_len : 0);
}

/* Over TCP optional records end at what the client's EDNS says, although that speaks of UDP alone:
 * HAProxy drops answers longer than it says. */
void message_limit_additional(struct reply *reply, size_t opt_size);

/* QR, the opcode, AA, TC, RD as it was asked; RA, Z, AD and CD are zero. The counts. */
static inline void message_header(struct reply *reply, uint32_t rcode, bool is_authoritative,
                                  bool is_truncated)
{
    const struct query *query = reply->query;
    uint32_t begin;
    memcpy(&begin, query->bytes, 4);
    begin = (be32toh(begin) & 0xffff7900) | 0x8000 | (rcode & 15);
    rr_put32(reply->start, begin | (uint32_t)is_authoritative << 10 | (uint32_t)is_truncated << 9);
    rr_put64(reply->start + 4, (uint64_t)query->has_question << 48 |
                                   (uint64_t)reply->counts[0] << 32 |
                                   (uint64_t)reply->counts[1] << 16 | reply->counts[2]);
}

/* OPT record, header, length. */
static inline void message_finish(struct reply *reply, const struct answer_env *env,
                                  const struct edns *edns, bool is_authoritative, bool is_truncated,
                                  struct answer_result *result)
{
    if (reply->query->has_edns) {
        reply->at += edns_write(env, reply->query, edns, reply->at, result);
        reply->counts[2]++;
    }
    message_header(reply, edns->rcode, is_authoritative, is_truncated);
    result->len = (size_t)(reply->at - reply->start);
    result->rcode = edns->rcode;
    result->is_truncated = is_truncated;
}

/* A whole reply without records: `rcode` (REFUSED to those that an access list keeps out, a
 * truncated answer of rate limiting), the question, and to EDNS clients an OPT with the extended
 * error `ede` (RFC 8914; EDE_NONE). */
void message_bare(const struct answer_env *env, const struct query *query, uint16_t rcode,
                  bool is_truncated, uint16_t ede, uint8_t *out, size_t size,
                  struct answer_result *result);

/* id.server and hostname.bind in class CH (RFC 4892): who answers, as NSID says it. False for all
 * else. */
bool message_chaos(const struct answer_env *env, const struct query *query, uint8_t *out,
                   size_t size, struct answer_result *result);

/* The reply to a query that is signed, with a key that we cannot have, since we have none (RFC 8945
 * 5.2.1): NOTAUTH with a TSIG record that is not signed and says BADKEY, truncated without it where it
 * does not fit; FORMERR where the query's record cannot be read. */
void message_bad_key(const struct answer_env *env, const struct query *query, uint8_t *out,
                     size_t size, struct answer_result *result);

#endif
