#include "state_head.h"

#include "state_sum.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#define FORMAT 1

/* It has a table and a checksum of its own, which every later format keeps: so that one which is
 * not known is told from one that is damaged. */
static enum status state_head_read_format(struct state_db *db, struct detail *why)
{
    enum status status;
    sqlite3_stmt *statement = state_db_statement(db, STATE_FORMAT, &status, why);
    if (!statement)
        return status;
    int result = sqlite3_step(statement);
    int64_t format = 0, sum = 0;
    if (result == SQLITE_ROW) {
        format = sqlite3_column_int64(statement, 0);
        sum = sqlite3_column_int64(statement, 1);
    }
    status = state_db_status(db, result, why);
    sqlite3_reset(statement);
    uint64_t octets = htole64((uint64_t)format);
    if (status != STATUS_OK)
        return status;
    if (result != SQLITE_ROW || (uint64_t)sum != state_sum(&octets, sizeof(octets)))
        return detail_set(why, STATUS_BAD_REPLY, "the checksum of its format is wrong");
    if (format != FORMAT)
        return detail_set(why, STATUS_REFUSED,
                          "it is of format %" PRId64 ", and this program knows %d only", format,
                          FORMAT);
    return STATUS_OK;
}

/* All of the row but its sum. */
static uint64_t state_head_sum(const struct state_root *root, const struct state_mark *mark,
                               const struct state_totals *totals)
{
    uint64_t words[] = {
        htole64((uint64_t)mark->revision),        htole64(mark->cluster_id), htole64(mark->serial),
        htole64((uint64_t)mark->contact_s),       htole64(totals->count),    htole64(totals->sum),
        htole64(state_sum(root->text, root->len))};
    return state_sum(words, sizeof(words));
}

static void state_head_columns(sqlite3_stmt *statement, struct state_root *root,
                               struct state_mark *mark, struct state_totals *totals)
{
    const char *text = sqlite3_column_blob(statement, 0);
    *root = (struct state_root){text ? text : "", (size_t)sqlite3_column_bytes(statement, 0)};
    *mark = (struct state_mark){.revision = sqlite3_column_int64(statement, 1),
                                .cluster_id = (uint64_t)sqlite3_column_int64(statement, 2),
                                .serial = (uint32_t)sqlite3_column_int64(statement, 3),
                                .contact_s = sqlite3_column_int64(statement, 4)};
    *totals = (struct state_totals){(uint64_t)sqlite3_column_int64(statement, 5),
                                    (uint64_t)sqlite3_column_int64(statement, 6)};
}

static enum status state_head_read_row(struct state_db *db, const struct state_root *root,
                                       struct state_mark *out, struct detail *why)
{
    enum status status;
    struct state_root stored;
    struct state_mark mark;
    struct state_totals totals;
    sqlite3_stmt *statement = state_db_statement(db, STATE_HEAD, &status, why);
    if (!statement)
        return status;
    int result = sqlite3_step(statement);
    status = state_db_status(db, result, why);
    if (status == STATUS_OK && result != SQLITE_ROW)
        status = detail_set(why, STATUS_BAD_REPLY, "it does not say what it is a copy of");
    if (status == STATUS_OK) {
        state_head_columns(statement, &stored, &mark, &totals);
        if (state_head_sum(&stored, &mark, &totals) != (uint64_t)sqlite3_column_int64(statement, 7))
            status = detail_set(why, STATUS_BAD_REPLY, "the checksum of its head is wrong");
        else if (stored.len != root->len || memcmp(stored.text, root->text, root->len) != 0)
            status = detail_set(why, STATUS_REFUSED, "it is of the tree root \"%.*s\"",
                                (int)stored.len, stored.text);
    }
    sqlite3_reset(statement);
    if (status == STATUS_OK) {
        *out = mark;
        db->totals = db->committed = totals;
    }
    return status;
}

enum status state_head_read(struct state_db *db, const struct state_root *root,
                            struct state_mark *out, struct detail *why)
{
    struct detail why_format;
    enum status status = state_db_check_tables(db, why);
    if (status != STATUS_OK && status != STATUS_BAD_REPLY)
        return status;
    /* The tables of another format may look otherwise: that is said first, if it can be said. */
    enum status format = state_head_read_format(db, &why_format);
    if (format == STATUS_REFUSED || (format != STATUS_OK && status == STATUS_OK))
        return detail_set(why, format, "%s", why_format.text);
    return status == STATUS_OK ? state_head_read_row(db, root, out, why) : status;
}

static enum status state_head_write_format(struct state_db *db, struct detail *why)
{
    enum status status;
    uint64_t octets = htole64(FORMAT);
    sqlite3_stmt *statement = state_db_statement(db, STATE_WRITE_FORMAT, &status, why);
    if (!statement)
        return status;
    sqlite3_bind_int64(statement, 1, FORMAT);
    sqlite3_bind_int64(statement, 2, (int64_t)state_sum(&octets, sizeof(octets)));
    return state_db_run(db, statement, why);
}

enum status state_head_prepare(struct state_db *db, struct detail *why)
{
    bool were_made;
    if (db->is_prepared)
        return STATUS_OK;
    enum status status = state_db_make_tables(db, &were_made, why);
    if (status == STATUS_OK && were_made)
        status = state_head_write_format(db, why);
    db->is_prepared = status == STATUS_OK;
    return status;
}

static enum status state_head_write(struct state_db *db, const struct state_root *root,
                                    const struct state_mark *mark, struct detail *why)
{
    enum status status;
    const struct state_totals *totals = &db->totals;
    sqlite3_stmt *statement = state_db_statement(db, STATE_WRITE_HEAD, &status, why);
    if (!statement)
        return status;
    sqlite3_bind_blob64(statement, 1, root->text, root->len, SQLITE_STATIC);
    const int64_t numbers[] = {mark->revision,
                               (int64_t)mark->cluster_id,
                               mark->serial,
                               mark->contact_s,
                               (int64_t)totals->count,
                               (int64_t)totals->sum,
                               (int64_t)state_head_sum(root, mark, totals)};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sqlite3_bind_int64(statement, (int)i + 2, numbers[i]);
    return state_db_run(db, statement, why);
}

enum status state_head_commit(struct state_db *db, const struct state_root *root,
                              const struct state_mark *mark, struct detail *why)
{
    enum status status = state_head_write(db, root, mark, why);
    if (status != STATUS_OK)
        return status;
    sqlite3_stmt *statement = state_db_statement(db, STATE_COMMIT, &status, why);
    if (statement)
        status = state_db_run(db, statement, why);
    if (status != STATUS_OK)
        return status;
    db->committed = db->totals;
    db->is_writing = false;
    return status;
}
