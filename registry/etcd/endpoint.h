/* registry/etcd/endpoint.h - the addresses of etcd's members, as a person writes them.
 *
 * HOST:PORT, [IPV6]:PORT, or either behind http:// or https://, which overrides the
 * protocol. A trailing '/' is tolerated after a scheme. A user and a password before an '@' are
 * refused, in words that do not quote them.
 *
 * Threads: pure. */
#ifndef REGISTRY_ETCD_ENDPOINT_H
#define REGISTRY_ETCD_ENDPOINT_H

#include "registry/base/status.h"

#define ENDPOINT_LIST_MAX 32 /* members of one cluster */

struct endpoint {
    char host[256]; /* without brackets */
    uint16_t port;
    bool is_https;
    bool is_literal; /* host is an IP address: nothing to look up */
    char url[300];   /* "http://[fd00::1]:2379": for messages and libcurl */
};

/* Read one endpoint. BAD_INPUT: *why says what is wrong; the text is not in it. */
MUST_USE enum status endpoint_parse(const char *text, size_t len, bool https_by_default,
                                    struct endpoint *out, struct detail *why);

/* Read a list, between whose items stands a comma, blanks, or both, appending to
 * list[*count..max). An empty item is BAD_INPUT, more than `max` are BAD_INPUT; duplicates are
 * dropped. On failure *count is unchanged. */
MUST_USE enum status endpoint_parse_list(const char *text, bool https_by_default,
                                         struct endpoint *list, size_t max, size_t *count,
                                         struct detail *why);

#endif
