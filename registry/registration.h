/* registry/registration.h - what a service registers: from plain fields to a key and a value.
 *
 * Threads: pure. */
#ifndef REGISTRY_REGISTRATION_H
#define REGISTRY_REGISTRATION_H

#include "entry.h"
#include "key.h"

/* What a fault is in (struct fault). Whoever asks a person for the fields says what they are called
 * there. */
enum registration_field {
    REGISTRATION_TYPE,
    REGISTRATION_NAME,
    REGISTRATION_LOCATION,
    REGISTRATION_TXT,     /* value NULL: in all of them together */
    REGISTRATION_SUBTYPE, /* the same */
    REGISTRATION_ENTRY    /* in the whole: it is too large, or there is no memory */
};

/* As a person says it. Strings are NUL-terminated and borrowed for the call. All zero is no
 * protocol, no TXT, no subtypes, no priority, no weight. */
struct registration_fields {
    const char *type, *name, *location;
    const char *const *txt; /* "KEY=VALUE" or "KEY" */
    size_t txt_count;
    const char *const *subtypes; /* with or without a leading '_' */
    size_t subtype_count;
    enum entry_protocol protocol;
    bool has_priority, has_weight;
    uint16_t priority, weight;
    bool is_draining;
};

struct registration {
    struct kv_key key;
    char *value; /* owned; NUL-terminated */
    size_t value_len;
    bool is_unspecified; /* its address is 0.0.0.0 or [::]: nobody can connect to it */
};

/* "<root>/service/<type>/<name>". BAD_INPUT: *fault says which of the two. */
MUST_USE enum status registration_key(const struct key_root *root, const char *type,
                                      const char *name, struct kv_key *out, struct fault *fault);

/* OK: *out is to be given to registration_clear(). BAD_INPUT, TOO_LARGE, NO_MEMORY: *fault. What
 * could not be served is refused. */
MUST_USE enum status registration_build(const struct key_root *root,
                                        const struct registration_fields *fields,
                                        struct registration *out, struct fault *fault);
void registration_clear(struct registration *registration);

#endif
