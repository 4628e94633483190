#include "width.h"

#include "registry/utf8.h"

#include <stdbool.h>
#include <wchar.h>

void width_init(struct width *width)
{
    width->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void width_clear(struct width *width)
{
    if (width->locale)
        freelocale(width->locale);
    width->locale = (locale_t)0;
}

static size_t wide_len(const char *shown, size_t len)
{
    size_t columns = 0;
    for (size_t at = 0; at < len;) {
        uint32_t character = 0;
        size_t octets = utf8_decode(shown + at, len - at, &character);
        /* A character that the locale does not know yet is likely shown as one box. */
        int columns_here = octets > 0 ? wcwidth((wchar_t)character) : 1;
        columns += columns_here < 0 ? 1 : (size_t)columns_here;
        at += octets > 0 ? octets : 1;
    }
    return columns;
}

static size_t character_count(const char *shown, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((uint8_t)shown[i] & 0xc0) != 0x80;
    return count;
}

static bool is_ascii(const char *shown, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)shown[i] >= 0x80)
            return false;
    return true;
}

size_t width_of(const struct width *width, const char *shown, size_t len)
{
    if (is_ascii(shown, len))
        return len;
    if (!width->locale)
        return character_count(shown, len);
    locale_t previous = uselocale(width->locale);
    size_t columns = wide_len(shown, len);
    uselocale(previous);
    return columns;
}
