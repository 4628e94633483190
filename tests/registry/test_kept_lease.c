#include "registry/kept_lease.h"
#include "support/fake_etcd.h"

#include <stdlib.h>

#define TTL_S   30
#define BEAT_MS 10000
#define USERS   3

struct user {
    struct kept_lease_share share;
    unsigned calls;
    enum status status;
    struct kept_lease_share *cancels; /* when it is called */
};

static struct user users[USERS];
static struct kept_lease *lease;

static void on_done(void *arg, enum status status, const struct detail *why)
{
    struct user *user = arg;
    (void)why;
    user->calls++;
    user->status = status;
    if (user->cancels)
        kept_lease_cancel(user->cancels);
}

static int open_lease(void **state)
{
    (void)state;
    fake_reset();
    memset(users, 0, sizeof(users));
    assert_int_equal(kept_lease_new(fake_etcd(), fake_loop(), TTL_S, &lease), STATUS_OK);
    for (size_t i = 0; i < USERS; i++)
        assert_int_equal(kept_lease_join(lease, &users[i], &users[i].share), STATUS_OK);
    return 0;
}

static int close_lease(void **state)
{
    (void)state;
    kept_lease_release(lease);
    for (size_t i = 0; i < USERS; i++)
        kept_lease_leave(&users[i].share);
    fake_close();
    return 0;
}

static void renew(size_t i)
{
    kept_lease_renew(&users[i].share, BEAT_MS, on_done);
}

static void who_asks_while_it_is_asked_for_gets_the_same_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < USERS; i++)
        renew(i);
    assert_int_equal(users[0].calls, 0);
    fake_settle();
    for (size_t i = 0; i < USERS; i++) {
        assert_int_equal(users[i].calls, 1);
        assert_int_equal(users[i].status, STATUS_OK);
        assert_true(users[i].share.id != 0 && users[i].share.id == users[0].share.id);
    }
    assert_int_equal(fake.counts[FAKE_GRANT], 1);
    assert_true(lease_id_is_for(users[0].share.id, TTL_S) && fake_has_lease(users[0].share.id));
}

static void who_asks_soon_after_has_it_at_once(void **state)
{
    (void)state;
    renew(0);
    fake_settle();
    fake.now_ms += BEAT_MS / 2 - 1;
    renew(1);
    assert_int_equal(users[1].calls, 1);
    assert_true(users[1].share.id == users[0].share.id);
    fake.now_ms += 1;
    renew(2);
    assert_int_equal(users[2].calls, 0);
    fake_settle();
    assert_int_equal(users[2].calls, 1);
    assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], 1);
}

/* A beat of 28 s leaves 2 s: what was renewed 1 s ago is as good as gone at the next beat. */
static void it_outlives_the_next_beat(void **state)
{
    static const struct {
        uint64_t beat_ms, fresh_ms;
    } rows[] = {{28000, 1000}, {30000, 0}, {60000, 0}, {20000, 5000}, {2000, 1000}};
    (void)state;
    renew(0);
    fake_settle();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kept_lease_renew(&users[0].share, 1, on_done); /* a beat so short renews at once */
        fake_settle();
        unsigned renewed = fake.counts[FAKE_KEEP_ALIVE];
        fake.now_ms += rows[i].fresh_ms;
        kept_lease_renew(&users[0].share, rows[i].beat_ms, on_done);
        fake_settle();
        assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], renewed + 1);
        if (rows[i].fresh_ms > 0) {
            fake.now_ms += rows[i].fresh_ms - 1;
            kept_lease_renew(&users[0].share, rows[i].beat_ms, on_done);
            fake_settle();
            assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], renewed + 1);
        }
    }
}

static void a_lease_that_is_gone_is_granted_anew_to_all(void **state)
{
    (void)state;
    renew(0);
    renew(1);
    fake_settle();
    int64_t lost = users[0].share.id;
    fake_forget_lease(lost);
    fake.now_ms += BEAT_MS;
    renew(0);
    fake_settle();
    assert_int_equal(users[0].status, STATUS_OK);
    assert_true(users[0].share.id == 0 && users[0].share.lost_id == lost);
    renew(0);
    fake_settle();
    assert_true(users[0].share.id != 0 && users[0].share.lost_id == lost);
    renew(1);
    fake_settle();
    assert_true(users[1].share.id == users[0].share.id && users[1].share.lost_id == lost);
    assert_true(kept_lease_has_been(&users[1].share, lost));
    assert_true(kept_lease_has_been(&users[1].share, users[1].share.id));
    assert_false(kept_lease_has_been(&users[1].share, 0));
    assert_false(kept_lease_has_been(&users[1].share, lost + 1));
    assert_int_equal(fake.counts[FAKE_GRANT], 2);
}

/* Whoever hears it elsewhere says so, but not of one that was granted since. */
static void a_loss_that_was_heard_of_elsewhere_counts_once(void **state)
{
    (void)state;
    renew(0);
    renew(1);
    fake_settle();
    int64_t lost = users[0].share.id;
    kept_lease_lose(&users[0].share);
    assert_true(users[0].share.id == 0 && users[0].share.lost_id == lost);
    renew(0);
    fake_settle();
    int64_t id = users[0].share.id;
    assert_true(id != 0 && id != lost);
    kept_lease_lose(&users[1].share);
    assert_true(users[1].share.id == id && users[1].share.lost_id == lost);
    renew(2);
    assert_true(users[2].share.id == id);
    assert_int_equal(fake.counts[FAKE_GRANT], 2);
}

/* Two that were under way at once: what a write said of the lease, its renewal says, too. */
static void a_loss_that_is_heard_of_while_it_is_renewed_is_no_failure(void **state)
{
    (void)state;
    renew(0);
    renew(1);
    fake_settle();
    int64_t lost = users[0].share.id;
    fake_forget_lease(lost);
    fake.now_ms += BEAT_MS;
    renew(0);
    kept_lease_lose(&users[1].share);
    fake_settle();
    assert_int_equal(users[0].status, STATUS_OK);
    assert_true(users[0].share.id == 0 && users[0].share.lost_id == lost);
    renew(0);
    fake_settle();
    assert_true(fake_has_lease(users[0].share.id));
}

static void in_a_long_beat_it_is_renewed_when_it_is_due(void **state)
{
    (void)state;
    kept_lease_keep(&(struct kept_lease_share){0}, BEAT_MS, false);
    kept_lease_keep(&users[0].share, BEAT_MS, false);
    fake_settle();
    assert_int_equal(fake.lease_count, 0); /* there is nothing to keep yet */
    renew(0);
    fake_settle();
    fake.now_ms += BEAT_MS / 2 - 1;
    kept_lease_keep(&users[0].share, BEAT_MS, false);
    fake_settle();
    assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], 0);
    fake.now_ms += 1;
    kept_lease_keep(&users[0].share, BEAT_MS, false);
    kept_lease_keep(&users[1].share, BEAT_MS, false);
    fake_settle();
    assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], 1);
    assert_int_equal(users[0].calls, 1);
    assert_int_equal(users[1].calls, 0);
}

static void without_an_answer_nothing_is_known(void **state)
{
    (void)state;
    fake_end_next(FAKE_FAILED, STATUS_UNREACHABLE);
    renew(0);
    fake_settle();
    assert_int_equal(users[0].status, STATUS_UNREACHABLE);
    assert_true(users[0].share.id == 0);
    renew(0);
    fake_settle();
    int64_t id = users[0].share.id;
    fake.now_ms += BEAT_MS;
    fake_end_next(FAKE_FAILED, STATUS_UNREACHABLE);
    renew(0);
    fake_settle();
    assert_int_equal(users[0].status, STATUS_UNREACHABLE);
    assert_true(users[0].share.id == id);
}

/* Not another lease, which would stay until its TTL is over; and renewed, since it is as old as the
 * first try. */
static void a_grant_whose_answer_was_lost_is_taken_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        fake_end_next(FAKE_LOST, STATUS_TIMED_OUT);
        renew(0);
        fake_settle();
        assert_int_equal(users[0].status, STATUS_TIMED_OUT);
        fake.now_ms += BEAT_MS / 2;
    }
    renew(0);
    fake_settle();
    assert_int_equal(users[0].status, STATUS_OK);
    assert_int_equal(fake.lease_count, 1);
    assert_true(users[0].share.id == fake.leases[0].id);
    assert_true(fake.leases[0].expires_ms == fake.now_ms + TTL_S * 1000);
    assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], 1);
    kept_lease_lose(&users[0].share);
    renew(0); /* the next is another */
    fake_settle();
    assert_int_equal(fake.lease_count, 2);
}

/* Not an endless loop: it is not ours that is gone, there was none yet. */
static void a_grant_that_finds_nothing_is_no_loss(void **state)
{
    (void)state;
    fake_end_next(FAKE_FAILED, STATUS_NOT_FOUND);
    renew(0);
    fake_settle();
    assert_int_equal(users[0].status, STATUS_NOT_FOUND);
}

static void who_cancels_is_not_called(void **state)
{
    (void)state;
    for (size_t who = 0; who < USERS; who++) {
        memset(&users[0].calls, 0, sizeof(users[0].calls));
        users[1].calls = users[2].calls = 0;
        fake.now_ms += BEAT_MS;
        for (size_t i = 0; i < USERS; i++)
            renew(i);
        kept_lease_cancel(&users[who].share);
        kept_lease_cancel(&users[who].share);
        fake_settle();
        for (size_t i = 0; i < USERS; i++)
            assert_int_equal(users[i].calls, i != who);
    }
}

/* The last who asked is called first. */
static void who_is_cancelled_by_another_is_not_called(void **state)
{
    (void)state;
    for (size_t i = 0; i < USERS; i++)
        renew(i);
    users[2].cancels = &users[1].share;
    fake_settle();
    assert_true(users[2].calls == 1 && users[1].calls == 0 && users[0].calls == 1);
}

static void a_thousand_keys_share_it_and_no_more(void **state)
{
    static struct kept_lease_share shares[LEASE_KEYS_MAX];
    (void)state;
    size_t count = LEASE_KEYS_MAX - USERS;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(kept_lease_join(lease, NULL, &shares[i]), STATUS_OK);
    assert_int_equal(kept_lease_join(lease, NULL, &shares[count]), STATUS_TOO_MANY);
    kept_lease_leave(&shares[0]);
    kept_lease_leave(&shares[0]);
    assert_int_equal(kept_lease_join(lease, NULL, &shares[0]), STATUS_OK);
    for (size_t i = 0; i < count; i++)
        kept_lease_leave(&shares[i]);
}

/* What is done with the lease before its users go, but for the last one. */
static int64_t leave_all_but_one(void)
{
    renew(0);
    fake_settle();
    kept_lease_leave(&users[1].share);
    kept_lease_leave(&users[2].share);
    return users[0].share.id;
}

static void the_last_user_gives_it_back(void **state)
{
    (void)state;
    renew(0);
    fake_settle();
    int64_t id = users[0].share.id;
    users[0].calls = 0;
    kept_lease_revoke(&users[0].share, on_done);
    fake_settle();
    assert_true(users[0].calls == 1 && fake_has_lease(id)); /* there are others */
    assert_int_equal(leave_all_but_one(), id);
    users[0].calls = 0;
    kept_lease_revoke(&users[0].share, on_done);
    assert_int_equal(users[0].calls, 0);
    fake_settle();
    assert_true(users[0].calls == 1 && users[0].status == STATUS_OK && !fake_has_lease(id));
    assert_true(users[0].share.id == 0);
}

static void a_lease_that_cannot_be_given_back_runs_out(void **state)
{
    (void)state;
    (void)leave_all_but_one();
    fake_end_next(FAKE_FAILED, STATUS_UNREACHABLE);
    users[0].calls = 0;
    kept_lease_revoke(&users[0].share, on_done);
    fake_settle();
    assert_true(users[0].calls == 1 && users[0].status == STATUS_OK);
}

static void a_spared_lease_and_none_are_not_given_back(void **state)
{
    (void)state;
    kept_lease_leave(&users[1].share);
    kept_lease_leave(&users[2].share);
    kept_lease_revoke(&users[0].share, on_done);
    assert_int_equal(users[0].calls, 1);
    (void)leave_all_but_one();
    kept_lease_spare(&users[0].share, users[0].share.id);
    users[0].calls = 0;
    kept_lease_revoke(&users[0].share, on_done);
    assert_int_equal(users[0].calls, 1);
    fake_settle();
    assert_int_equal(fake.counts[FAKE_REVOKE], 0);
}

/* What was written under the one before is no reason to keep the next. */
static void a_lease_that_is_granted_anew_is_not_spared(void **state)
{
    (void)state;
    int64_t id = leave_all_but_one();
    kept_lease_spare(&users[0].share, users[0].share.id);
    fake_forget_lease(id);
    kept_lease_lose(&users[0].share);
    renew(0);
    fake_settle();
    assert_true(users[0].share.id != id);
    kept_lease_revoke(&users[0].share, on_done);
    fake_settle();
    assert_int_equal(fake.counts[FAKE_REVOKE], 1);
}

static void its_users_may_go_with_a_request_under_way(void **state)
{
    (void)state;
    renew(0);
    for (size_t i = 0; i < USERS; i++)
        kept_lease_leave(&users[i].share);
    fake_settle();
    assert_int_equal(users[0].calls, 0);
}

#define LEASE(test) cmocka_unit_test_setup_teardown(test, open_lease, close_lease)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEASE(who_asks_while_it_is_asked_for_gets_the_same_answer),
        LEASE(who_asks_soon_after_has_it_at_once),
        LEASE(it_outlives_the_next_beat),
        LEASE(a_lease_that_is_gone_is_granted_anew_to_all),
        LEASE(a_loss_that_was_heard_of_elsewhere_counts_once),
        LEASE(a_loss_that_is_heard_of_while_it_is_renewed_is_no_failure),
        LEASE(in_a_long_beat_it_is_renewed_when_it_is_due),
        LEASE(without_an_answer_nothing_is_known),
        LEASE(a_grant_whose_answer_was_lost_is_taken_up),
        LEASE(a_grant_that_finds_nothing_is_no_loss),
        LEASE(who_cancels_is_not_called),
        LEASE(who_is_cancelled_by_another_is_not_called),
        LEASE(a_thousand_keys_share_it_and_no_more),
        LEASE(the_last_user_gives_it_back),
        LEASE(a_lease_that_cannot_be_given_back_runs_out),
        LEASE(a_spared_lease_and_none_are_not_given_back),
        LEASE(a_lease_that_is_granted_anew_is_not_spared),
        LEASE(its_users_may_go_with_a_request_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
