#include "txt.h"

#include <string.h>
#include <strings.h>
#include <sys/param.h>

static const char type_key[] = "type";

/* Strings written so far; once one did not fit, nothing more is written. */
struct cursor {
    uint8_t *out;
    size_t size, len;
    bool is_full;
};

/* One string "<key>=<value>", or "<value>" without a key (NULL), cut at 255 octets in all. */
static void txt_append(struct cursor *cursor, const char *key, const char *value, size_t value_len)
{
    size_t key_len = key ? strlen(key) + 1 : 0;
    size_t kept = MIN(value_len, TXT_STRING_MAX - key_len);
    if (cursor->is_full || cursor->size - cursor->len < 1 + key_len + kept) {
        cursor->is_full = true;
        return;
    }
    uint8_t *at = cursor->out + cursor->len;
    *at++ = (uint8_t)(key_len + kept);
    if (key) {
        memcpy(at, key, key_len - 1);
        at[key_len - 1] = '=';
    }
    if (kept > 0)
        memcpy(at + key_len, value, kept);
    cursor->len += 1 + key_len + kept;
}

/* The octets written; nothing at all is one empty string. */
static size_t txt_finish(struct cursor *cursor)
{
    if (cursor->len == 0)
        txt_append(cursor, NULL, NULL, 0);
    return cursor->is_full ? 0 : cursor->len;
}

/* RFC 6763 6.4: keys are compared without case, and one without a value is a key, too. */
static bool txt_has_type_key(const struct entry_string *pair)
{
    const size_t len = sizeof(type_key) - 1;
    return pair->len >= len && strncasecmp(pair->text, type_key, len) == 0 &&
           (pair->len == len || pair->text[len] == '=');
}

/* Whether "type=<base>" sorts before the pair, which has another key. */
static bool txt_is_before(const struct entry_string *pair)
{
    static const char prefix[] = "type=";
    return memcmp(prefix, pair->text, MIN(sizeof(prefix) - 1, pair->len)) < 0;
}

/* The base of a type may be of any length, so this is what txt_append() may have to cut; a pair has
 * at most ENTRY_TXT_PAIR_MAX octets. */
static void txt_append_type(struct cursor *cursor, const char *base, size_t base_len,
                            struct txt_place *place)
{
    place->at = cursor->len;
    txt_append(cursor, type_key, base, base_len);
    place->len = cursor->len - place->at;
}

size_t txt_instance(const struct entry_string *pairs, size_t count, const char *base,
                    size_t base_len, uint8_t *out, size_t size, struct txt_place *place)
{
    struct cursor cursor = {.out = out, .size = size};
    struct txt_place found = {.len = 0};
    for (size_t i = 0; i < count; i++) {
        if (base && txt_has_type_key(&pairs[i]))
            continue;
        if (base && found.len == 0 && txt_is_before(&pairs[i]))
            txt_append_type(&cursor, base, base_len, &found);
        txt_append(&cursor, NULL, pairs[i].text, pairs[i].len);
    }
    if (base && found.len == 0)
        txt_append_type(&cursor, base, base_len, &found);
    if (place)
        *place = found;
    return txt_finish(&cursor);
}

enum status txt_switch(const char *value, size_t len, uint8_t *out, size_t size, size_t *out_len)
{
    struct cursor cursor = {.out = out, .size = size};
    if (len > TXT_SWITCH_MAX)
        return STATUS_TOO_LARGE;
    for (size_t at = 0; at < len; at += TXT_STRING_MAX)
        txt_append(&cursor, NULL, value + at, len - at);
    size_t written = txt_finish(&cursor);
    if (written == 0)
        return STATUS_TOO_LARGE;
    *out_len = written;
    return STATUS_OK;
}
