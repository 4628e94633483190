#include "zones/switch_node.h"

#include "support/zone_fixture.h"

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void a_switch_is_its_path_backwards_and_its_value(void **state)
{
    (void)state;
    fixture_put(&fixture, "/switch/a/b c", "on");
    fixture_put_leased(&fixture, "/switch/empty", "", FIXTURE_LEASE(3));
    fixture_commit(&fixture);
    assert_string_equal(fixture_text(&fixture, "b\\032c"),
                        "b\\032c.a.switch.z. 10 IN TXT \"on\"\n");
    assert_string_equal(fixture_text(&fixture, "empty"), "empty.switch.z. 3 IN TXT \"\"\n");
    assert_int_equal(fixture_counts(&fixture).switches, 2);
}

/* Parent and leaf may coexist; a parent that goes leaves an empty non-terminal. */
static void a_switch_may_stand_above_another(void **state)
{
    (void)state;
    fixture_put(&fixture, "/switch/a/b", "leaf");
    fixture_commit(&fixture);
    assert_int_equal(fixture_kind(&fixture, "a.switch"), NODE_EMPTY);
    fixture_put(&fixture, "/switch/a", "parent");
    fixture_commit(&fixture);
    assert_int_equal(fixture_kind(&fixture, "a.switch"), NODE_SWITCH);
    fixture_remove(&fixture, "/switch/a");
    fixture_commit(&fixture);
    assert_int_equal(fixture_kind(&fixture, "a.switch"), NODE_EMPTY);
    fixture_remove(&fixture, "/switch/a/b");
    fixture_commit(&fixture);
    assert_null(fixture_find(&fixture, "a.switch"));
    assert_int_equal(fixture_kind(&fixture, "switch"), NODE_EMPTY);
    assert_int_equal(fixture_counts(&fixture).switches, 0);
}

/* Of keys that differ in letters' case the smallest is shown, whoever came first or goes. */
static void the_smallest_key_s_value_is_shown(void **state)
{
    (void)state;
    static const char *const keys[] = {"/switch/ab", "/switch/AB", "/switch/Ab"};
    for (size_t i = 0; i < 3; i++)
        fixture_put(&fixture, keys[i], keys[i] + 8);
    fixture_commit(&fixture);
    assert_int_equal(fixture_counts(&fixture).collisions, 2);
    assert_string_equal(fixture_text(&fixture, "ab"), "AB.switch.z. 10 IN TXT \"AB\"\n");
    fixture_remove(&fixture, keys[1]);
    fixture_commit(&fixture);
    assert_string_equal(fixture_text(&fixture, "ab"), "Ab.switch.z. 10 IN TXT \"Ab\"\n");
    fixture_put(&fixture, keys[0], "new");
    fixture_remove(&fixture, keys[2]);
    fixture_commit(&fixture);
    assert_string_equal(fixture_text(&fixture, "ab"), "ab.switch.z. 10 IN TXT \"new\"\n");
    assert_int_equal(fixture_counts(&fixture).collisions, 0);
    assert_int_equal(fixture_counts(&fixture).switches, 1);
}

static void what_cannot_be_a_switch_says_why(void **state)
{
    (void)state;
    static char long_value[16386], long_path[300];
    memset(long_value, 'v', sizeof(long_value) - 1);
    for (size_t i = 0; i < 256; i++)
        long_path[i] = i % 60 == 59 ? '/' : 'p';
    const struct {
        const char *path, *value;
        enum skip skip;
    } rows[] = {
        {"a//b", "x", SKIP_BAD_SWITCH_NAME},  {"a/*", "x", SKIP_BAD_SWITCH_NAME},
        {long_path, "x", SKIP_NAME_TOO_LONG}, {"a", long_value, SKIP_VALUE_TOO_LONG},
        {"a", long_value + 1, SKIP_NONE}, /* 16,384 octets */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char key[320];
        enum skip skip;
        struct switch_node *node = NULL;
        struct key_parts parts;
        int len = snprintf(key, sizeof(key), "/switch/%s", rows[i].path);
        key_split(key, (size_t)len, &parts);
        struct change change = {.key = key,
                                .key_len = (size_t)len,
                                .value = rows[i].value,
                                .value_len = strlen(rows[i].value)};
        enum status status = switch_node_new(fixture.zone, &parts, &change, &node, &skip);
        assert_int_equal(skip, rows[i].skip);
        assert_int_equal(status, rows[i].skip ? STATUS_BAD_INPUT : STATUS_OK);
        free(node);
    }
}

#define WITH_ZONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ZONE(a_switch_is_its_path_backwards_and_its_value),
        WITH_ZONE(a_switch_may_stand_above_another),
        WITH_ZONE(the_smallest_key_s_value_is_shown),
        WITH_ZONE(what_cannot_be_a_switch_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
