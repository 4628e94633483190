#include "zones/name/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X53 X50 "xxx"
#define X62 X50 X10 "xx"

static void assert_label(const struct label *label, const char *text)
{
    if (label->len != strlen(text) || memcmp(label->octets, text, label->len) != 0)
        fail_msg("%.*s is not %s", label->len, (const char *)label->octets, text);
}

static void hashes_as_fnv_1a(void **state)
{
    (void)state;
    assert_int_equal(label_fnv1a("", 0), 0x811c9dc5);
    assert_int_equal(label_fnv1a("a", 1), 0xe40c292c);
    assert_int_equal(label_fnv1a("foobar", 6), 0xbf9cf968);
}

static void maps_types(void **state)
{
    (void)state;
    static const struct {
        const char *type, *label, *base;
        enum entry_protocol protocol;
        bool is_changed, is_reserved;
    } rows[] = {
        {"ipp", "_ipp", "ipp", ENTRY_PROTOCOL_NONE, false, false},
        {"_ipp", "_ipp", "ipp", ENTRY_PROTOCOL_NONE, false, false},
        {"IPP", "_ipp", "IPP", ENTRY_PROTOCOL_NONE, false, false},
        {"ipp._tcp", "_ipp", "ipp", ENTRY_PROTOCOL_TCP, false, false},
        {"_Ipp._UDP", "_ipp", "Ipp", ENTRY_PROTOCOL_UDP, false, false},
        {"dummy-type", "_dummy-type", "dummy-type", ENTRY_PROTOCOL_NONE, false, false},
        {"a--b", "_a--b", "a--b", ENTRY_PROTOCOL_NONE, false, false},
        {"80", "_80", "80", ENTRY_PROTOCOL_NONE, false, false},
        {"x", "_x", "x", ENTRY_PROTOCOL_NONE, false, false},
        {"a-type-longer-than-fifteen", "_a-type-longer-than-fifteen", "a-type-longer-than-fifteen",
         ENTRY_PROTOCOL_NONE, false, false},
        {X62, "_" X62, X62, ENTRY_PROTOCOL_NONE, false, false},
        {"my_type", "_my-type", "my_type", ENTRY_PROTOCOL_NONE, true, false},
        {"My_Type._udp", "_my-type", "My_Type", ENTRY_PROTOCOL_UDP, true, false},
        {"My.Odd Type!", "_my-odd-d5bbdd5b", "My.Odd Type!", ENTRY_PROTOCOL_NONE, true, false},
        {"ab.cd.ef", "_ab-cd-d0ed8e68", "ab.cd.ef", ENTRY_PROTOCOL_NONE, true, false},
        {"12.34", "_x12-34-d623125b", "12.34", ENTRY_PROTOCOL_NONE, true, false},
        {"", "_x-811c9dc5", "", ENTRY_PROTOCOL_NONE, true, false},
        {"_", "_x-811c9dc5", "", ENTRY_PROTOCOL_NONE, true, false},
        {"._tcp", "_x-811c9dc5", "", ENTRY_PROTOCOL_TCP, true, false},
        {"dns-sd", "_dns-sd", "dns-sd", ENTRY_PROTOCOL_NONE, false, true},
        {"_DNS_SD._udp", "_dns-sd", "DNS_SD", ENTRY_PROTOCOL_UDP, true, true},
        {"dns-sd.", "_dns-sd-5d19c5b6", "dns-sd.", ENTRY_PROTOCOL_NONE, true, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct label_type type;
        label_type(rows[i].type, strlen(rows[i].type), &type);
        assert_label(&type.label, rows[i].label);
        assert_int_equal(type.protocol, rows[i].protocol);
        assert_int_equal(type.base_len, strlen(rows[i].base));
        assert_memory_equal(type.base, rows[i].base, type.base_len);
        assert_int_equal(type.is_changed, rows[i].is_changed);
        assert_int_equal(type.is_reserved, rows[i].is_reserved);
    }
}

/* What stands before the '-' and the hash. */
static void keeps_a_readable_stem_of_odd_types(void **state)
{
    (void)state;
    static const struct {
        const char *type, *stem;
    } rows[] = {
        {"-a", "_a"},
        {"a-", "_a"},
        {"__a", "_a"},
        {"!!a!!b!!", "_a-b"},
        {"abcde.f", "_abcde"},
        {"abcdef.g", "_abcdef"},
        {"\xc3\xa9t\xc3\xa9", "_t"},
        {"\xc3\xa9", "_x"},
        {"1234.5", "_x1234-"},
        {"12345.6", "_x12345"},
        {"123456.7", "_x12345"},
        {"1.2.3.4", "_x1-2-3"},
        {"a" X62, "_axxxxx"},
        {"* ", "_x"},
        {"a.\n", "_a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct label_type type;
        label_type(rows[i].type, strlen(rows[i].type), &type);
        assert_true(type.is_changed);
        size_t stem_len = strlen(rows[i].stem);
        assert_int_equal(type.label.len, stem_len + 9);
        assert_memory_equal(type.label.octets, rows[i].stem, stem_len);
        assert_int_equal(type.label.octets[stem_len], '-');
    }
}

static void keeps_names_that_can_be_labels(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "dummy-service-1", "a/b",   "\xc3\x89tage 2. Bureau A/B",
        "Case.Kept",       " ",     "**",
        "\xff\xfe\x80",    X62 "x", "a*",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct label label;
        bool is_mangled = true;
        label_instance(rows[i], strlen(rows[i]), &label, &is_mangled);
        assert_false(is_mangled);
        assert_label(&label, rows[i]);
    }
}

/* What stands before the '~' and the hash. */
static void mangles_names_that_cannot(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len; /* 0 = up to the NUL */
        const char *kept;
    } rows[] = {
        {"*", 0, "*"},
        {"a\nb", 0, "a?b"},
        {"\0", 1, "?"},
        {"\x7f", 0, "?"},
        {"\x1f"
         "a\xc3\xa9",
         0, "?a\xc3\xa9"},
        {X62 "xx", 0, X53 "x"},
        {X53 "x\n", 0, X53 "x"},
        {X53 "\n", 0, X53 "?"},
        {X53 "\xc3\xa9" X10, 0, X53},                /* 2 octets from 53 on */
        {X50 "xx\xc3\xa9" X10, 0, X50 "xx\xc3\xa9"}, /* ends at 54 */
        {X50 "xx\xe2\x82\xac" X10, 0, X50 "xx"},     /* 3 octets from 52 on */
        {X50 "x\xf0\x9f\x98\x80" X10, 0, X50 "x"},   /* 4 octets from 51 on */
        {X50 "\xf0\x9f\x98\x80" X10, 0, X50 "\xf0\x9f\x98\x80"},
        {X50 "\x80\x80\x80\x80\x80\x80" X10, 0, X50 "\x80"}, /* at most 3 back */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct label label;
        bool is_mangled = false;
        size_t len = rows[i].len ? rows[i].len : strlen(rows[i].name);
        size_t kept_len = strlen(rows[i].kept);
        label_instance(rows[i].name, len, &label, &is_mangled);
        assert_true(is_mangled);
        assert_int_equal(label.len, kept_len + 9);
        assert_memory_equal(label.octets, rows[i].kept, kept_len);
        assert_int_equal(label.octets[kept_len], '~');
        assert_int_equal(strtoul(strndupa((const char *)label.octets + kept_len + 1, 8), NULL, 16),
                         label_fnv1a(rows[i].name, len));
    }
}

static void writes_the_hash_in_eight_digits(void **state)
{
    (void)state;
    struct label label;
    bool is_mangled;
    label_instance("*", 1, &label, &is_mangled);
    assert_label(&label, "*~2f0c9f3d");
    label_instance("248\n", 4, &label, &is_mangled);
    assert_label(&label, "248?~00a79d41");
}

static void writes_addresses(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t octets[16];
        const char *label;
    } rows[] = {
        {4, {10, 1, 2, 3}, "10-1-2-3"},
        {4, {0}, "0-0-0-0"},
        {4, {255, 255, 255, 255}, "255-255-255-255"},
        {4, {1, 10, 100, 209}, "1-10-100-209"},
        {16, {0xfd, [15] = 1}, "fd00-0-0-0-0-0-0-1"},
        {16, {0}, "0-0-0-0-0-0-0-0"},
        {16,
         {0x20, 0x01, 0x0d, 0xb8, 0, 0xab, 0xff, 0xff, 0xf0, 0x0f, [15] = 0x10},
         "2001-db8-ab-ffff-f00f-0-0-10"},
        {16, {[10] = 0xff, 0xff, 10, 1, 2, 3}, "10-1-2-3"},
        {16, {[12] = 10, 1, 2, 3}, "0-0-0-0-0-0-a01-203"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct label label;
        label_address(rows[i].octets, rows[i].len, &label);
        assert_label(&label, rows[i].label);
    }
}

static void turns_paths_round(void **state)
{
    (void)state;
    static const struct {
        const char *path, *wire;
    } rows[] = {
        {"a", "\x01"
              "a"},
        {"a/b", "\x01"
                "b\x01"
                "a"},
        {"features/super-cool-feature", "\x12super-cool-feature\x08"
                                        "features"},
        {"a.b/\xff \n/**", "\x02**\x03\xff \n\x03"
                           "a.b"},
        {"a/" X62 "x", "\x3f" X62 "x\x01"
                       "a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t out[NAME_MAX_LEN];
        size_t len;
        assert_int_equal(label_switch(rows[i].path, strlen(rows[i].path), out, &len), STATUS_OK);
        assert_int_equal(len, strlen(rows[i].wire));
        assert_memory_equal(out, rows[i].wire, len);
    }
}

static void refuses_paths_that_are_no_name(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum status status;
    } rows[] = {
        {"", STATUS_BAD_INPUT},
        {"/", STATUS_BAD_INPUT},
        {"/a", STATUS_BAD_INPUT},
        {"a/", STATUS_BAD_INPUT},
        {"a//b", STATUS_BAD_INPUT},
        {"*", STATUS_BAD_INPUT},
        {"a/*/b", STATUS_BAD_INPUT},
        {"a/" X62 "xx", STATUS_BAD_INPUT},
        {X50 "/" X50 "/" X50 "/" X50 "/" X50, STATUS_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t out[NAME_MAX_LEN] = {7};
        size_t len = 7;
        assert_int_equal(label_switch(rows[i].path, strlen(rows[i].path), out, &len),
                         rows[i].status);
        assert_int_equal(len, 7);
        assert_int_equal(out[0], 7);
    }
    uint8_t out[NAME_MAX_LEN];
    size_t len;
    const char *longest = X50 "/" X50 "/" X50 "/" X50 "/" X10 X10 X10 X10 "xxxxxxxxx";
    assert_int_equal(strlen(longest), NAME_MAX_LEN - 2);
    assert_int_equal(label_switch(longest, strlen(longest), out, &len), STATUS_OK);
    assert_int_equal(len, NAME_MAX_LEN - 1);
}

static void refuses_to_write_switches_that_cannot_be_served(void **state)
{
    (void)state;
    static const struct {
        const char *path, *why; /* NULL = none */
    } rows[] = {
        {"a", NULL},
        {"a/*b/c d", NULL},
        {X50 "xxxxxxxxxxxxx/a", NULL},
        {X50 "/" X50 "/" X50 "/" X50 "/" X10 X10 "xxxxxx", NULL},
        {X50 "/" X50 "/" X50 "/" X50 "/" X10 X10 "xxxxxxx", "too long for a DNS name"},
        {X50 "xxxxxxxxxxxxxx/a", "a part is longer than the 63 octets of a DNS label"},
        {"a/*", "a part must not be '*' alone"},
        {"*/a", "a part must not be '*' alone"},
        {"a//b", "a part between two '/' is empty"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct detail why = {.text = ""};
        assert_int_equal(label_check_switch(rows[i].path, &why),
                         rows[i].why ? STATUS_BAD_INPUT : STATUS_OK);
        if (rows[i].why)
            assert_non_null(strstr(why.text, rows[i].why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_as_fnv_1a),
        cmocka_unit_test(maps_types),
        cmocka_unit_test(keeps_a_readable_stem_of_odd_types),
        cmocka_unit_test(keeps_names_that_can_be_labels),
        cmocka_unit_test(mangles_names_that_cannot),
        cmocka_unit_test(writes_the_hash_in_eight_digits),
        cmocka_unit_test(writes_addresses),
        cmocka_unit_test(turns_paths_round),
        cmocka_unit_test(refuses_paths_that_are_no_name),
        cmocka_unit_test(refuses_to_write_switches_that_cannot_be_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
