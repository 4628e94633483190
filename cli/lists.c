#include "lists.h"

#include "listing.h"
#include "output.h"
#include "session.h"
#include "table.h"

#include "registry/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 3

/* What tells services and switches apart. */
struct kind {
    const char *headers[COLUMNS];
    const char *key_member, *value_member;
    enum tree_part part;
    bool has_entries; /* values are entries */
};

static const struct kind services = {
    {"Service", "Location", "TTL"}, "service", "location", TREE_SERVICES, true};
static const struct kind switches = {
    {"Switch", "Value", "TTL"}, "switch", "value", TREE_SWITCHES, false};

static void member(const char *name)
{
    printf(", \"%s\": ", name);
}

static void print_pairs(const struct entry *entry)
{
    member("txt");
    for (size_t i = 0; i < entry->txt_count; i++) {
        const struct entry_string *pair = &entry->txt[i];
        const char *equals = memchr(pair->text, '=', pair->len);
        size_t key_len = equals ? (size_t)(equals - pair->text) : pair->len;
        fputs(i ? ", " : "{", stdout);
        output_json(stdout, pair->text, key_len);
        fputs(": ", stdout);
        if (equals)
            output_json(stdout, equals + 1, pair->len - key_len - 1);
        else
            fputs("true", stdout);
    }
    fputc('}', stdout);
}

static void print_subtypes(const struct entry *entry)
{
    member("subtypes");
    for (size_t i = 0; i < entry->subtype_count; i++) {
        fputs(i ? ", " : "[", stdout);
        output_json(stdout, entry->subtypes[i].text, entry->subtypes[i].len);
    }
    fputc(']', stdout);
}

static void print_members(const struct entry *entry)
{
    if (entry->protocol != ENTRY_PROTOCOL_NONE) {
        member("protocol");
        fputs(entry->protocol == ENTRY_PROTOCOL_UDP ? "\"udp\"" : "\"tcp\"", stdout);
    }
    if (entry->has_priority) {
        member("priority");
        printf("%u", entry->priority);
    }
    if (entry->has_weight) {
        member("weight");
        printf("%u", entry->weight);
    }
    if (entry->txt_count > 0)
        print_pairs(entry);
    if (entry->subtype_count > 0)
        print_subtypes(entry);
    if (entry->is_draining) {
        member("state");
        fputs("\"draining\"", stdout);
    }
}

/* The row as an entry; a value that is none is shown as it is. */
static bool read_entry(const struct kind *kind, const struct listing_row *row, struct entry *out)
{
    return kind->has_entries && entry_parse(row->value, row->value_len, out, NULL) == STATUS_OK;
}

static void print_object(const struct kind *kind, const struct listing_row *row)
{
    struct entry entry;
    bool is_entry = read_entry(kind, row, &entry);
    printf("{\"%s\": ", kind->key_member);
    output_json(stdout, row->key, row->key_len);
    member(kind->value_member);
    if (is_entry)
        output_json(stdout, entry.location_text.text, entry.location_text.len);
    else
        output_json(stdout, row->value, row->value_len);
    member("ttl");
    if (row->lease != 0)
        printf("%" PRId64, row->left_s);
    else
        fputs("null", stdout);
    if (is_entry) {
        print_members(&entry);
        entry_clear(&entry);
    }
    fputc('}', stdout);
}

static void print_json(const struct kind *kind, const struct listing *listing)
{
    bool has_one = false;
    fputc('[', stdout);
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->rows[i].is_gone)
            continue;
        fputs(has_one ? ", " : "", stdout);
        print_object(kind, &listing->rows[i]);
        has_one = true;
    }
    fputs("]\n", stdout);
}

static enum status add_row(struct table *table, const struct kind *kind, size_t prefix_len,
                           const struct listing_row *row)
{
    char left[24] = "";
    struct entry entry;
    bool is_entry = read_entry(kind, row, &entry);
    if (row->lease != 0)
        snprintf(left, sizeof(left), "%" PRId64, row->left_s);
    struct table_cell cells[COLUMNS] = {
        {row->key + prefix_len, row->key_len - prefix_len},
        {row->value, row->value_len},
        {left, strlen(left)},
    };
    if (is_entry)
        cells[1] = (struct table_cell){entry.location_text.text, entry.location_text.len};
    enum status status = table_add(table, cells);
    if (is_entry)
        entry_clear(&entry);
    return status;
}

static enum status print_table(const struct kind *kind, const struct listing *listing,
                               size_t prefix_len)
{
    struct table *table;
    enum status status = table_new(kind->headers, COLUMNS, &table);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; status == STATUS_OK && i < listing->count; i++) {
        if (!listing->rows[i].is_gone)
            status = add_row(table, kind, prefix_len, &listing->rows[i]);
    }
    /* A failing standard output is output_finish()'s to tell. */
    enum status printed = status == STATUS_OK ? table_print(table, stdout) : STATUS_OK;
    (void)printed;
    table_free(table);
    return status;
}

static int list(struct session *session, const struct call *call, const struct kind *kind,
                const struct tree_key *prefix)
{
    struct listing listing;
    struct tree_key all;
    enum status status = listing_read(session, prefix, &listing);
    if (status != STATUS_OK)
        return session_fail(session, status);
    tree_prefix(&session->root, kind->part, &all);
    if (strcmp(options_text(&call->options, OPTION_FORMAT), "json") == 0)
        print_json(kind, &listing);
    else
        status = print_table(kind, &listing, all.len);
    listing_clear(&listing);
    if (status == STATUS_OK)
        return output_finish(session->log, 0);
    detail_set(&session->why, status, "%s", status_text(status));
    return session_fail(session, status);
}

static int run(struct call *call, const struct kind *kind, const char *type)
{
    struct session session;
    struct tree_key prefix;
    enum status status = session_open(&session, call);
    if (status != STATUS_OK)
        return status_exit(status);
    tree_prefix(&session.root, kind->part, &prefix);
    if (type && tree_type_prefix(&session.root, type, &prefix, &session.why) != STATUS_OK)
        status = options_blame(&call->options, OPTION_SERVICE_TYPE_ONLY, type, &session.why);
    int exit_status =
        status == STATUS_OK ? list(&session, call, kind, &prefix) : session_fail(&session, status);
    session_close(&session);
    return exit_status;
}

int lists_services(struct call *call)
{
    return run(call, &services, options_text(&call->options, OPTION_SERVICE_TYPE_ONLY));
}

int lists_switches(struct call *call)
{
    return run(call, &switches, NULL);
}
