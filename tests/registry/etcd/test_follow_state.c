/* What a follower has told, how it waits after failures, and what it says of them. */
#include "follow_state.h"

#include "support/client_loop.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static struct client_loop client;
static struct follow follow;

static struct {
    unsigned puts, removes, commits, live, lost, rung;
    int64_t committed;
    uint64_t count;
    char why[sizeof(((struct detail *)0)->text)];
} owner;

static void on_put(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    owner.puts++;
}

static void on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    (void)arg, (void)key, (void)key_len, (void)revision;
    owner.removes++;
}

static void on_commit(void *arg, int64_t revision)
{
    (void)arg;
    owner.commits++;
    owner.committed = revision;
}

static void on_connection(void *arg, bool is_live, const struct detail *why)
{
    (void)arg;
    owner.live += is_live;
    owner.lost += !is_live;
    snprintf(owner.why, sizeof(owner.why), "%s", why->text);
}

static uint64_t on_count(void *arg)
{
    (void)arg;
    return owner.count;
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    owner.rung++;
}

static int setup(void **state)
{
    (void)state;
    memset(&owner, 0, sizeof(owner));
    client_loop_open(&client);
    if (client_loop_connect(&client, "127.0.0.1:1", (struct etcd_options){0}) != STATUS_OK)
        return -1;
    follow = (struct follow){
        .etcd = client.etcd,
        .events = {NULL, on_put, on_remove, NULL, on_commit, on_connection, on_count},
        .on_timer = on_timer,
        .member = &client.etcd->members.list[0]};
    buffer_init(&follow.newest_key.key, 100);
    uv_timer_init(&client.loop, &follow.timer);
    return ledger_init(&follow.ledger) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&follow.timer, NULL);
    buffer_clear(&follow.newest_key.key);
    ledger_clear(&follow.ledger);
    return client_loop_close(&client);
}

static void tell(const char *key, int64_t revision, bool is_put)
{
    struct kv kv = {.key = key,
                    .key_len = strlen(key),
                    .value = "v",
                    .value_len = 1,
                    .mod_revision = revision,
                    .create_revision = revision - 1,
                    .version = 2};
    if (is_put)
        follow_state_put(&follow, &kv, LEDGER_FOLLOWED);
    else
        follow_state_remove(&follow, key, strlen(key), revision, LEDGER_FOLLOWED);
}

/* By what was told last a store is known again: see follow_check.h. */
static void the_newest_event_is_the_one_looked_for(void **state)
{
    static const struct {
        const char *key;
        int64_t revision;
        bool is_put;
        char newest;
        int64_t seen;
        bool is_deleted;
    } cases[] = {
        {"b", 10, true, 'b', 10, false}, {"b", 12, false, 'b', 12, true},
        {"c", 11, true, 'b', 12, true},  {"d", 11, false, 'b', 12, true},
        {"e", 12, false, 'e', 12, true}, {"b", 13, true, 'b', 13, false},
        {"f", 12, true, 'b', 13, false}, {"g", 13, true, 'g', 13, false},
    };
    const struct follow_check_newest_key *newest = &follow.newest_key;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tell(cases[i].key, cases[i].revision, cases[i].is_put);
        assert_int_equal(newest->key.len, 1);
        if (newest->key.data[0] != cases[i].newest || newest->mod_revision != cases[i].seen ||
            newest->is_deleted != cases[i].is_deleted)
            fail_msg("after %s at %d: %c at %d", cases[i].key, (int)cases[i].revision,
                     newest->key.data[0], (int)newest->mod_revision);
    }
    assert_int_equal(newest->create_revision, 12);
    assert_int_equal(newest->version, 2);
    assert_int_equal(owner.puts, 5);
    assert_int_equal(owner.removes, 3);
    /* What is old is not told, and what is told again neither. */
    tell("b", 12, true);
    tell("g", 13, true);
    tell("e", 11, false);
    assert_int_equal(owner.puts + owner.removes, 8);
}

static void end_line(int64_t revision)
{
    follow_state_end_line(&follow, LEDGER_FOLLOWED, revision);
}

static void what_was_told_is_committed_once(void **state)
{
    (void)state;
    follow_state_commit(&follow);
    assert_int_equal(owner.commits, 0);
    tell("a", 5, true);
    end_line(7);
    follow_state_commit(&follow);
    assert_int_equal(owner.commits, 1);
    assert_int_equal(owner.committed, 7);
    end_line(6); /* it does not go back */
    assert_int_equal(follow.revision, 7);
    assert_int_equal(follow.newest, 7);
    follow.newest = 20;
    end_line(9);
    assert_int_equal(follow.revision, 9);
    assert_int_equal(follow.newest, 20);
}

/* What stands under one revision is shown as a whole, whichever watch tells the rest of it. */
static void a_part_of_a_line_waits_for_the_rest(void **state)
{
    struct kv kv = {.key = "r", .key_len = 1, .value = "v", .value_len = 1, .mod_revision = 30};
    (void)state;
    end_line(7);
    tell("a", 9, true);
    follow_state_commit(&follow);
    end_line(8); /* a line before that, by another watch */
    assert_int_equal(owner.commits, 0);
    tell("b", 9, false);
    end_line(9);
    assert_int_equal(owner.commits, 1);
    assert_int_equal(owner.committed, 9);
    follow_state_put(&follow, &kv, LEDGER_READ); /* a read brings what was lost, key by key */
    follow_state_commit(&follow);
    assert_int_equal(owner.commits, 2);
}

/* Also what is told late, by the one watch or by the other. */
static void a_part_of_what_was_lost_waits_for_the_rest(void **state)
{
    static const enum ledger_source sources[] = {LEDGER_FOLLOWED, LEDGER_REPLAYED};
    struct kv kv = {.key = "late", .key_len = 4, .value = "v", .value_len = 1};
    struct watch *stands = (struct watch *)&kv; /* not looked into */
    (void)state;
    end_line(9);
    for (size_t i = 0; i < 2; i++) {
        follow.watch = sources[i] == LEDGER_FOLLOWED ? stands : NULL;
        follow.proof.watch = sources[i] == LEDGER_REPLAYED ? stands : NULL;
        kv.mod_revision = 5 + (int64_t)i;
        follow_state_put(&follow, &kv, sources[i]);
        follow_state_commit(&follow);
        assert_int_equal(owner.commits, 2 * i);
        follow_state_end_line(&follow, sources[i], kv.mod_revision);
        assert_int_equal(owner.commits, 2 * i + 1);
        /* A watch that is gone holds nothing up: the next proof finds the rest. */
        kv.mod_revision += 10;
        follow.revision = 30;
        follow_state_put(&follow, &kv, sources[i]);
        follow.watch = follow.proof.watch = NULL;
        follow_state_commit(&follow);
        assert_int_equal(owner.commits, 2 * i + 2);
        kv.key = "later";
        kv.key_len = 5;
    }
}

static void fail_with(enum status status, const char *text)
{
    struct detail why;
    snprintf(why.text, sizeof(why.text), "%s", text);
    follow_state_fail(&follow, status, &why);
}

/* At once the first time, then 0.25 s doubled to 1 s, half of it by chance. */
static void the_pause_after_a_failure_grows(void **state)
{
    static const uint64_t most_ms[] = {0, 250, 500, 1000, 1000, 1000};
    (void)state;
    for (int round = 0; round < 20; round++) {
        follow.failures = 0;
        for (size_t i = 0; i < sizeof(most_ms) / sizeof(most_ms[0]); i++) {
            fail_with(STATUS_UNREACHABLE, "gone");
            assert_int_equal(follow.failures, i + 1);
            assert_int_equal(follow.state, FOLLOW_PAUSED);
            assert_in_range(uv_timer_get_due_in(&follow.timer), most_ms[i] / 2, most_ms[i] + 1);
        }
    }
}

/* Two that alternate are told once each, eight at most, until contact is made again. */
static void each_reason_of_an_outage_is_told_once(void **state)
{
    (void)state;
    follow_state_set_live(&follow);
    follow_state_set_live(&follow);
    assert_int_equal(owner.live, 1);
    for (int i = 0; i < 5; i++) {
        fail_with(STATUS_UNREACHABLE, "one");
        fail_with(STATUS_UNREACHABLE, "another");
    }
    assert_int_equal(owner.lost, 2);
    assert_string_equal(owner.why, "another");
    for (int i = 0; i < 20; i++) {
        char text[2] = {(char)('a' + i), '\0'};
        fail_with(STATUS_UNREACHABLE, text);
    }
    assert_int_equal(owner.lost, FOLLOW_REASONS_MAX);
    /* That access is denied now, or no longer, is always news. */
    fail_with(STATUS_DENIED, "denied");
    fail_with(STATUS_DENIED, "denied");
    assert_int_equal(owner.lost, FOLLOW_REASONS_MAX + 1);
    assert_int_equal(follow.lost_status, STATUS_DENIED);
    fail_with(STATUS_UNREACHABLE, "one");
    assert_int_equal(owner.lost, FOLLOW_REASONS_MAX + 2);
    follow_state_set_live(&follow);
    assert_int_equal(owner.live, 2);
    fail_with(STATUS_UNREACHABLE, "one");
    assert_int_equal(owner.lost, FOLLOW_REASONS_MAX + 3);
}

static void loads_begin_a_second_apart(void **state)
{
    (void)state;
    while (follow_state_now_ms(&follow) < 2000) /* of a machine that has just been started */
        client_loop_run_for(&client, 200);
    uint64_t now_ms = follow_state_now_ms(&follow);
    follow.load_began_ms = now_ms - 1000;
    follow_state_reload(&follow, "why not");
    assert_true(follow.needs_load);
    assert_int_equal(follow.facts.reloads, 1);
    assert_int_equal(uv_timer_get_due_in(&follow.timer), 0);
    follow.load_began_ms = now_ms - 999;
    follow_state_reload(&follow, "why not");
    assert_int_equal(uv_timer_get_due_in(&follow.timer), 1000);
    assert_int_equal(follow.facts.reloads, 2);
    assert_int_equal(owner.lost, 0);
}

/* Others go first for a while, and what was followed there is checked. */
static void a_member_that_is_left_is_no_good_for_a_while(void **state)
{
    (void)state;
    uint64_t now_ms = follow_state_now_ms(&follow);
    follow_state_abandon_member(&follow, STATUS_TIMED_OUT, &(struct detail){"no answer in time"});
    assert_true(follow.needs_check);
    assert_in_range(follow.member->pause_until_ms, now_ms + 100, now_ms + 300);
    assert_string_equal(follow.member->reason, "no answer in time");
    assert_int_equal(owner.lost, 1);
    assert_string_equal(owner.why, "no answer in time");
}

static void a_few_keys_may_all_be_looked_at(void **state)
{
    (void)state;
    follow.proving.read_max = 100;
    owner.count = 100;
    assert_true(follow_state_is_small(&follow));
    owner.count = 101;
    assert_false(follow_state_is_small(&follow));
    follow.events.count = NULL;
    assert_false(follow_state_is_small(&follow));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_newest_event_is_the_one_looked_for),
        TEST(what_was_told_is_committed_once),
        TEST(a_part_of_what_was_lost_waits_for_the_rest),
        TEST(a_part_of_a_line_waits_for_the_rest),
        TEST(the_pause_after_a_failure_grows),
        TEST(each_reason_of_an_outage_is_told_once),
        TEST(loads_begin_a_second_apart),
        TEST(a_member_that_is_left_is_no_good_for_a_while),
        TEST(a_few_keys_may_all_be_looked_at),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
