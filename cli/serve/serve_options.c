#include "serve_options.h"

#include "registry/base/buffer.h"
#include "registry/feed/guard_types.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#define DNS_PORT 53
#define MS_PER_S 1000

/* Reached by this machine alone, at a port that takes no privilege: a server that is open to others
 * is one that somebody asked for. */
static const char *const default_listen[] = {"127.0.0.1:5300", "[::1]:5300"};

/* Whether the machine has the address; asked of the defaults alone, as a machine without IPv6 has
 * no [::1]. What a person names has to be there. */
static bool serve_options_is_there(const struct sockaddr_storage *address)
{
    struct sockaddr_storage any_port = *address;
    /* The port stands at the same place in both families. */
    ((struct sockaddr_in *)&any_port)->sin_port = 0;
    int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_bound = bind(fd, (struct sockaddr *)&any_port, sizeof(any_port)) == 0;
    close(fd);
    return is_bound;
}

static enum status serve_options_read_default_listen(struct serve_options *out, struct detail *why)
{
    for (size_t i = 0; i < sizeof(default_listen) / sizeof(default_listen[0]); i++) {
        struct server_listen listen = {.may_be_missing = true};
        enum status status =
            address_parse_listen(default_listen[i], DNS_PORT, &listen.address, why);
        if (status != STATUS_OK)
            return status;
        if (serve_options_is_there(&listen.address))
            out->listen[out->server.listen_count++] = listen;
    }
    if (out->server.listen_count == 0)
        return detail_set(why, STATUS_SYSTEM, "no loopback address to listen on: see --listen");
    return STATUS_OK;
}

static enum status serve_options_read_listen(const struct options *options, enum option_id id,
                                             struct serve_options *out, struct detail *why)
{
    size_t count = options_count(options, id);
    out->server.listen = out->listen;
    if (count == 0)
        return serve_options_read_default_listen(out, why);
    if (count > SERVER_LISTEN_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "--listen: more than %d", SERVER_LISTEN_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *text = options_item(options, id, i);
        if (address_parse_listen(text, DNS_PORT, &out->listen[i].address, why) != STATUS_OK)
            return options_fault(options, id, text, why);
    }
    out->server.listen_count = count;
    return STATUS_OK;
}

/* NAME=ADDR */
static enum status serve_options_read_pair(const char *text, struct zone_address *out,
                                           struct detail *why)
{
    const char *equals = strchr(text, '=');
    struct zone_address made = {0};
    struct address address;
    if (!equals || equals == text)
        return detail_set(why, STATUS_BAD_INPUT, "not NAME=ADDR");
    if (!address_parse_ip(equals + 1, strlen(equals + 1), &address))
        return detail_set(why, STATUS_BAD_INPUT, "what follows the = is no IP address");
    /* A v4-mapped address stays an IPv6 one (address_parse_ip()): it becomes an AAAA record as it
     * was given. */
    bool is_v4 = address.kind == HOST_KIND_IPV4;
    made.address.family = is_v4 ? AF_INET : AF_INET6;
    memcpy(made.address.octets, address.address, is_v4 ? 4 : 16);
    made.name = buffer_copy(text, (size_t)(equals - text));
    if (!made.name)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    *out = made;
    return STATUS_OK;
}

static enum status serve_options_read_pairs(const struct options *options, enum option_id id,
                                            size_t max, struct zone_address *list, size_t *count,
                                            struct detail *why)
{
    size_t wanted = options_count(options, id);
    if (wanted > max)
        return detail_set(why, STATUS_BAD_INPUT, "--%s: more than %zu", option_row(id)->name, max);
    for (size_t i = 0; i < wanted; i++) {
        const char *text = options_item(options, id, i);
        enum status status = serve_options_read_pair(text, &list[i], why);
        if (status != STATUS_OK)
            return status == STATUS_BAD_INPUT ? options_fault(options, id, text, why) : status;
        /* At once: where a later one is wrong, these are to be freed. */
        *count = i + 1;
    }
    return STATUS_OK;
}

/* ns.<zone> where we listen; a wildcard is no address that others could be told. One row for each
 * address: rows of the same name are one name server. */
static enum status serve_options_default_ns(struct serve_options *out, struct detail *why)
{
    for (size_t i = 0; i < out->server.listen_count && out->zone.ns_count < ZONE_NS_MAX; i++) {
        const struct sockaddr_storage *address = &out->listen[i].address;
        struct zone_address ns = {.address.family = address->ss_family};
        static const uint8_t wildcard[16];
        size_t len = address->ss_family == AF_INET ? 4 : 16;
        const void *octets = address->ss_family == AF_INET
                                 ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                                 : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
        memcpy(ns.address.octets, octets, len);
        if (memcmp(ns.address.octets, wildcard, len) == 0)
            continue;
        ns.name = buffer_copy("ns", 2);
        if (!ns.name)
            return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
        out->ns[out->zone.ns_count++] = ns;
    }
    return STATUS_OK;
}

static enum status serve_options_read_acl(const struct options *options, enum option_id id,
                                          struct acl *out, struct detail *why)
{
    for (size_t i = 0; i < options_count(options, id); i++) {
        const char *text = options_item(options, id, i);
        if (acl_add(out, text, why) != STATUS_OK)
            return options_fault(options, id, text, why);
    }
    return STATUS_OK;
}

static enum status serve_options_read_zone(const struct options *options, struct serve_options *out,
                                           struct detail *why)
{
    struct zone_options *zone = &out->zone;
    zone->domain = options_text(options, OPTION_DOMAIN);
    zone->record_ttl_s = (uint32_t)options_number(options, OPTION_RECORD_TTL);
    zone->negative_ttl_s = (uint32_t)options_number(options, OPTION_NEGATIVE_TTL);
    zone->host_domain = options_text(options, OPTION_HOST_DOMAIN);
    zone->has_switches = !options_flag(options, OPTION_NO_SWITCHES);
    zone->ns = out->ns;
    zone->hosts = out->hosts;
    zone->fault = &out->fault;
    enum status status = serve_options_read_pairs(options, OPTION_HOST, ZONE_HOSTS_MAX, out->hosts,
                                                  &zone->host_count, why);
    if (status == STATUS_OK)
        status = serve_options_read_pairs(options, OPTION_NS, ZONE_NS_MAX, out->ns, &zone->ns_count,
                                          why);
    if (status == STATUS_OK && zone->ns_count == 0)
        status = serve_options_default_ns(out, why);
    return status;
}

/* RFC 5001 leaves open what it says. The machine's name tells servers apart that share an
 * address. */
static enum status serve_options_read_nsid(const struct options *options, struct answer_env *env,
                                           struct detail *why)
{
    char machine[ANSWER_NSID_MAX + 1] = "";
    const char *text = options_text(options, OPTION_NSID);
    if (!text && gethostname(machine, sizeof(machine) - 1) == 0)
        text = machine;
    size_t len = text ? strlen(text) : 0;
    if (len > ANSWER_NSID_MAX) {
        detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", ANSWER_NSID_MAX);
        return options_fault(options, OPTION_NSID, text, why);
    }
    if (len > 0)
        memcpy(env->nsid, text, len);
    env->nsid_len = (uint16_t)len;
    return STATUS_OK;
}

static enum status serve_options_read_server(const struct options *options,
                                             struct serve_options *out, struct detail *why)
{
    struct server_options *server = &out->server;
    server->workers = (unsigned)options_number(options, OPTION_WORKERS);
    server->tcp_connections = (unsigned)options_number(options, OPTION_TCP_CONNECTIONS);
    server->tcp_idle_s = (unsigned)options_number(options, OPTION_TCP_IDLE);
    server->rate_limit = (uint32_t)options_number(options, OPTION_RATE_LIMIT);
    out->env.state = ANSWER_NOT_READY;
    out->env.max_udp_size = (uint16_t)options_number(options, OPTION_MAX_UDP_SIZE);
    /* RFC 7828 counts in tenths of a second, in 16 bits: --tcp-idle is at most 3600 s. */
    out->env.tcp_idle_100ms = (uint16_t)(server->tcp_idle_s * 10);
    enum status status =
        serve_options_read_acl(options, OPTION_ALLOW_QUERY, &server->allow_query, why);
    if (status == STATUS_OK)
        status =
            serve_options_read_acl(options, OPTION_ALLOW_TRANSFER, &server->allow_transfer, why);
    if (status == STATUS_OK)
        status = serve_options_read_nsid(options, &out->env, why);
    return status;
}

/* A whole number of percent. All of a type is no share to be more than. */
static enum status serve_options_read_guard(const struct options *options,
                                            struct serve_options *out, struct detail *why)
{
    const char *text = options_text(options, OPTION_GUARD);
    size_t digits =
        text ? strspn(text, "0123456789") : 0; /* `zone` and `dev` have no such option */
    unsigned share = 0;
    out->guard_hold_ms = options_number(options, OPTION_GUARD_HOLD) * MS_PER_S;
    if (!text || strcmp(text, "off") == 0)
        return STATUS_OK;
    if (digits > 0 && digits <= 2 && text[digits] == '\0')
        share = (unsigned)atoi(text);
    if (share == 0) {
        detail_set(why, STATUS_BAD_INPUT, "neither off nor a share of 1 to %d percent",
                   GUARD_SHARE_MAX);
        return options_fault(options, OPTION_GUARD, text, why);
    }
    out->guard_share = share;
    return STATUS_OK;
}

enum status serve_options_read(const struct options *options, enum option_id listen,
                               struct serve_options *out, struct detail *why)
{
    memset(out, 0, sizeof(*out));
    out->stale_limit_ms = options_number(options, OPTION_STALE_LIMIT) * MS_PER_S;
    out->resolves_hosts = !options_flag(options, OPTION_NO_RESOLVE_HOSTS);
    /* Where we listen comes first: unless --ns says otherwise, the zone's name server is there. */
    enum status status = serve_options_read_listen(options, listen, out, why);
    if (status == STATUS_OK)
        status = serve_options_read_zone(options, out, why);
    if (status == STATUS_OK)
        status = serve_options_read_server(options, out, why);
    if (status == STATUS_OK)
        status = serve_options_read_guard(options, out, why);
    if (status != STATUS_OK)
        serve_options_clear(out);
    return status;
}

static void serve_options_clear_names(struct zone_address *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* Ours: the zone's options only borrow it. */
        free((char *)(uintptr_t)list[i].name);
        list[i].name = NULL;
    }
}

void serve_options_clear(struct serve_options *options)
{
    serve_options_clear_names(options->ns, options->zone.ns_count);
    serve_options_clear_names(options->hosts, options->zone.host_count);
    options->zone.ns_count = options->zone.host_count = 0;
}

enum status serve_options_fault(const struct options *options, const struct serve_options *read,
                                struct detail *why)
{
    static const enum option_id ids[] = {[ZONE_DOMAIN] = OPTION_DOMAIN,
                                         [ZONE_HOST_DOMAIN] = OPTION_HOST_DOMAIN,
                                         [ZONE_NS] = OPTION_NS,
                                         [ZONE_HOST] = OPTION_HOST};
    /* A row that no option gave, as those of the default name server, has no item: the sentence has
     * to do. */
    const struct zone_fault *fault = &read->fault;
    enum option_id id = ids[fault->part];
    const char *text = options_item(options, id, fault->row);
    if (fault->part == ZONE_NO_PART || !text)
        return STATUS_BAD_INPUT;
    return options_fault(options, id, text, why);
}

enum status serve_options_take(const struct options *options, enum option_id listen,
                               struct key_root *root, struct privileges *user,
                               struct serve_options *out, struct detail *why)
{
    const char *text = options_text(options, OPTION_TREE_ROOT);
    const char *name = options_text(options, OPTION_USER);
    if (key_root_parse(text, root, why) != STATUS_OK)
        return options_fault(options, OPTION_TREE_ROOT, text, why);
    /* Long before it is needed: of a user that does not exist it is said before a port is bound. */
    if (name && privileges_find(name, user, why) != STATUS_OK)
        return options_fault(options, OPTION_USER, name, why);
    return serve_options_read(options, listen, out, why);
}
