#include "support/in_child.h"

#include "cli/serve/descriptors.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

static void limit(rlim_t soft, rlim_t hard)
{
    CHILD_EXPECT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){soft, hard}) == 0);
}

static rlim_t soft_limit(void)
{
    struct rlimit now = {0, 0};
    getrlimit(RLIMIT_NOFILE, &now);
    return now.rlim_cur;
}

static int free_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

static void check_too_few(void)
{
    struct detail why = {""};
    char text[160];
    close_range(3, ~0U, 0); /* that none stands between those that are free */
    int before = free_fd();
    limit((rlim_t)before + 10, (rlim_t)before + 10);
    CHILD_EXPECT(descriptors_check(10, 10, &why) == STATUS_OK);
    CHILD_EXPECT(descriptors_check(11, 11, &why) == STATUS_SYSTEM);
    snprintf(text, sizeof(text),
             "too few file descriptors: 10 can be opened, 11 are needed (raise the limit: ulimit "
             "-n, or LimitNOFILE= of systemd)");
    CHILD_EXPECT(strcmp(why.text, text) == 0);
    CHILD_EXPECT(free_fd() == before); /* none is kept */
}

static void too_few_are_said_with_what_to_do(void **state)
{
    (void)state;
    assert_true(in_child(check_too_few));
}

static void check_raised(void)
{
    limit(64, 300);
    CHILD_EXPECT(descriptors_check(5, 50, NULL) == STATUS_OK && soft_limit() == 64);
    CHILD_EXPECT(descriptors_check(5, 200, NULL) == STATUS_OK && soft_limit() == 200);
    CHILD_EXPECT(descriptors_check(5, 100, NULL) == STATUS_OK && soft_limit() == 200);
    CHILD_EXPECT(descriptors_check(5, 5000, NULL) == STATUS_OK && soft_limit() == 300);
}

static void the_limit_is_raised_as_far_as_it_may_be_and_never_lowered(void **state)
{
    (void)state;
    assert_true(in_child(check_raised));
}

static void check_server(void)
{
    static struct options options;
    struct server_options server = {.listen_count = 2, .workers = 3, .tcp_connections = 100};
    limit(32, 4096);
    CHILD_EXPECT(descriptors_check_server(&options, &server, NULL) == STATUS_OK);
    rlim_t without = soft_limit();
    CHILD_EXPECT(without >= 3 * (2 * 2) + 100 && without < 300);
    CHILD_EXPECT(options_set(&options, OPTION_HTTP, "127.0.0.1:0", NULL) == STATUS_OK);
    CHILD_EXPECT(options_set(&options, OPTION_HTTP_CONNECTIONS, "1000", NULL) == STATUS_OK);
    CHILD_EXPECT(descriptors_check_server(&options, &server, NULL) == STATUS_OK);
    CHILD_EXPECT(soft_limit() >= without + 1000 && soft_limit() < without + 1100);
}

static void a_server_s_clients_are_counted_those_over_http_too(void **state)
{
    (void)state;
    assert_true(in_child(check_server));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_few_are_said_with_what_to_do),
        cmocka_unit_test(the_limit_is_raised_as_far_as_it_may_be_and_never_lowered),
        cmocka_unit_test(a_server_s_clients_are_counted_those_over_http_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
