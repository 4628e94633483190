#include "endpoint.h"

#include "registry/base/address.h"
#include "registry/base/ascii.h"

#include <stdio.h>
#include <string.h>

#define ENDPOINT_BLANKS " \t\r\n"

/* RFC 3986 3.1: in a scheme, case does not matter. */
static bool endpoint_has_prefix(const char *text, size_t len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);
    return len >= prefix_len && ascii_equal(text, prefix, prefix_len);
}

/* Take a scheme and the '/' that may end what follows it off the text. False: there is none. */
static bool endpoint_strip_scheme(const char **text, size_t *len, bool *is_https)
{
    static const struct {
        const char *text;
        bool is_https;
    } schemes[] = {{"http://", false}, {"https://", true}};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!endpoint_has_prefix(*text, *len, schemes[i].text))
            continue;
        *is_https = schemes[i].is_https;
        *text += strlen(schemes[i].text);
        *len -= strlen(schemes[i].text);
        if (*len > 0 && (*text)[*len - 1] == '/')
            --*len;
        return true;
    }
    return false;
}

/* What is wrong with it as a URL, which address_parse() would call a fault of its host or its port.
 * NULL: nothing. */
static const char *endpoint_fault_of_url(const char *rest, size_t len, bool has_scheme)
{
    if (!has_scheme && memmem(rest, len, ":/", 2))
        return "a URL has to begin with http:// or https://";
    for (size_t i = 0; i < len; i++)
        if (strchr("/?#", rest[i]) && rest[i]) /* strchr() finds a NUL, too */
            return "nothing may follow HOST:PORT";
    return NULL;
}

/* What has an '@' in it is not quoted, not even in part: it may hold a password. */
static enum status endpoint_refuse_user(const char *text, size_t len, struct detail *why)
{
    if (!memchr(text, '@', len))
        return STATUS_OK;
    return detail_set(why, STATUS_BAD_INPUT, "a user and a password do not belong there");
}

enum status endpoint_parse(const char *text, size_t len, bool https_by_default,
                           struct endpoint *out, struct detail *why)
{
    struct endpoint endpoint = {.is_https = https_by_default};
    struct address location;
    const char *rest = text;
    size_t rest_len = len;
    enum status status = endpoint_refuse_user(text, len, why);
    if (status != STATUS_OK)
        return status;
    bool has_scheme = endpoint_strip_scheme(&rest, &rest_len, &endpoint.is_https);
    const char *fault = endpoint_fault_of_url(rest, rest_len, has_scheme);
    if (fault)
        return detail_set(why, STATUS_BAD_INPUT, "%s", fault);
    if (address_parse(rest, rest_len, &location, why) != STATUS_OK)
        return STATUS_BAD_INPUT;
    memcpy(endpoint.host, location.host, location.host_len);
    endpoint.host[location.host_len] = '\0';
    endpoint.port = location.port;
    endpoint.is_literal = location.kind != HOST_KIND_NAME;
    /* Put together anew, so that two spellings of one endpoint are one; RFC 3986 3.2.2 asks for the
     * brackets. */
    bool has_colon = strchr(endpoint.host, ':');
    snprintf(endpoint.url, sizeof(endpoint.url), "%s://%s%s%s:%u",
             endpoint.is_https ? "https" : "http", has_colon ? "[" : "", endpoint.host,
             has_colon ? "]" : "", (unsigned)endpoint.port);
    *out = endpoint;
    return STATUS_OK;
}

/* RFC 4343: in a host's name, case does not matter. */
static bool endpoint_is_known(const struct endpoint *list, size_t count,
                              const struct endpoint *endpoint)
{
    size_t len = strlen(endpoint->url);
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i].url) == len && ascii_equal(list[i].url, endpoint->url, len))
            return true;
    return false;
}

/* One item of a list. */
static enum status endpoint_add_item(const char *text, size_t len, bool https_by_default,
                                     struct endpoint *list, size_t max, size_t *count,
                                     struct detail *why)
{
    struct endpoint endpoint;
    if (len == 0)
        return detail_set(why, STATUS_BAD_INPUT, "an empty endpoint");
    enum status status = endpoint_parse(text, len, https_by_default, &endpoint, why);
    if (status != STATUS_OK || endpoint_is_known(list, *count, &endpoint))
        return status;
    if (*count == max)
        return detail_set(why, STATUS_BAD_INPUT, "more than %zu endpoints", max);
    list[(*count)++] = endpoint;
    return STATUS_OK;
}

enum status endpoint_parse_list(const char *text, bool https_by_default, struct endpoint *list,
                                size_t max, size_t *count, struct detail *why)
{
    size_t new_count = *count;
    enum status status =
        endpoint_refuse_user(text, strlen(text), why); /* it may hold commas, too */
    if (status != STATUS_OK)
        return status;
    bool has_comma;
    text += strspn(text, ENDPOINT_BLANKS);
    do {
        size_t len = strcspn(text, "," ENDPOINT_BLANKS);
        status = endpoint_add_item(text, len, https_by_default, list, max, &new_count, why);
        if (status != STATUS_OK)
            return status;
        text += len + strspn(text + len, ENDPOINT_BLANKS);
        has_comma = *text == ',';
        if (has_comma)
            text += 1 + strspn(text + 1, ENDPOINT_BLANKS);
    } while (*text || has_comma);
    *count = new_count;
    return STATUS_OK;
}
