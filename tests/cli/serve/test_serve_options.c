#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/args/command.h"
#include "cli/program.h"
#include "cli/serve/serve_options.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SETTINGS_MAX 4

struct setting {
    enum option_id id;
    const char *text;
};

static void complete(struct options *options, const struct setting *settings)
{
    const struct command *serve = command_find(program_table(), NULL, "serve");
    struct detail why;
    for (size_t i = 0; i < SETTINGS_MAX && settings[i].text; i++)
        assert_int_equal(options_set(options, settings[i].id, settings[i].text, &why), STATUS_OK);
    for (size_t i = 0; i < serve->option_count; i++)
        assert_int_equal(options_complete(options, serve->options[i], NULL, &why), STATUS_OK);
}

static void the_defaults_are_those_of_the_table(void **state)
{
    struct options options = {0};
    struct serve_options *made = calloc(1, sizeof(*made));
    struct detail why;
    (void)state;
    complete(&options, (const struct setting[SETTINGS_MAX]){{0}});
    assert_int_equal(serve_options_read(&options, OPTION_LISTEN, made, &why), STATUS_OK);
    assert_string_equal(made->zone.domain, "empusa.internal");
    assert_int_equal(made->zone.record_ttl_s, 10);
    assert_int_equal(made->zone.negative_ttl_s, 5);
    assert_true(made->zone.has_switches);
    assert_true(made->resolves_hosts);
    assert_null(made->zone.host_domain);
    assert_true(made->server.listen_count >= 1);
    assert_int_equal(made->zone.ns_count, made->server.listen_count);
    assert_string_equal(made->ns[0].name, "ns");
    assert_int_equal(made->server.workers, 0);
    assert_int_equal(made->server.tcp_connections, 1024);
    assert_int_equal(made->server.tcp_idle_s, 10);
    assert_int_equal(made->server.rate_limit, 200);
    assert_int_equal(made->server.allow_query.count, 0);
    assert_int_equal(made->env.max_udp_size, 1232);
    assert_int_equal(made->env.tcp_idle_100ms, 100);
    assert_int_equal(made->env.state, ANSWER_NOT_READY);
    assert_true(made->env.nsid_len > 0);
    assert_int_equal(made->stale_limit_ms, 86400000);
    assert_int_equal(made->guard_share, 0);
    assert_int_equal(made->guard_hold_ms, 60000);
    serve_options_clear(made);
    free(made);
    options_clear(&options);
}

static void name_servers_default_to_addresses_that_can_be_told(void **state)
{
    static const struct {
        const char *listen;
        size_t count;
    } rows[] = {
        {"0.0.0.0:5300,[::]:5300", 0}, {"127.0.0.1:5300,0.0.0.0:5301", 1}, {"10.0.0.1,fd00::1", 2}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct serve_options *made = calloc(1, sizeof(*made));
        struct detail why;
        complete(&options, (const struct setting[SETTINGS_MAX]){{OPTION_LISTEN, rows[i].listen}});
        assert_int_equal(serve_options_read(&options, OPTION_LISTEN, made, &why), STATUS_OK);
        assert_int_equal(made->zone.ns_count, rows[i].count);
        serve_options_clear(made);
        free(made);
        options_clear(&options);
    }
}

static void bad_values_are_refused_by_name(void **state)
{
    static const struct setting rows[] = {{OPTION_LISTEN, "localhost"},
                                          {OPTION_HOST, "baz"},
                                          {OPTION_HOST, "baz=x"},
                                          {OPTION_HOST, "=10.0.0.1"},
                                          {OPTION_NS, "ns1=10.0.0"},
                                          {OPTION_ALLOW_QUERY, "10.0.0.0/33"},
                                          {OPTION_ALLOW_TRANSFER, "nonsense"},
                                          {OPTION_GUARD, "on"},
                                          {OPTION_GUARD, "0"},
                                          {OPTION_GUARD, "00"},
                                          {OPTION_GUARD, "100"},
                                          {OPTION_GUARD, "-1"},
                                          {OPTION_GUARD, "80%"},
                                          {OPTION_GUARD, "0.8"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct serve_options *made = calloc(1, sizeof(*made));
        struct detail why = {""};
        char expected[100];
        complete(&options, (const struct setting[SETTINGS_MAX]){rows[i]});
        assert_int_equal(serve_options_read(&options, OPTION_LISTEN, made, &why), STATUS_BAD_INPUT);
        snprintf(expected, sizeof(expected), "--%s \"%s\": ", option_row(rows[i].id)->name,
                 rows[i].text);
        assert_memory_equal(why.text, expected, strlen(expected));
        free(made);
        options_clear(&options);
    }
}

static void a_guard_has_a_share_in_percent(void **state)
{
    static const struct {
        const char *text;
        unsigned share;
    } rows[] = {{"off", 0}, {"1", 1}, {"80", 80}, {"99", 99}, {"05", 5}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct serve_options *made = calloc(1, sizeof(*made));
        struct detail why;
        complete(&options, (const struct setting[SETTINGS_MAX]){{OPTION_GUARD, rows[i].text},
                                                                {OPTION_GUARD_HOLD, "7"}});
        assert_int_equal(serve_options_read(&options, OPTION_LISTEN, made, &why), STATUS_OK);
        assert_int_equal(made->guard_share, rows[i].share);
        assert_int_equal(made->guard_hold_ms, 7000);
        serve_options_clear(made);
        free(made);
        options_clear(&options);
    }
}

/* Four labels: LONG is 203 octets, a zone's name may have 198. */
#define LABEL50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define LONG    LABEL50 "." LABEL50 "." LABEL50 "." LABEL50
#define FIT                                                                                        \
    LABEL50 "." LABEL50 "." LABEL50 "."                                                            \
            "ffffffffffffffffffffffffffffffffffffffffff"

static void what_the_zone_refuses_is_blamed_on_its_option(void **state)
{
    static const struct {
        struct setting settings[SETTINGS_MAX];
        enum option_id id;
        size_t item;
    } rows[] = {
        {{{OPTION_DOMAIN, "a..b"}}, OPTION_DOMAIN, 0},
        {{{OPTION_DOMAIN, "."}}, OPTION_DOMAIN, 0},
        {{{OPTION_DOMAIN, LONG}}, OPTION_DOMAIN, 0},
        {{{OPTION_DOMAIN, LONG}, {OPTION_HOST_DOMAIN, LONG}}, OPTION_DOMAIN, 0},
        {{{OPTION_HOST_DOMAIN, LONG}, {OPTION_DOMAIN, LONG}, {OPTION_NS, LONG "=::1"}},
         OPTION_DOMAIN,
         0},
        {{{OPTION_DOMAIN, "a..b"}, {OPTION_NS, "a..b=::1"}, {OPTION_HOST, "a..b=::1"}},
         OPTION_DOMAIN,
         0},
        {{{OPTION_DOMAIN, "z"}, {OPTION_HOST_DOMAIN, "z"}}, OPTION_HOST_DOMAIN, 0},
        {{{OPTION_DOMAIN, FIT}, {OPTION_HOST_DOMAIN, FIT}, {OPTION_NS, FIT "=::1"}},
         OPTION_HOST_DOMAIN,
         0},
        {{{OPTION_DOMAIN, "z"}, {OPTION_HOST_DOMAIN, "a..b"}, {OPTION_NS, "a..b=::1"}},
         OPTION_HOST_DOMAIN,
         0},
        {{{OPTION_DOMAIN, "z"}, {OPTION_NS, "z.=::1"}}, OPTION_NS, 0},
        {{{OPTION_DOMAIN, "z"}, {OPTION_NS, "a=::1"}, {OPTION_NS, "x.addr.z=::1"}}, OPTION_NS, 1},
        {{{OPTION_DOMAIN, FIT}, {OPTION_NS, LABEL50 "fffffffff=::1"}}, OPTION_NS, 0},
        {{{OPTION_DOMAIN, "z"}, {OPTION_NS, "a..b=::1"}, {OPTION_HOST, "a..b=::1"}}, OPTION_NS, 0},
        {{{OPTION_NS, "m=::1"}, {OPTION_HOST, "m=::1"}, {OPTION_HOST, "a.b=10.0.0.1"}},
         OPTION_HOST,
         1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options = {0};
        struct serve_options *made = calloc(1, sizeof(*made));
        struct zone *zone = NULL;
        struct detail why = {""};
        char expected[16];
        complete(&options, rows[i].settings);
        assert_int_equal(serve_options_read(&options, OPTION_LISTEN, made, &why), STATUS_OK);
        assert_int_equal(zone_new(&made->zone, &zone, &why), STATUS_BAD_INPUT);
        assert_int_equal(serve_options_fault(&options, made, &why), STATUS_BAD_INPUT);
        snprintf(expected, sizeof(expected), "--%s \"", option_row(rows[i].id)->name);
        assert_memory_equal(why.text, expected, strlen(expected));
        const char *item = options_item(&options, rows[i].id, rows[i].item);
        assert_memory_equal(why.text + strlen(expected), item, strcspn(item, "="));
        serve_options_clear(made);
        free(made);
        options_clear(&options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_table),
        cmocka_unit_test(name_servers_default_to_addresses_that_can_be_told),
        cmocka_unit_test(bad_values_are_refused_by_name),
        cmocka_unit_test(a_guard_has_a_share_in_percent),
        cmocka_unit_test(what_the_zone_refuses_is_blamed_on_its_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
