#include "key.h"

#include "registry/base/ascii.h"
#include "registry/base/utf8.h"

#include <string.h>

static const char service_part[] = "/service/";
static const char switch_part[] = "/switch/";

/* <what> "<text>": before the fault. */
static enum status key_refuse(struct detail *why, const char *what, const char *text)
{
    char shown[sizeof(why->text) / 2];
    utf8_show(text, strlen(text), shown, sizeof(shown));
    return detail_wrap(why, STATUS_BAD_INPUT, "%s \"%s\"", what, shown);
}

/* What is wrong with any text that goes into a key; NULL = nothing. Keys stand in messages and
 * tables, and their parts become labels of DNS. */
static const char *key_text_fault(const char *text)
{
    if (*text == '\0')
        return "must not be empty";
    if (!utf8_is_clean(text, strlen(text)))
        return "must be UTF-8 without control characters";
    return NULL;
}

/* What is wrong with a type or a name; NULL = nothing. */
static const char *key_part_fault(const char *text)
{
    const char *fault = key_text_fault(text);
    if (fault)
        return fault;
    if (strchr(text, '/'))
        return "'/' is not allowed";
    if (strlen(text) > KEY_PART_MAX)
        return "longer than 200 octets";
    return NULL;
}

/* One form for all spellings, as etcd compares octets: /foo and /foo/ are one tree. */
enum status key_root_parse(const char *text, struct key_root *out, struct detail *why)
{
    const char *fault = key_text_fault(text);
    struct key_root root = {.len = 0};
    if (fault)
        return detail_set(why, STATUS_BAD_INPUT, "%s", fault);
    for (const char *at = text + strspn(text, "/"); *at != '\0'; at += strspn(at, "/")) {
        size_t len = strcspn(at, "/");
        if (root.len + 1 + len > KEY_ROOT_MAX)
            return detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", KEY_ROOT_MAX);
        root.text[root.len++] = '/';
        memcpy(root.text + root.len, at, len);
        root.len += len;
        at += len;
    }
    *out = root;
    return STATUS_OK;
}

/* Put strings together. Roots, parts and the checks before keep them within KV_KEY_MAX. */
static void key_join(struct kv_key *out, const struct key_root *root, const char *part,
                     const char *first, const char *between, const char *second)
{
    const char *pieces[] = {root->text, part, first, between, second};
    out->len = 0;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        size_t len = strnlen(pieces[i], KV_KEY_MAX - out->len);
        memcpy(out->text + out->len, pieces[i], len);
        out->len += len;
    }
    out->text[out->len] = '\0';
}

enum status key_check_type(const char *type, struct detail *why)
{
    struct key_base base;
    const char *fault = key_part_fault(type);
    key_type_base(type, strlen(type), &base);
    if (!fault && key_is_reserved(&base))
        fault = "is reserved for DNS-SD itself";
    return fault ? detail_set(why, STATUS_BAD_INPUT, "%s", fault) : STATUS_OK;
}

enum status key_check_name(const char *name, struct detail *why)
{
    const char *fault = key_part_fault(name);
    return fault ? detail_set(why, STATUS_BAD_INPUT, "%s", fault) : STATUS_OK;
}

enum status key_of_service(const struct key_root *root, const char *type, const char *name,
                           struct kv_key *out, struct detail *why)
{
    if (key_check_type(type, why) != STATUS_OK)
        return key_refuse(why, "service type", type);
    if (key_check_name(name, why) != STATUS_OK)
        return key_refuse(why, "service name", name);
    key_join(out, root, service_part, type, "/", name);
    return STATUS_OK;
}

enum status key_of_switch(const struct key_root *root, const char *path, struct kv_key *out,
                          struct detail *why)
{
    const char *fault = key_text_fault(path);
    size_t len = strlen(path);
    /* Each part becomes a label of DNS, and only the root's is empty. */
    if (!fault && (path[0] == '/' || path[len - 1] == '/' || strstr(path, "//")))
        fault = "a part between two '/' is empty";
    if (!fault && root->len + sizeof(switch_part) - 1 + len > KV_KEY_MAX)
        fault = "too long";
    if (fault) {
        detail_set(why, STATUS_BAD_INPUT, "%s", fault);
        return key_refuse(why, "switch", path);
    }
    key_join(out, root, switch_part, path, "", "");
    return STATUS_OK;
}

void key_prefix(const struct key_root *root, enum key_part part, struct kv_key *out)
{
    static const char *const parts[] = {
        [KEY_ALL] = "/", [KEY_SERVICES] = service_part, [KEY_SWITCHES] = switch_part};
    key_join(out, root, parts[part], "", "", "");
}

/* It ends in a '/': "web" must not list what is of type "webmail". */
enum status key_type_prefix(const struct key_root *root, const char *type, struct kv_key *out,
                            struct detail *why)
{
    enum status status = key_check_name(type, why);
    if (status == STATUS_OK)
        key_join(out, root, service_part, type, "/", "");
    return status;
}

static bool key_take_prefix(const char **text, size_t *len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);
    if (*len < prefix_len || memcmp(*text, prefix, prefix_len) != 0)
        return false;
    *text += prefix_len;
    *len -= prefix_len;
    return true;
}

void key_split(const char *key, size_t len, struct key_parts *out)
{
    *out = (struct key_parts){.kind = KEY_KIND_OTHER};
    if (key_take_prefix(&key, &len, switch_part)) {
        if (len > 0)
            *out = (struct key_parts){.kind = KEY_KIND_SWITCH, .name = key, .name_len = len};
        return;
    }
    if (!key_take_prefix(&key, &len, service_part))
        return;
    /* A name may have a '/' in it, a type may not: the first one ends the type. */
    const char *slash = memchr(key, '/', len);
    size_t type_len = slash ? (size_t)(slash - key) : len;
    /* An empty name is none: "/service/web/" is no service. */
    if (type_len == 0 || type_len + 1 >= len)
        return;
    *out = (struct key_parts){.kind = KEY_KIND_SERVICE,
                              .type = key,
                              .type_len = type_len,
                              .name = slash + 1,
                              .name_len = len - type_len - 1};
}

void key_type_base(const char *type, size_t len, struct key_base *out)
{
    static const struct {
        char text[6];
        enum key_suffix suffix;
    } suffixes[] = {{"._tcp", KEY_SUFFIX_TCP}, {"._udp", KEY_SUFFIX_UDP}};
    const size_t suffix_len = sizeof(suffixes[0].text) - 1;

    *out = (struct key_base){.text = type, .len = len, .suffix = KEY_SUFFIX_NONE};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (len < suffix_len || !ascii_equal(type + len - suffix_len, suffixes[i].text, suffix_len))
            continue;
        out->suffix = suffixes[i].suffix;
        out->len -= suffix_len;
        break;
    }
    if (out->len > 0 && type[0] == '_') {
        out->text++;
        out->len--;
    }
}

/* Below _dns-sd._udp are the names of DNS-SD itself (RFC 6763 9 and 11), which a type may not have.
 * As the zone folds it into a label: upper and lower case are one, and '_' becomes '-'. */
bool key_is_reserved(const struct key_base *base)
{
    static const char reserved[] = "dns-sd";
    if (base->len != sizeof(reserved) - 1)
        return false;
    for (size_t i = 0; i < base->len; i++) {
        char c = base->text[i] == '_' ? '-' : base->text[i];
        if (!ascii_equal(&c, &reserved[i], 1))
            return false;
    }
    return true;
}
