#include "ask.h"

void ask_put16(struct ask_query *query, unsigned value)
{
    query->bytes[query->len++] = (uint8_t)(value >> 8);
    query->bytes[query->len++] = (uint8_t)value;
}

void ask_put(struct ask_query *query, const void *octets, size_t len)
{
    memcpy(query->bytes + query->len, octets, len);
    query->len += len;
}

/* A name in wire form. */
static size_t ask_name(const char *text, uint8_t out[READER_NAME_MAX + 65])
{
    size_t len = 0, label = 0;
    bool is_absolute = false;
    if (strcmp(text, ".") == 0) {
        out[0] = 0;
        return 1;
    }
    for (out[len++] = 0; *text; text++) {
        is_absolute = *text == '.';
        if (is_absolute) {
            label = len;
            out[len++] = 0;
            continue;
        }
        if (*text == '\\' && text[1] >= '0' && text[1] <= '9') {
            out[len++] = (uint8_t)((text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0');
            text += 3;
        } else {
            text += *text == '\\';
            out[len++] = (uint8_t)*text;
        }
        out[label]++;
    }
    return len;
}

struct ask_query ask_wire(const uint8_t *name, size_t len, uint16_t type)
{
    static const uint8_t header[] = {
        0x12, 0x34, /* ID */
        0x01, 0x00, /* a standard query, RD */
        0,    1,    /* one question */
        0,    0,    0, 0, 0, 0,
    };
    struct ask_query query = {.len = 0};
    ask_put(&query, header, sizeof(header));
    ask_put(&query, name, len);
    ask_put16(&query, type);
    ask_put16(&query, 1);
    return query;
}

struct ask_query ask_query(const char *name, uint16_t type)
{
    uint8_t wire[READER_NAME_MAX + 65];
    return ask_wire(wire, ask_name(name, wire), type);
}

void ask_opt(struct ask_query *query, unsigned size, unsigned flags, const void *options,
             size_t len)
{
    query->bytes[11]++;
    query->bytes[query->len++] = 0; /* the root */
    ask_put16(query, READ_OPT);
    ask_put16(query, size);
    ask_put16(query, 0); /* extended rcode, version */
    ask_put16(query, flags);
    ask_put16(query, (unsigned)len);
    if (len)
        ask_put(query, options, len);
}

void ask_octets(struct ask *ask, const uint8_t *bytes, size_t len, enum query_transport transport,
                const struct sockaddr *client)
{
    static struct query query;
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
        abort();
    if (len)
        memcpy(exact, bytes, len);
    memset(&query, 0xa5, sizeof(query));
    query_read(&query, exact, len, transport, client, ask->rotation);
    if (query.verdict == QUERY_QUESTION) {
        answer_prepare(ask->zone, &query);
        answer_fetch(ask->zone, &query, 1);
    }
    ask->result = (struct answer_result){0};
    ask->fault = NULL;
    if (query.verdict != QUERY_DROP)
        answer(ask->zone, &ask->env, &query, ask->scratch, ask->reply, ANSWER_MAX, &ask->result);
    if (ask->result.len)
        ask->fault = reader_read(&ask->reader, ask->reply, ask->result.len);
    free(exact);
}

void ask_send(struct ask *ask, const struct ask_query *query, enum query_transport transport)
{
    ask_octets(ask, query->bytes, query->len, transport, NULL);
}
