/* The client as a whole: which member is asked, how long, with which prefix and token. */
#include "registry/etcd/client.h"
#include "registry/etcd/kv.h"
#include "registry/etcd/lease.h"
#include "registry/etcd/rpc_request.h"
#include "support/client_loop.h"
#include "support/etcd_server.h"
#include "support/fake_dns.h"
#include "support/fake_gateway.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define VERSION34 "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}"
#define VERSION33 "{\"etcdserver\":\"3.3.25\",\"etcdcluster\":\"3.3.0\"}"
#define EMPTY     "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"7\"}}"
#define NO_LEADER                                                                                  \
    "{\"error\":\"etcdserver: no leader\",\"message\":\"etcdserver: no leader\",\"code\":14}"
#define NO_TOKEN                                                                                   \
    "{\"error\":\"etcdserver: invalid auth token\",\"message\":\"etcdserver: invalid auth "        \
    "token\",\"code\":16}"

static struct client_loop client;

/* Of the member that answered last; 0: unknown. */
static unsigned answered_version(void)
{
    const struct member_set *members = &client.etcd->members;
    return members->list[members->current].version;
}
static struct fake_gateway gateways[2];
static struct etcd_server server;

struct outcome {
    unsigned done;
    enum status status;
    uint64_t given;
    struct detail why;
    uint64_t took_ms;
};

static bool on_kv(void *arg, const struct kv *kv)
{
    struct outcome *outcome = arg;
    (void)kv;
    outcome->given++;
    return true;
}

static void on_range(void *arg, enum status status, const struct kv_range_result *result,
                     const struct detail *why)
{
    struct outcome *outcome = arg;
    (void)result;
    outcome->done++;
    outcome->status = status;
    outcome->why = *why;
}

static struct outcome read_key(const char *key)
{
    struct outcome outcome = {0};
    struct kv_range range = {.key = key, .key_len = strlen(key)};
    uint64_t began_ns = uv_hrtime();
    kv_range(client.etcd, &range, on_kv, on_range, &outcome);
    CLIENT_LOOP_UNTIL(&client, outcome.done, 20000);
    assert_int_equal(outcome.done, 1);
    outcome.took_ms = (uv_hrtime() - began_ns) / 1000000;
    return outcome;
}

static void open_fakes(const struct fake_row *first, size_t first_count,
                       const struct fake_row *second, size_t second_count)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateways[0], &client.loop, first, first_count));
    assert_true(fake_gateway_start(&gateways[1], &client.loop, second, second_count));
}

/* Connect to the first, or to both with the first being asked first. */
static void connect_fakes(size_t count, struct etcd_options options)
{
    char list[80];
    snprintf(list, sizeof(list), count == 2 ? "%s,%s" : "%s", gateways[0].endpoint,
             gateways[1].endpoint);
    assert_int_equal(client_loop_connect(&client, list, options), STATUS_OK);
    struct member_set *members = &client.etcd->members;
    for (size_t i = 0; i < members->count; i++)
        if (strstr(members->list[i].endpoint.url, gateways[0].endpoint))
            members->current = i;
}

static void close_fakes(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateways[0]);
    fake_gateway_stop(&gateways[1]);
    assert_int_equal(client_loop_close(&client), 0);
}

static const struct fake_row good[] = {
    {"/version", 200, VERSION34, FAKE_KEEP, 0},
    {"/v3/kv/range", 200, EMPTY, FAKE_KEEP, 0},
};

/* How the first member fails; the second is good. */
static const struct {
    int version_status;
    const char *version;
    enum fake_end version_end;
    int status;
    const char *body;
    enum fake_end end;
} failures[] = {
    {200, VERSION34, FAKE_KEEP, 503, NO_LEADER, FAKE_KEEP},
    {200, VERSION34, FAKE_KEEP, 200, "{\"head", FAKE_CUT},
    {200, VERSION34, FAKE_KEEP, 200, "garbage", FAKE_KEEP},
    {200, VERSION34, FAKE_KEEP, 421, "", FAKE_KEEP},
    {200, VERSION34, FAKE_KEEP, 0, NULL, FAKE_CLOSE},
    {200, VERSION34, FAKE_KEEP, 0, NULL, FAKE_MUTE},
    {0, NULL, FAKE_CLOSE, 0, NULL, FAKE_CLOSE},
    {0, NULL, FAKE_MUTE, 0, NULL, FAKE_CLOSE},
    {404, "Not Found", FAKE_KEEP, 404, "Not Found", FAKE_KEEP},
    {200, "<html>", FAKE_KEEP, 404, "Not Found", FAKE_KEEP},
};

static void when_a_member_fails_the_next_is_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        const struct fake_row bad[] = {
            {"/version", failures[i].version_status, failures[i].version, failures[i].version_end,
             0},
            {"/v3/kv/range", failures[i].status, failures[i].body, failures[i].end, 0},
        };
        open_fakes(bad, 2, good, 2);
        connect_fakes(2, (struct etcd_options){0});
        struct outcome outcome = read_key("k");
        assert_int_equal(outcome.status, STATUS_OK);
        assert_true(gateways[0].asked >= 1 && gateways[1].asked == 2);
        assert_non_null(strstr(etcd_last_endpoint(client.etcd), gateways[1].endpoint));
        /* It is asked first from now on, without asking for its version. */
        unsigned asked = gateways[0].asked;
        assert_int_equal(read_key("k").status, STATUS_OK);
        assert_true(gateways[0].asked == asked && gateways[1].asked == 3);
        close_fakes();
    }
}

static void when_nobody_answers_each_endpoint_is_named(void **state)
{
    (void)state;
    client_loop_open(&client);
    assert_int_equal(
        client_loop_connect(&client, "127.0.0.1:1,localhost:2,[::1]:3", (struct etcd_options){0}),
        STATUS_OK);
    struct outcome outcome = read_key("k");
    assert_int_equal(outcome.status, STATUS_UNREACHABLE);
    assert_non_null(strstr(outcome.why.text, "http://127.0.0.1:1: connection refused"));
    assert_non_null(strstr(outcome.why.text, "http://localhost:2: connection refused"));
    assert_non_null(strstr(outcome.why.text, "http://[::1]:3: "));
    assert_true(outcome.took_ms < 1000);
    assert_string_equal(etcd_last_endpoint(client.etcd), "");
    assert_int_equal(answered_version(), 0);
    assert_int_equal(client_loop_close(&client), 0);
}

static void the_deadline_bounds_all_attempts(void **state)
{
    (void)state;
    static const struct fake_row mute[] = {{"/version", 200, VERSION34, FAKE_KEEP, 0},
                                           {"/v3/kv/range", 0, NULL, FAKE_MUTE, 0}};
    static const struct fake_row leaderless[] = {{"/version", 200, VERSION34, FAKE_KEEP, 0},
                                                 {"/v3/kv/range", 503, NO_LEADER, FAKE_KEEP, 0}};
    open_fakes(mute, 2, leaderless, 2);
    connect_fakes(2, (struct etcd_options){.timeout_ms = 2500});
    struct outcome outcome = read_key("k");
    assert_true(outcome.status == STATUS_TIMED_OUT || outcome.status == STATUS_UNREACHABLE);
    assert_in_range(outcome.took_ms, 2000, 3000);
    assert_non_null(strstr(outcome.why.text, "no answer in time"));
    assert_non_null(strstr(outcome.why.text, "etcdserver: no leader"));
    assert_non_null(strstr(gateways[1].last_head, "Grpc-Timeout: "));
    close_fakes();
}

static void a_leader_that_is_elected_in_time_is_enough(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {{"/version", 200, VERSION34, FAKE_KEEP, 0},
                                           {"/v3/kv/range", 503, NO_LEADER, FAKE_KEEP, 4},
                                           {"/v3/kv/range", 200, EMPTY, FAKE_KEEP, 0}};
    open_fakes(rows, 3, NULL, 0);
    connect_fakes(1, (struct etcd_options){0});
    struct outcome outcome = read_key("k");
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(gateways[0].asked, 6);
    close_fakes();
}

/* The version that GET /version tells, and the prefix that is then asked. */
static void the_prefix_follows_the_version(void **state)
{
    (void)state;
    static const struct fake_row old[] = {{"/version", 200, VERSION33, FAKE_KEEP, 0},
                                          {"/v3beta/kv/range", 200, EMPTY, FAKE_KEEP, 0}};
    /* Upgraded between two requests. */
    static const struct fake_row upgraded[] = {{"/version", 200, VERSION33, FAKE_KEEP, 1},
                                               {"/version", 200, VERSION34, FAKE_KEEP, 0},
                                               {"/v3/kv/range", 200, EMPTY, FAKE_KEEP, 0}};
    /* A proxy hides /version of a 3.3. */
    static const struct fake_row hidden[] = {{"/version", 403, "no", FAKE_KEEP, 0},
                                             {"/v3beta/kv/range", 200, EMPTY, FAKE_KEEP, 0}};
    static const struct {
        const struct fake_row *rows;
        size_t count;
        unsigned version;
    } cases[] = {{old, 2, 303}, {upgraded, 3, 304}, {hidden, 2, 0}, {good, 2, 304}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_fakes(cases[i].rows, cases[i].count, NULL, 0);
        connect_fakes(1, (struct etcd_options){0});
        assert_int_equal(read_key("k").status, STATUS_OK);
        assert_int_equal(answered_version(), cases[i].version);
        close_fakes();
    }
}

/* What is said of a path that is not there: /version tells a gateway that is off from no etcd. */
static void a_gateway_that_is_off_is_told_from_no_etcd(void **state)
{
    (void)state;
    static const struct fake_row off[] = {{"/version", 200, VERSION34, FAKE_KEEP, 0}};
    static const struct fake_row none[] = {{"/version", 404, "Not Found", FAKE_KEEP, 0}};
    static const struct {
        const struct fake_row *rows;
        const char *said, *unsaid;
    } cases[] = {{off, "its JSON gateway is off", "404"}, {none, "404", "gateway"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_fakes(cases[i].rows, 1, NULL, 0);
        connect_fakes(1, (struct etcd_options){.timeout_ms = 1000});
        struct outcome outcome = read_key("k");
        const char *what = strstr(outcome.why.text, gateways[0].endpoint);
        assert_non_null(what);
        what += strlen(gateways[0].endpoint); /* a port may be 40404 */
        assert_non_null(strstr(what, cases[i].said));
        assert_null(strstr(what, cases[i].unsaid));
        close_fakes();
    }
}

static void one_connection_carries_all_that_comes_in_turn(void **state)
{
    (void)state;
    open_fakes(good, 2, NULL, 0);
    connect_fakes(1, (struct etcd_options){0});
    for (int i = 0; i < 5; i++)
        assert_int_equal(read_key("k").status, STATUS_OK);
    assert_int_equal(gateways[0].asked, 6);
    assert_int_equal(gateways[0].connection_count, 1);
    close_fakes();
}

static void closing_ends_the_loop_at_once(void **state)
{
    (void)state;
    open_fakes(good, 2, NULL, 0);
    connect_fakes(1, (struct etcd_options){0});
    assert_int_equal(read_key("k").status, STATUS_OK);
    uint64_t began_ns = uv_hrtime();
    close_fakes();
    assert_true(uv_hrtime() - began_ns < 200000000);
}

static void a_token_is_fetched_once_and_again_when_it_is_refused(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/auth/authenticate", 200, "{\"header\":{},\"token\":\"first\"}", FAKE_KEEP, 1},
        {"/v3/auth/authenticate", 200, "{\"header\":{},\"token\":\"second\"}", FAKE_KEEP, 1},
        {"/v3/kv/range", 200, EMPTY, FAKE_KEEP, 3},
        {"/v3/kv/range", 401, NO_TOKEN, FAKE_KEEP, 1},
        {"/v3/kv/range", 200, EMPTY, FAKE_KEEP, 0},
    };
    open_fakes(rows, 6, NULL, 0);
    connect_fakes(1, (struct etcd_options){.user = "b\"ob", .password = "p\\w"});
    struct outcome outcomes[3] = {{0}};
    struct kv_range range = {.key = "k", .key_len = 1};
    for (size_t i = 0; i < 3; i++)
        kv_range(client.etcd, &range, on_kv, on_range, &outcomes[i]);
    CLIENT_LOOP_UNTIL(&client, outcomes[0].done && outcomes[1].done && outcomes[2].done, 5000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(outcomes[i].status, STATUS_OK);
    assert_int_equal(gateways[0].used[1], 1);
    assert_non_null(strstr(gateways[0].last_head, "Authorization: first\r\n"));
    assert_int_equal(read_key("k").status, STATUS_OK);
    assert_int_equal(gateways[0].used[2], 1);
    assert_non_null(strstr(gateways[0].last_head, "Authorization: second\r\n"));
    close_fakes();
}

#define DENIED                                                                                     \
    "{\"error\":\"etcdserver: permission denied\",\"message\":\"etcdserver: permission denied\","  \
    "\"code\":7}"
#define TOKEN "{\"header\":{},\"token\":\"t\"}"

/* What is denied to an old token is asked once more with a new one; then it is believed, for a time
 * that grows. A token that has just been fetched is believed at once. */
static void a_denial_is_doubted_once(void **state)
{
    (void)state;
    static const struct fake_row mended[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/auth/authenticate", 200, TOKEN, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, EMPTY, FAKE_KEEP, 1},
        {"/v3/kv/range", 403, DENIED, FAKE_KEEP, 1},
        {"/v3/kv/range", 200, EMPTY, FAKE_KEEP, 0},
    };
    static const struct fake_row denied[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/auth/authenticate", 200, TOKEN, FAKE_KEEP, 0},
        {"/v3/kv/range", 403, DENIED, FAKE_KEEP, 0},
    };
    struct etcd_options bob = {.user = "bob", .password = "pw"};
    open_fakes(mended, 5, NULL, 0);
    connect_fakes(1, bob);
    assert_int_equal(read_key("k").status, STATUS_OK);
    client.etcd->auth.fetched_ms -= 60000;
    assert_int_equal(read_key("k").status, STATUS_OK);
    assert_int_equal(gateways[0].used[1], 2);
    close_fakes();

    open_fakes(denied, 3, NULL, 0);
    connect_fakes(1, bob);
    for (int i = 0; i < 20; i++)
        assert_int_equal(read_key("k").status, STATUS_DENIED);
    assert_int_equal(gateways[0].used[1], 1);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t *until_ms = &client.etcd->auth.doubts[RPC_RANGE].until_ms, began_ms;
        client.etcd->auth.fetched_ms -= 60000;
        *until_ms = 0;
        began_ms = uv_now(&client.loop);
        for (int k = 0; k < 20; k++)
            assert_int_equal(read_key("k").status, STATUS_DENIED);
        assert_int_equal(gateways[0].used[1], 2 + i);
        assert_in_range(*until_ms - began_ms, 5000U << i, (5000U << i) + 2000);
    }
    close_fakes();
}

/* A password that was refused is not tried again by each request. */
static void a_refused_password_rests(void **state)
{
    (void)state;
    static const struct fake_row rows[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/auth/authenticate", 400,
         "{\"message\":\"etcdserver: authentication failed, invalid user ID\",\"code\":3}",
         FAKE_KEEP, 0},
    };
    open_fakes(rows, 2, NULL, 0);
    connect_fakes(1, (struct etcd_options){.user = "bob", .password = "pw"});
    for (int i = 0; i < 20; i++)
        assert_int_equal(read_key("k").status, STATUS_DENIED);
    assert_in_range(gateways[0].used[1], 1, 2);
    unsigned used = gateways[0].used[1];
    client.etcd->auth.refused_until_ms = 0;
    assert_int_equal(read_key("k").status, STATUS_DENIED);
    assert_int_equal(gateways[0].used[1], used + 1);
    assert_int_equal(etcd_reload(client.etcd, "other", NULL), STATUS_OK);
    assert_int_equal(read_key("k").status, STATUS_DENIED);
    assert_int_equal(gateways[0].used[1], used + 2);
    close_fakes();
}

/* How authentication ends. */
static const struct {
    const char *user;
    int auth_status, status;
    const char *auth_body, *body;
    enum status outcome;
    const char *text;
} logins[] = {
    {"bob", 400, 200,
     "{\"message\":\"etcdserver: authentication failed, invalid user ID\",\"code\":3}", EMPTY,
     STATUS_DENIED, "authentication failed"},
    {"bob", 412, 200, "{\"message\":\"etcdserver: authentication is not enabled\",\"code\":9}",
     EMPTY, STATUS_OK, ""},
    {"bob", 200, 200, "{\"header\":{}}", EMPTY, STATUS_BAD_REPLY, "no token"},
    {"bob", 200, 401, "{\"token\":\"t\"}", NO_TOKEN, STATUS_DENIED, "invalid auth token"},
    {NULL, 200, 400, "{}", "{\"message\":\"etcdserver: user name is empty\",\"code\":3}",
     STATUS_DENIED, "asks for a user"},
};

static void logins_end_as_they_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
        const struct fake_row rows[] = {
            {"/version", 200, VERSION34, FAKE_KEEP, 0},
            {"/v3/auth/authenticate", logins[i].auth_status, logins[i].auth_body, FAKE_KEEP, 0},
            {"/v3/kv/range", logins[i].status, logins[i].body, FAKE_KEEP, 0},
        };
        open_fakes(rows, 3, NULL, 0);
        connect_fakes(
            1, (struct etcd_options){.user = logins[i].user, .password = "pw", .timeout_ms = 1000});
        struct outcome outcome = read_key("k");
        assert_int_equal(outcome.status, logins[i].outcome);
        assert_non_null(strstr(outcome.why.text, logins[i].text));
        assert_true(gateways[0].asked < 20);
        close_fakes();
    }
}

static void a_real_login_survives_its_token(void **state)
{
    (void)state;
    static const char *const extra[] = {"--auth-token-ttl", "1", NULL};
    static const char *const steps[][2] = {
        {"user/add", "{\"name\":\"root\",\"password\":\"r\"}"},
        {"user/add", "{\"name\":\"bob\",\"password\":\"pw\"}"},
        {"role/add", "{\"name\":\"root\"}"},
        {"role/add", "{\"name\":\"svc\"}"},
        {"role/grant", "{\"name\":\"svc\",\"perm\":{\"permType\":\"READWRITE\",\"key\":\"L2E=\"}}"},
        {"user/grant", "{\"user\":\"root\",\"role\":\"root\"}"},
        {"user/grant", "{\"user\":\"bob\",\"role\":\"svc\"}"},
        {"enable", "{}"},
    };
    assert_true(etcd_server_start(&server, 1, extra));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/v3/auth/%s", steps[i][0]);
        assert_true(etcd_server_post(&server, path, "%s", steps[i][1]));
    }
    client_loop_open(&client);
    assert_int_equal(client_loop_connect(&client, server.endpoint,
                                         (struct etcd_options){.user = "bob", .password = "wrong"}),
                     STATUS_OK);
    assert_int_equal(read_key("/a").status, STATUS_DENIED);
    assert_int_equal(etcd_reload(client.etcd, "pw", NULL), STATUS_OK);
    assert_int_equal(read_key("/a").status, STATUS_OK);
    assert_int_equal(read_key("/b").status, STATUS_DENIED);
    CLIENT_LOOP_UNTIL(&client, false, 3500);
    assert_int_equal(read_key("/a").status, STATUS_OK);
    assert_int_equal(client_loop_close(&client), 0);
    etcd_server_stop(&server);
}

static const struct fake_dns_row srv_rows[] = {
    {"_etcd-client._tcp.one.test", FAKE_DNS_SRV, 30, "m1.test", 0},
    {"_etcd-client-ssl._tcp.two.test", FAKE_DNS_SRV, 30, "m1.test", 0},
    {"m1.test", FAKE_DNS_A, 30, "127.0.0.1", 0},
};

/* A domain, and what discovery in it leads to. */
static const struct {
    const char *domain;
    bool is_https;
    enum status status;
    const char *text;
} domains[] = {
    {"one.test", false, STATUS_OK, ""},
    {"one.test", true, STATUS_UNRESOLVED, "_etcd-client-ssl._tcp.one.test"},
    {"two.test", false, STATUS_TIMED_OUT, "https://m1.test:"}, /* which speaks no TLS */
    {"none.test", false, STATUS_UNRESOLVED, "discovery in none.test"},
};

static void members_are_discovered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        struct fake_dns dns;
        struct detail why;
        struct fake_dns_row rows[3];
        open_fakes(good, 2, NULL, 0);
        memcpy(rows, srv_rows, sizeof(rows));
        rows[0].port = rows[1].port =
            (unsigned)strtoul(strchr(gateways[0].endpoint, ':') + 1, NULL, 10);
        assert_true(fake_dns_start(&dns, &client.loop, rows, 3));
        assert_int_equal(
            client_loop_connect(&client, NULL,
                                (struct etcd_options){.discovery_srv = domains[i].domain,
                                                      .timeout_ms = 1000,
                                                      .is_https = domains[i].is_https}),
            STATUS_OK);
        assert_int_equal(resolver_open(&client.loop, &client.etcd->resolver, &why), STATUS_OK);
        assert_int_equal(resolver_set_servers(client.etcd->resolver, dns.address, &why), STATUS_OK);
        struct outcome outcome = read_key("k");
        assert_int_equal(outcome.status, domains[i].status);
        assert_non_null(strstr(outcome.why.text, domains[i].text));
        fake_dns_stop(&dns);
        close_fakes();
    }
}

/* It takes longer than the second for which a failure is not repeated: the rpc ends with what DNS has
 * said, not with its own deadline. */
static void a_discovery_that_fails_slowly_is_told(void **state)
{
    struct fake_dns dns;
    struct detail why;
    (void)state;
    open_fakes(good, 2, NULL, 0);
    assert_true(fake_dns_start(&dns, &client.loop, srv_rows, 3));
    dns.late_ms = 1200;
    struct etcd_options options = {
        .discovery_srv = "none.test", .timeout_ms = 4000, .is_https = true};
    assert_int_equal(client_loop_connect(&client, NULL, options), STATUS_OK);
    assert_int_equal(resolver_open(&client.loop, &client.etcd->resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(client.etcd->resolver, dns.address, &why), STATUS_OK);
    struct outcome outcome = read_key("k");
    assert_int_equal(outcome.status, STATUS_UNRESOLVED);
    assert_non_null(strstr(outcome.why.text, "cannot look up _etcd-client-ssl._tcp.none.test"));
    fake_dns_stop(&dns);
    close_fakes();
}

static struct fake_dns_row named_row = {"m1.test", FAKE_DNS_A, 30, "127.0.0.1", 0};
static struct fake_dns named_dns;

/* A client whose one endpoint, the first gateway, is given by a name. */
static void open_named(void)
{
    char list[40];
    struct detail why;
    open_fakes(good, 2, NULL, 0);
    assert_true(fake_dns_start(&named_dns, &client.loop, &named_row, 1));
    snprintf(list, sizeof(list), "m1.test%s", strchr(gateways[0].endpoint, ':'));
    assert_int_equal(client_loop_connect(&client, list, (struct etcd_options){.timeout_ms = 3000}),
                     STATUS_OK);
    assert_int_equal(resolver_open(&client.loop, &client.etcd->resolver, &why), STATUS_OK);
    assert_int_equal(resolver_set_servers(client.etcd->resolver, named_dns.address, &why),
                     STATUS_OK);
}

static void close_named(void)
{
    fake_dns_stop(&named_dns);
    close_fakes();
}

static void an_error_of_dns_names_the_name_and_dns(void **state)
{
    static const struct {
        enum fake_dns_fault fault;
        unsigned lose_count;
        const char *text;
    } cases[] = {
        {FAKE_DNS_SERVFAIL, 0, "cannot look up m1.test: every DNS server fails or refuses"},
        {FAKE_DNS_REFUSED, 0, "cannot look up m1.test: every DNS server fails or refuses"},
        {FAKE_DNS_NXDOMAIN, 0, "cannot look up m1.test: DNS has no address of it"},
        {FAKE_DNS_GOOD, 1000, "cannot look up m1.test: no answer from DNS in time"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_named();
        named_dns.fault = cases[i].fault;
        named_dns.lose_count = cases[i].lose_count;
        struct outcome outcome = read_key("k");
        assert_int_equal(outcome.status, STATUS_UNRESOLVED);
        assert_string_equal(outcome.why.text, cases[i].text);
        assert_int_equal(gateways[0].asked, 0);
        named_dns.fault = FAKE_DNS_GOOD;
        named_dns.lose_count = 0;
        assert_int_equal(read_key("k").status, STATUS_OK);
        close_named();
    }
}

/* When its time is over, and whatever the new look-up comes to. */
static void known_addresses_serve_while_they_are_looked_up(void **state)
{
    static const struct {
        enum fake_dns_fault fault;
        unsigned lose_count;
    } cases[] = {{FAKE_DNS_GOOD, 1000},   {FAKE_DNS_SERVFAIL, 0}, {FAKE_DNS_NXDOMAIN, 0},
                 {FAKE_DNS_TRUNCATED, 0}, {FAKE_DNS_GARBAGE, 0},  {FAKE_DNS_GOOD, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_named();
        assert_int_equal(read_key("k").status, STATUS_OK);
        struct member *member = &client.etcd->members.list[0];
        named_dns.fault = cases[i].fault;
        named_dns.lose_count = cases[i].lose_count;
        unsigned asked = named_dns.asked;
        for (unsigned round = 0; round < 2; round++) {
            member->addresses_until_ms = 0;
            struct outcome outcome = read_key("k");
            assert_int_equal(outcome.status, STATUS_OK);
            assert_true(outcome.took_ms < 1000);
            CLIENT_LOOP_UNTIL(&client, named_dns.asked >= asked + 2, 5000);
            assert_true(named_dns.asked >= asked + 2);
        }
        close_named();
    }
}

static void a_member_that_moved_is_found(void **state)
{
    (void)state;
    open_named();
    named_row.data = "127.0.0.1";
    assert_int_equal(read_key("k").status, STATUS_OK);
    struct member *member = &client.etcd->members.list[0];
    /* Nobody is at the address that is known now. */
    struct resolver_address gone = {.family = AF_INET, .octets = {127, 0, 0, 9}};
    assert_int_equal(member_set_addresses(member, &gone, 1, 300, uv_now(&client.loop)), STATUS_OK);
    http_client_close(client.etcd->http);
    struct tls_files *tls;
    struct detail why;
    assert_int_equal(tls_files_load(&(struct tls_files_paths){0}, true, &tls, &why), STATUS_OK);
    assert_int_equal(http_client_open(&client.loop, tls, &client.etcd->http, &why), STATUS_OK);
    tls_files_free(tls);
    unsigned asked = named_dns.asked;
    assert_int_equal(read_key("k").status, STATUS_UNREACHABLE);
    assert_int_equal(named_dns.asked, asked); /* it was looked up a moment ago */
    member->looked_up_ms -= 5000;
    assert_int_equal(read_key("k").status, STATUS_UNREACHABLE);
    assert_true(CLIENT_LOOP_UNTIL(&client, read_key("k").status == STATUS_OK, 10000));
    assert_int_equal(named_dns.asked, asked + 2);
    close_named();
}

static void options_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        struct etcd_options options;
    } cases[] = {
        {NULL, {0}},
        {"https://a:1", {.ca_bundle = "/nonexistent/ca.pem"}},
        {"https://a:1", {.ca_bundle = "/dev/null"}},
        {"a:1", {.cert = "/nonexistent/cert.pem"}},
        {"a:1", {.key = "/nonexistent/key.pem"}},
    };
    client_loop_open(&client);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(client_loop_connect(&client, cases[i].list, cases[i].options),
                         STATUS_BAD_INPUT);
    assert_int_equal(client_loop_close(&client), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(when_a_member_fails_the_next_is_asked),
        cmocka_unit_test(when_nobody_answers_each_endpoint_is_named),
        cmocka_unit_test(the_deadline_bounds_all_attempts),
        cmocka_unit_test(a_leader_that_is_elected_in_time_is_enough),
        cmocka_unit_test(the_prefix_follows_the_version),
        cmocka_unit_test(a_gateway_that_is_off_is_told_from_no_etcd),
        cmocka_unit_test(one_connection_carries_all_that_comes_in_turn),
        cmocka_unit_test(closing_ends_the_loop_at_once),
        cmocka_unit_test(a_token_is_fetched_once_and_again_when_it_is_refused),
        cmocka_unit_test(a_denial_is_doubted_once),
        cmocka_unit_test(a_refused_password_rests),
        cmocka_unit_test(logins_end_as_they_must),
        cmocka_unit_test(a_real_login_survives_its_token),
        cmocka_unit_test(members_are_discovered),
        cmocka_unit_test(a_discovery_that_fails_slowly_is_told),
        cmocka_unit_test(an_error_of_dns_names_the_name_and_dns),
        cmocka_unit_test(known_addresses_serve_while_they_are_looked_up),
        cmocka_unit_test(a_member_that_moved_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
