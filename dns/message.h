/* dns/message.h - the frame of a reply: its sizes, header, question and end.
 *
 * Threads: pure, but for the scratch, one to a thread. */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include "edns.h"
#include "reply.h"

/* Octets that this reply may have: what the client takes and we send over UDP, `size` over TCP. */
size_t message_size(const struct answer_env *env, const struct query *query, size_t size);

/* Leave room for the header and copy the question. `size`: without the OPT record. */
void message_begin(struct reply *reply, const struct query *query, uint8_t *out, size_t size);

/* Where the first record stands. */
static inline uint8_t *message_body(const struct reply *reply)
{
    return reply->start + REPLY_HEADER +
           (reply->query->has_question ? reply->query->question_len : 0);
}

/* Optional records end earlier: at what the client's EDNS says, and at 8,192 octets even over TCP.
 */
void message_limit_extra(struct reply *reply, size_t opt_size);

/* OPT record, header, length. */
void message_finish(struct reply *reply, const struct answer_env *env, const struct edns *edns,
                    bool is_authoritative, bool is_truncated, struct answer_result *result);

/* A whole reply without records; as answer_bare(). */
void message_bare(const struct answer_env *env, const struct query *query, uint16_t rcode,
                  bool is_truncated, uint16_t ede, uint8_t *out, size_t size,
                  struct answer_result *result);

/* id.server and hostname.bind in class CH (RFC 4892): who answers, as NSID says it. False for all
 * else. */
bool message_chaos(const struct answer_env *env, const struct query *query, uint8_t *out,
                   size_t size, struct answer_result *result);

#endif
