/* A transfer without memory never passes for a whole one: it says so, and its end is missing. */
#include "dns/transfer/axfr.h"

#include "support/allocation.h"
#include "zones/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#define INSTANCES 300

static const struct zone_options options = {
    .domain = "z", .record_ttl_s = 10, .negative_ttl_s = 5, .has_switches = true};
static const struct axfr_request request = {
    .type = 252, .head_len = 12, .head = {0x12, 0x34, 0x84}};

struct stream {
    uint8_t octets[1 << 18];
    size_t len;
};

static bool on_message(void *arg, const uint8_t *bytes, size_t len)
{
    struct stream *stream = arg;
    assert_true(stream->len + len <= sizeof(stream->octets));
    memcpy(stream->octets + stream->len, bytes, len);
    stream->len += len;
    return true;
}

static void what_is_not_whole_has_no_end(void **state)
{
    static struct stream whole, part;
    bool has_failed = true;
    unsigned n = 0;
    struct zone *zone;
    (void)state;
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    for (unsigned i = 0; i < INSTANCES; i++) {
        char key[64], value[64];
        int len = snprintf(key, sizeof(key), "/service/web/%u", i);
        int value_len = snprintf(value, sizeof(value), "10.1.%u.%u:80", i >> 8, i & 255);
        assert_int_equal(zone_put(zone, key, (size_t)len, value, (size_t)value_len, i + 1, 0),
                         STATUS_OK);
    }
    zone_commit(zone, INSTANCES);
    assert_int_equal(axfr_messages(zone, &request, on_message, &whole), STATUS_OK);
    for (; has_failed; n++) {
        part.len = 0;
        allocation_begin(n);
        enum status status = axfr_messages(zone, &request, on_message, &part);
        has_failed = allocation_end();
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_true(has_failed ? part.len < whole.len : part.len == whole.len);
    }
    assert_true(n > 3);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_not_whole_has_no_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
