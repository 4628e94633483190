/* When a watch is proven, by which member, and what comes of it. */

#include "follow.h"
#include "follow_state.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define HEADER(revision)                                                                           \
    "\"header\":{\"cluster_id\":\"1\",\"revision\":\"" revision "\",\"raft_term\":\"2\"}"
#define CREATED "{\"result\":{" HEADER("9") ",\"created\":true}}\n"
#define KV(mod)                                                                                    \
    "{\"key\":\"YQ==\",\"create_revision\":\"5\",\"mod_revision\":\"" mod                          \
    "\",\"version\":\"1\",\"value\":\"Yg==\"}"
#define LINE                 "{\"result\":{" HEADER("9") ",\"events\":[{\"kv\":" KV("9") "}]}}\n"
#define NEXT                 "{\"result\":{" HEADER("10") ",\"events\":[{\"kv\":" KV("10") "}]}}\n"
#define RANGE(revision, mod) "{" HEADER(revision) ",\"kvs\":[" KV(mod) "],\"count\":\"1\"}"
#define VERSION                                                                                    \
    {                                                                                              \
        "/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0                               \
    }
#define LOAD                                                                                       \
    {                                                                                              \
        "/v3/kv/range", 200, RANGE("7", "7"), FAKE_KEEP, 1                                         \
    }
#define READ(mod)                                                                                  \
    {                                                                                              \
        "/v3/kv/range", 200, RANGE("9", mod), FAKE_KEEP, 0                                         \
    }
#define READ_OF(revision, uses)                                                                    \
    {                                                                                              \
        "/v3/kv/range", 200, RANGE(revision, "7"), FAKE_KEEP, uses                                 \
    }
#define WATCH(body, uses)                                                                          \
    {                                                                                              \
        "/v3/watch", 200, body, FAKE_CHUNK, uses                                                   \
    }
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct client_loop client;
static struct fake_gateway gateways[2];
static struct follow *follow;

static struct {
    unsigned loads, puts, commits, warnings;
    bool is_live;
    char warning[256];
} owner;

static void on_load(void *arg)
{
    (void)arg;
    owner.loads++;
}

static void on_put(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    owner.puts++;
}

static void on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    (void)arg, (void)key, (void)key_len, (void)revision;
    fail();
}

static void on_revision(void *arg, int64_t revision)
{
    (void)arg, (void)revision;
    owner.commits++;
}

static void on_connection(void *arg, bool is_live, const struct detail *why)
{
    (void)arg, (void)why;
    owner.is_live = is_live;
}

static const struct follow_events events = {on_load,     on_put,        on_remove, on_revision,
                                            on_revision, on_connection, NULL};

static void on_log(void *arg, enum log_level level, const char *kind, const char *text)
{
    (void)arg, (void)kind;
    if (level != LOG_LEVEL_WARNING)
        return;
    owner.warnings++;
    snprintf(owner.warning, sizeof(owner.warning), "%s", text);
}

/* Live on the first of these; proven every 100 ms if it is to be. */
static void begin(const struct fake_row *first, size_t first_count, const struct fake_row *second,
                  size_t second_count, uint32_t every_ms)
{
    char list[80];
    memset(&owner, 0, sizeof(owner));
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateways[0], &client.loop, first, first_count));
    assert_true(fake_gateway_start(&gateways[1], &client.loop, second, second_count));
    snprintf(list, sizeof(list), second ? "%s,%s" : "%s", gateways[0].endpoint,
             gateways[1].endpoint);
    assert_int_equal(
        client_loop_connect(&client, list, (struct etcd_options){.log = {.write = on_log}}),
        STATUS_OK);
    struct member_set *members = &client.etcd->members;
    for (size_t i = 0; i < members->count; i++)
        if (strstr(members->list[i].endpoint.url, gateways[0].endpoint))
            members->current = i;
    assert_int_equal(follow_start(client.etcd, "a", 1, &events, NULL, &follow), STATUS_OK);
    follow_set_proof(follow, every_ms, 20000);
    assert_true(CLIENT_LOOP_UNTIL(&client, owner.is_live, 5000));
}

static void end(void)
{
    follow_stop(follow);
    client_loop_close_client(&client);
    fake_gateway_stop(&gateways[0]);
    fake_gateway_stop(&gateways[1]);
    assert_int_equal(client_loop_close(&client), 0);
}

static struct follow_counts counted(void)
{
    struct follow_counts out;
    follow_count(follow, &out);
    return out;
}

/* The second watch has told what the first has lost: late is better than never. */
static void what_a_watch_has_lost_is_told_late(void **state)
{
    static const struct fake_row rows[] = {VERSION, LOAD, WATCH(CREATED, 1), WATCH(CREATED LINE, 0),
                                           READ("9")};
    (void)state;
    begin(rows, COUNT(rows), NULL, 0, 100);
    assert_true(CLIENT_LOOP_UNTIL(&client, counted().proofs, 10000));
    assert_int_equal(counted().repairs, 1);
    assert_int_equal(owner.puts, 2);
    assert_int_equal(owner.loads, 1);
    assert_int_equal(owner.warnings, 1);
    assert_string_equal(owner.warning, "the watch of etcd had lost 1 event; mended");
    assert_true(owner.is_live);
    end();
}

static void a_watch_that_is_right_is_proven_again_and_again(void **state)
{
    static const struct fake_row rows[] = {
        VERSION,           LOAD,     WATCH(CREATED LINE, 1), WATCH(CREATED LINE, 1),
        WATCH(CREATED, 0), READ("9")};
    (void)state;
    begin(rows, COUNT(rows), NULL, 0, 100);
    assert_true(CLIENT_LOOP_UNTIL(&client, counted().proofs >= 2, 15000));
    assert_int_equal(counted().repairs, 0);
    assert_int_equal(owner.puts, 2); /* nothing twice */
    assert_int_equal(owner.warnings, 0);
    assert_int_equal(owner.loads, 1);
    end();
}

/* While the store stands still, each probe proves that nothing is missing; when it goes on, for
 * whichever key, the next proof does, and as of when it asked. */
static void what_is_proven_is_told_with_its_time(void **state)
{
    static const struct fake_row rows[] = {VERSION, LOAD, WATCH(CREATED, 0), READ_OF("7", 1),
                                           READ_OF("9", 0)};
    (void)state;
    uint64_t began_ms = uv_hrtime() / 1000000;
    begin(rows, COUNT(rows), NULL, 0, 4000);
    struct follow_counts loaded = counted();
    assert_int_equal(loaded.loads, 1);
    assert_int_equal(loaded.newest, 7);
    assert_int_equal(loaded.proven, 7);
    assert_in_range(loaded.proven_ms, began_ms, uv_now(&client.loop));
    assert_true(CLIENT_LOOP_UNTIL(&client, counted().proven_ms > loaded.proven_ms, 10000));
    assert_int_equal(counted().proofs, 0);
    uint64_t probed_ms = counted().proven_ms;
    assert_true(CLIENT_LOOP_UNTIL(&client, counted().newest == 9, 10000));
    assert_int_equal(counted().proven, 7);
    assert_int_equal(counted().proven_ms, probed_ms);
    assert_true(CLIENT_LOOP_UNTIL(&client, counted().proofs, 20000));
    assert_int_equal(counted().proven, 9);
    assert_in_range(counted().proven_ms, probed_ms + 1,
                    uv_now(&client.loop) - 1000); /* it settled */
    assert_int_equal(counted().outages, 0);
    end();
}

static void members_are_counted(void **state)
{
    static const struct fake_row rows[] = {VERSION, LOAD, WATCH(CREATED, 1), WATCH(CREATED, 0),
                                           READ("7")};
    struct follow_member members[ENDPOINT_LIST_MAX];
    (void)state;
    begin(rows, COUNT(rows), NULL, 0, 60000);
    assert_int_equal(follow_members(follow, members), 1);
    assert_string_equal(members[0].name,
                        strstr(client.etcd->members.list[0].endpoint.url, "://") + 3);
    assert_int_equal(members[0].watches, 1);
    assert_int_equal(members[0].failures, 0);
    assert_true(members[0].is_watched);
    follow_state_abandon_member(follow, STATUS_UNREACHABLE, &(struct detail){"gone"});
    assert_int_equal(follow_members(follow, members), 1);
    assert_int_equal(members[0].failures, 1);
    assert_false(members[0].is_watched);
    assert_int_equal(counted().outages, 1);
    assert_true(CLIENT_LOOP_UNTIL(&client, owner.is_live, 5000));
    assert_int_equal(follow_members(follow, members), 1);
    assert_int_equal(members[0].watches, 2);
    assert_true(members[0].is_watched);
    end();
}

/* Another member than the one that is watched, and from then on that one is followed. */
static void another_member_gives_evidence(void **state)
{
    static const struct fake_row first[] = {VERSION, LOAD, WATCH(CREATED, 0), READ("7")};
    static const struct fake_row second[] = {VERSION, WATCH(CREATED, 0), READ("7")};
    (void)state;
    begin(first, COUNT(first), second, COUNT(second), 100);
    const struct member *watched = follow->member;
    assert_true(CLIENT_LOOP_UNTIL(&client, counted().proofs, 10000));
    assert_int_equal(gateways[0].used[2], 1);
    assert_int_equal(gateways[1].used[1], 1);
    assert_ptr_not_equal(follow->member, watched);
    assert_true(owner.is_live);
    fake_gateway_go_on(&gateways[1], NEXT);
    assert_true(CLIENT_LOOP_UNTIL(&client, owner.puts == 2, 5000));
    end();
}

/* One that has just failed is not asked: then the same member must do. */
static void a_member_that_pauses_gives_none(void **state)
{
    static const struct fake_row first[] = {VERSION, LOAD, WATCH(CREATED, 0), READ("7")};
    static const struct fake_row second[] = {VERSION, WATCH(CREATED, 0), READ("7")};
    (void)state;
    begin(first, COUNT(first), second, COUNT(second), 1000);
    struct member_set *members = &client.etcd->members;
    struct member *other = follow->member == members->list ? members->list + 1 : members->list;
    other->pause_until_ms = follow_state_now_ms(follow) + 60000;
    assert_true(CLIENT_LOOP_UNTIL(&client, counted().proofs, 10000));
    assert_int_equal(gateways[0].used[2], 2);
    assert_int_equal(gateways[1].used[1], 0);
    end();
}

/* In its time, or when so much has changed that it could not be told apart later. */
static void a_proof_is_due_in_time_or_early(void **state)
{
    static const struct fake_row rows[] = {VERSION, LOAD, WATCH(CREATED, 0), READ("7")};
    static const struct {
        const char *what;
        int64_t due_ms, done_ms; /* from now */
        int64_t changes;
        unsigned failures, doubts;
        bool is_due;
    } cases[] = {
        {"too soon", 1, -20000, 0, 0, 0, false},
        {"in time", 0, 0, 0, 0, 0, true},
        {"some changes", 1, -20000, 9999, 0, 0, false},
        {"many", 1, -5000, 10000, 0, 0, true},
        {"many, but lately proven", 1, -4999, 10000, 0, 0, false},
        {"many, but it failed", 1, -20000, 10000, 1, 0, false},
        {"many, but it was doubtful", 1, -20000, 10000, 0, 1, false},
        {"it failed, and it is time", 0, -20000, 10000, 1, 1, true},
    };
    (void)state;
    begin(rows, COUNT(rows), NULL, 0, 60000);
    while (follow_state_now_ms(follow) < 30000) /* of a machine that has just been started */
        client_loop_run_for(&client, 1000);
    uint64_t now_ms = follow_state_now_ms(follow); /* it stands still below */
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct follow_proving *proving = &follow->proving;
        proving->due_ms = (uint64_t)((int64_t)now_ms + cases[i].due_ms);
        proving->done_ms = (uint64_t)((int64_t)now_ms + cases[i].done_ms);
        proving->failures = cases[i].failures;
        proving->doubts = cases[i].doubts;
        follow->newest = ledger_start(&follow->ledger) + cases[i].changes;
        if (follow_prove_is_due(follow) != cases[i].is_due)
            fail_msg("%s", cases[i].what);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_watch_has_lost_is_told_late),
        cmocka_unit_test(a_watch_that_is_right_is_proven_again_and_again),
        cmocka_unit_test(what_is_proven_is_told_with_its_time),
        cmocka_unit_test(members_are_counted),
        cmocka_unit_test(another_member_gives_evidence),
        cmocka_unit_test(a_member_that_pauses_gives_none),
        cmocka_unit_test(a_proof_is_due_in_time_or_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
