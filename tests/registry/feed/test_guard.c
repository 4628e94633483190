#include "registry/feed/guard.h"
#include "registry/lease_id.h"
#include "support/fake_etcd.h"
#include "support/guard_world.h"

#define NO_TYPE 2

static void a_load_is_judged_like_a_watch(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20}, {20000, MISS, 0, 20}, {30000, LOAD, 0, 0},   {30001, SHOWN, 0, 20},
        {30001, HELD, 0, 20}, {40000, LOAD, 0, 0},  {40001, SHOWN, 0, 20}, {89000, SHOWN, 0, 20},
        {91000, SHOWN, 0, 0}, {0, END, 0, 0},
    };
    static const struct guard_world_row on_purpose[] = {
        {0, REGISTER, 0, 20}, {20000, MISS_DELETED, 0, 20}, {25000, LOAD, 0, 0},
        {25001, SHOWN, 0, 0}, {25001, HELD, 0, 0},          {0, END, 0, 0},
    };
    static const struct guard_world_row few[] = {
        {0, REGISTER, 0, 20},  {20000, MISS, 0, 10}, {30000, LOAD, 0, 0},
        {30001, SHOWN, 0, 10}, {30001, HELD, 0, 0},  {0, END, 0, 0},
    };
    static const struct guard_world_row *const all[] = {rows, on_purpose, few};
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        guard_world_play(all[i]);
        guard_world_close();
        guard_world_setup(NULL);
    }
}

/* Between load_begin and load_end nothing of the held vanishes; a load begun anew makes no difference. */
static void a_load_that_is_broken_off_is_begun_anew(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},
        {20000, EXPIRE, 0, 20},
        {20001, HELD, 0, 20},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
    guard_world_load_broken_off();
    fake_run_for(1000);
    guard_world_load_broken_off();
    assert_int_equal(guard_world_shown(0), 20);
    fake_run_for(GUARD_WORLD_HOLD_MS);
    assert_int_equal(guard_world_shown(0), 20); /* it waits for the load to end */
    guard_world_load_for(5000);
    assert_int_equal(guard_world_shown(0), 20);
    fake_run_for(1000);
    assert_int_equal(guard_world_shown(0), 0);
}

static void a_load_that_finds_held_ones_again_returns_them(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},
        {20000, EXPIRE, 0, 20},
        {20001, HELD, 0, 20},
        {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
    for (unsigned i = 0; i < 15; i++) { /* written while the watch was lost */
        guard_world.instances[0][i].is_there = true;
        guard_world.instances[0][i].revision = ++guard_world.revision;
    }
    guard_world_load();
    assert_int_equal(guard_world_counts().held, 5);
    assert_int_equal(guard_world_shown(0), 20);
    fake_run_for(GUARD_WORLD_HOLD_MS + 1000);
    assert_int_equal(guard_world_shown(0), 15);
}

/* Nobody knows who has come back meanwhile. */
static void no_hold_ends_without_contact(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},     {20000, EXPIRE, 0, 20},  {70000, OUTAGE, 0, 0},
        {100000, SHOWN, 0, 20},   {100000, CONTACT, 0, 0}, {101000, SHOWN, 0, 20},
        {101500, REGISTER, 0, 5}, {103000, SHOWN, 0, 5},   {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

static void types_are_judged_apart(void **state)
{
    (void)state;
    guard_world_register(0, 0, 20);
    guard_world_register(1, 0, 1000);
    guard_world_load();
    fake_run_for(20000);
    guard_world_expire(0, 0, 20);
    guard_world_expire(1, 0, 100);
    fake_settle();
    assert_int_equal(guard_world_shown(0), 20);
    assert_int_equal(guard_world_shown(1), 900);
    assert_int_equal(guard_world_shown(NO_TYPE), 0);
}

static void other_keys_pass_through(void **state)
{
    static const struct kv odd[] = {
        {.key = "/foo/switch/x",
         .key_len = 13,
         .value = "on",
         .value_len = 2,
         .mod_revision = 5,
         .lease = 7},
        {.key = "/foo/service/", .key_len = 13, .value = "", .mod_revision = 5, .lease = 7},
        {.key = "/fo", .key_len = 3, .value = "", .mod_revision = 5, .lease = 7},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++)
        guard_events.put(guard_world.guard, &odd[i]);
    assert_int_equal(guard_world.others, 3);
    for (size_t i = 0; i < 3; i++)
        guard_events.remove(guard_world.guard, odd[i].key, odd[i].key_len, 6);
    assert_int_equal(guard_world.others, 0);
    guard_events.remove(guard_world.guard, "/foo/service/a/never", 20,
                        7); /* that was never reported */
    assert_int_equal(guard_world.removes, 4);
}

/* Registered again and deleted while nobody looked: what is told is that it is gone. */
static void a_removal_of_a_held_one_lets_it_go(void **state)
{
    static const struct guard_world_row rows[] = {
        {0, REGISTER, 0, 20},  {20000, EXPIRE, 0, 20}, {20001, HELD, 0, 20}, {20002, DELETE, 3, 1},
        {20003, SHOWN, 0, 19}, {20003, HELD, 0, 19},   {0, END, 0, 0},
    };
    (void)state;
    guard_world_play(rows);
}

/* What the owner was told is one state of the store, whenever it is told so. */
static void changes_of_its_own_are_committed_at_the_last_revision(void **state)
{
    (void)state;
    guard_world_register(0, 0, 20);
    guard_world_load();
    fake_run_for(20000);
    guard_world_expire(0, 0, 20);
    unsigned commits = guard_world.commits;
    fake_settle();
    assert_true(guard_world.commits > commits);
    assert_int_equal(guard_world.committed, guard_world.revision);
    commits = guard_world.commits;
    /* A line of the watch has begun: the store is in the middle of a change. */
    guard_events.put(
        guard_world.guard,
        &(struct kv){.key = "/foo/switch/x", .key_len = 13, .value = "", .mod_revision = 99});
    fake_run_for(GUARD_WORLD_HOLD_MS + 1000);
    assert_int_equal(guard_world.commits, commits);
    guard_events.commit(guard_world.guard, 99);
    assert_int_equal(guard_world.commits, commits + 1);
}

static void a_value_that_is_no_entry_is_not_copied(void **state)
{
    static char large[70000];
    struct kv kv = {.key = "/foo/service/a/i0",
                    .key_len = 17,
                    .value = large,
                    .value_len = sizeof(large),
                    .mod_revision = 3,
                    .lease = 7};
    (void)state;
    guard_events.put(guard_world.guard, &kv);
    guard_events.remove(guard_world.guard, kv.key, kv.key_len, 4);
    assert_int_equal(guard_world.removes, 1);
    assert_int_equal(guard_world_counts().held, 0);
}

/* What the owner has of an earlier process is what there was: a load that misses it is judged by that,
 * and not by what else comes with the load. */
static void what_is_known_beforehand_counts_like_a_load(void **state)
{
    enum { KNOWN = 20, NEW = 100 };
    static const struct {
        bool is_forgotten;
        unsigned shown;
    } rows[] = {{false, KNOWN + NEW}, {true, NEW}};
    (void)state;
    for (size_t row = 0; row < 2; row++) {
        for (unsigned i = 0; i < KNOWN; i++) {
            char key[32];
            struct kv kv = {.key = key, .value = "10.0.0.1:1", .value_len = 10, .lease = 1000 + i};
            kv.key_len = (size_t)snprintf(key, sizeof(key), "/foo/service/a/i%u", i);
            guard_know(guard_world.guard, &kv);
        }
        for (unsigned i = KNOWN; i < KNOWN + NEW; i++)
            guard_world.instances[0][i].is_there = true;
        if (rows[row].is_forgotten)
            guard_forget(guard_world.guard);
        guard_world_load();
        fake_settle();
        assert_int_equal(guard_world_shown(0), rows[row].shown);
        guard_world_close();
        guard_world_setup(NULL);
    }
}

/* Whatever else has come back or is new since, and although those that are missing are no large share. */
static void what_an_earlier_process_held_is_held_again(void **state)
{
    enum { HELD_BEFORE = 20, BACK = 4, NEW = 5 };
    (void)state;
    for (unsigned i = 0; i < HELD_BEFORE; i++) {
        char key[32];
        struct kv kv = {
            .key = key, .value = "10.0.0.1:1", .value_len = 10, .lease = lease_id_of_held(10)};
        kv.key_len = (size_t)snprintf(key, sizeof(key), "/foo/service/a/i%u", i);
        guard_know(guard_world.guard, &kv);
    }
    for (unsigned i = HELD_BEFORE - BACK; i < HELD_BEFORE + NEW; i++)
        guard_world.instances[0][i].is_there = true;
    guard_world_load();
    fake_settle();
    assert_int_equal(guard_world_shown(0), HELD_BEFORE + NEW);
    assert_int_equal(guard_world_shown_short(0), HELD_BEFORE - BACK);
    assert_int_equal(guard_world_counts().held, HELD_BEFORE - BACK);
    assert_int_equal(guard_world_counts().holds, 1);
    assert_int_equal(guard_world_asked(), 0);
    assert_non_null(strstr(guard_world.log, "16 instances that were held before the restart"));
    guard_world.instances[0][0].is_there = true;
    guard_world_load();
    assert_int_equal(guard_world_counts().returned, 1);
    fake_run_for(GUARD_WORLD_HOLD_MS + 1000);
    assert_int_equal(guard_world_shown(0), BACK + NEW + 1);
    assert_int_equal(guard_world_counts().held, 0);
}

static void without_a_guard_all_goes_at_once(void **state)
{
    (void)state;
    guard_world_close();
    guard_world_open(0, 0);
    guard_world_register(0, 0, 20);
    guard_world_load();
    guard_world_expire(0, 0, 20);
    assert_int_equal(guard_world_shown(0), 0);
    assert_int_equal(guard_world_asked(), 0);
}

int main(void)
{
#define TEST GUARD_WORLD_TEST
    const struct CMUnitTest tests[] = {
        TEST(a_load_is_judged_like_a_watch),
        TEST(a_load_that_is_broken_off_is_begun_anew),
        TEST(a_load_that_finds_held_ones_again_returns_them),
        TEST(no_hold_ends_without_contact),
        TEST(types_are_judged_apart),
        TEST(other_keys_pass_through),
        TEST(a_removal_of_a_held_one_lets_it_go),
        TEST(changes_of_its_own_are_committed_at_the_last_revision),
        TEST(a_value_that_is_no_entry_is_not_copied),
        TEST(what_is_known_beforehand_counts_like_a_load),
        GUARD_WORLD_TEST(what_an_earlier_process_held_is_held_again),
        TEST(without_a_guard_all_goes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
