#include "registry/etcd/endpoint.h"
#include "support/foreign_locale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void reads_the_ways_to_write_an_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool https_by_default;
        const char *host;
        uint16_t port;
        bool is_literal;
        const char *url;
    } rows[] = {
        {"localhost:2379", false, "localhost", 2379, false, "http://localhost:2379"},
        {"localhost:2379", true, "localhost", 2379, false, "https://localhost:2379"},
        {"http://localhost:2379", true, "localhost", 2379, false, "http://localhost:2379"},
        {"https://localhost:2379", false, "localhost", 2379, false, "https://localhost:2379"},
        {"HTTPS://localhost:2379/", false, "localhost", 2379, false, "https://localhost:2379"},
        {"10.0.0.7:02379", false, "10.0.0.7", 2379, true, "http://10.0.0.7:2379"},
        {"[fd00::1]:2379", false, "fd00::1", 2379, true, "http://[fd00::1]:2379"},
        {"https://[fd00::1]:2379/", false, "fd00::1", 2379, true, "https://[fd00::1]:2379"},
        {"[::ffff:1.2.3.4]:1", false, "::ffff:1.2.3.4", 1, true, "http://[::ffff:1.2.3.4]:1"},
        {"etcd.example.:1", false, "etcd.example", 1, false, "http://etcd.example:1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint endpoint;
        struct detail why;
        assert_int_equal(endpoint_parse(rows[i].text, strlen(rows[i].text),
                                        rows[i].https_by_default, &endpoint, &why),
                         STATUS_OK);
        assert_string_equal(endpoint.host, rows[i].host);
        assert_int_equal(endpoint.port, rows[i].port);
        assert_int_equal(endpoint.is_literal, rows[i].is_literal);
        assert_string_equal(endpoint.url, rows[i].url);
        assert_int_equal(endpoint.is_https, strncmp(rows[i].url, "https", 5) == 0);
    }
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "no ':' and port after the host"},
        {"localhost", "no ':' and port after the host"},
        {"localhost:0", "the port is not within 1-65535"},
        {"localhost:2379/", "nothing may follow HOST:PORT"},
        {"http://localhost:2379//", "nothing may follow HOST:PORT"},
        {"http://localhost:2379/v3", "nothing may follow HOST:PORT"},
        {"https://localhost:2379?v3", "nothing may follow HOST:PORT"},
        {"https://localhost/v3", "nothing may follow HOST:PORT"},
        {"http://", "no ':' and port after the host"},
        {"http:///", "no ':' and port after the host"},
        {"ftp://localhost:21", "a URL has to begin with http:// or https://"},
        {"http:/localhost:21", "a URL has to begin with http:// or https://"},
        {"unix:///x", "a URL has to begin with http:// or https://"},
        {"a\nb:1", "the host has a '\\x0a' in it"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint endpoint = {.port = 7};
        struct detail why;
        assert_int_equal(endpoint_parse(rows[i].text, strlen(rows[i].text), false, &endpoint, &why),
                         STATUS_BAD_INPUT);
        assert_string_equal(why.text, rows[i].why);
        assert_int_equal(endpoint.port, 7);
        assert_int_equal(endpoint_parse(rows[i].text, strlen(rows[i].text), false, &endpoint, NULL),
                         STATUS_BAD_INPUT);
    }
}

static void appends_a_list_without_duplicates(void **state)
{
    (void)state;
    struct endpoint list[4];
    struct detail why;
    size_t count = 0;
    assert_int_equal(
        endpoint_parse_list(" a:1 ,\tb:2,A:1,http://a:1/", false, list, 4, &count, &why),
        STATUS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(endpoint_parse_list("b:2,https://a:1,c:3", false, list, 4, &count, &why),
                     STATUS_OK);
    assert_int_equal(count, 4);
    assert_string_equal(list[0].url, "http://a:1");
    assert_string_equal(list[1].url, "http://b:2");
    assert_string_equal(list[2].url, "https://a:1");
    assert_string_equal(list[3].url, "http://c:3");
    count = 0; /* as a variable of the environment has them */
    assert_int_equal(endpoint_parse_list("a:1 b:2\n, c:3\t", false, list, 4, &count, &why),
                     STATUS_OK);
    assert_int_equal(count, 3);
    assert_string_equal(list[2].url, "http://c:3");
    assert_int_equal(endpoint_parse_list("d:4", false, list, 4, &count, &why), STATUS_OK);
    /* A full list takes what it has. */
    assert_int_equal(endpoint_parse_list("a:1", false, list, 4, &count, &why), STATUS_OK);
    assert_int_equal(count, 4);
}

/* The program's that libempusa stands in. */
static void one_host_is_one_in_any_locale(void **state)
{
    struct endpoint list[4];
    struct detail why;
    size_t count = 0;
    (void)state;
    foreign_locale_enter();
    assert_int_equal(
        endpoint_parse_list("digit:1,DIGIT:1,HTTP://Digit:1", false, list, 4, &count, &why),
        STATUS_OK);
    foreign_locale_leave();
    assert_int_equal(count, 1);
}

static void refuses_a_list_with_a_fault_whole(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       " ",
                                       "a:1,",
                                       ",a:1",
                                       "a:1,,b:2",
                                       "a:1, ,b:2",
                                       "a:1,b",
                                       "a:1 b",
                                       "a:1 ,, b:2",
                                       "a:1 b:2 c:3 d:4",
                                       "a:1,b:2,c:3,d:4"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint list[4];
        struct detail why = {.text = ""};
        size_t count = 0;
        assert_int_equal(endpoint_parse_list("z:1", false, list, 4, &count, &why), STATUS_OK);
        assert_int_equal(endpoint_parse_list(rows[i], false, list, 4, &count, &why),
                         STATUS_BAD_INPUT);
        assert_int_equal(count, 1);
        assert_true(why.text[0] != '\0');
    }
}

static void a_password_is_refused_without_being_quoted(void **state)
{
    static const char *const rows[] = {
        "user:secret@host:2379",          "http://user:secret@host:2379",
        "https://user:secret@host:2379/", "https://user:se,cret@host:2379,other:2379",
        "other:2379,user:secret@host",    "https://secret@host:2379",
        "ftp://user:secret@host",         "user:secret@"};
    struct endpoint list[4];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct detail why = {""};
        size_t count = 0;
        assert_int_equal(endpoint_parse(rows[i], strlen(rows[i]), false, &list[0], &why),
                         STATUS_BAD_INPUT);
        assert_null(strstr(why.text, "cret"));
        assert_int_equal(endpoint_parse_list(rows[i], false, list, 4, &count, &why),
                         STATUS_BAD_INPUT);
        assert_null(strstr(why.text, "cret"));
        assert_null(strstr(why.text, ":se"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_refused_without_being_quoted),
        cmocka_unit_test(reads_the_ways_to_write_an_endpoint),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(appends_a_list_without_duplicates),
        cmocka_unit_test(one_host_is_one_in_any_locale),
        cmocka_unit_test(refuses_a_list_with_a_fault_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
