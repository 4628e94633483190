/* registry/state/state_db.h - the file of the copy on disk: a SQLite database, its settings and
 * statements.
 *
 * In WAL mode, so that what is written in one transaction is there as a whole or not at all,
 * whenever the process is killed; locked for as long as it is open, by a lock of POSIX: it goes
 * with the process, and a child that was forked does not have it. Nothing of it is mapped into
 * memory: where a mapped page cannot be read, the process would die.
 *
 * What is read from a file is damaged wherever SQLite finds its structure wrong or says anything
 * that it never says of a file of ours: BAD_REPLY.
 *
 * Threads: one at a time. */
#ifndef REGISTRY_STATE_STATE_DB_H
#define REGISTRY_STATE_STATE_DB_H

#include "state_types.h"

#include <sqlite3.h>

enum state_statement {
    STATE_BEGIN,
    STATE_COMMIT,
    STATE_ROLLBACK,
    STATE_FORMAT,
    STATE_HEAD,
    STATE_ROWS,
    STATE_FIND,
    STATE_PUT,
    STATE_REMOVE,
    STATE_CLEAR,
    STATE_WRITE_FORMAT,
    STATE_WRITE_HEAD,
    STATE_STATEMENTS
};

/* Of all rows: how many, and the sum of their checksums modulo 2^64. So that rows which are no
 * longer found are missed. */
struct state_totals {
    uint64_t count, sum;
};

struct state_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATE_STATEMENTS]; /* NULL until used */
    struct state_totals totals, committed;
    char *path;
    bool is_writing;  /* a transaction is under way */
    bool is_prepared; /* by state_head_prepare(), and not undone */
    bool is_read_only;
};

/* Open the file, which is made where there is none, and lock it. is_read_only: as it is, without a
 * lock or writing anything; what stands in its log counts. NOT_FOUND: there is none. CONFLICT:
 * another process has it. BAD_REPLY: it is no database. SYSTEM, NO_SPACE: it cannot be opened, or
 * not be written. NO_MEMORY. */
MUST_USE enum status state_db_open(const char *path, bool is_read_only, struct state_db **out,
                                   struct detail *why);

/* NULL is accepted. keep_log: leave the log (-wal) as it is; else it is brought into the file and
 * removed. What is not committed is lost. */
void state_db_close(struct state_db *db, bool keep_log);

/* With a log, and with tables where there are none: these in a transaction that is then under way.
 * */
MUST_USE enum status state_db_make_tables(struct state_db *db, bool *were_made, struct detail *why);

/* A statement, ready to be bound. NULL: *status says why. */
sqlite3_stmt *state_db_statement(struct state_db *db, enum state_statement id, enum status *status,
                                 struct detail *why);
/* Run it to its end; rows are ignored. */
MUST_USE enum status state_db_run(struct state_db *db, sqlite3_stmt *statement, struct detail *why);

/* What a result of SQLite is as a status; *why is SQLite's sentence. */
enum status state_db_status(const struct state_db *db, int result, struct detail *why);

/* Whether the tables are as they were made: then BAD_REPLY says that they are not. NOT_FOUND: there
 * are none. */
MUST_USE enum status state_db_check_tables(struct state_db *db, struct detail *why);

/* Begin a transaction, unless one is under way. */
MUST_USE enum status state_db_begin(struct state_db *db, struct detail *why);
/* The transaction, if there is one, is undone. */
void state_db_rollback(struct state_db *db);

/* Whether its path still leads to it. */
bool state_db_is_in_place(const struct state_db *db);

/* SQLite makes a log when it merely looks into the file. Before that is closed: then it may be
 * another process' log. */
void state_db_remove_empty_log(const struct state_db *db);

/* Octets on the disk, with the log. */
uint64_t state_db_bytes(const struct state_db *db);

#endif
