#include "dns/answer/dedup.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct dedup seen;

static void knows_what_it_has_seen(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, DEDUP_FEW - 1, DEDUP_FEW, DEDUP_FEW + 1, 100, 4096};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        dedup_clear(&seen);
        for (uint64_t i = 0; i < sizes[s]; i++) {
            assert_true(dedup_add(&seen, i * 64, i % 3));
            assert_false(dedup_add(&seen, i * 64, i % 3));
        }
        for (uint64_t i = 0; i < sizes[s]; i++)
            assert_false(dedup_add(&seen, i * 64, i % 3));
    }
}

static void pairs_are_equal_in_both_halves_only(void **state)
{
    (void)state;
    static const struct {
        uint64_t a, b;
    } rows[] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {UINT64_MAX, 0}, {0, UINT64_MAX}, {1, 2},
                {2, 1}, {3, 3}, {3, 4}, {4, 3}, {4, 4},          {5, 5},          {5, 6}};
    dedup_clear(&seen);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(dedup_add(&seen, rows[i].a, rows[i].b));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_false(dedup_add(&seen, rows[i].a, rows[i].b));
}

static void never_fills(void **state)
{
    (void)state;
    uint64_t added = 0;
    dedup_clear(&seen);
    for (uint64_t i = 0; i < 100000; i++)
        added += dedup_add(&seen, i, 7);
    assert_true(added > DEDUP_SLOTS / 2 && added < DEDUP_SLOTS);
    for (uint64_t i = 0; i < 100000; i++)
        assert_false(dedup_add(&seen, i, 7));
}

static void forgets_all_when_cleared(void **state)
{
    (void)state;
    seen.edition = UINT32_MAX - 2; /* editions begin anew after the last */
    for (unsigned round = 0; round < 6; round++) {
        dedup_clear(&seen);
        for (uint64_t i = 0; i < 50; i++)
            assert_true(dedup_add(&seen, i, i));
        for (uint64_t i = 0; i < 50; i++)
            assert_false(dedup_add(&seen, i, i));
    }
}

static void remembers_as_an_array_does(void **state)
{
    (void)state;
    struct random random = random_begin(5);
    for (unsigned round = 0; round < 2000; round++) {
        bool has[8][8] = {{false}};
        dedup_clear(&seen);
        for (uint64_t i = random_draw(&random, 60); i > 0; i--) {
            uint64_t a = random_draw(&random, 8), b = random_draw(&random, 8);
            assert_int_equal(dedup_add(&seen, a << 40, b << 20), !has[a][b]);
            has[a][b] = true;
        }
    }
}

static size_t longest_run(void)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < 2 * DEDUP_SLOTS; i++) {
        run = seen.editions[i % DEDUP_SLOTS] == seen.edition ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* IPv4 addresses that a hash without a secret lays upon each other, and regular ones. */
static uint64_t next_address(unsigned kind, uint64_t before)
{
    static const uint64_t steps[] = {1, 256, 65536, 0x01010101};
    if (kind > 0)
        return before + steps[kind - 1];
    uint64_t known = UINT64_MAX * UINT64_C(0x9e3779b97f4a7c15);
    do
        before++;
    while (((before ^ known) * UINT64_C(0xff51afd7ed558ccd) >> 40) % DEDUP_SLOTS >= 4);
    return before;
}

static void chosen_pairs_do_not_fall_together(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 5; kind++) {
        memset(&seen, 0, sizeof(seen));
        assert_int_equal(name_seed_init(&seen.seed), STATUS_OK);
        dedup_clear(&seen);
        uint64_t address = 0;
        for (unsigned i = 0; i < 4000; i++) {
            address = next_address(kind, address);
            assert_true(dedup_add(&seen, address, UINT64_MAX));
        }
        assert_in_range(longest_run(), 1, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_it_has_seen),
        cmocka_unit_test(pairs_are_equal_in_both_halves_only),
        cmocka_unit_test(never_fills),
        cmocka_unit_test(forgets_all_when_cleared),
        cmocka_unit_test(remembers_as_an_array_does),
        cmocka_unit_test(chosen_pairs_do_not_fall_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
