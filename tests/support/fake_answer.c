#include "fake_answer.h"

unsigned fake_prepared, fake_fetched;

static bool fake_answer_question(struct query *query, size_t len)
{
    size_t at = 12;
    while (at < len && query->bytes[at] != 0 && query->bytes[at] < 64)
        at += 1u + query->bytes[at];
    if (at + 5 > len || query->bytes[at] != 0)
        return false;
    query->has_question = true;
    query->name_len = (uint8_t)(at + 1 - 12);
    query->question_len = (uint16_t)(query->name_len + 4);
    query->type = (uint16_t)(query->bytes[at + 1] << 8 | query->bytes[at + 2]);
    query->qclass = (uint16_t)(query->bytes[at + 3] << 8 | query->bytes[at + 4]);
    return true;
}

void query_read(struct query *out, const uint8_t *bytes, size_t len, enum query_transport transport,
                const struct sockaddr *client, uint32_t rotation)
{
    memset(out, 0, sizeof(*out));
    out->bytes = bytes;
    out->client = client;
    out->rotation = rotation;
    out->transport = (uint8_t)transport;
    out->verdict = QUERY_DROP;
    if (len < 12 || bytes[2] & 0x80)
        return;
    out->verdict = QUERY_ERROR;
    out->rcode = 1;
    if (bytes[5] == 1 && fake_answer_question(out, len))
        out->verdict = QUERY_QUESTION;
}

struct answer_scratch *answer_scratch_new(void)
{
    return malloc(1);
}

void answer_scratch_free(struct answer_scratch *scratch)
{
    free(scratch);
}

void answer_prepare(const struct zone *zone, struct query *query)
{
    (void)zone;
    (void)query;
    __atomic_fetch_add(&fake_prepared, 1, __ATOMIC_RELAXED);
}

void answer_fetch(const struct zone *zone, struct query *queries, unsigned count)
{
    (void)zone;
    for (unsigned i = 0; i < count; i++)
        __atomic_fetch_add(&fake_fetched, queries[i].verdict == QUERY_QUESTION, __ATOMIC_RELAXED);
}

static void fake_answer_start(const struct query *query, uint16_t rcode, uint8_t *out,
                              struct answer_result *result)
{
    memset(result, 0, sizeof(*result));
    memset(out, 0, 12);
    memcpy(out, query->bytes, 2);
    out[2] = 0x84;
    out[3] = (uint8_t)rcode;
    result->len = 12;
    result->rcode = rcode;
    result->type = query->type;
    if (!query->has_question)
        return;
    out[5] = 1;
    memcpy(out + 12, query->bytes + 12, query->question_len);
    result->len += query->question_len;
}

void answer(const struct zone *zone, const struct answer_env *env, const struct query *query,
            struct answer_scratch *scratch, uint8_t *out, size_t size, struct answer_result *result)
{
    (void)zone;
    (void)scratch;
    fake_answer_start(query, query->verdict == QUERY_ERROR ? query->rcode : 0, out, result);
    if (query->verdict == QUERY_ERROR)
        return;
    if (query->type == FAKE_AXFR && query->transport == QUERY_TCP) {
        result->is_transfer = true;
        result->len = 0;
        return;
    }
    memcpy(out + result->len, env->nsid, env->nsid_len);
    result->len += env->nsid_len;
    if (query->type >= FAKE_SIZED_TYPE && query->type > result->len && query->type <= size) {
        memset(out + result->len, 'x', query->type - result->len);
        result->len = query->type;
    }
    result->has_valid_cookie = query->bytes[12] == 6 && memcmp(query->bytes + 13, "cookie", 6) == 0;
    result->has_cookie = result->has_valid_cookie;
    if (query->bytes[12] == 5 && memcmp(query->bytes + 13, "looks", 5) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        result->looks = FAKE_LOOKS;
    }
}

void message_bare(const struct answer_env *env, const struct query *query, uint16_t rcode,
                  bool is_truncated, uint16_t ede, uint8_t *out, size_t size,
                  struct answer_result *result)
{
    (void)env;
    (void)ede;
    (void)size;
    fake_answer_start(query, rcode, out, result);
    result->is_truncated = is_truncated;
    if (is_truncated)
        out[2] |= 0x02;
}
