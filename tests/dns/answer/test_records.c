#include "reply.h"
#include "support/world.h"

static struct world world;

#define Z "empusa.internal."

/* `count` instances of a type, each at an address of its own. */
static void open_many(unsigned count)
{
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    for (unsigned i = 0; i < count; i++) {
        char key[64], value[64];
        snprintf(key, sizeof(key), "/service/many/instance-%04u", i);
        snprintf(value, sizeof(value), "10.1.%u.%u:80", i >> 8, i & 255);
        world_put(&world, key, value, 0);
    }
    world_refresh(&world);
}

static const uint16_t set_types[] = {READ_PTR, READ_SRV, READ_TXT};

static void a_truncated_answer_holds_what_fits(void **state)
{
    (void)state;
    static const struct {
        unsigned edns, limit; /* edns 0: none */
    } rows[] = {{0, 512}, {512, 512}, {1000, 1000}, {1232, 1232}, {1233, 1232}, {65535, 1232}};
    open_many(100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned j = 0; j < 4; j++) {
            struct ask_query query = j < 3 ? ask_query("_many._tcp." Z, set_types[j])
                                           : ask_query("many.service." Z, READ_A);
            if (rows[i].edns)
                ask_opt(&query, rows[i].edns, 0, NULL, 0);
            world_send(&world, &query, QUERY_UDP);
            size_t count = world_count(&world, READ_ANSWER), len = world.ask.result.len;
            size_t record = (len - 12 - 20) / count; /* about */
            assert_true(world.ask.result.is_truncated);
            assert_true(len <= rows[i].limit && len + record + 28 > rows[i].limit);
            assert_int_equal(world_count(&world, READ_ADDITIONAL), 0);
        }
    world_close(&world);
}

static void max_udp_size_bounds_datagrams(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {512, 600, 1400, 4096};
    open_many(100);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ask_query query = ask_query("_many._tcp." Z, READ_PTR);
        ask_opt(&query, 65535, 0, NULL, 0);
        world.ask.env.max_udp_size = sizes[i];
        world_send(&world, &query, QUERY_UDP);
        assert_true(world.ask.result.len <= sizes[i]);
        assert_int_equal(world.ask.reader.opt_size, sizes[i]);
        assert_int_equal(world.ask.result.is_truncated, sizes[i] < 4096);
    }
    world_close(&world);
}

static void tcp_carries_a_type_whole(void **state)
{
    (void)state;
    open_many(500);
    for (unsigned j = 0; j < 3; j++) {
        world_ask(&world, "_many._tcp." Z, set_types[j], QUERY_TCP);
        assert_int_equal(world_count(&world, READ_ANSWER), 500);
        assert_false(world.ask.result.is_sampled || world.ask.result.is_truncated);
    }
    world_close(&world);
}

/* No oracle: it is too slow for so many. The reader judges the frame, a bitmap the rest. */
static void a_type_too_large_for_any_message_is_a_window(void **state)
{
    (void)state;
    enum { COUNT = 9000 };
    static const struct {
        const char *name;
        uint16_t type;
    } rows[] = {{"_many._tcp." Z, READ_PTR},   {"_many._tcp." Z, READ_SRV},
                {"_many._tcp." Z, READ_TXT},   {"many.service." Z, READ_A},
                {"many.service." Z, READ_SRV}, {"_many._tcp.", READ_PTR},
                {"_MANY._tcp." Z, READ_PTR}};
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        char key[64], value[64];
        int len = snprintf(key, sizeof(key), "/service/many/%u", i);
        int value_len = snprintf(value, sizeof(value), "10.1.%u.%u:80", i >> 8, i & 255);
        assert_int_equal(
            zone_put(world.ask.zone, key, (size_t)len, value, (size_t)value_len, i + 1, 0),
            STATUS_OK);
    }
    zone_commit(world.ask.zone, COUNT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ask_query query = ask_query(rows[i].name, rows[i].type);
        ask_opt(&query, 65535, 0, NULL, 0);
        world.ask.rotation = (uint32_t)(i * 1234);
        ask_send(&world.ask, &query, QUERY_TCP);
        if (world.ask.fault)
            fail_msg("%s type %u: %s", rows[i].name, rows[i].type, world.ask.fault);
        assert_true(world.ask.result.is_sampled);
        assert_false(world.ask.result.is_truncated);
        assert_true(world.ask.result.len > 65535 - 100);
        assert_true(world_count(&world, READ_ANSWER) > 500);
        assert_int_equal(world_count(&world, READ_ADDITIONAL), 0);
    }
    world_close(&world);
}

/* Also when there is little or nothing to show for it. */
static void it_is_told_how_many_instances_were_looked_at(void **state)
{
    enum { COUNT = 300 };
    static const struct {
        const char *name;
        uint16_t type;
        uint32_t looks;
    } rows[] = {{"many.service." Z, READ_AAAA, COUNT},        {"many.service." Z, READ_A, COUNT},
                {"same.service." Z, READ_SRV, COUNT},         {"_same._tcp." Z, READ_SRV, COUNT},
                {"instance-0001._many._tcp." Z, READ_SRV, 0}, {"" Z, READ_SOA, 0}};
    (void)state;
    open_many(COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        char key[64];
        snprintf(key, sizeof(key), "/service/same/%u", i);
        world_put(&world, key, "10.1.1.1:80", 0);
    }
    world_refresh(&world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_ask(&world, rows[i].name, rows[i].type, QUERY_TCP);
        assert_int_equal(world.ask.result.looks, rows[i].looks);
    }
    world_close(&world);
}

/* Names are few, but each has as many keys as letters' case can make: these are looked at, too. */
static void keys_of_one_name_count_each(void **state)
{
    enum { NAMES = 40, KEYS = 256 };
    static const struct {
        const char *name;
        uint16_t type;
        size_t answers;
        uint32_t looks;
    } rows[] = {{"_same._tcp." Z, READ_SRV, 1, REPLY_VISITS_MAX},
                {"same.service." Z, READ_SRV, 1, REPLY_VISITS_MAX},
                {"same.service." Z, READ_A, 1, REPLY_VISITS_MAX},
                {"same.service." Z, READ_AAAA, 0, REPLY_VISITS_MAX},
                {"abcdefgh-7._same._tcp." Z, READ_SRV, 1, KEYS},
                /* with the records of each name, until the bound is passed */
                {"_same._tcp." Z, READ_PTR, NAMES, (REPLY_VISITS_MAX / KEYS + 1) * KEYS}};
    (void)state;
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    for (unsigned i = 0; i < NAMES * KEYS; i++) {
        char key[64];
        int len = snprintf(key, sizeof(key), "/service/same/abcdefgh-%u", i / KEYS);
        for (unsigned bit = 0; bit < 8; bit++)
            if (i >> bit & 1)
                key[strlen("/service/same/") + bit] ^= 'a' ^ 'A';
        assert_int_equal(zone_put(world.ask.zone, key, (size_t)len, "10.1.1.1:80", 11, i + 1, 0),
                         STATUS_OK);
    }
    zone_commit(world.ask.zone, NAMES * KEYS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ask_query query = ask_query(rows[i].name, rows[i].type);
        world.ask.rotation = (uint32_t)(i * 1234);
        ask_send(&world.ask, &query, QUERY_TCP);
        assert_null(world.ask.fault);
        assert_int_equal(world_count(&world, READ_ANSWER), rows[i].answers);
        assert_int_equal(world.ask.result.looks, rows[i].looks);
    }
    world_close(&world);
}

static void records_rotate_and_all_are_there(void **state)
{
    (void)state;
    bool is_first[2][10] = {{false}};
    open_many(10);
    for (uint32_t rotation = 0; rotation < 100; rotation++) {
        world.ask.rotation = rotation;
        world_ask(&world, "_many._tcp." Z, READ_SRV, QUERY_UDP);
        is_first[0][world.ask.reader.records[0].data[14] - '0'] = true; /* "\1010-1-0-N" */
        world_ask(&world, "many.service." Z, READ_A, QUERY_UDP);
        is_first[1][world.ask.reader.records[0].data[3]] = true;
    }
    for (unsigned i = 0; i < 10; i++)
        assert_true(is_first[0][i] && is_first[1][i]);
    world.ask.rotation = UINT32_MAX;
    world_ask(&world, "_many._tcp." Z, READ_TXT, QUERY_UDP);
    world_close(&world);
}

static void no_record_stands_twice(void **state)
{
    (void)state;
    static const struct world_row rows[] = {
        {"/service/http/a", "baz:1", 0},
        {"/service/http/b", "BAZ:1", 0},
        {"/service/http/c", "Baz:2", 0},
        {"/service/http/d", "10.0.0.1:1", 0},
        {"/service/http/e", "[::ffff:10.0.0.1]:1", 0},
        {"/service/http._udp/a", "10.0.0.1:1", 0},
        {"/service/http._udp/b", "www.Example.com:1", 0},
        {"/service/HTTP/f", "WWW.example.com.:1", 0},
    };
    static const struct zone_address hosts[] = {
        {"baz", {AF_INET, {10, 0, 0, 1}}},
        {"baz", {AF_INET, {10, 0, 0, 2}}},
        {"BAZ", {AF_INET, {10, 0, 0, 2}}},
    };
    static const struct {
        const char *name;
        uint16_t type;
        size_t count;
    } expected[] = {
        {"_http._tcp." Z, READ_SRV, 4},   {"_http._tcp." Z, READ_PTR, 6},
        {"http.service." Z, READ_SRV, 4}, {"http.service." Z, READ_A, 2},
        {"baz.host." Z, READ_A, 2},       {"a.http.service." Z, READ_SRV, 2},
    };
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 3}, rows,
               sizeof(rows) / sizeof(rows[0]));
    for (uint32_t rotation = 0; rotation < 20; rotation++)
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
            world.ask.rotation = rotation;
            world_ask(&world, expected[i].name, expected[i].type, QUERY_TCP);
            assert_int_equal(world_count(&world, READ_ANSWER), expected[i].count);
        }
    world_close(&world);
}

static void txt_says_what_an_entry_says(void **state)
{
    (void)state;
    static char value[17000], long_name[120] = "/service/t/";
    memset(long_name + 11, 'n', 100);
    memset(value, 'v', 600);
    static const struct {
        const char *name, *answer;
    } expected[] = {
        {"a._my-type._tcp." Z, "10 TXT \"beta\" \"path=/\" \"type=my_type\"\n"},
        {"_my-type._tcp." Z, "10 TXT \"name=a\" \"location=baz:1\" \"beta\" \"path=/\"\n"},
        {"b\\000._t._tcp." Z, NULL},
        {"e.switch." Z, "10 TXT \"\"\n"},
    };
    const struct world_row rows[] = {
        {"/service/my_type/a",
         "{\"location\":\"baz:1\",\"txt\":{\"path\":\"/\",\"beta\":true,\"type\":\"mine\"}}", 0},
        {"/switch/e", "", 0},
        {"/switch/long", value, 0},
        {long_name, "baz:1", 0},
    };
    world_open(&world, (struct zone_options){.domain = NULL}, rows, 4);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        world_ask(&world, expected[i].name, READ_TXT, QUERY_UDP);
        if (expected[i].answer)
            assert_string_equal(world_text(&world, READ_ANSWER), expected[i].answer);
        else
            assert_int_equal(world.ask.result.rcode, 3);
    }
    world_ask(&world, "long.switch." Z, READ_TXT, QUERY_TCP);
    assert_int_equal(world.ask.reader.records[0].len, 603);
    assert_int_equal(world.ask.reader.records[0].data[0], 255);
    assert_int_equal(world.ask.reader.records[0].data[512], 90);
    world_ask(&world, "long.switch." Z, READ_TXT, QUERY_UDP); /* does not fit at all */
    assert_true(world.ask.result.is_truncated);
    assert_int_equal(world_count(&world, READ_ANSWER), 0);
    world_ask(&world, "_t._tcp." Z, READ_TXT, QUERY_UDP);
    assert_int_equal(world.ask.reader.records[0].data[0], 105);
    world_close(&world);
}

static void srv_says_priority_weight_and_draining(void **state)
{
    (void)state;
    static const struct {
        const char *value, *answer;
    } rows[] = {
        {"baz:1", "10 SRV 0 1 1 baz.host." Z "\n"},
        {"{\"location\":\"baz:1\",\"priority\":65535,\"weight\":65534}",
         "10 SRV 65535 65534 1 baz.host." Z "\n"},
        {"{\"location\":\"baz:1\",\"weight\":0}", "10 SRV 0 0 1 baz.host." Z "\n"},
        {"{\"location\":\"baz:1\",\"weight\":9,\"state\":\"draining\"}",
         "10 SRV 0 0 1 baz.host." Z "\n"},
        {"{\"location\":\"baz:1\",\"weight\":9,\"state\":\"up\"}", "10 SRV 0 9 1 baz.host." Z "\n"},
        {"{\"location\":\"baz:1\",\"weight\":-1,\"priority\":\"7\"}",
         "10 SRV 0 1 1 baz.host." Z "\n"},
        {"baz.:65535", "10 SRV 0 1 65535 baz.\n"},
        {"a.b.c:1", "10 SRV 0 1 1 a.b.c.\n"},
        {"[::]:1", "10 SRV 0 1 1 0-0-0-0-0-0-0-0.addr." Z "\n"},
        {"[::ffff:1.2.3.4]:1", "10 SRV 0 1 1 1-2-3-4.addr." Z "\n"},
        {"[2001:DB8:0:1::a0]:1", "10 SRV 0 1 1 2001-db8-0-1-0-0-0-a0.addr." Z "\n"},
    };
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_put(&world, "/service/http/a", rows[i].value, 0);
        world_refresh(&world);
        world_ask(&world, "a._http._tcp." Z, READ_SRV, QUERY_UDP);
        assert_string_equal(world_text(&world, READ_ANSWER), rows[i].answer);
    }
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_truncated_answer_holds_what_fits),
        cmocka_unit_test(max_udp_size_bounds_datagrams),
        cmocka_unit_test(tcp_carries_a_type_whole),
        cmocka_unit_test(a_type_too_large_for_any_message_is_a_window),
        cmocka_unit_test(it_is_told_how_many_instances_were_looked_at),
        cmocka_unit_test(keys_of_one_name_count_each),
        cmocka_unit_test(records_rotate_and_all_are_there),
        cmocka_unit_test(no_record_stands_twice),
        cmocka_unit_test(txt_says_what_an_entry_says),
        cmocka_unit_test(srv_says_priority_weight_and_draining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
