/* registry/net/resolver.h - every DNS look-up that empusa itself makes: c-ares on a libuv loop.
 *
 * A server that is silent is asked again after 1, 2 and 4 s (of several, each in turn), and given
 * up 8 s later. An error's text names the name, and DNS: "cannot look up etcd.example: ...".
 *
 * Threads: belongs to the thread that runs its loop. Callbacks come exactly once: from the loop, with
 * CANCELLED from resolver_close(), or, without memory to wait in, with NO_MEMORY from inside the call
 * that asks. */
#ifndef REGISTRY_NET_RESOLVER_H
#define REGISTRY_NET_RESOLVER_H

#include "registry/base/status.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

struct resolver;

/* Uses the machine's resolv.conf and hosts file, also when they change later. */
MUST_USE enum status resolver_open(uv_loop_t *loop, struct resolver **out, struct detail *why);
/* Ends all look-ups under way with CANCELLED. NULL is accepted. */
void resolver_close(struct resolver *resolver);

/* Ask these name servers, "ADDR:PORT" or "[ADDR]:PORT" separated by commas, not those of
 * resolv.conf. BAD_INPUT: not such a list. */
MUST_USE enum status resolver_set_servers(struct resolver *resolver, const char *servers,
                                          struct detail *why);

struct resolver_address {
    int family; /* AF_INET, AF_INET6 */
    uint8_t octets[16];
};

/* The addresses of a host as the machine would find them (hosts file, search list), both families.
 * ttl_s is the least TTL, 0 when it came from the hosts file.
 * NOT_FOUND: DNS answers that the name has no address; other failures: UNREACHABLE, TIMED_OUT.
 */
typedef void resolver_host_done(void *arg, enum status status,
                                const struct resolver_address *addresses, size_t count,
                                uint32_t ttl_s, const struct detail *why);
void resolver_host(struct resolver *resolver, const char *name, resolver_host_done *done,
                   void *arg);

struct resolver_srv {
    char target[256];
    uint16_t port, priority, weight;
};
typedef void resolver_srv_done(void *arg, enum status status, const struct resolver_srv *records,
                               size_t count, const struct detail *why);
void resolver_srv(struct resolver *resolver, const char *name, resolver_srv_done *done, void *arg);

#endif
