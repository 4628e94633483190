/* registry/key.h - the keys of the registry's tree in etcd.
 *
 *   <root>/service/<type>/<name>     a service
 *   <root>/switch/<path>             a switch; the path may contain '/'
 *
 * Names and types are UTF-8 without control characters; in a type no '/'. What is
 * read from etcd may be anything: key_split() takes any octets.
 *
 * Threads: pure. */
#ifndef REGISTRY_KEY_H
#define REGISTRY_KEY_H

#include "registry/etcd/kv_types.h"

#define KEY_ROOT_MAX 512 /* octets of a root */
#define KEY_PART_MAX 200 /* octets of a type or a name that may be written */

/* A root in its one form: runs of '/' are one, a leading one is there, no trailing one;
 * "/" is the empty root "". */
struct key_root {
    char text[KEY_ROOT_MAX + 1];
    size_t len;
};

/* BAD_INPUT: empty text, too long, control characters or not UTF-8; *why says which. */
MUST_USE enum status key_root_parse(const char *text, struct key_root *out, struct detail *why);

/* Whether it can be a type, or a name, that is written. BAD_INPUT: *why says why not; it names
 * neither. */
MUST_USE enum status key_check_type(const char *type, struct detail *why);
MUST_USE enum status key_check_name(const char *name, struct detail *why);

/* "<root>/service/<type>/<name>". BAD_INPUT: the type or the name cannot be written (empty, over
 * KEY_PART_MAX, '/', control characters, not UTF-8, or the reserved type dns-sd in any spelling
 * that maps to the label _dns-sd); *why names which of the two, its value and the fault: `service
 * type "a/b": '/' is not allowed`. */
MUST_USE enum status key_of_service(const struct key_root *root, const char *type, const char *name,
                                    struct kv_key *out, struct detail *why);

/* "<root>/switch/<path>". BAD_INPUT: empty, too long, control characters, not UTF-8, an empty
 * component (two '/' in a row, one at the end or the beginning). */
MUST_USE enum status key_of_switch(const struct key_root *root, const char *path,
                                   struct kv_key *out, struct detail *why);

/* The prefixes "<root>/", "<root>/service/", "<root>/switch/". */
enum key_part { KEY_ALL, KEY_SERVICES, KEY_SWITCHES };
void key_prefix(const struct key_root *root, enum key_part part, struct kv_key *out);

/* "<root>/service/<type>/", for reading: the reserved type is allowed. BAD_INPUT: *why as above. */
MUST_USE enum status key_type_prefix(const struct key_root *root, const char *type,
                                     struct kv_key *out, struct detail *why);

/* What a key below "<root>/" is. Borrowed from the key. */
enum key_kind { KEY_KIND_OTHER, KEY_KIND_SERVICE, KEY_KIND_SWITCH };
struct key_parts {
    enum key_kind kind;
    const char *type; /* of a service */
    size_t type_len;
    const char *name; /* of a service (may contain '/'), or the path of a switch */
    size_t name_len;
};

/* Take the key apart. `key` is what follows "<root>": it begins with '/'. A service without a
 * type or a name and a switch without a path are KEY_KIND_OTHER. */
void key_split(const char *key, size_t len, struct key_parts *out);

/* A type without what says its protocol: without a suffix "._tcp" or "._udp" (any case) and without
 * one leading '_'. Borrowed from the type; may be empty. */
enum key_suffix { KEY_SUFFIX_NONE, KEY_SUFFIX_TCP, KEY_SUFFIX_UDP };
struct key_base {
    const char *text;
    size_t len;
    enum key_suffix suffix;
};
void key_type_base(const char *type, size_t len, struct key_base *out);

/* Whether DNS-SD itself needs the label of this base: "dns-sd" in any case, '_' counting as '-'. */
bool key_is_reserved(const struct key_base *base);

#endif
