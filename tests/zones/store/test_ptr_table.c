#include "zones/store/ptr_table.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEMS 3000
#define STEPS 100000

struct item {
    uint64_t hash;
    bool is_in;
};

static struct item items[ITEMS], twins[ITEMS];

static uint64_t hash_of(const void *arg, const void *item)
{
    assert_ptr_equal(arg, &hash_of);
    return ((const struct item *)item)->hash;
}

static void init(struct ptr_table *table)
{
    static const void *const self = (const void *)&hash_of;
    assert_int_equal(ptr_table_init(table, hash_of, self), STATUS_OK);
}

static bool has(const struct ptr_table *table, const struct item *item)
{
    uint64_t position = item->hash;
    const void *found;
    unsigned times = 0;
    while ((found = ptr_table_next(table->slots, item->hash, &position)))
        times += found == item;
    assert_true(times <= 1);
    return times == 1;
}

static void check_all(const struct ptr_table *table)
{
    uint64_t position = 0, count = 0, live = 0;
    const struct item *item;
    while ((item = ptr_table_each(table, &position))) {
        assert_true(item->is_in);
        count++;
    }
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(has(table, &items[i]), items[i].is_in);
        live += items[i].is_in;
    }
    assert_int_equal(count, live);
    assert_int_equal(table->live, live);
    uint64_t filled = 0;
    for (uint64_t i = 0; i <= table->slots->mask; i++)
        filled += table->slots->words[i] != PTR_TABLE_EMPTY;
    assert_int_equal(table->filled, filled); /* after a copy, those of the new array */
}

static void step(struct ptr_table *table, struct random *random, uint64_t wanted)
{
    size_t i = random_draw(random, ITEMS);
    struct item *item = &items[i];
    if (item->is_in && random_draw(random, 8) == 0) {
        ptr_table_replace(table, item->hash, item, &twins[i]);
        ptr_table_replace(table, item->hash, &twins[i], item);
    } else if (item->is_in && table->live > wanted) {
        ptr_table_remove(table, item->hash, item);
        item->is_in = false;
    } else if (!item->is_in && table->live <= wanted) {
        assert_int_equal(ptr_table_insert(table, item->hash, item), STATUS_OK);
        item->is_in = true;
    }
    assert_int_equal(has(table, item), item->is_in);
}

static void churn(struct random *random, uint64_t mask)
{
    struct ptr_table table;
    uint64_t wanted = ITEMS / 2, migrating = 0;
    init(&table);
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = twins[i] = (struct item){random_draw(random, UINT64_MAX) & mask, false};
    for (unsigned i = 0; i < STEPS / 4; i++) {
        if (random_draw(random, 5000) == 0)
            wanted = random_draw(random, ITEMS);
        step(&table, random, wanted);
        migrating += table.next != NULL;
        if (i % 4096 == 0 || (table.next && migrating % 16 == 0))
            check_all(&table);
        if (i % 512 == 0)
            rcu_collect();
    }
    assert_true(migrating > 0);
    check_all(&table);
    ptr_table_clear(&table);
    rcu_barrier_all();
}

/* Hashes with few different slots, few different tags, or both: collisions of every kind. */
static void holds_what_a_list_holds(void **state)
{
    (void)state;
    static const uint64_t masks[] = {UINT64_MAX, UINT64_C(0xffff0000000000ff),
                                     UINT64_C(0x0000ffffffffffff), UINT64_C(0x0003000000000fff)};
    struct random random = random_begin(4711);
    for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++)
        churn(&random, masks[m]);
}

static void sweeps_marks_instead_of_growing(void **state)
{
    (void)state;
    static struct item few[40];
    struct ptr_table table;
    uint64_t bytes = 0;
    init(&table);
    for (uint64_t i = 0; i < 100000; i++) {
        struct item *item = &few[i % 40];
        if (item->is_in)
            ptr_table_remove(&table, item->hash, item);
        item->hash = i * UINT64_C(0x9e3779b97f4a7c15);
        assert_int_equal(ptr_table_insert(&table, item->hash, item), STATUS_OK);
        item->is_in = true;
        bytes = ptr_table_bytes(&table) > bytes ? ptr_table_bytes(&table) : bytes;
        if (i % 1000 == 0)
            rcu_collect();
    }
    for (size_t i = 0; i < 40; i++)
        assert_true(has(&table, &few[i]));
    assert_true(bytes <= 512 * sizeof(uint64_t));
    ptr_table_clear(&table);
    rcu_barrier_all();
}

static void stays_half_empty_while_it_grows(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct item *many = calloc(COUNT, sizeof(*many));
    struct ptr_table table;
    assert_non_null(many);
    init(&table);
    for (uint64_t i = 0; i < COUNT; i++) {
        many[i].hash = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        assert_int_equal(ptr_table_insert(&table, many[i].hash, &many[i]), STATUS_OK);
        assert_true(table.filled <= (table.slots->mask + 1) / 8 * 7);
    }
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(has(&table, &many[i]));
    ptr_table_clear(&table);
    rcu_barrier_all();
    free(many);
}

static void says_no_when_nothing_fits(void **state)
{
    (void)state;
    struct item in = {UINT64_C(0x1234000000000001), true}, out = {UINT64_C(0x1235000000000001), 0};
    struct ptr_table table;
    init(&table);
    assert_false(has(&table, &in));
    assert_int_equal(ptr_table_insert(&table, in.hash, &in), STATUS_OK);
    uint64_t position = out.hash;
    assert_null(ptr_table_next(table.slots, out.hash, &position));
    ptr_table_remove(&table, in.hash, &in);
    assert_false(has(&table, &in));
    /* A tag of zeros is not taken for a mark of removal. */
    in.hash = 1;
    assert_int_equal(ptr_table_insert(&table, in.hash, &in), STATUS_OK);
    assert_true(has(&table, &in));
    ptr_table_clear(&table);
    rcu_barrier_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_a_list_holds),
        cmocka_unit_test(sweeps_marks_instead_of_growing),
        cmocka_unit_test(stays_half_empty_while_it_grows),
        cmocka_unit_test(says_no_when_nothing_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
