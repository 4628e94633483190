#include "json_split.h"

#include <string.h>

void stream_init(struct stream *stream, const char *parent, const char *array,
                 const struct stream_events *events, void *arg)
{
    *stream = (struct stream){.parent = parent, .array = array, .events = events, .arg = arg};
    buffer_init(&stream->element, STREAM_ELEMENT_MAX);
    buffer_init(&stream->rest, STREAM_REST_MAX);
}

void stream_clear(struct stream *stream)
{
    buffer_clear(&stream->element);
    buffer_clear(&stream->rest);
}

void stream_reset(struct stream *stream)
{
    buffer_reset(&stream->element);
    buffer_reset(&stream->rest);
    stream->depth = stream->element_depth = 0;
    stream->in_array = stream->in_string = stream->is_escaped = false;
    stream->has_element = stream->has_comma = false;
    stream->in_parent = stream->is_name = false;
    stream->name_len = 0;
}

bool stream_is_between(const struct stream *stream)
{
    return stream->depth == 0 && stream->element_depth == 0;
}

/* Go to the end of a string, behind its quote; `at` is inside it. Each octet is looked at once: a
 * string may be nothing but backslashes. */
static size_t stream_skip_string(struct stream *stream, const char *text, size_t at, size_t len)
{
    while (at < len && stream->in_string) {
        char octet = text[at++];
        if (stream->is_escaped)
            stream->is_escaped = false;
        else if (octet == '\\')
            stream->is_escaped = true;
        else if (octet == '"')
            stream->in_string = false;
    }
    return at;
}

/* Is what begins now the value of the member `name`? */
static bool stream_is_member(const struct stream *stream, const char *name)
{
    return stream->is_name && name && stream->name_len == strlen(name) &&
           memcmp(stream->rest.data + stream->name_start, name, stream->name_len) == 0;
}

static bool stream_is_array(const struct stream *stream)
{
    if (!stream->array)
        return stream->depth == 0;
    if (!stream_is_member(stream, stream->array))
        return false;
    return stream->parent ? stream->depth == 2 && stream->in_parent : stream->depth == 1;
}

static enum status stream_open(struct stream *stream, char bracket)
{
    if (stream->depth == STREAM_DEPTH_MAX)
        return STATUS_BAD_REPLY;
    if (bracket == '[' && stream_is_array(stream)) {
        stream->in_array = true;
        stream->has_element = stream->has_comma = false;
    }
    if (stream->depth == 1)
        stream->in_parent = bracket == '{' && stream_is_member(stream, stream->parent);
    stream->depth++;
    stream->is_name = false;
    return STATUS_OK;
}

static bool stream_is_blank(char octet)
{
    return octet == ' ' || octet == '\n' || octet == '\r' || octet == '\t';
}

/* One octet of the rest that is not in a string. */
static enum status stream_mark(struct stream *stream, char octet)
{
    switch (octet) {
    case '{':
    case '[':
        return stream_open(stream, octet);
    case '}':
    case ']':
        stream->depth--;
        break;
    case '"':
        stream->in_string = true;
        stream->name_start = stream->rest.len;
        break;
    default:
        break;
    }
    if (!stream_is_blank(octet))
        stream->is_name = octet == ':';
    return STATUS_OK;
}

/* Tell what the octet that was just kept has completed. */
static enum status stream_tell(struct stream *stream)
{
    enum status status = STATUS_OK;
    if (stream->in_array && stream->events->begin)
        status = stream->events->begin(stream->arg, stream->rest.data, stream->rest.len);
    if (stream->depth == 0) {
        status = stream->events->rest(stream->arg, stream->rest.data, stream->rest.len);
        buffer_reset(&stream->rest);
    }
    return status;
}

/* What etcd never sends is no reply of it. */
static enum status stream_limit(const struct buffer *buffer)
{
    return buffer->status == STATUS_TOO_LARGE ? STATUS_BAD_REPLY : buffer->status;
}

/* One octet outside the array. The rest is short, so it goes octet by octet. */
static enum status stream_rest(struct stream *stream, char octet)
{
    if (stream->depth == 0 && stream_is_blank(octet))
        return STATUS_OK; /* not kept: a watch may idle for years */
    if (stream->depth == 0 && octet != (stream->array ? '{' : '['))
        return STATUS_BAD_REPLY;
    buffer_add(&stream->rest, &octet, 1);
    if (stream->rest.status != STATUS_OK)
        return stream_limit(&stream->rest);
    if (stream->in_string) {
        stream_skip_string(stream, &octet, 0, 1);
        if (!stream->in_string)
            stream->name_len = stream->rest.len - 1 - stream->name_start;
        return STATUS_OK;
    }
    enum status status = stream_mark(stream, octet);
    return status == STATUS_OK ? stream_tell(stream) : status;
}

/* One octet of the array between its elements. */
static enum status stream_gap(struct stream *stream, char octet)
{
    if (stream_is_blank(octet))
        return STATUS_OK;
    if (octet == ',' && stream->has_element && !stream->has_comma) {
        stream->has_comma = true;
        return STATUS_OK;
    }
    if (octet != ']' || stream->has_comma)
        return STATUS_BAD_REPLY;
    stream->in_array = false;
    return stream_rest(stream, octet);
}

/* The end of what was copied may be the middle of an escape, which then goes as a whole. */
static void stream_trim_escape(struct buffer *element)
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
static void stream_cut_string(struct stream *stream, const char *text, size_t begin, size_t at,
                              size_t *kept)
{
    size_t end = stream->in_string ? at : at - 1;
    size_t len = end - begin, room = STREAM_STRING_MAX - stream->string_len;
    if (len > room) {
        if (!stream->is_cut) {
            buffer_add(&stream->element, text + *kept, begin + room - *kept);
            stream_trim_escape(&stream->element);
        }
        stream->is_cut = true;
        *kept = end;
        len = room;
    }
    stream->string_len += len;
}

/* Where an element that begins or goes on at `text` ends; `len` if not here. Sets element_depth.
 * text[*kept..] is left to be copied. */
static enum status stream_scan_element(struct stream *stream, const char *text, size_t len,
                                       size_t *used, size_t *kept)
{
    size_t at = 0;
    while (at < len) {
        if (stream->in_string) {
            size_t begin = at;
            at = stream_skip_string(stream, text, at, len);
            stream_cut_string(stream, text, begin, at, kept);
            continue;
        }
        char octet = text[at++];
        if (octet == '"') {
            stream->in_string = true;
            stream->string_len = 0;
            stream->is_cut = false;
        } else if (octet == '{' || octet == '[') {
            if (++stream->element_depth > STREAM_DEPTH_MAX)
                return STATUS_BAD_REPLY;
        } else if ((octet == '}' || octet == ']') && --stream->element_depth == 0) {
            break;
        }
    }
    *used = at;
    return STATUS_OK;
}

/* Whether an element may begin here: in the array, behind the comma that its predecessor needs. */
static bool stream_begin_element(struct stream *stream)
{
    bool is_due = !stream->in_array || !stream->has_element || stream->has_comma;
    stream->has_element = stream->in_array;
    stream->has_comma = false;
    return is_due;
}

/* An element is handed over where it lies, unless a cut between two pieces, or in a string, makes a
 * copy needed. */
static enum status stream_element(struct stream *stream, const char *text, size_t len, size_t *used)
{
    struct buffer *element = &stream->element;
    size_t kept = 0;
    if (stream->element_depth == 0 && !stream_begin_element(stream))
        return STATUS_BAD_REPLY;
    enum status status = stream_scan_element(stream, text, len, used, &kept);
    if (status != STATUS_OK)
        return status;
    bool is_whole = stream->element_depth == 0;
    if (is_whole && element->len == 0 && *used <= STREAM_ELEMENT_MAX)
        return stream->events->element(stream->arg, text, *used);
    buffer_add(element, text + kept, *used - kept);
    if (element->status != STATUS_OK || !is_whole)
        return stream_limit(element);
    status = stream->events->element(stream->arg, element->data, element->len);
    if (element->capacity > STREAM_ELEMENT_KEPT)
        buffer_clear(element);
    else
        buffer_reset(element);
    return status;
}

static bool stream_takes_element(const struct stream *stream)
{
    return stream->in_array || (!stream->array && stream->depth == 0);
}

enum status stream_feed(struct stream *stream, const char *text, size_t len)
{
    enum status status = STATUS_OK;
    for (size_t at = 0; at < len && status == STATUS_OK;) {
        size_t used = 1;
        if (stream->element_depth || (text[at] == '{' && stream_takes_element(stream)))
            status = stream_element(stream, text + at, len - at, &used);
        else if (stream->in_array)
            status = stream_gap(stream, text[at]);
        else
            status = stream_rest(stream, text[at]);
        at += used;
    }
    return status;
}
