#include "width.h"

#include "registry/base/utf8.h"

#include <string.h>
#include <wchar.h>

#define DOTS     "..."
#define DOTS_LEN 3

/* The process stays in the locale "C", as nobody calls setlocale(): there wcwidth() knows ASCII
 * alone, so this brings its own. */
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

/* Columns of one character, or of what stands for it. */
static size_t width_columns_of(const struct width *width, const char *shown, size_t len)
{
    uint32_t character = 0;
    if (utf8_decode(shown, len, &character) != len)
        return len; /* "\xNN" */
    if (!width->locale || character < 0x80)
        return 1;
    /* A character that the locale does not know yet is likely shown as one box. */
    int columns = wcwidth((wchar_t)character);
    return columns < 0 ? 1 : (size_t)columns;
}

/* A text that is being shown, and where it ends if it has to be cut. */
struct line {
    size_t len, columns;
    size_t cut_len, cut_columns; /* room is left for the dots */
};

/* One character more. False: it is too much. */
static bool width_add(struct line *line, const char *shown, size_t len, size_t columns, size_t max,
                      char *out)
{
    /* Octets are bounded as well, for combining characters take no column: a cell could be
     * endless. */
    if (line->columns + columns > max || line->len + len > WIDTH_OCTETS_MAX)
        return false;
    memcpy(out + line->len, shown, len);
    line->len += len;
    line->columns += columns;
    if (line->columns + DOTS_LEN <= max && line->len + DOTS_LEN <= WIDTH_OCTETS_MAX) {
        line->cut_len = line->len;
        line->cut_columns = line->columns;
    }
    return true;
}

static struct line width_run_show(const struct width *width, const char *text, size_t len,
                                  size_t max, char *out)
{
    struct line line = {0};
    for (size_t at = 0; at < len;) {
        char shown[2 * UTF8_SHOW_MAX + 1];
        uint32_t character;
        size_t octets = utf8_decode(text + at, len - at, &character);
        /* What is no UTF-8 goes octet by octet. */
        octets += octets == 0;
        size_t shown_len = utf8_show(text + at, octets, shown, sizeof(shown));
        if (!width_add(&line, shown, shown_len, width_columns_of(width, shown, shown_len), max,
                       out)) {
            memcpy(out + line.cut_len, DOTS, DOTS_LEN);
            line.len = line.cut_len + DOTS_LEN;
            line.columns = line.cut_columns + DOTS_LEN;
            break;
        }
        at += octets;
    }
    return line;
}

/* The common case, which needs no look at each character's width. */
static bool width_is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

size_t width_show(const struct width *width, const char *text, size_t len, size_t max, char *out,
                  size_t *columns)
{
    if (len <= max && width_is_plain(text, len)) {
        if (len > 0)
            memcpy(out, text, len);
        *columns = len;
        return len;
    }
    /* There is no wcwidth_l(): the locale is this thread's for as long as it takes. */
    locale_t previous = width->locale ? uselocale(width->locale) : (locale_t)0;
    struct line line = width_run_show(width, text, len, max, out);
    if (previous)
        uselocale(previous);
    *columns = line.columns;
    return line.len;
}
