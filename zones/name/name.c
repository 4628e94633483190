#include "name.h"

#include "registry/base/random.h"

#include <stdio.h>

void name_fold_exact(uint8_t *out, const uint8_t *in, size_t len)
{
    size_t whole = len - len % NAME_PAD;
    name_fold(out, (struct name_padded){in, whole});
    for (size_t i = whole; i < len; i++)
        out[i] = name_fold_octet(in[i]);
}

enum status name_seed_init(struct name_seed *out)
{
    return random_fill(out, sizeof(*out));
}

enum status name_from_text(const char *text, struct name_buffer *out, struct detail *why)
{
    uint8_t wire[NAME_MAX_LEN];
    size_t len = 0;
    const char *at = text;
    if (strcmp(text, ".") == 0)
        at = "";
    while (*at) {
        size_t label = strcspn(at, ".");
        if (label == 0 || label > NAME_LABEL_MAX || memchr(at, '\\', label))
            return detail_set(why, STATUS_BAD_INPUT, "\"%s\" is no domain name", text);
        if (len + 1 + label + 1 > NAME_MAX_LEN)
            return detail_set(why, STATUS_BAD_INPUT, "\"%s\" is longer than 255 octets", text);
        wire[len++] = (uint8_t)label;
        memcpy(wire + len, at, label);
        len += label;
        at += label;
        if (*at == '.')
            at++;
    }
    wire[len++] = 0;
    memcpy(out->octets, wire, len);
    out->len = (uint8_t)len;
    return STATUS_OK;
}

/* Escaped is what the reader of a master file would take for something else: the end of a label, a
 * comment, a quote, parentheses, the origin, a directive; and, as numbers, what is no printable
 * ASCII. */
static char *name_octet_to_text(uint8_t octet, char *at)
{
    if (octet <= 0x20 || octet >= 0x7f)
        return at + snprintf(at, 5, "\\%03u", octet);
    if (strchr(".\\\"();@$", octet))
        *at++ = '\\';
    *at++ = (char)octet;
    return at;
}

void name_to_text(const uint8_t *name, size_t len, char out[NAME_TEXT_MAX])
{
    char *at = out;
    size_t i = 0;
    while (i < len && name[i] != 0) {
        size_t end = i + 1 + name[i];
        for (i++; i < end && i < len; i++)
            at = name_octet_to_text(name[i], at);
        *at++ = '.';
    }
    if (at == out)
        *at++ = '.';
    *at = '\0';
}
