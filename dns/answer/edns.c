#include "edns.h"

#include "cookie.h"

/* Never less than edns_put_options() writes: records end where this begins, and nothing checks
 * again. */
size_t edns_size_of_options(const struct answer_env *env, unsigned wants)
{
    size_t size = 0;
    if (wants & QUERY_WANTS_COOKIE)
        size += 4 + COOKIE_CLIENT + COOKIE_SERVER;
    if (wants & QUERY_WANTS_NSID)
        size += 4u + env->nsid_len;
    if (wants & QUERY_WANTS_KEEPALIVE)
        size += 6;
    if (wants & QUERY_WANTS_EXPIRE)
        size += 8;
    if (wants & QUERY_WANTS_ZONE_VERSION)
        size += 10;
    return size;
}

static uint8_t *edns_put_option(uint8_t *at, uint16_t code, size_t len)
{
    rr_put16(at, code);
    rr_put16(at + 2, (uint32_t)len);
    return at + 4;
}

static uint8_t *edns_put_cookie(const struct answer_env *env, const struct query *query,
                                uint8_t *at, struct answer_result *result)
{
    const uint8_t *server = query->cookie + COOKIE_CLIENT;
    size_t server_len = query->cookie_len - COOKIE_CLIENT;
    bool is_old = false;
    result->has_cookie = true;
    if (env->secret_count == 0)
        return at;
    /* The number of the secret that it was made with. The second is that of before: a change of secrets
     * takes no client's cookie away, and renews it with the first. */
    unsigned valid = 0;
    while (valid < env->secret_count &&
           !cookie_is_valid(env->secrets[valid], query->cookie, server, server_len, query->client,
                            env->now_s, &is_old))
        valid++;
    result->has_valid_cookie = valid < env->secret_count;
    at = edns_put_option(at, EDNS_OPTION_COOKIE, COOKIE_CLIENT + COOKIE_SERVER);
    memcpy(at, query->cookie, COOKIE_CLIENT);
    if (valid == 0 && !is_old) /* ours, new, and made with the secret of today */
        memcpy(at + COOKIE_CLIENT, server, COOKIE_SERVER);
    else
        cookie_make(env->secrets[0], query->cookie, query->client, env->now_s, at + COOKIE_CLIENT);
    return at + COOKIE_CLIENT + COOKIE_SERVER;
}

/* To secondaries we are the primary, whose data does not age: all of the time until expiry is
 * left. */
static uint8_t *edns_put_zone_options(const struct query *query, const struct edns *edns,
                                      uint8_t *at)
{
    if (query->wants & QUERY_WANTS_EXPIRE) { /* RFC 7314 */
        at = edns_put_option(at, EDNS_OPTION_EXPIRE, 4);
        rr_put32(at, VIEW_SOA_EXPIRE_S);
        at += 4;
    }
    if (query->wants & QUERY_WANTS_ZONE_VERSION) { /* RFC 9660: type 0, the serial */
        at = edns_put_option(at, EDNS_OPTION_ZONEVERSION, 6);
        at[0] = edns->view->label_count;
        at[1] = 0;
        rr_put32(at + 2, rcu_read(edns->view->serial));
        at += 6;
    }
    return at;
}

uint8_t *edns_put_options(const struct answer_env *env, const struct query *query,
                          const struct edns *edns, uint8_t *at, struct answer_result *result)
{
    if (query->cookie)
        at = edns_put_cookie(env, query, at, result);
    if (query->wants & QUERY_WANTS_NSID) {
        at = edns_put_option(at, EDNS_OPTION_NSID, env->nsid_len);
        memcpy(at, env->nsid, env->nsid_len);
        at += env->nsid_len;
    }
    /* Only asked for over TCP (query_read_option()): RFC 7828 forbids it over UDP. */
    if ((query->wants & QUERY_WANTS_KEEPALIVE) && env->tcp_idle_100ms) {
        at = edns_put_option(at, EDNS_OPTION_KEEPALIVE, 2);
        rr_put16(at, env->tcp_idle_100ms);
        at += 2;
    }
    if (edns->view)
        at = edns_put_zone_options(query, edns, at);
    if (edns->ede != EDE_NONE) {
        at = edns_put_option(at, EDNS_OPTION_EDE, 2);
        rr_put16(at, edns->ede);
        at += 2;
    }
    return at;
}
