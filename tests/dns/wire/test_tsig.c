/* RFC 8945 5.2.1: a key that nobody knows. */
#include "dns/wire/tsig.h"

#include "support/ask.h"
#include "zones/store/rcu.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TYPE_TSIG 250
#define W(octets) octets, sizeof(octets) - 1

static struct ask ask;

static int set_up(void **state)
{
    (void)state;
    struct zone_options options = {
        .domain = "empusa.internal", .record_ttl_s = 10, .negative_ttl_s = 5};
    ask.env = (struct answer_env){.state = ANSWER_FRESH, .max_udp_size = 1232};
    ask.scratch = answer_scratch_new();
    if (!ask.scratch || zone_new(&options, &ask.zone, NULL) != STATUS_OK)
        return -1;
    zone_commit(ask.zone, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    answer_scratch_free(ask.scratch);
    zone_free(ask.zone);
    return 0;
}

static const char hmac[] = "\13hmac-sha256";       /* with the root label */
static const char fixed[] = "\0\0\x12\x34\x56\x78" /* time */
                            "\1\x2c"               /* fudge */
                            "\0\4MACS"             /* MAC */
                            "\xab\xcd"             /* original ID */
                            "\0\0\0\0";            /* error, other length */

static void put_tsig(struct ask_query *query, const char *key, size_t key_len, unsigned rr_class,
                     const void *data, size_t data_len)
{
    query->bytes[11]++;
    ask_put(query, key, key_len);
    ask_put16(query, TYPE_TSIG);
    ask_put16(query, rr_class);
    ask_put16(query, 0);
    ask_put16(query, 0);
    ask_put16(query, (unsigned)data_len);
    ask_put(query, data, data_len);
}

static size_t good_data(char out[64])
{
    memcpy(out, hmac, sizeof(hmac));
    memcpy(out + sizeof(hmac), fixed, sizeof(fixed) - 1);
    return sizeof(hmac) + sizeof(fixed) - 1;
}

/* The reply's TSIG record, which the reader does not know, is taken off. */
static size_t take_tsig(const char *key, size_t key_len)
{
    uint8_t expected[512];
    static const uint8_t head[] = {0, 250, 0, 255, 0, 0, 0, 0, 0, 29};
    static const uint8_t tail[] = {0, 0, 0x12, 0x34, 0x56, 0x78, 1, 0x2c,
                                   0, 0, 0xab, 0xcd, 0,    17,   0, 0};
    size_t len = 0;
    memcpy(expected, key, key_len);
    len += key_len;
    memcpy(expected + len, head, sizeof(head));
    len += sizeof(head);
    memcpy(expected + len, hmac, sizeof(hmac));
    len += sizeof(hmac);
    memcpy(expected + len, tail, sizeof(tail));
    len += sizeof(tail);
    assert_true(ask.result.len > len);
    assert_memory_equal(ask.reply + ask.result.len - len, expected, len);
    assert_true(ask.reply[11] > 0);
    ask.reply[11]--;
    assert_null(reader_read(&ask.reader, ask.reply, ask.result.len - len));
    return len;
}

static void a_signed_question_in_class_ch_is_no_exception(void **state)
{
    (void)state;
    char data[64];
    struct ask_query query = ask_query("id.server.", 16);
    query.bytes[query.len - 1] = 3;
    ask.env.nsid_len = 1;
    ask.env.nsid[0] = 'x';
    ask_send(&ask, &query, QUERY_UDP);
    assert_int_equal(ask.result.rcode, 0);
    put_tsig(&query, W("\3key\0"), 255, data, good_data(data));
    ask_send(&ask, &query, QUERY_UDP);
    assert_int_equal(ask.result.rcode, 9);
    take_tsig(W("\3key\0"));
}

static void an_unknown_key_is_said_to_be_bad(void **state)
{
    (void)state;
    static const struct {
        const char *question, *key;
        size_t key_len;
        const char *whole;
        size_t whole_len;
        bool has_edns;
    } rows[] = {
        {"empusa.internal.", W("\3key\0"), W("\3key\0"), false},
        {"empusa.internal.", W("\3Key\1b\0"), W("\3Key\1b\0"), true},
        {"example.com.", W("\3key\0"), W("\3key\0"), true},
        {"empusa.internal.", W("\0"), W("\0"), true},
        /* Compressed against the question. */
        {"a.empusa.internal.", W("\3key\xc0\x0e"), W("\3key\6empusa\10internal\0"), true},
        {"a.empusa.internal.", W("\xc0\x0c"), W("\1a\6empusa\10internal\0"), true},
        {"a.empusa.internal.", W("\3key\xc0\x1e"), W("\3key\0"), true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int tcp = 0; tcp < 2; tcp++) {
            char data[64];
            struct ask_query query = ask_query(rows[i].question, 252);
            if (rows[i].has_edns)
                ask_opt(&query, 1232, 0x8000, NULL, 0);
            put_tsig(&query, rows[i].key, rows[i].key_len, 255, data, good_data(data));
            ask_send(&ask, &query, tcp ? QUERY_TCP : QUERY_UDP);
            assert_int_equal(ask.result.rcode, 9);
            take_tsig(rows[i].whole, rows[i].whole_len);
            assert_int_equal(ask.reader.rcode, 9);
            assert_false(ask.reader.is_truncated || ask.reader.is_authoritative);
            assert_true(ask.reader.has_question);
            assert_int_equal(ask.reader.count, 0);
            assert_int_equal(ask.reader.has_opt, rows[i].has_edns);
            assert_int_equal(ask.reader.id, 0x1234);
        }
}

/* Empty data stand for good ones. */
static const struct {
    const char *key;
    size_t key_len;
    unsigned rr_class;
    const char *data;
    size_t data_len;
} wrong[] = {
    /* The key's name: pointers to the header, into a label, to itself, forward; a chain. */
    {W("\3key\xc0\0"), 255, W("")},
    {W("\3key\xc0\x0d"), 255, W("")},
    {W("\3key\xc0\x1d"), 255, W("")},
    {W("\xc0\x21"), 255, W("")},
    {W("\xff\xff"), 255, W("")},
    /* The class. */
    {W("\3key\0"), 1, W("")},
    /* The algorithm: compressed, cut off, another kind of label, too long. */
    {W("\3key\0"), 255,
     W("\xc0\x0c"
       "\0\0\0\0\0\0\1\x2c\0\0\xab\xcd\0\0\0\0")},
    {W("\3key\0"), 255, W("\13hmac")},
    {W("\3key\0"), 255,
     W("\x40"
       "a\0"
       "\0\0\0\0\0\0\1\x2c\0\0\xab\xcd\0\0\0\0")},
    /* Times, MAC, other data: cut off, beyond the end, something behind. */
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1")},
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1\x2c\0")},
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1\x2c\0\1")},
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1\x2c\xff\xff"
       "MAC\xab\xcd\0\0\0\0")},
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1\x2c\0\0\xab\xcd\0\0\0")},
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1\x2c\0\0\xab\xcd\0\0\0\1")},
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1\x2c\0\0\xab\xcd\0\0\xff\xff")},
    {W("\3key\0"), 255,
     W("\1a\0"
       "\0\0\0\0\0\0\1\x2c\0\0\xab\xcd\0\0\0\0x")},
    {W("\3key\0"), 255, W("")},
};

static void a_record_that_cannot_be_read_is_a_format_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char data[64];
        struct ask_query query = ask_query("empusa.internal.", 6);
        const char *octets = wrong[i].data;
        size_t len = wrong[i].data_len;
        if (len == 0 && i + 1 < sizeof(wrong) / sizeof(wrong[0])) {
            len = good_data(data);
            octets = data;
        }
        put_tsig(&query, wrong[i].key, wrong[i].key_len, wrong[i].rr_class, octets, len);
        ask_send(&ask, &query, QUERY_TCP);
        if (ask.fault || ask.result.rcode != 1)
            fail_msg("row %zu: rcode %u, %s", i, ask.result.rcode, ask.fault ? ask.fault : "");
        assert_int_equal(ask.reader.count, 0);
    }
}

static void other_data_is_read_over(void **state)
{
    (void)state;
    char data[64];
    size_t len = good_data(data);
    memcpy(data + len, "time..", 6);
    data[len - 1] = 6;
    struct ask_query query = ask_query("empusa.internal.", 6);
    put_tsig(&query, W("\3key\0"), 255, data, len + 6);
    ask_send(&ask, &query, QUERY_UDP);
    assert_int_equal(ask.result.rcode, 9);
    take_tsig(W("\3key\0"));
}

/* A question and a key of 255 octets each leave no room in 512. */
static void what_does_not_fit_is_truncated_without_the_record(void **state)
{
    (void)state;
    uint8_t name[READER_NAME_MAX] = {0};
    char data[64];
    for (size_t at = 0; at < 254; at += 64)
        name[at] = at == 192 ? 61 : 63;
    for (size_t i = 0; i < 254; i++)
        name[i] = i % 64 ? 'x' : name[i];
    for (int tcp = 0; tcp < 2; tcp++) {
        struct ask_query query = ask_wire(name, sizeof(name), 6);
        put_tsig(&query, (const char *)name, sizeof(name), 255, data, good_data(data));
        ask_send(&ask, &query, tcp ? QUERY_TCP : QUERY_UDP);
        assert_int_equal(ask.result.rcode, 9);
        assert_int_equal(ask.result.is_truncated, !tcp);
        assert_true(tcp || ask.result.len <= 512);
        assert_int_equal(ask.reply[11], tcp);
        if (tcp)
            take_tsig((const char *)name, sizeof(name));
        assert_int_equal(ask.reader.is_truncated, !tcp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_key_is_said_to_be_bad),
        cmocka_unit_test(a_signed_question_in_class_ch_is_no_exception),
        cmocka_unit_test(a_record_that_cannot_be_read_is_a_format_error),
        cmocka_unit_test(other_data_is_read_over),
        cmocka_unit_test(what_does_not_fit_is_truncated_without_the_record),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
