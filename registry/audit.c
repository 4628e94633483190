#include "audit.h"

#include "range.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AUDIT_KEY_MAX (2U << 20)

enum audit_step { AUDIT_NOW, AUDIT_THEN, AUDIT_COUNT, AUDIT_STEPS };

struct audit {
    struct etcd *etcd;
    struct member *member;
    struct audit_belief belief; /* its strings are these: */
    struct buffer prefix, end;
    struct audit_witness witness;
    enum audit_step step;
    struct range *range;
    bool has_now, has_then; /* the witness exists now; existed then as it was seen */
    int64_t now_create_revision, now_mod_revision;
    audit_done *done;
    void *arg;
};

static void audit_free(struct audit *audit)
{
    buffer_clear(&audit->prefix);
    buffer_clear(&audit->end);
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
    if (audit->step == AUDIT_NOW) {
        audit->has_now = true;
        audit->now_create_revision = kv->create_revision;
        audit->now_mod_revision = kv->mod_revision;
    } else if (audit->step == AUDIT_THEN) {
        audit->has_then = kv->mod_revision == audit->witness.mod_revision &&
                          kv->create_revision == audit->witness.create_revision &&
                          kv->version == audit->witness.version;
    }
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
    if (audit->step == AUDIT_NOW)
        return audit_judge_now(audit, result);
    if (audit->step == AUDIT_THEN && status == STATUS_COMPACTED) {
        bool is_plausible = audit->has_now &&
                            audit->now_create_revision == audit->witness.create_revision &&
                            audit->now_mod_revision >= audit->witness.mod_revision;
        return is_plausible ? NULL : "its history cannot be compared any more";
    }
    if (audit->step == AUDIT_THEN)
        return audit->has_then ? NULL : "the store has another history";
    if (status == STATUS_OK && result->count != audit->belief.count)
        return "the number of keys differs";
    return NULL;
}

static bool audit_begin_step(struct audit *audit);

/* False: there is none left. */
static bool audit_next_step(struct audit *audit)
{
    audit->step++;
    if (audit->step == AUDIT_THEN && audit->witness.key.len == 0)
        audit->step++;
    if (audit->step == AUDIT_COUNT && !audit->belief.has_count)
        audit->step++;
    return audit->step < AUDIT_STEPS;
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
    const struct buffer *key =
        audit->step == AUDIT_COUNT || !witness->len ? &audit->prefix : witness;
    struct kv_range range = {.key = key->data, .key_len = key->len, .keys_only = true};
    if (audit->step == AUDIT_THEN)
        range.revision = audit->witness.mod_revision;
    if (audit->step == AUDIT_COUNT) {
        range.revision = audit->belief.revision;
        range.end = audit->end.data;
        range.end_len = audit->end.len;
        range.count_only = true;
    }
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
    buffer_init(&audit->end, AUDIT_KEY_MAX);
    buffer_init(&audit->witness.key, AUDIT_KEY_MAX);
    buffer_add(&audit->prefix, belief->prefix, belief->prefix_len);
    buffer_add(&audit->end, belief->end, belief->end_len);
    buffer_add(&audit->witness.key, belief->witness->key.data, belief->witness->key.len);
    bool is_copied = audit->prefix.status == STATUS_OK && audit->end.status == STATUS_OK &&
                     audit->witness.key.status == STATUS_OK;
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
