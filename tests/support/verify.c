#include "verify.h"

#include <string.h>

#define VERIFY_STALE_TTL_S 30

static bool verify_question(struct verify *verify, size_t *at)
{
    const uint8_t *bytes = verify->query;
    size_t len = verify->query_len;
    verify->name.len = 0;
    for (*at = 12; *at < len && bytes[*at] <= 63; *at += 1u + bytes[*at]) {
        if (bytes[*at] != 0)
            continue;
        verify->name.len = ++*at - 12;
        break;
    }
    if (verify->name.len == 0 || verify->name.len > READER_NAME_MAX || len - *at < 4)
        return false;
    memcpy(verify->name.wire, bytes + 12, verify->name.len);
    verify->type = reader_get16(bytes + *at);
    verify->rr_class = reader_get16(bytes + *at + 2);
    *at += 4;
    return true;
}

static bool verify_options(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i += 4u + reader_get16(at + i + 2)) {
        if (len - i < 4 || len - i - 4 < reader_get16(at + i + 2))
            return false;
        size_t size = reader_get16(at + i + 2);
        if (reader_get16(at + i) == 10 && size != 8 && (size < 16 || size > 40))
            return false;
    }
    return true;
}

/* A standard query with one question and no other record than an OPT of version 0. */
static bool verify_is_plain(struct verify *verify)
{
    static const uint8_t lone[] = {0, 1, 0, 0, 0, 0, 0};
    const uint8_t *bytes = verify->query;
    size_t at = 12;
    if ((bytes[2] & 0xf8) != 0 || memcmp(bytes + 4, lone, 7) != 0 || bytes[11] > 1 ||
        !verify_question(verify, &at))
        return false;
    verify->has_opt = bytes[11] == 1;
    if (!verify->has_opt)
        return true;
    const uint8_t *opt = bytes + at;
    if (verify->query_len - at < 11 || opt[0] != 0 || reader_get16(opt + 1) != READ_OPT ||
        opt[6] != 0 || verify->query_len - at - 11 < reader_get16(opt + 9))
        return false;
    verify->opt_size = reader_get16(opt + 3);
    verify->opt_flags = reader_get16(opt + 7);
    return verify_options(opt + 11, reader_get16(opt + 9));
}

static const char *verify_header(const struct verify *verify)
{
    const struct reader *reader = verify->reader;
    const uint8_t *query = verify->query;
    if (reader->id != reader_get16(query) || reader->opcode != (query[2] >> 3 & 15))
        return "another ID or opcode";
    if (!reader->is_response || reader->wants_recursion != (query[2] & 1))
        return "QR is not set, or RD not copied";
    if (verify->reply[3] & 0xf0)
        return "RA, Z, AD or CD is set";
    if (reader->is_truncated != verify->result->is_truncated)
        return "TC is not what the result says";
    if (reader->is_truncated && verify->transport == QUERY_TCP)
        return "TC over TCP";
    unsigned rcode = reader->rcode | (unsigned)reader->opt_rcode * 16 * reader->has_opt;
    if (rcode != verify->result->rcode)
        return "the rcode is not what the result says";
    return NULL;
}

static size_t verify_limit(const struct verify *verify)
{
    size_t limit = verify->has_opt ? verify->opt_size : 512;
    limit = limit < 512 ? 512 : limit;
    if (verify->transport == QUERY_UDP)
        return limit < verify->env->max_udp_size ? limit : verify->env->max_udp_size;
    return ANSWER_MAX;
}

/* The reply's OPT record, which both have or neither. */
static bool verify_opt(const struct verify *verify)
{
    const struct reader *reader = verify->reader;
    return !verify->has_opt ||
           (reader->opt_version == 0 && reader->opt_flags == (verify->opt_flags & 0x8000) &&
            reader->opt_size == verify->env->max_udp_size);
}

/* Of a reply to a plain query. */
static const char *verify_frame(const struct verify *verify)
{
    const struct reader *reader = verify->reader;
    size_t extra = verify->has_opt ? verify->opt_size : ANSWER_MAX;
    extra = extra < 512 ? 512 : extra;
    if (!reader->has_question ||
        memcmp(verify->reply + 12, verify->query + 12, verify->name.len + 4) != 0)
        return "the question is not echoed as it was";
    if (reader->has_opt != verify->has_opt)
        return "an OPT record too many or too few";
    if (!verify_opt(verify))
        return "a wrong version, flag or size in OPT";
    if (verify->result->len > verify_limit(verify))
        return "longer than allowed";
    for (size_t i = 0; i < reader->count; i++)
        if (reader->records[i].section == READ_ADDITIONAL && verify->result->len > extra)
            return "optional records beyond their limit";
    return NULL;
}

static uint32_t verify_cap(const struct verify *verify, uint32_t ttl_s)
{
    bool is_capped = verify->env->state == ANSWER_STALE && ttl_s > VERIFY_STALE_TTL_S;
    return is_capped ? VERIFY_STALE_TTL_S : ttl_s;
}

/* SRV targets keep the letters of an entry; which one's, when they differ in case alone, is open.
 */
static bool verify_letters(const struct oracle *oracle, const struct reader_record *record,
                           const struct oracle_record *expected)
{
    if (record->type != READ_SRV)
        return memcmp(record->data, expected->data, record->len) == 0;
    for (size_t i = 0; i < oracle->instance_count; i++)
        if (oracle->instances[i].target.len == record->len - 6 &&
            memcmp(oracle->instances[i].target.wire, record->data + 6, record->len - 6) == 0)
            return true;
    return false;
}

/* One record, under the name that it has in the zone. */
static const char *verify_record(const struct verify *verify, const struct reader_record *record,
                                 const struct reader_name *name)
{
    const struct oracle_record *expected =
        oracle_lookup(verify->oracle, name, record->type, record->data, record->len);
    if (!expected)
        return "a record that should not be";
    if (!verify_letters(verify->oracle, record, expected))
        return "a name in data with the wrong letters' case";
    if (record->ttl_s != verify_cap(verify, oracle_ttl(verify->oracle, name, record->type)))
        return "a wrong TTL";
    return NULL;
}

static size_t verify_count(const struct reader *reader, unsigned section,
                           const struct reader_name *owner, uint16_t type)
{
    size_t count = 0;
    for (size_t i = 0; i < reader->count; i++)
        count += reader->records[i].section == section && reader->records[i].type == type &&
                 oracle_is_same_name(&reader->records[i].owner, owner);
    return count;
}

static const char *verify_negative(const struct verify *verify)
{
    const struct reader *reader = verify->reader;
    const struct reader_record *soa = &reader->records[0];
    uint32_t ttl_s = verify->oracle->options->negative_ttl_s;
    ttl_s = verify_cap(verify, ttl_s < 60 ? ttl_s : 60);
    if (reader->count == 0 && (verify->is_short || reader->is_truncated))
        return NULL;
    if (verify->is_short || reader->count != 1 || soa->section != READ_AUTHORITY ||
        soa->type != READ_SOA || !oracle_is_same_name(&soa->owner, &verify->oracle->zone))
        return "a negative answer without its SOA, or with more";
    if (soa->ttl_s != ttl_s)
        return "a wrong TTL of a negative answer";
    if (!oracle_lookup(verify->oracle, &verify->oracle->zone, READ_SOA, soa->data, soa->len))
        return "a wrong SOA";
    return NULL;
}

/* Where the name of a record that belongs to the answer comes from. */
static bool verify_is_wanted(const struct verify *verify, const struct reader_record *record)
{
    const struct reader *reader = verify->reader;
    bool is_address = record->type == READ_A || record->type == READ_AAAA;
    for (size_t i = 0; i < reader->count; i++) {
        const struct reader_record *from = &reader->records[i];
        size_t skip = from->type == READ_SRV ? 6 : 0;
        bool is_source = is_address ? from->type == READ_SRV || from->type == READ_NS
                                    : from->type == READ_PTR && from->section == READ_ANSWER;
        if (is_source && from->len - skip == record->owner.len &&
            memcmp(from->data + skip, record->owner.wire, record->owner.len) == 0)
            return true;
    }
    return false;
}

/* Additional records: whole RRsets of names that stand in the message. */
static const char *verify_additional(const struct verify *verify)
{
    const struct reader *reader = verify->reader;
    for (size_t i = 0; i < reader->count; i++) {
        const struct reader_record *record = &reader->records[i];
        if (record->section != READ_ADDITIONAL)
            continue;
        const char *fault = verify_record(verify, record, &record->owner);
        if (fault)
            return fault;
        if (!verify_is_wanted(verify, record))
            return "an additional record that nobody asked for";
        if (verify_count(reader, READ_ADDITIONAL, &record->owner, record->type) !=
            oracle_rrset_count(verify->oracle, &record->owner, record->type))
            return "an additional RRset that is not whole";
    }
    return NULL;
}

static bool verify_has_addresses(const struct verify *verify, const struct reader_name *target)
{
    static const uint16_t types[] = {READ_A, READ_AAAA};
    bool is_ours = oracle_is_below(target, &verify->oracle->zone);
    for (unsigned i = 0; i < 2; i++)
        if (verify_count(verify->reader, READ_ADDITIONAL, target, types[i]) !=
            (is_ours ? oracle_rrset_count(verify->oracle, target, types[i]) : 0))
            return false;
    return true;
}

/* RFC 6763 12.1: SRV, TXT and addresses of an instance, or nothing of it. */
static const char *verify_instances(const struct verify *verify)
{
    const struct reader *reader = verify->reader;
    for (size_t i = 0; i < reader->count; i++) {
        const struct reader_record *ptr = &reader->records[i];
        struct reader_name name = {.len = ptr->len};
        if (ptr->type != READ_PTR || ptr->section != READ_ANSWER)
            continue;
        memcpy(name.wire, ptr->data, ptr->len);
        size_t srv = verify_count(reader, READ_ADDITIONAL, &name, READ_SRV);
        size_t txt = verify_count(reader, READ_ADDITIONAL, &name, READ_TXT);
        if ((srv > 0) != (txt > 0))
            return "half an instance in the additional section";
        for (size_t j = 0; j < reader->count && srv > 0; j++) {
            const struct reader_record *record = &reader->records[j];
            struct reader_name target = {.len = record->len - 6};
            if (record->type != READ_SRV || !oracle_is_same_name(&record->owner, &name))
                continue;
            memcpy(target.wire, record->data + 6, target.len);
            if (!verify_has_addresses(verify, &target))
                return "an instance in the additional section without its addresses";
        }
    }
    return NULL;
}

/* All types that the oracle knows of a name; for ANY. */
static size_t verify_any_count(const struct verify *verify)
{
    size_t count = 0;
    for (size_t i = 0; i < verify->oracle->count; i++)
        count += verify->oracle->records[i].type != 0 && !verify->oracle->records[i].is_limit &&
                 oracle_is_same_name(&verify->oracle->records[i].owner, &verify->absolute);
    return count;
}

/* RFC 8482: over UDP one whole RRset, or a word. */
static const char *verify_any_udp(const struct verify *verify)
{
    const struct reader *reader = verify->reader;
    const struct reader_record *first = &reader->records[0];
    if (reader->is_truncated)
        return reader->count ? "a truncated answer to ANY" : NULL;
    if (reader->count == 1 && first->type == READ_HINFO)
        return memcmp(first->data, "\7RFC8482", 9) ? "a wrong HINFO" : NULL;
    for (size_t i = 0; i < reader->count; i++)
        if (reader->records[i].type != first->type)
            return "two RRsets in an answer to ANY over UDP";
    return reader->count == oracle_rrset_count(verify->oracle, &verify->absolute, first->type)
               ? NULL
               : "half an RRset in an answer to ANY";
}

/* A record of the answer section. */
static const char *verify_answer(const struct verify *verify, const struct reader_record *record)
{
    bool is_any = verify->type == READ_ANY;
    if (record->owner.len != verify->name.len ||
        memcmp(record->owner.wire, verify->name.wire, verify->name.len) != 0)
        return "an owner that is not the question's name";
    if (is_any && record->type == READ_HINFO)
        return NULL;
    if (!is_any && record->type != verify->type)
        return "an answer of another type";
    return verify_record(verify, record, &verify->absolute);
}

static const char *verify_positive(const struct verify *verify, size_t expected)
{
    const struct reader *reader = verify->reader;
    size_t count = 0;
    for (size_t i = 0; i < reader->count; i++) {
        const struct reader_record *record = &reader->records[i];
        if (record->section == READ_AUTHORITY)
            return "an authority section where none belongs";
        if (record->section == READ_ADDITIONAL)
            continue;
        count++;
        const char *fault = verify_answer(verify, record);
        if (fault)
            return fault;
    }
    if (verify->type == READ_ANY && verify->transport == QUERY_UDP)
        return verify_any_udp(verify);
    bool is_cut = reader->is_truncated || verify->result->is_sampled;
    if (is_cut ? count >= expected : count != expected)
        return is_cut ? "cut, but with all its records" : "a wrong number of records";
    const char *fault = verify_additional(verify);
    return fault ? fault : verify_instances(verify);
}

static unsigned verify_rcode(const struct verify *verify, enum oracle_where where)
{
    enum answer_state state = verify->env->state;
    if (where == ORACLE_REFUSED)
        return 5;
    if (state != ANSWER_FRESH && state != ANSWER_STALE)
        return 2;
    return where == ORACLE_NAME ? 0 : 3;
}

/* A plain query for no transfer: of classes other than IN and ANY the oracle knows nothing. */
static const char *verify_plain(struct verify *verify)
{
    if (verify->rr_class != 1 && verify->rr_class != READ_ANY)
        return NULL;
    const struct reader *reader = verify->reader;
    enum oracle_where where =
        oracle_find(verify->oracle, &verify->name, &verify->absolute, &verify->is_short);
    unsigned rcode = verify_rcode(verify, where);
    if (verify->result->rcode != rcode)
        return "a wrong rcode";
    if (reader->is_authoritative != (rcode == 0 || rcode == 3))
        return "AA where it does not belong, or missing";
    if (rcode == 2 || rcode == 5)
        return reader->count ? "records in a refusal" : NULL;
    size_t expected = verify->type == READ_ANY
                          ? verify_any_count(verify)
                          : oracle_rrset_count(verify->oracle, &verify->absolute, verify->type);
    return rcode == 3 || expected == 0 ? verify_negative(verify)
                                       : verify_positive(verify, expected);
}

static bool verify_is_transfer(const struct verify *verify)
{
    return verify->type == 251 || verify->type == 252; /* IXFR, AXFR */
}

/* Whatever the question: a message that is well made, and belongs to the query. */
static const char *verify_message(const struct verify *verify, bool is_plain)
{
    const char *fault = reader_read(verify->reader, verify->reply, verify->result->len);
    if (!fault)
        fault = verify_header(verify);
    return fault || !is_plain ? fault : verify_frame(verify);
}

const char *verify_reply(struct verify *verify)
{
    const struct answer_result *result = verify->result;
    if (verify->query_len < 12 || (verify->query[2] & 0x80))
        return result->len ? "a reply to what deserves none" : NULL;
    bool is_plain = verify_is_plain(verify), is_transfer = verify_is_transfer(verify);
    if (result->is_transfer)
        return result->len || (is_plain && !is_transfer) ? "a transfer that is none" : NULL;
    const char *fault = verify_message(verify, is_plain);
    return fault || !is_plain || is_transfer ? fault : verify_plain(verify);
}
