/* registry/entry.h - the value of a service's key.
 *
 * Either a plain location, "baz:1235" (the Python tool's form), or, beginning with '{', a JSON
 * object in one line:
 *
 *   {"location":"baz:1235","protocol":"udp","priority":10,"weight":5,
 *    "txt":{"path":"/","beta":true},"subtypes":["printer"],"state":"draining"}
 *
 * Line ends behind either, and behind the location in JSON, are as if they were not there.
 *
 * A member of the wrong type or out of range is ignored and counted, unknown members are ignored;
 * without a good location there is no entry. Of members with the same name the first counts.
 * Strings may hold any octets, \u0000 too; half a surrogate pair is U+FFFD. The JSON around them is
 * as strict as cJSON, but numbers may be of any length and nesting of any depth.
 *
 * A plain location is read without allocating: that is the path of a million keys.
 * Threads: pure. */
#ifndef REGISTRY_ENTRY_H
#define REGISTRY_ENTRY_H

#include "registry/base/address.h"
#include "registry/base/buffer.h"

#define ENTRY_VALUE_MAX    65536 /* octets; a longer value is no entry */
#define ENTRY_TXT_MAX      128   /* pairs; more are ignored and counted */
#define ENTRY_TXT_PAIR_MAX 255   /* octets of "key=value" */
#define ENTRY_TXT_SIZE_MAX 8192  /* octets of all pairs together, one length octet each */
#define ENTRY_SUBTYPES_MAX 32
#define ENTRY_SUBTYPE_MAX  62 /* octets; with its '_' a label of 63 */

enum entry_protocol { ENTRY_PROTOCOL_NONE, ENTRY_PROTOCOL_TCP, ENTRY_PROTOCOL_UDP };

struct entry_string {
    const char *text; /* any octets, not NUL-terminated; into the value or into entry.owned */
    size_t len;
};

struct entry {
    struct address location;
    struct entry_string location_text;
    enum entry_protocol protocol;
    bool has_priority, has_weight; /* said by the value */
    uint16_t priority, weight;     /* 0 and 1 when not said */
    bool is_draining;
    uint16_t txt_count;       /* pairs "key=value" or "key", as entry_sort() leaves them */
    uint16_t subtype_count;   /* without one leading '_', as entry_sort() leaves them */
    struct entry_string *txt; /* in entry.owned; NULL when there are none */
    struct entry_string *subtypes;
    unsigned ignored;           /* members, pairs, subtypes ignored: wrong type, range, key twice */
    const char *ignored_member; /* the first of which something was ignored; NULL: none */
    void *owned;                /* one block; NULL for a plain location */
};

/* The length of a value without the line ends behind it, CR and LF: what `echo ... | etcdctl put`
 * leaves there is not meant. */
size_t entry_text_len(const char *value, size_t len);

/* Read a value. The entry borrows from `value`: it must outlive the entry.
 * OK: *out is the caller's, to be given to entry_clear().
 * BAD_INPUT: *why says what is wrong with the value. NO_MEMORY.
 * Thread note: cJSON keeps the place of its last error in a global that it never reads here; values
 * with JSON in them are read by one thread at a time. */
MUST_USE enum status entry_parse(const char *value, size_t len, struct entry *out,
                                 struct detail *why);
void entry_clear(struct entry *entry);

/* Sort the pairs and the subtypes by their octets. Before that, of pairs whose keys are equal but
 * for ASCII case, and of such subtypes, all but the first are dropped (RFC 6763 6.4). Returns how
 * many pairs were dropped. For whoever fills an entry by hand: parse and render work on sorted
 * ones. */
unsigned entry_sort(struct entry *entry);

/* Check one "KEY=VALUE" or "KEY" for a TXT record: key at least one octet of printable ASCII
 * without '=', at most ENTRY_TXT_PAIR_MAX octets in all (RFC 6763 6.4). Check a subtype: 1-62
 * octets of clean UTF-8 after one leading '_', which may be there. BAD_INPUT with *why. */
MUST_USE enum status entry_check_txt(const char *pair, size_t len, struct detail *why);
MUST_USE enum status entry_check_subtype(const char *subtype, size_t len, struct detail *why);

/* The shortest value that says the same: a plain location when there is nothing more to say, else
 * JSON in one line with the members in the order of the example above, the pairs and subtypes in
 * the order they have. What entry_parse() gave is rendered so that it reads the same.
 * OK: *out is a malloc()ed NUL-terminated string of *out_len octets, the caller's.
 * TOO_LARGE: longer than ENTRY_VALUE_MAX. NO_MEMORY. */
MUST_USE enum status entry_render(const struct entry *entry, char **out, size_t *out_len);

/* What JSON looks like: what stands between members and behind their names, and how a string is
 * quoted. */
struct entry_json {
    const char *comma, *colon;
    void (*quote)(struct buffer *out, const char *text, size_t len);
};

/* Append the members behind the location, a comma before each. */
void entry_render_members(struct buffer *out, const struct entry *entry,
                          const struct entry_json *json);

/* entry_text.c: the JSON of a value, made such that cJSON takes it, which refuses a whole object
 * for a lone surrogate, for a number of 63 characters and for what is nested a thousand deep, and
 * whose strings end at a NUL. None of these is a reason to lose an instance.
 *
 * Copy a value of at most ENTRY_VALUE_MAX octets to `out`, which has room for as many. A lone
 * surrogate becomes U+FFFD, a long number one of 17 digits, what is nested deeper than any member
 * that is read a 0: of the wrong type as it was. Numbers have the decimal point of the thread's
 * locale, which is to be "C". *nul is the octet, one that no UTF-8 has, that
 * stands for U+0000; 0 where there is none.
 * Returns the length; 0: no JSON. What is left to find fault with, cJSON will. */
size_t entry_text_prepare(const char *value, size_t len, char *out, uint8_t *nul);

/* entry_state.c: change the `state` of an entry's value and not an octet more. The value is edited
 * as text, not read and written anew: members that empusa does not know, numbers of any size and
 * the order of members stay as they are.
 *
 * OK: *out is the value with "state":"draining", or without "state" where it shall be up;
 * malloc()ed and NUL-terminated, the caller's. What is left with nothing but a location becomes
 * plain text. CONFLICT: it is in that state already. BAD_INPUT: it is no entry; *why says what is
 * wrong with it. TOO_LARGE, NO_MEMORY. */
MUST_USE enum status entry_state_set(const char *value, size_t len, bool is_draining, char **out,
                                     size_t *out_len, struct detail *why);

/* Whether `found` is `value` with its state changed, and to which. False also without memory. */
bool entry_state_differs_only(const char *value, size_t len, const char *found, size_t found_len,
                              bool *is_draining);

#endif
