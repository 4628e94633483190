#include "registry/kept_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DRAINED(location) "{\"location\":\"" location "\",\"state\":\"draining\"}"

static struct kept_value value;

static struct kv found(const char *text)
{
    return (struct kv){.value = text, .value_len = strlen(text)};
}

static bool is(const char *text)
{
    struct kv kv = found(text);
    return kept_value_is(&value, &kv);
}

static bool was(const char *text)
{
    struct kv kv = found(text);
    return kept_value_was(&value, &kv);
}

static bool adopts(const char *text, bool *is_draining)
{
    struct kv kv = found(text);
    return kept_value_adopt(&value, &kv, is_draining);
}

static void set(const char *text)
{
    assert_int_equal(kept_value_set(&value, text, strlen(text), NULL), STATUS_OK);
}

static int open_value(void **state)
{
    (void)state;
    assert_int_equal(kept_value_init(&value, "h:1", 3), STATUS_OK);
    return 0;
}

static int close_value(void **state)
{
    (void)state;
    kept_value_clear(&value);
    return 0;
}

static void it_is_itself_but_for_line_ends(void **state)
{
    (void)state;
    assert_true(is("h:1") && is("h:1\r\n"));
    assert_false(is("h:12") || is("h:") || is("h:2") || was("h:1"));
    assert_string_equal(value.text, "h:1");
    assert_true(kept_value_is_news(&value));
}

static void what_was_sent_is_remembered_until_the_next_is_there(void **state)
{
    (void)state;
    kept_value_send(&value);
    assert_true(kept_value_confirm(&value, value.sent));
    assert_false(kept_value_confirm(&value, value.sent) || kept_value_is_news(&value));
    set("h:2");
    set("h:3"); /* h:2 was never sent */
    assert_true(is("h:3") && was("h:1") && kept_value_is_news(&value));
    assert_false(was("h:2"));
    kept_value_send(&value);
    unsigned sent = value.sent;
    set("h:4");
    assert_true(kept_value_confirm(&value, sent));
    assert_true(was("h:3") && kept_value_is_news(&value));
    kept_value_send(&value);
    assert_true(kept_value_confirm(&value, value.sent));
    assert_false(was("h:3") || was("h:1") || kept_value_is_news(&value));
}

static void the_state_stays_when_the_value_changes(void **state)
{
    (void)state;
    assert_int_equal(kept_value_set_draining(&value, true, NULL), STATUS_OK);
    assert_true(is(DRAINED("h:1")));
    unsigned number = value.number;
    assert_int_equal(kept_value_set_draining(&value, true, NULL), STATUS_OK);
    assert_int_equal(value.number, number);
    set("h:2");
    assert_true(is(DRAINED("h:2")));
    set(DRAINED("h:3"));
    assert_true(is(DRAINED("h:3")));
    assert_int_equal(kept_value_set_draining(&value, false, NULL), STATUS_OK);
    assert_true(is("h:3"));
    set(DRAINED("h:4"));
    assert_true(is("h:4"));
    struct detail why = {""};
    assert_int_equal(kept_value_set(&value, "h", 1, &why), STATUS_BAD_INPUT);
    assert_true(why.text[0] != '\0' && is("h:4"));
}

static void the_state_of_others_is_taken_over(void **state)
{
    (void)state;
    bool is_draining = false;
    kept_value_send(&value);
    assert_true(kept_value_confirm(&value, value.sent));
    assert_false(adopts("h:2", &is_draining) || adopts(DRAINED("h:2"), &is_draining));
    assert_true(adopts(DRAINED("h:1"), &is_draining) && is_draining);
    assert_true(is(DRAINED("h:1")));
    assert_false(kept_value_is_news(&value));
    assert_true(adopts("h:1", &is_draining) && !is_draining);
    set("h:2");
    assert_true(adopts(DRAINED("h:1"), &is_draining) && is_draining);
    assert_true(is(DRAINED("h:2")) && kept_value_is_news(&value));
}

#define VALUE(test) cmocka_unit_test_setup_teardown(test, open_value, close_value)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VALUE(it_is_itself_but_for_line_ends),
        VALUE(what_was_sent_is_remembered_until_the_next_is_there),
        VALUE(the_state_stays_when_the_value_changes),
        VALUE(the_state_of_others_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
