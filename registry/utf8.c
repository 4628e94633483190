#include "utf8.h"

#include <string.h>

/* The number of octets that the first one announces and the bits of the character in it. */
static size_t first_octet(uint8_t octet, uint32_t *bits)
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
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t character;
    size_t count = len ? first_octet((uint8_t)text[0], &character) : 0;
    if (count == 0 || count > len)
        return 0;
    for (size_t i = 1; i < count; i++) {
        uint8_t octet = (uint8_t)text[i];
        if ((octet & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (octet & 0x3f);
    }
    if (character < least[count] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return 0;
    *out = character;
    return count;
}

bool utf8_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

static void show_octet(uint8_t octet, char *out)
{
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[octet >> 4];
    out[3] = digits[octet & 15];
}

size_t utf8_show(const char *text, size_t len, char *out, size_t size)
{
    size_t at = 0, written = 0;
    while (at < len) {
        uint32_t character;
        size_t octets = utf8_decode(text + at, len - at, &character);
        bool is_plain = octets > 0 && !utf8_is_control(character);
        size_t taken = is_plain ? octets : 1;
        size_t need = is_plain ? octets : UTF8_SHOW_MAX;
        if (need >= size - written)
            break;
        if (is_plain)
            memcpy(out + written, text + at, octets);
        else
            show_octet((uint8_t)text[at], out + written);
        written += need;
        at += taken;
    }
    out[written] = '\0';
    return written;
}
