#include "keeper.h"

#include "state.h"
#include "trouble.h"

#include "registry/lease.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MS_PER_S 1000

struct keeper {
    struct session *session;
    const struct registration *registration;
    char *value; /* what the entry should be: as registered, or with the state changed */
    size_t value_len;
    int64_t lease;      /* 0: none, or none yet */
    int64_t lost_lease; /* the one before */
    int64_t revision;   /* of our last write */
    uv_timer_t beat, deadline;
    uv_signal_t on_term, on_int;
    uint64_t beat_ms; /* when this beat began */
    struct trouble trouble;
    struct detail why; /* the last one */
    bool is_registered, is_busy, is_leaving, is_over;
    int exit_status;
};

static void begin_beat(struct keeper *keeper);
static void leave(struct keeper *keeper);

static void say(struct keeper *keeper, enum log_level level, const char *what)
{
    const struct registration_id *id = &keeper->registration->id;
    log_printf(keeper->session->log, level, "service %s (%s) %s", id->name, id->type, what);
}

static void end(struct keeper *keeper, int exit_status)
{
    keeper->is_over = true;
    keeper->exit_status = exit_status;
    uv_stop(&keeper->session->loop);
}

static void on_beat(uv_timer_t *timer)
{
    begin_beat(timer->data);
}

static void wait_until_next(struct keeper *keeper, uint64_t delay_ms)
{
    keeper->is_busy = false;
    if (keeper->is_leaving)
        leave(keeper);
    else
        uv_timer_start(&keeper->beat, on_beat, delay_ms, 0);
}

/* A beat's end, as it should be. */
static void rest(struct keeper *keeper)
{
    if (trouble_end(&keeper->trouble))
        log_printf(keeper->session->log, LOG_LEVEL_INFO, "etcd answers again: %s",
                   etcd_last_endpoint(keeper->session->etcd));
    uint64_t now_ms = uv_now(&keeper->session->loop);
    uint64_t due_ms = keeper->beat_ms + keeper->registration->refresh_s * MS_PER_S;
    wait_until_next(keeper, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* A beat's end when etcd did not do what it should. */
static void retry(struct keeper *keeper, enum status status, const struct detail *why)
{
    keeper->why = *why;
    if (!keeper->is_registered && trouble_is_hopeless(status)) {
        end(keeper, session_report(keeper->session->log, status, why));
        return;
    }
    if (trouble_is_new(&keeper->trouble, status))
        log_printf(keeper->session->log, LOG_LEVEL_WARNING, "service %s (%s): %s (trying again)",
                   keeper->registration->id.name, keeper->registration->id.type, why->text);
    uint64_t refresh_ms = keeper->registration->refresh_s * MS_PER_S;
    uint64_t delay_ms = trouble_delay_ms(&keeper->trouble);
    wait_until_next(keeper, delay_ms < refresh_ms ? delay_ms : refresh_ms);
}

/* The lease of the entry is gone: another one at the next try. */
static void lose_lease(struct keeper *keeper)
{
    keeper->lost_lease = keeper->lease;
    keeper->lease = 0;
}

static struct kv_compare compare(const struct keeper *keeper, enum kv_target target, int64_t number)
{
    const struct tree_key *key = &keeper->registration->id.key;
    return (struct kv_compare){.key = key->text,
                               .key_len = key->len,
                               .target = target,
                               .result = KV_EQUAL,
                               .number = number,
                               .value = keeper->value,
                               .value_len = keeper->value_len};
}

static struct kv_op operation(const struct keeper *keeper, enum kv_op_kind kind)
{
    const struct tree_key *key = &keeper->registration->id.key;
    bool is_put = kind == KV_PUT;
    return (struct kv_op){.kind = kind,
                          .key = key->text,
                          .key_len = key->len,
                          .value = is_put ? keeper->value : NULL,
                          .value_len = is_put ? keeper->value_len : 0,
                          .lease = is_put ? keeper->lease : 0};
}

static void on_written(void *arg, enum status status, const struct kv_txn_result *result,
                       const struct detail *why)
{
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status == STATUS_OK && !result->succeeded) {
        /* Somebody wrote after we had looked: look again. */
        struct detail changed;
        retry(keeper, detail_set(&changed, STATUS_CONFLICT, "the entry is being changed"),
              &changed);
        return;
    }
    if (status != STATUS_OK) {
        if (status == STATUS_NOT_FOUND)
            lose_lease(keeper);
        retry(keeper, status, why);
        return;
    }
    keeper->revision = result->revision;
    if (!keeper->is_registered)
        say(keeper, LOG_LEVEL_INFO, "registered");
    keeper->is_registered = true;
    rest(keeper);
}

/* Write the entry: whatever is there (seen_revision < 0), or only where its revision is still this
 * (0: it is not there). */
static void write_entry(struct keeper *keeper, int64_t seen_revision)
{
    struct kv_compare unchanged = compare(keeper, KV_MOD_REVISION, seen_revision);
    struct kv_op put = operation(keeper, KV_PUT);
    struct kv_txn txn = {.compares = &unchanged,
                         .compare_count = seen_revision >= 0,
                         .success = &put,
                         .success_count = 1,
                         .is_idempotent = true};
    kv_txn(keeper->session->etcd, &txn, on_written, keeper);
}

/* `service drain` or `undrain` did it: our value with the other state. Then that is what we keep.
 */
static bool adopt_state(struct keeper *keeper, const struct kv *found)
{
    bool is_draining;
    if (found->lease != keeper->lease ||
        !state_differs_only(keeper->value, keeper->value_len, found->value, found->value_len,
                            &is_draining))
        return false;
    char *value = strndup(found->value, found->value_len);
    if (!value)
        return false;
    free(keeper->value);
    keeper->value = value;
    keeper->value_len = found->value_len;
    keeper->revision = found->mod_revision;
    say(keeper, LOG_LEVEL_INFO, is_draining ? "is draining" : "is up again");
    return true;
}

static bool is_ours(const struct keeper *keeper, const struct kv *found)
{
    return (found->lease == keeper->lease || found->lease == keeper->lost_lease) &&
           found->value_len == keeper->value_len &&
           memcmp(found->value, keeper->value, found->value_len) == 0;
}

static void put_back(struct keeper *keeper, const struct kv *found)
{
    if (found && adopt_state(keeper, found)) {
        rest(keeper);
        return;
    }
    if (!found)
        say(keeper, LOG_LEVEL_INFO, "had vanished: putting it back");
    else if (!is_ours(keeper, found))
        say(keeper, LOG_LEVEL_WARNING, "was changed by another process: putting it back");
    write_entry(keeper, found ? found->mod_revision : 0);
}

static const struct kv *found_kv(const struct kv_txn_result *result)
{
    bool has_one = !result->succeeded && result->op_count > 0 && result->ops[0].kv_count > 0;
    return has_one ? &result->ops[0].kvs[0] : NULL;
}

static void on_checked(void *arg, enum status status, const struct kv_txn_result *result,
                       const struct detail *why)
{
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status != STATUS_OK) {
        retry(keeper, status, why);
    } else if (result->succeeded) {
        if (keeper->lease == 0)
            keeper->revision = result->revision;
        say(keeper, LOG_LEVEL_DEBUG, "refreshed");
        rest(keeper);
    } else {
        put_back(keeper, found_kv(result));
    }
}

static void check_entry(struct keeper *keeper)
{
    if (!keeper->is_registered) {
        write_entry(keeper, -1);
        return;
    }
    struct kv_compare compares[] = {compare(keeper, KV_VALUE, 0),
                                    compare(keeper, KV_LEASE, keeper->lease)};
    struct kv_op put = operation(keeper, KV_PUT), get = operation(keeper, KV_GET);
    /* Without a lease a beat is a write: that is what `--refresh-every` alone has always meant. */
    struct kv_txn txn = {.compares = compares,
                         .compare_count = 2,
                         .success = &put,
                         .success_count = keeper->lease == 0,
                         .failure = &get,
                         .failure_count = 1,
                         .is_idempotent = true};
    kv_txn(keeper->session->etcd, &txn, on_checked, keeper);
}

static void on_granted(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                       int64_t left_s, const struct detail *why)
{
    (void)granted_ttl_s;
    (void)left_s;
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status != STATUS_OK) {
        retry(keeper, status, why);
        return;
    }
    keeper->lease = id;
    check_entry(keeper);
}

static void grant(struct keeper *keeper)
{
    int64_t id;
    enum status status = lease_new_id(keeper->registration->ttl_s, &id);
    if (status == STATUS_OK) {
        lease_grant(keeper->session->etcd, id, keeper->registration->ttl_s, on_granted, keeper);
        return;
    }
    struct detail why;
    retry(keeper, detail_set(&why, status, "no random number for a lease"), &why);
}

static void on_kept(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                    int64_t left_s, const struct detail *why)
{
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status == STATUS_NOT_FOUND) {
        say(keeper, LOG_LEVEL_INFO, "lost its lease: asking for another");
        lose_lease(keeper);
        grant(keeper);
    } else if (status != STATUS_OK) {
        retry(keeper, status, why);
    } else {
        check_entry(keeper);
    }
}

static void begin_beat(struct keeper *keeper)
{
    keeper->is_busy = true;
    keeper->beat_ms = uv_now(&keeper->session->loop);
    if (keeper->registration->ttl_s == 0)
        check_entry(keeper);
    else if (keeper->lease == 0)
        grant(keeper);
    else
        lease_keep_alive(keeper->session->etcd, keeper->lease, on_kept, keeper);
}

static void on_revoked(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                       int64_t left_s, const struct detail *why)
{
    /* What cannot be revoked expires. */
    (void)status;
    (void)id;
    (void)granted_ttl_s;
    (void)left_s;
    (void)why;
    struct keeper *keeper = arg;
    if (!keeper->is_over)
        end(keeper, 0);
}

static void give_back_lease(struct keeper *keeper)
{
    if (keeper->lease != 0)
        lease_revoke(keeper->session->etcd, keeper->lease, on_revoked, keeper);
    else
        end(keeper, 0);
}

static void give_up_leaving(struct keeper *keeper, const char *reason)
{
    const struct registration *registration = keeper->registration;
    if (!keeper->is_registered) {
        end(keeper, 0);
        return;
    }
    log_printf(keeper->session->log, LOG_LEVEL_ERROR,
               "service %s (%s) could not be unregistered: %s (%s)", registration->id.name,
               registration->id.type, reason,
               registration->ttl_s > 0 ? "it goes when its TTL is over"
                                       : "unregister it when etcd is back");
    end(keeper, 1);
}

static void on_left(void *arg, enum status status, const struct kv_txn_result *result,
                    const struct detail *why)
{
    struct keeper *keeper = arg;
    if (keeper->is_over)
        return;
    if (status != STATUS_OK) {
        give_up_leaving(keeper, why->text);
        return;
    }
    const struct kv *found = found_kv(result);
    if (result->succeeded) {
        say(keeper, LOG_LEVEL_INFO, "unregistered");
    } else if (!found) {
        say(keeper, LOG_LEVEL_INFO, "already unregistered");
    } else if (adopt_state(keeper, found)) {
        leave(keeper);
        return;
    } else {
        say(keeper, LOG_LEVEL_WARNING, "was changed by another process: left as it is");
        if (found->lease == keeper->lease)
            keeper->lease = 0; /* revoking would delete it */
    }
    give_back_lease(keeper);
}

/* Delete the entry where it is still our own. */
static void leave(struct keeper *keeper)
{
    struct kv_compare compares[] = {
        compare(keeper, KV_VALUE, 0),
        keeper->lease != 0 ? compare(keeper, KV_LEASE, keeper->lease)
                           : compare(keeper, KV_MOD_REVISION, keeper->revision),
    };
    struct kv_op delete = operation(keeper, KV_DELETE), get = operation(keeper, KV_GET);
    struct kv_txn txn = {.compares = compares,
                         .compare_count = 2,
                         .success = &delete,
                         .success_count = 1,
                         .failure = &get,
                         .failure_count = 1,
                         .is_idempotent = true,
                         .timeout_ms = KEEPER_LEAVE_MS};
    kv_txn(keeper->session->etcd, &txn, on_left, keeper);
}

static void on_deadline(uv_timer_t *timer)
{
    struct keeper *keeper = timer->data;
    give_up_leaving(keeper,
                    keeper->trouble.backoff_ms > 0 ? keeper->why.text : "no answer in time");
}

/* A request under way is waited for, lest what it writes comes after the deletion. */
static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    struct keeper *keeper = signal->data;
    if (keeper->is_leaving) {
        give_up_leaving(keeper, "a second signal came");
        return;
    }
    keeper->is_leaving = true;
    uv_timer_stop(&keeper->beat);
    uv_timer_start(&keeper->deadline, on_deadline, KEEPER_LEAVE_MS, 0);
    if (!keeper->is_busy)
        leave(keeper);
}

static void start(struct keeper *keeper)
{
    uv_loop_t *loop = &keeper->session->loop;
    uv_timer_init(loop, &keeper->beat);
    uv_timer_init(loop, &keeper->deadline);
    uv_signal_init(loop, &keeper->on_term);
    uv_signal_init(loop, &keeper->on_int);
    keeper->beat.data = keeper->deadline.data = keeper;
    keeper->on_term.data = keeper->on_int.data = keeper;
    uv_signal_start(&keeper->on_term, on_signal, SIGTERM);
    uv_signal_start(&keeper->on_int, on_signal, SIGINT);
    begin_beat(keeper);
}

static void stop(struct keeper *keeper)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&keeper->beat, (uv_handle_t *)&keeper->deadline,
                              (uv_handle_t *)&keeper->on_term, (uv_handle_t *)&keeper->on_int};
    for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
        uv_close(handles[i], NULL);
    session_disconnect(keeper->session);
}

int keeper_run(struct session *session, const struct registration *registration)
{
    struct keeper keeper = {.session = session,
                            .registration = registration,
                            .value = strdup(registration->value),
                            .value_len = registration->value_len};
    if (!keeper.value) {
        detail_set(&session->why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
        return session_fail(session, STATUS_NO_MEMORY);
    }
    start(&keeper);
    uv_run(&session->loop, UV_RUN_DEFAULT);
    stop(&keeper);
    free(keeper.value);
    return keeper.exit_status;
}
