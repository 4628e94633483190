/* example.c - a service that registers itself: cc example.c $(pkg-config --cflags --libs empusa)
 *
 *     EMPUSA_ETCD_ENDPOINT=10.0.0.7:2379 EMPUSA_TREE_ROOT=/foo ./example web shop 10.1.2.3:8080 */
#include <empusa.h>
#include <signal.h>
#include <stdio.h>

static int fail(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 1;
}

int main(int argc, char **argv)
{
    struct empusa *registry;
    struct empusa_registration *registration;
    struct empusa_service shop;
    sigset_t end;
    int number;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    sigprocmask(SIG_BLOCK, &end, NULL); /* before anything else: sigwait() below takes them */
    if (argc != 4)
        return fail("usage: example TYPE NAME HOST:PORT");
    empusa_service_init(&shop, argv[1], argv[2], argv[3]);
    shop.ttl_s = 5; /* for a demonstration: it vanishes 5 s after a crash */
    if (empusa_open(NULL, &registry) > 0)
        return fail(empusa_error(NULL));
    int code = empusa_register(registry, &shop, &registration);
    if (code > 0)
        return fail(empusa_error(registry));
    puts(code == EMPUSA_PENDING ? "pending" : "registered"); /* here it would serve */
    fflush(stdout);
    sigwait(&end, &number);
    if (empusa_unregister(registration) > 0)
        fail(empusa_error(registry));
    empusa_close(registry);
    return 0;
}
