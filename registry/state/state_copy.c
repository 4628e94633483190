#include "state_copy.h"

#include "registry/base/buffer.h"
#include "state_dir.h"
#include "state_head.h"
#include "state_rows.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "registry.db"

struct state_copy {
    struct log log;
    char *dir;
    char path[PATH_MAX + sizeof("/" FILE_NAME)];
    char *root_text;
    struct state_root root;
    struct state_mark mark;
    struct state_db *db;
    bool has_mark;    /* there is a copy, and it is of this root */
    bool is_loaded;   /* and it is whole */
    bool is_writable; /* or will be, once renewed */
};

bool state_copy_is_writable(const struct state_copy *copy)
{
    return copy->is_writable;
}

const struct state_mark *state_copy_mark(const struct state_copy *copy)
{
    return &copy->mark;
}

bool state_copy_is_loaded(const struct state_copy *copy)
{
    return copy->is_loaded;
}

struct state_db *state_copy_db(const struct state_copy *copy)
{
    return copy->db;
}

const struct state_root *state_copy_root(const struct state_copy *copy)
{
    return &copy->root;
}

const char *state_copy_path(const struct state_copy *copy)
{
    return copy->path;
}

static void state_copy_warn(const struct state_copy *copy, const char *what,
                            const struct detail *why)
{
    log_printf(&copy->log, LOG_LEVEL_WARNING, "state directory \"%s\": %s: %s", copy->dir, what,
               why->text);
}

/* The log, too, as without it the file may be another state, or none. In this order: SQLite removes
 * the log of a file that it has to make. */
static void state_copy_put_aside(const struct state_copy *copy)
{
    static const char *const suffixes[] = {"", "-wal"};
    if (copy->db)
        state_db_remove_empty_log(copy->db);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char from[sizeof(copy->path) + 8], to[sizeof(copy->path) + 16];
        snprintf(from, sizeof(from), "%s%s", copy->path, suffixes[i]);
        snprintf(to, sizeof(to), "%s.damaged%s", copy->path, suffixes[i]);
        if (rename(from, to) != 0 && errno == ENOENT)
            unlink(to); /* a log from an earlier time would be taken for this one's */
    }
}

/* While it is locked, so that another process finds either it or nothing; and with nobody in the directory
 * who would make the new one first. */
static enum status state_copy_renew_inside(struct state_copy *copy, bool is_damaged,
                                           struct detail *why)
{
    if (is_damaged)
        state_copy_put_aside(copy);
    state_db_close(copy->db, true);
    copy->db = NULL;
    copy->has_mark = copy->is_loaded = false;
    return state_db_open(copy->path, false, &copy->db, why);
}

enum status state_copy_renew(struct state_copy *copy, bool is_damaged, struct detail *why)
{
    int entered = state_dir_enter(copy->dir);
    enum status status = state_copy_renew_inside(copy, is_damaged, why);
    state_dir_leave(entered);
    return status;
}

/* What keeps a new one from being made may pass: the writer tries again. */
static void state_copy_replace(struct state_copy *copy, const struct detail *damage)
{
    struct detail why = {""};
    state_copy_warn(copy, "the copy is damaged, it is now " FILE_NAME ".damaged", damage);
    if (state_copy_renew_inside(copy, true, &why) != STATUS_OK)
        state_copy_warn(copy, "no copy can be kept for now", &why);
}

static enum status state_copy_read_head(struct state_copy *copy, struct detail *why)
{
    enum status status = state_head_read(copy->db, &copy->root, &copy->mark, why);
    copy->has_mark = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_REFUSED) {
        state_copy_warn(copy, "the copy is neither used nor changed, nor is another one kept", why);
        copy->is_writable = false;
        state_db_close(copy->db, true);
        copy->db = NULL;
        return STATUS_OK;
    }
    return status;
}

/* What cannot be written may still be read. Where there is merely no space, the writer makes
 * another try. */
static enum status state_copy_open_read_only(struct state_copy *copy, bool is_full,
                                             struct detail *why)
{
    copy->is_writable = is_full;
    state_copy_warn(copy, is_full ? "no copy can be kept for now" : "no copy is kept", why);
    state_db_close(copy->db, true);
    copy->db = NULL;
    enum status status = state_db_open(copy->path, true, &copy->db, why);
    if (status == STATUS_OK)
        status = state_copy_read_head(copy, why);
    if (status == STATUS_OK || status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_NOT_FOUND)
        state_copy_warn(copy, "the copy cannot be used", why);
    return STATUS_OK;
}

static enum status state_copy_open_db(struct state_copy *copy, struct detail *why)
{
    copy->is_writable = true;
    enum status status = state_db_open(copy->path, false, &copy->db, why);
    if (status == STATUS_OK)
        status = state_copy_read_head(copy, why);
    switch (status) {
    case STATUS_OK:
    case STATUS_NO_MEMORY:
        return status;
    case STATUS_CONFLICT:
        return detail_set(why, status, "another process uses it");
    case STATUS_BAD_REPLY:
        state_copy_replace(copy, why);
        return STATUS_OK;
    default:
        if (status != STATUS_NO_SPACE && state_dir_is_full(copy->dir))
            status = detail_set(why, STATUS_NO_SPACE, "%s", strerror(ENOSPC));
        return state_copy_open_read_only(copy, status == STATUS_NO_SPACE, why);
    }
}

static enum status state_copy_init(struct state_copy *copy, const char *path, const char *root,
                                   size_t root_len, struct detail *why)
{
    enum status status = state_dir_check(path, &copy->dir, why);
    if (status != STATUS_OK)
        return status;
    copy->root_text = buffer_copy(root, root_len);
    if (!copy->root_text)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    copy->root = (struct state_root){copy->root_text, root_len};
    snprintf(copy->path, sizeof(copy->path), "%s/" FILE_NAME, copy->dir);
    int entered = state_dir_enter(copy->dir);
    status = state_copy_open_db(copy, why);
    state_dir_leave(entered);
    return status;
}

enum status state_copy_open(const char *path, const char *root, size_t root_len,
                            const struct log *log, struct state_copy **out, struct detail *why)
{
    struct state_copy *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    copy->log = *log;
    enum status status = state_copy_init(copy, path, root, root_len, why);
    if (status != STATUS_OK) {
        state_copy_close(copy);
        return status;
    }
    *out = copy;
    return STATUS_OK;
}

void state_copy_close(struct state_copy *copy)
{
    if (!copy)
        return;
    state_db_close(copy->db, false);
    free(copy->root_text);
    free(copy->dir);
    free(copy);
}

/* A medium that cannot be read is as good as damaged: the next start would fail, too. */
static void state_copy_give_up(struct state_copy *copy, const struct detail *why)
{
    int entered = state_dir_enter(copy->dir);
    state_copy_replace(copy, why);
    state_dir_leave(entered);
}

enum status state_copy_load(struct state_copy *copy, kv_each *each, void *arg,
                            struct state_mark *out)
{
    struct detail why = {""};
    if (!copy->db || !copy->has_mark) {
        if (copy->db && copy->db->is_read_only) { /* of no use, and the writer would keep it */
            state_db_close(copy->db, true);
            copy->db = NULL;
        }
        return STATUS_NOT_FOUND;
    }
    enum status status = state_rows_read(copy->db, each, arg, &why);
    bool is_read_only = copy->db->is_read_only;
    copy->is_loaded = status == STATUS_OK && !is_read_only;
    if (status == STATUS_OK)
        *out = copy->mark;
    else if (status == STATUS_NO_MEMORY || status == STATUS_CANCELLED || is_read_only)
        state_copy_warn(copy, "the copy is not used", &why);
    else
        state_copy_give_up(copy, &why);
    if (is_read_only) {
        state_db_close(copy->db, true);
        copy->db = NULL;
    }
    return status;
}
