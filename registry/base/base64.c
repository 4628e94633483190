#include "base64.h"

#include <stdint.h>

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Character -> six bits + 1, so that what the table does not name is 0. */
#define V(c, n) [c] = (n) + 1
static const uint8_t base64_values[256] = {
    V('A', 0),  V('B', 1),  V('C', 2),  V('D', 3),  V('E', 4),  V('F', 5),  V('G', 6),  V('H', 7),
    V('I', 8),  V('J', 9),  V('K', 10), V('L', 11), V('M', 12), V('N', 13), V('O', 14), V('P', 15),
    V('Q', 16), V('R', 17), V('S', 18), V('T', 19), V('U', 20), V('V', 21), V('W', 22), V('X', 23),
    V('Y', 24), V('Z', 25), V('a', 26), V('b', 27), V('c', 28), V('d', 29), V('e', 30), V('f', 31),
    V('g', 32), V('h', 33), V('i', 34), V('j', 35), V('k', 36), V('l', 37), V('m', 38), V('n', 39),
    V('o', 40), V('p', 41), V('q', 42), V('r', 43), V('s', 44), V('t', 45), V('u', 46), V('v', 47),
    V('w', 48), V('x', 49), V('y', 50), V('z', 51), V('0', 52), V('1', 53), V('2', 54), V('3', 55),
    V('4', 56), V('5', 57), V('6', 58), V('7', 59), V('8', 60), V('9', 61), V('+', 62), V('/', 63)};
#undef V

size_t base64_encoded_len(size_t len)
{
    return len / 3 * 4 + (len % 3 ? 4 : 0);
}

void base64_encode(const void *octets, size_t len, char *out)
{
    const uint8_t *in = octets;
    for (; len >= 3; in += 3, len -= 3) {
        uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *out++ = base64_alphabet[bits >> 18];
        *out++ = base64_alphabet[bits >> 12 & 63];
        *out++ = base64_alphabet[bits >> 6 & 63];
        *out++ = base64_alphabet[bits & 63];
    }
    if (len) {
        uint32_t bits = (uint32_t)in[0] << 16 | (len == 2 ? (uint32_t)in[1] << 8 : 0);
        *out++ = base64_alphabet[bits >> 18];
        *out++ = base64_alphabet[bits >> 12 & 63];
        *out++ = len == 2 ? base64_alphabet[bits >> 6 & 63] : '=';
        *out = '=';
    }
}

/* The 24 bits of four characters, or a number above them. */
static uint32_t base64_bits(const char *text)
{
    uint32_t a = (uint32_t)base64_values[(uint8_t)text[0]] - 1;
    uint32_t b = (uint32_t)base64_values[(uint8_t)text[1]] - 1;
    uint32_t c = (uint32_t)base64_values[(uint8_t)text[2]] - 1;
    uint32_t d = (uint32_t)base64_values[(uint8_t)text[3]] - 1;
    /* The table's 0 is -1 here, and so has bits above the six: one test for all four. */
    if ((a | b | c | d) & ~UINT32_C(63))
        return UINT32_MAX;
    return a << 18 | b << 12 | c << 6 | d;
}

static char *base64_write(uint32_t bits, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        *out++ = (char)(bits >> (16 - 8 * i));
    return out;
}

/* The last four characters, of which one or two are padding. NULL: bad, or bits that count are
 * lost. RFC 4648 3.5 lets a decoder refuse those, so that no value has two forms. */
static char *base64_decode_last(const char *text, size_t padding, char *out)
{
    char last[4] = {text[0], text[1], padding == 2 ? 'A' : text[2], 'A'};
    uint32_t bits = base64_bits(last);
    if (bits == UINT32_MAX || bits & (padding == 2 ? 0xffffU : 0xffU))
        return NULL;
    return base64_write(bits, 3 - padding, out);
}

bool base64_decode(const char *text, size_t len, char *out, size_t *out_len)
{
    if (len % 4)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    char *end = out;
    size_t whole = padding ? len - 4 : len;
    /* In place, too: what is written stays behind what has been read, three octets to four. */
    for (size_t i = 0; i < whole; i += 4) {
        uint32_t bits = base64_bits(text + i);
        if (bits == UINT32_MAX)
            return false;
        *end++ = (char)(bits >> 16);
        *end++ = (char)(bits >> 8);
        *end++ = (char)bits;
    }
    if (padding)
        end = base64_decode_last(text + whole, padding, end);
    if (!end)
        return false;
    *out_len = (size_t)(end - out);
    return true;
}
