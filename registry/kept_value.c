#include "kept_value.h"

#include "entry.h"

#include <stdlib.h>
#include <string.h>

enum status kept_value_init(struct kept_value *out, const char *text, size_t len)
{
    char *copy = buffer_copy(text, len);
    if (!copy)
        return STATUS_NO_MEMORY;
    /* Counted from 1, as 0 says that none was sent or written yet. */
    *out = (struct kept_value){.text = copy, .len = len, .number = 1};
    return STATUS_OK;
}

void kept_value_clear(struct kept_value *value)
{
    free(value->text);
    free(value->previous);
    *value = (struct kept_value){0};
}

/* `text` is taken over. If the old one was never sent it cannot be found in the registry: what was
 * before it can. */
static void kept_value_replace(struct kept_value *value, char *text, size_t len)
{
    if (value->number == value->sent) {
        free(value->previous);
        value->previous = value->text;
        value->previous_len = value->len;
    } else {
        free(value->text);
    }
    value->text = text;
    value->len = len;
    value->number++;
}

static bool kept_value_is_draining(const struct kept_value *value)
{
    struct entry entry;
    if (entry_parse(value->text, value->len, &entry, NULL) != STATUS_OK)
        return false;
    bool is_draining = entry.is_draining;
    entry_clear(&entry);
    return is_draining;
}

/* The program says what its entry is, operators whether it is to get clients: a new value must not
 * bring an instance back that somebody has drained. */
enum status kept_value_set(struct kept_value *value, const char *text, size_t len,
                           struct detail *why)
{
    char *made = NULL;
    size_t made_len = len;
    bool is_draining = kept_value_is_draining(value);
    enum status status = entry_state_set(text, len, is_draining, &made, &made_len, why);
    if (status == STATUS_CONFLICT) { /* it has this state already */
        made = buffer_copy(text, len);
        status = made ? STATUS_OK : detail_set(why, STATUS_NO_MEMORY, "out of memory");
    }
    if (status == STATUS_OK)
        kept_value_replace(value, made, made_len);
    return status;
}

enum status kept_value_set_draining(struct kept_value *value, bool is_draining, struct detail *why)
{
    char *made;
    size_t len;
    enum status status = entry_state_set(value->text, value->len, is_draining, &made, &len, why);
    if (status == STATUS_OK)
        kept_value_replace(value, made, len);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

void kept_value_send(struct kept_value *value)
{
    value->sent = value->number;
}

bool kept_value_confirm(struct kept_value *value, unsigned number)
{
    bool was_another = value->written != number;
    value->written = number;
    if (!kept_value_is_news(value)) {
        free(value->previous);
        value->previous = NULL;
    }
    return was_another;
}

bool kept_value_is_news(const struct kept_value *value)
{
    return value->written != value->number;
}

/* Line ends behind it come from echo and etcdctl; the entry is the same. */
static bool kept_value_equals(const char *text, size_t len, const struct kv *found)
{
    return text && entry_text_len(found->value, found->value_len) == len &&
           memcmp(found->value, text, len) == 0;
}

bool kept_value_is(const struct kept_value *value, const struct kv *found)
{
    return kept_value_equals(value->text, value->len, found);
}

bool kept_value_was(const struct kept_value *value, const struct kv *found)
{
    return kept_value_equals(value->previous, value->previous_len, found);
}

static bool kept_value_differs_in_state(const char *text, size_t len, const struct kv *found,
                                        bool *is_draining)
{
    return text && entry_state_differs_only(text, len, found->value, found->value_len, is_draining);
}

bool kept_value_adopt(struct kept_value *value, const struct kv *found, bool *is_draining)
{
    bool is_this = kept_value_differs_in_state(value->text, value->len, found, is_draining);
    if (!is_this &&
        !kept_value_differs_in_state(value->previous, value->previous_len, found, is_draining))
        return false;
    if (kept_value_set_draining(value, *is_draining, NULL) != STATUS_OK)
        return false;
    /* This value with the state that it has just taken over is what was found: it is written. Had
     * it been the one before, this one would still have to be. */
    if (is_this) {
        kept_value_send(value);
        (void)kept_value_confirm(value, value->number);
    }
    return true;
}
