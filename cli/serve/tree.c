/* All of it is callbacks of one loop, so nothing here needs a lock. */
#include "tree.h"

#include "registry/etcd/follow.h"
#include "registry/feed/guard.h"
#include "xfr_child.h"
#include "zones/zone.h"

#include <inttypes.h>

static void tree_set_state(struct tree *tree, enum answer_state state)
{
    if (tree->state == state)
        return;
    tree->state = state;
    tree->on_state(tree->arg, state);
}

static void tree_on_stale_limit(uv_timer_t *timer)
{
    struct tree *tree = timer->data;
    contact_tell(&tree->contact);
    tree_set_state(tree, ANSWER_EXPIRED);
    log_printf(tree->log, LOG_LEVEL_WARNING,
               "etcd has been away for --stale-limit %" PRIu64 " s: queries fail until it is back",
               tree->stale_limit_ms / 1000);
}

static void tree_become_stale(struct tree *tree)
{
    tree_set_state(tree, ANSWER_STALE);
    uv_timer_start(&tree->stale, tree_on_stale_limit, tree->stale_limit_ms, 0);
}

static void tree_become_ready(struct tree *tree)
{
    if (tree->is_ready)
        return;
    tree->is_ready = true;
    tree->on_ready(tree->arg);
}

/* The first load is complete: from now on the limit runs from its loss, and no more from that of an
 * earlier process. */
static void tree_serve_load(struct tree *tree)
{
    tree->is_served = true;
    if (tree->is_lost) { /* the load was had, but not the watch */
        tree_become_stale(tree);
    } else {
        uv_timer_stop(&tree->stale);
        tree_set_state(tree, ANSWER_FRESH);
    }
    tree_become_ready(tree);
}

/* What is older than the limit is not ready either. */
static void tree_serve_saved(struct tree *tree)
{
    uint64_t age_s, limit_ms = tree->stale_limit_ms;
    enum status status = saved_tree_load(&tree->saved, &age_s);
    uv_update_time(tree->stale.loop); /* that may have taken seconds */
    if (status != STATUS_OK)
        return;
    xfr_child_hold(tree->transfers, false);
    if (age_s >= limit_ms / 1000) {
        tree_on_stale_limit(&tree->stale);
        return;
    }
    tree_set_state(tree, ANSWER_STALE);
    uv_timer_start(&tree->stale, tree_on_stale_limit, limit_ms - age_s * 1000, 0);
    tree_become_ready(tree);
}

static void tree_on_load_begin(void *arg)
{
    struct tree *tree = arg;
    zone_load_begin(tree->zone);
    saved_tree_begin_load(&tree->saved);
    xfr_child_hold(tree->transfers, true);
}

/* A zone that lacks something is not fresh, and who wants a copy of it is refused: to be told that
 * what it lacks does not exist would be worse than none. */
static void tree_weigh_memory(struct tree *tree, bool is_short)
{
    xfr_child_break(tree->transfers, is_short || tree->is_lost);
    if (tree->is_served && !tree->is_lost)
        tree_set_state(tree, is_short ? ANSWER_STALE : ANSWER_FRESH);
}

/* A key as the zone wants it: without the root. */
static void tree_on_put(void *arg, const struct kv *kv)
{
    struct tree *tree = arg;
    if (kv->key_len < tree->root->len)
        return;
    xfr_child_hold(tree->transfers, true);
    uint64_t changes = zone_change_count(tree->zone);
    enum status status =
        zone_put(tree->zone, kv->key + tree->root->len, kv->key_len - tree->root->len, kv->value,
                 kv->value_len, kv->mod_revision, kv->lease);
    if (status == STATUS_OK) {
        saved_tree_put(&tree->saved, kv, zone_change_count(tree->zone) != changes);
        return;
    }
    /* Only for want of memory: what cannot be served is no error of zone_put(). */
    shortage_begin(&tree->shortage, status);
    tree_weigh_memory(tree, true);
}

static void tree_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    (void)revision;
    struct tree *tree = arg;
    xfr_child_hold(tree->transfers, true);
    if (key_len < tree->root->len)
        return;
    zone_remove(tree->zone, key + tree->root->len, key_len - tree->root->len);
    saved_tree_remove(&tree->saved, key, key_len);
}

static void tree_on_load_end(void *arg, int64_t revision)
{
    (void)revision;
    struct tree *tree = arg;
    /* Ready is said by the commit that follows: what was put is published there. */
    zone_load_end(tree->zone, saved_tree_on_swept, &tree->saved);
    tree->is_loaded = true;
}

static void tree_on_commit(void *arg, int64_t revision)
{
    struct tree *tree = arg;
    /* 0: a slice of a load. It can be asked for at once, but shows no revision: nothing may be
     * copied or called whole before the last one. */
    zone_commit(tree->zone, revision);
    bool is_whole = revision != 0 && !zone_is_partial(tree->zone);
    saved_tree_commit(&tree->saved, is_whole ? revision : 0);
    if (revision != 0)
        xfr_child_hold(tree->transfers, !is_whole);
    if (!is_whole)
        return;
    if (shortage_end(&tree->shortage))
        tree_weigh_memory(tree, false);
    if (tree->is_loaded && !tree->is_served)
        tree_serve_load(tree);
}

static void tree_lose_contact(struct tree *tree, const struct detail *why)
{
    contact_lose(&tree->contact, follow_lost_status(tree->follow), why,
                 follow_last_seen_ms(tree->follow), tree->is_ready);
    /* An outage is reported again for each further reason: the limit runs from the first. */
    if (tree->is_served && !tree->is_lost)
        tree_become_stale(tree);
    saved_tree_note_contact(&tree->saved);
    xfr_child_break(tree->transfers, true);
    tree->is_lost = true;
}

static void tree_on_connection(void *arg, bool is_live, const struct detail *why)
{
    struct tree *tree = arg;
    if (!is_live) {
        tree_lose_contact(tree, why);
        return;
    }
    if (tree->is_served)
        uv_timer_stop(&tree->stale);
    contact_regain(&tree->contact, etcd_last_endpoint(tree->etcd));
    tree->is_lost = false;
    /* Not simply fresh: some keys may still be without memory. */
    tree_weigh_memory(tree, zone_is_partial(tree->zone));
}

static uint64_t tree_on_count(void *arg)
{
    struct tree *tree = arg;
    struct zone_counts counts;
    zone_counts(tree->zone, &counts);
    return counts.keys;
}

void tree_init(struct tree *tree, uv_loop_t *loop)
{
    tree->state = ANSWER_NOT_READY;
    uv_timer_init(loop, &tree->stale);
    tree->stale.data = tree;
    contact_init(&tree->contact, loop, tree->log);
    shortage_init(&tree->shortage, loop, &tree->zone, &tree->follow, tree->log);
    tree->saved = (struct saved_tree){.log = tree->log,
                                      .root = tree->root,
                                      .zone = &tree->zone,
                                      .follow = &tree->follow,
                                      .guard = &tree->guard,
                                      .resolves_hosts = tree->resolves_hosts};
    saved_tree_init(&tree->saved, loop);
}

enum status tree_open_saved(struct tree *tree, const char *path, struct detail *why)
{
    return saved_tree_open(&tree->saved, path, why);
}

/* Before anything is in the zone: it has to know all that is. */
static enum status tree_open_guard(struct tree *tree, const struct follow_events *events)
{
    const struct guard_options options = {.share = tree->guard_share,
                                          .hold_ms = tree->guard_hold_ms,
                                          .root = tree->root,
                                          .etcd = tree->etcd,
                                          .loop = tree->stale.loop,
                                          .log = tree->log};
    return options.share > 0 ? guard_new(&options, events, tree, &tree->guard) : STATUS_OK;
}

/* Without a guard what follow reports comes here directly, and costs nothing more. */
static enum status tree_follow(struct tree *tree, const struct follow_events *events)
{
    struct kv_key prefix;
    key_prefix(tree->root, KEY_ALL, &prefix);
    if (!tree->guard)
        return follow_start(tree->etcd, prefix.text, prefix.len, events, tree, &tree->follow);
    return follow_start(tree->etcd, prefix.text, prefix.len, &guard_events, tree->guard,
                        &tree->follow);
}

enum status tree_start(struct tree *tree, struct etcd *etcd, struct detail *why)
{
    static const struct follow_events events = {.load_begin = tree_on_load_begin,
                                                .put = tree_on_put,
                                                .remove = tree_on_remove,
                                                .load_end = tree_on_load_end,
                                                .commit = tree_on_commit,
                                                .on_connection = tree_on_connection,
                                                .count = tree_on_count};
    tree->etcd = etcd;
    enum status status = tree_open_guard(tree, &events);
    if (status != STATUS_OK)
        return detail_set(why, status, "%s", status_text(status));
    tree_serve_saved(tree);
    status = saved_tree_start(&tree->saved, why);
    if (status != STATUS_OK)
        return status;
    status = tree_follow(tree, &events);
    return detail_set(why, status, "%s", status_text(status));
}

void tree_stop(struct tree *tree)
{
    uv_close((uv_handle_t *)&tree->stale, NULL);
    contact_close(&tree->contact);
    shortage_close(&tree->shortage);
    saved_tree_stop(&tree->saved);
    follow_stop(tree->follow);
    guard_close(tree->guard);
}
