/* Ranges and transactions, against a real etcd and against answers that break off. */
#include "registry/etcd/client.h"
#include "registry/etcd/kv.h"
#include "support/client_loop.h"
#include "support/etcd_server.h"
#include "support/fake_gateway.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define VERSION34 "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}"

static struct etcd_server server;
static struct client_loop client;

/* Of the member that answered last; 0: unknown. */
static unsigned answered_version(void)
{
    const struct member_set *members = &client.etcd->members;
    return members->list[members->current].version;
}
static struct fake_gateway gateway;

struct outcome {
    unsigned done;
    enum status status;
    struct detail why;
    struct kv_range_result range;
    uint64_t given, stop_after; /* stop_after 0 = never */
    char keys[256];             /* the first ones, a blank behind each */
    bool close_client;
    bool succeeded;
    int64_t revision;
    size_t op_count;
    uint64_t deleted;
    char got[64];
};

static bool on_kv(void *arg, const struct kv *kv)
{
    struct outcome *outcome = arg;
    size_t len = strlen(outcome->keys);
    assert_int_equal(outcome->done, 0);
    if (len + kv->key_len + 2 < sizeof(outcome->keys)) {
        memcpy(outcome->keys + len, kv->key, kv->key_len);
        strcat(outcome->keys, " ");
    }
    outcome->given++;
    if (outcome->close_client)
        client_loop_close_client(&client);
    return outcome->given != outcome->stop_after;
}

static void on_range(void *arg, enum status status, const struct kv_range_result *result,
                     const struct detail *why)
{
    struct outcome *outcome = arg;
    outcome->done++;
    outcome->status = status;
    outcome->why = *why;
    outcome->range = *result;
}

static void on_txn(void *arg, enum status status, const struct kv_txn_result *result,
                   const struct detail *why)
{
    struct outcome *outcome = arg;
    outcome->done++;
    outcome->status = status;
    outcome->why = *why;
    outcome->succeeded = result->succeeded;
    outcome->revision = result->revision;
    outcome->op_count = result->op_count;
    for (size_t i = 0; i < result->op_count; i++) {
        outcome->deleted += result->ops[i].deleted;
        const struct kv *kv = &result->ops[i].kv;
        if (result->ops[i].is_found)
            snprintf(outcome->got, sizeof(outcome->got), "%.*s", (int)kv->value_len, kv->value);
    }
}

static struct outcome run_range(struct kv_range range, uint64_t stop_after)
{
    struct outcome outcome = {.stop_after = stop_after};
    kv_range(client.etcd, &range, on_kv, on_range, &outcome);
    assert_int_equal(outcome.done, 0);
    CLIENT_LOOP_UNTIL(&client, outcome.done, 15000);
    assert_int_equal(outcome.done, 1);
    return outcome;
}

static struct outcome run_txn(struct kv_txn txn)
{
    struct outcome outcome = {0};
    kv_txn(client.etcd, &txn, on_txn, &outcome);
    assert_int_equal(outcome.done, 0);
    CLIENT_LOOP_UNTIL(&client, outcome.done, 15000);
    assert_int_equal(outcome.done, 1);
    return outcome;
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

static void connect_fake(const struct fake_row *rows, size_t count, uint32_t timeout_ms)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, count));
    assert_int_equal(client_loop_connect(&client, gateway.endpoint,
                                         (struct etcd_options){.timeout_ms = timeout_ms}),
                     STATUS_OK);
}

static void close_fake(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

/* A cut after 2 s would leave its outcome open without need. */
static void a_write_that_may_not_be_repeated_has_all_its_time(void **state)
{
    (void)state;
    static const struct fake_row mute[] = {{"/version", 200, VERSION34, FAKE_KEEP, 0},
                                           {"/v3/kv/txn", 0, NULL, FAKE_MUTE, 0}};
    connect_fake(mute, 2, 2600);
    uint64_t began_ns = uv_hrtime();
    assert_int_equal(run_txn((struct kv_txn){0}).status, STATUS_TIMED_OUT);
    assert_in_range((uv_hrtime() - began_ns) / 1000000, 2400, 3500);
    assert_int_equal(gateway.used[1], 1);
    close_fake();
}

static void a_range_comes_in_pages_at_one_revision(void **state)
{
    (void)state;
    assert_true(etcd_server_fill(&server, "/pages/", 1050));
    struct kv_range range = {
        .key = "/pages/", .key_len = 7, .end = "/pages0", .end_len = 7, .page = 100};
    struct outcome all = run_range(range, 0);
    assert_int_equal(all.status, STATUS_OK);
    assert_int_equal(all.given, 1050);
    assert_int_equal(all.range.count, 1050);
    assert_true(all.range.revision > 1 && all.range.cluster_id && all.range.raft_term);
    assert_memory_equal(all.keys, "/pages/0000000 /pages/0000001 ", 30);

    range.count_only = true;
    struct outcome count = run_range(range, 0);
    assert_int_equal(count.given, 0);
    assert_int_equal(count.range.count, 1050);

    range.count_only = false;
    struct outcome some = run_range(range, 150);
    assert_int_equal(some.status, STATUS_CANCELLED);
    assert_int_equal(some.given, 150);

    /* The past stays as it was. */
    assert_true(etcd_server_delete(&server, "/pages/0000000"));
    range.revision = all.range.revision;
    assert_int_equal(run_range(range, 0).given, 1050);
    range.revision = 0;
    assert_int_equal(run_range(range, 0).given, 1049);
    range.revision = 1000000;
    assert_int_equal(run_range(range, 0).status, STATUS_COMPACTED);
}

static void a_limit_ends_a_range_in_the_midst_of_its_pages(void **state)
{
    (void)state;
    static const struct {
        uint32_t page, limit, given;
    } rows[] = {{0, 7, 7},    {10, 7, 7},   {10, 10, 10}, {10, 25, 25},
                {10, 39, 39}, {10, 40, 40}, {10, 41, 40}, {0, 1000, 40}};
    assert_true(etcd_server_fill(&server, "/limit/", 40));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kv_range range = {.key = "/limit/",
                                 .key_len = 7,
                                 .end = "/limit0",
                                 .end_len = 7,
                                 .page = rows[i].page,
                                 .limit = rows[i].limit};
        struct outcome outcome = run_range(range, 0);
        assert_int_equal(outcome.status, STATUS_OK);
        assert_int_equal(outcome.given, rows[i].given);
        assert_int_equal(outcome.range.count, 40);
    }
}

/* Of such a read etcd still counts all keys. */
static void only_what_has_changed_since_is_read(void **state)
{
    (void)state;
    struct kv_range range = {.key = "/since/", .key_len = 7, .end = "/since0", .end_len = 7};
    assert_true(etcd_server_fill(&server, "/since/", 5));
    struct outcome all = run_range(range, 0);
    assert_int_equal(all.given, 5);
    range.min_mod_revision = all.range.revision + 1;
    struct outcome none = run_range(range, 0);
    assert_int_equal(none.status, STATUS_OK);
    assert_int_equal(none.given, 0);
    assert_true(etcd_server_put(&server, "/since/a", "1") &&
                etcd_server_put(&server, "/since/b", "2") &&
                etcd_server_put(&server, "/since/c", "3"));
    for (range.page = 0; range.page < 4; range.page++) {
        struct outcome some = run_range(range, 0);
        assert_int_equal(some.status, STATUS_OK);
        assert_string_equal(some.keys, "/since/a /since/b /since/c ");
    }
}

static void a_single_key_is_there_or_not(void **state)
{
    (void)state;
    assert_true(etcd_server_put(&server, "/one", "1") &&
                etcd_server_put(&server, "/one/more", "2"));
    struct outcome hit = run_range((struct kv_range){.key = "/one", .key_len = 4}, 0);
    assert_int_equal(hit.status, STATUS_OK);
    assert_string_equal(hit.keys, "/one ");
    struct outcome miss = run_range((struct kv_range){.key = "/none", .key_len = 5}, 0);
    assert_int_equal(miss.status, STATUS_OK);
    assert_int_equal(miss.given, 0);
    assert_int_equal(miss.range.count, 0);
}

static void a_transaction_does_one_branch(void **state)
{
    (void)state;
    struct kv_op put = {
        .kind = KV_PUT, .key = "/t/a", .key_len = 4, .value = "x\0y", .value_len = 3};
    struct kv_op get = {.kind = KV_GET, .key = "/t/a", .key_len = 4};
    struct kv_compare absent = {.key = "/t/a", .key_len = 4};
    struct kv_txn txn = {.compares = &absent,
                         .compare_count = 1,
                         .success = &put,
                         .success_count = 1,
                         .failure = &get,
                         .failure_count = 1};
    struct outcome first = run_txn(txn);
    assert_int_equal(first.status, STATUS_OK);
    assert_true(first.succeeded && first.revision > 1);
    struct outcome second = run_txn(txn);
    assert_int_equal(second.status, STATUS_OK);
    assert_false(second.succeeded);
    assert_string_equal(second.got, "x");
    assert_int_equal(second.revision, first.revision);
    get.keys_only = true;
    struct outcome keys = run_txn(txn);
    assert_true(keys.op_count == 1 && keys.got[0] == '\0');

    struct kv_compare mine = {.key = "/t/a", .key_len = 4, .mod_revision = first.revision};
    struct kv_op remove = {.kind = KV_DELETE, .key = "/t/a", .key_len = 4};
    struct outcome third = run_txn((struct kv_txn){
        .compares = &mine, .compare_count = 1, .success = &remove, .success_count = 1});
    assert_true(third.succeeded);
    assert_int_equal(third.deleted, 1);
    assert_int_equal(third.revision, first.revision + 1);
}

static void a_transaction_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct kv_op puts[2] = {
        {.kind = KV_PUT, .key = "/t/b", .key_len = 4, .value = "1", .value_len = 1, .lease = 99},
        {.kind = KV_PUT, .key = "/t/b", .key_len = 4, .value = "2", .value_len = 1}};
    assert_int_equal(run_txn((struct kv_txn){.success = puts, .success_count = 1}).status,
                     STATUS_NOT_FOUND);
    struct outcome twice = run_txn((struct kv_txn){.success = puts, .success_count = 2});
    assert_int_equal(twice.status, STATUS_REFUSED);
    assert_non_null(strstr(twice.why.text, server.endpoint));
    assert_non_null(strstr(twice.why.text, "duplicate key"));
    static char large[2000000];
    memset(large, 'x', sizeof(large));
    struct kv_op put = {.kind = KV_PUT, .key = "/l", .key_len = 2, .value = large};
    put.value_len = 1600000;
    assert_int_equal(run_txn((struct kv_txn){.success = &put, .success_count = 1}).status,
                     STATUS_TOO_LARGE);
    put.value_len = 1000000;
    assert_int_equal(run_txn((struct kv_txn){.success = &put, .success_count = 1}).status,
                     STATUS_OK);
    assert_int_equal(run_range((struct kv_range){.key = "/l", .key_len = 2}, 0).given, 1);
}

/* What is above our own bounds ends as what is above etcd's, and is not sent in part. */
static void a_transaction_beyond_all_bounds_is_told_what_is_wrong(void **state)
{
    (void)state;
    static char large[3500000];
    static struct kv_op gets[KV_TXN_MAX + 1];
    for (size_t i = 0; i <= KV_TXN_MAX; i++)
        gets[i] = (struct kv_op){.kind = KV_GET, .key = "/m", .key_len = 2};
    struct kv_op put = {.kind = KV_PUT, .key = "/l", .key_len = 2, .value = large};
    put.value_len = sizeof(large);
    struct outcome outcome = run_txn((struct kv_txn){.success = &put, .success_count = 1});
    assert_int_equal(outcome.status, STATUS_TOO_LARGE);
    assert_string_equal(outcome.why.text, "the request is too large");
    outcome = run_txn((struct kv_txn){.failure = gets, .failure_count = KV_TXN_MAX + 1});
    assert_int_equal(outcome.status, STATUS_TOO_MANY);
    assert_string_equal(outcome.why.text, status_text(STATUS_TOO_MANY));
    outcome = run_txn((struct kv_txn){.success = gets, .success_count = KV_TXN_MAX});
    assert_int_equal(outcome.op_count, KV_TXN_MAX);
}

static void closing_cancels_what_is_under_way(void **state)
{
    (void)state;
    struct outcome range = {0}, txn = {0}, within = {.close_client = true};
    assert_true(etcd_server_fill(&server, "/close/", 10));
    struct kv_range all = {.key = "/close/", .key_len = 7, .end = "/close0", .end_len = 7};
    kv_range(client.etcd, &all, on_kv, on_range, &range);
    kv_txn(client.etcd, &(struct kv_txn){0}, on_txn, &txn);
    client_loop_close_client(&client);
    assert_true(range.done == 1 && range.status == STATUS_CANCELLED);
    assert_true(txn.done == 1 && txn.status == STATUS_CANCELLED);

    assert_int_equal(client_loop_connect(&client, server.endpoint, (struct etcd_options){0}),
                     STATUS_OK);
    kv_range(client.etcd, &all, on_kv, on_range, &within);
    CLIENT_LOOP_UNTIL(&client, within.done, 5000);
    assert_int_equal(within.status, STATUS_CANCELLED);
    assert_int_equal(within.given, 1);
}

#define HEADER "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"7\",\"raft_term\":\"2\"},"

/* The first page breaks off behind its first key. */
static const struct fake_row cut_rows[] = {
    {"/version", 200, VERSION34, FAKE_KEEP, 0},
    {"/v3/kv/range", 200, HEADER "\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"5\"},{\"ke",
     FAKE_CUT, 1},
    {"/v3/kv/range", 200,
     HEADER "\"kvs\":[{\"key\":\"Yg==\",\"mod_revision\":\"6\"}],\"count\":\"1\"}", FAKE_KEEP, 0},
};

static void a_range_that_breaks_off_goes_on_behind_the_last_key(void **state)
{
    (void)state;
    connect_fake(cut_rows, 3, 0);
    struct outcome outcome =
        run_range((struct kv_range){.key = "a", .key_len = 1, .end = "z", .end_len = 1}, 0);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_string_equal(outcome.keys, "a b ");
    assert_int_equal(outcome.range.count, 2);
    /* from "a\0", at the revision of the part that came */
    assert_non_null(strstr(gateway.last_body, "\"key\":\"YQA=\""));
    assert_non_null(strstr(gateway.last_body, "\"revision\":\"7\""));
    close_fake();
}

static const struct fake_row old_rows[] = {
    {"/version", 200, "{\"etcdserver\":\"3.3.25\"}", FAKE_KEEP, 0},
    {"/v3beta/kv/range", 429,
     "{\"error\":\"grpc: received message larger than max (9 vs. 4)\",\"code\":8}", FAKE_KEEP, 2},
    {"/v3beta/kv/range", 200, HEADER "\"count\":\"0\"}", FAKE_KEEP, 0},
};

/* A range over rows gives these keys; its last request says this. limit 0 = none. */
static void check_fake_range(const struct fake_row *rows, size_t count, uint32_t timeout_ms,
                             uint32_t limit, const char *keys, const char *said)
{
    struct kv_range range = {.key = "a", .key_len = 1, .end = "z", .end_len = 1, .limit = limit};
    connect_fake(rows, count, timeout_ms);
    struct outcome outcome = run_range(range, 0);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_string_equal(outcome.keys, keys);
    assert_non_null(strstr(gateway.last_body, said));
}

static void a_page_too_large_for_etcd_3_3_is_halved(void **state)
{
    (void)state;
    check_fake_range(old_rows, 3, 0, 0, "", "\"limit\":2500");
    assert_int_equal(answered_version(), 303);
    close_fake();
}

static const struct fake_row growing_rows[] = {
    {"/version", 200, VERSION34, FAKE_KEEP, 0},
    {"/v3/kv/range", 200,
     HEADER "\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"5\"}],\"more\":true,\"count\":\"2\"}",
     FAKE_KEEP, 1},
    {"/v3/kv/range", 200,
     HEADER "\"kvs\":[{\"key\":\"Yg==\",\"mod_revision\":\"6\"}],\"count\":\"1\"}", FAKE_KEEP, 1},
};

/* The reply breaks off behind the last key that was wanted. */
static void a_limit_that_is_used_up_stays_one(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, HEADER "\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"5\"}],\"mo",
         FAKE_CUT, 1},
        {"/v3/kv/range", 200,
         HEADER
         "\"kvs\":[{\"key\":\"Yg==\",\"mod_revision\":\"6\"}],\"more\":true,\"count\":\"9\"}",
         FAKE_KEEP, 1},
    };
    check_fake_range(rows, 3, 0, 1, "a ", "\"limit\":1,");
    close_fake();
}

/* The reply breaks off behind the one key that was asked for: it comes again, and is told once. */
static void a_single_key_is_told_once(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, HEADER "\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"5\"}],\"co",
         FAKE_CUT, 1},
        {"/v3/kv/range", 200,
         HEADER "\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"5\"}],\"count\":\"1\"}", FAKE_KEEP,
         1},
    };
    connect_fake(rows, 3, 0);
    struct outcome outcome = run_range((struct kv_range){.key = "a", .key_len = 1}, 0);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(gateway.used[2], 1);
    assert_string_equal(outcome.keys, "a ");
    close_fake();
}

static void the_page_behind_a_quick_one_is_larger(void **state)
{
    (void)state;
    check_fake_range(growing_rows, 3, 0, 0, "a b ", "\"limit\":100000,");
    close_fake();
}

static void a_larger_page_that_comes_late_is_asked_for_in_smaller_ones(void **state)
{
    (void)state;
    struct fake_row rows[] = {
        growing_rows[0], growing_rows[1], {"/v3/kv/range", 0, NULL, FAKE_MUTE, 1}, growing_rows[2]};
    check_fake_range(rows, 4, 1000, 0, "a b ", "\"key\":\"YQA=\"");
    assert_non_null(strstr(gateway.last_body, "\"limit\":50000,"));
    close_fake();
}

#define KV(key, more) "{\"key\":\"" key "\",\"mod_revision\":\"5\"" more "}"
#define KVS(kvs)      HEADER "\"kvs\":[" kvs "],\"count\":\"1\"}"

/* What an etcd would never say to a range of "b" to "y". */
static const struct {
    const char *body;
    enum fake_end end;
} nonsense[] = {
    {"hello", FAKE_KEEP},
    {"", FAKE_KEEP},
    {"{}", FAKE_KEEP},
    {"[]", FAKE_KEEP},
    {"null", FAKE_KEEP},
    {"\"\"", FAKE_KEEP},
    {"<html><body>Sign in</body></html>", FAKE_KEEP},
    {HEADER "\"count\":\"0\"}{}", FAKE_KEEP},
    {HEADER "\"count\":\"0\"}\n<!-- -->", FAKE_KEEP},
    {HEADER "\"count\":\"0\"", FAKE_KEEP},
    /* the header */
    {"{\"header\":{}}", FAKE_KEEP},
    {"{\"header\":null}", FAKE_KEEP},
    {"{\"header\":[]}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\"}}", FAKE_KEEP},
    {"{\"header\":{\"revision\":\"7\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"0\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"-7\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"7x\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\" 7\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":7.5}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":1e300}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":true}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"9223372036854775808\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"9223372036854775807\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"one\",\"revision\":\"7\"}}", FAKE_KEEP},
    {"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"7\",\"raft_term\":\"-1\"}}", FAKE_KEEP},
    {"{\"result\":{\"header\":{\"cluster_id\":\"1\",\"revision\":\"7\"}}}", FAKE_KEEP},
    /* what stands beside the keys */
    {HEADER "\"count\":\"3\"}", FAKE_KEEP},
    {HEADER "\"count\":\"-1\"}", FAKE_KEEP},
    {HEADER "\"count\":{}}", FAKE_KEEP},
    {HEADER "\"more\":true}", FAKE_KEEP},
    {HEADER "\"more\":true,\"count\":\"2\"}", FAKE_KEEP},
    {HEADER "\"more\":\"false\"}", FAKE_KEEP},
    {HEADER "\"kvs\":{}}", FAKE_KEEP},
    {HEADER "\"kvs\":null}", FAKE_KEEP},
    {HEADER "\"kvs\":\"\"}", FAKE_KEEP},
    {HEADER "\"kvs\":[" KV("Yw==", "") "]}", FAKE_KEEP},
    {HEADER "\"kvs\":[" KV("Yw==", "") "],\"count\":\"2\"}", FAKE_KEEP},
    {HEADER "\"kvs\":[" KV("Yw==", "") "],\"more\":true,\"count\":\"1\"}", FAKE_KEEP},
    /* the keys */
    {KVS("7"), FAKE_KEEP},
    {KVS(KV("Yw==", ",\"value\":\"eHh4\\u0000eHh4\"")), FAKE_KEEP},
    {KVS("{\"key\":\"Yw==\",\"mod_revision\":\"5\\u0000\"}"), FAKE_KEEP},
    {KVS("{}"), FAKE_KEEP},
    {KVS("{\"key\":\"Yw==\"}"), FAKE_KEEP},
    {KVS("{\"key\":\"Yw==\",\"mod_revision\":\"0\"}"), FAKE_KEEP},
    {KVS("{\"key\":\"Yw==\",\"mod_revision\":\"8\"}"), FAKE_KEEP}, /* after the read */
    {KVS("{\"mod_revision\":\"5\"}"), FAKE_KEEP},
    {KVS(KV("Yw", "")), FAKE_KEEP},
    {KVS(KV("Yw==", ",\"version\":\"x\"")), FAKE_KEEP},
    {KVS(KV("Yw==", ",\"value\":7")), FAKE_KEEP},
    {KVS(KV("YQ==", "")), FAKE_KEEP}, /* outside */
    {KVS(KV("eQ==", "")), FAKE_KEEP},
    {HEADER "\"kvs\":[" KV("ZA==", "") "," KV("Yw==", "") "],\"count\":\"2\"}", FAKE_KEEP},
    {HEADER "\"kvs\":[" KV("Yw==", "") "," KV("Yw==", "") "],\"count\":\"2\"}", FAKE_KEEP},
    {"{\"kvs\":[" KV("Yw==", "") "],\"count\":\"1\"}", FAKE_KEEP}, /* at which revision? */
    {HEADER "\"kvs\":[" KV("Yw==", ""), FAKE_EOF},
    /* other methods */
    {HEADER "\"succeeded\":true,\"responses\":[{\"response_range\":{}}]}", FAKE_KEEP},
    {HEADER "\"deleted\":\"1\"}", FAKE_KEEP},
    {HEADER "\"ID\":\"5\",\"TTL\":\"-1\"}", FAKE_KEEP},
    {HEADER "\"token\":\"t\"}", FAKE_KEEP},
    {"{\"error\":\"etcdserver: no leader\",\"code\":14}", FAKE_KEEP},
};

/* Nonsense once: the range asks again, and gets the one key, unless a key has been given of what makes
 * no sense; cut off is another matter. For ever: it fails. */
static void check_nonsense(size_t i, bool is_once)
{
    const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, nonsense[i].body, nonsense[i].end, is_once},
        {"/v3/kv/range", 200, KVS(KV("eA==", "")), FAKE_KEEP, 0},
    };
    connect_fake(rows, 3, 2000);
    struct outcome outcome =
        run_range((struct kv_range){.key = "b", .key_len = 1, .end = "y", .end_len = 1}, 0);
    bool is_misled =
        nonsense[i].end == FAKE_KEEP && outcome.keys[0] && strcmp(outcome.keys, "x ") != 0;
    bool is_good = is_once && !is_misled;
    if (outcome.status != (is_good ? STATUS_OK : STATUS_BAD_REPLY))
        fail_msg("%s: %s", nonsense[i].body, status_text(outcome.status));
    if (is_good)
        assert_string_equal(outcome.keys + strlen(outcome.keys) - 2, "x ");
    close_fake();
}

static void nonsense_is_a_bad_reply(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        check_nonsense(i, false);
        check_nonsense(i, true);
    }
}

#define RESPONSES(list) HEADER "\"responses\":[" list "]}"
#define GOT(kvs)        "{\"response_range\":{\"header\":{\"revision\":\"7\"}" kvs "}}"

/* What an etcd would never say to a transaction that puts "b", or else reads it. */
static const char *const txn_nonsense[] = {
    "",
    "{}",
    "[]",
    "<html>",
    "{\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}",
    HEADER "\"succeeded\":true}",
    HEADER "\"succeeded\":true,\"responses\":[]}",
    HEADER "\"succeeded\":true,\"responses\":{}}",
    HEADER "\"succeeded\":true,\"responses\":[{\"response_put\":{}},{\"response_put\":{}}]}",
    HEADER "\"succeeded\":true,\"responses\":[{\"response_put\":null}]}",
    HEADER "\"succeeded\":true,\"responses\":[" GOT("") "]}",
    HEADER "\"succeeded\":\"true\",\"responses\":[{\"response_put\":{}}]}",
    HEADER "\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}{}",
    HEADER "\"succeeded\":true,\"responses\":[{\"response_put\":{}}]",
    HEADER "\"succeeded\":true,\"responses\":[{\"response_put\":{}}],\"deleted\":\"1\"}",
    RESPONSES("{\"response_put\":{}}"),
    RESPONSES("{\"response_delete_range\":{}}"),
    RESPONSES("{}"),
    RESPONSES("7"),
    RESPONSES(GOT(",\"count\":\"1\"")),
    RESPONSES(GOT(",\"kvs\":[" KV("Yg==", "") "]")),
    RESPONSES(GOT(",\"kvs\":[" KV("Yw==", "") "],\"count\":\"1\"")),
    RESPONSES(GOT(",\"kvs\":[{\"key\":\"Yg==\"}],\"count\":\"1\"")),
    RESPONSES(GOT(",\"kvs\":{},\"count\":\"0\"")),
    RESPONSES(GOT(",\"kvs\":[" KV("Yg==", "") "," KV("Yg==", "") "],\"count\":\"2\"")),
    RESPONSES(GOT(",\"succeeded\":true")),
    HEADER "\"count\":\"0\"}",
};

static struct outcome put_or_read(const char *nonsense_text, bool is_idempotent)
{
    const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/txn", 200, nonsense_text, FAKE_KEEP, 1},
        {"/v3/kv/txn", 200,
         RESPONSES(GOT(",\"kvs\":[" KV("Yg==", ",\"value\":\"Yg==\"") "],\"count\":\"1\"")),
         FAKE_KEEP, 0},
    };
    struct kv_op put = {.kind = KV_PUT, .key = "b", .key_len = 1, .value = "", .value_len = 0};
    struct kv_op get = {.kind = KV_GET, .key = "b", .key_len = 1};
    connect_fake(rows, 3, 2000);
    struct outcome outcome = run_txn((struct kv_txn){.success = &put,
                                                     .success_count = 1,
                                                     .failure = &get,
                                                     .failure_count = 1,
                                                     .is_idempotent = is_idempotent});
    close_fake();
    return outcome;
}

/* Of a write that may not be repeated nobody knows then whether it was done. */
static void nonsense_is_no_reply_to_a_transaction(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(txn_nonsense) / sizeof(txn_nonsense[0]); i++) {
        struct outcome outcome = put_or_read(txn_nonsense[i], true);
        if (outcome.status != STATUS_OK || outcome.succeeded || strcmp(outcome.got, "b") != 0)
            fail_msg("%s: %s", txn_nonsense[i], status_text(outcome.status));
        outcome = put_or_read(txn_nonsense[i], false);
        if (outcome.status != STATUS_TIMED_OUT || !strstr(outcome.why.text, "unknown"))
            fail_msg("%s: %s", txn_nonsense[i], status_text(outcome.status));
    }
}

/* A gateway, or what stands before it, may write out what is 0, false and empty. */
static void a_reply_may_say_what_goes_without_saying(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, HEADER "\"kvs\":[],\"more\":false,\"count\":\"0\"}", FAKE_KEEP, 2},
        {"/v3/kv/range", 200, HEADER "\"kvs\": [ ], \"more\":false, \"count\":\"3\"}", FAKE_KEEP,
         0},
        {"/v3/kv/txn", 200,
         HEADER "\"succeeded\":false,\"responses\":[{\"response_range\":{\"header\":null,"
                "\"kvs\":[],\"more\":false,\"count\":\"0\"}}]}",
         FAKE_KEEP, 0},
    };
    struct kv_range range = {.key = "b", .key_len = 1, .end = "y", .end_len = 1};
    struct kv_op get = {.kind = KV_GET, .key = "b", .key_len = 1};
    connect_fake(rows, 4, 2000);
    assert_int_equal(run_range(range, 0).status, STATUS_OK);
    range.count_only = true;
    assert_int_equal(run_range(range, 0).status, STATUS_OK);
    struct outcome count = run_range(range, 0);
    assert_int_equal(count.status, STATUS_OK);
    assert_int_equal(count.range.count, 3);
    struct outcome txn = run_txn((struct kv_txn){.failure = &get, .failure_count = 1});
    assert_int_equal(txn.status, STATUS_OK);
    assert_false(txn.succeeded);
    close_fake();
}

/* What becomes of a write, by how its first attempt ends. */
static const struct {
    int status;
    const char *body;
    enum fake_end end;
    bool is_idempotent;
    enum status outcome;
} writes[] = {
    {503, "{\"message\":\"etcdserver: request timed out\",\"code\":14}", FAKE_KEEP, true,
     STATUS_OK},
    {503, "{\"message\":\"etcdserver: request timed out\",\"code\":14}", FAKE_KEEP, false,
     STATUS_TIMED_OUT},
    {429, "{\"message\":\"etcdserver: too many requests\",\"code\":8}", FAKE_KEEP, false,
     STATUS_OK},
    {0, NULL, FAKE_CLOSE, true, STATUS_OK},
    {0, NULL, FAKE_CLOSE, false, STATUS_TIMED_OUT},
    {200, "{\"header\":", FAKE_CUT, false, STATUS_TIMED_OUT},
    {0, NULL, FAKE_MUTE, false, STATUS_TIMED_OUT},
    {0, NULL, FAKE_MUTE, true, STATUS_OK},
};

static void a_write_is_repeated_only_where_that_is_harmless(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        const struct fake_row rows[] = {
            {"/version", 200, VERSION34, FAKE_KEEP, 0},
            {"/v3/kv/txn", writes[i].status, writes[i].body, writes[i].end, 1},
            {"/v3/kv/txn", 200, HEADER "\"succeeded\":true}", FAKE_KEEP, 0},
        };
        connect_fake(rows, 3, writes[i].is_idempotent ? 4000 : 1000);
        struct outcome outcome = run_txn((struct kv_txn){.is_idempotent = writes[i].is_idempotent});
        assert_int_equal(outcome.status, writes[i].outcome);
        assert_int_equal(gateway.used[2], writes[i].outcome == STATUS_OK);
        if (outcome.status == STATUS_TIMED_OUT)
            assert_non_null(strstr(outcome.why.text, "unknown"));
        close_fake();
    }
}

#define REAL(test) cmocka_unit_test_setup_teardown(test, open_real, close_real)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL(a_range_comes_in_pages_at_one_revision),
        REAL(a_limit_ends_a_range_in_the_midst_of_its_pages),
        REAL(only_what_has_changed_since_is_read),
        REAL(a_single_key_is_there_or_not),
        REAL(a_transaction_does_one_branch),
        REAL(a_transaction_that_cannot_be_is_refused),
        REAL(a_transaction_beyond_all_bounds_is_told_what_is_wrong),
        REAL(closing_cancels_what_is_under_way),
        cmocka_unit_test(a_range_that_breaks_off_goes_on_behind_the_last_key),
        cmocka_unit_test(a_page_too_large_for_etcd_3_3_is_halved),
        cmocka_unit_test(a_limit_that_is_used_up_stays_one),
        cmocka_unit_test(a_single_key_is_told_once),
        cmocka_unit_test(the_page_behind_a_quick_one_is_larger),
        cmocka_unit_test(a_larger_page_that_comes_late_is_asked_for_in_smaller_ones),
        cmocka_unit_test(a_reply_may_say_what_goes_without_saying),
        cmocka_unit_test(nonsense_is_a_bad_reply),
        cmocka_unit_test(nonsense_is_no_reply_to_a_transaction),
        cmocka_unit_test(a_write_is_repeated_only_where_that_is_harmless),
        cmocka_unit_test(a_write_that_may_not_be_repeated_has_all_its_time),
    };
    return cmocka_run_group_tests(tests, open_server, stop_server);
}
