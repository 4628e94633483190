#include "cli_run.h"

#include "allocation.h"
#include "capture.h"

#include "cli/program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX  32
#define LINE_SIZE  1024
#define TIMEOUT_MS 5000

void cli_run_set_options(const struct cli_run *run, struct options *options, const char *timeout_s,
                         const char *root)
{
    const struct {
        enum option_id id;
        const char *text;
    } rows[] = {{OPTION_ETCD_ENDPOINT, run->store.gateway.endpoint},
                {OPTION_ETCD_PROTOCOL, "http"},
                {OPTION_ETCD_TIMEOUT, timeout_s},
                {OPTION_TREE_ROOT, root}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(options_set(options, rows[i].id, rows[i].text, NULL), STATUS_OK);
}

static void cli_run_on_stop(uv_async_t *async)
{
    struct cli_run *run = async->data;
    run->is_stopped = true;
}

static void cli_run_serve(void *arg)
{
    struct cli_run *run = arg;
    (void)allocation_pause();
    while (!run->is_stopped)
        uv_run(&run->store.client.loop, UV_RUN_ONCE);
}

void cli_run_open(struct cli_run *run)
{
    run->out = run->err = NULL;
    assert_true(fake_store_start(&run->store, TIMEOUT_MS));
    client_loop_close_client(&run->store.client); /* the command has one of its own */
    uv_async_init(&run->store.client.loop, &run->stop, cli_run_on_stop);
    run->stop.data = run;
    clearenv();
    setenv("EMPUSA_ETCD_ENDPOINT", run->store.gateway.endpoint, 1);
    setenv("EMPUSA_TREE_ROOT", "/foo", 1);
}

void cli_run_close(struct cli_run *run)
{
    free(run->out);
    free(run->err);
    uv_close((uv_handle_t *)&run->stop, NULL);
    assert_int_equal(fake_store_stop(&run->store), 0);
}

void cli_run_begin_serving(struct cli_run *run)
{
    run->is_stopped = false;
    assert_int_equal(uv_thread_create(&run->thread, cli_run_serve, run), 0);
}

void cli_run_end_serving(struct cli_run *run)
{
    uv_async_send(&run->stop);
    uv_thread_join(&run->thread);
}

/* Its words, in place; returns how many. */
static int cli_run_split(char *line, char **words)
{
    int count = 0;
    while (*line) {
        assert_true(count < WORDS_MAX);
        words[count++] = line;
        line += strcspn(line, " ");
        if (*line)
            *line++ = '\0';
    }
    return count;
}

int cli_run(struct cli_run *run, const char *line)
{
    char text[LINE_SIZE], *words[WORDS_MAX + 1] = {NULL};
    struct capture out, err;
    assert_in_range(snprintf(text, sizeof(text), "empusa %s", line), 0, sizeof(text) - 1);
    int count = cli_run_split(text, words);
    free(run->out);
    free(run->err);
    cli_run_begin_serving(run);
    capture_begin(&out, STDOUT_FILENO);
    capture_begin(&err, STDERR_FILENO);
    int exit_status = program_run(count, words);
    run->err = capture_end(&err);
    run->out = capture_end(&out);
    cli_run_end_serving(run);
    return exit_status;
}

void cli_run_check(struct cli_run *run, const char *line, int exit_status, const char *out,
                   const char *err, const char *file, int number)
{
    int got = cli_run(run, line);
    if (got != exit_status)
        print_message("%s:%d: %s\n%s%s", file, number, line, run->out, run->err);
    _assert_int_equal((uintmax_t)got, (uintmax_t)exit_status, file, number);
    _assert_string_equal(run->out, out, file, number);
    _assert_string_equal(run->err, err, file, number);
}

const char *cli_run_value(struct cli_run *run, const char *key)
{
    const struct fake_store_key *found = fake_store_find(&run->store, key);
    return found ? found->value : "";
}
