#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* OpenSSL's own text for a missing file is "No such file or directory" behind six other words. */
static enum status tls_check_readable(const char *what, const char *path, struct detail *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return detail_set(why, STATUS_BAD_INPUT, "%s %s: %s", what, path, strerror(errno));
    close(fd);
    return STATUS_OK;
}

/* Without it OpenSSL would ask for a key's pass phrase on the terminal. */
static int tls_no_password(char *out, int size, int is_writing, void *arg)
{
    (void)out, (void)size, (void)is_writing, (void)arg;
    return 0;
}

static enum status tls_complain(const char *what, const char *path, struct detail *why)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return detail_set(why, STATUS_BAD_INPUT, "%s %s: %s", what, path,
                      reason ? reason : "not in PEM format");
}

static enum status tls_check_authorities(SSL_CTX *context, const char *path, struct detail *why)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return STATUS_OK;
    enum status status = tls_check_readable("CA bundle", path, why);
    if (status == STATUS_OK && SSL_CTX_load_verify_locations(context, path, NULL) != 1)
        status = tls_complain("CA bundle", path, why);
    return status;
}

static enum status tls_check_pair(SSL_CTX *context, const char *cert, const char *key,
                                  struct detail *why)
{
    const char *key_file = key ? key : cert; /* one PEM file may hold both */
    enum status status = tls_check_readable("client certificate", cert, why);
    if (status == STATUS_OK)
        status = tls_check_readable("client key", key_file, why);
    if (status != STATUS_OK)
        return status;
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return tls_complain("client certificate", cert, why);
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        return tls_complain("client key", key_file, why);
    return STATUS_OK;
}

enum status tls_check(const struct tls_files *files, struct detail *why)
{
    if (files->key && !files->cert)
        return detail_set(why, STATUS_BAD_INPUT, "client key %s: without a client certificate",
                          files->key);
    if (!files->ca_bundle && !files->cert)
        return STATUS_OK;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    SSL_CTX_set_default_passwd_cb(context, tls_no_password);
    enum status status = STATUS_OK;
    if (files->ca_bundle)
        status = tls_check_authorities(context, files->ca_bundle, why);
    if (status == STATUS_OK && files->cert)
        status = tls_check_pair(context, files->cert, files->key, why);
    SSL_CTX_free(context);
    return status;
}
