#include "registry/registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct key_root root;

static enum status build(const struct registration_fields *fields, struct registration *out,
                         struct fault *fault)
{
    struct registration_fields filled = *fields;
    filled.type = filled.type ? filled.type : "t";
    filled.name = filled.name ? filled.name : "n";
    filled.location = filled.location ? filled.location : "h:1";
    memset(fault, 0, sizeof(*fault));
    assert_int_equal(key_root_parse("/foo", &root, NULL), STATUS_OK);
    return registration_build(&root, &filled, out, fault);
}

static void fields_become_key_and_value(void **state)
{
    static const char *const pairs[] = {"b=1,2", "a"}, *const subtypes[] = {"_printer", "b"};
    static const struct {
        struct registration_fields fields;
        const char *value;
    } rows[] = {
        {{0}, "h:1"},
        {{.protocol = ENTRY_PROTOCOL_UDP}, "{\"location\":\"h:1\",\"protocol\":\"udp\"}"},
        {{.has_priority = true}, "{\"location\":\"h:1\",\"priority\":0}"},
        {{.has_weight = true, .weight = 65535}, "{\"location\":\"h:1\",\"weight\":65535}"},
        {{.priority = 7, .weight = 7}, "h:1"}, /* neither is said */
        {{.txt = pairs, .txt_count = 2},
         "{\"location\":\"h:1\",\"txt\":{\"a\":true,\"b\":\"1,2\"}}"},
        {{.subtypes = subtypes, .subtype_count = 2},
         "{\"location\":\"h:1\",\"subtypes\":[\"b\",\"printer\"]}"},
        {{.is_draining = true}, "{\"location\":\"h:1\",\"state\":\"draining\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct registration made;
        struct fault fault;
        assert_int_equal(build(&rows[i].fields, &made, &fault), STATUS_OK);
        assert_string_equal(made.value, rows[i].value);
        assert_int_equal(made.value_len, strlen(made.value));
        assert_string_equal(made.key.text, "/foo/service/t/n");
        assert_false(made.is_unspecified);
        registration_clear(&made);
        assert_null(made.value);
    }
}

static void an_address_to_listen_at_is_noticed(void **state)
{
    (void)state;
    struct registration made;
    struct fault fault;
    assert_int_equal(build(&(struct registration_fields){.location = "0.0.0.0:80"}, &made, &fault),
                     STATUS_OK);
    assert_true(made.is_unspecified);
    registration_clear(&made);
}

static void a_fault_says_its_field_and_its_value(void **state)
{
    static const char *const key[] = {"a=1", "=x"}, *const twice[] = {"a=1", "A"},
                             *const control[] = {"b", "a\001"}, *const none[] = {""};
    static const struct {
        struct registration_fields fields;
        enum registration_field field;
        const char *value, *why;
    } rows[] = {
        {{.type = "a/b"}, REGISTRATION_TYPE, "a/b", "'/' is not allowed"},
        {{.type = "dns-sd"}, REGISTRATION_TYPE, "dns-sd", "is reserved for DNS-SD itself"},
        {{.type = ""}, REGISTRATION_TYPE, "", "must not be empty"},
        {{.name = "x\": y/"}, REGISTRATION_NAME, "x\": y/", "'/' is not allowed"},
        {{.type = "a/", .name = "a/"}, REGISTRATION_TYPE, "a/", "'/' is not allowed"},
        {{.location = "h"}, REGISTRATION_LOCATION, "h", "no ':' and port after the host"},
        {{.txt = key, .txt_count = 2}, REGISTRATION_TXT, "=x", "the key is empty"},
        {{.txt = twice, .txt_count = 2}, REGISTRATION_TXT, NULL, "a key is given twice"},
        {{.subtypes = control, .subtype_count = 2},
         REGISTRATION_SUBTYPE,
         "a\001",
         "must be UTF-8 without control characters"},
        {{.subtypes = none, .subtype_count = 1}, REGISTRATION_SUBTYPE, "", "must not be empty"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct registration made = {.value_len = 7};
        struct fault fault;
        assert_int_equal(build(&rows[i].fields, &made, &fault), STATUS_BAD_INPUT);
        assert_int_equal(fault.field, rows[i].field);
        assert_string_equal(fault.why.text, rows[i].why);
        if (rows[i].value)
            assert_string_equal(fault.value, rows[i].value);
        else
            assert_null(fault.value);
        assert_int_equal(made.value_len, 7);
    }
}

/* `count` pairs of `len` octets. */
static enum status build_pairs(size_t count, size_t len, struct fault *fault)
{
    static char pairs[ENTRY_TXT_MAX + 1][ENTRY_TXT_PAIR_MAX + 1];
    const char *texts[ENTRY_TXT_MAX + 1];
    struct registration made = {.value = NULL};
    for (size_t i = 0; i < count; i++) {
        memset(pairs[i], 'v', len);
        pairs[i][len] = '\0';
        pairs[i][0] = (char)('a' + i % 26);
        pairs[i][1] = (char)('a' + i / 26);
        pairs[i][2] = '=';
        texts[i] = pairs[i];
    }
    enum status status =
        build(&(struct registration_fields){.txt = texts, .txt_count = count}, &made, fault);
    registration_clear(&made);
    return status;
}

static void pairs_have_their_limits(void **state)
{
    struct fault fault;
    (void)state;
    assert_int_equal(build_pairs(ENTRY_TXT_MAX, 4, &fault), STATUS_OK);
    assert_int_equal(build_pairs(ENTRY_TXT_MAX + 1, 4, &fault), STATUS_BAD_INPUT);
    assert_true(fault.field == REGISTRATION_TXT && !fault.value);
    assert_string_equal(fault.why.text, "more than 128 of them");
    assert_int_equal(build_pairs(32, ENTRY_TXT_PAIR_MAX, &fault), STATUS_OK); /* 8192 octets */
    assert_int_equal(build_pairs(33, 248, &fault), STATUS_BAD_INPUT);
    assert_true(fault.field == REGISTRATION_TXT && !fault.value);
    assert_string_equal(fault.why.text, "together longer than 8192 octets");
}

static void subtypes_have_their_limit(void **state)
{
    const char *texts[ENTRY_SUBTYPES_MAX + 1];
    char names[ENTRY_SUBTYPES_MAX + 1][8];
    struct fault fault;
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        snprintf(names[i], sizeof(names[i]), "s%zu", i);
        texts[i] = names[i];
    }
    for (size_t count = ENTRY_SUBTYPES_MAX; count <= ENTRY_SUBTYPES_MAX + 1; count++) {
        struct registration made = {.value = NULL};
        assert_int_equal(
            build(&(struct registration_fields){.subtypes = texts, .subtype_count = count}, &made,
                  &fault),
            count <= ENTRY_SUBTYPES_MAX ? STATUS_OK : STATUS_BAD_INPUT);
        registration_clear(&made);
    }
    assert_true(fault.field == REGISTRATION_SUBTYPE && !fault.value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_become_key_and_value),
        cmocka_unit_test(an_address_to_listen_at_is_noticed),
        cmocka_unit_test(a_fault_says_its_field_and_its_value),
        cmocka_unit_test(pairs_have_their_limits),
        cmocka_unit_test(subtypes_have_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
