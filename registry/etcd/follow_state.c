#include "follow_state.h"

#include "registry/base/backoff.h"
#include "registry/base/siphash.h"

#include <string.h>

#define FOLLOW_PAUSE_MS     250U
#define FOLLOW_PAUSE_MAX_MS 1000 /* an answer is to be right soon after etcd is back */
#define FOLLOW_RELOAD_MS    1000 /* between the beginnings of two loads */

uint64_t follow_state_now_ms(const struct follow *follow)
{
    return uv_now(follow->etcd->loop);
}

void follow_state_end_proof(struct follow *follow)
{
    if (follow->proof.range)
        range_cancel(follow->proof.range);
    if (follow->proof.watch)
        watch_stop(follow->proof.watch);
    follow->proof = (struct follow_proof){.step = FOLLOW_PROOF_NONE};
}

void follow_state_end_rivals(struct follow *follow)
{
    for (size_t i = 0; i < ENDPOINT_LIST_MAX; i++) {
        if (follow->rivals[i].range)
            range_cancel(follow->rivals[i].range);
        follow->rivals[i].range = NULL;
    }
}

void follow_state_halt(struct follow *follow)
{
    /* Any of these may be what calls this: none of them calls back once it is cancelled. */
    if (follow->load)
        range_cancel(follow->load);
    if (follow->probe)
        range_cancel(follow->probe);
    follow_state_end_rivals(follow);
    if (follow->check)
        follow_check_cancel(follow->check);
    if (follow->watch)
        watch_stop(follow->watch);
    follow_state_end_proof(follow);
    follow->load = follow->probe = NULL;
    follow->check = NULL;
    follow->watch = NULL;
    follow->probes_failed = 0;
    uv_timer_stop(&follow->timer);
}

void follow_state_pause(struct follow *follow, uint32_t pause_ms)
{
    follow->state = FOLLOW_PAUSED;
    uv_timer_start(&follow->timer, follow->on_timer, pause_ms, 0);
}

void follow_state_set_live(struct follow *follow)
{
    follow->reason_count = 0;
    if (follow->connection == FOLLOW_CONNECTION_LIVE)
        return;
    follow->connection = FOLLOW_CONNECTION_LIVE;
    follow->events.on_connection(follow->arg, true, &(struct detail){""});
}

/* Whether this outage has not had this reason yet: two that alternate are told once, and a server
 * with ever new ones does not fill the log. */
static bool follow_state_is_new_reason(struct follow *follow, const char *text)
{
    uint64_t hash;
    siphash(follow->ledger.seed, text, strlen(text), (uint8_t *)&hash);
    for (unsigned i = 0; i < follow->reason_count; i++)
        if (follow->reasons[i] == hash)
            return false;
    if (follow->reason_count == FOLLOW_REASONS_MAX)
        return false;
    follow->reasons[follow->reason_count++] = hash;
    return true;
}

/* Told on a change, also of the reason; that access is denied now, or no longer, is always one. */
static void follow_state_set_lost(struct follow *follow, enum status status,
                                  const struct detail *why)
{
    bool is_change = follow->connection != FOLLOW_CONNECTION_LOST ||
                     (status == STATUS_DENIED) != (follow->lost_status == STATUS_DENIED);
    if (follow->connection != FOLLOW_CONNECTION_LOST) {
        follow->reason_count = 0;
        follow->facts.outages++;
    }
    follow->connection = FOLLOW_CONNECTION_LOST;
    follow->lost_status = status;
    if (follow_state_is_new_reason(follow, why->text) || is_change)
        follow->events.on_connection(follow->arg, false, why);
}

void follow_state_fail(struct follow *follow, enum status status, const struct detail *why)
{
    uint32_t pause_ms =
        backoff_jitter(backoff_pause(FOLLOW_PAUSE_MS, FOLLOW_PAUSE_MAX_MS, follow->failures++));
    follow_state_halt(follow);
    follow_state_pause(follow, pause_ms);
    follow_state_set_lost(follow, status, why);
}

void follow_state_reload(struct follow *follow, const char *reason)
{
    follow_state_reload_at(follow, LOG_LEVEL_INFO, reason);
}

void follow_state_reload_at(struct follow *follow, enum log_level level, const char *reason)
{
    log_printf(&follow->etcd->log, level, "loading the tree again: %s", reason);
    follow_state_halt(follow);
    follow->facts.reloads++;
    follow->needs_load = true;
    /* A store that differs after each load must not be read without a pause. */
    bool is_soon = follow_state_now_ms(follow) - follow->load_began_ms < FOLLOW_RELOAD_MS;
    follow_state_pause(follow, is_soon ? FOLLOW_RELOAD_MS : 0);
}

/* False: there is a newer one, since a second watch or a read tells what is older, too. A key for
 * which there is no memory is none. */
static bool follow_state_note(struct follow *follow, const char *key, size_t key_len,
                              int64_t revision, bool is_deleted)
{
    struct follow_check_newest_key *newest_key = &follow->newest_key;
    if (revision < newest_key->mod_revision)
        return false;
    buffer_reset(&newest_key->key);
    buffer_add(&newest_key->key, key, key_len);
    if (newest_key->key.status != STATUS_OK)
        buffer_reset(&newest_key->key);
    newest_key->is_deleted = is_deleted;
    newest_key->mod_revision = revision;
    return true;
}

void follow_state_note_put(struct follow *follow, const struct kv *kv)
{
    struct follow_check_newest_key *newest_key = &follow->newest_key;
    if (!follow_state_note(follow, kv->key, kv->key_len, kv->mod_revision, false))
        return;
    newest_key->create_revision = kv->create_revision;
    newest_key->version = kv->version;
    newest_key->hash = follow_check_hash(kv);
}

void follow_state_abandon_member(struct follow *follow, enum status status,
                                 const struct detail *why)
{
    member_fail(follow->member, follow_state_now_ms(follow), status, why->text);
    /* Until another member is reached, the store may be wiped or restored. */
    follow->needs_check = true;
    follow_state_fail(follow, status, why);
}

/* The reply's header is what is wanted, whether or not that key is there. It is within the range
 * that is followed: to read outside of it may not be permitted. */
struct range *follow_state_ask(struct follow *follow, struct member *member, uint32_t timeout_ms,
                               kv_range_done *done, void *arg)
{
    struct kv_range range = {.key = follow->prefix.text,
                             .key_len = follow->prefix.len,
                             .keys_only = true,
                             .timeout_ms = timeout_ms};
    return range_start(follow->etcd, &range, member, NULL, done, arg);
}

static bool follow_state_is_amid(const struct follow *follow)
{
    return (follow->watch && (follow->amid & LEDGER_FOLLOWED)) ||
           (follow->proof.watch && (follow->amid & LEDGER_REPLAYED));
}

void follow_state_commit(struct follow *follow)
{
    if (!follow->has_told || follow->told > follow->revision || follow_state_is_amid(follow))
        return;
    follow->has_told = false;
    follow->events.commit(follow->arg, follow->revision);
}

static bool follow_state_take(struct follow *follow, const char *key, size_t key_len,
                              int64_t revision, enum ledger_source source)
{
    if (!ledger_take(&follow->ledger, key, key_len, revision, source))
        return false;
    /* Later than its proof: the watch that it rested on had not told all yet. */
    follow->facts.repairs += revision <= follow->ledger.proven;
    follow->has_told = true;
    /* A read brings single keys that were lost, and not all that stands under their revision. */
    if (source == LEDGER_READ)
        return true;
    if (revision <= follow->revision)
        follow->amid |= source;
    if (revision > follow->told)
        follow->told = revision;
    return true;
}

void follow_state_put(struct follow *follow, const struct kv *kv, enum ledger_source source)
{
    if (!follow_state_take(follow, kv->key, kv->key_len, kv->mod_revision, source))
        return;
    follow_state_note_put(follow, kv);
    follow->events.put(follow->arg, kv);
}

void follow_state_remove(struct follow *follow, const char *key, size_t key_len, int64_t revision,
                         enum ledger_source source)
{
    if (!follow_state_take(follow, key, key_len, revision, source))
        return;
    (void)follow_state_note(follow, key, key_len, revision, true);
    follow->events.remove(follow->arg, key, key_len, revision);
}

void follow_state_begin_watch(struct follow *follow, enum ledger_source source)
{
    follow->amid &= ~(unsigned)source;
}

void follow_state_end_line(struct follow *follow, enum ledger_source source, int64_t revision)
{
    follow->amid &= ~(unsigned)source;
    if (revision > follow->revision)
        follow->revision = revision;
    if (revision > follow->newest)
        follow->newest = revision;
    follow_state_commit(follow);
}

bool follow_state_is_small(const struct follow *follow)
{
    return follow->events.count && follow->events.count(follow->arg) <= follow->proving.read_max;
}
