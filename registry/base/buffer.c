#include "buffer.h"

#include "base64.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t max)
{
    *buffer = (struct buffer){.max = max, .status = STATUS_OK};
}

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->max);
}

void buffer_reset(struct buffer *buffer)
{
    buffer->len = 0;
    buffer->status = STATUS_OK;
}

/* Make room for `len` octets and a NUL behind what is there, doubling, so that adding octet by
 * octet is linear. The first time it gets some to spare: most buffers are small, and grow again at
 * once. */
static char *buffer_grow(struct buffer *buffer, size_t len)
{
    if (buffer->status != STATUS_OK)
        return NULL;
    /* This way round it cannot overflow: buffer->len is never above max. */
    if (len > buffer->max - buffer->len) {
        buffer->status = STATUS_TOO_LARGE;
        return NULL;
    }
    size_t needed = buffer->len + len + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity * 2 > needed ? buffer->capacity * 2 : needed + 63;
        char *data = realloc(buffer->data, capacity);
        if (!data) {
            buffer->status = STATUS_NO_MEMORY;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    char *end = buffer->data + buffer->len;
    buffer->len += len;
    buffer->data[buffer->len] = '\0';
    return end;
}

void buffer_add(struct buffer *buffer, const void *octets, size_t len)
{
    char *end = buffer_grow(buffer, len);
    if (end && len)
        memcpy(end, octets, len);
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

/* Twice: the first run says how much room it takes. */
void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *end = buffer_grow(buffer, len > 0 ? (size_t)len : 0);
    if (end)
        vsnprintf(end, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
}

/* RFC 8259 7 wants the quote, the backslash and control characters escaped. All else may stay as it
 * is, but must be UTF-8 (8.1). */
void buffer_add_json(struct buffer *buffer, const char *text, size_t len)
{
    size_t octets;
    buffer_add_text(buffer, "\"");
    for (size_t at = 0; at < len; at += octets ? octets : 1) {
        uint32_t character = 0;
        octets = utf8_decode(text + at, len - at, &character);
        if (octets == 0)
            buffer_add_text(buffer, "\xef\xbf\xbd"); /* U+FFFD */
        else if (character == '"' || character == '\\')
            buffer_printf(buffer, "\\%c", (int)character);
        else if (utf8_is_control(character) || utf8_is_bidirectional(character))
            buffer_printf(buffer, "\\u%04x", (unsigned)character);
        else
            buffer_add(buffer, text + at, octets);
    }
    buffer_add_text(buffer, "\"");
}

void buffer_add_base64(struct buffer *buffer, const void *octets, size_t len)
{
    char *end = buffer_grow(buffer, base64_encoded_len(len));
    if (end)
        base64_encode(octets, len, end);
}

/* One octet more, so that an empty one is not NULL, which means that there is no memory. */
char *buffer_copy(const void *octets, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy && len > 0)
        memcpy(copy, octets, len);
    if (copy)
        copy[len] = '\0';
    return copy;
}
