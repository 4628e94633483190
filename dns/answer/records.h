/* dns/answer/records.h - the records of a name, copied into a reply.
 *
 * Each function writes the records of one type that a kind of owner has, beginning at a different
 * one with every rotation, and stops when the reply is full. True when the set exists (even if
 * nothing of it fitted).
 *
 * Threads: readers (zones/store/rcu.h). */
#ifndef DNS_ANSWER_RECORDS_H
#define DNS_ANSWER_RECORDS_H

#include "reply.h"

/* SRV of every instance, none twice; remembers the targets for the additional section. */
bool records_srv(struct reply *reply, const struct instance_source *source, uint16_t owner);
/* The same of a chain of instances with one name. */
bool records_instance_srv(struct reply *reply, const struct instance *instance, uint16_t owner);
/* The addresses of every instance's target, none twice. */
bool records_view_addresses(struct reply *reply, const struct instance_source *source,
                            uint16_t type);
/* TXT of a type: one record an instance. */
bool records_type_txt(struct reply *reply, const struct member_version *members);

/* SRV, TXT and address of an instance that has its name alone and lies at an address; the address
 * only if the message does not hold it yet. False when they do not all fit: then nothing was
 * written. Pointers must reach what is written: see records_is_near(). */
bool records_instance(struct reply *reply, const struct instance *instance, uint16_t owner);
/* Whether they will reach the target's name in an SRV record that is written next. */
static inline bool records_is_near(const struct reply *reply)
{
    return reply->at - reply->start <= REPLY_POINTER_MAX - REPLY_HEAD - 6;
}
/* TXT of one instance. False when it does not fit. */
bool records_txt(struct reply *reply, const struct instance *instance, uint16_t owner);
/* One address, of 4 or 16 octets. False when it does not fit. */
static inline bool records_address(struct reply *reply, uint16_t owner, uint16_t type,
                                   uint32_t ttl_s, const uint8_t *octets)
{
    uint8_t *at = reply_record(reply, owner, type, ttl_s, rrsets_address_len(type));
    if (!at)
        return false;
    memcpy(at, octets, rrsets_address_len(type));
    return true;
}

/* The addresses of a target, of one family. True when it has any. */
bool records_addresses(struct reply *reply, const struct target *target, uint16_t owner,
                       uint16_t type);
/* Those of both families of a host. */
void records_host(struct reply *reply, const struct target *host, uint16_t owner);
/* Those of a target. */
static inline void records_target(struct reply *reply, const struct target *target, uint16_t owner)
{
    if (target->node.kind == NODE_ADDRESS)
        (void)records_address(reply, owner, target->family == 4 ? TYPE_A : TYPE_AAAA,
                              rrsets_target_ttl(target), target->address);
    else
        records_host(reply, target, owner);
}

/* The same where no pointer reaches the owner's name: `labels`, `len` octets, before a pointer to
 * the rest. What was written when it is full is the caller's to roll back. */
void records_target_far(struct reply *reply, const struct target *target, const uint8_t *labels,
                        size_t len, uint16_t tail);

bool records_soa(struct reply *reply, uint16_t owner, uint32_t ttl_s);
bool records_ns(struct reply *reply);
bool records_fixed(struct reply *reply, const struct node *node, uint16_t owner, uint16_t type);
bool records_switch(struct reply *reply, const struct switch_node *node);

#endif
