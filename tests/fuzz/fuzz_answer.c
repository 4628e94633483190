/* Whole answers over a small zone: whatever the query, the reply is one that a strict reader takes,
 * and to a plain question it holds what the oracle says. */
#include "support/ask.h"
#include "support/oracle.h"
#include "support/verify.h"

#include <netinet/in.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MANY 40 /* instances of a type that does not fit a datagram */

static const char *const rows[][2] = {
    {"/service/http/a", "baz:1"},
    {"/service/HTTP/A", "{\"location\":\"BAZ:2\",\"subtypes\":[\"printer\"]}"},
    {"/service/http/Web 2.0", "10.1.2.3:80"},
    {"/service/http/v6",
     "{\"location\":\"[fd00::1]:8080\",\"txt\":{\"path\":\"/\",\"beta\":true}}"},
    {"/service/http/_sub", "www.example.com:443"},
    {"/service/http/p", "{\"location\":\"baz:3\",\"subtypes\":[\"printer\",\"scanner\"]}"},
    {"/service/http._udp/a", "10.1.2.3:80"},
    {"/service/my_type/x", "{\"location\":\"fixed:7\",\"weight\":3,\"state\":\"draining\"}"},
    {"/service/t/*", "nowhere:1"},
    {"/service/bad/value", "no location"},
    {"/switch/a", "on"},
    {"/switch/a/b", ""},
    {"/switch/features/super-cool-feature", "enabled"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct zone_address hosts[] = {
    {"fixed", {AF_INET, {192, 0, 2, 7}}},
    {"baz", {AF_INET, {192, 0, 2, 1}}},
    {"baz", {AF_INET6, {0x20, 1, 0xd, 0xb8, [15] = 1}}},
};
static const struct zone_address servers[] = {
    {"ns", {AF_INET, {127, 0, 0, 1}}},
    {"ns", {AF_INET6, {[15] = 1}}},
};
static const struct zone_options options = {.domain = "empusa.internal",
                                            .record_ttl_s = 10,
                                            .negative_ttl_s = 5,
                                            .ns = servers,
                                            .ns_count = 2,
                                            .hosts = hosts,
                                            .host_count = 3,
                                            .has_switches = true};

static struct {
    struct ask ask;
    struct oracle oracle;
    struct oracle_key keys[ROWS + MANY];
} world;

static void add_key(const char *key, const char *value)
{
    struct oracle_key *to = &world.keys[world.oracle.key_count++];
    to->key.len = strlen(key);
    memcpy(to->key.octets, key, to->key.len);
    to->value.len = strlen(value);
    memcpy(to->value.octets, value, to->value.len);
    if (zone_put(world.ask.zone, key, to->key.len, value, to->value.len,
                 (int64_t)world.oracle.key_count, 0) != STATUS_OK)
        abort();
}

/* The zone's tables keep tags in the pointers' upper bits, where LeakSanitizer does not know them
 * for pointers: so the zone goes before it looks. */
static void end(void)
{
    zone_free(world.ask.zone);
    answer_scratch_free(world.ask.scratch);
    oracle_forget(&world.oracle);
}

static void begin(void)
{
    struct zone_counts counts;
    if (zone_new(&options, &world.ask.zone, NULL) != STATUS_OK)
        abort();
    world.oracle.options = &options;
    world.oracle.keys = world.keys;
    for (size_t i = 0; i < ROWS; i++)
        add_key(rows[i][0], rows[i][1]);
    for (unsigned i = 0; i < MANY; i++) {
        char key[64], value[64];
        snprintf(key, sizeof(key), "/service/many/instance-%u", i);
        snprintf(value, sizeof(value), "10.0.%u.%u:1000", i & 1, i / 2);
        add_key(key, value);
    }
    zone_commit(world.ask.zone, 1000);
    zone_counts(world.ask.zone, &counts);
    world.oracle.serial = counts.serial;
    oracle_build(&world.oracle);
    world.ask.scratch = answer_scratch_new();
    world.ask.env = (struct answer_env){.state = ANSWER_FRESH,
                                        .now_s = 1700000000,
                                        .max_udp_size = 1232,
                                        .tcp_idle_100ms = 100,
                                        .nsid_len = 4,
                                        .nsid = "node",
                                        .secret_count = 2,
                                        .secrets = {"0123456789abcde", "edcba9876543210"}};
    if (!world.ask.scratch || atexit(end) != 0)
        abort();
}

static void try_transport(const uint8_t *data, size_t size, enum query_transport transport)
{
    static const enum answer_state states[] = {ANSWER_FRESH, ANSWER_FRESH,     ANSWER_FRESH,
                                               ANSWER_FRESH, ANSWER_FRESH,     ANSWER_STALE,
                                               ANSWER_STALE, ANSWER_NOT_READY, ANSWER_EXPIRED};
    struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000201)}};
    struct ask *ask = &world.ask;
    unsigned id = size < 2 ? 0 : reader_get16(data);
    ask->env.state = states[id % 9];
    ask->rotation = id;
    ask_octets(ask, data, size, transport,
               id & 1 ? (const struct sockaddr *)(const void *)&client : NULL);
    struct verify verify = {.oracle = &world.oracle,
                            .env = &ask->env,
                            .transport = transport,
                            .query = data,
                            .query_len = size,
                            .reply = ask->reply,
                            .result = &ask->result,
                            .reader = &ask->reader};
    const char *fault = ask->fault ? ask->fault : verify_reply(&verify);
    if (!fault)
        return;
    fprintf(stderr, "over %s: %s\n", transport == QUERY_UDP ? "UDP" : "TCP", fault);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!world.ask.zone)
        begin();
    try_transport(data, size, QUERY_UDP);
    try_transport(data, size, QUERY_TCP);
    return 0;
}
