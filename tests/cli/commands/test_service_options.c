#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service_options.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAIRS_MAX    6

struct setting {
    enum option_id id;
    const char *text;
};

struct row {
    struct setting settings[PAIRS_MAX]; /* beside type t, name n, location h:1 */
    const char *value;                  /* NULL: refused */
    const char *fault;
};

static void fill(struct options *options, const struct setting *settings)
{
    static const struct setting usual[] = {
        {OPTION_SERVICE_TYPE, "t"}, {OPTION_SERVICE_NAME, "n"}, {OPTION_SERVICE_LOCATION, "h:1"}};
    struct detail why;
    for (size_t i = 0; i < COUNT(usual); i++)
        assert_int_equal(options_set(options, usual[i].id, usual[i].text, &why), STATUS_OK);
    for (size_t i = 0; i < PAIRS_MAX && settings[i].text; i++)
        assert_int_equal(options_set(options, settings[i].id, settings[i].text, &why), STATUS_OK);
}

static void check(const struct row *row)
{
    struct options options = {0};
    struct key_root root;
    struct registration registration;
    struct detail why = {""};
    assert_int_equal(key_root_parse("/foo", &root, &why), STATUS_OK);
    fill(&options, row->settings);
    enum status status = service_options_read(&options, &root, &registration, &why);
    if (row->value) {
        assert_int_equal(status, STATUS_OK);
        assert_string_equal(registration.value, row->value);
        assert_int_equal(registration.value_len, strlen(row->value));
        assert_string_equal(registration.key.text, "/foo/service/t/n");
        registration_clear(&registration);
    } else {
        assert_int_equal(status, STATUS_BAD_INPUT);
        if (!strstr(why.text, row->fault))
            print_message("%s\n", why.text);
        assert_non_null(strstr(why.text, row->fault));
    }
    options_clear(&options);
}

static void options_become_the_value(void **state)
{
    static const struct row rows[] = {
        {{{0}}, "h:1", NULL},
        {{{OPTION_SERVICE_PROTOCOL, "udp"}}, "{\"location\":\"h:1\",\"protocol\":\"udp\"}", NULL},
        {{{OPTION_SERVICE_PRIORITY, "0"}}, "{\"location\":\"h:1\",\"priority\":0}", NULL},
        {{{OPTION_SERVICE_WEIGHT, "65535"}}, "{\"location\":\"h:1\",\"weight\":65535}", NULL},
        {{{OPTION_SERVICE_TXT, "b=1,2"}, {OPTION_SERVICE_TXT, "a"}},
         "{\"location\":\"h:1\",\"txt\":{\"a\":true,\"b\":\"1,2\"}}",
         NULL},
        {{{OPTION_SERVICE_SUBTYPE, "_printer"}, {OPTION_SERVICE_SUBTYPE, "b"}},
         "{\"location\":\"h:1\",\"subtypes\":[\"b\",\"printer\"]}",
         NULL},
        {{{OPTION_SERVICE_TTL, "2"}, {OPTION_SERVICE_REFRESH, "1"}}, "h:1", NULL},
        {{{OPTION_SERVICE_REFRESH, "100"}}, "h:1", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&rows[i]);
}

static void what_could_not_be_served_is_refused_by_name(void **state)
{
    static const struct row rows[] = {
        {{{OPTION_SERVICE_TYPE, "a/b"}}, NULL, "--service-type \"a/b\": "},
        {{{OPTION_SERVICE_TYPE, "dns-sd"}}, NULL, "--service-type \"dns-sd\": "},
        {{{OPTION_SERVICE_NAME, "a/b"}}, NULL, "--service-name \"a/b\": "},
        {{{OPTION_SERVICE_NAME, "\xff"}}, NULL, "--service-name "},
        {{{OPTION_SERVICE_LOCATION, "h"}}, NULL, "--service-location \"h\": "},
        {{{OPTION_SERVICE_TXT, "=x"}}, NULL, "--txt \"=x\": "},
        {{{OPTION_SERVICE_TXT, "a=x"}, {OPTION_SERVICE_TXT, "A"}}, NULL, "--txt: "},
        {{{OPTION_SERVICE_SUBTYPE, "a\001"}}, NULL, "--subtype "},
        {{{OPTION_SERVICE_TTL, "5"}, {OPTION_SERVICE_REFRESH, "5"}},
         NULL,
         "--refresh-every \"5\": not shorter than --ttl \"5\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&rows[i]);
}

static void too_many_pairs_or_octets_are_refused(void **state)
{
    static const struct {
        size_t count, len;
    } rows[] = {{129, 4}, {40, 255}};
    struct key_root root;
    struct detail why = {""};
    (void)state;
    assert_int_equal(key_root_parse("/foo", &root, &why), STATUS_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct registration registration;
        fill(&options, (const struct setting[PAIRS_MAX]){{0}});
        for (size_t k = 0; k < rows[i].count; k++) {
            char pair[256];
            memset(pair, 'v', rows[i].len);
            pair[rows[i].len] = '\0';
            pair[0] = (char)('a' + k % 26);
            pair[1] = (char)('a' + k / 26);
            pair[2] = '=';
            assert_int_equal(options_set(&options, OPTION_SERVICE_TXT, pair, &why), STATUS_OK);
        }
        assert_int_equal(service_options_read(&options, &root, &registration, &why),
                         STATUS_BAD_INPUT);
        assert_non_null(strstr(why.text, "--txt"));
        options_clear(&options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_become_the_value),
        cmocka_unit_test(what_could_not_be_served_is_refused_by_name),
        cmocka_unit_test(too_many_pairs_or_octets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
