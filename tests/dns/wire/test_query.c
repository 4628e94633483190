#include "dns/wire/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define B(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* Header: ID 1, flags, counts of one octet each. */
#define HEADER(flags, qd, an, ns, ar)                                                              \
    0, 1, (flags) >> 8, (flags)&255, 0, (qd), 0, (an), 0, (ns), 0, (ar)
#define NAME     3, 'w', 'W', 'w', 1, 'z', 0 /* wWw.z. */
#define QUESTION NAME, 0, 1 /* A */, 0, 1    /* IN */
/* Root, OPT, size 4096, extended rcode 0, the version, flags, length of options of one octet. */
#define OPT(version, flags, len)                                                                   \
    0, 0, 41, 0x10, 0, 0, (version), (flags) >> 8, (flags)&255, 0, (len)
#define TSIG        1, 'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0
#define COOKIE(len) 0, 10, 0, (len)
#define OCTETS_8    1, 2, 3, 4, 5, 6, 7, 8

enum { FORMERR = 1, NOTIMP = 4, REFUSED = 5, BADVERS = 16 };

struct row {
    const char *what;
    const uint8_t *bytes;
    size_t len;
    enum query_verdict verdict;
    uint16_t rcode;
    bool has_question, has_edns;
};

static struct query read_row(const struct row *row, enum query_transport transport)
{
    struct query query;
    uint8_t *exact = malloc(row->len + 1);
    assert_non_null(exact);
    memcpy(exact, row->bytes, row->len);
    exact = realloc(exact, row->len ? row->len : 1);
    assert_non_null(exact);
    memset(&query, 0xa5, sizeof(query));
    query_read(&query, exact, row->len, transport, NULL, 0);
    free(exact);
    return query;
}

static const struct row messages[] = {
    {"nothing", B(0), QUERY_DROP, 0, false, false},
    {"11 octets", B(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0), QUERY_DROP, 0, false, false},
    {"a response", B(HEADER(0x8000, 1, 0, 0, 0), QUESTION), QUERY_DROP, 0, false, false},
    {"a response of another opcode", B(HEADER(0xa800, 1, 0, 0, 0)), QUERY_DROP, 0, false, false},
    {"a response with an empty OPT", B(HEADER(0x8000, 1, 0, 0, 1), QUESTION, OPT(0, 0, 0)),
     QUERY_DROP, 0, false, false},
    {"a question", B(HEADER(0, 1, 0, 0, 0), QUESTION), QUERY_QUESTION, 0, true, false},
    {"all other bits set", B(HEADER(0x07ff, 1, 0, 0, 0), QUESTION), QUERY_QUESTION, 0, true, false},
    {"the root", B(HEADER(0, 1, 0, 0, 0), 0, 0, 1, 0, 1), QUERY_QUESTION, 0, true, false},
    {"octets behind", B(HEADER(0, 1, 0, 0, 0), QUESTION, 9, 9), QUERY_QUESTION, 0, true, false},
    {"no question", B(HEADER(0, 0, 0, 0, 0)), QUERY_ERROR, FORMERR, false, false},
    {"no question, but an OPT", B(HEADER(0, 0, 0, 0, 1), OPT(0, 0, 0)), QUERY_ERROR, FORMERR, false,
     true},
    {"a cookie alone", B(HEADER(0, 0, 0, 0, 1), OPT(0, 0, 12), COOKIE(8), OCTETS_8), QUERY_ERROR, 0,
     false, true},
    {"two questions", B(HEADER(0, 2, 0, 0, 0), QUESTION, QUESTION), QUERY_ERROR, FORMERR, false,
     false},
    {"two announced", B(HEADER(0, 2, 0, 0, 0), QUESTION), QUERY_ERROR, FORMERR, false, false},
    {"a question cut in its class", B(HEADER(0, 1, 0, 0, 0), NAME, 0, 1, 0), QUERY_ERROR, FORMERR,
     false, false},
    {"a question cut in its name", B(HEADER(0, 1, 0, 0, 0), 3, 'w', 'w'), QUERY_ERROR, FORMERR,
     false, false},
    {"a pointer to itself", B(HEADER(0, 1, 0, 0, 0), 0xc0, 12, 0, 1, 0, 1), QUERY_ERROR, FORMERR,
     false, false},
    {"a pointer into the header", B(HEADER(0, 1, 0, 0, 0), 1, 'a', 0xc0, 2, 0, 1, 0, 1),
     QUERY_ERROR, FORMERR, false, false},
    {"label type 01", B(HEADER(0, 1, 0, 0, 0), 0x41, 'a', 0, 0, 1, 0, 1), QUERY_ERROR, FORMERR,
     false, false},
    {"label type 10", B(HEADER(0, 1, 0, 0, 0), 0x81, 'a', 0, 0, 1, 0, 1), QUERY_ERROR, FORMERR,
     false, false},
    {"a record that is not there", B(HEADER(0, 1, 0, 0, 1), QUESTION), QUERY_ERROR, FORMERR, true,
     false},
    {"a stray record",
     B(HEADER(0, 1, 1, 0, 0), QUESTION, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4),
     QUERY_QUESTION, 0, true, false},
    {"a stray record whose owner points to itself",
     B(HEADER(0, 1, 1, 0, 0), QUESTION, 0xc0, 12 + sizeof((uint8_t[]){QUESTION}), 0, 1, 0, 1, 0, 0,
       0, 0, 0, 0),
     QUERY_ERROR, FORMERR, true, false},
    {"a stray record whose owner points behind the message",
     B(HEADER(0, 1, 1, 0, 0), QUESTION, 0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0), QUERY_ERROR,
     FORMERR, true, false},
    {"data over the end",
     B(HEADER(0, 1, 1, 0, 0), QUESTION, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4),
     QUERY_ERROR, FORMERR, true, false},
    {"an OPT", B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 0)), QUERY_QUESTION, 0, true, true},
    {"EDNS version 1", B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(1, 0, 0)), QUERY_ERROR, BADVERS, true,
     true},
    {"two OPTs", B(HEADER(0, 1, 0, 0, 2), QUESTION, OPT(0, 0, 0), OPT(0, 0, 0)), QUERY_ERROR,
     FORMERR, true, true},
    {"an OPT with an owner", B(HEADER(0, 1, 0, 0, 1), QUESTION, 1, 'x', OPT(0, 0, 0)), QUERY_ERROR,
     FORMERR, true, false},
    {"an OPT among the answers", B(HEADER(0, 1, 1, 0, 0), QUESTION, OPT(0, 0, 0)), QUERY_ERROR,
     FORMERR, true, false},
    {"an OPT in the authority section", B(HEADER(0, 1, 0, 1, 0), QUESTION, OPT(0, 0, 0)),
     QUERY_ERROR, FORMERR, true, false},
    {"half an option", B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 3), 0, 3, 0), QUERY_ERROR,
     FORMERR, true, true},
    {"an option over the end", B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 5), 0, 3, 0, 2, 1),
     QUERY_ERROR, FORMERR, true, true},
    {"an unknown option", B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 5), 0xff, 0, 0, 1, 1),
     QUERY_QUESTION, 0, true, true},
    {"a cookie of 9 octets",
     B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 13), COOKIE(9), OCTETS_8, 9), QUERY_ERROR,
     FORMERR, true, true},
    {"a cookie of 15 octets",
     B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 19), COOKIE(15), OCTETS_8, 9, 9, 9, 9, 9, 9, 9),
     QUERY_ERROR, FORMERR, true, true},
    {"a cookie of 16 octets",
     B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 20), COOKIE(16), OCTETS_8, OCTETS_8),
     QUERY_QUESTION, 0, true, true},
    {"a cookie of 41 octets",
     B(HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 45), COOKIE(41), OCTETS_8, OCTETS_8, OCTETS_8,
       OCTETS_8, OCTETS_8, 9),
     QUERY_ERROR, FORMERR, true, true},
    {"a TSIG", B(HEADER(0, 1, 0, 0, 1), QUESTION, TSIG), QUERY_QUESTION, 0, true, false},
    {"a TSIG behind an OPT", B(HEADER(0, 1, 0, 0, 2), QUESTION, OPT(0, 0, 0), TSIG), QUERY_QUESTION,
     0, true, true},
    {"a TSIG before an OPT", B(HEADER(0, 1, 0, 0, 2), QUESTION, TSIG, OPT(0, 0, 0)), QUERY_ERROR,
     FORMERR, true, false},
    {"a TSIG among the answers", B(HEADER(0, 1, 1, 0, 0), QUESTION, TSIG), QUERY_ERROR, FORMERR,
     true, false},
    {"IQUERY", B(HEADER(0x0800, 1, 0, 0, 0), QUESTION), QUERY_ERROR, NOTIMP, true, false},
    {"opcode 15, a header alone", B(HEADER(0x7800, 0, 0, 0, 0)), QUERY_ERROR, NOTIMP, false, false},
    {"opcode 6 and rubbish", B(HEADER(0x3000, 9, 9, 9, 9), 0xff), QUERY_ERROR, NOTIMP, false,
     false},
    {"NOTIFY", B(HEADER(0x2400, 1, 0, 0, 0), QUESTION), QUERY_ERROR, REFUSED, true, false},
    {"UPDATE", B(HEADER(0x2800, 1, 0, 0, 0), QUESTION), QUERY_ERROR, REFUSED, true, false},
};

static void judges_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        const struct row *row = &messages[i];
        struct query query = read_row(row, QUERY_UDP);
        if (query.verdict != row->verdict || query.rcode != row->rcode ||
            query.has_question != row->has_question || query.has_edns != row->has_edns)
            fail_msg("%s: verdict %d, rcode %u, question %d, EDNS %d", row->what, query.verdict,
                     query.rcode, query.has_question, query.has_edns);
    }
}

static void reads_the_question(void **state)
{
    (void)state;
    const struct row row = {
        "", B(HEADER(0, 1, 0, 0, 0), NAME, 0xab, 0xcd, 0x12, 0x34), QUERY_QUESTION, 0, true, false};
    struct query query = read_row(&row, QUERY_TCP);
    assert_int_equal(query.transport, QUERY_TCP);
    assert_int_equal(query.name_len, 7);
    assert_int_equal(query.question_len, 11);
    assert_int_equal(query.label_count, 2);
    assert_int_equal(query.type, 0xabcd);
    assert_int_equal(query.qclass, 0x1234);
    assert_memory_equal(query.folded, "\3www\1z", 7);
    assert_memory_equal(query.labels, "\0\4\6", 3);
    for (size_t at = 0; at < 8; at++)
        assert_int_equal(query_has_label_at(&query, at), at == 0 || at == 4 || at == 6);
    assert_int_equal(query.udp_size, 512);
}

/* Labels of 63, 63, 63 and then 61 octets are 255 octets with the root. */
static void takes_names_up_to_255_octets(void **state)
{
    (void)state;
    for (unsigned last = 60; last <= 63; last++) {
        uint8_t bytes[12 + 4 * 64 + 5] = {HEADER(0, 1, 0, 0, 0)};
        for (unsigned i = 0; i < 4; i++) {
            bytes[12 + 64 * i] = (uint8_t)(i < 3 ? 63 : last);
            memset(bytes + 13 + 64 * i, 'X', 63);
        }
        size_t end = 12 + 192 + 1 + last;
        memcpy(bytes + end, (const uint8_t[]){0, 0, 1, 0, 1}, 5);
        struct row row = {"", bytes, end + 5, QUERY_DROP, 0, false, false};
        struct query query = read_row(&row, QUERY_UDP);
        assert_int_equal(query.verdict, last <= 61 ? QUERY_QUESTION : QUERY_ERROR);
        assert_int_equal(query.rcode, last <= 61 ? 0 : FORMERR);
        if (last <= 61) {
            assert_int_equal(query.name_len, 194 + last);
            assert_int_equal(query.folded[193], 'x');
        }
    }
}

static void reads_edns(void **state)
{
    (void)state;
    const struct row row = {"",
                            B(HEADER(0, 1, 0, 0, 1), QUESTION,
                              OPT(0, 0x8001, 32), /* DO and a flag without a name */
                              0, 3, 0, 0,         /* NSID */
                              0, 9, 0, 0,         /* EXPIRE */
                              0, 11, 0, 0,        /* keepalive */
                              0, 19, 0, 0,        /* ZONEVERSION */
                              COOKIE(8), OCTETS_8, 0, 3, 0, 0),
                            QUERY_QUESTION,
                            0,
                            true,
                            true};
    for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
        struct query query = read_row(&row, transport);
        assert_int_equal(query.verdict, QUERY_QUESTION);
        assert_int_equal(query.udp_size, 4096);
        assert_true(query.wants_dnssec);
        assert_int_equal(query.wants, QUERY_WANTS_NSID | QUERY_WANTS_EXPIRE |
                                          QUERY_WANTS_ZONE_VERSION | QUERY_WANTS_COOKIE |
                                          (transport == QUERY_TCP ? QUERY_WANTS_KEEPALIVE : 0));
        assert_int_equal(query.cookie_len, 8);
    }
}

static void counts_small_sizes_as_512(void **state)
{
    (void)state;
    static const uint16_t rows[][2] = {
        {0, 512}, {511, 512}, {512, 512}, {513, 513}, {65535, 65535}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[] = {HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0, 0)};
        bytes[12 + 11 + 3] = (uint8_t)(rows[i][0] >> 8);
        bytes[12 + 11 + 4] = (uint8_t)rows[i][0];
        struct row row = {"", bytes, sizeof(bytes), QUERY_QUESTION, 0, true, true};
        assert_int_equal(read_row(&row, QUERY_UDP).udp_size, rows[i][1]);
    }
}

static void is_read_alike(const struct query *a, const struct query *b)
{
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->rcode, b->rcode);
    assert_int_equal(a->opcode, b->opcode);
    assert_int_equal(a->has_question, b->has_question);
    assert_int_equal(a->name_len, b->name_len);
    assert_int_equal(a->label_count, b->label_count);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->qclass, b->qclass);
    assert_int_equal(a->question_len, b->question_len);
    assert_int_equal(a->has_edns, b->has_edns);
    assert_int_equal(a->wants_dnssec, b->wants_dnssec);
    assert_int_equal(a->wants, b->wants);
    assert_int_equal(a->edns_version, b->edns_version);
    assert_int_equal(a->udp_size, b->udp_size);
    if (a->verdict == QUERY_QUESTION) {
        assert_memory_equal(a->labels, b->labels, a->label_count + 1u);
        assert_memory_equal(a->folded, b->folded, a->name_len);
    }
}

/* The usual message is read in a way of its own, but not with an octet behind it. Whatever one of
 * its octets is, what is taken in that way is taken in the other, and means the same. */
static void reads_the_usual_message_as_any_other(void **state)
{
    static const uint8_t usual[] = {HEADER(0, 1, 0, 0, 1), QUESTION, OPT(0, 0x8000, 0), 0};
    unsigned taken = 0;
    (void)state;
    for (size_t at = 0; at < sizeof(usual) - 1; at++)
        for (unsigned octet = 0; octet < 256; octet++) {
            uint8_t bytes[sizeof(usual)];
            memcpy(bytes, usual, sizeof(usual));
            bytes[at] = (uint8_t)octet;
            struct row row = {"", bytes, sizeof(bytes) - 1, QUERY_QUESTION, 0, true, true};
            struct query query = read_row(&row, QUERY_UDP);
            row.len = sizeof(bytes);
            struct query other = read_row(&row, QUERY_UDP);
            taken += query.verdict == QUERY_QUESTION;
            if (query.verdict != QUERY_ERROR)
                is_read_alike(&query, &other);
        }
    assert_in_range(taken, 1000, 256 * sizeof(usual)); /* the ID, the name's letters, ... */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_messages),
        cmocka_unit_test(reads_the_question),
        cmocka_unit_test(takes_names_up_to_255_octets),
        cmocka_unit_test(reads_edns),
        cmocka_unit_test(counts_small_sizes_as_512),
        cmocka_unit_test(reads_the_usual_message_as_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
