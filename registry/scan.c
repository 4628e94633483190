/* A page is read, then the leases in it that were not met before are asked for, some at a time;
 * then the reader has it. Etcd has no way to ask for many leases at once, and a lease holds up to a
 * thousand keys: so each is asked for once and remembered. Reading ahead while the reader is busy
 * would be quicker, but a reader may be a pager before which a person sleeps, and what came from
 * etcd in the meantime would have to be kept. */
#include "scan.h"

#include "registry/base/buffer.h"
#include "registry/etcd/kv.h"
#include "registry/etcd/lease.h"

#include <stdlib.h>

#define SCAN_PARALLEL    32         /* questions under way: etcd answers some thousands a second */
#define SCAN_PAGE_ROWS   25000      /* of a million keys etcd counts all that are left, each time */
#define SCAN_PAGE_OCTETS (8U << 20) /* of keys and values; longer ones make shorter pages */
#define SCAN_KEY_OCTETS  (2U << 20) /* a key and its value fill etcd's largest request at most */
#define SCAN_LEASES_KEPT 50000

struct scan_lease {
    int64_t id, left_s; /* left_s < 0: gone */
};

struct scan {
    struct etcd *etcd;
    scan_page *on_page;
    scan_done *on_done;
    void *arg;
    struct scan_row *rows; /* SCAN_PAGE_ROWS; keys and values are in `octets` */
    size_t row_count;
    uint32_t page_rows; /* to be asked for */
    struct buffer octets;
    struct kv_key end;
    struct buffer next; /* the first key that is missing */
    int64_t revision;
    struct scan_lease *leases; /* the first `known` are sorted by ID and answered, */
    size_t known, lease_count; /* so are, by ID, those behind them, of this page, */
    size_t asked, answered;    /* of which so many were asked for and answered */
    enum status status;        /* what an answer failed with first */
    struct detail why;
    bool is_full; /* the page was ended for the octets' sake */
    bool has_more, is_busy;
};

static void scan_free(struct scan *scan)
{
    buffer_clear(&scan->octets);
    buffer_clear(&scan->next);
    free(scan->leases);
    free(scan->rows);
    free(scan);
}

/* Freed first, as the owner may begin another scan in the callback; the reason may be in what is
 * freed. */
static void scan_end(struct scan *scan, enum status status, const struct detail *why)
{
    scan_done *on_done = scan->on_done;
    void *arg = scan->arg;
    struct detail text = *why;
    scan_free(scan);
    on_done(arg, status, &text);
}

static void scan_end_plainly(struct scan *scan, enum status status)
{
    struct detail why;
    detail_set(&why, status, "%s", status == STATUS_OK ? "" : status_text(status));
    scan_end(scan, status, &why);
}

static int scan_compare(const void *a, const void *b)
{
    const struct scan_lease *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static struct scan_lease *scan_find(struct scan_lease *leases, size_t count, int64_t id)
{
    struct scan_lease wanted = {.id = id};
    return count ? bsearch(&wanted, leases, count, sizeof(wanted), scan_compare) : NULL;
}

/* Add the leases of the page that are not known, sorted, each once. Where nearly each key has a
 * lease of its own, remembering saves no question and only grows: then all are forgotten. */
static enum status scan_collect(struct scan *scan)
{
    if (scan->known > SCAN_LEASES_KEPT)
        scan->known = 0;
    struct scan_lease *leases =
        realloc(scan->leases, (scan->known + scan->row_count + 1) * sizeof(*leases));
    if (!leases)
        return STATUS_NO_MEMORY;
    struct scan_lease *fresh = leases + scan->known;
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < scan->row_count; i++) {
        int64_t id = scan->rows[i].lease;
        /* Neighbours often share one: most need no sorting. */
        if (id != 0 && !scan_find(leases, scan->known, id) &&
            (count == 0 || fresh[count - 1].id != id))
            fresh[count++] = (struct scan_lease){id, 0};
    }
    qsort(fresh, count, sizeof(*fresh), scan_compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || fresh[kept - 1].id != fresh[i].id)
            fresh[kept++] = fresh[i];
    scan->leases = leases;
    scan->lease_count = scan->known + kept;
    scan->asked = scan->answered = 0;
    return STATUS_OK;
}

/* Fill in what the rows' leases have left; drop rows whose lease is gone: their keys went with it,
 * though at the revision that is read they are still there. */
static void scan_fill_in(struct scan *scan)
{
    size_t kept = 0;
    scan->known = scan->lease_count;
    qsort(scan->leases, scan->known, sizeof(*scan->leases), scan_compare);
    for (size_t i = 0; i < scan->row_count; i++) {
        struct scan_row row = scan->rows[i];
        if (row.lease)
            row.left_s = scan_find(scan->leases, scan->known, row.lease)->left_s;
        if (row.left_s >= 0)
            scan->rows[kept++] = row;
    }
    scan->row_count = kept;
}

static bool scan_read_page(struct scan *scan);

static void scan_give_page(struct scan *scan)
{
    enum status status = STATUS_OK;
    scan_fill_in(scan);
    if (scan->row_count > 0)
        status = scan->on_page(scan->arg, scan->rows, scan->row_count);
    if (status != STATUS_OK || !scan->has_more)
        scan_end_plainly(scan, status);
    else if (!scan_read_page(scan))
        scan_end_plainly(scan, STATUS_NO_MEMORY);
}

static void scan_on_lease(void *arg, const struct lease_result *result);

/* Ask for more leases; with the last answer the page is whole. Where there is no memory, the answer
 * comes at once, and finds it busy. */
static void scan_ask(struct scan *scan)
{
    if (scan->is_busy)
        return;
    scan->is_busy = true;
    while (scan->status == STATUS_OK && scan->asked < scan->lease_count - scan->known &&
           scan->asked - scan->answered < SCAN_PARALLEL) {
        int64_t id = scan->leases[scan->known + scan->asked++].id;
        lease_time_left(scan->etcd, id, scan_on_lease, scan);
    }
    scan->is_busy = false;
    if (scan->answered < scan->asked)
        return;
    if (scan->status != STATUS_OK)
        scan_end(scan, scan->status, &scan->why);
    else
        scan_give_page(scan);
}

/* After a failure those that are under way are waited for: their answers point to the scan. */
static void scan_on_lease(void *arg, const struct lease_result *result)
{
    struct scan *scan = arg;
    size_t count = scan->lease_count - scan->known;
    bool is_alive = result->status == STATUS_OK;
    scan->answered++;
    if (is_alive || result->status == STATUS_NOT_FOUND) {
        struct scan_lease *lease = scan_find(scan->leases + scan->known, count, result->id);
        lease->left_s = is_alive ? result->left_s : -1;
    } else if (scan->status == STATUS_OK) {
        scan->status = result->status;
        scan->why = *result->why;
    }
    scan_ask(scan);
}

/* Keys and values move while the page grows: where they lie is told when it is whole. The first of
 * a page is taken whatever its size, or nothing would ever get past it. */
static bool scan_on_key(void *arg, const struct kv *kv)
{
    struct scan *scan = arg;
    size_t value_len = kv->is_value_cut ? 0 : kv->value_len;
    scan->is_full =
        scan->row_count > 0 && scan->octets.len + kv->key_len + value_len > SCAN_PAGE_OCTETS;
    if (scan->is_full)
        return false;
    scan->rows[scan->row_count++] = (struct scan_row){.key_len = kv->key_len,
                                                      .value_len = value_len,
                                                      .lease = kv->lease,
                                                      .is_cut = kv->is_value_cut};
    buffer_add(&scan->octets, kv->key, kv->key_len);
    buffer_add(&scan->octets, kv->value, value_len);
    return scan->octets.status == STATUS_OK;
}

/* Where the page ended, the next one begins: at the smallest key behind its last one. */
static enum status scan_place_rows(struct scan *scan)
{
    const char *at = scan->octets.data;
    for (size_t i = 0; i < scan->row_count; i++) {
        struct scan_row *row = &scan->rows[i];
        row->key = at;
        row->value = at + row->key_len;
        at += row->key_len + row->value_len;
    }
    if (scan->row_count > 0) {
        const struct scan_row *last = &scan->rows[scan->row_count - 1];
        buffer_reset(&scan->next);
        buffer_add(&scan->next, last->key, last->key_len);
        buffer_add(&scan->next, "", 1);
    }
    return scan->next.status;
}

/* Long values: etcd need not send what does not fit. They may be few: it is soon tried again. */
static uint32_t scan_next_rows(const struct scan *scan)
{
    if (scan->is_full)
        return (uint32_t)scan->row_count;
    return scan->page_rows < SCAN_PAGE_ROWS / 2 ? scan->page_rows * 2 : SCAN_PAGE_ROWS;
}

static void scan_on_range(void *arg, enum status status, const struct kv_range_result *result,
                          const struct detail *why)
{
    struct scan *scan = arg;
    /* A range that scan_on_key() has ended is CANCELLED: no failure where the page is full, and
     * where there was no memory the buffer says so. */
    if (status != STATUS_OK && !scan->is_full && scan->octets.status == STATUS_OK) {
        scan_end(scan, status, why);
        return;
    }
    scan->revision = result->revision;
    scan->has_more = scan->is_full || result->count > scan->row_count;
    scan->page_rows = scan_next_rows(scan);
    status = scan->octets.status == STATUS_OK ? scan_place_rows(scan) : scan->octets.status;
    if (status == STATUS_OK)
        status = scan_collect(scan);
    if (status == STATUS_OK)
        scan_ask(scan);
    else
        scan_end_plainly(scan, status);
}

static bool scan_read_page(struct scan *scan)
{
    struct kv_range range = {.key = scan->next.data,
                             .key_len = scan->next.len,
                             .end = scan->end.text,
                             .end_len = scan->end.len,
                             .revision = scan->revision,
                             .limit = scan->page_rows};
    buffer_reset(&scan->octets);
    scan->row_count = 0;
    scan->is_full = false;
    return range_start(scan->etcd, &range, NULL, scan_on_key, scan_on_range, scan);
}

bool scan_start(struct etcd *etcd, const struct kv_key *prefix, scan_page *on_page,
                scan_done *on_done, void *arg)
{
    struct scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return false;
    *scan = (struct scan){.etcd = etcd,
                          .on_page = on_page,
                          .on_done = on_done,
                          .arg = arg,
                          .rows = malloc(SCAN_PAGE_ROWS * sizeof(*scan->rows)),
                          .page_rows = SCAN_PAGE_ROWS};
    kv_prefix_end(prefix->text, prefix->len, &scan->end);
    buffer_init(&scan->octets, SCAN_PAGE_OCTETS + SCAN_KEY_OCTETS);
    buffer_init(&scan->next, SCAN_KEY_OCTETS);
    buffer_add(&scan->next, prefix->text, prefix->len);
    if (scan->rows && scan->next.status == STATUS_OK && scan_read_page(scan))
        return true;
    scan_free(scan);
    return false;
}
