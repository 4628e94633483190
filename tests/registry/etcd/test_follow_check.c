/* What a store's answers say of whether it is the one that was followed. */
#include "registry/etcd/follow_check.h"

#include "registry/etcd/client.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define HEADER(cluster, revision, term)                                                            \
    "\"header\":{\"cluster_id\":\"" cluster "\",\"member_id\":\"2\",\"revision\":\"" revision      \
    "\",\"raft_term\":\"" term "\"}"
/* Key "a". */
#define KV(create, mod, version, value, lease)                                                     \
    "{\"key\":\"YQ==\",\"create_revision\":\"" create "\",\"mod_revision\":\"" mod                 \
    "\",\"version\":\"" version "\",\"value\":\"" value "\",\"lease\":\"" lease "\"}"
#define THERE(kv) "{" HEADER("1", "20", "5") ",\"kvs\":[" kv "],\"count\":\"1\"}"
#define SEEN      THERE(KV("5", "9", "2", "Yg==", "7"))
#define BEFORE    THERE(KV("5", "7", "1", "YQ==", "7")) /* at the revision before */
#define NOT_THERE "{" HEADER("1", "20", "5") "}"
#define COMPACTED                                                                                  \
    "{\"error\":\"e\",\"message\":\"required revision has been compacted\",\"code\":11}"
#define UNAVAILABLE "{\"error\":\"e\",\"message\":\"etcdserver: no leader\",\"code\":14}"

enum newest { NEWEST_NONE, NEWEST_PUT, NEWEST_DELETED };

/* What the store answers, one read after another; NULL: it is not asked. */
struct row {
    const char *what;
    enum newest newest;
    const char *now, *before, *then;
    enum follow_check_result result;
    const char *why;
};

static const char history[] = "the store has another history";
static const char back[] = "the store has gone back";

static const struct row rows[] = {
    {"nothing was seen", NEWEST_NONE, NOT_THERE, NULL, NULL, FOLLOW_CHECK_SAME, ""},
    {"all is as it was", NEWEST_PUT, SEEN, NULL, SEEN, FOLLOW_CHECK_SAME, ""},
    {"it was changed since", NEWEST_PUT, THERE(KV("5", "12", "3", "Yw==", "7")), NULL, SEEN,
     FOLLOW_CHECK_SAME, ""},
    {"it was deleted since", NEWEST_PUT, NOT_THERE, NULL, SEEN, FOLLOW_CHECK_SAME, ""},
    {"another cluster", NEWEST_PUT, "{" HEADER("2", "20", "5") "}", NULL, NULL,
     FOLLOW_CHECK_DIFFERENT, "another cluster answers"},
    {"behind", NEWEST_NONE, "{" HEADER("1", "9", "5") "}", NULL, NULL, FOLLOW_CHECK_DIFFERENT,
     back},
    {"just as far", NEWEST_NONE, "{" HEADER("1", "10", "5") "}", NULL, NULL, FOLLOW_CHECK_SAME, ""},
    {"an earlier term", NEWEST_NONE, "{" HEADER("1", "20", "3") "}", NULL, NULL,
     FOLLOW_CHECK_DIFFERENT, back},
    {"the same term", NEWEST_NONE, "{" HEADER("1", "20", "4") "}", NULL, NULL, FOLLOW_CHECK_SAME,
     ""},
    {"it never was", NEWEST_PUT, NOT_THERE, NULL, NOT_THERE, FOLLOW_CHECK_DIFFERENT, history},
    {"another value", NEWEST_PUT, SEEN, NULL, THERE(KV("5", "9", "2", "Yw==", "7")),
     FOLLOW_CHECK_DIFFERENT, history},
    {"another lease", NEWEST_PUT, SEEN, NULL, THERE(KV("5", "9", "2", "Yg==", "8")),
     FOLLOW_CHECK_DIFFERENT, history},
    {"created at another time", NEWEST_PUT, SEEN, NULL, THERE(KV("4", "9", "2", "Yg==", "7")),
     FOLLOW_CHECK_DIFFERENT, history},
    {"written more often", NEWEST_PUT, SEEN, NULL, THERE(KV("5", "9", "3", "Yg==", "7")),
     FOLLOW_CHECK_DIFFERENT, history},
    {"written earlier", NEWEST_PUT, SEEN, NULL, THERE(KV("5", "8", "2", "Yg==", "7")),
     FOLLOW_CHECK_DIFFERENT, history},
    {"compacted, and unchanged", NEWEST_PUT, SEEN, NULL, COMPACTED, FOLLOW_CHECK_SAME, ""},
    {"compacted, and changed", NEWEST_PUT, THERE(KV("5", "12", "3", "Yg==", "7")), NULL, COMPACTED,
     FOLLOW_CHECK_DIFFERENT, "its history cannot be compared any more"},
    {"deleted as it was", NEWEST_DELETED, NOT_THERE, BEFORE, NOT_THERE, FOLLOW_CHECK_SAME, ""},
    {"never there before", NEWEST_DELETED, NOT_THERE, NOT_THERE, NULL, FOLLOW_CHECK_DIFFERENT,
     history},
    {"not deleted", NEWEST_DELETED, SEEN, BEFORE, SEEN, FOLLOW_CHECK_DIFFERENT, history},
    {"put again since", NEWEST_DELETED, SEEN, BEFORE, NOT_THERE, FOLLOW_CHECK_SAME, ""},
    {"deleted and compacted", NEWEST_DELETED, NOT_THERE, COMPACTED, NULL, FOLLOW_CHECK_DIFFERENT,
     "its history cannot be compared any more"},
    {"not to be had", NEWEST_PUT, UNAVAILABLE, NULL, NULL, FOLLOW_CHECK_UNKNOWN, "no leader"},
    {"later not to be had", NEWEST_PUT, SEEN, NULL, UNAVAILABLE, FOLLOW_CHECK_UNKNOWN, "no leader"},
    {"nonsense", NEWEST_PUT, "{}", NULL, NULL, FOLLOW_CHECK_UNKNOWN, ""},
};

static struct client_loop client;
static struct fake_gateway gateway;

static struct {
    unsigned count;
    enum follow_check_result result;
    char why[512];
} done;

static void on_done(void *arg, enum follow_check_result result, const struct detail *why)
{
    (void)arg;
    done.count++;
    done.result = result;
    snprintf(done.why, sizeof(done.why), "%s", why->text);
}

static struct fake_row answer(const char *body)
{
    int status = !body ? 404 : strstr(body, "\"error\"") ? 400 : 200;
    if (body && strstr(body, "no leader"))
        status = 503;
    return (struct fake_row){"/v3/kv/range", status, body, FAKE_KEEP, 1};
}

static struct follow_check *begin(enum newest kind)
{
    struct follow_check_newest_key newest = {.is_deleted = kind == NEWEST_DELETED,
                                             .mod_revision = 9,
                                             .create_revision = 5,
                                             .version = 2};
    struct kv seen = {.value = "b", .value_len = 1, .lease = 7};
    newest.hash = follow_check_hash(&seen);
    buffer_init(&newest.key, 100);
    if (kind != NEWEST_NONE)
        buffer_add(&newest.key, "a", 1);
    struct follow_check_expected expected = {.prefix = "p",
                                             .prefix_len = 1,
                                             .revision = 10,
                                             .raft_term = 4,
                                             .cluster_id = 1,
                                             .newest_key = &newest};
    done.count = 0;
    struct follow_check *check =
        follow_check_start(client.etcd, &client.etcd->members.list[0], &expected, on_done, NULL);
    buffer_clear(&newest.key); /* all is copied */
    return check;
}

static void open_client(const struct fake_row *answers, size_t count)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, answers, count));
    assert_int_equal(
        client_loop_connect(&client, gateway.endpoint, (struct etcd_options){.timeout_ms = 1000}),
        STATUS_OK);
}

static void close_client(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

static void a_store_is_judged_by_its_history(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct fake_row answers[4] = {
            {"/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0}};
        const char *const bodies[] = {row->now, row->before, row->then};
        size_t count = 1;
        for (size_t k = 0; k < 3; k++)
            if (bodies[k])
                answers[count++] = answer(bodies[k]);
        open_client(answers, count);
        assert_non_null(begin(row->newest));
        CLIENT_LOOP_UNTIL(&client, done.count, 5000);
        if (done.count != 1 || done.result != row->result || !strstr(done.why, row->why) ||
            (row->result != FOLLOW_CHECK_UNKNOWN && strcmp(done.why, row->why) != 0) ||
            gateway.asked != count)
            fail_msg("%s: %u times %d, \"%s\", asked %u times", row->what, done.count, done.result,
                     done.why, gateway.asked);
        close_client();
    }
}

/* The body of the last of the reads that are answered thus. */
static const char *last_read(enum newest newest, const char *now, const char *next)
{
    struct fake_row answers[] = {
        {"/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0}, answer(now), answer(next)};
    static char body[sizeof(gateway.last_body)];
    open_client(answers, 3);
    assert_non_null(begin(newest));
    CLIENT_LOOP_UNTIL(&client, done.count, 5000);
    memcpy(body, gateway.last_body, sizeof(body));
    close_client();
    return body;
}

/* Of a deleted key nothing but its being there is compared, so its value need not be sent. */
static void what_is_asked_is_the_newest_key_at_its_revision(void **state)
{
    (void)state;
    assert_string_equal(last_read(NEWEST_NONE, NOT_THERE, NULL),
                        "{\"key\":\"cA==\",\"keys_only\":true}");
    assert_string_equal(last_read(NEWEST_PUT, SEEN, SEEN), "{\"key\":\"YQ==\",\"revision\":\"9\"}");
    assert_string_equal(last_read(NEWEST_DELETED, NOT_THERE, NOT_THERE),
                        "{\"key\":\"YQ==\",\"revision\":\"8\",\"keys_only\":true}");
}

static void one_that_was_cancelled_tells_nothing(void **state)
{
    struct fake_row answers[] = {{"/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0},
                                 answer(SEEN)};
    (void)state;
    open_client(answers, 2);
    struct follow_check *check = begin(NEWEST_PUT);
    client_loop_run_for(&client, 20);
    follow_check_cancel(check);
    client_loop_run_for(&client, 100);
    assert_int_equal(done.count, 0);
    close_client();
}

static void value_and_lease_tell_events_apart(void **state)
{
    (void)state;
    struct kv a = {.value = "ab", .value_len = 2, .lease = 7}, b = a;
    assert_int_equal(follow_check_hash(&a), follow_check_hash(&b));
    b.lease = 8;
    assert_int_not_equal(follow_check_hash(&a), follow_check_hash(&b));
    b = a;
    b.value_len = 1;
    assert_int_not_equal(follow_check_hash(&a), follow_check_hash(&b));
    b.value = "ba";
    b.value_len = 2;
    assert_int_not_equal(follow_check_hash(&a), follow_check_hash(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_is_judged_by_its_history),
        cmocka_unit_test(what_is_asked_is_the_newest_key_at_its_revision),
        cmocka_unit_test(one_that_was_cancelled_tells_nothing),
        cmocka_unit_test(value_and_lease_tell_events_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
