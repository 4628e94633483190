#include "tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TLS_FILES_FILE_MAX (16u << 20)

/* Without it OpenSSL would ask for a key's pass phrase on the terminal. */
static int tls_files_no_password(char *out, int size, int is_writing, void *arg)
{
    (void)out, (void)size, (void)is_writing, (void)arg;
    return 0;
}

/* The thread's queue of errors is left empty, as SSL_get_error(3) demands of it before each use of
 * a connection: libcurl's are on the same thread. */
static enum status tls_files_fail(const char *what, const char *path, struct detail *why)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    bool lacks_memory = false;
    for (unsigned long error; (error = ERR_get_error());)
        lacks_memory |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    if (lacks_memory)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    return detail_set(why, STATUS_BAD_INPUT, "%s %s: %s", what, path,
                      reason ? reason : "not in PEM format");
}

static enum status tls_files_read(const char *what, const char *path, bool may_wait,
                                  struct file *out, struct detail *why)
{
    struct detail reason;
    enum status status = file_read(path, TLS_FILES_FILE_MAX, may_wait, out, &reason);
    if (status == STATUS_OK)
        return status;
    if (status == STATUS_NO_MEMORY)
        return detail_set(why, status, "out of memory");
    return detail_set(why, STATUS_BAD_INPUT, "%s %s: %s", what, path, reason.text);
}

/* At least one certificate. Without any, libcurl would fail at each connection, in words that do
 * not name the file. */
static bool tls_files_is_bundle(BIO *bio)
{
    int count = 0;
    STACK_OF(X509_INFO) *list = PEM_X509_INFO_read_bio(bio, NULL, tls_files_no_password, NULL);
    for (int i = 0; list && i < sk_X509_INFO_num(list); i++)
        count += sk_X509_INFO_value(list, i)->x509 != NULL;
    sk_X509_INFO_pop_free(list, X509_INFO_free);
    return count > 0;
}

/* The first certificate is the client's; all that follow must be readable, too, since libcurl reads
 * them at each connection and fails at one that is not. */
static bool tls_files_take_chain(SSL_CTX *context, BIO *bio)
{
    X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, tls_files_no_password, NULL);
    bool is_good = cert && SSL_CTX_use_certificate(context, cert) == 1;
    X509_free(cert);
    while (is_good && (cert = PEM_read_bio_X509(bio, NULL, tls_files_no_password, NULL)))
        X509_free(cert);
    if (is_good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error(); /* the end */
    return is_good && ERR_peek_error() == 0;
}

/* Behind the certificate, with which OpenSSL then compares it. The other way round nothing
 * fails: a certificate that does not fit drops the key that was there. */
static bool tls_files_take_key(SSL_CTX *context, BIO *bio)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, tls_files_no_password, NULL);
    bool is_good = key && SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key);
    return is_good;
}

static enum status tls_files_check_pair(const struct tls_files *tls,
                                        const struct tls_files_paths *files, struct detail *why)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    BIO *cert = BIO_new_mem_buf(tls->cert.data, (int)tls->cert.len);
    BIO *key = BIO_new_mem_buf(tls->key.data, (int)tls->key.len);
    enum status status = STATUS_OK;
    ERR_clear_error();
    if (!context || !cert || !key)
        status = detail_set(why, STATUS_NO_MEMORY, "out of memory");
    else if (!tls_files_take_chain(context, cert))
        status = tls_files_fail("client certificate", files->cert, why);
    else if (!tls_files_take_key(context, key))
        status = tls_files_fail("client key", files->key ? files->key : files->cert, why);
    BIO_free(cert);
    BIO_free(key);
    SSL_CTX_free(context);
    return status;
}

static enum status tls_files_load_pair(struct tls_files *tls, const struct tls_files_paths *files,
                                       bool may_wait, struct detail *why)
{
    /* One PEM file may hold both, and a pipe can be read only once. */
    bool is_one = !files->key || strcmp(files->key, files->cert) == 0;
    enum status status =
        tls_files_read("client certificate", files->cert, may_wait, &tls->cert, why);
    if (status == STATUS_OK && is_one) {
        tls->key = tls->cert;
        tls->key.data = malloc(tls->cert.len + 1);
        if (!tls->key.data)
            return detail_set(why, STATUS_NO_MEMORY, "out of memory");
        memcpy(tls->key.data, tls->cert.data, tls->cert.len + 1);
    } else if (status == STATUS_OK) {
        status = tls_files_read("client key", files->key, may_wait, &tls->key, why);
    }
    return status == STATUS_OK ? tls_files_check_pair(tls, files, why) : status;
}

static enum status tls_files_load_authorities(struct tls_files *tls, const char *path,
                                              bool may_wait, struct detail *why)
{
    struct stat st;
    /* Nothing to check: OpenSSL opens a file by the hash of an issuer's name, when it needs it. */
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        tls->ca_directory = strdup(path);
        return tls->ca_directory ? STATUS_OK : detail_set(why, STATUS_NO_MEMORY, "out of memory");
    }
    enum status status = tls_files_read("CA bundle", path, may_wait, &tls->ca, why);
    if (status != STATUS_OK)
        return status;
    BIO *bio = BIO_new_mem_buf(tls->ca.data, (int)tls->ca.len);
    ERR_clear_error();
    if (!bio)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    if (!tls_files_is_bundle(bio))
        status = tls_files_fail("CA bundle", path, why);
    ERR_clear_error();
    BIO_free(bio);
    return status;
}

enum status tls_files_load(const struct tls_files_paths *files, bool may_wait,
                           struct tls_files **out, struct detail *why)
{
    enum status status = STATUS_OK;
    if (files->key && !files->cert)
        return detail_set(why, STATUS_BAD_INPUT, "client key %s: without a client certificate",
                          files->key);
    struct tls_files *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    tls->references = 1;
    if (files->ca_bundle)
        status = tls_files_load_authorities(tls, files->ca_bundle, may_wait, why);
    if (status == STATUS_OK && files->cert)
        status = tls_files_load_pair(tls, files, may_wait, why);
    if (status == STATUS_OK)
        *out = tls;
    else
        tls_files_free(tls);
    return status;
}

struct tls_files *tls_files_share(struct tls_files *tls)
{
    if (tls)
        tls->references++;
    return tls;
}

void tls_files_free(struct tls_files *tls)
{
    if (!tls || --tls->references > 0)
        return;
    free(tls->ca_directory);
    file_clear(&tls->ca);
    file_clear(&tls->cert);
    file_clear(&tls->key);
    free(tls);
}
