#include "commands.h"

#include "cli/args/session.h"
#include "cli/text/output.h"

#include "registry/base/utf8.h"
#include "zones/name/label.h"

#include <stdlib.h>
#include <string.h>

/* A change of a switch, and what is said when it is made, or cannot be. */
struct change {
    enum registrar_kind kind;
    int (*conclude)(const struct call *call, enum registrar_outcome outcome);
};

static int switch_fail(const struct call *call, const char *what)
{
    log_printf(&call->log, LOG_LEVEL_ERROR, "switch %s %s", call->operands[0], what);
    return 1;
}

static int switch_say_set(const struct call *call, const char *before, const char *value)
{
    log_printf(&call->log, LOG_LEVEL_INFO, "%s %s set to %s", before, call->operands[0], value);
    return 0;
}

/* To the value in the second operand and, where it is one, from that in the third. Only what is
 * written must be fit for DNS: what others have put there can be read, turned over and removed. */
static enum status switch_fill(const struct call *call, struct registrar_change *change,
                               struct detail *why)
{
    if (change->kind != REGISTRAR_SET_SWITCH && change->kind != REGISTRAR_EXCHANGE_SWITCH)
        return STATUS_OK;
    change->value = call->operands[1];
    change->value_len = strlen(change->value);
    change->ttl_s = options_number(&call->options, OPTION_SWITCH_TTL);
    if (change->kind == REGISTRAR_EXCHANGE_SWITCH) {
        change->expected = call->operands[2];
        change->expected_len = strlen(change->expected);
    }
    return label_check_switch(call->operands[0], why);
}

static int switch_change(struct session *session, void *arg)
{
    const struct change *change = arg;
    const struct call *call = session->call;
    struct kv_key key;
    struct registrar_change wanted = {.kind = change->kind, .key = &key};
    enum registrar_outcome outcome;
    enum status status = key_of_switch(&session->root, call->operands[0], &key, &session->why);
    if (status == STATUS_OK)
        status = switch_fill(call, &wanted, &session->why);
    if (status == STATUS_OK)
        status = session_change(session, &wanted, &outcome);
    /* Of two that toggle one has toggled it. NOT_FOUND: the lease, and the switch with it, expired
     * meanwhile. */
    if (change->kind == REGISTRAR_TOGGLE_SWITCH &&
        (status == STATUS_CONFLICT || status == STATUS_NOT_FOUND))
        return change->conclude(call, REGISTRAR_UNCHANGED);
    return status == STATUS_OK ? change->conclude(call, outcome) : session_fail(session, status);
}

static int switch_conclude_set(const struct call *call, enum registrar_outcome outcome)
{
    (void)outcome;
    return switch_say_set(call, "switch", call->operands[1]);
}

int switch_set(struct call *call)
{
    return session_run(call, switch_change,
                       &(struct change){REGISTRAR_SET_SWITCH, switch_conclude_set});
}

/* A sentence of the Python tool's that it, too, prints without a level. */
static int switch_say_missing(const char *path)
{
    size_t len = strlen(path);
    size_t size = len * UTF8_SHOW_MAX + 1;
    char *shown = malloc(size), *line = NULL;
    if (shown)
        utf8_show(path, len, shown, size);
    if (asprintf(&line, "No such switch \"%s\"", shown ? shown : "?") < 0)
        line = NULL;
    output_line(line ? line : "No such switch");
    free(line);
    free(shown);
    return 1;
}

static int switch_print_value(struct session *session, void *arg)
{
    const struct call *call = session->call;
    struct kv_key key;
    struct session_value value = {0};
    (void)arg;
    enum status status = key_of_switch(&session->root, call->operands[0], &key, &session->why);
    if (status == STATUS_OK)
        status = session_get(session, &key, &value);
    if (status != STATUS_OK)
        return session_fail(session, status);
    if (!value.text)
        return switch_say_missing(call->operands[0]);
    /* A part of a value would pass for the whole one. */
    if (!value.is_cut) {
        output_value(stdout, value.text, value.len);
        fputc('\n', stdout);
    }
    free(value.text);
    if (value.is_cut)
        return switch_fail(call, "has a value that is too long to be shown");
    return output_finish(session->log, 0);
}

int switch_get(struct call *call)
{
    return session_run(call, switch_print_value, NULL);
}

static int switch_conclude_remove(const struct call *call, enum registrar_outcome outcome)
{
    log_printf(&call->log, LOG_LEVEL_INFO, "switch %s %s", call->operands[0],
               outcome == REGISTRAR_ABSENT ? "already removed" : "removed");
    return 0;
}

int switch_remove(struct call *call)
{
    return session_run(call, switch_change,
                       &(struct change){REGISTRAR_REMOVE, switch_conclude_remove});
}

static int switch_conclude_toggle(const struct call *call, enum registrar_outcome outcome)
{
    switch (outcome) {
    case REGISTRAR_UNCHANGED:
        /* No failure: it is what the other one, and we, wanted. */
        log_printf(&call->log, LOG_LEVEL_WARNING, "switch %s already toggled", call->operands[0]);
        return 0;
    case REGISTRAR_ABSENT:
        return switch_fail(call, "not set");
    case REGISTRAR_UNFIT:
        return switch_fail(call, "does not have boolean value");
    default:
        return switch_say_set(call, "switch", outcome == REGISTRAR_ENABLED ? "yes" : "no");
    }
}

int switch_toggle(struct call *call)
{
    return session_run(call, switch_change,
                       &(struct change){REGISTRAR_TOGGLE_SWITCH, switch_conclude_toggle});
}

/* Where the value is as expected it is exchanged; where there is no switch it is made. */
static int switch_conclude_cas(const struct call *call, enum registrar_outcome outcome)
{
    if (outcome == REGISTRAR_UNFIT)
        return switch_fail(call, "has another value: not changed");
    return switch_say_set(call, outcome == REGISTRAR_CREATED ? "New switch" : "Existing switch",
                          call->operands[1]);
}

int switch_cas(struct call *call)
{
    return session_run(call, switch_change,
                       &(struct change){REGISTRAR_EXCHANGE_SWITCH, switch_conclude_cas});
}
