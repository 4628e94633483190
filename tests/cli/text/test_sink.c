/* Writing to a descriptor that is shared with others, without ever waiting for its reader. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static char text[SINK_MAX];

static int setup(void **state)
{
    (void)state;
    memset(text, 'x', sizeof(text));
    return 0;
}

static void forget(struct sink *sink)
{
    if (sink->own >= 0)
        close(sink->own);
}

/* Both ends of a terminal that changes nothing. */
static void make_terminal(int ends[2])
{
    struct termios raw;
    assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(ends[1], &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(ends[1], TCSANOW, &raw), 0);
}

/* Both ends of a pipe or of a pair of sockets, as a child inherits them. */
static void make(bool is_socket, int ends[2])
{
    if (is_socket) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        return;
    }
    assert_int_equal(pipe(ends), 0);
}

/* So many octets that are all 'x'. */
static size_t take(int fd, size_t most)
{
    static char taken[1 << 20];
    ssize_t got = read(fd, taken, most < sizeof(taken) ? most : sizeof(taken));
    for (ssize_t i = 0; i < got; i++)
        assert_int_equal(taken[i], 'x');
    return got > 0 ? (size_t)got : 0;
}

static void a_reader_that_does_not_read_is_not_waited_for(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        int ends[2];
        if (kind == 2)
            make_terminal(ends); /* the one that takes a part */
        else
            make(kind, ends);
        struct sink sink = SINK(ends[1]);
        size_t written = 0, taken = 0;
        assert_true(sink_wait(&sink, 0));
        while (sink_write(&sink, text, sizeof(text))) {
            written += sizeof(text);
            assert_true(written < 64 << 20);
        }
        assert_int_equal(errno, EAGAIN);
        assert_true(written > sizeof(text));
        /* The others that have it must not meet EAGAIN. */
        assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
        assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        for (size_t got; (got = take(ends[0], SIZE_MAX)) > 0;)
            taken += got;
        /* What was begun is whole in the end. */
        assert_true(sink_flush(&sink));
        for (size_t got; (got = take(ends[0], SIZE_MAX)) > 0;)
            taken += got;
        assert_int_equal(taken, written);
        assert_true(sink_write(&sink, text, 5));
        assert_int_equal(take(ends[0], SIZE_MAX), 5);
        forget(&sink);
        close(ends[0]);
        close(ends[1]);
    }
}

static void what_was_begun_goes_first(void **state)
{
    (void)state;
    int ends[2];
    make(false, ends);
    struct sink sink = SINK(ends[1]);
    assert_true(sink_write(&sink, "a", 1));
    memcpy(sink.rest, "bc", 2); /* as if the pipe had taken no more */
    sink.rest_len = 2;
    assert_true(sink_write(&sink, "d", 1));
    char taken[8];
    assert_int_equal(read(ends[0], taken, sizeof(taken)), 4);
    assert_memory_equal(taken, "abcd", 4);
    assert_int_equal(sink.rest_len, 0);
    forget(&sink);
    close(ends[0]);
    close(ends[1]);
}

static void a_reader_that_has_gone_is_an_error(void **state)
{
    (void)state;
    for (unsigned is_socket = 0; is_socket < 2; is_socket++) {
        int ends[2];
        make(is_socket, ends);
        struct sink sink = SINK(ends[1]);
        close(ends[0]);
        assert_false(sink_write(&sink, text, 1));
        assert_int_equal(errno, EPIPE);
        forget(&sink);
        close(ends[1]);
    }
}

/* Somebody closed it, or put another file in its place: nothing of the first goes there. */
static void another_file_may_take_its_place(void **state)
{
    (void)state;
    int first[2], second[2];
    char taken[8];
    make(false, first);
    make(false, second);
    int fd = dup(first[1]);
    struct sink sink = SINK(fd);
    assert_true(sink_write(&sink, "one", 3));
    memcpy(sink.rest, "rest", 4);
    sink.rest_len = 4;
    assert_true(dup2(second[1], fd) == fd);
    assert_true(sink_write(&sink, "two", 3));
    assert_int_equal(read(first[0], taken, sizeof(taken)), 3);
    assert_int_equal(read(second[0], taken, sizeof(taken)), 3);
    assert_memory_equal(taken, "two", 3);
    close(fd);
    assert_false(sink_write(&sink, "three", 5));
    assert_int_equal(errno, EBADF);
    forget(&sink);
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
}

/* Where others append, too. */
static void a_file_takes_what_it_gets(void **state)
{
    char path[] = "/tmp/empusa-sink-XXXXXX", taken[16];
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct sink sink = SINK(fd);
    sink_prepare(&sink);
    assert_int_equal(sink.own, -1);
    assert_true(sink_write(&sink, "one", 3));
    assert_int_equal(write(fd, "two", 3), 3);
    assert_true(sink_write(&sink, "three", 5));
    assert_int_equal(pread(fd, taken, sizeof(taken), 0), 11);
    assert_memory_equal(taken, "onetwothree", 11);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_does_not_read_is_not_waited_for),
        cmocka_unit_test(what_was_begun_goes_first),
        cmocka_unit_test(a_reader_that_has_gone_is_an_error),
        cmocka_unit_test(another_file_may_take_its_place),
        cmocka_unit_test(a_file_takes_what_it_gets),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, NULL);
}
