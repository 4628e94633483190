/* All that is written to standard error takes one lock and goes through two sieves. Of warnings and
 * errors a struct kind counts how many there were of a format within a second; beyond ten only the
 * last is kept, to be told with their number. And what the sink does not take is counted, and the
 * count is what is written first once it takes something again. Neither is a queue: memory is
 * bounded whatever happens. */
#include "output.h"

#include "sink.h"

#include "registry/base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A line is one write() of PIPE_BUF at most, which a pipe takes whole (POSIX): so lines of several
 * processes that share it do not mix. */
#define LINE_SIZE  SINK_MAX
#define PATIENCE   5000 /* ms that a command which may wait waits for a reader */
#define TURN_MS    1000
#define KINDS      32
#define KIND_BURST 10
#define KIND_MS    1000
#define KIND_TEXT  256

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "DEBUG",
    [LOG_LEVEL_INFO] = "INFO",
    [LOG_LEVEL_WARNING] = "WARNING",
    [LOG_LEVEL_ERROR] = "ERROR",
};

/* Messages that differ in their values only. */
struct kind {
    const char *format; /* NULL: free */
    uint64_t since_ms, more;
    unsigned said;
    enum log_level level;
    char last[KIND_TEXT];
};

static struct {
    pthread_mutex_t lock;
    struct sink error;
    struct sink result;
    struct kind kinds[KINDS];
    struct output_counts counts;
    uint64_t lost; /* and not yet told */
    uv_timer_t turn;
    bool never_waits;
} output = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .error = SINK(STDERR_FILENO), .result = SINK(STDOUT_FILENO)};

void output_init(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* Read-only, so that writing still fails. open() takes the lowest free number: fd. */
            int opened = open("/dev/null", O_RDONLY | O_NOCTTY);
            (void)opened;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* the same for a limit on the size of files */
}

static uint64_t output_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* errno is the write's: EAGAIN is a reader that is slow, all else one that will never read. */
static bool output_try_line(const char *line, size_t len)
{
    if (sink_write(&output.error, line, len))
        return true;
    /* Once it has waited in vain, it does not wait again until something was read: a command that
     * has much to say would else hang for seconds at each line. */
    return errno == EAGAIN && !output.never_waits && output.lost == 0 &&
           sink_wait(&output.error, PATIENCE) && sink_write(&output.error, line, len);
}

/* Before anything else is written, so that it stands where the lines are missing. */
static bool output_tell_lost(void)
{
    char line[80];
    if (output.lost == 0)
        return true;
    int len = snprintf(line, sizeof(line), "WARNING:root:%" PRIu64 " lines lost\n", output.lost);
    if (!output_try_line(line, (size_t)len))
        return false;
    output.lost = 0;
    return true;
}

static void output_write_line(const char *line, size_t len)
{
    if (output_tell_lost() && output_try_line(line, len))
        return;
    output.lost++;
    output.counts.lost++;
}

/* In one piece, so that lines of several processes do not mix; what is longer is cut. */
static void output_write_message(enum log_level level, const char *text)
{
    char line[LINE_SIZE];
    int wanted = snprintf(line, sizeof(line), "%s:root:%s\n", level_names[level], text);
    if (wanted < 0)
        return;
    size_t len = (size_t)wanted;
    if (len >= sizeof(line)) {
        len = sizeof(line) - 1;
        line[len - 1] = '\n';
    }
    output_write_line(line, len);
}

static void output_tell_more(struct kind *kind)
{
    char text[KIND_TEXT + 64];
    if (kind->more == 0)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 " more of these: %s", kind->more, kind->last);
    output_write_message(kind->level, text);
    kind->more = 0;
}

/* Its place; that of the one which has been quiet for longest when it has none yet. Formats are
 * told apart by their addresses, as they are literals. */
static struct kind *output_find_kind(const char *format)
{
    struct kind *oldest = &output.kinds[0];
    for (size_t i = 0; i < KINDS; i++) {
        struct kind *kind = &output.kinds[i];
        if (kind->format == format)
            return kind;
        if (kind->since_ms < oldest->since_ms)
            oldest = kind;
    }
    output_tell_more(oldest);
    *oldest = (struct kind){.format = format};
    return oldest;
}

/* At most KIND_BURST warnings of a kind in KIND_MS: what a stranger can cause, by a query or by
 * what is registered, must not fill a disk. */
static bool output_admit(enum log_level level, const char *format, const char *text)
{
    if (level < LOG_LEVEL_WARNING)
        return true;
    uint64_t now = output_now_ms();
    struct kind *kind = output_find_kind(format);
    if (kind->said == 0 || now - kind->since_ms >= KIND_MS) {
        output_tell_more(kind);
        kind->since_ms = now;
        kind->said = 0;
    }
    if (kind->said < KIND_BURST) {
        kind->said++;
        return true;
    }
    kind->level = level;
    kind->more++;
    output.counts.rate_limited++;
    utf8_shorten(text, strlen(text), kind->last, sizeof(kind->last));
    return false;
}

static void output_on_message(void *arg, enum log_level level, const char *format, const char *text)
{
    const enum log_level *least = arg;
    if (level < *least)
        return;
    pthread_mutex_lock(&output.lock);
    if (output_admit(level, format, text))
        output_write_message(level, text);
    pthread_mutex_unlock(&output.lock);
}

struct log output_log(enum log_level level)
{
    /* A log has room for a pointer only, and may outlive whoever asked for it. */
    static enum log_level levels[] = {LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING,
                                      LOG_LEVEL_ERROR};
    return (struct log){output_on_message, &levels[level]};
}

void output_line(const char *text)
{
    size_t len = strnlen(text, LINE_SIZE - 1);
    char line[LINE_SIZE];
    memcpy(line, text, len);
    line[len] = '\n';
    pthread_mutex_lock(&output.lock);
    output_write_line(line, len + 1);
    pthread_mutex_unlock(&output.lock);
}

void output_progress(const char *text)
{
    pthread_mutex_lock(&output.lock);
    sink_write(&output.error, text, strnlen(text, SINK_MAX));
    pthread_mutex_unlock(&output.lock);
}

bool output_print(const char *text)
{
    size_t len = strlen(text);
    return len <= SINK_MAX && sink_write(&output.result, text, len);
}

/* Say what is due: of the kinds whose time is over, of what was lost. A kind that is quiet from now
 * on would never be told otherwise. Standard output needs no lock: it is the main thread's. */
static void output_catch_up(bool is_last)
{
    uint64_t now = output_now_ms();
    pthread_mutex_lock(&output.lock);
    for (size_t i = 0; i < KINDS; i++) {
        if (is_last || now - output.kinds[i].since_ms >= KIND_MS)
            output_tell_more(&output.kinds[i]);
    }
    output_tell_lost();
    sink_flush(&output.error);
    pthread_mutex_unlock(&output.lock);
    sink_flush(&output.result);
}

static void output_on_turn(uv_timer_t *timer)
{
    (void)timer;
    output_catch_up(false);
}

void output_begin(uv_loop_t *loop)
{
    /* Before privileges are given up: who was started as root may not open the terminal again
     * later. */
    sink_prepare(&output.error);
    sink_prepare(&output.result);
    output.never_waits = true;
    uv_timer_init(loop, &output.turn);
    uv_timer_start(&output.turn, output_on_turn, TURN_MS, TURN_MS);
    /* A timer that repeats would keep the loop running for ever. */
    uv_unref((uv_handle_t *)&output.turn);
}

void output_end(void)
{
    uv_close((uv_handle_t *)&output.turn, NULL);
}

void output_count(struct output_counts *out)
{
    pthread_mutex_lock(&output.lock);
    *out = output.counts;
    pthread_mutex_unlock(&output.lock);
}

void output_exit(void)
{
    output_catch_up(true);
    /* What may wait for its reader does so for its last words, too. */
    while (!output.never_waits && !sink_flush(&output.error) && errno == EAGAIN &&
           sink_wait(&output.error, PATIENCE))
        continue;
}

/* After an earlier write of stdio's failed, errno is lost; a pipe still knows. */
static bool output_has_no_reader(int fd)
{
    struct pollfd asked = {.fd = fd, .events = POLLOUT};
    return poll(&asked, 1, 0) > 0 && (asked.revents & POLLERR);
}

/* Only here is it known: stdio buffers, and what a full disk refuses may show at the last flush. A
 * reader that went away, as head(1) does, has had what it wanted. */
int output_finish(const struct log *log, int exit_status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_status;
    int problem = errno;
    if (problem == EPIPE || output_has_no_reader(STDOUT_FILENO))
        return exit_status ? exit_status : 1;
    log_printf(log, LOG_LEVEL_ERROR, "standard output cannot be written: %s",
               problem ? strerror(problem) : "an earlier write failed");
    return exit_status ? exit_status : 1;
}

void output_value(FILE *file, const char *text, size_t len)
{
    /* A program that reads it is to get what was stored; only a terminal acts on octets. */
    if (!isatty(fileno(file))) {
        fwrite(text, 1, len, file);
        return;
    }
    size_t at = 0;
    while (at < len) {
        char shown[2 * UTF8_SHOW_MAX + 1];
        uint32_t character;
        size_t octets = utf8_decode(text + at, len - at, &character);
        octets += octets == 0;
        fwrite(shown, 1, utf8_show(text + at, octets, shown, sizeof(shown)), file);
        at += octets;
    }
}
