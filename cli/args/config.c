#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

ssize_t config_read_octets(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -1;
    size_t len = 0;
    ssize_t got = 1;
    while (len < size && got != 0) {
        got = read(fd, out + len, size - len);
        if (got < 0 && errno != EINTR)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    int problem = errno;
    close(fd);
    errno = problem;
    return got < 0 ? -1 : (ssize_t)len;
}

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
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    return *text && strchr(letters, *text) &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")] ==
               '\0';
}

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
    if (!config_is_name(name))
        return detail_set(why, STATUS_BAD_INPUT, "\"%s\" is no name of a variable", name);
    enum status status = config_unquote(&value, why);
    if (status == STATUS_OK)
        config->items[config->count++] = (struct config_item){name, value, number};
    return status;
}

static enum status config_read_lines(struct config *config, size_t len, struct detail *why)
{
    size_t mark = strlen(BYTE_ORDER_MARK);
    char *line = config->text, *end = config->text + len;
    if (strncmp(line, BYTE_ORDER_MARK, mark) == 0)
        line += mark;
    for (unsigned number = 1; line < end; number++) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!line_end)
            line_end = end;
        *line_end = '\0';
        enum status status = strlen(line) == (size_t)(line_end - line)
                                 ? config_read_line(config, line, number, why)
                                 : detail_set(why, STATUS_BAD_INPUT, "a NUL octet: is it a text?");
        if (status != STATUS_OK)
            return detail_wrap(why, status, "line %u", number);
        line = line_end + 1;
    }
    return STATUS_OK;
}

static enum status config_read_file(const char *path, struct config *config, struct detail *why)
{
    config->size = CONFIG_SIZE_MAX + 1;
    config->text = malloc(config->size);
    if (!config->text)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    ssize_t len = config_read_octets(path, config->text, config->size);
    if (len < 0)
        return detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
    if (len > (ssize_t)CONFIG_SIZE_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "longer than %u octets", CONFIG_SIZE_MAX);
    config->text[len] = '\0';
    config->size = (size_t)len + 1; /* all that needs to be overwritten */
    size_t line_count = 1;
    for (ssize_t i = 0; i < len; i++)
        line_count += config->text[i] == '\n';
    config->items = calloc(line_count, sizeof(*config->items));
    if (!config->items)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    return config_read_lines(config, (size_t)len, why);
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
    if (config->text)
        explicit_bzero(config->text, config->size);
    free(config->text);
    free(config->items);
    *config = (struct config){0};
}

const struct config_item *config_find(const struct config *config, const char *name)
{
    for (size_t i = config ? config->count : 0; i > 0; i--) {
        if (strcmp(config->items[i - 1].name, name) == 0)
            return &config->items[i - 1];
    }
    return NULL;
}
