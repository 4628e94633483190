/* registry/base/buffer.h - octets that grow up to a limit given at birth.
 *
 * The error is sticky: after a failed addition the rest are no-ops, and the caller looks at
 * `status` once, at the end.
 *
 * Threads: a buffer belongs to one thread. */
#ifndef REGISTRY_BASE_BUFFER_H
#define REGISTRY_BASE_BUFFER_H

#include "status.h"

struct buffer {
    char *data; /* NUL-terminated once something was added; NULL before */
    size_t len, capacity, max;
    enum status status; /* OK, TOO_LARGE, NO_MEMORY */
};

/* An empty buffer of at most `max` octets. Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t max);

/* Release the memory; the buffer is empty then and as good as new. */
void buffer_clear(struct buffer *buffer);

/* Forget the contents and the error, keep the memory. */
void buffer_reset(struct buffer *buffer);

void buffer_add(struct buffer *buffer, const void *octets, size_t len);
void buffer_add_text(struct buffer *buffer, const char *text);
/* What printf() would write, of any length. */
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* A JSON string for people; what is not UTF-8 becomes U+FFFD. Control characters, those above 0x7e,
 * too, and bidirectional ones are escaped: a terminal would act on them. */
void buffer_add_json(struct buffer *buffer, const char *text, size_t len);

/* The octets in base64 with padding. */
void buffer_add_base64(struct buffer *buffer, const void *octets, size_t len);

/* Without a buffer: a copy of octets, with a NUL behind it, for free(). NULL: no memory. */
char *buffer_copy(const void *octets, size_t len);

#endif
