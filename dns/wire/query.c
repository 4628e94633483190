#include "query.h"

#include "zones/name/rr.h"

#define OPT_LEN 11
/* What follows the name's labels: the root's, type, class. */
#define QUESTION_TAIL 5

/* The name's `labels` labels end at octet `root` of it. */
static inline void query_set_question(struct query *query, const uint8_t *name, size_t root,
                                      unsigned labels)
{
    query->labels[labels] = (uint8_t)root;
    query->label_count = (uint8_t)labels;
    query->name_len = (uint8_t)(root + 1);
    query->question_len = (uint16_t)(root + QUESTION_TAIL);
    query->type = rr_get16(name + root + 1);
    query->qclass = rr_get16(name + root + 3);
    query->has_question = true;
}

/* Folded octet by octet, unlike on the fast path: the message may end with the question, and the
 * buffer with the message. */
static bool query_read_question(struct query *query, size_t len)
{
    const uint8_t *name = query->bytes + QUERY_HEADER;
    size_t left = len - QUERY_HEADER, at = 0;
    unsigned labels = 0;
    if (left < QUESTION_TAIL)
        return false;
    for (uint8_t octet; (octet = name[at]) != 0;) {
        query->labels[labels++] = (uint8_t)at;
        at += 1u + octet;
        /* A compression pointer or an extended label cannot stand in the first name of a message.
         */
        if (octet > NAME_LABEL_MAX || at >= NAME_MAX_LEN || at + QUESTION_TAIL > left)
            return false;
    }
    query_set_question(query, name, at, labels);
    name_fold_exact(query->folded, name, at + 1);
    return true;
}

bool query_has_label_at(const struct query *query, size_t at)
{
    for (unsigned i = 0; i <= query->label_count; i++)
        if (query->labels[i] == at)
            return true;
    return false;
}

/* RFC 1035 4.1.4: a pointer leads to a name that stood before. So none can loop. */
static bool query_is_backward(const uint8_t *pointer, size_t begin)
{
    size_t to = rr_get16(pointer) & 0x3fffu;
    return to >= QUERY_HEADER && to < begin;
}

/* Behind the name at `at`, or 0 when it is too long or does not end within the message. Pointers
 * are not followed. */
static size_t query_skip_name(const uint8_t *bytes, size_t len, size_t at)
{
    size_t begin = at;
    while (at < len && at - begin < NAME_MAX_LEN) {
        uint8_t octet = bytes[at];
        if (octet == 0)
            return at + 1;
        if (octet >= 0xc0)
            return at + 2 <= len && query_is_backward(bytes + at, begin) ? at + 2 : 0;
        if (octet > NAME_LABEL_MAX)
            return 0;
        at += 1u + octet;
    }
    return 0;
}

static bool query_read_option(struct query *query, uint16_t code, const uint8_t *data, uint16_t len)
{
    switch (code) {
    case EDNS_OPTION_NSID:
        query->wants |= QUERY_WANTS_NSID;
        break;
    case EDNS_OPTION_EXPIRE:
        query->wants |= QUERY_WANTS_EXPIRE;
        break;
    case EDNS_OPTION_KEEPALIVE:
        if (query->transport == QUERY_TCP)
            query->wants |= QUERY_WANTS_KEEPALIVE;
        break;
    case EDNS_OPTION_ZONEVERSION:
        query->wants |= QUERY_WANTS_ZONE_VERSION;
        break;
    case EDNS_OPTION_COOKIE:
        /* RFC 7873 5.2.2: any other length is FORMERR. */
        if (len != 8 && (len < 16 || len > 40))
            return false;
        if (!query->cookie) {
            query->cookie = data;
            query->cookie_len = (uint8_t)len;
            query->wants |= QUERY_WANTS_COOKIE;
        }
        break;
    default:
        break;
    }
    return true;
}

/* What an OPT record says but for its options. */
static inline void query_set_opt(struct query *query, const uint8_t *rr)
{
    query->has_edns = true;
    query->udp_size = rr_get16(rr + 2);
    if (query->udp_size < 512) /* RFC 6891 6.2.3 */
        query->udp_size = 512;
    query->edns_version = rr[5];
    query->wants_dnssec = (rr[6] & 0x80) != 0;
}

/* `rr` is behind the owner: type, class, TTL, length, data. */
static bool query_read_opt(struct query *query, const uint8_t *rr, bool has_root_owner)
{
    if (query->has_edns || !has_root_owner)
        return false; /* RFC 6891 6.1.1: a second one is FORMERR; 6.1.2: it is the root's */
    query_set_opt(query, rr);
    const uint8_t *at = rr + 10, *end = at + rr_get16(rr + 8);
    while (at < end) {
        if (end - at < 4 || end - at - 4 < rr_get16(at + 2))
            return false;
        uint16_t option_len = rr_get16(at + 2);
        if (!query_read_option(query, rr_get16(at), at + 4, option_len))
            return false;
        at += 4 + option_len;
    }
    return true;
}

/* Everything behind the questions. `others` records of the answer and authority sections come
 * first. */
static bool query_read_records(struct query *query, const uint8_t *bytes, size_t len, size_t at,
                               uint32_t others, uint32_t additional)
{
    for (uint32_t i = 0; i < others + additional; i++) {
        size_t owner = at;
        at = query_skip_name(bytes, len, at);
        if (at == 0 || len - at < 10 || len - at - 10 < rr_get16(bytes + at + 8))
            return false;
        uint16_t type = rr_get16(bytes + at);
        size_t end = at + 10 + rr_get16(bytes + at + 8);
        if (query->tsig)
            return false; /* RFC 8945 5.1: it is the last record */
        if (type == TYPE_OPT &&
            (i < others || !query_read_opt(query, bytes + at, bytes[owner] == 0)))
            return false;
        if (type == TYPE_TSIG) {
            if (i < others)
                return false;
            query->tsig = bytes + owner;
            query->tsig_len = (uint16_t)(end - owner);
        }
        at = end;
    }
    return true;
}

static bool query_read_all(struct query *query, const uint8_t *bytes, size_t len)
{
    uint16_t questions = rr_get16(bytes + 4);
    size_t at = QUERY_HEADER;
    if (questions > 0) {
        if (!query_read_question(query, len))
            return false;
        at += query->question_len;
    }
    for (unsigned i = 1; i < questions; i++) {
        at = query_skip_name(bytes, len, at);
        if (at == 0 || len - at < 4)
            return false;
        at += 4;
    }
    uint32_t others = (uint32_t)rr_get16(bytes + 6) + rr_get16(bytes + 8);
    return query_read_records(query, bytes, len, at, others, rr_get16(bytes + 10));
}

/* One question and an OPT record without options, as nearly every resolver sends it.
 *
 * It is a second parser beside query_read_slow_path(), for speed alone: that one skips names and
 * walks records and options, with a check for each. Here the header's counts are compared at
 * once, and since nothing but those two can be in the message, its length says where the OPT
 * record begins and the name must end; only the labels are walked.
 *
 * It may refuse anything and decide nothing: what is not exactly of this form, malformed messages
 * included, returns false and is read by the other parser, so that each rcode has one place. What
 * both accept they must read alike, which tests compare. */
static inline bool query_read_fast_path(struct query *query, const uint8_t *bytes, size_t len)
{
    static const uint8_t counts[8] = {0, 1, 0, 0, 0, 0, 0, 1}, opt_begin[3] = {0, 0, TYPE_OPT};
    const uint8_t *name = bytes + QUERY_HEADER, *opt = bytes + len - OPT_LEN;
    size_t root = len - QUERY_HEADER - QUESTION_TAIL - OPT_LEN, at = 0;
    if (root >= NAME_MAX_LEN || (bytes[2] & 0xf8) != 0 ||
        memcmp(bytes + 4, counts, sizeof(counts)) != 0 || name[root] != 0 ||
        memcmp(opt, opt_begin, sizeof(opt_begin)) != 0 || opt[6] != 0 || rr_get16(opt + 9) != 0)
        return false;
    unsigned labels = 0;
    while (at < root) {
        unsigned octet = name[at];
        if (octet - 1 >= NAME_LABEL_MAX)
            return false;
        query->labels[labels++] = (uint8_t)at;
        at += 1 + octet;
    }
    if (at != root)
        return false;
    query_set_question(query, name, root, labels);
    query_set_opt(query, opt + 1);
    name_fold(query->folded, (struct name_padded){name, root + 1}); /* 15 octets follow */
    query->verdict = QUERY_QUESTION;
    return true;
}

static uint16_t query_rcode_of(const struct query *query, bool is_well_formed)
{
    /* Known, but we are nobody's secondary and take changes from etcd alone. */
    if (query->opcode == OPCODE_NOTIFY || query->opcode == OPCODE_UPDATE)
        return RCODE_REFUSED;
    if (query->opcode != OPCODE_QUERY)
        return RCODE_NOTIMP;
    if (!is_well_formed)
        return RCODE_FORMERR;
    if (query->edns_version > 0)
        return RCODE_BADVERS;
    uint16_t questions = rr_get16(query->bytes + 4);
    /* RFC 7873 5.4: no question, but a cookie, asks for a cookie alone. */
    return questions == 1 || (questions == 0 && query->cookie) ? 0 : RCODE_FORMERR;
}

static __attribute__((noinline)) void query_read_slow_path(struct query *query,
                                                           const uint8_t *bytes, size_t len)
{
    query->udp_size = 512;
    /* Two servers that answered responses could go on with each other for ever. */
    if (!bytes || len < QUERY_HEADER || (bytes[2] & 0x80) != 0) {
        query->verdict = QUERY_DROP;
        return;
    }
    query->opcode = (bytes[2] >> 3) & 15;
    bool is_well_formed = query_read_all(query, bytes, len);
    query->rcode = query_rcode_of(query, is_well_formed);
    bool is_question = query->rcode == 0 && query->has_question;
    query->verdict = is_question ? QUERY_QUESTION : QUERY_ERROR;
    if (rr_get16(bytes + 4) != 1)
        query->has_question = false; /* nothing is echoed of what is no single question */
}

void query_read(struct query *out, const uint8_t *bytes, size_t len, enum query_transport transport,
                const struct sockaddr *client, uint32_t rotation)
{
    memset(out, 0, offsetof(struct query, hash));
    out->bytes = bytes;
    out->client = client;
    out->rotation = rotation;
    out->transport = (uint8_t)transport;
    if (!bytes || len < QUERY_HEADER + QUESTION_TAIL + OPT_LEN ||
        !query_read_fast_path(out, bytes, len))
        query_read_slow_path(out, bytes, len);
}
