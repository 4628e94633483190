#include "support/http_get.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#define HEALTH  "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
#define METRICS "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
#define COUNT   (sizeof(rows) / sizeof(rows[0]))

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
    struct http_get client;
    const char *reply = http_fetch(service, &client, HEALTH);
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
         "\n"},
        {"GET /metrics?a=b", "200 OK", "\nempusa_zone_services 1\n", "\n"},
        {"HEAD /metrics", "200 OK", "\r\nContent-Length: ", "\r\n\r\n"},
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
    http_service_init(&service);
    http_service_start(&service);
    for (size_t i = 0; i < COUNT; i++) {
        struct http_get client;
        char request[128];
        snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 rows[i].request);
        const char *reply = http_fetch(&service, &client, request);
        if (!begins(reply, "HTTP/1.1 ") || !begins(reply + 9, rows[i].start) ||
            !strstr(reply, rows[i].header) || !ends(reply, rows[i].end))
            fail_msg("%s: %s", rows[i].request, reply);
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
    http_service_init(&service);
    http_service_start(&service);
    for (size_t i = 0; i < COUNT; i++) {
        struct http_get client;
        const char *reply = http_fetch(&service, &client, rows[i]);
        if (!strstr(reply, " 200 OK\r\n") || !ends(reply, "\r\n\r\nok\n"))
            fail_msg("%zu: %s", i, reply);
        assert_null(strstr(reply + 1, "HTTP/1.")); /* one request to a connection */
    }
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
    struct http_get clients[COUNT];
    http_service_init(&service);
    service.timeout_s = 1;
    http_service_start(&service);
    for (size_t i = 0; i < COUNT; i++) {
        http_get_open(&clients[i], http_service_port(&service));
        http_get_send(&clients[i], rows[i].octets, rows[i].len);
        assert_alive(&service);
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (!HTTP_UNTIL(&service, http_get_ended(&clients[i]), 5000))
            fail_msg("row %zu is not closed", i);
        http_get_close(&clients[i]);
    }
    http_service_stop(&service);
}

static void a_request_larger_than_its_memory_is_refused(void **state)
{
    (void)state;
    struct http_service service;
    struct http_get client;
    char filler[4096];
    http_service_init(&service);
    http_service_start(&service);
    memset(filler, 'x', sizeof(filler));
    http_get_open(&client, http_service_port(&service));
    http_get_send_text(&client, "GET /metrics HTTP/1.1\r\nHost: h\r\nX: ");
    for (int i = 0; i < 20 && !http_get_ended(&client); i++) {
        http_get_send(&client, filler, sizeof(filler));
        HTTP_UNTIL(&service, http_get_ended(&client), 20);
    }
    assert_true(HTTP_UNTIL(&service, http_get_ended(&client), HTTP_GET_WAIT_MS));
    assert_true(client.len == 0 || begins(client.reply, "HTTP/1.1 431 "));
    http_get_close(&client);
    assert_alive(&service);
    http_service_stop(&service);
}

static void an_octet_now_and_then_does_not_keep_a_place(void **state)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: ";
    (void)state;
    struct http_service service;
    struct http_get slow;
    http_service_init(&service);
    service.timeout_s = 1;
    http_service_start(&service);
    uint64_t begin_ms = uv_hrtime() / 1000000;
    http_get_open(&slow, http_service_port(&service));
    for (size_t i = 0; i < 400 && !http_get_ended(&slow); i++) {
        http_get_send(&slow, i < sizeof(request) - 1 ? request + i : "h", 1);
        HTTP_UNTIL(&service, http_get_ended(&slow), 20);
        assert_alive(&service);
    }
    assert_true(slow.has_ended);
    assert_in_range(uv_hrtime() / 1000000 - begin_ms, 900, 6000);
    http_get_close(&slow);
    http_service_stop(&service);
}

static void a_control_thread_that_does_not_turn_is_told(void **state)
{
    (void)state;
    struct http_service service;
    struct http_get client;
    http_service_init(&service);
    service.pages.stall_ms = 1000;
    http_service_start(&service);
    HTTP_UNTIL(&service, false, 20);
    assert_alive(&service);
    usleep(1200000);
    http_get_open(&client, http_service_port(&service));
    http_get_send_text(&client, HEALTH);
    for (int i = 0; i < 500 && !http_get_ended(&client); i++)
        usleep(10000);
    assert_true(begins(client.reply, "HTTP/1.1 503 Service Unavailable\r\n"));
    http_get_close(&client);
    HTTP_UNTIL(&service, false, 20);
    assert_alive(&service);
    http_service_stop(&service);
}

static void a_host_that_is_not_ours_gets_probes_and_metrics_only(void **state)
{
    (void)state;
    struct http_service service;
    struct http_get client;
    http_service_init(&service);
    http_service_start(&service);
    const char *reply =
        http_fetch(&service, &client, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_true(begins(reply, "HTTP/1.1 421 Misdirected Request\r\n"));
    reply = http_fetch(&service, &client, "GET /healthz HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    assert_true(begins(reply, "HTTP/1.1 200 OK\r\n"));
    http_service_stop(&service);
}

/* Without the control thread: it may be stuck. */
static void idle_connections_are_ended_by_the_other_thread_alone(void **state)
{
    (void)state;
    struct http_service service;
    struct http_get idle[3];
    http_service_init(&service);
    service.timeout_s = 1;
    http_service_start(&service);
    for (size_t i = 0; i < 3; i++)
        http_get_open(&idle[i], http_service_port(&service));
    http_get_send_text(&idle[1], "GET /healthz HTT");
    http_get_send_text(&idle[2], "GET /healthz HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 0; i < 3; i++) {
        for (int j = 0; j < 500 && !http_get_ended(&idle[i]); j++)
            usleep(10000);
        assert_true(idle[i].has_ended);
        http_get_close(&idle[i]);
    }
    http_service_stop(&service);
}

/* The hold of these few is what locked probes out, before. */
static void one_connection_too_many_ends_the_one_longest_without_a_request(void **state)
{
    static struct http_get idle[12];
    (void)state;
    struct http_service service;
    http_service_init(&service);
    http_service_set(&service, OPTION_HTTP_CONNECTIONS, "8");
    http_service_start(&service);
    for (size_t i = 0; i < 12; i++) {
        http_get_open(&idle[i], http_service_port(&service));
        http_get_send_text(&idle[i], "GET /healthz HTTP/1.1\r\n");
        HTTP_UNTIL(&service, false, 10);
    }
    for (size_t i = 0; i < 4; i++)
        assert_true(HTTP_UNTIL(&service, http_get_ended(&idle[i]), HTTP_GET_WAIT_MS));
    for (size_t i = 4; i < 12; i++)
        assert_false(http_get_ended(&idle[i]));
    assert_alive(&service); /* takes the place of the next one */
    assert_true(HTTP_UNTIL(&service, http_get_ended(&idle[4]), HTTP_GET_WAIT_MS));
    for (size_t i = 5; i < 12; i++) { /* and who was only slow is answered */
        http_get_send_text(&idle[i], "Host: h\r\n\r\n");
        assert_true(HTTP_UNTIL(&service, http_get_ended(&idle[i]), HTTP_GET_WAIT_MS));
        assert_true(begins(idle[i].reply, "HTTP/1.1 200 OK\r\n"));
    }
    for (size_t i = 0; i < 12; i++)
        http_get_close(&idle[i]);
    http_service_stop(&service);
}

static void far_more_connections_than_there_are_places_keep_no_probe_out(void **state)
{
    static struct http_get idle[300];
    (void)state;
    struct http_service service;
    unsigned left = 0;
    http_service_init(&service);
    http_service_start(&service);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 300; i++)
            http_get_open(&idle[i], http_service_port(&service));
        for (int i = 0; i < 20; i++)
            assert_alive(&service);
        left = 0;
        for (size_t i = 0; i < 300; i++)
            left += !http_get_ended(&idle[i]);
        assert_in_range(left, 200, 256);
        for (size_t i = 0; i < 300; i++)
            http_get_close(&idle[i]);
    }
    http_service_stop(&service);
}

static void *hold_lock(void *arg)
{
    struct http_service *service = arg;
    pthread_mutex_lock(&service->pages.lock);
    usleep(400000);
    pthread_mutex_unlock(&service->pages.lock);
    return NULL;
}

/* As many as libmicrohttpd takes from the kernel at once: the thread is held up until all are. */
static void all_of_128_requests_at_once_are_answered(void **state)
{
    static struct http_get clients[128], first;
    (void)state;
    struct http_service service;
    pthread_t holder;
    http_service_init(&service);
    http_service_start(&service);
    for (size_t i = 0; i < 128; i++) {
        http_get_open(&clients[i], http_service_port(&service));
        http_get_send_text(&clients[i], "GET /healthz HTTP/1.1\r\n");
    }
    http_get_open(&first, http_service_port(&service));
    HTTP_UNTIL(&service, false, 100);
    assert_int_equal(pthread_create(&holder, NULL, hold_lock, &service), 0);
    usleep(100000);
    http_get_send_text(&first, METRICS);
    usleep(100000);
    for (size_t i = 0; i < 128; i++)
        http_get_send_text(&clients[i], "Host: h\r\n\r\n");
    pthread_join(holder, NULL);
    assert_true(HTTP_UNTIL(&service, http_get_ended(&first), HTTP_GET_WAIT_MS));
    http_get_close(&first);
    for (size_t i = 0; i < 128; i++) {
        assert_true(HTTP_UNTIL(&service, http_get_ended(&clients[i]), HTTP_GET_WAIT_MS));
        assert_true(begins(clients[i].reply, "HTTP/1.1 200 OK\r\n"));
        http_get_close(&clients[i]);
    }
    http_service_stop(&service);
}

/* Octets that the kernel still wants to send over this connection, which the server has closed. */
static unsigned unread_in_kernel(uint16_t server, uint16_t client)
{
    char line[512];
    unsigned unread = 0;
    FILE *file = fopen("/proc/net/tcp", "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        unsigned local, remote, tx;
        if (sscanf(line, " %*u: %*x:%x %*x:%x %*x %x:", &local, &remote, &tx) == 3 &&
            local == server && remote == client)
            unread += tx;
    }
    fclose(file);
    return unread;
}

static void a_page_that_nobody_reads_does_not_stay_in_the_kernel(void **state)
{
    static const int small = 1;
    (void)state;
    struct http_service service;
    struct http_get deaf = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    http_service_init(&service);
    service.timeout_s = 1;
    http_service_start(&service);
    assert_int_equal(setsockopt(deaf.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    http_get_connect(&deaf, http_service_port(&service));
    assert_int_equal(getsockname(deaf.fd, (struct sockaddr *)&address, &len), 0);
    uint16_t from = ntohs(address.sin_port), to = http_service_port(&service);
    http_get_send_text(&deaf, METRICS);
    assert_true(HTTP_UNTIL(&service, unread_in_kernel(to, from) > 4096, HTTP_GET_WAIT_MS));
    assert_true(HTTP_UNTIL(&service, unread_in_kernel(to, from) == 0, 10000));
    assert_alive(&service);
    http_get_close(&deaf);
    http_service_stop(&service);
}

static void stopping_ends_all_connections_and_leaves_no_descriptor(void **state)
{
    static const char *const rows[] = {"", "GET /met", METRICS};
    (void)state;
    struct http_service service;
    struct http_get clients[COUNT];
    http_service_init(&service);
    int before = free_fd();
    http_service_start(&service);
    for (size_t i = 0; i < COUNT; i++) {
        http_get_open(&clients[i], http_service_port(&service));
        http_get_send_text(&clients[i], rows[i]);
    }
    assert_true(HTTP_UNTIL(&service, http_get_ended(&clients[2]), HTTP_GET_WAIT_MS));
    uint64_t begin_ms = uv_hrtime() / 1000000;
    status_http_stop(service.http);
    service.http = NULL;
    assert_in_range(uv_hrtime() / 1000000 - begin_ms, 0, 5000); /* no client is waited for */
    for (size_t i = 0; i < COUNT; i++) {
        while (!http_get_ended(&clients[i]))
            usleep(1000);
        http_get_close(&clients[i]);
    }
    assert_int_equal(free_fd(), before);
    http_service_stop(&service);
}

static void hundreds_of_requests_leave_nothing_behind(void **state)
{
    (void)state;
    struct http_service service;
    http_service_init(&service);
    http_service_start(&service);
    assert_alive(&service);
    int before = free_fd();
    for (int i = 0; i < 500; i++)
        assert_alive(&service);
    /* The last one's reply may be had before its descriptor is closed. */
    assert_true(HTTP_UNTIL(&service, free_fd() == before, HTTP_GET_WAIT_MS));
    http_service_stop(&service);
}

static void an_address_that_is_none_is_told_apart(void **state)
{
    static const char *const rows[] = {
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
        char text[160];
        snprintf(text, sizeof(text),
                 "--http \"%s\": not an address with a port: IPV4:PORT or [IPV6]:PORT", rows[i]);
        if (http_service_open(&service, rows[i], &why) != STATUS_BAD_INPUT)
            fail_msg("%s is taken", rows[i]);
        assert_string_equal(why.text, text);
        assert_null(service.http);
    }
    http_service_stop(&service);
}

static void an_address_that_cannot_be_bound_is_named(void **state)
{
    (void)state;
    struct http_service service, second;
    struct detail why = {""};
    char listen[32], text[128];
    http_service_init(&service);
    http_service_start(&service);
    http_service_init(&second);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_service_port(&service));
    snprintf(text, sizeof(text), "--http %s: address already in use", listen);
    assert_int_equal(http_service_open(&second, listen, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, text);
    assert_int_equal(http_service_open(&second, "192.0.2.1:0", &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "--http 192.0.2.1:0: address not available");
    http_service_stop(&second);
    assert_alive(&service);
    http_service_stop(&service);
}

static void a_server_can_be_started_where_one_has_just_stopped(void **state)
{
    (void)state;
    struct http_service service;
    char listen[32];
    http_service_init(&service);
    http_service_start(&service);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_service_port(&service));
    assert_alive(&service);
    http_service_stop(&service);
    http_service_init(&service);
    assert_int_equal(http_service_open(&service, listen, NULL), STATUS_OK);
    assert_alive(&service);
    http_service_stop(&service);
}

static void without_the_option_there_are_no_pages(void **state)
{
    (void)state;
    struct http_service service;
    http_service_init(&service);
    assert_int_equal(status_http_open(&service.loop, &service.pages, 0, &service.http, NULL),
                     STATUS_OK);
    assert_null(service.http);
    assert_int_equal(status_http_start(service.http, NULL), STATUS_OK);
    http_service_stop(&service);
}

static void ipv6_stands_in_brackets(void **state)
{
    (void)state;
    struct http_service service;
    http_service_init(&service);
    bool is_there = http_service_open(&service, "[::1]:0", NULL) == STATUS_OK;
    if (is_there) {
        char url[64];
        uint16_t port = http_service_port(&service);
        snprintf(url, sizeof(url), "http://[::1]:%u", port);
        assert_string_equal(status_http_url(service.http), url);
        struct sockaddr_in6 to = {
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        struct http_get client = {.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        assert_int_equal(connect(client.fd, (struct sockaddr *)&to, sizeof(to)), 0);
        http_get_send_text(&client, HEALTH);
        assert_true(HTTP_UNTIL(&service, http_get_ended(&client), HTTP_GET_WAIT_MS));
        assert_true(begins(client.reply, "HTTP/1.1 200 OK"));
        http_get_close(&client);
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

static uint64_t used_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void running_out_of_descriptors_costs_no_processor(void **state)
{
    (void)state;
    struct http_service service;
    struct http_get client;
    http_service_init(&service);
    http_service_start(&service);
    http_get_open(&client, http_service_port(&service));
    http_get_close(&client);
    HTTP_UNTIL(&service, false, 50);
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rlim_t limit = limit_fds((rlim_t)free_fd());
    http_get_connect(&client, http_service_port(&service));
    http_get_send_text(&client, HEALTH);
    uint64_t before_us = used_us();
    usleep(500000);
    uint64_t spent_us = used_us() - before_us;
    assert_false(http_get_ended(&client));
    limit_fds(limit);
    assert_in_range(spent_us, 0, 150000);
    assert_true(HTTP_UNTIL(&service, http_get_ended(&client), HTTP_GET_WAIT_MS));
    assert_true(begins(client.reply, "HTTP/1.1 200 OK"));
    http_get_close(&client);
    http_service_stop(&service);
}

static void a_start_without_descriptors_fails_and_leaves_none(void **state)
{
    (void)state;
    struct http_service service;
    http_service_init(&service);
    int before = free_fd();
    for (rlim_t more = 0; more < STATUS_HTTP_DESCRIPTORS; more++) {
        struct detail why = {""};
        rlim_t limit = limit_fds((rlim_t)before + more);
        enum status status = http_service_open(&service, "127.0.0.1:0", &why);
        limit_fds(limit);
        assert_int_equal(status, STATUS_SYSTEM);
        assert_true(begins(why.text, "--http 127.0.0.1:0: "));
        status_http_stop(service.http);
        service.http = NULL;
        uv_run(&service.loop, UV_RUN_NOWAIT);
        assert_int_equal(free_fd(), before);
    }
    http_service_stop(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_the_pages_they_ask_for),
        cmocka_unit_test(old_and_wordy_clients_are_answered),
        cmocka_unit_test(garbage_does_no_harm),
        cmocka_unit_test(a_request_larger_than_its_memory_is_refused),
        cmocka_unit_test(an_octet_now_and_then_does_not_keep_a_place),
        cmocka_unit_test(a_control_thread_that_does_not_turn_is_told),
        cmocka_unit_test(a_host_that_is_not_ours_gets_probes_and_metrics_only),
        cmocka_unit_test(idle_connections_are_ended_by_the_other_thread_alone),
        cmocka_unit_test(one_connection_too_many_ends_the_one_longest_without_a_request),
        cmocka_unit_test(far_more_connections_than_there_are_places_keep_no_probe_out),
        cmocka_unit_test(all_of_128_requests_at_once_are_answered),
        cmocka_unit_test(a_page_that_nobody_reads_does_not_stay_in_the_kernel),
        cmocka_unit_test(stopping_ends_all_connections_and_leaves_no_descriptor),
        cmocka_unit_test(hundreds_of_requests_leave_nothing_behind),
        cmocka_unit_test(an_address_that_is_none_is_told_apart),
        cmocka_unit_test(an_address_that_cannot_be_bound_is_named),
        cmocka_unit_test(a_server_can_be_started_where_one_has_just_stopped),
        cmocka_unit_test(without_the_option_there_are_no_pages),
        cmocka_unit_test(ipv6_stands_in_brackets),
        cmocka_unit_test(running_out_of_descriptors_costs_no_processor),
        cmocka_unit_test(a_start_without_descriptors_fails_and_leaves_none),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
