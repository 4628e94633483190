#include "cli/serve/metrics.h"
#include "support/http_get.h"

#define COUNT (sizeof(rows) / sizeof(rows[0]))

/* The page as it is now; its text, which stays until the next call. */
static const char *show(struct http_service *service, const char *path, const char *host,
                        unsigned *status)
{
    static char text[METRICS_MAX];
    struct status_page page;
    status_pages_show(&service->pages, path, "GET", host, &page);
    assert_true(page.len < sizeof(text));
    memcpy(text, page.text ? page.text : page.line, page.len);
    text[page.len] = '\0';
    free(page.text);
    *status = page.status;
    return text;
}

static void readiness_follows_the_state(void **state)
{
    static const struct {
        enum answer_state state;
        unsigned status;
        const char *text;
    } rows[] = {
        {ANSWER_NOT_READY, 503, "not ready\n"},
        {ANSWER_FRESH, 200, "ok\n"},
        {ANSWER_STALE, 200, "stale\n"},
        {ANSWER_EXPIRED, 503, "expired\n"},
    };
    (void)state;
    struct http_service service;
    unsigned status;
    http_service_init(&service);
    assert_string_equal(show(&service, "/readyz", NULL, &status), "not ready\n");
    for (size_t i = 0; i < COUNT; i++) {
        status_pages_set_state(&service.pages, rows[i].state);
        assert_string_equal(show(&service, "/readyz", NULL, &status), rows[i].text);
        assert_int_equal(status, rows[i].status);
    }
    http_service_stop(&service);
}

static void health_is_that_the_control_thread_has_turned(void **state)
{
    (void)state;
    struct http_service service;
    unsigned status;
    http_service_init(&service);
    service.pages.stall_ms = 2000;
    for (int round = 0; round < 2; round++) {
        status_pages_turn(&service.pages);
        assert_string_equal(show(&service, "/healthz", NULL, &status), "ok\n");
        assert_int_equal(status, 200);
        service.pages.turned_ms -= 1900;
        assert_string_equal(show(&service, "/healthz", NULL, &status), "ok\n");
        service.pages.turned_ms -= 1200;
        assert_string_equal(show(&service, "/healthz", NULL, &status),
                            "stuck: the control thread has not turned for 3 s\n");
        assert_int_equal(status, 503);
    }
    http_service_stop(&service);
}

static void metrics_are_those_of_the_last_turn(void **state)
{
    static const char key[] = "/service/web/second", value[] = "10.1.2.3:8081";
    (void)state;
    struct http_service service;
    unsigned status;
    http_service_init(&service);
    status_pages_turn(&service.pages);
    status_pages_set_state(&service.pages, ANSWER_FRESH);
    const char *text = show(&service, "/metrics", NULL, &status);
    assert_int_equal(status, 200);
    assert_non_null(strstr(text, "\nempusa_zone_services 1\n"));
    assert_non_null(strstr(text, "\nempusa_zone_revision 7\n"));
    assert_non_null(strstr(text, "\nempusa_zone_state{state=\"fresh\"} 1\n"));
    assert_non_null(strstr(text, "\nempusa_etcd_silence_seconds +Inf\n"));
    assert_non_null(strstr(text, "\nempusa_zone_info{domain=\"empusa.internal\"} 1\n"));
    assert_int_equal(zone_put(service.zone, key, sizeof(key) - 1, value, sizeof(value) - 1, 8, 0),
                     STATUS_OK);
    zone_commit(service.zone, 8);
    text = show(&service, "/metrics", NULL, &status);
    assert_non_null(strstr(text, "\nempusa_zone_services 1\n")); /* not read behind its back */
    status_pages_turn(&service.pages);
    text = show(&service, "/metrics", NULL, &status);
    assert_non_null(strstr(text, "\nempusa_zone_services 2\n"));
    assert_non_null(strstr(text, "\nempusa_zone_revision 8\n"));
    http_service_stop(&service);
}

static void time_is_counted_by_state(void **state)
{
    (void)state;
    struct http_service service;
    http_service_init(&service);
    struct metrics_times *times = &service.pages.own_times;
    times->since_ms -= 1000;
    status_pages_set_state(&service.pages, ANSWER_FRESH);
    assert_in_range(times->spent_ms[ANSWER_NOT_READY], 1000, 9000);
    assert_int_equal(times->stale_since_ms, 0);
    times->since_ms -= 2000;
    status_pages_set_state(&service.pages, ANSWER_STALE);
    assert_in_range(times->spent_ms[ANSWER_FRESH], 2000, 9000);
    uint64_t stale_ms = times->stale_since_ms;
    assert_int_equal(stale_ms, times->since_ms);
    times->since_ms -= 3000;
    status_pages_set_state(&service.pages, ANSWER_EXPIRED);
    assert_int_equal(times->stale_since_ms, stale_ms); /* it is the same outage */
    status_pages_set_state(&service.pages, ANSWER_STALE);
    assert_int_equal(times->stale_since_ms, stale_ms);
    times->since_ms -= 10000;
    status_pages_set_state(&service.pages, ANSWER_FRESH);
    assert_in_range(times->spent_ms[ANSWER_STALE], 13000, 22000);
    assert_int_equal(times->stale_since_ms, 0);
    assert_int_equal(service.pages.times.state, ANSWER_NOT_READY); /* of the last turn */
    status_pages_turn(&service.pages);
    assert_memory_equal(&service.pages.times, times, sizeof(*times));
    http_service_stop(&service);
}

static void the_control_thread_does_not_wait_for_a_reader(void **state)
{
    (void)state;
    struct http_service service;
    unsigned status;
    http_service_init(&service);
    pthread_mutex_lock(&service.pages.lock);
    status_pages_turn(&service.pages);
    assert_string_equal(show(&service, "/healthz", NULL, &status), "ok\n");
    pthread_mutex_unlock(&service.pages.lock);
    http_service_stop(&service);
}

static void hosts_that_are_not_ours_get_probes_and_metrics_only(void **state)
{
    static const struct {
        const char *host; /* NULL: none */
        bool is_ours;
    } rows[] = {
        {NULL, true},
        {"", true},
        {"127.0.0.1", true},
        {"127.0.0.1:9153", true},
        {"192.0.2.7:80", true},
        {"[::1]", true},
        {"[2001:db8::1]:9153", true},
        {"localhost", true},
        {"LocalHost:9153", true},
        {"status.example", true},
        {"Status.Example:80", true},
        {"other.example:80", true},
        {"evil.example", false},
        {"evil.example:9153", false},
        {"localhost.evil.example", false},
        {"evil.localhost", false},
        {"localhos", false},
        {"localhost:x", false},
        {"localhost/", false},
        {"127.0.0.1.evil.example", false},
        {"1.2.3", false},
    };
    (void)state;
    struct http_service service;
    char machine[256] = "";
    unsigned status;
    http_service_init(&service);
    http_service_set(&service, OPTION_HTTP_HOST, "status.example, other.example");
    for (size_t i = 0; i < COUNT; i++) {
        show(&service, "/", rows[i].host, &status);
        if (status != (rows[i].is_ours ? 404 : 421))
            fail_msg("%s: %u", rows[i].host, status);
    }
    assert_int_equal(gethostname(machine, sizeof(machine) - 1), 0);
    show(&service, "/", machine, &status);
    assert_int_equal(status, 404);
    static const char *const pages[] = {"/metrics", "/healthz", "/readyz"};
    for (size_t i = 0; i < 3; i++) {
        show(&service, pages[i], "evil.example", &status);
        assert_int_not_equal(status, 421);
    }
    http_service_stop(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readiness_follows_the_state),
        cmocka_unit_test(health_is_that_the_control_thread_has_turned),
        cmocka_unit_test(metrics_are_those_of_the_last_turn),
        cmocka_unit_test(time_is_counted_by_state),
        cmocka_unit_test(the_control_thread_does_not_wait_for_a_reader),
        cmocka_unit_test(hosts_that_are_not_ours_get_probes_and_metrics_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
