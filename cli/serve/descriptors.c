#include "descriptors.h"

#include "status_http.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKER 8 /* descriptors of a thread that answers, without its sockets */

/* The soft limit is usually 1024, for the sake of programs that use select(2); up to the hard one,
 * often far above, anybody may raise it. Whether that went well shows when descriptors are
 * opened. */
static void descriptors_raise_limit(unsigned wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* How many of `needed` can be opened; *error says why no more. The limit alone does not tell: some
 * are open already, inherited ones too, and the whole system has a limit. An eventfd takes nothing
 * else: no file, no port. */
static unsigned descriptors_try_open(unsigned needed, int *fds, int *error)
{
    unsigned count = 0;
    while (count < needed && (fds[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
        count++;
    *error = errno;
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    return count;
}

enum status descriptors_check(unsigned needed, unsigned wanted, struct detail *why)
{
    int error = 0;
    int *fds = calloc(needed, sizeof(*fds));
    if (!fds)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    descriptors_raise_limit(wanted);
    unsigned count = descriptors_try_open(needed, fds, &error);
    free(fds);
    if (count == needed)
        return STATUS_OK;
    const char *advice = "raise the limit: ulimit -n, or LimitNOFILE= of systemd";
    return detail_set(why, STATUS_SYSTEM,
                      "too few file descriptors: %u can be opened, %u are needed (%s)", count,
                      needed, error == EMFILE ? advice : strerror(error));
}

enum status descriptors_check_server(const struct options *options,
                                     const struct server_options *server, struct detail *why)
{
    /* server_open() makes a worker for each CPU that this process may use: no more than are
     * online. */
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned workers =
        server->workers ? server->workers : (unsigned)(processors > 0 ? processors : 1);
    /* Each worker has sockets of its own at every address, one for UDP and one for TCP. */
    unsigned sockets = 2 * (unsigned)server->listen_count;
    unsigned needed = DESCRIPTORS_COMMAND + workers * (WORKER + sockets);
    /* Wanted, not needed: with fewer there are fewer connections, and UDP is answered all the
     * same. */
    unsigned clients = server->tcp_connections;
    if (options_has(options, OPTION_HTTP)) {
        needed += STATUS_HTTP_DESCRIPTORS;
        clients += (unsigned)options_number(options, OPTION_HTTP_CONNECTIONS) + STATUS_HTTP_SPARE;
    }
    return descriptors_check(needed, needed + DESCRIPTORS_COMMAND + clients, why);
}
