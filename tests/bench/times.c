/* tests/bench/times.c - what starting a program, waiting for it and its memory cost.
 *
 * Runs a command again and again, its standard output thrown away, and prints a line for each run:
 * milliseconds of wall time and of CPU time, and kilobytes it had resident at most. Not done in
 * Python: until a child calls exec(), its parent's memory counts as its own.
 *
 * usage: times N COMMAND [ARGUMENT...] */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static _Noreturn void fail(const char *what, int error)
{
    fprintf(stderr, "times: %s: %s\n", what, strerror(error));
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double time_ms(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static void run(char **command, const posix_spawn_file_actions_t *actions)
{
    extern char **environ;
    double start_ms = now_ms();
    struct rusage usage;
    pid_t child;
    int status, error = posix_spawnp(&child, command[0], actions, NULL, command, environ);

    if (error)
        fail(command[0], error);
    if (wait4(child, &status, 0, &usage) != child)
        fail("wait4", errno);
    if (status) {
        fprintf(stderr, "times: %s: status %d\n", command[0], status);
        exit(1);
    }
    printf("%.3f %.3f %ld\n", now_ms() - start_ms,
           time_ms(usage.ru_utime) + time_ms(usage.ru_stime), usage.ru_maxrss);
}

int main(int argc, char **argv)
{
    long count = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
    posix_spawn_file_actions_t actions;

    if (count < 1) {
        fputs("usage: times N COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (posix_spawn_file_actions_init(&actions) ||
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0))
        fail("output", ENOMEM);
    while (count--)
        run(argv + 2, &actions);
    posix_spawn_file_actions_destroy(&actions);
    return 0;
}
