#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOTS     "..."
#define DOTS_LEN 3

/* The number of octets that the first one announces and the bits of the character in it; 0 where it
 * can be none: 0x80-0xbf go on, 0xc0 and 0xc1 could only be overlong, 0xf5 and up would be above
 * U+10FFFF (RFC 3629). */
static size_t utf8_first_octet(uint8_t octet, uint32_t *bits)
{
    if (octet < 0x80) {
        *bits = octet;
        return 1;
    }
    if (octet >= 0xc2 && octet < 0xe0) {
        *bits = octet & 0x1f;
        return 2;
    }
    if (octet >= 0xe0 && octet < 0xf0) {
        *bits = octet & 0x0f;
        return 3;
    }
    *bits = octet & 0x07;
    return octet >= 0xf0 && octet < 0xf5 ? 4 : 0;
}

size_t utf8_decode(const char *text, size_t len, uint32_t *out)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t character;
    size_t count = len ? utf8_first_octet((uint8_t)text[0], &character) : 0;
    if (count == 0 || count > len)
        return 0;
    for (size_t i = 1; i < count; i++) {
        uint8_t octet = (uint8_t)text[i];
        if ((octet & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (octet & 0x3f);
    }
    /* What is overlong would hide a character from whoever looks for its octet. */
    if (character < lowest[count] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return 0;
    *out = character;
    return count;
}

bool utf8_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

bool utf8_is_clean(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t character;
        size_t octets = utf8_decode(text + at, len - at, &character);
        if (octets == 0 || utf8_is_control(character))
            return false;
        at += octets;
    }
    return true;
}

/* Not only a matter of looks: what stands behind one of them in a line can be made to look like
 * what stands before it. */
bool utf8_is_bidirectional(uint32_t character)
{
    return character == 0x061c || character == 0x200e || character == 0x200f ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

static size_t utf8_show_octet(uint8_t octet, char *out)
{
    return (size_t)snprintf(out, 5, "\\x%02x", octet);
}

/* What is to be shown of the text's first character, at most 8 octets and a NUL. *taken: those it
 * takes of the text. */
static size_t utf8_show_first(const char *text, size_t len, char *out, size_t *taken)
{
    uint32_t character = 0;
    size_t octets = utf8_decode(text, len, &character);
    *taken = octets > 0 ? octets : 1;
    if (octets == 0)
        return utf8_show_octet((uint8_t)text[0], out);
    if (utf8_is_bidirectional(character))
        return (size_t)snprintf(out, 9, "\\u{%04x}", (unsigned)character);
    if (utf8_is_control(character)) {
        size_t shown_len = 0;
        for (size_t i = 0; i < octets; i++)
            shown_len += utf8_show_octet((uint8_t)text[i], out + shown_len);
        return shown_len;
    }
    memcpy(out, text, octets);
    return octets;
}

size_t utf8_show(const char *text, size_t len, char *out, size_t size)
{
    size_t at = 0, written = 0;
    while (at < len) {
        char shown[2 * UTF8_SHOW_MAX + 1];
        size_t taken;
        size_t shown_len = utf8_show_first(text + at, len - at, shown, &taken);
        /* Whole or not at all: half an escape would read as something else. */
        if (shown_len >= size - written)
            break;
        memcpy(out + written, shown, shown_len);
        written += shown_len;
        at += taken;
    }
    out[written] = '\0';
    return written;
}

static bool utf8_is_continuation(char octet)
{
    return ((uint8_t)octet & 0xc0) == 0x80;
}

void utf8_shorten(const char *text, size_t len, char *out, size_t size)
{
    if (len < size) {
        memmove(out, text, len);
        out[len] = '\0';
        return;
    }
    /* At least four octets are left out, so that the dots never write over what is still to be
     * moved where `out` is `text`. A character has three octets behind its first at most; of what
     * is no UTF-8 no more is given up either. */
    size_t room = size - 1 - DOTS_LEN, head = room / 2, tail = len - (room - head);
    for (int i = 0; i < 3 && head > 0 && utf8_is_continuation(text[head]); i++)
        head--;
    for (int i = 0; i < 3 && tail < len && utf8_is_continuation(text[tail]); i++)
        tail++;
    memmove(out, text, head);
    memcpy(out + head, DOTS, DOTS_LEN);
    memmove(out + head + DOTS_LEN, text + tail, len - tail);
    out[head + DOTS_LEN + len - tail] = '\0';
}

void utf8_format(char *out, size_t size, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    /* Nearly everything fits: it is formatted once and needs no memory. */
    int len = vsnprintf(out, size, format, args);
    if (len < 0) {
        out[0] = '\0';
    } else if ((size_t)len >= size) {
        char *whole = malloc((size_t)len + 1);
        if (whole) {
            vsnprintf(whole, (size_t)len + 1, format, again);
            utf8_shorten(whole, (size_t)len, out, size);
        }
        free(whole);
    }
    va_end(again);
}
