#include "empusa_thread.h"

#include "registry/net/loop.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define MS_PER_S  1000
#define NS_PER_MS 1000000L
#define NS_PER_S  1000000000L

/* Calls are taken one by one and run without the lock, which each takes to say that it is done. */
static struct empusa_call *empusa_thread_take(struct empusa *registry)
{
    pthread_mutex_lock(&registry->lock);
    struct empusa_call *call = registry->first;
    if (call) {
        registry->first = call->next;
        if (!call->next)
            registry->last = &registry->first;
    }
    pthread_mutex_unlock(&registry->lock);
    return call;
}

/* libuv makes one wake of several that were sent: all calls that are there are run. */
static void empusa_thread_on_wake(uv_async_t *wake)
{
    struct empusa *registry = wake->data;
    struct empusa_call *call;
    while ((call = empusa_thread_take(registry)))
        call->run(call);
    if (registry->is_finished)
        registry->finish(registry);
}

void empusa_thread_finish(struct empusa *registry)
{
    registry->is_finished = true;
    uv_async_send(&registry->wake);
}

static int empusa_thread_init_lock(struct empusa *registry)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error)
        return error;
    /* Whoever sets the machine's clock must not lengthen a wait. */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(&registry->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (error)
        return error;
    error = pthread_mutex_init(&registry->lock, NULL);
    if (error)
        pthread_cond_destroy(&registry->changed);
    return error;
}

static void empusa_thread_clear_lock(struct empusa *registry)
{
    pthread_mutex_destroy(&registry->lock);
    pthread_cond_destroy(&registry->changed);
}

enum status empusa_thread_init(struct empusa *registry, struct detail *why)
{
    registry->last = &registry->first;
    int error = empusa_thread_init_lock(registry);
    if (error)
        return detail_set(why, STATUS_SYSTEM, "a lock: %s", strerror(error));
    error = loop_init(&registry->loop);
    if (error) {
        empusa_thread_clear_lock(registry);
        return detail_set(why, STATUS_SYSTEM, "event loop: %s", uv_strerror(error));
    }
    error = uv_async_init(&registry->loop, &registry->wake, empusa_thread_on_wake);
    if (error) {
        uv_loop_close(&registry->loop);
        empusa_thread_clear_lock(registry);
        return detail_set(why, STATUS_SYSTEM, "event loop: %s", uv_strerror(error));
    }
    registry->wake.data = registry;
    return STATUS_OK;
}

static void empusa_thread_run_loop(struct empusa *registry)
{
    while (uv_run(&registry->loop, UV_RUN_DEFAULT))
        continue;
}

void empusa_thread_clear(struct empusa *registry)
{
    /* Handles are closed on the loop's next turns; before that it could not be closed. */
    empusa_thread_run_loop(registry);
    uv_loop_close(&registry->loop);
    empusa_thread_clear_lock(registry);
}

static void *empusa_thread_main(void *arg)
{
    empusa_thread_run_loop(arg);
    return NULL;
}

/* The thread inherits what signals are blocked: all. So no handler of the program's runs on it, and
 * the SIGPIPE that OpenSSL raises when it writes to a connection that is gone stays pending there.
 */
enum status empusa_thread_start(struct empusa *registry, struct detail *why)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&registry->thread, NULL, empusa_thread_main, registry);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return detail_set(why, STATUS_SYSTEM, "a thread: %s", strerror(error));
    pthread_setname_np(registry->thread, "empusa");
    return STATUS_OK;
}

void empusa_thread_stop(struct empusa *registry)
{
    uv_close((uv_handle_t *)&registry->wake, NULL);
}

void empusa_thread_join(struct empusa *registry)
{
    pthread_join(registry->thread, NULL);
}

bool empusa_thread_is_own(const struct empusa *registry)
{
    return pthread_equal(registry->thread, pthread_self());
}

void empusa_thread_call(struct empusa *registry, struct empusa_call *call)
{
    call->registry = registry;
    call->next = NULL;
    call->is_done = false;
    pthread_mutex_lock(&registry->lock);
    *registry->last = call;
    registry->last = &call->next;
    uv_async_send(&registry->wake); /* with the lock: behind it, closing may be over already */
    /* One condition serves all: whoever wakes looks for what it waits for. */
    while (!call->is_done)
        pthread_cond_wait(&registry->changed, &registry->lock);
    pthread_mutex_unlock(&registry->lock);
}

void empusa_thread_end(struct empusa_call *call)
{
    struct empusa *registry = call->registry;
    pthread_mutex_lock(&registry->lock);
    call->is_done = true;
    /* Once the lock is given up *call may be gone: it is on the stack of the thread that waits. */
    pthread_cond_broadcast(&registry->changed);
    pthread_mutex_unlock(&registry->lock);
}

struct timespec empusa_thread_deadline(uint32_t delay_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(delay_ms / MS_PER_S);
    at.tv_nsec += (long)(delay_ms % MS_PER_S) * NS_PER_MS;
    if (at.tv_nsec >= NS_PER_S) {
        at.tv_sec++;
        at.tv_nsec -= NS_PER_S;
    }
    return at;
}

void empusa_thread_tell(struct empusa *registry, const struct empusa_event *event)
{
    if (registry->on_event && !registry->is_closing)
        registry->on_event(registry->arg, event);
}

/* All that is kept goes through one client, so one outage reaches each registration by itself, at
 * its next beat. Counting makes one event of them. */
void empusa_thread_lose(struct empusa *registry, bool *is_away, int code, const char *why)
{
    if (*is_away)
        return;
    *is_away = true;
    registry->away++;
    if (registry->is_lost)
        return;
    registry->is_lost = true;
    const struct empusa_event event = {EMPUSA_EVENT_CONTACT_LOST, NULL, NULL, NULL, code, why};
    empusa_thread_tell(registry, &event);
}

void empusa_thread_regain(struct empusa *registry, bool *is_away)
{
    empusa_thread_forget(registry, is_away);
    if (!registry->is_lost || registry->away > 0)
        return;
    registry->is_lost = false;
    const struct empusa_event event = {
        EMPUSA_EVENT_CONTACT_REGAINED, NULL, NULL, NULL, EMPUSA_OK, ""};
    empusa_thread_tell(registry, &event);
}

/* Without an event: contact is not back because something that had none has ended. */
void empusa_thread_forget(struct empusa *registry, bool *is_away)
{
    registry->away -= *is_away;
    *is_away = false;
}
