/* The files of TLS: what is good is taken whole, what is not is named. */
#include "registry/net/tls_files.h"
#include "support/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/empusa-tls-XXXXXX";

/* Each of these is a file there, but for the last. */
enum {
    CERT,
    KEY,
    OTHER_KEY,
    BOTH,
    CHAIN,
    BAD_CHAIN,
    HALF,
    LOCKED_KEY,
    EMPTY,
    GARBAGE,
    PIPE,
    NONE,
    FILES
};
static char paths[FILES][64];

static FILE *open_file(int file)
{
    FILE *out = fopen(paths[file], "w");
    assert_non_null(out);
    return out;
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    for (int i = 0; i < FILES; i++)
        snprintf(paths[i], sizeof(paths[i]), "%s/%d.pem", directory, i);
    EVP_PKEY *key = certificate_new_key(), *other = certificate_new_key();
    X509 *cert = certificate_new(key);
    static const int certs[] = {CERT, BOTH, CHAIN, BAD_CHAIN};
    for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++) {
        FILE *out = open_file(certs[i]);
        PEM_write_X509(out, cert);
        if (certs[i] == BOTH)
            PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
        if (certs[i] == CHAIN)
            PEM_write_X509(out, cert);
        if (certs[i] == BAD_CHAIN)
            fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", out);
        fclose(out);
    }
    static const int keys[] = {KEY, OTHER_KEY, LOCKED_KEY};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        static unsigned char password[] = "secret";
        bool is_locked = keys[i] == LOCKED_KEY;
        FILE *out = open_file(keys[i]);
        PEM_write_PrivateKey(out, keys[i] == OTHER_KEY ? other : key,
                             is_locked ? EVP_aes_128_cbc() : NULL, is_locked ? password : NULL,
                             is_locked ? 6 : 0, NULL, NULL);
        fclose(out);
    }
    FILE *out = open_file(HALF);
    fputs("-----BEGIN CERTIFICATE-----\nMIIB", out);
    fclose(out);
    fclose(open_file(EMPTY));
    out = open_file(GARBAGE);
    fputs("no PEM at all\n", out);
    fclose(out);
    X509_free(cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return mkfifo(paths[PIPE], 0600);
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < FILES; i++)
        unlink(paths[i]);
    return rmdir(directory);
}

/* -1: not given. What is wrong, and with which file; "" = nothing. */
static const struct {
    int ca, cert, key;
    const char *what;
    int file;
} rows[] = {
    {-1, -1, -1, "", 0},
    {CERT, -1, -1, "", 0},
    {CHAIN, CERT, KEY, "", 0},
    {-1, CERT, KEY, "", 0},
    {-1, BOTH, -1, "", 0},
    {-1, BOTH, BOTH, "", 0},
    {-1, CHAIN, KEY, "", 0},
    {EMPTY, -1, -1, "CA bundle ", EMPTY},
    {GARBAGE, -1, -1, "CA bundle ", GARBAGE},
    {KEY, -1, -1, "CA bundle ", KEY},
    {NONE, -1, -1, "CA bundle ", NONE},
    {PIPE, -1, -1, "CA bundle ", PIPE},
    {HALF, CERT, KEY, "CA bundle ", HALF},
    {-1, -1, KEY, "client key ", KEY},
    {-1, CERT, -1, "client key ", CERT},
    {-1, CERT, CERT, "client key ", CERT},
    {-1, CERT, OTHER_KEY, "client key ", OTHER_KEY},
    {-1, CERT, LOCKED_KEY, "client key ", LOCKED_KEY},
    {-1, CERT, EMPTY, "client key ", EMPTY},
    {-1, CERT, NONE, "client key ", NONE},
    {-1, KEY, KEY, "client certificate ", KEY},
    {-1, HALF, KEY, "client certificate ", HALF},
    {-1, GARBAGE, KEY, "client certificate ", GARBAGE},
    {-1, BAD_CHAIN, KEY, "client certificate ", BAD_CHAIN},
    {-1, NONE, KEY, "client certificate ", NONE},
    {GARBAGE, NONE, NONE, "CA bundle ", GARBAGE},
};

static const char *path_of(int file)
{
    return file < 0 ? NULL : paths[file];
}

static void a_bad_file_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_files_paths files = {path_of(rows[i].ca), path_of(rows[i].cert),
                                        path_of(rows[i].key)};
        struct tls_files *tls = NULL;
        struct detail why = {""};
        char begin[120];
        enum status status = tls_files_load(&files, false, &tls, &why);
        snprintf(begin, sizeof(begin), "%s%s: ", rows[i].what, paths[rows[i].file]);
        bool is_good = !rows[i].what[0];
        if (status != (is_good ? STATUS_OK : STATUS_BAD_INPUT) || is_good != (tls != NULL) ||
            (!is_good && strncmp(why.text, begin, strlen(begin)) != 0))
            fail_msg("row %zu: %s, \"%s\"", i, status_text(status), why.text);
        tls_files_free(tls);
    }
}

static void what_was_checked_is_what_is_used(void **state)
{
    (void)state;
    struct tls_files_paths files = {paths[CERT], paths[CERT], paths[KEY]};
    struct tls_files *tls, *both;
    assert_int_equal(tls_files_load(&files, false, &tls, NULL), STATUS_OK);
    assert_non_null(strstr(tls->cert.data, "BEGIN CERTIFICATE"));
    assert_string_equal(tls->ca.data, tls->cert.data);
    assert_int_equal(tls->cert.len, strlen(tls->cert.data));
    assert_non_null(strstr(tls->key.data, "PRIVATE KEY"));
    assert_null(tls->ca_directory);
    /* One file may hold both. */
    files = (struct tls_files_paths){.cert = paths[BOTH]};
    assert_int_equal(tls_files_load(&files, false, &both, NULL), STATUS_OK);
    assert_string_equal(both->key.data, both->cert.data);
    assert_int_equal(both->key.len, both->cert.len);
    assert_null(both->ca.data);
    tls_files_free(both);
    /* The last of those who use it frees. */
    assert_ptr_equal(tls_files_share(tls), tls);
    tls_files_free(tls);
    assert_non_null(strstr(tls->key.data, "PRIVATE KEY"));
    tls_files_free(tls);
    assert_null(tls_files_share(NULL));
    tls_files_free(NULL);
}

static void authorities_may_be_a_directory(void **state)
{
    (void)state;
    struct tls_files_paths files = {.ca_bundle = directory};
    struct tls_files *tls;
    assert_int_equal(tls_files_load(&files, false, &tls, NULL), STATUS_OK);
    assert_string_equal(tls->ca_directory, directory);
    assert_null(tls->ca.data);
    tls_files_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_file_is_named),
        cmocka_unit_test(what_was_checked_is_what_is_used),
        cmocka_unit_test(authorities_may_be_a_directory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
