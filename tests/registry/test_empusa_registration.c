/* What libempusa keeps: against others, through outages, a thousand at once. */
#include "support/user.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MANY        1001 /* one more than a lease has keys */
#define DESCRIPTORS 200

/* What others do to an entry is told. */
static void others_are_told_of(void **state)
{
    (void)state;
    struct empusa_service service = user_service("n");
    struct empusa_registration *registration;
    service.ttl_s = 3; /* a beat a second */
    assert_int_equal(empusa_register(user_registry, &service, &registration), EMPUSA_OK);
    user_forget();
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/service/web/n"));
    user_wait_seen("V");
    assert_string_equal(user_seen.last, "n");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/n", "other:1"));
    user_wait_seen("VC");
    for (int i = 0; i < USER_PATIENCE && !strstr(user_listed(NULL), USER_LOCATION); i++)
        etcd_server_sleep_ms(10);
    assert_string_equal(user_listed(NULL), "web/n " USER_LOCATION " " USER_LOCATION " up;");
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
}

/* One that another process has taken over is left to it. */
static void what_is_anothers_is_left(void **state)
{
    (void)state;
    struct empusa_registration *registration = user_register("n");
    assert_true(etcd_server_put(&user_server, USER_ROOT "/service/web/n", "other:1"));
    assert_int_equal(empusa_unregister(registration), EMPUSA_E_CONFLICT);
    assert_string_equal(user_listed(NULL), "web/n other:1 other:1 up;");
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/service/web/n"));
}

static void etcd_being_away_is_borne(void **state)
{
    (void)state;
    struct empusa_service service = user_service("late");
    struct empusa_registration *early, *late;
    struct empusa_service short_lived = user_service("early");
    short_lived.ttl_s = 3;
    assert_int_equal(empusa_register(user_registry, &short_lived, &early), EMPUSA_OK);
    user_forget();
    etcd_server_kill(&user_server, SIGKILL);
    service.timeout_ms = 200;
    assert_int_equal(empusa_register(user_registry, &service, &late), EMPUSA_PENDING);
    assert_int_equal(empusa_is_registered(late), 0);
    user_wait_seen("L");
    assert_int_equal(empusa_service_list(user_registry, NULL, user_append, NULL),
                     EMPUSA_E_UNREACHABLE);
    assert_true(etcd_server_launch(&user_server) && etcd_server_wait(&user_server));
    for (int i = 0; i < USER_PATIENCE && !(user_has_seen("LRG") || user_has_seen("LGR")); i++)
        etcd_server_sleep_ms(10);
    assert_true(user_has_seen("LRG") || user_has_seen("LGR"));
    assert_int_equal(empusa_is_registered(late), 1);
    assert_string_equal(user_listed(NULL), "web/early " USER_LOCATION " " USER_LOCATION
                                           " up;web/late " USER_LOCATION " " USER_LOCATION " up;");
    assert_int_equal(empusa_unregister(early), EMPUSA_OK);
    assert_int_equal(empusa_unregister(late), EMPUSA_OK);
}

static unsigned count_leases(void)
{
    char reply[4096];
    unsigned count = 0;
    assert_int_equal(etcd_server_ask(&user_server, "/v3/lease/leases", "{}", reply, sizeof(reply)),
                     200);
    for (const char *at = reply; (at = strstr(at, "\"ID\":\"")); at++)
        count += at[6] >= '0' && at[6] <= '9';
    return count;
}

/* Not through /proc/self/fd: ThreadSanitizer takes the directory's descriptor for that of a socket
 * which was closed. */
static unsigned count_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 2 * MANY; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* An outage ends for all of them at once: no reason to take a program all its descriptors. */
static void come_back_from_an_outage(void)
{
    unsigned most = 0;
    user_forget();
    etcd_server_kill(&user_server, SIGKILL);
    for (int i = 0; i < USER_PATIENCE && !user_has_seen("L"); i++)
        etcd_server_sleep_ms(10);
    assert_true(etcd_server_launch(&user_server) && etcd_server_wait(&user_server));
    for (int i = 0; i < USER_PATIENCE && !user_has_seen("LG"); i++) {
        unsigned now = count_descriptors();
        most = now > most ? now : most;
        etcd_server_sleep_ms(10);
    }
    assert_true(user_has_seen("LG"));
    assert_in_range(most, 1, DESCRIPTORS);
}

/* And what is registered when the user_registry is closed goes with it. */
static void a_thousand_share_a_lease(void **state)
{
    (void)state;
    struct empusa *own;
    struct empusa_options options = user_options(user_server.endpoint);
    unsigned count = 0, before = count_leases();
    assert_int_equal(empusa_open(&options, &own), EMPUSA_OK);
    for (unsigned i = 0; i < MANY; i++) {
        char name[16];
        struct empusa_registration *registration;
        snprintf(name, sizeof(name), "%04u", i);
        struct empusa_service service = user_service(name);
        service.ttl_s = 10; /* beats while etcd is away */
        if (empusa_register(own, &service, &registration) != EMPUSA_OK)
            fail_msg("%u: %s", i, empusa_error(own));
    }
    assert_int_equal(empusa_service_list(user_registry, "web", user_count_entry, &count),
                     EMPUSA_OK);
    assert_int_equal(count, MANY);
    assert_in_range(count_leases(), 2, before + 2); /* those of before run out meanwhile */
    come_back_from_an_outage();
    assert_in_range(count_leases(), 2, before + 2);
    empusa_close(own);
    for (int i = 0; i < USER_PATIENCE && count > 0;
         i++) { /* a slow machine leaves some to their lease */
        count = 0;
        assert_int_equal(empusa_service_list(user_registry, "web", user_count_entry, &count),
                         EMPUSA_OK);
        etcd_server_sleep_ms(10);
    }
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USER_TEST(others_are_told_of),
        USER_TEST(what_is_anothers_is_left),
        USER_TEST(a_thousand_share_a_lease),
        USER_TEST(etcd_being_away_is_borne),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
