/* One pass that copies the text and rewrites what cJSON would refuse. It knows strings, numbers and
 * brackets and no grammar: commas and colons are copied, and cJSON finds what is wrong with them.
 * Only that brackets match is looked after here, since cJSON does not see those that are left out.
 * Nothing becomes longer than it was, so the copy fits where the value did. */
#include "entry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPE_LEN  6                         /* "\u0000" */
#define NUMBER_MAX  40                        /* cJSON reads 63 characters; "%.17g" has 24 */
#define DEPTH_MAX   16                        /* of objects and arrays; what is read is 2 deep */
#define BRACKET_MAX (ENTRY_VALUE_MAX / 8 + 1) /* octets, a bit for each */

struct text {
    const char *at, *end;
    char *out;
    uint8_t stand_in;
    bool has_nul;
    size_t depth;
    char *deep;                    /* where it began to be too deep */
    uint8_t brackets[BRACKET_MAX]; /* a bit for each that is open: 1 is a '[' */
};

/* An octet that stands for U+0000; 0 when the value has all of them in it. Above 0xf4 none is UTF-8
 * (RFC 3629), but a value may be anything. */
static uint8_t entry_text_choose_stand_in(const char *value, size_t len)
{
    for (int octet = 0xff; octet > 0xf4; octet--)
        if (!memchr(value, octet, len))
            return (uint8_t)octet;
    return 0;
}

static void entry_text_copy(struct text *text, size_t len)
{
    memcpy(text->out, text->at, len);
    text->out += len;
    text->at += len;
}

static void entry_text_replace(struct text *text, size_t len, const char *with)
{
    size_t with_len = strlen(with);
    memcpy(text->out, with, with_len);
    text->out += with_len;
    text->at += len;
}

/* The number in \uXXXX at this place; -1: there is none. */
static int entry_text_escape_at(const struct text *text, const char *at)
{
    int unit = 0;
    if (text->end - at < ESCAPE_LEN || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (size_t i = 2; i < ESCAPE_LEN; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = at[i] ? strchr(digits, at[i]) : NULL;
        if (!digit)
            return -1;
        unit = unit << 4 | (int)((digit - digits) & 15);
    }
    return unit;
}

/* Of two surrogates the second half follows at once. */
static void entry_text_copy_unit(struct text *text, int unit)
{
    int next = entry_text_escape_at(text, text->at + ESCAPE_LEN);
    bool is_pair = unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000;
    if (unit == 0 && text->stand_in) {
        text->has_nul = true;
        *text->out++ = (char)text->stand_in;
        text->at += ESCAPE_LEN;
    } else if (is_pair) {
        entry_text_copy(text, (size_t)2 * ESCAPE_LEN);
    } else if (unit == 0 || (unit >= 0xd800 && unit < 0xe000)) {
        entry_text_replace(text, ESCAPE_LEN, "\\ufffd");
    } else {
        entry_text_copy(text, ESCAPE_LEN);
    }
}

/* A raw NUL is no JSON (RFC 8259 7), and a string of cJSON's would end at it. */
static bool entry_text_copy_string(struct text *text)
{
    entry_text_copy(text, 1);
    while (text->at < text->end && *text->at != '"') {
        if (*text->at == '\0' || (*text->at == '\\' && text->at + 1 == text->end))
            return false;
        int unit = entry_text_escape_at(text, text->at);
        if (unit >= 0)
            entry_text_copy_unit(text, unit);
        else if (*text->at == '\\' && text->at[1] == 'u')
            return false;
        else
            entry_text_copy(text, *text->at == '\\' ? 2 : 1);
    }
    if (text->at == text->end)
        return false;
    entry_text_copy(text, 1);
    return true;
}

/* What is copied is never longer than what it comes from: there is room for the NUL. 17 digits give
 * the same double back; 1e999 is read as infinity again, which no member takes. */
static bool entry_text_copy_number(struct text *text)
{
    char *number = text->out, *stop, made[32];
    size_t len = 0;
    while (text->at + len < text->end && text->at[len] && strchr("0123456789+-.eE", text->at[len]))
        len++;
    if (text->at + len == text->end)
        return false;
    entry_text_copy(text, len);
    if (len <= NUMBER_MAX)
        return true;
    *text->out = '\0';
    double value = strtod(number, &stop);
    if (stop != text->out)
        return false;
    if (isinf(value))
        snprintf(made, sizeof(made), "%s", value < 0 ? "-1e999" : "1e999");
    else
        snprintf(made, sizeof(made), "%.17g", value);
    text->out = number;
    entry_text_replace(text, 0, made);
    return true;
}

static void entry_text_open_bracket(struct text *text)
{
    size_t bit = text->depth++;
    if (bit == DEPTH_MAX)
        text->deep = text->out;
    text->brackets[bit / 8] &= (uint8_t) ~(1U << bit % 8);
    if (*text->at == '[')
        text->brackets[bit / 8] |= (uint8_t)(1U << bit % 8);
    entry_text_copy(text, 1);
}

static bool entry_text_close_bracket(struct text *text)
{
    if (text->depth == 0)
        return false;
    size_t bit = --text->depth;
    bool is_array = text->brackets[bit / 8] >> bit % 8 & 1;
    if (is_array != (*text->at == ']'))
        return false;
    entry_text_copy(text, 1);
    /* All of it goes, back to where it began: a number is of the wrong type, too. */
    if (bit == DEPTH_MAX) {
        text->out = text->deep;
        *text->out++ = '0';
    }
    return true;
}

static bool entry_text_copy_next(struct text *text)
{
    char c = *text->at;
    if (c == '"')
        return entry_text_copy_string(text);
    if (c == '-' || (c >= '0' && c <= '9'))
        return entry_text_copy_number(text);
    if (c == '}' || c == ']')
        return entry_text_close_bracket(text);
    if (c == '{' || c == '[')
        entry_text_open_bracket(text);
    else
        entry_text_copy(text, 1);
    return c != '\0';
}

size_t entry_text_prepare(const char *value, size_t len, char *out, uint8_t *nul)
{
    struct text text = {.at = value,
                        .end = value + len,
                        .out = out,
                        .stand_in = entry_text_choose_stand_in(value, len)};
    while (text.at < text.end)
        if (!entry_text_copy_next(&text))
            return 0;
    if (text.depth > 0)
        return 0;
    *nul = text.has_nul ? text.stand_in : 0;
    return (size_t)(text.out - out);
}
