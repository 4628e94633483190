#include "client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Every rpc that begins without members asks for a discovery, and every one that gives up for
 * another: these bound what DNS gets of that. */
#define DISCOVERY_RETRY_MS   1000
#define DISCOVERY_REFRESH_MS 30000
#define DISCOVERY_KEEP_MS    5000 /* until old addresses are looked up again when that failed */

/* Not before something needs it: for endpoints that are addresses nothing does. */
static enum status discovery_open_resolver(struct etcd *etcd, struct detail *why)
{
    if (etcd->resolver)
        return STATUS_OK;
    return resolver_open(etcd->loop, &etcd->resolver, why);
}

static void discovery_discover(struct etcd *etcd);

/* A member of what an SRV record says. Priority and weight are not looked at, as etcd's own client
 * does not. One unusable record does not spoil the others. False: it is one. */
static bool discovery_add(struct etcd *etcd, const struct resolver_srv *record, bool is_https)
{
    char text[sizeof(record->target) + 16];
    struct endpoint endpoint;
    snprintf(text, sizeof(text), "%s:%u", record->target, (unsigned)record->port);
    if (endpoint_parse(text, strlen(text), is_https, &endpoint, NULL) != STATUS_OK) {
        log_printf(&etcd->log, LOG_LEVEL_WARNING, "SRV record with the unusable target \"%s\"",
                   text);
        return false;
    }
    member_add(&etcd->members, &endpoint, etcd->discovery.domain);
    return true;
}

/* Whether the second name is asked when the first has led to no member: also where some are known,
 * since those that are looked for may have moved. But a first name that DNS did not answer for may
 * have all of them, and what is added stays. */
static bool discovery_goes_on(const struct etcd *etcd, enum status status)
{
    return status == STATUS_OK || status == STATUS_NOT_FOUND || etcd->members.count == 0;
}

static void discovery_discovered(void *arg, enum status status, const struct resolver_srv *records,
                                 size_t count, const struct detail *why)
{
    struct etcd *etcd = arg;
    struct client_discovery *discovery = &etcd->discovery;
    discovery->is_busy = false;
    if (etcd->is_closing)
        return; /* told so by resolver_close(): whoever waited has been told, too */
    bool is_https = discovery->is_https || discovery->is_second, is_found = false;
    /* Members are only ever added: rpcs hold pointers to them, and one that DNS no longer names
     * costs no more than its back-off. */
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        is_found |= discovery_add(etcd, &records[i], is_https);
    if (!is_found && !is_https && discovery_goes_on(etcd, status)) {
        discovery->is_second = true;
        discovery_discover(etcd);
        return;
    }
    /* From the end on: one that failed slowly would be begun again by the rpcs that it wakes. */
    discovery->tried_ms = uv_now(etcd->loop);
    if (etcd->members.count == 0) {
        discovery->failures++;
        discovery->status = status == STATUS_NO_MEMORY ? status : STATUS_UNRESOLVED;
        detail_set(&discovery->why, discovery->status, "discovery in %s: %s", discovery->domain,
                   status == STATUS_OK ? "no SRV record has a target that can be used" : why->text);
    }
    etcd->wake(etcd);
}

/* Without https, _etcd-client is asked first and _etcd-client-ssl if it has nothing. With https
 * only the latter: whoever can forge an answer must not be able to switch TLS off. */
static void discovery_discover(struct etcd *etcd)
{
    struct client_discovery *discovery = &etcd->discovery;
    bool is_ssl = discovery->is_https || discovery->is_second;
    char name[300];
    discovery->tried_ms = uv_now(etcd->loop);
    discovery->status = discovery_open_resolver(etcd, &discovery->why);
    if (discovery->status != STATUS_OK) {
        discovery->failures++;
        return;
    }
    snprintf(name, sizeof(name), "_etcd-client%s._tcp.%s", is_ssl ? "-ssl" : "", discovery->domain);
    discovery->is_busy = true;
    resolver_srv(etcd->resolver, name, discovery_discovered, etcd);
}

enum discovery_state discovery_members(struct etcd *etcd)
{
    struct client_discovery *discovery = &etcd->discovery;
    if (etcd->members.count > 0)
        return DISCOVERY_READY;
    if (discovery->is_busy)
        return DISCOVERY_PENDING;
    if (discovery->failures > 0 && uv_now(etcd->loop) - discovery->tried_ms < DISCOVERY_RETRY_MS)
        return DISCOVERY_FAILED;
    discovery->is_second = false;
    discovery_discover(etcd);
    return discovery->is_busy ? DISCOVERY_PENDING : DISCOVERY_FAILED;
}

void discovery_refresh(struct etcd *etcd)
{
    struct client_discovery *discovery = &etcd->discovery;
    if (!discovery->domain || discovery->is_busy ||
        uv_now(etcd->loop) - discovery->tried_ms < DISCOVERY_REFRESH_MS)
        return;
    discovery->is_second = false;
    discovery_discover(etcd);
}

/* Said once; the calls go on with the old addresses. */
static void discovery_warn(struct etcd *etcd, struct member *member, const struct detail *why)
{
    if (!member->is_look_up_failing)
        log_printf(&etcd->log, LOG_LEVEL_WARNING, "%s (the addresses found before stay in use)",
                   why->text);
    member->is_look_up_failing = true;
}

static void discovery_found(void *arg, enum status status, const struct resolver_address *addresses,
                            size_t count, uint32_t ttl_s, const struct detail *why)
{
    struct member *member = arg;
    struct etcd *etcd = member->etcd;
    member->is_looking_up = false;
    if (etcd->is_closing)
        return;
    uint64_t now_ms = uv_now(etcd->loop);
    if (status == STATUS_OK)
        status = member_set_addresses(member, addresses, count, ttl_s, now_ms);
    if (status == STATUS_OK) {
        member->is_look_up_failing = false;
    } else if (member->addresses) {
        /* Else every request would begin another look-up. */
        member->addresses_until_ms = now_ms + DISCOVERY_KEEP_MS;
        discovery_warn(etcd, member, why);
    } else {
        snprintf(member->reason, sizeof(member->reason), "%.319s", why->text);
    }
    etcd->wake(etcd);
}

enum discovery_state discovery_addresses(struct etcd *etcd, struct member *member)
{
    struct detail why = {""};
    if (member->is_looking_up)
        return DISCOVERY_PENDING;
    if (discovery_open_resolver(etcd, &why) != STATUS_OK) {
        snprintf(member->reason, sizeof(member->reason), "%.319s", why.text);
        return DISCOVERY_FAILED;
    }
    /* The member outlives its look-up: the resolver closes before the client's memory goes. */
    member->etcd = etcd;
    member->is_looking_up = true;
    resolver_host(etcd->resolver, member->endpoint.host, discovery_found, member);
    return DISCOVERY_PENDING;
}
