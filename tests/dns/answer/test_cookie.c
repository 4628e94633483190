#include "dns/answer/cookie.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void hex(const char *text, uint8_t *out)
{
    for (; *text; text += 2) {
        unsigned octet;
        assert_int_equal(sscanf(text, "%2x", &octet), 1);
        *out++ = (uint8_t)octet;
    }
}

union client {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union client client_of(const char *text)
{
    union client client = {.v4 = {.sin_family = AF_INET, .sin_port = htons(1234)}};
    if (!strchr(text, ':')) {
        assert_int_equal(inet_pton(AF_INET, text, &client.v4.sin_addr), 1);
        return client;
    }
    client.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(1234)};
    assert_int_equal(inet_pton(AF_INET6, text, &client.v6.sin6_addr), 1);
    return client;
}

#define SECRET_1 "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define SECRET_2 "dd3bdf9344b678b185a6f5cb60fca715"
#define SECRET_3 "445536bcd2513298075a5d379663c962"
#define IPV6     "2001:db8:220:1:59de:d0f4:8769:82b8"

/* RFC 9018 Appendix A. */
static void makes_the_cookies_of_rfc_9018(void **state)
{
    (void)state;
    static const struct {
        const char *secret, *client, *address;
        uint32_t now_s;
        const char *server;
    } rows[] = {
        {SECRET_1, "2464c4abcf10c957", "198.51.100.100", 1559731985,
         "010000005cf79f111f8130c3eee29480"},
        {SECRET_1, "2464c4abcf10c957", "198.51.100.100", 1559734385,
         "010000005cf7a871d4a564a1442aca77"},
        {SECRET_1, "fc93fc62807ddb86", "203.0.113.203", 1559734700,
         "010000005cf7a9acf73a7810aca2381e"},
        {SECRET_2, "22681ab97d52c298", IPV6, 1559741817, "010000005cf7c57926556bd0934c72f8"},
        {SECRET_3, "22681ab97d52c298", IPV6, 1559741961, "010000005cf7c609a6bb79d16625507a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t secret[16], cookie[COOKIE_CLIENT], expected[COOKIE_SERVER], server[COOKIE_SERVER];
        union client client = client_of(rows[i].address);
        bool is_old = true;
        hex(rows[i].secret, secret);
        hex(rows[i].client, cookie);
        hex(rows[i].server, expected);
        cookie_make(secret, cookie, &client.any, rows[i].now_s, server);
        assert_memory_equal(server, expected, COOKIE_SERVER);
        assert_true(cookie_is_valid(secret, cookie, server, COOKIE_SERVER, &client.any,
                                    rows[i].now_s, &is_old));
        assert_false(is_old);
    }
}

/* RFC 9018 4.2 and A.3: what stands in the reserved octets is hashed, not enforced. */
static void takes_reserved_octets_as_they_come(void **state)
{
    (void)state;
    uint8_t secret[16], cookie[COOKIE_CLIENT], server[COOKIE_SERVER];
    union client client = client_of("203.0.113.203");
    bool is_old;
    hex(SECRET_1, secret);
    hex("fc93fc62807ddb86", cookie);
    hex("01abcdef5cf78f71a314227b6679ebf5", server);
    assert_true(
        cookie_is_valid(secret, cookie, server, COOKIE_SERVER, &client.any, 1559728000, &is_old));
    server[1] = 0;
    assert_false(
        cookie_is_valid(secret, cookie, server, COOKIE_SERVER, &client.any, 1559728000, &is_old));
}

static void ages(void **state)
{
    (void)state;
    static const struct {
        int64_t age_s;
        bool is_valid, is_old;
    } rows[] = {
        {0, true, false},     {1800, true, false},  {1801, true, true},
        {3600, true, true},   {3601, false, true},  {-300, true, false},
        {-301, false, false}, {86400, false, true}, {-86400, false, false},
    };
    static const uint32_t times[] = {1559731985, 100, UINT32_MAX - 100}; /* RFC 1982 */
    static const uint8_t secret[16] = "secret", cookie[COOKIE_CLIENT] = "cookie";
    union client client = client_of("198.51.100.100");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t j = 0; j < sizeof(times) / sizeof(times[0]); j++) {
            uint8_t server[COOKIE_SERVER];
            uint32_t now_s = (uint32_t)(times[j] + rows[i].age_s);
            bool is_old = false;
            cookie_make(secret, cookie, &client.any, times[j], server);
            assert_int_equal(
                cookie_is_valid(secret, cookie, server, COOKIE_SERVER, &client.any, now_s, &is_old),
                rows[i].is_valid);
            if (rows[i].is_valid)
                assert_int_equal(is_old, rows[i].is_old);
        }
}

static void refuses_what_it_did_not_make(void **state)
{
    (void)state;
    static const uint8_t secret[16] = "secret", cookie[COOKIE_CLIENT] = "cookie";
    union client client = client_of("198.51.100.100"), other = client_of("198.51.100.101");
    union client v6 = client_of(IPV6);
    uint8_t server[40] = {0};
    bool is_old;
    cookie_make(secret, cookie, &client.any, 1000, server);
    for (size_t len = 0; len <= 32; len++)
        assert_int_equal(cookie_is_valid(secret, cookie, server, len, &client.any, 1000, &is_old),
                         len == 16);
    for (unsigned bit = 0; bit < 128; bit++) {
        server[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(cookie_is_valid(secret, cookie, server, 16, &client.any, 1000, &is_old));
        server[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    static const uint8_t other_secret[16] = "secrex", other_cookie[COOKIE_CLIENT] = "cookix";
    assert_false(cookie_is_valid(other_secret, cookie, server, 16, &client.any, 1000, &is_old));
    assert_false(cookie_is_valid(secret, other_cookie, server, 16, &client.any, 1000, &is_old));
    assert_false(cookie_is_valid(secret, cookie, server, 16, &other.any, 1000, &is_old));
    assert_false(cookie_is_valid(secret, cookie, server, 16, &v6.any, 1000, &is_old));
    assert_false(cookie_is_valid(secret, cookie, server, 16, NULL, 1000, &is_old));
    client.v4.sin_port = htons(4321); /* the port does not count */
    assert_true(cookie_is_valid(secret, cookie, server, 16, &client.any, 1000, &is_old));
    cookie_make(secret, cookie, NULL, 1000, server);
    assert_true(cookie_is_valid(secret, cookie, server, 16, NULL, 1000, &is_old));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_cookies_of_rfc_9018),
        cmocka_unit_test(takes_reserved_octets_as_they_come),
        cmocka_unit_test(ages),
        cmocka_unit_test(refuses_what_it_did_not_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
