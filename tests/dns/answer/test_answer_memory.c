/* What is answered of a zone that could not be told all for want of memory: never that what was put
 * does not exist.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. */
#include "support/allocation.h"
#include "support/ask.h"
#include "zones/store/rcu.h"
#include "zones/zone.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *key, *value, *name;
    uint16_t type;
} rows[] = {
    {"/service/http/a", "10.0.0.1:80", "a._http._tcp.empusa.internal.", READ_SRV},
    {"/service/http/b", "{\"location\":\"10.0.0.2:80\",\"txt\":{\"a\":\"b\"}}",
     "b._http._tcp.empusa.internal.", READ_SRV},
    {"/service/ftp/c", "{\"location\":\"www:21\",\"subtypes\":[\"x\",\"y\"]}",
     "_x._sub._ftp._tcp.empusa.internal.", READ_PTR},
    {"/service/ftp/d", "[fd00::1]:21", "fd00-0-0-0-0-0-0-1.addr.empusa.internal.", READ_AAAA},
    {"/switch/a/b", "on", "b.a.switch.empusa.internal.", READ_TXT},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct zone_options options = {
    .domain = "empusa.internal", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};

static struct ask ask;

static unsigned rcode_of(const char *name, uint16_t type)
{
    struct ask_query query = ask_query(name, type);
    ask_send(&ask, &query, QUERY_UDP);
    return ask.result.rcode;
}

static enum status put(size_t i, unsigned good)
{
    const char *key = rows[i].key, *value = rows[i].value;
    allocation_begin(good);
    enum status status =
        zone_put(ask.zone, key, strlen(key), value, strlen(value), (int64_t)i + 1, 0);
    allocation_end();
    return status;
}

static void load_all(void)
{
    zone_load_begin(ask.zone);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(put(i, ALLOCATION_ALL), STATUS_OK);
    zone_load_end(ask.zone, NULL, NULL);
    zone_commit(ask.zone, 100);
}

/* Row i has failed, by a watch: nothing is said not to exist until a load has told all. */
static void check_failed(size_t i)
{
    zone_commit(ask.zone, 50);
    assert_true(zone_is_partial(ask.zone));
    assert_int_not_equal(rcode_of(rows[i].name, rows[i].type), 3);
    assert_int_equal(rcode_of("nobody._http._tcp.empusa.internal.", READ_SRV), 2);
    assert_int_equal(rcode_of("empusa.internal.", READ_AAAA), 2); /* NODATA */
    assert_int_equal(rcode_of("empusa.internal.", 6), 0);         /* SOA */
    zone_commit(ask.zone, 51);                                    /* of another change */
    assert_true(zone_is_partial(ask.zone));
}

static void check_whole(void)
{
    assert_false(zone_is_partial(ask.zone));
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(rcode_of(rows[i].name, rows[i].type), 0);
    assert_int_equal(rcode_of("nobody._http._tcp.empusa.internal.", READ_SRV), 3);
}

static void what_could_not_be_told_is_not_denied(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (size_t i = 0; i < ROWS; i++) {
        enum status status = STATUS_NO_MEMORY;
        for (unsigned good = 0; status != STATUS_OK; good++) {
            assert_int_equal(zone_new(&options, &ask.zone, NULL), STATUS_OK);
            zone_load_begin(ask.zone);
            zone_load_end(ask.zone, NULL, NULL);
            zone_commit(ask.zone, 1);
            status = put(i, good);
            if (status != STATUS_OK) {
                failures++;
                check_failed(i);
                load_all();
                check_whole();
            }
            zone_free(ask.zone);
        }
    }
    assert_true(failures > ROWS * 3);
}

/* The new value of a key is lost in a load: the old one is not swept, the load was none. */
static void a_load_that_lacks_memory_sweeps_nothing_it_was_told(void **state)
{
    (void)state;
    static const char value[] = "10.0.0.9:80";
    unsigned failures = 0;
    enum status status = STATUS_NO_MEMORY;
    for (unsigned good = 0; status != STATUS_OK; good++) {
        assert_int_equal(zone_new(&options, &ask.zone, NULL), STATUS_OK);
        load_all();
        zone_load_begin(ask.zone);
        rcu_retire(malloc(1)); /* with room for more: without, what is retired is lost on purpose */
        allocation_begin(good);
        status = zone_put(ask.zone, rows[0].key, strlen(rows[0].key), value, strlen(value), 60, 0);
        allocation_end();
        for (size_t i = 1; i < ROWS; i++)
            assert_int_equal(put(i, ALLOCATION_ALL), STATUS_OK);
        zone_load_end(ask.zone, NULL, NULL);
        zone_commit(ask.zone, 200);
        assert_int_equal(rcode_of(rows[0].name, rows[0].type), 0);
        assert_int_equal(zone_is_partial(ask.zone), status != STATUS_OK);
        failures += status != STATUS_OK;
        zone_free(ask.zone);
    }
    assert_true(failures > 0);
}

static struct {
    sem_t has_looked_up, is_loaded;
    struct answer_result result;
} late;

/* A worker that looks a name up while it is missing, and answers when a load may have brought it. */
static void *answer_late(void *unused)
{
    static uint8_t reply[ANSWER_MAX + ANSWER_SLACK];
    static struct query query;
    struct ask_query asked = ask_query(rows[0].name, rows[0].type);
    (void)unused;
    rcu_reader_start();
    query_read(&query, asked.bytes, asked.len, QUERY_UDP, NULL, 0);
    answer_prepare(ask.zone, &query);
    answer_fetch(ask.zone, &query, 1);
    sem_post(&late.has_looked_up);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    (void)sem_timedwait(&late.is_loaded, &until);
    answer(ask.zone, &ask.env, &query, ask.scratch, reply, ANSWER_MAX, &late.result);
    rcu_reader_stop();
    return NULL;
}

static void what_comes_after_it_was_looked_for_is_not_denied(void **state)
{
    (void)state;
    pthread_t worker;
    assert_int_equal(zone_new(&options, &ask.zone, NULL), STATUS_OK);
    assert_int_equal(put(0, 0), STATUS_NO_MEMORY);
    zone_commit(ask.zone, 50);
    sem_init(&late.has_looked_up, 0, 0);
    sem_init(&late.is_loaded, 0, 0);
    assert_int_equal(pthread_create(&worker, NULL, answer_late, NULL), 0);
    sem_wait(&late.has_looked_up);
    load_all();
    sem_post(&late.is_loaded);
    pthread_join(worker, NULL);
    assert_int_not_equal(late.result.rcode, 3);
    check_whole();
    zone_free(ask.zone);
}

static int open_scratch(void **state)
{
    (void)state;
    ask.env = (struct answer_env){.state = ANSWER_FRESH, .max_udp_size = 1232};
    ask.scratch = answer_scratch_new();
    return ask.scratch ? 0 : -1;
}

static int free_scratch(void **state)
{
    (void)state;
    answer_scratch_free(ask.scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_not_be_told_is_not_denied),
        cmocka_unit_test(a_load_that_lacks_memory_sweeps_nothing_it_was_told),
        cmocka_unit_test(what_comes_after_it_was_looked_for_is_not_denied),
    };
    return cmocka_run_group_tests(tests, open_scratch, free_scratch);
}
