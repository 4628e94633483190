/* A load tells every key again, changed or not, and none that is gone. So the revision of each key
 * that was told is kept: what has not changed is not told twice, and what a load did not name is
 * told to be gone. The keys are in a tree, to be found, and in a list, to be swept. Where memory
 * was short something was not told, and nobody knows what: everything is loaded once more, and what
 * was told before is not told again. */
#include "empusa_watch.h"

#include "empusa_caller.h"
#include "empusa_entry.h"
#include "registry/etcd/follow.h"
#include "registry/etcd/kv.h"

#include <search.h>
#include <stdlib.h>

struct empusa_watch_key {
    struct empusa_watch_key *next, **link;
    int64_t revision; /* at which it was written last */
    unsigned load;    /* the last in which it was */
    bool is_told;     /* else it is no entry */
    size_t len;
    const char *text; /* behind the struct, but for one that is looked for */
};

struct empusa_watch {
    struct empusa *registry;
    struct empusa_watch *next, **link;
    struct follow *follow;
    uv_timer_t retry;              /* a load for which there was no memory */
    struct kv_key prefix, path;    /* path: of a switch, whole; else empty */
    empusa_on_service *on_service; /* one of the two */
    empusa_on_switch *on_switch;
    void *arg;
    void *tree;
    struct empusa_watch_key *keys;
    unsigned load;          /* its number */
    bool is_due;            /* CURRENT is to be told */
    bool is_away, is_short; /* is_short: of memory */
};

#define RETRY_MS 1000

/* Octets: a key may hold a NUL. */
static int empusa_watch_compare(const void *left, const void *right)
{
    const struct empusa_watch_key *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* By a timer, as no load may be asked for from inside a callback of follow's; and a second later,
 * as memory would most likely still be short at once. */
static void empusa_watch_on_retry(uv_timer_t *timer)
{
    struct empusa_watch *watch = timer->data;
    watch->is_short = false;
    follow_load_again(watch->follow, "there was no memory");
}

static void empusa_watch_run_short(struct empusa_watch *watch)
{
    if (!watch->is_short)
        uv_timer_start(&watch->retry, empusa_watch_on_retry, RETRY_MS, 0);
    watch->is_short = true;
}

static struct empusa_watch_key *empusa_watch_find(const struct empusa_watch *watch,
                                                  const char *text, size_t len)
{
    const struct empusa_watch_key wanted = {.len = len, .text = text};
    struct empusa_watch_key **found = tfind(&wanted, &watch->tree, empusa_watch_compare);
    return found ? *found : NULL;
}

static struct empusa_watch_key *empusa_watch_add(struct empusa_watch *watch, const char *text,
                                                 size_t len)
{
    struct empusa_watch_key *key = malloc(sizeof(*key) + len);
    if (!key)
        return NULL;
    memcpy(key + 1, text, len);
    *key = (struct empusa_watch_key){
        .next = watch->keys, .link = &watch->keys, .len = len, .text = (const char *)(key + 1)};
    if (!tsearch(key, &watch->tree, empusa_watch_compare)) {
        free(key);
        return NULL;
    }
    if (key->next)
        key->next->link = &key->next;
    watch->keys = key;
    return key;
}

static void empusa_watch_drop(struct empusa_watch *watch, struct empusa_watch_key *key)
{
    tdelete(key, &watch->tree, empusa_watch_compare);
    *key->link = key->next;
    if (key->next)
        key->next->link = key->link;
    free(key);
}

/* A removal comes without a value, so all that is told is the name, which the key has. */
static void empusa_watch_tell_gone(struct empusa_watch *watch, struct empusa_watch_key *key,
                                   int64_t revision)
{
    char space[KV_KEY_MAX + 2];
    const char *type, *name;
    if (!key->is_told ||
        !empusa_entry_name(&watch->registry->root, key->text, key->len, space, &type, &name))
        return;
    key->is_told = false;
    const struct empusa_entry entry = {.type = type, .name = name, .revision = revision};
    const struct empusa_switch gone = {.path = name, .revision = revision};
    if (watch->on_service)
        watch->on_service(watch->arg, EMPUSA_CHANGE_REMOVE, &entry);
    else
        watch->on_switch(watch->arg, EMPUSA_CHANGE_REMOVE, &gone);
}

/* NOT_FOUND: it is no entry. NO_MEMORY. */
static enum status empusa_watch_tell_service(struct empusa_watch *watch, const struct kv *kv)
{
    struct empusa_entry_copy *copy;
    enum status status = empusa_entry_read(&watch->registry->root, kv, &copy);
    if (status != STATUS_OK)
        return status;
    watch->on_service(watch->arg, EMPUSA_CHANGE_PUT, &copy->entry);
    free(copy);
    return STATUS_OK;
}

static enum status empusa_watch_tell_switch(struct empusa_watch *watch, const struct kv *kv)
{
    char space[KV_KEY_MAX + 2];
    const char *type, *path;
    if (kv->is_key_cut || kv->is_value_cut ||
        !empusa_entry_name(&watch->registry->root, kv->key, kv->key_len, space, &type, &path))
        return STATUS_NOT_FOUND;
    char *value = malloc(kv->value_len + 1);
    if (!value)
        return STATUS_NO_MEMORY;
    memcpy(value, kv->value, kv->value_len);
    value[kv->value_len] = '\0';
    const struct empusa_switch put = {path, value, kv->value_len, kv->mod_revision};
    watch->on_switch(watch->arg, EMPUSA_CHANGE_PUT, &put);
    free(value);
    return STATUS_OK;
}

/* A prefix knows no end of a component: "features/search" begins that of "features/searching". */
static bool empusa_watch_is_meant(const struct empusa_watch *watch, const char *key, size_t len)
{
    return watch->path.len == 0 || len == watch->path.len || key[watch->path.len] == '/';
}

static void empusa_watch_on_load(void *arg)
{
    struct empusa_watch *watch = arg;
    watch->load++;
}

static void empusa_watch_on_put(void *arg, const struct kv *kv)
{
    struct empusa_watch *watch = arg;
    if (!empusa_watch_is_meant(watch, kv->key, kv->key_len))
        return;
    struct empusa_watch_key *key = empusa_watch_find(watch, kv->key, kv->key_len);
    if (!key)
        key = empusa_watch_add(watch, kv->key, kv->key_len);
    if (!key) {
        empusa_watch_run_short(watch);
        return;
    }
    /* Marked before anything can fail: it is there, whether it can be told or not. */
    key->load = watch->load;
    if (key->revision == kv->mod_revision)
        return;
    enum status status = watch->on_service ? empusa_watch_tell_service(watch, kv)
                                           : empusa_watch_tell_switch(watch, kv);
    /* Its revision stays the old one, so that the next load tells it. */
    if (status == STATUS_NO_MEMORY) {
        empusa_watch_run_short(watch);
        return;
    }
    /* What is no entry any more is gone to the program. It keeps its place with its revision, so
     * that it is not read again with every load. */
    if (status != STATUS_OK)
        empusa_watch_tell_gone(watch, key, kv->mod_revision);
    key->is_told = status == STATUS_OK;
    key->revision = kv->mod_revision;
}

static void empusa_watch_on_remove(void *arg, const char *text, size_t len, int64_t revision)
{
    struct empusa_watch *watch = arg;
    struct empusa_watch_key *key = empusa_watch_find(watch, text, len);
    if (!key)
        return;
    empusa_watch_tell_gone(watch, key, revision);
    empusa_watch_drop(watch, key);
}

static void empusa_watch_on_loaded(void *arg, int64_t revision)
{
    struct empusa_watch *watch = arg;
    struct empusa_watch_key *next;
    for (struct empusa_watch_key *key = watch->keys; key; key = next) {
        next = key->next;
        if (key->load == watch->load)
            continue;
        empusa_watch_tell_gone(watch, key, revision);
        empusa_watch_drop(watch, key);
    }
    watch->is_due = true;
}

/* Revision 0 is that of a slice of a load, behind which others come. Where memory was short, not
 * all was told: another load is to come. */
static void empusa_watch_on_commit(void *arg, int64_t revision)
{
    struct empusa_watch *watch = arg;
    if (!watch->is_due || revision == 0)
        return;
    watch->is_due = false;
    if (watch->is_short)
        return;
    if (watch->on_service)
        watch->on_service(watch->arg, EMPUSA_CHANGE_CURRENT, NULL);
    else
        watch->on_switch(watch->arg, EMPUSA_CHANGE_CURRENT, NULL);
}

static void empusa_watch_on_contact(void *arg, bool is_live, const struct detail *why)
{
    struct empusa_watch *watch = arg;
    if (is_live)
        empusa_thread_regain(watch->registry, &watch->is_away);
    else
        empusa_thread_lose(watch->registry, &watch->is_away,
                           empusa_caller_code(follow_lost_status(watch->follow)), why->text);
}

static const struct follow_events events = {
    .load_begin = empusa_watch_on_load,
    .put = empusa_watch_on_put,
    .remove = empusa_watch_on_remove,
    .load_end = empusa_watch_on_loaded,
    .commit = empusa_watch_on_commit,
    .on_connection = empusa_watch_on_contact,
};

static void empusa_watch_free(uv_handle_t *handle)
{
    free(handle->data);
}

/* Before etcd_close(), as follow_stop() wants it. The struct goes when libuv has closed the timer,
 * which is in it. */
static void empusa_watch_end(struct empusa_watch *watch)
{
    empusa_thread_forget(watch->registry, &watch->is_away);
    if (watch->follow)
        follow_stop(watch->follow);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    while (watch->keys)
        empusa_watch_drop(watch, watch->keys);
    uv_close((uv_handle_t *)&watch->retry, empusa_watch_free);
}

void empusa_watch_stop_all(struct empusa *registry)
{
    while (registry->watches)
        empusa_watch_end(registry->watches);
}

struct empusa_watch_call {
    struct empusa_call call;
    struct empusa_watch *watch;
    enum status status;
};

static void empusa_watch_start(struct empusa_call *call)
{
    struct empusa_watch_call *start = (struct empusa_watch_call *)call;
    struct empusa *registry = call->registry;
    struct empusa_watch *watch = start->watch;
    /* In the list before it is known whether it starts: empusa_watch_end() takes it out either
     * way. */
    watch->registry = registry;
    watch->next = registry->watches;
    watch->link = &registry->watches;
    if (watch->next)
        watch->next->link = &watch->next;
    registry->watches = watch;
    uv_timer_init(&registry->loop, &watch->retry);
    watch->retry.data = watch;
    start->status = follow_start(registry->etcd, watch->prefix.text, watch->prefix.len, &events,
                                 watch, &watch->follow);
    if (start->status != STATUS_OK)
        empusa_watch_end(watch);
    empusa_thread_end(call);
}

static int empusa_watch_open(struct empusa *registry, struct empusa_watch *watch,
                             struct empusa_watch **out)
{
    struct empusa_watch_call start = {.call.run = empusa_watch_start, .watch = watch};
    empusa_thread_call(registry, &start.call);
    /* The thread has released it by then. */
    if (start.status != STATUS_OK)
        return empusa_caller_fail(registry, start.status, NULL, NULL, &(struct detail){""});
    *out = watch;
    return EMPUSA_OK;
}

/* callback: the name of the parameter that has_callback is about. */
static int empusa_watch_new(struct empusa *registry, bool has_out, bool has_callback,
                            const char *callback, struct empusa_watch **out)
{
    int code = empusa_caller_check(registry);
    if (code == EMPUSA_OK)
        code = empusa_caller_check_given(registry, has_callback, callback);
    if (code == EMPUSA_OK)
        code = empusa_caller_check_given(registry, has_out, "out");
    if (code != EMPUSA_OK)
        return code;
    *out = calloc(1, sizeof(**out));
    if (*out)
        return EMPUSA_OK;
    return empusa_caller_fail(registry, STATUS_NO_MEMORY, NULL, NULL, &(struct detail){""});
}

int empusa_service_watch(struct empusa *registry, const char *type, empusa_on_service *on_service,
                         void *arg, struct empusa_watch **out)
{
    struct detail why;
    struct empusa_watch *watch;
    int code = empusa_watch_new(registry, out != NULL, on_service != NULL, "on_service", &watch);
    if (code != EMPUSA_OK)
        return code;
    watch->on_service = on_service;
    watch->arg = arg;
    if (!type) {
        key_prefix(&registry->root, KEY_SERVICES, &watch->prefix);
    } else if (key_type_prefix(&registry->root, type, &watch->prefix, &why) != STATUS_OK) {
        free(watch);
        return empusa_caller_fail(registry, STATUS_BAD_INPUT, "type", NULL, &why);
    }
    return empusa_watch_open(registry, watch, out);
}

int empusa_switch_watch(struct empusa *registry, const char *path, empusa_on_switch *on_switch,
                        void *arg, struct empusa_watch **out)
{
    struct detail why;
    struct empusa_watch *watch;
    int code = empusa_watch_new(registry, out != NULL, on_switch != NULL, "on_switch", &watch);
    if (code != EMPUSA_OK)
        return code;
    watch->on_switch = on_switch;
    watch->arg = arg;
    /* Of one path, too, a prefix is followed: switches may be below it
     * (empusa_watch_is_meant()). */
    key_prefix(&registry->root, KEY_SWITCHES, &watch->prefix);
    if (path && key_of_switch(&registry->root, path, &watch->path, &why) != STATUS_OK) {
        free(watch);
        return empusa_caller_fail(registry, STATUS_BAD_INPUT, "path", NULL, &why);
    }
    if (path)
        watch->prefix = watch->path;
    return empusa_watch_open(registry, watch, out);
}

static void empusa_watch_finish(struct empusa_call *call)
{
    empusa_watch_end(((struct empusa_watch_call *)call)->watch);
    empusa_thread_end(call);
}

int empusa_watch_stop(struct empusa_watch *watch)
{
    int code = watch ? empusa_caller_check(watch->registry) : EMPUSA_OK;
    if (!watch || code != EMPUSA_OK)
        return code;
    struct empusa_watch_call stop = {.call.run = empusa_watch_finish, .watch = watch};
    empusa_thread_call(watch->registry, &stop.call);
    return EMPUSA_OK;
}
