/* dns/answer/reply.h - a reply being written: a cursor that refuses what does not fit.
 *
 * Records are copied whole or not at all. `limit` is where the records of this message must end, so
 * that the OPT record still fits behind them; `mark` and `rollback` undo what turned out too long.
 *
 * Threads: the caller's. Nothing here allocates. */
#ifndef DNS_ANSWER_REPLY_H
#define DNS_ANSWER_REPLY_H

#include "answer_types.h"
#include "dedup.h"
#include "dns/wire/query.h"
#include "zones/rrsets.h"

#define REPLY_HEAD        12     /* octets of a record before its data */
#define REPLY_QUESTION    0xc00c /* a pointer to the question's name */
#define REPLY_POINTER_MAX 0x3fff
#define REPLY_REFS        4096 /* records whose data names something: each has 16 octets or more */

/* What a record's data names. */
struct reply_ref {
    const void *what; /* the struct target of an SRV record, the struct instance of a PTR record */
    uint16_t at;      /* where the name stands in the message */
};

static_assert(ANSWER_SLACK >= NAME_PAD, "what name_copy() writes too much");
static_assert(REPLY_REFS * (REPLY_HEAD + 4) > ANSWER_MAX, "a message has no more such records");

/* Instances looked at for one set: bounds the work when most of them say the same. */
#define REPLY_VISITS_MAX 8192

/* A thread's memory for a reply. */
struct answer_scratch {
    struct dedup dedup;
    struct reply_ref refs[REPLY_REFS]; /* for the additional section */
};

struct reply {
    uint8_t *start, *at, *limit;
    const struct query *query;
    const struct view *view;
    struct answer_scratch *scratch;
    const struct member_version
        *members;       /* of the set that was asked for, one version for the whole reply */
    uint32_t ttl_cap;   /* 30 while etcd is away */
    uint16_t counts[3]; /* answer, authority, additional */
    uint8_t section;
    bool is_partial;    /* only some of a set's many members were looked at */
    bool is_full;       /* a required record did not fit */
    uint16_t ref_count; /* of scratch->refs */
    uint32_t looks; /* instances that were looked at, for sets and for names that several share */
};

static inline uint16_t reply_offset(const struct reply *reply, const uint8_t *at)
{
    return (uint16_t)(at - reply->start);
}

/* What stands before a record's data, its owner a pointer. Returns where the data goes. */
static inline uint8_t *reply_head(uint8_t *at, uint16_t owner, uint16_t type, uint32_t ttl_s,
                                  size_t rdata_len)
{
    rr_put64(at, (uint64_t)owner << 48 | (uint64_t)type << 32 | CLASS_IN << 16 | ttl_s >> 16);
    rr_put32(at + 8, ttl_s << 16 | (uint32_t)rdata_len);
    return at + REPLY_HEAD;
}

static inline uint32_t reply_ttl(const struct reply *reply, uint32_t ttl_s)
{
    return ttl_s < reply->ttl_cap ? ttl_s : reply->ttl_cap;
}

/* Begin a record. NULL when it does not fit; else where its data goes. */
static inline uint8_t *reply_record(struct reply *reply, uint16_t owner, uint16_t type,
                                    uint32_t ttl_s, size_t rdata_len)
{
    uint8_t *at = reply->at, *end = at + REPLY_HEAD + rdata_len;
    if (__builtin_expect(end > reply->limit, 0)) {
        reply->is_full = true;
        return NULL;
    }
    reply->at = end;
    reply->counts[reply->section]++;
    return reply_head(at, owner, type, reply_ttl(reply, ttl_s), rdata_len);
}

/* Remember what is named at `at`, in a record's data. */
static inline void reply_remember(struct reply *reply, const void *what, const uint8_t *at)
{
    reply->scratch->refs[reply->ref_count++] = (struct reply_ref){what, reply_offset(reply, at)};
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
