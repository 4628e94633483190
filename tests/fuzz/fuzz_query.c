/* Clients' messages: what query_read() says of them holds, and agrees with a second, plain reading.
 */
#include "dns/wire/query.h"
#include "zones/name/name.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FORMERR = 1, NOTIMP = 4, REFUSED = 5, BADVERS = 16 };
enum { TYPE_OPT = 41, TYPE_TSIG = 250 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* The message, one octet after the other; past the end it is broken and gives zeros. */
struct plain {
    const uint8_t *bytes;
    size_t len, at;
    bool is_broken;
};

static unsigned take(struct plain *plain, unsigned octets)
{
    unsigned value = 0;
    for (; octets > 0; octets--) {
        plain->is_broken = plain->is_broken || plain->at >= plain->len;
        value = value << 8 | (plain->is_broken ? 0 : plain->bytes[plain->at++]);
    }
    return value;
}

/* The octets that a name takes; its labels have 254 at most, so that the root has room. */
static size_t take_name(struct plain *plain, bool may_compress)
{
    size_t begin = plain->at;
    for (;;) {
        unsigned label = take(plain, 1);
        if (plain->is_broken || label == 0)
            break;
        if (label >= 0xc0 && may_compress) {
            size_t to = (label & 0x3f) << 8 | take(plain, 1);
            plain->is_broken = plain->is_broken || to < 12 || to >= begin; /* it leads back */
            break;
        }
        plain->is_broken = label > 63 || plain->at - begin + label > 254;
        for (; label > 0 && !plain->is_broken; label--)
            (void)take(plain, 1);
    }
    return plain->at - begin;
}

struct seen_records {
    unsigned opts, version;
    bool has_tsig, has_cookie;
};

static void take_options(struct plain *plain, size_t end, struct seen_records *seen)
{
    while (plain->at < end && !plain->is_broken) {
        unsigned code = take(plain, 2), len = take(plain, 2);
        bool is_bad_cookie = code == 10 && len != 8 && (len < 16 || len > 40);
        plain->is_broken = plain->is_broken || plain->at + len > end || is_bad_cookie;
        seen->has_cookie = seen->has_cookie || code == 10;
        plain->at += len;
    }
}

static void take_record(struct plain *plain, bool is_additional, struct seen_records *seen)
{
    plain->is_broken = plain->is_broken || seen->has_tsig;
    bool is_root = plain->at < plain->len && plain->bytes[plain->at] == 0;
    (void)take_name(plain, true);
    unsigned type = take(plain, 2);
    (void)take(plain, 2);
    unsigned ttl = take(plain, 4), len = take(plain, 2);
    plain->is_broken = plain->is_broken || plain->len - plain->at < len;
    if (plain->is_broken)
        return;
    size_t end = plain->at + len;
    if (type == TYPE_OPT) {
        plain->is_broken = !is_additional || !is_root || seen->opts++ > 0;
        seen->version = ttl >> 16 & 255;
        take_options(plain, end, seen);
    }
    if (type == TYPE_TSIG) {
        plain->is_broken = !is_additional;
        seen->has_tsig = true;
    }
    plain->at = end;
}

/* Whether all that the header announces is there. */
static bool is_whole(const uint8_t *bytes, size_t len, struct seen_records *seen)
{
    struct plain plain = {bytes, len, 12, false};
    unsigned others = get16(bytes + 6) + get16(bytes + 8), additional = get16(bytes + 10);
    for (unsigned i = 0; i < get16(bytes + 4) && !plain.is_broken; i++) {
        (void)take_name(&plain, i > 0);
        (void)take(&plain, 4);
    }
    for (unsigned i = 0; i < others + additional && !plain.is_broken; i++)
        take_record(&plain, i >= others, seen);
    return !plain.is_broken;
}

static unsigned expected_rcode(const uint8_t *bytes, size_t len)
{
    struct seen_records seen = {.opts = 0};
    unsigned opcode = bytes[2] >> 3 & 15, questions = get16(bytes + 4);
    if (opcode == 4 || opcode == 5)
        return REFUSED;
    if (opcode != 0)
        return NOTIMP;
    if (!is_whole(bytes, len, &seen))
        return FORMERR;
    if (seen.version > 0)
        return BADVERS;
    return questions == 1 || (questions == 0 && seen.has_cookie) ? 0 : FORMERR;
}

static void check_question(const struct query *query, size_t len)
{
    const uint8_t *name = query->bytes + 12;
    struct plain plain = {query->bytes, len, 12, false};
    size_t at = 0, labels = 0;
    check(take_name(&plain, false) == query->name_len && !plain.is_broken);
    check(query->question_len == query->name_len + 4 && 12u + query->question_len <= len);
    check(query->type == take(&plain, 2) && query->qclass == take(&plain, 2));
    for (size_t i = 0; i < query->name_len; i++) {
        check(query_has_label_at(query, i) == (i == at));
        if (i == at)
            check(query->labels[labels++] == at);
        if (i == at)
            at += 1u + name[i];
        uint8_t octet = name[i];
        check(query->folded[i] == (octet >= 'A' && octet <= 'Z' ? octet + 32 : octet));
    }
    check(labels == query->label_count + 1u);
    for (size_t i = query->name_len; i < 256; i++)
        check(!query_has_label_at(query, i));
}

static void check_within(const struct query *query, size_t len, const uint8_t *part, size_t size)
{
    check(part >= query->bytes + 12 && part + size <= query->bytes + len);
}

/* Nothing of EDNS comes from a query without it. */
static void check_no_edns(const struct query *query)
{
    check(query->udp_size == 512 && query->edns_version == 0);
    check(!query->cookie && !query->wants_dnssec && !query->wants);
}

static void check_edns(const struct query *query, size_t len)
{
    if (!query->has_edns)
        check_no_edns(query);
    check(query->udp_size >= 512);
    check(!(query->wants & QUERY_WANTS_KEEPALIVE) || query->transport == QUERY_TCP);
    check(!(query->wants & QUERY_WANTS_COOKIE) == !query->cookie);
    if (query->cookie) {
        check(query->cookie_len == 8 || (query->cookie_len >= 16 && query->cookie_len <= 40));
        check_within(query, len, query->cookie, query->cookie_len);
    }
    if (query->tsig)
        check_within(query, len, query->tsig, query->tsig_len);
}

static void try_transport(const uint8_t *bytes, size_t len, enum query_transport transport)
{
    struct query query;
    memset(&query, 0xa5, sizeof(query));
    query_read(&query, bytes, len, transport, NULL, 7);
    check(query.bytes == bytes && query.rotation == 7 && query.transport == transport);
    check((query.verdict == QUERY_DROP) == (len < 12 || (bytes[2] & 0x80) != 0));
    if (query.verdict == QUERY_DROP)
        return;
    check(query.opcode == (bytes[2] >> 3 & 15));
    check(query.rcode == expected_rcode(bytes, len));
    check((query.verdict == QUERY_QUESTION) ==
          (query.rcode == 0 && query.has_question && get16(bytes + 4) == 1));
    check(!query.has_question || get16(bytes + 4) == 1);
    if (query.has_question)
        check_question(&query, len);
    check_edns(&query, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_transport(data, size, QUERY_UDP);
    try_transport(data, size, QUERY_TCP);
    return 0;
}
