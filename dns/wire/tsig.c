#include "tsig.h"

#include "zones/name/rr.h"

#define FIXED_LEN 10   /* of a record: type, class, TTL, length */
#define TIME_LEN  8    /* time signed and fudge */
#define TAIL_LEN  6    /* original ID, error, other length */
#define NO_END    0x40 /* begins nothing in a name */

/* Octets of the labels at `at`, without what ends them; *last is that: 0, or 0xc0 and more. Those
 * that do not end within `len` octets end in NO_END. */
static size_t tsig_labels_len(const uint8_t *at, size_t len, uint8_t *last)
{
    size_t used = 0;
    while (used < len && at[used] != 0 && at[used] <= NAME_LABEL_MAX)
        used += 1u + at[used];
    *last = used < len ? at[used] : NO_END;
    return used;
}

/* The key's name. Some compress it, which can only mean a suffix of the question: that is written
 * out. Returns the octets that it takes in the query, 0: it cannot be read. */
static size_t tsig_read_key(const struct query *query, struct tsig *tsig)
{
    uint8_t last;
    size_t len = tsig_labels_len(query->tsig, query->tsig_len, &last), rest = 1;
    const uint8_t *from = query->tsig + len;
    if (last >= 0xc0 && query->tsig_len - len >= 2) {
        size_t at = rr_get16(from) & 0x3fffu;
        if (!query->has_question || at < QUERY_HEADER || at - QUERY_HEADER >= query->name_len)
            return 0;
        at -= QUERY_HEADER;
        if (!query_has_label_at(query, at))
            return 0;
        from = query->bytes + QUERY_HEADER + at;
        rest = query->name_len - at;
    } else if (last != 0) {
        return 0;
    }
    if (len + rest > NAME_MAX_LEN)
        return 0;
    memcpy(tsig->key, query->tsig, len);
    memcpy(tsig->key + len, from, rest);
    tsig->key_len = len + rest;
    return len + (last == 0 ? 1 : 2);
}

bool tsig_read(const struct query *query, struct tsig *tsig)
{
    uint8_t last;
    size_t at = tsig_read_key(query, tsig);
    /* query_read() has seen that the record's length is the rest of it. */
    if (at == 0 || query->tsig_len < at + FIXED_LEN || rr_get16(query->tsig + at + 2) != CLASS_ANY)
        return false;
    const uint8_t *data = query->tsig + at + FIXED_LEN, *end = query->tsig + query->tsig_len;
    size_t len = tsig_labels_len(data, (size_t)(end - data), &last);
    /* RFC 3597 4: a name in the data of a record of this type is never compressed. */
    if (last != 0 || len >= NAME_MAX_LEN)
        return false;
    tsig->algorithm = data;
    tsig->algorithm_len = len + 1;
    data += tsig->algorithm_len;
    if ((size_t)(end - data) < TIME_LEN + 2 ||
        (size_t)(end - data) < TIME_LEN + 2u + rr_get16(data + TIME_LEN) + TAIL_LEN)
        return false;
    tsig->time = data;
    tsig->id = data + TIME_LEN + 2 + rr_get16(data + TIME_LEN);
    data = tsig->id + TAIL_LEN;
    return (size_t)(end - data) == rr_get16(data - 2);
}

size_t tsig_len(const struct tsig *tsig)
{
    return tsig->key_len + FIXED_LEN + tsig->algorithm_len + TIME_LEN + 2 + TAIL_LEN;
}

void tsig_write(const struct tsig *tsig, uint16_t error, uint8_t *at)
{
    at = mempcpy(at, tsig->key, tsig->key_len);
    rr_put16(at, TYPE_TSIG);
    rr_put16(at + 2, CLASS_ANY);
    rr_put32(at + 4, 0);
    rr_put16(at + 8, (uint32_t)(tsig->algorithm_len + TIME_LEN + 2 + TAIL_LEN));
    at = mempcpy(at + FIXED_LEN, tsig->algorithm, tsig->algorithm_len);
    at = mempcpy(at, tsig->time, TIME_LEN);
    rr_put16(at, 0); /* no MAC: RFC 8945 5.3.2 */
    memcpy(at + 2, tsig->id, 2);
    rr_put16(at + 4, error);
    rr_put16(at + 6, 0);
}
