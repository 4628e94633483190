#include "connect.h"

#include "mask.h"

#include "cli/process/harden.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MS_PER_S 1000

/* A password may hold a comma or a blank, and so be in several items of the list: none is quoted.
 */
static enum status connect_refuse_user(const struct options *options, enum option_id id,
                                       struct detail *why)
{
    for (size_t i = 0; i < options_count(options, id); i++)
        if (strchr(options_item(options, id, i), '@'))
            return detail_set(
                why, STATUS_BAD_INPUT,
                "--%s: a user and a password do not belong there: see --etcd-user and "
                "--etcd-password-file",
                option_row(id)->name);
    return STATUS_OK;
}

static enum status connect_read_endpoints(const struct options *options, bool is_https,
                                          struct endpoint *list, size_t *count, struct detail *why)
{
    for (size_t i = 0; i < options_count(options, OPTION_ETCD_ENDPOINT); i++) {
        const char *text = options_item(options, OPTION_ETCD_ENDPOINT, i);
        enum status status =
            endpoint_parse_list(text, is_https, list, ENDPOINT_LIST_MAX, count, why);
        if (status != STATUS_OK)
            return options_fault(options, OPTION_ETCD_ENDPOINT, text, why);
    }
    return STATUS_OK;
}

/* Secrets may come; and of a file that others may read it is said. Where none come, a core file
 * gives nothing away, and may be of use. */
static void connect_protect(const struct options *options, const struct log *log)
{
    enum option_id holder = OPTION_ETCD_PASSWORD;
    const char *file = options_secret_file(options, holder);
    if (!options_has(options, OPTION_ETCD_PASSWORD) && !options_has(options, OPTION_ETCD_CERT))
        return;
    harden_secrets();
    /* The password itself may stand among the variables in the file of --config. */
    if (!file && options->values[OPTION_ETCD_PASSWORD].source == OPTION_FILE) {
        holder = OPTION_CONFIG;
        file = options_text(options, holder);
    }
    if (file)
        harden_warn(log, option_row(holder)->name, file);
}

static void connect_forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static enum status connect_read_password(const struct options *options, char **out,
                                         struct detail *why)
{
    char *password = NULL;
    enum status status = options_secret(options, OPTION_ETCD_PASSWORD, &password, why);
    if (status != STATUS_OK)
        return status;
    if (options_has(options, OPTION_ETCD_USER) && !password)
        return detail_set(why, STATUS_BAD_INPUT,
                          "--etcd-user needs --etcd-password-file or EMPUSA_ETCD_PASSWORD");
    *out = password;
    return STATUS_OK;
}

enum status connect_open(uv_loop_t *loop, const struct options *options, const struct log *log,
                         struct etcd **out, struct detail *why)
{
    struct endpoint *endpoints = calloc(ENDPOINT_LIST_MAX, sizeof(*endpoints));
    if (!endpoints)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    connect_protect(options, log);
    char *password = NULL;
    struct etcd_options wanted = {
        .endpoints = endpoints,
        .discovery_srv = options_text(options, OPTION_ETCD_DISCOVERY_SRV),
        .is_https = strcmp(options_text(options, OPTION_ETCD_PROTOCOL), "https") == 0,
        .ca_bundle = options_text(options, OPTION_CA_BUNDLE),
        .cert = options_text(options, OPTION_ETCD_CERT),
        .key = options_text(options, OPTION_ETCD_KEY),
        .user = options_text(options, OPTION_ETCD_USER),
        .timeout_ms = (uint32_t)options_number(options, OPTION_ETCD_TIMEOUT) * MS_PER_S,
        .log = *log,
    };
    enum status status = connect_refuse_user(options, OPTION_ETCD_ENDPOINT, why);
    if (status == STATUS_OK)
        status = connect_refuse_user(options, OPTION_ETCD_DISCOVERY_SRV, why);
    if (status == STATUS_OK)
        status = connect_read_endpoints(options, wanted.is_https, endpoints, &wanted.endpoint_count,
                                        why);
    if (status == STATUS_OK)
        status = connect_read_password(options, &password, why);
    if (status == STATUS_OK) {
        /* The variable may be there for others: without a user nobody logs in. */
        wanted.password = wanted.user ? password : NULL;
        status = etcd_open(loop, &wanted, out, why);
        if (status != STATUS_OK)
            mask_sentence(why->text); /* it names the files of certificates and key */
    }
    /* The client has copies of its own. */
    connect_forget(password);
    free(endpoints);
    return status;
}

/* Whoever answers meanwhile cannot wait for what comes through a pipe; nor is it there again. */
static enum status connect_check_again(const struct options *options, struct detail *why)
{
    struct stat st;
    const char *path = options_secret_file(options, OPTION_ETCD_PASSWORD);
    if (!path || stat(path, &st) != 0 || !S_ISFIFO(st.st_mode))
        return STATUS_OK;
    return detail_set(why, STATUS_BAD_INPUT, "--%s \"%s\": a pipe cannot be read again",
                      option_row(OPTION_ETCD_PASSWORD)->name, path);
}

enum status connect_reload(struct etcd *etcd, const struct options *options, struct detail *why)
{
    char *password = NULL;
    enum status status = connect_check_again(options, why);
    if (status == STATUS_OK)
        status = connect_read_password(options, &password, why);
    if (status == STATUS_OK)
        status = etcd_reload(etcd, password, why);
    connect_forget(password);
    return status;
}
