/* What is read once. All is gathered before the first is told: a caller is told everything or
 * nothing, from its own thread, and may use the registry meanwhile. */
#include "empusa.h"
#include "empusa_caller.h"
#include "empusa_entry.h"
#include "empusa_thread.h"
#include "registry/etcd/kv.h"

#include <stdlib.h>

/* On the stack of the caller, who goes on as soon as empusa_thread_end() was called. */
struct empusa_read {
    struct empusa_call call;
    struct kv_key prefix, end;
    bool is_one;   /* key, not prefix */
    kv_each *each; /* false: `status` says why */
    struct empusa_entry_copy *first, **last;
    char *value;
    size_t value_len;
    enum status status;
    struct detail why;
};

static void empusa_read_done(void *arg, enum status status, const struct kv_range_result *result,
                             const struct detail *why)
{
    struct empusa_read *read = arg;
    (void)result;
    /* Where `each` has ended the range, that one is merely CANCELLED: `each` knows why. */
    if (read->status == STATUS_OK) {
        read->status = status;
        read->why = *why;
    }
    empusa_thread_end(&read->call);
}

static void empusa_read_run(struct empusa_call *call)
{
    struct empusa_read *read = (struct empusa_read *)call;
    struct kv_range range = {.key = read->prefix.text, .key_len = read->prefix.len};
    if (!read->is_one) {
        kv_prefix_end(read->prefix.text, read->prefix.len, &read->end);
        range.end = read->end.text;
        range.end_len = read->end.len;
    }
    kv_range(call->registry->etcd, &range, read->each, empusa_read_done, read);
}

static int empusa_read_wait(struct empusa *registry, struct empusa_read *read)
{
    empusa_thread_call(registry, &read->call);
    if (read->status == STATUS_OK)
        return EMPUSA_OK;
    return empusa_caller_fail(registry, read->status, NULL, NULL, &read->why);
}

/* What is no entry is passed over, lest one bad value hide all others. Nor does a failure half way
 * leave half a list: the caller frees what came. */
static bool empusa_read_each_entry(void *arg, const struct kv *kv)
{
    struct empusa_read *read = arg;
    struct empusa_entry_copy *copy;
    enum status status = empusa_entry_read(&read->call.registry->root, kv, &copy);
    if (status == STATUS_OK) {
        *read->last = copy;
        read->last = &copy->next;
    } else if (status != STATUS_NOT_FOUND) {
        read->status = detail_set(&read->why, status, "%s", status_text(status));
    }
    return read->status == STATUS_OK;
}

int empusa_service_list(struct empusa *registry, const char *type, empusa_on_entry *on_entry,
                        void *arg)
{
    struct empusa_read read = {.call.run = empusa_read_run, .each = empusa_read_each_entry};
    int code = empusa_caller_check(registry);
    if (code == EMPUSA_OK)
        code = empusa_caller_check_given(registry, on_entry != NULL, "on_entry");
    if (code != EMPUSA_OK)
        return code;
    read.last = &read.first;
    if (!type)
        key_prefix(&registry->root, KEY_SERVICES, &read.prefix);
    else if (key_type_prefix(&registry->root, type, &read.prefix, &read.why) != STATUS_OK)
        return empusa_caller_fail(registry, STATUS_BAD_INPUT, "type", NULL, &read.why);
    code = empusa_read_wait(registry, &read);
    /* In order and from this thread; freed also where nothing is to be told. */
    while (read.first) {
        struct empusa_entry_copy *copy = read.first;
        read.first = copy->next;
        if (code == EMPUSA_OK)
            on_entry(arg, &copy->entry);
        free(copy);
    }
    return code;
}

/* In a block of its own, as the program is to free() it. */
static bool empusa_read_each_value(void *arg, const struct kv *kv)
{
    struct empusa_read *read = arg;
    if (kv->is_value_cut)
        read->status =
            detail_set(&read->why, STATUS_TOO_LARGE, "%s", status_text(STATUS_TOO_LARGE));
    else if (!(read->value = malloc(kv->value_len + 1)))
        read->status =
            detail_set(&read->why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    if (!read->value)
        return false;
    memcpy(read->value, kv->value, kv->value_len);
    read->value[kv->value_len] = '\0';
    read->value_len = kv->value_len;
    return true;
}

int empusa_switch_get(struct empusa *registry, const char *path, char **value, size_t *len)
{
    struct empusa_read read = {
        .call.run = empusa_read_run, .each = empusa_read_each_value, .is_one = true};
    int code = empusa_caller_check(registry);
    if (code == EMPUSA_OK)
        code = empusa_caller_check_given(registry, path != NULL, "path");
    if (code == EMPUSA_OK)
        code = empusa_caller_check_given(registry, value != NULL, "value");
    if (code != EMPUSA_OK)
        return code;
    if (key_of_switch(&registry->root, path, &read.prefix, &read.why) != STATUS_OK)
        return empusa_caller_fail(registry, STATUS_BAD_INPUT, "path", NULL, &read.why);
    code = empusa_read_wait(registry, &read);
    /* To etcd a range without keys is no failure. */
    if (code == EMPUSA_OK && !read.value) {
        (void)detail_set(&read.why, STATUS_NOT_FOUND, "there is no switch \"%s\"", path);
        code = empusa_caller_fail(registry, STATUS_NOT_FOUND, NULL, NULL, &read.why);
    }
    if (code != EMPUSA_OK) {
        free(read.value);
        return code;
    }
    *value = read.value;
    if (len)
        *len = read.value_len;
    return EMPUSA_OK;
}
