#include "zones/instance.h"

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

/* Removed and put in one commit, by the same key or by one in other letters: a reader finds the name
 * at every moment. */
static void a_name_that_comes_back_before_the_commit_was_never_away(void **state)
{
    (void)state;
    static const char *const keys[] = {"/service/http/a", "/service/http/A", "/service/HTTP/a"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        fixture_put(&fixture, keys[0], "10.0.0.1:1");
        fixture_commit(&fixture);
        fixture_remove(&fixture, keys[0]);
        const struct node *dying = fixture_find(&fixture, "a._http._tcp");
        assert_non_null(dying);
        assert_int_equal(((const struct instance *)dying)->is_dying, 1);
        fixture_put(&fixture, keys[i], "10.0.0.2:2");
        const struct node *fresh = fixture_find(&fixture, "a._http._tcp");
        assert_non_null(fresh);
        assert_ptr_not_equal(fresh, dying);
        assert_int_equal(((const struct instance *)dying)->is_gone, 1);
        fixture_commit(&fixture);
        assert_ptr_equal(fixture_find(&fixture, "a._http._tcp"), fresh);
        assert_non_null(strstr(fixture_text(&fixture, "a._http._tcp"), "SRV 0 1 2 10-0-0-2"));
        fixture_remove(&fixture, keys[i]);
        fixture_commit(&fixture);
        assert_null(fixture_find(&fixture, "a._http._tcp"));
        assert_int_equal(fixture_counts(&fixture).services, 0);
        assert_int_equal(fixture_counts(&fixture).types, 0);
    }
}

/* It dies, comes, dies, comes: each dying one is freed once, the last is there. */
static void a_name_may_die_many_times_in_a_commit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        fixture_put(&fixture, "/service/http/a", "10.0.0.1:1");
        fixture_remove(&fixture, "/service/http/a");
    }
    fixture_commit(&fixture);
    assert_null(fixture_find(&fixture, "a._http._tcp"));
    for (unsigned i = 0; i < 50; i++) {
        fixture_remove(&fixture, "/service/http/a");
        fixture_put(&fixture, "/service/http/a", "10.0.0.1:1");
    }
    fixture_commit(&fixture);
    assert_int_equal(fixture_kind(&fixture, "a._http._tcp"), NODE_INSTANCE);
    assert_int_equal(fixture_counts(&fixture).services, 1);
}

/* While another key has the name, the name's records are the others'. */
static void a_name_lives_as_long_as_one_of_its_keys(void **state)
{
    (void)state;
    fixture_put(&fixture, "/service/http/A", "10.0.0.1:1"); /* the smallest key */
    fixture_put(&fixture, "/service/http/a", "{\"location\":\"10.0.0.2:2\",\"txt\":{\"k\":\"v\"}}");
    fixture_commit(&fixture);
    assert_int_equal(fixture_counts(&fixture).collisions, 1);
    assert_string_equal(fixture_text(&fixture, "a._http._tcp"),
                        "A._http._tcp.z. 10 IN SRV 0 1 1 10-0-0-1.addr.z.\n"
                        "A._http._tcp.z. 10 IN SRV 0 1 2 10-0-0-2.addr.z.\n"
                        "A._http._tcp.z. 10 IN TXT \"\"\n");
    fixture_remove(&fixture, "/service/http/A");
    assert_non_null(fixture_find(&fixture, "a._http._tcp"));
    fixture_commit(&fixture);
    assert_string_equal(fixture_text(&fixture, "a._http._tcp"),
                        "a._http._tcp.z. 10 IN SRV 0 1 2 10-0-0-2.addr.z.\n"
                        "a._http._tcp.z. 10 IN TXT \"k=v\"\n");
    assert_string_equal(fixture_text(&fixture, "_http._tcp"),
                        "_http._tcp.z. 10 IN PTR a._http._tcp.z.\n"
                        "_http._tcp.z. 10 IN SRV 0 1 2 10-0-0-2.addr.z.\n"
                        "_http._tcp.z. 10 IN TXT \"name=a\" \"location=10.0.0.2:2\" \"k=v\"\n");
    assert_int_equal(fixture_counts(&fixture).collisions, 0);
}

/* A new value may give a key another name: by its protocol. */
static void a_value_may_move_its_key_to_another_name(void **state)
{
    (void)state;
    fixture_put(&fixture, "/service/http/a", "10.0.0.1:1");
    fixture_commit(&fixture);
    fixture_put(&fixture, "/service/http/a", "{\"location\":\"10.0.0.1:1\",\"protocol\":\"udp\"}");
    fixture_commit(&fixture);
    assert_null(fixture_find(&fixture, "a._http._tcp"));
    assert_null(fixture_find(&fixture, "_http._tcp"));
    assert_int_equal(fixture_kind(&fixture, "a._http._udp"), NODE_INSTANCE);
    assert_int_equal(fixture_counts(&fixture).services, 1);
    fixture_put(&fixture, "/service/http/a", "nonsense");
    fixture_commit(&fixture);
    assert_null(fixture_find(&fixture, "a._http._udp"));
    assert_int_equal(fixture_counts(&fixture).services, 0);
}

static void ignored_members_are_counted_while_their_entry_is_there(void **state)
{
    (void)state;
    fixture_put(&fixture, "/service/http/a",
                "{\"location\":\"10.0.0.1:1\",\"priority\":-1,\"weight\":\"x\"}");
    assert_int_equal(fixture_counts(&fixture).ignored_members, 2);
    fixture_put(&fixture, "/service/http/a", "{\"location\":\"10.0.0.1:1\",\"priority\":-1}");
    assert_int_equal(fixture_counts(&fixture).ignored_members, 1);
    fixture_remove(&fixture, "/service/http/a");
    assert_int_equal(fixture_counts(&fixture).ignored_members, 0);
}

#define WITH_ZONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ZONE(a_name_that_comes_back_before_the_commit_was_never_away),
        WITH_ZONE(a_name_may_die_many_times_in_a_commit),
        WITH_ZONE(a_name_lives_as_long_as_one_of_its_keys),
        WITH_ZONE(a_value_may_move_its_key_to_another_name),
        WITH_ZONE(ignored_members_are_counted_while_their_entry_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
