/* Which directories are taken for the copy, and how the others are refused. */
#include "registry/state/state_dir.h"
#include "support/in_child.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static char base[] = "/tmp/empusa-dir-XXXXXX", path[64];

static int begin(void **state)
{
    (void)state;
    return mkdtemp(base) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return rmdir(base);
}

static const char *in_base(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

static void assert_refused(enum status expected, const char *expected_why)
{
    char *real = NULL;
    struct detail why = {""};
    assert_int_equal(state_dir_check(path, &real, &why), expected);
    assert_non_null(strstr(why.text, expected_why));
    assert_null(real);
}

static void assert_taken(const char *name)
{
    char *real = NULL, expected[64];
    struct detail why = {""};
    snprintf(expected, sizeof(expected), "%s/%s", base, name);
    assert_int_equal(state_dir_check(path, &real, &why), STATUS_OK);
    assert_string_equal(real, expected);
    free(real);
}

static void one_that_is_missing_is_made_for_us_alone(void **state)
{
    (void)state;
    struct stat st;
    mode_t before = umask(0);
    in_base("new");
    assert_taken("new");
    assert_taken("new");
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(symlink("new", in_base("link")), 0);
    assert_taken("new");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(in_base("new")), 0);
}

static void what_is_above_it_is_not_made(void **state)
{
    (void)state;
    in_base("not/there");
    assert_refused(STATUS_SYSTEM, "No such file or directory");
}

static void no_other_file_is_taken(void **state)
{
    (void)state;
    int fd = open(in_base("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    close(fd);
    assert_refused(STATUS_BAD_INPUT, "it is no directory");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere", in_base("link")), 0);
    assert_refused(STATUS_SYSTEM, "No such file or directory");
    assert_int_equal(unlink(path), 0);
}

static void nor_one_that_others_may_enter(void **state)
{
    (void)state;
    static const mode_t modes[] = {0701, 0710, 0740, 0755, 0777};
    assert_int_equal(mkdir(in_base("open"), 0700), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_refused(STATUS_BAD_INPUT, "others may enter it (mode 07");
    }
    assert_int_equal(chmod(path, 0500), 0);
    assert_taken("open");
    assert_int_equal(rmdir(path), 0);
}

static void ask_as_another_user(void)
{
    char *real = NULL;
    struct detail why;
    CHILD_EXPECT(chmod(base, 0755) == 0 && setresuid(65534, 65534, 65534) == 0);
    CHILD_EXPECT(state_dir_check(path, &real, &why) == STATUS_BAD_INPUT);
    CHILD_EXPECT(strcmp(why.text, "it belongs to user 0, and this is user 65534") == 0);
    CHILD_EXPECT(state_dir_check(base, &real, &why) == STATUS_BAD_INPUT);
    CHILD_EXPECT(state_dir_check(in_base("new"), &real, &why) == STATUS_SYSTEM);
    CHILD_EXPECT(strcmp(why.text, "Permission denied") == 0);
}

static void nor_that_of_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(in_base("root"), 0700), 0);
    assert_true(in_child(ask_as_another_user));
    assert_int_equal(rmdir(path), 0);
}

static void one_at_a_time_is_in_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int entered = state_dir_enter(base), again = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(entered >= 0 && again >= 0);
        assert_int_equal(flock(again, LOCK_EX | LOCK_NB), -1);
        state_dir_leave(entered);
        assert_int_equal(flock(again, LOCK_EX | LOCK_NB), 0);
        close(again);
    }
    assert_int_equal(state_dir_enter(in_base("nowhere")), -1);
    state_dir_leave(-1);
    assert_false(state_dir_is_full(base) || state_dir_is_full(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_missing_is_made_for_us_alone),
        cmocka_unit_test(what_is_above_it_is_not_made),
        cmocka_unit_test(no_other_file_is_taken),
        cmocka_unit_test(nor_one_that_others_may_enter),
        cmocka_unit_test(nor_that_of_another_user),
        cmocka_unit_test(one_at_a_time_is_in_it),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
