#include "empusa.h"

#include "empusa_caller.h"
#include "empusa_options.h"
#include "empusa_registration.h"
#include "empusa_thread.h"
#include "empusa_watch.h"

#include <stdlib.h>
#include <unistd.h>

#define EMPUSA_CLOSE_MS 5000
/* Of the first struct empusa_options that there was. */
#define OPTIONS_SIZE (offsetof(struct empusa_options, arg) + sizeof(void *))

/* In this order: a follow must be stopped before its client is closed. `wake` goes last; the thread
 * ends by itself when all handles are closed, so that nothing needs to tell it. */
static void empusa_open_finish(struct empusa *registry)
{
    registry->is_finished = false;
    empusa_watch_stop_all(registry);
    etcd_close(registry->etcd);
    empusa_thread_stop(registry);
}

static enum status empusa_open_start(struct empusa *registry, struct empusa_options *options,
                                     const char **field, struct detail *why)
{
    registry->pid = getpid();
    registry->on_event = options->on_event;
    registry->arg = options->arg;
    registry->finish = empusa_open_finish;
    enum status status = empusa_thread_init(registry, why);
    if (status != STATUS_OK)
        return status;
    status = empusa_options_connect(options, &registry->loop, &registry->root, &registry->etcd,
                                    field, why);
    if (status == STATUS_OK)
        status = empusa_thread_start(registry, why);
    if (status == STATUS_OK)
        return status;
    /* There is no thread: empusa_thread_clear() runs the loop here until its handles are closed. */
    if (registry->etcd)
        etcd_close(registry->etcd);
    empusa_thread_stop(registry);
    empusa_thread_clear(registry);
    return status;
}

int empusa_open(const struct empusa_options *options, struct empusa **out)
{
    struct empusa_options own, none;
    const char *field = NULL;
    struct detail why = {""};
    if (!out)
        return empusa_caller_check_given(NULL, false, "out");
    empusa_options_init(&none);
    *out = NULL;
    int code = empusa_caller_copy(NULL, &own, sizeof(own), options ? options : &none, OPTIONS_SIZE);
    if (code != EMPUSA_OK)
        return code;
    struct empusa *registry = calloc(1, sizeof(*registry));
    enum status status =
        registry ? empusa_open_start(registry, &own, &field, &why) : STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        free(registry);
        return empusa_caller_fail(NULL, status, field, NULL, &why);
    }
    *out = registry;
    return EMPUSA_OK;
}

static void empusa_open_leave(struct empusa_call *call)
{
    /* From here on no event is reported: what it would name is about to be freed. */
    call->registry->is_closing = true;
    empusa_registration_leave_all(call->registry, EMPUSA_CLOSE_MS);
    empusa_thread_end(call);
}

void empusa_close(struct empusa *registry)
{
    struct empusa_call close_call = {.run = empusa_open_leave};
    if (!registry || empusa_caller_check(registry) != EMPUSA_OK)
        return;
    /* This returns as soon as leaving has begun; it is the join that waits for its end. */
    empusa_thread_call(registry, &close_call);
    empusa_thread_join(registry);
    empusa_registration_clear_all(registry);
    empusa_thread_clear(registry);
    free(registry);
}
