/* One request to the cluster: which member, how often, how long. */
#include "rpc.h"

#include "support/client_loop.h"
#include "support/fake_dns.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define VERSION                                                                                    \
    {                                                                                              \
        "/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0                               \
    }
#define NO_LEADER                                                                                  \
    "{\"error\":\"etcdserver: no leader\",\"message\":\"etcdserver: no leader\",\"code\":14}"

static const struct fake_row good[] = {VERSION, {"/v3/kv/range", 200, "{}", FAKE_KEEP, 0}};
static const struct fake_row mute[] = {VERSION, {"/v3/kv/range", 0, NULL, FAKE_MUTE, 0}};
static const struct fake_row leaderless[] = {VERSION,
                                             {"/v3/kv/range", 503, NO_LEADER, FAKE_KEEP, 0}};
static const struct fake_row stream[] = {VERSION, {"/v3/kv/range", 200, "x", FAKE_CHUNK, 0}};

static struct client_loop client;
static struct fake_gateway gateways[2];

struct outcome {
    unsigned done, pieces;
    enum status status;
    char why[512];
    struct rpc *rpc;
    bool settles;
};

static void build(void *arg, const struct member *member, struct buffer *body)
{
    (void)arg, (void)member;
    buffer_add_text(body, "{}");
}

static void on_done(void *arg, enum status status, const struct detail *why)
{
    struct outcome *outcome = arg;
    outcome->done++;
    outcome->status = status;
    snprintf(outcome->why, sizeof(outcome->why), "%s", why->text);
}

static enum status on_data(void *arg, const char *octets, size_t len, struct detail *why)
{
    struct outcome *outcome = arg;
    (void)octets, (void)len, (void)why;
    outcome->pieces++;
    if (outcome->settles)
        rpc_settle(outcome->rpc);
    return STATUS_OK;
}

/* Two members; the first is asked first. */
static void open_client(const struct fake_row *first, const struct fake_row *second,
                        uint32_t timeout_ms)
{
    char list[80];
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateways[0], &client.loop, first, 2));
    assert_true(fake_gateway_start(&gateways[1], &client.loop, second, second ? 2 : 0));
    snprintf(list, sizeof(list), second ? "%s,%s" : "%s", gateways[0].endpoint,
             gateways[1].endpoint);
    assert_int_equal(
        client_loop_connect(&client, list, (struct etcd_options){.timeout_ms = timeout_ms}),
        STATUS_OK);
    struct member_set *members = &client.etcd->members;
    for (size_t i = 0; i < members->count; i++)
        if (strstr(members->list[i].endpoint.url, gateways[0].endpoint))
            members->current = i;
}

static void close_client(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateways[0]);
    fake_gateway_stop(&gateways[1]);
    assert_int_equal(client_loop_close(&client), 0);
}

static void begin(struct rpc_request request, struct outcome *outcome)
{
    bool settles = outcome->settles;
    *outcome = (struct outcome){.settles = settles};
    request.method = RPC_RANGE;
    request.build = build;
    request.done = on_done;
    request.arg = outcome;
    outcome->rpc = rpc_start(client.etcd, &request);
    assert_non_null(outcome->rpc);
}

/* How long it took. */
static uint64_t ask(struct rpc_request request, struct outcome *outcome)
{
    uint64_t began_ns = uv_hrtime();
    begin(request, outcome);
    assert_true(CLIENT_LOOP_UNTIL(&client, outcome->done, 20000));
    assert_int_equal(outcome->done, 1);
    return (uv_hrtime() - began_ns) / 1000000;
}

/* What may be repeated goes to the next member when its attempt is over. */
static void a_silent_member_has_an_attempt_s_time(void **state)
{
    struct outcome outcome = {0};
    (void)state;
    open_client(mute, good, 5000);
    uint64_t took_ms =
        ask((struct rpc_request){.is_idempotent = true, .attempt_ms = 300}, &outcome);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_in_range(took_ms, 250, 4000);
    close_client();
}

/* What may not be has all the time there is, and then nobody knows. */
static void a_write_waits_for_its_answer(void **state)
{
    struct outcome outcome = {0};
    (void)state;
    open_client(mute, good, 800);
    uint64_t took_ms = ask((struct rpc_request){.is_idempotent = false}, &outcome);
    assert_int_equal(outcome.status, STATUS_TIMED_OUT);
    assert_non_null(strstr(outcome.why, "no answer in time; whether it was done is unknown"));
    assert_in_range(took_ms, 700, 5000);
    assert_int_equal(gateways[1].asked, 0);
    close_client();
}

/* It is asked once, and nobody else. */
static void a_pinned_request_is_for_one_member(void **state)
{
    struct outcome outcome = {0};
    (void)state;
    open_client(leaderless, good, 3000);
    struct member_set *members = &client.etcd->members;
    struct member *first = &members->list[members->current];
    uint64_t took_ms = ask((struct rpc_request){.is_idempotent = true, .pin = first}, &outcome);
    assert_int_equal(outcome.status, STATUS_UNREACHABLE);
    assert_non_null(strstr(outcome.why, "no leader"));
    assert_true(took_ms < 2500);
    assert_int_equal(gateways[0].used[1], 1);
    assert_int_equal(gateways[1].asked, 0);
    struct member *second = first == members->list ? first + 1 : members->list;
    ask((struct rpc_request){.is_idempotent = true, .pin = second}, &outcome);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(gateways[1].used[1], 1);
    close_client();
}

/* Between rounds it waits, longer each time but never long: 25 ms doubled to 400, half to one and a
 * half of that. */
static void an_election_is_waited_for(void **state)
{
    struct outcome outcome = {0};
    (void)state;
    open_client(leaderless, NULL, 2000);
    uint64_t took_ms = ask((struct rpc_request){.is_idempotent = true}, &outcome);
    assert_int_equal(outcome.status, STATUS_UNREACHABLE);
    assert_in_range(took_ms, 1300, 4000);
    /* At least every 600 ms (of a machine at leisure), and at most as often as half of the pauses allow. */
    assert_in_range(gateways[0].used[1], 3, 5 + 2000 / 200);
    close_client();
}

/* Waiting would only keep a person from reading so. */
static void where_nobody_listens_it_ends_at_once(void **state)
{
    struct outcome outcome = {0};
    (void)state;
    client_loop_open(&client);
    assert_int_equal(client_loop_connect(&client, "127.0.0.1:1,127.0.0.2:1",
                                         (struct etcd_options){.timeout_ms = 5000}),
                     STATUS_OK);
    uint64_t took_ms = ask((struct rpc_request){.is_idempotent = true}, &outcome);
    assert_int_equal(outcome.status, STATUS_UNREACHABLE);
    assert_true(took_ms < 4000);
    assert_non_null(strstr(outcome.why, "http://127.0.0.1:1: connection refused"));
    assert_non_null(strstr(outcome.why, "http://127.0.0.2:1: connection refused"));
    assert_int_equal(client_loop_close(&client), 0);
}

static void a_domain_of_which_dns_says_nothing_ends_in_time(void **state)
{
    struct outcome outcome = {0};
    struct fake_dns dns;
    struct detail why;
    (void)state;
    client_loop_open(&client);
    assert_true(fake_dns_start(&dns, &client.loop, NULL, 0));
    dns.lose_first = 1;
    dns.lose_count = 1000;
    assert_int_equal(client_loop_connect(
                         &client, NULL,
                         (struct etcd_options){.discovery_srv = "silent.test", .timeout_ms = 500}),
                     STATUS_OK);
    assert_int_equal(resolver_open(&client.loop, &client.etcd->resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(client.etcd->resolver, dns.address, &why), STATUS_OK);
    uint64_t took_ms = ask((struct rpc_request){.is_idempotent = true}, &outcome);
    assert_int_equal(outcome.status, STATUS_UNRESOLVED);
    assert_string_equal(outcome.why, "discovery in silent.test: no answer from DNS in time");
    assert_in_range(took_ms, 400, 4000);
    fake_dns_stop(&dns);
    assert_int_equal(client_loop_close(&client), 0);
}

static void a_stream_that_has_begun_has_no_end(void **state)
{
    (void)state;
    for (unsigned is_settled = 0; is_settled < 2; is_settled++) {
        struct outcome outcome = {.settles = is_settled};
        struct rpc_request request = {
            .is_idempotent = true, .is_stream = true, .data = on_data, .attempt_ms = 300};
        open_client(stream, NULL, 500);
        begin(request, &outcome);
        assert_true(CLIENT_LOOP_UNTIL(&client, outcome.pieces, 2000));
        client_loop_run_for(&client, 1000);
        assert_int_equal(outcome.done, !is_settled);
        if (!is_settled)
            assert_int_equal(outcome.status, STATUS_TIMED_OUT);
        else
            rpc_cancel(outcome.rpc);
        close_client();
        assert_int_equal(outcome.done, !is_settled);
    }
}

static void what_is_cancelled_tells_nothing_and_what_is_closed_does(void **state)
{
    struct outcome outcomes[3] = {{0}};
    (void)state;
    open_client(mute, NULL, 5000);
    for (int i = 0; i < 3; i++)
        begin((struct rpc_request){.is_idempotent = true}, &outcomes[i]);
    assert_true(CLIENT_LOOP_UNTIL(&client, gateways[0].used[1] == 3, 2000));
    rpc_cancel(outcomes[1].rpc);
    client_loop_run_for(&client, 50);
    close_client();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outcomes[i].done, i != 1);
        assert_int_equal(outcomes[i].status, i == 1 ? 0 : STATUS_CANCELLED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_member_has_an_attempt_s_time),
        cmocka_unit_test(a_write_waits_for_its_answer),
        cmocka_unit_test(a_pinned_request_is_for_one_member),
        cmocka_unit_test(an_election_is_waited_for),
        cmocka_unit_test(where_nobody_listens_it_ends_at_once),
        cmocka_unit_test(a_domain_of_which_dns_says_nothing_ends_in_time),
        cmocka_unit_test(a_stream_that_has_begun_has_no_end),
        cmocka_unit_test(what_is_cancelled_tells_nothing_and_what_is_closed_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
