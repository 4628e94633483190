/* The registrar over a fake etcd: what it makes of what is there, of others that are faster and of
 * answers that are lost. */
#include "registry/registrar.h"
#include "support/fake_etcd.h"

#include <stdlib.h>

#define TTL_S        30
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DRAINED      "{\"location\":\"h:1\",\"state\":\"draining\"}"
#define OTHER_ID     4711

static const struct kv_key key = {.text = "k", .len = 1};

struct outcome {
    unsigned calls;
    enum status status;
    enum registrar_outcome outcome;
    struct detail why;
};

static void on_done(void *arg, enum status status, enum registrar_outcome outcome,
                    const struct detail *why)
{
    struct outcome *out = arg;
    *out = (struct outcome){out->calls + 1, status, outcome, *why};
}

static struct registrar_change change_of(enum registrar_kind kind, const char *value,
                                         uint64_t ttl_s)
{
    return (struct registrar_change){.kind = kind,
                                     .key = &key,
                                     .value = value,
                                     .value_len = value ? strlen(value) : 0,
                                     .expected = "old",
                                     .expected_len = 3,
                                     .ttl_s = ttl_s};
}

/* Before each turn `meanwhile` may change what is there. */
static struct outcome run_with(enum registrar_kind kind, const char *value, uint64_t ttl_s,
                               void (*meanwhile)(void))
{
    const struct registrar_change change = change_of(kind, value, ttl_s);
    struct outcome out = {0};
    assert_int_equal(registrar_start(fake_etcd(), &change, on_done, &out), STATUS_OK);
    assert_int_equal(out.calls, 0);
    do {
        if (meanwhile && out.calls == 0)
            meanwhile();
    } while (fake_turn(0));
    assert_int_equal(out.calls, 1);
    return out;
}

static struct outcome run(enum registrar_kind kind, const char *value, uint64_t ttl_s)
{
    return run_with(kind, value, ttl_s, NULL);
}

#define BECAME(out, expected_outcome)                                                              \
    do {                                                                                           \
        struct outcome out_ = (out);                                                               \
        assert_int_equal(out_.status, STATUS_OK);                                                  \
        assert_int_equal(out_.outcome, expected_outcome);                                          \
    } while (0)

static void it_registers(void **state)
{
    (void)state;
    fake_reset();
    BECAME(run(REGISTRAR_REGISTER, "h:1", 0), REGISTRAR_CREATED);
    assert_true(fake_has("h:1") && fake.lease == 0);
    BECAME(run(REGISTRAR_REGISTER, "h:2", TTL_S), REGISTRAR_CHANGED);
    assert_true(fake_has("h:2") && lease_id_is_for(fake.lease, TTL_S));
    assert_true(fake_has_lease(fake.lease));
}

static void the_same_again_renews_the_lease_alone(void **state)
{
    static const uint64_t ttls[] = {TTL_S, 254, 255, 300};
    (void)state;
    for (size_t i = 0; i < COUNT(ttls); i++) {
        fake_reset();
        (void)run(REGISTRAR_REGISTER, "h:1", ttls[i]);
        int64_t lease = fake.lease, revision = fake.revision;
        BECAME(run(REGISTRAR_REGISTER, "h:1", ttls[i]), REGISTRAR_UNCHANGED);
        assert_true(fake.lease == lease && fake.revision == revision);
        assert_int_equal(fake.counts[FAKE_KEEP_ALIVE], 1);
    }
}

/* Another value, TTL or lease is not the same. 255 in an ID may be more. */
static void what_is_not_the_same_is_written_under_a_new_lease(void **state)
{
    static const struct {
        const char *value;
        uint64_t before_s, ttl_s;
    } rows[] = {{"h:2", TTL_S, TTL_S}, {"h:1", TTL_S, 31}, {"h:1", 300, 301},
                {"h:1", 255, 300},     {"h:1", 0, TTL_S},  {"h:", TTL_S, TTL_S},
                {"h:12", TTL_S, TTL_S}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_reset();
        (void)run(REGISTRAR_REGISTER, "h:1", rows[i].before_s);
        int64_t lease = fake.lease;
        BECAME(run(REGISTRAR_REGISTER, rows[i].value, rows[i].ttl_s), REGISTRAR_CHANGED);
        assert_true(fake_has(rows[i].value) && fake.lease != lease);
        assert_true(lease_id_is_for(fake.lease, rows[i].ttl_s));
    }
    fake_reset();
    fake_put("h:1", OTHER_ID);
    BECAME(run(REGISTRAR_REGISTER, "h:1", TTL_S), REGISTRAR_CHANGED);
}

static void a_lease_that_is_gone_is_not_renewed(void **state)
{
    (void)state;
    fake_reset();
    (void)run(REGISTRAR_REGISTER, "h:1", TTL_S);
    int64_t lease = fake.lease;
    fake_forget_lease(lease);
    BECAME(run(REGISTRAR_REGISTER, "h:1", TTL_S), REGISTRAR_CHANGED);
    assert_true(fake.lease != lease && fake_has_lease(fake.lease));
}

/* Of an entry line ends do not count, of a switch all octets do. */
static void a_line_end_is_part_of_a_switch_alone(void **state)
{
    (void)state;
    fake_reset();
    (void)run(REGISTRAR_REGISTER, "v", TTL_S);
    fake_put("v\n", fake.lease);
    BECAME(run(REGISTRAR_REGISTER, "v", TTL_S), REGISTRAR_UNCHANGED);
    BECAME(run(REGISTRAR_SET_SWITCH, "v", TTL_S), REGISTRAR_CHANGED);
    assert_true(fake_has("v"));
    BECAME(run(REGISTRAR_SET_SWITCH, "v", TTL_S), REGISTRAR_UNCHANGED);
}

static void it_removes(void **state)
{
    (void)state;
    fake_reset();
    BECAME(run(REGISTRAR_REMOVE, NULL, 0), REGISTRAR_ABSENT);
    fake_put("v", OTHER_ID);
    BECAME(run(REGISTRAR_REMOVE, NULL, 0), REGISTRAR_CHANGED);
    assert_false(fake.is_there);
}

static void draining_changes_the_state_and_keeps_the_lease(void **state)
{
    (void)state;
    fake_reset();
    BECAME(run(REGISTRAR_DRAIN, NULL, 0), REGISTRAR_ABSENT);
    fake_put("h:1", OTHER_ID);
    fake.leases[fake.lease_count++].id = OTHER_ID;
    fake.leases[0].expires_ms = UINT64_MAX;
    BECAME(run(REGISTRAR_DRAIN, NULL, 0), REGISTRAR_CHANGED);
    assert_true(fake_has(DRAINED) && fake.lease == OTHER_ID);
    BECAME(run(REGISTRAR_UNDRAIN, NULL, 0), REGISTRAR_CHANGED);
    assert_true(fake_has("h:1") && fake.lease == OTHER_ID);
    fake_put("nonsense", 0);
    struct outcome unfit = run(REGISTRAR_DRAIN, NULL, 0);
    BECAME(unfit, REGISTRAR_UNFIT);
    assert_true(unfit.why.text[0] != '\0' && fake_has("nonsense"));
}

/* An older attempt that is still on its way must find another revision. */
static void a_state_that_it_has_is_written_again(void **state)
{
    (void)state;
    fake_reset();
    fake_put(DRAINED, 0);
    int64_t revision = fake.revision;
    BECAME(run(REGISTRAR_DRAIN, NULL, 0), REGISTRAR_UNCHANGED);
    assert_true(fake_has(DRAINED) && fake.revision > revision);
}

static void a_lease_that_goes_while_it_is_drained_is_said(void **state)
{
    (void)state;
    fake_reset();
    fake_put("h:1", OTHER_ID);
    assert_int_equal(run(REGISTRAR_DRAIN, NULL, 0).status, STATUS_NOT_FOUND);
}

static void it_turns_switches_over(void **state)
{
    static const struct {
        const char *before;
        enum registrar_outcome outcome;
        const char *after;
    } rows[] = {{"yes", REGISTRAR_DISABLED, "no"},
                {" EnAbled\t\n", REGISTRAR_DISABLED, "no"},
                {"1", REGISTRAR_DISABLED, "no"},
                {"\ty", REGISTRAR_DISABLED, "no"},
                {"on", REGISTRAR_DISABLED, "no"},
                {"true", REGISTRAR_DISABLED, "no"},
                {"\r0\r", REGISTRAR_ENABLED, "yes"},
                {"FALSE", REGISTRAR_ENABLED, "yes"},
                {"disabled", REGISTRAR_ENABLED, "yes"},
                {"off", REGISTRAR_ENABLED, "yes"},
                {"n", REGISTRAR_ENABLED, "yes"},
                {"no", REGISTRAR_ENABLED, "yes"},
                {"", REGISTRAR_UNFIT, ""},
                {"  ", REGISTRAR_UNFIT, "  "},
                {"yess", REGISTRAR_UNFIT, "yess"},
                {"ye", REGISTRAR_UNFIT, "ye"},
                {"2", REGISTRAR_UNFIT, "2"}};
    (void)state;
    fake_reset();
    BECAME(run(REGISTRAR_TOGGLE_SWITCH, NULL, 0), REGISTRAR_ABSENT);
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_put(rows[i].before, 0);
        BECAME(run(REGISTRAR_TOGGLE_SWITCH, NULL, 0), rows[i].outcome);
        assert_true(fake_has(rows[i].after));
    }
}

static void it_exchanges_switches(void **state)
{
    (void)state;
    fake_reset();
    BECAME(run(REGISTRAR_EXCHANGE_SWITCH, "new", TTL_S), REGISTRAR_CREATED);
    assert_true(fake_has("new") && lease_id_is_for(fake.lease, TTL_S));
    BECAME(run(REGISTRAR_EXCHANGE_SWITCH, "newer", 0), REGISTRAR_UNFIT);
    assert_true(fake_has("new"));
    fake_put("old", OTHER_ID);
    BECAME(run(REGISTRAR_EXCHANGE_SWITCH, "new", 0), REGISTRAR_CHANGED);
    assert_true(fake_has("new") && fake.lease == 0);
    fake_put("olD", 0);
    BECAME(run(REGISTRAR_EXCHANGE_SWITCH, "new", 0), REGISTRAR_UNFIT);
}

static unsigned meanwhile_left;
static const char *meanwhile_value; /* NULL: deleted */

static void change_meanwhile(void)
{
    /* Not before it was read. */
    if (fake.counts[FAKE_RANGE] == 0 || meanwhile_left == 0)
        return;
    meanwhile_left--;
    if (meanwhile_value)
        fake_put(meanwhile_value, 0);
    else
        fake_delete();
}

static struct outcome run_against(enum registrar_kind kind, const char *value, unsigned times,
                                  const char *other)
{
    fake_reset();
    fake_put(kind == REGISTRAR_EXCHANGE_SWITCH ? "old" : "h:1", 0);
    if (kind == REGISTRAR_TOGGLE_SWITCH)
        fake_put("on", 0);
    meanwhile_left = times;
    meanwhile_value = other;
    return run_with(kind, value, 0, change_meanwhile);
}

static void who_was_faster_is_looked_at_again(void **state)
{
    (void)state;
    BECAME(run_against(REGISTRAR_REGISTER, "h:9", 7, "h:2"), REGISTRAR_CHANGED);
    assert_true(fake_has("h:9"));
    BECAME(run_against(REGISTRAR_REMOVE, NULL, 7, "h:2"), REGISTRAR_CHANGED);
    assert_false(fake.is_there);
    BECAME(run_against(REGISTRAR_DRAIN, NULL, 3, "h:2"), REGISTRAR_CHANGED);
    assert_true(fake_has("{\"location\":\"h:2\",\"state\":\"draining\"}"));
    BECAME(run_against(REGISTRAR_DRAIN, NULL, 1, "nonsense"), REGISTRAR_UNFIT);
    struct outcome absent = run_against(REGISTRAR_DRAIN, NULL, 1, NULL);
    BECAME(absent, REGISTRAR_ABSENT);
    assert_string_equal(absent.why.text, "");
    BECAME(run_against(REGISTRAR_EXCHANGE_SWITCH, "new", 5, "old"), REGISTRAR_CHANGED);
    BECAME(run_against(REGISTRAR_EXCHANGE_SWITCH, "new", 1, "else"), REGISTRAR_UNFIT);
    BECAME(run_against(REGISTRAR_EXCHANGE_SWITCH, "new", 1, NULL), REGISTRAR_CREATED);
}

static void others_who_are_always_faster_win(void **state)
{
    (void)state;
    static const enum registrar_kind kinds[] = {REGISTRAR_REGISTER, REGISTRAR_REMOVE,
                                                REGISTRAR_DRAIN};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct outcome out = run_against(kinds[i], "h:9", 100, "h:2");
        assert_int_equal(out.status, STATUS_CONFLICT);
        assert_true(fake_has("h:2") && meanwhile_left < 93 && meanwhile_left > 80);
    }
    assert_int_equal(run_against(REGISTRAR_EXCHANGE_SWITCH, "new", 100, "old").status,
                     STATUS_CONFLICT);
}

/* Else it would be turned over twice. */
static void a_switch_that_others_turned_over_is_left(void **state)
{
    (void)state;
    assert_int_equal(run_against(REGISTRAR_TOGGLE_SWITCH, NULL, 1, "off").status, STATUS_CONFLICT);
    assert_true(fake_has("off"));
}

/* Where it does not matter who did it, then it is done. */
static void the_same_by_others_will_do_but_not_where_who_matters(void **state)
{
    (void)state;
    BECAME(run_against(REGISTRAR_REGISTER, "h:9", 1, "h:9"), REGISTRAR_CHANGED);
    assert_int_equal(fake.puts, 0);
    BECAME(run_against(REGISTRAR_REMOVE, NULL, 1, NULL), REGISTRAR_CHANGED);
    assert_int_equal(fake.deletes, 0);
    assert_int_equal(run_against(REGISTRAR_TOGGLE_SWITCH, NULL, 1, "no").status, STATUS_CONFLICT);
    BECAME(run_against(REGISTRAR_EXCHANGE_SWITCH, "new", 1, "new"), REGISTRAR_UNFIT);
}

/* Deleted and made anew by others: our deletion is done, theirs is another key. */
static void a_key_that_was_made_anew_is_not_removed(void **state)
{
    (void)state;
    fake_reset();
    fake_put("h:1", 0);
    const struct registrar_change change = change_of(REGISTRAR_REMOVE, NULL, 0);
    struct outcome out = {0};
    assert_int_equal(registrar_start(fake_etcd(), &change, on_done, &out), STATUS_OK);
    fake_turn(0);
    fake_delete();
    fake_put("h:1", 0);
    fake_settle();
    BECAME(out, REGISTRAR_CHANGED);
    assert_true(fake.is_there);
}

/* An answer that is lost: the key says whether it was done. */
static void a_lost_answer_is_looked_up_where_who_matters(void **state)
{
    (void)state;
    for (enum fake_end end = FAKE_FAILED; end <= FAKE_LOST; end++) {
        fake_reset();
        fake_put("on", 0);
        fake_end_next(FAKE_DONE, STATUS_OK);
        fake_end_next(end, STATUS_TIMED_OUT);
        BECAME(run(REGISTRAR_TOGGLE_SWITCH, NULL, 0), REGISTRAR_DISABLED);
        assert_true(fake_has("no"));
        assert_int_equal(fake.puts, 1);
        assert_int_equal(fake.counts[FAKE_RANGE], 2);
    }
}

static void without_any_answer_it_is_not_known(void **state)
{
    (void)state;
    fake_reset();
    fake_put("on", 0);
    for (unsigned i = 0; i < 3; i++) {
        fake_end_next(FAKE_DONE, STATUS_OK); /* reading */
        fake_end_next(FAKE_FAILED, STATUS_TIMED_OUT);
    }
    struct outcome out = run(REGISTRAR_TOGGLE_SWITCH, NULL, 0);
    assert_int_equal(out.status, STATUS_TIMED_OUT);
    assert_string_equal(out.why.text, fake_away.text);
    assert_true(fake_has("on"));
}

/* An attempt of which nothing was heard was for a key that is another one now. */
static void an_old_attempt_is_no_claim_to_what_others_wrote_later(void **state)
{
    (void)state;
    const struct registrar_change change = change_of(REGISTRAR_EXCHANGE_SWITCH, "new", 0);
    struct outcome out = {0};
    fake_reset();
    fake_put("old", 0);
    fake_end_next(FAKE_DONE, STATUS_OK);
    fake_end_next(FAKE_FAILED, STATUS_TIMED_OUT);
    assert_int_equal(registrar_start(fake_etcd(), &change, on_done, &out), STATUS_OK);
    fake_turn(0); /* it is read, */
    fake_turn(0); /* an attempt is lost, */
    fake_turn(0); /* it is read again */
    fake_put("old", 0);
    fake_turn(0);
    fake_put("new", 0);
    fake_settle();
    BECAME(out, REGISTRAR_UNFIT);
    assert_int_equal(fake.puts, 0);
}

/* Only what may be repeated is said to be so, and what may not has a time limit of its own. */
static void what_may_be_repeated_is_said_to_etcd(void **state)
{
    (void)state;
    for (unsigned kind = REGISTRAR_REGISTER; kind <= REGISTRAR_EXCHANGE_SWITCH; kind++) {
        bool is_once = kind == REGISTRAR_TOGGLE_SWITCH || kind == REGISTRAR_EXCHANGE_SWITCH;
        const struct registrar_change change = change_of((enum registrar_kind)kind, "h:3", 0);
        struct outcome out = {0};
        fake_reset();
        fake_put(kind == REGISTRAR_EXCHANGE_SWITCH ? "old" : "h:1", 0);
        if (kind == REGISTRAR_TOGGLE_SWITCH)
            fake_put("off", 0);
        assert_int_equal(registrar_start(fake_etcd(), &change, on_done, &out), STATUS_OK);
        fake_turn(0);
        assert_int_equal(fake.request_count, 1);
        assert_int_equal(fake.requests[0].is_idempotent, !is_once);
        assert_int_equal(fake.requests[0].timeout_ms, is_once ? 2000 : 0);
        fake_settle();
        assert_int_equal(out.calls, 1);
    }
}

static void what_fails_says_why(void **state)
{
    (void)state;
    for (unsigned good = 0; good < 3; good++) { /* reading, granting, writing */
        fake_reset();
        for (unsigned i = 0; i < good; i++)
            fake_end_next(FAKE_DONE, STATUS_OK);
        fake_end_next(FAKE_FAILED, STATUS_UNREACHABLE);
        struct outcome out = run(REGISTRAR_REGISTER, "h:1", TTL_S);
        assert_int_equal(out.status, STATUS_UNREACHABLE);
        assert_string_equal(out.why.text, fake_away.text);
    }
}

static void a_renewal_that_fails_is_no_reason_to_write(void **state)
{
    (void)state;
    fake_reset();
    (void)run(REGISTRAR_REGISTER, "h:1", TTL_S);
    fake_end_next(FAKE_DONE, STATUS_OK);
    fake_end_next(FAKE_FAILED, STATUS_UNREACHABLE);
    assert_int_equal(run(REGISTRAR_REGISTER, "h:1", TTL_S).status, STATUS_UNREACHABLE);
    assert_int_equal(fake.puts, 1);
}

/* The call that begins it says so itself. */
static void what_fails_at_once_is_not_called_back(void **state)
{
    (void)state;
    const struct registrar_change change = change_of(REGISTRAR_REMOVE, NULL, 0);
    struct outcome out = {0};
    fake_reset();
    fake.fails_at_once = true;
    assert_int_equal(registrar_start(fake_etcd(), &change, on_done, &out), STATUS_NO_MEMORY);
    assert_int_equal(out.calls, 0);
}

/* LeakSanitizer says whether all is given back. */
static void closing_the_client_ends_it_at_whatever_step(void **state)
{
    (void)state;
    for (unsigned kind = REGISTRAR_REGISTER; kind <= REGISTRAR_EXCHANGE_SWITCH; kind++) {
        for (unsigned turns = 0; turns < 3; turns++) {
            const struct registrar_change change =
                change_of((enum registrar_kind)kind, "h:1", TTL_S);
            struct outcome out = {0};
            fake_reset();
            if (kind == REGISTRAR_REGISTER) {
                (void)run(REGISTRAR_REGISTER, "h:1", TTL_S);
                fake_put("h:1", fake.lease);
            }
            assert_int_equal(registrar_start(fake_etcd(), &change, on_done, &out), STATUS_OK);
            for (unsigned i = 0; i < turns; i++)
                fake_turn(0);
            bool is_over = out.calls > 0;
            fake_close();
            assert_int_equal(out.calls, 1);
            assert_true(is_over || out.status == STATUS_CANCELLED);
        }
    }
}

static void closing_the_client_ends_it(void **state)
{
    (void)state;
    const struct registrar_change change = change_of(REGISTRAR_REGISTER, "h:1", TTL_S);
    struct outcome out = {0};
    fake_reset();
    fake.is_mute = true;
    assert_int_equal(registrar_start(fake_etcd(), &change, on_done, &out), STATUS_OK);
    fake_settle();
    assert_int_equal(out.calls, 0);
    fake_close();
    assert_int_equal(out.calls, 1);
    assert_int_equal(out.status, STATUS_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_registers),
        cmocka_unit_test(the_same_again_renews_the_lease_alone),
        cmocka_unit_test(what_is_not_the_same_is_written_under_a_new_lease),
        cmocka_unit_test(a_lease_that_is_gone_is_not_renewed),
        cmocka_unit_test(a_line_end_is_part_of_a_switch_alone),
        cmocka_unit_test(it_removes),
        cmocka_unit_test(draining_changes_the_state_and_keeps_the_lease),
        cmocka_unit_test(a_state_that_it_has_is_written_again),
        cmocka_unit_test(a_lease_that_goes_while_it_is_drained_is_said),
        cmocka_unit_test(it_turns_switches_over),
        cmocka_unit_test(it_exchanges_switches),
        cmocka_unit_test(who_was_faster_is_looked_at_again),
        cmocka_unit_test(others_who_are_always_faster_win),
        cmocka_unit_test(a_switch_that_others_turned_over_is_left),
        cmocka_unit_test(the_same_by_others_will_do_but_not_where_who_matters),
        cmocka_unit_test(a_key_that_was_made_anew_is_not_removed),
        cmocka_unit_test(a_lost_answer_is_looked_up_where_who_matters),
        cmocka_unit_test(without_any_answer_it_is_not_known),
        cmocka_unit_test(an_old_attempt_is_no_claim_to_what_others_wrote_later),
        cmocka_unit_test(what_may_be_repeated_is_said_to_etcd),
        cmocka_unit_test(what_fails_says_why),
        cmocka_unit_test(a_renewal_that_fails_is_no_reason_to_write),
        cmocka_unit_test(what_fails_at_once_is_not_called_back),
        cmocka_unit_test(closing_the_client_ends_it_at_whatever_step),
        cmocka_unit_test(closing_the_client_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
