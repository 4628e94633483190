#include "server.h"

#include "worker.h"
#include "zones/store/rcu.h"

#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORKERS_MAX 1024

static_assert(SERVER_LISTEN_MAX <= TCP_LISTENERS_MAX, "a worker has a place for each address");

struct server {
    struct worker_shared shared;
    struct acl allow_query, allow_transfer;
    struct rate_limit *limit;
    struct sockaddr_storage addresses[SERVER_LISTEN_MAX];
    size_t address_count;
    int guards[SERVER_LISTEN_MAX]; /* while opening: -1, or what keeps a port that was picked */
    struct worker **workers;
    unsigned worker_count;
    struct batch_env *env; /* the one that is published */
    uint64_t env_version;
};

static enum status server_check(const struct server_options *options, struct detail *why)
{
    if (options->listen_count == 0 || options->listen_count > SERVER_LISTEN_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "1 to %d addresses to listen on, not %zu",
                          SERVER_LISTEN_MAX, options->listen_count);
    if (options->workers > WORKERS_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "at most %d workers, not %u", WORKERS_MAX,
                          options->workers);
    if (options->tcp_connections == 0)
        return detail_set(why, STATUS_BAD_INPUT, "at least 1 TCP connection");
    if (options->tcp_idle_s == 0 || options->tcp_idle_s > UINT32_MAX / 1000)
        return detail_set(why, STATUS_BAD_INPUT, "TCP idle time of %u s", options->tcp_idle_s);
    for (size_t i = 0; i < options->listen_count; i++)
        if (!socket_is_inet(&options->listen[i].address))
            return detail_set(why, STATUS_BAD_INPUT, "an address to listen on is not IPv4 or IPv6");
    return STATUS_OK;
}

/* With SO_REUSEPORT the kernel would let each worker bind one address twice, and spread its clients
 * over both sockets. */
static bool server_is_claimed(const struct server *server, const struct sockaddr_storage *address)
{
    for (size_t i = 0; i < server->address_count; i++)
        if (socket_is_same(&server->addresses[i], address))
            return true;
    return false;
}

/* All addresses before any worker's socket, so that our own wildcard does not stand in the way of
 * our own address on the same port. */
static enum status server_claim_addresses(struct server *server,
                                          const struct server_options *options, struct detail *why)
{
    for (size_t i = 0; i < options->listen_count; i++) {
        struct sockaddr_storage address = options->listen[i].address;
        int guard = -1;
        if (server_is_claimed(server, &address))
            continue;
        enum status status = socket_claim(&address, &guard, why);
        if (status == STATUS_NOT_FOUND && options->listen[i].may_be_missing) {
            log_printf(&options->log, LOG_LEVEL_DEBUG, "not listening on %s", why->text);
            continue;
        }
        if (status != STATUS_OK)
            return STATUS_SYSTEM;
        server->guards[server->address_count] = guard;
        server->addresses[server->address_count++] = address;
    }
    /* The last one's reason stands in *why. */
    return server->address_count != 0 ? STATUS_OK : STATUS_SYSTEM;
}

/* Not needed once workers have sockets, or cannot have them: from then on those keep the port. */
static void server_release_guards(struct server *server)
{
    for (size_t i = 0; i < SERVER_LISTEN_MAX; i++) {
        if (server->guards[i] >= 0)
            close(server->guards[i]);
        server->guards[i] = -1;
    }
}

static enum status server_open_sockets(struct server *server, struct worker *worker,
                                       struct detail *why)
{
    for (size_t i = 0; i < server->address_count; i++) {
        const struct sockaddr_storage *address = &server->addresses[i];
        int udp_fd, tcp_fd;
        if (socket_open(address, SOCK_DGRAM, &udp_fd, why) != STATUS_OK)
            return STATUS_SYSTEM;
        if (socket_open(address, SOCK_STREAM, &tcp_fd, why) != STATUS_OK) {
            close(udp_fd);
            return STATUS_SYSTEM;
        }
        worker_add(worker, udp_fd, tcp_fd, socket_is_wildcard(address));
    }
    return STATUS_OK;
}

/* All sockets in the caller's thread, before the first worker starts: a port below 1024 needs
 * privileges, which the caller drops next. */
static enum status server_open_workers(struct server *server, unsigned count, struct detail *why)
{
    server->workers = calloc(count, sizeof(struct worker *));
    if (!server->workers)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        enum status status = worker_new(&server->shared, i, &server->workers[i]);
        if (status != STATUS_OK)
            return status;
        server->worker_count++;
        status = server_open_sockets(server, server->workers[i], why);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status server_make_limit(struct server *server, uint32_t rate)
{
    if (rate == 0)
        return STATUS_OK;
    /* A line of buckets is to be one cache line. */
    server->limit = aligned_alloc(alignof(struct rate_limit), sizeof(struct rate_limit));
    if (!server->limit)
        return STATUS_NO_MEMORY;
    rate_limit_init(server->limit, rate, &server->shared.tcp_share.seed);
    server->shared.limit = server->limit;
    return STATUS_OK;
}

static enum status server_fill(struct server *server, const struct server_options *options,
                               struct detail *why)
{
    server->allow_query = options->allow_query;
    server->shared.zone = options->zone;
    server->shared.allow = options->allow_query.count != 0 ? &server->allow_query : NULL;
    server->allow_transfer = options->allow_transfer;
    if (options->transfer && options->allow_transfer.count != 0)
        server->shared.allow_transfer = &server->allow_transfer;
    server->shared.tcp_share.transfer = options->transfer;
    server->shared.tcp_share.transfer_arg = options->transfer_arg;
    server->shared.tcp_share.limit = options->tcp_connections;
    server->shared.tcp_idle_ms = options->tcp_idle_s * 1000;
    /* What calloc() left would be descriptor 0. */
    memset(server->guards, -1, sizeof(server->guards));

    unsigned workers = options->workers != 0 ? options->workers : uv_available_parallelism();
    server->shared.tcp_share.workers = workers;
    /* Before the rate limit, which copies it. */
    enum status status = name_seed_init(&server->shared.tcp_share.seed);
    if (status != STATUS_OK)
        return detail_set(why, status, "no random numbers");
    status = server_make_limit(server, options->rate_limit);
    if (status == STATUS_OK)
        status = server_claim_addresses(server, options, why);
    if (status == STATUS_OK)
        status = server_open_workers(server, workers, why);
    server_release_guards(server);
    return status;
}

enum status server_open(const struct server_options *options, struct server **out,
                        struct detail *why)
{
    struct detail unwanted; /* what a default address failed for is logged from there */
    why = why ? why : &unwanted;
    enum status status = server_check(options, why);
    if (status != STATUS_OK)
        return status;
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    status = server_fill(server, options, why);
    if (status == STATUS_NO_MEMORY)
        (void)detail_set(why, status, "%s", status_text(status));
    if (status == STATUS_OK)
        *out = server;
    else
        server_stop(server);
    return status;
}

void server_addresses(const struct server *server, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < server->address_count && len < size; i++) {
        char text[SOCKET_TEXT_MAX];
        socket_text(&server->addresses[i], text, sizeof(text));
        len += (size_t)snprintf(out + len, size - len, "%s%s", i == 0 ? "" : ", ", text);
    }
}

enum status server_set_env(struct server *server, const struct answer_env *env)
{
    struct batch_env *fresh = malloc(sizeof(*fresh));
    if (!fresh)
        return STATUS_NO_MEMORY;
    fresh->version = ++server->env_version;
    fresh->env = *env;
    rcu_publish(server->shared.published, fresh);
    rcu_retire(server->env); /* collected with the zone's next change, which may be half done now */
    server->env = fresh;
    return STATUS_OK;
}

enum status server_start(struct server *server, const struct answer_env *env, struct detail *why)
{
    enum status status = server_set_env(server, env);
    if (status != STATUS_OK)
        return detail_set(why, status, "%s", status_text(status));
    for (unsigned i = 0; i < server->worker_count && status == STATUS_OK; i++)
        status = worker_start(server->workers[i], why);
    return status;
}

void server_counters(const struct server *server, struct counters *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < server->worker_count; i++)
        counters_add(out, worker_counters(server->workers[i]));
}

void server_stop(struct server *server)
{
    if (!server)
        return;
    /* All are asked before the first is waited for: each may take a second (tcp.c). */
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_stop(server->workers[i]);
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    free(server->workers);
    free(server->limit);
    /* No reader is left: nothing to wait for. */
    free(server->env);
    free(server);
}
