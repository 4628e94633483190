/* How long an attempt may take, and what a failure leaves behind. */
#include "rpc.h"
#include "rpc_state.h"

#include "support/client_loop.h"

#include <stdlib.h>

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

static struct client_loop client;
static struct rpc *rpc;

static struct {
    unsigned done;
    enum status status;
    char why[sizeof(((struct detail *)0)->text)];
} ended;

static void on_done(void *arg, enum status status, const struct detail *why)
{
    (void)arg;
    ended.done++;
    ended.status = status;
    snprintf(ended.why, sizeof(ended.why), "%s", why->text);
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    (void)state;
    memset(&ended, 0, sizeof(ended));
    client_loop_open(&client);
    if (client_loop_connect(&client, "127.0.0.1:1,127.0.0.2:1",
                            (struct etcd_options){.timeout_ms = 5000}) != STATUS_OK)
        return -1;
    rpc = calloc(1, sizeof(*rpc));
    assert_non_null(rpc);
    rpc->etcd = client.etcd;
    rpc->request.done = on_done;
    rpc->on_timer = on_timer;
    rpc->member = &client.etcd->members.list[0];
    rpc->status = STATUS_TIMED_OUT;
    LIST_INSERT_HEAD(&client.etcd->rpcs, rpc, node);
    buffer_init(&rpc->body, 100);
    buffer_init(&rpc->reply, 100);
    uv_timer_init(&client.loop, &rpc->timer);
    rpc->timer.data = rpc;
    rpc_state_extend(rpc);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (rpc)
        rpc_state_end(rpc);
    rpc = NULL;
    return client_loop_close(&client);
}

static void the_deadline_is_the_client_s_or_the_request_s(void **state)
{
    (void)state;
    assert_int_equal(rpc_state_left_ms(rpc), 5000);
    rpc->request.timeout_ms = 700;
    rpc_state_extend(rpc);
    assert_int_equal(rpc_state_left_ms(rpc), 700);
    rpc->deadline_ms = uv_now(&client.loop);
    assert_int_equal(rpc_state_left_ms(rpc), 0);
    rpc->deadline_ms = 0;
    assert_int_equal(rpc_state_left_ms(rpc), 0);
}

static void an_attempt_has_a_part_of_it(void **state)
{
    static const struct {
        bool is_idempotent;
        uint32_t attempt_ms, left_ms, due_ms;
    } rows[] = {
        {true, 0, 5000, 2000},          {true, 0, 1500, 1500},  {true, 300, 5000, 300},
        {true, UINT32_MAX, 5000, 5000}, {true, 300, 100, 100},  {true, 0, 0, 0},
        {false, 0, 5000, 5000}, /* nobody may send it again */
        {false, 300, 5000, 300},        {false, 0, 1500, 1500},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rpc->request.is_idempotent = rows[i].is_idempotent;
        rpc->request.attempt_ms = rows[i].attempt_ms;
        rpc->deadline_ms = uv_now(&client.loop) + rows[i].left_ms;
        if (rpc_state_attempt_ms(rpc) != rows[i].due_ms)
            fail_msg("row %zu: %u", i, (unsigned)rpc_state_attempt_ms(rpc));
    }
}

static void a_phase_lasts_no_longer_than_the_rpc(void **state)
{
    (void)state;
    rpc_state_set_phase(rpc, RPC_PHASE_WAITING, 300);
    assert_int_equal(rpc->phase, RPC_PHASE_WAITING);
    assert_int_equal(uv_timer_get_due_in(&rpc->timer), 300);
    rpc_state_set_phase(rpc, RPC_PHASE_SENT, UINT32_MAX);
    assert_int_equal(rpc->phase, RPC_PHASE_SENT);
    assert_int_equal(uv_timer_get_due_in(&rpc->timer), 5000);
}

/* What is wrong with TLS will not pass by itself: it is what is said in the end. */
static void a_failure_about_tls_outlasts_others(void **state)
{
    static const struct {
        enum status status, said;
        bool is_retryable, was_retryable;
    } rows[] = {
        {STATUS_UNREACHABLE, STATUS_UNREACHABLE, false, false},
        {STATUS_BAD_REPLY, STATUS_BAD_REPLY, true, true},
        {STATUS_UNTRUSTED, STATUS_UNTRUSTED, false, true},
        {STATUS_UNREACHABLE, STATUS_UNTRUSTED, false, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct member *member = &client.etcd->members.list[1];
        rpc->member = member;
        rpc_state_fail(rpc, rows[i].status, "the reason", rows[i].is_retryable);
        assert_null(rpc->member);
        assert_int_equal(rpc->status, rows[i].said);
        assert_int_equal(rpc->is_retryable, rows[i].was_retryable);
        assert_int_equal(rpc->phase, RPC_PHASE_PAUSE);
        assert_int_equal(uv_timer_get_due_in(&rpc->timer), 0);
        assert_string_equal(member->reason, "the reason");
        assert_int_equal(member->failures, i + 1);
    }
    assert_int_equal(ended.done, 0);
}

static void a_reply_is_told_with_success_alone(void **state)
{
    static const enum status statuses[] = {STATUS_OK, STATUS_DENIED};
    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (i > 0)
            assert_int_equal(setup(NULL), 0);
        buffer_add_text(&rpc->reply, "{}");
        detail_set(&rpc->why, STATUS_OK, "why");
        rpc_state_finish(rpc, statuses[i]);
        rpc = NULL;
        assert_int_equal(ended.done, 1);
        assert_int_equal(ended.status, statuses[i]);
        assert_string_equal(ended.why, "why");
        assert_true(LIST_EMPTY(&client.etcd->rpcs));
        if (i == 0)
            assert_int_equal(teardown(NULL), 0);
    }
}

static void what_may_have_been_done_is_said_to_be_unknown(void **state)
{
    (void)state;
    struct detail due;
    detail_set(&due, STATUS_OK, "%s: closed; whether it was done is unknown",
               rpc->member->endpoint.url);
    rpc_state_fail_unknown(rpc, "closed");
    rpc = NULL;
    assert_int_equal(ended.done, 1);
    assert_int_equal(ended.status, STATUS_TIMED_OUT);
    assert_string_equal(ended.why, due.text);
}

/* A line of a stream has said why it ends. */
static void a_token_is_dropped_only_where_it_may_be_the_reason(void **state)
{
    static const struct {
        enum gateway_reply_class class;
        bool is_dropped;
    } rows[] = {{GATEWAY_REPLY_TOKEN, true},
                {GATEWAY_REPLY_PERMISSION, true}, /* fetched long ago */
                {GATEWAY_REPLY_UNDONE, false}};
    struct client_auth *auth = &client.etcd->auth;
    (void)state;
    auth->user = strdup("bob");
    rpc->token = strdup("t");
    while (uv_now(&client.loop) < 5000) /* of a machine that has just been started */
        client_loop_run_for(&client, 100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        free(auth->token);
        auth->token = strdup("t");
        rpc_refuse(rpc, &(struct gateway_reply_error){.class = rows[i].class});
        assert_int_equal(!auth->token, rows[i].is_dropped);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_deadline_is_the_client_s_or_the_request_s),
        TEST(an_attempt_has_a_part_of_it),
        TEST(a_phase_lasts_no_longer_than_the_rpc),
        TEST(a_failure_about_tls_outlasts_others),
        TEST(a_reply_is_told_with_success_alone),
        TEST(what_may_have_been_done_is_said_to_be_unknown),
        TEST(a_token_is_dropped_only_where_it_may_be_the_reason),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
