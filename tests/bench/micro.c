/* tests/bench/micro.c - what answer() alone costs: a zone filled by zone_put(), queries in batches,
 * no sockets.
 *
 * Calls exactly what a worker calls. Prints, for each file of queries, nanoseconds per query of the
 * best of several passes; under callgrind (--instr-atstart=no) dumps one profile per file instead.
 *
 * usage: micro DOMAIN KEYS QUERIES... (KEYS: key, tab, value per line; QUERIES: as for load.c) */
#include "dns/answer.h"
#include "zones/rcu.h"
#include "zones/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#define BATCH         16
#define PASSES        5
#define COUNTED_MAX   2000 /* queries under callgrind */
#define QUERY_LEN_MAX 512
#define QUERIES_MAX   (1 << 19)

struct bench {
    struct zone *zone;
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

static void zone_fill(struct bench *bench, const char *domain, const char *path)
{
    struct zone_options options = {
        .domain = domain, .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
    struct detail why = {"out of memory"};
    FILE *file = fopen(path, "r");
    char line[1024];
    int64_t revision = 1;

    if (!file || zone_new(&options, &bench->zone, &why))
        fail(path, &why);
    zone_load_begin(bench->zone);
    while (fgets(line, sizeof(line), file)) {
        char *value = strchr(line, '\t');
        if (!value)
            fail("a line without a tab", NULL);
        *value++ = 0;
        if (zone_put(bench->zone, line, strlen(line), value, strcspn(value, "\n"), ++revision, 0))
            fail("zone_put", NULL);
    }
    zone_load_end(bench->zone);
    zone_commit(bench->zone, revision);
    fclose(file);
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
    for (size_t i = 0; i < count; i++)
        answer_fetch(bench->zone, &queries[i]);
    for (size_t i = 0; i < count; i++)
        answer_fetch_more(&queries[i]);
    for (size_t i = 0; i < count; i++) {
        answer(bench->zone, &bench->env, &queries[i], bench->scratch, out, 1232, &result);
        bench->octets += result.len;
        if (result.rcode != 0 && result.rcode != 3)
            fail("an answer that is neither NOERROR nor NXDOMAIN", NULL);
    }
    rcu_quiescent();
}

static double pass_ns(struct bench *bench, size_t count)
{
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < count; i += BATCH)
        answer_batch(bench, i, count - i < BATCH ? count - i : BATCH);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
           (double)count;
}

/* "NAME NS-PER-QUERY OCTETS-PER-ANSWER QUERIES" */
static void measure(struct bench *bench, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    bool is_counting = RUNNING_ON_VALGRIND > 0;
    size_t count = is_counting && bench->count > COUNTED_MAX ? COUNTED_MAX : bench->count;
    double best_ns = pass_ns(bench, count);

    bench->octets = 0;
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    best_ns = is_counting ? pass_ns(bench, count) : best_ns;
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
    for (int i = 0; !is_counting && i < PASSES; i++) {
        double ns = pass_ns(bench, count);
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("%s %.1f %.1f %zu\n", name, best_ns,
           (double)bench->octets / (double)(count * (is_counting ? 1 : PASSES)), count);
}

int main(int argc, char **argv)
{
    struct bench bench = {.env = {.state = ANSWER_FRESH, .max_udp_size = 1232}};

    if (argc < 4) {
        fputs("usage: micro DOMAIN KEYS QUERIES...\n", stderr);
        return 2;
    }
    bench.packets = calloc(QUERIES_MAX, sizeof(*bench.packets));
    bench.lens = calloc(QUERIES_MAX, sizeof(*bench.lens));
    bench.scratch = answer_scratch_new();
    if (!bench.packets || !bench.lens || !bench.scratch)
        fail("memory", NULL);
    zone_fill(&bench, argv[1], argv[2]);
    rcu_reader_start();
    for (int i = 3; i < argc; i++) {
        queries_read(&bench, argv[i]);
        measure(&bench, argv[i]);
    }
    rcu_reader_stop();
    zone_free(bench.zone);
    rcu_barrier_all();
    answer_scratch_free(bench.scratch);
    free(bench.packets);
    free(bench.lens);
    return 0;
}
