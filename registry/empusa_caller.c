#include "empusa_caller.h"

#include "empusa_thread.h"

#include <stdio.h>
#include <unistd.h>

/* What a program can do about it, rather than what it was: all that is wrong with TLS is one code,
 * and a name that is not found in DNS is an etcd that cannot be reached. COMPACTED: reading took
 * longer than etcd keeps its history. CANCELLED: the client was closed before the answer came. */
static const int codes[STATUS_COUNT] = {
    [STATUS_OK] = EMPUSA_OK,
    [STATUS_BAD_INPUT] = EMPUSA_E_BAD_INPUT,
    [STATUS_BAD_REPLY] = EMPUSA_E_BAD_REPLY,
    [STATUS_NOT_FOUND] = EMPUSA_E_NOT_FOUND,
    [STATUS_CONFLICT] = EMPUSA_E_CONFLICT,
    [STATUS_DENIED] = EMPUSA_E_DENIED,
    [STATUS_UNREACHABLE] = EMPUSA_E_UNREACHABLE,
    [STATUS_NOT_PLAIN] = EMPUSA_E_TLS,
    [STATUS_NOT_TLS] = EMPUSA_E_TLS,
    [STATUS_UNTRUSTED] = EMPUSA_E_TLS,
    [STATUS_OUT_OF_DATE] = EMPUSA_E_TLS,
    [STATUS_OTHER_NAME] = EMPUSA_E_TLS,
    [STATUS_CLIENT_CERT] = EMPUSA_E_TLS,
    [STATUS_TIMED_OUT] = EMPUSA_E_TIMED_OUT,
    [STATUS_UNRESOLVED] = EMPUSA_E_UNREACHABLE,
    [STATUS_NO_GATEWAY] = EMPUSA_E_BAD_REPLY,
    [STATUS_COMPACTED] = EMPUSA_E_TIMED_OUT,
    [STATUS_NO_SPACE] = EMPUSA_E_NO_SPACE,
    [STATUS_TOO_LARGE] = EMPUSA_E_TOO_LARGE,
    [STATUS_TOO_MANY] = EMPUSA_E_REFUSED,
    [STATUS_REFUSED] = EMPUSA_E_REFUSED,
    [STATUS_NO_MEMORY] = EMPUSA_E_NO_MEMORY,
    [STATUS_SYSTEM] = EMPUSA_E_SYSTEM,
    [STATUS_CANCELLED] = EMPUSA_E_TIMED_OUT,
};

/* Of this thread's last call that failed. `registry` is compared and never followed: it may be
 * closed by the time somebody asks. */
static __thread struct {
    const struct empusa *registry;
    const char *field;
    struct detail why;
} failed;

int empusa_caller_code(enum status status)
{
    return codes[status];
}

static int empusa_caller_note(const struct empusa *registry, int code, const char *field)
{
    failed.registry = registry;
    failed.field = field;
    return code;
}

int empusa_caller_fail(const struct empusa *registry, enum status status, const char *field,
                       const char *value, const struct detail *why)
{
    failed.why = *why;
    if (failed.why.text[0] == '\0')
        (void)detail_set(&failed.why, status, "%s", status_text(status));
    if (field && value)
        (void)detail_wrap(&failed.why, status, "%s \"%s\"", field, value);
    else if (field)
        (void)detail_wrap(&failed.why, status, "%s", field);
    return empusa_caller_note(registry, codes[status], field);
}

static int empusa_caller_refuse(const struct empusa *registry, int code, const char *field,
                                const char *why)
{
    (void)detail_set(&failed.why, STATUS_OK, "%s", why);
    return empusa_caller_note(registry, code, field);
}

int empusa_caller_check(const struct empusa *registry)
{
    if (!registry)
        return empusa_caller_refuse(NULL, EMPUSA_E_BAD_INPUT, "registry", "registry: is NULL");
    /* The process first: in a child of fork() there is no thread to wait for, and the lock may be
     * held for ever by a thread that only the parent has. */
    if (registry->pid != getpid())
        return empusa_caller_refuse(registry, EMPUSA_E_FORKED, NULL,
                                    "another process has opened the registry, before fork()");
    if (empusa_thread_is_own(registry))
        return empusa_caller_refuse(registry, EMPUSA_E_IN_CALLBACK, NULL,
                                    "a callback may not wait for the thread that it runs on");
    return EMPUSA_OK;
}

void empusa_caller_note_null(const struct empusa *registry, const char *name)
{
    static const struct detail is_null = {"is NULL"};
    (void)empusa_caller_fail(registry, STATUS_BAD_INPUT, name, NULL, &is_null);
}

int empusa_caller_copy(const struct empusa *registry, void *own, size_t own_size, const void *given,
                       size_t least_size)
{
    const unsigned char *octets = given;
    size_t size = 0;
    memset(own, 0, own_size);
    if (given)
        memcpy(&size, given, sizeof(size));
    if (!given || size < least_size)
        return empusa_caller_refuse(registry, EMPUSA_E_BAD_INPUT, "size",
                                    "size: the struct is not initialised");
    memcpy(own, given, size < own_size ? size : own_size);
    /* As openat2(2) has it: what is zero asks for nothing. So a program that was built with a newer
     * header works as long as it uses nothing of what is new there. */
    for (size_t i = own_size; i < size; i++) {
        if (octets[i] != 0)
            return empusa_caller_refuse(registry, EMPUSA_E_BAD_INPUT, "size",
                                        "size: this libempusa is older than what is asked of it");
    }
    return EMPUSA_OK;
}

static bool empusa_caller_is_failed(const struct empusa *registry)
{
    return !registry || registry == failed.registry;
}

const char *empusa_error(const struct empusa *registry)
{
    return empusa_caller_is_failed(registry) ? failed.why.text : "";
}

const char *empusa_error_field(const struct empusa *registry)
{
    return empusa_caller_is_failed(registry) && failed.field ? failed.field : "";
}
