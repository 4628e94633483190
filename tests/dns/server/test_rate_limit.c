#include "dns/server/rate_limit.h"

#include "support/client.h"

#include <stdio.h>

#define RATE   10
#define SECOND 1000000

static struct rate_limit limit;
static uint64_t now_us = UINT64_C(1700000000) * SECOND;

static int setup(void **state)
{
    static const struct name_seed seed = {
        {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344), UINT64_C(0xa4093822299f31d0)}};
    (void)state;
    rate_limit_init(&limit, RATE, &seed);
    return 0;
}

/* How many of `asked` answers may go. */
static unsigned draw(const char *client, unsigned asked)
{
    struct sockaddr_storage address = client_address(client, 1024);
    unsigned allowed = 0;
    for (unsigned i = 0; i < asked; i++)
        allowed += rate_limit_allows(&limit, (const struct sockaddr *)&address, now_us);
    return allowed;
}

static void a_prefix_may_draw_one_second_of_answers_at_once(void **state)
{
    (void)state;
    assert_int_equal(draw("192.0.2.1", 100), RATE);
    now_us += SECOND / 2;
    assert_int_equal(draw("192.0.2.1", 100), RATE / 2);
    now_us += 10 * SECOND;
    assert_int_equal(draw("192.0.2.1", 100), RATE);
}

static void neighbours_share_and_strangers_do_not(void **state)
{
    static const struct {
        const char *first, *second;
        bool shares;
    } rows[] = {
        {"192.0.2.1", "192.0.2.255", true},
        {"192.0.2.1", "192.0.3.1", false},
        {"192.0.2.1", "::ffff:192.0.2.9", true},
        {"2001:db8:0:1::1", "2001:db8:0:ff:1::", true},
        {"2001:db8:0:1::1", "2001:db8:0:100::", false},
        {"::", "0.0.0.0", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setup(state);
        assert_int_equal(draw(rows[i].first, RATE), RATE);
        assert_int_equal(draw(rows[i].second, RATE), rows[i].shares ? 0 : RATE);
    }
}

static void loopback_is_exempt(void **state)
{
    static const char *const rows[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(draw(rows[i], 100 * RATE), 100 * RATE);
}

static void a_clock_that_jumps_forgives(void **state)
{
    (void)state;
    uint64_t before = now_us;
    assert_int_equal(draw("192.0.2.1", 100), RATE);
    now_us -= UINT64_C(3600) * SECOND;
    assert_int_equal(draw("192.0.2.1", 100), RATE);
    now_us += UINT64_C(7200) * SECOND;
    assert_int_equal(draw("192.0.2.1", 100), RATE);
    now_us = before;
}

static void a_flood_of_prefixes_frees_the_idle_not_the_heavy(void **state)
{
    (void)state;
    assert_int_equal(draw("192.0.2.1", 100), RATE);
    for (uint32_t i = 0; i < 4 * RATE_LIMIT_LINES * RATE_LIMIT_WAYS; i++) {
        struct sockaddr_in client = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(0x0a000000 + (i << 8))};
        assert_true(rate_limit_allows(&limit, (const struct sockaddr *)&client, now_us));
    }
    assert_int_equal(draw("192.0.2.1", 100), 0);
}

static void many_prefixes_are_limited_each(void **state)
{
    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 10000; i++) {
            char client[32];
            snprintf(client, sizeof(client), "10.%d.%d.1", i / 250, i % 250);
            assert_int_equal(draw(client, RATE + 5), pass == 0 ? RATE : 0);
        }
    }
}

static void a_high_rate_is_a_rate(void **state)
{
    static const struct name_seed seed = {{1, 2, 3}};
    (void)state;
    rate_limit_init(&limit, 100000, &seed);
    assert_int_equal(draw("192.0.2.1", 200000), 100000);
    rate_limit_init(&limit, UINT32_MAX, &seed);
    assert_int_equal(draw("192.0.2.1", 200000), 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_prefix_may_draw_one_second_of_answers_at_once, setup),
        cmocka_unit_test_setup(neighbours_share_and_strangers_do_not, setup),
        cmocka_unit_test_setup(loopback_is_exempt, setup),
        cmocka_unit_test_setup(a_clock_that_jumps_forgives, setup),
        cmocka_unit_test_setup(a_flood_of_prefixes_frees_the_idle_not_the_heavy, setup),
        cmocka_unit_test_setup(many_prefixes_are_limited_each, setup),
        cmocka_unit_test_setup(a_high_rate_is_a_rate, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
