/* Following a watch: what its member may do before it is left, and what its store may say before
 * it is loaded again. */

#include "registry/etcd/follow.h"
#include "registry/etcd/follow_state.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define HEADER(cluster, revision, term)                                                            \
    "\"header\":{\"cluster_id\":\"" cluster "\",\"revision\":\"" revision "\",\"raft_term\":"      \
    "\"" term "\"}"
#define CREATED(cluster, revision, term)                                                           \
    "{\"result\":{" HEADER(cluster, revision, term) ",\"created\":true}}\n"
#define GOOD CREATED("1", "7", "2")
#define KV(key, mod)                                                                               \
    "{\"key\":\"" key "\",\"create_revision\":\"5\",\"mod_revision\":\"" mod                       \
    "\",\"version\":\"1\",\"value\":\"Yg==\"}"
#define LINE(events) "{\"result\":{" HEADER("1", "9", "2") ",\"events\":[" events "]}}\n"
#define COMPACTED                                                                                  \
    "{\"result\":{" HEADER("1", "9", "2") ",\"canceled\":true,\"compact_revision\":\"9\"}}\n"
#define RANGE(kvs, count) "{" HEADER("1", "7", "2") ",\"kvs\":[" kvs "],\"count\":\"" count "\"}"
#define LOADED            RANGE(KV("YQ==", "7"), "1")
#define NO_LEADER         "{\"error\":\"e\",\"message\":\"etcdserver: no leader\",\"code\":14}"
#define DENIED            "{\"error\":\"e\",\"message\":\"etcdserver: permission denied\",\"code\":7}"

#define VERSION                                                                                    \
    {                                                                                              \
        "/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0                               \
    }
#define FIRST_LOAD                                                                                 \
    {                                                                                              \
        "/v3/kv/range", 200, LOADED, FAKE_KEEP, 1                                                  \
    }
#define READ(status, body, uses)                                                                   \
    {                                                                                              \
        "/v3/kv/range", status, body, FAKE_KEEP, uses                                              \
    }
#define WATCH(body, uses)                                                                          \
    {                                                                                              \
        "/v3/watch", 200, body, FAKE_CHUNK, uses                                                   \
    }

static struct client_loop client;
static struct fake_gateway gateway;
static struct follow *follow;

static struct {
    unsigned loads, puts, removes, commits, lost;
    int64_t committed, removed_at;
    bool is_live;
    char why[512];
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
    (void)arg, (void)key, (void)key_len;
    owner.removes++;
    owner.removed_at = revision;
}

static void on_load_end(void *arg, int64_t revision)
{
    (void)arg, (void)revision;
}

static void on_commit(void *arg, int64_t revision)
{
    (void)arg;
    owner.commits++;
    owner.committed = revision;
}

static void on_contact(void *arg, bool is_live, const struct detail *why)
{
    (void)arg;
    owner.is_live = is_live;
    owner.lost += !is_live;
    if (!is_live)
        snprintf(owner.why, sizeof(owner.why), "%s", why->text);
}

static const struct follow_events events = {on_load,   on_put,     on_remove, on_load_end,
                                            on_commit, on_contact, NULL};

static void begin_follow(const struct fake_row *rows, size_t count)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, count));
    assert_int_equal(client_loop_connect(&client, gateway.endpoint, (struct etcd_options){0}),
                     STATUS_OK);
    memset(&owner, 0, sizeof(owner));
    assert_int_equal(follow_start(client.etcd, "a", 1, &events, NULL, &follow), STATUS_OK);
}

static void end_follow(void)
{
    follow_stop(follow);
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

#define COUNT(rows)             (sizeof(rows) / sizeof((rows)[0]))
#define UNTIL(condition, limit) assert_true(CLIENT_LOOP_UNTIL(&client, condition, limit))

/* Where the probes of a member whose watch is silent are answered. */
enum { ROW_PROBES = 3 };

static unsigned mute_loads;

/* A read of the whole range has an end, one that only asks whether the member answers has none. */
static void mute_the_first_loads(void *arg, const char *path, const char *body,
                                 struct fake_row *row)
{
    (void)arg;
    bool is_load = strcmp(path, "/v3/kv/range") == 0 && strstr(body, "range_end");
    if (is_load && mute_loads > 0) {
        mute_loads--;
        row->end = FAKE_MUTE;
    }
}

/* Else an etcd that is slow to make up a page would be asked for it again and again. Before each of
 * the later ones it is asked who answers at all. */
static void a_load_that_takes_too_long_gets_twice_the_time(void **state)
{
    enum { MUTE = 5 };
    static const struct fake_row rows[] = {VERSION, WATCH(GOOD, 0), READ(200, LOADED, 0)};
    static const unsigned wanted_ms[MUTE] = {100, 200, 400, 800, 800};
    (void)state;
    mute_loads = MUTE;
    begin_follow(rows, COUNT(rows));
    gateway.decide = mute_the_first_loads;
    follow->load_timeout_ms = 100;
    for (unsigned i = 0; i < MUTE; i++) {
        UNTIL(mute_loads == MUTE - i - 1, 15000);
        const char *limit = strstr(gateway.last_head, "Grpc-Timeout: ");
        assert_non_null(limit);
        assert_in_range(strtoul(limit + strlen("Grpc-Timeout: "), NULL, 10), wanted_ms[i] * 3 / 4,
                        wanted_ms[i]);
    }
    UNTIL(owner.is_live, 15000);
    assert_int_equal(follow->loads_late, 0);
    end_follow();
}

static void a_member_may_fail_two_probes_in_a_row(void **state)
{
    static const struct fake_row rows[] = {VERSION,
                                           WATCH(GOOD, 0),
                                           FIRST_LOAD,
                                           READ(503, NO_LEADER, 2),
                                           READ(200, LOADED, 1),
                                           READ(503, NO_LEADER, 2),
                                           READ(200, LOADED, 0)};
    (void)state;
    begin_follow(rows, COUNT(rows));
    UNTIL(gateway.used[6], 15000);
    client_loop_run_for(&client, 100);
    assert_int_equal(gateway.used[ROW_PROBES] + gateway.used[5], 4);
    assert_int_equal(owner.lost, 0);
    assert_int_equal(gateway.used[1], 1); /* it is the same watch */
    end_follow();
}

static void the_third_failure_of_a_probe_ends_it(void **state)
{
    static const struct fake_row rows[] = {VERSION, WATCH(GOOD, 0), FIRST_LOAD,
                                           READ(503, NO_LEADER, 3), READ(200, LOADED, 0)};
    (void)state;
    begin_follow(rows, COUNT(rows));
    UNTIL(owner.lost, 15000);
    assert_int_equal(gateway.used[ROW_PROBES], 3);
    assert_non_null(strstr(owner.why, "no leader"));
    UNTIL(owner.is_live, 15000);
    assert_int_equal(owner.loads, 1);
    end_follow();
}

/* A role that was withdrawn does not end a running watch. */
static void a_denied_probe_is_an_answer(void **state)
{
    static const struct fake_row rows[] = {VERSION, WATCH(GOOD, 0), FIRST_LOAD,
                                           READ(403, DENIED, 0)};
    (void)state;
    begin_follow(rows, COUNT(rows));
    UNTIL(gateway.used[ROW_PROBES] == 4, 15000);
    assert_int_equal(owner.lost, 0);
    end_follow();
}

static void a_silent_member_is_left_at_once(void **state)
{
    static const struct fake_row rows[] = {
        VERSION, WATCH(GOOD, 0), FIRST_LOAD, {"/v3/kv/range", 200, NULL, FAKE_MUTE, 0}};
    (void)state;
    begin_follow(rows, COUNT(rows));
    UNTIL(gateway.used[ROW_PROBES] == 1, 5000);
    UNTIL(owner.lost, 10000);
    assert_non_null(strstr(owner.why, "no answer in time"));
    end_follow();
}

static struct fake_gateway second;

/* Two members that do the same. */
static void begin_follow_two(const struct fake_row *rows, size_t count)
{
    char list[sizeof(gateway.endpoint) * 2];
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, rows, count));
    assert_true(fake_gateway_start(&second, &client.loop, rows, count));
    snprintf(list, sizeof(list), "%s,%s", gateway.endpoint, second.endpoint);
    assert_int_equal(client_loop_connect(&client, list, (struct etcd_options){0}), STATUS_OK);
    memset(&owner, 0, sizeof(owner));
    assert_int_equal(follow_start(client.etcd, "a", 1, &events, NULL, &follow), STATUS_OK);
}

static void end_follow_two(void)
{
    fake_gateway_stop(&second);
    end_follow();
}

#define BOTH(row) (gateway.used[row] + second.used[row])

/* The one that is watched has used up its only good read; the other has not. It is not waited for as
 * long as for the only one. */
static void a_silent_member_is_left_when_another_answers(void **state)
{
    static const struct fake_row rows[] = {
        VERSION, WATCH(GOOD, 0), FIRST_LOAD, {"/v3/kv/range", 200, NULL, FAKE_MUTE, 0}};
    (void)state;
    begin_follow_two(rows, COUNT(rows));
    UNTIL(BOTH(ROW_PROBES) == 1, 5000);
    uint64_t probed_ms = uv_hrtime() / 1000000;
    UNTIL(owner.lost, 10000);
    uint64_t took_ms = uv_hrtime() / 1000000 - probed_ms;
    if (took_ms >= 1500)
        fail_msg("left after %u ms", (unsigned)took_ms);
    assert_int_equal(gateway.used[2] + second.used[2], 2);
    UNTIL(owner.is_live, 5000);
    assert_int_equal(owner.loads, 1);
    end_follow_two();
}

/* At an election nobody answers: to go elsewhere would be of no use. */
static void a_slow_member_is_not_left_when_no_other_answers(void **state)
{
    static const struct fake_row rows[] = {
        VERSION, WATCH(GOOD, 0), FIRST_LOAD, {"/v3/kv/range", 200, NULL, FAKE_MUTE, 0}};
    (void)state;
    begin_follow_two(rows, COUNT(rows));
    UNTIL(owner.is_live, 5000);
    gateway.used[2] = second.used[2] = 1; /* as if both had been read */
    UNTIL(BOTH(ROW_PROBES) == 2, 5000);
    client_loop_run_for(&client, 1000);
    assert_int_equal(owner.lost, 0);
    UNTIL(owner.lost, 5000);
    end_follow_two();
}

/* Two members whose first watch is never answered: the third is the first one's again. */
static void a_watch_that_is_not_created_is_not_waited_for(void **state)
{
    static const struct fake_row rows[] = {VERSION,
                                           {"/v3/watch", 200, NULL, FAKE_MUTE, 1},
                                           WATCH(GOOD, 0),
                                           FIRST_LOAD,
                                           READ(200, LOADED, 0)};
    (void)state;
    begin_follow_two(rows, COUNT(rows));
    UNTIL(owner.is_live, 9000);
    assert_int_equal(BOTH(1), 2);
    assert_int_equal(owner.loads, 1);
    end_follow_two();
    begin_follow(rows, COUNT(rows)); /* the only member, on another connection */
    UNTIL(gateway.used[1], 5000);
    uint64_t asked_ms = uv_hrtime() / 1000000;
    UNTIL(owner.is_live, 9000);
    if (uv_hrtime() / 1000000 - asked_ms >= 2000)
        fail_msg("it was waited for");
    assert_int_equal(gateway.used[1], 1);
    assert_int_equal(owner.loads, 1);
    end_follow();
}

/* One line of the watch breaks off after its first octets. */
static void a_watch_that_stops_inside_a_line_is_begun_again(void **state)
{
    static const struct fake_row rows[] = {VERSION, WATCH(GOOD "{\"result\":{", 1), WATCH(GOOD, 0),
                                           FIRST_LOAD, READ(200, LOADED, 0)};
    (void)state;
    begin_follow(rows, COUNT(rows));
    UNTIL(owner.is_live, 5000);
    uint64_t begun_ms = uv_hrtime() / 1000000;
    UNTIL(gateway.used[2] && owner.is_live, 10000);
    assert_non_null(strstr(owner.why, "amid an event"));
    if (uv_hrtime() / 1000000 - begun_ms >= 4500)
        fail_msg("it was waited for");
    assert_int_equal(owner.loads, 1);
    end_follow();
}

/* What the member says first of its store, where revision 7 of term 2 was read. */
static void another_store_is_loaded_again(void **state)
{
    static const struct {
        const char *first;
        unsigned loads;
    } cases[] = {
        {CREATED("1", "7", "2"), 1},     {CREATED("1", "9", "3"), 1},
        {CREATED("1", "20007", "2"), 1}, {CREATED("1", "20008", "2"), 2},
        {CREATED("2", "7", "2"), 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_row rows[] = {VERSION, WATCH(cases[i].first, 1), READ(200, LOADED, 0),
                                        WATCH(GOOD, 0)};
        begin_follow(rows, COUNT(rows));
        UNTIL(owner.is_live, 10000);
        client_loop_run_for(&client, 50);
        struct follow_counts facts;
        follow_count(follow, &facts);
        if (owner.loads != cases[i].loads || facts.reloads != cases[i].loads - 1)
            fail_msg("%s: %u loads", cases[i].first, owner.loads);
        end_follow();
    }
}

/* A follower may lag: what it says is no proof, but reason enough to ask through the leader. */
static void a_store_that_is_behind_is_asked(void **state)
{
    static const char *const behind[] = {CREATED("1", "6", "2"), CREATED("1", "7", "1")};
    (void)state;
    for (size_t i = 0; i < COUNT(behind); i++) {
        const struct fake_row rows[] = {VERSION, WATCH(behind[i], 1), FIRST_LOAD,
                                        READ(503, NO_LEADER, 1), READ(200, LOADED, 0)};
        begin_follow(rows, COUNT(rows));
        UNTIL(owner.is_live && gateway.used[3] == 1, 5000);
        UNTIL(gateway.used[4] >= 2, 5000); /* now, and at the newest key's revision */
        client_loop_run_for(&client, 100);
        assert_non_null(strstr(gateway.last_body, "\"revision\":\"7\""));
        assert_int_equal(owner.loads, 1);
        assert_int_equal(owner.lost, 0);
        end_follow();
    }
}

/* How a watch ends, and how often it is begun before all is loaded again. */
static void what_cannot_be_followed_is_loaded(void **state)
{
    static const struct {
        const char *what, *body;
        enum fake_end end;
        unsigned watches, lost;
    } cases[] = {
        {"compacted", GOOD COMPACTED, FAKE_CHUNK, 1, 0},
        {"nonsense", GOOD "{\"result\":7}\n", FAKE_CHUNK, 2, 1},
        {"an event of before", GOOD LINE("{\"kv\":" KV("YWI=", "7") "}"), FAKE_CHUNK, 2, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_row rows[] = {
            VERSION,
            {"/v3/watch", 200, cases[i].body, cases[i].end, cases[i].watches},
            READ(200, LOADED, 0),
            WATCH(GOOD, 0)};
        begin_follow(rows, COUNT(rows));
        UNTIL(gateway.used[3] && owner.is_live, 10000);
        if (owner.loads != 2 || owner.lost != cases[i].lost)
            fail_msg("%s: %u loads, %u times lost", cases[i].what, owner.loads, owner.lost);
        end_follow();
    }
}

/* An end that says nothing of the store is no reason to load. */
static void a_watch_that_ends_is_begun_again(void **state)
{
    static const struct fake_row rows[] = {VERSION,
                                           {"/v3/watch", 200, GOOD, FAKE_EOF, 3},
                                           FIRST_LOAD,
                                           READ(200, LOADED, 0),
                                           WATCH(GOOD, 0)};
    (void)state;
    begin_follow(rows, COUNT(rows));
    UNTIL(gateway.used[4] && owner.is_live, 10000);
    assert_int_equal(owner.loads, 1);
    assert_true(owner.lost >= 1);
    end_follow();
}

static void a_line_is_told_and_committed_at_its_revision(void **state)
{
    static const struct fake_row rows[] = {
        VERSION,
        WATCH(GOOD LINE(
                  "{\"kv\":" KV("YWI=", "8") "},{\"type\":\"DELETE\",\"kv\":" KV("YQ==", "9") "}"),
              0),
        FIRST_LOAD, READ(200, LOADED, 0)};
    (void)state;
    begin_follow(rows, COUNT(rows));
    UNTIL(owner.committed == 9, 5000);
    assert_int_equal(owner.puts, 2);
    assert_int_equal(owner.removes, 1);
    assert_int_equal(owner.removed_at, 9);
    assert_int_equal(owner.commits, 2);
    end_follow();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_that_takes_too_long_gets_twice_the_time),
        cmocka_unit_test(a_member_may_fail_two_probes_in_a_row),
        cmocka_unit_test(the_third_failure_of_a_probe_ends_it),
        cmocka_unit_test(a_denied_probe_is_an_answer),
        cmocka_unit_test(a_silent_member_is_left_at_once),
        cmocka_unit_test(a_silent_member_is_left_when_another_answers),
        cmocka_unit_test(a_slow_member_is_not_left_when_no_other_answers),
        cmocka_unit_test(a_watch_that_is_not_created_is_not_waited_for),
        cmocka_unit_test(a_watch_that_stops_inside_a_line_is_begun_again),
        cmocka_unit_test(another_store_is_loaded_again),
        cmocka_unit_test(a_store_that_is_behind_is_asked),
        cmocka_unit_test(what_cannot_be_followed_is_loaded),
        cmocka_unit_test(a_watch_that_ends_is_begun_again),
        cmocka_unit_test(a_line_is_told_and_committed_at_its_revision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
