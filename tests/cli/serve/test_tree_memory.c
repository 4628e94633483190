/* The tree that is served, from etcd's answers to those of DNS, with the n-th allocation failing, for all n: what is registered
 * is never denied, and all of it is served in the end. */
#include "cli/serve/tree.h"

#include "cli/serve/xfr_child.h"
#include "support/allocation.h"
#include "support/ask.h"
#include "support/fake_store.h"
#include "zones/store/rcu.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#define PATIENCE_MS 30000
#define NXDOMAIN    3

static const struct log quiet = {0};
static struct fake_store store;
static struct key_root root;
static struct tree tree;
static struct ask ask;

static const struct row {
    const char *key, *value, *name;
    uint16_t type;
} rows[] = {
    {"/foo/service/web/a", "10.0.0.1:80", "a._web._tcp.test.", READ_SRV},
    {"/foo/service/web/b", "{\"location\":\"www:80\",\"txt\":{\"a\":\"b\"},\"subtypes\":[\"s\"]}",
     "_s._sub._web._tcp.test.", READ_PTR},
    {"/foo/switch/x/y", "on", "y.x.switch.test.", READ_TXT},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Put, and taken away, while the watch stands. */
static const struct row late = {"/foo/service/ftp/c", "[fd00::1]:21",
                                "fd00-0-0-0-0-0-0-1.addr.test.", READ_AAAA};

static void on_state(void *arg, enum answer_state state)
{
    (void)arg;
    ask.env.state = state;
}

static void on_ready(void *arg)
{
    (void)arg;
}

static bool has_records(const struct row *row)
{
    bool was_paused = allocation_pause();
    struct ask_query query = ask_query(row->name, row->type);
    ask_send(&ask, &query, QUERY_UDP);
    allocation_resume(was_paused);
    assert_null(ask.fault);
    return ask.result.rcode == 0 && ask.reader.count > 0 && ask.reader.records[0].section == 0;
}

/* Whether it is all there. What is not may fail, but is not denied: with NXDOMAIN, or without a record. */
static bool is_whole(void)
{
    bool is_all = true;
    for (size_t i = 0; i < ROWS; i++) {
        bool is_there = has_records(&rows[i]);
        if (!is_there && (ask.result.rcode == 0 || ask.result.rcode == NXDOMAIN))
            fail_msg("%s: rcode %u", rows[i].name, ask.result.rcode);
        is_all &= is_there;
    }
    return is_all && tree.state == ANSWER_FRESH;
}

/* The same, and that the late one is there, or is not. */
static bool is_as(bool is_late_there)
{
    bool is_all = is_whole();
    bool is_there = has_records(&late);
    return is_all && is_there == is_late_there && (is_there || ask.result.rcode == NXDOMAIN);
}

static void open_all(void)
{
    const struct zone_options options = {
        .domain = "test", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
    assert_true(fake_store_start(&store, 1000));
    for (size_t i = 0; i < ROWS; i++)
        fake_store_put(&store, rows[i].key, rows[i].value, 0);
    ask.env = (struct answer_env){.max_udp_size = 1232};
    tree = (struct tree){.log = &quiet,
                         .root = &root,
                         .stale_limit_ms = 60000,
                         .on_state = on_state,
                         .on_ready = on_ready};
    tree_init(&tree, &store.client.loop);
    assert_int_equal(zone_new(&options, &tree.zone, NULL), STATUS_OK);
    ask.zone = tree.zone;
    assert_int_equal(xfr_child_start(&store.client.loop, tree.zone, &quiet, &tree.transfers),
                     STATUS_OK);
    rcu_retire(malloc(1)); /* with room for more: without, what is retired is lost on purpose */
}

static void close_all(void)
{
    tree_stop(&tree);
    xfr_child_stop(tree.transfers);
    zone_free(tree.zone);
    assert_int_equal(fake_store_stop(&store), 0);
    rcu_barrier_all();
}

/* False: nothing failed. */
static bool load_without(unsigned left)
{
    struct detail why;
    open_all();
    allocation_begin(left);
    enum status status = tree_start(&tree, store.client.etcd, &why);
    if (status == STATUS_OK)
        assert_true(CLIENT_LOOP_UNTIL(&store.client, is_whole(), PATIENCE_MS));
    bool has_failed = allocation_end();
    assert_true(status == STATUS_OK || (has_failed && status == STATUS_NO_MEMORY));
    close_all();
    return has_failed;
}

static void a_load_denies_nothing(void **state)
{
    unsigned n = 0;
    (void)state;
    while (load_without(n))
        n++;
    assert_true(n > 50);
}

/* One tree lives through all of it. */
static void changes_deny_nothing(void **state)
{
    struct detail why;
    (void)state;
    open_all();
    assert_int_equal(tree_start(&tree, store.client.etcd, &why), STATUS_OK);
    assert_true(CLIENT_LOOP_UNTIL(&store.client, is_as(false), PATIENCE_MS));
    for (unsigned i = 0; i < 2; i++) {
        bool has_failed = true, is_there = i == 0;
        for (unsigned n = 0; has_failed; n++) {
            /* What was done without a failure is done again with the next. */
            if ((fake_store_find(&store, late.key) != NULL) == is_there) {
                is_there ? fake_store_delete(&store, late.key)
                         : fake_store_put(&store, late.key, late.value, 0);
                fake_store_tell(&store, store.revision);
                assert_true(CLIENT_LOOP_UNTIL(&store.client, is_as(!is_there), PATIENCE_MS));
            }
            is_there ? fake_store_put(&store, late.key, late.value, 0)
                     : fake_store_delete(&store, late.key);
            allocation_begin(n);
            fake_store_tell(&store, store.revision);
            assert_true(CLIENT_LOOP_UNTIL(&store.client, is_as(is_there), PATIENCE_MS));
            has_failed = allocation_end();
        }
    }
    close_all();
}

static int set_up(void **state)
{
    struct detail why;
    (void)state;
    ask.scratch = answer_scratch_new();
    return key_root_parse("/foo", &root, &why) != STATUS_OK || !ask.scratch;
}

static int tear_down(void **state)
{
    (void)state;
    answer_scratch_free(ask.scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_denies_nothing),
        cmocka_unit_test(changes_deny_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
