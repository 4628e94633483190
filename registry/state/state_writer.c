#include "state_writer.h"

#include "state_apply.h"
#include "state_changes.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_OCTETS  65536 /* handed over when so many have come together, commit or not */
#define STAGED_MAX    (BLOCK_OCTETS + 2 * (size_t)KV_OCTETS_MAX + 4096)
#define NICENESS      5 /* the workers answer first */
#define STOP_GRACE_MS 1000
#define MS_PER_S      1000
#define NS_PER_MS     1000000

struct state_writer {
    struct state_queue queue;
    struct state_apply apply; /* the thread's, but for what is atomic in it */
    pthread_t thread;
    sem_t has_ended;      /* a join with a time limit is one that ThreadSanitizer does not see */
    bool is_stopping;     /* atomic */
    uint64_t deadline_ms; /* set before is_stopping */

    /* The control thread's. */
    struct buffer staged;
    uint64_t generation;
    bool has_given_up; /* nothing is taken until the next generation */
    bool is_loading;
    bool is_anew; /* a load that began a generation */
};

static void *state_writer_run(void *arg)
{
    struct state_writer *writer = arg;
    /* Linux: of this thread alone. */
    (void)!nice(NICENESS);
    uint64_t until_ms = UINT64_MAX;
    for (bool is_last = false; !is_last;) {
        state_queue_wait(&writer->queue, until_ms);
        is_last = __atomic_load_n(&writer->is_stopping, __ATOMIC_ACQUIRE);
        until_ms = state_apply_work(&writer->apply, state_apply_now_ms(), is_last,
                                    is_last ? writer->deadline_ms : 0);
    }
    state_apply_clear(&writer->apply);
    (void)sem_post(&writer->has_ended);
    return NULL;
}

/* Signals are the control thread's. And where a file may not grow any more (RLIMIT_FSIZE) SIGXFSZ
 * stays pending: the write then fails, which is all that is wanted. */
static int state_writer_start_thread(struct state_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&writer->thread, NULL, state_writer_run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(writer->thread, "empusa-state");
    return error;
}

static void state_writer_free(struct state_writer *writer)
{
    state_queue_clear(&writer->queue);
    buffer_clear(&writer->staged);
    (void)sem_destroy(&writer->has_ended);
    free(writer);
}

/* When the copy was written that an earlier process left, so far as it says: a server that starts over and
 * over shall not look as if it kept one. That may lie before the machine's start, where this clock begins. */
static uint64_t state_writer_written_ms(const struct state_copy *copy, uint64_t now_ms)
{
    if (!state_copy_is_loaded(copy))
        return now_ms;
    int64_t age_s = (int64_t)time(NULL) - state_copy_mark(copy)->contact_s;
    uint64_t age_ms = age_s > 0 ? (uint64_t)age_s * MS_PER_S : 0;
    return now_ms - age_ms;
}

enum status state_writer_start(struct state_copy *copy, const struct log *log,
                               struct state_writer **out, struct detail *why)
{
    struct state_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    writer->generation = STATE_APPLY_GENERATION;
    (void)sem_init(&writer->has_ended, 0, 0); /* fails for a count that is too large alone */
    buffer_init(&writer->staged, STAGED_MAX);
    state_queue_init(&writer->queue, STATE_WRITER_QUEUED_MAX);
    state_apply_init(&writer->apply, &writer->queue, copy, log, state_apply_now_ms());
    writer->apply.written_ms = state_writer_written_ms(copy, state_apply_now_ms());
    int error = state_writer_start_thread(writer);
    if (error != 0) {
        state_writer_free(writer);
        return detail_set(why, STATUS_SYSTEM, "a thread: %s", strerror(error));
    }
    *out = writer;
    return STATUS_OK;
}

void state_writer_stop(struct state_writer *writer, uint32_t wait_ms)
{
    if (!writer)
        return;
    uint64_t end_ms = state_apply_now_ms() + wait_ms;
    writer->deadline_ms = end_ms;
    __atomic_store_n(&writer->is_stopping, true, __ATOMIC_RELEASE);
    state_queue_signal(&writer->queue);
    end_ms += STOP_GRACE_MS;
    struct timespec end = {.tv_sec = (time_t)(end_ms / MS_PER_S),
                           .tv_nsec = (long)(end_ms % MS_PER_S) * NS_PER_MS};
    int result;
    do
        result = sem_clockwait(&writer->has_ended, CLOCK_MONOTONIC, &end);
    while (result != 0 && errno == EINTR);
    if (result != 0) {
        /* It hangs in the disk. Nothing of what it uses may go. */
        pthread_detach(writer->thread);
        return;
    }
    pthread_join(writer->thread, NULL);
    state_writer_free(writer);
}

static bool state_writer_is_given_up(const struct state_writer *writer)
{
    return writer->has_given_up ||
           __atomic_load_n(&writer->apply.lost, __ATOMIC_RELAXED) == writer->generation;
}

/* Beyond the bound, or without memory: the whole of it is to be had by a load, a part of it is
 * worth nothing. */
static void state_writer_hand_over(struct state_writer *writer)
{
    struct buffer *staged = &writer->staged;
    enum status status = staged->status;
    if (status == STATUS_OK)
        status = state_queue_push(&writer->queue, staged->data, staged->len);
    writer->has_given_up = status != STATUS_OK;
    buffer_reset(staged);
}

static void state_writer_stage(struct state_writer *writer, enum state_change_kind kind,
                               const struct kv *kv)
{
    if (!writer || state_writer_is_given_up(writer))
        return;
    state_changes_add_kv(&writer->staged, kind, kv);
    if (writer->staged.len >= BLOCK_OCTETS || writer->staged.status != STATUS_OK)
        state_writer_hand_over(writer);
}

void state_writer_put(struct state_writer *writer, const struct kv *kv)
{
    state_writer_stage(writer, STATE_CHANGE_PUT, kv);
}

void state_writer_remove(struct state_writer *writer, const char *key, size_t key_len)
{
    state_writer_stage(writer, STATE_CHANGE_REMOVE,
                       &(struct kv){.key = key, .key_len = key_len, .value = ""});
}

bool state_writer_load_begin(struct state_writer *writer)
{
    if (!writer)
        return false;
    writer->is_loading = true;
    /* One that was broken off before it was complete is begun anew, too. */
    writer->is_anew = writer->is_anew || state_writer_is_given_up(writer);
    if (!writer->is_anew)
        return false;
    writer->generation++;
    writer->has_given_up = false;
    buffer_reset(&writer->staged);
    state_changes_add_clear(&writer->staged, writer->generation);
    return true;
}

void state_writer_commit(struct state_writer *writer, const struct state_mark *mark)
{
    if (!writer)
        return;
    if (mark)
        writer->is_loading = writer->is_anew = false;
    if (state_writer_is_given_up(writer))
        return;
    if (mark)
        state_changes_add_mark(&writer->staged, mark);
    if (writer->staged.len > 0)
        state_writer_hand_over(writer);
}

bool state_writer_needs_load(const struct state_writer *writer)
{
    /* Not all of it: of a part of a state that was given up some is kept until the next one. */
    return writer && !writer->is_loading && state_writer_is_given_up(writer) &&
           state_queue_octets(&writer->queue) < STATE_WRITER_QUEUED_MAX / 2;
}

void state_writer_counts(const struct state_writer *writer, struct state_writer_counts *out)
{
    *out = (struct state_writer_counts){.age_ms = UINT64_MAX};
    if (!writer)
        return;
    const struct state_apply *apply = &writer->apply;
    uint64_t written_ms = __atomic_load_n(&apply->written_ms, __ATOMIC_RELAXED);
    int64_t age_ms = (int64_t)(state_apply_now_ms() - written_ms);
    out->age_ms = age_ms > 0 ? (uint64_t)age_ms : 0;
    out->bytes = __atomic_load_n(&apply->bytes, __ATOMIC_RELAXED);
    out->failures = __atomic_load_n(&apply->failures, __ATOMIC_RELAXED);
}
