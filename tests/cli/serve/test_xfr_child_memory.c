/* Transfers for which there is no memory: refused with SERVFAIL, and nobody's descriptor stays open. */
#include "cli/serve/xfr_child.h"

#include "support/allocation.h"
#include "zones/zone.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static const struct zone_options options = {
    .domain = "z", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
static const struct axfr_request request = {
    .type = 252, .head_len = 12, .head = {0x12, 0x34, 0x84}};
static const struct log quiet = {0};

static void a_start_without_memory_leaves_nothing(void **state)
{
    bool has_failed = true;
    unsigned n = 0;
    (void)state;
    for (; has_failed; n++) {
        struct xfr_child *transfers = NULL;
        struct zone *zone;
        uv_loop_t loop;
        uv_loop_init(&loop);
        assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
        allocation_begin(n);
        enum status status = xfr_child_start(&loop, zone, &quiet, &transfers);
        has_failed = allocation_end();
        assert_int_equal(status == STATUS_OK, !has_failed);
        assert_int_equal(transfers != NULL, !has_failed);
        xfr_child_stop(transfers);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        zone_free(zone);
    }
    assert_int_equal(n, 3);
}

static void who_asks_without_memory_gets_servfail(void **state)
{
    struct xfr_child *transfers;
    struct zone *zone;
    uv_loop_t loop;
    int ends[2];
    uint8_t bytes[64];
    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    assert_int_equal(xfr_child_start(&loop, zone, &quiet, &transfers), STATUS_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    allocation_begin(0);
    xfr_child_take(transfers, ends[1], &request);
    assert_true(allocation_end());
    assert_int_equal(recv(ends[0], bytes, sizeof(bytes), MSG_WAITALL), 14); /* and then the end */
    assert_int_equal(bytes[5] & 15, 2);
    close(ends[0]);
    xfr_child_stop(transfers);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_start_without_memory_leaves_nothing),
                                       cmocka_unit_test(who_asks_without_memory_gets_servfail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
