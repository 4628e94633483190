#include "registry/etcd/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME_LEN 250

/* Names as long as they may be, in the reason as well. */
static void long_names_push_no_reason_out(void **state)
{
    (void)state;
    static const char end[] = ": no such host or record";
    struct member_set *set = calloc(1, sizeof(*set));
    assert_non_null(set);
    for (size_t i = 0; i < ENDPOINT_LIST_MAX; i++) {
        char name[NAME_LEN + 1], reason[NAME_LEN + sizeof(end)];
        struct endpoint endpoint = {.port = 2379, .is_literal = true};
        memset(name, 'a' + (int)i % 26, NAME_LEN);
        name[NAME_LEN] = '\0';
        snprintf(endpoint.host, sizeof(endpoint.host), "%s", name);
        snprintf(endpoint.url, sizeof(endpoint.url), "http://%zu%s:2379", i, name);
        member_add(set, &endpoint, NULL);
        snprintf(reason, sizeof(reason), "%s%s", name, end);
        member_fail(&set->list[i], 1000, STATUS_UNREACHABLE, reason);

        struct detail why = {""};
        member_explain(set, UINT32_MAX, &why);
        size_t len = strlen(why.text);
        assert_true(len > strlen(end) && strcmp(why.text + len - strlen(end), end) == 0);
        assert_memory_equal(why.text, "http://0aaaa", 12);
    }
    member_clear(set);
    free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_names_push_no_reason_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
