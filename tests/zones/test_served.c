#include "zones/served.h"

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

static void a_key_becomes_what_its_key_and_value_say(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        int kind;
        enum skip skip;
    } rows[] = {
        {"/service/http/a", "baz:1", NODE_INSTANCE, SKIP_NONE},
        {"/switch/a", "on", NODE_SWITCH, SKIP_NONE},
        {"/service/http/b", "nonsense", NODE_SKIPPED, SKIP_BAD_VALUE},
        {"/service/dns-sd/a", "baz:1", NODE_SKIPPED, SKIP_RESERVED},
        {"/switch/*", "on", NODE_SKIPPED, SKIP_BAD_SWITCH_NAME},
        {"/other/a", "baz:1", NODE_SKIPPED, SKIP_BAD_KEY},
        {"/service/http", "baz:1", NODE_SKIPPED, SKIP_BAD_KEY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].key);
        fixture_put(&fixture, rows[i].key, rows[i].value);
        const struct key_node *node = key_node_find(
            fixture.zone, rows[i].key, len, key_node_hash_key(fixture.zone, rows[i].key, len));
        assert_non_null(node);
        assert_int_equal(node->node.kind, rows[i].kind);
        assert_int_equal(node->skip, rows[i].skip);
    }
    struct zone_counts counts = fixture_counts(&fixture);
    assert_int_equal(counts.services, 1);
    assert_int_equal(counts.switches, 1);
    assert_int_equal(counts.skipped[SKIP_BAD_KEY], 2);
    assert_int_equal(counts.keys, 7);
}

/* What is written again and again is said once; another reason, or the same after it was served, is
 * said again. */
static void a_skipped_key_is_said_once_for_each_reason(void **state)
{
    (void)state;
    static const char key[] = "/service/http/a";
    fixture_put(&fixture, key, "nonsense");
    assert_int_equal(fixture.warnings, 1);
    assert_non_null(strstr(fixture.warning, "/service/http/a is not published: "));
    fixture_put(&fixture, key, "other nonsense");
    assert_int_equal(fixture.warnings, 1);
    assert_int_equal(fixture_counts(&fixture).skipped[SKIP_BAD_VALUE], 1);
    fixture_put(&fixture, key, "baz:1");
    assert_int_equal(fixture_counts(&fixture).skipped[SKIP_BAD_VALUE], 0);
    fixture_put(&fixture, key, "nonsense");
    assert_int_equal(fixture.warnings, 2);
    fixture_remove(&fixture, key);
    assert_int_equal(fixture_counts(&fixture).skipped[SKIP_BAD_VALUE], 0);
}

/* A reason that a value's parser gives in words is said in those; any other in its own. */
static void the_reason_is_said_in_words(void **state)
{
    (void)state;
    struct change change = {.key = "/service/dns-sd/a", .key_len = 17};
    struct key_node *node;
    assert_int_equal(served_new_skipped(fixture.zone, &change, SKIP_RESERVED, "because", &node),
                     STATUS_OK);
    assert_string_equal(fixture.warning, "/service/dns-sd/a is not published: because");
    free(node);
    assert_int_equal(served_new_skipped(fixture.zone, &change, SKIP_RESERVED, "", &node),
                     STATUS_OK);
    assert_string_equal(fixture.warning,
                        "/service/dns-sd/a is not published: the type dns-sd is reserved");
    free(node);
    /* Switches that are not wanted at all are nobody's fault. */
    assert_int_equal(served_new_skipped(fixture.zone, &change, SKIP_SWITCHES_OFF, "", &node),
                     STATUS_OK);
    assert_int_equal(fixture.warnings, 2);
    free(node);
}

static void what_was_not_entered_is_taken_back_whole(void **state)
{
    (void)state;
    static const char *const values[][2] = {
        {"/service/http/a", "{\"location\":\"baz:1\",\"subtypes\":[\"p\"]}"},
        {"/switch/a", "on"},
        {"/other", "x"}};
    for (size_t i = 0; i < 3; i++) {
        struct change change = {.key = values[i][0],
                                .key_len = strlen(values[i][0]),
                                .value = values[i][1],
                                .value_len = strlen(values[i][1]),
                                .ttl_s = 3};
        struct key_node *node;
        assert_int_equal(served_new(fixture.zone, &change, &node), STATUS_OK);
        served_drop(fixture.zone, node);
        fixture_commit(&fixture);
        assert_null(fixture_find(&fixture, "a._http._tcp"));
        assert_null(fixture_find(&fixture, "_http._tcp"));
        assert_null(fixture_find(&fixture, "baz.host"));
        assert_null(fixture_find(&fixture, "a.switch"));
        assert_int_equal(fixture_counts(&fixture).services, 0);
    }
    assert_string_equal(fixture.hosts, "+baz -baz ");
}

#define WITH_ZONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ZONE(a_key_becomes_what_its_key_and_value_say),
        WITH_ZONE(a_skipped_key_is_said_once_for_each_reason),
        WITH_ZONE(the_reason_is_said_in_words),
        WITH_ZONE(what_was_not_entered_is_taken_back_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
