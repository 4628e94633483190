#include "commands.h"

#include "cli/args/session.h"
#include "cli/text/output.h"

#include "registry/base/utf8.h"
#include "zones/name/label.h"

#include <stdlib.h>
#include <string.h>

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

/* A change of this kind, to the value in the second operand and, where it is one, from that in the
 * third. */
static enum status switch_change(struct request *request, enum registrar_kind kind,
                                 enum registrar_outcome *outcome)
{
    const char *const *operands = request->call->operands;
    struct registrar_change wanted = {.kind = kind, .key = &request->key};
    bool is_write = kind == REGISTRAR_SET_SWITCH || kind == REGISTRAR_EXCHANGE_SWITCH;
    if (is_write) {
        enum status status = label_check_switch(request->path, &request->session.why);
        if (status != STATUS_OK)
            return status;
        wanted.value = operands[1];
        wanted.value_len = strlen(operands[1]);
        wanted.ttl_s = options_number(&request->call->options, OPTION_SWITCH_TTL);
    }
    if (kind == REGISTRAR_EXCHANGE_SWITCH) {
        wanted.expected = operands[2];
        wanted.expected_len = strlen(operands[2]);
    }
    return session_change(&request->session, &wanted, outcome);
}

static int switch_run_set(struct request *request)
{
    enum registrar_outcome outcome;
    enum status status = switch_change(request, REGISTRAR_SET_SWITCH, &outcome);
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    return switch_say_set(request, "switch", request->call->operands[1]);
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
    struct session_value value = {0};
    enum status status = session_get(&request->session, &request->key, &value);
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    if (!value.text)
        return switch_say_missing(request);
    if (!value.is_cut) {
        output_value(stdout, value.text, value.len);
        fputc('\n', stdout);
    }
    free(value.text);
    if (value.is_cut)
        return switch_fail(request, "has a value that is too long to be shown");
    return output_finish(request->session.log, 0);
}

static int switch_remove_switch(struct request *request)
{
    enum registrar_outcome outcome;
    enum status status = switch_change(request, REGISTRAR_REMOVE, &outcome);
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    log_printf(request->session.log, LOG_LEVEL_INFO, "switch %s %s", request->path,
               outcome == REGISTRAR_ABSENT ? "already removed" : "removed");
    return 0;
}

static int switch_run_toggle(struct request *request)
{
    enum registrar_outcome outcome;
    enum status status = switch_change(request, REGISTRAR_TOGGLE_SWITCH, &outcome);
    /* NOT_FOUND: the lease, and the switch with it, expired meanwhile. */
    if (status == STATUS_CONFLICT || status == STATUS_NOT_FOUND) {
        log_printf(request->session.log, LOG_LEVEL_WARNING, "switch %s already toggled",
                   request->path);
        return 0;
    }
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    if (outcome == REGISTRAR_ABSENT)
        return switch_fail(request, "not set");
    if (outcome == REGISTRAR_UNFIT)
        return switch_fail(request, "does not have boolean value");
    return switch_say_set(request, "switch", outcome == REGISTRAR_ENABLED ? "yes" : "no");
}

/* Where the value is as expected it is exchanged; where there is no switch it is made. */
static int switch_run_cas(struct request *request)
{
    enum registrar_outcome outcome;
    enum status status = switch_change(request, REGISTRAR_EXCHANGE_SWITCH, &outcome);
    if (status != STATUS_OK)
        return session_fail(&request->session, status);
    if (outcome == REGISTRAR_UNFIT)
        return switch_fail(request, "has another value: not changed");
    return switch_say_set(request, outcome == REGISTRAR_CREATED ? "New switch" : "Existing switch",
                          request->call->operands[1]);
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
