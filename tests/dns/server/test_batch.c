#include "dns/server/batch.h"

#include "support/client.h"
#include "support/fake_answer.h"
#include "zones/store/rcu.h"
#include "zones/zone.h"

#include <time.h>

enum { FORMERR = 1, REFUSED = 5 };

static struct {
    struct batch batch;
    struct batch_env env;
    const struct batch_env *published;
    struct counters counters;
    struct acl friends, nobody;
    struct sockaddr_storage client;
    uint8_t query[256], reply[ANSWER_MAX + ANSWER_SLACK];
    size_t query_len;
    struct answer_result result;
} world;

static int setup(void **state)
{
    static const struct zone_address ns[] = {{"ns", {AF_INET, {127, 0, 0, 1}}}};
    struct zone_options options = {.domain = "test", .ns = ns, .ns_count = 1};
    struct zone *zone;
    (void)state;
    memset(&world, 0, sizeof(world));
    if (zone_new(&options, &zone, NULL) != STATUS_OK ||
        acl_add(&world.friends, "10.0.0.0/8", NULL) != STATUS_OK)
        return -1;
    world.env = (struct batch_env){.version = 1, .env = {.nsid_len = 2, .nsid = "v1"}};
    world.published = &world.env;
    world.client = client_address("10.1.2.3", 5353);
    world.batch = (struct batch){.zone = zone,
                                 .published = &world.published,
                                 .counters = &world.counters,
                                 .is_online = true};
    rcu_reader_start();
    batch_begin(&world.batch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    batch_end(&world.batch);
    rcu_reader_stop();
    struct zone *zone = (struct zone *)(uintptr_t)world.batch.zone;
    zone_free(zone);
    return 0;
}

static void read_query(enum query_transport transport)
{
    batch_read(&world.batch, 0, world.query, world.query_len, transport,
               (const struct sockaddr *)&world.client);
}

static size_t reply_to(uint16_t type, enum query_transport transport)
{
    world.query_len = client_query(world.query, 7, "a", type);
    read_query(transport);
    return batch_answer(&world.batch, 0, world.reply, ANSWER_MAX, &world.result);
}

static unsigned rcode(void)
{
    return world.reply[3] & 15;
}

/* A message of which the end is missing cannot be answered, but what was to be dropped or denied
 * is no question: a stranger learns nothing by sending more. */
static void a_message_that_was_cut_is_malformed_if_it_is_a_question(void **state)
{
    (void)state;
    world.query_len = client_query(world.query, 7, "a", CLIENT_TYPE_A);
    read_query(QUERY_UDP);
    batch_cut(&world.batch, 0);
    assert_int_equal(batch_answer(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 24);
    assert_int_equal(rcode(), FORMERR);

    world.query[2] = 0x80; /* a response */
    read_query(QUERY_UDP);
    batch_cut(&world.batch, 0);
    assert_int_equal(batch_answer(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 0);
    assert_int_equal(world.counters.dropped, 1);

    world.batch.allow = &world.nobody;
    world.query[2] = 0;
    read_query(QUERY_UDP);
    batch_cut(&world.batch, 0);
    assert_int_equal(batch_answer(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 24);
    assert_int_equal(rcode(), REFUSED);
    assert_int_equal(world.counters.refused_acl, 1);
}

static void a_response_of_a_stranger_is_dropped_not_refused(void **state)
{
    (void)state;
    world.batch.allow = &world.nobody;
    world.query_len = client_query(world.query, 7, "a", CLIENT_TYPE_A);
    world.query[2] = 0x80;
    read_query(QUERY_UDP);
    assert_int_equal(batch_answer(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 0);
    assert_int_equal(world.counters.dropped, 1);
    assert_int_equal(world.counters.refused_acl, 0);
    assert_int_equal(world.counters.queries[QUERY_UDP][COUNTERS_TYPE_A], 0);
}

static void only_a_question_is_answered_with_truncation(void **state)
{
    (void)state;
    assert_true(reply_to(CLIENT_TYPE_A, QUERY_UDP) > 24);
    assert_int_equal(batch_truncated(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 24);
    assert_int_equal(world.reply[2] & 2, 2);
    assert_int_equal(rcode(), 0);

    world.query[5] = 2; /* two questions */
    read_query(QUERY_UDP);
    assert_int_equal(batch_answer(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 12);
    assert_int_equal(rcode(), FORMERR);
    assert_int_equal(batch_truncated(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 0);

    world.batch.allow = &world.nobody;
    (void)reply_to(CLIENT_TYPE_A, QUERY_UDP);
    assert_int_equal(batch_truncated(&world.batch, 0, world.reply, ANSWER_MAX, &world.result), 0);
}

static void transfers_are_for_those_who_may_have_them(void **state)
{
    (void)state;
    assert_int_equal(reply_to(FAKE_AXFR, QUERY_TCP), 24);
    assert_int_equal(rcode(), REFUSED);
    assert_false(world.result.is_transfer);

    world.batch.allow_transfer = &world.nobody;
    assert_int_equal(reply_to(FAKE_AXFR, QUERY_TCP), 24);
    assert_int_equal(rcode(), REFUSED);

    world.batch.allow_transfer = &world.friends;
    assert_int_equal(reply_to(FAKE_AXFR, QUERY_TCP), 0);
    assert_true(world.result.is_transfer);
    assert_int_equal(world.counters.queries[QUERY_TCP][COUNTERS_TYPE_AXFR], 3);
}

static void a_new_environment_holds_from_the_next_batch_on(void **state)
{
    struct batch_env later = {.version = 2, .env = {.nsid_len = 5, .nsid = "later"}};
    (void)state;
    assert_int_equal(reply_to(CLIENT_TYPE_A, QUERY_UDP), 26);
    world.published = &later;
    assert_int_equal(reply_to(CLIENT_TYPE_A, QUERY_UDP), 26);
    batch_end(&world.batch);
    batch_begin(&world.batch);
    assert_int_equal(reply_to(CLIENT_TYPE_A, QUERY_UDP), 29);
}

static void each_batch_knows_the_time(void **state)
{
    (void)state;
    uint64_t now_s = (uint64_t)time(NULL);
    assert_in_range(world.batch.env.now_s, now_s - 2, now_s);
    assert_in_range(world.batch.now_us, (now_s - 2) * 1000000, (now_s + 1) * 1000000);
    assert_in_range(world.batch.now_us - (uint64_t)world.batch.env.now_s * 1000000, 0, 999999);
    uint64_t before_us = world.batch.now_us;
    usleep(20000);
    batch_begin(&world.batch);
    assert_in_range(world.batch.now_us - before_us, 10000, 10000000);
}

/* The writer waits for readers, but not for one that sleeps. */
static void who_sleeps_holds_nobody_up(void **state)
{
    (void)state;
    batch_end(&world.batch);
    batch_sleep(&world.batch);
    assert_false(world.batch.is_online);
    batch_sleep(&world.batch);
    batch_begin(&world.batch);
    assert_true(world.batch.is_online);
}

static void each_query_rotates_further(void **state)
{
    (void)state;
    (void)reply_to(CLIENT_TYPE_A, QUERY_UDP);
    uint32_t first = world.batch.queries[0].rotation;
    (void)reply_to(CLIENT_TYPE_A, QUERY_UDP);
    assert_int_equal(world.batch.queries[0].rotation, first + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_message_that_was_cut_is_malformed_if_it_is_a_question),
        TEST(a_response_of_a_stranger_is_dropped_not_refused),
        TEST(only_a_question_is_answered_with_truncation),
        TEST(transfers_are_for_those_who_may_have_them),
        TEST(a_new_environment_holds_from_the_next_batch_on),
        TEST(each_batch_knows_the_time),
        TEST(who_sleeps_holds_nobody_up),
        TEST(each_query_rotates_further),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
