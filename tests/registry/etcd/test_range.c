/* How a range is asked for, page by page, and that it may be stopped anywhere. */
#include "kv.h"

#include "client.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define VERSION34 "{\"etcdserver\":\"3.4.23\"}"
#define VERSION33 "{\"etcdserver\":\"3.3.25\"}"
#define HEADER                                                                                     \
    "{\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"7\",\"raft_term\":"      \
    "\"3\"}"
#define NOTHING HEADER "}"
/* Keys "a" to "c". */
#define A               "{\"key\":\"YQ==\",\"mod_revision\":\"3\"}"
#define B               "{\"key\":\"Yg==\",\"mod_revision\":\"4\"}"
#define C               "{\"key\":\"Yw==\",\"mod_revision\":\"5\"}"
#define PAGE(kvs, rest) HEADER ",\"kvs\":[" kvs "]," rest "}"
#define TOO_LARGE                                                                                  \
    "{\"error\":\"e\",\"message\":\"grpc: received message larger than max (5 vs. "                \
    "4)\",\"code\":8}"

static struct client_loop client;
static struct fake_gateway gateway;

static struct {
    char keys[16]; /* in the order in which they came */
    unsigned done, stop_at;
    enum status status;
    struct kv_range_result result;
    struct range *range;
    bool cancels;
} world;

static bool on_kv(void *arg, const struct kv *kv)
{
    (void)arg;
    size_t at = strlen(world.keys);
    world.keys[at] = kv->key[0];
    if (at + 1 != world.stop_at)
        return true;
    if (!world.cancels)
        return false;
    range_cancel(world.range);
    return true;
}

static void on_done(void *arg, enum status status, const struct kv_range_result *result,
                    const struct detail *why)
{
    (void)arg, (void)why;
    world.done++;
    world.status = status;
    world.result = *result;
}

static void open_client(const struct fake_row *rows, size_t count)
{
    memset(&world, 0, sizeof(world));
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, count));
    assert_int_equal(
        client_loop_connect(&client, gateway.endpoint, (struct etcd_options){.timeout_ms = 2000}),
        STATUS_OK);
}

static void close_client(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

static void begin(struct kv_range options)
{
    world.range = range_start(client.etcd, &options, NULL, on_kv, on_done, NULL);
    assert_non_null(world.range);
}

static void finish(void)
{
    assert_true(CLIENT_LOOP_UNTIL(&client, world.done, 5000));
    assert_int_equal(world.done, 1);
}

/* Base64: YQ== is "a", Yw== "c", AA== the octet 0. */
static void each_wish_is_in_the_request(void **state)
{
    static const struct {
        struct kv_range range;
        bool is_old; /* 3.3 sends at most 4 MiB */
        const char *body;
    } cases[] = {
        {{.key = "a", .key_len = 1}, false, "{\"key\":\"YQ==\"}"},
        {{.key_len = 0}, false, "{\"key\":\"AA==\"}"},
        {{.key = "a", .key_len = 1, .end = "c", .end_len = 1},
         false,
         "{\"key\":\"YQ==\",\"range_end\":\"Yw==\",\"limit\":50000}"},
        {{.key = "a", .key_len = 1, .end = "c", .end_len = 1},
         true,
         "{\"key\":\"YQ==\",\"range_end\":\"Yw==\",\"limit\":10000}"},
        {{.key = "a", .key_len = 1, .end = "c", .end_len = 1, .page = 100},
         false,
         "{\"key\":\"YQ==\",\"range_end\":\"Yw==\",\"limit\":100}"},
        {{.key = "a", .key_len = 1, .end = "c", .end_len = 1, .limit = 7},
         false,
         "{\"key\":\"YQ==\",\"range_end\":\"Yw==\",\"limit\":7}"},
        {{.key = "a", .key_len = 1, .revision = 5}, false, "{\"key\":\"YQ==\",\"revision\":\"5\"}"},
        {{.key = "a", .key_len = 1, .min_mod_revision = 5},
         false,
         "{\"key\":\"YQ==\",\"min_mod_revision\":\"5\"}"},
        {{.key = "a", .key_len = 1, .keys_only = true},
         false,
         "{\"key\":\"YQ==\",\"keys_only\":true}"},
        {{.key = "a", .key_len = 1, .end = "c", .end_len = 1, .count_only = true},
         false,
         "{\"key\":\"YQ==\",\"range_end\":\"Yw==\",\"count_only\":true}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct fake_row rows[] = {
            {"/version", 200, cases[i].is_old ? VERSION33 : VERSION34, FAKE_KEEP, 0},
            {"/v3/kv/range", 200, NOTHING, FAKE_KEEP, 0},
            {"/v3beta/kv/range", 200, NOTHING, FAKE_KEEP, 0}};
        open_client(rows, 3);
        begin(cases[i].range);
        finish();
        assert_int_equal(world.status, STATUS_OK);
        assert_string_equal(gateway.last_body, cases[i].body);
        close_client();
    }
}

/* The second page begins behind the last key of the first, at its revision. */
static void pages_follow_one_another(void **state)
{
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, PAGE(A "," B, "\"more\":true,\"count\":\"3\""), FAKE_KEEP, 1},
        {"/v3/kv/range", 200, PAGE(C, "\"count\":\"1\""), FAKE_KEEP, 1}};
    (void)state;
    open_client(rows, 3);
    begin((struct kv_range){.key = "a", .key_len = 1, .end = "x", .end_len = 1, .page = 2});
    finish();
    assert_int_equal(world.status, STATUS_OK);
    assert_string_equal(world.keys, "abc");
    assert_int_equal(world.result.count, 3);
    assert_int_equal(world.result.revision, 7);
    assert_int_equal(world.result.cluster_id, 1);
    assert_int_equal(world.result.member_id, 2);
    assert_int_equal(world.result.raft_term, 3);
    /* "b" and a zero octet. */
    assert_string_equal(gateway.last_body, "{\"key\":\"YgA=\",\"range_end\":\"eA==\",\"limit\":2,"
                                           "\"revision\":\"7\"}");
    close_client();
}

/* Down to one key; behind what was too large pages grow again. */
static void a_page_that_is_too_large_is_halved(void **state)
{
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION33, FAKE_KEEP, 0},
        {"/v3beta/kv/range", 429, TOO_LARGE, FAKE_KEEP, 2},
        {"/v3beta/kv/range", 200, PAGE(A, "\"more\":true,\"count\":\"3\""), FAKE_KEEP, 1},
        {"/v3beta/kv/range", 200, PAGE(B, "\"more\":true,\"count\":\"2\""), FAKE_KEEP, 1},
        {"/v3beta/kv/range", 200, PAGE(C, "\"count\":\"1\""), FAKE_KEEP, 1}};
    (void)state;
    open_client(rows, 5);
    begin((struct kv_range){.key = "a", .key_len = 1, .end = "x", .end_len = 1, .page = 4});
    finish();
    assert_int_equal(world.status, STATUS_OK);
    assert_string_equal(world.keys, "abc");
    assert_int_equal(gateway.used[1], 2);
    assert_non_null(strstr(gateway.last_body, "\"limit\":4,")); /* 4, 2, 1, 2, 4 */
    close_client();

    static const struct fake_row never[] = {{"/version", 200, VERSION33, FAKE_KEEP, 0},
                                            {"/v3beta/kv/range", 429, TOO_LARGE, FAKE_KEEP, 0}};
    open_client(never, 2);
    begin((struct kv_range){.key = "a", .key_len = 1, .end = "x", .end_len = 1, .page = 4});
    finish();
    assert_int_equal(world.status, STATUS_TOO_LARGE);
    assert_int_equal(gateway.used[1], 3); /* 4, 2, 1 */
    assert_non_null(strstr(gateway.last_body, "\"limit\":1}"));
    close_client();

    /* One key cannot be halved. */
    open_client(never, 2);
    begin((struct kv_range){.key = "a", .key_len = 1});
    finish();
    assert_int_equal(world.status, STATUS_TOO_LARGE);
    assert_int_equal(gateway.used[1], 1);
    close_client();
}

static const struct fake_row three[] = {
    {"/version", 200, VERSION34, FAKE_KEEP, 0},
    {"/v3/kv/range", 200, PAGE(A "," B "," C, "\"count\":\"3\""), FAKE_KEEP, 0}};

static void it_may_be_stopped_at_any_key(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= 3; at++) {
        open_client(three, 2);
        world.stop_at = at;
        begin((struct kv_range){.key = "a", .key_len = 1, .end = "x", .end_len = 1});
        finish();
        assert_int_equal(world.status, STATUS_CANCELLED);
        assert_int_equal(strlen(world.keys), at);
        close_client();
    }
}

/* Nothing is told after that, not even the end; from inside, too. */
static void a_cancelled_range_tells_nothing(void **state)
{
    (void)state;
    for (unsigned at = 0; at <= 3; at++) {
        open_client(three, 2);
        world.stop_at = at;
        world.cancels = true;
        begin((struct kv_range){.key = "a", .key_len = 1, .end = "x", .end_len = 1});
        if (at == 0)
            range_cancel(world.range);
        client_loop_run_for(&client, 100);
        assert_int_equal(world.done, 0);
        assert_int_equal(strlen(world.keys), at);
        close_client();
    }
}

static void a_limit_may_be_less_than_there_is(void **state)
{
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, PAGE(A "," B, "\"more\":true,\"count\":\"3\""), FAKE_KEEP, 0}};
    (void)state;
    open_client(rows, 2);
    begin((struct kv_range){.key = "a", .key_len = 1, .end = "x", .end_len = 1, .limit = 2});
    finish();
    assert_int_equal(world.status, STATUS_OK);
    assert_string_equal(world.keys, "ab");
    assert_int_equal(world.result.count, 3);
    assert_int_equal(gateway.used[1], 1);
    close_client();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wish_is_in_the_request),
        cmocka_unit_test(pages_follow_one_another),
        cmocka_unit_test(a_page_that_is_too_large_is_halved),
        cmocka_unit_test(it_may_be_stopped_at_any_key),
        cmocka_unit_test(a_cancelled_range_tells_nothing),
        cmocka_unit_test(a_limit_may_be_less_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
