/* A watch stream as a server may send it, and what the mirror makes of it. */
#include "registry/etcd/client.h"
#include "registry/etcd/follow.h"
#include "registry/etcd/watch.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define VERSION34 "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}"
#define HEADER(revision)                                                                           \
    "\"header\":{\"cluster_id\":\"1\",\"revision\":\"" revision "\",\"raft_term\":\"2\"}"
#define CREATED "{\"result\":{" HEADER("7") ",\"created\":true}}\n"
#define PUT                                                                                        \
    "{\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"8\",\"version\":\"1\",\"value\":\"Yg==\"}}"
#define DELETE "{\"type\":\"DELETE\",\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"9\"}}"
#define KEPT(key, revision)                                                                        \
    "{\"key\":\"" key "\",\"mod_revision\":\"" revision "\",\"value\":\"Yg==\"}"
#define LINE "{\"result\":{" HEADER("5000") ",\"events\":[" PUT "," DELETE "]}}\n"

static struct client_loop client;
static struct fake_gateway gateway;

struct outcome {
    char told[256];
    unsigned lost;
    enum status status;
    struct detail why;
    struct watch **stop;
};

static void tell(struct outcome *outcome, char mark, int64_t number)
{
    size_t len = strlen(outcome->told);
    assert_int_equal(outcome->lost, 0);
    snprintf(outcome->told + len, sizeof(outcome->told) - len, "%c%ld ", mark, (long)number);
    if (outcome->stop && *outcome->stop) {
        watch_stop(*outcome->stop);
        *outcome->stop = NULL;
    }
}

static void on_created(void *arg, const struct gateway_reply_header *header)
{
    tell(arg, 'C', header->revision);
}

static void on_put(void *arg, const struct kv *kv)
{
    assert_string_equal(kv->key, "a");
    assert_string_equal(kv->value, "b");
    tell(arg, 'P', kv->mod_revision);
}

static void on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    assert_true(key_len == 1 && key[0] == 'a');
    tell(arg, 'R', revision);
}

static void on_whole(void *arg, int64_t revision)
{
    tell(arg, 'W', revision);
}

static void on_lost(void *arg, enum status status, const struct detail *why)
{
    struct outcome *outcome = arg;
    outcome->lost++;
    outcome->status = status;
    outcome->why = *why;
}

static const struct watch_events events = {on_created, on_put, on_remove, on_whole, on_lost};

/* What the server sends, what is told, and how the watch is lost. */
static const struct {
    int http_status;
    const char *body;
    enum fake_end end;
    const char *told;
    enum status status;
    const char *why;
} rows[] = {
    {200, CREATED LINE, FAKE_EOF, "C7 P8 R9 W9 ", STATUS_UNREACHABLE, "the stream ended"},
    {200, CREATED LINE, FAKE_CUT, "C7 P8 R9 W9 ", STATUS_UNREACHABLE, ""},
    /* a line that breaks off is told as far as it came, but is not whole */
    {200, CREATED "{\"result\":{" HEADER("8") ",\"events\":[" PUT, FAKE_EOF, "C7 P8 ",
     STATUS_UNREACHABLE, ""},
    /* the header is ahead of the events */
    {200,
     CREATED "{\"result\":{" HEADER("5000") ",\"events\":[" PUT
                                            "]}}\n{\"result\":{" HEADER("5001") "}}\n",
     FAKE_EOF, "C7 P8 W8 ", STATUS_UNREACHABLE, ""},
    {200,
     CREATED "{\"result\":{\"header\":{\"raft_term\":\"2\"},\"canceled\":true,"
             "\"compact_revision\":\"20\"}}\n",
     FAKE_CHUNK, "C7 ", STATUS_COMPACTED, "compacted"},
    {200,
     "{\"result\":{" HEADER("7") ",\"watch_id\":\"-1\",\"created\":true,\"canceled\":true,"
                                 "\"cancel_reason\":\"rpc error: code = PermissionDenied desc = "
                                 "etcdserver: permission "
                                 "denied\"}}\n",
     FAKE_CHUNK, "", STATUS_DENIED, "permission denied"},
    {200, "{\"result\":{" HEADER("7") ",\"canceled\":true}}\n", FAKE_CHUNK, "", STATUS_UNREACHABLE,
     "cancelled by the server"},
    {200,
     CREATED "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: no "
             "leader\"}}",
     FAKE_CHUNK, "C7 ", STATUS_UNREACHABLE, "no leader"},
    {200, CREATED "{\"error\":{\"code\":14, \"message\":\"transport is closing\"}}\n", FAKE_EOF,
     "C7 ", STATUS_UNREACHABLE, "transport is closing"},
    {200, CREATED "{\"result\":{\"events\":[{\"kv\":{}}]}}", FAKE_CHUNK, "C7 ", STATUS_BAD_REPLY,
     "makes no sense"},
    /* what etcd would never say */
    {200, "{}", FAKE_CHUNK, "", STATUS_BAD_REPLY, ""},
    {200, "{\"result\":{\"created\":true}}\n", FAKE_CHUNK, "", STATUS_BAD_REPLY, "makes no sense"},
    {200, "{\"result\":{" HEADER("0") ",\"created\":true}}\n", FAKE_CHUNK, "", STATUS_BAD_REPLY,
     "makes no sense"},
    {200, "{\"result\":{" HEADER("7") "}}\n", FAKE_CHUNK, "", STATUS_BAD_REPLY, "makes no sense"},
    {200, LINE, FAKE_CHUNK, "", STATUS_BAD_REPLY, "makes no sense"},
    {200, CREATED CREATED, FAKE_CHUNK, "C7 ", STATUS_BAD_REPLY, "makes no sense"},
    {200,
     CREATED "{\"result\":{" HEADER("8") ",\"events\":[{\"type\":\"EXPIRE\",\"kv\":" KEPT(
         "YQ==", "8") "}]}}\n",
     FAKE_CHUNK, "C7 ", STATUS_BAD_REPLY, "makes no sense"},
    {200, CREATED "{\"result\":{" HEADER("8") ",\"events\":[{\"kv\":" KEPT("Yg==", "8") "}]}}\n",
     FAKE_CHUNK, "C7 ", STATUS_BAD_REPLY, "makes no sense"}, /* outside */
    {200, CREATED "{\"result\":{" HEADER("8") ",\"events\":[{\"kv\":" KEPT("YQ==", "7") "}]}}\n",
     FAKE_CHUNK, "C7 ", STATUS_BAD_REPLY, "makes no sense"}, /* of the past */
    {200, CREATED "{\"result\":{" HEADER("9") ",\"events\":[" DELETE "," PUT "]}}\n", FAKE_CHUNK,
     "C7 R9 ", STATUS_BAD_REPLY, "makes no sense"},
    {200, CREATED "{\"result\":{" HEADER("8") ",\"events\":[" DELETE "]}}\n", FAKE_CHUNK, "C7 ",
     STATUS_BAD_REPLY, "makes no sense"}, /* of the future */
    {200, CREATED "{\"result\":{\"events\":[" DELETE "]," HEADER("8") "}}\n", FAKE_CHUNK, "C7 R9 ",
     STATUS_BAD_REPLY, "makes no sense"}, /* the same, found late */
    {200, CREATED "{\"result\":{\"events\":[" PUT "]}}\n", FAKE_CHUNK, "C7 P8 ", STATUS_BAD_REPLY,
     "makes no sense"},
    {200,
     CREATED
     "{\"result\":{" HEADER("8") ",\"events\":[{\"type\":1.5,\"kv\":" KEPT("YQ==", "8") "}]}}\n",
     FAKE_CHUNK, "C7 ", STATUS_BAD_REPLY, "makes no sense"},
    {200, CREATED "{\"result\":{" HEADER("8") ",\"events\":{\"kv\":" KEPT("YQ==", "8") "}}}\n",
     FAKE_CHUNK, "C7 ", STATUS_BAD_REPLY, "makes no sense"}, /* one, and no list */
    {200, CREATED "{\"result\":{" HEADER("9223372036854775807") "}}\n", FAKE_CHUNK, "C7 ",
     STATUS_BAD_REPLY, "makes no sense"}, /* without a successor */
    {200, " ", FAKE_CHUNK, "", STATUS_TIMED_OUT, "no answer in time"},
    {200, "hello", FAKE_CHUNK, "", STATUS_BAD_REPLY, "makes no sense"},
    {503, "{\"message\":\"etcdserver: no leader\",\"code\":14}", FAKE_KEEP, "", STATUS_UNREACHABLE,
     "no leader"},
    {200, NULL, FAKE_MUTE, "", STATUS_TIMED_OUT, "no answer in time"},
    {200, NULL, FAKE_RESET, "", STATUS_UNREACHABLE, "reset by peer"},
};

static void open_fake(const struct fake_row *fakes, size_t count)
{
    client_loop_open(&client);
    assert_true(fake_gateway_start(&gateway, &client.loop, fakes, count));
    assert_int_equal(client_loop_connect(&client, gateway.endpoint, (struct etcd_options){0}),
                     STATUS_OK);
}

static void close_fake(void)
{
    client_loop_close_client(&client);
    fake_gateway_stop(&gateway);
    assert_int_equal(client_loop_close(&client), 0);
}

static struct watch *start(struct outcome *outcome)
{
    const struct kv_range range = {
        .key = "a", .key_len = 1, .end = "b", .end_len = 1, .revision = 8};
    return watch_start(client.etcd, &client.etcd->members.list[0], &range, &events, outcome);
}

static void streams_are_told_as_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct fake_row fakes[] = {
            {"/version", 200, VERSION34, FAKE_KEEP, 0},
            {"/v3/watch", rows[i].http_status, rows[i].body, rows[i].end, 0},
        };
        struct outcome outcome = {.told = ""};
        open_fake(fakes, 2);
        assert_non_null(start(&outcome));
        CLIENT_LOOP_UNTIL(&client, outcome.lost, 5000);
        assert_int_equal(outcome.lost, 1);
        assert_string_equal(outcome.told, rows[i].told);
        assert_int_equal(outcome.status, rows[i].status);
        assert_non_null(strstr(outcome.why.text, rows[i].why));
        assert_non_null(strstr(gateway.last_head, "Grpc-Metadata-hasleader: true"));
        assert_non_null(strstr(gateway.last_body, "\"start_revision\":\"8\""));
        close_fake();
    }
}

static void a_stream_may_idle_and_be_stopped_anywhere(void **state)
{
    (void)state;
    static const struct fake_row fakes[] = {{"/version", 200, VERSION34, FAKE_KEEP, 0},
                                            {"/v3/watch", 200, CREATED LINE, FAKE_CHUNK, 0}};
    open_fake(fakes, 2);
    struct outcome idle = {.told = ""};
    struct watch *watch = start(&idle);
    CLIENT_LOOP_UNTIL(&client, false, 3000); /* longer than an attempt may take */
    assert_string_equal(idle.told, "C7 P8 R9 W9 ");
    assert_int_equal(idle.lost, 0);
    assert_false(watch_in_batch(watch));
    watch_stop(watch);
    struct outcome stopped = {.told = ""};
    watch = start(&stopped);
    stopped.stop = &watch;
    CLIENT_LOOP_UNTIL(&client, !watch, 3000);
    CLIENT_LOOP_UNTIL(&client, false, 100);
    assert_string_equal(stopped.told, "C7 ");
    assert_int_equal(stopped.lost, 0);
    close_fake();
}

/* An owner that counts. */
struct owner {
    unsigned loads, ends, commits, losses;
    char reasons[4][64];
    int64_t revision;
    uint64_t count;
    bool is_live;
};

static void owner_load_begin(void *arg)
{
    struct owner *owner = arg;
    owner->loads++;
    owner->count = 0;
}

static void owner_put(void *arg, const struct kv *kv)
{
    struct owner *owner = arg;
    (void)kv;
    owner->count++;
}

static void owner_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    struct owner *owner = arg;
    (void)key, (void)key_len, (void)revision;
    owner->count--;
}

static void owner_load_end(void *arg, int64_t revision)
{
    struct owner *owner = arg;
    (void)revision;
    owner->ends++;
}

static void owner_commit(void *arg, int64_t revision)
{
    struct owner *owner = arg;
    owner->commits++;
    owner->revision = revision;
}

static void owner_contact(void *arg, bool is_live, const struct detail *why)
{
    struct owner *owner = arg;
    owner->is_live = is_live;
    if (!is_live && owner->losses < 4)
        snprintf(owner->reasons[owner->losses], sizeof(owner->reasons[0]), "%.63s", why->text);
    owner->losses += !is_live;
}

static uint64_t owner_count(void *arg)
{
    struct owner *owner = arg;
    return owner->count;
}

static const struct follow_events owner_events = {owner_load_begin, owner_put,    owner_remove,
                                                  owner_load_end,   owner_commit, owner_contact,
                                                  owner_count};

#define RANGE(revision)                                                                            \
    "{" HEADER(revision) ",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"5\","                  \
                         "\"mod_revision\":\"7\",\"version\":\"1\",\"value\":\"Yg==\"}],"          \
                         "\"count\":\"1\"}"

/* The first watch ends at once. What the second says, what later reads say, and whether that means
 * another load. */
static const struct {
    const char *created, *read;
    unsigned loads;
} resumptions[] = {
    {"{\"result\":{" HEADER("9") ",\"created\":true}}\n", RANGE("9"), 1},
    {"{\"result\":{" HEADER("20008") ",\"created\":true}}\n", RANGE("20008"), 2},
    {"{\"result\":{\"header\":{\"cluster_id\":\"2\",\"revision\":\"7\"},\"created\":true}}\n",
     RANGE("9"), 2},
    /* a follower that lags is no reason, a store that went back is one */
    {"{\"result\":{" HEADER("6") ",\"created\":true}}\n", RANGE("9"), 1},
    {"{\"result\":{" HEADER("6") ",\"created\":true}}\n",
     "{" HEADER("6") ",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"5\",\"mod_revision\":\"6\","
                     "\"version\":\"1\"}],\"count\":\"1\"}",
     2},
    /* the newest key was never there as it was seen */
    {"{\"result\":{" HEADER("9") ",\"created\":true}}\n",
     "{" HEADER("9") ",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"4\",\"mod_revision\":\"7\","
                     "\"version\":\"2\"}],\"count\":\"1\"}",
     2},
    {"{\"result\":{" HEADER("9") ",\"created\":true}}\n", "{" HEADER("9") "}", 2},
};

static void a_doubtful_history_is_loaded_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(resumptions) / sizeof(resumptions[0]); i++) {
        const struct fake_row fakes[] = {
            {"/version", 200, VERSION34, FAKE_KEEP, 0},
            {"/v3/kv/range", 200, RANGE("7"), FAKE_KEEP, 1},
            {"/v3/kv/range", 200, resumptions[i].read, FAKE_KEEP, 2},
            {"/v3/kv/range", 200, RANGE("9"), FAKE_KEEP, 0},
            {"/v3/watch", 200, CREATED, FAKE_EOF, 1},
            {"/v3/watch", 200, resumptions[i].created, FAKE_CHUNK, 1},
            {"/v3/watch", 200, "{\"result\":{" HEADER("9") ",\"created\":true}}\n", FAKE_CHUNK, 0},
        };
        struct owner owner = {0};
        struct follow *mirror;
        open_fake(fakes, 7);
        assert_int_equal(follow_start(client.etcd, "a", 1, &owner_events, &owner, &mirror),
                         STATUS_OK);
        CLIENT_LOOP_UNTIL(&client,
                          owner.ends == resumptions[i].loads && owner.is_live &&
                              gateway.used[4] + gateway.used[5] == 2,
                          3000);
        CLIENT_LOOP_UNTIL(&client, false, 300);
        if (owner.loads != resumptions[i].loads)
            fail_msg("row %zu: %u loads", i, owner.loads);
        assert_int_equal(owner.count, 1);
        assert_true(owner.is_live);
        follow_stop(mirror);
        close_fake();
    }
}

/* An outage has three faces, two of which come again and again. */
static void each_reason_of_an_outage_is_told_once(void **state)
{
    (void)state;
    static const struct fake_row fakes[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, RANGE("7"), FAKE_KEEP, 1},
        {"/v3/kv/range", 503, "{\"message\":\"etcdserver: no leader\",\"code\":14}", FAKE_KEEP, 0},
        {"/v3/watch", 200, CREATED, FAKE_EOF, 1},
        {"/v3/watch", 400, "{\"message\":\"etcdserver: out of order\",\"code\":3}", FAKE_KEEP, 0},
    };
    struct owner owner = {0};
    struct follow *mirror;
    open_fake(fakes, 5);
    assert_int_equal(follow_start(client.etcd, "a", 1, &owner_events, &owner, &mirror), STATUS_OK);
    CLIENT_LOOP_UNTIL(&client, owner.losses == 3, 20000);
    CLIENT_LOOP_UNTIL(&client, false, 2000);
    assert_int_equal(owner.losses, 3);
    assert_non_null(strstr(owner.reasons[0], "the stream ended"));
    assert_non_null(strstr(owner.reasons[1], "out of order"));
    assert_non_null(strstr(owner.reasons[2], "no leader"));
    follow_stop(mirror);
    close_fake();
}

static void it_resumes_behind_the_last_event_told(void **state)
{
    (void)state;
    static const struct fake_row fakes[] = {
        {"/version", 200, VERSION34, FAKE_KEEP, 0},
        {"/v3/kv/range", 200, RANGE("7"), FAKE_KEEP, 0},
        {"/v3/watch", 200, CREATED LINE, FAKE_EOF, 1},
        {"/v3/watch", 0, NULL, FAKE_MUTE, 0},
    };
    struct owner owner = {0};
    struct follow *mirror;
    open_fake(fakes, 4);
    assert_int_equal(follow_start(client.etcd, "a", 1, &owner_events, &owner, &mirror), STATUS_OK);
    CLIENT_LOOP_UNTIL(&client, gateway.used[3], 3000);
    assert_non_null(strstr(gateway.last_body, "\"start_revision\":\"10\""));
    assert_int_equal(owner.revision, 9);
    assert_int_equal(owner.commits, 2);
    assert_false(owner.is_live);
    follow_stop(mirror);
    close_fake();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_told_as_they_come),
        cmocka_unit_test(a_stream_may_idle_and_be_stopped_anywhere),
        cmocka_unit_test(a_doubtful_history_is_loaded_again),
        cmocka_unit_test(each_reason_of_an_outage_is_told_once),
        cmocka_unit_test(it_resumes_behind_the_last_event_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
