#include "mask.h"

#include <stddef.h>
#include <string.h>

#define STARS "***"

/* What stands before the last '@' of text[0..len), as a password may hold another, behind a scheme,
 * if there is a ':' in it. Returns the length that is left. */
static size_t mask(char *text, size_t len)
{
    char *at = memrchr(text, '@', len);
    if (!at)
        return len;
    char *scheme = memmem(text, (size_t)(at - text), "://", 3);
    char *secret = scheme ? scheme + 3 : text;
    size_t secret_len = (size_t)(at - secret), stars = strlen(STARS);
    if (!memchr(secret, ':', secret_len))
        return len;
    /* It never gets longer: the text is the caller's memory. */
    if (secret_len < stars)
        stars = secret_len;
    memcpy(secret, STARS, stars);
    memmove(secret + stars, at, strlen(at) + 1);
    return len - secret_len + stars;
}

void mask_value(char *text)
{
    mask(text, strlen(text));
}

void mask_words(char *text)
{
    while (*text) {
        size_t len = strcspn(text, " \"");
        text += mask(text, len);
        text += *text != '\0';
    }
}
