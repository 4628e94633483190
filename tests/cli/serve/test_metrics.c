#include "cli/serve/metrics.h"

#include "registry/etcd/endpoint.h"
#include "support/exposition.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* needs some of those above */

#define FIRST_COUNTER 1000000 /* numbers that nothing else in the text looks like */
#define FIRST_GAUGE   2000000

struct example {
    struct counters counters;
    struct zone_counts zone;
    struct follow_member members[ENDPOINT_LIST_MAX];
    struct metrics_input input;
    struct buffer text;
};

static void setup(struct example *example)
{
    memset(example, 0, sizeof(*example));
    example->input = (struct metrics_input){.version = "1.2.3",
                                            .domain = "empusa.internal",
                                            .counters = &example->counters,
                                            .zone = &example->zone,
                                            .members = example->members,
                                            .started_s = 1700000000};
    buffer_init(&example->text, METRICS_MAX);
}

static const char *write_text(struct example *example)
{
    buffer_clear(&example->text);
    metrics_write(&example->input, &example->text);
    assert_int_equal(example->text.status, STATUS_OK);
    assert_int_equal(example->text.len, strlen(example->text.data));
    return example->text.data;
}

static void assert_well_formed(const char *text)
{
    size_t families = 0;
    const char *fault = exposition_fault(text, &families);
    if (fault)
        fail_msg("%.*s", (int)strcspn(fault, "\n"), fault);
    assert_true(families > 30);
}

/* How many lines are this one. */
static unsigned lines(const char *text, const char *line)
{
    unsigned found = 0;
    for (; *text; text = strchr(text, '\n') + 1) {
        size_t len = strcspn(text, "\n");
        found += len == strlen(line) && strncmp(text, line, len) == 0;
    }
    return found;
}

static void assert_line(const char *text, const char *line)
{
    if (lines(text, line) != 1)
        fail_msg("%u times: %s", lines(text, line), line);
}

static void the_text_is_well_formed_whatever_the_numbers_are(void **state)
{
    static char names[ENDPOINT_LIST_MAX][300]; /* as long as an endpoint can be */
    (void)state;
    struct example example;
    setup(&example);
    assert_well_formed(write_text(&example));
    example.input.process.resident_bytes = example.input.process.open_fds = UINT64_MAX;
    memset(&example.counters, 0xff, sizeof(example.counters));
    memset(&example.zone, 0xff, sizeof(example.zone));
    example.zone.revision = INT64_MAX;
    memset(&example.input.hosts, 0xff, sizeof(example.input.hosts));
    example.input.started_s = example.input.now_ms = UINT64_MAX;
    example.input.heard_ms = 1;
    memset(&example.input.times, 0xff, sizeof(example.input.times));
    example.input.times.state = ANSWER_EXPIRED;
    memset(&example.input.follow, 0xff, sizeof(example.input.follow));
    example.input.follow.newest = example.input.follow.proven = INT64_MAX;
    for (size_t i = 0; i < ENDPOINT_LIST_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "%zu%0297d", i % 10, (int)i);
        example.members[i] = (struct follow_member){names[i], UINT64_MAX, UINT64_MAX, true};
    }
    example.input.member_count = ENDPOINT_LIST_MAX;
    assert_well_formed(write_text(&example));
    assert_true(example.text.len < METRICS_MAX / 2);
    buffer_clear(&example.text);
}

static void every_counter_and_every_gauge_is_told_once(void **state)
{
    (void)state;
    struct example example;
    setup(&example);
    uint64_t *counters = (uint64_t *)&example.counters, *gauges = (uint64_t *)&example.zone;
    size_t counter_count = sizeof(example.counters) / sizeof(*counters);
    size_t gauge_count = offsetof(struct zone_counts, serial) / sizeof(*gauges);
    for (size_t i = 0; i < counter_count; i++)
        counters[i] = FIRST_COUNTER + i;
    for (size_t i = 0; i < gauge_count; i++)
        gauges[i] = FIRST_GAUGE + i;
    const char *text = write_text(&example);
    for (size_t i = 0; i < counter_count + gauge_count; i++) {
        uint64_t value = i < counter_count ? counters[i] : gauges[i - counter_count];
        char end[32];
        snprintf(end, sizeof(end), " %" PRIu64 "\n", value);
        const char *found = strstr(text, end);
        /* What is served is skipped for no reason. */
        bool is_told = value != example.zone.skipped[SKIP_NONE];
        if ((found != NULL) != is_told || (found && strstr(found + 1, end)))
            fail_msg("number %zu is told never or twice", i);
    }
    buffer_clear(&example.text);
}

static void numbers_stand_where_their_labels_say(void **state)
{
    static const char *const rows[] = {
        "empusa_dns_queries_total{transport=\"udp\",type=\"SRV\"} 11",
        "empusa_dns_queries_total{transport=\"tcp\",type=\"OTHER\"} 12",
        "empusa_dns_queries_total{transport=\"tcp\",type=\"A\"} 0",
        "empusa_dns_responses_total{transport=\"udp\",rcode=\"NXDOMAIN\"} 13",
        "empusa_dns_responses_total{transport=\"tcp\",rcode=\"BADVERS\"} 14",
        "empusa_dns_responses_total{transport=\"udp\",rcode=\"BADCOOKIE\"} 15",
        "empusa_dns_truncated_total 16",
        "empusa_zone_services 17",
        "empusa_zone_hosts_without_address 18",
        "empusa_zone_skipped{reason=\"bad_value\"} 19",
        "empusa_zone_skipped{reason=\"no_memory\"} 0",
        "empusa_zone_serial 4294967295",
        "empusa_zone_revision 9223372036854775807",
        "empusa_zone_info{domain=\"empusa.internal\"} 1",
        "empusa_build_info{version=\"1.2.3\"} 1",
        "empusa_guard_held 24",
        "empusa_guard_holds_total 25",
        "empusa_guard_judged_total{verdict=\"expired\"} 26",
        "empusa_guard_judged_total{verdict=\"deleted\"} 27",
        "empusa_guard_ended_total{reason=\"returned\"} 28",
        "empusa_guard_ended_total{reason=\"released\"} 29",
        "empusa_guard_ended_total{reason=\"deleted\"} 30",
        "empusa_log_lines_lost_total 22",
        "empusa_log_lines_rate_limited_total 23",
        "empusa_process_start_time_seconds 1700000000",
        "empusa_process_resident_memory_bytes 20",
        "empusa_process_open_fds 21",
        "# HELP empusa_dns_truncated_total DNS: answers with TC set.",
    };
    (void)state;
    struct example example;
    setup(&example);
    example.counters.queries[QUERY_UDP][COUNTERS_TYPE_SRV] = 11;
    example.counters.queries[QUERY_TCP][COUNTERS_TYPE_OTHER] = 12;
    example.counters.rcodes[QUERY_UDP][3] = 13;
    example.counters.rcodes[QUERY_TCP][16] = 14;
    example.counters.rcodes[QUERY_UDP][23] = 15;
    example.counters.truncated = 16;
    example.zone.services = 17;
    example.zone.hosts_without_address = 18;
    example.zone.skipped[SKIP_BAD_VALUE] = 19;
    example.zone.serial = UINT32_MAX;
    example.zone.revision = INT64_MAX;
    example.input.process = (struct metrics_process){20, 21};
    example.input.lines_lost = 22;
    example.input.lines_rate_limited = 23;
    example.input.guard = (struct guard_counts){24, 25, 26, 27, 28, 29, 30};
    const char *text = write_text(&example);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_line(text, rows[i]);
    buffer_clear(&example.text);
}

static void exactly_one_state_is_1(void **state)
{
    static const char *const names[] = {[ANSWER_NOT_READY] = "not_ready",
                                        [ANSWER_FRESH] = "fresh",
                                        [ANSWER_STALE] = "stale",
                                        [ANSWER_EXPIRED] = "expired"};
    (void)state;
    struct example example;
    setup(&example);
    for (unsigned is = 0; is < 4; is++) {
        example.input.state = (enum answer_state)is;
        const char *text = write_text(&example);
        for (unsigned i = 0; i < 4; i++) {
            char line[64];
            snprintf(line, sizeof(line), "empusa_zone_state{state=\"%s\"} %d", names[i], i == is);
            assert_line(text, line);
        }
    }
    buffer_clear(&example.text);
}

static void what_is_saved_is_told_where_there_is_a_directory(void **state)
{
    (void)state;
    struct example example;
    setup(&example);
    assert_null(strstr(write_text(&example), "state_dir"));
    example.input.has_state_dir = true;
    example.input.saved =
        (struct state_writer_counts){.age_ms = 1234, .bytes = 8192, .failures = 3};
    const char *text = write_text(&example);
    assert_line(text, "empusa_state_dir_age_seconds 1.234");
    assert_line(text, "empusa_state_dir_bytes 8192");
    assert_line(text, "empusa_state_dir_write_failures_total 3");
    assert_well_formed(text);
    example.input.saved = (struct state_writer_counts){.age_ms = UINT64_MAX};
    text = write_text(&example);
    assert_line(text, "empusa_state_dir_age_seconds +Inf");
    assert_well_formed(text);
    buffer_clear(&example.text);
}

static void silence_is_told_in_seconds(void **state)
{
    static const struct {
        uint64_t now_ms, heard_ms;
        const char *line;
    } rows[] = {
        {5000, 0, "empusa_etcd_silence_seconds +Inf"},
        {5000, 5000, "empusa_etcd_silence_seconds 0.000"},
        {5000, 3965, "empusa_etcd_silence_seconds 1.035"},
        {5000, 5001, "empusa_etcd_silence_seconds 0.000"},
        {86405000, 5000, "empusa_etcd_silence_seconds 86400.000"},
    };
    (void)state;
    struct example example;
    setup(&example);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        example.input.now_ms = rows[i].now_ms;
        example.input.heard_ms = rows[i].heard_ms;
        assert_line(write_text(&example), rows[i].line);
    }
    buffer_clear(&example.text);
}

static void times_in_states_go_on_until_now(void **state)
{
    static const char *const rows[] = {
        "empusa_zone_state_seconds_total{state=\"not_ready\"} 1.250",
        "empusa_zone_state_seconds_total{state=\"fresh\"} 2.000",
        "empusa_zone_state_seconds_total{state=\"stale\"} 13.000",
        "empusa_zone_state_seconds_total{state=\"expired\"} 0.000",
        "empusa_zone_stale_seconds 10.000",
    };
    (void)state;
    struct example example;
    setup(&example);
    example.input.now_ms = 50000;
    example.input.times = (struct metrics_times){
        ANSWER_STALE,
        40000,
        40000,
        {[ANSWER_NOT_READY] = 1250, [ANSWER_FRESH] = 2000, [ANSWER_STALE] = 3000}};
    const char *text = write_text(&example);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_line(text, rows[i]);
    example.input.times.stale_since_ms = 0;
    assert_line(write_text(&example), "empusa_zone_stale_seconds 0.000");
    example.input.times.since_ms = example.input.times.stale_since_ms =
        50001; /* since the time was taken */
    text = write_text(&example);
    assert_line(text, "empusa_zone_stale_seconds 0.000");
    assert_line(text, "empusa_zone_state_seconds_total{state=\"stale\"} 3.000");
    buffer_clear(&example.text);
}

static void the_lag_is_what_is_not_proven(void **state)
{
    static const struct {
        int64_t newest, proven;
        uint64_t proven_ms;
        const char *seconds, *revisions;
    } rows[] = {
        {0, 0, 0, "empusa_data_lag_seconds +Inf", "empusa_data_lag_revisions 0"},
        {7, 7, 49000, "empusa_data_lag_seconds 1.000", "empusa_data_lag_revisions 0"},
        {1007, 7, 20500, "empusa_data_lag_seconds 29.500", "empusa_data_lag_revisions 1000"},
        {7, 9, 50001, "empusa_data_lag_seconds 0.000", "empusa_data_lag_revisions 0"},
    };
    (void)state;
    struct example example;
    setup(&example);
    example.input.now_ms = 50000;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        example.input.follow.newest = rows[i].newest;
        example.input.follow.proven = rows[i].proven;
        example.input.follow.proven_ms = rows[i].proven_ms;
        const char *text = write_text(&example);
        assert_line(text, rows[i].seconds);
        assert_line(text, rows[i].revisions);
    }
    buffer_clear(&example.text);
}

static void members_are_told_by_their_names(void **state)
{
    static const char *const rows[] = {
        "empusa_etcd_connects_total{member=\"10.0.0.7:2379\"} 3",
        "empusa_etcd_failures_total{member=\"10.0.0.7:2379\"} 5",
        "empusa_etcd_watched{member=\"10.0.0.7:2379\"} 1",
        "empusa_etcd_connects_total{member=\"[fd00::7]:2379\"} 0",
        "empusa_etcd_failures_total{member=\"[fd00::7]:2379\"} 9",
        "empusa_etcd_watched{member=\"[fd00::7]:2379\"} 0",
        "empusa_etcd_connects_total{member=\"a\\\"b\\\\x0a\"} 0",
        "empusa_etcd_outages_total 31",
        "empusa_etcd_loads_total 32",
    };
    (void)state;
    struct example example;
    setup(&example);
    assert_null(strstr(write_text(&example), "member=")); /* before discovery has found some */
    example.members[0] = (struct follow_member){"10.0.0.7:2379", 3, 5, true};
    example.members[1] = (struct follow_member){"[fd00::7]:2379", 0, 9, false};
    example.members[2] = (struct follow_member){"a\"b\n", 0, 0, false};
    example.input.member_count = 3;
    example.input.follow.outages = 31;
    example.input.follow.loads = 32;
    const char *text = write_text(&example);
    assert_well_formed(text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_line(text, rows[i]);
    buffer_clear(&example.text);
}

static void a_label_cannot_break_out_of_its_quotes(void **state)
{
    static const struct {
        const char *domain, *line;
    } rows[] = {
        {"a\"b", "empusa_zone_info{domain=\"a\\\"b\"} 1"},
        {"a\\.b", "empusa_zone_info{domain=\"a\\\\.b\"} 1"},
        {"a\nb\"} 1", "empusa_zone_info{domain=\"a\\\\x0ab\\\"} 1\"} 1"},
        {"a\xff", "empusa_zone_info{domain=\"a\\\\xff\"} 1"},
        {"", "empusa_zone_info{domain=\"\"} 1"},
    };
    (void)state;
    struct example example;
    setup(&example);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        example.input.domain = rows[i].domain;
        const char *text = write_text(&example);
        assert_well_formed(text);
        assert_line(text, rows[i].line);
    }
    buffer_clear(&example.text);
}

static void what_could_not_be_read_is_left_out(void **state)
{
    (void)state;
    struct example example;
    setup(&example);
    const char *text = write_text(&example);
    assert_null(strstr(text, "empusa_process_open_fds"));
    assert_null(strstr(text, "empusa_process_resident_memory_bytes"));
    buffer_clear(&example.text);
}

static void text_that_has_no_room_is_an_error_that_stays(void **state)
{
    (void)state;
    struct example example;
    setup(&example);
    write_text(&example);
    while (example.text.status == STATUS_OK) {
        assert_true(example.text.len <= METRICS_MAX);
        metrics_write(&example.input, &example.text);
    }
    assert_int_equal(example.text.status, STATUS_TOO_LARGE);
    assert_true(example.text.len <= METRICS_MAX);
    assert_int_equal(example.text.len, strlen(example.text.data));
    size_t len = example.text.len;
    metrics_write(&example.input, &example.text);
    assert_int_equal(example.text.len, len);
    buffer_clear(&example.text);
}

static void the_process_knows_its_memory_and_descriptors(void **state)
{
    (void)state;
    struct metrics_process before, after;
    metrics_process(&before);
    assert_true(before.open_fds > 0);
    assert_true(before.resident_bytes > 100000 && before.resident_bytes < (uint64_t)1 << 40);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    metrics_process(&after);
    assert_int_equal(after.open_fds, before.open_fds + 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_well_formed_whatever_the_numbers_are),
        cmocka_unit_test(every_counter_and_every_gauge_is_told_once),
        cmocka_unit_test(numbers_stand_where_their_labels_say),
        cmocka_unit_test(exactly_one_state_is_1),
        cmocka_unit_test(silence_is_told_in_seconds),
        cmocka_unit_test(times_in_states_go_on_until_now),
        cmocka_unit_test(the_lag_is_what_is_not_proven),
        cmocka_unit_test(members_are_told_by_their_names),
        cmocka_unit_test(what_is_saved_is_told_where_there_is_a_directory),
        cmocka_unit_test(a_label_cannot_break_out_of_its_quotes),
        cmocka_unit_test(what_could_not_be_read_is_left_out),
        cmocka_unit_test(text_that_has_no_room_is_an_error_that_stays),
        cmocka_unit_test(the_process_knows_its_memory_and_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
