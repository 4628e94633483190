#include "support/world.h"

static struct world world;

#define Z        "empusa.internal."
#define SOA_DATA "SOA ns." Z " hostmaster." Z " 104 60 20 604800 5\n"

static const struct world_row example[] = {
    {"/service/dummy-type/dummy-service-1", "baz:1235", 0},
    {"/service/dummy-type/dummy-service-2", "10.1.2.3:80", 0},
    {"/service/dummy-type/dummy-service-3", "[fd00::1]:8080", 0},
    {"/switch/features/super-cool-feature", "enabled", 0},
};
static const struct zone_address hosts[] = {{"baz", {AF_INET, {10, 9, 8, 7}}}};

static void open_example(void)
{
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 1}, example, 4);
}

struct question {
    const char *name;
    uint16_t type;
    const char *answer;
};

static void ask_rows(const struct question *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
            world_ask(&world, rows[i].name, rows[i].type, transport);
            assert_string_equal(world_text(&world, READ_ANSWER), rows[i].answer);
            assert_int_equal(world.ask.result.rcode, 0);
            assert_true(world.ask.reader.is_authoritative);
        }
}

static void holds_the_worked_example(void **state)
{
    (void)state;
    static const struct question rows[] = {
        {Z, READ_SOA, "60 " SOA_DATA},
        {Z, READ_NS, "3600 NS ns." Z "\n"},
        {"ns." Z, READ_A, "3600 A 127.0.0.1\n"},
        {"b._dns-sd._udp." Z, READ_PTR, "3600 PTR " Z "\n"},
        {"db._dns-sd._udp." Z, READ_PTR, "3600 PTR " Z "\n"},
        {"lb._dns-sd._udp." Z, READ_PTR, "3600 PTR " Z "\n"},
        {"_services._dns-sd._udp." Z, READ_PTR, "10 PTR _dummy-type._tcp." Z "\n"},
        {"_dummy-type._tcp." Z, READ_PTR,
         "10 PTR dummy-service-1._dummy-type._tcp." Z "\n"
         "10 PTR dummy-service-2._dummy-type._tcp." Z "\n"
         "10 PTR dummy-service-3._dummy-type._tcp." Z "\n"},
        {"_dummy-type._tcp." Z, READ_SRV,
         "10 SRV 0 1 1235 baz.host." Z "\n"
         "10 SRV 0 1 80 10-1-2-3.addr." Z "\n"
         "10 SRV 0 1 8080 fd00-0-0-0-0-0-0-1.addr." Z "\n"},
        {"_dummy-type._tcp." Z, READ_TXT,
         "10 TXT \"name=dummy-service-1\" \"location=baz:1235\"\n"
         "10 TXT \"name=dummy-service-2\" \"location=10.1.2.3:80\"\n"
         "10 TXT \"name=dummy-service-3\" \"location=[fd00::1]:8080\"\n"},
        {"dummy-service-1._dummy-type._tcp." Z, READ_SRV, "10 SRV 0 1 1235 baz.host." Z "\n"},
        {"dummy-service-1._dummy-type._tcp." Z, READ_TXT, "10 TXT \"\"\n"},
        {"dummy-service-2._dummy-type._tcp." Z, READ_SRV, "10 SRV 0 1 80 10-1-2-3.addr." Z "\n"},
        {"dummy-service-3._dummy-type._tcp." Z, READ_SRV,
         "10 SRV 0 1 8080 fd00-0-0-0-0-0-0-1.addr." Z "\n"},
        {"10-1-2-3.addr." Z, READ_A, "10 A 10.1.2.3\n"},
        {"fd00-0-0-0-0-0-0-1.addr." Z, READ_AAAA, "10 AAAA fd00::1\n"},
        {"baz.host." Z, READ_A, "10 A 10.9.8.7\n"},
        {"dummy-type.service." Z, READ_A, "10 A 10.1.2.3\n10 A 10.9.8.7\n"},
        {"dummy-type.service." Z, READ_AAAA, "10 AAAA fd00::1\n"},
        {"dummy-type.service." Z, READ_SRV,
         "10 SRV 0 1 1235 baz.host." Z "\n"
         "10 SRV 0 1 80 10-1-2-3.addr." Z "\n"
         "10 SRV 0 1 8080 fd00-0-0-0-0-0-0-1.addr." Z "\n"},
        {"dummy-service-2.dummy-type.service." Z, READ_A, "10 A 10.1.2.3\n"},
        {"dummy-service-2.dummy-type.service." Z, READ_SRV, "10 SRV 0 1 80 10-1-2-3.addr." Z "\n"},
        {"super-cool-feature.features.switch." Z, READ_TXT, "10 TXT \"enabled\"\n"},
    };
    open_example();
    ask_rows(rows, sizeof(rows) / sizeof(rows[0]));
    world_close(&world);
}

enum { NODATA = 0, NX = 3, REFUSED = 5 };
static const struct {
    const char *name;
    uint16_t type, rcode;
    bool has_soa;
} negatives[] = {
    /* Empty non-terminals (RFC 4592 2.2.2, RFC 8020 2) */
    {"_tcp." Z, READ_PTR, NODATA, true},
    {"_udp." Z, READ_A, NODATA, true},
    {"_dns-sd._udp." Z, READ_PTR, NODATA, true},
    {"addr." Z, READ_A, NODATA, true},
    {"host." Z, READ_A, NODATA, true},
    {"service." Z, READ_A, NODATA, true},
    {"switch." Z, READ_TXT, NODATA, true},
    {"features.switch." Z, READ_TXT, NODATA, true},
    {"Features.Switch.Empusa.INTERNAL.", READ_ANY, NODATA, true},
    /* Below a leaf, below nothing */
    {"x.10-1-2-3.addr." Z, READ_A, NX, true},
    {"x.super-cool-feature.features.switch." Z, READ_TXT, NX, true},
    {"x.dummy-service-1._dummy-type._tcp." Z, READ_SRV, NX, true},
    {"_sub._dummy-type._tcp." Z, READ_PTR, NX, true},
    {"x.y.nothing." Z, READ_A, NX, true},
    {"nothing." Z, READ_ANY, NX, true},
    {"r._dns-sd._udp." Z, READ_PTR, NX, true},
    {"dr._dns-sd._udp." Z, READ_PTR, NX, true},
    {"10-1-2-4.addr." Z, READ_A, NX, true},
    {"dummy-type._tcp." Z, READ_SRV, NX, true},
    {"_dummy-type._udp." Z, READ_SRV, NX, true},
    /* A wildcard is a label (RFC 4592 2.1) */
    {"*." Z, READ_A, NX, true},
    {"*._dummy-type._tcp." Z, READ_SRV, NX, true},
    /* Labels are octets (RFC 2181 11) */
    {"dummy-service-1\\._dummy-type._tcp." Z, READ_SRV, NX, true},
    {"a\\000b." Z, READ_A, NX, true},
    {"\\255." Z, READ_A, NX, true},
    {"_tcp\\.empusa.internal.", READ_A, REFUSED, false},
    /* Types (RFC 3597, RFC 6895, RFC 4035 3.1.4.1) */
    {Z, READ_A, NODATA, true},
    {Z, 43 /* DS */, NODATA, true},
    {Z, 48 /* DNSKEY */, NODATA, true},
    {Z, 0, NODATA, true},
    {Z, READ_OPT, NODATA, true},
    {Z, 249 /* TKEY */, NODATA, true},
    {Z, 253 /* MAILB */, NODATA, true},
    {Z, 65535, NODATA, true},
    {"_dummy-type._tcp." Z, 64 /* SVCB */, NODATA, true},
    {"_dummy-type._tcp." Z, READ_SOA, NODATA, true},
    {"baz.host." Z, READ_AAAA, NODATA, true},
    {"10-1-2-3.addr." Z, READ_AAAA, NODATA, true},
    {"_services._dns-sd._udp." Z, READ_SRV, NODATA, true},
    /* Elsewhere: on label boundaries alone */
    {"internal.", READ_SOA, REFUSED, false},
    {".", READ_NS, REFUSED, false},
    {"example.com.", READ_A, REFUSED, false},
    {"xempusa.internal.", READ_SOA, REFUSED, false},
    {"empusa.internal.example.", READ_SOA, REFUSED, false},
    {"xx\\006empusa\\008internal.", READ_SOA, REFUSED, false},
};

static void says_what_is_not_there(void **state)
{
    (void)state;
    open_example();
    for (size_t i = 0; i < sizeof(negatives) / sizeof(negatives[0]); i++)
        for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
            world_ask(&world, negatives[i].name, negatives[i].type, transport);
            assert_int_equal(world.ask.result.rcode, negatives[i].rcode);
            assert_int_equal(world_count(&world, READ_ANSWER), 0);
            assert_int_equal(world_count(&world, READ_ADDITIONAL), 0);
            assert_int_equal(world.ask.reader.is_authoritative, negatives[i].has_soa);
            const char *authority = world_text(&world, READ_AUTHORITY);
            if (negatives[i].has_soa) /* the question's letters: compare the rest */
                assert_string_equal(authority + strlen(Z), " 5 " SOA_DATA);
            else
                assert_string_equal(authority, "");
        }
    world_close(&world);
}

/* Every octet of a reply. */
static void writes_messages_as_rfc_1035_says(void **state)
{
    (void)state;
    static const uint8_t query[] = {
        0x12, 0x34,                                      /* ID */
        0x01, 0x00,                                      /* a standard query, RD */
        0,    1,    0,   0,    0,   0, 0, 1,             /* one question, one OPT */
        4,    '_',  'O', 'n',  'E',                      /* question: _OnE. */
        4,    '_',  't', 'c',  'p',                      /* _tcp. */
        1,    'z',  0,                                   /* z. */
        0,    33,   0,   1,                              /* SRV IN */
        0,    0,    41,  0x10, 0,   0, 0, 0x80, 0, 0, 0, /* OPT: 4096 octets, DO */
    };
    static const struct world_row rows[] = {
        {"/service/one/x", "{\"location\":\"10.0.0.1:80\",\"priority\":7}", 0}};
    static const uint8_t expected[] = {
        0x12, 0x34,                                             /* ID */
        0x85, 0x00,                                             /* QR, AA, RD; NOERROR */
        0,    1,    0,   1,    0,    0,   0,   2,               /* counts 1, 1, 0, 2 */
        4,    '_',  'O', 'n',  'E',                             /* the question */
        4,    '_',  't', 'c',  'p',                             /* in its own letters */
        1,    'z',  0,   0,    33,   0,   1,                    /* */
        0xc0, 12,                                               /* owner: the question's name */
        0,    33,   0,   1,    0,    0,   0,   10,              /* SRV IN, TTL 10 */
        0,    23,                                               /* octets of data */
        0,    7,    0,   1,    0,    80,                        /* priority, weight, port */
        8,    '1',  '0', '-',  '0',  '-', '0', '-',  '1',       /* target: whole */
        4,    'a',  'd', 'd',  'r',  1,   'z', 0,               /* */
        0xc0, 47,                                               /* owner: the target above */
        0,    1,    0,   1,    0,    0,   0,   10,              /* A IN, TTL 10 */
        0,    4,    10,  0,    0,    1,                         /* 10.0.0.1 */
        0,    0,    41,  0x04, 0xd0, 0,   0,   0x80, 0,   0, 0, /* OPT: 1232 octets, DO */
    };
    world_open(&world, (struct zone_options){.domain = "z"}, rows, 1);
    struct ask_query question = {.len = sizeof(query)};
    memcpy(question.bytes, query, sizeof(query));
    world_send(&world, &question, QUERY_UDP);
    assert_int_equal(world.ask.result.len, sizeof(expected));
    assert_memory_equal(world.ask.reply, expected, sizeof(expected));
    world_close(&world);
}

static void a_query_s_other_bits_change_nothing(void **state)
{
    (void)state;
    open_example();
    for (unsigned bits = 0; bits < 0x800; bits += 0x0f) {
        struct ask_query query = ask_query("_dummy-type._tcp." Z, READ_SRV);
        query.bytes[2] = (uint8_t)(bits >> 8);
        query.bytes[3] = (uint8_t)bits;
        world_send(&world, &query, QUERY_UDP);
        assert_int_equal(world_count(&world, READ_ANSWER), 3);
        assert_int_equal(world.ask.reply[2], 0x84 | (bits >> 8 & 1));
        assert_int_equal(world.ask.reply[3], 0);
    }
    world_close(&world);
}

static void keeps_the_registry_s_letters(void **state)
{
    (void)state;
    static const struct world_row rows[] = {
        {"/service/HTTP/Bureau d'\xc3\x89t\xc3\xa9", "Baz:1", 0},
        {"/service/http/printer.Room 2",
         "{\"location\":\"WWW.Example.com:1\",\"subtypes\":[\"Colour\"]}", 0},
    };
    static const struct question questions[] = {
        {"_hTTp._TcP.eMPusa.INTERNAL.", READ_PTR,
         "10 PTR Bureau\\032d'\\195\\137t\\195\\169._http._tcp.Empusa.internal.\n"
         "10 PTR printer\\.Room\\0322._http._tcp.Empusa.internal.\n"},
        {"_http._tcp.Empusa.internal.", READ_PTR,
         "10 PTR Bureau\\032d'\\195\\137t\\195\\169._http._tcp.Empusa.internal.\n"
         "10 PTR printer\\.Room\\0322._http._tcp.Empusa.internal.\n"},
        {"_COLOUR._SUB._HTTP._TCP.EMPUSA.INTERNAL.", READ_PTR,
         "10 PTR printer\\.Room\\0322._http._tcp.Empusa.internal.\n"},
        {"_SERVICES._dns-SD._udp.EMPUSA.internal.", READ_PTR,
         "10 PTR _http._tcp.Empusa.internal.\n"},
        {"bUREAU D'\xc3\x89T\xc3\xa9._HTTP._tcp.empusa.internal.", READ_SRV,
         "10 SRV 0 1 1 Baz.host.Empusa.internal.\n"},
        {"PRINTER\\.ROOM 2._http._tcp.empusa.internal.", READ_SRV,
         "10 SRV 0 1 1 WWW.Example.com.\n"},
        {"http.SERVICE.empusa.internal.", READ_SRV,
         "10 SRV 0 1 1 Baz.host.Empusa.internal.\n10 SRV 0 1 1 WWW.Example.com.\n"},
    };
    world_open(&world, (struct zone_options){.domain = "Empusa.internal."}, rows, 2);
    ask_rows(questions, sizeof(questions) / sizeof(questions[0]));
    world_close(&world);
}

static void answers_short_names(void **state)
{
    (void)state;
    static const struct question rows[] = {
        {"_dummy-type._tcp.", READ_PTR,
         "10 PTR dummy-service-1._dummy-type._tcp." Z "\n"
         "10 PTR dummy-service-2._dummy-type._tcp." Z "\n"
         "10 PTR dummy-service-3._dummy-type._tcp." Z "\n"},
        {"dummy-service-1._Dummy-Type._TCP.", READ_SRV, "10 SRV 0 1 1235 baz.host." Z "\n"},
        {"_services._dns-sd._udp.", READ_PTR, "10 PTR _dummy-type._tcp." Z "\n"},
        {"b._dns-sd._udp.", READ_PTR, "3600 PTR " Z "\n"},
    };
    static const struct {
        const char *name;
        uint16_t rcode;
    } negative[] = {{"_none._tcp.", 3},
                    {"x._dummy-type._tcp.", 3},
                    {"_dns-sd._udp.", 0},
                    {"_tcp.", 5},
                    {"_udp.", 5},
                    {"x._sctp.", 5},
                    {"dummy-type.service.", 5}};
    open_example();
    ask_rows(rows, sizeof(rows) / sizeof(rows[0]));
    for (size_t i = 0; i < sizeof(negative) / sizeof(negative[0]); i++) {
        world_ask(&world, negative[i].name, READ_TXT, QUERY_UDP);
        assert_int_equal(world.ask.result.rcode, negative[i].rcode);
        assert_int_equal(world.ask.reader.is_authoritative, negative[i].rcode != 5);
        assert_int_equal(world.ask.reader.count, 0);
    }
    world_close(&world);
}

static void answers_any(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned transport;
        const char *answer;
    } rows[] = {
        {Z, QUERY_UDP, "60 " SOA_DATA},
        {Z, QUERY_TCP, "3600 NS ns." Z "\n60 " SOA_DATA},
        {"dummy-service-1._dummy-type._tcp." Z, QUERY_UDP, "10 SRV 0 1 1235 baz.host." Z "\n"},
        {"dummy-service-1._dummy-type._tcp." Z, QUERY_TCP,
         "10 SRV 0 1 1235 baz.host." Z "\n10 TXT \"\"\n"},
        {"dummy-service-3.dummy-type.service." Z, QUERY_TCP,
         "10 AAAA fd00::1\n10 SRV 0 1 8080 fd00-0-0-0-0-0-0-1.addr." Z "\n"},
        {"_many._tcp." Z, QUERY_UDP, "10 HINFO \"RFC8482\" \"\"\n"},
    };
    open_example();
    for (unsigned i = 0; i < 40; i++) {
        char key[64], value[64];
        snprintf(key, sizeof(key), "/service/many/%u", i);
        snprintf(value, sizeof(value), "10.0.0.1:%u", i + 1);
        world_put(&world, key, value, 0);
    }
    world_refresh(&world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_ask(&world, rows[i].name, READ_ANY, rows[i].transport);
        if (!strstr(rows[i].answer, "SOA"))
            assert_string_equal(world_text(&world, READ_ANSWER), rows[i].answer);
        assert_int_equal(world.ask.reader.is_truncated, 0);
    }
    world_ask(&world, "_many._tcp." Z, READ_ANY, QUERY_TCP);
    assert_int_equal(world_count(&world, READ_ANSWER), 120);
    world_close(&world);
}

/* PTR data beyond what a pointer reaches, behind SRV and TXT of all. */
static void any_of_a_large_type_points_no_further_than_pointers_reach(void **state)
{
    (void)state;
    static const char *const names[] = {"_many._tcp." Z, "_MaNy._tcp." Z, "_many._tcp."};
    open_example();
    for (unsigned i = 0; i < 200; i++) {
        char key[64], value[64];
        snprintf(key, sizeof(key), "/service/many/name-%u", i);
        snprintf(value, sizeof(value), "10.0.0.%u:80", i);
        world_put(&world, key, value, 0);
    }
    world_refresh(&world);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        world_ask(&world, names[i], READ_ANY, QUERY_TCP);
        assert_int_equal(world_count(&world, READ_ANSWER), 600);
        assert_true(world.ask.result.len > 0x4000);
    }
    world_close(&world);
}

static void answers_in_class_in_alone(void **state)
{
    (void)state;
    static const struct {
        uint16_t rr_class, rcode;
    } rows[] = {{1, 0}, {255, 0}, {0, 5}, {2, 5}, {3, 5}, {4, 5}, {254, 5}, {65535, 5}};
    open_example();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ask_query query = ask_query(Z, READ_SOA);
        query.bytes[query.len - 2] = (uint8_t)(rows[i].rr_class >> 8);
        query.bytes[query.len - 1] = (uint8_t)rows[i].rr_class;
        world_send(&world, &query, QUERY_UDP);
        assert_int_equal(world.ask.result.rcode, rows[i].rcode);
        assert_int_equal(world_count(&world, READ_ANSWER), rows[i].rcode == 0);
    }
    world_close(&world);
}

/* Extended errors: RFC 8914. */
static void knows_what_it_does_not_know(void **state)
{
    (void)state;
    enum { NONE = -1, STALE = 3, NOT_READY = 14, NOT_OURS = 20, INVALID = 24 };
    static const struct {
        enum answer_state state;
        const char *name;
        uint16_t rcode;
        int ede;
        uint32_t ttl_s; /* of the first record */
    } rows[] = {
        {ANSWER_FRESH, "ns." Z, 0, NONE, 3600},
        {ANSWER_STALE, "ns." Z, 0, STALE, 30},
        {ANSWER_STALE, "baz.host." Z, 0, STALE, 10},
        {ANSWER_STALE, "none." Z, 3, STALE, 5},
        {ANSWER_NOT_READY, "ns." Z, 2, NOT_READY, 0},
        {ANSWER_NOT_READY, "none." Z, 2, NOT_READY, 0},
        {ANSWER_NOT_READY, "_x._tcp.", 2, NOT_READY, 0},
        {ANSWER_EXPIRED, "ns." Z, 2, INVALID, 0},
        {ANSWER_EXPIRED, "none." Z, 2, INVALID, 0},
        {ANSWER_FRESH, "example.com.", 5, NOT_OURS, 0},
        {ANSWER_NOT_READY, "example.com.", 5, NOT_OURS, 0},
        {ANSWER_EXPIRED, "example.com.", 5, NOT_OURS, 0},
        {ANSWER_STALE, "example.com.", 5, NOT_OURS, 0},
    };
    open_example();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned has_opt = 0; has_opt < 2; has_opt++) {
            struct ask_query query = ask_query(rows[i].name, READ_A);
            if (has_opt)
                ask_opt(&query, 1232, 0, NULL, 0);
            world.ask.env.state = rows[i].state;
            world_send(&world, &query, QUERY_UDP);
            assert_int_equal(world.ask.result.rcode, rows[i].rcode);
            assert_int_equal(world.ask.reader.count > 0, rows[i].ttl_s > 0);
            if (rows[i].ttl_s)
                assert_int_equal(world.ask.reader.records[0].ttl_s, rows[i].ttl_s);
            size_t len = 0;
            const uint8_t *ede = reader_option(&world.ask.reader, 15, &len);
            assert_int_equal(ede ? reader_get16(ede) : NONE, has_opt ? rows[i].ede : NONE);
        }
    world_close(&world);
}

static void takes_the_least_ttl_of_an_rrset(void **state)
{
    (void)state;
    static const struct world_row rows[] = {
        {"/service/http/a", "baz:1", 0},
        {"/service/http/b", "10.0.0.1:1", 7},
        {"/service/http/c", "10.0.0.1:2", 9},
        {"/service/http/d", "10.0.0.2:1", 200},
        {"/service/ftp/a", "baz:1", 3},
        {"/switch/a", "on", 4},
        {"/service/http._udp/a", "10.0.0.3:1", 6},
    };
    static const struct {
        const char *name;
        uint16_t type;
        uint32_t ttl_s;
    } expected[] = {
        {"_http._tcp." Z, READ_PTR, 7},    {"_http._tcp." Z, READ_SRV, 7},
        {"_http._tcp." Z, READ_TXT, 7},    {"a._http._tcp." Z, READ_SRV, 10},
        {"b._http._tcp." Z, READ_TXT, 7},  {"c._http._tcp." Z, READ_SRV, 9},
        {"d._http._tcp." Z, READ_SRV, 10}, {"10-0-0-1.addr." Z, READ_A, 7},
        {"10-0-0-2.addr." Z, READ_A, 10},  {"baz.host." Z, READ_A, 3},
        {"http.service." Z, READ_SRV, 6}, /* tcp and udp */
        {"a.switch." Z, READ_TXT, 4},      {"_services._dns-sd._udp." Z, READ_PTR, 3},
    };
    world_open(&world, (struct zone_options){.hosts = hosts, .host_count = 1}, rows,
               sizeof(rows) / sizeof(rows[0]));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        world_ask(&world, expected[i].name, expected[i].type, QUERY_UDP);
        assert_int_equal(world.ask.reader.records[0].ttl_s, expected[i].ttl_s);
    }
    world_remove(&world, "/service/http/b");
    world_remove(&world, "/service/ftp/a");
    world_refresh(&world);
    world_ask(&world, "_http._tcp." Z, READ_PTR, QUERY_UDP);
    assert_int_equal(world.ask.reader.records[0].ttl_s, 9);
    world_ask(&world, "baz.host." Z, READ_A, QUERY_UDP);
    assert_int_equal(world.ask.reader.records[0].ttl_s, 10);
    world_close(&world);
}

/* RFC 9018 stands in test_edns.c; here: nothing is written where axfr.h takes over. */
static void leaves_transfers_to_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        bool is_transfer;
        uint16_t rcode;
    } rows[] = {
        {Z, 252, true, 0},           {"EMPUSA.internal.", 251, true, 0}, {"_tcp." Z, 252, false, 9},
        {"_x._tcp.", 252, false, 9}, {"example.com.", 252, false, 9},
    };
    open_example();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_ask(&world, rows[i].name, rows[i].type, QUERY_TCP);
        assert_int_equal(world.ask.result.is_transfer, rows[i].is_transfer);
        assert_int_equal(world.ask.result.len == 0, rows[i].is_transfer);
        assert_int_equal(world.ask.result.rcode, rows[i].rcode);
    }
    world_close(&world);
}

static const struct world_row colliding[] = {
    {"/service/http/x", "{\"location\":\"baz:1\",\"subtypes\":[\"a\"],\"txt\":{\"k\":\"1\"}}", 8},
    {"/service/HTTP/X", "{\"location\":\"10.0.0.1:2\",\"subtypes\":[\"a\",\"b\"]}", 0},
    {"/service/_http/x", "{\"location\":\"baz:1\",\"subtypes\":[\"B\"]}", 6},
    {"/service/http._tcp/x", "baz:4", 0},
};

static void ask_colliding(void)
{
    static const char *const names[] = {"x._http._tcp." Z,       "_http._tcp." Z,
                                        "_a._sub._http._tcp." Z, "_b._sub._http._tcp." Z,
                                        "x.http.service." Z,     "http.service." Z};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        world_ask(&world, names[i], READ_PTR, QUERY_UDP);
        world_ask(&world, names[i], READ_ANY, QUERY_TCP);
    }
}

/* The n-th order of four. */
static void order_of(unsigned n, unsigned order[4])
{
    unsigned left[4] = {0, 1, 2, 3};
    for (unsigned i = 4; i > 0; i--) {
        unsigned at = n % i;
        n /= i;
        order[4 - i] = left[at];
        for (unsigned j = at; j + 1 < i; j++)
            left[j] = left[j + 1];
    }
}

static void colliding_keys_come_and_go_in_any_order(void **state)
{
    (void)state;
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    struct zone_counts initial, counts;
    zone_counts(world.ask.zone, &initial);
    for (unsigned n = 0; n < 24 * 24; n++) {
        unsigned in[4], out[4];
        order_of(n % 24, in);
        order_of(n / 24, out);
        for (unsigned i = 0; i < 4; i++) {
            const struct world_row *row = &colliding[in[i]];
            world_put(&world, row->key, row->value, row->lease_ttl_s);
            if (n & 1 || i == 3) {
                world_refresh(&world);
                ask_colliding();
            }
            zone_counts(world.ask.zone, &counts);
            assert_int_equal(counts.collisions, i);
        }
        for (unsigned i = 0; i < 4; i++) {
            world_remove(&world, colliding[out[i]].key);
            if (n & 2) {
                world_refresh(&world);
                ask_colliding();
            }
        }
        world_refresh(&world);
        zone_counts(world.ask.zone, &counts);
        assert_int_equal(counts.names, initial.names);
        assert_int_equal(counts.collisions, 0);
    }
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_the_worked_example),
        cmocka_unit_test(says_what_is_not_there),
        cmocka_unit_test(writes_messages_as_rfc_1035_says),
        cmocka_unit_test(a_query_s_other_bits_change_nothing),
        cmocka_unit_test(keeps_the_registry_s_letters),
        cmocka_unit_test(answers_short_names),
        cmocka_unit_test(answers_any),
        cmocka_unit_test(any_of_a_large_type_points_no_further_than_pointers_reach),
        cmocka_unit_test(answers_in_class_in_alone),
        cmocka_unit_test(knows_what_it_does_not_know),
        cmocka_unit_test(takes_the_least_ttl_of_an_rrset),
        cmocka_unit_test(leaves_transfers_to_others),
        cmocka_unit_test(colliding_keys_come_and_go_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
