#include "support/http_get.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
#define LIVELY "127.0.0.9" /* where the client is from that must not suffer */
#define COUNT  (sizeof(rows) / sizeof(rows[0]))

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
    return strlen(text) >= strlen(with) && strcmp(text + strlen(text) - strlen(with), with) == 0;
}

static int free_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

static void assert_alive(struct http_service *service)
{
    struct http_client client;
    const char *reply = http_fetch(service, &client, LIVELY, HEALTH);
    if (!begins(reply, "HTTP/1.1 200 OK\r\n") || !ends(reply, "\r\n\r\nok\n"))
        fail_msg("%s", reply);
}

static void requests_get_the_pages_they_ask_for(void **state)
{
    static const struct {
        const char *request, *start, *header, *end;
    } rows[] = {
        {"GET /healthz", "200 OK", "\r\nContent-Type: text/plain; charset=utf-8\r\n",
         "\r\n\r\nok\n"},
        {"GET /readyz", "200 OK", "\r\nCache-Control: no-store\r\n", "\r\n\r\nok\n"},
        {"GET /metrics", "200 OK", "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
         "\r\n\r\nmmm"},
        {"GET /metrics?a=b", "200 OK", "\r\nContent-Length: 3\r\n", "\r\n\r\nmmm"},
        {"HEAD /metrics", "200 OK", "\r\nContent-Length: 3\r\n", "\r\n\r\n"},
        {"HEAD /healthz", "200 OK", "\r\nConnection: close\r\n", "\r\n\r\n"},
        {"HEAD /nothing", "404 Not Found", "\r\nConnection: close\r\n", "\r\n\r\n"},
        {"GET /", "404 Not Found", "\r\nConnection: close\r\n",
         "not here; there are /metrics, /healthz and /readyz\n"},
        {"GET /metrics/", "404 Not Found", "", ""},
        {"GET //metrics", "404 Not Found", "", ""},
        {"GET /Metrics", "404 Not Found", "", ""},
        {"GET /../../etc/passwd", "404 Not Found", "", ""},
        {"POST /", "404 Not Found", "", ""},
        {"POST /metrics", "405 Method Not Allowed", "\r\nAllow: GET, HEAD\r\n",
         "GET and HEAD only\n"},
        {"PUT /readyz", "405 Method Not Allowed", "\r\nConnection: close\r\n", ""},
        {"DELETE /healthz", "405 Method Not Allowed", "", ""},
        {"get /healthz", "405 Method Not Allowed", "", ""},
        {"OPTIONS /healthz", "405 Method Not Allowed", "", ""},
    };
    (void)state;
    struct http_service service;
    http_service_start(&service, 0);
    for (size_t i = 0; i < COUNT; i++) {
        struct http_client client;
        char request[128];
        snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].request);
        const char *reply = http_fetch(&service, &client, "127.0.0.1", request);
        if (!begins(reply, "HTTP/1.1 ") || !begins(reply + 9, rows[i].start) ||
            !strstr(reply, rows[i].header) || !ends(reply, rows[i].end))
            fail_msg("%s: %s", rows[i].request, reply);
    }
    http_service_stop(&service);
}

static void readiness_follows_the_state(void **state)
{
    static const struct {
        enum answer_state state;
        const char *start, *end;
    } rows[] = {
        {ANSWER_NOT_READY, "HTTP/1.1 503 Service Unavailable\r\n", "\r\n\r\nnot ready\n"},
        {ANSWER_FRESH, "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n"},
        {ANSWER_STALE, "HTTP/1.1 200 OK\r\n", "\r\n\r\nstale\n"},
        {ANSWER_EXPIRED, "HTTP/1.1 503 Service Unavailable\r\n", "\r\n\r\nexpired\n"},
    };
    (void)state;
    struct http_service service;
    http_service_start(&service, 0);
    for (size_t i = 0; i < COUNT; i++) {
        struct http_client client;
        service.state = rows[i].state;
        const char *reply =
            http_fetch(&service, &client, "127.0.0.1", "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n");
        if (!begins(reply, rows[i].start) || !ends(reply, rows[i].end))
            fail_msg("%s", reply);
        assert_alive(&service);
    }
    http_service_stop(&service);
}

static void old_and_wordy_clients_are_answered(void **state)
{
    static const char *const rows[] = {
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
        "GET /healthz HTTP/1.1\r\nHost: h\r\nAccept: application/openmetrics-text\r\n"
        "Accept-Encoding: gzip\r\nUser-Agent: Prometheus/2.42.0\r\n"
        "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n",
        HEALTH HEALTH,
    };
    (void)state;
    struct http_service service;
    http_service_start(&service, 0);
    for (size_t i = 0; i < COUNT; i++) {
        struct http_client client;
        const char *reply = http_fetch(&service, &client, "127.0.0.1", rows[i]);
        if (!strstr(reply, " 200 OK\r\n") || !ends(reply, "\r\n\r\nok\n"))
            fail_msg("%zu: %s", i, reply);
        assert_null(strstr(reply + 1, "HTTP/1.")); /* one request to a connection */
    }
    http_service_stop(&service);
}

static void metrics_that_cannot_be_made_are_an_error_of_the_server(void **state)
{
    (void)state;
    struct http_service service;
    struct http_client client;
    http_service_start(&service, 0);
    service.metrics_status = STATUS_NO_MEMORY;
    const char *reply =
        http_fetch(&service, &client, "127.0.0.1", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(begins(reply, "HTTP/1.1 500 Internal Server Error\r\n"));
    assert_true(ends(reply, "\r\n\r\nout of memory\n"));
    assert_alive(&service);
    http_service_stop(&service);
}

static void garbage_does_no_harm(void **state)
{
#define ROW(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct {
        const char *octets;
        size_t len;
    } rows[] = {
        ROW("\0\0\0\0\r\n\r\n"),
        ROW("\r\n\r\n\r\n\r\n"),
        ROW("GET\r\n\r\n"),
        ROW("GET /metrics\r\n\r\n"),
        ROW("GET /metrics HTTP/9.9\r\nHost: h\r\n\r\n"),
        ROW("GET /metrics%00 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ROW("GET /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"),
        ROW("GET /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        ROW("POST /metrics HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
        ROW("POST /metrics HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
            "Content-Length: 9\r\n\r\n"),
        ROW("GET /metrics HTTP/1.1\r\n: \r\n\r\n"),
        ROW("GET /metrics HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ROW("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"),                 /* the beginning of TLS */
        ROW("\x1d\x00\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"), /* of DNS over TCP */
    };
#undef ROW
    (void)state;
    struct http_service service;
    http_service_start(&service, 500);
    for (size_t i = 0; i < COUNT; i++) {
        struct http_client client;
        http_client_open(&client, "127.0.0.1", http_service_port(&service));
        http_client_send(&client, rows[i].octets, rows[i].len);
        assert_alive(&service);
        if (!HTTP_UNTIL(&service, http_client_ended(&client), 2000))
            fail_msg("row %zu is not closed", i);
        http_client_close(&client);
    }
    http_service_stop(&service);
}

static void a_request_larger_than_its_memory_is_refused(void **state)
{
    (void)state;
    struct http_service service;
    struct http_client client;
    char filler[4096];
    http_service_start(&service, 2000);
    memset(filler, 'x', sizeof(filler));
    http_client_open(&client, "127.0.0.1", http_service_port(&service));
    http_client_send_text(&client, "GET /metrics HTTP/1.1\r\nHost: h\r\nX: ");
    for (int i = 0; i < 20 && !http_client_ended(&client); i++) {
        http_client_send(&client, filler, sizeof(filler));
        uv_run(&service.loop, UV_RUN_ONCE);
    }
    assert_true(HTTP_UNTIL(&service, http_client_ended(&client), 1000));
    assert_true(client.len == 0 || begins(client.reply, "HTTP/1.1 431 "));
    assert_int_equal(service.metrics_calls, 0);
    http_client_close(&client);
    assert_alive(&service);
    http_service_stop(&service);
}

static void clients_of_one_address_cannot_take_all_places(void **state)
{
    static struct http_client idle[HTTP_CONNECTIONS_PER_IP + 1];
    (void)state;
    struct http_service service;
    http_service_start(&service, 0);
    for (size_t i = 0; i <= HTTP_CONNECTIONS_PER_IP; i++)
        http_client_open(&idle[i], "127.0.0.2", http_service_port(&service));
    assert_true(HTTP_UNTIL(&service, http_client_ended(&idle[HTTP_CONNECTIONS_PER_IP]), 1000));
    for (size_t i = 0; i < HTTP_CONNECTIONS_PER_IP; i++)
        assert_false(http_client_ended(&idle[i]));
    assert_alive(&service);
    for (size_t i = 0; i < HTTP_CONNECTIONS_PER_IP; i++) {
        http_client_send_text(&idle[i], HEALTH);
        assert_true(HTTP_UNTIL(&service, http_client_ended(&idle[i]), 1000));
        assert_true(begins(idle[i].reply, "HTTP/1.1 200 OK"));
    }
    for (size_t i = 0; i <= HTTP_CONNECTIONS_PER_IP; i++)
        http_client_close(&idle[i]);
    http_service_stop(&service);
}

/* Take all places, from as many addresses as it needs. */
static void fill(struct http_service *service, struct http_client idle[HTTP_CONNECTIONS_MAX])
{
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        char from[32];
        snprintf(from, sizeof(from), "127.0.1.%u", 1 + i / HTTP_CONNECTIONS_PER_IP);
        http_client_open(&idle[i], from, http_service_port(service));
    }
}

static void when_all_places_are_taken_clients_wait_for_one(void **state)
{
    static struct http_client idle[HTTP_CONNECTIONS_MAX];
    (void)state;
    struct http_service service;
    struct http_client waiting;
    http_service_start(&service, 400);
    fill(&service, idle);
    HTTP_UNTIL(&service, false, 50);
    http_client_open(&waiting, LIVELY, http_service_port(&service));
    http_client_send_text(&waiting, HEALTH);
    assert_false(HTTP_UNTIL(&service, http_client_ended(&waiting), 150));
    /* One goes by itself. */
    http_client_close(&idle[0]);
    assert_true(HTTP_UNTIL(&service, http_client_ended(&waiting), 150));
    assert_true(begins(waiting.reply, "HTTP/1.1 200 OK"));
    http_client_close(&waiting);
    /* The others' time ends for all at once. */
    for (size_t i = 1; i < HTTP_CONNECTIONS_MAX; i++)
        assert_true(HTTP_UNTIL(&service, http_client_ended(&idle[i]), 1000));
    for (size_t i = 1; i < HTTP_CONNECTIONS_MAX; i++)
        http_client_close(&idle[i]);
    assert_alive(&service);
    http_service_stop(&service);
}

static void all_places_that_end_at_once_can_be_taken_again(void **state)
{
    static struct http_client idle[HTTP_CONNECTIONS_MAX];
    (void)state;
    struct http_service service;
    http_service_start(&service, 0);
    for (int round = 0; round < 3; round++) {
        fill(&service, idle);
        HTTP_UNTIL(&service, false, 50);
        for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
            http_client_close(&idle[i]);
        assert_alive(&service);
    }
    http_service_stop(&service);
}

static void an_octet_now_and_then_does_not_keep_a_place(void **state)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh";
    (void)state;
    struct http_service service;
    struct http_client slow;
    http_service_start(&service, 300);
    uint64_t begin_ms = uv_hrtime() / 1000000;
    http_client_open(&slow, "127.0.0.1", http_service_port(&service));
    for (size_t i = 0; i < sizeof(request) - 1 && !http_client_ended(&slow); i++) {
        http_client_send(&slow, request + i, 1);
        HTTP_UNTIL(&service, http_client_ended(&slow), 20);
        assert_alive(&service);
    }
    assert_true(slow.has_ended);
    assert_in_range(uv_hrtime() / 1000000 - begin_ms, 280, 4000);
    http_client_close(&slow);
    http_service_stop(&service);
}

static void who_does_not_read_its_reply_is_left(void **state)
{
    (void)state;
    struct http_service service;
    struct http_client deaf;
    http_service_start(&service, 300);
    service.metrics_len = 32 << 20; /* more than the kernel takes */
    http_client_open(&deaf, "127.0.0.1", http_service_port(&service));
    http_client_send_text(&deaf, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(HTTP_UNTIL(&service, service.metrics_calls == 1, 1000));
    for (int i = 0; i < 10; i++) {
        HTTP_UNTIL(&service, false, 10);
        assert_alive(&service);
    }
    HTTP_UNTIL(&service, false, 500);
    assert_true(HTTP_UNTIL(&service, http_client_ended(&deaf), 1000));
    http_client_close(&deaf);
    http_service_stop(&service);
}

static void a_reply_larger_than_the_socket_arrives_whole(void **state)
{
    (void)state;
    struct http_service service;
    struct http_client client;
    http_service_start(&service, 0);
    service.metrics_len = 8 << 20;
    const char *reply =
        http_fetch(&service, &client, "127.0.0.1", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_non_null(strstr(reply, "\r\nContent-Length: 8388608\r\n"));
    assert_int_equal(client.len, sizeof(client.reply) - 1);
    http_service_stop(&service);
}

static void stopping_ends_all_connections_and_leaves_no_descriptor(void **state)
{
    static const char *const rows[] = {"", "GET /met", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"};
    (void)state;
    struct http_service service;
    struct http_client clients[COUNT];
    int before = free_fd();
    http_service_start(&service, 0);
    service.metrics_len = 32 << 20;
    for (size_t i = 0; i < COUNT; i++) {
        http_client_open(&clients[i], "127.0.0.1", http_service_port(&service));
        http_client_send_text(&clients[i], rows[i]);
    }
    assert_true(HTTP_UNTIL(&service, service.metrics_calls == 1, 1000));
    http_service_stop(&service);
    for (size_t i = 0; i < COUNT; i++) {
        while (!http_client_ended(&clients[i]))
            usleep(1000);
        http_client_close(&clients[i]);
    }
    assert_int_equal(free_fd(), before);
}

static void thousands_of_requests_leave_nothing_behind(void **state)
{
    (void)state;
    struct http_service service;
    http_service_start(&service, 0);
    int before = free_fd();
    for (int i = 0; i < 2000; i++)
        assert_alive(&service);
    assert_int_equal(free_fd(), before);
    http_service_stop(&service);
}

static void the_time_of_a_connection_is_its_own(void **state)
{
    (void)state;
    struct http_service service;
    struct http_client idle;
    http_service_start(&service, 600);
    for (int i = 0; i < 2 * HTTP_CONNECTIONS_MAX; i++)
        assert_alive(&service);
    HTTP_UNTIL(&service, false, 400);
    http_client_open(&idle, "127.0.0.1", http_service_port(&service));
    assert_false(HTTP_UNTIL(&service, http_client_ended(&idle), 400));
    assert_true(HTTP_UNTIL(&service, http_client_ended(&idle), 1000));
    http_client_close(&idle);
    http_service_stop(&service);
}

static void a_server_can_be_started_where_one_has_just_stopped(void **state)
{
    (void)state;
    struct http_service service;
    char listen[32];
    http_service_start(&service, 0);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_service_port(&service));
    assert_alive(&service);
    http_service_stop(&service);
    http_service_init(&service);
    assert_int_equal(http_service_try(&service, listen, 0, NULL), STATUS_OK);
    assert_alive(&service);
    http_service_stop(&service);
}

static void an_address_that_is_none_is_told_apart(void **state)
{
    static const char *const rows[] = {
        "",
        ":",
        ":80",
        "80",
        "localhost:80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "::1",
        "::1:80",
        "[::1]",
        "[::1]:",
        "[::1",
        "[::1]80",
        "[127.0.0.1]:80",
        "1.2.3:80",
        "127.0.0.1:80:80",
        "*:80",
    };
    (void)state;
    struct http_service service;
    http_service_init(&service);
    for (size_t i = 0; i < COUNT; i++) {
        struct detail why = {""};
        if (http_service_try(&service, rows[i], 0, &why) != STATUS_BAD_INPUT)
            fail_msg("%s is taken", rows[i]);
        assert_string_equal(why.text, "not an address with a port: IPV4:PORT or [IPV6]:PORT");
        assert_null(service.server);
    }
    http_service_stop(&service);
}

static void an_address_that_cannot_be_bound_is_named(void **state)
{
    (void)state;
    struct http_service service, second;
    struct detail why = {""};
    char listen[32], text[128];
    http_service_start(&service, 0);
    http_service_init(&second);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_service_port(&service));
    snprintf(text, sizeof(text), "--http %s: address already in use", listen);
    assert_int_equal(http_service_try(&second, listen, 0, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, text);
    assert_int_equal(http_service_try(&second, "192.0.2.1:0", 0, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "--http 192.0.2.1:0: address not available");
    http_service_stop(&second);
    assert_alive(&service);
    http_service_stop(&service);
}

static void ipv6_stands_in_brackets(void **state)
{
    (void)state;
    struct http_service service;
    http_service_init(&service);
    enum status status = http_service_try(&service, "[::1]:0", 0, NULL);
    bool is_there = status == STATUS_OK;
    if (is_there) {
        char url[64];
        uint16_t port = http_service_port(&service);
        snprintf(url, sizeof(url), "http://[::1]:%u", port);
        assert_string_equal(http_server_url(service.server), url);
        struct sockaddr_in6 to = {
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        struct http_client client = {.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        assert_int_equal(connect(client.fd, (struct sockaddr *)&to, sizeof(to)), 0);
        http_client_send_text(&client, HEALTH);
        assert_true(HTTP_UNTIL(&service, http_client_ended(&client), 1000));
        assert_true(begins(client.reply, "HTTP/1.1 200 OK"));
        http_client_close(&client);
    }
    http_service_stop(&service);
    if (!is_there)
        skip(); /* the machine has no IPv6 */
}

static rlim_t limit_fds(rlim_t limit)
{
    struct rlimit rlimit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &rlimit), 0);
    rlim_t before = rlimit.rlim_cur;
    rlimit.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &rlimit), 0);
    return before;
}

static void running_out_of_descriptors_leaves_the_loop_its_time(void **state)
{
    (void)state;
    struct http_service service;
    struct http_client client;
    unsigned turns = 0;
    http_service_start(&service, 0);
    http_client_open(&client, "127.0.0.1", http_service_port(&service));
    http_client_send_text(&client, HEALTH);
    rlim_t limit = limit_fds((rlim_t)free_fd());
    assert_false(HTTP_UNTIL(&service, (turns++, http_client_ended(&client)), 500));
    limit_fds(limit);
    assert_true(turns < 6000);
    assert_true(HTTP_UNTIL(&service, http_client_ended(&client), 1000));
    assert_true(begins(client.reply, "HTTP/1.1 200 OK"));
    http_client_close(&client);
    http_service_stop(&service);
}

static void a_start_without_descriptors_fails_and_leaves_none(void **state)
{
    (void)state;
    struct http_service service;
    http_service_init(&service);
    int before = free_fd();
    for (rlim_t more = 0; more < 2; more++) {
        struct detail why = {""};
        rlim_t limit = limit_fds((rlim_t)before + more);
        enum status status = http_service_try(&service, "127.0.0.1:0", 0, &why);
        limit_fds(limit);
        assert_int_equal(status, STATUS_SYSTEM);
        assert_true(begins(why.text, "--http 127.0.0.1:0: "));
        assert_int_equal(free_fd(), before);
    }
    http_service_stop(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_the_pages_they_ask_for),
        cmocka_unit_test(readiness_follows_the_state),
        cmocka_unit_test(old_and_wordy_clients_are_answered),
        cmocka_unit_test(metrics_that_cannot_be_made_are_an_error_of_the_server),
        cmocka_unit_test(garbage_does_no_harm),
        cmocka_unit_test(a_request_larger_than_its_memory_is_refused),
        cmocka_unit_test(clients_of_one_address_cannot_take_all_places),
        cmocka_unit_test(when_all_places_are_taken_clients_wait_for_one),
        cmocka_unit_test(all_places_that_end_at_once_can_be_taken_again),
        cmocka_unit_test(an_octet_now_and_then_does_not_keep_a_place),
        cmocka_unit_test(who_does_not_read_its_reply_is_left),
        cmocka_unit_test(a_reply_larger_than_the_socket_arrives_whole),
        cmocka_unit_test(stopping_ends_all_connections_and_leaves_no_descriptor),
        cmocka_unit_test(thousands_of_requests_leave_nothing_behind),
        cmocka_unit_test(the_time_of_a_connection_is_its_own),
        cmocka_unit_test(a_server_can_be_started_where_one_has_just_stopped),
        cmocka_unit_test(an_address_that_is_none_is_told_apart),
        cmocka_unit_test(an_address_that_cannot_be_bound_is_named),
        cmocka_unit_test(ipv6_stands_in_brackets),
        cmocka_unit_test(running_out_of_descriptors_leaves_the_loop_its_time),
        cmocka_unit_test(a_start_without_descriptors_fails_and_leaves_none),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
