#include "worker.h"

#include "registry/net/loop.h"
#include "udp.h"
#include "zones/store/rcu.h"

#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdlib.h>
#include <unistd.h>

/* The last rounds are those of stopping: what has been received is answered, but of a flood, which
 * has no end, not more than that. */
#define UDP_ROUNDS      8 /* batches in one go, before TCP gets its turn */
#define UDP_LAST_ROUNDS 1024

struct worker_udp {
    uv_poll_t poll;
    struct worker *worker;
    int fd; /* -1 = closed */
    bool is_wildcard;
};

struct worker {
    struct counters counters __attribute__((aligned(64))); /* cache lines of their own */
    struct batch batch __attribute__((aligned(64)));
    struct worker_shared *shared;
    uv_loop_t loop;
    uv_async_t stop;
    uv_prepare_t sleep;
    pthread_t thread;
    bool has_loop, has_handles, has_thread;
    bool is_stopping; /* the thread's */
    struct worker_udp sockets[TCP_LISTENERS_MAX];
    unsigned socket_count;
    struct udp udp;
    struct tcp tcp;
};

enum status worker_new(struct worker_shared *shared, unsigned index, struct worker **out)
{
    /* calloc() does not align to a cache line. */
    struct worker *worker = aligned_alloc(alignof(struct worker), sizeof(*worker));
    if (!worker)
        return STATUS_NO_MEMORY;
    memset(worker, 0, sizeof(*worker));
    worker->shared = shared;
    worker->batch = (struct batch){
        .zone = shared->zone,
        .published = &shared->published,
        .allow = shared->allow,
        .allow_transfer = shared->allow_transfer,
        .counters = &worker->counters,
        .scratch = answer_scratch_new(),
        .rotation = index * UINT32_C(0x9e3779b9), /* 2^32 / golden ratio: far from all others' */
        .is_online = true,
    };
    if (!worker->batch.scratch) {
        free(worker);
        return STATUS_NO_MEMORY;
    }
    udp_init(&worker->udp, &worker->batch, shared->limit);
    *out = worker;
    return STATUS_OK;
}

void worker_add(struct worker *worker, int udp_fd, int tcp_fd, bool is_wildcard)
{
    struct worker_udp *socket = &worker->sockets[worker->socket_count++];
    socket->worker = worker;
    socket->fd = udp_fd;
    socket->is_wildcard = is_wildcard;
    tcp_add(&worker->tcp, tcp_fd);
}

static void worker_on_udp(uv_poll_t *poll, int status, int events)
{
    struct worker_udp *socket = poll->data;
    (void)events;
    if (status < 0) {
        /* libuv has stopped polling; asking for the socket's error clears it. */
        int error;
        socklen_t len = sizeof(error);
        (void)getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        (void)uv_poll_start(poll, UV_READABLE, worker_on_udp);
    }
    udp_serve(&socket->worker->udp, socket->fd, socket->is_wildcard, UDP_ROUNDS);
}

/* A prepare handle runs right before the loop waits for events. First tcp_turn(), which reads the
 * zone; then offline, since who waits online holds up every grace period. */
static void worker_on_sleep(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    tcp_turn(&worker->tcp);
    batch_sleep(&worker->batch);
}

/* poll.data says whether there is a handle: a start that failed halfway leaves sockets without
 * one. */
static void worker_close_udp(struct worker *worker)
{
    for (unsigned i = 0; i < worker->socket_count; i++) {
        struct worker_udp *socket = &worker->sockets[i];
        if (socket->poll.data)
            uv_close((uv_handle_t *)&socket->poll, NULL);
        close(socket->fd);
    }
    worker->socket_count = 0;
}

static void worker_on_stop(uv_async_t *async)
{
    struct worker *worker = async->data;
    if (worker->is_stopping)
        return; /* asked twice: by worker_stop(), and by worker_free() */
    worker->is_stopping = true;
    for (unsigned i = 0; i < worker->socket_count; i++) {
        struct worker_udp *socket = &worker->sockets[i];
        udp_serve(&worker->udp, socket->fd, socket->is_wildcard, UDP_LAST_ROUNDS);
    }
    worker_close_udp(worker);
    tcp_stop(&worker->tcp);
    /* Now the loop lasts as long as there are connections with a backlog. */
    uv_unref((uv_handle_t *)&worker->stop);
    uv_unref((uv_handle_t *)&worker->sleep);
}

/* The loop was made by the server's thread, and is this one's until pthread_join(). A reader is a
 * thread, so it registers itself. */
static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    rcu_reader_start();
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    rcu_reader_stop();
    return NULL;
}

/* libuv's status of the first handle that failed, else 0. */
static int worker_start_handles(struct worker *worker)
{
    int error = uv_async_init(&worker->loop, &worker->stop, worker_on_stop);
    if (error != 0)
        return error;
    uv_prepare_init(&worker->loop, &worker->sleep);
    worker->has_handles = true;
    worker->stop.data = worker->sleep.data = worker;
    uv_prepare_start(&worker->sleep, worker_on_sleep);
    for (unsigned i = 0; i < worker->socket_count; i++) {
        struct worker_udp *socket = &worker->sockets[i];
        error = uv_poll_init(&worker->loop, &socket->poll, socket->fd);
        if (error != 0)
            return error;
        socket->poll.data = socket;
        error = uv_poll_start(&socket->poll, UV_READABLE, worker_on_udp);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Signals are the control thread's; and a reply to a connection that was reset must not be one. */
static int worker_start_thread(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, worker_run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->has_thread = error == 0;
    return error;
}

enum status worker_start(struct worker *worker, struct detail *why)
{
    struct worker_shared *shared = worker->shared;
    int error = loop_init(&worker->loop);
    if (error != 0)
        return detail_set(why, STATUS_SYSTEM, "event loop: %s", uv_strerror(error));
    worker->has_loop = true;
    error = worker_start_handles(worker);
    if (error != 0)
        return detail_set(why, STATUS_SYSTEM, "event loop: %s", uv_strerror(error));
    enum status status = tcp_start(&worker->tcp, &worker->loop, &worker->batch, &shared->tcp_share,
                                   shared->tcp_idle_ms);
    if (status != STATUS_OK)
        return detail_set(why, status, "TCP sockets: %s", status_text(status));
    error = worker_start_thread(worker);
    if (error != 0)
        return detail_set(why, STATUS_SYSTEM, "thread: %s",
                          uv_strerror(uv_translate_sys_error(error)));
    return STATUS_OK;
}

void worker_stop(struct worker *worker)
{
    if (worker->has_thread)
        uv_async_send(&worker->stop);
}

const struct counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

/* A worker may be freed whatever has become of it (worker.h), so each part is looked at whether it
 * is there. */
void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    if (worker->has_thread) {
        worker_stop(worker);
        pthread_join(worker->thread, NULL);
    }
    worker_close_udp(worker);
    tcp_close(&worker->tcp);
    if (worker->has_handles) {
        uv_close((uv_handle_t *)&worker->stop, NULL);
        uv_close((uv_handle_t *)&worker->sleep, NULL);
    }
    if (worker->has_loop) { /* a handle is closed by a turn of its loop */
        uv_run(&worker->loop, UV_RUN_DEFAULT);
        uv_loop_close(&worker->loop);
    }
    answer_scratch_free(worker->batch.scratch);
    free(worker);
}
