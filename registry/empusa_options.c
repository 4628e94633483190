#include "empusa_options.h"

#include "registry/base/file.h"
#include "registry/etcd/endpoint.h"

#include <stdlib.h>

#define MS_PER_S             1000
#define EMPUSA_SECRET_MAX    4096
#define EMPUSA_TIMEOUT_MAX_S 3600

/* A member of struct empusa_options, and the variables that stand in for it. */
static const struct {
    const char *field;
    size_t offset;
    const char *variable, *second_variable;
} rows[] = {
#define MEMBER(name) #name, offsetof(struct empusa_options, name)
    {MEMBER(endpoints), "EMPUSA_ETCD_ENDPOINT", NULL},
    {MEMBER(protocol), "EMPUSA_ETCD_PROTOCOL", NULL},
    {MEMBER(discovery_srv), "EMPUSA_ETCD_DISCOVERY_SRV", NULL},
    {MEMBER(tree_root), "EMPUSA_TREE_ROOT", NULL},
    {MEMBER(ca_bundle), "EMPUSA_CA_BUNDLE", "REQUESTS_CA_BUNDLE"},
    {MEMBER(cert), "EMPUSA_ETCD_CERT", NULL},
    {MEMBER(key), "EMPUSA_ETCD_KEY", NULL},
    {MEMBER(user), "EMPUSA_ETCD_USER", NULL},
    {MEMBER(password_file), "EMPUSA_ETCD_PASSWORD_FILE", NULL},
    {MEMBER(password), "EMPUSA_ETCD_PASSWORD", NULL},
#undef MEMBER
};

/* An empty one counts as unset. A program that has more rights than whoever started it does not
 * take them from there. */
static const char *empusa_options_variable(const char *name)
{
    const char *text = name ? secure_getenv(name) : NULL;
    return text && *text ? text : NULL;
}

/* A password is completed as a whole: one that the program gives, in whichever form, must not be
 * mixed with the environment's, whose file would be taken instead of it. */
static void empusa_options_complete(struct empusa_options *options)
{
    bool has_password = options->password || options->password_file;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char **member = (const char **)(void *)((char *)options + rows[i].offset);
        bool is_password = strncmp(rows[i].field, "password", strlen("password")) == 0;
        if (*member || options->no_environment || (is_password && has_password))
            continue;
        *member = empusa_options_variable(rows[i].variable);
        if (!*member)
            *member = empusa_options_variable(rows[i].second_variable);
    }
}

static enum status empusa_options_timeout(const struct empusa_options *options, uint32_t *out,
                                          struct detail *why)
{
    const char *text =
        options->no_environment ? NULL : empusa_options_variable("EMPUSA_ETCD_TIMEOUT");
    *out = options->timeout_ms;
    if (*out > 0 || !text)
        return STATUS_OK;
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    /* A digit first: strtoul() takes blanks and a sign, too, and -1 for a large number. */
    if (*text < '0' || *text > '9' || *end || number < 1 || number > EMPUSA_TIMEOUT_MAX_S)
        return detail_set(why, STATUS_BAD_INPUT,
                          "EMPUSA_ETCD_TIMEOUT \"%s\": not a whole number from 1 to %d", text,
                          EMPUSA_TIMEOUT_MAX_S);
    *out = (uint32_t)number * MS_PER_S;
    return STATUS_OK;
}

static enum status empusa_options_protocol(const struct empusa_options *options, bool *is_https,
                                           struct detail *why)
{
    const char *text = options->protocol ? options->protocol : "http";
    *is_https = strcmp(text, "https") == 0;
    if (*is_https || strcmp(text, "http") == 0)
        return STATUS_OK;
    return detail_set(why, STATUS_BAD_INPUT, "\"%s\" is neither http nor https", text);
}

/* What may hold a password is not quoted. */
static enum status empusa_options_discovery(const struct empusa_options *options,
                                            struct detail *why)
{
    if (!options->discovery_srv || !strchr(options->discovery_srv, '@'))
        return STATUS_OK;
    return detail_set(why, STATUS_BAD_INPUT, "a user and a password do not belong there");
}

static enum status empusa_options_endpoints(const struct empusa_options *options, bool is_https,
                                            struct endpoint *list, size_t *count,
                                            struct detail *why)
{
    if (options->endpoints)
        return endpoint_parse_list(options->endpoints, is_https, list, ENDPOINT_LIST_MAX, count,
                                   why);
    if (options->discovery_srv)
        return STATUS_OK;
    return detail_set(why, STATUS_BAD_INPUT, "neither given nor in EMPUSA_ETCD_ENDPOINT");
}

/* The first line of the file, or the password itself. */
static enum status empusa_options_password(const struct empusa_options *options, struct file *out,
                                           struct detail *why)
{
    if (!options->user)
        return STATUS_OK;
    /* A copy, so that file_clear() overwrites it: the program's own is not ours to touch. */
    if (options->password && !options->password_file) {
        out->data = strdup(options->password);
        out->len = strlen(options->password);
        return out->data ? STATUS_OK : detail_set(why, STATUS_NO_MEMORY, "out of memory");
    }
    if (!options->password_file)
        return detail_set(why, STATUS_BAD_INPUT, "a user needs a password");
    /* It may wait: a password may come through a pipe from whatever keeps it. */
    enum status status = file_read(options->password_file, EMPUSA_SECRET_MAX, true, out, why);
    if (status != STATUS_OK)
        return detail_wrap(why, status, "\"%s\"", options->password_file);
    out->data[strcspn(out->data, "\r\n")] = '\0';
    return STATUS_OK;
}

static enum status empusa_options_root(const struct empusa_options *options, struct key_root *root,
                                       struct detail *why)
{
    if (!options->tree_root)
        return detail_set(why, STATUS_BAD_INPUT, "neither given nor in EMPUSA_TREE_ROOT");
    return key_root_parse(options->tree_root, root, why);
}

/* What is checked here, each under its name: *field is left at the one that fails. The protocol
 * comes before the endpoints, which have it unless they name another. */
static enum status empusa_options_check(const struct empusa_options *options,
                                        struct etcd_options *wanted, struct endpoint *endpoints,
                                        struct file *password, const char **field,
                                        struct detail *why)
{
    enum status status = empusa_options_protocol(options, &wanted->is_https, why);
    *field = "protocol";
    if (status == STATUS_OK) {
        *field = "endpoints";
        status = empusa_options_endpoints(options, wanted->is_https, endpoints,
                                          &wanted->endpoint_count, why);
    }
    if (status == STATUS_OK) {
        *field = "discovery_srv";
        status = empusa_options_discovery(options, why);
    }
    if (status == STATUS_OK) {
        *field = "timeout_ms";
        status = empusa_options_timeout(options, &wanted->timeout_ms, why);
    }
    if (status == STATUS_OK) {
        *field = "password_file";
        status = empusa_options_password(options, password, why);
    }
    return status;
}

enum status empusa_options_connect(struct empusa_options *options, uv_loop_t *loop,
                                   struct key_root *root, struct etcd **etcd, const char **field,
                                   struct detail *why)
{
    struct file password = {.data = NULL};
    struct endpoint *endpoints = calloc(ENDPOINT_LIST_MAX, sizeof(*endpoints));
    if (!endpoints)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    empusa_options_complete(options);
    struct etcd_options wanted = {.endpoints = endpoints,
                                  .discovery_srv = options->discovery_srv,
                                  .ca_bundle = options->ca_bundle,
                                  .cert = options->cert,
                                  .key = options->key,
                                  .user = options->user};
    *field = "tree_root";
    enum status status = empusa_options_root(options, root, why);
    if (status == STATUS_OK)
        status = empusa_options_check(options, &wanted, endpoints, &password, field, why);
    if (status == STATUS_OK) {
        /* What may go wrong now, such as in a certificate file, says by itself what it is about. */
        *field = NULL;
        wanted.password = password.data;
        status = etcd_open(loop, &wanted, etcd, why);
    }
    /* etcd_open() has copied what it needs. */
    file_clear(&password);
    free(endpoints);
    return status;
}
