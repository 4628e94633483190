/* tests/support/fake_dns.h - a name server on UDP that answers as a table says, on the test's own
 * loop.
 *
 * It can be made to lose, delay and spoil its answers. Nobody listens on its port by TCP. */
#ifndef SUPPORT_FAKE_DNS_H
#define SUPPORT_FAKE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { FAKE_DNS_A = 1, FAKE_DNS_AAAA = 28, FAKE_DNS_SRV = 33 };

/* A name without any row does not exist. */
struct fake_dns_row {
    const char *name;
    unsigned type; /* 0: the name is never answered */
    unsigned ttl_s;
    const char *data; /* an address, or the target of an SRV record */
    unsigned port;
};

enum fake_dns_fault {
    FAKE_DNS_GOOD,
    FAKE_DNS_GARBAGE,   /* octets that are no message */
    FAKE_DNS_CORRUPT,   /* a header that promises more records than there are */
    FAKE_DNS_TRUNCATED, /* TC */
    FAKE_DNS_SERVFAIL,
    FAKE_DNS_NXDOMAIN,
    FAKE_DNS_REFUSED,
    FAKE_DNS_WRONG_ID
};

struct fake_dns {
    uv_udp_t udp;
    const struct fake_dns_row *rows;
    size_t row_count;
    unsigned asked;
    unsigned lose_first,
        lose_count; /* queries that get no answer: from which one on (1), how many */
    unsigned late_ms;
    enum fake_dns_fault fault;
    unsigned fault_count; /* answers that have it; 0 = all */
    char in[2048];
    char address[32]; /* for resolver_set_servers() */
};

/* On a port of its own of 127.0.0.1. `rows` must outlive it. False: there is no socket. */
bool fake_dns_start(struct fake_dns *dns, uv_loop_t *loop, const struct fake_dns_row *rows,
                    size_t row_count);

/* It is closed when the loop has turned once. */
void fake_dns_stop(struct fake_dns *dns);

#endif
