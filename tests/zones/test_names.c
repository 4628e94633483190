#include "zones/names.h"

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

/* "\1a\1b" */
static struct node *node_new(const char *name)
{
    struct node *node =
        names_new(NODE_EMPTY, sizeof(*node), (const uint8_t *)name, strlen(name), 0);
    assert_non_null(node);
    return node;
}

static struct node *found(const char *name)
{
    char padded[NAME_MAX_LEN + NAME_PAD] = "";
    memcpy(padded, name, strlen(name));
    return names_find(fixture.zone, (struct name_padded){(const uint8_t *)padded, strlen(name)});
}

static void a_new_node_holds_its_name_and_has_octets_behind_it(void **state)
{
    (void)state;
    struct {
        struct node node;
        uint64_t more[3];
    } *larger = names_new(NODE_HOST, sizeof(*larger), (const uint8_t *)"\3Baz", 4, 5);
    assert_non_null(larger);
    assert_int_equal(larger->node.kind, NODE_HOST);
    assert_int_equal(larger->node.children, 0);
    assert_int_equal(larger->more[0] | larger->more[1] | larger->more[2], 0);
    assert_memory_equal(node_padded(&larger->node).octets, "\3Baz", 4);
    assert_int_equal(node_padded(&larger->node).len, 4);
    static const uint8_t zeros[NAME_PAD];
    assert_memory_equal(node_name(&larger->node) + 4 + 5, zeros, NAME_PAD);
    free(larger);
}

static void names_are_found_without_case(void **state)
{
    (void)state;
    uint64_t names = fixture_counts(&fixture).names;
    struct node *node = node_new("\3Baz\4host");
    assert_int_equal(names_add(fixture.zone, node), STATUS_OK);
    assert_int_equal(fixture_counts(&fixture).names, names + 1);
    assert_ptr_equal(found("\3bAZ\4HOST"), node);
    assert_null(found("\3baz"));
    names_remove(fixture.zone, node);
    assert_null(found("\3Baz\4host"));
    assert_int_equal(fixture_counts(&fixture).names, names);
}

/* RFC 8020: a name with something below it exists. */
static void parents_come_and_go_with_their_children(void **state)
{
    (void)state;
    uint64_t names = fixture_counts(&fixture).names;
    struct node *deep = node_new("\1a\1b\1c"), *beside = node_new("\1d\1b\1c");
    assert_int_equal(names_add_deep(fixture.zone, deep), STATUS_OK);
    assert_int_equal(names_add_deep(fixture.zone, beside), STATUS_OK);
    assert_int_equal(found("\1b\1c")->children, 2);
    assert_int_equal(found("\1c")->children, 1);
    assert_int_equal(fixture_counts(&fixture).names, names + 4);
    names_remove_deep(fixture.zone, deep);
    assert_null(found("\1a\1b\1c"));
    assert_int_equal(found("\1b\1c")->children, 1);
    names_remove_deep(fixture.zone, beside);
    assert_null(found("\1b\1c"));
    assert_null(found("\1c"));
    assert_int_equal(fixture_counts(&fixture).names, names);
}

static void a_node_takes_the_place_of_an_empty_one_and_leaves_it_so(void **state)
{
    (void)state;
    struct node *leaf = node_new("\1a\1b"), *parent = node_new("\1b");
    assert_int_equal(names_add_deep(fixture.zone, leaf), STATUS_OK);
    parent->kind = NODE_SWITCH;
    assert_int_equal(names_add_deep(fixture.zone, parent), STATUS_OK);
    assert_ptr_equal(found("\1b"), parent);
    assert_int_equal(parent->children, 1);
    names_remove_deep(fixture.zone, parent); /* its child still needs it */
    assert_int_equal(node_kind(found("\1b")), NODE_EMPTY);
    names_remove_deep(fixture.zone, leaf);
    assert_null(found("\1b"));
}

static void replacing_keeps_the_children(void **state)
{
    (void)state;
    struct node *leaf = node_new("\1a\1b"), *parent = node_new("\1b"), *other = node_new("\1B");
    assert_int_equal(names_add_deep(fixture.zone, parent), STATUS_OK);
    assert_int_equal(names_add_deep(fixture.zone, leaf), STATUS_OK);
    names_replace(fixture.zone, parent, other);
    assert_ptr_equal(found("\1b"), other);
    assert_int_equal(other->children, 1);
    free(parent);
}

static void room_for_reaps_is_there_when_it_was_reserved(void **state)
{
    (void)state;
    struct node *node = node_new("\1a");
    size_t count = fixture.zone->to_reap_count;
    assert_int_equal(names_reserve_reaps(fixture.zone, 10000), STATUS_OK);
    assert_true(fixture.zone->to_reap_capacity >= count + 10000);
    names_defer_reap(fixture.zone, node);
    assert_int_equal(fixture.zone->to_reap_count, count + 1);
    assert_ptr_equal(fixture.zone->to_reap[count], node);
    fixture.zone->to_reap_count = count;
    free(node);
}

#define WITH_ZONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ZONE(a_new_node_holds_its_name_and_has_octets_behind_it),
        WITH_ZONE(names_are_found_without_case),
        WITH_ZONE(parents_come_and_go_with_their_children),
        WITH_ZONE(a_node_takes_the_place_of_an_empty_one_and_leaves_it_so),
        WITH_ZONE(replacing_keeps_the_children),
        WITH_ZONE(room_for_reaps_is_there_when_it_was_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
