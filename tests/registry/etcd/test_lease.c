/* Leases against a real etcd. */
#include "registry/etcd/kv.h"
#include "registry/etcd/lease.h"
#include "registry/lease_id.h"
#include "support/client_loop.h"
#include "support/etcd_server.h"
#include "support/fake_gateway.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static struct etcd_server server;
static struct client_loop client;

struct outcome {
    unsigned done;
    enum status status;
    int64_t id, granted_s, left_s;
    struct detail why;
};

static void on_lease(void *arg, const struct lease_result *result)
{
    struct outcome *outcome = arg;
    *outcome = (struct outcome){outcome->done + 1,     result->status, result->id,
                                result->granted_ttl_s, result->left_s, *result->why};
}

#define RUN(request)                                                                               \
    ({                                                                                             \
        struct outcome out = {0};                                                                  \
        request;                                                                                   \
        assert_int_equal(out.done, 0);                                                             \
        CLIENT_LOOP_UNTIL(&client, out.done, 10000);                                               \
        assert_int_equal(out.done, 1);                                                             \
        out;                                                                                       \
    })

static void a_lease_lives_and_dies(void **state)
{
    (void)state;
    int64_t id;
    assert_int_equal(lease_id_new(60, &id), STATUS_OK);
    struct outcome granted = RUN(lease_grant(client.etcd, id, 60, on_lease, &out));
    assert_int_equal(granted.status, STATUS_OK);
    assert_true(granted.id == id && granted.granted_s == 60 && granted.left_s == 60);
    struct outcome again = RUN(lease_grant(client.etcd, id, 60, on_lease, &out));
    assert_int_equal(again.status, STATUS_OK);
    assert_true(again.granted_s == 60 && again.left_s >= 58);
    struct outcome kept = RUN(lease_keep_alive(client.etcd, id, on_lease, &out));
    assert_true(kept.status == STATUS_OK && kept.granted_s == 60 && kept.left_s == 60);
    struct outcome left = RUN(lease_time_left(client.etcd, id, on_lease, &out));
    assert_true(left.status == STATUS_OK && left.granted_s == 60 && left.left_s >= 58);
    struct outcome revoked = RUN(lease_revoke(client.etcd, id, on_lease, &out));
    assert_int_equal(revoked.status, STATUS_OK);
}

static void etcd_raises_a_ttl_that_is_too_short(void **state)
{
    (void)state;
    int64_t id;
    assert_int_equal(lease_id_new(1, &id), STATUS_OK);
    struct outcome granted = RUN(lease_grant(client.etcd, id, 1, on_lease, &out));
    assert_int_equal(granted.status, STATUS_OK);
    assert_int_equal(granted.granted_s, 2);
    assert_int_equal(
        RUN(lease_grant(client.etcd, id + 1, LEASE_TTL_MAX_S + 1, on_lease, &out)).status,
        STATUS_REFUSED);
}

static void a_lease_that_is_gone_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(RUN(lease_keep_alive(client.etcd, 4711, on_lease, &out)).status,
                     STATUS_NOT_FOUND);
    assert_int_equal(RUN(lease_time_left(client.etcd, 4711, on_lease, &out)).status,
                     STATUS_NOT_FOUND);
    assert_int_equal(RUN(lease_revoke(client.etcd, 4711, on_lease, &out)).status, STATUS_NOT_FOUND);
}

#define HEADER "\"header\":{\"cluster_id\":\"1\",\"revision\":\"7\"}"

/* An answer to a request about lease 5, and what it means. */
static const struct {
    char what;
    const char *body;
    enum status status;
    int64_t left_s;
} answers[] = {
    {'k', "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"9\"}}\n", STATUS_OK, 9},
    {'k', "{\"result\":{" HEADER ",\"ID\":\"5\"}}\n", STATUS_NOT_FOUND, 0},
    {'k', "{\"error\":{\"grpc_code\":14,\"message\":\"etcdserver: no leader\"}}", STATUS_BAD_REPLY,
     0},
    {'k', "", STATUS_BAD_REPLY, 0},
    {'t', "{" HEADER ", \"ID\":\"5\", \"TTL\":\"3\", \"grantedTTL\":\"10\"}", STATUS_OK, 3},
    {'t', "{" HEADER ",\"ID\":\"5\",\"grantedTTL\":\"10\"}", STATUS_OK, 0},
    {'t', "{" HEADER ",\"ID\":\"5\",\"TTL\":\"-1\"}", STATUS_NOT_FOUND, 0},
    {'g', "{" HEADER ",\"ID\":\"5\",\"TTL\":\"10\"}", STATUS_OK, 10},
    {'g', "{" HEADER ",\"ID\":\"5\"}", STATUS_BAD_REPLY, 0},
    {'g', "[]", STATUS_BAD_REPLY, 0},
    {'r', "{" HEADER "}", STATUS_OK, 0},
    /* what etcd would never say */
    {'k', "{\"result\":{}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{\"ID\":\"5\",\"TTL\":\"9\"}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{" HEADER "}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{" HEADER ",\"ID\":\"6\"}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{" HEADER ",\"ID\":\"6\",\"TTL\":\"9\"}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"-9\"}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"soon\"}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"99999999999\"}}\n", STATUS_BAD_REPLY, 0},
    {'k', "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"9\"}}<", STATUS_BAD_REPLY, 0},
    {'k', "{" HEADER ",\"ID\":\"5\",\"TTL\":\"9\"}", STATUS_BAD_REPLY, 0},
    {'t', "{}", STATUS_BAD_REPLY, 0},
    {'t', "{" HEADER "}", STATUS_BAD_REPLY, 0},
    {'t', "{" HEADER ",\"ID\":\"5\"}", STATUS_BAD_REPLY, 0},
    {'t', "{" HEADER ",\"ID\":\"6\",\"TTL\":\"-1\"}", STATUS_BAD_REPLY, 0},
    {'t', "{\"ID\":\"5\",\"TTL\":\"-1\"}", STATUS_BAD_REPLY, 0},
    {'t', "{" HEADER ",\"ID\":\"5\",\"TTL\":\"3\"}", STATUS_BAD_REPLY, 0},
    {'t', "{" HEADER ",\"ID\":\"5\",\"TTL\":{},\"grantedTTL\":\"10\"}", STATUS_BAD_REPLY, 0},
    {'g', "{}", STATUS_BAD_REPLY, 0},
    {'g', "{\"ID\":\"5\",\"TTL\":\"10\"}", STATUS_BAD_REPLY, 0},
    {'g', "{" HEADER ",\"ID\":\"6\",\"TTL\":\"10\"}", STATUS_BAD_REPLY, 0},
    {'g', "{" HEADER ",\"TTL\":\"10\"}", STATUS_BAD_REPLY, 0},
    {'g', "{" HEADER ",\"ID\":\"5\",\"TTL\":\"9\"}", STATUS_BAD_REPLY, 0},
    {'g', "{" HEADER ",\"ID\":\"5\",\"TTL\":\"9000000000\"}", STATUS_BAD_REPLY, 0},
    {'g', "{" HEADER ",\"ID\":\"5\",\"TTL\":\"75\"}", STATUS_OK, 75}, /* a long election time-out */
    {'r', "{}", STATUS_BAD_REPLY, 0},
    {'r', "", STATUS_BAD_REPLY, 0},
    {'r', "{" HEADER ",\"count\":\"1\"}", STATUS_BAD_REPLY, 0},
};

static struct outcome ask(char what)
{
    switch (what) {
    case 'k':
        return RUN(lease_keep_alive(client.etcd, 5, on_lease, &out));
    case 't':
        return RUN(lease_time_left(client.etcd, 5, on_lease, &out));
    case 'g':
        return RUN(lease_grant(client.etcd, 5, 10, on_lease, &out));
    default:
        return RUN(lease_revoke(client.etcd, 5, on_lease, &out));
    }
}

static void answers_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct fake_gateway gateway;
        const struct fake_row rows[] = {
            {"/version", 200, "{\"etcdserver\":\"3.3.0\"}", FAKE_KEEP, 0},
            {"/v3beta/lease/keepalive", 200, answers[i].body, FAKE_EOF, 0},
            {"/v3beta/kv/lease/timetolive", 200, answers[i].body, FAKE_KEEP, 0},
            {"/v3beta/lease/grant", 200, answers[i].body, FAKE_KEEP, 0},
            {"/v3beta/kv/lease/revoke", 200, answers[i].body, FAKE_KEEP, 0},
        };
        client_loop_open(&client);
        assert_true(fake_gateway_start(&gateway, &client.loop, rows, 5));
        assert_int_equal(client_loop_connect(&client, gateway.endpoint, (struct etcd_options){0}),
                         STATUS_OK);
        struct outcome outcome = ask(answers[i].what);
        if (outcome.status != answers[i].status)
            fail_msg("%c %s: %s", answers[i].what, answers[i].body, status_text(outcome.status));
        if (outcome.status == STATUS_OK)
            assert_int_equal(outcome.left_s, answers[i].left_s);
        client_loop_close_client(&client);
        fake_gateway_stop(&gateway);
        assert_int_equal(client_loop_close(&client), 0);
    }
}

static void on_txn(void *arg, enum status status, const struct kv_txn_result *result,
                   const struct detail *why)
{
    unsigned *done = arg;
    (void)status, (void)result, (void)why;
    ++*done;
}

/* However many keys are written or looked at: a lease does not run out behind them. */
static void a_renewal_does_not_wait_for_transactions(void **state)
{
    static const struct fake_row rows[] = {
        {"/version", 200, "{\"etcdserver\":\"3.4.0\"}", FAKE_KEEP, 0},
        {"/v3/kv/txn", 0, NULL, FAKE_MUTE, 0},
        {"/v3/lease/keepalive", 200, "{\"result\":{" HEADER ",\"ID\":\"5\",\"TTL\":\"9\"}}\n",
         FAKE_EOF, 0},
    };
    struct fake_gateway gateway;
    struct kv_guard guard;
    unsigned answered = 0;
    (void)state;
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, 3));
    assert_int_equal(client_loop_connect(&client, gateway.endpoint, (struct etcd_options){0}),
                     STATUS_OK);
    kv_guard_init(&guard, "k", 1, 0, NULL);
    for (size_t i = 0; i < 100; i++)
        kv_txn(client.etcd, &guard.txn, on_txn, &answered);
    assert_true(CLIENT_LOOP_UNTIL(&client, gateway.used[1] == 64, 5000));
    struct outcome outcome = ask('k');
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(answered, 0);
    assert_int_equal(gateway.used[1], 64); /* nor was any given up, which makes room */
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

static int open_server(void **state)
{
    (void)state;
    return etcd_server_start(&server, 1, NULL) ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    etcd_server_stop(&server);
    return 0;
}

static int open_real(void **state)
{
    (void)state;
    client_loop_open(&client);
    return client_loop_connect(&client, server.endpoint, (struct etcd_options){0}) != STATUS_OK;
}

static int close_real(void **state)
{
    (void)state;
    return client_loop_close(&client);
}

#define REAL(test) cmocka_unit_test_setup_teardown(test, open_real, close_real)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_understood),
        cmocka_unit_test(a_renewal_does_not_wait_for_transactions),
        REAL(a_lease_lives_and_dies),
        REAL(etcd_raises_a_ttl_that_is_too_short),
        REAL(a_lease_that_is_gone_is_not_found),
    };
    return cmocka_run_group_tests(tests, open_server, stop_server);
}
