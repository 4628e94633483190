#include "cli/args/help.h"

#include "cli/program.h"
#include "support/printed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct command few[] = {
    {.operands = "CUP",
     COMMAND_IN("tea", "brew"),
     .summary = "make a|b of <x>",
     .text = ".dots and\n'quotes' and back\\slashes",
     .options = {OPTION_FORMAT},
     .option_count = 1},
    {.summary = "pour it",
     COMMAND_NAMED("serve"),
     .text = "Until it is empty.",
     .options = {OPTION_HOST},
     .option_count = 1},
    {.summary = "rinse", COMMAND_NAMED("rinse"), .is_hidden = true},
};
static const struct command_table table = {few, COUNT(few), NULL, 0};

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

/* A dot or a quote at the beginning of a line would be roff's. */
static void a_manual_page_takes_no_text_for_markup(void **state)
{
    (void)state;
    char *text = printed_by(docs_man, &table, "empusa", 0, "");
    assert_has(text, ".TH EMPUSA 1 \"\" \"empusa " EMPUSA_VERSION "\"\n.SH NAME\nempusa \\- a ");
    assert_has(text, ".SS empusa tea brew CUP\nMake a|b of <x>.\n"
                     "\\&.dots and\n\\&'quotes' and back\\eslashes\n"
                     ".TP\n\\fB\\%\\-\\-format\\fR \\fItable|json\\fR\n"
                     "how to print (default table)\n");
    assert_has(text, ".SS empusa serve\nPour it.\nUntil it is empty.\n"
                     "Options: \\fBempusa\\-serve\\fR(8).\n");
    assert_null(strstr(text, "rinse"));
    free(text);
    text = printed_by(docs_man, &table, "empusa-serve", 0, "");
    assert_has(text, ".TH \\%EMPUSA\\-SERVE 8 ");
    assert_has(text, "\n.SH DESCRIPTION\nUntil it is empty.\n");
    assert_has(text, ".TP\n\\fB\\%\\-\\-host\\fR \\fI\\%NAME=ADDR\\fR\n"
                     "address of a host without a dot (variable \\%EMPUSA_HOST, repeatable, or a "
                     "list with commas or blanks)\n");
    free(text);
}

static void the_tables_are_markdown(void **state)
{
    (void)state;
    char *text = printed_by(docs_markdown, &table, NULL, 0, "");
    assert_has(text, "| command | operands | |\n|---|---|---|\n"
                     "| `tea brew` | CUP | make a\\|b of &lt;x> |\n"
                     "| `serve` |  | pour it |\n\n"
                     "| global option | variable | default | |\n|---|---|---|---|\n"
                     "| `--etcd-endpoint HOST:PORT` | `EMPUSA_ETCD_ENDPOINT` |  | ");
    assert_has(text, "| `--ca-bundle FILE` | `EMPUSA_CA_BUNDLE`, then `REQUESTS_CA_BUNDLE` |  | ");
    assert_has(text, "\nIts own options: `empusa tea brew`\n\n"
                     "| tea brew | variable | default | |\n|---|---|---|---|\n"
                     "| `--format table\\|json` |  | table | how to print |\n\n"
                     "Options of: `empusa serve`\n\n"
                     "| option | variable | default | |\n|---|---|---|---|\n"
                     "| `--host NAME=ADDR` | `EMPUSA_HOST` |  | "
                     "address of a host without a dot; repeatable |\n");
    assert_null(strstr(text, "rinse"));
    free(text);
}

/* Takes the marks of roff away: fonts, and the backslashes before hyphens. */
static char *plain(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (from[0] == '\\' && from[1] == 'f' && from[2])
            from += 2;
        else if (*from != '\\')
            *to++ = *from;
    }
    *to = '\0';
    return text;
}

static void every_option_of_the_program_is_there(void **state)
{
    const struct command_table *all = program_table();
    char *pages[] = {plain(printed_by(docs_man, all, "empusa", 0, "")),
                     plain(printed_by(docs_man, all, "empusa-serve", 0, "")),
                     printed_by(docs_markdown, all, NULL, 0, "")};
    (void)state;
    for (size_t k = 0; k < OPTION_COUNT; k++) {
        const char *name = option_row((enum option_id)k)->name;
        bool is_of_serve = k >= OPTION_LISTEN || k == OPTION_DATA_DIR || k == OPTION_LISTEN_DEV;
        assert_true(is_of_serve || printed_has_word(pages[0], name));
        assert_true(k < OPTION_LISTEN || printed_has_word(pages[1], name));
        assert_true(printed_has_word(pages[2], name));
    }
    for (size_t i = 0; i < COUNT(pages); i++)
        free(pages[i]);
}

static void another_page_is_wrong_usage(void **state)
{
    (void)state;
    char *text = printed_by(docs_man, &table, "nothing", 2,
                            "ERROR:PAGE \"nothing\": not one of empusa, empusa-serve\n");
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manual_page_takes_no_text_for_markup),
        cmocka_unit_test(the_tables_are_markdown),
        cmocka_unit_test(every_option_of_the_program_is_there),
        cmocka_unit_test(another_page_is_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
