/* The proof of a watch, where the second watch or the owner does not do as it might. */
#include "registry/etcd/follow.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define HEADER(cluster, revision)                                                                  \
    "\"header\":{\"cluster_id\":\"" cluster "\",\"revision\":\"" revision "\",\"raft_term\":"      \
    "\"2\"}"
#define CREATED(cluster) "{\"result\":{" HEADER(cluster, "9") ",\"created\":true}}\n"
#define KV(revision)                                                                               \
    "{\"key\":\"YQ==\",\"create_revision\":\"5\",\"mod_revision\":\"" revision                     \
    "\",\"version\":\"1\",\"value\":\"Yg==\"}"
#define RANGE(revision, mod) "{" HEADER("1", revision) ",\"kvs\":[" KV(mod) "],\"count\":\"1\"}"
#define LINE(cluster)        "{\"result\":{" HEADER(cluster, "9") ",\"events\":[{\"kv\":" KV("9") "}]}}\n"

static struct client_loop client;
static struct fake_gateway gateway;
static struct follow *mirror;

static struct owner {
    unsigned loads, puts, commits;
    bool is_live, stops_at_commit, is_stopped;
} owner;

static void on_load(void *arg)
{
    (void)arg;
    assert_false(owner.is_stopped);
    owner.loads++;
}

static void on_put(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    assert_false(owner.is_stopped);
    owner.puts++;
}

static void on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    (void)arg, (void)key, (void)key_len, (void)revision;
    fail();
}

static void on_load_end(void *arg, int64_t revision)
{
    (void)arg, (void)revision;
    assert_false(owner.is_stopped);
}

static void on_commit(void *arg, int64_t revision)
{
    (void)arg, (void)revision;
    assert_false(owner.is_stopped);
    if (++owner.commits < 2 || !owner.stops_at_commit)
        return;
    owner.is_stopped = true;
    follow_stop(mirror);
    mirror = NULL;
}

static void on_contact(void *arg, bool is_live, const struct detail *why)
{
    (void)arg, (void)why;
    assert_false(owner.is_stopped);
    owner.is_live = is_live;
}

static uint64_t on_count(void *arg)
{
    (void)arg;
    assert_false(owner.is_stopped);
    return 1;
}

static const struct follow_events events = {on_load,   on_put,     on_remove, on_load_end,
                                            on_commit, on_contact, on_count};

static const struct follow_events uncounted = {on_load,   on_put,     on_remove, on_load_end,
                                               on_commit, on_contact, NULL};

static void open_mirror(const struct follow_events *told, const struct fake_row *rows, size_t count)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, count));
    assert_int_equal(client_loop_connect(&client, gateway.endpoint, (struct etcd_options){0}),
                     STATUS_OK);
    owner = (struct owner){0};
    assert_int_equal(follow_start(client.etcd, "a", 1, told, NULL, &mirror), STATUS_OK);
    follow_set_proof(mirror, 100, 20000);
    CLIENT_LOOP_UNTIL(&client, owner.is_live, 5000);
    assert_true(owner.is_live);
}

static void close_mirror(void)
{
    follow_stop(mirror);
    mirror = NULL;
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

/* The first watch is made and then silent. */
#define FIRST                                                                                      \
    {"/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0},                                \
        {"/v3/kv/range", 200, RANGE("7", "7"), FAKE_KEEP, 1},                                      \
    {                                                                                              \
        "/v3/watch", 200, CREATED("1"), FAKE_CHUNK, 1                                              \
    }

static void a_second_watch_may_end_while_a_read_is_under_way(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {FIRST,
                                           {"/v3/watch", 200, CREATED("1"), FAKE_EOF, 1},
                                           {"/v3/kv/range", 200, NULL, FAKE_MUTE, 0}};
    open_mirror(&events, rows, 5);
    CLIENT_LOOP_UNTIL(&client, gateway.used[3], 5000);
    CLIENT_LOOP_UNTIL(&client, false, 200);
    assert_int_equal(gateway.used[3], 1);
    assert_int_equal(gateway.used[4], 0); /* the read has ended with it */
    close_mirror();
}

static void what_another_cluster_tells_is_not_told(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {
        FIRST,
        {"/v3/watch", 200, CREATED("2") LINE("2"), FAKE_CHUNK, 1},
        {"/v3/watch", 200, CREATED("1"), FAKE_CHUNK, 0},
        {"/v3/kv/range", 200, RANGE("9", "7"), FAKE_KEEP, 0}};
    open_mirror(&events, rows, 6);
    CLIENT_LOOP_UNTIL(&client, owner.loads == 2, 5000);
    assert_int_equal(owner.loads, 2);
    CLIENT_LOOP_UNTIL(&client, gateway.used[4], 5000);
    assert_int_equal(owner.puts, 2); /* one in each load */
    close_mirror();
}

static void an_owner_may_stop_when_told_to_publish_what_a_read_found(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {FIRST,
                                           {"/v3/watch", 200, CREATED("1"), FAKE_CHUNK, 0},
                                           {"/v3/kv/range", 200, RANGE("9", "8"), FAKE_KEEP, 0}};
    open_mirror(&events, rows, 5);
    owner.stops_at_commit = true;
    CLIENT_LOOP_UNTIL(&client, owner.is_stopped, 15000);
    assert_true(owner.is_stopped);
    assert_int_equal(owner.puts, 2);
    CLIENT_LOOP_UNTIL(&client, false, 100);
    close_mirror();
}

/* As etcd's when it is busy: what came last was told by the first watch alone. Reads do then. */
static void a_second_watch_that_is_behind_makes_no_load(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {
        {"/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0},
        {"/v3/kv/range", 200, RANGE("7", "7"), FAKE_KEEP, 1},
        {"/v3/watch", 200, CREATED("1") LINE("1"), FAKE_CHUNK, 1},
        {"/v3/watch", 200, CREATED("1"), FAKE_CHUNK, 0},
        {"/v3/kv/range", 200, RANGE("9", "9"), FAKE_KEEP, 0}};
    struct follow_counts facts = {0};
    open_mirror(&uncounted, rows, 5);
    CLIENT_LOOP_UNTIL(&client, (follow_count(mirror, &facts), facts.proofs > 0), 20000);
    assert_int_equal(facts.proofs, 1);
    assert_int_equal(facts.repairs, 0);
    assert_int_equal(owner.loads, 1);
    close_mirror();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_watch_may_end_while_a_read_is_under_way),
        cmocka_unit_test(what_another_cluster_tells_is_not_told),
        cmocka_unit_test(an_owner_may_stop_when_told_to_publish_what_a_read_found),
        cmocka_unit_test(a_second_watch_that_is_behind_makes_no_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
