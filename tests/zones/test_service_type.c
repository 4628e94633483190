/* Publishing has an order that no test sees from outside but by luck: so this one looks at the zone,
 * as a reader would, at each single publication. */
#include "zones/store/member_vector.h"

bool test_publish(struct member_vector *list, uint32_t ttl_s);

#define member_vector_publish test_publish
#include "zones/service_type.c"
#undef member_vector_publish

#include "support/zone_fixture.h"

static struct fixture fixture;
static unsigned publications;

static bool lists(const char *set_name, const char *member_name)
{
    const struct service_type *set = (const struct service_type *)fixture_find(&fixture, set_name);
    const struct member_version *members = set ? rcu_read(set->members.published) : NULL;
    const struct node *member = fixture_find(&fixture, member_name);
    for (uint32_t i = 0; members && i < members->count; i++)
        if (member_vector_at(members, i) == member)
            return true;
    return false;
}

static uint32_t count_of(const char *set_name)
{
    const struct service_type *set = (const struct service_type *)fixture_find(&fixture, set_name);
    return set && set->members.published ? set->members.published->count : 0;
}

/* Whatever is listed has a name, and a type that is listed has members. */
static void check_as_a_reader(void)
{
    static const char *const types[] = {"_a._tcp", "_b._tcp", "_c._udp"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (lists("_services._dns-sd._udp", types[i]) && count_of(types[i]) == 0)
            fail_msg("%s is listed without members", types[i]);
    uint64_t position = 0;
    const struct node *node;
    while ((node = ptr_table_each(&fixture.zone->view.names, &position))) {
        if (node->kind != NODE_TYPE && node->kind != NODE_SUBTYPE)
            continue;
        const struct member_version *members =
            ((const struct service_type *)node)->members.published;
        for (uint32_t i = 0; members && i < members->count; i++) {
            const struct instance *instance = member_vector_at(members, i);
            const struct view *view = &fixture.zone->view;
            struct name_buffer folded = {.len = instance->key.node.name_len};
            name_fold(folded.octets, node_padded(&instance->key.node));
            if (!view_find(view, name_of(&folded), name_hash(&view->seed, name_of(&folded))))
                fail_msg("a member whose name does not exist");
        }
    }
}

bool test_publish(struct member_vector *list, uint32_t ttl_s)
{
    bool was_changed = member_vector_publish(list, ttl_s);
    publications++;
    check_as_a_reader();
    return was_changed;
}

static void a_type_is_listed_while_it_has_members_at_every_moment(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    fixture_put(&fixture, "/service/a/1", "{\"location\":\"10.0.0.1:1\",\"subtypes\":[\"s\"]}");
    fixture_put(&fixture, "/service/b/1", "10.0.0.1:1");
    fixture_commit(&fixture);
    assert_true(publications >= 4);
    assert_true(lists("_services._dns-sd._udp", "_a._tcp"));
    /* One type goes, one comes, and one changes, in one commit. */
    fixture_remove(&fixture, "/service/a/1");
    fixture_put(&fixture, "/service/c._udp/1", "10.0.0.1:1");
    fixture_put(&fixture, "/service/b/2", "10.0.0.1:1");
    fixture_remove(&fixture, "/service/b/1");
    fixture_commit(&fixture);
    assert_null(fixture_find(&fixture, "_a._tcp"));
    assert_true(lists("_services._dns-sd._udp", "_c._udp"));
    fixture_remove(&fixture, "/service/c._udp/1");
    fixture_remove(&fixture, "/service/b/2");
    fixture_commit(&fixture);
    assert_int_equal(count_of("_services._dns-sd._udp"), 0);
    fixture_close(&fixture);
}

static void a_type_that_nobody_names_is_gone_after_the_commit(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    fixture_put(&fixture, "/service/a/1", "{\"location\":\"10.0.0.1:1\",\"subtypes\":[\"s\"]}");
    fixture_commit(&fixture);
    assert_int_equal(fixture_counts(&fixture).types, 1);
    assert_int_equal(count_of("_s._sub._a._tcp"), 1);
    fixture_remove(&fixture, "/service/a/1");
    assert_int_equal(fixture_kind(&fixture, "1._a._tcp"), NODE_INSTANCE); /* not yet */
    fixture_commit(&fixture);
    static const char *const gone[] = {"1._a._tcp", "_s._sub._a._tcp", "_sub._a._tcp", "_a._tcp"};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        assert_null(fixture_find(&fixture, gone[i]));
    assert_int_equal(fixture_kind(&fixture, "_tcp"), NODE_EMPTY);
    assert_int_equal(fixture_counts(&fixture).types, 0);
    fixture_close(&fixture);
}

/* The list of types, too, is as short as the shortest of what it lists. */
static void the_list_s_ttl_is_the_least_of_its_types(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    const struct service_type *list = fixture.zone->types;
    fixture_put(&fixture, "/service/a/1", "10.0.0.1:1");
    fixture_commit(&fixture);
    assert_int_equal(list->members.published->ttl_s, 10);
    fixture_put_leased(&fixture, "/service/b/1", "10.0.0.1:1", FIXTURE_LEASE(3));
    fixture_put_leased(&fixture, "/service/b/2", "10.0.0.1:1", FIXTURE_LEASE(7));
    fixture_commit(&fixture);
    assert_int_equal(list->members.published->ttl_s, 3);
    fixture_remove(&fixture, "/service/b/1");
    fixture_commit(&fixture);
    assert_int_equal(list->members.published->ttl_s, 7);
    fixture_remove(&fixture, "/service/b/2");
    fixture_commit(&fixture);
    assert_int_equal(list->members.published->ttl_s, 10);
    fixture_close(&fixture);
}

static void large_types_are_counted_and_warned_of_once(void **state)
{
    (void)state;
    char key[64];
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i <= LARGE_TYPE; i++) {
            assert_int_equal(fixture.warnings, round);
            snprintf(key, sizeof(key), "/service/a/%u", i);
            fixture_put(&fixture, key, "10.0.0.1:1");
            fixture_commit(&fixture);
            assert_int_equal(fixture_counts(&fixture).large_types, i == LARGE_TYPE);
        }
        fixture_remove(&fixture, key);
        fixture_commit(&fixture);
        assert_int_equal(fixture_counts(&fixture).large_types, 0);
        assert_int_equal(fixture.warnings, 1);
        if (round == 0)
            for (unsigned i = 0; i < LARGE_TYPE; i++) {
                snprintf(key, sizeof(key), "/service/a/%u", i);
                fixture_remove(&fixture, key);
            }
    }
    assert_non_null(strstr(fixture.warning, "_a._tcp.z has more than 100 instances"));
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_is_listed_while_it_has_members_at_every_moment),
        cmocka_unit_test(a_type_that_nobody_names_is_gone_after_the_commit),
        cmocka_unit_test(the_list_s_ttl_is_the_least_of_its_types),
        cmocka_unit_test(large_types_are_counted_and_warned_of_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
