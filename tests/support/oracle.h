/* tests/support/oracle.h - what the zone should hold, said slowly and plainly.
 *
 * From a list of keys it makes a list of records, (owner, type, TTL, data), one key after the
 * other, by the rules of the design and without zones/: own labels, own names, own values. Built
 * anew after every change, searched from end to end. Where TTLs of an RRset differ, the least
 * counts; RRsets that come from one set of instances have the least of all of them. */
#ifndef SUPPORT_ORACLE_H
#define SUPPORT_ORACLE_H

#include "oracle_entry.h"
#include "reader.h"
#include "zones/zone.h"

#define ORACLE_HOSTS_MAX 16

/* Addresses that were looked up. */
struct oracle_host {
    char name[64];
    struct resolver_address addresses[4];
    size_t count;
    uint32_t ttl_s;
};

struct oracle_record {
    struct reader_name owner;
    uint16_t type; /* 0: the name exists, if it has no records */
    bool is_limit; /* bounds the TTL of the RRset, is none of its records */
    uint32_t ttl_s;
    uint8_t *data;
    size_t len;
};

struct oracle {
    const struct zone_options *options;
    struct reader_name zone, host_domain, mname;
    bool host_is_inside;
    uint32_t serial;
    struct oracle_key *keys; /* in any order */
    size_t key_count;
    struct oracle_host hosts[ORACLE_HOSTS_MAX];
    size_t host_count;
    /* Made by oracle_build(). */
    struct oracle_record *records;
    size_t count, room;
    struct oracle_instance *instances; /* in the order of their keys */
    size_t instance_count;
};

/* Whatever their letters' case. */
bool oracle_is_same_name(const struct reader_name *a, const struct reader_name *b);

/* "a.b" and a tail in wire form; a name that would be too long has no octets. */
struct reader_name oracle_text_name(const char *text, const struct reader_name *tail);

/* The label before the tail; without octets where that is too long, or the tail has none. */
struct reader_name oracle_label_name(const uint8_t *label, size_t label_len,
                                     const struct reader_name *tail);

/* Whether `name` is `top` or lies below it. */
bool oracle_is_below(const struct reader_name *name, const struct reader_name *top);

/* The RRset's TTL, of records and limits; UINT32_MAX without one. */
uint32_t oracle_ttl(const struct oracle *oracle, const struct reader_name *owner, uint16_t type);

/* Free what oracle_build() made. */
void oracle_forget(struct oracle *oracle);

/* Make the records anew. The options and the keys are the caller's and must last until oracle_forget(). */
void oracle_build(struct oracle *oracle);

/* ORACLE_NAME: it has records, or lies above one that has. */
enum oracle_where { ORACLE_REFUSED, ORACLE_NXDOMAIN, ORACLE_NAME };

/* Where a question's name lies; *absolute is the name in the zone. */
enum oracle_where oracle_find(const struct oracle *oracle, const struct reader_name *name,
                              struct reader_name *absolute, bool *is_short);

/* How many records of a type a name has. */
size_t oracle_rrset_count(const struct oracle *oracle, const struct reader_name *name,
                          uint16_t type);

/* The record of a name with this data; NULL when there is none. */
const struct oracle_record *oracle_lookup(const struct oracle *oracle,
                                          const struct reader_name *name, uint16_t type,
                                          const uint8_t *data, size_t len);

#endif
