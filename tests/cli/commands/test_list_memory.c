/* Lists whose n-th allocation fails, for all n: they are whole, or it is said that they are not. */
#include "support/allocation.h"
#include "support/cli_run.h"

#define ENTRY        "{\"location\":\"h:2\",\"weight\":0}"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct cli_run run;

static int set_up(void **state)
{
    (void)state;
    cli_run_open(&run);
    fake_store_add_lease(&run.store, 5, 60, 30);
    fake_store_put(&run.store, "/foo/service/http/a", "10.1.2.3:80", 5);
    fake_store_put(&run.store, "/foo/service/http/b", ENTRY, 0);
    setenv("EMPUSA_ETCD_TIMEOUT", "1", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_run_close(&run);
    return 0;
}

static char *copy(const char *text)
{
    char *made = allocation_exempt(strlen(text) + 1);
    return strcpy(made, text);
}

/* False: nothing failed. is_told: it was said that there is no memory. */
static bool list_without(unsigned left, const char *line, const char *whole, bool *is_told)
{
    allocation_begin(left);
    int exit_status = cli_run(&run, line);
    bool has_failed = allocation_end();
    const char *error = strstr(run.err, "ERROR:root:");
    if (exit_status == 0 ? strcmp(run.out, whole) != 0 || error : !has_failed || !error)
        fail_msg("%s without allocation %u: %d\n%s%s", line, left, exit_status, run.out, run.err);
    *is_told |= exit_status == 1 && strstr(run.err, "out of memory\n");
    return has_failed;
}

static void a_list_without_memory_is_whole_or_it_is_said(void **state)
{
    static const char *const lines[] = {"service list", "service list --format json"};
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        bool is_told = false;
        assert_int_equal(cli_run(&run, lines[i]), 0);
        char *whole = copy(run.out);
        for (unsigned n = 0; list_without(n, lines[i], whole, &is_told);)
            n++;
        free(whole);
        assert_true(is_told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_without_memory_is_whole_or_it_is_said, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
