#include "registry/base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define L10 "abcdefghij"
#define L63 L10 L10 L10 L10 L10 L10 "abc"
#define L61 L10 L10 L10 L10 L10 L10 "a"

/* From a block of exactly that size, so that a sanitizer sees a step beyond it. */
static enum status parse(const char *text, size_t len, struct address *out, char **copy)
{
    struct detail why = {.text = ""};
    *copy = malloc(len ? len : 1);
    assert_non_null(*copy);
    memcpy(*copy, text, len);
    enum status status = address_parse(*copy, len, out, &why);
    assert_true((status == STATUS_OK) == (why.text[0] == '\0'));
    return status;
}

static void takes_good_locations(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        enum host_kind kind;
        uint16_t port;
        bool is_dotted;
        uint8_t address[16];
    } rows[] = {
        {"baz:1235", "baz", HOST_KIND_NAME, 1235, false, {0}},
        {"BAZ_1-x:1", "BAZ_1-x", HOST_KIND_NAME, 1, false, {0}},
        {"_srv:65535", "_srv", HOST_KIND_NAME, 65535, false, {0}},
        {"a.example:80", "a.example", HOST_KIND_NAME, 80, true, {0}},
        {"baz.:80", "baz", HOST_KIND_NAME, 80, true, {0}},
        {"a.example.:80", "a.example", HOST_KIND_NAME, 80, true, {0}},
        {"1a:80", "1a", HOST_KIND_NAME, 80, false, {0}},
        {"1.2.3.x:80", "1.2.3.x", HOST_KIND_NAME, 80, true, {0}},
        {"a:00080", "a", HOST_KIND_NAME, 80, false, {0}},
        {L63 ":1", L63, HOST_KIND_NAME, 1, false, {0}},
        {L63 "." L63 "." L63 "." L61 ":65535",
         L63 "." L63 "." L63 "." L61,
         HOST_KIND_NAME,
         65535,
         true,
         {0}},
        {L63 "." L63 "." L63 "." L61 ".:65535",
         L63 "." L63 "." L63 "." L61,
         HOST_KIND_NAME,
         65535,
         true,
         {0}},
        {"10.1.2.3:80", "10.1.2.3", HOST_KIND_IPV4, 80, false, {10, 1, 2, 3}},
        {"0.0.0.0:80", "0.0.0.0", HOST_KIND_IPV4, 80, false, {0}},
        {"255.255.255.255:80", "255.255.255.255", HOST_KIND_IPV4, 80, false, {255, 255, 255, 255}},
        {"[fd00::1]:8080", "fd00::1", HOST_KIND_IPV6, 8080, false, {0xfd, [15] = 1}},
        {"[FD00::A]:1", "FD00::A", HOST_KIND_IPV6, 1, false, {0xfd, [15] = 10}},
        {"[::]:1", "::", HOST_KIND_IPV6, 1, false, {0}},
        {"[fe80::1]:1", "fe80::1", HOST_KIND_IPV6, 1, false, {0xfe, 0x80, [15] = 1}},
        {"[::ffff:10.1.2.3]:80", "::ffff:10.1.2.3", HOST_KIND_IPV4, 80, false, {10, 1, 2, 3}},
        {"[::ffff:a01:203]:80", "::ffff:a01:203", HOST_KIND_IPV4, 80, false, {10, 1, 2, 3}},
        {"[::1.2.3.4]:80", "::1.2.3.4", HOST_KIND_IPV6, 80, false, {[12] = 1, 2, 3, 4}},
        {"[1111:2222:3333:4444:5555:6666:255.255.255.255]:1",
         "1111:2222:3333:4444:5555:6666:255.255.255.255",
         HOST_KIND_IPV6,
         1,
         false,
         {0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x66, 0x66, 255, 255, 255,
          255}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address location;
        char *copy;
        assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &location, &copy), STATUS_OK);
        assert_int_equal(location.kind, rows[i].kind);
        assert_int_equal(location.port, rows[i].port);
        assert_int_equal(location.is_dotted, rows[i].is_dotted);
        assert_int_equal(location.host_len, strlen(rows[i].host));
        assert_memory_equal(location.host, rows[i].host, location.host_len);
        assert_memory_equal(location.address, rows[i].address, 16);
        free(copy);
    }
}

static const struct {
    const char *text;
    size_t len; /* 0 = up to the NUL */
} bad_locations[] = {
    {"", 0},
    {":", 0},
    {"baz", 0},
    {"baz:", 0},
    {":80", 0},
    {"baz:0", 0},
    {"baz:00000", 0},
    {"baz:65536", 0},
    {"baz:99999", 0},
    {"baz:000080", 0},
    {"baz:4294967376", 0},
    {"baz:+80", 0},
    {"baz:-1", 0},
    {"baz:80 ", 0},
    {" baz:80", 0},
    {"baz: 80", 0},
    {"baz:80\n", 0},
    {"baz:0x50", 0},
    {"baz:8\0"
     "0",
     7},
    {"ba\0z:80", 7},
    {"b z:80", 0},
    {"b\xc3\xa4z:80", 0},
    {"b\xffz:80", 0},
    {"b*z:80", 0},
    {"-baz:80", 0},
    {"baz-:80", 0},
    {"a.-b.c:80", 0},
    {"a.b-.c:80", 0},
    {".:80", 0},
    {"..:80", 0},
    {".a:80", 0},
    {"a..b:80", 0},
    {"a..:80", 0},
    {L63 "x:80", 0},
    {L63 "." L63 "." L63 "." L61 "x:80", 0},
    {L63 "." L63 "." L63 "." L61 "x.:80", 0},
    {L63 "." L63 "." L63 "." L63 "." L63 "." L63 ":80", 0},
    {"1.2.3:80", 0},
    {"1.2.3.4.5:80", 0},
    {"1.2.3.4.:80", 0},
    {"10.0.0.01:80", 0},
    {"256.0.0.1:80", 0},
    {"1..2.3:80", 0},
    {"123:80", 0},
    {"2130706433:80", 0},
    {"fd00::1:80", 0},
    {"::1:80", 0},
    {"[]:80", 0},
    {"[:80", 0},
    {"]:80", 0},
    {"[baz]:80", 0},
    {"[10.1.2.3]:80", 0},
    {"[fe80::1%eth0]:80", 0},
    {"[fe80::1%1]:80", 0},
    {"[fd00::1]", 0},
    {"[fd00::1]80", 0},
    {"[fd00::1]:", 0},
    {"[fd00::1", 0},
    {"fd00::1]:80", 0},
    {"[[fd00::1]]:80", 0},
    {"[fd00::12345]:80", 0},
    {"[1:2:3:4:5:6:7]:80", 0},
    {"[1:2:3:4:5:6:7:8:9]:80", 0},
    {"[1::2::3]:80", 0},
    {"[ fd00::1]:80", 0},
    {"[fd00::1\0]:80", 13},
    {"[::ffff:10.1.2.03]:80", 0},
    {"x[fd00::1]:80", 0},
    {"http://baz:80", 0},
    {"baz:80/", 0},
    {"user@baz:80", 0},
    {"a,b:80", 0},
    {"{\"location\":1}", 0},
};

static void refuses_everything_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_locations) / sizeof(bad_locations[0]); i++) {
        struct address location = {.port = 7};
        char *copy;
        size_t len = bad_locations[i].len ? bad_locations[i].len : strlen(bad_locations[i].text);
        if (parse(bad_locations[i].text, len, &location, &copy) != STATUS_BAD_INPUT)
            fail_msg("taken: %s", bad_locations[i].text);
        assert_int_equal(location.port, 7);
        assert_null(location.host);
        assert_int_equal(address_parse(copy, len, &location, NULL), STATUS_BAD_INPUT);
        free(copy);
    }
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"baz", "no ':' and port after the host"},
        {":80", "the host is missing"},
        {"baz:", "the port is missing"},
        {"baz:http", "the port is not a number"},
        {"baz:70000", "the port is not within 1-65535"},
        {"http://baz:80", "a URL, not HOST:PORT"},
        {"http://baz", "a URL, not HOST:PORT"},
        {"https://[::1]:80/", "a URL, not HOST:PORT"},
        {"http:/baz:80", "a URL, not HOST:PORT"},
        {"baz:80/path", "the port is not a number"},
        {"fd00::1:80", "a ':' in the host: an IPv6 address goes into brackets"},
        {"1.2.3:80", "the host is neither a name nor an IPv4 address of four numbers"},
        {"a\nb:80", "the host has a '\\x0a' in it"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address location;
        struct detail why;
        assert_int_equal(address_parse(rows[i].text, strlen(rows[i].text), &location, &why),
                         STATUS_BAD_INPUT);
        assert_string_equal(why.text, rows[i].why);
    }
}

static void addresses_are_read_strictly(void **state)
{
    static const struct {
        const char *text, *host; /* NULL: refused */
        unsigned port;
    } rows[] = {
        {"127.0.0.1:5300", "127.0.0.1", 5300},
        {"127.0.0.1", "127.0.0.1", 53},
        {"0.0.0.0:0", "0.0.0.0", 0},
        {"[::1]:5300", "::1", 5300},
        {"[::1]", "::1", 53},
        {"::1", "::1", 53},
        {"fd00::1:53", "fd00::1:53", 53},
        {"[::]:65535", "::", 65535},
        {"localhost", NULL, 0},
        {"localhost:53", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:99999999999", NULL, 0},
        {"127.0.0.1:5x", NULL, 0},
        {"127.0.0.1: 53", NULL, 0},
        {"1.2.3:53", NULL, 0},
        {"[127.0.0.1]:53", NULL, 0},
        {"[::1", NULL, 0},
        {"[::1]53", NULL, 0},
        {":53", NULL, 0},
        {"[]:53", NULL, 0},
        {"", NULL, 0},
        {"1111111111111111111111111111111111111111111111111111111111111111111:1", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sockaddr_storage address;
        struct detail why;
        enum status status = address_parse_listen(rows[i].text, 53, &address, &why);
        assert_int_equal(status, rows[i].host ? STATUS_OK : STATUS_BAD_INPUT);
        if (!rows[i].host)
            continue;
        bool is_v4 = address.ss_family == AF_INET;
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        char host[INET6_ADDRSTRLEN];
        inet_ntop(address.ss_family,
                  is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, host,
                  sizeof(host));
        assert_string_equal(host, rows[i].host);
        assert_int_equal(ntohs(is_v4 ? v4->sin_port : v6->sin6_port), rows[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_strictly),
        cmocka_unit_test(takes_good_locations),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
