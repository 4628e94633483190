/* c-ares neither blocks nor waits. It says by resolver_on_socket() which sockets to watch, and by
 * ares_timeout() when to call it next; the loop's polls and one timer do. It may end a look-up
 * inside the very call that begins it (hosts file, no memory), so each result waits in its struct
 * resolver_query until that one's own timer delivers it.
 *
 * c-ares reads resolv.conf once, when a channel is made. When the file has changed, a new channel
 * takes the old one's place: destroying that ends its queries, and the new one gets them. */
#include "resolver.h"

#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#define RESOLVER_CONFIGURATION "/etc/resolv.conf"
#define RESOLVER_TIMEOUT_MS    1000 /* of each server's first try; doubled with each further one */
#define RESOLVER_TRIES         4
#define RESOLVER_TICK_S        1
#define RESOLVER_LOOK_MS       20 /* between two looks at sockets that cannot be watched */
#define RESOLVER_ADDRESSES_MAX 64
#define RESOLVER_SRV_MAX       64
#define RESOLVER_TYPE_SRV      33
#define RESOLVER_CLASS_IN      1

struct resolver_socket {
    uv_poll_t poll;
    struct resolver *resolver;
    LIST_ENTRY(resolver_socket) node;
    ares_socket_t fd;
};

/* c-ares answers from the hosts file before it returns, but callbacks come from the loop: results
 * are kept in the query and delivered by its timer. */
struct resolver_query {
    struct resolver *resolver;
    uv_timer_t timer;
    resolver_host_done *host_done; /* this */
    resolver_srv_done *srv_done;   /* or that */
    void *arg;
    enum status status;
    struct detail why;
    bool is_finished;
    size_t count;
    uint32_t ttl_s;
    struct resolver_address *addresses;
    struct resolver_srv *records;
    LIST_ENTRY(resolver_query) node;
    char name[];
};

struct resolver {
    uv_loop_t *loop;
    uv_timer_t timer;
    ares_channel channel;
    LIST_HEAD(, resolver_socket) sockets;
    LIST_HEAD(, resolver_query) queries;
    size_t under_way;          /* queries that are not settled */
    struct stat configuration; /* resolv.conf, when it was read */
    bool has_own_servers, is_reopening, is_closing;
    bool has_unwatched; /* sockets: there was no memory for their polls */
};

static void resolver_free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

static void resolver_on_timer(uv_timer_t *timer);

/* c-ares times out only when it is called. It is called at every tick as long as anything is under
 * way, so that no look-up depends on a single event. */
static void resolver_rearm(struct resolver *resolver)
{
    struct timeval tick = {.tv_sec = RESOLVER_TICK_S}, left;
    if (resolver->is_closing)
        return;
    if (resolver->under_way == 0) {
        uv_timer_stop(&resolver->timer);
        resolver->has_unwatched = false; /* c-ares has closed them */
        return;
    }
    const struct timeval *next = ares_timeout(resolver->channel, &tick, &left);
    /* Rounded up: called a fraction too early, c-ares would not find the time-out reached. */
    uint64_t next_ms = (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1;
    if (resolver->has_unwatched && next_ms > RESOLVER_LOOK_MS)
        next_ms = RESOLVER_LOOK_MS;
    uv_timer_start(&resolver->timer, resolver_on_timer, next_ms, 0);
}

static void resolver_on_poll(uv_poll_t *poll, int status, int events)
{
    struct resolver_socket *socket = poll->data;
    struct resolver *resolver = socket->resolver;
    ares_socket_t fd = socket->fd;
    /* An error is found by reading or writing. */
    ares_process_fd(resolver->channel, status < 0 || events & UV_READABLE ? fd : ARES_SOCKET_BAD,
                    status < 0 || events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
    resolver_rearm(resolver);
}

static void resolver_close_socket(struct resolver_socket *socket)
{
    LIST_REMOVE(socket, node);
    uv_poll_stop(&socket->poll);
    uv_close((uv_handle_t *)&socket->poll, resolver_free_handle);
}

static struct resolver_socket *resolver_open_socket(struct resolver *resolver, ares_socket_t fd)
{
    struct resolver_socket *socket = calloc(1, sizeof(*socket));
    if (!socket || uv_poll_init_socket(resolver->loop, &socket->poll, fd) != 0) {
        free(socket);
        return NULL;
    }
    socket->poll.data = socket;
    socket->resolver = resolver;
    socket->fd = fd;
    LIST_INSERT_HEAD(&resolver->sockets, socket, node);
    return socket;
}

static void resolver_on_socket(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
    struct resolver *resolver = arg;
    struct resolver_socket *socket = LIST_FIRST(&resolver->sockets);
    while (socket && socket->fd != fd)
        socket = LIST_NEXT(socket, node);
    if (!is_readable && !is_writable) {
        if (socket)
            resolver_close_socket(socket);
        return;
    }
    if (!socket)
        socket = resolver_open_socket(resolver, fd);
    if (socket)
        uv_poll_start(&socket->poll,
                      (is_readable ? UV_READABLE : 0) | (is_writable ? UV_WRITABLE : 0),
                      resolver_on_poll);
    else
        resolver->has_unwatched = true;
}

/* None of them blocks. Each look-up of a socket that stays open would go unheard else. */
static void resolver_look(struct resolver *resolver)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    /* A bit for each that is to be read, and 16 higher one that is to be written. */
    unsigned bits = (unsigned)ares_getsock(resolver->channel, sockets, ARES_GETSOCK_MAXNUM);
    bits |= bits >> ARES_GETSOCK_MAXNUM;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++)
        if (bits & 1U << i)
            ares_process_fd(resolver->channel, sockets[i], sockets[i]);
}

/* A channel that knows what resolv.conf says now. */
static int resolver_open_channel(struct resolver *resolver, ares_channel *out)
{
    struct ares_options options = {
        .timeout = RESOLVER_TIMEOUT_MS,
        .tries = RESOLVER_TRIES,
        .sock_state_cb = resolver_on_socket,
        .sock_state_cb_data = resolver,
    };
    struct stat configuration = {0};
    /* Before c-ares reads it: what is written in between counts as a change, and is read again. */
    (void)stat(RESOLVER_CONFIGURATION, &configuration);
    int error = ares_init_options(out, &options,
                                  ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (error == ARES_SUCCESS)
        resolver->configuration = configuration;
    return error;
}

enum status resolver_open(uv_loop_t *loop, struct resolver **out, struct detail *why)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!resolver)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    int error = ares_library_init(ARES_LIB_INIT_ALL);
    if (error == ARES_SUCCESS &&
        (error = resolver_open_channel(resolver, &resolver->channel)) != ARES_SUCCESS)
        ares_library_cleanup();
    if (error != ARES_SUCCESS) {
        free(resolver);
        return detail_set(why, error == ARES_ENOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM,
                          "resolver: %s", ares_strerror(error));
    }
    resolver->loop = loop;
    uv_timer_init(loop, &resolver->timer);
    resolver->timer.data = resolver;
    *out = resolver;
    return STATUS_OK;
}

enum status resolver_set_servers(struct resolver *resolver, const char *servers, struct detail *why)
{
    int error = ares_set_servers_ports_csv(resolver->channel, servers);
    if (error != ARES_SUCCESS)
        return detail_set(why, error == ARES_ENOMEM ? STATUS_NO_MEMORY : STATUS_BAD_INPUT,
                          "%s: not taken as the address of a name server", servers);
    resolver->has_own_servers = true;
    return STATUS_OK;
}

static void resolver_free_query(uv_handle_t *handle)
{
    struct resolver_query *query = handle->data;
    free(query->addresses);
    free(query->records);
    free(query);
}

static void resolver_deliver(uv_timer_t *timer)
{
    struct resolver_query *query = timer->data;
    LIST_REMOVE(query, node);
    uv_close((uv_handle_t *)timer, resolver_free_query);
    size_t count = query->status == STATUS_OK ? query->count : 0;
    if (query->host_done)
        query->host_done(query->arg, query->status, query->addresses, count, query->ttl_s,
                         &query->why);
    else
        query->srv_done(query->arg, query->status, query->records, count, &query->why);
}

void resolver_close(struct resolver *resolver)
{
    if (!resolver)
        return;
    resolver->is_closing = true;
    ares_destroy(resolver->channel); /* ends the queries under way: their callbacks come now */
    struct resolver_query *query;
    while ((query = LIST_FIRST(&resolver->queries))) {
        query->status = STATUS_CANCELLED;
        detail_set(&query->why, STATUS_CANCELLED, "cancelled");
        resolver_deliver(&query->timer);
    }
    while (!LIST_EMPTY(&resolver->sockets))
        resolver_close_socket(LIST_FIRST(&resolver->sockets));
    ares_library_cleanup();
    uv_close((uv_handle_t *)&resolver->timer, resolver_free_handle);
}

static enum status resolver_status(int error)
{
    if (error == ARES_ENODATA || error == ARES_ENOTFOUND)
        return STATUS_NOT_FOUND;
    if (error == ARES_EDESTRUCTION || error == ARES_ECANCELLED)
        return STATUS_CANCELLED;
    if (error == ARES_ENOMEM)
        return STATUS_NO_MEMORY;
    return error == ARES_ETIMEOUT ? STATUS_TIMED_OUT : STATUS_UNREACHABLE;
}

static void resolver_fail(struct resolver_query *query, int error)
{
    const char *text = ares_strerror(error);
    query->status = resolver_status(error);
    if (query->status == STATUS_NOT_FOUND)
        text = query->host_done ? "DNS has no address of it" : "DNS has no such records";
    else if (query->status == STATUS_TIMED_OUT)
        text = "no answer from DNS in time";
    else if (error == ARES_ECONNREFUSED) /* c-ares says so when each server sent an error, too */
        text = "every DNS server fails or refuses";
    else if (error == ARES_EBADNAME)
        text = "a misformatted name, or DNS reply";
    detail_set(&query->why, query->status, "cannot look up %s: %s", query->name, text);
}

/* Report it on the loop's next turn; while the resolver closes, resolver_close() does. */
static void resolver_finish(struct resolver_query *query)
{
    struct resolver *resolver = query->resolver;
    query->is_finished = true;
    resolver->under_way--;
    if (!resolver->is_closing)
        uv_timer_start(&query->timer, resolver_deliver, 0, 0);
}

/* False: no more is taken. A reply is a stranger's, and as long as it likes. */
static bool resolver_take_node(struct resolver_query *query, const struct ares_addrinfo_node *node)
{
    struct resolver_address *address = &query->addresses[query->count];
    if (query->count == RESOLVER_ADDRESSES_MAX)
        return false;
    address->family = node->ai_family;
    if (node->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)node->ai_addr;
        memcpy(address->octets, &in->sin_addr, 4);
    } else if (node->ai_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)node->ai_addr;
        memcpy(address->octets, &in6->sin6_addr, 16);
    } else {
        return true;
    }
    /* The addresses are used as one set, so the shortest TTL is that of all. */
    uint32_t ttl_s = node->ai_ttl > 0 ? (uint32_t)node->ai_ttl : 0;
    if (query->count == 0 || ttl_s < query->ttl_s)
        query->ttl_s = ttl_s;
    query->count++;
    return true;
}

static void resolver_on_host(void *arg, int error, int timeouts, struct ares_addrinfo *info)
{
    struct resolver_query *query = arg;
    (void)timeouts;
    if (query->resolver->is_reopening) {
        ares_freeaddrinfo(info);
        return;
    }
    if (error == ARES_SUCCESS) {
        query->addresses = calloc(RESOLVER_ADDRESSES_MAX, sizeof(*query->addresses));
        if (!query->addresses)
            error = ARES_ENOMEM;
    }
    if (error == ARES_SUCCESS) {
        const struct ares_addrinfo_node *node = info->nodes;
        while (node && resolver_take_node(query, node))
            node = node->ai_next;
        if (query->count == 0)
            error = ARES_ENODATA;
    }
    if (error != ARES_SUCCESS)
        resolver_fail(query, error);
    ares_freeaddrinfo(info);
    resolver_finish(query);
}

static void resolver_take_srv(struct resolver_query *query, const struct ares_srv_reply *list)
{
    for (; list && query->count < RESOLVER_SRV_MAX; list = list->next) {
        struct resolver_srv *record = &query->records[query->count];
        size_t len = strlen(list->host);
        if (len >= sizeof(record->target))
            continue;
        memcpy(record->target, list->host, len + 1);
        record->port = list->port;
        record->priority = list->priority;
        record->weight = list->weight;
        query->count++;
    }
}

static void resolver_on_srv(void *arg, int error, int timeouts, unsigned char *reply, int len)
{
    struct resolver_query *query = arg;
    struct ares_srv_reply *list = NULL;
    (void)timeouts;
    if (query->resolver->is_reopening)
        return;
    if (error == ARES_SUCCESS)
        error = ares_parse_srv_reply(reply, len, &list);
    if (error == ARES_SUCCESS) {
        query->records = calloc(RESOLVER_SRV_MAX, sizeof(*query->records));
        if (query->records)
            resolver_take_srv(query, list);
        else
            error = ARES_ENOMEM;
    }
    if (error == ARES_SUCCESS && query->count == 0)
        error = ARES_ENODATA;
    if (error != ARES_SUCCESS)
        resolver_fail(query, error);
    ares_free_data(list);
    resolver_finish(query);
}

/* Not sorted (RFC 6724): c-ares would connect a socket to each address for that. The name of an SRV
 * record is whole: ares_query() appends none of the search list. */
static void resolver_ask(struct resolver_query *query)
{
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_channel channel = query->resolver->channel;
    if (query->host_done)
        ares_getaddrinfo(channel, query->name, NULL, &hints, resolver_on_host, query);
    else
        ares_query(channel, query->name, RESOLVER_CLASS_IN, RESOLVER_TYPE_SRV, resolver_on_srv,
                   query);
    resolver_rearm(query->resolver);
}

/* The status' time, since that of the contents can be set back: a copy with "cp -p" has the
 * original's. A file that is put in the place of another has another inode. While there is none,
 * the old servers stay: it is mostly being replaced. */
static bool resolver_is_outdated(const struct resolver *resolver)
{
    struct stat now;
    const struct stat *then = &resolver->configuration;
    if (resolver->has_own_servers || stat(RESOLVER_CONFIGURATION, &now) != 0)
        return false;
    return now.st_ino != then->st_ino || now.st_ctim.tv_sec != then->st_ctim.tv_sec ||
           now.st_ctim.tv_nsec != then->st_ctim.tv_nsec;
}

/* A machine that starts, or moves, writes resolv.conf while look-ups are under way: they would wait
 * for servers that cannot be reached. */
static void resolver_follow(struct resolver *resolver)
{
    ares_channel channel;
    if (!resolver_is_outdated(resolver) ||
        resolver_open_channel(resolver, &channel) != ARES_SUCCESS)
        return;
    resolver->is_reopening = true;
    ares_destroy(resolver->channel);
    resolver->is_reopening = false;
    resolver->channel = channel;
    struct resolver_query *next;
    for (struct resolver_query *query = LIST_FIRST(&resolver->queries); query; query = next) {
        next = LIST_NEXT(query, node);
        if (!query->is_finished)
            resolver_ask(query);
    }
}

static void resolver_on_timer(uv_timer_t *timer)
{
    struct resolver *resolver = timer->data;
    resolver_follow(resolver);
    if (resolver->has_unwatched)
        resolver_look(resolver);
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* time-outs alone */
    resolver_rearm(resolver);
}

/* False: no memory. */
static bool resolver_start(struct resolver *resolver, const char *name,
                           resolver_host_done *host_done, resolver_srv_done *srv_done, void *arg)
{
    size_t len = strlen(name);
    resolver_follow(resolver);
    struct resolver_query *query = calloc(1, sizeof(*query) + len + 1);
    if (!query)
        return false;
    memcpy(query->name, name, len);
    query->resolver = resolver;
    query->host_done = host_done;
    query->srv_done = srv_done;
    query->arg = arg;
    uv_timer_init(resolver->loop, &query->timer);
    query->timer.data = query;
    LIST_INSERT_HEAD(&resolver->queries, query, node);
    resolver->under_way++;
    resolver_ask(query);
    return true;
}

void resolver_host(struct resolver *resolver, const char *name, resolver_host_done *done, void *arg)
{
    if (!resolver_start(resolver, name, done, NULL, arg))
        done(arg, STATUS_NO_MEMORY, NULL, 0, 0, &(struct detail){"out of memory"});
}

void resolver_srv(struct resolver *resolver, const char *name, resolver_srv_done *done, void *arg)
{
    if (!resolver_start(resolver, name, NULL, done, arg))
        done(arg, STATUS_NO_MEMORY, NULL, 0, &(struct detail){"out of memory"});
}
