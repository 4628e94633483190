#include "cookie_secrets.h"

#include "registry/base/random.h"

#define SECRET_SIZE sizeof(((struct answer_env *)0)->secrets[0])
#define FILE_SIZE   4096

static int cookie_secrets_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 9018 hashes with SipHash-2-4, whose key has 16 octets. What stands behind the digits is
 * refused, as nobody can know what was meant. The NUL of a line that is too short is no digit:
 * nothing behind it is read. */
static bool cookie_secrets_read_line(const char *line, uint8_t *out)
{
    for (size_t i = 0; i < SECRET_SIZE; i++) {
        int high = cookie_secrets_digit(line[2 * i]);
        int low = high < 0 ? -1 : cookie_secrets_digit(line[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return line[2 * SECRET_SIZE + strspn(line + 2 * SECRET_SIZE, " \t\r\n")] == '\0';
}

static enum status cookie_secrets_read_lines(char *text, struct answer_env *out, struct detail *why)
{
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        /* Not ignored: it would be taken for a secret that is in force. */
        if (out->secret_count == ANSWER_SECRETS_MAX)
            return detail_set(why, STATUS_BAD_INPUT, "more than %d lines", ANSWER_SECRETS_MAX);
        if (!cookie_secrets_read_line(line, out->secrets[out->secret_count++]))
            return detail_set(why, STATUS_BAD_INPUT, "a line is not 32 hexadecimal digits");
    }
    if (out->secret_count == 0)
        return detail_set(why, STATUS_BAD_INPUT, "no line in it");
    return STATUS_OK;
}

/* A pipe may be waited for at the start alone: later the control thread would stand still
 * meanwhile, and changes of the registry with it. */
static enum status cookie_secrets_read_file(const char *path, bool is_first, struct answer_env *out,
                                            struct detail *why)
{
    struct file file;
    enum status status = file_read(path, FILE_SIZE, is_first, &file, why);
    if (status != STATUS_OK)
        return status;
    status = cookie_secrets_read_lines(file.data, out, why);
    file_clear(&file);
    return status;
}

static enum status cookie_secrets_make_random(struct answer_env *out, struct detail *why)
{
    if (random_fill(out->secrets[0], SECRET_SIZE) != STATUS_OK)
        return detail_set(why, STATUS_SYSTEM, "no random numbers");
    out->secret_count = 1;
    return STATUS_OK;
}

enum status cookie_secrets_load(const struct options *options, struct answer_env *env,
                                struct detail *why)
{
    const char *path = options_text(options, OPTION_COOKIE_SECRET);
    struct answer_env made = *env;
    enum status status;
    /* Random ones outlast SIGHUP: the cookies that clients have are made with them. */
    if (!path && env->secret_count > 0)
        return STATUS_OK;
    /* Into a copy, so that a file that is right in its first line only changes nothing. */
    explicit_bzero(made.secrets, sizeof(made.secrets));
    made.secret_count = 0;
    status = path ? cookie_secrets_read_file(path, env->secret_count == 0, &made, why)
                  : cookie_secrets_make_random(&made, why);
    if (status == STATUS_OK)
        *env = made;
    else if (path)
        options_fault(options, OPTION_COOKIE_SECRET, path, why);
    explicit_bzero(&made, sizeof(made));
    return status;
}
