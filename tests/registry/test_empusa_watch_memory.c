/* What libempusa reads and follows with the n-th allocation failing, for all n: it is told whole, and once, or it is said that
 * there is no memory. */
#include "registry/empusa.h"
#include "support/allocation.h"
#include "support/cli_run.h"

static struct cli_run run;
static unsigned told, ends;

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    fake_store_put(&run.store, "/foo/service/web/a", "{\"location\":\"h:1\",\"txt\":{\"a\":\"b\"}}",
                   0);
    fake_store_put(&run.store, "/foo/service/web/b", "h:2", 0);
    fake_store_put(&run.store, "/foo/switch/f", "on", 0);
    fake_store_put(&run.store, "/foo/switch/g", "off", 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return 0;
}

static void on_service(void *arg, enum empusa_change change, const struct empusa_entry *entry)
{
    (void)arg, (void)entry;
    __atomic_add_fetch(change == EMPUSA_CHANGE_PUT ? &told : &ends, 1, __ATOMIC_SEQ_CST);
}

static void on_switch(void *arg, enum empusa_change change, const struct empusa_switch *of)
{
    (void)arg, (void)of;
    __atomic_add_fetch(change == EMPUSA_CHANGE_PUT ? &told : &ends, 1, __ATOMIC_SEQ_CST);
}

static void on_entry(void *arg, const struct empusa_entry *entry)
{
    (void)arg;
    told += strcmp(entry->type, "web") == 0;
}

static int list(struct empusa *registry)
{
    int code = empusa_service_list(registry, "web", on_entry, NULL);
    assert_int_equal(told, code == EMPUSA_OK ? 2 : 0);
    return code;
}

static int get(struct empusa *registry)
{
    char *value = NULL;
    size_t len = 0;
    int code = empusa_switch_get(registry, "f", &value, &len);
    assert_int_equal(value != NULL, code == EMPUSA_OK);
    assert_true(!value || strcmp(value, "on") == 0);
    free(value);
    return code;
}

/* The watch goes on trying: in the end all of it is told, and nothing twice. */
static int watch(struct empusa *registry, bool is_switch)
{
    struct empusa_watch *watch;
    int code = is_switch ? empusa_switch_watch(registry, NULL, on_switch, NULL, &watch)
                         : empusa_service_watch(registry, "web", on_service, NULL, &watch);
    if (code != EMPUSA_OK)
        return code;
    for (unsigned i = 0; i < 3000 && __atomic_load_n(&ends, __ATOMIC_SEQ_CST) == 0; i++)
        usleep(5000);
    for (unsigned i = 0; i < 3000 && __atomic_load_n(&told, __ATOMIC_SEQ_CST) < 2; i++)
        usleep(5000);
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
    assert_true(ends > 0);
    assert_int_equal(told, 2);
    return code;
}

static int watch_services(struct empusa *registry)
{
    return watch(registry, false);
}

static int watch_switches(struct empusa *registry)
{
    return watch(registry, true);
}

static void it_is_whole_or_it_is_said(void **state)
{
    static int (*const rows[])(struct empusa *) = {list, get, watch_services, watch_switches};
    (void)state;
    cli_run_begin_serving(&run);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_failed = true;
        unsigned n = 0;
        for (; has_failed; n++) {
            struct empusa *registry;
            told = ends = 0;
            assert_int_equal(empusa_open(NULL, &registry), EMPUSA_OK);
            allocation_begin(n);
            int code = rows[i](registry);
            has_failed = allocation_end();
            if (code != EMPUSA_OK && (!has_failed || code != EMPUSA_E_NO_MEMORY))
                fail_msg("row %zu without allocation %u: %d, %s", i, n, code,
                         empusa_error(registry));
            empusa_close(registry);
        }
        assert_true(n > 10);
    }
    cli_run_end_serving(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_whole_or_it_is_said, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
