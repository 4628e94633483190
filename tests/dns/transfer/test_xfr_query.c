/* What a question for a transfer earns, by its transport and the serial that the client has. */
#include "dns/transfer/xfr_query.h"

#include "dns/answer/edns.h"
#include "support/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define B(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

#define HEADER(an, ns, ar) 0x12, 0x34, 0, 0, 0, 1, 0, (an), 0, (ns), 0, (ar)
#define QUESTION(type)     1, 'z', 0, 0, (type), 0, 1
#define ASKED              0xc0, 12 /* the question's name */
#define RR(type, len)      0, (type), 0, 1, 0, 0, 0, 0, 0, (len)
#define SERIAL(a, b, c, d) (a), (b), (c), (d)
#define TIMERS             0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4
/* MNAME and RNAME are the root. */
#define SOA(serial)  RR(6, 22), 0, 0, serial, TIMERS
#define LONG_SOA(s)  RR(6, 32), 2, 'n', 's', ASKED, 4, 'r', 'o', 'o', 't', ASKED, s, TIMERS
#define SHORT_SOA(s) RR(6, 21), 0, s, TIMERS
#define A_RECORD     RR(1, 4), 1, 2, 3, 4
#define OPT          0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0
#define OURS         0, 0, 1, 0 /* 256 */
#define OLDER        0, 0, 0, 255
#define NEWER        0, 0, 1, 1
#define HALF_BEHIND  0x80, 0, 1, 1 /* RFC 1982: 2^31 - 1 before ours */
#define HALF_AHEAD   0x80, 0, 0, 255
#define ALMOST_ZERO  0xff, 0xff, 0xff, 0xff

static const struct {
    const char *what;
    const uint8_t *bytes;
    size_t len;
    enum transfer_kind udp, tcp;
} rows[] = {
    {"AXFR", B(HEADER(0, 0, 0), QUESTION(TYPE_AXFR)), TRANSFER_FORMERR, TRANSFER_WHOLE},
    {"AXFR with a SOA of ours", B(HEADER(0, 1, 0), QUESTION(TYPE_AXFR), ASKED, SOA(OURS)),
     TRANSFER_FORMERR, TRANSFER_WHOLE},
    {"without a SOA", B(HEADER(0, 0, 0), QUESTION(TYPE_IXFR)), TRANSFER_FORMERR, TRANSFER_FORMERR},
    {"ours", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, SOA(OURS)), TRANSFER_SOA, TRANSFER_SOA},
    {"an older one", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, SOA(OLDER)), TRANSFER_SOA,
     TRANSFER_WHOLE},
    {"a newer one", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, SOA(NEWER)), TRANSFER_SOA,
     TRANSFER_SOA},
    {"half the circle behind", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, SOA(HALF_BEHIND)),
     TRANSFER_SOA, TRANSFER_WHOLE},
    {"half the circle ahead", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, SOA(HALF_AHEAD)),
     TRANSFER_SOA, TRANSFER_SOA},
    {"one of before zero", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, SOA(ALMOST_ZERO)),
     TRANSFER_SOA, TRANSFER_WHOLE},
    {"a SOA with names", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), 1, 'z', 0, LONG_SOA(OURS)),
     TRANSFER_SOA, TRANSFER_SOA},
    {"an older one with names", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), 1, 'z', 0, LONG_SOA(OLDER)),
     TRANSFER_SOA, TRANSFER_WHOLE},
    {"behind others",
     B(HEADER(1, 3, 1), QUESTION(TYPE_IXFR), ASKED, A_RECORD, 1, 'a', ASKED, A_RECORD, 0, A_RECORD,
       ASKED, SOA(OURS), OPT),
     TRANSFER_SOA, TRANSFER_SOA},
    {"behind one that is too short",
     B(HEADER(0, 2, 0), QUESTION(TYPE_IXFR), ASKED, SHORT_SOA(OLDER), ASKED, SOA(OURS)),
     TRANSFER_SOA, TRANSFER_SOA},
    {"one that is too short alone", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, SHORT_SOA(OURS)),
     TRANSFER_FORMERR, TRANSFER_FORMERR},
    {"among the answers", B(HEADER(1, 0, 0), QUESTION(TYPE_IXFR), ASKED, SOA(OURS)),
     TRANSFER_FORMERR, TRANSFER_FORMERR},
    {"in the additional section", B(HEADER(0, 0, 1), QUESTION(TYPE_IXFR), ASKED, SOA(OURS)),
     TRANSFER_FORMERR, TRANSFER_FORMERR},
    {"another record", B(HEADER(0, 1, 0), QUESTION(TYPE_IXFR), ASKED, A_RECORD), TRANSFER_FORMERR,
     TRANSFER_FORMERR},
};

static struct query read_query(size_t row, enum query_transport transport)
{
    struct query query;
    query_read(&query, rows[row].bytes, rows[row].len, transport, NULL, 0);
    if (query.verdict != QUERY_QUESTION)
        fail_msg("%s: no question", rows[row].what);
    return query;
}

static void it_depends_on_transport_and_serial(void **state)
{
    static const struct view view = {.serial = 256};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
            struct query query = read_query(i, transport);
            enum transfer_kind kind = xfr_query_kind(&query, &view);
            if (kind != (transport == QUERY_TCP ? rows[i].tcp : rows[i].udp))
                fail_msg("%s by %s: %d", rows[i].what, transport == QUERY_TCP ? "TCP" : "UDP",
                         kind);
        }
}

/* What replies to it begin with: the question, and an OPT record if the query had one. */
static void what_is_kept_is_a_reply_without_records(void **state)
{
    (void)state;
    for (unsigned is_stale = 0; is_stale < 2; is_stale++) {
        struct answer_env env = {.state = is_stale ? ANSWER_STALE : ANSWER_FRESH,
                                 .max_udp_size = 1232};
        struct axfr_request kept;
        struct query query = read_query(0, QUERY_TCP);
        memset(&kept, 0, sizeof(kept));
        xfr_query_keep(&env, &query, &kept);
        assert_int_equal(kept.type, TYPE_AXFR);
        assert_int_equal(kept.question_len, 7);
        assert_int_equal(kept.head_len, 12 + 7);
        assert_memory_equal(kept.head, "\x12\x34\x80\0\0\1\0\0\0\0\0\0\1z\0\0\xfc\0\1", 19);
        query = read_query(11, QUERY_TCP); /* with an OPT record */
        xfr_query_keep(&env, &query, &kept);
        assert_int_equal(kept.type, TYPE_IXFR);
        /* RFC 8914: stale is said. */
        assert_int_equal(kept.head_len, 12 + 7 + 11 + (is_stale ? 6 : 0));
        assert_int_equal(kept.head[11], 1);
        assert_memory_equal(kept.head + 19, "\0\0\x29", 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_depends_on_transport_and_serial),
        cmocka_unit_test(what_is_kept_is_a_reply_without_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
