/* What serve is told, where the n-th allocation fails, for all n. */
#include "cli/serve/serve_options.h"
#include "support/allocation.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

static struct options options;

static void set(enum option_id id, const char *text)
{
    assert_int_equal(options_set(&options, id, text, NULL), STATUS_OK);
}

/* False: nothing failed. */
static bool read_without(unsigned left)
{
    static struct serve_options out;
    struct detail why = {""};
    allocation_begin(left);
    enum status status = serve_options_read(&options, OPTION_LISTEN, &out, &why);
    bool has_failed = allocation_end();
    assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
    assert_string_equal(why.text, has_failed ? status_text(STATUS_NO_MEMORY) : "");
    if (!has_failed)
        assert_int_equal(out.zone.host_count, 2);
    serve_options_clear(&out);
    return has_failed;
}

static void rows_that_cannot_be_kept_are_no_fault_of_their_option(void **state)
{
    (void)state;
    set(OPTION_LISTEN, "127.0.0.1:0");
    set(OPTION_DOMAIN, "z");
    set(OPTION_HOST, "a=10.0.0.1,b=10.0.0.2");
    set(OPTION_NS, "n=10.0.0.1");
    unsigned n = 0;
    while (read_without(n))
        n++;
    assert_int_equal(n, 3);             /* one a row */
    options_unset(&options, OPTION_NS); /* ns.<zone> */
    for (n = 0; read_without(n);)
        n++;
    assert_int_equal(n, 3);
    options_clear(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_cannot_be_kept_are_no_fault_of_their_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
