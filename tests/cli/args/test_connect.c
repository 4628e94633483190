/* A client of etcd as the global options want it. */
#include "connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/etcd/client.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define SETTINGS_MAX   6
#define PASSWORD_FILES 3

/* With a password, open to others, and a pipe. */
enum { PASSWORD, OPEN, PIPE };
static char directory[] = "/tmp/empusa-connect-XXXXXX";
static char files[PASSWORD_FILES][64];

static unsigned warnings;
static char warning[1024];

static void on_log(void *arg, enum log_level level, const char *kind, const char *text)
{
    (void)arg, (void)kind;
    warnings += level == LOG_LEVEL_WARNING;
    snprintf(warning, sizeof(warning), "%s", text);
}

static const struct log loud = {.write = on_log};

struct setting {
    enum option_id id;
    const char *text; /* NULL: no more */
};

static void set(struct options *options, const struct setting *settings)
{
    struct detail why;
    memset(options, 0, sizeof(*options));
    for (size_t i = 0; i < SETTINGS_MAX && settings[i].text; i++)
        assert_int_equal(options_set(options, settings[i].id, settings[i].text, &why), STATUS_OK);
    static const struct setting defaults[] = {{OPTION_ETCD_PROTOCOL, "http"},
                                              {OPTION_ETCD_TIMEOUT, "7"}};
    for (size_t i = 0; i < COUNT(defaults); i++)
        if (!options_has(options, defaults[i].id))
            assert_int_equal(options_set(options, defaults[i].id, defaults[i].text, &why),
                             STATUS_OK);
}

static int set_up(void **state)
{
    static const mode_t modes[] = {0600, 0644};
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    for (int i = 0; i < PASSWORD_FILES; i++)
        snprintf(files[i], sizeof(files[i]), "%s/%d", directory, i);
    for (int i = PASSWORD; i <= OPEN; i++) {
        FILE *file = fopen(files[i], "w");
        assert_non_null(file);
        fputs("pw\n", file);
        fclose(file);
        assert_int_equal(chmod(files[i], modes[i]), 0);
    }
    return mkfifo(files[PIPE], 0600);
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < PASSWORD_FILES; i++)
        unlink(files[i]);
    return rmdir(directory);
}

static void what_is_wrong_is_said_of_its_option(void **state)
{
    static const struct {
        struct setting settings[SETTINGS_MAX];
        const char *said[2];
        enum status status;
    } rows[] = {
        {{{OPTION_ETCD_ENDPOINT, "bob:pw@h:1"}},
         {"--etcd-endpoint: a user and a password do not belong there", "--etcd-user"},
         STATUS_BAD_INPUT},
        {{{OPTION_ETCD_ENDPOINT, "h:1,bob:p,w@g:1"}},
         {"--etcd-endpoint: a user and a password do not belong there", "--etcd-user"},
         STATUS_BAD_INPUT},
        {{{OPTION_ETCD_DISCOVERY_SRV, "bob:pw@d"}},
         {"--etcd-discovery-srv: a user and a password do not belong there", "--etcd-user"},
         STATUS_BAD_INPUT},
        {{{OPTION_ETCD_ENDPOINT, "h:1,h:x"}}, {"--etcd-endpoint \"h:x\"", ""}, STATUS_BAD_INPUT},
        {{{OPTION_ETCD_ENDPOINT, "h:1"}, {OPTION_ETCD_USER, "bob"}},
         {"--etcd-user needs --etcd-password-file", "EMPUSA_ETCD_PASSWORD"},
         STATUS_BAD_INPUT},
        {{{OPTION_ETCD_ENDPOINT, "h:1"},
          {OPTION_ETCD_USER, "bob"},
          {OPTION_ETCD_PASSWORD, "/nonexistent/pw"}},
         {"/nonexistent/pw", "No such file"},
         STATUS_SYSTEM},
        {{{OPTION_ETCD_ENDPOINT, "https://h:1"}, {OPTION_CA_BUNDLE, "/nonexistent/ca"}},
         {"/nonexistent/ca", "No such file"},
         STATUS_BAD_INPUT},
        {{{OPTION_ETCD_ENDPOINT, "https://h:1"}, {OPTION_CA_BUNDLE, "http://u:a pw@h"}},
         {"http://***@h", "No such file"},
         STATUS_BAD_INPUT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct options options;
        struct detail why = {""};
        struct etcd *etcd = NULL;
        uv_loop_t loop;
        assert_int_equal(uv_loop_init(&loop), 0);
        set(&options, rows[i].settings);
        enum status status = connect_open(&loop, &options, &loud, &etcd, &why);
        if (status != rows[i].status || etcd || !strcasestr(why.text, rows[i].said[0]) ||
            !strcasestr(why.text, rows[i].said[1]))
            fail_msg("row %zu: %d, %s", i, status, why.text);
        assert_null(strstr(why.text, "pw@"));
        options_clear(&options);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
    }
}

static void the_client_is_as_the_options_say(void **state)
{
    (void)state;
    struct options options;
    struct detail why = {""};
    struct etcd *etcd;
    uv_loop_t loop;
    const struct setting settings[SETTINGS_MAX] = {{OPTION_ETCD_ENDPOINT, "10.0.0.1:1,https://h:2"},
                                                   {OPTION_ETCD_ENDPOINT, "10.0.0.3:3"},
                                                   {OPTION_ETCD_PROTOCOL, "https"},
                                                   {OPTION_ETCD_USER, "bob"},
                                                   {OPTION_ETCD_PASSWORD, files[PASSWORD]}};
    assert_int_equal(uv_loop_init(&loop), 0);
    set(&options, settings);
    warnings = 0;
    assert_int_equal(connect_open(&loop, &options, &loud, &etcd, &why), STATUS_OK);
    assert_int_equal(warnings, 0);
    assert_int_equal(etcd->members.count, 3);
    unsigned seen = 0;
    for (size_t i = 0; i < 3; i++) { /* in any order */
        const char *url = etcd->members.list[i].endpoint.url;
        seen |= strcmp(url, "https://10.0.0.1:1") == 0 ? 1 : 0;
        seen |= strcmp(url, "https://h:2") == 0 ? 2 : 0;
        seen |= strcmp(url, "https://10.0.0.3:3") == 0 ? 4 : 0;
    }
    assert_int_equal(seen, 7);
    assert_int_equal(etcd->timeout_ms, 7000);
    assert_string_equal(etcd->auth.user, "bob");
    assert_string_equal(etcd->auth.password, "pw");
    /* Another password takes its place; one that cannot be read does not. */
    FILE *file = fopen(files[PASSWORD], "w");
    fputs("other\n", file);
    fclose(file);
    assert_int_equal(connect_reload(etcd, &options, &why), STATUS_OK);
    assert_string_equal(etcd->auth.password, "other");
    unlink(files[PASSWORD]);
    assert_int_equal(connect_reload(etcd, &options, &why), STATUS_SYSTEM);
    assert_string_equal(etcd->auth.password, "other");
    etcd_close(etcd);
    options_clear(&options);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void of_a_password_that_others_may_read_it_is_said(void **state)
{
    (void)state;
    struct options options;
    struct detail why = {""};
    struct etcd *etcd;
    uv_loop_t loop;
    const struct setting settings[SETTINGS_MAX] = {{OPTION_ETCD_ENDPOINT, "10.0.0.1:1"},
                                                   {OPTION_ETCD_USER, "bob"},
                                                   {OPTION_ETCD_PASSWORD, files[OPEN]}};
    assert_int_equal(uv_loop_init(&loop), 0);
    set(&options, settings);
    warnings = 0;
    assert_int_equal(connect_open(&loop, &options, &loud, &etcd, &why), STATUS_OK);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(warning, "--etcd-password-file"));
    assert_non_null(strstr(warning, files[OPEN]));
    etcd_close(etcd);
    options_clear(&options);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Whoever answers meanwhile cannot wait for it. */
static void a_pipe_is_not_read_again(void **state)
{
    (void)state;
    struct options options;
    struct detail why = {""};
    const struct setting settings[SETTINGS_MAX] = {{OPTION_ETCD_ENDPOINT, "10.0.0.1:1"},
                                                   {OPTION_ETCD_USER, "bob"},
                                                   {OPTION_ETCD_PASSWORD, files[PIPE]}};
    set(&options, settings);
    assert_int_equal(connect_reload(NULL, &options, &why), STATUS_BAD_INPUT);
    assert_non_null(strstr(why.text, "a pipe cannot be read again"));
    assert_non_null(strstr(why.text, files[PIPE]));
    options_clear(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said_of_its_option),
        cmocka_unit_test(the_client_is_as_the_options_say),
        cmocka_unit_test(of_a_password_that_others_may_read_it_is_said),
        cmocka_unit_test(a_pipe_is_not_read_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
