/* What zones/ does without memory: putting fails and changes nothing, removing works all the same.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. */
#include "support/allocation.h"
#include "support/zone_fixture.h"
#include "zones/zone.h"
#include "zones/zone_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* rcu.c's lists of what is retired never fail: without one the memory is lost, and LeakSanitizer would say so. */
static int spare_lists(void **state)
{
    (void)state;
    void *some = malloc(1);
    rcu_retire(some);
    size_t list_size = allocation_last_size();
    allocation_spare(list_size);
    rcu_barrier_all();
    return list_size > 1 ? 0 : -1;
}

enum { ITEMS = 4300 }; /* some of them in a page */

struct item {
    uint32_t position;
    bool is_in;
};

static void check_members(const struct member_vector *list, const struct item *items)
{
    unsigned found = 0, expected = 0;
    for (uint32_t i = 0; list->published && i < list->published->count; i++) {
        const struct item *item = member_vector_at(list->published, i);
        if (!item)
            continue;
        assert_true(item->is_in);
        assert_int_equal(item->position, i);
        found++;
    }
    for (size_t i = 0; i < ITEMS; i++)
        expected += items[i].is_in;
    assert_int_equal(found, expected);
    assert_int_equal(list->live, expected);
}

/* Before a publication, too, readers see whoever has not been taken out. */
static void check_readers_miss_none(const struct member_vector *list, const struct item *items)
{
    unsigned found = 0, expected = 0;
    for (uint32_t i = 0; i < list->published->count; i++) {
        const struct item *item = member_vector_at(list->published, i);
        found += item && item->is_in;
    }
    for (size_t i = 0; i < ITEMS; i++)
        expected += items[i].is_in;
    assert_int_equal(found, expected);
}

static void take_out(struct member_vector *list, struct item *item)
{
    struct item *moved = member_vector_remove(list, item->position);
    if (moved)
        moved->position = item->position;
    item->is_in = false;
}

static void members_go_without_memory(void **state)
{
    (void)state;
    static struct item items[ITEMS];
    for (unsigned good = 0; good < 12; good++) {
        struct member_vector list = {.draft = NULL};
        for (uint32_t i = 0; i < ITEMS; i++) {
            items[i].is_in = true;
            assert_int_equal(member_vector_append(&list, &items[i], &items[i].position), STATUS_OK);
        }
        assert_true(member_vector_publish(&list, 1));
        for (uint32_t round = 0; round < 2; round++) {
            allocation_begin_many(good, ALLOCATION_ALL);
            for (uint32_t i = round; i < ITEMS; i += 3)
                take_out(&list, &items[i * 7 % ITEMS]);
            allocation_end();
            check_readers_miss_none(&list, items);
            (void)member_vector_publish(&list, 1);
            check_members(&list, items);
        }
        for (uint32_t i = 0; i < ITEMS; i++)
            if (!items[i].is_in) {
                items[i].is_in = true;
                assert_int_equal(member_vector_append(&list, &items[i], &items[i].position),
                                 STATUS_OK);
            }
        (void)member_vector_publish(&list, 1);
        check_members(&list, items);
        for (uint32_t i = 0; i < ITEMS; i++)
            take_out(&list, &items[i]);
        (void)member_vector_publish(&list, 1);
        check_members(&list, items);
        member_vector_retire(&list);
        rcu_barrier_all();
    }
}

static void appending_without_memory_changes_nothing(void **state)
{
    (void)state;
    static struct item items[ITEMS];
    struct member_vector list = {.draft = NULL};
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t position = 77;
        enum status status = STATUS_NO_MEMORY;
        /* Twice, since what the first try got may be kept. */
        for (unsigned tries = 0; status != STATUS_OK; tries++) {
            assert_int_equal(position, 77);
            allocation_begin_many(tries / 2, ALLOCATION_ALL);
            status = member_vector_append(&list, &items[i], &position);
            allocation_end();
        }
        assert_int_equal(position, i);
        items[i] = (struct item){position, true};
        if (i % 5 == 0)
            (void)member_vector_publish(&list, 1);
    }
    (void)member_vector_publish(&list, 1);
    check_members(&list, items);
    member_vector_clear(&list);
    rcu_barrier_all();
}

static uint64_t hash_of(const void *arg, const void *item)
{
    (void)arg;
    return *(const uint64_t *)item;
}

/* Memory comes back when the table is almost full, too late for slices. */
static void a_table_waits_for_memory(void **state)
{
    (void)state;
    enum { COUNT = 30000 };
    static uint64_t items[COUNT];
    for (unsigned left = 1; left <= 16; left *= 2) {
        struct ptr_table table;
        unsigned failed = 0;
        assert_int_equal(ptr_table_init(&table, hash_of, NULL), STATUS_OK);
        for (uint64_t i = 0; i < COUNT; i++) {
            items[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
            bool is_tight = table.filled + left < table.slots->mask + 1;
            allocation_begin_many(0, is_tight ? ALLOCATION_ALL : 0);
            enum status status = ptr_table_insert(&table, items[i], &items[i]);
            allocation_end();
            if (status != STATUS_OK) {
                assert_int_equal(status, STATUS_NO_MEMORY);
                failed++;
                status = ptr_table_insert(&table, items[i], &items[i]);
            }
            assert_int_equal(status, STATUS_OK);
            assert_true(table.filled <= table.slots->mask);
        }
        assert_int_equal(table.live, COUNT);
        assert_true(left > 1 || failed > 0);
        ptr_table_clear(&table);
        rcu_barrier_all();
    }
}

static const struct zone_address servers[] = {{"ns", {AF_INET, {127, 0, 0, 1}}},
                                              {"b.a.empusa.internal", {AF_INET, {127, 0, 0, 1}}}};
static const struct zone_address hosts[] = {{"baz", {AF_INET, {127, 0, 0, 1}}},
                                            {"baz", {AF_INET, {127, 0, 0, 2}}}};
static const struct zone_options options = {.domain = "empusa.internal",
                                            .record_ttl_s = 10,
                                            .negative_ttl_s = 5,
                                            .ns = servers,
                                            .ns_count = 1,
                                            .hosts = hosts,
                                            .host_count = 1,
                                            .has_switches = true};

static void a_zone_is_made_or_not(void **state)
{
    (void)state;
    struct zone_options more = options;
    more.ns_count = more.host_count = 2;
    unsigned good = 0;
    for (enum status status = STATUS_NO_MEMORY; status != STATUS_OK; good++) {
        struct zone *zone = NULL;
        struct detail why = {""};
        allocation_begin(good);
        status = zone_new(&more, &zone, &why);
        bool has_failed = allocation_end();
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(zone == NULL, has_failed);
        zone_free(zone);
    }
    assert_true(good > 20);
}

#define SUBTYPED "{\"location\":\"www:1\",\"subtypes\":[\"x\",\"y\"]}"

static const struct {
    const char *key, *value;
    int64_t lease;
} rows[] = {
    {"/service/http/a", SUBTYPED, 0},
    {"/service/HTTP/A", SUBTYPED, 7},
    {"/service/http/a", "10.0.0.1:1", 7},
    {"/service/http/_sub", "www.example.com:1", 0},
    {"/service/http._udp/b", "[fd00::1]:1", 7},
    {"/service/http/b", SUBTYPED, 7},
    {"/service/http/b", "nonsense", 0},
    {"/service/http/b", "www:2", 0},
    {"/switch/a/b/c", "on", 0},
    {"/switch/a", "on", 0},
    {"/switch/A", "on", 0},
    {"/other", "x", 0},
    {"/service/HTTP/A", SUBTYPED, 0},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct zone_counts counts_of(struct zone *zone)
{
    struct zone_counts counts;
    zone_counts(zone, &counts);
    counts.serial = 0;
    counts.bytes = 0;
    counts.revision = 0;
    memset(counts.skipped + SKIP_NO_MEMORY, 0, sizeof(counts.skipped[0]));
    return counts;
}

static enum status put(struct zone *zone, size_t row, int64_t revision)
{
    return zone_put(zone, rows[row].key, strlen(rows[row].key), rows[row].value,
                    strlen(rows[row].value), revision, rows[row].lease);
}

static void a_key_is_put_whole_or_not_at_all(void **state)
{
    (void)state;
    struct zone *zone;
    unsigned failures = 0;
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    for (size_t i = 0; i < ROWS; i++) {
        enum status status = STATUS_NO_MEMORY;
        for (unsigned good = 0; status != STATUS_OK; good++) {
            struct zone_counts before = counts_of(zone);
            allocation_begin(good);
            status = put(zone, i, (int64_t)i + 1);
            allocation_end();
            zone_commit(zone, (int64_t)i + 1);
            if (status == STATUS_OK)
                break;
            assert_int_equal(status, STATUS_NO_MEMORY);
            struct zone_counts after = counts_of(zone);
            assert_memory_equal(&before, &after, sizeof(before));
            failures++;
        }
    }
    assert_true(failures > ROWS * 3);
    zone_free(zone);
}

static void keys_are_removed_without_memory(void **state)
{
    (void)state;
    for (unsigned good = 0; good < 6; good++)
        for (unsigned commits = 0; commits < 2; commits++) {
            struct zone *zone;
            assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
            struct zone_counts initial = counts_of(zone);
            for (size_t i = 0; i < ROWS; i++)
                assert_int_equal(put(zone, i, (int64_t)i + 1), STATUS_OK);
            zone_commit(zone, ROWS);
            for (size_t i = 0; i < ROWS; i++) {
                allocation_begin_many(good, ALLOCATION_ALL);
                zone_remove(zone, rows[i].key, strlen(rows[i].key));
                if (commits)
                    zone_commit(zone, (int64_t)(ROWS + i));
                allocation_end();
            }
            zone_commit(zone, 100);
            struct zone_counts final = counts_of(zone);
            assert_int_equal(final.keys, 0);
            assert_int_equal(final.services, 0);
            assert_int_equal(final.names, initial.names);
            assert_int_equal(final.types, 0);
            for (size_t i = 0; i < ROWS; i++)
                assert_int_equal(put(zone, i, (int64_t)i + 1), STATUS_OK);
            zone_commit(zone, 200);
            zone_free(zone);
        }
}

static uint32_t members_of(struct zone *zone, const char *name)
{
    struct fixture fixture = {.zone = zone};
    const struct service_type *set = (const struct service_type *)fixture_find(&fixture, name);
    if (!set || !set->members.published)
        return 0;
    return set->members.published->count;
}

/* Not without a subtype, nor missing in the list of types: nobody would hear of it, nor try again. */
static void a_key_that_is_put_is_in_all_its_sets(void **state)
{
    static const char *const sets[] = {"_x._sub._http._tcp", "_y._sub._http._tcp", "_http._tcp",
                                       "_services._dns-sd._udp"};
    (void)state;
    enum status status = STATUS_NO_MEMORY;
    for (unsigned good = 0; status != STATUS_OK; good++) {
        struct zone *zone;
        assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(members_of(zone, sets[i]), 0);
        allocation_begin(good);
        status = put(zone, 0, 1);
        allocation_end();
        allocation_begin_many(0, ALLOCATION_ALL);
        zone_commit(zone, 1);
        allocation_end();
        assert_int_equal(zone_is_partial(zone), status != STATUS_OK);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(members_of(zone, sets[i]), status == STATUS_OK);
        zone_free(zone);
    }
}

static void a_large_type_that_shrinks_is_counted_out_once(void **state)
{
    enum { COUNT = 101 };
    char key[32];
    struct zone *zone;
    (void)state;
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    for (unsigned i = 0; i < COUNT; i++) {
        int len = snprintf(key, sizeof(key), "/service/http/%u", i);
        assert_int_equal(zone_put(zone, key, (size_t)len, "10.0.0.1:1", 10, i + 1, 0), STATUS_OK);
    }
    zone_commit(zone, COUNT);
    assert_int_equal(counts_of(zone).large_types, 1);
    for (unsigned i = 0; i < 3; i++) {
        int len = snprintf(key, sizeof(key), "/service/http/%u", i);
        allocation_begin_many(0, ALLOCATION_ALL);
        zone_remove(zone, key, (size_t)len);
        zone_commit(zone, COUNT + i + 1);
        allocation_end();
        assert_int_equal(counts_of(zone).large_types, 0);
    }
    zone_free(zone);
}

static void a_load_ends_without_memory(void **state)
{
    (void)state;
    struct zone *zone;
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    struct zone_counts initial = counts_of(zone);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(put(zone, i, (int64_t)i + 1), STATUS_OK);
    zone_commit(zone, ROWS);
    zone_load_begin(zone);
    allocation_begin_many(0, ALLOCATION_ALL);
    zone_load_end(zone, NULL, NULL);
    zone_commit(zone, 100);
    allocation_end();
    struct zone_counts final = counts_of(zone);
    assert_int_equal(final.names, initial.names);
    assert_int_equal(final.keys, 0);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_go_without_memory),
        cmocka_unit_test(appending_without_memory_changes_nothing),
        cmocka_unit_test(a_table_waits_for_memory),
        cmocka_unit_test(a_zone_is_made_or_not),
        cmocka_unit_test(a_key_is_put_whole_or_not_at_all),
        cmocka_unit_test(keys_are_removed_without_memory),
        cmocka_unit_test(a_key_that_is_put_is_in_all_its_sets),
        cmocka_unit_test(a_large_type_that_shrinks_is_counted_out_once),
        cmocka_unit_test(a_load_ends_without_memory),
    };
    return cmocka_run_group_tests(tests, spare_lists, NULL);
}
