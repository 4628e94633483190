/* The file is taken apart while it is read and each entry handed on to a transaction. A pipe is
 * waited for in the loop; what the loop cannot wait for, such as a plain file, is read while there
 * is something to send. Nothing is read while as much is under way as etcd takes well:
 * whoever writes into the pipe waits then, and of what was sent only some octets are kept. */
#include "commands.h"

#include "cli/args/session.h"
#include "cli/process/ending.h"
#include "cli/text/output.h"

#include "registry/base/random.h"
#include "registry/bulk.h"
#include "registry/entry_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE (16U << 10)
#define TICK_MS    250 /* how long an entry waits for its transaction to fill up */
#define MS_PER_S   1000

struct register_from {
    struct session *session;
    const char *file;
    uint64_t ttl_s; /* of entries that say none; 0 = none */
    struct bulk *bulk;
    struct entry_list list;
    int fd;
    uv_poll_t poll;
    uv_timer_t tick;
    struct ending ending;
    uint64_t begun_ms;
    enum status status; /* of what was read */
    struct detail why;
    bool has_warned; /* of an address that nobody can connect to */
    bool is_pollable, is_reading, is_interrupted, is_over, is_shown;
};

static void register_from_step(void *arg);

/* Once: a list may be full of them. */
static void register_from_warn_unspecified(struct register_from *from,
                                           const struct entry_list_item *item, uint64_t number)
{
    if (!from->has_warned)
        log_printf(from->session->log, LOG_LEVEL_WARNING,
                   "entry %" PRIu64 ": \"%.200s\": at an address to listen at, nobody can connect "
                   "to it (no more are named)",
                   number, item->key.text);
    from->has_warned = true;
}

static enum status register_from_on_entry(void *arg, const struct entry_list_item *item,
                                          uint64_t number)
{
    struct register_from *from = arg;
    if (item->is_unspecified)
        register_from_warn_unspecified(from, item, number);
    return bulk_add(from->bulk, &item->key, item->value, item->value_len,
                    item->ttl_s ? item->ttl_s : from->ttl_s);
}

static void register_from_read_chunk(struct register_from *from)
{
    char chunk[CHUNK_SIZE];
    ssize_t len = read(from->fd, chunk, sizeof(chunk));
    /* Others who have the pipe open may have made it non-blocking, or have read what was there. */
    if (len < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (len < 0) {
        from->status = detail_set(&from->why, STATUS_SYSTEM, "%s", strerror(errno));
    } else if (len == 0) {
        from->status = entry_list_finish(&from->list, &from->why);
    } else {
        from->status = entry_list_feed(&from->list, chunk, (size_t)len, &from->why);
    }
    from->is_reading = len > 0 && from->status == STATUS_OK;
}

static void register_from_on_readable(uv_poll_t *poll, int status, int events)
{
    /* An error of the poll is one of read(), too, which says what it is. */
    (void)status;
    (void)events;
    struct register_from *from = poll->data;
    if (from->is_reading)
        register_from_read_chunk(from);
    register_from_step(from);
}

/* Read while there is room for more, or have the loop say when there is something to read. */
static void register_from_read_more(struct register_from *from)
{
    while (from->is_reading && !from->is_pollable && !bulk_is_full(from->bulk))
        register_from_read_chunk(from);
    if (!from->is_pollable)
        return;
    if (from->is_reading && !bulk_is_full(from->bulk))
        uv_poll_start(&from->poll, UV_READABLE, register_from_on_readable);
    else
        uv_poll_stop(&from->poll);
}

/* As much as there is to do. At the end of the file, also where that is an error, the last
 * transaction goes out however empty it is; after a signal nobody waits for it. From
 * inside what it calls it is called only without memory, when the bulk has failed and takes no more. */
static void register_from_step(void *arg)
{
    struct register_from *from = arg;
    struct detail why;
    if (from->is_over)
        return;
    bool is_ending = from->is_interrupted || bulk_status(from->bulk, &why) != STATUS_OK;
    if (is_ending)
        from->is_reading = false;
    register_from_read_more(from);
    if (!from->is_reading && !is_ending)
        bulk_flush(from->bulk, UINT64_MAX);
    from->is_over = !from->is_reading && bulk_is_idle(from->bulk);
}

static void register_from_show(struct register_from *from)
{
    uint64_t written = bulk_written(from->bulk);
    uint64_t taken_ms = uv_now(&from->session->loop) - from->begun_ms;
    char text[80];
    snprintf(text, sizeof(text), "\r%" PRIu64 " written, %" PRIu64 "/s\033[K", written,
             taken_ms ? written * MS_PER_S / taken_ms : 0);
    output_progress(text);
    from->is_shown = true;
}

static void register_from_on_tick(uv_timer_t *timer)
{
    struct register_from *from = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    bulk_flush(from->bulk, now_ms > TICK_MS ? now_ms - TICK_MS : 0);
    if (isatty(STDERR_FILENO))
        register_from_show(from);
    register_from_step(from);
}

/* What is under way is waited for, lest nobody knows how much is written; not twice. */
static void register_from_on_ending(void *arg)
{
    struct register_from *from = arg;
    from->is_over = from->is_interrupted;
    from->is_interrupted = true;
    register_from_step(from);
}

/* libuv makes the file non-blocking, which others who have it open need not want; nor is it needed,
 * as it is read only when there is something. */
static void register_from_start_poll(struct register_from *from)
{
    int flags = fcntl(from->fd, F_GETFL);
    from->is_pollable = uv_poll_init(&from->session->loop, &from->poll, from->fd) == 0;
    from->poll.data = from;
    if (flags >= 0)
        fcntl(from->fd, F_SETFL, flags);
}

static void register_from_start(struct register_from *from)
{
    uv_loop_t *loop = &from->session->loop;
    register_from_start_poll(from);
    uv_timer_init(loop, &from->tick);
    from->tick.data = from;
    ending_start(&from->ending, loop, register_from_on_ending, from);
    uv_timer_start(&from->tick, register_from_on_tick, TICK_MS, TICK_MS);
    from->begun_ms = uv_now(loop);
    from->is_reading = true;
    register_from_step(from);
}

/* Here, and not in session_close(): the handles are in *from, which is on the stack of its
 * caller. */
static void register_from_stop(struct register_from *from)
{
    from->is_over = true;
    uv_close((uv_handle_t *)&from->tick, NULL);
    if (from->is_pollable)
        uv_close((uv_handle_t *)&from->poll, NULL);
    ending_stop(&from->ending);
    session_disconnect(from->session);
    if (from->is_shown)
        output_progress("\r\033[K");
}

/* "3 services and perhaps 128 more registered": what etcd has not answered may have been done. */
static void register_from_describe(const struct bulk *bulk, char *out, size_t size)
{
    uint64_t written = bulk_written(bulk), unsure = bulk_unsure(bulk);
    char perhaps[64] = "";
    if (unsure > 0)
        snprintf(perhaps, sizeof(perhaps), " and perhaps %" PRIu64 " more", unsure);
    snprintf(out, size, "%" PRIu64 " %s%s registered", written,
             written == 1 ? "service" : "services", perhaps);
}

/* What ended the writing, for a person. */
static enum status register_from_explain(const struct bulk *bulk, struct detail *why)
{
    static const char *const texts[STATUS_COUNT] = {
        [STATUS_NOT_FOUND] =
            "a lease expired before its entries were written: the TTL is too short",
        [STATUS_CONFLICT] = "others change the same entries all the time",
        [STATUS_SYSTEM] = "no random number for a lease",
    };
    enum status status = bulk_status(bulk, why);
    if (texts[status])
        detail_set(why, status, "%s", texts[status]);
    return status;
}

/* Say how it ended. */
static int register_from_tell(const struct register_from *from)
{
    struct detail why;
    const struct log *log = from->session->log;
    char registered[128];
    register_from_describe(from->bulk, registered, sizeof(registered));
    enum status status = register_from_explain(from->bulk, &why);
    if (from->is_interrupted) {
        log_printf(log, LOG_LEVEL_ERROR, "interrupted: %s", registered);
        return 1;
    }
    if (status != STATUS_OK) {
        detail_wrap(&why, status, "%s, then", registered);
        return session_report(log, status, &why);
    }
    if (from->status != STATUS_OK) {
        log_printf(log, LOG_LEVEL_ERROR, "--from \"%s\": %s (%s)", from->file, from->why.text,
                   registered);
        return 1;
    }
    log_printf(log, LOG_LEVEL_INFO, "%s", registered);
    return 0;
}

static int register_from_read_all(struct session *session, void *arg)
{
    const int *fd = arg;
    const struct options *options = &session->call->options;
    struct register_from from = {.session = session,
                                 .file = options_text(options, OPTION_SERVICE_FROM),
                                 .ttl_s = options_number(options, OPTION_SERVICE_TTL),
                                 .fd = *fd};
    uint8_t seed[16];
    enum status status = random_fill(seed, sizeof(seed));
    if (status == STATUS_OK)
        status = bulk_new(session->etcd, &session->loop, register_from_step, &from, &from.bulk);
    if (status != STATUS_OK) {
        detail_set(&session->why, status, "%s", status_text(status));
        return session_fail(session, status);
    }
    entry_list_init(&from.list, &session->root, seed, register_from_on_entry, &from);
    register_from_start(&from);
    while (!from.is_over)
        uv_run(&session->loop, UV_RUN_ONCE);
    register_from_stop(&from);
    int exit_status = register_from_tell(&from);
    /* Allowed now: register_from_stop() has closed the client. */
    bulk_free(from.bulk);
    entry_list_clear(&from.list);
    return exit_status;
}

/* What stands on the command line must go with --from; a variable may be meant for others. */
static enum status register_from_check_options(const struct options *options, struct detail *why)
{
    static const enum option_id others[] = {
        OPTION_SERVICE_TYPE,    OPTION_SERVICE_NAME,     OPTION_SERVICE_LOCATION,
        OPTION_SERVICE_REFRESH, OPTION_SERVICE_PROTOCOL, OPTION_SERVICE_PRIORITY,
        OPTION_SERVICE_WEIGHT,  OPTION_SERVICE_TXT,      OPTION_SERVICE_SUBTYPE,
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (options->values[others[i]].source == OPTION_ARGUMENT &&
            (others[i] != OPTION_SERVICE_REFRESH || options_number(options, others[i]) > 0))
            return detail_set(why, STATUS_BAD_INPUT, "--%s: not together with --from",
                              option_row(others[i])->name);
    return STATUS_OK;
}

static enum status register_from_open_file(const struct options *options, int *fd,
                                           struct detail *why)
{
    const char *file = options_text(options, OPTION_SERVICE_FROM);
    *fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return STATUS_OK;
    detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
    options_fault(options, OPTION_SERVICE_FROM, file, why);
    return STATUS_SYSTEM;
}

int register_from_run(struct call *call)
{
    struct detail why;
    int fd = -1;
    /* Before there is a session: what is wrong here etcd is not needed for. */
    enum status status = register_from_check_options(&call->options, &why);
    if (status == STATUS_OK)
        status = register_from_open_file(&call->options, &fd, &why);
    if (status != STATUS_OK)
        return session_report(&call->log, status, &why);
    int exit_status = session_run(call, register_from_read_all, &fd);
    if (fd != STDIN_FILENO)
        close(fd);
    return exit_status;
}
