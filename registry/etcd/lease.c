#include "lease.h"

#include "rpc.h"

#include <inttypes.h>
#include <stdlib.h>

#define LEASE_TTL_RAISED_S 100 /* etcd's minimum is 1.5 election time-outs, 75 s at the most */

struct lease_request {
    struct etcd *etcd;
    uint64_t ttl_s;
    enum rpc_method method;
    bool is_gone; /* says the reply, or: */
    struct lease_result result;
    lease_done *done;
    void *arg;
};

/* One lease to a request. A body may name several, but when etcd writes the first answer, Go's
 * server drops what it has not read of the body yet: of many leases a part is not renewed, and
 * nothing says so. */
static void lease_build(void *arg, const struct member *member, struct buffer *body)
{
    const struct lease_request *lease = arg;
    (void)member;
    buffer_printf(body, "{\"ID\":\"%" PRId64 "\"", lease->result.id);
    if (lease->method == RPC_LEASE_GRANT)
        buffer_printf(body, ",\"TTL\":\"%" PRIu64 "\"", lease->ttl_s);
    buffer_add_text(body, "}");
}

static void lease_finish(struct lease_request *lease, enum status status, const struct detail *why)
{
    struct lease_request ended = *lease;
    free(lease);
    ended.result.status = status;
    ended.result.why = why;
    ended.done(ended.arg, &ended.result);
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

/* All but a revocation say which lease they speak of. That it is gone, a keep-alive says by
 * leaving the TTL out, the question for the time left by a TTL of -1; there 0 or less is also that
 * of a lease which has expired and is not revoked yet. */
static bool lease_read(struct lease_request *lease, const cJSON *root)
{
    static const char *const revoked[] = {"header", NULL};
    struct gateway_reply_header header;
    int64_t id, left_s, granted_s;
    bool is_question = lease->method == RPC_LEASE_TIME_LEFT;
    lease->is_gone = false;
    if (!gateway_reply_header(root, &header))
        return false;
    if (lease->method == RPC_LEASE_REVOKE)
        return gateway_reply_has_only(root, revoked);
    if (!gateway_reply_has_int(root, "ID", &id) || id != lease->result.id ||
        !gateway_reply_has_int(root, "TTL", &left_s) ||
        !gateway_reply_has_int(root, is_question ? "grantedTTL" : "TTL", &granted_s))
        return false;
    lease->is_gone =
        is_question ? left_s < 0 : lease->method == RPC_LEASE_KEEP_ALIVE && left_s == 0;
    lease->result.granted_ttl_s = granted_s;
    lease->result.left_s = left_s;
    return lease->is_gone || lease_is_plausible(lease, granted_s);
}

/* A stream's answer is {"result":{..}}, and {"error":{..}} with HTTP status 200. */
static enum status lease_check(void *arg, const char *reply, size_t len, struct detail *why)
{
    struct lease_request *lease = arg;
    struct gateway_reply_error error = {.message = "the reply makes no sense"};
    enum status status;
    cJSON *root = gateway_reply_parse(reply, len, &status);
    const cJSON *result = root;
    if (lease->method == RPC_LEASE_KEEP_ALIVE)
        result = cJSON_GetObjectItemCaseSensitive(root, "result");
    bool is_good = lease_read(lease, result);
    if (cJSON_GetObjectItemCaseSensitive(root, "error"))
        gateway_reply_error(200, reply, len, &error);
    cJSON_Delete(root);
    if (status == STATUS_NO_MEMORY)
        return detail_set(why, status, "lease: %s", status_text(status));
    return is_good ? STATUS_OK : detail_set(why, STATUS_BAD_REPLY, "lease: %s", error.message);
}

static bool lease_send(struct lease_request *lease);

/* "Already exists" answers a grant that was sent again: the ID is ours alone, so that is success,
 * and how long the lease lives is asked for. */
static void lease_on_done(void *arg, enum status status, const struct detail *why)
{
    struct lease_request *lease = arg;
    if (status == STATUS_CONFLICT && lease->method == RPC_LEASE_GRANT) {
        lease->method = RPC_LEASE_TIME_LEFT;
        if (!lease_send(lease))
            lease_finish(lease, STATUS_NO_MEMORY, &(struct detail){"out of memory"});
    } else if (status == STATUS_OK && lease->is_gone) {
        lease_finish(lease, STATUS_NOT_FOUND, &(struct detail){"the lease is gone"});
    } else {
        lease_finish(lease, status, why);
    }
}

/* All may be sent twice: a grant has an ID of ours, a renewal counts from its arrival, and a second
 * revocation finds the lease gone. And all are urgent: a lease runs out, and writes under it wait
 * for its grant. */
static bool lease_send(struct lease_request *lease)
{
    struct rpc_request request = {
        .method = lease->method,
        .is_idempotent = true,
        .is_urgent = true,
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
    struct detail why;
    if (lease) {
        *lease = (struct lease_request){.etcd = etcd,
                                        .ttl_s = ttl_s,
                                        .method = method,
                                        .result.id = id,
                                        .done = done,
                                        .arg = arg};
        if (lease_send(lease))
            return;
        free(lease);
    }
    done(arg, &(struct lease_result){.status = rpc_refusal(etcd, &why), .id = id, .why = &why});
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
