#include "support/foreign_locale.h"

#include "registry/entry.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define X10     "xxxxxxxxxx"
#define X50     X10 X10 X10 X10 X10
#define X250    X50 X50 X50 X50 X50
#define X0      "0000000000000000000000000000000000000000"
#define DEEP    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
#define SHALLOW "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
#define FULL                                                                                       \
    "{\"location\":\"baz:1235\",\"protocol\":\"udp\",\"priority\":10,\"weight\":5,"                \
    "\"txt\":{\"path\":\"/\",\"beta\":true},\"subtypes\":[\"printer\"],\"state\":\"draining\"}"

/* From a block of exactly that size, so that a sanitizer sees a step beyond it. */
static enum status parse(const char *value, size_t len, struct entry *out, char **copy)
{
    struct detail why = {.text = ""};
    *copy = malloc(len ? len : 1);
    assert_non_null(*copy);
    memcpy(*copy, value, len);
    enum status status = entry_parse(*copy, len, out, &why);
    assert_true((status == STATUS_OK) == (why.text[0] == '\0'));
    return status;
}

static void assert_entry_string(const struct entry_string *string, const char *text, size_t len)
{
    assert_int_equal(string->len, len);
    assert_memory_equal(string->text, text, len);
}

static void reads_a_plain_location_without_allocating(void **state)
{
    (void)state;
    static const char value[] = "baz:1235";
    struct entry entry;
    assert_int_equal(entry_parse(value, strlen(value), &entry, NULL), STATUS_OK);
    assert_null(entry.owned);
    assert_ptr_equal(entry.location_text.text, value);
    assert_int_equal(entry.location_text.len, 8);
    assert_int_equal(entry.location.port, 1235);
    assert_int_equal(entry.protocol, ENTRY_PROTOCOL_NONE);
    assert_int_equal(entry.priority, 0);
    assert_int_equal(entry.weight, 1);
    assert_false(entry.has_priority || entry.has_weight || entry.is_draining);
    assert_int_equal(entry.txt_count + entry.subtype_count + entry.ignored, 0);
    entry_clear(&entry);
}

static void reads_every_member(void **state)
{
    (void)state;
    struct entry entry;
    char *copy;
    assert_int_equal(parse(FULL, strlen(FULL), &entry, &copy), STATUS_OK);
    assert_entry_string(&entry.location_text, "baz:1235", 8);
    assert_int_equal(entry.location.port, 1235);
    assert_int_equal(entry.protocol, ENTRY_PROTOCOL_UDP);
    assert_true(entry.has_priority && entry.has_weight && entry.is_draining);
    assert_int_equal(entry.priority, 10);
    assert_int_equal(entry.weight, 5);
    assert_int_equal(entry.txt_count, 2);
    assert_entry_string(&entry.txt[0], "beta", 4);
    assert_entry_string(&entry.txt[1], "path=/", 6);
    assert_int_equal(entry.subtype_count, 1);
    assert_entry_string(&entry.subtypes[0], "printer", 7);
    assert_int_equal(entry.ignored, 0);
    entry_clear(&entry);
    entry_clear(&entry);
    free(copy);
}

static void refuses_what_has_no_good_location(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t len; /* 0 = up to the NUL */
    } rows[] = {
        {"", 0},
        {"baz", 0},
        {"baz:1235 ", 0},
        {"baz:1235 \n", 0},
        {"baz:1235\t", 0},
        {"baz:1235\v", 0},
        {"\nbaz:1235", 0},
        {"\n", 0},
        {"\r\n\r\n", 0},
        {" {\"location\":\"baz:1235\"}", 0},
        {"[\"baz:1235\"]", 0},
        {"\"baz:1235\"", 0},
        {"{", 0},
        {"{}", 0},
        {"{\"location\":\"baz:1235\"", 0},
        {"{\"location\":\"baz:1235\"}x", 0},
        {"{\"location\":\"baz:1235\"}{}", 0},
        {"{\"location\":\"baz:1235\"}\0", 24},
        {"{\"location\":\"baz:1235\0\"}", 24},
        {"{\"location\":\"baz:1235\\u0000\"}", 0},
        {"{\"location\":\"baz:1235\\uZZZZ\"}", 0},
        {"{\"location\":\"baz:1235\",\"x\":\"\\u00\"}", 0},
        {"{\"location\":\"baz:1235\",\"x\":\"\\u", 0},
        {"{\"location\":\"baz:1235\",\"x\":\"\\", 0},
        {"{\"location\":\"baz:1235\",\"x\":\"\\ud8\"}", 0},
        {"{\"location\":\"baz:1235\",\"x\":[}", 0},
        {"{\"location\":\"baz:1235\",\"x\":" DEEP "[}" SHALLOW "}", 0},
        {"{\"location\":\"baz:1235\",\"x\":" DEEP SHALLOW "]}", 0},
        {"{\"location\":\"baz:1235\",\"x\":" DEEP "\"", 0},
        {"{\"location\":\"baz:1235\",\"x\":1" X0 "1" X0 ".5.5}", 0},
        {"{\"location\":\"baz:1235\",\"x\":1" X0 "1", 0},
        {"{\"location\":\"baz:1235\",}", 0},
        {"{\"location\":\"baz:1235\",\"x\":NaN}", 0},
        {"{\"location\":\"baz:0\"}", 0},
        {"{\"location\":\"\"}", 0},
        {"{\"location\":1235}", 0},
        {"{\"location\":null}", 0},
        {"{\"location\":[\"baz:1235\"]}", 0},
        {"{\"Location\":\"baz:1235\"}", 0},
        {"{\"location\":1,\"location\":\"baz:1235\"}", 0},
        {"{\"location\\u0000\":\"baz:1235\"}", 0},
        {"{\"x\":{\"location\":\"baz:1235\"}}", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct entry entry = {.weight = 7};
        char *copy;
        size_t len = rows[i].len ? rows[i].len : strlen(rows[i].value);
        if (parse(rows[i].value, len, &entry, &copy) != STATUS_BAD_INPUT)
            fail_msg("taken: %s", rows[i].value);
        assert_int_equal(entry.weight, 7);
        free(copy);
    }
}

/* As `echo ... | etcdctl put`, an editor and another system leave it. */
static void does_without_the_line_end_behind_a_value(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "\n", "\r\n", "\n\n", "\r\n\r\n", "\r"};
    static const char *const values[] = {"baz:1235", "{\"location\":\"baz:1235\"}",
                                         "{\"location\":\"baz:1235\\r\\n\"}"};
    for (size_t i = 0; i < 6 * 3; i++) {
        char value[64], *copy, *rendered;
        struct entry entry;
        size_t len;
        snprintf(value, sizeof(value), "%s%s", values[i / 6], ends[i % 6]);
        assert_int_equal(parse(value, strlen(value), &entry, &copy), STATUS_OK);
        assert_entry_string(&entry.location_text, "baz:1235", 8);
        assert_int_equal(entry.ignored, 0);
        assert_int_equal(entry_render(&entry, &rendered, &len), STATUS_OK);
        assert_string_equal(rendered, "baz:1235");
        free(rendered);
        entry_clear(&entry);
        free(copy);
    }
    assert_int_equal(entry_text_len("\n\r\n", 3), 0);
    assert_int_equal(entry_text_len(" \n", 2), 1);
}

static void survives_nesting_without_end(void **state)
{
    (void)state;
    static char value[ENTRY_VALUE_MAX];
    struct entry entry;
    int len = snprintf(value, sizeof(value), "{\"location\":\"a:1\",\"x\":");
    memset(value + len, '[', sizeof(value) - (size_t)len);
    assert_int_equal(entry_parse(value, sizeof(value), &entry, NULL), STATUS_BAD_INPUT);
}

static void refuses_a_value_that_is_too_long(void **state)
{
    (void)state;
    struct entry entry;
    char *value = calloc(1, ENTRY_VALUE_MAX + 1);
    assert_non_null(value);
    memset(value, ' ', ENTRY_VALUE_MAX + 1);
    memcpy(value, "{\"location\":\"a:1\"}", 18);
    assert_int_equal(entry_parse(value, ENTRY_VALUE_MAX + 1, &entry, NULL), STATUS_BAD_INPUT);
    assert_int_equal(entry_parse(value, ENTRY_VALUE_MAX, &entry, NULL), STATUS_OK);
    entry_clear(&entry);
    free(value);
}

/* What is behind the location; the value that the entry then is rendered as; how many are ignored.
 */
static const struct {
    const char *members, *rendered;
    unsigned ignored;
} members[] = {
    {"", "", 0},
    {",\"unknown\":[1,{\"a\":null}]", "", 0},
    {",\"x\":\"\\ud800\",\"\\udfff\":\"\\udc00\\ud800\"", "", 0},
    {",\"x\":" DEEP "{\"a\":[1,\"]\"]}" SHALLOW ",\"priority\":1", ",\"priority\":1", 0},
    {",\"priority\":" DEEP SHALLOW ",\"txt\":{\"a\":" DEEP SHALLOW ",\"b\":\"1\"}",
     ",\"txt\":{\"b\":\"1\"}", 2},
    {",\"priority\":10." X0 X0 ",\"weight\":1" X0 X0, ",\"priority\":10", 1},
    {",\"priority\":10." X0 X0 "5,\"weight\":1.0" X0 X0 "e1", ",\"priority\":10,\"weight\":10", 0},
    {",\"priority\":" X0 X0 "7,\"weight\":-1e" X0 X0 "999", ",\"priority\":7", 1},
    {",\"txt\":{\"a\":\"\\ud800\",\"b\":\"x\\udc00\\ud83d\\ude00\\ud83dy\\ud800\\ud800\\u0041\"}",
     ",\"txt\":{\"a\":\"\xef\xbf\xbd\",\"b\":"
     "\"x\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbdy\xef\xbf\xbd"
     "\xef\xbf\xbd"
     "A\"}",
     0},
    {",\"txt\":{\"\\ud800\":\"x\",\"c\":true}", ",\"txt\":{\"c\":true}", 1},
    {",\"txt\":{\"raw\":\"\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff\\u0000\"}",
     ",\"txt\":{\"raw\":\"\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff\xef\xbf\xbd\"}", 0},
    {",\"state\":\"\\ud800\",\"protocol\":\"\\udc00\"", "", 2},
    {",\"subtypes\":[\"\\ud800\"]", ",\"subtypes\":[\"\xef\xbf\xbd\"]", 0},
    {",\"protocol\":\"tcp\"", ",\"protocol\":\"tcp\"", 0},
    {",\"protocol\":\"TCP\"", "", 1},
    {",\"protocol\":\"sctp\"", "", 1},
    {",\"protocol\":6", "", 1},
    {",\"protocol\":\"udp\",\"protocol\":\"tcp\"", ",\"protocol\":\"udp\"", 0},
    {",\"protocol\":null,\"protocol\":\"tcp\"", "", 1},
    {",\"priority\":0", ",\"priority\":0", 0},
    {",\"priority\":65535,\"weight\":65535", ",\"priority\":65535,\"weight\":65535", 0},
    {",\"priority\":1e2", ",\"priority\":100", 0},
    {",\"priority\":-0", ",\"priority\":0", 0},
    {",\"priority\":65536", "", 1},
    {",\"priority\":-1", "", 1},
    {",\"priority\":10.5", "", 1},
    {",\"priority\":65535.5", "", 1},
    {",\"priority\":1e999", "", 1},
    {",\"priority\":-1e999", "", 1},
    {",\"priority\":\"10\",\"weight\":true", "", 2},
    {",\"state\":\"up\"", "", 0},
    {",\"state\":\"down\"", "", 1},
    {",\"state\":true", "", 1},
    {",\"txt\":[\"a\"]", "", 1},
    {",\"txt\":\"a=b\"", "", 1},
    {",\"txt\":{}", "", 0},
    {",\"txt\":{\"a\":1,\"b\":null,\"c\":false,\"d\":{},\"e\":[]}", "", 5},
    {",\"txt\":{\"\":\"x\",\"a=b\":\"x\",\"\\u00e9\":\"x\",\"a\\tb\":\"x\"}", "", 4},
    {",\"txt\":{\"a\\u0000b\":\"x\"}", "", 1},
    {",\"txt\":{\"a\":\"\"}", ",\"txt\":{\"a\":\"\"}", 0},
    {",\"txt\":{\"a\":\"=b=\"}", ",\"txt\":{\"a\":\"=b=\"}", 0},
    {",\"txt\":{\" \":true}", ",\"txt\":{\" \":true}", 0},
    {",\"txt\":{\"b\":\"2\",\"a-b\":\"1\",\"a\":\"1\",\"A\":true,\"B\":\"3\"}",
     ",\"txt\":{\"a-b\":\"1\",\"a\":\"1\",\"b\":\"2\"}", 2},
    {",\"txt\":{\"A\":\"1\",\"a\":\"0\"}", ",\"txt\":{\"A\":\"1\"}", 1},
    {",\"txt\":{\"id\":\"1\",\"ID\":\"2\"}", ",\"txt\":{\"id\":\"1\"}", 1},
    {",\"txt\":{\"a\":\"0\"},\"txt\":{\"b\":\"1\"}", ",\"txt\":{\"a\":\"0\"}", 0},
    {",\"txt\":{\"kkkk\":\"" X250 "\"}", ",\"txt\":{\"kkkk\":\"" X250 "\"}", 0},
    {",\"txt\":{\"kkkkk\":\"" X250 "\"}", "", 1},
    {",\"txt\":{\"q\":\"\\\"\\\\\\/\\b\\u001f\\u007f\\u00e9\\ud83d\\ude00\"}",
     ",\"txt\":{\"q\":\"\\\"\\\\/\\u0008\\u001f\\u007f\xc3\xa9\xf0\x9f\x98\x80\"}", 0},
    {",\"txt\":{\"raw\":\"\xff\xc0\x80\\u0000\"}", ",\"txt\":{\"raw\":\"\xff\xc0\x80\\u0000\"}", 0},
    {",\"txt\":{\"no\":\"\\\\u0000\"}", ",\"txt\":{\"no\":\"\\\\u0000\"}", 0},
    {",\"subtypes\":\"a\"", "", 1},
    {",\"subtypes\":[]", "", 0},
    {",\"subtypes\":[1,\"\",\"_\",\"a\\nb\",\"\xff\",\"\\u0000\"]", "", 6},
    {",\"subtypes\":[\"b\",\"A\",\"a\",\"b\"]", ",\"subtypes\":[\"A\",\"b\"]", 0},
    {",\"subtypes\":[\"_printer\",\"printer\"]", ",\"subtypes\":[\"printer\"]", 0},
    {",\"subtypes\":[\"__a\"]", ",\"subtypes\":[\"__a\"]", 0},
    {",\"subtypes\":[\"" X50 X10 "xx\"]", ",\"subtypes\":[\"" X50 X10 "xx\"]", 0},
    {",\"subtypes\":[\"" X50 X10 "xxx\"]", "", 1},
};

static void ignores_and_counts_bad_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char value[1024], expected[1024], *copy, *rendered;
        size_t rendered_len;
        struct entry entry;
        int len = snprintf(value, sizeof(value), "{\"location\":\"a:1\"%s}", members[i].members);
        bool is_plain = members[i].rendered[0] == '\0';
        snprintf(expected, sizeof(expected), "%sa:1%s%s%s", is_plain ? "" : "{\"location\":\"",
                 is_plain ? "" : "\"", members[i].rendered, is_plain ? "" : "}");
        assert_int_equal(parse(value, (size_t)len, &entry, &copy), STATUS_OK);
        assert_int_equal(entry.ignored, members[i].ignored);
        assert_int_equal(entry_render(&entry, &rendered, &rendered_len), STATUS_OK);
        assert_string_equal(rendered, expected);
        assert_int_equal(rendered_len, strlen(expected));
        assert_true((entry.txt == NULL) == (entry.txt_count == 0));
        assert_true((entry.subtypes == NULL) == (entry.subtype_count == 0));
        free(rendered);
        entry_clear(&entry);
        free(copy);
    }
}

/* A program that links libempusa may have any. It has it still when the value is read. */
static void the_locale_makes_no_difference(void **state)
{
    foreign_locale_enter();
    ignores_and_counts_bad_members(state);
    assert_string_equal(localeconv()->decimal_point, ",");
    foreign_locale_leave();
}

static void keeps_nul_octets_in_strings(void **state)
{
    (void)state;
    static const char value[] = "{\"location\":\"a:1\",\"txt\":{\"k\":\"a\\u0000\xff\\u0000\"}}";
    struct entry entry;
    char *copy;
    assert_int_equal(parse(value, strlen(value), &entry, &copy), STATUS_OK);
    assert_int_equal(entry.txt_count, 1);
    assert_entry_string(&entry.txt[0], "k=a\0\xff\0", 6);
    entry_clear(&entry);
    free(copy);
}

/* A value with `count` members "000<rest>, "001<rest>, ... between `open` and `close`. */
static size_t make_many(char *out, size_t size, const char *open, const char *rest, unsigned count,
                        const char *close)
{
    size_t len = (size_t)snprintf(out, size, "{\"location\":\"a:1\",%s", open);
    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(out + len, size - len, "%s\"%03u%s", i ? "," : "", i, rest);
    return len + (size_t)snprintf(out + len, size - len, "%s}", close);
}

static void bounds_the_number_of_pairs_and_subtypes(void **state)
{
    (void)state;
    static char value[ENTRY_VALUE_MAX];
    struct entry entry;
    size_t len = make_many(value, sizeof(value), "\"txt\":{", "\":true", 130, "}");
    assert_int_equal(entry_parse(value, len, &entry, NULL), STATUS_OK);
    assert_int_equal(entry.txt_count, ENTRY_TXT_MAX);
    assert_int_equal(entry.ignored, 2);
    entry_clear(&entry);
    len = make_many(value, sizeof(value), "\"txt\":{", "\":\"" X250 "\"", 40, "}");
    assert_int_equal(entry_parse(value, len, &entry, NULL), STATUS_OK);
    assert_int_equal(entry.txt_count, 32); /* of 255 octets */
    assert_int_equal(entry.ignored, 8);
    entry_clear(&entry);
    len = make_many(value, sizeof(value), "\"subtypes\":[", "\"", 40, "]");
    assert_int_equal(entry_parse(value, len, &entry, NULL), STATUS_OK);
    assert_int_equal(entry.subtype_count, ENTRY_SUBTYPES_MAX);
    assert_int_equal(entry.ignored, 8);
    entry_clear(&entry);
}

static void sorts_what_is_filled_by_hand(void **state)
{
    (void)state;
    struct entry_string txt[] = {{"b=1", 3}, {"B=0", 3}, {"a", 1}, {"b", 1}, {"a-=", 3}};
    struct entry_string subtypes[] = {{"two", 3}, {"one", 3}, {"TWO", 3}};
    struct entry entry = {.location_text = {"baz:1", 5},
                          .txt = txt,
                          .txt_count = 5,
                          .subtypes = subtypes,
                          .subtype_count = 3};
    char *rendered;
    size_t len;
    assert_int_equal(entry_sort(&entry), 2);
    assert_int_equal(entry_sort(&entry), 0);
    assert_int_equal(entry_render(&entry, &rendered, &len), STATUS_OK);
    assert_string_equal(rendered, "{\"location\":\"baz:1\",\"txt\":{\"a\":true,\"a-\":\"\",\"b\":"
                                  "\"1\"},\"subtypes\":[\"one\",\"two\"]}");
    free(rendered);
}

static void refuses_to_render_what_is_too_large(void **state)
{
    (void)state;
    static char octets[ENTRY_VALUE_MAX / 6];
    struct entry_string txt = {octets, sizeof(octets)};
    struct entry entry = {.location_text = {"baz:1", 5}, .txt = &txt, .txt_count = 1};
    char *rendered = NULL;
    size_t len = 7;
    assert_int_equal(entry_render(&entry, &rendered, &len), STATUS_TOO_LARGE);
    assert_null(rendered);
    assert_int_equal(len, 7);
}

static void checks_pairs(void **state)
{
    (void)state;
    static const struct {
        const char *pair;
        enum status status;
    } rows[] = {
        {"a", STATUS_OK},
        {"a=", STATUS_OK},
        {"a=b=c", STATUS_OK},
        {" a~=\xff\n", STATUS_OK},
        {"", STATUS_BAD_INPUT},
        {"=b", STATUS_BAD_INPUT},
        {"=", STATUS_BAD_INPUT},
        {"\xc3\xa9=b", STATUS_BAD_INPUT},
        {"a\tb", STATUS_BAD_INPUT},
        {"a\x7f=b", STATUS_BAD_INPUT},
        {"kkk=" X250 "x", STATUS_OK},
        {"kkkk=" X250 "x", STATUS_BAD_INPUT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct detail why;
        assert_int_equal(entry_check_txt(rows[i].pair, strlen(rows[i].pair), &why), rows[i].status);
    }
}

static void checks_subtypes(void **state)
{
    (void)state;
    static const struct {
        const char *subtype;
        enum status status;
    } rows[] = {
        {"printer", STATUS_OK},        {"_printer", STATUS_OK},
        {"\xc3\xa9 .", STATUS_OK},     {X50 X10 "xx", STATUS_OK},
        {"_" X50 X10 "xx", STATUS_OK}, {"", STATUS_BAD_INPUT},
        {"_", STATUS_BAD_INPUT},       {"a\n", STATUS_BAD_INPUT},
        {"\xff", STATUS_BAD_INPUT},    {X50 X10 "xxx", STATUS_BAD_INPUT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct detail why;
        assert_int_equal(entry_check_subtype(rows[i].subtype, strlen(rows[i].subtype), &why),
                         rows[i].status);
    }
}

static unsigned allocations_left;

static void *failing_malloc(size_t size)
{
    if (allocations_left == 0) {
        errno = ENOMEM;
        return NULL;
    }
    allocations_left--;
    return malloc(size);
}

static void survives_the_failure_of_each_allocation(void **state)
{
    (void)state;
    cJSON_Hooks hooks = {.malloc_fn = failing_malloc, .free_fn = free};
    enum status status = STATUS_NO_MEMORY;
    unsigned n = 0;
    cJSON_InitHooks(&hooks);
    for (; status != STATUS_OK; n++) {
        struct entry entry = {.weight = 7};
        struct detail why;
        char *rendered = NULL;
        size_t len;
        allocations_left = n;
        status = entry_parse(FULL, strlen(FULL), &entry, &why);
        if (status == STATUS_OK) {
            status = entry_render(&entry, &rendered, &len);
            entry_clear(&entry);
        } else {
            assert_int_equal(entry.weight, 7);
        }
        assert_true(status == STATUS_OK || status == STATUS_NO_MEMORY);
        free(rendered);
    }
    cJSON_InitHooks(NULL);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_plain_location_without_allocating),
        cmocka_unit_test(reads_every_member),
        cmocka_unit_test(refuses_what_has_no_good_location),
        cmocka_unit_test(does_without_the_line_end_behind_a_value),
        cmocka_unit_test(survives_nesting_without_end),
        cmocka_unit_test(refuses_a_value_that_is_too_long),
        cmocka_unit_test(ignores_and_counts_bad_members),
        cmocka_unit_test(the_locale_makes_no_difference),
        cmocka_unit_test(keeps_nul_octets_in_strings),
        cmocka_unit_test(bounds_the_number_of_pairs_and_subtypes),
        cmocka_unit_test(sorts_what_is_filled_by_hand),
        cmocka_unit_test(refuses_to_render_what_is_too_large),
        cmocka_unit_test(checks_pairs),
        cmocka_unit_test(checks_subtypes),
        cmocka_unit_test(survives_the_failure_of_each_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
