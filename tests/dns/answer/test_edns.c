#include "dns/answer/cookie.h"
#include "support/world.h"

#include <netinet/in.h>

static struct world world;

#define Z       "empusa.internal."
#define NOW_S   1700000000
#define CLIENT8 'c', 'l', 'i', 'e', 'n', 't', '0', '1'

enum { NSID = 3, EXPIRE = 9, COOKIE = 10, KEEPALIVE = 11, EDE = 15, ZONEVERSION = 19 };

static const struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr = {0x01020304}};

static void open_world(void)
{
    world_open(&world, (struct zone_options){.domain = NULL}, NULL, 0);
    world.ask.env.now_s = NOW_S;
    world.ask.env.tcp_idle_100ms = 100;
    world.ask.env.nsid_len = 4;
    memcpy(world.ask.env.nsid, "node", 4);
    world.ask.env.secret_count = 2;
    memcpy(world.ask.env.secrets[0], "the first secret", 16);
    memcpy(world.ask.env.secrets[1], "another  secret!", 16);
}

static void send_options(const char *name, const uint8_t *options, size_t len,
                         enum query_transport transport)
{
    struct ask_query query = ask_query(name, READ_SOA);
    ask_opt(&query, 1232, 0, options, len);
    ask_octets(&world.ask, query.bytes, query.len, transport,
               (const struct sockaddr *)(const void *)&client);
    assert_null(world.ask.fault);
    assert_true(world.ask.reader.has_opt);
}

static void answers_options_that_are_asked_for(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        size_t len;
        const char *data;
        bool is_tcp_only;
    } rows[] = {
        {NSID, 4, "node", false},
        {EXPIRE, 4, "\0\x09\x3a\x80", false},      /* 604,800 */
        {KEEPALIVE, 2, "\0\x64", true},            /* 10 s */
        {ZONEVERSION, 6, "\2\0\0\0\0\x64", false}, /* two labels, SOA serial 100 */
        {8 /* client subnet */, 0, NULL, false},   /* not echoed */
        {12 /* padding */, 0, NULL, false},        /* */
        {EDE, 0, NULL, false},                     /* */
        {65001, 0, NULL, false},                   /* */
    };
    open_world();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
            uint8_t option[] = {(uint8_t)(rows[i].code >> 8), (uint8_t)rows[i].code, 0, 0};
            size_t len = 0;
            send_options(Z, option, sizeof(option), transport);
            const uint8_t *data = reader_option(&world.ask.reader, rows[i].code, &len);
            bool is_expected = rows[i].len && (transport == QUERY_TCP || !rows[i].is_tcp_only);
            assert_int_equal(data != NULL, is_expected);
            if (!is_expected) {
                assert_int_equal(world.ask.reader.options_len, 0);
                continue;
            }
            assert_int_equal(len, rows[i].len);
            assert_memory_equal(data, rows[i].data, len);
            assert_int_equal(world.ask.reader.options_len, 4 + len);
        }
    world_close(&world);
}

static void says_nothing_of_a_zone_that_was_not_asked(void **state)
{
    (void)state;
    static const uint8_t options[] = {0, EXPIRE, 0, 0, 0, ZONEVERSION, 0, 0};
    size_t len;
    open_world();
    send_options("example.com.", options, sizeof(options), QUERY_UDP);
    assert_null(reader_option(&world.ask.reader, EXPIRE, &len));
    assert_null(reader_option(&world.ask.reader, ZONEVERSION, &len));
    assert_non_null(reader_option(&world.ask.reader, EDE, &len));
    world_close(&world);
}

static void copies_do_and_no_other_flag(void **state)
{
    (void)state;
    static const uint16_t rows[][2] = {{0, 0}, {0x8000, 0x8000}, {0x7fff, 0}, {0xffff, 0x8000}};
    open_world();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ask_query query = ask_query(Z, READ_SOA);
        ask_opt(&query, 1232, rows[i][0], NULL, 0);
        world_send(&world, &query, QUERY_UDP);
        assert_int_equal(world.ask.reader.opt_flags, rows[i][1]);
        assert_int_equal(world.ask.reader.opt_version, 0);
        assert_int_equal(world.ask.reader.opt_size, 1232);
    }
    world_close(&world);
}

/* RFC 6891 6.1.3. */
static void refuses_other_versions_with_nothing_else(void **state)
{
    (void)state;
    static const uint8_t options[] = {0, NSID, 0, 0, 0, COOKIE, 0, 8, CLIENT8};
    open_world();
    for (unsigned version = 1; version < 256; version += 127) {
        struct ask_query query = ask_query(Z, READ_SOA);
        ask_opt(&query, 1232, 0x8000, options, sizeof(options));
        query.bytes[query.len - sizeof(options) - 5] = (uint8_t)version;
        world_send(&world, &query, QUERY_UDP);
        assert_int_equal(world.ask.result.rcode, 16);
        assert_int_equal(world.ask.reader.rcode, 0);
        assert_int_equal(world.ask.reader.opt_rcode, 1);
        assert_int_equal(world.ask.reader.opt_version, 0);
        assert_int_equal(world.ask.reader.opt_flags, 0x8000);
        assert_int_equal(world.ask.reader.options_len, 0);
        assert_int_equal(world.ask.reader.count, 0);
    }
    world_close(&world);
}

/* The cookie option of the reply to one of 8 octets and `server`. */
static const uint8_t *exchange(const uint8_t *server, size_t server_len)
{
    uint8_t option[64] = {0, COOKIE, 0, (uint8_t)(8 + server_len), CLIENT8};
    size_t len = 0;
    if (server_len)
        memcpy(option + 12, server, server_len);
    send_options(Z, option, 12 + server_len, QUERY_UDP);
    const uint8_t *data = reader_option(&world.ask.reader, COOKIE, &len);
    assert_non_null(data);
    assert_int_equal(len, 24);
    assert_memory_equal(data, option + 4, 8);
    assert_true(world.ask.result.has_cookie);
    assert_int_equal(world.ask.result.rcode, 0);
    return data + 8;
}

static void gives_and_renews_cookies(void **state)
{
    (void)state;
    enum { OTHER_SECRET = 1, WRONG = 2 };
    static const struct {
        int age_s;
        unsigned kind;
        bool is_valid, is_kept;
    } rows[] = {
        {0, 0, true, true},      {1800, 0, true, true},          {1801, 0, true, false},
        {3600, 0, true, false},  {3601, 0, false, false},        {-300, 0, true, true},
        {-301, 0, false, false}, {0, OTHER_SECRET, true, false}, {0, WRONG, false, false},
    };
    static const uint8_t cookie[] = {CLIENT8};
    uint8_t fresh[16];
    open_world();
    const struct sockaddr *address = (const struct sockaddr *)(const void *)&client;
    cookie_make(world.ask.env.secrets[0], cookie, address, NOW_S, fresh);
    assert_memory_equal(exchange(NULL, 0), fresh, 16);
    assert_false(world.ask.result.has_valid_cookie);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t server[16];
        cookie_make(world.ask.env.secrets[rows[i].kind == OTHER_SECRET], cookie, address,
                    (uint32_t)(NOW_S - rows[i].age_s), server);
        server[15] ^= rows[i].kind == WRONG;
        const uint8_t *got = exchange(server, 16);
        assert_int_equal(world.ask.result.has_valid_cookie, rows[i].is_valid);
        assert_memory_equal(got, rows[i].is_kept ? server : fresh, 16);
    }
    static const uint8_t foreign[32] = {1, 2, 3};
    for (size_t len = 8; len <= 32; len++) { /* another server's, of any length */
        assert_memory_equal(exchange(foreign, len), fresh, 16);
        assert_false(world.ask.result.has_valid_cookie);
    }
    world_close(&world);
}

static void has_no_cookies_without_a_secret(void **state)
{
    (void)state;
    static const uint8_t option[] = {0, COOKIE, 0, 8, CLIENT8};
    size_t len;
    open_world();
    world.ask.env.secret_count = 0;
    send_options(Z, option, sizeof(option), QUERY_UDP);
    assert_null(reader_option(&world.ask.reader, COOKIE, &len));
    assert_true(world.ask.result.has_cookie);
    assert_false(world.ask.result.has_valid_cookie);
    world_close(&world);
}

/* RFC 7873 5.4. */
static void answers_a_cookie_alone(void **state)
{
    (void)state;
    static const uint8_t option[] = {0, COOKIE, 0, 8, CLIENT8};
    struct ask_query query = {.bytes = {0x12, 0x34}, .len = 12};
    size_t len = 0;
    open_world();
    ask_opt(&query, 1232, 0, option, sizeof(option));
    ask_send(&world.ask, &query, QUERY_UDP);
    assert_null(world.ask.fault);
    assert_int_equal(world.ask.result.rcode, 0);
    assert_false(world.ask.reader.has_question);
    assert_non_null(reader_option(&world.ask.reader, COOKIE, &len));
    assert_int_equal(len, 24);
    world_close(&world);
}

static void errors_carry_an_opt_when_the_query_did(void **state)
{
    (void)state;
    static const struct {
        uint8_t opcode;
        uint16_t rcode;
        int ede; /* -1: none */
    } rows[] = {{0x08, 4, 21}, {0x20, 5, -1}, {0x28, 5, -1}, {0x30, 4, 21}, {0x78, 4, 21}};
    open_world();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned has_opt = 0; has_opt < 2; has_opt++) {
            struct ask_query query = ask_query(Z, READ_SOA);
            size_t len = 0;
            query.bytes[2] = rows[i].opcode;
            if (has_opt)
                ask_opt(&query, 1232, 0, NULL, 0);
            world_send(&world, &query, QUERY_UDP);
            assert_int_equal(world.ask.result.rcode, rows[i].rcode);
            assert_int_equal(world.ask.reader.opcode, rows[i].opcode >> 3);
            assert_int_equal(world.ask.reader.has_opt, has_opt);
            assert_false(world.ask.reader.is_authoritative);
            const uint8_t *ede = reader_option(&world.ask.reader, EDE, &len);
            assert_int_equal(ede ? reader_get16(ede) : -1, has_opt ? rows[i].ede : -1);
        }
    world_close(&world);
}

static void everything_at_once_fits_512_octets(void **state)
{
    (void)state;
    static const uint8_t options[] = {0, NSID, 0,         0,      0, EXPIRE, 0,
                                      0, 0,    KEEPALIVE, 0,      0, 0,      ZONEVERSION,
                                      0, 0,    0,         COOKIE, 0, 8,      CLIENT8};
    uint8_t name[255] = {63, [64] = 63, [128] = 63, [192] = 45};
    open_world();
    world.ask.env.state = ANSWER_STALE;
    world.ask.env.nsid_len = ANSWER_NSID_MAX;
    memcpy(name + 238, "\6empusa\10internal", 17);
    for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
        struct ask_query query = ask_wire(name, sizeof(name), READ_A);
        ask_opt(&query, 512, 0, options, sizeof(options));
        world_send(&world, &query, transport);
        assert_int_equal(world.ask.result.rcode, 3);
        assert_true(transport == QUERY_TCP || world.ask.result.len <= 512);
    }
    world_close(&world);
}

/* The room that is kept for options is theirs and an extended error's: no octet more, or an answer
 * that fits is cut, and no octet less, or it is larger than was asked for. */
static void the_room_for_options_is_exact(void **state)
{
    (void)state;
    static const uint8_t options[] = {0,           NSID, 0, 0, 0,      EXPIRE, 0, 0,      0,
                                      ZONEVERSION, 0,    0, 0, COOKIE, 0,      8, CLIENT8};
    static const struct {
        size_t begin, len;
    } rows[] = {{0, 0}, {0, 4}, {4, 4}, {8, 4}, {12, 12}, {0, 8}, {4, 8}, {0, sizeof(options)}};
    open_world();
    for (unsigned i = 0; i < 50; i++) {
        char key[64], value[64];
        snprintf(key, sizeof(key), "/service/many/%u", i);
        snprintf(value, sizeof(value), "10.1.0.%u:80", i);
        world_put(&world, key, value, 0);
    }
    world_refresh(&world);
    world.ask.env.max_udp_size = 4096;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned room = 4096;
        size_t whole = 0;
        for (unsigned less = 0; less < 3; less++) { /* much room, just enough, too little */
            struct ask_query query = ask_query("many.service." Z, READ_A);
            ask_opt(&query, less < 2 ? room : room - 1, 0, options + rows[i].begin, rows[i].len);
            ask_octets(&world.ask, query.bytes, query.len, QUERY_UDP,
                       (const struct sockaddr *)(const void *)&client);
            assert_null(world.ask.fault);
            assert_int_equal(world.ask.result.is_truncated, less == 2);
            if (less == 0) {
                whole = world.ask.result.len;
                room = (unsigned)whole + 6;
            }
            assert_true(less == 2 ? world.ask.result.len < whole : world.ask.result.len == whole);
        }
    }
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_room_for_options_is_exact),
        cmocka_unit_test(answers_options_that_are_asked_for),
        cmocka_unit_test(says_nothing_of_a_zone_that_was_not_asked),
        cmocka_unit_test(copies_do_and_no_other_flag),
        cmocka_unit_test(refuses_other_versions_with_nothing_else),
        cmocka_unit_test(gives_and_renews_cookies),
        cmocka_unit_test(has_no_cookies_without_a_secret),
        cmocka_unit_test(answers_a_cookie_alone),
        cmocka_unit_test(errors_carry_an_opt_when_the_query_did),
        cmocka_unit_test(everything_at_once_fits_512_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
