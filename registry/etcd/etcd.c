#include "etcd.h"

#include "registry/base/address.h"
#include "rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETCD_TIMEOUT_MS 5000

static void etcd_free(struct etcd *etcd)
{
    auth_clear(&etcd->auth);
    member_clear(&etcd->members);
    free(etcd->discovery.domain);
    free(etcd->ca_bundle);
    free(etcd->cert);
    free(etcd->key);
    free(etcd);
}

/* On the loop's next turn: it may be a callback of the client that closes it, and functions further
 * up the stack still look at it. */
static void etcd_on_anchor_closed(uv_handle_t *handle)
{
    etcd_free(handle->data);
}

/* Copy a string that may be missing. False: no memory. */
static bool etcd_copy(char **to, const char *from)
{
    if (!from)
        return true;
    *to = strdup(from);
    return *to;
}

static bool etcd_copy_options(struct etcd *etcd, const struct etcd_options *options)
{
    for (size_t i = 0; i < options->endpoint_count; i++)
        member_add(&etcd->members, &options->endpoints[i], NULL);
    member_shuffle(&etcd->members);
    etcd->timeout_ms = options->timeout_ms ? options->timeout_ms : ETCD_TIMEOUT_MS;
    etcd->log = options->log;
    etcd->discovery.is_https = options->is_https;
    if (!etcd_copy(&etcd->discovery.domain, options->discovery_srv))
        return false;
    size_t len = etcd->discovery.domain ? strlen(etcd->discovery.domain) : 0;
    if (len > 0 && etcd->discovery.domain[len - 1] == '.')
        etcd->discovery.domain[len - 1] = '\0'; /* no certificate has it */
    return etcd_copy(&etcd->ca_bundle, options->ca_bundle) &&
           etcd_copy(&etcd->cert, options->cert) && etcd_copy(&etcd->key, options->key) &&
           etcd_copy(&etcd->auth.user, options->user) &&
           etcd_copy(&etcd->auth.password, options->password);
}

/* Without TLS no file is read: a CA bundle, which the environment may name for other programs,
 * takes longer than all else that a one-shot command does. Discovery may find TLS where https was
 * not asked for. A client certificate that was named is checked even if nothing will use it. */
static bool etcd_may_use_tls(const struct etcd_options *options)
{
    bool may = options->discovery_srv || options->cert || options->key;
    for (size_t i = 0; i < options->endpoint_count; i++)
        may = may || options->endpoints[i].is_https;
    return may;
}

/* What others may read is no secret. */
static void etcd_warn_of_key(const struct etcd *etcd, const struct tls_files *tls)
{
    if (tls->key.is_open_to_others)
        log_printf(&etcd->log, LOG_LEVEL_WARNING,
                   "client key %s: others may read or change it (chmod o-rw)",
                   etcd->key ? etcd->key : etcd->cert);
}

/* may_wait: at the start only; a running loop must not stand still for the other end of a pipe. */
static enum status etcd_load_tls(const struct etcd *etcd, bool may_wait, struct tls_files **out,
                                 struct detail *why)
{
    struct tls_files_paths files = {etcd->ca_bundle, etcd->cert, etcd->key};
    if (!etcd->may_use_tls)
        files = (struct tls_files_paths){0};
    return tls_files_load(&files, may_wait, out, why);
}

static enum status etcd_open_http(struct etcd *etcd, struct detail *why)
{
    struct tls_files *tls = NULL;
    enum status status = etcd_load_tls(etcd, true, &tls, why);
    if (status != STATUS_OK)
        return status;
    etcd_warn_of_key(etcd, tls);
    status = http_client_open(etcd->loop, tls, &etcd->http, why);
    tls_files_free(tls);
    return status;
}

/* It becomes part of URLs. The port is for address_parse(), which reads a location. */
static enum status etcd_check_domain(const char *domain, struct detail *why)
{
    struct address location;
    char text[ADDRESS_TEXT_MAX + 1];
    int len = snprintf(text, sizeof(text), "%s:1", domain);
    if (len >= (int)sizeof(text) || address_parse(text, (size_t)len, &location, NULL) ||
        location.kind != HOST_KIND_NAME)
        return detail_set(why, STATUS_BAD_INPUT, "discovery in \"%.200s\": not a domain", domain);
    return STATUS_OK;
}

enum status etcd_open(uv_loop_t *loop, const struct etcd_options *options, struct etcd **out,
                      struct detail *why)
{
    if (options->endpoint_count == 0 && !options->discovery_srv)
        return detail_set(why, STATUS_BAD_INPUT, "no endpoint");
    if (options->discovery_srv && etcd_check_domain(options->discovery_srv, why) != STATUS_OK)
        return STATUS_BAD_INPUT;
    struct etcd *etcd = calloc(1, sizeof(*etcd));
    if (!etcd || !etcd_copy_options(etcd, options)) {
        if (etcd)
            etcd_free(etcd);
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    }
    etcd->loop = loop;
    /* By a pointer: discovery.c and auth.c, which need it, are called by rpc.c and know nothing of
     * it. */
    etcd->wake = rpc_resume_all;
    etcd->may_use_tls = etcd_may_use_tls(options);
    enum status status = etcd_open_http(etcd, why);
    if (status != STATUS_OK) {
        etcd_free(etcd);
        return status;
    }
    uv_timer_init(loop, &etcd->anchor);
    etcd->anchor.data = etcd;
    *out = etcd;
    return STATUS_OK;
}

void etcd_close(struct etcd *etcd)
{
    if (!etcd)
        return;
    etcd->is_closing = true;
    /* First the rpcs, whose owners may still ask the client something; the HTTP client last, since
     * the others cancel requests of it. */
    rpc_close(etcd);
    auth_clear(&etcd->auth);
    resolver_close(etcd->resolver);
    etcd->resolver = NULL;
    http_client_close(etcd->http);
    uv_close((uv_handle_t *)&etcd->anchor, etcd_on_anchor_closed);
}

enum status etcd_reload(struct etcd *etcd, const char *password, struct detail *why)
{
    struct tls_files *tls = NULL;
    enum status status = etcd_load_tls(etcd, false, &tls, why);
    if (status != STATUS_OK)
        return status;
    /* All or nothing: the files are good, and they are used only if there is memory for the
     * password. */
    if (password && (status = auth_set_password(&etcd->auth, password)) != STATUS_OK)
        detail_set(why, status, "%s", status_text(status));
    if (status == STATUS_OK) {
        etcd_warn_of_key(etcd, tls);
        http_client_set_tls(etcd->http, tls);
    }
    tls_files_free(tls);
    return status;
}

const char *etcd_last_endpoint(const struct etcd *etcd)
{
    const struct member_set *members = &etcd->members;
    return members->has_answered ? members->list[members->current].endpoint.url : "";
}
