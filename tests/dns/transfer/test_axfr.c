/* A transfer is the dump of the zone, in messages that a suspicious client accepts. */
#include "dns/transfer/axfr.h"

#include "dns/server/server.h"
#include "dns/transfer/xfr_query.h"
#include "support/ask.h"
#include "support/bound.h"
#include "support/client.h"
#include "zones/dump.h"
#include "zones/store/rcu.h"

#include <fcntl.h>
#include <pthread.h>

#define TYPE_IXFR   251
#define TYPE_AXFR   252
#define INSTANCES   3000
#define RECORDS_MAX 65536
#define STREAM_MAX  (8u << 20)
#define SERIAL      INSTANCES

static struct {
    struct zone *zone;
    struct answer_env env;
    struct reader reader;
    struct axfr_request request;
    struct reader_record *records; /* of all messages; their data lies in `data` */
    size_t count, messages, message_max;
    uint8_t *data, *stream;
    size_t data_len, stream_len, stop_at;
} world;

static void put(const char *key, const char *value, size_t value_len, int64_t revision)
{
    assert_int_equal(zone_put(world.zone, key, strlen(key), value, value_len, revision, 0),
                     STATUS_OK);
}

static int set_up(void **state)
{
    (void)state;
    static const struct zone_address ns = {"ns", {AF_INET, {127, 0, 0, 1}}};
    static char large[16384];
    struct zone_options options = {.domain = "Empusa.internal",
                                   .record_ttl_s = 10,
                                   .negative_ttl_s = 5,
                                   .ns = &ns,
                                   .ns_count = 1,
                                   .has_switches = true};
    if (zone_new(&options, &world.zone, NULL) != STATUS_OK)
        return -1;
    for (int i = 0; i < INSTANCES; i++) {
        char key[64], value[64];
        snprintf(key, sizeof(key), "/service/http/%s %d", i % 2 ? "Office" : "oFFICE", i);
        snprintf(value, sizeof(value), "10.0.%d.%d:80", i / 256, i % 256);
        put(key, value, strlen(value), i + 1);
    }
    put("/switch/large", large, sizeof(large), INSTANCES);
    put("/switch/larger", large, sizeof(large), INSTANCES);
    put("/switch/A/b", "", 0, INSTANCES);
    zone_commit(world.zone, SERIAL);
    world.env = (struct answer_env){.state = ANSWER_FRESH, .max_udp_size = 1232};
    world.records = malloc(RECORDS_MAX * sizeof(*world.records));
    world.data = malloc(STREAM_MAX);
    world.stream = malloc(STREAM_MAX);
    return world.records && world.data && world.stream ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(world.records);
    free(world.data);
    free(world.stream);
    zone_free(world.zone);
    return 0;
}

static void keep_record(const struct reader_record *record)
{
    assert_true(world.count < RECORDS_MAX && world.data_len + record->len <= STREAM_MAX);
    struct reader_record *kept = &world.records[world.count++];
    *kept = *record;
    kept->data = memcpy(world.data + world.data_len, record->data, record->len);
    world.data_len += record->len;
}

/* As reader_read(), but the SOA record may stand in one message twice. */
static void read_message(const uint8_t *bytes, size_t len)
{
    struct reader *reader = &world.reader;
    memset(reader->label_starts, 0, sizeof(reader->label_starts));
    reader->bytes = bytes;
    reader->bytes_len = len;
    reader->count = reader->arena_used = 0;
    reader->has_opt = reader->has_question = false;
    reader->question_class = 1;
    assert_true(len >= 12);
    reader_header(reader);
    reader->at = 12;
    if (reader_get16(bytes + 4) > 0)
        assert_null(reader_question(reader));
    for (uint8_t section = 0; section < 3; section++)
        for (unsigned i = reader_get16(bytes + 6 + 2 * section); i > 0; i--) {
            const char *fault = reader_record(reader, section);
            if (fault)
                fail_msg("message %zu: %s", world.messages, fault);
        }
    assert_int_equal(reader->at, len);
}

/* What is the same in all messages of a transfer, and what is not. */
static void check_message(void)
{
    const struct reader *reader = &world.reader;
    bool is_first = world.messages == 0;
    assert_int_equal(reader->id, 0x1234);
    assert_true(reader->is_response && reader->is_authoritative && !reader->is_truncated);
    assert_true(reader->wants_recursion && !reader->has_recursion && reader->rcode == 0);
    assert_int_equal(reader->has_question, is_first);
    assert_int_equal(reader->has_opt,
                     is_first && world.request.head_len > 12 + world.request.question_len);
    assert_true(reader->count > 0);
    for (size_t i = 0; i < reader->count; i++)
        assert_int_equal(reader->records[i].section, READ_ANSWER);
    if (reader->count > 1)
        assert_true(reader->bytes_len <= 16384);
}

static void read_stream(void)
{
    world.count = world.messages = world.data_len = 0;
    for (size_t at = 0; at < world.stream_len;) {
        size_t len = reader_get16(world.stream + at);
        assert_true(at + 2 + len <= world.stream_len);
        read_message(world.stream + at + 2, len);
        check_message();
        for (size_t i = 0; i < world.reader.count; i++)
            keep_record(&world.reader.records[i]);
        world.messages++;
        at += 2 + len;
    }
}

static bool compare(void *arg, const struct dump_record *record)
{
    size_t *at = arg;
    assert_true(*at < world.count);
    const struct reader_record *got = &world.records[(*at)++];
    assert_int_equal(got->owner.len, record->owner_len);
    assert_memory_equal(got->owner.wire, record->owner, record->owner_len);
    assert_int_equal(got->type, record->type);
    assert_int_equal(got->rr_class, 1);
    assert_int_equal(got->ttl_s, record->ttl_s);
    assert_int_equal(got->len, record->rdata_len);
    assert_memory_equal(got->data, record->rdata, record->rdata_len);
    return true;
}

/* Every record of the dump, octet by octet, and the SOA record again. */
static void check_stream(void)
{
    size_t at = 0;
    read_stream();
    assert_int_equal(dump_zone(world.zone, compare, &at), STATUS_OK);
    assert_int_equal(at + 1, world.count);
    const struct reader_record *first = &world.records[0], *last = &world.records[at];
    assert_int_equal(first->type, READ_SOA);
    assert_int_equal(last->type, READ_SOA);
    assert_int_equal(last->ttl_s, first->ttl_s);
    assert_int_equal(last->len, first->len);
    assert_memory_equal(last->data, first->data, last->len);
    assert_memory_equal(last->owner.wire, first->owner.wire, first->owner.len);
    assert_int_equal(reader_get32(first->data + first->len - 20), SERIAL);
}

static bool collect(void *arg, const uint8_t *bytes, size_t len)
{
    (void)arg;
    assert_true(world.stream_len + len <= STREAM_MAX);
    memcpy(world.stream + world.stream_len, bytes, len);
    world.stream_len += len;
    return ++world.messages != world.stop_at;
}

static enum status transfer(void)
{
    world.stream_len = world.messages = 0;
    return axfr_messages(world.zone, &world.request, collect, NULL);
}

static const struct query *read_query(const struct ask_query *octets,
                                      enum query_transport transport)
{
    static struct query query;
    query_read(&query, octets->bytes, octets->len, transport, NULL, 0);
    assert_int_equal(query.verdict, QUERY_QUESTION);
    answer_prepare(world.zone, &query);
    return &query;
}

static void request_of(const char *name, uint16_t type, bool has_edns)
{
    struct ask_query octets = ask_query(name, type);
    if (has_edns)
        ask_opt(&octets, 1232, 0, NULL, 0);
    xfr_query_keep(&world.env, read_query(&octets, QUERY_TCP), &world.request);
}

static void a_transfer_is_the_dump_between_two_soa_records(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        bool has_edns;
    } rows[] = {
        {"Empusa.internal.", TYPE_AXFR, false},
        {"Empusa.internal.", TYPE_AXFR, true},
        {"eMPUSA.INternal.", TYPE_AXFR, true},
        {"Empusa.internal.", TYPE_IXFR, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        request_of(rows[i].name, rows[i].type, rows[i].has_edns);
        assert_int_equal(transfer(), STATUS_OK);
        check_stream();
        assert_true(world.messages > 20);
        assert_true(world.stream_len < world.count * 64); /* without pointers it would be 110 */
    }
}

static void a_small_zone_is_one_message(void **state)
{
    (void)state;
    struct zone *large = world.zone;
    struct zone_options options = {.domain = "a", .record_ttl_s = 10, .negative_ttl_s = 5};
    assert_int_equal(zone_new(&options, &world.zone, NULL), STATUS_OK);
    zone_commit(world.zone, SERIAL);
    request_of("a.", TYPE_AXFR, true);
    assert_int_equal(transfer(), STATUS_OK);
    check_stream();
    assert_int_equal(world.messages, 1);
    zone_free(world.zone);
    world.zone = large;
}

static void a_transfer_ends_when_the_client_is_gone(void **state)
{
    (void)state;
    request_of("Empusa.internal.", TYPE_AXFR, false);
    for (world.stop_at = 1; world.stop_at < 4; world.stop_at++) {
        assert_int_equal(transfer(), STATUS_CANCELLED);
        assert_int_equal(world.messages, world.stop_at);
    }
    world.stop_at = 0;
}

/* The SOA record that the client has. */
static void put_soa(struct ask_query *query, uint16_t type, uint32_t serial, size_t data_len)
{
    static const uint8_t names[] = {0xc0, 12, 0xc0, 12};
    uint8_t numbers[20] = {(uint8_t)(serial >> 24), (uint8_t)(serial >> 16), (uint8_t)(serial >> 8),
                           (uint8_t)serial};
    query->bytes[9]++;
    ask_put16(query, 0xc00c);
    ask_put16(query, type);
    ask_put16(query, 1);
    ask_put16(query, 0);
    ask_put16(query, 0);
    ask_put16(query, (unsigned)data_len);
    ask_put(query, names, data_len < 4 ? data_len : 4);
    ask_put(query, numbers, data_len < 4 ? 0 : data_len - 4);
}

static void a_question_earns_the_zone_or_a_soa_record(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        enum query_transport transport;
        uint16_t soa_type; /* 0: no record */
        uint32_t serial;
        size_t data_len;
        enum transfer_kind kind;
    } rows[] = {
        {TYPE_AXFR, QUERY_TCP, 0, 0, 0, TRANSFER_WHOLE},
        {TYPE_AXFR, QUERY_UDP, 0, 0, 0, TRANSFER_FORMERR},
        {TYPE_IXFR, QUERY_TCP, READ_SOA, SERIAL - 1, 24, TRANSFER_WHOLE},
        {TYPE_IXFR, QUERY_TCP, READ_SOA, SERIAL, 24, TRANSFER_SOA},
        {TYPE_IXFR, QUERY_TCP, READ_SOA, SERIAL + 1, 24, TRANSFER_SOA},
        {TYPE_IXFR, QUERY_TCP, READ_SOA, SERIAL + 0x80000001, 24, TRANSFER_WHOLE},
        {TYPE_IXFR, QUERY_UDP, READ_SOA, SERIAL - 1, 24, TRANSFER_SOA},
        {TYPE_IXFR, QUERY_UDP, READ_SOA, SERIAL, 24, TRANSFER_SOA},
        {TYPE_IXFR, QUERY_TCP, 0, 0, 0, TRANSFER_FORMERR},
        {TYPE_IXFR, QUERY_UDP, 0, 0, 0, TRANSFER_FORMERR},
        {TYPE_IXFR, QUERY_TCP, READ_A, SERIAL, 24, TRANSFER_FORMERR},
        {TYPE_IXFR, QUERY_TCP, READ_SOA, SERIAL, 4, TRANSFER_FORMERR},
        {TYPE_IXFR, QUERY_TCP, READ_SOA, SERIAL, 0, TRANSFER_FORMERR},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ask_query octets = ask_query("empusa.internal.", rows[i].type);
        if (rows[i].soa_type)
            put_soa(&octets, rows[i].soa_type, rows[i].serial, rows[i].data_len);
        assert_int_equal(
            xfr_query_kind(read_query(&octets, rows[i].transport), zone_view(world.zone)),
            rows[i].kind);
    }
}

static const struct axfr_pace pace = {.patience_ms = 5000, .octets_per_s = 1000};

struct serving {
    int fd;
    const struct axfr_pace *pace;
    enum status status;
};

static void *serve(void *arg)
{
    struct serving *serving = arg;
    serving->status = axfr_serve(world.zone, &world.request, serving->pace, serving->fd);
    close(serving->fd);
    return NULL;
}

static size_t read_to_end(int fd, uint8_t *out, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len < size && (got = recv(fd, out + len, size - len, 0)) > 0)
        len += (size_t)got;
    return len;
}

static void a_transfer_is_written_to_a_socket_and_ends_in_its_closing(void **state)
{
    (void)state;
    int fds[2];
    pthread_t thread;
    request_of("Empusa.internal.", TYPE_AXFR, true);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    client_patience(fds[0], 2000);
    assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
    client_send(fds[0], (const uint8_t *)"unwanted", 8);
    struct serving serving = {.fd = fds[1], .pace = &pace};
    assert_int_equal(pthread_create(&thread, NULL, serve, &serving), 0);
    world.stream_len = read_to_end(fds[0], world.stream, STREAM_MAX);
    close(fds[0]);
    pthread_join(thread, NULL);
    assert_int_equal(serving.status, STATUS_OK);
    check_stream();
}

static void a_client_that_goes_away_ends_its_transfer(void **state)
{
    (void)state;
    int fds[2];
    request_of("Empusa.internal.", TYPE_AXFR, true);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[0]);
    assert_int_equal(axfr_serve(world.zone, &world.request, &pace, fds[1]), STATUS_UNREACHABLE);
    close(fds[1]);
}

/* It takes a little, again and again. */
static void a_client_that_is_too_slow_ends_its_transfer(void **state)
{
    (void)state;
    static const struct axfr_pace slow = {.patience_ms = 200, .octets_per_s = 1000000000};
    int fds[2];
    uint8_t bytes[2048];
    pthread_t thread;
    request_of("Empusa.internal.", TYPE_AXFR, true);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct serving serving = {.fd = fds[1], .pace = &slow};
    assert_int_equal(pthread_create(&thread, NULL, serve, &serving), 0);
    while (recv(fds[0], bytes, sizeof(bytes), 0) > 0)
        usleep(1000);
    pthread_join(thread, NULL);
    close(fds[0]);
    assert_int_equal(serving.status, STATUS_UNREACHABLE);
}

static void a_refusal_is_one_message(void **state)
{
    (void)state;
    int fds[2];
    uint8_t bytes[512];
    request_of("Empusa.internal.", TYPE_AXFR, true);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    axfr_refuse(&world.request, 2, fds[1]);
    size_t len = read_to_end(fds[0], bytes, sizeof(bytes));
    close(fds[0]);
    assert_int_equal(len, 2u + reader_get16(bytes));
    assert_null(reader_read(&world.reader, bytes + 2, len - 2));
    assert_int_equal(world.reader.rcode, 2);
    assert_int_equal(world.reader.id, 0x1234);
    assert_true(world.reader.has_question && world.reader.has_opt);
    assert_int_equal(world.reader.count, 0);
}

/* A server that makes transfers on the spot. */
static void take(void *arg, int fd, const struct axfr_request *request)
{
    assert_ptr_equal(arg, &world);
    enum status status = axfr_serve(world.zone, request, &pace, fd);
    (void)status; /* a test sees what came */
    close(fd);
}

static struct server *start_server(const char *allowed, struct sockaddr_storage *address)
{
    struct server_listen listen = {.address = client_address("127.0.0.1", 0)};
    struct server_options options = {.listen = &listen,
                                     .listen_count = 1,
                                     .workers = 1,
                                     .zone = world.zone,
                                     .tcp_connections = 8,
                                     .tcp_idle_s = 5,
                                     .transfer = take,
                                     .transfer_arg = &world};
    struct server *server;
    if (allowed)
        assert_int_equal(acl_add(&options.allow_transfer, allowed, NULL), STATUS_OK);
    assert_int_equal(server_open(&options, &server, NULL), STATUS_OK);
    assert_int_equal(server_start(server, &world.env, NULL), STATUS_OK);
    assert_true(bound_address(server, 0, address));
    return server;
}

static void send_framed(int fd, const struct ask_query *query)
{
    uint8_t prefix[2] = {(uint8_t)(query->len >> 8), (uint8_t)query->len};
    client_send(fd, prefix, sizeof(prefix));
    client_send(fd, query->bytes, query->len);
}

static void an_allowed_client_gets_answers_then_the_zone_then_the_end(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    struct server *server = start_server("127.0.0.0/8", &address);
    struct ask_query soa = ask_query("empusa.internal.", READ_SOA);
    struct ask_query axfr = ask_query("empusa.internal.", TYPE_AXFR);
    uint8_t pipelined[4 * ASK_QUERY_MAX];
    size_t len = 0;
    const struct ask_query *queries[] = {&soa, &soa, &axfr, &soa};
    for (int i = 0; i < 4; i++) {
        pipelined[len++] = 0;
        pipelined[len++] = (uint8_t)queries[i]->len;
        memcpy(pipelined + len, queries[i]->bytes, queries[i]->len);
        len += queries[i]->len;
    }
    int fd = client_connect(&address, SOCK_STREAM);
    client_send(fd, pipelined, len);
    for (int i = 0; i < 2; i++) {
        size_t reply = client_read_message(fd, world.stream);
        assert_null(reader_read(&world.reader, world.stream, reply));
        assert_int_equal(world.reader.count, 1);
    }
    world.request.head_len = 0; /* no OPT */
    world.stream_len = read_to_end(fd, world.stream, STREAM_MAX);
    check_stream();
    close(fd);
    server_stop(server);
}

static void transfers_are_answered_by_who_asks_and_how(void **state)
{
    (void)state;
    static const struct {
        const char *allowed;
        int socket;
        uint16_t type;
        uint32_t serial; /* of IXFR */
        uint8_t rcode;
        size_t records;
    } rows[] = {
        {NULL, SOCK_STREAM, TYPE_AXFR, 0, 5, 0},
        {"10.0.0.0/8", SOCK_STREAM, TYPE_AXFR, 0, 5, 0},
        {"10.0.0.0/8", SOCK_STREAM, TYPE_IXFR, SERIAL, 5, 0},
        {"10.0.0.0/8", SOCK_DGRAM, TYPE_AXFR, 0, 5, 0},
        {"10.0.0.0/8", SOCK_DGRAM, TYPE_IXFR, 1, 5, 0},
        {"127.0.0.1", SOCK_DGRAM, TYPE_AXFR, 0, 1, 0},
        {"127.0.0.1", SOCK_DGRAM, TYPE_IXFR, 1, 0, 1},
        {"127.0.0.1", SOCK_DGRAM, TYPE_IXFR, 0, 1, 0},
        {"127.0.0.1", SOCK_STREAM, TYPE_IXFR, SERIAL, 0, 1},
        {"127.0.0.1", SOCK_STREAM, TYPE_IXFR, SERIAL + 7, 0, 1},
        {"127.0.0.1", SOCK_STREAM, TYPE_IXFR, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage address;
        struct server *server = start_server(rows[i].allowed, &address);
        struct ask_query query = ask_query("empusa.internal.", rows[i].type);
        if (rows[i].serial)
            put_soa(&query, READ_SOA, rows[i].serial, 24);
        int fd = client_connect(&address, rows[i].socket);
        size_t len;
        if (rows[i].socket == SOCK_STREAM) {
            send_framed(fd, &query);
            len = client_read_message(fd, world.stream);
        } else {
            client_send(fd, query.bytes, query.len);
            len = (size_t)recv(fd, world.stream, STREAM_MAX, 0);
        }
        assert_null(reader_read(&world.reader, world.stream, len));
        assert_int_equal(world.reader.rcode, rows[i].rcode);
        assert_int_equal(world.reader.count, rows[i].records);
        assert_int_equal(world.reader.question_type, rows[i].type);
        if (rows[i].records)
            assert_true(world.reader.records[0].type == READ_SOA && world.reader.is_authoritative);
        close(fd);
        server_stop(server);
    }
}

static void a_server_that_is_not_ready_makes_no_transfer(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    world.env.state = ANSWER_NOT_READY;
    struct server *server = start_server("127.0.0.1", &address);
    struct ask_query query = ask_query("empusa.internal.", TYPE_AXFR);
    int fd = client_connect(&address, SOCK_STREAM);
    send_framed(fd, &query);
    size_t len = client_read_message(fd, world.stream);
    assert_null(reader_read(&world.reader, world.stream, len));
    assert_int_equal(world.reader.rcode, 2);
    close(fd);
    server_stop(server);
    world.env.state = ANSWER_FRESH;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transfer_is_the_dump_between_two_soa_records),
        cmocka_unit_test(a_small_zone_is_one_message),
        cmocka_unit_test(a_transfer_ends_when_the_client_is_gone),
        cmocka_unit_test(a_question_earns_the_zone_or_a_soa_record),
        cmocka_unit_test(a_transfer_is_written_to_a_socket_and_ends_in_its_closing),
        cmocka_unit_test(a_client_that_goes_away_ends_its_transfer),
        cmocka_unit_test(a_client_that_is_too_slow_ends_its_transfer),
        cmocka_unit_test(a_refusal_is_one_message),
        cmocka_unit_test(an_allowed_client_gets_answers_then_the_zone_then_the_end),
        cmocka_unit_test(transfers_are_answered_by_who_asks_and_how),
        cmocka_unit_test(a_server_that_is_not_ready_makes_no_transfer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
