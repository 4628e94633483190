/* What a service is written as. */
#include "entry.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Values that are read, and what they are written as; NULL: the same. */
static const struct {
    const char *value, *written;
} rows[] = {
    {"10.0.0.1:80", NULL},
    {"{\"location\":\"10.0.0.1:80\"}", "10.0.0.1:80"},
    {"{\"location\":\"10.0.0.1:80\",\"protocol\":\"tcp\"}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"protocol\":\"udp\"}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"priority\":0}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"priority\":65535,\"weight\":1}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"weight\":0}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"state\":\"draining\"}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"txt\":{\"a\":\"b\"}}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"txt\":{\"a\":true}}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"txt\":{\"a\":\"\",\"b\":\"=\"}}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"txt\":{\"a\":\"\\\" \\\\ \\u0000 \\u001f \\u007f\"}}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"txt\":{\"a\":\"\\n\\/ \\u00e4\"}}",
     "{\"location\":\"10.0.0.1:80\",\"txt\":{\"a\":\"\\u000a/ \xc3\xa4\"}}"},
    {"{\"location\":\"10.0.0.1:80\",\"subtypes\":[\"x\",\"y\"]}", NULL},
    {"{\"location\":\"10.0.0.1:80\",\"subtypes\":[\"_x\"]}",
     "{\"location\":\"10.0.0.1:80\",\"subtypes\":[\"x\"]}"},
    {"{\"location\":\"10.0.0.1:80\",\"subtypes\":[\"__x\"]}", NULL},
    {"{\"state\":\"draining\",\"subtypes\":[\"x\"],\"txt\":{\"a\":true},\"weight\":2,"
     "\"priority\":1,\"protocol\":\"udp\",\"location\":\"web:80\"}",
     "{\"location\":\"web:80\",\"protocol\":\"udp\",\"priority\":1,\"weight\":2,"
     "\"txt\":{\"a\":true},\"subtypes\":[\"x\"],\"state\":\"draining\"}"},
};

static char *rewrite(const char *value, size_t *len)
{
    struct entry entry;
    char *out = NULL;
    assert_int_equal(entry_parse(value, strlen(value), &entry, NULL), STATUS_OK);
    assert_int_equal(entry_render(&entry, &out, len), STATUS_OK);
    entry_clear(&entry);
    return out;
}

static void what_is_read_is_written_in_one_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len, again_len;
        char *out = rewrite(rows[i].value, &len);
        assert_string_equal(out, rows[i].written ? rows[i].written : rows[i].value);
        assert_int_equal(len, strlen(out));
        /* And what was written is read as the same. */
        char *again = rewrite(out, &again_len);
        assert_string_equal(again, out);
        cJSON_free(out);
        cJSON_free(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_read_is_written_in_one_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
