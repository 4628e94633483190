/* What callers of libempusa may get wrong: NULL, structs of other versions, a child after fork(). */
#include "support/user.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void ignore(void *arg, enum empusa_change change, const struct empusa_entry *entry)
{
    (void)arg, (void)change, (void)entry;
}

static void null_is_borne(void **state)
{
    (void)state;
    struct empusa_registration *registration;
    struct empusa_watch *watch;
    struct empusa_service service = user_service("n");
    char *value;
    empusa_close(NULL);
    assert_int_equal(empusa_unregister(NULL), EMPUSA_OK);
    assert_int_equal(empusa_watch_stop(NULL), EMPUSA_OK);
    assert_int_equal(empusa_is_registered(NULL), 0);
    assert_int_equal(empusa_register(NULL, &service, &registration), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(NULL), "registry");
    assert_int_equal(empusa_register(user_registry, NULL, &registration), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "size");
    assert_int_equal(empusa_update(NULL, &service), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_drain(NULL), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_service_list(NULL, NULL, user_append, NULL), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_service_watch(NULL, NULL, NULL, NULL, &watch), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_switch_get(user_registry, NULL, &value, NULL), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "path");
    assert_int_equal(empusa_switch_get(user_registry, "s", NULL, NULL), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error(user_registry), "value: is NULL");
    assert_int_equal(empusa_open(NULL, NULL), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_register(user_registry, &service, NULL), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "out");
    assert_int_equal(empusa_service_list(user_registry, NULL, NULL, NULL), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "on_entry");
    assert_int_equal(empusa_service_watch(user_registry, NULL, NULL, NULL, &watch),
                     EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "on_service");
    assert_int_equal(empusa_service_watch(user_registry, NULL, ignore, NULL, NULL),
                     EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "out");
    assert_int_equal(empusa_switch_watch(user_registry, NULL, NULL, NULL, &watch),
                     EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "on_switch");
}

/* A program that was built with a newer header: what it does not use does no harm. */
static void a_struct_may_grow(void **state)
{
    (void)state;
    struct {
        struct empusa_service service;
        int later;
    } newer = {.service = user_service("newer")};
    struct empusa_registration *registration;
    newer.service.size = sizeof(newer);
    assert_int_equal(empusa_register(user_registry, &newer.service, &registration), EMPUSA_OK);
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
    newer.later = 1;
    assert_int_equal(empusa_register(user_registry, &newer.service, &registration),
                     EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "size");
}

/* In the child: a code for each of what went wrong. */
static int use_in_child(struct empusa_registration *registration)
{
    struct empusa_service service = user_service("child");
    struct empusa_registration *none;
    struct empusa *own;
    struct empusa_options options = user_options(user_server.endpoint);
    if (empusa_register(user_registry, &service, &none) != EMPUSA_E_FORKED)
        return 1;
    if (empusa_unregister(registration) != EMPUSA_E_FORKED)
        return 2;
    if (empusa_is_registered(registration) != 0)
        return 3;
    empusa_close(user_registry);
#ifdef __SANITIZE_THREAD__ /* it knows no threads of such a child */
    return 0;
#endif
    if (empusa_open(&options, &own) != EMPUSA_OK)
        return 4;
    if (empusa_register(own, &service, &none) != EMPUSA_OK)
        return 5;
    empusa_close(own);
    return 0;
}

static void a_child_cannot_use_its_parents(void **state)
{
    (void)state;
    struct empusa_registration *registration = user_register("parent");
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(use_in_child(registration));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(user_listed(NULL), "web/parent " USER_LOCATION " " USER_LOCATION " up;");
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USER_TEST(null_is_borne),
        USER_TEST(a_struct_may_grow),
        USER_TEST(a_child_cannot_use_its_parents),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
