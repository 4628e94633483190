/* zones/skip.h - why a key is not served. A skipped key is counted by its reason and never affects
 * its neighbours. */
#ifndef ZONES_SKIP_H
#define ZONES_SKIP_H

/* X(name, sentence) */
#define SKIP_LIST(X)                                                                               \
    X(BAD_KEY, "its key is not below service/<type>/<name> or switch/<path>")                      \
    X(BAD_VALUE, "its value is neither a location nor a JSON object with a good location")         \
    X(RESERVED, "the type dns-sd is reserved")                                                     \
    X(NAME_TOO_LONG, "its DNS name would be longer than 255 octets")                               \
    X(BAD_SWITCH_NAME, "a part of its path cannot be a label: empty, over 63 octets or *")         \
    X(VALUE_TOO_LONG, "its value is longer than 16 KiB")                                           \
    X(CROWDED_NAME, "256 keys that were there before it have the same DNS name")                   \
    X(SWITCHES_OFF, "switches are not published")                                                  \
    X(NO_MEMORY, "out of memory")

enum skip {
    SKIP_NONE, /* it is served */
#define SKIP_ENUM(name, sentence) SKIP_##name,
    SKIP_LIST(SKIP_ENUM)
#undef SKIP_ENUM
        SKIP_COUNT
};

const char *skip_text(enum skip skip);

#endif
