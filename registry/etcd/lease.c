#include "lease.h"

#include "rpc.h"

#include <inttypes.h>
#include <stdlib.h>

#define LEASE_TTL_RAISED_S 100 /* etcd's minimum is 1.5 election time-outs, 75 s at the most */

struct lease_request {
    struct etcd *etcd;
    int64_t id;
    uint64_t ttl_s;
    enum rpc_method method;
    bool is_gone; /* says the reply, or: */
    int64_t granted_s, left_s;
    lease_done *done;
    void *arg;
};

static void lease_build(void *arg, const struct member *member, struct buffer *body)
{
    const struct lease_request *lease = arg;
    (void)member;
    buffer_printf(body, "{\"ID\":\"%" PRId64 "\"", lease->id);
    if (lease->method == RPC_LEASE_GRANT)
        buffer_printf(body, ",\"TTL\":\"%" PRIu64 "\"", lease->ttl_s);
    buffer_add_text(body, "}");
}

static void lease_finish(struct lease_request *lease, enum status status, int64_t granted_ttl_s,
                         int64_t left_s, const struct detail *why)
{
    lease_done *done = lease->done;
    void *arg = lease->arg;
    int64_t id = lease->id;
    free(lease);
    done(arg, status, id, granted_ttl_s, left_s, why);
}

/* Whether a TTL that etcd says can be that of this lease: as long as it was asked for, or etcd's
 * minimum if that is more. Of a lease that is not granted here only etcd's own bound is known. */
static bool lease_is_plausible(const struct lease_request *lease, int64_t ttl_s)
{
    int64_t asked_s = (int64_t)lease->ttl_s;
    if (ttl_s < 1 || ttl_s < asked_s || ttl_s > LEASE_TTL_MAX_S)
        return false;
    return asked_s == 0 || ttl_s == asked_s || ttl_s <= LEASE_TTL_RAISED_S;
}

static bool lease_is_alive(struct lease_request *lease, int64_t granted_s, int64_t left_s)
{
    lease->granted_s = granted_s;
    lease->left_s = left_s;
    return lease_is_plausible(lease, granted_s);
}

/* Without a TTL the lease is gone. */
static bool lease_read_kept(struct lease_request *lease, const cJSON *result)
{
    int64_t ttl_s;
    if (!gateway_reply_has_int(result, "TTL", &ttl_s))
        return false;
    lease->is_gone = ttl_s == 0;
    return lease->is_gone || lease_is_alive(lease, ttl_s, ttl_s);
}

/* A TTL of -1 says that the lease is gone. An expired one that is not revoked yet has 0 or less,
 * too. */
static bool lease_read_time_left(struct lease_request *lease, const cJSON *root)
{
    int64_t left_s, granted_s;
    if (!gateway_reply_has_int(root, "TTL", &left_s) ||
        !gateway_reply_has_int(root, "grantedTTL", &granted_s))
        return false;
    lease->is_gone = left_s < 0;
    return lease->is_gone || lease_is_alive(lease, granted_s, left_s);
}

static bool lease_read_grant(struct lease_request *lease, const cJSON *root)
{
    int64_t ttl_s;
    return gateway_reply_has_int(root, "TTL", &ttl_s) && lease_is_alive(lease, ttl_s, ttl_s);
}

/* All but a revocation say which lease they speak of. */
static bool lease_read(struct lease_request *lease, const cJSON *root)
{
    static const char *const revoked[] = {"header", NULL};
    struct gateway_reply_header header;
    int64_t id;
    lease->is_gone = false;
    if (!gateway_reply_header(root, &header))
        return false;
    if (lease->method == RPC_LEASE_REVOKE)
        return gateway_reply_has_only(root, revoked);
    if (!gateway_reply_has_int(root, "ID", &id) || id != lease->id)
        return false;
    if (lease->method == RPC_LEASE_KEEP_ALIVE)
        return lease_read_kept(lease, root);
    if (lease->method == RPC_LEASE_TIME_LEFT)
        return lease_read_time_left(lease, root);
    return lease_read_grant(lease, root);
}

/* A stream's answer is {"result":{..}}, and {"error":{..}} with HTTP status 200. */
static enum status lease_check(void *arg, const char *reply, size_t len, struct detail *why)
{
    struct lease_request *lease = arg;
    struct gateway_reply_error error = {.message = "the reply makes no sense"};
    cJSON *root = gateway_reply_parse(reply, len);
    const cJSON *result = root;
    if (lease->method == RPC_LEASE_KEEP_ALIVE)
        result = cJSON_GetObjectItemCaseSensitive(root, "result");
    bool is_good = lease_read(lease, result);
    if (cJSON_GetObjectItemCaseSensitive(root, "error"))
        gateway_reply_error(200, reply, len, &error);
    cJSON_Delete(root);
    return is_good ? STATUS_OK : detail_set(why, STATUS_BAD_REPLY, "lease: %s", error.message);
}

static bool lease_send(struct lease_request *lease);

/* "Already exists" answers a grant that was sent again: the ID is ours alone, so that is success.
 */
static void lease_read_granted(struct lease_request *lease)
{
    lease->method = RPC_LEASE_TIME_LEFT;
    if (!lease_send(lease))
        lease_finish(lease, STATUS_NO_MEMORY, 0, 0, &(struct detail){"out of memory"});
}

static void lease_on_done(void *arg, enum status status, const struct detail *why)
{
    struct lease_request *lease = arg;
    if (status == STATUS_CONFLICT && lease->method == RPC_LEASE_GRANT)
        lease_read_granted(lease);
    else if (status != STATUS_OK)
        lease_finish(lease, status, 0, 0, why);
    else if (lease->is_gone)
        lease_finish(lease, STATUS_NOT_FOUND, 0, 0, &(struct detail){"the lease is gone"});
    else
        lease_finish(lease, STATUS_OK, lease->granted_s, lease->left_s, &(struct detail){""});
}

static bool lease_send(struct lease_request *lease)
{
    struct rpc_request request = {
        .method = lease->method,
        .is_idempotent = true,
        .build = lease_build,
        .check = lease_check,
        .done = lease_on_done,
        .arg = lease,
    };
    return rpc_start(lease->etcd, &request);
}

static void lease_start(struct etcd *etcd, enum rpc_method method, int64_t id, uint64_t ttl_s,
                        lease_done *done, void *arg)
{
    struct lease_request *lease = calloc(1, sizeof(*lease));
    if (lease) {
        *lease = (struct lease_request){
            .etcd = etcd, .id = id, .ttl_s = ttl_s, .method = method, .done = done, .arg = arg};
        if (lease_send(lease))
            return;
        free(lease);
    }
    enum status status = etcd->is_closing ? STATUS_CANCELLED : STATUS_NO_MEMORY;
    struct detail why;
    detail_set(&why, status, "%s", status_text(status));
    done(arg, status, id, 0, 0, &why);
}

void lease_grant(struct etcd *etcd, int64_t id, uint64_t ttl_s, lease_done *done, void *arg)
{
    lease_start(etcd, RPC_LEASE_GRANT, id, ttl_s, done, arg);
}

void lease_keep_alive(struct etcd *etcd, int64_t id, lease_done *done, void *arg)
{
    lease_start(etcd, RPC_LEASE_KEEP_ALIVE, id, 0, done, arg);
}

void lease_time_left(struct etcd *etcd, int64_t id, lease_done *done, void *arg)
{
    lease_start(etcd, RPC_LEASE_TIME_LEFT, id, 0, done, arg);
}

void lease_revoke(struct etcd *etcd, int64_t id, lease_done *done, void *arg)
{
    lease_start(etcd, RPC_LEASE_REVOKE, id, 0, done, arg);
}
