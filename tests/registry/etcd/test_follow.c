/* The mirror against a real etcd: what its owner holds is what the store holds. */
#include "registry/etcd/follow.h"
#include "registry/etcd/kv.h"
#include "support/etcd_server.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define KEYS 4096 /* buckets */

struct key {
    struct key *next;
    char name[64], value[64];
    bool is_marked;
};

/* An owner as the contract wants it: marks and sweeps. */
struct owner {
    struct key *keys[KEYS];
    uint64_t count, puts, removes, flaps; /* flaps: removals of a key that was put again at once */
    unsigned loads, ends, commits, slices, lost;
    int64_t revision;
    bool is_live, is_loading;
    enum status lost_status;
    char why[512];
    uint64_t count_lie;
    struct follow **stop_at_put;
};

static struct etcd_server servers[3];
static uv_loop_t loop;
static struct etcd *etcd;
static struct follow *mirror;
static struct owner owner;

static struct key **owner_find(struct owner *o, const char *name, size_t len)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619U;
    struct key **at = &o->keys[hash % KEYS];
    while (*at && (strlen((*at)->name) != len || memcmp((*at)->name, name, len) != 0))
        at = &(*at)->next;
    return at;
}

static void owner_drop(struct owner *o, struct key **at)
{
    struct key *key = *at;
    *at = key->next;
    free(key);
    o->count--;
}

static void on_load_begin(void *arg)
{
    struct owner *o = arg;
    o->loads++;
    o->is_loading = true;
    for (size_t i = 0; i < KEYS; i++)
        for (struct key *key = o->keys[i]; key; key = key->next)
            key->is_marked = false;
}

static void on_put(void *arg, const struct kv *kv)
{
    struct owner *o = arg;
    struct key **at = owner_find(o, kv->key, kv->key_len);
    assert_true(kv->key_len < sizeof((*at)->name) && kv->value_len < sizeof((*at)->value));
    o->puts++;
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        assert_non_null(*at);
        memcpy((*at)->name, kv->key, kv->key_len);
        o->count++;
    }
    memcpy((*at)->value, kv->value, kv->value_len + 1);
    (*at)->is_marked = true;
    if (o->stop_at_put) {
        follow_stop(*o->stop_at_put);
        *o->stop_at_put = NULL;
    }
}

static void on_remove(void *arg, const char *name, size_t len, int64_t revision)
{
    struct owner *o = arg;
    struct key **at = owner_find(o, name, len);
    assert_true(revision > 0);
    o->removes++;
    if (*at)
        owner_drop(o, at);
}

static void on_load_end(void *arg, int64_t revision)
{
    struct owner *o = arg;
    assert_true(revision > 0 && o->is_loading);
    o->is_loading = false;
    o->ends++;
    for (size_t i = 0; i < KEYS; i++)
        for (struct key **at = &o->keys[i]; *at;)
            if ((*at)->is_marked)
                at = &(*at)->next;
            else
                owner_drop(o, at);
}

static void on_commit(void *arg, int64_t revision)
{
    struct owner *o = arg;
    assert_true(o->is_loading == (revision == 0));
    o->slices += revision == 0;
    o->commits++;
    if (revision)
        o->revision = revision;
}

static void on_contact(void *arg, bool is_live, const struct detail *why)
{
    struct owner *o = arg;
    o->is_live = is_live;
    if (is_live)
        return;
    o->lost++;
    snprintf(o->why, sizeof(o->why), "%s", why->text);
}

static uint64_t on_count(void *arg)
{
    struct owner *o = arg;
    return o->count + o->count_lie;
}

static const struct follow_events events = {on_load_begin, on_put,     on_remove, on_load_end,
                                            on_commit,     on_contact, on_count};

static const char *value_of(const char *name)
{
    struct key **at = owner_find(&owner, name, strlen(name));
    return *at ? (*at)->value : NULL;
}

static bool is_value(const char *name, const char *value)
{
    const char *found = value_of(name);
    return value ? found && strcmp(found, value) == 0 : !found;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Run the loop until the condition holds; false = it did not within the time. */
#define RUN_UNTIL(condition, limit_ms)                                                             \
    ({                                                                                             \
        uint64_t end_ms = uv_hrtime() / 1000000 + (limit_ms);                                      \
        while (!(condition) && uv_hrtime() / 1000000 < end_ms)                                     \
            uv_run(&loop, UV_RUN_ONCE);                                                            \
        (bool)(condition);                                                                         \
    })

static uv_timer_t ticker;

static void open_client(size_t server_count)
{
    struct endpoint endpoints[3];
    struct detail why = {""};
    size_t count = 0;
    for (size_t i = 0; i < server_count; i++)
        assert_int_equal(
            endpoint_parse_list(servers[i].endpoint, false, endpoints, 3, &count, &why), STATUS_OK);
    struct etcd_options options = {.endpoints = endpoints, .endpoint_count = count};
    uv_loop_init(&loop);
    uv_timer_init(&loop, &ticker);
    uv_timer_start(&ticker, on_tick, 20, 20);
    assert_int_equal(etcd_open(&loop, &options, &etcd, &why), STATUS_OK);
    memset(&owner, 0, sizeof(owner));
}

static void start_mirror(const char *prefix)
{
    assert_int_equal(follow_start(etcd, prefix, strlen(prefix), &events, &owner, &mirror),
                     STATUS_OK);
}

static int close_client(void **state)
{
    (void)state;
    follow_stop(mirror);
    mirror = NULL;
    etcd_close(etcd);
    uv_close((uv_handle_t *)&ticker, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < KEYS; i++)
        while (owner.keys[i])
            owner_drop(&owner, &owner.keys[i]);
    return uv_loop_close(&loop);
}

static int open_one(void **state)
{
    (void)state;
    open_client(1);
    return 0;
}

static int open_three(void **state)
{
    (void)state;
    open_client(3);
    return 0;
}

static void it_loads_and_follows(void **state)
{
    (void)state;
    struct etcd_server *server = &servers[0];
    assert_true(etcd_server_put(server, "/a/one", "1") && etcd_server_put(server, "/a/two", "2") &&
                etcd_server_put(server, "/ab", "outside"));
    start_mirror("/a/");
    assert_true(RUN_UNTIL(owner.is_live, 5000));
    assert_int_equal(owner.count, 2);
    assert_string_equal(value_of("/a/two"), "2");
    assert_int_equal(owner.loads, 1);
    int64_t loaded = owner.revision;

    assert_true(etcd_server_put(server, "/a/three", "3"));
    assert_true(RUN_UNTIL(is_value("/a/three", "3"), 1000));
    assert_int_equal(owner.revision, loaded + 1);
    assert_true(etcd_server_delete(server, "/a/one"));
    assert_true(RUN_UNTIL(is_value("/a/one", NULL), 1000));
    assert_int_equal(owner.revision, loaded + 2);
    assert_true(etcd_server_delete(server, "/a/two") && etcd_server_delete(server, "/a/three"));
    assert_true(RUN_UNTIL(owner.count == 0, 1000));
    assert_int_equal(owner.lost, 0);
}

static void a_load_is_committed_in_slices(void **state)
{
    (void)state;
    assert_true(etcd_server_fill(&servers[0], "/slices/", 9000));
    start_mirror("/slices/");
    assert_true(RUN_UNTIL(owner.is_live, 20000));
    assert_int_equal(owner.count, 9000);
    assert_int_equal(owner.slices, 2);
    /* One transaction, one state. */
    unsigned commits = owner.commits;
    assert_true(etcd_server_post(&servers[0], "/v3/kv/deleterange",
                                 "{\"key\":\"L3NsaWNlcy8=\",\"range_end\":\"L3NsaWNlczA=\"}"));
    assert_true(RUN_UNTIL(owner.count == 0, 5000));
    assert_int_equal(owner.commits, commits + 1);
}

static void an_empty_prefix_is_the_whole_store(void **state)
{
    (void)state;
    assert_true(etcd_server_put(&servers[0], "whole", "1"));
    start_mirror("");
    assert_true(RUN_UNTIL(owner.is_live && is_value("whole", "1"), 5000));
    assert_true(etcd_server_put(&servers[0], "\x7f", "2"));
    assert_true(RUN_UNTIL(is_value("\x7f", "2"), 1000));
}

/* Too few keys to do without a load, or too many. */
static void restart_server(uint64_t read_max, unsigned loads)
{
    assert_true(etcd_server_put(&servers[0], "/r/a", "1"));
    start_mirror("/r/");
    follow_set_proof(mirror, 30000, read_max);
    assert_true(RUN_UNTIL(owner.is_live, 5000));
    etcd_server_kill(&servers[0], SIGKILL);
    assert_true(RUN_UNTIL(!owner.is_live, 2000));
    assert_string_equal(value_of("/r/a"), "1");
    RUN_UNTIL(false, 2000); /* an outage in which a store may be restored */
    assert_true(etcd_server_launch(&servers[0]) && etcd_server_wait(&servers[0]));
    assert_true(etcd_server_put(&servers[0], "/r/b", "2"));
    assert_true(RUN_UNTIL(owner.is_live && is_value("/r/b", "2"), 12000));
    RUN_UNTIL(false, 300); /* the audit finds nothing */
    assert_int_equal(owner.loads, loads);
    assert_int_equal(owner.removes, 0);
}

static void a_restarted_server_is_resumed_without_a_load(void **state)
{
    (void)state;
    restart_server(0, 1);
}

/* The store may have been filled anew meanwhile, with the same newest key. */
static void a_small_tree_is_loaded_after_an_outage(void **state)
{
    (void)state;
    restart_server(20000, 2);
}

static void after_compaction_it_loads_again_and_sweeps(void **state)
{
    (void)state;
    struct etcd_server *server = &servers[0];
    char reply[4096];
    assert_true(etcd_server_put(server, "/c/stays", "1") &&
                etcd_server_put(server, "/c/goes", "1"));
    start_mirror("/c/");
    assert_true(RUN_UNTIL(owner.is_live, 5000));
    /* On another port meanwhile, so that the mirror cannot see what happens. */
    struct etcd_server hidden = *server;
    etcd_server_kill(server, SIGKILL);
    hidden.port = etcd_server_free_port();
    snprintf(hidden.client_url, sizeof(hidden.client_url), "http://127.0.0.1:%u", hidden.port);
    assert_true(RUN_UNTIL(!owner.is_live, 2000));
    assert_true(etcd_server_launch(&hidden) && etcd_server_wait(&hidden));
    assert_true(etcd_server_delete(&hidden, "/c/goes") && etcd_server_put(&hidden, "/c/new", "2"));
    assert_int_equal(
        etcd_server_ask(&hidden, "/v3/kv/put", "{\"key\":\"eA==\"}", reply, sizeof(reply)), 200);
    const char *revision = strstr(reply, "\"revision\":");
    assert_non_null(revision);
    assert_true(etcd_server_post(&hidden, "/v3/kv/compaction", "{\"revision\":\"%ld\"}",
                                 strtol(revision + 12, NULL, 10)));
    etcd_server_kill(&hidden, SIGTERM);
    assert_true(etcd_server_launch(server) && etcd_server_wait(server));
    assert_true(RUN_UNTIL(owner.is_live && is_value("/c/new", "2"), 12000));
    assert_int_equal(owner.loads, 2);
    assert_int_equal(owner.count, 2);
    assert_true(is_value("/c/goes", NULL) && is_value("/c/stays", "1"));
}

/* How many keys are written to the wiped store before the mirror sees it. */
static const int wipes[] = {0, 300};

static void a_wiped_store_is_noticed(void **state)
{
    (void)state;
    struct etcd_server *server = &servers[0];
    assert_true(etcd_server_put(server, "/w/old", "1"));
    start_mirror("/w/");
    assert_true(RUN_UNTIL(owner.is_live, 5000));
    for (size_t i = 0; i < sizeof(wipes) / sizeof(wipes[0]); i++) {
        unsigned ends = owner.ends;
        assert_true(etcd_server_put(server, "/w/old", "1"));
        assert_true(RUN_UNTIL(is_value("/w/old", "1"), 1000));
        struct etcd_server hidden = *server;
        etcd_server_kill(server, SIGKILL);
        etcd_server_wipe(server);
        hidden.port = etcd_server_free_port();
        snprintf(hidden.client_url, sizeof(hidden.client_url), "http://127.0.0.1:%u", hidden.port);
        assert_true(etcd_server_launch(&hidden) && etcd_server_wait(&hidden));
        for (int k = 0; k < wipes[i]; k++)
            assert_true(etcd_server_put(&hidden, "elsewhere", "1"));
        assert_true(etcd_server_put(&hidden, "/w/new", "2"));
        etcd_server_kill(&hidden, SIGTERM);
        assert_true(etcd_server_launch(server) && etcd_server_wait(server));
        assert_true(
            RUN_UNTIL(owner.ends > ends && owner.is_live && is_value("/w/new", "2"), 15000));
        assert_true(is_value("/w/old", NULL));
    }
}

/* The same server on another port, so that the mirror cannot see what happens. */
static struct etcd_server hide(const struct etcd_server *server)
{
    struct etcd_server hidden = *server;
    hidden.port = etcd_server_free_port();
    snprintf(hidden.client_url, sizeof(hidden.client_url), "http://127.0.0.1:%u", hidden.port);
    assert_true(etcd_server_launch(&hidden) && etcd_server_wait(&hidden));
    return hidden;
}

/* What the mirror sees before the store goes back to where /b/keeps and /b/goes were all: the last
 * event is a delete that it was told, a delete of before its load, or a put. */
enum last_event { LAST_DELETE, LAST_BEFORE_LOAD, LAST_PUT };

static void put_and_delete(const struct etcd_server *server, bool is_put, bool is_deleted)
{
    if (is_put)
        assert_true(etcd_server_put(server, "/b/lost", "1"));
    if (is_deleted)
        assert_true(etcd_server_delete(server, "/b/lost"));
}

static void save(struct etcd_server *server)
{
    assert_true(etcd_server_put(server, "/b/keeps", "1") &&
                etcd_server_put(server, "/b/goes", "1"));
    etcd_server_kill(server, SIGTERM);
    etcd_server_remove(server->dir, "copy");
    etcd_server_copy(server, "data", "copy");
    assert_true(etcd_server_launch(server) && etcd_server_wait(server));
}

/* The same cluster, as many keys, and a newer revision than before. */
static void restore_and_overtake(struct etcd_server *server, bool has_more)
{
    etcd_server_kill(server, SIGKILL);
    etcd_server_wipe(server);
    etcd_server_copy(server, "copy", "data");
    struct etcd_server hidden = hide(server);
    assert_true(etcd_server_delete(&hidden, "/b/goes") && etcd_server_put(&hidden, "/b/new", "1"));
    if (has_more)
        assert_true(etcd_server_put(&hidden, "/b/newer", "1"));
    for (int i = 0; i < 50; i++)
        assert_true(etcd_server_put(&hidden, "elsewhere", "1"));
    etcd_server_kill(&hidden, SIGTERM);
    assert_true(etcd_server_launch(server) && etcd_server_wait(server));
}

static void forget_all(void)
{
    follow_stop(mirror);
    assert_true(etcd_server_post(&servers[0], "/v3/kv/deleterange",
                                 "{\"key\":\"L2Iv\",\"range_end\":\"L2Iw\"}"));
    for (size_t i = 0; i < KEYS; i++)
        while (owner.keys[i])
            owner_drop(&owner, &owner.keys[i]);
    owner.is_live = false;
}

static void a_restored_store_is_noticed(void **state)
{
    (void)state;
    struct etcd_server *server = &servers[0];
    for (enum last_event last = LAST_DELETE; last <= LAST_PUT; last++) {
        bool is_before = last == LAST_BEFORE_LOAD;
        save(server);
        put_and_delete(server, is_before, is_before);
        start_mirror("/b/");
        assert_true(RUN_UNTIL(owner.is_live, 10000));
        put_and_delete(server, !is_before, last == LAST_DELETE);
        RUN_UNTIL(false, 100);
        restore_and_overtake(server, last == LAST_PUT);
        assert_true(RUN_UNTIL(owner.is_live && is_value("/b/new", "1") &&
                                  is_value("/b/goes", NULL) && is_value("/b/keeps", "1") &&
                                  is_value("/b/lost", NULL),
                              15000));
        forget_all();
    }
    start_mirror("/b/");
}

/* Whoever writes in the same order writes at the same revisions. */
static void a_restored_store_is_noticed_by_what_was_written(void **state)
{
    (void)state;
    struct etcd_server *server = &servers[0];
    save(server);
    start_mirror("/b/");
    assert_true(RUN_UNTIL(owner.is_live, 10000));
    assert_true(etcd_server_put(server, "/b/keeps", "2"));
    assert_true(RUN_UNTIL(is_value("/b/keeps", "2"), 2000));
    etcd_server_kill(server, SIGKILL);
    etcd_server_wipe(server);
    etcd_server_copy(server, "copy", "data");
    struct etcd_server hidden = hide(server);
    assert_true(etcd_server_put(&hidden, "/b/keeps", "3"));
    etcd_server_kill(&hidden, SIGTERM);
    assert_true(etcd_server_launch(server) && etcd_server_wait(server));
    assert_true(RUN_UNTIL(owner.is_live && is_value("/b/keeps", "3"), 15000));
    forget_all();
    start_mirror("/b/");
}

static void a_wrong_count_makes_a_load(void **state)
{
    (void)state;
    assert_true(etcd_server_put(&servers[0], "/m/a", "1"));
    start_mirror("/m/");
    follow_set_proof(mirror, 500, 0);
    assert_true(RUN_UNTIL(owner.is_live, 5000));
    owner.count_lie = 1;
    assert_true(etcd_server_put(&servers[0], "elsewhere", "1"));
    assert_true(RUN_UNTIL(owner.ends == 2, 30000));
}

static void it_says_once_that_nobody_answers(void **state)
{
    (void)state;
    etcd_server_kill(&servers[0], SIGKILL);
    start_mirror("/n/");
    assert_true(RUN_UNTIL(owner.lost, 1000));
    RUN_UNTIL(false, 1500);
    assert_int_equal(owner.lost, 1);
    assert_non_null(strstr(owner.why, servers[0].endpoint));
    assert_non_null(strstr(owner.why, "connection refused"));
    assert_true(etcd_server_launch(&servers[0]) && etcd_server_wait(&servers[0]));
    assert_true(RUN_UNTIL(owner.is_live, 12000));
}

static void it_may_be_stopped_from_a_callback(void **state)
{
    (void)state;
    assert_true(etcd_server_put(&servers[0], "/s/a", "1") &&
                etcd_server_put(&servers[0], "/s/b", "2"));
    start_mirror("/s/");
    owner.stop_at_put = &mirror;
    assert_true(RUN_UNTIL(!mirror, 5000));
    owner.stop_at_put = NULL;
    assert_int_equal(owner.puts, 1);
    start_mirror("/s/");
    assert_true(RUN_UNTIL(owner.is_live, 5000));
    owner.stop_at_put = &mirror;
    assert_true(etcd_server_put(&servers[0], "/s/a", "3"));
    assert_true(RUN_UNTIL(!mirror, 1000));
    RUN_UNTIL(false, 100);
}

/* The server on whose port the client's watch is: the one with the most connections cannot be told
 * from here, so the client says which answered last. */
static struct etcd_server *watched(void)
{
    for (size_t i = 0; i < 3; i++)
        if (strstr(etcd_last_endpoint(etcd), servers[i].endpoint))
            return &servers[i];
    return NULL;
}

/* Until there is a leader again. */
static bool put_at_last(const struct etcd_server *server, const char *key)
{
    for (int i = 0; i < 200; i++) {
        if (etcd_server_put(server, key, "1"))
            return true;
        etcd_server_sleep_ms(50);
    }
    return false;
}

static void a_killed_member_is_left_and_nothing_is_missed(void **state)
{
    (void)state;
    start_mirror("/k/");
    assert_true(RUN_UNTIL(owner.is_live, 20000));
    struct etcd_server *victim = watched();
    assert_non_null(victim);
    struct etcd_server *other = victim == &servers[0] ? &servers[1] : &servers[0];
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof(name), "/k/%03d", i);
        if (i == 100)
            etcd_server_kill(victim, SIGKILL);
        assert_true(put_at_last(other, name));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_true(RUN_UNTIL(owner.count == 200 && owner.is_live, 10000));
    assert_in_range(owner.loads, 1,
                    2); /* another, where it took so long that a store can be filled anew */
    assert_int_equal(owner.removes, 0);
    assert_true(etcd_server_launch(victim) && etcd_server_wait(victim));
}

static void a_silent_member_is_left_within_seconds(void **state)
{
    (void)state;
    start_mirror("/q/");
    assert_true(RUN_UNTIL(owner.is_live, 20000));
    struct etcd_server *victim = watched();
    assert_non_null(victim);
    struct etcd_server *other = victim == &servers[0] ? &servers[1] : &servers[0];
    kill(victim->pid, SIGSTOP);
    bool is_lost = RUN_UNTIL(!owner.is_live, 20000);
    bool is_back = RUN_UNTIL(owner.is_live, 20000);
    /* The victim may have been the leader, so that contact is lost once more until one is elected.
     */
    bool is_put = put_at_last(other, "/q/a");
    bool is_told = RUN_UNTIL(is_value("/q/a", "1"), 15000);
    kill(victim->pid, SIGCONT);
    assert_true(is_lost);
    assert_true(is_back);
    assert_true(is_put && is_told);
}

static void a_minority_is_noticed_and_recovers(void **state)
{
    (void)state;
    assert_true(put_at_last(&servers[0], "/p/a"));
    start_mirror("/p/");
    assert_true(RUN_UNTIL(owner.is_live, 10000));
    struct etcd_server *left = watched();
    assert_non_null(left);
    for (size_t i = 0; i < 3; i++)
        if (&servers[i] != left)
            kill(servers[i].pid, SIGSTOP);
    bool is_lost = RUN_UNTIL(!owner.is_live, 8000);
    for (size_t i = 0; i < 3; i++)
        kill(servers[i].pid, SIGCONT);
    assert_true(is_lost);
    assert_string_equal(value_of("/p/a"), "1");
    assert_true(RUN_UNTIL(owner.is_live, 15000));
    assert_int_equal(owner.removes, 0);
}

static int start_one(void **state)
{
    (void)state;
    return etcd_server_start(servers, 1, NULL) ? 0 : -1;
}

static int start_three(void **state)
{
    (void)state;
    return etcd_server_start(servers, 3, NULL) ? 0 : -1;
}

static int stop_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        etcd_server_stop(&servers[i]);
    return 0;
}

#define ONE(test)   cmocka_unit_test_setup_teardown(test, open_one, close_client)
#define THREE(test) cmocka_unit_test_setup_teardown(test, open_three, close_client)

int main(void)
{
    const struct CMUnitTest alone[] = {
        ONE(it_loads_and_follows),
        ONE(a_load_is_committed_in_slices),
        ONE(an_empty_prefix_is_the_whole_store),
        ONE(a_restarted_server_is_resumed_without_a_load),
        ONE(a_small_tree_is_loaded_after_an_outage),
        ONE(after_compaction_it_loads_again_and_sweeps),
        ONE(a_wiped_store_is_noticed),
        ONE(a_restored_store_is_noticed),
        ONE(a_restored_store_is_noticed_by_what_was_written),
        ONE(a_wrong_count_makes_a_load),
        ONE(it_says_once_that_nobody_answers),
        ONE(it_may_be_stopped_from_a_callback),
    };
    const struct CMUnitTest cluster[] = {
        THREE(a_killed_member_is_left_and_nothing_is_missed),
        THREE(a_silent_member_is_left_within_seconds),
        THREE(a_minority_is_noticed_and_recovers),
    };
    signal(SIGPIPE, SIG_IGN);
    int failures = cmocka_run_group_tests_name("mirror", alone, start_one, stop_all);
    return failures +
           cmocka_run_group_tests_name("mirror of three", cluster, start_three, stop_all);
}
