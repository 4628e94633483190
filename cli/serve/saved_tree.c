#include "saved_tree.h"

#include "registry/etcd/follow.h"
#include "registry/feed/guard.h"
#include "zones/view.h"
#include "zones/zone.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define TICK_MS         1000
#define CONTACT_EVERY_S 10
#define STOP_MS         5000
#define SLICE           4096 /* keys between two commits, as follow has them */
#define KEY_LEN_MAX     4096 /* with so many octets and more it is never served, nor swept by name */
#define SILENCE_MS      5000 /* of an etcd that is there */
#define PAUSE_MS        60000
#define PAUSE_MAX_MS    960000
#define MS_PER_S        1000
#define SERIAL_RESERVE  65536 /* changes, which are served before their serial is on disk */

/* Of the wall clock, as it is read by a later process. */
static int64_t saved_tree_contact_s(const struct saved_tree *saved)
{
    uint64_t seen_ms = *saved->follow ? follow_last_seen_ms(*saved->follow) : 0;
    uint64_t now_ms = uv_now(saved->timer.loop);
    if (seen_ms == 0)
        return saved->mark.contact_s;
    return time(NULL) - (int64_t)((now_ms > seen_ms ? now_ms - seen_ms : 0) / MS_PER_S);
}

/* A serial that is etcd's revision, or an earlier one, is found there again. A later one is only
 * here, and what is on disk is a second old, or more: so there stands one that is not reached
 * meanwhile, for a process which comes after one that was killed. One that ends as it should leaves
 * its last. */
static uint32_t saved_tree_reserve(const struct saved_tree *saved)
{
    struct zone_counts counts;
    zone_counts(*saved->zone, &counts);
    bool has_guard = saved->guard && *saved->guard;
    bool is_own = has_guard || (saved->resolves_hosts && counts.hosts > 0) ||
                  (int32_t)(counts.serial - (uint32_t)saved->revision) > 0; /* RFC 1982 */
    return is_own ? SERIAL_RESERVE : 0;
}

static void saved_tree_write_mark(struct saved_tree *saved, bool is_last)
{
    uint32_t reserve = is_last ? 0 : saved_tree_reserve(saved);
    uint64_t cluster_id = *saved->follow ? follow_cluster_id(*saved->follow) : 0;
    saved->serial = zone_view(*saved->zone)->serial;
    saved->mark =
        (struct state_mark){.revision = saved->revision,
                            .cluster_id = cluster_id ? cluster_id : saved->mark.cluster_id,
                            .serial = saved->serial + reserve,
                            .contact_s = saved_tree_contact_s(saved)};
    state_writer_commit(saved->writer, &saved->mark);
}

/* A load reads the whole tree from etcd. Where the disk is what fails, the next one would not help
 * either: so the pause grows. */
static void saved_tree_ask_for_load(struct saved_tree *saved)
{
    uint64_t now_ms = uv_now(saved->timer.loop);
    /* Not while one is under way, nor while there is nothing to load from. */
    if (!saved->is_whole || !*saved->follow || now_ms < saved->load_ms ||
        now_ms - follow_last_seen_ms(*saved->follow) > SILENCE_MS ||
        !state_writer_needs_load(saved->writer))
        return;
    if (saved->pause_ms == 0 || now_ms > saved->load_ms + 2 * saved->pause_ms)
        saved->pause_ms = PAUSE_MS / 2;
    saved->pause_ms = 2 * saved->pause_ms < PAUSE_MAX_MS ? 2 * saved->pause_ms : PAUSE_MAX_MS;
    saved->load_ms = now_ms + saved->pause_ms;
    follow_load_again(*saved->follow, "the copy on disk lacks something");
}

/* Addresses of hosts change the serial without a change of the registry. contact_s: a contact that is
 * later by so much is worth writing; or earlier, by a clock that was set back. */
static void saved_tree_write_news(struct saved_tree *saved, int64_t contact_s)
{
    if (!saved->writer || !saved->is_whole)
        return;
    int64_t later_s = saved_tree_contact_s(saved) - saved->mark.contact_s;
    if (zone_view(*saved->zone)->serial != saved->serial || later_s >= contact_s ||
        later_s <= -contact_s)
        saved_tree_write_mark(saved, false);
}

static void saved_tree_on_tick(uv_timer_t *timer)
{
    struct saved_tree *saved = timer->data;
    saved_tree_ask_for_load(saved);
    saved_tree_write_news(saved, CONTACT_EVERY_S);
}

void saved_tree_init(struct saved_tree *saved, uv_loop_t *loop)
{
    uv_timer_init(loop, &saved->timer);
    saved->timer.data = saved;
}

enum status saved_tree_open(struct saved_tree *saved, const char *path, struct detail *why)
{
    key_prefix(saved->root, KEY_ALL, &saved->prefix);
    return state_copy_open(path, saved->prefix.text, saved->prefix.len, saved->log, &saved->copy,
                           why);
}

struct saved_tree_load {
    const struct saved_tree *saved;
    uint64_t count;
    enum status status;
};

static bool saved_tree_on_key(void *arg, const struct kv *kv)
{
    struct saved_tree_load *load = arg;
    size_t root_len = load->saved->root->len;
    struct zone *zone = *load->saved->zone;
    if (kv->key_len < root_len)
        return true;
    load->status = zone_put(zone, kv->key + root_len, kv->key_len - root_len, kv->value,
                            kv->value_len, kv->mod_revision, kv->lease);
    if (load->status == STATUS_OK && load->saved->guard && *load->saved->guard)
        guard_know(*load->saved->guard, kv);
    if (++load->count % SLICE == 0)
        zone_commit(zone, 0);
    return load->status == STATUS_OK;
}

/* As a load in which there is nothing. */
static void saved_tree_empty_zone(struct zone *zone)
{
    zone_load_begin(zone);
    zone_load_end(zone, NULL, NULL);
    zone_commit(zone, 0);
}

/* A clock that was set back meanwhile, or is wrong, makes nothing old that is not. */
static uint64_t saved_tree_age_s(const struct state_mark *mark)
{
    int64_t now_s = time(NULL);
    return now_s > mark->contact_s ? (uint64_t)(now_s - mark->contact_s) : 0;
}

/* Whether it is whole shows when the last key is read. So it goes straight into the zone, which
 * nobody is shown until then, instead of being read twice. */
enum status saved_tree_load(struct saved_tree *saved, uint64_t *age_s)
{
    struct zone *zone = *saved->zone;
    struct saved_tree_load load = {.saved = saved};
    struct state_mark mark;
    if (!saved->copy)
        return STATUS_NOT_FOUND;
    zone_load_begin(zone);
    enum status status = state_copy_load(saved->copy, saved_tree_on_key, &load, &mark);
    if (status != STATUS_OK) {
        saved_tree_empty_zone(zone);
        if (saved->guard && *saved->guard)
            guard_forget(*saved->guard);
        return STATUS_NOT_FOUND;
    }
    zone_load_end(zone, NULL, NULL);
    zone_commit(zone, mark.revision);
    zone_raise_serial(zone, mark.serial);
    saved->mark = mark;
    saved->serial = zone_view(zone)->serial;
    saved->revision = mark.revision;
    saved->is_whole = true; /* of this, too, each new serial is kept */
    *age_s = saved_tree_age_s(&mark);
    log_printf(saved->log, LOG_LEVEL_INFO,
               "the state directory has revision %" PRId64 ", as of %" PRIu64 " s ago",
               mark.revision, *age_s);
    return STATUS_OK;
}

enum status saved_tree_start(struct saved_tree *saved, struct detail *why)
{
    if (!saved->copy)
        return STATUS_OK;
    if (!state_copy_is_writable(saved->copy)) {
        state_copy_close(saved->copy);
        saved->copy = NULL;
        return STATUS_OK;
    }
    enum status status = state_writer_start(saved->copy, saved->log, &saved->writer, why);
    if (status != STATUS_OK)
        return status;
    saved->copy = NULL;
    if (saved->is_whole && saved_tree_reserve(saved) > 0)
        saved_tree_write_mark(saved, false);
    uv_timer_start(&saved->timer, saved_tree_on_tick, TICK_MS, TICK_MS);
    return STATUS_OK;
}

/* What was served until now is a whole state, whose serial may have been raised by hosts; when the
 * next one will be whole, nobody knows. */
static void saved_tree_begin_group(struct saved_tree *saved)
{
    saved_tree_write_news(saved, INT64_MAX);
    saved->is_whole = false;
}

void saved_tree_begin_load(struct saved_tree *saved)
{
    saved_tree_begin_group(saved);
    saved->puts_all = state_writer_load_begin(saved->writer);
}

void saved_tree_put(struct saved_tree *saved, const struct kv *kv, bool is_change)
{
    saved_tree_begin_group(saved);
    if ((is_change || saved->puts_all) && kv->key_len - saved->root->len < KEY_LEN_MAX)
        state_writer_put(saved->writer, kv);
}

void saved_tree_remove(struct saved_tree *saved, const char *key, size_t key_len)
{
    saved_tree_begin_group(saved);
    state_writer_remove(saved->writer, key, key_len);
}

void saved_tree_on_swept(void *arg, const char *key, size_t key_len)
{
    struct saved_tree *saved = arg;
    char whole[KV_KEY_MAX + KEY_LEN_MAX];
    size_t root_len = saved->root->len;
    if (!saved->writer || key_len >= KEY_LEN_MAX || root_len > KV_KEY_MAX)
        return;
    memcpy(whole, saved->prefix.text, root_len);
    memcpy(whole + root_len, key, key_len);
    state_writer_remove(saved->writer, whole, root_len + key_len);
}

void saved_tree_commit(struct saved_tree *saved, int64_t revision)
{
    if (!saved->writer)
        return;
    saved->is_whole = revision > 0;
    if (revision == 0) {
        state_writer_commit(saved->writer, NULL);
        return;
    }
    saved->puts_all = false;
    saved->revision = revision;
    saved_tree_write_mark(saved, false);
}

void saved_tree_note_contact(struct saved_tree *saved)
{
    saved_tree_write_news(saved, 1);
}

void saved_tree_stop(struct saved_tree *saved)
{
    if (saved->writer && saved->is_whole)
        saved_tree_write_mark(saved, true);
    uv_close((uv_handle_t *)&saved->timer, NULL);
    state_writer_stop(saved->writer, STOP_MS);
    saved->writer = NULL;
    state_copy_close(saved->copy);
    saved->copy = NULL;
}
