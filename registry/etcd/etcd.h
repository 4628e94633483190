/* registry/etcd/etcd.h - a client of etcd's JSON gateway on one libuv loop.
 *
 * A cluster has several members; a request goes to one of them and, when that one cannot be
 * reached or has no leader, to the next, until an answer or the deadline. The client detects each
 * member's URL prefix (/v3beta of 3.3, /v3 from 3.4) from GET /version, fetches a token when a
 * user was given and again when etcd calls it invalid, verifies the server's certificate always,
 * and bounds every reply it reads.
 *
 * A write is repeated only where its caller says that repeating is harmless; otherwise an unknown
 * outcome is TIMED_OUT.
 *
 * Units: *_ms is milliseconds. Revisions, leases and IDs are int64_t as in etcd's protocol.
 * Threads: everything of one client belongs to the thread that runs its loop. */
#ifndef REGISTRY_ETCD_ETCD_H
#define REGISTRY_ETCD_ETCD_H

#include "endpoint.h"
#include "registry/base/log.h"

#include <uv.h>

struct etcd;

/* All strings are copied by etcd_open(). */
struct etcd_options {
    const struct endpoint *endpoints;
    size_t endpoint_count;
    /* Domain of _etcd-client[-ssl]._tcp SRV records, or NULL. Under https the certificates of what
     * is found must name it; those of `endpoints` their own hosts. */
    const char *discovery_srv;
    bool is_https;               /* for what discovery finds: look for -ssl first */
    const char *ca_bundle;       /* PEM file, or NULL for the system's */
    const char *cert, *key;      /* PEM files of the client certificate, or NULL */
    const char *user, *password; /* or NULL */
    uint32_t timeout_ms;         /* bound on one request with all its attempts; 0 = 5000 */
    struct log log;
};

/* Make a client. Does not block and does not connect: the first request does.
 * OK: *out is the caller's, to be given to etcd_close().
 * BAD_INPUT: no endpoint, a discovery_srv that is no domain, a certificate file that cannot be
 * read. NO_MEMORY, SYSTEM. */
MUST_USE enum status etcd_open(uv_loop_t *loop, const struct etcd_options *options,
                               struct etcd **out, struct detail *why);

/* Cancel what is under way (each callback gets CANCELLED before this returns) and release.
 * Handles are closed on the loop's next turns; `etcd` must not be used any more. */
void etcd_close(struct etcd *etcd);

/* Read the certificates and the password again for new connections (SIGHUP). */
MUST_USE enum status etcd_reload(struct etcd *etcd, const char *password, struct detail *why);

/* For messages: the member that answered last, as a URL, or "". */
const char *etcd_last_endpoint(const struct etcd *etcd);

#endif
