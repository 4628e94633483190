/* What an attempt has come to, and what is done then: ask the same member again, ask another, or
 * end. */
#include "registry/etcd/client.h"
#include "registry/etcd/kv.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define VERSION34 "{\"etcdserver\":\"3.4.23\"}"
#define HEADER    "\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"7\"}"
#define EMPTY     "{" HEADER "}"
#define DONE      "{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}"
#define ERROR(message, code)                                                                       \
    "{\"error\":\"" message "\",\"message\":\"" message "\",\"code\":" code "}"
#define NO_TOKEN    ERROR("etcdserver: invalid auth token", "16")
#define NO_USER     ERROR("etcdserver: user name is empty", "3")
#define DENIED      ERROR("etcdserver: permission denied", "7")
#define TOO_MANY    ERROR("etcdserver: too many operations in txn request", "3")
#define NO_LEADER   ERROR("etcdserver: no leader", "14")
#define LEADER_LOST ERROR("etcdserver: leader changed", "14")
#define UNKNOWN     "whether it was done is unknown"

/* How the first of two members answers a request, always; the second does what it is asked. */
struct row {
    const char *what;
    bool has_user, is_write;
    int status;
    const char *body;
    enum fake_end end;
    enum status outcome;
    const char *text;
    unsigned first, second; /* how often each was asked */
};

static const struct row rows[] = {
    /* etcd's answer is the answer. */
    {"a request that cannot be done", false, false, 400, TOO_MANY, FAKE_KEEP, STATUS_TOO_MANY,
     "too many operations", 1, 0},
    {"the same of a write", false, true, 400, TOO_MANY, FAKE_KEEP, STATUS_TOO_MANY,
     "too many operations", 1, 0},
    {"a denial without a user", false, false, 403, DENIED, FAKE_KEEP, STATUS_DENIED,
     "permission denied", 1, 0},
    {"a user is asked for", false, false, 400, NO_USER, FAKE_KEEP, STATUS_DENIED,
     "asks for a user and a password", 1, 0},
    /* Nothing was done: another may. */
    {"no leader", false, false, 503, NO_LEADER, FAKE_KEEP, STATUS_OK, "", 1, 1},
    {"no leader for a write", false, true, 503, NO_LEADER, FAKE_KEEP, STATUS_OK, "", 1, 1},
    {"no answer of etcd's", false, true, 421, "", FAKE_KEEP, STATUS_OK, "", 1, 1},
    /* Nobody knows whether it was. */
    {"a leader that is lost", false, false, 503, LEADER_LOST, FAKE_KEEP, STATUS_OK, "", 1, 1},
    {"a leader that is lost amid a write", false, true, 503, LEADER_LOST, FAKE_KEEP,
     STATUS_TIMED_OUT, UNKNOWN, 1, 0},
    {"a proxy's error", false, false, 502, "<html>", FAKE_KEEP, STATUS_OK, "", 1, 1},
    {"a proxy's error for a write", false, true, 502, "<html>", FAKE_KEEP, STATUS_TIMED_OUT,
     UNKNOWN, 1, 0},
    {"nonsense", false, false, 200, "{}", FAKE_KEEP, STATUS_OK, "", 1, 1},
    {"nonsense for a write", false, true, 200, "{}", FAKE_KEEP, STATUS_TIMED_OUT, UNKNOWN, 1, 0},
    /* libcurl sends once more what a kept connection did not take. */
    {"closed", false, false, 0, NULL, FAKE_CLOSE, STATUS_OK, "", 2, 1},
    {"closed amid a write", false, true, 0, NULL, FAKE_CLOSE, STATUS_TIMED_OUT, UNKNOWN, 1, 0},
    {"reset amid a write", false, true, 0, NULL, FAKE_RESET, STATUS_TIMED_OUT, UNKNOWN, 1, 0},
    {"cut off", false, false, 200, EMPTY, FAKE_CUT, STATUS_OK, "", 1, 1},
    {"cut off amid a write", false, true, 200, DONE, FAKE_CUT, STATUS_TIMED_OUT, UNKNOWN, 1, 0},
    /* etcd#13134: a member that was added again refuses tokens that the others take. */
    {"a token refused twice", true, false, 401, NO_TOKEN, FAKE_KEEP, STATUS_OK, "", 2, 1},
    {"a token refused twice to a write", true, true, 401, NO_TOKEN, FAKE_KEEP, STATUS_OK, "", 2, 1},
    /* Some releases close the connection instead of saying that the token is bad. */
    {"closed, perhaps for the token", true, false, 0, NULL, FAKE_CLOSE, STATUS_OK, "", 4, 1},
    {"closed amid a write that has a token", true, true, 0, NULL, FAKE_CLOSE, STATUS_TIMED_OUT,
     UNKNOWN, 1, 0},
    /* The path is not there: asked for the version again, once. */
    {"no such path", false, false, 404, "Not Found", FAKE_KEEP, STATUS_OK, "", 2, 1},
    {"no such path for a write", false, true, 404, "Not Found", FAKE_KEEP, STATUS_OK, "", 2, 1},
    {"it speaks TLS", false, false, 400, "Client sent an HTTP request to an HTTPS server.\n",
     FAKE_KEEP, STATUS_OK, "", 1, 1},
};

static struct client_loop client;
static struct fake_gateway gateways[2];

static struct {
    unsigned count;
    enum status status;
    char why[512];
    uint64_t took_ms;
} outcome;

static void tell(enum status status, const struct detail *why)
{
    outcome.count++;
    outcome.status = status;
    snprintf(outcome.why, sizeof(outcome.why), "%s", why->text);
}

static bool on_kv(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
    return true;
}

static void on_range(void *arg, enum status status, const struct kv_range_result *result,
                     const struct detail *why)
{
    (void)arg, (void)result;
    tell(status, why);
}

static void on_txn(void *arg, enum status status, const struct kv_txn_result *result,
                   const struct detail *why)
{
    (void)arg, (void)result;
    tell(status, why);
}

/* The paths of fakes, and where they are in their rows. */
enum { ROW_VERSION, ROW_TOKEN, ROW_RANGE, ROW_TXN, ROW_COUNT };

static void fill(struct fake_row out[ROW_COUNT], const struct fake_row *answer)
{
    const struct fake_row good[ROW_COUNT] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/auth/authenticate", 200, "{\"token\":\"t\"}", FAKE_KEEP, 0},
        {"/v3/kv/range", 200, "{" HEADER ",\"kvs\":[],\"count\":\"0\"}", FAKE_KEEP, 0},
        {"/v3/kv/txn", 200, DONE, FAKE_KEEP, 0},
    };
    memcpy(out, good, sizeof(good));
    for (size_t i = ROW_RANGE; answer && i < ROW_COUNT; i++) {
        const char *path = out[i].path;
        out[i] = *answer;
        out[i].path = path;
    }
}

static void open_members(const struct fake_row *first, const struct fake_row *second, bool has_user)
{
    char list[80];
    struct etcd_options options = {.timeout_ms = 9000};
    if (has_user) {
        options.user = "bob";
        options.password = "pw";
    }
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateways[0], &client.loop, first, ROW_COUNT));
    assert_true(fake_gateway_start(&gateways[1], &client.loop, second, second ? ROW_COUNT : 0));
    snprintf(list, sizeof(list), second ? "%s,%s" : "%s", gateways[0].endpoint,
             gateways[1].endpoint);
    assert_int_equal(client_loop_connect(&client, list, options), STATUS_OK);
    struct member_set *members = &client.etcd->members;
    for (size_t i = 0; i < members->count; i++)
        if (strstr(members->list[i].endpoint.url, gateways[0].endpoint))
            members->current = i;
}

static void close_members(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateways[0]);
    fake_gateway_stop(&gateways[1]);
    assert_int_equal(client_loop_close(&client), 0);
}

static void ask(bool is_write)
{
    static const struct kv_op put = {
        .kind = KV_PUT, .key = "k", .key_len = 1, .value = "v", .value_len = 1};
    struct kv_range range = {.key = "k", .key_len = 1};
    struct kv_txn txn = {.success = &put, .success_count = 1};
    uint64_t began_ns = uv_hrtime();
    outcome.count = 0;
    if (is_write)
        kv_txn(client.etcd, &txn, on_txn, NULL);
    else
        kv_range(client.etcd, &range, on_kv, on_range, NULL);
    CLIENT_LOOP_UNTIL(&client, outcome.count, 20000);
    assert_int_equal(outcome.count, 1);
    outcome.took_ms = (uv_hrtime() - began_ns) / 1000000;
}

static void an_attempt_leads_to_another_or_to_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct fake_row first[ROW_COUNT], second[ROW_COUNT];
        struct fake_row answer = {NULL, row->status, row->body, row->end, 0};
        size_t at = row->is_write ? ROW_TXN : ROW_RANGE;
        fill(first, &answer);
        fill(second, NULL);
        open_members(first, second, row->has_user);
        ask(row->is_write);
        if (outcome.status != row->outcome || !strstr(outcome.why, row->text) ||
            gateways[0].used[at] != row->first || gateways[1].used[at] != row->second)
            fail_msg("%s: status %d, \"%s\", asked %u and %u times", row->what, outcome.status,
                     outcome.why, gateways[0].used[at], gateways[1].used[at]);
        close_members();
    }
}

/* With one member alone: how often it is asked, and what is said in the end. */
static const struct row single[] = {
    {"tokens come to an end", true, false, 401, NO_TOKEN, FAKE_KEEP, STATUS_DENIED,
     "invalid auth token", 4, 0},
    {"nonsense does, too", false, false, 200, "{}", FAKE_KEEP, STATUS_BAD_REPLY,
     "the reply makes no sense", 4, 0},
    {"a gateway that is off", false, false, 404, "Not Found", FAKE_KEEP, STATUS_NO_GATEWAY,
     "gateway is off", 2, 0},
    {"it speaks TLS", false, false, 400, "Client sent an HTTP request to an HTTPS server.\n",
     FAKE_KEEP, STATUS_NOT_PLAIN, "the server speaks TLS", 1, 0},
    {"it speaks TLS, as others say it", false, false, 400,
     "The plain HTTP request was sent to HTTPS port", FAKE_KEEP, STATUS_NOT_PLAIN,
     "the server speaks TLS", 1, 0},
    {"those words with another status", false, false, 421,
     "Client sent an HTTP request to an HTTPS server.\n", FAKE_KEEP, STATUS_BAD_REPLY,
     "HTTP status 421", 1, 0},
};

static void a_single_member_is_not_asked_for_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        const struct row *row = &single[i];
        struct fake_row first[ROW_COUNT];
        struct fake_row answer = {NULL, row->status, row->body, row->end, 0};
        fill(first, &answer);
        open_members(first, NULL, row->has_user);
        ask(false);
        if (outcome.status != row->outcome || !strstr(outcome.why, row->text) ||
            gateways[0].used[ROW_RANGE] != row->first || outcome.took_ms > 8000)
            fail_msg("%s: status %d, \"%s\", asked %u times in %u ms", row->what, outcome.status,
                     outcome.why, gateways[0].used[ROW_RANGE], (unsigned)outcome.took_ms);
        close_members();
    }
}

/* Who has a user asks for a token first, so that it is the first to meet a path that is not there. */
static void the_path_of_a_token_is_looked_for_as_that_of_a_request(void **state)
{
    static const struct {
        const char *version; /* NULL: a proxy hides it */
        const char *prefix;  /* of what is there */
        enum status status;
        const char *why;
        unsigned tokens;
    } cases[] = {
        {NULL, "/v3beta", STATUS_OK, "", 1},
        {NULL, "/v3alpha", STATUS_BAD_REPLY, "404", 0},
        {VERSION34, "/v3beta", STATUS_NO_GATEWAY, "gateway is off", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_row first[ROW_COUNT];
        char token[32], range[32];
        fill(first, NULL);
        snprintf(token, sizeof(token), "%s/auth/authenticate", cases[i].prefix);
        snprintf(range, sizeof(range), "%s/kv/range", cases[i].prefix);
        first[ROW_VERSION].path = cases[i].version ? "/version" : "/hidden";
        first[ROW_TOKEN].path = token;
        first[ROW_RANGE].path = range;
        open_members(first, NULL, true);
        ask(false);
        if (outcome.status != cases[i].status || !strstr(outcome.why, cases[i].why) ||
            gateways[0].used[ROW_TOKEN] != cases[i].tokens || outcome.took_ms > 8000)
            fail_msg("%s: status %d, \"%s\", in %u ms", cases[i].prefix, outcome.status,
                     outcome.why, (unsigned)outcome.took_ms);
        close_members();
    }
}

/* What closes the connection before it has said which etcd it is may be one that wants TLS. */
static void a_stranger_that_closes_may_want_tls(void **state)
{
    (void)state;
    struct fake_row first[ROW_COUNT];
    fill(first, NULL);
    first[ROW_VERSION].end = FAKE_CLOSE;
    open_members(first, NULL, false);
    ask(false);
    assert_int_equal(outcome.status, STATUS_NOT_PLAIN);
    close_members();

    /* One that was known is just gone. */
    struct fake_row answer = {NULL, 0, NULL, FAKE_CLOSE, 0};
    fill(first, &answer);
    open_members(first, NULL, false);
    ask(false);
    assert_int_equal(outcome.status, STATUS_UNREACHABLE);
    close_members();
}

/* What comes back at its address may be of another version. */
static void a_member_that_was_away_is_asked_for_its_version(void **state)
{
    (void)state;
    struct fake_row first[ROW_COUNT];
    fill(first, NULL);
    open_members(first, NULL, false);
    ask(false);
    assert_int_equal(outcome.status, STATUS_OK);
    struct member *member = &client.etcd->members.list[0];
    assert_string_equal(member->prefix, "/v3");
    ask(false);
    assert_int_equal(gateways[0].used[ROW_VERSION], 1);
    fake_gateway_stop(&gateways[0]);
    client_loop_run_for(&client, 50);
    ask(false);
    assert_int_equal(outcome.status, STATUS_UNREACHABLE);
    assert_null(member->prefix);
    client_loop_close_client(&client);
    fake_gateway_stop(&gateways[1]);
    assert_int_equal(client_loop_close(&client), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_leads_to_another_or_to_the_end),
        cmocka_unit_test(a_single_member_is_not_asked_for_ever),
        cmocka_unit_test(the_path_of_a_token_is_looked_for_as_that_of_a_request),
        cmocka_unit_test(a_stranger_that_closes_may_want_tls),
        cmocka_unit_test(a_member_that_was_away_is_asked_for_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
