/* zones/name/label.h - the registry's names as DNS labels.
 *
 * A type, a name, an address or a switch's path becomes labels by fixed rules, so that every
 * server, and whoever reads them, comes to the same names. A label is a sequence of octets: nothing
 * is escaped here. What cannot be a label as it is ends in a hash of the original, so that
 * different names stay different.
 *
 * Threads: pure. Nothing allocates. */
#ifndef ZONES_NAME_LABEL_H
#define ZONES_NAME_LABEL_H

#include "name.h"
#include "registry/entry.h"

#define LABEL_ADDRESS4_OCTETS 4
#define LABEL_ADDRESS6_OCTETS 16

struct label {
    uint8_t len; /* 1-63 */
    uint8_t octets[NAME_LABEL_MAX];
};

struct label_type {
    struct label label;           /* "_ipp": lower case */
    enum entry_protocol protocol; /* from the suffix; ENTRY_PROTOCOL_NONE without one */
    const char *base;             /* into the type: without suffix and leading '_'; may be empty */
    size_t base_len;
    bool is_changed;  /* label and base differ by more than ASCII case: TXT gets type=<base> */
    bool is_reserved; /* the label is _dns-sd */
};

/* The label of a type: its base in lower case with '_' -> '-'; if that is no [a-z0-9-] of 1-62
 * octets with no '-' at the ends, up to 6 octets of it and a hash of the base. Any octets, any
 * length. */
void label_type(const char *type, size_t len, struct label_type *out);

/* The label of an instance: its name, any octets unchanged. Over 63 octets, with control octets
 * (below 0x20, 0x7f), empty or a lone '*' (a wildcard for secondaries): at most 54 octets, cut
 * between UTF-8 sequences, with controls as '?', then '~' and a hash of the whole name; *is_mangled
 * is true. */
void label_instance(const char *name, size_t len, struct label *out, bool *is_mangled);

/* The label of an address of 4 or 16 octets in network order: "10-1-2-3", "fd00-0-0-0-0-0-0-1"
 * (eight groups, no leading zeros, lower case); a v4-mapped address as its IPv4 address. */
void label_address(const uint8_t *octets, size_t len, struct label *out);

/* The labels of a switch's path in wire form, the last component first, without what follows in the
 * zone and without the root label: "a/b" is "\1b\1a". *out_len is at most NAME_MAX_LEN - 1.
 * BAD_INPUT: a component is empty, over 63 octets or a lone '*'; TOO_LARGE: all are too long. */
MUST_USE enum status label_switch(const char *path, size_t len, uint8_t out[NAME_MAX_LEN],
                                  size_t *out_len);

/* Octets of a switch's components as labels, each with its length octet: what 255 octets leave
 * below "switch" in the zone empusa.internal. */
#define LABEL_SWITCH_MAX 231

/* Whether a switch of this path, which key_of_switch() accepts, could also be served, and so may be
 * written, whatever the zone is called. BAD_INPUT with *why: a component is no label or a lone '*',
 * or all are over LABEL_SWITCH_MAX. */
MUST_USE enum status label_check_switch(const char *path, struct detail *why);

/* FNV-1a, 32 bits. */
uint32_t label_fnv1a(const void *octets, size_t len);

#endif
