#include "commands.h"

#include "cli/args/session.h"
#include "cli/text/output.h"
#include "cli/text/text_table.h"

#include "registry/entry.h"
#include "registry/entry_list.h"
#include "registry/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS    3
#define OBJECT_MAX (32U << 20) /* octets; the longest key and value, all of escapes, take 24 MB */

/* What tells services and switches apart. */
struct kind {
    const char *headers[COLUMNS];
    enum key_part part;
};

/* A row in cells; they borrow from it and from this. */
struct cells {
    struct text_table_cell cells[COLUMNS];
    struct entry entry;
    bool is_entry;
    char left[24];
};

/* What is no entry is shown as it is: others may have written it, and this is where one sees that.
 * NO_MEMORY: whether it is one is unknown. */
static enum status list_cells_fill(struct cells *cells, const struct kind *kind, size_t prefix_len,
                                   const struct scan_row *row)
{
    enum status status = STATUS_BAD_INPUT;
    if (kind->part == KEY_SERVICES)
        status = entry_parse(row->value, row->value_len, &cells->entry, NULL);
    cells->is_entry = status == STATUS_OK;
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
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static void list_cells_clear(struct cells *cells)
{
    if (cells->is_entry)
        entry_clear(&cells->entry);
}

/* A list that is being printed. */
struct printer {
    struct session *session;
    const struct kind *kind;
    struct text_table *table; /* NULL: JSON */
    size_t prefix_len;
    struct buffer json; /* an object */
    bool has_begun;
};

/* Written object by object: the list may be longer than memory. */
static enum status list_print_json(struct printer *printer, const struct scan_row *rows,
                                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_reset(&printer->json);
        buffer_add_text(&printer->json, printer->has_begun ? ", " : "[");
        entry_list_write(&printer->json, &rows[i], printer->kind->part == KEY_SERVICES);
        if (printer->json.status != STATUS_OK)
            return printer->json.status;
        fwrite(printer->json.data, 1, printer->json.len, stdout);
        printer->has_begun = true;
    }
    return STATUS_OK;
}

static enum status list_lay_out(struct printer *printer, const struct scan_row *rows, size_t count,
                                bool is_measured)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct cells cells;
        status = list_cells_fill(&cells, printer->kind, printer->prefix_len, &rows[i]);
        if (status == STATUS_OK && is_measured)
            text_table_row(printer->table, cells.cells, stdout);
        else if (status == STATUS_OK)
            text_table_measure(printer->table, cells.cells);
        list_cells_clear(&cells);
    }
    return status;
}

/* The rows of the first page settle the widths: to wait for all of them would be to keep them. */
static enum status list_print_table(struct printer *printer, const struct scan_row *rows,
                                    size_t count)
{
    if (!printer->has_begun) {
        enum status status = list_lay_out(printer, rows, count, false);
        if (status != STATUS_OK)
            return status;
        text_table_begin(printer->table, stdout);
    }
    printer->has_begun = true;
    return list_lay_out(printer, rows, count, true);
}

/* A failing standard output is output_finish()'s to tell; CANCELLED ends the reading. */
static enum status list_on_page(void *arg, const struct scan_row *rows, size_t count)
{
    struct printer *printer = arg;
    enum status status = printer->table ? list_print_table(printer, rows, count)
                                        : list_print_json(printer, rows, count);
    return ferror(stdout) ? STATUS_CANCELLED : status;
}

static void list_on_done(void *arg, enum status status, const struct detail *why)
{
    struct printer *printer = arg;
    session_end_wait(printer->session, status, why);
}

/* A table of no rows has its head from here: no page came that would have printed it. */
static void list_finish(struct printer *printer)
{
    if (printer->table) {
        (void)list_print_table(printer, NULL, 0); /* no row, no memory */
        text_table_end(printer->table, stdout);
    } else {
        fputs(printer->has_begun ? "]\n" : "[]\n", stdout);
    }
}

static int list_print(struct session *session, const struct kind *kind, size_t prefix_len,
                      const struct kv_key *prefix)
{
    struct printer printer = {.session = session, .kind = kind, .prefix_len = prefix_len};
    enum status status = STATUS_OK;
    buffer_init(&printer.json, OBJECT_MAX);
    if (strcmp(options_text(&session->call->options, OPTION_FORMAT), "json") != 0)
        status = text_table_new(kind->headers, COLUMNS, &printer.table);
    if (status == STATUS_OK &&
        scan_start(session->etcd, prefix, list_on_page, list_on_done, &printer))
        status = session_wait(session);
    else
        status = detail_set(&session->why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    int exit_status = 0;
    /* What ended the scan is of no interest where standard output failed: output_finish() says
     * that. */
    if (status == STATUS_OK)
        list_finish(&printer);
    else if (!ferror(stdout))
        exit_status = session_fail(session, status);
    text_table_free(printer.table);
    buffer_clear(&printer.json);
    return output_finish(session->log, exit_status);
}

static int list(struct session *session, void *arg)
{
    const struct kind *kind = arg;
    const struct options *options = &session->call->options;
    const char *type = options_text(options, OPTION_SERVICE_TYPE_ONLY); /* no option of switches */
    struct kv_key prefix;
    key_prefix(&session->root, kind->part, &prefix);
    /* Of the part, not of the type that may be asked for: a row shows TYPE/NAME in any case. */
    size_t prefix_len = prefix.len;
    if (type && key_type_prefix(&session->root, type, &prefix, &session->why) != STATUS_OK)
        return session_fail(session,
                            options_fault(options, OPTION_SERVICE_TYPE_ONLY, type, &session->why));
    return list_print(session, kind, prefix_len, &prefix);
}

int list_services(struct call *call)
{
    return session_run(call, list, &(struct kind){{"Service", "Location", "TTL"}, KEY_SERVICES});
}

int list_switches(struct call *call)
{
    return session_run(call, list, &(struct kind){{"Switch", "Value", "TTL"}, KEY_SWITCHES});
}
