#include "config.h"

#include <stdlib.h>
#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A CR is the end of a line that was written on Windows. */
static bool config_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Text without blanks at its ends; what stood behind it becomes a NUL. */
static char *config_trim(char *text)
{
    while (config_is_blank(*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && config_is_blank(text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

static bool config_is_name(const char *text)
{
    static const char octets[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *text && !(*text >= '0' && *text <= '9') && text[strspn(text, octets)] == '\0';
}

/* A quote without its other half is refused: kept as a part of the value, a password's say, it
 * would be found much later. */
static enum status config_unquote(char **value, struct detail *why)
{
    char quote = **value;
    size_t len = strlen(*value);
    if (quote != '"' && quote != '\'')
        return STATUS_OK;
    if (len < 2 || (*value)[len - 1] != quote)
        return detail_set(why, STATUS_BAD_INPUT,
                          "the value begins with a %c but does not end in it", quote);
    (*value)[len - 1] = '\0';
    ++*value;
    return STATUS_OK;
}

/* A line without its LF. */
static enum status config_read_line(struct config *config, char *line, unsigned number,
                                    struct detail *why)
{
    line = config_trim(line);
    if (*line == '\0' || *line == '#' || *line == ';')
        return STATUS_OK;
    char *equals = strchr(line, '=');
    if (!equals)
        return detail_set(why, STATUS_BAD_INPUT, "not NAME=VALUE");
    *equals = '\0';
    char *name = config_trim(line), *value = config_trim(equals + 1);
    /* Not quoted: it may be a password, as in NAME: VALUE= or a line of one that has several. */
    if (!config_is_name(name))
        return detail_set(why, STATUS_BAD_INPUT, "what is before the = is no name of a variable");
    enum status status = config_unquote(&value, why);
    if (status == STATUS_OK)
        config->items[config->count++] = (struct config_item){name, value, number};
    return status;
}

static enum status config_read_lines(struct config *config, struct detail *why)
{
    size_t mark = strlen(BYTE_ORDER_MARK);
    char *rest = config->file.data, *line;
    const char *end = rest + config->file.len;
    /* Editors of Windows put it there; the first name would begin with it. */
    if (strncmp(rest, BYTE_ORDER_MARK, mark) == 0)
        rest += mark;
    for (unsigned number = 1; (line = strsep(&rest, "\n")); number++) {
        /* strsep() stops at any NUL, not only at the one behind the file. */
        enum status status = rest || line + strlen(line) == end
                                 ? config_read_line(config, line, number, why)
                                 : detail_set(why, STATUS_BAD_INPUT, "a NUL octet: is it a text?");
        if (status != STATUS_OK)
            return detail_wrap(why, status, "line %u", number);
    }
    return STATUS_OK;
}

static enum status config_read_file(const char *path, struct config *config, struct detail *why)
{
    enum status status = file_read(path, CONFIG_SIZE_MAX, true, &config->file, why);
    if (status != STATUS_OK)
        return status;
    /* No line is more than one item. */
    size_t line_count = 1;
    for (size_t i = 0; i < config->file.len; i++)
        line_count += config->file.data[i] == '\n';
    config->items = calloc(line_count, sizeof(*config->items));
    if (!config->items)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    return config_read_lines(config, why);
}

enum status config_read(const char *path, struct config *out, struct detail *why)
{
    struct config config = {0};
    enum status status = config_read_file(path, &config, why);
    if (status == STATUS_OK)
        *out = config;
    else
        config_clear(&config);
    return status;
}

void config_clear(struct config *config)
{
    file_clear(&config->file);
    free(config->items);
    *config = (struct config){0};
}

const struct config_item *config_find(const struct config *config, const char *name)
{
    /* From the end: of several lines with this name the last one counts. */
    for (size_t i = config ? config->count : 0; i > 0; i--) {
        if (strcmp(config->items[i - 1].name, name) == 0)
            return &config->items[i - 1];
    }
    return NULL;
}
