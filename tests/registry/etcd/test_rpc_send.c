/* What goes over the wire: the path, the headers, the body. */
#include "rpc.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define EMPTY "{}"

static struct client_loop client;
static struct fake_gateway gateway;

static struct {
    unsigned count;
    enum status status;
    char why[512], reply[64];
    size_t body_len; /* what build() writes: so many octets, 0 = "body" */
} world;

static void build(void *arg, const struct member *member, struct buffer *body)
{
    (void)arg, (void)member;
    if (world.body_len == 0)
        buffer_add_text(body, "body");
    for (size_t i = 0; i < world.body_len; i += 1024)
        buffer_add(body, (char[1024]){0}, 1024);
}

static void on_done(void *arg, enum status status, const struct detail *why)
{
    (void)arg;
    world.count++;
    world.status = status;
    snprintf(world.why, sizeof(world.why), "%s", why->text);
}

static enum status on_check(void *arg, const char *reply, size_t len, struct detail *why)
{
    (void)arg, (void)why;
    snprintf(world.reply, sizeof(world.reply), "%.*s", (int)len, reply ? reply : "");
    return STATUS_OK;
}

static enum status on_data(void *arg, const char *octets, size_t len, struct detail *why)
{
    (void)arg, (void)octets, (void)len, (void)why;
    return STATUS_OK;
}

static void open_client(const struct fake_row *rows, size_t count, struct etcd_options options)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, count));
    assert_int_equal(client_loop_connect(&client, gateway.endpoint, options), STATUS_OK);
}

static void close_client(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

static void ask(struct rpc_request request)
{
    world.count = 0;
    request.build = build;
    request.done = on_done;
    request.check = on_check;
    assert_non_null(rpc_start(client.etcd, &request));
    assert_true(CLIENT_LOOP_UNTIL(&client, world.count, 10000));
    client_loop_run_for(&client, 5);
    assert_int_equal(world.count, 1);
}

/* By the version that the member tells. */
static void each_method_has_its_path(void **state)
{
    static const char *const versions[] = {"{\"etcdserver\":\"3.4.23\"}",
                                           "{\"etcdserver\":\"3.3.25\"}", "no version"};
    static const char *const paths[][RPC_METHODS] = {
        {"/v3/kv/range", "/v3/kv/txn", "/v3/watch", "/v3/lease/grant", "/v3/lease/keepalive",
         "/v3/lease/timetolive", "/v3/lease/revoke"},
        {"/v3beta/kv/range", "/v3beta/kv/txn", "/v3beta/watch", "/v3beta/lease/grant",
         "/v3beta/lease/keepalive", "/v3beta/kv/lease/timetolive", "/v3beta/kv/lease/revoke"},
        {"/v3/kv/range", "/v3/kv/txn", "/v3/watch", "/v3/lease/grant", "/v3/lease/keepalive",
         "/v3/lease/timetolive", "/v3/lease/revoke"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct fake_row rows[1 + RPC_METHODS] = {{"/version", 200, versions[i], FAKE_KEEP, 0}};
        for (size_t k = 0; k < RPC_METHODS; k++)
            rows[1 + k] = (struct fake_row){paths[i][k], 200, EMPTY, FAKE_KEEP, 0};
        open_client(rows, 1 + RPC_METHODS, (struct etcd_options){.timeout_ms = 2000});
        for (size_t k = 0; k < RPC_METHODS; k++) {
            ask((struct rpc_request){.method = (enum rpc_method)k});
            if (world.status != STATUS_OK || gateway.used[1 + k] != 1)
                fail_msg("%s: %s", paths[i][k], world.why);
            assert_string_equal(world.reply, EMPTY);
        }
        assert_int_equal(gateway.used[0], 1);
        close_client();
    }
}

#define GOOD(end)                                                                                  \
    {                                                                                              \
        {"/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0},                            \
            {"/v3/auth/authenticate", 200, "{\"token\":\"secret\"}", FAKE_KEEP, 0},                \
            {"/v3/kv/range", 200, EMPTY, end, 0},                                                  \
    }

static unsigned grpc_timeout(void)
{
    unsigned ms = 0;
    const char *header = strstr(gateway.last_head, "Grpc-Timeout: ");
    assert_non_null(header);
    assert_int_equal(sscanf(header, "Grpc-Timeout: %um\r\n", &ms), 1);
    return ms;
}

/* etcd gives up when the attempt is over, so that nothing is done that nobody waits for. */
static void etcd_is_told_how_long_somebody_waits(void **state)
{
    static const struct fake_row rows[] = GOOD(FAKE_KEEP);
    (void)state;
    open_client(rows, 3, (struct etcd_options){.timeout_ms = 4000});
    ask((struct rpc_request){.method = RPC_RANGE, .is_idempotent = true});
    assert_int_equal(grpc_timeout(), 2000);
    ask((struct rpc_request){.method = RPC_RANGE, .is_idempotent = true, .attempt_ms = 700});
    assert_int_equal(grpc_timeout(), 700);
    ask((struct rpc_request){.method = RPC_RANGE, .is_idempotent = true, .timeout_ms = 900});
    assert_in_range(grpc_timeout(), 100, 900);
    ask((struct rpc_request){.method = RPC_RANGE}); /* all of it: it may not be repeated */
    assert_in_range(grpc_timeout(), 2001, 4000);
    assert_null(strstr(gateway.last_head, "hasleader"));
    close_client();
}

static void a_stream_wants_a_leader_and_has_no_end(void **state)
{
    static const struct fake_row rows[] = GOOD(FAKE_EOF);
    (void)state;
    open_client(rows, 3, (struct etcd_options){.timeout_ms = 1000});
    ask((struct rpc_request){
        .method = RPC_RANGE, .is_idempotent = true, .is_stream = true, .data = on_data});
    assert_non_null(strstr(gateway.last_head, "Grpc-Metadata-hasleader: true\r\n"));
    assert_null(strstr(gateway.last_head, "Grpc-Timeout"));
    close_client();
}

static void headers_are_what_the_gateway_wants(void **state)
{
    static const struct fake_row rows[] = GOOD(FAKE_KEEP);
    (void)state;
    for (unsigned has_user = 0; has_user < 2; has_user++) {
        struct etcd_options options = {.user = has_user ? "bob" : NULL, .password = "pw"};
        open_client(rows, 3, options);
        ask((struct rpc_request){.method = RPC_RANGE, .is_idempotent = true});
        assert_non_null(strstr(gateway.last_head, "POST /v3/kv/range HTTP/1.1\r\n"));
        assert_non_null(strstr(gateway.last_head, "Content-Type: application/json\r\n"));
        assert_null(strstr(gateway.last_head, "Expect:"));
        assert_int_equal(strstr(gateway.last_head, "Authorization: secret\r\n") != NULL, has_user);
        assert_string_equal(gateway.last_body, "body");
        close_client();
    }
}

static void a_body_that_is_too_large_is_not_sent(void **state)
{
    static const struct fake_row rows[] = GOOD(FAKE_KEEP);
    (void)state;
    open_client(rows, 3, (struct etcd_options){.timeout_ms = 1000});
    world.body_len = (4U << 20) + 1024;
    ask((struct rpc_request){.method = RPC_RANGE, .is_idempotent = true});
    world.body_len = 0;
    assert_int_equal(world.status, STATUS_TOO_LARGE);
    assert_string_equal(world.why, "the request is too large");
    assert_int_equal(gateway.used[2], 0);
    close_client();
}

/* A write of which the answer cannot be read may have been done. */
static void a_reply_that_is_too_long_leaves_a_write_open(void **state)
{
    static char endless[(8U << 20) + 2];
    struct fake_row rows[] = GOOD(FAKE_KEEP);
    (void)state;
    memset(endless, ' ', sizeof(endless) - 1);
    rows[2].body = endless;
    for (unsigned is_idempotent = 0; is_idempotent < 2; is_idempotent++) {
        open_client(rows, 3, (struct etcd_options){.timeout_ms = 5000});
        ask((struct rpc_request){.method = RPC_RANGE, .is_idempotent = is_idempotent});
        assert_int_equal(world.status, is_idempotent ? STATUS_TOO_LARGE : STATUS_TIMED_OUT);
        assert_non_null(strstr(world.why, "the reply is too long"));
        assert_int_equal(strstr(world.why, "unknown") != NULL, !is_idempotent);
        close_client();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_method_has_its_path),
        cmocka_unit_test(etcd_is_told_how_long_somebody_waits),
        cmocka_unit_test(a_stream_wants_a_leader_and_has_no_end),
        cmocka_unit_test(headers_are_what_the_gateway_wants),
        cmocka_unit_test(a_body_that_is_too_large_is_not_sent),
        cmocka_unit_test(a_reply_that_is_too_long_leaves_a_write_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
