#include "dns/server/acl.h"

#include "support/client.h"

static const struct {
    const char *prefix, *client;
    bool has;
} rows[] = {
    {"10.0.0.0/8", "10.255.1.2", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.0.0.0/8", "::ffff:10.1.1.1", true}, /* IPv4 on an IPv6 socket */
    {"0.0.0.0/0", "192.0.2.1", true},
    {"0.0.0.0/0", "fd00::1", false},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.128/25", "192.0.2.200", true},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"fd00::/8", "fdff::1", true},
    {"fd00::/8", "fe80::1", false},
    {"::/0", "fe80::1", true},
    {"::/0", "192.0.2.1", false}, /* means IPv6, though IPv4 lies inside */
    {"2001:db8::/29", "2001:dbf::1", true},
    {"2001:db8::/29", "2001:dc0::1", false},
    {"::ffff:10.0.0.0/104", "10.9.9.9", true},
    {"::1", "::1", true},
    {"::1", "::2", false},
};

static void a_prefix_holds_what_begins_with_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acl acl = {.count = 0};
        struct sockaddr_storage client = client_address(rows[i].client, 53);
        assert_int_equal(acl_add(&acl, rows[i].prefix, NULL), STATUS_OK);
        if (acl_has(&acl, (const struct sockaddr *)&client) != rows[i].has)
            fail_msg("%s has %s", rows[i].prefix, rows[i].client);
    }
}

static void what_is_no_prefix_is_refused_by_name(void **state)
{
    static const char *const bad[] = {
        "",
        "localhost",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.1/8",
        "fd00::1/64",
        "fd00::/129",
        "fd00::/0x10",
        "10.0.0/8",
        "/8",
        "fe80::1%lo",
        "10.0.0.0/8 ",
        "10.0.0.0/8/8",
        "[fd00::1]/64",
        "10.0.0.0/1000",
        "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct acl acl = {.count = 0};
        struct detail why;
        assert_int_equal(acl_add(&acl, bad[i], &why), STATUS_BAD_INPUT);
        assert_int_equal(acl.count, 0);
        assert_true(why.text[0] != '\0');
    }
}

static void a_full_list_takes_no_more(void **state)
{
    (void)state;
    struct acl acl = {.count = 0};
    for (int i = 0; i < ACL_MAX; i++)
        assert_int_equal(acl_add(&acl, "10.0.0.0/8", NULL), STATUS_OK);
    assert_int_equal(acl_add(&acl, "10.0.0.0/8", NULL), STATUS_BAD_INPUT);
    assert_int_equal(acl.count, ACL_MAX);
}

static void an_empty_list_holds_nobody(void **state)
{
    (void)state;
    struct acl acl = {.count = 0};
    struct sockaddr_storage client = client_address("127.0.0.1", 53);
    assert_false(acl_has(&acl, (const struct sockaddr *)&client));
    struct sockaddr other = {.sa_family = AF_UNIX};
    assert_int_equal(acl_add(&acl, "0.0.0.0/0", NULL), STATUS_OK);
    assert_false(acl_has(&acl, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_holds_what_begins_with_it),
        cmocka_unit_test(what_is_no_prefix_is_refused_by_name),
        cmocka_unit_test(a_full_list_takes_no_more),
        cmocka_unit_test(an_empty_list_holds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
