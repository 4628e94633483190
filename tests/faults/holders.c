/* holders.c - many registrations of one process: TYPE, COUNT and TTL are its arguments. It says
 * "registered" once all are, and unregisters them on SIGTERM. */
#include <empusa.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct empusa *registry;
    struct empusa_registration *one;
    sigset_t ending;
    char name[32], location[32];
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    if (argc < 4 || empusa_open(NULL, &registry) != EMPUSA_OK)
        return 1;
    for (int i = 0; i < atoi(argv[2]); i++) {
        struct empusa_service service;
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(location, sizeof(location), "10.0.0.2:%d", i + 1);
        empusa_service_init(&service, argv[1], name, location);
        service.ttl_s = (uint32_t)atoi(argv[3]);
        if (empusa_register(registry, &service, &one) > 0) {
            fprintf(stderr, "%s\n", empusa_error(registry));
            return 1;
        }
    }
    puts("registered");
    fflush(stdout);
    int number;
    sigwait(&ending, &number);
    empusa_close(registry);
    return 0;
}
