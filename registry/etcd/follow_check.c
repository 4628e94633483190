#include "follow_check.h"

#include "range.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AUDIT_KEY_MAX (2U << 20)

/* BEFORE: at the revision before the witness; only if it is a deleted key. */
enum audit_step { AUDIT_NOW, AUDIT_BEFORE, AUDIT_THEN, AUDIT_STEPS };

struct audit {
    struct etcd *etcd;
    struct member *member;
    struct audit_belief belief; /* its strings are these: */
    struct buffer prefix;
    struct audit_witness witness;
    enum audit_step step;
    struct range *range;
    bool is_there[AUDIT_STEPS];   /* the witness, at each step */
    bool is_as_seen[AUDIT_STEPS]; /* and is what was told */
    audit_done *done;
    void *arg;
};

uint64_t audit_hash(const struct kv *kv)
{
    uint64_t hash = 14695981039346656037U ^ (uint64_t)kv->lease;
    for (size_t i = 0; i < kv->value_len; i++)
        hash = (hash ^ (unsigned char)kv->value[i]) * 1099511628211U;
    return hash;
}

static void audit_free(struct audit *audit)
{
    buffer_clear(&audit->prefix);
    buffer_clear(&audit->witness.key);
    free(audit);
}

static void audit_finish(struct audit *audit, enum audit_verdict verdict, const struct detail *why)
{
    audit_done *done = audit->done;
    void *arg = audit->arg;
    audit_free(audit);
    done(arg, verdict, why);
}

static bool audit_on_kv(void *arg, const struct kv *kv)
{
    struct audit *audit = arg;
    const struct audit_witness *witness = &audit->witness;
    audit->is_there[audit->step] = true;
    audit->is_as_seen[audit->step] = kv->mod_revision == witness->mod_revision &&
                                     kv->create_revision == witness->create_revision &&
                                     kv->version == witness->version &&
                                     audit_hash(kv) == witness->hash;
    return true;
}

/* A linearizable read at the newest revision: it cannot be behind what was seen before. */
static const char *audit_judge_now(const struct audit *audit, const struct kv_range_result *result)
{
    const struct audit_belief *belief = &audit->belief;
    if (result->cluster_id != belief->cluster_id)
        return "another cluster answers";
    if (result->revision < belief->revision || result->raft_term < belief->raft_term)
        return "the store has gone back";
    return NULL;
}

static const char *audit_judge(const struct audit *audit, enum status status,
                               const struct kv_range_result *result)
{
    const struct audit_witness *witness = &audit->witness;
    bool is_same = false;
    if (audit->step == AUDIT_NOW)
        return audit_judge_now(audit, result);
    if (status == STATUS_COMPACTED) {
        is_same = !witness->is_deleted && audit->is_as_seen[AUDIT_NOW];
        return is_same ? NULL : "its history cannot be compared any more";
    }
    if (audit->step == AUDIT_BEFORE)
        is_same = audit->is_there[AUDIT_BEFORE];
    else
        is_same =
            witness->is_deleted ? !audit->is_there[AUDIT_THEN] : audit->is_as_seen[AUDIT_THEN];
    return is_same ? NULL : "the store has another history";
}

static bool audit_begin_step(struct audit *audit);

/* False: there is none left. */
static bool audit_next_step(struct audit *audit)
{
    audit->step++;
    if (audit->step == AUDIT_BEFORE && !audit->witness.is_deleted)
        audit->step++;
    return audit->step < AUDIT_STEPS && audit->witness.key.len > 0;
}

static void audit_on_done(void *arg, enum status status, const struct kv_range_result *result,
                          const struct detail *why)
{
    struct audit *audit = arg;
    audit->range = NULL;
    bool is_told = status == STATUS_OK || (status == STATUS_COMPACTED && audit->step != AUDIT_NOW);
    if (!is_told) {
        audit_finish(audit, AUDIT_UNKNOWN, why);
        return;
    }
    const char *difference = audit_judge(audit, status, result);
    struct detail text = {""};
    if (difference) {
        detail_set(&text, STATUS_OK, "%s", difference);
        audit_finish(audit, AUDIT_DIFFERENT, &text);
    } else if (!audit_next_step(audit)) {
        audit_finish(audit, AUDIT_SAME, &text);
    } else if (!audit_begin_step(audit)) {
        audit_finish(audit, AUDIT_UNKNOWN, &(struct detail){"out of memory"});
    }
}

static bool audit_begin_step(struct audit *audit)
{
    const struct buffer *witness = &audit->witness.key;
    const struct buffer *key = witness->len ? witness : &audit->prefix;
    struct kv_range range = {.key = key->data, .key_len = key->len};
    range.keys_only = !witness->len || audit->witness.is_deleted;
    if (audit->step == AUDIT_BEFORE)
        range.revision = audit->witness.mod_revision - 1;
    else if (audit->step == AUDIT_THEN)
        range.revision = audit->witness.mod_revision;
    audit->range =
        range_start(audit->etcd, &range, audit->member, audit_on_kv, audit_on_done, audit);
    return audit->range;
}

struct audit *audit_start(struct etcd *etcd, struct member *member,
                          const struct audit_belief *belief, audit_done *done, void *arg)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    if (!audit)
        return NULL;
    *audit = (struct audit){.etcd = etcd,
                            .member = member,
                            .belief = *belief,
                            .witness = *belief->witness,
                            .done = done,
                            .arg = arg};
    buffer_init(&audit->prefix, AUDIT_KEY_MAX);
    buffer_init(&audit->witness.key, AUDIT_KEY_MAX);
    buffer_add(&audit->prefix, belief->prefix, belief->prefix_len);
    buffer_add(&audit->witness.key, belief->witness->key.data, belief->witness->key.len);
    bool is_copied = audit->prefix.status == STATUS_OK && audit->witness.key.status == STATUS_OK;
    if (!is_copied || !audit_begin_step(audit)) {
        audit_free(audit);
        return NULL;
    }
    return audit;
}

void audit_cancel(struct audit *audit)
{
    if (audit->range)
        range_cancel(audit->range);
    audit_free(audit);
}
