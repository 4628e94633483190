#include "ending.h"

#include <signal.h>
#include <stdbool.h>

static bool ending_is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void ending_on_signal(uv_signal_t *signal, int number)
{
    struct ending *ending = signal->data;
    (void)number;
    ending->asked(ending->arg);
}

void ending_start(struct ending *ending, uv_loop_t *loop, ending_asked *asked, void *arg)
{
    static const int numbers[ENDING_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    *ending = (struct ending){.asked = asked, .arg = arg};
    for (size_t i = 0; i < ENDING_SIGNALS; i++) {
        /* nohup starts a command with SIGHUP ignored, so that it outlives the terminal. */
        if (numbers[i] == SIGHUP && ending_is_ignored(SIGHUP))
            continue;
        uv_signal_t *signal = &ending->signals[ending->count++];
        uv_signal_init(loop, signal);
        signal->data = ending;
        uv_signal_start(signal, ending_on_signal, numbers[i]);
    }
}

void ending_stop(struct ending *ending)
{
    for (size_t i = 0; i < ending->count; i++)
        uv_close((uv_handle_t *)&ending->signals[i], NULL);
}
