#include "listing.h"

#include "registry/lease.h"

#include <stdlib.h>
#include <string.h>

#define PARALLEL 32 /* questions under way: etcd answers some thousands a second */

static bool add_row(void *arg, const struct kv *kv)
{
    struct listing *listing = arg;
    if (listing->count == listing->size) {
        size_t size = listing->size ? listing->size * 2 : 64;
        struct listing_row *rows = realloc(listing->rows, size * sizeof(*rows));
        if (!rows)
            return false;
        listing->rows = rows;
        listing->size = size;
    }
    char *block = malloc(kv->key_len + kv->value_len + 1);
    if (!block)
        return false;
    memcpy(block, kv->key, kv->key_len);
    if (kv->value_len > 0)
        memcpy(block + kv->key_len, kv->value, kv->value_len);
    block[kv->key_len + kv->value_len] = '\0';
    listing->rows[listing->count++] = (struct listing_row){.key = block,
                                                           .value = block + kv->key_len,
                                                           .key_len = kv->key_len,
                                                           .value_len = kv->value_len,
                                                           .lease = kv->lease};
    return true;
}

void listing_clear(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->rows[i].key);
    free(listing->rows);
    *listing = (struct listing){0};
}

/* The leases of a listing, each once, and how far asking for them has got. */
struct leases {
    struct session *session;
    struct leases_item {
        int64_t id, left_s;
    } * items; /* sorted by ID */
    size_t count, asked, answered;
    enum status status;
};

static int compare_items(const void *a, const void *b)
{
    const struct leases_item *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static struct leases_item *find_item(const struct leases *leases, int64_t id)
{
    struct leases_item wanted = {.id = id};
    return bsearch(&wanted, leases->items, leases->count, sizeof(wanted), compare_items);
}

static enum status collect(struct leases *leases, const struct listing *listing)
{
    if (listing->count == 0)
        return STATUS_OK;
    leases->items = malloc(listing->count * sizeof(*leases->items));
    if (!leases->items)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->rows[i].lease != 0)
            leases->items[count++] = (struct leases_item){listing->rows[i].lease, 0};
    }
    qsort(leases->items, count, sizeof(*leases->items), compare_items);
    for (size_t i = 0; i < count; i++) {
        if (leases->count == 0 || leases->items[leases->count - 1].id != leases->items[i].id)
            leases->items[leases->count++] = leases->items[i];
    }
    return STATUS_OK;
}

static void answered(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                     int64_t left_s, const struct detail *why);

static void ask_more(struct leases *leases)
{
    while (leases->status == STATUS_OK && leases->asked < leases->count &&
           leases->asked - leases->answered < PARALLEL)
        lease_time_left(leases->session->etcd, leases->items[leases->asked++].id, answered, leases);
}

static void answered(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                     int64_t left_s, const struct detail *why)
{
    (void)granted_ttl_s;
    struct leases *leases = arg;
    leases->answered++;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        find_item(leases, id)->left_s = status == STATUS_OK ? left_s : -1;
    } else if (leases->status == STATUS_OK) {
        leases->status = status;
        leases->session->why = *why;
    }
    ask_more(leases);
}

static enum status read_leases(struct session *session, const struct listing *listing)
{
    struct leases leases = {.session = session};
    leases.status = collect(&leases, listing);
    ask_more(&leases);
    while (leases.answered < leases.asked)
        uv_run(&session->loop, UV_RUN_ONCE);
    for (size_t i = 0; leases.status == STATUS_OK && i < listing->count; i++) {
        struct listing_row *row = &listing->rows[i];
        if (row->lease != 0) {
            row->left_s = find_item(&leases, row->lease)->left_s;
            row->is_gone = row->left_s < 0;
        }
    }
    free(leases.items);
    return leases.status;
}

enum status listing_read(struct session *session, const struct tree_key *prefix,
                         struct listing *out)
{
    struct listing listing = {0};
    struct tree_key end;
    tree_prefix_end(prefix->text, prefix->len, &end);
    struct kv_range range = {
        .key = prefix->text, .key_len = prefix->len, .end = end.text, .end_len = end.len};
    enum status status = session_range(session, &range, add_row, &listing);
    if (status == STATUS_OK)
        status = read_leases(session, &listing);
    else if (status == STATUS_CANCELLED)
        status = detail_set(&session->why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    if (status == STATUS_OK)
        *out = listing;
    else
        listing_clear(&listing);
    return status;
}
