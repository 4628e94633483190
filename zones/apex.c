#include "apex.h"

#include "names.h"
#include "target.h"
#include "zones/name/rr.h"

#include <stdlib.h>

#define SUBTREES "\4_tcp\0\4_udp\0\4addr\0\4host\0\7service\0\6switch\0"

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

/* Whether `name` ends in the zone's name; then *relative is what lies before. */
static bool apex_is_inside(const struct zone *zone, const uint8_t *name, size_t len,
                           size_t *relative)
{
    uint8_t folded[NAME_MAX_LEN];
    size_t zone_len = zone->view.wire.len;
    name_fold_exact(folded, name, len);
    for (size_t at = 0; at + zone_len <= len; at += 1u + name[at]) {
        if (at + zone_len == len && memcmp(folded + at, zone->view.folded.octets, zone_len) == 0) {
            *relative = at;
            return true;
        }
        if (name[at] == 0)
            break;
    }
    return false;
}

static bool apex_is_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (name_fold_octet(a[i]) != name_fold_octet(b[i]))
            return false;
    return true;
}

static bool apex_is_in_subtree(const uint8_t *name, size_t relative)
{
    size_t last = 0;
    for (size_t at = 0; at < relative; at += 1u + name[at])
        last = at;
    for (const char *tree = SUBTREES; *tree; tree += strlen(tree) + 1)
        if (relative - last == strlen(tree) &&
            apex_is_same(name + last, (const uint8_t *)tree, relative - last))
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
    if (apex_is_inside(zone, ns->wire.octets, ns->wire.len, &relative) &&
        (relative == 0 || apex_is_in_subtree(ns->wire.octets, relative)))
        return detail_set(why, STATUS_BAD_INPUT,
                          "the name server \"%s\" cannot be the zone itself or lie below _tcp, "
                          "_udp, addr, host, service or switch",
                          text);
    return STATUS_OK;
}

/* Whether a row stands for the same name server as one before, however it is written. */
static bool apex_is_same_ns(const struct zone *zone, const struct zone_options *options, size_t i,
                            size_t j)
{
    struct view_ns a = {.node = NULL}, b = {.node = NULL};
    return apex_ns_name(zone, options->ns[i].name, &a, NULL) == STATUS_OK &&
           apex_ns_name(zone, options->ns[j].name, &b, NULL) == STATUS_OK &&
           a.wire.len == b.wire.len && apex_is_same(a.wire.octets, b.wire.octets, a.wire.len);
}

/* The first row with this name, or with this name and this address. */
static size_t apex_first_row(const struct zone *zone, const struct zone_options *options,
                             size_t row, bool with_address)
{
    const struct resolver_address *address = &options->ns[row].address;
    for (size_t i = 0; i < row; i++) {
        const struct resolver_address *other = &options->ns[i].address;
        size_t len = address->family == AF_INET ? 4 : 16;
        bool is_same_address =
            other->family == address->family && memcmp(other->octets, address->octets, len) == 0;
        if ((is_same_address || !with_address) && apex_is_same_ns(zone, options, i, row))
            return i;
    }
    return row;
}

/* Whether a row gives another address of the name server that row `first` is the first of. */
static bool apex_is_address_of(const struct zone *zone, const struct zone_options *options,
                               size_t first, size_t row)
{
    return apex_first_row(zone, options, row, false) == first &&
           apex_first_row(zone, options, row, true) == row;
}

/* The node of a name server inside the zone, with all its addresses. */
static enum status apex_enter_ns(struct zone *zone, const struct zone_options *options,
                                 size_t first, struct view_ns *ns)
{
    size_t relative, count = 0;
    if (!apex_is_inside(zone, ns->wire.octets, ns->wire.len, &relative))
        return STATUS_OK;
    for (size_t i = first; i < options->ns_count; i++)
        count += apex_is_address_of(zone, options, first, i);
    struct fixed *fixed = apex_fixed_new(ns->wire.octets, relative, (uint16_t)count, count * 16);
    if (fixed) {
        size_t at = fixed->node.name_at + relative, row = 0;
        for (size_t i = first; i < options->ns_count; i++) {
            if (!apex_is_address_of(zone, options, first, i))
                continue;
            bool is_v4 = options->ns[i].address.family == AF_INET;
            uint16_t len = is_v4 ? 4 : 16;
            memcpy((uint8_t *)fixed + at, options->ns[i].address.octets, len);
            fixed->records[row++] =
                (struct fixed_record){is_v4 ? TYPE_A : TYPE_AAAA, len, (uint16_t)at};
            at += len;
        }
    }
    enum status status = apex_enter(zone, fixed ? &fixed->node : NULL);
    if (status == STATUS_OK)
        ns->node = fixed;
    return status;
}

/* Which option is at fault, if one is. */
static enum status apex_fault(const struct zone_options *options, enum zone_part part, size_t row,
                              enum status status)
{
    if (status == STATUS_BAD_INPUT && options->fault)
        *options->fault = (struct zone_fault){part, row};
    return status;
}

static enum status apex_enter_name_servers(struct zone *zone, const struct zone_options *options,
                                           struct detail *why)
{
    static const struct zone_address none = {.name = "ns"};
    struct zone_options one = *options;
    size_t names = options->ns_count ? options->ns_count : 1;
    zone->view.ns = calloc(names, sizeof(*zone->view.ns));
    if (!zone->view.ns)
        return STATUS_NO_MEMORY;
    if (options->ns_count == 0)
        one.ns = &none; /* a name without addresses */
    for (size_t i = 0; i < names; i++) {
        struct view_ns *ns = &zone->view.ns[zone->view.ns_count];
        enum status status =
            apex_fault(options, ZONE_NS, i, apex_ns_name(zone, one.ns[i].name, ns, why));
        if (status == STATUS_OK && apex_first_row(zone, &one, i, false) < i)
            continue;
        if (status == STATUS_OK)
            status = apex_enter_ns(zone, &one, i, ns);
        if (status != STATUS_OK)
            return status;
        zone->view.ns_count++;
    }
    return STATUS_OK;
}

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
    static const char admin[] = "\12hostmaster";
    memcpy(view->rname.octets, admin, sizeof(admin) - 1);
    memcpy(view->rname.octets + sizeof(admin) - 1, view->wire.octets, view->wire.len);
    view->rname.len = (uint8_t)(sizeof(admin) - 1 + view->wire.len);
    return STATUS_OK;
}

static enum status apex_set_host_domain(struct zone *zone, const char *text, struct detail *why)
{
    struct view *view = &zone->view;
    uint8_t inside[NAME_MAX_LEN], folded[NAME_MAX_LEN];
    size_t relative = 0, inside_len = 5u + view->wire.len;
    memcpy(inside, "\4host", 5);
    memcpy(inside + 5, view->wire.octets, view->wire.len);
    if (text) {
        enum status status = name_from_text(text, &view->host, why);
        if (status != STATUS_OK)
            return status;
    } else {
        memcpy(view->host.octets, inside, inside_len);
        view->host.len = (uint8_t)inside_len;
    }
    zone->host_is_inside = apex_is_inside(zone, view->host.octets, view->host.len, &relative);
    name_fold_exact(folded, view->host.octets, view->host.len);
    if (zone->host_is_inside && (relative != 5 || memcmp(folded, "\4host", 5) != 0))
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
        status = apex_fault(
            options, ZONE_HOST, i,
            target_add_fixed(zone, options->hosts[i].name, &options->hosts[i].address, why));
    if (status != STATUS_OK)
        return status;
    view->mname = view->ns[0].wire;
    return STATUS_OK;
}

void apex_clear(struct zone *zone)
{
    free(zone->view.ns);
}
