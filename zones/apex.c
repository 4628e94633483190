#include "apex.h"

#include "names.h"
#include "target.h"
#include "zones/name/rr.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/param.h>

/* No name server can lie below them: what is found there is taken for what is entered there, such as a
 * type. */
#define SUBTREES     "\4_tcp\0\4_udp\0\4addr\0\4host\0\7service\0\6switch\0"
#define ADDRESS_SIZE 16 /* of a name server's address, of either family */

static struct fixed *apex_fixed_new(const uint8_t *name, size_t name_len, uint16_t count,
                                    size_t rdata_len)
{
    struct fixed *fixed = names_new(NODE_FIXED, sizeof(*fixed) + count * sizeof(fixed->records[0]),
                                    name, name_len, rdata_len);
    if (fixed)
        fixed->count = count;
    return fixed;
}

static enum status apex_enter(struct zone *zone, struct node *node)
{
    if (!node)
        return STATUS_NO_MEMORY;
    node->children++; /* one that never goes: it stays when its real children have gone */
    enum status status = names_add_deep(zone, node);
    if (status != STATUS_OK)
        free(node);
    return status;
}

static enum status apex_enter_empty(struct zone *zone, const char *name)
{
    return apex_enter(
        zone, names_new(NODE_EMPTY, sizeof(struct node), (const uint8_t *)name, strlen(name), 0));
}

/* b, db and lb: this zone is one to browse, RFC 6763 11. */
static enum status apex_enter_browsing(struct zone *zone, const char *name)
{
    const struct view *view = &zone->view;
    size_t len = strlen(name);
    struct fixed *fixed = apex_fixed_new((const uint8_t *)name, len, 1, view->wire.len);
    if (fixed) {
        uint16_t at = (uint16_t)(fixed->node.name_at + len);
        fixed->records[0] = (struct fixed_record){TYPE_PTR, view->wire.len, at};
        memcpy((uint8_t *)fixed + at, view->wire.octets, view->wire.len);
    }
    return apex_enter(zone, fixed ? &fixed->node : NULL);
}

/* They are there although nothing may be registered: to say NXDOMAIN for _tcp would be to deny all
 * that will stand below it (RFC 8020), for as long as resolvers remember. And who enters a type or
 * an address need not look for a parent. Of RFC 6763 11 r and dr are left out, as nobody can
 * register by DNS. */
static enum status apex_enter_subtrees(struct zone *zone)
{
    static const char *const empty[] = {"\4_tcp", "\4_udp", "\4addr", "\7service",
                                        "\7_dns-sd\4_udp"};
    static const char *const browsing[] = {"\1b\7_dns-sd\4_udp", "\2db\7_dns-sd\4_udp",
                                           "\2lb\7_dns-sd\4_udp"};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]) && status == STATUS_OK; i++)
        status = apex_enter_empty(zone, empty[i]);
    for (size_t i = 0; i < sizeof(browsing) / sizeof(browsing[0]) && status == STATUS_OK; i++)
        status = apex_enter_browsing(zone, browsing[i]);
    if (status == STATUS_OK && zone->host_is_inside)
        status = apex_enter_empty(zone, "\4host");
    if (status == STATUS_OK && zone->has_switches)
        status = apex_enter_empty(zone, "\6switch");
    return status;
}

static enum status apex_enter_apex_and_list(struct zone *zone)
{
    static const char list[] = "\11_services\7_dns-sd\4_udp";
    struct node *apex = names_new(NODE_APEX, sizeof(*apex), (const uint8_t *)"", 0, 0);
    if (!apex)
        return STATUS_NO_MEMORY;
    enum status status = names_add(zone, apex);
    if (status != STATUS_OK) {
        free(apex);
        return status;
    }
    zone->view.apex = apex;
    struct service_type *types =
        names_new(NODE_LIST, sizeof(*types), (const uint8_t *)list, sizeof(list) - 1, 0);
    if (types) {
        types->position = MEMBER_VECTOR_NONE;
        types->users = 1;
    }
    status = apex_enter(zone, types ? &types->node : NULL);
    if (status == STATUS_OK)
        zone->types = types;
    return status;
}

/* Without ASCII case. strncasecmp(3) stops at a NUL: in what was read from text only the root label
 * has one. */
static bool apex_is_same(const uint8_t *a, const void *b, size_t len)
{
    return strncasecmp((const char *)a, b, len) == 0;
}

/* Whether `name` ends in the zone's name; then *relative is what lies before. */
static bool apex_is_inside(const struct zone *zone, const struct name_buffer *name,
                           size_t *relative)
{
    size_t at = 0, zone_len = zone->view.wire.len;
    while (at + zone_len < name->len)
        at += 1u + name->octets[at];
    *relative = at;
    return at + zone_len == name->len &&
           apex_is_same(name->octets + at, zone->view.wire.octets, zone_len);
}

static bool apex_is_in_subtree(const uint8_t *name, size_t relative)
{
    size_t last = 0;
    for (size_t at = 0; at < relative; at += 1u + name[at])
        last = at;
    for (const char *tree = SUBTREES; *tree; tree += strlen(tree) + 1)
        if (relative - last == strlen(tree) && apex_is_same(name + last, tree, relative - last))
            return true;
    return false;
}

/* "ns1" lies below the zone, "ns1.example.net" is absolute. */
static enum status apex_ns_name(const struct zone *zone, const char *text, struct view_ns *ns,
                                struct detail *why)
{
    enum status status = name_from_text(text, &ns->wire, why);
    if (status != STATUS_OK)
        return status;
    if (ns->wire.len == 1)
        return detail_set(why, STATUS_BAD_INPUT, "\"%s\" is no name of a name server", text);
    if (!strchr(text, '.')) {
        if (ns->wire.len - 1 + zone->view.wire.len > NAME_MAX_LEN)
            return detail_set(why, STATUS_BAD_INPUT, "\"%s\" is too long below the zone", text);
        memcpy(ns->wire.octets + ns->wire.len - 1, zone->view.wire.octets, zone->view.wire.len);
        ns->wire.len = (uint8_t)(ns->wire.len - 1 + zone->view.wire.len);
    }
    size_t relative;
    if (apex_is_inside(zone, &ns->wire, &relative) &&
        (relative == 0 || apex_is_in_subtree(ns->wire.octets, relative)))
        return detail_set(why, STATUS_BAD_INPUT,
                          "the name server \"%s\" cannot be the zone itself or lie below _tcp, "
                          "_udp, addr, host, service or switch",
                          text);
    return STATUS_OK;
}

/* Add an address, unless it is there. */
static void apex_add_address(struct fixed *fixed, const struct resolver_address *address)
{
    bool is_v4 = address->family == AF_INET;
    uint16_t len = is_v4 ? 4 : 16, at = (uint16_t)(fixed->node.name_at + fixed->node.name_len);
    uint8_t *node = (uint8_t *)fixed;
    for (unsigned i = 0; i < fixed->count; i++, at = (uint16_t)(at + ADDRESS_SIZE))
        if (fixed->records[i].rdata_len == len && memcmp(node + at, address->octets, len) == 0)
            return;
    fixed->records[fixed->count++] = (struct fixed_record){is_v4 ? TYPE_A : TYPE_AAAA, len, at};
    memcpy(node + at, address->octets, len);
}

static bool apex_is_same_ns(const struct view_ns *a, const struct view_ns *b)
{
    return a->wire.len == b->wire.len && apex_is_same(a->wire.octets, b->wire.octets, a->wire.len);
}

/* The node of a name server inside the zone, with the addresses that rows from `first` on, whose
 * names stand in view.ns, give it. */
static enum status apex_enter_ns(struct zone *zone, const struct zone_options *options,
                                 size_t first, struct view_ns *ns)
{
    size_t relative, max = options->ns_count - first;
    /* The addresses of one elsewhere are another zone's to tell. */
    if (!apex_is_inside(zone, &ns->wire, &relative))
        return STATUS_OK;
    struct fixed *fixed =
        apex_fixed_new(ns->wire.octets, relative, (uint16_t)max, max * ADDRESS_SIZE);
    if (fixed)
        fixed->count = 0;
    for (size_t i = first; fixed && i < options->ns_count; i++)
        if (apex_is_same_ns(ns, &zone->view.ns[i]))
            apex_add_address(fixed, &options->ns[i].address);
    ns->node = fixed;
    return apex_enter(zone, fixed ? &fixed->node : NULL);
}

/* Which option is at fault, if one is. */
static enum status apex_fault(const struct zone_options *options, enum zone_part part, size_t row,
                              enum status status)
{
    if (status == STATUS_BAD_INPUT && options->fault)
        *options->fault = (struct zone_fault){part, row};
    return status;
}

/* Several rows may give one name server's addresses, in other letters, too. All names are read
 * before the first is entered; then each moves to the front of view.ns once, past what has been
 * looked at. */
static enum status apex_enter_name_servers(struct zone *zone, const struct zone_options *options,
                                           struct detail *why)
{
    static const struct zone_address none = {.name = "ns"}; /* a name without addresses */
    const struct zone_address *rows = options->ns_count ? options->ns : &none;
    size_t count = MAX(options->ns_count, 1);
    struct view *view = &zone->view;
    enum status status = STATUS_OK;
    view->ns = calloc(count, sizeof(*view->ns));
    if (!view->ns)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status =
            apex_fault(options, ZONE_NS, i, apex_ns_name(zone, rows[i].name, &view->ns[i], why));
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        unsigned known = 0;
        while (known < view->ns_count && !apex_is_same_ns(&view->ns[known], &view->ns[i]))
            known++;
        if (known < view->ns_count)
            continue;
        view->ns[known] = view->ns[i];
        view->ns_count++;
        status = apex_enter_ns(zone, options, i, &view->ns[known]);
    }
    return status;
}

/* In the letters of --domain, as every answer shows them; `folded` is what questions are compared
 * with. */
static enum status apex_set_names(struct zone *zone, const struct zone_options *options,
                                  struct detail *why)
{
    struct view *view = &zone->view;
    enum status status = name_from_text(options->domain, &view->wire, why);
    if (status != STATUS_OK)
        return status;
    if (view->wire.len == 1)
        return detail_set(why, STATUS_BAD_INPUT, "the root cannot be the zone");
    if (view->wire.len > ZONE_DOMAIN_MAX + 2)
        return detail_set(why, STATUS_BAD_INPUT, "the zone's name is longer than %d octets",
                          ZONE_DOMAIN_MAX);
    name_fold(view->folded.octets, name_of(&view->wire));
    view->folded.len = view->wire.len;
    for (size_t at = 0; view->wire.octets[at] != 0; at += 1u + view->wire.octets[at])
        view->label_count++;
    name_to_text(view->wire.octets, view->wire.len, zone->domain);
    zone->domain[strlen(zone->domain) - 1] = '\0';
    /* RFC 2142: the mailbox that every domain has for its DNS. */
    static const char admin[] = "\12hostmaster";
    memcpy(view->rname.octets, admin, sizeof(admin) - 1);
    memcpy(view->rname.octets + sizeof(admin) - 1, view->wire.octets, view->wire.len);
    view->rname.len = (uint8_t)(sizeof(admin) - 1 + view->wire.len);
    return STATUS_OK;
}

static enum status apex_set_host_domain(struct zone *zone, const char *text, struct detail *why)
{
    struct view *view = &zone->view;
    size_t relative;
    if (text) {
        enum status status = name_from_text(text, &view->host, why);
        if (status != STATUS_OK)
            return status;
    } else {
        memcpy(view->host.octets, "\4host", 5);
        memcpy(view->host.octets + 5, view->wire.octets, view->wire.len);
        view->host.len = (uint8_t)(5 + view->wire.len);
    }
    zone->host_is_inside = apex_is_inside(zone, &view->host, &relative);
    /* Anywhere else in the zone a host could have the name of a type, a view or a switch. */
    if (zone->host_is_inside && (relative != 5 || !apex_is_same(view->host.octets, "\4host", 5)))
        return detail_set(why, STATUS_BAD_INPUT,
                          "the host domain \"%s\" lies inside the zone, where it can only be "
                          "host.%s",
                          text, zone->domain);
    return STATUS_OK;
}

enum status apex_init(struct zone *zone, const struct zone_options *options, struct detail *why)
{
    struct view *view = &zone->view;
    zone->has_switches = options->has_switches;
    zone->leaves_sizes = options->leaves_sizes;
    enum status status = apex_fault(options, ZONE_DOMAIN, 0, apex_set_names(zone, options, why));
    if (status == STATUS_OK)
        status = apex_fault(options, ZONE_HOST_DOMAIN, 0,
                            apex_set_host_domain(zone, options->host_domain, why));
    if (status == STATUS_OK)
        status = apex_enter_apex_and_list(zone);
    if (status == STATUS_OK)
        status = apex_enter_subtrees(zone);
    if (status == STATUS_OK)
        status = apex_enter_name_servers(zone, options, why);
    for (size_t i = 0; i < options->host_count && status == STATUS_OK; i++)
        status = apex_fault(options, ZONE_HOST, i, target_add_fixed(zone, options->hosts, i, why));
    if (status == STATUS_OK)
        view->mname = view->ns[0].wire;
    return status;
}
