/* What a program of libempusa is shown of a key and its value. */
#include "registry/empusa_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct key_root root = {"/r", 2};

static enum status read_one(const char *key, const char *value, struct empusa_entry_copy **out)
{
    const struct kv kv = {.key = key,
                          .key_len = strlen(key),
                          .value = value,
                          .value_len = strlen(value),
                          .mod_revision = 7};
    return empusa_entry_read(&root, &kv, out);
}

static void all_of_an_entry_is_shown(void **state)
{
    (void)state;
    struct empusa_entry_copy *copy;
    assert_int_equal(read_one("/r/service/web/a/b",
                              "{\"location\":\"[fd00::1]:80\",\"protocol\":\"udp\",\"priority\":3,"
                              "\"weight\":4,\"txt\":{\"k\":\"v\\u0000w\",\"j\":true},"
                              "\"subtypes\":[\"_s\"],\"state\":\"draining\"}",
                              &copy),
                     STATUS_OK);
    const struct empusa_entry *entry = &copy->entry;
    assert_string_equal(entry->type, "web");
    assert_string_equal(entry->name, "a/b");
    assert_string_equal(entry->location, "[fd00::1]:80");
    assert_string_equal(entry->host, "fd00::1");
    assert_true(entry->port == 80 && entry->priority == 3 && entry->weight == 4);
    assert_int_equal(entry->protocol, EMPUSA_PROTOCOL_UDP);
    assert_int_equal(entry->is_draining, 1);
    assert_int_equal(entry->txt_count, 2);
    assert_string_equal(entry->txt[0].text, "j");
    assert_int_equal(entry->txt[1].len, 5);
    assert_memory_equal(entry->txt[1].text, "k=v\0w", 6);
    assert_int_equal(entry->subtype_count, 1);
    assert_string_equal(entry->subtypes[0].text, "s");
    assert_int_equal(entry->revision, 7);
    free(copy);
}

static void a_plain_entry_has_nothing_more(void **state)
{
    (void)state;
    struct empusa_entry_copy *copy;
    assert_int_equal(read_one("/r/service/web/n", "h:1\n", &copy), STATUS_OK);
    assert_string_equal(copy->entry.location, "h:1");
    assert_null(copy->entry.txt);
    assert_null(copy->entry.subtypes);
    assert_true(copy->entry.priority == 0 && copy->entry.weight == 1);
    free(copy);
}

static void what_is_no_entry_is_not_shown(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
    } rows[] = {{"/r/service/web/n", "h"}, {"/r/service/web/n", "{"},
                {"/r/service/web/n", ""},  {"/r/service/web", "h:1"},
                {"/r/switch/n", "h:1"},    {"/r/other/web/n", "h:1"},
                {"/r/service//n", "h:1"},  {"/", "h:1"}};
    struct empusa_entry_copy *copy;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (read_one(rows[i].key, rows[i].value, &copy) != STATUS_NOT_FOUND)
            fail_msg("%s %s", rows[i].key, rows[i].value);
    static const char nul[] = "/r/service/web/n\0m";
    const struct kv kv = {.key = nul, .key_len = sizeof(nul) - 1, .value = "h:1", .value_len = 3};
    assert_int_equal(empusa_entry_read(&root, &kv, &copy), STATUS_NOT_FOUND);
    const struct kv cut = {.key = "/r/service/web/n",
                           .key_len = strlen("/r/service/web/n"),
                           .value = "h:1",
                           .value_len = 3,
                           .is_value_cut = true};
    assert_int_equal(empusa_entry_read(&root, &cut, &copy), STATUS_NOT_FOUND);
}

static void a_key_says_what_it_is_called(void **state)
{
    (void)state;
    char space[KV_KEY_MAX + 2];
    const char *type, *name;
    assert_true(empusa_entry_name(&root, "/r/service/web/n", 16, space, &type, &name));
    assert_string_equal(type, "web");
    assert_string_equal(name, "n");
    assert_true(empusa_entry_name(&root, "/r/switch/f/s", 13, space, &type, &name));
    assert_string_equal(type, "");
    assert_string_equal(name, "f/s");
    assert_false(empusa_entry_name(&root, "/r", 2, space, &type, &name));
    assert_false(empusa_entry_name(&root, "/r/switch/f/s", KV_KEY_MAX + 1, space, &type, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_an_entry_is_shown),
        cmocka_unit_test(a_plain_entry_has_nothing_more),
        cmocka_unit_test(what_is_no_entry_is_not_shown),
        cmocka_unit_test(a_key_says_what_it_is_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
