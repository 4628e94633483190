#include "member.h"

#include "gateway_reply.h"

#include "registry/base/backoff.h"
#include "registry/base/random.h"
#include "registry/base/utf8.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER_PAUSE_MS     250U
#define MEMBER_PAUSE_MAX_MS 10000
#define MEMBER_TTL_MIN_S    5 /* also between two look-ups when the member fails */
#define MEMBER_TTL_MAX_S    300

/* The target comes from the URL, where an IPv6 address has the brackets that libcurl asks for. */
static void member_set_domain(struct member *member, const char *domain)
{
    const char *target = strstr(member->endpoint.url, "://") + 3;
    snprintf(member->request_url, sizeof(member->request_url), "https://%s:%u", domain,
             (unsigned)member->endpoint.port);
    snprintf(member->connect_to, sizeof(member->connect_to), "%s:%u:%s", domain,
             (unsigned)member->endpoint.port, target);
}

void member_add(struct member_set *set, const struct endpoint *endpoint, const char *domain)
{
    /* The first stays: an endpoint that was given is verified by its own name, though discovery
     * finds it, too. */
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->list[i].endpoint.url, endpoint->url) == 0)
            return;
    if (set->count == ENDPOINT_LIST_MAX)
        return;
    struct member *member = &set->list[set->count++];
    *member = (struct member){.endpoint = *endpoint};
    memcpy(member->request_url, endpoint->url, sizeof(endpoint->url));
    if (domain && endpoint->is_https) /* without TLS nothing vouches for a name */
        member_set_domain(member, domain);
}

void member_shuffle(struct member_set *set)
{
    for (size_t i = set->count; i > 1; i--) {
        size_t other = random_below((uint32_t)i);
        struct member swap = set->list[i - 1];
        set->list[i - 1] = set->list[other];
        set->list[other] = swap;
    }
}

void member_clear(struct member_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->list[i].addresses);
    set->count = 0;
}

/* ENDPOINT_LIST_MAX is 32: a bit for each. */
uint32_t member_mask(const struct member_set *set, const struct member *member)
{
    return UINT32_C(1) << (member - set->list);
}

/* 0: at once. The end of its back-off does not make a member that has failed as good as one that has
 * not: where packets are lost it costs an attempt's time again. */
static uint64_t member_due_ms(const struct member *member, uint64_t now_ms)
{
    if (member->failures == 0)
        return 0;
    return member->pause_until_ms > now_ms ? member->pause_until_ms : now_ms;
}

/* From `current` on, whose connection is open. */
struct member *member_find(struct member_set *set, uint32_t tried, uint64_t now_ms)
{
    struct member *best = NULL;
    for (size_t i = 0; i < set->count; i++) {
        struct member *member = &set->list[(set->current + i) % set->count];
        if (tried & member_mask(set, member))
            continue;
        if (!best || member_due_ms(member, now_ms) < member_due_ms(best, now_ms))
            best = member;
    }
    return best;
}

void member_mark_up(struct member_set *set, struct member *member)
{
    member->failures = 0;
    member->pause_until_ms = 0;
    member->reason[0] = '\0';
    set->current = (size_t)(member - set->list);
    set->has_answered = true;
}

void member_fail(struct member *member, uint64_t now_ms, enum status status, const char *reason)
{
    uint64_t due_ms = member->looked_up_ms + UINT64_C(1000) * MEMBER_TTL_MIN_S;
    if (member->addresses_until_ms > due_ms)
        member->addresses_until_ms = due_ms;
    member->failures++;
    member->failed++;
    member->pause_until_ms =
        now_ms +
        backoff_jitter(backoff_pause(MEMBER_PAUSE_MS, MEMBER_PAUSE_MAX_MS, member->failures));
    member->status = status;
    utf8_shorten(reason, strlen(reason), member->reason, sizeof(member->reason));
}

/* "3.4.23" -> 304. */
static unsigned member_version(const char *text)
{
    char *end;
    unsigned long major = strtoul(text, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major < 100 && minor < 100 ? (unsigned)(major * 100 + minor) : 0;
}

/* 3.4 and later have /v3, 3.3 only /v3beta, 3.2 /v3alpha. Not what "etcdcluster" says, which is the
 * oldest member's: each is asked by itself. */
bool member_set_version(struct member *member, const char *body, size_t len)
{
    enum status status;
    cJSON *root = gateway_reply_json(body, len, &status);
    const cJSON *server = cJSON_GetObjectItemCaseSensitive(root, "etcdserver");
    unsigned version = cJSON_IsString(server) ? member_version(server->valuestring) : 0;
    cJSON_Delete(root);
    if (version == 0)
        return false;
    member->version = version;
    member->prefix = version >= 304 ? "/v3" : version == 303 ? "/v3beta" : "/v3alpha";
    return true;
}

bool member_needs_addresses(const struct member *member, uint64_t now_ms)
{
    return member_lacks_addresses(member) ||
           (!member->endpoint.is_literal && member->addresses_until_ms <= now_ms);
}

bool member_lacks_addresses(const struct member *member)
{
    return !member->endpoint.is_literal && !member->addresses;
}

enum status member_set_addresses(struct member *member, const struct resolver_address *addresses,
                                 size_t count, uint32_t ttl_s, uint64_t now_ms)
{
    char text[300 + MEMBER_ADDRESSES_MAX * (INET6_ADDRSTRLEN + 3)];
    int len = snprintf(text, sizeof(text), "%s:%u:", member->endpoint.host,
                       (unsigned)member->endpoint.port);
    for (size_t i = 0; i < count && i < MEMBER_ADDRESSES_MAX; i++) {
        char address[INET6_ADDRSTRLEN];
        if (!inet_ntop(addresses[i].family, addresses[i].octets, address, sizeof(address)))
            continue;
        len += snprintf(text + len, sizeof(text) - (size_t)len,
                        addresses[i].family == AF_INET6 ? "%s[%s]" : "%s%s", i ? "," : "", address);
    }
    char *copy = strdup(text);
    if (!copy)
        return STATUS_NO_MEMORY;
    free(member->addresses);
    member->addresses = copy;
    /* The hosts file says 0, which must not mean a look-up for each request; and a TTL of days must
     * not hide that a member has moved. */
    uint32_t keep_s = ttl_s < MEMBER_TTL_MIN_S   ? MEMBER_TTL_MIN_S
                      : ttl_s > MEMBER_TTL_MAX_S ? MEMBER_TTL_MAX_S
                                                 : ttl_s;
    member->looked_up_ms = now_ms;
    member->addresses_until_ms = now_ms + UINT64_C(1000) * keep_s;
    return STATUS_OK;
}

void member_explain(const struct member_set *set, uint32_t tried, struct detail *why)
{
    char whole[ENDPOINT_LIST_MAX *
               (sizeof(set->list->endpoint.url) + sizeof(set->list->reason) + 4)];
    size_t len = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct member *member = &set->list[i];
        if (!(tried & member_mask(set, member)))
            continue;
        bool is_named = !member_lacks_addresses(member);
        int more =
            snprintf(whole + len, sizeof(whole) - len, "%s%s%s%s", len ? "; " : "",
                     is_named ? member->endpoint.url : "", is_named ? ": " : "", member->reason);
        len += more > 0 ? (size_t)more : 0;
    }
    utf8_shorten(whole, len, why->text, sizeof(why->text));
}
