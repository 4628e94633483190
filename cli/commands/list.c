#include "list.h"

#include "cli/args/session.h"
#include "cli/text/output.h"
#include "cli/text/text_table.h"
#include "listing.h"

#include "registry/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 3

/* What tells services and switches apart. */
struct kind {
    const char *headers[COLUMNS];
    const char *key_member, *value_member;
    enum key_part part;
    bool has_entries; /* values are entries */
};

static const struct kind services = {
    {"Service", "Location", "TTL"}, "service", "location", KEY_SERVICES, true};
static const struct kind switches = {
    {"Switch", "Value", "TTL"}, "switch", "value", KEY_SWITCHES, false};

static void list_member(const char *name)
{
    printf(", \"%s\": ", name);
}

static void list_print_pairs(const struct entry *entry)
{
    list_member("txt");
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

/* A reader takes one leading '_' away: what begins with one needs another. */
static void list_print_subtype(const struct entry_string *subtype)
{
    char text[1 + ENTRY_SUBTYPE_MAX] = "_";
    bool is_longer = subtype->text[0] == '_' && subtype->len < sizeof(text);
    if (is_longer)
        memcpy(text + 1, subtype->text, subtype->len);
    output_json(stdout, is_longer ? text : subtype->text, subtype->len + is_longer);
}

static void list_print_subtypes(const struct entry *entry)
{
    list_member("subtypes");
    for (size_t i = 0; i < entry->subtype_count; i++) {
        fputs(i ? ", " : "[", stdout);
        list_print_subtype(&entry->subtypes[i]);
    }
    fputc(']', stdout);
}

static void list_print_members(const struct entry *entry)
{
    if (entry->protocol != ENTRY_PROTOCOL_NONE) {
        list_member("protocol");
        fputs(entry->protocol == ENTRY_PROTOCOL_UDP ? "\"udp\"" : "\"tcp\"", stdout);
    }
    if (entry->has_priority) {
        list_member("priority");
        printf("%u", entry->priority);
    }
    if (entry->has_weight) {
        list_member("weight");
        printf("%u", entry->weight);
    }
    if (entry->txt_count > 0)
        list_print_pairs(entry);
    if (entry->subtype_count > 0)
        list_print_subtypes(entry);
    if (entry->is_draining) {
        list_member("state");
        fputs("\"draining\"", stdout);
    }
}

/* The row as an entry; a value that is none is shown as it is. */
static bool list_read_entry(const struct kind *kind, const struct listing_row *row,
                            struct entry *out)
{
    return kind->has_entries && entry_parse(row->value, row->value_len, out, NULL) == STATUS_OK;
}

static void list_print_object(const struct kind *kind, const struct listing_row *row)
{
    struct entry entry;
    bool is_entry = list_read_entry(kind, row, &entry);
    printf("{\"%s\": ", kind->key_member);
    output_json(stdout, row->key, row->key_len);
    list_member(kind->value_member);
    if (is_entry)
        output_json(stdout, entry.location_text.text, entry.location_text.len);
    else if (row->is_cut)
        fputs("null", stdout);
    else
        output_json(stdout, row->value, row->value_len);
    list_member("ttl");
    if (row->lease != 0)
        printf("%" PRId64, row->left_s);
    else
        fputs("null", stdout);
    if (is_entry) {
        list_print_members(&entry);
        entry_clear(&entry);
    }
    fputc('}', stdout);
}

/* A row in cells; they borrow from it and from this. */
struct cells {
    struct text_table_cell cells[COLUMNS];
    struct entry entry;
    bool is_entry;
    char left[24];
};

static void list_cells_fill(struct cells *cells, const struct kind *kind, size_t prefix_len,
                            const struct listing_row *row)
{
    cells->is_entry = list_read_entry(kind, row, &cells->entry);
    cells->left[0] = '\0';
    if (row->lease != 0)
        snprintf(cells->left, sizeof(cells->left), "%" PRId64, row->left_s);
    cells->cells[0] = (struct text_table_cell){row->key + prefix_len, row->key_len - prefix_len};
    cells->cells[1] = (struct text_table_cell){row->value, row->value_len};
    if (cells->is_entry) {
        const struct entry_string *location = &cells->entry.location_text;
        cells->cells[1] = (struct text_table_cell){location->text, location->len};
    }
    cells->cells[2] = (struct text_table_cell){cells->left, strlen(cells->left)};
}

static void list_cells_clear(struct cells *cells)
{
    if (cells->is_entry)
        entry_clear(&cells->entry);
}

/* A list that is being printed. */
struct printer {
    const struct kind *kind;
    struct text_table *table; /* NULL: JSON */
    size_t prefix_len;
    bool has_begun;
};

static void list_begin_json(struct printer *printer)
{
    if (!printer->has_begun)
        fputc('[', stdout);
    printer->has_begun = true;
}

static void list_print_json(struct printer *printer, const struct listing_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (printer->has_begun)
            fputs(", ", stdout);
        list_begin_json(printer);
        list_print_object(printer->kind, &rows[i]);
    }
}

/* The rows of the first page settle the widths. */
static void list_begin_table(struct printer *printer, const struct listing_row *rows, size_t count)
{
    if (printer->has_begun)
        return;
    for (size_t i = 0; i < count; i++) {
        struct cells cells;
        list_cells_fill(&cells, printer->kind, printer->prefix_len, &rows[i]);
        text_table_measure(printer->table, cells.cells);
        list_cells_clear(&cells);
    }
    text_table_begin(printer->table, stdout);
    printer->has_begun = true;
}

static void list_print_table(struct printer *printer, const struct listing_row *rows, size_t count)
{
    list_begin_table(printer, rows, count);
    for (size_t i = 0; i < count; i++) {
        struct cells cells;
        list_cells_fill(&cells, printer->kind, printer->prefix_len, &rows[i]);
        text_table_row(printer->table, cells.cells, stdout);
        list_cells_clear(&cells);
    }
}

/* A failing standard output is output_finish()'s to tell; CANCELLED ends the reading. */
static enum status list_on_page(void *arg, const struct listing_row *rows, size_t count)
{
    struct printer *printer = arg;
    if (printer->table)
        list_print_table(printer, rows, count);
    else
        list_print_json(printer, rows, count);
    return ferror(stdout) ? STATUS_CANCELLED : STATUS_OK;
}

static void list_finish(struct printer *printer)
{
    if (printer->table) {
        list_begin_table(printer, NULL, 0);
        text_table_end(printer->table, stdout);
    } else {
        list_begin_json(printer);
        fputs("]\n", stdout);
    }
}

static int list_print(struct session *session, const struct kv_key *prefix, struct printer *printer)
{
    enum status status = listing_read(session, prefix, list_on_page, printer);
    if (status == STATUS_OK)
        list_finish(printer);
    if (status == STATUS_OK || ferror(stdout))
        return output_finish(session->log, 0);
    return output_finish(session->log, session_fail(session, status));
}

static int list(struct session *session, const struct call *call, const struct kind *kind,
                const struct kv_key *prefix)
{
    struct kv_key all;
    key_prefix(&session->root, kind->part, &all);
    struct printer printer = {.kind = kind, .prefix_len = all.len};
    enum status status = STATUS_OK;
    if (strcmp(options_text(&call->options, OPTION_FORMAT), "json") != 0)
        status = text_table_new(kind->headers, COLUMNS, &printer.table);
    int exit_status;
    if (status == STATUS_OK) {
        exit_status = list_print(session, prefix, &printer);
    } else {
        detail_set(&session->why, status, "%s", status_text(status));
        exit_status = session_fail(session, status);
    }
    text_table_free(printer.table);
    return exit_status;
}

static int list_run(struct call *call, const struct kind *kind, const char *type)
{
    struct session session;
    struct kv_key prefix;
    enum status status = session_open(&session, call);
    if (status != STATUS_OK)
        return status_exit(status);
    key_prefix(&session.root, kind->part, &prefix);
    if (type && key_type_prefix(&session.root, type, &prefix, &session.why) != STATUS_OK)
        status = options_fault(&call->options, OPTION_SERVICE_TYPE_ONLY, type, &session.why);
    int exit_status =
        status == STATUS_OK ? list(&session, call, kind, &prefix) : session_fail(&session, status);
    session_close(&session);
    return exit_status;
}

int list_services(struct call *call)
{
    return list_run(call, &services, options_text(&call->options, OPTION_SERVICE_TYPE_ONLY));
}

int list_switches(struct call *call)
{
    return list_run(call, &switches, NULL);
}
