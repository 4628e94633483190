/* Manual pages and the README's tables, of the rows that also parse and help: the gate docs
 * compares the README with what is printed here, and has man read the pages. What no row knows,
 * such as the exit statuses, stands here once. */
#include "cli/text/output.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE  64
#define FACTS_SIZE 256

/* No backslash, hyphen or leading control character means anything else than itself. A plain '-'
 * may become U+2010, which looks the same but is no option's to a shell it is copied to; a '.' or
 * '\'' at the beginning of a line makes it a request to roff, unless the empty \& is before it. */
static void docs_roff_octet(char octet, bool at_start)
{
    if (at_start && (octet == '.' || octet == '\''))
        fputs("\\&", stdout);
    if (octet == '\\')
        fputs("\\e", stdout);
    else if (octet == '-')
        fputs("\\-", stdout);
    else
        putchar(octet);
}

/* A name is of no use to whoever copies it when a hyphen and a line's end are in it. */
static bool docs_is_name(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strchr("_-/:=", word[i])) /* no word of English has one, but for hyphens */
            return true;
    return false;
}

static void docs_roff(const char *text)
{
    bool at_start = true, is_in_word = false;
    for (; *text; text++) {
        size_t len = strcspn(text, " \n");
        if (!is_in_word && docs_is_name(text, len))
            fputs("\\%", stdout); /* no hyphenation */
        is_in_word = len > 0;
        docs_roff_octet(*text, at_start);
        at_start = *text == '\n';
    }
}

static void docs_roff_option(const struct option_row *row)
{
    char facts[FACTS_SIZE], name[NAME_SIZE];
    help_facts(row, facts, sizeof(facts));
    snprintf(name, sizeof(name), "--%s", row->name);
    fputs(".TP\n\\fB", stdout);
    docs_roff(name);
    fputs("\\fR", stdout);
    if (row->argument) {
        fputs(" \\fI", stdout);
        docs_roff(row->argument);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    docs_roff(row->help);
    if (*facts) {
        fputs(" (", stdout);
        docs_roff(facts);
        putchar(')');
    }
    putchar('\n');
}

static void docs_roff_command(const struct command *command)
{
    fputs(".SS empusa ", stdout);
    docs_roff(command->full_name);
    if (command->operands) {
        putchar(' ');
        docs_roff(command->operands);
    }
    /* Summaries begin with a small letter, as in lists; here one is a sentence. */
    printf("\n%c", command->summary[0] - ('a' - 'A'));
    docs_roff(command->summary + 1);
    fputs(".\n", stdout);
    if (command->text) {
        docs_roff(command->text);
        putchar('\n');
    }
}

/* `title` is roff, such as "EMPUSA 1". There is no date, so that the same version always has the
 * same page. */
static void docs_roff_head(const char *title, const char *name, const char *summary)
{
    printf(".TH %s \"\" \"empusa " EMPUSA_VERSION "\"\n.SH NAME\n", title);
    docs_roff(name);
    fputs(" \\- ", stdout);
    docs_roff(summary);
    putchar('\n');
}

static void docs_roff_tail(const char *other)
{
    puts(".SH EXIT STATUS\n0: done; 1: not done, with one line that says why; 2: wrong usage.\n"
         ".SH MESSAGES\nMessages go to standard error as \\fILEVEL\\fR:root:\\fItext\\fR, results "
         "to standard output. What runs on never waits for a reader of its messages: those for "
         "which there is no room are dropped and counted. Of warnings that differ in their values "
         "only, ten are written a second.\n.SH SEE ALSO");
    puts(other);
}

static const char late_writes[] =
    ".SH LATE WRITES\nA write whose answer does not come is repeated on another endpoint, and the "
    "first attempt may reach etcd long after. So each one holds only where the key is still as it "
    "was read, and changes nothing later. One thing cannot be told apart: an entry without a time "
    "to live that was not there, was registered by the repetition and has been unregistered again "
    "comes back if the first attempt arrives then. With a time to live it expires; what stays and "
    "refreshes takes its lease back when it ends. After an error that says that it is unknown "
    "whether something was done, look before you go on.";

static void docs_man_empusa(const struct command_table *table)
{
    docs_roff_head("EMPUSA 1", "empusa", "a service registry on etcd whose contents are also DNS");
    puts(".SH SYNOPSIS\n\\fBempusa\\fR \\fIcommand\\fR [\\fIoperand\\fR...] [\\fIoption\\fR...]\n"
         ".SH DESCRIPTION\nServices and switches live below one key of etcd, each under a lease "
         "where "
         "it has a time to live. \\fBempusa serve\\fR answers DNS queries from them.\n"
         ".SH OPTIONS\nThey stand anywhere on the line, but for behind \\fB\\-\\-\\fR. An option "
         "wins "
         "over its variable in the environment, and that over the same one in the file of "
         "\\fB\\-\\-config\\fR; an empty variable counts as unset. A line of that file is "
         "empty, or begins with \\(aq#\\(aq or \\(aq;\\(aq, or is \\fINAME\\fR=\\fIVALUE\\fR; one "
         "pair of "
         "quotes around the value is taken off, nothing is expanded, and no line goes on in the "
         "next one. It may be systemd\\(cqs EnvironmentFile, too.");
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        docs_roff_option(option_row((enum option_id)i));
    puts(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshow help, also that of a command\n"
         ".TP\n\\fB\\-\\-version\\fR\nshow the version\n.SH COMMANDS");
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        /* Those of serve are many, and dev has them, too: they have a page of their own. */
        bool has_page = strcmp(command->name, "serve") == 0 || strcmp(command->name, "dev") == 0;
        if (command->is_hidden)
            continue;
        docs_roff_command(command);
        if (has_page) {
            puts("Options: \\fBempusa\\-serve\\fR(8).");
            continue;
        }
        for (size_t k = 0; k < command->option_count; k++)
            docs_roff_option(option_row(command->options[k]));
    }
    puts(late_writes);
    docs_roff_tail("empusa\\-serve(8), etcd(1)");
}

static const char systemd_units[] =
    ".SH SYSTEMD\n\\fB\\%empusa\\-serve.service\\fR runs the server, confined, and with the right "
    "to low ports alone. Its settings are the variables above, in \\fI\\%/etc/default/empusa\\fR; "
    "an example is in \\fI\\%share/doc/empusa/examples\\fR. No secrets belong there: those go by "
    "LoadCredential, as \\fI\\%empusa\\-secrets.conf\\fR beside it shows. It is ready when queries "
    "are answered, however long that takes, and starts again whatever ends it; also when its "
    "control thread has given no sign of life for 30 seconds. What it knows it keeps in "
    "\\fI\\%/var/lib/empusa\\fR.\n.PP\n\\fB\\%empusa\\-register@\\fINAME\\fB.service\\fR keeps the "
    "service \\fINAME\\fR registered, with the settings in "
    "\\fI\\%/etc/default/empusa\\-register@\\fINAME\\fR beside those. Its first lines say how it "
    "goes up and down with a unit of the service\\(cqs own.\n.SS From empusa.service\nThe unit of "
    "the server was called so before. Its settings stay as they are, and drop\\-ins in "
    "\\fI\\%/etc/systemd/system/empusa.service.d\\fR go on being read:\n.PP\n.nf\nsystemctl "
    "disable \\-\\-now empusa\nrm \\fIPREFIX\\fR/lib/systemd/system/empusa.service\nsystemctl "
    "daemon\\-reload\nsystemctl enable \\-\\-now empusa\\-serve\n.fi\n.PP\nThen "
    "\\fBempusa.service\\fR is another name for it, and \\fBsystemctl restart empusa\\fR does what "
    "it did.";

static const char standing_faults[] =
    ".SH FAULTS\nWhile no member of etcd answers, what is known is answered as stale: TTLs of 30 "
    "seconds at most, and the extended error 3; after \\fB\\-\\-stale\\-limit\\fR SERVFAIL, with "
    "the extended error 24.\n.PP\nWith \\fB\\-\\-state\\-dir\\fR a server that starts without etcd "
    "answers at once, as stale, from the copy that an earlier one kept. It is one whole state, "
    "checked when it is read. One that is damaged is put aside as "
    "\\fI\\%registry.db.damaged\\fR; one of another tree root or of a later version is left alone; "
    "the server starts as without it. A disk that is full costs the copy and no answer. A "
    "directory that is not the server\\(cqs own, or that another one uses, is refused.\n.PP\nWith "
    "\\fB\\-\\-guard\\fR \\fI80\\fR, for sites whose services and etcd may be cut off from each "
    "other, what expired is answered, with TTLs of 10 seconds at most, when within 10 seconds at "
    "least five instances of a type have expired and more than 80 percent of those that there "
    "were: also those that had expired before so many had. Each until it is registered again, or "
    "until \\fB\\-\\-guard\\-hold\\fR is over. What is unregistered or deleted goes at once. To "
    "let "
    "go of one that is held, register and unregister it again.";

static void docs_man_serve(const struct command_table *table)
{
    const struct command *command = command_find(table, NULL, "serve");
    docs_roff_head("\\%EMPUSA\\-SERVE 8", "empusa-serve", command->summary);
    puts(".SH SYNOPSIS\n\\fBempusa serve\\fR [\\fIoption\\fR...]\n.SH DESCRIPTION");
    docs_roff(command->text);
    puts(
        "\nWhile etcd is away it goes on answering what it knows, marked as stale, until the stale "
        "limit.\n.SH OPTIONS\nThe options that all commands have in common: \\fBempusa\\fR(1).");
    for (size_t i = 0; i < command->option_count; i++)
        docs_roff_option(option_row(command->options[i]));
    puts(standing_faults);
    puts(systemd_units);
    docs_roff_tail("empusa(1), etcd(1), systemd.exec(5)");
}

int docs_man(struct call *call)
{
    if (strcmp(call->operands[0], "empusa") == 0) {
        docs_man_empusa(call->table);
    } else if (strcmp(call->operands[0], "empusa-serve") == 0) {
        docs_man_serve(call->table);
    } else {
        log_printf(&call->log, LOG_LEVEL_ERROR, "PAGE \"%s\": not one of empusa, empusa-serve",
                   call->operands[0]);
        return 2;
    }
    return output_finish(&call->log, 0);
}

/* Text for a cell: a '|' would end it, and <x> would be HTML. */
static void docs_cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputs("\\|", stdout);
        else if (*text == '<')
            fputs("&lt;", stdout);
        else
            putchar(*text);
    }
}

static void docs_markdown_option(const struct option_row *row)
{
    printf("| `--%s", row->name);
    if (row->argument) {
        putchar(' ');
        docs_cell(row->argument);
    }
    fputs("` | ", stdout);
    if (row->variable)
        printf("`%s`", row->variable);
    if (row->second_variable)
        printf(", then `%s`", row->second_variable);
    fputs(" | ", stdout);
    docs_cell(row->fallback ? row->fallback : row->default_help ? row->default_help : "");
    fputs(" | ", stdout);
    docs_cell(row->help);
    if (row->kind == OPTION_LIST || row->kind == OPTION_REPEATED)
        fputs("; repeatable", stdout);
    puts(" |");
}

static void docs_markdown_commands(const struct command_table *table)
{
    puts("| command | operands | |\n|---|---|---|");
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        if (command->is_hidden)
            continue;
        printf("| `%s` | %s | ", command->full_name, command->operands ? command->operands : "");
        docs_cell(command->summary);
        puts(" |");
    }
}

static void docs_markdown_options(const struct command *command)
{
    bool is_serve = strcmp(command->name, "serve") == 0;
    const char *name = command->full_name;
    printf("\n%s: `empusa %s`\n\n| %s | variable | default | |\n|---|---|---|---|\n",
           is_serve ? "Options of" : "Its own options", name, is_serve ? "option" : name);
    for (size_t i = 0; i < command->option_count; i++)
        docs_markdown_option(option_row(command->options[i]));
}

int docs_markdown(struct call *call)
{
    const struct command_table *table = call->table;
    docs_markdown_commands(table);
    puts("\n| global option | variable | default | |\n|---|---|---|---|");
    for (size_t i = 0; i < OPTION_GLOBAL_COUNT; i++)
        docs_markdown_option(option_row((enum option_id)i));
    for (size_t i = 0; i < table->count; i++) {
        if (!table->commands[i].is_hidden && table->commands[i].option_count > 0)
            docs_markdown_options(&table->commands[i]);
    }
    return output_finish(&call->log, 0);
}
