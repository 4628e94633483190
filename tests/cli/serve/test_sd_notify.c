#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/serve/sd_notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket that listens at `name`, '@' standing for the abstract NUL. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    return fd;
}

static void the_manager_is_told_through_a_path_or_an_abstract_name(void **state)
{
    char directory[] = "/tmp/empusa-test-XXXXXX";
    char names[2][64];
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(names[0], sizeof(names[0]), "%s/notify", directory);
    snprintf(names[1], sizeof(names[1]), "@empusa-test-%d", (int)getpid());
    for (size_t i = 0; i < 2; i++) {
        char said[16] = "";
        int fd = listen_at(names[i]);
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_true(sd_notify_send("READY=1"));
        assert_int_equal(recv(fd, said, sizeof(said) - 1, MSG_DONTWAIT), 7);
        assert_string_equal(said, "READY=1");
        close(fd);
    }
    unlink(names[0]);
    rmdir(directory);
}

static void nobody_listening_is_no_trouble(void **state)
{
    static const char *const names[] = {"", "/", "@", "relative", "/nonexistent/socket"};
    char longest[300];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_true(sd_notify_send("READY=1"));
    }
    memset(longest, '/', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    assert_true(sd_notify_send("READY=1"));
    unsetenv("NOTIFY_SOCKET");
    assert_true(sd_notify_send("READY=1"));
}

static void a_manager_that_does_not_read_is_not_waited_for(void **state)
{
    char name[64];
    (void)state;
    snprintf(name, sizeof(name), "@empusa-test-%d", (int)getpid());
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    while (sd_notify_send("READY=1"))
        continue;
    char said[16];
    assert_int_equal(recv(fd, said, sizeof(said), MSG_DONTWAIT), 7);
    assert_true(sd_notify_send("READY=1"));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_is_told_through_a_path_or_an_abstract_name),
        cmocka_unit_test(nobody_listening_is_no_trouble),
        cmocka_unit_test(a_manager_that_does_not_read_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
