/* libempusa whose n-th allocation fails: it says so, or goes on trying, and leaves nothing behind.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. Nothing answers: what is asked of etcd fails anyway. */
#include "registry/empusa.h"
#include "support/allocation.h"

#include <stdarg.h>
#include <stdint.h>

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static const char *const txt[] = {"a=b", "c"};

static void on_service(void *arg, enum empusa_change change, const struct empusa_entry *entry)
{
    (void)arg, (void)change, (void)entry;
}

static void on_entry(void *arg, const struct empusa_entry *entry)
{
    (void)arg, (void)entry;
}

static int open_one(struct empusa **out)
{
    struct empusa_options options;
    empusa_options_init(&options);
    options.endpoints = "127.0.0.1:1";
    options.tree_root = "/r";
    options.user = "me";
    options.password = "secret";
    options.no_environment = 1;
    return empusa_open(&options, out);
}

static void opening_runs_out_of_memory(void **state)
{
    (void)state;
    bool has_failed = true;
    for (unsigned good = 0; has_failed; good++) {
        struct empusa *registry;
        allocation_begin(good);
        int code = open_one(&registry);
        has_failed = allocation_end();
        if (!has_failed)
            assert_int_equal(code, EMPUSA_OK);
        if (code == EMPUSA_OK)
            empusa_close(registry);
        else
            assert_true(code == EMPUSA_E_NO_MEMORY || code == EMPUSA_E_SYSTEM);
    }
}

static int register_one(struct empusa *registry)
{
    struct empusa_service service;
    struct empusa_registration *registration;
    empusa_service_init(&service, "web", "shop", "10.1.2.3:80");
    service.timeout_ms = 0;
    service.txt = txt, service.txt_count = 2;
    int code = empusa_register(registry, &service, &registration);
    if (code == EMPUSA_PENDING) {
        service.txt_count = 1;
        code = empusa_update(registration, &service);
    }
    return code;
}

static int watch_one(struct empusa *registry)
{
    struct empusa_watch *watch;
    int code = empusa_service_watch(registry, "web", on_service, NULL, &watch);
    return code == EMPUSA_OK ? empusa_watch_stop(watch) : code;
}

static int list(struct empusa *registry)
{
    return empusa_service_list(registry, NULL, on_entry, NULL);
}

static void use_runs_out_of_memory(void **state)
{
    (void)state;
    static const struct {
        int (*use)(struct empusa *registry);
        int code; /* with memory */
    } rows[] = {
        {register_one, EMPUSA_PENDING}, {watch_one, EMPUSA_OK}, {list, EMPUSA_E_UNREACHABLE}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_failed = true;
        for (unsigned good = 0; has_failed; good++) {
            struct empusa *registry;
            assert_int_equal(open_one(&registry), EMPUSA_OK);
            allocation_begin(good);
            int code = rows[i].use(registry);
            has_failed = allocation_end();
            if (code != rows[i].code)
                assert_true(has_failed && code == EMPUSA_E_NO_MEMORY);
            empusa_close(registry);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(opening_runs_out_of_memory),
                                       cmocka_unit_test(use_runs_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
