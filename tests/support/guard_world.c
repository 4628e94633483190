#include "guard_world.h"

#include <stdlib.h>

struct guard_world guard_world;

static const struct key_root guard_world_root = {"/foo", 4};

static struct kv_key guard_world_key(unsigned type, unsigned instance)
{
    struct kv_key key;
    key.len = (size_t)snprintf(key.text, sizeof(key.text), "/foo/service/%c/i%u", 'a' + (char)type,
                               instance);
    return key;
}

/* The owner, who needs no memory. */

/* False: it is a key of another kind. */
static bool guard_world_read_key(const char *key, size_t len, unsigned *type, unsigned *instance)
{
    char text[64], letter;
    snprintf(text, sizeof(text), "%.*s", (int)len, key);
    if (sscanf(text, "/foo/service/%c/i%u", &letter, instance) != 2)
        return false;
    *type = (unsigned)(letter - 'a');
    return true;
}

static void guard_world_show(unsigned type, unsigned i, bool is_there, int64_t lease)
{
    guard_world.shown_count += is_there;
    guard_world.shown_count -= guard_world.shown[type][i].is_there;
    guard_world.shown[type][i].is_there = guard_world.shown[type][i].is_marked = is_there;
    guard_world.shown[type][i].lease = lease;
}

static void guard_world_on_load_begin(void *arg)
{
    (void)arg;
    guard_world.is_loading = true;
    for (unsigned type = 0; type < WORLD_TYPES; type++)
        for (unsigned i = 0; i < WORLD_INSTANCES; i++)
            guard_world.shown[type][i].is_marked = false;
}

static void guard_world_on_put(void *arg, const struct kv *kv)
{
    (void)arg;
    unsigned type, i;
    guard_world.puts++;
    if (guard_world_read_key(kv->key, kv->key_len, &type, &i))
        guard_world_show(type, i, true, kv->lease);
    else
        guard_world.others++;
}

static void guard_world_on_remove(void *arg, const char *key, size_t key_len, int64_t revision)
{
    (void)arg, (void)revision;
    unsigned type, i;
    guard_world.removes++;
    if (guard_world_read_key(key, key_len, &type, &i))
        guard_world_show(type, i, false, 0);
    else if (guard_world.others > 0)
        guard_world.others--;
}

static void guard_world_on_load_end(void *arg, int64_t revision)
{
    (void)arg, (void)revision;
    guard_world.is_loading = false;
    for (unsigned type = 0; type < WORLD_TYPES; type++)
        for (unsigned i = 0; i < WORLD_INSTANCES; i++)
            if (!guard_world.shown[type][i].is_marked)
                guard_world_show(type, i, false, 0);
}

static void guard_world_on_commit(void *arg, int64_t revision)
{
    (void)arg;
    assert_true((revision == 0) == guard_world.is_loading);
    guard_world.commits++;
    guard_world.committed = revision;
}

static void guard_world_on_connection(void *arg, bool is_live, const struct detail *why)
{
    (void)arg, (void)is_live, (void)why;
}

static uint64_t guard_world_on_count(void *arg)
{
    (void)arg;
    return guard_world.shown_count + guard_world.others;
}

static const struct follow_events guard_world_owner = {.load_begin = guard_world_on_load_begin,
                                                       .put = guard_world_on_put,
                                                       .remove = guard_world_on_remove,
                                                       .load_end = guard_world_on_load_end,
                                                       .commit = guard_world_on_commit,
                                                       .on_connection = guard_world_on_connection,
                                                       .count = guard_world_on_count};

static const struct follow_events *guard_world_events(void)
{
    return guard_world.guard ? &guard_events : &guard_world_owner;
}

static void guard_world_write_log(void *arg, enum log_level level, const char *kind,
                                  const char *text)
{
    (void)arg, (void)kind;
    size_t len = strlen(guard_world.log);
    snprintf(guard_world.log + len, sizeof(guard_world.log) - len, "%d %s\n", (int)level, text);
}

static const struct log guard_world_log = {guard_world_write_log, NULL};

enum status guard_world_try_open(unsigned share, uint64_t hold_ms)
{
    struct guard_options options = {.share = share,
                                    .hold_ms = hold_ms,
                                    .root = &guard_world_root,
                                    .etcd = fake_etcd(),
                                    .loop = fake_loop(),
                                    .log = &guard_world_log};
    fake_reset();
    memset(&guard_world, 0, sizeof(guard_world));
    guard_world.ttl_s = WORLD_TTL_S;
    guard_world.revision = 1;
    return share == 0 ? STATUS_OK
                      : guard_new(&options, &guard_world_owner, NULL, &guard_world.guard);
}

void guard_world_open(unsigned share, uint64_t hold_ms)
{
    assert_int_equal(guard_world_try_open(share, hold_ms), STATUS_OK);
}

int guard_world_setup(void **state)
{
    (void)state;
    guard_world_open(GUARD_WORLD_SHARE, GUARD_WORLD_HOLD_MS);
    return 0;
}

int guard_world_teardown(void **state)
{
    (void)state;
    guard_world_close();
    return 0;
}

void guard_world_close(void)
{
    guard_close(guard_world.guard);
    fake_close();
}

/* etcd */

static int64_t *guard_world_lease(unsigned type, unsigned instance)
{
    return &guard_world.leases[type][guard_world.is_sharing ? instance / WORLD_SHARED * WORLD_SHARED
                                                            : instance];
}

static void guard_world_put(unsigned type, unsigned i)
{
    struct kv_key key = guard_world_key(type, i);
    struct kv kv = {.key = key.text,
                    .key_len = key.len,
                    .value = "10.1.2.3:80",
                    .value_len = 11,
                    .mod_revision = guard_world.instances[type][i].revision,
                    .lease = guard_world.instances[type][i].lease};
    guard_world_events()->put(guard_world.guard, &kv);
}

static void guard_world_commit(void)
{
    assert_true(!guard_world.guard ||
                guard_events.count(guard_world.guard) <= guard_world_on_count(NULL));
    guard_world_events()->commit(guard_world.guard, guard_world.revision);
}

static void guard_world_write(unsigned type, unsigned first, unsigned count, bool is_bare)
{
    guard_world.revision++;
    for (unsigned i = first; i < first + count; i++) {
        int64_t *lease = guard_world_lease(type, i);
        if (!is_bare && !fake_has_lease(*lease)) {
            assert_int_equal(lease_id_new(guard_world.ttl_s, lease), STATUS_OK);
            fake_grant(*lease, 1000000); /* they are renewed */
        }
        guard_world.instances[type][i].is_there = true;
        guard_world.instances[type][i].lease = is_bare ? 0 : *lease;
        guard_world.instances[type][i].revision = guard_world.revision;
        guard_world_put(type, i);
    }
    guard_world_commit();
}

void guard_world_register(unsigned type, unsigned first, unsigned count)
{
    guard_world_write(type, first, count, false);
}

void guard_world_register_bare(unsigned type, unsigned first, unsigned count)
{
    guard_world_write(type, first, count, true);
}

static void guard_world_forget(unsigned type, unsigned i, bool is_expired)
{
    if (is_expired)
        fake_forget_lease(guard_world.instances[type][i].lease);
    guard_world.instances[type][i].is_there = false;
}

static void guard_world_lose(unsigned type, unsigned first, unsigned count, bool is_expired)
{
    guard_world.revision++;
    for (unsigned i = first; i < first + count; i++) {
        struct kv_key key = guard_world_key(type, i);
        guard_world_forget(type, i, is_expired);
        guard_world_events()->remove(guard_world.guard, key.text, key.len, guard_world.revision);
    }
    guard_world_commit();
}

void guard_world_expire(unsigned type, unsigned first, unsigned count)
{
    guard_world_lose(type, first, count, true);
}

void guard_world_delete(unsigned type, unsigned first, unsigned count)
{
    guard_world_lose(type, first, count, false);
}

void guard_world_miss(unsigned type, unsigned first, unsigned count, bool is_expired)
{
    guard_world.revision++;
    for (unsigned i = first; i < first + count; i++)
        guard_world_forget(type, i, is_expired);
}

static void guard_world_begin_load(unsigned part)
{
    guard_world_events()->load_begin(guard_world.guard);
    for (unsigned type = 0; type < WORLD_TYPES; type++)
        for (unsigned i = 0; i < WORLD_INSTANCES / part; i++)
            if (guard_world.instances[type][i].is_there)
                guard_world_put(type, i);
}

void guard_world_load_broken_off(void)
{
    guard_world_begin_load(2);
    guard_world_events()->commit(guard_world.guard, 0);
}

void guard_world_load_for(uint64_t ms)
{
    guard_world_begin_load(1);
    guard_world_events()->commit(guard_world.guard, 0);
    fake_run_for(ms);
    guard_world_events()->load_end(guard_world.guard, guard_world.revision);
    guard_world_commit();
}

void guard_world_load(void)
{
    guard_world_load_for(0);
}

void guard_world_set_contact(bool is_live)
{
    guard_world_events()->on_connection(guard_world.guard, is_live, &(struct detail){""});
}

/* What is shown */

bool guard_world_is_shown(unsigned type, unsigned instance)
{
    return guard_world.shown[type][instance].is_there;
}

unsigned guard_world_shown(unsigned type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < WORLD_INSTANCES; i++)
        count += guard_world_is_shown(type, i);
    return count;
}

unsigned guard_world_shown_short(unsigned type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < WORLD_INSTANCES; i++) {
        uint32_t ttl_s = lease_id_ttl_s(guard_world.shown[type][i].lease);
        count += ttl_s > 0 && ttl_s <= 10;
    }
    return count;
}

struct guard_counts guard_world_counts(void)
{
    struct guard_counts counts = {0};
    if (guard_world.guard)
        guard_count(guard_world.guard, &counts);
    return counts;
}

unsigned guard_world_asked(void)
{
    return fake.counts[FAKE_TIME_LEFT];
}

static void guard_world_miss_row(unsigned type, unsigned first, unsigned count)
{
    guard_world_miss(type, first, count, true);
}

static void guard_world_miss_deleted_row(unsigned type, unsigned first, unsigned count)
{
    guard_world_miss(type, first, count, false);
}

static void guard_world_act(const struct guard_world_row *row)
{
    static void (*const changes[])(unsigned type, unsigned first, unsigned count) = {
        [REGISTER] = guard_world_register, [BARE] = guard_world_register_bare,
        [EXPIRE] = guard_world_expire,     [DELETE] = guard_world_delete,
        [MISS] = guard_world_miss_row,     [MISS_DELETED] = guard_world_miss_deleted_row};
    if (row->act <= MISS_DELETED)
        changes[row->act](0, row->first, row->count);
    else if (row->act == LOAD)
        guard_world_load();
    else if (row->act == OUTAGE || row->act == CONTACT)
        guard_world_set_contact(row->act == CONTACT);
    else if (row->act == MUTE)
        fake.is_mute = row->count;
    else if (row->act == SHOWN)
        assert_int_equal(guard_world_shown(0), row->count);
    else if (row->act == HELD)
        assert_int_equal(guard_world_counts().held, row->count);
}

void guard_world_play(const struct guard_world_row *rows)
{
    uint64_t begin_ms = fake.now_ms;
    for (const struct guard_world_row *row = rows; row->act != END; row++) {
        fake_run_for(begin_ms + row->at_ms - fake.now_ms);
        if (row->at_ms > 0 && row != rows && row[-1].at_ms == 0)
            guard_world_load();
        fake_run_for(0);
        guard_world_act(row);
        if (row->act != SHOWN && row->act != HELD)
            fake_settle();
    }
}
