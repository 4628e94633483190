#include "json_split.h"

#include <string.h>

/* The splitter's states. Each octet belongs to one of three texts, and json_split_feed() decides
 * which:
 *
 *     outer      what surrounds the array (depth: its open brackets), copied octet by octet, since
 *                it is short. In it the splitter looks for the array: a '[' behind the member name
 *                `array`, at depth 1, or at depth 2 inside the member `parent`.
 *     separator  the array between two elements (in_array, element_depth 0): blanks, one comma, or
 *                the ']' that leads back to the outer text.
 *     element    one object of the array (element_depth: its open brackets), scanned for the
 *                bracket that closes it, and handed over where it lies in the received piece.
 *
 * Strings cut across these: between quotes brackets and commas mean nothing (in_string), and a
 * backslash takes the next octet's meaning away (is_escaped). Both survive from one piece to the
 * next, as a piece may end anywhere, also between a backslash and its quote. An element that a
 * piece ends in is copied to `element` and completed there. cJSON cannot do this: it needs the
 * whole text in memory, and builds a tree of it that takes more still. */

void json_split_init(struct json_split *split, const char *parent, const char *array,
                     const struct json_split_events *events, void *arg)
{
    *split = (struct json_split){.parent = parent, .array = array, .events = events, .arg = arg};
    buffer_init(&split->element, JSON_SPLIT_ELEMENT_MAX);
    buffer_init(&split->outer, JSON_SPLIT_OUTER_MAX);
}

void json_split_clear(struct json_split *split)
{
    buffer_clear(&split->element);
    buffer_clear(&split->outer);
}

void json_split_reset(struct json_split *split)
{
    buffer_reset(&split->element);
    buffer_reset(&split->outer);
    split->depth = split->element_depth = 0;
    split->in_array = split->in_string = split->is_escaped = false;
    split->has_element = split->has_comma = false;
    split->in_parent = split->is_name = false;
    split->name_len = split->gap = 0;
}

bool json_split_at_boundary(const struct json_split *split)
{
    return split->depth == 0 && split->element_depth == 0;
}

/* Skip to the end of a string, behind its quote; `at` is inside it. Each octet is looked at once: a
 * string may be nothing but backslashes. */
static size_t json_split_skip_string(struct json_split *split, const char *text, size_t at,
                                     size_t len)
{
    while (at < len && split->in_string) {
        char octet = text[at++];
        if (split->is_escaped)
            split->is_escaped = false;
        else if (octet == '\\')
            split->is_escaped = true;
        else if (octet == '"')
            split->in_string = false;
    }
    return at;
}

/* Is what begins now the value of the member `name`? */
static bool json_split_is_member(const struct json_split *split, const char *name)
{
    return split->is_name && name && split->name_len == strlen(name) &&
           memcmp(split->outer.data + split->name_start, name, split->name_len) == 0;
}

static bool json_split_is_array(const struct json_split *split)
{
    if (!split->array)
        return split->depth == 0;
    if (!json_split_is_member(split, split->array))
        return false;
    return split->parent ? split->depth == 2 && split->in_parent : split->depth == 1;
}

static enum status json_split_open(struct json_split *split, char bracket)
{
    if (split->depth == JSON_SPLIT_DEPTH_MAX)
        return STATUS_BAD_REPLY;
    if (bracket == '[' && json_split_is_array(split)) {
        split->in_array = true;
        split->has_element = split->has_comma = false;
    }
    if (split->depth == 1)
        split->in_parent = bracket == '{' && json_split_is_member(split, split->parent);
    split->depth++;
    split->is_name = false;
    return STATUS_OK;
}

static bool json_split_is_blank(char octet)
{
    return octet == ' ' || octet == '\n' || octet == '\r' || octet == '\t';
}

/* One octet of the outer text that is not in a string. */
static enum status json_split_bracket(struct json_split *split, char octet)
{
    switch (octet) {
    case '{':
    case '[':
        return json_split_open(split, octet);
    case '}':
    case ']':
        split->depth--;
        break;
    case '"':
        split->in_string = true;
        split->name_start = split->outer.len;
        break;
    default:
        break;
    }
    if (!json_split_is_blank(octet))
        split->is_name = octet == ':';
    return STATUS_OK;
}

/* Report what the octet that was just kept has completed. */
static enum status json_split_emit(struct json_split *split)
{
    enum status status = STATUS_OK;
    if (split->in_array && split->events->begin)
        status = split->events->begin(split->arg, split->outer.data, split->outer.len);
    if (split->depth == 0) {
        status = split->events->outer(split->arg, split->outer.data, split->outer.len);
        buffer_reset(&split->outer);
        split->gap = 0;
    }
    return status;
}

/* etcd sends nothing that large: it is not etcd's reply. */
static enum status json_split_limit(const struct buffer *buffer)
{
    return buffer->status == STATUS_TOO_LARGE ? STATUS_BAD_REPLY : buffer->status;
}

/* One octet outside the array. */
static enum status json_split_outer(struct json_split *split, char octet)
{
    if (split->depth == 0 && json_split_is_blank(octet))
        return STATUS_OK; /* not kept: a watch may idle for years */
    if (split->depth == 0 && octet != (split->array ? '{' : '['))
        return STATUS_BAD_REPLY;
    buffer_add(&split->outer, &octet, 1);
    if (split->outer.status != STATUS_OK)
        return json_split_limit(&split->outer);
    if (split->in_string) {
        json_split_skip_string(split, &octet, 0, 1);
        if (!split->in_string)
            split->name_len = split->outer.len - 1 - split->name_start;
        return STATUS_OK;
    }
    enum status status = json_split_bracket(split, octet);
    return status == STATUS_OK ? json_split_emit(split) : status;
}

/* One octet of the array between its elements. */
static enum status json_split_separator(struct json_split *split, char octet)
{
    if (json_split_is_blank(octet))
        return STATUS_OK;
    if (octet == ',' && split->has_element && !split->has_comma) {
        split->has_comma = true;
        return STATUS_OK;
    }
    if (octet != ']' || split->has_comma)
        return STATUS_BAD_REPLY;
    split->in_array = false;
    return json_split_outer(split, octet);
}

/* The end of what was copied may be the middle of an escape, which then goes as a whole. */
static void json_split_trim_escape(struct buffer *element)
{
    static const size_t longest = 6; /* \uXXXX */
    size_t len = element->len > longest ? element->len - longest : 0, run = 0;
    while (len < element->len && element->data[len] != '\\')
        len++;
    if (len == element->len)
        return;
    while (run < len && element->data[len - run - 1] == '\\')
        run++;
    element->len = len - run % 2; /* backslashes come in pairs */
}

/* The octets of a string that end at `at`, a quote of which does not count: those that are over its
 * limit are left out. text[*kept..] is what has not been copied yet. */
static void json_split_cut_string(struct json_split *split, const char *text, size_t begin,
                                  size_t at, size_t *kept)
{
    size_t end = split->in_string ? at : at - 1;
    size_t len = end - begin, left = JSON_SPLIT_STRING_MAX - split->string_len;
    if (len > left) {
        if (!split->is_cut) {
            buffer_add(&split->element, text + *kept, begin + left - *kept);
            json_split_trim_escape(&split->element);
        }
        split->is_cut = true;
        *kept = end;
        len = left;
    }
    split->string_len += len;
}

/* Where an element that begins or goes on at `text` ends; `len` if not here. Sets element_depth.
 * text[*kept..] is left to be copied. */
static enum status json_split_scan_element(struct json_split *split, const char *text, size_t len,
                                           size_t *used, size_t *kept)
{
    size_t at = 0;
    while (at < len) {
        if (split->in_string) {
            size_t begin = at;
            at = json_split_skip_string(split, text, at, len);
            json_split_cut_string(split, text, begin, at, kept);
            continue;
        }
        char octet = text[at++];
        if (octet == '"') {
            split->in_string = true;
            split->string_len = 0;
            split->is_cut = false;
        } else if (octet == '{' || octet == '[') {
            if (++split->element_depth > JSON_SPLIT_DEPTH_MAX)
                return STATUS_BAD_REPLY;
        } else if ((octet == '}' || octet == ']') && --split->element_depth == 0) {
            break;
        }
    }
    *used = at;
    return STATUS_OK;
}

/* Whether an element may begin here: in the array, behind the comma that its predecessor needs. */
static bool json_split_begin_element(struct json_split *split)
{
    bool is_due = !split->in_array || !split->has_element || split->has_comma;
    split->has_element = split->in_array;
    split->has_comma = false;
    return is_due;
}

/* An element is handed over where it lies, unless a cut between two pieces, or in a string, makes a
 * copy needed. */
static enum status json_split_element(struct json_split *split, const char *text, size_t len,
                                      size_t *used)
{
    struct buffer *element = &split->element;
    size_t kept = 0;
    if (split->element_depth == 0 && !json_split_begin_element(split))
        return STATUS_BAD_REPLY;
    enum status status = json_split_scan_element(split, text, len, used, &kept);
    if (status != STATUS_OK)
        return status;
    bool is_whole = split->element_depth == 0;
    if (is_whole)
        split->gap = 0;
    if (is_whole && element->len == 0 && *used <= JSON_SPLIT_ELEMENT_MAX)
        return split->events->element(split->arg, text, *used);
    buffer_add(element, text + kept, *used - kept);
    if (element->status != STATUS_OK || !is_whole)
        return json_split_limit(element);
    status = split->events->element(split->arg, element->data, element->len);
    if (element->capacity > JSON_SPLIT_ELEMENT_KEPT)
        buffer_clear(element);
    else
        buffer_reset(element);
    return status;
}

enum status json_split_feed(struct json_split *split, const char *text, size_t len)
{
    enum status status = STATUS_OK;
    for (size_t at = 0; at < len && status == STATUS_OK;) {
        size_t used = 1;
        bool takes_element = split->in_array || (!split->array && split->depth == 0);
        if (split->element_depth || (text[at] == '{' && takes_element))
            status = json_split_element(split, text + at, len - at, &used);
        else if (split->in_array)
            status = json_split_separator(split, text[at]);
        else
            status = json_split_outer(split, text[at]);
        at += used;
        split->gap += used;
        /* Blanks, or a string that is cut, take no memory, and might never end. Between two values a
         * stream may idle. */
        if (json_split_at_boundary(split))
            split->gap = 0;
        else if (status == STATUS_OK && split->gap > JSON_SPLIT_GAP_MAX)
            status = STATUS_BAD_REPLY;
    }
    return status;
}
