/* Following with three members: two that swallow what they are sent do not keep it from the third. */

#include "registry/etcd/follow.h"
#include "registry/etcd/follow_state.h"
#include "support/client_loop.h"
#include "support/fake_gateway.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define MEMBERS 3
#define HEADER  "\"header\":{\"cluster_id\":\"1\",\"revision\":\"7\",\"raft_term\":\"2\"}"
#define CREATED "{\"result\":{" HEADER ",\"created\":true}}\n"
#define ENDED   "{\"result\":{" HEADER ",\"canceled\":true}}\n"
#define LOADED                                                                                     \
    "{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"5\",\"mod_revision\":\"7\","     \
    "\"version\":\"1\",\"value\":\"Yg==\"}],\"count\":\"1\"}"

#define UNTIL(condition, limit) assert_true(CLIENT_LOOP_UNTIL(&client, condition, limit))

static const struct fake_row rows[] = {
    {"/version", 200, "{\"etcdserver\":\"3.4.23\"}", FAKE_KEEP, 0},
    {"/v3/kv/range", 200, LOADED, FAKE_KEEP, 0},
    {"/v3/watch", 200, CREATED, FAKE_CHUNK, 0}};

static struct client_loop client;
static struct fake_gateway gateways[MEMBERS];
static bool is_silent[MEMBERS];
static struct follow *follow;

static struct {
    unsigned loads, lost;
    bool is_live;
} owner;

static void on_load(void *arg)
{
    (void)arg;
    owner.loads++;
}

static void on_put(void *arg, const struct kv *kv)
{
    (void)arg, (void)kv;
}

static void on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    (void)arg, (void)key, (void)key_len, (void)revision;
}

static void on_revision(void *arg, int64_t revision)
{
    (void)arg, (void)revision;
}

static void on_contact(void *arg, bool is_live, const struct detail *why)
{
    (void)arg, (void)why;
    owner.is_live = is_live;
    owner.lost += !is_live;
}

static const struct follow_events events = {on_load,     on_put,     on_remove, on_revision,
                                            on_revision, on_contact, NULL};

static void decide(void *arg, const char *path, const char *body, struct fake_row *row)
{
    (void)path, (void)body;
    if (*(const bool *)arg)
        row->end = FAKE_MUTE;
}

/* Until a watch stands. */
static void begin_follow(void)
{
    char list[sizeof(gateways[0].endpoint) * MEMBERS];
    client_loop_open(&client);
    for (size_t i = 0; i < MEMBERS; i++) {
        assert_true(fake_gateway_start(&gateways[i], &client.loop, rows, 3));
        is_silent[i] = false;
        gateways[i].decide = decide;
        gateways[i].arg = &is_silent[i];
    }
    snprintf(list, sizeof(list), "%s,%s,%s", gateways[0].endpoint, gateways[1].endpoint,
             gateways[2].endpoint);
    assert_int_equal(client_loop_connect(&client, list, (struct etcd_options){0}), STATUS_OK);
    memset(&owner, 0, sizeof(owner));
    assert_int_equal(follow_start(client.etcd, "a", 1, &events, NULL, &follow), STATUS_OK);
    UNTIL(owner.is_live, 5000);
}

static void end_follow(void)
{
    follow_stop(follow);
    client_loop_close_client(&client);
    for (size_t i = 0; i < MEMBERS; i++)
        fake_gateway_stop(&gateways[i]);
    assert_int_equal(client_loop_close(&client), 0);
}

static size_t gateway_of(const struct member *member)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (strstr(member->endpoint.url, gateways[i].endpoint))
            return i;
    fail();
    return 0;
}

/* The watched member, and the one that would be asked next. The watched one's number. */
static size_t silence_two(void)
{
    struct member_set *members = &client.etcd->members;
    size_t watched = gateway_of(follow->member);
    is_silent[watched] = true;
    is_silent[gateway_of(member_find(members, member_mask(members, follow->member), 0))] = true;
    return watched;
}

static void until_live_within(uint64_t limit_ms)
{
    uint64_t begun_ms = uv_hrtime() / 1000000;
    UNTIL(owner.is_live, 10000);
    uint64_t took_ms = uv_hrtime() / 1000000 - begun_ms;
    if (took_ms >= limit_ms)
        fail_msg("live again after %u ms", (unsigned)took_ms);
    assert_false(is_silent[gateway_of(follow->member)]);
    assert_int_equal(owner.lost, 1);
    assert_int_equal(owner.loads, 1);
}

static void a_probe_that_is_late_is_asked_of_all_others(void **state)
{
    (void)state;
    begin_follow();
    size_t watched = silence_two();
    unsigned asked = gateways[watched].asked;
    UNTIL(gateways[watched].asked > asked, 5000);
    uint64_t probed_ms = uv_hrtime() / 1000000;
    UNTIL(owner.lost, 5000);
    uint64_t took_ms = uv_hrtime() / 1000000 - probed_ms;
    if (took_ms >= 1200) /* one after the other: 250 ms and 1 s */
        fail_msg("left after %u ms", (unsigned)took_ms);
    until_live_within(1000);
    end_follow();
}

static void a_watch_that_is_late_is_asked_of_all_others(void **state)
{
    (void)state;
    begin_follow();
    fake_gateway_go_on(&gateways[silence_two()], ENDED);
    UNTIL(owner.lost, 1000);
    owner.lost = 0; /* the next is that of the member gone to */
    owner.is_live = false;
    until_live_within(1400);
    end_follow();
}

/* Nobody answers a probe, as at an election: the watch stays while that may still end. */
static void a_member_is_not_left_when_no_other_answers(void **state)
{
    (void)state;
    begin_follow();
    size_t watched = silence_two();
    for (size_t i = 0; i < MEMBERS; i++)
        is_silent[i] = true;
    unsigned asked = gateways[watched].asked;
    UNTIL(gateways[watched].asked > asked, 5000);
    client_loop_run_for(&client, 1500);
    assert_int_equal(owner.lost, 0);
    for (size_t i = 0; i < MEMBERS; i++)
        is_silent[i] = false;
    UNTIL(owner.lost, 5000);
    owner.is_live = false;
    until_live_within(1000);
    end_follow();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_that_is_late_is_asked_of_all_others),
        cmocka_unit_test(a_watch_that_is_late_is_asked_of_all_others),
        cmocka_unit_test(a_member_is_not_left_when_no_other_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
