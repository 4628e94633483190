#include "support/bound.h"
#include "support/client.h"
#include "support/http_get.h"
#include "support/log_lines.h"

#include "cli/serve/summary.h"

static void one_line_says_what_is_served_and_asked(void **state)
{
    static const char bad[] = "/service/web/bad", switch_key[] = "/switch/a",
                      host[] = "/service/ftp/h";
    (void)state;
    struct http_service service;
    struct log_lines lines;
    struct sockaddr_storage address;
    uint8_t octets[128];
    http_service_init(&service);
    log_lines_init(&lines);
    assert_int_equal(zone_put(service.zone, bad, sizeof(bad) - 1, "rubbish", 7, 8, 0), STATUS_OK);
    assert_int_equal(zone_put(service.zone, switch_key, sizeof(switch_key) - 1, "on", 2, 9, 0),
                     STATUS_OK);
    assert_int_equal(zone_put(service.zone, host, sizeof(host) - 1, "baz:21", 6, 10, 0), STATUS_OK);
    zone_commit(service.zone, 10);
    summary_log(&lines.log, service.zone, service.server, ANSWER_NOT_READY);
    assert_string_equal(log_lines_take(&lines),
                        "INFO:empusa.internal is not ready: 2 services of 2 types, 1 switches, "
                        "1 keys not published, 1 hosts without address of 1, revision 10, "
                        "serial 10; 0 queries over UDP, 0 over TCP\n");
    assert_int_equal(
        server_start(service.server, &(struct answer_env){.state = ANSWER_FRESH}, NULL), STATUS_OK);
    assert_true(bound_address(service.server, 0, &address));
    int udp = client_connect(&address, SOCK_DGRAM), tcp = client_connect(&address, SOCK_STREAM);
    for (uint16_t id = 0; id < 3; id++) {
        size_t len = client_query(octets, id, "a", CLIENT_TYPE_A);
        client_send(udp, octets, len);
        assert_true(recv(udp, octets, sizeof(octets), 0) > 0);
    }
    client_send(tcp, octets, client_message(octets, 7, "a", CLIENT_TYPE_A));
    assert_true(client_read_message(tcp, octets) > 0);
    close(udp);
    close(tcp);
    summary_log(&lines.log, service.zone, service.server, ANSWER_STALE);
    const char *line = log_lines_take(&lines);
    assert_non_null(strstr(line, "empusa.internal is stale: "));
    assert_non_null(strstr(line, "; 3 queries over UDP, 1 over TCP\n"));
    http_service_stop(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_says_what_is_served_and_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
