/* A registry of libempusa is opened and closed. */
#include "support/user.h"

#include <signal.h>
#include <time.h>

static void on_service(void *arg, enum empusa_change change, const struct empusa_entry *entry)
{
    (void)arg;
    user_note("+-="[change], entry ? entry->name : NULL);
}

/* Whatever a program has left open goes with the registry. */
static void closing_takes_all_along(void **state)
{
    (void)state;
    struct empusa *own;
    struct empusa_options options = user_options(user_server.endpoint);
    struct empusa_registration *registration;
    struct empusa_watch *watch;
    assert_int_equal(empusa_open(&options, &own), EMPUSA_OK);
    for (char name[] = "a"; name[0] <= 'c'; name[0]++) {
        struct empusa_service service = user_service(name);
        assert_int_equal(empusa_register(own, &service, &registration), EMPUSA_OK);
    }
    user_forget();
    assert_int_equal(empusa_service_watch(own, NULL, on_service, NULL, &watch), EMPUSA_OK);
    user_wait_seen("+++=");
    empusa_close(own);
    assert_string_equal(user_listed(NULL), "");
}

/* An etcd that does not answer holds it up for 5 s at most; one that is not there, not at all. */
static void closing_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct empusa *own;
    struct empusa_options options = user_options(user_server.endpoint);
    struct empusa_registration *registration;
    struct empusa_service service = user_service("n");
    struct timespec before, after;
    assert_int_equal(empusa_open(&options, &own), EMPUSA_OK);
    assert_int_equal(empusa_register(own, &service, &registration), EMPUSA_OK);
    kill(user_server.pid, SIGSTOP);
    clock_gettime(CLOCK_MONOTONIC, &before);
    empusa_close(own);
    clock_gettime(CLOCK_MONOTONIC, &after);
    kill(user_server.pid, SIGCONT);
    assert_in_range(after.tv_sec - before.tv_sec, 0, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USER_TEST(closing_takes_all_along),
        cmocka_unit_test(closing_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
