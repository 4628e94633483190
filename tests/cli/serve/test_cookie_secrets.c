#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/serve/cookie_secrets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ONE          "000102030405060708090a0b0c0d0e0f"
#define TWO          "FFfefdfcfbfaf9f8f7f6f5f4f3f2f1f0"

static void a_file_holds_one_or_two_secrets(void **state)
{
    static const struct {
        const char *text;
        uint8_t count; /* 0: refused */
    } rows[] = {
        {ONE "\n", 1},
        {ONE, 1},
        {ONE "\r\n" TWO "\n", 2},
        {"\n" ONE "\n\n" TWO " \n", 2},
        {"", 0},
        {"\n", 0},
        {ONE "0\n", 0},
        {"0" ONE "\n", 0},
        {"xyz\n", 0},
        {ONE TWO "\n", 0},
        {ONE "\n" TWO "\n" ONE "\n", 0},
        {"00\n", 0},
        {ONE " " TWO, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[] = "/tmp/empusa-test-XXXXXX";
        struct options options = {0};
        struct answer_env env = {.secret_count = 1, .secrets = {{42}}};
        struct detail why = {""};
        int fd = mkstemp(path);
        ssize_t len = (ssize_t)strlen(rows[i].text);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, rows[i].text, (size_t)len), len);
        close(fd);
        assert_int_equal(options_set(&options, OPTION_COOKIE_SECRET, path, &why), STATUS_OK);
        enum status status = cookie_secrets_load(&options, &env, &why);
        assert_int_equal(status, rows[i].count ? STATUS_OK : STATUS_BAD_INPUT);
        if (rows[i].count) {
            assert_int_equal(env.secret_count, rows[i].count);
            assert_int_equal(env.secrets[0][15], 0x0f);
            assert_true(rows[i].count == 1 || env.secrets[1][0] == 0xff);
        } else { /* the old one stays */
            assert_int_equal(env.secrets[0][0], 42);
            assert_non_null(strstr(why.text, path));
        }
        unlink(path);
        options_clear(&options);
    }
}

static void a_missing_file_keeps_what_there_is(void **state)
{
    struct options options = {0};
    struct answer_env env = {.secret_count = 1, .secrets = {{42}}};
    struct detail why = {""};
    (void)state;
    assert_int_equal(options_set(&options, OPTION_COOKIE_SECRET, "/nonexistent/file", &why),
                     STATUS_OK);
    assert_int_equal(cookie_secrets_load(&options, &env, &why), STATUS_SYSTEM);
    assert_non_null(strstr(why.text, "--cookie-secret-file \"/nonexistent/file\": "));
    assert_int_equal(env.secrets[0][0], 42);
    options_clear(&options);
}

static void without_a_file_they_are_random_once(void **state)
{
    static const uint8_t zero[16];
    struct options options = {0};
    struct answer_env env = {0}, before;
    struct detail why;
    (void)state;
    assert_int_equal(cookie_secrets_load(&options, &env, &why), STATUS_OK);
    assert_int_equal(env.secret_count, 1);
    assert_memory_not_equal(env.secrets[0], zero, sizeof(zero));
    before = env;
    assert_int_equal(cookie_secrets_load(&options, &env, &why), STATUS_OK);
    assert_memory_equal(env.secrets, before.secrets, sizeof(env.secrets));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_holds_one_or_two_secrets),
        cmocka_unit_test(a_missing_file_keeps_what_there_is),
        cmocka_unit_test(without_a_file_they_are_random_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
