#include "registry/etcd/lease.h"
#include "registry/lease_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    uint64_t ttl_s;
    uint32_t said_s;
} ttls[] = {{1, 1}, {5, 5}, {30, 30}, {254, 254}, {255, 255}, {256, 255}, {LEASE_TTL_MAX_S, 255}};

#define COUNT (sizeof(ttls) / sizeof(ttls[0]))

static void an_id_says_its_ttl(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        int64_t id, other;
        assert_int_equal(lease_id_new(ttls[i].ttl_s, &id), STATUS_OK);
        assert_int_equal(lease_id_new(ttls[i].ttl_s, &other), STATUS_OK);
        assert_true(id > 0 && id != other);
        assert_int_equal(id >> 55, 0x45);
        assert_int_equal(id >> 47 & 255, ttls[i].said_s);
        assert_int_equal(lease_id_ttl_s(id), ttls[i].said_s);
    }
}

static void the_ttl_of_a_foreign_id_is_assumed(void **state)
{
    (void)state;
    assert_int_equal(lease_id_ttl_s(0), 0);
    assert_int_equal(lease_id_ttl_s(777), LEASE_ID_TTL_ASSUMED_S);
    assert_int_equal(lease_id_ttl_s(7587862094710857752), LEASE_ID_TTL_ASSUMED_S);
    assert_int_equal(lease_id_ttl_s(INT64_C(0x45) << 55), LEASE_ID_TTL_ASSUMED_S);
    assert_int_equal(lease_id_ttl_s(-1), LEASE_ID_TTL_ASSUMED_S);
}

static void an_id_is_for_its_ttl_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        int64_t id;
        assert_int_equal(lease_id_new(ttls[i].ttl_s, &id), STATUS_OK);
        for (size_t k = 0; k < COUNT; k++)
            assert_int_equal(lease_id_is_for(id, ttls[k].ttl_s), ttls[i].said_s == ttls[k].said_s);
        assert_false(lease_id_is_for(id ^ INT64_C(1) << 55, ttls[i].ttl_s));
        assert_false(lease_id_is_for(id | INT64_MIN, ttls[i].ttl_s));
    }
    assert_false(lease_id_is_for(0, 5) || lease_id_is_for(777, 5));
}

static void an_id_of_what_is_held_is_nobody_elses(void **state)
{
    int64_t id;
    (void)state;
    for (uint32_t ttl_s = 1; ttl_s <= 10; ttl_s++) {
        assert_true(lease_id_is_held(lease_id_of_held(ttl_s)));
        assert_int_equal(lease_id_ttl_s(lease_id_of_held(ttl_s)), ttl_s);
        assert_int_equal(lease_id_new(ttl_s, &id), STATUS_OK);
        assert_false(lease_id_is_held(id));
    }
    assert_false(lease_id_is_held(0) || lease_id_is_held(777));
    assert_false(lease_id_is_held(INT64_C(0x45) << 55));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_says_its_ttl),
        cmocka_unit_test(the_ttl_of_a_foreign_id_is_assumed),
        cmocka_unit_test(an_id_is_for_its_ttl_alone),
        cmocka_unit_test(an_id_of_what_is_held_is_nobody_elses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
