#include "cli/commands/listed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum status read_text(const char *root_text, const char *text, struct listed *out,
                             struct detail *why)
{
    struct key_root root;
    assert_int_equal(key_root_parse(root_text, &root, why), STATUS_OK);
    /* A copy of its own, so that a sanitizer sees a step beyond it. */
    size_t len = strlen(text);
    char *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, text, len);
    enum status status = listed_read(copy, len, &root, out, why);
    free(copy);
    return status;
}

static const struct {
    const char *root, *text, *key, *value;
    uint64_t ttl_s;
} good[] = {
    {"/foo", "{\"service\": \"/foo/service/t/n\", \"location\": \"h:1\", \"ttl\": null}",
     "/foo/service/t/n", "h:1", 0},
    {"/", "{\"location\":\"h:1\",\"service\":\"/service/t/n\"}", "/service/t/n", "h:1", 0},
    {"/foo", "{\"service\":\"t/n\",\"location\":\"h:1\",\"ttl\":25}", "/foo/service/t/n", "h:1",
     25},
    {"/foo", "{\"service\":\"t/n\",\"location\":\"h:1\",\"ttl\":0}", "/foo/service/t/n", "h:1", 1},
    {"/foo", "{\"service\":\"t/n\",\"location\":\"h:1\",\"ttl\":9000000000}", "/foo/service/t/n",
     "h:1", 9000000000},
    {"/service/t", "{\"service\":\"/service/t/service/t/n\",\"location\":\"h:1\"}",
     "/service/t/service/t/n", "h:1", 0},
    {"/foo",
     "{\"service\":\"t/caf\\u00e9\",\"weight\":1,\"location\":\"h:1\",\"txt\":{\"b\":true,"
     "\"a\":\"\\\\u0000\\u0000\"},\"state\":\"draining\"}",
     "/foo/service/t/caf\303\251",
     "{\"location\":\"h:1\",\"weight\":1,\"txt\":{\"a\":\"\\\\u0000\\u0000\",\"b\":true},"
     "\"state\":\"draining\"}",
     0},
};

static void reads_what_list_prints_and_less(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct listed listed;
        struct detail why = {""};
        enum status status = read_text(good[i].root, good[i].text, &listed, &why);
        assert_string_equal(why.text, "");
        assert_int_equal(status, STATUS_OK);
        assert_string_equal(listed.key.text, good[i].key);
        assert_string_equal(listed.value, good[i].value);
        assert_int_equal(listed.value_len, strlen(good[i].value));
        assert_int_equal(listed.ttl_s, good[i].ttl_s);
        listed_clear(&listed);
    }
}

static const struct {
    const char *text, *why;
} bad[] = {
    {"{", "not JSON"},
    {"{}", "no member \"service\""},
    {"{\"service\":null}", "member \"service\": not a string"},
    {"{\"service\":\"\"}", "\"\": neither a key nor TYPE/NAME"},
    {"{\"service\":\"/foo\"}", "\"/foo\": not below /foo/service/"},
    {"{\"service\":\"/foobar/service/t/n\"}", "\"/foobar/service/t/n\": not below /foo/service/"},
    {"{\"service\":\"/foo/service/t\"}", "\"/foo/service/t\": neither a key nor TYPE/NAME"},
    {"{\"service\":\"/foo/service//n\"}", "\"/foo/service//n\": service type \"\""},
    {"{\"service\":\"t/a\\u0000b\"}", "\"t/a\001b\": service name"},
    {"{\"service\":\"t/n\",\"location\":\"h:1\",\"x\":1}", "\"t/n\": unknown member \"x\""},
    {"{\"service\":\"t/n\",\"location\":\"h:1\",\"ttl\":1,\"ttl\":1}",
     "\"t/n\": member \"ttl\" is given twice"},
    {"{\"service\":\"t/n\",\"location\":\"h:1\",\"ttl\":9000000001}", "\"t/n\": member \"ttl\": "},
    {"{\"service\":\"t/n\",\"location\":\"h:1\",\"ttl\":true}", "\"t/n\": member \"ttl\": "},
    {"{\"service\":\"t/n\",\"location\":\"h\"}", "\"t/n\": member \"location\": "},
    {"{\"service\":\"t/n\",\"location\":\"h:1\",\"weight\":1.5}", "\"t/n\": member \"weight\": "},
    {"{\"service\":\"t/n\",\"location\":\"h:1\",\"weight\":-1,\"txt\":5}",
     "\"t/n\": member \"weight\": "},
    {"{\"service\":\"t/n\",\"location\":\"h:1\",\"state\":\"\\u00g0\"}", "\"t/n\": not JSON"},
};

static void names_the_service_and_the_member(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct listed listed;
        struct detail why = {""};
        enum status status = read_text("/foo", bad[i].text, &listed, &why);
        assert_int_equal(status, STATUS_BAD_INPUT);
        if (strstr(why.text, bad[i].why) != why.text)
            fail_msg("%s", why.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_list_prints_and_less),
        cmocka_unit_test(names_the_service_and_the_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
