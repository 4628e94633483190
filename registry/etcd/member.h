/* registry/etcd/member.h - the members of the etcd cluster that this client knows of.
 *
 * Requests go to the member that answered last; if that one has failed, to one that has not; if all
 * have, to one that is not backing off; if all are, to the one whose back-off ends first. A failure
 * makes a member back off for 0.25 s, doubled with each further one up to 10 s, with jitter over the
 * second half; an answer ends it, and the failure is forgotten.
 * A back-off only orders members: when no other is left, one is asked in spite of it.
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
    /* What the URLs of requests begin with, and CURLOPT_CONNECT_TO ("" = none): endpoint.url and
     * "", unless the endpoint was discovered by DNS and speaks TLS. Then the certificate has to
     * name the domain that was asked for, not the host that an unauthenticated DNS answer named;
     * libcurl verifies the host of the URL, so that is the domain, and connect_to leads to the
     * host. */
    char request_url[sizeof(((struct endpoint *)NULL)->url)];
    char connect_to[MEMBER_CONNECT_TO_MAX];
    const char *prefix; /* "/v3", "/v3beta", "/v3alpha"; NULL = not known yet */
    unsigned version;   /* 304 for 3.4; 0 = unknown */
    char *addresses;    /* for libcurl's CURLOPT_RESOLVE; NULL = not known, or none needed */
    uint64_t looked_up_ms, addresses_until_ms;
    struct etcd *etcd; /* whose look-up it waits for, or waited last */
    bool is_looking_up, is_look_up_failing;
    unsigned failures; /* since the last answer */
    uint64_t pause_until_ms;
    uint64_t failed, watched; /* since the start: failures, and watches that were begun on it */
    enum status status;       /* why it failed last */
    char reason[320];         /* room for a host name and a sentence */
};

struct member_set {
    struct member list[ENDPOINT_LIST_MAX];
    size_t count;
    size_t current; /* the one that answered last; until then the first to ask */
    bool has_answered;
};

/* Append an endpoint, unless it is there or the set is full. domain: where it was discovered; NULL
 * = nowhere. */
void member_add(struct member_set *set, const struct endpoint *endpoint, const char *domain);

/* Put the members in an arbitrary order, so that the clients of a cluster spread over it. */
void member_shuffle(struct member_set *set);

void member_clear(struct member_set *set);

/* The member to ask next, of those whose bit in `tried` is not set; NULL: all are. */
struct member *member_find(struct member_set *set, uint32_t tried, uint64_t now_ms);

/* The member's bit, as in `tried`. */
uint32_t member_mask(const struct member_set *set, const struct member *member);

/* It has answered: it is asked first, and does not back off. */
void member_mark_up(struct member_set *set, struct member *member);

/* It has failed: it backs off. It may have moved, so its addresses are looked up again, at most
 * every 5 s. */
void member_fail(struct member *member, uint64_t now_ms, enum status status, const char *reason);

/* Read the body of GET /version. False: it is none. */
bool member_set_version(struct member *member, const char *body, size_t len);

/* Whether its addresses must be looked up. What was found before may be used meanwhile. */
bool member_needs_addresses(const struct member *member, uint64_t now_ms);

/* Whether it cannot be asked before that has found some. */
bool member_lacks_addresses(const struct member *member);

/* Take what a look-up found. NO_MEMORY. */
MUST_USE enum status member_set_addresses(struct member *member,
                                          const struct resolver_address *addresses, size_t count,
                                          uint32_t ttl_s, uint64_t now_ms);

/* "http://a:1: connection refused; http://b:1: no answer": the tried members, each with its reason.
 * Without the URL where no address is known: that is a failure of DNS, not of etcd. */
void member_explain(const struct member_set *set, uint32_t tried, struct detail *why);

#endif
