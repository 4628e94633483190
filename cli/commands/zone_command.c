#include "commands.h"

#include "cli/args/session.h"
#include "cli/serve/serve_options.h"
#include "cli/text/output.h"
#include "readers.h"

#include "zones/text.h"

#include <inttypes.h>
#include <stdio.h>

#define ATTEMPTS 5

/* Reading the tree into a zone. */
struct load {
    struct session *session;
    struct zone *zone;
    enum status status; /* of what was put: not OK ends the reading with CANCELLED */
    int64_t revision;
};

/* A key as the zone wants it: without the root. */
static bool zone_command_on_key(void *arg, const struct kv *kv)
{
    struct load *load = arg;
    size_t root_len = load->session->root.len;
    load->status = zone_put(load->zone, kv->key + root_len, kv->key_len - root_len, kv->value,
                            kv->value_len, kv->mod_revision, kv->lease);
    return load->status == STATUS_OK;
}

static void zone_command_on_done(void *arg, enum status status,
                                 const struct kv_range_result *result, const struct detail *why)
{
    struct load *load = arg;
    if (status == STATUS_OK)
        load->revision = result->revision;
    session_end_wait(load->session, status, why);
}

static enum status zone_command_load_once(struct load *load)
{
    struct kv_key prefix, end;
    key_prefix(&load->session->root, KEY_ALL, &prefix);
    kv_prefix_end(prefix.text, prefix.len, &end);
    struct kv_range range = {
        .key = prefix.text, .key_len = prefix.len, .end = end.text, .end_len = end.len};
    load->status = STATUS_OK;
    /* Again for each attempt: what an earlier one has put, and this one does not, is swept. */
    zone_load_begin(load->zone);
    kv_range(load->session->etcd, &range, zone_command_on_key, zone_command_on_done, load);
    enum status status = session_wait(load->session);
    /* CANCELLED is our own doing where a key could not be put: the reason is that one's. */
    if (status != STATUS_CANCELLED || load->status == STATUS_OK)
        return status;
    return detail_set(&load->session->why, load->status, "%s", status_text(load->status));
}

/* One revision, however often etcd compacts the one that was being read. */
static int zone_command_load_tree(struct session *session, void *arg)
{
    struct load *load = arg;
    load->session = session;
    enum status status = zone_command_load_once(load);
    for (int i = 1; i < ATTEMPTS && status == STATUS_COMPACTED; i++)
        status = zone_command_load_once(load);
    if (status != STATUS_OK)
        return session_fail(session, status);
    zone_load_end(load->zone, NULL, NULL);
    zone_commit(load->zone, load->revision);
    return 0;
}

static int zone_command_print(const struct call *call, const struct zone *zone, int64_t revision)
{
    readers_warn(zone, &call->log);
    printf("; %s at revision %" PRId64 "\n", zone_domain(zone), revision);
    enum status status = text_zone(zone, stdout);
    /* SYSTEM is of standard output, and output_finish() reports that. */
    if (status == STATUS_OK || status == STATUS_SYSTEM)
        return output_finish(&call->log, 0);
    struct detail why;
    detail_set(&why, status, "the zone is not whole: %s", status_text(status));
    return output_finish(&call->log, session_report(&call->log, status, &why));
}

/* Printing may take as long as its reader wants: no connection to etcd is kept meanwhile. */
static int zone_command_run(const struct call *call, struct zone *zone)
{
    struct load load = {.zone = zone};
    int exit_status = session_run(call, zone_command_load_tree, &load);
    return exit_status == 0 ? zone_command_print(call, zone, load.revision) : exit_status;
}

int zone_command(struct call *call)
{
    struct serve_options options;
    struct zone *zone;
    struct detail why = {""};
    /* zone has no --listen: unless --ns says otherwise, its name server is where serve listens by
     * default. */
    enum status status = serve_options_read(&call->options, OPTION_LISTEN, &options, &why);
    if (status != STATUS_OK)
        return session_report(&call->log, status, &why);
    options.zone.log = call->log;
    options.zone.leaves_sizes = true; /* readers_warn() */
    status = zone_new(&options.zone, &zone, &why);
    if (status == STATUS_BAD_INPUT)
        status = serve_options_fault(&call->options, &options, &why);
    int exit_status = status == STATUS_OK ? zone_command_run(call, zone)
                                          : session_report(&call->log, status, &why);
    if (status == STATUS_OK)
        zone_free(zone);
    serve_options_clear(&options);
    return exit_status;
}
