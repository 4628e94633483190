#include "mask.h"

#include "registry/base/utf8.h"

#include <string.h>

#define STARS "***"

/* Where a user and a password begin that end before `at`, the last '@', as a password may hold
 * another; NULL: there is no ':' between them. What follows the first ':' tells them from a scheme:
 * a password may hold "://", too. */
static char *mask_find(char *text, const char *at, bool is_sentence)
{
    char *colon = memchr(text, ':', (size_t)(at - text));
    if (!colon)
        return NULL;
    char *secret = text;
    if (strncmp(colon, "://", 3) == 0)
        secret = memchr(colon + 3, ':', (size_t)(at - (colon + 3))) ? colon + 3 : NULL;
    else if (is_sentence)
        for (secret = colon; secret > text && secret[-1] != ' ' && secret[-1] != '"';)
            secret--;
    return secret;
}

static void mask(char *text, bool is_sentence)
{
    char *at = strrchr(text, '@');
    char *secret = at ? mask_find(text, at, is_sentence) : NULL;
    if (!secret)
        return;
    /* It never gets longer: the text is the caller's memory. */
    size_t secret_len = (size_t)(at - secret), stars = strlen(STARS);
    if (secret_len < stars)
        stars = secret_len;
    memcpy(secret, STARS, stars);
    memmove(secret + stars, at, strlen(at) + 1);
}

void mask_quote(const char *text, size_t len, char *out, size_t size)
{
    if (!memchr(text, '@', len)) {
        utf8_shorten(text, len, out, size);
        return;
    }
    bool fits = len < size;
    memcpy(out, fits ? text : STARS, fits ? len : sizeof(STARS));
    if (fits)
        out[len] = '\0';
    mask(out, false);
}

void mask_sentence(char *text)
{
    mask(text, true);
}
