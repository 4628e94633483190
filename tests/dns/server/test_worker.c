/* One worker alone: its thread, its sockets, its end. */
#include "dns/server/worker.h"

#include "dns/wire/socket.h"
#include "support/client.h"
#include "support/fake_answer.h"
#include "zones/store/rcu.h"

#include <pthread.h>
#include <signal.h>

static struct worker_shared shared;
static struct batch_env env;
static struct worker *worker;
static struct sockaddr_storage address;

static void open_worker(unsigned index)
{
    int guard = -1, udp = -1, tcp = -1;
    memset(&shared, 0, sizeof(shared));
    env = (struct batch_env){.version = 1, .env = {.nsid_len = 2, .nsid = "v1"}};
    shared.published = &env;
    shared.tcp_share = (struct tcp_share){.limit = 8, .workers = 1};
    shared.tcp_idle_ms = 10000;
    address = client_address("127.0.0.1", 0);
    assert_int_equal(socket_claim(&address, &guard, NULL), STATUS_OK);
    assert_int_equal(worker_new(&shared, index, &worker), STATUS_OK);
    assert_int_equal(socket_open(&address, SOCK_DGRAM, &udp, NULL), STATUS_OK);
    assert_int_equal(socket_open(&address, SOCK_STREAM, &tcp, NULL), STATUS_OK);
    worker_add(worker, udp, tcp, false);
    close(guard);
}

static int teardown(void **state)
{
    (void)state;
    worker_free(worker);
    worker = NULL;
    rcu_barrier_all();
    return 0;
}

static void start(void)
{
    struct detail why = {""};
    if (worker_start(worker, &why) != STATUS_OK)
        fail_msg("%s", why.text);
}

/* Whether a query by UDP, and one by TCP, is answered. */
static bool is_answered(int type)
{
    uint8_t bytes[128], reply[65535];
    int fd = client_connect(&address, type);
    bool is_tcp = type == SOCK_STREAM;
    size_t len = is_tcp ? client_message(bytes, 7, "a", CLIENT_TYPE_A)
                        : client_query(bytes, 7, "a", CLIENT_TYPE_A);
    client_send(fd, bytes, len);
    size_t got =
        is_tcp ? client_read_message(fd, reply) : (size_t)recv(fd, reply, sizeof(reply), 0);
    close(fd);
    return got == 26 && client_id(reply) == 7;
}

static void it_answers_by_both_transports(void **state)
{
    (void)state;
    open_worker(0);
    start();
    for (int i = 0; i < 3; i++) {
        assert_true(is_answered(SOCK_DGRAM));
        assert_true(is_answered(SOCK_STREAM));
    }
    const struct counters *counters = worker_counters(worker);
    assert_int_equal(counters->queries[QUERY_UDP][COUNTERS_TYPE_A], 3);
    assert_int_equal(counters->queries[QUERY_TCP][COUNTERS_TYPE_A], 3);
}

/* What the kernel has taken for it is answered, and then nobody is there. */
static void it_ends_when_it_is_asked_to(void **state)
{
    (void)state;
    uint8_t bytes[128], reply[512];
    open_worker(0);
    start();
    assert_true(is_answered(SOCK_DGRAM));
    int fd = client_connect(&address, SOCK_DGRAM);
    for (uint16_t i = 0; i < 100; i++)
        client_send(fd, bytes, client_query(bytes, i, "a", CLIENT_TYPE_A));
    worker_stop(worker);
    worker_stop(worker); /* twice is once */
    worker_free(worker);
    worker = NULL;
    for (int i = 0; i < 100; i++)
        assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), 26);
    close(fd);
    fd = client_connect(&address, SOCK_DGRAM);
    (void)send(fd, bytes, 12, 0);
    assert_int_equal(recv(fd, reply, sizeof(reply), 0), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
}

/* Freed at any time: as it was made, with sockets that nobody has listened on, running. */
static void it_may_be_freed_at_any_time(void **state)
{
    (void)state;
    worker_free(NULL);
    for (int i = 0; i < 2; i++) {
        open_worker(0);
        if (i == 1)
            start();
        worker_free(worker);
        worker = NULL;
        /* Its sockets are closed. */
        int guard = -1;
        assert_int_equal(socket_claim(&address, &guard, NULL), STATUS_OK);
        assert_int_equal(guard, -1);
    }
}

/* Signals are the control thread's. */
static void it_takes_no_signals(void **state)
{
    sigset_t before, blocked;
    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    open_worker(0);
    start();
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < 32; i++) /* this thread's are as they were */
        assert_int_equal(sigismember(&blocked, i), sigismember(&before, i));
    /* Sent to the process while this thread blocks it, it stays pending: no other thread takes it.
     */
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &before);
    kill(getpid(), SIGUSR1);
    assert_true(is_answered(SOCK_DGRAM));
    sigset_t pending;
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGUSR1));
    int number = 0;
    assert_int_equal(sigwait(&usr1, &number), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A reader that waits for queries holds no change up. */
static void an_idle_worker_is_no_reader(void **state)
{
    (void)state;
    open_worker(1);
    start();
    assert_true(is_answered(SOCK_DGRAM));
    void *memory = malloc(16);
    assert_non_null(memory);
    rcu_retire(memory);
    rcu_collect();
    rcu_barrier_all(); /* would wait for ever */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_takes_no_signals), /* first: liburcu's thread, which comes later, would take them */
        TEST(it_answers_by_both_transports), TEST(it_ends_when_it_is_asked_to),
        TEST(it_may_be_freed_at_any_time),   TEST(an_idle_worker_is_no_reader),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
