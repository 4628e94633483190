#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/commands/etcd_child.h"
#include "support/in_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

static void an_etcd_is_started_and_goes_with_its_data(void **state)
{
    struct etcd_child child;
    struct detail why = {""};
    (void)state;
    assert_int_equal(etcd_child_start(NULL, NULL, NULL, &child, &why), STATUS_OK);
    pid_t pid = child.process.pid;
    assert_true(etcd_child_is_running(&child, &why));
    assert_true(child.port != 0 && child.port != 2379);
    assert_true(exists(child.data));
    etcd_child_stop(&child);
    assert_false(exists(child.data));
    assert_int_equal(kill(pid, 0), -1);
}

static void a_given_directory_stays(void **state)
{
    char directory[] = "/tmp/empusa-test-XXXXXX", member[64];
    struct etcd_child child;
    struct detail why = {""};
    (void)state;
    assert_non_null(mkdtemp(directory));
    for (int i = 0; i < 2; i++) { /* and may be used again */
        assert_int_equal(etcd_child_start(directory, NULL, NULL, &child, &why), STATUS_OK);
        etcd_child_stop(&child);
    }
    snprintf(member, sizeof(member), "%s/member", directory);
    assert_true(exists(member));
    child.is_temporary = true; /* now it goes, too */
    etcd_child_stop(&child);
    assert_false(exists(directory));
}

static void one_that_ends_by_itself_is_noticed_with_its_last_words(void **state)
{
    struct etcd_child child;
    struct detail why = {""};
    (void)state;
    assert_int_equal(etcd_child_start(NULL, NULL, NULL, &child, &why), STATUS_OK);
    kill(child.process.pid, SIGKILL);
    while (etcd_child_is_running(&child, &why))
        usleep(1000);
    assert_non_null(strstr(why.text, "signal 9"));
    assert_int_equal(child.process.pid, 0);
    etcd_child_stop(&child);
}

static void a_missing_etcd_names_its_package(void **state)
{
    struct etcd_child child;
    struct detail why = {""};
    char *path = strdup(getenv("PATH"));
    (void)state;
    setenv("PATH", "/nonexistent:/dev", 1);
    assert_int_equal(etcd_child_start(NULL, NULL, NULL, &child, &why), STATUS_NOT_FOUND);
    assert_non_null(strstr(why.text, "etcd-server"));
    setenv("PATH", path, 1);
    free(path);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    struct etcd_child child;
    struct detail why = {""};
    (void)state;
    assert_int_equal(etcd_child_start("/nonexistent/data", NULL, NULL, &child, &why),
                     STATUS_SYSTEM);
    assert_non_null(strstr(why.text, "/nonexistent/data"));
}

/* A umask takes the right to open what is made, from all but root. */
static void check_unusable(void)
{
    struct etcd_child child;
    struct detail why = {""};
    umask(0700);
    CHILD_EXPECT(geteuid() != 0 || setuid(65534) == 0);
    CHILD_EXPECT(etcd_child_start(NULL, NULL, NULL, &child, &why) == STATUS_SYSTEM);
    CHILD_EXPECT(strstr(why.text, "Permission denied"));
}

static void a_temporary_directory_that_is_of_no_use_goes_again(void **state)
{
    char directory[] = "/tmp/empusa-test-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chmod(directory, 0777), 0);
    setenv("TMPDIR", directory, 1);
    bool is_good = in_child(check_unusable);
    unsetenv("TMPDIR");
    assert_true(is_good);
    assert_int_equal(rmdir(directory), 0); /* it is empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_etcd_is_started_and_goes_with_its_data),
        cmocka_unit_test(a_given_directory_stays),
        cmocka_unit_test(one_that_ends_by_itself_is_noticed_with_its_last_words),
        cmocka_unit_test(a_missing_etcd_names_its_package),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_named),
        cmocka_unit_test(a_temporary_directory_that_is_of_no_use_goes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
