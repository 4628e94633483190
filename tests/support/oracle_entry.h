/* tests/support/oracle_entry.h - a key and its value as the oracle reads them: labels, location,
 * pairs.
 *
 * Part of oracle.h; nothing of zones/ or registry/ reads for it. */
#ifndef SUPPORT_ORACLE_ENTRY_H
#define SUPPORT_ORACLE_ENTRY_H

#include "reader.h"

#define ORACLE_PAIRS_MAX 16

struct oracle_text {
    char octets[4200];
    size_t len;
};

struct oracle_short {
    char octets[300];
    size_t len;
};

struct oracle_key {
    struct oracle_text key, value;
    uint32_t lease_ttl_s; /* 0 = no lease */
};

struct oracle_label {
    uint8_t octets[64];
    size_t len;
};

/* A service that can be served. */
struct oracle_instance {
    const struct oracle_key *key;
    char type[256], host[256], location[300];
    size_t type_len, name_at; /* name_at: in the key */
    char base[256];
    size_t base_len;
    bool is_odd, is_udp, is_dotted;
    int family; /* AF_INET, AF_INET6; 0 = a host */
    uint8_t address[16];
    uint16_t port, priority, weight;
    struct oracle_short pairs[ORACLE_PAIRS_MAX];
    struct oracle_short subtypes[ORACLE_PAIRS_MAX];
    size_t pair_count, subtype_count;
    struct oracle_label label, type_label; /* type_label with its '_' */
    struct reader_name name, type_name, target;
    uint32_t ttl_s;
};

/* Whether it is a host name's label: letters, digits, inner hyphens. */
bool oracle_is_ldh(const uint8_t *octets, size_t len);

/* The label of instance->base, which is set, and whether that is odd: needs a TXT pair of its own. */
void oracle_type_label(struct oracle_instance *instance);

/* The label of an instance's name: itself where it can be, else its beginning and a hash. */
void oracle_instance_label(const char *name, size_t len, struct oracle_label *out);

/* As memcmp(); what ends first is less. */
int oracle_compare_octets(const char *a, size_t a_len, const char *b, size_t b_len);

/* The same for qsort(), of struct oracle_short. */
int oracle_compare_short(const void *left, const void *right);

/* The length of a TXT pair's key. */
size_t oracle_key_len(const char *pair);

/* Read a value into an instance. False: it has no location that can be served. */
bool oracle_value(struct oracle_instance *instance, const struct oracle_text *value);

/* Base and protocol from instance->type: without a "._tcp" or "._udp" behind and a '_' before. */
void oracle_base(struct oracle_instance *instance);

#endif
