#include "support/http_get.h"
#include "support/log_lines.h"

#include "cli/args/connect.h"
#include "cli/serve/renewal.h"
#include "registry/etcd/etcd.h"

#include <fcntl.h>
#include <sys/stat.h>

#define ONE "000102030405060708090a0b0c0d0e0f\n"
#define TWO "101112131415161718191a1b1c1d1e1f\n"

struct fixture {
    struct http_service service;
    struct log_lines lines;
    struct answer_env env;
    struct etcd *etcd;
    struct renewal renewal;
    char path[32];
};

static void write_secret(const struct fixture *fixture, const char *text, mode_t mode)
{
    int fd = open(fixture->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* A server with a cookie secret, and a client of an etcd that is never asked. */
static void begin(struct fixture *fixture)
{
    struct options *options = &fixture->service.options;
    struct detail why = {""};
    *fixture = (struct fixture){.path = "/tmp/empusa-test-XXXXXX"};
    http_service_init(&fixture->service);
    log_lines_init(&fixture->lines);
    close(mkstemp(fixture->path));
    write_secret(fixture, ONE, 0600);
    http_service_set(&fixture->service, OPTION_COOKIE_SECRET, fixture->path);
    http_service_set(&fixture->service, OPTION_ETCD_ENDPOINT, "127.0.0.1:1");
    assert_int_equal(options_complete(options, OPTION_ETCD_PROTOCOL, NULL, &why), STATUS_OK);
    assert_int_equal(options_complete(options, OPTION_ETCD_TIMEOUT, NULL, &why), STATUS_OK);
    assert_int_equal(
        connect_open(&fixture->service.loop, options, &fixture->lines.log, &fixture->etcd, &why),
        STATUS_OK);
    fixture->renewal = (struct renewal){.options = options,
                                        .log = &fixture->lines.log,
                                        .env = &fixture->env,
                                        .server = &fixture->service.server,
                                        .etcd = &fixture->etcd};
    assert_int_equal(renewal_begin(&fixture->renewal, &why), STATUS_OK);
    assert_int_equal(fixture->env.secrets[0][0], 0x00);
    assert_int_equal(server_start(fixture->service.server, &fixture->env, &why), STATUS_OK);
    renewal_start(&fixture->renewal, &fixture->service.loop);
}

static void end(struct fixture *fixture)
{
    renewal_stop(&fixture->renewal);
    etcd_close(fixture->etcd);
    http_service_stop(&fixture->service);
    unlink(fixture->path);
}

/* What is said from an asking on, until it has been heeded. */
static const char *ask(struct fixture *fixture)
{
    uv_update_time(&fixture->service.loop);
    renewal_ask(&fixture->renewal);
    assert_true(HTTP_UNTIL(&fixture->service, fixture->lines.len > 0, 5000));
    return log_lines_take(&fixture->lines);
}

static void what_is_asked_for_is_read_again(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_string_equal(log_lines_take(&fixture.lines), "");
    write_secret(&fixture, TWO, 0600);
    assert_string_equal(ask(&fixture), "INFO:secrets and certificates have been read again\n");
    assert_int_equal(fixture.env.secrets[0][0], 0x10);
    end(&fixture);
}

static void what_cannot_be_used_leaves_what_was_read_before(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[256];
    begin(&fixture);
    write_secret(&fixture, "rubbish\n", 0600);
    snprintf(text, sizeof(text),
             "WARNING:the cookie secrets stay as they are: --cookie-secret-file \"%s\": a line is "
             "not 32 hexadecimal digits\n",
             fixture.path);
    assert_string_equal(ask(&fixture), text);
    assert_int_equal(fixture.env.secrets[0][15], 0x0f);
    write_secret(&fixture, TWO, 0604);
    http_service_set(&fixture.service, OPTION_ETCD_USER, "somebody"); /* without a password */
    const char *lines = ask(&fixture);
    snprintf(text, sizeof(text), "WARNING:--cookie-secret-file \"%s\": others may read",
             fixture.path);
    assert_non_null(strstr(lines, text));
    assert_non_null(
        strstr(lines, "WARNING:certificates and password of etcd stay as they are: --etcd-user "));
    assert_null(strstr(lines, "have been read again"));
    assert_int_equal(fixture.env.secrets[0][0], 0x10); /* the one does not hinder the other */
    end(&fixture);
}

static void whoever_asks_often_is_heeded_once_a_second_and_at_last(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    uint64_t begin_ms = uv_hrtime() / 1000000;
    ask(&fixture); /* at once */
    assert_in_range(uv_hrtime() / 1000000 - begin_ms, 0, 900);
    for (int i = 0; i < 20; i++) {
        renewal_ask(&fixture.renewal);
        HTTP_UNTIL(&fixture.service, false, 5);
    }
    write_secret(&fixture, TWO, 0600);
    renewal_ask(&fixture.renewal);
    assert_string_equal(log_lines_take(&fixture.lines), "");
    assert_true(HTTP_UNTIL(&fixture.service, fixture.lines.len > 0, 5000));
    assert_in_range(uv_hrtime() / 1000000 - begin_ms, 1000, 6000);
    assert_int_equal(fixture.env.secrets[0][0], 0x10);
    HTTP_UNTIL(&fixture.service, false, 1100);
    assert_string_equal(log_lines_take(&fixture.lines),
                        "INFO:secrets and certificates have been read again\n");
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_is_read_again),
        cmocka_unit_test(what_cannot_be_used_leaves_what_was_read_before),
        cmocka_unit_test(whoever_asks_often_is_heeded_once_a_second_and_at_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
