#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/args/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void values_are_checked_against_their_row(void **state)
{
    static const struct {
        enum option_id id;
        const char *text;
        const char *fault; /* NULL: good */
    } rows[] = {
        {OPTION_SERVICE_TTL, "1", NULL},
        {OPTION_SERVICE_TTL, "9000000000", NULL},
        {OPTION_SERVICE_TTL, "0", NULL},
        {OPTION_SERVICE_TTL, "9000000001", "from 0"},
        {OPTION_SERVICE_TTL, "99999999999999999999999", "from 0"},
        {OPTION_SERVICE_TTL, "18446744073709551621", "from 0"}, /* 2^64 + 5 */
        {OPTION_SERVICE_TTL, "", "from 0"},
        {OPTION_SERVICE_TTL, " 5", "from 0"},
        {OPTION_SERVICE_TTL, "5s", "from 0"},
        {OPTION_SERVICE_TTL, "+5", "from 0"},
        {OPTION_SERVICE_TTL, "-5", "from 0"},
        {OPTION_SERVICE_WEIGHT, "0", NULL},
        {OPTION_SERVICE_WEIGHT, "65535", NULL},
        {OPTION_SERVICE_WEIGHT, "65536", "from 0 to 65535"},
        {OPTION_FORMAT, "json", NULL},
        {OPTION_FORMAT, "table", NULL},
        {OPTION_FORMAT, "tab", "one of table|json"},
        {OPTION_FORMAT, "table|json", "one of"},
        {OPTION_FORMAT, "", "one of"},
        {OPTION_LOG_LEVEL, "debug", NULL},
        {OPTION_LOG_LEVEL, "WARN", NULL},
        {OPTION_LOG_LEVEL, "LOUD", "one of DEBUG"},
        {OPTION_SERVICE_NAME, "", "is empty"},
        {OPTION_SERVICE_NAME, "a,b", NULL},
        {OPTION_HOST, "a=1,,b=2", "is empty"},
        {OPTION_HOST, "a=1,", "is empty"},
        {OPTION_HOST, "a=1 , b=2", NULL},
        {OPTION_HOST, "a=1 b=2", NULL},
        {OPTION_HOST, " a=1\tb=2\r\n", NULL},
        {OPTION_HOST, "a=1 ,, b=2", "is empty"},
        {OPTION_HOST, ",a=1", "is empty"},
        {OPTION_HOST, "a=1, ", "is empty"},
        {OPTION_HOST, " ", "is empty"},
        {OPTION_SERVICE_REFRESH, "0", NULL},
        {OPTION_SWITCH_TTL, "0", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct detail why = {""};
        enum status status = options_set(&options, rows[i].id, rows[i].text, &why);
        assert_int_equal(status, rows[i].fault ? STATUS_BAD_INPUT : STATUS_OK);
        if (rows[i].fault) {
            assert_non_null(strstr(why.text, rows[i].fault));
            assert_non_null(strstr(why.text, option_row(rows[i].id)->name));
        }
        options_clear(&options);
    }
}

static void a_list_is_repeatable_and_split_at_commas_and_blanks(void **state)
{
    struct options options = {0};
    struct detail why;
    (void)state;
    assert_int_equal(options_set(&options, OPTION_HOST, "a=1, b=2", &why), STATUS_OK);
    assert_int_equal(options_set(&options, OPTION_HOST, "c=3\n d=4 ,e=5", &why), STATUS_OK);
    assert_int_equal(options_count(&options, OPTION_HOST), 5);
    assert_string_equal(options_item(&options, OPTION_HOST, 1), "b=2");
    assert_string_equal(options_item(&options, OPTION_HOST, 2), "c=3");
    assert_string_equal(options_item(&options, OPTION_HOST, 3), "d=4");
    assert_string_equal(options_item(&options, OPTION_HOST, 4), "e=5");
    assert_null(options_item(&options, OPTION_HOST, 5));
    options_clear(&options);
}

static void a_repeated_option_keeps_its_commas(void **state)
{
    struct options options = {0};
    struct detail why;
    (void)state;
    assert_int_equal(options_set(&options, OPTION_SERVICE_TXT, "a=1,2", &why), STATUS_OK);
    assert_int_equal(options_set(&options, OPTION_SERVICE_TXT, "b", &why), STATUS_OK);
    assert_int_equal(options_count(&options, OPTION_SERVICE_TXT), 2);
    assert_string_equal(options_item(&options, OPTION_SERVICE_TXT, 0), "a=1,2");
    options_clear(&options);
}

static void the_last_of_a_single_option_counts(void **state)
{
    struct options options = {0};
    struct detail why;
    (void)state;
    assert_int_equal(options_set(&options, OPTION_TREE_ROOT, "/a", &why), STATUS_OK);
    assert_int_equal(options_set(&options, OPTION_TREE_ROOT, "/b", &why), STATUS_OK);
    assert_int_equal(options_count(&options, OPTION_TREE_ROOT), 1);
    assert_string_equal(options_text(&options, OPTION_TREE_ROOT), "/b");
    options_clear(&options);
}

static void a_file_wins_over_the_default_and_over_nothing_else(void **state)
{
    struct config_item items[] = {{"EMPUSA_CA_BUNDLE", "/old", 1},
                                  {"EMPUSA_ETCD_TIMEOUT", "7", 2},
                                  {"EMPUSA_LOGLEVEL", "", 3},
                                  {"EMPUSA_CA_BUNDLE", "/file", 4}};
    const struct config config = {.items = items, .count = COUNT(items)};
    static const struct {
        const char *argument, *variable, *second, *expected;
    } rows[] = {{"/arg", "/var", NULL, "/arg"},
                {NULL, "/var", NULL, "/var"},
                {NULL, NULL, "/second", "/second"},
                {NULL, "", "", "/file"},
                {NULL, NULL, NULL, "/file"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct detail why;
        unsetenv("EMPUSA_CA_BUNDLE");
        unsetenv("REQUESTS_CA_BUNDLE");
        if (rows[i].variable)
            setenv("EMPUSA_CA_BUNDLE", rows[i].variable, 1);
        if (rows[i].second)
            setenv("REQUESTS_CA_BUNDLE", rows[i].second, 1);
        if (rows[i].argument)
            assert_int_equal(options_set(&options, OPTION_CA_BUNDLE, rows[i].argument, &why),
                             STATUS_OK);
        assert_int_equal(options_complete(&options, OPTION_CA_BUNDLE, &config, &why), STATUS_OK);
        assert_int_equal(options_complete(&options, OPTION_ETCD_TIMEOUT, &config, &why), STATUS_OK);
        assert_int_equal(options_complete(&options, OPTION_LOG_LEVEL, &config, &why), STATUS_OK);
        assert_string_equal(options_text(&options, OPTION_CA_BUNDLE), rows[i].expected);
        assert_int_equal(options_number(&options, OPTION_ETCD_TIMEOUT), 7);
        assert_string_equal(options_text(&options, OPTION_LOG_LEVEL), "INFO");
        options_clear(&options);
    }
    unsetenv("EMPUSA_CA_BUNDLE");
    unsetenv("REQUESTS_CA_BUNDLE");
}

static void an_option_wins_over_its_variable_and_that_over_the_default(void **state)
{
    static const struct {
        const char *argument, *variable, *second, *expected;
    } rows[] = {
        {"/arg", "/var", "/second", "/arg"},
        {NULL, "/var", "/second", "/var"},
        {NULL, NULL, "/second", "/second"},
        {NULL, "", "/second", "/second"},
        {"/arg", "", "", "/arg"},
        {NULL, "", "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct detail why;
        unsetenv("EMPUSA_CA_BUNDLE");
        unsetenv("REQUESTS_CA_BUNDLE");
        if (rows[i].variable)
            setenv("EMPUSA_CA_BUNDLE", rows[i].variable, 1);
        if (rows[i].second)
            setenv("REQUESTS_CA_BUNDLE", rows[i].second, 1);
        if (rows[i].argument)
            assert_int_equal(options_set(&options, OPTION_CA_BUNDLE, rows[i].argument, &why),
                             STATUS_OK);
        assert_int_equal(options_complete(&options, OPTION_CA_BUNDLE, NULL, &why), STATUS_OK);
        if (rows[i].expected)
            assert_string_equal(options_text(&options, OPTION_CA_BUNDLE), rows[i].expected);
        else
            assert_false(options_has(&options, OPTION_CA_BUNDLE));
        options_clear(&options);
    }
}

static void defaults_are_values_too(void **state)
{
    struct options options = {0};
    struct detail why;
    (void)state;
    unsetenv("EMPUSA_ETCD_TIMEOUT");
    unsetenv("EMPUSA_SERVICE_TTL");
    assert_int_equal(options_complete(&options, OPTION_ETCD_TIMEOUT, NULL, &why), STATUS_OK);
    assert_int_equal(options_number(&options, OPTION_ETCD_TIMEOUT), 5);
    assert_int_equal(options_complete(&options, OPTION_SERVICE_TTL, NULL, &why), STATUS_OK);
    assert_int_equal(options_number(&options, OPTION_SERVICE_TTL), 0);
    options_clear(&options);
}

static void every_default_passes_its_own_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        struct options options = {0};
        struct detail why = {""};
        const struct option_row *row = option_row((enum option_id)i);
        if (row->variable)
            unsetenv(row->variable);
        if (row->second_variable)
            unsetenv(row->second_variable);
        assert_int_equal(options_complete(&options, (enum option_id)i, NULL, &why), STATUS_OK);
        options_clear(&options);
    }
}

static void a_flag_may_come_from_its_variable(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        bool value;
    } rows[] = {{"1", STATUS_OK, true},    {"Yes", STATUS_OK, true},
                {"true", STATUS_OK, true}, {"no", STATUS_OK, false},
                {"OFF", STATUS_OK, false}, {"0", STATUS_OK, false},
                {"", STATUS_OK, false},    {"maybe", STATUS_BAD_INPUT, false}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct detail why = {""};
        setenv("EMPUSA_NO_SWITCHES", rows[i].text, 1);
        assert_int_equal(options_complete(&options, OPTION_NO_SWITCHES, NULL, &why),
                         rows[i].status);
        if (rows[i].status == STATUS_OK)
            assert_int_equal(options_flag(&options, OPTION_NO_SWITCHES), rows[i].value);
        else
            assert_non_null(strstr(why.text, "EMPUSA_NO_SWITCHES"));
        options_clear(&options);
    }
    unsetenv("EMPUSA_NO_SWITCHES");
}

static void a_message_names_option_value_and_variable(void **state)
{
    struct options options = {0};
    struct detail why = {""};
    (void)state;
    setenv("EMPUSA_SERVICE_TTL", "x", 1);
    assert_int_equal(options_complete(&options, OPTION_SERVICE_TTL, NULL, &why), STATUS_BAD_INPUT);
    assert_string_equal(why.text, "--ttl \"x\" (from EMPUSA_SERVICE_TTL): not a whole number from "
                                  "0 to 9000000000");
    unsetenv("EMPUSA_SERVICE_TTL");
    options_clear(&options);
    struct config_item items[] = {{"EMPUSA_SERVICE_TTL", "y", 3}};
    const struct config config = {.items = items, .count = 1};
    assert_int_equal(options_set(&options, OPTION_CONFIG, "/etc/x", &why), STATUS_OK);
    assert_int_equal(options_complete(&options, OPTION_SERVICE_TTL, &config, &why),
                     STATUS_BAD_INPUT);
    assert_string_equal(why.text, "--ttl \"y\" (from EMPUSA_SERVICE_TTL in /etc/x, line 3): not a "
                                  "whole number from 0 to 9000000000");
    options_clear(&options);
    (void)detail_set(&why, STATUS_BAD_INPUT, "'/' is not allowed");
    assert_int_equal(options_fault(&options, OPTION_SERVICE_TYPE, "a\": ", &why), STATUS_BAD_INPUT);
    assert_string_equal(why.text, "--service-type \"a\": \": '/' is not allowed");
}

static void a_secret_comes_from_its_file_or_from_the_variable_itself(void **state)
{
    char path[] = "/tmp/empusa-test-XXXXXX";
    char *secret = NULL;
    struct options options = {0};
    struct detail why = {""};
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "s3cret\nmore\n", 12), 12);
    close(fd);
    assert_int_equal(options_set(&options, OPTION_ETCD_PASSWORD, path, &why), STATUS_OK);
    assert_int_equal(options_secret(&options, OPTION_ETCD_PASSWORD, &secret, &why), STATUS_OK);
    assert_string_equal(secret, "s3cret");
    assert_memory_equal(secret + 6, "\0\0\0\0\0", 6); /* there is room for the whole file */
    free(secret);
    unlink(path);
    assert_int_equal(options_secret(&options, OPTION_ETCD_PASSWORD, &secret, &why), STATUS_SYSTEM);
    assert_non_null(strstr(why.text, path));
    assert_non_null(strstr(why.text, "--etcd-password-file"));
    options_clear(&options);
    assert_int_equal(options_set(&options, OPTION_ETCD_PASSWORD, "x://u:p w@h", &why), STATUS_OK);
    assert_int_equal(options_secret(&options, OPTION_ETCD_PASSWORD, &secret, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "--etcd-password-file \"x://***@h\": No such file or directory");
    options_clear(&options);

    setenv("EMPUSA_ETCD_PASSWORD", "/dev/null", 1);
    assert_int_equal(options_complete(&options, OPTION_ETCD_PASSWORD, NULL, &why), STATUS_OK);
    assert_int_equal(options_secret(&options, OPTION_ETCD_PASSWORD, &secret, &why), STATUS_OK);
    assert_string_equal(secret, "/dev/null");
    free(secret);
    options_clear(&options);
    unsetenv("EMPUSA_ETCD_PASSWORD");
    setenv("EMPUSA_ETCD_PASSWORD_FILE", "/dev/null", 1);
    assert_int_equal(options_complete(&options, OPTION_ETCD_PASSWORD, NULL, &why), STATUS_OK);
    assert_int_equal(options_secret(&options, OPTION_ETCD_PASSWORD, &secret, &why), STATUS_OK);
    assert_string_equal(secret, "");
    free(secret);
    options_clear(&options);
    unsetenv("EMPUSA_ETCD_PASSWORD_FILE");
    struct config_item items[] = {{"EMPUSA_ETCD_PASSWORD", "itself", 1}};
    const struct config config = {.items = items, .count = 1};
    assert_int_equal(options_complete(&options, OPTION_ETCD_PASSWORD, &config, &why), STATUS_OK);
    assert_int_equal(options_secret(&options, OPTION_ETCD_PASSWORD, &secret, &why), STATUS_OK);
    assert_string_equal(secret, "itself");
    free(secret);
    options_clear(&options);
    secret = NULL;
    assert_int_equal(options_secret(&options, OPTION_ETCD_PASSWORD, &secret, &why), STATUS_OK);
    assert_null(secret);
}

static void every_row_explains_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        assert_non_null(row->name);
        assert_non_null(row->help);
        assert_int_equal(row->argument == NULL, row->kind == OPTION_FLAG);
        assert_true(row->kind != OPTION_NUMBER || row->max > row->min);
        assert_true(!row->variable || strncmp(row->variable, "EMPUSA_", 7) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_checked_against_their_row),
        cmocka_unit_test(a_list_is_repeatable_and_split_at_commas_and_blanks),
        cmocka_unit_test(a_repeated_option_keeps_its_commas),
        cmocka_unit_test(the_last_of_a_single_option_counts),
        cmocka_unit_test(a_file_wins_over_the_default_and_over_nothing_else),
        cmocka_unit_test(an_option_wins_over_its_variable_and_that_over_the_default),
        cmocka_unit_test(defaults_are_values_too),
        cmocka_unit_test(every_default_passes_its_own_check),
        cmocka_unit_test(a_flag_may_come_from_its_variable),
        cmocka_unit_test(a_message_names_option_value_and_variable),
        cmocka_unit_test(a_secret_comes_from_its_file_or_from_the_variable_itself),
        cmocka_unit_test(every_row_explains_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
