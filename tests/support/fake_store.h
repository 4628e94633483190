/* tests/support/fake_store.h - behind the fake gateway a store of a few keys and leases, for what a
 * real etcd cannot be brought to do at the right moment.
 *
 * Keys and values are text. What it needs to answer is libc's and cJSON's own memory. */
#ifndef SUPPORT_FAKE_STORE_H
#define SUPPORT_FAKE_STORE_H

#include "client_loop.h"
#include "fake_gateway.h"
#include "registry/base/base64.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FAKE_STORE_KEYS   512
#define FAKE_STORE_LEASES 256
#define FAKE_STORE_GONE   64

struct fake_store {
    struct fake_gateway gateway;
    struct client_loop client;
    struct fake_store_key {
        char key[64], value[64];
        int64_t revision, created, lease; /* revisions of its last and its first write */
    } keys[FAKE_STORE_KEYS];              /* in order */
    size_t key_count;
    struct fake_store_key gone[FAKE_STORE_GONE]; /* what was deleted last, by revision modulo */
    struct fake_store_lease {
        int64_t id, ttl_s, left_s; /* left_s < 0: gone */
    } leases[FAKE_STORE_LEASES];
    size_t lease_count;
    int64_t revision;
    unsigned ranges, txns, writes, grants, questions; /* requests by kind; writes: with puts */
    size_t ops_max, octets_max;                       /* of a transaction; more are refused */
    struct fake_row fail;  /* if it has uses left: what the next requests to its path get */
    bool is_mute;          /* nothing is answered */
    char last[128 * 1024]; /* the body of the last request */
    char *reply;
};

/* NULL: there is no such key. */
struct fake_store_key *fake_store_find(struct fake_store *etcd, const char *key);

/* As a client of its own would: `lease` 0: without. The revision goes on. */
void fake_store_put(struct fake_store *etcd, const char *key, const char *value, int64_t lease);

/* The same; it is there. */
void fake_store_delete(struct fake_store *etcd, const char *key);

/* The watches that stand hear of all that is of this revision or later. One that begins hears by itself of what it
 * asks for. */
void fake_store_tell(struct fake_store *etcd, int64_t revision);

/* NULL: there is no such lease; one that is gone is there with left_s < 0. */
struct fake_store_lease *fake_store_lease(struct fake_store *etcd, int64_t id);

/* As if granted to another client, with left_s still to go. */
void fake_store_add_lease(struct fake_store *etcd, int64_t id, int64_t ttl_s, int64_t left_s);

/* The "header" that all answers have. */
void fake_store_header(const struct fake_store *etcd, FILE *out);

/* The store's answer, as a fake_decide with the store as `arg`: for a test that decides first. */
void fake_store_decide(void *arg, const char *path, const char *body, struct fake_row *row);

/* Empty, with a client that waits at most timeout_ms for an answer. False: there is no socket. */
bool fake_store_start(struct fake_store *etcd, uint32_t timeout_ms);

/* Client, store and loop. 0 = all handles were closed. */
int fake_store_stop(struct fake_store *etcd);

#endif
