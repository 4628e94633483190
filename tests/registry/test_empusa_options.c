/* How libempusa is told where etcd is: what is wrong is named, and variables stand in. */
#include "support/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void what_a_registry_needs_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *endpoints, *root, *protocol, *user, *discovery, *field;
    } rows[] = {
        {NULL, "/r", NULL, NULL, NULL, "endpoints"},
        {"h", "/r", NULL, NULL, NULL, "endpoints"},
        {"h:1 , ,h:2", "/r", NULL, NULL, NULL, "endpoints"},
        {"http://me:secret@h:1", "/r", NULL, NULL, NULL, "endpoints"},
        {"h:1", NULL, NULL, NULL, NULL, "tree_root"},
        {"h:1", "/\n", NULL, NULL, NULL, "tree_root"},
        {"h:1", "/r", "ftp", NULL, NULL, "protocol"},
        {"h:1", "/r", NULL, "me", NULL, "password_file"},
        {NULL, "/r", NULL, NULL, "me:secret@h", "discovery_srv"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct empusa *none = (void *)&user_server;
        struct empusa_options options = user_options(rows[i].endpoints);
        options.tree_root = rows[i].root;
        options.protocol = rows[i].protocol;
        options.user = rows[i].user;
        options.discovery_srv = rows[i].discovery;
        assert_int_equal(empusa_open(&options, &none), EMPUSA_E_BAD_INPUT);
        assert_null(none);
        assert_string_equal(empusa_error_field(none), rows[i].field);
        assert_null(strstr(empusa_error(NULL), "secret"));
    }
    struct empusa *none;
    struct empusa_options options = user_options(USER_NOWHERE);
    options.cert = "/nowhere";
    options.key = "/nowhere";
    assert_int_equal(empusa_open(&options, &none), EMPUSA_E_BAD_INPUT);
    assert_non_null(strstr(empusa_error(NULL), "/nowhere"));
}

/* Names and meaning of the variables are those of the command line's. */
static void variables_stand_in_for_options(void **state)
{
    (void)state;
    struct empusa *other;
    assert_int_equal(empusa_open(NULL, &other), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error(NULL), "tree_root: neither given nor in EMPUSA_TREE_ROOT");
    char endpoints[64];
    snprintf(endpoints, sizeof(endpoints), "%s %s", USER_NOWHERE, user_server.endpoint);
    setenv("EMPUSA_TREE_ROOT", "//test/", 1);
    setenv("EMPUSA_ETCD_ENDPOINT", endpoints, 1);
    setenv("EMPUSA_ETCD_TIMEOUT", "0", 1);
    assert_int_equal(empusa_open(NULL, &other), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(NULL), "timeout_ms");
    setenv("EMPUSA_ETCD_TIMEOUT", "", 1); /* as if it were not there */
    assert_int_equal(empusa_open(NULL, &other), EMPUSA_OK);
    struct empusa_registration *registration = user_register("from-variables");
    char text[512] = "";
    assert_int_equal(empusa_service_list(other, NULL, user_append, text), EMPUSA_OK);
    assert_string_equal(text, "web/from-variables " USER_LOCATION " " USER_LOCATION " up;");
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
    empusa_close(other);
    unsetenv("EMPUSA_TREE_ROOT");
    unsetenv("EMPUSA_ETCD_ENDPOINT");
    unsetenv("EMPUSA_ETCD_TIMEOUT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_registry_needs_is_named),
        USER_TEST(variables_stand_in_for_options),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
