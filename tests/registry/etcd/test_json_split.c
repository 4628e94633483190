#include "registry/etcd/json_split.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Everything that is told, one mark and a text after the other. */
struct told {
    struct buffer text;
    unsigned elements;
    size_t longest;
    enum status answer; /* of each callback */
};

static enum status tell(struct told *told, const char *mark, const char *text, size_t len)
{
    buffer_add_text(&told->text, mark);
    buffer_add(&told->text, text, len);
    return told->answer;
}

static enum status on_begin(void *arg, const char *text, size_t len)
{
    return tell(arg, "B", text, len);
}

static enum status on_element(void *arg, const char *text, size_t len)
{
    return tell(arg, "E", text, len);
}

static enum status on_rest(void *arg, const char *text, size_t len)
{
    assert_int_equal(strlen(text), len);
    return tell(arg, "R", text, len);
}

static const struct json_split_events events = {on_begin, on_element, on_rest};

/* Feed in pieces of `piece` octets. */
static enum status feed(const char *parent, const char *array, const char *text, size_t piece,
                        struct told *told, bool *is_between)
{
    struct json_split stream;
    enum status status = STATUS_OK;
    size_t len = strlen(text);
    json_split_init(&stream, parent, array, &events, told);
    for (size_t at = 0; at < len && status == STATUS_OK; at += piece) {
        size_t part = len - at < piece ? len - at : piece;
        /* A copy of its own, so that a sanitizer sees a step beyond it. */
        char *copy = malloc(part);
        assert_non_null(copy);
        memcpy(copy, text + at, part);
        status = json_split_feed(&stream, copy, part);
        free(copy);
    }
    *is_between = json_split_at_boundary(&stream);
    json_split_clear(&stream);
    return status;
}

static const struct {
    const char *parent, *array, *text;
    enum status status;
    bool is_between;
    const char *told;
} rows[] = {
    {NULL, "kvs", "{\"header\":{\"r\":\"1\"},\"kvs\":[{\"a\":1},{\"b\":[{}]}],\"more\":true}\n",
     STATUS_OK, true,
     "B{\"header\":{\"r\":\"1\"},\"kvs\":[E{\"a\":1}E{\"b\":[{}]}R{\"header\":{\"r\":\"1\"},"
     "\"kvs\":[],\"more\":true}"},
    /* the other dialect's blanks */
    {NULL, "kvs", "{\"header\" : {}, \"kvs\" : [ {\"a\":1}, {} ] }", STATUS_OK, true,
     "B{\"header\" : {}, \"kvs\" : [E{\"a\":1}E{}R{\"header\" : {}, \"kvs\" : [] }"},
    {NULL, "kvs", "{\"kvs\":[]}", STATUS_OK, true, "B{\"kvs\":[R{\"kvs\":[]}"},
    {NULL, "kvs", "{}", STATUS_OK, true, "R{}"},
    {NULL, "kvs", " \n", STATUS_OK, true, ""},
    /* brackets and quotes in strings mean nothing */
    {NULL, "kvs", "{\"x\":\"\\\"}]{[\\\\\",\"kvs\":[{\"k\":\"}\\\"]{\\\\\"}]}", STATUS_OK, true,
     "B{\"x\":\"\\\"}]{[\\\\\",\"kvs\":[E{\"k\":\"}\\\"]{\\\\\"}R{\"x\":\"\\\"}]{[\\\\\","
     "\"kvs\":[]}"},
    /* only the member of that name at that depth, and only an array */
    {NULL, "kvs", "{\"h\":{\"kvs\":[{}]},\"s\":\"kvs\",\"a\":[{}],\"kvs\":{\"a\":[{}]}}", STATUS_OK,
     true, "R{\"h\":{\"kvs\":[{}]},\"s\":\"kvs\",\"a\":[{}],\"kvs\":{\"a\":[{}]}}"},
    {"result", "events", "{\"result\":{\"events\":[{\"a\":1}]}}\n{\"result\":{}}\n", STATUS_OK,
     true, "B{\"result\":{\"events\":[E{\"a\":1}R{\"result\":{\"events\":[]}}R{\"result\":{}}"},
    {"result", "events", "{\"events\":[{}],\"other\":{\"events\":[{}]}}", STATUS_OK, true,
     "R{\"events\":[{}],\"other\":{\"events\":[{}]}}"},
    /* an error without a line end, as v1 sends it */
    {"result", "events", "{\"result\":{}}\n{\"error\":{\"grpc_code\":14}}", STATUS_OK, true,
     "R{\"result\":{}}R{\"error\":{\"grpc_code\":14}}"},
    /* cut off */
    {NULL, "kvs", "{\"kvs\":[{\"a\":", STATUS_OK, false, "B{\"kvs\":["},
    {NULL, "kvs", "{\"kvs\":[{\"a\":1}", STATUS_OK, false, "B{\"kvs\":[E{\"a\":1}"},
    {NULL, "kvs", "{\"a\":\"", STATUS_OK, false, ""},
    /* nothing of the kind */
    {NULL, "kvs", "404 page not found", STATUS_BAD_REPLY, true, ""},
    {NULL, "kvs", "[]", STATUS_BAD_REPLY, true, ""},
    {NULL, "kvs", "{}x", STATUS_BAD_REPLY, true, "R{}"},
    {NULL, "kvs", "{\"kvs\":[1]}", STATUS_BAD_REPLY, false, "B{\"kvs\":["},
    {NULL, "kvs", "{\"kvs\":[{}}", STATUS_BAD_REPLY, false, "B{\"kvs\":[E{}"},
    /* one comma between two elements */
    {NULL, "kvs", "{\"kvs\":[{} {}]}", STATUS_BAD_REPLY, false, "B{\"kvs\":[E{}"},
    {NULL, "kvs", "{\"kvs\":[,{}]}", STATUS_BAD_REPLY, false, "B{\"kvs\":["},
    {NULL, "kvs", "{\"kvs\":[{},,{}]}", STATUS_BAD_REPLY, false, "B{\"kvs\":[E{}"},
    {NULL, "kvs", "{\"kvs\":[{},]}", STATUS_BAD_REPLY, false, "B{\"kvs\":[E{}"},
    {NULL, "kvs", "{\"kvs\":[{}]}{\"kvs\":[{}]}", STATUS_OK, true,
     "B{\"kvs\":[E{}R{\"kvs\":[]}B{\"kvs\":[E{}R{\"kvs\":[]}"},
    /* the array is the value itself, or there is none */
    {NULL, NULL, "[{\"a\":[1,{}]}, {} ]\n", STATUS_OK, true, "B[E{\"a\":[1,{}]}E{}R[]"},
    {NULL, NULL, " [ ] ", STATUS_OK, true, "B[R[]"},
    {NULL, NULL, "[{}]\n[{}]", STATUS_OK, true, "B[E{}R[]B[E{}R[]"},
    {NULL, NULL, "{\"a\":\"}\"}\n{\"b\":[{}]}\n", STATUS_OK, true, "E{\"a\":\"}\"}E{\"b\":[{}]}"},
    {NULL, NULL, "[{}", STATUS_OK, false, "B[E{}"},
    {NULL, NULL, "[{\"a\":", STATUS_OK, false, "B["},
    {NULL, NULL, "{\"a\":\"", STATUS_OK, false, ""},
    {NULL, NULL, "5", STATUS_BAD_REPLY, true, ""},
    {NULL, NULL, "[5]", STATUS_BAD_REPLY, false, "B["},
    {NULL, NULL, "[[{}]]", STATUS_BAD_REPLY, false, "B["},
    {NULL, NULL, "[{}{}]", STATUS_BAD_REPLY, false, "B[E{}"},
    {NULL, NULL, "{},{}", STATUS_BAD_REPLY, true, "E{}"},
    {NULL, NULL, "[]]", STATUS_BAD_REPLY, true, "B[R[]"},
};

static void replies_are_taken_apart_wherever_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text) + 1; piece++) {
            struct told told = {.answer = STATUS_OK};
            bool is_between;
            buffer_init(&told.text, 4096);
            assert_int_equal(
                feed(rows[i].parent, rows[i].array, rows[i].text, piece, &told, &is_between),
                rows[i].status);
            assert_string_equal(told.text.data ? told.text.data : "", rows[i].told);
            assert_int_equal(is_between, rows[i].is_between);
            buffer_clear(&told.text);
        }
    }
}

static void a_callback_may_end_it(void **state)
{
    (void)state;
    struct told told = {.answer = STATUS_CANCELLED};
    bool is_between;
    buffer_init(&told.text, 4096);
    assert_int_equal(feed(NULL, "kvs", "{\"kvs\":[{},{}]}", 99, &told, &is_between),
                     STATUS_CANCELLED);
    assert_string_equal(told.text.data, "B{\"kvs\":[");
    buffer_clear(&told.text);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    static const char *const heads[] = {"", "{\"kvs\":[{\"a\":"};
    for (size_t i = 0; i < 2; i++) {
        char text[400];
        struct told told = {.answer = STATUS_OK};
        bool is_between;
        buffer_init(&told.text, 4096);
        strcpy(text, heads[i]);
        for (unsigned k = 0; k <= JSON_SPLIT_DEPTH_MAX; k++)
            strcat(text, "{\"\":");
        assert_int_equal(feed(NULL, "kvs", text, 7, &told, &is_between), STATUS_BAD_REPLY);
        buffer_clear(&told.text);
    }
}

static enum status count_element(void *arg, const char *text, size_t len)
{
    struct told *told = arg;
    assert_int_equal(text[0], '{');
    told->elements++;
    told->longest = len > told->longest ? len : told->longest;
    return STATUS_OK;
}

static enum status ignore(void *arg, const char *text, size_t len)
{
    (void)arg, (void)text, (void)len;
    return STATUS_OK;
}

static const struct json_split_events counting = {ignore, count_element, ignore};

static void a_line_of_megabytes_needs_memory_for_one_element(void **state)
{
    (void)state;
    static const char event[] = "{\"kv\":{\"key\":\"L2Zvby9zZXJ2aWNlL3R5cGUvbmFtZQ==\","
                                "\"mod_revision\":\"123456\",\"value\":\"YmF6OjEyMzU=\"}},";
    struct told told = {0};
    struct json_split stream;
    json_split_init(&stream, "result", "events", &counting, &told);
    assert_int_equal(json_split_feed(&stream, "{\"result\":{\"events\":[", 21), STATUS_OK);
    /* 22 MB in pieces of odd lengths. */
    size_t len = sizeof(event) - 1, at = 0;
    for (size_t sent = 0; sent < 22000000;) {
        size_t part = 1 + sent % 97;
        part = part < len - at ? part : len - at;
        assert_int_equal(json_split_feed(&stream, event + at, part), STATUS_OK);
        at = (at + part) % len;
        sent += part;
    }
    assert_true(told.elements > 200000);
    assert_true(stream.element.capacity < 1024 && stream.outer.capacity < 1024);
    json_split_clear(&stream);
}

/* What etcd never sends: an element of many strings, a long rest. */
static void sizes_are_bounded(void **state)
{
    (void)state;
    static const char *const heads[] = {"{\"kvs\":[{\"a\":[", "{\"a\":\""};
    static const size_t limits[] = {JSON_SPLIT_ELEMENT_MAX, JSON_SPLIT_OUTER_MAX};
    for (size_t i = 0; i < 2; i++) {
        struct told told = {0};
        struct json_split stream;
        char many[4096];
        size_t sent = 0;
        enum status status;
        memset(many, '7', sizeof(many));
        json_split_init(&stream, NULL, "kvs", &counting, &told);
        status = json_split_feed(&stream, heads[i], strlen(heads[i]));
        for (; status == STATUS_OK; sent += sizeof(many))
            status = json_split_feed(&stream, many, sizeof(many));
        assert_int_equal(status, STATUS_BAD_REPLY);
        assert_in_range(sent, limits[i] - sizeof(many), limits[i] + sizeof(many));
        json_split_clear(&stream);
    }
}

/* What takes no memory has an end, too: blanks, and a string that is cut; not the blanks between two
 * values of a stream. */
static void what_is_not_kept_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        char filler;
    } fillers[] = {{"{\"kvs\":[", ' '}, {"{\"kvs\":[{\"a\":\"", 'x'}};
    static char many[1U << 20];
    for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
        struct told told = {0};
        struct json_split stream;
        size_t sent = 0;
        memset(many, fillers[i].filler, sizeof(many));
        json_split_init(&stream, NULL, "kvs", &counting, &told);
        enum status status = json_split_feed(&stream, fillers[i].head, strlen(fillers[i].head));
        for (; status == STATUS_OK; sent += sizeof(many))
            status = json_split_feed(&stream, many, sizeof(many));
        assert_int_equal(status, STATUS_BAD_REPLY);
        assert_int_equal(sent, JSON_SPLIT_GAP_MAX);
        json_split_clear(&stream);
    }
}

/* Nor does one get through for coming in one piece. */
static void a_whole_element_is_bounded_too(void **state)
{
    (void)state;
    static const char head[] = "{\"kvs\":[{\"a\":[", tail[] = "]}]}";
    size_t frame = strlen("{\"a\":[") + strlen("]}"); /* of the element */
    for (unsigned more = 0; more < 2; more++) {
        size_t len = JSON_SPLIT_ELEMENT_MAX - frame + more;
        struct told told = {0};
        struct json_split stream;
        struct buffer text;
        buffer_init(&text, 2 * JSON_SPLIT_ELEMENT_MAX);
        char *digits = malloc(len);
        assert_non_null(digits);
        memset(digits, '7', len);
        buffer_add_text(&text, head);
        buffer_add(&text, digits, len);
        buffer_add_text(&text, tail);
        free(digits);
        json_split_init(&stream, NULL, "kvs", &counting, &told);
        assert_int_equal(json_split_feed(&stream, text.data, text.len),
                         more ? STATUS_BAD_REPLY : STATUS_OK);
        assert_int_equal(told.elements, 1 - more);
        json_split_clear(&stream);
        buffer_clear(&text);
    }
}

/* Strings of an element around their limit, of octets and of escapes, in pieces of some lengths:
 * the element comes, with their beginnings, as JSON. */
static void a_long_string_is_cut(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\\/", "\\\\", "\\u0041", "ab\\\""};
    static const size_t pieces[] = {1, 7, 65536, 100 << 20};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) * 4; i++) {
        const char *unit = units[i / 4];
        size_t piece = pieces[i % 4], units_len = strlen(unit);
        struct told told = {.answer = STATUS_OK};
        struct buffer text;
        bool is_between;
        buffer_init(&text, 64U << 20);
        buffer_init(&told.text, 64U << 20);
        buffer_add_text(&text, "{\"kvs\":[{\"a\":\"short\",\"b\":\"");
        for (size_t at = 0; at < JSON_SPLIT_STRING_MAX + 4096; at += units_len)
            buffer_add(&text, unit, units_len);
        buffer_add_text(&text, "\",\"c\":7},{}]}");
        assert_int_equal(feed(NULL, "kvs", text.data, piece, &told, &is_between), STATUS_OK);
        char *element = strchr(told.text.data, 'E') + 1, *end = strstr(element, "E{}");
        assert_non_null(end);
        assert_in_range(end - element, JSON_SPLIT_STRING_MAX, JSON_SPLIT_STRING_MAX + 40);
        cJSON *object = cJSON_ParseWithLength(element, (size_t)(end - element));
        assert_string_equal(cJSON_GetObjectItem(object, "a")->valuestring, "short");
        assert_true(strlen(cJSON_GetObjectItem(object, "b")->valuestring) >
                    JSON_SPLIT_STRING_MAX / 7);
        assert_int_equal(cJSON_GetObjectItem(object, "c")->valueint, 7);
        cJSON_Delete(object);
        buffer_clear(&text);
        buffer_clear(&told.text);
    }
}

/* Processor time that a string of so many backslashes takes. */
static double measure(size_t len)
{
    struct told told = {0};
    struct json_split stream;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '\\', len);
    json_split_init(&stream, NULL, "kvs", &counting, &told);
    assert_int_equal(json_split_feed(&stream, "{\"kvs\":[{\"a\":\"", 14), STATUS_OK);
    clock_t began = clock();
    assert_int_equal(json_split_feed(&stream, text, len), STATUS_OK);
    double took = (double)(clock() - began + 1);
    json_split_clear(&stream);
    free(text);
    return took;
}

/* Sixteen times as long may take sixteen times as long, not 256 times. */
static void a_string_costs_its_length(void **state)
{
    (void)state;
    double ratio = 1e9;
    for (int i = 0; i < 5 && ratio > 64; i++)
        ratio = measure(512 << 10) / measure(32 << 10);
    assert_true(ratio <= 64);
}

static void a_stream_can_begin_anew(void **state)
{
    (void)state;
    struct told told = {0};
    struct json_split stream;
    json_split_init(&stream, NULL, "kvs", &counting, &told);
    assert_int_equal(json_split_feed(&stream, "{\"kvs\":[{},{\"a\":\"\\", 19), STATUS_OK);
    json_split_reset(&stream);
    assert_true(json_split_at_boundary(&stream));
    assert_int_equal(json_split_feed(&stream, "{\"kvs\":[{}]}", 12), STATUS_OK);
    assert_int_equal(told.elements, 2);
    json_split_clear(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_taken_apart_wherever_they_are_cut),
        cmocka_unit_test(a_callback_may_end_it),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_line_of_megabytes_needs_memory_for_one_element),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(what_is_not_kept_is_bounded),
        cmocka_unit_test(a_whole_element_is_bounded_too),
        cmocka_unit_test(a_long_string_is_cut),
        cmocka_unit_test(a_string_costs_its_length),
        cmocka_unit_test(a_stream_can_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
