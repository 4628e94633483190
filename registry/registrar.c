/* All changes are the same few steps; what tells them apart is a plan, which is asked what to do
 * about what is there: after the key was read, and again whenever another process was faster. */
#include "registrar.h"

#include "entry.h"
#include "lease_id.h"
#include "registry/base/ascii.h"
#include "registry/etcd/kv.h"
#include "registry/etcd/lease.h"

#include <stdlib.h>
#include <string.h>

#define REGISTRAR_TRIES      8    /* another process changed the key in between */
#define REGISTRAR_ONCE_MS    2000 /* then what became of a change that is sent once is looked up */
#define REGISTRAR_ONCE_TRIES 3

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The key as it was read. */
struct registrar_seen {
    char *value; /* owned; NULL: it is not there, and the rest is 0 */
    size_t value_len;
    int64_t lease, mod_revision, create_revision;
};

enum registrar_step {
    REGISTRAR_STOP,   /* `outcome` stands, or `status` */
    REGISTRAR_WRITE,  /* what is wanted; `outcome` stands when it is done */
    REGISTRAR_DELETE, /* the same */
    REGISTRAR_RENEW   /* the lease alone, as long as etcd knows it; else write */
};

struct registrar {
    struct etcd *etcd;
    registrar_done *done;
    void *arg;
    const struct registrar_traits *traits;
    struct registrar_seen seen;
    char *value; /* wanted; owned, as is expected */
    size_t value_len;
    char *expected;
    size_t expected_len;
    uint64_t ttl_s; /* of a lease of its own; 0: none */
    int64_t lease;  /* of what is written; 0: none, or not granted yet */
    enum registrar_step step;
    enum registrar_outcome outcome;
    int64_t sent_revision; /* at which the change was to find the key */
    unsigned tries_left, once_tries;
    bool is_resolving; /* the key is read to learn what became of an attempt */
    bool lacks_memory, is_starting, is_over;
    enum status status;
    struct detail why;
    struct kv_key key;
};

/* What tells the kinds of change apart. */
struct registrar_traits {
    /* Says what is to be done about what is there, and sets what that needs. */
    enum registrar_step (*plan)(struct registrar *registrar);
    bool is_once;     /* it must be known whether it was we */
    bool is_entry;    /* line ends behind the value do not count */
    bool is_draining; /* the state wanted */
};

static void registrar_read(struct registrar *registrar);
static void registrar_send(struct registrar *registrar);

static void registrar_free(struct registrar *registrar)
{
    free(registrar->seen.value);
    free(registrar->value);
    free(registrar->expected);
    free(registrar);
}

/* Before the call that began it has returned, that one says how it ended. */
static void registrar_end(struct registrar *registrar, enum status status, const struct detail *why)
{
    registrar->status = status;
    registrar->is_over = true;
    if (registrar->is_starting)
        return;
    registrar->done(registrar->arg, status, registrar->outcome, why);
    registrar_free(registrar);
}

static void registrar_fail(struct registrar *registrar, enum status status, const char *text)
{
    struct detail why;
    registrar_end(registrar, detail_set(&why, status, "%s", text), &why);
}

/* kv NULL: it is not there. False: no memory. */
static bool registrar_see(struct registrar *registrar, const struct kv *kv)
{
    free(registrar->seen.value);
    registrar->seen = (struct registrar_seen){0};
    if (!kv)
        return true;
    char *value = buffer_copy(kv->value, kv->value_len);
    if (value)
        registrar->seen = (struct registrar_seen){value, kv->value_len, kv->lease, kv->mod_revision,
                                                  kv->create_revision};
    return value;
}

static void registrar_on_granted(void *arg, const struct lease_result *result)
{
    struct registrar *registrar = arg;
    registrar->lease = result->id;
    if (result->status == STATUS_OK)
        registrar_send(registrar);
    else
        registrar_end(registrar, result->status, result->why);
}

/* Write or delete, under a lease of its own where one is wanted. One that was granted for an
 * earlier try serves the next: else each would leave a lease behind that holds nothing. */
static void registrar_change(struct registrar *registrar)
{
    int64_t id;
    if (registrar->ttl_s == 0 || registrar->lease != 0)
        registrar_send(registrar);
    else if (lease_id_new(registrar->ttl_s, &id) == STATUS_OK)
        lease_grant(registrar->etcd, id, registrar->ttl_s, registrar_on_granted, registrar);
    else
        registrar_fail(registrar, STATUS_SYSTEM, "no random number for a lease");
}

/* IDs say TTLs up to LEASE_ID_TTL_MAX_S; of longer ones only etcd knows what they are. */
static void registrar_on_renewed(void *arg, const struct lease_result *result)
{
    struct registrar *registrar = arg;
    bool is_other = result->status == STATUS_OK && registrar->ttl_s >= LEASE_ID_TTL_MAX_S &&
                    (uint64_t)result->granted_ttl_s != registrar->ttl_s;
    if (result->status != STATUS_NOT_FOUND && !is_other) {
        registrar_end(registrar, result->status, result->why);
        return;
    }
    registrar->step = REGISTRAR_WRITE;
    registrar->outcome = REGISTRAR_CHANGED;
    registrar_change(registrar);
}

/* What is to be done about what is there now. Attempts that were not answered belonged to what was
 * decided before: they do not count for this. */
static void registrar_decide(struct registrar *registrar)
{
    registrar->status = STATUS_OK;
    registrar->why = (struct detail){""};
    registrar->once_tries = 0;
    registrar->step = registrar->traits->plan(registrar);
    if (registrar->step == REGISTRAR_STOP)
        registrar_end(registrar, registrar->status, &registrar->why);
    else if (registrar->step == REGISTRAR_RENEW)
        lease_keep_alive(registrar->etcd, registrar->seen.lease, registrar_on_renewed, registrar);
    else
        registrar_change(registrar);
}

/* Whether what is there, which is not what the change was to find, is what it would have left. A
 * key that was made anew had been deleted before. */
static bool registrar_is_done(const struct registrar *registrar)
{
    const struct registrar_seen *seen = &registrar->seen;
    if (registrar->step == REGISTRAR_DELETE)
        return !seen->value || seen->create_revision > registrar->sent_revision;
    return seen->value && seen->lease == registrar->lease &&
           seen->value_len == registrar->value_len &&
           memcmp(seen->value, registrar->value, seen->value_len) == 0;
}

/* The key is not as the change was to find it. An attempt of ours may have done that, of which
 * nothing was heard; where it does not matter who, then it is done. */
static void registrar_settle(struct registrar *registrar)
{
    bool may_be_ours = !registrar->traits->is_once || registrar->once_tries > 0;
    if (may_be_ours && registrar_is_done(registrar))
        registrar_end(registrar, STATUS_OK, &registrar->why);
    else if (--registrar->tries_left > 0)
        registrar_decide(registrar);
    else
        registrar_fail(registrar, STATUS_CONFLICT, "it is changed by others all the time");
}

/* The key has been read because an attempt was not answered. As it was: that may still be on its
 * way, but it and another cannot both be done. */
static void registrar_resolve(struct registrar *registrar)
{
    registrar->is_resolving = false;
    registrar->once_tries++;
    if (registrar->seen.mod_revision != registrar->sent_revision)
        registrar_settle(registrar);
    else if (registrar->once_tries < REGISTRAR_ONCE_TRIES)
        registrar_send(registrar);
    else
        registrar_end(registrar, STATUS_TIMED_OUT, &registrar->why);
}

static bool registrar_each(void *arg, const struct kv *kv)
{
    struct registrar *registrar = arg;
    registrar->lacks_memory = !registrar_see(registrar, kv);
    return !registrar->lacks_memory;
}

static void registrar_on_read(void *arg, enum status status, const struct kv_range_result *result,
                              const struct detail *why)
{
    struct registrar *registrar = arg;
    (void)result;
    if (registrar->lacks_memory)
        registrar_fail(registrar, STATUS_NO_MEMORY, "out of memory");
    else if (status != STATUS_OK)
        registrar_end(registrar, status, why);
    else if (registrar->is_resolving)
        registrar_resolve(registrar);
    else
        registrar_decide(registrar);
}

static void registrar_read(struct registrar *registrar)
{
    struct kv_range range = {.key = registrar->key.text, .key_len = registrar->key.len};
    /* A key for which registrar_each() is not called is not there. */
    (void)registrar_see(registrar, NULL);
    kv_range(registrar->etcd, &range, registrar_each, registrar_on_read, registrar);
}

static void registrar_on_sent(void *arg, enum status status, const struct kv_txn_result *result,
                              const struct detail *why)
{
    struct registrar *registrar = arg;
    /* What may not be repeated may have been done only where it is TIMED_OUT (etcd.h). */
    if (status == STATUS_TIMED_OUT && registrar->traits->is_once) {
        registrar->why = *why;
        registrar->is_resolving = true;
        registrar_read(registrar);
    } else if (status != STATUS_OK || result->succeeded) {
        registrar_end(registrar, status, why);
    } else if (registrar_see(registrar, kv_guard_found(result))) {
        registrar_settle(registrar);
    } else {
        registrar_fail(registrar, STATUS_NO_MEMORY, "out of memory");
    }
}

/* A change of which it must be known who made it is sent once. With a time limit of its own: a
 * member whose leader was lost keeps silent for 7 s, and then nothing would be left of the client's
 * 5 s for looking what became of it. */
static void registrar_send(struct registrar *registrar)
{
    const struct kv_key *key = &registrar->key;
    struct kv_guard guard;
    struct kv_op op = {.kind = registrar->step == REGISTRAR_DELETE ? KV_DELETE : KV_PUT,
                       .key = key->text,
                       .key_len = key->len,
                       .value = registrar->value,
                       .value_len = registrar->value_len,
                       .lease = registrar->lease};
    registrar->sent_revision = registrar->seen.mod_revision;
    kv_guard_init(&guard, key->text, key->len, registrar->sent_revision, &op);
    guard.txn.is_idempotent = !registrar->traits->is_once;
    guard.txn.timeout_ms = registrar->traits->is_once ? REGISTRAR_ONCE_MS : 0;
    kv_txn(registrar->etcd, &guard.txn, registrar_on_sent, registrar);
}

static enum registrar_step registrar_stop(struct registrar *registrar,
                                          enum registrar_outcome outcome)
{
    registrar->outcome = outcome;
    return REGISTRAR_STOP;
}

/* Renewing is for a lease of ours: of others' the ID does not say which TTL they have. */
static enum registrar_step registrar_plan_put(struct registrar *registrar)
{
    const struct registrar_seen *seen = &registrar->seen;
    size_t len = registrar->traits->is_entry ? entry_text_len(seen->value, seen->value_len)
                                             : seen->value_len;
    bool is_first = registrar->tries_left == REGISTRAR_TRIES;
    bool is_same = seen->value && len == registrar->value_len &&
                   memcmp(seen->value, registrar->value, len) == 0;
    registrar->outcome = seen->value ? REGISTRAR_CHANGED : REGISTRAR_CREATED;
    if (!is_first || !is_same || registrar->ttl_s == 0 ||
        !lease_id_is_for(seen->lease, registrar->ttl_s))
        return REGISTRAR_WRITE;
    registrar->outcome = REGISTRAR_UNCHANGED;
    return REGISTRAR_RENEW;
}

static enum registrar_step registrar_plan_removal(struct registrar *registrar)
{
    if (!registrar->seen.value)
        return registrar_stop(registrar, REGISTRAR_ABSENT);
    registrar->outcome = REGISTRAR_CHANGED;
    return REGISTRAR_DELETE;
}

/* Write this instead of what is there, under the same lease. Takes `value` over. */
static enum registrar_step registrar_rewrite(struct registrar *registrar, char *value,
                                             size_t value_len, enum registrar_outcome outcome)
{
    if (!value) {
        registrar->status = detail_set(&registrar->why, STATUS_NO_MEMORY, "out of memory");
        return REGISTRAR_STOP;
    }
    free(registrar->value);
    registrar->value = value;
    registrar->value_len = value_len;
    registrar->lease = registrar->seen.lease;
    registrar->outcome = outcome;
    return REGISTRAR_WRITE;
}

static enum registrar_step registrar_plan_state(struct registrar *registrar)
{
    const struct registrar_seen *seen = &registrar->seen;
    char *value = NULL;
    size_t len;
    if (!seen->value)
        return registrar_stop(registrar, REGISTRAR_ABSENT);
    enum status status =
        entry_state_set(seen->value, seen->value_len, registrar->traits->is_draining, &value, &len,
                        &registrar->why);
    if (status == STATUS_CONFLICT) /* it has that state */
        return registrar_rewrite(registrar, buffer_copy(seen->value, seen->value_len),
                                 seen->value_len, REGISTRAR_UNCHANGED);
    if (status == STATUS_OK || status == STATUS_NO_MEMORY)
        return registrar_rewrite(registrar, value, len, REGISTRAR_CHANGED);
    return registrar_stop(registrar, REGISTRAR_UNFIT);
}

/* isspace() of the C locale, in any locale. */
static bool registrar_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool registrar_is_one_of(const char *const *words, size_t count, const char *text,
                                size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == len && ascii_equal(words[i], text, len))
            return true;
    return false;
}

static enum registrar_step registrar_plan_toggle(struct registrar *registrar)
{
    static const char *const on[] = {"yes", "true", "y", "on", "1", "enabled"};
    static const char *const off[] = {"no", "false", "n", "off", "0", "disabled"};
    const char *text = registrar->seen.value;
    size_t len = registrar->seen.value_len;
    if (!text)
        return registrar_stop(registrar, REGISTRAR_ABSENT);
    for (; len > 0 && registrar_is_blank(text[0]); len--)
        text++;
    while (len > 0 && registrar_is_blank(text[len - 1]))
        len--;
    if (registrar_is_one_of(on, COUNT(on), text, len))
        return registrar_rewrite(registrar, buffer_copy("no", 2), 2, REGISTRAR_DISABLED);
    if (registrar_is_one_of(off, COUNT(off), text, len))
        return registrar_rewrite(registrar, buffer_copy("yes", 3), 3, REGISTRAR_ENABLED);
    return registrar_stop(registrar, REGISTRAR_UNFIT);
}

static enum registrar_step registrar_plan_exchange(struct registrar *registrar)
{
    const struct registrar_seen *seen = &registrar->seen;
    size_t len = registrar->expected_len;
    if (seen->value &&
        (seen->value_len != len || memcmp(seen->value, registrar->expected, len) != 0))
        return registrar_stop(registrar, REGISTRAR_UNFIT);
    registrar->outcome = seen->value ? REGISTRAR_CHANGED : REGISTRAR_CREATED;
    return REGISTRAR_WRITE;
}

static const struct registrar_traits registrar_kinds[] = {
    [REGISTRAR_REGISTER] = {.plan = registrar_plan_put, .is_entry = true},
    [REGISTRAR_REMOVE] = {.plan = registrar_plan_removal},
    [REGISTRAR_DRAIN] = {.plan = registrar_plan_state, .is_draining = true},
    [REGISTRAR_UNDRAIN] = {.plan = registrar_plan_state},
    [REGISTRAR_SET_SWITCH] = {.plan = registrar_plan_put},
    [REGISTRAR_TOGGLE_SWITCH] = {.plan = registrar_plan_toggle, .is_once = true},
    [REGISTRAR_EXCHANGE_SWITCH] = {.plan = registrar_plan_exchange, .is_once = true},
};

enum status registrar_start(struct etcd *etcd, const struct registrar_change *change,
                            registrar_done *done, void *arg)
{
    struct registrar *registrar = calloc(1, sizeof(*registrar));
    if (!registrar)
        return STATUS_NO_MEMORY;
    registrar->etcd = etcd;
    registrar->done = done;
    registrar->arg = arg;
    registrar->traits = &registrar_kinds[change->kind];
    registrar->key = *change->key;
    registrar->value = buffer_copy(change->value, change->value_len);
    registrar->value_len = change->value_len;
    registrar->expected = buffer_copy(change->expected, change->expected_len);
    registrar->expected_len = change->expected_len;
    registrar->ttl_s = change->ttl_s;
    /* Who turns a switch over and loses the race is late: to turn it once more would undo what the
     * winner, who may have wanted the same, has done. */
    registrar->tries_left = change->kind == REGISTRAR_TOGGLE_SWITCH ? 1 : REGISTRAR_TRIES;
    registrar->is_starting = true;
    if (registrar->value && registrar->expected)
        registrar_read(registrar);
    else
        registrar_fail(registrar, STATUS_NO_MEMORY, "out of memory");
    registrar->is_starting = false;
    /* Without memory the client's answer comes from inside the call. */
    if (registrar->is_over) {
        enum status status = registrar->status;
        registrar_free(registrar);
        return status;
    }
    return STATUS_OK;
}
