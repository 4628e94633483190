/* What libempusa reads once: lists, and a switch. */
#include "support/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is no entry is left out; and each may be asked for again while the list is told. */
static void list_again(void *arg, const struct empusa_entry *entry)
{
    user_append(arg, entry);
    assert_non_null(strstr(user_listed(entry->type), entry->name));
}

static void a_list_is_in_order_and_told_to_its_caller(void **state)
{
    (void)state;
    char text[512] = "";
    static const char *const names[] = {"b", "a", "c"};
    assert_true(etcd_server_fill(&user_server, USER_ROOT "/service/none/", 1));
    for (size_t i = 0; i < 3; i++) {
        char key[64];
        snprintf(key, sizeof(key), USER_ROOT "/service/t/%s", names[i]);
        assert_true(etcd_server_put(&user_server, key, "h:1"));
    }
    assert_int_equal(empusa_service_list(user_registry, "t", list_again, text), EMPUSA_OK);
    assert_string_equal(text, "t/a h:1 h:1 up;t/b h:1 h:1 up;t/c h:1 h:1 up;");
    assert_string_equal(user_listed("none"), "");
    assert_int_equal(empusa_service_list(user_registry, "a/b", list_again, text),
                     EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(user_registry), "type");
}

static void a_switch_is_read(void **state)
{
    (void)state;
    char *value;
    size_t len;
    assert_int_equal(empusa_switch_get(user_registry, "f/s", &value, &len), EMPUSA_E_NOT_FOUND);
    assert_string_equal(empusa_error(user_registry), "there is no switch \"f/s\"");
    assert_int_equal(empusa_switch_get(user_registry, "f//s", &value, &len), EMPUSA_E_BAD_INPUT);
    assert_true(etcd_server_put(&user_server, USER_ROOT "/switch/f/s", "on"));
    assert_int_equal(empusa_switch_get(user_registry, "f/s", &value, &len), EMPUSA_OK);
    assert_string_equal(value, "on");
    assert_int_equal(len, 2);
    free(value);
    assert_true(etcd_server_delete(&user_server, USER_ROOT "/switch/f/s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USER_TEST(a_list_is_in_order_and_told_to_its_caller),
        USER_TEST(a_switch_is_read),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
