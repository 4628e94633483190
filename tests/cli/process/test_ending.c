/* Which signals end a command. */
#include "ending.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uv_loop_t loop;
static unsigned asked;

static void on_asked(void *arg)
{
    (void)arg;
    asked++;
}

static void send_and_turn(int number)
{
    kill(getpid(), number);
    for (int i = 0; i < 100; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(500);
    }
}

static void signals_ask_a_command_to_end(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    (void)state;
    for (unsigned is_ignored = 0; is_ignored < 2; is_ignored++) {
        struct ending ending;
        assert_int_equal(uv_loop_init(&loop), 0);
        signal(SIGHUP, is_ignored ? SIG_IGN : SIG_DFL);
        ending_start(&ending, &loop, on_asked, NULL);
        asked = 0;
        for (unsigned i = 0; i < 3; i++) {
            send_and_turn(numbers[i]);
            /* As nohup has it: a terminal that was closed is nothing to it. */
            assert_int_equal(asked, i == 2 && is_ignored ? 2 : i + 1);
        }
        send_and_turn(SIGTERM); /* each time one comes */
        assert_int_equal(asked, is_ignored ? 3 : 4);
        ending_stop(&ending);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        signal(SIGHUP, SIG_DFL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signals_ask_a_command_to_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
