#include "program.h"

#include "cli/args/help.h"
#include "cli/args/parse.h"
#include "cli/commands/commands.h"
#include "cli/process/harden.h"
#include "cli/serve/descriptors.h"
#include "cli/serve/serve.h"
#include "cli/text/output.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The options of a command and how many they are. */
#define OPTIONS(...)                                                                               \
    .options = {__VA_ARGS__},                                                                      \
    .option_count = sizeof((enum option_id[]){__VA_ARGS__}) / sizeof(enum option_id)
#define OPTION_ID(id, ...) OPTION_##id,

static const struct command commands[] = {
    {.run = register_run,
     COMMAND_IN("service", "register"),
     .summary = "register a service, once or while this runs",
     .text =
         "Without --refresh-every it is done once. With it, this goes on running: at every beat "
         "the lease is kept alive and the registration checked; what has vanished or was "
         "changed is put back. SIGTERM or SIGINT unregisters the service, and so does SIGHUP (the "
         "terminal was closed) unless it was ignored when this began (nohup). A registration is "
         "stated whole: what is not said is not kept.\n\n"
         "With --from it is done once for each entry of a file, and no other option is required. "
         "An entry is an object with the members that service list --format json prints; its "
         "service is a key below the tree root or TYPE/NAME. The entries are an array, or stand "
         "one behind the other. One with a \"ttl\" is forgotten after that many seconds, another "
         "one after --ttl, or never; those of the same TTL share leases, and beyond 64 "
         "different TTLs further ones above 50 s are rounded up by less than 2 %. Their order is "
         "not kept. "
         "At the first entry that is wrong it ends; those before it are registered.",
     OPTIONS(OPTION_SERVICE_TYPE, OPTION_SERVICE_NAME, OPTION_SERVICE_LOCATION, OPTION_SERVICE_TTL,
             OPTION_SERVICE_REFRESH, OPTION_SERVICE_PROTOCOL, OPTION_SERVICE_PRIORITY,
             OPTION_SERVICE_WEIGHT, OPTION_SERVICE_TXT, OPTION_SERVICE_SUBTYPE,
             OPTION_SERVICE_FROM),
     .substitute = OPTION_SERVICE_FROM},
    {.run = service_unregister,
     COMMAND_IN("service", "unregister"),
     .summary = "remove a service from the registry",
     OPTIONS(OPTION_SERVICE_TYPE, OPTION_SERVICE_NAME)},
    {.run = list_services,
     COMMAND_IN("service", "list"),
     .summary = "list services",
     .text = "Sorted, with the seconds until they are forgotten.",
     OPTIONS(OPTION_SERVICE_TYPE_ONLY, OPTION_FORMAT)},
    {.run = service_drain,
     COMMAND_IN("service", "drain"),
     .summary = "give a service no new clients",
     .text = "Its SRV records get weight 0. Nothing else of the registration changes.",
     OPTIONS(OPTION_SERVICE_TYPE, OPTION_SERVICE_NAME)},
    {.run = service_undrain,
     COMMAND_IN("service", "undrain"),
     .summary = "take a service back into use",
     OPTIONS(OPTION_SERVICE_TYPE, OPTION_SERVICE_NAME)},
    {.run = switch_set,
     COMMAND_IN("switch", "set"),
     .operands = "SWITCH VALUE",
     .summary = "set a switch",
     .text = "A VALUE that begins with a \"-\" stands behind \"--\".",
     OPTIONS(OPTION_SWITCH_TTL)},
    {.run = switch_get,
     COMMAND_IN("switch", "get"),
     .operands = "SWITCH",
     .summary = "print the value of a switch"},
    {.run = list_switches,
     COMMAND_IN("switch", "list"),
     .summary = "list switches",
     .text = "Sorted, with the seconds until they are forgotten.",
     OPTIONS(OPTION_FORMAT)},
    {.run = switch_remove,
     COMMAND_IN("switch", "remove"),
     .operands = "SWITCH",
     .summary = "remove a switch"},
    {.run = switch_toggle,
     COMMAND_IN("switch", "toggle"),
     .operands = "SWITCH",
     .summary = "turn a switch off if on, on if off",
     .text = "yes, true, y, on, 1 and enabled are on and become \"no\"; no, false, n, off, 0 and "
             "disabled are off and become \"yes\": in any case and with blanks around. Of two that "
             "toggle at the same time one wins."},
    {.run = switch_cas,
     COMMAND_IN("switch", "cas"),
     .operands = "SWITCH VALUE EXPECTED",
     .summary = "set a switch that is EXPECTED, or not there",
     OPTIONS(OPTION_SWITCH_TTL)},
    {.run = serve_command,
     COMMAND_NAMED("serve"),
     .summary = "answer DNS queries from the registry",
     .text = "Loads the tree, follows its changes and answers from memory. SIGTERM ends it, SIGHUP "
             "reads secrets and certificates again, SIGUSR1 logs a summary.",
     OPTIONS(OPTION_SERVE_LIST(OPTION_ID))},
    {.run = dev_command,
     COMMAND_NAMED("dev"),
     .summary = "try it all here, with an etcd of its own",
     .text =
         "Starts etcd (from PATH) on loopback ports and answers DNS from it until Ctrl-C, or until "
         "its terminal is closed. A directory for --data-dir must be yours alone and is for one "
         "at a time. Takes the options of serve, too; the tree is /empusa unless --tree-root says "
         "otherwise.",
     OPTIONS(OPTION_DATA_DIR, OPTION_LISTEN_DEV, OPTION_SERVE_MORE_LIST(OPTION_ID)),
     .needs_no_etcd = true},
    {.run = zone_command,
     COMMAND_NAMED("zone"),
     .summary = "print the whole zone as a master file",
     .text = "Reads the tree at one revision and prints what serve, given the same options, would "
             "publish: for named-checkzone, or a server that takes over. Hosts without a dot have "
             "the addresses that --host says. Warns of what BIND refuses.",
     OPTIONS(OPTION_DOMAIN, OPTION_RECORD_TTL, OPTION_NEGATIVE_TTL, OPTION_HOST_DOMAIN, OPTION_HOST,
             OPTION_NS, OPTION_NO_SWITCHES)},
    {.run = completion_command,
     COMMAND_NAMED("completion"),
     .operands = "SHELL",
     .summary = "print completions for bash, zsh or fish",
     .needs_no_etcd = true},
    {.run = docs_man,
     COMMAND_NAMED("man"),
     .operands = "PAGE",
     .summary = "print a manual page: empusa or empusa-serve",
     .needs_no_etcd = true,
     .is_hidden = true},
    {.run = docs_markdown,
     COMMAND_NAMED("markdown"),
     .summary = "print the tables of the README",
     .needs_no_etcd = true,
     .is_hidden = true},
};

static const struct command_group groups[] = {
    {"service", "Services: where they are, under a type and a name."},
    {"switch", "Switches: values under a path, such as features/search."},
};

const struct command_table *program_table(void)
{
    static const struct command_table table = {commands, COUNT(commands), groups, COUNT(groups)};
    return &table;
}

static int program_help(const struct call *call)
{
    if (call->command)
        help_command(call->command, stdout);
    else if (call->group)
        help_group(call->table, call->group, stdout);
    else
        help_program(call->table, stdout);
    return output_finish(&call->log, 0);
}

/* Those that only print need nothing; dev needs no etcd of others, but it has a loop. Counted
 * before there is one, as libuv aborts where it gets no descriptor (descriptors.h). */
static int program_execute(struct call *call)
{
    struct detail why;
    bool needs_loop = !call->command->needs_no_etcd || call->command->run == dev_command;
    if (!needs_loop ||
        descriptors_check(DESCRIPTORS_COMMAND, 2 * DESCRIPTORS_COMMAND, &why) == STATUS_OK)
        return call->command->run(call);
    log_printf(&call->log, LOG_LEVEL_ERROR, "%s", why.text);
    return 1;
}

int program_run(int argc, char **argv)
{
    /* How much is to be logged is an option itself: until that is read, INFO. */
    struct call call = {.table = program_table(), .log = output_log(LOG_LEVEL_INFO)};
    struct detail why = {""};
    int exit_status = 2;
    output_init();
    harden_environment();
    switch (parse(argc, argv, &call, &why)) {
    case PARSE_RUN:
        call.log = output_log(options_level(&call.options));
        options_warn(&call.options, &call.config, &call.log);
        exit_status = program_execute(&call);
        break;
    case PARSE_HELP:
        exit_status = program_help(&call);
        break;
    case PARSE_VERSION:
        puts("empusa " EMPUSA_VERSION);
        exit_status = output_finish(&call.log, 0);
        break;
    case PARSE_WRONG:
        log_printf(&call.log, LOG_LEVEL_ERROR, "%s", why.text);
        break;
    }
    options_clear(&call.options);
    config_clear(&call.config);
    output_exit();
    return exit_status;
}
