#include "readers.h"

#include "zones/dump.h"
#include "zones/name/name.h"
#include "zones/name/rr.h"

#include <inttypes.h>

#define READERS_SET_MAX 100 /* BIND's max-records-per-type */

struct readers {
    uint64_t odd_hosts, large_sets;
    char odd_host[NAME_TEXT_MAX], large_set[NAME_TEXT_MAX]; /* the first of each */
    uint16_t large_type;
    /* The set that is being read; its records come together. */
    uint8_t owner[NAME_MAX_LEN];
    uint16_t owner_len, type;
    uint64_t set_count;
};

/* Only of a set that is too large: SOA, of which there is one, is not among them. */
static const char *readers_type_text(uint16_t type)
{
    return type == TYPE_A      ? "A"
           : type == TYPE_AAAA ? "AAAA"
           : type == TYPE_NS   ? "NS"
           : type == TYPE_PTR  ? "PTR"
           : type == TYPE_TXT  ? "TXT"
                               : "SRV";
}

static bool readers_is_letter_or_digit(uint8_t octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
           (octet >= '0' && octet <= '9');
}

/* Whether a label may stand in the name of a host: RFC 952, and RFC 1123 2.1, by which a digit may
 * come first. */
static bool readers_is_host_label(const uint8_t *label, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!readers_is_letter_or_digit(label[i]) && (label[i] != '-' || i == 0 || i == len - 1))
            return false;
    return true;
}

static bool readers_is_host_name(const uint8_t *wire)
{
    for (; *wire; wire += 1u + *wire)
        if (!readers_is_host_label(wire + 1, *wire))
            return false;
    return true;
}

/* The name of a host that a record has: its own, or the one that it refers to. */
static const uint8_t *readers_host_of(const struct dump_record *record)
{
    switch (record->type) {
    case TYPE_A:
    case TYPE_AAAA:
        return record->owner;
    case TYPE_NS:
        return record->rdata;
    case TYPE_SRV:
        return record->rdata + 6; /* behind priority, weight and port (RFC 2782) */
    default:
        return NULL;
    }
}

static void readers_look_at_host(struct readers *readers, const struct dump_record *record)
{
    const uint8_t *host = readers_host_of(record);
    if (!host || readers_is_host_name(host))
        return;
    size_t len = host == record->owner ? record->owner_len
                                       : record->rdata_len - (size_t)(host - record->rdata);
    if (readers->odd_hosts++ == 0)
        name_to_text(host, len, readers->odd_host);
}

static void readers_look_at_set(struct readers *readers, const struct dump_record *record)
{
    bool is_same = record->type == readers->type && record->owner_len == readers->owner_len &&
                   memcmp(record->owner, readers->owner, record->owner_len) == 0;
    if (!is_same) {
        /* A copy: the record is borrowed for this call, and the next one is compared with it. */
        readers->type = record->type;
        readers->owner_len = record->owner_len;
        memcpy(readers->owner, record->owner, record->owner_len);
        readers->set_count = 0;
    }
    /* At the first that is too many: a set counts once. */
    if (++readers->set_count != READERS_SET_MAX + 1)
        return;
    if (readers->large_sets++ == 0) {
        name_to_text(record->owner, record->owner_len, readers->large_set);
        readers->large_type = record->type;
    }
}

static bool readers_on_record(void *arg, const struct dump_record *record)
{
    readers_look_at_host(arg, record);
    readers_look_at_set(arg, record);
    return true;
}

void readers_warn(const struct zone *zone, const struct log *log)
{
    struct readers readers = {0};
    if (dump_zone(zone, readers_on_record, &readers) != STATUS_OK)
        return; /* printing the zone will fail, too, and say why */
    if (readers.odd_hosts > 0)
        log_printf(log, LOG_LEVEL_WARNING,
                   "%" PRIu64 " records name a host that is not letters, digits and hyphens, such "
                   "as %s: as primary BIND refuses the zone without check-names ignore",
                   readers.odd_hosts, readers.odd_host);
    if (readers.large_sets > 0)
        log_printf(log, LOG_LEVEL_WARNING,
                   "%" PRIu64 " sets have more than %d records, such as %s %s: BIND refuses the "
                   "zone without max-records-per-type 0",
                   readers.large_sets, READERS_SET_MAX, readers.large_set,
                   readers_type_text(readers.large_type));
}
