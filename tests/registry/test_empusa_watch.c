/* What libempusa follows: first all, then each change once, over outages and loads, too. */
#include "support/user.h"

#include <signal.h>

static void on_service(void *arg, enum empusa_change change, const struct empusa_entry *entry)
{
    (void)arg;
    user_note("+-="[change], entry ? entry->name : NULL);
}

static void on_switch(void *arg, enum empusa_change change, const struct empusa_switch *of)
{
    (void)arg;
    user_note("pr="[change], of ? of->path : NULL);
    if (of && change == EMPUSA_CHANGE_PUT)
        assert_int_equal(of->value[of->value_len], '\0');
}

/* First all, then each change once, over an outage, too. */
static void services_are_followed(void **state)
{
    (void)state;
    struct empusa_watch *watch;
    struct empusa_registration *one = user_register("one");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/bad", "no location"));
    user_forget();
    assert_int_equal(empusa_service_watch(user_registry, "web", on_service, NULL, &watch),
                     EMPUSA_OK);
    user_wait_seen("+=");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/other/x", "h:1"));
    struct empusa_registration *two = user_register("two");
    user_wait_seen("+=+");
    assert_int_equal(empusa_unregister(two), EMPUSA_OK);
    user_wait_seen("+=+-");
    assert_string_equal(user_seen.last, "two");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/bad", "h:1"));
    user_wait_seen("+=+-+");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/bad", "no location"));
    user_wait_seen("+=+-+-");
    etcd_server_kill(&user_server, SIGKILL);
    user_wait_seen("+=+-+-L");
    assert_true(etcd_server_launch(&user_server) && etcd_server_wait(&user_server));
    user_wait_seen("+=+-+-LG");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/bad", "h:2"));
    user_wait_seen("+=+-+-LG+");
    assert_string_equal(user_seen.last, "bad");
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/service/web/bad"));
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/service/other/x"));
    assert_int_equal(empusa_unregister(one), EMPUSA_OK);
    assert_true(user_has_seen("+=+-+-LG+"));
}

static void switches_are_followed(void **state)
{
    (void)state;
    struct empusa_watch *watch;
    assert_true(etcd_server_put(&user_server, USER_ROOT "/switch/f/s", "on"));
    user_forget();
    assert_int_equal(empusa_switch_watch(user_registry, "f/s", on_switch, NULL, &watch), EMPUSA_OK);
    user_wait_seen("p=");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/switch/f/search", "on")); /* not meant */
    assert_true(etcd_server_put(&user_server, USER_ROOT "/switch/f/s/below", "on"));
    user_wait_seen("p=p");
    assert_string_equal(user_seen.last, "f/s/below");
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/switch/f/search"));
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/switch/f/s"));
    user_wait_seen("p=pr");
    assert_string_equal(user_seen.last, "f/s");
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/switch/f/s/below"));
}

/* A store that was wiped is read anew: what is gone is told, what is there is not told again. */
static void a_difference_is_told(void **state)
{
    (void)state;
    struct empusa_watch *watch;
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/gone", "h:1"));
    user_forget();
    assert_int_equal(empusa_service_watch(user_registry, NULL, on_service, NULL, &watch),
                     EMPUSA_OK);
    user_wait_seen("+=");
    etcd_server_kill(&user_server, SIGKILL);
    user_wait_seen("+=L");
    etcd_server_wipe(&user_server);
    assert_true(etcd_server_launch(&user_server) && etcd_server_wait(&user_server));
    for (int i = 0; i < USER_PATIENCE && !(user_has_seen("+=L-=G") || user_has_seen("+=LG-=")); i++)
        etcd_server_sleep_ms(10);
    assert_true(user_has_seen("+=L-=G") || user_has_seen("+=LG-="));
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
}

/* A store that was set back to an older state is read anew, and what did not change is not told twice. */
static void what_is_unchanged_is_told_once(void **state)
{
    (void)state;
    struct empusa_watch *watch;
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/kept", "h:1"));
    etcd_server_kill(&user_server, SIGTERM);
    etcd_server_copy(&user_server, "data", "old");
    assert_true(etcd_server_launch(&user_server) && etcd_server_wait(&user_server));
    user_forget();
    assert_int_equal(empusa_service_watch(user_registry, NULL, on_service, NULL, &watch),
                     EMPUSA_OK);
    user_wait_seen("+=");
    for (int i = 0; i < 3; i++)
        assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/lost", "h:1"));
    user_wait_seen("+=+++");
    etcd_server_kill(&user_server, SIGKILL);
    user_wait_seen("+=+++L");
    etcd_server_wipe(&user_server);
    etcd_server_copy(&user_server, "old", "data");
    assert_true(etcd_server_launch(&user_server) && etcd_server_wait(&user_server));
    for (int i = 0;
         i < USER_PATIENCE && !(user_has_seen("+=+++L-=G") || user_has_seen("+=+++LG-=")); i++)
        etcd_server_sleep_ms(10);
    assert_true(user_has_seen("+=+++L-=G") || user_has_seen("+=+++LG-="));
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/service/web/kept"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USER_TEST(services_are_followed),
        USER_TEST(switches_are_followed),
        USER_TEST(what_is_unchanged_is_told_once),
        USER_TEST(a_difference_is_told),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
