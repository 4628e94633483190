#include "switch.h"

#include "cli/args/session.h"
#include "cli/text/output.h"
#include "put.h"

#include "registry/base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const enabled[] = {"yes", "true", "y", "on", "1", "enabled"};
static const char *const disabled[] = {"no", "false", "n", "off", "0", "disabled"};

#define CAS_TRIES 8 /* another process made or changed it in between */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The switch of a command, as long as the command lasts. */
struct request {
    struct session session;
    const struct call *call;
    const char *path;
    struct kv_key key;
};

/* Run a command on its switch: the first operand. */
static int switch_with_switch(struct call *call, int (*run)(struct request *request))
{
    struct request request = {.call = call, .path = call->operands[0]};
    struct session *session = &request.session;
    enum status status = session_open(session, call);
    if (status != STATUS_OK)
        return status_exit(status);
    status = key_of_switch(&session->root, request.path, &request.key, &session->why);
    int exit_status = status == STATUS_OK ? run(&request) : session_fail(session, status);
    session_close(session);
    return exit_status;
}

static int switch_fail(struct request *request, const char *what)
{
    log_printf(request->session.log, LOG_LEVEL_ERROR, "switch %s %s", request->path, what);
    return 1;
}

static int switch_say_set(struct request *request, const char *before, const char *value)
{
    log_printf(request->session.log, LOG_LEVEL_INFO, "%s %s set to %s", before, request->path,
               value);
    return 0;
}

static int switch_run_set(struct request *request)
{
    struct session *session = &request->session;
    const char *value = request->call->operands[1];
    enum status status = key_check_switch(request->path, &session->why);
    if (status == STATUS_OK)
        status = put_key(session, &request->key, value, strlen(value),
                         options_number(&request->call->options, OPTION_SWITCH_TTL), false);
    return status == STATUS_OK ? switch_say_set(request, "switch", value)
                               : session_fail(session, status);
}

/* A sentence of the Python tool's that it, too, prints without a level. */
static int switch_say_missing(const struct request *request)
{
    size_t len = strlen(request->path);
    size_t size = len * UTF8_SHOW_MAX + 1;
    char *shown = malloc(size), *line = NULL;
    if (shown)
        utf8_show(request->path, len, shown, size);
    if (asprintf(&line, "No such switch \"%s\"", shown ? shown : "?") < 0)
        line = NULL;
    output_line(line ? line : "No such switch");
    free(line);
    free(shown);
    return 1;
}

static int switch_run_get(struct request *request)
{
    struct session_kv kv = {0};
    enum status status = session_get(&request->session, &request->key, &kv);
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    if (!kv.is_there)
        return switch_say_missing(request);
    if (kv.is_cut) {
        session_kv_clear(&kv);
        return switch_fail(request, "has a value that is too long to be shown");
    }
    output_value(stdout, kv.value, kv.value_len);
    fputc('\n', stdout);
    session_kv_clear(&kv);
    return output_finish(request->session.log, 0);
}

static int switch_remove_switch(struct request *request)
{
    bool was_there;
    enum status status = put_nothing(&request->session, &request->key, &was_there);
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    log_printf(request->session.log, LOG_LEVEL_INFO, "switch %s %s", request->path,
               was_there ? "removed" : "already removed");
    return 0;
}

static bool switch_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool switch_is_one_of(const char *const *words, size_t count, const char *text, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == len && strncasecmp(words[i], text, len) == 0)
            return true;
    }
    return false;
}

/* What a value turns into; NULL: it is not boolean. */
static const char *switch_opposite(const struct session_kv *kv)
{
    const char *text = kv->value;
    size_t len = kv->value_len;
    while (len > 0 && switch_is_blank(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && switch_is_blank(text[len - 1]))
        len--;
    if (switch_is_one_of(enabled, COUNT(enabled), text, len))
        return "no";
    return switch_is_one_of(disabled, COUNT(disabled), text, len) ? "yes" : NULL;
}

static int switch_toggle_from(struct request *request, struct session_kv *kv)
{
    if (!kv->is_there)
        return switch_fail(request, "not set");
    const char *value = switch_opposite(kv);
    if (!value)
        return switch_fail(request, "does not have boolean value");
    struct put_change change = {value, strlen(value), kv->lease, true};
    enum status status = put_change(&request->session, &request->key, &change, kv);
    if (status == STATUS_OK)
        return switch_say_set(request, "switch", value);
    /* NOT_FOUND: the lease, and the switch with it, expired meanwhile. */
    if (status != STATUS_CONFLICT && status != STATUS_NOT_FOUND)
        return session_fail(&request->session, status);
    log_printf(request->session.log, LOG_LEVEL_WARNING, "switch %s already toggled", request->path);
    return 0;
}

static int switch_run_toggle(struct request *request)
{
    struct session_kv kv = {0};
    enum status status = session_get(&request->session, &request->key, &kv);
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    int exit_status = switch_toggle_from(request, &kv);
    session_kv_clear(&kv);
    return exit_status;
}

static bool switch_has_other_value(const struct session_kv *kv, const char *expected)
{
    size_t len = strlen(expected);
    return kv->is_there && (kv->value_len != len || memcmp(kv->value, expected, len) != 0);
}

/* One try: CONFLICT when somebody was faster, and *kv is what is there then. */
static enum status switch_cas_once(struct request *request, struct session_kv *kv, int64_t *lease)
{
    const char *value = request->call->operands[1];
    uint64_t ttl_s = options_number(&request->call->options, OPTION_SWITCH_TTL);
    enum status status = STATUS_OK;
    if (ttl_s > 0 && *lease == 0)
        status = session_grant(&request->session, ttl_s, lease);
    struct put_change change = {value, strlen(value), *lease, true};
    return status == STATUS_OK ? put_change(&request->session, &request->key, &change, kv) : status;
}

static int switch_cas_from(struct request *request, struct session_kv *kv)
{
    enum status status = STATUS_CONFLICT;
    int64_t lease = 0;
    bool is_new = false;
    for (int i = 0; status == STATUS_CONFLICT && i < CAS_TRIES; i++) {
        if (switch_has_other_value(kv, request->call->operands[2]))
            return switch_fail(request, "has another value: not changed");
        is_new = !kv->is_there;
        status = switch_cas_once(request, kv, &lease);
    }
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    return switch_say_set(request, is_new ? "New switch" : "Existing switch",
                          request->call->operands[1]);
}

/* Where the value is as expected it is exchanged; where there is no switch it is made. */
static int switch_run_cas(struct request *request)
{
    struct session *session = &request->session;
    struct session_kv kv = {0};
    enum status status = key_check_switch(request->path, &session->why);
    if (status == STATUS_OK)
        status = session_get(session, &request->key, &kv);
    if (status != STATUS_OK)
        return session_fail(session, status);
    int exit_status = switch_cas_from(request, &kv);
    session_kv_clear(&kv);
    return exit_status;
}

int switch_set(struct call *call)
{
    return switch_with_switch(call, switch_run_set);
}

int switch_get(struct call *call)
{
    return switch_with_switch(call, switch_run_get);
}

int switch_remove(struct call *call)
{
    return switch_with_switch(call, switch_remove_switch);
}

int switch_toggle(struct call *call)
{
    return switch_with_switch(call, switch_run_toggle);
}

int switch_cas(struct call *call)
{
    return switch_with_switch(call, switch_run_cas);
}
