/* A page is a hash table of the keys that have changed: of each the newest revision and who told of
 * it. `now` holds what came after the proven revision, `before` what the last proof settled. What
 * is older is in neither: the floor is the revision up to which nothing is recorded. Normally the
 * floor is the revision proven before the last one. When there are too many keys, both pages are
 * emptied and the floor rises above the proven revision; then not all that is to be proven is
 * recorded, and whoever proves has to count (ledger_is_whole()). */
#include "ledger.h"

#include "registry/base/random.h"
#include "registry/base/siphash.h"

#include <stdlib.h>

#define LEDGER_SIZE_MIN 64

#define LEDGER_SOURCES 7 /* the bits of all of them */

struct ledger_entry {
    uint64_t hash;  /* 0 = empty */
    uint64_t stamp; /* the revision of its newest event, and below it who has told it */
};

static int64_t ledger_revision(const struct ledger_entry *entry)
{
    return (int64_t)(entry->stamp / (LEDGER_SOURCES + 1));
}

static unsigned ledger_sources(const struct ledger_entry *entry)
{
    return (unsigned)(entry->stamp & LEDGER_SOURCES);
}

/* Three bits for the sources leave 61 for a revision, which no store reaches. */
static uint64_t ledger_stamp(int64_t revision, unsigned sources)
{
    return (uint64_t)revision * (LEDGER_SOURCES + 1) | sources;
}

enum status ledger_init(struct ledger *ledger)
{
    *ledger = (struct ledger){0};
    return random_fill(ledger->seed, sizeof(ledger->seed));
}

static void ledger_free_page(struct ledger_page *page)
{
    free(page->slots);
    *page = (struct ledger_page){0};
}

void ledger_clear(struct ledger *ledger)
{
    ledger_free_page(&ledger->now);
    ledger_free_page(&ledger->before);
}

void ledger_reset(struct ledger *ledger, int64_t revision)
{
    ledger_clear(ledger);
    ledger->proven = ledger->floor = ledger->newest = revision;
}

/* Its entry, or the empty slot for it. The page has slots, a power of two, and half of them are
 * empty: the search ends. */
static struct ledger_entry *ledger_slot(const struct ledger_page *page, uint64_t hash)
{
    for (size_t i = hash;; i++) {
        struct ledger_entry *entry = &page->slots[i & (page->size - 1)];
        if (entry->hash == hash || entry->hash == 0)
            return entry;
    }
}

static const struct ledger_entry *ledger_find(const struct ledger_page *page, uint64_t hash)
{
    if (page->count == 0)
        return NULL;
    const struct ledger_entry *entry = ledger_slot(page, hash);
    return entry->hash ? entry : NULL;
}

/* Room for one more, at most half of the slots being used. False: no memory. */
static bool ledger_grow(struct ledger_page *page)
{
    if ((page->count + 1) * 2 <= page->size)
        return true;
    struct ledger_page larger = {.size = page->size ? page->size * 2 : LEDGER_SIZE_MIN,
                                 .count = page->count};
    larger.slots = calloc(larger.size, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < page->size; i++)
        if (page->slots[i].hash)
            *ledger_slot(&larger, page->slots[i].hash) = page->slots[i];
    free(page->slots);
    *page = larger;
    return true;
}

/* False: no memory, or too many. */
static bool ledger_set(struct ledger_page *page, const struct ledger_entry *entry)
{
    if (page->count >= LEDGER_KEYS_MAX || !ledger_grow(page))
        return false;
    struct ledger_entry *slot = ledger_slot(page, entry->hash);
    page->count += slot->hash == 0;
    *slot = *entry;
    return true;
}

/* With a secret: whoever may write keys shall not find two that pass for each other, of which one
 * would hide the other's events. */
static uint64_t ledger_hash(const struct ledger *ledger, const char *key, size_t key_len)
{
    uint64_t hash;
    siphash(ledger->seed, key, key_len, (uint8_t *)&hash);
    return hash | 1; /* 0 marks an empty slot */
}

/* The floor's own revision may have more events than had come when it was laid: the watch that is
 * followed tells each once. Another would tell old ones again. */
static bool ledger_is_forgotten(const struct ledger *ledger, int64_t revision,
                                enum ledger_source source)
{
    return revision < ledger->floor ||
           (revision == ledger->floor &&
            (source != LEDGER_FOLLOWED || ledger->floor <= ledger->proven));
}

bool ledger_take(struct ledger *ledger, const char *key, size_t key_len, int64_t revision,
                 enum ledger_source source)
{
    uint64_t hash = ledger_hash(ledger, key, key_len);
    struct ledger_entry *known = ledger->now.count ? ledger_slot(&ledger->now, hash) : NULL;
    if (known && known->hash && ledger_revision(known) >= revision) {
        if (ledger_revision(known) == revision)
            known->stamp |= source;
        return false;
    }
    /* Told before the last proof: a watch that is late tells it once more. */
    const struct ledger_entry *earlier = ledger_find(&ledger->before, hash);
    if (ledger_is_forgotten(ledger, revision, source) ||
        (earlier && ledger_revision(earlier) >= revision))
        return false;
    struct ledger_entry entry = {.hash = hash, .stamp = ledger_stamp(revision, source)};
    if (revision > ledger->newest)
        ledger->newest = revision;
    if (!ledger_set(&ledger->now, &entry)) {
        /* From here on what was told earlier is not known any more: see ledger_is_forgotten(). */
        ledger_clear(ledger);
        ledger->floor = ledger->newest;
    }
    return true;
}

int64_t ledger_start(const struct ledger *ledger)
{
    return (ledger->floor > ledger->proven ? ledger->floor : ledger->proven) + 1;
}

bool ledger_is_whole(const struct ledger *ledger)
{
    return ledger->floor <= ledger->proven;
}

size_t ledger_count(const struct ledger *ledger)
{
    return ledger->now.count;
}

void ledger_compare(const struct ledger *ledger, int64_t revision, uint64_t *lost, uint64_t *unseen)
{
    int64_t start = ledger_start(ledger); /* what is recorded before is not all that happened */
    *lost = *unseen = 0;
    for (size_t i = 0; i < ledger->now.size; i++) {
        const struct ledger_entry *entry = &ledger->now.slots[i];
        unsigned sources = ledger_sources(entry);
        int64_t told = ledger_revision(entry);
        if (entry->hash == 0 || told > revision || told < start)
            continue;
        *lost += sources && !(sources & LEDGER_FOLLOWED);
        *unseen += (sources & LEDGER_FOLLOWED) && !(sources & LEDGER_REPLAYED);
    }
}

/* The entries of what came after the proven revision go on. The first watch, if replaced, takes
 * what it told with it: what the second has told, the watch that is followed has told now; what it
 * has not told is recorded, so that it is no news, but as told by nobody. */
static void ledger_carry(struct ledger *ledger, const struct ledger_page *old, bool is_replaced)
{
    for (size_t i = 0; i < old->size; i++) {
        struct ledger_entry entry = old->slots[i];
        int64_t revision = ledger_revision(&entry);
        if (entry.hash == 0 || revision <= ledger->proven)
            continue;
        if (is_replaced)
            entry.stamp = ledger_stamp(
                revision, ledger_sources(&entry) & LEDGER_REPLAYED ? LEDGER_FOLLOWED : 0);
        if (!ledger_set(&ledger->now, &entry) && ledger->floor < revision)
            ledger->floor = revision;
    }
}

void ledger_prove(struct ledger *ledger, int64_t revision, bool is_replaced)
{
    struct ledger_page old = ledger->now;
    ledger->now = (struct ledger_page){0};
    ledger_free_page(&ledger->before); /* which held what came up to the revision proven so far */
    if (ledger->floor < ledger->proven)
        ledger->floor = ledger->proven;
    ledger->proven = revision;
    ledger_carry(ledger, &old, is_replaced);
    ledger->before = old; /* a watch that is late tells it once more: it must not be news then */
}
