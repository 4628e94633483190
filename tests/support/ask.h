/* tests/support/ask.h - queries as octets, and answers as a worker makes them. */
#ifndef SUPPORT_ASK_H
#define SUPPORT_ASK_H

#include "dns/answer/answer.h"
#include "reader.h"
#include "zones/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_QUERY_MAX 1024

struct ask_query {
    uint8_t bytes[ASK_QUERY_MAX];
    size_t len;
};

/* A large object: keep it in static memory. */
struct ask {
    struct zone *zone;
    struct answer_env env;
    struct answer_scratch *scratch;
    uint32_t rotation;
    struct answer_result result;
    const char *fault; /* of the reader */
    struct reader reader;
    uint8_t reply[ANSWER_MAX + ANSWER_SLACK];
};

/* Two octets behind the query, in the network's order. */
void ask_put16(struct ask_query *query, unsigned value);

/* Octets behind the query. */
void ask_put(struct ask_query *query, const void *octets, size_t len);

/* A question in class IN with RD, for a name in wire form. */
struct ask_query ask_wire(const uint8_t *name, size_t len, uint16_t type);

/* The same for "a.b."; \DDD and \C are octets. A relative name ends without the root label. */
struct ask_query ask_query(const char *name, uint16_t type);

/* An OPT record with these options: `options` may be NULL when len is 0. */
void ask_opt(struct ask_query *query, unsigned size, unsigned flags, const void *options,
             size_t len);

/* Let `ask` hold the reply to these octets, read. The query stands in memory that ends with it. */
void ask_octets(struct ask *ask, const uint8_t *bytes, size_t len, enum query_transport transport,
                const struct sockaddr *client);

/* The same of a query, from nobody. */
void ask_send(struct ask *ask, const struct ask_query *query, enum query_transport transport);

#endif
