#include "zones/text.h"

#include "zones/name/name.h"
#include "zones/name/rr.h"
#include "zones/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#define W(octets) (const uint8_t *)(octets), sizeof(octets) - 1

static struct text *text;

static int set_up(void **state)
{
    (void)state;
    return text_new(&text) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    text_free(text);
    return 0;
}

static void a_record_is_a_line(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *owner;
        size_t owner_len;
        uint16_t type;
        uint32_t ttl_s;
        const uint8_t *rdata;
        size_t rdata_len;
        const char *line;
    } rows[] = {
        {W("\1a\0"), TYPE_A, 10, W("\x0a\1\2\3"), "a.\t10\tIN\tA\t10.1.2.3\n"},
        {W("\0"), TYPE_NS, 3600, W("\2ns\0"), ".\t3600\tIN\tNS\tns.\n"},
        {W("\1a\0"), TYPE_AAAA, 0, W("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"),
         "a.\t0\tIN\tAAAA\tfd00::1\n"},
        {W("\1a\0"), TYPE_SOA, 60, W("\2ns\0\1h\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"),
         "a.\t60\tIN\tSOA\tns. h. 1 2 3 4 5\n"},
        {W("\1a\0"), TYPE_SRV, 10, W("\0\0\0\1\x1f\x90\3baz\4host\0"),
         "a.\t10\tIN\tSRV\t0 1 8080 baz.host.\n"},
        {W("\1a\0"), TYPE_TXT, 2147483647, W("\0"), "a.\t2147483647\tIN\tTXT\t\"\"\n"},
        {W("\1a\0"), TYPE_TXT, 10, W("\3a b\4\"\\;\0"),
         "a.\t10\tIN\tTXT\t\"a b\" \"\\\"\\\\;\\000\"\n"},
        {W("\x0e\xc3\x89t. 2;\"@$()\\~\4_tcp\0"), TYPE_PTR, 10, W("\4?x~*\3A/b\0"),
         "\\195\\137t\\.\\0322\\;\\\"\\@\\$\\(\\)\\\\\\~._tcp.\t10\tIN\tPTR\t\\?x\\~*.A/b.\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dump_record record = {.owner = rows[i].owner,
                                     .owner_len = (uint16_t)rows[i].owner_len,
                                     .type = rows[i].type,
                                     .ttl_s = rows[i].ttl_s,
                                     .rdata = rows[i].rdata,
                                     .rdata_len = (uint16_t)rows[i].rdata_len};
        const char *line;
        size_t len;
        assert_int_equal(text_line(text, &record, &line, &len), STATUS_OK);
        char *copy = strndup(line, len);
        assert_string_equal(copy, rows[i].line);
        free(copy);
    }
}

static void data_that_is_none_is_not_printed(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        const uint8_t *rdata;
        size_t rdata_len;
    } rows[] = {{TYPE_A, W("\x0a\1\2")}, {TYPE_PTR, W("\3ab")}, {TYPE_SRV, W("\0\0\0")}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dump_record record = {.owner = (const uint8_t *)"",
                                     .owner_len = 1,
                                     .type = rows[i].type,
                                     .rdata = rows[i].rdata,
                                     .rdata_len = (uint16_t)rows[i].rdata_len};
        const char *line;
        size_t len;
        assert_int_equal(text_line(text, &record, &line, &len), STATUS_BAD_INPUT);
    }
}

/* ldns reads what was printed: the same octets. */
static void check_read_back(const struct dump_record *record)
{
    const char *line;
    size_t len, wire_len;
    uint8_t *wire, expected[1024], *at = expected;
    ldns_rr *rr;
    assert_int_equal(text_line(text, record, &line, &len), STATUS_OK);
    char *copy = strndup(line, len - 1);
    assert_int_equal(ldns_rr_new_frm_str(&rr, copy, 0, NULL, NULL), LDNS_STATUS_OK);
    assert_int_equal(ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &wire_len), LDNS_STATUS_OK);
    memcpy(at, record->owner, record->owner_len);
    at += record->owner_len;
    rr_put16(at, record->type);
    rr_put16(at + 2, CLASS_IN);
    rr_put32(at + 4, record->ttl_s);
    rr_put16(at + 8, record->rdata_len);
    at += 10;
    memcpy(at, record->rdata, record->rdata_len);
    at += record->rdata_len;
    assert_int_equal(wire_len, at - expected);
    assert_memory_equal(wire, expected, wire_len);
    ldns_rr_free(rr);
    free(wire);
    free(copy);
}

static void every_octet_survives_in_names_and_strings(void **state)
{
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        uint8_t name[] = {3, (uint8_t)octet, '1', (uint8_t)octet, 1, 'b', 0};
        uint8_t string[] = {2, (uint8_t)octet, '1', 1, (uint8_t)octet};
        struct dump_record record = {.owner = name,
                                     .owner_len = sizeof(name),
                                     .type = TYPE_TXT,
                                     .ttl_s = 7,
                                     .rdata = string,
                                     .rdata_len = sizeof(string)};
        check_read_back(&record);
        record.type = TYPE_PTR;
        record.rdata = name;
        record.rdata_len = sizeof(name);
        check_read_back(&record);
    }
}

static void the_longest_names_and_data_are_printed(void **state)
{
    (void)state;
    static uint8_t data[UINT16_MAX];
    uint8_t name[NAME_MAX_LEN];
    memset(name, 0xff, sizeof(name));
    name[0] = name[64] = name[128] = 63;
    name[192] = 61;
    name[254] = 0;
    memset(data, 0, sizeof(data));
    struct dump_record record = {.owner = name,
                                 .owner_len = sizeof(name),
                                 .type = TYPE_TXT,
                                 .rdata = data,
                                 .rdata_len = sizeof(data)};
    const char *line;
    size_t len;
    assert_int_equal(text_line(text, &record, &line, &len), STATUS_OK);
    assert_int_equal(len,
                     4 * (NAME_MAX_LEN - 5) + 4 + strlen("\t0\tIN\tTXT") + 3 * sizeof(data) + 1);
}

static struct zone *new_zone(void)
{
    struct zone *zone;
    struct zone_options options = {
        .domain = "empusa.internal", .record_ttl_s = 10, .negative_ttl_s = 5};
    assert_int_equal(zone_new(&options, &zone, NULL), STATUS_OK);
    assert_int_equal(zone_put(zone, "/service/http/a", 15, "baz:1", 5, 1, 0), STATUS_OK);
    zone_commit(zone, 1);
    return zone;
}

static void a_zone_is_printed_and_read_as_a_zone(void **state)
{
    (void)state;
    struct zone *zone = new_zone();
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(text_zone(zone, file), STATUS_OK);
    rewind(file);
    ldns_zone *read;
    assert_int_equal(ldns_zone_new_frm_fp(&read, file, NULL, 0, LDNS_RR_CLASS_IN), LDNS_STATUS_OK);
    assert_non_null(ldns_zone_soa(read));
    assert_int_equal(ldns_zone_rr_count(read), 1 + 3 + 1 + 3 + 1 + 2 + 1);
    ldns_zone_deep_free(read);
    fclose(file);
    zone_free(zone);
}

static void a_file_that_is_full_is_told(void **state)
{
    (void)state;
    struct zone *zone = new_zone();
    FILE *file = fopen("/dev/full", "w");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    assert_int_equal(text_zone(zone, file), STATUS_SYSTEM);
    fclose(file);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_a_line),
        cmocka_unit_test(data_that_is_none_is_not_printed),
        cmocka_unit_test(every_octet_survives_in_names_and_strings),
        cmocka_unit_test(the_longest_names_and_data_are_printed),
        cmocka_unit_test(a_zone_is_printed_and_read_as_a_zone),
        cmocka_unit_test(a_file_that_is_full_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
