/* zones/dump.h - all records of a zone, one after the other: for transfers and zone files.
 *
 * Every RRset that a question could bring is there, its records together, none twice, with the TTL
 * that an answer would give it. First comes the SOA record, once; then what the configuration
 * makes, and the rest in an order that follows from the names, but for a type's instances, which
 * come in the order of its members. Empty non-terminals, and hosts without an address, have no
 * records, so a copy made from these does not know their names.
 *
 * Units: *_s is seconds. Memory: while it runs, 16 octets for each name, which are written to
 * for those that are no instance's, and at most 64 for each record of the largest RRset. Threads: the control thread, between two
 * commits. */
#ifndef ZONES_DUMP_H
#define ZONES_DUMP_H

#include "registry/base/status.h"

struct zone;

/* A record in class IN; names in wire form, in full. Borrowed for the call. */
struct dump_record {
    const uint8_t *owner;
    const uint8_t *rdata;
    uint16_t owner_len, rdata_len;
    uint16_t type;
    uint32_t ttl_s;
};

/* False: no more. */
typedef bool dump_each(void *arg, const struct dump_record *record);

/* CANCELLED: `each` returned false. NO_MEMORY: some records were left out. */
MUST_USE enum status dump_zone(const struct zone *zone, dump_each *each, void *arg);

#endif
