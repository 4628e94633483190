/* The tree on disk and the zone: each is what the other was. Without etcd: what it would report is said here. */
#include "cli/serve/saved_tree.h"

#include "support/log_lines.h"
#include "support/state_store.h"

#include "zones/view.h"
#include "zones/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RESERVE 65536 /* above what was on disk, for a process that did not end as it should */

static struct {
    struct state_store store;
    struct log_lines lines;
    struct key_root root;
    uv_loop_t loop;
    struct zone *zone;
    struct follow *follow;
    struct saved_tree saved;
    uint64_t age_s;
} run;

static int begin(void **state)
{
    (void)state;
    state_store_begin(&run.store);
    log_lines_init(&run.lines);
    return key_root_parse("/foo", &run.root, NULL) == STATUS_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    state_store_end(&run.store);
    return 0;
}

/* As a process begins; what it loads. */
static enum status start(void)
{
    struct zone_options zone = {
        .domain = "test", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
    struct detail why;
    assert_int_equal(uv_loop_init(&run.loop), 0);
    assert_int_equal(zone_new(&zone, &run.zone, &why), STATUS_OK);
    run.saved = (struct saved_tree){
        .log = &run.lines.log, .root = &run.root, .zone = &run.zone, .follow = &run.follow};
    saved_tree_init(&run.saved, &run.loop);
    assert_int_equal(saved_tree_open(&run.saved, run.store.dir, &why), STATUS_OK);
    enum status status = saved_tree_load(&run.saved, &run.age_s);
    assert_int_equal(saved_tree_start(&run.saved, &why), STATUS_OK);
    return status;
}

static void stop(void)
{
    saved_tree_stop(&run.saved);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&run.loop), 0);
    zone_free(run.zone);
}

static void put(const char *key, const char *value, int64_t revision)
{
    struct kv kv = {.key = key,
                    .key_len = strlen(key),
                    .value = value,
                    .value_len = strlen(value),
                    .mod_revision = revision};
    uint64_t before = zone_change_count(run.zone);
    assert_int_equal(zone_put(run.zone, key + 4, kv.key_len - 4, value, kv.value_len, revision, 0),
                     STATUS_OK);
    saved_tree_put(&run.saved, &kv, zone_change_count(run.zone) != before);
}

static void remove_key(const char *key)
{
    zone_remove(run.zone, key + 4, strlen(key) - 4);
    saved_tree_remove(&run.saved, key, strlen(key));
}

static void load_begin(void)
{
    zone_load_begin(run.zone);
    saved_tree_begin_load(&run.saved);
}

static void load_end(int64_t revision)
{
    zone_load_end(run.zone, saved_tree_on_swept, &run.saved);
    zone_commit(run.zone, revision);
    saved_tree_commit(&run.saved, revision);
}

static void commit(int64_t revision)
{
    zone_commit(run.zone, revision);
    saved_tree_commit(&run.saved, revision);
}

static void assert_zone(uint64_t services, uint64_t switches, int64_t revision)
{
    struct zone_counts counts;
    zone_counts(run.zone, &counts);
    assert_int_equal(counts.services, services);
    assert_int_equal(counts.switches, switches);
    assert_int_equal(counts.revision, revision);
}

static void what_one_process_served_the_next_one_finds(void **state)
{
    (void)state;
    assert_int_equal(start(), STATUS_NOT_FOUND);
    load_begin();
    put("/foo/service/web/a", "10.0.0.1:80", 3);
    put("/foo/service/web/b", "10.0.0.2:80", 4);
    put("/foo/switch/s", "on", 5);
    load_end(7);
    put("/foo/service/web/c", "10.0.0.3:80", 8);
    remove_key("/foo/service/web/a");
    commit(8);
    zone_raise_serial(run.zone, 1000); /* as hosts have it, which come and go without a revision */
    put("/foo/service/web/c", "10.0.0.4:80", 9);
    commit(9);
    stop();
    assert_int_equal(start(), STATUS_OK);
    assert_zone(2, 1, 9);
    assert_int_equal(zone_view(run.zone)->serial, 1001);
    zone_raise_serial(run.zone, 2000); /* before etcd has said anything */
    stop();
    assert_int_equal(start(), STATUS_OK);
    assert_int_equal(zone_view(run.zone)->serial, 2000);
    zone_raise_serial(run.zone, 3000); /* and then a load that is not seen to its end */
    load_begin();
    put("/foo/service/web/b", "10.0.0.2:80", 4);
    stop();
    assert_int_equal(start(), STATUS_OK);
    assert_zone(2, 1, 9);
    assert_int_equal(zone_view(run.zone)->serial, 3000 + RESERVE);
    zone_raise_serial(run.zone, 900000); /* and a group of changes that breaks off */
    remove_key("/foo/service/web/b");
    stop();
    assert_int_equal(start(), STATUS_OK);
    assert_zone(2, 1, 9);
    assert_int_equal(zone_view(run.zone)->serial, 900000 + RESERVE);
    stop();
    assert_int_equal(start(), STATUS_OK);
    assert_int_equal(zone_view(run.zone)->serial, 900000 + RESERVE); /* it has ended well */
    stop();
    assert_non_null(
        strstr(log_lines_take(&run.lines), "the state directory has revision 9, as of "));
}

static void load_one_service(int64_t revision)
{
    load_begin();
    put("/foo/service/web/a", "10.0.0.1:80", 3);
    load_end(revision);
}

/* Others than this tree's keys have changed: then it is no serial of our own, and etcd's servers agree on it. */
static void a_serial_behind_etcds_is_none_of_our_own(void **state)
{
    (void)state;
    start();
    load_one_service(7);
    load_one_service(9);
    load_begin();
    put("/foo/service/web/a", "10.0.0.1:80", 3);
    stop(); /* as if it were killed: what is no whole state is not written down */
    assert_int_equal(start(), STATUS_OK);
    assert_int_equal(zone_view(run.zone)->serial, 9);
    stop();
}

static void what_a_load_sweeps_is_gone_there_too(void **state)
{
    (void)state;
    char longest[4 + 4000 + 1] = "/foo/switch/";
    memset(longest + strlen(longest), 'x', sizeof(longest) - 1 - strlen(longest));
    start();
    load_begin();
    put("/foo/service/web/a", "10.0.0.1:80", 3);
    put("/foo/service/web/b", "10.0.0.2:80", 4);
    put(longest, "on", 5);
    load_end(7);
    stop();
    assert_int_equal(start(), STATUS_OK);
    load_begin();
    put("/foo/service/web/b", "10.0.0.2:80", 4);
    load_end(9);
    assert_zone(1, 0, 9);
    stop();
    assert_int_equal(start(), STATUS_OK);
    struct zone_counts counts;
    zone_counts(run.zone, &counts);
    assert_int_equal(counts.keys, 1);
    stop();
}

/* It is never swept by its name. */
static void a_key_that_can_never_be_served_is_not_kept(void **state)
{
    (void)state;
    static char key[4 + 4096 + 1] = "/foo/switch/";
    struct zone_counts counts;
    memset(key + strlen(key), 'x', sizeof(key) - 1 - strlen(key));
    start();
    load_begin();
    put(key, "on", 3);
    load_end(7);
    stop();
    assert_int_equal(start(), STATUS_OK);
    zone_counts(run.zone, &counts);
    assert_int_equal(counts.keys, 0);
    stop();
}

static void what_is_no_whole_state_is_not_written(void **state)
{
    (void)state;
    start();
    load_one_service(7);
    load_begin();
    put("/foo/service/web/b", "10.0.0.2:80", 8);
    zone_commit(run.zone, 0);
    saved_tree_commit(&run.saved, 0);
    stop();
    /* With the first one, where that was written before; else with nothing. */
    if (start() == STATUS_OK)
        assert_zone(1, 0, 7);
    stop();
}

static void a_damaged_one_leaves_the_zone_empty(void **state)
{
    (void)state;
    size_t len;
    start();
    load_begin();
    for (int i = 0; i < 100; i++) {
        char key[64];
        snprintf(key, sizeof(key), "/foo/service/web/%03d", i);
        put(key, "10.0.0.1:80", 3 + i);
    }
    load_end(700);
    stop();
    char *octets = state_store_slurp(run.store.path, &len);
    char *row = memmem(octets, len, "/foo/service/web/099", 20);
    assert_non_null(row);
    row[19] = '8';
    state_store_spill(run.store.path, octets, len);
    free(octets);
    assert_int_equal(start(), STATUS_NOT_FOUND);
    struct zone_counts counts;
    zone_counts(run.zone, &counts);
    assert_int_equal(counts.keys + counts.services + counts.types + counts.addresses, 0);
    /* And the next load is written whole. */
    load_begin();
    put("/foo/service/web/a", "10.0.0.1:80", 3);
    load_end(701);
    stop();
    assert_int_equal(start(), STATUS_OK);
    assert_zone(1, 0, 701);
    stop();
}

static void a_contact_in_the_future_is_now(void **state)
{
    (void)state;
    struct state_model model = {.mark = state_store_mark(9)};
    for (int64_t late_s = -100; late_s <= 100; late_s += 200) {
        model.mark.contact_s = time(NULL) + late_s;
        state_store_empty(&run.store);
        state_store_write_root(&run.store, "/foo/", &model);
        assert_int_equal(start(), STATUS_OK);
        assert_true(late_s > 0 ? run.age_s == 0 : run.age_s >= 100 && run.age_s < 200);
        stop();
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_process_served_the_next_one_finds),
        TEST(a_serial_behind_etcds_is_none_of_our_own),
        TEST(what_a_load_sweeps_is_gone_there_too),
        TEST(a_key_that_can_never_be_served_is_not_kept),
        TEST(what_is_no_whole_state_is_not_written),
        TEST(a_damaged_one_leaves_the_zone_empty),
        TEST(a_contact_in_the_future_is_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
