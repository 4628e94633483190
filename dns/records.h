/* dns/records.h - the records of a name, copied into a reply.
 *
 * Each function writes the records of one type that a kind of owner has, beginning at a different
 * one with every rotation, and stops when the reply is full. True when the set exists (even if
 * nothing of it fitted).
 *
 * Threads: readers (zones/rcu.h). */
#ifndef DNS_RECORDS_H
#define DNS_RECORDS_H

#include "reply.h"

/* Where instances come from: one or two sets (a host view joins tcp and udp), or one or two chains
 * of instances with the same name. */
struct sources {
    const struct members *sets[2];
    const struct instance *chains[2];
};

/* Instances one after the other. */
struct sources_walk {
    const struct sources *sources;
    uint32_t total, start, visited;
    const struct instance *chained; /* the rest of a chain */
};

void sources_walk(struct sources_walk *walk, const struct sources *sources, uint32_t rotation);
/* NULL at the end. `all`: with the chains behind a set's members; else the first of each name
 * alone. */
const struct instance *sources_next(struct sources_walk *walk, bool all);
/* The least TTL. */
uint32_t sources_ttl(const struct sources *sources, uint32_t most);

/* SRV of every instance, none twice; remembers the targets for the additional section. */
bool records_srv(struct reply *reply, const struct sources *sources, uint16_t owner,
                 uint32_t ttl_s);
/* The addresses of every instance's target, none twice. */
bool records_view_addresses(struct reply *reply, const struct sources *sources, uint16_t type);
/* TXT of a type: one record an instance. */
bool records_type_txt(struct reply *reply, const struct members *members);
/* PTR of a type or subtype to its instances; of the list of types to the types. */
bool records_ptr(struct reply *reply, const struct node *node, const struct members *members);

/* TXT of one instance. False when it does not fit. */
bool records_txt(struct reply *reply, const struct instance *instance, uint16_t owner);
/* The addresses of a target, of one family. True when it has any. */
bool records_addresses(struct reply *reply, const struct target *target, uint16_t owner,
                       uint16_t type);
bool records_soa(struct reply *reply, uint16_t owner, uint32_t ttl_s);
bool records_ns(struct reply *reply);
bool records_fixed(struct reply *reply, const struct node *node, uint16_t owner, uint16_t type);
bool records_switch(struct reply *reply, const struct switch_ *switch_);

#endif
