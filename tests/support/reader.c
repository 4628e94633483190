#include "reader.h"

uint16_t reader_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t reader_get32(const uint8_t *at)
{
    return (uint32_t)reader_get16(at) << 16 | reader_get16(at + 2);
}

uint8_t reader_lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + 32) : octet;
}

bool reader_is_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (reader_lower(a[i]) != reader_lower(b[i]))
            return false;
    return true;
}

/* Where the pointer at `at` points to: to the beginning of a label before `lowest`. */
static const char *reader_follow(const struct reader *reader, size_t at, size_t lowest, size_t *to)
{
    if (at + 2 > reader->bytes_len)
        return "half a pointer";
    *to = reader_get16(reader->bytes + at) & 0x3fffu;
    if (*to >= lowest)
        return "a pointer that does not point back";
    return reader->label_starts[*to] ? NULL : "a pointer into nowhere";
}

/* Append the label at `at`. */
static const char *reader_label(const struct reader *reader, size_t at, struct reader_name *out)
{
    uint8_t octet = reader->bytes[at];
    if (octet > 63)
        return "a reserved kind of label";
    if (at + 1u + octet > reader->bytes_len || out->len + 1u + octet > READER_NAME_MAX)
        return "a label or a name is too long";
    memcpy(out->wire + out->len, reader->bytes + at, 1u + octet);
    out->len += 1u + octet;
    return NULL;
}

/* Names read first and followed later, so that a pointer can only meet what stands before it. */
static const char *reader_name(struct reader *reader, bool may_compress, struct reader_name *out)
{
    size_t at = reader->at, lowest = at;
    bool has_jumped = false;
    uint8_t octet;
    out->len = 0;
    do {
        if (at >= reader->bytes_len)
            return "a name runs over the end";
        octet = reader->bytes[at];
        if (octet >= 0xc0) {
            if (!may_compress)
                return "a compressed name where none may be";
            size_t to;
            const char *fault = reader_follow(reader, at, lowest, &to);
            if (fault)
                return fault;
            if (!has_jumped)
                reader->at = at + 2;
            has_jumped = true;
            lowest = at = to;
            continue;
        }
        const char *fault = reader_label(reader, at, out);
        if (fault)
            return fault;
        if (!has_jumped && octet > 0 && at < sizeof(reader->label_starts))
            reader->label_starts[at] = 1;
        at += 1u + octet;
    } while (octet != 0);
    if (!has_jumped)
        reader->at = at;
    return NULL;
}

static const char *reader_keep(struct reader *reader, struct reader_record *record,
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

static const char *reader_strings(struct reader *reader, struct reader_record *record, size_t len,
                                  size_t least, size_t most)
{
    const uint8_t *data = reader->bytes + reader->at;
    size_t count = 0;
    for (size_t at = 0; at < len; at += 1u + data[at], count++)
        if (at + 1 + data[at] > len)
            return "a string runs over the end of its record";
    return count < least || count > most ? "a wrong number of strings"
                                         : reader_keep(reader, record, data, len);
}

/* `names` names with `before` octets before and `after` behind. */
static const char *reader_names(struct reader *reader, struct reader_record *record, size_t end,
                                size_t before, unsigned names, size_t after, bool may_compress)
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

static const char *reader_data(struct reader *reader, struct reader_record *record, size_t len)
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
    case READ_TXT:
        return reader_strings(reader, record, len, 1, SIZE_MAX);
    case READ_HINFO:
        return reader_strings(reader, record, len, 2, 2);
    default:
        return "a type that we never send";
    }
}

static const char *reader_opt(struct reader *reader, const struct reader_record *record, size_t len)
{
    if (reader->has_opt || record->section != READ_ADDITIONAL || record->owner.len != 1)
        return "OPT twice, or where it must not be";
    reader->has_opt = true;
    reader->opt_size = record->rr_class;
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
static const char *reader_tsig(struct reader *reader, const struct reader_record *record,
                               size_t end)
{
    struct reader_name algorithm;
    if (record->section != READ_ADDITIONAL || record->rr_class != 255 || record->ttl_s != 0)
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

static const char *reader_special(struct reader *reader, const struct reader_record *record,
                                  size_t len)
{
    return record->type == READ_OPT ? reader_opt(reader, record, len)
                                    : reader_tsig(reader, record, reader->at + len);
}

/* What stands before a record's data; reader->at is then where this begins. */
static const char *reader_head(struct reader *reader, struct reader_record *record, size_t *len)
{
    const char *fault = reader_name(reader, true, &record->owner);
    if (fault)
        return fault;
    if (reader->bytes_len - reader->at < 10)
        return "a record runs over the end";
    const uint8_t *head = reader->bytes + reader->at;
    *len = reader_get16(head + 8);
    record->type = reader_get16(head);
    record->rr_class = reader_get16(head + 2);
    record->ttl_s = reader_get32(head + 4);
    reader->at += 10;
    record->at = (uint16_t)reader->at;
    return reader->bytes_len - reader->at < *len ? "data runs over the end" : NULL;
}

const char *reader_record(struct reader *reader, uint8_t section)
{
    struct reader_record *record = &reader->records[reader->count];
    size_t len;
    if (reader->count == READER_RECORDS_MAX)
        return "too many records for this reader";
    if (reader->has_tsig)
        return "a record behind TSIG";
    *record = (struct reader_record){.section = section};
    const char *fault = reader_head(reader, record, &len);
    if (fault)
        return fault;
    size_t end = reader->at + len;
    bool is_special = record->type == READ_OPT || record->type == READ_TSIG;
    fault = is_special ? reader_special(reader, record, len) : reader_data(reader, record, len);
    reader->at = end;
    if (fault || is_special)
        return fault;
    reader->count++;
    if (record->ttl_s > INT32_MAX)
        return "a TTL with its highest bit set";
    if (record->rr_class != reader->question_class &&
        !(record->rr_class == 1 && reader->question_class == READ_ANY))
        return "a record of another class";
    return NULL;
}

int reader_compare_data(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b,
                        size_t b_len)
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

static int reader_compare(const void *left, const void *right)
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
static const char *reader_check_sets(struct reader *reader)
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

const char *reader_question(struct reader *reader)
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

void reader_header(struct reader *reader)
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

const char *reader_read(struct reader *reader, const uint8_t *bytes, size_t len)
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

const uint8_t *reader_option(const struct reader *reader, uint16_t code, size_t *len)
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
