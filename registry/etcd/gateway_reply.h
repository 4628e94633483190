/* registry/etcd/gateway_reply.h - what etcd's gateway answers, in both of its dialects.
 *
 * Upstream 3.3-3.5 speak the first ({"error":M,"message":M,"code":N}), 3.6 and Debian's 3.5 the
 * second ({"code":N, "message":M}). Whole numbers of 64 bits are strings; false, 0 and empty are
 * left out; octets are base64. The same HTTP status means many things, so errors are told apart by
 * their message, then by their gRPC code.
 *
 * Threads: pure. */
#ifndef REGISTRY_ETCD_GATEWAY_REPLY_H
#define REGISTRY_ETCD_GATEWAY_REPLY_H

#include "kv_types.h"

#include <cjson/cJSON.h>

struct gateway_reply_header {
    int64_t revision;
    uint64_t cluster_id, member_id, raft_term;
};

/* A text as JSON, of which something else may follow, and a whole body: one value with nothing but
 * blanks behind it. To be given to cJSON_Delete(). *status is OK; else NULL is returned, and it is
 * BAD_REPLY for what is no JSON, or NO_MEMORY. */
cJSON *gateway_reply_json(const char *text, size_t len, enum status *status);
cJSON *gateway_reply_parse(const char *text, size_t len, enum status *status);
/* The same of a value that has only begun, with what closes it. */
cJSON *gateway_reply_parse_begun(const char *text, size_t len, const char *closing,
                                 enum status *status);

/* A 64-bit member, be it a string or a number; 0 when it is missing. False: it is there and is no
 * whole number of that range; *out is 0 then. */
bool gateway_reply_has_uint(const cJSON *object, const char *name, uint64_t *out);
bool gateway_reply_has_int(const cJSON *object, const char *name, int64_t *out);
/* False: it is there and neither true nor false. */
bool gateway_reply_has_bool(const cJSON *object, const char *name, bool *out);

/* Whether an object has no other members than these; NULL ends the names. An answer that says
 * nothing is told from that to another question by it. */
bool gateway_reply_has_only(const cJSON *object, const char *const *names);

/* The same for members that decide nothing: 0 or false when there is none that makes sense. */
int64_t gateway_reply_int(const cJSON *object, const char *name);
bool gateway_reply_bool(const cJSON *object, const char *name);

/* The member "header" of an object. False: there is none that etcd could have written, with a
 * revision above 0 and a cluster's ID. Every reply of ranges, transactions, leases and every line
 * of a watch has one, but the line that cancels a watch. Whoever takes {} for an answer takes a
 * broken proxy for an empty store. */
bool gateway_reply_header(const cJSON *object, struct gateway_reply_header *out);

/* A key-value, decoded in place: *out borrows from `object`, key and value are NUL-terminated.
 * False: not an object, no key, no revision, or something is not base64 or no number. */
bool gateway_reply_kv(cJSON *object, struct kv *out);

/* Whether the key is one of [from, end); end_len 0: is `from`; "\0": there is no end. */
bool gateway_reply_kv_is_within(const struct kv *kv, const char *from, size_t from_len,
                                const char *end, size_t end_len);

/* What can be done about an error. */
enum gateway_reply_class {
    GATEWAY_REPLY_FINAL,      /* nothing: it is the answer */
    GATEWAY_REPLY_UNDONE,     /* not carried out; another member or moment may do better */
    GATEWAY_REPLY_UNKNOWN,    /* perhaps carried out; the same */
    GATEWAY_REPLY_TOKEN,      /* the token is missing, old or unknown: authenticate */
    GATEWAY_REPLY_PERMISSION, /* not allowed, or, from some releases, a token that they do not know */
    GATEWAY_REPLY_NO_AUTH,    /* authentication is switched off: go on without */
    GATEWAY_REPLY_PATH        /* no such path: another version than thought, or no etcd */
};

struct gateway_reply_error {
    enum status status;
    enum gateway_reply_class class;
    char message[200]; /* printable */
};

/* Make sense of an error: a body with its HTTP status, or a line of a stream, {"error":{..}}, with
 * status 200. Always fills *out. */
void gateway_reply_error(long http_status, const char *body, size_t len,
                         struct gateway_reply_error *out);

/* The same for a bare message, as in a watch's cancel_reason. */
void gateway_reply_error_message(const char *message, struct gateway_reply_error *out);

#endif
