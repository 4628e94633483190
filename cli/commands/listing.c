#include "listing.h"

#include "registry/base/buffer.h"
#include "registry/etcd/lease.h"

#include <stdlib.h>
#include <string.h>

#define PARALLEL    32         /* questions under way: etcd answers some thousands a second */
#define PAGE_ROWS   25000      /* of a million keys etcd counts all that are left, each time */
#define PAGE_OCTETS (8U << 20) /* of keys and values; longer ones make shorter pages */
#define LEASES_KEPT 50000

/* The leases that were met, each once, and how far asking for the new ones has got. */
struct leases {
    struct session *session;
    struct leases_item {
        int64_t id, left_s; /* left_s < 0: gone */
    } * items;              /* the first `known` are sorted by ID and answered, */
    size_t known, count;    /* so are, by ID, those behind them that are being asked for */
    size_t asked, answered; /* of those */
    enum status status;
};

struct listing {
    struct session *session;
    listing_page *page;
    void *arg;
    struct listing_row *rows; /* PAGE_ROWS; keys and values are in `octets` */
    size_t row_count;
    uint32_t page_rows; /* to be asked for */
    struct buffer octets;
    struct kv_key end;
    struct buffer next; /* the first key that is missing */
    struct leases leases;
    int64_t revision;
    bool is_full; /* the page was ended for the octets' sake */
    bool has_more, is_done;
    enum status status;
};

static int listing_compare_items(const void *a, const void *b)
{
    const struct leases_item *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static struct leases_item *listing_find_in(struct leases_item *items, size_t count, int64_t id)
{
    struct leases_item wanted = {.id = id};
    return count ? bsearch(&wanted, items, count, sizeof(wanted), listing_compare_items) : NULL;
}

/* Add the leases of the rows that are not known, sorted, each once. */
static enum status listing_collect(struct leases *leases, const struct listing_row *rows,
                                   size_t count)
{
    if (leases->known > LEASES_KEPT)
        leases->known = 0;
    struct leases_item *items =
        realloc(leases->items, (leases->known + count) * sizeof(*leases->items));
    if (!items)
        return STATUS_NO_MEMORY;
    struct leases_item *new = items + leases->known;
    size_t new_count = 0, kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].lease != 0 && !listing_find_in(items, leases->known, rows[i].lease) &&
            (new_count == 0 || new[new_count - 1].id != rows[i].lease))
            new[new_count++] = (struct leases_item){rows[i].lease, 0};
    }
    qsort(new, new_count, sizeof(*new), listing_compare_items);
    for (size_t i = 0; i < new_count; i++) {
        if (kept == 0 || new[kept - 1].id != new[i].id)
            new[kept++] = new[i];
    }
    leases->items = items;
    leases->count = leases->known + kept;
    leases->asked = leases->answered = 0;
    return STATUS_OK;
}

static void listing_answered(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                             int64_t left_s, const struct detail *why);

static void listing_ask_more(struct leases *leases)
{
    size_t new_count = leases->count - leases->known;
    while (leases->status == STATUS_OK && leases->asked < new_count &&
           leases->asked - leases->answered < PARALLEL) {
        int64_t id = leases->items[leases->known + leases->asked++].id;
        lease_time_left(leases->session->etcd, id, listing_answered, leases);
    }
}

static void listing_answered(void *arg, enum status status, int64_t id, int64_t granted_ttl_s,
                             int64_t left_s, const struct detail *why)
{
    (void)granted_ttl_s;
    struct leases *leases = arg;
    struct leases_item *item =
        listing_find_in(leases->items + leases->known, leases->count - leases->known, id);
    leases->answered++;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        item->left_s = status == STATUS_OK ? left_s : -1;
    } else if (leases->status == STATUS_OK) {
        leases->status = status;
        leases->session->why = *why;
    }
    listing_ask_more(leases);
}

/* Fill in what the rows' leases have left; drop rows whose lease is gone. */
static enum status listing_read_leases(struct listing *listing)
{
    struct leases *leases = &listing->leases;
    size_t kept = 0;
    enum status status = listing_collect(leases, listing->rows, listing->row_count);
    if (status != STATUS_OK)
        return status;
    listing_ask_more(leases);
    while (leases->answered < leases->asked)
        uv_run(&listing->session->loop, UV_RUN_ONCE);
    if (leases->status != STATUS_OK)
        return leases->status;
    leases->known = leases->count;
    qsort(leases->items, leases->count, sizeof(*leases->items), listing_compare_items);
    for (size_t i = 0; i < listing->row_count; i++) {
        struct listing_row row = listing->rows[i];
        row.left_s = row.lease ? listing_find_in(leases->items, leases->count, row.lease)->left_s
                               : INT64_MAX;
        if (row.left_s >= 0)
            listing->rows[kept++] = row;
    }
    listing->row_count = kept;
    return STATUS_OK;
}

/* Keys and values move while the page grows: where they lie is told when it is whole. */
static bool listing_on_key(void *arg, const struct kv *kv)
{
    struct listing *listing = arg;
    size_t len = listing->octets.len + kv->key_len + kv->value_len;
    listing->is_full = len > PAGE_OCTETS && listing->row_count > 0;
    if (listing->is_full)
        return false;
    size_t value_len = kv->is_value_cut ? 0 : kv->value_len;
    listing->rows[listing->row_count++] = (struct listing_row){.key_len = kv->key_len,
                                                               .value_len = value_len,
                                                               .lease = kv->lease,
                                                               .is_cut = kv->is_value_cut};
    buffer_add(&listing->octets, kv->key, kv->key_len);
    buffer_add(&listing->octets, kv->value, value_len);
    return listing->octets.status == STATUS_OK;
}

static void listing_on_done(void *arg, enum status status, const struct kv_range_result *result,
                            const struct detail *why)
{
    struct listing *listing = arg;
    listing->is_done = true;
    listing->revision = result->revision;
    listing->has_more = listing->is_full || result->count > listing->row_count;
    listing->status = listing->is_full ? STATUS_OK : status;
    if (listing->octets.status != STATUS_OK)
        listing->status = listing->octets.status;
    listing->session->why = *why;
}

/* Where the page ended, the next one begins: at the smallest key behind its last one. */
static enum status listing_place_rows(struct listing *listing)
{
    const char *at = listing->octets.data;
    for (size_t i = 0; i < listing->row_count; i++) {
        struct listing_row *row = &listing->rows[i];
        row->key = at;
        row->value = at + row->key_len;
        at += row->key_len + row->value_len;
    }
    if (listing->row_count > 0) {
        const struct listing_row *last = &listing->rows[listing->row_count - 1];
        buffer_reset(&listing->next);
        buffer_add(&listing->next, last->key, last->key_len);
        buffer_add(&listing->next, "", 1);
    }
    return listing->next.status;
}

static enum status listing_read_page(struct listing *listing)
{
    struct kv_range range = {.key = listing->next.data,
                             .key_len = listing->next.len,
                             .end = listing->end.text,
                             .end_len = listing->end.len,
                             .revision = listing->revision,
                             .limit = listing->page_rows};
    buffer_reset(&listing->octets);
    listing->row_count = 0;
    listing->is_done = listing->is_full = false;
    kv_range(listing->session->etcd, &range, listing_on_key, listing_on_done, listing);
    while (!listing->is_done)
        uv_run(&listing->session->loop, UV_RUN_ONCE);
    if (listing->status == STATUS_OK && listing->is_full)
        listing->page_rows = (uint32_t)listing->row_count;
    else if (listing->page_rows < PAGE_ROWS / 2)
        listing->page_rows *= 2;
    else
        listing->page_rows = PAGE_ROWS;
    return listing->status == STATUS_OK ? listing_place_rows(listing) : listing->status;
}

static enum status listing_read_pages(struct listing *listing)
{
    enum status status;
    do {
        status = listing_read_page(listing);
        if (status == STATUS_OK && listing->row_count > 0)
            status = listing_read_leases(listing);
        if (status == STATUS_OK && listing->row_count > 0)
            status = listing->page(listing->arg, listing->rows, listing->row_count);
    } while (status == STATUS_OK && listing->has_more);
    return status;
}

enum status listing_read(struct session *session, const struct kv_key *prefix, listing_page *page,
                         void *arg)
{
    struct listing listing = {.session = session,
                              .page = page,
                              .arg = arg,
                              .rows = malloc(PAGE_ROWS * sizeof(*listing.rows)),
                              .page_rows = PAGE_ROWS,
                              .leases.session = session};
    kv_prefix_end(prefix->text, prefix->len, &listing.end);
    /* One key and its value may be as long as etcd's largest request. */
    buffer_init(&listing.octets, PAGE_OCTETS + (2U << 20));
    buffer_init(&listing.next, 2U << 20);
    buffer_add(&listing.next, prefix->text, prefix->len);
    enum status status = listing.rows ? listing.next.status : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = listing_read_pages(&listing);
    if (status == STATUS_NO_MEMORY)
        (void)detail_set(&session->why, status, "%s", status_text(status));
    buffer_clear(&listing.octets);
    buffer_clear(&listing.next);
    free(listing.leases.items);
    free(listing.rows);
    return status;
}
