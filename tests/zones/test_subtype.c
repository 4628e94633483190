#include "zones/subtype.h"

#include "support/random.h"
#include "support/zone_fixture.h"

#define NAMES    6
#define TWINS    3 /* keys of one name, told apart by letters' case */
#define KEYS     (NAMES * TWINS)
#define SUBTYPES 3

static struct fixture fixture;

static struct {
    bool is_in;
    unsigned subtypes; /* a bit for each */
} keys[KEYS];

static void key_of(unsigned key, char out[64])
{
    static const char *const letters[TWINS] = {"name", "Name", "nAME"};
    sprintf(out, "/service/http/%s-%u", letters[key % TWINS], key / TWINS);
}

static void put(unsigned key, unsigned subtypes)
{
    char text[64], value[256], *at = value;
    key_of(key, text);
    at += sprintf(at, "{\"location\":\"10.0.0.1:%u\",\"subtypes\":[", key + 1);
    for (unsigned i = 0; i < SUBTYPES; i++)
        if (subtypes >> i & 1)
            at += sprintf(at, "%s\"s%u\"", at[-1] == '[' ? "" : ",", i);
    sprintf(at, "]}");
    fixture_put(&fixture, text, value);
    keys[key].is_in = true;
    keys[key].subtypes = subtypes;
}

static void take_away(unsigned key)
{
    char text[64];
    key_of(key, text);
    fixture_remove(&fixture, text);
    keys[key].is_in = false;
}

/* A subtype has each name once that one of its keys names it for, by the name's head. */
static void check(unsigned subtype)
{
    char owner[64];
    unsigned expected = 0;
    sprintf(owner, "_s%u._sub._http._tcp", subtype);
    const struct service_type *set = (const struct service_type *)fixture_find(&fixture, owner);
    const struct member_version *members =
        set && node_kind(&set->node) == NODE_SUBTYPE ? set->members.published : NULL;
    for (unsigned name = 0; name < NAMES; name++) {
        bool is_named = false;
        for (unsigned i = 0; i < TWINS; i++)
            is_named = is_named || (keys[name * TWINS + i].is_in &&
                                    (keys[name * TWINS + i].subtypes >> subtype & 1));
        expected += is_named;
        sprintf(owner, "name-%u._http._tcp", name);
        const struct node *head = fixture_find(&fixture, owner);
        unsigned times = 0;
        for (uint32_t i = 0; members && i < members->count; i++)
            times += member_vector_at(members, i) == head;
        if (times != is_named)
            fail_msg("%s %u times in _s%u", owner, times, subtype);
    }
    assert_int_equal(members ? members->count : 0, expected);
    if (expected == 0)
        assert_null(set); /* nobody names it: its name is gone */
}

static void after_any_changes_each_subtype_has_its_names_once(void **state)
{
    (void)state;
    struct random random = random_begin(5);
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    for (unsigned i = 0; i < 6000; i++) {
        unsigned key = (unsigned)random_draw(&random, KEYS);
        if (random_draw(&random, 3) == 0)
            take_away(key);
        else
            put(key, (unsigned)random_draw(&random, 1 << SUBTYPES));
        if (random_draw(&random, 4) > 0)
            continue;
        fixture_commit(&fixture);
        for (unsigned j = 0; j < SUBTYPES; j++)
            check(j);
    }
    fixture_close(&fixture);
}

/* Two keys of a name name the subtype, and the second stands for it when the first has gone; then
 * the name moves to the place of another and must be found there. */
static void a_name_that_moves_is_found_where_it_has_come_to(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    memset(keys, 0, sizeof(keys));
    put(0, 1);
    put(3, 1);
    put(6, 1);
    put(7, 1); /* of the name of 6 */
    fixture_commit(&fixture);
    take_away(0); /* the last takes its place */
    fixture_commit(&fixture);
    check(0);
    take_away(7);
    take_away(6);
    fixture_commit(&fixture);
    check(0);
    take_away(3);
    fixture_commit(&fixture);
    check(0);
    fixture_close(&fixture);
}

static void a_subtype_whose_name_would_be_too_long_is_left_out_alone(void **state)
{
    (void)state;
    char key[256], type[64];
    memset(type, 'x', 63);
    type[63] = '\0';
    snprintf(key, sizeof(key), "/service/%.62s/a", type);
    fixture_open(&fixture,
                 (struct zone_options){.domain = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
                                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
                                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"});
    fixture_put(&fixture, key,
                "{\"location\":\"10.0.0.1:1\",\"subtypes\":[\"short\","
                "\"sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\"]}");
    fixture_commit(&fixture);
    const struct instance *instance = NULL;
    uint64_t position = 0;
    const struct node *node;
    while ((node = ptr_table_each(&fixture.zone->view.names, &position)))
        if (node->kind == NODE_INSTANCE)
            instance = (const struct instance *)node;
    assert_non_null(instance);
    assert_int_equal(instance->subtypes->count, 1);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_any_changes_each_subtype_has_its_names_once),
        cmocka_unit_test(a_name_that_moves_is_found_where_it_has_come_to),
        cmocka_unit_test(a_subtype_whose_name_would_be_too_long_is_left_out_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
