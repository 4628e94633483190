#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define QUERY_MIN 23 /* a header and an OPT record */

static volatile sig_atomic_t is_stopped;

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void load_pause(long pause_ns)
{
    struct timespec pause = {.tv_nsec = pause_ns};

    nanosleep(&pause, NULL);
}

bool load_is_over(const struct load_options *options, const struct load_tally *tally,
                  uint64_t now_ns, uint64_t end_ns)
{
    return is_stopped || now_ns >= end_ns || (options->count && tally->answers >= options->count);
}

static void stop(int number)
{
    (void)number;
    is_stopped = 1;
}

_Noreturn void load_fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(1);
}

static size_t read_file(const char *path, uint8_t **out)
{
    FILE *file = fopen(path, "rb");
    long size = 0;

    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) <= 0 || fseek(file, 0, SEEK_SET))
        load_fail(path);
    *out = malloc((size_t)size);
    if (!*out || fread(*out, 1, (size_t)size, file) != (size_t)size)
        load_fail(path);
    fclose(file);
    return (size_t)size;
}

static void queries_read(struct load_queries *queries, const char *path)
{
    size_t size = read_file(path, &queries->octets), room = size / (2 + QUERY_MIN);

    queries->at = calloc(room + 1, sizeof(*queries->at));
    queries->len = calloc(room + 1, sizeof(*queries->len));
    if (!queries->at || !queries->len)
        load_fail("queries");
    for (size_t at = 0; at + 2 <= size;) {
        size_t len = (size_t)(queries->octets[at] << 8 | queries->octets[at + 1]);
        if (len < QUERY_MIN || len > 510 || at + 2 + len > size)
            load_fail("malformed query file");
        queries->at[queries->count] = queries->octets + at + 2;
        queries->len[queries->count++] = (uint16_t)len;
        at += 2 + len;
    }
}

static int compare_latency(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile_us(const struct load_tally *tally, double part)
{
    if (!tally->latency_count)
        return 0;
    return tally->latency_ns[(size_t)(part * (double)(tally->latency_count - 1))] / 1e3;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void report(struct load_tally *tally, double elapsed_s)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    if (tally->latency_count)
        qsort(tally->latency_ns, tally->latency_count, sizeof(uint32_t), compare_latency);
    printf("{\"sent\": %ju, \"answers\": %ju, \"lost\": %ju, \"unexpected\": %ju, ",
           (uintmax_t)tally->sent, (uintmax_t)tally->answers, (uintmax_t)tally->lost,
           (uintmax_t)tally->unexpected);
    printf("\"truncated\": %ju, \"seconds\": %.6f, \"user_s\": %.6f, \"system_s\": %.6f, ",
           (uintmax_t)tally->truncated, elapsed_s, seconds(usage.ru_utime),
           seconds(usage.ru_stime));
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, ",
           percentile_us(tally, 0.5), percentile_us(tally, 0.99), percentile_us(tally, 0.999),
           percentile_us(tally, 1));
    printf("\"rcodes\": [");
    for (int i = 0; i < 16; i++)
        printf("%s%ju", i ? ", " : "", (uintmax_t)tally->rcodes[i]);
    printf("]}\n");
}

/* Modes and the defaults they stand for. */
static const struct mode {
    const char *name;
    void (*run)(const struct load_options *, struct load_queries *, struct load_tally *);
    unsigned window, connections;
} modes[] = {
    {"udp-closed", load_udp_closed, 128, 1},
    {"udp-rate", load_udp_rate, LOAD_WINDOW_MAX, 1},
    {"tcp-pipelined", load_tcp, 64, 8},
    {"tcp-roundtrip", load_tcp, 1, 64},
};

static _Noreturn void usage(void)
{
    fputs("usage: load udp-closed|udp-rate|tcp-pipelined|tcp-roundtrip --port P --file QUERIES\n"
          "            [--seconds S] [--count N] [--window N] [--connections N]\n"
          "            [--rate N] [--wait]\n"
          "Send to 127.0.0.1:P until the time is up or SIGTERM; print one line of JSON.\n",
          stderr);
    exit(2);
}

static unsigned number(const char *text, unsigned long max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || value < 1 || value > max)
        usage();
    return (unsigned)value;
}

static uint64_t duration_ns(const char *text)
{
    char *end;
    double value_s = strtod(text, &end);

    if (end == text || *end || !(value_s > 0 && value_s <= 3600))
        usage();
    return (uint64_t)(value_s * 1e9);
}

static const char *options_read(int argc, char **argv, struct load_options *options)
{
    unsigned port = 0, count = 0;
    const char *file = NULL;
    const struct {
        unsigned *value;
        unsigned long max;
    } numbers[] = {{&port, 65535},
                   {&count, 1000000000},
                   {&options->window, LOAD_WINDOW_MAX},
                   {&options->connections, 1024},
                   {&options->rate, 1000000}};
    static const struct option names[] = {
        {"port", 1, 0, 0},        {"count", 1, 0, 1}, {"window", 1, 0, 2},
        {"connections", 1, 0, 3}, {"rate", 1, 0, 4},  {"file", 1, 0, 5},
        {"seconds", 1, 0, 6},     {"wait", 0, 0, 7},  {NULL, 0, 0, 0},
    };

    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c < 5)
            *numbers[c].value = number(optarg, numbers[c].max);
        else if (c == 5)
            file = optarg;
        else if (c == 6)
            options->duration_ns = duration_ns(optarg);
        else if (c == 7)
            options->is_waiting = true;
        else
            usage();
    }
    if (!file || !port || optind != argc)
        usage();
    options->server.sin_port = htons((uint16_t)port);
    options->count = count;
    return file;
}

int main(int argc, char **argv)
{
    const struct mode *mode = modes;
    struct load_options options = {.duration_ns = 1000000000U, .rate = 20000};
    struct load_queries queries = {0};
    struct load_tally tally = {0};

    while (argc > 1 && mode < modes + sizeof(modes) / sizeof(*modes) && strcmp(mode->name, argv[1]))
        mode++;
    if (argc < 2 || mode == modes + sizeof(modes) / sizeof(*modes))
        usage();
    options.window = mode->window;
    options.connections = mode->connections;
    options.server.sin_family = AF_INET;
    options.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    queries_read(&queries, options_read(argc - 1, argv + 1, &options));
    if (mode->run == load_udp_rate) {
        tally.latency_max = (size_t)((double)options.duration_ns / 1e9 * options.rate) + 1;
        tally.latency_ns = calloc(tally.latency_max, sizeof(uint32_t));
        if (!tally.latency_ns)
            load_fail("latencies");
    }
    prctl(PR_SET_TIMERSLACK, 1);
    signal(SIGTERM, stop);
    tally.start_ns = load_now_ns();
    mode->run(&options, &queries, &tally);
    report(&tally, (double)(load_now_ns() - tally.start_ns) / 1e9);
    free(tally.latency_ns);
    free(queries.at);
    free(queries.len);
    free(queries.octets);
    return 0;
}
