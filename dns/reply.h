/* dns/reply.h - a reply being written: a cursor that refuses what does not fit.
 *
 * Records are copied whole or not at all. `limit` is where the records of this message must end, so
 * that the OPT record still fits behind them; `mark` and `rollback` undo what turned out too long.
 *
 * Threads: the caller's. Nothing here allocates. */
#ifndef DNS_REPLY_H
#define DNS_REPLY_H

#include "env.h"
#include "query.h"
#include "seen.h"
#include "zones/view.h"

#include <arpa/inet.h>

enum {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_HINFO = 13,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    TYPE_SRV = 33,
    TYPE_OPT = 41,
    TYPE_IXFR = 251,
    TYPE_AXFR = 252,
    TYPE_ANY = 255
};
enum { CLASS_IN = 1, CLASS_CH = 3, CLASS_ANY = 255 };
enum {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_NOTAUTH = 9,
    RCODE_BADVERS = 16
};
/* RFC 8914 */
enum {
    EDE_STALE = 3,
    EDE_NOT_READY = 14,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_INVALID_DATA = 24,
    EDE_NONE = UINT16_MAX
};

#define REPLY_HEADER      12
#define REPLY_QUESTION    0xc00c /* a pointer to the question's name */
#define REPLY_TARGETS     64     /* SRV targets remembered for the additional section */
#define REPLY_POINTER_MAX 0x3fff
/* Members looked at for one answer: bounds the work when most of them say the same. */
#define REPLY_VISITS_MAX 8192

struct reply_target {
    const struct target *target;
    uint16_t at; /* where its name stands in the message */
};

struct reply {
    uint8_t *start, *at, *limit;
    const struct query *query;
    const struct view *view;
    struct seen *seen;
    const struct members
        *members;       /* of the set that was asked for, one version for the whole reply */
    uint32_t ttl_cap;   /* 30 while etcd is away */
    uint16_t zone_at;   /* where the zone's name stands in its own letters; 0 = nowhere yet */
    uint16_t counts[3]; /* answer, authority, additional */
    uint8_t section;
    bool is_partial; /* only some of a set's many members were looked at */
    bool is_full;    /* a required record did not fit */
    uint16_t target_count;
    struct reply_target targets[REPLY_TARGETS];
};

static inline void reply_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void reply_put32(uint8_t *at, uint32_t value)
{
    uint32_t big = htonl(value);
    memcpy(at, &big, 4);
}

static inline size_t reply_room(const struct reply *reply)
{
    return (size_t)(reply->limit - reply->at);
}

static inline uint16_t reply_offset(const struct reply *reply, const uint8_t *at)
{
    return (uint16_t)(at - reply->start);
}

/* Begin a record whose owner is a pointer. NULL when it does not fit; else where its data goes. */
static inline uint8_t *reply_record(struct reply *reply, uint16_t owner, uint16_t type,
                                    uint32_t ttl_s, size_t rdata_len)
{
    if (__builtin_expect(reply_room(reply) < 12 + rdata_len, 0)) {
        reply->is_full = true;
        return NULL;
    }
    uint8_t *at = reply->at;
    reply_put16(at, owner);
    reply_put16(at + 2, type);
    reply_put16(at + 4, CLASS_IN);
    reply_put32(at + 6, ttl_s < reply->ttl_cap ? ttl_s : reply->ttl_cap);
    reply_put16(at + 10, (uint32_t)rdata_len);
    reply->at = at + 12 + rdata_len;
    reply->counts[reply->section]++;
    return at + 12;
}

struct reply_mark {
    uint8_t *at;
    uint16_t count;
};

static inline struct reply_mark reply_mark(const struct reply *reply)
{
    return (struct reply_mark){reply->at, reply->counts[reply->section]};
}

static inline void reply_rollback(struct reply *reply, struct reply_mark mark)
{
    reply->at = mark.at;
    reply->counts[reply->section] = mark.count;
    reply->is_full = false;
}

#endif
