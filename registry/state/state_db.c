#include "state_db.h"

#include "registry/base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A row holds a key and a value of at most KV_OCTETS_MAX each; a length beyond is a damaged one. */
#define ROW_OCTETS_MAX (2 * KV_OCTETS_MAX + 4096)
#define SQL_OCTETS_MAX 4096

/* Keys in their order, and in the table itself (WITHOUT ROWID): a load brings them in that order,
 * so that pages are filled one after the other. What is short comes first: to look at the sum of a
 * row with a long value is then to read one page. */
static const char *const tables[] = {
    "CREATE TABLE format(version INTEGER, sum INTEGER)",
    "CREATE TABLE head(id INTEGER PRIMARY KEY, root BLOB, revision INTEGER, cluster INTEGER, "
    "serial INTEGER, contact INTEGER, keys INTEGER, total INTEGER, sum INTEGER)",
    "CREATE TABLE entry(key BLOB PRIMARY KEY, sum INTEGER, lease INTEGER, revision INTEGER, "
    "value BLOB) WITHOUT ROWID",
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static const char *const texts[STATE_STATEMENTS] = {
    [STATE_BEGIN] = "BEGIN IMMEDIATE",
    [STATE_COMMIT] = "COMMIT",
    [STATE_ROLLBACK] = "ROLLBACK",
    [STATE_FORMAT] = "SELECT version, sum FROM format",
    [STATE_HEAD] = "SELECT root, revision, cluster, serial, contact, keys, total, sum FROM head",
    [STATE_ROWS] = "SELECT key, sum, lease, revision, value FROM entry ORDER BY key",
    [STATE_FIND] = "SELECT sum FROM entry WHERE key = ?1",
    [STATE_PUT] = "REPLACE INTO entry VALUES(?1, ?2, ?3, ?4, ?5)",
    [STATE_REMOVE] = "DELETE FROM entry WHERE key = ?1",
    [STATE_CLEAR] = "DELETE FROM entry",
    [STATE_WRITE_FORMAT] = "INSERT INTO format VALUES(?1, ?2)",
    [STATE_WRITE_HEAD] = "REPLACE INTO head VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};

static enum status state_db_status_of(int result)
{
    static const struct {
        int result;
        enum status status;
    } rows[] = {
        {SQLITE_OK, STATUS_OK},           {SQLITE_ROW, STATUS_OK},
        {SQLITE_DONE, STATUS_OK},         {SQLITE_BUSY, STATUS_CONFLICT},
        {SQLITE_LOCKED, STATUS_CONFLICT}, {SQLITE_NOMEM, STATUS_NO_MEMORY},
        {SQLITE_FULL, STATUS_NO_SPACE},   {SQLITE_IOERR, STATUS_SYSTEM},
        {SQLITE_READONLY, STATUS_SYSTEM}, {SQLITE_CANTOPEN, STATUS_SYSTEM},
        {SQLITE_PERM, STATUS_SYSTEM},     {SQLITE_AUTH, STATUS_SYSTEM},
        {SQLITE_NOLFS, STATUS_SYSTEM},    {SQLITE_INTERRUPT, STATUS_CANCELLED},
    };
    if (result == SQLITE_IOERR_NOMEM)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].result == (result & 0xff)) /* what is above tells more of the same */
            return rows[i].status;
    return STATUS_BAD_REPLY;
}

enum status state_db_status(const struct state_db *db, int result, struct detail *why)
{
    enum status status = state_db_status_of(result);
    if (status == STATUS_OK)
        return status;
    int error = db->handle && status == STATUS_SYSTEM ? sqlite3_system_errno(db->handle) : 0;
    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        status = STATUS_NO_SPACE;
    return detail_set(why, status, "%s%s%s", sqlite3_errstr(result), error != 0 ? ": " : "",
                      error != 0 ? strerror(error) : "");
}

sqlite3_stmt *state_db_statement(struct state_db *db, enum state_statement id, enum status *status,
                                 struct detail *why)
{
    sqlite3_stmt **statement = &db->statements[id];
    *status = STATUS_OK;
    if (!*statement)
        *status = state_db_status(db,
                                  sqlite3_prepare_v3(db->handle, texts[id], -1,
                                                     SQLITE_PREPARE_PERSISTENT, statement, NULL),
                                  why);
    return *status == STATUS_OK ? *statement : NULL;
}

enum status state_db_run(struct state_db *db, sqlite3_stmt *statement, struct detail *why)
{
    int result;
    do
        result = sqlite3_step(statement);
    while (result == SQLITE_ROW);
    enum status status = state_db_status(db, result, why);
    sqlite3_reset(statement);
    return status;
}

static enum status state_db_execute(struct state_db *db, enum state_statement id,
                                    struct detail *why)
{
    enum status status;
    sqlite3_stmt *statement = state_db_statement(db, id, &status, why);
    return statement ? state_db_run(db, statement, why) : status;
}

enum status state_db_begin(struct state_db *db, struct detail *why)
{
    if (db->is_writing)
        return STATUS_OK;
    enum status status = state_db_execute(db, STATE_BEGIN, why);
    db->is_writing = status == STATUS_OK;
    return status;
}

void state_db_rollback(struct state_db *db)
{
    /* After some failures SQLite has rolled back by itself: then this one fails, as it may. */
    if (db->is_writing)
        (void)!state_db_execute(db, STATE_ROLLBACK, NULL);
    db->is_writing = sqlite3_get_autocommit(db->handle) == 0;
    db->is_prepared = false; /* perhaps the tables were made in it */
    db->totals = db->committed;
}

/* One or more statements that stand in this file. */
static enum status state_db_exec(struct state_db *db, const char *sql, struct detail *why)
{
    return state_db_status(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL), why);
}

static enum status state_db_configure(struct state_db *db, struct detail *why)
{
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, ROW_OCTETS_MAX);
    sqlite3_limit(db->handle, SQLITE_LIMIT_SQL_LENGTH, SQL_OCTETS_MAX);
    sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db->handle, SQLITE_LIMIT_TRIGGER_DEPTH, 0);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    /* Debian's SQLite overwrites what is deleted (secure_delete): there is no secret in it. */
    return state_db_exec(db,
                         "PRAGMA locking_mode=EXCLUSIVE; PRAGMA mmap_size=0; "
                         "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; "
                         "PRAGMA secure_delete=OFF; PRAGMA cache_size=-8192",
                         why);
}

/* Taken with the first transaction, and then kept (locking_mode). */
static enum status state_db_lock(struct state_db *db, struct detail *why)
{
    if (sqlite3_db_readonly(db->handle, "main") != 0)
        return detail_set(why, STATUS_SYSTEM, "it cannot be written");
    enum status status = state_db_exec(db, "BEGIN EXCLUSIVE", why);
    if (status == STATUS_OK)
        status = state_db_exec(db, "ROLLBACK", why);
    return status;
}

static uint64_t state_db_octets(const struct state_db *db, const char *suffix)
{
    struct stat st;
    char path[PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s%s", db->path, suffix);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* For SQLite to open; only octets that mean nothing there stand for themselves. NULL: no memory. */
static char *state_db_uri(const char *path)
{
    struct buffer uri;
    buffer_init(&uri, 4 * (size_t)PATH_MAX);
    buffer_add_text(&uri, "file://");
    for (const char *at = path; *at; at++)
        buffer_printf(&uri, strchr("%?#", *at) ? "%%%02x" : "%c", (unsigned char)*at);
    buffer_add_text(&uri, "?immutable=1");
    if (uri.status == STATUS_OK)
        return uri.data;
    buffer_clear(&uri);
    return NULL;
}

/* Without a lock, and so with an index of the log in this process' memory alone; where there is no
 * log, SQLite must not try to make one. */
static enum status state_db_connect(struct state_db *db, struct detail *why)
{
    int mode = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, result = SQLITE_NOMEM;
    mode |= db->is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (!db->is_read_only || state_db_octets(db, "-wal") > 0) {
        const char *vfs = db->is_read_only ? "unix-none" : NULL;
        result = sqlite3_open_v2(db->path, &db->handle, mode, vfs);
    } else {
        char *uri = state_db_uri(db->path);
        if (uri)
            result = sqlite3_open_v2(uri, &db->handle, mode | SQLITE_OPEN_URI, NULL);
        free(uri);
    }
    return state_db_status(db, result, why);
}

/* Made here and not by SQLite, so that it is nobody else's to read whatever the umask. To close
 * another descriptor of the file would free SQLite's lock on it: so before it has one. */
static enum status state_db_create(const char *path, struct detail *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return detail_set(why, errno == ENOSPC || errno == EDQUOT ? STATUS_NO_SPACE : STATUS_SYSTEM,
                          "%s", strerror(errno));
    close(fd);
    return STATUS_OK;
}

/* Nothing that would be waited for (a pipe), or is read from or written to elsewhere (a device). */
static enum status state_db_check_files(const struct state_db *db, struct detail *why)
{
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    struct stat st;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof(path), "%s%s", db->path, suffixes[i]);
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
            return detail_set(why, STATUS_SYSTEM, "its file%s is no regular one", suffixes[i]);
    }
    return STATUS_OK;
}

static enum status state_db_start(struct state_db *db, struct detail *why)
{
    struct stat st;
    enum status status = state_db_check_files(db, why);
    if (status != STATUS_OK)
        return status;
    if (!db->is_read_only)
        status = state_db_create(db->path, why);
    else if (stat(db->path, &st) != 0)
        status = detail_set(why, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM, "%s",
                            strerror(errno));
    if (status == STATUS_OK)
        status = state_db_connect(db, why);
    if (status == STATUS_OK)
        status = state_db_configure(db, why);
    if (status == STATUS_OK && !db->is_read_only)
        status = state_db_lock(db, why);
    /* Now: when it is needed there may be no memory to prepare it. */
    if (status == STATUS_OK)
        (void)state_db_statement(db, STATE_ROLLBACK, &status, why);
    return status;
}

enum status state_db_open(const char *path, bool is_read_only, struct state_db **out,
                          struct detail *why)
{
    struct state_db *db = calloc(1, sizeof(*db));
    char *copy = buffer_copy(path, strlen(path));
    if (!db || !copy) {
        free(db);
        free(copy);
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    }
    *db = (struct state_db){.path = copy, .is_read_only = is_read_only};
    enum status status = state_db_start(db, why);
    if (status != STATUS_OK) {
        state_db_close(db, true);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

/* By its inode: SQLite would go on writing into a file that somebody has removed. */
bool state_db_is_in_place(const struct state_db *db)
{
    int has_moved = 0;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    return has_moved == 0;
}

void state_db_remove_empty_log(const struct state_db *db)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s-wal", db->path);
    if (db->handle && state_db_is_in_place(db) && state_db_octets(db, "-wal") == 0)
        unlink(path);
}

void state_db_close(struct state_db *db, bool keep_log)
{
    if (!db)
        return;
    if (db->handle)
        state_db_rollback(db);
    for (size_t i = 0; i < STATE_STATEMENTS; i++)
        sqlite3_finalize(db->statements[i]);
    if (db->handle)
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)keep_log, NULL);
    if (keep_log && !db->is_read_only)
        state_db_remove_empty_log(db);
    sqlite3_close(db->handle);
    free(db->path);
    free(db);
}

enum status state_db_check_tables(struct state_db *db, struct detail *why)
{
    sqlite3_stmt *statement = NULL;
    size_t seen = 0;
    bool is_same = true;
    int result = sqlite3_prepare_v2(db->handle, "SELECT sql FROM sqlite_schema ORDER BY rowid", -1,
                                    &statement, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = sqlite3_step(statement);
        if (result != SQLITE_ROW)
            break;
        const char *sql = (const char *)sqlite3_column_text(statement, 0);
        is_same = is_same && seen < TABLES && sql && strcmp(sql, tables[seen]) == 0;
        seen++;
    }
    enum status status = state_db_status(db, result, why);
    sqlite3_finalize(statement);
    if (status != STATUS_OK)
        return status;
    if (seen == 0)
        return detail_set(why, STATUS_NOT_FOUND, "it is empty");
    if (!is_same || seen != TABLES)
        return detail_set(why, STATUS_BAD_REPLY, "its tables are not those of this program");
    return STATUS_OK;
}

/* Synced at each checkpoint, not at each commit: after a loss of power the last commits may be
 * missing, as a whole. A log that a large load has blown up is cut again. */
enum status state_db_make_tables(struct state_db *db, bool *were_made, struct detail *why)
{
    enum status status = state_db_exec(db,
                                       "PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL; "
                                       "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=1000; "
                                       "PRAGMA journal_size_limit=16777216",
                                       why);
    if (status == STATUS_OK)
        status = state_db_check_tables(db, why);
    *were_made = status == STATUS_NOT_FOUND;
    if (*were_made)
        status = state_db_begin(db, why);
    for (size_t i = 0; i < TABLES && *were_made && status == STATUS_OK; i++)
        status = state_db_exec(db, tables[i], why);
    return status;
}

uint64_t state_db_bytes(const struct state_db *db)
{
    return state_db_octets(db, "") + state_db_octets(db, "-wal");
}
