#include "follow_check.h"

#include <stdlib.h>

#define FOLLOW_CHECK_KEY_MAX (2U << 20) /* etcd takes requests of 1.5 MiB by default */

/* BEFORE: at the revision before the newest key; only if it is a deleted key. */
enum follow_check_step {
    FOLLOW_CHECK_NOW,
    FOLLOW_CHECK_BEFORE,
    FOLLOW_CHECK_THEN,
    FOLLOW_CHECK_STEPS
};

struct follow_check {
    struct etcd *etcd;
    struct member *member;
    struct follow_check_expected expected;
    struct follow_check_newest_key newest_key; /* a copy: the follow goes on meanwhile */
    enum follow_check_step step;
    struct range *range;
    bool is_there[FOLLOW_CHECK_STEPS];   /* the newest key, at each step */
    bool is_as_seen[FOLLOW_CHECK_STEPS]; /* and is what was told */
    follow_check_done *done;
    void *arg;
};

/* FNV-1a: chance is what it guards against. Whoever could forge a collision may write to etcd. */
uint64_t follow_check_hash(const struct kv *kv)
{
    uint64_t hash = 14695981039346656037U ^ (uint64_t)kv->lease;
    for (size_t i = 0; i < kv->value_len; i++)
        hash = (hash ^ (unsigned char)kv->value[i]) * 1099511628211U;
    return hash;
}

static void follow_check_free(struct follow_check *check)
{
    buffer_clear(&check->newest_key.key);
    free(check);
}

static void follow_check_finish(struct follow_check *check, enum follow_check_result result,
                                const struct detail *why)
{
    follow_check_done *done = check->done;
    void *arg = check->arg;
    follow_check_free(check);
    done(arg, result, why);
}

static bool follow_check_on_kv(void *arg, const struct kv *kv)
{
    struct follow_check *check = arg;
    const struct follow_check_newest_key *newest_key = &check->newest_key;
    check->is_there[check->step] = true;
    check->is_as_seen[check->step] = kv->mod_revision == newest_key->mod_revision &&
                                     kv->create_revision == newest_key->create_revision &&
                                     kv->version == newest_key->version &&
                                     follow_check_hash(kv) == newest_key->hash;
    return true;
}

/* A linearizable read at the newest revision: it cannot be behind what was seen before. */
static const char *follow_check_compare_now(const struct follow_check *check,
                                            const struct kv_range_result *result)
{
    const struct follow_check_expected *expected = &check->expected;
    if (result->cluster_id != expected->cluster_id)
        return "another cluster answers";
    if (result->revision < expected->revision || result->raft_term < expected->raft_term)
        return "the store has gone back";
    return NULL;
}

static const char *follow_check_compare(const struct follow_check *check, enum status status,
                                        const struct kv_range_result *result)
{
    const struct follow_check_newest_key *newest_key = &check->newest_key;
    bool is_same = false;
    if (check->step == FOLLOW_CHECK_NOW)
        return follow_check_compare_now(check, result);
    if (status == STATUS_COMPACTED) {
        /* The step NOW has seen the key in its present state, which compaction keeps. */
        is_same = !newest_key->is_deleted && check->is_as_seen[FOLLOW_CHECK_NOW];
        return is_same ? NULL : "its history cannot be compared any more";
    }
    if (check->step == FOLLOW_CHECK_BEFORE)
        is_same = check->is_there[FOLLOW_CHECK_BEFORE];
    else
        is_same = newest_key->is_deleted ? !check->is_there[FOLLOW_CHECK_THEN]
                                         : check->is_as_seen[FOLLOW_CHECK_THEN];
    return is_same ? NULL : "the store has another history";
}

static bool follow_check_begin_step(struct follow_check *check);

/* False: there is none left. That a deleted key is not there is true of many a store; that it was
 * there one revision earlier, hardly of another one: hence BEFORE, for deletions alone. */
static bool follow_check_next_step(struct follow_check *check)
{
    check->step++;
    if (check->step == FOLLOW_CHECK_BEFORE && !check->newest_key.is_deleted)
        check->step++;
    return check->step < FOLLOW_CHECK_STEPS && check->newest_key.key.len > 0;
}

static void follow_check_on_done(void *arg, enum status status,
                                 const struct kv_range_result *result, const struct detail *why)
{
    struct follow_check *check = arg;
    check->range = NULL;
    if (status != STATUS_OK && (status != STATUS_COMPACTED || check->step == FOLLOW_CHECK_NOW)) {
        follow_check_finish(check, FOLLOW_CHECK_UNKNOWN, why);
        return;
    }
    /* A step that shows a difference ends it; SAME needs all of them. */
    const char *difference = follow_check_compare(check, status, result);
    struct detail text = {""};
    if (difference) {
        detail_set(&text, STATUS_OK, "%s", difference);
        follow_check_finish(check, FOLLOW_CHECK_DIFFERENT, &text);
    } else if (!follow_check_next_step(check)) {
        follow_check_finish(check, FOLLOW_CHECK_SAME, &text);
    } else if (!follow_check_begin_step(check)) {
        follow_check_finish(check, FOLLOW_CHECK_UNKNOWN, &(struct detail){"out of memory"});
    }
}

static bool follow_check_begin_step(struct follow_check *check)
{
    const struct buffer *newest_key = &check->newest_key.key;
    /* Of a deleted key it counts only whether it is there. */
    struct kv_range range = {.key = newest_key->data,
                             .key_len = newest_key->len,
                             .keys_only = check->newest_key.is_deleted};
    /* Without a newest key there is only the header to compare: any key brings one. */
    if (newest_key->len == 0)
        range = (struct kv_range){.key = check->expected.prefix,
                                  .key_len = check->expected.prefix_len,
                                  .keys_only = true};
    if (check->step == FOLLOW_CHECK_BEFORE)
        range.revision = check->newest_key.mod_revision - 1;
    else if (check->step == FOLLOW_CHECK_THEN)
        range.revision = check->newest_key.mod_revision;
    check->range = range_start(check->etcd, &range, check->member, follow_check_on_kv,
                               follow_check_on_done, check);
    return check->range;
}

struct follow_check *follow_check_start(struct etcd *etcd, struct member *member,
                                        const struct follow_check_expected *expected,
                                        follow_check_done *done, void *arg)
{
    struct follow_check *check = calloc(1, sizeof(*check));
    if (!check)
        return NULL;
    *check = (struct follow_check){.etcd = etcd,
                                   .member = member,
                                   .expected = *expected,
                                   .newest_key = *expected->newest_key,
                                   .done = done,
                                   .arg = arg};
    /* What the assignment copied is the follow's buffer: this one gets its own. */
    buffer_init(&check->newest_key.key, FOLLOW_CHECK_KEY_MAX);
    buffer_add(&check->newest_key.key, expected->newest_key->key.data,
               expected->newest_key->key.len);
    if (check->newest_key.key.status != STATUS_OK || !follow_check_begin_step(check)) {
        follow_check_free(check);
        return NULL;
    }
    return check;
}

void follow_check_cancel(struct follow_check *check)
{
    if (check->range)
        range_cancel(check->range);
    follow_check_free(check);
}
