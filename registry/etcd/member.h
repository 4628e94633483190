/* registry/etcd/member.h - the members of etcd's cluster, as far as this client has met them.
 *
 * Which to ask next: the one that answered last; else one that has not failed lately; else the one
 * whose pause ends first. A failure makes a member pause 0.25 s, doubled with each further one up
 * to 10 s, up to half of it by chance; one answer clears it. A pause only puts others first: who
 * has no other asks at once.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_MEMBER_H
#define REGISTRY_ETCD_MEMBER_H

#include "endpoint.h"
#include "registry/net/resolver.h"

#define MEMBER_ADDRESSES_MAX 16

#define MEMBER_CONNECT_TO_MAX (2 * sizeof(((struct endpoint *)NULL)->url))

struct member {
    struct endpoint endpoint;
    /* For libcurl: what the URLs of requests begin with, and CURLOPT_CONNECT_TO, "" = none. They
     * are endpoint.url and "", but for what was discovered under https: there the certificate must
     * name the domain, not the host that an answer of DNS led to, and the URL's host is what
     * libcurl verifies. */
    char request_url[sizeof(((struct endpoint *)NULL)->url)];
    char connect_to[MEMBER_CONNECT_TO_MAX];
    const char *prefix; /* "/v3", "/v3beta", "/v3alpha"; NULL = not known yet */
    unsigned version;   /* 304 for 3.4; 0 = unknown */
    char *addresses;    /* for libcurl's CURLOPT_RESOLVE; NULL = not known, or none needed */
    uint64_t looked_up_ms, addresses_until_ms;
    bool is_looking_up, is_look_up_failing;
    unsigned failures;
    uint64_t pause_until_ms;
    enum status status; /* why it failed last */
    char reason[320];   /* room for a host name and a sentence */
};

struct member_set {
    struct member list[ENDPOINT_LIST_MAX];
    size_t count;
    size_t current; /* the one that answered last, or is to be asked first */
    bool has_answered;
};

/* Append an endpoint, unless it is there or the set is full. domain: where it was discovered; NULL
 * = nowhere. */
void member_add(struct member_set *set, const struct endpoint *endpoint, const char *domain);

/* Put the members in an arbitrary order, so that the clients of a cluster spread over it. */
void member_shuffle(struct member_set *set);

void member_clear(struct member_set *set);

/* The member to ask next of those whose bit in `tried` is not set. May return NULL. */
struct member *member_find(struct member_set *set, uint32_t tried, uint64_t now_ms);

/* Its bit. */
uint32_t member_mask(const struct member_set *set, const struct member *member);

void member_mark_up(struct member_set *set, struct member *member);

/* It may have moved: its addresses must be looked up again, at most every 5 s. */
void member_fail(struct member *member, uint64_t now_ms, enum status status, const char *reason);

/* Read the body of GET /version. False: it is none. */
bool member_set_version(struct member *member, const char *body, size_t len);

/* Whether its addresses must be looked up. What was found before may be used meanwhile. */
bool member_needs_addresses(const struct member *member, uint64_t now_ms);

/* Whether it cannot be asked before they have been found. */
bool member_lacks_addresses(const struct member *member);

/* Take what a look-up found. NO_MEMORY. */
MUST_USE enum status member_set_addresses(struct member *member,
                                          const struct resolver_address *addresses, size_t count,
                                          uint32_t ttl_s, uint64_t now_ms);

/* "http://a:1: connection refused; http://b:1: no answer": the tried members and why. Of one whose
 * addresses are not known only the reason is told: etcd has no part in it. */
void member_explain(const struct member_set *set, uint32_t tried, struct detail *why);

#endif
