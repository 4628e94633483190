#include "support/foreign_locale.h"

#include "registry/etcd/kv.h"
#include "registry/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define X10  "xxxxxxxxxx"
#define X50  X10 X10 X10 X10 X10
#define X200 X50 X50 X50 X50

static struct key_root root_of(const char *text)
{
    struct key_root root;
    assert_int_equal(key_root_parse(text, &root, NULL), STATUS_OK);
    return root;
}

static void brings_roots_into_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *root;
    } rows[] = {
        {"/foo", "/foo"},
        {"foo", "/foo"},
        {"/foo/", "/foo"},
        {"//foo", "/foo"},
        {"/", ""},
        {"///", ""},
        {"a//b///c/", "/a/b/c"},
        {"/\xc3\xa9/ x", "/\xc3\xa9/ x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct key_root root = root_of(rows[i].text);
        assert_string_equal(root.text, rows[i].root);
        assert_int_equal(root.len, strlen(rows[i].root));
    }
}

static void refuses_bad_roots(void **state)
{
    (void)state;
    char longest[KEY_ROOT_MAX + 2];
    struct key_root root = {.len = 7};
    struct detail why;
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[KEY_ROOT_MAX] = '\0';
    assert_int_equal(root_of(longest).len, KEY_ROOT_MAX);
    longest[KEY_ROOT_MAX] = 'x';
    longest[KEY_ROOT_MAX + 1] = '\0';
    assert_int_equal(key_root_parse(longest, &root, &why), STATUS_BAD_INPUT);

    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "must not be empty"},
        {"/a\nb", "must be UTF-8 without control characters"},
        {"/a\xff", "must be UTF-8 without control characters"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(key_root_parse(rows[i].text, &root, &why), STATUS_BAD_INPUT);
        assert_string_equal(why.text, rows[i].why);
    }
    assert_int_equal(root.len, 7);
}

static void makes_service_keys(void **state)
{
    (void)state;
    static const struct {
        const char *root, *type, *name, *key;
    } rows[] = {
        {"/foo", "t", "n", "/foo/service/t/n"},
        {"/", "t", "n", "/service/t/n"},
        {"/foo", "my type._udp", "\xc3\x89tage 2. *",
         "/foo/service/my type._udp/\xc3\x89tage 2. *"},
        {"/foo", X200, X200, "/foo/service/" X200 "/" X200},
        {"/foo", "dns-sd2", "*", "/foo/service/dns-sd2/*"},
        {"/foo", "dns-sd._tcp._tcp", "x", "/foo/service/dns-sd._tcp._tcp/x"},
        {"/foo", "__dns-sd", "x", "/foo/service/__dns-sd/x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct key_root root = root_of(rows[i].root);
        struct kv_key key;
        assert_int_equal(key_of_service(&root, rows[i].type, rows[i].name, &key, NULL), STATUS_OK);
        assert_string_equal(key.text, rows[i].key);
        assert_int_equal(key.len, strlen(rows[i].key));
    }
}

static void names_the_type_or_name_it_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *type, *name, *why;
    } rows[] = {
        {"", "n", "service type \"\": must not be empty"},
        {"t", "", "service name \"\": must not be empty"},
        {"a/b", "n", "service type \"a/b\": '/' is not allowed"},
        {"t", "a/b", "service name \"a/b\": '/' is not allowed"},
        {"t", "a\x01", "service name \"a\\x01\": must be UTF-8 without control characters"},
        {"t\x7f", "n", "service type \"t\\x7f\": must be UTF-8 without control characters"},
        {"t", "\xc2\x85", "service name \"\\xc2\\x85\": must be UTF-8 without control characters"},
        {"t", "\xc3", "service name \"\\xc3\": must be UTF-8 without control characters"},
        {"t", X200 "x", "service name \"" X200 "x\": longer than 200 octets"},
        {X200 "x", "n", "service type \"" X200 "x\": longer than 200 octets"},
        {"dns-sd", "n", "service type \"dns-sd\": is reserved for DNS-SD itself"},
        {"_DNS_SD._UDP", "n", "service type \"_DNS_SD._UDP\": is reserved for DNS-SD itself"},
    };
    struct key_root root = root_of("/foo");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kv_key key = {.len = 7};
        struct detail why;
        assert_int_equal(key_of_service(&root, rows[i].type, rows[i].name, &key, &why),
                         STATUS_BAD_INPUT);
        assert_string_equal(why.text, rows[i].why);
        assert_int_equal(key.len, 7);
        bool is_type = strncmp(rows[i].why, "service type", 12) == 0;
        assert_int_equal(key_check_type(rows[i].type, &why),
                         is_type ? STATUS_BAD_INPUT : STATUS_OK);
        if (!is_type)
            assert_int_equal(key_check_name(rows[i].name, &why), STATUS_BAD_INPUT);
        assert_string_equal(why.text, strstr(rows[i].why, "\": ") + 3);
    }
}

static void whatever_the_locale_of_the_program(void **state)
{
    foreign_locale_enter();
    names_the_type_or_name_it_refuses(state);
    foreign_locale_leave();
}

static void makes_switch_keys(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b", "features/super-cool-feature", "*", X200};
    static const char *const bad[] = {"", "/", "/a", "a/", "a//b", "a\nb", "a\xff"};
    struct key_root root = root_of("/foo");
    struct kv_key key;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(key_of_switch(&root, good[i], &key, NULL), STATUS_OK);
        assert_memory_equal(key.text, "/foo/switch/", 12);
        assert_string_equal(key.text + 12, good[i]);
        assert_int_equal(key.len, 12 + strlen(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(key_of_switch(&root, bad[i], &key, NULL), STATUS_BAD_INPUT);
}

static void bounds_the_length_of_a_key(void **state)
{
    (void)state;
    struct key_root root = root_of("/foo");
    struct kv_key key;
    size_t room = KV_KEY_MAX - strlen("/foo/switch/");
    char *path = calloc(1, room + 2);
    assert_non_null(path);
    memset(path, 'x', room);
    assert_int_equal(key_of_switch(&root, path, &key, NULL), STATUS_OK);
    assert_int_equal(key.len, KV_KEY_MAX);
    path[room] = 'x';
    assert_int_equal(key_of_switch(&root, path, &key, NULL), STATUS_BAD_INPUT);
    free(path);
}

static void makes_prefixes_and_their_ends(void **state)
{
    (void)state;
    struct key_root root = root_of("/foo"), top = root_of("/");
    struct kv_key key, end;
    key_prefix(&root, KEY_ALL, &key);
    assert_string_equal(key.text, "/foo/");
    kv_prefix_end(key.text, key.len, &end);
    assert_string_equal(end.text, "/foo0");
    key_prefix(&root, KEY_SERVICES, &key);
    assert_string_equal(key.text, "/foo/service/");
    key_prefix(&root, KEY_SWITCHES, &key);
    assert_string_equal(key.text, "/foo/switch/");
    key_prefix(&top, KEY_ALL, &key);
    assert_string_equal(key.text, "/");
    assert_int_equal(key_type_prefix(&root, "dns-sd", &key, NULL), STATUS_OK);
    assert_string_equal(key.text, "/foo/service/dns-sd/");
    assert_int_equal(key.len, 20);
    assert_int_equal(key_type_prefix(&root, "a/b", &key, NULL), STATUS_BAD_INPUT);

    static const struct {
        const char *prefix, *end;
        size_t end_len;
    } rows[] = {
        {"", "\0", 1},         {"\xff\xff", "\0", 1}, {"a\xff\xff", "b", 1},
        {"a\x7f", "a\x80", 2}, {"a\xfe", "a\xff", 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kv_prefix_end(rows[i].prefix, strlen(rows[i].prefix), &end);
        assert_int_equal(end.len, rows[i].end_len);
        assert_memory_equal(end.text, rows[i].end, end.len + 1);
    }
}

static void takes_keys_apart(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        enum key_kind kind;
        const char *type, *name;
    } rows[] = {
        {"/service/t/n", KEY_KIND_SERVICE, "t", "n"},
        {"/service/t/a/b", KEY_KIND_SERVICE, "t", "a/b"},
        {"/service/t//", KEY_KIND_SERVICE, "t", "/"},
        {"/service/t/\xff\n", KEY_KIND_SERVICE, "t", "\xff\n"},
        {"/switch/a", KEY_KIND_SWITCH, "", "a"},
        {"/switch/a/b", KEY_KIND_SWITCH, "", "a/b"},
        {"/switch//", KEY_KIND_SWITCH, "", "/"},
        {"", KEY_KIND_OTHER, "", ""},
        {"/", KEY_KIND_OTHER, "", ""},
        {"/service", KEY_KIND_OTHER, "", ""},
        {"/service/", KEY_KIND_OTHER, "", ""},
        {"/service/t", KEY_KIND_OTHER, "", ""},
        {"/service/t/", KEY_KIND_OTHER, "", ""},
        {"/service//n", KEY_KIND_OTHER, "", ""},
        {"/switch/", KEY_KIND_OTHER, "", ""},
        {"/switches/a", KEY_KIND_OTHER, "", ""},
        {"/Service/t/n", KEY_KIND_OTHER, "", ""},
        {"service/t/n", KEY_KIND_OTHER, "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct key_parts parts;
        key_split(rows[i].key, strlen(rows[i].key), &parts);
        assert_int_equal(parts.kind, rows[i].kind);
        assert_int_equal(parts.type_len, strlen(rows[i].type));
        assert_int_equal(parts.name_len, strlen(rows[i].name));
        if (parts.type_len > 0)
            assert_memory_equal(parts.type, rows[i].type, parts.type_len);
        if (parts.name_len > 0)
            assert_memory_equal(parts.name, rows[i].name, parts.name_len);
    }
}

static void finds_the_base_of_a_type(void **state)
{
    (void)state;
    static const struct {
        const char *type, *base;
        enum key_suffix suffix;
    } rows[] = {
        {"ipp", "ipp", KEY_SUFFIX_NONE},
        {"_ipp", "ipp", KEY_SUFFIX_NONE},
        {"ipp._tcp", "ipp", KEY_SUFFIX_TCP},
        {"_ipp._UdP", "ipp", KEY_SUFFIX_UDP},
        {"__ipp", "_ipp", KEY_SUFFIX_NONE},
        {"ipp._sctp", "ipp._sctp", KEY_SUFFIX_NONE},
        {"_tcp", "tcp", KEY_SUFFIX_NONE},
        {"._tcp", "", KEY_SUFFIX_TCP},
        {"a._tcp._udp", "a._tcp", KEY_SUFFIX_UDP},
        {"_", "", KEY_SUFFIX_NONE},
        {"", "", KEY_SUFFIX_NONE},
        {"_._tcp", "", KEY_SUFFIX_TCP},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct key_base base;
        key_type_base(rows[i].type, strlen(rows[i].type), &base);
        assert_int_equal(base.suffix, rows[i].suffix);
        assert_int_equal(base.len, strlen(rows[i].base));
        assert_memory_equal(base.text, rows[i].base, base.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_roots_into_one_form),
        cmocka_unit_test(refuses_bad_roots),
        cmocka_unit_test(makes_service_keys),
        cmocka_unit_test(names_the_type_or_name_it_refuses),
        cmocka_unit_test(whatever_the_locale_of_the_program),
        cmocka_unit_test(makes_switch_keys),
        cmocka_unit_test(bounds_the_length_of_a_key),
        cmocka_unit_test(makes_prefixes_and_their_ends),
        cmocka_unit_test(takes_keys_apart),
        cmocka_unit_test(finds_the_base_of_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
