#include "registry/entry_list.h"

#include "registry/entry.h"
#include "registry/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t seed[16] = "sixteen octets!";

/* What came: the last one, and how many. */
static struct {
    struct entry_list_item item;
    char value[1000];
    uint64_t number, stop_at;
} got;

static enum status on_entry(void *arg, const struct entry_list_item *item, uint64_t number)
{
    assert_ptr_equal(arg, &got);
    assert_int_equal(number, got.number + 1);
    assert_int_equal(item->value_len, strlen(item->value));
    got.item = *item;
    snprintf(got.value, sizeof(got.value), "%s", item->value);
    got.number = number;
    return number == got.stop_at ? STATUS_CANCELLED : STATUS_OK;
}

/* In pieces of `piece` octets. */
static enum status read_pieces(const char *root_text, const char *text, size_t len, size_t piece,
                               struct detail *why)
{
    struct key_root root;
    struct entry_list list;
    enum status status = STATUS_OK;
    assert_int_equal(key_root_parse(root_text, &root, why), STATUS_OK);
    got.number = 0;
    entry_list_init(&list, &root, seed, on_entry, &got);
    for (size_t at = 0; at < len && status == STATUS_OK; at += piece) {
        /* A copy of its own, so that a sanitizer sees a step beyond it. */
        size_t part_len = len - at < piece ? len - at : piece;
        char *part = malloc(part_len);
        assert_non_null(part);
        memcpy(part, text + at, part_len);
        status = entry_list_feed(&list, part, part_len, why);
        free(part);
    }
    if (status == STATUS_OK)
        status = entry_list_finish(&list, why);
    entry_list_clear(&list);
    return status;
}

static enum status read_text(const char *root_text, const char *text, struct detail *why)
{
    size_t len = strlen(text);
    return read_pieces(root_text, text, len, len ? len : 1, why);
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

static void reads_what_is_written_and_less(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct detail why = {""};
        for (size_t piece = 1; piece < 200; piece += 66) {
            enum status status =
                read_pieces(good[i].root, good[i].text, strlen(good[i].text), piece, &why);
            assert_string_equal(why.text, "");
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(got.number, 1);
            assert_string_equal(got.item.key.text, good[i].key);
            assert_string_equal(got.value, good[i].value);
            assert_int_equal(got.item.ttl_s, good[i].ttl_s);
            assert_false(got.item.is_unspecified);
        }
    }
}

#define N(n) "{\"service\":\"t/n" n "\",\"location\":\"0.0.0.0:1\"}"

static void reads_arrays_and_objects_one_after_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t count;
    } rows[] = {
        {"[]", 0},
        {" [ ]\n", 0},
        {N("1"), 1},
        {N("1") N("2") "\n" N("3") "\n", 3},
        {"[" N("1") ", " N("2") "][]" N("3") "[" N("4") "]", 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct detail why = {""};
        assert_int_equal(read_text("/foo", rows[i].text, &why), STATUS_OK);
        assert_int_equal(got.number, rows[i].count);
        assert_true(rows[i].count == 0 || got.item.is_unspecified);
    }
}

static const struct {
    const char *text, *why;
} bad[] = {
    {"{\"a\":x}", "not JSON"},
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
        struct detail why = {""};
        char text[600], wanted[200];
        snprintf(text, sizeof(text), "[%s,%s]", N("1"), bad[i].text);
        snprintf(wanted, sizeof(wanted), "entry 2: %s", bad[i].why);
        assert_int_equal(read_text("/foo", text, &why), STATUS_BAD_INPUT);
        assert_int_equal(got.number, 1);
        if (strstr(why.text, wanted) != why.text)
            fail_msg("%s", why.text);
    }
}

static void says_where_a_list_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "empty: not even an empty array"},
        {" \n", "empty: not even an empty array"},
        {"[", "cut off behind entry 0"},
        {"[" N("1"), "cut off behind entry 1"},
        {"[" N("1") "," N("2") ",{\"service\":", "cut off behind entry 2"},
        {"[" N("1") ",,", "not an array of JSON objects behind entry 1"},
        {"[" N("1") ",5]", "not an array of JSON objects behind entry 1"},
        {"hello", "not an array of JSON objects behind entry 0"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct detail why = {""};
        assert_int_equal(read_text("/foo", rows[i].text, &why), STATUS_BAD_REPLY);
        assert_string_equal(why.text, rows[i].why);
    }
    struct detail why;
    assert_int_equal(read_pieces("/foo", "{\"service\":\"t/n\0\"}", 19, 19, &why),
                     STATUS_BAD_INPUT);
    assert_string_equal(why.text, "entry 1: not JSON");
}

static void a_service_comes_once(void **state)
{
    (void)state;
    struct detail why;
    assert_int_equal(read_text("/foo", N("1") N("2") N("1"), &why), STATUS_BAD_INPUT);
    assert_string_equal(why.text, "entry 3: \"/foo/service/t/n1\": given twice");
    assert_int_equal(got.number, 2);
    /* However it is written. */
    assert_int_equal(
        read_text("/foo", N("1") "{\"service\":\"/foo/service/t/n1\",\"location\":\"h:1\"}", &why),
        STATUS_BAD_INPUT);
    assert_string_equal(why.text, "entry 2: \"/foo/service/t/n1\": given twice");
}

static void what_its_reader_says_ends_it(void **state)
{
    (void)state;
    struct detail why;
    got.stop_at = 2;
    assert_int_equal(read_text("/foo", N("1") N("2") N("3"), &why), STATUS_CANCELLED);
    got.stop_at = 0;
    assert_int_equal(got.number, 2);
}

static const struct {
    const char *value, *json;
    struct scan_row row;
    bool is_switch;
} written[] = {
    {"10.1.2.3:80",
     "{\"service\": \"/k\", \"location\": \"10.1.2.3:80\", \"ttl\": null}",
     {0},
     false},
    {"h:1",
     "{\"service\": \"/k\", \"location\": \"h:1\", \"ttl\": 0}",
     {.lease = 5, .left_s = 0},
     false},
    {"no location",
     "{\"service\": \"/k\", \"location\": \"no location\", \"ttl\": 25}",
     {.lease = 5, .left_s = 25},
     false},
    {"", "{\"service\": \"/k\", \"location\": null, \"ttl\": null}", {.is_cut = true}, false},
    {"h:1", "{\"switch\": \"/k\", \"value\": \"h:1\", \"ttl\": null}", {0}, true},
    {"{\"location\":\"h:1\",\"weight\":3}",
     "{\"switch\": \"/k\", \"value\": \"{\\\"location\\\":\\\"h:1\\\",\\\"weight\\\":3}\", "
     "\"ttl\": null}",
     {0},
     true},
    {"\xff\n",
     "{\"switch\": \"/k\", \"value\": \"\xef\xbf\xbd\\u000a\", \"ttl\": null}",
     {0},
     true},
    {"{\"location\":\"h:1\",\"protocol\":\"udp\",\"priority\":0,\"weight\":1,\"txt\":{\"b\":true,"
     "\"p\":\"=\\u202e\"},\"subtypes\":[\"__x\",\"y\"],\"state\":\"draining\"}",
     "{\"service\": \"/k\", \"location\": \"h:1\", \"ttl\": null, \"protocol\": \"udp\", "
     "\"priority\": 0, \"weight\": 1, \"txt\": {\"b\": true, \"p\": \"=\\u202e\"}, "
     "\"subtypes\": [\"__x\", \"y\"], \"state\": \"draining\"}",
     {0},
     false},
};

static void writes_services_and_switches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        struct scan_row row = written[i].row;
        struct buffer out;
        row.key = "/k";
        row.key_len = 2;
        row.value = written[i].value;
        row.value_len = strlen(written[i].value);
        buffer_init(&out, 1000);
        entry_list_write(&out, &row, !written[i].is_switch);
        assert_int_equal(out.status, STATUS_OK);
        assert_string_equal(out.data, written[i].json);
        buffer_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_written_and_less),
        cmocka_unit_test(reads_arrays_and_objects_one_after_the_other),
        cmocka_unit_test(names_the_service_and_the_member),
        cmocka_unit_test(says_where_a_list_is_none),
        cmocka_unit_test(a_service_comes_once),
        cmocka_unit_test(what_its_reader_says_ends_it),
        cmocka_unit_test(writes_services_and_switches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
