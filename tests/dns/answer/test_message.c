#include "dns/answer/message.h"

#include "support/world.h"

static struct world world;

#define Z "empusa.internal."

static void open_world(const char *nsid)
{
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    world.ask.env.nsid_len = (uint16_t)strlen(nsid);
    memcpy(world.ask.env.nsid, nsid, strlen(nsid));
}

/* RFC 4892: who answers, but not which version. */
static void says_who_it_is_in_class_ch(void **state)
{
    (void)state;
    static const struct {
        const char *nsid, *name;
        uint16_t type, rcode;
        const char *answer;
    } rows[] = {
        {"node 1", "id.server.", READ_TXT, 0, "0 TXT \"node 1\"\n"},
        {"node 1", "ID.Server.", READ_ANY, 0, "0 TXT \"node 1\"\n"},
        {"node 1", "hostname.bind.", READ_TXT, 0, "0 TXT \"node 1\"\n"},
        {"node 1", "version.bind.", READ_TXT, 5, ""},
        {"node 1", "version.server.", READ_TXT, 5, ""},
        {"node 1", "id.server.", READ_A, 5, ""},
        {"node 1", Z, READ_SOA, 5, ""},
        {"", "id.server.", READ_TXT, 5, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned has_opt = 0; has_opt < 2; has_opt++) {
            open_world(rows[i].nsid);
            struct ask_query query = ask_query(rows[i].name, rows[i].type);
            query.bytes[query.len - 1] = 3;
            if (has_opt)
                ask_opt(&query, 512, 0, NULL, 0);
            world_send(&world, &query, QUERY_UDP);
            assert_int_equal(world.ask.result.rcode, rows[i].rcode);
            assert_int_equal(world.ask.reader.is_authoritative, rows[i].rcode == 0);
            assert_string_equal(world_text(&world, READ_ANSWER), rows[i].answer);
            assert_int_equal(world.ask.reader.has_opt, has_opt);
            world_close(&world);
        }
}

static void bounds_replies(void **state)
{
    (void)state;
    static const struct {
        enum query_transport transport;
        bool has_edns;
        uint16_t udp_size, max_udp_size;
        size_t size, limit;
    } rows[] = {
        {QUERY_UDP, false, 512, 1232, 65535, 512},  {QUERY_UDP, true, 512, 1232, 65535, 512},
        {QUERY_UDP, true, 1000, 1232, 65535, 1000}, {QUERY_UDP, true, 4096, 1232, 65535, 1232},
        {QUERY_UDP, true, 4096, 4096, 1500, 1500},  {QUERY_TCP, false, 512, 1232, 65535, 65535},
        {QUERY_TCP, true, 512, 1232, 65535, 65535},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer_env env = {.max_udp_size = rows[i].max_udp_size};
        struct query query = {.transport = (uint8_t)rows[i].transport,
                              .has_edns = rows[i].has_edns,
                              .udp_size = rows[i].udp_size};
        assert_int_equal(message_size(&env, &query, rows[i].size), rows[i].limit);
    }
}

static void writes_bare_replies(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0x12, 0x34,                                    /* ID */
        0x83, 0x05,                                    /* QR, TC, RD; REFUSED */
        0,    1,    0,  0,    0,    0,  0, 1,          /* the question, an OPT */
        1,    'Z',  0,  0,    1,    0,  1,             /* Z. A IN */
        0,    0,    41, 0x04, 0xd0, 0,  0, 0, 0, 0, 6, /* OPT: 1232 octets */
        0,    15,   0,  2,    0,    18,                /* extended error: prohibited */
    };
    struct ask_query bytes = ask_query("Z.", READ_A);
    struct answer_env env = {.max_udp_size = 1232};
    struct answer_result result;
    struct query query;
    uint8_t *out = malloc(512);
    assert_non_null(out);
    ask_opt(&bytes, 1232, 0, NULL, 0);
    query_read(&query, bytes.bytes, bytes.len, QUERY_UDP, NULL, 0);
    message_bare(&env, &query, 5, true, 18, out, 512, &result);
    assert_int_equal(result.len, sizeof(expected));
    assert_memory_equal(out, expected, sizeof(expected));
    assert_int_equal(result.rcode, 5);
    assert_int_equal(result.type, READ_A);
    assert_true(result.is_truncated);
    free(out);
}

/* RFC 2181 9: TC when a required record, the SOA of a negative answer, does not fit. */
static void a_negative_answer_without_room_is_truncated(void **state)
{
    (void)state;
    static const char x63[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char domain[256], name[300];
    snprintf(domain, sizeof(domain), "%s.%s.%s", x63, x63, x63);
    snprintf(name, sizeof(name), "no.%s.", domain);
    world_open(&world, (struct zone_options){.domain = domain}, NULL, 0);
    world_ask(&world, name, READ_A, QUERY_UDP);
    assert_true(world.ask.result.is_truncated);
    assert_int_equal(world.ask.result.rcode, 3);
    assert_int_equal(world.ask.reader.count, 0);
    world_ask(&world, name, READ_A, QUERY_TCP);
    assert_false(world.ask.result.is_truncated);
    assert_int_equal(world_count(&world, READ_AUTHORITY), 1);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_who_it_is_in_class_ch),
        cmocka_unit_test(bounds_replies),
        cmocka_unit_test(writes_bare_replies),
        cmocka_unit_test(a_negative_answer_without_room_is_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
