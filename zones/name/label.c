#include "label.h"

#include "registry/base/utf8.h"
#include "registry/key.h"
#include "rr.h"

#include <stdio.h>
#include <string.h>

/* An odd type's label: with '-' and the hash 15 octets behind the '_', as long as a service's name may
 * be (RFC 6335 5.1). */
#define BASE_MAX      62 /* octets behind the '_' */
#define ODD_STEM_MAX  6  /* octets of an odd type that stay readable */
#define CUT_MAX       54 /* octets of a mangled instance that stay: with '~' and the hash 63 */
#define UTF8_BACK_MAX 3  /* octets of a sequence before its last */
#define HASH_DIGITS   8

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

static uint8_t label_fold_type(uint8_t c)
{
    return c == '_' ? '-' : name_fold_octet(c);
}

/* Without a key, as every server, and whoever computes a label by hand, must come to the same.
 * Names that are made to collide share a label, as those that differ by case do. */
uint32_t label_fnv1a(const void *octets, size_t len)
{
    const uint8_t *at = octets;
    uint32_t hash = 0x811c9dc5;
    for (size_t i = 0; i < len; i++)
        hash = (uint32_t)((hash ^ at[i]) * (uint64_t)0x01000193);
    return hash;
}

static void label_append(struct label *label, uint8_t octet)
{
    label->octets[label->len++] = octet;
}

/* `mark` and the hash of the original. */
static void label_append_hash(struct label *label, char mark, const char *original, size_t len)
{
    char text[HASH_DIGITS + 2];
    snprintf(text, sizeof(text), "%c%08x", mark, label_fnv1a(original, len));
    memcpy(label->octets + label->len, text, HASH_DIGITS + 1);
    label->len = (uint8_t)(label->len + HASH_DIGITS + 1);
}

/* "_" and the folded base; false when it is no [a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?. */
static bool label_plain_type(const struct key_base *base, struct label *out)
{
    *out = (struct label){.len = 1, .octets = {'_'}};
    if (base->len == 0 || base->len > BASE_MAX)
        return false;
    for (size_t i = 0; i < base->len; i++) {
        uint8_t c = label_fold_type((uint8_t)base->text[i]);
        if (!name_is_alnum(c) && c != '-')
            return false;
        label_append(out, c);
    }
    return out->octets[1] != '-' && out->octets[out->len - 1] != '-';
}

/* The first octets of an odd base: runs of anything but letters and digits are one '-', none at the
 * ends. Returns how many there are. */
static size_t label_stem_of(const struct key_base *base, uint8_t stem[ODD_STEM_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < base->len && len < ODD_STEM_MAX; i++) {
        uint8_t c = label_fold_type((uint8_t)base->text[i]);
        if (name_is_alnum(c))
            stem[len++] = c;
        else if (len > 0 && stem[len - 1] != '-')
            stem[len++] = '-';
    }
    if (len > 0 && stem[len - 1] == '-')
        len--;
    return len;
}

/* "_", a readable stem with a letter in it (RFC 6335 5.1: a service name has one), "-" and the hash.
 */
static void label_odd_type(const struct key_base *base, struct label *out)
{
    uint8_t stem[ODD_STEM_MAX];
    size_t len = label_stem_of(base, stem);
    bool has_letter = false;
    for (size_t i = 0; i < len; i++)
        has_letter = has_letter || stem[i] >= 'a'; /* above digits and '-' */
    *out = (struct label){.len = 1, .octets = {'_'}};
    if (!has_letter)
        label_append(out, 'x');
    for (size_t i = 0; i < len && out->len < 1 + ODD_STEM_MAX; i++)
        label_append(out, stem[i]);
    label_append_hash(out, '-', base->text, base->len);
}

/* Whether the label is "_" and the base, but for ASCII case. */
static bool label_is_same(const struct label *label, const struct key_base *base)
{
    if (label->len != base->len + 1)
        return false;
    for (size_t i = 0; i < base->len; i++)
        if (label->octets[i + 1] != name_fold_octet((uint8_t)base->text[i]))
            return false;
    return true;
}

void label_type(const char *type, size_t len, struct label_type *out)
{
    static const enum entry_protocol protocols[] = {
        [KEY_SUFFIX_NONE] = ENTRY_PROTOCOL_NONE,
        [KEY_SUFFIX_TCP] = ENTRY_PROTOCOL_TCP,
        [KEY_SUFFIX_UDP] = ENTRY_PROTOCOL_UDP,
    };
    struct key_base base;
    key_type_base(type, len, &base);
    if (!label_plain_type(&base, &out->label))
        label_odd_type(&base, &out->label);
    out->protocol = protocols[base.suffix];
    out->base = base.text;
    out->base_len = base.len;
    out->is_changed = !label_is_same(&out->label, &base);
    out->is_reserved = key_is_reserved(&base);
}

static bool label_is_control(uint8_t octet)
{
    return octet < 0x20 || octet == 0x7f;
}

static bool label_is_wildcard(const char *text, size_t len)
{
    return len == 1 && *text == '*';
}

/* Where to cut: not before a continuation octet. */
static size_t label_cut_of(const char *name, size_t len)
{
    if (len <= CUT_MAX)
        return len;
    size_t cut = CUT_MAX;
    /* Bounded, since octets that are no UTF-8 may all look like continuations. */
    while (cut > CUT_MAX - UTF8_BACK_MAX && ((uint8_t)name[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

/* What is mangled is cut even if it is not too long: the hash has to fit behind it. */
void label_instance(const char *name, size_t len, struct label *out, bool *is_mangled)
{
    *is_mangled = len == 0 || len > NAME_LABEL_MAX || label_is_wildcard(name, len);
    for (size_t i = 0; i < len && !*is_mangled; i++)
        *is_mangled = label_is_control((uint8_t)name[i]);
    size_t kept = *is_mangled ? label_cut_of(name, len) : len;
    out->len = (uint8_t)kept;
    memcpy(out->octets, name, kept);
    if (!*is_mangled)
        return;
    for (size_t i = 0; i < kept; i++)
        if (label_is_control(out->octets[i]))
            out->octets[i] = '?';
    label_append_hash(out, '~', name, len);
}

/* One more number, without leading zeros. */
static void label_append_number(struct label *label, unsigned number, unsigned base)
{
    unsigned divisor = 1;
    if (label->len > 0)
        label_append(label, '-');
    while (number / divisor >= base)
        divisor *= base;
    for (; divisor > 0; divisor /= base)
        label_append(label, (uint8_t) "0123456789abcdef"[number / divisor % base]);
}

/* IPv6 is written out: the short form could put "--" where a host's label must not have it: at its
 * beginning, or as its third and fourth octets, where RFC 5890 reserves it. */
void label_address(const uint8_t *octets, size_t len, struct label *out)
{
    out->len = 0;
    if (len == LABEL_ADDRESS6_OCTETS && memcmp(octets, v4_mapped, sizeof(v4_mapped)) == 0) {
        octets += sizeof(v4_mapped);
        len = LABEL_ADDRESS4_OCTETS;
    }
    bool is_v4 = len == LABEL_ADDRESS4_OCTETS;
    for (size_t i = 0; i < len; i += is_v4 ? 1 : 2)
        label_append_number(out, is_v4 ? octets[i] : rr_get16(octets + i), is_v4 ? 10 : 16);
}

enum status label_switch(const char *path, size_t len, uint8_t out[NAME_MAX_LEN], size_t *out_len)
{
    uint8_t wire[NAME_MAX_LEN];
    /* Each component with its '/' or its end is as long as its label with the length octet. */
    if (len > sizeof(wire) - 2)
        return STATUS_TOO_LARGE;
    size_t written = 0;
    for (size_t end = len;;) {
        const char *slash = end > 0 ? memrchr(path, '/', end) : NULL;
        size_t start = slash ? (size_t)(slash - path) + 1 : 0;
        size_t part = end - start;
        if (part == 0 || part > NAME_LABEL_MAX || label_is_wildcard(path + start, part))
            return STATUS_BAD_INPUT;
        wire[written++] = (uint8_t)part;
        memcpy(wire + written, path + start, part);
        written += part;
        if (start == 0)
            break;
        end = start - 1;
    }
    memcpy(out, wire, written);
    *out_len = written;
    return STATUS_OK;
}

enum status label_check_switch(const char *path, struct detail *why)
{
    const char *fault = strlen(path) + 1 > LABEL_SWITCH_MAX ? "too long for a DNS name" : NULL;
    for (const char *at = path; !fault; at++) {
        size_t len = strcspn(at, "/");
        if (len == 0)
            fault = "a part between two '/' is empty";
        else if (len > NAME_LABEL_MAX)
            fault = "a part is longer than the 63 octets of a DNS label";
        else if (label_is_wildcard(at, len))
            fault = "a part must not be '*' alone";
        else if (*(at += len) == '\0')
            return STATUS_OK;
    }
    char shown[sizeof(why->text) / 2];
    utf8_show(path, strlen(path), shown, sizeof(shown));
    return detail_set(why, STATUS_BAD_INPUT, "switch \"%s\": %s", shown, fault);
}
