/* tests/bench/micro.c - what answer() and a change of the zone cost alone: no sockets, no etcd.
 *
 * Calls exactly what a worker and the control thread call. Prints a line for each measurement: its
 * name, nanoseconds per piece of the best of several passes, octets per piece, pieces. Pieces are
 * queries, in batches, for each file of queries; changed entries, in commits of one and of 128, the
 * CPU time of all threads together; and "fill", the octets of heap that an instance takes.
 *
 * Under callgrind (--instr-atstart=no) one profile for each is dumped instead.
 *
 * usage: micro DOMAIN KEYS CHANGES QUERIES... (KEYS: key, tab, value per line; CHANGES: the same,
 * in two halves that change the same keys back and forth; QUERIES: as for load.c) */
#include "dns/answer/answer.h"
#include "zones/store/rcu.h"
#include "zones/zone.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#define BATCH         16
#define PASSES        5
#define COUNTED_MAX   2000 /* pieces under callgrind */
#define QUERY_LEN_MAX 512
#define QUERIES_MAX   (1 << 19)
#define CHANGES_MAX   (1 << 17)
#define LINE_MAX_LEN  1024

struct change {
    size_t key_len, value_len;
    char *key, *value; /* of one allocation */
};

struct bench {
    struct zone *zone;
    int64_t revision;
    struct change *changes;
    size_t change_count;
    bool is_back; /* the second half of the changes is next */
    struct answer_env env;
    struct answer_scratch *scratch;
    uint8_t (*packets)[QUERY_LEN_MAX];
    size_t *lens, count;
    uint64_t octets; /* of all answers */
    uint32_t rotation;
};

static _Noreturn void fail(const char *what, const struct detail *why)
{
    fprintf(stderr, "micro: %s: %s\n", what, why ? why->text : "failed");
    exit(1);
}

/* The next "key tab value" of a file, into `line`; false at its end. */
static bool line_read(FILE *file, char *line, struct change *out)
{
    char *value;

    if (!fgets(line, LINE_MAX_LEN, file))
        return false;
    value = strchr(line, '\t');
    if (!value)
        fail("a line without a tab", NULL);
    *out = (struct change){.key_len = (size_t)(value - line),
                           .value_len = strcspn(value + 1, "\n"),
                           .key = line,
                           .value = value + 1};
    return true;
}

static void change_put(struct bench *bench, const struct change *change)
{
    if (zone_put(bench->zone, change->key, change->key_len, change->value, change->value_len,
                 ++bench->revision, 0))
        fail("zone_put", NULL);
}

static size_t heap_octets(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void zone_fill(struct bench *bench, const char *domain, const char *path)
{
    struct zone_options options = {
        .domain = domain, .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
    struct detail why = {"out of memory"};
    FILE *file = fopen(path, "r");
    char line[LINE_MAX_LEN];
    struct change entry;
    size_t count = 0, before = heap_octets();

    if (!file || zone_new(&options, &bench->zone, &why))
        fail(path, &why);
    zone_load_begin(bench->zone);
    for (; line_read(file, line, &entry); count++)
        change_put(bench, &entry);
    zone_load_end(bench->zone, NULL, NULL);
    zone_commit(bench->zone, bench->revision);
    rcu_barrier_all();
    fclose(file);
    if (count)
        printf("fill 0 %.1f %zu\n", (double)(heap_octets() - before) / (double)count, count);
}

static void changes_read(struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[LINE_MAX_LEN];

    if (!file)
        fail(path, NULL);
    for (struct change change; bench->change_count < CHANGES_MAX && line_read(file, line, &change);
         bench->changes[bench->change_count++] = change) {
        change.key = strdup(line);
        if (!change.key)
            fail("memory", NULL);
        change.value = change.key + change.key_len + 1;
    }
    fclose(file);
}

static double process_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* One half of the changes, `group` to a commit; what they replace is freed within. */
static double changes_pass_ns(struct bench *bench, size_t count, size_t group)
{
    const struct change *changes = bench->changes + (bench->is_back ? bench->change_count / 2 : 0);
    double start_ns = process_ns();

    for (size_t i = 0; i < count; i++) {
        change_put(bench, &changes[i]);
        if ((i + 1) % group == 0 || i + 1 == count)
            zone_commit(bench->zone, bench->revision);
    }
    rcu_barrier_all();
    bench->is_back = !bench->is_back;
    return (process_ns() - start_ns) / (double)count;
}

static void queries_read(struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "rb");
    int high;

    bench->count = 0;
    if (!file)
        fail(path, NULL);
    while (bench->count < QUERIES_MAX && (high = getc(file)) != EOF) {
        size_t len = (size_t)(high << 8 | getc(file));
        if (len > QUERY_LEN_MAX || fread(bench->packets[bench->count], 1, len, file) != len)
            fail(path, NULL);
        bench->lens[bench->count++] = len;
    }
    fclose(file);
}

static void answer_batch(struct bench *bench, size_t first, size_t count)
{
    static struct query queries[BATCH];
    static uint8_t out[1232 + ANSWER_SLACK];
    struct answer_result result;

    /* A worker's packets are in its cache already. */
    for (size_t i = first + BATCH; i < first + 2 * BATCH && i < bench->count; i++)
        for (size_t at = 0; at < bench->lens[i]; at += 64)
            __builtin_prefetch(bench->packets[i] + at);
    for (size_t i = 0; i < count; i++) {
        query_read(&queries[i], bench->packets[first + i], bench->lens[first + i], QUERY_UDP, NULL,
                   bench->rotation++);
        answer_prepare(bench->zone, &queries[i]);
    }
    answer_fetch(bench->zone, queries, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        answer(bench->zone, &bench->env, &queries[i], bench->scratch, out, 1232, &result);
        bench->octets += result.len;
        if (result.rcode != 0 && result.rcode != 3)
            fail("an answer that is neither NOERROR nor NXDOMAIN", NULL);
    }
    rcu_quiescent();
}

/* All queries, `batch` at a time. */
static double queries_pass_ns(struct bench *bench, size_t count, size_t batch)
{
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < count; i += batch)
        answer_batch(bench, i, count - i < batch ? count - i : batch);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
           (double)count;
}

/* `pass` does `count` pieces, `group` at a time, and returns nanoseconds per piece. */
static void measure(struct bench *bench, const char *name, size_t count, size_t group,
                    double (*pass)(struct bench *, size_t, size_t))
{
    bool is_counting = RUNNING_ON_VALGRIND > 0;
    double best_ns;

    count = is_counting && count > COUNTED_MAX ? COUNTED_MAX : count;
    best_ns = pass(bench, count, group);
    bench->octets = 0;
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    best_ns = is_counting ? pass(bench, count, group) : best_ns;
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
    for (int i = 0; !is_counting && i < PASSES; i++) {
        double ns = pass(bench, count, group);
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("%s %.1f %.1f %zu\n", name, best_ns,
           (double)bench->octets / (double)(count * (is_counting ? 1 : PASSES)), count);
}

static void measure_queries(struct bench *bench, const char *path)
{
    const char *slash = strrchr(path, '/');

    queries_read(bench, path);
    measure(bench, slash ? slash + 1 : path, bench->count, BATCH, queries_pass_ns);
}

static void bench_init(struct bench *bench)
{
    bench->packets = calloc(QUERIES_MAX, sizeof(*bench->packets));
    bench->lens = calloc(QUERIES_MAX, sizeof(*bench->lens));
    bench->changes = calloc(CHANGES_MAX, sizeof(*bench->changes));
    bench->scratch = answer_scratch_new();
    if (!bench->packets || !bench->lens || !bench->changes || !bench->scratch)
        fail("memory", NULL);
}

static void bench_clear(struct bench *bench)
{
    zone_free(bench->zone);
    rcu_barrier_all();
    answer_scratch_free(bench->scratch);
    for (size_t i = 0; i < bench->change_count; i++)
        free(bench->changes[i].key);
    free(bench->changes);
    free(bench->packets);
    free(bench->lens);
}

int main(int argc, char **argv)
{
    struct bench bench = {.env = {.state = ANSWER_FRESH, .max_udp_size = 1232}, .revision = 1};

    if (argc < 5) {
        fputs("usage: micro DOMAIN KEYS CHANGES QUERIES...\n", stderr);
        return 2;
    }
    bench_init(&bench);
    zone_fill(&bench, argv[1], argv[2]);
    rcu_reader_start();
    for (int i = 4; i < argc; i++)
        measure_queries(&bench, argv[i]);
    rcu_reader_stop();
    changes_read(&bench, argv[3]);
    measure(&bench, "change", bench.change_count / 2, 1, changes_pass_ns);
    measure(&bench, "change-128", bench.change_count / 2, 128, changes_pass_ns);
    bench_clear(&bench);
    return 0;
}
