#include "exposition.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EXPOSITION_DIGITS "0123456789"

#define EXPOSITION_LOWER "abcdefghijklmnopqrstuvwxyz"

struct exposition {
    const char *text, *at;
    char family[128]; /* with the prefix */
    bool is_counter;
    size_t samples; /* of the family */
    size_t families;
};

/* Take one of these octets, at least once; false where none is. */
static bool exposition_span(struct exposition *in, const char *octets)
{
    size_t len = strspn(in->at, octets);
    in->at += len;
    return len > 0;
}

static bool exposition_take(struct exposition *in, const char *text)
{
    if (strncmp(in->at, text, strlen(text)) != 0)
        return false;
    in->at += strlen(text);
    return true;
}

static bool exposition_name(struct exposition *in)
{
    return exposition_take(in, "empusa_") &&
           exposition_span(in, EXPOSITION_LOWER EXPOSITION_DIGITS "_");
}

/* Quoted; printable; of backslashes only those of the format. */
static bool exposition_label_value(struct exposition *in)
{
    if (!exposition_take(in, "\""))
        return false;
    for (; *in->at && *in->at != '"'; in->at++) {
        if ((unsigned char)*in->at < ' ' || (unsigned char)*in->at > '~')
            return false;
        if (*in->at == '\\' && !strchr("\\\"n", *++in->at))
            return false;
    }
    return exposition_take(in, "\"");
}

static bool exposition_labels(struct exposition *in)
{
    if (!exposition_take(in, "{"))
        return true;
    do {
        if (!exposition_span(in, EXPOSITION_LOWER "_") || !exposition_take(in, "=") ||
            !exposition_label_value(in))
            return false;
    } while (exposition_take(in, ","));
    return exposition_take(in, "}");
}

static bool exposition_number(struct exposition *in)
{
    if (exposition_take(in, "+Inf"))
        return true;
    return exposition_span(in, EXPOSITION_DIGITS) &&
           (!exposition_take(in, ".") || exposition_span(in, EXPOSITION_DIGITS));
}

/* Whether a line that begins like this has come before. */
static bool exposition_is_again(const struct exposition *in, const char *start, size_t len)
{
    const char *line = in->text;
    while (line < start) {
        if (strncmp(line, start, len) == 0)
            return true;
        line = strchr(line, '\n') + 1;
    }
    return false;
}

static bool exposition_sample(struct exposition *in)
{
    const char *start = in->at;
    if (!exposition_name(in) || (size_t)(in->at - start) != strlen(in->family) ||
        strncmp(start, in->family, strlen(in->family)) != 0)
        return false;
    if (!exposition_labels(in) || !exposition_take(in, " ") ||
        exposition_is_again(in, start, (size_t)(in->at - start)))
        return false;
    in->samples++;
    return exposition_number(in) && exposition_take(in, "\n");
}

static bool exposition_ends_in_total(const char *name)
{
    size_t len = strlen(name);
    return len > 6 && strcmp(name + len - 6, "_total") == 0;
}

static bool exposition_head(struct exposition *in)
{
    const char *start = in->at, *name = in->at + 7;
    if (!exposition_take(in, "# HELP ") || !exposition_name(in))
        return false;
    snprintf(in->family, sizeof(in->family), "%.*s", (int)(in->at - name), name);
    size_t help = strcspn(in->at, "\n\\");
    if (!exposition_take(in, " ") || help < 5 || in->at[help - 2] != '.' ||
        exposition_is_again(in, start, (size_t)(in->at - start)))
        return false;
    in->at += help - 1;
    if (!exposition_take(in, "\n# TYPE ") || !exposition_take(in, in->family))
        return false;
    in->is_counter = exposition_take(in, " counter\n");
    in->families++;
    in->samples = 0;
    return (in->is_counter || exposition_take(in, " gauge\n")) &&
           in->is_counter == exposition_ends_in_total(in->family);
}

const char *exposition_fault(const char *text, size_t *families)
{
    struct exposition in = {.text = text, .at = text};
    while (*in.at) {
        const char *line = in.at;
        if (!exposition_head(&in))
            return line;
        do {
            line = in.at;
            if (!exposition_sample(&in))
                return line;
        } while (*in.at && *in.at != '#');
    }
    *families = in.families;
    return NULL;
}
