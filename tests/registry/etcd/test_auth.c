/* When a token is fetched, doubted and forgotten. */
#include "registry/etcd/client.h"

#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

enum { KIND, OTHER_KIND };

static char user[] = "bob";
static struct client_auth auth;

static void have(const char *token)
{
    free(auth.token);
    auth.token = token ? strdup(token) : NULL;
}

static int begin(void **state)
{
    (void)state;
    memset(&auth, 0, sizeof(auth));
    auth.user = user;
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(auth.token);
    free(auth.password);
    return 0;
}

static void a_token_is_needed_by_who_has_a_user(void **state)
{
    (void)state;
    assert_true(auth_is_needed(&auth));
    have("t");
    assert_false(auth_is_needed(&auth));
    have(NULL);
    auth_switch_off(&auth);
    assert_false(auth_is_needed(&auth));
    auth_forget(&auth, NULL); /* it is on again: etcd wants a token from who has none */
    assert_true(auth_is_needed(&auth));
    auth.user = NULL;
    assert_false(auth_is_needed(&auth));
}

/* A request may come back with an old token when there is a newer one already. */
static void only_the_token_that_was_refused_is_forgotten(void **state)
{
    (void)state;
    have("new");
    auth_forget(&auth, "old");
    assert_string_equal(auth.token, "new");
    auth_forget(&auth, NULL);
    assert_string_equal(auth.token, "new");
    auth_forget(&auth, "new");
    assert_null(auth.token);
    auth_forget(&auth, "new");
    assert_null(auth.token);
}

static void a_denial_is_doubted_at_growing_intervals(void **state)
{
    uint64_t now_ms = 1000000, pause_ms = 5000;
    (void)state;
    for (int i = 0; i < 12; i++) {
        have("t");
        assert_true(auth_doubt(&auth, KIND, "t", now_ms));
        assert_null(auth.token);
        have("t");
        assert_false(auth_doubt(&auth, KIND, "t", now_ms + pause_ms - 1));
        assert_non_null(auth.token);
        now_ms += pause_ms;
        pause_ms = pause_ms * 2 < 300000 ? pause_ms * 2 : 300000;
    }
    /* Of each kind of request for itself. */
    assert_true(auth_doubt(&auth, OTHER_KIND, "t", now_ms - 1));
    /* What was allowed meanwhile begins anew. */
    have("t");
    auth_trust(&auth, KIND);
    assert_true(auth_doubt(&auth, KIND, "t", now_ms));
    have("t");
    assert_false(auth_doubt(&auth, KIND, "t", now_ms + 4999));
    assert_true(auth_doubt(&auth, KIND, "t", now_ms + 5000));
}

static void a_denial_is_believed_where_a_token_cannot_be_the_reason(void **state)
{
    (void)state;
    have("t");
    auth.fetched_ms = 1000;
    assert_false(auth_doubt(&auth, KIND, "t", 2999)); /* it has just been fetched */
    assert_true(auth_doubt(&auth, KIND, "t", 3000));
    have("t");
    assert_true(auth_doubt(&auth, KIND, "old", 3001)); /* there is a newer one: try that */
    assert_string_equal(auth.token, "t");
    assert_true(auth_doubt(&auth, KIND, NULL, 3001)); /* also for who had none */
    have(NULL);
    assert_true(auth_doubt(&auth, OTHER_KIND, NULL, 3001)); /* none was sent: fetch one */
    auth.user = NULL;
    assert_false(auth_doubt(&auth, KIND, NULL, 100000));
}

static void another_password_begins_anew(void **state)
{
    (void)state;
    have("t");
    auth.refusals = 3;
    auth.refused_until_ms = 5000;
    assert_true(auth_is_refused(&auth, 4999));
    assert_false(auth_is_refused(&auth, 5000));
    assert_int_equal(auth_set_password(&auth, "other"), STATUS_OK);
    assert_null(auth.token);
    assert_string_equal(auth.password, "other");
    assert_int_equal(auth.refusals, 0);
    assert_false(auth_is_refused(&auth, 0));
}

/* ---- On the wire. */

static struct client_loop client;
static struct fake_gateway gateway;
static unsigned woken;

static void on_wake(struct etcd *etcd)
{
    (void)etcd;
    woken++;
}

static void fetch(const struct fake_row *row)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, row, 1));
    assert_int_equal(
        client_loop_connect(&client, gateway.endpoint,
                            (struct etcd_options){.user = "b\"ob", .password = "p\\w"}),
        STATUS_OK);
    struct member *member = &client.etcd->members.list[0];
    member->prefix = "/v3";
    client.etcd->wake = on_wake;
    woken = 0;
    assert_int_equal(auth_fetch(client.etcd, member), STATUS_OK);
    assert_int_equal(auth_fetch(client.etcd, member), STATUS_OK); /* one is under way */
    assert_true(CLIENT_LOOP_UNTIL(&client, woken, 5000));
    assert_int_equal(gateway.asked, 1);
}

static void close_client(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

#define AUTH_ROW(status, body, end)                                                                \
    {                                                                                              \
        "/v3/auth/authenticate", status, body, end, 0                                              \
    }
#define REFUSAL "{\"message\":\"etcdserver: authentication failed\",\"code\":3}"

/* What etcd says, and what is made of it. */
static const struct {
    struct fake_row row;
    const char *token; /* NULL = none */
    bool is_off, is_refused;
    enum gateway_reply_class class;
} answers[] = {
    {AUTH_ROW(200, "{\"header\":{},\"token\":\"abc.def\"}", FAKE_KEEP), "abc.def", false, false,
     GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(200, "{\"token\":\"~!\"}", FAKE_KEEP), "~!", false, false, GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(200, "{\"token\":\"\"}", FAKE_KEEP), NULL, false, false, GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(200, "{\"token\":7}", FAKE_KEEP), NULL, false, false, GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(200, "{}", FAKE_KEEP), NULL, false, false, GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(200, "", FAKE_KEEP), NULL, false, false, GATEWAY_REPLY_UNDONE},
    /* It goes into a header line. */
    {AUTH_ROW(200, "{\"token\":\"a b\"}", FAKE_KEEP), NULL, false, false, GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(200, "{\"token\":\"a\\r\\nX: y\"}", FAKE_KEEP), NULL, false, false,
     GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(200, "{\"token\":\"a\\u007f\"}", FAKE_KEEP), NULL, false, false,
     GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(400, REFUSAL, FAKE_KEEP), NULL, false, true, GATEWAY_REPLY_FINAL},
    {AUTH_ROW(412, "{\"message\":\"etcdserver: authentication is not enabled\"}", FAKE_KEEP), NULL,
     true, false, GATEWAY_REPLY_NO_AUTH},
    {AUTH_ROW(503, "{\"message\":\"etcdserver: no leader\",\"code\":14}", FAKE_KEEP), NULL, false,
     false, GATEWAY_REPLY_UNDONE},
    {AUTH_ROW(0, NULL, FAKE_CLOSE), NULL, false, false, GATEWAY_REPLY_UNDONE},
};

static bool is_same_token(const char *got, const char *wanted)
{
    return got && wanted ? strcmp(got, wanted) == 0 : got == wanted;
}

/* Whether the client believes what this answer says. */
static bool is_taken(const struct client_auth *got, size_t i)
{
    bool is_good = answers[i].token || answers[i].is_off;
    bool is_refused = auth_is_refused(got, uv_now(&client.loop));
    return is_same_token(got->token, answers[i].token) && got->is_off == answers[i].is_off &&
           got->failures == !is_good && is_refused == answers[i].is_refused &&
           (is_good || got->error.class == answers[i].class) && !got->request;
}

static void what_etcd_says_is_taken_for_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        fetch(&answers[i].row);
        const struct client_auth *got = &client.etcd->auth;
        if (!is_taken(got, i))
            fail_msg("%s: token %s, %u failures, class %d", answers[i].row.body,
                     got->token ? got->token : "none", got->failures, got->error.class);
        assert_string_equal(gateway.last_body, "{\"name\":\"b\\\"ob\",\"password\":\"p\\\\w\"}");
        close_client();
    }
}

/* 1 s at first, doubled up to 10 s; until one is taken. */
static void a_refused_password_rests_longer_each_time(void **state)
{
    static const struct fake_row rows[] = {AUTH_ROW(400, REFUSAL, FAKE_KEEP)};
    (void)state;
    fetch(rows);
    struct etcd *etcd = client.etcd;
    uint64_t pause_ms = 1000;
    for (unsigned i = 0; i < 6; i++) {
        assert_in_range(etcd->auth.refused_until_ms - uv_now(&client.loop), pause_ms / 2, pause_ms);
        pause_ms = pause_ms * 2 < 10000 ? pause_ms * 2 : 10000;
        unsigned before = woken;
        assert_int_equal(auth_fetch(etcd, &etcd->members.list[0]), STATUS_OK);
        assert_true(CLIENT_LOOP_UNTIL(&client, woken > before, 5000));
        assert_int_equal(etcd->auth.failures, i + 2);
    }
    close_client();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_needed_by_who_has_a_user),
        TEST(only_the_token_that_was_refused_is_forgotten),
        TEST(a_denial_is_doubted_at_growing_intervals),
        TEST(a_denial_is_believed_where_a_token_cannot_be_the_reason),
        TEST(another_password_begins_anew),
        cmocka_unit_test(what_etcd_says_is_taken_for_what_it_is),
        cmocka_unit_test(a_refused_password_rests_longer_each_time),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
