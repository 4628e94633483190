#include "state_rows.h"

#include "registry/base/buffer.h"
#include "state_sum.h"

#include <string.h>

/* Pages that are out of their order may hold each row once, twice or for ever: only keys that rise
 * are taken, so it comes to an end. */
struct state_rows_walk {
    struct state_totals totals;
    struct buffer last; /* the last key */
};

static bool state_rows_is_rising(struct state_rows_walk *walk, const struct kv *kv)
{
    size_t len = walk->last.len < kv->key_len ? walk->last.len : kv->key_len;
    int order = len > 0 ? memcmp(walk->last.data, kv->key, len) : 0;
    return walk->totals.count == 0 || order < 0 || (order == 0 && walk->last.len < kv->key_len);
}

/* Zero octets are a NULL pointer to SQLite. */
static size_t state_rows_octets(sqlite3_stmt *statement, int column, const char **out)
{
    const char *octets = sqlite3_column_blob(statement, column);
    *out = octets ? octets : "";
    return (size_t)sqlite3_column_bytes(statement, column);
}

static bool state_rows_has_types(sqlite3_stmt *statement)
{
    static const int types[] = {SQLITE_BLOB, SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                                SQLITE_BLOB};
    for (int i = 0; i < 5; i++)
        if (sqlite3_column_type(statement, i) != types[i])
            return false;
    return true;
}

static enum status state_rows_take(struct state_rows_walk *walk, sqlite3_stmt *statement,
                                   kv_each *each, void *arg, struct detail *why)
{
    struct kv kv = {0};
    if (!state_rows_has_types(statement))
        return detail_set(why, STATUS_BAD_REPLY, "a row is of another form");
    kv.key_len = state_rows_octets(statement, 0, &kv.key);
    kv.value_len = state_rows_octets(statement, 4, &kv.value);
    kv.lease = sqlite3_column_int64(statement, 2);
    kv.mod_revision = sqlite3_column_int64(statement, 3);
    uint64_t sum = (uint64_t)sqlite3_column_int64(statement, 1);
    if (sum != state_sum_kv(&kv))
        return detail_set(why, STATUS_BAD_REPLY, "the checksum of a row is wrong");
    if (!state_rows_is_rising(walk, &kv))
        return detail_set(why, STATUS_BAD_REPLY, "its rows are out of order");
    buffer_reset(&walk->last);
    buffer_add(&walk->last, kv.key, kv.key_len);
    if (walk->last.status != STATUS_OK)
        return detail_set(why, walk->last.status, "%s", status_text(walk->last.status));
    walk->totals.count++;
    walk->totals.sum += sum;
    return each(arg, &kv) ? STATUS_OK : detail_set(why, STATUS_CANCELLED, "given up");
}

enum status state_rows_read(struct state_db *db, kv_each *each, void *arg, struct detail *why)
{
    struct state_rows_walk walk = {.totals = {0, 0}};
    enum status status;
    sqlite3_stmt *statement = state_db_statement(db, STATE_ROWS, &status, why);
    if (!statement)
        return status;
    buffer_init(&walk.last, KV_OCTETS_MAX);
    int result = SQLITE_DONE;
    while (status == STATUS_OK && (result = sqlite3_step(statement)) == SQLITE_ROW)
        status = state_rows_take(&walk, statement, each, arg, why);
    if (status == STATUS_OK)
        status = state_db_status(db, result, why);
    sqlite3_reset(statement);
    buffer_clear(&walk.last);
    if (status == STATUS_OK &&
        (walk.totals.count != db->totals.count || walk.totals.sum != db->totals.sum))
        return detail_set(why, STATUS_BAD_REPLY, "rows are missing");
    return status;
}

/* Of the row that a key has now. count 0: it has none. */
static enum status state_rows_find(struct state_db *db, const char *key, size_t key_len,
                                   struct state_totals *out, struct detail *why)
{
    enum status status;
    sqlite3_stmt *statement = state_db_statement(db, STATE_FIND, &status, why);
    if (!statement)
        return status;
    sqlite3_bind_blob64(statement, 1, key, key_len, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    *out = (struct state_totals){0, 0};
    if (result == SQLITE_ROW)
        *out = (struct state_totals){1, (uint64_t)sqlite3_column_int64(statement, 0)};
    status = state_db_status(db, result, why);
    sqlite3_reset(statement);
    return status;
}

enum status state_rows_put(struct state_db *db, const struct kv *kv, struct detail *why)
{
    struct state_totals old = {0, 0};
    uint64_t sum = state_sum_kv(kv);
    enum status status = state_rows_find(db, kv->key, kv->key_len, &old, why);
    if (status != STATUS_OK || (old.count == 1 && old.sum == sum))
        return status;
    sqlite3_stmt *statement = state_db_statement(db, STATE_PUT, &status, why);
    if (!statement)
        return status;
    sqlite3_bind_blob64(statement, 1, kv->key, kv->key_len, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)sum);
    sqlite3_bind_int64(statement, 3, kv->lease);
    sqlite3_bind_int64(statement, 4, kv->mod_revision);
    sqlite3_bind_blob64(statement, 5, kv->value, kv->value_len, SQLITE_STATIC);
    status = state_db_run(db, statement, why);
    db->totals.count += 1 - old.count;
    db->totals.sum += sum - old.sum;
    return status;
}

enum status state_rows_remove(struct state_db *db, const char *key, size_t key_len,
                              struct detail *why)
{
    struct state_totals old = {0, 0};
    enum status status = state_rows_find(db, key, key_len, &old, why);
    if (status != STATUS_OK || old.count == 0)
        return status;
    sqlite3_stmt *statement = state_db_statement(db, STATE_REMOVE, &status, why);
    if (!statement)
        return status;
    sqlite3_bind_blob64(statement, 1, key, key_len, SQLITE_STATIC);
    status = state_db_run(db, statement, why);
    db->totals.count -= old.count;
    db->totals.sum -= old.sum;
    return status;
}

enum status state_rows_clear(struct state_db *db, struct detail *why)
{
    enum status status;
    sqlite3_stmt *statement = state_db_statement(db, STATE_CLEAR, &status, why);
    if (!statement)
        return status;
    db->totals = (struct state_totals){0, 0};
    return state_db_run(db, statement, why);
}
