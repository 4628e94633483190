#include "registry/etcd/member.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct member_set *new_set(const char *list)
{
    struct endpoint endpoints[ENDPOINT_LIST_MAX];
    size_t count = 0;
    struct member_set *set = calloc(1, sizeof(*set));
    assert_non_null(set);
    assert_int_equal(endpoint_parse_list(list, false, endpoints, ENDPOINT_LIST_MAX, &count, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < count; i++)
        member_add(set, &endpoints[i], NULL);
    return set;
}

static void free_set(struct member_set *set)
{
    member_clear(set);
    free(set);
}

static void the_one_that_answered_is_asked_first(void **state)
{
    (void)state;
    struct member_set *set = new_set("a:1,b:1,c:1");
    assert_ptr_equal(member_find(set, 0, 1000), &set->list[0]);
    member_mark_up(set, &set->list[1]);
    assert_ptr_equal(member_find(set, 0, 1000), &set->list[1]);
    assert_ptr_equal(member_find(set, member_mask(set, &set->list[1]), 1000), &set->list[2]);
    assert_null(member_find(set, 7, 1000));
    free_set(set);
}

static void who_failed_comes_last_for_a_while(void **state)
{
    (void)state;
    struct member_set *set = new_set("10.0.0.1:1,10.0.0.2:1,c:1");
    member_fail(&set->list[0], 1000, STATUS_UNREACHABLE, "connection refused");
    assert_ptr_equal(member_find(set, 0, 1000), &set->list[1]);
    assert_ptr_equal(member_find(set, 6, 1000), &set->list[0]);
    /* Its back-off is over, but two have not failed. */
    assert_ptr_equal(member_find(set, 0, 1000 + 250), &set->list[1]);
    assert_ptr_equal(member_find(set, 2, 1000 + 250), &set->list[2]);
    for (int i = 0; i < 20; i++)
        member_fail(&set->list[0], 1000, STATUS_UNREACHABLE, "connection refused");
    assert_in_range(set->list[0].pause_until_ms, 1000 + 5000, 1000 + 10000);
    /* All pause: the one whose pause ends first. */
    for (int i = 0; i < 20; i++)
        member_fail(&set->list[2], 1000, STATUS_TIMED_OUT, "cannot look up c: no answer");
    member_fail(&set->list[1], 1000, STATUS_UNREACHABLE, "no answer in time");
    assert_ptr_equal(member_find(set, 0, 1000), &set->list[1]);
    /* None does: in their order again. */
    assert_ptr_equal(member_find(set, 0, 1000 + 10000), &set->list[0]);
    struct detail why;
    member_explain(set, 7, &why);
    assert_string_equal(
        why.text, "http://10.0.0.1:1: connection refused; http://10.0.0.2:1: no answer in time; "
                  "cannot look up c: no answer");
    member_explain(set, 2, &why);
    assert_string_equal(why.text, "http://10.0.0.2:1: no answer in time");
    member_mark_up(set, &set->list[0]);
    assert_ptr_equal(member_find(set, 0, 1000), &set->list[0]);
    free_set(set);
}

/* Whoever answers again has a clean slate: its next failure is a first one. */
static void who_answers_again_is_forgiven(void **state)
{
    (void)state;
    struct member_set *set = new_set("10.0.0.1:1,10.0.0.2:1");
    struct member *member = &set->list[0];
    for (int i = 0; i < 20; i++)
        member_fail(member, 1000, STATUS_UNREACHABLE, "connection refused");
    member_mark_up(set, member);
    assert_int_equal(member->reason[0], '\0');
    member_fail(member, 2000, STATUS_UNREACHABLE, "connection refused");
    assert_in_range(member->pause_until_ms, 2000 + 125, 2000 + 250);
    free_set(set);
}

/* 250 ms at first, doubled up to 10 s; at least half of that. */
static void each_failure_doubles_the_pause(void **state)
{
    (void)state;
    struct member_set *set = new_set("10.0.0.1:1");
    uint64_t pause_ms = 250;
    for (int i = 0; i < 10; i++) {
        member_fail(&set->list[0], 1000, STATUS_UNREACHABLE, "connection refused");
        assert_in_range(set->list[0].pause_until_ms - 1000, pause_ms / 2, pause_ms);
        pause_ms = pause_ms < 5000 ? pause_ms * 2 : 10000;
    }
    free_set(set);
}

static void members_are_a_set(void **state)
{
    (void)state;
    struct member_set *set = new_set("a:1,b:1,a:1");
    assert_int_equal(set->count, 2);
    struct endpoint endpoint;
    for (int i = 0; i < 50; i++) {
        char text[16];
        snprintf(text, sizeof(text), "c:%d", i + 1);
        assert_int_equal(endpoint_parse(text, strlen(text), false, &endpoint, NULL), STATUS_OK);
        member_add(set, &endpoint, NULL);
    }
    assert_int_equal(set->count, ENDPOINT_LIST_MAX);
    member_shuffle(set);
    uint32_t seen = 0;
    struct member *member;
    while ((member = member_find(set, seen, 0)))
        seen |= member_mask(set, member);
    assert_int_equal(seen, UINT32_MAX);
    struct detail why;
    member_explain(set, UINT32_MAX, &why);
    assert_true(strlen(why.text) < sizeof(why.text));
    free_set(set);
}

static const struct {
    const char *body;
    bool is_good;
    unsigned version;
    const char *prefix;
} versions[] = {
    {"{\"etcdserver\":\"3.3.25\",\"etcdcluster\":\"3.3.0\"}", true, 303, "/v3beta"},
    {"{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}", true, 304, "/v3"},
    {"{\"etcdserver\":\"3.5.16+git\",\"etcdcluster\":\"3.5.0\"}", true, 305, "/v3"},
    {"{\"etcdserver\":\"3.2.1\"}", true, 302, "/v3alpha"},
    {"{\"etcdserver\":\"4.0.0\"}", true, 400, "/v3"},
    {"{\"etcdserver\":\"new\"}", false, 0, NULL},
    {"{\"etcdserver\":34}", false, 0, NULL},
    {"<html>", false, 0, NULL},
    {"", false, 0, NULL},
};

static void the_version_gives_the_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct member member = {0};
        assert_int_equal(member_set_version(&member, versions[i].body, strlen(versions[i].body)),
                         versions[i].is_good);
        assert_int_equal(member.version, versions[i].version);
        if (versions[i].is_good)
            assert_string_equal(member.prefix, versions[i].prefix);
    }
}

static void addresses_are_kept_for_their_ttl(void **state)
{
    (void)state;
    struct member_set *set = new_set("etcd.example:2379,127.0.0.1:1");
    struct resolver_address addresses[2] = {{.family = AF_INET6}, {.family = AF_INET}};
    inet_pton(AF_INET6, "fd00::1", addresses[0].octets);
    inet_pton(AF_INET, "10.1.2.3", addresses[1].octets);
    assert_false(member_needs_addresses(&set->list[1], 0));
    assert_true(member_needs_addresses(&set->list[0], 0));
    assert_true(member_lacks_addresses(&set->list[0]));
    assert_int_equal(member_set_addresses(&set->list[0], addresses, 2, 60, 1000), STATUS_OK);
    assert_string_equal(set->list[0].addresses, "etcd.example:2379:[fd00::1],10.1.2.3");
    assert_false(member_needs_addresses(&set->list[0], 60999));
    assert_false(member_lacks_addresses(&set->list[1]));
    assert_true(member_needs_addresses(&set->list[0], 61000));
    assert_int_equal(member_set_addresses(&set->list[0], addresses, 1, 0, 1000), STATUS_OK);
    assert_false(member_needs_addresses(&set->list[0], 5999));
    assert_true(member_needs_addresses(&set->list[0], 6000));
    assert_false(member_lacks_addresses(&set->list[0]));
    free_set(set);
}

static void who_fails_is_looked_up_again(void **state)
{
    (void)state;
    struct member_set *set = new_set("etcd.example:2379");
    struct resolver_address address = {.family = AF_INET};
    assert_int_equal(member_set_addresses(&set->list[0], &address, 1, 300, 1000), STATUS_OK);
    member_fail(&set->list[0], 2000, STATUS_TIMED_OUT, "no answer in time");
    assert_false(member_needs_addresses(&set->list[0], 5999));
    assert_true(member_needs_addresses(&set->list[0], 6000));
    free_set(set);
}

/* Under https what was discovered is asked by the domain's name, at the host's address. */
static void what_is_discovered_is_verified_for_the_domain(void **state)
{
    static const struct {
        const char *text, *domain, *request_url, *connect_to;
    } cases[] = {
        {"https://m1.a.test:2379", NULL, "https://m1.a.test:2379", ""},
        {"http://m1.a.test:2379", "a.test", "http://m1.a.test:2379", ""},
        {"https://m1.a.test:2379", "a.test", "https://a.test:2379", "a.test:2379:m1.a.test:2379"},
        {"https://[fd00::1]:1", "a.test", "https://a.test:1", "a.test:1:[fd00::1]:1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct member_set *set = calloc(1, sizeof(*set));
        struct endpoint endpoint;
        assert_int_equal(
            endpoint_parse(cases[i].text, strlen(cases[i].text), false, &endpoint, NULL),
            STATUS_OK);
        member_add(set, &endpoint, cases[i].domain);
        assert_string_equal(set->list[0].endpoint.url, cases[i].text);
        assert_string_equal(set->list[0].request_url, cases[i].request_url);
        assert_string_equal(set->list[0].connect_to, cases[i].connect_to);
        free_set(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_that_answered_is_asked_first),
        cmocka_unit_test(who_failed_comes_last_for_a_while),
        cmocka_unit_test(who_answers_again_is_forgiven),
        cmocka_unit_test(each_failure_doubles_the_pause),
        cmocka_unit_test(members_are_a_set),
        cmocka_unit_test(the_version_gives_the_prefix),
        cmocka_unit_test(addresses_are_kept_for_their_ttl),
        cmocka_unit_test(who_fails_is_looked_up_again),
        cmocka_unit_test(what_is_discovered_is_verified_for_the_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
