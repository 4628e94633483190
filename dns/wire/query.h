/* dns/wire/query.h - a client's message, read strictly.
 *
 * The parser trusts no length, follows no compression pointer (a question has none to follow), does
 * a bounded amount of work, and never allocates. What it finds wrong it says as the rcode that the
 * reply shall carry, or as QUERY_DROP where RFC 1035 4.1 and RFC 8906 want silence.
 *
 * Threads: pure. */
#ifndef DNS_WIRE_QUERY_H
#define DNS_WIRE_QUERY_H

#include "zones/name/name.h"

#include <sys/socket.h>

#define QUERY_HEADER     12 /* octets before the question */
#define QUERY_LABELS_MAX 127

struct node;

enum query_transport { QUERY_UDP, QUERY_TCP };

/* What kind of reply the message earns. */
enum query_verdict {
    QUERY_DROP,     /* shorter than a header, or a response (QR=1): no reply at all */
    QUERY_ERROR,    /* reply with query.rcode and nothing else */
    QUERY_QUESTION, /* one question, to be answered */
    QUERY_DENIED    /* never query_read()'s: to be refused, since an access list says so */
};

/* What the client asked for by EDNS options; bits of struct query's wants. */
enum query_wants {
    QUERY_WANTS_NSID = 1,
    QUERY_WANTS_EXPIRE = 2,
    QUERY_WANTS_ZONE_VERSION = 4,
    QUERY_WANTS_KEEPALIVE = 8,
    QUERY_WANTS_COOKIE = 16
};

struct query {
    /* The message, borrowed from the receive buffer until the reply is written. */
    const uint8_t *bytes;
    const struct sockaddr *client; /* may be NULL: unknown (tests) */
    uint32_t rotation; /* chooses where sets of several records begin; the worker's counter */

    uint8_t transport; /* enum query_transport */
    uint8_t verdict;   /* enum query_verdict */
    uint16_t rcode;    /* of QUERY_ERROR; 16 and more need an OPT */
    uint8_t opcode;

    /* The question, when there is one that could be read (also with QUERY_ERROR, to be echoed). */
    bool has_question;
    uint8_t name_len;    /* octets of the name with its root label; the name is at bytes + 12 */
    uint8_t label_count; /* without the root label */
    uint16_t type, qclass;
    uint16_t question_len; /* name_len + 4 */

    /* EDNS (RFC 6891). */
    bool has_edns, wants_dnssec /* DO */;
    uint8_t wants;
    uint8_t edns_version;
    uint16_t udp_size;     /* what the client takes over UDP: 512 without EDNS, never below 512 */
    const uint8_t *cookie; /* RFC 7873: into bytes; NULL = none */
    uint8_t cookie_len;    /* 8, or 16 to 40 */
    const uint8_t *tsig;   /* the TSIG record (its owner name), into bytes; NULL = none */
    uint16_t tsig_len;

    /* answer.c's own, set by answer_prepare() and answer_fetch(). */
    uint8_t where;
    uint16_t key_len; /* octets of the name to look up, which lies below the zone's */
    uint16_t zone_at; /* where in the message the zone's name begins; 0 = it does not stand there */
    uint64_t hash;    /* of the first key_len octets of folded */
    const struct node *candidate; /* the first owner whose tag fits; NULL = there is none */

    /* Written as far as there is something to say. */
    uint8_t labels[QUERY_LABELS_MAX + 1]; /* where in the name each begins, the root's last */
    uint8_t folded[NAME_MAX_LEN + 1 + NAME_PAD]; /* the name in lower case, wire form; octets to
                                                spare behind it */
};

/* Read a message of `len` octets. `out` need not be initialised; everything the verdict does not
 * promise is zero. */
void query_read(struct query *out, const uint8_t *bytes, size_t len, enum query_transport transport,
                const struct sockaddr *client, uint32_t rotation);

/* The name to look up. */
static inline struct name_padded query_key(const struct query *query)
{
    return (struct name_padded){query->folded, query->key_len};
}

/* Whether a label, or the root's, begins at octet `at` of the name. */
bool query_has_label_at(const struct query *query, size_t at);

#endif
