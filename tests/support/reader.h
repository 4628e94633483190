/* tests/support/reader.h - a strict reader of DNS replies: what a suspicious client would accept.
 *
 * It shares no code with dns/. Names come out whole; a message is refused for anything that RFC
 * 1035, 2181, 2782, 3597 and 6891 do not allow in a reply: compression that points anywhere but to
 * the beginning of a label that stands before, or that is used where it must not be; data that does
 * not fill its length; a record twice; two TTLs in one RRset; octets behind the end. */
#ifndef SUPPORT_READER_H
#define SUPPORT_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define READER_NAME_MAX    255
#define READER_RECORDS_MAX 8192
#define READER_ARENA       (4u << 20)

enum {
    READ_A = 1,
    READ_NS = 2,
    READ_CNAME = 5,
    READ_SOA = 6,
    READ_PTR = 12,
    READ_HINFO = 13,
    READ_TXT = 16,
    READ_AAAA = 28,
    READ_SRV = 33,
    READ_OPT = 41,
    READ_TSIG = 250,
    READ_ANY = 255
};
enum { READ_ANSWER, READ_AUTHORITY, READ_ADDITIONAL };

struct reader_name {
    uint8_t
        wire[READER_NAME_MAX]; /* absolute, without compression, in the letters of the message */
    size_t len;
};

struct reader_record {
    uint16_t at; /* where its data begins in the message */
    uint16_t type, class_;
    uint32_t ttl_s;
    uint8_t section;
    struct reader_name owner;
    const uint8_t *data; /* names in it whole */
    size_t len;
};

/* A large object: keep it in static memory. */
struct reader {
    uint16_t id;
    uint8_t opcode, rcode; /* rcode: the header's four bits */
    bool is_response, is_authoritative, is_truncated, wants_recursion, has_recursion, has_ad,
        has_cd, has_z;
    bool has_question;
    struct reader_name question;
    uint16_t question_type, question_class;
    size_t count; /* records, without OPT and TSIG */
    struct reader_record records[READER_RECORDS_MAX];
    bool has_opt;
    uint16_t opt_size, opt_flags;
    uint8_t opt_rcode, opt_version;
    bool has_tsig;
    uint16_t tsig_error;
    const uint8_t *options; /* into the message */
    size_t options_len;

    const uint8_t *bytes;
    size_t bytes_len, at;
    size_t arena_used;
    uint8_t label_starts[0x4000]; /* where labels begin that a pointer may point to */
    struct reader_record *sorted[READER_RECORDS_MAX];
    uint8_t arena[READER_ARENA];
};

static inline uint16_t reader_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t reader_get32(const uint8_t *at)
{
    return (uint32_t)reader_get16(at) << 16 | reader_get16(at + 2);
}

static inline uint8_t reader_lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + 32) : octet;
}

static inline bool reader_is_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (reader_lower(a[i]) != reader_lower(b[i]))
            return false;
    return true;
}

/* Names read first and followed later, so that a pointer can only meet what stands before it. */
static inline const char *reader_name(struct reader *reader, bool may_compress,
                                      struct reader_name *out)
{
    size_t at = reader->at, lowest = at;
    bool has_jumped = false;
    out->len = 0;
    for (;;) {
        if (at >= reader->bytes_len)
            return "a name runs over the end";
        uint8_t octet = reader->bytes[at];
        if (octet >= 0xc0) {
            if (!may_compress)
                return "a compressed name where none may be";
            if (at + 2 > reader->bytes_len)
                return "half a pointer";
            size_t to = reader_get16(reader->bytes + at) & 0x3fffu;
            if (!has_jumped)
                reader->at = at + 2;
            has_jumped = true;
            if (to >= lowest)
                return "a pointer that does not point back";
            if (!reader->label_starts[to])
                return "a pointer into nowhere";
            lowest = at = to;
            continue;
        }
        if (octet > 63)
            return "a reserved kind of label";
        if (at + 1u + octet > reader->bytes_len || out->len + 1u + octet > READER_NAME_MAX)
            return "a label or a name is too long";
        memcpy(out->wire + out->len, reader->bytes + at, 1u + octet);
        out->len += 1u + octet;
        if (!has_jumped && octet > 0 && at < sizeof(reader->label_starts))
            reader->label_starts[at] = 1;
        at += 1u + octet;
        if (octet == 0)
            break;
    }
    if (!has_jumped)
        reader->at = at;
    return NULL;
}

static inline const char *reader_keep(struct reader *reader, struct reader_record *record,
                                      const uint8_t *data, size_t len)
{
    if (reader->arena_used + len > READER_ARENA)
        return "too much data for this reader";
    memcpy(reader->arena + reader->arena_used, data, len);
    if (record->len == 0)
        record->data = reader->arena + reader->arena_used;
    record->len += len;
    reader->arena_used += len;
    return NULL;
}

static inline const char *reader_strings(const uint8_t *data, size_t len, size_t least, size_t most)
{
    size_t count = 0;
    for (size_t at = 0; at < len; at += 1u + data[at], count++)
        if (at + 1 + data[at] > len)
            return "a string runs over the end of its record";
    return count < least || count > most ? "a wrong number of strings" : NULL;
}

/* `names` names with `before` octets before and `after` behind. */
static inline const char *reader_names(struct reader *reader, struct reader_record *record,
                                       size_t end, size_t before, unsigned names, size_t after,
                                       bool may_compress)
{
    const char *fault = end - reader->at < before + after ? "data is too short" : NULL;
    if (!fault)
        fault = reader_keep(reader, record, reader->bytes + reader->at, before);
    reader->at += before;
    for (unsigned i = 0; i < names && !fault; i++) {
        struct reader_name name;
        fault = reader_name(reader, may_compress, &name);
        if (!fault)
            fault = reader_keep(reader, record, name.wire, name.len);
    }
    if (!fault && reader->at + after != end)
        fault = "data does not fill its length";
    return fault ? fault : reader_keep(reader, record, reader->bytes + reader->at, after);
}

static inline const char *reader_data(struct reader *reader, struct reader_record *record,
                                      size_t len)
{
    const uint8_t *data = reader->bytes + reader->at;
    size_t end = reader->at + len;
    switch (record->type) {
    case READ_A:
        return len != 4 ? "an A of other than 4 octets" : reader_keep(reader, record, data, len);
    case READ_AAAA:
        return len != 16 ? "an AAAA of other than 16 octets"
                         : reader_keep(reader, record, data, len);
    case READ_NS:
    case READ_PTR:
        return reader_names(reader, record, end, 0, 1, 0, true);
    case READ_SOA:
        return reader_names(reader, record, end, 0, 2, 20, true);
    case READ_SRV:
        return reader_names(reader, record, end, 6, 1, 0, false);
    case READ_TXT: {
        const char *fault = reader_strings(data, len, 1, SIZE_MAX);
        return fault ? fault : reader_keep(reader, record, data, len);
    }
    case READ_HINFO: {
        const char *fault = reader_strings(data, len, 2, 2);
        return fault ? fault : reader_keep(reader, record, data, len);
    }
    default:
        return "a type that we never send";
    }
}

static inline const char *reader_opt(struct reader *reader, const struct reader_record *record,
                                     size_t len)
{
    if (reader->has_opt || record->section != READ_ADDITIONAL || record->owner.len != 1)
        return "OPT twice, or where it must not be";
    reader->has_opt = true;
    reader->opt_size = record->class_;
    reader->opt_rcode = (uint8_t)(record->ttl_s >> 24);
    reader->opt_version = (uint8_t)(record->ttl_s >> 16);
    reader->opt_flags = (uint16_t)record->ttl_s;
    reader->options = reader->bytes + reader->at;
    reader->options_len = len;
    for (size_t at = 0; at < len; at += 4u + reader_get16(reader->options + at + 2))
        if (len - at < 4 || len - at - 4 < reader_get16(reader->options + at + 2))
            return "an option runs over the end";
    return NULL;
}

/* RFC 8945 4.2: class ANY, TTL 0, an algorithm's name that is not compressed, times and MAC. */
static inline const char *reader_tsig(struct reader *reader, const struct reader_record *record,
                                      size_t end)
{
    struct reader_name algorithm;
    if (record->section != READ_ADDITIONAL || record->class_ != 255 || record->ttl_s != 0)
        return "a TSIG where it must not be, or of another class or TTL";
    const char *fault = reader_name(reader, false, &algorithm);
    if (fault)
        return fault;
    const uint8_t *at = reader->bytes + reader->at;
    size_t left = end - reader->at;
    if (reader->at > end || left < 16 || left - 16 < reader_get16(at + 8))
        return "a TSIG's data is too short";
    at += 10 + reader_get16(at + 8);
    left -= 10u + reader_get16(reader->bytes + reader->at + 8);
    if (left < 6 || left - 6 != reader_get16(at + 4))
        return "a TSIG's data does not fill its length";
    reader->has_tsig = true;
    reader->tsig_error = reader_get16(at + 2);
    return NULL;
}

static inline const char *reader_special(struct reader *reader, const struct reader_record *record,
                                         size_t len)
{
    return record->type == READ_OPT ? reader_opt(reader, record, len)
                                    : reader_tsig(reader, record, reader->at + len);
}

static inline const char *reader_record(struct reader *reader, uint8_t section)
{
    struct reader_record *record = &reader->records[reader->count];
    if (reader->count == READER_RECORDS_MAX)
        return "too many records for this reader";
    if (reader->has_tsig)
        return "a record behind TSIG";
    *record = (struct reader_record){.section = section};
    const char *fault = reader_name(reader, true, &record->owner);
    if (fault)
        return fault;
    if (reader->bytes_len - reader->at < 10)
        return "a record runs over the end";
    const uint8_t *head = reader->bytes + reader->at;
    size_t len = reader_get16(head + 8);
    record->type = reader_get16(head);
    record->class_ = reader_get16(head + 2);
    record->ttl_s = reader_get32(head + 4);
    reader->at += 10;
    record->at = (uint16_t)reader->at;
    if (reader->bytes_len - reader->at < len)
        return "data runs over the end";
    size_t end = reader->at + len;
    bool is_special = record->type == READ_OPT || record->type == READ_TSIG;
    fault = is_special ? reader_special(reader, record, len) : reader_data(reader, record, len);
    reader->at = end;
    if (fault || is_special)
        return fault;
    reader->count++;
    if (record->ttl_s > INT32_MAX)
        return "a TTL with its highest bit set";
    if (record->class_ != reader->question_class &&
        !(record->class_ == 1 && reader->question_class == READ_ANY))
        return "a record of another class";
    return NULL;
}

/* Names in data are equal whatever their letters' case (RFC 4034 6.2). */
static inline int reader_compare_data(uint16_t type, const uint8_t *a, size_t a_len,
                                      const uint8_t *b, size_t b_len)
{
    bool has_name = type == READ_NS || type == READ_PTR || type == READ_SOA || type == READ_SRV;
    size_t name_at = type == READ_SRV ? 6 : has_name ? 0 : SIZE_MAX;
    for (size_t i = 0; i < a_len && i < b_len; i++) {
        int order = i >= name_at ? reader_lower(a[i]) - reader_lower(b[i]) : a[i] - b[i];
        if (order)
            return order;
    }
    return (a_len > b_len) - (a_len < b_len);
}

static inline int reader_compare(const void *left, const void *right)
{
    const struct reader_record *a = *(const struct reader_record *const *)left;
    const struct reader_record *b = *(const struct reader_record *const *)right;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->owner.len != b->owner.len)
        return a->owner.len < b->owner.len ? -1 : 1;
    for (size_t i = 0; i < a->owner.len; i++) {
        int order = reader_lower(a->owner.wire[i]) - reader_lower(b->owner.wire[i]);
        if (order)
            return order;
    }
    return reader_compare_data(a->type, a->data, a->len, b->data, b->len);
}

/* RFC 2181 5: no record twice, one TTL for an RRset. */
static inline const char *reader_check_sets(struct reader *reader)
{
    for (size_t i = 0; i < reader->count; i++)
        reader->sorted[i] = &reader->records[i];
    qsort(reader->sorted, reader->count, sizeof(reader->sorted[0]), reader_compare);
    for (size_t i = 1; i < reader->count; i++) {
        const struct reader_record *a = reader->sorted[i - 1], *b = reader->sorted[i];
        if (reader_compare(&reader->sorted[i - 1], &reader->sorted[i]) == 0)
            return "a record stands twice";
        if (a->type == b->type && a->owner.len == b->owner.len && a->ttl_s != b->ttl_s &&
            reader_is_same(a->owner.wire, b->owner.wire, a->owner.len))
            return "an RRset with two TTLs";
    }
    return NULL;
}

static inline const char *reader_question(struct reader *reader)
{
    const char *fault = reader_name(reader, false, &reader->question);
    if (fault)
        return fault;
    if (reader->bytes_len - reader->at < 4)
        return "the question runs over the end";
    reader->question_type = reader_get16(reader->bytes + reader->at);
    reader->question_class = reader_get16(reader->bytes + reader->at + 2);
    reader->has_question = true;
    reader->at += 4;
    return NULL;
}

static inline void reader_header(struct reader *reader)
{
    const uint8_t *bytes = reader->bytes;
    reader->id = reader_get16(bytes);
    reader->is_response = bytes[2] & 0x80;
    reader->opcode = bytes[2] >> 3 & 15;
    reader->is_authoritative = bytes[2] & 4;
    reader->is_truncated = bytes[2] & 2;
    reader->wants_recursion = bytes[2] & 1;
    reader->has_recursion = bytes[3] & 0x80;
    reader->has_z = bytes[3] & 0x40;
    reader->has_ad = bytes[3] & 0x20;
    reader->has_cd = bytes[3] & 0x10;
    reader->rcode = bytes[3] & 15;
}

/* Read a reply. NULL, or what is wrong with it. The reader borrows the message. */
static inline const char *reader_read(struct reader *reader, const uint8_t *bytes, size_t len)
{
    size_t marked = reader->bytes_len < sizeof(reader->label_starts) ? reader->bytes_len
                                                                     : sizeof(reader->label_starts);
    memset(reader->label_starts, 0, marked);
    reader->bytes = bytes;
    reader->bytes_len = len;
    reader->count = reader->arena_used = 0;
    reader->has_question = reader->has_opt = reader->has_tsig = false;
    reader->question_class = 1;
    if (len < 12)
        return "shorter than a header";
    reader_header(reader);
    reader->at = 12;
    if (reader_get16(bytes + 4) > 1)
        return "more than one question";
    const char *fault = reader_get16(bytes + 4) == 1 ? reader_question(reader) : NULL;
    for (uint8_t section = 0; section < 3 && !fault; section++) {
        unsigned count = reader_get16(bytes + 6 + 2 * section);
        while (count-- > 0 && !fault)
            fault = reader_record(reader, section);
    }
    if (!fault && reader->at != len)
        fault = "octets behind the end";
    return fault ? fault : reader_check_sets(reader);
}

/* The data of an option; NULL when it is not there. */
static inline const uint8_t *reader_option(const struct reader *reader, uint16_t code, size_t *len)
{
    for (size_t at = 0; reader->has_opt && at < reader->options_len;
         at += 4u + reader_get16(reader->options + at + 2)) {
        if (reader_get16(reader->options + at) != code)
            continue;
        *len = reader_get16(reader->options + at + 2);
        return reader->options + at + 4;
    }
    return NULL;
}

#endif
