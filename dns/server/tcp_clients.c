#include "tcp_clients.h"

#include "dns/wire/prefix.h"

#include <stdlib.h>

#define BUCKETS_MIN 64
#define BUCKETS_MAX (1u << 16)

enum status tcp_clients_init(struct tcp *tcp)
{
    struct tcp_clients *clients = &tcp->clients;
    TAILQ_INIT(&tcp->conns);
    TAILQ_INIT(&tcp->turns);
    size_t buckets = BUCKETS_MIN;
    while (buckets < tcp->share->limit && buckets < BUCKETS_MAX)
        buckets *= 2;
    clients->buckets = calloc(buckets, sizeof(struct tcp_client *));
    /* Which one network may fill alone: a level for each number of connections. */
    clients->levels = calloc((size_t)tcp->share->limit + 1, sizeof(struct tcp_level));
    clients->mask = buckets - 1;
    if (!clients->buckets || !clients->levels)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i <= tcp->share->limit; i++)
        TAILQ_INIT(&clients->levels[i]);
    return STATUS_OK;
}

void tcp_clients_clear(struct tcp *tcp)
{
    free(tcp->clients.buckets);
    free(tcp->clients.levels);
    tcp->clients = (struct tcp_clients){0};
}

static uint64_t tcp_clients_key_of(const union socket_address *client)
{
    struct prefix prefix = {0};
    (void)prefix_of(&client->sa, &prefix);
    return prefix.key;
}

/* Where the client with this key stands, or would. */
/* The secret keeps a client that has many networks at hand from filling one bucket with them. */
static struct tcp_client **tcp_clients_place_of(const struct tcp *tcp, uint64_t key)
{
    const struct name_seed *seed = &tcp->share->seed;
    uint64_t hash = name_mix(key ^ seed->word[0], seed->word[1] | 1);
    struct tcp_client **place = &tcp->clients.buckets[hash & tcp->clients.mask];
    while (*place && (*place)->key != key)
        place = &(*place)->next;
    return place;
}

unsigned tcp_clients_count(const struct tcp *tcp, const union socket_address *client)
{
    const struct tcp_client *found = *tcp_clients_place_of(tcp, tcp_clients_key_of(client));
    return found ? found->count : 0;
}

struct tcp_client *tcp_clients_top(const struct tcp *tcp)
{
    return TAILQ_FIRST(&tcp->clients.levels[tcp->clients.top_level]);
}

/* At the end of its level, so that of those who hold as many the one who has for longest is the
 * first (tcp_clients_top()). */
static void tcp_clients_set_count(struct tcp *tcp, struct tcp_client *client, unsigned count)
{
    struct tcp_level *levels = tcp->clients.levels;
    if (client->count > 0)
        TAILQ_REMOVE(&levels[client->count], client, by_level);
    client->count = count;
    if (count > 0)
        TAILQ_INSERT_TAIL(&levels[count], client, by_level);
    if (count > tcp->clients.top_level)
        tcp->clients.top_level = count;
    /* By one at most: who has left the top level is in the one below. */
    while (tcp->clients.top_level > 0 && TAILQ_EMPTY(&levels[tcp->clients.top_level]))
        tcp->clients.top_level--;
}

bool tcp_clients_join(struct tcp *tcp, struct tcp_conn *conn)
{
    uint64_t key = tcp_clients_key_of(&conn->address);
    struct tcp_client **place = tcp_clients_place_of(tcp, key), *client = *place;
    if (!client) {
        client = calloc(1, sizeof(*client));
        if (!client)
            return false;
        client->key = key;
        TAILQ_INIT(&client->conns);
        *place = client;
    }
    conn->client = client;
    TAILQ_INSERT_TAIL(&client->conns, conn, by_client);
    tcp_clients_set_count(tcp, client, client->count + 1);
    return true;
}

/* It goes with its last connection: memory follows the connections, not the networks that have been
 * seen. */
void tcp_clients_leave(struct tcp *tcp, struct tcp_conn *conn)
{
    struct tcp_client *client = conn->client;
    TAILQ_REMOVE(&client->conns, conn, by_client);
    tcp_clients_set_count(tcp, client, client->count - 1);
    if (client->count > 0)
        return;
    *tcp_clients_place_of(tcp, client->key) = client->next;
    free(client);
}
