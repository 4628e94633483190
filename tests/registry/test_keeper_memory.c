/* A keeper whose n-th allocation fails: it says so or tries again, and the entry ends as it should.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. */
#include "registry/keeper.h"
#include "support/allocation.h"
#include "support/fake_etcd.h"

#define BEAT_MS 10000
#define DRAINED "{\"location\":\"h:1\",\"txt\":{\"a\":\"b\"},\"state\":\"draining\"}"
#define PLAIN   "{\"location\":\"h:1\",\"txt\":{\"a\":\"b\"}}"
#define OTHER   "{\"location\":\"h:2\",\"txt\":{\"a\":\"c\"}}"

static unsigned ended, unregistered;

static void on_event(void *arg, enum keeper_event event, enum status status,
                     const struct detail *why)
{
    (void)arg, (void)status, (void)why;
    ended += event == KEEPER_ENDED;
    unregistered += event == KEEPER_UNREGISTERED;
}

/* All that a keeper may go through. False: none was made. */
static bool live(void)
{
    const struct keeper_options options = {.etcd = fake_etcd(),
                                           .loop = fake_loop(),
                                           .key = "k",
                                           .key_len = 1,
                                           .value = PLAIN,
                                           .value_len = strlen(PLAIN),
                                           .ttl_s = 30,
                                           .refresh_ms = BEAT_MS,
                                           .on_event = on_event};
    struct keeper *keeper = NULL;
    struct detail why;
    enum status status = keeper_new(&options, &keeper);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_null(keeper);
        return false;
    }
    fake_settle();
    fake_put(DRAINED, fake.lease);
    fake_run_for(BEAT_MS);
    status = keeper_set_value(keeper, OTHER, strlen(OTHER), &why);
    assert_true(status == STATUS_OK || allocation_has_failed());
    fake_run_for(BEAT_MS);
    status = keeper_set_draining(keeper, false, &why);
    assert_true(status == STATUS_OK || allocation_has_failed());
    fake_run_for(BEAT_MS);
    assert_true(fake.is_there);
    if (!allocation_has_failed())
        assert_true(fake_has(OTHER));
    keeper_stop(keeper, KEEPER_LEAVE_MS);
    fake_settle();
    keeper_free(keeper);
    return true;
}

static void whichever_allocation_fails_the_entry_is_kept_and_goes(void **state)
{
    (void)state;
    unsigned good = 0;
    bool has_failed = true;
    for (; has_failed; good++) {
        fake_reset();
        ended = unregistered = 0;
        allocation_begin(good);
        bool is_made = live();
        has_failed = allocation_end();
        fake_close();
        assert_int_equal(ended, is_made);
        assert_int_equal(unregistered, is_made);
        assert_false(fake.is_there);
        assert_int_equal(fake.timer_count, 0);
    }
    assert_in_range(good, 10, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_allocation_fails_the_entry_is_kept_and_goes),
    };
    allocation_count_cjson();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
